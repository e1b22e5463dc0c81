#include "webgpu/ref_kernels.h"

#include <math.h>
#include <string.h>

#include "base/num.h"
#include "quant/kv.h"
#include "webgpu/ref_call.h"

enum qn_status qn_ref_holds(const struct qn_ref_call *c, uint32_t i, uint64_t count, uint64_t size,
                            struct qn_error *err) {
    uint64_t need;
    if (!qn_mul_u64(&need, count, size) || need > c->n[i])
        return qn_fail(err, QN_E_INTERNAL, "binding %u: %llu × %llu bytes needed, %zu bound", i,
                       (unsigned long long)count, (unsigned long long)size, c->n[i]);
    return QN_OK;
}

enum qn_status qn_ref_covers(const struct qn_ref_call *c, struct qn_grid grid,
                             struct qn_error *err) {
    if (c->grid.x < grid.x || c->grid.y < grid.y || c->grid.z < grid.z)
        return qn_fail(err, QN_E_INTERNAL, "grid %u,%u,%u does not cover %u,%u,%u", c->grid.x,
                       c->grid.y, c->grid.z, grid.x, grid.y, grid.z);
    return QN_OK;
}

static uint32_t row_count(const struct qn_params_step *step, uint32_t sym) {
    return sym == QN_ROWS_R ? step->n_rows : step->n_tokens;
}

static uint32_t row_source(const struct qn_params_step *step, uint32_t tail) {
    return tail ? step->n_tokens - step->n_rows : 0;
}

/* Elements up to the end of the last of `rows` rows of a strided view. */
static uint64_t extent(uint32_t rows, uint32_t stride, uint32_t column, uint32_t cols) {
    return rows ? (uint64_t)(rows - 1) * stride + column + cols : 0;
}

double qn_ref_act(uint32_t kind, double x) {
    switch (kind) {
    case QN_ACT_SILU:
        return x / (1 + exp(-x));
    case QN_ACT_GELU_TANH:
        return 0.5 * x * (1 + tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x)));
    case QN_ACT_GELU_ERF:
        return 0.5 * x * (1 + erf(x * 0.70710678118654752440));
    default:
        return x > 0 ? x : 0;
    }
}

/* ---- Weights -------------------------------------------------------------------------------- */

enum qn_status qn_ref_weights_of(struct qn_ref_weights *out, const struct qn_ref_call *c,
                                 uint32_t at, uint32_t cols, uint64_t rows, struct qn_error *err) {
    static const enum qn_dtype scales[] = {QN_DTYPE_F16, QN_DTYPE_BF16, QN_DTYPE_F32,
                                           QN_DTYPE_NONE};
    uint32_t type = (uint32_t)c->constants[0], stype = (uint32_t)c->constants[1];
    out->format = (struct qn_wformat){.type = (enum qn_wtype)type};
    if (type == QN_W_Q8 || type == QN_W_Q4)
        out->format = (struct qn_wformat){.type = (enum qn_wtype)type,
                                          .scale = scales[stype & 3],
                                          .zero = (uint32_t)c->constants[2],
                                          .group = QN_GROUP / 2 << (stype / QN_STYPE_GROUP & 3),
                                          .minimum = stype & QN_STYPE_PAIRS,
                                          .zeros = stype & QN_STYPE_ZEROS,
                                          .super = stype & QN_STYPE_SUPER,
                                          .levels = stype & QN_STYPE_LEVELS,
                                          .high = stype / QN_STYPE_HIGH & 3};
    if (!qn_wformat_valid(&out->format))
        return qn_fail(err, QN_E_INTERNAL, "weight type %u, scale type %u", type, stype);
    out->values = c->p[at];
    out->scales = c->p[at + 1];
    out->groups = qn_ceil_div_u32(cols, QN_GROUP);
    if (type >= QN_W_Q8 && qn_wformat_cols(cols) % qn_wformat_block(&out->format).cols)
        return qn_fail(err, QN_E_INTERNAL, "%u columns of %s", cols, qn_wformat_name(&out->format));
    out->value_row = qn_wformat_row(&out->format, cols, QN_PLANE_VALUES);
    out->scale_row = qn_wformat_row(&out->format, cols, QN_PLANE_SCALES);
    QN_TRY(qn_ref_holds(c, at, rows, out->value_row, err));
    return qn_ref_holds(c, at + 1, rows, out->scale_row, err);
}

void qn_ref_decode_group(float out[QN_GROUP], const struct qn_ref_weights *w, size_t row,
                         uint32_t group) {
    qn_wformat_decode(out, &w->format, group * QN_GROUP, QN_GROUP, w->values + row * w->value_row,
                      w->scales + row * w->scale_row);
}

static enum qn_status embed(const struct qn_ref_call *c, struct qn_error *err) {
    const struct qn_params_embed *p = c->p[0];
    const struct qn_params_step *step = c->p[1];
    const uint32_t *ids = c->p[2];
    float *out = c->p[5];
    struct qn_ref_weights w;
    QN_TRY(qn_ref_weights_of(&w, c, 3, p->cols, p->n_rows, err));
    QN_TRY(qn_ref_covers(c, qn_grid_embed(p, step->n_tokens), err));
    QN_TRY(qn_ref_holds(c, 5, (uint64_t)step->n_tokens * p->cols, 4, err));
    for (uint32_t t = 0; t < step->n_tokens; t++) {
        struct qn_step_row of = qn_step_row(step, t);
        QN_TRY(qn_ref_holds(c, 2, (uint64_t)of.id + 1, 4, err));
        uint32_t row = (p->by_position ? of.pos : ids[of.id]) - p->row_begin;
        for (uint32_t g = 0; g < w.groups && row < p->n_rows; g++) {
            float group[QN_GROUP];
            qn_ref_decode_group(group, &w, row, g);
            for (uint32_t i = 0; i < QN_GROUP && g * QN_GROUP + i < p->cols; i++)
                out[(size_t)t * p->cols + g * QN_GROUP + i] = group[i] * p->scale;
        }
    }
    return QN_OK;
}

/* ---- Dense ops ------------------------------------------------------------------------------ */

