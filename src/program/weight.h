/* A weight of a program and where its bytes come from. The model builder states it once; the loader
 * walks the sources, repacks, and hands canonical rows to the backend. */
#ifndef QN_PROGRAM_WEIGHT_H
#define QN_PROGRAM_WEIGHT_H

#include "base/str.h"
#include "quant/packed.h"

/* Rows [row, row + n_rows) of a weight from one tensor of a file. A fused weight (q|k|v) has
 * several. `plane` VALUES with a block type fills both planes; MLC's q_weight and q_scale are two
 * sources, dtype U32 (eight nibbles; values only) and F16/BF16/F32 (scales only). Sources of a
 * plane stand in order of their rows and tile them. In a vector (rows 1) `row` and `n_rows` count
 * elements: source i of a fused bias fills columns [row, row + n_rows) of the one row. */
struct qn_weight_source {
    uint32_t file; // index into the directory's files
    uint64_t offset, nbytes;
    enum qn_dtype dtype;
    enum qn_plane plane;
    uint32_t row, n_rows; // of a vector (rows 1): its columns [row, row + n_rows)
    /* The file holds the plane's elements the other way round: [cols, n_rows] (GPT-2's Conv1D),
     * words of nibbles [cols / 8, n_rows], scales [groups, n_rows] (MLC's q4f16_0). Plain types and
     * words only. */
    bool transposed;
    /* AWQ: qweight, dtype U32. AWQ and GPTQ: scales of a float type, one for `group` columns, with
     * the words of zeros beside them. All are transposed, and `rows` and `group` multiples of 8 and
     * 32. THREES: both planes, U32 and F16. GPTQ's qweight is nothing special: words [cols / 8,
     * n_rows], of a weight without `order` perhaps with g_idx beside it (i32 [cols], the group of
     * each column), to be checked. */
    enum qn_packing packing;
    uint32_t group;
    uint32_t beside_file;
    uint64_t beside_offset, beside_nbytes;
};

#define QN_WEIGHT_SOURCES 6

struct qn_weight {
    struct qn_str name; // of the first source's tensor, for messages
    struct qn_wformat format;
    uint32_t rows, cols;
    struct qn_weight_source sources[QN_WEIGHT_SOURCES];
    const struct qn_weight_source *many; // instead, where there are more (stacked experts), or NULL
    uint32_t n_sources;
    /* What becomes of a vector's elements while they are read: stored × scale + offset. */
    float vector_scale, vector_offset; // scale 0 stands for 1
    /* [cols] Column k of the weight is column order[k] of its tensors (GPTQ with act-order: columns
     * of a group come together). Its input is gathered likewise. NULL: as they are. */
    const float *order;
    /* Computed instead of read (inverse frequencies of rope): F32 [1, cols], or NULL. */
    const float *computed;
};

static inline const struct qn_weight_source *qn_weight_source_at(const struct qn_weight *w,
                                                                 uint32_t i) {
    return w->many ? &w->many[i] : &w->sources[i];
}

#endif
