/* Inside src/cpu: kernels over rows of a weight, one set per value type.
 *
 * Plain types multiply in float32. Scaled ones multiply integers: the input becomes
 * q = round(x / unit), |q| ≤ 32639, and the rest r = round((x / unit − q) 2^FINE), with a unit per
 * group of 32 columns, so that products and their sums within a group are exact; units, scales and
 * minima come in per group, in float32. Without r an error of x would be up to 1/65278 of the
 * largest of its group, and logits' 1e-4; with it they are as float32's. */
#ifndef QN_CPU_KERNELS_H
#define QN_CPU_KERNELS_H

#include "base/num.h"
#include "cpu/exec.h"

/* Rows of a prompt's step up to which plain types are not decoded first. */
#define QN_CPU_FEW 2

/* And up to which scaled ones are multiplied as integers. */
#define QN_CPU_MANY 8

/* What a row of x is made into. Integers lie by groups of 32 columns, as many groups side by side
 * as have bytes of W in a vector, followed by the group's unit / 2^FINE, four times. Behind all
 * groups come sums, as W's scales lie once decoded (one, a pair, or both for each 16 columns): of
 * columns that share a scale −zero × unit × Σ (q + r / 2^FINE), or 0 and the same without zero
 * where there are minima. */
enum qn_cpu_input_type {
    QN_CPU_FLOATS, // in order, padded to whole groups
    QN_CPU_WORDS,  // int16: q, r
    QN_CPU_BYTES,  // int8: hi and lo of q = 256 hi + lo, r
};
#define QN_CPU_LARGEST 32639 // 127 × 256 + 127: hi and lo fit in bytes
#define QN_CPU_FINE 6        // bits of r

/* Products of n_rows rows of W, an even number or one input's, with `tokens` prepared inputs:
 * out[t * step + i] = Σ_k w[rows[i], k] x[t * stride + k]. */
struct qn_cpu_dots {
    float *out;
    const struct qn_cpu_weight *w;
    const uint32_t *rows;
    const float *x;
    size_t step, stride;
    uint32_t n_rows, tokens;
};

struct qn_cpu_kernel {
    enum qn_cpu_input_type input;
    void (*dots)(const struct qn_cpu_dots *d);
    /* Decodes n columns of a row from `col` on, both multiples of 32. */
    void (*expand)(float *out, const struct qn_cpu_weight *w, uint32_t row, uint32_t col,
                   uint32_t n);
};

/* Of a valid format. */
const struct qn_cpu_kernel *qn_cpu_kernel_of(const struct qn_wformat *format);

/* Scales and minima that a group of 32 columns has. */
static inline size_t qn_cpu_entries(const struct qn_wformat *f) {
    return (size_t)(f->minimum ? 2 : 1) * (f->group < QN_GROUP ? 2 : 1);
}

/* Floats of a prepared group, and where the sums of a row begin; zeros follow them. */
#define QN_CPU_BYTES_GROUP 28
#define QN_CPU_WORDS_GROUP 36
static inline size_t qn_cpu_sums(uint32_t cols) {
    return (size_t)qn_ceil_div_u32(cols, 2 * QN_GROUP) * (2 * QN_CPU_WORDS_GROUP);
}

/* Floats of one row of a prepared input: whole lines of the cache. */
static inline size_t qn_cpu_prepared(uint32_t cols) {
    size_t all = qn_cpu_sums(cols) + (size_t)qn_ceil_div_u32(cols, 2 * QN_GROUP) * 8 + 16;
    return (all + 15) / 16 * 16;
}

/* Makes rows of x into what the kernel takes, or floats, in `scratch`, or leaves them where they
 * fit. */
struct qn_cpu_rows qn_cpu_prepare(const struct qn_cpu_step *step, const struct qn_cpu_rows *x,
                                  const struct qn_cpu_weight *w, bool floats);

#endif