static enum qn_status norm(const struct qn_ref_call *c, bool centred, struct qn_error *err) {
    const struct qn_params_rmsnorm *p = c->p[0];
    const struct qn_params_step *step = c->p[1];
    const float *x = c->p[2], *w = c->p[3], *b = NULL;
    const float *residual = c->constants[centred ? 1 : 0] != 0 ? c->p[centred ? 5 : 4] : NULL;
    float *out = c->p[centred ? 6 : 5];
    if (centred && c->constants[0] != 0)
        b = c->p[4];
    uint32_t rows = row_count(step, p->rows_sym) * p->rows_mul;
    uint32_t skip = row_source(step, p->tail & 1), before = row_source(step, p->tail & 2);
    uint64_t whole = (uint64_t)p->cols * p->groups;
    if (!p->groups || p->groups > 4096 || (p->tail && p->rows_mul != 1))
        return qn_fail(err, QN_E_INTERNAL, "norm: %u groups", p->groups);
    QN_TRY(qn_ref_covers(c, qn_grid_rmsnorm(rows * p->groups), err));
    QN_TRY(
        qn_ref_holds(c, 2, extent(rows + skip, p->x_stride, p->x_column, (uint32_t)whole), 4, err));
    QN_TRY(qn_ref_holds(c, 3, (uint64_t)(p->groups - 1) * p->w_advance + p->cols, 4, err));
    if (b != NULL)
        QN_TRY(qn_ref_holds(c, 4, (uint64_t)(p->groups - 1) * p->b_advance + p->cols, 4, err));
    if (residual != NULL)
        QN_TRY(qn_ref_holds(c, centred ? 5 : 4, (rows + before) * whole, 4, err));
    QN_TRY(qn_ref_holds(c, centred ? 6 : 5, rows * whole, 4, err));
    if (residual != NULL)
        residual += before * whole;
    for (size_t r = 0; r < (size_t)rows * p->groups; r++) {
        size_t group = r % p->groups;
        const float *row = x + (r / p->groups + skip) * p->x_stride + p->x_column + group * p->cols;
        double sum = 0, mean = 0;
        for (uint32_t i = 0; centred && i < p->cols; i++)
            mean += (double)row[i] / p->cols;
        for (uint32_t i = 0; i < p->cols; i++)
            sum += (row[i] - mean) * (row[i] - mean);
        double scale = 1 / sqrt(sum / p->cols + p->eps);
        for (uint32_t i = 0; i < p->cols; i++)
            out[r * p->cols + i] = (float)((row[i] - mean) * scale * w[group * p->w_advance + i] +
                                           (b != NULL ? b[group * p->b_advance + i] : 0.0f) +
                                           (residual != NULL ? residual[r * p->cols + i] : 0.0f));
    }
    return QN_OK;
}

static enum qn_status rmsnorm(const struct qn_ref_call *c, struct qn_error *err) {
    return norm(c, false, err);
}

static enum qn_status layernorm(const struct qn_ref_call *c, struct qn_error *err) {
    return norm(c, true, err);
}

struct product {
    const struct qn_params_matmul *p;
    bool bias, residual, norm, glu;
    uint32_t act;
    struct qn_ref_weights w;
    uint32_t head_dim; // x is the partial of attention_split
    bool post;
    uint32_t chunk; // results that one place of an arg-max stands for; 0: out takes results
};

/* The best result of a chunk so far. */
static void best_result(uint32_t pair[2], float v, uint32_t id, bool first) {
    uint32_t bits, key;
    memcpy(&bits, &v, sizeof bits);
    key = qn_ref_key(bits);
    if (!first && key <= pair[0])
        return;
    pair[0] = key;
    pair[1] = id;
}

static enum qn_status joined(float out[QN_MATVEC_DOT_MADE], const struct product *m,
                             const struct qn_ref_call *c, uint32_t z, struct qn_error *err);

/* Σ_k x[k] W[row, k], of x times norm where that is on. */
static double product_row(const struct product *m, const struct qn_ref_call *c, const float *x,
                          size_t row) {
    const float *norm = (const float *)c->p[7] + m->p->norm_at;
    double sum = 0;
    for (uint32_t g = 0; g < m->w.groups; g++) {
        float group[QN_GROUP];
        qn_ref_decode_group(group, &m->w, row, g);
        for (uint32_t i = 0; i < QN_GROUP && g * QN_GROUP + i < m->p->cols; i++) {
            uint32_t k = g * QN_GROUP + i;
            sum += (double)group[i] * x[k] * (m->norm ? norm[k] : 1.0f);
        }
    }
    return sum;
}

/* x of row z with POST, which the first slab also leaves in out. */
static enum qn_status behind(float out[QN_MATVEC_DOT_MADE], const struct product *m,
                             const struct qn_ref_call *c, uint32_t z, struct qn_error *err) {
    const struct qn_params_matmul *p = m->p;
    const struct qn_params_step *step = c->p[1];
    uint32_t row = z + row_source(step, p->tail & 1), before = z + row_source(step, p->tail & 2);
    const float *x = (const float *)c->p[2] + (size_t)row * p->x_stride + p->x_column;
    const float *residual =
        (const float *)c->p[6] + (size_t)before * p->residual_stride + p->residual_column;
    const float *post = c->p[7];
    if (p->cols > QN_MATVEC_DOT_MADE ||
        (p->residual_stride | p->residual_column | p->norm_at) % 4 || m->residual || m->head_dim)
        return qn_fail(err, QN_E_INTERNAL, "matvec_dot: %u columns behind a norm", p->cols);
    QN_TRY(qn_ref_holds(c, 6, extent(before + 1, p->residual_stride, p->residual_column, p->cols),
                        4, err));
    QN_TRY(qn_ref_holds(c, 7, p->cols, 4, err));
    double sum = 0;
    for (uint32_t i = 0; i < p->cols; i++)
        sum += (double)x[i] * x[i];
    double scale = 1 / sqrt(sum / p->cols + p->post_eps);
    for (uint32_t i = 0; i < p->cols; i++)
        out[i] = (float)(x[i] * scale * post[i] + residual[i]);
    if (p->kept && !m->chunk) {
        QN_TRY(qn_ref_holds(c, 8, p->kept + (z + 1) * (uint64_t)p->cols, 4, err));
        memcpy((float *)c->p[8] + p->kept + (size_t)z * p->cols, out, p->cols * sizeof *out);
    }
    return QN_OK;
}

