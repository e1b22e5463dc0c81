/* Programs: inference errors, fusion and plan against an interpreter, verification of seeded
 * faults. */
#include <math.h>

#include "base/rng.h"
#include "program/program.h"
#include "tests/c/faults.h"

static uint32_t random_state;

static uint32_t random_below(uint32_t n) {
    return qn_rng_u32(7, random_state++, 1) % n;
}

static struct qn_program_op op_of(enum qn_op_kind kind) {
    struct qn_program_op op = {.kind = kind, .out = QN_NONE};
    for (uint32_t i = 0; i < QN_OP_INPUTS; i++)
        op.in[i].tensor = QN_NONE;
    return op;
}

static enum qn_status add_weight(struct qn_program *p, uint32_t *out, uint32_t rows,
                                 uint32_t cols) {
    struct qn_weight w = {
        .format = {.type = QN_W_F32},
        .rows = rows,
        .cols = cols,
        .n_sources = 1,
        .sources = {{.dtype = QN_DTYPE_F32,
                     .nbytes = 4ull * rows * cols,
                     .n_rows = rows == 1 ? cols : rows}},
    };
    struct qn_program_tensor t = {
        .kind = QN_TENSOR_WEIGHT, .n_dims = 2, .dims = {QN_DIM(rows), QN_DIM(cols)}};
    QN_TRY(qn_program_add_weight(p, &t.weight, &w, NULL));
    return qn_program_add_tensor(p, out, &t, NULL);
}

static enum qn_status add_op(struct qn_program *p, uint32_t *out, struct qn_program_op op,
                             uint32_t a, uint32_t b, uint32_t c) {
    op.in[0].tensor = a;
    if (b != QN_NONE)
        op.in[1].tensor = b;
    if (c != QN_NONE)
        op.in[2].tensor = c;
    return qn_program_add_op(p, out, &op, "x", NULL);
}

static enum qn_status add_ids(struct qn_program *p) {
    struct qn_program_tensor ids = {.kind = QN_TENSOR_IDS,
                                    .dtype = QN_DTYPE_U32,
                                    .n_dims = 1,
                                    .dims = {QN_DIM_T},
                                    .weight = QN_NONE};
    return qn_program_add_tensor(p, &p->ids, &ids, NULL);
}

/* ---- One decoder layer, with every kind of op ------------------------------------------------ */

enum {
    HIDDEN = 8,
    HEADS = 4,
    KV = 2,
    HEAD_DIM = 6,
    MLP = 5,
    VOCAB = 11,
    QKV = (HEADS + 2 * KV) * HEAD_DIM
};

static enum qn_status layer_program(struct qn_program *p, struct qn_arena *arena) {
    uint32_t table, norm, qkv_w, qkv_b, o_w, gate_up, down, freq, k, v;
    uint32_t h, x, q, y;
    qn_program_init(p, arena, 4, 16);
    QN_TRY(add_ids(p));
    QN_TRY(add_weight(p, &table, VOCAB, HIDDEN));
    QN_TRY(add_weight(p, &norm, 1, HIDDEN));
    QN_TRY(add_weight(p, &qkv_w, QKV, HIDDEN));
    QN_TRY(add_weight(p, &qkv_b, 1, QKV));
    QN_TRY(add_weight(p, &o_w, HIDDEN, HEADS * HEAD_DIM));
    QN_TRY(add_weight(p, &gate_up, 2 * MLP, HIDDEN));
    QN_TRY(add_weight(p, &down, HIDDEN, MLP));
    QN_TRY(add_weight(p, &freq, 1, HEAD_DIM / 2));
    struct qn_program_tensor state = {.kind = QN_TENSOR_STATE,
                                      .dtype = QN_DTYPE_F16,
                                      .n_dims = 3,
                                      .dims = {QN_DIM(KV), QN_DIM(16), QN_DIM(HEAD_DIM)},
                                      .weight = QN_NONE};
    QN_TRY(qn_program_add_tensor(p, &k, &state, NULL));
    QN_TRY(qn_program_add_tensor(p, &v, &state, NULL));

