/* The SIMD ops against the reference, over formats, odd shapes, ways to cut a prompt and threads;
 * the reference against values worked out by hand. */
#include "tests/c/cpu_model.h"

#define MAX_IDS 160

/* Logits of the last position and arg-max of all, with the prompt cut into steps of `cut`
 * tokens. */
static void run(float *logits, uint32_t *argmax, struct model *m, uint32_t threads,
                qn_cpu_op *const *ops, const uint32_t *ids, uint32_t n, uint32_t cut) {
    struct qn_backend *b;
    struct qn_backend_session *s;
    struct qn_error err = {0};
    if (!CHECK_MSG(qn_cpu_backend_create(&b, qn_allocator_default(), &m->program, threads, &err) ==
                       QN_OK,
                   "%s", err.text))
        return;
    qn_cpu_backend_use(b, ops);
    model_fill(m, b);
    CHECK(b->ops->session_create(b, &s, &err) == QN_OK);
    struct qn_sampling sampling = {0};
    CHECK(b->ops->begin(b, s, &sampling, ids, n, &err) == QN_OK);
    for (uint32_t at = 0; at < n; at += cut) {
        struct qn_step step = {.ids = ids + at, .n = qn_min_u32(cut, n - at), .pos = at};
        step.want = QN_WANT_ARGMAX_ALL | QN_WANT_LOGITS;
        struct qn_step_result result;
        bool ready = false;
        CHECK_MSG(qn_backend_step(b, s, &step, &err) == QN_OK, "%s", err.text);
        CHECK(b->ops->poll(b, s, &result, &ready, &err) == QN_OK && ready);
        CHECK(result.n == step.n && !result.sampled);
        memcpy(argmax + at, result.argmax, step.n * sizeof *argmax);
        uint32_t vocab = m->program.tensors[m->program.logits].dims[1].n;
        memcpy(logits, result.logits, vocab * sizeof *logits);
    }
    b->ops->session_destroy(b, s);
    b->ops->destroy(b);
}

#define TOGETHER 11

/* Sessions of one backend that decode drawn tokens: all in one step, or each alone. Then one step
 * of four tokens by itself, for all its arg-max and the last logits. [TOGETHER][…]. */
static void decode(uint32_t *tokens, uint32_t *argmax, float *logits, struct model *m,
                   qn_cpu_op *const *ops, uint32_t threads, uint32_t batch) {
    struct qn_backend *b;
    struct qn_backend_session *s[TOGETHER];
    struct qn_error err = {0};
    uint32_t vocab = m->program.tensors[m->program.logits].dims[1].n;
    if (!CHECK(qn_cpu_backend_create(&b, qn_allocator_default(), &m->program, threads, &err) ==
               QN_OK))
        return;
    qn_cpu_backend_use(b, ops);
    model_fill(m, b);
    struct qn_step steps[TOGETHER];
    struct qn_step_result result;
    bool ready = false;
    for (uint32_t i = 0; i < TOGETHER; i++) {
        uint32_t ids[4] = {i % vocab, 3 % vocab, (i * 5) % vocab, 1 % vocab}, n = 1 + i % 4;
        struct qn_sampling sampling = {.temperature = 2.0f, .seed = i};
        CHECK(b->ops->session_create(b, &s[i], &err) == QN_OK);
        CHECK(b->ops->begin(b, s[i], &sampling, ids, n, &err) == QN_OK);
        for (uint32_t j = 0; j < n; j++) {
            struct qn_step step = {.ids = ids + j, .n = 1, .pos = j, .sample = j + 1 == n};
            CHECK(qn_backend_step(b, s[i], &step, &err) == QN_OK);
        }
        steps[i] = (struct qn_step){.pos = n, .sample = true, .session = s[i]};
    }
    for (uint32_t k = 0; k < 4; k++) {
        for (uint32_t i = 0; i < TOGETHER; i++) {
            CHECK(b->ops->poll(b, s[i], &result, &ready, &err) == QN_OK && ready);
            tokens[i * 4 + k] = result.token;
        }
        for (uint32_t i = 0; i < TOGETHER; i += batch) {
            uint32_t n = qn_min_u32(batch, TOGETHER - i);
            CHECK_MSG(b->ops->enqueue(b, steps + i, n, &err) == QN_OK, "%s", err.text);
        }
        for (uint32_t i = 0; i < TOGETHER; i++)
            steps[i].pos++;
    }
    for (uint32_t i = 0; i < TOGETHER; i++, argmax += 4, logits += vocab) {
        CHECK(b->ops->poll(b, s[i], &result, &ready, &err) == QN_OK && ready);
        const uint32_t ids[4] = {result.token, tokens[4 * i], tokens[4 * i + 1], tokens[4 * i + 2]};
        struct qn_step step = {.ids = ids,
                               .n = batch > 1 ? 4 : 1,
                               .pos = steps[i].pos,
                               .want = QN_WANT_ARGMAX_ALL | QN_WANT_LOGITS,
                               .exact = true};
        for (; step.ids < ids + 4; step.ids += step.n, step.pos += step.n) {
            CHECK_MSG(qn_backend_step(b, s[i], &step, &err) == QN_OK, "%s", err.text);
            CHECK(b->ops->poll(b, s[i], &result, &ready, &err) == QN_OK && ready);
            memcpy(argmax + (step.ids - ids), result.argmax, step.n * sizeof *argmax);
            memcpy(logits, result.logits, vocab * sizeof *logits);
        }
        b->ops->session_destroy(b, s[i]);
    }
    b->ops->destroy(b);
}

