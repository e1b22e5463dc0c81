/* The GPU backend on the reference host gives what the CPU backend gives: for every weight format,
 * chunking, sampler and number of steps in flight. */
#include "tests/c/webgpu_bench.h"

#define PROMPT 33

static const struct model_shape base = SMALL_MODEL(40);

static uint32_t prompt[PROMPT];

/* Logits after the prompt, in chunks of 1, 2, 7, 16 and 33, and after eight greedy tokens more. */
static void check_model(const char *name, const struct model_shape *shape,
                        const struct qn_gpu_caps *caps) {
    static const uint32_t chunks[] = {1, 2, 7, 16, 33};
    struct model m;
    struct pair p;
    pair_open_model(&p, &m, shape, caps);
    struct qn_step_result want, have;
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
        struct qn_backend_session *c = session_open(p.cpu), *g = session_open(p.gpu);
        bool ok = prefill(p.cpu, NULL, c, prompt, PROMPT, 33, true, QN_WANT_LOGITS, &want) &&
                  prefill(p.gpu, p.host, g, prompt, PROMPT, chunks[i], true, QN_WANT_LOGITS, &have);
        for (uint32_t k = 0; ok && k < 8; k++) {
            double error = relative_error(have.logits, want.logits, shape->vocab);
            bool rounds = qn_dtype_block(shape->kv) > 1 || // codes may fall apart
                          (caps && caps->features & QN_GPU_PACKED_DOT);
            double limit = rounds ? 1e-4 : 1e-5;
            CHECK_MSG(error < limit, "%s: chunk %u, token %u: error %g", name, chunks[i], k, error);
            CHECK_MSG(have.token == want.token, "%s: chunk %u, token %u: %u instead of %u", name,
                      chunks[i], k, have.token, want.token);
            struct qn_step next = {NULL, 0, PROMPT + k, true, QN_WANT_LOGITS, 0};
            ok = step_once(p.cpu, NULL, c, &next, &want) &&
                 step_once(p.gpu, p.host, g, &next, &have);
        }
        p.cpu->ops->session_destroy(p.cpu, c);
        p.gpu->ops->session_destroy(p.gpu, g);
    }
    pair_close_model(&p, &m);
}

static void test_formats(void) {
    for (size_t i = 0; i < MODEL_FORMATS; i++) {
        struct model_shape shape = base;
        model_shape_format(&shape, &model_formats[i]);
        check_model(model_formats[i].name, &shape, NULL);
    }
}

static void test_shapes(void) {
    struct model_shape shape = base;
    shape.hidden = 96; // three groups: rows of 6 bytes of scales, in pieces of odd rows
    shape.vocab = 305;
    shape.interleaved = true;
    shape.window = 9;
    shape.act = QN_ACT_GELU_TANH;
    check_model("odd rows, window", &shape, NULL);
    shape = base;
    shape.no_fusion = true;
    shape.kv = QN_DTYPE_F16;
    shape.n_rot = 8;
    check_model("no fusion, f16 cache", &shape, NULL);
    shape = base;
    shape.type = QN_W_F16;
    shape.hidden = 50; // no multiple of 4: no matvec
    shape.mlp = 33;
    shape.n_heads = shape.n_kv_heads = 3;
    check_model("odd columns", &shape, NULL);
    shape.act = QN_ACT_RELU;
    shape.type = QN_W_Q8;
    shape.n_heads = 16;
    shape.n_kv_heads = 1;
    check_model("many heads to one", &shape, NULL);
}

/* Norms behind attention and MLP, which the matvec behind them does where it is matvec_dot. */
static void test_post_norms(void) {
    struct qn_gpu_caps dot = {
        .features = QN_GPU_SUBGROUPS | QN_GPU_PACKED_DOT, .subgroup_min = 32, .subgroup_max = 32};
    struct model_shape shape = base;
    shape.type = QN_W_Q4;
    shape.post_norm = true;
    check_model("post norms", &shape, NULL);
    check_model("post norms, folded", &shape, &dot);
    shape.vocab = 2000;
    dot.max_binding = 28 << 10;
    check_model("post norms, folded, slabs", &shape, &dot);
    shape.vocab = VOCAB;
    dot.max_binding = 0;
    shape.no_norm = true;
    check_model("post norms alone", &shape, &dot);
    shape.no_norm = false;
    shape.no_fusion = true;
    check_model("post norms, no fusion", &shape, &dot);
}

