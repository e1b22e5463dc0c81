/* Expressions: one small function per kind of node, so that the frames of the recursion
 * stay small. */
#include "text/template_internal.h"

QN_TSEPARATE enum qn_status eval_list(struct qn_tctx *ctx, struct qn_tval *out,
                                      const struct qn_tnode *node) {
    struct qn_tlist *list;
    struct qn_tval item;
    uint32_t n = 0;
    for (const struct qn_tnode *i = node->a; i; i = i->next)
        n++;
    QN_TRY(qn_tlist_new(ctx, &list, n));
    for (const struct qn_tnode *i = node->a; i; i = i->next) {
        QN_TRY(qn_teval(ctx, &item, i));
        QN_TRY(qn_tlist_push(ctx, list, &item));
    }
    *out = qn_tlist_value(list, node->kind == QN_TNODE_LIST ? QN_TVAL_LIST : QN_TVAL_TUPLE);
    return QN_OK;
}

QN_TSEPARATE enum qn_status eval_dict(struct qn_tctx *ctx, struct qn_tval *out,
                                      const struct qn_tnode *node) {
    struct qn_tdict *dict;
    struct qn_tval key, value;
    QN_TRY(qn_tdict_new(ctx, &dict));
    for (const struct qn_tnode *pair = node->a; pair; pair = pair->next) {
        QN_TRY(qn_teval(ctx, &key, pair->a));
        QN_TRY(qn_teval(ctx, &value, pair->b));
        QN_TRY(qn_tdict_set(ctx, dict, &key, &value));
    }
    *out = (struct qn_tval){.kind = QN_TVAL_DICT, .as.dict = dict};
    return QN_OK;
}

QN_TSEPARATE enum qn_status eval_name(struct qn_tctx *ctx, struct qn_tval *out,
                                      const struct qn_tnode *node) {
    for (struct qn_tscope *scope = ctx->scope; scope; scope = scope->parent) {
        struct qn_tval *found = qn_tscope_find(scope, node->name);
        QN_TRY(qn_tctx_spend(ctx, scope->n / 32));
        if (found) {
            *out = *found;
            return QN_OK;
        }
    }
    const struct qn_tfunc *func = qn_tglobal_by_name(node->name);
    if (func)
        *out = (struct qn_tval){.kind = QN_TVAL_FUNCTION, .as.func = func};
    else
        *out = qn_tval_undefined(&(struct qn_tval){.kind = QN_TVAL_MISSING}, node->name);
    return QN_OK;
}

/* The bounds of a slice as Python clips them; `n` items. */
QN_TSEPARATE enum qn_status slice_bounds(struct qn_tctx *ctx, int64_t bounds[3],
                                         const struct qn_tnode *slice, int64_t n) {
    const struct qn_tnode *nodes[3] = {slice->a, slice->b, slice->c};
    struct qn_tval v[3];
    bounds[2] = 1;
    for (int i = 0; i < 3; i++) {
        v[i] = qn_tval_none();
        if (nodes[i])
            QN_TRY(qn_teval(ctx, &v[i], nodes[i]));
        if (v[i].kind != QN_TVAL_NONE && !qn_tval_as_int(&bounds[i], &v[i]))
            return v[i].kind == QN_TVAL_UNDEFINED
                       ? qn_tval_fail_undefined(ctx, &v[i])
                       : qn_tfail(&ctx->site, "a slice needs integers, not %s",
                                  qn_tval_type(&v[i]));
    }
    if (bounds[2] == 0)
        return qn_tfail(&ctx->site, "the step of a slice is zero");
    bool back = bounds[2] < 0;
    if (bounds[2] < -n - 1) // a larger step selects the same
        bounds[2] = -n - 1;
    if (bounds[2] > n + 1)
        bounds[2] = n + 1;
    int64_t low = back ? -1 : 0, high = back ? n - 1 : n;
    for (int i = 0; i < 2; i++) {
        if (v[i].kind == QN_TVAL_NONE) {
            bounds[i] = (i == 0) == back ? high : low;
            continue;
        }
        if (bounds[i] < 0)
            bounds[i] = bounds[i] < -n ? low : bounds[i] + n;
        bounds[i] = bounds[i] < low ? low : bounds[i] > high ? high : bounds[i];
    }
    return QN_OK;
}

