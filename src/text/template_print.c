/* Text of values: str() and repr() as Python prints them, json.dumps() and back. */
#include "base/utf8.h"
#include "text/template_internal.h"

/* Code points that repr() shows as they are; approximates str.isprintable() for assigned ones. */
static bool is_printable(uint32_t cp) {
    if (cp < 0x20 || (cp >= 0x7f && cp <= 0xa0) || cp == 0xad)
        return false;
    if (cp < 0x600)
        return true;
    return !(qn_tstr_is_space(cp) || cp <= 0x605 || cp == 0x61c || cp == 0x6dd || cp == 0x70f ||
             cp == 0x180e || (cp >= 0x200b && cp <= 0x200f) || (cp >= 0x2028 && cp <= 0x202e) ||
             (cp >= 0x2060 && cp <= 0x206f) || (cp >= 0xd800 && cp <= 0xf8ff) || cp == 0xfeff ||
             (cp >= 0xfff0 && cp <= 0xfffb) || (cp & 0xfffe) == 0xfffe || cp >= 0xe0000);
}

static size_t put_hex(char *out, char letter, uint32_t value, int digits) {
    out[0] = '\\';
    out[1] = letter;
    for (int i = 0; i < digits; i++)
        out[2 + i] = "0123456789abcdef"[value >> (4 * (digits - 1 - i)) & 15];
    return (size_t)digits + 2;
}

/* A backslash and the letter behind the character in `named`; 0: it is not there. */
static size_t put_named(char out[12], const char *named, uint32_t cp) {
    for (; *named; named += 2)
        if (cp == (unsigned char)*named) {
            out[0] = '\\';
            out[1] = named[1];
            return 2;
        }
    return 0;
}

static size_t repr_char(char out[12], uint32_t cp, char quote) {
    size_t n = put_named(out, "\nn\rr\tt\\\\", cp);
    if (n == 0)
        n = put_named(out, (const char[]){quote, quote, 0}, cp);
    if (n != 0 || is_printable(cp))
        return n;
    return cp < 0x100     ? put_hex(out, 'x', cp, 2)
           : cp < 0x10000 ? put_hex(out, 'u', cp, 4)
                          : put_hex(out, 'U', cp, 8);
}

static size_t json_char(char out[12], uint32_t cp, bool ascii) {
    size_t n = put_named(out, "\nn\rr\tt\\\\\"\"\bb\ff", cp);
    if (n != 0)
        return n;
    if (cp < 0x20 || (ascii && cp >= 0x7f && cp < 0x10000))
        return put_hex(out, 'u', cp, 4);
    if (!ascii || cp < 0x7f)
        return 0;
    n = put_hex(out, 'u', 0xd7c0 + (cp >> 10), 4); // a surrogate pair
    return n + put_hex(out + n, 'u', 0xdc00 | (cp & 0x3ff), 4);
}

/* A quoted string: mode 'r' repr, 'j' JSON, 'a' JSON in ASCII. Escapes keep the mark of
 * their byte. */
static enum qn_status put_quoted(struct qn_tctx *ctx, struct qn_tsink *sink,
                                 const struct qn_tval *s, char mode) {
    struct qn_str text = qn_tval_text(*s);
    char quote = '"', escaped[12];
    if (mode == 'r' && !(s->n && memchr(s->as.p, '\'', s->n) && !memchr(s->as.p, '"', s->n)))
        quote = '\'';
    QN_TRY(qn_tctx_spend(ctx, s->n / 64));
    QN_TRY(qn_tsink_put(ctx, sink, &quote, 1, false));
    size_t done = 0;
    for (size_t at = 0; at < s->n;) {
        uint32_t cp = (unsigned char)s->as.p[at];
        size_t n = 1, n_escaped;
        if (cp >= 0x80)
            n = qn_tstr_char(text, at, &cp);
        if (cp == QN_UTF8_INVALID)
            cp = 0xfffd;
        n_escaped =
            mode == 'r' ? repr_char(escaped, cp, quote) : json_char(escaped, cp, mode == 'a');
        if (n_escaped) {
            QN_TRY(qn_tsink_str(ctx, sink, (struct qn_tval[]){qn_tstr_slice(s, done, at)}));
            QN_TRY(qn_tsink_put(ctx, sink, escaped, n_escaped, qn_tstr_marked(s, at)));
            done = at + n;
        }
        at += n;
    }
    QN_TRY(qn_tsink_str(ctx, sink, (struct qn_tval[]){qn_tstr_slice(s, done, s->n)}));
    return qn_tsink_put(ctx, sink, &quote, 1, false);
}

