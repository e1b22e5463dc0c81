/* Filters on single values. The parameters' names and defaults are Jinja's. */
#include "text/template_internal.h"

static enum qn_status int_arg(struct qn_tctx *ctx, int64_t *out, const struct qn_tval *v,
                              int64_t otherwise) {
    *out = otherwise;
    if (!qn_tval_given(*v) || v->kind == QN_TVAL_NONE || qn_tval_as_int(out, v))
        return QN_OK;
    return qn_tfail(&ctx->site, "an integer is needed, not %s", qn_tval_type(v));
}

QN_TFUNC(do_abs) {
    QN_TUNUSED(a, args);
    if (self->kind == QN_TVAL_FLOAT) {
        *out = qn_tval_float(__builtin_fabs(self->as.f));
        return QN_OK;
    }
    int64_t i;
    if (!qn_tval_as_int(&i, self) || i == INT64_MIN)
        return qn_tfail(&ctx->site, "abs of %s is not possible", qn_tval_type(self));
    *out = qn_tval_int(i < 0 ? -i : i);
    return QN_OK;
}

static enum qn_status change_case(struct qn_tctx *ctx, struct qn_tval *out,
                                  const struct qn_tval *given_self, enum qn_tcase how) {
    struct qn_tval self = *given_self;
    QN_TRY(qn_tval_to_str(ctx, &self, (struct qn_tval[]){self}));
    return qn_tstr_case(ctx, out, &self, how);
}

QN_TFUNC(do_capitalize) {
    QN_TUNUSED(a, args);
    return change_case(ctx, out, self, QN_TCASE_CAPITALIZE);
}
QN_TFUNC(do_lower) {
    QN_TUNUSED(a, args);
    return change_case(ctx, out, self, QN_TCASE_LOWER);
}
QN_TFUNC(do_upper) {
    QN_TUNUSED(a, args);
    return change_case(ctx, out, self, QN_TCASE_UPPER);
}
QN_TFUNC(do_title) {
    QN_TUNUSED(a, args);
    return change_case(ctx, out, self, QN_TCASE_WORDS);
}

QN_TFUNC(do_string) {
    QN_TUNUSED(a, args);
    uint8_t markup = self->kind == QN_TVAL_STR ? self->flags : 0;
    QN_TRY(qn_tval_to_str(ctx, out, self));
    out->flags = markup;
    return QN_OK;
}

QN_TFUNC(do_safe) {
    QN_TUNUSED(a, args);
    QN_TRY(qn_tval_to_str(ctx, out, self));
    out->flags = QN_TVAL_MARKUP;
    return QN_OK;
}

QN_TFUNC(do_escape) {
    struct qn_tval value = *self;
    QN_TUNUSED(a, args);
    if (value.kind == QN_TVAL_STR && (value.flags & QN_TVAL_MARKUP)) {
        *out = value;
        return QN_OK;
    }
    QN_TRY(qn_tval_to_str(ctx, &value, (struct qn_tval[]){value}));
    return qn_tstr_escape(ctx, out, &value);
}

QN_TFUNC(do_forceescape) {
    struct qn_tval value = *self;
    QN_TUNUSED(a, args);
    QN_TRY(qn_tval_to_str(ctx, &value, (struct qn_tval[]){value}));
    return qn_tstr_escape(ctx, out, &value);
}

QN_TFUNC(do_default) {
    QN_TUNUSED(args);
    bool truth = true;
    if (qn_tval_flag(&a[1], false))
        QN_TRY(qn_tval_truth(ctx, &truth, self));
    if (self->kind == QN_TVAL_UNDEFINED || !truth)
        *out = qn_tval_given(a[0]) ? a[0] : qn_tval_str(QN_STR(""));
    else
        *out = *self;
    return QN_OK;
}

QN_TFUNC(do_length) {
    QN_TUNUSED(a, args);
    int64_t n;
    QN_TRY(qn_tval_length(ctx, &n, self));
    *out = qn_tval_int(n);
    return QN_OK;
}

QN_TFUNC(do_trim) {
    struct qn_tval value = *self;
    QN_TUNUSED(args);
    QN_TRY(qn_tval_to_str(ctx, &value, (struct qn_tval[]){value}));
    return qn_tstr_trim(ctx, out, &value, QN_TSTR_LEFT | QN_TSTR_RIGHT, &a[0]);
}

