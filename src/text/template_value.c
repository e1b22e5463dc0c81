/* Values: truth, equality, order, membership, conversion from JSON. */
#include "text/template_internal.h"

const char *qn_tval_type(const struct qn_tval *v) {
    switch (v->kind) {
    case QN_TVAL_UNDEFINED:
        return "Undefined";
    case QN_TVAL_NONE:
        return "None";
    case QN_TVAL_BOOL:
        return "bool";
    case QN_TVAL_INT:
    case QN_TVAL_BIGINT:
        return "int";
    case QN_TVAL_FLOAT:
        return "float";
    case QN_TVAL_STR:
        return "str";
    case QN_TVAL_LIST:
        return "list";
    case QN_TVAL_TUPLE:
        return "tuple";
    case QN_TVAL_GENERATOR:
        return "generator";
    case QN_TVAL_DICT:
        return "dict";
    case QN_TVAL_NAMESPACE:
        return "Namespace";
    case QN_TVAL_LOOP:
        return "LoopContext";
    case QN_TVAL_MACRO:
        return "Macro";
    default:
        return "function";
    }
}

struct qn_tval qn_tval_undefined(const struct qn_tval *object, struct qn_str name) {
    struct qn_tval v = {.kind = QN_TVAL_UNDEFINED, .n = (uint32_t)name.n, .as.p = name.p};
    v.flags = object->kind == QN_TVAL_MISSING ? 0 : (uint8_t)(object->kind + 1);
    return v;
}

enum qn_status qn_tval_fail_undefined(struct qn_tctx *ctx, const struct qn_tval *v) {
    struct qn_str name = qn_tval_text(*v);
    if (v->flags == 0)
        return qn_tfail(&ctx->site, "'%.*s' is undefined", QN_STR_ARG(name));
    struct qn_tval object = {.kind = (uint8_t)(v->flags - 1)};
    return qn_tfail(&ctx->site, "'%s object' has no attribute '%.*s'", qn_tval_type(&object),
                    QN_STR_ARG(name));
}

bool qn_tval_as_int(int64_t *out, const struct qn_tval *v) {
    if (v->kind != QN_TVAL_INT && v->kind != QN_TVAL_BOOL)
        return false;
    *out = v->kind == QN_TVAL_INT ? v->as.i : v->as.b;
    return true;
}

bool qn_tval_as_float(double *out, const struct qn_tval *v) {
    int64_t i;
    if (v->kind == QN_TVAL_FLOAT)
        *out = v->as.f;
    else if (qn_tval_as_int(&i, v))
        *out = (double)i;
    else
        return v->kind == QN_TVAL_BIGINT && qn_tnum_parse_f64(out, qn_tval_text(*v));
    return true;
}

enum qn_status qn_tval_truth(struct qn_tctx *ctx, bool *out, const struct qn_tval *v) {
    (void)ctx;
    switch (v->kind) {
    case QN_TVAL_MISSING:
    case QN_TVAL_UNDEFINED:
    case QN_TVAL_NONE:
        *out = false;
        break;
    case QN_TVAL_BOOL:
        *out = v->as.b;
        break;
    case QN_TVAL_INT:
        *out = v->as.i != 0;
        break;
    case QN_TVAL_FLOAT:
        *out = v->as.f != 0;
        break;
    case QN_TVAL_STR:
        *out = v->n != 0;
        break;
    case QN_TVAL_LIST:
    case QN_TVAL_TUPLE:
        *out = v->as.list->n != 0;
        break;
    case QN_TVAL_DICT:
        *out = v->as.dict->n != 0;
        break;
    default:
        *out = true;
        break;
    }
    return QN_OK;
}

bool qn_tval_flag(const struct qn_tval *v, bool otherwise) {
    bool truth = otherwise;
    if (qn_tval_given(*v))
        (void)qn_tval_truth(NULL, &truth, v);
    return truth;
}

static bool is_number(const struct qn_tval *v) {
    return v->kind == QN_TVAL_INT || v->kind == QN_TVAL_BOOL || v->kind == QN_TVAL_FLOAT ||
           v->kind == QN_TVAL_BIGINT;
}

