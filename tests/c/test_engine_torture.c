/* Every allocation, every read and every tape fails in turn, once and from then on, over the whole
 * life of an engine as an application leads it: open, load, tokenise, template, chat, a second
 * session, cancelling, closing in the middle. The error has a name and a text, nothing leaks, and
 * what the contract lets go on goes on: the same engine once it is ready, else a fresh one, with
 * the same tokens as an undisturbed life. */
#include "tests/c/engine_case.h"

#define TOKENS 8

static const char chat_json[] =
    "{\"messages\":[{\"role\":\"system\",\"content\":\"be good.\"},"
    "{\"role\":\"user\",\"content\":\"the \\u0074hin <|im_end|> is an \\ud83d\\ude00 er\"}],"
    "\"max_tokens\":8,\"temperature\":0.7,\"top_p\":0.9,\"seed\":7,\"stop\":[\"zzz\",\"q\\u0071q\"]"
    ","
    "\"logit_bias\":{\"63\":-100,\"61\":-100,\"5\":1},\"logprobs\":true,\"top_logprobs\":2}";
static const char template_json[] =
    "{\"messages\":[{\"role\":\"user\",\"content\":\"a\\nb\"}],\"add_generation_prompt\":true}";

/* What a life yields. */
struct yield {
    uint32_t ids[64];
    size_t n_ids;
    char text[3][2048]; // detokenised, rendered, info
    struct told chat, second;
};

struct life {
    const struct model_case *model;
    bool gpu, text_only;
    struct faults *faults;
    struct bench bench;
    bool once;               // the fault is over after it has struck
    uint64_t strikes;        // operations that failed
    enum qn_status expected; // the fault's status; QN_OK: none may strike
    uint64_t allocs, reads;  // made until the life's end, without those of poke()
};

static bool typed(const struct life *l, enum qn_status status, const struct qn_error *err) {
    if (status == QN_E_NEED_DATA && l->expected == status) // no failure, and no report
        return true;
    return CHECK_MSG(status == l->expected && err->status == status && err->text[0] != 0,
                     "%s: status %s, report %s \"%s\"", l->model->name, qn_status_name(status),
                     qn_status_name(err->status), err->text);
}

/* Runs an operation; when it fails on an engine that is ready, once more, as a user would. */
#define AGAIN(l, operation)                                                            \
    do {                                                                               \
        struct qn_error err_ = {0};                                                    \
        enum qn_status status_ = (operation);                                          \
        if (status_ != QN_OK) {                                                        \
            (l)->strikes++;                                                            \
            typed((l), status_, &err_);                                                \
            bench_pump(&(l)->bench);                                                   \
            if (!(l)->once || qn_engine_state((l)->bench.engine) != QN_ENGINE_READY)   \
                return status_;                                                        \
            memset(&err_, 0, sizeof err_);                                             \
            status_ = (operation);                                                     \
            CHECK_MSG(status_ == QN_OK, "%s: again: %s", (l)->model->name, err_.text); \
            if (status_ != QN_OK)                                                      \
                return status_;                                                        \
        }                                                                              \
    } while (0)

static enum qn_status keep_text(char *out, struct qn_str s) {
    size_t n = s.n < 2047 ? s.n : 2047;
    memcpy(out, s.p, n);
    out[n] = 0;
    return QN_OK;
}

static enum qn_status do_tokenize(struct life *l, struct yield *y, struct qn_error *err) {
    static const char text[] = "the <|im_start|>in\n 42";
    const uint32_t *ids = NULL;
    size_t n = 0;
    QN_TRY(
        qn_engine_tokenize(l->bench.engine, &ids, &n, qn_str_from(text), QN_TEXT_ADD_SPECIAL, err));
    y->n_ids = n < 64 ? n : 64;
    memcpy(y->ids, ids, y->n_ids * sizeof *ids);
    return QN_OK;
}

static enum qn_status do_detokenize(struct life *l, struct yield *y, struct qn_error *err) {
    struct qn_str s = {0};
    QN_TRY(qn_engine_detokenize(l->bench.engine, &s, y->ids, y->n_ids, 0, err));
    return keep_text(y->text[0], s);
}

static enum qn_status do_template(struct life *l, struct yield *y, struct qn_error *err) {
    struct qn_str s = {0};
    QN_TRY(qn_engine_template(l->bench.engine, &s, qn_str_from(template_json), err));
    return keep_text(y->text[1], s);
}

