/* Methods of strings, as Python's str has them. */
#include "text/template_internal.h"

static enum qn_status need_str(struct qn_tctx *ctx, const struct qn_tval *v) {
    if (v->kind == QN_TVAL_UNDEFINED)
        return qn_tval_fail_undefined(ctx, v);
    return v->kind == QN_TVAL_STR
               ? QN_OK
               : qn_tfail(&ctx->site, "a string is needed, not %s", qn_tval_type(v));
}

static enum qn_status need_int(struct qn_tctx *ctx, int64_t *out, const struct qn_tval *v,
                               int64_t otherwise) {
    *out = otherwise;
    if (!qn_tval_given(*v) || v->kind == QN_TVAL_NONE || qn_tval_as_int(out, v))
        return QN_OK;
    return qn_tfail(&ctx->site, "an integer is needed, not %s", qn_tval_type(v));
}

static enum qn_status strip_sides(struct qn_tctx *ctx, struct qn_tval *out,
                                  const struct qn_tval *self, const struct qn_tval *chars,
                                  int sides) {
    if (qn_tval_given(*chars) && chars->kind != QN_TVAL_NONE)
        QN_TRY(need_str(ctx, chars));
    return qn_tstr_trim(ctx, out, self, sides, chars);
}

QN_TFUNC(str_strip) {
    QN_TUNUSED(args);
    return strip_sides(ctx, out, self, &a[0], QN_TSTR_LEFT | QN_TSTR_RIGHT);
}
QN_TFUNC(str_lstrip) {
    QN_TUNUSED(args);
    return strip_sides(ctx, out, self, &a[0], QN_TSTR_LEFT);
}
QN_TFUNC(str_rstrip) {
    QN_TUNUSED(args);
    return strip_sides(ctx, out, self, &a[0], QN_TSTR_RIGHT);
}

QN_TFUNC(str_upper) {
    QN_TUNUSED(a, args);
    return qn_tstr_case(ctx, out, self, QN_TCASE_UPPER);
}
QN_TFUNC(str_lower) {
    QN_TUNUSED(a, args);
    return qn_tstr_case(ctx, out, self, QN_TCASE_LOWER);
}
QN_TFUNC(str_title) {
    QN_TUNUSED(a, args);
    return qn_tstr_case(ctx, out, self, QN_TCASE_TITLE);
}
QN_TFUNC(str_capitalize) {
    QN_TUNUSED(a, args);
    return qn_tstr_case(ctx, out, self, QN_TCASE_CAPITALIZE);
}

/* split() at runs of whitespace. */
static enum qn_status split_space(struct qn_tctx *ctx, struct qn_tlist *list,
                                  const struct qn_tval *s, int64_t max) {
    size_t at = 0, n;
    uint32_t cp;
    for (;;) {
        while (at < s->n && (n = qn_tstr_char(qn_tval_text(*s), at, &cp), qn_tstr_is_space(cp)))
            at += n;
        if (at == s->n)
            return QN_OK;
        size_t begin = at;
        if (max >= 0 && list->n >= max)
            return qn_tlist_push(ctx, list, (struct qn_tval[]){qn_tstr_slice(s, begin, s->n)});
        while (at < s->n && (n = qn_tstr_char(qn_tval_text(*s), at, &cp), !qn_tstr_is_space(cp)))
            at += n;
        QN_TRY(qn_tlist_push(ctx, list, (struct qn_tval[]){qn_tstr_slice(s, begin, at)}));
    }
}

/* Position of the last `needle` that ends at or before `end`. */
static enum qn_status find_last(struct qn_tctx *ctx, size_t *out, const struct qn_tval *s,
                                struct qn_str needle, size_t end) {
    *out = SIZE_MAX;
    if (needle.n > end)
        return QN_OK;
    size_t at = end - needle.n;
    for (;; at--) {
        if (memcmp(s->as.p + at, needle.p, needle.n) == 0) {
            *out = at;
            break;
        }
        if (at % 256 == 0)
            QN_TRY(qn_tctx_spend(ctx, 1 + needle.n / 8));
        if (at == 0)
            break;
    }
    return QN_OK;
}

