/* Shape rules of the ops that only some families have: what they make, and what they refuse. */
#include <math.h>

#include "program/shape.h"
#include "tests/c/test.h"

enum { X, Y, GATE, WIDE, OUT, W, B, HEAD_W, MATRIX, GLU_W, DOWN_W, ROUTES, HEAD_ROWS, N_TENSORS };

/* A program of one op over a fixed set of tensors. */
struct one {
    struct qn_arena arena;
    struct qn_program p;
    struct qn_program_op *op;
    struct qn_error err;
};

static void tensor(struct one *o, enum qn_tensor_kind kind, struct qn_dim rows, uint32_t cols,
                   enum qn_wtype type) {
    struct qn_program_tensor t = {
        .kind = kind, .n_dims = 2, .dims = {rows, QN_DIM(cols)}, .weight = QN_NONE};
    uint32_t at;
    if (kind == QN_TENSOR_WEIGHT) {
        struct qn_weight w = {.format = {.type = type}, .rows = rows.n, .cols = cols};
        CHECK(qn_program_add_weight(&o->p, &t.weight, &w, &o->err) == QN_OK);
    } else {
        t.dtype = QN_DTYPE_F32;
    }
    CHECK(qn_program_add_tensor(&o->p, &at, &t, &o->err) == QN_OK);
}

/* Five experts of width 3, two used, hidden 8; heads of 4. */
static void open_one(struct one *o, enum qn_op_kind kind) {
    memset(o, 0, sizeof *o);
    qn_arena_init(&o->arena, qn_allocator_default());
    qn_program_init(&o->p, &o->arena, 4, 16);
    tensor(o, QN_TENSOR_ACTIVATION, QN_DIM_T, 8, QN_W_F32);
    tensor(o, QN_TENSOR_ACTIVATION, QN_DIM_T, 8, QN_W_F32);
    tensor(o, QN_TENSOR_ACTIVATION, QN_DIM_T, 1, QN_W_F32);
    tensor(o, QN_TENSOR_ACTIVATION, QN_DIM_T, 20, QN_W_F32);
    tensor(o, QN_TENSOR_ACTIVATION, QN_DIM_T, 6, QN_W_F32);
    tensor(o, QN_TENSOR_WEIGHT, QN_DIM(1), 8, QN_W_F32);
    tensor(o, QN_TENSOR_WEIGHT, QN_DIM(1), 8, QN_W_F32);
    tensor(o, QN_TENSOR_WEIGHT, QN_DIM(1), 4, QN_W_F32);
    tensor(o, QN_TENSOR_WEIGHT, QN_DIM(5), 8, QN_W_F16);
    tensor(o, QN_TENSOR_WEIGHT, QN_DIM(30), 8, QN_W_F16);
    tensor(o, QN_TENSOR_WEIGHT, QN_DIM(40), 3, QN_W_F16);
    tensor(o, QN_TENSOR_ACTIVATION, QN_DIM_T, 4, QN_W_F32);
    tensor(o, QN_TENSOR_ACTIVATION, QN_DIM_R, 8, QN_W_F32);
    struct qn_program_op op = {.kind = kind};
    for (int i = 0; i < QN_OP_INPUTS; i++)
        op.in[i].tensor = QN_NONE;
    uint32_t at;
    CHECK(qn_program_add_op(&o->p, &at, &op, "result", &o->err) == QN_OK);
    CHECK(at == N_TENSORS);
    o->op = &o->p.ops[0];
}

/* What the rule says: columns of the result, or 0 when it refuses. */
static uint32_t columns(struct one *o) {
    struct qn_shape shape;
    enum qn_status status = qn_op_result(&shape, &o->p, 0, &o->err);
    CHECK(status == QN_OK || (status == QN_E_INTERNAL && o->err.text[0]));
    if (status == QN_OK)
        CHECK(shape.n_dims == 2 && shape.dims[0].sym == QN_SYM_T && shape.dims[0].n == 1);
    return status == QN_OK ? shape.dims[1].n : 0;
}

static void inputs(struct one *o, uint32_t a, uint32_t b, uint32_t c) {
    o->op->in[0].tensor = a;
    o->op->in[1].tensor = b;
    o->op->in[2].tensor = c;
}

/* Each operand replaced by each tensor: only those in the sets (bits) are taken. */
static void sweep(struct one *o, const uint32_t sets[3], const char *what) {
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t kept = o->op->in[i].tensor;
        for (uint32_t t = 0; t <= N_TENSORS; t++) {
            o->op->in[i].tensor = t == N_TENSORS ? QN_NONE : t;
            CHECK_MSG((columns(o) != 0) == ((sets[i] >> t & 1) != 0), "%s: input %u is %u", what, i,
                      t);
        }
        o->op->in[i].tensor = kept;
    }
}

#define SET(t) (1u << (t))

static void test_norms(void) {
    struct one o;
    open_one(&o, QN_OP_LAYERNORM);
    inputs(&o, X, W, B);
    CHECK(columns(&o) == 8);
    struct qn_shape shape;
    o.op->in[0].tensor = HEAD_ROWS;
    CHECK(qn_op_result(&shape, &o.p, 0, &o.err) == QN_OK && shape.dims[0].sym == QN_SYM_R);
    o.op->in[0].tensor = X;
    o.op->u.norm.group = 4; // vectors of one head or of all
    o.op->in[1].tensor = HEAD_W;
    CHECK(columns(&o) == 8);
    o.op->in[2].tensor = HEAD_W;
    CHECK(columns(&o) == 8);
    o.op->u.norm.group = 3;
    CHECK(columns(&o) == 0);
    o.op->u.norm.group = 16;
    CHECK(columns(&o) == 0);
    o.op->u.norm.group = 4;
    o.op->in[0] = (struct qn_operand){WIDE, 12}; // a view
    CHECK(columns(&o) == 0);
    o.op->u.norm.cols = 8;
    CHECK(columns(&o) == 8);
    o.op->in[0].column = 13;
    CHECK(columns(&o) == 0);
    o.op->in[0].column = 12;
    o.op->u.norm.eps = -1;
    CHECK(columns(&o) == 0);
    o.op->u.norm.eps = 0;
    o.op->kind = QN_OP_RMSNORM; // takes no bias
    CHECK(columns(&o) == 0);
    o.op->in[2].tensor = QN_NONE;
    CHECK(columns(&o) == 8);
    qn_arena_free(&o.arena);
}

