/* Reference of the kernels of attention and of rotary positions. */
#include <math.h>
#include <string.h>

#include "base/num.h"
#include "quant/kv.h"
#include "webgpu/ref_call.h"

#define MAX_HEAD 256

/* A head's row at a position of a state; the kernel's first constant says the type. */
static unsigned char *state_row(const struct qn_ref_call *c, uint32_t binding, uint32_t dim,
                                size_t head, uint32_t context, size_t position) {
    size_t one = qn_kv_row_bytes(qn_kv_dtype((uint32_t)c->constants[0]), dim);
    return (unsigned char *)c->p[binding] + (head * context + position) * one;
}

static float row_at(const struct qn_ref_call *c, const unsigned char *row, uint32_t dim,
                    uint32_t d) {
    return qn_kv_row_at(row, qn_kv_dtype((uint32_t)c->constants[0]), dim, d);
}

/* Dim d of a head, rotated for position p. The angle's product is float32, as on all backends. */
static float rotated(const struct qn_params_rope *p, const float *head, const float *freq,
                     uint32_t position, uint32_t d, bool interleaved) {
    if (d >= p->n_rot)
        return head[d];
    uint32_t half = p->n_rot / 2, i = interleaved ? d / 2 : d % half;
    bool high = interleaved ? d & 1 : d >= half;
    uint32_t other = interleaved ? d ^ 1 : high ? d - half : d + half;
    double a = (float)position * freq[i];
    double turn = high ? sin(a) : -sin(a);
    return (float)((head[d] * cos(a) + head[other] * turn) * p->magnitude);
}

/* Whether every row's position lies within the context; `end`: behind the furthest, `slots`: that
 * states must have. Rows that are appended to are of different slots. */
static enum qn_status step_rows(const struct qn_params_step *step, uint32_t context, uint32_t *end,
                                uint64_t *slots, struct qn_error *err) {
    *end = 0;
    *slots = 0;
    if (step->batch && step->n_tokens > QN_STEP_ROWS)
        return qn_fail(err, QN_E_INTERNAL, "a batch of %u rows", step->n_tokens);
    for (uint32_t t = 0; t < step->n_tokens; t++) {
        struct qn_step_row row = qn_step_row(step, t);
        if (row.pos >= context)
            return qn_fail(err, QN_E_INTERNAL, "position %u of %u", row.pos, context);
        *end = row.pos + 1 > *end ? row.pos + 1 : *end;
        *slots = row.slot + 1 > *slots ? row.slot + 1 : *slots;
    }
    return QN_OK;
}

static enum qn_status freq_holds(const struct qn_ref_call *c, uint32_t stride, uint32_t n_rot,
                                 struct qn_error *err) {
    const struct qn_params_step *step = c->p[1];
    uint32_t sets = 0;
    for (uint32_t t = 0; t < step->n_tokens; t++) {
        uint32_t set = qn_step_row(step, t).rope_set;
        sets = set > sets ? set : sets;
    }
    return qn_ref_holds(c, 5, (uint64_t)sets * stride + n_rot / 2, 4, err);
}

/* Appends a head's key and value: k and v are rows' first dims. Bindings 6 and 7 are the states. */
static void append(const struct qn_ref_call *c, const struct qn_params_rope *p, const float *k,
                   const float *v, const float *freq, size_t head, uint32_t position,
                   bool interleaved) {
    enum qn_dtype type = qn_kv_dtype((uint32_t)c->constants[0]);
    uint32_t dim = p->head_dim;
    float turned[MAX_HEAD];
    for (uint32_t d = 0; d < dim; d++)
        turned[d] = rotated(p, k, freq, position, d, interleaved);
    qn_kv_row_write(state_row(c, 6, dim, head, p->context, position), type, turned, dim);
    qn_kv_row_write(state_row(c, 7, dim, head, p->context, position), type, v, dim);
}

/* Bytes of a state must be there. */
static enum qn_status holds_state(const struct qn_ref_call *c, uint32_t binding, uint64_t heads,
                                  uint32_t context, uint32_t dim, struct qn_error *err) {
    return qn_ref_holds(c, binding, heads * context,
                        qn_kv_row_bytes(qn_kv_dtype((uint32_t)c->constants[0]), dim), err);
}

