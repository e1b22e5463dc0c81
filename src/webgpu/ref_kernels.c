#include "webgpu/ref_kernels.h"

#include <math.h>
#include <string.h>

#include "base/num.h"
#include "webgpu/packed.h"
#include "webgpu/ref_call.h"

static uint32_t row_count(const struct qn_params_step *step, uint32_t sym) {
    return sym == QN_ROWS_R ? step->n_rows : step->n_tokens;
}

static uint32_t row_source(const struct qn_params_step *step, uint32_t tail) {
    return tail ? step->n_tokens - step->n_rows : 0;
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
        uint32_t row = (p->by == 0 ? ids[of.id] : p->by == 1 ? of.pos : 0) - p->row_begin;
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
    QN_TRY(qn_ref_holds(c, 2, qn_ref_extent(rows + skip, p->x_stride, p->x_column, (uint32_t)whole),
                        4, err));
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
    uint32_t chunk;    // results that one place of an arg-max stands for; 0: out takes results
    bool packed, pack; // x, out
    bool integers;     // x becomes integers as if it were packed
    uint32_t keeper;   // binding that takes what POST makes
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

/* Σ_k x[k] W[row, k], of x times norm where that is given. */
static double product_row(const struct product *m, const float *x, const float *norm, size_t row) {
    double sum = 0;
    for (uint32_t g = 0; g < m->w.groups; g++) {
        float group[QN_GROUP];
        qn_ref_decode_group(group, &m->w, row, g);
        float from[QN_GROUP];
        if (m->packed)
            qn_packed_get(from, x, m->w.groups, g);
        for (uint32_t i = 0; i < QN_GROUP && g * QN_GROUP + i < m->p->cols; i++) {
            uint32_t k = g * QN_GROUP + i;
            sum += m->packed ? (double)group[i] * from[i]
                             : (double)group[i] * x[k] * (norm != NULL ? norm[k] : 1.0f);
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
    QN_TRY(qn_ref_holds(
        c, 6, qn_ref_extent(before + 1, p->residual_stride, p->residual_column, p->cols), 4, err));
    QN_TRY(qn_ref_holds(c, 7, p->cols, 4, err));
    double sum = 0;
    for (uint32_t i = 0; i < p->cols; i++)
        sum += (double)x[i] * x[i];
    double scale = 1 / sqrt(sum / p->cols + p->post_eps);
    for (uint32_t i = 0; i < p->cols; i++)
        out[i] = (float)(x[i] * scale * post[i] + residual[i]);
    if (p->kept && !m->chunk) {
        QN_TRY(qn_ref_holds(c, m->keeper, p->kept + (z + 1) * (uint64_t)p->cols, 4, err));
        memcpy((float *)c->p[m->keeper] + p->kept + (size_t)z * p->cols, out,
               p->cols * sizeof *out);
    }
    return QN_OK;
}

/* Row z of x: where it lies, or made in `own`. */
static enum qn_status row_of(const float **out, float own[QN_MATVEC_DOT_MADE],
                             const struct product *m, const struct qn_ref_call *c, uint32_t z,
                             struct qn_error *err) {
    const struct qn_params_matmul *p = m->p;
    uint32_t skip = row_source(c->p[1], p->tail & 1);
    *out = own;
    if (m->head_dim)
        return qn_ref_joined(own, c, m->head_dim, z, err);
    if (m->post)
        return behind(own, m, c, z, err);
    *out = (const float *)c->p[2] + (size_t)(z + skip) * p->x_stride + p->x_column;
    return QN_OK;
}

/* Group g of x times norm, where that is given; 0 past the end. */
static void group_of(float out[QN_GROUP], const float *x, const float *norm, uint32_t cols,
                     uint32_t g) {
    for (uint32_t i = 0; i < QN_GROUP; i++) {
        uint32_t k = g * QN_GROUP + i;
        out[i] = k < cols ? x[k] * (norm != NULL ? norm[k] : 1) : 0;
    }
}

/* The row as integers and back: [cols] → out. */
static void round_row(float *out, const float *x, const float *norm, uint32_t cols) {
    for (uint32_t g = 0; g * QN_GROUP < cols; g++) {
        float group[QN_GROUP];
        unsigned char packed[QN_PACKED_BYTES];
        group_of(group, x, norm, cols, g);
        qn_packed_put(packed, 1, 0, group, 0);
        (void)qn_packed_get(group, packed, 1, 0);
        memcpy(out + g * QN_GROUP, group, qn_min_u32(QN_GROUP, cols - g * QN_GROUP) * sizeof *out);
    }
}

static double squares(const float *x, uint32_t n) {
    double sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += (double)x[i] * x[i];
    return sum;
}

static enum qn_status product(const struct product *m, const struct qn_ref_call *c, uint32_t rows,
                              struct qn_error *err) {
    const struct qn_params_matmul *p = m->p;
    const struct qn_params_step *step = c->p[1];
    const float *bias = c->p[5], *residual = c->p[6];
    float *out = c->p[8], group[QN_GROUP];
    uint32_t skip = row_source(step, p->tail & 1), end = p->row_begin + p->n_rows;
    float own[QN_MATVEC_DOT_MADE];
    uint32_t cols = m->packed ? m->w.groups * QN_PACKED_BYTES / 4 : p->cols;
    if (!m->head_dim)
        QN_TRY(
            qn_ref_holds(c, 2, qn_ref_extent(rows + skip, p->x_stride, p->x_column, cols), 4, err));
    if (m->pack && (p->n_rows % QN_GROUP || p->row_begin || p->out_stride < p->n_rows))
        return qn_fail(err, QN_E_INTERNAL, "%u results from %u on, packed", p->n_rows,
                       p->row_begin);
    QN_TRY(qn_ref_holds(c, 5, m->bias ? end + (m->glu ? p->up_row : 0) : 0, 4, err));
    uint32_t column = m->residual ? p->residual_column : 0;
    QN_TRY(qn_ref_holds(
        c, 6, m->residual ? qn_ref_extent(rows, p->residual_stride, column, end) : 0, 4, err));
    bool normed = m->norm && !m->packed;
    QN_TRY(qn_ref_holds(c, 7, normed ? (uint64_t)p->norm_at + p->cols : 0, 4, err));
    uint32_t places = m->chunk ? p->kept + qn_ceil_div_u32(p->n_rows, m->chunk) : 0;
    QN_TRY(qn_ref_holds(c, 8, qn_ref_extent(rows, p->out_stride, 0, places ? places : end),
                        places ? 8 : 4, err));
    if (m->glu && m->bias && p->row_begin) // whose up half of the bias would not be told
        return qn_fail(err, QN_E_INTERNAL, "a gated matrix with a bias must be one slab");
    for (uint32_t z = 0; z < rows; z++) {
        const float *row;
        QN_TRY(row_of(&row, own, m, c, z, err));
        double scale = 1;
        if (m->norm) {
            double sum = m->packed     ? qn_packed_get(group, row, m->w.groups, 0)
                         : m->integers ? (float)squares(row, p->cols)
                                       : squares(row, p->cols);
            scale = 1 / sqrt(sum / p->cols + p->eps);
        }
        const float *norm = normed ? (const float *)c->p[7] + p->norm_at : NULL;
        if (m->integers && p->cols <= QN_MATVEC_DOT_MADE) {
            round_row(own, row, norm, p->cols);
            row = own;
            norm = NULL;
        }
        for (uint32_t n = 0; n < p->n_rows; n++) {
            uint32_t at = p->row_begin + n;
            double v = product_row(m, row, norm, n) * scale + (m->bias ? bias[at] : 0);
            if (m->glu) {
                double up = product_row(m, row, norm, n + p->up_row) * scale;
                v = qn_ref_act(m->act, v) * (up + (m->bias ? bias[at + p->up_row] : 0));
            }
            if (p->softcap != 0)
                v = p->softcap * tanh(v / p->softcap);
            if (m->residual)
                v += residual[(size_t)z * p->residual_stride + column + at];
            if (m->pack) {
                group[n % QN_GROUP] = (float)v;
                if (n % QN_GROUP == QN_GROUP - 1)
                    qn_packed_put(out + (size_t)z * p->out_stride, p->n_rows / QN_GROUP,
                                  n / QN_GROUP, group, 0);
            } else if (m->chunk == 0)
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
        .keeper = 8,
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
    struct qn_matvec_tune tune = {
        (uint32_t)c->constants[8], (uint32_t)c->constants[9], 0, 0, (uint32_t)c->constants[10], 64};
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

/* What matvec_dot and matvec_packed want alike. */
static enum qn_status dot_tune_ok(const struct product *m, const struct qn_matvec_tune *tune,
                                  struct qn_error *err) {
    const struct qn_params_matmul *p = m->p;
    uint32_t sets = tune->rows * (m->glu ? 2 : 1);
    if (tune->lanes < 4 || tune->lanes > 32 || tune->lanes & (tune->lanes - 1) || !tune->rows ||
        sets > 4 || (tune->rows & (tune->rows - 1)) || (m->chunk && m->glu))
        return qn_fail(err, QN_E_INTERNAL, "dot products: LANES %u, ROWS %u", tune->lanes,
                       tune->rows);
    if ((p->cols | p->x_stride | p->x_column) % 4)
        return qn_fail(err, QN_E_INTERNAL, "dot products: %u columns, stride %u, column %u",
                       p->cols, p->x_stride, p->x_column);
    if (m->pack && qn_grid_matvec_rows(*tune) % QN_GROUP)
        return qn_fail(err, QN_E_INTERNAL, "dot products: %u results, packed",
                       qn_grid_matvec_rows(*tune));
    return QN_OK;
}

/* What they then do. */
static enum qn_status dot_product(struct product *m, const struct qn_ref_call *c,
                                  struct qn_matvec_tune tune, struct qn_error *err) {
    QN_TRY(product_weights(m, c, err));
    if (!qn_matvec_dot_takes(&m->w.format))
        return qn_fail(err, QN_E_INTERNAL, "dot products: %s", qn_wformat_name(&m->w.format));
    uint32_t rows = row_count(c->p[1], m->p->rows_sym);
    QN_TRY(qn_ref_covers(c, qn_grid_matvec(m->p, tune, rows), err));
    return product(m, c, rows, err);
}

static enum qn_status matvec_dot(const struct qn_ref_call *c, struct qn_error *err) {
    struct product m;
    product_begin(&m, c, true);
    m.head_dim = (uint32_t)c->constants[12];
    m.post = c->constants[13] != 0;
    const struct qn_params_matmul *p = m.p;
    struct qn_matvec_tune tune = {(uint32_t)c->constants[8],
                                  (uint32_t)c->constants[9],
                                  (uint32_t)c->constants[10],
                                  (uint32_t)c->constants[11],
                                  1,
                                  256};
    m.pack = c->constants[14] != 0;
    m.integers = true;
    if (c->constants[15] != 0 && tune.lanes)
        m.chunk = qn_grid_matvec_rows(tune);
    uint32_t groups = qn_ceil_div_u32(p->cols, QN_GROUP);
    QN_TRY(dot_tune_ok(&m, &tune, err));
    if (!tune.ahead || tune.ahead > 4 || !tune.span || tune.span % 2 || tune.span * 72 > 15072)
        return qn_fail(err, QN_E_INTERNAL, "matvec_dot: SPAN %u, AHEAD %u", tune.span, tune.ahead);
    // Else a row's sums would be in another order beside others than alone.
    if (tune.span < groups && (tune.span % tune.lanes || (m.norm && tune.span % 64)))
        return qn_fail(err, QN_E_INTERNAL, "matvec_dot: spans of %u groups", tune.span);
    return dot_product(&m, c, tune, err);
}

static enum qn_status matvec_packed(const struct qn_ref_call *c, struct qn_error *err) {
    struct product m;
    product_begin(&m, c, true);
    struct qn_matvec_tune tune = {
        (uint32_t)c->constants[8],  (uint32_t)c->constants[9],  0,
        (uint32_t)c->constants[10], (uint32_t)c->constants[12], (uint32_t)c->constants[11]};
    m.packed = true;
    m.pack = c->constants[13] != 0;
    if (c->constants[14] != 0 && tune.lanes)
        m.chunk = qn_grid_matvec_rows(tune);
    QN_TRY(dot_tune_ok(&m, &tune, err));
    if (!tune.ahead || tune.ahead > 2 || (tune.threads != 128 && tune.threads != 256) ||
        !cols_ok(&tune, 1))
        return qn_fail(err, QN_E_INTERNAL, "matvec_packed: AHEAD %u, THREADS %u, COLS %u",
                       tune.ahead, tune.threads, tune.cols);
    return dot_product(&m, c, tune, err);
}

static enum qn_status pack_rows(const struct qn_ref_call *c, struct qn_error *err) {
    const struct qn_params_matmul *p = c->p[0];
    struct product m = {.p = p,
                        .norm = c->constants[0] != 0,
                        .head_dim = (uint32_t)c->constants[1],
                        .post = c->constants[2] != 0,
                        .keeper = 9};
    uint32_t rows = row_count(c->p[1], p->rows_sym), groups = qn_ceil_div_u32(p->cols, QN_GROUP),
             skip = row_source(c->p[1], p->tail & 1);
    float own[QN_MATVEC_DOT_MADE], x[QN_GROUP];
    const float *norm = m.norm ? (const float *)c->p[7] + p->norm_at : NULL;
    bool whole = m.norm || m.post;
    QN_TRY(qn_ref_covers(c, qn_grid_pack_rows(p, whole, rows), err));
    if (whole && c->grid.x != 1)
        return qn_fail(err, QN_E_INTERNAL, "pack_rows: %u workgroups a row", c->grid.x);
    if (!m.head_dim)
        QN_TRY(qn_ref_holds(c, 2, qn_ref_extent(rows + skip, p->x_stride, p->x_column, p->cols), 4,
                            err));
    QN_TRY(qn_ref_holds(c, 7, m.norm ? (uint64_t)p->norm_at + p->cols : 0, 4, err));
    QN_TRY(qn_ref_holds(c, 8, (uint64_t)rows * groups, QN_PACKED_BYTES, err));
    for (uint32_t z = 0; z < rows; z++) {
        const float *row;
        QN_TRY(row_of(&row, own, &m, c, z, err));
        float square = m.norm ? (float)squares(row, p->cols) : 0;
        for (uint32_t g = 0; g < groups; g++) {
            group_of(x, row, norm, p->cols, g);
            qn_packed_put((unsigned char *)c->p[8] + (size_t)z * groups * QN_PACKED_BYTES, groups,
                          g, x, square);
        }
    }
    return QN_OK;
}

static enum qn_status tiles(const struct qn_ref_call *c, enum qn_kernel_id id,
                            struct qn_error *err) {
    const float *k = c->constants + 8;
    struct qn_matmul_tile t = {(uint32_t)k[0], (uint32_t)k[1], (uint32_t)k[2], (uint32_t)k[3], 2};
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

static enum qn_status matmul_packed(const struct qn_ref_call *c, struct qn_error *err) {
    const float *k = c->constants + 7;
    struct qn_matmul_tile t = {(uint32_t)k[0], (uint32_t)k[1], (uint32_t)k[2], 1, (uint32_t)k[3]};
    uint32_t lines = t.tx * t.quads * 4;
    struct product m;
    product_begin(&m, c, false);
    m.packed = true;
    QN_TRY(product_weights(&m, c, err));
    uint32_t rows = row_count(c->p[1], m.p->rows_sym);
    if ((t.tx != 8 && t.tx != 16 && t.tx != 32) || (t.ty != 4 && t.ty != 8 && t.ty != 16) ||
        (t.slices != 1 && t.slices != 2 && t.slices != 4) || (lines != 64 && lines != 128) ||
        t.quads * 4 > t.ty || !qn_matvec_dot_takes(&m.w.format))
        return qn_fail(err, QN_E_INTERNAL, "matmul_packed: %u × %u × %u × %u of %s", t.tx, t.ty,
                       t.slices, t.quads, qn_wformat_name(&m.w.format));
    QN_TRY(qn_ref_covers(c, qn_grid_matmul_tiles(m.p, m.glu, t, rows), err));
    if (m.p->x_stride != m.w.groups * QN_PACKED_BYTES / 4 || m.p->x_column || m.p->tail)
        return qn_fail(err, QN_E_INTERNAL, "matmul_packed: rows %u apart", m.p->x_stride);
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
    QN_TRY(qn_ref_holds(c, 2, qn_ref_extent(rows, p->x_stride, p->x_column, p->cols), 4, err));
    QN_TRY(qn_ref_holds(c, 3, qn_ref_extent(rows, p->up_stride, p->up_column, p->cols), 4, err));
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
    QN_TRY(qn_ref_holds(c, 2, qn_ref_extent(rows, p->x_stride, p->x_column, p->x_cols), 4, err));
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
    QN_TRY(qn_ref_holds(c, 2, qn_ref_extent(rows, p->x_stride, p->x_column, p->cols), 4, err));
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
    QN_TRY(qn_ref_holds(c, 2, qn_ref_extent(rows, p->a_stride, p->a_column, p->cols), 4, err));
    QN_TRY(qn_ref_holds(c, 3, qn_ref_extent(rows, p->b_stride, p->b_column, p->cols), 4, err));
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
    QN_TRY(qn_ref_holds(c, 2, qn_ref_extent(step->n_tokens, p->x_stride, p->x_column, p->cols), 4,
                        err));
    QN_TRY(qn_ref_holds(c, 3, (uint64_t)step->n_rows * p->cols, 4, err));
    bool pools = step->pooling > QN_POOL_LAST, mean = step->pooling == QN_POOL_MEAN;
    if (pools && step->n_rows != 1)
        return qn_fail(err, QN_E_INTERNAL, "last_rows: %u pooled rows", step->n_rows);
    for (size_t r = 0; r < step->n_rows; r++)
        for (uint32_t i = 0; i < p->cols; i++) {
            const float *from = x + p->x_column + i;
            uint32_t n = mean ? step->n_tokens : 1;
            double sum = 0;
            for (size_t t = pools ? 0 : r + row_source(step, 1), end = t + n; t < end; t++)
                sum += from[t * p->x_stride];
            out[r * p->cols + i] = (float)(sum / n);
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
        [QN_KERNEL_MATVEC_PACKED] = matvec_packed,
        [QN_KERNEL_PACK_ROWS] = pack_rows,
        [QN_KERNEL_MATMUL_FEW] = matmul_few,
        [QN_KERNEL_MATMUL_PACKED] = matmul_packed,
        [QN_KERNEL_MATMUL_MATRIX] = matmul_matrix,
        [QN_KERNEL_MATMUL_TILES] = matmul_tiles,
        [QN_KERNEL_GLU] = glu,
        [QN_KERNEL_ACT] = activate,
        [QN_KERNEL_ADD] = add,
        [QN_KERNEL_ROPE_APPEND] = qn_ref_rope_append,
        [QN_KERNEL_ATTENTION_SPLIT] = qn_ref_attention_split,
        [QN_KERNEL_ATTENTION_MERGE] = qn_ref_attention_merge,
        [QN_KERNEL_ATTENTION_PREFILL] = qn_ref_attention_prefill,
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
