#include "constrain/schema.h"

#include <string.h>

#include "base/num.h"
#include "constrain/regex.h"

#define DEPTH_MAX 90
#define LEAF_STEPS 25000u // steps of work that values of one kind take at least
#define PLACE_STEPS 1000u // and any list of demands
#define CHOICES_MAX 64

struct qn_schema_memo {
    struct qn_demand *p;
    uint32_t n, hash;
    uint32_t term; // QN_TERM_NONE: being made
    uint32_t rule; // QN_TERM_NONE: not called
};

static enum qn_status copy_list(struct qn_schema *c, struct qn_demands *out,
                                const struct qn_demands *list) {
    *out = (struct qn_demands){.capacity = list->n + 8};
    out->p = QN_ARENA_NEW(c->arena, struct qn_demand, out->capacity);
    if (out->p == NULL)
        return qn_schema_no_memory(c);
    if (list->n > 0)
        memcpy(out->p, list->p, list->n * sizeof *list->p);
    out->n = list->n;
    return QN_OK;
}

/* ---- References ---------------------------------------------------------------------------- */

/* ~0 and ~1 of a JSON pointer, %xx of a URI. */
static void unescape(struct qn_buf *out, struct qn_str s) {
    for (size_t i = 0; i < s.n; i++) {
        uint32_t ch = (unsigned char)s.p[i];
        if (ch == '%' && qn_str_hex(&ch, s, i + 1, 2))
            i += 2;
        qn_buf_char(out, (char)ch);
    }
    size_t n = 0;
    for (size_t i = 0; i < out->n; i++) {
        char ch = out->p[i];
        if (ch == '~' && i + 1 < out->n && (out->p[i + 1] | 1) == '1')
            ch = out->p[++i] == '0' ? '~' : '/';
        out->p[n++] = ch;
    }
    out->n = n;
}

static enum qn_status follow(struct qn_schema *c, struct qn_json_value *v, struct qn_str pointer) {
    while (pointer.n > 0 && qn_json_exists(*v)) {
        size_t end = qn_str_find(pointer, QN_STR("/"), 1);
        struct qn_str raw = qn_str_slice(pointer, 1, qn_min_size(end, pointer.n));
        struct qn_buf key;
        uint64_t index;
        pointer = qn_str_slice(pointer, qn_min_size(end, pointer.n), pointer.n);
        qn_buf_init(&key, c->arena->allocator);
        unescape(&key, raw);
        struct qn_json_iter it = qn_json_iterate(*v);
        struct qn_json_value next = {0};
        bool number = qn_str_to_u64(&index, qn_buf_view(&key));
        for (uint64_t i = 0; qn_json_each(&it); i++) {
            struct qn_str name = {NULL, 0};
            if (it.object && !qn_json_string(&name, c->arena, it.key))
                key.failed = true;
            if (it.object ? qn_str_eq(name, qn_buf_view(&key)) : number && i == index)
                next = it.value;
        }
        *v = next;
        bool failed = key.failed;
        qn_buf_free(&key);
        if (failed)
            return qn_schema_no_memory(c);
    }
    return QN_OK;
}

/* The schema that a reference names: a pointer or an anchor within the root or within the innermost
 * schema around it that has an $id, or such a schema by its $id. */
