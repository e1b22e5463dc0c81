/* From the fixtures' files to verified programs, and what is refused on the way. */
#include <math.h>

#include "model/model.h"
#include "tests/c/model_files.h"

static enum qn_status build(struct qn_model *out, struct qn_arena *arena,
                            const struct qn_files *files, const char *folder,
                            const struct qn_model_options *options, struct qn_error *err) {
    struct qn_directory *d = QN_ARENA_NEW(arena, struct qn_directory, 1);
    if (!d)
        return QN_E_NO_MEMORY;
    QN_TRY(qn_directory_open(d, arena, files, fixture_main(folder), err));
    return qn_model_build(out, arena, d, files, options, err);
}

static uint32_t count_ops(const struct qn_program *p, enum qn_op_kind kind) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < p->n_ops; i++)
        n += p->ops[i].kind == kind;
    return n;
}

/* ---- Every fixture of the families that are there -------------------------------------------- */

static const struct {
    const char *folder;
    uint32_t layers, per_layer; // ops per layer: 8 with one product for q, k and v, else 10
    enum qn_wtype qkv, embed;
} fixtures[] = {
    {"lm/qwen2", 3, 8, QN_W_F32, QN_W_F32},
    {"lm/qwen2_untied", 3, 8, QN_W_BF16, QN_W_BF16},
    {"lm/llama3", 3, 8, QN_W_BF16, QN_W_BF16},
    {"lm/smollm", 3, 8, QN_W_BF16, QN_W_BF16},
    {"lm/mistral", 3, 8, QN_W_F16, QN_W_F16},
    {"gguf/qwen2_F32", 2, 8, QN_W_F32, QN_W_F32},
    {"gguf/qwen2_F16", 2, 8, QN_W_F16, QN_W_F16},
    {"gguf/qwen2_BF16", 2, 8, QN_W_BF16, QN_W_BF16},
    {"gguf/qwen2_Q4_0", 2, 8, QN_W_Q4, QN_W_Q4},
    {"gguf/qwen2_Q8_0", 2, 8, QN_W_Q8, QN_W_Q8},
    {"gguf/llama_Q4_0", 2, 8, QN_W_Q4, QN_W_Q4},
    {"gguf/llama_Q8_0", 2, 8, QN_W_Q8, QN_W_Q8},
    {"mlc/qwen2_q0f16", 2, 8, QN_W_F16, QN_W_F16},
    {"mlc/qwen2_q4f16_1", 2, 8, QN_W_Q4, QN_W_Q4},
    {"mlc/qwen2_q4f32_1", 2, 8, QN_W_Q4, QN_W_Q4},
    {"mlc/qwen2_untied_q4f16_1", 2, 8, QN_W_Q4, QN_W_Q4},
    {"mlc/qwen2_untied_q4f16_2", 2, 8, QN_W_Q4, QN_W_F16},
    {"mlc/qwen2_untied_q4f32_1", 2, 8, QN_W_Q4, QN_W_Q4},
    {"mlc/llama_q0f32", 2, 8, QN_W_BF16, QN_W_BF16},
    {"mlc/llama_q4f16_1", 2, 8, QN_W_Q4, QN_W_Q4},
    {"mlc/llama_q4f32_1", 2, 8, QN_W_Q4, QN_W_Q4},
};

/* Folders whose canonical formats are the codec's affair: they must build, whatever they become. */
static const char *const any_format[] = {
    "gguf/qwen2_Q4_1",        "gguf/qwen2_Q5_0",        "gguf/qwen2_Q5_1",
    "gguf/qwen2_Q2_K_w256",   "gguf/qwen2_Q3_K_w256",   "gguf/qwen2_Q4_K_w256",
    "gguf/qwen2_Q5_K_w256",   "gguf/qwen2_Q6_K_w256",   "gguf/qwen2_Q4_K_M_w256",
    "gguf/qwen2_IQ4_XS_w256", "gguf/llama_Q4_K_M_w256", "gguf/qwen2_untied_IQ4_NL",
};

