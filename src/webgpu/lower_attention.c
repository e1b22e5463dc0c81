/* Rotation and attention as dispatches. */
#include "base/num.h"
#include "quant/kv.h"
#include "webgpu/lower_parts.h"

static enum qn_status head_dim_ok(const struct qn_lower *l, uint32_t state, uint32_t head_dim,
                                  struct qn_error *err) {
    bool f16 = l->program->tensors[state].dtype == QN_DTYPE_F16;
    if (head_dim == 0 || head_dim > 256 || head_dim % (f16 ? 8 : 4) != 0)
        return qn_fail(err, QN_E_UNSUPPORTED, "a head dimension of %u", head_dim);
    return QN_OK;
}

static struct qn_params_rope rope_params(const struct qn_program *p,
                                         const struct qn_program_op *op) {
    struct qn_params_rope params = {.n_heads = op->u.rope.n_heads,
                                    .n_kv_heads = op->u.rope.n_kv_heads,
                                    .head_dim = op->u.rope.head_dim,
                                    .n_rot = op->u.rope.n_rot,
                                    .context = p->context,
                                    .q_stride = qn_lower_columns(p, op->in[0].tensor),
                                    .q_column = op->in[0].column,
                                    .k_stride = qn_lower_columns(p, op->in[1].tensor),
                                    .k_column = op->in[1].column,
                                    .v_stride = qn_lower_columns(p, op->in[2].tensor),
                                    .v_column = op->in[2].column,
                                    .head_stride = op->u.rope.head_dim,
                                    .magnitude = 1};
    if (op->u.rope.head_stride)
        params.head_stride = op->u.rope.head_stride;
    if (op->u.rope.n_sets == 2)
        params.set_stride = op->u.rope.n_rot / 2;
    if (op->u.rope.magnitude != 0)
        params.magnitude = op->u.rope.magnitude;
    return params;
}

static enum qn_status rope_add(struct qn_lower *l, const struct qn_lower_mode *mode,
                               const struct qn_program_op *op, enum qn_when when,
                               struct qn_error *err) {
    const struct qn_program *p = l->program;
    QN_TRY(head_dim_ok(l, op->in[3].tensor, op->u.rope.head_dim, err));
    struct qn_params_rope params = rope_params(p, op);
    struct qn_lower_draft draft = {
        .kernel = QN_KERNEL_ROPE_APPEND,
        .params = &params,
        .bindings = {{0},
                     mode->step,
                     l->places[op->in[0].tensor],
                     l->places[op->in[1].tensor],
                     l->places[op->in[2].tensor],
                     qn_lower_vector_of(l, op->in[5]),
                     l->places[op->in[3].tensor],
                     l->places[op->in[4].tensor],
                     l->places[op->out]},
        .constants = {(float)qn_kv_number(p->tensors[op->in[3].tensor].dtype),
                      op->u.rope.interleaved},
        .rest = {.when = when}};
    return qn_lower_dispatch_add(l, &draft, err);
}

enum qn_status qn_lower_rope(struct qn_lower *l, const struct qn_lower_mode *mode,
                             const struct qn_program_op *op, struct qn_error *err) {
    return rope_add(l, mode, op, QN_WHEN_ALWAYS, err);
}

/* Whether the attention behind a rotation norms its heads too. */
static bool norms_heads(const struct qn_lower_mode *mode, const struct qn_program_op *rope) {
    uint32_t normed = mode->producer[rope->in[0].tensor];
    return normed != QN_NONE && mode->fused[normed];
}

/* attention_split, which does the work of `rope` first where that is not NULL. */
static enum qn_status split_add(struct qn_lower *l, const struct qn_lower_mode *mode,
                                const struct qn_program_op *op, const struct qn_program_op *rope,
                                enum qn_when when, struct qn_error *err) {
    const struct qn_program *p = l->program;
    uint32_t head_dim = op->u.attention.head_dim, q = op->in[0].tensor;
    struct qn_params_attention params = qn_lower_attention_params(p, op);
    struct qn_program_op turned; // rope, of what was not normed yet
    struct qn_lower_ref none = {0}, freq = none;
    bool norms = false;
    if (rope != NULL) {
        const struct qn_program_op *made = rope;
        turned = *rope;
        rope = &turned;
        freq = qn_lower_vector_of(l, rope->in[5]);
        norms = norms_heads(mode, made);
        if (norms) {
            uint32_t at[2];
            for (uint32_t i = 0; i < 2; i++) {
                const struct qn_program_op *norm = qn_lower_head_norm(p, made, i, mode->producer);
                struct qn_lower_ref w = qn_lower_vector_of(l, norm->in[1]);
                at[i] = (w.offset - freq.offset) / 4;
                freq.bytes = qn_max_u32(freq.bytes, w.offset + w.bytes - freq.offset);
                params.norm_eps = norm->u.norm.eps;
                turned.in[i] = norm->in[0];
            }
            params.q_norm = at[0];
            params.k_norm = at[1];
        }
        struct qn_params_rope turn = rope_params(p, rope);
        q = rope->in[0].tensor;
        params.q_stride = turn.q_stride;
        params.q_column = turn.q_column;
        params.head_stride = turn.head_stride;
        params.n_rot = turn.n_rot;
        params.k_stride = turn.k_stride;
        params.k_column = turn.k_column;
        params.v_stride = turn.v_stride;
        params.v_column = turn.v_column;
        params.set_stride = turn.set_stride;
        params.magnitude = turn.magnitude;
    }
    struct qn_lower_draft draft = {
        .kernel = QN_KERNEL_ATTENTION_SPLIT,
        .params = &params,
        .bindings = {{0},
                     mode->step,
                     l->places[q],
                     rope ? l->places[rope->in[1].tensor] : none,
                     rope ? l->places[rope->in[2].tensor] : none,
                     freq,
                     l->places[op->in[1].tensor],
                     l->places[op->in[2].tensor],
                     mode->partial},
        .constants = {(float)qn_kv_number(p->tensors[op->in[1].tensor].dtype), (float)head_dim,
                      rope != NULL, rope != NULL && rope->u.rope.interleaved,
                      (float)qn_attention_heads(&params, head_dim), norms,
                      (float)(params.n_heads / params.n_kv_heads)},
        .rest = {.head_dim = head_dim, .when = when}};
    return qn_lower_dispatch_add(l, &draft, err);
}