enum qn_status qn_ref_rope_append(const struct qn_ref_call *c, struct qn_error *err) {
    const struct qn_params_rope *p = c->p[0];
    const struct qn_params_step *step = c->p[1];
    const float *q = c->p[2], *k = c->p[3], *v = c->p[4], *freq = c->p[5];
    float *out = c->p[8];
    bool interleaved = c->constants[1] != 0;
    uint32_t n = step->n_tokens, dim = p->head_dim;
    uint32_t apart = p->head_stride, end;
    uint64_t slots;
    QN_TRY(step_rows(step, p->context, &end, &slots, err));
    if (apart < dim || dim > MAX_HEAD || !p->n_heads || !p->n_kv_heads)
        return qn_fail(err, QN_E_INTERNAL, "rope_append: heads of %u every %u columns", dim, apart);
    QN_TRY(qn_ref_covers(c, qn_grid_rope(p, n), err));
    QN_TRY(qn_ref_holds(
        c, 2, qn_ref_extent(n, p->q_stride, p->q_column, (p->n_heads - 1) * apart + dim), 4, err));
    QN_TRY(qn_ref_holds(
        c, 3, qn_ref_extent(n, p->k_stride, p->k_column, (p->n_kv_heads - 1) * apart + dim), 4,
        err));
    QN_TRY(qn_ref_holds(
        c, 4, qn_ref_extent(n, p->v_stride, p->v_column, (p->n_kv_heads - 1) * apart + dim), 4,
        err));
    QN_TRY(freq_holds(c, p->set_stride, p->n_rot, err));
    QN_TRY(holds_state(c, 6, slots * p->n_kv_heads, p->context, dim, err));
    QN_TRY(holds_state(c, 7, slots * p->n_kv_heads, p->context, dim, err));
    QN_TRY(qn_ref_holds(c, 8, (uint64_t)n * p->n_heads * dim, 4, err));
    if (dim % 2 || p->n_rot % 2 || p->n_rot > dim)
        return qn_fail(err, QN_E_INTERNAL, "rope_append: head %u, rotated %u", dim, p->n_rot);
    for (size_t t = 0; t < n; t++) {
        struct qn_step_row row = qn_step_row(step, (uint32_t)t);
        uint32_t position = row.pos;
        const float *turns = freq + (size_t)row.rope_set * p->set_stride;
        for (uint32_t h = 0; h < p->n_heads; h++)
            for (uint32_t d = 0; d < dim; d++)
                out[(t * p->n_heads + h) * dim + d] =
                    rotated(p, q + t * p->q_stride + p->q_column + h * apart, turns, position, d,
                            interleaved);
        for (uint32_t h = 0; h < p->n_kv_heads; h++)
            append(c, p, k + t * p->k_stride + p->k_column + h * apart,
                   v + t * p->v_stride + p->v_column + h * apart, turns,
                   (size_t)row.slot * p->n_kv_heads + h, position, interleaved);
    }
    return QN_OK;
}

/* Softmax attention of one query, of position `row` where there is `relative`, over positions
 * [begin, end): o [dim] unnormalised, maximum, mass. */
static void attend(double *o, double *top, double *mass, const struct qn_params_attention *p,
                   const struct qn_ref_call *c, const float *q, uint32_t states, uint32_t slot,
                   uint32_t head, const float *relative, uint32_t row, uint32_t begin,
                   uint32_t end) {
    uint32_t dim = (uint32_t)c->constants[1];
    size_t kv_head = (size_t)slot * p->n_kv_heads + head / (p->n_heads / p->n_kv_heads);
    *top = QN_REF_LOWEST;
    *mass = 0;
    memset(o, 0, dim * sizeof *o);
    for (size_t j = begin; j < end; j++) { // running maximum, as in attention_prefill
        const unsigned char *key = state_row(c, states, dim, kv_head, p->context, j);
        const unsigned char *value = state_row(c, states + 1, dim, kv_head, p->context, j);
        double s = 0;
        for (uint32_t d = 0; d < dim; d++)
            s += (double)q[d] * row_at(c, key, dim, d);
        s *= p->scale;
        if (p->softcap != 0)
            s = p->softcap * tanh(s / p->softcap);
        if (relative != NULL)
            s += relative[head * QN_RELATIVE + qn_relative_at(row, (uint32_t)j)];
        double shrink = s > *top ? exp(*top - s) : 1, e = s > *top ? 1 : exp(s - *top);
        *top = s > *top ? s : *top;
        *mass = *mass * shrink + e;
        for (uint32_t d = 0; d < dim; d++)
            o[d] = o[d] * shrink + e * row_at(c, value, dim, d);
    }
}

