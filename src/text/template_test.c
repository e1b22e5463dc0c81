/* Tests (x is …) and global functions. */
#include "text/template_internal.h"

/* A test that looks at the value's kind only. */
#define KIND_TEST(name, condition)      \
    QN_TFUNC(name) {                    \
        QN_TUNUSED(ctx, a, args);       \
        *out = qn_tval_bool(condition); \
        return QN_OK;                   \
    }
#define COMPARE_TEST(name, op)                          \
    QN_TFUNC(name) {                                    \
        QN_TUNUSED(args);                               \
        bool ok;                                        \
        QN_TRY(qn_tcompare(ctx, &ok, op, self, &a[0])); \
        *out = qn_tval_bool(ok);                        \
        return QN_OK;                                   \
    }

static bool is_sized(const struct qn_tval *v) { // has a length and elements; Undefined pretends to
    return v->kind == QN_TVAL_STR || v->kind == QN_TVAL_LIST || v->kind == QN_TVAL_TUPLE ||
           v->kind == QN_TVAL_DICT || v->kind == QN_TVAL_UNDEFINED;
}

static bool is_integer(const struct qn_tval *v) {
    return v->kind == QN_TVAL_INT || v->kind == QN_TVAL_BIGINT;
}

KIND_TEST(is_defined, self->kind != QN_TVAL_UNDEFINED)
KIND_TEST(is_undefined, self->kind == QN_TVAL_UNDEFINED)
KIND_TEST(is_none, self->kind == QN_TVAL_NONE)
KIND_TEST(is_string, self->kind == QN_TVAL_STR)
KIND_TEST(is_mapping, self->kind == QN_TVAL_DICT)
KIND_TEST(is_sequence, is_sized(self))
KIND_TEST(is_iterable,
          is_sized(self) || self->kind == QN_TVAL_GENERATOR || self->kind == QN_TVAL_LOOP)
KIND_TEST(is_number, is_integer(self) || self->kind == QN_TVAL_FLOAT || self->kind == QN_TVAL_BOOL)
KIND_TEST(is_int, is_integer(self))
KIND_TEST(is_float, self->kind == QN_TVAL_FLOAT)
KIND_TEST(is_boolean, self->kind == QN_TVAL_BOOL)
KIND_TEST(is_true, self->kind == QN_TVAL_BOOL && self->as.b)
KIND_TEST(is_false, self->kind == QN_TVAL_BOOL && !self->as.b)
KIND_TEST(is_escaped, self->kind == QN_TVAL_STR && (self->flags & QN_TVAL_MARKUP))
KIND_TEST(is_callable, self->kind == QN_TVAL_MACRO || self->kind == QN_TVAL_BOUND ||
                           self->kind == QN_TVAL_FUNCTION || self->kind == QN_TVAL_JOINER ||
                           self->kind == QN_TVAL_UNDEFINED)
KIND_TEST(is_filter, self->kind == QN_TVAL_STR && qn_tfilter_by_name(qn_tval_text(*self)))
KIND_TEST(is_test, self->kind == QN_TVAL_STR && qn_ttest_by_name(qn_tval_text(*self)))

COMPARE_TEST(is_eq, QN_TOP_EQ)
COMPARE_TEST(is_ne, QN_TOP_NE)
COMPARE_TEST(is_lt, QN_TOP_LT)
COMPARE_TEST(is_le, QN_TOP_LE)
COMPARE_TEST(is_gt, QN_TOP_GT)
COMPARE_TEST(is_ge, QN_TOP_GE)
COMPARE_TEST(is_in, QN_TOP_IN)

static enum qn_status divides(struct qn_tctx *ctx, struct qn_tval *out, const struct qn_tval *self,
                              const struct qn_tval *by, int64_t rest) {
    struct qn_tval left;
    bool same;
    QN_TRY(qn_tbinary(ctx, &left, QN_TOP_MOD, self, by));
    QN_TRY(qn_tval_equal(ctx, &same, &left, (struct qn_tval[]){qn_tval_int(rest)}));
    *out = qn_tval_bool(same);
    return QN_OK;
}