static enum qn_status do_info(struct life *l, struct yield *y, struct qn_error *err) {
    struct qn_str s = {0};
    QN_TRY(qn_engine_info(l->bench.engine, &s, err));
    return keep_text(y->text[2], s);
}

static enum qn_status do_chat(struct life *l, struct yield *y, qn_session *s,
                              struct qn_error *err) {
    memset(&y->chat, 0, sizeof y->chat);
    QN_TRY(qn_session_start_chat(s, qn_str_from(chat_json), err));
    return tell(&y->chat, &l->bench, s, err);
}

static enum qn_status do_second(struct life *l, struct yield *y, qn_session *s,
                                struct qn_error *err) {
    static const uint32_t ids[5] = {9, 2, 30, 7, 12};
    struct qn_request r = {.ids = ids, .n_ids = 5, .max_tokens = TOKENS, .want = QN_WANT_LOGITS};
    memset(&y->second, 0, sizeof y->second);
    QN_TRY(qn_session_start(s, &r, err));
    return tell(&y->second, &l->bench, s, err);
}

/* Starts, hears two events, cancels. */
static enum qn_status do_cancel(struct life *l, qn_session *s, struct qn_error *err) {
    struct told t = {0};
    struct qn_event e;
    QN_TRY(qn_session_start_chat(s, qn_str_from(chat_json), err));
    QN_TRY(qn_session_next(s, &e, err));
    QN_TRY(qn_session_next(s, &e, err));
    qn_session_cancel(s);
    QN_TRY(tell(&t, &l->bench, s, err));
    CHECK(t.done.finish == QN_FINISH_CANCELLED);
    return QN_OK;
}

/* Starts and leaves it: the engine is destroyed over it. */
static enum qn_status do_leave(qn_session *s, struct qn_error *err) {
    static const uint32_t ids[3] = {4, 5, 6};
    struct qn_event e;
    struct qn_request r = {.ids = ids, .n_ids = 3, .max_tokens = 4};
    QN_TRY(qn_session_start(s, &r, err));
    return qn_session_next(s, &e, err);
}

/* The life itself. An error ends it; the caller destroys. */
static enum qn_status live(struct life *l, struct yield *y, const struct qn_engine_desc *desc) {
    qn_session *one = NULL, *two = NULL;
    struct qn_error err = {0};
    enum qn_status status = bench_open(&l->bench, desc, &err);
    if (status != QN_OK) {
        l->strikes++;
        typed(l, status, &err);
        return status;
    }
    AGAIN(l, do_tokenize(l, y, &err_));
    AGAIN(l, do_detokenize(l, y, &err_));
    AGAIN(l, do_template(l, y, &err_));
    if (l->text_only)
        return QN_OK;
    AGAIN(l, do_info(l, y, &err_));
    AGAIN(l, qn_session_create(&one, l->bench.engine, &err_));
    AGAIN(l, do_chat(l, y, one, &err_));
    AGAIN(l, qn_session_create(&two, l->bench.engine, &err_));
    AGAIN(l, do_second(l, y, two, &err_));
    AGAIN(l, do_cancel(l, one, &err_));
    qn_session_destroy(one);
    AGAIN(l, do_leave(two, &err_));
    return QN_OK;
}

/* Nothing that can be called on an engine that has failed may crash, whatever still fails. */
static void poke(struct life *l) {
    qn_engine *e = l->bench.engine;
    struct qn_error err = {0};
    struct qn_str s;
    struct qn_piece piece;
    const uint32_t *ids;
    size_t n;
    uint32_t done;
    qn_session *session = NULL;
    if (!e)
        return;
    if (qn_engine_state(e) == QN_ENGINE_FAILED || qn_engine_state(e) == QN_ENGINE_LOST)
        CHECK(qn_engine_error(e)->status != QN_OK && qn_engine_error(e)->text[0] != 0);
    for (uint32_t i = 0; i <= qn_engine_pieces(e); i++)
        if (qn_engine_piece(e, &piece, i) == QN_OK)
            CHECK(piece.file.n > 0 && piece.file.p[0] != 0);
    (void)qn_engine_tokenize(e, &ids, &n, QN_STR("the x"), 0, &err);
    (void)qn_engine_template(e, &s, qn_str_from(template_json), &err);
    (void)qn_engine_info(e, &s, &err);
    (void)qn_engine_token(e, 5);
    (void)qn_engine_is_eos(e, 63);
    (void)qn_engine_context(e);
    (void)qn_engine_vocab(e);
    if (qn_engine_state(e) == QN_ENGINE_FAILED || qn_engine_state(e) == QN_ENGINE_LOST) {
        CHECK(qn_engine_open(e, &err) == QN_E_STATE);
        CHECK(qn_engine_load(e, &done, &err) == qn_engine_error(e)->status);
        CHECK(qn_session_create(&session, e, &err) == qn_engine_error(e)->status && !session);
    }
}

