/* What a session does, event by event, on the CPU and on the reference GPU: prefixes kept and
 * dropped, ends of every kind, cancelling anywhere, refusals that disturb nothing. */
#include <math.h>

#include "base/utf8.h"
#include "tests/c/engine_case.h"

#define PROMPT 20
#define TOKENS 10
#define CONTEXT 48
#define EOS 63

static uint32_t prompt[256];
static struct model_case model;
static bool on_gpu;

static bool start_bench(struct bench *b, qn_session **s, uint32_t chunk, uint32_t threads) {
    struct qn_engine_desc desc = {.context = CONTEXT, .chunk = chunk, .threads = threads};
    struct qn_error err = {0};
    *s = NULL;
    return bench_start(b, &model, least_caps(on_gpu), desc) &&
           CHECK_MSG(qn_session_create(s, b->engine, &err) == QN_OK, "%s", err.text);
}

static void run_on(struct told *t, struct bench *b, qn_session *s, const struct qn_request *r) {
    struct qn_error err = {0};
    memset(t, 0, sizeof *t);
    CHECK_MSG(qn_session_start(s, r, &err) == QN_OK && tell(t, b, s, &err) == QN_OK, "%s %s: %s",
              model.name, on_gpu ? "gpu" : "cpu", err.text);
}

/* The same on a session that has seen nothing. */
static void run_fresh(struct told *t, struct bench *b, const struct qn_request *r) {
    struct qn_error err = {0};
    qn_session *s = NULL;
    memset(t, 0, sizeof *t);
    if (CHECK(qn_session_create(&s, b->engine, &err) == QN_OK))
        run_on(t, b, s, r);
    CHECK(t->done.reused_tokens == 0);
    qn_session_destroy(s);
}

static struct told whole, other; // large

static const struct qn_request plain = {.ids = prompt, .n_ids = PROMPT, .max_tokens = TOKENS};

static void expect(const struct told *a, const struct told *b, uint32_t reused, const char *what) {
    CHECK_MSG(told_same(a, b), "%s %s: %s differs from a fresh run", model.name,
              on_gpu ? "gpu" : "cpu", what);
    CHECK_MSG(b->done.reused_tokens == reused, "%s: reused %u instead of %u", what,
              b->done.reused_tokens, reused);
}

static void test_reuse(struct bench *b, qn_session *s) {
    struct qn_request r = plain;
    uint32_t ids[64];
    run_fresh(&whole, b, &r);
    run_on(&other, b, s, &r);
    expect(&whole, &other, 0, "the first");
    CHECK(whole.n == TOKENS && whole.done.finish == QN_FINISH_LENGTH);
    CHECK(whole.done.prompt_tokens == PROMPT && whole.done.completion_tokens == TOKENS);
    run_on(&other, b, s, &r);
    expect(&whole, &other, PROMPT - 1, "regenerate");
    // The answer becomes prompt, and more comes after it.
    memcpy(ids, prompt, sizeof *ids * PROMPT);
    memcpy(ids + PROMPT, whole.ids, sizeof *ids * TOKENS);
    memcpy(ids + PROMPT + TOKENS, prompt, sizeof *ids * 3);
    r = (struct qn_request){.ids = ids, .n_ids = PROMPT + TOKENS + 3, .max_tokens = 5};
    struct told fresh = {0};
    run_fresh(&fresh, b, &r);
    run_on(&other, b, s, &r);
    expect(&fresh, &other, PROMPT + TOKENS - 1, "the next turn");
    // An edit at every place, longer and shorter than before.
    for (uint32_t at = 0; at < PROMPT; at += 3) {
        uint32_t old = ids[at];
        ids[at] = (old + 7) % 60;
        r.n_ids = PROMPT - at % 4;
        run_fresh(&fresh, b, &r);
        run_on(&other, b, s, &r);
        expect(&fresh, &other, at < r.n_ids - 1 ? at : (uint32_t)r.n_ids - 1, "an edit");
        ids[at] = old;
        r.n_ids = PROMPT; // back: at least what came before the edit is there
        run_fresh(&fresh, b, &r);
        run_on(&other, b, s, &r);
        expect(&fresh, &other, at, "the edit undone");
    }
    // A branch.
    r.n_ids = 6;
    run_fresh(&fresh, b, &r);
    run_on(&other, b, s, &r);
    expect(&fresh, &other, 5, "a branch");
}

