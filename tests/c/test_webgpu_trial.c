/* The self-test of a start, on the reference host: good devices pass it with every format; a device
 * that computes one family of kernels wrongly, or refuses it, does without and gives what the CPU
 * gives; one that cannot do the least is refused. Every play and allocation fails once. */
#include "tests/c/webgpu_bench.h"

#define PROMPT 33
#define TOKENS 6

static const struct model_shape base = SMALL_MODEL(70);

static const struct qn_gpu_caps minimum = {.self_test = true};
static const struct qn_gpu_caps subgroups = {
    .self_test = true, .features = QN_GPU_SUBGROUPS, .subgroup_min = 8, .subgroup_max = 32};
static const struct qn_gpu_caps dot = {.self_test = true,
                                       .features = QN_GPU_SUBGROUPS | QN_GPU_PACKED_DOT,
                                       .subgroup_min = 32,
                                       .subgroup_max = 32};
static const struct qn_gpu_caps rows = {.self_test = true,
                                        .features =
                                            QN_GPU_SUBGROUPS | QN_GPU_PACKED_DOT | QN_GPU_ROWS,
                                        .subgroup_min = 32,
                                        .subgroup_max = 32};
static const struct qn_gpu_caps matrix = {.self_test = true,
                                          .features = QN_GPU_F16 | QN_GPU_SUBGROUPS |
                                                      QN_GPU_PACKED_DOT | QN_GPU_SUBGROUP_MATRIX,
                                          .max_workgroup_memory = 32768,
                                          .subgroup_min = 32,
                                          .subgroup_max = 32};

static uint32_t prompt[PROMPT];

/* Two backends of one model, loaded; `broken`: what the device does wrong, as qn_ref_host_break. */
static bool start(struct model *m, struct pair *p, const struct model_shape *shape,
                  const struct qn_gpu_caps *caps, const char *broken, const char *part) {
    model_build(m, shape, qn_allocator_default());
    CHECK_MSG(m->err.status == QN_OK, "%s", m->err.text);
    if (!pair_open(p, &m->program, caps))
        return false;
    qn_ref_host_break(p->host, broken, part); // nothing has run yet
    struct qn_backend *const both[2] = {p->cpu, p->gpu};
    for (int i = 0; i < 2; i++) {
        m->seed = 1;
        for (uint32_t w = 0; w < m->program.n_weights; w++) {
            model_fill_weight(m, both[i], w);
            if (i == 1 && w == 2 &&
                !strstr(broken ? broken : "", "few")) // the test runs while weights arrive
                (void)pump(p->host, p->gpu);
        }
    }
    return true;
}

static void describe(const struct qn_backend *backend, char out[512]) {
    struct qn_buf text;
    qn_buf_init(&text, qn_allocator_default());
    qn_gpu_backend_describe(backend, &text);
    snprintf(out, 512, "%.*s", (int)text.n, text.p);
    qn_buf_free(&text);
}

/* What is said of a device, and what it computes. */
static void check_device(const struct model_shape *shape, const struct qn_gpu_caps *caps,
                         const char *broken, const char *part, const char *kernels,
                         const char *note) {
    struct model m;
    struct pair p;
    char said[512];
    if (start(&m, &p, shape, caps, broken, part)) {
        pair_finish(&p);
        describe(p.gpu, said);
        CHECK_MSG(strstr(said, kernels) && strstr(said, note), "%s: not %s and %s", said, kernels,
                  note);
        compare_greedy(&p, prompt, PROMPT, TOKENS, 1e-4, kernels);
    }
    pair_close_model(&p, &m);
}

static void test_good(void) {
    static const struct qn_gpu_caps *const all[] = {&minimum, &subgroups, &dot, &rows, &matrix};
    for (size_t i = 0; i < MODEL_FORMATS; i++)
        for (size_t k = 0; k < sizeof all / sizeof *all; k++) {
            struct model_shape shape = base;
            model_shape_format(&shape, &model_formats[i]);
            shape.act = (enum qn_act)(i % 4);
            shape.post_norm = i % 3 == 1;
            if (k % 2 && i % 7 == 4) // so wide that there are tiles
                shape.mlp = 6400;
            check_device(&shape, all[k], NULL, "", "[\"mat", "\"note\":\"\"");
        }
}

