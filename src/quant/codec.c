#include "quant/codec.h"

#include "base/num.h"
#include "quant/blocks.h"

/* Plain elements are decoded and copied; blocks are taken apart and put together again. */
struct codec {
    qn_block_decode *decode;
    qn_block_encode *encode;
    qn_block_codes *codes;
    qn_block_scales *scales;
    struct qn_wformat format; // of a matrix
};

/* clang-format off */
#define PLAIN(lower, upper) \
    [QN_DTYPE_##upper] = {.decode = qn_block_decode_##lower, .encode = qn_block_encode_##lower, .format = {.type = QN_W_##upper}}
#define BLOCK(NAME, read, parts, ...) \
    [QN_DTYPE_##NAME] = {.codes = qn_block_codes_##read, .scales = qn_block_scales_##parts, .format = {__VA_ARGS__, .scale = QN_DTYPE_F16}}
#define ENCODED(NAME, name, ...) \
    [QN_DTYPE_##NAME] = {.encode = qn_block_encode_##name, .codes = qn_block_codes_##name, .scales = qn_block_scales_one, .format = {__VA_ARGS__, .scale = QN_DTYPE_F16, .group = 32}}

static const struct codec codecs[QN_DTYPE_COUNT] = {
    PLAIN(f32, F32),
    PLAIN(f16, F16),
    PLAIN(bf16, BF16),
    ENCODED(Q4_0, q4_0, QN_W_Q4, .zero = 8),
    ENCODED(Q8_0, q8_0, QN_W_Q8),
    BLOCK(Q4_1, q4_1, pair, QN_W_Q4, .group = 32, .minimum = true),
    BLOCK(Q5_0, q5_0, one, QN_W_Q4, .group = 32, .high = 1, .zero = 16),
    BLOCK(Q5_1, q5_1, pair, QN_W_Q4, .group = 32, .high = 1, .minimum = true),
    BLOCK(Q2_K, q2_k, q2_k, QN_W_Q4, .group = 16, .super = true, .minimum = true),
    BLOCK(Q3_K, q3_k, q3_k, QN_W_Q4, .group = 16, .super = true, .zero = 4),
    BLOCK(Q4_K, q4_k, q4_k, QN_W_Q4, .group = 32, .super = true, .minimum = true),
    BLOCK(Q5_K, q5_k, q4_k, QN_W_Q4, .group = 32, .super = true, .minimum = true, .high = 1),
    BLOCK(Q6_K, q6_k, q6_k, QN_W_Q4, .group = 16, .super = true, .zero = 32, .high = 2),
    BLOCK(IQ4_NL, q4_0, one, QN_W_Q4, .group = 32, .levels = true),
    BLOCK(IQ4_XS, iq4_xs, iq4_xs, QN_W_Q4, .group = 32, .super = true, .levels = true),
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

typedef unsigned char bytes16 __attribute__((vector_size(16)));

/* 32 codes → the nibbles of canonical order, and the bits above them, for `part` of a block. */
static inline void pack(unsigned char *values, unsigned char *high, const unsigned char *codes,
                        uint32_t bits, uint32_t part) {
    bytes16 a, b;
    memcpy(&a, codes, 16);
    memcpy(&b, codes + 16, 16);
    bytes16 even =
        __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    bytes16 odd =
        __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
    bytes16 low = (even & 15) | odd << 4;
    memcpy(values, &low, 16);
    if (bits == 0)
        return;
    bytes16 upper = even >> 4 | odd >> 4 << (unsigned char)bits; // of a pair of columns
    if (bits == 1) {
        uint64_t half[2];
        memcpy(half, &upper, 16);
        half[0] |= half[1] << 4;
        half[0] |= half[0] >> 30;
        memcpy(high + 4 * part, half, 4);
    } else {
        memcpy(&a, high + part / 2 * 16, 16);
        upper = part % 2 ? a | upper << 4 : upper;
        memcpy(high + part / 2 * 16, &upper, 16);
    }
}

/* One block to its place in both planes. */
static inline void repack_block(unsigned char *values, unsigned char *scales,
                                const struct codec *codec, struct qn_wblock to, uint32_t parts,
                                const unsigned char *block) {
    if (to.bytes > 4) // some types leave bytes free
        memset(scales, 0, 4);
    codec->scales(scales, block);
    if (codec->format.type == QN_W_Q8) {
        codec->codes(values, block, 0);
        return;
    }
    for (uint32_t i = 0; i < parts; i++) {
        unsigned char codes[QN_GROUP];
        codec->codes(codes, block, i);
        pack(values + i * (QN_GROUP / 2), scales + to.high, codes, codec->format.high, i);
    }
}

/* Blocks are decoded as kernels do it: by way of the canonical layout. */
static void decode_block(float *out, const struct codec *codec, enum qn_dtype dtype,
                         const unsigned char *block) {
    unsigned char values[QN_SUPER / 2], scales[QN_SUPER_BYTES];
    if (codec->decode != NULL) {
        codec->decode(out, block);
        return;
    }
    uint32_t n = qn_dtype_block(dtype);
    repack_block(values, scales, codec, qn_wformat_block(&codec->format), n / QN_GROUP, block);
    qn_wformat_decode(out, &codec->format, 0, n, values, scales);
}

static bool readable(const struct codec *codec) {
    return codec->decode != NULL || codec->codes != NULL;
}

enum qn_status qn_codec_decode(float *out, enum qn_dtype dtype, const void *blocks, size_t n,
                               struct qn_error *err) {
    const struct codec *codec = codec_of(dtype);
    if (!readable(codec))
        return qn_fail(err, QN_E_UNSUPPORTED, "decoding %s", qn_dtype_name(dtype));
    QN_TRY(whole_blocks(dtype, n, err));
    const unsigned char *p = blocks;
    size_t step = qn_dtype_block(dtype), bytes = qn_dtype_bytes(dtype);
    for (size_t i = 0; i < n; i += step, p += bytes)
        decode_block(out + i, codec, dtype, p);
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
    if (!readable(codec))
        return false;
    *out = vector ? (struct qn_wformat){.type = QN_W_F32} : codec->format;
    return true;
}

/* ---- Repacking ------------------------------------------------------------------------------ */

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
        decode_block(out + i, codec, dtype, stored);
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
    bool own = readable(codec) && qn_wformat_same(format, &codec->format);
    bool widens = readable(codec) && format->type == QN_W_F32;
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
    uint32_t block = qn_dtype_block(dtype), bytes = qn_dtype_bytes(dtype);
    struct qn_wblock to = qn_wformat_block(format);
    size_t step = (size_t)block / 8 * (format->type == QN_W_Q8 ? 8 : 4); // bytes of values
    unsigned char *v = values, *s = scales;
    const unsigned char *from = stored;
    for (uint32_t r = 0; r < n_rows; r++, v += value_row, from += stored_row) {
        if (words) {
            row_words(v, from, cols, format->zero);
        } else if (!own) {
            row_decode((float *)(void *)v, codec, dtype, from, cols);
        } else if (codec->codes != NULL) {
            for (uint32_t i = 0; i < cols / block; i++)
                repack_block(v + i * step, s + (size_t)i * to.bytes, codec, to, block / QN_GROUP,
                             from + (size_t)i * bytes);
        } else {
            memcpy(v, from, stored_row);
            memset(v + stored_row, 0, value_row - stored_row);
        }
        if (s != NULL)
            s += scale_row;
    }
    return QN_OK;
}