/* -1, 0, 1; 2 when a NaN is among them. */
static int compare_numbers(const struct qn_tval *a, const struct qn_tval *b) {
    int64_t i, j;
    if (qn_tval_as_int(&i, a) && qn_tval_as_int(&j, b))
        return (i > j) - (i < j);
    if (a->kind == QN_TVAL_BIGINT && b->kind == QN_TVAL_BIGINT &&
        qn_str_eq(qn_tval_text(*a), qn_tval_text(*b)))
        return 0;
    double x = 0, y = 0;
    (void)qn_tval_as_float(&x, a);
    (void)qn_tval_as_float(&y, b);
    if (x != x || y != y)
        return 2;
    return (x > y) - (x < y);
}

static enum qn_status equal_items(struct qn_tctx *ctx, bool *out, struct qn_tlist *a,
                                  struct qn_tlist *b) {
    *out = a == b || a->n == b->n;
    for (uint32_t i = 0; a != b && *out && i < a->n && i < b->n; i++)
        QN_TRY(qn_tval_equal(ctx, out, &a->items[i], &b->items[i]));
    return QN_OK;
}

static enum qn_status equal_dicts(struct qn_tctx *ctx, bool *out, struct qn_tdict *a,
                                  struct qn_tdict *b) {
    *out = a == b || a->n == b->n;
    for (uint32_t i = 0; a != b && *out && i < a->n; i++) {
        struct qn_tval *other;
        QN_TRY(qn_tdict_get(ctx, &other, b, &a->entries[i].key));
        *out = other != NULL;
        if (other)
            QN_TRY(qn_tval_equal(ctx, out, &a->entries[i].value, other));
    }
    return QN_OK;
}

enum qn_status qn_tval_equal(struct qn_tctx *ctx, bool *out, const struct qn_tval *a,
                             const struct qn_tval *b) {
    *out = false;
    QN_TRY(qn_tctx_spend(ctx, 1));
    if (is_number(a) && is_number(b)) {
        *out = compare_numbers(a, b) == 0;
        return QN_OK;
    }
    if (a->kind != b->kind)
        return QN_OK;
    switch (a->kind) {
    case QN_TVAL_UNDEFINED:
    case QN_TVAL_NONE:
        *out = true;
        return QN_OK;
    case QN_TVAL_STR:
        QN_TRY(qn_tctx_spend(ctx, a->n == b->n ? a->n / 256 : 0));
        *out = qn_str_eq(qn_tval_text(*a), qn_tval_text(*b));
        return QN_OK;
    case QN_TVAL_LIST:
    case QN_TVAL_TUPLE:
    case QN_TVAL_DICT:
        QN_TRY(qn_tctx_enter(ctx));
        QN_TRY(a->kind == QN_TVAL_DICT ? equal_dicts(ctx, out, a->as.dict, b->as.dict)
                                       : equal_items(ctx, out, a->as.list, b->as.list));
        ctx->nest--;
        return QN_OK;
    case QN_TVAL_BOUND:
        *out = a->as.bound == b->as.bound;
        return QN_OK;
    case QN_TVAL_FUNCTION:
        *out = a->as.func == b->as.func;
        return QN_OK;
    default:
        *out = a->as.list == b->as.list;
        return QN_OK; // by identity
    }
}

static int compare_text(struct qn_str a, struct qn_str b) {
    int order = memcmp(a.p, b.p, qn_min_size(a.n, b.n));
    return order ? order : (a.n > b.n) - (a.n < b.n);
}

enum qn_status qn_tval_compare(struct qn_tctx *ctx, int *out, const struct qn_tval *a,
                               const struct qn_tval *b) {
    QN_TRY(qn_tctx_spend(ctx, 1));
    if (is_number(a) && is_number(b)) {
        *out = compare_numbers(a, b);
        return QN_OK;
    }
    if (a->kind == QN_TVAL_UNDEFINED)
        return qn_tval_fail_undefined(ctx, a);
    if (b->kind == QN_TVAL_UNDEFINED)
        return qn_tval_fail_undefined(ctx, b);
    if (a->kind == QN_TVAL_STR && b->kind == QN_TVAL_STR) {
        QN_TRY(qn_tctx_spend(ctx, qn_min_size(a->n, b->n) / 256));
        *out = compare_text(qn_tval_text(*a), qn_tval_text(*b));
        return QN_OK;
    }
    if (a->kind != b->kind || (a->kind != QN_TVAL_LIST && a->kind != QN_TVAL_TUPLE))
        return qn_tfail(&ctx->site, "%s and %s cannot be ordered", qn_tval_type(a),
                        qn_tval_type(b));
    struct qn_tlist *la = a->as.list, *lb = b->as.list;
    QN_TRY(qn_tctx_enter(ctx));
    *out = (la->n > lb->n) - (la->n < lb->n);
    for (uint32_t i = 0; i < la->n && i < lb->n; i++) {
        bool same;
        QN_TRY(qn_tval_equal(ctx, &same, &la->items[i], &lb->items[i]));
        if (!same) {
            QN_TRY(qn_tval_compare(ctx, out, &la->items[i], &lb->items[i]));
            break;
        }
    }
    ctx->nest--;
    return QN_OK;
}

