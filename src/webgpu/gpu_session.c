/* Sessions of the GPU backend: their buffers and groups, the sampler's parameters, and the results
 * that come back. */
#include <string.h>

#include "base/maths.h"
#include "base/num.h"
#include "webgpu/gpu_internal.h"

static struct qn_gpu *of(struct qn_backend *backend) {
    return (struct qn_gpu *)(void *)backend;
}

/* ---- Creation ------------------------------------------------------------------------------ */

static size_t argmax_size(const struct qn_lower *l) {
    return (size_t)QN_GPU_IN_FLIGHT * l->program->max_rows * sizeof(uint32_t);
}

static enum qn_status create(struct qn_gpu *gpu, struct qn_backend_session *session,
                             struct qn_error *err) {
    const struct qn_lower *l = &gpu->lower;
    session->argmax = qn_mem_alloc(gpu->allocator, argmax_size(l));
    if (session->argmax == NULL)
        return qn_fail(err, QN_E_NO_MEMORY, "a session");
    for (uint32_t i = 0; i < QN_GPU_IN_FLIGHT; i++)
        session->pending[i].argmax = session->argmax + (size_t)i * l->program->max_rows;
    return qn_gpu_slot_take(gpu, &session->bank, &session->slot, err);
}

static void release(struct qn_gpu *gpu, struct qn_backend_session *session) {
    const struct qn_lower *l = &gpu->lower;
    if (session->bank)
        qn_gpu_slot_free(gpu, session->bank, session->slot);
    for (uint32_t i = 0; i < QN_GPU_IN_FLIGHT; i++)
        qn_mem_free(gpu->allocator, session->pending[i].logits, (size_t)l->vocab * sizeof(float));
    qn_mem_free(gpu->allocator, session->argmax, argmax_size(l));
    qn_mem_free(gpu->allocator, session, sizeof *session);
}

enum qn_status qn_gpu_session_create(struct qn_backend *backend, struct qn_backend_session **out,
                                     struct qn_error *err) {
    struct qn_gpu *gpu = of(backend);
    *out = NULL;
    QN_TRY(qn_gpu_check(gpu, err));
    struct qn_backend_session *session = qn_mem_alloc(gpu->allocator, sizeof *session);
    if (session == NULL)
        return qn_fail(err, QN_E_NO_MEMORY, "a session");
    *session = (struct qn_backend_session){.sampler = QN_LIST_GREEDY};
    enum qn_status status = create(gpu, session, err);
    if (status != QN_OK) {
        release(gpu, session);
        return status;
    }
    session->next = gpu->sessions;
    gpu->sessions = session;
    *out = session;
    return QN_OK;
}

void qn_gpu_session_destroy(struct qn_backend *backend, struct qn_backend_session *session) {
    struct qn_gpu *gpu = of(backend);
    if (session == NULL)
        return;
    struct qn_backend_session **at = &gpu->sessions;
    while (*at && *at != session)
        at = &(*at)->next;
    if (*at)
        *at = session->next;
    release(gpu, session);
}

/* Bytes from one slot to another; within a bank they go through a buffer that has nothing to keep,
 * as a buffer cannot be copied to itself. */
static void put_copy(struct qn_gpu *gpu, const struct qn_backend_session *to,
                     const struct qn_backend_session *from, uint32_t buffer, uint32_t size,
                     uint32_t offset, uint32_t n) {
    uint32_t bounce = gpu->lower.bounce, at = 0;
    uint32_t most = gpu->lower.buffers[QN_SPACE_SHARED][bounce].bytes;
    uint32_t source = qn_gpu_buffer_id(gpu, from->bank, QN_SPACE_BANK, buffer);
    uint32_t target = qn_gpu_buffer_id(gpu, to->bank, QN_SPACE_BANK, buffer);
    uint32_t source_at = from->slot * size + offset, target_at = to->slot * size + offset;
    if (source != target) {
        qn_tape_append(&gpu->tape,
                       (uint32_t[]){QN_TAPE_COPY, source, source_at, target, target_at, n}, 6);
        return;
    }
    for (uint32_t part; at < n; at += part) {
        part = qn_min_u32(most, n - at);
        qn_tape_append(&gpu->tape,
                       (uint32_t[]){QN_TAPE_COPY, source, source_at + at, bounce, 0, part,
                                    QN_TAPE_COPY, bounce, 0, target, target_at + at, part},
                       12);
    }
}

