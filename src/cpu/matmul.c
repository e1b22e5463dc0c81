/* x Wᵀ with bias, residual or gate, by blocks of eight rows of W. Few tokens: dot products, W
 * decoded in registers. Many: a block's columns are decoded once into a small float32 tile, which
 * then meets all tokens, four at a time.
 *
 * What one output is summed from, and in which order, depends neither on the number of threads nor
 * on the other tokens of the same kind of step; nor on those that share a decode step. */
#include <math.h>

#include "cpu/act.h"
#include "cpu/kernels.h"

#define BLOCK 8   // rows of W per block
#define TOKENS 64 // tokens whose sums are kept at a time
#define STRIP 512 // columns decoded at a time: 16 KiB of stack
#define TILE 4    // tokens × 2 rows in registers

struct matmul {
    const struct qn_cpu_weight *w;
    const struct qn_cpu_kernel *kernel;
    struct qn_cpu_rows x, out, residual; // x: prepared for the kernel
    const float *bias;
    bool glu, few;
    enum qn_act act;
    float softcap; // 0: none
    uint32_t blocks, blocks_per_task;
};

/* Rows of W that make block b; past the end the last one repeats. With a gate, four rows of the
 * gate and the four of the same outputs. */
static void block_rows(uint32_t rows[BLOCK], const struct matmul *m, uint32_t b) {
    for (uint32_t i = 0; i < BLOCK; i++) {
        if (m->glu)
            rows[i] = qn_min_u32(b * (BLOCK / 2) + i % (BLOCK / 2), m->out.cols - 1) +
                      (i < BLOCK / 2 ? 0 : m->out.cols);
        else
            rows[i] = qn_min_u32(b * BLOCK + i, m->out.cols - 1);
    }
}

/* Sums of one block for n tokens → outputs. */
static void write_block(const struct matmul *m, uint32_t b, const uint32_t rows[BLOCK],
                        const float (*sums)[BLOCK], uint32_t first, uint32_t n) {
    uint32_t width = m->glu ? BLOCK / 2 : BLOCK, column = b * width;
    uint32_t count = qn_min_u32(width, m->out.cols - column);
    for (uint32_t t = 0; t < n; t++) {
        float y[BLOCK];
        for (uint32_t i = 0; i < BLOCK; i++)
            y[i] = m->bias == NULL ? sums[t][i] : sums[t][i] + m->bias[rows[i]];
        if (m->glu) {
            const float *up = y + BLOCK / 2;
            float act[BLOCK]; // with eight lanes the upper half is computed for nothing
            for (uint32_t i = 0; i < BLOCK / 2; i += QN_LANES)
                qn_v_store(act + i, qn_v_act(m->act, qn_v_load(y + i)));
            for (uint32_t i = 0; i < count; i++)
                y[i] = act[i] * up[i];
        }
        for (uint32_t i = 0; m->softcap != 0.0f && i < count; i++)
            y[i] = m->softcap * tanhf(y[i] / m->softcap);
        if (m->residual.p != NULL) {
            const float *add = m->residual.p + (first + t) * m->residual.stride + column;
            for (uint32_t i = 0; i < count; i++)
                y[i] += add[i];
        }
        memcpy(m->out.p + (first + t) * m->out.stride + column, y, count * sizeof *y);
    }
}

/* sums[t][r] += x[t] · w[r] over n columns for four tokens and two rows. */
static void tile(float (*sums)[BLOCK], const float *const x[TILE], const float *w0, const float *w1,
                 uint32_t n) {
    qn_vf a[TILE], b[TILE];
    for (int t = 0; t < TILE; t++)
        a[t] = b[t] = (qn_vf){0};
    for (uint32_t k = 0; k < n; k += QN_LANES) {
        qn_vf u = qn_v_load(w0 + k), v = qn_v_load(w1 + k);
        for (int t = 0; t < TILE; t++) {
            qn_vf in = qn_v_load(x[t] + k);
            a[t] = qn_v_madd(in, u, a[t]);
            b[t] = qn_v_madd(in, v, b[t]);
        }
    }
    for (int t = 0; t < TILE; t++) {
        sums[t][0] += qn_v_sum(a[t]);
        sums[t][1] += qn_v_sum(b[t]);
    }
}

static void block_many(const struct matmul *m, uint32_t b) {
    uint32_t rows[BLOCK], padded = qn_wformat_cols(m->w->cols);
    float strip[BLOCK][STRIP];
    float sums[TOKENS + TILE - 1][BLOCK]; // the last tile may run over
    block_rows(rows, m, b);
    for (uint32_t first = 0; first < m->out.rows; first += TOKENS) {
        uint32_t n = qn_min_u32(TOKENS, m->out.rows - first);
        memset(sums, 0, sizeof sums);
        for (uint32_t k = 0; k < padded; k += STRIP) {
            uint32_t width = qn_min_u32(STRIP, padded - k);
            for (uint32_t i = 0; i < BLOCK; i++)
                m->kernel->expand(strip[i], m->w, rows[i], k, width);
            for (uint32_t t = 0; t < n; t += TILE) {
                const float *x[TILE]; // past the end the last token repeats
                for (uint32_t i = 0; i < TILE; i++)
                    x[i] = m->x.p + (first + qn_min_u32(t + i, n - 1)) * m->x.stride + k;
                for (uint32_t i = 0; i < BLOCK; i += 2)
                    tile((float(*)[BLOCK])(void *)&sums[t][i], x, strip[i], strip[i + 1], width);
            }
        }
        write_block(m, b, rows, (const float(*)[BLOCK])sums, first, n);
    }
}