static enum qn_status resolve(struct qn_schema *c, uint32_t *out, struct qn_json_value ref) {
    struct qn_str text;
    if (!qn_json_string(&text, c->arena, ref))
        return qn_json_type(ref) == QN_JSON_STRING ? qn_schema_no_memory(c)
                                                   : qn_schema_bad(c, "$ref", "a string");
    qn_terms_spend(c->t, c->json.n_nodes / 2);
    QN_TRY(qn_terms_report(c->t, c->err));
    size_t hash = qn_min_size(qn_str_find(text, QN_STR("#"), 0), text.n);
    struct qn_str id = qn_str_slice(text, 0, hash), fragment = qn_str_slice(text, hash, text.n);
    struct qn_json_value base = qn_json_root(&c->json), found = {0};
    for (uint32_t i = 0; i < c->json.n_nodes; i++) {
        struct qn_json_value own = qn_json_get(qn_schema_value(c, i), "$id");
        if (qn_json_type(own) != QN_JSON_STRING)
            continue;
        struct qn_str name = qn_json_raw(own);
        if (name.n > 0 && name.p[name.n - 1] == '#')
            name.n--;
        if (name.n > 0 && name.p[0] == '#')
            continue; // of draft 6 and 7: an anchor
        if (id.n > 0 ? qn_str_eq(name, id) : ref.at > i && ref.at < c->json.nodes[i].next) {
            base = qn_schema_value(c, i);
            found = base;
        }
    }
    if (id.n > 0 && !qn_json_exists(found))
        return qn_fail(c->err, QN_E_UNSUPPORTED,
                       "the JSON schema's $ref \"%.*s\": only schemas within the same document",
                       QN_STR_ARG(text));
    found = base;
    fragment = qn_str_slice(fragment, 1, fragment.n);
    if (fragment.n > 0 && fragment.p[0] == '/') {
        QN_TRY(follow(c, &found, fragment));
    } else if (fragment.n > 0) {
        found = (struct qn_json_value){0};
        for (uint32_t i = base.at; i < c->json.nodes[base.at].next; i++) {
            struct qn_json_value v = qn_schema_value(c, i);
            struct qn_json_value id_anchor = qn_json_get(v, "$id"); // of draft 6 and 7: "#name"
            struct qn_str old = qn_json_type(id_anchor) == QN_JSON_STRING ? qn_json_raw(id_anchor)
                                                                          : (struct qn_str){"", 0};
            struct qn_json_value anchor = qn_json_get(v, "$anchor");
            if ((qn_json_type(anchor) == QN_JSON_STRING &&
                 qn_str_eq(qn_json_raw(anchor), fragment)) ||
                (old.n > 1 && old.p[0] == '#' && qn_str_eq(qn_str_slice(old, 1, old.n), fragment)))
                found = v;
        }
    }
    if (!qn_json_exists(found))
        return qn_fail(c->err, QN_E_ARGUMENT, "the JSON schema's $ref \"%.*s\" leads nowhere",
                       QN_STR_ARG(text));
    *out = found.at;
    return QN_OK;
}

/* ---- Flattening ---------------------------------------------------------------------------- */

enum choice_kind { ANY, ONE, IF, REQUIRES, IMPLIES, NOT_ALL, NOT_KEYWORDS, NOT_PROPS, NOT_KEYS };

struct choice {
    enum choice_kind kind;
    uint32_t at, key;
};

struct expansion {
    struct qn_demands list;
    uint32_t done; // of the list: flattened
    struct choice choices[CHOICES_MAX];
    uint32_t n_choices;
    bool dead;
};

static enum qn_status choose(struct qn_schema *c, struct expansion *e, enum choice_kind kind,
                             uint32_t at, uint32_t key) {
    if (e->n_choices == CHOICES_MAX)
        return qn_fail(c->err, QN_E_LIMIT, "a JSON schema with more than %d choices at one place",
                       CHOICES_MAX);
    e->choices[e->n_choices++] = (struct choice){kind, at, key};
    return QN_OK;
}

/* All elements of an array, as demands. */
static enum qn_status each(struct qn_schema *c, struct qn_demands *list, enum qn_demand_kind kind,
                           struct qn_json_value array) {
    struct qn_json_iter it = qn_json_iterate(array);
    while (qn_json_each(&it))
        QN_TRY(qn_schema_demand(c, list, kind, it.value.at, 0));
    return QN_OK;
}

