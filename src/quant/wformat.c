#include "quant/wformat.h"

#include "base/num.h"

#pragma STDC FP_CONTRACT OFF

uint32_t qn_wformat_cols(uint32_t cols) {
    return qn_ceil_div_u32(cols, QN_GROUP) * QN_GROUP;
}

size_t qn_wformat_row(const struct qn_wformat *format, uint32_t cols, enum qn_plane plane) {
    size_t groups = qn_ceil_div_u32(cols, QN_GROUP);
    if (plane == QN_PLANE_SCALES) {
        bool scaled = format->type == QN_W_Q8 || format->type == QN_W_Q4;
        return scaled ? groups * qn_dtype_bytes(format->scale) : 0;
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
    static const char *const plain[] = {[QN_W_F32] = "f32", [QN_W_F16] = "f16", [QN_W_BF16] = "bf16"};
    static const char *const scaled[2][3] = {{"q8/f16", "q8/bf16", "q8/f32"},
                                             {"q4/f16", "q4/bf16", "q4/f32"}};
    if (format->type <= QN_W_BF16)
        return plain[format->type];
    if (format->type != QN_W_Q8 && format->type != QN_W_Q4)
        return "?";
    int scale = format->scale == QN_DTYPE_F16 ? 0 : format->scale == QN_DTYPE_BF16 ? 1 : 2;
    return scaled[format->type == QN_W_Q4][scale];
}

static float scale_at(enum qn_dtype dtype, const void *scales, size_t group) {
    const unsigned char *p = scales;
    if (dtype == QN_DTYPE_F16)
        return qn_f16_to_f32(qn_load_u16(p + 2 * group));
    if (dtype == QN_DTYPE_BF16)
        return qn_bf16_to_f32(qn_load_u16(p + 2 * group));
    return qn_bits_f32(qn_load_u32(p + 4 * group));
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
            out[i] = (float)(int8_t)p[i] * scale_at(format->scale, scales, i / QN_GROUP);
            break;
        case QN_W_Q4: {
            // Little-endian words, lowest bits first: byte i/2, low nibble first.
            int nibble = p[i / 2] >> (4 * (i % 2)) & 15;
            int q = nibble - (int)format->zero;
            out[i] = (float)q * scale_at(format->scale, scales, i / QN_GROUP);
            break;
        }
        case QN_WTYPE_COUNT:
            out[i] = 0.0f;
        }
    }
}