/* A block's rows for tokens first .. first + n - 1, n ≤ QN_CPU_BATCH: dot products, or the same
 * sums in the same order for tiles of tokens, with W decoded once. */
static void block_few(const struct matmul *m, uint32_t b, uint32_t first, uint32_t n) {
    uint32_t rows[BLOCK];
    float sums[QN_CPU_BATCH][BLOCK];
    block_rows(rows, m, b);
    if (n == 1 || m->kernel->dots == NULL) {
        for (uint32_t i = 0; i < BLOCK; i++)
            for (uint32_t t = 0; t < n; t++)
                sums[t][i] = m->kernel->dot(m->w, rows[i], m->x.p + (first + t) * m->x.stride);
        write_block(m, b, rows, (const float(*)[BLOCK])sums, first, n);
        return;
    }
    float totals[BLOCK][QN_CPU_BATCH * QN_LANES];
    memset(totals, 0, sizeof totals);
    size_t groups = qn_ceil_div_u32(m->w->cols, QN_GROUP), step = QN_CPU_STRIP / QN_GROUP;
    for (size_t g = 0; g < groups; g += step)
        for (uint32_t i = 0; i < BLOCK; i++)
            m->kernel->dots(totals[i], m->w, rows[i], m->x.p + first * m->x.stride, m->x.stride, n,
                            g, qn_min_size(g + step, groups));
    for (uint32_t i = 0; i < BLOCK; i++)
        for (uint32_t t = 0; t < n; t++)
            sums[t][i] = qn_v_sum(qn_v_load(totals[i] + t * QN_LANES));
    write_block(m, b, rows, (const float(*)[BLOCK])sums, first, n);
}

static void matmul_task(void *arg, uint32_t index) {
    const struct matmul *m = arg;
    uint32_t end = qn_min_u32((index + 1) * m->blocks_per_task, m->blocks);
    for (uint32_t b = index * m->blocks_per_task; b < end; b++) {
        for (uint32_t first = 0; m->few && first < m->out.rows; first += QN_CPU_BATCH)
            block_few(m, b, first, qn_min_u32(QN_CPU_BATCH, m->out.rows - first));
        if (!m->few)
            block_many(m, b);
    }
}

/* ---- Preparing the input -------------------------------------------------------------------- */

static bool needs_copy(const struct qn_cpu_weight *w, enum qn_cpu_order order, bool few) {
    return w->cols % QN_GROUP != 0 || (few && order != QN_CPU_NATURAL);
}

struct qn_cpu_rows qn_cpu_prepare(float *scratch, const struct qn_cpu_rows *x,
                                  const struct qn_cpu_weight *w, enum qn_cpu_order order) {
    uint32_t cols = w->cols, padded = qn_wformat_cols(cols);
    size_t stride = qn_cpu_prepared(cols);
    for (uint32_t t = 0; t < x->rows; t++) {
        const float *from = x->p + t * x->stride;
        float *to = scratch + t * stride;
        if (order == QN_CPU_NATURAL) {
            memcpy(to, from, cols * sizeof *to);
            memset(to + cols, 0, (padded - cols) * sizeof *to);
            continue;
        }
        for (uint32_t k = 0; k < padded; k++) {
            uint32_t i = k % QN_GROUP, column = k - i + i % 16 * 2 + i / 16;
            to[k] = column < cols ? from[column] : 0.0f;
        }
        if (!w->format.minimum)
            continue;
        float *sums = to + padded;
        memset(sums, 0, (stride - padded) * sizeof *sums);
        uint32_t share = qn_min_u32(w->format.group, QN_GROUP);
        for (uint32_t k = 0; k < cols; k++)
            sums[k / share * 2 + 1] -= from[k];
    }
    return (struct qn_cpu_rows){scratch, stride, x->rows, padded};
}

void qn_cpu_simd_matmul(const struct qn_cpu_step *step, const struct qn_program_op *op) {
    struct matmul m = {
        .w = qn_cpu_weight_of(step, op, 1),
        .x = qn_cpu_input(step, op, 0),
        .out = qn_cpu_output(step, op),
        .bias = qn_cpu_vector(step, op, 2),
        .glu = op->kind == QN_OP_MATMUL_GLU,
    };
    if (m.glu)
        m.act = op->u.glu.act;
    else
        m.residual = qn_cpu_input(step, op, 3), m.softcap = op->u.matmul.softcap;
    m.kernel = qn_cpu_kernel_of(&m.w->format);
    m.few = step->single || m.out.rows <= QN_CPU_FEW;
    enum qn_cpu_order order = m.few ? m.kernel->order : QN_CPU_NATURAL;
    if (needs_copy(m.w, order, m.few))
        m.x = qn_cpu_prepare(step->scratch, &m.x, m.w, order);
    m.blocks = qn_ceil_div_u32(m.out.cols, m.glu ? BLOCK / 2 : BLOCK);
    // Some tasks per thread, so that a slow one does not hold up the rest.
    m.blocks_per_task = qn_max_u32(1, m.blocks / (8 * qn_pool_threads(step->pool)));
    qn_pool_run(step->pool, matmul_task, &m, qn_ceil_div_u32(m.blocks, m.blocks_per_task));
}

#undef BLOCK
#undef TOKENS
#undef STRIP
#undef TILE