static enum qn_status split_at(struct qn_tctx *ctx, struct qn_tlist *list, const struct qn_tval *s,
                               struct qn_str sep, int64_t max) {
    size_t at = 0, found;
    for (;;) {
        found = SIZE_MAX;
        if (max < 0 || list->n < max)
            QN_TRY(qn_tstr_find(ctx, &found, s, sep, at));
        size_t end = found == SIZE_MAX ? s->n : found;
        QN_TRY(qn_tlist_push(ctx, list, (struct qn_tval[]){qn_tstr_slice(s, at, end)}));
        if (found == SIZE_MAX)
            return QN_OK;
        at = found + sep.n;
    }
}

static void reverse_list(struct qn_tlist *list) {
    for (uint32_t i = 0; i < list->n / 2; i++) {
        struct qn_tval swap = list->items[i];
        list->items[i] = list->items[list->n - 1 - i];
        list->items[list->n - 1 - i] = swap;
    }
}

static enum qn_status rsplit_at(struct qn_tctx *ctx, struct qn_tlist *list, const struct qn_tval *s,
                                struct qn_str sep, int64_t max) {
    size_t end = s->n, found;
    for (;;) {
        found = SIZE_MAX;
        if (max < 0 || list->n < max)
            QN_TRY(find_last(ctx, &found, s, sep, end));
        size_t begin = found == SIZE_MAX ? 0 : found + sep.n;
        QN_TRY(qn_tlist_push(ctx, list, (struct qn_tval[]){qn_tstr_slice(s, begin, end)}));
        if (found == SIZE_MAX)
            break;
        end = found;
    }
    reverse_list(list);
    return QN_OK;
}

/* rsplit() at whitespace: all words, the first of them joined again when there are too many. */
static enum qn_status rsplit_space(struct qn_tctx *ctx, struct qn_tlist *list,
                                   const struct qn_tval *s, int64_t max) {
    QN_TRY(split_space(ctx, list, s, -1));
    if (max < 0 || list->n <= max)
        return QN_OK;
    uint32_t extra = list->n - (uint32_t)max - 1; // words that belong to the first piece
    const struct qn_tval *last = &list->items[extra];
    list->items[0] = qn_tstr_slice(s, 0, (size_t)(last->as.p - s->as.p) + last->n);
    for (uint32_t i = extra + 1; i < list->n; i++)
        list->items[i - extra] = list->items[i];
    list->n -= extra;
    return QN_OK;
}

static enum qn_status split_any(struct qn_tctx *ctx, struct qn_tval *out,
                                const struct qn_tval *self, const struct qn_tval *a, bool right) {
    struct qn_tlist *list;
    int64_t max;
    QN_TRY(need_int(ctx, &max, &a[1], -1));
    QN_TRY(qn_tlist_new(ctx, &list, 0));
    *out = qn_tlist_value(list, QN_TVAL_LIST);
    QN_TRY(qn_tctx_spend(ctx, self->n / 64));
    if (!qn_tval_given(a[0]) || a[0].kind == QN_TVAL_NONE)
        return right ? rsplit_space(ctx, list, self, max) : split_space(ctx, list, self, max);
    QN_TRY(need_str(ctx, &a[0]));
    if (a[0].n == 0)
        return qn_tfail(&ctx->site, "split: the separator is empty");
    return right ? rsplit_at(ctx, list, self, qn_tval_text(a[0]), max)
                 : split_at(ctx, list, self, qn_tval_text(a[0]), max);
}

QN_TFUNC(str_split) {
    QN_TUNUSED(args);
    return split_any(ctx, out, self, a, false);
}
QN_TFUNC(str_rsplit) {
    QN_TUNUSED(args);
    return split_any(ctx, out, self, a, true);
}

