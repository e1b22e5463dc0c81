/* Life of the GPU backend: creation, weights, events. Sessions are in gpu_session.c, steps in
 * gpu_step.c. */
#include <string.h>

#include "base/num.h"
#include "webgpu/gpu_internal.h"
#include "webgpu/wgsl.h"

#define FIRST_CHUNK 128u // tokens of a prompt's steps until one has been measured
/* What guesses cost. On one GPU (docs/speed.md) steps of eight packed rows take 2.2 to 2.5
 * times as long as steps of one, so that a further row is a fifth of a step; where rows are not
 * packed it is nearly a whole one. A result that is waited for costs a round trip, in which a
 * short step would have been done. */
#define EXACT_COST_PACKED 0.25f
#define EXACT_COST 0.8f
#define EXACT_WAIT 1.0f

static struct qn_gpu *of(struct qn_backend *backend) {
    return (struct qn_gpu *)(void *)backend;
}

/* ---- Creation ------------------------------------------------------------------------------ */

static void put_text(struct qn_tape *tape, const char *text) {
    qn_tape_word(tape, (uint32_t)strlen(text));
    qn_tape_ptr(tape, text);
}

enum qn_status qn_gpu_put_kernel(struct qn_gpu *gpu, enum qn_kernel_id id, struct qn_error *err) {
    struct qn_kernel kernel;
    qn_kernel_get(&kernel, id);
    const char *parts = kernel.parts[qn_kernel_variant(&kernel, gpu->host.caps.features)];
    struct qn_tape *tape = &gpu->tape;
    if (!parts)
        return qn_fail(err, QN_E_INTERNAL, "kernel %s has no text", kernel.name);
    qn_tape_word(tape, QN_TAPE_CREATE_MODULE);
    qn_tape_word(tape, id);
    put_text(tape, kernel.name);
    qn_tape_word(tape, (uint32_t)strlen(parts));
    for (; *parts; parts++)
        put_text(tape, qn_wgsl_parts[(uint8_t)*parts]);
    qn_tape_word(tape, QN_TAPE_CREATE_LAYOUT);
    qn_tape_word(tape, id);
    qn_tape_word(tape, kernel.n_bindings);
    qn_tape_append(tape, kernel.kinds, kernel.n_bindings);
    return QN_OK;
}

void qn_gpu_put_pipeline(struct qn_gpu *gpu, uint32_t id,
                         const struct qn_lower_pipeline *pipeline) {
    qn_tape_append(&gpu->tape,
                   (uint32_t[]){QN_TAPE_CREATE_PIPELINE, id, (uint32_t)pipeline->kernel,
                                (uint32_t)pipeline->kernel, pipeline->n},
                   5);
    for (uint32_t i = 0; i < pipeline->n; i++) {
        put_text(&gpu->tape, pipeline->names[i]);
        qn_tape_word(&gpu->tape, qn_f32_bits(pipeline->values[i]));
    }
}

static enum qn_status create_pipelines(struct qn_gpu *gpu, struct qn_error *err) {
    const struct qn_lower *l = &gpu->lower;
    bool known[QN_KERNEL_COUNT] = {false};
    for (uint32_t i = 0; i < l->n_pipelines; i++) {
        const struct qn_lower_pipeline *pipeline = &l->pipelines[i];
        if (!known[pipeline->kernel])
            QN_TRY(qn_gpu_put_kernel(gpu, pipeline->kernel, err));
        known[pipeline->kernel] = true;
    }
    // All pipelines after all modules: the device compiles them side by side.
    for (uint32_t i = 0; i < l->n_pipelines; i++)
        qn_gpu_put_pipeline(gpu, i, &l->pipelines[i]);
    gpu->stats.pipelines = l->n_pipelines;
    return qn_gpu_play(gpu, err);
}

static enum qn_status write_bytes(struct qn_backend *backend, uint32_t weight, enum qn_plane plane,
                                  uint64_t offset, const void *bytes, size_t n,
                                  struct qn_error *err);

