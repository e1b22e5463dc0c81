/* Checks a planned program from scratch. It shares the shape rules with inference, and nothing with
 * the planner: lives, places and sums are derived again, and must agree exactly. */
#include "base/num.h"
#include "program/shape.h"
#include "quant/codec.h"

static enum qn_status broken(struct qn_error *err, const char *what, uint32_t index) {
    return qn_fail(err, QN_E_INTERNAL, "program: %s (%u)", what, index);
}

/* ---- Weights --------------------------------------------------------------------------------- */

/* The same for a packed source: Q4 with pairs. */
static bool packed_fits(const struct qn_weight *w, const struct qn_weight_source *s) {
    uint64_t n = 0;
    if (s->packing == QN_PACKING_THREES) {
        bool values = s->plane == QN_PLANE_VALUES;
        n = (uint64_t)s->n_rows * (w->cols / QN_THREES_COLS);
        return qn_wformat_same(&w->format, &QN_THREES_FORMAT) && w->order && !s->transposed &&
               w->cols % QN_THREES_COLS == 0 && w->rows != 1 &&
               s->dtype == (values ? QN_DTYPE_U32 : QN_DTYPE_F16) &&
               s->nbytes == n * (values ? QN_THREES_BYTES : 2);
    }
    if (!w->format.zeros || !s->transposed || w->rows == 1 || s->n_rows % 8 != 0)
        return false;
    if (s->plane == QN_PLANE_VALUES)
        return s->packing == QN_PACKING_AWQ && s->dtype == QN_DTYPE_U32 &&
               s->nbytes == (uint64_t)s->n_rows * (w->cols / 2);
    struct qn_wformat own = qn_packed_format(s->dtype, s->group);
    if (s->group == 0 || s->group % QN_GROUP != 0 || w->cols % s->group != 0 ||
        !qn_wformat_same(&w->format, &own))
        return false;
    uint64_t scales = (uint64_t)s->n_rows * (w->cols / s->group);
    return qn_dtype_block(s->dtype) == 1 && qn_dtype_size(&n, s->dtype, scales) && n == s->nbytes &&
           s->beside_nbytes == scales / 2;
}

/* Whether a source of this dtype can fill its plane of a weight of this format, and its size. */
static bool source_fits(const struct qn_weight *w, const struct qn_weight_source *s, bool *both) {
    uint64_t groups = qn_ceil_div_u32(w->cols, QN_GROUP), n = 0;
    *both = false;
    if (s->packing != QN_PACKING_NONE)
        return packed_fits(w, s);
    bool blocks = s->dtype != QN_DTYPE_U32 && qn_dtype_block(s->dtype) != 1;
    if (s->transposed && (w->rows == 1 || blocks))
        return false;
    if (s->plane == QN_PLANE_SCALES) {
        struct qn_wformat own = {QN_W_Q4, s->dtype, w->format.zero, QN_GROUP};
        if (!qn_wformat_same(&w->format, &own))
            return false;
        return qn_mul_u64(&n, groups, s->n_rows) && qn_dtype_size(&n, s->dtype, n) &&
               n == s->nbytes;
    }
    if (w->order && !(s->dtype == QN_DTYPE_U32 && s->transposed))
        return false;
    if (s->dtype == QN_DTYPE_U32) // eight nibbles to a word, whole groups
        return w->format.type == QN_W_Q4 && qn_mul_u64(&n, groups * 16, s->n_rows) &&
               n == s->nbytes && (!s->beside_nbytes || s->beside_nbytes == groups * QN_GROUP * 4);
    struct qn_wformat matrix, vector;
    bool as_matrix =
        qn_codec_format(&matrix, s->dtype, false) && qn_wformat_same(&matrix, &w->format);
    bool as_vector = w->rows == 1 && qn_codec_format(&vector, s->dtype, true) &&
                     qn_wformat_same(&vector, &w->format);
    if (!as_matrix && !as_vector)
        return false;
    *both = w->format.scale != QN_DTYPE_NONE;
    /* A fused vector (bias of q, k and v) takes its sources' elements one after the other: n_rows
     * counts elements there. */
    uint64_t elements = (uint64_t)s->n_rows * (w->rows == 1 ? 1 : w->cols);
    return qn_dtype_size(&n, s->dtype, elements) && n == s->nbytes;
}