static void test_limits(struct bench *b, qn_session *s) {
    struct qn_error err = {0};
    struct qn_request r = plain;
    r.max_tokens = 1000;
    run_on(&other, b, s, &r);
    CHECK(other.n == CONTEXT - PROMPT + 1 && other.done.finish == QN_FINISH_CONTEXT);
    r.max_tokens = CONTEXT - PROMPT + 1; // exactly what fits is no overflow
    run_on(&other, b, s, &r);
    CHECK(other.n == CONTEXT - PROMPT + 1 && other.done.finish == QN_FINISH_LENGTH);
    r.n_ids = CONTEXT;
    r.max_tokens = 5;
    run_on(&other, b, s, &r);
    CHECK(other.n == 1 && other.done.finish == QN_FINISH_CONTEXT);
    r.n_ids = CONTEXT + 1;
    CHECK(qn_session_start(s, &r, &err) == QN_E_CONTEXT && strstr(err.text, "49") != NULL);
    r = plain;
    r.max_tokens = 0;
    run_on(&other, b, s, &r);
    CHECK(other.n == 0 && other.n_text == 0 && other.done.completion_tokens == 0 &&
          other.done.prompt_tokens == PROMPT && other.logits == 0);
    // All there is to want of a prompt.
    r.want = QN_WANT_LOGITS | QN_WANT_ARGMAX_ALL;
    run_on(&other, b, s, &r);
    CHECK(other.n_argmax == PROMPT && other.logits == 1 && other.n_logits == 64 && other.n == 0);
    uint32_t best = 0;
    for (uint32_t i = 0; i < other.n_logits; i++)
        best = other.first_logits[i] > other.first_logits[best] ? i : best;
    CHECK(best == other.argmax[PROMPT - 1]);
    struct told with = {0};
    r.max_tokens = 4;
    run_on(&with, b, s, &r);
    CHECK(with.n_argmax == PROMPT && with.n == 4 && with.ids[0] == best && with.logits == 4);
    CHECK(memcmp(with.argmax, other.argmax, sizeof with.argmax) == 0);
    r.want = QN_WANT_ARGMAX_ALL;
    run_on(&with, b, s, &r);
    CHECK(with.n_argmax == PROMPT && with.n == 4 && with.ids[0] == best && with.logits == 0);
    // Every prefix's arg-max is what a prompt of that length goes on with.
    for (uint32_t n = 1; n <= PROMPT; n += 5) {
        r = (struct qn_request){.ids = prompt, .n_ids = n, .max_tokens = 1, .want = QN_WANT_LOGITS};
        run_on(&with, b, s, &r);
        CHECK(with.n == 1 && with.ids[0] == other.argmax[n - 1] && with.logits == 1);
    }
}

