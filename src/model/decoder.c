/* Decoder-only transformer with pre-normalisation, as Llama (Touvron et al. 2023) and its kin:
 *
 *   h = embed[ids]                                             // [T, hidden]
 *   per layer:
 *     q|k|v = norm(h) Wqkvᵀ + bqkv                             // [T, (n_heads + 2 n_kv) head_dim]
 *     h = h + attention(rope(q), cache(rope(k)), cache(v)) Woᵀ
 *     h = h + (act(norm(h) Wgᵀ) × norm(h) Wuᵀ) Wdᵀ
 *   logits = norm(last rows of h) Wheadᵀ                       // [R, vocab]
 *
 * Ops are written one by one here; qn_program_fuse joins them. */
#include "model/decoder.h"

struct builder {
    const struct qn_weights *w;
    const struct qn_model_config *c;
    struct qn_program *p;
    enum qn_dtype state_dtype;
    uint32_t embed; // the table's tensor, which a tied head uses again
    uint32_t freq;
    struct qn_error *err;
};

/* An op without operands, to fill in. */
static struct qn_program_op op_of(enum qn_op_kind kind) {
    struct qn_program_op op = {.kind = kind, .out = QN_NONE};
    for (uint32_t i = 0; i < QN_OP_INPUTS; i++)
        op.in[i].tensor = QN_NONE;
    return op;
}

static enum qn_status add_op(uint32_t *out, struct builder *b, struct qn_program_op op,
                             const uint32_t *inputs, uint32_t n_inputs, const char *label) {
    for (uint32_t i = 0; i < n_inputs; i++)
        op.in[i].tensor = inputs[i];
    return qn_program_add_op(b->p, out, &op, label, b->err);
}

static enum qn_status add_norm(uint32_t *out, struct builder *b, uint32_t x, enum qn_role role,
                               uint32_t layer, const char *label) {
    uint32_t weight;
    const struct qn_weight_part part = {role, b->c->hidden};
    QN_TRY(qn_weights_vector(&weight, b->w, &part, 1, layer, ".weight", b->err));
    struct qn_program_op op = op_of(QN_OP_RMSNORM);
    op.u.norm.eps = b->c->norm_eps;
    const uint32_t inputs[] = {x, weight};
    return add_op(out, b, op, inputs, 2, label);
}

static enum qn_status add_matmul(uint32_t *out, struct builder *b, uint32_t x, uint32_t weight,
                                 uint32_t bias, const char *label) {
    const uint32_t inputs[] = {x, weight, bias};
    return add_op(out, b, op_of(QN_OP_MATMUL), inputs, 3, label);
}

/* x + y Wᵀ (+ bias) */
static enum qn_status add_projection(uint32_t *out, struct builder *b, uint32_t x, uint32_t y,
                                     enum qn_role role, uint32_t layer, uint32_t cols,
                                     bool has_bias, const char *label) {
    const struct qn_weight_part part = {role, b->c->hidden};
    uint32_t weight, bias, projected;
    bool same;
    QN_TRY(qn_weights_matrix(&weight, &same, b->w, &part, 1, layer, cols, b->err));
    QN_TRY(qn_weights_bias(&bias, b->w, has_bias, &part, 1, layer, b->err));
    QN_TRY(add_matmul(&projected, b, y, weight, bias, label));
    const uint32_t inputs[] = {x, projected};
    return add_op(out, b, op_of(QN_OP_ADD), inputs, 2, label);
}