static enum qn_status write_constants(struct qn_gpu *gpu, struct qn_error *err) {
    const struct qn_lower *l = &gpu->lower;
    qn_gpu_put_write(&gpu->tape, l->b_params, 0, l->n_params * QN_LOWER_SLOT, l->params);
    QN_TRY(qn_gpu_play(gpu, err));
    for (uint32_t i = 0; i < l->program->n_weights; i++) {
        const struct qn_weight *weight = &l->program->weights[i];
        if (weight->computed != NULL)
            QN_TRY(write_bytes(&gpu->base, i, QN_PLANE_VALUES, 0, weight->computed,
                               (size_t)weight->cols * sizeof *weight->computed, err));
    }
    return QN_OK;
}

static void find_limits(struct qn_gpu *gpu) {
    const struct qn_lower *l = &gpu->lower;
    gpu->id_limit = UINT32_MAX;
    for (uint32_t i = 0; i < l->program->n_ops; i++) {
        const struct qn_program_op *op = &l->program->ops[i];
        if (op->kind == QN_OP_EMBED && op->u.embed.by == QN_EMBED_BY_ID) {
            uint32_t weight = l->program->tensors[op->in[1].tensor].weight;
            gpu->id_limit = qn_min_u32(gpu->id_limit, l->program->weights[weight].rows);
        }
    }
    uint32_t shared = l->n_buffers[QN_SPACE_SHARED], own = l->n_buffers[QN_SPACE_BANK];
    uint32_t most = 65535u; // ids are small integers
    gpu->max_banks = qn_min_u32(QN_GPU_BANKS, most / l->n_dispatches);
    gpu->max_banks = shared >= most ? 0 : qn_min_u32(gpu->max_banks, (most - shared) / (2 * own));
    gpu->base.max_batch = l->max_batch;
    uint32_t exact = qn_min_u32(l->max_rows, l->program->max_rows);
    gpu->base.max_exact = exact > 1 ? exact : 0;
    gpu->base.exact_cost = l->b_packed ? EXACT_COST_PACKED : EXACT_COST;
    gpu->base.exact_wait = EXACT_WAIT;
    gpu->base.exact_edge = QN_SHORT;
}

static void destroy(struct qn_backend *backend) {
    if (backend == NULL)
        return;
    struct qn_gpu *gpu = of(backend);
    const struct qn_allocator *allocator = gpu->allocator;
    while (gpu->sessions)
        qn_gpu_session_destroy(backend, gpu->sessions);
    qn_gpu_trial_release(gpu);
    qn_gpu_buffers_destroy(gpu, 0, gpu->lower.buffers[QN_SPACE_SHARED], gpu->n_created);
    qn_tape_free(&gpu->tape);
    qn_arena_free(&gpu->arena);
    qn_mem_free(allocator, gpu, sizeof *gpu);
}

/* What the device needs for the lowered program, but for buffers that there are already. */
static enum qn_status create_parts(struct qn_gpu *gpu, struct qn_error *err) {
    const struct qn_lower *l = &gpu->lower;
    uint32_t made, first = gpu->n_created;
    find_limits(gpu);
    // The longest tapes: all groups of a session, and a step with all its dispatches, 8 words each.
    qn_tape_reserve(&gpu->tape, (size_t)l->n_dispatches * (4 + 3 * QN_KERNEL_BINDINGS) + 512);
    if (gpu->tape.failed)
        return qn_fail(err, QN_E_NO_MEMORY, "the GPU backend");
    QN_TRY(create_pipelines(gpu, err));
    enum qn_status status =
        qn_gpu_buffers_create(gpu, first, l->buffers[QN_SPACE_SHARED] + first,
                              l->n_buffers[QN_SPACE_SHARED] - first, &made, err);
    gpu->n_created += made;
    QN_TRY(status);
    return write_constants(gpu, err);
}

