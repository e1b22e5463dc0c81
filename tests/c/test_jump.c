/* Text that a constraint forces is not sampled: the answer is the one that masks alone give, in
 * fewer steps. The words of the grammars here are one token a character where both are compared, so
 * that masks leave no choice of tokens either. */
#include "base/rng.h"
#include "engine/engine.h"
#include "tests/c/engine_case.h"

#define CONTEXT 96

static struct model_case model;
static uint32_t ids[CONTEXT];
static struct told plain, jumped; // large

static bool start_bench(struct bench *b, const struct qn_gpu_caps *caps,
                        const struct qn_allocator *allocator) {
    struct qn_engine_desc desc = {.context = CONTEXT, .allocator = allocator};
    return bench_start(b, &model, caps, desc);
}

static enum qn_status answer(struct told *t, struct bench *b, qn_session *s, struct qn_request r,
                             bool speculate, struct qn_error *err) {
    memset(t, 0, sizeof *t);
    r.speculate = speculate;
    QN_TRY(qn_session_start(s, &r, err));
    return tell(t, b, s, err);
}

/* Steps that a generation of one prompt step took: those of one token each, and of more. */
static size_t steps(const struct told *t, size_t forced) {
    return t->n - forced + t->prefills - 1;
}

static void compare(struct bench *b, qn_session *s, const struct qn_request *r, const char *what) {
    struct qn_error err = {0};
    CHECK_MSG(answer(&plain, b, s, *r, false, &err) == QN_OK, "%s: %s", what, err.text);
    CHECK_MSG(answer(&jumped, b, s, *r, true, &err) == QN_OK, "%s: %s", what, err.text);
    CHECK_MSG(told_same(&plain, &jumped), "%s, %s: \"%.*s\" and \"%.*s\"", model.name, what,
              (int)plain.n_text, plain.text, (int)jumped.n_text, jumped.text);
}

static void fill(uint32_t round) {
    for (uint32_t i = 0; i < CONTEXT; i++)
        ids[i] = 2 + qn_rng_u32(round, i, 1) % 50;
}

static struct qn_constraint grammar(const char *text) {
    return (struct qn_constraint){.kind = QN_CONSTRAINT_GRAMMAR, .text = qn_str_from(text)};
}

#define WORDS "root ::= [a-f] \"0123456789.,!?\" [b-g] \"9876543210\" ([c-h] | \"77777\")"

static void test_same(const struct qn_gpu_caps *caps) {
    struct bench b;
    qn_session *s;
    struct qn_error err = {0};
    if (!start_bench(&b, caps, NULL) || !CHECK(qn_session_create(&s, b.engine, &err) == QN_OK))
        return;
    for (uint32_t round = 0; round < (caps ? 3 : 12); round++) {
        fill(round);
        struct qn_request r = {.ids = ids,
                               .n_ids = 1 + round * 2,
                               .max_tokens = 60,
                               .constraint = grammar(WORDS),
                               .sampling = {.temperature = round % 3 ? 1.0f : 0,
                                            .seed = round,
                                            .repetition_penalty = round % 2 ? 5.0f : 1}};
        compare(&b, s, &r, "whole");
        CHECK(jumped.done.finish == QN_FINISH_STOP && jumped.prefills > plain.prefills);
        CHECK_MSG(jumped.n >= 26 && steps(&jumped, 22) < 12 && steps(&plain, 0) >= 26,
                  "%zu tokens, %u prompt steps", jumped.n, jumped.prefills);
        // What the cache holds afterwards is right, too.
        struct qn_request after = {.ids = ids, .n_ids = r.n_ids, .max_tokens = 9};
        memcpy(ids + r.n_ids, jumped.ids, 20 * sizeof *ids);
        after.n_ids += 20;
        CHECK(answer(&jumped, &b, s, after, false, &err) == QN_OK);
        CHECK(jumped.done.reused_tokens >= r.n_ids);
        qn_session *fresh;
        CHECK(qn_session_create(&fresh, b.engine, &err) == QN_OK);
        CHECK(answer(&plain, &b, fresh, after, false, &err) == QN_OK);
        CHECK(told_same(&plain, &jumped));
        qn_session_destroy(fresh);
        // Ends of every kind.
        for (r.max_tokens = 1; r.max_tokens < 30; r.max_tokens += 4)
            compare(&b, s, &r, "a limit");
        r.max_tokens = 60;
        struct qn_str stop = QN_STR("56");
        r.stops = &stop;
        r.n_stops = 1;
        compare(&b, s, &r, "a stop string");
        CHECK(jumped.n_text == 6 && jumped.done.completion_tokens == 8);
        r.n_stops = 0;
        for (r.n_ids = CONTEXT - 30; r.n_ids <= CONTEXT; r.n_ids += 5) {
            compare(&b, s, &r, "the context");
            CHECK(jumped.done.finish == QN_FINISH_STOP || jumped.n == CONTEXT + 1 - r.n_ids);
        }
        r.slide = true;
        for (r.n_ids = CONTEXT - 30; r.n_ids <= CONTEXT; r.n_ids += 10) {
            compare(&b, s, &r, "sliding");
            CHECK(jumped.done.finish == QN_FINISH_STOP);
        }
    }
    // Where tokens are counted, changed or looked at, each is sampled.
    for (int kind = 0; kind < 4; kind++) {
        static const uint32_t bias_id = 3;
        static const float bias = 2;
        struct qn_request r = {
            .ids = ids, .n_ids = 9, .max_tokens = 60, .constraint = grammar(WORDS)};
        r.sampling.frequency_penalty = kind == 0 ? 0.5f : 0;
        r.sampling.presence_penalty = kind == 1 ? 0.5f : 0;
        r.want = kind == 2 ? QN_WANT_LOGITS : 0;
        r.sampling.bias_ids = &bias_id;
        r.sampling.bias = &bias;
        r.sampling.n_bias = kind == 3;
        compare(&b, s, &r, "not plain");
        CHECK(jumped.prefills == plain.prefills && jumped.logits == plain.logits);
    }
    bench_stop(&b);
}

