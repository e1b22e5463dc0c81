/* Filters on sequences. The parameters' names and defaults are Jinja's. */
#include "text/template_internal.h"

/* item.a.b.0, as the parameter `attribute` of many filters says; missing `attribute`: the item. */
static enum qn_status get_attribute(struct qn_tctx *ctx, struct qn_tval *out,
                                    const struct qn_tval *item, const struct qn_tval *attribute) {
    *out = *item;
    if (!qn_tval_given(*attribute) || attribute->kind == QN_TVAL_NONE)
        return QN_OK;
    if (attribute->kind != QN_TVAL_STR)
        return qn_tval_item(ctx, out, item, attribute);
    struct qn_str path = qn_tval_text(*attribute);
    for (size_t at = 0; at <= path.n;) {
        const char *dot = at < path.n ? memchr(path.p + at, '.', path.n - at) : NULL;
        size_t end = dot ? (size_t)(dot - path.p) : path.n;
        struct qn_str part = qn_str_slice(path, at, end);
        int64_t index;
        bool digits = part.n && part.p[0] >= '0' && part.p[0] <= '9';
        QN_TRY(qn_tctx_spend(ctx, 1));
        QN_TRY(qn_tval_item(ctx, out, (struct qn_tval[]){*out},
                            (struct qn_tval[]){digits && qn_tnum_parse_i64(&index, part, 10)
                                                   ? qn_tval_int(index)
                                                   : qn_tval_str(part)}));
        at = end + 1;
    }
    return QN_OK;
}

/* What sort, unique, min, … compare: the attribute, in lower case unless case matters. */
static enum qn_status get_key(struct qn_tctx *ctx, struct qn_tval *out, const struct qn_tval *item,
                              const struct qn_tval *attribute, bool fold) {
    QN_TRY(get_attribute(ctx, out, item, attribute));
    return fold && out->kind == QN_TVAL_STR
               ? qn_tstr_case(ctx, out, (struct qn_tval[]){*out}, QN_TCASE_LOWER)
               : QN_OK;
}

/* Stable merge sort of `items` by `keys`. */
static enum qn_status sort_by(struct qn_tctx *ctx, struct qn_tlist *items, struct qn_tlist *keys,
                              bool reverse) {
    uint32_t n = items->n;
    void *memory;
    QN_TRY(qn_tctx_alloc(ctx, &memory, n, 2 * sizeof(struct qn_tval)));
    struct qn_tval *spare_items = memory, *spare_keys = spare_items + n;
    for (uint64_t width = 1; width < n; width *= 2) {
        for (uint64_t begin = 0; begin < n; begin += 2 * width) {
            uint64_t i = begin, middle = begin + width < n ? begin + width : n, j = middle;
            uint64_t end = begin + 2 * width < n ? begin + 2 * width : n;
            for (uint64_t k = begin; k < end; k++) {
                bool right = i == middle;
                if (i < middle && j < end) {
                    int c;
                    QN_TRY(qn_tval_compare(ctx, &c, &keys->items[i], &keys->items[j]));
                    right = reverse ? c < 0 : c > 0;
                }
                uint64_t from = right ? j++ : i++;
                spare_items[k] = items->items[from];
                spare_keys[k] = keys->items[from];
            }
        }
        memcpy(items->items, spare_items, n * sizeof(struct qn_tval));
        memcpy(keys->items, spare_keys, n * sizeof(struct qn_tval));
    }
    return QN_OK;
}

