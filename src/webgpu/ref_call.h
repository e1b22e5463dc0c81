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
enum qn_status qn_ref_covers(const struct qn_ref_call *c, struct qn_grid grid, struct qn_error *err);

/* Order-preserving key of a float's bits: NaN → 0, −0 as 0. And back. */
uint32_t qn_ref_key(uint32_t bits);
float qn_ref_value(uint32_t key);

qn_ref_fn qn_ref_argmax_partial, qn_ref_argmax_final, qn_ref_sample_prepare,
    qn_ref_sample_threshold, qn_ref_sample_finish, qn_ref_seen_mark;

#endif
