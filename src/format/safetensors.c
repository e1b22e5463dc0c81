/* safetensors (huggingface/safetensors, README "Format"): u64 n, n bytes of JSON, data.
 *
 *     {"__metadata__": {…strings…}, NAME: {"dtype": "F16", "shape": […], "data_offsets": [b, e]},
 *     …}
 *
 * offsets counting from the end of the JSON. The tensors tile the data without gap or overlap,
 * which is checked: a file that means one thing to this reader means nothing else to another. */

#include "base/num.h"
#include "format/internal.h"

#define HEADER_MAX 100000000u
#define SHARDS_MAX 512

struct shard {
    struct qn_str name;
    uint64_t data_at, data_n;
    struct qn_json json;
};

struct reader {
    struct qn_directory *out;
    struct qn_arena temp; // headers: freed before the reader returns
    const struct qn_files *files;
    struct qn_error *err;
    struct shard *shards;
    uint32_t n_shards;
    struct qn_json index; // of sharded models
};

static enum qn_status no_memory(const struct reader *r) {
    return qn_fail(r->err, QN_E_NO_MEMORY, "no memory for the headers of the weights");
}

static enum qn_status read_header(struct reader *r, struct shard *shard) {
    struct qn_cursor c;
    uint64_t n;
    size_t size;
    QN_TRY(qn_cursor_open(&c, r->files, shard->name, r->err));
    QN_TRY(qn_cursor_u64(&c, &n, "the header's length"));
    if (n > qn_cursor_left(&c))
        return qn_fail_at(r->err, QN_E_TRUNCATED, 0,
                          "\"%.*s\" has a header of %llu bytes, of which %llu are left",
                          QN_STR_ARG(shard->name), (unsigned long long)n,
                          (unsigned long long)qn_cursor_left(&c));
    if (n > HEADER_MAX || !qn_u64_to_size(&size, n))
        return qn_fail_at(r->err, QN_E_LIMIT, 0, "\"%.*s\" has a header of %llu bytes",
                          QN_STR_ARG(shard->name), (unsigned long long)n);
    shard->data_at = 8 + n;
    shard->data_n = c.size - shard->data_at;
    char *text = QN_ARENA_NEW(&r->temp, char, size);
    if (text == NULL)
        return no_memory(r);
    QN_TRY(qn_cursor_bytes(&c, text, size, "the header"));
    if (size == 0 || text[0] != '{')
        return qn_fail_at(r->err, QN_E_FORMAT, 8, "the header of \"%.*s\" does not begin with '{'",
                          QN_STR_ARG(shard->name));
    return qn_directory_parse(&shard->json, &r->temp, (struct qn_str){text, size}, shard->name,
                              r->err);
}

static enum qn_status bad(const struct reader *r, const struct shard *shard, struct qn_str name,
                          const char *what) {
    return qn_fail(r->err, QN_E_FORMAT, "tensor \"%.*s\" in \"%.*s\" %s", QN_STR_ARG(name),
                   QN_STR_ARG(shard->name), what);
}

static bool is_metadata(struct qn_json_value key) {
    return qn_json_string_is(key, "__metadata__");
}

static enum qn_status check_metadata(const struct reader *r, const struct shard *shard,
                                     struct qn_json_value metadata) {
    bool ok = qn_json_type(metadata) == QN_JSON_OBJECT;
    struct qn_json_iter it = qn_json_iterate(metadata);
    while (ok && qn_json_each(&it))
        ok = qn_json_type(it.value) == QN_JSON_STRING;
    if (!ok)
        return qn_fail(r->err, QN_E_FORMAT, "__metadata__ in \"%.*s\" is no map of strings",
                       QN_STR_ARG(shard->name));
    return QN_OK;
}

static enum qn_status read_dtype(const struct reader *r, struct qn_tensor *t,
                                 struct qn_json_value value) {
    if (qn_json_type(value) != QN_JSON_STRING)
        return bad(r, &r->shards[t->file], t->name, "has no dtype");
    struct qn_str name = qn_json_raw(value);
    t->dtype = qn_dtype_by_name(name.p, name.n);
    if (t->dtype == QN_DTYPE_NONE || qn_dtype_block(t->dtype) != 1)
        return qn_fail(r->err, QN_E_UNSUPPORTED, "tensor \"%.*s\" in \"%.*s\" has dtype %.*s",
                       QN_STR_ARG(t->name), QN_STR_ARG(r->shards[t->file].name), QN_STR_ARG(name));
    return QN_OK;
}

