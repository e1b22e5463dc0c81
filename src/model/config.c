/* One reader for three kinds of documents: config.json (field names of transformers 4 and 5) with
 * generation_config.json, mlc-chat-config.json, and GGUF metadata. Which key holds which number is
 * a table; what has structure (rope scaling, layer types, ids) has a function each. */
#include "model/config.h"

#include "base/num.h"

/* ---- One way to look up a scalar --------------------------------------------------------------
 */

struct source {
    const struct qn_directory *d;
    const struct qn_traits *traits;
    struct qn_json_value root;  // JSON formats; missing for GGUF
    struct qn_json_value inner; // MLC: model_config, which goes before the root
    struct qn_error *err;
};

/* Member of the model's JSON; null counts as missing. */
static struct qn_json_value json_find(const struct source *s, const char *key) {
    struct qn_json_value value = qn_json_get(s->inner, key);
    if (!qn_json_exists(value) || qn_json_type(value) == QN_JSON_NULL)
        value = qn_json_get(s->root, key);
    if (qn_json_exists(value) && qn_json_type(value) == QN_JSON_NULL)
        value = (struct qn_json_value){NULL, 0};
    return value;
}

/* GGUF key "ARCH.suffix", or as it is when it begins with '!' (general keys). */
static const struct qn_gguf_kv *gguf_find(const struct source *s, const char *suffix) {
    char key[96];
    size_t n = 0;
    if (*suffix == '!') {
        suffix++;
    } else {
        for (const char *p = s->traits->gguf; *p && n < 40; p++)
            key[n++] = *p;
        key[n++] = '.';
    }
    while (*suffix && n + 1 < sizeof key)
        key[n++] = *suffix++;
    key[n] = 0;
    return qn_gguf_find(s->d, key);
}

static enum qn_status bad_json(const struct source *s, const char *key, struct qn_json_value value,
                               const char *wanted) {
    struct qn_str text = {"", 0};
    switch (qn_json_type(value)) {
    case QN_JSON_NULL:
        text = QN_STR("null");
        break;
    case QN_JSON_TRUE:
        text = QN_STR("true");
        break;
    case QN_JSON_FALSE:
        text = QN_STR("false");
        break;
    case QN_JSON_ARRAY:
        text = QN_STR("a list");
        break;
    case QN_JSON_OBJECT:
        text = QN_STR("an object");
        break;
    case QN_JSON_NUMBER:
    case QN_JSON_STRING: {
        const struct qn_json_node *node = &value.json->nodes[value.at];
        text = qn_str_slice(value.json->text, node->begin, (size_t)node->begin + node->count);
        break;
    }
    }
    return qn_fail(s->err, QN_E_CONFIG, "%s is %.*s, expected %s", key, QN_STR_ARG(text), wanted);
}

static enum qn_status bad_gguf(const struct source *s, const struct qn_gguf_kv *kv,
                               const char *wanted) {
    return qn_fail(s->err, QN_E_CONFIG, "%.*s is of type %u, expected %s", QN_STR_ARG(kv->key),
                   (uint32_t)kv->type, wanted);
}

static bool gguf_integer(uint64_t *out, const struct qn_gguf_kv *kv) {
    switch (kv->type) {
    case QN_GGUF_U8:
    case QN_GGUF_U16:
    case QN_GGUF_U32:
    case QN_GGUF_U64:
        *out = kv->value.u;
        return true;
    case QN_GGUF_I8:
    case QN_GGUF_I16:
    case QN_GGUF_I32:
    case QN_GGUF_I64:
        *out = (uint64_t)kv->value.i;
        return kv->value.i >= 0;
    default:
        return false;
    }
}

/* A key that may stand under several names; NULL ends the list. */
struct names {
    const char *json[3];
    const char *gguf[2];
};

/* *found tells whether the key is there; a value of another type is an error. `name` gets the key
 * under which it was looked for first, for messages. */
