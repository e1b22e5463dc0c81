/* Statements, calls and scopes. */
#include "text/template_internal.h"

struct qn_tval *qn_tscope_find(struct qn_tscope *scope, struct qn_str name) {
    for (uint32_t i = 0; i < scope->n; i++)
        if (qn_str_eq(scope->vars[i].name, name))
            return &scope->vars[i].value;
    return NULL;
}

enum qn_status qn_tscope_set(struct qn_tctx *ctx, struct qn_tscope *scope, struct qn_str name,
                             const struct qn_tval *value) {
    struct qn_tval *found = qn_tscope_find(scope, name);
    QN_TRY(qn_tctx_spend(ctx, scope->n / 32));
    if (found) {
        *found = *value;
        return QN_OK;
    }
    if (scope->n == scope->capacity) {
        void *vars;
        uint32_t capacity = scope->capacity ? scope->capacity * 2 : 4;
        QN_TRY(qn_tctx_alloc(ctx, &vars, capacity, sizeof(struct qn_tvar)));
        if (scope->n)
            memcpy(vars, scope->vars, scope->n * sizeof(struct qn_tvar));
        scope->vars = vars;
        scope->capacity = capacity;
    }
    scope->vars[scope->n++] = (struct qn_tvar){name, *value};
    return QN_OK;
}

QN_TSEPARATE enum qn_status push_scope(struct qn_tctx *ctx, struct qn_tscope *parent) {
    void *scope;
    QN_TRY(qn_tctx_alloc(ctx, &scope, 1, sizeof(struct qn_tscope)));
    ((struct qn_tscope *)scope)->parent = parent;
    ctx->scope = scope;
    return QN_OK;
}

QN_TSEPARATE enum qn_status assign(struct qn_tctx *ctx, const struct qn_tnode *target,
                                   const struct qn_tval *value) {
    if (target->kind == QN_TNODE_NAME)
        return qn_tscope_set(ctx, ctx->scope, target->name, value);
    ctx->site.at = target->at;
    if (target->kind == QN_TNODE_NSREF) {
        for (struct qn_tscope *scope = ctx->scope; scope; scope = scope->parent) {
            struct qn_tval *found = qn_tscope_find(scope, target->name);
            if (found && found->kind == QN_TVAL_NAMESPACE)
                return qn_tdict_set(ctx, found->as.dict,
                                    (struct qn_tval[]){qn_tval_str(target->a->name)}, value);
            if (found)
                break;
        }
        return qn_tfail(&ctx->site, "attributes can be set on namespaces only");
    }
    struct qn_tlist *list;
    uint32_t n = 0;
    QN_TRY(qn_tctx_enter(ctx));
    QN_TRY(qn_tval_iterate(ctx, &list, value));
    for (const struct qn_tnode *part = target->a; part; part = part->next, n++)
        if (n < list->n)
            QN_TRY(assign(ctx, part, &list->items[n]));
    if (n != list->n)
        return qn_tfail(&ctx->site, "%u values cannot be unpacked into %u names", list->n, n);
    ctx->nest--;
    return QN_OK;
}

/* Runs a body and gives what it printed. */
QN_TSEPARATE enum qn_status capture(struct qn_tctx *ctx, struct qn_tval *out,
                                    const struct qn_tnode *body) {
    struct qn_tsink sink, *outer = ctx->out;
    qn_tsink_init(ctx, &sink);
    ctx->out = &sink;
    enum qn_status status = qn_texec(ctx, body);
    ctx->out = outer;
    if (status != QN_OK) {
        qn_tsink_free(&sink);
        return status;
    }
    return qn_tsink_take(ctx, out, &sink);
}

static enum qn_status print_value(struct qn_tctx *ctx, const struct qn_tval *v) {
    return v->kind == QN_TVAL_STR ? qn_tsink_str(ctx, ctx->out, v)
                                  : qn_tval_print(ctx, ctx->out, v, false);
}