/* Steps that share the weights give what they give alone, bit for bit. */
static void test_together(struct model *m, uint32_t vocab, const char *what) {
    size_t size = (size_t)TOGETHER * vocab * sizeof(float);
    float *want = malloc(size), *got = malloc(size);
    uint32_t tokens[2][TOGETHER * 4], argmax[2][TOGETHER * 4];
    for (int version = 0; version < 3; version++) {
        qn_cpu_op *const *ops = version == 0   ? qn_cpu_ref_ops
                                : version == 1 ? qn_cpu_simd_ops
                                               : qn_cpu_best_ops();
        decode(tokens[0], argmax[0], want, m, ops, 1, 1);
        for (uint32_t batch = 2; batch <= TOGETHER; batch += 3) {
            decode(tokens[1], argmax[1], got, m, ops, 1 + batch % 3, batch);
            CHECK_MSG(memcmp(tokens[0], tokens[1], sizeof *tokens) == 0 &&
                          memcmp(argmax[0], argmax[1], sizeof *argmax) == 0 &&
                          memcmp(want, got, size) == 0,
                      "%s: version %d, batches of %u", what, version, batch);
        }
    }
    free(want);
    free(got);
}

static void test_shape(const struct model_shape *shape, uint32_t n, const char *what) {
    struct model m;
    model_build(&m, shape, qn_allocator_default());
    if (!CHECK_MSG(m.err.status == QN_OK, "%s: %s", what, m.err.text))
        return;
    uint32_t ids[MAX_IDS], want_argmax[MAX_IDS], argmax[MAX_IDS], vocab = shape->vocab;
    for (uint32_t i = 0; i < n; i++)
        ids[i] = qn_rng_u32(3, i, 5) % vocab;
    float *want = malloc(vocab * sizeof *want), *got = malloc(vocab * sizeof *got);
    float *first = malloc(vocab * sizeof *first);
    run(want, want_argmax, &m, 1, qn_cpu_ref_ops, ids, n, shape->max_tokens);
    float peak = 0.0f;
    for (uint32_t i = 0; i < vocab; i++)
        peak = fmaxf(peak, fabsf(want[i]));
    CHECK(peak > 0.01f && peak < 1e6f);
    // Both versions of the SIMD ops, where this processor has two.
    const uint32_t cuts[] = {shape->max_tokens, 1, 2, 3, 5, shape->max_tokens, 1, 2};
    for (size_t c = 0; c < sizeof cuts / sizeof *cuts; c++) {
        qn_cpu_op *const *ops = c < 5 ? qn_cpu_best_ops() : qn_cpu_simd_ops;
        if (cuts[c] > shape->max_tokens || (c >= 5 && qn_cpu_best_ops() == qn_cpu_simd_ops))
            continue;
        for (uint32_t threads = 1; threads <= 3; threads++) {
            run(threads == 1 ? first : got, argmax, &m, threads, ops, ids, n, cuts[c]);
            if (threads != 1) {
                CHECK_MSG(memcmp(got, first, vocab * sizeof *got) == 0, "%s: %u threads", what,
                          threads);
                continue;
            }
            float worst = 0.0f;
            for (uint32_t i = 0; i < vocab; i++) {
                float error = fabsf(first[i] - want[i]);
                worst = error <= worst ? worst : error; // NaN sticks
            }
            // Between two codes of a key, a sum in another order may fall to the other side: one
            // value is off by a step then.
            bool codes = qn_dtype_block(shape->kv) > 1;
            CHECK_MSG(worst <= (codes ? 3e-4f : 1e-5f) * peak, "%s, steps of %u: error %g of %g",
                      what, cuts[c], (double)worst, (double)peak);
            uint32_t wrong = 0;
            for (uint32_t i = 0; i < n; i++)
                wrong += argmax[i] != want_argmax[i];
            CHECK_MSG(wrong == 0, "%s, steps of %u: %u arg-max", what, cuts[c], wrong);
        }
    }
    if (shape->max_tokens >= TOGETHER && vocab < 1000)
        test_together(&m, vocab, what);
    free(want);
    free(got);
    free(first);
    qn_arena_free(&m.arena);
}

