/* The table of kernels: for each its WGSL texts, bindings, parameter struct, override constants,
 * and the workgroups that a dispatch needs. What lowers programs, what validates them and what runs
 * them on the CPU all read this one table.
 *
 * Rules for whoever dispatches:
 * - All bindings are in group 0; binding 0 is the uniform parameter struct, binding 1 (where
 * present)
 *   the step, a uniform too. Both are 256-aligned; buffers need UNIFORM usage (step: UNIFORM |
 *   STORAGE).
 * - R bindings and W bindings of one dispatch must be in different buffers (WebGPU counts the whole
 *   buffer as one resource). Several R bindings may overlap; W ranges of one dispatch must not.
 * - A binding that the constants switch off (scales of F32 weights, bias, residual, norm, …) still
 *   needs a buffer: bind any READ-able one of at least 16 bytes.
 * - Constants not passed have the value 0 unless noted in kernels.c. The text's entry point is
 * "main".
 * - Shapes: cols of weights arbitrary for embed and matmul; matvec wants x_stride, x_column and
 * cols
 *   to be multiples of 4 (else use matmul), and so does matmul_few. head_dim: multiple of 8 (F16
 *   cache) or 4, at most 256.
 * - sizes of weight planes in buffers are rounded up to 16 bytes. */
#ifndef QN_WEBGPU_KERNELS_H
#define QN_WEBGPU_KERNELS_H

#include "program/program.h"
#include "webgpu/tape.h"

#include "webgpu/params.def"
#define QN_PARAM_U(name) uint32_t name;
#define QN_PARAM_F(name) float name;
#define QN_PARAM_V(name, n) uint32_t name[n][4];
#define QN_PARAMS_STRUCT(lower, UPPER)            \
    struct qn_params_##lower {                    \
        QN_PARAMS_##UPPER(QN_PARAM_U, QN_PARAM_F) \
    };
struct qn_params_step {
    QN_PARAMS_STEP(QN_PARAM_U, QN_PARAM_F, QN_PARAM_V)
};
QN_PARAMS_STRUCT(embed, EMBED)
QN_PARAMS_STRUCT(rmsnorm, RMSNORM)
QN_PARAMS_STRUCT(matmul, MATMUL)
QN_PARAMS_STRUCT(glu, GLU)
QN_PARAMS_STRUCT(add, ADD)
QN_PARAMS_STRUCT(rope, ROPE)
QN_PARAMS_STRUCT(attention, ATTENTION)
QN_PARAMS_STRUCT(experts, EXPERTS)
QN_PARAMS_STRUCT(last_rows, LAST_ROWS)
QN_PARAMS_STRUCT(gather, GATHER)
QN_PARAMS_STRUCT(vocab, VOCAB)
QN_PARAMS_STRUCT(sampling, SAMPLING)
QN_PARAMS_STRUCT(seen_mark, SEEN_MARK)

#define QN_STEP_ROWS 8u // of a batch, at most: rows of qn_params_step

/* Row t of a step, as the kernels' step_row. */
struct qn_step_row {
    uint32_t pos, slot, rope_set, id;
};
static inline struct qn_step_row qn_step_row(const struct qn_params_step *step, uint32_t t) {
    if (!step->batch)
        return (struct qn_step_row){step->pos + t, step->slot, step->rope_set, step->first_id + t};
    const uint32_t *row = step->rows[t % QN_STEP_ROWS];
    return (struct qn_step_row){row[0], row[1], row[2], row[3]};
}

enum qn_rows { QN_ROWS_T, QN_ROWS_R }; // rows_sym
/* Constant STYPE, which says all of a quantised format but type and zero: one of the first three,
 * plus flags, plus HIGH × bits above the nibble, plus GROUP × (0 to 3: 16 to 128 columns). */
enum qn_scale_type {
    QN_STYPE_F16,
    QN_STYPE_BF16,
    QN_STYPE_F32,
    QN_STYPE_PAIRS = 4, // (scale, minimum)
    QN_STYPE_ZEROS = 8, // (scale, zero)
    QN_STYPE_SUPER = 16,
    QN_STYPE_LEVELS = 32,
    QN_STYPE_HIGH = 64,
    QN_STYPE_GROUP = 256,
};

