/* Every call of the host and every allocation fails once, and from then on, over a backend's whole
 * life: the error is the right one, nothing leaks, and the next backend works. */
#include "tests/c/webgpu_bench.h"

#define TOKENS 8

static const struct model_shape tiny = {
    .type = QN_W_Q4,
    .scale = QN_DTYPE_F16,
    .hidden = 32,
    .n_heads = 2,
    .n_kv_heads = 1,
    .head_dim = 8,
    .n_rot = 8,
    .mlp = 32,
    .vocab = 50,
    .act = QN_ACT_SILU,
    .kv = QN_DTYPE_F16,
    .context = 24,
    .max_tokens = 6,
};

static const uint32_t prompt[9] = {1, 40, 3, 3, 17, 29, 8, 1, 12};
static const uint32_t bias_ids[2] = {4, 11};
static const float bias[2] = {1.5f, -2.0f};
static const struct qn_sampling sampling = {.temperature = 0.9f,
                                            .top_k = 12,
                                            .repetition_penalty = 1.2f,
                                            .seed = 99,
                                            .bias_ids = bias_ids,
                                            .bias = bias,
                                            .n_bias = 2};

/* The weights' canonical bytes, made once. */
static struct model model;
static struct {
    uint32_t weight;
    enum qn_plane plane;
    unsigned char *p;
    size_t n;
} planes[64];
static size_t n_planes;

static enum qn_status keep(struct qn_backend *b, uint32_t weight, enum qn_plane plane,
                           uint64_t offset, const void *bytes, size_t n, struct qn_error *err) {
    (void)b;
    (void)err;
    const struct qn_weight *w = &model.program.weights[weight];
    size_t size = w->rows * qn_wformat_row(&w->format, w->cols, plane);
    if (offset + n > size)
        return QN_E_ARGUMENT;
    if (offset == 0 && (n_planes == 0 || planes[n_planes - 1].weight != weight ||
                        planes[n_planes - 1].plane != plane)) {
        planes[n_planes].weight = weight;
        planes[n_planes].plane = plane;
        planes[n_planes].p = calloc(1, size);
        planes[n_planes++].n = size;
    }
    memcpy(planes[n_planes - 1].p + offset, bytes, n);
    return QN_OK;
}

static void make_weights(void) {
    struct qn_backend_ops ops = {.write = keep};
    struct qn_backend keeper = {.ops = &ops};
    model.seed = 1;
    for (uint32_t i = 0; i < model.program.n_weights; i++)
        model_fill_weight(&model, &keeper, i);
}

/* ---- The scenario ---------------------------------------------------------------------------- */

static enum qn_status step(struct qn_backend *b, struct qn_ref_host *host,
                           struct qn_backend_session *s, const struct qn_step *st, uint32_t *token,
                           struct qn_error *err) {
    struct qn_step_result r;
    bool ready = false;
    QN_TRY(qn_backend_step(b, s, st, err));
    QN_TRY(pump(host, b));
    if (!st->sample)
        return QN_OK;
    QN_TRY(b->ops->poll(b, s, &r, &ready, err));
    CHECK(ready);
    *token = r.token;
    if (st->want & QN_WANT_LOGITS)
        CHECK(r.logits != NULL);
    return QN_OK;
}

static enum qn_status use(struct qn_backend *b, struct qn_ref_host *host, uint32_t *tokens,
                          struct qn_error *err) {
    struct qn_backend_session *s;
    for (size_t i = 0; i < n_planes; i++)
        QN_TRY(
            b->ops->write(b, planes[i].weight, planes[i].plane, 0, planes[i].p, planes[i].n, err));
    QN_TRY(b->ops->finish(b, err));
    QN_TRY(pump(host, b));
    CHECK(b->ops->ready(b));
    QN_TRY(b->ops->session_create(b, &s, err));
    QN_TRY(b->ops->begin(b, s, &sampling, prompt, 9, err));
    QN_TRY(pump(host, b));
    struct qn_step first = {prompt, 6, 0, false, 0, 0}, second = {prompt + 6, 3, 6, true, 0, 0};
    QN_TRY(step(b, host, s, &first, NULL, err));
    QN_TRY(step(b, host, s, &second, &tokens[0], err));
    for (uint32_t k = 1; k < TOKENS; k++) {
        struct qn_step next = {NULL, 0, 8 + k, true, k == 4 ? QN_WANT_LOGITS : 0, 0};
        QN_TRY(step(b, host, s, &next, &tokens[k], err));
    }
    b->ops->session_destroy(b, s);
    return QN_OK; // a session that an error left behind goes with the backend
}