static void check_fixture(size_t i) {
    const char *folder = fixtures[i].folder;
    struct overlay overlay;
    struct qn_files files = overlay_open(&overlay, folder);
    struct qn_arena arena;
    struct qn_error err = {0};
    struct qn_model model;
    struct qn_model_options options = {.context = 64, .chunk = 16, .kv_type = QN_KV_F16};
    qn_arena_init(&arena, qn_allocator_default());
    if (!CHECK_MSG(build(&model, &arena, &files, folder, &options, &err) == QN_OK, "%s: %s", folder,
                   err.text)) {
        qn_arena_free(&arena);
        return;
    }
    const struct qn_program *p = &model.program;
    const struct qn_model_config *c = &model.config;
    CHECK(c->n_layers == fixtures[i].layers);
    CHECK_MSG(p->n_ops == 1 + fixtures[i].per_layer * c->n_layers + 3, "%s: %u ops", folder,
              p->n_ops);
    CHECK(count_ops(p, QN_OP_MATMUL_GLU) == c->n_layers);
    CHECK(count_ops(p, QN_OP_MATMUL) == 3 * c->n_layers + 1);
    CHECK(count_ops(p, QN_OP_ADD) == 0 && count_ops(p, QN_OP_GLU) == 0);
    CHECK(p->max_tokens == 16 && p->context == 64);
    CHECK(p->state_bytes == 2ull * c->n_layers * c->n_kv_heads * 64 * c->head_dim * 2);
    CHECK(model.weight_bytes > 0);

    const struct qn_program_op *head = &p->ops[p->n_ops - 1];
    const struct qn_program_tensor *table = &p->tensors[p->ops[0].in[1].tensor];
    CHECK(head->out == p->logits);
    CHECK((head->in[1].tensor == p->ops[0].in[1].tensor) == c->tied);
    CHECK(p->weights[table->weight].format.type == fixtures[i].embed);
    const struct qn_program_op *qkv = &p->ops[2], *rope = &p->ops[3];
    const struct qn_weight *w = &p->weights[p->tensors[qkv->in[1].tensor].weight];
    CHECK(w->format.type == fixtures[i].qkv && w->rows == 128);
    CHECK((qkv->in[2].tensor != QN_NONE) == c->qkv_bias);
    bool gguf = strncmp(folder, "gguf", 4) == 0, mlc = strncmp(folder, "mlc", 3) == 0;
    CHECK(w->n_sources == (mlc ? (w->format.type == QN_W_Q4 ? 2 : 1) : 3));
    if (w->format.type == QN_W_Q4)
        CHECK(w->format.zero == (gguf ? 8 : 7));
    CHECK(rope->in[0].column == 0 && rope->in[1].column == 64 && rope->in[2].column == 96);
    CHECK(rope->u.rope.interleaved == (strncmp(folder, "gguf/llama", 10) == 0));
    CHECK(p->ops[4].u.attention.scale == 0.25f && p->ops[4].u.attention.window == c->window);
    qn_arena_free(&arena);
}

static void test_fixtures(void) {
    for (size_t i = 0; i < sizeof fixtures / sizeof *fixtures; i++)
        check_fixture(i);
    for (size_t i = 0; i < sizeof any_format / sizeof *any_format; i++) {
        struct overlay overlay;
        struct qn_files files = overlay_open(&overlay, any_format[i]);
        struct qn_arena arena;
        struct qn_error err = {0};
        struct qn_model model;
        struct qn_model_options options = {0};
        qn_arena_init(&arena, qn_allocator_default());
        CHECK_MSG(build(&model, &arena, &files, any_format[i], &options, &err) == QN_OK, "%s: %s",
                  any_format[i], err.text);
        CHECK(model.program.context == 256 && model.program.max_tokens == 256);
        qn_arena_free(&arena);
    }
}

/* ---- Frequencies ----------------------------------------------------------------------------- */