static void test_formats(void) {
    for (size_t i = 0; i < MODEL_FORMATS; i++) {
        struct model_shape s = {
            .hidden = 64,
            .n_heads = 4,
            .n_kv_heads = 2,
            .head_dim = 16,
            .n_rot = 16,
            .mlp = 96,
            .vocab = 101,
            .kv = QN_DTYPE_F32,
            .context = 48,
            .max_tokens = 33,
        };
        model_shape_format(&s, &model_formats[i]);
        test_shape(&s, 33, model_formats[i].name);
        if (s.hidden != 64)
            continue;
        s.hidden = 45; // no multiple of anything: padded groups and rows
        s.n_heads = 3;
        s.n_kv_heads = 1;
        s.head_dim = 10;
        s.n_rot = 6;
        s.interleaved = true;
        s.mlp = 37;
        s.act = QN_ACT_GELU_TANH;
        s.kv = QN_DTYPE_F16;
        s.no_fusion = true;
        test_shape(&s, 17, model_formats[i].name);
    }
}

static void test_long(void) {
    // Longer than a block of positions, a strip of columns and a tile of tokens; with a window.
    struct model_shape s = {
        .type = QN_W_Q4,
        .scale = QN_DTYPE_F16,
        .hidden = 1120,
        .n_heads = 2,
        .n_kv_heads = 2,
        .head_dim = 40,
        .n_rot = 40,
        .mlp = 70,
        .vocab = 67,
        .kv = QN_DTYPE_F32,
        .context = MAX_IDS,
        .max_tokens = 130,
    };
    test_shape(&s, MAX_IDS, "long");
    s.hidden = 2112; // more groups than scales decoded at a time
    s.window = 45;
    s.act = QN_ACT_GELU_ERF;
    test_shape(&s, 70, "wide, window");
    s.hidden = 32;
    s.window = 1;
    s.no_fusion = true;
    s.act = QN_ACT_GELU_ERF;
    test_shape(&s, 40, "window 1");
    s.act = QN_ACT_RELU;
    s.no_fusion = false;
    test_shape(&s, 20, "relu");
}

/* Caches of codes: whole blocks of 32, shorter ones, odd dims; with and without a window. */
static void test_caches(void) {
    static const uint32_t dims[][3] = {{128, 1, 0}, {80, 2, 0}, {96, 3, 21},
                                       {300, 1, 9}, {10, 2, 0}, {4, 1, 0}};
    static const enum qn_dtype types[] = {QN_DTYPE_Q8_0, QN_DTYPE_Q4_1};
    for (size_t i = 0; i < sizeof dims / sizeof *dims; i++)
        for (size_t j = 0; j < sizeof types / sizeof *types; j++) {
            char what[40];
            snprintf(what, sizeof what, "head %u, %s", dims[i][0], qn_dtype_name(types[j]));
            struct model_shape s = {
                .type = QN_W_F32,
                .hidden = 48,
                .n_heads = 2 * dims[i][1],
                .n_kv_heads = dims[i][1] == 3 ? 6 : dims[i][1],
                .head_dim = dims[i][0],
                .n_rot = dims[i][0],
                .window = dims[i][2],
                .mlp = 40,
                .vocab = 61,
                .kv = types[j],
                .context = 40,
                .max_tokens = 30,
            };
            test_shape(&s, 40, what);
        }
}

/* ---- By hand -------------------------------------------------------------------------------- */

