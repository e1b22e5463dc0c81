/* Which ops have no dispatch of their own in lists of few rows. */
#include "webgpu/lower_parts.h"

void qn_lower_fuse(const struct qn_lower *l, bool *fused, uint32_t *producer) {
    const struct qn_program *p = l->program;
    for (uint32_t i = 0; i < p->n_tensors; i++)
        producer[i] = QN_NONE;
    for (uint32_t i = 0; i < p->n_ops; i++) {
        producer[p->ops[i].out] = i;
        fused[i] = p->ops[i].out != p->logits &&
                   (p->ops[i].kind == QN_OP_LAST_ROWS ||
                    (p->ops[i].kind == QN_OP_RMSNORM && p->tensors[p->ops[i].out].dims[0].n == 1 &&
                     !p->ops[i].u.norm.cols && !p->ops[i].u.norm.group &&
                     p->ops[i].in[3].tensor == QN_NONE));
    }
    for (uint32_t i = 0; i < p->n_ops; i++) {
        const struct qn_program_op *op = &p->ops[i];
        bool matmul = op->kind == QN_OP_MATMUL || op->kind == QN_OP_MATMUL_GLU;
        for (uint32_t j = 0; j < QN_OP_INPUTS; j++) {
            uint32_t made = op->in[j].tensor == QN_NONE ? QN_NONE : producer[op->in[j].tensor];
            if (made == QN_NONE || !fused[made])
                continue;
            const struct qn_program_op *by = &p->ops[made];
            bool norm = op->kind == QN_OP_RMSNORM || op->kind == QN_OP_LAYERNORM;
            bool x = j == 0 && (matmul || norm);
            if (by->kind == QN_OP_LAST_ROWS)
                fused[made] = x || (j == 3 && op->kind == QN_OP_RMSNORM && by->in[0].column == 0);
            else // a norm: its operand must suit the matvec that takes its place
                fused[made] =
                    x && matmul && op->in[j].column == 0 &&
                    qn_lower_matvec_takes(qn_lower_columns(p, by->out),
                                          qn_lower_columns(p, by->in[0].tensor), by->in[0].column);
        }
    }
}

/* The first op behind `after` that reads a tensor, or QN_NONE. */
static uint32_t reader_of(const struct qn_program *p, uint32_t tensor, uint32_t after) {
    for (uint32_t i = after + 1; i < p->n_ops; i++)
        for (uint32_t j = 0; j < QN_OP_INPUTS; j++)
            if (p->ops[i].in[j].tensor == tensor)
                return i;
    return QN_NONE;
}

/* How many operands of ops a tensor is. */
uint32_t qn_lower_uses(const struct qn_program *p, uint32_t tensor) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < p->n_ops; i++)
        for (uint32_t j = 0; j < QN_OP_INPUTS; j++)
            n += p->ops[i].in[j].tensor == tensor;
    return n;
}

bool qn_lower_keeps(const struct qn_program *p, const struct qn_program_op *post) {
    return qn_lower_uses(p, post->out) > 1;
}

/* Whether operand x of an op lies as matvecs read it. */
static bool aligned(const struct qn_lower_mode *mode, const struct qn_lower *l,
                    struct qn_operand in) {
    struct qn_lower_source s = qn_lower_source_of(l, mode, in, false);
    return qn_lower_matvec_takes(4, s.stride, s.column);
}

void qn_lower_fold(const struct qn_lower *l, bool *fused, uint32_t *partner,
                   const struct qn_lower_mode *mode) {
    const struct qn_program *p = l->program;
    for (uint32_t i = 0; i < p->n_ops; i++)
        partner[i] = QN_NONE;
    for (uint32_t i = 0; i < p->n_ops; i++) {
        const struct qn_program_op *post = &p->ops[i], *norm = NULL;
        if (post->kind != QN_OP_RMSNORM || post->in[3].tensor == QN_NONE || post->u.norm.cols ||
            post->u.norm.group || p->tensors[post->out].dims[0].n != 1 ||
            !aligned(mode, l, post->in[0]) || !aligned(mode, l, post->in[3]))
            continue;
        uint32_t at = reader_of(p, post->out, i), next;
        if (at != QN_NONE && fused[at] && p->ops[at].kind == QN_OP_RMSNORM) {
            norm = &p->ops[at];
            next = reader_of(p, post->out, at);
            at = reader_of(p, norm->out, at);
            if (next < at) // it would have to be there before the matvec
                continue;
        }
        const struct qn_program_op *op = at == QN_NONE ? NULL : &p->ops[at];
        if (op == NULL || (op->kind != QN_OP_MATMUL && op->kind != QN_OP_MATMUL_GLU) ||
            op->in[0].tensor != (norm ? norm->out : post->out) || op->in[0].column != 0 ||
            op->in[3].tensor != QN_NONE || partner[at] != QN_NONE ||
            qn_lower_by_rows(p, op->out) != qn_lower_by_rows(p, post->out) ||
            (qn_lower_keeps(p, post) && (norm == NULL || op->out == p->logits)))
            continue;
        const struct qn_weight *weight = &p->weights[p->tensors[op->in[1].tensor].weight];
        struct qn_params_matmul shape = {.cols = weight->cols, .n_rows = weight->rows};
        if (weight->cols > QN_MATVEC_DOT_MADE || weight->cols % 4 != 0 ||
            weight->cols != qn_lower_columns(p, post->out) ||
            !qn_matvec_dot_takes(&weight->format) ||
            qn_matvec_dot_tune(&shape, op->kind == QN_OP_MATMUL_GLU, &l->caps).span == 0 ||
            (norm &&
             qn_lower_vector_of(l, norm->in[1]).offset < qn_lower_vector_of(l, post->in[1]).offset))
            continue;
        fused[i] = true;
        partner[i] = at;
        partner[at] = i;
    }
}

