/* Every model of ../shared opens, its tensors lie inside their files, and their bytes add up. */
#include <dirent.h>
#include <sys/stat.h>

#include "format/directory.h"
#include "tests/c/faults.h"

static int opened;

static bool exists(const char *path) {
    struct stat st;
    return stat(path, &st) == 0;
}

/* Sums the tensors' bytes per file and compares with the files. */
static void check_sums(const struct qn_directory *d, const struct qn_files *files,
                       const char *path) {
    for (uint32_t f = 0; f < d->n_files; f++) {
        uint64_t size = 0, sum = 0, first = UINT64_MAX, end = 0;
        bool there = files->size(files->ud, &size, d->files[f]) == QN_OK;
        for (uint32_t i = 0; i < d->n_tensors; i++) {
            const struct qn_tensor *t = &d->tensors[i];
            CHECK(qn_directory_find(d, t->name) == t);
            uint64_t elements = 1, bytes;
            for (uint32_t k = 0; k < t->n_dims; k++)
                elements *= t->dims[k];
            CHECK(qn_dtype_size(&bytes, t->dtype, elements) && bytes == t->nbytes);
            if (t->file != f)
                continue;
            sum += t->nbytes;
            first = t->offset < first ? t->offset : first;
            end = t->offset + t->nbytes > end ? t->offset + t->nbytes : end;
        }
        if (!there || d->n_tensors == 0)
            continue;
        CHECK_MSG(end <= size, "%s", path);
        uint64_t slack = d->format == QN_FORMAT_GGUF ? 32 * (uint64_t)d->n_tensors : 0;
        CHECK_MSG(first + sum <= size && size - first - sum <= slack, "%s: %llu + %llu of %llu",
                  path, (unsigned long long)first, (unsigned long long)sum,
                  (unsigned long long)size);
    }
}

static void check_arrays(const struct qn_directory *d, const struct qn_files *files) {
    struct qn_arena arena;
    qn_arena_init(&arena, qn_allocator_default());
    for (uint32_t i = 0; i < d->n_kvs; i++) {
        const struct qn_gguf_kv *kv = &d->kvs[i];
        struct qn_error err = {.text = ""};
        if (kv->type != QN_GGUF_ARRAY)
            continue;
        enum qn_status status;
        if (kv->element == QN_GGUF_STRING) {
            struct qn_str *list = NULL;
            status = qn_gguf_strings(&list, &arena, d, files, kv, &err);
            uint64_t bytes = 0;
            for (uint64_t k = 0; status == QN_OK && k < kv->count; k++)
                bytes += 8 + list[k].n;
            CHECK(bytes == kv->nbytes);
        } else if (kv->element == QN_GGUF_F32 || kv->element == QN_GGUF_F64) {
            float *list = NULL;
            status = qn_gguf_floats(&list, &arena, d, files, kv, &err);
        } else {
            int64_t *list = NULL;
            status = qn_gguf_integers(&list, &arena, d, files, kv, &err);
        }
        CHECK_MSG(status == QN_OK, "%.*s: %s", (int)kv->key.n, kv->key.p, err.text);
    }
    qn_arena_free(&arena);
}

static void open_model(const char *folder, const char *main) {
    struct qn_files files = folder_files(folder);
    struct faults faults;
    faults_init(&faults);
    struct qn_allocator allocator = faults_allocator(&faults);
    struct qn_files counted = faults_files(&faults, &files);
    struct qn_arena arena;
    qn_arena_init(&arena, &allocator);
    struct qn_directory d;
    struct qn_error err = {.text = ""};
    enum qn_status status = qn_directory_open(&d, &arena, &counted, qn_str_from(main), &err);
    CHECK_MSG(status == QN_OK, "%s/%s: %s", folder, main, err.text);
    if (status == QN_OK) {
        opened++;
        check_sums(&d, &files, folder);
        CHECK_MSG(faults.peak <= 16 * faults.bytes_read + 65536, "%s: %llu for %llu", folder,
                  (unsigned long long)faults.peak, (unsigned long long)faults.bytes_read);
        if (d.format == QN_FORMAT_GGUF)
            check_arrays(&d, &files);
        else
            CHECK(qn_json_type(qn_json_root(&d.config)) == QN_JSON_OBJECT);
    }
    qn_arena_free(&arena);
    CHECK(faults.live == 0);
}

static bool ends_with(const char *s, const char *suffix) {
    size_t n = strlen(s), m = strlen(suffix);
    return n >= m && strcmp(s + n - m, suffix) == 0;
}

/* Opens every model at or below `path`. */
static void visit(const char *path, int depth) {
    DIR *dir = opendir(path);
    if (dir == NULL)
        return;
    char sub[4096];
    bool folder = false;
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        if (e->d_name[0] == '.')
            continue;
        snprintf(sub, sizeof sub, "%s/%s", path, e->d_name);
        struct stat st;
        if (stat(sub, &st) != 0)
            continue;
        if (S_ISDIR(st.st_mode) && depth < 6)
            visit(sub, depth + 1);
        else if (ends_with(e->d_name, ".gguf"))
            open_model(path, e->d_name);
    }
    closedir(dir);
    snprintf(sub, sizeof sub, "%s/mlc-chat-config.json", path);
    folder = exists(sub);
    snprintf(sub, sizeof sub, "%s/config.json", path);
    char weights[4096], index[4096];
    snprintf(weights, sizeof weights, "%s/model.safetensors", path);
    snprintf(index, sizeof index, "%s/model.safetensors.index.json", path);
    if (folder || (exists(sub) && (exists(weights) || exists(index))))
        open_model(path, "");
}

int main(void) {
    if (!exists(test_shared())) {
        printf("skipped: no ../shared\n");
        return test_done("format_fixtures");
    }
    static const char *const rooms[] = {"fixtures/gguf", "fixtures/lm",  "fixtures/mlc",
                                        "fixtures/awq",  "fixtures/enc", "assets"};
    for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++) {
        char path[4096];
        int before = opened;
        snprintf(path, sizeof path, "%s/%s", test_shared(), rooms[i]);
        visit(path, 0);
        CHECK_MSG(opened > before || !exists(path), "nothing opened below %s", path);
        if (getenv("VERBOSE"))
            fprintf(stderr, "%s: %d\n", rooms[i], opened - before);
    }
    return test_done("format_fixtures");
}
