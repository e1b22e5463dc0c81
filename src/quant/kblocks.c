/* Super-blocks of 256 elements: sub-blocks of 16 or 32 with small integer scales (and minima) under
 * one F16 scale (and one for the minima). */
#include "base/num.h"
#include "quant/blocks.h"

#pragma STDC FP_CONTRACT OFF

static float load_f16(const unsigned char *p) {
    return qn_f16_to_f32(qn_load_u16(p));
}

/* All elements of a super-block through its split; products and differences rounded one by one. */
static void decode(float *out, const unsigned char *block, qn_block_split *split, int group,
                   bool minimum) {
    for (uint32_t part = 0; part < 8; part++) {
        struct qn_block_int8 v;
        split(&v, block, part);
        for (int i = 0; i < 32; i++) {
            float product = v.scale[i / group] * (float)v.q[i];
            *out++ = minimum ? product - v.minimum[i / group] : product;
        }
    }
}

/* 16 bytes (scale in the low, minimum in the high nibble) for sub-blocks of 16; 64 bytes of 2-bit
 * values: byte l of a half holds elements l, l + 32, l + 64, l + 96; d; dmin. */
void qn_block_split_q2_k(struct qn_block_int8 *out, const unsigned char *block, uint32_t part) {
    const unsigned char *scales = block + 2 * part, *qs = block + 16 + 32 * (part / 4);
    float d = load_f16(block + 80), dmin = load_f16(block + 82);
    for (int i = 0; i < 2; i++) {
        out->scale[i] = d * (float)(scales[i] & 15);
        out->minimum[i] = dmin * (float)(scales[i] >> 4);
    }
    for (int i = 0; i < 32; i++)
        out->q[i] = (int8_t)(qs[i] >> (2 * (part % 4)) & 3);
}

void qn_block_decode_q2_k(float *out, const unsigned char *block) {
    decode(out, block, qn_block_split_q2_k, 16, true);
}

/* 32 bytes of third bits (bit i/32 of byte i % 32; clear means 4 less); 64 bytes of 2-bit values as
 * in Q2_K; 12 bytes of sixteen 6-bit scales, offset 32: low nibbles in 8 bytes, upper bits in 4; d.
 */
void qn_block_split_q3_k(struct qn_block_int8 *out, const unsigned char *block, uint32_t part) {
    const unsigned char *high = block, *qs = block + 32 + 32 * (part / 4), *packed = block + 96;
    float d = load_f16(block + 108);
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t s = 2 * part + i;
        int low = s < 8 ? packed[s] & 15 : packed[s - 8] >> 4;
        out->scale[i] = d * (float)((low | (packed[8 + s % 4] >> (2 * (s / 4)) & 3) << 4) - 32);
    }
    for (int i = 0; i < 32; i++) {
        int q = qs[i] >> (2 * (part % 4)) & 3;
        out->q[i] = (int8_t)(high[i] >> part & 1 ? q : q - 4);
    }
}

void qn_block_decode_q3_k(float *out, const unsigned char *block) {
    decode(out, block, qn_block_split_q3_k, 16, false);
}

/* Eight 6-bit scales and eight 6-bit minima in 12 bytes: the first four of each in the low six bits
 * of bytes 0..3 and 4..7, whose upper two bits complete the nibbles of bytes 8..11. */
static void scale_and_min(int *scale, int *min, const unsigned char *packed, uint32_t s) {
    if (s < 4) {
        *scale = packed[s] & 63;
        *min = packed[s + 4] & 63;
    } else {
        *scale = (packed[s + 4] & 15) | packed[s - 4] >> 6 << 4;
        *min = packed[s + 4] >> 4 | packed[s] >> 6 << 4;
    }
}

/* d; dmin; 12 bytes of scales and minima; 128 bytes: of each 64 elements the first 32 in the low
 * nibbles of 32 bytes, the others in the high ones. Q5_K has 32 bytes of fifth bits before those.
 */
static void split_k4(struct qn_block_int8 *out, const unsigned char *block, uint32_t part,
                     const unsigned char *high, const unsigned char *qs) {
    int scale, min;
    scale_and_min(&scale, &min, block + 4, part);
    out->scale[0] = load_f16(block) * (float)scale;
    out->minimum[0] = load_f16(block + 2) * (float)min;
    for (int l = 0; l < 32; l++) {
        int q = qs[32 * (part / 2) + (uint32_t)l] >> (4 * (part % 2)) & 15;
        if (high != NULL)
            q |= (high[l] >> part & 1) << 4;
        out->q[l] = (int8_t)q;
    }
}

void qn_block_split_q4_k(struct qn_block_int8 *out, const unsigned char *block, uint32_t part) {
    split_k4(out, block, part, NULL, block + 16);
}

void qn_block_decode_q4_k(float *out, const unsigned char *block) {
    decode(out, block, qn_block_split_q4_k, 32, true);
}

void qn_block_split_q5_k(struct qn_block_int8 *out, const unsigned char *block, uint32_t part) {
    split_k4(out, block, part, block + 16, block + 48);
}

void qn_block_decode_q5_k(float *out, const unsigned char *block) {
    decode(out, block, qn_block_split_q5_k, 32, true);
}

/* 128 bytes of low nibbles, 64 of upper two bits, sixteen int8 scales, d. Each half of 128
 * elements: elements l and l + 64 share byte l of the nibbles (l < 64), and the four elements l +
 * 32 k share byte l of the upper bits (l < 32). Offset 32. */
void qn_block_split_q6_k(struct qn_block_int8 *out, const unsigned char *block, uint32_t part) {
    const unsigned char *low = block + 64 * (part / 4) + 32 * (part % 2);
    const unsigned char *high = block + 128 + 32 * (part / 4);
    float d = load_f16(block + 208);
    for (uint32_t i = 0; i < 2; i++)
        out->scale[i] = d * (float)(int8_t)block[192 + 2 * part + i];
    for (int i = 0; i < 32; i++) {
        int q = low[i] >> (4 * (part % 4 / 2)) & 15;
        out->q[i] = (int8_t)((q | (high[i] >> (2 * (part % 4)) & 3) << 4) - 32);
    }
}

void qn_block_decode_q6_k(float *out, const unsigned char *block) {
    decode(out, block, qn_block_split_q6_k, 16, false);
}

/* d; upper two bits of eight 6-bit scales (offset 32) in 16 bits; their low nibbles in 4 bytes;
 * eight groups of 16 bytes, nibbles as in the 32-element types. */
void qn_block_split_iq4_xs(struct qn_block_int8 *out, const unsigned char *block, uint32_t part) {
    const unsigned char *qs = block + 8 + 16 * part;
    int low = block[4 + part / 2] >> (4 * (part % 2)) & 15;
    int high = qn_load_u16(block + 2) >> (2 * part) & 3;
    out->scale[0] = load_f16(block) * (float)((low | high << 4) - 32);
    for (int l = 0; l < 16; l++) {
        out->q[l] = qn_block_iq4_levels[qs[l] & 15];
        out->q[l + 16] = qn_block_iq4_levels[qs[l] >> 4];
    }
}

void qn_block_decode_iq4_xs(float *out, const unsigned char *block) {
    decode(out, block, qn_block_split_iq4_xs, 32, false);
}
