/* A GGUF file through the public interface: open, load, text, two tokens. Memory is limited;
 * whatever is refused is refused with a name and a text, and nothing leaks. */
#include <stdlib.h>
#include <string.h>

#include "quern.h"

#define MEMORY ((size_t)64 << 20)

static size_t live;

static void *limited_alloc(void *ud, size_t size) {
    (void)ud;
    if (size == 0 || size > MEMORY - live)
        return NULL;
    void *p = malloc(size);
    live += p ? size : 0;
    return p;
}

static void limited_free(void *ud, void *p, size_t size) {
    (void)ud;
    live -= size;
    free(p);
}

struct input {
    const uint8_t *p;
    size_t n;
};

static enum qn_status size_of(void *ud, uint64_t *out, struct qn_str name) {
    const struct input *in = ud;
    if (name.n != 6 || memcmp(name.p, "m.gguf", 6) != 0)
        return QN_E_NOT_FOUND;
    *out = in->n;
    return QN_OK;
}

static enum qn_status read_at(void *ud, struct qn_str name, uint64_t offset, void *dst, size_t n) {
    const struct input *in = ud;
    (void)name;
    if (offset > in->n || n > in->n - offset)
        abort(); // the caller has checked
    if (n)
        memcpy(dst, in->p + offset, n);
    return QN_OK;
}

static void must(enum qn_status status, const struct qn_error *err) {
    if (status != QN_OK && (err->status != status || err->text[0] == 0 || status == QN_E_INTERNAL))
        abort();
}

static void generate(qn_session *s) {
    static const uint32_t ids[2] = {1, 0};
    struct qn_error err = {0};
    struct qn_event e = {0};
    struct qn_request r = {.ids = ids, .n_ids = 2, .max_tokens = 2};
    enum qn_status status = qn_session_start(s, &r, &err);
    while (status == QN_OK && e.kind != QN_EVENT_DONE)
        status = qn_session_next(s, &e, &err);
    must(status, &err);
    static const char chat[] =
        "{\"messages\":[{\"role\":\"user\",\"content\":\"the <|im_end|>\"}],\"max_tokens\":1}";
    status = qn_session_start_chat(s, (struct qn_str){chat, sizeof chat - 1}, &err);
    e.kind = QN_EVENT_WAIT;
    while (status == QN_OK && e.kind != QN_EVENT_DONE)
        status = qn_session_next(s, &e, &err);
    must(status, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    static const struct qn_allocator allocator = {NULL, limited_alloc, limited_free};
    struct input in = {data, n};
    struct qn_engine_desc desc = {
        .allocator = &allocator,
        .files = {&in, size_of, read_at},
        .main = "m.gguf",
        .context = 64,
        .chunk = 4,
    };
    qn_engine *engine = NULL;
    qn_session *session = NULL;
    struct qn_error err = {0};
    enum qn_status status = qn_engine_create(&engine, &desc, &err);
    if (status == QN_OK)
        status = qn_engine_open(engine, &err);
    must(status, &err);
    uint32_t done = 0;
    while (status == QN_OK && qn_engine_state(engine) == QN_ENGINE_OPEN)
        status = qn_engine_load(engine, &done, &err);
    must(status, &err);
    if (status == QN_OK) {
        const uint32_t *ids;
        size_t n_ids;
        struct qn_str text;
        must(qn_engine_tokenize(engine, &ids, &n_ids, (struct qn_str){"the in <s>", 10},
                                QN_TEXT_ADD_SPECIAL, &err),
             &err);
        must(qn_engine_info(engine, &text, &err), &err);
        status = qn_session_create(&session, engine, &err);
        must(status, &err);
        if (status == QN_OK)
            generate(session);
    }
    qn_engine_destroy(engine);
    if (live != 0)
        abort();
    return 0;
}