/* Where rows may be packed, a head of many rows always takes them so; and one in slabs, the last of
 * which is smaller. With and without logits the tokens are the same. */
static void test_large_head(void) {
    struct qn_gpu_caps dot = {.features = QN_GPU_SUBGROUPS | QN_GPU_PACKED_DOT | QN_GPU_ROWS,
                              .subgroup_min = 32,
                              .subgroup_max = 32};
    struct model_shape shape = base;
    shape.type = QN_W_Q4;
    shape.vocab = 29000;
    for (int post = 0; post < 2; post++) {
        struct model m;
        struct pair p;
        uint32_t tokens[6];
        shape.post_norm = post;
        shape.no_fusion = false;
        dot.max_binding = 0;
        check_model("a large head", &shape, &dot);
        pair_open_model(&p, &m, &shape, &dot);
        for (int logits = 1; logits >= 0; logits--) {
            struct qn_backend_session *s = session_open(p.gpu);
            struct qn_step_result r;
            bool ok = prefill(p.gpu, p.host, s, prompt, PROMPT, 33, true, 0, &r);
            for (uint32_t k = 0; ok && k < 6; k++) {
                tokens[k] = logits ? r.token : tokens[k];
                CHECK(r.token == tokens[k]);
                struct qn_step next = {NULL, 0, PROMPT + k, true, logits ? QN_WANT_LOGITS : 0, 0};
                ok = step_once(p.gpu, p.host, s, &next, &r);
            }
            CHECK(ok);
            p.gpu->ops->session_destroy(p.gpu, s);
        }
        pair_close_model(&p, &m);
        dot.max_binding = 28700 * shape.hidden / 2;
        check_model("a large head in slabs", &shape, &dot);
    }
}

/* Every size of head that models have, alone and shared, with and without a window. */
static void test_caches(void) {
    static const uint32_t heads[][4] = {{64, 4, 2, 0},  {80, 2, 2, 0},  {96, 2, 1, 11},
                                        {128, 2, 1, 0}, {256, 2, 1, 7}, {20, 3, 1, 0}};
    static const enum qn_dtype types[] = {QN_DTYPE_Q8_0, QN_DTYPE_Q4_1};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        for (size_t j = 0; j < sizeof types / sizeof *types; j++) {
            struct model_shape shape = base;
            char name[40];
            snprintf(name, sizeof name, "head %u, %s", heads[i][0], qn_dtype_name(types[j]));
            shape.head_dim = shape.n_rot = heads[i][0];
            shape.n_heads = heads[i][1];
            shape.n_kv_heads = heads[i][2];
            shape.window = heads[i][3];
            shape.no_fusion = i % 2 != 0;
            shape.kv = types[j];
            check_model(name, &shape, NULL);
        }
}

/* A prompt that tiles multiply; `kernel`: they are its. */
static void check_tiles(const struct model_shape *shape, const struct qn_gpu_caps *caps,
                        const char *kernel) {
    enum { LONG = 70 };
    uint32_t ids[LONG];
    for (uint32_t i = 0; i < LONG; i++)
        ids[i] = i * 53 % VOCAB;
    struct model m;
    struct pair p;
    struct qn_buf said;
    pair_open_model(&p, &m, shape, caps);
    qn_buf_init(&said, qn_allocator_default());
    qn_gpu_backend_describe(p.gpu, &said);
    qn_buf_char(&said, 0);
    CHECK_MSG(strstr(said.p, kernel), "%s: not %s", said.p, kernel);
    struct qn_backend_session *c = session_open(p.cpu), *g = session_open(p.gpu);
    struct qn_step_result want, have;
    for (uint32_t first = LONG; first > 0; first = first == LONG ? 55 : 0) {
        if (prefill(p.cpu, NULL, c, ids, LONG, LONG, true, QN_WANT_LOGITS, &want) &&
            prefill(p.gpu, p.host, g, ids, LONG, first, true, QN_WANT_LOGITS, &have)) {
            double error = relative_error(have.logits, want.logits, VOCAB);
            CHECK_MSG(error < (caps ? 1e-4 : 1e-5), "%s: error %g", kernel, error);
        }
    }
    p.cpu->ops->session_destroy(p.cpu, c);
    p.gpu->ops->session_destroy(p.gpu, g);
    qn_buf_free(&said);
    pair_close_model(&p, &m);
}