/* A fresh list of the items sorted by their keys. */
static enum qn_status sorted(struct qn_tctx *ctx, struct qn_tlist **out, struct qn_tlist **out_keys,
                             const struct qn_tval *seq, const struct qn_tval *attribute, bool fold,
                             bool reverse) {
    struct qn_tlist *source, *items, *keys;
    QN_TRY(qn_tval_iterate(ctx, &source, seq));
    QN_TRY(qn_tlist_new(ctx, &items, source->n));
    QN_TRY(qn_tlist_new(ctx, &keys, source->n));
    for (uint32_t i = 0; i < source->n; i++) {
        struct qn_tval key;
        QN_TRY(get_key(ctx, &key, &source->items[i], attribute, fold));
        QN_TRY(qn_tlist_push(ctx, items, &source->items[i]));
        QN_TRY(qn_tlist_push(ctx, keys, &key));
    }
    *out = items;
    if (out_keys)
        *out_keys = keys;
    return sort_by(ctx, items, keys, reverse);
}

QN_TFUNC(do_sort) {
    QN_TUNUSED(args);
    struct qn_tlist *list;
    QN_TRY(sorted(ctx, &list, NULL, self, &a[2], !qn_tval_flag(&a[1], false),
                  qn_tval_flag(&a[0], false)));
    *out = qn_tlist_value(list, QN_TVAL_LIST);
    return QN_OK;
}

static enum qn_status pair_list(struct qn_tctx *ctx, struct qn_tlist **out,
                                const struct qn_tval *dict) {
    QN_TRY(qn_tlist_new(ctx, out, dict->as.dict->n));
    for (uint32_t i = 0; i < dict->as.dict->n; i++) {
        struct qn_tlist *pair;
        QN_TRY(qn_tctx_spend(ctx, 1));
        QN_TRY(qn_tlist_new(ctx, &pair, 2));
        QN_TRY(qn_tlist_push(ctx, pair, &dict->as.dict->entries[i].key));
        QN_TRY(qn_tlist_push(ctx, pair, &dict->as.dict->entries[i].value));
        QN_TRY(qn_tlist_push(ctx, *out, (struct qn_tval[]){qn_tlist_value(pair, QN_TVAL_TUPLE)}));
    }
    return QN_OK;
}

QN_TFUNC(do_items) {
    QN_TUNUSED(a, args);
    struct qn_tlist *list;
    if (self->kind == QN_TVAL_UNDEFINED)
        QN_TRY(qn_tlist_new(ctx, &list, 0));
    else if (self->kind == QN_TVAL_DICT)
        QN_TRY(pair_list(ctx, &list, self));
    else
        return qn_tfail(&ctx->site, "items needs a mapping, not %s", qn_tval_type(self));
    *out = qn_tlist_value(list, QN_TVAL_GENERATOR);
    return QN_OK;
}

/* dictsort(case_sensitive=False, by='key', reverse=False) */
QN_TFUNC(do_dictsort) {
    QN_TUNUSED(args);
    struct qn_tlist *pairs, *list;
    bool by_value = a[1].kind == QN_TVAL_STR && qn_str_is(qn_tval_text(a[1]), "value");
    if (self->kind == QN_TVAL_UNDEFINED)
        return qn_tval_fail_undefined(ctx, self);
    if (self->kind != QN_TVAL_DICT)
        return qn_tfail(&ctx->site, "dictsort needs a mapping, not %s", qn_tval_type(self));
    QN_TRY(pair_list(ctx, &pairs, self));
    QN_TRY(sorted(ctx, &list, NULL, (struct qn_tval[]){qn_tlist_value(pairs, QN_TVAL_TUPLE)},
                  (struct qn_tval[]){qn_tval_int(by_value)}, !qn_tval_flag(&a[0], false),
                  qn_tval_flag(&a[2], false)));
    *out = qn_tlist_value(list, QN_TVAL_LIST);
    return QN_OK;
}