static enum qn_status get_integer(uint64_t *out, bool *found, const char **name,
                                  const struct source *s, const struct names *names) {
    *found = false;
    if (s->d->format == QN_FORMAT_GGUF) {
        *name = names->gguf[0] ? names->gguf[0] : names->json[0];
        for (uint32_t i = 0; i < 2 && names->gguf[i]; i++) {
            const struct qn_gguf_kv *kv = gguf_find(s, names->gguf[i]);
            if (!kv)
                continue;
            *name = names->gguf[i];
            *found = true;
            return gguf_integer(out, kv) ? QN_OK : bad_gguf(s, kv, "an integer of at least 0");
        }
        return QN_OK;
    }
    *name = names->json[0];
    for (uint32_t i = 0; i < 3 && names->json[i]; i++) {
        struct qn_json_value value = json_find(s, names->json[i]);
        if (!qn_json_exists(value))
            continue;
        *name = names->json[i];
        int64_t integer;
        if (!qn_json_i64(&integer, value))
            return bad_json(s, *name, value, "an integer");
        if (integer == -1) // MLC: not set
            continue;
        if (integer < 0)
            return bad_json(s, *name, value, "an integer of at least 0");
        *out = (uint64_t)integer;
        *found = true;
        return QN_OK;
    }
    return QN_OK;
}

static bool finite(float value) {
    return value - value == 0.0f;
}

static enum qn_status get_float(float *out, bool *found, const char **name, const struct source *s,
                                const struct names *names) {
    *found = false;
    if (s->d->format == QN_FORMAT_GGUF) {
        *name = names->gguf[0] ? names->gguf[0] : names->json[0];
        for (uint32_t i = 0; i < 2 && names->gguf[i]; i++) {
            const struct qn_gguf_kv *kv = gguf_find(s, names->gguf[i]);
            uint64_t integer;
            if (!kv)
                continue;
            *name = names->gguf[i];
            *found = true;
            if (gguf_integer(&integer, kv))
                *out = (float)integer;
            else if (kv->type == QN_GGUF_F32 || kv->type == QN_GGUF_F64)
                *out = (float)kv->value.f;
            else
                return bad_gguf(s, kv, "a number");
            if (!finite(*out))
                return bad_gguf(s, kv, "a finite number");
            return QN_OK;
        }
        return QN_OK;
    }
    *name = names->json[0];
    for (uint32_t i = 0; i < 3 && names->json[i]; i++) {
        struct qn_json_value value = json_find(s, names->json[i]);
        if (!qn_json_exists(value))
            continue;
        *name = names->json[i];
        *found = true;
        if (!qn_json_f32(out, value) || !finite(*out))
            return bad_json(s, *name, value, "a finite number");
        return QN_OK;
    }
    return QN_OK;
}

static enum qn_status missing(const struct source *s, const char *name) {
    bool own = s->d->format == QN_FORMAT_GGUF && *name != '!';
    return qn_fail(s->err, QN_E_CONFIG, "the field %s%s%s is missing", own ? s->traits->gguf : "",
                   own ? "." : "", *name == '!' ? name + 1 : name);
}

/* An integer in [1, max]; `fallback` where it is missing, required where that is 0. */
static enum qn_status read_u32(uint32_t *out, const struct source *s, const struct names *names,
                               uint32_t max, uint32_t fallback) {
    uint64_t value = 0;
    bool found;
    const char *name;
    QN_TRY(get_integer(&value, &found, &name, s, names));
    if (!found) {
        *out = fallback;
        return fallback ? QN_OK : missing(s, name);
    }
    if (value < 1 || value > max)
        return qn_fail(s->err, QN_E_CONFIG, "%s is %llu, expected 1 to %u", name,
                       (unsigned long long)value, max);
    *out = (uint32_t)value;
    return QN_OK;
}

static enum qn_status read_f32(float *out, const struct source *s, const struct names *names,
                               float min, float max, float fallback) {
    bool found;
    const char *name;
    QN_TRY(get_float(out, &found, &name, s, names));
    if (!found) {
        *out = fallback;
        return fallback != 0.0f ? QN_OK : missing(s, name);
    }
    if (!(*out >= min && *out <= max))
        return qn_fail(s->err, QN_E_CONFIG, "%s is %g, expected %g to %g", name, (double)*out,
                       (double)min, (double)max);
    return QN_OK;
}

static enum qn_status read_bool(bool *out, const struct source *s, const char *key, bool fallback) {
    struct qn_json_value value = json_find(s, key);
    *out = fallback;
    if (qn_json_exists(value) && !qn_json_bool(out, value))
        return bad_json(s, key, value, "true or false");
    return QN_OK;
}

/* ---- Numbers -----------------------------------------------------------------------------------
 */

#define MAX_WIDTH (1u << 20)
#define MAX_HEADS 1024u