QN_TFUNC(do_replace) {
    struct qn_tval value = *self;
    QN_TUNUSED(args);
    int64_t count;
    struct qn_tval from, to;
    QN_TRY(int_arg(ctx, &count, &a[2], -1));
    QN_TRY(qn_tval_to_str(ctx, &value, (struct qn_tval[]){value}));
    QN_TRY(qn_tval_to_str(ctx, &from, &a[0]));
    QN_TRY(qn_tval_to_str(ctx, &to, &a[1]));
    return qn_tstr_replace(ctx, out, &value, &from, &to, count);
}

QN_TFUNC(do_int) {
    QN_TUNUSED(args);
    int64_t base, i;
    double f;
    QN_TRY(int_arg(ctx, &base, &a[1], 10));
    *out = qn_tval_given(a[0]) ? a[0] : qn_tval_int(0);
    if (self->kind == QN_TVAL_UNDEFINED)
        return qn_tval_fail_undefined(ctx, self);
    if (self->kind == QN_TVAL_BIGINT) {
        *out = *self;
        return QN_OK;
    }
    if (self->kind == QN_TVAL_STR && base >= 0 && base <= 36 &&
        qn_tnum_parse_i64(&i, qn_tval_text(*self), (int)base)) {
        *out = qn_tval_int(i);
        return QN_OK;
    }
    if (qn_tval_as_int(&i, self)) {
        *out = qn_tval_int(i);
    } else if (self->kind == QN_TVAL_FLOAT ||
               (self->kind == QN_TVAL_STR && qn_tnum_parse_f64(&f, qn_tval_text(*self)))) {
        if (self->kind == QN_TVAL_FLOAT)
            f = self->as.f;
        if (f > -9.2e18 && f < 9.2e18)
            *out = qn_tval_int((int64_t)f);
        else if (f - f == 0)
            return qn_tfail(&ctx->site, "integer overflow");
    }
    return QN_OK;
}

QN_TFUNC(do_float) {
    QN_TUNUSED(args);
    double f;
    if (self->kind == QN_TVAL_UNDEFINED)
        return qn_tval_fail_undefined(ctx, self);
    if (self->kind == QN_TVAL_STR ? qn_tnum_parse_f64(&f, qn_tval_text(*self))
                                  : qn_tval_as_float(&f, self))
        *out = qn_tval_float(f);
    else
        *out = qn_tval_given(a[0]) ? a[0] : qn_tval_float(0);
    return QN_OK;
}

QN_TFUNC(do_round) {
    QN_TUNUSED(args);
    int64_t precision;
    double f, scale = 1;
    char text[QN_TNUM_TEXT];
    QN_TRY(int_arg(ctx, &precision, &a[0], 0));
    bool common = !qn_tval_given(a[1]) ||
                  (a[1].kind == QN_TVAL_STR && qn_str_is(qn_tval_text(a[1]), "common"));
    if (precision < -18 || precision > 60 || !qn_tval_as_float(&f, self))
        return qn_tfail(&ctx->site, "this cannot be rounded");
    if (common && self->kind != QN_TVAL_FLOAT && precision >= 0) {
        *out = self->kind == QN_TVAL_BOOL ? qn_tval_int(self->as.b) : *self;
        return QN_OK;
    }
    for (int64_t i = precision < 0 ? -precision : precision; i > 0; i--)
        scale *= 10;
    if (precision < 0)
        scale = 1 / scale;
    if (common && precision >= 0) {
        size_t n = qn_tnum_fixed(text, f, (uint32_t)precision);
        (void)qn_tnum_parse_f64(&f, (struct qn_str){text, n});
    } else if (common) {
        f = __builtin_rint(f * scale) / scale;
    } else if (a[1].kind == QN_TVAL_STR && qn_str_is(qn_tval_text(a[1]), "ceil")) {
        f = __builtin_ceil(f * scale) / scale;
    } else if (a[1].kind == QN_TVAL_STR && qn_str_is(qn_tval_text(a[1]), "floor")) {
        f = __builtin_floor(f * scale) / scale;
    } else {
        return qn_tfail(&ctx->site, "method must be common, ceil or floor");
    }
    *out = common && self->kind != QN_TVAL_FLOAT ? qn_tval_int((int64_t)f) : qn_tval_float(f);
    return QN_OK;
}

