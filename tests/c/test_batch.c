/* Several sessions at once through qn_engine_next: each gets what it gets alone, whoever joins,
 * leaves or is cancelled meanwhile; masks hold; what fails is told to those whom it concerns. */
#include "base/rng.h"
#include "engine/engine.h"
#include "program/sample.h"
#include "tests/c/engine_case.h"

#define SESSIONS 7
#define CONTEXT 64

static struct model_case model;
static bool on_gpu;
static uint32_t prompts[SESSIONS][40];
static struct qn_request requests[SESSIONS];
static struct told alone[SESSIONS], got[SESSIONS];

static enum qn_kv_type kv_type;

static bool start_bench(struct bench *b, uint32_t chunk) {
    struct qn_engine_desc desc = {.context = CONTEXT, .chunk = chunk, .kv_type = kv_type};
    return bench_start(b, &model, least_caps(on_gpu), desc);
}

/* Prompts of different lengths; greedy ones, drawn ones, some that want logits. */
static void make_requests(uint32_t vocab) {
    for (uint32_t i = 0; i < SESSIONS; i++) {
        uint32_t n = 1 + i * 6;
        for (uint32_t j = 0; j < n; j++)
            prompts[i][j] = qn_rng_u32(3, i, j) % (vocab - 4);
        requests[i] = (struct qn_request){
            .ids = prompts[i], .n_ids = n, .max_tokens = 3 + i * 4, .sampling = {.seed = i}};
        if (i % 2)
            requests[i].sampling.temperature = 1.3f;
        if (i == 3)
            requests[i].sampling.repetition_penalty = 1.4f;
        if (i == 4)
            requests[i].want = QN_WANT_LOGITS;
        if (i == 6)
            requests[i].max_tokens = 1000;
    }
}

static uint32_t index_of(qn_session *const *s, const qn_session *which) {
    uint32_t i = 0;
    while (i < SESSIONS && s[i] != which)
        i++;
    return i;
}

/* Session i is started when `i * gap` events were told; `cancel` is cancelled after 4 tokens. */
static void run_together(struct bench *b, qn_session **s, uint32_t gap, uint32_t cancel) {
    struct qn_error err = {0};
    uint32_t started = 0, ended = 0, events = 0;
    memset(got, 0, sizeof got);
    while (ended < SESSIONS && events < 5000) {
        for (; started < SESSIONS && (events >= started * gap || started == ended); started++)
            CHECK(qn_session_start(s[started], &requests[started], &err) == QN_OK);
        struct qn_event e;
        qn_session *which = NULL;
        events++;
        if (!CHECK_MSG(qn_engine_next(b->engine, &which, &e, &err) == QN_OK, "%s", err.text))
            return;
        CHECK((which == NULL) == (e.kind == QN_EVENT_WAIT));
        if (which == NULL) {
            bench_pump(b);
            continue;
        }
        uint32_t i = index_of(s, which);
        if (!CHECK(i < started))
            return;
        told_add(&got[i], b, &e);
        ended += e.kind == QN_EVENT_DONE;
        if (i == cancel && got[i].n == 4)
            qn_session_cancel(s[i]);
    }
    CHECK(ended == SESSIONS);
    qn_session *which = s[0];
    struct qn_event e;
    CHECK(qn_engine_next(b->engine, &which, &e, &err) == QN_E_STATE && which == NULL);
}

static void test_together(void) {
    struct bench b;
    qn_session *s[SESSIONS] = {0};
    struct qn_error err = {0};
    if (!start_bench(&b, 8))
        return;
    make_requests(qn_engine_vocab(b.engine));
    for (uint32_t i = 0; i < SESSIONS; i++) {
        memset(&alone[i], 0, sizeof alone[i]);
        CHECK(qn_session_create(&s[i], b.engine, &err) == QN_OK);
        CHECK(qn_session_start(s[i], &requests[i], &err) == QN_OK);
        CHECK(tell(&alone[i], &b, s[i], &err) == QN_OK);
        qn_session_destroy(s[i]);
    }
    for (uint32_t i = 0; i < SESSIONS; i++)
        CHECK(qn_session_create(&s[i], b.engine, &err) == QN_OK);
    for (uint32_t gap = 0; gap < 12; gap += 3) {
        run_together(&b, s, gap, UINT32_MAX);
        for (uint32_t i = 0; i < SESSIONS; i++) {
            CHECK_MSG(told_same(&alone[i], &got[i]), "%s %s: session %u, gap %u: %zu and %zu ids",
                      model.name, on_gpu ? "gpu" : "cpu", i, gap, alone[i].n, got[i].n);
            CHECK(alone[i].n_logits == got[i].n_logits && alone[i].logits == got[i].logits);
            CHECK(memcmp(alone[i].first_logits, got[i].first_logits,
                         alone[i].n_logits * sizeof(float)) == 0);
        }
    }
    run_together(&b, s, 1, 5);
    for (uint32_t i = 0; i < SESSIONS; i++)
        CHECK(i == 5 ? got[i].done.finish == QN_FINISH_CANCELLED && got[i].n == 4 &&
                           memcmp(got[i].ids, alone[i].ids, 4 * sizeof *got[i].ids) == 0
                     : told_same(&alone[i], &got[i]));
    bench_stop(&b);
}

