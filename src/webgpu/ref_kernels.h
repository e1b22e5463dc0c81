/* What every kernel computes, as plain C over the same bindings, parameters and constants. The
 * reference host runs tapes with it; tests compare the WGSL with it. */
#ifndef QN_WEBGPU_REF_KERNELS_H
#define QN_WEBGPU_REF_KERNELS_H

#include "webgpu/grids.h"

/* One dispatch. Bindings in the order of the kernel's list; a binding may be larger than needed. */
struct qn_ref_call {
    void *p[QN_KERNEL_BINDINGS];
    size_t n[QN_KERNEL_BINDINGS];         // bytes
    float constants[QN_KERNEL_CONSTANTS]; // in the order of qn_kernel.constants
    struct qn_grid grid;
};

/* Runs the dispatch. QN_E_INTERNAL when a binding is too small for what the parameters ask, or the
 * grid does not cover the result; then nothing was computed. */
enum qn_status qn_ref_run(enum qn_kernel_id id, const struct qn_ref_call *call,
                          struct qn_error *err);

#endif
