/* Guessed tokens: the answer is the one without guesses, whatever is guessed; where a text repeats
 * itself guesses hold, where it does not none are made. */
#include "base/num.h"
#include "base/rng.h"
#include "engine/engine.h"
#include "tests/c/engine_case.h"

#define CONTEXT 200

static struct model_case model;
static uint32_t ids[CONTEXT];

static bool start_bench(struct bench *b, const struct qn_gpu_caps *caps) {
    return bench_start(b, &model, caps, (struct qn_engine_desc){.context = CONTEXT});
}

static void answer(struct told *t, struct bench *b, qn_session *s, struct qn_request r,
                   bool speculate) {
    struct qn_error err = {0};
    memset(t, 0, sizeof *t);
    r.speculate = speculate;
    CHECK_MSG(qn_session_start(s, &r, &err) == QN_OK && tell(t, b, s, &err) == QN_OK, "%s",
              err.text);
}

static struct told plain, guessed; // large

static void compare(struct bench *b, qn_session *s, const struct qn_request *r, const char *what) {
    answer(&plain, b, s, *r, false);
    CHECK(plain.done.drafted_tokens == 0);
    answer(&guessed, b, s, *r, true);
    CHECK_MSG(told_same(&plain, &guessed), "%s: %s, %zu and %zu tokens", model.name, what, plain.n,
              guessed.n);
    CHECK(guessed.done.accepted_tokens <= guessed.done.drafted_tokens);
}

/* Prompts that repeat themselves, and prompts that do not. */
static void fill(uint32_t round) {
    uint32_t period = round % 4 == 3 ? CONTEXT : 1 + round;
    for (uint32_t i = 0; i < CONTEXT; i++)
        ids[i] = qn_rng_u32(round, i % period, 1) % 60;
}

static uint32_t all_drafted[2], all_accepted[2]; // at the backend's own cost, and at almost none

static void test_same(int cheap) {
    struct bench b;
    qn_session *s;
    struct qn_error err = {0};
    if (!start_bench(&b, NULL) || !CHECK(qn_session_create(&s, b.engine, &err) == QN_OK))
        return;
    if (cheap)
        b.engine->backend->exact_cost = 0.01f; // guesses pay even where most are wrong
    for (uint32_t round = 0; round < 24; round++) {
        fill(round);
        struct qn_request r = {.ids = ids, .n_ids = 1 + round * 2, .max_tokens = 120};
        compare(&b, s, &r, "greedy");
        all_drafted[cheap] += guessed.done.drafted_tokens;
        all_accepted[cheap] += guessed.done.accepted_tokens;
        // What the cache holds afterwards is right, too.
        r.max_tokens = 7;
        r.n_ids += 3;
        compare(&b, s, &r, "after it");
        // Ends of every kind, in the middle of guesses.
        r.n_ids = 1 + round * 2;
        r.max_tokens = 20 + round * 5;
        compare(&b, s, &r, "a limit");
        r.max_tokens = 1000;
        compare(&b, s, &r, "the context");
        CHECK(guessed.done.finish == QN_FINISH_CONTEXT);
        r.stop_on_eos = true;
        compare(&b, s, &r, "an end token");
        struct qn_str stop = {plain.text + plain.n_text / 2, qn_min_size(3, plain.n_text / 2)};
        if (stop.n > 0 && (unsigned char)stop.p[0] < 0x80) {
            char copy[4];
            memcpy(copy, stop.p, stop.n);
            stop.p = copy;
            r.stops = &stop;
            r.n_stops = 1;
            compare(&b, s, &r, "a stop string");
        }
    }
    // Nothing to guess where the choice is not greedy, or not plain.
    for (int kind = 0; kind < 5; kind++) {
        static const uint32_t bias_id = 3;
        static const float bias = 2;
        struct qn_request r = {.ids = ids, .n_ids = 30, .max_tokens = 60};
        fill(2);
        r.sampling.temperature = kind == 0 ? 0.5f : 0;
        r.sampling.repetition_penalty = kind == 1 ? 1.3f : 1;
        r.sampling.presence_penalty = kind == 2 ? 0.5f : 0;
        r.want = kind == 3 ? QN_WANT_LOGITS : 0;
        r.sampling.bias_ids = &bias_id;
        r.sampling.bias = &bias;
        r.sampling.n_bias = kind == 4;
        compare(&b, s, &r, "not plain");
        CHECK(guessed.done.drafted_tokens == 0);
    }
    bench_stop(&b);
}