/* A long prompt and a short answer take turns: neither waits for the other's end. */
static void test_fair(void) {
    struct bench b;
    qn_session *s[2], *which;
    struct qn_error err = {0};
    struct qn_event e = {0};
    if (!start_bench(&b, 2))
        return;
    struct qn_request answer = {.ids = prompts[0], .n_ids = 1, .max_tokens = 30};
    struct qn_request prompt = {.ids = prompts[6], .n_ids = 36, .max_tokens = 1};
    for (int i = 0; i < 2; i++)
        CHECK(qn_session_create(&s[i], b.engine, &err) == QN_OK);
    CHECK(qn_session_start(s[0], &answer, &err) == QN_OK);
    uint32_t tokens = 0, run = 0, longest = 0;
    for (int i = 0; i < 2000 && e.kind != QN_EVENT_DONE; i++) {
        if (tokens == 2 && e.kind == QN_EVENT_TOKEN)
            CHECK(qn_session_start(s[1], &prompt, &err) == QN_OK);
        CHECK(qn_engine_next(b.engine, &which, &e, &err) == QN_OK);
        bench_pump(&b);
        if (e.kind == QN_EVENT_PREFILL && which == s[1])
            longest = ++run > longest ? run : longest;
        if (e.kind == QN_EVENT_TOKEN && which == s[0])
            tokens++, run = 0;
    }
    // 18 chunks: never more of them in a row than steps may be in flight.
    CHECK_MSG(which == s[1] && tokens >= 10 && tokens < 30 && longest <= (on_gpu ? 4 : 1),
              "%u tokens, %u chunks in a row", tokens, longest);
    bench_stop(&b);
}

/* ---- sessions of the engine's own ------------------------------------------------------------ */

static void finish(struct told *t, struct bench *b, qn_session *s, uint32_t reused,
                   const struct told *want, const char *what) {
    struct qn_error err = {0};
    memset(t, 0, sizeof *t);
    CHECK_MSG(tell(t, b, s, &err) == QN_OK, "%s", err.text);
    CHECK_MSG(told_same(t, want) && t->done.reused_tokens == reused, "%s %s: %s, %u reused, not %u",
              model.name, on_gpu ? "gpu" : "cpu", what, t->done.reused_tokens, reused);
}

