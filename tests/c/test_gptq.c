/* GPTQ checkpoints made here, with the columns of a group in order and apart, against the same
 * values as plain float32 weights: on the CPU and on the GPU's reference host. */
#include "base/num.h"
#include "model/model.h"
#include "tests/c/rewrite.h"
#include "tests/c/said.h"

#define FIXTURE "lm/qwen2_untied"

struct kind {
    const char *name, *extra; // extra fields of quantization_config
    uint32_t group;           // 0: one for all columns
    bool ordered;             // g_idx is scrambled
    bool own_orders;          // q, k, v, gate, up have orders of their own
    bool no_ids;              // no g_idx at all
    uint32_t zero_less;       // 1: zeros are stored less 1
    uint32_t gathers;         // per layer: inputs that are put into order
};

static const struct kind kinds[] = {
    {"act-order", "\"desc_act\":true", 32, true, false, false, 1, 4},
    {"act-order, no shared order", "\"desc_act\":true", 32, true, true, false, 1, 7},
    {"act-order that does nothing", "\"desc_act\":true,\"static_groups\":true", 32, false, false,
     false, 1, 0},
    {"version 2", "\"desc_act\":true,\"checkpoint_format\":\"gptq_v2\"", 32, true, false, false, 0,
     4},
    {"in order", "\"desc_act\":false,\"checkpoint_format\":\"gptq\"", 32, false, false, false, 1},
    {"in order, no g_idx", "\"sym\":true", 32, false, false, true, 1},
    {"one group", "\"desc_act\":true", 0, false, false, false, 1},
};

static bool ends(const char *s, const char *suffix) {
    size_t n = strlen(s), m = strlen(suffix);
    return n >= m && strcmp(s + n - m, suffix) == 0;
}

/* Group of every column: a shuffle of k / group. */
static void make_ids(uint32_t *ids, uint32_t cols, uint32_t group, bool ordered, uint32_t seed) {
    for (uint32_t k = 0; k < cols; k++)
        ids[k] = k / group;
    for (uint32_t k = cols; ordered && k-- > 1;) {
        uint32_t other = new_random(&seed) % (k + 1), kept = ids[k];
        ids[k] = ids[other];
        ids[other] = kept;
    }
}

/* One linear layer, random: packed into `to`, and its values into `plain`. */
static void make_layer(struct new_model *to, struct new_model *plain, const struct kind *kind,
                       const char *name, uint32_t rows, uint32_t cols, uint32_t seed) {
    uint32_t group = kind->group ? kind->group : cols, n_groups = cols / group, ids[512];
    uint32_t order_seed = kind->own_orders ? seed : cols + (ends(name, "o_proj") ? 1 : 0);
    make_ids(ids, cols, group, kind->ordered, order_seed);
    uint32_t *words = new_add(to, name, ".qweight", "I32", 2, cols / 8, rows, 4)->bytes;
    uint32_t *zeros = new_add(to, name, ".qzeros", "I32", 2, n_groups, rows / 8, 4)->bytes;
    uint16_t *scales = new_add(to, name, ".scales", "F16", 2, n_groups, rows, 2)->bytes;
    if (!kind->no_ids)
        memcpy(new_add(to, name, ".g_idx", "I32", 1, cols, 1, 4)->bytes, ids, cols * 4);
    float *values = new_add(plain, name, ".weight", "F32", 2, rows, cols, 4)->bytes;
    for (uint32_t g = 0; g < n_groups; g++)
        for (uint32_t n = 0; n < rows; n++) {
            uint32_t zero = 5 + new_random(&seed) % 6;
            scales[g * rows + n] = (uint16_t)(8u << 10 | new_random(&seed) % 1024);
            zeros[g * (rows / 8) + n / 8] |= (zero - kind->zero_less) << (4 * (n % 8));
            for (uint32_t k = 0; k < cols; k++) {
                if (ids[k] != g)
                    continue;
                uint32_t q = new_random(&seed) % 16;
                words[k / 8 * rows + n] |= q << (4 * (k % 8));
                values[n * cols + k] =
                    (float)((int)q - (int)zero) * qn_f16_to_f32(scales[g * rows + n]);
            }
        }
}