static enum qn_status product(const struct product *m, const struct qn_ref_call *c, uint32_t rows,
                              struct qn_error *err) {
    const struct qn_params_matmul *p = m->p;
    const struct qn_params_step *step = c->p[1];
    const float *x = c->p[2], *bias = c->p[5], *residual = c->p[6];
    float *out = c->p[8];
    uint32_t skip = row_source(step, p->tail & 1), end = p->row_begin + p->n_rows;
    float own[QN_MATVEC_DOT_MADE];
    if (!m->head_dim)
        QN_TRY(qn_ref_holds(c, 2, extent(rows + skip, p->x_stride, p->x_column, p->cols), 4, err));
    QN_TRY(qn_ref_holds(c, 5, m->bias ? end + (m->glu ? p->up_row : 0) : 0, 4, err));
    uint32_t column = m->residual ? p->residual_column : 0;
    QN_TRY(qn_ref_holds(c, 6, m->residual ? extent(rows, p->residual_stride, column, end) : 0, 4,
                        err));
    QN_TRY(qn_ref_holds(c, 7, m->norm ? (uint64_t)p->norm_at + p->cols : 0, 4, err));
    uint32_t places = m->chunk ? p->kept + qn_ceil_div_u32(p->n_rows, m->chunk) : 0;
    QN_TRY(qn_ref_holds(c, 8, extent(rows, p->out_stride, 0, places ? places : end), places ? 8 : 4,
                        err));
    if (m->glu && m->bias && p->row_begin) // whose up half of the bias would not be told
        return qn_fail(err, QN_E_INTERNAL, "a gated matrix with a bias must be one slab");
    for (uint32_t z = 0; z < rows; z++) {
        if (m->head_dim)
            QN_TRY(joined(own, m, c, z, err));
        if (m->post)
            QN_TRY(behind(own, m, c, z, err));
        const float *row =
            m->head_dim || m->post ? own : x + (size_t)(z + skip) * p->x_stride + p->x_column;
        double scale = 1;
        if (m->norm) {
            double sum = 0;
            for (uint32_t i = 0; i < p->cols; i++)
                sum += (double)row[i] * row[i];
            scale = 1 / sqrt(sum / p->cols + p->eps);
        }
        for (uint32_t n = 0; n < p->n_rows; n++) {
            uint32_t at = p->row_begin + n;
            double v = product_row(m, c, row, n) * scale + (m->bias ? bias[at] : 0);
            if (m->glu) {
                double up = product_row(m, c, row, n + p->up_row) * scale;
                v = qn_ref_act(m->act, v) * (up + (m->bias ? bias[at + p->up_row] : 0));
            }
            if (p->softcap != 0)
                v = p->softcap * tanh(v / p->softcap);
            if (m->residual)
                v += residual[(size_t)z * p->residual_stride + column + at];
            if (m->chunk == 0)
                out[(size_t)z * p->out_stride + at] = (float)v;
            else
                best_result((uint32_t *)c->p[8] +
                                ((size_t)z * p->out_stride + p->kept + n / m->chunk) * 2,
                            (float)v, at, n % m->chunk == 0);
        }
    }
    return QN_OK;
}

/* Constants of all kernels of this kind, from the third on: BIAS, RESIDUAL, NORM where it has one,
 * GLU, ACT. */
static void product_begin(struct product *m, const struct qn_ref_call *c, bool normed) {
    const uint32_t glu = normed ? 6 : 5;
    *m = (struct product){
        .p = c->p[0],
        .bias = c->constants[3] != 0,
        .residual = c->constants[4] != 0,
        .norm = normed && c->constants[5] != 0,
        .glu = c->constants[glu] != 0,
        .act = (uint32_t)c->constants[glu + 1],
    };
}

static enum qn_status product_weights(struct product *m, const struct qn_ref_call *c,
                                      struct qn_error *err) {
    uint64_t rows = (uint64_t)m->p->n_rows + (m->glu ? m->p->up_row : 0);
    return qn_ref_weights_of(&m->w, c, 3, m->p->cols, rows, err);
}

static bool cols_ok(const struct qn_matvec_tune *tune, uint32_t sums) {
    return sums <= 16 && tune->cols && tune->cols <= QN_MATVEC_COLS &&
           !(tune->cols & (tune->cols - 1));
}

static enum qn_status matvec(const struct qn_ref_call *c, struct qn_error *err) {
    struct product m;
    product_begin(&m, c, true);
    struct qn_matvec_tune tune = {(uint32_t)c->constants[8], (uint32_t)c->constants[9], 0, 0,
                                  (uint32_t)c->constants[10]};
    const struct qn_params_matmul *p = m.p;
    uint32_t sums = tune.rows * (m.glu ? 2 : 1) * tune.cols;
    if (!tune.lanes || tune.lanes > 64 || tune.lanes & (tune.lanes - 1) ||
        (tune.rows != 1 && tune.rows != 2 && tune.rows != 4) || !cols_ok(&tune, sums))
        return qn_fail(err, QN_E_INTERNAL, "matvec: LANES %u, ROWS %u, COLS %u", tune.lanes,
                       tune.rows, tune.cols);
    if ((p->cols | p->x_stride | p->x_column) % 4)
        return qn_fail(err, QN_E_INTERNAL, "matvec: %u columns, stride %u, column %u", p->cols,
                       p->x_stride, p->x_column);
    QN_TRY(product_weights(&m, c, err));
    uint32_t rows = row_count(c->p[1], p->rows_sym);
    QN_TRY(qn_ref_covers(c, qn_grid_matvec(p, tune, rows), err));
    return product(&m, c, rows, err);
}

