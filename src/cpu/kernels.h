/* Inside src/cpu: kernels over rows of a weight, one set per value type. */
#ifndef QN_CPU_KERNELS_H
#define QN_CPU_KERNELS_H

#include "cpu/exec.h"

/* Tokens of a step up to which products are dots with W decoded anew for each token. */
#define QN_CPU_FEW 2

/* How the input of `dot` lies: cols padded to whole groups with zeros, and in this order. */
enum qn_cpu_order {
    QN_CPU_NATURAL,
    QN_CPU_EVEN_ODD, // per group of 32: columns 0, 2, … 30, then 1, 3, … 31, as nibbles unpack
};

struct qn_cpu_kernel {
    enum qn_cpu_order order;
    /* Σ_k w[row, k] x[k] */
    float (*dot)(const struct qn_cpu_weight *w, uint32_t row, const float *x);
    /* NULL, or decodes groups begin .. begin + n - 1 of a row as dot sees them: values
     * [n][QN_GROUP] not yet scaled, and their scales [n], which has room for whole vectors. */
    void (*unpack)(float *values, float *scales, const struct qn_cpu_weight *w, uint32_t row,
                   size_t begin, size_t n);
    /* Decodes n columns of a row from `col` on, both multiples of 32, in natural order. */
    void (*expand)(float *out, const struct qn_cpu_weight *w, uint32_t row, uint32_t col,
                   uint32_t n);
};

/* Of a valid format. A faster mode (integer activations) would be a second function. */
const struct qn_cpu_kernel *qn_cpu_kernel_of(const struct qn_wformat *format);

/* Copies rows of x into `scratch`: padded to whole groups, and in the kernel's order. */
struct qn_cpu_rows qn_cpu_prepare(float *scratch, const struct qn_cpu_rows *x, uint32_t cols,
                                  enum qn_cpu_order order);

#endif
