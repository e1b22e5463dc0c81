/* Super-blocks of 256 elements: sub-blocks of 16 or 32 with small integer scales (and minima) under
 * one F16 scale (and one for the minima). The canonical layout keeps those two levels. */
#include "base/num.h"
#include "quant/blocks.h"

/* (32 bytes at p) >> shift & mask: bytes, not the ints that they would be promoted to. */
#define FIELD(name, p, shift, mask) \
    qn_bytes32 name;                \
    memcpy(&name, p, 32);           \
    name = name >> (unsigned char)(shift) & (mask)

/* 16 bytes (scale in the low, minimum in the high nibble) for sub-blocks of 16; 64 bytes of 2-bit
 * values: byte l of a half holds elements l, l + 32, l + 64, l + 96; d; dmin. */
void qn_block_codes_q2_k(unsigned char *restrict out, const unsigned char *restrict block,
                         uint32_t part) {
    FIELD(q, block + 16 + 32 * (part / 4), 2 * (part % 4), 3);
    memcpy(out, &q, 32);
}

void qn_block_scales_q2_k(unsigned char *restrict out, const unsigned char *restrict block) {
    memcpy(out, block + 80, 4);
    for (int i = 0; i < 16; i++) {
        out[4 + 2 * i] = block[i] & 15;
        out[5 + 2 * i] = block[i] >> 4;
    }
}

/* 32 bytes of third bits (bit i/32 of byte i % 32; clear means 4 less); 64 bytes of 2-bit values as
 * in Q2_K; 12 bytes of sixteen 6-bit scales, offset 32: low nibbles in 8 bytes, upper bits in
 * 4; d. */
void qn_block_codes_q3_k(unsigned char *restrict out, const unsigned char *restrict block,
                         uint32_t part) {
    FIELD(q, block + 32 + 32 * (part / 4), 2 * (part % 4), 3);
    FIELD(high, block, part, 1);
    q |= high << 2;
    memcpy(out, &q, 32);
}

void qn_block_scales_q3_k(unsigned char *restrict out, const unsigned char *restrict block) {
    const unsigned char *packed = block + 96;
    memcpy(out, block + 108, 2);
    for (int s = 0; s < 16; s++) {
        int low = s < 8 ? packed[s] & 15 : packed[s - 8] >> 4;
        out[4 + s] = (unsigned char)((low | (packed[8 + s % 4] >> (2 * (s / 4)) & 3) << 4) - 32);
    }
}

/* d; dmin; 12 bytes of eight 6-bit scales and minima: the first four of each in the low six bits of
 * bytes 0..3 and 4..7, whose upper two bits complete the nibbles of bytes 8..11; 128 bytes: of each
 * 64 elements the first 32 in the low nibbles of 32 bytes, the others in the high ones. Q5_K has 32
 * bytes of fifth bits before those. */
void qn_block_scales_q4_k(unsigned char *restrict out, const unsigned char *restrict block) {
    const unsigned char *p = block + 4;
    memcpy(out, block, 4);
    for (int s = 0; s < 4; s++) {
        out[4 + 2 * s] = p[s] & 63;
        out[5 + 2 * s] = p[s + 4] & 63;
        out[12 + 2 * s] = (unsigned char)((p[s + 8] & 15) | p[s] >> 6 << 4);
        out[13 + 2 * s] = (unsigned char)(p[s + 8] >> 4 | p[s + 4] >> 6 << 4);
    }
}

void qn_block_codes_q4_k(unsigned char *restrict out, const unsigned char *restrict block,
                         uint32_t part) {
    FIELD(q, block + 16 + 32 * (part / 2), 4 * (part % 2), 15);
    memcpy(out, &q, 32);
}

void qn_block_codes_q5_k(unsigned char *restrict out, const unsigned char *restrict block,
                         uint32_t part) {
    FIELD(q, block + 48 + 32 * (part / 2), 4 * (part % 2), 15);
    FIELD(high, block + 16, part, 1);
    q |= high << 4;
    memcpy(out, &q, 32);
}

/* 128 bytes of low nibbles, 64 of upper two bits, sixteen int8 scales, d. Each half of 128
 * elements: elements l and l + 64 share byte l of the nibbles (l < 64), and the four elements l +
 * 32 k share byte l of the upper bits (l < 32). Offset 32. */
void qn_block_codes_q6_k(unsigned char *restrict out, const unsigned char *restrict block,
                         uint32_t part) {
    FIELD(q, block + 64 * (part / 4) + 32 * (part % 2), part % 4 / 2 * 4, 15);
    FIELD(high, block + 128 + 32 * (part / 4), 2 * (part % 4), 3);
    q |= high << 4;
    memcpy(out, &q, 32);
}

void qn_block_scales_q6_k(unsigned char *restrict out, const unsigned char *restrict block) {
    memcpy(out, block + 208, 2);
    memcpy(out + 4, block + 192, 16);
}

/* d; upper two bits of eight 6-bit scales (offset 32) in 16 bits; their low nibbles in 4 bytes;
 * eight groups of 16 bytes, nibbles as in the 32-element types. */
void qn_block_codes_iq4_xs(unsigned char *restrict out, const unsigned char *restrict block,
                           uint32_t part) {
    qn_block_codes_q4_0(out, block + 6 + 16 * part, 0);
}

void qn_block_scales_iq4_xs(unsigned char *restrict out, const unsigned char *restrict block) {
    uint32_t high = qn_load_u16(block + 2);
    memcpy(out, block, 2);
    for (uint32_t s = 0; s < 8; s++) {
        uint32_t low = block[4 + s / 2] >> (4 * (s % 2)) & 15;
        out[4 + s] = (unsigned char)((low | (high >> (2 * s) & 3) << 4) - 32);
    }
}
