/* Dot products of a weight row with an input, and decoding of weight rows, for every value type.
 * One row at a time: four rows together save loads of the input, which the first-level cache serves
 * for nothing, and cost twice the time in wasm where rows are long (four streams from memory). */
#include "cpu/kernels.h"

#include "cpu/vec.h"

#define PER_GROUP (QN_GROUP / QN_LANES) // vectors in a group of 32 columns
#define HALF_GROUP (PER_GROUP / 2)      // vectors in 16 columns
#define SCALES 64                       // scales decoded at a time

static const unsigned char *row_values(const struct qn_cpu_weight *w, uint32_t row) {
    return w->values + row * w->value_row;
}

/* ---- Plain values --------------------------------------------------------------------------- */

static inline __attribute__((always_inline)) qn_vf load_plain(const unsigned char *values,
                                                              size_t at, enum qn_wtype type) {
    if (type == QN_W_F16)
        return qn_v_load_f16(values + 2 * at);
    if (type == QN_W_BF16)
        return qn_v_load_bf16(values + 2 * at);
    return qn_v_load((const float *)(const void *)(values + 4 * at));
}

static inline __attribute__((always_inline)) float
dot_plain(const struct qn_cpu_weight *w, uint32_t row, const float *x, enum qn_wtype type) {
    const unsigned char *v = row_values(w, row);
    qn_vf sums[4] = {{0}};
    size_t padded = qn_wformat_cols(w->cols);
    for (size_t k = 0; k < padded; k += QN_GROUP) {
        for (size_t j = 0; j < QN_GROUP; j += QN_LANES)
            sums[j / QN_LANES % 4] =
                qn_v_madd(load_plain(v, k + j, type), qn_v_load(x + k + j), sums[j / QN_LANES % 4]);
    }
    return qn_v_sum((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

static inline __attribute__((always_inline)) void expand_plain(float *out,
                                                               const struct qn_cpu_weight *w,
                                                               uint32_t row, uint32_t col,
                                                               uint32_t n, enum qn_wtype type) {
    const unsigned char *v = row_values(w, row);
    for (uint32_t k = 0; k < n; k += QN_LANES)
        qn_v_store(out + k, load_plain(v, col + k, type));
}

#define PLAIN_KERNEL(name, type)                                                           \
    static float dot_##name(const struct qn_cpu_weight *w, uint32_t row, const float *x) { \
        return dot_plain(w, row, x, type);                                                 \
    }                                                                                      \
    static void expand_##name(float *out, const struct qn_cpu_weight *w, uint32_t row,     \
                              uint32_t col, uint32_t n) {                                  \
        expand_plain(out, w, row, col, n, type);                                           \
    }
PLAIN_KERNEL(f32, QN_W_F32)
PLAIN_KERNEL(f16, QN_W_F16)
PLAIN_KERNEL(bf16, QN_W_BF16)

/* ---- Scaled groups -------------------------------------------------------------------------- */

/* Decodes n scales of a row from group g on; `out` has room for whole vectors. The rest of the last
 * vector is loaded one by one: the plane ends there. */
static void load_scales(float *out, const struct qn_cpu_weight *w, uint32_t row, size_t g,
                        size_t n) {
    size_t size = w->format.scale == QN_DTYPE_F32 ? 4 : 2, i = 0;
    const unsigned char *p = w->scales + row * w->scale_row + g * size;
    for (; i + QN_LANES <= n; i += QN_LANES) {
        if (w->format.scale == QN_DTYPE_F16)
            qn_v_store(out + i, qn_v_load_f16(p + 2 * i));
        else if (w->format.scale == QN_DTYPE_BF16)
            qn_v_store(out + i, qn_v_load_bf16(p + 2 * i));
        else
            qn_v_store(out + i, qn_v_load((const float *)(const void *)(p + 4 * i)));
    }
    for (; i < n; i++) {
        if (w->format.scale == QN_DTYPE_F16)
            out[i] = qn_f16_to_f32(qn_load_u16(p + 2 * i));
        else if (w->format.scale == QN_DTYPE_BF16)
            out[i] = qn_bf16_to_f32(qn_load_u16(p + 2 * i));
        else
            out[i] = qn_bits_f32(qn_load_u32(p + 4 * i));
    }
}

/* The 32 integers of a group of Q8 in order; of Q4, less `zero`, the even columns first. */
static inline __attribute__((always_inline)) void load_group(qn_vf out[PER_GROUP],
                                                             const unsigned char *values, size_t g,
                                                             enum qn_wtype type, qn_vi8x16 zero) {
    if (type == QN_W_Q8) {
        qn_vi8x16 low, high;
        memcpy(&low, values + 32 * g, 16);
        memcpy(&high, values + 32 * g + 16, 16);
        qn_v_widen(out, low);
        qn_v_widen(out + HALF_GROUP, high);
    } else {
        qn_vu8x16 packed;
        memcpy(&packed, values + 16 * g, 16);
        qn_v_widen(out, (qn_vi8x16)(packed & 15) - zero);
        qn_v_widen(out + HALF_GROUP, (qn_vi8x16)(packed >> 4) - zero);
    }
}

static inline __attribute__((always_inline)) qn_vi8x16 zero_of(const struct qn_cpu_weight *w) {
    return (qn_vi8x16){0} + (int8_t)w->format.zero;
}

static inline __attribute__((always_inline)) float
dot_scaled(const struct qn_cpu_weight *w, uint32_t row, const float *x, enum qn_wtype type) {
    const unsigned char *v = row_values(w, row);
    qn_vi8x16 zero = zero_of(w);
    qn_vf total = {0};
    size_t groups = qn_ceil_div_u32(w->cols, QN_GROUP);
    for (size_t begin = 0; begin < groups; begin += SCALES) {
        float scales[SCALES];
        size_t n = qn_min_size(SCALES, groups - begin);
        load_scales(scales, w, row, begin, n);
        for (size_t i = 0; i < n; i++) {
            const float *in = x + QN_GROUP * (begin + i);
            qn_vf q[PER_GROUP];
            load_group(q, v, begin + i, type, zero);
            qn_vf a = q[0] * qn_v_load(in), b = q[1] * qn_v_load(in + QN_LANES);
            for (int j = 2; j < PER_GROUP; j += 2) {
                a = qn_v_madd(q[j], qn_v_load(in + QN_LANES * j), a);
                b = qn_v_madd(q[j + 1], qn_v_load(in + QN_LANES * (j + 1)), b);
            }
            total = qn_v_madd(a + b, qn_v_splat(scales[i]), total);
        }
    }
    return qn_v_sum(total);
}

static inline __attribute__((always_inline)) void unpack_scaled(float *values, float *scales,
                                                                const struct qn_cpu_weight *w,
                                                                uint32_t row, size_t begin,
                                                                size_t n, enum qn_wtype type) {
    load_scales(scales, w, row, begin, n);
    for (size_t i = 0; i < n; i++) {
        qn_vf q[PER_GROUP];
        load_group(q, row_values(w, row), begin + i, type, zero_of(w));
        for (int j = 0; j < PER_GROUP; j++)
            qn_v_store(values + QN_GROUP * i + QN_LANES * (size_t)j, q[j]);
    }
}

#define UNPACK(name, type)                                                                 \
    static void unpack_##name(float *values, float *scales, const struct qn_cpu_weight *w, \
                              uint32_t row, size_t begin, size_t n) {                      \
        unpack_scaled(values, scales, w, row, begin, n, type);                             \
    }