const struct qn_program_op *qn_lower_head_norm(const struct qn_program *p,
                                               const struct qn_program_op *rope, uint32_t in,
                                               const uint32_t *producer) {
    uint32_t made = producer[rope->in[in].tensor], dim = rope->u.rope.head_dim;
    if (made == QN_NONE || p->ops[made].kind != QN_OP_RMSNORM)
        return NULL;
    const struct qn_program_op *norm = &p->ops[made];
    bool heads = norm->u.norm.group == dim || (!norm->u.norm.group && norm->u.norm.cols == dim);
    return heads && norm->in[3].tensor == QN_NONE && rope->in[in].column == 0 &&
                   !rope->u.rope.head_stride && qn_lower_columns(p, norm->in[1].tensor) == dim &&
                   qn_lower_uses(p, norm->out) == 1
               ? norm
               : NULL;
}

void qn_lower_fuse_ropes(const struct qn_lower *l, bool *fused, const uint32_t *producer) {
    const struct qn_program *p = l->program;
    for (uint32_t i = 0; i < p->n_ops; i++) {
        const struct qn_program_op *op = &p->ops[i];
        uint32_t made = op->kind == QN_OP_ATTENTION ? producer[op->in[0].tensor] : QN_NONE;
        if (made == QN_NONE || p->ops[made].kind != QN_OP_ROPE_APPEND)
            continue;
        const struct qn_program_op *rope = &p->ops[made];
        fused[made] = op->in[0].column == 0 && op->in[1].tensor == rope->in[3].tensor &&
                      op->in[2].tensor == rope->in[4].tensor &&
                      op->u.attention.head_dim == rope->u.rope.head_dim &&
                      op->u.attention.n_heads == rope->u.rope.n_heads &&
                      op->u.attention.n_kv_heads == rope->u.rope.n_kv_heads &&
                      qn_lower_uses(p, rope->out) == 1;
        const struct qn_program_op *q = qn_lower_head_norm(p, rope, 0, producer);
        const struct qn_program_op *k = qn_lower_head_norm(p, rope, 1, producer);
        uint32_t freq = qn_lower_vector_of(l, rope->in[5]).offset;
        if (fused[made] && q && k && q->u.norm.eps == k->u.norm.eps &&
            qn_lower_vector_of(l, q->in[1]).offset > freq &&
            qn_lower_vector_of(l, k->in[1]).offset > freq)
            fused[q - p->ops] = fused[k - p->ops] = true;
    }
}

bool qn_lower_merge(const struct qn_lower *l, bool *merged, const struct qn_lower_mode *mode) {
    const struct qn_program *p = l->program;
    bool any = false;
    for (uint32_t i = 0; i < p->n_ops; i++) {
        const struct qn_program_op *op = &p->ops[i];
        uint32_t made = op->kind == QN_OP_MATMUL ? mode->producer[op->in[0].tensor] : QN_NONE;
        if (made == QN_NONE || p->ops[made].kind != QN_OP_ATTENTION || qn_lower_by_rows(p, op->out))
            continue;
        const struct qn_program_op *attention = &p->ops[made];
        const struct qn_weight *weight = &p->weights[p->tensors[op->in[1].tensor].weight];
        struct qn_params_matmul shape = {.cols = weight->cols, .n_rows = weight->rows};
        if (op->in[0].column != 0 || qn_lower_uses(p, attention->out) != 1 ||
            !qn_matvec_dot_takes(&weight->format) || attention->u.attention.head_dim % 8 != 0 ||
            weight->cols != attention->u.attention.n_heads * attention->u.attention.head_dim ||
            qn_matvec_dot_tune(&shape, false, &l->caps).span == 0)
            continue;
        merged[i] = merged[made] = any = true;
    }
    return any;
}
