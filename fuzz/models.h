/* One fuzz input as a model: opened within bounded memory, everything in it read, then freed. */
#ifndef QN_FUZZ_MODELS_H
#define QN_FUZZ_MODELS_H

#include <stdint.h>
#include <stdlib.h>

#include "format/directory.h"

struct fuzz_heap {
    size_t live, limit;
};

static void *fuzz_alloc(void *ud, size_t size) {
    struct fuzz_heap *heap = ud;
    if (size > heap->limit || heap->live > heap->limit - size)
        __builtin_trap(); // an allocation bomb
    void *p = malloc(size);
    heap->live += p == NULL ? 0 : size;
    return p;
}

static void fuzz_free(void *ud, void *p, size_t size) {
    struct fuzz_heap *heap = ud;
    heap->live -= size;
    free(p);
}

static inline void fuzz_model(const struct qn_memory_file *list, size_t n, struct qn_str main) {
    struct fuzz_heap heap = {0, 65536};
    for (size_t i = 0; i < n; i++)
        heap.limit += 16 * list[i].bytes.n;
    struct qn_allocator allocator = {&heap, fuzz_alloc, fuzz_free};
    struct qn_memory_files memory = {list, n};
    struct qn_files files = qn_files_from_memory(&memory);
    struct qn_arena arena;
    struct qn_directory d;
    struct qn_error err;
    qn_arena_init(&arena, &allocator);
    enum qn_status status = qn_directory_open(&d, &arena, &files, main, &err);
    for (uint32_t i = 0; status == QN_OK && i < d.n_tensors; i++) {
        uint64_t size;
        const struct qn_tensor *t = &d.tensors[i];
        if (qn_directory_find(&d, t->name) != t || t->file >= d.n_files)
            __builtin_trap();
        if (files.size(files.ud, &size, d.files[t->file]) == QN_OK &&
            (t->offset > size || t->nbytes > size - t->offset))
            __builtin_trap();
    }
    for (uint32_t i = 0; status == QN_OK && i < d.n_kvs; i++) {
        struct qn_str *strings;
        int64_t *integers;
        float *floats;
        if (d.kvs[i].type != QN_GGUF_ARRAY)
            continue;
        qn_gguf_strings(&strings, &arena, &d, &files, &d.kvs[i], &err);
        qn_gguf_integers(&integers, &arena, &d, &files, &d.kvs[i], &err);
        qn_gguf_floats(&floats, &arena, &d, &files, &d.kvs[i], &err);
    }
    qn_arena_free(&arena);
    if (heap.live != 0)
        __builtin_trap(); // a leak
}

#endif
