#include "webgpu/grids.h"

#include "base/num.h"

/* Tile sizes below are written in the kernels too (same names); tests compare. */
#define THREADS 64
#define TILE 64           // rows of x and columns of out per workgroup, mostly
#define MATRIX_ROWS 128   // matmul_matrix: rows of x per workgroup, and TILE columns of out
#define FEW 8             // matmul_few: rows of x per workgroup
#define SPLIT 64          // attention: positions of a split, at least
#define ARGMAX_CHUNK 4096 // argmax_partial: values per workgroup
#define PREPARE_CHUNK 256

static uint32_t parts(uint32_t n, uint32_t size) {
    return n / size + (n % size != 0);
}

static struct qn_grid fold(uint32_t n, uint32_t z) {
    return (struct qn_grid){n < QN_GRID_FOLD ? n : QN_GRID_FOLD, parts(n, QN_GRID_FOLD), z};
}

struct qn_grid qn_grid_embed(const struct qn_params_embed *p, uint32_t t) {
    return (struct qn_grid){parts(p->cols, QN_GROUP * THREADS), t, 1};
}

struct qn_grid qn_grid_rmsnorm(uint32_t rows) {
    return fold(rows, 1);
}

/* Threads that share a row take units of eight columns. 32 is a subgroup on most devices; few rows
 * get 64, so that a narrow matrix still fills the machine, and many rows are taken several at a
 * time by a thread, which then reads x once for all of them. */
struct qn_matvec_tune qn_matvec_tune(const struct qn_params_matmul *p, enum qn_wtype type,
                                     bool glu) {
    (void)type;
    uint32_t units = parts(p->cols, QN_GROUP) * 4, lanes = 4, rows = 1;
    while (lanes < 32 && lanes < units)
        lanes *= 2;
    if (units >= 128 && p->n_rows < 2048)
        lanes = 64;
    uint32_t most = glu ? 2 : 4;
    while (rows < most && p->n_rows / rows >= 4096)
        rows *= 2;
    return (struct qn_matvec_tune){.lanes = lanes, .rows = rows, .cols = 1, .threads = THREADS};
}

#define DOT_THREADS 256u
#define DOT_GROUP_BYTES 72u // of workgroup memory, per group of x
#define DOT_BYTES 1312u     // and beside them

bool qn_matvec_dot_takes(const struct qn_wformat *format) {
    return format->type == QN_W_Q4 && format->group >= QN_GROUP && !format->levels &&
           format->high < 2;
}

/* All threads of a workgroup first make x integer, so the more rows it has the better; but a large
 * machine wants a hundred workgroups (measured on one with 132 multiprocessors). Many rows fill it
 * anyway, and then a thread takes several at once. */
struct qn_matvec_tune qn_matvec_dot_tune(const struct qn_params_matmul *p, bool glu,
                                         const struct qn_gpu_caps *caps) {
    uint32_t groups = parts(p->cols, QN_GROUP), rows = p->n_rows, most = 32;
    struct qn_matvec_tune tune = {8, 1, 0, 1, 1, DOT_THREADS};
    if (!(caps->features & QN_GPU_PACKED_DOT) || !(caps->features & QN_GPU_SUBGROUPS) ||
        caps->subgroup_min < 4 || caps->max_workgroup_memory < 16384)
        return tune;
    while (most > caps->subgroup_min)
        most /= 2;
    if (rows / 32 < (glu ? 112 : 160))
        tune.lanes = rows / 16 < 64 ? 32 : 16;
    tune.lanes = qn_min_u32(tune.lanes, most);
    if (!glu && rows >= QN_MATVEC_MANY) { // few groups leave some of many lanes idle
        tune.rows = groups > 32 && !(caps->features & QN_GPU_ROWS) ? 4 : 2;
        tune.lanes = groups > 32 ? tune.lanes : 4;
    }
    while (tune.ahead * tune.rows * (glu ? 2 : 1) < 4 && tune.ahead * tune.lanes < groups)
        tune.ahead *= 2;
    // All groups, or a multiple that gives each thread the same ones.
    uint32_t room = (caps->max_workgroup_memory - DOT_BYTES) / DOT_GROUP_BYTES & ~1u;
    tune.span = groups <= room ? (groups + 1) & ~1u : room / 64 * 64;
    return tune;
}

struct qn_matvec_tune qn_matvec_packed_lanes(const struct qn_params_matmul *p,
                                             struct qn_matvec_tune dot,
                                             const struct qn_gpu_caps *caps) {
    uint32_t groups = parts(p->cols, QN_GROUP), lanes = 4;
    while (lanes < 32 && lanes * 2 <= caps->subgroup_min && lanes * 2 <= groups)
        lanes *= 2;
    dot.lanes = lanes;
    return dot;
}

