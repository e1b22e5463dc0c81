/* Fusion of neighbours in the data flow. The fused op takes the place of the later one, where all
 * operands of both exist; nothing between them can read the intermediate, which has one use. */

#include "program/shape.h"

struct facts {
    uint32_t *uses;     // [n_tensors] operands that name it; the logits count as one
    uint32_t *producer; // [n_tensors] op, or QN_NONE
    bool *dead;         // [n_ops]
};

static enum qn_status facts_gather(struct facts *f, const struct qn_program *p,
                                   struct qn_error *err) {
    f->uses = QN_ARENA_NEW(p->arena, uint32_t, p->n_tensors);
    f->producer = QN_ARENA_NEW(p->arena, uint32_t, p->n_tensors);
    f->dead = QN_ARENA_NEW(p->arena, bool, p->n_ops);
    if (!f->uses || !f->producer || !f->dead)
        return qn_fail(err, QN_E_NO_MEMORY, "fusing a program of %u ops", p->n_ops);
    for (uint32_t i = 0; i < p->n_tensors; i++)
        f->producer[i] = QN_NONE;
    for (uint32_t i = 0; i < p->n_ops; i++) {
        const struct qn_program_op *op = &p->ops[i];
        if (op->out >= p->n_tensors)
            return qn_fail(err, QN_E_INTERNAL, "op %u has no result", i);
        f->producer[op->out] = i;
        for (uint32_t j = 0; j < QN_OP_INPUTS; j++)
            if (op->in[j].tensor < p->n_tensors)
                f->uses[op->in[j].tensor]++;
    }
    if (p->logits < p->n_tensors)
        f->uses[p->logits]++;
    return QN_OK;
}

/* The live op that makes this operand, adds nothing yet and has no other use, or NULL. */
static const struct qn_program_op *sole(const struct qn_program *p, const struct facts *f,
                                        struct qn_operand in, uint32_t before) {
    if (in.tensor >= p->n_tensors || in.column || f->uses[in.tensor] != 1)
        return NULL;
    uint32_t at = f->producer[in.tensor];
    if (at == QN_NONE || at >= before || f->dead[at] || p->ops[at].in[3].tensor != QN_NONE)
        return NULL;
    return &p->ops[at];
}

static bool is_matmul(const struct qn_program_op *op) {
    return op && op->kind == QN_OP_MATMUL && op->u.matmul.softcap == 0.0f;
}

static bool is_norm(const struct qn_program_op *op) {
    return op && (op->kind == QN_OP_RMSNORM || op->kind == QN_OP_LAYERNORM);
}

static void fuse_at(struct qn_program *p, struct facts *f, uint32_t at) {
    struct qn_program_op *op = &p->ops[at];
    if (op->kind == QN_OP_GLU) {
        const struct qn_program_op *matmul = sole(p, f, op->in[0], at);
        if (!is_matmul(matmul) || op->in[1].tensor != QN_NONE)
            return;
        f->dead[matmul - p->ops] = true;
        struct qn_program_op fused = *matmul;
        fused.kind = QN_OP_MATMUL_GLU;
        fused.out = op->out;
        fused.u.glu.act = op->u.glu.act;
        *op = fused;
        return;
    }
    bool sum = op->kind == QN_OP_ADD && op->in[2].tensor == QN_NONE &&
               (op->u.add.scale == 0.0f || op->u.add.scale == 1.0f);
    /* The matmul is usually the second summand: hidden + projection. */
    for (uint32_t i = 2; sum && i-- > 0;) {
        const struct qn_program_op *part = sole(p, f, op->in[i], at);
        if (!is_matmul(part) && !is_norm(part))
            continue;
        f->dead[part - p->ops] = true;
        struct qn_program_op fused = *part;
        fused.in[3] = op->in[1 - i];
        fused.out = op->out;
        *op = fused;
        return;
    }
}

/* Drops dead ops, and the activations that nothing makes any more. */
static enum qn_status compact(struct qn_program *p, const struct facts *f, struct qn_error *err) {
    uint32_t *place = QN_ARENA_NEW(p->arena, uint32_t, p->n_tensors);
    if (!place)
        return qn_fail(err, QN_E_NO_MEMORY, "fusing a program of %u tensors", p->n_tensors);
    for (uint32_t i = 0; i < p->n_ops; i++)
        if (f->dead[i])
            place[p->ops[i].out] = QN_NONE;
    /* A fused op keeps the later op's result, so a dead op's result is named by no live op. */
    uint32_t n = 0;
    for (uint32_t i = 0; i < p->n_tensors; i++) {
        if (place[i] == QN_NONE)
            continue;
        place[i] = n;
        p->tensors[n++] = p->tensors[i];
    }
    p->n_tensors = n;
    n = 0;
    for (uint32_t i = 0; i < p->n_ops; i++) {
        if (f->dead[i])
            continue;
        struct qn_program_op op = p->ops[i];
        op.out = place[op.out];
        for (uint32_t j = 0; j < QN_OP_INPUTS; j++)
            if (op.in[j].tensor != QN_NONE)
                op.in[j].tensor = place[op.in[j].tensor];
        p->ops[n++] = op;
    }
    p->n_ops = n;
    if (p->ids != QN_NONE)
        p->ids = place[p->ids];
    if (p->logits != QN_NONE)
        p->logits = place[p->logits];
    return QN_OK;
}

enum qn_status qn_program_fuse(struct qn_program *p, struct qn_error *err) {
    struct facts facts;
    QN_TRY(facts_gather(&facts, p, err));
    for (uint32_t i = 0; i < p->n_ops; i++)
        fuse_at(p, &facts, i);
    return compact(p, &facts, err);
}
