/* One reader for three kinds of documents: config.json (field names of transformers 4 and 5) with
 * generation_config.json, mlc-chat-config.json, and GGUF metadata. Which key holds which number is
 * a table; what has structure (rope scaling, layer types, ids) has a function each. */
#include "model/config_source.h"

/* ---- Numbers --------------------------------------------------------------------------------- */

#define MAX_WIDTH (1u << 20)
#define MAX_HEADS 1024u

static const struct qn_source_names key_hidden = {{"hidden_size", "n_embd", "dim"},
                                                  {"embedding_length"}};
static const struct qn_source_names key_layers = {{"num_hidden_layers", "n_layer", "n_layers"},
                                                  {"block_count"}};
static const struct qn_source_names key_heads = {{"num_attention_heads", "n_head", "n_heads"},
                                                 {"attention.head_count"}};
static const struct qn_source_names key_kv_heads = {{"num_key_value_heads", "n_head_kv"},
                                                    {"attention.head_count_kv"}};
static const struct qn_source_names key_head_dim = {{"head_dim"}, {"attention.key_length"}};
static const struct qn_source_names key_value_dim = {{NULL}, {"attention.value_length"}};
static const struct qn_source_names key_intermediate = {
    {"intermediate_size", "n_inner", "hidden_dim"}, {"feed_forward_length"}};
static const struct qn_source_names key_vocab = {{"vocab_size"}, {NULL}};
static const struct qn_source_names key_context = {
    {"context_window_size", "max_position_embeddings", "n_positions"}, {"context_length"}};
static const struct qn_source_names key_eps = {
    {"rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon"},
    {"attention.layer_norm_rms_epsilon", "attention.layer_norm_epsilon"}};

/* GGUF states the vocabulary by the embedding's shape (the key ARCH.vocab_size is optional). */
static enum qn_status read_vocab(struct qn_model_config *c, const struct qn_source *s) {
    if (s->d->format != QN_FORMAT_GGUF)
        return qn_source_u32(&c->vocab, s, &key_vocab, 1u << 24, 0);
    const struct qn_tensor *embed = qn_directory_find(s->d, QN_STR("token_embd.weight"));
    if (!embed)
        return qn_fail(s->err, QN_E_TENSOR, "the tensor token_embd.weight is missing");
    if (embed->n_dims != 2 || embed->dims[0] < 1 || embed->dims[0] > 1u << 24)
        return qn_fail(s->err, QN_E_TENSOR,
                       "token_embd.weight has %u dimensions, the first %llu; expected [vocab, %u]",
                       embed->n_dims, (unsigned long long)embed->dims[0], c->hidden);
    c->vocab = (uint32_t)embed->dims[0];
    return QN_OK;
}

static enum qn_status read_numbers(struct qn_model_config *c, const struct qn_source *s) {
    QN_TRY(qn_source_u32(&c->hidden, s, &key_hidden, MAX_WIDTH, 0));
    QN_TRY(qn_source_u32(&c->n_layers, s, &key_layers, 1024, 0));
    QN_TRY(qn_source_u32(&c->n_heads, s, &key_heads, MAX_HEADS, 0));
    QN_TRY(qn_source_u32(&c->n_kv_heads, s, &key_kv_heads, MAX_HEADS, c->n_heads));
    if (c->n_heads % c->n_kv_heads)
        return qn_fail(s->err, QN_E_CONFIG,
                       "num_attention_heads is %u, expected a multiple of num_key_value_heads %u",
                       c->n_heads, c->n_kv_heads);
    QN_TRY(qn_source_u32(&c->head_dim, s, &key_head_dim, 1024, c->hidden / c->n_heads));
    if (c->head_dim % 2)
        return qn_fail(s->err, QN_E_CONFIG, "head_dim is %u, expected an even number", c->head_dim);
    uint32_t value_dim;
    QN_TRY(qn_source_u32(&value_dim, s, &key_value_dim, 1024, c->head_dim));
    if (value_dim != c->head_dim)
        return qn_fail(s->err, QN_E_UNSUPPORTED,
                       "attention.value_length %u differs from key_length %u", value_dim,
                       c->head_dim);
    uint32_t usual = s->traits->plain_mlp && c->hidden <= MAX_WIDTH / 4 ? 4 * c->hidden : 0;
    QN_TRY(qn_source_u32(&c->intermediate, s, &key_intermediate, MAX_WIDTH, usual));
    QN_TRY(read_vocab(c, s));
    if (c->hidden < 2 || c->vocab < 2) // a matrix of one row would be taken for a vector
        return qn_fail(s->err, QN_E_CONFIG,
                       "hidden_size is %u and vocab_size %u, expected 2 or more", c->hidden,
                       c->vocab);
    QN_TRY(qn_source_f32(&c->norm_eps, s, &key_eps, 1e-12f, 0.1f, s->traits->norm_eps));
    return QN_OK;
}

