/* Inside the room: the parts of lowering. */
#ifndef QN_WEBGPU_LOWER_PARTS_H
#define QN_WEBGPU_LOWER_PARTS_H

#include "webgpu/lower.h"

enum qn_status qn_lower_buffer_add(struct qn_lower *l, uint32_t *out, enum qn_space space,
                                   uint64_t bytes, uint32_t usage, const char *what,
                                   struct qn_error *err);
/* Appends to an array in the arena that grows by doubling. */
void *qn_lower_grow(struct qn_lower *l, void *array, uint32_t n, uint32_t *capacity, size_t size);
/* lower_weights.c: a place for every weight. */
enum qn_status qn_lower_weights(struct qn_lower *l, struct qn_error *err);
/* lower_buffers.c: places of activations, states, ids, and the fixed buffers. `fused` [n_ops]: ops
 * whose work others do, so that their operand must live as long as their result; `partner`: those
 * whose operand must live up to there, of qn_lower_fold. */
enum qn_status qn_lower_buffers(struct qn_lower *l, const bool *fused, const uint32_t *partner,
                                struct qn_error *err);
/* Places per row that an arg-max within the head needs; 0: its matvecs cannot do that. */
uint32_t qn_lower_best_places(const struct qn_lower *l);
/* lower_sample.c: what follows that. */
enum qn_status qn_lower_best(struct qn_lower *l, struct qn_lower_ref best, uint32_t places,
                             struct qn_error *err);
/* lower_sample.c: the sampler lists. */
enum qn_status qn_lower_samplers(struct qn_lower *l, struct qn_error *err);

/* What a dispatch is made of, before it has a pipeline and a slot for its parameters. Bindings from
 * 1 on; a ref of 0 bytes becomes the dummy. Constants in the order of the kernel's list. */
struct qn_lower_draft {
    enum qn_kernel_id kernel;
    const void *params;
    struct qn_lower_ref bindings[QN_KERNEL_BINDINGS];
    float constants[QN_KERNEL_CONSTANTS];
    struct qn_lower_dispatch rest; // rows_mul, by_rows, glu, head_dim, tune
};
enum qn_status qn_lower_dispatch_add(struct qn_lower *l, const struct qn_lower_draft *draft,
                                     struct qn_error *err);
/* The same for a bank: bytes of a slot, for at most so many slots (0: in all). */
enum qn_status qn_lower_bank_add(struct qn_lower *l, uint32_t *out, uint64_t bytes, uint32_t most,
                                 uint32_t usage, const char *what, struct qn_error *err);
struct qn_lower_ref qn_lower_whole(const struct qn_lower *l, enum qn_space space, uint32_t buffer);

/* One plane of a slab, or nothing where the format lacks it; constant STYPE of a format. */
struct qn_lower_ref qn_lower_plane(const struct qn_lower *l, const struct qn_lower_slab *slab,
                                   enum qn_plane plane);
float qn_lower_scale_type(const struct qn_wformat *format);
enum qn_status qn_lower_pipeline_add(struct qn_lower *l, uint32_t *out,
                                     const struct qn_kernel *kernel, enum qn_kernel_id id,
                                     const float *constants, struct qn_error *err);

/* ---- Ops ---- */

/* How a list is lowered. `small`: few rows, so that every row of x takes its own pass over the
 * weights and norms are fused. */
struct qn_lower_mode {
    bool small, all_rows;
    struct qn_lower_ref best; // of the head, which then leaves its largest results instead of all
    uint32_t places;          // of a row there
    struct qn_lower_ref step;
    const bool *fused;
    const uint32_t *producer;    // op of each tensor, or QN_NONE
    struct qn_lower_ref partial; // of attention_split
    const uint32_t *partner;     // of a folded norm the MATMUL that does its work, and the reverse
    const bool *merged; // ATTENTION that the MATMUL behind it joins, and that MATMUL; or NULL
};

struct qn_lower_source {
    uint32_t tensor, stride, column;
    bool tail;                        // rows of x are the last R of T
    const struct qn_program_op *norm; // fused norm, or NULL
};

static inline uint32_t qn_lower_columns(const struct qn_program *p, uint32_t tensor) {
    const struct qn_program_tensor *t = &p->tensors[tensor];
    return t->n_dims == 0 ? 0 : t->dims[t->n_dims - 1].n;
}