static enum qn_status flatten_schema(struct qn_schema *c, struct expansion *e,
                                     struct qn_json_value schema) {
    enum qn_json_type type = qn_json_type(schema);
    e->dead |= type == QN_JSON_FALSE;
    if (type != QN_JSON_OBJECT)
        return type == QN_JSON_TRUE || type == QN_JSON_FALSE
                   ? QN_OK
                   : qn_fail(c->err, QN_E_ARGUMENT,
                             "the JSON schema: expected an object or a boolean as a schema");
    struct qn_json_iter it = qn_json_iterate(schema), inner;
    while (qn_json_each(&it)) {
        enum qn_keyword keyword = qn_schema_keyword(it.key);
        struct qn_json_value v = it.value;
        uint32_t target;
        bool array = qn_json_type(v) == QN_JSON_ARRAY, object = qn_json_type(v) == QN_JSON_OBJECT;
        switch (keyword) {
        case QN_KW_REF:
            QN_TRY(resolve(c, &target, v));
            QN_TRY(qn_schema_demand(c, &e->list, QN_WANT_SCHEMA, target, 0));
            break;
        case QN_KW_ALL_OF:
        case QN_KW_ANY_OF:
        case QN_KW_ONE_OF:
            if (!array || qn_json_count(v) == 0)
                return qn_schema_bad(c, qn_keyword_name(keyword), "a list of schemas");
            if (keyword == QN_KW_ALL_OF || qn_json_count(v) == 1)
                QN_TRY(each(c, &e->list, QN_WANT_SCHEMA, v));
            else
                QN_TRY(choose(c, e, keyword == QN_KW_ANY_OF ? ANY : ONE, v.at, 0));
            break;
        case QN_KW_IF:
            if (qn_json_exists(qn_json_get(schema, "then")) ||
                qn_json_exists(qn_json_get(schema, "else")))
                QN_TRY(choose(c, e, IF, schema.at, 0));
            break;
        case QN_KW_NOT:
            c->negated = "not";
            QN_TRY(qn_schema_demand(c, &e->list, QN_WANT_NOT, v.at, 0));
            break;
        case QN_KW_DEPENDENT_REQUIRED:
        case QN_KW_DEPENDENT_SCHEMAS:
        case QN_KW_DEPENDENCIES:
            if (!object)
                return qn_schema_bad(c, qn_keyword_name(keyword), "an object");
            inner = qn_json_iterate(v);
            while (qn_json_each(&inner))
                QN_TRY(choose(c, e, qn_json_type(inner.value) == QN_JSON_ARRAY ? REQUIRES : IMPLIES,
                              inner.value.at, inner.key.at));
            break;
        case QN_KW_TYPE:
            if (qn_schema_types(v) == 0)
                return qn_schema_bad(c, "type", "names of types");
            break;
        case QN_KW_UNEVALUATED_PROPERTIES:
        case QN_KW_UNEVALUATED_ITEMS:
        case QN_KW_DYNAMIC_REF:
        case QN_KW_RECURSIVE_REF:
            if (qn_json_type(v) != QN_JSON_TRUE)
                return qn_schema_unsupported(c, qn_keyword_name(keyword));
            break;
        default:
            break;
        }
    }
    return QN_OK;
}

/* Not a schema: not one of its keywords. */
static enum qn_status flatten_not(struct qn_schema *c, struct expansion *e,
                                  struct qn_json_value schema) {
    enum qn_json_type type = qn_json_type(schema);
    uint32_t n = 0, one = 0;
    e->dead |= type == QN_JSON_TRUE;
    if (type == QN_JSON_FALSE)
        return QN_OK;
    struct qn_json_iter it = qn_json_iterate(schema);
    while (type == QN_JSON_OBJECT && qn_json_each(&it)) {
        if (qn_schema_keyword(it.key) == QN_KW_OTHER)
            continue;
        one = it.key.at;
        n++;
    }
    e->dead |= n == 0;
    if (n == 1)
        return qn_schema_demand(c, &e->list, QN_WANT_NOT_KEY, one, 0);
    return n == 0 ? QN_OK : choose(c, e, NOT_KEYWORDS, schema.at, 0);
}