/* One life, to its end, under `faults`. */
static enum qn_status whole_life(struct life *l, struct yield *y) {
    struct qn_files inner = qn_files_from_memory(&l->model->list);
    struct qn_allocator allocator = faults_allocator(l->faults);
    struct qn_engine_desc desc = {
        .allocator = &allocator,
        .files = faults_files(l->faults, &inner),
        .main = l->model->main,
        .context = 80,
        .chunk = 24,
        .threads = 1,
        .text_only = l->text_only,
    };
    memset(y, 0, sizeof *y);
    l->bench.engine = NULL;
    enum qn_status status = live(l, y, &desc);
    l->allocs = l->faults->allocs;
    l->reads = l->faults->reads;
    poke(l);
    qn_engine_destroy(l->bench.engine);
    l->bench.engine = NULL;
    CHECK_MSG(l->faults->live == 0, "%s: %llu bytes leaked", l->model->name,
              (unsigned long long)l->faults->live);
    return status;
}

static bool same_yield(const struct yield *a, const struct yield *b) {
    return a->n_ids == b->n_ids && memcmp(a->ids, b->ids, sizeof a->ids) == 0 &&
           strcmp(a->text[0], b->text[0]) == 0 && strcmp(a->text[1], b->text[1]) == 0 &&
           strcmp(a->text[2], b->text[2]) == 0 && told_same(&a->chat, &b->chat) &&
           told_same(&a->second, &b->second);
}

static struct yield expected, got; // large

/* A life that a transient fault ended is led again with what is left: it must not differ. */
static void check_after(struct life *l, enum qn_status status, const char *what, uint64_t n) {
    if (l->once && status != QN_OK)
        status = whole_life(l, &got);
    if (l->once)
        CHECK_MSG(status == QN_OK && same_yield(&expected, &got),
                  "%s: another result after %s %llu failed", l->model->name, what,
                  (unsigned long long)n);
}

static struct counts { uint64_t allocs, reads, plays, lives; } counts;

static void begin(struct life *l, struct faults *f, bool once, enum qn_status status) {
    faults_init(f);
    f->persistent = !once;
    l->faults = f;
    l->once = once;
    l->strikes = 0;
    l->expected = status;
}

static void undisturbed(struct life *l, struct faults *f) {
    begin(l, f, true, QN_OK);
    CHECK(whole_life(l, &expected) == QN_OK && l->strikes == 0);
    if (!l->text_only)
        CHECK(expected.chat.n == TOKENS && expected.second.n == TOKENS);
}

static void test_allocations(struct life *l) {
    struct faults f;
    undisturbed(l, &f);
    uint64_t total = l->allocs;
    for (int once = 0; once < 2; once++)
        for (uint64_t n = 1; n <= total; n++) {
            begin(l, &f, once, QN_E_NO_MEMORY);
            f.fail_alloc = n;
            enum qn_status status = whole_life(l, &got);
            CHECK_MSG(f.fired && l->strikes > 0, "%s: allocation %llu failed unnoticed",
                      l->model->name, (unsigned long long)n);
            check_after(l, status, "allocation", n);
            counts.lives++;
        }
    counts.allocs += total;
}

static void test_reads(struct life *l) {
    static const enum qn_status statuses[] = {QN_E_IO, QN_E_NETWORK, QN_E_NEED_DATA};
    struct faults f;
    undisturbed(l, &f);
    uint64_t total = l->reads;
    for (size_t k = 0; k < 3; k++)
        for (int once = 0; once < 2; once++)
            for (uint64_t n = 1; n <= total; n++) {
                begin(l, &f, once, statuses[k]);
                f.fail_read = n;
                f.read_status = statuses[k];
                f.short_read = n % 2 == 0;
                enum qn_status status = whole_life(l, &got);
                CHECK(f.fired);
                if (statuses[k] == QN_E_NEED_DATA && once)
                    CHECK_MSG(status == QN_OK && l->strikes == 0, "%s: NEED_DATA at %llu",
                              l->model->name, (unsigned long long)n);
                else
                    CHECK_MSG(l->strikes > 0, "%s: read %llu failed unnoticed", l->model->name,
                              (unsigned long long)n);
                check_after(l, status, "read", n);
                counts.lives++;
            }
    counts.reads += total;
}