/* A bare step over two activations and states that the test owns. */
struct bench {
    struct qn_program program;
    struct qn_program_tensor tensors[8];
    struct qn_weight weights[1];
    struct qn_cpu_weight in_place[1];
    float arena[512], scratch[256], *places[8];
    void *states[8];
    struct qn_cpu_step step;
};

static void bench_init(struct bench *b, uint32_t t, uint32_t pos) {
    memset(b, 0, sizeof *b);
    b->program = (struct qn_program){
        .tensors = b->tensors, .n_tensors = 8, .weights = b->weights, .n_weights = 1, .context = 8};
    b->step = (struct qn_cpu_step){.program = &b->program,
                                   .weights = b->in_place,
                                   .places = b->places,
                                   .lane = {b->states, pos, 0},
                                   .scratch = b->scratch,
                                   .t = t,
                                   .r = 1};
}

static void bench_activation(struct bench *b, uint32_t tensor, uint32_t cols, uint32_t place) {
    b->places[tensor] = b->arena + place;
    b->tensors[tensor] = (struct qn_program_tensor){.kind = QN_TENSOR_ACTIVATION,
                                                    .dtype = QN_DTYPE_F32,
                                                    .n_dims = 2,
                                                    .dims = {QN_DIM_T, QN_DIM(cols)}};
}

static void bench_vector(struct bench *b, uint32_t tensor, float *values, uint32_t n) {
    b->tensors[tensor] = (struct qn_program_tensor){.kind = QN_TENSOR_WEIGHT};
    b->in_place[0] =
        (struct qn_cpu_weight){.rows = 1, .cols = n, .values = (unsigned char *)values};
}

static bool near(float a, float b) {
    return fabsf(a - b) <= 2e-6f * (1.0f + fabsf(b));
}

static void test_norm_by_hand(qn_cpu_op *const *ops) {
    struct bench b;
    bench_init(&b, 1, 0);
    bench_activation(&b, 0, 4, 0);
    bench_activation(&b, 1, 4, 64);
    float w[4] = {1, 2, 3, -1};
    bench_vector(&b, 2, w, 4);
    struct qn_program_op op = model_op(QN_OP_RMSNORM);
    op.in[0].tensor = 0;
    op.in[1].tensor = 2;
    op.out = 1;
    op.u.norm.eps = 0.25f; // mean of squares 6, + 0.25 = 2.5²
    const float x[4] = {2, -4, 0, 2};
    memcpy(b.arena, x, sizeof x);
    ops[QN_OP_RMSNORM](&b.step, &op);
    CHECK(near(b.arena[64], 0.8f) && near(b.arena[65], -3.2f));
    CHECK(b.arena[66] == 0.0f && near(b.arena[67], -0.8f));
}

/* Two heads of two columns in a view that begins at column 1. */
static void test_layernorm_by_hand(qn_cpu_op *const *ops) {
    struct bench b;
    bench_init(&b, 1, 0);
    bench_activation(&b, 0, 6, 0);
    bench_activation(&b, 1, 4, 64);
    float w[4] = {2, 3, -1, 5};
    struct qn_program_op op = model_op(QN_OP_LAYERNORM);
    op.in[0] = (struct qn_operand){0, 1};
    op.in[1].tensor = op.in[2].tensor = 2; // the same vector as weight and bias
    op.out = 1;
    op.u.norm.eps = 0.0f;
    op.u.norm.cols = 4;
    op.u.norm.group = 2;
    const float x[6] = {100, 1, 5, -3, -2, 100}; // means 3 and −2.5, deviations 2 and 0.5
    memcpy(b.arena, x, sizeof x);
    bench_vector(&b, 2, w, 4);
    ops[QN_OP_LAYERNORM](&b.step, &op);
    CHECK(near(b.arena[64], -2 + 2) && near(b.arena[65], 3 + 3));
    CHECK(near(b.arena[66], 1 + -1) && near(b.arena[67], 5 + 5));
    bench_vector(&b, 2, w, 2); // one head's vector for both
    ops[QN_OP_LAYERNORM](&b.step, &op);
    CHECK(near(b.arena[66], -2 + 2) && near(b.arena[67], 3 + 3));
    op.kind = QN_OP_RMSNORM;
    op.in[2].tensor = QN_NONE;
    ops[QN_OP_RMSNORM](&b.step, &op);
    CHECK(near(b.arena[64], 2 / sqrtf(13)) && near(b.arena[65], 15 / sqrtf(13)));
}