static enum qn_status flatten_not_key(struct qn_schema *c, struct expansion *e, uint32_t key) {
    enum qn_keyword keyword = qn_schema_keyword(qn_schema_value(c, key));
    struct qn_json_value v = qn_schema_value(c, key + 1);
    uint32_t target, mask = 0;
    switch (keyword) {
    case QN_KW_REF:
        QN_TRY(resolve(c, &target, v));
        return qn_schema_demand(c, &e->list, QN_WANT_NOT, target, 0);
    case QN_KW_ALL_OF:
        return choose(c, e, NOT_ALL, v.at, 0);
    case QN_KW_ANY_OF:
        return each(c, &e->list, QN_WANT_NOT, v);
    case QN_KW_NOT:
        return qn_schema_demand(c, &e->list, QN_WANT_SCHEMA, v.at, 0);
    case QN_KW_TYPE:
        return qn_schema_demand(c, &e->list, QN_WANT_TYPES, QN_TYPE_ANY & ~qn_schema_types(v), 0);
    case QN_KW_PROPERTIES:
        return choose(c, e, NOT_PROPS, v.at, 0);
    case QN_KW_REQUIRED:
        return choose(c, e, NOT_KEYS, v.at, 0);
    case QN_KW_ENUM:
    case QN_KW_CONST:
        return QN_OK; // each type knows
    case QN_KW_MIN_LENGTH:
    case QN_KW_MAX_LENGTH:
    case QN_KW_PATTERN:
    case QN_KW_FORMAT:
        mask = QN_TYPE_STRING;
        break;
    case QN_KW_MINIMUM:
    case QN_KW_MAXIMUM:
    case QN_KW_EXCLUSIVE_MINIMUM:
    case QN_KW_EXCLUSIVE_MAXIMUM:
    case QN_KW_MULTIPLE_OF:
        mask = QN_TYPE_NUMBER;
        break;
    default:
        return qn_fail(c->err, QN_E_UNSUPPORTED, "the JSON schema's %s over %s", c->negated,
                       qn_keyword_name(keyword));
    }
    return qn_schema_demand(c, &e->list, QN_WANT_TYPES, mask, 0);
}

static enum qn_status flatten(struct qn_schema *c, struct expansion *e) {
    while (e->done < e->list.n && !e->dead) {
        struct qn_demand d = e->list.p[e->done++];
        if (d.kind == QN_WANT_SCHEMA)
            QN_TRY(flatten_schema(c, e, qn_schema_value(c, d.at)));
        else if (d.kind == QN_WANT_NOT)
            QN_TRY(flatten_not(c, e, qn_schema_value(c, d.at)));
        else if (d.kind == QN_WANT_NOT_KEY)
            QN_TRY(flatten_not_key(c, e, d.at));
    }
    return QN_OK;
}

/* ---- Choices ------------------------------------------------------------------------------- */

/* The types that a schema admits at most, without looking far. */
static uint32_t rough_types(struct qn_schema *c, struct qn_json_value schema, uint32_t depth) {
    struct qn_json_value type = qn_json_get(schema, "type"), ref = qn_json_get(schema, "$ref");
    uint32_t target;
    if (qn_json_exists(type))
        return qn_schema_types(type);
    if (qn_json_exists(ref) && depth < 8 && resolve(c, &target, ref) == QN_OK)
        return rough_types(c, qn_schema_value(c, target), depth + 1);
    return QN_TYPE_ANY;
}

