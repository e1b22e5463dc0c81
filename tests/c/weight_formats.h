/* The canonical layouts of weights, and random scales for them, for tests of the backends. */
#ifndef QN_TEST_WEIGHT_FORMATS_H
#define QN_TEST_WEIGHT_FORMATS_H

#include "base/num.h"
#include "base/rng.h"
#include "quant/wformat.h"

/* Every canonical layout that a stored type has, by that type's name where it is but one. */
static const struct model_format {
    const char *name;
    struct qn_wformat format;
} model_formats[] = {
    {"f32", {QN_W_F32}},
    {"f16", {QN_W_F16}},
    {"bf16", {QN_W_BF16}},
    {"Q8_0", {QN_W_Q8, QN_DTYPE_F16, 0, 32}},
    {"Q4_0", {QN_W_Q4, QN_DTYPE_F16, 8, 32}},
    {"q4/bf16", {QN_W_Q4, QN_DTYPE_BF16, 7, 32}},
    {"q4/f32", {QN_W_Q4, QN_DTYPE_F32, 7, 32}},
    {"Q4_1", {QN_W_Q4, QN_DTYPE_F16, 0, 32, .minimum = true}},
    {"Q5_0", {QN_W_Q4, QN_DTYPE_F16, 16, 32, .high = 1}},
    {"Q5_1", {QN_W_Q4, QN_DTYPE_F16, 0, 32, .high = 1, .minimum = true}},
    {"IQ4_NL", {QN_W_Q4, QN_DTYPE_F16, 0, 32, .levels = true}},
    {"IQ4_XS", {QN_W_Q4, QN_DTYPE_F16, 0, 32, .levels = true, .super = true}},
    {"Q2_K", {QN_W_Q4, QN_DTYPE_F16, 0, 16, .super = true, .minimum = true}},
    {"Q3_K", {QN_W_Q4, QN_DTYPE_F16, 4, 16, .super = true}},
    {"Q4_K", {QN_W_Q4, QN_DTYPE_F16, 0, 32, .super = true, .minimum = true}},
    {"Q5_K", {QN_W_Q4, QN_DTYPE_F16, 0, 32, .super = true, .minimum = true, .high = 1}},
    {"Q6_K", {QN_W_Q4, QN_DTYPE_F16, 32, 16, .super = true, .high = 2}},
    {"q3f16_1", {QN_W_Q4, QN_DTYPE_F16, 3, 16}},
    {"AWQ 32", {QN_W_Q4, QN_DTYPE_F16, 0, 32, .minimum = true, .zeros = true}},
    {"AWQ 64", {QN_W_Q4, QN_DTYPE_F16, 0, 64, .minimum = true, .zeros = true}},
    {"AWQ 128, f32", {QN_W_Q4, QN_DTYPE_F32, 0, 128, .minimum = true, .zeros = true}},
};
enum { MODEL_FORMATS = sizeof model_formats / sizeof *model_formats };

static inline float model_random_of(uint32_t *seed) { // roughly [-1, 1)
    return 2.0f * qn_rng_unit(7, (*seed)++, 1) - 1.0f;
}

/* Column c of a row: v, or random bits where values are integers. */
static inline void model_put_value(unsigned char *row, uint32_t c, enum qn_wtype type, float v,
                                   uint32_t word) {
    uint16_t half = type == QN_W_F16 ? qn_f32_to_f16(v) : (uint16_t)(qn_f32_bits(v) >> 16);
    if (type == QN_W_F32)
        memcpy(row + 4 * c, &v, 4);
    else if (type == QN_W_Q8)
        row[c] = (unsigned char)word;
    else if (type == QN_W_Q4)
        row[c / 2] |= (unsigned char)((word & 15) << (4 * (c % 2)));
    else
        memcpy(row + 2 * c, &half, 2);
}

static inline void model_put_scale(unsigned char *p, enum qn_dtype dtype, float v) {
    uint16_t half = dtype == QN_DTYPE_F16 ? qn_f32_to_f16(v) : (uint16_t)(qn_f32_bits(v) >> 16);
    if (dtype == QN_DTYPE_F32)
        memcpy(p, &v, 4);
    else
        memcpy(p, &half, 2);
}

/* A row of scales for values of about `size`. */
static inline void model_fill_scales(uint32_t *seed, const struct qn_wformat *f, float size,
                                     unsigned char *row, size_t n) {
    struct qn_wblock block = qn_wformat_block(f);
    size_t element = qn_dtype_bytes(f->scale);
    float unit = size / (f->type == QN_W_Q8 || f->levels ? 64.0f : f->high ? 16.0f : 5.0f);
    for (unsigned char *p = row; p < row + n; p += block.bytes) {
        for (uint32_t i = 4; i < block.bytes; i++) // high bits, and the integers of two levels
            p[i] = (unsigned char)qn_rng_u32(9, (*seed)++, i);
        for (uint32_t i = 4; f->super && f->minimum && i < block.high; i++)
            p[i] &= 63; // both positive, or sums would cancel
        if (f->super)
            unit = size / (f->levels ? 4096.0f : 512.0f);
        model_put_scale(p, f->scale, unit * model_random_of(seed));
        if (f->minimum)
            model_put_scale(p + element, f->scale,
                            f->zeros ? (float)(qn_rng_u32(9, (*seed)++, 1) % 17)
                                     : 8.0f * unit * model_random_of(seed));
    }
}

#endif
