/* Encoders from files in memory, and the vectors that they give. */
#ifndef QN_TEST_ENCODER_CASE_H
#define QN_TEST_ENCODER_CASE_H

#include <math.h>

#include "tests/c/engine_case.h"
#include "tests/c/rewrite.h"

#define ROOM 64 // values of a vector
#define MOST 8  // files

struct folder {
    struct qn_memory_file list[MOST];
    struct qn_memory_files files;
    const char *main;
};

static inline void put(struct folder *f, const char *name, struct qn_str bytes) {
    f->list[f->files.n++] = (struct qn_memory_file){qn_str_from(name), bytes};
    f->files.list = f->list;
}

static inline void folder_free(struct folder *f) {
    for (size_t i = 0; i < f->files.n; i++)
        free((void *)(uintptr_t)f->list[i].bytes.p);
    memset(f, 0, sizeof *f);
}

static inline struct qn_str fixture_file(const char *name, const char *file) {
    char path[1024];
    snprintf(path, sizeof path, "%s/fixtures/%s/%s", test_shared(), name, file);
    return slurp(path);
}

static inline struct qn_str replaced(struct qn_str text, const char *from, const char *to) {
    size_t at = qn_str_find(text, qn_str_from(from), 0);
    CHECK_MSG(at != SIZE_MAX, "%s", from);
    char *p = malloc(text.n + strlen(to) + 1);
    int n = snprintf(p, text.n + strlen(to) + 1, "%.*s%s%.*s", (int)at, text.p, to,
                     (int)(text.n - at - strlen(from)), text.p + at + strlen(from));
    free((void *)(uintptr_t)text.p);
    return (struct qn_str){p, (size_t)n};
}

static inline bool open_bench(struct bench *b, const struct folder *f, bool gpu,
                              struct qn_error *err) {
    struct qn_engine_desc desc = {.files = qn_files_from_memory(&f->files),
                                  .main = f->main ? f->main : "",
                                  .kv_type = QN_KV_Q4}; // encoders do not follow it
    memset(b, 0, sizeof *b);
    if (gpu)
        CHECK(qn_ref_host_create(&b->host, qn_allocator_default(), NULL) == QN_OK);
    return bench_open(b, &desc, err) == QN_OK;
}

static inline uint32_t finish(struct bench *b, qn_session *s, float out[ROOM],
                              struct qn_error *err) {
    struct qn_event e;
    uint32_t n = 0;
    do {
        if (qn_session_next(s, &e, err) != QN_OK)
            return 0;
        bench_pump(b);
        if (e.kind == QN_EVENT_LOGITS && CHECK(n == 0 && e.n <= ROOM)) {
            n = (uint32_t)e.n;
            memcpy(out, e.logits, n * sizeof *out);
        }
    } while (e.kind != QN_EVENT_DONE);
    return n;
}

/* The state itself; 0 values and a report where it is refused. */
static inline uint32_t state(struct bench *b, qn_session *s, const uint32_t *ids, size_t n,
                             enum qn_pooling pooling, float out[ROOM], struct qn_error *err) {
    struct qn_request r = {.ids = ids, .n_ids = n, .want = QN_WANT_LOGITS, .pooling = pooling};
    memset(err, 0, sizeof *err);
    return qn_session_start(s, &r, err) == QN_OK ? finish(b, s, out, err) : 0;
}

static inline void unit(float *v, uint32_t n) {
    double square = 0;
    for (uint32_t i = 0; i < n; i++)
        square += (double)v[i] * (double)v[i];
    for (uint32_t i = 0; i < n; i++)
        v[i] = (float)((double)v[i] / sqrt(square));
}

#endif