/* Both forms of the fixture's model. */
static void make_models(struct new_model *to, struct new_model *plain, const struct kind *kind,
                        const struct new_model *from) {
    for (uint32_t i = 0; i < from->n; i++) {
        const struct new_tensor *t = &from->tensors[i];
        if (ends(t->name, "_proj.weight")) {
            char name[128];
            snprintf(name, sizeof name, "%.*s", (int)(strlen(t->name) - 7), t->name);
            make_layer(to, plain, kind, name, (uint32_t)t->dims[0], (uint32_t)t->dims[1], i);
            continue;
        }
        for (int k = 0; k < 2; k++) {
            struct new_tensor *copy =
                new_add(k ? plain : to, t->name, "", t->dtype, t->n_dims, t->dims[0], t->dims[1],
                        t->n / (t->dims[0] * (t->n_dims > 1 ? t->dims[1] : 1)));
            memcpy(copy->bytes, t->bytes, t->n);
        }
    }
}

static const char *fixture = FIXTURE;

static struct qn_str config_of(const char *group, const char *extra) {
    char text[400];
    snprintf(
        text, sizeof text,
        "{\"quantization_config\":{\"quant_method\":\"gptq\",\"bits\":4,\"group_size\":%s,%s},",
        group, extra);
    return new_document(fixture, "config.json", "{", text);
}

static void say(struct said *out, struct qn_str config, const struct new_model *m, bool gpu) {
    struct qn_memory_file files[2] = {{QN_STR("config.json"), config},
                                      {QN_STR("model.safetensors"), new_safetensors(m)}};
    said_by(out, files, 2, gpu);
    free((void *)(uintptr_t)files[1].bytes.p);
    free((void *)(uintptr_t)config.p);
}

/* Orders that weights share are gathered once; weights of different orders stay apart. */
static void check_gathers(const struct kind *kind, const struct new_model *m) {
    struct qn_memory_file list[2] = {
        {QN_STR("config.json"), config_of(kind->group ? "32" : "-1", kind->extra)},
        {QN_STR("model.safetensors"), new_safetensors(m)}};
    struct qn_memory_files memory = {list, 2};
    struct qn_files files = qn_files_from_memory(&memory);
    struct qn_arena arena;
    struct qn_directory d;
    struct qn_model model;
    struct qn_error err = {0};
    const struct qn_model_options options = {.context = 64};
    qn_arena_init(&arena, qn_allocator_default());
    if (CHECK_MSG(qn_directory_open(&d, &arena, &files, QN_STR(""), &err) == QN_OK &&
                      qn_model_build(&model, &arena, &d, &files, &options, &err) == QN_OK,
                  "%s", err.text)) {
        uint32_t n = 0;
        for (uint32_t i = 0; i < model.program.n_ops; i++)
            n += model.program.ops[i].kind == QN_OP_GATHER;
        CHECK_MSG(n == kind->gathers * model.config.n_layers, "%s: %u", kind->name, n);
    }
    qn_arena_free(&arena);
    for (int i = 0; i < 2; i++)
        free((void *)(uintptr_t)list[i].bytes.p);
}

static struct new_model source, packed, plain;
static struct said expected, cpu, gpu;

static void test_kind(const struct kind *kind) {
    packed.n = plain.n = 0;
    make_models(&packed, &plain, kind, &source);
    const char *group = kind->group ? "32" : "-1";
    say(&expected, new_document(fixture, "config.json", "{", "{"), &plain, false);
    say(&cpu, config_of(group, kind->extra), &packed, false);
    say(&gpu, config_of(group, kind->extra), &packed, true);
    said_same(kind->name, &expected, &cpu);
    said_same(kind->name, &expected, &gpu);
    check_gathers(kind, &packed);
    new_free(&packed);
    new_free(&plain);
}

static enum qn_status build(const struct qn_allocator *allocator, const struct qn_files *whole,
                            const struct qn_files *files) {
    struct qn_arena arena;
    struct qn_directory d;
    struct qn_model model;
    struct qn_error err = {0};
    const struct qn_model_options options = {.context = 64};
    qn_arena_init(&arena, allocator);
    enum qn_status status = qn_directory_open(&d, &arena, whole, QN_STR(""), &err);
    if (status == QN_OK)
        status = qn_model_build(&model, &arena, &d, files, &options, &err);
    qn_arena_free(&arena);
    return status;
}

