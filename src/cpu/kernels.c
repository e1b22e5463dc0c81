/* Dot products of a weight row with an input, and decoding of weight rows, for every value type.
 * One row at a time: four rows together save loads of the input, which the first-level cache serves
 * for nothing, and cost twice the time in wasm where rows are long (four streams from memory). */
#include "cpu/kernels.h"

#include "cpu/vec.h"

#define PER_GROUP (QN_GROUP / QN_LANES)  // vectors in a group of 32 columns
#define HALF_GROUP (PER_GROUP / 2)       // vectors in 16 columns
#define SCALES (QN_CPU_STRIP / QN_GROUP) // groups whose scales are decoded at a time

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

/* Integers times the two scales of each block of 256 columns; g and n are whole blocks. */
static void load_super(float *out, const struct qn_wformat *f, const unsigned char *p, size_t n) {
    struct qn_wblock block = qn_wformat_block(f);
    size_t entries = block.high - 4;
    for (; n >= 8; n -= 8, p += block.bytes, out += entries) {
        qn_vf factor = qn_v_splat(qn_f16_to_f32(qn_load_u16(p)));
        if (f->minimum) {
            qn_vf m = qn_v_splat(qn_f16_to_f32(qn_load_u16(p + 2)));
            for (int j = 1; j < QN_LANES; j += 2)
                factor[j] = m[j];
        }
        for (size_t e = 0; e < entries; e += 16) {
            qn_vf q[16 / QN_LANES];
            qn_vi8x16 bytes = {0};
            if (entries == 8)
                memcpy(&bytes, p + 4, 8);
            else
                memcpy(&bytes, p + 4 + e, 16);
            qn_v_widen(q, bytes);
            for (size_t j = 0; j < 16 / QN_LANES; j++) // past the end too: `out` has room
                qn_v_store(out + e + QN_LANES * j, q[j] * factor);
        }
    }
}

/* Even and odd lanes to their places: a0 b0 a1 b1 … */
static inline void store_interleaved(float *out, qn_vf a, qn_vf b) {
#if QN_LANES == 8
    qn_v_store(out, __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11));
    qn_v_store(out + QN_LANES, __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15));
#else
    qn_v_store(out, __builtin_shufflevector(a, b, 0, 4, 1, 5));
    qn_v_store(out + QN_LANES, __builtin_shufflevector(a, b, 2, 6, 3, 7));
#endif
}

/* F16 in the low half of each word, as qn_v_load_f16. */
static inline qn_vf low_half(qn_vu words) {
    return (qn_vf)((qn_vu)((qn_vi)(words << 16) >> 3) & 0x8fffffffu) * 0x1p112f;
}

/* Decodes the scales, or pairs, of n groups of a row from group g on, and up to 16 floats more. A
 * group of 32 has one of them, or two where they are of 16 columns. */
static void load_scales(float *out, const struct qn_cpu_weight *w, uint32_t row, size_t g,
                        size_t n) {
    const struct qn_wformat *f = &w->format;
    const unsigned char *p = w->scales + row * w->scale_row;
    struct qn_wblock block = qn_wformat_block(f);
    size_t pair = f->minimum ? 2 : 1, shift = block.cols / QN_GROUP / 2, i = 0; // 1, 2, 4: 0, 1, 2
    if (f->super) {
        load_super(out, f, p + g / 8 * block.bytes, n);
        return;
    }
    if (block.cols <= QN_GROUP && !f->high && f->scale != QN_DTYPE_F32) { // one behind the other
        pair *= QN_GROUP / block.cols;
        p += 2 * pair * g;
        n *= pair;
        for (; i + QN_LANES <= n; i += QN_LANES)
            qn_v_store(out + i, f->scale == QN_DTYPE_F16 ? qn_v_load_f16(p + 2 * i)
                                                         : qn_v_load_bf16(p + 2 * i));
        for (; i < n; i++) // the plane ends here
            out[i] = f->scale == QN_DTYPE_F16 ? qn_f16_to_f32(qn_load_u16(p + 2 * i))
                                              : qn_bf16_to_f32(qn_load_u16(p + 2 * i));
    } else if (f->scale == QN_DTYPE_F16) { // a word: a pair, or the first half of one
        for (; i < n; i += QN_LANES) {
            qn_vu words;
            for (size_t j = 0; j < QN_LANES; j++)
                words[j] =
                    qn_load_u32(p + (qn_min_size(g + i + j, g + n - 1) >> shift) * block.bytes);
            if (f->minimum)
                store_interleaved(out + 2 * i, low_half(words), low_half(words >> 16));
            else
                qn_v_store(out + i, low_half(words));
        }
        n *= pair;
    } else {
        for (; i < n; i++)
            memcpy(out + pair * i, p + ((g + i) >> shift) * block.bytes, 4 * pair);
        n *= pair;
    }
    for (i = 1; f->zeros && i < n; i += 2)
        out[i] *= out[i - 1];
}