/* Whether some value meets both of two schemas, as far as can be told. */
static enum qn_status overlap(struct qn_schema *c, bool *out, struct qn_json_value a,
                              struct qn_json_value b) {
    *out = (rough_types(c, a, 0) & rough_types(c, b, 0)) != 0;
    if (!*out)
        return QN_OK;
    struct qn_demand both[2] = {{QN_WANT_SCHEMA, a.at, 0}, {QN_WANT_SCHEMA, b.at, 0}};
    uint32_t term;
    QN_TRY(qn_schema_compile(c, &term, both, 2));
    *out = term != QN_TERM_EMPTY;
    return QN_OK;
}

/* The demands of option `i` of a choice; false when there is no such option. */
static enum qn_status option(struct qn_schema *c, struct qn_demands *list, bool *is,
                             const struct choice *choice, uint32_t i) {
    struct qn_json_value v = qn_schema_value(c, choice->at), one = {0}, key = {0};
    struct qn_json_iter it = qn_json_iterate(v);
    uint32_t at = 0;
    *is = i < 2;
    switch (choice->kind) {
    case IF:
        if (i > 1)
            return QN_OK;
        one = qn_json_get(v, "if");
        c->negated = "if";
        QN_TRY(qn_schema_demand(c, list, i ? QN_WANT_NOT : QN_WANT_SCHEMA, one.at, 0));
        one = qn_json_get(v, i ? "else" : "then");
        return qn_json_exists(one) ? qn_schema_demand(c, list, QN_WANT_SCHEMA, one.at, 0) : QN_OK;
    case REQUIRES:
    case IMPLIES:
        if (i == 0)
            return qn_schema_demand(c, list, QN_WANT_NO_KEY, choice->key, 0);
        if (i == 1 && choice->kind == REQUIRES)
            return each(c, list, QN_WANT_KEY, v);
        return i == 1 ? qn_schema_demand(c, list, QN_WANT_SCHEMA, v.at, 0) : QN_OK;
    default:
        break;
    }
    while (at <= i && qn_json_each(&it)) {
        at += choice->kind != NOT_KEYWORDS || qn_schema_keyword(it.key) != QN_KW_OTHER;
        one = it.value;
        key = it.key;
    }
    *is = at > i;
    if (!*is)
        return QN_OK;
    switch (choice->kind) {
    case ONE:
        it = qn_json_iterate(v);
        while (qn_json_each(&it)) {
            bool both = false;
            if (it.value.at != one.at)
                QN_TRY(overlap(c, &both, one, it.value));
            c->negated = "oneOf";
            if (both)
                QN_TRY(qn_schema_demand(c, list, QN_WANT_NOT, it.value.at, 0));
        }
        return qn_schema_demand(c, list, QN_WANT_SCHEMA, one.at, 0);
    case ANY:
        return qn_schema_demand(c, list, QN_WANT_SCHEMA, one.at, 0);
    case NOT_ALL:
        return qn_schema_demand(c, list, QN_WANT_NOT, one.at, 0);
    case NOT_KEYWORDS:
        return qn_schema_demand(c, list, QN_WANT_NOT_KEY, key.at, 0);
    case NOT_PROPS:
        QN_TRY(qn_schema_demand(c, list, QN_WANT_TYPES, QN_TYPE_OBJECT, 0));
        QN_TRY(qn_schema_demand(c, list, QN_WANT_KEY, key.at, 0));
        return qn_schema_demand(c, list, QN_WANT_PROP_NOT, one.at, key.at);
    default:
        QN_TRY(qn_schema_demand(c, list, QN_WANT_TYPES, QN_TYPE_OBJECT, 0));
        return qn_schema_demand(c, list, QN_WANT_NO_KEY, one.at, 0);
    }
}