/* X(NAME, text, params, "bindings", "constants"). Bindings: U uniform, R read-only storage, W
 * read-write storage, in order from 0. What stands there:
 *  EMBED             params, step, ids u32, values, scales, out f32[T, cols]. Ids outside the
 *                    slab are skipped: one dispatch per slab fills all rows.
 *  RMSNORM           params, step, x, w f32[cols], residual f32, out. RESIDUAL: 0 or 1.
 *  LAYERNORM         params rmsnorm, step, x, w, b, residual, out. BIAS, RESIDUAL: 0 or 1.
 *  MATVEC            params, step, x, values, scales, bias f32, residual f32, norm f32[cols], out.
 *                    COLS rows of x per grid z. NORM: x is normed first (out = norm(x) Wᵀ; saves a
 *                    dispatch). GLU: see params. BIAS, RESIDUAL, NORM, GLU: 0 or 1; ACT: enum
 *                    qn_act. LANES, ROWS, COLS: see qn_matvec_tune.
 *  MATVEC_DOT        the same for some of Q4, through products of bytes; x becomes
 *                    16-bit integers per group. Needs QN_GPU_PACKED_DOT. LANES … AHEAD: see
 *                    qn_matvec_dot_tune. HEAD_DIM: x is attention_split's partial.
 *                    POST: x is residual + norm(x) first; norm holds the weights of that norm
 *                    and, norm_at columns on, its own; out takes x too, where kept says.
 *                    ARGMAX: out is ARGMAX_PARTIAL's partial, a place per workgroup.
 *  MATMUL            the same bindings and params (norm unused: no NORM constant), for T > a few.
 *                    ALIGNED: 1 where matvec's wants are met.
 *  MATMUL_FEW        the same again; groups of MATMUL fit it. LANES: qn_matmul_lanes.
 *                    qn_matmul_takes_few says when.
 *  MATMUL_MATRIX     as MATMUL, where qn_matmul_has_matrix.
 *  MATMUL_TILES      as MATMUL; TX … BUFFERS: struct qn_matmul_tile.
 *  GLU               params, step, x, up, out. In one tensor: the same range twice.
 *  ACT               params glu, step, x, out f32[rows, cols]
 *  ADD               params, step, a, b, gate f32[rows], out. GATE: 0 or 1.
 *  ROPE_APPEND       params, step, q, k, v, freq f32[sets, n_rot/2], k_state, v_state, out f32[T,
 *                    n_heads × head_dim]. States: common_kv.wgsl;
 *                    KV_TYPE: enum qn_kv_type.
 *  ATTENTION_SPLIT   params, step, q, k, v, freq, k_state, v_state, partial f32
 *                    (qn_attention_partial bytes). ROPE: does the work of ROPE_APPEND first, for
 *                    one token of a slot; without it k, v and freq are not used. For small T.
 *                    HEADS: qn_attention_heads. NORM: heads of q and k are normed before that;
 *                    freq holds the weights too.
 *  ATTENTION_MERGE   params, step, partial, out f32[T, n_heads × head_dim]
 *  ATTENTION_PREFILL params, step, q, k_state, v_state, out. HEAD_DIM is needed by all three.
 *  LAST_ROWS         params, step, x, out
 *  GATHER            params, step, x, order f32[cols], out f32[rows, cols]
 *  ROUTE             params experts, step, x f32[T, n_experts], out f32[T, 2 n_used]
 *  EXPERT_GLU        params experts, step, x, values, scales, routes f32[T, 2 n_used], out f32[T,
 *                    n_used × width]. One dispatch per slab; ACT: enum qn_act.
 *  EXPERT_DOWN       the same bindings; x f32[T, n_used × cols], out f32[T, width]
 *  ARGMAX_PARTIAL    params vocab, step, sampling [slots], values f32[R, stride] (logits or z),
 *                    state u32[R, 8] (of SAMPLE_THRESHOLD), partial u32[R, chunks, 2]. GUMBEL: rows
 *                    may draw, as sampling.draw says of their slots.
 *  ARGMAX_FINAL      params vocab, step, partial, out u32[R]
 *  SAMPLE_PREPARE    params vocab, step, sampling, logits f32[R, stride], seen u32[slots, stride],
 *                    bias f32[slots, stride], mask u32[slots, ceil(stride/32)] (bit i % 32 of word
 *                    i / 32: id i is allowed), z f32[R, stride]
 *  SAMPLE_THRESHOLD  params vocab, step, sampling, z, state u32[R, 8]. Only rows whose draw is 2
 *                    (top-k, top-p or min-p).
 *  SAMPLE_FINISH     params vocab, partial, step (W), ids u32 (W; ids[slot] = token), results
 *                    u32[R] (W), seen u32[slots, stride] (W; count of the token + 1; a shorter one
 *                    when no penalties are used: then the write falls outside). Then, but for a
 *                    batch, pos += n_tokens, n_tokens = n_rows = 1, first_id = slot.
 *  SEEN_MARK         params seen_mark, ids u32[n], seen: sets bit 31 of seen[begin + ids[i]].
 * Greedy: ARGMAX_PARTIAL on the logits, SAMPLE_FINISH. With penalties, bias or mask: SAMPLE_PREPARE
 * first and ARGMAX_PARTIAL on z. Drawn: SAMPLE_PREPARE, [SAMPLE_THRESHOLD], ARGMAX_PARTIAL with
 * GUMBEL, SAMPLE_FINISH. A batch's list is the longest that one of its rows needs. */
