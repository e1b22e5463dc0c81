/* Values with parts: arrays and objects. Properties come in the order of the schema, those that
 * need not come may be left out, and properties that the schema does not name come last. */
#include <string.h>

#include "base/num.h"
#include "constrain/schema.h"

#define NAMES_MAX 4000
#define PATTERNS_MAX 5
#define TABLE_MAX 20000u // states of a list that counts
#define UNIQUE_MAX 64u   // different items of an array whose items are unique
#define UNIQUE_BYTES 200u

/* ---- Lists that may leave out -------------------------------------------------------------- */

/* Items in their order, each at most once, then any number of `more`, with commas between: at least
 * min, at most max of all. */
struct chain {
    const uint32_t *items;
    const bool *required;
    uint32_t n, more, min, max;
};

static uint32_t less(uint32_t n) {
    return n == UINT32_MAX || n == 0 ? n : n - 1;
}

static enum qn_status chain_term(struct qn_schema *c, uint32_t *out, const struct chain *chain) {
    struct qn_terms *t = c->t;
    bool bounded = chain->max != UINT32_MAX;
    uint32_t high = bounded ? chain->max : 0, base = t->work.n;
    if ((chain->min + 1ull) * (high + 1ull) * (chain->n + 1ull) > TABLE_MAX && (chain->min || high))
        return qn_fail(c->err, QN_E_LIMIT, "a JSON schema that counts %u properties", chain->n);
    /* rest[min][max]: what follows an item; first: what may begin. */
    uint32_t columns = high + 1, size = (chain->min + 1) * columns;
    uint32_t *rest = QN_ARENA_NEW(c->arena, uint32_t, size);
    uint32_t *next = QN_ARENA_NEW(c->arena, uint32_t, size), more, first;
    if (!rest || !next)
        return qn_schema_no_memory(c);
    more = qn_term_cat(t, c->comma, chain->more);
    for (uint32_t i = 0; i < size; i++) {
        uint32_t min = i / columns, max = bounded ? i % columns : UINT32_MAX;
        rest[i] = min <= max ? qn_term_rep(t, more, min, max) : QN_TERM_EMPTY;
    }
    uint32_t after = less(chain->min) * columns + (bounded ? less(high) : 0);
    first = chain->min == 0 ? QN_TERM_EPS : QN_TERM_EMPTY;
    if (!bounded || high > 0)
        first = qn_term_or(t, first, qn_term_cat(t, chain->more, rest[after]));
    for (uint32_t i = chain->n; i-- > 0;) {
        uint32_t item = chain->items[i], with = qn_term_cat(t, c->comma, item);
        bool required = chain->required[i];
        uint32_t begin = bounded && high == 0 ? QN_TERM_EMPTY : qn_term_cat(t, item, rest[after]);
        if (required) {
            t->work.n = base; // nothing later can begin
            first = QN_TERM_EMPTY;
        }
        qn_vec_push(t, &t->work, begin);
        for (uint32_t k = 0; k < size; k++) {
            uint32_t min = k / columns, max = k % columns;
            uint32_t to = less(min) * columns + less(max);
            if (bounded && max == 0)
                next[k] = required ? QN_TERM_EMPTY : rest[k];
            else if (required)
                next[k] = qn_term_cat(t, with, rest[to]);
            else if (size == 1)
                next[k] = qn_term_cat(t, qn_term_or(t, QN_TERM_EPS, with), rest[k]);
            else
                next[k] = qn_term_or(t, rest[k], qn_term_cat(t, with, rest[to]));
        }
        uint32_t *swap = rest;
        rest = next;
        next = swap;
    }
    qn_vec_push(t, &t->work, first);
    *out = qn_term_join(t, QN_T_OR, base);
    return qn_terms_report(t, c->err);
}

static uint32_t bracketed(struct qn_schema *c, const char *open, uint32_t inner,
                          const char *close) {
    struct qn_terms *t = c->t;
    uint32_t end = qn_term_cat(t, c->ws, qn_term_text(t, qn_str_from(close), QN_TERM_EPS));
    inner = qn_term_cat(t, c->ws, qn_term_cat(t, inner, end));
    return qn_term_text(t, qn_str_from(open), inner);
}

