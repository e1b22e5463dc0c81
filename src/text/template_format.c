/* Formatting: "%s" % x, "{}".format(x) and strftime. The usual conversions only. */
#include "text/template_internal.h"

struct spec {
    char fill, align, sign, type; // align: < > ^ = or 0
    bool alternate, comma;
    bool marked;              // the format is, and so is the fill that it chooses
    int64_t width, precision; // precision -1: none
};

/* Digits at *at; at most six are taken. */
static int64_t read_number(struct qn_str s, size_t *at) {
    int64_t n = 0;
    for (int i = 0; i < 6 && *at < s.n && s.p[*at] >= '0' && s.p[*at] <= '9'; i++)
        n = n * 10 + (s.p[(*at)++] - '0');
    return n;
}

static enum qn_status pad_into(struct qn_tctx *ctx, struct qn_tsink *sink,
                               const struct qn_tval *text, const struct spec *spec, char align) {
    int64_t n;
    QN_TRY(qn_tstr_length(ctx, &n, text));
    int64_t pad = spec->width > n ? spec->width - n : 0;
    int64_t before = align == '>' ? pad : align == '^' ? pad / 2 : 0;
    for (int64_t i = 0; i < before; i++)
        QN_TRY(qn_tsink_put(ctx, sink, &spec->fill, 1, spec->marked));
    if (align == '=') { // after the sign
        size_t sign = text->n && (text->as.p[0] == '-' || text->as.p[0] == '+');
        QN_TRY(qn_tsink_str(ctx, sink, (struct qn_tval[]){qn_tstr_slice(text, 0, sign)}));
        for (int64_t i = 0; i < pad; i++)
            QN_TRY(qn_tsink_put(ctx, sink, &spec->fill, 1, spec->marked));
        return qn_tsink_str(ctx, sink, (struct qn_tval[]){qn_tstr_slice(text, sign, text->n)});
    }
    QN_TRY(qn_tsink_str(ctx, sink, text));
    for (int64_t i = before; align != '>' && i < pad; i++)
        QN_TRY(qn_tsink_put(ctx, sink, &spec->fill, 1, spec->marked));
    return QN_OK;
}

/* Thousands separators in the digits before the point. */
static size_t group(char *out, const char *text, size_t n) {
    size_t at = 0, i = 0, digits = 0;
    if (n && (text[0] == '-' || text[0] == '+'))
        out[at++] = text[i++];
    while (i + digits < n && text[i + digits] >= '0' && text[i + digits] <= '9')
        digits++;
    for (; i < n; i++) {
        out[at++] = text[i];
        if (digits && --digits && digits % 3 == 0)
            out[at++] = ',';
    }
    return at;
}

static enum qn_status put_number(struct qn_tctx *ctx, struct qn_tsink *sink,
                                 const struct qn_tval *v, const struct spec *spec) {
    char text[2 * QN_TNUM_TEXT], grouped[2 * QN_TNUM_TEXT];
    int64_t i;
    double f = 0;
    size_t n = 0;
    if (!qn_tval_as_float(&f, v) || v->kind == QN_TVAL_BIGINT)
        return qn_tfail(&ctx->site, "a number is needed for %%%c, not %s", spec->type,
                        qn_tval_type(v));
    bool negative = f < 0;
    if (!negative && spec->sign)
        text[n++] = spec->sign;
    switch (spec->type) {
    case 'd':
    case 'i':
    case 'u':
        if (!qn_tval_as_int(&i, v)) {
            if (!(f > -9.2e18 && f < 9.2e18))
                return qn_tfail(&ctx->site, "integer overflow");
            i = (int64_t)f;
        }
        n += qn_tnum_i64(text + n, i);
        break;
    case 'x':
    case 'X':
    case 'o':
    case 'b': {
        int shift = spec->type == 'b' ? 1 : spec->type == 'o' ? 3 : 4, at = 64;
        char digits[65];
        if (!qn_tval_as_int(&i, v))
            return qn_tfail(&ctx->site, "an integer is needed for %%%c", spec->type);
        uint64_t rest = i < 0 ? 0 - (uint64_t)i : (uint64_t)i;
        do {
            const char *set = spec->type == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
            digits[--at] = set[rest & ((1u << shift) - 1)];
            rest >>= shift;
        } while (rest);
        if (i < 0)
            text[n++] = '-';
        if (spec->alternate) {
            text[n++] = '0';
            text[n++] = spec->type;
        }
        memcpy(text + n, digits + at, (size_t)(64 - at));
        n += (size_t)(64 - at);
        break;
    }
    case 'f':
    case 'F':
    case '%': {
        int64_t precision = spec->precision < 0 ? 6 : spec->precision;
        if (precision > 60)
            return qn_tfail(&ctx->site, "a precision of more than 60 is not supported");
        n += qn_tnum_fixed(text + n, spec->type == '%' ? f * 100 : f, (uint32_t)precision);
        if (spec->type == '%')
            text[n++] = '%';
        break;
    }
    default:
        return qn_tfail(&ctx->site, "format '%c' is not supported", spec->type);
    }
    if (spec->comma) {
        n = group(grouped, text, n);
        memcpy(text, grouped, n);
    }
    return pad_into(ctx, sink, (struct qn_tval[]){qn_tval_str((struct qn_str){text, n})}, spec,
                    spec->align ? spec->align : '>');
}