    struct qn_program_op op = op_of(QN_OP_EMBED);
    op.u.embed.scale = 1;
    QN_TRY(add_op(p, &h, op, p->ids, table, QN_NONE));
    op = op_of(QN_OP_RMSNORM);
    op.u.norm.eps = 1e-6f;
    QN_TRY(add_op(p, &x, op, h, norm, QN_NONE));
    QN_TRY(add_op(p, &x, op_of(QN_OP_MATMUL), x, qkv_w, qkv_b));
    op = op_of(QN_OP_ROPE_APPEND);
    op.in[1] = (struct qn_operand){x, HEADS * HEAD_DIM};
    op.in[2] = (struct qn_operand){x, (HEADS + KV) * HEAD_DIM};
    op.in[3].tensor = k;
    op.in[4].tensor = v;
    op.in[5].tensor = freq;
    op.u.rope.n_heads = HEADS;
    op.u.rope.n_kv_heads = KV;
    op.u.rope.head_dim = op.u.rope.n_rot = HEAD_DIM;
    QN_TRY(add_op(p, &q, op, x, QN_NONE, QN_NONE));
    op = op_of(QN_OP_ATTENTION);
    op.u.attention.n_heads = HEADS;
    op.u.attention.n_kv_heads = KV;
    op.u.attention.head_dim = HEAD_DIM;
    op.u.attention.scale = 0.5f;
    QN_TRY(add_op(p, &x, op, q, k, v));
    QN_TRY(add_op(p, &x, op_of(QN_OP_MATMUL), x, o_w, QN_NONE));
    QN_TRY(add_op(p, &h, op_of(QN_OP_ADD), h, x, QN_NONE));
    op = op_of(QN_OP_RMSNORM);
    QN_TRY(add_op(p, &x, op, h, norm, QN_NONE));
    QN_TRY(add_op(p, &x, op_of(QN_OP_MATMUL), x, gate_up, QN_NONE));
    op = op_of(QN_OP_GLU);
    op.u.glu.act = QN_ACT_RELU;
    QN_TRY(add_op(p, &x, op, x, QN_NONE, QN_NONE));
    QN_TRY(add_op(p, &x, op_of(QN_OP_MATMUL), x, down, QN_NONE));
    QN_TRY(add_op(p, &h, op_of(QN_OP_ADD), h, x, QN_NONE));
    QN_TRY(add_op(p, &y, op_of(QN_OP_LAST_ROWS), h, QN_NONE, QN_NONE));
    return add_op(p, &p->logits, op_of(QN_OP_MATMUL), y, table, QN_NONE);
}

static enum qn_status finish(struct qn_program *p, bool fuse, struct qn_error *err) {
    QN_TRY(qn_program_infer(p, err));
    if (fuse)
        QN_TRY(qn_program_fuse(p, err));
    QN_TRY(qn_program_plan(p, err));
    return qn_program_verify(p, err);
}

static void test_layer(void) {
    struct qn_arena arena;
    struct qn_program p;
    struct qn_error err = {0};
    qn_arena_init(&arena, qn_allocator_default());
    CHECK(layer_program(&p, &arena) == QN_OK);
    CHECK(p.n_ops == 14);
    CHECK_MSG(finish(&p, true, &err) == QN_OK, "%s", err.text);
    static const enum qn_op_kind expected[] = {QN_OP_EMBED,       QN_OP_RMSNORM,    QN_OP_MATMUL,
                                               QN_OP_ROPE_APPEND, QN_OP_ATTENTION,  QN_OP_MATMUL,
                                               QN_OP_RMSNORM,     QN_OP_MATMUL_GLU, QN_OP_MATMUL,
                                               QN_OP_LAST_ROWS,   QN_OP_MATMUL};
    CHECK(p.n_ops == sizeof expected / sizeof expected[0]);
    for (uint32_t i = 0; i < p.n_ops && i < sizeof expected / sizeof expected[0]; i++)
        CHECK(p.ops[i].kind == expected[i]);
    CHECK(p.ops[5].in[3].tensor == p.ops[0].out);
    CHECK(p.ops[8].in[3].tensor == p.ops[5].out);
    CHECK(p.ops[7].u.glu.act == QN_ACT_RELU);
    CHECK(p.state_bytes == 2 * 2 * 16 * 6 * KV);
    const struct qn_program_tensor *logits = &p.tensors[p.logits];
    CHECK(logits->dims[0].sym == QN_SYM_R && logits->dims[1].n == VOCAB);
    qn_arena_free(&arena);
}