/* `states`: binding of k_state, 0 where there are none. */
static enum qn_status attention_checks(const struct qn_ref_call *c, uint32_t dim, uint32_t states,
                                       struct qn_error *err) {
    const struct qn_params_attention *p = c->p[0];
    const struct qn_params_step *step = c->p[1];
    if (!dim || dim % 4 || dim > MAX_HEAD || !p->n_kv_heads || p->n_heads % p->n_kv_heads)
        return qn_fail(err, QN_E_INTERNAL, "attention: head %u, %u of %u heads", dim, p->n_kv_heads,
                       p->n_heads);
    uint32_t end;
    uint64_t slots;
    QN_TRY(step_rows(step, p->context, &end, &slots, err));
    if (states == 0)
        return QN_OK;
    QN_TRY(qn_ref_holds(
        c, 2, qn_ref_extent(step->n_tokens, p->q_stride, p->q_column, p->n_heads * dim), 4, err));
    QN_TRY(holds_state(c, states, slots * p->n_kv_heads, p->context, dim, err));
    return holds_state(c, states + 1, slots * p->n_kv_heads, p->context, dim, err);
}

/* The rotation's parameters of an attention_split that does rope_append's work. */
static struct qn_params_rope rope_of(const struct qn_params_attention *p, uint32_t dim) {
    return (struct qn_params_rope){p->n_heads,    p->n_kv_heads, dim,         p->n_rot,
                                   p->context,    p->q_stride,   p->q_column, p->k_stride,
                                   p->k_column,   p->v_stride,   p->v_column, p->head_stride,
                                   p->set_stride, p->magnitude};
}

/* A head of q or k at `head`, normed where the constant NORM says so, with weights at column `at`
 * of freq; `own`: room for it. */
static const float *head_of(const struct qn_ref_call *c, float own[MAX_HEAD], const float *head,
                            uint32_t dim, uint32_t at) {
    const struct qn_params_attention *p = c->p[0];
    const float *w = (const float *)c->p[5] + at;
    double sum = 0;
    if (c->constants[5] == 0)
        return head;
    for (uint32_t d = 0; d < dim; d++)
        sum += (double)head[d] * head[d];
    for (uint32_t d = 0; d < dim; d++)
        own[d] = (float)(head[d] * w[d] / sqrt(sum / dim + p->norm_eps));
    return own;
}

/* Appends the new key and value of every row, each of another slot. */
static enum qn_status append_one(const struct qn_ref_call *c, const struct qn_params_rope *p,
                                 bool interleaved, struct qn_error *err) {
    const struct qn_params_step *step = c->p[1];
    const struct qn_params_attention *norms = c->p[0];
    uint32_t dim = p->head_dim, width = (p->n_kv_heads - 1) * p->head_stride + dim;
    uint32_t n = step->n_tokens;
    QN_TRY(qn_ref_holds(c, 3, qn_ref_extent(n, p->k_stride, p->k_column, width), 4, err));
    QN_TRY(qn_ref_holds(c, 4, qn_ref_extent(n, p->v_stride, p->v_column, width), 4, err));
    QN_TRY(freq_holds(c, p->set_stride, p->n_rot, err));
    if (dim % 2 || p->n_rot % 2 || p->n_rot > dim || p->head_stride < dim)
        return qn_fail(err, QN_E_INTERNAL, "attention_split: head %u, rotated %u", dim, p->n_rot);
    for (uint32_t t = 0; t < n; t++) {
        struct qn_step_row row = qn_step_row(step, t);
        for (uint32_t other = 0; other < t; other++)
            if (qn_step_row(step, other).slot == row.slot)
                return qn_fail(err, QN_E_INTERNAL, "attention_split: rows %u and %u of slot %u",
                               other, t, row.slot);
        const float *freq = (const float *)c->p[5] + (size_t)row.rope_set * p->set_stride;
        const float *k = (const float *)c->p[3] + (size_t)t * p->k_stride + p->k_column;
        const float *v = (const float *)c->p[4] + (size_t)t * p->v_stride + p->v_column;
        for (uint32_t h = 0; h < p->n_kv_heads; h++) {
            float own[MAX_HEAD];
            const float *head = head_of(c, own, k + (size_t)h * p->head_stride, dim, norms->k_norm);
            append(c, p, head, v + (size_t)h * p->head_stride, freq,
                   (size_t)row.slot * p->n_kv_heads + h, row.pos, interleaved);
        }
    }
    return QN_OK;
}

