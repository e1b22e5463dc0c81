/* Generated models: layout as the real files have it, bytes that do not depend on how they are
 * read. */
#include <math.h>
#include <time.h>

#include "base/num.h"
#include "model/model.h"
#include "model/synthetic.h"
#include "quant/codec.h"
#include "tests/c/model_files.h"

/* ---- Against the real file's manifest -------------------------------------------------------- */

static bool asset_there(char *folder, size_t n) {
    snprintf(folder, n, "%s/assets/mlc/qwen2.5-0.5b-q4f16_1", test_shared());
    char path[1400];
    snprintf(path, sizeof path, "%s/ndarray-cache.json", folder);
    struct qn_str text = slurp(path);
    free((void *)(uintptr_t)text.p);
    return text.p != NULL;
}

static void test_layout(const char *folder) {
    struct qn_arena arena;
    struct qn_error err = {0};
    struct qn_files real = folder_files(folder), made;
    struct qn_directory a, b;
    qn_arena_init(&arena, qn_allocator_default());
    CHECK_MSG(qn_synthetic_create(&made, &arena, QN_STR("qwen2.5-0.5b:q4f16_1"), &err) == QN_OK,
              "%s", err.text);
    bool open = qn_directory_open(&a, &arena, &real, QN_STR(""), &err) == QN_OK &&
                qn_directory_open(&b, &arena, &made, QN_STR(""), &err) == QN_OK;
    if (CHECK_MSG(open, "%s", err.text)) {
        CHECK_MSG(a.n_tensors == b.n_tensors, "%u, %u", a.n_tensors, b.n_tensors);
        CHECK(a.n_files == b.n_files);
        for (uint32_t i = 0; i < a.n_tensors; i++) {
            const struct qn_tensor *x = &a.tensors[i], *y = qn_directory_find(&b, x->name);
            if (!CHECK_MSG(y != NULL, "%.*s", QN_STR_ARG(x->name)))
                continue;
            CHECK_MSG(x->dtype == y->dtype && x->n_dims == y->n_dims && x->dims[0] == y->dims[0] &&
                          (x->n_dims == 1 || x->dims[1] == y->dims[1]) && x->nbytes == y->nbytes,
                      "%.*s", QN_STR_ARG(x->name));
            CHECK_MSG(x->offset == y->offset && qn_str_eq(a.files[x->file], b.files[y->file]),
                      "%.*s lies in %.*s at %llu, expected %.*s at %llu", QN_STR_ARG(x->name),
                      QN_STR_ARG(b.files[y->file]), (unsigned long long)y->offset,
                      QN_STR_ARG(a.files[x->file]), (unsigned long long)x->offset);
        }
        struct qn_model_config c, d;
        CHECK_MSG(qn_model_config_read(&c, &arena, &a, &err) == QN_OK, "%s", err.text);
        CHECK_MSG(qn_model_config_read(&d, &arena, &b, &err) == QN_OK, "%s", err.text);
        CHECK(c.hidden == d.hidden && c.n_layers == d.n_layers && c.n_heads == d.n_heads);
        CHECK(c.n_kv_heads == d.n_kv_heads && c.head_dim == d.head_dim && c.vocab == d.vocab);
        CHECK(c.intermediate == d.intermediate && c.context == d.context && c.tied == d.tied);
        CHECK(c.rope_theta == d.rope_theta && c.norm_eps == d.norm_eps && c.traits == d.traits);
        CHECK(d.n_eos == 0);
    }
    qn_arena_free(&arena);
}

/* ---- Every row of the catalogue builds ------------------------------------------------------- */

