/* Mixture of experts with SIMD: every token meets only the experts that it was routed to. Dot
 * products of weight rows; blocks of outputs are spread over threads. */
#include "cpu/act.h"
#include "cpu/kernels.h"

#define OUTPUTS 16 // per task

struct experts {
    const struct qn_cpu_weight *w;
    const struct qn_cpu_kernel *kernel;
    struct qn_cpu_rows x, routes, out; // x: prepared, a row per token (glu) or per token and choice
    uint32_t n_used, width;            // width: outputs per expert
    uint32_t blocks;                   // tasks per token
    enum qn_act act;
};

static uint32_t expert_of(const struct experts *c, uint32_t t, uint32_t choice) {
    return (uint32_t)c->routes.p[t * c->routes.stride + choice];
}

static float dot(const struct experts *c, uint32_t row, const float *x) {
    float sum;
    c->kernel->dots(&(struct qn_cpu_dots){&sum, c->w, &row, x, 0, 0, 1, 1});
    return sum;
}

static void expert_glu_task(void *arg, uint32_t index) {
    const struct experts *c = arg;
    uint32_t t = index / c->blocks, begin = index % c->blocks * OUTPUTS;
    uint32_t end = qn_min_u32(begin + OUTPUTS, c->out.cols);
    const float *x = c->x.p + t * c->x.stride;
    for (uint32_t i = begin; i < end; i++) {
        uint32_t row = expert_of(c, t, i / c->width) * 2 * c->width + i % c->width;
        float gate = dot(c, row, x), up = dot(c, row + c->width, x);
        c->out.p[t * c->out.stride + i] = qn_cpu_act(c->act, gate) * up;
    }
}

static void expert_down_task(void *arg, uint32_t index) {
    const struct experts *c = arg;
    uint32_t t = index / c->blocks, begin = index % c->blocks * OUTPUTS;
    uint32_t end = qn_min_u32(begin + OUTPUTS, c->out.cols);
    const float *p = c->routes.p + t * c->routes.stride + c->n_used;
    for (uint32_t i = begin; i < end; i++) {
        float sum = 0.0f;
        for (uint32_t choice = 0; choice < c->n_used; choice++) {
            const float *x = c->x.p + ((size_t)t * c->n_used + choice) * c->x.stride;
            sum += p[choice] * dot(c, expert_of(c, t, choice) * c->width + i, x);
        }
        c->out.p[t * c->out.stride + i] = sum;
    }
}

void qn_cpu_simd_experts(const struct qn_cpu_step *step, const struct qn_program_op *op) {
    bool glu = op->kind == QN_OP_EXPERT_GLU;
    struct qn_cpu_rows x = qn_cpu_input(step, op, 0);
    struct experts c = {
        .w = qn_cpu_weight_of(step, op, 1),
        .routes = qn_cpu_input(step, op, 2),
        .out = qn_cpu_output(step, op),
        .n_used = op->u.moe.n_used,
        .act = op->u.moe.act,
    };
    c.width = c.w->rows / op->u.moe.n_experts / (glu ? 2 : 1);
    c.kernel = qn_cpu_kernel_of(&c.w->format);
    if (!glu) { // a row of x per choice
        x.rows *= c.n_used;
        x.cols /= c.n_used;
        x.stride = x.cols;
    }
    c.x = qn_cpu_prepare(step, &x, c.w, false);
    c.blocks = qn_ceil_div_u32(c.out.cols, OUTPUTS);
    qn_pool_run(step->pool, glu ? expert_glu_task : expert_down_task, &c, c.out.rows * c.blocks);
}

#undef OUTPUTS
