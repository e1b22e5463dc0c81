#include "quant/codec.h"

#include "base/num.h"
#include "quant/blocks.h"

/* How rows of a type become canonical planes without loss. */
enum route {
    ROUTE_NONE,   // no matrix of this type is accepted
    ROUTE_COPY,   // same elements, rows padded
    ROUTE_NIBBLE, // Q4_0: nibbles put into order, scale copied
    ROUTE_SPLIT,  // integer × scale (- minimum) per 32 or 16 elements
};

struct codec {
    qn_block_decode *decode;
    qn_block_encode *encode;
    qn_block_split *split;
    enum route route;
    struct qn_wformat format; // of a matrix
};

#define PLAIN(type) \
    { QN_W_##type, QN_DTYPE_NONE, 0, 0, false }
#define FORMAT(type, scale, zero, group, minimum) \
    { QN_W_##type, QN_DTYPE_##scale, (zero), (group), (minimum) }

/* clang-format off */
static const struct codec codecs[QN_DTYPE_COUNT] = {
    [QN_DTYPE_F32]    = {qn_block_decode_f32, qn_block_encode_f32, NULL, ROUTE_COPY, PLAIN(F32)},
    [QN_DTYPE_F16]    = {qn_block_decode_f16, qn_block_encode_f16, NULL, ROUTE_COPY, PLAIN(F16)},
    [QN_DTYPE_BF16]   = {qn_block_decode_bf16, qn_block_encode_bf16, NULL, ROUTE_COPY, PLAIN(BF16)},
    [QN_DTYPE_Q4_0]   = {qn_block_decode_q4_0, qn_block_encode_q4_0, NULL, ROUTE_NIBBLE, FORMAT(Q4, F16, 8, 32, false)},
    [QN_DTYPE_Q4_1]   = {qn_block_decode_q4_1, NULL, qn_block_split_q4_1, ROUTE_SPLIT, FORMAT(Q4, F16, 0, 32, true)},
    [QN_DTYPE_Q5_0]   = {qn_block_decode_q5_0, NULL, qn_block_split_q5_0, ROUTE_SPLIT, FORMAT(Q8, F16, 0, 32, false)},
    [QN_DTYPE_Q5_1]   = {qn_block_decode_q5_1, NULL, qn_block_split_q5_1, ROUTE_SPLIT, FORMAT(Q8, F16, 0, 32, true)},
    [QN_DTYPE_Q8_0]   = {qn_block_decode_q8_0, qn_block_encode_q8_0, qn_block_split_q8_0, ROUTE_SPLIT, FORMAT(Q8, F16, 0, 32, false)},
    [QN_DTYPE_Q2_K]   = {qn_block_decode_q2_k, NULL, qn_block_split_q2_k, ROUTE_SPLIT, FORMAT(Q4, F32, 0, 16, true)},
    [QN_DTYPE_Q3_K]   = {qn_block_decode_q3_k, NULL, qn_block_split_q3_k, ROUTE_SPLIT, FORMAT(Q4, F32, 4, 16, false)},
    [QN_DTYPE_Q4_K]   = {qn_block_decode_q4_k, NULL, qn_block_split_q4_k, ROUTE_SPLIT, FORMAT(Q4, F32, 0, 32, true)},
    [QN_DTYPE_Q5_K]   = {qn_block_decode_q5_k, NULL, qn_block_split_q5_k, ROUTE_SPLIT, FORMAT(Q8, F32, 0, 32, true)},
    [QN_DTYPE_Q6_K]   = {qn_block_decode_q6_k, NULL, qn_block_split_q6_k, ROUTE_SPLIT, FORMAT(Q8, F32, 0, 16, false)},
    [QN_DTYPE_IQ4_NL] = {qn_block_decode_iq4_nl, NULL, qn_block_split_iq4_nl, ROUTE_SPLIT, FORMAT(Q8, F16, 0, 32, false)},
    [QN_DTYPE_IQ4_XS] = {qn_block_decode_iq4_xs, NULL, qn_block_split_iq4_xs, ROUTE_SPLIT, FORMAT(Q8, F32, 0, 32, false)},
};
/* clang-format on */

static const struct codec *codec_of(enum qn_dtype dtype) {
    return (unsigned)dtype < QN_DTYPE_COUNT ? &codecs[dtype] : &codecs[QN_DTYPE_NONE];
}

static enum qn_status whole_blocks(enum qn_dtype dtype, size_t n, struct qn_error *err) {
    uint32_t block = qn_dtype_block(dtype);
    if (n % block != 0)
        return qn_fail(err, QN_E_ARGUMENT, "%zu elements of %s, which has blocks of %u", n,
                       qn_dtype_name(dtype), block);
    return QN_OK;
}

enum qn_status qn_codec_decode(float *out, enum qn_dtype dtype, const void *blocks, size_t n,
                               struct qn_error *err) {
    const struct codec *codec = codec_of(dtype);
    if (codec->decode == NULL)
        return qn_fail(err, QN_E_UNSUPPORTED, "decoding %s", qn_dtype_name(dtype));
    QN_TRY(whole_blocks(dtype, n, err));
    const unsigned char *p = blocks;
    size_t step = qn_dtype_block(dtype), bytes = qn_dtype_bytes(dtype);
    for (size_t i = 0; i < n; i += step, p += bytes)
        codec->decode(out + i, p);
    return QN_OK;
}

enum qn_status qn_codec_encode(void *out, enum qn_dtype dtype, const float *values, size_t n,
                               struct qn_error *err) {
    const struct codec *codec = codec_of(dtype);
    if (codec->encode == NULL)
        return qn_fail(err, QN_E_UNSUPPORTED, "encoding %s", qn_dtype_name(dtype));
    QN_TRY(whole_blocks(dtype, n, err));
    unsigned char *p = out;
    size_t step = qn_dtype_block(dtype), bytes = qn_dtype_bytes(dtype);
    for (size_t i = 0; i < n; i += step, p += bytes)
        codec->encode(p, values + i);
    return QN_OK;
}

bool qn_codec_format(struct qn_wformat *out, enum qn_dtype dtype, bool vector) {
    const struct codec *codec = codec_of(dtype);
    if (codec->decode == NULL || codec->route == ROUTE_NONE)
        return false;
    *out = vector ? (struct qn_wformat){.type = QN_W_F32} : codec->format;
    return true;
}

/* ---- Repacking ------------------------------------------------------------------------------ */

/* One row of GGUF's Q4_0: nibble i of the low halves, then of the high halves → in order. */
static void row_nibble(unsigned char *values, unsigned char *scales, const unsigned char *stored,
                       size_t groups) {
    for (size_t g = 0; g < groups; g++, values += 16, scales += 2, stored += 18) {
        memcpy(scales, stored, 2);
        const unsigned char *qs = stored + 2;
        for (int i = 0; i < 8; i++) {
            values[i] = (unsigned char)((qs[2 * i] & 15) | (qs[2 * i + 1] & 15) << 4);
            values[8 + i] = (unsigned char)(qs[2 * i] >> 4 | (qs[2 * i + 1] & 0xf0));
        }
    }
}

static void store_scale(unsigned char *p, enum qn_dtype dtype, float scale) {
    if (dtype == QN_DTYPE_F16)
        qn_block_encode_f16(p, &scale);
    else if (dtype == QN_DTYPE_BF16)
        qn_block_encode_bf16(p, &scale);
    else
        qn_block_encode_f32(p, &scale);
}

static void row_split(unsigned char *values, unsigned char *scales, const struct codec *codec,
                      enum qn_dtype dtype, const unsigned char *stored, uint32_t groups) {
    const struct qn_wformat *format = &codec->format;
    uint32_t parts = qn_dtype_block(dtype) / QN_GROUP, bytes = qn_dtype_bytes(dtype);
    uint32_t scale_bytes = qn_dtype_bytes(format->scale);
    for (uint32_t g = 0; g < groups; g++) {
        struct qn_block_int8 group;
        codec->split(&group, stored + (size_t)(g / parts) * bytes, g % parts);
        if (format->type == QN_W_Q8) {
            memcpy(values, group.q, QN_GROUP);
            values += QN_GROUP;
        } else {
            for (int i = 0; i < QN_GROUP; i += 2) {
                uint32_t low = (uint32_t)group.q[i] + format->zero;
                uint32_t high = (uint32_t)group.q[i + 1] + format->zero;
                *values++ = (unsigned char)(low | high << 4);
            }
        }
        for (uint32_t i = 0; i < QN_GROUP / format->group; i++) {
            store_scale(scales, format->scale, group.scale[i]);
            scales += scale_bytes;
            if (format->minimum) {
                store_scale(scales, format->scale, group.minimum[i]);
                scales += scale_bytes;
            }
        }
    }
}

/* MLC: eight nibbles to a word already, rows padded to whole groups with zero bits, which would
 * decode to −zero × scale: the padding becomes `zero`. */
static void row_words(unsigned char *values, const unsigned char *stored, uint32_t cols,
                      uint32_t zero) {
    size_t bytes = qn_wformat_cols(cols) / 2;
    memcpy(values, stored, bytes);
    if (cols % 2 != 0)
        values[cols / 2] = (unsigned char)((values[cols / 2] & 15) | zero << 4);
    for (size_t i = cols / 2 + cols % 2; i < bytes; i++)
        values[i] = (unsigned char)(zero | zero << 4);
}

/* Decodes the elements of a row into float32 rows with zero padding. */
static void row_decode(float *out, const struct codec *codec, enum qn_dtype dtype,
                       const unsigned char *stored, uint32_t cols) {
    uint32_t step = qn_dtype_block(dtype), bytes = qn_dtype_bytes(dtype);
    for (uint32_t i = 0; i < cols; i += step, stored += bytes)
        codec->decode(out + i, stored);
    memset(out + cols, 0, (qn_wformat_cols(cols) - cols) * sizeof *out);
}

/* The scales plane on its own, as MLC stores it: [rows, groups] of F16, BF16 or F32. */
static enum qn_status repack_scales(unsigned char *scales, const struct qn_wformat *format,
                                    enum qn_dtype dtype, const unsigned char *stored,
                                    uint32_t n_rows, uint32_t cols, struct qn_error *err) {
    size_t n = (size_t)n_rows * qn_ceil_div_u32(cols, QN_GROUP);
    if (dtype == format->scale) {
        memcpy(scales, stored, n * qn_dtype_bytes(dtype));
        return QN_OK;
    }
    bool widens =
        format->scale == QN_DTYPE_F32 && (dtype == QN_DTYPE_F16 || dtype == QN_DTYPE_BF16);
    if (!widens)
        return qn_fail(err, QN_E_UNSUPPORTED, "scales of type %s for %s", qn_dtype_name(dtype),
                       qn_wformat_name(format));
    for (size_t i = 0; i < n; i++) {
        float scale;
        codecs[dtype].decode(&scale, stored + 2 * i);
        qn_block_encode_f32(scales + 4 * i, &scale);
    }
    return QN_OK;
}

enum qn_status qn_codec_repack(void *values, void *scales, const struct qn_wformat *format,
                               enum qn_dtype dtype, const void *stored, uint32_t n_rows,
                               uint32_t cols, struct qn_error *err) {
    const struct codec *codec = codec_of(dtype);
    if (values == NULL)
        return repack_scales(scales, format, dtype, stored, n_rows, cols, err);

    bool words = dtype == QN_DTYPE_U32 && format->type == QN_W_Q4;
    bool own = codec->decode != NULL && qn_wformat_same(format, &codec->format);
    bool widens = codec->decode != NULL && format->type == QN_W_F32;
    if (!words && !own && !widens)
        return qn_fail(err, QN_E_UNSUPPORTED, "repacking %s to %s", qn_dtype_name(dtype),
                       qn_wformat_name(format));
    size_t stored_row;
    if (words) {
        stored_row = qn_wformat_row(format, cols, QN_PLANE_VALUES);
    } else {
        QN_TRY(whole_blocks(dtype, cols, err));
        stored_row = (size_t)(cols / qn_dtype_block(dtype)) * qn_dtype_bytes(dtype);
    }

    size_t value_row = qn_wformat_row(format, cols, QN_PLANE_VALUES);
    size_t scale_row = qn_wformat_row(format, cols, QN_PLANE_SCALES);
    uint32_t groups = qn_ceil_div_u32(cols, QN_GROUP);
    unsigned char *v = values, *s = scales;
    const unsigned char *from = stored;
    for (uint32_t r = 0; r < n_rows; r++, v += value_row, from += stored_row) {
        if (words) {
            row_words(v, from, cols, format->zero);
        } else if (!own) {
            row_decode((float *)(void *)v, codec, dtype, from, cols);
        } else if (codec->route == ROUTE_NIBBLE) {
            row_nibble(v, s, from, groups);
        } else if (codec->route == ROUTE_SPLIT) {
            row_split(v, s, codec, dtype, from, groups);
        } else {
            memcpy(v, from, stored_row);
            memset(v + stored_row, 0, value_row - stored_row);
        }
        if (s != NULL)
            s += scale_row;
    }
    return QN_OK;
}