QN_TSEPARATE enum qn_status exec_output(struct qn_tctx *ctx, const struct qn_tnode *node) {
    struct qn_tval v;
    QN_TRY(qn_teval(ctx, &v, node->a));
    ctx->site.at = node->at;
    return print_value(ctx, &v);
}

QN_TSEPARATE enum qn_status exec_if(struct qn_tctx *ctx, const struct qn_tnode *node) {
    struct qn_tval v;
    bool truth = false;
    for (;;) {
        QN_TRY(qn_teval(ctx, &v, node->a));
        QN_TRY(qn_tval_truth(ctx, &truth, &v));
        if (truth)
            return qn_texec(ctx, node->b);
        if (!node->c || node->c->kind != QN_TNODE_IF || node->c->next)
            return qn_texec(ctx, node->c);
        node = node->c; // elif, or an else that holds one if only: the same
    }
}

/* The items that meet the condition of `for … if`. */
QN_TSEPARATE enum qn_status filter_items(struct qn_tctx *ctx, struct qn_tlist **list,
                                         const struct qn_tnode *node) {
    struct qn_tlist *kept;
    struct qn_tval v;
    bool truth;
    QN_TRY(qn_tlist_new(ctx, &kept, 0));
    for (uint32_t i = 0; i < (*list)->n; i++) {
        ctx->scope->n = 0;
        QN_TRY(assign(ctx, node->a, &(*list)->items[i]));
        QN_TRY(qn_teval(ctx, &v, node->b->b));
        QN_TRY(qn_tval_truth(ctx, &truth, &v));
        if (truth)
            QN_TRY(qn_tlist_push(ctx, kept, &(*list)->items[i]));
    }
    *list = kept;
    return QN_OK;
}

QN_TSEPARATE enum qn_status exec_for(struct qn_tctx *ctx, const struct qn_tnode *node) {
    struct qn_tscope *outer = ctx->scope;
    struct qn_tlist *list;
    struct qn_tval v;
    void *memory;
    QN_TRY(qn_teval(ctx, &v, node->b->a));
    ctx->site.at = node->b->at;
    QN_TRY(qn_tval_iterate(ctx, &list, &v));
    QN_TRY(push_scope(ctx, outer));
    if (node->b->b)
        QN_TRY(filter_items(ctx, &list, node));
    QN_TRY(qn_tctx_alloc(ctx, &memory, 1, sizeof(struct qn_tloop)));
    struct qn_tloop *loop = memory;
    loop->items = list->items;
    loop->n = list->n;
    for (uint32_t i = 0; i < list->n; i++) {
        QN_TRY(qn_tctx_spend(ctx, 1));
        if (ctx->scope->captured)
            QN_TRY(push_scope(ctx, outer));
        ctx->scope->n = 0;
        loop->at = i;
        QN_TRY(qn_tscope_set(ctx, ctx->scope, QN_STR("loop"),
                             &(struct qn_tval){.kind = QN_TVAL_LOOP, .as.loop = loop}));
        QN_TRY(assign(ctx, node->a, &list->items[i]));
        QN_TRY(qn_texec(ctx, node->c));
        enum qn_tflow flow = ctx->flow;
        ctx->flow = QN_TFLOW_NONE;
        if (flow == QN_TFLOW_BREAK)
            break;
    }
    if (list->n == 0 && node->b->c) {
        ctx->scope->n = 0;
        QN_TRY(qn_texec(ctx, node->b->c));
    }
    ctx->scope = outer;
    return QN_OK;
}

QN_TSEPARATE enum qn_status exec_filter(struct qn_tctx *ctx, struct qn_tval *v,
                                        const struct qn_tnode *filter) {
    if (!filter)
        return QN_OK;
    QN_TRY(qn_tctx_enter(ctx));
    QN_TRY(exec_filter(ctx, v, filter->a)); // the first filter is innermost
    QN_TRY(qn_teval_filter(ctx, v, filter, (struct qn_tval[]){*v}));
    ctx->nest--;
    return QN_OK;
}

