/* Configurations of three formats: what is read, and what is refused. */
#include "model/config.h"
#include "tests/c/model_files.h"

/* Opens and reads; the directory and its strings live in `arena`. */
static enum qn_status read_config(struct qn_model_config *out, struct qn_arena *arena,
                                  const struct qn_files *files, const char *folder,
                                  struct qn_error *err) {
    struct qn_directory *d = QN_ARENA_NEW(arena, struct qn_directory, 1);
    if (!d)
        return QN_E_NO_MEMORY;
    QN_TRY(qn_directory_open(d, arena, files, fixture_main(folder), err));
    return qn_model_config_read(out, arena, d, err);
}

static bool same_config(const struct qn_model_config *a, const struct qn_model_config *b) {
    return a->traits == b->traits && a->hidden == b->hidden && a->n_layers == b->n_layers &&
           a->n_heads == b->n_heads && a->n_kv_heads == b->n_kv_heads &&
           a->head_dim == b->head_dim && a->intermediate == b->intermediate &&
           a->vocab == b->vocab && a->n_rot == b->n_rot && a->context == b->context &&
           a->window == b->window && a->norm_eps == b->norm_eps && a->rope_theta == b->rope_theta &&
           a->rope_scaling == b->rope_scaling && a->rope_factor == b->rope_factor &&
           a->rope_low_freq == b->rope_low_freq && a->rope_high_freq == b->rope_high_freq &&
           a->rope_original_context == b->rope_original_context && a->act == b->act &&
           a->tied == b->tied && a->qkv_bias == b->qkv_bias && a->o_bias == b->o_bias &&
           a->mlp_bias == b->mlp_bias && a->n_eos == b->n_eos && a->eos[0] == b->eos[0] &&
           a->bos == b->bos && qn_str_eq(a->quantization, b->quantization);
}

/* Transformers 4 and 5 spell the same model differently. */
static void test_legacy(void) {
    static const char *const folders[] = {"lm/qwen2", "lm/qwen2_untied", "lm/llama3", "lm/smollm",
                                          "lm/mistral"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        struct overlay overlay;
        struct qn_files files = overlay_open(&overlay, folders[i]);
        struct qn_arena arena;
        struct qn_error err = {0};
        struct qn_model_config modern, legacy;
        qn_arena_init(&arena, qn_allocator_default());
        CHECK_MSG(read_config(&modern, &arena, &files, folders[i], &err) == QN_OK, "%s", err.text);
        char path[1400];
        snprintf(path, sizeof path, "%s/config.legacy.json", overlay.folder);
        overlay_put(&overlay, "config.json", slurp(path));
        CHECK_MSG(read_config(&legacy, &arena, &files, folders[i], &err) == QN_OK, "%s", err.text);
        CHECK(same_config(&modern, &legacy));
        CHECK(modern.hidden == 64 && modern.n_layers == 3 && modern.n_heads == 4);
        CHECK(modern.n_kv_heads == 2 && modern.head_dim == 16 && modern.n_rot == 16);
        CHECK(modern.intermediate == 96 && modern.vocab == 307 && modern.context == 256);
        CHECK(modern.bos == 1 && modern.n_eos == 1 && modern.eos[0] == 2);
        CHECK(modern.window == (strcmp(folders[i], "lm/mistral") == 0 ? 8 : 0));
        CHECK(modern.qkv_bias == (strstr(folders[i], "qwen2") != NULL));
        bool llama3 = strcmp(folders[i], "lm/llama3") == 0;
        CHECK(modern.rope_scaling == (llama3 ? QN_ROPE_LLAMA3 : QN_ROPE_PLAIN));
        CHECK(modern.rope_original_context == (llama3 ? 64 : 0));
        qn_arena_free(&arena);
        overlay_close(&overlay);
    }
}

