/* The one intermediate form: a linear list of typed operations over tensors. Hand-built decoders
 * and, later, imported graphs become this; the CPU and the GPU execute it.
 *
 * Life of a program: tensors and ops are added in order (a tensor is produced before it is used) →
 * qn_program_infer → qn_program_fuse → qn_program_plan → qn_program_verify → immutable. */
#ifndef QN_PROGRAM_PROGRAM_H
#define QN_PROGRAM_PROGRAM_H

#include "base/str.h"
#include "program/weight.h"

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
    QN_TENSOR_STATE,      // KV cache of a session, lives across steps: [n_kv_heads, context, head_dim]
};

struct qn_program_tensor {
    enum qn_tensor_kind kind;
    enum qn_dtype dtype; // ACTIVATION: F32; IDS: U32; STATE: F32 or F16; WEIGHT: NONE
    uint32_t n_dims;
    struct qn_dim dims[QN_TENSOR_DIMS];
    uint32_t weight;              // WEIGHT: index into weights
    uint64_t offset, nbytes;      // ACTIVATION: place in the step arena at max_tokens. STATE: nbytes
    uint32_t first_op, last_op;   // life, set by the plan
    const char *label;            // static text for messages: "q", "layer out"
};

enum qn_op_kind {
    /* out[t, :] = table[ids[t], :] × scale.  in: ids, table */
    QN_OP_EMBED,
    /* out = x × rsqrt(mean(x²) + eps) × w over the last axis (Zhang & Sennrich 2019).  in: x, w */
    QN_OP_RMSNORM,
    /* out[t, n] = Σ_k x[t, k] W[n, k] (+ bias[n]) (+ residual[t, n]).  in: x, W, bias?, residual? */
    QN_OP_MATMUL,
    /* out[t, f] = act(y[t, f]) × y[t, F + f], y = x Wᵀ (+ bias) with W [2F, K].  in: x, W, bias? */
    QN_OP_MATMUL_GLU,
    /* out[t, f] = act(x[t, f]) × x[t, F + f], x [T, 2F].  in: x */
    QN_OP_GLU,
    /* out = a + b.  in: a, b */
    QN_OP_ADD,
    /* Rotates q and k by position (Su et al. 2021) and appends k and v to the cache at positions
     * pos .. pos+T-1. in: q, k, v (column views), k_state, v_state, freq [1, n_rot/2] (inverse
     * frequencies as a weight vector). out: rotated q [T, n_heads × head_dim]. */
    QN_OP_ROPE_APPEND,
    /* Causal grouped-query attention over the cache: position p sees 0..p (window w: p-w+1..p).
     * out[t, h, :] = Σ_j softmax_j(q·k_j × scale) v_j.  in: q, k_state, v_state */
    QN_OP_ATTENTION,
    /* out[r, :] = x[T - R + r, :].  in: x */
    QN_OP_LAST_ROWS,
    QN_OP_COUNT
};

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
        } embed;
        struct {
            float eps;
        } norm;
        struct {
            enum qn_act act;
        } glu; // MATMUL_GLU, GLU
        struct {
            uint32_t n_heads, n_kv_heads, head_dim, n_rot;
            bool interleaved; // pairs (2i, 2i+1) instead of (i, i + n_rot/2)
        } rope;
        struct {
            uint32_t n_heads, n_kv_heads, head_dim, window; // window 0: all
            float scale;
        } attention;
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
    uint32_t ids;        // the IDS tensor
    uint32_t logits;     // the result: ACTIVATION f32 [R, vocab]
    uint32_t sample_vocab; // sampling and arg-max look at ids below this (the rest of the vocabulary
                           // is padding that the tokenizer does not know); 0: all
    uint64_t arena_bytes; // of all activations, set by the plan
    uint64_t state_bytes; // of one session's STATE tensors
};

void qn_program_init(struct qn_program *p, struct qn_arena *arena, uint32_t max_tokens,
                     uint32_t context);
/* Each returns the new index through `out`; QN_E_NO_MEMORY or QN_E_LIMIT (65,536 each) else. */
enum qn_status qn_program_add_weight(struct qn_program *p, uint32_t *out,
                                     const struct qn_weight *weight, struct qn_error *err);
enum qn_status qn_program_add_tensor(struct qn_program *p, uint32_t *out,
                                     const struct qn_program_tensor *tensor, struct qn_error *err);
/* Adds the op and its ACTIVATION result, whose shape inference fills in. */
enum qn_status qn_program_add_op(struct qn_program *p, uint32_t *out, const struct qn_program_op *op,
                                 const char *label, struct qn_error *err);

/* Shapes of all results from their inputs; every operand's kind, dtype and shape is checked.
 * QN_E_INTERNAL with op index, op name, expected and actual shape. */
enum qn_status qn_program_infer(struct qn_program *p, struct qn_error *err);
/* MATMUL + ADD → MATMUL with residual; MATMUL + GLU → MATMUL_GLU, where the intermediate has no
 * other use. Leaves the list linear and dense. */
enum qn_status qn_program_fuse(struct qn_program *p, struct qn_error *err);
/* Lives and places of activations in one arena, first fit over free gaps, offsets multiples of 256. */
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