static enum qn_status verify_weight(const struct qn_weight *w, uint32_t at, struct qn_error *err) {
    bool quantised = w->format.type == QN_W_Q8 || w->format.type == QN_W_Q4;
    if (!qn_wformat_valid(&w->format) || !w->rows || !w->cols)
        return broken(err, "a weight has no valid format or shape", at);
    if (quantised && qn_wformat_cols(w->cols) % qn_wformat_block(&w->format).cols)
        return broken(err, "a weight's rows are no whole blocks of scales", at);
    if (!w->many && w->n_sources > QN_WEIGHT_SOURCES)
        return broken(err, "a weight has too many sources", at);
    if (w->computed) {
        if (w->n_sources || w->format.type != QN_W_F32 || w->rows != 1)
            return broken(err, "a computed weight must be one float32 row", at);
        return QN_OK;
    }
    /* Sources of a plane come in order of their rows and tile them without gap or overlap. For a
     * vector (one row) the unit is the element. */
    uint32_t units = w->rows == 1 ? w->cols : w->rows;
    uint64_t next[QN_PLANE_COUNT] = {0, 0};
    for (uint32_t i = 0; i < w->n_sources; i++) {
        const struct qn_weight_source *s = qn_weight_source_at(w, i);
        bool both;
        if ((uint32_t)s->plane >= QN_PLANE_COUNT || !source_fits(w, s, &both))
            return qn_fail(err, QN_E_INTERNAL,
                           "program: weight %u (%.*s): source %u does not fit %s", at,
                           QN_STR_ARG(w->name), i, qn_wformat_name(&w->format));
        for (uint32_t plane = 0; plane < QN_PLANE_COUNT; plane++) {
            if (plane != (uint32_t)s->plane && !both)
                continue;
            if (s->row != next[plane])
                return broken(err, "the sources of a weight leave a gap or overlap", at);
            next[plane] += s->n_rows;
        }
    }
    if (next[QN_PLANE_VALUES] != units || next[QN_PLANE_SCALES] != (quantised ? units : 0))
        return broken(err, "a weight is not covered by its sources", at);
    return QN_OK;
}

/* ---- Tensors --------------------------------------------------------------------------------- */

static enum qn_status verify_tensors(const struct qn_program *p, struct qn_error *err) {
    uint64_t state_bytes = 0;
    for (uint32_t i = 0; i < p->n_tensors; i++) {
        const struct qn_program_tensor *t = &p->tensors[i];
        if (t->n_dims < 1 || t->n_dims > QN_TENSOR_DIMS)
            return broken(err, "a tensor has no shape", i);
        for (uint32_t j = 0; j < t->n_dims; j++)
            if (!t->dims[j].n || (uint32_t)t->dims[j].sym > QN_SYM_R)
                return broken(err, "a tensor has an invalid dimension", i);
        uint64_t nbytes = 0;
        switch (t->kind) {
        case QN_TENSOR_IDS:
            if (i != p->ids)
                return broken(err, "there is more than one tensor of ids", i);
            break;
        case QN_TENSOR_WEIGHT:
            if (t->weight >= p->n_weights)
                return broken(err, "a tensor names no weight", i);
            break;
        case QN_TENSOR_ACTIVATION:
        case QN_TENSOR_STATE:
            if (!qn_shape_bytes(&nbytes, p, t))
                return broken(err, "a tensor is too large", i);
            break;
        default:
            return broken(err, "a tensor is of no known kind", i);
        }
        if (t->nbytes != nbytes)
            return broken(err, "a tensor's size is wrong", i);
        if (t->kind == QN_TENSOR_STATE && !qn_add_u64(&state_bytes, state_bytes, nbytes))
            return broken(err, "the state is too large", i);
        if (t->kind != QN_TENSOR_ACTIVATION && t->offset)
            return broken(err, "only activations have a place", i);
    }
    return state_bytes == p->state_bytes ? QN_OK : broken(err, "the state's size is wrong", 0);
}

/* Kind-specific order: attention may only read states that this step has appended to. */
static enum qn_status verify_states(const struct qn_program *p, uint32_t at, bool *appended,
                                    struct qn_error *err) {
    const struct qn_program_op *op = &p->ops[at];
    if (op->kind == QN_OP_ROPE_APPEND) {
        if (appended[op->in[3].tensor] || appended[op->in[4].tensor])
            return broken(err, "a state is appended to twice", at);
        appended[op->in[3].tensor] = appended[op->in[4].tensor] = true;
    }
    if (op->kind != QN_OP_ATTENTION)
        return QN_OK;
    if (!appended[op->in[1].tensor] || !appended[op->in[2].tensor])
        return broken(err, "attention reads a state before this step's keys are in it", at);
    if (p->whole) // the next layer's come in their place
        appended[op->in[1].tensor] = appended[op->in[2].tensor] = false;
    return QN_OK;
}

