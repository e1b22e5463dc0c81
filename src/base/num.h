/* Checked integers. The only place where a wide integer is narrowed: on wasm32 a plain
 * (size_t)u64 loses the upper half without a warning, which is a heap overflow waiting to
 * happen. */
#ifndef QN_BASE_NUM_H
#define QN_BASE_NUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline bool qn_u64_to_size(size_t *out, uint64_t value) {
    if (value > SIZE_MAX)
        return false;
    *out = (size_t)value;
    return true;
}

static inline bool qn_u64_to_u32(uint32_t *out, uint64_t value) {
    if (value > UINT32_MAX)
        return false;
    *out = (uint32_t)value;
    return true;
}

static inline bool qn_size_to_u32(uint32_t *out, size_t value) {
    return qn_u64_to_u32(out, value);
}

static inline bool qn_add_u64(uint64_t *out, uint64_t a, uint64_t b) {
    return !__builtin_add_overflow(a, b, out);
}

/* num.c; *out is the product without its upper bits, also where it does not fit. */
bool qn_mul_u64(uint64_t *out, uint64_t a, uint64_t b);
bool qn_mul_i64(int64_t *out, int64_t a, int64_t b);

static inline bool qn_add_size(size_t *out, size_t a, size_t b) {
    return !__builtin_add_overflow(a, b, out);
}

static inline bool qn_mul_size(size_t *out, size_t a, size_t b) { // 32 bits on wasm
    return !__builtin_mul_overflow(a, b, out);
}

/* Rounds up to a multiple of `align`, a power of two. */
static inline bool qn_align_up_u64(uint64_t *out, uint64_t value, uint64_t align) {
    if (!qn_add_u64(out, value, align - 1))
        return false;
    *out &= ~(align - 1);
    return true;
}

static inline uint32_t qn_ceil_div_u32(uint32_t a, uint32_t b) {
    return a / b + (a % b != 0);
}

static inline size_t qn_min_size(size_t a, size_t b) {
    return a < b ? a : b;
}

static inline uint32_t qn_min_u32(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

static inline uint32_t qn_max_u32(uint32_t a, uint32_t b) {
    return a > b ? a : b;
}

/* Little-endian loads from unaligned bytes; wasm and all supported native targets are
 * little-endian. */
static inline uint16_t qn_load_u16(const void *p) {
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline uint32_t qn_load_u32(const void *p) {
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline uint64_t qn_load_u64(const void *p) {
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline uint32_t qn_f32_bits(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float qn_bits_f32(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* IEEE 754 binary16 → binary32, subnormals, infinities and NaN included. */
static inline float qn_f16_to_f32(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
    uint32_t exponent = (half >> 10) & 0x1fu;
    uint32_t mantissa = half & 0x3ffu;
    if (exponent == 0) {
        float value = (float)mantissa * 0x1p-24f;
        return sign ? -value : value;
    }
    if (exponent == 31)
        return qn_bits_f32(sign | 0x7f800000u | mantissa << 13);
    return qn_bits_f32(sign | (exponent + 112) << 23 | mantissa << 13);
}

/* binary32 → binary16, round to nearest even. */
uint16_t qn_f32_to_f16(float value);

/* bfloat16 is the upper half of a binary32. */
static inline float qn_bf16_to_f32(uint16_t value) {
    return qn_bits_f32((uint32_t)value << 16);
}

#endif