enum qn_status qn_gpu_session_copy(struct qn_backend *backend, struct qn_backend_session *to,
                                   const struct qn_backend_session *from, uint32_t n,
                                   struct qn_error *err) {
    struct qn_gpu *gpu = of(backend);
    const struct qn_program *p = gpu->lower.program;
    QN_TRY(qn_gpu_check(gpu, err));
    if (n > from->end || to->n_pending != 0 || to == from)
        return qn_fail(err, QN_E_ARGUMENT, "%u positions of %u to copy", n, from->end);
    to->end = 0;
    for (uint32_t i = 0; i < p->n_tensors && n != 0; i++) {
        const struct qn_program_tensor *t = &p->tensors[i]; // [n_kv_heads, context, head_dim]
        if (t->kind != QN_TENSOR_STATE)
            continue;
        uint32_t buffer = gpu->lower.places[i].buffer;
        uint32_t head = (uint32_t)t->nbytes / t->dims[0].n; // ≤ the buffer's 32-bit size
        uint32_t part = head / p->context * n;
        if (head % 4 != 0 || part % 4 != 0)
            return qn_fail(err, QN_E_UNSUPPORTED, "copying %u bytes on the GPU", part);
        for (uint32_t j = 0; j < t->dims[0].n; j++)
            put_copy(gpu, to, from, buffer, (uint32_t)t->nbytes, j * head, part);
        qn_tape_word(&gpu->tape, QN_TAPE_SUBMIT);
        QN_TRY(qn_gpu_play(gpu, err));
    }
    to->end = n;
    to->has_token = false;
    return QN_OK;
}

/* Where positions of a state's heads lie: buffer, bytes from head to head, of a head's positions,
 * and before the first. */
struct region {
    uint32_t buffer, heads, stride, part, begin;
};

static enum qn_status find_region(struct region *out, const struct qn_gpu *gpu,
                                  const struct qn_backend_session *s, uint32_t tensor, uint32_t pos,
                                  uint32_t n, struct qn_error *err) {
    const struct qn_program *p = gpu->lower.program;
    const struct qn_program_tensor *t = &p->tensors[tensor];
    QN_TRY(qn_gpu_check(gpu, err));
    if (pos > p->context || n > p->context - pos || s->n_pending != 0)
        return qn_fail(err, QN_E_ARGUMENT, "positions %u + %u of %u", pos, n, p->context);
    uint32_t buffer = gpu->lower.places[tensor].buffer;
    uint32_t stride = (uint32_t)t->nbytes / t->dims[0].n; // ≤ the buffer's 32-bit size
    uint32_t one = stride / p->context;
    *out = (struct region){qn_gpu_buffer_id(gpu, s->bank, QN_SPACE_BANK, buffer), t->dims[0].n,
                           stride, one * n, s->slot * (uint32_t)t->nbytes + one * pos};
    if (stride % 4 != 0 || out->part % 4 != 0 || out->begin % 4 != 0)
        return qn_fail(err, QN_E_UNSUPPORTED, "a snapshot of %u bytes on the GPU", out->part);
    return QN_OK;
}

enum qn_status qn_gpu_session_save(struct qn_backend *backend, struct qn_backend_session *session,
                                   void *out, uint32_t tensor, uint32_t pos, uint32_t n,
                                   bool *ready, struct qn_error *err) {
    struct qn_gpu *gpu = of(backend);
    struct qn_gpu_transfer *x = &session->transfer;
    struct region r;
    QN_TRY(find_region(&r, gpu, session, tensor, pos, n, err));
    if (x->out == NULL) {
        if (gpu->next_tag > UINT32_MAX - r.heads)
            gpu->next_tag = 0; // tags in a row
        *x = (struct qn_gpu_transfer){out, r.part, gpu->next_tag + 1, r.heads, r.heads};
        gpu->next_tag += r.heads;
        for (uint32_t i = 0; i < r.heads; i++)
            qn_tape_append(
                &gpu->tape,
                (uint32_t[]){QN_TAPE_READ, x->tag + i, r.buffer, r.begin + i * r.stride, r.part},
                5);
        qn_tape_word(&gpu->tape, QN_TAPE_SUBMIT);
        enum qn_status status = qn_gpu_play(gpu, err); // may answer at once
        if (status != QN_OK) {
            x->out = NULL;
            return status;
        }
    }
    *ready = x->left == 0;
    if (*ready)
        x->out = NULL;
    return QN_OK;
}