/* A backend's whole life. A failure that only an event tells is a failure all the same. */
static enum qn_status scenario(const struct qn_allocator *allocator, struct qn_ref_host *host,
                               uint32_t *tokens, struct qn_error *err) {
    struct qn_gpu_host interface = qn_ref_host_interface(host);
    struct qn_backend *b;
    enum qn_status status = qn_gpu_backend_create(&b, allocator, &model.program, &interface, err);
    if (status != QN_OK) {
        CHECK(b == NULL);
        return status;
    }
    status = pump(host, b);
    if (status == QN_OK)
        status = use(b, host, tokens, err);
    b->ops->destroy(b);
    return status;
}

static void check_clean(struct qn_ref_host *host, const char *when, uint64_t at) {
    struct qn_null_stats stats;
    qn_null_host_stats(qn_ref_host_checks(host), &stats);
    CHECK_MSG(stats.buffers == 0 && stats.groups == 0, "%s %llu: %u buffers, %u groups leaked",
              when, (unsigned long long)at, stats.buffers, stats.groups);
}

static void drain(struct qn_ref_host *host) {
    struct qn_gpu_event event;
    while (qn_ref_host_next_event(host, &event))
        ;
}

/* What an undisturbed life gives; also on a host that has seen trouble. */
static uint32_t expected[TOKENS];

static void check_fresh(struct qn_ref_host *host) {
    struct qn_error err = {0};
    uint32_t tokens[TOKENS] = {0};
    drain(host);
    CHECK_MSG(scenario(qn_allocator_default(), host, tokens, &err) == QN_OK, "%s", err.text);
    CHECK(memcmp(tokens, expected, sizeof tokens) == 0);
    check_clean(host, "fresh", 0);
}

/* ---- Faults ---------------------------------------------------------------------------------- */

static void test_plays(enum qn_status fault, bool forever, bool late, uint64_t plays) {
    for (uint64_t at = 0; at <= plays; at++) {
        struct qn_ref_host *host;
        struct qn_error err = {0};
        struct faults faults;
        uint32_t tokens[TOKENS] = {0};
        faults_init(&faults);
        struct qn_allocator allocator = faults_allocator(&faults);
        CHECK(qn_ref_host_create(&host, qn_allocator_default(), NULL) == QN_OK);
        struct qn_null_fault injected = {at, fault, forever, late};
        qn_null_host_fail(qn_ref_host_checks(host), &injected);
        enum qn_status status = scenario(&allocator, host, tokens, &err);
        CHECK_MSG(faults.live == 0, "play %llu: %llu bytes leaked", (unsigned long long)at,
                  (unsigned long long)faults.live);
        // The last plays only destroy, whose failures nobody hears of.
        bool destroying = status == QN_OK && memcmp(tokens, expected, sizeof tokens) == 0;
        // A late failure may show first in a word that needs what was not made.
        CHECK_MSG(destroying || status == fault || (late && status == QN_E_GPU),
                  "play %llu: status %d instead of %d", (unsigned long long)at, (int)status,
                  (int)fault);
        CHECK(!destroying || at + 12 > plays);
        if (!late && !destroying)
            CHECK_MSG(err.status == fault && err.text[0], "play %llu: no message",
                      (unsigned long long)at);
        if (fault != QN_E_GPU_LOST && !forever) {
            check_clean(host, "play", at);
            qn_null_host_fail(qn_ref_host_checks(host), &(struct qn_null_fault){0});
            check_fresh(host);
        }
        qn_ref_host_destroy(host);
    }
}