/* Byte offset of a code point. */
static size_t char_offset(const struct qn_tval *s, int64_t index) {
    size_t at = 0;
    uint32_t cp;
    for (; index > 0 && at < s->n; index--)
        at += (unsigned char)s->as.p[at] < 0x80 ? 1 : qn_tstr_char(qn_tval_text(*s), at, &cp);
    return at;
}

static enum qn_status slice_items(struct qn_tctx *ctx, struct qn_tlist **out, struct qn_tlist *list,
                                  const int64_t b[3]) {
    QN_TRY(qn_tlist_new(ctx, out, 0));
    for (int64_t i = b[0]; b[2] > 0 ? i < b[1] : i > b[1]; i += b[2]) {
        QN_TRY(qn_tctx_spend(ctx, i & 1));
        QN_TRY(qn_tlist_push(ctx, *out, &list->items[i]));
    }
    return QN_OK;
}

QN_TSEPARATE enum qn_status eval_slice(struct qn_tctx *ctx, struct qn_tval *out,
                                       const struct qn_tval *object, const struct qn_tnode *slice) {
    int64_t n, b[3] = {0, 0, 1};
    struct qn_tlist *list, *made;
    if (object->kind == QN_TVAL_UNDEFINED)
        return qn_tval_fail_undefined(ctx, object);
    if (object->kind != QN_TVAL_STR && object->kind != QN_TVAL_LIST &&
        object->kind != QN_TVAL_TUPLE)
        return qn_tfail(&ctx->site, "%s cannot be sliced", qn_tval_type(object));
    QN_TRY(qn_tval_length(ctx, &n, object));
    QN_TRY(slice_bounds(ctx, b, slice, n));
    if (object->kind != QN_TVAL_STR) {
        QN_TRY(slice_items(ctx, &made, object->as.list, b));
        *out = qn_tlist_value(made, object->kind);
        return QN_OK;
    }
    if (b[2] == 1) {
        size_t begin = char_offset(object, b[0]);
        size_t end = b[1] > b[0] ? char_offset(object, b[1]) : begin;
        *out = qn_tstr_slice(object, begin, end);
        return QN_OK;
    }
    QN_TRY(qn_tstr_chars(ctx, &list, object));
    QN_TRY(slice_items(ctx, &made, list, b));
    struct qn_tsink sink;
    enum qn_status status = QN_OK;
    qn_tsink_init(ctx, &sink);
    for (uint32_t i = 0; status == QN_OK && i < made->n; i++)
        status = qn_tsink_str(ctx, &sink, &made->items[i]);
    if (status != QN_OK) {
        qn_tsink_free(&sink);
        return status;
    }
    return qn_tsink_take(ctx, out, &sink);
}

/* Element of a sequence; false when there is none. */
QN_TSEPARATE enum qn_status element(struct qn_tctx *ctx, bool *found, struct qn_tval *out,
                                    const struct qn_tval *object, int64_t index) {
    int64_t n;
    QN_TRY(qn_tval_length(ctx, &n, object));
    if (index < 0)
        index += index < -n ? 0 : n;
    *found = index >= 0 && index < n;
    if (!*found)
        return QN_OK;
    if (object->kind == QN_TVAL_STR) {
        size_t begin = char_offset(object, index);
        *out = qn_tstr_slice(
            object, begin,
            char_offset((struct qn_tval[]){qn_tstr_slice(object, begin, object->n)}, 1) + begin);
    } else {
        *out = object->as.list->items[index];
    }
    return QN_OK;
}

