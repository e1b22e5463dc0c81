/* MLC weights (apache/tvm, python/tvm/contrib/tvmjs.py): tensor-cache.json, or ndarray-cache.json
 * in older repositories, lists shards and the tensors in each:
 *
 *     {"records": [{"dataPath": "params_shard_0.bin", "format": "raw-shard", "nbytes": N,
 *     "records":
 *       [{"name": …, "shape": […], "dtype": "uint32", "format": "f32-to-bf16", "nbytes": n,
 *         "byteOffset": b}, …]}, …]}
 *
 * The format f32-to-bf16 means something only for the dtype float32: those are stored as bfloat16.
 * Shards need not be there yet: their sizes come from the manifest. */
#include "base/num.h"
#include "format/internal.h"

struct reader {
    struct qn_directory *out;
    struct qn_arena temp; // the manifest: freed before the reader returns
    const struct qn_files *files;
    struct qn_error *err;
    struct qn_str manifest;
    struct qn_json json;
};

struct dtype_name {
    const char *name;
    enum qn_dtype dtype;
};

static const struct dtype_name dtype_names[] = {
    {"uint32", QN_DTYPE_U32},    {"float16", QN_DTYPE_F16}, {"float32", QN_DTYPE_F32},
    {"bfloat16", QN_DTYPE_BF16}, {"int8", QN_DTYPE_I8},     {"uint8", QN_DTYPE_U8},
    {"int16", QN_DTYPE_I16},     {"uint16", QN_DTYPE_U16},  {"int32", QN_DTYPE_I32},
    {"int64", QN_DTYPE_I64},     {"uint64", QN_DTYPE_U64},  {"float64", QN_DTYPE_F64},
};

static enum qn_status no_memory(const struct reader *r) {
    return qn_fail(r->err, QN_E_NO_MEMORY, "no memory for the tensors of \"%.*s\"",
                   QN_STR_ARG(r->manifest));
}

static enum qn_status bad(const struct reader *r, struct qn_str name, const char *what) {
    return qn_fail(r->err, QN_E_FORMAT, "tensor \"%.*s\" in \"%.*s\" %s", QN_STR_ARG(name),
                   QN_STR_ARG(r->manifest), what);
}

/* dtype as stored, from "dtype" and "format". */
static enum qn_status read_dtype(const struct reader *r, struct qn_tensor *t,
                                 struct qn_json_value record) {
    struct qn_json_value dtype = qn_json_get(record, "dtype");
    struct qn_json_value format = qn_json_get(record, "format");
    bool to_bf16 = qn_json_string_is(format, "f32-to-bf16");
    if (qn_json_type(dtype) != QN_JSON_STRING)
        return bad(r, t->name, "has no dtype");
    if (!to_bf16 && qn_json_exists(format) && !qn_json_string_is(format, "raw"))
        return qn_fail(r->err, QN_E_UNSUPPORTED, "tensor \"%.*s\" has the format \"%.*s\"",
                       QN_STR_ARG(t->name), QN_STR_ARG(qn_json_raw(format)));
    for (size_t i = 0; i < sizeof dtype_names / sizeof *dtype_names; i++)
        if (qn_json_string_is(dtype, dtype_names[i].name))
            t->dtype = dtype_names[i].dtype;
    if (t->dtype == QN_DTYPE_NONE)
        return qn_fail(r->err, QN_E_UNSUPPORTED, "tensor \"%.*s\" has dtype \"%.*s\"",
                       QN_STR_ARG(t->name), QN_STR_ARG(qn_json_raw(dtype)));
    if (t->dtype == QN_DTYPE_F32 && to_bf16)
        t->dtype = QN_DTYPE_BF16;
    return QN_OK;
}

static enum qn_status read_tensor(struct reader *r, struct qn_tensor *t, uint64_t shard_n,
                                  uint64_t size, struct qn_json_value record) {
    struct qn_str name;
    struct qn_json_value name_value = qn_json_get(record, "name");
    if (qn_json_type(name_value) != QN_JSON_STRING)
        return qn_fail(r->err, QN_E_FORMAT, "a tensor in \"%.*s\" has no name",
                       QN_STR_ARG(r->manifest));
    if (!qn_json_string(&name, &r->temp, name_value))
        return no_memory(r);
    t->name = qn_str_copy(r->out->arena, name);
    if (t->name.p == NULL)
        return no_memory(r);
    if (name.n == 0)
        return bad(r, name, "has no name");
    QN_TRY(read_dtype(r, t, record));
    uint64_t elements, nbytes = 0, end;
    if (!qn_directory_json_shape(&elements, t, qn_json_get(record, "shape")))
        return bad(r, name, "has no valid shape");
    if (!qn_directory_json_u64(&t->nbytes, qn_json_get(record, "nbytes")))
        return bad(r, name, "has no valid nbytes");
    if (!qn_directory_json_u64(&t->offset, qn_json_get(record, "byteOffset")))
        return bad(r, name, "has no valid byteOffset");
    if (!qn_dtype_size(&nbytes, t->dtype, elements) || nbytes != t->nbytes)
        return qn_directory_misfit(t, nbytes, r->manifest, r->err);
    if (!qn_add_u64(&end, t->offset, t->nbytes) || end > shard_n)
        return bad(r, name, "does not lie within its shard");
    if (end > size)
        return qn_fail_at(r->err, QN_E_TRUNCATED, t->offset,
                          "tensor \"%.*s\" ends at %llu, \"%.*s\" at %llu", QN_STR_ARG(name),
                          (unsigned long long)end, QN_STR_ARG(r->out->files[t->file]),
                          (unsigned long long)size);
    return QN_OK;
}