static const float *frequencies(const struct qn_program *p, uint32_t *n) {
    for (uint32_t i = 0; i < p->n_weights; i++)
        if (p->weights[i].computed) {
            *n = p->weights[i].cols;
            return p->weights[i].computed;
        }
    *n = 0;
    return NULL;
}

/* Llama3's scaling, the same model twice: from the formula (safetensors) and from GGUF's divisors,
 * which the converter computed with its own copy of the formula. */
static void test_frequencies(void) {
    static const char *const folders[2] = {"mlc/llama_q4f16_1", "gguf/llama_Q4_0"};
    float found[2][8];
    for (int i = 0; i < 2; i++) {
        struct overlay overlay;
        struct qn_files files = overlay_open(&overlay, folders[i]);
        struct qn_arena arena;
        struct qn_error err = {0};
        struct qn_model model;
        struct qn_model_options options = {0};
        uint32_t n;
        qn_arena_init(&arena, qn_allocator_default());
        CHECK_MSG(build(&model, &arena, &files, folders[i], &options, &err) == QN_OK, "%s",
                  err.text);
        const float *f = frequencies(&model.program, &n);
        if (CHECK(f && n == 8))
            memcpy(found[i], f, sizeof found[i]);
        qn_arena_free(&arena);
    }
    for (int i = 0; i < 8; i++)
        CHECK_MSG(fabsf(found[0][i] - found[1][i]) <= 1e-6f * found[0][i], "%d: %g, %g", i,
                  (double)found[0][i], (double)found[1][i]);
    CHECK(found[0][0] == 1.0f);                                          // short waves stay
    CHECK(fabs((double)found[0][7] - pow(5e5, -14.0 / 16) / 8) < 1e-10); // long ones by 8
}

/* ---- Refusals -------------------------------------------------------------------------------- */

