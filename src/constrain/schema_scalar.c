/* Values without parts: strings, numbers, booleans, null, and whatever an enum lists. */

#include "base/num.h"
#include "constrain/number.h"
#include "constrain/regex.h"
#include "constrain/schema.h"

static struct qn_str number_text(struct qn_json_value v) {
    const struct qn_json_node *node = &v.json->nodes[v.at];
    return qn_str_slice(v.json->text, node->begin, node->begin + (size_t)node->count);
}

/* ---- Listed values ------------------------------------------------------------------------- */

static uint32_t type_of(struct qn_json_value v) {
    static const uint8_t types[] = {QN_TYPE_NULL,   QN_TYPE_BOOL,  QN_TYPE_BOOL,  0,
                                    QN_TYPE_STRING, QN_TYPE_ARRAY, QN_TYPE_OBJECT};
    struct qn_decimal d;
    if (qn_json_type(v) != QN_JSON_NUMBER)
        return types[qn_json_type(v)];
    bool fraction = qn_decimal_read(&d, number_text(v)) && (int32_t)d.n > d.point;
    return fraction ? QN_TYPE_FRACTION : QN_TYPE_INTEGER;
}

static bool is_list(enum qn_keyword keyword) {
    return keyword == QN_KW_ENUM || keyword == QN_KW_CONST;
}

/* The values of an enum, or the one of a const. */
struct listing {
    struct qn_json_iter it;
    struct qn_json_value one;
    bool single;
};

static struct listing listing(enum qn_keyword keyword, struct qn_json_value v) {
    struct listing l = {.one = v, .single = keyword == QN_KW_CONST};
    if (!l.single && qn_json_type(v) == QN_JSON_ARRAY)
        l.it = qn_json_iterate(v);
    return l;
}

static bool listing_each(struct listing *l, struct qn_json_value *v) {
    bool is = l->single || qn_json_each(&l->it);
    *v = l->single ? l->one : l->it.value;
    l->single = false;
    return is;
}

uint32_t qn_schema_leaf_types(struct qn_schema *c, const struct qn_demands *list) {
    uint32_t types = QN_TYPE_ANY;
    for (uint32_t i = 0; i < list->n; i++) {
        if (list->p[i].kind == QN_WANT_TYPES)
            types &= list->p[i].at;
        if (list->p[i].kind == QN_WANT_NAME)
            types &= QN_TYPE_STRING;
    }
    struct qn_keyword_iter it = qn_keyword_iterate(c, list);
    while (qn_keyword_each(&it)) {
        if (it.negated)
            continue;
        if (it.keyword == QN_KW_TYPE)
            types &= qn_schema_types(it.value);
        if (!is_list(it.keyword))
            continue;
        uint32_t listed = 0;
        struct listing l = listing(it.keyword, it.value);
        struct qn_json_value v;
        while (listing_each(&l, &v))
            listed |= type_of(v);
        types &= listed;
    }
    return types;
}

/* A number without exponent, in its one spelling; as it stands where that would be too long. */
static void spell_number(struct qn_buf *out, struct qn_str raw) {
    struct qn_decimal d;
    if (!qn_decimal_read(&d, raw) || d.point > 40 || d.point < -20) {
        qn_buf_str(out, raw);
        return;
    }
    if (d.negative)
        qn_buf_char(out, '-');
    if (d.point <= 0)
        qn_buf_char(out, '0');
    for (int32_t i = d.point < 0 ? d.point : 0; i < (int32_t)d.n || i < d.point; i++) {
        if (i == d.point)
            qn_buf_char(out, '.');
        qn_buf_char(out, i >= 0 && i < (int32_t)d.n ? d.digits[i] : '0');
    }
}

/* A value as it is written, without white space. Its depth is the document's, at most 64. */
static void spell(struct qn_schema *c, struct qn_buf *out, struct qn_json_value v) {
    static const char *const words[] = {"null", "false", "true"};
    enum qn_json_type type = qn_json_type(v);
    struct qn_str s;
    if (type <= QN_JSON_TRUE) {
        qn_buf_cstr(out, words[type]);
    } else if (type == QN_JSON_NUMBER) {
        spell_number(out, number_text(v));
    } else if (type == QN_JSON_STRING) {
        out->failed |= !qn_json_string(&s, c->arena, v);
        qn_buf_char(out, '"');
        if (!out->failed)
            qn_chars_spell(out, s);
        qn_buf_char(out, '"');
    } else {
        bool object = type == QN_JSON_OBJECT;
        struct qn_json_iter it = qn_json_iterate(v);
        qn_buf_char(out, object ? '{' : '[');
        for (bool first = true; qn_json_each(&it); first = false) {
            if (!first)
                qn_buf_char(out, ',');
            if (object) {
                spell(c, out, it.key);
                qn_buf_char(out, ':');
            }
            spell(c, out, it.value);
        }
        qn_buf_char(out, object ? '}' : ']');
    }
}

