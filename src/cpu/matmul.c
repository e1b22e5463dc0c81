/* x Wᵀ with bias, residual or gate, by blocks of eight rows of W. Few tokens: dot products, W
 * decoded in registers, of integers where W has scales (kernels.h). More: a block's columns are
 * decoded once into a small strip of float32, which then meets all tokens, four at a time.
 *
 * What one output is summed from, and in which order, depends neither on the number of threads nor
 * on the tokens beside it, of the same kind of step. */
#include <math.h>

#include "cpu/act.h"
#include "cpu/kernels.h"

#define BLOCK 8   // rows of W per block
#define TOKENS 64 // tokens whose sums are kept at a time
#define STRIP 512 // columns of plain weights decoded at a time: 16 KiB of stack
#define TILE 4    // tokens × 2 rows in registers

struct matmul {
    const struct qn_cpu_weight *w;
    const struct qn_cpu_kernel *kernel;
    struct qn_cpu_rows x, out, residual; // x: prepared for the kernel
    const float *bias;
    bool glu, few; // few: dot products, of scaled weights in integers
    enum qn_act act;
    float softcap; // 0: none
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

static void block_dots(const struct matmul *m, uint32_t b) {
    uint32_t rows[BLOCK];
    float sums[TOKENS][BLOCK];
    block_rows(rows, m, b);
    for (uint32_t first = 0; first < m->out.rows; first += TOKENS) {
        uint32_t n = qn_min_u32(TOKENS, m->out.rows - first);
        m->kernel->dots(&(struct qn_cpu_dots){sums[0], m->w, rows, m->x.p + first * m->x.stride,
                                              BLOCK, m->x.stride, BLOCK, n});
        write_block(m, b, rows, (const float(*)[BLOCK])sums, first, n);
    }
}

static void matmul_task(void *arg, uint32_t b) {
    const struct matmul *m = arg;
    if (m->few)
        block_dots(m, b);
    else
        block_many(m, b);
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
    bool scaled = m.kernel->input != QN_CPU_FLOATS;
    m.few = step->single || m.out.rows <= (scaled ? QN_CPU_MANY : QN_CPU_FEW);
    m.x = qn_cpu_prepare(step, &m.x, m.w, !m.few);
    uint32_t blocks = qn_ceil_div_u32(m.out.cols, m.glu ? BLOCK / 2 : BLOCK);
    qn_pool_run(step->pool, matmul_task, &m, blocks);
}

#undef BLOCK
#undef TOKENS
#undef STRIP
#undef TILE
