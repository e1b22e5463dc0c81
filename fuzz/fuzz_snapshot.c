/* A snapshot of a session: any bytes are taken or refused, and the session answers afterwards.
 *
 * Input: a byte of flags, then pieces, each after its length (u32). Flags: 1: pieces get the digest
 * that belongs to them; 2: the first gets the identity of the model; so that what lies behind those
 * checks is reached; 4: pieces come in another order. The model is fuzz/seeds/engine/tiny.gguf. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sha256.h"
#include "quern.h"

#define DIGEST 32
#define IDENTITY 24 // where it lies in the first piece
#define MOST 65536

static size_t live;

static void *counted_alloc(void *ud, size_t size) {
    (void)ud;
    void *p = size > (size_t)64 << 20 ? NULL : malloc(size);
    live += p ? size : 0;
    return p;
}

static void counted_free(void *ud, void *p, size_t size) {
    (void)ud;
    live -= p ? size : 0;
    free(p);
}

static unsigned char model[1 << 20], identity[DIGEST];
static size_t n_model;
static qn_engine *engine;

static enum qn_status size_of(void *ud, uint64_t *out, struct qn_str name) {
    (void)ud;
    *out = n_model;
    return name.n == 6 && memcmp(name.p, "m.gguf", 6) == 0 ? QN_OK : QN_E_NOT_FOUND;
}

static enum qn_status read_at(void *ud, struct qn_str name, uint64_t offset, void *dst, size_t n) {
    (void)ud;
    (void)name;
    memcpy(dst, model + offset, n);
    return QN_OK;
}

static void must(enum qn_status status, const struct qn_error *err) {
    if (status != QN_OK && (err->status != status || err->text[0] == 0 || status == QN_E_INTERNAL))
        abort();
}

static void generate(qn_session *s, uint32_t first) {
    const uint32_t ids[3] = {first, 3, 4};
    struct qn_error err = {0};
    struct qn_event e = {0};
    struct qn_request r = {.ids = ids, .n_ids = 3, .max_tokens = 3};
    if (qn_session_start(s, &r, &err) != QN_OK)
        abort();
    while (e.kind != QN_EVENT_DONE)
        if (qn_session_next(s, &e, &err) != QN_OK)
            abort();
}

static void open_engine(void) {
    static const struct qn_allocator allocator = {NULL, counted_alloc, counted_free};
    struct qn_engine_desc desc = {.allocator = &allocator,
                                  .files = {NULL, size_of, read_at},
                                  .main = "m.gguf",
                                  .context = 64};
    struct qn_error err = {0};
    uint32_t done = 0;
    FILE *f = fopen("fuzz/seeds/engine/tiny.gguf", "rb");
    n_model = f ? fread(model, 1, sizeof model, f) : 0;
    if (f)
        fclose(f);
    if (qn_engine_create(&engine, &desc, &err) || qn_engine_open(engine, &err))
        abort();
    while (qn_engine_state(engine) == QN_ENGINE_OPEN)
        if (qn_engine_load(engine, &done, &err))
            abort();
    qn_session *s;
    const void *piece;
    size_t n;
    if (qn_session_create(&s, engine, &err))
        abort();
    generate(s, 5);
    if (qn_session_save(s, &piece, &n, 0, &err))
        abort();
    memcpy(identity, (const char *)piece + IDENTITY, DIGEST);
    qn_session_destroy(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    static unsigned char piece[MOST + DIGEST];
    unsigned char digest[DIGEST] = {0};
    struct qn_error err = {0};
    qn_session *s;
    if (engine == NULL)
        open_engine();
    if (n == 0)
        return 0;
    uint8_t flags = *data++;
    n--;
    size_t before = live;
    if (qn_session_create(&s, engine, &err) != QN_OK)
        abort();
    enum qn_status status = QN_OK;
    for (uint32_t i = 0; n >= 4 && status == QN_OK; i++) {
        uint32_t size = 0;
        memcpy(&size, data, 4);
        data += 4;
        n -= 4;
        size = size > n ? (uint32_t)n : size;
        size = size > MOST ? MOST : size;
        memcpy(piece, data, size);
        data += size;
        n -= size;
        if (flags & 2 && i == 0 && size >= IDENTITY + DIGEST)
            memcpy(piece + IDENTITY, identity, DIGEST);
        uint32_t whole = size;
        if (flags & 1) {
            struct qn_sha256 sha;
            qn_sha256_init(&sha);
            qn_sha256_update(&sha, digest, DIGEST);
            qn_sha256_update(&sha, piece, size);
            qn_sha256_final(&sha, digest);
            memcpy(piece + size, digest, DIGEST);
            whole += DIGEST;
        }
        status = qn_session_restore(s, piece, whole, flags & 4 ? i ^ 1 : i, &err);
        must(status, &err);
    }
    generate(s, 5); // goes on from what was restored, or anew
    generate(s, 6);
    qn_session_destroy(s);
    if (live != before)
        abort();
    return 0;
}
