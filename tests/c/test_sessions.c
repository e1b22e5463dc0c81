/* Anything that may be done to sessions, in random order: started, driven alone or together,
 * cancelled anywhere, forked, saved, restored and freed while others run. Whatever happened
 * before, a generation is what it is on a session that has seen nothing.
 *
 *     test_sessions [first seed] [seeds]
 *
 * (In many thousands of generations a draw meets a tie that the rounding of a prompt in other
 * chunks decides; not so in those of the seeds that are used without arguments.) */
#include "base/rng.h"
#include "tests/c/engine_case.h"

#define SLOTS 5
#define KINDS 40
#define CONTEXT 48

static struct model_case model;
static bool on_gpu;
static uint32_t prompts[3][80];
static struct qn_request requests[KINDS];
static struct told alone[KINDS];
static uint32_t seed, draws;

static struct slot {
    qn_session *s;
    bool running, cancelled, pooled;
    uint32_t kind;
    struct told told;
} slots[SLOTS];

static uint32_t draw(uint32_t n) {
    return qn_rng_u32(seed, draws++, 0) % n;
}

/* Few prompts, of which requests are beginnings, so that much is found again. */
static void make_requests(uint32_t vocab) {
    for (uint32_t i = 0; i < 3; i++)
        for (uint32_t j = 0; j < 80; j++)
            prompts[i][j] = (i == 0 ? j % 3 : qn_rng_u32(i, j < 9 ? 0 : i, j)) % (vocab - 4);
    for (uint32_t i = 0; i < KINDS; i++) {
        struct qn_request r = {.ids = prompts[draw(3)], .max_tokens = draw(30)};
        r.slide = draw(2);
        r.sinks = draw(6);
        r.n_ids = 1 + draw(r.slide ? 80 : CONTEXT);
        r.speculate = draw(2);
        r.stop_on_eos = draw(2);
        r.sampling.temperature = draw(2) ? 0.8f : 0;
        r.sampling.repetition_penalty = draw(4) ? 0 : 1.3f;
        r.sampling.seed = i;
        r.want = draw(4) ? 0 : draw(2) ? QN_WANT_LOGITS : QN_WANT_LOGITS | QN_WANT_LOGITS_ALL;
        if (draw(6) == 0)
            r.want |= QN_WANT_ARGMAX_ALL;
        if (r.want & ~(uint32_t)QN_WANT_LOGITS && r.n_ids > CONTEXT)
            r.n_ids = CONTEXT;
        requests[i] = r;
    }
}

static void end(struct slot *x) {
    const struct told *a = &alone[x->kind], *t = &x->told;
    x->running = false;
    if (x->pooled) {
        qn_session_destroy(x->s);
        x->s = NULL;
    }
    if (x->cancelled && t->done.finish == QN_FINISH_CANCELLED)
        CHECK_MSG(t->n <= a->n && memcmp(t->ids, a->ids, t->n * sizeof *t->ids) == 0,
                  "%s %s seed %u: request %u before it was cancelled", model.name,
                  on_gpu ? "gpu" : "cpu", seed, x->kind);
    else
        CHECK_MSG(told_same(a, t) && a->logits == t->logits, "%s %s seed %u: request %u differs",
                  model.name, on_gpu ? "gpu" : "cpu", seed, x->kind);
}

static void take(struct bench *b, struct slot *x, const struct qn_event *e) {
    told_add(&x->told, b, e);
    if (e->kind == QN_EVENT_DONE)
        end(x);
}

static void begin(struct bench *b, struct slot *x) {
    struct qn_error err = {0};
    uint32_t kind = draw(KINDS);
    x->pooled = x->s == NULL && draw(2);
    if (x->pooled) {
        enum qn_status status = qn_engine_start(b->engine, &x->s, &requests[kind], &err);
        x->pooled = CHECK(status == QN_OK || status == QN_E_STATE) && status == QN_OK;
        if (status != QN_OK)
            return;
    } else {
        if (!x->s && !CHECK(qn_session_create(&x->s, b->engine, &err) == QN_OK))
            return;
        if (!CHECK_MSG(qn_session_start(x->s, &requests[kind], &err) == QN_OK, "%s", err.text))
            return;
    }
    memset(&x->told, 0, sizeof x->told);
    x->kind = kind;
    x->running = true;
    x->cancelled = false;
}