/* A block whose text is captured, filtered, then set or printed. */
QN_TSEPARATE enum qn_status exec_block(struct qn_tctx *ctx, const struct qn_tnode *node) {
    struct qn_tscope *outer = ctx->scope;
    struct qn_tval v;
    QN_TRY(push_scope(ctx, outer));
    QN_TRY(capture(ctx, &v, node->c));
    ctx->scope = outer;
    QN_TRY(exec_filter(ctx, &v, node->b));
    return node->kind == QN_TNODE_SET_BLOCK ? assign(ctx, node->a, &v) : print_value(ctx, &v);
}

QN_TSEPARATE enum qn_status new_macro(struct qn_tctx *ctx, struct qn_tval *out,
                                      const struct qn_tnode *node) {
    void *macro;
    QN_TRY(qn_tctx_alloc(ctx, &macro, 1, sizeof(struct qn_tmacro)));
    *(struct qn_tmacro *)macro = (struct qn_tmacro){node, ctx->scope};
    for (struct qn_tscope *scope = ctx->scope; scope && !scope->captured; scope = scope->parent)
        scope->captured = true;
    *out = (struct qn_tval){.kind = QN_TVAL_MACRO, .as.macro = macro};
    return QN_OK;
}

QN_TSEPARATE enum qn_status exec_call_block(struct qn_tctx *ctx, const struct qn_tnode *node) {
    struct qn_tval callee, caller, result;
    struct qn_targs args;
    QN_TRY(qn_teval(ctx, &callee, node->a->a));
    QN_TRY(qn_teval_args(ctx, &args, node->a->b));
    QN_TRY(new_macro(ctx, &caller, node->b));
    void *names, *named;
    QN_TRY(qn_tctx_alloc(ctx, &names, args.n_named + 1, sizeof(struct qn_tval)));
    QN_TRY(qn_tctx_alloc(ctx, &named, args.n_named + 1, sizeof(struct qn_tval)));
    if (args.n_named) {
        memcpy(names, args.names, args.n_named * sizeof(struct qn_tval));
        memcpy(named, args.named, args.n_named * sizeof(struct qn_tval));
    }
    ((struct qn_tval *)names)[args.n_named] = qn_tval_str(QN_STR("caller"));
    ((struct qn_tval *)named)[args.n_named] = caller;
    args.names = names;
    args.named = named;
    args.n_named++;
    ctx->site.at = node->at;
    QN_TRY(qn_tcall(ctx, &result, &callee, &args));
    return print_value(ctx, &result);
}

QN_TSEPARATE enum qn_status exec_with(struct qn_tctx *ctx, const struct qn_tnode *node) {
    struct qn_tscope *outer = ctx->scope, *inner;
    struct qn_tval v;
    QN_TRY(push_scope(ctx, outer));
    inner = ctx->scope;
    for (const struct qn_tnode *set = node->a; set; set = set->next) {
        ctx->scope = outer; // the values do not see each other
        QN_TRY(qn_teval(ctx, &v, set->b));
        ctx->scope = inner;
        QN_TRY(assign(ctx, set->a, &v));
    }
    ctx->scope = inner;
    QN_TRY(qn_texec(ctx, node->kind == QN_TNODE_WITH ? node->b : node->a));
    ctx->scope = outer;
    return QN_OK;
}

QN_TSEPARATE enum qn_status exec_scope(struct qn_tctx *ctx, const struct qn_tnode *node) {
    struct qn_tscope *outer = ctx->scope;
    QN_TRY(push_scope(ctx, outer));
    QN_TRY(qn_texec(ctx, node->a));
    ctx->scope = outer;
    return QN_OK;
}