static const struct names key_hidden = {{"hidden_size", "n_embd"}, {"embedding_length"}};
static const struct names key_layers = {{"num_hidden_layers", "n_layer"}, {"block_count"}};
static const struct names key_heads = {{"num_attention_heads", "n_head"}, {"attention.head_count"}};
static const struct names key_kv_heads = {{"num_key_value_heads"}, {"attention.head_count_kv"}};
static const struct names key_head_dim = {{"head_dim"}, {"attention.key_length"}};
static const struct names key_value_dim = {{NULL}, {"attention.value_length"}};
static const struct names key_intermediate = {{"intermediate_size"}, {"feed_forward_length"}};
static const struct names key_vocab = {{"vocab_size"}, {NULL}};
static const struct names key_context = {{"context_window_size", "max_position_embeddings"},
                                         {"context_length"}};
static const struct names key_eps = {{"rms_norm_eps"}, {"attention.layer_norm_rms_epsilon"}};
static const struct names key_window = {{"sliding_window_size", "sliding_window"},
                                        {"attention.sliding_window"}};
static const struct names key_window_layers = {{"max_window_layers"}, {NULL}};
static const struct names key_rot = {{NULL}, {"rope.dimension_count"}};
static const struct names key_theta = {{"rope_theta", "position_embedding_base"},
                                       {"rope.freq_base"}};