/* clang-format off */
#define QN_KERNEL_LIST(X) \
    X(EMBED,             embed,             embed,     "UURRRW",    "WTYPE STYPE ZERO") \
    X(RMSNORM,           rmsnorm,           rmsnorm,   "UURRRW",    "RESIDUAL") \
    X(LAYERNORM,         layernorm,         rmsnorm,   "UURRRRW",   "BIAS RESIDUAL") \
    X(MATVEC,            matvec,            matmul,    "UURRRRRRW", "WTYPE STYPE ZERO BIAS RESIDUAL NORM GLU ACT LANES ROWS COLS") \
    X(MATVEC_DOT,        matvec_dot,        matmul,    "UURRRRRRW", "WTYPE STYPE ZERO BIAS RESIDUAL NORM GLU ACT LANES ROWS SPAN AHEAD HEAD_DIM POST COLS ARGMAX") \
    X(MATMUL,            matmul,            matmul,    "UURRRRRRW", "WTYPE STYPE ZERO BIAS RESIDUAL GLU ACT ALIGNED") \
    X(MATMUL_FEW,        matmul_few,        matmul,    "UURRRRRRW", "WTYPE STYPE ZERO BIAS RESIDUAL GLU ACT LANES") \
    X(MATMUL_MATRIX,     matmul_matrix,     matmul,    "UURRRRRRW", "WTYPE STYPE ZERO BIAS RESIDUAL GLU ACT ALIGNED") \
    X(MATMUL_TILES,      matmul_tiles,      matmul,    "UURRRRRRW", "WTYPE STYPE ZERO BIAS RESIDUAL GLU ACT ALIGNED TX TY SLICES BUFFERS") \
    X(GLU,               glu,               glu,       "UURRW",     "ACT") \
    X(ACT,               act,               glu,       "UURW",      "ACT") \
    X(ADD,               add,               add,       "UURRRW",    "GATE") \
    X(ROPE_APPEND,       rope_append,       rope,      "UURRRRWWW", "KV_TYPE INTERLEAVED") \
    X(ATTENTION_SPLIT,   attention_split,   attention, "UURRRRWWW", "KV_TYPE HEAD_DIM ROPE INTERLEAVED HEADS NORM") \
    X(ATTENTION_MERGE,   attention_merge,   attention, "UURW",      "HEAD_DIM") \
    X(ATTENTION_PREFILL, attention_prefill, attention, "UURRRW",    "KV_TYPE HEAD_DIM") \
    X(LAST_ROWS,         last_rows,         last_rows, "UURW",      "") \
    X(GATHER,            gather,            gather,    "UURRW",     "") \
    X(ROUTE,             route,             experts,   "UURW",      "") \
    X(EXPERT_GLU,        expert_glu,        experts,   "UURRRRW",   "WTYPE STYPE ZERO ACT") \
    X(EXPERT_DOWN,       expert_down,       experts,   "UURRRRW",   "WTYPE STYPE ZERO") \
    X(ARGMAX_PARTIAL,    argmax_partial,    vocab,     "UURRRW",    "GUMBEL") \
    X(ARGMAX_FINAL,      argmax_final,      vocab,     "UURW",      "") \
    X(SAMPLE_PREPARE,    sample_prepare,    vocab,     "UURRRRRW",  "") \
    X(SAMPLE_THRESHOLD,  sample_threshold,  vocab,     "UURRW",     "") \
    X(SAMPLE_FINISH,     sample_finish,     vocab,     "URWWWW",    "") \
    X(SEEN_MARK,         seen_mark,         seen_mark, "URW",       "")
/* clang-format on */

enum qn_kernel_id {
#define QN_KERNEL_ENUM(NAME, text, params, bindings, constants) QN_KERNEL_##NAME,
    QN_KERNEL_LIST(QN_KERNEL_ENUM)
#undef QN_KERNEL_ENUM
        QN_KERNEL_COUNT
};

/* Texts of one kernel. All variants share bindings, params, constants and grid. */
enum qn_variant { QN_VARIANT_BASE, QN_VARIANT_SUBGROUPS, QN_VARIANT_F16, QN_VARIANT_COUNT };

#define QN_KERNEL_BINDINGS 10
#define QN_KERNEL_CONSTANTS 16