static enum qn_status put_text(struct qn_tctx *ctx, struct qn_tsink *sink, const struct qn_tval *v,
                               const struct spec *spec, bool repr, char align) {
    struct qn_tsink inner;
    struct qn_tval text;
    qn_tsink_init(ctx, &inner);
    enum qn_status status = qn_tval_print(ctx, &inner, v, repr);
    if (status != QN_OK) {
        qn_tsink_free(&inner);
        return status;
    }
    QN_TRY(qn_tsink_take(ctx, &text, &inner));
    size_t end = 0;
    uint32_t cp;
    for (int64_t i = 0; i < spec->precision && end < text.n; i++)
        end += qn_tstr_char(qn_tval_text(text), end, &cp);
    if (spec->precision >= 0)
        text = qn_tstr_slice(&text, 0, end);
    return pad_into(ctx, sink, &text, spec, spec->align ? spec->align : align);
}

/* One argument of %: by name from a dict, or the next of the tuple. */
static enum qn_status next_arg(struct qn_tctx *ctx, struct qn_tval *out, const struct qn_tval *args,
                               struct qn_str name, uint32_t *used) {
    struct qn_tval *found = NULL;
    if (name.p) {
        if (args->kind == QN_TVAL_DICT)
            QN_TRY(qn_tdict_get(ctx, &found, args->as.dict, (struct qn_tval[]){qn_tval_str(name)}));
        if (!found)
            return qn_tfail(&ctx->site, "%%: there is no argument '%.*s'", QN_STR_ARG(name));
        *out = *found;
        return QN_OK;
    }
    uint32_t n = args->kind == QN_TVAL_TUPLE ? args->as.list->n : 1;
    if (*used >= n)
        return qn_tfail(&ctx->site, "%%: not enough arguments for the format");
    *out = args->kind == QN_TVAL_TUPLE ? args->as.list->items[*used] : *args;
    ++*used;
    return QN_OK;
}