static void test_sums_by_hand(qn_cpu_op *const *ops) {
    struct bench b;
    bench_init(&b, 2, 0);
    bench_activation(&b, 0, 2, 0);
    bench_activation(&b, 1, 2, 16);
    bench_activation(&b, 2, 1, 32);
    bench_activation(&b, 3, 2, 64);
    struct qn_program_op op = model_op(QN_OP_ADD);
    op.in[0].tensor = 0;
    op.in[1].tensor = 1;
    op.in[2].tensor = 2;
    op.out = 3;
    for (int i = 0; i < 4; i++) {
        b.arena[i] = 10.0f * (float)i;
        b.arena[16 + i] = (float)(1 + i);
    }
    b.arena[33] = logf(3.0f); // sigmoid 3/4; that of 0 is 1/2
    ops[QN_OP_ADD](&b.step, &op);
    CHECK(near(b.arena[64], 0.5f) && near(b.arena[65], 11) && near(b.arena[66], 22.25f));
    op.in[2].tensor = QN_NONE;
    op.u.add.scale = 0.25f;
    ops[QN_OP_ADD](&b.step, &op);
    CHECK(near(b.arena[64], 0.25f) && near(b.arena[67], 31));
    op = model_op(QN_OP_ACT);
    op.in[0].tensor = 1;
    op.out = 3;
    op.u.glu.act = QN_ACT_GELU_ERF;
    ops[QN_OP_ACT](&b.step, &op);
    CHECK(near(b.arena[64], 0.8413447f));
}

/* Probabilities 0.1, 0.2, 0.4, 0.1, 0.2: two of them, ties to the lower index. */
static void test_route_by_hand(qn_cpu_op *const *ops) {
    struct bench b;
    bench_init(&b, 1, 0);
    bench_activation(&b, 0, 5, 0);
    bench_activation(&b, 1, 4, 64);
    const float p[5] = {0.1f, 0.2f, 0.4f, 0.1f, 0.2f};
    for (int i = 0; i < 5; i++)
        b.arena[i] = 7.0f + logf(p[i]);
    struct qn_program_op op = model_op(QN_OP_ROUTE);
    op.in[0].tensor = 0;
    op.out = 1;
    op.u.moe.n_experts = 5;
    op.u.moe.n_used = 2;
    ops[QN_OP_ROUTE](&b.step, &op);
    CHECK(b.arena[64] == 2.0f && b.arena[65] == 1.0f);
    CHECK(near(b.arena[66], 0.4f) && near(b.arena[67], 0.2f));
    op.u.moe.renormalise = true;
    ops[QN_OP_ROUTE](&b.step, &op);
    CHECK(near(b.arena[66], 2.0f / 3) && near(b.arena[67], 1.0f / 3));
}

static void test_rope_by_hand(qn_cpu_op *const *ops) {
    // Position 3, frequencies 0.5 and 0.1: angles 1.5 and 0.3. Column 4 of each head passes
    // through.
    float freq[2] = {0.5f, 0.1f}, k[8 * 5], v[8 * 5];
    float c0 = cosf(1.5f), s0 = sinf(1.5f), c1 = cosf(0.3f), s1 = sinf(0.3f);
    for (int interleaved = 0; interleaved < 2; interleaved++) {
        struct bench b;
        bench_init(&b, 1, 3);
        bench_activation(&b, 0, 15, 0);
        bench_activation(&b, 1, 5, 64);
        bench_vector(&b, 2, freq, 2);
        b.tensors[3] = b.tensors[4] =
            (struct qn_program_tensor){.kind = QN_TENSOR_STATE, .dtype = QN_DTYPE_F32};
        b.states[3] = k;
        b.states[4] = v;
        struct qn_program_op op = model_op(QN_OP_ROPE_APPEND);
        for (uint32_t i = 0; i < 3; i++)
            op.in[i] = (struct qn_operand){0, 5 * i};
        op.in[3].tensor = 3;
        op.in[4].tensor = 4;
        op.in[5].tensor = 2;
        op.out = 1;
        op.u.rope.n_heads = op.u.rope.n_kv_heads = 1;
        op.u.rope.head_dim = 5;
        op.u.rope.n_rot = 4;
        op.u.rope.interleaved = interleaved != 0;
        for (int i = 0; i < 15; i++)
            b.arena[i] = (float)(i % 5 + 1);
        ops[QN_OP_ROPE_APPEND](&b.step, &op);
        const float half_split[5] = {1 * c0 - 3 * s0, 2 * c1 - 4 * s1, 3 * c0 + 1 * s0,
                                     4 * c1 + 2 * s1, 5};
        const float pairs[5] = {1 * c0 - 2 * s0, 2 * c0 + 1 * s0, 3 * c1 - 4 * s1, 4 * c1 + 3 * s1,
                                5};
        for (int i = 0; i < 5; i++) {
            float want = interleaved ? pairs[i] : half_split[i];
            CHECK(near(b.arena[64 + i], want) && near(k[3 * 5 + i], want));
            CHECK(v[3 * 5 + i] == (float)(i + 1));
        }
    }
}