QN_TSEPARATE enum qn_status attr_or_item(struct qn_tctx *ctx, struct qn_tval *out,
                                         const struct qn_tval *object, struct qn_str name,
                                         bool attr_first) {
    const struct qn_tfunc *method =
        name.n && name.p[0] != '_' ? qn_tmethod_by_name(object, name) : NULL;
    struct qn_tval *found = NULL;
    if ((object->kind == QN_TVAL_DICT && !(attr_first && method)) ||
        object->kind == QN_TVAL_NAMESPACE)
        QN_TRY(qn_tdict_get(ctx, &found, object->as.dict, (struct qn_tval[]){qn_tval_str(name)}));
    if (found) {
        *out = *found;
    } else if (method) {
        void *bound;
        QN_TRY(qn_tctx_alloc(ctx, &bound, 1, sizeof(struct qn_tbound)));
        *(struct qn_tbound *)bound = (struct qn_tbound){*object, method};
        *out = (struct qn_tval){.kind = QN_TVAL_BOUND, .as.bound = bound};
    } else {
        *out = qn_tval_undefined(object, name);
    }
    return QN_OK;
}

static struct qn_tval loop_attr(const struct qn_tloop *loop, const struct qn_tval *object,
                                struct qn_str name) {
    struct qn_tval missing = qn_tval_undefined(object, name);
    if (qn_str_is(name, "index"))
        return qn_tval_int((int64_t)loop->at + 1);
    if (qn_str_is(name, "index0") || qn_str_is(name, "depth0"))
        return qn_tval_int(name.p[0] == 'i' ? loop->at : 0);
    if (qn_str_is(name, "revindex"))
        return qn_tval_int((int64_t)loop->n - loop->at);
    if (qn_str_is(name, "revindex0"))
        return qn_tval_int((int64_t)loop->n - loop->at - 1);
    if (qn_str_is(name, "first"))
        return qn_tval_bool(loop->at == 0);
    if (qn_str_is(name, "last"))
        return qn_tval_bool(loop->at + 1 == loop->n);
    if (qn_str_is(name, "length"))
        return qn_tval_int(loop->n);
    if (qn_str_is(name, "depth"))
        return qn_tval_int(1);
    if (qn_str_is(name, "previtem"))
        return loop->at ? loop->items[loop->at - 1] : missing;
    if (qn_str_is(name, "nextitem"))
        return loop->at + 1 < loop->n ? loop->items[loop->at + 1] : missing;
    return missing;
}

/* object.name: methods first, then keys. Names that begin with an underscore reach nothing but
 * keys. */
enum qn_status qn_tval_attr(struct qn_tctx *ctx, struct qn_tval *out, const struct qn_tval *object,
                            struct qn_str name) {
    if (object->kind == QN_TVAL_UNDEFINED)
        return qn_tval_fail_undefined(ctx, object);
    if (object->kind == QN_TVAL_LOOP && !qn_tmethod_by_name(object, name)) {
        *out = loop_attr(object->as.loop, object, name);
        return QN_OK;
    }
    if (object->kind == QN_TVAL_MACRO && qn_str_is(name, "name")) {
        *out = qn_tval_str(object->as.macro->node->name);
        return QN_OK;
    }
    if (object->kind == QN_TVAL_TUPLE && (object->flags & QN_TVAL_GROUP) &&
        (qn_str_is(name, "grouper") || qn_str_is(name, "list"))) {
        *out = object->as.list->items[name.p[0] == 'l'];
        return QN_OK;
    }
    if (object->kind == QN_TVAL_CYCLER && qn_str_is(name, "current")) {
        *out = object->as.list->items[object->as.list->at];
        return QN_OK;
    }
    return attr_or_item(ctx, out, object, name, true);
}

