/* run, chat, logits, generate. */
#define _POSIX_C_SOURCE 200809L

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"

static struct qn_sampling sampling_of(const struct options *o) {
    return (struct qn_sampling){
        .temperature = o->has_temperature ? o->temperature : 0,
        .top_k = o->top_k,
        .top_p = o->has_top_p ? o->top_p : 1,
        .min_p = o->min_p,
        .repetition_penalty = 1,
        .seed = o->seed,
    };
}

/* Runs a request to its end and hands every event to `take`. */
static int drain(qn_session *session, void (*take)(void *ud, const struct qn_event *e), void *ud) {
    struct qn_error err = {0};
    for (;;) {
        struct qn_event e;
        if (qn_session_next(session, &e, &err) != QN_OK)
            return refuse(&err);
        take(ud, &e);
        if (e.kind == QN_EVENT_DONE)
            return EXIT_DONE;
    }
}

/* ---- logits ---------------------------------------------------------------------------------- */

struct collected {
    const struct options *o;
    uint32_t *ids;
    size_t n, capacity;
    float *logits;
    size_t n_logits;
    uint32_t vocab;
};

static void collect(void *ud, const struct qn_event *e) {
    struct collected *c = ud;
    if (e->logits && !c->logits) {
        c->logits = malloc(c->vocab * sizeof *c->logits);
        if (c->logits) {
            memcpy(c->logits, e->logits, c->vocab * sizeof *c->logits);
            c->n_logits = c->vocab;
        }
    }
    if (e->kind == QN_EVENT_ARGMAX) {
        c->ids = malloc(e->n * sizeof *c->ids);
        if (c->ids) {
            memcpy(c->ids, e->ids, e->n * sizeof *c->ids);
            c->n = e->n;
        }
    }
    if (e->kind == QN_EVENT_TOKEN && c->n < c->capacity)
        c->ids[c->n++] = e->id;
}

static int with_session(const struct options *o,
                        int (*use)(const struct options *o, struct model *m, qn_session *s)) {
    struct model m;
    struct qn_error err = {0};
    int code = model_open(&m, o, NEED_WEIGHTS);
    if (code != EXIT_DONE)
        return code;
    qn_session *session = NULL;
    if (qn_engine_embeds(m.engine))
        code = refuse_with(QN_E_UNSUPPORTED, "logits and answers of a model for embeddings");
    else
        code = qn_session_create(&session, m.engine, &err) == QN_OK ? use(o, &m, session)
                                                                    : refuse(&err);
    model_close(&m);
    return code;
}

static int use_logits(const struct options *o, struct model *m, qn_session *s) {
    struct qn_error err = {0};
    size_t n = 0;
    uint32_t *ids = parse_ids(o->ids, &n);
    if (!ids)
        return EXIT_REFUSED;
    struct qn_request request = {
        .ids = ids, .n_ids = n, .want = QN_WANT_LOGITS | (o->all ? QN_WANT_ARGMAX_ALL : 0)};
    struct collected c = {.o = o, .vocab = qn_engine_vocab(m->engine)};
    int code = qn_session_start(s, &request, &err) == QN_OK ? drain(s, collect, &c) : refuse(&err);
    if (code == EXIT_DONE) {
        putchar('{');
        if (o->all) {
            fputs("\"argmax\":", stdout);
            print_ids(c.ids, c.n);
            putchar(',');
        }
        fputs("\"logits\":", stdout);
        print_floats(c.logits, c.n_logits);
        puts("}");
    }
    free(ids);
    free(c.ids);
    free(c.logits);
    return code;
}

int command_logits(const struct options *o) {
    return o->ids ? with_session(o, use_logits) : usage("logits needs --ids");
}

/* ---- generate -------------------------------------------------------------------------------- */

static int use_generate(const struct options *o, struct model *m, qn_session *s) {
    struct qn_error err = {0};
    (void)m;
    size_t n = 0;
    uint32_t *ids = parse_ids(o->ids, &n);
    if (!ids)
        return EXIT_REFUSED;
    struct qn_request request = {
        .ids = ids,
        .n_ids = n,
        .max_tokens = o->n,
        .stop_on_eos = o->stop_on_eos,
        .sampling = sampling_of(o),
    };
    struct collected c = {.o = o, .capacity = qn_engine_context(m->engine) + 1u};
    c.ids = malloc(c.capacity * sizeof *c.ids);
    int code = c.ids && qn_session_start(s, &request, &err) == QN_OK ? drain(s, collect, &c)
                                                                     : refuse(&err);
    if (code == EXIT_DONE) {
        fputs("{\"ids\":", stdout);
        print_ids(c.ids, c.n);
        puts("}");
    }
    free(ids);
    free(c.ids);
    return code;
}