enum qn_status qn_schema_quoted(struct qn_schema *c, uint32_t *out, struct qn_json_value v,
                                uint32_t rest) {
    struct qn_buf text;
    qn_buf_init(&text, c->arena->allocator);
    spell(c, &text, v);
    *out = qn_term_text(c->t, qn_buf_view(&text), rest);
    bool failed = text.failed;
    qn_buf_free(&text);
    return failed ? qn_schema_no_memory(c) : qn_terms_report(c->t, c->err);
}

/* The texts of the values of these types in an enum or const. */
static enum qn_status listed_terms(struct qn_schema *c, uint32_t *out, enum qn_keyword keyword,
                                   struct qn_json_value values, uint32_t types) {
    uint32_t base = c->t->work.n, term;
    struct listing l = listing(keyword, values);
    struct qn_json_value v;
    if (keyword == QN_KW_ENUM && qn_json_type(values) != QN_JSON_ARRAY)
        return qn_schema_bad(c, "enum", "a list");
    while (listing_each(&l, &v)) {
        if (!(type_of(v) & types))
            continue;
        QN_TRY(qn_schema_quoted(c, &term, v, QN_TERM_EPS));
        qn_vec_push(c->t, &c->t->work, term);
    }
    *out = qn_term_join(c->t, QN_T_OR, base);
    return qn_terms_report(c->t, c->err);
}

enum qn_status qn_schema_listed(struct qn_schema *c, uint32_t *out, bool *listed,
                                const struct qn_demands *list, uint32_t types) {
    struct qn_terms *t = c->t;
    const uint32_t parts = QN_TYPE_ARRAY | QN_TYPE_OBJECT;
    uint32_t all = QN_TERM_EMPTY, term, others = 0;
    bool excluded = false;
    *listed = false;
    types &= parts | QN_TYPE_NULL | QN_TYPE_BOOL;
    if (types & QN_TYPE_NULL)
        all = qn_term_text(t, QN_STR("null"), QN_TERM_EPS);
    if (types & QN_TYPE_BOOL)
        all = qn_term_or(t, all,
                         qn_term_or(t, qn_term_text(t, QN_STR("true"), QN_TERM_EPS),
                                    qn_term_text(t, QN_STR("false"), QN_TERM_EPS)));
    struct qn_keyword_iter it = qn_keyword_iterate(c, list);
    while (qn_keyword_each(&it)) {
        if (!it.negated && it.keyword >= QN_KW_ITEMS && it.keyword <= QN_KW_MAX_PROPERTIES)
            others |= it.keyword >= QN_KW_PROPERTIES ? QN_TYPE_OBJECT : QN_TYPE_ARRAY;
        if (it.negated || !is_list(it.keyword))
            continue;
        QN_TRY(listed_terms(c, &term, it.keyword, it.value, types));
        all = *listed ? qn_term_and(t, all, term) : term; // the first has arrays and objects too
        *listed = true;
    }
    it = qn_keyword_iterate(c, list);
    while (qn_keyword_each(&it)) {
        struct qn_json_value v;
        struct listing l = listing(it.keyword, it.value);
        if (!it.negated || !is_list(it.keyword))
            continue;
        while (listing_each(&l, &v))
            excluded |= (type_of(v) & types & parts) != 0;
        QN_TRY(listed_terms(c, &term, it.keyword, it.value, types));
        all = qn_term_and(t, all, qn_term_not(t, term));
    }
    for (uint32_t i = 0; i < list->n; i++)
        if (list->p[i].kind >= QN_WANT_KEY && list->p[i].kind <= QN_WANT_PROP_NOT)
            others |= QN_TYPE_OBJECT;
    *out = qn_term_lex(t, all);
    if (excluded && !*listed)
        return qn_schema_unsupported(c, "not over arrays or objects of an enum or const");
    if (*listed && types & others)
        return qn_schema_unsupported(c, "enum or const of arrays or objects beside other keywords");
    return qn_terms_report(t, c->err);
}

/* ---- Strings ------------------------------------------------------------------------------- */

#define HEX "[0-9a-fA-F]"
#define BASE64 "[a-zA-Z0-9+/]"
#define H16 HEX "{1,4}"
#define DATE                                                                                       \
    "(?:\\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)" \
    "|02-(?:0[1-9]|1\\d|2[0-8]))|(?:\\d\\d(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|"      \
    "[13579][26])00)-02-29)"