UNPACK(q8, QN_W_Q8)
UNPACK(q4, QN_W_Q4)

/* ---- Groups of 16, or with a minimum -------------------------------------------------------- */

/* Where the scale of half h of a row's groups of 32 stands in its plane, as an element, and what
 * its minimum, the next element, is multiplied by. */
struct halves {
    size_t shift, pair;
    float sign; // 0: there is no minimum
};

static inline struct halves halves_of(const struct qn_cpu_weight *w) {
    bool minimum = w->format.minimum;
    return (struct halves){w->format.group == QN_GROUP, minimum ? 2 : 1, minimum ? -1.0f : 0.0f};
}

static inline size_t half_at(const struct halves *c, size_t h) {
    return (h >> c->shift) * c->pair;
}

/* Which vector of a group, as load_group gives it, is number j of one half of its columns. */
static inline __attribute__((always_inline)) int half_vector(int half, int j, enum qn_wtype type) {
    if (type == QN_W_Q8)
        return half * HALF_GROUP + j;
    return j / (HALF_GROUP / 2) * HALF_GROUP + half * (HALF_GROUP / 2) + j % (HALF_GROUP / 2);
}

static inline __attribute__((always_inline)) float
dot_halves(const struct qn_cpu_weight *w, uint32_t row, const float *x, enum qn_wtype type) {
    const unsigned char *v = row_values(w, row);
    qn_vi8x16 zero = zero_of(w);
    struct halves c = halves_of(w);
    qn_vf total = {0};
    size_t groups = qn_ceil_div_u32(w->cols, QN_GROUP);
    for (size_t begin = 0; begin < groups; begin += SCALES / 2) {
        float scales[2 * SCALES];
        size_t n = qn_min_size(SCALES / 2, groups - begin);
        load_scales(scales, w, row, half_at(&c, 2 * begin), half_at(&c, 2 * n));
        for (size_t i = 0; i < n; i++) {
            const float *in = x + QN_GROUP * (begin + i);
            qn_vf q[PER_GROUP];
            load_group(q, v, begin + i, type, zero);
#pragma clang loop unroll(full) // else the vectors are indexed in memory
            for (int half = 0; half < 2; half++) {
                qn_vf dot = {0}, sum = {0};
#pragma clang loop unroll(full)
                for (int j = 0; j < HALF_GROUP; j++) {
                    int at = half_vector(half, j, type);
                    qn_vf column = qn_v_load(in + QN_LANES * at);
                    dot = qn_v_madd(q[at], column, dot);
                    sum += column;
                }
                const float *scale = scales + half_at(&c, 2 * i + (size_t)half);
                total = qn_v_madd(dot, qn_v_splat(scale[0]), total);
                total = qn_v_madd(sum, qn_v_splat(c.sign * scale[c.pair - 1]), total);
            }
        }
    }
    return qn_v_sum(total);
}