/* ---- Token ids ------------------------------------------------------------------------------- */

/* Ids beyond the vocabulary, and MLC's -1, can never be produced: they are left out. */
static enum qn_status add_eos(struct qn_model_config *c, const struct qn_source *s, const char *key,
                              int64_t id) {
    if (id < 0 || id >= (int64_t)c->vocab)
        return QN_OK;
    for (uint32_t i = 0; i < c->n_eos; i++)
        if (c->eos[i] == (uint32_t)id)
            return QN_OK;
    if (c->n_eos == QN_MAX_EOS)
        return qn_fail(s->err, QN_E_CONFIG, "%s names more than %u tokens", key, QN_MAX_EOS);
    c->eos[c->n_eos++] = (uint32_t)id;
    return QN_OK;
}

/* One id or a list. */
static enum qn_status add_eos_json(struct qn_model_config *c, const struct qn_source *s,
                                   const char *key, struct qn_json_value value) {
    int64_t id;
    if (!qn_json_exists(value) || qn_json_type(value) == QN_JSON_NULL)
        return QN_OK;
    if (qn_json_i64(&id, value))
        return add_eos(c, s, key, id);
    if (qn_json_type(value) != QN_JSON_ARRAY)
        return qn_source_bad_json(s, key, value, "an id or a list of ids");
    for (struct qn_json_iter it = qn_json_iterate(value); qn_json_each(&it);) {
        if (!qn_json_i64(&id, it.value))
            return qn_source_bad_json(s, key, it.value, "an id");
        QN_TRY(add_eos(c, s, key, id));
    }
    return QN_OK;
}

static enum qn_status read_ids(struct qn_model_config *c, const struct qn_source *s,
                               struct qn_json_value generation) {
    uint64_t id = 0;
    bool found = false;
    if (s->d->format == QN_FORMAT_GGUF) {
        static const char *const keys[] = {"!tokenizer.ggml.eos_token_id",
                                           "!tokenizer.ggml.eot_token_id",
                                           "!tokenizer.ggml.eom_token_id"};
        const char *name;
        for (uint32_t i = 0; i < 3; i++) {
            const struct qn_source_names names = {{NULL}, {keys[i]}};
            QN_TRY(qn_source_integer(&id, &found, &name, s, &names));
            if (found && id < c->vocab)
                QN_TRY(add_eos(c, s, keys[i] + 1, (int64_t)id));
        }
        static const struct qn_source_names bos = {{NULL}, {"!tokenizer.ggml.bos_token_id"}};
        QN_TRY(qn_source_integer(&id, &found, &name, s, &bos));
    } else {
        struct qn_json_value stop =
            qn_json_get(qn_source_json(s, "conv_template"), "stop_token_ids");
        QN_TRY(add_eos_json(c, s, "eos_token_id", qn_source_json(s, "eos_token_id")));
        QN_TRY(add_eos_json(c, s, "eos_token_id", qn_json_get(generation, "eos_token_id")));
        QN_TRY(add_eos_json(c, s, "stop_token_ids", stop));
        struct qn_json_value bos = qn_source_json(s, "bos_token_id");
        if (!qn_json_exists(bos))
            bos = qn_json_get(generation, "bos_token_id");
        int64_t value;
        found = qn_json_i64(&value, bos) && value >= 0;
        id = found ? (uint64_t)value : 0;
    }
    c->bos = found && id < c->vocab ? (uint32_t)id : QN_NONE;
    return QN_OK;
}

/* ---- Sampling -------------------------------------------------------------------------------- */

static enum qn_status sampling_f32(float *out, bool *has, const struct qn_source *s,
                                   struct qn_json_value object, const char *key, float min,
                                   float max) {
    struct qn_json_value value = qn_json_get(object, key);
    if (!qn_json_exists(value) || qn_json_type(value) == QN_JSON_NULL)
        return QN_OK;
    float number;
    if (!qn_json_f32(&number, value) || !(number >= min && number <= max))
        return qn_source_bad_json(s, key, value, "a number in its range");
    *out = number;
    *has = true;
    return QN_OK;
}