/* min… and max… of all schemas; `huge` for what cannot be reached. */
static enum qn_status limits(struct qn_schema *c, const struct qn_demands *list,
                             enum qn_keyword min_keyword, uint32_t *min, uint32_t *max) {
    struct qn_keyword_iter it = qn_keyword_iterate(c, list);
    *min = 0;
    *max = UINT32_MAX;
    while (qn_keyword_each(&it)) {
        bool least = it.keyword == min_keyword;
        int64_t n;
        if (it.negated || (!least && it.keyword != min_keyword + 1))
            continue;
        if (!qn_json_i64(&n, it.value) || n < 0)
            return qn_schema_bad(c, qn_keyword_name(it.keyword), "a whole number, 0 or more");
        uint32_t bound = n > QN_REP_MAX ? UINT32_MAX : (uint32_t)n;
        *(least ? min : max) = least ? qn_max_u32(*min, bound) : qn_min_u32(*max, bound);
    }
    return QN_OK;
}

/* ---- Arrays -------------------------------------------------------------------------------- */

/* What a schema says of the item at a place: prefixItems (items, as a list, in older drafts), then
 * items (additionalItems). */
static struct qn_json_value item_schema(struct qn_json_value schema, uint32_t place) {
    struct qn_json_value prefix = qn_json_get(schema, "prefixItems");
    struct qn_json_value items = qn_json_get(schema, "items");
    if (qn_json_type(items) == QN_JSON_ARRAY) {
        prefix = items;
        items = qn_json_get(schema, "additionalItems");
    }
    struct qn_json_iter it = qn_json_iterate(prefix);
    for (uint32_t i = 0; !it.object && qn_json_each(&it); i++)
        if (i == place)
            return it.value;
    return items;
}

static enum qn_status item_term(struct qn_schema *c, uint32_t *out, const struct qn_demands *list,
                                uint32_t place) {
    struct qn_demands item = {0};
    for (uint32_t i = 0; i < list->n; i++) {
        struct qn_json_value schema = qn_schema_value(c, list->p[i].at);
        if (list->p[i].kind != QN_WANT_SCHEMA || qn_json_type(schema) != QN_JSON_OBJECT)
            continue;
        struct qn_json_value one = item_schema(schema, place);
        if (qn_json_exists(one))
            QN_TRY(qn_schema_demand(c, &item, QN_WANT_SCHEMA, one.at, 0));
        /* As many as it must contain come first: one way among many, but always right. */
        struct qn_json_value contains = qn_json_get(schema, "contains");
        struct qn_json_value most = qn_json_get(schema, "maxContains");
        uint32_t least = 1;
        qn_json_u32(&least, qn_json_get(schema, "minContains"));
        if (!qn_json_exists(contains))
            continue;
        c->negated = "maxContains";
        if (place < least)
            QN_TRY(qn_schema_demand(c, &item, QN_WANT_SCHEMA, contains.at, 0));
        else if (qn_json_exists(most))
            QN_TRY(qn_schema_demand(c, &item, QN_WANT_NOT, contains.at, 0));
    }
    return qn_schema_compile(c, out, item.p, item.n);
}

/* All texts of a language that has few, one term each. */
static enum qn_status enumerate(struct qn_schema *c, uint32_t *texts, uint32_t *n, uint32_t term) {
    struct qn_terms *t = c->t;
    struct {
        uint32_t term;
        uint32_t byte;
    } stack[UNIQUE_BYTES + 1];
    char text[UNIQUE_BYTES];
    uint32_t depth = 0;
    *n = 0;
    stack[0].term = term;
    stack[0].byte = 0;
    for (;;) {
        uint32_t byte = stack[depth].byte++, next;
        if (byte == 0 && qn_term_nullable(t, stack[depth].term)) {
            if (*n == UNIQUE_MAX)
                return QN_E_LIMIT;
            /* −0 is 0 once more. */
            if (depth != 2 || text[0] != '-' || text[1] != '0')
                texts[(*n)++] = qn_term_text(t, (struct qn_str){text, depth}, QN_TERM_EPS);
        }
        if (byte == 256) {
            if (depth-- == 0)
                return QN_OK;
            continue;
        }
        next = qn_term_derive(t, stack[depth].term, (uint8_t)byte);
        QN_TRY(t->status);
        if (next == QN_TERM_EMPTY)
            continue;
        if (depth == UNIQUE_BYTES)
            return QN_E_LIMIT;
        text[depth++] = (char)byte;
        stack[depth].term = next;
        stack[depth].byte = 0;
    }
}