/* q, k and v of all heads: one product where the format allows, else three. */
static enum qn_status add_qkv(struct qn_operand qkv[3], struct builder *b, uint32_t x,
                              uint32_t layer) {
    const struct qn_model_config *c = b->c;
    uint32_t n_q = c->n_heads * c->head_dim, n_kv = c->n_kv_heads * c->head_dim;
    const struct qn_weight_part whole = {QN_ROLE_QKV, n_q + 2 * n_kv};
    const struct qn_weight_part split[3] = {{QN_ROLE_Q, n_q}, {QN_ROLE_K, n_kv}, {QN_ROLE_V, n_kv}};
    bool stored_whole = qn_weights_has(b->w, QN_ROLE_QKV), same;
    const struct qn_weight_part *parts = stored_whole ? &whole : split;
    uint32_t n_parts = stored_whole ? 1 : 3, weight, bias, y;
    QN_TRY(qn_weights_matrix(&weight, &same, b->w, parts, n_parts, layer, c->hidden, b->err));
    if (same) {
        QN_TRY(qn_weights_bias(&bias, b->w, c->qkv_bias, parts, n_parts, layer, b->err));
        QN_TRY(add_matmul(&y, b, x, weight, bias, "qkv"));
        qkv[0] = (struct qn_operand){y, 0};
        qkv[1] = (struct qn_operand){y, n_q};
        qkv[2] = (struct qn_operand){y, n_q + n_kv};
        return QN_OK;
    }
    static const char *const labels[3] = {"q", "k", "v"};
    for (uint32_t i = 0; i < 3; i++) {
        QN_TRY(qn_weights_matrix(&weight, &same, b->w, &split[i], 1, layer, c->hidden, b->err));
        QN_TRY(qn_weights_bias(&bias, b->w, c->qkv_bias, &split[i], 1, layer, b->err));
        QN_TRY(add_matmul(&y, b, x, weight, bias, labels[i]));
        qkv[i] = (struct qn_operand){y, 0};
    }
    return QN_OK;
}

static enum qn_status add_state(uint32_t *out, struct builder *b, const char *label) {
    struct qn_program_tensor state = {
        .kind = QN_TENSOR_STATE,
        .dtype = b->state_dtype,
        .n_dims = 3,
        .dims = {QN_DIM(b->c->n_kv_heads), QN_DIM(b->p->context), QN_DIM(b->c->head_dim)},
        .weight = QN_NONE,
        .label = label,
    };
    return qn_program_add_tensor(b->p, out, &state, b->err);
}

static enum qn_status add_attention(uint32_t *out, struct builder *b, uint32_t hidden,
                                    uint32_t layer) {
    const struct qn_model_config *c = b->c;
    uint32_t x, q, k_state, v_state, attended;
    struct qn_operand qkv[3];
    QN_TRY(add_norm(&x, b, hidden, QN_ROLE_ATTN_NORM, layer, "attention norm"));
    QN_TRY(add_qkv(qkv, b, x, layer));
    QN_TRY(add_state(&k_state, b, "k cache"));
    QN_TRY(add_state(&v_state, b, "v cache"));

    struct qn_program_op rope = op_of(QN_OP_ROPE_APPEND);
    for (uint32_t i = 0; i < 3; i++)
        rope.in[i] = qkv[i];
    rope.in[3].tensor = k_state;
    rope.in[4].tensor = v_state;
    rope.in[5].tensor = b->freq;
    rope.u.rope.n_heads = c->n_heads;
    rope.u.rope.n_kv_heads = c->n_kv_heads;
    rope.u.rope.head_dim = c->head_dim;
    rope.u.rope.n_rot = c->n_rot;
    rope.u.rope.interleaved = b->w->d->format == QN_FORMAT_GGUF && c->traits->gguf_interleaved;
    QN_TRY(qn_program_add_op(b->p, &q, &rope, "rotated q", b->err));

    struct qn_program_op attention = op_of(QN_OP_ATTENTION);
    attention.u.attention.n_heads = c->n_heads;
    attention.u.attention.n_kv_heads = c->n_kv_heads;
    attention.u.attention.head_dim = c->head_dim;
    attention.u.attention.window = !c->local || c->local[layer] ? c->window : 0;
    attention.u.attention.scale = (float)(1.0 / __builtin_sqrt((double)c->head_dim));
    const uint32_t inputs[] = {q, k_state, v_state};
    QN_TRY(add_op(&attended, b, attention, inputs, 3, "attention"));
    return add_projection(out, b, hidden, attended, QN_ROLE_O, layer, c->n_heads * c->head_dim,
                          c->o_bias, "attention out");
}