static enum qn_status read_sampling(struct qn_model_sampling *g, const struct qn_source *s,
                                    struct qn_json_value object) {
    QN_TRY(sampling_f32(&g->temperature, &g->has.temperature, s, object, "temperature", 0, 100));
    QN_TRY(sampling_f32(&g->top_p, &g->has.top_p, s, object, "top_p", 0, 1));
    QN_TRY(sampling_f32(&g->min_p, &g->has.min_p, s, object, "min_p", 0, 1));
    QN_TRY(sampling_f32(&g->repetition_penalty, &g->has.repetition_penalty, s, object,
                        "repetition_penalty", 1e-3f, 100));
    QN_TRY(sampling_f32(&g->frequency_penalty, &g->has.frequency_penalty, s, object,
                        "frequency_penalty", -100, 100));
    QN_TRY(sampling_f32(&g->presence_penalty, &g->has.presence_penalty, s, object,
                        "presence_penalty", -100, 100));
    struct qn_json_value top_k = qn_json_get(object, "top_k");
    if (qn_json_exists(top_k) && qn_json_type(top_k) != QN_JSON_NULL) {
        int64_t value;
        if (!qn_json_i64(&value, top_k) || value < -1 || value > INT32_MAX)
            return qn_source_bad_json(s, "top_k", top_k, "an integer of at least 0");
        g->top_k = value < 0 ? 0 : (uint32_t)value;
        g->has.top_k = true;
    }
    return QN_OK;
}

/* ---- Architecture, activation, head, biases -------------------------------------------------- */

static enum qn_status find_traits(const struct qn_traits **out, const struct qn_directory *d,
                                  struct qn_json_value root, struct qn_error *err) {
    struct qn_str name = {"", 0};
    if (d->format == QN_FORMAT_GGUF) {
        if (!qn_gguf_str(&name, d, "general.architecture"))
            return qn_fail(err, QN_E_CONFIG, "the field general.architecture is missing");
        *out = qn_traits_find_gguf(name);
    } else {
        struct qn_str type = qn_json_raw(qn_json_get(root, "model_type"));
        if (d->format == QN_FORMAT_MLC) {
            name = type;
            *out = qn_traits_find_mlc(type);
        } else {
            struct qn_json_iter it = qn_json_iterate(qn_json_get(root, "architectures"));
            if (!it.object && qn_json_each(&it))
                name = qn_json_raw(it.value);
            *out = qn_traits_find_hf(name, type);
            name = name.n ? name : type;
        }
        if (!name.n)
            return qn_fail(err, QN_E_CONFIG, "the field %s is missing",
                           d->format == QN_FORMAT_MLC ? "model_type" : "architectures");
    }
    if (*out)
        return QN_OK;
    return qn_fail(err, QN_E_ARCHITECTURE, "architecture \"%.*s\"", QN_STR_ARG(name));
}

static enum qn_status read_act(struct qn_model_config *c, const struct qn_source *s) {
    static const struct {
        const char *name;
        enum qn_act act;
    } acts[] = {
        {"silu", QN_ACT_SILU},          {"swish", QN_ACT_SILU},
        {"gelu", QN_ACT_GELU_ERF},      {"gelu_pytorch_tanh", QN_ACT_GELU_TANH},
        {"gelu_new", QN_ACT_GELU_TANH}, {"relu", QN_ACT_RELU},
    };
    c->act = s->traits->act;
    static const char *const keys[] = {"hidden_act", "hidden_activation", "activation_function",
                                       "activation"};
    const char *key = NULL;
    struct qn_json_value value = {NULL, 0};
    for (uint32_t i = s->traits->act_pinned ? 1 : 0; i < 4 && !qn_json_exists(value); i++) {
        key = keys[i];
        value = qn_source_json(s, key);
    }
    if (!qn_json_exists(value))
        return QN_OK;
    for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++)
        if (qn_json_string_is(value, acts[i].name)) {
            c->act = acts[i].act;
            return QN_OK;
        }
    return qn_source_bad_json(s, key, value, "silu, gelu, gelu_pytorch_tanh, gelu_new or relu");
}

/* Whether the tensor of this role and suffix is there, in layer 0 where it has one. */
static bool has_tensor(const struct qn_source *s, enum qn_role role, const char *suffix) {
    char buffer[QN_TENSOR_NAME_BYTES];
    struct qn_str name = qn_tensor_name(buffer, &s->names, role, 0, 0, suffix);
    return name.n && qn_directory_find(s->d, name);
}