static void test_broken(void) {
    struct model_shape wide = base;
    wide.mlp = 6400;
    check_device(&base, &dot, NULL, "", "[\"matvec_dot\",\"matmul_few\"", "\"note\":\"\"");
    check_device(&wide, &dot, NULL, "", "[\"matvec_dot\",\"matvec_packed\"", "\"note\":\"\"");
    check_device(&wide, &dot, "matvec_dot", "PACK", "[\"matvec_subgroups\",",
                 "self-test of matvec_dot: wrong results");
    check_device(&wide, &dot, "matvec_packed", "", "[\"matvec_subgroups\",",
                 "self-test of matvec_packed: wrong results");
    check_device(&base, &dot, "matvec_dot", "", "[\"matvec_subgroups\",",
                 "self-test of matvec_dot: wrong results");
    check_device(&base, &subgroups, "matvec", "enable subgroups", "[\"matvec\",",
                 "self-test of matvec: wrong results");
    check_device(&base, &rows, NULL, "", "[\"matvec_dot\",\"matvec_packed\",\"matmul_few\"",
                 "\"note\":\"\"");
    check_device(&base, &rows, "matvec_packed", "COLS", "[\"matvec_dot\",\"matmul_few\"",
                 "self-test of matvec_packed: rows that are not as alone");
    check_device(&wide, &matrix, "matmul_matrix", "", "\"matmul_packed\"]",
                 "self-test of matmul_matrix: wrong");
    struct qn_gpu_caps half = matrix;
    half.features &= ~(uint32_t)QN_GPU_PACKED_DOT;
    check_device(&wide, &half, "matmul_matrix", "", "\"matmul_tiles_f16\"]",
                 "self-test of matmul_matrix: wrong");
    check_device(&wide, &dot, NULL, "", "\"matmul_packed\"]", "\"note\":\"\"");
    check_device(&wide, &dot, "matmul_packed", "", "\"matmul_tiles\"]",
                 "self-test of matmul_packed: wrong results");
    check_device(&wide, &matrix, NULL, "", "\"matmul_matrix\"", "\"note\":\"\"");
    // All that needs subgroups, whatever it is called.
    struct model_shape bytes = wide;
    bytes.type = QN_W_Q8;
    check_device(&bytes, &matrix, "matvec", "enable subgroups", "[\"matvec\",", "of matvec: wrong");
}

/* Whatever is wrong with the least there is, nothing can take its place. */
static void test_hopeless(void) {
    struct model m;
    struct pair p;
    struct qn_error err = {0};
    if (start(&m, &p, &base, &dot, "matmul_few", "")) {
        CHECK(p.cpu->ops->finish(p.cpu, &err) == QN_OK);
        enum qn_status status = p.gpu->ops->finish(p.gpu, &err);
        if (status == QN_OK)
            (void)pump(p.host, p.gpu);
        CHECK(!p.gpu->ops->ready(p.gpu));
        CHECK(p.gpu->ops->write(p.gpu, 0, QN_PLANE_VALUES, 0, "1234", 4, &err) == QN_E_GPU);
        CHECK_MSG(strstr(err.text, "self-test of matmul_few"), "%s", err.text);
    }
    pair_close_model(&p, &m);
}