static inline bool qn_lower_by_rows(const struct qn_program *p, uint32_t tensor) {
    return p->tensors[tensor].n_dims > 0 && p->tensors[tensor].dims[0].sym == QN_SYM_R;
}

/* The tensor that an operand's bytes come from: through a LAST_ROWS that was left out, and, for a
 * matvec, through the norm in front of it. */
struct qn_lower_source qn_lower_source_of(const struct qn_lower *l,
                                          const struct qn_lower_mode *mode, struct qn_operand in,
                                          bool norms);
/* A weight in the pool of vectors; nothing where the operand is absent. */
struct qn_lower_ref qn_lower_vector_of(const struct qn_lower *l, struct qn_operand in);
/* Whether matvecs take this view of x; whether they take rows together: subgroups of several sizes
 * would add in several orders. */
bool qn_lower_matvec_takes(uint32_t cols, uint32_t stride, uint32_t column);
bool qn_lower_wide(const struct qn_lower *l);
/* What the kernels of attention share, but for rotations. */
struct qn_params_attention qn_lower_attention_params(const struct qn_program *p,
                                                     const struct qn_program_op *op);

/* lower_matmul.c: MATMUL, MATMUL_GLU */
enum qn_status qn_lower_matmul(struct qn_lower *l, const struct qn_lower_mode *mode,
                               const struct qn_program_op *op, struct qn_error *err);
/* Room for packed rows, where matvecs take several. */
enum qn_status qn_lower_packed_add(struct qn_lower *l, struct qn_error *err);

/* lower_attention.c: ROPE_APPEND, ATTENTION; what their splits need of scratch. */
enum qn_status qn_lower_rope(struct qn_lower *l, const struct qn_lower_mode *mode,
                             const struct qn_program_op *op, struct qn_error *err);
enum qn_status qn_lower_attention(struct qn_lower *l, const struct qn_lower_mode *mode,
                                  const struct qn_program_op *op, struct qn_error *err);
/* Decides l->max_rows too. */
enum qn_status qn_lower_scratch(struct qn_lower *l, const struct qn_lower_mode *mode,
                                struct qn_lower_ref *out, struct qn_error *err);

/* lower_experts.c */
enum qn_status qn_lower_route(struct qn_lower *l, struct qn_lower_ref step,
                              const struct qn_program_op *op, struct qn_error *err);
enum qn_status qn_lower_experts(struct qn_lower *l, struct qn_lower_ref step,
                                const struct qn_program_op *op, struct qn_error *err);

/* lower_fuse.c: operands that read a tensor. */
uint32_t qn_lower_uses(const struct qn_program *p, uint32_t tensor);
/* ops whose work their consumers do. Norms before matvecs, LAST_ROWS before anything
 * that can begin at a later row; fills `producer` [n_tensors] too. */
void qn_lower_fuse(const struct qn_lower *l, bool *fused, uint32_t *producer);
/* Norms with a residual whose work the MATMUL behind them does; fills `partner` [n_ops]. A fused
 * norm lies between, where others read the result too: a prompt's MATMUL could not read it where it
 * lies beside its own. */
void qn_lower_fold(const struct qn_lower *l, bool *fused, uint32_t *partner,
                   const struct qn_lower_mode *mode);
/* Whether others read the result of a folded norm: then it lies in the buffer of the MATMUL's
 * result, behind that. */
bool qn_lower_keeps(const struct qn_program *p, const struct qn_program_op *post);
/* The norm of every head in front of operand `in` of a ROPE_APPEND, if attention can do it; else
 * NULL. */
const struct qn_program_op *qn_lower_head_norm(const struct qn_program *p,
                                               const struct qn_program_op *rope, uint32_t in,
                                               const uint32_t *producer);
/* Rotations, and norms of heads before them, that the attention behind them does for one token. */
void qn_lower_fuse_ropes(const struct qn_lower *l, bool *fused, const uint32_t *producer);
/* Attentions whose splits the only MATMUL behind them joins, where matvec_dot is there for it. */
bool qn_lower_merge(const struct qn_lower *l, bool *merged, const struct qn_lower_mode *mode);

#endif
