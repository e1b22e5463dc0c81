#include "cpu/cpu.h"

#include "base/num.h"
#include "cpu/exec.h"
#include "program/sample.h"

#define HEAD_ROWS 8
#define SLACK 64 // bytes behind a weight's planes that kernels may read

struct cpu_backend {
    struct qn_backend base;
    const struct qn_allocator *allocator;
    struct qn_pool *pool;
    qn_cpu_op *const *ops;
    struct qn_cpu_weight *weights; // [n_weights]
    float **places;                // [n_tensors] activations of the step under way, in:
    unsigned char *arena;          // those over T, at the plan's offsets
    unsigned char *head;           // those over R, a block of rows
    float *scratch;
    size_t weights_size, places_size, arena_size, head_size, scratch_size;
    uint32_t head_op;   // the first op over R
    uint64_t bytes;     // held
    uint32_t head_rows; // rows that go through the head at a time
    uint32_t id_limit;  // ids from here on have no embedding
    uint32_t vocab;     // logits per row
    uint32_t sampled;   // ids from here on are never sampled
    bool finished;
};

struct qn_backend_session {
    void **states; // [n_tensors]
    unsigned char *cache;
    uint32_t *seen;   // [vocab], see qn_sample
    float *logits;    // [vocab] of the outstanding result
    float *sorting;   // [vocab] scratch of the sampler
    uint32_t *argmax; // [max_rows] of the outstanding result
    size_t states_size, cache_size, vocab_size, argmax_size;
    struct qn_sampling sampling; // bias points to the two arrays below
    uint32_t *bias_ids;
    float *bias;
    size_t bias_size; // bytes of each
    uint32_t end;     // positions of the cache that were written
    bool has_token;
    uint32_t token; // sampled last
    bool pending;
    struct qn_step_result result;
};

static struct cpu_backend *of(struct qn_backend *backend) {
    return (struct cpu_backend *)(void *)backend;
}

static void *take(struct cpu_backend *b, size_t size) {
    void *p = qn_mem_alloc(b->allocator, size);
    if (p != NULL)
        b->bytes += size;
    return p;
}

static void give(struct cpu_backend *b, void *p, size_t size) {
    if (p == NULL)
        return;
    qn_mem_free(b->allocator, p, size);
    b->bytes -= size;
}

/* ---- Life ----------------------------------------------------------------------------------- */

static void destroy(struct qn_backend *backend) {
    if (backend == NULL)
        return;
    struct cpu_backend *b = of(backend);
    qn_pool_destroy(b->pool);
    for (uint32_t i = 0; b->weights != NULL && i < b->base.program->n_weights; i++) {
        give(b, b->weights[i].values, b->weights[i].n_values + SLACK);
        give(b, b->weights[i].scales, b->weights[i].n_scales + SLACK);
    }
    give(b, b->weights, b->weights_size);
    give(b, b->places, b->places_size);
    give(b, b->arena, b->arena_size);
    give(b, b->head, b->head_size);
    give(b, b->scratch, b->scratch_size);
    qn_mem_free(b->allocator, b, sizeof *b);
}

static enum qn_status weight_create(struct cpu_backend *b, uint32_t index, struct qn_error *err) {
    const struct qn_weight *from = &b->base.program->weights[index];
    struct qn_cpu_weight *w = &b->weights[index];
    w->format = from->format;
    w->block = qn_wformat_block(&w->format);
    w->rows = from->rows;
    w->cols = from->cols;
    w->value_row = qn_wformat_row(&w->format, w->cols, QN_PLANE_VALUES);
    w->scale_row = qn_wformat_row(&w->format, w->cols, QN_PLANE_SCALES);
    if (!qn_mul_size(&w->n_values, w->value_row, w->rows) || w->n_values > SIZE_MAX - SLACK ||
        !qn_mul_size(&w->n_scales, w->scale_row, w->rows) || w->n_scales > SIZE_MAX - SLACK)
        return qn_fail(err, QN_E_NO_MEMORY, "weight %.*s", QN_STR_ARG(from->name));
    w->values = take(b, w->n_values + SLACK);
    if (w->values == NULL)
        return qn_fail(err, QN_E_NO_MEMORY, "weight %.*s, %zu bytes", QN_STR_ARG(from->name),
                       w->n_values);
    if (w->n_scales != 0) {
        w->scales = take(b, w->n_scales + SLACK);
        if (w->scales == NULL)
            return qn_fail(err, QN_E_NO_MEMORY, "scales of %.*s", QN_STR_ARG(from->name));
        memset(w->scales, 0, w->n_scales + SLACK);
    }
    memset(w->values, 0, w->n_values + SLACK);
    if (from->computed != NULL)
        memcpy(w->values, from->computed, w->cols * sizeof *from->computed);
    return QN_OK;
}

