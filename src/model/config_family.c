/* What families have beside the numbers of the common decoder: windows, multipliers, experts. */
#include "base/num.h"
#include "model/config_source.h"

static const struct qn_source_names key_window = {{"sliding_window_size", "sliding_window"},
                                                  {"attention.sliding_window"}};
static const struct qn_source_names key_window_layers = {{"max_window_layers"}, {NULL}};
static const struct qn_source_names key_period = {
    {"sliding_window_pattern", "_sliding_window_pattern"}, {NULL}};

/* ---- Sliding window -------------------------------------------------------------------------- */

static enum qn_status read_layer_types(struct qn_model_config *c, struct qn_arena *arena,
                                       const struct qn_source *s, struct qn_json_value types) {
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
            return qn_source_bad_json(s, "layer_types", it.value,
                                      "full_attention or sliding_attention");
    }
    c->local = local;
    if (!any)
        c->window = 0;
    return QN_OK;
}

enum qn_status qn_config_window(struct qn_model_config *c, struct qn_arena *arena,
                                const struct qn_source *s) {
    enum qn_window_rule rule = s->traits->window;
    if (rule == QN_WINDOW_NEVER)
        return QN_OK;
    uint64_t window = 0;
    bool found, on = rule != QN_WINDOW_SWITCHED;
    const char *name;
    if (!on)
        QN_TRY(qn_source_bool(&on, s, "use_sliding_window", false));
    if (!on)
        return QN_OK;
    QN_TRY(qn_source_integer(&window, &found, &name, s, &key_window));
    if (!found || window == 0)
        return QN_OK;
    if (!qn_u64_to_u32(&c->window, window))
        return qn_fail(s->err, QN_E_CONFIG, "%s is %llu, expected at most %u", name,
                       (unsigned long long)window, UINT32_MAX);
    struct qn_json_value types = qn_source_json(s, "layer_types");
    if (qn_json_exists(types))
        return read_layer_types(c, arena, s, types);
    if (rule == QN_WINDOW_SWITCHED || rule == QN_WINDOW_PERIODIC) {
        uint64_t from = 0;
        uint32_t period = 0;
        if (rule == QN_WINDOW_SWITCHED)
            QN_TRY(qn_source_integer(&from, &found, &name, s, &key_window_layers));
        else
            QN_TRY(qn_source_u32(&period, s, &key_period, 1024, s->traits->window_period));
        bool *local = QN_ARENA_NEW(arena, bool, c->n_layers);
        if (!local)
            return qn_fail(s->err, QN_E_NO_MEMORY, "the types of %u layers", c->n_layers);
        for (uint32_t i = 0; i < c->n_layers; i++)
            local[i] = i >= from && (!period || (i + 1) % period);
        c->local = local;
    }
    return QN_OK;
}

/* ---- Multipliers and soft caps --------------------------------------------------------------- */

/* A soft cap: above 0, or 0 where it is missing. */
static enum qn_status read_softcap(float *out, const struct qn_source *s, const char *json,
                                   const char *gguf) {
    const struct qn_source_names names = {{json}, {gguf}};
    bool found;
    const char *name;
    *out = 0.0f;
    QN_TRY(qn_source_float(out, &found, &name, s, &names));
    if (found && !(*out > 0.0f && *out <= 1e6f))
        return qn_fail(s->err, QN_E_CONFIG, "%s is %g, expected a number above 0", name,
                       (double)*out);
    return QN_OK;
}

static enum qn_status read_multipliers(struct qn_model_config *c, const struct qn_source *s) {
    static const struct qn_source_names embedding = {{"embedding_multiplier"}, {"embedding_scale"}},
                                        attention = {{"attention_multiplier"}, {"attention.scale"}},
                                        residual = {{"residual_multiplier"}, {"residual_scale"}},
                                        logits = {{"logits_scaling"}, {"logit_scale"}};
    float divisor;
    QN_TRY(qn_source_f32(&c->embedding_scale, s, &embedding, 1e-6f, 1e6f, 1.0f));
    QN_TRY(qn_source_f32(&c->attention_scale, s, &attention, 1e-6f, 1e6f, 1.0f));
    QN_TRY(qn_source_f32(&c->residual_scale, s, &residual, 1e-6f, 1e6f, 1.0f));
    QN_TRY(qn_source_f32(&divisor, s, &logits, 1e-6f, 1e6f, 1.0f));
    c->logit_scale = 1.0f / divisor;
    return QN_OK;
}

