/* Every op as its formula says (program/program.h): float32 values, sums in double, one thread. */
#include <math.h>

#include "base/maths.h"
#include "base/num.h"
#include "cpu/exec.h"
#include "quant/kv.h"

float qn_cpu_act(enum qn_act act, float x) {
    switch (act) {
    case QN_ACT_SILU:
        return x / (1.0f + expf(-x));
    case QN_ACT_GELU_TANH: // Hendrycks & Gimpel 2016; sqrt(2/π) = 0.79788…
        return 0.5f * x * (1.0f + tanhf(0.797884583f * (x + 0.044715f * x * x * x)));
    case QN_ACT_GELU_ERF:
        return 0.5f * x * (1.0f + erff(x * 0.707106769f));
    case QN_ACT_RELU:
        return x > 0.0f ? x : 0.0f;
    }
    return x;
}

void qn_cpu_embed(const struct qn_cpu_step *step, const struct qn_program_op *op) {
    const struct qn_cpu_weight *table = qn_cpu_weight_of(step, op, 1);
    struct qn_cpu_rows out = qn_cpu_output(step, op); // [T, cols]
    float scale = op->u.embed.scale;
    for (uint32_t t = 0; t < out.rows; t++) {
        float *row = out.p + t * out.stride;
        const uint32_t from[] = {step->ids[t], qn_cpu_lane_of(step, t).pos, 0};
        qn_cpu_weight_row(row, table, from[op->u.embed.by]);
        for (uint32_t i = 0; scale != 1.0f && i < out.cols; i++)
            row[i] *= scale;
    }
}

/* A group shorter than the row is a norm per head; then w and b are those of one head, or
 * of all. */
static void ref_norm(const struct qn_cpu_step *step, const struct qn_program_op *op) {
    struct qn_cpu_rows x = qn_cpu_input(step, op, 0), out = qn_cpu_output(step, op);
    struct qn_cpu_rows residual = qn_cpu_input(step, op, 3);
    bool centred = op->kind == QN_OP_LAYERNORM;
    const float *w = qn_cpu_vector(step, op, 1), *b = centred ? qn_cpu_vector(step, op, 2) : NULL;
    uint32_t n = op->u.norm.group ? op->u.norm.group : out.cols;
    uint32_t advance = qn_cpu_weight_of(step, op, 1)->cols == n ? 0 : 1;
    uint32_t b_advance = b == NULL || qn_cpu_weight_of(step, op, 2)->cols == n ? 0 : 1;
    for (uint32_t t = 0; t < out.rows; t++) {
        for (uint32_t begin = 0; begin < out.cols; begin += n) {
            const float *from = x.p + t * x.stride + begin;
            float *to = out.p + t * out.stride + begin;
            double mean = 0, sum = 0;
            for (uint32_t i = 0; centred && i < n; i++)
                mean += (double)from[i] / n;
            for (uint32_t i = 0; i < n; i++)
                sum += ((double)from[i] - mean) * ((double)from[i] - mean);
            double factor = 1.0 / sqrt(sum / n + (double)op->u.norm.eps);
            for (uint32_t i = 0; i < n; i++) {
                to[i] = (float)(((double)from[i] - mean) * factor) * w[begin * advance + i];
                if (b != NULL)
                    to[i] += b[begin * b_advance + i];
                if (residual.p != NULL)
                    to[i] += residual.p[t * residual.stride + begin + i];
            }
        }
    }
}

/* One element of x Wᵀ + bias. Decodes a row in groups, so that rows may have any length. */
static float ref_dot(const float *x, const struct qn_cpu_weight *w, uint32_t row,
                     const float *bias) {
    const unsigned char *values = w->values + row * w->value_row;
    const unsigned char *scales = w->scales == NULL ? values : w->scales + row * w->scale_row;
    double sum = 0;
    for (uint32_t k = 0; k < w->cols; k += QN_GROUP) {
        float group[QN_GROUP];
        uint32_t n = qn_min_u32(QN_GROUP, w->cols - k);
        qn_wformat_decode(group, &w->format, k, n, values, scales);
        for (uint32_t i = 0; i < n; i++)
            sum += (double)x[k + i] * (double)group[i];
    }
    return (float)sum + (bias == NULL ? 0.0f : bias[row]);
}