/* Unique items can be had where there are few to choose from: in one order, each once. */
static enum qn_status unique(struct qn_schema *c, uint32_t *out, uint32_t item, uint32_t min,
                             uint32_t max) {
    uint32_t texts[UNIQUE_MAX];
    static const bool required[UNIQUE_MAX] = {false};
    struct chain chain = {.items = texts, .required = required, .min = min, .max = max};
    if (qn_term_calls(c->t, item) || enumerate(c, texts, &chain.n, item) != QN_OK) {
        QN_TRY(qn_terms_report(c->t, c->err));
        return qn_schema_unsupported(c, "uniqueItems with items that are not a few listed values");
    }
    chain.max = qn_min_u32(max, chain.n);
    *out = QN_TERM_EMPTY;
    return min > chain.max ? QN_OK : chain_term(c, out, &chain);
}

enum qn_status qn_schema_array(struct qn_schema *c, uint32_t *out, const struct qn_demands *list) {
    struct qn_terms *t = c->t;
    uint32_t min, max, n = 0, item, rest, base = t->work.n;
    bool distinct = false;
    QN_TRY(limits(c, list, QN_KW_MIN_ITEMS, &min, &max));
    struct qn_keyword_iter it = qn_keyword_iterate(c, list);
    while (qn_keyword_each(&it)) {
        bool many = qn_json_type(it.value) == QN_JSON_ARRAY;
        uint32_t least = 1, most = UINT32_MAX;
        if (it.negated)
            continue;
        if (it.keyword == QN_KW_PREFIX_ITEMS || (it.keyword == QN_KW_ITEMS && many))
            n = qn_max_u32(n, qn_json_count(it.value));
        if (it.keyword == QN_KW_UNIQUE_ITEMS)
            distinct |= qn_json_type(it.value) == QN_JSON_TRUE;
        if (it.keyword != QN_KW_CONTAINS)
            continue;
        qn_json_u32(&least, qn_json_get(it.owner, "minContains"));
        qn_json_u32(&most, qn_json_get(it.owner, "maxContains"));
        if (most < least)
            min = QN_REP_MAX + 1;
        min = qn_max_u32(min, least);
        n = qn_max_u32(n, least);
    }
    *out = QN_TERM_EMPTY;
    if (n > NAMES_MAX)
        return qn_fail(c->err, QN_E_LIMIT, "a JSON schema with a list of %u items", n);
    if (min > max || min > QN_REP_MAX)
        return QN_OK;
    for (uint32_t i = 0; i < n && i < max; i++) {
        QN_TRY(item_term(c, &item, list, i));
        if (item == QN_TERM_EMPTY)
            max = i;
        else
            qn_vec_push(t, &t->work, item);
    }
    n = t->work.n - base;
    QN_TRY(item_term(c, &item, list, UINT32_MAX));
    if (item == QN_TERM_EMPTY)
        max = qn_min_u32(max, n);
    if (min > max) {
        t->work.n = base;
        return QN_OK;
    }
    if (distinct && max > 1) {
        t->work.n = base;
        if (n > 0)
            return qn_schema_unsupported(c, "uniqueItems beside prefixItems or contains");
        QN_TRY(unique(c, &rest, item, min, max));
        *out = bracketed(c, "[", rest, "]");
        return QN_OK;
    }
    /* From behind: what follows so many items. */
    rest = qn_term_rep(t, qn_term_cat(t, c->comma, item), min > n ? min - n : 0,
                       max == UINT32_MAX ? max : max - n);
    if (n == 0) {
        if (max > 0)
            rest = qn_term_cat(
                t, item, qn_term_rep(t, qn_term_cat(t, c->comma, item), less(min), less(max)));
        if (min == 0)
            rest = qn_term_or(t, QN_TERM_EPS, max > 0 ? rest : QN_TERM_EPS);
    }
    for (uint32_t i = n; i-- > 0;) {
        uint32_t one = t->work.p[base + i];
        rest = qn_term_cat(t, i > 0 ? qn_term_cat(t, c->comma, one) : one, rest);
        if (i >= min)
            rest = qn_term_or(t, QN_TERM_EPS, rest);
    }
    t->work.n = base;
    *out = bracketed(c, "[", rest, "]");
    return qn_terms_report(t, c->err);
}