enum qn_status qn_tval_contains(struct qn_tctx *ctx, bool *out, const struct qn_tval *all,
                                const struct qn_tval *v) {
    size_t at;
    struct qn_tval *found;
    *out = false;
    switch (all->kind) {
    case QN_TVAL_UNDEFINED:
        return QN_OK; // empty when iterated over
    case QN_TVAL_STR:
        if (v->kind == QN_TVAL_UNDEFINED)
            return qn_tval_fail_undefined(ctx, v);
        if (v->kind != QN_TVAL_STR)
            return qn_tfail(&ctx->site, "'in' a string needs a string, not %s", qn_tval_type(v));
        QN_TRY(qn_tstr_find(ctx, &at, all, qn_tval_text(*v), 0));
        *out = at != SIZE_MAX;
        return QN_OK;
    case QN_TVAL_LIST:
    case QN_TVAL_TUPLE:
    case QN_TVAL_GENERATOR:
        for (uint32_t i = all->as.list->at; i < all->as.list->n && !*out; i++)
            QN_TRY(qn_tval_equal(ctx, out, &all->as.list->items[i], v));
        return QN_OK;
    case QN_TVAL_DICT:
        QN_TRY(qn_tdict_get(ctx, &found, all->as.dict, v));
        *out = found != NULL;
        return QN_OK;
    default:
        return qn_tfail(&ctx->site, "%s cannot contain anything", qn_tval_type(all));
    }
}

enum qn_status qn_tval_length(struct qn_tctx *ctx, int64_t *out, const struct qn_tval *v) {
    switch (v->kind) {
    case QN_TVAL_UNDEFINED:
        *out = 0;
        return QN_OK;
    case QN_TVAL_STR:
        return qn_tstr_length(ctx, out, v);
    case QN_TVAL_LIST:
    case QN_TVAL_TUPLE:
        *out = v->as.list->n;
        return QN_OK;
    case QN_TVAL_DICT:
        *out = v->as.dict->n;
        return QN_OK;
    case QN_TVAL_LOOP:
        *out = v->as.loop->n;
        return QN_OK;
    default:
        return qn_tfail(&ctx->site, "%s has no length", qn_tval_type(v));
    }
}

struct qn_tval qn_tlist_value(struct qn_tlist *list, enum qn_tkind kind) {
    return (struct qn_tval){.kind = (uint8_t)kind, .as.list = list};
}

enum qn_status qn_tlist_new(struct qn_tctx *ctx, struct qn_tlist **out, uint32_t capacity) {
    void *list, *items;
    QN_TRY(qn_tctx_alloc(ctx, &list, 1, sizeof(struct qn_tlist)));
    *out = list;
    if (capacity) {
        QN_TRY(qn_tctx_alloc(ctx, &items, capacity, sizeof(struct qn_tval)));
        (*out)->items = items;
        (*out)->capacity = capacity;
    }
    return QN_OK;
}

enum qn_status qn_tlist_push(struct qn_tctx *ctx, struct qn_tlist *list, const struct qn_tval *v) {
    if (list->n == list->capacity) {
        void *items;
        uint32_t capacity = list->capacity ? list->capacity * 2 : 4; // the limit stops it far below
        QN_TRY(qn_tctx_alloc(ctx, &items, capacity, sizeof(struct qn_tval)));
        if (list->n)
            memcpy(items, list->items, list->n * sizeof(struct qn_tval));
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->n++] = *v;
    return QN_OK;
}

