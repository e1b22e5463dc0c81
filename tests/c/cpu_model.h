/* A one-layer decoder with random weights of any shape and format, for tests of the CPU backend. */
#ifndef QN_TEST_CPU_MODEL_H
#define QN_TEST_CPU_MODEL_H

#include <math.h>

#include "base/num.h"
#include "base/rng.h"
#include "cpu/cpu.h"
#include "cpu/exec.h"
#include "tests/c/test.h"
#include "tests/c/weight_formats.h"

struct model_shape {
    enum qn_wtype type;
    enum qn_dtype scale;
    struct qn_wformat format; // instead of both, where it has a group
    uint32_t hidden, n_heads, n_kv_heads, head_dim, n_rot, window, mlp, vocab;
    bool interleaved, no_fusion;
    bool post_norm, no_norm; // norms behind attention and MLP; none before them
    enum qn_act act;
    enum qn_dtype kv;
    uint32_t context, max_tokens;
};

/* Sets a shape's format; one whose scales come in large blocks needs rows of whole ones. */
static inline void model_shape_format(struct model_shape *s, const struct model_format *f) {
    s->type = f->format.type;
    s->format = f->format;
    if (f->format.type < QN_W_Q8 || qn_wformat_block(&f->format).cols <= QN_GROUP)
        return;
    s->hidden = 256;
    s->n_heads = 4;
    s->head_dim = 64;
    s->mlp = 512;
}

struct model {
    struct qn_arena arena;
    struct qn_program program;
    struct qn_error err;
    uint32_t seed;
};

#define MODEL_TRY(m, call) ((m)->err.status == QN_OK ? (void)(call) : (void)0)

static inline float model_random(struct model *m) { // roughly [-1, 1)
    return model_random_of(&m->seed);
}

static inline uint32_t model_weight(struct model *m, const char *name, struct qn_wformat format,
                                    uint32_t rows, uint32_t cols, const float *computed) {
    struct qn_weight w = {.format = format, .rows = rows, .cols = cols, .computed = computed};
    w.name = qn_str_from(name);
    struct qn_program_tensor t = {
        .kind = QN_TENSOR_WEIGHT, .n_dims = 2, .dims = {QN_DIM(rows), QN_DIM(cols)}, .label = name};
    uint32_t out = QN_NONE;
    MODEL_TRY(m, qn_program_add_weight(&m->program, &t.weight, &w, &m->err));
    MODEL_TRY(m, qn_program_add_tensor(&m->program, &out, &t, &m->err));
    return out;
}

static inline uint32_t model_state(struct model *m, const struct model_shape *s) {
    struct qn_program_tensor t = {
        .kind = QN_TENSOR_STATE,
        .dtype = s->kv,
        .n_dims = 3,
        .dims = {QN_DIM(s->n_kv_heads), QN_DIM(s->context), QN_DIM(s->head_dim)},
        .weight = QN_NONE,
        .label = "state"};
    uint32_t out = QN_NONE;
    MODEL_TRY(m, qn_program_add_tensor(&m->program, &out, &t, &m->err));
    return out;
}

static inline struct qn_program_op model_op(enum qn_op_kind kind) {
    struct qn_program_op op = {.kind = kind};
    for (int i = 0; i < QN_OP_INPUTS; i++)
        op.in[i] = (struct qn_operand){QN_NONE, 0};
    return op;
}

static inline uint32_t model_add(struct model *m, struct qn_program_op op, const char *label) {
    uint32_t out = QN_NONE;
    MODEL_TRY(m, qn_program_add_op(&m->program, &out, &op, label, &m->err));
    return out;
}

static inline uint32_t model_matmul(struct model *m, uint32_t x, uint32_t w, uint32_t bias) {
    struct qn_program_op op = model_op(QN_OP_MATMUL);
    op.in[0].tensor = x;
    op.in[1].tensor = w;
    op.in[2].tensor = bias;
    return model_add(m, op, "matmul");
}