/* Gemma: query_pre_attn_scalar^-1/2. GGUF files do not have it: it is the head's size, but hidden
 * size per head in the two models of 27 billion (46 and 62 layers). */
static enum qn_status read_scalar(struct qn_model_config *c, const struct qn_source *s) {
    static const struct qn_source_names names = {{"query_pre_attn_scalar"}, {NULL}};
    bool large = s->d->format == QN_FORMAT_GGUF && (c->n_layers == 46 || c->n_layers == 62);
    float scalar, usual = (float)(large ? c->hidden / c->n_heads : c->head_dim);
    QN_TRY(qn_source_f32(&scalar, s, &names, 1e-3f, 1e6f, usual));
    c->attention_scale = (float)(1.0 / __builtin_sqrt((double)scalar));
    return QN_OK;
}

static bool has_role(const struct qn_source *s, enum qn_role role) {
    char buffer[QN_TENSOR_NAME_BYTES];
    struct qn_str name = qn_tensor_name(buffer, &s->names, role, 0, 0, ".weight");
    return name.n && qn_directory_find(s->d, name);
}

enum qn_status qn_config_family(struct qn_model_config *c, const struct qn_source *s) {
    const struct qn_traits *traits = s->traits;
    c->embedding_scale = c->residual_scale = c->logit_scale = 1.0f;
    c->attention_scale = (float)(1.0 / __builtin_sqrt((double)c->head_dim));
    if (traits->scaled_embedding)
        c->embedding_scale = (float)__builtin_sqrt((double)c->hidden);
    if (traits->multipliers)
        QN_TRY(read_multipliers(c, s));
    if (traits->scored_by_scalar) {
        QN_TRY(read_scalar(c, s));
        QN_TRY(read_softcap(&c->attention_softcap, s, "attn_logit_softcapping",
                            "attn_logit_softcapping"));
        QN_TRY(read_softcap(&c->logit_softcap, s, "final_logit_softcapping",
                            "final_logit_softcapping"));
    }
    c->qk_norm = s->names.naming->names[QN_ROLE_Q_NORM] != NULL;
    if (traits->qk_norm_switched) {
        if (s->d->format == QN_FORMAT_GGUF)
            c->qk_norm = has_role(s, QN_ROLE_Q_NORM);
        else
            QN_TRY(qn_source_bool(&c->qk_norm, s, "qk_layernorm", false));
        if (c->qk_norm && !s->names.naming->names[QN_ROLE_Q_NORM])
            return qn_fail(s->err, QN_E_UNSUPPORTED, "qk_layernorm in this format");
    }
    if (!traits->parallel_option)
        return QN_OK;
    if (s->d->format != QN_FORMAT_GGUF)
        return qn_source_bool(&c->parallel, s, "use_parallel_residual", traits->parallel);
    c->parallel = traits->parallel;
    const struct qn_gguf_kv *kv = qn_source_gguf(s, "use_parallel_residual");
    if (kv && kv->type != QN_GGUF_BOOL)
        return qn_source_bad_gguf(s, kv, "true or false");
    if (kv)
        c->parallel = kv->value.u != 0;
    return QN_OK;
}

/* ---- Encoders -------------------------------------------------------------------------------- */