/* With several rows of x a thread's weights serve more, and are on their way long enough. Places of
 * an arg-max are those of matvec_dot; what is packed comes out in whole groups. */
struct qn_matvec_tune qn_matvec_packed_tune(const struct qn_params_matmul *p,
                                            struct qn_matvec_tune dot, bool glu, bool pack,
                                            bool argmax, uint32_t cols) {
    bool ahead = cols == 1 && p->n_rows < QN_MATVEC_MANY;
    struct qn_matvec_tune tune = {
        dot.lanes, 1, 0, ahead ? 2 : 1, qn_min_u32(cols, dot.lanes), argmax ? 256 : 128};
    if (argmax)
        tune.rows = dot.rows;
    else if (!glu && (cols > 1 || p->n_rows >= 2048))
        tune.rows = 2;
    if (pack && tune.threads / tune.lanes * tune.rows % QN_GROUP != 0)
        tune.rows = 2;
    if (pack && tune.threads / tune.lanes * tune.rows % QN_GROUP != 0)
        tune.threads = 256;
    return tune;
}

/* A row of x is read by every thread: eight at a time are too much for the nearest cache, unless
 * rows are short and there is little to multiply them with. */
uint32_t qn_matvec_packed_cols(const struct qn_params_matmul *p, struct qn_matvec_tune dot,
                               bool glu) {
    uint32_t groups = parts(p->cols, QN_GROUP);
    bool few = groups <= 96 && (uint64_t)groups * p->n_rows * (glu ? 2 : 1) < 400000;
    return few && dot.lanes >= 8 ? 8 : 4;
}

struct qn_matvec_tune qn_matvec_widen(struct qn_matvec_tune tune, bool glu, uint32_t cols) {
    while (tune.rows > 1 && tune.rows * (glu ? 2 : 1) * cols > 16) // sums in registers
        tune.rows /= 2;
    tune.cols = cols;
    return tune;
}

uint32_t qn_grid_matvec_rows(struct qn_matvec_tune tune) {
    return tune.threads / tune.lanes * tune.rows;
}

uint32_t qn_grid_matvec_places(const struct qn_params_matmul *p, struct qn_matvec_tune tune) {
    return parts(p->n_rows, qn_grid_matvec_rows(tune));
}

struct qn_grid qn_grid_matvec(const struct qn_params_matmul *p, struct qn_matvec_tune tune,
                              uint32_t rows) {
    return fold(qn_grid_matvec_places(p, tune), parts(rows, tune.cols));
}

struct qn_grid qn_grid_pack_rows(const struct qn_params_matmul *p, bool whole, uint32_t rows) {
    uint32_t eights = parts(p->cols, QN_GROUP) * 4;
    return (struct qn_grid){whole ? 1 : parts(eights, DOT_THREADS), rows, 1};
}

struct qn_grid qn_grid_matmul(const struct qn_params_matmul *p, bool glu, bool matrix,
                              uint32_t rows) {
    return (struct qn_grid){parts(p->n_rows, glu ? TILE / 2 : TILE),
                            parts(rows, matrix ? MATRIX_ROWS : TILE), 1};
}

bool qn_matmul_has_matrix(const struct qn_gpu_caps *caps) {
    const uint32_t wanted = QN_GPU_F16 | QN_GPU_SUBGROUPS | QN_GPU_SUBGROUP_MATRIX;
    return (caps->features & wanted) == wanted && caps->max_workgroup_memory >= 24576;
}

/* Where there are no matrix units: packed tiles before those of float16 too. */
#define PACKED_BEFORE_F16 true

bool qn_matmul_has_packed(const struct qn_gpu_caps *caps) {
    struct qn_params_matmul shape = {.cols = QN_GROUP};
    return caps->features & QN_GPU_PACKED_TILES && qn_matvec_dot_tune(&shape, false, caps).span &&
           !qn_matmul_has_matrix(caps) && (PACKED_BEFORE_F16 || !(caps->features & QN_GPU_F16));
}