/* ---- Inference errors ------------------------------------------------------------------------ */

/* Breaks the layer program in one way and looks for `text` in the message. */
static void expect_infer_error(void (*breaker)(struct qn_program *p), const char *text) {
    struct qn_arena arena;
    struct qn_program p;
    struct qn_error err = {0};
    qn_arena_init(&arena, qn_allocator_default());
    CHECK(layer_program(&p, &arena) == QN_OK);
    breaker(&p);
    CHECK(qn_program_infer(&p, &err) == QN_E_INTERNAL);
    CHECK_MSG(strstr(err.text, text) != NULL, "expected \"%s\" in: %s", text, err.text);
    qn_arena_free(&arena);
}

static void break_cols(struct qn_program *p) {
    p->weights[2].cols = p->tensors[p->ops[2].in[1].tensor].dims[1].n = 9;
}
static void break_kind(struct qn_program *p) {
    p->ops[2].in[1].tensor = p->ops[0].out;
}
static void break_order(struct qn_program *p) {
    p->ops[1].in[0].tensor = p->ops[12].out;
}
static void break_absent(struct qn_program *p) {
    p->ops[12].in[0].tensor = QN_NONE;
}
static void break_extra(struct qn_program *p) {
    p->ops[12].in[3].tensor = p->ops[0].out;
}
static void break_heads(struct qn_program *p) {
    p->ops[4].u.attention.n_heads = 3;
}
static void break_view(struct qn_program *p) {
    p->ops[3].in[2].column += 1;
}
static void break_state(struct qn_program *p) {
    p->tensors[p->ops[4].in[2].tensor].dims[1].n = 15;
}
static void break_vector(struct qn_program *p) {
    p->weights[1].format.type = QN_W_F16;
}
static void break_rows(struct qn_program *p) { // [T] + [R]
    p->ops[13] = p->ops[6];
    p->ops[13].in[1].tensor = p->ops[12].out;
    p->ops[13].out = p->logits;
}
static void break_rot(struct qn_program *p) {
    p->ops[3].u.rope.n_rot = 8;
}
static void break_twice(struct qn_program *p) {
    p->ops[6].out = p->ops[0].out;
}

static void test_infer_errors(void) {
    expect_infer_error(
        break_cols, "op 2 matmul, input 1 (unnamed): expected weight [*, 8], found weight [48, 9]");
    expect_infer_error(break_kind,
                       "op 2 matmul, input 1 (x): expected weight [*, 8], found activation [T, 8]");
    expect_infer_error(
        break_order, "op 1 rmsnorm, input 0 (x): expected activation [*, *], found activation []");
    expect_infer_error(break_absent, "op 12 last_rows, input 0: expected activation");
    expect_infer_error(break_extra, "op 12 last_rows: input 3 must be absent");
    expect_infer_error(break_heads, "op 4 attention: n_heads 3");
    expect_infer_error(
        break_view,
        "op 3 rope_append, input 2 (x): expected activation [*, 12], found activation [T, 48]");
    expect_infer_error(break_state, "expected state [2, 16, 6], found state [2, 15, 6]");
    expect_infer_error(break_vector, "a vector must be f32");
    expect_infer_error(break_rows, "expected activation [T, 8], found activation [R, 8]");
    expect_infer_error(break_rot, "n_rot 8");
    expect_infer_error(break_twice, "no fresh activation");
}

/* ---- Random programs, fused and planned, against plain buffers ------------------------------- */

enum { T = 3, R = 2, MAX_COLS = 24 };