static enum qn_status matvec_dot(const struct qn_ref_call *c, struct qn_error *err) {
    struct product m;
    product_begin(&m, c, true);
    m.head_dim = (uint32_t)c->constants[12];
    m.post = c->constants[13] != 0;
    const struct qn_params_matmul *p = m.p;
    struct qn_matvec_tune tune = {(uint32_t)c->constants[8], (uint32_t)c->constants[9],
                                  (uint32_t)c->constants[10], (uint32_t)c->constants[11],
                                  (uint32_t)c->constants[14]};
    if (c->constants[15] != 0 && tune.lanes)
        m.chunk = 256 / tune.lanes * tune.rows;
    uint32_t sets = tune.rows * (m.glu ? 2 : 1), groups = qn_ceil_div_u32(p->cols, QN_GROUP);
    if (tune.lanes < 4 || tune.lanes > 32 || tune.lanes & (tune.lanes - 1) || !tune.rows ||
        sets > 4 || (tune.rows & (tune.rows - 1)) || !tune.ahead || tune.ahead > 4 || !tune.span ||
        tune.span % 2 || (uint32_t)c->constants[0] != QN_W_Q4 ||
        !cols_ok(&tune, sets * tune.cols) || (tune.span * 72 + 272) * tune.cols > 16384)
        return qn_fail(err, QN_E_INTERNAL,
                       "matvec_dot: LANES %u, ROWS %u, SPAN %u, AHEAD %u, COLS %u", tune.lanes,
                       tune.rows, tune.span, tune.ahead, tune.cols);
    if (m.chunk && (m.glu || tune.span * tune.cols < 16))
        return qn_fail(err, QN_E_INTERNAL, "matvec_dot: arg-max, SPAN %u", tune.span);
    // Else a row's sums would be in another order beside others than alone.
    if (tune.span < groups &&
        (tune.span % tune.lanes || (m.norm && tune.cols == 1 && tune.span % 64)))
        return qn_fail(err, QN_E_INTERNAL, "matvec_dot: spans of %u groups", tune.span);
    if ((p->cols | p->x_stride | p->x_column) % 4)
        return qn_fail(err, QN_E_INTERNAL, "matvec_dot: %u columns, stride %u, column %u", p->cols,
                       p->x_stride, p->x_column);
    QN_TRY(product_weights(&m, c, err));
    if (!qn_matvec_dot_takes(&m.w.format))
        return qn_fail(err, QN_E_INTERNAL, "matvec_dot: %s", qn_wformat_name(&m.w.format));
    uint32_t rows = row_count(c->p[1], p->rows_sym);
    QN_TRY(qn_ref_covers(c, qn_grid_matvec_dot(p, tune, rows), err));
    return product(&m, c, rows, err);
}

static enum qn_status tiles(const struct qn_ref_call *c, enum qn_kernel_id id,
                            struct qn_error *err) {
    const float *k = c->constants + 8;
    struct qn_matmul_tile t = {(uint32_t)k[0], (uint32_t)k[1], (uint32_t)k[2], (uint32_t)k[3]};
    struct product m;
    product_begin(&m, c, false);
    QN_TRY(product_weights(&m, c, err));
    uint32_t rows = row_count(c->p[1], m.p->rows_sym);
    struct qn_grid grid = qn_grid_matmul(m.p, m.glu, true, rows);
    if (id == QN_KERNEL_MATMUL_TILES) {
        if (t.tx * t.slices < 16 || t.ty * t.slices < 8 || t.tx > 16 || t.ty > 16 || t.slices > 4)
            return qn_fail(err, QN_E_INTERNAL, "matmul_tiles: %u × %u × %u", t.tx, t.ty, t.slices);
        grid = qn_grid_matmul_tiles(m.p, m.glu, t, rows);
    }
    QN_TRY(qn_ref_covers(c, grid, err));
    if (c->constants[7] != 0 && (m.p->cols | m.p->x_stride | m.p->x_column) % 4)
        return qn_fail(err, QN_E_INTERNAL, "matmul: not aligned");
    return product(&m, c, rows, err);
}

static enum qn_status matmul_matrix(const struct qn_ref_call *c, struct qn_error *err) {
    return tiles(c, QN_KERNEL_MATMUL_MATRIX, err);
}

static enum qn_status matmul_tiles(const struct qn_ref_call *c, struct qn_error *err) {
    return tiles(c, QN_KERNEL_MATMUL_TILES, err);
}

static enum qn_status matmul_few(const struct qn_ref_call *c, struct qn_error *err) {
    struct product m;
    product_begin(&m, c, false);
    uint32_t lanes = (uint32_t)c->constants[7], rows = row_count(c->p[1], m.p->rows_sym);
    if (lanes < 8 || lanes > 64 || lanes & (lanes - 1))
        return qn_fail(err, QN_E_INTERNAL, "matmul_few: LANES %u", lanes);
    if ((m.p->cols | m.p->x_stride | m.p->x_column) % 4)
        return qn_fail(err, QN_E_INTERNAL, "matmul_few: not aligned");
    QN_TRY(product_weights(&m, c, err));
    QN_TRY(qn_ref_covers(c, qn_grid_matmul_few(m.p, m.glu, lanes, rows), err));
    return product(&m, c, rows, err);
}

static enum qn_status glu(const struct qn_ref_call *c, struct qn_error *err) {
    const struct qn_params_glu *p = c->p[0];
    const float *x = c->p[2], *up = c->p[3];
    float *out = c->p[4];
    uint32_t rows = row_count(c->p[1], p->rows_sym);
    QN_TRY(qn_ref_covers(c, qn_grid_elements(p->cols, rows), err));
    QN_TRY(qn_ref_holds(c, 2, extent(rows, p->x_stride, p->x_column, p->cols), 4, err));
    QN_TRY(qn_ref_holds(c, 3, extent(rows, p->up_stride, p->up_column, p->cols), 4, err));
    QN_TRY(qn_ref_holds(c, 4, (uint64_t)rows * p->cols, 4, err));
    for (size_t r = 0; r < rows; r++)
        for (uint32_t i = 0; i < p->cols; i++)
            out[r * p->cols + i] = (float)(qn_ref_act((uint32_t)c->constants[0],
                                                      x[r * p->x_stride + p->x_column + i]) *
                                           up[r * p->up_stride + p->up_column + i]);
    return QN_OK;
}

static enum qn_status gather(const struct qn_ref_call *c, struct qn_error *err) {
    const struct qn_params_gather *p = c->p[0];
    const float *x = c->p[2], *order = c->p[3];
    float *out = c->p[4];
    uint32_t rows = row_count(c->p[1], p->rows_sym);
    QN_TRY(qn_ref_covers(c, qn_grid_elements(p->cols, rows), err));
    QN_TRY(qn_ref_holds(c, 2, extent(rows, p->x_stride, p->x_column, p->x_cols), 4, err));
    QN_TRY(qn_ref_holds(c, 3, p->cols, 4, err));
    QN_TRY(qn_ref_holds(c, 4, (uint64_t)rows * p->cols, 4, err));
    for (size_t r = 0; r < rows; r++)
        for (uint32_t i = 0; i < p->cols; i++)
            out[r * p->cols + i] = order[i] < (float)p->x_cols
                                       ? x[r * p->x_stride + p->x_column + (size_t)order[i]]
                                       : 0.0f;
    return QN_OK;
}

static enum qn_status activate(const struct qn_ref_call *c, struct qn_error *err) {
    const struct qn_params_glu *p = c->p[0];
    const float *x = c->p[2];
    float *out = c->p[3];
    uint32_t rows = row_count(c->p[1], p->rows_sym);
    QN_TRY(qn_ref_covers(c, qn_grid_elements(p->cols, rows), err));
    QN_TRY(qn_ref_holds(c, 2, extent(rows, p->x_stride, p->x_column, p->cols), 4, err));
    QN_TRY(qn_ref_holds(c, 3, (uint64_t)rows * p->cols, 4, err));
    for (size_t r = 0; r < rows; r++)
        for (uint32_t i = 0; i < p->cols; i++)
            out[r * p->cols + i] =
                (float)qn_ref_act((uint32_t)c->constants[0], x[r * p->x_stride + p->x_column + i]);
    return QN_OK;
}

