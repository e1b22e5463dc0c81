/* The workgroups that a dispatch of each kernel needs, and the constants that are chosen by shape:
 * lanes, rows, tiles, splits. */
#ifndef QN_WEBGPU_GRIDS_H
#define QN_WEBGPU_GRIDS_H

#include "webgpu/kernels.h"

struct qn_grid {
    uint32_t x, y, z; // workgroups
};
/* Rows of more than 32768 workgroups are folded into y: kernels use id.x + id.y × 32768. */
#define QN_GRID_FOLD 32768u

struct qn_grid qn_grid_embed(const struct qn_params_embed *p, uint32_t t);
struct qn_grid qn_grid_rmsnorm(uint32_t rows);
/* Constants LANES (threads that share a row) and ROWS (rows per thread) for a matvec. */
struct qn_matvec_tune {
    uint32_t lanes, rows;
    uint32_t span, ahead; // matvec_dot: groups of x held at once, groups loaded ahead per thread
    uint32_t cols;        // rows of x that a workgroup takes together: 1, 2, 4, 8
    uint32_t threads;     // of a workgroup
};
/* The most that `cols` may be, and how many choices there are above 1. */
#define QN_MATVEC_COLS 8u
#define QN_MATVEC_WIDE 3u
/* What multiplies so many rows of x at once and gives each of them, to the last bit, what `tune`,
 * made for one, gives it. rows 0: there is none. */
struct qn_matvec_tune qn_matvec_widen(struct qn_matvec_tune tune, bool glu, uint32_t cols);
struct qn_matvec_tune qn_matvec_tune(const struct qn_params_matmul *p, enum qn_wtype type,
                                     bool glu);
/* Whether matvec_dot reads this format; its constants on a device with these caps. span 0: it
 * cannot run there. */
bool qn_matvec_dot_takes(const struct qn_wformat *format);
struct qn_matvec_tune qn_matvec_dot_tune(const struct qn_params_matmul *p, bool glu,
                                         const struct qn_gpu_caps *caps);
/* Rows of weights from which on packing one row of x first takes less time than doing without. */
#define QN_MATVEC_MANY 28672u
/* matvec_packed for `cols` rows of x at once, with the sums of `dot`, qn_matvec_dot_tune's. */
struct qn_matvec_tune qn_matvec_packed_tune(const struct qn_params_matmul *p,
                                            struct qn_matvec_tune dot, bool glu, bool pack,
                                            bool argmax, uint32_t cols);
/* How many rows of x are best taken at once, where there are so many. */
uint32_t qn_matvec_packed_cols(const struct qn_params_matmul *p, struct qn_matvec_tune dot,
                               bool glu);
/* `dot` with the lanes that are best where x is always packed. */
struct qn_matvec_tune qn_matvec_packed_lanes(const struct qn_params_matmul *p,
                                             struct qn_matvec_tune dot,
                                             const struct qn_gpu_caps *caps);
/* `whole`: each row by one workgroup. */
struct qn_grid qn_grid_pack_rows(const struct qn_params_matmul *p, bool whole, uint32_t rows);
/* Columns of x that matvec_dot makes itself (HEAD_DIM, POST), at most. */
#define QN_MATVEC_DOT_MADE 8192u
/* Of all kernels of this kind. */
struct qn_grid qn_grid_matvec(const struct qn_params_matmul *p, struct qn_matvec_tune tune,
                              uint32_t rows);
/* Workgroups of one row of x: places that ARGMAX fills. */
uint32_t qn_grid_matvec_rows(struct qn_matvec_tune tune); // of a workgroup
uint32_t qn_grid_matvec_places(const struct qn_params_matmul *p, struct qn_matvec_tune tune);
/* `matrix`: of MATMUL_MATRIX; else tiles of 64 × 64, which qn_matmul_takes_few counts in. */
struct qn_grid qn_grid_matmul(const struct qn_params_matmul *p, bool glu, bool matrix,
                              uint32_t rows);
