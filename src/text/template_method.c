/* Methods of lists, dicts, loops and cyclers. */
#include "text/template_internal.h"

/* An index into a list as insert and pop take it; absent: `otherwise`. */
static enum qn_status index_arg(struct qn_tctx *ctx, int64_t *out, const struct qn_tval *v,
                                int64_t otherwise, uint32_t n) {
    *out = otherwise;
    if (qn_tval_given(*v) && !qn_tval_as_int(out, v))
        return qn_tfail(&ctx->site, "an index is an integer, not %s", qn_tval_type(v));
    if (*out < 0 && *out >= -(int64_t)n)
        *out += n;
    return QN_OK;
}

QN_TFUNC(list_append) {
    QN_TUNUSED(args);
    *out = qn_tval_none();
    return qn_tlist_push(ctx, self->as.list, &a[0]);
}

QN_TFUNC(list_extend) {
    QN_TUNUSED(args);
    struct qn_tlist *list;
    *out = qn_tval_none();
    QN_TRY(qn_tval_iterate(ctx, &list, &a[0]));
    for (uint32_t i = 0; i < list->n; i++)
        QN_TRY(qn_tlist_push(ctx, self->as.list, &list->items[i]));
    return QN_OK;
}

QN_TFUNC(list_insert) {
    QN_TUNUSED(args);
    struct qn_tlist *list = self->as.list;
    int64_t at;
    *out = qn_tval_none();
    QN_TRY(index_arg(ctx, &at, &a[0], 0, list->n));
    at = at < 0 ? 0 : at > list->n ? list->n : at;
    QN_TRY(qn_tctx_spend(ctx, list->n / 16));
    QN_TRY(qn_tlist_push(ctx, list, &a[1]));
    for (int64_t i = (int64_t)list->n - 1; i > at; i--)
        list->items[i] = list->items[i - 1];
    list->items[at] = a[1];
    return QN_OK;
}

QN_TFUNC(list_pop) {
    QN_TUNUSED(args);
    struct qn_tlist *list = self->as.list;
    int64_t at;
    QN_TRY(index_arg(ctx, &at, &a[0], -1, list->n));
    if (at < 0 || at >= list->n)
        return qn_tfail(&ctx->site, "pop from an empty list or past its end");
    QN_TRY(qn_tctx_spend(ctx, list->n / 16));
    *out = list->items[at];
    list->n--;
    for (int64_t i = at; i < list->n; i++)
        list->items[i] = list->items[i + 1];
    return QN_OK;
}

/* First index of a value, or n. */
static enum qn_status position(struct qn_tctx *ctx, uint32_t *out, struct qn_tlist *list,
                               const struct qn_tval *v) {
    bool same = false;
    for (*out = 0; *out < list->n; ++*out) {
        QN_TRY(qn_tval_equal(ctx, &same, &list->items[*out], v));
        if (same)
            break;
    }
    return QN_OK;
}

QN_TFUNC(list_index) {
    QN_TUNUSED(args);
    uint32_t at;
    QN_TRY(position(ctx, &at, self->as.list, &a[0]));
    if (at == self->as.list->n)
        return qn_tfail(&ctx->site, "the value is not in the list");
    *out = qn_tval_int(at);
    return QN_OK;
}

QN_TFUNC(list_remove) {
    QN_TUNUSED(args);
    struct qn_tval which;
    QN_TRY(list_index(ctx, &which, self, a, args));
    QN_TRY(list_pop(ctx, out, self, &which, args));
    *out = qn_tval_none();
    return QN_OK;
}

QN_TFUNC(list_count) {
    QN_TUNUSED(args);
    int64_t n = 0;
    for (uint32_t i = 0; i < self->as.list->n; i++) {
        bool same;
        QN_TRY(qn_tval_equal(ctx, &same, &self->as.list->items[i], &a[0]));
        n += same;
    }
    *out = qn_tval_int(n);
    return QN_OK;
}

