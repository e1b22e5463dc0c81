/* How weights lie on a device: the canonical layouts. Every stored type is repacked into one of
 * these while it streams in; kernels know nothing else.
 *
 * A weight is a matrix [rows, cols], row-major, in one or two planes:
 *   values  F32, F16, BF16: one element each.
 *           Q8: one int8 each.  Q4: eight nibbles to a 32-bit word, lowest bits first.
 *   scales  Q8, Q4: one per group of 32 or 16 columns, [rows, cols_padded / group]; F16, BF16 or
 * F32. With a minimum (F16, F32): pairs (scale, minimum). Rows are padded to a multiple of 32
 * columns: with zeros (Q4: nibbles of value `zero`, scale 0), so a row of Q4 is whole 16-byte
 * words. value = q × scale, less the minimum where there is one; q is the nibble - zero, or the
 * int8. Vectors (norms, biases) are matrices of one row in F32. */
#ifndef QN_QUANT_WFORMAT_H
#define QN_QUANT_WFORMAT_H

#include "base/dtype.h"
#include "base/status.h"

#define QN_GROUP 32 // columns that rows are padded to, and that share a scale in most formats

enum qn_wtype { QN_W_F32, QN_W_F16, QN_W_BF16, QN_W_Q8, QN_W_Q4, QN_WTYPE_COUNT };
enum qn_plane { QN_PLANE_VALUES, QN_PLANE_SCALES, QN_PLANE_COUNT };

struct qn_wformat {
    enum qn_wtype type;
    enum qn_dtype scale; // F16, BF16, F32; NONE for unquantised types
    uint32_t zero;       // Q4: the nibble that means 0 (MLC 7, GGUF 8)
    uint32_t group;      // columns that share a scale: 32 or 16; 0 for unquantised types
    bool minimum;        // scales are pairs (scale, minimum)
};

bool qn_wformat_same(const struct qn_wformat *a, const struct qn_wformat *b);
/* Whether type, scale, zero, group and minimum go together. */
bool qn_wformat_valid(const struct qn_wformat *format);

uint32_t qn_wformat_cols(uint32_t cols); // padded
/* Bytes of one row of a plane; 0 where the format lacks the plane. */
size_t qn_wformat_row(const struct qn_wformat *format, uint32_t cols, enum qn_plane plane);
const char *qn_wformat_name(const struct qn_wformat *format); // "q4/f16", "q8-min/f32", "f32", …

/* Decodes columns [0, cols) of one row to float32: the exact value, products rounded once. */
void qn_wformat_decode(float *out, const struct qn_wformat *format, uint32_t cols,
                       const void *values, const void *scales);

#endif
