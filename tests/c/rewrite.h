/* Models made from a fixture's: its tensors, some of them replaced, written anew as a folder in
 * memory (safetensors or MLC). */
#ifndef QN_TEST_REWRITE_H
#define QN_TEST_REWRITE_H

#include "format/directory.h"
#include "tests/c/model_files.h"

struct new_tensor {
    char name[128];
    const char *dtype; // "F32", "I32", …
    uint64_t dims[3];
    uint32_t n_dims;
    size_t n;
    void *bytes; // malloc
};

#define NEW_TENSORS 400
struct new_model {
    struct new_tensor tensors[NEW_TENSORS];
    uint32_t n;
};

static inline struct new_tensor *new_add(struct new_model *m, const char *name, const char *suffix,
                                         const char *dtype, uint32_t n_dims, uint64_t d0,
                                         uint64_t d1, size_t element) {
    struct new_tensor *t = &m->tensors[m->n++];
    uint64_t n = n_dims == 1 ? d0 : d0 * d1;
    *t = (struct new_tensor){.dtype = dtype, .n_dims = n_dims, .dims = {d0, d1}, .n = n * element};
    snprintf(t->name, sizeof t->name, "%s%s", name, suffix);
    t->bytes = calloc(n ? n : 1, element);
    return t;
}

static inline struct new_tensor *new_find(struct new_model *m, const char *name) {
    for (uint32_t i = 0; i < m->n; i++)
        if (strcmp(m->tensors[i].name, name) == 0)
            return &m->tensors[i];
    return NULL;
}

static inline void new_free(struct new_model *m) {
    for (uint32_t i = 0; i < m->n; i++)
        free(m->tensors[i].bytes);
    m->n = 0;
}