/* Whether a device can run MATMUL_MATRIX. */
bool qn_matmul_has_matrix(const struct qn_gpu_caps *caps);
/* Whether MATMUL_PACKED takes MATMUL_TILES' place for what qn_matvec_dot_takes. */
bool qn_matmul_has_packed(const struct qn_gpu_caps *caps);
/* Constants of a MATMUL_TILES or MATMUL_PACKED: 8 ty rows of x by 4 quads × tx columns (GLU: half
 * of that) in a workgroup of tx × ty × slices threads. MATMUL_TILES always has two quads,
 * MATMUL_PACKED one buffer. */
struct qn_matmul_tile {
    uint32_t tx, ty, slices, buffers, quads;
};
/* Tile number `i` of those that there are; false: past the last, or too large for the device. */
bool qn_matmul_tile_get(struct qn_matmul_tile *out, uint32_t i, bool packed,
                        const struct qn_gpu_caps *caps);
/* The one for a matrix, where steps have up to `rows` rows: caps->tile says it, or a rule. */
struct qn_matmul_tile qn_matmul_tile(const struct qn_params_matmul *p, bool glu, bool packed,
                                     uint32_t rows, const struct qn_gpu_caps *caps);
struct qn_grid qn_grid_matmul_tiles(const struct qn_params_matmul *p, bool glu,
                                    struct qn_matmul_tile tile, uint32_t rows);
/* Constant LANES of a matmul_few, and whether it is the faster one for so many rows of x. */
uint32_t qn_matmul_lanes(const struct qn_params_matmul *p);
/* `fill`: tiles of 64 × 64 that fill the device, on a large one QN_FILL; see qn_matmul_filled. 1:
 * what makes a whole one is never few. */
bool qn_matmul_takes_few(const struct qn_params_matmul *p, bool glu, bool matrix, uint32_t rows,
                         uint32_t fill);
enum { QN_FILL = 192, QN_FILL_LEAST = 12 };
uint32_t qn_matmul_filled(bool matrix, uint32_t fill); // columns of tiles times rows of x
struct qn_grid qn_grid_matmul_few(const struct qn_params_matmul *p, bool glu, uint32_t lanes,
                                  uint32_t rows);
struct qn_grid qn_grid_elements(uint32_t cols, uint32_t rows); // and the like
struct qn_grid qn_grid_experts(uint32_t results, uint32_t t);  // a workgroup per result and token
struct qn_grid qn_grid_rope(const struct qn_params_rope *p, uint32_t t);
/* `end` = pos + T, the cache's length after the step; of a batch, the longest. */
struct qn_grid qn_grid_attention_split(const struct qn_params_attention *p, uint32_t head_dim,
                                       uint32_t t, uint32_t end);
struct qn_grid qn_grid_attention_merge(const struct qn_params_attention *p, uint32_t t);
struct qn_grid qn_grid_attention_prefill(const struct qn_params_attention *p, uint32_t head_dim,
                                         uint32_t t);
/* Constant HEADS of attention_split: query heads that a workgroup has room for. */
uint32_t qn_attention_heads(const struct qn_params_attention *p, uint32_t head_dim);
/* params.splits, and bytes of `partial` for steps of at most t tokens. */
uint32_t qn_attention_splits(const struct qn_params_attention *p, uint32_t head_dim);
/* For the token at position p: the first position that it sees, the binary logarithm of a split's
 * positions, and how many splits there are. As common_splits.wgsl. */
uint32_t qn_attention_first(uint32_t p, uint32_t window);
uint32_t qn_attention_shift(uint32_t p, uint32_t window, uint32_t splits);
uint32_t qn_attention_count(uint32_t p, uint32_t window, uint32_t splits);
uint64_t qn_attention_partial(const struct qn_params_attention *p, uint32_t head_dim, uint32_t t);
uint32_t qn_argmax_chunks(uint32_t vocab);
struct qn_grid qn_grid_argmax_partial(const struct qn_params_vocab *p, uint32_t rows);
struct qn_grid qn_grid_argmax_final(uint32_t rows);
struct qn_grid qn_grid_sample_prepare(const struct qn_params_vocab *p, uint32_t rows);
struct qn_grid qn_grid_rows(uint32_t rows); // sample_threshold, sample_finish: a workgroup each
struct qn_grid qn_grid_seen_mark(uint32_t n);

#endif