/* ---- Objects ------------------------------------------------------------------------------- */

struct name {
    struct qn_json_value key; // where it is written
    struct qn_str text;
    bool required, forbidden;
};

struct object {
    struct qn_schema *c;
    const struct qn_demands *list;
    struct name *names;
    uint32_t n, capacity;
    struct {
        uint32_t schema, key; // nodes: owner, and key in its patternProperties
        uint32_t term;        // of names, with quotes
    } patterns[PATTERNS_MAX];
    uint32_t n_patterns;
    uint32_t lawful; // names that propertyNames allow, with quotes
};

static enum qn_status add_name(struct object *o, struct name **out, struct qn_json_value key) {
    struct qn_schema *c = o->c;
    struct qn_str text;
    if (qn_json_type(key) != QN_JSON_STRING)
        return qn_schema_bad(c, "required", "a list of strings");
    if (!qn_json_string(&text, c->arena, key))
        return qn_schema_no_memory(c);
    qn_terms_spend(c->t, 4 * o->n); // of this search and of the one for its schema
    for (uint32_t i = 0; i < o->n; i++) {
        *out = &o->names[i];
        if (qn_str_eq(o->names[i].text, text))
            return QN_OK;
    }
    if (o->n == o->capacity) {
        uint32_t capacity = o->capacity ? o->capacity * 2 : 16;
        if (capacity > NAMES_MAX)
            return qn_fail(c->err, QN_E_LIMIT, "a JSON schema with more than %u properties", o->n);
        struct name *names = QN_ARENA_NEW(c->arena, struct name, capacity);
        if (names == NULL)
            return qn_schema_no_memory(c);
        if (o->n > 0)
            memcpy(names, o->names, o->n * sizeof *names);
        o->names = names;
        o->capacity = capacity;
    }
    *out = &o->names[o->n++];
    **out = (struct name){.key = key, .text = text};
    return QN_OK;
}

static enum qn_status collect(struct object *o) {
    struct qn_schema *c = o->c;
    struct qn_demands lawful = {0};
    struct name *name;
    struct qn_keyword_iter it = qn_keyword_iterate(c, o->list);
    while (qn_keyword_each(&it)) {
        struct qn_json_iter inner = qn_json_iterate(it.value);
        enum qn_json_type type = qn_json_type(it.value);
        if (it.negated)
            continue;
        bool named = it.keyword == QN_KW_PROPERTIES || it.keyword == QN_KW_PATTERN_PROPERTIES;
        if (it.keyword == QN_KW_PROPERTY_NAMES)
            QN_TRY(qn_schema_demand(c, &lawful, QN_WANT_SCHEMA, it.value.at, 0));
        if ((named && type != QN_JSON_OBJECT) ||
            (it.keyword == QN_KW_REQUIRED && type != QN_JSON_ARRAY))
            return qn_schema_bad(c, qn_keyword_name(it.keyword), named ? "an object" : "a list");
        while (named && qn_json_each(&inner)) {
            if (it.keyword == QN_KW_PROPERTIES) {
                QN_TRY(add_name(o, &name, inner.key));
                continue;
            }
            if (o->n_patterns == PATTERNS_MAX)
                return qn_schema_unsupported(c, "patternProperties with so many patterns");
            o->patterns[o->n_patterns].schema = it.owner.at;
            o->patterns[o->n_patterns].key = inner.key.at;
            QN_TRY(qn_schema_pattern(c, &o->patterns[o->n_patterns++].term, inner.key));
        }
    }
    it = qn_keyword_iterate(c, o->list); // behind those that have a place of their own
    while (qn_keyword_each(&it)) {
        struct qn_json_iter inner = qn_json_iterate(it.value);
        while (it.keyword == QN_KW_REQUIRED && !it.negated && qn_json_each(&inner)) {
            QN_TRY(add_name(o, &name, inner.value));
            name->required = true;
        }
    }
    for (uint32_t i = 0; i < o->list->n; i++) {
        struct qn_demand d = o->list->p[i];
        if (d.kind == QN_WANT_KEY || d.kind == QN_WANT_NO_KEY) {
            QN_TRY(add_name(o, &name, qn_schema_value(c, d.at)));
            *(d.kind == QN_WANT_KEY ? &name->required : &name->forbidden) = true;
        } else if (d.kind == QN_WANT_PROP || d.kind == QN_WANT_PROP_NOT) {
            QN_TRY(add_name(o, &name, qn_schema_value(c, d.key)));
        }
    }
    o->lawful = QN_TERM_ALL;
    if (lawful.n == 0)
        return QN_OK;
    QN_TRY(qn_schema_demand(c, &lawful, QN_WANT_NAME, 0, 0));
    QN_TRY(qn_schema_compile(c, &o->lawful, lawful.p, lawful.n));
    return qn_term_calls(c->t, o->lawful) ? qn_schema_unsupported(c, "propertyNames, recursive")
                                          : QN_OK;
}