static enum qn_status print_items(struct qn_tctx *ctx, struct qn_tsink *sink,
                                  const struct qn_tval *v) {
    struct qn_tlist *list = v->as.list;
    bool tuple = v->kind == QN_TVAL_TUPLE;
    QN_TRY(qn_tsink_cstr(ctx, sink, tuple ? "(" : "["));
    for (uint32_t i = 0; i < list->n; i++) {
        if (i)
            QN_TRY(qn_tsink_cstr(ctx, sink, ", "));
        QN_TRY(qn_tval_print(ctx, sink, &list->items[i], true));
    }
    return qn_tsink_cstr(ctx, sink, tuple ? list->n == 1 ? ",)" : ")" : "]");
}

static enum qn_status print_dict(struct qn_tctx *ctx, struct qn_tsink *sink,
                                 struct qn_tdict *dict) {
    QN_TRY(qn_tsink_cstr(ctx, sink, "{"));
    for (uint32_t i = 0; i < dict->n; i++) {
        if (i)
            QN_TRY(qn_tsink_cstr(ctx, sink, ", "));
        QN_TRY(qn_tval_print(ctx, sink, &dict->entries[i].key, true));
        QN_TRY(qn_tsink_cstr(ctx, sink, ": "));
        QN_TRY(qn_tval_print(ctx, sink, &dict->entries[i].value, true));
    }
    return qn_tsink_cstr(ctx, sink, "}");
}

/* Apart, so that its buffer is not part of every level of a nested list. */
QN_TSEPARATE enum qn_status print_number(struct qn_tctx *ctx, struct qn_tsink *sink,
                                         const struct qn_tval *v) {
    char text[QN_TNUM_TEXT];
    size_t n = v->kind == QN_TVAL_INT ? qn_tnum_i64(text, v->as.i) : qn_tnum_repr(text, v->as.f);
    return qn_tsink_put(ctx, sink, text, n, false);
}

enum qn_status qn_tval_print(struct qn_tctx *ctx, struct qn_tsink *sink, const struct qn_tval *v,
                             bool repr) {
    QN_TRY(qn_tctx_spend(ctx, 1));
    switch (v->kind) {
    case QN_TVAL_UNDEFINED:
        return repr ? qn_tsink_cstr(ctx, sink, "Undefined") : QN_OK;
    case QN_TVAL_NONE:
        return qn_tsink_cstr(ctx, sink, "None");
    case QN_TVAL_BOOL:
        return qn_tsink_cstr(ctx, sink, v->as.b ? "True" : "False");
    case QN_TVAL_INT:
    case QN_TVAL_FLOAT:
        return print_number(ctx, sink, v);
    case QN_TVAL_BIGINT:
        return qn_tsink_put(ctx, sink, v->as.p, v->n, false);
    case QN_TVAL_STR:
        return repr ? put_quoted(ctx, sink, v, 'r') : qn_tsink_str(ctx, sink, v);
    case QN_TVAL_LIST:
    case QN_TVAL_TUPLE:
    case QN_TVAL_DICT:
        QN_TRY(qn_tctx_enter(ctx));
        QN_TRY(v->kind == QN_TVAL_DICT ? print_dict(ctx, sink, v->as.dict)
                                       : print_items(ctx, sink, v));
        ctx->nest--;
        return QN_OK;
    case QN_TVAL_NAMESPACE:
        QN_TRY(qn_tctx_enter(ctx));
        QN_TRY(qn_tsink_cstr(ctx, sink, "<Namespace "));
        QN_TRY(print_dict(ctx, sink, v->as.dict));
        ctx->nest--;
        return qn_tsink_cstr(ctx, sink, ">");
    default:
        QN_TRY(qn_tsink_cstr(ctx, sink, "<"));
        QN_TRY(qn_tsink_cstr(ctx, sink, qn_tval_type(v)));
        return qn_tsink_cstr(ctx, sink, ">");
    }
}