QN_TFUNC(do_unique) {
    QN_TUNUSED(args);
    struct qn_tlist *list, *made;
    struct qn_tdict *seen;
    QN_TRY(qn_tval_iterate(ctx, &list, self));
    QN_TRY(qn_tlist_new(ctx, &made, 0));
    QN_TRY(qn_tdict_new(ctx, &seen));
    for (uint32_t i = 0; i < list->n; i++) {
        struct qn_tval key, *found;
        QN_TRY(get_key(ctx, &key, &list->items[i], &a[1], !qn_tval_flag(&a[0], false)));
        QN_TRY(qn_tdict_get(ctx, &found, seen, &key));
        if (found)
            continue;
        QN_TRY(qn_tdict_set(ctx, seen, &key, (struct qn_tval[]){key}));
        QN_TRY(qn_tlist_push(ctx, made, &list->items[i]));
    }
    *out = qn_tlist_value(made, QN_TVAL_GENERATOR);
    return QN_OK;
}

/* groupby(attribute, default=None, case_sensitive=False): sorted, then (grouper, list) each. */
QN_TFUNC(do_groupby) {
    QN_TUNUSED(args);
    struct qn_tlist *items, *keys, *groups, *group = NULL, *pair;
    QN_TRY(sorted(ctx, &items, &keys, self, &a[0], !qn_tval_flag(&a[2], false), false));
    QN_TRY(qn_tlist_new(ctx, &groups, 0));
    for (uint32_t i = 0; i < items->n; i++) {
        bool same = false;
        struct qn_tval name, made;
        if (i)
            QN_TRY(qn_tval_equal(ctx, &same, &keys->items[i - 1], &keys->items[i]));
        if (!same) {
            QN_TRY(get_attribute(ctx, &name, &items->items[i], &a[0]));
            QN_TRY(qn_tlist_new(ctx, &group, 0));
            QN_TRY(qn_tlist_new(ctx, &pair, 2));
            QN_TRY(qn_tlist_push(ctx, pair, &name));
            QN_TRY(
                qn_tlist_push(ctx, pair, (struct qn_tval[]){qn_tlist_value(group, QN_TVAL_LIST)}));
            made = qn_tlist_value(pair, QN_TVAL_TUPLE);
            made.flags = QN_TVAL_GROUP;
            QN_TRY(qn_tlist_push(ctx, groups, &made));
        }
        QN_TRY(qn_tlist_push(ctx, group, &items->items[i]));
    }
    *out = qn_tlist_value(groups, QN_TVAL_LIST);
    return QN_OK;
}

static enum qn_status extreme(struct qn_tctx *ctx, struct qn_tval *out, const struct qn_tval *self,
                              const struct qn_tval *a, int sign) {
    struct qn_tlist *list;
    struct qn_tval best, key;
    int c;
    QN_TRY(qn_tval_iterate(ctx, &list, self));
    *out = qn_tval_undefined(self, QN_STR("an item of an empty sequence"));
    for (uint32_t i = 0; i < list->n; i++) {
        QN_TRY(get_key(ctx, &key, &list->items[i], &a[1], !qn_tval_flag(&a[0], false)));
        c = 1;
        if (i)
            QN_TRY(qn_tval_compare(ctx, &c, &key, &best));
        if (i == 0 || c * sign > 0) {
            best = key;
            *out = list->items[i];
        }
    }
    return QN_OK;
}

QN_TFUNC(do_max) {
    QN_TUNUSED(args);
    return extreme(ctx, out, self, a, 1);
}
QN_TFUNC(do_min) {
    QN_TUNUSED(args);
    return extreme(ctx, out, self, a, -1);
}

QN_TFUNC(do_sum) {
    QN_TUNUSED(args);
    struct qn_tlist *list;
    struct qn_tval v;
    *out = qn_tval_given(a[1]) ? a[1] : qn_tval_int(0);
    QN_TRY(qn_tval_iterate(ctx, &list, self));
    for (uint32_t i = 0; i < list->n; i++) {
        QN_TRY(qn_tctx_spend(ctx, 1));
        QN_TRY(get_attribute(ctx, &v, &list->items[i], &a[0]));
        QN_TRY(qn_tbinary(ctx, out, QN_TOP_ADD, (struct qn_tval[]){*out}, &v));
    }
    return QN_OK;
}

