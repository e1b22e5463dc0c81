/* Small models for tests of the public interface: folders in memory, a host, an engine. */
#ifndef QN_TEST_ENGINE_CASE_H
#define QN_TEST_ENGINE_CASE_H

#include "quern.h"
#include "tests/c/faults.h"
#include "webgpu/ref_host.h"

/* A model's files, read once. */
struct model_case {
    const char *name, *main;
    struct qn_memory_file files[4];
    struct qn_memory_files list;
};

static inline bool case_load(struct model_case *m, const char *name, const char *folder,
                             const char *const *names, const char *main) {
    memset(m, 0, sizeof *m);
    m->name = name;
    m->main = main;
    for (size_t i = 0; i < 4 && names[i]; i++) {
        char path[1024];
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        m->files[i] = (struct qn_memory_file){qn_str_from(names[i]), slurp(path)};
        m->list.n = i + 1;
        if (!CHECK_MSG(m->files[i].bytes.p != NULL, "%s is missing", path))
            return false;
    }
    m->list.list = m->files;
    return true;
}

static inline void case_free(struct model_case *m) {
    for (size_t i = 0; i < m->list.n; i++)
        free((void *)(uintptr_t)m->files[i].bytes.p);
    m->list.n = 0;
}

/* The three tiny models of tests/js/lib/seeds.mjs. */
static inline bool case_tiny(struct model_case *m, int which) {
    static const char *const gguf[4] = {"tiny.gguf"};
    static const char *const hf[4] = {"config.json", "model.safetensors", "tokenizer.json",
                                      "tokenizer_config.json"};
    static const char *const mlc[4] = {"mlc-chat-config.json", "tensor-cache.json",
                                       "params_shard_0.bin", "tokenizer.json"};
    return which == 0   ? case_load(m, "gguf", "fuzz/seeds/engine", gguf, "tiny.gguf")
           : which == 1 ? case_load(m, "hf", "tests/data/tiny_hf", hf, "")
                        : case_load(m, "mlc", "tests/data/tiny_mlc", mlc, "");
}

/* An engine with its host. */
struct bench {
    struct qn_ref_host *host; // NULL: CPU
    struct qn_gpu_host interface;
    qn_engine *engine;
};

/* Hands over what the host has to say. */
static inline void bench_pump(struct bench *b) {
    struct qn_gpu_event event;
    while (b->host && b->engine && qn_ref_host_next_event(b->host, &event))
        (void)qn_engine_gpu_event(b->engine, &event);
}

/* open and load, as an embedder does it: NEED_DATA means to call again. */
static inline enum qn_status bench_open(struct bench *b, const struct qn_engine_desc *desc,
                                        struct qn_error *err) {
    struct qn_engine_desc d = *desc;
    if (b->host) {
        b->interface = qn_ref_host_interface(b->host);
        d.gpu = &b->interface;
    }
    QN_TRY(qn_engine_create(&b->engine, &d, err));
    enum qn_status status = qn_engine_open(b->engine, err);
    for (int i = 0; status == QN_E_NEED_DATA && i < 3; i++)
        status = qn_engine_open(b->engine, err);
    bench_pump(b);
    uint32_t done = 0, refused = 0;
    while (status == QN_OK && qn_engine_state(b->engine) == QN_ENGINE_OPEN && refused < 3) {
        status = qn_engine_load(b->engine, &done, err);
        bench_pump(b);
        if (status == QN_E_NEED_DATA && refused++ < 3)
            status = QN_OK;
    }
    if (status == QN_OK && refused == 3)
        return QN_E_NEED_DATA;
    if (status == QN_OK && qn_engine_state(b->engine) != QN_ENGINE_READY) {
        *err = *qn_engine_error(b->engine);
        return err->status == QN_OK ? QN_E_INTERNAL : err->status;
    }
    return status;
}

/* For bench_start: what every GPU can do, or NULL for the CPU. */
static inline const struct qn_gpu_caps *least_caps(bool gpu) {
    static const struct qn_gpu_caps least = {0};
    return gpu ? &least : NULL;
}