static enum qn_status create(struct qn_gpu *gpu, const struct qn_program *program,
                             struct qn_error *err) {
    struct qn_lower *l = &gpu->lower;
    QN_TRY(qn_lower_program(l, &gpu->arena, program, &gpu->host.caps, err));
    gpu->edges =
        QN_ARENA_NEW(&gpu->arena, struct qn_gpu_edge, (size_t)program->n_weights * QN_PLANE_COUNT);
    size_t blocks = (size_t)l->n_blocks * 256;
    gpu->block_steps = qn_arena_alloc(&gpu->arena, blocks, 1);
    if (gpu->edges == NULL || gpu->block_steps == NULL)
        return qn_fail(err, QN_E_NO_MEMORY, "the GPU backend");
    QN_TRY(create_parts(gpu, err));
    return gpu->host.caps.self_test ? qn_gpu_trial_begin(gpu, err) : QN_OK;
}

enum qn_status qn_gpu_lower_again(struct qn_gpu *gpu, struct qn_error *err) {
    struct qn_lower *l = &gpu->lower, next;
    QN_TRY(qn_lower_program(&next, &gpu->arena, l->program, &gpu->host.caps, err));
    // The weights, whose buffers come first, stay; everything else is made anew.
    const struct qn_lower_buffer *old = l->buffers[QN_SPACE_SHARED];
    uint32_t weights = l->b_vectors + 1;
    if (next.b_vectors != l->b_vectors ||
        memcmp(old, next.buffers[QN_SPACE_SHARED], weights * sizeof *old) != 0)
        return qn_fail(err, QN_E_INTERNAL, "weights lie where features say");
    qn_gpu_buffers_destroy(gpu, weights, old + weights, gpu->n_created - weights);
    gpu->n_created = weights;
    *l = next;
    return create_parts(gpu, err);
}

/* ---- Weights ------------------------------------------------------------------------------- */

static enum qn_status write_words(struct qn_gpu *gpu, uint32_t buffer, uint32_t offset,
                                  const void *p, size_t n, struct qn_error *err) {
    qn_gpu_put_write(&gpu->tape, buffer, offset, (uint32_t)n, p); // n ≤ the buffer's 32-bit size
    return qn_gpu_play(gpu, err);
}

/* Bytes [offset, offset + n) of a buffer. Where rows are no whole words, a piece begins in the word
 * that the one before it ended in; that word is remembered and written again. */
static enum qn_status write_range(struct qn_gpu *gpu, struct qn_gpu_edge *edge, uint32_t buffer,
                                  uint32_t offset, const unsigned char *p, size_t n,
                                  struct qn_error *err) {
    uint32_t inside = offset % 4;
    if (inside != 0) {
        if (!edge->set || edge->buffer != buffer || edge->offset != offset - inside)
            return qn_fail(err, QN_E_INTERNAL,
                           "a piece begins within a word, and not where the last one ended");
        size_t m = qn_min_size(4 - inside, n);
        memcpy(edge->bytes + inside, p, m);
        QN_TRY(write_words(gpu, buffer, edge->offset, edge->bytes, 4, err));
        p += m;
        n -= m;
        offset += (uint32_t)m;
    }
    size_t whole = n & ~(size_t)3;
    if (whole != 0)
        QN_TRY(write_words(gpu, buffer, offset, p, whole, err));
    if (n == whole)
        return QN_OK;
    *edge = (struct qn_gpu_edge){true, buffer, offset + (uint32_t)whole, {0}};
    memcpy(edge->bytes, p + whole, n - whole);
    return write_words(gpu, buffer, edge->offset, edge->bytes, 4, err);
}

