/* Arrays of GGUF's metadata, read from the file when asked for. */

#include "base/num.h"
#include "format/internal.h"

static enum qn_status no_memory(const struct qn_gguf_kv *kv, struct qn_error *err) {
    return qn_fail(err, QN_E_NO_MEMORY, "no memory for the %llu elements of \"%.*s\"",
                   (unsigned long long)kv->count, QN_STR_ARG(kv->key));
}

/* Opens a cursor on the elements; `out` gets their number. */
static enum qn_status open_array(struct qn_cursor *c, size_t *out,
                                 const struct qn_directory *directory, const struct qn_files *files,
                                 const struct qn_gguf_kv *kv, struct qn_error *err) {
    if (kv == NULL)
        return qn_fail(err, QN_E_NOT_FOUND, "an array is missing in the metadata");
    if (kv->type != QN_GGUF_ARRAY)
        return qn_fail(err, QN_E_FORMAT, "key \"%.*s\" is no array", QN_STR_ARG(kv->key));
    if (!qn_u64_to_size(out, kv->count))
        return no_memory(kv, err);
    QN_TRY(qn_cursor_open(c, files, directory->files[0], err));
    return qn_cursor_skip(c, kv->offset, "the metadata");
}

static enum qn_status wrong_type(const struct qn_gguf_kv *kv, const char *wanted,
                                 struct qn_error *err) {
    return qn_fail(err, QN_E_FORMAT, "key \"%.*s\" is no array of %s", QN_STR_ARG(kv->key), wanted);
}

enum qn_status qn_gguf_strings(struct qn_str **out, struct qn_arena *arena,
                               const struct qn_directory *directory, const struct qn_files *files,
                               const struct qn_gguf_kv *kv, struct qn_error *err) {
    struct qn_cursor c;
    size_t count, n;
    QN_TRY(open_array(&c, &count, directory, files, kv, err));
    if (kv->element != QN_GGUF_STRING)
        return wrong_type(kv, "strings", err);
    // The elements as they stand in the file, lengths included, are the block the slices point
    // into.
    struct qn_str *list = QN_ARENA_NEW(arena, struct qn_str, count);
    char *block = qn_u64_to_size(&n, kv->nbytes) ? QN_ARENA_NEW(arena, char, n) : NULL;
    if (list == NULL || block == NULL)
        return no_memory(kv, err);
    QN_TRY(qn_cursor_bytes(&c, block, n, "an array"));
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t length = n - at < 8 ? UINT64_MAX : qn_load_u64(block + at);
        if (length > n - at - 8 || n - at < 8)
            return qn_fail(err, QN_E_IO, "\"%.*s\" changes while it is read",
                           QN_STR_ARG(directory->files[0]));
        list[i] = (struct qn_str){block + at + 8, (size_t)length};
        at += 8 + (size_t)length;
    }
    *out = list;
    return QN_OK;
}

enum qn_status qn_gguf_floats(float **out, struct qn_arena *arena,
                              const struct qn_directory *directory, const struct qn_files *files,
                              const struct qn_gguf_kv *kv, struct qn_error *err) {
    struct qn_cursor c;
    size_t count;
    QN_TRY(open_array(&c, &count, directory, files, kv, err));
    if (kv->element != QN_GGUF_F32 && kv->element != QN_GGUF_F64)
        return wrong_type(kv, "floats", err);
    float *list = QN_ARENA_NEW(arena, float, count);
    if (list == NULL)
        return no_memory(kv, err);
    if (kv->element == QN_GGUF_F32) {
        QN_TRY(qn_cursor_bytes(&c, list, count * sizeof *list, "an array"));
    } else {
        for (size_t i = 0; i < count; i++) {
            double wide;
            QN_TRY(qn_cursor_bytes(&c, &wide, sizeof wide, "an array"));
            // Out of range would be undefined; infinity says the same.
            list[i] = wide > 3.4028234663852886e38    ? __builtin_inff()
                      : wide < -3.4028234663852886e38 ? -__builtin_inff()
                                                      : (float)wide;
        }
    }
    *out = list;
    return QN_OK;
}

enum qn_status qn_gguf_integers(int64_t **out, struct qn_arena *arena,
                                const struct qn_directory *directory, const struct qn_files *files,
                                const struct qn_gguf_kv *kv, struct qn_error *err) {
    static const struct {
        unsigned char size, is_signed;
    } kinds[] = {
        [QN_GGUF_U8] = {1, 0},    [QN_GGUF_I8] = {1, 1},   [QN_GGUF_U16] = {2, 0},
        [QN_GGUF_I16] = {2, 1},   [QN_GGUF_U32] = {4, 0},  [QN_GGUF_I32] = {4, 1},
        [QN_GGUF_F32] = {0, 0},   [QN_GGUF_BOOL] = {1, 0}, [QN_GGUF_STRING] = {0, 0},
        [QN_GGUF_ARRAY] = {0, 0}, [QN_GGUF_U64] = {8, 0},  [QN_GGUF_I64] = {8, 1},
        [QN_GGUF_F64] = {0, 0},
    };
    struct qn_cursor c;
    size_t count;
    QN_TRY(open_array(&c, &count, directory, files, kv, err));
    unsigned size = kinds[kv->element].size;
    if (size == 0)
        return wrong_type(kv, "integers", err);
    int64_t *list = QN_ARENA_NEW(arena, int64_t, count);
    if (list == NULL)
        return no_memory(kv, err);
    unsigned shift = 64 - 8 * size;
    for (size_t i = 0; i < count; i++) {
        uint64_t bits = 0;
        QN_TRY(qn_cursor_bytes(&c, &bits, size, "an array"));
        if (kinds[kv->element].is_signed)
            list[i] = (int64_t)(bits << shift) >> shift;
        else if (bits > INT64_MAX)
            return qn_fail(err, QN_E_FORMAT, "element %zu of key \"%.*s\" exceeds 63 bits", i,
                           QN_STR_ARG(kv->key));
        else
            list[i] = (int64_t)bits;
    }
    *out = list;
    return QN_OK;
}