/* The timeline slides: every stretch is what its own prompt of the tokens that stay gives. */
static void test_slide(struct bench *b, qn_session *s) {
    struct qn_error err = {0};
    uint32_t ids[160], want[64], sinks[3] = {0, 1, 9};
    for (int i = 0; i < 3; i++)
        for (uint32_t long_prompt = 0; long_prompt < 2; long_prompt++) {
            uint32_t n = long_prompt ? 100 : PROMPT, keep = sinks[i] ? sinks[i] : 4, got = 0;
            struct qn_request r = {.ids = prompt, .n_ids = n, .max_tokens = 47, .slide = true};
            r.sinks = sinks[i];
            r.sampling = (struct qn_sampling){.temperature = 0.7f, .seed = 4};
            run_on(&whole, b, s, &r);
            CHECK(whole.n == 47 && whole.done.finish == QN_FINISH_LENGTH);
            CHECK(whole.done.prompt_tokens == n && whole.done.completion_tokens == 47);
            memcpy(ids, prompt, n * sizeof *ids);
            while (got < 47) {
                if (n > CONTEXT) {
                    memmove(ids + keep, ids + n - (36 - keep), (36 - keep) * sizeof *ids);
                    n = 36;
                }
                struct qn_request part = {.ids = ids, .n_ids = n, .sampling = r.sampling};
                part.max_tokens = CONTEXT - n + 1 < 47 - got ? CONTEXT - n + 1 : 47 - got;
                run_fresh(&other, b, &part);
                CHECK(other.n == part.max_tokens);
                memcpy(want + got, other.ids, other.n * sizeof *want);
                memcpy(ids + n, other.ids, other.n * sizeof *ids);
                n += (uint32_t)other.n;
                got += (uint32_t)other.n;
            }
            CHECK_MSG(memcmp(want, whole.ids, sizeof *want * 47) == 0, "%s %s: %u sinks",
                      model.name, on_gpu ? "gpu" : "cpu", keep);
            r.want = QN_WANT_LOGITS | QN_WANT_LOGITS_ALL;
            if (!long_prompt) { // each position of the prompt once, though some are computed again
                run_on(&other, b, s, &r);
                CHECK(other.n == 47 && other.logits == PROMPT - 1 + 47);
            }
            r.want = 0;
            r.max_tokens = 60; // more than the context
            run_on(&other, b, s, &r);
            CHECK(other.n == 60 && other.done.finish == QN_FINISH_LENGTH);
            r.max_tokens = UINT32_MAX; // no limit given
            run_on(&other, b, s, &r);
            CHECK(other.n == CONTEXT && other.done.finish == QN_FINISH_CONTEXT &&
                  memcmp(other.ids, whole.ids, sizeof *want * 47) == 0);
            r.want = QN_WANT_ARGMAX_ALL;
            r.n_ids = CONTEXT + 1;
            CHECK(qn_session_start(s, &r, &err) == QN_E_CONTEXT);
        }
}

static size_t find(const char *text, size_t n, struct qn_str what) {
    return qn_str_find((struct qn_str){text, n}, what, 0);
}

static void test_stops(struct bench *b, qn_session *s) {
    struct qn_request r = plain;
    r.max_tokens = 16;
    run_on(&whole, b, s, &r);
    CHECK(whole.n_text > 6);
    for (size_t begin = 0; begin < whole.n_text; begin++)
        for (size_t n = 1; n <= 5 && begin + n <= whole.n_text; n++) {
            struct qn_str stops[2] = {{whole.text + begin, n}, QN_STR("never said")};
            if (qn_utf8_check(stops[0]) != SIZE_MAX || (unsigned char)stops[0].p[0] == 0xef)
                continue; // half a character
            r.stops = stops;
            r.n_stops = 2;
            run_on(&other, b, s, &r);
            size_t at = find(whole.text, whole.n_text, stops[0]);
            CHECK_MSG(other.n_text == at && memcmp(other.text, whole.text, at) == 0 &&
                          other.done.finish == QN_FINISH_STOP,
                      "stop \"%.*s\" in \"%.*s\": \"%.*s\"", QN_STR_ARG(stops[0]),
                      (int)whole.n_text, whole.text, (int)other.n_text, other.text);
            CHECK(other.n <= whole.n && other.done.completion_tokens <= whole.n);
        }
    // What looked like a stop string to the end comes with DONE.
    char almost[64];
    memcpy(almost, whole.text + whole.n_text - 2, 2);
    memcpy(almost + 2, "zz", 2);
    struct qn_str stop = {almost, 4};
    r.stops = &stop;
    r.n_stops = 1;
    run_on(&other, b, s, &r);
    CHECK(other.n_text == whole.n_text && memcmp(other.text, whole.text, whole.n_text) == 0);
    CHECK(other.done.finish == QN_FINISH_LENGTH);
    // The cache is sound after a stop in the middle of what was in flight.
    r = plain;
    run_fresh(&whole, b, &r);
    run_on(&other, b, s, &r);
    CHECK(told_same(&whole, &other));
}