QN_TFUNC(str_splitlines) {
    QN_TUNUSED(args);
    struct qn_tlist *list;
    bool keep;
    QN_TRY(qn_tval_truth(ctx, &keep, &a[0]));
    QN_TRY(qn_tctx_spend(ctx, self->n / 64));
    QN_TRY(qn_tlist_new(ctx, &list, 0));
    size_t begin = 0;
    for (size_t at = 0; at < self->n;) {
        uint32_t cp;
        size_t end = at + qn_tstr_char(qn_tval_text(*self), at, &cp);
        bool line = qn_tstr_is_newline(cp);
        if (cp == '\r' && end < self->n && self->as.p[end] == '\n')
            end++;
        if (line) {
            QN_TRY(qn_tlist_push(ctx, list,
                                 (struct qn_tval[]){qn_tstr_slice(self, begin, keep ? end : at)}));
            begin = end;
        }
        at = end;
    }
    if (begin < self->n)
        QN_TRY(qn_tlist_push(ctx, list, (struct qn_tval[]){qn_tstr_slice(self, begin, self->n)}));
    *out = qn_tlist_value(list, QN_TVAL_LIST);
    return QN_OK;
}

static enum qn_status partition(struct qn_tctx *ctx, struct qn_tval *out,
                                const struct qn_tval *self, const struct qn_tval *sep, bool right) {
    struct qn_tlist *list;
    size_t at;
    QN_TRY(need_str(ctx, sep));
    if (sep->n == 0)
        return qn_tfail(&ctx->site, "partition: the separator is empty");
    QN_TRY(right ? find_last(ctx, &at, self, qn_tval_text(*sep), self->n)
                 : qn_tstr_find(ctx, &at, self, qn_tval_text(*sep), 0));
    bool found = at != SIZE_MAX;
    size_t end = found ? at + sep->n : right ? 0 : self->n;
    if (!found)
        at = end;
    QN_TRY(qn_tlist_new(ctx, &list, 3));
    QN_TRY(qn_tlist_push(ctx, list, (struct qn_tval[]){qn_tstr_slice(self, 0, at)}));
    QN_TRY(qn_tlist_push(ctx, list, (struct qn_tval[]){qn_tstr_slice(self, at, end)}));
    QN_TRY(qn_tlist_push(ctx, list, (struct qn_tval[]){qn_tstr_slice(self, end, self->n)}));
    *out = qn_tlist_value(list, QN_TVAL_TUPLE);
    return QN_OK;
}

QN_TFUNC(str_partition) {
    QN_TUNUSED(args);
    return partition(ctx, out, self, &a[0], false);
}
QN_TFUNC(str_rpartition) {
    QN_TUNUSED(args);
    return partition(ctx, out, self, &a[0], true);
}

static enum qn_status has_affix(struct qn_tctx *ctx, struct qn_tval *out,
                                const struct qn_tval *self, const struct qn_tval *given_affix,
                                bool end) {
    struct qn_tval affix = *given_affix;
    const struct qn_tval *one = &affix;
    uint32_t n = 1;
    bool found = false;
    if (affix.kind == QN_TVAL_TUPLE) {
        one = affix.as.list->items;
        n = affix.as.list->n;
    }
    for (uint32_t i = 0; i < n; i++) {
        QN_TRY(need_str(ctx, &one[i]));
        QN_TRY(qn_tctx_spend(ctx, 1 + one[i].n / 256));
        found |= end ? qn_str_ends(qn_tval_text(*self), qn_tval_text(one[i]))
                     : qn_str_starts(qn_tval_text(*self), qn_tval_text(one[i]));
    }
    *out = qn_tval_bool(found);
    return QN_OK;
}

QN_TFUNC(str_startswith) {
    QN_TUNUSED(args);
    return has_affix(ctx, out, self, &a[0], false);
}
QN_TFUNC(str_endswith) {
    QN_TUNUSED(args);
    return has_affix(ctx, out, self, &a[0], true);
}

QN_TFUNC(str_removeprefix) {
    QN_TUNUSED(args);
    QN_TRY(need_str(ctx, &a[0]));
    bool has = qn_str_starts(qn_tval_text(*self), qn_tval_text(a[0]));
    *out = qn_tstr_slice(self, has ? a[0].n : 0, self->n);
    return QN_OK;
}
QN_TFUNC(str_removesuffix) {
    QN_TUNUSED(args);
    QN_TRY(need_str(ctx, &a[0]));
    bool has = qn_str_ends(qn_tval_text(*self), qn_tval_text(a[0]));
    *out = qn_tstr_slice(self, 0, has ? self->n - a[0].n : self->n);
    return QN_OK;
}