/* GGUF states the vocabulary by the embedding's shape (the key ARCH.vocab_size is optional). */
static enum qn_status read_vocab(struct qn_model_config *c, const struct source *s) {
    if (s->d->format != QN_FORMAT_GGUF)
        return read_u32(&c->vocab, s, &key_vocab, 1u << 24, 0);
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

static enum qn_status read_numbers(struct qn_model_config *c, const struct source *s) {
    QN_TRY(read_u32(&c->hidden, s, &key_hidden, MAX_WIDTH, 0));
    QN_TRY(read_u32(&c->n_layers, s, &key_layers, 1024, 0));
    QN_TRY(read_u32(&c->n_heads, s, &key_heads, MAX_HEADS, 0));
    QN_TRY(read_u32(&c->n_kv_heads, s, &key_kv_heads, MAX_HEADS, c->n_heads));
    if (c->n_heads % c->n_kv_heads)
        return qn_fail(s->err, QN_E_CONFIG,
                       "num_attention_heads is %u, expected a multiple of num_key_value_heads %u",
                       c->n_heads, c->n_kv_heads);
    QN_TRY(read_u32(&c->head_dim, s, &key_head_dim, 1024, c->hidden / c->n_heads));
    if (c->head_dim % 2)
        return qn_fail(s->err, QN_E_CONFIG, "head_dim is %u, expected an even number", c->head_dim);
    uint32_t value_dim;
    QN_TRY(read_u32(&value_dim, s, &key_value_dim, 1024, c->head_dim));
    if (value_dim != c->head_dim)
        return qn_fail(s->err, QN_E_UNSUPPORTED,
                       "attention.value_length %u differs from key_length %u", value_dim,
                       c->head_dim);
    QN_TRY(read_u32(&c->intermediate, s, &key_intermediate, MAX_WIDTH, 0));
    QN_TRY(read_vocab(c, s));
    if (c->hidden < 2 || c->vocab < 2) // a matrix of one row would be taken for a vector
        return qn_fail(s->err, QN_E_CONFIG,
                       "hidden_size is %u and vocab_size %u, expected 2 or more", c->hidden,
                       c->vocab);
    QN_TRY(read_f32(&c->norm_eps, s, &key_eps, 1e-12f, 0.1f, 0));
    return QN_OK;
}

/* ---- Sliding window ----------------------------------------------------------------------------
 */

static enum qn_status read_layer_types(struct qn_model_config *c, struct qn_arena *arena,
                                       const struct source *s, struct qn_json_value types) {
    if (qn_json_type(types) != QN_JSON_ARRAY || qn_json_count(types) != c->n_layers)
        return qn_fail(s->err, QN_E_CONFIG, "layer_types has %u entries, expected %u",
                       qn_json_count(types), c->n_layers);
    bool *local = QN_ARENA_NEW(arena, bool, c->n_layers), any = false;
    if (!local)
        return qn_fail(s->err, QN_E_NO_MEMORY, "the types of %u layers", c->n_layers);
    uint32_t i = 0;
    for (struct qn_json_iter it = qn_json_iterate(types); qn_json_each(&it); i++) {
        local[i] = qn_json_string_is(it.value, "sliding_attention");
        any |= local[i];
        if (!local[i] && !qn_json_string_is(it.value, "full_attention"))
            return bad_json(s, "layer_types", it.value, "full_attention or sliding_attention");
    }
    c->local = local;
    if (!any)
        c->window = 0;
    return QN_OK;
}

static enum qn_status read_window(struct qn_model_config *c, struct qn_arena *arena,
                                  const struct source *s) {
    enum qn_window_rule rule = s->traits->window;
    if (rule == QN_WINDOW_NEVER)
        return QN_OK;
    uint64_t window = 0;
    bool found, on = rule == QN_WINDOW_ALWAYS;
    const char *name;
    if (!on)
        QN_TRY(read_bool(&on, s, "use_sliding_window", false));
    if (!on)
        return QN_OK;
    QN_TRY(get_integer(&window, &found, &name, s, &key_window));
    if (!found || window == 0)
        return QN_OK;
    if (!qn_u64_to_u32(&c->window, window))
        return qn_fail(s->err, QN_E_CONFIG, "%s is %llu, expected at most %u", name,
                       (unsigned long long)window, UINT32_MAX);
    struct qn_json_value types = json_find(s, "layer_types");
    if (qn_json_exists(types))
        return read_layer_types(c, arena, s, types);
    if (rule == QN_WINDOW_SWITCHED) {
        uint64_t from = 0;
        QN_TRY(get_integer(&from, &found, &name, s, &key_window_layers));
        bool *local = QN_ARENA_NEW(arena, bool, c->n_layers);
        if (!local)
            return qn_fail(s->err, QN_E_NO_MEMORY, "the types of %u layers", c->n_layers);
        for (uint32_t i = 0; i < c->n_layers; i++)
            local[i] = i >= from;
        c->local = local;
    }
    return QN_OK;
}

/* ---- Rotary positions --------------------------------------------------------------------------
 */

static enum qn_status scaling_f32(float *out, const struct source *s, struct qn_json_value scaling,
                                  const char *key, float min) {
    struct qn_json_value value = qn_json_get(scaling, key);
    if (!qn_json_exists(value))
        return qn_fail(s->err, QN_E_CONFIG, "the field %s of rope scaling is missing", key);
    if (!qn_json_f32(out, value) || !finite(*out) || !(*out >= min && *out <= 1e6f))
        return bad_json(s, key, value, "a number in the range of rope scaling");
    return QN_OK;
}

/* `scaling`: rope_scaling of transformers 4 and MLC, rope_parameters of transformers 5. */
static enum qn_status read_scaling(struct qn_model_config *c, const struct source *s,
                                   struct qn_json_value scaling) {
    struct qn_json_value type = qn_json_get(scaling, "rope_type");
    if (!qn_json_exists(type))
        type = qn_json_get(scaling, "type"); // before transformers 4.43
    if (!qn_json_exists(type) || qn_json_string_is(type, "default"))
        return QN_OK;
    if (qn_json_string_is(type, "linear")) {
        c->rope_scaling = QN_ROPE_LINEAR;
        return scaling_f32(&c->rope_factor, s, scaling, "factor", 1e-3f);
    }
    if (!qn_json_string_is(type, "llama3")) {
        struct qn_str name = qn_json_raw(type);
        return qn_fail(s->err, QN_E_UNSUPPORTED, "the rope type \"%.*s\"", QN_STR_ARG(name));
    }
    c->rope_scaling = QN_ROPE_LLAMA3;
    QN_TRY(scaling_f32(&c->rope_factor, s, scaling, "factor", 1e-3f));
    QN_TRY(scaling_f32(&c->rope_low_freq, s, scaling, "low_freq_factor", 1e-3f));
    QN_TRY(scaling_f32(&c->rope_high_freq, s, scaling, "high_freq_factor", 1e-3f));
    if (c->rope_high_freq <= c->rope_low_freq)
        return qn_fail(s->err, QN_E_CONFIG, "high_freq_factor is %g, expected more than %g",
                       (double)c->rope_high_freq, (double)c->rope_low_freq);
    struct qn_json_value original = qn_json_get(scaling, "original_max_position_embeddings");
    if (!qn_json_u32(&c->rope_original_context, original) || !c->rope_original_context)
        return bad_json(s, "original_max_position_embeddings", original, "a positive integer");
    return QN_OK;
}

static enum qn_status read_rope_json(struct qn_model_config *c, const struct source *s) {
    QN_TRY(read_f32(&c->rope_theta, s, &key_theta, 1.0f, 1e12f, s->traits->rope_theta));
    c->n_rot = c->head_dim;
    struct qn_json_value parameters = json_find(s, "rope_parameters");
    struct qn_json_value scaling =
        qn_json_exists(parameters) ? parameters : json_find(s, "rope_scaling");
    if (qn_json_exists(scaling) && qn_json_type(scaling) != QN_JSON_OBJECT)
        return bad_json(s, "rope_scaling", scaling, "an object");
    if (qn_json_exists(qn_json_get(parameters, "full_attention")))
        return qn_fail(s->err, QN_E_UNSUPPORTED, "rope_parameters per layer type");
    struct qn_json_value theta = qn_json_get(parameters, "rope_theta");
    if (qn_json_exists(theta) &&
        (!qn_json_f32(&c->rope_theta, theta) || !(c->rope_theta >= 1.0f && c->rope_theta <= 1e12f)))
        return bad_json(s, "rope_theta", theta, "1 to 1e12");