static enum qn_status add(const struct qn_ref_call *c, struct qn_error *err) {
    const struct qn_params_add *p = c->p[0];
    const float *a = c->p[2], *b = c->p[3], *gate = c->constants[0] != 0 ? c->p[4] : NULL;
    float *out = c->p[5];
    uint32_t rows = row_count(c->p[1], p->rows_sym);
    QN_TRY(qn_ref_covers(c, qn_grid_elements(p->cols, rows), err));
    QN_TRY(qn_ref_holds(c, 2, extent(rows, p->a_stride, p->a_column, p->cols), 4, err));
    QN_TRY(qn_ref_holds(c, 3, extent(rows, p->b_stride, p->b_column, p->cols), 4, err));
    QN_TRY(qn_ref_holds(c, 4, gate != NULL ? rows : 0, 4, err));
    QN_TRY(qn_ref_holds(c, 5, (uint64_t)rows * p->cols, 4, err));
    for (size_t r = 0; r < rows; r++) {
        float scale = gate != NULL ? (float)(p->scale / (1 + exp(-(double)gate[r]))) : p->scale;
        for (uint32_t i = 0; i < p->cols; i++)
            out[r * p->cols + i] =
                a[r * p->a_stride + p->a_column + i] + b[r * p->b_stride + p->b_column + i] * scale;
    }
    return QN_OK;
}

static enum qn_status last_rows(const struct qn_ref_call *c, struct qn_error *err) {
    const struct qn_params_last_rows *p = c->p[0];
    const struct qn_params_step *step = c->p[1];
    const float *x = c->p[2];
    float *out = c->p[3];
    QN_TRY(qn_ref_covers(c, qn_grid_elements(p->cols, step->n_rows), err));
    QN_TRY(qn_ref_holds(c, 2, extent(step->n_tokens, p->x_stride, p->x_column, p->cols), 4, err));
    QN_TRY(qn_ref_holds(c, 3, (uint64_t)step->n_rows * p->cols, 4, err));
    for (size_t r = 0; r < step->n_rows; r++)
        memcpy(out + r * p->cols, x + (r + row_source(step, 1)) * p->x_stride + p->x_column,
               p->cols * sizeof *out);
    return QN_OK;
}

/* ---- Attention ------------------------------------------------------------------------------ */

#define MAX_HEAD 256

/* A head's row at a position of a state; the kernel's first constant says the type. */
static unsigned char *state_row(const struct qn_ref_call *c, uint32_t binding, uint32_t dim,
                                size_t head, uint32_t context, size_t position) {
    size_t one = qn_kv_row_bytes(qn_kv_dtype((uint32_t)c->constants[0]), dim);
    return (unsigned char *)c->p[binding] + (head * context + position) * one;
}

static float row_at(const struct qn_ref_call *c, const unsigned char *row, uint32_t dim,
                    uint32_t d) {
    return qn_kv_row_at(row, qn_kv_dtype((uint32_t)c->constants[0]), dim, d);
}

/* Dim d of a head, rotated for position p. The angle's product is float32, as on all backends. */
static float rotated(const struct qn_params_rope *p, const float *head, const float *freq,
                     uint32_t position, uint32_t d, bool interleaved) {
    if (d >= p->n_rot)
        return head[d];
    uint32_t half = p->n_rot / 2, i = interleaved ? d / 2 : d % half;
    bool high = interleaved ? d & 1 : d >= half;
    uint32_t other = interleaved ? d ^ 1 : high ? d - half : d + half;
    double a = (float)position * freq[i];
    double turn = high ? sin(a) : -sin(a);
    return (float)((head[d] * cos(a) + head[other] * turn) * p->magnitude);
}

/* Whether every row's position lies within the context; `end`: behind the furthest, `slots`: that
 * states must have. Rows that are appended to are of different slots. */
static enum qn_status step_rows(const struct qn_params_step *step, uint32_t context, uint32_t *end,
                                uint64_t *slots, struct qn_error *err) {
    *end = 0;
    *slots = 0;
    if (step->batch && step->n_tokens > QN_STEP_ROWS)
        return qn_fail(err, QN_E_INTERNAL, "a batch of %u rows", step->n_tokens);
    for (uint32_t t = 0; t < step->n_tokens; t++) {
        struct qn_step_row row = qn_step_row(step, t);
        if (row.pos >= context)
            return qn_fail(err, QN_E_INTERNAL, "position %u of %u", row.pos, context);
        *end = row.pos + 1 > *end ? row.pos + 1 : *end;
        *slots = row.slot + 1 > *slots ? row.slot + 1 : *slots;
    }
    return QN_OK;
}

static enum qn_status freq_holds(const struct qn_ref_call *c, uint32_t stride, uint32_t n_rot,
                                 struct qn_error *err) {
    const struct qn_params_step *step = c->p[1];
    uint32_t sets = 0;
    for (uint32_t t = 0; t < step->n_tokens; t++) {
        uint32_t set = qn_step_row(step, t).rope_set;
        sets = set > sets ? set : sets;
    }
    return qn_ref_holds(c, 5, (uint64_t)sets * stride + n_rot / 2, 4, err);
}

/* Appends a head's key and value: k and v are rows' first dims. Bindings 6 and 7 are the states. */
static void append(const struct qn_ref_call *c, const struct qn_params_rope *p, const float *k,
                   const float *v, const float *freq, size_t head, uint32_t position,
                   bool interleaved) {
    enum qn_dtype type = qn_kv_dtype((uint32_t)c->constants[0]);
    uint32_t dim = p->head_dim;
    float turned[MAX_HEAD];
    for (uint32_t d = 0; d < dim; d++)
        turned[d] = rotated(p, k, freq, position, d, interleaved);
    qn_kv_row_write(state_row(c, 6, dim, head, p->context, position), type, turned, dim);
    qn_kv_row_write(state_row(c, 7, dim, head, p->context, position), type, v, dim);
}

