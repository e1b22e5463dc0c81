/* Norms and activations with SIMD, rows spread over threads. */
#include <math.h>

#include "cpu/act.h"

/* ---- Norms ---------------------------------------------------------------------------------- */

struct norm {
    struct qn_cpu_rows x, out, residual;
    const float *w, *b;            // b: NULL for none
    uint32_t n;                    // columns that are normalised together
    uint32_t w_advance, b_advance; // 1: the vector has elements for all groups
    float eps;
    bool centred;
};

static void norm_group(const struct norm *c, float *out, const float *x, const float *w,
                       const float *b) {
    float mean = 0.0f;
    uint32_t whole = c->n - c->n % QN_LANES;
    if (c->centred) {
        qn_vf sums = {0};
        for (uint32_t i = 0; i < whole; i += QN_LANES)
            sums += qn_v_load(x + i);
        mean = qn_v_sum(sums);
        for (uint32_t i = whole; i < c->n; i++)
            mean += x[i];
        mean /= (float)c->n;
    }
    qn_vf squares = {0};
    for (uint32_t i = 0; i < whole; i += QN_LANES) {
        qn_vf v = qn_v_load(x + i) - mean;
        squares += v * v;
    }
    float sum = qn_v_sum(squares);
    for (uint32_t i = whole; i < c->n; i++)
        sum += (x[i] - mean) * (x[i] - mean);
    float factor = 1.0f / sqrtf(sum / (float)c->n + c->eps);
    for (uint32_t i = 0; i < whole; i += QN_LANES) {
        qn_vf v = (qn_v_load(x + i) - mean) * factor * qn_v_load(w + i);
        qn_v_store(out + i, b == NULL ? v : v + qn_v_load(b + i));
    }
    for (uint32_t i = whole; i < c->n; i++)
        out[i] = (x[i] - mean) * factor * w[i] + (b == NULL ? 0.0f : b[i]);
}

static void norm_task(void *arg, uint32_t t) {
    const struct norm *c = arg;
    for (uint32_t at = 0; at < c->out.cols; at += c->n)
        norm_group(c, c->out.p + t * c->out.stride + at, c->x.p + t * c->x.stride + at,
                   c->w + at * c->w_advance, c->b == NULL ? NULL : c->b + at * c->b_advance);
    for (uint32_t i = 0; c->residual.p != NULL && i < c->out.cols; i++)
        c->out.p[t * c->out.stride + i] += c->residual.p[t * c->residual.stride + i];
}

void qn_cpu_simd_norm(const struct qn_cpu_step *step, const struct qn_program_op *op) {
    struct norm c = {
        .x = qn_cpu_input(step, op, 0),
        .out = qn_cpu_output(step, op),
        .residual = qn_cpu_input(step, op, 3),
        .w = qn_cpu_vector(step, op, 1),
        .eps = op->u.norm.eps,
        .centred = op->kind == QN_OP_LAYERNORM,
    };
    c.n = op->u.norm.group ? op->u.norm.group : c.out.cols;
    c.w_advance = qn_cpu_weight_of(step, op, 1)->cols != c.n;
    if (c.centred)
        c.b = qn_cpu_vector(step, op, 2);
    if (c.b != NULL)
        c.b_advance = qn_cpu_weight_of(step, op, 2)->cols != c.n;
    qn_pool_run(step->pool, norm_task, &c, c.out.rows);
}

/* ---- Gated activation ----------------------------------------------------------------------- */

struct glu {
    struct qn_cpu_rows x, up, out;
    enum qn_act act;
};

static void glu_task(void *arg, uint32_t t) {
    const struct glu *c = arg;
    const float *gate = c->x.p + t * c->x.stride;
    const float *up = c->up.p ? c->up.p + t * c->up.stride : gate + c->out.cols;
    float *out = c->out.p + t * c->out.stride;
    uint32_t i = 0;
    for (; i + QN_LANES <= c->out.cols; i += QN_LANES)
        qn_v_store(out + i, qn_v_act(c->act, qn_v_load(gate + i)) * qn_v_load(up + i));
    for (; i < c->out.cols; i++)
        out[i] = qn_cpu_act(c->act, gate[i]) * up[i];
}

void qn_cpu_simd_glu(const struct qn_cpu_step *step, const struct qn_program_op *op) {
    struct glu c = {qn_cpu_input(step, op, 0), qn_cpu_input(step, op, 1), qn_cpu_output(step, op),
                    op->u.glu.act};
    qn_pool_run(step->pool, glu_task, &c, c.out.rows);
}

/* ---- Activation ----------------------------------------------------------------------------- */

static void act_task(void *arg, uint32_t t) {
    const struct glu *c = arg;
    const float *x = c->x.p + t * c->x.stride;
    float *out = c->out.p + t * c->out.stride;
    uint32_t i = 0;
    for (; i + QN_LANES <= c->out.cols; i += QN_LANES)
        qn_v_store(out + i, qn_v_act(c->act, qn_v_load(x + i)));
    for (; i < c->out.cols; i++)
        out[i] = qn_cpu_act(c->act, x[i]);
}

void qn_cpu_simd_act(const struct qn_cpu_step *step, const struct qn_program_op *op) {
    struct glu c = {qn_cpu_input(step, op, 0), qn_cpu_input(step, op, 1), qn_cpu_output(step, op),
                    op->u.glu.act};
    qn_pool_run(step->pool, act_task, &c, c.out.rows);
}

qn_cpu_op *const qn_cpu_simd_ops[QN_OP_COUNT] = {
    [QN_OP_EMBED] = qn_cpu_embed,
    [QN_OP_RMSNORM] = qn_cpu_simd_norm,
    [QN_OP_LAYERNORM] = qn_cpu_simd_norm,
    [QN_OP_MATMUL] = qn_cpu_simd_matmul,
    [QN_OP_MATMUL_GLU] = qn_cpu_simd_matmul,
    [QN_OP_GLU] = qn_cpu_simd_glu,
    [QN_OP_ACT] = qn_cpu_simd_act,
    [QN_OP_ADD] = qn_cpu_add,
    [QN_OP_ROPE_APPEND] = qn_cpu_rope_append,
    [QN_OP_ATTENTION] = qn_cpu_simd_attention,
    [QN_OP_LAST_ROWS] = qn_cpu_last_rows,
    [QN_OP_GATHER] = qn_cpu_gather,
    [QN_OP_ROUTE] = qn_cpu_route,
    [QN_OP_EXPERT_GLU] = qn_cpu_simd_experts,
    [QN_OP_EXPERT_DOWN] = qn_cpu_simd_experts,
};