static void test_allocations(bool persistent) {
    for (uint64_t n = 1;; n++) {
        struct qn_ref_host *host;
        struct qn_error err = {0};
        struct faults faults;
        uint32_t tokens[TOKENS] = {0};
        faults_init(&faults);
        faults.fail_alloc = n;
        faults.persistent = persistent;
        struct qn_allocator allocator = faults_allocator(&faults);
        CHECK(qn_ref_host_create(&host, qn_allocator_default(), NULL) == QN_OK);
        enum qn_status status = scenario(&allocator, host, tokens, &err);
        CHECK_MSG(faults.live == 0, "allocation %llu: %llu bytes leaked", (unsigned long long)n,
                  (unsigned long long)faults.live);
        check_clean(host, "allocation", n);
        const struct qn_error *refusal = qn_null_host_refusal(qn_ref_host_checks(host));
        CHECK_MSG(refusal->status == QN_OK, "allocation %llu: %s", (unsigned long long)n,
                  refusal->text);
        bool fired = faults.fired;
        if (fired)
            CHECK_MSG(status == QN_E_NO_MEMORY && err.status == QN_E_NO_MEMORY,
                      "allocation %llu: status %d", (unsigned long long)n, (int)status);
        else
            CHECK(status == QN_OK && memcmp(tokens, expected, sizeof tokens) == 0);
        qn_ref_host_destroy(host);
        if (!fired)
            break;
    }
}

/* A step that the host refused can be made again, and the session goes on. */
static void test_recovery(void) {
    struct qn_ref_host *host;
    struct qn_backend *b;
    struct qn_backend_session *s;
    struct qn_error err = {0};
    uint32_t token = 0, ids[TOKENS];
    CHECK(qn_ref_host_create(&host, qn_allocator_default(), NULL) == QN_OK);
    struct qn_gpu_host interface = qn_ref_host_interface(host);
    CHECK(qn_gpu_backend_create(&b, qn_allocator_default(), &model.program, &interface, &err) ==
          QN_OK);
    for (size_t i = 0; i < n_planes; i++)
        CHECK(b->ops->write(b, planes[i].weight, planes[i].plane, 0, planes[i].p, planes[i].n,
                            &err) == QN_OK);
    CHECK(b->ops->finish(b, &err) == QN_OK && pump(host, b) == QN_OK);
    s = session_open(b);
    struct qn_sampling plain = {.temperature = 0.9f, .seed = 4};
    CHECK(b->ops->begin(b, s, &plain, prompt, 9, &err) == QN_OK);
    for (int round = 0; round < 2; round++) {
        struct qn_step first = {prompt, 6, 0, true, 0, 0};
        if (round == 1) { // its writes did not happen either
            struct qn_null_fault fault = {0, QN_E_GPU, false, false};
            qn_null_host_fail(qn_ref_host_checks(host), &fault);
            CHECK(step(b, host, s, &first, &token, &err) == QN_E_GPU);
        }
        CHECK(step(b, host, s, &first, &token, &err) == QN_OK);
        for (uint32_t k = 0; k < TOKENS; k++) {
            struct qn_step next = {NULL, 0, 6 + k, true, 0, 0};
            uint32_t before = token;
            if (round == 1 && k % 3 == 1) {
                struct qn_null_fault fault = {0, QN_E_GPU, false, false};
                qn_null_host_fail(qn_ref_host_checks(host), &fault);
                CHECK(step(b, host, s, &next, &token, &err) == QN_E_GPU);
                CHECK(qn_backend_step(b, s, &next, &err) == QN_E_STATE); // its token is not known
                next = (struct qn_step){&before, 1, 6 + k, true, 0, 0};
            }
            CHECK(step(b, host, s, &next, &token, &err) == QN_OK);
            if (round == 0)
                ids[k] = token;
            else
                CHECK_MSG(token == ids[k], "token %u: %u instead of %u", k, token, ids[k]);
        }
    }
    b->ops->destroy(b);
    check_clean(host, "recovery", 0);
    qn_ref_host_destroy(host);
}

