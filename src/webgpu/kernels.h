/* The table of kernels: for each its WGSL texts, bindings, parameter struct and override
 * constants; grids.h says what workgroups a dispatch needs. What lowers programs, what validates
 * them and what runs them on the CPU all read this one table.
 *
 * Rules for whoever dispatches:
 * - All bindings are in group 0; binding 0 is the uniform parameter struct, binding 1 (where
 *   present) the step, a uniform too. Both are 256-aligned; buffers need UNIFORM usage (step:
 *   UNIFORM | STORAGE).
 * - R bindings and W bindings of one dispatch must be in different buffers (WebGPU counts the whole
 *   buffer as one resource). Several R bindings may overlap; W ranges of one dispatch must not.
 * - A binding that the constants switch off (scales of F32 weights, bias, residual, norm, …) still
 *   needs a buffer: bind any READ-able one of at least 16 bytes.
 * - Constants not passed have the value 0 unless noted in kernels.c. The text's entry point
 *   is "main".
 * - Shapes: cols of weights arbitrary for embed and matmul_tiles; matvec wants x_stride, x_column
 *   and cols to be multiples of 4 (else use matmul_tiles), and so does matmul_few. head_dim:
 *   multiple of 8 (F16 cache) or 4, at most 256.
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
 *                    PACK: out is packed rows of x for a MATVEC_PACKED. One row of x per grid z.
 *  MATVEC_PACKED     MATVEC_DOT's results for packed rows of x (packed.h). LANES … COLS: see
 *                    qn_matvec_packed_tune.
 *  MATMUL_TILES      the same bindings and params (norm unused: no NORM constant), for T > a few.
 *                    ALIGNED: 1 where matvec's wants are met. TX … BUFFERS: struct qn_matmul_tile.
 *  MATMUL_FEW        the same again; groups of MATMUL_TILES fit it. LANES: qn_matmul_lanes.
 *                    qn_matmul_takes_few says when.
 *  MATMUL_MATRIX     as MATMUL_TILES, where qn_matmul_has_matrix.
 *  MATMUL_PACKED     the same for some of Q4 and packed rows of x (packed.h), where
 *                    qn_matmul_has_packed. TX … QUADS: struct qn_matmul_tile.
 *  PACK_ROWS         MATVEC_DOT's bindings, out packed rows of x, kept: what MATVEC_DOT with POST
 *                    leaves in its out.
 *  GLU               params, step, x, up, out. In one tensor: the same range twice.
 *  ACT               params glu, step, x, out f32[rows, cols]
 *  ADD               params, step, a, b, gate f32[rows], out. GATE: 0 or 1.
 *  ROPE_APPEND       params, step, q, k, v, freq f32[sets, n_rot/2], k_state, v_state, out f32[T,
 *                    n_heads × head_dim]. States: common_kv.wgsl;
 *                    KV_TYPE: enum qn_kv_type.
 *  ATTENTION_SPLIT   params, step, q, k, v, freq, k_state, v_state, partial f32
 *                    (qn_attention_partial bytes). ROPE: does the work of ROPE_APPEND first, for
 *                    one token of a slot; without it k, v and freq are not used. For small T.
 *                    HEADS: qn_attention_heads. SHARED: query heads of a key. NORM: heads of q and
 *                    k are normed before that; freq holds the weights too.
 *  ATTENTION_MERGE   params, step, partial, out f32[T, n_heads × head_dim]
 *  ATTENTION_PREFILL params, step, q, k_state, v_state, relative f32[n_heads, QN_RELATIVE], out.
 *                    RELATIVE: 0 or 1. HEAD_DIM is needed by all three.
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
    X(MATVEC_DOT,        matvec_dot,        matmul,    "UURRRRRRW", "WTYPE STYPE ZERO BIAS RESIDUAL NORM GLU ACT LANES ROWS SPAN AHEAD HEAD_DIM POST PACK ARGMAX") \
    X(MATVEC_PACKED,     matvec_packed,     matmul,    "UURRRRRRW", "WTYPE STYPE ZERO BIAS RESIDUAL NORM GLU ACT LANES ROWS AHEAD THREADS COLS PACK ARGMAX") \
    X(MATMUL_FEW,        matmul_few,        matmul,    "UURRRRRRW", "WTYPE STYPE ZERO BIAS RESIDUAL GLU ACT LANES") \
    X(MATMUL_PACKED,     matmul_packed,     matmul,    "UURRRRRRW", "WTYPE STYPE ZERO BIAS RESIDUAL GLU ACT TX TY SLICES QUADS") \
    X(MATMUL_MATRIX,     matmul_matrix,     matmul,    "UURRRRRRW", "WTYPE STYPE ZERO BIAS RESIDUAL GLU ACT ALIGNED") \
    X(MATMUL_TILES,      matmul_tiles,      matmul,    "UURRRRRRW", "WTYPE STYPE ZERO BIAS RESIDUAL GLU ACT ALIGNED TX TY SLICES BUFFERS") \
    X(PACK_ROWS,         pack_rows,         matmul,    "UURRRRRRWW", "NORM HEAD_DIM POST") \
    X(GLU,               glu,               glu,       "UURRW",     "ACT") \
    X(ACT,               act,               glu,       "UURW",      "ACT") \
    X(ADD,               add,               add,       "UURRRW",    "GATE") \
    X(ROPE_APPEND,       rope_append,       rope,      "UURRRRWWW", "KV_TYPE INTERLEAVED") \
    X(ATTENTION_SPLIT,   attention_split,   attention, "UURRRRWWW", "KV_TYPE HEAD_DIM ROPE INTERLEAVED HEADS NORM SHARED") \
    X(ATTENTION_MERGE,   attention_merge,   attention, "UURW",      "HEAD_DIM") \
    X(ATTENTION_PREFILL, attention_prefill, attention, "UURRRRW",   "KV_TYPE HEAD_DIM RELATIVE") \
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
    const char *name;                    // also the label of its module in the tape
    const char *parts[QN_VARIANT_COUNT]; // of the text (wgsl.h); NULL: there is no such variant
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

#endif