static void test_eos(struct bench *b, qn_session *s) {
    const uint32_t eos = EOS;
    const float up = 100;
    struct qn_request r = plain;
    r.sampling = (struct qn_sampling){.bias_ids = &eos, .bias = &up, .n_bias = 1};
    CHECK(qn_engine_is_eos(b->engine, EOS) && !qn_engine_is_eos(b->engine, 5));
    r.stop_on_eos = true;
    run_on(&other, b, s, &r);
    CHECK(other.n == 0 && other.n_text == 0 && other.done.finish == QN_FINISH_STOP &&
          other.done.completion_tokens == 1);
    r.stop_on_eos = false;
    run_on(&other, b, s, &r);
    CHECK(other.n == TOKENS && other.ids[0] == EOS && other.n_text == 0 &&
          other.done.finish == QN_FINISH_LENGTH);
    r = plain; // the bias is gone
    run_fresh(&whole, b, &r);
    run_on(&other, b, s, &r);
    CHECK(told_same(&whole, &other));
}

static void test_cancel(struct bench *b, qn_session *s) {
    struct qn_error err = {0};
    struct qn_event e;
    struct qn_request r = plain;
    r.want = QN_WANT_LOGITS;
    run_fresh(&whole, b, &r);
    bool over = false;
    for (int n = 0; !over; n++) {
        struct told t = {0}, before = {0};
        prompt[2] = (prompt[2] + 1) % 50; // another prompt each time: nothing to reuse
        CHECK(qn_session_start(s, &r, &err) == QN_OK);
        for (int i = 0; i < n && !over; i++) {
            CHECK(qn_session_next(s, &e, &err) == QN_OK);
            told_add(&before, b, &e);
            over = e.kind == QN_EVENT_DONE;
            if (e.kind == QN_EVENT_WAIT)
                bench_pump(b);
        }
        CHECK(over || qn_session_start(s, &r, &err) == QN_E_STATE);
        qn_session_cancel(s);
        if (over) {
            CHECK(qn_session_next(s, &e, &err) == QN_E_STATE);
        } else {
            CHECK(tell(&t, b, s, &err) == QN_OK && t.waits == 0 && t.n == 0);
            // After the last token there is nothing left to cancel.
            CHECK(t.done.finish == (before.n == TOKENS ? QN_FINISH_LENGTH : QN_FINISH_CANCELLED));
        }
        // What is left in the cache is true.
        struct told fresh = {0};
        run_fresh(&fresh, b, &r);
        run_on(&t, b, s, &r);
        CHECK_MSG(told_same(&fresh, &t), "%s %s: after cancelling at event %d", model.name,
                  on_gpu ? "gpu" : "cpu", n);
    }
    qn_session_cancel(s); // idle: nothing
    CHECK(qn_session_next(s, &e, &err) == QN_E_STATE && strstr(err.text, "finish or cancel"));
}

static void test_refusals(struct bench *b, qn_session *s) {
    struct qn_error err = {0};
    static const uint32_t good = 5, far = 64;
    static const float one = 1, huge = 1e31f;
    struct qn_str stops[1] = {{"", 0}};
    struct qn_request r[24];
    size_t n = 0;
    for (size_t i = 0; i < 24; i++)
        r[i] = plain;
    uint32_t bad[PROMPT];
    memcpy(bad, prompt, sizeof bad);
    bad[PROMPT - 1] = 64;
    r[n++].ids = bad;
    r[n++].n_ids = 0;
    r[n++].sampling.temperature = -1;
    r[n++].sampling.temperature = NAN;
    r[n++].sampling.temperature = INFINITY;
    r[n++].sampling.top_p = 1.5f;
    r[n++].sampling.top_p = NAN;
    r[n++].sampling.min_p = -0.1f;
    r[n++].sampling.min_p = NAN;
    r[n++].sampling.repetition_penalty = NAN;
    r[n++].sampling.repetition_penalty = -1;
    r[n++].sampling.frequency_penalty = NAN;
    r[n++].sampling.presence_penalty = INFINITY;
    r[n].sampling.bias_ids = &far;
    r[n].sampling.bias = &one;
    r[n++].sampling.n_bias = 1;
    r[n].sampling.bias_ids = &good;
    r[n].sampling.bias = &huge;
    r[n++].sampling.n_bias = 1;
    r[n].stops = stops;
    r[n++].n_stops = 1;
    struct qn_request ok = plain;
    run_fresh(&whole, b, &ok);
    for (size_t i = 0; i < n; i++) {
        memset(&err, 0, sizeof err);
        CHECK_MSG(qn_session_start(s, &r[i], &err) == QN_E_ARGUMENT && err.text[0] != 0,
                  "request %zu: %s", i, err.text);
        struct qn_event e;
        CHECK(qn_session_next(s, &e, &err) == QN_E_STATE);
        run_on(&other, b, s, &ok);
        CHECK(told_same(&whole, &other));
    }
}