/* So wide a layer that tiles take it as soon as there are enough tokens for them. */
static void test_tiles(void) {
    struct model_shape shape = base;
    shape.mlp = 6300;
    shape.max_tokens = 70;
    check_tiles(&shape, NULL, "\"matmul_tiles\"");
    // With one tile: products of bytes in every matrix that has the format for it.
    struct qn_gpu_caps dot = {.features = QN_GPU_SUBGROUPS | QN_GPU_PACKED_DOT | QN_GPU_ROWS,
                              .subgroup_min = 32,
                              .subgroup_max = 32,
                              .fill = 1};
    shape.mlp = 300;
    for (size_t i = 0; i < MODEL_FORMATS; i++) {
        model_shape_format(&shape, &model_formats[i]);
        shape.post_norm = i % 2;
        dot.tile = (uint32_t)i;
        check_tiles(&shape, &dot, "\"matmul_");
    }
    shape = base;
    shape.max_tokens = 70;
    shape.type = QN_W_Q4;
    shape.hidden = 640;
    shape.mlp = 400;
    shape.no_fusion = true;
    dot.max_binding = 230 << 10; // gate and up in slabs
    dot.features &= ~QN_GPU_ROWS;
    check_tiles(&shape, &dot, "\"matmul_packed\"");
}

/* Small limits: weights in several slabs, the arg-max of all rows in several blocks. */
static void test_limits(void) {
    struct qn_gpu_caps caps = {.max_binding = 28 << 10};
    struct model_shape shape = base;
    shape.type = QN_W_F16;
    check_model("slabs", &shape, &caps);
    caps.max_binding = 1024;
    struct model m;
    struct qn_ref_host *host;
    struct qn_backend *gpu;
    struct qn_error err = {0};
    model_build(&m, &base, qn_allocator_default());
    CHECK(qn_ref_host_create(&host, qn_allocator_default(), &caps) == QN_OK);
    struct qn_gpu_host interface = qn_ref_host_interface(host);
    CHECK(qn_gpu_backend_create(&gpu, qn_allocator_default(), &m.program, &interface, &err) ==
          QN_E_GPU_MEMORY);
    CHECK(gpu == NULL && strstr(err.text, "1024"));
    qn_ref_host_destroy(host);
    qn_arena_free(&m.arena);
}

static void test_argmax_all(void) {
    static const uint64_t bindings[] = {0, 24 << 10, 4096};
    for (size_t i = 0; i < 3; i++) {
        struct model_shape shape = base;
        struct qn_gpu_caps caps = {.max_binding = bindings[i]};
        struct model m;
        struct pair p;
        if (i == 2) { // blocks of three rows, which go through the head as matvecs
            shape.hidden = 32;
            shape.max_tokens = 7;
            shape.mlp = 32;
            shape.n_heads = shape.n_kv_heads = 1;
            shape.context = 40;
        }
        pair_open_model(&p, &m, &shape, &caps);
        m.program.sample_vocab = 0;
        uint32_t chunk = i == 2 ? 7 : PROMPT;
        struct qn_backend_session *c = session_open(p.cpu), *g = session_open(p.gpu);
        for (uint32_t at = 0; at < PROMPT; at += chunk) {
            struct qn_step_result want, have;
            uint32_t t = qn_min_u32(chunk, PROMPT - at);
            struct qn_step step = {
                prompt + at, t, at, true, QN_WANT_ARGMAX_ALL | QN_WANT_LOGITS, 0};
            if (!step_once(p.cpu, NULL, c, &step, &want) ||
                !step_once(p.gpu, p.host, g, &step, &have))
                break;
            CHECK(have.n == t && want.n == t && have.sampled && have.token == want.token);
            for (uint32_t r = 0; r < t; r++)
                CHECK_MSG(have.argmax[r] == want.argmax[r], "row %u: %u instead of %u", at + r,
                          have.argmax[r], want.argmax[r]);
            CHECK(relative_error(have.logits, want.logits, shape.vocab) < 1e-5);
            CHECK(have.argmax[t - 1] == have.token);
        }
        p.cpu->ops->session_destroy(p.cpu, c);
        p.gpu->ops->session_destroy(p.gpu, g);
        pair_close_model(&p, &m);
    }
}

