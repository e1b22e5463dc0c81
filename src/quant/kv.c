#include "quant/kv.h"

#include <string.h>

#include "base/num.h"

static const enum qn_dtype types[] = {QN_DTYPE_F32, QN_DTYPE_F16, QN_DTYPE_Q8_0, QN_DTYPE_Q4_1};
#define TYPES (sizeof types / sizeof *types)

enum qn_dtype qn_kv_dtype(uint32_t number) {
    return types[number < TYPES ? number : 0];
}

uint32_t qn_kv_number(enum qn_dtype type) {
    uint32_t i = TYPES;
    while (i-- > 1 && types[i] != type)
        ;
    return i;
}

bool qn_kv_takes(enum qn_dtype type) {
    return type == QN_DTYPE_F32 || qn_kv_number(type) != 0;
}

/* Bytes of a row's values, which are whole words. */
static size_t value_bytes(enum qn_dtype type, uint32_t dim) {
    size_t n = type == QN_DTYPE_Q4_1 ? ((size_t)dim + 1) / 2 : dim;
    return (n + 3) & ~(size_t)3;
}

size_t qn_kv_row_bytes(enum qn_dtype type, uint32_t dim) {
    if (type == QN_DTYPE_F32 || type == QN_DTYPE_F16)
        return (size_t)dim * (type == QN_DTYPE_F32 ? 4 : 2);
    size_t blocks = ((size_t)dim + QN_KV_BLOCK - 1) / QN_KV_BLOCK;
    return (value_bytes(type, dim) + blocks * (type == QN_DTYPE_Q4_1 ? 4 : 2) + 7) & ~(size_t)7;
}

/* As F16, within its range; 0 for NaN. */
static uint16_t half(float x) {
    return qn_f32_to_f16(x > 65504.0f     ? 65504.0f
                         : x > -65504.0f  ? x
                         : x <= -65504.0f ? -65504.0f
                                          : 0);
}

struct qn_kv_scale qn_kv_row_scale(const void *row, enum qn_dtype type, uint32_t dim,
                                   uint32_t block) {
    const unsigned char *p = (const unsigned char *)row + value_bytes(type, dim);
    if (type == QN_DTYPE_Q8_0)
        return (struct qn_kv_scale){qn_f16_to_f32(qn_load_u16(p + 2 * block)) * (1.0f / 127), 0};
    return (struct qn_kv_scale){qn_f16_to_f32(qn_load_u16(p + 4 * block)) * (1.0f / 15),
                                qn_f16_to_f32(qn_load_u16(p + 4 * block + 2))};
}

static void put_u16(unsigned char *p, uint16_t x) {
    p[0] = (unsigned char)x;
    p[1] = (unsigned char)(x >> 8);
}

/* One block's scales at p, and back as they will be read. */
static void fit(unsigned char *row, enum qn_dtype type, const float *x, uint32_t dim,
                uint32_t block, uint32_t n) {
    unsigned char *p = row + value_bytes(type, dim);
    float least = x[0], most = x[0];
    for (uint32_t i = 1; i < n; i++) {
        least = x[i] < least ? x[i] : least;
        most = x[i] > most ? x[i] : most;
    }
    if (type == QN_DTYPE_Q8_0) {
        put_u16(p + 2 * block, half(most > -least ? most : -least));
        return;
    }
    put_u16(p + 4 * block, half(most - least));
    put_u16(p + 4 * block + 2, half(least));
}

/* Nearest, halves to even. Adding 1.5 × 2^23 leaves an integer in the low bits. */
static int32_t code(float x, float low, float high) {
    x = x > high ? high : x > low ? x : low;
    return (int32_t)qn_f32_bits(x + 12582912.0f) - 0x4b400000;
}

void qn_kv_row_write(void *row, enum qn_dtype type, const float *x, uint32_t dim) {
    unsigned char *p = row;
    bool four = type == QN_DTYPE_Q4_1;
    if (type == QN_DTYPE_F32) {
        memcpy(row, x, dim * sizeof *x);
        return;
    }
    if (type == QN_DTYPE_F16) {
        for (uint32_t i = 0; i < dim; i++)
            put_u16(p + 2 * (size_t)i, half(x[i]));
        return;
    }
    memset(p, 0, qn_kv_row_bytes(type, dim));
    for (uint32_t begin = 0; begin < dim; begin += QN_KV_BLOCK) {
        uint32_t n = qn_min_u32(QN_KV_BLOCK, dim - begin), block = begin / QN_KV_BLOCK;
        fit(p, type, x + begin, dim, block, n);
        struct qn_kv_scale s = qn_kv_row_scale(p, type, dim, block);
        float per = s.step > 0 ? 1 / s.step : 0;
        for (uint32_t i = begin; i < begin + n; i++) {
            if (four)
                p[i / 2] |= (unsigned char)(code((x[i] - s.least) * per, 0, 15) << 4 * (i % 2));
            else
                p[i] = (unsigned char)code(x[i] * per, -127, 127);
        }
    }
}

float qn_kv_row_at(const void *row, enum qn_dtype type, uint32_t dim, uint32_t i) {
    const unsigned char *p = row;
    if (type == QN_DTYPE_F32)
        return qn_bits_f32(qn_load_u32(p + 4 * (size_t)i));
    if (type == QN_DTYPE_F16)
        return qn_f16_to_f32(qn_load_u16(p + 2 * (size_t)i));
    struct qn_kv_scale s = qn_kv_row_scale(row, type, dim, i / QN_KV_BLOCK);
    int32_t c = type == QN_DTYPE_Q4_1 ? p[i / 2] >> 4 * (i % 2) & 15 : (int8_t)p[i];
    return (float)c * s.step + s.least;
}