/* The same tiny model in GGUF and MLC. */
static void test_other_formats(void) {
    static const struct {
        const char *folder, *quantization;
        uint32_t eos, bos, n_eos;
        bool tied, qkv_bias, sampling;
        enum qn_rope_scaling scaling;
    } cases[] = {
        {"gguf/qwen2_Q4_0", "Q4_0", 306, 304, 1, true, true, false, QN_ROPE_PLAIN},
        {"gguf/llama_Q8_0", "Q8_0", 306, 302, 1, false, false, false, QN_ROPE_PLAIN},
        {"gguf/qwen2_untied_IQ4_NL", "IQ4_NL", 306, 304, 1, false, true, false, QN_ROPE_PLAIN},
        {"mlc/qwen2_q4f16_1", "q4f16_1", 306, 304, 2, true, true, true, QN_ROPE_PLAIN},
        {"mlc/llama_q4f32_1", "q4f32_1", 306, 302, 1, false, false, true, QN_ROPE_LLAMA3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct overlay overlay;
        struct qn_files files = overlay_open(&overlay, cases[i].folder);
        struct qn_arena arena;
        struct qn_error err = {0};
        struct qn_model_config c;
        qn_arena_init(&arena, qn_allocator_default());
        CHECK_MSG(read_config(&c, &arena, &files, cases[i].folder, &err) == QN_OK, "%s: %s",
                  cases[i].folder, err.text);
        CHECK(c.hidden == 64 && c.n_layers == 2 && c.n_heads == 4 && c.n_kv_heads == 2);
        CHECK(c.head_dim == 16 && c.n_rot == 16 && c.intermediate == 96 && c.vocab == 307);
        CHECK(c.context == 256 && c.window == 0 && c.act == QN_ACT_SILU);
        CHECK(c.norm_eps == 1e-6f);
        CHECK_MSG(c.eos[0] == cases[i].eos && c.n_eos == cases[i].n_eos && c.bos == cases[i].bos,
                  "%s: eos %u of %u, bos %u", cases[i].folder, c.eos[0], c.n_eos, c.bos);
        CHECK(c.tied == cases[i].tied && c.qkv_bias == cases[i].qkv_bias);
        CHECK(c.rope_scaling == cases[i].scaling);
        CHECK(c.rope_theta == (c.qkv_bias ? 1e6f : 5e5f));
        CHECK(qn_str_is(c.quantization, cases[i].quantization));
        CHECK(c.sampling.has.temperature == cases[i].sampling);
        if (cases[i].sampling)
            CHECK(c.sampling.temperature == 0.7f && c.sampling.top_p == 0.8f &&
                  c.sampling.repetition_penalty == 1.05f && !c.sampling.has.top_k);
        qn_arena_free(&arena);
        overlay_close(&overlay);
    }
}

/* Patches one text of a JSON file and expects this status and words. */
struct patch {
    const char *folder, *file, *from, *to;
    enum qn_status status;
    const char *words;
};

static void test_patches(void) {
#define QWEN "lm/qwen2", "config.json"
#define LLAMA "lm/llama3", "config.json"
#define MLC "mlc/llama_q4f16_1", "mlc-chat-config.json"
    static const struct patch patches[] = {
        {QWEN, "\"hidden_size\": 64,", "", QN_E_CONFIG, "the field hidden_size is missing"},
        {QWEN, "\"hidden_size\": 64", "\"hidden_size\": 0", QN_E_CONFIG, "hidden_size is 0"},
        {QWEN, "\"hidden_size\": 64", "\"hidden_size\": -64", QN_E_CONFIG, "hidden_size is -64"},
        {QWEN, "\"hidden_size\": 64", "\"hidden_size\": 6.5", QN_E_CONFIG, "hidden_size is 6.5"},
        {QWEN, "\"hidden_size\": 64", "\"hidden_size\": 4294967360", QN_E_CONFIG,
         "hidden_size is 4294967360"},
        {QWEN, "\"hidden_size\": 64", "\"hidden_size\": \"64\"", QN_E_CONFIG,
         "hidden_size is \"64\", expected an integer"},
        {QWEN, "\"hidden_size\": 64", "\"hidden_size\": [64]", QN_E_CONFIG,
         "hidden_size is a list"},
        {QWEN, "\"num_hidden_layers\": 3", "\"num_hidden_layers\": null", QN_E_CONFIG,
         "num_hidden_layers is missing"},
        {QWEN, "\"num_hidden_layers\": 3", "\"num_hidden_layers\": 100000", QN_E_CONFIG,
         "num_hidden_layers is 100000"},
        {QWEN, "\"num_attention_heads\": 4", "\"num_attention_heads\": 5", QN_E_CONFIG,
         "num_attention_heads is 5, expected a multiple of num_key_value_heads 2"},
        {QWEN, "\"num_key_value_heads\": 2", "\"num_key_value_heads\": 0", QN_E_CONFIG,
         "num_key_value_heads is 0"},
        {LLAMA, "\"head_dim\": 16", "\"head_dim\": 15", QN_E_CONFIG,
         "head_dim is 15, expected an even"},
        {QWEN, "\"vocab_size\": 307", "\"vocab_size\": true", QN_E_CONFIG, "vocab_size is true"},
        {QWEN, "\"rms_norm_eps\": 1e-06", "\"rms_norm_eps\": -1e-06", QN_E_CONFIG,
         "rms_norm_eps is -1e-6,"},
        {QWEN, "\"rms_norm_eps\": 1e-06", "\"rms_norm_eps\": \"x\"", QN_E_CONFIG,
         "rms_norm_eps is \"x\""},
        {QWEN, "\"rope_theta\": 1000000.0", "\"rope_theta\": 0", QN_E_CONFIG, "rope_theta is 0"},
        {QWEN, "\"hidden_act\": \"silu\"", "\"hidden_act\": \"mish\"", QN_E_CONFIG,
         "hidden_act is \"mish\""},
        {QWEN, "\"eos_token_id\": 2", "\"eos_token_id\": \"x\"", QN_E_CONFIG,
         "eos_token_id is \"x\""},
        {QWEN, "\"eos_token_id\": 2", "\"eos_token_id\": [2, \"y\"]", QN_E_CONFIG,
         "eos_token_id is \"y\""},
        {QWEN, "Qwen2ForCausalLM", "Mamba2ForCausalLM", QN_E_ARCHITECTURE, "\"Mamba2ForCausalLM\""},
        {QWEN, "\"tie_word_embeddings\": true", "\"tie_word_embeddings\": 1", QN_E_CONFIG,
         "tie_word_embeddings is 1"},
        {QWEN, "\"use_cache\": true", "\"quantization_config\": {\"quant_method\": \"hqq\"}",
         QN_E_UNSUPPORTED, "\"hqq\""},
        {QWEN, "\"use_cache\": true",
         "\"quantization_config\": {"
         "\"quant_method\": \"awq\", \"bits\": 4, \"group_size\": 64, "
         "\"zero_point\": true, \"version\": \"GEMM\"}",
         QN_OK, ""},
        {QWEN, "\"use_cache\": true",
         "\"quantization_config\": {"
         "\"quant_method\": \"awq\", \"bits\": 3, \"group_size\": 64, "
         "\"zero_point\": true, \"version\": \"gemm\"}",
         QN_E_UNSUPPORTED, "awq weights of 3 bits, expected 4"},
        {QWEN, "\"use_cache\": true",
         "\"quantization_config\": {"
         "\"quant_method\": \"awq\", \"bits\": 4, \"group_size\": -2, "
         "\"zero_point\": true, \"version\": \"gemm\"}",
         QN_E_UNSUPPORTED, "awq weights in groups of -2, expected a multiple of 32 or -1"},
        {QWEN, "\"use_cache\": true",
         "\"quantization_config\": {"
         "\"quant_method\": \"awq\", \"bits\": 4, \"group_size\": 128, "
         "\"zero_point\": true, \"version\": \"gemv\"}",
         QN_E_UNSUPPORTED, "awq weights of version \"gemv\", expected \"gemm\""},
        {QWEN, "\"use_cache\": true",
         "\"quantization_config\": {"
         "\"quant_method\": \"awq\", \"bits\": 4, \"group_size\": 128, "
         "\"zero_point\": false, \"version\": \"gemm\"}",
         QN_E_UNSUPPORTED, "awq weights without zero points"},
        {QWEN, "\"use_cache\": true",
         "\"quantization_config\": {"
         "\"quant_method\": \"gptq\", \"bits\": 4, \"group_size\": 128, "
         "\"desc_act\": false}",
         QN_OK, ""},
        {QWEN, "\"use_cache\": true",
         "\"quantization_config\": {"
         "\"quant_method\": \"gptq\", \"bits\": 4, \"group_size\": 128, "
         "\"desc_act\": true}",
         QN_OK, ""},
        {QWEN, "\"use_cache\": true",
         "\"quantization_config\": {"
         "\"quant_method\": \"gptq\", \"bits\": 4, \"group_size\": 128, "
         "\"checkpoint_format\": \"marlin\"}",
         QN_E_UNSUPPORTED, "marlin"},
        {QWEN, "\"sliding_window\": null,\n  \"tie_word_embeddings\": true",
         "\"sliding_window\": 4, \"partial_rotary_factor\": 0.5", QN_E_CONFIG,
         "partial_rotary_factor is 0.5"},
        {QWEN, "\"full_attention\"", "\"linear_attention\"", QN_OK,
         ""}, // the window is off: not looked at
        {QWEN, "\"use_sliding_window\": false", "\"use_sliding_window\": 0", QN_E_CONFIG,
         "use_sliding_window is 0"},
        {LLAMA, "\"rope_type\": \"llama3\"", "\"rope_type\": \"yarn\"", QN_E_UNSUPPORTED,
         "the rope type \"yarn\""},
        {LLAMA, "\"rope_type\": \"llama3\"", "\"rope_type\": \"dynamic\"", QN_E_UNSUPPORTED,
         "the rope type \"dynamic\""},
        {LLAMA, "\"factor\": 8.0,", "", QN_E_CONFIG, "factor of rope scaling is missing"},
        {LLAMA, "\"high_freq_factor\": 4.0", "\"high_freq_factor\": 1.0", QN_E_CONFIG,
         "high_freq_factor is 1, expected more than 1"},
        {LLAMA, "\"original_max_position_embeddings\": 64",
         "\"original_max_position_embeddings\": 0", QN_E_CONFIG,
         "original_max_position_embeddings is 0"},
        {"lm/mistral", "config.json", "\"sliding_window\": 8", "\"sliding_window\": 8.5",
         QN_E_CONFIG, "sliding_window is 8.5"},
        {"lm/mistral", "config.json", "\"sliding_window\": 8",
         "\"layer_types\": [\"full_attention\"], \"sliding_window\": 8", QN_E_CONFIG,
         "layer_types has 1 entries, expected 3"},
        {"lm/qwen2", "generation_config.json", "\"use_cache\": true", "\"temperature\": -1",
         QN_E_CONFIG, "temperature is -1"},
        {"lm/qwen2", "generation_config.json", "\"use_cache\": true", "\"top_k\": 2.5", QN_E_CONFIG,
         "top_k is 2.5"},
        {MLC, "\"model_type\": \"llama\"", "\"model_type\": \"rwkv6\"", QN_E_ARCHITECTURE,
         "\"rwkv6\""},
        {MLC, "\"context_window_size\": 256", "\"context_window_size\": 0", QN_E_CONFIG,
         "context_window_size is 0"},
        {MLC, "\"quantization\": \"q4f16_1\",", "", QN_E_CONFIG,
         "the field quantization is missing"},
    };
    for (size_t i = 0; i < sizeof patches / sizeof *patches; i++) {
        const struct patch *p = &patches[i];
        struct overlay overlay;
        struct qn_files files = overlay_open(&overlay, p->folder);
        struct qn_arena arena;
        struct qn_error err = {0};
        struct qn_model_config c;
        qn_arena_init(&arena, qn_allocator_default());
        CHECK_MSG(overlay_patch_text(&overlay, p->file, p->from, p->to), "no \"%s\" in %s", p->from,
                  p->folder);
        enum qn_status status = read_config(&c, &arena, &files, p->folder, &err);
        CHECK_MSG(status == p->status && strstr(err.text, p->words), "%s → %s: %s", p->from, p->to,
                  err.text);
        qn_arena_free(&arena);
        overlay_close(&overlay);
    }
}

/* Sets a value behind a key of GGUF's metadata: type u32, then the bytes. */
static void test_gguf_values(void) {
    static const struct {
        const char *folder, *key;
        uint32_t type, value;
        enum qn_status status;
        const char *words;
    } cases[] = {
        {"gguf/llama_Q4_0", "llama.block_count", 4, 0, QN_E_CONFIG, "block_count is 0"},
        {"gguf/llama_Q4_0", "llama.block_count", 5, 0xffffffff, QN_E_CONFIG,
         "llama.block_count is of type 5"},
        {"gguf/llama_Q4_0", "llama.block_count", 6, 0x40000000, QN_E_CONFIG, "expected an integer"},
        {"gguf/llama_Q4_0", "llama.attention.head_count", 4, 3, QN_E_CONFIG,
         "num_attention_heads is 3"},
        {"gguf/llama_Q4_0", "llama.attention.key_length", 4, 0x7fffffff, QN_E_CONFIG,
         "attention.key_length is 2147483647"},
        {"gguf/llama_Q4_0", "llama.attention.value_length", 4, 8, QN_E_UNSUPPORTED,
         "value_length 8"},
        {"gguf/llama_Q4_0", "llama.rope.dimension_count", 4, 7, QN_E_CONFIG,
         "rope.dimension_count is 7"},
        {"gguf/llama_Q4_0", "llama.rope.dimension_count", 4, 18, QN_E_CONFIG,
         "rope.dimension_count is 18"},
        {"gguf/llama_Q4_0", "llama.rope.freq_base", 6, 0x7fc00000, QN_E_CONFIG,
         "expected a finite number"},
        {"gguf/qwen2_Q4_0", "qwen2.attention.layer_norm_rms_epsilon", 6, 0xbf800000, QN_E_CONFIG,
         "rms_epsilon is -1"},
        {"gguf/qwen2_Q4_0", "tokenizer.ggml.eos_token_id", 4, 99999, QN_OK, ""},
        {"gguf/qwen2_Q4_0", "tokenizer.ggml.eos_token_id", 6, 0, QN_E_CONFIG,
         "tokenizer.ggml.eos_token_id"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct overlay overlay;
        struct qn_files files = overlay_open(&overlay, cases[i].folder);
        struct qn_arena arena;
        struct qn_error err = {0};
        struct qn_model_config c;
        char path[1400];
        qn_arena_init(&arena, qn_allocator_default());
        snprintf(path, sizeof path, "%s/model.gguf", overlay.folder);
        struct qn_str bytes = slurp(path);
        size_t n = strlen(cases[i].key), at = qn_str_find(bytes, qn_str_from(cases[i].key), 0);
        if (!CHECK(at != SIZE_MAX)) {
            free((void *)(uintptr_t)bytes.p);
            continue;
        }
        memcpy((char *)(uintptr_t)bytes.p + at + n, &cases[i].type, 4);
        memcpy((char *)(uintptr_t)bytes.p + at + n + 4, &cases[i].value, 4);
        overlay_put(&overlay, "model.gguf", bytes);
        enum qn_status status = read_config(&c, &arena, &files, cases[i].folder, &err);
        CHECK_MSG(status == cases[i].status && strstr(err.text, cases[i].words), "%s = %u: %s",
                  cases[i].key, cases[i].value, err.text);
        if (status == QN_OK)
            CHECK(c.n_eos == 0);
        qn_arena_free(&arena);
        overlay_close(&overlay);
    }
    struct overlay overlay;
    struct qn_files files = overlay_open(&overlay, "gguf/llama_Q4_0");
    struct qn_arena arena;
    struct qn_error err = {0};
    struct qn_model_config c;
    qn_arena_init(&arena, qn_allocator_default());
    CHECK(overlay_patch(&overlay, "model.gguf", QN_STR("\5\0\0\0\0\0\0\0llama"), 0,
                        QN_STR("\5\0\0\0\0\0\0\0rwkv9")));
    CHECK(read_config(&c, &arena, &files, "gguf/", &err) == QN_E_ARCHITECTURE);
    CHECK(strstr(err.text, "\"rwkv9\"") != NULL);
    qn_arena_free(&arena);
    overlay_close(&overlay);
}

/* Fields that are rare in the fixtures. */
static void test_extras(void) {
    struct overlay overlay;
    struct qn_files files = overlay_open(&overlay, "lm/qwen2");
    struct qn_arena arena;
    struct qn_error err = {0};
    struct qn_model_config c;
    qn_arena_init(&arena, qn_allocator_default());
    CHECK(
        overlay_patch_text(&overlay, "generation_config.json", "\"eos_token_id\": 2",
                           "\"eos_token_id\": [7, 2, 999, 8], \"top_k\": 20, \"top_p\": 0.5,"
                           "\"temperature\": 0.25, \"min_p\": null, \"repetition_penalty\": 1.5"));
    CHECK_MSG(read_config(&c, &arena, &files, "lm/qwen2", &err) == QN_OK, "%s", err.text);
    CHECK(c.n_eos == 3 && c.eos[0] == 2 && c.eos[1] == 7 && c.eos[2] == 8);
    CHECK(c.sampling.has.top_k && c.sampling.top_k == 20 && c.sampling.top_p == 0.5f);
    CHECK(c.sampling.temperature == 0.25f && c.sampling.repetition_penalty == 1.5f);
    CHECK(!c.sampling.has.min_p && !c.sampling.has.presence_penalty);

    /* A switched window: on, from layer max_window_layers (1) on, where layer_types is
     * not there. */
    CHECK(overlay_patch_text(&overlay, "config.json", "\"use_sliding_window\": false",
                             "\"use_sliding_window\": true"));
    CHECK(overlay_patch_text(&overlay, "config.json", "\"sliding_window\": null",
                             "\"sliding_window\": 12"));
    CHECK(overlay_patch_text(&overlay, "config.json", "\"max_window_layers\": 3",
                             "\"max_window_layers\": 1"));
    CHECK_MSG(read_config(&c, &arena, &files, "lm/qwen2", &err) == QN_OK, "%s", err.text);
    CHECK(c.window == 0); // layer_types says full attention everywhere
    CHECK(overlay_patch_text(&overlay, "config.json", "\"layer_types\"", "\"layer_kinds\""));
    CHECK_MSG(read_config(&c, &arena, &files, "lm/qwen2", &err) == QN_OK, "%s", err.text);
    CHECK(c.window == 12 && c.local && !c.local[0] && c.local[1] && c.local[2]);
    CHECK(overlay_patch_text(&overlay, "config.json", "\"layer_kinds\"", "\"layer_types\""));
    CHECK(
        overlay_patch_text(&overlay, "config.json", "\"full_attention\"", "\"sliding_attention\""));
    CHECK_MSG(read_config(&c, &arena, &files, "lm/qwen2", &err) == QN_OK, "%s", err.text);
    CHECK(c.window == 12 && c.local && c.local[0] && !c.local[1] && !c.local[2]);

    /* Rope in the oldest spelling, and linear. */
    CHECK(overlay_patch_text(&overlay, "config.json", "\"rope_parameters\"", "\"rope_old\""));
    CHECK(overlay_patch_text(&overlay, "config.json", "\"use_cache\": true",
                             "\"rope_scaling\": {\"type\": \"linear\", \"factor\": 4.0}"));
    CHECK_MSG(read_config(&c, &arena, &files, "lm/qwen2", &err) == QN_OK, "%s", err.text);
    CHECK(c.rope_scaling == QN_ROPE_LINEAR && c.rope_factor == 4.0f && c.rope_theta == 10000.0f);
    qn_arena_free(&arena);
    overlay_close(&overlay);
}

int main(void) {
    if (!fixtures_there()) {
        printf("skipped: no %s\n", test_shared());
        return 0;
    }
    test_legacy();
    test_other_formats();
    test_patches();
    test_gguf_values();
    test_extras();
    return test_done("model_config");
}