/* Opens a model, on a reference host with these caps or, where they are NULL, on the CPU. `desc`
 * says all but the files. bench_stop is due whatever came of it. */
static inline bool bench_start(struct bench *b, const struct model_case *m,
                               const struct qn_gpu_caps *caps, struct qn_engine_desc desc) {
    struct qn_error err = {0};
    memset(b, 0, sizeof *b);
    desc.files = qn_files_from_memory(&m->list);
    desc.main = m->main;
    if (caps)
        CHECK(qn_ref_host_create(&b->host, qn_allocator_default(), caps) == QN_OK);
    return CHECK_MSG(bench_open(b, &desc, &err) == QN_OK, "%s: %s", m->name, err.text);
}

static inline void bench_stop(struct bench *b) {
    qn_engine_destroy(b->engine);
    qn_ref_host_destroy(b->host);
}

/* What a generation told. */
struct told {
    uint32_t ids[256];
    size_t n;
    char text[2048];
    size_t n_text;
    uint32_t argmax[256];
    size_t n_argmax;
    uint32_t prefills, logits, waits;
    float first_logits[2048]; // of the first LOGITS event
    size_t n_logits;
    struct qn_event done;
};

static inline void told_add(struct told *t, struct bench *b, const struct qn_event *e) {
    if (e->kind == QN_EVENT_TOKEN && t->n < 256)
        t->ids[t->n++] = e->id;
    if (e->text.n && t->n_text + e->text.n <= sizeof t->text) {
        memcpy(t->text + t->n_text, e->text.p, e->text.n);
        t->n_text += e->text.n;
    }
    for (size_t i = 0; e->kind == QN_EVENT_ARGMAX && i < e->n && t->n_argmax < 256; i++)
        t->argmax[t->n_argmax++] = e->ids[i];
    t->prefills += e->kind == QN_EVENT_PREFILL;
    t->waits += e->kind == QN_EVENT_WAIT;
    if (e->logits) {
        size_t n = qn_engine_vocab(b->engine);
        if (t->logits++ == 0 && n <= 2048) {
            memcpy(t->first_logits, e->logits, n * sizeof(float));
            t->n_logits = n;
        }
    }
    if (e->kind == QN_EVENT_DONE) {
        t->done = *e;
        t->done.text = (struct qn_str){NULL, 0};
    }
}

/* Runs a started generation to its end. */
static inline enum qn_status tell(struct told *t, struct bench *b, qn_session *s,
                                  struct qn_error *err) {
    for (int calls = 0; calls < 5000; calls++) {
        struct qn_event e;
        QN_TRY(qn_session_next(s, &e, err));
        told_add(t, b, &e);
        if (e.kind == QN_EVENT_WAIT)
            bench_pump(b);
        if (e.kind == QN_EVENT_DONE)
            return QN_OK;
    }
    CHECK_MSG(false, "a generation does not end");
    return QN_E_INTERNAL;
}

/* Runs the started generations of n sessions together to their ends. */
static inline void tell_all(struct told *t, struct bench *b, qn_session *const *s, int n) {
    struct qn_error err = {0};
    for (int ended = 0, calls = 0; ended < n && CHECK(calls < 5000); calls++) {
        qn_session *which;
        struct qn_event e;
        if (!CHECK_MSG(qn_engine_next(b->engine, &which, &e, &err) == QN_OK, "%s", err.text))
            return;
        bench_pump(b);
        for (int i = 0; i < n; i++)
            if (which == s[i])
                told_add(&t[i], b, &e);
        ended += e.kind == QN_EVENT_DONE;
    }
}

static inline bool told_same(const struct told *a, const struct told *b) {
    return a->n == b->n && a->n_text == b->n_text && a->n_argmax == b->n_argmax &&
           memcmp(a->ids, b->ids, a->n * sizeof *a->ids) == 0 &&
           memcmp(a->text, b->text, a->n_text) == 0 &&
           memcmp(a->argmax, b->argmax, a->n_argmax * sizeof *a->argmax) == 0 &&
           a->done.finish == b->done.finish &&
           a->done.completion_tokens == b->done.completion_tokens;
}

#endif
