/* Tokenizers from hostile bytes, run over hostile text.
 *
 * Byte 0: bit 0 GGUF instead of tokenizer.json; bits 1-2 flags of encode; bit 3 marks the first
 * half of the text as untrusted; bits 4-5 a SentencePiece model (1), vocab.txt (2) or fairseq's
 * kind of SentencePiece model (3) instead; bit 6 encodes a pair. Bytes 1-2: length of the
 * tokenizer, little-endian; then the text. */
#include <stdlib.h>

#include "base/num.h"
#include "base/utf8.h"
#include "text/detok.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LIMIT ((size_t)64 << 20)

struct heap {
    size_t live;
};

static void *heap_alloc(void *ud, size_t n) {
    struct heap *h = ud;
    if (n == 0 || n > LIMIT - h->live)
        return NULL;
    void *p = malloc(n);
    h->live += p ? n : 0;
    return p;
}

static void heap_free(void *ud, void *p, size_t n) {
    struct heap *h = ud;
    h->live -= n;
    free(p);
}

static enum qn_status load(struct qn_tokenizer **t, struct qn_arena *arena, struct qn_str bytes,
                           uint32_t mode, struct qn_error *err) {
    static const char *const names[] = {"m.gguf", "spiece.model", "vocab.txt",
                                        "sentencepiece.bpe.model"};
    uint32_t kind = mode >> 4 & 3;
    struct qn_memory_file file = {qn_str_from(names[kind]), bytes};
    struct qn_memory_files list = {&file, 1};
    struct qn_files files = qn_files_from_memory(&list);
    struct qn_directory directory = {.format = QN_FORMAT_SAFETENSORS};
    if (kind > 0)
        return qn_tokenizer_open(t, arena, &directory, &files, err);
    if (!(mode & 1))
        return qn_tokenizer_from_json(t, arena, bytes, err);
    enum qn_status status = qn_gguf_read(&directory, arena, &files, file.name, err);
    return status == QN_OK ? qn_tokenizer_open(t, arena, &directory, &files, err) : status;
}

static void use(const struct qn_tokenizer *t, const struct qn_allocator *allocator,
                struct qn_str text, uint32_t mode) {
    struct qn_error err;
    struct qn_ids ids;
    struct qn_buf out, stream;
    struct qn_detok d;
    struct qn_span plain = {0, text.n / 2};
    struct qn_str stop = qn_str_slice(text, text.n / 3, text.n / 3 + 3);
    qn_ids_init(&ids, allocator);
    qn_buf_init(&out, allocator);
    qn_buf_init(&stream, allocator);
    qn_detok_init(&d, t, allocator, &stop, 1, mode & 1);
    if (qn_tokenizer_encode(t, &ids, text, mode >> 1 & 3, &plain, mode >> 3 & 1, &err) == QN_OK) {
        for (size_t i = 0; i < ids.n; i++) {
            if (ids.p[i] >= qn_tokenizer_size(t))
                abort();
        }
        if (qn_tokenizer_decode(t, &out, ids.p, ids.n, mode & 1, &err) == QN_OK &&
            qn_utf8_check(qn_buf_view(&out)) != SIZE_MAX)
            abort();
        for (size_t i = 0; i < ids.n; i++) {
            if (qn_detok_push(&d, &stream, ids.p[i], &err) != QN_OK)
                break;
        }
        (void)qn_detok_finish(&d, &stream, &err);
        /* A stop string is valid UTF-8 and must never come out. */
        if (stop.n > 0 && qn_utf8_check(stop) == SIZE_MAX && !stream.failed &&
            memchr(stop.p, 0xef, stop.n) == NULL &&
            qn_str_find(qn_buf_view(&stream), stop, 0) != SIZE_MAX)
            abort();
    }
    if (mode & 64) {
        struct qn_ids types;
        qn_ids_init(&types, allocator);
        ids.n = 0;
        if (qn_tokenizer_encode_pair(t, &ids, &types, stop, &text, mode >> 1 & 3, &err) == QN_OK &&
            types.n != ids.n)
            abort();
        qn_ids_free(&types);
    }
    qn_detok_free(&d);
    qn_buf_free(&stream);
    qn_buf_free(&out);
    qn_ids_free(&ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct heap heap = {0};
    struct qn_allocator allocator = {&heap, heap_alloc, heap_free};
    struct qn_arena arena;
    struct qn_tokenizer *t;
    struct qn_error err;
    if (size < 3)
        return 0;
    size_t n = qn_min_size((size_t)data[1] | (size_t)data[2] << 8, size - 3);
    struct qn_str bytes = {(const char *)data + 3, n};
    struct qn_str text = {(const char *)data + 3 + n, size - 3 - n};
    qn_arena_init(&arena, &allocator);
    if (load(&t, &arena, bytes, data[0], &err) == QN_OK)
        use(t, &allocator, text, data[0]);
    qn_arena_free(&arena);
    if (heap.live != 0)
        abort();
    return 0;
}