/* qn_wformat_levels of sixteen indices. */
static inline qn_vi8x16 level_of(qn_vu8x16 q) {
    qn_vi8x16 levels;
    memcpy(&levels, qn_wformat_levels, 16);
#if defined(__wasm_simd128__)
    return (qn_vi8x16)__builtin_wasm_swizzle_i8x16(levels, (qn_vi8x16)q);
#elif QN_LANES == 8
    typedef char bytes __attribute__((vector_size(16)));
    return (qn_vi8x16)__builtin_ia32_pshufb128((bytes)levels, (bytes)q);
#else
    qn_vi8x16 out;
    for (int i = 0; i < 16; i++)
        out[i] = levels[q[i]];
    return out;
#endif
}

/* What a kernel is compiled for. */
struct layout {
    enum qn_wtype type;
    bool halves, levels; // halves: a scale per 16 columns
    int high;
};
#define INLINE static inline __attribute__((always_inline))

/* The 32 integers of a group of Q8 in order; of Q4, less `zero`, the even columns first. */
INLINE void load_group(qn_vf out[PER_GROUP], const unsigned char *values, const unsigned char *high,
                       uint16_t upper, struct layout l, qn_vi8x16 zero) {
    if (l.type == QN_W_Q8) {
        qn_vi8x16 first, second;
        memcpy(&first, values, 16);
        memcpy(&second, values + 16, 16);
        qn_v_widen(out, first);
        qn_v_widen(out + HALF_GROUP, second);
        return;
    }
    qn_vu8x16 packed, even, odd;
    memcpy(&packed, values, 16);
    even = packed & 15;
    odd = packed >> 4;
    if (l.high == 1) { // a pair of columns has its bits in byte k % 4, 2 (k / 4) bits up
        uint32_t word = qn_load_u32(high);
        qn_vu8x16 bits = (qn_vu8x16)((qn_vu32x4){0} + word);
        const qn_vu8x16 e = {1, 1, 1, 1, 4, 4, 4, 4, 16, 16, 16, 16, 64, 64, 64, 64}, o = e << 1;
        even |= (qn_vu8x16)((bits & e) == e) & 16;
        odd |= (qn_vu8x16)((bits & o) == o) & 16;
    } else if (l.high == 2) { // of 32 columns in the low, of the next 32 in the high nibbles
        qn_vu16x8 bits;
        memcpy(&bits, high, 16);
        bits >>= upper;
        even |= (qn_vu8x16)((bits & 0x0303) << 4);
        odd |= (qn_vu8x16)((bits & 0x0c0c) << 2);
    }
    if (l.levels) {
        qn_v_widen(out, level_of(even));
        qn_v_widen(out + HALF_GROUP, level_of(odd));
    } else {
        qn_v_widen(out, (qn_vi8x16)even - zero);
        qn_v_widen(out + HALF_GROUP, (qn_vi8x16)odd - zero);
    }
}

/* A row as groups. */
struct groups {
    const unsigned char *values, *high;
    size_t value, step, gap; // bytes of a group of values, of high bits, of scales per eight groups
    qn_vi8x16 zero;
};

INLINE struct groups groups_of(const struct qn_cpu_weight *w, uint32_t row, struct layout l) {
    struct groups r = {.values = row_values(w, row),
                       .value = l.type == QN_W_Q8 ? 32 : 16,
                       .zero = (qn_vi8x16){0} + (int8_t)w->format.zero};
    if (l.high) {
        struct qn_wblock block = qn_wformat_block(&w->format);
        r.high = w->scales + row * w->scale_row + block.high;
        r.step = w->format.super ? 4 : block.bytes;
        r.gap = w->format.super ? block.bytes - 32 : 0;
    }
    return r;
}

INLINE void group_at(qn_vf out[PER_GROUP], const struct groups *r, size_t g, struct layout l) {
    const unsigned char *high = NULL;
    uint16_t upper = 0;
    if (l.high == 1)
        high = r->high + g * r->step + (g >> 3) * r->gap;
    if (l.high == 2) {
        high = r->high + (g >> 1) * 16 + (g >> 3) * (r->gap - 32);
        upper = (uint16_t)(g & 1) * 4;
    }
    load_group(out, r->values + g * r->value, high, upper, l, r->zero);
}

