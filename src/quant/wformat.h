/* How weights lie on a device: the canonical layouts. Every stored type is repacked into one of
 * these while it streams in; kernels know nothing else.
 *
 * A weight is a matrix [rows, cols], row-major, in one or two planes. Rows are padded with zeros to
 * a multiple of 32 columns; where more share a block of scales, cols is a multiple of that.
 *   values  F32, F16, BF16: one element each. Q8: one int8 each. Q4: eight nibbles to a 32-bit
 *           word, lowest bits first, so a row is whole 16-byte words.
 *   scales  Q8: one F16 per 32 columns. Q4: blocks, one after the other, of this:
 *           1. one level: scale, or the pair scale and minimum, or scale and zero, of `group`
 *              columns; F16, BF16 or F32 (pairs: not BF16; of 16 columns: F16, no pairs; of more
 *              than 32: with zeros).
 *              Two levels: d and m, F16, of 256 columns; then per 16 or 32 of them an int8, or a
 *              pair of them; scale = int8 × d, minimum = int8 × m, both exact in float32.
 *           2. `high` further bits of each value. One: per 32 columns 4 bytes; bits 2 (k / 4) and
 *           the next of byte k % 4 are those of columns 2 k and 2 k + 1. Two: per 64 columns 16
 *           bytes; byte k has those of columns 2 k and 2 k + 1 in its low nibble, and of the
 *           columns 32 further on in its high one. A block of one level is then 32 columns and two
 *           words, the scale in the first.
 * value = q × scale, less the minimum where there is one. q: the int8; or nibble and high bits less
 * `zero`, a constant or the block's; or, with levels, what the nibble means in qn_wformat_levels.
 * Vectors (norms, biases) are matrices of one row in F32. */
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
    uint32_t zero;       // Q4: the value that means 0 (MLC 7, GGUF 8)
    uint32_t group;      // columns that share a scale: 16, 32, 64 or 128; 0 for unquantised types
    bool minimum;        // scales are pairs (scale, minimum)
    bool zeros;          // … whose second is a zero instead: minimum = scale × zero
    bool super;          // two levels of scales
    bool levels;         // values are indices into qn_wformat_levels
    uint32_t high;       // bits of a value above the nibble: 0, 1, 2
};

#define QN_SUPER 256 // columns of a block of two-level scales
/* Bytes of the scales plane for 256 columns, at most. */
#define QN_SUPER_BYTES 100

/* The sixteen levels of IQ4_NL and IQ4_XS. */
extern const int8_t qn_wformat_levels[16];

bool qn_wformat_same(const struct qn_wformat *a, const struct qn_wformat *b);
/* Whether type, scale, zero, group and minimum go together. */
bool qn_wformat_valid(const struct qn_wformat *format);

uint32_t qn_wformat_cols(uint32_t cols); // padded to groups of 32
/* Columns and bytes of a block of the scales plane, and where its high bits begin. */
struct qn_wblock {
    uint32_t cols, bytes, high;
};
struct qn_wblock qn_wformat_block(const struct qn_wformat *format);
/* Bytes of one row of a plane; 0 where the format lacks the plane. */
size_t qn_wformat_row(const struct qn_wformat *format, uint32_t cols, enum qn_plane plane);
const char *qn_wformat_name(const struct qn_wformat *format); // "q4/f16", "f32", …

/* Decodes columns [col, col + n) of the row whose planes begin at `values` and `scales`: the exact
 * values, products and differences rounded one by one. col is a multiple of 32. */
void qn_wformat_decode(float *out, const struct qn_wformat *format, uint32_t col, uint32_t n,
                       const void *values, const void *scales);

#endif