    struct qn_json_value partial = json_find(s, "partial_rotary_factor");
    if (!qn_json_exists(partial))
        partial = qn_json_get(parameters, "partial_rotary_factor");
    float factor = 1.0f;
    if (qn_json_exists(partial) && (!qn_json_f32(&factor, partial) || !(factor > 0 && factor <= 1)))
        return bad_json(s, "partial_rotary_factor", partial, "a number above 0, at most 1");
    if (factor != 1.0f) {
        c->n_rot = (uint32_t)((float)c->head_dim * factor);
        if (!s->traits->partial_rotary || c->n_rot < 2 || c->n_rot % 2)
            return bad_json(s, "partial_rotary_factor", partial, "what this architecture allows");
    }
    return read_scaling(c, s, scaling);
}

static enum qn_status read_rope_gguf(struct qn_model_config *c, const struct source *s) {
    QN_TRY(read_f32(&c->rope_theta, s, &key_theta, 1.0f, 1e12f, s->traits->rope_theta));
    QN_TRY(read_u32(&c->n_rot, s, &key_rot, c->head_dim, c->head_dim));
    if (c->n_rot % 2)
        return qn_fail(s->err, QN_E_CONFIG, "rope.dimension_count is %u, expected an even number",
                       c->n_rot);
    static const struct names factor = {{NULL}, {"rope.scaling.factor", "rope.scale_linear"}};
    const struct qn_gguf_kv *type = gguf_find(s, "rope.scaling.type");
    float value;
    QN_TRY(read_f32(&value, s, &factor, 1e-3f, 1e6f, 1.0f));
    if (type && type->type != QN_GGUF_STRING)
        return bad_gguf(s, type, "a string");
    bool linear = type ? qn_str_is(type->value.s, "linear") : value != 1.0f;
    if (type && !linear && !qn_str_is(type->value.s, "none"))
        return qn_fail(s->err, QN_E_UNSUPPORTED, "the rope type \"%.*s\"",
                       QN_STR_ARG(type->value.s));
    if (linear) {
        c->rope_scaling = QN_ROPE_LINEAR;
        c->rope_factor = value;
    }
    return QN_OK; // llama3's scaling stands in rope_freqs.weight
}

/* ---- Token ids ----------------------------------------------------------------------------------
 */

/* Ids beyond the vocabulary, and MLC's -1, can never be produced: they are left out. */
static enum qn_status add_eos(struct qn_model_config *c, const struct source *s, const char *key,
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
static enum qn_status add_eos_json(struct qn_model_config *c, const struct source *s,
                                   const char *key, struct qn_json_value value) {
    int64_t id;
    if (!qn_json_exists(value) || qn_json_type(value) == QN_JSON_NULL)
        return QN_OK;
    if (qn_json_i64(&id, value))
        return add_eos(c, s, key, id);
    if (qn_json_type(value) != QN_JSON_ARRAY)
        return bad_json(s, key, value, "an id or a list of ids");
    for (struct qn_json_iter it = qn_json_iterate(value); qn_json_each(&it);) {
        if (!qn_json_i64(&id, it.value))
            return bad_json(s, key, it.value, "an id");
        QN_TRY(add_eos(c, s, key, id));
    }
    return QN_OK;
}

static enum qn_status read_ids(struct qn_model_config *c, const struct source *s,
                               struct qn_json_value generation) {
    uint64_t id = 0;
    bool found = false;
    if (s->d->format == QN_FORMAT_GGUF) {
        static const char *const keys[] = {"!tokenizer.ggml.eos_token_id",
                                           "!tokenizer.ggml.eot_token_id",
                                           "!tokenizer.ggml.eom_token_id"};
        const char *name;
        for (uint32_t i = 0; i < 3; i++) {
            const struct names names = {{NULL}, {keys[i]}};
            QN_TRY(get_integer(&id, &found, &name, s, &names));
            if (found && id < c->vocab)
                QN_TRY(add_eos(c, s, keys[i] + 1, (int64_t)id));
        }
        static const struct names bos = {{NULL}, {"!tokenizer.ggml.bos_token_id"}};
        QN_TRY(get_integer(&id, &found, &name, s, &bos));
    } else {
        struct qn_json_value stop = qn_json_get(json_find(s, "conv_template"), "stop_token_ids");
        QN_TRY(add_eos_json(c, s, "eos_token_id", json_find(s, "eos_token_id")));
        QN_TRY(add_eos_json(c, s, "eos_token_id", qn_json_get(generation, "eos_token_id")));
        QN_TRY(add_eos_json(c, s, "stop_token_ids", stop));
        struct qn_json_value bos = json_find(s, "bos_token_id");
        if (!qn_json_exists(bos))
            bos = qn_json_get(generation, "bos_token_id");
        int64_t value;
        found = qn_json_i64(&value, bos) && value >= 0;
        id = found ? (uint64_t)value : 0;
    }
    c->bos = found && id < c->vocab ? (uint32_t)id : QN_NONE;
    return QN_OK;
}

/* ---- Sampling -----------------------------------------------------------------------------------
 */

static enum qn_status sampling_f32(float *out, bool *has, const struct source *s,
                                   struct qn_json_value object, const char *key, float min,
                                   float max) {
    struct qn_json_value value = qn_json_get(object, key);
    if (!qn_json_exists(value) || qn_json_type(value) == QN_JSON_NULL)
        return QN_OK;
    float number;
    if (!qn_json_f32(&number, value) || !(number >= min && number <= max))
        return bad_json(s, key, value, "a number in its range");
    *out = number;
    *has = true;
    return QN_OK;
}

static enum qn_status read_sampling(struct qn_model_sampling *g, const struct source *s,
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
            return bad_json(s, "top_k", top_k, "an integer of at least 0");
        g->top_k = value < 0 ? 0 : (uint32_t)value;
        g->has.top_k = true;
    }
    return QN_OK;
}

/* ---- Architecture, activation, head, biases
 * ------------------------------------------------------ */

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

static enum qn_status read_act(struct qn_model_config *c, const struct source *s) {
    static const struct {
        const char *name;
        enum qn_act act;
    } acts[] = {
        {"silu", QN_ACT_SILU},          {"swish", QN_ACT_SILU},
        {"gelu", QN_ACT_GELU_ERF},      {"gelu_pytorch_tanh", QN_ACT_GELU_TANH},
        {"gelu_new", QN_ACT_GELU_TANH}, {"relu", QN_ACT_RELU},
    };
    c->act = s->traits->act;
    struct qn_json_value value = json_find(s, "hidden_act");
    const char *key = "hidden_act";
    if (!qn_json_exists(value)) {
        key = "hidden_activation";
        value = json_find(s, key);
    }
    if (!qn_json_exists(value))
        return QN_OK;
    for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++)
        if (qn_json_string_is(value, acts[i].name)) {
            c->act = acts[i].act;
            return QN_OK;
        }
    return bad_json(s, key, value, "silu, gelu, gelu_pytorch_tanh, gelu_new or relu");
}

