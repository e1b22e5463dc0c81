/* Building a program: growable lists in the model's arena. Outgrown lists stay in the arena until
 * it is freed whole; doubling bounds that waste by the final size. */
#include "program/program.h"

#include <string.h>

#define MAX_ITEMS 65536u

void qn_program_init(struct qn_program *p, struct qn_arena *arena, uint32_t max_tokens,
                     uint32_t context) {
    *p = (struct qn_program){
        .arena = arena,
        .max_tokens = max_tokens,
        .max_rows = max_tokens,
        .context = context,
        .ids = QN_NONE,
        .logits = QN_NONE,
    };
}

/* Room for one more item; *list may move. */
static enum qn_status grow(void **list, uint32_t *cap, uint32_t n, size_t item,
                           struct qn_arena *arena, const char *what, struct qn_error *err) {
    if (n < *cap)
        return QN_OK;
    if (n >= MAX_ITEMS)
        return qn_fail(err, QN_E_LIMIT, "a program has more than %u %s", MAX_ITEMS, what);
    uint32_t new_cap = *cap ? *cap * 2 : 64;
    void *moved = qn_arena_alloc(arena, new_cap, item);
    if (!moved)
        return qn_fail(err, QN_E_NO_MEMORY, "room for %u %s of a program", new_cap, what);
    if (n)
        memcpy(moved, *list, n * item);
    *list = moved;
    *cap = new_cap;
    return QN_OK;
}

enum qn_status qn_program_add_weight(struct qn_program *p, uint32_t *out,
                                     const struct qn_weight *weight, struct qn_error *err) {
    void *list = p->weights;
    QN_TRY(
        grow(&list, &p->cap_weights, p->n_weights, sizeof *p->weights, p->arena, "weights", err));
    p->weights = list;
    p->weights[p->n_weights] = *weight;
    *out = p->n_weights++;
    return QN_OK;
}

enum qn_status qn_program_add_tensor(struct qn_program *p, uint32_t *out,
                                     const struct qn_program_tensor *tensor, struct qn_error *err) {
    void *list = p->tensors;
    QN_TRY(
        grow(&list, &p->cap_tensors, p->n_tensors, sizeof *p->tensors, p->arena, "tensors", err));
    p->tensors = list;
    p->tensors[p->n_tensors] = *tensor;
    *out = p->n_tensors++;
    return QN_OK;
}

enum qn_status qn_program_add_op(struct qn_program *p, uint32_t *out,
                                 const struct qn_program_op *op, const char *label,
                                 struct qn_error *err) {
    void *list = p->ops;
    QN_TRY(grow(&list, &p->cap_ops, p->n_ops, sizeof *p->ops, p->arena, "ops", err));
    p->ops = list;
    struct qn_program_tensor result = {
        .kind = QN_TENSOR_ACTIVATION,
        .dtype = QN_DTYPE_F32,
        .weight = QN_NONE,
        .label = label,
    };
    uint32_t tensor;
    QN_TRY(qn_program_add_tensor(p, &tensor, &result, err));
    p->ops[p->n_ops] = *op;
    p->ops[p->n_ops].out = tensor;
    p->n_ops++;
    *out = tensor;
    return QN_OK;
}

const char *qn_op_name(enum qn_op_kind kind) {
    switch (kind) {
    case QN_OP_EMBED:
        return "embed";
    case QN_OP_RMSNORM:
        return "rmsnorm";
    case QN_OP_MATMUL:
        return "matmul";
    case QN_OP_MATMUL_GLU:
        return "matmul_glu";
    case QN_OP_GLU:
        return "glu";
    case QN_OP_ADD:
        return "add";
    case QN_OP_ROPE_APPEND:
        return "rope_append";
    case QN_OP_ATTENTION:
        return "attention";
    case QN_OP_LAST_ROWS:
        return "last_rows";
    case QN_OP_GATHER:
        return "gather";
    case QN_OP_LAYERNORM:
        return "layernorm";
    case QN_OP_ACT:
        return "act";
    case QN_OP_ROUTE:
        return "route";
    case QN_OP_EXPERT_GLU:
        return "expert_glu";
    case QN_OP_EXPERT_DOWN:
        return "expert_down";
    case QN_OP_COUNT:
        break;
    }
    return "unknown";
}