static void ref_matmul(const struct qn_cpu_step *step, const struct qn_program_op *op) {
    struct qn_cpu_rows x = qn_cpu_input(step, op, 0), out = qn_cpu_output(step, op);
    struct qn_cpu_rows residual = qn_cpu_input(step, op, 3);
    const struct qn_cpu_weight *w = qn_cpu_weight_of(step, op, 1);
    const float *bias = qn_cpu_vector(step, op, 2);
    for (uint32_t t = 0; t < out.rows; t++) {
        for (uint32_t n = 0; n < out.cols; n++) {
            float y = ref_dot(x.p + t * x.stride, w, n, bias), cap = op->u.matmul.softcap;
            if (cap != 0.0f)
                y = cap * tanhf(y / cap);
            if (residual.p != NULL)
                y += residual.p[t * residual.stride + n];
            out.p[t * out.stride + n] = y;
        }
    }
}

static void ref_matmul_glu(const struct qn_cpu_step *step, const struct qn_program_op *op) {
    struct qn_cpu_rows x = qn_cpu_input(step, op, 0), out = qn_cpu_output(step, op);
    const struct qn_cpu_weight *w = qn_cpu_weight_of(step, op, 1);
    const float *bias = qn_cpu_vector(step, op, 2);
    for (uint32_t t = 0; t < out.rows; t++) {
        const float *row = x.p + t * x.stride;
        for (uint32_t f = 0; f < out.cols; f++) {
            float gate = ref_dot(row, w, f, bias), up = ref_dot(row, w, out.cols + f, bias);
            out.p[t * out.stride + f] = qn_cpu_act(op->u.glu.act, gate) * up;
        }
    }
}

static void ref_glu(const struct qn_cpu_step *step, const struct qn_program_op *op) {
    struct qn_cpu_rows apart = qn_cpu_input(step, op, 1);
    struct qn_cpu_rows x = qn_cpu_input(step, op, 0), out = qn_cpu_output(step, op);
    for (uint32_t t = 0; t < out.rows; t++) {
        const float *gate = x.p + t * x.stride;
        const float *up = apart.p ? apart.p + t * apart.stride : gate + out.cols;
        for (uint32_t f = 0; f < out.cols; f++)
            out.p[t * out.stride + f] = qn_cpu_act(op->u.glu.act, gate[f]) * up[f];
    }
}

static void ref_act(const struct qn_cpu_step *step, const struct qn_program_op *op) {
    struct qn_cpu_rows x = qn_cpu_input(step, op, 0), out = qn_cpu_output(step, op);
    for (uint32_t t = 0; t < out.rows; t++)
        for (uint32_t i = 0; i < out.cols; i++)
            out.p[t * out.stride + i] = qn_cpu_act(op->u.glu.act, x.p[t * x.stride + i]);
}

void qn_cpu_add(const struct qn_cpu_step *step, const struct qn_program_op *op) {
    struct qn_cpu_rows a = qn_cpu_input(step, op, 0), b = qn_cpu_input(step, op, 1);
    struct qn_cpu_rows gate = qn_cpu_input(step, op, 2), out = qn_cpu_output(step, op);
    for (uint32_t t = 0; t < out.rows; t++) {
        float scale = op->u.add.scale != 0.0f ? op->u.add.scale : 1.0f;
        if (gate.p != NULL)
            scale /= 1.0f + expf(-gate.p[t * gate.stride]);
        for (uint32_t i = 0; i < out.cols; i++)
            out.p[t * out.stride + i] = a.p[t * a.stride + i] + b.p[t * b.stride + i] * scale;
    }
}

void qn_cpu_last_rows(const struct qn_cpu_step *step, const struct qn_program_op *op) {
    struct qn_cpu_rows x = qn_cpu_input(step, op, 0), out = qn_cpu_output(step, op);
    for (uint32_t i = 0; step->pooling == QN_POOL_MEAN && i < out.cols; i++) {
        double sum = 0;
        for (uint32_t t = 0; t < x.rows; t++)
            sum += (double)x.p[t * x.stride + i];
        out.p[i] = (float)(sum / x.rows);
    }
    if (step->pooling == QN_POOL_MEAN)
        return;
    if (step->pooling == QN_POOL_CLS)
        memcpy(out.p, x.p, out.cols * sizeof *out.p);
    for (uint32_t r = 0; r < out.rows && step->pooling != QN_POOL_CLS; r++)
        memcpy(out.p + r * out.stride, x.p + (step->r_begin + r) * x.stride,
               out.cols * sizeof *out.p);
}

void qn_cpu_gather(const struct qn_cpu_step *step, const struct qn_program_op *op) {
    struct qn_cpu_rows x = qn_cpu_input(step, op, 0), out = qn_cpu_output(step, op);
    const float *order = qn_cpu_vector(step, op, 1);
    float cols = (float)(x.cols - op->in[0].column);
    for (uint32_t t = 0; t < out.rows; t++)
        for (uint32_t i = 0; i < out.cols; i++)
            out.p[t * out.stride + i] =
                order[i] < cols ? x.p[t * x.stride + (size_t)order[i]] : 0.0f;
}