QN_TFUNC(list_reverse) {
    QN_TUNUSED(a, args);
    struct qn_tlist *list = self->as.list;
    QN_TRY(qn_tctx_spend(ctx, list->n / 16));
    for (uint32_t i = 0; i < list->n / 2; i++) {
        struct qn_tval swap = list->items[i];
        list->items[i] = list->items[list->n - 1 - i];
        list->items[list->n - 1 - i] = swap;
    }
    *out = qn_tval_none();
    return QN_OK;
}

QN_TFUNC(list_copy) {
    QN_TUNUSED(a, args);
    struct qn_tlist *list;
    QN_TRY(qn_tval_iterate(ctx, &list, self));
    *out = qn_tlist_value(list, QN_TVAL_LIST);
    return QN_OK;
}

QN_TFUNC(list_clear) {
    QN_TUNUSED(ctx, a, args);
    self->as.list->n = 0;
    *out = qn_tval_none();
    return QN_OK;
}

QN_TFUNC(dict_get) {
    QN_TUNUSED(args);
    struct qn_tval *found;
    QN_TRY(qn_tdict_get(ctx, &found, self->as.dict, &a[0]));
    *out = found ? *found : qn_tval_given(a[1]) ? a[1] : qn_tval_none();
    return QN_OK;
}

QN_TFUNC(dict_items) {
    QN_TUNUSED(a);
    return qn_tcall_func(ctx, out, qn_tfilter_list_by_name(QN_STR("items")), self, args);
}

/* items() as a list: it has a length, unlike what the filter gives. */
QN_TFUNC(dict_items_list) {
    QN_TRY(dict_items(ctx, out, self, a, args));
    out->kind = QN_TVAL_LIST;
    return QN_OK;
}

QN_TFUNC(dict_keys) {
    QN_TUNUSED(a, args);
    struct qn_tlist *list;
    QN_TRY(qn_tval_iterate(ctx, &list, self));
    *out = qn_tlist_value(list, QN_TVAL_LIST);
    return QN_OK;
}

QN_TFUNC(dict_values) {
    QN_TUNUSED(a, args);
    struct qn_tlist *list;
    struct qn_tdict *dict = self->as.dict;
    QN_TRY(qn_tctx_spend(ctx, dict->n / 16));
    QN_TRY(qn_tlist_new(ctx, &list, dict->n));
    for (uint32_t i = 0; i < dict->n; i++)
        QN_TRY(qn_tlist_push(ctx, list, &dict->entries[i].value));
    *out = qn_tlist_value(list, QN_TVAL_LIST);
    return QN_OK;
}

QN_TFUNC(dict_update) {
    QN_TUNUSED(a);
    *out = qn_tval_none();
    return qn_tdict_merge_args(ctx, self->as.dict, args);
}

QN_TFUNC(dict_pop) {
    QN_TUNUSED(args);
    struct qn_tdict *dict = self->as.dict;
    struct qn_tval *found;
    QN_TRY(qn_tdict_get(ctx, &found, dict, &a[0]));
    if (!found && !qn_tval_given(a[1]))
        return qn_tfail(&ctx->site, "pop: the key is not in the dict");
    *out = found ? *found : a[1];
    for (uint32_t i = 0; found && i < dict->n; i++)
        if (&dict->entries[i].value == found)
            return qn_tdict_remove(ctx, dict, i);
    return QN_OK;
}

QN_TFUNC(dict_setdefault) {
    QN_TUNUSED(args);
    struct qn_tval *found;
    QN_TRY(qn_tdict_get(ctx, &found, self->as.dict, &a[0]));
    *out = found ? *found : qn_tval_given(a[1]) ? a[1] : qn_tval_none();
    return found ? QN_OK : qn_tdict_set(ctx, self->as.dict, &a[0], out);
}

QN_TFUNC(dict_copy) {
    QN_TUNUSED(a, args);
    struct qn_tdict *dict;
    QN_TRY(qn_tdict_new(ctx, &dict));
    *out = (struct qn_tval){.kind = QN_TVAL_DICT, .as.dict = dict};
    return qn_tdict_merge(ctx, dict, self);
}

