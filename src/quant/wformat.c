#include "quant/wformat.h"

#include "base/num.h"

#pragma STDC FP_CONTRACT OFF

const int8_t qn_wformat_levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                      1,    13,   25,  38,  53,  69,  89,  113};

uint32_t qn_wformat_cols(uint32_t cols) {
    return qn_ceil_div_u32(cols, QN_GROUP) * QN_GROUP;
}

bool qn_wformat_same(const struct qn_wformat *a, const struct qn_wformat *b) {
    return a->type == b->type && a->scale == b->scale && a->zero == b->zero &&
           a->group == b->group && a->minimum == b->minimum && a->zeros == b->zeros &&
           a->super == b->super && a->levels == b->levels && a->high == b->high;
}

bool qn_wformat_valid(const struct qn_wformat *format) {
    const struct qn_wformat *f = format;
    bool q4 = f->type == QN_W_Q4, f16 = f->scale == QN_DTYPE_F16, group = f->group == QN_GROUP;
    if ((unsigned)f->type >= QN_WTYPE_COUNT || f->high > 2 || f->zero >= 16u << f->high)
        return false;
    if (!q4 && (f->zero || f->minimum || f->zeros || f->super || f->levels || f->high))
        return false;
    if (f->type < QN_W_Q8)
        return f->scale == QN_DTYPE_NONE && f->group == 0;
    if (f->type == QN_W_Q8)
        return f16 && group;
    if ((f->levels && (f->high || f->zero || f->minimum || !group)) || (f->zeros && !f->minimum))
        return false;
    if (f->high && group != (f->high == 1))
        return false;
    if (f->super)
        return f16 && !f->zeros && (group || f->group == QN_GROUP / 2);
    bool wide = f->group == 64 || f->group == 128, half = f->group == QN_GROUP / 2;
    bool f32 = f->scale == QN_DTYPE_F32, bf16 = f->scale == QN_DTYPE_BF16;
    return (f16 || (f32 && !f->high) || (bf16 && !f->minimum && !f->high)) &&
           (group || (wide && f->zeros && !f->high) || (half && f16 && !f->minimum));
}

struct qn_wblock qn_wformat_block(const struct qn_wformat *format) {
    uint32_t pair = format->minimum ? 2 : 1;
    if (format->super) {
        uint32_t high = 4 + QN_SUPER / format->group * pair;
        return (struct qn_wblock){QN_SUPER, high + format->high * (QN_SUPER / 8), high};
    }
    if (format->high)
        return (struct qn_wblock){QN_GROUP, 4 + 4 * format->high, 4};
    return (struct qn_wblock){format->group, pair * qn_dtype_bytes(format->scale), 0};
}

size_t qn_wformat_row(const struct qn_wformat *format, uint32_t cols, enum qn_plane plane) {
    static const uint8_t bits[QN_WTYPE_COUNT] = {32, 16, 16, 8, 4};
    if (plane == QN_PLANE_VALUES)
        return (size_t)qn_ceil_div_u32(cols, QN_GROUP) * (QN_GROUP / 8) * bits[format->type];
    if (format->type < QN_W_Q8)
        return 0;
    struct qn_wblock block = qn_wformat_block(format);
    return (size_t)qn_ceil_div_u32(qn_wformat_cols(cols), block.cols) * block.bytes;
}

const char *qn_wformat_name(const struct qn_wformat *format) {
    static const char *const plain[] = {"f32", "f16", "bf16", "q8/f16"};
    static const char *const single[] = {"q4/f16", "q4/bf16", "q4/f32"};
    static const char *const pairs[] = {"q4-min/f16", "?", "q4-min/f32"};
    static const char *const super[] = {"q4-super", "q5-super", "q6-super"};
    if (format->type < QN_W_Q4)
        return plain[format->type];
    int scale = format->scale == QN_DTYPE_F16 ? 0 : format->scale == QN_DTYPE_BF16 ? 1 : 2;
    if (format->super)
        return format->levels ? "levels-super" : super[format->high];
    if (format->levels)
        return "levels/f16";
    if (format->high)
        return "q5/f16";
    return format->minimum ? pairs[scale] : single[scale];
}

static float scale_at(enum qn_dtype dtype, const unsigned char *p, uint32_t i) {
    if (dtype == QN_DTYPE_F16)
        return qn_f16_to_f32(qn_load_u16(p + 2 * i));
    if (dtype == QN_DTYPE_BF16)
        return qn_bf16_to_f32(qn_load_u16(p + 2 * i));
    return qn_bits_f32(qn_load_u32(p + 4 * i));
}

/* Columns [col, col + n) of Q8 and Q4, up to the end of a run that shares a scale; returns how many
 * they were. */
static uint32_t decode_run(float *out, const struct qn_wformat *f, uint32_t col, uint32_t n,
                           const unsigned char *values, const unsigned char *scales) {
    struct qn_wblock block = qn_wformat_block(f);
    const unsigned char *p = scales + (size_t)(col / block.cols) * block.bytes;
    const unsigned char *high = p + block.high;
    uint32_t run = qn_min_u32(QN_GROUP, f->group);
    float scale = scale_at(f->scale, p, 0);
    float minimum = f->minimum ? scale_at(f->scale, p, 1) : 0.0f, zero = (float)f->zero;
    if (f->super) {
        uint32_t at = 4 + col % QN_SUPER / f->group * (f->minimum ? 2 : 1);
        scale *= (float)(int8_t)p[at];
        minimum *= (float)(int8_t)p[at + f->minimum];
    }
    if (f->zeros)
        zero = minimum;
    n = qn_min_u32(n, run - col % run);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t c = col + i, pair = c % QN_GROUP / 2;
        if (f->type == QN_W_Q8) {
            out[i] = (float)(int8_t)values[c] * scale;
            continue;
        }
        int q = values[c / 2] >> (4 * (c % 2)) & 15; // byte c/2 of the words, low nibble first
        if (f->high == 1)
            q |= (high[c % block.cols / QN_GROUP * 4 + pair % 4] >> (pair / 4 * 2 + c % 2) & 1)
                 << 4;
        if (f->high == 2)
            q |= (high[c % block.cols / 64 * 16 + pair] >> (c / 32 % 2 * 4 + c % 2 * 2) & 3) << 4;
        float product = ((float)(f->levels ? qn_wformat_levels[q] : q) - zero) * scale;
        out[i] = f->minimum && !f->zeros ? product - minimum : product;
    }
    return n;
}

void qn_wformat_decode(float *out, const struct qn_wformat *format, uint32_t col, uint32_t n,
                       const void *values, const void *scales) {
    const unsigned char *p = values;
    if (format->type >= QN_W_Q8) {
        for (uint32_t i = 0; i < n;)
            i += decode_run(out + i, format, col + i, n - i, p, scales);
        return;
    }
    for (size_t i = 0, c = col; i < n; i++, c++) {
        if (format->type == QN_W_F32)
            out[i] = qn_bits_f32(qn_load_u32(p + 4 * c));
        else
            out[i] =
                scale_at(format->type == QN_W_F16 ? QN_DTYPE_F16 : QN_DTYPE_BF16, p + 2 * c, 0);
    }
}