static enum qn_status leaf(struct qn_schema *c, uint32_t *out, const struct qn_demands *list) {
    uint32_t base = c->t->work.n, types = qn_schema_leaf_types(c, list), term;
    bool listed;
    *out = QN_TERM_EMPTY;
    qn_terms_spend(c->t, LEAF_STEPS);
    QN_TRY(qn_terms_report(c->t, c->err));
    if (types == 0)
        return QN_OK;
    QN_TRY(qn_schema_listed(c, &term, &listed, list, types));
    qn_vec_push(c->t, &c->t->work, term);
    if (types & QN_TYPE_STRING) {
        QN_TRY(qn_schema_string(c, &term, list));
        qn_vec_push(c->t, &c->t->work, term);
    }
    if (types & QN_TYPE_NUMBER) {
        QN_TRY(qn_schema_number(c, &term, list, types));
        qn_vec_push(c->t, &c->t->work, term);
    }
    if (types & QN_TYPE_ARRAY && !listed) {
        QN_TRY(qn_schema_array(c, &term, list));
        qn_vec_push(c->t, &c->t->work, term);
    }
    if (types & QN_TYPE_OBJECT && !listed) {
        QN_TRY(qn_schema_object(c, &term, list));
        qn_vec_push(c->t, &c->t->work, term);
    }
    *out = qn_term_join(c->t, QN_T_OR, base);
    return qn_terms_report(c->t, c->err);
}

static enum qn_status expand(struct qn_schema *c, uint32_t *out, struct expansion *e) {
    *out = QN_TERM_EMPTY;
    if (c->depth >= DEPTH_MAX)
        return qn_fail(c->err, QN_E_LIMIT, "a JSON schema nested more than %d deep", DEPTH_MAX);
    QN_TRY(flatten(c, e));
    if (e->dead)
        return QN_OK;
    if (e->n_choices == 0)
        return leaf(c, out, &e->list);
    /* No longer on the stack, which the options' own expansions need. */
    struct choice choice = e->choices[--e->n_choices];
    uint32_t base = c->t->work.n, term;
    c->depth++;
    for (uint32_t i = 0;; i++) {
        struct expansion *one = QN_ARENA_NEW(c->arena, struct expansion, 1);
        bool is;
        if (one == NULL)
            return qn_schema_no_memory(c);
        qn_terms_spend(c->t, PLACE_STEPS + i);
        QN_TRY(qn_terms_report(c->t, c->err));
        *one = *e;
        QN_TRY(copy_list(c, &one->list, &e->list));
        QN_TRY(option(c, &one->list, &is, &choice, i));
        if (!is)
            break;
        QN_TRY(expand(c, &term, one));
        qn_vec_push(c->t, &c->t->work, term);
    }
    c->depth--;
    *out = qn_term_join(c->t, QN_T_OR, base);
    return qn_terms_report(c->t, c->err);
}

static uint32_t hash_demands(const struct qn_demand *p, uint32_t n) {
    uint32_t h = n;
    for (uint32_t i = 0; i < n; i++) {
        h = (h ^ (p[i].kind + p[i].at * 16)) * 0x9e3779b1u;
        h = (h ^ h >> 15 ^ p[i].key) * 0x85ebca6bu;
    }
    return h;
}

static bool before(const struct qn_demand *a, const struct qn_demand *b) {
    if (a->at != b->at)
        return a->at < b->at;
    return a->kind != b->kind ? a->kind < b->kind : a->key < b->key;
}

