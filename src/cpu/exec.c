#include "cpu/exec.h"

#include "base/num.h"
#include "cpu/kernels.h"

static struct qn_cpu_rows rows_of(const struct qn_cpu_step *step, uint32_t tensor,
                                  uint32_t column) {
    const struct qn_program_tensor *t = &step->program->tensors[tensor];
    uint32_t cols = 1;
    for (uint32_t i = 1; i < t->n_dims; i++)
        cols *= qn_dim_value(t->dims[i], step->t, step->r);
    return (struct qn_cpu_rows){
        .p = step->places[tensor] + column,
        .stride = cols,
        .rows = qn_dim_value(t->dims[0], step->t, step->r),
        .cols = cols,
    };
}

struct qn_cpu_rows qn_cpu_input(const struct qn_cpu_step *step, const struct qn_program_op *op,
                                uint32_t input) {
    struct qn_operand in = op->in[input];
    if (in.tensor == QN_NONE)
        return (struct qn_cpu_rows){0};
    return rows_of(step, in.tensor, in.column);
}

struct qn_cpu_rows qn_cpu_output(const struct qn_cpu_step *step, const struct qn_program_op *op) {
    return rows_of(step, op->out, 0);
}

const struct qn_cpu_weight *qn_cpu_weight_of(const struct qn_cpu_step *step,
                                             const struct qn_program_op *op, uint32_t input) {
    uint32_t tensor = op->in[input].tensor;
    return tensor == QN_NONE ? NULL : &step->weights[step->program->tensors[tensor].weight];
}

const float *qn_cpu_vector(const struct qn_cpu_step *step, const struct qn_program_op *op,
                           uint32_t input) {
    const struct qn_cpu_weight *weight = qn_cpu_weight_of(step, op, input);
    return weight == NULL ? NULL : (const float *)(const void *)weight->values;
}

void qn_cpu_weight_row(float *out, const struct qn_cpu_weight *weight, uint32_t row) {
    const unsigned char *scales = weight->scales;
    qn_wformat_decode(out, &weight->format, 0, weight->cols,
                      weight->values + row * weight->value_row,
                      scales == NULL ? NULL : scales + row * weight->scale_row);
}

size_t qn_cpu_scratch(const struct qn_program *program, const struct qn_program_op *op) {
    if (op->kind == QN_OP_ROPE_APPEND)
        return (op->u.rope.n_rot + op->u.rope.head_dim) * sizeof(float);
    bool experts = op->kind == QN_OP_EXPERT_GLU || op->kind == QN_OP_EXPERT_DOWN;
    if (!experts && op->kind != QN_OP_MATMUL && op->kind != QN_OP_MATMUL_GLU)
        return 0;
    const struct qn_weight *w = &program->weights[program->tensors[op->in[1].tensor].weight];
    uint32_t rows = program->max_tokens;
    uint64_t all = (uint64_t)rows * (op->kind == QN_OP_EXPERT_DOWN ? op->u.moe.n_used : 1);
    if (!qn_u64_to_u32(&rows, all))
        return SIZE_MAX;
    size_t row = qn_cpu_prepared(w->cols) * sizeof(float), size;
    return qn_mul_size(&size, rows, row) && size < SIZE_MAX - 64 ? size + 64 : SIZE_MAX;
}