QN_TFUNC(is_divisible) {
    QN_TUNUSED(args);
    return divides(ctx, out, self, &a[0], 0);
}
QN_TFUNC(is_even) {
    QN_TUNUSED(a, args);
    return divides(ctx, out, self, (struct qn_tval[]){qn_tval_int(2)}, 0);
}
QN_TFUNC(is_odd) {
    QN_TUNUSED(a, args);
    return divides(ctx, out, self, (struct qn_tval[]){qn_tval_int(2)}, 1);
}

QN_TFUNC(is_sameas) {
    QN_TUNUSED(args);
    bool same = false;
    if (self->kind == a[0].kind && self->kind != QN_TVAL_FLOAT) {
        if (qn_tval_is_list(*self) || self->kind == QN_TVAL_DICT || self->kind == QN_TVAL_NAMESPACE)
            same = self->as.list == a[0].as.list;
        else
            QN_TRY(qn_tval_equal(ctx, &same, self, &a[0]));
    }
    *out = qn_tval_bool(same);
    return QN_OK;
}

static enum qn_status is_case(struct qn_tctx *ctx, struct qn_tval *out,
                              const struct qn_tval *given_self, const char *method) {
    struct qn_tval self = *given_self;
    struct qn_targs none = {.n_pos = 0};
    QN_TRY(qn_tval_to_str(ctx, &self, (struct qn_tval[]){self}));
    return qn_tcall_func(ctx, out, qn_tmethod_str_by_name(qn_str_from(method)), &self, &none);
}

QN_TFUNC(is_lower) {
    QN_TUNUSED(a, args);
    return is_case(ctx, out, self, "islower");
}
QN_TFUNC(is_upper) {
    QN_TUNUSED(a, args);
    return is_case(ctx, out, self, "isupper");
}

const struct qn_tfunc *qn_ttest_by_name(struct qn_str name) {
    static const struct qn_tfunc table[] = {
        {"defined", "", 0, is_defined},
        {"string", "", 0, is_string},
        {"none", "", 0, is_none},
        {"mapping", "", 0, is_mapping},
        {"iterable", "", 0, is_iterable},
        {"sequence", "", 0, is_sequence},
        {"undefined", "", 0, is_undefined},
        {"number", "", 0, is_number},
        {"integer", "", 0, is_int},
        {"float", "", 0, is_float},
        {"boolean", "", 0, is_boolean},
        {"true", "", 0, is_true},
        {"false", "", 0, is_false},
        {"odd", "", 0, is_odd},
        {"even", "", 0, is_even},
        {"divisibleby", "num", 1, is_divisible},
        {"callable", "", 0, is_callable},
        {"escaped", "", 0, is_escaped},
        {"sameas", "other", 1, is_sameas},
        {"lower", "", 0, is_lower},
        {"upper", "", 0, is_upper},
        {"filter", "", 0, is_filter},
        {"test", "", 0, is_test},
        {"in", "seq", 1, is_in},
        {"eq", "b", 1, is_eq},
        {"equalto", "b", 1, is_eq},
        {"==", "b", 1, is_eq},
        {"ne", "b", 1, is_ne},
        {"!=", "b", 1, is_ne},
        {"lt", "b", 1, is_lt},
        {"lessthan", "b", 1, is_lt},
        {"<", "b", 1, is_lt},
        {"le", "b", 1, is_le},
        {"<=", "b", 1, is_le},
        {"gt", "b", 1, is_gt},
        {"greaterthan", "b", 1, is_gt},
        {">", "b", 1, is_gt},
        {"ge", "b", 1, is_ge},
        {">=", "b", 1, is_ge},
    };
    return qn_tfunc_find(table, sizeof table / sizeof *table, name);
}

/* ---- globals ---- */