static enum qn_status exec_one(struct qn_tctx *ctx, const struct qn_tnode *node) {
    struct qn_tval v;
    switch (node->kind) {
    case QN_TNODE_DATA:
        return qn_tsink_str(ctx, ctx->out, &node->value);
    case QN_TNODE_OUTPUT:
        return exec_output(ctx, node);
    case QN_TNODE_IF:
        return exec_if(ctx, node);
    case QN_TNODE_FOR:
        return exec_for(ctx, node);
    case QN_TNODE_SET:
        QN_TRY(qn_teval(ctx, &v, node->b));
        return assign(ctx, node->a, &v);
    case QN_TNODE_SET_BLOCK:
    case QN_TNODE_FILTER_BLOCK:
        return exec_block(ctx, node);
    case QN_TNODE_MACRO:
        QN_TRY(new_macro(ctx, &v, node));
        return qn_tscope_set(ctx, ctx->scope, node->name, &v);
    case QN_TNODE_CALL_BLOCK:
        return exec_call_block(ctx, node);
    case QN_TNODE_WITH:
        return exec_with(ctx, node);
    case QN_TNODE_SCOPE:
        return exec_scope(ctx, node);
    case QN_TNODE_DO:
        return qn_teval(ctx, &v, node->a);
    case QN_TNODE_BREAK:
        ctx->flow = QN_TFLOW_BREAK;
        return QN_OK;
    case QN_TNODE_CONTINUE:
        ctx->flow = QN_TFLOW_CONTINUE;
        return QN_OK;
    default:
        return qn_tfail_as(&ctx->site, QN_E_INTERNAL, "node %d as a statement", node->kind);
    }
}

enum qn_status qn_texec(struct qn_tctx *ctx, const struct qn_tnode *body) {
    QN_TRY(qn_tctx_enter(ctx));
    for (; body && ctx->flow == QN_TFLOW_NONE; body = body->next) {
        ctx->site.at = body->at;
        QN_TRY(qn_tctx_spend(ctx, 1));
        QN_TRY(exec_one(ctx, body));
    }
    ctx->nest--;
    return QN_OK;
}

/* ---- calls ---- */

/* Appends what * and ** bring to the arguments. */
QN_TSEPARATE enum qn_status spread(struct qn_tctx *ctx, struct qn_tlist *pos,
                                   struct qn_tlist *names, struct qn_tlist *named,
                                   const struct qn_tval *v, bool keywords) {
    struct qn_tlist *list;
    if (!keywords) {
        QN_TRY(qn_tval_iterate(ctx, &list, v));
        for (uint32_t i = 0; i < list->n; i++)
            QN_TRY(qn_tlist_push(ctx, pos, &list->items[i]));
        return QN_OK;
    }
    if (v->kind != QN_TVAL_DICT)
        return qn_tfail(&ctx->site, "** needs a dict, not %s", qn_tval_type(v));
    for (uint32_t i = 0; i < v->as.dict->n; i++) {
        if (v->as.dict->entries[i].key.kind != QN_TVAL_STR)
            return qn_tfail(&ctx->site, "names of arguments are strings");
        QN_TRY(qn_tlist_push(ctx, names, &v->as.dict->entries[i].key));
        QN_TRY(qn_tlist_push(ctx, named, &v->as.dict->entries[i].value));
    }
    return QN_OK;
}

enum qn_status qn_teval_args(struct qn_tctx *ctx, struct qn_targs *out,
                             const struct qn_tnode *chain) {
    *out = (struct qn_targs){.n_pos = 0};
    if (!chain)
        return QN_OK;
    struct qn_tlist pos = {.n = 0}, names = {.n = 0}, named = {.n = 0};
    struct qn_tval v;
    for (; chain; chain = chain->next) {
        bool plain = chain->kind != QN_TNODE_KEYWORD && chain->kind != QN_TNODE_STAR &&
                     chain->kind != QN_TNODE_STAR2;
        QN_TRY(qn_teval(ctx, &v, plain ? chain : chain->a));
        if (plain) {
            QN_TRY(qn_tlist_push(ctx, &pos, &v));
        } else if (chain->kind == QN_TNODE_KEYWORD) {
            QN_TRY(qn_tlist_push(ctx, &names, (struct qn_tval[]){qn_tval_str(chain->name)}));
            QN_TRY(qn_tlist_push(ctx, &named, &v));
        } else {
            QN_TRY(spread(ctx, &pos, &names, &named, &v, chain->kind == QN_TNODE_STAR2));
        }
    }
    out->pos = pos.items;
    out->n_pos = pos.n;
    out->named = named.items;
    out->n_named = named.n;
    out->names = names.items;
    return QN_OK;
}