/* A chain without residuals: every activation dies young, and the head has several ops of its own,
 * so places are reused as early as can be. */
static void check_lives(int body, int head) {
    struct model m;
    struct pair p;
    struct qn_gpu_caps caps = {.max_binding = 8192}; // blocks of six rows
    struct qn_wformat w = {.type = QN_W_F16};
    memset(&m, 0, sizeof m);
    qn_arena_init(&m.arena, qn_allocator_default());
    qn_program_init(&m.program, &m.arena, 32, 64);
    struct qn_program_tensor ids = {.kind = QN_TENSOR_IDS,
                                    .dtype = QN_DTYPE_U32,
                                    .n_dims = 1,
                                    .dims = {QN_DIM_T},
                                    .weight = QN_NONE,
                                    .label = "ids"};
    CHECK(qn_program_add_tensor(&m.program, &m.program.ids, &ids, &m.err) == QN_OK);
    struct qn_program_op op = model_op(QN_OP_EMBED);
    op.in[0].tensor = m.program.ids;
    op.in[1].tensor = model_weight(&m, "table", w, VOCAB, 48, NULL);
    op.u.embed.scale = 1.0f;
    uint32_t x = model_add(&m, op, "embed");
    for (int i = 0; i < body; i++)
        x = model_matmul(&m, model_norm(&m, x, 48), model_weight(&m, "body", w, 48, 48, NULL),
                         QN_NONE);
    op = model_op(QN_OP_LAST_ROWS);
    op.in[0].tensor = x;
    x = model_add(&m, op, "last");
    for (int i = 0; i < head; i++)
        x = model_matmul(&m, model_norm(&m, x, 48), model_weight(&m, "head", w, 48, 48, NULL),
                         QN_NONE);
    m.program.logits = model_matmul(&m, model_norm(&m, x, 48),
                                    model_weight(&m, "head", w, VOCAB, 48, NULL), QN_NONE);
    CHECK_MSG(qn_program_infer(&m.program, &m.err) == QN_OK &&
                  qn_program_plan(&m.program, &m.err) == QN_OK,
              "%s", m.err.text);
    CHECK(pair_open(&p, &m.program, &caps));
    for (int b = 0; b < 2; b++) {
        m.seed = 1;
        for (uint32_t i = 0; i < m.program.n_weights; i++)
            model_fill_weight(&m, b ? p.cpu : p.gpu, i);
    }
    pair_finish(&p);
    for (uint32_t t = 2; t <= 32; t += 15) {
        struct qn_backend_session *c = session_open(p.cpu), *g = session_open(p.gpu);
        struct qn_step_result want, have;
        struct qn_step step = {prompt, t, 0, true, QN_WANT_ARGMAX_ALL | QN_WANT_LOGITS, 0};
        CHECK(step_once(p.cpu, NULL, c, &step, &want) && step_once(p.gpu, p.host, g, &step, &have));
        CHECK(relative_error(have.logits, want.logits, VOCAB) < 1e-5 && have.token == want.token);
        for (uint32_t r = 0; r < t; r++)
            CHECK_MSG(have.argmax[r] == want.argmax[r], "%u rows: row %u", t, r);
        p.cpu->ops->session_destroy(p.cpu, c);
        p.gpu->ops->session_destroy(p.gpu, g);
    }
    pair_close_model(&p, &m);
}