QN_TFUNC(do_first) {
    QN_TUNUSED(a, args);
    struct qn_tlist *list;
    if (self->kind == QN_TVAL_GENERATOR) { // takes one
        list = self->as.list;
        *out =
            list->at < list->n ? list->items[list->at++] : qn_tval_undefined(self, QN_STR("first"));
        return QN_OK;
    }
    QN_TRY(qn_tval_iterate(ctx, &list, self));
    *out = list->n ? list->items[0] : qn_tval_undefined(self, QN_STR("first"));
    return QN_OK;
}

QN_TFUNC(do_last) {
    QN_TUNUSED(a, args);
    struct qn_tlist *list;
    if (self->kind == QN_TVAL_GENERATOR)
        return qn_tfail(&ctx->site, "generator has no last item: make it a list");
    QN_TRY(qn_tval_iterate(ctx, &list, self));
    *out = list->n ? list->items[list->n - 1] : qn_tval_undefined(self, QN_STR("last"));
    return QN_OK;
}

static enum qn_status join_into(struct qn_tctx *ctx, struct qn_tsink *sink, struct qn_tlist *list,
                                const struct qn_tval *between, const struct qn_tval *attribute) {
    struct qn_tval v;
    for (uint32_t i = 0; i < list->n; i++) {
        if (i)
            QN_TRY(qn_tsink_str(ctx, sink, between));
        QN_TRY(get_attribute(ctx, &v, &list->items[i], attribute));
        QN_TRY(qn_tval_print(ctx, sink, &v, false));
    }
    return QN_OK;
}

QN_TFUNC(do_join) {
    QN_TUNUSED(args);
    struct qn_tlist *list;
    struct qn_tval between = qn_tval_str(QN_STR(""));
    QN_TRY(qn_tval_iterate(ctx, &list, self));
    if (qn_tval_given(a[0]))
        QN_TRY(qn_tval_to_str(ctx, &between, &a[0]));
    struct qn_tsink sink;
    qn_tsink_init(ctx, &sink);
    enum qn_status status = join_into(ctx, &sink, list, &between, &a[1]);
    if (status != QN_OK) {
        qn_tsink_free(&sink);
        return status;
    }
    return qn_tsink_take(ctx, out, &sink);
}

QN_TFUNC(do_list) {
    QN_TUNUSED(a, args);
    struct qn_tlist *list, *copy;
    QN_TRY(qn_tval_iterate(ctx, &list, self));
    if (self->kind == QN_TVAL_TUPLE) { // the only case in which the items are shared
        QN_TRY(qn_tlist_new(ctx, &copy, list->n));
        for (uint32_t i = 0; i < list->n; i++)
            QN_TRY(qn_tlist_push(ctx, copy, &list->items[i]));
        list = copy;
    }
    *out = qn_tlist_value(list, QN_TVAL_LIST);
    return QN_OK;
}

QN_TFUNC(do_reverse) {
    QN_TUNUSED(a, args);
    struct qn_tlist *list, *made;
    struct qn_tsink sink;
    QN_TRY(qn_tval_iterate(ctx, &list, self));
    if (self->kind != QN_TVAL_STR) {
        QN_TRY(qn_tlist_new(ctx, &made, list->n));
        for (uint32_t i = list->n; i > 0; i--)
            QN_TRY(qn_tlist_push(ctx, made, &list->items[i - 1]));
        *out = qn_tlist_value(made, QN_TVAL_GENERATOR);
        return QN_OK;
    }
    enum qn_status status = QN_OK;
    qn_tsink_init(ctx, &sink);
    for (uint32_t i = list->n; status == QN_OK && i > 0; i--)
        status = qn_tsink_str(ctx, &sink, &list->items[i - 1]);
    if (status != QN_OK) {
        qn_tsink_free(&sink);
        return status;
    }
    return qn_tsink_take(ctx, out, &sink);
}