/* object[key]: elements and keys first, then attributes. */
enum qn_status qn_tval_item(struct qn_tctx *ctx, struct qn_tval *out, const struct qn_tval *object,
                            const struct qn_tval *key) {
    int64_t index;
    if (object->kind == QN_TVAL_UNDEFINED)
        return qn_tval_fail_undefined(ctx, object);
    if (object->kind == QN_TVAL_DICT && key->kind != QN_TVAL_LIST && key->kind != QN_TVAL_DICT) {
        struct qn_tval *found;
        QN_TRY(qn_tdict_get(ctx, &found, object->as.dict, key));
        if (found) {
            *out = *found;
            return QN_OK;
        }
    } else if ((object->kind == QN_TVAL_STR || object->kind == QN_TVAL_LIST ||
                object->kind == QN_TVAL_TUPLE) &&
               qn_tval_as_int(&index, key)) {
        bool found;
        QN_TRY(element(ctx, &found, out, object, index));
        if (found)
            return QN_OK;
    }
    if (key->kind == QN_TVAL_STR)
        return object->kind == QN_TVAL_DICT
                   ? attr_or_item(ctx, out, object, qn_tval_text(*key), false)
                   : qn_tval_attr(ctx, out, object, qn_tval_text(*key));
    *out = qn_tval_undefined(object, QN_STR("[…]"));
    return QN_OK;
}

QN_TSEPARATE enum qn_status eval_item(struct qn_tctx *ctx, struct qn_tval *out,
                                      const struct qn_tnode *node) {
    struct qn_tval object, key;
    QN_TRY(qn_teval(ctx, &object, node->a));
    if (node->b->kind == QN_TNODE_SLICE)
        return eval_slice(ctx, out, &object, node->b);
    QN_TRY(qn_teval(ctx, &key, node->b));
    ctx->site.at = node->at;
    return qn_tval_item(ctx, out, &object, &key);
}

QN_TSEPARATE enum qn_status percent(struct qn_tctx *ctx, struct qn_tval *out,
                                    const struct qn_tval *a, const struct qn_tval *b) {
    if (a->flags & QN_TVAL_MARKUP)
        return qn_tfail(&ctx->site, "%% on markup is not supported");
    return qn_tformat_percent(ctx, out, a, b);
}

static bool is_number(const struct qn_tval *v) {
    return v->kind == QN_TVAL_INT || v->kind == QN_TVAL_BOOL || v->kind == QN_TVAL_FLOAT;
}

QN_TSEPARATE enum qn_status add_lists(struct qn_tctx *ctx, struct qn_tval *out,
                                      const struct qn_tval *a, const struct qn_tval *b) {
    struct qn_tlist *la = a->as.list, *lb = b->as.list, *made;
    QN_TRY(qn_tctx_spend(ctx, ((uint64_t)la->n + lb->n) / 16));
    QN_TRY(qn_tlist_new(ctx, &made, la->n + lb->n));
    for (uint32_t i = 0; i < la->n; i++)
        QN_TRY(qn_tlist_push(ctx, made, &la->items[i]));
    for (uint32_t i = 0; i < lb->n; i++)
        QN_TRY(qn_tlist_push(ctx, made, &lb->items[i]));
    *out = qn_tlist_value(made, a->kind);
    return QN_OK;
}

QN_TSEPARATE enum qn_status repeat_list(struct qn_tctx *ctx, struct qn_tval *out,
                                        const struct qn_tval *a, int64_t n) {
    struct qn_tlist *made;
    QN_TRY(qn_tlist_new(ctx, &made, 0));
    for (; n > 0 && a->as.list->n; n--) {
        QN_TRY(qn_tctx_spend(ctx, 1));
        for (uint32_t i = 0; i < a->as.list->n; i++)
            QN_TRY(qn_tlist_push(ctx, made, &a->as.list->items[i]));
    }
    *out = qn_tlist_value(made, a->kind);
    return QN_OK;
}