/* Which vector of a group, as load_group gives it, is number j of one half of its columns. */
INLINE int half_vector(int half, int j, enum qn_wtype type) {
    if (type == QN_W_Q8)
        return half * HALF_GROUP + j;
    return j / (HALF_GROUP / 2) * HALF_GROUP + half * (HALF_GROUP / 2) + j % (HALF_GROUP / 2);
}

/* total + the products of a group, scaled. */
INLINE qn_vf add_group(qn_vf total, const qn_vf q[PER_GROUP], const float *in, const float *scale,
                       size_t pair, struct layout l) {
    if (!l.halves) {
        qn_vf a = q[0] * qn_v_load(in), b = q[1] * qn_v_load(in + QN_LANES);
        for (int j = 2; j < PER_GROUP; j += 2) {
            a = qn_v_madd(q[j], qn_v_load(in + QN_LANES * j), a);
            b = qn_v_madd(q[j + 1], qn_v_load(in + QN_LANES * (j + 1)), b);
        }
        return qn_v_madd(a + b, qn_v_splat(scale[0]), total);
    }
#pragma clang loop unroll(full) // else the vectors are indexed in memory
    for (int half = 0; half < 2; half++) {
        qn_vf dot = {0};
#pragma clang loop unroll(full)
        for (int j = 0; j < HALF_GROUP; j++) {
            int at = half_vector(half, j, l.type);
            dot = qn_v_madd(q[at], qn_v_load(in + QN_LANES * at), dot);
        }
        total = qn_v_madd(dot, qn_v_splat(scale[pair * (size_t)half]), total);
    }
    return total;
}

/* total + n minima times the sums of their columns (kernels.h); the odd ones of each are such. */
static inline qn_vf add_minima(qn_vf total, float *pairs, const float *sums, size_t n) {
    memset(pairs + n, 0, QN_LANES * sizeof *pairs);
    for (size_t i = 0; i < n; i += QN_LANES)
        total = qn_v_madd(qn_v_load(pairs + i), qn_v_load(sums + i), total);
    return total;
}

INLINE float dot_scaled(const struct qn_cpu_weight *w, uint32_t row, const float *x,
                        struct layout l) {
    struct groups r = groups_of(w, row, l);
    size_t pair = w->format.minimum ? 2 : 1, per = l.halves ? 2 * pair : pair;
    qn_vf total = {0};
    size_t groups = qn_ceil_div_u32(w->cols, QN_GROUP);
    const float *sums = x + QN_GROUP * groups;
    for (size_t begin = 0; begin < groups; begin += SCALES) {
        float scales[4 * SCALES + 16];
        size_t n = qn_min_size(SCALES, groups - begin);
        load_scales(scales, w, row, begin, n);
        for (size_t i = 0; i < n; i++) {
            qn_vf q[PER_GROUP];
            group_at(q, &r, begin + i, l);
            total = add_group(total, q, x + QN_GROUP * (begin + i), scales + per * i, pair, l);
        }
        if (pair == 2)
            total = add_minima(total, scales, sums + per * begin, per * n);
    }
    return qn_v_sum(total);
}

INLINE void dots_scaled(float *totals, const struct qn_cpu_weight *w, uint32_t row, const float *x,
                        size_t stride, uint32_t n, size_t begin, size_t end, struct layout l) {
    struct groups r = groups_of(w, row, l);
    size_t pair = w->format.minimum ? 2 : 1, per = l.halves ? 2 * pair : pair;
    const float *sums = x + QN_GROUP * (size_t)qn_ceil_div_u32(w->cols, QN_GROUP);
    float scales[4 * SCALES + 16];
    load_scales(scales, w, row, begin, end - begin);
    for (size_t g = begin; g < end; g++) {
        qn_vf q[PER_GROUP];
        group_at(q, &r, g, l);
        for (uint32_t t = 0; t < n; t++)
            qn_v_store(totals + t * QN_LANES,
                       add_group(qn_v_load(totals + t * QN_LANES), q, x + t * stride + QN_GROUP * g,
                                 scales + per * (g - begin), pair, l));
    }
    for (uint32_t t = 0; pair == 2 && t < n; t++)
        qn_v_store(totals + t * QN_LANES,
                   add_minima(qn_v_load(totals + t * QN_LANES), scales,
                              sums + t * stride + per * begin, per * (end - begin)));
}