static inline __attribute__((always_inline)) void
expand_scaled(float *out, const struct qn_cpu_weight *w, uint32_t row, uint32_t col, uint32_t n,
              enum qn_wtype type, bool halves) {
    const unsigned char *v = row_values(w, row);
    qn_vi8x16 zero = zero_of(w);
    float scales[SCALES];
    size_t first = col / QN_GROUP, groups = n / QN_GROUP;
    for (size_t g = 0; g < groups; g++, out += QN_GROUP) {
        qn_vf q[PER_GROUP];
        load_group(q, v, first + g, type, zero);
        if (halves) {
            const struct halves c = halves_of(w);
            float pairs[4] = {0};
            load_scales(pairs, w, row, half_at(&c, 2 * (first + g)), half_at(&c, 2));
#pragma clang loop unroll(full)
            for (int j = 0; j < PER_GROUP; j++) {
                int half = j / HALF_GROUP, at = half_vector(half, j % HALF_GROUP, type);
                const float *scale = pairs + half_at(&c, (size_t)half);
                q[at] = q[at] * scale[0] + c.sign * scale[c.pair - 1];
            }
        } else {
            if (g % SCALES == 0)
                load_scales(scales, w, row, first + g, qn_min_size(SCALES, groups - g));
            for (int j = 0; j < PER_GROUP; j++)
                q[j] *= scales[g % SCALES];
        }
        if (type == QN_W_Q8) {
            for (int j = 0; j < PER_GROUP; j++)
                qn_v_store(out + QN_LANES * j, q[j]);
            continue;
        }
        for (int j = 0; j < HALF_GROUP; j++) { // back to natural order
            qn_vf even = q[j], odd = q[HALF_GROUP + j];
#if QN_LANES == 8
            qn_vf a = __builtin_shufflevector(even, odd, 0, 8, 1, 9, 2, 10, 3, 11);
            qn_vf b = __builtin_shufflevector(even, odd, 4, 12, 5, 13, 6, 14, 7, 15);
#else
            qn_vf a = __builtin_shufflevector(even, odd, 0, 4, 1, 5);
            qn_vf b = __builtin_shufflevector(even, odd, 2, 6, 3, 7);
#endif
            qn_v_store(out + 2 * QN_LANES * j, a);
            qn_v_store(out + 2 * QN_LANES * j + QN_LANES, b);
        }
    }
}

#define SCALED_KERNEL(name, type, dot, halves)                                             \
    static float dot_##name(const struct qn_cpu_weight *w, uint32_t row, const float *x) { \
        return dot(w, row, x, type);                                                       \
    }                                                                                      \
    static void expand_##name(float *out, const struct qn_cpu_weight *w, uint32_t row,     \
                              uint32_t col, uint32_t n) {                                  \
        expand_scaled(out, w, row, col, n, type, halves);                                  \
    }
SCALED_KERNEL(q8, QN_W_Q8, dot_scaled, false)
SCALED_KERNEL(q4, QN_W_Q4, dot_scaled, false)
SCALED_KERNEL(q8_halves, QN_W_Q8, dot_halves, true)
SCALED_KERNEL(q4_halves, QN_W_Q4, dot_halves, true)

const struct qn_cpu_kernel *qn_cpu_kernel_of(const struct qn_wformat *format) {
    static const struct qn_cpu_kernel kernels[QN_WTYPE_COUNT] = {
        [QN_W_F32] = {QN_CPU_NATURAL, dot_f32, NULL, expand_f32},
        [QN_W_F16] = {QN_CPU_NATURAL, dot_f16, NULL, expand_f16},
        [QN_W_BF16] = {QN_CPU_NATURAL, dot_bf16, NULL, expand_bf16},
        [QN_W_Q8] = {QN_CPU_NATURAL, dot_q8, unpack_q8, expand_q8},
        [QN_W_Q4] = {QN_CPU_EVEN_ODD, dot_q4, unpack_q4, expand_q4},
    };
    static const struct qn_cpu_kernel q8 = {QN_CPU_NATURAL, dot_q8_halves, NULL, expand_q8_halves};
    static const struct qn_cpu_kernel q4 = {QN_CPU_EVEN_ODD, dot_q4_halves, NULL, expand_q4_halves};
    if (format->group == QN_GROUP / 2 || format->minimum)
        return format->type == QN_W_Q8 ? &q8 : &q4;
    return &kernels[format->type];
}