/* Whether the tensor of this role and suffix is there, in layer 0 where it has one. */
static bool has_tensor(const struct source *s, enum qn_role role, const char *suffix) {
    const char *pattern = qn_traits_naming(s->traits, s->d->format)->names[role];
    char name[96];
    size_t n = 0;
    for (const char *p = pattern ? pattern : ""; *p && n < sizeof name; p++)
        name[n++] = *p == '#' ? '0' : *p;
    for (const char *p = suffix; *p && n < sizeof name; p++)
        name[n++] = *p;
    return pattern && qn_directory_find(s->d, (struct qn_str){name, n});
}

static enum qn_status read_head_and_biases(struct qn_model_config *c, const struct source *s) {
    bool there = has_tensor(s, QN_ROLE_HEAD, ".weight") || has_tensor(s, QN_ROLE_HEAD, ".q_weight");
    c->tied = !there;
    c->qkv_bias = s->traits->qkv_bias;
    if (s->d->format == QN_FORMAT_GGUF) { // no keys: what is in the file counts
        c->qkv_bias |= has_tensor(s, QN_ROLE_Q, ".bias");
        c->o_bias = has_tensor(s, QN_ROLE_O, ".bias");
        c->mlp_bias = has_tensor(s, QN_ROLE_UP, ".bias");
        return QN_OK;
    }
    QN_TRY(read_bool(&c->tied, s, "tie_word_embeddings", c->tied));
    if (!s->traits->bias_from_config)
        return QN_OK;
    bool attention;
    QN_TRY(read_bool(&attention, s, "attention_bias", false));
    QN_TRY(read_bool(&c->mlp_bias, s, "mlp_bias", false));
    c->qkv_bias |= attention;
    c->o_bias |= attention;
    return QN_OK;
}