int command_generate(const struct options *o) {
    if (!o->ids || !o->has_n)
        return usage("generate needs --ids and -n");
    return with_session(o, use_generate);
}

/* ---- run and chat ---------------------------------------------------------------------------- */

/* A text that grows. */
struct text {
    char *p;
    size_t n, capacity;
};

static void add(struct text *t, const char *p, size_t n) {
    if (t->capacity - t->n < n + 1) {
        size_t capacity = 2 * (t->n + n) + 64;
        char *grown = realloc(t->p, capacity);
        if (!grown)
            return;
        t->p = grown;
        t->capacity = capacity;
    }
    memcpy(t->p + t->n, p, n);
    t->n += n;
    t->p[t->n] = 0;
}

static void add_json(struct text *t, struct qn_str s) {
    char *p = NULL;
    size_t n = 0;
    FILE *memory = open_memstream(&p, &n);
    if (!memory)
        return;
    print_json_string(memory, s);
    fclose(memory);
    add(t, p, n);
    free(p);
}

struct stream {
    bool print, reasons;
    struct text answer, reasoning;
    double start, first, last;
    struct qn_event done;
};

static void stream_event(void *ud, const struct qn_event *e) {
    struct stream *s = ud;
    if (e->kind == QN_EVENT_TOKEN) {
        s->last = seconds();
        if (s->first == 0)
            s->first = s->last;
    } else if (e->kind == QN_EVENT_DONE) {
        s->done = *e;
        s->done.text = (struct qn_str){NULL, 0};
    } else if (e->kind != QN_EVENT_TEXT) {
        return;
    }
    if (e->text.n == 0)
        return;
    /* What the model thinks goes to stderr: it is no part of the answer. */
    bool reasons = e->channel == QN_CHANNEL_REASONING;
    FILE *out = reasons ? stderr : stdout;
    add(reasons ? &s->reasoning : &s->answer, e->text.p, e->text.n);
    if (s->print) {
        if (s->reasons && !reasons)
            fputs("\n\n", stderr);
        fwrite(e->text.p, 1, e->text.n, out);
        fflush(out);
    }
    s->reasons = reasons;
}

static const char *finish_name(enum qn_finish finish) {
    return finish == QN_FINISH_STOP ? "stop" : finish == QN_FINISH_CANCELLED ? "abort" : "length";
}

/* The request's fields after "messages", as JSON. */
static void add_parameters(struct text *t, const struct options *o) {
    char line[200];
    if (o->has_n) {
        snprintf(line, sizeof line, ",\"max_tokens\":%u", o->n);
        add(t, line, strlen(line));
    }
    if (o->has_temperature) {
        snprintf(line, sizeof line, ",\"temperature\":%g", (double)o->temperature);
        add(t, line, strlen(line));
    }
    if (o->has_top_p) {
        snprintf(line, sizeof line, ",\"top_p\":%g", (double)o->top_p);
        add(t, line, strlen(line));
    }
    if (o->has_min_p) {
        snprintf(line, sizeof line, ",\"min_p\":%g", (double)o->min_p);
        add(t, line, strlen(line));
    }
    if (o->has_top_k) {
        snprintf(line, sizeof line, ",\"top_k\":%u", o->top_k);
        add(t, line, strlen(line));
    }
    uint64_t seed = o->has_seed ? o->seed : (uint64_t)time(NULL);
    snprintf(line, sizeof line, ",\"seed\":%llu", (unsigned long long)(seed & INT64_MAX));
    add(t, line, strlen(line));
}

static enum qn_status start_raw(const struct options *o, struct model *m, qn_session *s,
                                struct qn_error *err) {
    const uint32_t *ids = NULL;
    size_t n = 0;
    struct qn_str text = {o->prompt, strlen(o->prompt)};
    enum qn_status status = qn_engine_tokenize(m->engine, &ids, &n, text, QN_TEXT_ADD_SPECIAL, err);
    if (status != QN_OK)
        return status;
    struct qn_request request = {
        .ids = ids,
        .n_ids = n,
        .max_tokens = o->has_n ? o->n : 256,
        .stop_on_eos = true,
        .sampling = sampling_of(o),
    };
    return qn_session_start(s, &request, err);
}

