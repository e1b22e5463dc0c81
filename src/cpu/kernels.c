/* Dot products of weight rows with inputs, and decoding of weight rows, for every value type.
 * A single input meets one row at a time: four rows together save loads of the input, which the
 * first-level cache serves for nothing, and cost twice the time in wasm where rows are long (four
 * streams from memory). Of several inputs four meet a row, or two of them, once it is decoded. */
#include "cpu/kernels.h"

#include "cpu/vec.h"

#define SCALES 32             // groups whose scales are decoded at a time
#define GROUPS (QN_LANES / 4) // groups that are multiplied at once, four lanes each
#define ROWS (3 - GROUPS)     // rows that meet several inputs at once: AVX2 has too few registers
#if defined(__wasm__) && !defined(__wasm_simd128__)
#define SEVERAL false // without SIMD nothing is saved
#else
#define SEVERAL true
#endif
#define INLINE static inline __attribute__((always_inline))

static const unsigned char *row_values(const struct qn_cpu_weight *w, uint32_t row) {
    return w->values + row * w->value_row;
}

/* ---- Plain values --------------------------------------------------------------------------- */

INLINE qn_vf load_plain(const unsigned char *values, size_t at, enum qn_wtype type) {
    if (type == QN_W_F16)
        return qn_v_load_f16(values + 2 * at);
    if (type == QN_W_BF16)
        return qn_v_load_bf16(values + 2 * at);
    return qn_v_load((const float *)(const void *)(values + 4 * at));
}

INLINE float dot_plain(const struct qn_cpu_weight *w, uint32_t row, const float *x,
                       enum qn_wtype type) {
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

INLINE void expand_plain(float *out, const struct qn_cpu_weight *w, uint32_t row, uint32_t col,
                         uint32_t n, enum qn_wtype type) {
    const unsigned char *v = row_values(w, row);
    for (uint32_t k = 0; k < n; k += QN_LANES)
        qn_v_store(out + k, load_plain(v, col + k, type));
}

#define PLAIN_KERNEL(name, type)                                                                   \
    static void dots_##name(const struct qn_cpu_dots *d) {                                         \
        for (uint32_t t = 0; t < d->tokens; t++)                                                   \
            for (uint32_t i = 0; i < d->n_rows; i++)                                               \
                d->out[t * d->step + i] = dot_plain(d->w, d->rows[i], d->x + t * d->stride, type); \
    }                                                                                              \
    static void expand_##name(float *out, const struct qn_cpu_weight *w, uint32_t row,             \
                              uint32_t col, uint32_t n) {                                          \
        expand_plain(out, w, row, col, n, type);                                                   \
    }
PLAIN_KERNEL(f32, QN_W_F32)
PLAIN_KERNEL(f16, QN_W_F16)
PLAIN_KERNEL(bf16, QN_W_BF16)

/* ---- Scales ---------------------------------------------------------------------------------- */