enum qn_status qn_tbinary(struct qn_tctx *ctx, struct qn_tval *out, enum qn_top op,
                          const struct qn_tval *given_a, const struct qn_tval *given_b) {
    struct qn_tval a = *given_a;
    struct qn_tval b = *given_b;
    static const char *const signs[] = {"+", "-", "*", "/", "//", "%", "**"};
    int64_t n;
    if (a.kind == QN_TVAL_STR && op == QN_TOP_MOD)
        return percent(ctx, out, &a, &b);
    if (a.kind == QN_TVAL_UNDEFINED)
        return qn_tval_fail_undefined(ctx, &a);
    if (b.kind == QN_TVAL_UNDEFINED)
        return qn_tval_fail_undefined(ctx, &b);
    if (is_number(&a) && is_number(&b))
        return qn_tnum_binary(ctx, out, op, &a, &b);
    if (op == QN_TOP_ADD && a.kind == QN_TVAL_STR && b.kind == QN_TVAL_STR) {
        if ((a.flags ^ b.flags) & QN_TVAL_MARKUP) // text joins markup: escape it
            QN_TRY(a.flags & QN_TVAL_MARKUP ? qn_tstr_escape(ctx, &b, (struct qn_tval[]){b})
                                            : qn_tstr_escape(ctx, &a, (struct qn_tval[]){a}));
        return qn_tstr_concat(ctx, out, &a, &b);
    }
    bool lists = a.kind == QN_TVAL_LIST || a.kind == QN_TVAL_TUPLE;
    if (op == QN_TOP_ADD && lists && a.kind == b.kind)
        return add_lists(ctx, out, &a, &b);
    if (op == QN_TOP_MUL && qn_tval_as_int(&n, &a)) { // 3 * 'a'
        a = b;
        b = qn_tval_int(n);
        lists = a.kind == QN_TVAL_LIST || a.kind == QN_TVAL_TUPLE;
    }
    if (op == QN_TOP_MUL && qn_tval_as_int(&n, &b)) {
        if (a.kind == QN_TVAL_STR)
            return qn_tstr_repeat(ctx, out, &a, n);
        if (lists)
            return repeat_list(ctx, out, &a, n);
    }
    if (a.kind == QN_TVAL_BIGINT || b.kind == QN_TVAL_BIGINT)
        return qn_tfail(&ctx->site, "integer overflow");
    return qn_tfail(&ctx->site, "%s %s %s is not possible", qn_tval_type(&a), signs[op],
                    qn_tval_type(&b));
}

QN_TSEPARATE enum qn_status eval_math(struct qn_tctx *ctx, struct qn_tval *out,
                                      const struct qn_tnode *node) {
    struct qn_tval right;
    QN_TRY(qn_teval(ctx, out, node->a));
    for (const struct qn_tnode *operand = node->b; operand; operand = operand->next) {
        QN_TRY(qn_teval(ctx, &right, operand->a));
        ctx->site.at = operand->at;
        QN_TRY(qn_tbinary(ctx, out, (enum qn_top)operand->op, (struct qn_tval[]){*out}, &right));
    }
    return QN_OK;
}

enum qn_status qn_tcompare(struct qn_tctx *ctx, bool *out, enum qn_top op, const struct qn_tval *a,
                           const struct qn_tval *b) {
    int order;
    switch (op) {
    case QN_TOP_EQ:
        return qn_tval_equal(ctx, out, a, b);
    case QN_TOP_IN:
        return qn_tval_contains(ctx, out, b, a);
    case QN_TOP_NE:
        QN_TRY(qn_tval_equal(ctx, out, a, b));
        *out = !*out;
        return QN_OK;
    case QN_TOP_NOT_IN:
        QN_TRY(qn_tval_contains(ctx, out, b, a));
        *out = !*out;
        return QN_OK;
    default:
        break;
    }
    QN_TRY(qn_tval_compare(ctx, &order, a, b));
    if (order == 2 && is_number(a)) // NaN
        *out = false;
    else
        *out = op == QN_TOP_LT   ? order < 0
               : op == QN_TOP_LE ? order <= 0
               : op == QN_TOP_GT ? order > 0
                                 : order >= 0;
    return QN_OK;
}