static enum qn_status add_mlp(uint32_t *out, struct builder *b, uint32_t hidden, uint32_t layer) {
    const struct qn_model_config *c = b->c;
    const struct qn_weight_part whole = {QN_ROLE_GATE_UP, 2 * c->intermediate};
    const struct qn_weight_part split[2] = {{QN_ROLE_GATE, c->intermediate},
                                            {QN_ROLE_UP, c->intermediate}};
    bool stored_whole = qn_weights_has(b->w, QN_ROLE_GATE_UP), same;
    const struct qn_weight_part *parts = stored_whole ? &whole : split;
    uint32_t n_parts = stored_whole ? 1 : 2, x, weight, bias, both, gated;
    QN_TRY(add_norm(&x, b, hidden, QN_ROLE_FFN_NORM, layer, "mlp norm"));
    QN_TRY(qn_weights_matrix(&weight, &same, b->w, parts, n_parts, layer, c->hidden, b->err));
    if (!same)
        return qn_fail(b->err, QN_E_UNSUPPORTED, "layer %u: gate and up of different types", layer);
    QN_TRY(qn_weights_bias(&bias, b->w, c->mlp_bias, parts, n_parts, layer, b->err));
    QN_TRY(add_matmul(&both, b, x, weight, bias, "gate|up"));
    struct qn_program_op glu = op_of(QN_OP_GLU);
    glu.u.glu.act = c->act;
    QN_TRY(add_op(&gated, b, glu, &both, 1, "gated"));
    return add_projection(out, b, hidden, gated, QN_ROLE_DOWN, layer, c->intermediate, c->mlp_bias,
                          "mlp out");
}

static enum qn_status add_embedding(uint32_t *out, struct builder *b) {
    const struct qn_weight_part part = {QN_ROLE_EMBED, b->c->vocab};
    const struct qn_program_tensor ids = {
        .kind = QN_TENSOR_IDS,
        .dtype = QN_DTYPE_U32,
        .n_dims = 1,
        .dims = {QN_DIM_T},
        .weight = QN_NONE,
        .label = "ids",
    };
    bool same;
    QN_TRY(qn_program_add_tensor(b->p, &b->p->ids, &ids, b->err));
    QN_TRY(qn_weights_matrix(&b->embed, &same, b->w, &part, 1, 0, b->c->hidden, b->err));
    struct qn_program_op embed = op_of(QN_OP_EMBED);
    embed.u.embed.scale = 1.0f;
    const uint32_t inputs[] = {b->p->ids, b->embed};
    return add_op(out, b, embed, inputs, 2, "embedding");
}

static enum qn_status add_head(struct builder *b, uint32_t hidden) {
    const struct qn_weight_part part = {QN_ROLE_HEAD, b->c->vocab};
    uint32_t last, normed, head = b->embed;
    bool same;
    QN_TRY(add_op(&last, b, op_of(QN_OP_LAST_ROWS), &hidden, 1, "last rows"));
    QN_TRY(add_norm(&normed, b, last, QN_ROLE_FINAL_NORM, 0, "final norm"));
    if (!b->c->tied)
        QN_TRY(qn_weights_matrix(&head, &same, b->w, &part, 1, 0, b->c->hidden, b->err));
    return add_matmul(&b->p->logits, b, normed, head, QN_NONE, "logits");
}

static enum qn_status add_frequencies(struct builder *b, const float *frequencies) {
    const struct qn_weight weight = {
        .name = QN_STR("inverse frequencies"),
        .format = {.type = QN_W_F32},
        .rows = 1,
        .cols = b->c->n_rot / 2,
        .computed = frequencies,
    };
    struct qn_program_tensor tensor = {
        .kind = QN_TENSOR_WEIGHT,
        .n_dims = 2,
        .dims = {QN_DIM(1), QN_DIM(b->c->n_rot / 2)},
        .label = "inverse frequencies",
    };
    QN_TRY(qn_program_add_weight(b->p, &tensor.weight, &weight, b->err));
    return qn_program_add_tensor(b->p, &b->freq, &tensor, b->err);
}

enum qn_status qn_decoder_build(const struct qn_weights *weights, const float *frequencies,
                                enum qn_kv_type kv_type, struct qn_error *err) {
    struct builder b = {
        .w = weights,
        .c = weights->config,
        .p = weights->program,
        .state_dtype = kv_type == QN_KV_F16 ? QN_DTYPE_F16 : QN_DTYPE_F32,
        .err = err,
    };
    uint32_t hidden;
    QN_TRY(add_embedding(&hidden, &b));
    QN_TRY(add_frequencies(&b, frequencies));
    for (uint32_t layer = 0; layer < b.c->n_layers; layer++) {
        QN_TRY(add_attention(&hidden, &b, hidden, layer));
        QN_TRY(add_mlp(&hidden, &b, hidden, layer));
    }
    return add_head(&b, hidden);
}