static void test_attention_by_hand(qn_cpu_op *const *ops) {
    // Two query heads on one key head of two columns; scores are 0 but for ln 3 at position 1.
    float k[8 * 2] = {0}, v[8 * 2] = {1, 10, 2, 20, 3, 30, 4, 40};
    k[2] = logf(3.0f);
    for (uint32_t window = 0; window < 4; window++) {
        struct bench b;
        bench_init(&b, 2, 1); // positions 1 and 2
        bench_activation(&b, 0, 4, 0);
        bench_activation(&b, 1, 4, 64);
        b.tensors[3] = b.tensors[4] =
            (struct qn_program_tensor){.kind = QN_TENSOR_STATE, .dtype = QN_DTYPE_F32};
        b.states[3] = k;
        b.states[4] = v;
        struct qn_program_op op = model_op(QN_OP_ATTENTION);
        op.in[0].tensor = 0;
        op.in[1].tensor = 3;
        op.in[2].tensor = 4;
        op.out = 1;
        op.u.attention.n_heads = 2;
        op.u.attention.n_kv_heads = 1;
        op.u.attention.head_dim = 2;
        op.u.attention.window = window;
        op.u.attention.scale = 0.5f;
        for (int t = 0; t < 2; t++)
            b.arena[4 * t] = 2.0f; // head 0 looks along column 0, head 1 at nothing
        ops[QN_OP_ATTENTION](&b.step, &op);
        // Position 1 sees values 1, 2 with weights 1, 3; position 2 also 3 with weight 1.
        const float first[4] = {7.0f / 4, 2, 7.0f / 4, 7.0f / 4};
        const float second[4] = {2, 3, 9.0f / 4, 2};
        const float flat_first[4] = {1.5f, 2, 1.5f, 1.5f}, flat_second[4] = {2, 3, 2.5f, 2};
        CHECK(near(b.arena[64], first[window]) && near(b.arena[65], 10 * first[window]));
        CHECK(near(b.arena[66], flat_first[window]));
        CHECK(near(b.arena[68], second[window]) && near(b.arena[69], 10 * second[window]));
        CHECK(near(b.arena[70], flat_second[window]));
    }
}

static void test_acts(void) {
    // Values from a table of the functions, to seven digits.
    CHECK(near(qn_cpu_act(QN_ACT_SILU, 1.0f), 0.7310586f));
    CHECK(near(qn_cpu_act(QN_ACT_GELU_ERF, 1.0f), 0.8413447f));
    CHECK(near(qn_cpu_act(QN_ACT_GELU_TANH, 1.0f), 0.8411920f));
    CHECK(qn_cpu_act(QN_ACT_RELU, -1.0f) == 0.0f && qn_cpu_act(QN_ACT_RELU, 2.0f) == 2.0f);
    CHECK(qn_cpu_act(QN_ACT_SILU, -200.0f) == 0.0f && qn_cpu_act(QN_ACT_SILU, 200.0f) == 200.0f);
}

int main(void) {
    test_acts();
    for (int version = 0; version < 3; version++) {
        qn_cpu_op *const *ops = version == 0   ? qn_cpu_ref_ops
                                : version == 1 ? qn_cpu_simd_ops
                                               : qn_cpu_best_ops();
        test_norm_by_hand(ops);
        test_layernorm_by_hand(ops);
        test_sums_by_hand(ops);
        test_route_by_hand(ops);
        test_rope_by_hand(ops);
        test_attention_by_hand(ops);
    }
    test_formats();
    test_long();
    test_caches();
    return test_done("cpu_ops");
}