static bool matches(struct qn_schema *c, uint32_t names, uint32_t quoted) {
    return qn_term_live(c->t, qn_term_and(c->t, names, quoted));
}

/* Demands on the value of a property: of a name, or, where `name` is NULL, of all names that match
 * the patterns in `set` and no others. */
static enum qn_status value_demands(struct object *o, struct qn_demands *out,
                                    const struct name *name, uint32_t set) {
    struct qn_schema *c = o->c;
    for (uint32_t i = 0; i < o->list->n; i++) {
        struct qn_demand d = o->list->p[i];
        struct qn_json_value schema = qn_schema_value(c, d.at), one;
        if (name && (d.kind == QN_WANT_PROP || d.kind == QN_WANT_PROP_NOT)) {
            struct qn_str key;
            if (!qn_json_string(&key, c->arena, qn_schema_value(c, d.key)))
                return qn_schema_no_memory(c);
            if (qn_str_eq(key, name->text))
                QN_TRY(qn_schema_demand(
                    c, out, d.kind == QN_WANT_PROP ? QN_WANT_SCHEMA : QN_WANT_NOT, d.at, 0));
        }
        if (d.kind != QN_WANT_SCHEMA || qn_json_type(schema) != QN_JSON_OBJECT)
            continue;
        bool known = false;
        one = name ? qn_json_get_str(qn_json_get(schema, "properties"), name->text)
                   : (struct qn_json_value){0};
        if (qn_json_exists(one)) {
            known = true;
            QN_TRY(qn_schema_demand(c, out, QN_WANT_SCHEMA, one.at, 0));
        }
        for (uint32_t k = 0; k < o->n_patterns; k++) {
            if (o->patterns[k].schema != d.at || !(set >> k & 1))
                continue;
            known = true;
            QN_TRY(qn_schema_demand(c, out, QN_WANT_SCHEMA, o->patterns[k].key + 1, 0));
        }
        one = qn_json_get(schema, "additionalProperties");
        if (!known && qn_json_exists(one))
            QN_TRY(qn_schema_demand(c, out, QN_WANT_SCHEMA, one.at, 0));
    }
    return QN_OK;
}

/* One property: its name, a colon, its value. EMPTY when it cannot be. */
static enum qn_status named_term(struct object *o, uint32_t *out, const struct name *name) {
    struct qn_schema *c = o->c;
    struct qn_demands list = {0};
    uint32_t set = 0, quoted, value;
    *out = QN_TERM_EMPTY;
    if (name->forbidden)
        return QN_OK;
    QN_TRY(qn_schema_quoted(c, &quoted, name->key, QN_TERM_EPS));
    if (o->lawful != QN_TERM_ALL && !matches(c, o->lawful, quoted))
        return qn_terms_report(c->t, c->err);
    for (uint32_t k = 0; k < o->n_patterns; k++)
        set |= (uint32_t)matches(c, o->patterns[k].term, quoted) << k;
    QN_TRY(value_demands(o, &list, name, set));
    QN_TRY(qn_schema_compile(c, &value, list.p, list.n));
    return qn_schema_quoted(c, out, name->key, qn_term_cat(c->t, c->colon, value));
}