/* Numbers from a seed, the same everywhere. */
static inline uint32_t new_random(uint32_t *seed) {
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* All tensors of a fixture in a folder. */
static inline bool new_read(struct new_model *m, const char *folder) {
    m->n = 0;
    struct overlay overlay;
    struct qn_files files = overlay_open(&overlay, folder);
    struct qn_arena arena;
    struct qn_directory d;
    struct qn_error err = {0};
    qn_arena_init(&arena, qn_allocator_default());
    bool ok = CHECK_MSG(qn_directory_open(&d, &arena, &files, fixture_main(folder), &err) == QN_OK,
                        "%s: %s", folder, err.text);
    for (uint32_t i = 0; ok && i < d.n_tensors && m->n < NEW_TENSORS; i++) {
        const struct qn_tensor *s = &d.tensors[i];
        char name[128];
        snprintf(name, sizeof name, "%.*s", QN_STR_ARG(s->name));
        struct new_tensor *t = new_add(m, name, "", qn_dtype_name(s->dtype), s->n_dims, s->dims[0],
                                       s->n_dims > 1 ? s->dims[1] : 1, 0);
        free(t->bytes);
        t->n = (size_t)s->nbytes;
        t->bytes = malloc(t->n);
        ok = CHECK(files.read(files.ud, d.files[s->file], s->offset, t->bytes, t->n) == QN_OK);
    }
    qn_arena_free(&arena);
    overlay_close(&overlay);
    return ok;
}

/* ---- Writing --------------------------------------------------------------------------------- */

struct text_out {
    char *p;
    size_t n, room;
};

static inline void text_put(struct text_out *o, const void *p, size_t n) {
    if (o->n + n > o->room)
        o->p = realloc(o->p, o->room = 2 * (o->n + n));
    memcpy(o->p + o->n, p, n);
    o->n += n;
}

static inline void text_shape(struct text_out *o, const struct new_tensor *t) {
    char text[64];
    for (uint32_t i = 0; i < t->n_dims; i++) {
        int n =
            snprintf(text, sizeof text, "%c%llu", i ? ',' : '[', (unsigned long long)t->dims[i]);
        text_put(o, text, (size_t)n);
    }
    text_put(o, "]", 1);
}

/* model.safetensors. */
static inline struct qn_str new_safetensors(const struct new_model *m) {
    struct text_out o = {NULL, 0, 0};
    uint64_t at = 0;
    char text[256];
    text_put(&o, "01234567{", 9);
    for (uint32_t i = 0; i < m->n; i++) {
        const struct new_tensor *t = &m->tensors[i];
        int n = snprintf(text, sizeof text, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":", i ? "," : "",
                         t->name, t->dtype);
        text_put(&o, text, (size_t)n);
        text_shape(&o, t);
        n = snprintf(text, sizeof text, ",\"data_offsets\":[%llu,%llu]}", (unsigned long long)at,
                     (unsigned long long)(at + t->n));
        text_put(&o, text, (size_t)n);
        at += t->n;
    }
    text_put(&o, "}", 1);
    uint64_t header = o.n - 8;
    memcpy(o.p, &header, 8);
    for (uint32_t i = 0; i < m->n; i++)
        text_put(&o, m->tensors[i].bytes, m->tensors[i].n);
    return (struct qn_str){o.p, o.n};
}

/* tensor-cache.json, and the one shard that it names. */
static inline struct qn_str new_mlc(struct qn_str *shard, const struct new_model *m) {
    static const char *const names[][2] = {
        {"F32", "float32"}, {"F16", "float16"}, {"U32", "uint32"}, {"BF16", "bfloat16"}};
    struct text_out data = {NULL, 0, 0}, o = {NULL, 0, 0};
    char text[256];
    for (uint32_t i = 0; i < m->n; i++)
        text_put(&data, m->tensors[i].bytes, m->tensors[i].n);
    int n = snprintf(text, sizeof text,
                     "{\"records\":[{\"dataPath\":\"params_shard_0.bin\",\"format\":\"raw-shard\","
                     "\"nbytes\":%zu,\"records\":[",
                     data.n);
    text_put(&o, text, (size_t)n);
    uint64_t at = 0;
    for (uint32_t i = 0; i < m->n; i++) {
        const struct new_tensor *t = &m->tensors[i];
        const char *dtype = t->dtype;
        for (size_t k = 0; k < sizeof names / sizeof *names; k++)
            if (strcmp(dtype, names[k][0]) == 0)
                dtype = names[k][1];
        n = snprintf(text, sizeof text,
                     "%s{\"name\":\"%s\",\"dtype\":\"%s\",\"format\":\"raw\",\"nbytes\":%zu,"
                     "\"byteOffset\":%llu,\"shape\":",
                     i ? "," : "", t->name, dtype, t->n, (unsigned long long)at);
        text_put(&o, text, (size_t)n);
        text_shape(&o, t);
        text_put(&o, "}", 1);
        at += t->n;
    }
    text_put(&o, "]}]}", 4);
    *shard = (struct qn_str){data.p, data.n};
    return (struct qn_str){o.p, o.n};
}

/* A GGUF file with the keys of another one, whose first tensor is `first`. */
static inline struct qn_str new_gguf(const struct new_model *m, struct qn_str other,
                                     struct qn_str first) {
    static const char *const types[] = {"F32", "F16",  "Q4_0", "Q4_1", "",
                                        "",    "Q5_0", "Q5_1", "Q8_0"};
    struct text_out o = {NULL, 0, 0};
    size_t keys_end = qn_str_find(other, first, 0) - 8;
    uint64_t n = m->n, at = 0;
    text_put(&o, other.p, 8);
    text_put(&o, &n, 8);
    text_put(&o, other.p + 16, keys_end - 16);
    for (uint32_t i = 0; i < m->n; i++) {
        const struct new_tensor *t = &m->tensors[i];
        uint32_t type = 0;
        while (type < 9 && strcmp(types[type], t->dtype) != 0)
            type++;
        type = strcmp(t->dtype, "I32") == 0 ? 26 : type;
        n = strlen(t->name);
        text_put(&o, &n, 8);
        text_put(&o, t->name, n);
        text_put(&o, &t->n_dims, 4);
        for (uint32_t k = t->n_dims; k-- > 0;)
            text_put(&o, &t->dims[k], 8);
        text_put(&o, &type, 4);
        text_put(&o, &at, 8);
        at += (t->n + 31) / 32 * 32;
    }
    for (uint32_t i = 0; i <= m->n; i++) {
        static const char zeros[32];
        text_put(&o, zeros, (32 - o.n % 32) % 32);
        if (i < m->n)
            text_put(&o, m->tensors[i].bytes, m->tensors[i].n);
    }
    return (struct qn_str){o.p, o.n};
}

/* A document of a fixture with `from` replaced by `to`. */
static inline struct qn_str new_document(const char *folder, const char *name, const char *from,
                                         const char *to) {
    struct overlay overlay;
    (void)overlay_open(&overlay, folder);
    CHECK_MSG(overlay_patch_text(&overlay, name, from, to), "%s/%s has no %s", folder, name, from);
    return overlay.n ? overlay.list[0].bytes : (struct qn_str){NULL, 0};
}

#endif
