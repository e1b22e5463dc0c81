/* Metadata of any kind → program. First byte 'G': the rest is a GGUF file. Else: config.json up to
 * a NUL, then the header of model.safetensors (with 'M': mlc-chat-config.json, tensor-cache.json).
 * Files go on with a MiB of zeros after the input, so that a seed needs no weights.
 *
 * Whatever is accepted must verify; E_INTERNAL would mean that a check is missing before it. */
#include <stdlib.h>
#include <string.h>

#include "model/model.h"

#define TAIL (UINT64_C(1) << 20)
#define MEMORY ((size_t)256 << 20)

struct file {
    const char *name;
    const unsigned char *p;
    uint64_t n, size;
};

struct folder {
    struct file files[2];
};

static const struct file *find(const struct folder *folder, struct qn_str name) {
    for (int i = 0; i < 2; i++)
        if (folder->files[i].name && qn_str_is(name, folder->files[i].name))
            return &folder->files[i];
    return NULL;
}

static enum qn_status size_of(void *ud, uint64_t *out, struct qn_str name) {
    const struct file *file = find(ud, name);
    if (!file) {
        if (!qn_str_starts(name, QN_STR("params_shard_")))
            return QN_E_NOT_FOUND;
        *out = TAIL;
        return QN_OK;
    }
    *out = file->size;
    return QN_OK;
}

static enum qn_status read_at(void *ud, struct qn_str name, uint64_t offset, void *dst, size_t n) {
    const struct file *file = find(ud, name);
    memset(dst, 0, n);
    if (file && offset < file->n)
        memcpy(dst, file->p + offset, n < file->n - offset ? n : (size_t)(file->n - offset));
    return QN_OK;
}

/* Where the data of a safetensors header end: the largest second number of "data_offsets":[a,b]. */
static uint64_t data_end(const unsigned char *p, size_t n) {
    static const char key[] = "\"data_offsets\":[";
    uint64_t end = 0;
    for (size_t i = 0; i + sizeof key - 1 < n; i++) {
        if (memcmp(p + i, key, sizeof key - 1) != 0)
            continue;
        uint64_t value = 0;
        for (size_t j = i + sizeof key - 1; j < n && p[j] != ']'; j++)
            value = p[j] == ','                  ? 0
                    : p[j] >= '0' && p[j] <= '9' ? value * 10 + (p[j] - '0')
                                                 : value;
        end = value > end && value < TAIL ? value : end;
    }
    return end;
}

static size_t live;

static void *limited_alloc(void *ud, size_t size) {
    (void)ud;
    if (size > MEMORY - live)
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    if (n < 2)
        return 0;
    struct folder folder = {0};
    unsigned char *header = NULL;
    if (data[0] == 'G') {
        folder.files[0] = (struct file){"model.gguf", data + 1, n - 1, n - 1 + TAIL};
    } else {
        const unsigned char *end = memchr(data + 1, 0, n - 1);
        size_t first = end ? (size_t)(end - data) - 1 : n - 1, second = end ? n - 2 - first : 0;
        bool mlc = data[0] == 'M';
        uint64_t length = second;
        header = malloc(8 + second);
        memcpy(header, &length, 8);
        if (second)
            memcpy(header + 8, end + 1, second);
        folder.files[0] =
            (struct file){mlc ? "mlc-chat-config.json" : "config.json", data + 1, first, first};
        folder.files[1] = mlc ? (struct file){"tensor-cache.json", header + 8, second, second}
                              : (struct file){"model.safetensors", header, 8 + second,
                                              8 + second + data_end(header + 8, second)};
    }
    const struct qn_allocator allocator = {NULL, limited_alloc, limited_free};
    const struct qn_files files = {&folder, size_of, read_at};
    struct qn_arena arena;
    struct qn_directory d;
    struct qn_model model;
    struct qn_error err = {0};
    const struct qn_model_options options = {0};
    qn_arena_init(&arena, &allocator);
    struct qn_str name = data[0] == 'G' ? QN_STR("model.gguf") : QN_STR("");
    enum qn_status status = qn_directory_open(&d, &arena, &files, name, &err);
    if (status == QN_OK)
        status = qn_model_build(&model, &arena, &d, &files, &options, &err);
    if (status == QN_E_INTERNAL || (status == QN_OK && qn_program_verify(&model.program, &err)))
        abort();
    qn_arena_free(&arena);
    if (live)
        abort();
    free(header);
    return 0;
}