#define TIME \
    "(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:\\.\\d{1,9})?(?:[zZ]|[+-](?:[01]\\d|2[0-3]):[0-5]\\d)"
/* Without two hyphens in a row: a name that begins with xn-- would have to decode. */
#define LABEL "[a-zA-Z0-9](?:-?[a-zA-Z0-9]){0,31}"
#define PART "[a-zA-Z0-9]+(?:-[a-zA-Z0-9]+)*"
#define ATOM "[\\w!#$%&'*+/=?^`{|}~-]+"
#define OCTET "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)"
#define URI_HOST "(?:[\\w.~!$&()*+,;=-]|%" HEX "{2})"
#define URI_USER "(?:[\\w.~!$&()*+,;=:-]|%" HEX "{2})"
#define URI_CHAR "(?:[\\w.~!$&()*+,;=:@-]|%" HEX "{2})"
#define URI_REST "(?:\\?(?:" URI_CHAR "|[/?])*)?(?:#(?:" URI_CHAR "|[/?])*)?"
#define URI                                                                     \
    "[a-zA-Z][a-zA-Z0-9+.-]*:(?://(?:" URI_USER "*@)?(?:" URI_HOST "+|\\[" IPV6 \
    "\\])(?::\\d{1,5})?(?:/" URI_CHAR "*)*|/?" URI_CHAR "+(?:/" URI_CHAR "*)*)" URI_REST
#define IPV6                                                                                   \
    "(?:(?:" H16 ":){7}(?:" H16 "|:)|(?:" H16 ":){6}(?::" H16 "|:)|(?:" H16 ":){5}(?:(?::" H16 \
    "){1,2}|:)|(?:" H16 ":){4}(?:(?::" H16 "){1,3}|:)|(?:" H16 ":){3}(?:(?::" H16              \
    "){1,4}|:)|(?:" H16 ":){2}(?:(?::" H16 "){1,5}|:)|" H16 ":(?:(?::" H16                     \
    "){1,6}|:)|:(?:(?::" H16 "){1,7}|:))"
#define POINTER "(?:/(?:[^/~]|~[01])*)*"
#define UNITS(a, b, c)                                                            \
    "(?:\\d{1,9}" a "(?:\\d{1,9}" b "(?:\\d{1,9}" c ")?)?|\\d{1,9}" b "(?:\\d{1," \
    "9}" c ")?|\\d{1,9}" c ")"

/* Formats as their RFCs have them, or a part of what they allow: what is said is right, but not all
 * that is right can be said (no quoted mailboxes, no leap seconds, no IRIs beyond URIs). */
static const char *const FORMATS[][2] = {
    {"date", DATE},
    {"time", TIME},
    {"date-time", DATE "[Tt]" TIME},
    {"duration", "P(?:" UNITS("Y", "M", "D") "(?:T" UNITS("H", "M", "S") ")?|T" UNITS(
                     "H", "M", "S") "|\\d{1,9}W)"},
    {"email", ATOM "(?:\\." ATOM ")*@(?:" PART "\\.)+" PART},
    {"hostname", "(?=.{1,253}$)" LABEL "(?:\\." LABEL ")*"},
    {"ipv4", "(?:" OCTET "\\.){3}" OCTET},
    {"ipv6", IPV6},
    {"uri", URI},
    {"uri-reference", URI "|(?:/?" URI_HOST "+(?:/" URI_CHAR "*)*)?" URI_REST},
    {"uuid", HEX "{8}-(?:" HEX "{4}-){3}" HEX "{12}"},
    {"json-pointer", POINTER},
    {"relative-json-pointer", "(?:0|[1-9]\\d{0,8})(?:#|" POINTER ")"},
    {"regex", "[\\w ]*"},
    {"byte", "(?:" BASE64 "{4})*(?:" BASE64 "{2}==|" BASE64 "{3}=)?"},
};
static const char *const FORMAT_NAMES[][2] = {
    {"iri", "uri"},          {"iri-reference", "uri-reference"}, {"idn-email", "email"},
    {"uri-template", "uri"}, {"idn-hostname", "hostname"},
};

static uint32_t within_quotes(struct qn_schema *c, uint32_t content) {
    uint32_t quote = qn_term_range(c->t, '"', '"');
    return qn_term_cat(c->t, quote, qn_term_cat(c->t, content, quote));
}