/* Bytes of a state must be there. */
static enum qn_status holds_state(const struct qn_ref_call *c, uint32_t binding, uint64_t heads,
                                  uint32_t context, uint32_t dim, struct qn_error *err) {
    return qn_ref_holds(c, binding, heads * context,
                        qn_kv_row_bytes(qn_kv_dtype((uint32_t)c->constants[0]), dim), err);
}

static enum qn_status rope_append(const struct qn_ref_call *c, struct qn_error *err) {
    const struct qn_params_rope *p = c->p[0];
    const struct qn_params_step *step = c->p[1];
    const float *q = c->p[2], *k = c->p[3], *v = c->p[4], *freq = c->p[5];
    float *out = c->p[8];
    bool interleaved = c->constants[1] != 0;
    uint32_t n = step->n_tokens, dim = p->head_dim;
    uint32_t apart = p->head_stride, end;
    uint64_t slots;
    QN_TRY(step_rows(step, p->context, &end, &slots, err));
    if (apart < dim || dim > MAX_HEAD || !p->n_heads || !p->n_kv_heads)
        return qn_fail(err, QN_E_INTERNAL, "rope_append: heads of %u every %u columns", dim, apart);
    QN_TRY(qn_ref_covers(c, qn_grid_rope(p, n), err));
    QN_TRY(qn_ref_holds(c, 2, extent(n, p->q_stride, p->q_column, (p->n_heads - 1) * apart + dim),
                        4, err));
    QN_TRY(qn_ref_holds(
        c, 3, extent(n, p->k_stride, p->k_column, (p->n_kv_heads - 1) * apart + dim), 4, err));
    QN_TRY(qn_ref_holds(
        c, 4, extent(n, p->v_stride, p->v_column, (p->n_kv_heads - 1) * apart + dim), 4, err));
    QN_TRY(freq_holds(c, p->set_stride, p->n_rot, err));
    QN_TRY(holds_state(c, 6, slots * p->n_kv_heads, p->context, dim, err));
    QN_TRY(holds_state(c, 7, slots * p->n_kv_heads, p->context, dim, err));
    QN_TRY(qn_ref_holds(c, 8, (uint64_t)n * p->n_heads * dim, 4, err));
    if (dim % 2 || p->n_rot % 2 || p->n_rot > dim)
        return qn_fail(err, QN_E_INTERNAL, "rope_append: head %u, rotated %u", dim, p->n_rot);
    for (size_t t = 0; t < n; t++) {
        struct qn_step_row row = qn_step_row(step, (uint32_t)t);
        uint32_t position = row.pos;
        const float *turns = freq + (size_t)row.rope_set * p->set_stride;
        for (uint32_t h = 0; h < p->n_heads; h++)
            for (uint32_t d = 0; d < dim; d++)
                out[(t * p->n_heads + h) * dim + d] =
                    rotated(p, q + t * p->q_stride + p->q_column + h * apart, turns, position, d,
                            interleaved);
        for (uint32_t h = 0; h < p->n_kv_heads; h++)
            append(c, p, k + t * p->k_stride + p->k_column + h * apart,
                   v + t * p->v_stride + p->v_column + h * apart, turns,
                   (size_t)row.slot * p->n_kv_heads + h, position, interleaved);
    }
    return QN_OK;
}

/* Softmax attention of one query over positions [begin, end): o [dim] unnormalised, maximum,
 * mass. */
static void attend(double *o, double *top, double *mass, const struct qn_params_attention *p,
                   const struct qn_ref_call *c, const float *q, uint32_t states, uint32_t slot,
                   uint32_t head, uint32_t begin, uint32_t end) {
    uint32_t dim = (uint32_t)c->constants[1];
    size_t kv_head = (size_t)slot * p->n_kv_heads + head / (p->n_heads / p->n_kv_heads);
    *top = QN_REF_LOWEST;
    *mass = 0;
    memset(o, 0, dim * sizeof *o);
    for (size_t j = begin; j < end; j++) { // running maximum, as in attention_prefill
        const unsigned char *key = state_row(c, states, dim, kv_head, p->context, j);
        const unsigned char *value = state_row(c, states + 1, dim, kv_head, p->context, j);
        double s = 0;
        for (uint32_t d = 0; d < dim; d++)
            s += (double)q[d] * row_at(c, key, dim, d);
        s *= p->scale;
        if (p->softcap != 0)
            s = p->softcap * tanh(s / p->softcap);
        double shrink = s > *top ? exp(*top - s) : 1, e = s > *top ? 1 : exp(s - *top);
        *top = s > *top ? s : *top;
        *mass = *mass * shrink + e;
        for (uint32_t d = 0; d < dim; d++)
            o[d] = o[d] * shrink + e * row_at(c, value, dim, d);
    }
}

static uint32_t first_seen(uint32_t p, uint32_t window) {
    return window && window < p + 1 ? p + 1 - window : 0;
}

#define SPLIT 64u

/* `states`: binding of k_state, 0 where there are none. */
static enum qn_status attention_checks(const struct qn_ref_call *c, uint32_t dim, uint32_t states,
                                       struct qn_error *err) {
    const struct qn_params_attention *p = c->p[0];
    const struct qn_params_step *step = c->p[1];
    if (!dim || dim % 4 || dim > MAX_HEAD || !p->n_kv_heads || p->n_heads % p->n_kv_heads)
        return qn_fail(err, QN_E_INTERNAL, "attention: head %u, %u of %u heads", dim, p->n_kv_heads,
                       p->n_heads);
    uint32_t end;
    uint64_t slots;
    QN_TRY(step_rows(step, p->context, &end, &slots, err));
    if (states == 0)
        return QN_OK;
    QN_TRY(qn_ref_holds(c, 2, extent(step->n_tokens, p->q_stride, p->q_column, p->n_heads * dim), 4,
                        err));
    QN_TRY(holds_state(c, states, slots * p->n_kv_heads, p->context, dim, err));
    return holds_state(c, states + 1, slots * p->n_kv_heads, p->context, dim, err);
}

/* The rotation's parameters of an attention_split that does rope_append's work. */
static struct qn_params_rope rope_of(const struct qn_params_attention *p, uint32_t dim) {
    return (struct qn_params_rope){p->n_heads,    p->n_kv_heads, dim,         p->n_rot,
                                   p->context,    p->q_stride,   p->q_column, p->k_stride,
                                   p->k_column,   p->v_stride,   p->v_column, p->head_stride,
                                   p->set_stride, p->magnitude};
}

/* A head of q or k at `head`, normed where the constant NORM says so, with weights at column `at`
 * of freq; `own`: room for it. */