enum qn_status qn_gpu_session_restore(struct qn_backend *backend,
                                      struct qn_backend_session *session, const void *bytes,
                                      uint32_t tensor, uint32_t pos, uint32_t n,
                                      struct qn_error *err) {
    struct qn_gpu *gpu = of(backend);
    struct region r;
    QN_TRY(find_region(&r, gpu, session, tensor, pos, n, err));
    for (uint32_t i = 0; i < r.heads; i++)
        qn_gpu_put_write(&gpu->tape, r.buffer, r.begin + i * r.stride, r.part,
                         (const char *)bytes + (size_t)i * r.part);
    QN_TRY(qn_gpu_play(gpu, err));
    session->end = pos + n;
    session->has_token = false;
    return QN_OK;
}

/* ---- Sampling ------------------------------------------------------------------------------ */

static bool penalties(const struct qn_sampling *s) {
    bool repetition = s->repetition_penalty > 0.0f && s->repetition_penalty != 1.0f;
    return repetition || s->frequency_penalty != 0.0f || s->presence_penalty != 0.0f;
}

static void sampling_params(const struct qn_gpu *gpu, struct qn_backend_session *session,
                            const struct qn_sampling *s) {
    bool draw = s->temperature > 0.0f;
    bool top_p = s->top_p > 0.0f && s->top_p < 1.0f;
    bool limited =
        draw && ((s->top_k != 0 && s->top_k < gpu->lower.sample_vocab) || top_p || s->min_p > 0.0f);
    session->sampling = (struct qn_params_sampling){
        .temperature = draw ? s->temperature : 1.0f,
        .top_k = draw ? s->top_k : 0,
        .top_p = draw && top_p ? s->top_p : 1.0f,
        .ln_min_p = draw && s->min_p > 0.0f ? (float)qn_log(s->min_p) : -1e30f,
        .repetition = s->repetition_penalty > 0.0f ? s->repetition_penalty : 1.0f,
        .frequency = s->frequency_penalty,
        .presence = s->presence_penalty,
        .key = (uint32_t)(s->seed & 0xffffffffu) ^ (uint32_t)(s->seed >> 32),
        .has_seen = penalties(s),
        .has_bias = s->n_bias != 0,
        .draw = draw + limited};
    session->sampler = limited                                        ? QN_LIST_DRAW_LIMITED
                       : draw                                         ? QN_LIST_DRAW
                       : session->sampling.has_seen || s->n_bias != 0 ? QN_LIST_PENALTY
                                                                      : QN_LIST_GREEDY;
}

void qn_gpu_put_sampling(struct qn_gpu *gpu, const struct qn_backend_session *session) {
    uint32_t buffer = qn_gpu_buffer_id(gpu, session->bank, QN_SPACE_BANK, gpu->lower.b_sampling);
    const uint32_t n = sizeof session->sampling;
    qn_gpu_put_write(&gpu->tape, buffer, session->slot * n, n, &session->sampling);
}

/* The bias as a whole vector, one write. */
static enum qn_status write_bias(struct qn_gpu *gpu, const struct qn_backend_session *session,
                                 const struct qn_sampling *s, struct qn_error *err) {
    uint32_t vocab = gpu->lower.vocab;
    size_t size = (size_t)vocab * sizeof(float);
    float *dense = qn_mem_alloc(gpu->allocator, size);
    if (dense == NULL)
        return qn_fail(err, QN_E_NO_MEMORY, "a logit bias");
    memset(dense, 0, size);
    for (uint32_t i = 0; i < s->n_bias; i++)
        dense[s->bias_ids[i]] += s->bias[i];
    uint32_t buffer = qn_gpu_buffer_id(gpu, session->bank, QN_SPACE_BANK, gpu->lower.b_bias);
    qn_gpu_put_write(&gpu->tape, buffer, session->slot * vocab * 4, vocab * 4, dense);
    enum qn_status status = qn_gpu_play(gpu, err);
    qn_mem_free(gpu->allocator, dense, size);
    return status;
}

