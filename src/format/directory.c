#include "format/directory.h"

#include "base/format.h"
#include "base/num.h"
#include "format/internal.h"

#define DOCUMENT_MAX ((uint64_t)64 << 20)
#define PROBES_MAX 4096 // only names made to collide come near it

static struct qn_str name_at(const struct qn_directory *d, uint32_t i) {
    return d->tensors[i].name;
}

enum qn_status qn_directory_index(struct qn_directory *out, struct qn_error *err) {
    if (out->n_tensors > UINT32_C(1) << 28)
        return qn_fail(err, QN_E_LIMIT, "%u tensors", (unsigned)out->n_tensors);
    uint32_t n = 4;
    while (n < out->n_tensors * 2)
        n *= 2;
    out->buckets = QN_ARENA_NEW(out->arena, uint32_t, n);
    if (out->buckets == NULL)
        return qn_fail(err, QN_E_NO_MEMORY, "no memory for the index of %u tensors",
                       (unsigned)out->n_tensors);
    out->n_buckets = n;
    for (uint32_t i = 0; i < out->n_tensors; i++) {
        uint32_t at = (uint32_t)qn_str_hash(name_at(out, i)) & (n - 1), probes = 0;
        for (; out->buckets[at] != 0; at = (at + 1) & (n - 1)) {
            struct qn_str other = name_at(out, out->buckets[at] - 1);
            if (qn_str_eq(other, name_at(out, i)))
                return qn_fail(err, QN_E_FORMAT, "two tensors are named \"%.*s\"",
                               QN_STR_ARG(other));
            if (++probes > PROBES_MAX)
                return qn_fail(err, QN_E_FORMAT, "the names of tensors collide");
        }
        out->buckets[at] = i + 1;
    }
    return QN_OK;
}

const struct qn_tensor *qn_directory_find(const struct qn_directory *directory,
                                          struct qn_str name) {
    uint32_t mask = directory->n_buckets - 1;
    if (directory->n_buckets == 0)
        return NULL;
    for (uint32_t at = (uint32_t)qn_str_hash(name) & mask; directory->buckets[at] != 0;
         at = (at + 1) & mask) {
        const struct qn_tensor *tensor = &directory->tensors[directory->buckets[at] - 1];
        if (qn_str_eq(tensor->name, name))
            return tensor;
    }
    return NULL;
}

static void note_shape(struct qn_note *note, uint32_t n_dims, const uint64_t *dims) {
    for (uint32_t i = 0; i < n_dims; i++)
        qn_format(qn_note_put, note, i ? ", %llu" : " [%llu", (unsigned long long)dims[i]);
    qn_format(qn_note_put, note, n_dims ? "]" : " []");
}

enum qn_status qn_directory_bind(const struct qn_tensor **out, const struct qn_directory *directory,
                                 struct qn_str name, uint32_t dtypes, uint32_t n_dims,
                                 const uint64_t *dims, struct qn_error *err) {
    const struct qn_tensor *tensor = qn_directory_find(directory, name);
    bool same = tensor != NULL && (dtypes >> tensor->dtype & 1) != 0 && tensor->n_dims == n_dims;
    for (uint32_t i = 0; same && i < n_dims; i++)
        same = tensor->dims[i] == dims[i];
    if (same) {
        *out = tensor;
        return QN_OK;
    }
    struct qn_note expected = {.n = 0}, found = {.n = 0};
    for (unsigned i = QN_DTYPE_NONE + 1; i < QN_DTYPE_COUNT; i++) {
        if ((dtypes >> i & 1) == 0)
            continue;
        qn_format(qn_note_put, &expected, expected.n ? "|%s" : "%s",
                  qn_dtype_name((enum qn_dtype)i));
    }
    note_shape(&expected, n_dims, dims);
    if (tensor == NULL) {
        qn_format(qn_note_put, &found, "none");
    } else {
        qn_format(qn_note_put, &found, "%s", qn_dtype_name(tensor->dtype));
        note_shape(&found, tensor->n_dims, tensor->dims);
    }
    return qn_fail(err, QN_E_TENSOR, "tensor \"%.*s\": expected %s, found %s", QN_STR_ARG(name),
                   expected.p, found.p);
}