static inline uint32_t model_norm(struct model *m, uint32_t x, uint32_t cols) {
    struct qn_program_op op = model_op(QN_OP_RMSNORM);
    op.in[0].tensor = x;
    op.in[1].tensor = model_weight(m, "norm", (struct qn_wformat){.type = QN_W_F32}, 1, cols, NULL);
    op.u.norm.eps = 1e-5f;
    return model_add(m, op, "norm");
}

static inline uint32_t model_sum(struct model *m, uint32_t a, uint32_t b) {
    struct qn_program_op op = model_op(QN_OP_ADD);
    op.in[0].tensor = a;
    op.in[1].tensor = b;
    return model_add(m, op, "add");
}

/* Builds the program; m->err tells. */
static inline void model_build(struct model *m, const struct model_shape *s,
                               const struct qn_allocator *allocator) {
    memset(m, 0, sizeof *m);
    qn_arena_init(&m->arena, allocator);
    qn_program_init(&m->program, &m->arena, s->max_tokens, s->context);
    struct qn_wformat w = {.type = s->type}, f32 = {.type = QN_W_F32};
    if (s->type == QN_W_Q8 || s->type == QN_W_Q4) {
        w.scale = s->scale;
        w.group = QN_GROUP;
    }
    if (s->type == QN_W_Q4)
        w.zero = s->scale == QN_DTYPE_F16 ? 8 : 7;
    if (s->format.group != 0)
        w = s->format;
    uint32_t n_q = s->n_heads * s->head_dim, n_kv = s->n_kv_heads * s->head_dim;
    float *freq = QN_ARENA_NEW(&m->arena, float, s->n_rot / 2);
    if (freq == NULL) {
        m->err.status = QN_E_NO_MEMORY;
        return;
    }
    for (uint32_t i = 0; i < s->n_rot / 2; i++)
        freq[i] = powf(1000.0f, -2.0f * (float)i / (float)s->n_rot);

    struct qn_program_tensor ids = {.kind = QN_TENSOR_IDS,
                                    .dtype = QN_DTYPE_U32,
                                    .n_dims = 1,
                                    .dims = {QN_DIM_T},
                                    .weight = QN_NONE,
                                    .label = "ids"};
    MODEL_TRY(m, qn_program_add_tensor(&m->program, &m->program.ids, &ids, &m->err));
    struct qn_program_op op = model_op(QN_OP_EMBED);
    op.in[0].tensor = m->program.ids;
    op.in[1].tensor = model_weight(m, "table", w, s->vocab, s->hidden, NULL);
    op.u.embed.scale = 3.0f;
    uint32_t x = model_add(m, op, "embed"), y = s->no_norm ? x : model_norm(m, x, s->hidden);

    y = model_matmul(m, y, model_weight(m, "qkv", w, n_q + 2 * n_kv, s->hidden, NULL),
                     model_weight(m, "qkv bias", f32, 1, n_q + 2 * n_kv, NULL));
    uint32_t k_state = model_state(m, s), v_state = model_state(m, s);
    op = model_op(QN_OP_ROPE_APPEND);
    op.in[0] = (struct qn_operand){y, 0};
    op.in[1] = (struct qn_operand){y, n_q};
    op.in[2] = (struct qn_operand){y, n_q + n_kv};
    op.in[3].tensor = k_state;
    op.in[4].tensor = v_state;
    op.in[5].tensor = model_weight(m, "freq", f32, 1, s->n_rot / 2, freq);
    op.u.rope.n_heads = s->n_heads;
    op.u.rope.n_kv_heads = s->n_kv_heads;
    op.u.rope.head_dim = s->head_dim;
    op.u.rope.n_rot = s->n_rot;
    op.u.rope.interleaved = s->interleaved;
    y = model_add(m, op, "rope");
    op = model_op(QN_OP_ATTENTION);
    op.in[0].tensor = y;
    op.in[1].tensor = k_state;
    op.in[2].tensor = v_state;
    op.u.attention.n_heads = s->n_heads;
    op.u.attention.n_kv_heads = s->n_kv_heads;
    op.u.attention.head_dim = s->head_dim;
    op.u.attention.window = s->window;
    op.u.attention.scale = 1.0f / sqrtf((float)s->head_dim);
    y = model_add(m, op, "attention");
    y = model_matmul(m, y, model_weight(m, "o", w, s->hidden, n_q, NULL), QN_NONE);
    x = model_sum(m, x, s->post_norm ? model_norm(m, y, s->hidden) : y);

    y = s->no_norm ? x : model_norm(m, x, s->hidden);
    y = model_matmul(m, y, model_weight(m, "gate up", w, 2 * s->mlp, s->hidden, NULL),
                     model_weight(m, "gate up bias", f32, 1, 2 * s->mlp, NULL));
    op = model_op(QN_OP_GLU);
    op.in[0].tensor = y;
    op.u.glu.act = s->act;
    y = model_add(m, op, "glu");
    y = model_matmul(m, y, model_weight(m, "down", w, s->hidden, s->mlp, NULL), QN_NONE);
    if (s->post_norm) { // the last of them is the head's
        op = model_op(QN_OP_LAST_ROWS);
        op.in[0].tensor = x;
        x = model_add(m, op, "last");
        op.in[0].tensor = y;
        x = model_sum(m, x, model_norm(m, model_add(m, op, "last"), s->hidden));
    } else {
        op = model_op(QN_OP_LAST_ROWS);
        op.in[0].tensor = model_sum(m, x, y);
        x = model_add(m, op, "last");
    }
    y = model_norm(m, x, s->hidden);
    m->program.logits =
        model_matmul(m, y, model_weight(m, "head", w, s->vocab, s->hidden, NULL), QN_NONE);
    MODEL_TRY(m, qn_program_infer(&m->program, &m->err));
    if (!s->no_fusion)
        MODEL_TRY(m, qn_program_fuse(&m->program, &m->err));
    MODEL_TRY(m, qn_program_plan(&m->program, &m->err));
}