QN_TFUNC(str_replace) {
    QN_TUNUSED(args);
    int64_t count;
    QN_TRY(need_str(ctx, &a[0]));
    QN_TRY(need_str(ctx, &a[1]));
    QN_TRY(need_int(ctx, &count, &a[2], -1));
    return qn_tstr_replace(ctx, out, self, &a[0], &a[1], count);
}

/* find, rfind, index, rindex: code points; start and end as in slices. */
static enum qn_status search(struct qn_tctx *ctx, int64_t *out, const struct qn_tval *self,
                             const struct qn_tval *a, bool right) {
    int64_t n, start, end;
    uint32_t cp;
    size_t begin = 0, stop, at;
    QN_TRY(need_str(ctx, &a[0]));
    QN_TRY(qn_tstr_length(ctx, &n, self));
    QN_TRY(need_int(ctx, &start, &a[1], 0));
    QN_TRY(need_int(ctx, &end, &a[2], n));
    start = start < 0 ? (start < -n ? 0 : start + n) : start;
    end = end < 0 ? (end < -n ? 0 : end + n) : end > n ? n : end;
    *out = -1;
    if (start > end)
        return QN_OK;
    for (int64_t i = 0; i < start; i++)
        begin += qn_tstr_char(qn_tval_text(*self), begin, &cp);
    stop = begin;
    for (int64_t i = start; i < end; i++)
        stop += qn_tstr_char(qn_tval_text(*self), stop, &cp);
    struct qn_tval part = qn_tstr_slice(self, begin, stop);
    QN_TRY(right ? find_last(ctx, &at, &part, qn_tval_text(a[0]), part.n)
                 : qn_tstr_find(ctx, &at, &part, qn_tval_text(a[0]), 0));
    if (at == SIZE_MAX)
        return QN_OK;
    QN_TRY(qn_tstr_length(ctx, out, (struct qn_tval[]){qn_tstr_slice(&part, 0, at)}));
    *out += start;
    return QN_OK;
}

QN_TFUNC(str_find) {
    QN_TUNUSED(args);
    *out = qn_tval_int(0);
    return search(ctx, &out->as.i, self, a, false);
}
QN_TFUNC(str_rfind) {
    QN_TUNUSED(args);
    *out = qn_tval_int(0);
    return search(ctx, &out->as.i, self, a, true);
}
QN_TFUNC(str_index) {
    QN_TRY(str_find(ctx, out, self, a, args));
    return out->as.i >= 0 ? QN_OK : qn_tfail(&ctx->site, "index: the substring is not there");
}
QN_TFUNC(str_rindex) {
    QN_TRY(str_rfind(ctx, out, self, a, args));
    return out->as.i >= 0 ? QN_OK : qn_tfail(&ctx->site, "rindex: the substring is not there");
}

QN_TFUNC(str_count) {
    QN_TUNUSED(args);
    int64_t n = 0;
    size_t at = 0;
    QN_TRY(need_str(ctx, &a[0]));
    if (a[0].n == 0) {
        QN_TRY(qn_tstr_length(ctx, &n, self));
        *out = qn_tval_int(n + 1);
        return QN_OK;
    }
    for (;; n++) {
        QN_TRY(qn_tstr_find(ctx, &at, self, qn_tval_text(a[0]), at));
        if (at == SIZE_MAX)
            break;
        at += a[0].n;
        QN_TRY(qn_tctx_spend(ctx, n & 1));
    }
    *out = qn_tval_int(n);
    return QN_OK;
}