static enum qn_status read_tensor(struct reader *r, struct qn_tensor *t, uint32_t file,
                                  struct qn_json_value key, struct qn_json_value entry) {
    const struct shard *shard = &r->shards[file];
    struct qn_str name;
    if (!qn_json_string(&name, &r->temp, key))
        return no_memory(r);
    t->name = qn_str_copy(r->out->arena, name);
    if (t->name.p == NULL)
        return no_memory(r);
    t->file = file;
    if (name.n == 0)
        return bad(r, shard, name, "has no name");
    if (qn_json_type(entry) != QN_JSON_OBJECT)
        return bad(r, shard, name, "is no object");
    QN_TRY(read_dtype(r, t, qn_json_get(entry, "dtype")));

    uint64_t elements, ends[2];
    if (!qn_directory_json_shape(&elements, t, qn_json_get(entry, "shape")))
        return bad(r, shard, name, "has no valid shape");
    struct qn_json_value offsets = qn_json_get(entry, "data_offsets");
    struct qn_json_iter it = qn_json_iterate(offsets);
    bool ok = qn_json_type(offsets) == QN_JSON_ARRAY && qn_json_count(offsets) == 2;
    for (int i = 0; ok && i < 2; i++)
        ok = qn_json_each(&it) && qn_directory_json_u64(&ends[i], it.value);
    if (!ok || ends[0] > ends[1])
        return bad(r, shard, name, "has no valid data_offsets");
    if (ends[1] > shard->data_n)
        return qn_fail_at(r->err, QN_E_TRUNCATED, shard->data_at + shard->data_n,
                          "tensor \"%.*s\" ends at %llu of the data of \"%.*s\", which has %llu",
                          QN_STR_ARG(name), (unsigned long long)ends[1], QN_STR_ARG(shard->name),
                          (unsigned long long)shard->data_n);
    t->offset = shard->data_at + ends[0];
    t->nbytes = ends[1] - ends[0];
    uint64_t nbytes = 0;
    if (!qn_dtype_size(&nbytes, t->dtype, elements) || nbytes != t->nbytes)
        return qn_directory_misfit(t, nbytes, shard->name, r->err);
    return QN_OK;
}

static bool before(const struct qn_tensor *a, const struct qn_tensor *b) {
    if (a->offset != b->offset)
        return a->offset < b->offset;
    return a->nbytes < b->nbytes;
}

static void sift(const struct qn_tensor **list, size_t at, size_t n) {
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= n)
            return;
        if (child + 1 < n && before(list[child], list[child + 1]))
            child++;
        if (!before(list[at], list[child]))
            return;
        const struct qn_tensor *swap = list[at];
        list[at] = list[child];
        list[child] = swap;
        at = child;
    }
}

static void sort(const struct qn_tensor **list, size_t n) {
    for (size_t i = n / 2; i-- > 0;)
        sift(list, i, n);
    for (size_t end = n; end > 1; end--) {
        const struct qn_tensor *swap = list[0];
        list[0] = list[end - 1];
        list[end - 1] = swap;
        sift(list, 0, end - 1);
    }
}

/* The n tensors of one shard must tile its data. */
static enum qn_status check_tiling(struct reader *r, const struct shard *shard,
                                   const struct qn_tensor *tensors, size_t n) {
    const struct qn_tensor **list = QN_ARENA_NEW(&r->temp, const struct qn_tensor *, n);
    if (list == NULL)
        return no_memory(r);
    for (size_t i = 0; i < n; i++)
        list[i] = &tensors[i];
    sort(list, n);
    uint64_t at = shard->data_at;
    for (size_t i = 0; i < n; i++) {
        if (list[i]->offset != at)
            return qn_fail_at(r->err, QN_E_FORMAT, at,
                              "tensor \"%.*s\" in \"%.*s\" does not follow the one before it",
                              QN_STR_ARG(list[i]->name), QN_STR_ARG(shard->name));
        at += list[i]->nbytes;
    }
    if (at != shard->data_at + shard->data_n)
        return qn_fail_at(r->err, QN_E_FORMAT, at, "\"%.*s\" has bytes that belong to no tensor",
                          QN_STR_ARG(shard->name));
    return QN_OK;
}

static enum qn_status read_tensors(struct reader *r) {
    struct qn_directory *out = r->out;
    size_t n = 0;
    for (uint32_t i = 0; i < r->n_shards; i++) {
        QN_TRY(read_header(r, &r->shards[i]));
        n += qn_json_count(qn_json_root(&r->shards[i].json));
    }
    uint32_t most;
    if (!qn_size_to_u32(&most, n))
        return qn_fail(r->err, QN_E_LIMIT, "%zu tensors", n);
    out->tensors = QN_ARENA_NEW(out->arena, struct qn_tensor, n);
    out->files = QN_ARENA_NEW(out->arena, struct qn_str, r->n_shards);
    if (out->tensors == NULL || out->files == NULL)
        return no_memory(r);
    for (uint32_t i = 0; i < r->n_shards; i++) {
        const struct shard *shard = &r->shards[i];
        out->files[i] = qn_str_copy(out->arena, shard->name);
        if (out->files[i].p == NULL)
            return no_memory(r);
        out->n_files++;
        uint32_t first = out->n_tensors;
        bool metadata = false;
        struct qn_json_iter it = qn_json_iterate(qn_json_root(&shard->json));
        while (qn_json_each(&it)) {
            if (!is_metadata(it.key)) {
                QN_TRY(read_tensor(r, &out->tensors[out->n_tensors], i, it.key, it.value));
                out->n_tensors++;
                continue;
            }
            if (metadata)
                return qn_fail(r->err, QN_E_FORMAT, "__metadata__ stands twice in \"%.*s\"",
                               QN_STR_ARG(shard->name));
            metadata = true;
            QN_TRY(check_metadata(r, shard, it.value));
        }
        QN_TRY(check_tiling(r, shard, out->tensors + first, out->n_tensors - first));
    }
    return qn_directory_index(out, r->err);
}