enum qn_status qn_ref_attention_split(const struct qn_ref_call *c, struct qn_error *err) {
    const struct qn_params_attention *p = c->p[0];
    const struct qn_params_step *step = c->p[1];
    uint32_t dim = (uint32_t)c->constants[1], end;
    uint64_t slots;
    bool rope = c->constants[2] != 0, inter = c->constants[3] != 0;
    float *partial = c->p[8], own[MAX_HEAD];
    struct qn_params_rope turn = rope_of(p, dim);
    QN_TRY(attention_checks(c, dim, 6, err));
    QN_TRY(step_rows(step, p->context, &end, &slots, err));
    QN_TRY(qn_ref_covers(c, qn_grid_attention_split(p, dim, step->n_tokens, end), err));
    QN_TRY(qn_ref_holds(c, 8, qn_attention_partial(p, dim, step->n_tokens), 1, err));
    if ((uint32_t)c->constants[6] != p->n_heads / p->n_kv_heads)
        return qn_fail(err, QN_E_INTERNAL, "attention_split: %u of %u heads share a key",
                       (uint32_t)c->constants[6], p->n_heads);
    if (c->constants[5] != 0)
        QN_TRY(qn_ref_holds(c, 5, (uint64_t)qn_max_u32(p->q_norm, p->k_norm) + dim, 4, err));
    if (rope)
        QN_TRY(append_one(c, &turn, inter, err));
    for (uint32_t t = 0; t < step->n_tokens; t++)
        for (uint32_t h = 0; h < p->n_heads; h++) {
            struct qn_step_row row = qn_step_row(step, t);
            const float *freq = (const float *)c->p[5] + (size_t)row.rope_set * p->set_stride;
            uint32_t position = row.pos, first = qn_attention_first(position, p->window);
            const float *head = (const float *)c->p[2] + (size_t)t * p->q_stride + p->q_column +
                                (size_t)h * p->head_stride;
            float q[MAX_HEAD];
            if (rope)
                head = head_of(c, own, head, dim, p->q_norm);
            for (uint32_t d = 0; d < dim; d++)
                q[d] = rope ? rotated(&turn, head, freq, position, d, inter) : head[d];
            float *of_t = partial + (size_t)t * p->n_heads * p->splits * (dim + 2);
            uint32_t shift = qn_attention_shift(position, p->window, p->splits);
            for (uint32_t s = 0; ((first >> shift) + s) << shift <= position; s++) {
                uint32_t begin = ((first >> shift) + s) << shift;
                double o[MAX_HEAD], top, mass;
                attend(o, &top, &mass, p, c, q, 6, row.slot, h, NULL, 0, qn_max_u32(begin, first),
                       qn_min_u32(begin + (1u << shift), position + 1));
                size_t at = (size_t)h * p->splits + s;
                for (uint32_t d = 0; d < dim; d++)
                    of_t[at * dim + d] = (float)o[d];
                float *pair = of_t + (size_t)p->n_heads * p->splits * dim + at * 2;
                pair[0] = (float)top;
                pair[1] = (float)mass;
            }
        }
    return QN_OK;
}

/* Joins the n splits of a head: partial of one token → out [dim]. */
static void join(float *out, const float *partial, uint32_t n_heads, uint32_t splits, uint32_t dim,
                 uint32_t head, uint32_t n) {
    const float *o = partial + (size_t)head * splits * dim;
    const float *pairs = partial + ((size_t)n_heads * dim + head * 2) * splits;
    double top = QN_REF_LOWEST, mass = 0;
    for (uint32_t s = 0; s < n; s++)
        top = fmax(top, pairs[s * 2]);
    for (uint32_t s = 0; s < n; s++)
        mass += exp(pairs[s * 2] - top) * pairs[s * 2 + 1];
    for (uint32_t d = 0; d < dim; d++) {
        double sum = 0;
        for (uint32_t s = 0; s < n; s++)
            sum += exp(pairs[s * 2] - top) * o[s * dim + d];
        out[d] = (float)(sum / mass);
    }
}