static void test_catalogue(void) {
    static const char *const quants[] = {"q4f16_1", "q4f32_1", "q0f16", "q0f32"};
    /* Parameters, from the models' cards: embedding once, biases and norms included. */
    static const uint64_t parameters[] = {494032768, 1543714304, 3085938688, 1235814400,
                                          361821120, 596049920,  3821079552, 2614341888};
    uint32_t n = 0;
    for (; qn_synthetic_model(n); n++)
        for (size_t q = 0; q < 4; q++) {
            struct qn_arena arena;
            struct qn_error err = {0};
            struct qn_files files;
            struct qn_directory d;
            struct qn_model model;
            struct qn_model_options options = {.context = 512, .chunk = 64};
            char name[64];
            int length = snprintf(name, sizeof name, "%s:%s", qn_synthetic_model(n), quants[q]);
            qn_arena_init(&arena, qn_allocator_default());
            enum qn_status status =
                qn_synthetic_create(&files, &arena, (struct qn_str){name, (size_t)length}, &err);
            if (status == QN_OK)
                status = qn_directory_open(&d, &arena, &files, QN_STR(""), &err);
            if (status == QN_OK)
                status = qn_model_build(&model, &arena, &d, &files, &options, &err);
            if (CHECK_MSG(status == QN_OK, "%s: %s", name, err.text)) {
                uint64_t count = 0;
                for (uint32_t i = 0; i < model.program.n_weights; i++)
                    if (!model.program.weights[i].computed)
                        count +=
                            (uint64_t)model.program.weights[i].rows * model.program.weights[i].cols;
                CHECK_MSG(n < 8 && count == parameters[n], "%s: %llu", name,
                          (unsigned long long)count);
                CHECK(d.n_tensors > 0 && d.tensors[0].dtype != QN_DTYPE_NONE);
            }
            qn_arena_free(&arena);
        }
    CHECK(n == 8);
}

static void test_names(void) {
    static const char *const bad[] = {"",
                                      "qwen2.5-0.5b",
                                      "qwen2.5-0.5b:",
                                      "qwen2.5-0.5b:q4f16_0",
                                      "qwen9:q4f16_1",
                                      ":q4f16_1",
                                      "qwen2.5-0.5b:q4f16_1:"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct qn_arena arena;
        struct qn_error err = {0};
        struct qn_files files;
        qn_arena_init(&arena, qn_allocator_default());
        CHECK(qn_synthetic_create(&files, &arena, qn_str_from(bad[i]), &err) == QN_E_NOT_FOUND);
        CHECK_MSG(strstr(err.text, "smollm2-360m") && strstr(err.text, "q0f32"), "%s", err.text);
        qn_arena_free(&arena);
    }
}

/* ---- Bytes ----------------------------------------------------------------------------------- */

static void test_bytes(void) {
    struct qn_arena arena;
    struct qn_error err = {0};
    struct qn_files files;
    uint64_t size = 0;
    qn_arena_init(&arena, qn_allocator_default());
    CHECK(qn_synthetic_create(&files, &arena, QN_STR("smollm2-360m:q4f16_1"), &err) == QN_OK);
    CHECK(files.size(files.ud, &size, QN_STR("params_shard_999.bin")) == QN_E_NOT_FOUND);
    CHECK(files.size(files.ud, &size, QN_STR("params_shard_.bin")) == QN_E_NOT_FOUND);
    CHECK(files.size(files.ud, &size, QN_STR("tokenizer.json")) == QN_E_NOT_FOUND);
    struct qn_str name = QN_STR("params_shard_1.bin");
    CHECK(files.size(files.ud, &size, name) == QN_OK && size > 1 << 20);

    /* Any way of cutting gives the same bytes, across tensors too. */
    enum { N = 1 << 20 };
    unsigned char *whole = malloc(N), *part = malloc(N);
    CHECK(files.read(files.ud, name, 0, whole, N) == QN_OK);
    for (uint64_t at = 0, step = 1; at < N; at += step, step = step * 3 % 4099 + 1) {
        size_t n = qn_min_size((size_t)step, (size_t)(N - at));
        CHECK(files.read(files.ud, name, at, part, n) == QN_OK);
        CHECK(memcmp(part, whole + at, n) == 0);
    }
    CHECK(files.read(files.ud, name, size - 3, part, 3) == QN_OK);
    CHECK(files.read(files.ud, name, size - 3, part, 4) == QN_E_TRUNCATED);
    CHECK(files.read(files.ud, name, UINT64_MAX, part, 2) == QN_E_TRUNCATED);
    CHECK(files.read(files.ud, name, size, part, 0) == QN_OK);
    free(whole);
    free(part);
    qn_arena_free(&arena);
}