/* The tokens are the tokenizer's own; the last one is the model's, unless nothing follows. */
static void test_tokens(void) {
    struct bench b;
    qn_session *s;
    struct qn_error err = {0};
    const uint32_t *own;
    size_t n;
    if (!start_bench(&b, NULL, NULL) || !CHECK(qn_session_create(&s, b.engine, &err) == QN_OK))
        return;
    static const struct {
        const char *grammar, *text;
        size_t left; // of its tokens to the model
    } cases[] = {
        {"root ::= \"x\" \"thereininthe\" [a-c]", "thereininthe", 1},
        {"root ::= \"x\" \"thereininthe\"", "thereininthe", 0},
        {"root ::= \"x\" \"theinthe\" (\"rein\" | \"re\")", "theinthere", 1},
        {"root ::= \"x\" \"inthe\" [a-c]", "inthe", 2}, // one is not worth a step
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct qn_request r = {
            .ids = ids, .n_ids = 5, .max_tokens = 60, .constraint = grammar(cases[i].grammar)};
        CHECK(answer(&jumped, &b, s, r, true, &err) == QN_OK);
        CHECK(jumped.n_text > 5 && jumped.done.finish == QN_FINISH_STOP);
        CHECK(jumped.done.completion_tokens == jumped.n);
        CHECK(qn_engine_tokenize(b.engine, &own, &n, qn_str_from(cases[i].text), 0, &err) == QN_OK);
        if (cases[i].left < 2)
            CHECK_MSG(jumped.n > n - cases[i].left &&
                          memcmp(jumped.ids + 1, own, (n - cases[i].left) * sizeof *own) == 0,
                      "%s: other tokens", cases[i].text);
        CHECK((jumped.prefills > 1) == (cases[i].left == 1 && n > 2));
    }
    bench_stop(&b);
}

/* Cancelled anywhere, and beside others. */
static void test_company(const struct qn_gpu_caps *caps) {
    struct bench b;
    qn_session *s[3];
    struct qn_error err = {0};
    if (!start_bench(&b, caps, NULL))
        return;
    fill(1);
    struct qn_request r = {.ids = ids,
                           .n_ids = 20,
                           .max_tokens = 100,
                           .speculate = true,
                           .constraint = grammar(WORDS)};
    for (int i = 0; i < 3; i++)
        CHECK(qn_session_create(&s[i], b.engine, &err) == QN_OK);
    for (size_t at = 0; at < 28; at += 3) {
        struct qn_event e = {0};
        CHECK(qn_session_start(s[0], &r, &err) == QN_OK);
        for (size_t n = 0; e.kind != QN_EVENT_DONE; n += e.kind == QN_EVENT_TOKEN) {
            if (n == at)
                qn_session_cancel(s[0]);
            if (!CHECK(qn_session_next(s[0], &e, &err) == QN_OK))
                return;
            bench_pump(&b);
        }
        compare(&b, s[0], &r, "after a cancelled one");
    }
    static struct told t[3];
    memset(t, 0, sizeof t);
    for (int i = 0; i < 3; i++)
        CHECK(qn_session_start(s[i], &r, &err) == QN_OK);
    tell_all(t, &b, s, 3);
    for (int i = 0; i < 3; i++)
        CHECK(told_same(&plain, &t[i]));
    bench_stop(&b);
}

/* Any allocation may fail: the answer ends with an error, or is the same. */
static void test_faults(void) {
    struct qn_request r = {.ids = ids, .n_ids = 5, .max_tokens = 100, .constraint = grammar(WORDS)};
    bool fired = true;
    for (uint64_t n = 1; fired; n++) {
        struct faults f;
        struct bench b;
        qn_session *s;
        struct qn_error err = {0};
        faults_init(&f);
        struct qn_allocator allocator = faults_allocator(&f);
        if (!start_bench(&b, NULL, &allocator) ||
            !CHECK(qn_session_create(&s, b.engine, &err) == QN_OK))
            return;
        f.fail_alloc = f.allocs + n;
        enum qn_status status = answer(&jumped, &b, s, r, true, &err);
        fired = f.fired;
        CHECK_MSG(status == QN_E_NO_MEMORY || status == QN_OK, "allocation %u: %s", (unsigned)n,
                  err.text);
        f.fail_alloc = 0;
        CHECK(answer(&plain, &b, s, r, false, &err) == QN_OK);
        if (status == QN_OK)
            CHECK(told_same(&plain, &jumped));
        bench_stop(&b);
        CHECK(f.live == 0);
    }
}

int main(void) {
    struct qn_gpu_caps caps = {
        .features = QN_GPU_ROWS | QN_GPU_SUBGROUPS, .subgroup_min = 32, .subgroup_max = 32};
    for (int which = 0; which < 3; which++) {
        if (!case_tiny(&model, which))
            continue;
        test_same(NULL);
        test_same(&caps);
        test_company(NULL);
        test_company(&caps);
        if (which == 1) {
            test_tokens();
            test_faults();
        }
        case_free(&model);
    }
    return test_done("jump");
}
