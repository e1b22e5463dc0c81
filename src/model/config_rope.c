/* Rotary positions: how many dimensions turn, how fast, and the scalings for long contexts. */
#include <math.h>

#include "base/maths.h"
#include "model/config_source.h"

static const struct qn_source_names key_rot = {{NULL}, {"rope.dimension_count"}};
static const struct qn_source_names key_theta = {
    {"rope_theta", "position_embedding_base", "rotary_emb_base"}, {"rope.freq_base"}};
static const struct qn_source_names key_local_theta = {{"rope_local_base_freq"}, {NULL}};

static enum qn_status scaling_f32(float *out, const struct qn_source *s,
                                  struct qn_json_value scaling, const char *key, float min) {
    struct qn_json_value value = qn_json_get(scaling, key);
    if (!qn_json_exists(value))
        return qn_fail(s->err, QN_E_CONFIG, "the field %s of rope scaling is missing", key);
    if (!qn_json_f32(out, value) || !qn_finite(*out) || !(*out >= min && *out <= 1e6f))
        return qn_source_bad_json(s, key, value, "a number in the range of rope scaling");
    return QN_OK;
}

/* One of the two lists of longrope: n_rot / 2 divisors. */
static enum qn_status read_factors(const float **out, const struct qn_model_config *c,
                                   struct qn_arena *arena, const struct qn_source *s,
                                   struct qn_json_value scaling, const char *key) {
    struct qn_json_value list = qn_json_get(scaling, key);
    if (!qn_json_exists(list) || qn_json_type(list) != QN_JSON_ARRAY)
        return qn_fail(s->err, QN_E_CONFIG, "the list %s of rope scaling is missing", key);
    if (qn_json_count(list) != c->n_rot / 2)
        return qn_fail(s->err, QN_E_CONFIG, "%s has %u entries, expected %u", key,
                       qn_json_count(list), c->n_rot / 2);
    float *factors = QN_ARENA_NEW(arena, float, c->n_rot / 2);
    if (!factors)
        return qn_fail(s->err, QN_E_NO_MEMORY, "%u rope factors", c->n_rot / 2);
    uint32_t i = 0;
    for (struct qn_json_iter it = qn_json_iterate(list); qn_json_each(&it); i++)
        if (!qn_json_f32(&factors[i], it.value) || !(factors[i] > 0.0f && factors[i] <= 1e6f))
            return qn_source_bad_json(s, key, it.value, "a number above 0");
    *out = factors;
    return QN_OK;
}

/* sqrt(1 + ln(stretch) / ln(original)), stretch = most positions / original ones. */
static float magnitude(float stretch, uint32_t original) {
    if (stretch <= 1.0f || original < 2)
        return 1.0f;
    return (float)sqrt(1.0 + qn_log((double)stretch) / qn_log((double)original));
}

/* Phi-3's two sets of divisors (Ding et al. 2024, "LongRoPE"; which one applies, and the magnitude:
 * transformers, modeling_rope_utils, type "longrope"). */
static enum qn_status read_longrope(struct qn_model_config *c, struct qn_arena *arena,
                                    const struct qn_source *s, struct qn_json_value scaling) {
    static const struct qn_source_names key_most = {{"max_position_embeddings"}, {NULL}};
    uint32_t most;
    struct qn_json_value original = qn_source_json(s, "original_max_position_embeddings");
    if (!qn_json_exists(original))
        original = qn_json_get(scaling, "original_max_position_embeddings");
    if (!qn_json_u32(&c->rope_original_context, original) || !c->rope_original_context)
        return qn_fail(s->err, QN_E_CONFIG,
                       "original_max_position_embeddings is missing or no positive integer");
    QN_TRY(read_factors(&c->rope_short, c, arena, s, scaling, "short_factor"));
    QN_TRY(read_factors(&c->rope_long, c, arena, s, scaling, "long_factor"));
    QN_TRY(qn_source_u32(&most, s, &key_most, 1u << 28, c->context));
    float stretch = (float)most / (float)c->rope_original_context;
    c->rope_magnitude = magnitude(stretch, c->rope_original_context);
    if (qn_json_exists(qn_json_get(scaling, "attention_factor")) &&
        qn_json_type(qn_json_get(scaling, "attention_factor")) != QN_JSON_NULL)
        QN_TRY(scaling_f32(&c->rope_magnitude, s, scaling, "attention_factor", 1e-3f));
    c->rope_scaling = QN_ROPE_LONGROPE;
    return QN_OK;
}

