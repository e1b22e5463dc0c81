/* The SIMD ops once more with eight lanes, for x86 processors that have AVX2, F16C and FMA, in
 * builds whose baseline is SSE2. The same sources, compiled for other instructions under other
 * names. */
#include <math.h>

#include "base/num.h"
#include "cpu/exec.h"

#if defined(__x86_64__) && !defined(__AVX2__)

#define QN_LANES 8
#define QN_CPU_F16C 1
#define qn_cpu_kernel_of qn_cpu_kernel_of_avx2
#define qn_cpu_simd_ops qn_cpu_simd_ops_avx2
#define qn_cpu_simd_norm qn_cpu_simd_norm_avx2
#define qn_cpu_simd_glu qn_cpu_simd_glu_avx2
#define qn_cpu_simd_matmul qn_cpu_simd_matmul_avx2
#define qn_cpu_simd_attention qn_cpu_simd_attention_avx2
#define qn_cpu_simd_act qn_cpu_simd_act_avx2
#define qn_cpu_simd_experts qn_cpu_simd_experts_avx2
#define qn_cpu_prepare qn_cpu_prepare_avx2

/* The renamed declarations. */
static qn_cpu_op qn_cpu_simd_norm, qn_cpu_simd_glu, qn_cpu_simd_matmul, qn_cpu_simd_attention;
static qn_cpu_op qn_cpu_simd_act, qn_cpu_simd_experts;
extern qn_cpu_op *const qn_cpu_simd_ops[QN_OP_COUNT];

#pragma clang attribute push(__attribute__((target("avx2,f16c,fma"))), apply_to = function)
#pragma clang fp contract(fast)

#include "cpu/attention.c"
#include "cpu/experts.c"
#include "cpu/kernels.c"
#include "cpu/matmul.c"
#include "cpu/prepare.c"
#include "cpu/rowwise.c"

#pragma clang attribute pop

#undef qn_cpu_simd_ops

qn_cpu_op *const *qn_cpu_best_ops(void) {
    bool wide = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("f16c") &&
                __builtin_cpu_supports("fma");
    return wide ? qn_cpu_simd_ops_avx2 : qn_cpu_simd_ops;
}

#else

qn_cpu_op *const *qn_cpu_best_ops(void) {
    return qn_cpu_simd_ops;
}

#endif
