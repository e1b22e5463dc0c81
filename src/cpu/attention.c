/* Attention in one pass over the cache: blocks of positions, with the running maximum and sum of
 * the softmax (Milakov & Gimelshein 2018). One task per token and head; blocks start at the first
 * visible position, so a token's result does not depend on how the prompt was cut into steps. */
#include <math.h>

#include "cpu/exec.h"
#include "cpu/vec.h"
#include "quant/kv.h"

#define POSITIONS 32 // positions; a multiple of QN_LANES

struct attention {
    struct qn_cpu_rows q, out;
    const struct qn_cpu_step *step;
    uint32_t k, v; // states [n_kv_heads, context, head_dim]
    enum qn_dtype k_type, v_type;
    uint32_t n_heads, group, dim, window, context;
    float scale, softcap;  // softcap 0: none
    const float *relative; // [n_heads, QN_RELATIVE], or NULL
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

static inline __attribute__((always_inline)) float plain_dot(const float *q, const unsigned char *k,
                                                             uint32_t n, bool half) {
    qn_vf a = {0}, b = {0};
    uint32_t d = 0;
    for (; d + 2 * QN_LANES <= n; d += 2 * QN_LANES) {
        a = qn_v_madd(qn_v_load(q + d), state_load(k, d, half), a);
        b = qn_v_madd(qn_v_load(q + d + QN_LANES), state_load(k, d + QN_LANES, half), b);
    }
    float sum = qn_v_sum(a + b);
    for (; d < n; d++)
        sum += q[d] * state_load_one(k, d, half);
    return sum;
}

/* out[d] = out[d] × keep + Σ_j p[j] v[j][d] over n positions, whose rows are `row` bytes apart. */
static inline __attribute__((always_inline)) void plain_mix(float *out, const float *p,
                                                            const unsigned char *v, size_t row,
                                                            uint32_t n, uint32_t dim, float keep,
                                                            bool half) {
    uint32_t d = 0;
    for (; d + 2 * QN_LANES <= dim; d += 2 * QN_LANES) {
        qn_vf a = qn_v_load(out + d) * keep, b = qn_v_load(out + d + QN_LANES) * keep;
        for (uint32_t j = 0; j < n; j++) {
            a = qn_v_madd(state_load(v + j * row, d, half), qn_v_splat(p[j]), a);
            b = qn_v_madd(state_load(v + j * row, d + QN_LANES, half), qn_v_splat(p[j]), b);
        }
        qn_v_store(out + d, a);
        qn_v_store(out + d + QN_LANES, b);
    }
    for (; d < dim; d++) {
        float a = out[d] * keep;
        for (uint32_t j = 0; j < n; j++)
            a += state_load_one(v + j * row, d, half) * p[j];
        out[d] = a;
    }
}

/* ---- Rows of codes: x = c × step + least, in blocks of 32 (quant/kv.h). Over blocks
 *   q·x = Σ_b step_b Σ q c + least_b Σ q,  Σ_j p_j x_j = Σ_j (p_j step_j) c_j + Σ_j p_j least_j */

#define STEPS (16 / QN_LANES) // vectors of sixteen codes

/* F16, finite. */
static inline float small_half(const unsigned char *p) {
    uint32_t bits = (uint32_t)qn_load_u16(p) << 16;
    return qn_bits_f32((uint32_t)((int32_t)bits >> 3) & 0x8fffffffu) * 0x1p112f;
}

/* qn_kv_row_scale, from the first of a row's scales. */
static inline struct qn_kv_scale block_scale(const unsigned char *scales, uint32_t block,
                                             bool four) {
    if (!four)
        return (struct qn_kv_scale){small_half(scales + 2 * block) * (1.0f / 127), 0};
    return (struct qn_kv_scale){small_half(scales + 4 * block) * (1.0f / 15),
                                small_half(scales + 4 * block + 2)};
}

static inline __attribute__((always_inline)) void
codes16(qn_vf out[STEPS], const unsigned char *row, uint32_t d, bool four) {
    typedef int8_t bytes8 __attribute__((vector_size(8)));
    qn_vi8x16 codes;
    if (four) {
        bytes8 bytes;
        memcpy(&bytes, row + d / 2, sizeof bytes);
        bytes8 low = bytes & 15, high = bytes >> 4 & 15;
        codes = __builtin_shufflevector(low, high, 0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7,
                                        15);
    } else {
        memcpy(&codes, row + d, sizeof codes);
    }
    qn_v_widen(out, codes);
}

static inline float code_one(const unsigned char *row, uint32_t d, bool four) {
    return (float)(four ? row[d / 2] >> 4 * (d % 2) & 15 : (int8_t)row[d]);
}

/* `sums`: of q's blocks. */
static inline __attribute__((always_inline)) float coded_dot(const float *q, const float *sums,
                                                             const unsigned char *k,
                                                             const unsigned char *scales,
                                                             uint32_t dim, bool four) {
    float total = 0;
    for (uint32_t begin = 0, block = 0; begin < dim; begin += QN_KV_BLOCK, block++) {
        uint32_t d = begin, end = qn_min_u32(begin + QN_KV_BLOCK, dim);
        qn_vf sum = {0}, c[STEPS];
        for (; d + 16 <= end; d += 16) {
            codes16(c, k, d, four);
            for (uint32_t i = 0; i < STEPS; i++)
                sum = qn_v_madd(qn_v_load(q + d + i * QN_LANES), c[i], sum);
        }
        float s = qn_v_sum(sum);
        for (; d < end; d++)
            s += q[d] * code_one(k, d, four);
        struct qn_kv_scale scale = block_scale(scales, block, four);
        total += s * scale.step;
        if (four)
            total += sums[block] * scale.least;
    }
    return total;
}

static inline __attribute__((always_inline)) void coded_mix(float *out, const float *p,
                                                            const unsigned char *v, size_t row,
                                                            size_t to_scales, uint32_t n,
                                                            uint32_t dim, float keep, bool four) {
    for (uint32_t begin = 0, block = 0; begin < dim; begin += QN_KV_BLOCK, block++) {
        uint32_t d = begin, end = qn_min_u32(begin + QN_KV_BLOCK, dim);
        float w[POSITIONS], base = 0;
        for (uint32_t j = 0; j < n; j++) {
            struct qn_kv_scale scale = block_scale(v + j * row + to_scales, block, four);
            w[j] = p[j] * scale.step;
            base += p[j] * scale.least;
        }
        for (; d + 16 <= end; d += 16) {
            qn_vf sum[STEPS], c[STEPS];
            for (uint32_t i = 0; i < STEPS; i++)
                sum[i] = qn_v_load(out + d + i * QN_LANES) * keep + base;
            for (uint32_t j = 0; j < n; j++) {
                codes16(c, v + j * row, d, four);
                for (uint32_t i = 0; i < STEPS; i++)
                    sum[i] = qn_v_madd(c[i], qn_v_splat(w[j]), sum[i]);
            }
            for (uint32_t i = 0; i < STEPS; i++)
                qn_v_store(out + d + i * QN_LANES, sum[i]);
        }
        for (; d < end; d++) {
            float sum = out[d] * keep + base;
            for (uint32_t j = 0; j < n; j++)
                sum += w[j] * code_one(v + j * row, d, four);
            out[d] = sum;
        }
    }
}

/* A type's rows: bytes, and of the values before the scales. */
struct rows {
    size_t bytes, values;
};

static struct rows rows_of(enum qn_dtype type, uint32_t dim) {
    size_t words = type == QN_DTYPE_Q4_1 ? ((size_t)dim + 7) / 8 : ((size_t)dim + 3) / 4;
    return (struct rows){qn_kv_row_bytes(type, dim), 4 * words};
}

/* Scores of n positions from row k on. */
static void score(float *out, const struct attention *c, const float *q, const float *sums,
                  const unsigned char *k, struct rows rows, uint32_t n) {
    uint32_t dim = c->dim;
#define EACH(dot)                                     \
    for (uint32_t i = 0; i < n; i++, k += rows.bytes) \
        out[i] = (dot);                               \
    break
    switch (c->k_type) {
    case QN_DTYPE_F16:
        EACH(plain_dot(q, k, dim, true));
    case QN_DTYPE_Q8_0:
        EACH(coded_dot(q, sums, k, k + rows.values, dim, false));
    case QN_DTYPE_Q4_1:
        EACH(coded_dot(q, sums, k, k + rows.values, dim, true));
    default:
        EACH(plain_dot(q, k, dim, false));
    }
#undef EACH
}

static void mix(float *out, const struct attention *c, const float *p, const unsigned char *v,
                struct rows rows, uint32_t n, float keep) {
    switch (c->v_type) {
    case QN_DTYPE_F16:
        plain_mix(out, p, v, rows.bytes, n, c->dim, keep, true);
        break;
    case QN_DTYPE_Q8_0:
        coded_mix(out, p, v, rows.bytes, rows.values, n, c->dim, keep, false);
        break;
    case QN_DTYPE_Q4_1:
        coded_mix(out, p, v, rows.bytes, rows.values, n, c->dim, keep, true);
        break;
    default:
        plain_mix(out, p, v, rows.bytes, n, c->dim, keep, false);
    }
}

static void attention_task(void *arg, uint32_t index) {
    const struct attention *c = arg;
    uint32_t t = index / c->n_heads, h = index % c->n_heads, dim = c->dim;
    const float *q = c->q.p + t * c->q.stride + (size_t)h * dim;
    float *out = c->out.p + t * c->out.stride + (size_t)h * dim;
    struct qn_cpu_lane lane = qn_cpu_lane_of(c->step, t);
    struct rows k_rows = rows_of(c->k_type, dim), v_rows = rows_of(c->v_type, dim);
    size_t head = (size_t)(h / c->group) * c->context;
    const unsigned char *k = (unsigned char *)lane.states[c->k] + head * k_rows.bytes;
    const unsigned char *v = (unsigned char *)lane.states[c->v] + head * v_rows.bytes;
    uint32_t last = qn_cpu_last_seen(c->step, t), first = qn_cpu_first_seen(last, c->window);
    float peak = -INFINITY, total = 0.0f, sums[QN_KV_MOST / QN_KV_BLOCK];
    for (uint32_t d = 0; d < dim && c->k_type == QN_DTYPE_Q4_1; d++) // the others have no minima
        sums[d / QN_KV_BLOCK] = (d % QN_KV_BLOCK ? sums[d / QN_KV_BLOCK] : 0) + q[d];
    memset(out, 0, dim * sizeof *out);
    for (uint32_t j = first; j <= last; j += POSITIONS) {
        uint32_t n = qn_min_u32(POSITIONS, last - j + 1);
        float p[POSITIONS];
        float new_peak = peak;
        score(p, c, q, sums, k + j * k_rows.bytes, k_rows, n);
        for (uint32_t i = 0; i < n; i++) {
            p[i] *= c->scale;
            if (c->softcap != 0.0f)
                p[i] = c->softcap * tanhf(p[i] / c->softcap);
            if (c->relative != NULL)
                p[i] += c->relative[h * QN_RELATIVE + qn_relative_at(lane.pos, j + i)];
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
        mix(out, c, p, v + j * v_rows.bytes, v_rows, n, keep);
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
        .k_type = p->tensors[k].dtype,
        .v_type = p->tensors[v].dtype,
        .n_heads = op->u.attention.n_heads,
        .group = op->u.attention.n_heads / op->u.attention.n_kv_heads,
        .dim = op->u.attention.head_dim,
        .window = op->u.attention.window,
        .context = p->context,
        .scale = op->u.attention.scale,
        .softcap = op->u.attention.softcap,
        .relative = qn_cpu_vector(step, op, 3),
    };
    qn_pool_run(step->pool, attention_task, &c, c.out.rows * c.n_heads);
}
