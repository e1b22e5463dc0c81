#include "quant/blocks.h"

#include <math.h>

#include "base/num.h"

#pragma STDC FP_CONTRACT OFF

static float load_f16(const unsigned char *p) {
    return qn_f16_to_f32(qn_load_u16(p));
}

static void store_u16(unsigned char *p, uint16_t value) {
    memcpy(p, &value, sizeof value);
}

/* ---- One element to a block ---------------------------------------------------------------- */

void qn_block_decode_f32(float *out, const unsigned char *block) {
    memcpy(out, block, sizeof *out);
}

void qn_block_decode_f16(float *out, const unsigned char *block) {
    *out = load_f16(block);
}

void qn_block_decode_bf16(float *out, const unsigned char *block) {
    *out = qn_bf16_to_f32(qn_load_u16(block));
}

void qn_block_encode_f32(unsigned char *block, const float *values) {
    memcpy(block, values, sizeof *values);
}

void qn_block_encode_f16(unsigned char *block, const float *values) {
    store_u16(block, qn_f32_to_f16(*values));
}

/* Round to nearest even; a NaN stays one. */
void qn_block_encode_bf16(unsigned char *block, const float *values) {
    uint32_t bits = qn_f32_bits(*values);
    if ((bits & 0x7fffffffu) > 0x7f800000u)
        bits |= 0x00400000u;
    else
        bits += 0x7fffu + (bits >> 16 & 1u);
    store_u16(block, (uint16_t)(bits >> 16));
}

/* ---- Thirty-two elements -------------------------------------------------------------------- */

/* The 4-bit types put elements 0..15 into the low nibbles of 16 bytes and 16..31 into the high. */
static void nibbles(unsigned char *restrict out, const unsigned char *restrict qs) {
    for (int i = 0; i < 16; i++) {
        out[i] = qs[i] & 15;
        out[16 + i] = qs[i] >> 4;
    }
}

/* The fifth bits of all 32 elements stand in one word, in order. */
static void fives(unsigned char *restrict out, const unsigned char *restrict high) {
    qn_bytes32 q, word = {high[0], high[1], high[2], high[3]};
    const qn_bytes32 bits = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128,
                             1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    word = __builtin_shufflevector(word, word, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2,
                                   2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
    nibbles(out, high + 4);
    memcpy(&q, out, 32);
    q |= (qn_bytes32)((word & bits) == bits) & 16;
    memcpy(out, &q, 32);
}

/* A scale, or a scale and a minimum to add, then fifth bits, then nibbles; or int8. */
void qn_block_codes_q4_0(unsigned char *restrict out, const unsigned char *restrict block,
                         uint32_t part) {
    (void)part;
    nibbles(out, block + 2);
}

void qn_block_codes_q4_1(unsigned char *restrict out, const unsigned char *restrict block,
                         uint32_t part) {
    (void)part;
    nibbles(out, block + 4);
}

void qn_block_codes_q5_0(unsigned char *restrict out, const unsigned char *restrict block,
                         uint32_t part) {
    (void)part;
    fives(out, block + 2);
}

void qn_block_codes_q5_1(unsigned char *restrict out, const unsigned char *restrict block,
                         uint32_t part) {
    (void)part;
    fives(out, block + 4);
}

void qn_block_codes_q8_0(unsigned char *restrict out, const unsigned char *restrict block,
                         uint32_t part) {
    (void)part;
    memcpy(out, block + 2, 32);
}

void qn_block_scales_one(unsigned char *restrict out, const unsigned char *restrict block) {
    memcpy(out, block, 2);
}

/* The minimum is added there and taken off here. */
void qn_block_scales_pair(unsigned char *restrict out, const unsigned char *restrict block) {
    memcpy(out, block, 4);
    out[3] ^= 0x80;
}

/* Rounds `value` down to an integer in [low, high]; NaN gives low. */
static int clamp_floor(float value, int low, int high) {
    if (!(value >= (float)low))
        return low;
    return value >= (float)high ? high : (int)floorf(value);
}

/* The element of largest magnitude becomes -8 exactly (before the scale is rounded to F16), so one
 * side of the range loses a step: 8 becomes 7. Rounding is half up. */
void qn_block_encode_q4_0(unsigned char *block, const float *values) {
    float peak = 0.0f;
    for (int i = 0; i < 32; i++) {
        if (fabsf(values[i]) > fabsf(peak))
            peak = values[i];
    }
    float d = peak / -8.0f;
    float inverse = d != 0.0f ? 1.0f / d : 0.0f;
    store_u16(block, qn_f32_to_f16(d));
    for (int i = 0; i < 16; i++) {
        float low = values[i] * inverse, high = values[i + 16] * inverse;
        int q0 = clamp_floor(low + 8.5f, 0, 15), q1 = clamp_floor(high + 8.5f, 0, 15);
        block[2 + i] = (unsigned char)(q0 | q1 << 4);
    }
}

/* The largest magnitude becomes 127; rounding is half away from zero. */
void qn_block_encode_q8_0(unsigned char *block, const float *values) {
    float peak = 0.0f;
    for (int i = 0; i < 32; i++) {
        if (fabsf(values[i]) > peak)
            peak = fabsf(values[i]);
    }
    float d = peak / 127.0f;
    float inverse = d != 0.0f ? 1.0f / d : 0.0f;
    store_u16(block, qn_f32_to_f16(d));
    for (int i = 0; i < 32; i++) {
        float rounded = roundf(values[i] * inverse);
        block[2 + i] = (unsigned char)(int8_t)clamp_floor(rounded, -127, 127);
    }
}
