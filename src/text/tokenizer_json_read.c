/* Members of tokenizer.json that steps of several kinds have. */
#include "text/tokenizer_json.h"

enum qn_status qn_json_no_memory(struct qn_json_reader *r) {
    return qn_fail(r->err, QN_E_NO_MEMORY, "tokenizer.json");
}

enum qn_status qn_json_read_string(struct qn_json_reader *r, struct qn_str *out,
                                   struct qn_json_value value, const char *what) {
    struct qn_str s;
    if (qn_json_type(value) != QN_JSON_STRING)
        return qn_fail(r->err, QN_E_TOKENIZER, "%s in tokenizer.json is not a string", what);
    if (!qn_json_string(&s, r->scratch, value))
        return qn_json_no_memory(r);
    *out = qn_str_copy(r->arena, s);
    return out->p ? QN_OK : qn_json_no_memory(r);
}

bool qn_json_flag(struct qn_json_value object, const char *key, bool otherwise) {
    bool value = otherwise;
    qn_json_bool(&value, qn_json_get(object, key));
    return value;
}

enum qn_status qn_json_read_literal(struct qn_json_reader *r, struct qn_str *out,
                                    struct qn_json_value pattern, const char *what) {
    struct qn_json_value string = qn_json_get(pattern, "String");
    if (!qn_json_exists(string)) {
        struct qn_str regex = qn_json_raw(qn_json_get(pattern, "Regex"));
        return qn_fail(r->err, QN_E_UNSUPPORTED, "%s with the pattern %.*s in tokenizer.json", what,
                       QN_STR_ARG(regex));
    }
    QN_TRY(qn_json_read_string(r, out, string, what));
    if (out->n == 0 || out->n > 256)
        return qn_fail(r->err, QN_E_TOKENIZER, "%s with a pattern of %zu bytes", what, out->n);
    return QN_OK;
}

enum qn_status qn_json_read_replace(struct qn_json_reader *r, struct qn_str *pattern,
                                    const struct qn_regex **regex, struct qn_str *content,
                                    struct qn_json_value step) {
    struct qn_json_value v = qn_json_get(step, "pattern"), source = qn_json_get(v, "Regex");
    struct qn_str s;
    QN_TRY(qn_json_read_string(r, content, qn_json_get(step, "content"), "Replace"));
    if (!qn_json_exists(source))
        return qn_json_read_literal(r, pattern, v, "Replace");
    QN_TRY(qn_json_read_string(r, &s, source, "Replace"));
    return qn_regex_compile(regex, r->arena, s, r->err);
}

enum qn_status qn_json_read_prepend(struct qn_json_reader *r, enum qn_prepend *out,
                                    struct qn_json_value step) {
    struct qn_json_value scheme = qn_json_get(step, "prepend_scheme");
    if (!qn_json_exists(scheme)) { // files from before there were schemes
        *out = qn_json_flag(step, "add_prefix_space", true) ? QN_PREPEND_ALWAYS : QN_PREPEND_NEVER;
        return QN_OK;
    }
    if (qn_json_string_is(scheme, "always"))
        *out = QN_PREPEND_ALWAYS;
    else if (qn_json_string_is(scheme, "first"))
        *out = QN_PREPEND_FIRST;
    else if (qn_json_string_is(scheme, "never"))
        *out = QN_PREPEND_NEVER;
    else
        return qn_fail(r->err, QN_E_UNSUPPORTED, "Metaspace prepend_scheme in tokenizer.json");
    return QN_OK;
}