/* The first of each serves every device and matrix. */
static const struct qn_matmul_tile TILES[] = {
    {8, 8, 4, 1, 2},   // 64 rows × 64 columns
    {16, 8, 1, 1, 2},  // 64 × 128
    {8, 4, 4, 1, 2},   // 32 × 64
    {16, 16, 1, 1, 2}, // 128 × 128
    {8, 8, 2, 1, 2},   // 64 × 64
    {8, 8, 4, 2, 2},   // 64 × 64
};
static const struct qn_matmul_tile PACKED_TILES[] = {
    {16, 4, 2, 1, 1},  // 32 × 64, 128 threads
    {8, 8, 2, 1, 2},   // 64 × 64, 128
    {16, 8, 1, 1, 1},  // 64 × 64, 128
    {16, 8, 1, 1, 2},  // 64 × 128, 128
    {16, 8, 2, 1, 1},  // 64 × 64, 256
    {32, 8, 1, 1, 1},  // 64 × 128, 256
    {16, 16, 1, 1, 2}, // 128 × 128, 256
    {16, 16, 1, 1, 1}, // 128 × 64, 256
    {8, 8, 4, 1, 2},   // 64 × 64, 256, beyond 16 KiB
};

/* Of workgroup memory. */
static uint32_t packed_bytes(struct qn_matmul_tile t) {
    return t.slices * (t.tx * t.quads * 4 * 40 + t.ty * 8 * 72) + 128;
}

bool qn_matmul_tile_get(struct qn_matmul_tile *out, uint32_t i, bool packed,
                        const struct qn_gpu_caps *caps) {
    if (i >= (packed ? sizeof PACKED_TILES : sizeof TILES) / sizeof *TILES)
        return false;
    struct qn_matmul_tile t = *out = (packed ? PACKED_TILES : TILES)[i];
    if (packed)
        return packed_bytes(t) <= caps->max_workgroup_memory &&
               t.tx * t.ty * t.slices <= caps->max_invocations;
    uint32_t blocks = 2 + (t.tx > 8) + (t.ty > 8),
             bytes = caps->features & QN_GPU_F16 ? 4096 : 8192;
    return blocks * t.buffers * bytes <= caps->max_workgroup_memory &&
           t.tx * t.ty * t.slices <= caps->max_invocations;
}

/* As measured (docs/speed.md): the first, whatever the size. With factors in float16 larger tiles
 * are better where even so there are enough of them, four for each multiprocessor of a large
 * machine. */
struct qn_matmul_tile qn_matmul_tile(const struct qn_params_matmul *p, bool glu, bool packed,
                                     uint32_t rows, const struct qn_gpu_caps *caps) {
    struct qn_matmul_tile tile;
    if (caps->tile != 0 && qn_matmul_tile_get(&tile, caps->tile - 1, packed, caps))
        return tile;
    if (packed)
        return PACKED_TILES[0];
    struct qn_gpu_caps half = *caps;
    half.max_workgroup_memory /= 2;
    if (caps->features & QN_GPU_F16 && qn_matmul_tile_get(&tile, 1, false, &half)) {
        struct qn_grid g = qn_grid_matmul_tiles(p, glu, tile, rows);
        if ((uint64_t)g.x * g.y >= 512)
            return tile;
    }
    return TILES[0];
}

struct qn_grid qn_grid_matmul_tiles(const struct qn_params_matmul *p, bool glu,
                                    struct qn_matmul_tile tile, uint32_t rows) {
    uint32_t columns = tile.tx * tile.quads * (glu ? 2 : 4);
    return (struct qn_grid){parts(p->n_rows, columns), parts(rows, tile.ty * 8), 1};
}

/* Long rows are shared by more lanes, until a lane has a dozen units: fewer lanes read x more
 * often from the nearest cache, more keep more of the machine busy. Many results fill it anyway. */
uint32_t qn_matmul_lanes(const struct qn_params_matmul *p) {
    uint32_t units = parts(p->cols, 8);
    if (p->n_rows >= 4096 || units < 192)
        return units < 16 ? 8 : 16;
    return units < 1024 ? 32 : 64;
}

/* Of the larger and faster tiles of MATMUL_MATRIX a quarter is enough. */
uint32_t qn_matmul_filled(bool matrix, uint32_t fill) {
    return matrix ? fill / 4 * MATRIX_ROWS : fill * TILE;
}

/* Tiles are worth it once they are many enough to fill the machine, and mostly full. */
bool qn_matmul_takes_few(const struct qn_params_matmul *p, bool glu, bool matrix, uint32_t rows,
                         uint32_t fill) {
    uint32_t full = qn_matmul_filled(matrix, fill);
    return (rows <= 48 && fill > 1) ||
           (uint64_t)qn_grid_matmul(p, glu, matrix, rows).x * rows < full;
}

struct qn_grid qn_grid_matmul_few(const struct qn_params_matmul *p, bool glu, uint32_t lanes,
                                  uint32_t rows) {
    return fold(parts(p->n_rows, THREADS / lanes * (glu ? 2 : 4)), parts(rows, FEW));
}