/* ---- Attention ------------------------------------------------------------------------------ */

/* Rotates one head in place. cs [n_rot/2][2]: cosine and sine of each pair's angle. */
static void rotate(float *head, const float (*cs)[2], uint32_t n_rot, bool interleaved) {
    uint32_t half = n_rot / 2;
    for (uint32_t i = 0; i < half; i++) {
        float *a = &head[interleaved ? 2 * i : i], *b = &head[interleaved ? 2 * i + 1 : i + half];
        float x = *a, y = *b;
        *a = x * cs[i][0] - y * cs[i][1];
        *b = y * cs[i][0] + x * cs[i][1];
    }
}

/* The row of a head at a position of a state. */
static unsigned char *state_row(const struct qn_cpu_step *step, const struct qn_cpu_lane *lane,
                                uint32_t tensor, uint32_t dim, uint32_t head, uint32_t pos) {
    size_t one = qn_kv_row_bytes(step->program->tensors[tensor].dtype, dim);
    return (unsigned char *)lane->states[tensor] +
           ((size_t)head * step->program->context + pos) * one;
}

void qn_cpu_rope_append(const struct qn_cpu_step *step, const struct qn_program_op *op) {
    struct qn_cpu_rows q = qn_cpu_input(step, op, 0), k = qn_cpu_input(step, op, 1);
    struct qn_cpu_rows v = qn_cpu_input(step, op, 2), out = qn_cpu_output(step, op);
    uint32_t k_state = op->in[3].tensor, v_state = op->in[4].tensor;
    const float *sets = qn_cpu_vector(step, op, 5);
    float magnitude = op->u.rope.magnitude != 0.0f ? op->u.rope.magnitude : 1.0f;
    uint32_t head_stride = op->u.rope.head_stride ? op->u.rope.head_stride : op->u.rope.head_dim;
    uint32_t dim = op->u.rope.head_dim, n_rot = op->u.rope.n_rot, half = n_rot / 2;
    float(*cs)[2] = (float(*)[2])(void *)step->scratch; // [n_rot/2][2]
    float *head = step->scratch + 2 * half;             // [head_dim]
    for (uint32_t t = 0; t < out.rows; t++) {
        struct qn_cpu_lane lane = qn_cpu_lane_of(step, t);
        const float *freq = sets + (op->u.rope.n_sets == 2 && lane.rope_set != 0 ? half : 0);
        uint32_t position = lane.pos;
        for (uint32_t i = 0; i < half; i++) {
            float angle =
                (float)position * freq[i]; // rounded to float32, as the models were trained
            qn_sincos(&cs[i][1], &cs[i][0], angle);
            cs[i][0] *= magnitude;
            cs[i][1] *= magnitude;
        }
        for (uint32_t h = 0; h < op->u.rope.n_heads; h++) {
            float *to = out.p + t * out.stride + (size_t)h * dim;
            memcpy(to, q.p + t * q.stride + (size_t)h * head_stride, dim * sizeof *to);
            rotate(to, (const float(*)[2])cs, n_rot, op->u.rope.interleaved);
        }
        for (uint32_t h = 0; h < op->u.rope.n_kv_heads; h++) {
            memcpy(head, k.p + t * k.stride + (size_t)h * head_stride, dim * sizeof *head);
            rotate(head, (const float(*)[2])cs, n_rot, op->u.rope.interleaved);
            qn_kv_row_write(state_row(step, &lane, k_state, dim, h, position),
                            step->program->tensors[k_state].dtype, head, dim);
            qn_kv_row_write(state_row(step, &lane, v_state, dim, h, position),
                            step->program->tensors[v_state].dtype,
                            v.p + t * v.stride + (size_t)h * head_stride, dim);
        }
    }
}