QN_TFUNC(str_join) {
    QN_TUNUSED(args);
    struct qn_tlist *list;
    struct qn_tsink sink;
    QN_TRY(qn_tval_iterate(ctx, &list, &a[0]));
    for (uint32_t i = 0; i < list->n; i++)
        QN_TRY(need_str(ctx, &list->items[i]));
    enum qn_status status = qn_tctx_spend(ctx, list->n);
    qn_tsink_init(ctx, &sink);
    for (uint32_t i = 0; status == QN_OK && i < list->n; i++) {
        if (i)
            status = qn_tsink_str(ctx, &sink, self);
        if (status == QN_OK)
            status = qn_tsink_str(ctx, &sink, &list->items[i]);
    }
    if (status != QN_OK) {
        qn_tsink_free(&sink);
        return status;
    }
    return qn_tsink_take(ctx, out, &sink);
}

/* A fill of `n` times the character in `fill`, one space by default. */
static enum qn_status padding(struct qn_tctx *ctx, struct qn_tval *out, const struct qn_tval *fill,
                              int64_t n) {
    return qn_tstr_repeat(
        ctx, out, (struct qn_tval[]){fill->kind == QN_TVAL_STR ? *fill : qn_tval_str(QN_STR(" "))},
        n);
}

static enum qn_status justify(struct qn_tctx *ctx, struct qn_tval *out, const struct qn_tval *self,
                              const struct qn_tval *a, int left_part) {
    int64_t width, n;
    struct qn_tval before, after;
    QN_TRY(need_int(ctx, &width, &a[0], 0));
    QN_TRY(qn_tstr_length(ctx, &n, self));
    int64_t pad = width > n ? width - n : 0;
    int64_t first = left_part == 0 ? 0 : left_part == 2 ? pad : pad / 2 + (pad & width & 1);
    QN_TRY(padding(ctx, &before, &a[1], first));
    QN_TRY(padding(ctx, &after, &a[1], pad - first));
    QN_TRY(qn_tstr_concat(ctx, out, &before, self));
    return qn_tstr_concat(ctx, out, (struct qn_tval[]){*out}, &after);
}

QN_TFUNC(str_ljust) {
    QN_TUNUSED(args);
    return justify(ctx, out, self, a, 0);
}
QN_TFUNC(str_center) {
    QN_TUNUSED(args);
    return justify(ctx, out, self, a, 1);
}
QN_TFUNC(str_rjust) {
    QN_TUNUSED(args);
    return justify(ctx, out, self, a, 2);
}

QN_TFUNC(str_zfill) {
    QN_TUNUSED(args);
    int64_t width, n;
    struct qn_tval zeros;
    bool sign = self->n && (self->as.p[0] == '-' || self->as.p[0] == '+');
    QN_TRY(need_int(ctx, &width, &a[0], 0));
    QN_TRY(qn_tstr_length(ctx, &n, self));
    QN_TRY(qn_tstr_repeat(ctx, &zeros, (struct qn_tval[]){qn_tval_str(QN_STR("0"))},
                          width > n ? width - n : 0));
    QN_TRY(qn_tstr_concat(ctx, out, (struct qn_tval[]){qn_tstr_slice(self, 0, sign)}, &zeros));
    return qn_tstr_concat(ctx, out, (struct qn_tval[]){*out},
                          (struct qn_tval[]){qn_tstr_slice(self, sign, self->n)});
}

/* isdigit and its like. Letters beyond ASCII: what has case, or any other non-space character. */
enum { IS_DIGIT = 1, IS_ALPHA = 2, IS_SPACE = 4, IS_UPPER = 8, IS_LOWER = 16 };

static int class_of(uint32_t cp) {
    int c = 0;
    if (cp >= '0' && cp <= '9')
        return IS_DIGIT;
    if (qn_tstr_is_space(cp))
        return IS_SPACE;
    if (qn_tstr_lower(cp) != cp)
        c |= IS_UPPER | IS_ALPHA;
    else if (qn_tstr_upper(cp) != cp || cp == 0xdf)
        c |= IS_LOWER | IS_ALPHA;
    else if (cp >= 0xaa && !(cp >= 0x2000 && cp < 0x2c00) && cp != 0xd7 && cp != 0xf7 &&
             !(cp >= 0xab && cp < 0xc0 && cp != 0xba))
        c |= IS_ALPHA;
    return c;
}