static void test_pool(void) {
    struct bench b;
    qn_session *s[6] = {0}, *mine;
    struct qn_error err = {0};
    static struct told want, t;
    memset(&want, 0, sizeof want);
    if (!start_bench(&b, 8))
        return;
    const struct qn_request *r = &requests[6]; // 37 ids
    struct qn_request ask = {.ids = r->ids, .n_ids = 37, .max_tokens = 9};
    CHECK(qn_session_create(&mine, b.engine, &err) == QN_OK);
    CHECK(qn_session_start(mine, &ask, &err) == QN_OK && tell(&want, &b, mine, &err) == QN_OK);
    qn_session_destroy(mine);
    // One is being answered while the next begins: its prompt is found there.
    CHECK(qn_engine_start(b.engine, &s[0], &ask, &err) == QN_OK);
    struct qn_event e = {0};
    for (int calls = 0; e.kind != QN_EVENT_TOKEN && calls < 1000; calls++) {
        CHECK(qn_session_next(s[0], &e, &err) == QN_OK);
        bench_pump(&b);
    }
    for (int i = 1; i < 4; i++) {
        CHECK_MSG(qn_engine_start(b.engine, &s[i], &ask, &err) == QN_OK, "%s", err.text);
        CHECK(s[i] != s[0] && s[i] != s[i - 1]);
    }
    CHECK(qn_engine_start(b.engine, &s[4], &ask, &err) == QN_E_STATE && s[4] == NULL);
    for (int i = 1; i < 4; i++)
        finish(&t, &b, s[i], 36, &want, "beside a first");
    qn_session *fork;
    CHECK(qn_session_fork(&fork, s[0], &err) == QN_OK);
    qn_session_destroy(s[0]); // while it runs
    CHECK(qn_session_start(fork, &ask, &err) == QN_OK);
    finish(&t, &b, fork, 36, &want, "a fork");
    qn_session_destroy(fork);
    // Given back is free: the one that shares most is picked, and a refusal takes none.
    for (int i = 1; i < 4; i++)
        qn_session_destroy(s[i]);
    struct qn_request bad = ask;
    bad.sampling.temperature = -1;
    for (int i = 0; i < 9; i++)
        CHECK(qn_engine_start(b.engine, &s[4], &bad, &err) == QN_E_ARGUMENT && s[4] == NULL);
    ask.n_ids = 3; // of 45 that each holds: another conversation
    CHECK(qn_engine_start(b.engine, &s[0], &ask, &err) == QN_OK);
    CHECK(tell(&t, &b, s[0], &err) == QN_OK && t.done.reused_tokens == 2);
    qn_session_destroy(s[0]);
    ask.n_ids = 37;
    CHECK(qn_engine_start(b.engine, &s[1], &ask, &err) == QN_OK && s[1] != s[0]);
    finish(&t, &b, s[1], 36, &want, "another conversation later");
    qn_session_destroy(s[1]);
    bench_stop(&b);
}

/* ---- snapshots ------------------------------------------------------------------------------- */

struct piece {
    unsigned char *bytes;
    size_t n;
};

static uint32_t save(struct piece pieces[64], struct bench *b, qn_session *s) {
    uint32_t n = qn_session_pieces(s);
    struct qn_error err = {0};
    for (uint32_t i = 0; i < n && CHECK(n <= 64); i++) {
        const void *p = NULL;
        enum qn_status status;
        for (int calls = 0; calls < 9; calls++) {
            status = qn_session_save(s, &p, &pieces[i].n, i, &err);
            if (status != QN_E_NEED_DATA)
                break;
            bench_pump(b);
        }
        if (!CHECK_MSG(status == QN_OK, "piece %u of %u: %s", i, n, err.text))
            return 0;
        pieces[i].bytes = malloc(pieces[i].n);
        memcpy(pieces[i].bytes, p, pieces[i].n);
    }
    return n;
}

static enum qn_status restore(qn_session *s, const struct piece *pieces, uint32_t n) {
    enum qn_status status = QN_OK;
    for (uint32_t i = 0; i < n && status == QN_OK; i++) {
        char *copy = malloc(pieces[i].n ? pieces[i].n : 1); // so that reading too far is seen
        memcpy(copy, pieces[i].bytes, pieces[i].n);
        status = qn_session_restore(s, copy, pieces[i].n, i, NULL);
        free(copy);
    }
    return status;
}

