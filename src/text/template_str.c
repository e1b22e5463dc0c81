/* Strings with marks: slices share bytes and marks, everything else keeps the mark of each byte. */
#include "base/utf8.h"
#include "text/template_internal.h"

bool qn_tstr_marked(const struct qn_tval *s, size_t at) {
    return s->as.taint && (s->as.taint == qn_taint_all || s->as.taint[at]);
}

struct qn_tval qn_tstr_slice(const struct qn_tval *s, size_t begin, size_t end) {
    struct qn_tval part = *s;
    part.as.p = s->as.p + begin;
    part.n = (uint32_t)(end - begin);
    if (s->as.taint && s->as.taint != qn_taint_all)
        part.as.taint = s->as.taint + begin;
    return part;
}

static void copy_marks(uint8_t *to, const struct qn_tval *s) {
    if (s->as.taint && s->as.taint != qn_taint_all && s->n)
        memcpy(to, s->as.taint, s->n);
    else
        memset(to, s->as.taint != NULL, s->n);
}

/* Concatenation. A string that was itself made here and is the latest one grows in place, so that
 * building a text piece by piece costs its length and not its square. */
enum qn_status qn_tstr_concat(struct qn_tctx *ctx, struct qn_tval *out, const struct qn_tval *a,
                              const struct qn_tval *b) {
    if (b->n == 0 || a->n == 0) {
        uint8_t flags = a->flags & b->flags;
        *out = b->n == 0 ? *a : *b;
        out->flags = flags;
        return QN_OK;
    }
    QN_TRY(qn_tctx_spend(ctx, b->n / 256));
    size_t total = (size_t)a->n + b->n;
    bool mixed = (a->as.taint || b->as.taint) &&
                 !(a->as.taint == qn_taint_all && b->as.taint == qn_taint_all);
    bool a_marks = a->as.taint && a->as.taint != qn_taint_all;
    bool in_place = a->as.p + a->n == ctx->tail && b->n <= ctx->tail_room &&
                    (a_marks ? a->as.taint + a->n == ctx->tail_marks : !mixed);
    struct qn_tval made = *a;
    made.flags = a->flags & b->flags;
    if (!in_place) {
        QN_TRY(qn_tctx_spend(ctx, a->n / 256));
        size_t room = total > 256 ? total : 0; // small ones are mostly final
        if (total + room > ctx->limits.memory / 4)
            room = 0;
        void *text, *marks = NULL;
        QN_TRY(qn_tctx_alloc(ctx, &text, total + room, 1));
        memcpy(text, a->as.p, a->n);
        if (mixed) {
            QN_TRY(qn_tctx_alloc(ctx, &marks, total + room, 1));
            copy_marks(marks, a);
        }
        made.as.p = text;
        made.as.taint = marks ? marks : a->as.taint;
        ctx->tail = (char *)text + a->n;
        ctx->tail_marks = marks ? (uint8_t *)marks + a->n : NULL;
        ctx->tail_room = room + b->n;
    }
    memcpy(ctx->tail, b->as.p, b->n);
    ctx->tail += b->n;
    ctx->tail_room -= b->n;
    if (ctx->tail_marks) {
        copy_marks(ctx->tail_marks, b);
        ctx->tail_marks += b->n;
    }
    made.n = (uint32_t)total;
    *out = made;
    return QN_OK;
}

enum qn_status qn_tstr_repeat(struct qn_tctx *ctx, struct qn_tval *out, const struct qn_tval *s,
                              int64_t n) {
    if (n <= 0 || s->n == 0) {
        *out = qn_tstr_slice(s, 0, 0);
        return QN_OK;
    }
    if ((uint64_t)n > ctx->limits.output / s->n)
        return qn_tfail_as(&ctx->site, QN_E_LIMIT, "the text has more than %zu bytes",
                           ctx->limits.output);
    size_t total = (size_t)n * s->n;
    QN_TRY(qn_tctx_spend(ctx, total / 256));
    void *text, *marks;
    QN_TRY(qn_tctx_alloc(ctx, &text, total, 1));
    for (size_t at = 0; at < total; at += s->n)
        memcpy((char *)text + at, s->as.p, s->n);
    *out = *s;
    out->as.p = text;
    out->n = (uint32_t)total;
    if (s->as.taint && s->as.taint != qn_taint_all) {
        QN_TRY(qn_tctx_alloc(ctx, &marks, total, 1));
        for (size_t at = 0; at < total; at += s->n)
            memcpy((uint8_t *)marks + at, s->as.taint, s->n);
        out->as.taint = marks;
    }
    return QN_OK;
}