/* Whether a tensor's rows are those that go through the head. */
static bool is_head(const struct qn_program_tensor *tensor) {
    return tensor->n_dims != 0 && tensor->dims[0].sym == QN_SYM_R;
}

/* Facts about the program that the steps need, checked once. */
static enum qn_status study(struct cpu_backend *b, const struct qn_program *p,
                            struct qn_error *err) {
    if (p->logits >= p->n_tensors || p->tensors[p->logits].n_dims != 2 || p->max_rows == 0)
        return qn_fail(err, QN_E_INTERNAL, "a program without logits [R, vocab]");
    b->vocab = p->tensors[p->logits].dims[1].n;
    b->head_rows = qn_min_u32(p->max_rows, HEAD_ROWS);
    b->sampled = p->sample_vocab != 0 ? qn_min_u32(p->sample_vocab, b->vocab) : b->vocab;
    b->id_limit = UINT32_MAX;
    b->head_op = p->n_ops;
    for (uint32_t i = 0; i < p->n_ops; i++) {
        const struct qn_program_op *op = &p->ops[i];
        if (op->kind == QN_OP_EMBED && op->u.embed.by == QN_EMBED_BY_ID)
            b->id_limit =
                qn_min_u32(b->id_limit, p->weights[p->tensors[op->in[1].tensor].weight].rows);
        bool head = is_head(&p->tensors[op->out]);
        if (head && b->head_op == p->n_ops)
            b->head_op = i;
        // Steps that want no logits leave out the head, so nothing else may follow from it.
        if (!head && b->head_op != p->n_ops)
            return qn_fail(err, QN_E_INTERNAL, "op %u follows the head", i);
        size_t need = qn_cpu_scratch(p, op);
        b->scratch_size = need > b->scratch_size ? need : b->scratch_size;
    }
    return QN_OK;
}

#define ALIGN 64

/* Sizes of the two places for activations. The plan gives those over R room for max_rows, which is
 * a lot of logits; here they have their own place and go through in blocks of HEAD_ROWS. */
static enum qn_status sizes(struct cpu_backend *b, const struct qn_program *p,
                            struct qn_error *err) {
    uint64_t arena = 0, head = 0;
    for (uint32_t i = 0; i < p->n_tensors; i++) {
        const struct qn_program_tensor *t = &p->tensors[i];
        uint64_t end;
        if (t->kind != QN_TENSOR_ACTIVATION)
            continue;
        if (is_head(t)) {
            if (!qn_align_up_u64(&end, t->nbytes / p->max_rows * b->head_rows, ALIGN) ||
                !qn_add_u64(&head, head, end))
                return qn_fail(err, QN_E_NO_MEMORY, "%u rows of logits", b->head_rows);
        } else {
            if (!qn_add_u64(&end, t->offset, t->nbytes))
                return qn_fail(err, QN_E_NO_MEMORY, "the activations");
            arena = end > arena ? end : arena;
        }
    }
    if (!qn_u64_to_size(&b->arena_size, arena) || !qn_u64_to_size(&b->head_size, head) ||
        !qn_mul_size(&b->places_size, p->n_tensors, sizeof *b->places))
        return qn_fail(err, QN_E_NO_MEMORY, "%llu bytes of activations", (unsigned long long)arena);
    return QN_OK;
}