enum qn_status qn_tval_iterate(struct qn_tctx *ctx, struct qn_tlist **out,
                               const struct qn_tval *v) {
    struct qn_tlist *list;
    switch (v->kind) {
    case QN_TVAL_UNDEFINED:
        return qn_tlist_new(ctx, out, 0);
    case QN_TVAL_STR:
        return qn_tstr_chars(ctx, out, v);
    case QN_TVAL_TUPLE:
        *out = v->as.list;
        return QN_OK;
    case QN_TVAL_LIST: // a copy, as the body may change the list
    case QN_TVAL_GENERATOR:
        list = v->as.list;
        if (list->broken)
            return qn_tfail(&ctx->site, "the source of a generator cannot be iterated over");
        QN_TRY(qn_tctx_spend(ctx, list->n / 16));
        QN_TRY(qn_tlist_new(ctx, out, list->n - list->at));
        (*out)->n = list->n - list->at;
        if ((*out)->n)
            memcpy((*out)->items, list->items + list->at, (*out)->n * sizeof(struct qn_tval));
        if (v->kind == QN_TVAL_GENERATOR)
            list->at = list->n;
        return QN_OK;
    case QN_TVAL_DICT:
        QN_TRY(qn_tctx_spend(ctx, v->as.dict->n / 16));
        QN_TRY(qn_tlist_new(ctx, out, v->as.dict->n));
        for (uint32_t i = 0; i < v->as.dict->n; i++)
            QN_TRY(qn_tlist_push(ctx, *out, &v->as.dict->entries[i].key));
        return QN_OK;
    default:
        return qn_tfail(&ctx->site, "%s cannot be iterated over", qn_tval_type(v));
    }
}

/* Nesting is bounded by the JSON reader, and counted all the same. */
enum qn_status qn_tval_from_json(struct qn_tctx *ctx, struct qn_tval *out,
                                 struct qn_json_value json, bool tainted) {
    struct qn_json_iter it = qn_json_iterate(json);
    struct qn_str text;
    QN_TRY(qn_tctx_enter(ctx));
    switch (qn_json_type(json)) {
    case QN_JSON_NULL:
        *out = qn_tval_none();
        break;
    case QN_JSON_FALSE:
    case QN_JSON_TRUE:
        *out = qn_tval_bool(qn_json_type(json) == QN_JSON_TRUE);
        break;
    case QN_JSON_NUMBER: {
        int64_t i;
        double f;
        text = qn_json_source(json);
        bool integer = true;
        for (size_t at = 0; at < text.n; at++)
            if (text.p[at] == '.' || text.p[at] == 'e' || text.p[at] == 'E')
                integer = false;
        if (integer && qn_tnum_parse_i64(&i, text, 10))
            *out = qn_tval_int(i);
        else if (integer)
            *out = (struct qn_tval){.kind = QN_TVAL_BIGINT, .n = (uint32_t)text.n, .as.p = text.p};
        else if (qn_tnum_parse_f64(&f, text))
            *out = qn_tval_float(f);
        else
            *out = qn_tval_float(text.p[0] == '-' ? -__builtin_inf() : __builtin_inf());
        break;
    }
    case QN_JSON_STRING:
        text = qn_json_raw(json);
        if (text.n && memchr(text.p, '\\', text.n)) {
            if (ctx->values.used > ctx->limits.memory - qn_min_size(text.n, ctx->limits.memory))
                return qn_tfail_as(&ctx->site, QN_E_LIMIT, "the messages are too long");
            if (!qn_json_string(&text, &ctx->values, json))
                return qn_tfail_memory(&ctx->site);
        }
        *out = qn_tval_str(text);
        out->as.taint = tainted ? qn_taint_all : NULL;
        break;
    case QN_JSON_ARRAY: {
        struct qn_tlist *list;
        QN_TRY(qn_tlist_new(ctx, &list, qn_json_count(json)));
        while (qn_json_each(&it)) {
            struct qn_tval item;
            QN_TRY(qn_tval_from_json(ctx, &item, it.value, tainted));
            QN_TRY(qn_tlist_push(ctx, list, &item));
        }
        *out = qn_tlist_value(list, QN_TVAL_LIST);
        break;
    }
    case QN_JSON_OBJECT: {
        struct qn_tdict *dict;
        QN_TRY(qn_tdict_new(ctx, &dict));
        while (qn_json_each(&it)) {
            struct qn_tval key, value;
            QN_TRY(qn_tval_from_json(ctx, &key, it.key, tainted));
            QN_TRY(qn_tval_from_json(ctx, &value, it.value, tainted));
            QN_TRY(qn_tdict_set(ctx, dict, &key, &value));
        }
        *out = (struct qn_tval){.kind = QN_TVAL_DICT, .as.dict = dict};
        break;
    }
    }
    ctx->nest--;
    return QN_OK;
}