/* Clears the counts and marks the prefix, as much at once as its buffer holds. */
static enum qn_status write_seen(struct qn_gpu *gpu, const struct qn_backend_session *session,
                                 const uint32_t *prefix, size_t n, struct qn_error *err) {
    const struct qn_lower *l = &gpu->lower;
    struct qn_tape *tape = &gpu->tape;
    uint32_t most = l->buffers[QN_SPACE_SHARED][l->b_prefix].bytes / 4;
    uint32_t mark = l->lists[QN_LIST_SEEN].begin;
    for (size_t at = 0; at == 0 || at < n;) {
        struct qn_params_seen_mark params = {n - at < most ? (uint32_t)(n - at) : most, l->vocab,
                                             session->slot * l->vocab};
        if (params.n != 0) {
            qn_gpu_put_write(tape, l->b_prefix, 0, params.n * 4, prefix + at);
            qn_gpu_put_write(tape, l->b_prefix_n, 0, sizeof params, &params);
        }
        if (at == 0) {
            qn_tape_word(tape, QN_TAPE_CLEAR);
            qn_tape_word(tape, qn_gpu_buffer_id(gpu, session->bank, QN_SPACE_BANK, l->b_seen));
            qn_tape_word(tape, session->slot * l->vocab * 4);
            qn_tape_word(tape, l->vocab * 4);
        }
        if (params.n != 0) {
            struct qn_grid grid = qn_lower_grid(l, &l->dispatches[mark], params.n, 1, 0);
            qn_tape_append(tape,
                           (uint32_t[]){QN_TAPE_BEGIN_PASS, QN_TAPE_SET_PIPELINE,
                                        l->dispatches[mark].pipeline, QN_TAPE_SET_GROUP,
                                        qn_gpu_group_id(gpu, session->bank, mark), QN_TAPE_DISPATCH,
                                        grid.x, grid.y, grid.z, QN_TAPE_END_PASS},
                           10);
        }
        qn_tape_word(tape, QN_TAPE_SUBMIT);
        QN_TRY(qn_gpu_play(gpu, err));
        at += params.n;
        if (params.n == 0)
            break;
    }
    return QN_OK;
}

enum qn_status qn_gpu_session_begin(struct qn_backend *backend, struct qn_backend_session *session,
                                    const struct qn_sampling *sampling, const uint32_t *prefix,
                                    size_t n, struct qn_error *err) {
    struct qn_gpu *gpu = of(backend);
    QN_TRY(qn_gpu_check(gpu, err));
    if (session->n_pending != 0)
        return qn_fail(err, QN_E_STATE, "a step's result was neither polled nor dropped");
    for (size_t i = 0; i < n; i++)
        if (prefix[i] >= gpu->id_limit)
            return qn_fail(err, QN_E_ARGUMENT, "token id %u of %u", prefix[i], gpu->id_limit);
    for (uint32_t i = 0; i < sampling->n_bias; i++)
        if (sampling->bias_ids[i] >= gpu->lower.vocab)
            return qn_fail(err, QN_E_ARGUMENT, "bias of id %u of %u", sampling->bias_ids[i],
                           gpu->lower.vocab);
    QN_TRY(qn_gpu_bank_groups(gpu, session->bank, err));
    sampling_params(gpu, session, sampling);
    qn_gpu_put_sampling(gpu, session);
    QN_TRY(qn_gpu_play(gpu, err));
    if (session->sampling.has_bias)
        QN_TRY(write_bias(gpu, session, sampling, err));
    if (session->sampling.has_seen)
        QN_TRY(write_seen(gpu, session, prefix, n, err));
    return QN_OK;
}

/* ---- Results ------------------------------------------------------------------------------- */

/* The ids of each block of rows begin at block_stride bytes. */
static void take_argmax(const struct qn_lower *l, struct qn_gpu_pending *p,
                        const unsigned char *bytes) {
    for (uint32_t at = 0, block = 0; at < p->n; at += l->block_rows, block++) {
        uint32_t rows = qn_min_u32(l->block_rows, p->n - at);
        memcpy(p->argmax + at, bytes + (size_t)block * l->block_stride, (size_t)rows * 4);
    }
}

uint32_t qn_gpu_argmax_bytes(const struct qn_lower *l, uint32_t rows) {
    uint32_t last = (rows - 1) / l->block_rows;
    return last * l->block_stride + (rows - last * l->block_rows) * 4;
}