static void test_sums(void) {
    struct one o;
    open_one(&o, QN_OP_ADD);
    inputs(&o, X, Y, GATE);
    o.op->u.add.scale = 0.5f;
    const uint32_t sets[3] = {SET(X) | SET(Y), SET(X) | SET(Y), SET(GATE) | SET(N_TENSORS)};
    sweep(&o, sets, "add");
    o.op->u.add.scale = NAN;
    CHECK(columns(&o) == 0);
    qn_arena_free(&o.arena);

    open_one(&o, QN_OP_ACT);
    inputs(&o, WIDE, QN_NONE, QN_NONE);
    o.op->u.glu.act = QN_ACT_RELU;
    CHECK(columns(&o) == 20);
    o.op->u.glu.act = (enum qn_act)4;
    CHECK(columns(&o) == 0);
    o.op->u.glu.act = QN_ACT_RELU;
    o.op->in[0].tensor = W;
    CHECK(columns(&o) == 0);
    qn_arena_free(&o.arena);
}

static void test_experts(void) {
    struct one o;
    open_one(&o, QN_OP_ROUTE);
    o.op->in[0].tensor = X;
    o.op->u.moe.n_experts = 8;
    o.op->u.moe.n_used = 2;
    CHECK(columns(&o) == 4);
    static const uint32_t bad[][2] = {{8, 0}, {8, 9}, {0, 0}, {7, 2}, {2000, 2}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        o.op->u.moe.n_experts = bad[i][0];
        o.op->u.moe.n_used = bad[i][1];
        CHECK(columns(&o) == 0);
    }
    qn_arena_free(&o.arena);

    open_one(&o, QN_OP_EXPERT_GLU);
    inputs(&o, X, GLU_W, ROUTES);
    o.op->u.moe.n_experts = 5;
    o.op->u.moe.n_used = 2;
    CHECK(columns(&o) == 6);
    const uint32_t glu[3] = {SET(X) | SET(Y), SET(GLU_W), SET(ROUTES)};
    sweep(&o, glu, "expert_glu");
    o.op->u.moe.act = (enum qn_act)4;
    CHECK(columns(&o) == 0);
    o.op->u.moe.act = QN_ACT_SILU;
    o.op->u.moe.n_experts = 4; // 30 rows are no 4 × 2 × F
    CHECK(columns(&o) == 0);
    qn_arena_free(&o.arena);

    open_one(&o, QN_OP_EXPERT_DOWN);
    inputs(&o, OUT, DOWN_W, ROUTES);
    o.op->u.moe.n_experts = 5;
    o.op->u.moe.n_used = 2;
    CHECK(columns(&o) == 8);
    const uint32_t down[3] = {SET(OUT), SET(DOWN_W), SET(ROUTES)};
    sweep(&o, down, "expert_down");
    o.op->u.moe.n_used = 1;
    CHECK(columns(&o) == 0);
    qn_arena_free(&o.arena);
}

static void test_apart_and_gather(void) {
    static float order[] = {3, 0, 7, 8, 16777215, 1, 2, 4}; // past the end too: zeros
    struct one o;
    open_one(&o, QN_OP_GLU);
    inputs(&o, X, Y, QN_NONE);
    CHECK(columns(&o) == 8);
    inputs(&o, X, QN_NONE, QN_NONE);
    CHECK(columns(&o) == 4);
    inputs(&o, X, WIDE, QN_NONE);
    CHECK(columns(&o) == 0);
    inputs(&o, X, HEAD_ROWS, QN_NONE);
    CHECK(columns(&o) == 0);
    qn_arena_free(&o.arena);

    open_one(&o, QN_OP_GATHER);
    inputs(&o, WIDE, W, QN_NONE);
    CHECK(columns(&o) == 0); // a weight that is read: nobody knows what it will hold
    struct qn_weight *w = &o.p.weights[o.p.tensors[W].weight];
    w->computed = order;
    CHECK(columns(&o) == 8);
    static const float bad[] = {-1, NAN, INFINITY, 16777216};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        order[7] = bad[i];
        CHECK(columns(&o) == 0);
    }
    order[7] = 4;
    inputs(&o, WIDE, MATRIX, QN_NONE);
    CHECK(columns(&o) == 0);
    qn_arena_free(&o.arena);
}

static void test_softcap(void) {
    struct one o;
    open_one(&o, QN_OP_MATMUL);
    inputs(&o, X, MATRIX, QN_NONE);
    o.op->u.matmul.softcap = 30;
    CHECK(columns(&o) == 5);
    o.op->u.matmul.softcap = -1;
    CHECK(columns(&o) == 0);
    o.op->u.matmul.softcap = INFINITY;
    CHECK(columns(&o) == 0);
    qn_arena_free(&o.arena);
}

int main(void) {
    test_norms();
    test_sums();
    test_experts();
    test_softcap();
    test_apart_and_gather();
    return test_done("program_ops");
}
