/* The one intermediate form: a linear list of typed operations over tensors. Hand-built decoders
 * and, later, imported graphs become this; the CPU and the GPU execute it.
 *
 * Life of a program: tensors and ops are added in order (a tensor is produced before it is used) →
 * qn_program_infer → qn_program_fuse → qn_program_plan → qn_program_verify → immutable. */
#ifndef QN_PROGRAM_PROGRAM_H
#define QN_PROGRAM_PROGRAM_H

#include "base/str.h"
#include "program/weight.h"
#include "quern.h"

/* Sizes known only when a step runs. A dimension is n × value(sym), or n where sym is NONE. */
enum qn_sym {
    QN_SYM_NONE,
    QN_SYM_T, // tokens in this step, 1..max_tokens
    QN_SYM_R, // rows that go through the head: 1 (the last) or T
};
struct qn_dim {
    enum qn_sym sym;
    uint32_t n;
};
#define QN_DIM(count) ((struct qn_dim){QN_SYM_NONE, (count)})
#define QN_DIM_T ((struct qn_dim){QN_SYM_T, 1})
#define QN_DIM_R ((struct qn_dim){QN_SYM_R, 1})

#define QN_NONE UINT32_MAX // no tensor, no weight
#define QN_TENSOR_DIMS 4
#define QN_OP_INPUTS 6

enum qn_tensor_kind {
    QN_TENSOR_IDS,        // u32 [T]: the step's token ids
    QN_TENSOR_WEIGHT,     // a canonical weight matrix, `weight` says which
    QN_TENSOR_ACTIVATION, // f32, lives within a step; `offset` is set by the plan
    QN_TENSOR_STATE, // KV cache of a session, lives across steps: [n_kv_heads, context, head_dim]
};

struct qn_program_tensor {
    enum qn_tensor_kind kind;
    enum qn_dtype dtype; // ACTIVATION: F32; IDS: U32; STATE: F32 or F16; WEIGHT: NONE
    uint32_t n_dims;
    struct qn_dim dims[QN_TENSOR_DIMS];
    uint32_t weight;            // WEIGHT: index into weights
    uint64_t offset, nbytes;    // ACTIVATION: place in the step arena at max_tokens. STATE: nbytes
    uint32_t first_op, last_op; // life, set by the plan
    const char *label;          // static text for messages: "q", "layer out"
};

