/* The four normalization forms of Unicode (UAX 15). */
#include <string.h>

#include "text/normalize.h"
#include "text/unicode.h"

void qn_code_points_free(struct qn_code_points *c) {
    qn_mem_free(c->allocator, c->p, c->capacity * sizeof *c->p);
    c->p = NULL;
    c->n = c->capacity = 0;
}

static bool code_points_reserve(struct qn_code_points *c, size_t n) {
    if (n <= c->capacity)
        return true;
    if (n > SIZE_MAX / 8)
        return false;
    size_t capacity = c->capacity < 32 ? 32 : c->capacity;
    while (capacity < n)
        capacity *= 2;
    uint32_t *p = qn_mem_grow(c->allocator, c->p, c->capacity * sizeof *p, capacity * sizeof *p);
    if (!p)
        return false;
    c->p = p;
    c->capacity = capacity;
    return true;
}

static bool code_points_push(struct qn_code_points *c, uint32_t code_point) {
    if (!code_points_reserve(c, c->n + 1))
        return false;
    c->p[c->n++] = code_point;
    return true;
}

/* Full compatibility decomposition, or the canonical one: of that the first half may decompose
 * again, the second at most once more. */
static bool push_decomposed(struct qn_code_points *c, uint32_t code_point, bool compat) {
    uint32_t tail[18], first, second;
    size_t n_tail = compat ? qn_unicode_compat_decompose(tail, code_point) : 0;
    for (size_t i = 0; i < n_tail; i++) {
        if (!code_points_push(c, tail[i]))
            return false;
    }
    if (n_tail > 0)
        return true;
    while (n_tail < 8 && qn_unicode_decompose(&first, &second, code_point)) {
        code_point = first;
        if (second != 0)
            tail[n_tail++] = second;
    }
    bool ok = code_points_push(c, code_point);
    while (ok && n_tail > 0) {
        uint32_t x = tail[--n_tail];
        if (qn_unicode_decompose(&first, &second, x)) {
            ok = code_points_push(c, first) && (second == 0 || code_points_push(c, second));
        } else {
            ok = code_points_push(c, x);
        }
    }
    return ok;
}

/* Canonical ordering (Unicode 3.11, D109): each stretch of non-starters, stably, by class. Long
 * stretches by counting, so that a megabyte of accents costs no more than a megabyte of text. */
static bool sort_marks(struct qn_code_points *run, struct qn_code_points *sorted) {
    for (size_t begin = 0; begin < run->n;) {
        if (qn_unicode_combining_class(run->p[begin]) == 0) {
            begin++;
            continue;
        }
        size_t end = begin;
        while (end < run->n && qn_unicode_combining_class(run->p[end]) != 0)
            end++;
        uint32_t *p = run->p + begin;
        size_t n = end - begin;
        if (n <= 16) {
            for (size_t i = 1; i < n; i++) {
                uint32_t x = p[i], class = qn_unicode_combining_class(x);
                size_t j = i;
                for (; j > 0 && qn_unicode_combining_class(p[j - 1]) > class; j--)
                    p[j] = p[j - 1];
                p[j] = x;
            }
        } else {
            size_t start[257] = {0};
            if (!code_points_reserve(sorted, n))
                return false;
            for (size_t i = 0; i < n; i++)
                start[qn_unicode_combining_class(p[i]) + 1]++;
            for (size_t i = 1; i < 257; i++)
                start[i] += start[i - 1];
            for (size_t i = 0; i < n; i++)
                sorted->p[start[qn_unicode_combining_class(p[i])]++] = p[i];
            memcpy(p, sorted->p, n * sizeof *p);
        }
        begin = end;
    }
    return true;
}

