/* A weight of a program and where its bytes come from. The model builder states it once; the loader
 * walks the sources, repacks, and hands canonical rows to the backend. */
#ifndef QN_PROGRAM_WEIGHT_H
#define QN_PROGRAM_WEIGHT_H

#include "base/str.h"
#include "quant/wformat.h"

/* Rows [row, row + n_rows) of a weight from one tensor of a file. A fused weight (q|k|v) has
 * several. `plane` VALUES with a block type fills both planes; MLC's q_weight and q_scale are two
 * sources, dtype U32 (eight nibbles; values only) and F16/BF16/F32 (scales only). Sources of a plane
 * stand in order of their rows and tile them. In a vector (rows 1) `row` and `n_rows` count
 * elements: source i of a fused bias fills columns [row, row + n_rows) of the one row. */
struct qn_weight_source {
    uint32_t file; // index into the directory's files
    uint64_t offset, nbytes;
    enum qn_dtype dtype;
    enum qn_plane plane;
    uint32_t row, n_rows; // of a vector (rows 1): its columns [row, row + n_rows)
};

#define QN_WEIGHT_SOURCES 6

struct qn_weight {
    struct qn_str name; // of the first source's tensor, for messages
    struct qn_wformat format;
    uint32_t rows, cols;
    struct qn_weight_source sources[QN_WEIGHT_SOURCES];
    uint32_t n_sources;
    /* Computed instead of read (inverse frequencies of rope): F32 [1, cols], or NULL. */
    const float *computed;
};

#endif
