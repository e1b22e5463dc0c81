/* Vectors of float32 through the compiler's vector extensions: one source for SSE, AVX, NEON and
 * wasm SIMD128; without any of them the compiler lowers it to scalar code. Loads and stores take
 * any alignment. */
#ifndef QN_CPU_VEC_H
#define QN_CPU_VEC_H

#include "base/num.h"

#ifndef QN_LANES // cpu/avx2.c sets it
#ifdef __AVX2__
#define QN_LANES 8
#else
#define QN_LANES 4
#endif
#endif

typedef float qn_vf __attribute__((vector_size(4 * QN_LANES)));
typedef int32_t qn_vi __attribute__((vector_size(4 * QN_LANES)));
typedef uint32_t qn_vu __attribute__((vector_size(4 * QN_LANES)));
typedef uint16_t qn_vh __attribute__((vector_size(2 * QN_LANES))); // halves of one qn_vf
typedef uint8_t qn_vb __attribute__((vector_size(4 * QN_LANES)));
typedef uint16_t qn_vus __attribute__((vector_size(4 * QN_LANES)));
typedef int16_t qn_vs __attribute__((vector_size(4 * QN_LANES)));
typedef int8_t qn_vi8x16 __attribute__((vector_size(16)));
typedef int16_t qn_vi16x8 __attribute__((vector_size(16)));

static inline qn_vf qn_v_load(const float *p) {
    qn_vf v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void qn_v_store(float *p, qn_vf v) {
    memcpy(p, &v, sizeof v);
}

static inline qn_vf qn_v_splat(float x) {
    return (qn_vf){0} + x;
}

/* sum + a × b, fused where that is one instruction. */
static inline qn_vf qn_v_madd(qn_vf a, qn_vf b, qn_vf sum) {
#ifdef __wasm_relaxed_simd__
    return __builtin_wasm_relaxed_madd_f32x4(a, b, sum);
#else
    return sum + a * b;
#endif
}

/* Sum of the lanes, in a fixed order. */
static inline float qn_v_sum(qn_vf v) {
#if QN_LANES == 8
    return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]));
#else
    return (v[0] + v[2]) + (v[1] + v[3]);
#endif
}

/* Sums of two products each: lane i is a[2 i] b[2 i] + a[2 i + 1] b[2 i + 1]. */
static inline qn_vi qn_v_dot(qn_vs a, qn_vs b) {
#if defined(__wasm_simd128__)
    return __builtin_wasm_dot_s_i32x4_i16x8(a, b);
#elif QN_LANES == 8
    return (qn_vi)__builtin_ia32_pmaddwd256(a, b);
#elif defined(__SSE2__)
    return (qn_vi)__builtin_ia32_pmaddwd128(a, b);
#else // NEON's multiplications widen lower and upper halves
    typedef int16_t half __attribute__((vector_size(2 * QN_LANES)));
    half a0 = __builtin_shufflevector(a, a, 0, 1, 2, 3),
         b0 = __builtin_shufflevector(b, b, 0, 1, 2, 3);
    half a1 = __builtin_shufflevector(a, a, 4, 5, 6, 7),
         b1 = __builtin_shufflevector(b, b, 4, 5, 6, 7);
    qn_vi low = __builtin_convertvector(a0, qn_vi) * __builtin_convertvector(b0, qn_vi);
    qn_vi high = __builtin_convertvector(a1, qn_vi) * __builtin_convertvector(b1, qn_vi);
    return __builtin_shufflevector(low, high, 0, 2, 4, 6) +
           __builtin_shufflevector(low, high, 1, 3, 5, 7);
#endif
}

/* Σ w ((256 q0 + q1) 2^fine + q2) over two vectors, four bytes a lane: w in 0 .. 63, two vectors of
 * int8 for each q. Where products of bytes are instructions. */
#ifdef __wasm_relaxed_simd__
#define QN_V_BYTES 1
static inline qn_vi qn_v_dot_bytes(const qn_vb w[2], const qn_vb q[2], qn_vi sum) {
    sum = __builtin_wasm_relaxed_dot_i8x16_i7x16_add_s_i32x4((qn_vi8x16)q[0], (qn_vi8x16)w[0], sum);
    return __builtin_wasm_relaxed_dot_i8x16_i7x16_add_s_i32x4((qn_vi8x16)q[1], (qn_vi8x16)w[1],
                                                              sum);
}
static inline qn_vi qn_v_dot_three(const qn_vb w[2], const qn_vb q[6], int fine) {
    qn_vi sum = qn_v_dot_bytes(w, q + 2, qn_v_dot_bytes(w, q, (qn_vi){0}) << 8);
    return qn_v_dot_bytes(w, q + 4, sum << fine);
}
#elif QN_LANES == 8
#define QN_V_BYTES 1
static inline qn_vi qn_v_dot_bytes(const qn_vb w[2], const qn_vb q[2], int factor) {
    typedef char bytes __attribute__((vector_size(32)));
    typedef short words __attribute__((vector_size(32)));
    words sum = __builtin_ia32_pmaddubsw256((bytes)w[0], (bytes)q[0]) +
                __builtin_ia32_pmaddubsw256((bytes)w[1], (bytes)q[1]);
    return (qn_vi)__builtin_ia32_pmaddwd256(sum, (words){0} + (short)factor);
}
static inline qn_vi qn_v_dot_three(const qn_vb w[2], const qn_vb q[6], int fine) {
    return (qn_v_dot_bytes(w, q, 256 << fine) + qn_v_dot_bytes(w, q + 2, 1 << fine)) +
           qn_v_dot_bytes(w, q + 4, 1);
}
#endif