/* Sorts the arguments into the parameters that `spec` names. */
QN_TSEPARATE enum qn_status bind(struct qn_tctx *ctx, struct qn_tval a[QN_TFUNC_ARGS],
                                 const struct qn_tfunc *func, const struct qn_targs *args) {
    uint32_t n = 0, used = 0;
    for (const char *p = func->spec; *p && n < QN_TFUNC_ARGS; n++) {
        struct qn_str name = {p, strcspn(p, " ")};
        p += name.n + (p[name.n] == ' ');
        a[n] = (struct qn_tval){.kind = QN_TVAL_MISSING};
        if (n < args->n_pos)
            a[n] = args->pos[n];
        for (uint32_t i = 0; i < args->n_named; i++)
            if (qn_str_eq(qn_tval_text(args->names[i]), name)) {
                if (n < args->n_pos)
                    return qn_tfail(&ctx->site, "%s has two values for '%.*s'", func->name,
                                    QN_STR_ARG(name));
                a[n] = args->named[i];
                used++;
            }
        if (!qn_tval_given(a[n]) && n < func->required)
            return qn_tfail(&ctx->site, "%s needs an argument '%.*s'", func->name,
                            QN_STR_ARG(name));
    }
    if (args->n_pos > n)
        return qn_tfail(&ctx->site, "%s takes at most %u arguments, not %u", func->name, n,
                        args->n_pos);
    if (used < args->n_named)
        return qn_tfail(&ctx->site, "%s has an argument it does not know", func->name);
    return QN_OK;
}

enum qn_status qn_tcall_func(struct qn_tctx *ctx, struct qn_tval *out, const struct qn_tfunc *func,
                             const struct qn_tval *self, const struct qn_targs *args) {
    struct qn_tval a[QN_TFUNC_ARGS];
    QN_TRY(qn_tctx_spend(ctx, 1));
    if (!func->spec)
        return func->fn(ctx, out, self, NULL, args);
    QN_TRY(bind(ctx, a, func, args));
    return func->fn(ctx, out, self, a, args);
}

