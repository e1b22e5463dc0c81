/* Inside src/cpu: kernels over rows of a weight, one set per value type. */
#ifndef QN_CPU_KERNELS_H
#define QN_CPU_KERNELS_H

#include "cpu/exec.h"

/* Tokens of a step up to which products are dots with W decoded anew for each token. */
#define QN_CPU_FEW 2

#define QN_CPU_STRIP 2048 // columns whose scales are decoded at a time

/* How the input of `dot` lies: cols padded to whole groups with zeros, and in this order. For
 * weights with minima there follow, per columns that share one, 0 and minus their sum. */
enum qn_cpu_order {
    QN_CPU_NATURAL,
    QN_CPU_EVEN_ODD, // per group of 32: columns 0, 2, … 30, then 1, 3, … 31, as nibbles unpack
};

struct qn_cpu_kernel {
    enum qn_cpu_order order;
    /* Σ_k w[row, k] x[k] */
    float (*dot)(const struct qn_cpu_weight *w, uint32_t row, const float *x);
    /* NULL, or adds what dot sums for n rows of x, `stride` apart, and groups begin .. end - 1 to
     * totals [n][8 lanes], in the same order. begin: a multiple of QN_CPU_STRIP / QN_GROUP. */
    void (*dots)(float *totals, const struct qn_cpu_weight *w, uint32_t row, const float *x,
                 size_t stride, uint32_t n, size_t begin, size_t end);
    /* Decodes n columns of a row from `col` on, both multiples of 32 and col of a block of scales,
     * in natural order. */
    void (*expand)(float *out, const struct qn_cpu_weight *w, uint32_t row, uint32_t col,
                   uint32_t n);
};

/* Of a valid format. A faster mode (integer activations) would be a second function. */
const struct qn_cpu_kernel *qn_cpu_kernel_of(const struct qn_wformat *format);

/* Floats of one row of a prepared input. */
static inline size_t qn_cpu_prepared(uint32_t cols) {
    size_t padded = qn_wformat_cols(cols);
    return padded + padded / 8 + 8;
}

/* Copies rows of x into `scratch`: padded to whole groups, in this order, and with sums where the
 * weight has minima and the order is the kernel's for dots. */
struct qn_cpu_rows qn_cpu_prepare(float *scratch, const struct qn_cpu_rows *x,
                                  const struct qn_cpu_weight *w, enum qn_cpu_order order);

#endif