static void test_snapshots(void) {
    struct bench b, other;
    qn_session *s;
    struct qn_error err = {0};
    static struct told want, t;
    struct piece pieces[64];
    memset(&want, 0, sizeof want);
    if (!start_bench(&b, 8))
        return;
    struct qn_request ask = {.ids = requests[6].ids, .n_ids = 37, .max_tokens = 9};
    CHECK(qn_session_create(&s, b.engine, &err) == QN_OK);
    const void *p;
    size_t size;
    CHECK(qn_session_save(s, &p, &size, 0, &err) == QN_E_STATE); // it holds nothing
    CHECK(qn_session_start(s, &ask, &err) == QN_OK);
    CHECK(qn_session_save(s, &p, &size, 0, &err) == QN_E_STATE);
    CHECK(tell(&want, &b, s, &err) == QN_OK);
    uint32_t n = save(pieces, &b, s);
    CHECK(n > 2 && qn_session_save(s, &p, &size, 2, &err) == QN_E_STATE);
    bench_stop(&b);
    // In another engine, of another context.
    struct qn_engine_desc desc = {.context = CONTEXT + 32, .chunk = 8, .kv_type = kv_type};
    CHECK(bench_start(&other, &model, least_caps(on_gpu), desc));
    CHECK(qn_engine_take(other.engine, &s, &err) == QN_OK);
    CHECK(restore(s, pieces, n) == QN_OK);
    CHECK(qn_session_start(s, &ask, &err) == QN_OK);
    finish(&t, &other, s, 36, &want, "restored");
    // Every piece flipped, cut, left out or given twice is refused; then the session holds nothing.
    for (uint32_t i = 0; i < n; i++)
        for (int harm = 0; harm < 5; harm++) {
            struct piece bad[64];
            memcpy(bad, pieces, sizeof bad);
            unsigned char *bytes = malloc(pieces[i].n);
            memcpy(bytes, pieces[i].bytes, pieces[i].n);
            bad[i].bytes = bytes;
            bytes[(i * 131 + 7) % pieces[i].n] ^= harm == 0 ? 4 : 0;
            bad[i].n -= harm == 1 ? 1 : harm == 2 ? bad[i].n : 0;
            if (harm == 3)
                bad[i] = pieces[(i + 1) % n];
            enum qn_status status = restore(s, bad, harm == 4 ? i : n);
            CHECK(harm == 4 ? status == QN_OK : status != QN_OK);
            if (harm == 4 && i > 0)
                CHECK(qn_session_restore(s, pieces[0].bytes, pieces[0].n, i == 1 ? 2 : i - 1,
                                         &err) == QN_E_STATE);
            free(bytes);
            if (i % 3 || (harm == 4 && i == 0))
                continue;
            CHECK(qn_session_start(s, &ask, &err) == QN_OK);
            finish(&t, &other, s, 0, &want, "after a refusal");
        }
    CHECK(restore(s, pieces, n) == QN_OK);
    bench_stop(&other);
    // A cache of another type refuses it, and says which two.
    static const char *const names[QN_KV_COUNT] = {"F32", "F16", "Q8_0", "Q4_1"};
    enum qn_kv_type mine = kv_type;
    kv_type = (mine + 1) % QN_KV_COUNT;
    if (start_bench(&b, 8)) {
        CHECK(qn_engine_take(b.engine, &s, &err) == QN_OK);
        CHECK(qn_session_restore(s, pieces[0].bytes, pieces[0].n, 0, &err) == QN_E_CONFIG);
        char want_text[80];
        snprintf(want_text, sizeof want_text, "a cache in %s, this one is in %s", names[mine],
                 names[kv_type]);
        CHECK_MSG(strstr(err.text, want_text) != NULL, "%s", err.text);
        CHECK(qn_session_start(s, &ask, &err) == QN_OK && tell(&t, &b, s, &err) == QN_OK);
    }
    kv_type = mine;
    for (uint32_t i = 0; i < n; i++)
        free(pieces[i].bytes);
    bench_stop(&b);
}

/* ---- masks ----------------------------------------------------------------------------------- */

struct mask_state {
    uint32_t vocab, calls, accepted[64], n, end, freed;
    bool fail;
};

/* Token k of the answer is one of three ids that depend on k; every fifth is free. */
static bool allowed(uint32_t id, uint32_t k) {
    return k % 5 == 4 || id % 16 == (k * 3) % 16;
}

static enum qn_status mask(void *ud, uint32_t *bits, bool *all, struct qn_error *err) {
    struct mask_state *m = ud;
    m->calls++;
    if (m->fail && m->n == 3)
        return qn_fail(err, QN_E_LIMIT, "a grammar");
    *all = m->n % 5 == 4;
    for (uint32_t i = 0; !*all && i < (m->vocab + 31) / 32; i++)
        bits[i] = 0;
    for (uint32_t id = 0; !*all && id < m->vocab; id++)
        if (allowed(id, m->n))
            bits[id / 32] |= 1u << id % 32;
    return QN_OK;
}

static enum qn_status accept(void *ud, uint32_t id, enum qn_accepted *out, struct qn_error *err) {
    (void)err;
    struct mask_state *m = ud;
    CHECK(m->n < 64 && m->calls == m->n + 1);
    m->accepted[m->n++] = id;
    if (m->n == m->end)
        *out = QN_ACCEPTED_LAST;
    return QN_OK;
}

static void mask_free(void *ud) {
    ((struct mask_state *)ud)->freed++;
}