static enum qn_status format(struct qn_schema *c, uint32_t *out, struct qn_json_value v) {
    struct qn_str name = qn_json_raw(v);
    if (qn_json_type(v) != QN_JSON_STRING)
        return qn_schema_bad(c, "format", "a string");
    for (size_t i = 0; i < sizeof FORMAT_NAMES / sizeof *FORMAT_NAMES; i++) {
        if (qn_str_is(name, FORMAT_NAMES[i][0]))
            name = qn_str_from(FORMAT_NAMES[i][1]);
    }
    for (size_t i = 0; i < sizeof FORMATS / sizeof *FORMATS; i++) {
        if (!qn_str_is(name, FORMATS[i][0]))
            continue;
        QN_TRY(qn_regex_term(c->t, out, c->arena, qn_str_from(FORMATS[i][1]),
                             QN_REGEX_JSON | QN_REGEX_WHOLE, c->err));
        *out = within_quotes(c, *out);
        return QN_OK;
    }
    *out = QN_TERM_ALL; // a remark ("password", "url"): JSON Schema 2020-12, Validation, 7.2.1
    return QN_OK;
}

enum qn_status qn_schema_pattern(struct qn_schema *c, uint32_t *out, struct qn_json_value v) {
    struct qn_str text;
    if (!qn_json_string(&text, c->arena, v))
        return qn_json_type(v) == QN_JSON_STRING ? qn_schema_no_memory(c)
                                                 : qn_schema_bad(c, "pattern", "a string");
    QN_TRY(qn_regex_term(c->t, out, c->arena, text, QN_REGEX_JSON, c->err));
    *out = within_quotes(c, *out);
    return qn_terms_report(c->t, c->err);
}

/* A count: a whole number, 0 or more. What is too large to be reached counts as no bound. */
static enum qn_status count(struct qn_schema *c, uint32_t *out, enum qn_keyword keyword,
                            struct qn_json_value v) {
    int64_t n;
    double d;
    if (!qn_json_i64(&n, v)) {
        if (!qn_json_f64(&d, v) || d < 9e15)
            return qn_schema_bad(c, qn_keyword_name(keyword), "a whole number, 0 or more");
        n = INT64_MAX;
    }
    if (n < 0)
        return qn_schema_bad(c, qn_keyword_name(keyword), "a whole number, 0 or more");
    *out = n > QN_REP_MAX ? UINT32_MAX : (uint32_t)n;
    return QN_OK;
}

enum qn_status qn_schema_string(struct qn_schema *c, uint32_t *out, const struct qn_demands *list) {
    struct qn_terms *t = c->t;
    uint32_t base = t->work.n, min = 0, max = UINT32_MAX, n, term;
    bool never = false, spelled = false,
         once = false; // an operand that knows spellings; one spelling is needed
    for (uint32_t i = 0; i < list->n; i++)
        once |= list->p[i].kind == QN_WANT_NAME;
    struct qn_keyword_iter it = qn_keyword_iterate(c, list);
    while (qn_keyword_each(&it)) {
        bool less = it.keyword == QN_KW_MAX_LENGTH;
        switch (it.keyword) {
        case QN_KW_MIN_LENGTH:
        case QN_KW_MAX_LENGTH:
            QN_TRY(count(c, &n, it.keyword, it.value));
            if (n == UINT32_MAX) // beyond reach
                never |= less == it.negated;
            else if (less != it.negated)
                max = n == 0 && it.negated ? 0 : qn_min_u32(max, n - it.negated);
            else
                min = qn_max_u32(min, n + it.negated);
            never |= n == 0 && !less && it.negated;
            continue;
        case QN_KW_PATTERN:
            QN_TRY(qn_schema_pattern(c, &term, it.value));
            break;
        case QN_KW_FORMAT:
            QN_TRY(format(c, &term, it.value));
            break;
        case QN_KW_ENUM:
        case QN_KW_CONST:
            QN_TRY(listed_terms(c, &term, it.keyword, it.value, QN_TYPE_STRING));
            break;
        default:
            continue;
        }
        if (term == QN_TERM_ALL && !it.negated)
            continue;
        once = true;
        spelled |= !it.negated;
        qn_vec_push(t, &t->work, it.negated ? qn_term_not(t, term) : term);
    }
    if (min > max || min > QN_REP_MAX || never) {
        t->work.n = base;
        *out = QN_TERM_EMPTY;
        return QN_OK;
    }
    if (!spelled || min > 0 || max != UINT32_MAX) {
        uint32_t one = once ? c->any_char : c->g->string_char;
        qn_vec_push(t, &t->work, within_quotes(c, qn_term_rep(t, one, min, max)));
    }
    *out = qn_term_lex(t, qn_term_join(t, QN_T_AND, base));
    return qn_terms_report(t, c->err);
}

/* ---- Numbers ------------------------------------------------------------------------------- */