static void place(struct cpu_backend *b, const struct qn_program *p) {
    size_t at = 0;
    for (uint32_t i = 0; i < p->n_tensors; i++) {
        const struct qn_program_tensor *t = &p->tensors[i];
        b->places[i] = NULL;
        if (t->kind != QN_TENSOR_ACTIVATION)
            continue;
        if (is_head(t)) {
            b->places[i] = (float *)(void *)(b->head + at);
            size_t size = (size_t)(t->nbytes / p->max_rows) * b->head_rows;
            at += (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
        } else {
            b->places[i] = (float *)(void *)(b->arena + (size_t)t->offset);
        }
    }
}

static const struct qn_backend_ops backend_ops;

static enum qn_status create(struct cpu_backend *b, const struct qn_program *program,
                             uint32_t threads, struct qn_error *err) {
    b->ops = qn_cpu_best_ops();
    b->base.ops = &backend_ops;
    b->base.program = program;
    b->base.max_in_flight = 1;
    b->base.max_batch = b->base.max_exact = qn_min_u32(program->max_tokens, QN_CPU_BATCH);
    b->base.exact_cost = 0.6f; // 0.5 to 0.7, see docs/speed.md
    QN_TRY(study(b, program, err));
    if (threads > 1)
        QN_TRY(qn_pool_create(&b->pool, b->allocator, threads, err));
    if (qn_mul_size(&b->weights_size, program->n_weights, sizeof *b->weights))
        b->weights = take(b, b->weights_size);
    if (b->weights == NULL)
        return qn_fail(err, QN_E_NO_MEMORY, "a list of %u weights", program->n_weights);
    memset(b->weights, 0, b->weights_size);
    QN_TRY(sizes(b, program, err));
    b->places = take(b, b->places_size);
    b->arena = take(b, b->arena_size);
    b->head = take(b, b->head_size);
    b->scratch = take(b, b->scratch_size);
    if (b->places == NULL || b->arena == NULL || b->head == NULL || b->scratch == NULL)
        return qn_fail(err, QN_E_NO_MEMORY, "activations of %u tokens, %zu bytes",
                       program->max_tokens, b->arena_size);
    place(b, program);
    for (uint32_t i = 0; i < program->n_weights; i++)
        QN_TRY(weight_create(b, i, err));
    return QN_OK;
}

enum qn_status qn_cpu_backend_create(struct qn_backend **out, const struct qn_allocator *allocator,
                                     const struct qn_program *program, uint32_t threads,
                                     struct qn_error *err) {
    *out = NULL;
    struct cpu_backend *b = qn_mem_alloc(allocator, sizeof *b);
    if (b == NULL)
        return qn_fail(err, QN_E_NO_MEMORY, "the CPU backend");
    *b = (struct cpu_backend){.allocator = allocator};
    enum qn_status status = create(b, program, threads, err);
    if (status != QN_OK) {
        destroy(&b->base);
        return status;
    }
    *out = &b->base;
    return QN_OK;
}

void qn_cpu_backend_use(struct qn_backend *backend, qn_cpu_op *const *ops) {
    of(backend)->ops = ops;
}

/* ---- Weights -------------------------------------------------------------------------------- */

static enum qn_status backend_write(struct qn_backend *backend, uint32_t weight,
                                    enum qn_plane plane, uint64_t offset, const void *bytes,
                                    size_t n, struct qn_error *err) {
    struct cpu_backend *b = of(backend);
    if (weight >= b->base.program->n_weights)
        return qn_fail(err, QN_E_ARGUMENT, "there is no weight %u", weight);
    struct qn_cpu_weight *w = &b->weights[weight];
    unsigned char *to = plane == QN_PLANE_VALUES ? w->values : w->scales;
    size_t size = plane == QN_PLANE_VALUES ? w->n_values : w->n_scales;
    if (offset > size || n > size - offset)
        return qn_fail(err, QN_E_ARGUMENT, "bytes %llu + %zu of weight %u, which has %zu",
                       (unsigned long long)offset, n, weight, size);
    if (n != 0)
        memcpy(to + (size_t)offset, bytes, n);
    return QN_OK;
}

static enum qn_status finish(struct qn_backend *backend, struct qn_error *err) {
    (void)err;
    of(backend)->finished = true;
    return QN_OK;
}

static bool ready(const struct qn_backend *backend) {
    return ((const struct cpu_backend *)(const void *)backend)->finished;
}

static enum qn_status event(struct qn_backend *backend, const struct qn_gpu_event *gpu_event,
                            struct qn_error *err) {
    (void)backend;
    (void)err;
    (void)gpu_event;
    return QN_OK;
}

static uint64_t memory(const struct qn_backend *backend) {
    return ((const struct cpu_backend *)(const void *)backend)->bytes;
}

/* ---- Sessions ------------------------------------------------------------------------------- */

static void session_destroy(struct qn_backend *backend, struct qn_backend_session *s) {
    if (s == NULL)
        return;
    struct cpu_backend *b = of(backend);
    give(b, s->states, s->states_size);
    give(b, s->cache, s->cache_size);
    give(b, s->seen, s->vocab_size);
    give(b, s->logits, s->vocab_size);
    give(b, s->sorting, s->vocab_size);
    give(b, s->argmax, s->argmax_size);
    give(b, s->bias_ids, s->bias_size);
    give(b, s->bias, s->bias_size);
    give(b, s, sizeof *s);
}

/* Room of all states, each aligned. The cache is not cleared: positions are written before read. */
static bool cache_size(size_t *out, const struct qn_program *p) {
    uint64_t total = 0;
    for (uint32_t i = 0; i < p->n_tensors; i++) {
        uint64_t size;
        if (p->tensors[i].kind != QN_TENSOR_STATE)
            continue;
        if (!qn_align_up_u64(&size, p->tensors[i].nbytes, ALIGN) ||
            !qn_add_u64(&total, total, size))
            return false;
    }
    return qn_u64_to_size(out, total);
}

static enum qn_status session_fill(struct cpu_backend *b, struct qn_backend_session *s,
                                   struct qn_error *err) {
    const struct qn_program *p = b->base.program;
    if (!qn_mul_size(&s->states_size, p->n_tensors, sizeof *s->states) ||
        !qn_mul_size(&s->vocab_size, b->vocab, sizeof(float)) ||
        !qn_mul_size(&s->argmax_size, p->max_rows, sizeof(uint32_t)) ||
        !cache_size(&s->cache_size, p))
        return qn_fail(err, QN_E_NO_MEMORY, "a session of %u tokens", p->context);
    s->states = take(b, s->states_size);
    s->cache = take(b, s->cache_size);
    s->seen = take(b, s->vocab_size);
    s->logits = take(b, s->vocab_size);
    s->sorting = take(b, s->vocab_size);
    s->argmax = take(b, s->argmax_size);
    if (s->states == NULL || s->cache == NULL || s->seen == NULL || s->logits == NULL ||
        s->sorting == NULL || s->argmax == NULL)
        return qn_fail(err, QN_E_NO_MEMORY, "a session of %u tokens, %zu bytes", p->context,
                       s->cache_size);
    memset(s->seen, 0, s->vocab_size);
    size_t at = 0;
    for (uint32_t i = 0; i < p->n_tensors; i++) {
        s->states[i] = NULL;
        if (p->tensors[i].kind != QN_TENSOR_STATE)
            continue;
        s->states[i] = s->cache + at;
        at += ((size_t)p->tensors[i].nbytes + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    }
    return QN_OK;
}

static enum qn_status session_create(struct qn_backend *backend, struct qn_backend_session **out,
                                     struct qn_error *err) {
    struct cpu_backend *b = of(backend);
    *out = NULL;
    struct qn_backend_session *s = take(b, sizeof *s);
    if (s == NULL)
        return qn_fail(err, QN_E_NO_MEMORY, "a session");
    *s = (struct qn_backend_session){0};
    enum qn_status status = session_fill(b, s, err);
    if (status != QN_OK) {
        session_destroy(backend, s);
        return status;
    }
    *out = s;
    return QN_OK;
}

/* Room for n biases; what was there may be lost. */
static enum qn_status bias_room(struct cpu_backend *b, struct qn_backend_session *s, uint32_t n,
                                struct qn_error *err) {
    size_t size;
    if (!qn_mul_size(&size, n, sizeof(float)))
        return qn_fail(err, QN_E_NO_MEMORY, "%u logit biases", n);
    if (size <= s->bias_size)
        return QN_OK;
    give(b, s->bias_ids, s->bias_size);
    give(b, s->bias, s->bias_size);
    s->bias_ids = take(b, size);
    s->bias = take(b, size);
    s->bias_size = size;
    if (s->bias_ids != NULL && s->bias != NULL)
        return QN_OK;
    give(b, s->bias_ids, size);
    give(b, s->bias, size);
    s->bias_ids = NULL;
    s->bias = NULL;
    s->bias_size = 0; // so that the next generation asks again
    return qn_fail(err, QN_E_NO_MEMORY, "%u logit biases", n);
}

static enum qn_status session_begin(struct qn_backend *backend, struct qn_backend_session *s,
                                    const struct qn_sampling *sampling, const uint32_t *prefix,
                                    size_t n, struct qn_error *err) {
    struct cpu_backend *b = of(backend);
    if (s->pending)
        return qn_fail(err, QN_E_STATE, "the last step's result was neither polled nor dropped");
    for (size_t i = 0; i < n; i++) {
        if (prefix[i] >= b->id_limit)
            return qn_fail(err, QN_E_ARGUMENT, "token id %u of %u", prefix[i], b->id_limit);
    }
    for (uint32_t i = 0; i < sampling->n_bias; i++) {
        if (sampling->bias_ids[i] >= b->vocab)
            return qn_fail(err, QN_E_ARGUMENT, "bias of id %u of %u", sampling->bias_ids[i],
                           b->vocab);
    }
    s->sampling.n_bias = 0; // the old arrays may go, even where the new ones cannot be had
    QN_TRY(bias_room(b, s, sampling->n_bias, err));
    s->sampling = *sampling;
    s->sampling.bias_ids = s->bias_ids;
    s->sampling.bias = s->bias;
    if (sampling->n_bias != 0) {
        memcpy(s->bias_ids, sampling->bias_ids, sampling->n_bias * sizeof *s->bias_ids);
        memcpy(s->bias, sampling->bias, sampling->n_bias * sizeof *s->bias);
    }
    memset(s->seen, 0, s->vocab_size);
    for (size_t i = 0; i < n; i++) {
        if (prefix[i] < b->vocab)
            s->seen[prefix[i]] = 0x80000000u;
    }
    return QN_OK;
}

/* ---- Steps ---------------------------------------------------------------------------------- */

static uint32_t arg_max(const float *row, uint32_t n) {
    uint32_t best = 0;
    for (uint32_t i = 1; i < n; i++) {
        bool number = row[best] == row[best]; // NaN counts as −infinity
        if (row[i] > row[best] || (!number && row[i] > -__builtin_inff()))
            best = i;
    }
    return best;
}

static enum qn_status check_step(const struct cpu_backend *b, const struct qn_backend_session *s,
                                 const struct qn_step *step, struct qn_error *err) {
    const struct qn_program *p = b->base.program;
    uint32_t t = qn_max_u32(step->n, 1);
    if (s->pending && (step->sample || step->want != 0))
        return qn_fail(err, QN_E_STATE, "the last step's result was neither polled nor dropped");
    if (step->n == 0 && !s->has_token)
        return qn_fail(err, QN_E_STATE, "no token was sampled yet");
    if (step->mask != NULL && !qn_mask_any(step->mask, b->sampled))
        return qn_fail(err, QN_E_ARGUMENT, "a mask that allows no id");
    if (t > p->max_tokens)
        return qn_fail(err, QN_E_LIMIT, "%u tokens in a step of at most %u", t, p->max_tokens);
    if (step->exact && t > b->base.max_exact)
        return qn_fail(err, QN_E_LIMIT, "%u tokens in an exact step", t);
    if ((step->want & QN_WANT_ARGMAX_ALL) != 0 && t > p->max_rows)
        return qn_fail(err, QN_E_LIMIT, "%u rows wanted of at most %u", t, p->max_rows);
    if (step->pos > p->context || t > p->context - step->pos)
        return qn_fail(err, QN_E_CONTEXT, "positions %u + %u of %u", step->pos, t, p->context);
    if (step->pos > s->end)
        return qn_fail(err, QN_E_ARGUMENT, "position %u leaves a gap after %u", step->pos, s->end);
    for (uint32_t i = 0; i < step->n; i++) {
        if (step->ids[i] >= b->id_limit)
            return qn_fail(err, QN_E_ARGUMENT, "token id %u of %u", step->ids[i], b->id_limit);
    }
    if (step->n == 0 && s->token >= b->id_limit)
        return qn_fail(err, QN_E_ARGUMENT, "token id %u of %u", s->token, b->id_limit);
    return QN_OK;
}

static void execute(struct cpu_backend *b, const struct qn_cpu_step *exec, uint32_t begin,
                    uint32_t end) {
    for (uint32_t i = begin; i < end; i++) {
        const struct qn_program_op *op = &b->base.program->ops[i];
        b->ops[op->kind](exec, op);
    }
}

/* What the row of a step's last token gives. The logits are overwritten. */
static void take_row(const struct cpu_backend *b, const struct qn_step *step, float *logits) {
    struct qn_backend_session *s = step->session;
    s->pending = true;
    s->result.sampled = step->sample;
    if ((step->want & QN_WANT_LOGITS) != 0) {
        memcpy(s->logits, logits, s->vocab_size);
        s->result.logits = s->logits;
    }
    if (!step->sample)
        return;
    s->token = qn_sample(logits, s->sorting, b->sampled, &s->sampling, s->seen, step->mask, s->end);
    s->has_token = true;
    s->result.token = s->token;
    if ((s->seen[s->token] & 0x7fffffffu) != 0x7fffffffu)
        s->seen[s->token]++;
}

/* The head, in blocks of rows. The last of them are the steps'; every row may give its arg-max. */
static void execute_head(struct cpu_backend *b, struct qn_cpu_step *exec, uint32_t rows,
                         uint32_t *argmax, const struct qn_step *steps, uint32_t n_steps) {
    const struct qn_program *p = b->base.program;
    for (uint32_t begin = 0; begin < rows; begin += b->head_rows) {
        exec->r = qn_min_u32(b->head_rows, rows - begin);
        exec->r_begin = exec->t - rows + begin;
        execute(b, exec, b->head_op, p->n_ops);
        for (uint32_t i = begin; i < begin + exec->r; i++) {
            float *logits = b->places[p->logits] + (size_t)(i - begin) * b->vocab;
            if (argmax != NULL)
                argmax[i] = arg_max(logits, b->sampled);
            if (i + n_steps >= rows)
                take_row(b, &steps[i + n_steps - rows], logits);
        }
    }
}

static enum qn_status check_steps(const struct cpu_backend *b, const struct qn_step *steps,
                                  uint32_t n, struct qn_error *err) {
    if (!b->finished)
        return qn_fail(err, QN_E_STATE, "the weights are not complete");
    if (n == 0 || n > b->base.max_batch)
        return qn_fail(err, QN_E_LIMIT, "%u steps at once", n);
    for (uint32_t i = 0; i < n; i++) {
        QN_TRY(check_step(b, steps[i].session, &steps[i], err));
        bool shares = !steps[i].sample || steps[i].n > 1 || steps[i].want != 0;
        for (uint32_t j = 0; j < i; j++)
            shares |= steps[j].session == steps[i].session;
        if (n > 1 && shares)
            return qn_fail(err, QN_E_ARGUMENT, "step %u cannot share", i);
    }
    return QN_OK;
}

static enum qn_status session_enqueue(struct qn_backend *backend, const struct qn_step *steps,
                                      uint32_t n_steps, struct qn_error *err) {
    struct cpu_backend *b = of(backend);
    QN_TRY(check_steps(b, steps, n_steps, err));
    bool all = (steps->want & QN_WANT_ARGMAX_ALL) != 0;
    uint32_t ids[QN_CPU_BATCH];
    struct qn_cpu_lane lanes[QN_CPU_BATCH];
    for (uint32_t i = 0; i < n_steps; i++) {
        struct qn_backend_session *s = steps[i].session;
        ids[i] = steps[i].n == 0 ? s->token : steps[i].ids[0];
        lanes[i] = (struct qn_cpu_lane){s->states, steps[i].pos, steps[i].rope_set};
    }
    struct qn_cpu_step exec = {
        .program = b->base.program,
        .weights = b->weights,
        .pool = b->pool,
        .places = b->places,
        .lane = lanes[0],
        .lanes = n_steps > 1 ? lanes : NULL,
        .single = n_steps > 1 || steps->exact,
        .pooling = steps->pooling,
        .scratch = b->scratch,
        .ids = steps->n > 1 ? steps->ids : ids,
        .t = n_steps > 1 ? n_steps : qn_max_u32(steps->n, 1),
    };
    execute(b, &exec, 0, b->head_op);
    for (uint32_t i = 0; i < n_steps; i++) {
        struct qn_backend_session *s = steps[i].session;
        s->end = steps[i].pos + qn_max_u32(steps[i].n, 1);
    }
    if (!steps->sample && steps->want == 0) // it stands alone
        return QN_OK;
    uint32_t rows = all ? exec.t : n_steps, *argmax = all ? steps->session->argmax : NULL;
    for (uint32_t i = 0; i < n_steps; i++)
        steps[i].session->result = (struct qn_step_result){.argmax = argmax, .n = rows};
    execute_head(b, &exec, rows, argmax, steps, n_steps);
    return QN_OK;
}

static enum qn_status session_copy(struct qn_backend *backend, struct qn_backend_session *to,
                                   const struct qn_backend_session *from, uint32_t n,
                                   struct qn_error *err) {
    const struct qn_program *p = backend->program;
    if (n > from->end || to->pending)
        return qn_fail(err, QN_E_ARGUMENT, "%u positions of %u to copy", n, from->end);
    for (uint32_t i = 0; i < p->n_tensors; i++) {
        const struct qn_program_tensor *t = &p->tensors[i]; // [n_kv_heads, context, head_dim]
        if (t->kind != QN_TENSOR_STATE)
            continue;
        size_t head = (size_t)t->nbytes / t->dims[0].n, part = head / p->context * n;
        for (uint32_t j = 0; j < t->dims[0].n; j++)
            memcpy((char *)to->states[i] + j * head, (const char *)from->states[i] + j * head,
                   part);
    }
    to->end = n;
    to->has_token = false;
    return QN_OK;
}

/* Positions of a state between its place and packed bytes. */
static void transfer(const struct qn_program *p, struct qn_backend_session *s, char *out,
                     const char *in, uint32_t tensor, uint32_t pos, uint32_t n) {
    const struct qn_program_tensor *t = &p->tensors[tensor]; // [n_kv_heads, context, head_dim]
    size_t head = (size_t)t->nbytes / t->dims[0].n, one = head / p->context;
    for (uint32_t i = 0; i < t->dims[0].n; i++) {
        char *place = (char *)s->states[tensor] + i * head + pos * one;
        size_t at = i * (n * one);
        if (out != NULL)
            memcpy(out + at, place, n * one);
        else
            memcpy(place, in + at, n * one);
    }
}

static enum qn_status session_save(struct qn_backend *backend, struct qn_backend_session *s,
                                   void *out, uint32_t tensor, uint32_t pos, uint32_t n,
                                   bool *is_ready, struct qn_error *err) {
    if (pos > s->end || n > s->end - pos)
        return qn_fail(err, QN_E_ARGUMENT, "positions %u + %u of %u", pos, n, s->end);
    transfer(backend->program, s, out, NULL, tensor, pos, n);
    *is_ready = true;
    return QN_OK;
}

static enum qn_status session_restore(struct qn_backend *backend, struct qn_backend_session *s,
                                      const void *bytes, uint32_t tensor, uint32_t pos, uint32_t n,
                                      struct qn_error *err) {
    const struct qn_program *p = backend->program;
    if (pos > p->context || n > p->context - pos || s->pending)
        return qn_fail(err, QN_E_ARGUMENT, "positions %u + %u of %u", pos, n, p->context);
    transfer(p, s, NULL, bytes, tensor, pos, n);
    s->end = pos + n;
    s->has_token = false;
    return QN_OK;
}

static enum qn_status session_poll(struct qn_backend *backend, struct qn_backend_session *s,
                                   struct qn_step_result *out, bool *is_ready,
                                   struct qn_error *err) {
    (void)backend;
    if (!s->pending)
        return qn_fail(err, QN_E_STATE, "no step with a result is outstanding");
    *out = s->result;
    *is_ready = true;
    s->pending = false;
    return QN_OK;
}

static void session_drop(struct qn_backend *backend, struct qn_backend_session *s) {
    (void)backend;
    s->pending = false;
}

static const struct qn_backend_ops backend_ops = {
    .name = "cpu",
    .destroy = destroy,
    .write = backend_write,
    .finish = finish,
    .ready = ready,
    .event = event,
    .memory = memory,
    .session_create = session_create,
    .session_destroy = session_destroy,
    .begin = session_begin,
    .enqueue = session_enqueue,
    .copy = session_copy,
    .save = session_save,
    .restore = session_restore,
    .poll = session_poll,
    .drop = session_drop,
};

struct qn_pool *qn_cpu_backend_pool(const struct qn_backend *backend) {
    return ((const struct cpu_backend *)(const void *)backend)->pool;
}
