#include "model/config_source.h"

/* Member of the model's JSON; null counts as missing. */
struct qn_json_value qn_source_json(const struct qn_source *s, const char *key) {
    struct qn_json_value value = qn_json_get(s->text, key);
    if (!qn_json_exists(value) || qn_json_type(value) == QN_JSON_NULL)
        value = qn_json_get(s->inner, key);
    if (!qn_json_exists(value) || qn_json_type(value) == QN_JSON_NULL)
        value = qn_json_get(s->root, key);
    if (qn_json_exists(value) && qn_json_type(value) == QN_JSON_NULL)
        value = (struct qn_json_value){NULL, 0};
    return value;
}

/* GGUF key "ARCH.suffix", or as it is when it begins with '!' (general keys). */
const struct qn_gguf_kv *qn_source_gguf(const struct qn_source *s, const char *suffix) {
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

enum qn_status qn_source_bad_json(const struct qn_source *s, const char *key,
                                  struct qn_json_value value, const char *wanted) {
    enum qn_json_type type = qn_json_type(value);
    struct qn_str text = type == QN_JSON_ARRAY    ? QN_STR("a list")
                         : type == QN_JSON_OBJECT ? QN_STR("an object")
                                                  : qn_json_source(value);
    return qn_fail(s->err, QN_E_CONFIG, "%s is %.*s, expected %s", key, QN_STR_ARG(text), wanted);
}

enum qn_status qn_source_bad_gguf(const struct qn_source *s, const struct qn_gguf_kv *kv,
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

/* *found tells whether the key is there; a value of another type is an error. `name` gets the key
 * under which it was looked for first, for messages. */
enum qn_status qn_source_integer(uint64_t *out, bool *found, const char **name,
                                 const struct qn_source *s, const struct qn_source_names *names) {
    *found = false;
    if (s->d->format == QN_FORMAT_GGUF) {
        *name = names->gguf[0] ? names->gguf[0] : names->json[0];
        for (uint32_t i = 0; i < 2 && names->gguf[i]; i++) {
            const struct qn_gguf_kv *kv = qn_source_gguf(s, names->gguf[i]);
            if (!kv)
                continue;
            *name = names->gguf[i];
            *found = true;
            return gguf_integer(out, kv) ? QN_OK
                                         : qn_source_bad_gguf(s, kv, "an integer of at least 0");
        }
        return QN_OK;
    }
    *name = names->json[0];
    for (uint32_t i = 0; i < 3 && names->json[i]; i++) {
        struct qn_json_value value = qn_source_json(s, names->json[i]);
        if (!qn_json_exists(value))
            continue;
        *name = names->json[i];
        int64_t integer;
        if (!qn_json_i64(&integer, value))
            return qn_source_bad_json(s, *name, value, "an integer");
        if (integer == -1) // MLC: not set
            continue;
        if (integer < 0)
            return qn_source_bad_json(s, *name, value, "an integer of at least 0");
        *out = (uint64_t)integer;
        *found = true;
        return QN_OK;
    }
    return QN_OK;
}

enum qn_status qn_source_float(float *out, bool *found, const char **name,
                               const struct qn_source *s, const struct qn_source_names *names) {
    *found = false;
    if (s->d->format == QN_FORMAT_GGUF) {
        *name = names->gguf[0] ? names->gguf[0] : names->json[0];
        for (uint32_t i = 0; i < 2 && names->gguf[i]; i++) {
            const struct qn_gguf_kv *kv = qn_source_gguf(s, names->gguf[i]);
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
                return qn_source_bad_gguf(s, kv, "a number");
            if (!qn_finite(*out))
                return qn_source_bad_gguf(s, kv, "a finite number");
            return QN_OK;
        }
        return QN_OK;
    }
    *name = names->json[0];
    for (uint32_t i = 0; i < 3 && names->json[i]; i++) {
        struct qn_json_value value = qn_source_json(s, names->json[i]);
        if (!qn_json_exists(value))
            continue;
        *name = names->json[i];
        *found = true;
        if (!qn_json_f32(out, value) || !qn_finite(*out))
            return qn_source_bad_json(s, *name, value, "a finite number");
        return QN_OK;
    }
    return QN_OK;
}

enum qn_status qn_source_missing(const struct qn_source *s, const char *name) {
    bool own = s->d->format == QN_FORMAT_GGUF && *name != '!';
    return qn_fail(s->err, QN_E_CONFIG, "the field %s%s%s is missing", own ? s->traits->gguf : "",
                   own ? "." : "", *name == '!' ? name + 1 : name);
}

/* An integer in [1, max]; `fallback` where it is missing, required where that is 0. */
enum qn_status qn_source_u32(uint32_t *out, const struct qn_source *s,
                             const struct qn_source_names *names, uint32_t max, uint32_t fallback) {
    uint64_t value = 0;
    bool found;
    const char *name;
    QN_TRY(qn_source_integer(&value, &found, &name, s, names));
    if (!found) {
        *out = fallback;
        return fallback ? QN_OK : qn_source_missing(s, name);
    }
    if (value < 1 || value > max)
        return qn_fail(s->err, QN_E_CONFIG, "%s is %llu, expected 1 to %u", name,
                       (unsigned long long)value, max);
    *out = (uint32_t)value;
    return QN_OK;
}

enum qn_status qn_source_f32(float *out, const struct qn_source *s,
                             const struct qn_source_names *names, float min, float max,
                             float fallback) {
    bool found;
    const char *name;
    QN_TRY(qn_source_float(out, &found, &name, s, names));
    if (!found) {
        *out = fallback;
        return fallback != 0.0f ? QN_OK : qn_source_missing(s, name);
    }
    if (!(*out >= min && *out <= max))
        return qn_fail(s->err, QN_E_CONFIG, "%s is %g, expected %g to %g", name, (double)*out,
                       (double)min, (double)max);
    return QN_OK;
}

enum qn_status qn_source_bool(bool *out, const struct qn_source *s, const char *key,
                              bool fallback) {
    struct qn_json_value value = qn_source_json(s, key);
    *out = fallback;
    if (qn_json_exists(value) && !qn_json_bool(out, value))
        return qn_source_bad_json(s, key, value, "true or false");
    return QN_OK;
}