/* The lines of str.splitlines(), joined by \n again. */
static enum qn_status indent_lines(struct qn_tctx *ctx, struct qn_tsink *sink,
                                   const struct qn_tval *s, const struct qn_tval *by, bool first,
                                   bool blank) {
    for (size_t at = 0, end = 0, next; at <= s->n; at = next) {
        uint32_t cp = 0;
        for (end = at, next = s->n + 1; end < s->n; end = next) {
            next = end + qn_tstr_char(qn_tval_text(*s), end, &cp);
            if (qn_tstr_is_newline(cp))
                break;
        }
        if (end == s->n)
            next = s->n + 1;
        else if (cp == '\r' && next < s->n && s->as.p[next] == '\n')
            next++;
        QN_TRY(qn_tctx_spend(ctx, 1 + (end - at) / 64));
        if (at == 0 ? first : (end > at || blank))
            QN_TRY(qn_tsink_str(ctx, sink, by));
        QN_TRY(qn_tsink_str(ctx, sink, (struct qn_tval[]){qn_tstr_slice(s, at, end)}));
        if (next <= s->n)
            QN_TRY(qn_tsink_put(ctx, sink, "\n", 1, qn_tstr_marked(s, end)));
    }
    return QN_OK;
}

QN_TFUNC(do_indent) {
    QN_TUNUSED(args);
    struct qn_tval by = a[0];
    int64_t width;
    if (!qn_tval_is_str(by)) {
        QN_TRY(int_arg(ctx, &width, &by, 4));
        QN_TRY(qn_tstr_repeat(ctx, &by, (struct qn_tval[]){qn_tval_str(QN_STR(" "))}, width));
    }
    if (!qn_tval_is_str(*self))
        return qn_tfail(&ctx->site, "indent needs a string, not %s", qn_tval_type(self));
    struct qn_tsink sink;
    qn_tsink_init(ctx, &sink);
    enum qn_status status =
        indent_lines(ctx, &sink, self, &by, qn_tval_flag(&a[1], false), qn_tval_flag(&a[2], false));
    if (status != QN_OK) {
        qn_tsink_free(&sink);
        return status;
    }
    return qn_tsink_take(ctx, out, &sink);
}

QN_TFUNC(do_center) {
    struct qn_tval value = *self;
    QN_TUNUSED(args);
    int64_t width, n;
    struct qn_tval left, right;
    QN_TRY(int_arg(ctx, &width, &a[0], 80));
    QN_TRY(qn_tval_to_str(ctx, &value, (struct qn_tval[]){value}));
    QN_TRY(qn_tstr_length(ctx, &n, &value));
    int64_t pad = width > n ? width - n : 0, first = pad / 2 + (pad & width & 1);
    QN_TRY(qn_tstr_repeat(ctx, &left, (struct qn_tval[]){qn_tval_str(QN_STR(" "))}, first));
    QN_TRY(qn_tstr_repeat(ctx, &right, (struct qn_tval[]){qn_tval_str(QN_STR(" "))}, pad - first));
    QN_TRY(qn_tstr_concat(ctx, out, &left, &value));
    return qn_tstr_concat(ctx, out, (struct qn_tval[]){*out}, &right);
}

/* truncate(length=255, killwords=False, end='...', leeway=5) */
QN_TFUNC(do_truncate) {
    struct qn_tval value = *self;
    QN_TUNUSED(args);
    int64_t length, leeway, n, n_end;
    struct qn_tval end = qn_tval_given(a[2]) ? a[2] : qn_tval_str(QN_STR("..."));
    QN_TRY(int_arg(ctx, &length, &a[0], 255));
    QN_TRY(int_arg(ctx, &leeway, &a[3], 5));
    QN_TRY(qn_tval_to_str(ctx, &value, (struct qn_tval[]){value}));
    QN_TRY(qn_tval_to_str(ctx, &end, (struct qn_tval[]){end}));
    QN_TRY(qn_tstr_length(ctx, &n, &value));
    QN_TRY(qn_tstr_length(ctx, &n_end, &end));
    if (length < n_end || leeway < 0)
        return qn_tfail(&ctx->site, "truncate: the length is below that of the end");
    *out = value;
    if (n <= length || n - leeway <= length)
        return QN_OK;
    size_t at = 0;
    uint32_t cp;
    for (int64_t i = 0; i < length - n_end; i++)
        at += qn_tstr_char(qn_tval_text(value), at, &cp);
    if (!qn_tval_flag(&a[1], false)) {
        size_t space = at;
        while (space > 0 && value.as.p[space - 1] != ' ')
            space--;
        if (space > 0)
            at = space - 1;
    }
    return qn_tstr_concat(ctx, out, (struct qn_tval[]){qn_tstr_slice(&value, 0, at)}, &end);
}