struct qn_kernel {
    const char *name;                     // also the label of its module in the tape
    struct qn_str text[QN_VARIANT_COUNT]; // .n == 0: there is no such variant
    uint32_t n_bindings;
    uint32_t kinds[QN_KERNEL_BINDINGS]; // QN_BIND_…
    uint32_t n_constants;
    const char *constants[QN_KERNEL_CONSTANTS];
    size_t params_bytes; // of binding 0
};

/* Fills in one row of the table. */
void qn_kernel_get(struct qn_kernel *out, enum qn_kernel_id id);
/* The kernel of that name (a module's label), or QN_KERNEL_COUNT. */
enum qn_kernel_id qn_kernel_find(struct qn_str name);
/* The fastest variant that a device with these qn_gpu_feature bits can run. */
enum qn_variant qn_kernel_variant(const struct qn_kernel *kernel, uint32_t features);

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
};
/* The most that `cols` may be, and how many choices there are above 1. */
#define QN_MATVEC_COLS 8u
#define QN_MATVEC_WIDE 3u
/* What multiplies so many rows of x at once and gives each of them, to the last bit, what `tune`,
 * made for one, gives it. rows 0: there is none. */
struct qn_matvec_tune qn_matvec_widen(const struct qn_params_matmul *p, struct qn_matvec_tune tune,
                                      bool glu, uint32_t cols, const struct qn_gpu_caps *caps);
struct qn_matvec_tune qn_matvec_tune(const struct qn_params_matmul *p, enum qn_wtype type,
                                     bool glu);
/* Whether matvec_dot reads this format; its constants on a device with these caps. span 0: it
 * cannot run there. */
bool qn_matvec_dot_takes(const struct qn_wformat *format);
struct qn_matvec_tune qn_matvec_dot_tune(const struct qn_params_matmul *p, bool glu,
                                         const struct qn_gpu_caps *caps);
/* Columns of x that matvec_dot makes itself (HEAD_DIM, POST), at most. */
#define QN_MATVEC_DOT_MADE 8192u
struct qn_grid qn_grid_matvec_dot(const struct qn_params_matmul *p, struct qn_matvec_tune tune,
                                  uint32_t rows);
struct qn_grid qn_grid_matvec(const struct qn_params_matmul *p, struct qn_matvec_tune tune,
                              uint32_t rows);
/* Workgroups of one row of x: places that ARGMAX fills. */
uint32_t qn_grid_matvec_dot_places(const struct qn_params_matmul *p, struct qn_matvec_tune tune);
/* `matrix`: of MATMUL_MATRIX. */
struct qn_grid qn_grid_matmul(const struct qn_params_matmul *p, bool glu, bool matrix,
                              uint32_t rows);
/* Whether a device can run MATMUL_MATRIX. */
bool qn_matmul_has_matrix(const struct qn_gpu_caps *caps);
/* Constants of a MATMUL_TILES: 8 ty rows of x by 8 tx columns (GLU: 4 tx) in a workgroup of tx × ty
 * × slices threads. tx 0: none, MATMUL is meant. */
struct qn_matmul_tile {
    uint32_t tx, ty, slices, buffers;
};
/* Tile number `i` of those that there are; false: past the last, or too large for the device. */
bool qn_matmul_tile_get(struct qn_matmul_tile *out, uint32_t i, const struct qn_gpu_caps *caps);
/* The one for a matrix, where steps have up to `rows` rows: caps->tile says it, or a rule. */
struct qn_matmul_tile qn_matmul_tile(const struct qn_params_matmul *p, bool glu, uint32_t rows,
                                     const struct qn_gpu_caps *caps);
struct qn_grid qn_grid_matmul_tiles(const struct qn_params_matmul *p, bool glu,
                                    struct qn_matmul_tile tile, uint32_t rows);
/* Constant LANES of a matmul_few, and whether it is the faster one for so many rows of x. */
uint32_t qn_matmul_lanes(const struct qn_params_matmul *p);
/* `fill`: tiles of MATMUL that fill the device, on a large one QN_FILL; see qn_matmul_filled. */
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
/* params.splits for a context, and bytes of `partial` for steps of at most t tokens. */
uint32_t qn_attention_splits(uint32_t context, uint32_t window);
uint64_t qn_attention_partial(const struct qn_params_attention *p, uint32_t head_dim, uint32_t t);
uint32_t qn_argmax_chunks(uint32_t vocab);
struct qn_grid qn_grid_argmax_partial(const struct qn_params_vocab *p, uint32_t rows);
struct qn_grid qn_grid_argmax_final(uint32_t rows);
struct qn_grid qn_grid_sample_prepare(const struct qn_params_vocab *p, uint32_t rows);
struct qn_grid qn_grid_rows(uint32_t rows); // sample_threshold, sample_finish: a workgroup each
struct qn_grid qn_grid_seen_mark(uint32_t n);

#endif
