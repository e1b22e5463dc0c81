/* Inside src/program: the shape rule of every op, shared by inference and verification. */
#ifndef QN_PROGRAM_SHAPE_H
#define QN_PROGRAM_SHAPE_H

#include "program/program.h"

struct qn_shape {
    uint32_t n_dims;
    struct qn_dim dims[QN_TENSOR_DIMS];
};

bool qn_dim_same(struct qn_dim a, struct qn_dim b);
bool qn_shape_same(const struct qn_shape *a, const struct qn_shape *b);
struct qn_shape qn_shape_of(const struct qn_program_tensor *tensor);
/* Bytes at max_tokens and max_rows; of a state [n_kv_heads, context, head_dim], as quant/kv.h keeps
 * it. False on overflow. */
bool qn_shape_bytes(uint64_t *out, const struct qn_program *p,
                    const struct qn_program_tensor *tensor);

/* The shape of the result of ops[at], from its operands' shapes; checks every operand and parameter
 * of the op. QN_E_INTERNAL. */
enum qn_status qn_op_result(struct qn_shape *out, const struct qn_program *p, uint32_t at,
                            struct qn_error *err);

/* Bytes that a live activation takes in the arena, and their alignment. */
#define QN_PLAN_ALIGN 256

#endif
