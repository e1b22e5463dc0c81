/* Decoder-only transformer with pre-normalisation, as Llama (Touvron et al. 2023) and its kin:
 *
 *   h = embed[ids] × scale (+ positions)                       // [T, hidden]
 *   per layer:
 *     q|k|v = norm(h) Wqkvᵀ + bqkv                             // [T, (n_heads + 2 n_kv) head_dim]
 *     h = h + attention(rope(q), cache(rope(k)), cache(v)) Woᵀ
 *     h = h + (act(norm(h) Wgᵀ) × norm(h) Wuᵀ) Wdᵀ
 *   logits = norm(last rows of h) Wheadᵀ                       // [R, vocab]
 *
 * Encoders (BERT, Devlin et al. 2019) have the norm behind each sum, h = norm(h + …), and behind
 * the embeddings, see all of a text from everywhere, and end with the pooled states.
 *
 * Each norm may be missing or stand after what it usually precedes, q and k may have norms, the MLP
 * may have no gate or be experts; traits and naming say which. Ops are written one by one here;
 * qn_program_fuse joins them. */
#include "model/decoder.h"

#include "model/relative.h"
#include "quant/kv.h"

struct builder {
    const struct qn_weights *w;
    const struct qn_model_config *c;
    struct qn_program *p;
    enum qn_dtype state_dtype;
    uint32_t embed; // the table's tensor, which a tied head uses again
    const struct qn_rope *rope;
    uint32_t n_rot;
    uint32_t relative;         // of distances, or QN_NONE
    uint32_t freq, local_freq; // local: of layers with a window, or QN_NONE
    uint32_t k_state, v_state; // of the layer before, which an encoder's layers share
    bool last;                 // LAST_ROWS was added
    struct qn_error *err;
};

/* An op without operands, to fill in. No function: a structure with a union in it must not pass by
 * value (see Makefile). */
#define OP_OF(op) \
    ((struct qn_program_op){.kind = (op), .out = QN_NONE, .in = {NO, NO, NO, NO, NO, NO}})
#define NO \
    { .tensor = QN_NONE }

static enum qn_status add_op(uint32_t *out, struct builder *b, const struct qn_program_op *with,
                             const uint32_t *inputs, uint32_t n_inputs, const char *label) {
    struct qn_program_op op = *with;
    for (uint32_t i = 0; i < n_inputs; i++)
        op.in[i].tensor = inputs[i];
    return qn_program_add_op(b->p, out, &op, label, b->err);
}

/* `x`: a tensor, or the columns of one, `n` of them in groups. */
static enum qn_status add_norm_of(uint32_t *out, struct builder *b, struct qn_operand x,
                                  enum qn_role role, uint32_t layer, uint32_t n, uint32_t group,
                                  bool view, float scale, const char *label) {
    uint32_t weight, bias;
    QN_TRY(qn_weights_norm(&weight, &bias, b->w, role, n, group, layer, scale, b->err));
    struct qn_program_op op = OP_OF(b->c->traits->layer_norm ? QN_OP_LAYERNORM : QN_OP_RMSNORM);
    op.u.norm.eps = b->c->norm_eps;
    op.u.norm.cols = view ? n : 0;
    op.u.norm.group = group == n ? 0 : group;
    op.in[0] = x;
    op.in[1].tensor = weight;
    if (b->c->traits->layer_norm)
        op.in[2].tensor = bias;
    return qn_program_add_op(b->p, out, &op, label, b->err);
}

/* *out is x where this family has no such norm. */
static enum qn_status add_norm(uint32_t *out, struct builder *b, uint32_t x, enum qn_role role,
                               uint32_t layer, const char *label) {
    *out = x;
    if (!qn_weights_has(b->w, role))
        return QN_OK;
    return add_norm_of(out, b, (struct qn_operand){x, 0}, role, layer, b->c->hidden, b->c->hidden,
                       false, 1.0f, label);
}