enum qn_op_kind {
    /* out[t, :] = table[ids[t], :] × scale; by POSITION: table[pos + t, :] × scale; by NOTHING:
     * table[0, :] × scale.  in: ids, table */
    QN_OP_EMBED,
    /* out = x × rsqrt(mean(x²) + eps) × w over groups of the last axis (Zhang & Sennrich 2019).
     * (+ residual).  in: x (column view), w [1, group] or [1, cols], –, residual? */
    QN_OP_RMSNORM,
    /* out = (x − mean(x)) × rsqrt(var(x) + eps) × w (+ b), likewise (Ba et al. 2016).
     * in: x, w, b?, residual? */
    QN_OP_LAYERNORM,
    /* out[t, n] = Σ_k x[t, k] W[n, k] (+ bias[n]) (+ residual[t, n]).  in: x, W, bias?, residual?
     * With a soft cap (no residual): out = cap × tanh(… / cap). */
    QN_OP_MATMUL,
    /* out[t, f] = act(y[t, f]) × y[t, F + f], y = x Wᵀ (+ bias) with W [2F, K].  in: x, W, bias? */
    QN_OP_MATMUL_GLU,
    /* out[t, f] = act(x[t, f]) × x[t, F + f], x [T, 2F]; with up: act(x[t, f]) × up[t, f].
     * in: x, up? */
    QN_OP_GLU,
    /* out = act(x).  in: x */
    QN_OP_ACT,
    /* out = a + b × scale (× sigmoid(gate[t])).  in: a, b, gate? [T, 1] */
    QN_OP_ADD,
    /* Rotates q and k by position (Su et al. 2021) and appends k and v to the cache at positions
     * pos .. pos+T-1. in: q, k, v (column views), k_state, v_state, freq [1, n_sets × n_rot/2]
     * (inverse frequencies as a weight vector; the step says which set). Head h of a view begins at
     * column h × head_stride. Cosine and sine are multiplied by `magnitude`. out: rotated q [T,
     * n_heads × head_dim]. */
    QN_OP_ROPE_APPEND,
    /* Causal grouped-query attention over the cache: position p sees 0..p (window w: p-w+1..p); of
     * a program that is `whole`, every position of the step.
     * out[t, h, :] = Σ_j softmax_j(cap(q·k_j × scale)) v_j, cap(s) = softcap × tanh(s / softcap)
     * where there is one (Gemma 2).  Of a program that is `whole`, and not capped, relative
     * [1, n_heads × QN_RELATIVE] is added to the scores: of head h and distance d = j - p, element
     * h × QN_RELATIVE + QN_FAR + d, what is farther than QN_FAR counting as that (MPNet).
     * in: q, k_state, v_state, relative? */
    QN_OP_ATTENTION,
    /* out[r, :] = x[T - R + r, :]; or, if R is 1 and the step pools, Σ_t x[t, :] / T or x[0, :].
     * in: x */
    QN_OP_LAST_ROWS,
    /* out[t, c] = x[t, order[c]], 0 where order[c] lies past the end of x: how x suits a weight
     * whose columns were moved.  in: x, order [1, cols] (a computed weight) */
    QN_OP_GATHER,
    /* Of softmax(x[t, :]), the n_used largest: out[t, i] = index (as a float), out[t, n_used + i] =
     * probability, in falling order, the lower index first; `renormalise` makes them sum to 1.
     * in: x [T, n_experts]; out [T, 2 n_used] */
    QN_OP_ROUTE,
    /* out[t, i F + f] = act(W[e][f]·x[t]) × W[e][F + f]·x[t], e = routes[t, i].
     * in: x [T, K], W [n_experts × 2F, K], routes; out [T, n_used × F] */
    QN_OP_EXPERT_GLU,
    /* out[t, h] = Σ_i p_i W[e][h]·x[t, i F ..], e = routes[t, i], p_i = routes[t, n_used + i].
     * in: x [T, n_used × F], W [n_experts × H, F], routes; out [T, H] */
    QN_OP_EXPERT_DOWN,
    QN_OP_COUNT
};

#define QN_FAR 128u
#define QN_RELATIVE (2 * QN_FAR + 1)
/* Where the distance from row to key stands. */
static inline uint32_t qn_relative_at(uint32_t row, uint32_t key) {
    uint32_t ahead = key > row ? key - row : 0, behind = row > key ? row - key : 0;
    return QN_FAR + (ahead < QN_FAR ? ahead : QN_FAR) - (behind < QN_FAR ? behind : QN_FAR);
}

enum qn_embed_by { QN_EMBED_BY_ID, QN_EMBED_BY_POSITION, QN_EMBED_BY_NOTHING };
enum qn_act { QN_ACT_SILU, QN_ACT_GELU_TANH, QN_ACT_GELU_ERF, QN_ACT_RELU };

/* An input: a tensor, or the columns from `column` on of its last axis (fused q|k|v). */
struct qn_operand {
    uint32_t tensor; // QN_NONE: absent
    uint32_t column;
};

struct qn_program_op {
    enum qn_op_kind kind;
    struct qn_operand in[QN_OP_INPUTS];
    uint32_t out;
    union {
        struct {
            float scale;
            enum qn_embed_by by;
        } embed;
        struct {
            float eps;
            uint32_t cols;  // of the view; 0: all of x
            uint32_t group; // columns normalised together; 0: all
        } norm;             // RMSNORM, LAYERNORM
        struct {
            float softcap; // 0: none
        } matmul;
        struct {
            float scale; // 0 stands for 1
        } add;
        struct {
            enum qn_act act;
        } glu; // MATMUL_GLU, GLU, ACT
        struct {
            uint32_t n_heads, n_kv_heads, head_dim, n_rot;
            bool interleaved;     // pairs (2i, 2i+1) instead of (i, i + n_rot/2)
            uint32_t head_stride; // 0: head_dim
            uint32_t n_sets;      // 0 stands for 1
            float magnitude;      // 0 stands for 1
        } rope;
        struct {
            uint32_t n_heads, n_kv_heads, head_dim, window; // window 0: all
            float scale, softcap;                           // softcap 0: none
        } attention;
        struct {
            uint32_t n_experts, n_used;
            enum qn_act act;  // EXPERT_GLU
            bool renormalise; // ROUTE
        } moe;                // ROUTE, EXPERT_GLU, EXPERT_DOWN
    } u;
};

