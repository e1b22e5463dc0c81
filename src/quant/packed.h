/* 4-bit weights as AWQ and GPTQ checkpoints hold them, the other way round than ours: [in, out].
 * value = (q - zero) × scale, with a zero and a scale per group of inputs and output. Canonical:
 * Q4 with pairs (scale, zero). */
#ifndef QN_QUANT_PACKED_H
#define QN_QUANT_PACKED_H

#include "quant/wformat.h"

enum qn_packing {
    QN_PACKING_NONE,
    QN_PACKING_AWQ,     // qweight [in, out / 8]; nibble i of a word: output 0 2 4 6 1 3 5 7
    QN_PACKING_GPTQ,    // qweight [in / 8, out]: nibble i is input i; zeros are stored less 1
    QN_PACKING_GPTQ_V2, // the same, zeros as they are
    QN_PACKING_THREES,  // MLC's q3f16_1: groups of 40 inputs, 10 to a word of 3-bit fields
};

/* THREES are the right way round. Value = (q - 3) × scale; each group of 40 becomes 48 columns of
 * Q4 in groups of 16, the last 8 of them zero: scales of F16 stay as they are, three times. */
#define QN_THREES 40
#define QN_THREES_COLS 48
#define QN_THREES_BYTES 16 // words of a group

/* The canonical format: scales as they are stored (but BF16 as F32), for the largest groups of 128,
 * 64 or 32 columns that make up one of `group`, a multiple of 32. */
struct qn_wformat qn_packed_format(enum qn_dtype scales, uint32_t group);
/* And that of THREES. */
#define QN_THREES_FORMAT ((struct qn_wformat){QN_W_Q4, QN_DTYPE_F16, 3, QN_GROUP / 2})

/* AWQ's words [n_cols, n_rows / 8] → columns of Q4: n_cols / 2 bytes of each row, `stride` apart.
 * n_cols and n_rows are multiples of 8. */
void qn_packed_values(void *out, size_t stride, const void *words, uint32_t n_cols,
                      uint32_t n_rows);

/* GPTQ's words [n_cols / 8, n_rows] → Q4, column k being column order[k] of theirs: whole rows. */
void qn_packed_ordered(void *out, size_t stride, const void *words, const float *order,
                       uint32_t n_cols, uint32_t n_rows);

/* Words [n_rows, n_groups, 4] → rows of Q4, scales [n_rows, n_groups] of two bytes → the scales
 * plane; rows `stride` apart, what is left of them filled up. */
void qn_threes_values(void *out, size_t stride, const void *words, uint32_t n_groups,
                      uint32_t n_rows);
void qn_threes_scales(void *out, size_t stride, const void *scales, uint32_t n_groups,
                      uint32_t n_rows);

/* Scales [n_groups, n_rows] of float32 and words of zeros [n_groups, n_rows / 8] → pairs of
 * `format`: each group becomes group / format.group equal ones, of every row; rows
 * `stride` apart. */
void qn_packed_scales(void *out, size_t stride, const struct qn_wformat *format,
                      enum qn_packing packing, const float *scales, const void *zeros,
                      uint32_t n_groups, uint32_t n_rows, uint32_t group);

#endif