/* Walks the ops: definition before use, shapes, lives, and places that no live tensor shares. */
static enum qn_status verify_ops(const struct qn_program *p, struct qn_arena *arena,
                                 struct qn_error *err) {
    uint32_t *last = QN_ARENA_NEW(arena, uint32_t, p->n_tensors); // last op that names it
    uint32_t *first = QN_ARENA_NEW(arena, uint32_t, p->n_tensors);
    bool *made = QN_ARENA_NEW(arena, bool, p->n_tensors);
    uint32_t *live = QN_ARENA_NEW(arena, uint32_t, p->n_tensors);
    if (!last || !first || !made || !live)
        return qn_fail(err, QN_E_NO_MEMORY, "verifying a program of %u ops", p->n_ops);
    for (uint32_t i = 0; i < p->n_tensors; i++)
        first[i] = last[i] = QN_NONE;
    for (uint32_t i = 0; i < p->n_ops; i++) {
        const struct qn_program_op *op = &p->ops[i];
        if (op->out >= p->n_tensors)
            return broken(err, "an op has no result", i);
        for (uint32_t j = 0; j <= QN_OP_INPUTS; j++) {
            uint32_t tensor = j < QN_OP_INPUTS ? op->in[j].tensor : op->out;
            if (tensor >= p->n_tensors)
                continue; // absent, or refused by the shape rule below
            if (first[tensor] == QN_NONE)
                first[tensor] = i;
            last[tensor] = i;
        }
    }
    if (p->n_ops)
        last[p->logits] = p->n_ops - 1;

    uint32_t n_live = 0;
    uint64_t arena_bytes = 0;
    for (uint32_t i = 0; i < p->n_ops; i++) {
        const struct qn_program_op *op = &p->ops[i];
        struct qn_shape shape;
        QN_TRY(qn_op_result(&shape, p, i, err));
        for (uint32_t j = 0; j < QN_OP_INPUTS; j++) {
            uint32_t tensor = op->in[j].tensor;
            if (tensor != QN_NONE && p->tensors[tensor].kind == QN_TENSOR_ACTIVATION &&
                !made[tensor])
                return broken(err, "an op uses an activation that is not made yet", i);
        }
        QN_TRY(verify_states(p, i, made, err)); // `made` of a state: appended to
        const struct qn_program_tensor *out = &p->tensors[op->out];
        struct qn_shape stored = qn_shape_of(out);
        if (out->kind != QN_TENSOR_ACTIVATION || out->dtype != QN_DTYPE_F32 || made[op->out])
            return broken(err, "the result of an op is no fresh activation", i);
        if (!qn_shape_same(&shape, &stored))
            return broken(err, "the stored shape of a result is wrong", i);
        made[op->out] = true;

        uint64_t end;
        if (out->offset % QN_PLAN_ALIGN || !qn_add_u64(&end, out->offset, out->nbytes) ||
            end > p->arena_bytes)
            return broken(err, "an activation lies outside the arena", op->out);
        arena_bytes = end > arena_bytes ? end : arena_bytes;
        uint32_t kept = 0;
        for (uint32_t j = 0; j < n_live; j++) {
            if (last[live[j]] < i)
                continue;
            const struct qn_program_tensor *other = &p->tensors[live[j]];
            if (out->offset < other->offset + other->nbytes && other->offset < end)
                return broken(err, "two live activations overlap", op->out);
            live[kept++] = live[j];
        }
        live[kept++] = op->out;
        n_live = kept;
    }
    for (uint32_t i = 0; i < p->n_tensors; i++) {
        const struct qn_program_tensor *t = &p->tensors[i];
        if (t->kind == QN_TENSOR_ACTIVATION && !made[i])
            return broken(err, "an activation is never made", i);
        if (t->first_op != first[i] || t->last_op != last[i])
            return broken(err, "the stored life of a tensor is wrong", i);
    }
    return arena_bytes == p->arena_bytes ? QN_OK : broken(err, "the arena's size is wrong", 0);
}

enum qn_status qn_program_verify(const struct qn_program *p, struct qn_error *err) {
    if (!p->max_tokens || !p->max_rows || p->max_rows > p->max_tokens)
        return broken(err, "max_tokens or max_rows is not valid", p->max_tokens);
    if (!p->context || p->max_tokens > p->context)
        return broken(err, "the context is not valid", p->context);
    if (p->ids >= p->n_tensors || p->tensors[p->ids].kind != QN_TENSOR_IDS)
        return broken(err, "there are no ids", p->ids);
    for (uint32_t i = 0; i < p->n_weights; i++)
        QN_TRY(verify_weight(&p->weights[i], i, err));
    QN_TRY(verify_tensors(p, err));
    if (p->logits >= p->n_tensors || p->tensors[p->logits].kind != QN_TENSOR_ACTIVATION ||
        p->tensors[p->logits].n_dims != 2 || !qn_dim_same(p->tensors[p->logits].dims[0], QN_DIM_R))
        return broken(err, "the logits are not [R, vocab]", p->logits);
    if (p->sample_vocab > p->tensors[p->logits].dims[1].n)
        return broken(err, "more tokens are sampled than there are logits", p->sample_vocab);
    struct qn_arena scratch;
    qn_arena_init(&scratch, p->arena->allocator);
    enum qn_status status = verify_ops(p, &scratch, err);
    qn_arena_free(&scratch);
    return status;
}