QN_TFUNC(dict_clear) {
    struct qn_tval value = *self;
    QN_TUNUSED(ctx, a, args);
    *value.as.dict = (struct qn_tdict){.n = 0};
    *out = qn_tval_none();
    return QN_OK;
}

QN_TFUNC(loop_cycle) {
    QN_TUNUSED(a);
    if (args->n_pos == 0)
        return qn_tfail(&ctx->site, "cycle needs something to cycle through");
    *out = args->pos[self->as.loop->at % args->n_pos];
    return QN_OK;
}

QN_TFUNC(loop_changed) {
    QN_TUNUSED(a);
    struct qn_tloop *loop = self->as.loop;
    struct qn_tlist *list;
    struct qn_tval now;
    bool same = false;
    QN_TRY(qn_tlist_new(ctx, &list, args->n_pos));
    for (uint32_t i = 0; i < args->n_pos; i++)
        QN_TRY(qn_tlist_push(ctx, list, &args->pos[i]));
    now = qn_tlist_value(list, QN_TVAL_TUPLE);
    if (loop->has_changed)
        QN_TRY(qn_tval_equal(ctx, &same, &now, &loop->changed));
    loop->changed = now;
    loop->has_changed = true;
    *out = qn_tval_bool(!same);
    return QN_OK;
}

QN_TFUNC(cycler_next) {
    QN_TUNUSED(ctx, a, args);
    struct qn_tlist *list = self->as.list;
    *out = list->items[list->at];
    list->at = (list->at + 1) % list->n;
    return QN_OK;
}

QN_TFUNC(cycler_reset) {
    QN_TUNUSED(ctx, a, args);
    self->as.list->at = 0;
    *out = qn_tval_none();
    return QN_OK;
}

#define FIND(table, name) qn_tfunc_find(table, sizeof table / sizeof *table, name)

const struct qn_tfunc *qn_tmethod_by_name(const struct qn_tval *self, struct qn_str name) {
    static const struct qn_tfunc of_list[] = {
        {"append", "object", 1, list_append},
        {"clear", "", 0, list_clear},
        {"copy", "", 0, list_copy},
        {"extend", "iterable", 1, list_extend},
        {"insert", "index object", 2, list_insert},
        {"pop", "index", 0, list_pop},
        {"remove", "value", 1, list_remove},
        {"reverse", "", 0, list_reverse},
        {"count", "value", 1, list_count},
        {"index", "value", 1, list_index},
    };
    static const struct qn_tfunc of_dict[] = {
        {"get", "key default", 1, dict_get},
        {"items", "", 0, dict_items_list},
        {"keys", "", 0, dict_keys},
        {"values", "", 0, dict_values},
        {"update", NULL, 0, dict_update},
        {"pop", "key default", 1, dict_pop},
        {"setdefault", "key default", 1, dict_setdefault},
        {"copy", "", 0, dict_copy},
        {"clear", "", 0, dict_clear},
    };
    static const struct qn_tfunc of_loop[] = {
        {"cycle", NULL, 0, loop_cycle},
        {"changed", NULL, 0, loop_changed},
    };
    static const struct qn_tfunc of_cycler[] = {
        {"next", "", 0, cycler_next},
        {"reset", "", 0, cycler_reset},
    };
    switch (self->kind) {
    case QN_TVAL_STR:
        return qn_tmethod_str_by_name(name);
    case QN_TVAL_LIST:
        return FIND(of_list, name);
    case QN_TVAL_TUPLE:
        return qn_tfunc_find(of_list + 8, 2, name); // count and index
    case QN_TVAL_DICT:
        return FIND(of_dict, name);
    case QN_TVAL_LOOP:
        return FIND(of_loop, name);
    case QN_TVAL_CYCLER:
        return FIND(of_cycler, name);
    default:
        return NULL;
    }
}