static enum qn_status percent_into(struct qn_tctx *ctx, struct qn_tsink *sink,
                                   const struct qn_tval *format, const struct qn_tval *args) {
    struct qn_str s = qn_tval_text(*format);
    uint32_t used = 0;
    bool named = args->kind == QN_TVAL_DICT || args->kind == QN_TVAL_LIST ||
                 args->kind == QN_TVAL_UNDEFINED; // may go unused
    for (size_t at = 0; at < s.n;) {
        const char *p = memchr(s.p + at, '%', s.n - at);
        size_t end = p ? (size_t)(p - s.p) : s.n;
        QN_TRY(qn_tsink_str(ctx, sink, (struct qn_tval[]){qn_tstr_slice(format, at, end)}));
        if (!p)
            break;
        at = end + 1;
        struct spec spec = {.fill = ' ', .precision = -1};
        struct qn_str name = {NULL, 0};
        if (at < s.n && s.p[at] == '(') {
            const char *close = memchr(s.p + at, ')', s.n - at);
            if (!close)
                return qn_tfail(&ctx->site, "%%: '(' is not closed");
            name = qn_str_slice(s, at + 1, (size_t)(close - s.p));
            at = (size_t)(close - s.p) + 1;
        }
        for (; at < s.n && s.p[at] && strchr("-+ #0", s.p[at]); at++) {
            if (s.p[at] == '-')
                spec.align = '<';
            else if (s.p[at] == '#')
                spec.alternate = true;
            else if (s.p[at] == '0' && spec.align != '<')
                spec.align = '=', spec.fill = '0';
            else if (s.p[at] != '0')
                spec.sign = s.p[at];
        }
        spec.width = read_number(s, &at);
        if (at < s.n && s.p[at] == '.') {
            at++;
            spec.precision = read_number(s, &at);
        }
        if (at == s.n)
            return qn_tfail(&ctx->site, "%%: the format ends early");
        spec.type = s.p[at++];
        if (spec.type == '%') {
            QN_TRY(qn_tsink_put(ctx, sink, "%", 1, qn_tstr_marked(format, end)));
            continue;
        }
        struct qn_tval v;
        QN_TRY(next_arg(ctx, &v, args, name, &used));
        if (spec.type == 's' || spec.type == 'r') {
            spec.fill = ' ';
            spec.align = spec.align == '=' ? '>' : spec.align;
            QN_TRY(put_text(ctx, sink, &v, &spec, spec.type == 'r', '>'));
        } else {
            QN_TRY(put_number(ctx, sink, &v, &spec));
        }
    }
    if (!named && used < (args->kind == QN_TVAL_TUPLE ? args->as.list->n : 1))
        return qn_tfail(&ctx->site, "%%: not all arguments are used");
    return QN_OK;
}

enum qn_status qn_tformat_percent(struct qn_tctx *ctx, struct qn_tval *out,
                                  const struct qn_tval *format, const struct qn_tval *args) {
    struct qn_tsink sink;
    qn_tsink_init(ctx, &sink);
    enum qn_status status = percent_into(ctx, &sink, format, args);
    if (status != QN_OK) {
        qn_tsink_free(&sink);
        return status;
    }
    return qn_tsink_take(ctx, out, &sink);
}

/* [[fill]align][sign][#][0][width][,][.precision][type] */
static enum qn_status parse_spec(struct qn_tctx *ctx, struct spec *spec, struct qn_str s) {
    size_t at = 0;
    *spec = (struct spec){.fill = ' ', .precision = -1};
    if (s.n >= 2 && strchr("<>^=", s.p[1]) && s.p[1]) {
        spec->fill = s.p[0];
        spec->align = s.p[1];
        at = 2;
    } else if (s.n >= 1 && s.p[0] && strchr("<>^=", s.p[0])) {
        spec->align = s.p[at++];
    }
    if (at < s.n && (s.p[at] == '+' || s.p[at] == '-' || s.p[at] == ' '))
        spec->sign = s.p[at++] == '-' ? '\0' : s.p[at - 1];
    if (at < s.n && s.p[at] == '#')
        spec->alternate = s.p[at++];
    if (at < s.n && s.p[at] == '0' && !spec->align) {
        spec->align = '=';
        spec->fill = '0';
    }
    spec->width = read_number(s, &at);
    if (at < s.n && s.p[at] == ',')
        spec->comma = s.p[at++];
    if (at < s.n && s.p[at] == '.') {
        at++;
        spec->precision = read_number(s, &at);
    }
    if (at < s.n)
        spec->type = s.p[at++];
    if (at < s.n)
        return qn_tfail(&ctx->site, "format '%.*s' is not supported", QN_STR_ARG(s));
    return QN_OK;
}

static enum qn_status put_field(struct qn_tctx *ctx, struct qn_tsink *sink, const struct qn_tval *v,
                                const struct qn_tval *format, char conversion) {
    struct spec spec;
    QN_TRY(parse_spec(ctx, &spec, qn_tval_text(*format)));
    spec.marked = format->as.taint != NULL;
    bool number = v->kind == QN_TVAL_INT || v->kind == QN_TVAL_FLOAT;
    if (v->kind == QN_TVAL_BOOL && spec.type && spec.type != 's')
        number = true;
    if (!conversion && number && (spec.type || v->kind == QN_TVAL_INT)) {
        if (!spec.type)
            spec.type = 'd';
        return put_number(ctx, sink, v, &spec);
    }
    if (spec.type && spec.type != 's')
        return qn_tfail(&ctx->site, "format '%c' does not fit %s", spec.type, qn_tval_type(v));
    return put_text(ctx, sink, v, &spec, conversion == 'r', number ? '>' : '<');
}

