/* Memory plan: lives of activations, and a place for each in one arena, first fit over the gaps
 * between what is live. An op's operands live through it, so its result never overlaps them. */
#include "base/num.h"
#include "program/shape.h"

static enum qn_status lives(struct qn_program *p, struct qn_error *err) {
    for (uint32_t i = 0; i < p->n_tensors; i++)
        p->tensors[i].first_op = p->tensors[i].last_op = QN_NONE;
    for (uint32_t i = 0; i < p->n_ops; i++) {
        const struct qn_program_op *op = &p->ops[i];
        for (uint32_t j = 0; j < QN_OP_INPUTS; j++) {
            if (op->in[j].tensor == QN_NONE)
                continue;
            if (op->in[j].tensor >= p->n_tensors)
                return qn_fail(err, QN_E_INTERNAL, "op %u, input %u: no tensor %u", i, j,
                               op->in[j].tensor);
            struct qn_program_tensor *tensor = &p->tensors[op->in[j].tensor];
            if (tensor->kind == QN_TENSOR_ACTIVATION && tensor->first_op == QN_NONE)
                return qn_fail(err, QN_E_INTERNAL, "op %u %s, input %u is used before it is made",
                               i, qn_op_name(op->kind), j);
            if (tensor->first_op == QN_NONE)
                tensor->first_op = i;
            tensor->last_op = i;
        }
        if (op->out >= p->n_tensors || p->tensors[op->out].first_op != QN_NONE)
            return qn_fail(err, QN_E_INTERNAL, "op %u %s: its result is made twice", i,
                           qn_op_name(op->kind));
        p->tensors[op->out].first_op = p->tensors[op->out].last_op = i;
    }
    if (p->logits < p->n_tensors && p->n_ops) // read after the step
        p->tensors[p->logits].last_op = p->n_ops - 1;
    return QN_OK;
}

static enum qn_status sizes(struct qn_program *p, struct qn_error *err) {
    p->state_bytes = 0;
    for (uint32_t i = 0; i < p->n_tensors; i++) {
        struct qn_program_tensor *tensor = &p->tensors[i];
        tensor->offset = tensor->nbytes = 0;
        bool state = tensor->kind == QN_TENSOR_STATE;
        if (!state && tensor->kind != QN_TENSOR_ACTIVATION)
            continue;
        if (!qn_shape_bytes(&tensor->nbytes, p, tensor) ||
            (state && !qn_add_u64(&p->state_bytes, p->state_bytes, tensor->nbytes)))
            return qn_fail(err, QN_E_LIMIT, "tensor %u (%s) is too large for %u tokens", i,
                           tensor->label ? tensor->label : "unnamed", p->max_tokens);
    }
    return QN_OK;
}

enum qn_status qn_program_plan(struct qn_program *p, struct qn_error *err) {
    QN_TRY(lives(p, err));
    QN_TRY(sizes(p, err));
    p->arena_bytes = 0;
    uint32_t *live = QN_ARENA_NEW(p->arena, uint32_t, p->n_ops); // tensors by ascending offset
    if (!live)
        return qn_fail(err, QN_E_NO_MEMORY, "planning a program of %u ops", p->n_ops);
    uint32_t n_live = 0;
    for (uint32_t i = 0; i < p->n_ops; i++) {
        uint32_t kept = 0;
        for (uint32_t j = 0; j < n_live; j++)
            if (p->tensors[live[j]].last_op >= i)
                live[kept++] = live[j];
        n_live = kept;

        struct qn_program_tensor *out = &p->tensors[p->ops[i].out];
        uint64_t begin = 0, end;
        uint32_t at = 0;
        for (; at < n_live; at++) {
            const struct qn_program_tensor *next = &p->tensors[live[at]];
            if (next->offset >= begin && next->offset - begin >= out->nbytes)
                break;
            if (!qn_add_u64(&end, next->offset, next->nbytes) ||
                !qn_align_up_u64(&begin, end, QN_PLAN_ALIGN))
                return qn_fail(err, QN_E_LIMIT, "the activations are too large");
        }
        if (!qn_add_u64(&end, begin, out->nbytes))
            return qn_fail(err, QN_E_LIMIT, "the activations are too large");
        out->offset = begin;
        for (uint32_t j = n_live++; j > at; j--)
            live[j] = live[j - 1];
        live[at] = p->ops[i].out;
        if (end > p->arena_bytes)
            p->arena_bytes = end;
    }
    return QN_OK;
}