static enum qn_status read_head_and_biases(struct qn_model_config *c, const struct qn_source *s) {
    bool there = has_tensor(s, QN_ROLE_HEAD, ".weight") || has_tensor(s, QN_ROLE_HEAD, ".q_weight");
    c->tied = !there;
    c->qkv_bias = s->traits->qkv_bias || s->traits->all_bias;
    c->o_bias = c->mlp_bias = s->traits->all_bias;
    if (s->d->format == QN_FORMAT_GGUF) { // no keys: what is in the file counts
        c->qkv_bias |= has_tensor(s, QN_ROLE_Q, ".bias") || has_tensor(s, QN_ROLE_QKV, ".bias");
        c->o_bias |= has_tensor(s, QN_ROLE_O, ".bias");
        c->mlp_bias |= has_tensor(s, QN_ROLE_UP, ".bias");
        return QN_OK;
    }
    QN_TRY(qn_source_bool(&c->tied, s, "tie_word_embeddings", c->tied));
    if (!s->traits->bias_from_config)
        return QN_OK;
    bool attention;
    QN_TRY(qn_source_bool(&attention, s, "use_qkv_bias", false)); // StableLM
    c->qkv_bias |= attention;
    QN_TRY(qn_source_bool(&attention, s, "attention_bias", false));
    QN_TRY(qn_source_bool(&c->mlp_bias, s, "mlp_bias", false));
    c->qkv_bias |= attention;
    c->o_bias |= attention;
    return QN_OK;
}

/* ---- Quantisation's name --------------------------------------------------------------------- */

/* general.file_type of GGUF (llama.cpp's numbering of quantisation mixes). */
static const char *gguf_file_type(uint32_t type) {
    static const char *const names[] = {
        [0] = "F32",     [1] = "F16",     [2] = "Q4_0",    [3] = "Q4_1",    [7] = "Q8_0",
        [8] = "Q5_0",    [9] = "Q5_1",    [10] = "Q2_K",   [11] = "Q3_K_S", [12] = "Q3_K_M",
        [13] = "Q3_K_L", [14] = "Q4_K_S", [15] = "Q4_K_M", [16] = "Q5_K_S", [17] = "Q5_K_M",
        [18] = "Q6_K",   [21] = "Q2_K_S", [25] = "IQ4_NL", [30] = "IQ4_XS", [32] = "BF16",
    };
    return type < sizeof names / sizeof names[0] && names[type] ? names[type] : "";
}

/* The quantization_config of a Hugging Face folder. */
static enum qn_status read_packing(struct qn_model_config *c, const struct qn_source *s,
                                   struct qn_json_value packed) {
    struct qn_str method = qn_json_raw(qn_json_get(packed, "quant_method"));
    struct qn_str version = qn_json_raw(qn_json_get(packed, "version"));
    struct qn_str layout = qn_json_raw(qn_json_get(packed, "checkpoint_format"));
    int64_t bits = 0, group = 0;
    bool flag = false;
    if (qn_str_is(method, "awq"))
        c->packing = QN_PACKING_AWQ;
    else if (qn_str_is(method, "gptq"))
        c->packing = qn_str_is(layout, "gptq_v2") ? QN_PACKING_GPTQ_V2 : QN_PACKING_GPTQ;
    else
        return qn_fail(s->err, QN_E_UNSUPPORTED, "weights quantised with \"%.*s\"",
                       QN_STR_ARG(method));
    if (!qn_json_i64(&bits, qn_json_get(packed, "bits")) || bits != 4)
        return qn_fail(s->err, QN_E_UNSUPPORTED, "%.*s weights of %lld bits, expected 4",
                       QN_STR_ARG(method), (long long)bits);
    bool whole = qn_json_i64(&group, qn_json_get(packed, "group_size")) && group == -1;
    if (!whole && (group <= 0 || group > 1 << 24 || group % QN_GROUP != 0))
        return qn_fail(s->err, QN_E_UNSUPPORTED,
                       "%.*s weights in groups of %lld, expected a multiple of 32 or -1",
                       QN_STR_ARG(method), (long long)group);
    if (c->packing == QN_PACKING_AWQ) {
        bool zeros = qn_json_bool(&flag, qn_json_get(packed, "zero_point")) && flag;
        if (!zeros)
            return qn_fail(s->err, QN_E_UNSUPPORTED, "awq weights without zero points");
        if (!qn_str_is(version, "gemm") && !qn_str_is(version, "GEMM"))
            return qn_fail(s->err, QN_E_UNSUPPORTED,
                           "awq weights of version \"%.*s\", expected \"gemm\"",
                           QN_STR_ARG(version));
    } else if (layout.n && !qn_str_is(layout, "gptq") && !qn_str_is(layout, "gptq_v2")) {
        return qn_fail(s->err, QN_E_UNSUPPORTED,
                       "gptq weights in format \"%.*s\", expected gptq or gptq_v2",
                       QN_STR_ARG(layout));
    }
    c->packing_group = whole ? 0 : (uint32_t)group;
    c->packing_ordered = c->packing != QN_PACKING_AWQ && !whole &&
                         qn_json_bool(&flag, qn_json_get(packed, "desc_act")) && flag;
    c->quantization = method;
    return QN_OK;
}

