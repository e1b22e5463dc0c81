/* The encoders of blocks.h: for models that are made up, never where time counts. */
#include <math.h>

#include "base/num.h"
#include "quant/blocks.h"

#pragma STDC FP_CONTRACT OFF

static void store_u16(unsigned char *p, uint16_t value) {
    memcpy(p, &value, sizeof value);
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