/* Arguments without the first `n` positional ones. */
static struct qn_targs rest(const struct qn_targs *args, uint32_t n) {
    struct qn_targs r = *args;
    n = qn_min_u32(n, r.n_pos);
    if (n)
        r.pos += n;
    r.n_pos -= n;
    return r;
}

/* The items that map and select run over: none for whatever is false, none included. Generators are
 * lazy in Python: one over a value that cannot be iterated over fails only when it is consumed. */
static enum qn_status lazy_items(struct qn_tctx *ctx, struct qn_tlist **out,
                                 const struct qn_tval *self, struct qn_tlist *made) {
    bool truth;
    QN_TRY(qn_tval_truth(ctx, &truth, self));
    made->broken = truth && (self->kind == QN_TVAL_BOOL || self->kind == QN_TVAL_INT ||
                             self->kind == QN_TVAL_FLOAT ||
                             (self->kind == QN_TVAL_GENERATOR && self->as.list->broken));
    return made->broken || !truth ? qn_tlist_new(ctx, out, 0) : qn_tval_iterate(ctx, out, self);
}

/* map(filter, …) or map(attribute='x', default=…) */
QN_TFUNC(do_map) {
    QN_TUNUSED(a);
    struct qn_tlist *list, *made;
    struct qn_tval attribute = {.kind = QN_TVAL_MISSING}, otherwise = attribute, v;
    const struct qn_tfunc *filter = NULL;
    struct qn_targs others = rest(args, 1);
    if (args->n_pos == 0) {
        for (uint32_t i = 0; i < args->n_named; i++) {
            if (qn_str_is(qn_tval_text(args->names[i]), "attribute"))
                attribute = args->named[i];
            else if (qn_str_is(qn_tval_text(args->names[i]), "default"))
                otherwise = args->named[i];
        }
        if (!qn_tval_given(attribute))
            return qn_tfail(&ctx->site, "map needs a filter or attribute=");
    } else {
        if (qn_tval_is_str(args->pos[0]))
            filter = qn_tfilter_by_name(qn_tval_text(args->pos[0]));
        if (!filter)
            return qn_tfail(&ctx->site, "map: no such filter");
    }
    QN_TRY(qn_tctx_enter(ctx));
    QN_TRY(qn_tlist_new(ctx, &made, 0));
    QN_TRY(lazy_items(ctx, &list, self, made));
    for (uint32_t i = 0; i < list->n; i++) {
        if (filter)
            QN_TRY(qn_tcall_func(ctx, &v, filter, &list->items[i], &others));
        else
            QN_TRY(get_attribute(ctx, &v, &list->items[i], &attribute));
        if (!filter && v.kind == QN_TVAL_UNDEFINED && qn_tval_given(otherwise))
            v = otherwise;
        QN_TRY(qn_tlist_push(ctx, made, &v));
    }
    ctx->nest--;
    *out = qn_tlist_value(made, QN_TVAL_GENERATOR);
    return QN_OK;
}

/* select(test, …), reject; selectattr(attribute, test, …), rejectattr. Without a test: truth. */
static enum qn_status choose(struct qn_tctx *ctx, struct qn_tval *out, const struct qn_tval *self,
                             const struct qn_targs *args, bool by_attribute, bool keep) {
    struct qn_tlist *list, *made;
    struct qn_tval attribute = {.kind = QN_TVAL_MISSING}, v, verdict;
    const struct qn_tfunc *test = NULL;
    uint32_t at = by_attribute;
    bool truth;
    if (by_attribute && args->n_pos == 0)
        return qn_tfail(&ctx->site, "selectattr and rejectattr need an attribute");
    if (by_attribute)
        attribute = args->pos[0];
    struct qn_targs others = rest(args, at + 1);
    if (args->n_pos > at) {
        if (qn_tval_is_str(args->pos[at]))
            test = qn_ttest_by_name(qn_tval_text(args->pos[at]));
        if (!test)
            return qn_tfail(&ctx->site, "select: no such test");
    }
    QN_TRY(qn_tctx_enter(ctx));
    QN_TRY(qn_tlist_new(ctx, &made, 0));
    QN_TRY(lazy_items(ctx, &list, self, made));
    for (uint32_t i = 0; i < list->n; i++) {
        QN_TRY(qn_tctx_spend(ctx, 1));
        QN_TRY(get_attribute(ctx, &v, &list->items[i], &attribute));
        verdict = v;
        if (test)
            QN_TRY(qn_tcall_func(ctx, &verdict, test, &v, &others));
        QN_TRY(qn_tval_truth(ctx, &truth, &verdict));
        if (truth == keep)
            QN_TRY(qn_tlist_push(ctx, made, &list->items[i]));
    }
    ctx->nest--;
    *out = qn_tlist_value(made, QN_TVAL_GENERATOR);
    return QN_OK;
}