/* Every allocation and every read of an order fails once while the model is built. */
static void test_faults(void) {
    make_models(&packed, &plain, &kinds[1], &source);
    struct qn_memory_file list[2] = {{QN_STR("config.json"), config_of("32", kinds[1].extra)},
                                     {QN_STR("model.safetensors"), new_safetensors(&packed)}};
    struct qn_memory_files memory = {list, 2};
    struct qn_files whole = qn_files_from_memory(&memory);
    for (int mode = 0; mode < 3; mode++)
        for (uint64_t n = 1;; n++) {
            static const enum qn_status expect[] = {QN_E_NO_MEMORY, QN_E_NEED_DATA, QN_E_IO};
            struct faults faults;
            faults_init(&faults);
            faults.read_status = expect[mode];
            *(mode ? &faults.fail_read : &faults.fail_alloc) = n;
            struct qn_allocator allocator = faults_allocator(&faults);
            struct qn_files files = faults_files(&faults, &whole);
            enum qn_status status = build(&allocator, &whole, &files);
            CHECK(faults.live == 0);
            if (!faults.fired) {
                CHECK(status == QN_OK && (mode == 0 || n > 7 * 3)); // all linear layers' orders
                break;
            }
            CHECK(status == expect[mode]);
        }
    for (int i = 0; i < 2; i++)
        free((void *)(uintptr_t)list[i].bytes.p);
    new_free(&packed);
    new_free(&plain);
}

/* Experts have no orders of their own: one op has the input of them all. */
static void test_experts(void) {
    fixture = "lm/qwen2_moe";
    if (!new_read(&source, fixture))
        return;
    test_kind(&kinds[4]);
    make_models(&packed, &plain, &kinds[0], &source);
    say(&cpu, config_of("32", kinds[0].extra), &packed, false);
    CHECK_MSG(cpu.status == QN_E_UNSUPPORTED &&
                  strstr(cpu.err.text, "tensor model.layers.0.mlp.experts.0.gate_proj.qweight: "
                                       "experts of different types or orders of inputs"),
              "%s", cpu.err.text);
    new_free(&packed);
    new_free(&plain);
    new_free(&source);
}

/* ---- Files that are not what they say -------------------------------------------------------- */

#define Q_PROJ "model.layers.0.self_attn.q_proj"

static void spoil_nothing(struct new_model *m) {
    (void)m;
}
static void spoil_group(struct new_model *m) {
    ((uint32_t *)new_find(m, Q_PROJ ".g_idx")->bytes)[5] = 7;
}
static void spoil_count(struct new_model *m) {
    memset(new_find(m, Q_PROJ ".g_idx")->bytes, 0, 64 * 4);
}
static void spoil_negative(struct new_model *m) {
    ((uint32_t *)new_find(m, Q_PROJ ".g_idx")->bytes)[0] = UINT32_MAX;
}
static void spoil_name(struct new_model *m) {
    strcpy(new_find(m, Q_PROJ ".g_idx")->name, Q_PROJ ".gidx");
}
static void spoil_dtype(struct new_model *m) {
    new_find(m, Q_PROJ ".qweight")->dtype = "F32";
}
static void spoil_shape(struct new_model *m) {
    struct new_tensor *t = new_find(m, Q_PROJ ".qzeros");
    t->dims[0] = 1;
    t->dims[1] *= 2;
}