enum qn_status qn_ref_joined(float out[QN_MATVEC_DOT_MADE], const struct qn_ref_call *c,
                             uint32_t dim, uint32_t z, struct qn_error *err) {
    const struct qn_params_matmul *p = c->p[0];
    uint32_t heads = p->cols / dim, pos = qn_step_row(c->p[1], z).pos;
    uint32_t n = qn_attention_count(pos, p->window, p->splits);
    size_t size = (size_t)heads * p->splits * (dim + 2);
    if (dim % 8 || p->cols % dim || p->cols > QN_MATVEC_DOT_MADE || !p->splits || p->splits % 2 ||
        p->tail)
        return qn_fail(err, QN_E_INTERNAL, "matvec_dot: %u columns in heads of %u, %u splits",
                       p->cols, dim, p->splits);
    QN_TRY(qn_ref_holds(c, 2, ((uint64_t)z + 1) * size, 4, err));
    for (uint32_t h = 0; h < heads; h++)
        join(out + (size_t)h * dim, (const float *)c->p[2] + z * size, heads, p->splits, dim, h, n);
    return QN_OK;
}

enum qn_status qn_ref_attention_merge(const struct qn_ref_call *c, struct qn_error *err) {
    const struct qn_params_attention *p = c->p[0];
    const struct qn_params_step *step = c->p[1];
    const float *partial = c->p[2];
    float *out = c->p[3];
    uint32_t dim = (uint32_t)c->constants[0];
    QN_TRY(attention_checks(c, dim, 0, err));
    QN_TRY(qn_ref_covers(c, qn_grid_attention_merge(p, step->n_tokens), err));
    QN_TRY(qn_ref_holds(c, 2, qn_attention_partial(p, dim, step->n_tokens), 1, err));
    QN_TRY(qn_ref_holds(c, 3, (uint64_t)step->n_tokens * p->n_heads * dim, 4, err));
    for (uint32_t t = 0; t < step->n_tokens; t++)
        for (uint32_t h = 0; h < p->n_heads; h++) {
            uint32_t position = qn_step_row(step, t).pos;
            uint32_t n = qn_attention_count(position, p->window, p->splits);
            join(out + ((size_t)t * p->n_heads + h) * dim,
                 partial + (size_t)t * p->n_heads * p->splits * (dim + 2), p->n_heads, p->splits,
                 dim, h, n);
        }
    return QN_OK;
}

enum qn_status qn_ref_attention_prefill(const struct qn_ref_call *c, struct qn_error *err) {
    const struct qn_params_attention *p = c->p[0];
    const struct qn_params_step *step = c->p[1];
    uint32_t dim = (uint32_t)c->constants[1];
    float *out = c->p[6];
    QN_TRY(attention_checks(c, dim, 3, err));
    QN_TRY(qn_ref_covers(c, qn_grid_attention_prefill(p, dim, step->n_tokens), err));
    QN_TRY(qn_ref_holds(c, 6, (uint64_t)step->n_tokens * p->n_heads * dim, 4, err));
    const float *relative = c->constants[2] != 0 ? c->p[5] : NULL;
    if (relative != NULL)
        QN_TRY(qn_ref_holds(c, 5, (uint64_t)p->n_heads * QN_RELATIVE, 4, err));
    for (uint32_t t = 0; t < step->n_tokens; t++)
        for (uint32_t h = 0; h < p->n_heads; h++) {
            double o[MAX_HEAD], top, mass;
            uint32_t position = step->pos + (p->whole ? step->n_tokens - 1 : t);
            const float *q =
                (const float *)c->p[2] + (size_t)t * p->q_stride + p->q_column + (size_t)h * dim;
            attend(o, &top, &mass, p, c, q, 3, step->slot, h, relative, step->pos + t,
                   qn_attention_first(position, p->window), position + 1);
            for (uint32_t d = 0; d < dim; d++)
                out[((size_t)t * p->n_heads + h) * dim + d] = (float)(o[d] / mass);
        }
    return QN_OK;
}