static enum qn_status bound(struct qn_schema *c, uint32_t *out, struct qn_str text, bool least,
                            bool strict, enum qn_keyword keyword) {
    struct qn_decimal d;
    if (!qn_decimal_read(&d, text))
        return qn_fail(c->err, QN_E_UNSUPPORTED, "the JSON schema's %s of %.*s",
                       qn_keyword_name(keyword), QN_STR_ARG(text));
    *out = qn_number_bound(c->t, &d, least, strict);
    return QN_OK;
}

static enum qn_status number_operand(struct qn_schema *c, uint32_t *out, bool *exact,
                                     const struct qn_keyword_iter *it, uint32_t types) {
    struct qn_json_value v = it->value;
    bool least = it->keyword == QN_KW_MINIMUM || it->keyword == QN_KW_EXCLUSIVE_MINIMUM, strict;
    struct qn_decimal d;
    *out = QN_TERM_ALL;
    switch (it->keyword) {
    case QN_KW_ENUM:
    case QN_KW_CONST:
        return listed_terms(c, out, it->keyword, v, it->negated ? QN_TYPE_NUMBER : types);
    case QN_KW_MULTIPLE_OF:
        if (qn_json_type(v) != QN_JSON_NUMBER || !qn_decimal_read(&d, number_text(v)) || !d.n ||
            d.negative)
            return qn_schema_bad(c, "multipleOf", "a number above 0");
        *out = qn_number_multiple(c->t, &d);
        *exact = true;
        return *out ? QN_OK : qn_schema_unsupported(c, "multipleOf with so many digits");
    case QN_KW_EXCLUSIVE_MINIMUM:
    case QN_KW_EXCLUSIVE_MAXIMUM:
        strict = true;
        if (qn_json_type(v) == QN_JSON_TRUE || qn_json_type(v) == QN_JSON_FALSE)
            return QN_OK; // of draft 4: read with minimum and maximum
        break;
    case QN_KW_MINIMUM:
    case QN_KW_MAXIMUM:
        strict = !it->negated &&
                 qn_json_type(qn_json_get(it->owner, least ? "exclusiveMinimum"
                                                           : "exclusiveMaximum")) == QN_JSON_TRUE;
        break;
    default:
        return QN_OK;
    }
    if (qn_json_type(v) != QN_JSON_NUMBER)
        return qn_schema_bad(c, qn_keyword_name(it->keyword), "a number");
    *exact |= strict != it->negated;
    return bound(c, out, number_text(v), least, strict, it->keyword);
}

enum qn_status qn_schema_number(struct qn_schema *c, uint32_t *out, const struct qn_demands *list,
                                uint32_t types) {
    struct qn_terms *t = c->t;
    uint32_t base = t->work.n, term;
    bool any = false, negated = false, exact = false, listed = false;
    types &= QN_TYPE_NUMBER;
    struct qn_keyword_iter it = qn_keyword_iterate(c, list);
    while (qn_keyword_each(&it)) {
        if (it.keyword == QN_KW_FORMAT && !it.negated) {
            bool small = qn_json_string_is(it.value, "int32");
            if (!small && !qn_json_string_is(it.value, "int64"))
                continue;
            types &= QN_TYPE_INTEGER;
            QN_TRY(bound(c, &term, qn_str_from(small ? "-2147483648" : "-9223372036854775808"),
                         true, false, QN_KW_FORMAT));
            qn_vec_push(t, &t->work, term);
            QN_TRY(bound(c, &term, qn_str_from(small ? "2147483647" : "9223372036854774784"), false,
                         false, QN_KW_FORMAT));
        } else {
            QN_TRY(number_operand(c, &term, &exact, &it, types));
        }
        if (term == QN_TERM_ALL)
            continue;
        any = true;
        negated |= it.negated;
        listed |= is_list(it.keyword) && !it.negated;
        qn_vec_push(t, &t->work, it.negated ? qn_term_not(t, term) : term);
    }
    if (exact && !listed)
        qn_vec_push(t, &t->work, qn_number_exact(t));
    bool integer = !(types & QN_TYPE_FRACTION), fraction = !(types & QN_TYPE_INTEGER);
    if (fraction)
        qn_vec_push(t, &t->work, qn_term_not(t, qn_number_any(t, true, false, true)));
    if (!listed || fraction)
        qn_vec_push(t, &t->work, qn_number_any(t, integer, !any, negated || fraction));
    *out = types ? qn_term_lex(t, qn_term_join(t, QN_T_AND, base)) : QN_TERM_EMPTY;
    t->work.n = base;
    return qn_terms_report(t, c->err);
}