static const struct {
    void (*spoil)(struct new_model *m);
    const char *group, *extra, *text; // of the error
    enum qn_status status;
    bool ordered;
} refusals[] = {
    {spoil_group, "32", "\"desc_act\":true",
     "tensor \"" Q_PROJ ".g_idx\": expected 2 groups of 32 inputs, found group 7 at 5", QN_E_TENSOR,
     true},
    {spoil_count, "32", "\"desc_act\":true", "found group 0 at 32", QN_E_TENSOR, true},
    {spoil_negative, "32", "\"desc_act\":true", "found group -1 at 0", QN_E_TENSOR, true},
    {spoil_name, "32", "\"desc_act\":true",
     "tensor \"" Q_PROJ ".g_idx\": expected I32 [64], found none", QN_E_TENSOR, true},
    {spoil_nothing, "32", "\"desc_act\":false",
     "layers.0.mlp.down_proj.qweight\": its g_idx has input 0 in group 2, expected 0, without "
     "desc_act",
     QN_E_TENSOR, true},
    {spoil_dtype, "32", "\"sym\":true",
     "tensor \"" Q_PROJ ".qweight\": expected I32 [8, 64], found F32 [8, 64]", QN_E_TENSOR, false},
    {spoil_shape, "32", "\"sym\":true",
     "tensor \"" Q_PROJ ".qzeros\": expected I32 [2, 8], found I32 [1, 16]", QN_E_TENSOR, false},
    {spoil_nothing, "-1", "\"sym\":true", ".qzeros\": expected I32 [1, 8], found I32 [2, 8]",
     QN_E_TENSOR, false},
    {spoil_nothing, "128", "\"sym\":true",
     "tensor " Q_PROJ ".qweight: 64 inputs in groups of 128, 64 outputs", QN_E_UNSUPPORTED, false},
    {spoil_nothing, "48", "\"sym\":true", "groups of 48, expected a multiple of 32 or -1",
     QN_E_UNSUPPORTED, false},
    {spoil_nothing, "0", "\"sym\":true", "groups of 0", QN_E_UNSUPPORTED, false},
    {spoil_nothing, "32", "\"bits\":3", "gptq weights of 3 bits, expected 4", QN_E_UNSUPPORTED,
     false},
    {spoil_nothing, "32", "\"checkpoint_format\":\"marlin\"", "gptq weights in format \"marlin\"",
     QN_E_UNSUPPORTED, false},
};

static void test_refusals(void) {
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        struct kind kind = kinds[refusals[i].ordered ? 0 : 4];
        make_models(&packed, &plain, &kind, &source);
        refusals[i].spoil(&packed);
        struct qn_str config = config_of(refusals[i].group, refusals[i].extra);
        if (strstr(refusals[i].extra,
                   "\"bits\"")) // the second of two counts for nobody: take out one
            memcpy(strstr((char *)(uintptr_t)config.p, "\"bits\":4"), "\"was\":44", 8);
        say(&cpu, config, &packed, false);
        CHECK_MSG(cpu.status == refusals[i].status && strstr(cpu.err.text, refusals[i].text),
                  "%zu: %s", i, cpu.err.text);
        new_free(&packed);
        new_free(&plain);
    }
}

static void write_file(const char *folder, const char *form, const char *name,
                       struct qn_str bytes) {
    char path[2048];
    snprintf(path, sizeof path, "%s/%s-%s", folder, form, name);
    FILE *file = fopen(path, "wb");
    CHECK_MSG(file && fwrite(bytes.p, 1, bytes.n, file) == bytes.n, "%s", path);
    if (file)
        fclose(file);
    free((void *)(uintptr_t)bytes.p);
}

/* For tests of other builds (tests/js/gptq.test.mjs): both forms of the first kind. */
static void write_models(const char *folder) {
    make_models(&packed, &plain, &kinds[0], &source);
    write_file(folder, "packed", "config.json", config_of("32", kinds[0].extra));
    write_file(folder, "packed", "model.safetensors", new_safetensors(&packed));
    write_file(folder, "plain", "config.json", new_document(FIXTURE, "config.json", "{", "{"));
    write_file(folder, "plain", "model.safetensors", new_safetensors(&plain));
    new_free(&packed);
    new_free(&plain);
}

int main(int argc, char **argv) {
    if (!fixtures_there()) {
        printf("skipped: no ../shared\n");
        return test_done("gptq");
    }
    if (new_read(&source, FIXTURE) && argc == 2) {
        write_models(argv[1]);
    } else {
        for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
            test_kind(&kinds[i]);
        test_refusals();
        test_faults();
    }
    new_free(&source);
    if (argc == 1)
        test_experts();
    return test_done("gptq");
}