/* Rows of a matrix to its slabs. */
static enum qn_status write_rows(struct qn_gpu *gpu, const struct qn_lower_weight *w,
                                 struct qn_gpu_edge *edge, enum qn_plane plane, uint64_t offset,
                                 const unsigned char *p, size_t n, struct qn_error *err) {
    size_t row_bytes = w->row_bytes[plane];
    while (n != 0) {
        uint64_t row = offset / row_bytes, within = offset % row_bytes;
        bool up = w->half && row >= w->half;
        uint64_t local = up ? row - w->half : row;
        const struct qn_lower_slab *slab = &gpu->lower.slabs[w->first_slab];
        while (local >= (uint64_t)slab->row_begin + slab->n_rows)
            slab++; // the caller checked the range: there is one
        uint64_t left = (slab->row_begin + (uint64_t)slab->n_rows - local) * row_bytes - within;
        size_t m = left < n ? (size_t)left : n;
        uint64_t at = (local - slab->row_begin + (up ? slab->n_rows : 0)) * row_bytes + within;
        QN_TRY(write_range(gpu, edge, slab->buffer[plane], (uint32_t)at, p, m, err));
        p += m;
        n -= m;
        offset += m;
    }
    return QN_OK;
}

static enum qn_status write_bytes(struct qn_backend *backend, uint32_t weight, enum qn_plane plane,
                                  uint64_t offset, const void *bytes, size_t n,
                                  struct qn_error *err) {
    struct qn_gpu *gpu = of(backend);
    QN_TRY(qn_gpu_check(gpu, err));
    const struct qn_program *p = gpu->lower.program;
    if (weight >= p->n_weights || (unsigned)plane >= QN_PLANE_COUNT)
        return qn_fail(err, QN_E_ARGUMENT, "no weight %u, plane %d", weight, (int)plane);
    const struct qn_lower_weight *w = &gpu->lower.weights[weight];
    uint64_t all = (uint64_t)p->weights[weight].rows * w->row_bytes[plane];
    if (offset > all || n > all - offset)
        return qn_fail(err, QN_E_ARGUMENT, "weight %.*s: %zu bytes at %llu of %llu",
                       QN_STR_ARG(p->weights[weight].name), n, (unsigned long long)offset,
                       (unsigned long long)all);
    struct qn_gpu_edge *edge = &gpu->edges[weight * QN_PLANE_COUNT + (uint32_t)plane];
    if (w->place == QN_PLACE_UNUSED || n == 0)
        return QN_OK;
    if (w->place == QN_PLACE_POOL)
        return write_range(gpu, edge, gpu->lower.b_vectors, w->offset + (uint32_t)offset, bytes, n,
                           err);
    return write_rows(gpu, w, edge, plane, offset, bytes, n, err);
}

/* ---- State --------------------------------------------------------------------------------- */

static enum qn_status finish(struct qn_backend *backend, struct qn_error *err) {
    struct qn_gpu *gpu = of(backend);
    QN_TRY(qn_gpu_check(gpu, err));
    if (gpu->state != QN_GPU_LOADING)
        return qn_fail(err, QN_E_STATE, "the weights were finished before");
    gpu->fence = qn_gpu_tag(gpu);
    gpu->state = QN_GPU_PENDING; // the answer may come within play()
    qn_tape_word(&gpu->tape, QN_TAPE_FENCE);
    qn_tape_word(&gpu->tape, gpu->fence);
    enum qn_status status = qn_gpu_play(gpu, err);
    if (status != QN_OK && gpu->state == QN_GPU_PENDING)
        gpu->state = QN_GPU_LOADING;
    return status;
}

static bool ready(const struct qn_backend *backend) {
    return ((const struct qn_gpu *)(const void *)backend)->state == QN_GPU_READY;
}