static enum qn_status all_of(struct qn_tctx *ctx, struct qn_tval *out, const struct qn_tval *self,
                             int classes) {
    bool ok = self->n > 0;
    QN_TRY(qn_tctx_spend(ctx, self->n / 64));
    for (size_t at = 0; ok && at < self->n;) {
        uint32_t cp;
        at += qn_tstr_char(qn_tval_text(*self), at, &cp);
        ok = (class_of(cp) & classes) != 0;
    }
    *out = qn_tval_bool(ok);
    return QN_OK;
}

static enum qn_status one_case(struct qn_tctx *ctx, struct qn_tval *out, const struct qn_tval *self,
                               int wanted) {
    bool some = false, other = false;
    QN_TRY(qn_tctx_spend(ctx, self->n / 64));
    for (size_t at = 0; at < self->n;) {
        uint32_t cp;
        at += qn_tstr_char(qn_tval_text(*self), at, &cp);
        int c = class_of(cp) & (IS_UPPER | IS_LOWER);
        some |= c == wanted;
        other |= c && c != wanted;
    }
    *out = qn_tval_bool(some && !other);
    return QN_OK;
}

QN_TFUNC(str_isdigit) {
    QN_TUNUSED(a, args);
    return all_of(ctx, out, self, IS_DIGIT);
}
QN_TFUNC(str_isalpha) {
    QN_TUNUSED(a, args);
    return all_of(ctx, out, self, IS_ALPHA);
}
QN_TFUNC(str_isalnum) {
    QN_TUNUSED(a, args);
    return all_of(ctx, out, self, IS_ALPHA | IS_DIGIT);
}
QN_TFUNC(str_isspace) {
    QN_TUNUSED(a, args);
    return all_of(ctx, out, self, IS_SPACE);
}
QN_TFUNC(str_isupper) {
    QN_TUNUSED(a, args);
    return one_case(ctx, out, self, IS_UPPER);
}
QN_TFUNC(str_islower) {
    QN_TUNUSED(a, args);
    return one_case(ctx, out, self, IS_LOWER);
}

const struct qn_tfunc *qn_tmethod_str_by_name(struct qn_str name) {
    static const struct qn_tfunc table[] = {
        {"strip", "chars", 0, str_strip},
        {"split", "sep maxsplit", 0, str_split},
        {"lstrip", "chars", 0, str_lstrip},
        {"rstrip", "chars", 0, str_rstrip},
        {"startswith", "prefix", 1, str_startswith},
        {"endswith", "suffix", 1, str_endswith},
        {"replace", "old new count", 2, str_replace},
        {"upper", "", 0, str_upper},
        {"lower", "", 0, str_lower},
        {"title", "", 0, str_title},
        {"capitalize", "", 0, str_capitalize},
        {"casefold", "", 0, str_lower},
        {"rsplit", "sep maxsplit", 0, str_rsplit},
        {"splitlines", "keepends", 0, str_splitlines},
        {"partition", "sep", 1, str_partition},
        {"rpartition", "sep", 1, str_rpartition},
        {"removeprefix", "prefix", 1, str_removeprefix},
        {"removesuffix", "suffix", 1, str_removesuffix},
        {"find", "sub start end", 1, str_find},
        {"rfind", "sub start end", 1, str_rfind},
        {"index", "sub start end", 1, str_index},
        {"rindex", "sub start end", 1, str_rindex},
        {"count", "sub", 1, str_count},
        {"join", "iterable", 1, str_join},
        {"format", NULL, 0, qn_tformat_braces},
        {"ljust", "width fillchar", 1, str_ljust},
        {"center", "width fillchar", 1, str_center},
        {"rjust", "width fillchar", 1, str_rjust},
        {"zfill", "width", 1, str_zfill},
        {"isdigit", "", 0, str_isdigit},
        {"isdecimal", "", 0, str_isdigit},
        {"isnumeric", "", 0, str_isdigit},
        {"isalpha", "", 0, str_isalpha},
        {"isalnum", "", 0, str_isalnum},
        {"isspace", "", 0, str_isspace},
        {"isupper", "", 0, str_isupper},
        {"islower", "", 0, str_islower},
    };
    return qn_tfunc_find(table, sizeof table / sizeof *table, name);
}