/* The tensor of a computed vector, new or the one that is there. */
static enum qn_status computed(uint32_t *out, struct builder *b, const char *name,
                               const float *values, uint32_t n) {
    struct qn_program *p = b->p;
    for (uint32_t i = 0; i < p->n_tensors; i++)
        if (p->tensors[i].kind == QN_TENSOR_WEIGHT &&
            p->weights[p->tensors[i].weight].computed == values) {
            *out = i;
            return QN_OK;
        }
    const struct qn_weight weight = {
        .name = qn_str_from(name),
        .format = {.type = QN_W_F32},
        .rows = 1,
        .cols = n,
        .computed = values,
    };
    struct qn_program_tensor tensor = {
        .kind = QN_TENSOR_WEIGHT,
        .n_dims = 2,
        .dims = {QN_DIM(1), QN_DIM(n)},
        .label = name,
    };
    QN_TRY(qn_program_add_weight(p, &tensor.weight, &weight, b->err));
    return qn_program_add_tensor(p, out, &tensor, b->err);
}

/* x with its columns in the order of the weight's, gathered once for all that share it. */
static enum qn_status in_order(uint32_t *out, struct builder *b, uint32_t x, uint32_t weight) {
    const struct qn_program *p = b->p;
    const struct qn_weight *w = &p->weights[p->tensors[weight].weight];
    uint32_t order;
    *out = x;
    if (!w->order)
        return QN_OK;
    QN_TRY(computed(&order, b, "order of inputs", w->order, w->cols));
    for (uint32_t i = p->n_ops; i-- > 0;) {
        const struct qn_program_op *op = &p->ops[i];
        if (op->kind == QN_OP_GATHER && op->in[0].tensor == x && op->in[1].tensor == order) {
            *out = op->out;
            return QN_OK;
        }
    }
    return add_op(out, b, &OP_OF(QN_OP_GATHER), (uint32_t[]){x, order}, 2, "inputs in order");
}

/* Rows of a table, with their columns as its tensor has them. */
static enum qn_status out_of_order(uint32_t *x, struct builder *b, uint32_t table) {
    const struct qn_weight *w = &b->p->weights[b->p->tensors[table].weight];
    const float *inverse;
    uint32_t order;
    if (!w->order)
        return QN_OK;
    QN_TRY(qn_weights_inverse(&inverse, b->w, w, b->c->hidden, b->err));
    QN_TRY(computed(&order, b, "order of columns", inverse, b->c->hidden));
    return add_op(x, b, &OP_OF(QN_OP_GATHER), (uint32_t[]){*x, order}, 2, "columns in order");
}

static enum qn_status add_matmul(uint32_t *out, struct builder *b, uint32_t x, uint32_t weight,
                                 uint32_t bias, const char *label) {
    QN_TRY(in_order(&x, b, x, weight));
    const uint32_t inputs[] = {x, weight, bias};
    return add_op(out, b, &OP_OF(QN_OP_MATMUL), inputs, 3, label);
}

/* hidden + norm?(y) × scale: how a part of a layer joins the residual. An encoder's: norm?(hidden +
 * y). */
static enum qn_status add_residual(uint32_t *out, struct builder *b, uint32_t hidden, uint32_t y,
                                   enum qn_role post_norm, uint32_t layer, const char *label) {
    bool behind = b->c->traits->encoder;
    if (!behind)
        QN_TRY(add_norm(&y, b, y, post_norm, layer, "post norm"));
    struct qn_program_op op = OP_OF(QN_OP_ADD);
    op.u.add.scale = b->c->residual_scale;
    QN_TRY(add_op(out, b, &op, (uint32_t[]){hidden, y}, 2, label));
    return behind ? add_norm(out, b, *out, post_norm, layer, label) : QN_OK;
}

/* y Wᵀ (+ bias), back to the width of the residual. */
static enum qn_status add_projection(uint32_t *out, struct builder *b, uint32_t y,
                                     enum qn_role role, uint32_t layer, uint32_t cols,
                                     bool has_bias, const char *label) {
    const struct qn_weight_part part = {role, b->c->hidden};
    uint32_t weight, bias;
    bool same;
    QN_TRY(qn_weights_matrix(&weight, &same, b->w, &part, 1, layer, cols, b->err));
    QN_TRY(qn_weights_bias(&bias, b->w, has_bias, &part, 1, layer, b->err));
    return add_matmul(out, b, y, weight, bias, label);
}

