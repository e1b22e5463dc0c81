/* Reference of the kernels of a mixture of experts. */
#include <math.h>

#include "webgpu/ref_call.h"

static enum qn_status check(const struct qn_params_experts *p, struct qn_error *err) {
    if (!p->n_used || p->n_used > p->n_experts || p->n_experts > 1024)
        return qn_fail(err, QN_E_INTERNAL, "%u of %u experts", p->n_used, p->n_experts);
    return QN_OK;
}

enum qn_status qn_ref_route(const struct qn_ref_call *c, struct qn_error *err) {
    const struct qn_params_experts *p = c->p[0];
    const struct qn_params_step *step = c->p[1];
    const float *x = c->p[2];
    float *out = c->p[3];
    uint32_t n = p->n_experts, used = p->n_used;
    QN_TRY(check(p, err));
    QN_TRY(qn_ref_covers(c, qn_grid_rmsnorm(step->n_tokens), err));
    QN_TRY(qn_ref_holds(c, 2, (uint64_t)step->n_tokens * n, 4, err));
    QN_TRY(qn_ref_holds(c, 3, (uint64_t)step->n_tokens * used * 2, 4, err));
    for (size_t t = 0; t < step->n_tokens; t++) {
        const float *row = x + t * n;
        float *ids = out + t * used * 2;
        bool taken[1024] = {false};
        double peak = row[0], mass = 0, chosen = 0;
        for (uint32_t e = 0; e < n; e++)
            peak = fmax(peak, row[e]);
        for (uint32_t e = 0; e < n; e++)
            mass += exp(row[e] - peak);
        for (uint32_t i = 0; i < used; i++) {
            uint32_t best = n;
            for (uint32_t e = 0; e < n; e++)
                if (!taken[e] && (best == n || row[e] > row[best]))
                    best = e;
            taken[best] = true;
            ids[i] = (float)best;
            ids[used + i] = (float)(exp(row[best] - peak) / mass);
            chosen += exp(row[best] - peak) / mass;
        }
        for (uint32_t i = 0; p->renormalise && i < used; i++)
            ids[used + i] = (float)(ids[used + i] / chosen);
    }
    return QN_OK;
}

static double dot(const struct qn_ref_weights *w, size_t row, const float *x, uint32_t cols) {
    double sum = 0;
    for (uint32_t g = 0; g < w->groups; g++) {
        float group[QN_GROUP];
        qn_ref_decode_group(group, w, row, g);
        for (uint32_t i = 0; i < QN_GROUP && g * QN_GROUP + i < cols; i++)
            sum += (double)group[i] * x[g * QN_GROUP + i];
    }
    return sum;
}

/* The expert of a choice, or an error when the router gave nonsense. */
static enum qn_status expert_of(uint32_t *out, const struct qn_params_experts *p,
                                const float *routes, size_t t, uint32_t i, struct qn_error *err) {
    float id = routes[t * p->n_used * 2 + i];
    if (!(id >= 0 && id < (float)p->n_experts))
        return qn_fail(err, QN_E_INTERNAL, "expert %g of %u", (double)id, p->n_experts);
    *out = (uint32_t)id;
    return QN_OK;
}

enum qn_status qn_ref_expert_glu(const struct qn_ref_call *c, struct qn_error *err) {
    const struct qn_params_experts *p = c->p[0];
    const struct qn_params_step *step = c->p[1];
    const float *x = c->p[2], *routes = c->p[5];
    float *out = c->p[6];
    struct qn_ref_weights w;
    uint32_t results = p->n_used * p->width;
    QN_TRY(check(p, err));
    QN_TRY(qn_ref_weights_of(&w, c, 3, p->cols, p->n_rows, err));
    QN_TRY(qn_ref_covers(c, qn_grid_experts(results, step->n_tokens), err));
    QN_TRY(qn_ref_holds(c, 2, (uint64_t)step->n_tokens * p->x_stride, 4, err));
    QN_TRY(qn_ref_holds(c, 5, (uint64_t)step->n_tokens * p->n_used * 2, 4, err));
    QN_TRY(qn_ref_holds(c, 6, (uint64_t)step->n_tokens * results, 4, err));
    if (p->x_stride < p->cols || !p->width || p->n_rows % (2 * p->width) ||
        p->row_begin % (2 * p->width))
        return qn_fail(err, QN_E_INTERNAL, "expert_glu: %u rows from %u", p->n_rows, p->row_begin);
    for (size_t t = 0; t < step->n_tokens; t++)
        for (uint32_t i = 0; i < results; i++) {
            uint32_t expert;
            QN_TRY(expert_of(&expert, p, routes, t, i / p->width, err));
            uint32_t row = expert * 2 * p->width + i % p->width - p->row_begin;
            if (row >= p->n_rows)
                continue;
            double gate = dot(&w, row, x + t * p->x_stride, p->cols);
            double up = dot(&w, row + p->width, x + t * p->x_stride, p->cols);
            out[t * results + i] = (float)(qn_ref_act((uint32_t)c->constants[3], gate) * up);
        }
    return QN_OK;
}

enum qn_status qn_ref_expert_down(const struct qn_ref_call *c, struct qn_error *err) {
    const struct qn_params_experts *p = c->p[0];
    const struct qn_params_step *step = c->p[1];
    const float *x = c->p[2], *routes = c->p[5];
    float *out = c->p[6];
    struct qn_ref_weights w;
    QN_TRY(check(p, err));
    QN_TRY(qn_ref_weights_of(&w, c, 3, p->cols, p->n_rows, err));
    QN_TRY(qn_ref_covers(c, qn_grid_experts(p->width, step->n_tokens), err));
    QN_TRY(qn_ref_holds(c, 2, (uint64_t)step->n_tokens * p->x_stride, 4, err));
    QN_TRY(qn_ref_holds(c, 5, (uint64_t)step->n_tokens * p->n_used * 2, 4, err));
    QN_TRY(qn_ref_holds(c, 6, (uint64_t)step->n_tokens * p->width, 4, err));
    if (p->x_stride < p->cols * p->n_used || !p->width || p->n_rows % p->width ||
        p->row_begin % p->width)
        return qn_fail(err, QN_E_INTERNAL, "expert_down: %u rows from %u", p->n_rows, p->row_begin);
    for (size_t t = 0; t < step->n_tokens; t++)
        for (uint32_t h = 0; h < p->width; h++) {
            double sum = p->first ? 0 : out[t * p->width + h];
            for (uint32_t i = 0; i < p->n_used; i++) {
                uint32_t expert;
                QN_TRY(expert_of(&expert, p, routes, t, i, err));
                uint32_t row = expert * p->width + h - p->row_begin;
                if (row < p->n_rows)
                    sum += (double)routes[(t * 2 + 1) * p->n_used + i] *
                           dot(&w, row, x + t * p->x_stride + (size_t)i * p->cols, p->cols);
            }
            out[t * p->width + h] = (float)sum;
        }
    return QN_OK;
}