/* Collects the distinct files of the index, in order of appearance. */
static enum qn_status read_index(struct reader *r) {
    struct qn_str name = QN_STR("model.safetensors.index.json");
    QN_TRY(qn_directory_document(&r->index, &r->temp, r->files, name, true, r->err));
    struct qn_json_value map = qn_json_get(qn_json_root(&r->index), "weight_map");
    if (qn_json_type(map) != QN_JSON_OBJECT || qn_json_count(map) == 0)
        return qn_fail(r->err, QN_E_FORMAT, "\"%.*s\" has no weight_map", QN_STR_ARG(name));
    r->shards = QN_ARENA_NEW(&r->temp, struct shard, qn_min_size(qn_json_count(map), SHARDS_MAX));
    if (r->shards == NULL)
        return no_memory(r);
    struct qn_json_iter it = qn_json_iterate(map);
    uint32_t last = 0;
    while (qn_json_each(&it)) {
        struct qn_str file = qn_json_raw(it.value); // a good name has no escapes
        if (last < r->n_shards && qn_str_eq(r->shards[last].name, file))
            continue;
        if (!qn_file_name_ok(file) || !qn_str_ends(file, QN_STR(".safetensors")))
            return qn_fail(r->err, QN_E_FORMAT, "the weight_map names the file \"%.*s\"",
                           QN_STR_ARG(file));
        for (last = 0; last < r->n_shards; last++)
            if (qn_str_eq(r->shards[last].name, file))
                break;
        if (last < r->n_shards)
            continue;
        if (r->n_shards == SHARDS_MAX)
            return qn_fail(r->err, QN_E_LIMIT, "the weights lie in more than %d files", SHARDS_MAX);
        r->shards[r->n_shards++].name = file;
    }
    return QN_OK;
}

/* Every tensor of the index must be in the file that it names. */
static enum qn_status check_index(struct reader *r) {
    struct qn_json_value map = qn_json_get(qn_json_root(&r->index), "weight_map");
    struct qn_json_iter it = qn_json_iterate(map);
    while (qn_json_each(&it)) {
        struct qn_str name, file = qn_json_raw(it.value);
        if (!qn_json_string(&name, &r->temp, it.key))
            return no_memory(r);
        const struct qn_tensor *t = qn_directory_find(r->out, name);
        if (t == NULL || !qn_str_eq(r->out->files[t->file], file))
            return qn_fail(r->err, QN_E_TENSOR, "tensor \"%.*s\" is not in \"%.*s\"",
                           QN_STR_ARG(name), QN_STR_ARG(file));
    }
    return QN_OK;
}

static enum qn_status read_weights(struct reader *r) {
    struct qn_str single = QN_STR("model.safetensors");
    uint64_t size;
    enum qn_status status = r->files->size(r->files->ud, &size, single);
    if (status == QN_E_NOT_FOUND) {
        QN_TRY(read_index(r));
        QN_TRY(read_tensors(r));
        return check_index(r);
    }
    if (status != QN_OK)
        return qn_fail(r->err, status, "cannot open \"%.*s\"", QN_STR_ARG(single));
    r->shards = QN_ARENA_NEW(&r->temp, struct shard, 1);
    if (r->shards == NULL)
        return no_memory(r);
    r->shards[0].name = single;
    r->n_shards = 1;
    return read_tensors(r);
}

enum qn_status qn_safetensors_read(struct qn_directory *out, struct qn_arena *arena,
                                   const struct qn_files *files, struct qn_error *err) {
    *out = (struct qn_directory){.format = QN_FORMAT_SAFETENSORS, .arena = arena};
    QN_TRY(qn_directory_document(&out->config, arena, files, QN_STR("config.json"), true, err));
    QN_TRY(qn_directory_side_documents(out, arena, files, err));
    struct reader r = {.out = out, .files = files, .err = err};
    qn_arena_init(&r.temp, arena->allocator);
    enum qn_status status = read_weights(&r);
    qn_arena_free(&r.temp);
    return status;
}