QN_TFUNC(do_wordcount) {
    struct qn_tval value = *self;
    QN_TUNUSED(a, args);
    int64_t n = 0;
    bool word = false;
    QN_TRY(qn_tval_to_str(ctx, &value, (struct qn_tval[]){value}));
    QN_TRY(qn_tctx_spend(ctx, value.n / 64));
    for (size_t at = 0; at < value.n;) {
        uint32_t cp;
        at += qn_tstr_char(qn_tval_text(value), at, &cp);
        bool is_word = cp == '_' || cp >= 0x80 || (cp >= '0' && cp <= '9') ||
                       ((cp | 0x20) >= 'a' && (cp | 0x20) <= 'z');
        n += is_word && !word && !qn_tstr_is_space(cp);
        word = is_word && !qn_tstr_is_space(cp);
    }
    *out = qn_tval_int(n);
    return QN_OK;
}

QN_TFUNC(do_attr) {
    QN_TUNUSED(args);
    if (!qn_tval_is_str(a[0]))
        return qn_tfail(&ctx->site, "attr needs a name");
    return qn_tval_attr(ctx, out, self, qn_tval_text(a[0]));
}

QN_TFUNC(do_pprint) {
    QN_TUNUSED(a, args);
    struct qn_tsink sink;
    qn_tsink_init(ctx, &sink);
    enum qn_status status = qn_tval_print(ctx, &sink, self, true);
    if (status != QN_OK) {
        qn_tsink_free(&sink);
        return status;
    }
    return qn_tsink_take(ctx, out, &sink);
}

/* "%s"|format(x) */
QN_TFUNC(do_format) {
    struct qn_tval value = *self;
    QN_TUNUSED(a);
    struct qn_tlist list = {.items = (struct qn_tval *)(uintptr_t)args->pos, .n = args->n_pos};
    if (args->n_named)
        return qn_tfail(&ctx->site, "format takes no named arguments");
    QN_TRY(qn_tval_to_str(ctx, &value, (struct qn_tval[]){value}));
    return qn_tformat_percent(ctx, out, &value,
                              (struct qn_tval[]){qn_tlist_value(&list, QN_TVAL_TUPLE)});
}

const struct qn_tfunc *qn_tfunc_find(const struct qn_tfunc *table, size_t n, struct qn_str name) {
    for (size_t i = 0; i < n; i++)
        if (qn_str_is(name, table[i].name))
            return &table[i];
    return NULL;
}

const struct qn_tfunc *qn_tfilter_by_name(struct qn_str name) {
    static const struct qn_tfunc table[] = {
        {"abs", "", 0, do_abs},
        {"attr", "name", 1, do_attr},
        {"capitalize", "", 0, do_capitalize},
        {"center", "width", 0, do_center},
        {"count", "", 0, do_length},
        {"d", "default_value boolean", 0, do_default},
        {"default", "default_value boolean", 0, do_default},
        {"e", "", 0, do_escape},
        {"escape", "", 0, do_escape},
        {"float", "default", 0, do_float},
        {"forceescape", "", 0, do_forceescape},
        {"format", NULL, 0, do_format},
        {"from_json", "", 0, qn_tfilter_from_json},
        {"fromjson", "", 0, qn_tfilter_from_json},
        {"indent", "width first blank", 0, do_indent},
        {"int", "default base", 0, do_int},
        {"length", "", 0, do_length},
        {"lower", "", 0, do_lower},
        {"pprint", "", 0, do_pprint},
        {"replace", "old new count", 2, do_replace},
        {"round", "precision method", 0, do_round},
        {"safe", "", 0, do_safe},
        {"string", "", 0, do_string},
        {"title", "", 0, do_title},
        {"tojson", "ensure_ascii indent separators sort_keys", 0, qn_tfilter_tojson},
        {"trim", "chars", 0, do_trim},
        {"truncate", "length killwords end leeway", 0, do_truncate},
        {"upper", "", 0, do_upper},
        {"wordcount", "", 0, do_wordcount},
    };
    const struct qn_tfunc *found = qn_tfunc_find(table, sizeof table / sizeof *table, name);
    return found ? found : qn_tfilter_list_by_name(name);
}