enum qn_status qn_tval_to_str(struct qn_tctx *ctx, struct qn_tval *out, const struct qn_tval *v) {
    struct qn_tsink sink;
    if (v->kind == QN_TVAL_STR) {
        *out = *v;
        out->flags = 0;
        return QN_OK;
    }
    qn_tsink_init(ctx, &sink);
    enum qn_status status = qn_tval_print(ctx, &sink, v, false);
    if (status != QN_OK) {
        qn_tsink_free(&sink);
        return status;
    }
    return qn_tsink_take(ctx, out, &sink);
}

struct dump {
    struct qn_tval indent; // one level; missing: all on one line
    struct qn_tval comma, colon;
    bool ascii, sort;
    uint32_t level;
};

static enum qn_status dump_line(struct qn_tctx *ctx, struct qn_tsink *sink, const struct dump *d) {
    if (!qn_tval_given(d->indent))
        return QN_OK;
    QN_TRY(qn_tsink_cstr(ctx, sink, "\n"));
    for (uint32_t i = 0; i < d->level; i++)
        QN_TRY(qn_tsink_str(ctx, sink, &d->indent));
    return QN_OK;
}

static enum qn_status dump_scalar(struct qn_tctx *ctx, struct qn_tsink *sink,
                                  const struct qn_tval *v, const struct dump *d) {
    switch (v->kind) {
    case QN_TVAL_STR:
        return put_quoted(ctx, sink, v, d->ascii ? 'a' : 'j');
    case QN_TVAL_NONE:
        return qn_tsink_cstr(ctx, sink, "null");
    case QN_TVAL_BOOL:
        return qn_tsink_cstr(ctx, sink, v->as.b ? "true" : "false");
    case QN_TVAL_FLOAT:
        if (v->as.f != v->as.f)
            return qn_tsink_cstr(ctx, sink, "NaN");
        if (v->as.f - v->as.f != 0)
            return qn_tsink_cstr(ctx, sink, v->as.f > 0 ? "Infinity" : "-Infinity");
        return qn_tval_print(ctx, sink, v, true);
    case QN_TVAL_INT:
    case QN_TVAL_BIGINT:
        return qn_tval_print(ctx, sink, v, true);
    case QN_TVAL_UNDEFINED:
        return qn_tval_fail_undefined(ctx, v);
    default:
        return qn_tfail(&ctx->site, "%s cannot be written as JSON", qn_tval_type(v));
    }
}

static enum qn_status dump_key(struct qn_tctx *ctx, struct qn_tsink *sink,
                               const struct qn_tval *key, const struct dump *d) {
    if (key->kind == QN_TVAL_STR)
        return dump_scalar(ctx, sink, key, d);
    if (key->kind == QN_TVAL_TUPLE)
        return qn_tfail(&ctx->site, "a tuple cannot be a key in JSON");
    QN_TRY(qn_tsink_cstr(ctx, sink, "\""));
    QN_TRY(dump_scalar(ctx, sink, key, d));
    return qn_tsink_cstr(ctx, sink, "\"");
}

/* Order of the entries by key, by insertion into a list of their numbers. */
static enum qn_status sorted_entries(struct qn_tctx *ctx, uint32_t **out, struct qn_tdict *dict) {
    void *memory;
    QN_TRY(qn_tctx_alloc(ctx, &memory, dict->n, sizeof(uint32_t)));
    uint32_t *order = memory;
    for (uint32_t i = 0; i < dict->n; i++) {
        uint32_t at = i;
        for (; at > 0; at--) {
            int c;
            QN_TRY(qn_tval_compare(ctx, &c, (struct qn_tval[]){dict->entries[order[at - 1]].key},
                                   &dict->entries[i].key));
            if (c <= 0)
                break;
            order[at] = order[at - 1];
        }
        order[at] = i;
    }
    *out = order;
    return QN_OK;
}