QN_TSEPARATE enum qn_status eval_compare(struct qn_tctx *ctx, struct qn_tval *out,
                                         const struct qn_tnode *node) {
    struct qn_tval left, right;
    bool ok = true;
    QN_TRY(qn_teval(ctx, &left, node->a));
    for (const struct qn_tnode *operand = node->b; ok && operand; operand = operand->next) {
        QN_TRY(qn_teval(ctx, &right, operand->a));
        ctx->site.at = operand->at;
        QN_TRY(qn_tcompare(ctx, &ok, (enum qn_top)operand->op, &left, &right));
        left = right;
    }
    *out = qn_tval_bool(ok);
    return QN_OK;
}

QN_TSEPARATE enum qn_status eval_logic(struct qn_tctx *ctx, struct qn_tval *out,
                                       const struct qn_tnode *node) {
    bool stop_at = node->kind == QN_TNODE_OR, truth;
    for (const struct qn_tnode *term = node->a; term; term = term->next) {
        QN_TRY(qn_teval(ctx, out, term));
        QN_TRY(qn_tval_truth(ctx, &truth, out));
        if (truth == stop_at)
            break;
    }
    return QN_OK;
}

QN_TSEPARATE enum qn_status eval_concat(struct qn_tctx *ctx, struct qn_tval *out,
                                        const struct qn_tnode *node) {
    struct qn_tval text = qn_tval_str(QN_STR("")), part;
    for (const struct qn_tnode *term = node->a; term; term = term->next) {
        QN_TRY(qn_teval(ctx, &part, term));
        QN_TRY(qn_tval_to_str(ctx, &part, (struct qn_tval[]){part}));
        QN_TRY(qn_tstr_concat(ctx, &text, (struct qn_tval[]){text}, &part));
    }
    *out = text;
    return QN_OK;
}

QN_TSEPARATE enum qn_status eval_sign(struct qn_tctx *ctx, struct qn_tval *out,
                                      const struct qn_tnode *node) {
    struct qn_tval v;
    QN_TRY(qn_teval(ctx, &v, node->a));
    ctx->site.at = node->at;
    if (v.kind == QN_TVAL_FLOAT) {
        *out = qn_tval_float(node->kind == QN_TNODE_NEG ? -v.as.f : v.as.f);
        return QN_OK;
    }
    return qn_tbinary(ctx, out, node->kind == QN_TNODE_NEG ? QN_TOP_SUB : QN_TOP_ADD,
                      (struct qn_tval[]){qn_tval_int(0)}, &v);
}

QN_TSEPARATE enum qn_status eval_cond(struct qn_tctx *ctx, struct qn_tval *out,
                                      const struct qn_tnode *node) {
    bool truth;
    QN_TRY(qn_teval(ctx, out, node->a));
    QN_TRY(qn_tval_truth(ctx, &truth, out));
    if (truth)
        return qn_teval(ctx, out, node->b);
    if (node->c)
        return qn_teval(ctx, out, node->c);
    *out = qn_tval_undefined(&(struct qn_tval){.kind = QN_TVAL_MISSING},
                             QN_STR("the inline if without else"));
    return QN_OK;
}

QN_TSEPARATE enum qn_status eval_call(struct qn_tctx *ctx, struct qn_tval *out,
                                      const struct qn_tnode *node) {
    struct qn_tval callee;
    struct qn_targs args;
    QN_TRY(qn_teval(ctx, &callee, node->a));
    QN_TRY(qn_teval_args(ctx, &args, node->b));
    ctx->site.at = node->at;
    return qn_tcall(ctx, out, &callee, &args);
}

enum qn_status qn_teval_filter(struct qn_tctx *ctx, struct qn_tval *out,
                               const struct qn_tnode *filter, const struct qn_tval *input) {
    struct qn_targs args;
    QN_TRY(qn_teval_args(ctx, &args, filter->b));
    ctx->site.at = filter->at;
    if (!filter->func)
        return qn_tfail(&ctx->site, "no filter named '%.*s'", QN_STR_ARG(filter->name));
    return qn_tcall_func(ctx, out, filter->func, input, &args);
}

