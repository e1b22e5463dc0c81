/* Inside src/cpu: what an op sees when it runs, and the two tables of ops. */
#ifndef QN_CPU_EXEC_H
#define QN_CPU_EXEC_H

#include "base/pool.h"
#include "program/program.h"

/* A weight in place. Rows are canonical (quant/wformat.h). */
struct qn_cpu_weight {
    struct qn_wformat format;
    struct qn_wblock block; // of the format
    uint32_t rows, cols;
    unsigned char *values, *scales; // scales NULL where the format has none
    size_t value_row, scale_row;    // bytes from row to row
    size_t n_values, n_scales;      // bytes of the planes
};

#define QN_CPU_BATCH 16 // most rows of a step whose rows are computed as if each were alone

/* Whose row it is, where rows of several sessions share a step. */
struct qn_cpu_lane {
    void *const *states; // [n_tensors]; NULL where the tensor is no state
    uint32_t pos;
    uint32_t rope_set; // of two sets of frequencies
};

/* One step under way. */
struct qn_cpu_step {
    const struct qn_program *program;
    const struct qn_cpu_weight *weights; // [n_weights]
    struct qn_pool *pool;                // or NULL
    float *const *places;                // [n_tensors]: activations
    struct qn_cpu_lane lane;             // of row 0; row t is t positions further
    const struct qn_cpu_lane *lanes;     // [t], or NULL: all rows are one session's
    enum qn_pooling pooling;             // of the one row
    bool single;                         // t ≤ QN_CPU_BATCH rows give what they would give alone
    float *scratch;                      // of the backend: inputs of a matrix product, prepared
    const uint32_t *ids;                 // [t]
    uint32_t t, r;                       // values of the symbols T and R
    uint32_t r_begin;                    // row over T that is the first over R
};

/* Rows of float32, `stride` floats apart. */
struct qn_cpu_rows {
    float *p;
    size_t stride;
    uint32_t rows, cols; // cols: of the whole tensor, columns of a view not subtracted
};

static inline struct qn_cpu_lane qn_cpu_lane_of(const struct qn_cpu_step *step, uint32_t t) {
    struct qn_cpu_lane lane = step->lane;
    lane.pos += t;
    return step->lanes ? step->lanes[t] : lane;
}

/* The first and last position that row t's attention sees. */
static inline uint32_t qn_cpu_first_seen(uint32_t last, uint32_t window) {
    return window != 0 && last >= window ? last - window + 1 : 0;
}
static inline uint32_t qn_cpu_last_seen(const struct qn_cpu_step *step, uint32_t t) {
    return qn_cpu_lane_of(step, step->program->whole ? step->t - 1 : t).pos;
}

typedef void qn_cpu_op(const struct qn_cpu_step *step, const struct qn_program_op *op);

/* Plain loops with sums in double: the reference for every backend. */
extern qn_cpu_op *const qn_cpu_ref_ops[QN_OP_COUNT];
/* The same with SIMD and threads for the hot ops. Results do not depend on the number
 * of threads. */
extern qn_cpu_op *const qn_cpu_simd_ops[QN_OP_COUNT];
/* The SIMD ops in the widest version that this processor can run. */
qn_cpu_op *const *qn_cpu_best_ops(void);

/* Operand `input` as rows from its column on; p is NULL when it is absent. */
struct qn_cpu_rows qn_cpu_input(const struct qn_cpu_step *step, const struct qn_program_op *op,
                                uint32_t input);
struct qn_cpu_rows qn_cpu_output(const struct qn_cpu_step *step, const struct qn_program_op *op);
/* NULL when the operand is absent. */
const struct qn_cpu_weight *qn_cpu_weight_of(const struct qn_cpu_step *step,
                                             const struct qn_program_op *op, uint32_t input);
/* Elements of a one-row float32 weight, or NULL. */
const float *qn_cpu_vector(const struct qn_cpu_step *step, const struct qn_program_op *op,
                           uint32_t input);
/* Decodes one row: out [cols]. */
void qn_cpu_weight_row(float *out, const struct qn_cpu_weight *weight, uint32_t row);
float qn_cpu_act(enum qn_act act, float x);

/* Bytes of scratch that the SIMD ops need for this op at max_tokens. */
size_t qn_cpu_scratch(const struct qn_program *program, const struct qn_program_op *op);

/* Ops that have one version only. */
qn_cpu_op qn_cpu_embed, qn_cpu_add, qn_cpu_rope_append, qn_cpu_last_rows, qn_cpu_gather,
    qn_cpu_route;
qn_cpu_op qn_cpu_simd_norm, qn_cpu_simd_glu, qn_cpu_simd_matmul, qn_cpu_simd_attention;
qn_cpu_op qn_cpu_simd_act, qn_cpu_simd_experts;

struct qn_backend;
/* For tests: the backend executes with this table from now on. */
void qn_cpu_backend_use(struct qn_backend *backend, qn_cpu_op *const *ops);

#endif
