/* Attention in one pass over the cache: blocks of positions, with the running maximum and sum of
 * the softmax (Milakov & Gimelshein 2018). One task per token and head; blocks start at the first
 * visible position, so a token's result does not depend on how the prompt was cut into steps. */
#include <math.h>

#include "cpu/exec.h"
#include "cpu/vec.h"

#define POSITIONS 32 // positions; a multiple of QN_LANES

struct attention {
    struct qn_cpu_rows q, out;
    const struct qn_cpu_step *step;
    uint32_t k, v; // states [n_kv_heads, context, head_dim]
    bool k_half, v_half;
    uint32_t n_heads, group, dim, window, context;
    float scale, softcap; // softcap 0: none
};

static inline __attribute__((always_inline)) qn_vf state_load(const unsigned char *p, size_t at,
                                                              bool half) {
    if (half)
        return qn_v_load_f16(p + 2 * at);
    return qn_v_load((const float *)(const void *)(p + 4 * at));
}

static inline float state_load_one(const unsigned char *p, size_t at, bool half) {
    return half ? qn_f16_to_f32(qn_load_u16(p + 2 * at)) : qn_bits_f32(qn_load_u32(p + 4 * at));
}

static inline __attribute__((always_inline)) float state_dot(const float *q, const unsigned char *k,
                                                             size_t at, uint32_t n, bool half) {
    qn_vf a = {0}, b = {0};
    uint32_t d = 0;
    for (; d + 2 * QN_LANES <= n; d += 2 * QN_LANES) {
        a = qn_v_madd(qn_v_load(q + d), state_load(k, at + d, half), a);
        b = qn_v_madd(qn_v_load(q + d + QN_LANES), state_load(k, at + d + QN_LANES, half), b);
    }
    float sum = qn_v_sum(a + b);
    for (; d < n; d++)
        sum += q[d] * state_load_one(k, at + d, half);
    return sum;
}

/* out[d] = out[d] × keep + Σ_j p[j] v[j][d] over n positions. */
static inline __attribute__((always_inline)) void state_mix(float *out, const float *p,
                                                            const unsigned char *v, size_t at,
                                                            uint32_t n, uint32_t dim, float keep,
                                                            bool half) {
    uint32_t d = 0;
    for (; d + 2 * QN_LANES <= dim; d += 2 * QN_LANES) {
        qn_vf a = qn_v_load(out + d) * keep, b = qn_v_load(out + d + QN_LANES) * keep;
        for (uint32_t j = 0; j < n; j++) {
            size_t row = at + (size_t)j * dim + d;
            a = qn_v_madd(state_load(v, row, half), qn_v_splat(p[j]), a);
            b = qn_v_madd(state_load(v, row + QN_LANES, half), qn_v_splat(p[j]), b);
        }
        qn_v_store(out + d, a);
        qn_v_store(out + d + QN_LANES, b);
    }
    for (; d < dim; d++) {
        float a = out[d] * keep;
        for (uint32_t j = 0; j < n; j++)
            a += state_load_one(v, at + (size_t)j * dim + d, half) * p[j];
        out[d] = a;
    }
}

static void attention_task(void *arg, uint32_t index) {
    const struct attention *c = arg;
    uint32_t t = index / c->n_heads, h = index % c->n_heads, dim = c->dim;
    const float *q = c->q.p + t * c->q.stride + (size_t)h * dim;
    float *out = c->out.p + t * c->out.stride + (size_t)h * dim;
    struct qn_cpu_lane lane = qn_cpu_lane_of(c->step, t);
    const unsigned char *k = lane.states[c->k], *v = lane.states[c->v];
    uint32_t last = lane.pos;
    uint32_t first = c->window != 0 && last >= c->window ? last - c->window + 1 : 0;
    size_t base = (size_t)(h / c->group) * c->context * dim;
    float peak = -INFINITY, total = 0.0f;
    memset(out, 0, dim * sizeof *out);
    for (uint32_t j = first; j <= last; j += POSITIONS) {
        uint32_t n = qn_min_u32(POSITIONS, last - j + 1);
        size_t at = base + (size_t)j * dim;
        float p[POSITIONS];
        float new_peak = peak;
        for (uint32_t i = 0; i < n; i++) {
            size_t row = at + (size_t)i * dim;
            p[i] =
                (c->k_half ? state_dot(q, k, row, dim, true) : state_dot(q, k, row, dim, false)) *
                c->scale;
            if (c->softcap != 0.0f)
                p[i] = c->softcap * tanhf(p[i] / c->softcap);
            new_peak = p[i] > new_peak ? p[i] : new_peak;
        }
        for (uint32_t i = n; i < POSITIONS; i++)
            p[i] = new_peak;
        for (uint32_t i = 0; i < POSITIONS; i += QN_LANES)
            qn_v_store(p + i, qn_v_exp(qn_v_load(p + i) - new_peak));
        float sum = 0.0f;
        for (uint32_t i = 0; i < n; i++)
            sum += p[i];
        float keep = peak == -INFINITY ? 0.0f : expf(peak - new_peak);
        total = total * keep + sum;
        peak = new_peak;
        if (c->v_half)
            state_mix(out, p, v, at, n, dim, keep, true);
        else
            state_mix(out, p, v, at, n, dim, keep, false);
    }
    float inverse = 1.0f / total;
    for (uint32_t d = 0; d < dim; d++)
        out[d] *= inverse;
}

void qn_cpu_simd_attention(const struct qn_cpu_step *step, const struct qn_program_op *op) {
    const struct qn_program *p = step->program;
    uint32_t k = op->in[1].tensor, v = op->in[2].tensor;
    struct attention c = {
        .q = qn_cpu_input(step, op, 0),
        .out = qn_cpu_output(step, op),
        .step = step,
        .k = k,
        .v = v,
        .k_half = p->tensors[k].dtype == QN_DTYPE_F16,
        .v_half = p->tensors[v].dtype == QN_DTYPE_F16,
        .n_heads = op->u.attention.n_heads,
        .group = op->u.attention.n_heads / op->u.attention.n_kv_heads,
        .dim = op->u.attention.head_dim,
        .window = op->u.attention.window,
        .context = p->context,
        .scale = op->u.attention.scale,
        .softcap = op->u.attention.softcap,
    };
    qn_pool_run(step->pool, attention_task, &c, c.out.rows * c.n_heads);
}