/* Adds 5..40 random ops of the kinds that an interpreter of thirty lines can do. */
static void random_program(struct qn_program *p, struct qn_arena *arena) {
    uint32_t made[64], cols[64], n = 0, rows_t[64], table;
    qn_program_init(p, arena, T, 8);
    p->max_rows = R;
    CHECK(add_ids(p) == QN_OK);
    uint32_t width = 2 * (1 + random_below(4));
    CHECK(add_weight(p, &table, 7, width) == QN_OK);
    struct qn_program_op embed = op_of(QN_OP_EMBED);
    embed.u.embed.scale = 1;
    CHECK(add_op(p, &made[0], embed, p->ids, table, QN_NONE) == QN_OK);
    cols[0] = width;
    rows_t[0] = 1;
    n = 1;
    uint32_t target = 5 + random_below(36);
    while (n < target) {
        uint32_t a = n - 1 - random_below(n < 6 ? n : 6), b = random_below(n), w = QN_NONE,
                 bias = QN_NONE;
        uint32_t out_cols = cols[a], out = QN_NONE, out_t = rows_t[a];
        struct qn_program_op op;
        switch (random_below(6)) {
        case 0:
            op = op_of(QN_OP_RMSNORM);
            op.u.norm.eps = 1e-5f;
            CHECK(add_weight(p, &w, 1, cols[a]) == QN_OK);
            break;
        case 1:
        case 2:
            op = op_of(QN_OP_MATMUL);
            out_cols = random_below(2) ? cols[b] : 2 * (1 + random_below(MAX_COLS / 2));
            CHECK(add_weight(p, &w, out_cols, cols[a]) == QN_OK);
            if (random_below(2))
                CHECK(add_weight(p, &bias, 1, out_cols) == QN_OK);
            break;
        case 3:
            if (cols[a] % 2)
                continue;
            op = op_of(QN_OP_GLU);
            op.u.glu.act = QN_ACT_RELU;
            out_cols = cols[a] / 2;
            break;
        case 4:
            if (cols[a] != cols[b] || rows_t[a] != rows_t[b])
                continue;
            op = op_of(QN_OP_ADD);
            w = made[b];
            break;
        default:
            if (!rows_t[a] || random_below(4))
                continue;
            op = op_of(QN_OP_LAST_ROWS);
            out_t = 0;
        }
        CHECK(add_op(p, &out, op, made[a], w, bias) == QN_OK);
        made[n] = out;
        cols[n] = out_cols;
        rows_t[n++] = out_t;
    }
    uint32_t last = made[n - 1], head;
    if (rows_t[n - 1])
        CHECK(add_op(p, &last, op_of(QN_OP_LAST_ROWS), last, QN_NONE, QN_NONE) == QN_OK);
    CHECK(add_weight(p, &head, 9, cols[n - 1]) == QN_OK);
    CHECK(add_op(p, &p->logits, op_of(QN_OP_MATMUL), last, head, QN_NONE) == QN_OK);
}

/* Element i of a weight, made up. */
static float weight_at(uint32_t weight, uint32_t i) {
    return qn_rng_unit(99, weight, i) - 0.5f;
}