static void test_lives(void) {
    for (int body = 0; body < 4; body++)
        for (int head = 0; head < 5; head++)
            check_lives(body, head);
}

/* Padding of the vocabulary is never sampled, but its logits are handed out. */
static void test_sample_vocab(void) {
    struct model m;
    struct pair p;
    model_build(&m, &base, qn_allocator_default());
    m.program.sample_vocab = 40;
    CHECK(pair_open(&p, &m.program, NULL));
    for (int b = 0; b < 2; b++) {
        m.seed = 1;
        for (uint32_t i = 0; i < m.program.n_weights; i++)
            model_fill_weight(&m, b ? p.cpu : p.gpu, i);
    }
    pair_finish(&p);
    struct qn_backend_session *c = session_open(p.cpu), *g = session_open(p.gpu);
    struct qn_step_result want, have;
    struct qn_step step = {prompt, PROMPT, 0, true, QN_WANT_ARGMAX_ALL | QN_WANT_LOGITS, 0};
    CHECK(step_once(p.cpu, NULL, c, &step, &want) && step_once(p.gpu, p.host, g, &step, &have));
    CHECK(relative_error(have.logits, want.logits, VOCAB) < 1e-5);
    CHECK(have.token == want.token && have.token < 40);
    for (uint32_t r = 0; r < PROMPT; r++)
        CHECK(have.argmax[r] == want.argmax[r] && have.argmax[r] < 40);
    p.cpu->ops->session_destroy(p.cpu, c);
    p.gpu->ops->session_destroy(p.gpu, g);
    pair_close_model(&p, &m);
}

/* Twenty tokens from each sampler, up to four steps in flight, results arriving late. */
static void check_sampling(struct pair *p, const char *name, const struct qn_sampling *sampling) {
    struct qn_error err = {0};
    struct qn_backend_session *c = session_open(p->cpu), *g = session_open(p->gpu);
    uint32_t want[20], have[20], n = 0;
    struct qn_step_result r;
    CHECK(p->cpu->ops->begin(p->cpu, c, sampling, prompt, PROMPT, &err) == QN_OK);
    CHECK_MSG(p->gpu->ops->begin(p->gpu, g, sampling, prompt, PROMPT, &err) == QN_OK, "%s",
              err.text);
    for (uint32_t k = 0; k < 20; k++) {
        struct qn_step step = {
            k ? NULL : prompt, k ? 0 : PROMPT, k ? PROMPT + k - 1 : 0, true, 0, 0};
        if (!step_once(p->cpu, NULL, c, &step, &r))
            return;
        want[k] = r.token;
    }
    qn_null_host_hold(qn_ref_host_checks(p->host), true);
    for (uint32_t sent = 0; n < 20;) {
        bool ready = false;
        while (sent < 20 && sent - n < p->gpu->max_in_flight) {
            struct qn_step step = {
                sent ? NULL : prompt, sent ? 0 : PROMPT, sent ? PROMPT + sent - 1 : 0, true, 0, 0};
            if (!CHECK_MSG(qn_backend_step(p->gpu, g, &step, &err) == QN_OK, "%s", err.text))
                return;
            sent++;
        }
        CHECK(p->gpu->ops->poll(p->gpu, g, &r, &ready, &err) == QN_OK && !ready);
        qn_null_host_hold(qn_ref_host_checks(p->host), false);
        CHECK(pump(p->host, p->gpu) == QN_OK);
        qn_null_host_hold(qn_ref_host_checks(p->host), true);
        for (; n < sent; n++) {
            CHECK(p->gpu->ops->poll(p->gpu, g, &r, &ready, &err) == QN_OK && ready && r.sampled);
            have[n] = r.token;
        }
    }
    qn_null_host_hold(qn_ref_host_checks(p->host), false);
    for (uint32_t k = 0; k < 20; k++)
        CHECK_MSG(have[k] == want[k], "%s: token %u is %u instead of %u", name, k, have[k],
                  want[k]);
    p->cpu->ops->session_destroy(p->cpu, c);
    p->gpu->ops->session_destroy(p->gpu, g);
}