/* Whether the rows of q, k and v lie head by head. */
static bool heads_apart(const struct builder *b) {
    return b->c->traits->heads_apart && b->w->d->format == QN_FORMAT_SAFETENSORS;
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
        bool apart = heads_apart(b);
        qkv[0] = (struct qn_operand){y, 0};
        qkv[1] = (struct qn_operand){y, apart ? c->head_dim : n_q};
        qkv[2] = (struct qn_operand){y, apart ? 2 * c->head_dim : n_q + n_kv};
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

/* Norms of q and k, per head or over all heads of each, before the rotation. */
static enum qn_status add_qk_norms(struct qn_operand qkv[3], struct builder *b, uint32_t layer) {
    static const enum qn_role roles[2] = {QN_ROLE_Q_NORM, QN_ROLE_K_NORM};
    const struct qn_model_config *c = b->c;
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t n = (i ? c->n_kv_heads : c->n_heads) * c->head_dim, out;
        uint32_t group = c->traits->qk_norm_whole ? n : c->head_dim;
        QN_TRY(add_norm_of(&out, b, qkv[i], roles[i], layer, n, group, true, 1.0f,
                           i ? "normed k" : "normed q"));
        qkv[i] = (struct qn_operand){out, 0};
    }
    return QN_OK;
}

/* Sets k_state and v_state. */
static enum qn_status add_rotation(uint32_t *q, struct builder *b, const struct qn_operand qkv[3],
                                   uint32_t layer) {
    const struct qn_model_config *c = b->c;
    bool local = b->local_freq != QN_NONE && c->local && c->local[layer];
    if (layer == 0 || !c->traits->encoder) {
        QN_TRY(add_state(&b->k_state, b, "k cache"));
        QN_TRY(add_state(&b->v_state, b, "v cache"));
    }
    struct qn_program_op rope = OP_OF(QN_OP_ROPE_APPEND);
    for (uint32_t i = 0; i < 3; i++)
        rope.in[i] = qkv[i];
    rope.in[3].tensor = b->k_state;
    rope.in[4].tensor = b->v_state;
    rope.in[5].tensor = local ? b->local_freq : b->freq;
    rope.u.rope.n_heads = c->n_heads;
    rope.u.rope.n_kv_heads = c->n_kv_heads;
    rope.u.rope.head_dim = c->head_dim;
    rope.u.rope.n_rot = b->n_rot;
    rope.u.rope.interleaved = b->w->d->format == QN_FORMAT_GGUF && c->traits->gguf_interleaved;
    rope.u.rope.head_stride = heads_apart(b) ? 3 * c->head_dim : 0;
    rope.u.rope.n_sets = local ? 1 : b->rope->n_sets;
    rope.u.rope.magnitude = c->rope_magnitude;
    return qn_program_add_op(b->p, q, &rope, "rotated q", b->err);
}

/* What attention adds to the residual; x is its normed input. */
static enum qn_status add_attention(uint32_t *out, struct builder *b, uint32_t x, uint32_t layer) {
    const struct qn_model_config *c = b->c;
    uint32_t q, attended;
    struct qn_operand qkv[3];
    QN_TRY(add_qkv(qkv, b, x, layer));
    if (c->qk_norm)
        QN_TRY(add_qk_norms(qkv, b, layer));
    QN_TRY(add_rotation(&q, b, qkv, layer));

    struct qn_program_op attention = OP_OF(QN_OP_ATTENTION);
    attention.u.attention.n_heads = c->n_heads;
    attention.u.attention.n_kv_heads = c->n_kv_heads;
    attention.u.attention.head_dim = c->head_dim;
    attention.u.attention.window = !c->local || c->local[layer] ? c->window : 0;
    attention.u.attention.scale = c->attention_scale;
    attention.u.attention.softcap = c->attention_softcap;
    const uint32_t inputs[] = {q, b->k_state, b->v_state, b->relative};
    QN_TRY(add_op(&attended, b, &attention, inputs, 4, "attention"));
    return add_projection(out, b, attended, QN_ROLE_O, layer, c->n_heads * c->head_dim, c->o_bias,
                          "attention out");
}