QN_TFUNC(do_range) {
    QN_TUNUSED(*self, args);
    enum { RANGE_MAX = 100000 }; // as in Jinja's sandbox
    int64_t begin = 0, end = 0, step = 1;
    struct qn_tlist *list;
    bool two = qn_tval_given(a[1]), three = qn_tval_given(a[2]);
    if (!qn_tval_as_int(two ? &begin : &end, &a[0]) || (two && !qn_tval_as_int(&end, &a[1])) ||
        (three && !qn_tval_as_int(&step, &a[2])))
        return qn_tfail(&ctx->site, "range needs integers");
    if (step == 0)
        return qn_tfail(&ctx->site, "the step of range is zero");
    int64_t span, n = 0;
    bool overflow = step > 0 ? __builtin_sub_overflow(end, begin, &span)
                             : __builtin_sub_overflow(begin, end, &span);
    bool empty = step > 0 ? end <= begin : begin <= end;
    if (!empty && (overflow || step == INT64_MIN))
        return qn_tfail_as(&ctx->site, QN_E_LIMIT, "range has more than %d items", RANGE_MAX);
    if (!empty)
        n = (span - 1) / (step < 0 ? -step : step) + 1;
    if (n > RANGE_MAX)
        return qn_tfail_as(&ctx->site, QN_E_LIMIT, "range has more than %d items", RANGE_MAX);
    QN_TRY(qn_tctx_spend(ctx, (uint64_t)n / 16));
    QN_TRY(qn_tlist_new(ctx, &list, (uint32_t)n));
    for (int64_t i = 0; i < n; i++)
        QN_TRY(qn_tlist_push(ctx, list, (struct qn_tval[]){qn_tval_int(begin + i * step)}));
    *out = qn_tlist_value(list, QN_TVAL_LIST);
    return QN_OK;
}

static enum qn_status make_dict(struct qn_tctx *ctx, struct qn_tval *out,
                                const struct qn_targs *args, enum qn_tkind kind) {
    struct qn_tdict *dict;
    QN_TRY(qn_tdict_new(ctx, &dict));
    QN_TRY(qn_tdict_merge_args(ctx, dict, args));
    *out = (struct qn_tval){.kind = (uint8_t)kind, .as.dict = dict};
    return QN_OK;
}

QN_TFUNC(do_dict) {
    QN_TUNUSED(*self, a);
    return make_dict(ctx, out, args, QN_TVAL_DICT);
}
QN_TFUNC(do_namespace) {
    QN_TUNUSED(*self, a);
    return make_dict(ctx, out, args, QN_TVAL_NAMESPACE);
}

QN_TFUNC(do_raise) {
    QN_TUNUSED(out, *self, args);
    struct qn_tval text;
    QN_TRY(qn_tval_to_str(ctx, &text, &a[0]));
    return qn_tfail(&ctx->site, "%.*s", QN_STR_ARG(qn_tval_text(text)));
}

QN_TFUNC(do_strftime_now) {
    QN_TUNUSED(*self, args);
    if (!qn_tval_is_str(a[0]))
        return qn_tfail(&ctx->site, "strftime_now needs a format");
    return qn_tformat_time(ctx, out, &a[0], ctx->now);
}

QN_TFUNC(do_cycler) {
    QN_TUNUSED(*self, a);
    struct qn_tlist *list;
    if (args->n_pos == 0)
        return qn_tfail(&ctx->site, "cycler needs something to cycle through");
    QN_TRY(qn_tlist_new(ctx, &list, args->n_pos));
    for (uint32_t i = 0; i < args->n_pos; i++)
        QN_TRY(qn_tlist_push(ctx, list, &args->pos[i]));
    *out = qn_tlist_value(list, QN_TVAL_CYCLER);
    return QN_OK;
}

QN_TFUNC(do_joiner) {
    QN_TUNUSED(*self, args);
    struct qn_tlist *list;
    QN_TRY(qn_tlist_new(ctx, &list, 0));
    QN_TRY(qn_tlist_push(
        ctx, list, (struct qn_tval[]){qn_tval_given(a[0]) ? a[0] : qn_tval_str(QN_STR(", "))}));
    *out = qn_tlist_value(list, QN_TVAL_JOINER);
    return QN_OK;
}

const struct qn_tfunc *qn_tglobal_by_name(struct qn_str name) {
    static const struct qn_tfunc table[] = {
        {"range", "start stop step", 1, do_range},
        {"namespace", NULL, 0, do_namespace},
        {"dict", NULL, 0, do_dict},
        {"raise_exception", "message", 1, do_raise},
        {"strftime_now", "format", 1, do_strftime_now},
        {"cycler", NULL, 0, do_cycler},
        {"joiner", "sep", 0, do_joiner},
    };
    return qn_tfunc_find(table, sizeof table / sizeof *table, name);
}