/* Runs op by op; `at` says where each activation lies. */
static void interpret(const struct qn_program *p,
                      float *(*at)(const struct qn_program *, uint32_t, void *), void *ud) {
    for (uint32_t i = 0; i < p->n_ops; i++) {
        const struct qn_program_op *op = &p->ops[i];
        const struct qn_program_tensor *out = &p->tensors[op->out];
        uint32_t rows = qn_dim_value(out->dims[0], T, R), cols = out->dims[1].n;
        float *y = at(p, op->out, ud);
        const float *x = op->kind == QN_OP_EMBED ? NULL : at(p, op->in[0].tensor, ud);
        uint32_t k = op->kind == QN_OP_EMBED ? 0 : p->tensors[op->in[0].tensor].dims[1].n;
        const struct qn_program_tensor *second =
            op->in[1].tensor == QN_NONE ? NULL : &p->tensors[op->in[1].tensor];
        for (uint32_t r = 0; r < rows; r++)
            for (uint32_t c = 0; c < cols; c++) {
                float v = 0;
                switch (op->kind) {
                case QN_OP_EMBED:
                    v = weight_at(second->weight, r * cols + c);
                    break;
                case QN_OP_RMSNORM:
                    for (uint32_t j = 0; j < k; j++)
                        v += x[r * k + j] * x[r * k + j];
                    v = x[r * k + c] / sqrtf(v / (float)k + op->u.norm.eps) *
                        weight_at(second->weight, c);
                    if (op->in[3].tensor != QN_NONE)
                        v += at(p, op->in[3].tensor, ud)[r * cols + c];
                    break;
                case QN_OP_MATMUL:
                case QN_OP_MATMUL_GLU: {
                    float both[2] = {0, 0};
                    for (uint32_t part = 0; part < (op->kind == QN_OP_MATMUL ? 1 : 2); part++) {
                        uint32_t n = c + part * cols;
                        for (uint32_t j = 0; j < k; j++)
                            both[part] += x[r * k + j] * weight_at(second->weight, n * k + j);
                        if (op->in[2].tensor != QN_NONE)
                            both[part] += weight_at(p->tensors[op->in[2].tensor].weight, n);
                    }
                    v = both[0];
                    if (op->kind == QN_OP_MATMUL_GLU)
                        v = (v > 0 ? v : 0) * both[1];
                    if (op->in[3].tensor != QN_NONE)
                        v += at(p, op->in[3].tensor, ud)[r * cols + c];
                    break;
                }
                case QN_OP_GLU: {
                    float gate = x[r * k + c];
                    v = (gate > 0 ? gate : 0) * x[r * k + cols + c];
                    break;
                }
                case QN_OP_ADD:
                    v = x[r * k + c] + at(p, op->in[1].tensor, ud)[r * k + c];
                    break;
                case QN_OP_LAST_ROWS:
                    v = x[(T - R + r) * k + c];
                    break;
                default:
                    CHECK(false);
                }
                y[r * cols + c] = v;
            }
    }
}

static float plain_buffers[128][T * MAX_COLS];

static float *at_plain(const struct qn_program *p, uint32_t tensor, void *ud) {
    (void)p, (void)ud;
    return plain_buffers[tensor];
}

static float *at_arena(const struct qn_program *p, uint32_t tensor, void *ud) {
    return (float *)((char *)ud + p->tensors[tensor].offset);
}

static void test_random_programs(void) {
    uint64_t fused_away = 0, saved = 0;
    for (uint32_t round = 0; round < 400; round++) {
        struct qn_arena arena;
        struct qn_program p;
        struct qn_error err = {0};
        float expected[R * 9];
        qn_arena_init(&arena, qn_allocator_default());
        random_state = round * 1000;
        random_program(&p, &arena);
        CHECK_MSG(qn_program_infer(&p, &err) == QN_OK, "%s", err.text);
        interpret(&p, at_plain, NULL);
        memcpy(expected, plain_buffers[p.logits], sizeof expected);

        uint32_t before = p.n_ops;
        CHECK_MSG(finish(&p, true, &err) == QN_OK, "round %u: %s", round, err.text);
        fused_away += before - p.n_ops;
        uint64_t sum = 0;
        for (uint32_t i = 0; i < p.n_tensors; i++) {
            const struct qn_program_tensor *a = &p.tensors[i];
            if (a->kind != QN_TENSOR_ACTIVATION)
                continue;
            sum += a->nbytes;
            CHECK(a->offset % 256 == 0 && a->offset + a->nbytes <= p.arena_bytes);
            for (uint32_t j = 0; j < i; j++) {
                const struct qn_program_tensor *b = &p.tensors[j];
                if (b->kind == QN_TENSOR_ACTIVATION && a->first_op <= b->last_op &&
                    b->first_op <= a->last_op)
                    CHECK(a->offset >= b->offset + b->nbytes || b->offset >= a->offset + a->nbytes);
            }
        }
        saved += sum - (p.arena_bytes < sum ? p.arena_bytes : sum);
        char *memory = malloc(p.arena_bytes);
        memset(memory, 0xff, p.arena_bytes); // NaN wherever nothing was written
        interpret(&p, at_arena, memory);
        CHECK(memcmp(memory + p.tensors[p.logits].offset, expected, sizeof expected) == 0);
        free(memory);
        qn_arena_free(&arena);
    }
    CHECK_MSG(fused_away > 400, "%llu", (unsigned long long)fused_away);
    CHECK(saved > 0);
}

/* ---- Seeded faults --------------------------------------------------------------------------- */

static struct qn_program *faulty;
static uint32_t n_faults;