/* Canonical composition (D117) in place. */
static void compose(struct qn_code_points *run) {
    size_t n = 0, starter = SIZE_MAX;
    uint32_t last = 0; // class of what stands before, after the starter
    for (size_t i = 0; i < run->n; i++) {
        uint32_t x = run->p[i], class = qn_unicode_combining_class(x);
        if (starter != SIZE_MAX && (n == starter + 1 || (last != 0 && last < class))) {
            uint32_t composite = qn_unicode_compose(run->p[starter], x);
            if (composite != 0) {
                run->p[starter] = composite;
                continue;
            }
        }
        if (class == 0)
            starter = n;
        last = class;
        run->p[n++] = x;
    }
    run->n = n;
}

/* Nothing the form does can change this character, or join it to what stands before. */
static bool is_stable(uint32_t code_point, enum qn_normalizer_kind form) {
    uint32_t a, b, expansion[18];
    if (code_point < 0xa0 || code_point == QN_UTF8_INVALID)
        return true;
    if ((code_point >= 0x300 || form != QN_NORMALIZE_NFC) &&
        (qn_unicode_prop(code_point) & QN_PROP_NFC) != 0)
        return false;
    if (form == QN_NORMALIZE_NFC)
        return true;
    if (qn_unicode_decompose(&a, &b, code_point) && form != QN_NORMALIZE_NFKC)
        return false;
    return form == QN_NORMALIZE_NFD || qn_unicode_compat_decompose(expansion, code_point) == 0;
}

/* First byte of text that the form may change, or SIZE_MAX; *boundary: start of the code point
 * before. */
static size_t find_unstable(struct qn_str s, size_t from, size_t *boundary,
                            enum qn_normalizer_kind form) {
    unsigned char high = form == QN_NORMALIZE_NFC ? 0xcc : 0x80; // below: nothing to do
    for (size_t at = from; at < s.n;) {
        if ((unsigned char)s.p[at] < high) {
            *boundary = at++;
            while (at < s.n && ((unsigned char)s.p[at] & 0xc0) == 0x80)
                at++;
            continue;
        }
        size_t begin = at;
        if (!is_stable(qn_unicode_next(s, &at), form))
            return begin;
        *boundary = begin;
    }
    return SIZE_MAX;
}

bool qn_normalize_form_applies(const struct qn_normalizer *step, struct qn_str s) {
    size_t boundary;
    return find_unstable(s, 0, &boundary, step->kind) != SIZE_MAX;
}

enum qn_status qn_normalize_form(struct qn_marked_buf *out, struct qn_normalize_scratch *scratch,
                                 const struct qn_normalizer *step, struct qn_marked in) {
    struct qn_str s = in.text;
    enum qn_normalizer_kind form = step->kind;
    bool compat = form == QN_NORMALIZE_NFKC || form == QN_NORMALIZE_NFKD;
    size_t copied = 0;
    for (;;) {
        size_t boundary = copied, at = find_unstable(s, copied, &boundary, form);
        if (at == SIZE_MAX)
            break;
        /* A run: the starter before and everything up to the next stable code point. An ill-formed
         * byte ends a run and begins none. */
        size_t probe = boundary;
        if (qn_unicode_next(s, &probe) == QN_UTF8_INVALID || probe != at)
            boundary = at;
        qn_marked_slice(out, in, copied, boundary);
        scratch->run.n = 0;
        size_t end = boundary;
        while (end < s.n) {
            size_t next = end;
            uint32_t code_point = qn_unicode_next(s, &next);
            if (end > at && is_stable(code_point, form))
                break;
            if (!push_decomposed(&scratch->run, code_point, compat))
                return QN_E_NO_MEMORY;
            end = next;
        }
        if (!sort_marks(&scratch->run, &scratch->sorted))
            return QN_E_NO_MEMORY;
        if (form == QN_NORMALIZE_NFC || form == QN_NORMALIZE_NFKC)
            compose(&scratch->run);
        char mark = qn_mark_of(in, boundary, end);
        for (size_t i = 0; i < scratch->run.n; i++) {
            char utf8[4];
            size_t n = qn_utf8_put(utf8, scratch->run.p[i]);
            qn_marked_append(out, (struct qn_str){utf8, n}, mark);
        }
        copied = end;
    }
    qn_marked_slice(out, in, copied, s.n);
    return QN_OK;
}