/* What the weights decode to: centred, finite, of a size at which activations stay finite. */
static void test_values(void) {
    static const char *const quants[] = {"q4f16_1", "q4f32_1", "q0f16", "q0f32"};
    for (size_t q = 0; q < 4; q++) {
        struct qn_arena arena;
        struct qn_error err = {0};
        struct qn_files files;
        struct qn_directory d;
        char name[64];
        int length = snprintf(name, sizeof name, "qwen2.5-0.5b:%s", quants[q]);
        qn_arena_init(&arena, qn_allocator_default());
        CHECK(qn_synthetic_create(&files, &arena, (struct qn_str){name, (size_t)length}, &err) ==
              QN_OK);
        CHECK(qn_directory_open(&d, &arena, &files, QN_STR(""), &err) == QN_OK);
        enum { COLS = 4864, GROUPS = COLS / 32 };
        const char *base = "model.layers.7.mlp.down_proj.";
        float row[COLS];
        char full[80];
        snprintf(full, sizeof full, "%s%s", base, q < 2 ? "q_weight" : "weight");
        const struct qn_tensor *t = qn_directory_find(&d, qn_str_from(full));
        static unsigned char bytes[COLS * 2], scales[GROUPS * 2];
        if (!CHECK(t != NULL)) {
            qn_arena_free(&arena);
            continue;
        }
        size_t n = q < 2 ? COLS / 2 : COLS * 2;
        CHECK(files.read(files.ud, d.files[t->file], t->offset + 5 * n, bytes, n) == QN_OK);
        if (q < 2) {
            snprintf(full, sizeof full, "%sq_scale", base);
            const struct qn_tensor *s = qn_directory_find(&d, qn_str_from(full));
            CHECK(files.read(files.ud, d.files[s->file], s->offset, scales, sizeof scales) ==
                  QN_OK);
            struct qn_wformat format = {QN_W_Q4, s->dtype, 7, QN_GROUP, false};
            qn_wformat_decode(row, &format, 0, COLS, bytes, scales);
        } else {
            CHECK(qn_codec_decode(row, t->dtype, bytes, COLS, &err) == QN_OK);
        }
        double sum = 0, squares = 0;
        for (int i = 0; i < COLS; i++) {
            sum += (double)row[i];
            squares += (double)row[i] * (double)row[i];
        }
        double mean = sum / (double)COLS, rms = sqrt(squares / (double)COLS);
        CHECK_MSG(fabs(mean) < 0.001 && rms > 0.01 && rms < 0.04, "%s: mean %g, rms %g", name, mean,
                  rms);
        const struct qn_tensor *norm = qn_directory_find(&d, QN_STR("model.norm.weight"));
        if (CHECK(norm != NULL)) {
            CHECK(files.read(files.ud, d.files[norm->file], norm->offset, bytes, 896 * 2) == QN_OK);
            CHECK(qn_codec_decode(row, norm->dtype, bytes, 896, &err) == QN_OK);
            for (int i = 0; i < 896; i++)
                CHECK(row[i] >= 1.0f && row[i] < 1.13f);
        }
        qn_arena_free(&arena);
    }
}

static void test_memory(void) {
    for (uint64_t n = 1;; n++) {
        struct faults faults;
        faults_init(&faults);
        faults.fail_alloc = n;
        struct qn_allocator allocator = faults_allocator(&faults);
        struct qn_arena arena;
        struct qn_files files;
        qn_arena_init(&arena, &allocator);
        enum qn_status status =
            qn_synthetic_create(&files, &arena, QN_STR("qwen2.5-3b:q4f32_1"), NULL);
        qn_arena_free(&arena);
        CHECK(faults.live == 0);
        if (!faults.fired) {
            CHECK(status == QN_OK && n > 3);
            break;
        }
        CHECK(status == QN_E_NO_MEMORY);
    }
}

/* Not a check (a loaded machine must not fail it): VERBOSE=1 prints the rate. */
static void print_speed(void) {
    struct qn_arena arena;
    struct qn_files files;
    if (!getenv("VERBOSE"))
        return;
    qn_arena_init(&arena, qn_allocator_default());
    CHECK(qn_synthetic_create(&files, &arena, QN_STR("qwen2.5-0.5b:q4f16_1"), NULL) == QN_OK);
    size_t n = 64 << 20;
    unsigned char *p = calloc(n, 1);
    clock_t begin = clock();
    CHECK(files.read(files.ud, QN_STR("params_shard_0.bin"), 0, p, n) == QN_OK);
    printf("%.0f MB/s\n", (double)n / 1e6 / ((double)(clock() - begin) / CLOCKS_PER_SEC));
    free(p);
    qn_arena_free(&arena);
}

int main(void) {
    char folder[1024];
    if (asset_there(folder, sizeof folder))
        test_layout(folder);
    else
        printf("skipped the real manifest: no %s\n", folder);
    test_catalogue();
    test_names();
    test_bytes();
    test_values();
    test_memory();
    print_speed();
    return test_done("model_synthetic");
}