/* `scaling`: rope_scaling of transformers 4 and MLC, rope_parameters of transformers 5. */
static enum qn_status read_scaling(struct qn_model_config *c, struct qn_arena *arena,
                                   const struct qn_source *s, struct qn_json_value scaling) {
    struct qn_json_value type = qn_json_get(scaling, "rope_type");
    if (!qn_json_exists(type))
        type = qn_json_get(scaling, "type"); // before transformers 4.43
    if (!qn_json_exists(type) || qn_json_string_is(type, "default"))
        return QN_OK;
    if (qn_json_string_is(type, "linear")) {
        c->rope_scaling = QN_ROPE_LINEAR;
        return scaling_f32(&c->rope_factor, s, scaling, "factor", 1e-3f);
    }
    if (qn_json_string_is(type, "longrope") || qn_json_string_is(type, "su"))
        return read_longrope(c, arena, s, scaling);
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
        return qn_source_bad_json(s, "original_max_position_embeddings", original,
                                  "a positive integer");
    return QN_OK;
}

static enum qn_status read_theta(float *out, const struct qn_source *s,
                                 struct qn_json_value parameters) {
    struct qn_json_value theta = qn_json_get(parameters, "rope_theta");
    if (qn_json_exists(theta) && (!qn_json_f32(out, theta) || !(*out >= 1.0f && *out <= 1e12f)))
        return qn_source_bad_json(s, "rope_theta", theta, "1 to 1e12");
    return QN_OK;
}

static enum qn_status read_rope_json(struct qn_model_config *c, struct qn_arena *arena,
                                     const struct qn_source *s) {
    QN_TRY(qn_source_f32(&c->rope_theta, s, &key_theta, 1.0f, 1e12f, s->traits->rope_theta));
    c->n_rot = c->head_dim;
    struct qn_json_value parameters = qn_source_json(s, "rope_parameters");
    struct qn_json_value scaling =
        qn_json_exists(parameters) ? parameters : qn_source_json(s, "rope_scaling");
    if (qn_json_exists(scaling) && qn_json_type(scaling) != QN_JSON_OBJECT)
        return qn_source_bad_json(s, "rope_scaling", scaling, "an object");
    struct qn_json_value full = qn_json_get(parameters, "full_attention");
    if (qn_json_exists(full)) { // transformers 5: parameters per type of layer
        struct qn_json_value local = qn_json_get(parameters, "sliding_attention");
        struct qn_json_value type = qn_json_get(local, "rope_type");
        if (s->traits->rope_local_theta == 0.0f ||
            (qn_json_exists(type) && !qn_json_string_is(type, "default")))
            return qn_fail(s->err, QN_E_UNSUPPORTED, "rope_parameters per layer type");
        QN_TRY(read_theta(&c->rope_local_theta, s, local));
        parameters = scaling = full;
    }
    QN_TRY(read_theta(&c->rope_theta, s, parameters));

    struct qn_json_value partial = qn_source_json(s, "partial_rotary_factor");
    if (!qn_json_exists(partial))
        partial = qn_json_get(parameters, "partial_rotary_factor");
    if (!qn_json_exists(partial))
        partial = qn_source_json(s, "rotary_pct"); // GPT-NeoX
    float factor = s->traits->rotary != 0.0f ? s->traits->rotary : 1.0f;
    if (qn_json_exists(partial) && (!qn_json_f32(&factor, partial) || !(factor > 0 && factor <= 1)))
        return qn_source_bad_json(s, "partial_rotary_factor", partial,
                                  "a number above 0, at most 1");
    if (factor != 1.0f) {
        c->n_rot = (uint32_t)((float)c->head_dim * factor);
        if (!s->traits->partial_rotary || c->n_rot < 2 || c->n_rot % 2)
            return qn_source_bad_json(s, "partial_rotary_factor", partial,
                                      "what this architecture allows");
    }
    struct qn_json_value turned = qn_source_json(s, "rotary_dim"); // Phi-2
    if (s->traits->partial_rotary && qn_json_exists(turned) &&
        (!qn_json_u32(&c->n_rot, turned) || c->n_rot < 2 || c->n_rot % 2 || c->n_rot > c->head_dim))
        return qn_source_bad_json(s, "rotary_dim", turned, "even, and within a head");
    return read_scaling(c, arena, s, scaling);
}

