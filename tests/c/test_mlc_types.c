/* MLC types that no fixture has, made here: q3f16_1 against the same values in float32, and
 * q4f16_autoawq against the AWQ checkpoint that it was fused from. */
#include "base/num.h"
#include "tests/c/rewrite.h"
#include "tests/c/said.h"

static struct new_model source, made, plain;
static struct said expected, cpu, gpu;

/* A folder in memory, whose documents are freed. */
static void say(struct said *out, struct qn_str config, const struct new_model *m, bool on_gpu) {
    struct qn_memory_file files[3] = {{QN_STR("mlc-chat-config.json"), config},
                                      {QN_STR("tensor-cache.json"), {NULL, 0}},
                                      {QN_STR("params_shard_0.bin"), {NULL, 0}}};
    files[1].bytes = new_mlc(&files[2].bytes, m);
    said_by(out, files, 3, on_gpu);
    for (int i = 0; i < 3; i++)
        free((void *)(uintptr_t)files[i].bytes.p);
}

static void copy_tensor(struct new_model *to, const struct new_tensor *t, const char *name,
                        const char *dtype) {
    struct new_tensor *copy = new_add(to, name, "", dtype, t->n_dims, t->dims[0], t->dims[1], 0);
    free(copy->bytes);
    copy->n = t->n;
    copy->bytes = malloc(t->n);
    memcpy(copy->bytes, t->bytes, t->n);
}

/* ---- q3f16_1 --------------------------------------------------------------------------------- */

static void make_threes(const char *name, uint32_t rows, uint32_t cols, uint32_t seed) {
    uint32_t groups = (cols + 39) / 40;
    uint32_t *words = new_add(&made, name, ".q_weight", "U32", 2, rows, 4 * groups, 4)->bytes;
    uint16_t *scales = new_add(&made, name, ".q_scale", "F16", 2, rows, groups, 2)->bytes;
    float *values = new_add(&plain, name, ".weight", "F32", 2, rows, cols, 4)->bytes;
    for (uint32_t n = 0; n < rows; n++)
        for (uint32_t k = 0; k < 40 * groups; k++) { // past the end too: no zeros there
            uint32_t q = new_random(&seed) % 8;
            if (k % 40 == 0)
                scales[n * groups + k / 40] = (uint16_t)(10u << 10 | new_random(&seed) % 1024);
            words[n * 4 * groups + k / 10] |= q << (3 * (k % 10));
            if (k < cols)
                values[n * cols + k] =
                    (float)((int)q - 3) * qn_f16_to_f32(scales[n * groups + k / 40]);
        }
}

static void make_q3(const char *folder) {
    made.n = plain.n = source.n = 0;
    if (!new_read(&source, folder))
        return;
    for (uint32_t i = 0; i < source.n; i++) {
        const struct new_tensor *t = &source.tensors[i];
        char name[128];
        snprintf(name, sizeof name, "%.*s", (int)(strlen(t->name) - strlen(".weight")), t->name);
        if (t->n_dims == 2) {
            make_threes(name, (uint32_t)t->dims[0], (uint32_t)t->dims[1], i);
            continue;
        }
        copy_tensor(&made, t, t->name, t->dtype);
        copy_tensor(&plain, t, t->name, t->dtype);
    }
}

static void free_models(void) {
    new_free(&source);
    new_free(&made);
    new_free(&plain);
}