static enum qn_status read_quantization(struct qn_model_config *c, const struct qn_source *s) {
    uint32_t type;
    switch (s->d->format) {
    case QN_FORMAT_GGUF:
        c->quantization =
            qn_str_from(qn_gguf_u32(&type, s->d, "general.file_type") ? gguf_file_type(type) : "");
        return QN_OK;
    case QN_FORMAT_MLC:
        c->quantization = qn_json_raw(qn_source_json(s, "quantization"));
        if (qn_str_is(c->quantization, "q4f16_autoawq")) {
            c->packing = QN_PACKING_AWQ;
            c->packing_group = 128;
        }
        return c->quantization.n ? QN_OK : qn_source_missing(s, "quantization");
    case QN_FORMAT_SAFETENSORS:
        break;
    }
    struct qn_json_value packed = qn_source_json(s, "quantization_config");
    if (qn_json_exists(packed))
        return read_packing(c, s, packed);
    struct qn_json_value dtype = qn_source_json(s, "dtype"); // transformers 5
    c->quantization = qn_json_raw(qn_json_exists(dtype) ? dtype : qn_source_json(s, "torch_dtype"));
    return QN_OK;
}

/* Shapes that the builder cannot write down: a matrix of one row would be taken for a vector. */
static enum qn_status check_shape(const struct qn_model_config *c, const struct qn_source *s) {
    const struct qn_traits *traits = s->traits;
    if (traits->plain_mlp && c->intermediate < 2)
        return qn_fail(s->err, QN_E_CONFIG, "intermediate_size is %u, expected 2 or more",
                       c->intermediate);
    if (traits->no_rope && c->context < 2)
        return qn_fail(s->err, QN_E_CONFIG, "n_positions is %u, expected 2 or more", c->context);
    if (c->n_experts == 1)
        return qn_fail(s->err, QN_E_CONFIG, "num_experts is 1, expected 2 or more");
    if (traits->heads_apart && c->n_kv_heads != c->n_heads)
        return qn_fail(s->err, QN_E_UNSUPPORTED, "num_key_value_heads %u of %u in this family",
                       c->n_kv_heads, c->n_heads);
    return QN_OK;
}

enum qn_status qn_model_config_read(struct qn_model_config *out, struct qn_arena *arena,
                                    const struct qn_directory *d, struct qn_error *err) {
    *out = (struct qn_model_config){.bos = QN_NONE};
    struct qn_source s = {.d = d, .err = err};
    struct qn_json_value generation = {NULL, 0};
    if (d->format != QN_FORMAT_GGUF) {
        s.root = qn_json_root(&d->config);
        if (d->format == QN_FORMAT_MLC)
            s.inner = qn_json_get(s.root, "model_config");
        if (d->generation_config.n_nodes)
            generation = qn_json_root(&d->generation_config);
    }
    s.text = qn_json_get(s.inner, "text_config");
    QN_TRY(find_traits(&s.traits, d, s.root, err));
    out->traits = s.traits;
    qn_tensor_names_find(&s.names, s.traits, d);
    QN_TRY(read_numbers(out, &s));
    QN_TRY(qn_config_window(out, arena, &s));
    /* MLC writes a context of -1 for models whose window slides: then the window bounds
     * the cache. */
    QN_TRY(qn_source_u32(&out->context, &s, &key_context, 1u << 28, out->window));
    QN_TRY(qn_config_encoder(out, &s));
    QN_TRY(qn_config_rope(out, arena, &s));
    QN_TRY(qn_config_family(out, &s));
    QN_TRY(qn_config_experts(out, arena, &s));
    QN_TRY(check_shape(out, &s));
    QN_TRY(read_act(out, &s));
    QN_TRY(read_head_and_biases(out, &s));
    QN_TRY(read_ids(out, &s, generation));
    if (d->format == QN_FORMAT_MLC)
        QN_TRY(read_sampling(&out->sampling, &s, s.root));
    QN_TRY(read_sampling(&out->sampling, &s, generation));
    return read_quantization(out, &s);
}