/* A shard that is there must be as long as the manifest says; one that is not is fetched later. */
static enum qn_status shard_size(uint64_t *out, const struct reader *r, struct qn_str file) {
    enum qn_status status = r->files->size(r->files->ud, out, file);
    if (status == QN_OK)
        return QN_OK;
    *out = UINT64_MAX;
    if (status == QN_E_NOT_FOUND || status == QN_E_NEED_DATA)
        return QN_OK;
    return qn_fail(r->err, status, "cannot open \"%.*s\"", QN_STR_ARG(file));
}

static enum qn_status read_shard(struct reader *r, struct qn_json_value shard) {
    struct qn_directory *out = r->out;
    struct qn_str path = qn_json_raw(qn_json_get(shard, "dataPath")); // a good name has no escapes
    uint64_t nbytes, size;
    if (!qn_file_name_ok(path))
        return qn_fail(r->err, QN_E_FORMAT, "\"%.*s\" names the shard \"%.*s\"",
                       QN_STR_ARG(r->manifest), QN_STR_ARG(path));
    struct qn_json_value format = qn_json_get(shard, "format");
    if (qn_json_exists(format) && !qn_json_string_is(format, "raw-shard"))
        return qn_fail(r->err, QN_E_UNSUPPORTED, "shard \"%.*s\" has the format \"%.*s\"",
                       QN_STR_ARG(path), QN_STR_ARG(qn_json_raw(format)));
    if (!qn_directory_json_u64(&nbytes, qn_json_get(shard, "nbytes")))
        return qn_fail(r->err, QN_E_FORMAT, "shard \"%.*s\" has no valid nbytes", QN_STR_ARG(path));
    QN_TRY(shard_size(&size, r, path));
    struct qn_str copy = qn_str_copy(out->arena, path);
    if (copy.p == NULL)
        return no_memory(r);
    uint32_t file = out->n_files;
    out->files[out->n_files++] = copy;
    struct qn_json_iter it = qn_json_iterate(qn_json_get(shard, "records"));
    while (qn_json_each(&it)) {
        struct qn_tensor *t = &out->tensors[out->n_tensors];
        t->file = file;
        QN_TRY(read_tensor(r, t, nbytes, size, it.value));
        out->n_tensors++;
    }
    if (size < nbytes)
        return qn_fail_at(r->err, QN_E_TRUNCATED, size, "\"%.*s\" has %llu of its %llu bytes",
                          QN_STR_ARG(path), (unsigned long long)size, (unsigned long long)nbytes);
    return QN_OK;
}

static enum qn_status read_manifest(struct reader *r) {
    struct qn_directory *out = r->out;
    uint64_t size;
    r->manifest = QN_STR("tensor-cache.json");
    enum qn_status status = r->files->size(r->files->ud, &size, r->manifest);
    if (status == QN_E_NOT_FOUND)
        r->manifest = QN_STR("ndarray-cache.json");
    else if (status != QN_OK)
        return qn_fail(r->err, status, "cannot open \"%.*s\"", QN_STR_ARG(r->manifest));
    QN_TRY(qn_directory_document(&r->json, &r->temp, r->files, r->manifest, true, r->err));
    struct qn_json_value shards = qn_json_get(qn_json_root(&r->json), "records");
    if (qn_json_type(shards) != QN_JSON_ARRAY)
        return qn_fail(r->err, QN_E_FORMAT, "\"%.*s\" has no records", QN_STR_ARG(r->manifest));
    size_t n = 0; // below the number of nodes
    struct qn_json_iter it = qn_json_iterate(shards);
    while (qn_json_each(&it)) {
        struct qn_json_value records = qn_json_get(it.value, "records");
        if (qn_json_type(records) != QN_JSON_ARRAY)
            return qn_fail(r->err, QN_E_FORMAT, "a shard in \"%.*s\" has no records",
                           QN_STR_ARG(r->manifest));
        n += qn_json_count(records);
    }
    out->files = QN_ARENA_NEW(out->arena, struct qn_str, qn_json_count(shards));
    out->tensors = QN_ARENA_NEW(out->arena, struct qn_tensor, n);
    if (out->files == NULL || out->tensors == NULL)
        return no_memory(r);
    it = qn_json_iterate(shards);
    while (qn_json_each(&it))
        QN_TRY(read_shard(r, it.value));
    return qn_directory_index(out, r->err);
}

enum qn_status qn_mlc_read(struct qn_directory *out, struct qn_arena *arena,
                           const struct qn_files *files, struct qn_error *err) {
    *out = (struct qn_directory){.format = QN_FORMAT_MLC, .arena = arena};
    QN_TRY(qn_directory_document(&out->config, arena, files, QN_STR("mlc-chat-config.json"), true,
                                 err));
    QN_TRY(qn_directory_side_documents(out, arena, files, err));
    struct reader r = {.out = out, .files = files, .err = err};
    qn_arena_init(&r.temp, arena->allocator);
    enum qn_status status = read_manifest(&r);
    qn_arena_free(&r.temp);
    return status;
}