/* Sets the parameters, and what is left over as varargs and kwargs where the body uses them. */
QN_TSEPARATE enum qn_status bind_macro(struct qn_tctx *ctx, const struct qn_tnode *node,
                                       const struct qn_targs *args) {
    struct qn_tscope *scope = ctx->scope;
    struct qn_tlist *varargs;
    struct qn_tdict *kwargs;
    uint32_t at = 0, used = 0;
    for (const struct qn_tnode *param = node->a; param; param = param->next, at++) {
        struct qn_tval v = {.kind = QN_TVAL_MISSING};
        if (at < args->n_pos)
            v = args->pos[at];
        for (uint32_t i = 0; i < args->n_named; i++)
            if (qn_str_eq(qn_tval_text(args->names[i]), param->name)) {
                if (at < args->n_pos)
                    return qn_tfail(&ctx->site, "macro '%.*s' has two values for '%.*s'",
                                    QN_STR_ARG(node->name), QN_STR_ARG(param->name));
                v = args->named[i];
                used++;
            }
        if (!qn_tval_given(v) && param->a)
            QN_TRY(qn_teval(ctx, &v, param->a));
        else if (!qn_tval_given(v))
            v = qn_tval_undefined(&v, param->name);
        QN_TRY(qn_tscope_set(ctx, scope, param->name, &v));
    }
    if (args->n_pos > at && !(node->op & QN_TMACRO_VARARGS))
        return qn_tfail(&ctx->site, "macro '%.*s' takes not more than %u arguments",
                        QN_STR_ARG(node->name), at);
    if (node->op & QN_TMACRO_VARARGS) {
        QN_TRY(qn_tlist_new(ctx, &varargs, 0));
        for (; at < args->n_pos; at++)
            QN_TRY(qn_tlist_push(ctx, varargs, &args->pos[at]));
        QN_TRY(qn_tscope_set(ctx, scope, QN_STR("varargs"),
                             (struct qn_tval[]){qn_tlist_value(varargs, QN_TVAL_TUPLE)}));
    }
    QN_TRY(qn_tdict_new(ctx, &kwargs));
    for (uint32_t i = 0; i < args->n_named && used < args->n_named; i++) {
        bool param = false;
        for (const struct qn_tnode *p = node->a; p && !param; p = p->next)
            param = qn_str_eq(p->name, qn_tval_text(args->names[i]));
        if (param)
            continue;
        if (qn_str_is(qn_tval_text(args->names[i]), "caller") && (node->op & QN_TMACRO_CALLER))
            QN_TRY(qn_tscope_set(ctx, scope, qn_tval_text(args->names[i]), &args->named[i]));
        else if (node->op & QN_TMACRO_KWARGS)
            QN_TRY(qn_tdict_set(ctx, kwargs, &args->names[i], &args->named[i]));
        else
            return qn_tfail(&ctx->site, "macro '%.*s' takes no argument '%.*s'",
                            QN_STR_ARG(node->name), QN_STR_ARG(qn_tval_text(args->names[i])));
    }
    if ((node->op & QN_TMACRO_CALLER) && !qn_tscope_find(scope, QN_STR("caller")))
        QN_TRY(qn_tscope_set(
            ctx, scope, QN_STR("caller"),
            (struct qn_tval[]){qn_tval_undefined(&(struct qn_tval){.kind = 0}, QN_STR("caller"))}));
    if (node->op & QN_TMACRO_KWARGS)
        QN_TRY(qn_tscope_set(ctx, scope, QN_STR("kwargs"),
                             &(struct qn_tval){.kind = QN_TVAL_DICT, .as.dict = kwargs}));
    return QN_OK;
}

static enum qn_status call_macro(struct qn_tctx *ctx, struct qn_tval *out,
                                 const struct qn_tmacro *macro, const struct qn_targs *args) {
    struct qn_tscope *outer = ctx->scope;
    if (ctx->depth >= ctx->limits.depth)
        return qn_tfail_as(&ctx->site, QN_E_LIMIT, "macros call each other more than %u deep",
                           ctx->limits.depth);
    ctx->depth++;
    QN_TRY(push_scope(ctx, macro->scope));
    QN_TRY(bind_macro(ctx, macro->node, args));
    QN_TRY(capture(ctx, out, macro->node->b));
    ctx->scope = outer;
    ctx->depth--;
    return QN_OK;
}

enum qn_status qn_tcall(struct qn_tctx *ctx, struct qn_tval *out, const struct qn_tval *callee,
                        const struct qn_targs *args) {
    switch (callee->kind) {
    case QN_TVAL_MACRO:
        return call_macro(ctx, out, callee->as.macro, args);
    case QN_TVAL_BOUND:
        return qn_tcall_func(ctx, out, callee->as.bound->func, &callee->as.bound->self, args);
    case QN_TVAL_FUNCTION:
        return qn_tcall_func(ctx, out, callee->as.func, &(struct qn_tval){.kind = QN_TVAL_MISSING},
                             args);
    case QN_TVAL_JOINER: // nothing the first time, then the separator
        *out = callee->as.list->at ? callee->as.list->items[0] : qn_tval_str(QN_STR(""));
        callee->as.list->at = 1;
        return QN_OK;
    case QN_TVAL_UNDEFINED:
        return qn_tval_fail_undefined(ctx, callee);
    default:
        return qn_tfail(&ctx->site, "%s cannot be called", qn_tval_type(callee));
    }
}