/* After LOST, every call says so. */
static void test_lost(void) {
    struct qn_ref_host *host;
    struct qn_backend *b;
    struct qn_backend_session *s, *t;
    struct qn_error err = {0};
    CHECK(qn_ref_host_create(&host, qn_allocator_default(), NULL) == QN_OK);
    struct qn_gpu_host interface = qn_ref_host_interface(host);
    CHECK(qn_gpu_backend_create(&b, qn_allocator_default(), &model.program, &interface, &err) ==
          QN_OK);
    CHECK(b->ops->finish(b, &err) == QN_OK && pump(host, b) == QN_OK && b->ops->ready(b));
    s = session_open(b);
    struct qn_step first = {prompt, 6, 0, true, 0, 0};
    CHECK(qn_backend_step(b, s, &first, &err) == QN_OK);
    struct qn_gpu_event lost = {.kind = QN_GPU_EVENT_LOST, .bytes = "driver reset", .n = 12};
    CHECK(b->ops->event(b, &lost, NULL) == QN_E_GPU_LOST && !b->ops->ready(b));
    struct qn_step_result r;
    bool ready;
    CHECK(b->ops->poll(b, s, &r, &ready, &err) == QN_E_GPU_LOST && !ready);
    CHECK(strstr(err.text, "driver reset") != NULL);
    b->ops->drop(b, s);
    CHECK(qn_backend_step(b, s, &first, &err) == QN_E_GPU_LOST);
    CHECK(b->ops->begin(b, s, &greedy, prompt, 9, &err) == QN_E_GPU_LOST);
    CHECK(b->ops->poll(b, s, &r, &ready, &err) == QN_E_GPU_LOST);
    CHECK(b->ops->session_create(b, &t, &err) == QN_E_GPU_LOST && t == NULL);
    CHECK(b->ops->write(b, 0, QN_PLANE_VALUES, 0, planes[0].p, 4, &err) == QN_E_GPU_LOST);
    struct qn_gpu_event error = {
        .kind = QN_GPU_EVENT_ERROR, .status = QN_E_GPU, .bytes = "x", .n = 1};
    CHECK(b->ops->event(b, &error, NULL) == QN_E_GPU);
    CHECK(qn_backend_step(b, s, &first, &err) == QN_E_GPU_LOST);
    b->ops->destroy(b);
    check_clean(host, "lost", 0); // this host did not really lose anything
    qn_ref_host_destroy(host);
}

int main(void) {
    static const enum qn_status statuses[] = {QN_E_GPU, QN_E_GPU_MEMORY, QN_E_GPU_LOST};
    model_build(&model, &tiny, qn_allocator_default());
    if (!CHECK_MSG(model.err.status == QN_OK, "%s", model.err.text))
        return test_done("webgpu_torture");
    make_weights();
    struct qn_ref_host *host;
    struct qn_null_stats stats;
    struct qn_error err = {0};
    CHECK(qn_ref_host_create(&host, qn_allocator_default(), NULL) == QN_OK);
    CHECK_MSG(scenario(qn_allocator_default(), host, expected, &err) == QN_OK, "%s", err.text);
    qn_null_host_stats(qn_ref_host_checks(host), &stats);
    check_fresh(host);
    qn_ref_host_destroy(host);
    for (size_t i = 0; i < 3; i++)
        for (int how = 0; how < 4; how++)
            test_plays(statuses[i], how & 1, how & 2, stats.plays);
    test_allocations(false);
    test_allocations(true);
    test_recovery();
    test_lost();
    for (size_t i = 0; i < n_planes; i++)
        free(planes[i].p);
    qn_arena_free(&model.arena);
    return test_done("webgpu_torture");
}