enum qn_status qn_tstr_find(struct qn_tctx *ctx, size_t *out, const struct qn_tval *s,
                            struct qn_str needle, size_t from) {
    *out = SIZE_MAX;
    if (from > s->n || needle.n > s->n - from)
        return QN_OK;
    if (needle.n == 0) {
        *out = from;
        return QN_OK;
    }
    size_t last = s->n - needle.n;
    uint64_t cost = 0;
    while (from <= last) {
        const char *p = memchr(s->as.p + from, needle.p[0], last - from + 1);
        size_t at = p ? (size_t)(p - s->as.p) : last + 1;
        cost += at - from + 16 + needle.n / 8; // a candidate may cost a comparison of all of it
        from = at + 1;
        if (p && memcmp(p, needle.p, needle.n) == 0) {
            *out = at;
            break;
        }
        if (cost > 65536) {
            QN_TRY(qn_tctx_spend(ctx, cost / 256));
            cost = 0;
        }
    }
    return qn_tctx_spend(ctx, cost / 256);
}

size_t qn_tstr_char(struct qn_str s, size_t at, uint32_t *code_point) {
    size_t end = at;
    *code_point = qn_utf8_next(s, &end);
    return end - at;
}

enum qn_status qn_tstr_length(struct qn_tctx *ctx, int64_t *out, const struct qn_tval *s) {
    QN_TRY(qn_tctx_spend(ctx, s->n / 256));
    int64_t n = 0;
    for (size_t at = 0; at < s->n; n++) {
        uint32_t cp;
        at += (unsigned char)s->as.p[at] < 0x80 ? 1 : qn_tstr_char(qn_tval_text(*s), at, &cp);
    }
    *out = n;
    return QN_OK;
}

enum qn_status qn_tstr_chars(struct qn_tctx *ctx, struct qn_tlist **out, const struct qn_tval *s) {
    int64_t n;
    QN_TRY(qn_tstr_length(ctx, &n, s));
    QN_TRY(qn_tlist_new(ctx, out, (uint32_t)n));
    for (size_t at = 0; at < s->n;) {
        uint32_t cp;
        size_t size = qn_tstr_char(qn_tval_text(*s), at, &cp);
        QN_TRY(qn_tlist_push(ctx, *out, (struct qn_tval[]){qn_tstr_slice(s, at, at + size)}));
        at += size;
    }
    return QN_OK;
}

/* str.isspace(): White_Space of Unicode and the separators U+001C..U+001F. */
bool qn_tstr_is_space(uint32_t cp) {
    return (cp >= 9 && cp <= 13) || (cp >= 0x1c && cp <= 0x20) || cp == 0x85 || cp == 0xa0 ||
           cp == 0x1680 || (cp >= 0x2000 && cp <= 0x200a) || cp == 0x2028 || cp == 0x2029 ||
           cp == 0x202f || cp == 0x205f || cp == 0x3000;
}

/* Where str.splitlines() breaks. */
bool qn_tstr_is_newline(uint32_t cp) {
    return (cp >= 10 && cp <= 13) || (cp >= 0x1c && cp <= 0x1e) || cp == 0x85 || cp == 0x2028 ||
           cp == 0x2029;
}

static bool strips(struct qn_str chars, bool given, uint32_t cp, struct qn_str one) {
    if (!given)
        return qn_tstr_is_space(cp);
    for (size_t at = 0; at < chars.n;) {
        uint32_t other;
        size_t n = qn_tstr_char(chars, at, &other);
        if (n == one.n && memcmp(chars.p + at, one.p, n) == 0)
            return true;
        at += n;
    }
    return false;
}

/* str.strip() and its one-sided forms; `chars` missing or none: whitespace. */
struct qn_tval qn_tstr_strip(const struct qn_tval *s, int sides, const struct qn_tval *chars) {
    struct qn_str text = qn_tval_text(*s), set = {"", 0};
    bool given = chars->kind == QN_TVAL_STR;
    size_t begin = 0, end = s->n;
    uint32_t cp;
    if (given)
        set = qn_tval_text(*chars);
    while ((sides & QN_TSTR_LEFT) && begin < end) {
        size_t n = qn_tstr_char(text, begin, &cp);
        if (!strips(set, given, cp, qn_str_slice(text, begin, begin + n)))
            break;
        begin += n;
    }
    while ((sides & QN_TSTR_RIGHT) && begin < end) {
        size_t at = end - 1;
        while (at > begin && end - at < 4 && ((unsigned char)text.p[at] & 0xc0) == 0x80)
            at--;
        if (at + qn_tstr_char(text, at, &cp) != end) { // ill-formed: one byte
            at = end - 1;
            cp = QN_UTF8_INVALID;
        }
        if (!strips(set, given, cp, qn_str_slice(text, at, end)))
            break;
        end = at;
    }
    return qn_tstr_slice(s, begin, end);
}