/* Errors of a device while it is tested cost features, those of others are what they were. */
static void test_refused(void) {
    static const struct {
        const char *message, *kernels;
        enum qn_status status;
        uint32_t tag;
        bool forgiven;
    } cases[] = {
        {"matvec_dot: no such instruction", "[\"matvec_subgroups\",", QN_E_GPU, 0, true},
        {"tint error: ':'", "[\"matvec\",", QN_E_GPU, 0, true},
        {"matmul_few: too large", "", QN_E_GPU, 0, false},
        {"matvec_dot: full", "", QN_E_GPU_MEMORY, 0, false},
        {"a write", "", QN_E_GPU, 1, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct model m;
        struct pair p;
        struct qn_error err = {0};
        char said[512];
        struct qn_gpu_event error = {.kind = QN_GPU_EVENT_ERROR,
                                     .tag = cases[i].tag,
                                     .status = cases[i].status,
                                     .bytes = cases[i].message,
                                     .n = strlen(cases[i].message)};
        model_build(&m, &base, qn_allocator_default());
        if (pair_open(&p, &m.program, &dot)) {
            enum qn_status status = p.gpu->ops->event(p.gpu, &error, &err);
            CHECK_MSG(status == (cases[i].forgiven ? QN_OK : cases[i].status), "%s: %d",
                      cases[i].message, (int)status);
            for (uint32_t w = 0; cases[i].forgiven && w < m.program.n_weights; w++) {
                m.seed = w;
                model_fill_weight(&m, p.cpu, w);
                m.seed = w;
                model_fill_weight(&m, p.gpu, w);
            }
            if (cases[i].forgiven) {
                pair_finish(&p);
                describe(p.gpu, said);
                CHECK_MSG(strstr(said, cases[i].kernels) && strstr(said, "self-test of"), "%s",
                          said);
                CHECK(p.gpu->ops->event(p.gpu, &error, &err) == QN_E_GPU); // the test is over
            }
        }
        pair_close_model(&p, &m);
    }
}

/* A start with a fault: the answer is the fault's, or the device does without something. */
static enum qn_status life(const struct qn_allocator *allocator, struct qn_ref_host *host,
                           const struct qn_program *program, char said[512]) {
    struct qn_gpu_host interface = qn_ref_host_interface(host);
    struct qn_backend *b;
    struct qn_error err = {0};
    QN_TRY(qn_gpu_backend_create(&b, allocator, program, &interface, &err));
    enum qn_status status = pump(host, b);
    if (status == QN_OK)
        status = b->ops->finish(b, &err);
    if (status == QN_OK)
        status = pump(host, b);
    CHECK(b->ops->ready(b) == (status == QN_OK));
    describe(b, said);
    b->ops->destroy(b);
    return status;
}

static void test_faults(void) {
    struct model m;
    char said[512];
    model_build(&m, &base, qn_allocator_default());
    for (int late = 0; late < 2; late++)
        for (uint64_t at = 0, plays = 1; at < plays; at++) {
            struct qn_ref_host *host;
            struct faults faults;
            faults_init(&faults);
            struct qn_allocator allocator = faults_allocator(&faults);
            CHECK(qn_ref_host_create(&host, qn_allocator_default(), &dot) == QN_OK);
            struct qn_null_fault fault = {at, QN_E_GPU, false, late != 0};
            qn_null_host_fail(qn_ref_host_checks(host), &fault);
            enum qn_status status = life(&allocator, host, &m.program, said);
            struct qn_null_stats stats;
            qn_null_host_stats(qn_ref_host_checks(host), &stats);
            plays = stats.plays;
            CHECK_MSG(faults.live == 0 && stats.buffers == 0 && stats.groups == 0,
                      "play %llu: a leak", (unsigned long long)at);
            CHECK(status == QN_OK || status == QN_E_GPU);
            qn_ref_host_destroy(host);
        }
    for (uint64_t n = 1, fired = 1; fired; n++) {
        struct qn_ref_host *host;
        struct faults faults;
        faults_init(&faults);
        faults.fail_alloc = n;
        struct qn_allocator allocator = faults_allocator(&faults);
        CHECK(qn_ref_host_create(&host, qn_allocator_default(), &dot) == QN_OK);
        qn_ref_host_break(host, "matvec_dot", "");
        enum qn_status status = life(&allocator, host, &m.program, said);
        fired = faults.fired;
        CHECK_MSG(status == (fired ? QN_E_NO_MEMORY : QN_OK), "allocation %llu: %d",
                  (unsigned long long)n, (int)status);
        CHECK(faults.live == 0);
        CHECK(qn_null_host_refusal(qn_ref_host_checks(host))->status == QN_OK);
        qn_ref_host_destroy(host);
    }
    CHECK(strstr(said, "matvec_dot: wrong") != NULL);
    qn_arena_free(&m.arena);
}

/* A head wide enough to find its largest results itself. */
static void test_best(void) {
    struct model_shape shape = base;
    shape.hidden = 512;
    check_device(&shape, &dot, NULL, NULL, "matvec_dot", "\"note\":\"\"");
    check_device(&shape, &rows, NULL, NULL, "matvec_dot", "\"note\":\"\"");
}

int main(void) {
    for (uint32_t i = 0; i < PROMPT; i++)
        prompt[i] = i * 37 % VOCAB;
    test_good();
    test_best();
    test_broken();
    test_hopeless();
    test_refused();
    test_faults();
    return test_done("webgpu_trial");
}