enum qn_status qn_config_encoder(struct qn_model_config *c, const struct qn_source *s) {
    static const struct qn_source_names key_pad = {{"pad_token_id"}, {NULL}},
                                        key_buckets = {{"relative_attention_num_buckets"}, {NULL}};
    uint64_t pad = 1;
    bool found, decoder;
    const char *name;
    if (!s->traits->encoder || s->d->format == QN_FORMAT_GGUF)
        return QN_OK;
    QN_TRY(qn_source_bool(&decoder, s, "is_decoder", false));
    struct qn_json_value positions = qn_source_json(s, "position_embedding_type");
    if (decoder || (qn_json_exists(positions) && !qn_json_string_is(positions, "absolute")))
        return qn_fail(s->err, QN_E_UNSUPPORTED, "%s in a model of this family",
                       decoder ? "is_decoder" : "position_embedding_type but \"absolute\"");
    QN_TRY(qn_source_u32(&c->n_buckets, s, &key_buckets, 1024, 32));
    if (c->n_buckets < 4)
        return qn_fail(s->err, QN_E_CONFIG,
                       "relative_attention_num_buckets is %u, expected 4 or more", c->n_buckets);
    if (!s->traits->pad_first)
        return QN_OK;
    QN_TRY(qn_source_integer(&pad, &found, &name, s, &key_pad));
    if (pad + 2 >= c->context)
        return qn_fail(s->err, QN_E_CONFIG, "pad_token_id is %llu, expected less than %u",
                       (unsigned long long)pad, c->context);
    c->first_position = (uint32_t)pad + 1;
    c->context -= c->first_position;
    return QN_OK;
}

/* ---- Experts --------------------------------------------------------------------------------- */

/* Which layers have a plain MLP: those of mlp_only_layers, and all but every
 * decoder_sparse_step-th. */
static enum qn_status read_dense(struct qn_model_config *c, struct qn_arena *arena,
                                 const struct qn_source *s) {
    static const struct qn_source_names key_step = {{"decoder_sparse_step"}, {NULL}};
    uint32_t step;
    bool *dense = QN_ARENA_NEW(arena, bool, c->n_layers);
    if (!dense)
        return qn_fail(s->err, QN_E_NO_MEMORY, "the types of %u layers", c->n_layers);
    QN_TRY(qn_source_u32(&step, s, &key_step, 1024, 1));
    for (uint32_t i = 0; i < c->n_layers; i++)
        dense[i] = (i + 1) % step != 0;
    struct qn_json_value list = qn_source_json(s, "mlp_only_layers");
    if (qn_json_exists(list) && qn_json_type(list) != QN_JSON_ARRAY)
        return qn_source_bad_json(s, "mlp_only_layers", list, "a list of layers");
    if (qn_json_exists(list))
        for (struct qn_json_iter it = qn_json_iterate(list); qn_json_each(&it);) {
            uint32_t layer;
            if (!qn_json_u32(&layer, it.value) || layer >= c->n_layers)
                return qn_source_bad_json(s, "mlp_only_layers", it.value, "a layer");
            dense[layer] = true;
        }
    c->dense = dense;
    return QN_OK;
}

enum qn_status qn_config_experts(struct qn_model_config *c, struct qn_arena *arena,
                                 const struct qn_source *s) {
    static const struct qn_source_names key_n = {{"num_experts"}, {"expert_count"}},
                                        key_used = {{"num_experts_per_tok"}, {"expert_used_count"}},
                                        key_width = {{"moe_intermediate_size"},
                                                     {"expert_feed_forward_length"}},
                                        key_shared = {{"shared_expert_intermediate_size"},
                                                      {"expert_shared_feed_forward_length"}};
    if (!s->names.naming->names[QN_ROLE_ROUTER])
        return QN_OK;
    QN_TRY(qn_source_u32(&c->n_experts, s, &key_n, 1024, 0));
    QN_TRY(qn_source_u32(&c->n_experts_used, s, &key_used, c->n_experts, 0));
    QN_TRY(qn_source_u32(&c->expert_width, s, &key_width, 1u << 20, 0));
    if (s->names.naming->names[QN_ROLE_SHARED_DOWN])
        QN_TRY(qn_source_u32(&c->shared_width, s, &key_shared, 1u << 20, 0));
    c->renormalise = s->traits->renormalise;
    if (s->d->format == QN_FORMAT_GGUF)
        return QN_OK;
    QN_TRY(qn_source_bool(&c->renormalise, s, "norm_topk_prob", s->traits->renormalise));
    return read_dense(c, arena, s);
}
