#include "quant/blocks.h"

#include "base/num.h"

#pragma STDC FP_CONTRACT OFF

static float load_f16(const unsigned char *p) {
    return qn_f16_to_f32(qn_load_u16(p));
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