static void test_refusals(void) {
#define ST "model.safetensors"
#define CACHE "ndarray-cache.json"
    static const struct {
        const char *folder, *file, *from, *to;
        int nth;
        enum qn_status status;
        const char *words[3]; // all must be in the message
    } cases[] = {
        {"lm/qwen2",
         ST,
         "model.norm.weight",
         "model.nork.weight",
         0,
         QN_E_TENSOR,
         {"model.norm.weight"}},
        {"lm/qwen2",
         ST,
         "layers.1.self_attn.k_proj.bias",
         "layers.1.self_attn.k_proj.bia_",
         0,
         QN_E_TENSOR,
         {"model.layers.1.self_attn.k_proj.bias"}},
        {"lm/qwen2",
         ST,
         "layers.2.mlp.up_proj.weight",
         "layers.9.mlp.up_proj.weight",
         0,
         QN_E_TENSOR,
         {"model.layers.2.mlp.up_proj.weight"}},
        {"lm/qwen2",
         "config.json",
         "\"intermediate_size\": 96",
         "\"intermediate_size\": 80",
         0,
         QN_E_TENSOR,
         {"model.layers.0.mlp.gate_proj.weight", "80, 64", "96, 64"}},
        {"lm/qwen2",
         "config.json",
         "\"vocab_size\": 307",
         "\"vocab_size\": 308",
         0,
         QN_E_TENSOR,
         {"model.embed_tokens.weight", "308, 64", "307, 64"}},
        {"lm/qwen2",
         "config.json",
         "\"num_key_value_heads\": 2",
         "\"num_key_value_heads\": 4",
         0,
         QN_E_TENSOR,
         {"k_proj.weight", "64, 64", "32, 64"}},
        {"lm/qwen2",
         "config.json",
         "Qwen2ForCausalLM",
         "LlamaForCausalLM",
         0,
         QN_E_TENSOR,
         {"q_proj.bias", "says no bias"}},
        {"lm/qwen2",
         "config.json",
         "\"tie_word_embeddings\": true",
         "\"tie_word_embeddings\": false",
         0,
         QN_E_TENSOR,
         {"lm_head.weight"}},
        {"lm/smollm",
         "config.json",
         "\"attention_bias\": false",
         "\"attention_bias\": true",
         0,
         QN_E_TENSOR,
         {"q_proj.bias"}},
        {"mlc/qwen2_q4f16_1",
         CACHE,
         "model.layers.1.mlp.down_proj.q_scale",
         "model.layers.1.mlp.down_proj.q_scalx",
         0,
         QN_E_TENSOR,
         {"model.layers.1.mlp.down_proj.q_scale"}},
        {"mlc/qwen2_q4f16_1",
         "mlc-chat-config.json",
         "\"quantization\": \"q4f16_1\"",
         "\"quantization\": \"q4f16_2\"",
         0,
         QN_E_TENSOR,
         {"model.embed_tokens.weight"}},
        {"mlc/qwen2_q4f16_1",
         "mlc-chat-config.json",
         "\"quantization\": \"q4f16_1\"",
         "\"quantization\": \"q3f16_0\"",
         0,
         QN_E_UNSUPPORTED,
         {"q3f16_0"}},
        {"mlc/qwen2_q4f16_1",
         "mlc-chat-config.json",
         "\"hidden_size\": 64",
         "\"hidden_size\": 32",
         0,
         QN_E_TENSOR,
         {"embed_tokens.q_weight", "307, 4", "307, 8"}},
        {"gguf/qwen2_Q4_0",
         "model.gguf",
         "blk.1.attn_v.bias",
         "blk.1.attn_v.xias",
         0,
         QN_E_TENSOR,
         {"blk.1.attn_v.bias"}},
        {"gguf/qwen2_Q4_0",
         "model.gguf",
         "token_embd.weight",
         "token_embd.xeight",
         0,
         QN_E_TENSOR,
         {"token_embd.weight"}},
        {"gguf/llama_Q4_0",
         "model.gguf",
         "blk.1.ffn_down.weight",
         "blk.7.ffn_down.weight",
         0,
         QN_E_TENSOR,
         {"blk.1.ffn_down.weight"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct overlay overlay;
        struct qn_files files = overlay_open(&overlay, cases[i].folder);
        struct qn_arena arena;
        struct qn_error err = {0};
        struct qn_model model;
        struct qn_model_options options = {0};
        qn_arena_init(&arena, qn_allocator_default());
        CHECK_MSG(overlay_patch(&overlay, cases[i].file, qn_str_from(cases[i].from), cases[i].nth,
                                qn_str_from(cases[i].to)),
                  "no %s in %s", cases[i].from, cases[i].folder);
        enum qn_status status = build(&model, &arena, &files, cases[i].folder, &options, &err);
        CHECK_MSG(status == cases[i].status, "%s → %s: %s", cases[i].from, cases[i].to, err.text);
        for (int j = 0; j < 3 && cases[i].words[j]; j++)
            CHECK_MSG(strstr(err.text, cases[i].words[j]), "\"%s\" not in: %s", cases[i].words[j],
                      err.text);
        qn_arena_free(&arena);
        overlay_close(&overlay);
    }
}

/* GGUF keeps offsets after the names: a tensor's first dimension is changed in place. */
static void test_gguf_shape(void) {
    struct overlay overlay;
    struct qn_files files = overlay_open(&overlay, "gguf/llama_Q8_0");
    struct qn_arena arena;
    struct qn_error err = {0};
    struct qn_model model;
    struct qn_model_options options = {0};
    qn_arena_init(&arena, qn_allocator_default());
    /* name, u32 n_dims = 2, u64 dims[0] = 64, dims[1] = 96: swapped, the byte count stays. */
    CHECK(overlay_patch(&overlay, "model.gguf",
                        QN_STR("blk.0.ffn_up.weight\2\0\0\0\x40\0\0\0\0\0\0\0\x60"), 0,
                        QN_STR("blk.0.ffn_up.weight\2\0\0\0\x60\0\0\0\0\0\0\0\x40")));
    CHECK(build(&model, &arena, &files, "gguf/llama_Q8_0", &options, &err) == QN_E_TENSOR);
    CHECK_MSG(strstr(err.text, "blk.0.ffn_up.weight") && strstr(err.text, "96, 64") &&
                  strstr(err.text, "64, 96"),
              "%s", err.text);
    qn_arena_free(&arena);
    overlay_close(&overlay);
}

/* ---- Options --------------------------------------------------------------------------------- */

static void test_options(void) {
    static const struct {
        struct qn_model_options options;
        uint32_t context, tokens, rows;
    } cases[] = {
        {{0}, 256, 256, 256},
        {{.context = 100}, 100, 100, 100},
        {{.context = 1000}, 256, 256, 256},
        {{.chunk = 32}, 256, 32, 32},
        {{.chunk = 32, .rows = 4}, 256, 32, 4},
        {{.chunk = 32, .rows = 64}, 256, 32, 32},
        {{.context = 1, .chunk = 1}, 1, 1, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct overlay overlay;
        struct qn_files files = overlay_open(&overlay, "lm/llama3");
        struct qn_arena arena;
        struct qn_error err = {0};
        struct qn_model model;
        qn_arena_init(&arena, qn_allocator_default());
        CHECK_MSG(build(&model, &arena, &files, "lm/llama3", &cases[i].options, &err) == QN_OK,
                  "%s", err.text);
        CHECK(model.program.context == cases[i].context);
        CHECK(model.program.max_tokens == cases[i].tokens);
        CHECK(model.program.max_rows == cases[i].rows);
        qn_arena_free(&arena);
    }
}

/* ---- Memory and reading ---------------------------------------------------------------------- */

/* The directory is read with `whole`, the model built with `files`. */
static enum qn_status scenario(const struct qn_allocator *allocator, const struct qn_files *whole,
                               const struct qn_files *files, const char *folder) {
    struct qn_arena arena;
    struct qn_error err = {0};
    struct qn_directory d;
    struct qn_model model;
    struct qn_model_options options = {0};
    qn_arena_init(&arena, allocator);
    enum qn_status status = qn_directory_open(&d, &arena, whole, fixture_main(folder), &err);
    if (status == QN_OK)
        status = qn_model_build(&model, &arena, &d, files, &options, &err);
    qn_arena_free(&arena);
    return status;
}

static void test_faults(void) {
    static const char *const folders[] = {
        "gguf/llama_Q4_0",        "mlc/qwen2_q4f16_1", "lm/llama3", "lm/qwen2_moe",
        "gguf/phi3_longrope_F16", "lm/phi4mini",       "lm/gemma3", "lm/gpt2"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        struct overlay overlay;
        struct qn_files inner = overlay_open(&overlay, folders[i]);
        for (int reads = 0; reads < 2; reads++)
            for (uint64_t n = 1;; n++) {
                struct faults faults;
                faults_init(&faults);
                faults.read_status = QN_E_NEED_DATA;
                *(reads ? &faults.fail_read : &faults.fail_alloc) = n;
                struct qn_allocator allocator = faults_allocator(&faults);
                struct qn_files files = faults_files(&faults, &inner);
                enum qn_status status = scenario(&allocator, &inner, &files, folders[i]);
                CHECK(faults.live == 0);
                if (!faults.fired) {
                    CHECK(status == QN_OK);
                    /* Building reads nothing but the divisors of GGUF's llama and the two sets
                     * of GGUF's phi3. */
                    uint64_t wanted = i == 0 ? 1 : i == 4 ? 2 : 0;
                    CHECK(reads ? faults.reads == wanted : n > 2);
                    break;
                }
                CHECK_MSG(status == (reads ? QN_E_NEED_DATA : QN_E_NO_MEMORY), "%s, %s %llu: %s",
                          folders[i], reads ? "read" : "allocation", (unsigned long long)n,
                          qn_status_name(status));
            }
    }
}

int main(void) {
    if (!fixtures_there()) {
        printf("skipped: no %s\n", test_shared());
        return 0;
    }
    test_fixtures();
    test_frequencies();
    test_refusals();
    test_gguf_shape();
    test_options();
    test_faults();
    return test_done("model_build");
}