static const float *head_of(const struct qn_ref_call *c, float own[MAX_HEAD], const float *head,
                            uint32_t dim, uint32_t at) {
    const struct qn_params_attention *p = c->p[0];
    const float *w = (const float *)c->p[5] + at;
    double sum = 0;
    if (c->constants[5] == 0)
        return head;
    for (uint32_t d = 0; d < dim; d++)
        sum += (double)head[d] * head[d];
    for (uint32_t d = 0; d < dim; d++)
        own[d] = (float)(head[d] * w[d] / sqrt(sum / dim + p->norm_eps));
    return own;
}

/* Appends the new key and value of every row, each of another slot. */
static enum qn_status append_one(const struct qn_ref_call *c, const struct qn_params_rope *p,
                                 bool interleaved, struct qn_error *err) {
    const struct qn_params_step *step = c->p[1];
    const struct qn_params_attention *norms = c->p[0];
    uint32_t dim = p->head_dim, width = (p->n_kv_heads - 1) * p->head_stride + dim;
    uint32_t n = step->n_tokens;
    QN_TRY(qn_ref_holds(c, 3, extent(n, p->k_stride, p->k_column, width), 4, err));
    QN_TRY(qn_ref_holds(c, 4, extent(n, p->v_stride, p->v_column, width), 4, err));
    QN_TRY(freq_holds(c, p->set_stride, p->n_rot, err));
    if (dim % 2 || p->n_rot % 2 || p->n_rot > dim || p->head_stride < dim)
        return qn_fail(err, QN_E_INTERNAL, "attention_split: head %u, rotated %u", dim, p->n_rot);
    for (uint32_t t = 0; t < n; t++) {
        struct qn_step_row row = qn_step_row(step, t);
        for (uint32_t other = 0; other < t; other++)
            if (qn_step_row(step, other).slot == row.slot)
                return qn_fail(err, QN_E_INTERNAL, "attention_split: rows %u and %u of slot %u",
                               other, t, row.slot);
        const float *freq = (const float *)c->p[5] + (size_t)row.rope_set * p->set_stride;
        const float *k = (const float *)c->p[3] + (size_t)t * p->k_stride + p->k_column;
        const float *v = (const float *)c->p[4] + (size_t)t * p->v_stride + p->v_column;
        for (uint32_t h = 0; h < p->n_kv_heads; h++) {
            float own[MAX_HEAD];
            const float *head = head_of(c, own, k + (size_t)h * p->head_stride, dim, norms->k_norm);
            append(c, p, head, v + (size_t)h * p->head_stride, freq,
                   (size_t)row.slot * p->n_kv_heads + h, row.pos, interleaved);
        }
    }
    return QN_OK;
}

static enum qn_status attention_split(const struct qn_ref_call *c, struct qn_error *err) {
    const struct qn_params_attention *p = c->p[0];
    const struct qn_params_step *step = c->p[1];
    uint32_t dim = (uint32_t)c->constants[1], end;
    uint64_t slots;
    bool rope = c->constants[2] != 0, inter = c->constants[3] != 0;
    float *partial = c->p[8], own[MAX_HEAD];
    struct qn_params_rope turn = rope_of(p, dim);
    QN_TRY(attention_checks(c, dim, 6, err));
    QN_TRY(step_rows(step, p->context, &end, &slots, err));
    QN_TRY(qn_ref_covers(c, qn_grid_attention_split(p, dim, step->n_tokens, end), err));
    QN_TRY(qn_ref_holds(c, 8, qn_attention_partial(p, dim, step->n_tokens), 1, err));
    if (qn_attention_splits(end, p->window) > p->splits)
        return qn_fail(err, QN_E_INTERNAL, "attention_split: room for %u splits", p->splits);
    if (c->constants[5] != 0)
        QN_TRY(qn_ref_holds(c, 5, (uint64_t)qn_max_u32(p->q_norm, p->k_norm) + dim, 4, err));
    if (rope)
        QN_TRY(append_one(c, &turn, inter, err));
    for (uint32_t t = 0; t < step->n_tokens; t++)
        for (uint32_t h = 0; h < p->n_heads; h++) {
            struct qn_step_row row = qn_step_row(step, t);
            const float *freq = (const float *)c->p[5] + (size_t)row.rope_set * p->set_stride;
            uint32_t position = row.pos, first = first_seen(position, p->window);
            const float *head = (const float *)c->p[2] + (size_t)t * p->q_stride + p->q_column +
                                (size_t)h * p->head_stride;
            float q[MAX_HEAD];
            if (rope)
                head = head_of(c, own, head, dim, p->q_norm);
            for (uint32_t d = 0; d < dim; d++)
                q[d] = rope ? rotated(&turn, head, freq, position, d, inter) : head[d];
            float *of_t = partial + (size_t)t * p->n_heads * p->splits * (dim + 2);
            for (uint32_t s = 0; (first / SPLIT + s) * SPLIT <= position; s++) {
                uint32_t begin = (first / SPLIT + s) * SPLIT;
                double o[MAX_HEAD], top, mass;
                attend(o, &top, &mass, p, c, q, 6, row.slot, h, qn_max_u32(begin, first),
                       qn_min_u32(begin + SPLIT, position + 1));
                size_t at = (size_t)h * p->splits + s;
                for (uint32_t d = 0; d < dim; d++)
                    of_t[at * dim + d] = (float)o[d];
                float *pair = of_t + (size_t)p->n_heads * p->splits * dim + at * 2;
                pair[0] = (float)top;
                pair[1] = (float)mass;
            }
        }
    return QN_OK;
}

/* Joins the n splits of a head: partial of one token → out [dim]. */
static void join(float *out, const float *partial, uint32_t n_heads, uint32_t splits, uint32_t dim,
                 uint32_t head, uint32_t n) {
    const float *o = partial + (size_t)head * splits * dim;
    const float *pairs = partial + ((size_t)n_heads * dim + head * 2) * splits;
    double top = QN_REF_LOWEST, mass = 0;
    for (uint32_t s = 0; s < n; s++)
        top = fmax(top, pairs[s * 2]);
    for (uint32_t s = 0; s < n; s++)
        mass += exp(pairs[s * 2] - top) * pairs[s * 2 + 1];
    for (uint32_t d = 0; d < dim; d++) {
        double sum = 0;
        for (uint32_t s = 0; s < n; s++)
            sum += exp(pairs[s * 2] - top) * o[s * dim + d];
        out[d] = (float)(sum / mass);
    }
}