QN_TSEPARATE enum qn_status eval_filter(struct qn_tctx *ctx, struct qn_tval *out,
                                        const struct qn_tnode *node) {
    struct qn_tval input;
    QN_TRY(qn_teval(ctx, &input, node->a));
    return qn_teval_filter(ctx, out, node, &input);
}

QN_TSEPARATE enum qn_status eval_test(struct qn_tctx *ctx, struct qn_tval *out,
                                      const struct qn_tnode *node) {
    struct qn_tval input;
    struct qn_targs args;
    QN_TRY(qn_teval(ctx, &input, node->a));
    QN_TRY(qn_teval_args(ctx, &args, node->b));
    ctx->site.at = node->at;
    if (!node->func)
        return qn_tfail(&ctx->site, "no test named '%.*s'", QN_STR_ARG(node->name));
    return qn_tcall_func(ctx, out, node->func, &input, &args);
}

QN_TSEPARATE enum qn_status eval_not(struct qn_tctx *ctx, struct qn_tval *out,
                                     const struct qn_tnode *node) {
    bool truth;
    QN_TRY(qn_teval(ctx, out, node->a));
    QN_TRY(qn_tval_truth(ctx, &truth, out));
    *out = qn_tval_bool(!truth);
    return QN_OK;
}

QN_TSEPARATE enum qn_status eval_attr(struct qn_tctx *ctx, struct qn_tval *out,
                                      const struct qn_tnode *node) {
    struct qn_tval object;
    QN_TRY(qn_teval(ctx, &object, node->a));
    ctx->site.at = node->at;
    return qn_tval_attr(ctx, out, &object, node->name);
}

static enum qn_status eval_one(struct qn_tctx *ctx, struct qn_tval *out,
                               const struct qn_tnode *node) {
    switch (node->kind) {
    case QN_TNODE_CONST:
        *out = node->value;
        return QN_OK;
    case QN_TNODE_NAME:
        return eval_name(ctx, out, node);
    case QN_TNODE_LIST:
    case QN_TNODE_TUPLE:
        return eval_list(ctx, out, node);
    case QN_TNODE_DICT:
        return eval_dict(ctx, out, node);
    case QN_TNODE_ATTR:
        return eval_attr(ctx, out, node);
    case QN_TNODE_ITEM:
        return eval_item(ctx, out, node);
    case QN_TNODE_CALL:
        return eval_call(ctx, out, node);
    case QN_TNODE_FILTER:
        return eval_filter(ctx, out, node);
    case QN_TNODE_TEST:
        return eval_test(ctx, out, node);
    case QN_TNODE_NOT:
        return eval_not(ctx, out, node);
    case QN_TNODE_NEG:
    case QN_TNODE_POS:
        return eval_sign(ctx, out, node);
    case QN_TNODE_MATH:
        return eval_math(ctx, out, node);
    case QN_TNODE_COMPARE:
        return eval_compare(ctx, out, node);
    case QN_TNODE_AND:
    case QN_TNODE_OR:
        return eval_logic(ctx, out, node);
    case QN_TNODE_CONCAT:
        return eval_concat(ctx, out, node);
    case QN_TNODE_COND:
        return eval_cond(ctx, out, node);
    default:
        return qn_tfail_as(&ctx->site, QN_E_INTERNAL, "node %d in an expression", node->kind);
    }
}

enum qn_status qn_teval(struct qn_tctx *ctx, struct qn_tval *out, const struct qn_tnode *node) {
    ctx->site.at = node->at;
    QN_TRY(qn_tctx_spend(ctx, 1));
    QN_TRY(qn_tctx_enter(ctx));
    QN_TRY(eval_one(ctx, out, node));
    ctx->nest--;
    return QN_OK;
}