static void print_usage(FILE *out, const struct stream *s, double load_seconds) {
    double first = s->first > 0 ? s->first - s->start : 0;
    uint32_t computed = s->done.prompt_tokens - s->done.reused_tokens;
    double decode = s->last > s->first ? (s->done.completion_tokens - 1) / (s->last - s->first) : 0;
    fprintf(out,
            "{\"prompt_tokens\":%u,\"completion_tokens\":%u,\"finish_reason\":\"%s\","
            "\"load_ms\":%.0f,\"ttft_ms\":%.1f,\"prefill_tps\":%.1f,\"decode_tps\":%.1f}",
            s->done.prompt_tokens, s->done.completion_tokens, finish_name(s->done.finish),
            1000 * load_seconds, 1000 * first, first > 0 ? computed / first : 0, decode);
}

static int use_run(const struct options *o, struct model *m, qn_session *s) {
    struct qn_error err = {0};
    struct stream stream = {.print = !o->json, .start = seconds()};
    enum qn_status status;
    if (o->raw) {
        status = start_raw(o, m, s, &err);
    } else {
        struct text t = {0};
        add(&t, "{\"messages\":[{\"role\":\"user\",\"content\":", 38);
        add_json(&t, (struct qn_str){o->prompt, strlen(o->prompt)});
        add(&t, "}]", 2);
        add_parameters(&t, o);
        add(&t, "}", 1);
        status = qn_session_start_chat(s, (struct qn_str){t.p, t.n}, &err);
        free(t.p);
    }
    int code = status == QN_OK ? drain(s, stream_event, &stream) : refuse(&err);
    if (code == EXIT_DONE && o->json) {
        fputs("{\"text\":", stdout);
        print_json_string(stdout, (struct qn_str){stream.answer.p, stream.answer.n});
        if (stream.reasoning.n > 0) {
            fputs(",\"reasoning\":", stdout);
            print_json_string(stdout, (struct qn_str){stream.reasoning.p, stream.reasoning.n});
        }
        fputs(",\"usage\":", stdout);
        print_usage(stdout, &stream, m->load_seconds);
        puts("}");
    } else if (code == EXIT_DONE) {
        putchar('\n');
        print_usage(stdout, &stream, m->load_seconds);
        putchar('\n');
    }
    free(stream.answer.p);
    free(stream.reasoning.p);
    return code;
}

int command_run(const struct options *o) {
    return o->prompt ? with_session(o, use_run) : usage("run needs -p TEXT");
}

static int use_chat(const struct options *o, struct model *m, qn_session *s) {
    struct qn_error err = {0};
    struct text messages = {0};
    char *line = NULL;
    size_t capacity = 0;
    int code = EXIT_DONE;
    (void)m;
    fputs("Ask something; an empty line ends.\n", stderr);
    while (code == EXIT_DONE) {
        fputs("> ", stderr);
        ssize_t n = getline(&line, &capacity, stdin);
        while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
            n--;
        if (n <= 0)
            break;
        struct text request = {0};
        size_t before = messages.n;
        const char *open =
            messages.n ? ",{\"role\":\"user\",\"content\":" : "{\"role\":\"user\",\"content\":";
        add(&messages, open, strlen(open));
        add_json(&messages, (struct qn_str){line, (size_t)n});
        add(&messages, "}", 1);
        add(&request, "{\"messages\":[", 13);
        add(&request, messages.p, messages.n);
        add(&request, "]", 1);
        add_parameters(&request, o);
        add(&request, "}", 1);
        struct stream stream = {.print = true, .start = seconds()};
        if (qn_session_start_chat(s, (struct qn_str){request.p, request.n}, &err) != QN_OK) {
            refuse(&err); // the conversation goes on without this turn
            messages.n = before;
        } else {
            code = drain(s, stream_event, &stream);
            putchar('\n');
            add(&messages, ",{\"role\":\"assistant\",\"content\":", 31);
            add_json(&messages, (struct qn_str){stream.answer.p, stream.answer.n});
            add(&messages, "}", 1);
        }
        free(stream.answer.p);
        free(stream.reasoning.p);
        free(request.p);
    }
    free(line);
    free(messages.p);
    return code;
}

int command_chat(const struct options *o) {
    return with_session(o, use_chat);
}