static void check_host(struct life *l) {
    struct qn_null_stats stats;
    qn_null_host_stats(qn_ref_host_checks(l->bench.host), &stats);
    CHECK_MSG(stats.buffers == 0 && stats.groups == 0, "%u buffers, %u groups leaked",
              stats.buffers, stats.groups);
}

static void test_plays(struct life *l) {
    static const enum qn_status statuses[] = {QN_E_GPU, QN_E_GPU_MEMORY, QN_E_GPU_LOST};
    struct faults f;
    struct qn_null_stats stats;
    CHECK(qn_ref_host_create(&l->bench.host, qn_allocator_default(), NULL) == QN_OK);
    undisturbed(l, &f);
    qn_null_host_stats(qn_ref_host_checks(l->bench.host), &stats);
    qn_ref_host_destroy(l->bench.host);
    uint64_t total = stats.plays;
    for (size_t k = 0; k < 3; k++)
        for (int forever = 0; forever < 2; forever++)
            for (uint64_t n = 0, unheard = 0; n < total; n++) {
                bool lost = statuses[k] == QN_E_GPU_LOST;
                CHECK(qn_ref_host_create(&l->bench.host, qn_allocator_default(), NULL) == QN_OK);
                begin(l, &f, !forever && !lost, statuses[k]);
                struct qn_null_fault fault = {n, statuses[k], forever, false};
                qn_null_host_fail(qn_ref_host_checks(l->bench.host), &fault);
                enum qn_status status = whole_life(l, &got);
                struct qn_gpu_event event;
                while (qn_ref_host_next_event(l->bench.host, &event))
                    ;
                // Only plays that destroy may fail unheard: the last ones, and one where a
                // second session comes; or one that is refused more memory gets along without.
                if (l->strikes == 0 && n + 24 <= total && statuses[k] != QN_E_GPU_MEMORY)
                    unheard++;
                if (l->strikes == 0)
                    CHECK_MSG(status == QN_OK && unheard <= 1 && same_yield(&expected, &got),
                              "play %llu of %llu unnoticed", (unsigned long long)n,
                              (unsigned long long)total);
                check_after(l, status, "play", n);
                if (l->once)
                    check_host(l);
                qn_ref_host_destroy(l->bench.host);
                counts.lives++;
            }
    l->bench.host = NULL;
    counts.plays += total;
}

/* The host reports a failure, or the loss of the device, after the n-th call of next: everything
 * from then on says so, and a fresh engine on the same host gives what was expected. */