/* Where mask is −1 takes a, where it is 0 takes b. */
static inline qn_vf qn_v_select(qn_vi mask, qn_vf a, qn_vf b) {
    return (qn_vf)(((qn_vi)a & mask) | ((qn_vi)b & ~mask));
}

static inline qn_vf qn_v_max(qn_vf a, qn_vf b) {
    return qn_v_select(a > b, a, b);
}

/* binary16 → binary32 for finite values; infinities and NaN may come out as 65536 and more. */
static inline qn_vf qn_v_load_f16(const void *p) {
#if defined(__F16C__) || defined(QN_CPU_F16C) || defined(__aarch64__)
    _Float16 __attribute__((vector_size(2 * QN_LANES))) half;
    memcpy(&half, p, sizeof half);
    return __builtin_convertvector(half, qn_vf);
#else
    qn_vh half;
    memcpy(&half, p, sizeof half);
    qn_vu bits = __builtin_convertvector(half, qn_vu) << 16;
    // Sign, exponent and mantissa to their places; the exponent's bias is then off by 112, which a
    // product puts right, for subnormals too.
    return (qn_vf)((qn_vu)((qn_vi)bits >> 3) & 0x8fffffffu) * 0x1p112f;
#endif
}

static inline qn_vf qn_v_load_bf16(const void *p) {
    qn_vh half;
    memcpy(&half, p, sizeof half);
    return (qn_vf)(__builtin_convertvector(half, qn_vu) << 16);
}

/* Sixteen int8 → float32, in order. Widened in steps of two, which is what SIMD128 and
 * NEON have. */
static inline void qn_v_widen(qn_vf out[16 / QN_LANES], qn_vi8x16 v) {
#if QN_LANES == 8
    out[0] = __builtin_convertvector(__builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7), qn_vf);
    out[1] =
        __builtin_convertvector(__builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15), qn_vf);
#else
    qn_vi16x8 low =
        __builtin_convertvector(__builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7), qn_vi16x8);
    qn_vi16x8 high = __builtin_convertvector(
        __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15), qn_vi16x8);
    qn_vi w0 = __builtin_convertvector(__builtin_shufflevector(low, low, 0, 1, 2, 3), qn_vi);
    qn_vi w1 = __builtin_convertvector(__builtin_shufflevector(low, low, 4, 5, 6, 7), qn_vi);
    qn_vi w2 = __builtin_convertvector(__builtin_shufflevector(high, high, 0, 1, 2, 3), qn_vi);
    qn_vi w3 = __builtin_convertvector(__builtin_shufflevector(high, high, 4, 5, 6, 7), qn_vi);
    out[0] = __builtin_convertvector(w0, qn_vf);
    out[1] = __builtin_convertvector(w1, qn_vf);
    out[2] = __builtin_convertvector(w2, qn_vf);
    out[3] = __builtin_convertvector(w3, qn_vf);
#endif
}

/* e^x to about 1 ulp for x in [−87, 88], clamped outside. x = n ln 2 + r, |r| ≤ ln 2 / 2; the
 * Taylor series of e^r to r^7 leaves 5e-9; ln 2 in two parts keeps r exact. */
static inline qn_vf qn_v_exp(qn_vf x) {
    qn_vf low = qn_v_splat(-87.0f), high = qn_v_splat(88.0f);
    x = qn_v_select(x < low, low, x);
    x = qn_v_select(x > high, high, x);
    qn_vf magic = qn_v_splat(12582912.0f); // 1.5 × 2^23: adding it rounds to an integer
    qn_vf shifted = x * 1.44269502f + magic;
    qn_vf n = shifted - magic;
    qn_vf r = x - n * 0.693359375f - n * -2.12194440e-4f;
    qn_vf p = qn_v_splat(1.0f / 5040.0f);
    p = p * r + 1.0f / 720.0f;
    p = p * r + 1.0f / 120.0f;
    p = p * r + 1.0f / 24.0f;
    p = p * r + 1.0f / 6.0f;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    qn_vu power = (qn_vu)shifted - 0x4b400000u + 127u; // `magic` is 0x4b400000 as bits
    return p * (qn_vf)(power << 23);
}

#endif