enum qn_status qn_schema_compile(struct qn_schema *c, uint32_t *out, const struct qn_demand *p,
                                 uint32_t n) {
    struct qn_demands list = {0};
    for (uint32_t i = 0; i < n; i++) // without repetitions, sorted
        QN_TRY(qn_schema_demand(c, &list, p[i].kind, p[i].at, p[i].key));
    for (uint32_t i = 1; i < list.n; i++) {
        struct qn_demand d = list.p[i];
        uint32_t j = i;
        for (; j > 0 && before(&d, &list.p[j - 1]); j--)
            list.p[j] = list.p[j - 1];
        list.p[j] = d;
    }
    uint32_t hash = hash_demands(list.p, list.n);
    qn_terms_spend(c->t, PLACE_STEPS + c->n_memos);
    QN_TRY(qn_terms_report(c->t, c->err));
    for (uint32_t i = 0; i < c->n_memos; i++) {
        struct qn_schema_memo *m = &c->memos[i];
        if (m->hash != hash || m->n != list.n ||
            (m->n > 0 && memcmp(m->p, list.p, m->n * sizeof *m->p) != 0))
            continue;
        if (m->term == QN_TERM_NONE && m->rule == QN_TERM_NONE)
            m->rule = qn_term_rule(c->t);
        *out = m->term == QN_TERM_NONE ? qn_term_call(c->t, m->rule) : m->term;
        return qn_terms_report(c->t, c->err);
    }
    if (c->n_memos == c->cap_memos) {
        uint32_t capacity = c->cap_memos ? c->cap_memos * 2 : 64;
        struct qn_schema_memo *memos = QN_ARENA_NEW(c->arena, struct qn_schema_memo, capacity);
        if (memos == NULL)
            return qn_schema_no_memory(c);
        if (c->n_memos > 0)
            memcpy(memos, c->memos, c->n_memos * sizeof *memos);
        c->memos = memos;
        c->cap_memos = capacity;
    }
    uint32_t memo = c->n_memos++;
    struct expansion *e = QN_ARENA_NEW(c->arena, struct expansion, 1);
    if (e == NULL)
        return qn_schema_no_memory(c);
    QN_TRY(copy_list(c, &e->list, &list));
    c->memos[memo] = (struct qn_schema_memo){list.p, list.n, hash, QN_TERM_NONE, QN_TERM_NONE};
    c->depth++;
    QN_TRY(expand(c, out, e));
    c->depth--;
    struct qn_schema_memo *m = &c->memos[memo];
    if (m->rule != QN_TERM_NONE) {
        c->t->rules.p[m->rule] = *out;
        if (*out != QN_TERM_EMPTY)
            *out = qn_term_call(c->t, m->rule);
    }
    m->term = *out;
    return qn_terms_report(c->t, c->err);
}

enum qn_status qn_schema_term(struct qn_grammar *g, uint32_t *out, struct qn_arena *scratch,
                              struct qn_str schema, uint32_t whitespace, struct qn_error *err) {
    struct qn_terms *t = &g->terms;
    struct qn_schema c = {.g = g, .t = t, .arena = scratch, .err = err};
    struct qn_chars all = {.arena = scratch};
    QN_TRY(qn_json_parse(&c.json, scratch, schema, err));
    uint32_t space = qn_term_range(t, ' ', ' ');
    uint32_t line = qn_term_text(t, QN_STR("\n"), qn_term_rep(t, space, 0, whitespace - 1));
    c.ws = whitespace == 0 ? QN_TERM_EPS : qn_term_rep(t, qn_term_or(t, space, line), 0, 1);
    c.comma = qn_term_text(t, QN_STR(","), c.ws);
    c.colon = qn_term_text(t, QN_STR(":"), c.ws);
    qn_chars_negate(&all); // of nothing
    g->any_char = c.any_char = qn_chars_term(t, &all, true);
    if (all.failed)
        return qn_schema_no_memory(&c);
    if (g->string_char == QN_TERM_NONE)
        QN_TRY(qn_regex_term(
            t, &g->string_char, scratch,
            QN_STR("[^\\0-\\x1f\"\\\\]|\\\\(?:[\"\\\\/bfnrt]|u(?:[0-9a-cefA-CEF][0-9a-fA-F]{3}|"
                   "[dD](?:[0-7][0-9a-fA-F]{2}|[89abAB][0-9a-fA-F]{2}\\\\u[dD][c-fC-F]"
                   "[0-9a-fA-F]{2})))"),
            QN_REGEX_WHOLE, err));
    struct qn_demand root = {QN_WANT_SCHEMA, 0, 0};
    return qn_schema_compile(&c, out, &root, 1);
}