static void expect_refused(const char *what, uint32_t index) {
    struct qn_error err = {0};
    n_faults++;
    CHECK_MSG(qn_program_verify(faulty, &err) == QN_E_INTERNAL, "not noticed: %s (%u)", what,
              index);
}

/* Sets an integer field to a value, expects refusal, and puts it back. */
#define FAULT(field, value, index)                        \
    do {                                                  \
        __typeof__(field) kept_ = (field);                \
        (field) = (__typeof__(field))(value);             \
        if ((field) != kept_)                             \
            expect_refused(#field " = " #value, (index)); \
        (field) = kept_;                                  \
    } while (0)

static void tensor_faults(struct qn_program *p, uint32_t i) {
    struct qn_program_tensor *t = &p->tensors[i];
    for (uint32_t kind = 0; kind < 5; kind++)
        FAULT(t->kind, kind, i);
    FAULT(t->dtype, QN_DTYPE_I8, i);
    FAULT(t->dtype, QN_DTYPE_F64, i);
    FAULT(t->n_dims, 0, i);
    FAULT(t->n_dims, 5, i);
    FAULT(t->n_dims, t->n_dims - 1, i);
    for (uint32_t j = 0; j < t->n_dims; j++) {
        FAULT(t->dims[j].n, 0, i);
        FAULT(t->dims[j].n, t->dims[j].n + 1, i);
        for (uint32_t sym = 0; sym < 4; sym++)
            FAULT(t->dims[j].sym, sym, i);
    }
    if (t->kind == QN_TENSOR_WEIGHT)
        FAULT(t->weight, p->n_weights, i);
    FAULT(t->offset, t->offset + 4, i);
    FAULT(t->offset, UINT64_MAX - 255, i);
    FAULT(t->nbytes, t->nbytes + 1, i);
    FAULT(t->first_op, t->first_op + 1, i);
    FAULT(t->last_op, t->last_op + 1, i);
    for (uint32_t j = 0; t->kind == QN_TENSOR_ACTIVATION && j < p->n_tensors; j++) {
        const struct qn_program_tensor *o = &p->tensors[j];
        if (j != i && o->kind == QN_TENSOR_ACTIVATION && o->first_op <= t->last_op &&
            t->first_op <= o->last_op)
            FAULT(t->offset, o->offset, i);
    }
}

static void op_faults(struct qn_program *p, uint32_t i) {
    struct qn_program_op *op = &p->ops[i];
    for (uint32_t kind = 0; kind <= QN_OP_COUNT; kind++)
        if (!(op->kind == QN_OP_RMSNORM && kind == QN_OP_LAYERNORM)) // valid too: no bias
            FAULT(op->kind, kind, i);
    for (uint32_t j = 0; j < QN_OP_INPUTS; j++) {
        /* A norm's vector as bias of a matrix of that width is another valid program. */
        for (uint32_t t = 0; t <= p->n_tensors; t++)
            if (!(op->kind == QN_OP_MATMUL && j == 2 && t == p->ops[1].in[1].tensor) &&
                !(op->kind == QN_OP_RMSNORM && j == 3)) // a residual is one more valid program
                FAULT(op->in[j].tensor, t, i);
        FAULT(op->in[j].tensor, QN_NONE, i);
        if (op->in[j].tensor != QN_NONE)
            FAULT(op->in[j].column, 1000, i);
    }
    for (uint32_t t = 0; t <= p->n_tensors; t++)
        FAULT(op->out, t, i);
    if (op->kind == QN_OP_MATMUL_GLU)
        FAULT(op->u.glu.act, 4, i);
    if (op->kind == QN_OP_RMSNORM) {
        FAULT(op->u.norm.eps, -1.0f, i);
        FAULT(op->u.norm.eps, INFINITY, i);
        FAULT(op->u.norm.group, 3, i);
        FAULT(op->u.norm.cols, 4, i);
        FAULT(op->u.norm.cols, 1000, i);
    }
    if (op->kind == QN_OP_ROPE_APPEND) {
        FAULT(op->u.rope.n_heads, 0, i);
        FAULT(op->u.rope.n_heads, 8, i);
        FAULT(op->u.rope.n_kv_heads, 0, i);
        FAULT(op->u.rope.n_kv_heads, 4, i);
        FAULT(op->u.rope.head_dim, 5, i);
        FAULT(op->u.rope.n_rot, 5, i);
        FAULT(op->u.rope.n_rot, 4, i);
        FAULT(op->u.rope.n_sets, 2, i);
        FAULT(op->u.rope.n_sets, 3, i);
        FAULT(op->u.rope.magnitude, NAN, i);
        FAULT(op->u.rope.head_stride, 1, i);
        FAULT(op->u.rope.head_stride, 1000, i);
        FAULT(op->u.rope.head_stride, UINT32_MAX, i);
    }
    if (op->kind == QN_OP_ATTENTION) {
        FAULT(op->u.attention.n_heads, UINT32_MAX - 1, i);
        FAULT(op->u.attention.n_kv_heads, 1, i);
        FAULT(op->u.attention.head_dim, 12, i);
        FAULT(op->u.attention.scale, NAN, i);
        FAULT(op->u.attention.softcap, NAN, i);
        FAULT(op->u.attention.softcap, -1.0f, i);
    }
    if (op->kind == QN_OP_MATMUL) {
        FAULT(op->u.matmul.softcap, NAN, i);
        FAULT(op->u.matmul.softcap, -1.0f, i);
        if (op->in[3].tensor != QN_NONE)
            FAULT(op->u.matmul.softcap, 30.0f, i);
    }
}

static void weight_faults(struct qn_program *p, uint32_t i) {
    struct qn_weight *w = &p->weights[i];
    FAULT(w->rows, 0, i);
    FAULT(w->rows, w->rows + 1, i);
    FAULT(w->cols, 0, i);
    FAULT(w->cols, w->cols + 1, i);
    for (uint32_t type = 0; type <= QN_WTYPE_COUNT; type++)
        FAULT(w->format.type, type, i);
    FAULT(w->format.scale, w->format.scale ? QN_DTYPE_NONE : QN_DTYPE_F16, i);
    FAULT(w->format.zero, 16, i);
    static const float computed[64];
    FAULT(w->computed, computed, i);
    FAULT(w->n_sources, 0, i);
    FAULT(w->n_sources, w->n_sources + 1, i);
    FAULT(w->n_sources, QN_WEIGHT_SOURCES + 1, i);
    for (uint32_t j = 0; j < w->n_sources; j++) {
        struct qn_weight_source *s = &w->sources[j];
        FAULT(s->nbytes, s->nbytes - 1, i);
        FAULT(s->dtype, QN_DTYPE_I8, i);
        FAULT(s->dtype, QN_DTYPE_F16, i);
        FAULT(s->plane, !s->plane, i);
        FAULT(s->plane, 2, i);
        FAULT(s->row, s->row + 1, i);
        FAULT(s->n_rows, s->n_rows - 1, i);
    }
}

/* The qkv weight of the layer as MLC stores it, in two pairs of sources. */
static void quantise_qkv(struct qn_program *p) {
    struct qn_weight *w = &p->weights[2];
    uint32_t half = QKV / 2;
    w->format = (struct qn_wformat){QN_W_Q4, QN_DTYPE_BF16, 7, QN_GROUP, false};
    for (uint32_t i = 0; i < 2; i++) {
        w->sources[2 * i] = (struct qn_weight_source){
            .nbytes = 16 * half, .dtype = QN_DTYPE_U32, .row = i * half, .n_rows = half};
        w->sources[2 * i + 1] = (struct qn_weight_source){.nbytes = 2 * half,
                                                          .dtype = QN_DTYPE_BF16,
                                                          .plane = QN_PLANE_SCALES,
                                                          .row = i * half,
                                                          .n_rows = half};
    }
    w->n_sources = 4;
}

static void test_verify_faults(void) {
    struct qn_arena arena;
    struct qn_program p;
    struct qn_error err = {0};
    qn_arena_init(&arena, qn_allocator_default());
    CHECK(layer_program(&p, &arena) == QN_OK);
    quantise_qkv(&p);
    CHECK_MSG(finish(&p, true, &err) == QN_OK, "%s", err.text);
    faulty = &p;
    for (uint32_t i = 0; i < p.n_tensors; i++)
        tensor_faults(&p, i);
    for (uint32_t i = 0; i < p.n_ops; i++)
        op_faults(&p, i);
    for (uint32_t i = 0; i < p.n_weights; i++)
        weight_faults(&p, i);
    FAULT(p.max_tokens, 0, 0);
    FAULT(p.max_tokens, 5, 0);
    FAULT(p.max_tokens, 17, 0);
    FAULT(p.max_rows, 0, 0);
    FAULT(p.max_rows, 3, 0);
    FAULT(p.context, 15, 0);
    FAULT(p.arena_bytes, p.arena_bytes - 1, 0);
    FAULT(p.arena_bytes, p.arena_bytes + 256, 0);
    FAULT(p.state_bytes, p.state_bytes + 1, 0);
    for (uint32_t i = 0; i <= p.n_tensors; i++) {
        FAULT(p.ids, i, i);
        if (i != p.ops[9].out) // the last rows are [R, n] and live to the end, too
            FAULT(p.logits, i, i);
    }
    FAULT(p.sample_vocab, VOCAB + 1, 0);
    FAULT(p.n_ops, p.n_ops - 1, 0);
    FAULT(p.n_weights, p.n_weights - 1, 0);
    FAULT(p.n_tensors, p.n_tensors - 1, 0);
    CHECK_MSG(qn_program_verify(&p, &err) == QN_OK, "%s", err.text); // everything was put back
    CHECK(n_faults > 1000);
    qn_arena_free(&arena);
}

/* ---- Limits and memory ----------------------------------------------------------------------- */

static void test_limits(void) {
    struct qn_arena arena;
    struct qn_program p;
    struct qn_error err = {0};
    qn_arena_init(&arena, qn_allocator_default());
    CHECK(layer_program(&p, &arena) == QN_OK);
    CHECK(qn_program_infer(&p, &err) == QN_OK);
    /* 2^32 - 1 rows of 2^32 - 1 floats: the element count fits, the bytes do not. */
    p.max_tokens = p.max_rows = UINT32_MAX;
    p.tensors[p.ops[0].out].dims[1].n = UINT32_MAX;
    CHECK(qn_program_plan(&p, &err) == QN_E_LIMIT);

    struct qn_program many;
    uint32_t out;
    qn_program_init(&many, &arena, 1, 1);
    struct qn_program_tensor tensor = {.kind = QN_TENSOR_IDS};
    enum qn_status status = QN_OK;
    for (uint32_t i = 0; i < 65536 && status == QN_OK; i++)
        status = qn_program_add_tensor(&many, &out, &tensor, &err);
    CHECK(status == QN_OK && out == 65535);
    CHECK(qn_program_add_tensor(&many, &out, &tensor, &err) == QN_E_LIMIT);
    qn_arena_free(&arena);
}

static enum qn_status scenario(const struct qn_allocator *allocator) {
    struct qn_arena arena;
    struct qn_program p;
    struct qn_error err = {0};
    qn_arena_init(&arena, allocator);
    enum qn_status status = layer_program(&p, &arena);
    for (uint32_t i = 0; i < 200 && status == QN_OK; i++) { // so that every list grows
        uint32_t out;
        status = add_weight(&p, &out, 2000, 2000);
    }
    if (status == QN_OK)
        status = finish(&p, true, &err);
    qn_arena_free(&arena);
    return status;
}

static void test_memory(void) {
    for (int persistent = 0; persistent < 2; persistent++)
        for (uint64_t n = 1;; n++) {
            struct faults faults;
            faults_init(&faults);
            faults.fail_alloc = n;
            faults.persistent = persistent != 0;
            struct qn_allocator allocator = faults_allocator(&faults);
            enum qn_status status = scenario(&allocator);
            CHECK(faults.live == 0);
            if (!faults.fired) {
                CHECK(status == QN_OK);
                CHECK(n > 3);
                break;
            }
            CHECK(status == QN_E_NO_MEMORY);
        }
}

int main(void) {
    test_layer();
    test_infer_errors();
    test_random_programs();
    test_verify_faults();
    test_limits();
    test_memory();
    return test_done("program");
}