static void drive(struct bench *b, struct slot *x) {
    struct qn_error err = {0};
    struct qn_event e;
    qn_session *s = NULL;
    bool any = false, one = x->running && draw(3) == 0;
    for (uint32_t i = 0; i < SLOTS; i++)
        any |= slots[i].running;
    for (uint32_t n = 1 + draw(12); n > 0 && any; n--) {
        enum qn_status status =
            one ? qn_session_next(x->s, &e, &err) : qn_engine_next(b->engine, &s, &e, &err);
        if (!CHECK_MSG(status == QN_OK, "%s", err.text))
            return;
        for (uint32_t i = 0; i < SLOTS; i++)
            if (slots[i].s && slots[i].s == (one ? x->s : s)) {
                take(b, &slots[i], &e);
                break;
            }
        if (e.kind == QN_EVENT_WAIT || draw(4) == 0)
            bench_pump(b);
        any = !one || x->running;
        for (uint32_t i = 0; i < SLOTS && !one; i++)
            any = i == 0 ? slots[i].running : any || slots[i].running;
    }
}

/* From one idle session into another. */
static void move(struct bench *b, qn_session *from, qn_session *to) {
    uint32_t n = qn_session_pieces(from);
    for (uint32_t i = 0; i < n; i++) {
        const void *p = NULL;
        size_t size = 0;
        enum qn_status status = qn_session_save(from, &p, &size, i, NULL);
        for (int calls = 0; status == QN_E_NEED_DATA && calls < 9; calls++) {
            bench_pump(b);
            status = qn_session_save(from, &p, &size, i, NULL);
        }
        if (status == QN_E_STATE && i == 0)
            return; // nothing to save
        CHECK(status == QN_OK && qn_session_restore(to, p, size, i, NULL) == QN_OK);
        if (draw(20) == 0)
            return; // not all of it
    }
}

static void step(struct bench *b) {
    struct slot *x = &slots[draw(SLOTS)], *other = &slots[draw(SLOTS)];
    struct qn_error err = {0};
    switch (draw(12)) {
    case 0:
    case 1:
    case 2:
        if (!x->running)
            begin(b, x);
        break;
    case 3:
        if (x->running && draw(2)) {
            qn_session_cancel(x->s);
            x->cancelled = true;
        }
        break;
    case 4:
        if (draw(3) == 0) {
            qn_session_destroy(x->s);
            x->s = NULL;
            x->running = false;
        }
        break;
    case 5:
        if (x->s && !other->s) {
            CHECK_MSG(qn_session_fork(&other->s, x->s, &err) == QN_OK, "%s", err.text);
            other->pooled = other->running = false;
        }
        break;
    case 6:
        if (x != other && x->s && other->s && !x->running && !other->running)
            move(b, x->s, other->s);
        break;
    default:
        drive(b, x);
    }
}

static void test_mix(void) {
    struct bench b;
    draws = 0;
    memset(slots, 0, sizeof slots);
    struct qn_engine_desc desc = {.context = CONTEXT, .chunk = 1 + draw(20), .sessions = 3};
    if (bench_start(&b, &model, least_caps(on_gpu), desc)) {
        make_requests(qn_engine_vocab(b.engine));
        for (uint32_t i = 0; i < KINDS; i++) {
            struct qn_error err = {0};
            qn_session *s = NULL;
            memset(&alone[i], 0, sizeof alone[i]);
            CHECK(qn_session_create(&s, b.engine, &err) == QN_OK);
            CHECK_MSG(qn_session_start(s, &requests[i], &err) == QN_OK &&
                          tell(&alone[i], &b, s, &err) == QN_OK,
                      "%s", err.text);
            qn_session_destroy(s);
        }
        for (uint32_t i = 0; i < (on_gpu ? 400 : 2000); i++)
            step(&b);
    }
    bench_stop(&b);
}

int main(int argc, char **argv) {
    uint32_t first = argc > 1 ? (uint32_t)atoi(argv[1]) : 1,
             n = argc > 2 ? (uint32_t)atoi(argv[2]) : 4;
    for (int which = 0; which < 3; which++) {
        if (case_tiny(&model, which))
            for (seed = first; seed < first + n; seed++)
                for (int gpu = 0; gpu < 2; gpu++) {
                    on_gpu = gpu;
                    test_mix();
                }
        case_free(&model);
    }
    return test_done("sessions");
}