/* Integers times the two scales of each block of 256 columns; g and n are whole blocks. */
static void load_super(float *out, const struct qn_cpu_weight *w, const unsigned char *p,
                       size_t n) {
    size_t entries = w->block.high - 4;
    for (; n >= 8; n -= 8, p += w->block.bytes, out += entries) {
        qn_vf factor = qn_v_splat(qn_f16_to_f32(qn_load_u16(p)));
        if (w->format.minimum) {
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

static void decode_scales(float *out, const struct qn_cpu_weight *w, uint32_t row, size_t g,
                          size_t n) {
    const struct qn_wformat *f = &w->format;
    const unsigned char *p = w->scales + row * w->scale_row;
    struct qn_wblock block = w->block;
    size_t pair = f->minimum ? 2 : 1, shift = block.cols / QN_GROUP / 2, i = 0; // 1, 2, 4: 0, 1, 2
    if (f->super) {
        load_super(out, w, p + g / 8 * block.bytes, n);
        return;
    }
    if (block.cols <= QN_GROUP && !f->high && f->scale != QN_DTYPE_F32) { // one behind the other
        pair *= QN_GROUP / block.cols;
        p += 2 * pair * g;
        n *= pair;
        for (; i < n; i += QN_LANES) // into the next row, or the allocation's slack
            qn_v_store(out + i, f->scale == QN_DTYPE_F16 ? qn_v_load_f16(p + 2 * i)
                                                         : qn_v_load_bf16(p + 2 * i));
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

/* Decodes the scales, or pairs, of n groups of a row from group g on; zeros follow, up to 16 floats
 * more. A group of 32 has one of them, or two where they are of 16 columns. */
static void load_scales(float *out, const struct qn_cpu_weight *w, uint32_t row, size_t g,
                        size_t n) {
    decode_scales(out, w, row, g, n);
    memset(out + n * qn_cpu_entries(&w->format), 0, 16 * sizeof *out);
}

/* ---- Integers ------------------------------------------------------------------------------- */

/* What a kernel is compiled for. */
struct layout {
    enum qn_wtype type;
    bool halves, levels; // halves: a scale per 16 columns
    int high;
};

/* A row as groups. */
struct groups {
    const unsigned char *values, *high;
    size_t step, gap; // bytes of a group of high bits, and between eight of them
};

INLINE struct groups groups_of(const struct qn_cpu_weight *w, uint32_t row, struct layout l) {
    struct groups r = {.values = row_values(w, row)};
    if (l.high) {
        struct qn_wblock block = w->block;
        r.high = w->scales + row * w->scale_row + block.high;
        r.step = w->format.super ? 4 : block.bytes;
        r.gap = w->format.super ? block.bytes - 32 : 0;
    }
    return r;
}

/* qn_wformat_levels of indices. */
INLINE qn_vb level_of(qn_vb q) {
    qn_vb levels, out;
    for (int i = 0; i < GROUPS; i++)
        memcpy((char *)&levels + 16 * i, qn_wformat_levels, 16);
#if defined(__wasm_simd128__)
    out = (qn_vb)__builtin_wasm_swizzle_i8x16((qn_vi8x16)levels, (qn_vi8x16)q);
#elif QN_LANES == 8
    typedef char bytes __attribute__((vector_size(32)));
    out = (qn_vb)__builtin_ia32_pshufb256((bytes)levels, (bytes)q);
#else
    for (int i = 0; i < 4 * QN_LANES; i++)
        out[i] = levels[q[i]];
#endif
    return out;
}

/* Sixteen bytes of each group, `step` apart. */
INLINE qn_vb load_apart(const unsigned char *p, size_t step) {
    qn_vb v;
    for (size_t i = 0; i < GROUPS; i++)
        memcpy((char *)&v + 16 * i, p + i * step, 16);
    return v;
}

/* The integers of GROUPS groups from g on, sixteen bytes of each per vector: Q8 in order; of Q4 the
 * even columns, then the odd. g is a multiple of GROUPS; past the row's end come other rows' bytes,
 * or the allocation's slack, and meet zeros. */
INLINE void load_groups(qn_vb out[2], const struct groups *r, size_t g, struct layout l) {
    if (l.type == QN_W_Q8) {
        out[0] = load_apart(r->values + 32 * g, 32);
        out[1] = load_apart(r->values + 32 * g + 16, 32);
        return;
    }
    qn_vb packed;
    memcpy(&packed, r->values + 16 * g, sizeof packed);
    // Shifts of bytes are two or three instructions on x86.
    qn_vb even = packed & 15, odd = (qn_vb)((qn_vus)packed >> 4) & 15;
    if (l.high == 1) { // a pair of columns has its bits in byte k % 4, 2 (k / 4) bits up
        qn_vu words;
        const unsigned char *p = r->high + g * r->step + (g >> 3) * r->gap;
        for (size_t i = 0; i < QN_LANES; i++)
            words[i] = qn_load_u32(p + i / 4 * r->step);
        const qn_vu e32 = {
            0x01010101,
            0x04040404,
            0x10101010,
            0x40404040,
#if GROUPS == 2
            0x01010101,
            0x04040404,
            0x10101010,
            0x40404040
#endif
        };
        qn_vb e = (qn_vb)e32, o = e << 1, bits = (qn_vb)words;
        even |= (qn_vb)((bits & e) == e) & 16;
        odd |= (qn_vb)((bits & o) == o) & 16;
    } else if (l.high == 2) { // of 32 columns in the low, of the next 32 in the high nibbles
        qn_vus bits = (qn_vus)load_apart(r->high + (g >> 1) * 16 + (g >> 3) * (r->gap - 32), 0);
#if GROUPS == 2
        bits = __builtin_shufflevector(bits, bits >> 4, 0, 1, 2, 3, 4, 5, 6, 7, 24, 25, 26, 27, 28,
                                       29, 30, 31);
#else
        bits >>= (uint16_t)(g & 1) * 4;
#endif
        even |= (qn_vb)((bits & 0x0303) << 4);
        odd |= (qn_vb)((bits & 0x0c0c) << 2);
    }
    out[0] = l.levels ? level_of(even) : even;
    out[1] = l.levels ? level_of(odd) : odd;
}

/* Bytes → int16, the even ones of a vector and the odd. */
INLINE void widen(qn_vs out[4], const qn_vb in[2], struct layout l) {
    bool is_signed = l.levels || l.type == QN_W_Q8;
    for (int i = 0; i < 2; i++) {
        qn_vus v = (qn_vus)in[i];
        out[2 * i] = is_signed ? (qn_vs)(v << 8) >> 8 : (qn_vs)(v & 255);
        out[2 * i + 1] = is_signed ? (qn_vs)v >> 8 : (qn_vs)(v >> 8);
    }
}

/* Σ w q of GROUPS groups, four lanes each; of halves, two lanes each. x: words. */
INLINE qn_vi dot_words(const qn_vs w[4], const float *x) {
    qn_vs q[4];
    memcpy(q, x, sizeof q);
    return (qn_v_dot(w[0], q[0]) + qn_v_dot(w[1], q[1])) +
           (qn_v_dot(w[2], q[2]) + qn_v_dot(w[3], q[3]));
}

#ifdef QN_V_BYTES
INLINE bool takes_bytes(struct layout l) {
    return l.type == QN_W_Q4 && !l.levels;
}
#else
#define takes_bytes(l) ((void)(l), false)
#define qn_v_dot_three(w, q, fine) ((void)(w), (void)(q), (qn_vi){0})
#endif

/* Factors by lanes: of GROUPS groups four each, or of their halves two each. */
INLINE qn_vf factors(const float *p, struct layout l) {
#if GROUPS == 2
    typedef double pairs __attribute__((vector_size(4 * QN_LANES)));
    double two[2];
    memcpy(two, p, l.halves ? 16 : 8);
    qn_vf v = (qn_vf)(pairs){two[0], two[l.halves], two[0], two[l.halves]};
    return l.halves ? __builtin_shufflevector(v, v, 0, 0, 1, 1, 6, 6, 7, 7)
                    : __builtin_shufflevector(v, v, 0, 0, 0, 0, 5, 5, 5, 5);
#else
    return (qn_vf){p[0], p[0], p[l.halves], p[l.halves]};
#endif
}

/* total + what zeros or minima make of the sums of x, for n scales or pairs. */
INLINE qn_vf add_sums(qn_vf total, const float *scales, const float *sums, size_t n,
                      const struct qn_wformat *f) {
    if (f->minimum || f->zero != 0)
        for (size_t i = 0; i < n; i += QN_LANES)
            total = qn_v_madd(qn_v_load(scales + i), qn_v_load(sums + i), total);
    return total;
}

/* Scales without minima; out may be scales. */
INLINE void first_of_pairs(float *out, const float *scales, size_t n) {
    for (size_t i = 0; i < n; i += 2 * QN_LANES) {
        qn_vf a = qn_v_load(scales + i), b = qn_v_load(scales + i + QN_LANES);
#if QN_LANES == 8
        qn_v_store(out + i / 2, __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14));
#else
        qn_v_store(out + i / 2, __builtin_shufflevector(a, b, 0, 2, 4, 6));
#endif
    }
}

/* total + what GROUPS groups of W and those of the input at x give, scaled: by words, or bytes. Of
 * 32 columns over four lanes a sum is at most 8 × 128 × (32639 + 1 / 2) 2^FINE < 2^31. */
INLINE qn_vf add_dot(qn_vf total, const qn_vb bytes[2], const qn_vs words[4], const float *x,
                     qn_vf factor, struct layout l) {
    qn_vi dot;
    qn_vf unit = qn_v_load(x + (takes_bytes(l) ? 6 : 8) * QN_LANES);
    if (takes_bytes(l)) {
        qn_vb q[6];
        memcpy(q, x, sizeof q);
        dot = qn_v_dot_three(bytes, q, QN_CPU_FINE);
    } else {
        dot = (dot_words(words, x) << QN_CPU_FINE) + dot_words(words, x + 4 * QN_LANES);
    }
    return qn_v_madd(__builtin_convertvector(dot, qn_vf) * unit, factor, total);
}

/* Rows from `row` on with `tokens` ≤ 4 inputs from t on. What each gives is summed in the same
 * order whatever is beside it. */
INLINE void dots_scaled(const struct qn_cpu_dots *d, uint32_t row, uint32_t t, int tokens,
                        int n_rows, struct layout l) {
    const struct qn_cpu_weight *w = d->w;
    const uint32_t *rows = d->rows + row;
    const float *x = d->x + t * d->stride, *sums = x + qn_cpu_sums(w->cols);
    size_t groups = qn_ceil_div_u32(w->cols, QN_GROUP), entries = qn_cpu_entries(&w->format);
    size_t stride = d->stride, step = takes_bytes(l) ? QN_CPU_BYTES_GROUP : QN_CPU_WORDS_GROUP;
    struct groups r[ROWS];
    qn_vf total[4][ROWS];
    for (int j = 0; j < n_rows; j++) {
        r[j] = groups_of(w, rows[j], l);
        for (int i = 0; i < tokens; i++)
            total[i][j] = (qn_vf){0};
    }
    for (size_t begin = 0; begin < groups; begin += SCALES) {
        float scales[ROWS][4 * SCALES + 16];
        size_t n = qn_min_size(SCALES, groups - begin);
        for (int j = 0; j < n_rows; j++) {
            load_scales(scales[j], w, rows[j], begin, n);
            for (int i = 0; i < tokens; i++)
                total[i][j] =
                    add_sums(total[i][j], scales[j], sums + (size_t)i * stride + begin * entries,
                             n * entries, &w->format);
            if (w->format.minimum)
                first_of_pairs(scales[j], scales[j], n * entries);
        }
        for (size_t g = 0; g < n; g += GROUPS, x += step * GROUPS) {
            qn_vb bytes[ROWS][2];
            qn_vs words[ROWS][4];
            qn_vf factor[ROWS];
#pragma clang loop unroll(full)
            for (int j = 0; j < n_rows; j++) {
                load_groups(bytes[j], &r[j], begin + g, l);
                widen(words[j], bytes[j], l); // for nothing where bytes are taken: not compiled
                factor[j] = factors(scales[j] + l.halves * g + g, l);
            }
#pragma clang loop unroll(full)
            for (int i = 0; i < tokens; i++)
#pragma clang loop unroll(full)
                for (int j = 0; j < n_rows; j++)
                    total[i][j] = add_dot(total[i][j], bytes[j], words[j], x + (size_t)i * stride,
                                          factor[j], l);
        }
    }
    for (int i = 0; i < tokens; i++)
        for (int j = 0; j < n_rows; j++)
            d->out[(t + (size_t)i) * d->step + row + (size_t)j] = qn_v_sum(total[i][j]);
}

/* Columns of a row in float32 and in their order. */
INLINE void expand_scaled(float *out, const struct qn_cpu_weight *w, uint32_t row, uint32_t col,
                          uint32_t n, struct layout l) {
    enum { VECTORS = QN_GROUP / QN_LANES };
    struct groups r = groups_of(w, row, l);
    float scales[4 * SCALES + 16];
    size_t pair = w->format.minimum ? 2 : 1, entries = qn_cpu_entries(&w->format);
    size_t first = col / QN_GROUP, groups = n / QN_GROUP;
    int8_t zero = (int8_t)w->format.zero;
    for (size_t g = 0; g < groups; g++, out += QN_GROUP) {
        qn_vb both[2];
        qn_vi8x16 even, odd;
        qn_vf q[VECTORS];
        if (g % SCALES == 0)
            load_scales(scales, w, row, first + g, qn_min_size(SCALES, groups - g));
        if (g % GROUPS == 0)
            load_groups(both, &r, first + g, l);
        memcpy(&even, (const char *)&both[0] + g % GROUPS * 16, 16);
        memcpy(&odd, (const char *)&both[1] + g % GROUPS * 16, 16);
        even -= zero, odd -= zero;
        if (l.type == QN_W_Q8) { // halves of the group
            qn_v_widen(q, even);
            qn_v_widen(q + VECTORS / 2, odd);
        } else {
            qn_v_widen(q, __builtin_shufflevector(even, odd, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5,
                                                  21, 6, 22, 7, 23));
            qn_v_widen(q + VECTORS / 2,
                       __builtin_shufflevector(even, odd, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13,
                                               29, 14, 30, 15, 31));
        }
        const float *scale = scales + g % SCALES * entries;
#pragma clang loop unroll(full)
        for (int j = 0; j < VECTORS; j++) {
            const float *own = scale + (l.halves && j >= VECTORS / 2 ? pair : 0);
            q[j] *= own[0];
            if (pair == 2)
                q[j] -= own[1];
            qn_v_store(out + QN_LANES * j, q[j]);
        }
    }
}

#ifdef QN_V_BYTES
#define NIBBLES QN_CPU_BYTES
#else
#define NIBBLES QN_CPU_WORDS
#endif

#define SCALED_KERNEL(name, ...)                                                       \
    static void dots_##name(const struct qn_cpu_dots *d) {                             \
        struct layout l = {__VA_ARGS__};                                               \
        uint32_t t = 0;                                                                \
        for (; SEVERAL && t + 4 <= d->tokens; t += 4)                                  \
            for (uint32_t i = 0; i < d->n_rows; i += ROWS)                             \
                dots_scaled(d, i, t, 4, ROWS, l);                                      \
        for (; SEVERAL && t + 2 <= d->tokens; t += 2)                                  \
            for (uint32_t i = 0; i < d->n_rows; i += ROWS)                             \
                dots_scaled(d, i, t, 2, ROWS, l);                                      \
        for (; t < d->tokens; t++)                                                     \
            for (uint32_t i = 0; i < d->n_rows; i++)                                   \
                dots_scaled(d, i, t, 1, 1, l);                                         \
    }                                                                                  \
    static void expand_##name(float *out, const struct qn_cpu_weight *w, uint32_t row, \
                              uint32_t col, uint32_t n) {                              \
        expand_scaled(out, w, row, col, n, (struct layout){__VA_ARGS__});              \
    }
SCALED_KERNEL(q8, QN_W_Q8, false)
SCALED_KERNEL(q4, QN_W_Q4, false)
SCALED_KERNEL(q4_halves, QN_W_Q4, true)
SCALED_KERNEL(levels, QN_W_Q4, false, .levels = true)
SCALED_KERNEL(q5, QN_W_Q4, false, .high = 1)
SCALED_KERNEL(q6_halves, QN_W_Q4, true, .high = 2)

const struct qn_cpu_kernel *qn_cpu_kernel_of(const struct qn_wformat *format) {
    static const struct qn_cpu_kernel plain[] = {
        [QN_W_F32] = {QN_CPU_FLOATS, dots_f32, expand_f32},
        [QN_W_F16] = {QN_CPU_FLOATS, dots_f16, expand_f16},
        [QN_W_BF16] = {QN_CPU_FLOATS, dots_bf16, expand_bf16},
        [QN_W_Q8] = {QN_CPU_WORDS, dots_q8, expand_q8},
    };
    static const struct qn_cpu_kernel levels = {QN_CPU_WORDS, dots_levels, expand_levels};
    static const struct qn_cpu_kernel nibbles[2][3] = {
        // [halves][high]
        {{NIBBLES, dots_q4, expand_q4}, {NIBBLES, dots_q5, expand_q5}, {0}},
        {{NIBBLES, dots_q4_halves, expand_q4_halves},
         {0},
         {NIBBLES, dots_q6_halves, expand_q6_halves}},
    };
    if (format->type != QN_W_Q4)
        return &plain[format->type];
    return format->levels ? &levels : &nibbles[format->group < QN_GROUP][format->high];
}

#undef ROWS