static enum qn_status dump(struct qn_tctx *ctx, struct qn_tsink *sink, const struct qn_tval *v,
                           struct dump *d) {
    bool dict = v->kind == QN_TVAL_DICT;
    QN_TRY(qn_tctx_spend(ctx, 1));
    if (!dict && v->kind != QN_TVAL_LIST && v->kind != QN_TVAL_TUPLE)
        return dump_scalar(ctx, sink, v, d);
    uint32_t n = dict ? v->as.dict->n : v->as.list->n, *order = NULL;
    if (dict && d->sort)
        QN_TRY(sorted_entries(ctx, &order, v->as.dict));
    QN_TRY(qn_tctx_enter(ctx));
    QN_TRY(qn_tsink_cstr(ctx, sink, dict ? "{" : "["));
    d->level++;
    for (uint32_t i = 0; i < n; i++) {
        if (i)
            QN_TRY(qn_tsink_str(ctx, sink, &d->comma));
        QN_TRY(dump_line(ctx, sink, d));
        if (dict) {
            const struct qn_tentry *entry = &v->as.dict->entries[order ? order[i] : i];
            QN_TRY(dump_key(ctx, sink, &entry->key, d));
            QN_TRY(qn_tsink_str(ctx, sink, &d->colon));
            QN_TRY(dump(ctx, sink, &entry->value, d));
        } else {
            QN_TRY(dump(ctx, sink, &v->as.list->items[i], d));
        }
    }
    d->level--;
    if (n)
        QN_TRY(dump_line(ctx, sink, d));
    ctx->nest--;
    return qn_tsink_cstr(ctx, sink, dict ? "}" : "]");
}

/* tojson(ensure_ascii=False, indent=None, separators=None, sort_keys=False) of transformers: plain
 * json.dumps, without the HTML escapes of Jinja's own filter. */
enum qn_status qn_tfilter_tojson(struct qn_tctx *ctx, struct qn_tval *out,
                                 const struct qn_tval *self, const struct qn_tval *a,
                                 const struct qn_targs *args) {
    struct dump d = {.comma = qn_tval_str(QN_STR(", ")), .colon = qn_tval_str(QN_STR(": "))};
    int64_t width;
    (void)args;
    QN_TRY(qn_tval_truth(ctx, &d.ascii, &a[0]));
    QN_TRY(qn_tval_truth(ctx, &d.sort, &a[3]));
    if (a[1].kind == QN_TVAL_STR) {
        d.indent = a[1];
    } else if (qn_tval_as_int(&width, &a[1])) {
        if (width > 64)
            return qn_tfail(&ctx->site, "an indent of more than 64 is not supported");
        QN_TRY(qn_tstr_repeat(ctx, &d.indent, (struct qn_tval[]){qn_tval_str(QN_STR(" "))}, width));
    }
    if (qn_tval_given(d.indent))
        d.comma = qn_tval_str(QN_STR(","));
    if (qn_tval_is_list(a[2]) && a[2].as.list->n == 2) {
        d.comma = a[2].as.list->items[0];
        d.colon = a[2].as.list->items[1];
        if (!qn_tval_is_str(d.comma) || !qn_tval_is_str(d.colon))
            return qn_tfail(&ctx->site, "separators are two strings");
    }
    struct qn_tsink sink;
    qn_tsink_init(ctx, &sink);
    enum qn_status status = dump(ctx, &sink, self, &d);
    if (status != QN_OK) {
        qn_tsink_free(&sink);
        return status;
    }
    return qn_tsink_take(ctx, out, &sink);
}

/* from_json: what some templates expect beside tojson. A marked byte in the text marks all strings,
 * because escapes would hide which is which. */
enum qn_status qn_tfilter_from_json(struct qn_tctx *ctx, struct qn_tval *out,
                                    const struct qn_tval *self, const struct qn_tval *a,
                                    const struct qn_targs *args) {
    struct qn_json json;
    (void)a;
    (void)args;
    if (!qn_tval_is_str(*self))
        return qn_tfail(&ctx->site, "from_json needs a string, not %s", qn_tval_type(self));
    // the reader allocates 16 bytes per node and needs at least one byte of text for each
    if (self->n > ctx->limits.memory / 16 ||
        ctx->values.used > ctx->limits.memory - (size_t)self->n * 16)
        return qn_tfail_as(&ctx->site, QN_E_LIMIT, "the JSON text is too long");
    QN_TRY(qn_tctx_spend(ctx, self->n / 16));
    enum qn_status status = qn_json_parse(&json, &ctx->values, qn_tval_text(*self), NULL);
    if (status != QN_OK)
        return status == QN_E_NO_MEMORY ? qn_tfail_memory(&ctx->site)
                                        : qn_tfail(&ctx->site, "from_json: not valid JSON");
    return qn_tval_from_json(ctx, out, qn_json_root(&json), self->as.taint != NULL);
}
