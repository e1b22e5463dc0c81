/* Small model files built in memory, and the loops that damage them: every prefix, every flipped
 * bit, every failing allocation and read. */
#ifndef QN_TEST_FLIP_H
#define QN_TEST_FLIP_H

#include "base/num.h"
#include "format/directory.h"
#include "tests/c/faults.h"

/* A file being written. */
struct bytes {
    char p[8192];
    size_t n;
};

static inline void put(struct bytes *b, const void *p, size_t n) {
    if (CHECK(n <= sizeof b->p - b->n)) {
        memcpy(b->p + b->n, p, n);
        b->n += n;
    }
}

static inline void put_u32(struct bytes *b, uint32_t v) {
    put(b, &v, 4);
}

static inline void put_u64(struct bytes *b, uint64_t v) {
    put(b, &v, 8);
}

static inline void put_str(struct bytes *b, const char *s) { // GGUF's string
    put_u64(b, strlen(s));
    put(b, s, strlen(s));
}

static inline void put_zeros(struct bytes *b, size_t n) {
    for (; n > 0; n--)
        put(b, "", 1);
}

/* A folder, or one file, with its way in. */
struct seed {
    struct qn_memory_file files[6];
    size_t n;
    const char *main; // for qn_directory_open
};

static inline enum qn_status seed_read(struct qn_directory *d, struct qn_arena *arena,
                                       const struct qn_files *files, const char *main,
                                       struct qn_error *err) {
    QN_TRY(qn_directory_open(d, arena, files, qn_str_from(main), err));
    const struct qn_files *sure = ((struct faults *)files->ud)->inner; // for the checks alone
    // What was read must hold together, and its arrays must be readable or be refused in words.
    for (uint32_t i = 0; i < d->n_tensors; i++) {
        const struct qn_tensor *t = &d->tensors[i];
        uint64_t size, elements = 1, nbytes = 0;
        CHECK(t->file < d->n_files && t->n_dims <= QN_MAX_DIMS);
        CHECK(qn_directory_find(d, t->name) == t);
        for (uint32_t k = 0; k < t->n_dims; k++)
            CHECK(qn_mul_u64(&elements, elements, t->dims[k]));
        CHECK(qn_dtype_size(&nbytes, t->dtype, elements) && nbytes == t->nbytes);
        if (d->format != QN_FORMAT_MLC &&
            CHECK(sure->size(sure->ud, &size, d->files[t->file]) == QN_OK))
            CHECK(t->offset <= size && t->nbytes <= size - t->offset);
    }
    for (uint32_t i = 0; i < d->n_kvs; i++) {
        struct qn_str *strings;
        int64_t *integers;
        float *floats;
        enum qn_gguf_type element = d->kvs[i].element;
        if (d->kvs[i].type != QN_GGUF_ARRAY)
            continue;
        if (element == QN_GGUF_STRING)
            QN_TRY(qn_gguf_strings(&strings, arena, d, files, &d->kvs[i], err));
        else if (element == QN_GGUF_F32 || element == QN_GGUF_F64)
            QN_TRY(qn_gguf_floats(&floats, arena, d, files, &d->kvs[i], err));
        else
            QN_TRY(qn_gguf_integers(&integers, arena, d, files, &d->kvs[i], err));
    }
    return QN_OK;
}

/* One reading under `faults`; the error, if any, is left in *err. */
static inline enum qn_status seed_try(const struct seed *seed, struct faults *faults,
                                      struct qn_error *err) {
    struct qn_memory_files memory = {seed->files, seed->n};
    struct qn_files inner = qn_files_from_memory(&memory);
    struct qn_files files = faults_files(faults, &inner);
    struct qn_allocator allocator = faults_allocator(faults);
    struct qn_arena arena;
    struct qn_directory d;
    uint64_t bytes = 0;
    for (size_t i = 0; i < seed->n; i++)
        bytes += seed->files[i].bytes.n;
    faults->limit = 16 * bytes + 65536;
    qn_arena_init(&arena, &allocator);
    memset(err, 0, sizeof *err);
    enum qn_status status = seed_read(&d, &arena, &files, seed->main, err);
    qn_arena_free(&arena);
    CHECK(faults->live == 0);
    CHECK(!faults->over_limit);
    CHECK(status == QN_OK || (err->status == status && err->text[0] != '\0'));
    return status;
}

/* Every prefix and every single-bit flip of file `which`. Returns the number of inputs read. */
static inline uint64_t seed_damage(const struct seed *seed, size_t which) {
    struct seed damaged = *seed;
    struct qn_str whole = seed->files[which].bytes;
    uint64_t inputs = 0;
    struct qn_error err;
    struct faults faults;
    for (size_t n = 0; n < whole.n; n++, inputs++) {
        char *copy = malloc(n ? n : 1); // exact, so that the sanitizer sees the first byte too far
        memcpy(copy, whole.p, n);
        damaged.files[which].bytes = (struct qn_str){copy, n};
        faults_init(&faults);
        seed_try(&damaged, &faults, &err);
        free(copy);
    }
    char *copy = malloc(whole.n);
    memcpy(copy, whole.p, whole.n);
    damaged.files[which].bytes = (struct qn_str){copy, whole.n};
    for (size_t bit = 0; bit < 8 * whole.n; bit++, inputs++) {
        copy[bit / 8] ^= (char)(1 << bit % 8);
        faults_init(&faults);
        seed_try(&damaged, &faults, &err);
        copy[bit / 8] ^= (char)(1 << bit % 8);
    }
    free(copy);
    return inputs;
}

/* Fails every allocation, then every size() or read(), once and from then on. */
static inline void seed_torture(const struct seed *seed) {
    for (int mode = 0; mode < 6; mode++) {
        for (uint64_t n = 1;; n++) {
            struct faults faults;
            struct qn_error err;
            faults_init(&faults);
            faults.persistent = mode % 2 != 0;
            if (mode < 2)
                faults.fail_alloc = n;
            else
                faults.fail_read = n;
            faults.read_status = mode < 4 ? QN_E_IO : QN_E_NEED_DATA;
            faults.short_read = mode < 4;
            enum qn_status status = seed_try(seed, &faults, &err);
            if (!faults.fired) {
                CHECK_MSG(status == QN_OK && n > 1, "%s", err.text);
                break;
            }
            // Sizes of shards that are not there yet may be unknown; all else must be known.
            if (status != QN_OK || mode < 4)
                CHECK_MSG(status == (mode < 2 ? QN_E_NO_MEMORY : faults.read_status), "%d %s", mode,
                          err.text);
        }
    }
}

#endif