/* Three passes over the positions, scores computed anew in each: slow and without scratch. */
static void ref_attention(const struct qn_cpu_step *step, const struct qn_program_op *op) {
    struct qn_cpu_rows q = qn_cpu_input(step, op, 0), out = qn_cpu_output(step, op);
    uint32_t k = op->in[1].tensor, v = op->in[2].tensor;
    enum qn_dtype k_type = step->program->tensors[k].dtype;
    enum qn_dtype v_type = step->program->tensors[v].dtype;
    uint32_t dim = op->u.attention.head_dim, window = op->u.attention.window;
    uint32_t group = op->u.attention.n_heads / op->u.attention.n_kv_heads;
    double scale = (double)op->u.attention.scale, cap = (double)op->u.attention.softcap;
    const float *relative = qn_cpu_vector(step, op, 3);
    for (uint32_t t = 0; t < out.rows; t++) {
        struct qn_cpu_lane lane = qn_cpu_lane_of(step, t);
        uint32_t last = qn_cpu_last_seen(step, t), first = qn_cpu_first_seen(last, window);
        for (uint32_t h = 0; h < op->u.attention.n_heads; h++) {
            const float *query = q.p + t * q.stride + (size_t)h * dim;
            float *to = out.p + t * out.stride + (size_t)h * dim;
            double peak = -(double)INFINITY, total = 0;
            for (uint32_t d = 0; d < dim; d++)
                to[d] = 0.0f;
            for (int pass = 0; pass < 3; pass++) {
                for (uint32_t j = first; j <= last; j++) {
                    const unsigned char *key = state_row(step, &lane, k, dim, h / group, j);
                    const unsigned char *value = state_row(step, &lane, v, dim, h / group, j);
                    double score = 0;
                    for (uint32_t d = 0; d < dim; d++)
                        score += (double)query[d] * (double)qn_kv_row_at(key, k_type, dim, d);
                    score *= scale;
                    if (cap != 0)
                        score = cap * tanh(score / cap);
                    if (relative != NULL)
                        score += (double)relative[h * QN_RELATIVE + qn_relative_at(lane.pos, j)];
                    if (pass == 0) {
                        peak = score > peak ? score : peak;
                        continue;
                    }
                    double p = exp(score - peak);
                    if (pass == 1)
                        total += p;
                    for (uint32_t d = 0; pass == 2 && d < dim; d++)
                        to[d] += (float)(p / total * (double)qn_kv_row_at(value, v_type, dim, d));
                }
            }
        }
    }
}

static void ref_expert_glu(const struct qn_cpu_step *step, const struct qn_program_op *op) {
    struct qn_cpu_rows x = qn_cpu_input(step, op, 0), out = qn_cpu_output(step, op);
    struct qn_cpu_rows routes = qn_cpu_input(step, op, 2);
    const struct qn_cpu_weight *w = qn_cpu_weight_of(step, op, 1);
    uint32_t width = w->rows / op->u.moe.n_experts / 2;
    for (uint32_t t = 0; t < out.rows; t++) {
        const float *row = x.p + t * x.stride;
        for (uint32_t i = 0; i < out.cols; i++) {
            uint32_t expert = (uint32_t)routes.p[t * routes.stride + i / width];
            uint32_t at = expert * 2 * width + i % width;
            float gate = ref_dot(row, w, at, NULL);
            float up = ref_dot(row, w, at + width, NULL);
            out.p[t * out.stride + i] = qn_cpu_act(op->u.moe.act, gate) * up;
        }
    }
}

static void ref_expert_down(const struct qn_cpu_step *step, const struct qn_program_op *op) {
    struct qn_cpu_rows x = qn_cpu_input(step, op, 0), out = qn_cpu_output(step, op);
    struct qn_cpu_rows routes = qn_cpu_input(step, op, 2);
    const struct qn_cpu_weight *w = qn_cpu_weight_of(step, op, 1);
    uint32_t used = op->u.moe.n_used, width = w->rows / op->u.moe.n_experts;
    for (uint32_t t = 0; t < out.rows; t++) {
        const float *route = routes.p + t * routes.stride;
        for (uint32_t i = 0; i < out.cols; i++) {
            double sum = 0;
            for (uint32_t choice = 0; choice < used; choice++) {
                const float *row = x.p + t * x.stride + (size_t)choice * w->cols;
                uint32_t at = (uint32_t)route[choice] * width + i;
                sum += (double)route[used + choice] * (double)ref_dot(row, w, at, NULL);
            }
            out.p[t * out.stride + i] = (float)sum;
        }
    }
}

qn_cpu_op *const qn_cpu_ref_ops[QN_OP_COUNT] = {
    [QN_OP_EMBED] = qn_cpu_embed,
    [QN_OP_RMSNORM] = ref_norm,
    [QN_OP_LAYERNORM] = ref_norm,
    [QN_OP_MATMUL] = ref_matmul,
    [QN_OP_MATMUL_GLU] = ref_matmul_glu,
    [QN_OP_GLU] = ref_glu,
    [QN_OP_ACT] = ref_act,
    [QN_OP_ADD] = qn_cpu_add,
    [QN_OP_ROPE_APPEND] = qn_cpu_rope_append,
    [QN_OP_ATTENTION] = ref_attention,
    [QN_OP_LAST_ROWS] = qn_cpu_last_rows,
    [QN_OP_GATHER] = qn_cpu_gather,
    [QN_OP_ROUTE] = qn_cpu_route,
    [QN_OP_EXPERT_GLU] = ref_expert_glu,
    [QN_OP_EXPERT_DOWN] = ref_expert_down,
};
