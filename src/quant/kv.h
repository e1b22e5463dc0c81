/* How the cache keeps keys and values. A state [n_kv_heads, context, dim] is n_kv_heads × context
 * rows, one for each head at each position; a row stands alone, so that positions are copied and
 * saved as bytes. F32 and F16 are plain. Q8_0 and Q4_1 have those names because they keep what
 * ggml's types of that name keep, 8.5 and 5 bits a value; the bytes lie otherwise: all values of a
 * row, to whole words, then a scale for every 32 of them (the last may have fewer), then zeros up
 * to 8 bytes.
 *   Q8_0  int8 c, the largest |x| of the 32 as F16 p:             x = c × (p / 127)
 *   Q4_1  4 bits c, low half first, F16 pair (range r, least m):  x = c × (r / 15) + m
 * The GPU's kernels have the same formulas (kernels/common_kv.wgsl). */
#ifndef QN_QUANT_KV_H
#define QN_QUANT_KV_H

#include <stddef.h>

#include "base/dtype.h"

#define QN_KV_BLOCK 32
#define QN_KV_MOST 2048 // dims of a row with scales

/* x = codes × step + least. */
struct qn_kv_scale {
    float step, least;
};

bool qn_kv_takes(enum qn_dtype type);
/* Of the types' numbers: enum qn_kv_type, which the kernels' constant KV_TYPE is too. */
enum qn_dtype qn_kv_dtype(uint32_t number);
uint32_t qn_kv_number(enum qn_dtype type); // 0, as for F32, where there is none
/* Bytes of a row of dim ≤ 2^30 values; a multiple of 8 where the type has scales. */
size_t qn_kv_row_bytes(enum qn_dtype type, uint32_t dim);
void qn_kv_row_write(void *row, enum qn_dtype type, const float *x, uint32_t dim);
/* Value i of a row of dim. */
float qn_kv_row_at(const void *row, enum qn_dtype type, uint32_t dim, uint32_t i);
/* Of values 32 × block and up. Q8_0 and Q4_1 alone. */
struct qn_kv_scale qn_kv_row_scale(const void *row, enum qn_dtype type, uint32_t dim,
                                   uint32_t block);

#endif