static void test_events(struct model_case *m) {
    static const uint32_t ids[5] = {9, 2, 30, 7, 12};
    const struct qn_request r = {.ids = ids, .n_ids = 5, .max_tokens = TOKENS};
    struct told whole = {0};
    for (int kind = -1; kind < 3; kind++) {
        bool over = kind < 0;
        for (int n = 0; !over || n == 0; n++) {
            struct bench b = {0};
            struct qn_error err = {0};
            struct qn_event e = {0};
            qn_session *s = NULL, *other = NULL;
            struct qn_files files = qn_files_from_memory(&m->list);
            struct qn_engine_desc desc = {.files = files, .main = m->main, .context = 40};
            CHECK(qn_ref_host_create(&b.host, qn_allocator_default(), NULL) == QN_OK);
            CHECK(bench_open(&b, &desc, &err) == QN_OK);
            CHECK(qn_session_create(&s, b.engine, &err) == QN_OK);
            CHECK(qn_session_create(&other, b.engine, &err) == QN_OK);
            CHECK(qn_session_start(s, &r, &err) == QN_OK);
            if (kind < 0) {
                CHECK(tell(&whole, &b, s, &err) == QN_OK && whole.n == TOKENS);
            } else {
                for (int i = 0; i < n && e.kind != QN_EVENT_DONE; i++) {
                    CHECK(qn_session_next(s, &e, &err) == QN_OK);
                    if (e.kind == QN_EVENT_WAIT)
                        bench_pump(&b);
                }
                over = e.kind == QN_EVENT_DONE;
                static const struct qn_gpu_event events[3] = {
                    {.kind = QN_GPU_EVENT_ERROR, .status = QN_E_GPU, .bytes = "no", .n = 2},
                    {.kind = QN_GPU_EVENT_ERROR, .status = QN_E_GPU_MEMORY},
                    {.kind = QN_GPU_EVENT_LOST, .bytes = "gone", .n = 4},
                };
                static const enum qn_status says[3] = {QN_E_GPU, QN_E_GPU_MEMORY, QN_E_GPU_LOST};
                (void)qn_engine_gpu_event(b.engine, &events[kind]);
                CHECK(qn_engine_state(b.engine) == (kind == 2 ? QN_ENGINE_LOST : QN_ENGINE_FAILED));
                for (int i = 0; i < 3; i++) {
                    CHECK(qn_session_next(s, &e, &err) == says[kind] && err.status == says[kind]);
                    CHECK(qn_session_start(other, &r, &err) == says[kind] && err.text[0]);
                    qn_session_cancel(s);
                    qn_session_cancel(other);
                    bench_pump(&b);
                }
                qn_engine_destroy(b.engine);
                b.engine = NULL;
                bench_pump(&b);
                struct qn_gpu_event event;
                while (qn_ref_host_next_event(b.host, &event))
                    ;
                struct told again = {0};
                CHECK(bench_open(&b, &desc, &err) == QN_OK);
                CHECK(qn_session_create(&s, b.engine, &err) == QN_OK);
                CHECK(qn_session_start(s, &r, &err) == QN_OK);
                CHECK(tell(&again, &b, s, &err) == QN_OK && told_same(&again, &whole));
                counts.lives++;
            }
            qn_engine_destroy(b.engine);
            qn_ref_host_destroy(b.host);
        }
    }
}

/* Files that shrink between open and load, and files that never were whole. */
static void test_short_files(struct model_case *m) {
    for (size_t i = 0; i < m->list.n; i++) {
        struct qn_str whole = m->files[i].bytes;
        for (size_t n = 0; n < whole.n; n += 1 + whole.n / 97) {
            struct faults f;
            struct bench b = {0};
            struct qn_error err = {0};
            m->files[i].bytes.n = n;
            faults_init(&f);
            struct qn_allocator allocator = faults_allocator(&f);
            struct qn_files inner = qn_files_from_memory(&m->list);
            struct qn_engine_desc desc = {.allocator = &allocator,
                                          .files = faults_files(&f, &inner),
                                          .main = m->main,
                                          .context = 80};
            enum qn_status status = bench_open(&b, &desc, &err);
            CHECK_MSG(status == QN_OK || (err.status == status && err.text[0]), "%s: %s", m->name,
                      qn_status_name(status));
            CHECK(status != QN_E_INTERNAL);
            qn_engine_destroy(b.engine);
            CHECK(f.live == 0);
            counts.lives++;
            // The file shrinks after open.
            m->files[i].bytes.n = whole.n;
            uint32_t done = 0;
            CHECK(qn_engine_create(&b.engine, &desc, &err) == QN_OK &&
                  qn_engine_open(b.engine, &err) == QN_OK);
            m->files[i].bytes.n = n;
            status = QN_OK;
            while (status == QN_OK && qn_engine_state(b.engine) == QN_ENGINE_OPEN)
                status = qn_engine_load(b.engine, &done, &err);
            CHECK_MSG(status == QN_OK || (status == QN_E_TRUNCATED && err.offset != UINT64_MAX),
                      "%s: %s", m->name, err.text);
            qn_engine_destroy(b.engine);
            CHECK(f.live == 0);
        }
        m->files[i].bytes = whole;
    }
}

int main(void) {
    for (int which = 0; which < 3; which++) {
        struct model_case m;
        if (!case_tiny(&m, which))
            continue;
        struct life l = {.model = &m};
        test_allocations(&l);
        test_reads(&l);
        l.text_only = true;
        test_allocations(&l);
        test_reads(&l);
        l.text_only = false;
        test_short_files(&m);
        if (which != 1)
            test_plays(&l);
        test_events(&m);
        case_free(&m);
    }
    printf("%llu allocations, %llu reads, %llu tapes; %llu lives\n",
           (unsigned long long)counts.allocs, (unsigned long long)counts.reads,
           (unsigned long long)counts.plays, (unsigned long long)counts.lives);
    return test_done("engine_torture");
}