static enum qn_status joined(float out[QN_MATVEC_DOT_MADE], const struct product *m,
                             const struct qn_ref_call *c, uint32_t z, struct qn_error *err) {
    const struct qn_params_matmul *p = m->p;
    uint32_t dim = m->head_dim, heads = p->cols / dim, pos = qn_step_row(c->p[1], z).pos;
    uint32_t n = pos / SPLIT - first_seen(pos, p->window) / SPLIT + 1;
    size_t size = (size_t)heads * p->splits * (dim + 2);
    if (dim % 8 || p->cols % dim || p->cols > QN_MATVEC_DOT_MADE || n > p->splits ||
        p->splits % 2 || p->tail)
        return qn_fail(err, QN_E_INTERNAL, "matvec_dot: %u columns in heads of %u, %u of %u splits",
                       p->cols, dim, n, p->splits);
    QN_TRY(qn_ref_holds(c, 2, ((uint64_t)z + 1) * size, 4, err));
    for (uint32_t h = 0; h < heads; h++)
        join(out + (size_t)h * dim, (const float *)c->p[2] + z * size, heads, p->splits, dim, h, n);
    return QN_OK;
}

static enum qn_status attention_merge(const struct qn_ref_call *c, struct qn_error *err) {
    const struct qn_params_attention *p = c->p[0];
    const struct qn_params_step *step = c->p[1];
    const float *partial = c->p[2];
    float *out = c->p[3];
    uint32_t dim = (uint32_t)c->constants[0];
    QN_TRY(attention_checks(c, dim, 0, err));
    QN_TRY(qn_ref_covers(c, qn_grid_attention_merge(p, step->n_tokens), err));
    QN_TRY(qn_ref_holds(c, 2, qn_attention_partial(p, dim, step->n_tokens), 1, err));
    QN_TRY(qn_ref_holds(c, 3, (uint64_t)step->n_tokens * p->n_heads * dim, 4, err));
    for (uint32_t t = 0; t < step->n_tokens; t++)
        for (uint32_t h = 0; h < p->n_heads; h++) {
            uint32_t position = qn_step_row(step, t).pos;
            uint32_t n = position / SPLIT - first_seen(position, p->window) / SPLIT + 1;
            join(out + ((size_t)t * p->n_heads + h) * dim,
                 partial + (size_t)t * p->n_heads * p->splits * (dim + 2), p->n_heads, p->splits,
                 dim, h, n);
        }
    return QN_OK;
}

static enum qn_status attention_prefill(const struct qn_ref_call *c, struct qn_error *err) {
    const struct qn_params_attention *p = c->p[0];
    const struct qn_params_step *step = c->p[1];
    uint32_t dim = (uint32_t)c->constants[1];
    float *out = c->p[5];
    QN_TRY(attention_checks(c, dim, 3, err));
    QN_TRY(qn_ref_covers(c, qn_grid_attention_prefill(p, dim, step->n_tokens), err));
    QN_TRY(qn_ref_holds(c, 5, (uint64_t)step->n_tokens * p->n_heads * dim, 4, err));
    for (uint32_t t = 0; t < step->n_tokens; t++)
        for (uint32_t h = 0; h < p->n_heads; h++) {
            double o[MAX_HEAD], top, mass;
            uint32_t position = step->pos + t;
            const float *q =
                (const float *)c->p[2] + (size_t)t * p->q_stride + p->q_column + (size_t)h * dim;
            attend(o, &top, &mass, p, c, q, 3, step->slot, h, first_seen(position, p->window),
                   position + 1);
            for (uint32_t d = 0; d < dim; d++)
                out[((size_t)t * p->n_heads + h) * dim + d] = (float)(o[d] / mass);
        }
    return QN_OK;
}

/* ---- The table ------------------------------------------------------------------------------ */

enum qn_status qn_ref_run(enum qn_kernel_id id, const struct qn_ref_call *call,
                          struct qn_error *err) {
    static qn_ref_fn *const functions[QN_KERNEL_COUNT] = {
        [QN_KERNEL_EMBED] = embed,
        [QN_KERNEL_RMSNORM] = rmsnorm,
        [QN_KERNEL_LAYERNORM] = layernorm,
        [QN_KERNEL_MATVEC] = matvec,
        [QN_KERNEL_MATVEC_DOT] = matvec_dot,
        [QN_KERNEL_MATMUL_FEW] = matmul_few,
        [QN_KERNEL_MATMUL_MATRIX] = matmul_matrix,
        [QN_KERNEL_MATMUL_TILES] = matmul_tiles,
        [QN_KERNEL_GLU] = glu,
        [QN_KERNEL_ACT] = activate,
        [QN_KERNEL_ADD] = add,
        [QN_KERNEL_ROPE_APPEND] = rope_append,
        [QN_KERNEL_ATTENTION_SPLIT] = attention_split,
        [QN_KERNEL_ATTENTION_MERGE] = attention_merge,
        [QN_KERNEL_ATTENTION_PREFILL] = attention_prefill,
        [QN_KERNEL_LAST_ROWS] = last_rows,
        [QN_KERNEL_GATHER] = gather,
        [QN_KERNEL_ROUTE] = qn_ref_route,
        [QN_KERNEL_EXPERT_GLU] = qn_ref_expert_glu,
        [QN_KERNEL_EXPERT_DOWN] = qn_ref_expert_down,
        [QN_KERNEL_ARGMAX_PARTIAL] = qn_ref_argmax_partial,
        [QN_KERNEL_ARGMAX_FINAL] = qn_ref_argmax_final,
        [QN_KERNEL_SAMPLE_PREPARE] = qn_ref_sample_prepare,
        [QN_KERNEL_SAMPLE_THRESHOLD] = qn_ref_sample_threshold,
        [QN_KERNEL_SAMPLE_FINISH] = qn_ref_sample_finish,
        [QN_KERNEL_SEEN_MARK] = qn_ref_seen_mark,
    };
    if ((uint32_t)id >= QN_KERNEL_COUNT)
        return qn_fail(err, QN_E_INTERNAL, "kernel %u is not known", (uint32_t)id);
    struct qn_kernel kernel;
    qn_kernel_get(&kernel, id);
    QN_TRY(qn_ref_holds(call, 0, 1, kernel.params_bytes, err));
    for (uint32_t i = 1; i < kernel.n_bindings; i++)
        if (kernel.kinds[i] == QN_BIND_UNIFORM)
            QN_TRY(qn_ref_holds(call, i, 1, sizeof(struct qn_params_step), err));
    return functions[id](call, err);
}