/* Drawn tokens depend on seed and position alone: not on chunks, threads, reuse. */
static void test_drawn(void) {
    static const uint32_t chunks[] = {24, 1, 3, 8, 20};
    struct qn_request r = plain;
    r.sampling = (struct qn_sampling){.temperature = 0.9f, .top_p = 0.95f, .top_k = 20, .seed = 5};
    for (size_t i = 0; i < 5; i++) {
        struct bench b;
        qn_session *s;
        if (start_bench(&b, &s, chunks[i], i == 2 ? 2 : 1)) {
            struct told *t = i == 0 ? &whole : &other;
            run_on(t, &b, s, &r);
            CHECK_MSG(told_same(&whole, t), "%s: chunk %u", model.name, chunks[i]);
            CHECK(t->prefills == (PROMPT + chunks[i] - 1) / chunks[i]);
            run_on(&other, &b, s, &r);
            CHECK(told_same(&whole, &other));
            r.sampling.seed = 6;
            run_on(&other, &b, s, &r);
            CHECK_MSG(!told_same(&whole, &other), "%s: the seed is not heard", model.name);
            r.sampling.seed = 5;
        }
        bench_stop(&b);
    }
}

/* Two sessions in turns: neither hears of the other. */
static void test_turns(struct bench *b) {
    qn_session *s[2] = {NULL, NULL};
    struct told t[2];
    struct qn_error err = {0};
    struct qn_request r[2] = {plain, plain};
    r[1].ids = prompt + 7;
    memset(t, 0, sizeof t);
    for (int i = 0; i < 2; i++)
        CHECK(qn_session_create(&s[i], b->engine, &err) == QN_OK &&
              qn_session_start(s[i], &r[i], &err) == QN_OK);
    bool over[2] = {false, false};
    for (int calls = 0; calls < 1000 && !(over[0] && over[1]); calls++) {
        struct qn_event e;
        int i = calls % 2;
        if (over[i])
            continue;
        CHECK(qn_session_next(s[i], &e, &err) == QN_OK);
        told_add(&t[i], b, &e);
        over[i] = e.kind == QN_EVENT_DONE;
        if (e.kind == QN_EVENT_WAIT)
            bench_pump(b);
    }
    for (int i = 0; i < 2; i++) {
        run_fresh(&other, b, &r[i]);
        CHECK(over[i] && told_same(&t[i], &other));
        qn_session_destroy(s[i]);
    }
}

int main(void) {
    struct told cpu = {0};
    for (int which = 0; which < 3; which++) {
        if (!case_tiny(&model, which))
            continue;
        for (int gpu = 0; gpu < 2; gpu++) {
            on_gpu = gpu != 0;
            for (uint32_t i = 0; i < 256; i++)
                prompt[i] = (i * i * 7 + i * 31 + 3) % 60;
            struct bench b;
            qn_session *s;
            if (start_bench(&b, &s, 8, 1)) {
                test_reuse(&b, s);
                run_on(&other, &b, s, &plain);
                if (gpu)
                    CHECK_MSG(told_same(&cpu, &other), "%s: CPU and GPU differ", model.name);
                cpu = other;
                test_limits(&b, s);
                test_slide(&b, s);
                test_stops(&b, s);
                test_eos(&b, s);
                test_refusals(&b, s);
                test_turns(&b);
                if (which == 0 || !gpu)
                    test_cancel(&b, s);
            }
            bench_stop(&b);
            for (uint32_t i = 0; i < 256; i++)
                prompt[i] = (i * i * 7 + i * 31 + 3) % 60;
            test_drawn();
        }
        case_free(&model);
    }
    return test_done("engine_run");
}
