#include "quant/wformat.h"

#include "base/num.h"

#pragma STDC FP_CONTRACT OFF

uint32_t qn_wformat_cols(uint32_t cols) {
    return qn_ceil_div_u32(cols, QN_GROUP) * QN_GROUP;
}

bool qn_wformat_same(const struct qn_wformat *a, const struct qn_wformat *b) {
    return a->type == b->type && a->scale == b->scale && a->zero == b->zero &&
           a->group == b->group && a->minimum == b->minimum;
}

static bool quantised(const struct qn_wformat *format) {
    return format->type == QN_W_Q8 || format->type == QN_W_Q4;
}

bool qn_wformat_valid(const struct qn_wformat *format) {
    if ((unsigned)format->type >= QN_WTYPE_COUNT ||
        format->zero > (format->type == QN_W_Q4 ? 15u : 0u))
        return false;
    if (!quantised(format))
        return format->scale == QN_DTYPE_NONE && format->group == 0 && !format->minimum;
    bool scale = format->scale == QN_DTYPE_F16 || format->scale == QN_DTYPE_F32 ||
                 (format->scale == QN_DTYPE_BF16 && !format->minimum);
    return scale && (format->group == QN_GROUP || format->group == QN_GROUP / 2);
}

size_t qn_wformat_row(const struct qn_wformat *format, uint32_t cols, enum qn_plane plane) {
    size_t groups = qn_ceil_div_u32(cols, QN_GROUP);
    if (plane == QN_PLANE_SCALES) {
        if (!quantised(format))
            return 0;
        size_t scales = groups * (format->group == QN_GROUP ? 1 : 2);
        return scales * (format->minimum ? 2 : 1) * qn_dtype_bytes(format->scale);
    }
    switch (format->type) {
    case QN_W_F32:
        return groups * QN_GROUP * 4;
    case QN_W_F16:
    case QN_W_BF16:
        return groups * QN_GROUP * 2;
    case QN_W_Q8:
        return groups * QN_GROUP;
    case QN_W_Q4:
        return groups * QN_GROUP / 2;
    case QN_WTYPE_COUNT:
        break;
    }
    return 0;
}

const char *qn_wformat_name(const struct qn_wformat *format) {
    static const char *const plain[] = {
        [QN_W_F32] = "f32", [QN_W_F16] = "f16", [QN_W_BF16] = "bf16"};
    static const char *const scaled[2][2][3] = {
        {{"q8/f16", "q8/bf16", "q8/f32"}, {"q8-min/f16", "?", "q8-min/f32"}},
        {{"q4/f16", "q4/bf16", "q4/f32"}, {"q4-min/f16", "?", "q4-min/f32"}}};
    if (format->type <= QN_W_BF16)
        return plain[format->type];
    if (!quantised(format))
        return "?";
    int scale = format->scale == QN_DTYPE_F16 ? 0 : format->scale == QN_DTYPE_BF16 ? 1 : 2;
    return scaled[format->type == QN_W_Q4][format->minimum][scale];
}

static float scale_at(enum qn_dtype dtype, const void *scales, size_t group) {
    const unsigned char *p = scales;
    if (dtype == QN_DTYPE_F16)
        return qn_f16_to_f32(qn_load_u16(p + 2 * group));
    if (dtype == QN_DTYPE_BF16)
        return qn_bf16_to_f32(qn_load_u16(p + 2 * group));
    return qn_bits_f32(qn_load_u32(p + 4 * group));
}

/* q × scale of a column, less the minimum. */
static float scaled(const struct qn_wformat *format, const void *scales, size_t column, int q) {
    size_t group = column / format->group;
    if (!format->minimum)
        return (float)q * scale_at(format->scale, scales, group);
    float product = (float)q * scale_at(format->scale, scales, 2 * group);
    return product - scale_at(format->scale, scales, 2 * group + 1);
}

void qn_wformat_decode(float *out, const struct qn_wformat *format, uint32_t cols,
                       const void *values, const void *scales) {
    const unsigned char *p = values;
    for (size_t i = 0; i < cols; i++) {
        switch (format->type) {
        case QN_W_F32:
            out[i] = qn_bits_f32(qn_load_u32(p + 4 * i));
            break;
        case QN_W_F16:
            out[i] = qn_f16_to_f32(qn_load_u16(p + 2 * i));
            break;
        case QN_W_BF16:
            out[i] = qn_bf16_to_f32(qn_load_u16(p + 2 * i));
            break;
        case QN_W_Q8:
            out[i] = scaled(format, scales, i, (int8_t)p[i]);
            break;
        case QN_W_Q4: {
            // Little-endian words, lowest bits first: byte i/2, low nibble first.
            int nibble = p[i / 2] >> (4 * (i % 2)) & 15;
            out[i] = scaled(format, scales, i, nibble - (int)format->zero);
            break;
        }
        case QN_WTYPE_COUNT:
            out[i] = 0.0f;
        }
    }
}