struct qn_program {
    struct qn_arena *arena;
    struct qn_program_tensor *tensors;
    uint32_t n_tensors, cap_tensors;
    struct qn_program_op *ops;
    uint32_t n_ops, cap_ops;
    struct qn_weight *weights;
    uint32_t n_weights, cap_weights;
    uint32_t max_tokens; // largest T
    uint32_t max_rows;   // largest R: max_tokens (all positions may be asked for)
    uint32_t context;    // positions in a STATE tensor
    /* Sequences of more tokens than this rotate by the second set of frequencies, at every position
     * (Phi-3's long context): a session that grows past it computes its cache anew. 0: one set. */
    uint32_t rope_switch;
    uint32_t ids;    // the IDS tensor
    uint32_t logits; // the result: ACTIVATION f32 [R, vocab]; or states [R, hidden]
    bool states;     // it is
    /* An encoder: attention looks both ways, so a text is one step from position 0 on, and nothing
     * is kept of it. All layers write the same pair of states. */
    bool whole;
    enum qn_pooling pooling; // of an encoder, where a request does not say: not MODEL
    uint32_t n_ids;          // ids below this are the model's; 0: as many as logits
    uint32_t sample_vocab;   // sampling and arg-max look at ids below this (the rest of the
                             // vocabulary is padding that the tokenizer does not know); 0: all
    uint64_t arena_bytes;    // of all activations, set by the plan
    uint64_t state_bytes;    // of one session's STATE tensors
};

void qn_program_init(struct qn_program *p, struct qn_arena *arena, uint32_t max_tokens,
                     uint32_t context);
/* Each returns the new index through `out`; QN_E_NO_MEMORY or QN_E_LIMIT (65,536 each) else. */
enum qn_status qn_program_add_weight(struct qn_program *p, uint32_t *out,
                                     const struct qn_weight *weight, struct qn_error *err);
enum qn_status qn_program_add_tensor(struct qn_program *p, uint32_t *out,
                                     const struct qn_program_tensor *tensor, struct qn_error *err);
/* Adds the op and its ACTIVATION result, whose shape inference fills in. */
enum qn_status qn_program_add_op(struct qn_program *p, uint32_t *out,
                                 const struct qn_program_op *op, const char *label,
                                 struct qn_error *err);

/* Shapes of all results from their inputs; every operand's kind, dtype and shape is checked.
 * QN_E_INTERNAL with op index, op name, expected and actual shape. */
enum qn_status qn_program_infer(struct qn_program *p, struct qn_error *err);
/* MATMUL or norm + ADD → the same with residual; MATMUL + GLU → MATMUL_GLU, where the intermediate
 * has no other use. Leaves the list linear and dense. */
enum qn_status qn_program_fuse(struct qn_program *p, struct qn_error *err);
/* Lives and places of activations in one arena, first fit over free gaps, offsets multiples
 * of 256. */
enum qn_status qn_program_plan(struct qn_program *p, struct qn_error *err);
/* Checks a planned program from scratch: definition before use, shapes, no two live activations
 * overlap, all in bounds, weights complete. For tests and before every execution of an import. */
enum qn_status qn_program_verify(const struct qn_program *p, struct qn_error *err);

const char *qn_op_name(enum qn_op_kind kind);
/* Extent of a dimension for T tokens and R rows. */
static inline uint32_t qn_dim_value(struct qn_dim dim, uint32_t t, uint32_t r) {
    return dim.n * (dim.sym == QN_SYM_T ? t : dim.sym == QN_SYM_R ? r : 1);
}

#endif