static void test_q3(const char *folder, const char *quantization) {
    char from[64];
    snprintf(from, sizeof from, "\"quantization\": \"%s\"", quantization);
    make_q3(folder);
    say(&expected, new_document(folder, "mlc-chat-config.json", from, from), &plain, false);
    for (int on_gpu = 0; on_gpu < 2; on_gpu++) {
        say(&cpu,
            new_document(folder, "mlc-chat-config.json", from, "\"quantization\": \"q3f16_1\""),
            &made, on_gpu);
        said_same(folder, &expected, &cpu);
    }
    // Words of another width, scales of another type, a group too few.
    static const struct {
        const char *name, *text;
        uint64_t cols;
        const char *dtype;
    } bad[] = {
        {"model.layers.0.mlp.down_proj.q_weight", "expected U32 [64, 12], found F32 [64, 12]", 12,
         "F32"},
        {"model.layers.0.mlp.down_proj.q_weight", "expected U32 [64, 12], found U32 [64, 11]", 11,
         "U32"},
        {"model.layers.0.mlp.down_proj.q_scale", "expected F16 [64, 3], found F16 [64, 2]", 2,
         "F16"},
        {"model.layers.0.mlp.down_proj.q_scale", "expected F16 [64, 3], found F32 [64, 3]", 3,
         "F32"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct new_tensor *t = new_find(&made, bad[i].name), kept = *t;
        t->dtype = bad[i].dtype;
        t->dims[1] = bad[i].cols;
        t->n = 64 * bad[i].cols * (strcmp(bad[i].dtype, "F16") == 0 ? 2 : 4);
        t->bytes = calloc(t->n, 1);
        say(&cpu,
            new_document(folder, "mlc-chat-config.json", from, "\"quantization\": \"q3f16_1\""),
            &made, false);
        CHECK_MSG(cpu.status == QN_E_TENSOR && strstr(cpu.err.text, bad[i].name) &&
                      strstr(cpu.err.text, bad[i].text),
                  "%s", cpu.err.text);
        free(t->bytes);
        *t = kept;
    }
    say(&cpu, new_document(folder, "mlc-chat-config.json", from, "\"quantization\": \"q3f16_0\""),
        &made, false);
    CHECK_MSG(cpu.status == QN_E_UNSUPPORTED && strstr(cpu.err.text, "\"q3f16_0\""), "%s",
              cpu.err.text);
    free_models();
}

/* ---- q4f16_autoawq --------------------------------------------------------------------------- */

/* The columns of n tensors side by side, or their elements one after the other. */
static void fuse(const char *name, const char *const *parts, int n, const char *prefix,
                 const char *suffix, const char *dtype) {
    char text[128];
    uint64_t cols = 0, rows = 1;
    size_t row[3], at = 0;
    const struct new_tensor *t[3];
    for (int i = 0; i < n; i++) {
        snprintf(text, sizeof text, "%s%s%s", prefix, parts[i], suffix);
        t[i] = new_find(&source, text);
        if (!t[i])
            return;
        rows = t[i]->n_dims == 2 ? t[i]->dims[0] : 1;
        cols += t[i]->dims[t[i]->n_dims - 1];
        row[i] = t[i]->n / rows;
    }
    size_t element = t[0]->n / rows / (size_t)t[0]->dims[t[0]->n_dims - 1];
    snprintf(text, sizeof text, "%s%s", prefix, name);
    unsigned char *to = new_add(&made, text, suffix, dtype, t[0]->n_dims,
                                t[0]->n_dims == 2 ? rows : cols, cols, element)
                            ->bytes;
    for (size_t r = 0; r < rows; r++)
        for (int i = 0; i < n; at += row[i++])
            memcpy(to + at, (const char *)t[i]->bytes + r * row[i], row[i]);
}

static void test_awq(void) {
    static const char *const qkv[] = {"q_proj", "k_proj", "v_proj"},
                             *const up[] = {"gate_proj", "up_proj"}, *const o[] = {"o_proj"},
                             *const down[] = {"down_proj"};
    static const char *const suffixes[][2] = {
        {".qweight", "U32"}, {".qzeros", "U32"}, {".scales", "F16"}, {".bias", "F16"}};
    struct qn_memory_file list[2] = {{QN_STR("config.json"), {NULL, 0}},
                                     {QN_STR("model.safetensors"), {NULL, 0}}};
    char path[1200];
    if (!new_read(&source, "awq/qwen2"))
        return;
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/fixtures/awq/qwen2/%.*s", test_shared(),
                 QN_STR_ARG(list[i].name));
        list[i].bytes = slurp(path);
    }
    said_by(&expected, list, 2, false);
    for (uint32_t i = 0; i < source.n; i++)
        if (!strstr(source.tensors[i].name, "_proj."))
            copy_tensor(&made, &source.tensors[i], source.tensors[i].name, source.tensors[i].dtype);
    for (int layer = 0; layer < 2; layer++)
        for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
            char attention[64], mlp[64];
            snprintf(attention, sizeof attention, "model.layers.%d.self_attn.", layer);
            snprintf(mlp, sizeof mlp, "model.layers.%d.mlp.", layer);
            fuse("c_attn", qkv, 3, attention, suffixes[i][0], suffixes[i][1]);
            fuse("o_proj", o, 1, attention, suffixes[i][0], suffixes[i][1]);
            fuse("gate_up_proj", up, 2, mlp, suffixes[i][0], suffixes[i][1]);
            fuse("down_proj", down, 1, mlp, suffixes[i][0], suffixes[i][1]);
        }
    static const char *const patches[][2] = {
        {"\"q0f16\"", "\"q4f16_autoawq\""},
        {"\"hidden_size\": 64", "\"hidden_size\": 128"},
        {"\"intermediate_size\": 96", "\"intermediate_size\": 256"},
        {"\"head_dim\": 16", "\"head_dim\": 32"}};
    for (int on_gpu = 0; on_gpu < 2; on_gpu++) {
        struct overlay overlay;
        (void)overlay_open(&overlay, "mlc/qwen2_q0f16");
        for (size_t i = 0; i < sizeof patches / sizeof *patches; i++)
            CHECK(
                overlay_patch_text(&overlay, "mlc-chat-config.json", patches[i][0], patches[i][1]));
        say(&gpu, overlay.list[0].bytes, &made, on_gpu);
        said_same("q4f16_autoawq", &expected, &gpu);
    }
    for (int i = 0; i < 2; i++)
        free((void *)(uintptr_t)list[i].bytes.p);
    free_models();
}