/* Random canonical bytes of one weight's planes, written in two pieces each. */
static inline void model_fill_weight(struct model *m, struct qn_backend *backend, uint32_t index) {
    const struct qn_weight *w = &m->program.weights[index];
    if (w->computed != NULL)
        return;
    uint32_t padded = qn_wformat_cols(w->cols);
    size_t value_row = qn_wformat_row(&w->format, w->cols, QN_PLANE_VALUES);
    size_t scale_row = qn_wformat_row(&w->format, w->cols, QN_PLANE_SCALES);
    unsigned char *values = calloc(w->rows, value_row), *scales = calloc(w->rows, scale_row + 1);
    float size = 1.0f / sqrtf((float)w->cols);
    for (uint32_t r = 0; r < w->rows; r++) {
        unsigned char *row = values + r * value_row;
        for (uint32_t c = 0; c < padded; c++) {
            float v = w->rows == 1 ? 1.0f + 0.5f * model_random(m) : 2.0f * size * model_random(m);
            uint32_t word = qn_rng_u32(9, m->seed++, c);
            if (c < w->cols)
                model_put_value(row, c, w->format.type, v, word);
        }
        if (scale_row != 0)
            model_fill_scales(&m->seed, &w->format, size, scales + r * scale_row, scale_row);
    }
    for (int plane = 0; plane < 2; plane++) {
        unsigned char *bytes = plane == 0 ? values : scales;
        size_t row = plane == 0 ? value_row : scale_row, cut = row * (w->rows / 2);
        if (row == 0)
            continue;
        CHECK(backend->ops->write(backend, index, (enum qn_plane)plane, 0, bytes, cut, NULL) == 0);
        CHECK(backend->ops->write(backend, index, (enum qn_plane)plane, cut, bytes + cut,
                                  row * w->rows - cut, NULL) == 0);
        CHECK(backend->ops->write(backend, index, (enum qn_plane)plane, row * w->rows, bytes, 1,
                                  NULL) == QN_E_ARGUMENT);
    }
    free(values);
    free(scales);
}

static inline void model_fill(struct model *m, struct qn_backend *backend) {
    m->seed = 1;
    for (uint32_t i = 0; i < m->program.n_weights; i++)
        model_fill_weight(m, backend, i);
    CHECK(!backend->ops->ready(backend));
    CHECK(backend->ops->finish(backend, NULL) == QN_OK && backend->ops->ready(backend));
}
#endif