static enum qn_status event(struct qn_backend *backend, const struct qn_gpu_event *event,
                            struct qn_error *err) {
    struct qn_gpu *gpu = of(backend);
    struct qn_str message = {event->bytes, event->bytes ? event->n : 0};
    switch (event->kind) {
    case QN_GPU_EVENT_READ:
        if (gpu->trial.state == QN_TRIAL_RUNS && event->tag == gpu->trial.read) {
            qn_gpu_trial_read(gpu, event->bytes, event->n);
            return QN_OK;
        }
        if (gpu->trial.state == QN_TRIAL_MEASURES && event->tag == gpu->trial.read) {
            gpu->trial.tuning.micros = event->micros;
            qn_gpu_turn(gpu);
            return qn_gpu_check(gpu, err);
        }
        return qn_gpu_session_read(gpu, event->tag, event->micros, event->bytes, event->n);
    case QN_GPU_EVENT_FENCE:
        if (gpu->state == QN_GPU_PENDING && event->tag == gpu->fence) {
            gpu->fenced = true;
            if (gpu->trial.state == QN_TRIAL_OVER)
                gpu->state = QN_GPU_READY;
        } else if (gpu->trial.state != QN_TRIAL_OVER && event->tag == gpu->trial.fence) {
            qn_gpu_turn(gpu);
        }
        return qn_gpu_check(gpu, err);
    case QN_GPU_EVENT_ERROR: {
        enum qn_status status = event->status == QN_OK ? QN_E_GPU : event->status;
        if (qn_gpu_trial_forgives(gpu, event))
            return QN_OK;
        qn_gpu_set_failed(gpu, status == QN_E_GPU_LOST ? QN_GPU_LOST : QN_GPU_FAILED, status,
                          message);
        return qn_fail(err, status, "%.*s", QN_STR_ARG(message));
    }
    case QN_GPU_EVENT_LOST:
        qn_gpu_set_failed(gpu, QN_GPU_LOST, QN_E_GPU_LOST, message);
        return qn_fail(err, QN_E_GPU_LOST, "%.*s", QN_STR_ARG(message));
    }
    return qn_fail(err, QN_E_ARGUMENT, "an event of unknown kind");
}

static uint64_t memory(const struct qn_backend *backend) {
    const struct qn_gpu *gpu = (const struct qn_gpu *)(const void *)backend;
    return gpu->bytes + gpu->arena.held + gpu->tape.capacity * sizeof(uint32_t);
}

void qn_gpu_backend_stats(const struct qn_backend *backend, struct qn_gpu_stats *out) {
    const struct qn_gpu *gpu = (const struct qn_gpu *)(const void *)backend;
    *out = gpu->stats;
    out->bytes = gpu->bytes;
}

static const struct qn_backend_ops ops = {
    .name = "webgpu",
    .destroy = destroy,
    .write = write_bytes,
    .finish = finish,
    .ready = ready,
    .event = event,
    .memory = memory,
    .session_create = qn_gpu_session_create,
    .session_destroy = qn_gpu_session_destroy,
    .begin = qn_gpu_session_begin,
    .enqueue = qn_gpu_session_enqueue,
    .copy = qn_gpu_session_copy,
    .save = qn_gpu_session_save,
    .restore = qn_gpu_session_restore,
    .poll = qn_gpu_session_poll,
    .drop = qn_gpu_session_drop,
};

enum qn_status qn_gpu_backend_create(struct qn_backend **out, const struct qn_allocator *allocator,
                                     const struct qn_program *program,
                                     const struct qn_gpu_host *host, struct qn_error *err) {
    *out = NULL;
    struct qn_gpu *gpu = qn_mem_alloc(allocator, sizeof *gpu);
    if (gpu == NULL)
        return qn_fail(err, QN_E_NO_MEMORY, "the GPU backend");
    *gpu = (struct qn_gpu){
        .base = {&ops, program, QN_GPU_IN_FLIGHT, 1}, .allocator = allocator, .host = *host};
    gpu->base.chunk = qn_min_u32(FIRST_CHUNK, program->max_tokens);
    gpu->host.caps = qn_gpu_caps_resolve(&host->caps);
    qn_arena_init(&gpu->arena, allocator);
    qn_tape_init(&gpu->tape, allocator);
    enum qn_status status = create(gpu, program, err);
    if (status != QN_OK) {
        destroy(&gpu->base);
        return status;
    }
    *out = &gpu->base;
    return QN_OK;
}
