#include "quant/blocks.h"

#include <math.h>

#include "base/num.h"

#pragma STDC FP_CONTRACT OFF

const int8_t qn_block_iq4_levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                        1,    13,   25,  38,  53,  69,  89,  113};

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
static int nibble(const unsigned char *qs, int i) {
    return i < 16 ? qs[i] & 15 : qs[i - 16] >> 4;
}

void qn_block_decode_q4_0(float *out, const unsigned char *block) {
    float d = load_f16(block);
    for (int i = 0; i < 32; i++)
        out[i] = (float)(nibble(block + 2, i) - 8) * d;
}

void qn_block_decode_q4_1(float *out, const unsigned char *block) {
    float d = load_f16(block), m = load_f16(block + 2);
    for (int i = 0; i < 32; i++) {
        float product = (float)nibble(block + 4, i) * d;
        out[i] = product + m;
    }
}

/* The fifth bits of all 32 elements stand in one word, in order. */
static int five_bits(const unsigned char *high, const unsigned char *qs, int i) {
    return nibble(qs, i) | (int)(qn_load_u32(high) >> i & 1u) << 4;
}

void qn_block_decode_q5_0(float *out, const unsigned char *block) {
    float d = load_f16(block);
    for (int i = 0; i < 32; i++)
        out[i] = (float)(five_bits(block + 2, block + 6, i) - 16) * d;
}

void qn_block_decode_q5_1(float *out, const unsigned char *block) {
    float d = load_f16(block), m = load_f16(block + 2);
    for (int i = 0; i < 32; i++) {
        float product = (float)five_bits(block + 4, block + 8, i) * d;
        out[i] = product + m;
    }
}

void qn_block_decode_q8_0(float *out, const unsigned char *block) {
    float d = load_f16(block);
    for (int i = 0; i < 32; i++)
        out[i] = (float)(int8_t)block[2 + i] * d;
}

void qn_block_decode_iq4_nl(float *out, const unsigned char *block) {
    float d = load_f16(block);
    for (int i = 0; i < 32; i++)
        out[i] = (float)qn_block_iq4_levels[nibble(block + 2, i)] * d;
}

void qn_block_split_q5_0(struct qn_block_int8 *out, const unsigned char *block, uint32_t part) {
    (void)part;
    out->scale[0] = load_f16(block);
    for (int i = 0; i < 32; i++)
        out->q[i] = (int8_t)(five_bits(block + 2, block + 6, i) - 16);
}

void qn_block_split_q4_1(struct qn_block_int8 *out, const unsigned char *block, uint32_t part) {
    (void)part;
    out->scale[0] = load_f16(block);
    out->minimum[0] = -load_f16(block + 2);
    for (int i = 0; i < 32; i++)
        out->q[i] = (int8_t)nibble(block + 4, i);
}

void qn_block_split_q5_1(struct qn_block_int8 *out, const unsigned char *block, uint32_t part) {
    (void)part;
    out->scale[0] = load_f16(block);
    out->minimum[0] = -load_f16(block + 2);
    for (int i = 0; i < 32; i++)
        out->q[i] = (int8_t)five_bits(block + 4, block + 8, i);
}

void qn_block_split_q8_0(struct qn_block_int8 *out, const unsigned char *block, uint32_t part) {
    (void)part;
    out->scale[0] = load_f16(block);
    memcpy(out->q, block + 2, 32);
}

void qn_block_split_iq4_nl(struct qn_block_int8 *out, const unsigned char *block, uint32_t part) {
    (void)part;
    out->scale[0] = load_f16(block);
    for (int i = 0; i < 32; i++)
        out->q[i] = qn_block_iq4_levels[nibble(block + 2, i)];
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
