/* Inside src/cpu: kernels over rows of a weight, one set per value type.
 *
 * Plain types multiply in float32. Scaled ones multiply integers: the input becomes
 * q = round(x / unit), |q| ≤ 32639, and the rest r = round((x / unit − q) FINE), with a unit per
 * group of 32 columns, so that products and their sums within a group are exact; units, scales and
 * minima come in per group, in float32. Without r an error of x would be up to 1/65278 of the
 * largest of its group, and logits' 1e-4; with it they are as float32's. */
#ifndef QN_CPU_KERNELS_H
#define QN_CPU_KERNELS_H

#include "base/num.h"
#include "cpu/exec.h"

/* Rows of a step up to which products are dots with W decoded for each row; scaled types: one more.
 */
#define QN_CPU_FEW 2

#define QN_CPU_MANY \
    9 // rows of a prompt's step from which on scaled types are decoded to float32 too

#define QN_CPU_STRIP 1024 // columns of W that are decoded at a time

/* What a row of x is made into. Integers lie by pairs of groups; behind them each group's unit,
 * four times; then sums, as W's scales lie once decoded (one, a pair, or both for each 16 columns):
 * of columns that share a scale −zero × unit × Σ (q + r / FINE), or 0 and the same without zero
 * where there are minima; then the rests, as the integers. */
enum qn_cpu_input_type {
    QN_CPU_FLOATS, // in order, padded to whole groups
    QN_CPU_WORDS,  // int16
    QN_CPU_BYTES,  // int8: hi and lo of q = 256 hi + lo
};
#define QN_CPU_LARGEST 32639       // 127 × 256 + 127: hi and lo fit in bytes
#define QN_CPU_FINE_WORDS 32768.0f // FINE
#define QN_CPU_FINE_BYTES 128.0f

struct qn_cpu_strip {
    _Alignas(32) int16_t values[QN_CPU_STRIP];
    float scales[QN_CPU_STRIP / QN_GROUP * 4 + 16];
    float firsts[QN_CPU_STRIP / QN_GROUP * 2 + 16]; // of scales that are pairs
};

struct qn_cpu_kernel {
    enum qn_cpu_input_type input;
    /* Σ_k w[row, k] x[k], x prepared */
    float (*dot)(const struct qn_cpu_weight *w, uint32_t row, const float *x);
    /* Decodes n columns of a row from `col` on, both multiples of 32. */
    void (*expand)(float *out, const struct qn_cpu_weight *w, uint32_t row, uint32_t col,
                   uint32_t n);
    /* Scaled types: decodes n groups of a row from g on, a multiple of a strip's. */
    void (*unpack)(struct qn_cpu_strip *out, const struct qn_cpu_weight *w, uint32_t row, size_t g,
                   size_t n);
    /* Adds to totals [tokens][8 lanes], `step` floats apart, what dot sums for these groups, in
     * the same order. x: that many rows, `stride` apart. */
    void (*tile)(float *totals, size_t step, const struct qn_cpu_strip *strip,
                 const struct qn_cpu_weight *w, const float *x, size_t stride, uint32_t tokens,
                 size_t g, size_t n);
};

/* Of a valid format. */
const struct qn_cpu_kernel *qn_cpu_kernel_of(const struct qn_wformat *format);

/* Scales and minima that a group of 32 columns has. */
static inline size_t qn_cpu_entries(const struct qn_wformat *f) {
    return (size_t)(f->minimum ? 2 : 1) * (f->group < QN_GROUP ? 2 : 1);
}

/* Where units and sums of a row of prepared integers begin: at this many floats from the row's
 * start, and from the units; the rests, from the units. Zeros follow the sums. */
static inline size_t qn_cpu_units(uint32_t cols) {
    return (size_t)qn_ceil_div_u32(cols, 2 * QN_GROUP) * QN_GROUP;
}
static inline size_t qn_cpu_sums(uint32_t cols) {
    return (size_t)qn_ceil_div_u32(cols, 2 * QN_GROUP) * 8;
}
static inline size_t qn_cpu_rests(uint32_t cols) {
    return 2 * qn_cpu_sums(cols) + 16;
}

/* Floats of one row of a prepared input: whole lines of the cache. */
static inline size_t qn_cpu_prepared(uint32_t cols) {
    return 2 * qn_cpu_units(cols) + qn_cpu_rests(cols);
}

/* Makes rows of x into what the kernel takes, or floats, in `scratch`, or leaves them where they
 * fit. */
struct qn_cpu_rows qn_cpu_prepare(const struct qn_cpu_step *step, const struct qn_cpu_rows *x,
                                  const struct qn_cpu_weight *w, bool floats);

#endif