/* act(x Wgᵀ) × x Wuᵀ, of one tensor or of two. */
static enum qn_status add_gated(uint32_t *out, struct builder *b, uint32_t x,
                                const struct qn_weight_part *parts, uint32_t n_parts,
                                uint32_t layer, bool has_bias) {
    static const char *const labels[] = {"gate", "up"};
    uint32_t weight, bias, y[2];
    bool same;
    QN_TRY(qn_weights_matrix(&weight, &same, b->w, parts, n_parts, layer, b->c->hidden, b->err));
    uint32_t n = same ? 1 : n_parts; // products: of both, or one by one
    for (uint32_t i = 0; i < n; i++) {
        if (!same)
            QN_TRY(
                qn_weights_matrix(&weight, &same, b->w, &parts[i], 1, layer, b->c->hidden, b->err));
        QN_TRY(qn_weights_bias(&bias, b->w, has_bias, &parts[i], n_parts / n, layer, b->err));
        QN_TRY(add_matmul(&y[i], b, x, weight, bias, n == 1 ? "gate|up" : labels[i]));
        same = n == 1;
    }
    struct qn_program_op glu = OP_OF(QN_OP_GLU);
    glu.u.glu.act = b->c->act;
    return add_op(out, b, &glu, y, n, "gated");
}

static enum qn_status add_plain_mlp(uint32_t *out, struct builder *b, uint32_t x, uint32_t layer) {
    const struct qn_model_config *c = b->c;
    const struct qn_weight_part part = {QN_ROLE_UP, c->intermediate};
    uint32_t weight, bias, up;
    bool same;
    QN_TRY(qn_weights_matrix(&weight, &same, b->w, &part, 1, layer, c->hidden, b->err));
    QN_TRY(qn_weights_bias(&bias, b->w, c->mlp_bias, &part, 1, layer, b->err));
    QN_TRY(add_matmul(&up, b, x, weight, bias, "up"));
    struct qn_program_op act = OP_OF(QN_OP_ACT);
    act.u.glu.act = c->act;
    return add_op(out, b, &act, &up, 1, "activated");
}

/* What the MLP adds to the residual. */
static enum qn_status add_mlp(uint32_t *out, struct builder *b, uint32_t x, uint32_t layer) {
    const struct qn_model_config *c = b->c;
    const struct qn_weight_part whole = {QN_ROLE_GATE_UP, 2 * c->intermediate};
    const struct qn_weight_part split[2] = {{QN_ROLE_GATE, c->intermediate},
                                            {QN_ROLE_UP, c->intermediate}};
    bool stored_whole = qn_weights_has(b->w, QN_ROLE_GATE_UP);
    uint32_t gated;
    if (c->traits->plain_mlp)
        QN_TRY(add_plain_mlp(&gated, b, x, layer));
    else
        QN_TRY(add_gated(&gated, b, x, stored_whole ? &whole : split, stored_whole ? 1 : 2, layer,
                         c->mlp_bias));
    return add_projection(out, b, gated, QN_ROLE_DOWN, layer, c->intermediate, c->mlp_bias,
                          "mlp out");
}

/* ---- Experts --------------------------------------------------------------------------------- */

static enum qn_status add_moe_op(uint32_t *out, struct builder *b, enum qn_op_kind kind,
                                 const uint32_t *inputs, uint32_t n_inputs, const char *label) {
    struct qn_program_op op = OP_OF(kind);
    op.u.moe.n_experts = b->c->n_experts;
    op.u.moe.n_used = b->c->n_experts_used;
    op.u.moe.act = b->c->act;
    op.u.moe.renormalise = b->c->renormalise;
    return add_op(out, b, &op, inputs, n_inputs, label);
}