enum qn_status qn_directory_misfit(const struct qn_tensor *tensor, uint64_t nbytes,
                                   struct qn_str file, struct qn_error *err) {
    struct qn_note shape = {.n = 0};
    note_shape(&shape, tensor->n_dims, tensor->dims);
    return qn_fail(err, QN_E_FORMAT,
                   "tensor \"%.*s\" in \"%.*s\" has bytes that do not fit its shape: expected %llu "
                   "for %s%s, found %llu",
                   QN_STR_ARG(tensor->name), QN_STR_ARG(file), (unsigned long long)nbytes,
                   qn_dtype_name(tensor->dtype), shape.p, (unsigned long long)tensor->nbytes);
}

enum qn_status qn_directory_parse(struct qn_json *out, struct qn_arena *arena, struct qn_str text,
                                  struct qn_str name, struct qn_error *err) {
    struct qn_error inner;
    enum qn_status status = qn_json_parse(out, arena, text, &inner);
    if (status != QN_OK) {
        // The reason without its position and remedy, which are added again.
        struct qn_str reason = qn_str_from(inner.text);
        size_t end = qn_str_find(reason, QN_STR(" at byte "), 0);
        if (end == SIZE_MAX)
            end = qn_str_find(reason, QN_STR("; "), 0);
        reason = qn_str_slice(reason, 0, end);
        if (inner.offset == UINT64_MAX)
            return qn_fail(err, status, "\"%.*s\": %.*s", QN_STR_ARG(name), QN_STR_ARG(reason));
        return qn_fail_at(err, status, inner.offset, "\"%.*s\": %.*s", QN_STR_ARG(name),
                          QN_STR_ARG(reason));
    }
    if (qn_json_type(qn_json_root(out)) != QN_JSON_OBJECT) {
        *out = (struct qn_json){.n_nodes = 0};
        return qn_fail(err, QN_E_FORMAT, "\"%.*s\" is not a JSON object", QN_STR_ARG(name));
    }
    return QN_OK;
}

enum qn_status qn_directory_document(struct qn_json *out, struct qn_arena *arena,
                                     const struct qn_files *files, struct qn_str name,
                                     bool required, struct qn_error *err) {
    *out = (struct qn_json){.n_nodes = 0};
    if (!required) {
        uint64_t size;
        enum qn_status status = files->size(files->ud, &size, name);
        if (status == QN_E_NOT_FOUND)
            return QN_OK;
        if (status != QN_OK)
            return qn_fail(err, status, "cannot open \"%.*s\"", QN_STR_ARG(name));
    }
    struct qn_str text;
    QN_TRY(qn_files_read_all(&text, arena, files, name, DOCUMENT_MAX, err));
    return qn_directory_parse(out, arena, text, name, err);
}

enum qn_status qn_directory_side_documents(struct qn_directory *out, struct qn_arena *arena,
                                           const struct qn_files *files, struct qn_error *err) {
    QN_TRY(qn_directory_document(&out->generation_config, arena, files,
                                 QN_STR("generation_config.json"), false, err));
    return qn_directory_document(&out->tokenizer_config, arena, files,
                                 QN_STR("tokenizer_config.json"), false, err);
}

bool qn_directory_json_u64(uint64_t *out, struct qn_json_value value) {
    int64_t wide;
    if (!qn_json_i64(&wide, value) || wide < 0)
        return false;
    *out = (uint64_t)wide;
    return true;
}

bool qn_directory_json_shape(uint64_t *out, struct qn_tensor *tensor, struct qn_json_value value) {
    uint64_t elements = 1;
    uint32_t n = qn_json_count(value);
    if (qn_json_type(value) != QN_JSON_ARRAY || n > QN_MAX_DIMS)
        return false;
    struct qn_json_iter it = qn_json_iterate(value);
    for (tensor->n_dims = 0; qn_json_each(&it); tensor->n_dims++) {
        uint64_t *dim = &tensor->dims[tensor->n_dims];
        if (!qn_directory_json_u64(dim, it.value) || !qn_mul_u64(&elements, elements, *dim))
            return false;
    }
    *out = elements;
    return true;
}