QN_TFUNC(do_select) {
    QN_TUNUSED(a);
    return choose(ctx, out, self, args, false, true);
}
QN_TFUNC(do_reject) {
    QN_TUNUSED(a);
    return choose(ctx, out, self, args, false, false);
}
QN_TFUNC(do_selectattr) {
    QN_TUNUSED(a);
    return choose(ctx, out, self, args, true, true);
}
QN_TFUNC(do_rejectattr) {
    QN_TUNUSED(a);
    return choose(ctx, out, self, args, true, false);
}

/* batch(linecount, fill_with=None): rows of that many items. */
QN_TFUNC(do_batch) {
    QN_TUNUSED(args);
    struct qn_tlist *list, *rows, *row = NULL;
    int64_t size;
    if (!qn_tval_as_int(&size, &a[0]) || size < 1)
        return qn_tfail(&ctx->site, "batch needs a positive integer");
    QN_TRY(qn_tval_iterate(ctx, &list, self));
    QN_TRY(qn_tlist_new(ctx, &rows, 0));
    for (uint32_t i = 0; i < list->n; i++) {
        if (!row || row->n >= size) {
            QN_TRY(qn_tlist_new(ctx, &row, 0));
            QN_TRY(qn_tlist_push(ctx, rows, (struct qn_tval[]){qn_tlist_value(row, QN_TVAL_LIST)}));
        }
        QN_TRY(qn_tlist_push(ctx, row, &list->items[i]));
    }
    while (row && row->n < size && qn_tval_given(a[1]) && a[1].kind != QN_TVAL_NONE)
        QN_TRY(qn_tlist_push(ctx, row, &a[1]));
    *out = qn_tlist_value(rows, QN_TVAL_GENERATOR);
    return QN_OK;
}

const struct qn_tfunc *qn_tfilter_list_by_name(struct qn_str name) {
    static const struct qn_tfunc table[] = {
        {"batch", "linecount fill_with", 1, do_batch},
        {"dictsort", "case_sensitive by reverse", 0, do_dictsort},
        {"first", "", 0, do_first},
        {"groupby", "attribute default case_sensitive", 1, do_groupby},
        {"items", "", 0, do_items},
        {"join", "d attribute", 0, do_join},
        {"last", "", 0, do_last},
        {"list", "", 0, do_list},
        {"map", NULL, 0, do_map},
        {"max", "case_sensitive attribute", 0, do_max},
        {"min", "case_sensitive attribute", 0, do_min},
        {"reject", NULL, 0, do_reject},
        {"rejectattr", NULL, 0, do_rejectattr},
        {"reverse", "", 0, do_reverse},
        {"select", NULL, 0, do_select},
        {"selectattr", NULL, 0, do_selectattr},
        {"sort", "reverse case_sensitive attribute", 0, do_sort},
        {"sum", "attribute start", 0, do_sum},
        {"unique", "case_sensitive attribute", 0, do_unique},
    };
    return qn_tfunc_find(table, sizeof table / sizeof *table, name);
}