/* hidden + Σ p_e expert_e(x) (+ sigmoid(x·switch) shared(x)) */
static enum qn_status add_experts(uint32_t *out, struct builder *b, uint32_t hidden, uint32_t x,
                                  uint32_t layer) {
    const struct qn_model_config *c = b->c;
    const struct qn_weight_part router = {QN_ROLE_ROUTER, c->n_experts};
    const struct qn_weight_part whole = {QN_ROLE_EXPERT_GATE_UP, 2 * c->expert_width},
                                shared_whole = {QN_ROLE_SHARED_GATE_UP, 2 * c->shared_width};
    bool joined = qn_weights_has(b->w, QN_ROLE_EXPERT_GATE_UP);
    const struct qn_weight_part gate_up[2] = {{QN_ROLE_EXPERT_GATE, c->expert_width},
                                              {QN_ROLE_EXPERT_UP, c->expert_width}};
    const struct qn_weight_part down = {QN_ROLE_EXPERT_DOWN, c->hidden};
    const struct qn_weight_part shared[2] = {{QN_ROLE_SHARED_GATE, c->shared_width},
                                             {QN_ROLE_SHARED_UP, c->shared_width}};
    uint32_t weight, scores, routes, gated, y, gate;
    bool same;
    QN_TRY(qn_weights_matrix(&weight, &same, b->w, &router, 1, layer, c->hidden, b->err));
    QN_TRY(add_matmul(&scores, b, x, weight, QN_NONE, "router"));
    QN_TRY(add_moe_op(&routes, b, QN_OP_ROUTE, &scores, 1, "routes"));
    QN_TRY(qn_weights_experts(&weight, b->w, joined ? &whole : gate_up, joined ? 1 : 2,
                              c->n_experts, layer, c->hidden, b->err));
    QN_TRY(add_moe_op(&gated, b, QN_OP_EXPERT_GLU, (uint32_t[]){x, weight, routes}, 3,
                      "experts gated"));
    QN_TRY(
        qn_weights_experts(&weight, b->w, &down, 1, c->n_experts, layer, c->expert_width, b->err));
    QN_TRY(add_moe_op(&y, b, QN_OP_EXPERT_DOWN, (uint32_t[]){gated, weight, routes}, 3,
                      "experts out"));
    QN_TRY(add_residual(out, b, hidden, y, QN_ROLE_FFN_POST_NORM, layer, "layer out"));
    if (!c->shared_width)
        return QN_OK;
    QN_TRY(add_gated(&gated, b, x, joined ? &shared_whole : shared, joined ? 1 : 2, layer, false));
    QN_TRY(add_projection(&y, b, gated, QN_ROLE_SHARED_DOWN, layer, c->shared_width, false,
                          "shared expert"));
    QN_TRY(qn_weights_row(&weight, b->w, QN_ROLE_SHARED_SWITCH, layer, c->hidden, b->err));
    QN_TRY(add_matmul(&gate, b, x, weight, QN_NONE, "switch"));
    return add_op(out, b, &OP_OF(QN_OP_ADD), (uint32_t[]){*out, y, gate}, 3, "layer out");
}

static enum qn_status add_layer(uint32_t *out, struct builder *b, uint32_t hidden, uint32_t layer) {
    const struct qn_model_config *c = b->c;
    uint32_t normed, x, y, middle;
    QN_TRY(add_norm(&normed, b, hidden, QN_ROLE_ATTN_NORM, layer, "attention norm"));
    QN_TRY(add_attention(&y, b, normed, layer));
    QN_TRY(add_residual(&middle, b, hidden, y, QN_ROLE_ATTN_POST_NORM, layer, "attention out"));
    /* Side by side, the MLP has its own norm of the same residual (GPT-NeoX) or none (StableLM). */
    if (c->parallel && !qn_weights_present(b->w, QN_ROLE_FFN_NORM, layer))
        x = normed;
    else
        QN_TRY(add_norm(&x, b, c->parallel ? hidden : middle, QN_ROLE_FFN_NORM, layer, "mlp norm"));
    if (c->n_experts && !(c->dense && c->dense[layer]))
        return add_experts(out, b, middle, x, layer);
    QN_TRY(add_mlp(&y, b, x, layer));
    if (layer + 1 == c->n_layers && qn_weights_has(b->w, QN_ROLE_FFN_POST_NORM) &&
        !c->traits->encoder) {
        /* The rows that the head wants are enough for the last norm, and then it is the head's. */
        QN_TRY(add_op(&y, b, &OP_OF(QN_OP_LAST_ROWS), &y, 1, "last rows"));
        QN_TRY(add_op(&middle, b, &OP_OF(QN_OP_LAST_ROWS), &middle, 1, "last rows"));
        b->last = true;
    }
    return add_residual(out, b, middle, y, QN_ROLE_FFN_POST_NORM, layer, "layer out");
}