/* The same with its cost accounted for, which a long set of characters makes quadratic. */
enum qn_status qn_tstr_trim(struct qn_tctx *ctx, struct qn_tval *out, const struct qn_tval *s,
                            int sides, const struct qn_tval *chars) {
    uint64_t set = chars->kind == QN_TVAL_STR ? chars->n : 1;
    QN_TRY(qn_tctx_spend(ctx, s->n * set / 512));
    *out = qn_tstr_strip(s, sides, chars);
    return QN_OK;
}

/* Simple case pairs: ASCII, Latin-1, Latin Extended-A, Greek, Cyrillic, Armenian. Other scripts
 * stay as they are. */
uint32_t qn_tstr_upper(uint32_t cp) {
    if (cp < 0x80)
        return cp >= 'a' && cp <= 'z' ? cp - 32 : cp;
    if (cp == 0xb5)
        return 0x39c;
    if ((cp >= 0xe0 && cp <= 0xfe && cp != 0xf7) || (cp >= 0x3b1 && cp <= 0x3cb && cp != 0x3c2) ||
        (cp >= 0x430 && cp <= 0x44f))
        return cp - 32;
    if (cp == 0xff)
        return 0x178;
    if ((cp >= 0x100 && cp <= 0x137 && cp != 0x131) || (cp >= 0x14a && cp <= 0x177) ||
        (cp >= 0x460 && cp <= 0x481) || (cp >= 0x48a && cp <= 0x4bf) ||
        (cp >= 0x4d0 && cp <= 0x52f) || (cp >= 0x1e00 && cp <= 0x1e95) ||
        (cp >= 0x1ea0 && cp <= 0x1eff))
        return cp & ~1u;
    if ((cp >= 0x139 && cp <= 0x148) || (cp >= 0x179 && cp <= 0x17e) ||
        (cp >= 0x4c1 && cp <= 0x4ce))
        return cp & 1 ? cp : cp - 1;
    if (cp == 0x131)
        return 'I';
    if (cp == 0x17f)
        return 'S';
    if (cp == 0x3ac)
        return 0x386;
    if (cp >= 0x3ad && cp <= 0x3af)
        return cp - 37;
    if (cp == 0x3c2)
        return 0x3a3;
    if (cp == 0x3cc)
        return 0x38c;
    if (cp == 0x3cd || cp == 0x3ce)
        return cp - 63;
    if (cp >= 0x450 && cp <= 0x45f)
        return cp - 80;
    if (cp >= 0x561 && cp <= 0x586)
        return cp - 48;
    return cp;
}

uint32_t qn_tstr_lower(uint32_t cp) {
    if (cp < 0x80)
        return cp >= 'A' && cp <= 'Z' ? cp + 32 : cp;
    if ((cp >= 0xc0 && cp <= 0xde && cp != 0xd7) || (cp >= 0x391 && cp <= 0x3ab && cp != 0x3a2) ||
        (cp >= 0x410 && cp <= 0x42f))
        return cp + 32;
    if (cp == 0x178)
        return 0xff;
    if ((cp >= 0x100 && cp <= 0x137 && cp != 0x130) || (cp >= 0x14a && cp <= 0x177) ||
        (cp >= 0x460 && cp <= 0x481) || (cp >= 0x48a && cp <= 0x4bf) ||
        (cp >= 0x4d0 && cp <= 0x52f) || (cp >= 0x1e00 && cp <= 0x1e95) ||
        (cp >= 0x1ea0 && cp <= 0x1eff))
        return cp | 1;
    if ((cp >= 0x139 && cp <= 0x148) || (cp >= 0x179 && cp <= 0x17e) ||
        (cp >= 0x4c1 && cp <= 0x4ce))
        return cp & 1 ? cp + 1 : cp;
    if (cp == 0x386)
        return 0x3ac;
    if (cp >= 0x388 && cp <= 0x38a)
        return cp + 37;
    if (cp == 0x38c)
        return 0x3cc;
    if (cp == 0x38e || cp == 0x38f)
        return cp + 63;
    if (cp >= 0x400 && cp <= 0x40f)
        return cp + 80;
    if (cp >= 0x531 && cp <= 0x556)
        return cp + 48;
    return cp;
}

static bool is_letter(uint32_t cp) {
    return (cp >= 'a' && cp <= 'z') || (cp >= 'A' && cp <= 'Z') || cp == 0xaa || cp == 0xb5 ||
           cp == 0xba ||
           (cp >= 0xc0 && cp != 0xd7 && cp != 0xf7 && !qn_tstr_is_space(cp) &&
            !(cp >= 0x2000 && cp < 0x2c00) && !(cp >= 0x3000 && cp < 0x3040));
}

/* TITLE is str.title(): letters after a non-letter rise; WORDS is the filter title: the first
 * character after a blank, -, (, {, [ or <. */
