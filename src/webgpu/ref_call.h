/* Inside the reference kernels: checked access to a dispatch. */
#ifndef QN_WEBGPU_REF_CALL_H
#define QN_WEBGPU_REF_CALL_H

#include "webgpu/ref_kernels.h"

#define QN_REF_LOWEST (-3.4e38f) // as in the kernels

typedef enum qn_status qn_ref_fn(const struct qn_ref_call *c, struct qn_error *err);

/* Binding i holds at least count × size bytes. */
enum qn_status qn_ref_holds(const struct qn_ref_call *c, uint32_t i, uint64_t count, uint64_t size,
                            struct qn_error *err);
/* The call's grid has at least these workgroups. */
enum qn_status qn_ref_covers(const struct qn_ref_call *c, struct qn_grid grid,
                             struct qn_error *err);
/* Elements up to the end of the last of `rows` rows of a strided view. */
uint64_t qn_ref_extent(uint32_t rows, uint32_t stride, uint32_t column, uint32_t cols);

/* Order-preserving key of a float's bits: NaN → 0, −0 as 0. And back. */
uint32_t qn_ref_key(uint32_t bits);
float qn_ref_value(uint32_t key);

struct qn_ref_weights {
    struct qn_wformat format;
    const unsigned char *values, *scales;
    uint32_t groups;             // per row
    size_t value_row, scale_row; // bytes
};
/* Bindings `at` and `at + 1` as `rows` rows of weights, formed as constants 0..2 say. */
enum qn_status qn_ref_weights_of(struct qn_ref_weights *out, const struct qn_ref_call *c,
                                 uint32_t at, uint32_t cols, uint64_t rows, struct qn_error *err);
void qn_ref_decode_group(float out[QN_GROUP], const struct qn_ref_weights *w, size_t row,
                         uint32_t group);
double qn_ref_act(uint32_t kind, double x);

/* x of a matvec_dot's row z from binding 2, the partial of attention_split with heads of `dim`. */
enum qn_status qn_ref_joined(float out[QN_MATVEC_DOT_MADE], const struct qn_ref_call *c,
                             uint32_t dim, uint32_t z, struct qn_error *err);

qn_ref_fn qn_ref_rope_append, qn_ref_attention_split, qn_ref_attention_merge,
    qn_ref_attention_prefill;
qn_ref_fn qn_ref_route, qn_ref_expert_glu, qn_ref_expert_down;
qn_ref_fn qn_ref_argmax_partial, qn_ref_argmax_final, qn_ref_sample_prepare,
    qn_ref_sample_threshold, qn_ref_sample_finish, qn_ref_seen_mark;

#endif