/* *sum += rows of a table. */
static enum qn_status add_rows(uint32_t *sum, struct builder *b, uint32_t table,
                               enum qn_embed_by by, const char *label) {
    struct qn_program_op embed = OP_OF(QN_OP_EMBED);
    uint32_t rows;
    embed.u.embed.scale = 1.0f;
    embed.u.embed.by = by;
    QN_TRY(add_op(&rows, b, &embed, (uint32_t[]){b->p->ids, table}, 2, label));
    return add_op(sum, b, &OP_OF(QN_OP_ADD), (uint32_t[]){*sum, rows}, 2, "embedding");
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
    struct qn_program_op embed = OP_OF(QN_OP_EMBED);
    embed.u.embed.scale = b->c->embedding_scale;
    const uint32_t inputs[] = {b->p->ids, b->embed};
    QN_TRY(add_op(out, b, &embed, inputs, 2, "embedding"));
    QN_TRY(out_of_order(out, b, b->embed));
    if (qn_weights_has(b->w, QN_ROLE_POSITIONS)) {
        const struct qn_weight_part positions = {QN_ROLE_POSITIONS, b->c->context,
                                                 .first = b->c->first_position};
        uint32_t table;
        QN_TRY(qn_weights_matrix(&table, &same, b->w, &positions, 1, 0, b->c->hidden, b->err));
        QN_TRY(add_rows(out, b, table, QN_EMBED_BY_POSITION, "positions"));
    }
    /* GGUF files may lack them. */
    if (qn_weights_has(b->w, QN_ROLE_TYPES) &&
        (b->w->d->format != QN_FORMAT_GGUF || qn_weights_present(b->w, QN_ROLE_TYPES, 0))) {
        uint32_t type;
        QN_TRY(qn_weights_row(&type, b->w, QN_ROLE_TYPES, 0, b->c->hidden, b->err));
        QN_TRY(add_rows(out, b, type, QN_EMBED_BY_NOTHING, "token type"));
    }
    return add_norm(out, b, *out, QN_ROLE_EMBED_NORM, 0, "embedding norm");
}

static enum qn_status add_head(struct builder *b, uint32_t hidden) {
    const struct qn_model_config *c = b->c;
    const struct qn_weight_part part = {QN_ROLE_HEAD, c->vocab};
    uint32_t last = hidden, normed, head = b->embed;
    bool same;
    if (!b->last)
        QN_TRY(add_op(&last, b, &OP_OF(QN_OP_LAST_ROWS), &hidden, 1, "last rows"));
    if (c->traits->encoder) {
        b->p->logits = last;
        return QN_OK;
    }
    QN_TRY(add_norm_of(&normed, b, (struct qn_operand){last, 0}, QN_ROLE_FINAL_NORM, 0, c->hidden,
                       c->hidden, false, b->p->states ? 1.0f : c->logit_scale, "final norm"));
    if (b->p->states) {
        b->p->logits = normed;
        return QN_OK;
    }
    if (!c->tied)
        QN_TRY(qn_weights_matrix(&head, &same, b->w, &part, 1, 0, c->hidden, b->err));
    QN_TRY(in_order(&normed, b, normed, head));
    uint32_t bias;
    QN_TRY(qn_weights_bias(&bias, b->w, c->traits->head_bias, &part, 1, 0, b->err));
    struct qn_program_op op = OP_OF(QN_OP_MATMUL);
    op.u.matmul.softcap = c->logit_softcap;
    return add_op(&b->p->logits, b, &op, (uint32_t[]){normed, head, bias}, 3, "logits");
}

enum qn_status qn_decoder_build(const struct qn_weights *weights, const struct qn_rope *rope,
                                const struct qn_model_options *options, struct qn_error *err) {
    static const float still[1] = {0.0f}; // no rotation: one pair that never turns
    struct builder b = {
        .w = weights,
        .c = weights->config,
        .p = weights->program,
        .rope = rope,
        .n_rot = rope->all ? weights->config->n_rot : 2,
        .local_freq = QN_NONE,
        .relative = QN_NONE,
        .state_dtype = qn_kv_dtype(options->kv_type),
        .err = err,
    };
    uint32_t hidden;
    QN_TRY(add_embedding(&hidden, &b));
    QN_TRY(computed(&b.freq, &b, "inverse frequencies", rope->all ? rope->all : still,
                    b.n_rot / 2 * rope->n_sets));
    if (rope->local)
        QN_TRY(computed(&b.local_freq, &b, "inverse frequencies", rope->local, b.n_rot / 2));
    if (qn_weights_has(weights, QN_ROLE_RELATIVE)) {
        const float *values;
        QN_TRY(qn_relative_read(&values, weights, err));
        QN_TRY(computed(&b.relative, &b, "distances", values, b.c->n_heads * QN_RELATIVE));
    }
    for (uint32_t layer = 0; layer < b.c->n_layers; layer++)
        QN_TRY(add_layer(&hidden, &b, hidden, layer));
    b.p->states = options->states;
    return add_head(&b, hidden);
}