/* GGUF keeps the two lists in tensors, read with the frequencies. */
static enum qn_status read_longrope_gguf(struct qn_model_config *c, const struct qn_source *s) {
    static const struct qn_source_names key_original = {{NULL},
                                                        {"rope.scaling.original_context_length"}},
                                        key_magnitude = {{NULL}, {"rope.scaling.attn_factor"}};
    QN_TRY(qn_source_u32(&c->rope_original_context, s, &key_original, 1u << 28, 0));
    float stretch = (float)c->context / (float)c->rope_original_context;
    c->rope_scaling = QN_ROPE_LONGROPE;
    return qn_source_f32(&c->rope_magnitude, s, &key_magnitude, 1e-3f, 1e3f,
                         magnitude(stretch, c->rope_original_context));
}

static enum qn_status read_rope_gguf(struct qn_model_config *c, const struct qn_source *s) {
    QN_TRY(qn_source_f32(&c->rope_theta, s, &key_theta, 1.0f, 1e12f, s->traits->rope_theta));
    QN_TRY(qn_source_u32(&c->n_rot, s, &key_rot, c->head_dim, c->head_dim));
    if (c->n_rot % 2)
        return qn_fail(s->err, QN_E_CONFIG, "rope.dimension_count is %u, expected an even number",
                       c->n_rot);
    static const struct qn_source_names factor = {{NULL},
                                                  {"rope.scaling.factor", "rope.scale_linear"}};
    const struct qn_gguf_kv *type = qn_source_gguf(s, "rope.scaling.type");
    float value;
    QN_TRY(qn_source_f32(&value, s, &factor, 1e-3f, 1e6f, 1.0f));
    if (type && type->type != QN_GGUF_STRING)
        return qn_source_bad_gguf(s, type, "a string");
    bool linear = type ? qn_str_is(type->value.s, "linear") : value != 1.0f;
    if (qn_directory_find(s->d, QN_STR("rope_factors_long.weight")))
        return read_longrope_gguf(c, s);
    if (type && !linear && !qn_str_is(type->value.s, "none"))
        return qn_fail(s->err, QN_E_UNSUPPORTED, "the rope type \"%.*s\"",
                       QN_STR_ARG(type->value.s));
    if (linear) {
        c->rope_scaling = QN_ROPE_LINEAR;
        c->rope_factor = value;
    }
    return QN_OK; // llama3's scaling stands in rope_freqs.weight
}

enum qn_status qn_config_rope(struct qn_model_config *c, struct qn_arena *arena,
                              const struct qn_source *s) {
    c->rope_magnitude = 1.0f;
    if (s->traits->no_rope)
        return QN_OK;
    if (s->traits->rope_local_theta != 0.0f)
        QN_TRY(qn_source_f32(&c->rope_local_theta, s, &key_local_theta, 1.0f, 1e12f,
                             s->traits->rope_local_theta));
    if (s->d->format == QN_FORMAT_GGUF)
        return read_rope_gguf(c, s);
    return read_rope_json(c, arena, s);
}