/* ---- Experts --------------------------------------------------------------------------------- */

/* Random values on a grid of 4 bits: words, scales and float32 in `plain`. */
static void make_fours(struct new_model *packed, const char *name, uint32_t rows, uint32_t cols,
                       uint32_t seed) {
    uint32_t *words = new_add(packed, name, ".q_weight", "U32", 2, rows, cols / 8, 4)->bytes;
    uint16_t *scales = new_add(packed, name, ".q_scale", "F16", 2, rows, cols / 32, 2)->bytes;
    float *values = new_add(&plain, name, ".weight", "F32", 2, rows, cols, 4)->bytes;
    for (uint32_t i = 0; i < rows * cols; i++) {
        uint32_t q = new_random(&seed) % 16;
        if (i % 32 == 0)
            scales[i / 32] = (uint16_t)(8u << 10 | new_random(&seed) % 1024);
        words[i / 8] |= q << (4 * (i % 8));
        values[i] = (float)((int)q - 7) * qn_f16_to_f32(scales[i / 32]);
    }
}

/* The parts' tensors beside `name`, one after the other; with `stack` those of n experts. */
static void join(const char *name, const struct new_model *from, const char *suffix,
                 const char *const *parts, uint32_t n_parts, uint32_t n, bool stack) {
    struct text_out bytes = {NULL, 0, 0};
    struct new_tensor first = {.n = 0};
    uint64_t rows = 0;
    for (uint32_t i = 0; i < n * n_parts; i++) {
        char text[128], number[32];
        snprintf(number, sizeof number, "experts.%u.", i / n_parts);
        snprintf(text, sizeof text, "%.*s%s%s%s", (int)(strrchr(name, '.') + 1 - name), name,
                 stack ? number : "", parts[i % n_parts], suffix);
        const struct new_tensor *t = new_find((struct new_model *)(uintptr_t)from, text);
        if (!t) {
            free(bytes.p);
            return;
        }
        first = *t;
        rows += i < n_parts ? t->dims[0] : 0;
        text_put(&bytes, t->bytes, t->n);
    }
    struct new_tensor *t =
        new_add(&made, name, suffix, first.dtype, first.n_dims, rows, first.dims[1], 0);
    free(t->bytes);
    t->bytes = bytes.p;
    t->n = bytes.n;
    if (stack) {
        t->n_dims = 3;
        t->dims[2] = t->dims[1];
        t->dims[1] = rows;
        t->dims[0] = n;
    }
}