/* The value of a field: {}, {0}, {name}, then .attributes and [items]. */
static enum qn_status field_value(struct qn_tctx *ctx, struct qn_tval *out, struct qn_str field,
                                  const struct qn_targs *args, uint32_t *automatic) {
    size_t n = 0;
    while (n < field.n && field.p[n] != '.' && field.p[n] != '[')
        n++;
    if (n < field.n) // Python walks attributes here; nothing in templates needs it
        return qn_tfail(&ctx->site, "format: attributes in fields are not supported");
    int64_t index;
    bool is_index = n == 0 || (field.p[0] >= '0' && field.p[0] <= '9');
    if (is_index) {
        if (n == 0)
            index = (*automatic)++;
        else if (!qn_tnum_parse_i64(&index, field, 10))
            index = -1;
        if (index < 0 || index >= args->n_pos)
            return qn_tfail(&ctx->site, "format: there are not enough arguments");
        *out = args->pos[index];
        return QN_OK;
    }
    for (uint32_t i = 0; i < args->n_named; i++)
        if (qn_str_eq(qn_tval_text(args->names[i]), field)) {
            *out = args->named[i];
            return QN_OK;
        }
    return qn_tfail(&ctx->site, "format: there is no argument '%.*s'", QN_STR_ARG(field));
}

static enum qn_status braces_into(struct qn_tctx *ctx, struct qn_tsink *sink,
                                  const struct qn_tval *format, const struct qn_targs *args) {
    struct qn_str s = qn_tval_text(*format);
    uint32_t automatic = 0;
    for (size_t at = 0; at < s.n;) {
        size_t end = at;
        while (end < s.n && s.p[end] != '{' && s.p[end] != '}')
            end++;
        QN_TRY(qn_tsink_str(ctx, sink, (struct qn_tval[]){qn_tstr_slice(format, at, end)}));
        if (end == s.n)
            break;
        if (end + 1 < s.n && s.p[end + 1] == s.p[end]) {
            QN_TRY(
                qn_tsink_str(ctx, sink, (struct qn_tval[]){qn_tstr_slice(format, end, end + 1)}));
            at = end + 2;
            continue;
        }
        const char *close = memchr(s.p + end, '}', s.n - end);
        if (s.p[end] == '}' || !close)
            return qn_tfail(&ctx->site, "format: a single '%c'", s.p[end]);
        size_t stop = (size_t)(close - s.p);
        struct qn_str field = qn_str_slice(s, end + 1, stop);
        struct qn_tval spec = qn_tstr_slice(format, stop, stop);
        char conversion = '\0';
        const char *colon = field.n ? memchr(field.p, ':', field.n) : NULL;
        if (colon) {
            spec = qn_tstr_slice(format, (size_t)(colon - s.p) + 1, stop);
            field.n = (size_t)(colon - field.p);
        }
        if (field.n >= 2 && field.p[field.n - 2] == '!') {
            conversion = field.p[field.n - 1];
            field.n -= 2;
        }
        struct qn_tval v;
        QN_TRY(field_value(ctx, &v, field, args, &automatic));
        QN_TRY(put_field(ctx, sink, &v, &spec, conversion));
        at = stop + 1;
    }
    return QN_OK;
}

/* str.format */
enum qn_status qn_tformat_braces(struct qn_tctx *ctx, struct qn_tval *out,
                                 const struct qn_tval *self, const struct qn_tval *a,
                                 const struct qn_targs *args) {
    struct qn_tsink sink;
    (void)a;
    qn_tsink_init(ctx, &sink);
    enum qn_status status = braces_into(ctx, &sink, self, args);
    if (status != QN_OK) {
        qn_tsink_free(&sink);
        return status;
    }
    return qn_tsink_take(ctx, out, &sink);
}