static enum qn_status take(struct qn_gpu *gpu, struct qn_gpu_pending *p, uint32_t tag,
                           const void *bytes, size_t n) {
    const struct qn_lower *l = &gpu->lower;
    size_t want = tag == p->tag_token    ? (size_t)p->rows * 4
                  : tag == p->tag_logits ? (size_t)l->vocab * 4
                                         : qn_gpu_argmax_bytes(l, p->n);
    if (n != want || bytes == NULL) {
        qn_gpu_set_failed(gpu, QN_GPU_FAILED, QN_E_INTERNAL, QN_STR("a read-back of another size"));
        return QN_E_INTERNAL;
    }
    if (tag == p->tag_token) {
        memcpy(&p->token, (const unsigned char *)bytes + (size_t)p->row * 4, 4);
        p->tag_token = 0;
    } else if (tag == p->tag_logits) {
        memcpy(p->logits, bytes, n);
        p->tag_logits = 0;
    } else {
        take_argmax(l, p, bytes);
        p->tag_argmax = 0;
    }
    return QN_OK;
}

/* Steps of a prompt should keep the device for about a tenth of a second at most, so that a page
 * can draw between them, and be as long as that allows: long steps use the machine better, so that
 * twice the tokens take less than twice the time. Much shorter steps than advised tell little of
 * those. */
#define STEP_MICROS 100000u
#define STEP_LEAST 64u

static void adapt(struct qn_gpu *gpu, uint32_t tokens, uint32_t micros) {
    uint32_t chunk = gpu->base.chunk, most = gpu->lower.program->max_tokens;
    if (tokens < STEP_LEAST || tokens < chunk / 2 || micros == 0)
        return;
    uint64_t took = (uint64_t)micros * chunk / tokens;
    if (took > STEP_MICROS && chunk >= 2 * STEP_LEAST)
        gpu->base.chunk = chunk / 2;
    else if (took / 2 * 3 <= STEP_MICROS)
        gpu->base.chunk = qn_min_u32(2 * chunk, most);
}

enum qn_status qn_gpu_session_read(struct qn_gpu *gpu, uint32_t tag, uint32_t micros,
                                   const void *bytes, size_t n) {
    if (tag == 0)
        return QN_OK;
    for (struct qn_backend_session *s = gpu->sessions; s; s = s->next) {
        struct qn_gpu_transfer *x = &s->transfer;
        if (x->out != NULL && tag - x->tag < x->n && x->left > 0) {
            if (n != x->part || bytes == NULL)
                return QN_E_INTERNAL;
            memcpy(x->out + (tag - x->tag) * x->part, bytes, n);
            x->left--;
            return QN_OK;
        }
        for (uint32_t i = 0; i < s->n_pending; i++) {
            struct qn_gpu_pending *p = &s->pending[(s->first + i) % QN_GPU_IN_FLIGHT];
            if (tag != p->tag_token && tag != p->tag_logits && tag != p->tag_argmax)
                continue;
            if (tag == p->tag_token) // it comes first
                adapt(gpu, p->n, micros);
            QN_TRY(take(gpu, p, tag, bytes, n)); // a batch's tokens are read together
        }
    }
    return QN_OK;
}

enum qn_status qn_gpu_session_poll(struct qn_backend *backend, struct qn_backend_session *session,
                                   struct qn_step_result *out, bool *ready, struct qn_error *err) {
    struct qn_gpu *gpu = of(backend);
    *ready = false;
    if (session->n_pending == 0) {
        QN_TRY(qn_gpu_check(gpu, err));
        return qn_fail(err, QN_E_STATE, "no step with a result is outstanding");
    }
    struct qn_gpu_pending *p = &session->pending[session->first];
    if (p->tag_token != 0 || p->tag_logits != 0 || p->tag_argmax != 0)
        return qn_gpu_check(gpu, err); // what had arrived before a failure is still handed out
    *out = (struct qn_step_result){.sampled = p->sampled,
                                   .token = p->token,
                                   .logits = p->wants_logits ? p->logits : NULL,
                                   .argmax = p->wants_argmax ? p->argmax : NULL,
                                   .n = p->wants_argmax ? p->n : 0};
    *ready = true;
    session->first = (session->first + 1) % QN_GPU_IN_FLIGHT;
    session->n_pending--;
    return QN_OK;
}

void qn_gpu_session_drop(struct qn_backend *backend, struct qn_backend_session *session) {
    (void)backend;
    session->n_pending = 0; // their tags are known to nobody now
    session->transfer.out = NULL;
}