INLINE void expand_scaled(float *out, const struct qn_cpu_weight *w, uint32_t row, uint32_t col,
                          uint32_t n, struct layout l) {
    struct groups r = groups_of(w, row, l);
    float scales[4 * SCALES + 16];
    size_t pair = w->format.minimum ? 2 : 1, per = l.halves ? 2 * pair : pair;
    size_t first = col / QN_GROUP, groups = n / QN_GROUP;
    for (size_t g = 0; g < groups; g++, out += QN_GROUP) {
        qn_vf q[PER_GROUP];
        group_at(q, &r, first + g, l);
        if (g % SCALES == 0)
            load_scales(scales, w, row, first + g, qn_min_size(SCALES, groups - g));
        const float *scale = scales + g % SCALES * per;
#pragma clang loop unroll(full)
        for (int j = 0; j < PER_GROUP; j++) {
            int half = j / HALF_GROUP, at = half_vector(half, j % HALF_GROUP, l.type);
            const float *own = scale + (l.halves ? pair * (size_t)half : 0);
            q[at] *= own[0];
            if (pair == 2)
                q[at] -= own[1];
        }
        if (l.type == QN_W_Q8) {
            for (int j = 0; j < PER_GROUP; j++)
                qn_v_store(out + QN_LANES * j, q[j]);
            continue;
        }
        for (int j = 0; j < HALF_GROUP; j++) // back to natural order
            store_interleaved(out + 2 * QN_LANES * j, q[j], q[HALF_GROUP + j]);
    }
}

#define SCALED_KERNEL(name, ...)                                                                   \
    static float dot_##name(const struct qn_cpu_weight *w, uint32_t row, const float *x) {         \
        return dot_scaled(w, row, x, (struct layout){__VA_ARGS__});                                \
    }                                                                                              \
    static void dots_##name(float *totals, const struct qn_cpu_weight *w, uint32_t row,            \
                            const float *x, size_t stride, uint32_t n, size_t begin, size_t end) { \
        struct layout l = {__VA_ARGS__};                                                           \
        dots_scaled(totals, w, row, x, stride, n, begin, end, l);                                  \
    }                                                                                              \
    static void expand_##name(float *out, const struct qn_cpu_weight *w, uint32_t row,             \
                              uint32_t col, uint32_t n) {                                          \
        expand_scaled(out, w, row, col, n, (struct layout){__VA_ARGS__});                          \
    }
SCALED_KERNEL(q8, QN_W_Q8, false)
SCALED_KERNEL(q4, QN_W_Q4, false)
SCALED_KERNEL(q4_halves, QN_W_Q4, true)
SCALED_KERNEL(levels, QN_W_Q4, false, .levels = true)
SCALED_KERNEL(q5, QN_W_Q4, false, .high = 1)
SCALED_KERNEL(q6_halves, QN_W_Q4, true, .high = 2)

const struct qn_cpu_kernel *qn_cpu_kernel_of(const struct qn_wformat *format) {
    static const struct qn_cpu_kernel plain[] = {
        [QN_W_F32] = {QN_CPU_NATURAL, dot_f32, NULL, expand_f32},
        [QN_W_F16] = {QN_CPU_NATURAL, dot_f16, NULL, expand_f16},
        [QN_W_BF16] = {QN_CPU_NATURAL, dot_bf16, NULL, expand_bf16},
        [QN_W_Q8] = {QN_CPU_NATURAL, dot_q8, dots_q8, expand_q8},
    };
    static const struct qn_cpu_kernel levels = {QN_CPU_EVEN_ODD, dot_levels, dots_levels,
                                                expand_levels};
    static const struct qn_cpu_kernel nibbles[2][3] = {
        // [halves][high]
        {{QN_CPU_EVEN_ODD, dot_q4, dots_q4, expand_q4},
         {QN_CPU_EVEN_ODD, dot_q5, dots_q5, expand_q5},
         {0}},
        {{QN_CPU_EVEN_ODD, dot_q4_halves, dots_q4_halves, expand_q4_halves},
         {0},
         {QN_CPU_EVEN_ODD, dot_q6_halves, dots_q6_halves, expand_q6_halves}},
    };
    if (format->type != QN_W_Q4)
        return &plain[format->type];
    return format->levels ? &levels : &nibbles[format->group < QN_GROUP][format->high];
}
