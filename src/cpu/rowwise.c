/* Norm and gated activation with SIMD, rows spread over threads. */
#include <math.h>

#include "cpu/act.h"

/* ---- RMS norm ------------------------------------------------------------------------------- */

struct norm {
    struct qn_cpu_rows x, out;
    const float *w;
    uint32_t n; // columns that are normalised together
    float eps;
};

static void norm_task(void *arg, uint32_t t) {
    const struct norm *c = arg;
    for (uint32_t begin = 0; begin < c->out.cols; begin += c->n) {
        const float *x = c->x.p + t * c->x.stride + begin;
        float *out = c->out.p + t * c->out.stride + begin;
        qn_vf squares = {0};
        uint32_t i = 0;
        for (; i + QN_LANES <= c->n; i += QN_LANES) {
            qn_vf v = qn_v_load(x + i);
            squares += v * v;
        }
        float sum = qn_v_sum(squares);
        for (uint32_t j = i; j < c->n; j++)
            sum += x[j] * x[j];
        float factor = 1.0f / sqrtf(sum / (float)c->n + c->eps);
        for (i = 0; i + QN_LANES <= c->n; i += QN_LANES)
            qn_v_store(out + i, qn_v_load(x + i) * factor * qn_v_load(c->w + i));
        for (; i < c->n; i++)
            out[i] = x[i] * factor * c->w[i];
    }
}

void qn_cpu_simd_rmsnorm(const struct qn_cpu_step *step, const struct qn_program_op *op) {
    struct norm c = {
        .x = qn_cpu_input(step, op, 0),
        .out = qn_cpu_output(step, op),
        .w = qn_cpu_vector(step, op, 1),
        .n = qn_cpu_weight_of(step, op, 1)->cols,
        .eps = op->u.norm.eps,
    };
    qn_pool_run(step->pool, norm_task, &c, c.out.rows);
}

/* ---- Gated activation ----------------------------------------------------------------------- */

struct glu {
    struct qn_cpu_rows x, out;
    enum qn_act act;
};

static void glu_task(void *arg, uint32_t t) {
    const struct glu *c = arg;
    const float *gate = c->x.p + t * c->x.stride, *up = gate + c->out.cols;
    float *out = c->out.p + t * c->out.stride;
    uint32_t i = 0;
    for (; i + QN_LANES <= c->out.cols; i += QN_LANES)
        qn_v_store(out + i, qn_v_act(c->act, qn_v_load(gate + i)) * qn_v_load(up + i));
    for (; i < c->out.cols; i++)
        out[i] = qn_cpu_act(c->act, gate[i]) * up[i];
}

void qn_cpu_simd_glu(const struct qn_cpu_step *step, const struct qn_program_op *op) {
    struct glu c = {qn_cpu_input(step, op, 0), qn_cpu_output(step, op), op->u.glu.act};
    qn_pool_run(step->pool, glu_task, &c, c.out.rows);
}

qn_cpu_op *const qn_cpu_simd_ops[QN_OP_COUNT] = {
    [QN_OP_EMBED] = qn_cpu_embed,
    [QN_OP_RMSNORM] = qn_cpu_simd_rmsnorm,
    [QN_OP_MATMUL] = qn_cpu_simd_matmul,
    [QN_OP_MATMUL_GLU] = qn_cpu_simd_matmul,
    [QN_OP_GLU] = qn_cpu_simd_glu,
    [QN_OP_ADD] = qn_cpu_add,
    [QN_OP_ROPE_APPEND] = qn_cpu_rope_append,
    [QN_OP_ATTENTION] = qn_cpu_simd_attention,
    [QN_OP_LAST_ROWS] = qn_cpu_last_rows,
};