/* Cancelled anywhere, and beside others, with whom steps are shared instead. */
static void test_company(void) {
    struct bench b;
    qn_session *s[3];
    struct qn_error err = {0};
    if (!start_bench(&b, NULL))
        return;
    fill(1);
    struct qn_request r = {.ids = ids, .n_ids = 20, .max_tokens = 100, .speculate = true};
    for (int i = 0; i < 3; i++)
        CHECK(qn_session_create(&s[i], b.engine, &err) == QN_OK);
    for (size_t at = 0; at < 60; at += 7) {
        struct qn_event e = {0};
        CHECK(qn_session_start(s[0], &r, &err) == QN_OK);
        for (size_t n = 0; e.kind != QN_EVENT_DONE; n += e.kind == QN_EVENT_TOKEN) {
            if (n == at)
                qn_session_cancel(s[0]);
            if (!CHECK(qn_session_next(s[0], &e, &err) == QN_OK))
                return;
        }
        struct qn_request again = r;
        again.n_ids = 15;
        compare(&b, s[0], &again, "after a cancelled one");
    }
    answer(&plain, &b, s[0], r, false);
    static struct told t[3];
    memset(t, 0, sizeof t);
    for (int i = 0; i < 3; i++)
        CHECK(qn_session_start(s[i], &r, &err) == QN_OK);
    tell_all(t, &b, s, 3);
    for (int i = 0; i < 3; i++)
        CHECK(told_same(&plain, &t[i]));
    bench_stop(&b);
}

#define FLOATS QN_GPU_ROWS
#define BYTES (QN_GPU_ROWS | QN_GPU_SUBGROUPS | QN_GPU_PACKED_DOT)

static uint32_t gpu_drafted, gpu_accepted;

/* A GPU computes steps ahead until guesses pay; then they are verified by exact steps. */
static void test_gpu(uint32_t features) {
    struct bench b;
    qn_session *s;
    struct qn_error err = {0};
    struct qn_gpu_caps caps = {.features = features, .subgroup_min = 32, .subgroup_max = 32};
    if (!start_bench(&b, &caps) || !CHECK(qn_session_create(&s, b.engine, &err) == QN_OK))
        return;
    CHECK(b.engine->backend->max_exact == 8 && b.engine->backend->exact_wait > 0);
    b.engine->backend->exact_cost = 0.01f;
    for (uint32_t round = 0; round < 12; round++) {
        fill(round);
        b.engine->backend->exact_wait = round % 2 ? 0.1f : 1.0f;
        struct qn_request r = {.ids = ids, .n_ids = 1 + round * 3, .max_tokens = 120};
        compare(&b, s, &r, "gpu");
        gpu_drafted += guessed.done.drafted_tokens;
        gpu_accepted += guessed.done.accepted_tokens;
        r.max_tokens = 7;
        r.n_ids += 3;
        compare(&b, s, &r, "gpu, after it");
        r.max_tokens = 1000;
        compare(&b, s, &r, "gpu, the context");
        r.stop_on_eos = true;
        compare(&b, s, &r, "gpu, an end token");
    }
    bench_stop(&b);
}

/* Attention's parts are joined otherwise from a position on: no step crosses it. */
static void test_edge(void) {
    struct bench b;
    qn_session *s;
    struct qn_error err = {0};
    struct qn_gpu_caps caps = {.features = BYTES, .subgroup_min = 32, .subgroup_max = 32};
    if (!start_bench(&b, &caps) || !CHECK(qn_session_create(&s, b.engine, &err) == QN_OK))
        return;
    CHECK(b.engine->backend->exact_edge > 1000);
    b.engine->backend->exact_cost = b.engine->backend->exact_wait = 0.01f;
    fill(1);
    struct qn_request r = {.ids = ids, .n_ids = 20, .max_tokens = 70};
    for (uint32_t edge = 30; edge < 60; edge += 7) {
        b.engine->backend->exact_edge = edge;
        compare(&b, s, &r, "across the edge");
    }
    bench_stop(&b);
}

/* A device that adds in several orders, or computes rows one after another, makes no guesses. */
static void test_none(uint32_t features, uint32_t subgroup_max) {
    struct bench b;
    qn_session *s;
    struct qn_error err = {0};
    struct qn_gpu_caps caps = {
        .features = features, .subgroup_min = 16, .subgroup_max = subgroup_max};
    if (!start_bench(&b, &caps) || !CHECK(qn_session_create(&s, b.engine, &err) == QN_OK))
        return;
    fill(1);
    struct qn_request r = {.ids = ids, .n_ids = 20, .max_tokens = 60};
    compare(&b, s, &r, "gpu");
    CHECK(b.engine->backend->max_exact == 0 && guessed.done.drafted_tokens == 0);
    bench_stop(&b);
}

int main(void) {
    for (int which = 0; which < 3; which++) {
        if (!case_tiny(&model, which))
            continue;
        test_same(0);
        test_same(1);
        test_company();
        test_gpu(FLOATS);
        test_gpu(BYTES);
        test_edge();
        test_none(QN_GPU_SUBGROUPS, 16);
        test_none(BYTES, 32);
        case_free(&model);
    }
    // At what it costs here, guessing is left where it fails; where it costs nothing it is not.
    CHECK_MSG(all_drafted[0] > 100 && all_accepted[0] > all_drafted[0] / 5 * 4,
              "%u of %u guesses held", all_accepted[0], all_drafted[0]);
    CHECK_MSG(all_drafted[1] > all_drafted[0] && all_accepted[1] > all_accepted[0] &&
                  all_accepted[1] + 50 < all_drafted[1],
              "%u of %u cheap guesses held", all_accepted[1], all_drafted[1]);
    CHECK_MSG(gpu_drafted > 100 && gpu_accepted > gpu_drafted / 3,
              "%u of %u guesses held on the GPU", gpu_accepted, gpu_drafted);
    return test_done("draft");
}