static void test_experts(bool quantised) {
    static struct new_model packed;
    static const char *const qkv[] = {"q_proj", "k_proj", "v_proj"}, *const o[] = {"o_proj"};
    static const char *const up[] = {"gate_proj", "up_proj"}, *const down[] = {"down_proj"};
    static const char *const suffixes[] = {".q_weight", ".q_scale", ".weight", ".bias"};
    made.n = plain.n = packed.n = 0;
    if (!new_read(&source, "lm/qwen2_moe"))
        return;
    for (uint32_t i = 0; i < source.n; i++) {
        const struct new_tensor *t = &source.tensors[i];
        const char *dot = strrchr(t->name, '.');
        char name[128];
        snprintf(name, sizeof name, "%.*s", (int)(dot - t->name), t->name);
        bool linear = strstr(t->name, "_proj.weight") || strstr(t->name, "lm_head") ||
                      strstr(t->name, "embed_tokens");
        if (linear) {
            make_fours(&packed, name, (uint32_t)t->dims[0], (uint32_t)t->dims[1], i);
            continue;
        }
        copy_tensor(&plain, t, t->name, t->dtype);
        copy_tensor(strstr(t->name, "_proj") ? &packed : &made, t, t->name, t->dtype);
    }
    const struct new_model *from = quantised ? &packed : &plain;
    for (size_t s = 0; s < sizeof suffixes / sizeof *suffixes; s++) {
        static const char *const embed[] = {"embed_tokens"};
        for (int layer = 0; layer < 3; layer++) {
            char name[128];
#define NAMED(text) (snprintf(name, sizeof name, "model.layers.%d." text, layer), name)
            join(NAMED("self_attn.c_attn"), from, suffixes[s], qkv, 3, 1, false);
            join(NAMED("self_attn.o_proj"), from, suffixes[s], o, 1, 1, false);
            join(NAMED("mlp.moe_gate_up_proj"), from, suffixes[s], up, 2, 4, true);
            join(NAMED("mlp.moe_down_proj"), from, suffixes[s], down, 1, 4, true);
            join(NAMED("mlp.shared_expert.gate_up_proj"), from, suffixes[s], up, 2, 1, false);
            join(NAMED("mlp.shared_expert.down_proj"), from, suffixes[s], down, 1, 1, false);
        }
        join("model.embed_tokens", from, suffixes[s], embed, 1, 1, false);
        struct new_tensor *t;
        char text[64];
        snprintf(text, sizeof text, "lm_head%s", suffixes[s]);
        if ((t = new_find((struct new_model *)(uintptr_t)from, text)))
            copy_tensor(&made, t, text, t->dtype);
    }
    struct qn_memory_file list[2] = {
        {QN_STR("config.json"), new_document("lm/qwen2_moe", "config.json", "{", "{")},
        {QN_STR("model.safetensors"), new_safetensors(&plain)}};
    said_by(&expected, list, 2, false);
    const char *const patches[][2] = {
        {"\"model_type\": \"qwen2\"", "\"model_type\": \"qwen2_moe\""},
        {"\"q0f16\"", quantised ? "\"q4f16_1\"" : "\"q0f32\""},
        {"\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3"},
        {"\"tie_word_embeddings\": true", "\"tie_word_embeddings\": false"},
        {"\"hidden_act\": \"silu\",",
         "\"hidden_act\": \"silu\", \"num_experts\": 4, \"num_experts_per_tok\": 2, "
         "\"moe_intermediate_size\": 32, \"shared_expert_intermediate_size\": 64, "
         "\"decoder_sparse_step\": 1, \"norm_topk_prob\": false,"}};
    for (int on_gpu = 0; on_gpu < 2; on_gpu++) {
        struct overlay overlay;
        (void)overlay_open(&overlay, "mlc/qwen2_q0f16");
        for (size_t i = 0; i < sizeof patches / sizeof *patches; i++)
            CHECK(
                overlay_patch_text(&overlay, "mlc-chat-config.json", patches[i][0], patches[i][1]));
        say(&gpu, overlay.list[0].bytes, &made, on_gpu);
        said_same(quantised ? "experts, q4f16_1" : "experts, q0f32", &expected, &gpu);
    }
    for (int i = 0; i < 2; i++)
        free((void *)(uintptr_t)list[i].bytes.p);
    new_free(&packed);
    free_models();
}

int main(void) {
    if (!fixtures_there()) {
        printf("skipped: no ../shared\n");
        return test_done("mlc_types");
    }
    test_q3("mlc/qwen2_q0f16", "q0f16"); // a tied head
    test_q3("mlc/llama_q0f32", "q0f32");
    test_awq();
    test_experts(false);
    test_experts(true);
    return test_done("mlc_types");
}