static void test_masks(void) {
    struct bench b;
    qn_session *s[3], *which;
    struct qn_error err = {0};
    struct qn_event e;
    struct mask_state states[3] = {{.end = 12}, {.end = 64}, {.end = 64, .fail = true}};
    if (!start_bench(&b, 8))
        return;
    for (int i = 0; i < 3; i++) {
        states[i].vocab = qn_engine_vocab(b.engine);
        struct qn_masker masker = {&states[i], mask, accept, mask_free, NULL};
        CHECK(qn_session_create(&s[i], b.engine, &err) == QN_OK);
        CHECK(qn_run_start(&s[i]->run, &requests[i + 3], &masker, &err) == QN_OK);
        CHECK(qn_run_start(&s[i]->run, &requests[i + 3], &masker, &err) == QN_E_STATE);
        CHECK(states[i].freed == 1); // the second, which was refused
    }
    uint32_t ended = 0, failed = 0;
    memset(got, 0, sizeof got);
    for (int calls = 0; ended < 3 && calls < 2000; calls++) {
        enum qn_status status = qn_engine_next(b.engine, &which, &e, &err);
        bench_pump(&b);
        if (status != QN_OK) {
            CHECK(which == s[2] && status == QN_E_LIMIT && strstr(err.text, "grammar"));
            failed++;
            ended++;
            continue;
        }
        for (int i = 0; i < 3; i++)
            if (s[i] == which)
                told_add(&got[i], &b, &e);
        ended += e.kind == QN_EVENT_DONE;
    }
    CHECK(ended == 3 && failed == 1);
    CHECK(got[0].n == 12 && got[0].done.finish == QN_FINISH_STOP);
    CHECK(got[1].n == 19 && got[1].done.finish == QN_FINISH_LENGTH && got[2].n == 3);
    for (int i = 0; i < 3; i++) {
        CHECK(states[i].n == got[i].n && got[i].logits == (i == 1 ? got[i].n : 0));
        for (uint32_t k = 0; k < got[i].n; k++)
            CHECK(got[i].ids[k] == states[i].accepted[k] && allowed(got[i].ids[k], k));
        qn_session_destroy(s[i]);
        CHECK(states[i].freed == 2);
    }
    bench_stop(&b);
}

/* What the sampler makes of a mask. */
static void test_sampler(void) {
    float logits[40], scratch[40];
    uint32_t bits[2] = {0, 0};
    for (uint32_t round = 0; round < 200; round++) {
        struct qn_sampling s = {.temperature = (float)(round % 3), .seed = round};
        s.top_k = round % 5;
        s.top_p = round % 7 ? 0.8f : 1;
        bits[0] = qn_rng_u32(1, round, 0) & qn_rng_u32(1, round, 1) & qn_rng_u32(1, round, 2);
        bits[1] = qn_rng_u32(1, round, 3) & qn_rng_u32(1, round, 4);
        uint32_t best = 40;
        for (uint32_t i = 0; i < 40; i++) {
            logits[i] = 8.0f * qn_rng_unit(2, round, i);
            if (qn_mask_allows(bits, i) && (best == 40 || logits[i] > logits[best]))
                best = i;
        }
        CHECK(qn_mask_any(bits, 40) == (best < 40));
        if (best == 40)
            continue;
        uint32_t id = qn_sample(logits, scratch, 40, &s, NULL, bits, round);
        CHECK(qn_mask_allows(bits, id) && (s.temperature > 0 || id == best));
    }
    bits[0] = 0;
    bits[1] = 1u << 7 | 1u << 9; // 39 is the last of 40
    CHECK(qn_mask_any(bits, 40) && !qn_mask_any(bits, 39));
    for (uint32_t i = 0; i < 40; i++)
        logits[i] = i < 39 ? 1.0f : -__builtin_inff();
    CHECK(qn_sample(logits, scratch, 40, &(struct qn_sampling){.temperature = 1}, NULL, bits, 0) ==
          39);
}

int main(void) {
    test_sampler();
    for (int which = 0; which < 3; which++) {
        if (!case_tiny(&model, which))
            continue;
        for (int gpu = 0; gpu < 2; gpu++) {
            on_gpu = gpu;
            for (kv_type = QN_KV_COUNT; kv_type-- > QN_KV_F32;) {
                test_together();
                test_pool();
                test_snapshots();
            }
            kv_type = QN_KV_F32;
            test_fair();
            if (!on_gpu)
                test_masks();
        }
        case_free(&model);
    }
    return test_done("batch");
}