struct qn_grid qn_grid_elements(uint32_t cols, uint32_t rows) {
    return (struct qn_grid){parts(cols, THREADS), rows, 1};
}

struct qn_grid qn_grid_experts(uint32_t results, uint32_t t) {
    return fold(results, t);
}

struct qn_grid qn_grid_rope(const struct qn_params_rope *p, uint32_t t) {
    uint32_t threads = (p->n_heads + 2 * p->n_kv_heads) * parts(p->head_dim, 64) * 32;
    return (struct qn_grid){parts(threads, THREADS), t, 1};
}

uint32_t qn_attention_heads(const struct qn_params_attention *p, uint32_t head_dim) {
    uint32_t shared = p->n_heads / p->n_kv_heads, most = head_dim > 128 ? 2 : 4, heads = 1;
    while (heads < shared && heads < most)
        heads *= 2;
    return heads;
}

/* Long contexts are cut into longer splits, so that a few hundred workgroups are made: more take
 * longer to begin than what they share saves (measured on a machine with 132 multiprocessors). An
 * even number, since pairs lie in vec4s, and at most 256, which attention_merge takes. */
uint32_t qn_attention_splits(const struct qn_params_attention *p, uint32_t head_dim) {
    uint32_t heads = qn_attention_heads(p, head_dim),
             groups = p->n_kv_heads * parts(p->n_heads / p->n_kv_heads, heads),
             most = groups <= 8 ? 72 : 40, all = parts(p->context, SPLIT);
    if (p->window)
        all = qn_min_u32(all, parts(p->window, SPLIT) + 1);
    return (qn_min_u32(all, most) + 1) & ~1u;
}

uint32_t qn_attention_first(uint32_t p, uint32_t window) {
    return window && window < p + 1 ? p + 1 - window : 0;
}

uint32_t qn_attention_shift(uint32_t p, uint32_t window, uint32_t splits) {
    uint32_t first = qn_attention_first(p, window), shift = 6;
    while ((p >> shift) - (first >> shift) >= splits)
        shift++;
    return shift;
}

uint32_t qn_attention_count(uint32_t p, uint32_t window, uint32_t splits) {
    uint32_t shift = qn_attention_shift(p, window, splits);
    return (p >> shift) - (qn_attention_first(p, window) >> shift) + 1;
}

struct qn_grid qn_grid_attention_split(const struct qn_params_attention *p, uint32_t head_dim,
                                       uint32_t t, uint32_t end) {
    uint32_t shared = p->n_heads / p->n_kv_heads, heads = qn_attention_heads(p, head_dim);
    // Of several rows one may stand where splits are shorter, and more.
    uint32_t most = qn_min_u32(parts(end, SPLIT), p->splits);
    return (struct qn_grid){t == 1 ? qn_attention_count(end - 1, p->window, p->splits) : most,
                            p->n_kv_heads * parts(shared, heads), t};
}

struct qn_grid qn_grid_attention_merge(const struct qn_params_attention *p, uint32_t t) {
    return (struct qn_grid){p->n_heads, t, 1};
}

/* Rows of a workgroup are pairs of a token and one of the heads that share keys. */
struct qn_grid qn_grid_attention_prefill(const struct qn_params_attention *p, uint32_t head_dim,
                                         uint32_t t) {
    uint32_t rows = head_dim <= 128 ? 64 : 32;
    return (struct qn_grid){parts(t * (p->n_heads / p->n_kv_heads), rows), p->n_kv_heads, 1};
}

uint64_t qn_attention_partial(const struct qn_params_attention *p, uint32_t head_dim, uint32_t t) {
    return (uint64_t)t * p->n_heads * p->splits * (head_dim + 2) * sizeof(float);
}

uint32_t qn_argmax_chunks(uint32_t vocab) {
    return parts(vocab, ARGMAX_CHUNK);
}

struct qn_grid qn_grid_argmax_partial(const struct qn_params_vocab *p, uint32_t rows) {
    return (struct qn_grid){qn_argmax_chunks(p->vocab), rows, 1};
}

struct qn_grid qn_grid_argmax_final(uint32_t rows) {
    return (struct qn_grid){parts(rows, THREADS), 1, 1};
}

struct qn_grid qn_grid_sample_prepare(const struct qn_params_vocab *p, uint32_t rows) {
    return fold(parts(p->vocab, PREPARE_CHUNK), rows);
}

struct qn_grid qn_grid_rows(uint32_t rows) {
    return (struct qn_grid){rows, 1, 1};
}

struct qn_grid qn_grid_seen_mark(uint32_t n) {
    return fold(parts(n, THREADS), 1);
}