/* Properties with other names, by the patterns that these match. */
static enum qn_status unnamed(struct object *o, uint32_t *out) {
    struct qn_schema *c = o->c;
    struct qn_terms *t = c->t;
    uint32_t names = QN_TERM_EMPTY, one, value, base = t->work.n;
    for (uint32_t i = 0; i < o->n; i++) {
        QN_TRY(qn_schema_quoted(c, &one, o->names[i].key, QN_TERM_EPS));
        qn_vec_push(t, &t->work, one);
    }
    names = qn_term_join(t, QN_T_OR, base);
    for (uint32_t set = 0; set < 1u << o->n_patterns; set++) {
        struct qn_demands list = {0};
        bool free = o->n == 0 && o->n_patterns == 0 && o->lawful == QN_TERM_ALL;
        uint32_t quote = qn_term_range(t, '"', '"');
        uint32_t inner = qn_term_rep(t, free ? c->g->string_char : c->any_char, 0, UINT32_MAX);
        uint32_t key = qn_term_cat(t, quote, qn_term_cat(t, inner, quote));
        key = qn_term_and(t, qn_term_and(t, key, o->lawful), qn_term_not(t, names));
        for (uint32_t k = 0; k < o->n_patterns; k++)
            key = qn_term_and(
                t, key, set >> k & 1 ? o->patterns[k].term : qn_term_not(t, o->patterns[k].term));
        key = qn_term_lex(t, key);
        if (key == QN_TERM_EMPTY)
            continue;
        QN_TRY(value_demands(o, &list, NULL, set));
        QN_TRY(qn_schema_compile(c, &value, list.p, list.n));
        qn_vec_push(t, &t->work, qn_term_cat(t, key, qn_term_cat(t, c->colon, value)));
    }
    *out = qn_term_join(t, QN_T_OR, base);
    return qn_terms_report(t, c->err);
}

enum qn_status qn_schema_object(struct qn_schema *c, uint32_t *out, const struct qn_demands *list) {
    struct object o = {.c = c, .list = list};
    struct chain chain = {0};
    QN_TRY(limits(c, list, QN_KW_MIN_PROPERTIES, &chain.min, &chain.max));
    QN_TRY(collect(&o));
    *out = QN_TERM_EMPTY;
    uint32_t *items = QN_ARENA_NEW(c->arena, uint32_t, o.n), term;
    bool *required = QN_ARENA_NEW(c->arena, bool, o.n);
    if (!items || !required)
        return qn_schema_no_memory(c);
    for (uint32_t i = 0; i < o.n; i++) {
        QN_TRY(named_term(&o, &term, &o.names[i]));
        if (term == QN_TERM_EMPTY && o.names[i].required)
            return QN_OK;
        if (term == QN_TERM_EMPTY)
            continue;
        items[chain.n] = term;
        required[chain.n++] = o.names[i].required;
    }
    uint32_t always = 0;
    for (uint32_t i = 0; i < chain.n; i++)
        always += required[i];
    QN_TRY(unnamed(&o, &chain.more));
    chain.items = items;
    chain.required = required;
    chain.min = chain.min <= always ? 0 : chain.min;
    /* Names that are made up may come twice, which then count once. */
    bool doubtful = chain.more != QN_TERM_EMPTY && chain.min > 1;
    if (doubtful)
        chain.more = QN_TERM_EMPTY;
    else if (chain.more == QN_TERM_EMPTY && chain.max >= chain.n)
        chain.max = UINT32_MAX;
    if (chain.more == QN_TERM_EMPTY && chain.min > chain.n)
        return doubtful ? qn_schema_unsupported(c, "minProperties beyond the properties it names")
                        : QN_OK;
    if (chain.min > chain.max)
        return QN_OK;
    chain.max = chain.max > QN_REP_MAX ? UINT32_MAX : chain.max;
    QN_TRY(chain_term(c, &term, &chain));
    *out = bracketed(c, "{", term, "}");
    return qn_terms_report(c->t, c->err);
}