/* ---- Quantisation's name
 * ------------------------------------------------------------------------- */

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

static enum qn_status read_quantization(struct qn_model_config *c, const struct source *s) {
    uint32_t type;
    switch (s->d->format) {
    case QN_FORMAT_GGUF:
        c->quantization =
            qn_str_from(qn_gguf_u32(&type, s->d, "general.file_type") ? gguf_file_type(type) : "");
        return QN_OK;
    case QN_FORMAT_MLC:
        c->quantization = qn_json_raw(json_find(s, "quantization"));
        return c->quantization.n ? QN_OK : missing(s, "quantization");
    case QN_FORMAT_SAFETENSORS:
        break;
    }
    struct qn_json_value method = json_find(s, "quantization_config");
    if (qn_json_exists(method)) {
        struct qn_str name = qn_json_raw(qn_json_get(method, "quant_method"));
        return qn_fail(s->err, QN_E_UNSUPPORTED, "weights quantised with \"%.*s\"",
                       QN_STR_ARG(name));
    }
    struct qn_json_value dtype = json_find(s, "dtype"); // transformers 5
    c->quantization = qn_json_raw(qn_json_exists(dtype) ? dtype : json_find(s, "torch_dtype"));
    return QN_OK;
}

enum qn_status qn_model_config_read(struct qn_model_config *out, struct qn_arena *arena,
                                    const struct qn_directory *d, struct qn_error *err) {
    *out = (struct qn_model_config){.bos = QN_NONE};
    struct source s = {.d = d, .err = err};
    struct qn_json_value generation = {NULL, 0};
    if (d->format != QN_FORMAT_GGUF) {
        s.root = qn_json_root(&d->config);
        if (d->format == QN_FORMAT_MLC)
            s.inner = qn_json_get(s.root, "model_config");
        if (d->generation_config.n_nodes)
            generation = qn_json_root(&d->generation_config);
    }
    QN_TRY(find_traits(&s.traits, d, s.root, err));
    out->traits = s.traits;
    QN_TRY(read_numbers(out, &s));
    QN_TRY(read_window(out, arena, &s));
    /* MLC writes a context of -1 for models whose window slides: then the window bounds the cache.
     */
    QN_TRY(read_u32(&out->context, &s, &key_context, 1u << 28, out->window));
    if (d->format == QN_FORMAT_GGUF)
        QN_TRY(read_rope_gguf(out, &s));
    else
        QN_TRY(read_rope_json(out, &s));
    QN_TRY(read_act(out, &s));
    QN_TRY(read_head_and_biases(out, &s));
    QN_TRY(read_ids(out, &s, generation));
    if (d->format == QN_FORMAT_MLC)
        QN_TRY(read_sampling(&out->sampling, &s, s.root));
    QN_TRY(read_sampling(&out->sampling, &s, generation));
    return read_quantization(out, &s);
}