enum qn_status qn_tstr_case(struct qn_tctx *ctx, struct qn_tval *out, const struct qn_tval *s,
                            enum qn_tcase how) {
    struct qn_tsink sink;
    bool start = true;
    enum qn_status status = qn_tctx_spend(ctx, s->n / 64);
    qn_tsink_init(ctx, &sink);
    for (size_t at = 0; status == QN_OK && at < s->n;) {
        uint32_t cp;
        size_t n = qn_tstr_char(qn_tval_text(*s), at, &cp);
        bool raise = how == QN_TCASE_UPPER || (how != QN_TCASE_LOWER && start);
        uint32_t other = cp == QN_UTF8_INVALID ? cp : raise ? qn_tstr_upper(cp) : qn_tstr_lower(cp);
        char utf8[4];
        if (raise && cp == 0xdf) // ß
            status = qn_tsink_put(ctx, &sink, how == QN_TCASE_UPPER ? "SS" : "Ss", 2,
                                  qn_tstr_marked(s, at));
        else if (other == cp)
            status = qn_tsink_put(ctx, &sink, s->as.p + at, n, qn_tstr_marked(s, at));
        else
            status =
                qn_tsink_put(ctx, &sink, utf8, qn_utf8_put(utf8, other), qn_tstr_marked(s, at));
        if (how == QN_TCASE_TITLE)
            start = !is_letter(cp);
        else if (how == QN_TCASE_WORDS)
            start = qn_tstr_is_space(cp) || cp == '-' || cp == '(' || cp == '{' || cp == '[' ||
                    cp == '<';
        else
            start = false;
        at += n;
    }
    if (status != QN_OK) {
        qn_tsink_free(&sink);
        return status;
    }
    QN_TRY(qn_tsink_take(ctx, out, &sink));
    out->flags = s->flags;
    return QN_OK;
}

/* str.replace(); an empty `from` matches between all characters. count < 0: all. */
static enum qn_status replace_into(struct qn_tctx *ctx, struct qn_tsink *sink,
                                   const struct qn_tval *s, const struct qn_tval *from,
                                   const struct qn_tval *to, int64_t count) {
    size_t at = 0;
    for (; count != 0; count--) {
        size_t found, end;
        if (from->n == 0) {
            uint32_t cp;
            found = at;
            end = at < s->n ? at + qn_tstr_char(qn_tval_text(*s), at, &cp) : at;
        } else {
            QN_TRY(qn_tstr_find(ctx, &found, s, qn_tval_text(*from), at));
            if (found == SIZE_MAX)
                break;
            end = found + from->n;
            QN_TRY(qn_tsink_str(ctx, sink, (struct qn_tval[]){qn_tstr_slice(s, at, found)}));
        }
        QN_TRY(qn_tsink_str(ctx, sink, to));
        if (from->n == 0) {
            QN_TRY(qn_tsink_str(ctx, sink, (struct qn_tval[]){qn_tstr_slice(s, at, end)}));
            if (at == s->n)
                return QN_OK;
        }
        at = end;
    }
    return qn_tsink_str(ctx, sink, (struct qn_tval[]){qn_tstr_slice(s, at, s->n)});
}

enum qn_status qn_tstr_replace(struct qn_tctx *ctx, struct qn_tval *out, const struct qn_tval *s,
                               const struct qn_tval *from, const struct qn_tval *to,
                               int64_t count) {
    struct qn_tsink sink;
    qn_tsink_init(ctx, &sink);
    enum qn_status status = replace_into(ctx, &sink, s, from, to, count);
    if (status != QN_OK) {
        qn_tsink_free(&sink);
        return status;
    }
    return qn_tsink_take(ctx, out, &sink);
}

enum qn_status qn_tstr_escape(struct qn_tctx *ctx, struct qn_tval *out, const struct qn_tval *s) {
    struct qn_tsink sink;
    enum qn_status status = QN_OK;
    qn_tsink_init(ctx, &sink);
    for (size_t at = 0; status == QN_OK && at < s->n; at++) {
        char c = s->as.p[at];
        const char *name = c == '&'    ? "&amp;"
                           : c == '<'  ? "&lt;"
                           : c == '>'  ? "&gt;"
                           : c == '"'  ? "&#34;"
                           : c == '\'' ? "&#39;"
                                       : NULL;
        bool marked = qn_tstr_marked(s, at);
        status = name ? qn_tsink_put(ctx, &sink, name, strlen(name), marked)
                      : qn_tsink_put(ctx, &sink, &c, 1, marked);
    }
    if (status != QN_OK) {
        qn_tsink_free(&sink);
        return status;
    }
    QN_TRY(qn_tsink_take(ctx, out, &sink));
    out->flags = QN_TVAL_MARKUP;
    return QN_OK;
}
