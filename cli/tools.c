/* dequant, inspect, bench. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* ---- dequant --------------------------------------------------------------------------------- */

static int nibble(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

int command_dequant(const struct options *o) {
    if (!o->type || !o->hex)
        return usage("dequant needs --type and --hex");
    struct qn_error err = {0};
    size_t digits = strlen(o->hex), n = 0;
    char *bytes = malloc(digits / 2 + 1);
    bool good = bytes && digits % 2 == 0;
    for (size_t i = 0; good && i < digits; i += 2) {
        int high = nibble(o->hex[i]), low = nibble(o->hex[i + 1]);
        good = high >= 0 && low >= 0;
        if (good)
            bytes[i / 2] = (char)(high << 4 | low);
    }
    if (!good) {
        free(bytes);
        return refuse_with(QN_E_ARGUMENT, "--hex is not pairs of hexadecimal digits; correct it");
    }
    struct qn_str type = {o->type, strlen(o->type)}, raw = {bytes, digits / 2};
    enum qn_status status = qn_dequant(NULL, &n, type, raw, &err);
    float *values = status == QN_OK ? malloc((n + 1) * sizeof *values) : NULL;
    if (values)
        status = qn_dequant(values, &n, type, raw, &err);
    int code = EXIT_DONE;
    if (status != QN_OK || !values) {
        code = status == QN_OK ? refuse_with(QN_E_NO_MEMORY, "out of memory") : refuse(&err);
    } else {
        fputs("{\"values\":", stdout);
        print_floats(values, n);
        puts("}");
    }
    free(values);
    free(bytes);
    return code;
}

/* ---- inspect --------------------------------------------------------------------------------- */

int command_inspect(const struct options *o) {
    struct model m;
    struct qn_error err = {0};
    struct qn_str text;
    int code = model_open(&m, o, NEED_METADATA);
    if (code != EXIT_DONE)
        return code;
    if (qn_engine_info(m.engine, &text, &err) != QN_OK)
        code = refuse(&err);
    else if (o->json)
        printf("%.*s\n", (int)text.n, text.p);
    else /* the same, a member a line */
        for (size_t i = 0, depth = 0; i < text.n; i++) {
            char c = text.p[i];
            depth += c == '{' || c == '[';
            depth -= c == '}' || c == ']';
            putchar(c);
            if ((c == ',' && depth <= 2) || i + 1 == text.n)
                printf("\n%*s", (int)(i + 1 == text.n ? 0 : 2 * depth), "");
        }
    model_close(&m);
    return code;
}

/* ---- bench ----------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_rates(const char *name, uint32_t n, double *rates, uint32_t count) {
    qsort(rates, count, sizeof *rates, by_value);
    printf("\"%s\":{\"n\":%u,\"tps\":{\"median\":%.2f,\"min\":%.2f,\"max\":%.2f}}", name, n,
           count % 2 ? rates[count / 2] : (rates[count / 2 - 1] + rates[count / 2]) / 2, rates[0],
           rates[count - 1]);
}

struct timed {
    double first, last;
};

static void take_times(void *ud, const struct qn_event *e) {
    struct timed *t = ud;
    if (e->kind == QN_EVENT_TOKEN) {
        t->last = seconds();
        if (t->first == 0)
            t->first = t->last;
    }
}

/* One request of n prompt tokens (different in every run, so nothing is reused) and m new ones. */
static int once(qn_session *s, uint32_t vocab, uint32_t run, uint32_t n, uint32_t m,
                double *prefill, double *decode) {
    struct qn_error err = {0};
    uint32_t *ids = malloc(n * sizeof *ids);
    if (!ids)
        return refuse_with(QN_E_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < n; i++)
        ids[i] = (run * 7919u + i * 104729u + 13u) % vocab;
    struct qn_request request = {.ids = ids, .n_ids = n, .max_tokens = m};
    struct timed t = {0};
    double start = seconds();
    int code = EXIT_DONE;
    if (qn_session_start(s, &request, &err) != QN_OK)
        code = refuse(&err);
    for (struct qn_event e = {0}; code == EXIT_DONE && e.kind != QN_EVENT_DONE;) {
        if (qn_session_next(s, &e, &err) != QN_OK)
            code = refuse(&err);
        else
            take_times(&t, &e);
    }
    *prefill = n / (t.first - start);
    *decode = m > 1 ? (m - 1) / (t.last - t.first) : 0;
    free(ids);
    return code;
}

#define MOST_SESSIONS 64u

/* Requests of several sessions at once: tokens of all of them per second, from when the last one
 * has its first to when the first one has its last. */
static int together(qn_engine *engine, qn_session *const *s, uint32_t count, uint32_t run,
                    uint32_t n, uint32_t m, double *rate) {
    struct qn_error err = {0};
    uint32_t vocab = qn_engine_vocab(engine), tokens[MOST_SESSIONS] = {0}, started = 0, ended = 0;
    uint32_t *ids = malloc(n * sizeof *ids);
    double *times = calloc((size_t)count * m, sizeof *times), begin = 0, end = 0;
    int code = ids && times ? EXIT_DONE : refuse_with(QN_E_NO_MEMORY, "out of memory");
    for (; started < count && code == EXIT_DONE; started++) {
        for (uint32_t i = 0; i < n; i++)
            ids[i] = ((run + started) * 7919u + i * 104729u + 13u) % vocab;
        struct qn_request request = {.ids = ids, .n_ids = n, .max_tokens = m};
        if (qn_session_start(s[started], &request, &err) != QN_OK)
            code = refuse(&err);
    }
    while (code == EXIT_DONE && ended < count) {
        qn_session *which = NULL;
        struct qn_event e;
        if (qn_engine_next(engine, &which, &e, &err) != QN_OK) {
            code = refuse(&err);
            break;
        }
        ended += e.kind == QN_EVENT_DONE;
        for (uint32_t i = 0; i < count && e.kind == QN_EVENT_TOKEN; i++)
            if (s[i] == which && tokens[i] < m)
                times[(size_t)i * m + tokens[i]++] = seconds();
    }
    uint32_t within = 0;
    for (uint32_t i = 0; i < count && code == EXIT_DONE; i++) {
        const double *mine = times + (size_t)i * m;
        begin = i == 0 || mine[0] > begin ? mine[0] : begin;
        end = i == 0 || mine[m - 1] < end ? mine[m - 1] : end;
    }
    for (size_t i = 0; times && i < (size_t)count * m; i++)
        within += times[i] > begin && times[i] <= end;
    *rate = end > begin ? within / (end - begin) : 0;
    free(ids);
    free(times);
    return code;
}

int command_bench(const struct options *o) {
    uint32_t pp = o->prompt ? (uint32_t)strtoul(o->prompt, NULL, 10) : 512;
    uint32_t tg = o->has_n ? o->n : 128, repeats = o->repeats ? o->repeats : 5;
    uint32_t many = o->sessions ? o->sessions : 1;
    if (pp == 0 || tg < 2 || repeats > 1000 || many > MOST_SESSIONS)
        return usage(
            "bench needs -p of at least 1, -n of at least 2, -r of at most 1000, --sessions "
            "of at most 64");
    struct options with = *o;
    if (!with.context)
        with.context = (pp > o->depth + 1 ? pp : o->depth + 1) + tg + 8;
    struct model m;
    struct qn_error err = {0};
    int code = model_open(&m, &with, NEED_WEIGHTS);
    if (code != EXIT_DONE)
        return code;
    double *prefill = calloc(repeats, sizeof *prefill), *decode = calloc(repeats, sizeof *decode);
    double *all = calloc(repeats, sizeof *all);
    qn_session *sessions[MOST_SESSIONS] = {0};
    if (!prefill || !decode || !all)
        code = refuse_with(QN_E_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < many && code == EXIT_DONE; i++)
        if (qn_session_create(&sessions[i], m.engine, &err) != QN_OK)
            code = refuse(&err);
    qn_session *s = sessions[0];
    uint32_t vocab = code == EXIT_DONE ? qn_engine_vocab(m.engine) : 1;
    double ignored = 0;
    if (code == EXIT_DONE) // warm-up
        code = once(s, vocab, 0, qn_engine_context(m.engine) > 16 ? 8 : 1, 2, &ignored, &ignored);
    for (uint32_t i = 0; i < repeats && code == EXIT_DONE; i++) {
        code = once(s, vocab, 2 * i + 1, pp, 1, &prefill[i], &ignored);
        if (code == EXIT_DONE)
            code = once(s, vocab, 2 * i + 2, o->depth ? o->depth : 1, tg, &ignored, &decode[i]);
        if (code == EXIT_DONE && many > 1)
            code = together(m.engine, sessions, many, 2 * repeats + 3 + i * many,
                            o->depth ? o->depth : 1, tg, &all[i]);
    }
    struct qn_str info;
    if (code == EXIT_DONE && qn_engine_info(m.engine, &info, &err) != QN_OK)
        code = refuse(&err);
    if (code == EXIT_DONE) {
        const char *bytes = strstr(info.p, "\"weight_bytes\":");
        putchar('{');
        print_rates("pp", pp, prefill, repeats);
        putchar(',');
        print_rates("tg", tg, decode, repeats);
        if (many > 1) {
            putchar(',');
            print_rates("tg_sessions", tg, all, repeats);
            printf(",\"sessions\":%u", many);
        }
        printf(",\"depth\":%u,\"load_ms\":%.0f,\"bytes_per_token\":%llu,\"device\":{\"backend\":"
               "\"cpu\",\"threads\":%u}}\n",
               o->depth, 1000 * m.load_seconds, bytes ? strtoull(bytes + 15, NULL, 10) : 0ull,
               o->threads ? o->threads : 1);
    }
    free(prefill);
    free(decode);
    free(all);
    model_close(&m);
    return code;
}