/* Attention of few tokens; with the ROPE_APPEND in front of it, where that is fused: a single new
 * token's key is made wherever it is needed, those of several are appended first. */
static enum qn_status lower_split(struct qn_lower *l, const struct qn_lower_mode *mode,
                                  const struct qn_program_op *op, struct qn_error *err) {
    const struct qn_program *p = l->program;
    uint32_t made = mode->producer[op->in[0].tensor];
    bool fused = made != QN_NONE && mode->fused[made] && p->ops[made].kind == QN_OP_ROPE_APPEND;
    const struct qn_program_op *rope = fused ? &p->ops[made] : NULL;
    enum qn_when run = fused ? QN_WHEN_RUN : QN_WHEN_ALWAYS;
    if (fused)
        QN_TRY(split_add(l, mode, op, rope, QN_WHEN_ONE, err));
    if (fused && l->max_rows > 1)
        QN_TRY(rope_add(l, mode, rope, run, err));
    if (!fused || l->max_rows > 1)
        QN_TRY(split_add(l, mode, op, NULL, run, err));
    if (mode->merged && mode->merged[op - p->ops])
        return QN_OK;
    uint32_t head_dim = op->u.attention.head_dim;
    struct qn_params_attention params = qn_lower_attention_params(p, op);
    struct qn_lower_draft merge = {.kernel = QN_KERNEL_ATTENTION_MERGE,
                                   .params = &params,
                                   .bindings = {{0}, mode->step, mode->partial, l->places[op->out]},
                                   .constants = {(float)head_dim},
                                   .rest = {.head_dim = head_dim}};
    return qn_lower_dispatch_add(l, &merge, err);
}

enum qn_status qn_lower_attention(struct qn_lower *l, const struct qn_lower_mode *mode,
                                  const struct qn_program_op *op, struct qn_error *err) {
    const struct qn_program *p = l->program;
    uint32_t head_dim = op->u.attention.head_dim;
    QN_TRY(head_dim_ok(l, op->in[1].tensor, head_dim, err));
    if (mode->small)
        return lower_split(l, mode, op, err);
    bool relative = op->in[3].tensor != QN_NONE; // a single token, in lower_split, has no distances
    struct qn_params_attention params = qn_lower_attention_params(p, op);
    struct qn_lower_draft draft = {
        .kernel = QN_KERNEL_ATTENTION_PREFILL,
        .params = &params,
        .bindings = {{0},
                     mode->step,
                     l->places[op->in[0].tensor],
                     l->places[op->in[1].tensor],
                     l->places[op->in[2].tensor],
                     relative ? qn_lower_vector_of(l, op->in[3]) : (struct qn_lower_ref){0},
                     l->places[op->out]},
        .constants = {(float)qn_kv_number(p->tensors[op->in[1].tensor].dtype), (float)head_dim,
                      relative},
        .rest = {.head_dim = head_dim}};
    return qn_lower_dispatch_add(l, &draft, err);
}

/* Tokens of a session that give in one step what each gives in its own: their matvecs take them
 * together, and all else treats rows apart. Attention that norms heads itself adds their squares in
 * another order than a norm apart. */
static uint32_t max_rows(const struct qn_lower *l, const struct qn_lower_mode *mode,
                         uint64_t partial) {
    const struct qn_program *p = l->program;
    for (uint32_t i = 0; i < p->n_ops; i++)
        if (p->ops[i].kind == QN_OP_ROPE_APPEND && norms_heads(mode, &p->ops[i]))
            return 1;
    if (!qn_lower_wide(l) || partial * QN_STEP_ROWS > QN_ROWS_BYTES)
        return 1;
    return qn_min_u32(QN_STEP_ROWS, qn_min_u32(l->block_rows, p->max_tokens));
}

enum qn_status qn_lower_scratch(struct qn_lower *l, const struct qn_lower_mode *mode,
                                struct qn_lower_ref *out, struct qn_error *err) {
    static const char what[] = "the scratch of attention";
    const struct qn_program *p = l->program;
    uint64_t most = 16;
    for (uint32_t i = 0; i < p->n_ops; i++) {
        if (p->ops[i].kind != QN_OP_ATTENTION)
            continue;
        struct qn_params_attention params = qn_lower_attention_params(p, &p->ops[i]);
        uint64_t bytes = qn_attention_partial(&params, p->ops[i].u.attention.head_dim, 1);
        most = bytes > most ? bytes : most;
    }
    uint32_t id;
    l->max_rows = max_rows(l, mode, most);
    if (l->max_rows > 1) {
        QN_TRY(qn_lower_buffer_add(l, &id, QN_SPACE_SHARED, most * QN_STEP_ROWS,
                                   QN_USE_STORAGE | QN_USE_COPY_SRC, what, err));
        *out = qn_lower_whole(l, QN_SPACE_SHARED, id);
        return QN_OK;
    }
    QN_TRY(
        qn_lower_bank_add(l, &id, most, QN_STEP_ROWS, QN_USE_STORAGE | QN_USE_COPY_SRC, what, err));
    *out = qn_lower_whole(l, QN_SPACE_BANK, id);
    return QN_OK;
}