static void test_sampling(void) {
    static const uint32_t ids[] = {5, 9, 5, 300};
    static const float bias[] = {3.0f, 50.0f, -1.0f, -100.0f};
    static const struct {
        const char *name;
        struct qn_sampling s;
    } cases[] = {
        {"greedy", {.temperature = 0}},
        {"draw", {.temperature = 1.0f, .seed = 1}},
        {"hot", {.temperature = 1.7f, .seed = 0x123456789abcdefull}},
        {"top-k", {.temperature = 1.0f, .top_k = 5, .seed = 2}},
        {"top-p", {.temperature = 1.0f, .top_p = 0.7f, .seed = 3}},
        {"min-p", {.temperature = 1.2f, .min_p = 0.1f, .seed = 4}},
        {"all", {.temperature = 0.8f, .top_k = 40, .top_p = 0.9f, .min_p = 0.02f, .seed = 5}},
        {"repetition", {.repetition_penalty = 1.3f}},
        {"frequency", {.frequency_penalty = 0.6f, .presence_penalty = 0.4f}},
        {"drawn with penalties",
         {.temperature = 0.9f, .repetition_penalty = 1.1f, .frequency_penalty = 0.3f, .seed = 6}},
        {"bias", {.bias_ids = ids, .bias = bias, .n_bias = 4}},
        {"drawn with bias",
         {.temperature = 1.0f, .top_k = 3, .seed = 7, .bias_ids = ids, .bias = bias, .n_bias = 4}},
    };
    struct model m;
    struct pair p;
    pair_open_model(&p, &m, &base, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_sampling(&p, cases[i].name, &cases[i].s);
    pair_close_model(&p, &m);
}

/* Two sessions taking turns are what each would be alone; a cache is rewound and written again. */
static void test_sessions(void) {
    struct model m;
    struct pair p;
    pair_open_model(&p, &m, &base, NULL);
    struct qn_backend_session *c[2], *g[2];
    struct qn_step_result want, have;
    for (int i = 0; i < 2; i++) {
        c[i] = session_open(p.cpu);
        g[i] = session_open(p.gpu);
        CHECK(prefill(p.cpu, NULL, c[i], prompt + i, 20, 20, true, 0, &want));
        CHECK(prefill(p.gpu, p.host, g[i], prompt + i, 20, 9, true, 0, &have));
        CHECK(want.token == have.token);
    }
    for (uint32_t k = 0; k < 12; k++) {
        uint32_t i = k & 1;
        struct qn_step step = {NULL, 0, 20 + k / 2, true, 0, 0};
        CHECK(step_once(p.cpu, NULL, c[i], &step, &want) &&
              step_once(p.gpu, p.host, g[i], &step, &have));
        CHECK(want.token == have.token);
    }
    // Rewind the first to position 10 and go on with other ids.
    struct qn_step again = {prompt + 3, 7, 10, true, QN_WANT_LOGITS, 0};
    CHECK(step_once(p.cpu, NULL, c[0], &again, &want) &&
          step_once(p.gpu, p.host, g[0], &again, &have));
    CHECK(relative_error(have.logits, want.logits, VOCAB) < 1e-5 && have.token == want.token);
    // A step that samples nothing, then one that would need its token.
    struct qn_step silent = {prompt, 3, 17, false, 0, 0}, blind = {NULL, 0, 20, true, 0, 0};
    CHECK(step_once(p.gpu, p.host, g[0], &silent, &have));
    CHECK(qn_backend_step(p.gpu, g[0], &blind, NULL) == QN_E_STATE);
    for (int i = 0; i < 2; i++) {
        p.cpu->ops->session_destroy(p.cpu, c[i]);
        p.gpu->ops->session_destroy(p.gpu, g[i]);
    }
    pair_close_model(&p, &m);
}

static void test_refusals(void) {
    struct model m;
    struct pair p;
    pair_open_model(&p, &m, &base, NULL);
    const struct qn_backend_ops *ops = p.gpu->ops;
    struct qn_backend_session *g = session_open(p.gpu);
    struct qn_step_result r;
    bool ready;
    struct qn_step step = {NULL, 0, 0, true, 0, 0};
    CHECK(qn_backend_step(p.gpu, g, &step, NULL) == QN_E_STATE); // nothing sampled yet
    CHECK(ops->poll(p.gpu, g, &r, &ready, NULL) == QN_E_STATE && !ready);
    uint32_t bad[1] = {VOCAB};
    step = (struct qn_step){bad, 1, 0, true, 0, 0};
    CHECK(qn_backend_step(p.gpu, g, &step, NULL) == QN_E_ARGUMENT);
    step = (struct qn_step){prompt, 41, 0, true, 0, 0};
    CHECK(qn_backend_step(p.gpu, g, &step, NULL) == QN_E_LIMIT);
    step = (struct qn_step){prompt, 2, 1, true, 0, 0};
    CHECK(qn_backend_step(p.gpu, g, &step, NULL) == QN_E_ARGUMENT); // a gap
    step = (struct qn_step){prompt, 2, 159, true, 0, 0};
    CHECK(qn_backend_step(p.gpu, g, &step, NULL) == QN_E_CONTEXT);
    CHECK(ops->finish(p.gpu, NULL) == QN_E_STATE);
    step = (struct qn_step){prompt, 2, 0, true, 0, 0};
    CHECK(qn_backend_step(p.gpu, g, &step, NULL) == QN_OK);
    CHECK(ops->begin(p.gpu, g, &greedy, prompt, 2, NULL) == QN_E_STATE);
    for (uint32_t k = 0; k < 3; k++) {
        step = (struct qn_step){NULL, 0, 2 + k, true, 0, 0};
        CHECK(qn_backend_step(p.gpu, g, &step, NULL) == QN_OK);
    }
    step.pos = 5;
    CHECK(qn_backend_step(p.gpu, g, &step, NULL) == QN_E_STATE); // four in flight
    ops->drop(p.gpu, g);
    CHECK(pump(p.host, p.gpu) == QN_OK); // late results of nobody
    CHECK(ops->poll(p.gpu, g, &r, &ready, NULL) == QN_E_STATE && !ready);
    step = (struct qn_step){prompt, 5, 0, true, 0, 0};
    CHECK(step_once(p.gpu, p.host, g, &step, &r) && r.sampled);
    struct qn_sampling biased = {.bias_ids = bad, .bias = (float[]){1}, .n_bias = 1};
    CHECK(ops->begin(p.gpu, g, &biased, prompt, 5, NULL) == QN_E_ARGUMENT);
    // Sessions are limited, and a freed place is taken again.
    struct qn_backend_session *more[80];
    uint32_t n = 0;
    while (n < 80 && ops->session_create(p.gpu, &more[n], NULL) == QN_OK)
        n++;
    CHECK_MSG(n == 63, "%u", n);
    ops->session_destroy(p.gpu, more[7]);
    CHECK(ops->session_create(p.gpu, &more[7], NULL) == QN_OK);
    pair_close_model(&p, &m); // sessions and all
}

/* A decode step is one pass and one submit, writes nothing and allocates nothing. */
static void test_decode_is_lean(void) {
    struct faults faults;
    faults_init(&faults);
    struct qn_allocator allocator = faults_allocator(&faults);
    struct model m;
    struct qn_ref_host *host;
    struct qn_backend *gpu;
    model_build(&m, &base, qn_allocator_default());
    CHECK(qn_ref_host_create(&host, qn_allocator_default(), NULL) == QN_OK);
    struct qn_gpu_host interface = qn_ref_host_interface(host);
    if (CHECK(qn_gpu_backend_create(&gpu, &allocator, &m.program, &interface, NULL) == QN_OK)) {
        m.seed = 1;
        for (uint32_t i = 0; i < m.program.n_weights; i++)
            model_fill_weight(&m, gpu, i);
        CHECK(gpu->ops->finish(gpu, NULL) == QN_OK && pump(host, gpu) == QN_OK);
        struct qn_backend_session *s = session_open(gpu);
        struct qn_null_stats before, after;
        struct qn_gpu_stats stats;
        struct qn_step_result r;
        uint64_t allocs = faults.allocs;
        CHECK(prefill(gpu, host, s, prompt, PROMPT, 16, true, 0, &r));
        for (uint32_t k = 0; k < 100; k++) {
            qn_null_host_stats(qn_ref_host_checks(host), &before);
            struct qn_step step = {NULL, 0, PROMPT + k, true, 0, 0};
            CHECK(step_once(gpu, host, s, &step, &r));
            qn_null_host_stats(qn_ref_host_checks(host), &after);
            CHECK(after.plays == before.plays + 1 && after.passes == before.passes + 1 &&
                  after.submits == before.submits + 1 && after.writes == before.writes &&
                  after.reads == before.reads + 1 && after.creates == before.creates);
        }
        CHECK(faults.allocs == allocs);
        qn_gpu_backend_stats(gpu, &stats);
        // embed, [qkv, rope, split, merge, o, gate-up, down], head, arg-max, finish
        CHECK_MSG(stats.dispatches == 10, "%u dispatches", stats.dispatches);
        gpu->ops->session_destroy(gpu, s);
        CHECK(gpu->ops->memory(gpu) > 0);
        gpu->ops->destroy(gpu);
    }
    CHECK(faults.live == 0);
    qn_ref_host_destroy(host);
    qn_arena_free(&m.arena);
}

/* The advice follows what steps took: all that fits where they are fast, 64 where none is. */
static void test_pace(void) {
    struct model_shape shape = base;
    shape.max_tokens = 256;
    shape.context = 300;
    struct model m;
    struct pair p;
    pair_open_model(&p, &m, &shape, NULL);
    struct qn_backend_session *s = session_open(p.gpu);
    static const struct {
        uint32_t tokens, micros, chunk;
    } steps[] = {
        {128, 0, 128},      // unknown
        {63, 9000000, 128}, // too few to tell
        {128, 10000, 256},  // twice as many are fast enough
        {128, 50000, 256},  // as many as fit; and 100 ms are allowed
        {100, 900000, 256}, // too few to tell of 256
        {128, 60000, 128},  // 120 ms for 256
        {128, 70000, 128},  // not long, but too long to double
        {128, 200000, 64},  // not fewer than 64
        {64, 6400000, 64},  {64, 640, 128},
    };
    uint32_t ids[128] = {0};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        struct qn_step step = {
            .ids = ids, .n = steps[i].tokens, .want = QN_WANT_DONE, .session = s};
        struct qn_step_result result;
        struct qn_gpu_event event;
        bool ready = false;
        CHECK(qn_backend_step(p.gpu, s, &step, NULL) == QN_OK);
        CHECK(p.gpu->ops->poll(p.gpu, s, &result, &ready, NULL) == QN_OK && !ready);
        while (qn_ref_host_next_event(p.host, &event)) {
            event.micros = steps[i].micros;
            CHECK(p.gpu->ops->event(p.gpu, &event, NULL) == QN_OK);
        }
        CHECK(p.gpu->ops->poll(p.gpu, s, &result, &ready, NULL) == QN_OK && ready);
        CHECK(!result.sampled && !result.logits && !result.argmax);
        CHECK_MSG(p.gpu->chunk == steps[i].chunk, "step %zu: %u", i, p.gpu->chunk);
    }
    pair_close_model(&p, &m);
}

int main(void) {
    for (uint32_t i = 0; i < PROMPT; i++)
        prompt[i] = qn_rng_u32(3, i, 0) % 280;
    test_formats();
    test_shapes();
    test_post_norms();
    test_large_head();
    test_caches();
    test_tiles();
    test_limits();
    test_argmax_all();
    test_lives();
    test_sample_vocab();
    test_sampling();
    test_sessions();
    test_refusals();
    test_decode_is_lean();
    test_pace();
    return test_done("webgpu_backend");
}
