#include "text/normalize.h"

#include <string.h>

#include "text/unicode.h"

void qn_marked_init(struct qn_marked_buf *buf, const struct qn_allocator *allocator) {
    qn_buf_init(&buf->text, allocator);
    qn_buf_init(&buf->marks, allocator);
    buf->marked = false;
}

void qn_marked_free(struct qn_marked_buf *buf) {
    qn_buf_free(&buf->text);
    qn_buf_free(&buf->marks);
}

void qn_marked_clear(struct qn_marked_buf *buf, bool marked) {
    qn_buf_clear(&buf->text);
    qn_buf_clear(&buf->marks);
    buf->marked = marked;
}

void qn_marked_append(struct qn_marked_buf *buf, struct qn_str text, char mark) {
    qn_buf_str(&buf->text, text);
    if (buf->marked && qn_buf_reserve(&buf->marks, text.n)) {
        for (size_t i = 0; i < text.n; i++)
            qn_buf_char(&buf->marks, mark);
    }
}

/* A part of the input as it is, marks included. */
static void append_slice(struct qn_marked_buf *buf, struct qn_marked in, size_t begin, size_t end) {
    qn_buf_append(&buf->text, in.text.p + begin, end - begin);
    if (buf->marked)
        qn_buf_append(&buf->marks, in.marks + begin, end - begin);
}

static char mark_of(struct qn_marked in, size_t begin, size_t end) {
    if (!in.marks)
        return 0;
    for (size_t i = begin; i < end; i++) {
        if (in.marks[i])
            return 1;
    }
    return 0;
}

struct qn_marked qn_marked_view(const struct qn_marked_buf *buf) {
    return (struct qn_marked){qn_buf_view(&buf->text), buf->marked ? buf->marks.p : NULL};
}

void qn_normalize_scratch_init(struct qn_normalize_scratch *s,
                               const struct qn_allocator *allocator) {
    qn_marked_init(&s->text[0], allocator);
    qn_marked_init(&s->text[1], allocator);
    s->run = (struct qn_code_points){.allocator = allocator};
    s->sorted = (struct qn_code_points){.allocator = allocator};
}

static void code_points_free(struct qn_code_points *c) {
    qn_mem_free(c->allocator, c->p, c->capacity * sizeof *c->p);
    c->p = NULL;
    c->n = c->capacity = 0;
}

void qn_normalize_scratch_free(struct qn_normalize_scratch *s) {
    qn_marked_free(&s->text[0]);
    qn_marked_free(&s->text[1]);
    code_points_free(&s->run);
    code_points_free(&s->sorted);
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

/* Full canonical decomposition: the first half may decompose again, the second at most once more.
 */
static bool push_decomposed(struct qn_code_points *c, uint32_t code_point) {
    uint32_t tail[8], first, second;
    size_t n_tail = 0;
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

static bool is_stable(uint32_t code_point) {
    return code_point < 0x300 || code_point == QN_UTF8_INVALID ||
           (qn_unicode_prop(code_point) & QN_PROP_NFC) == 0;
}

/* First byte of text that NFC may change, or SIZE_MAX; *boundary: start of the code point before.
 */
static size_t find_unstable(struct qn_str s, size_t from, size_t *boundary) {
    for (size_t at = from; at < s.n;) {
        if ((unsigned char)s.p[at] < 0xcc) { // below U+0300, or ill-formed: nothing to do
            *boundary = at++;
            while (at < s.n && ((unsigned char)s.p[at] & 0xc0) == 0x80)
                at++;
            continue;
        }
        size_t begin = at;
        if (!is_stable(qn_unicode_next(s, &at)))
            return begin;
        *boundary = begin;
    }
    return SIZE_MAX;
}

static enum qn_status nfc(struct qn_marked_buf *out, struct qn_normalize_scratch *scratch,
                          struct qn_marked in, struct qn_error *err) {
    struct qn_str s = in.text;
    size_t copied = 0;
    for (;;) {
        size_t boundary = copied, at = find_unstable(s, copied, &boundary);
        if (at == SIZE_MAX)
            break;
        /* A run: the starter before and everything up to the next stable code point. An ill-formed
         * byte ends a run and begins none. */
        size_t probe = boundary;
        if (qn_unicode_next(s, &probe) == QN_UTF8_INVALID || probe != at)
            boundary = at;
        append_slice(out, in, copied, boundary);
        scratch->run.n = 0;
        size_t end = boundary;
        while (end < s.n) {
            size_t next = end;
            uint32_t code_point = qn_unicode_next(s, &next);
            if (end > at && is_stable(code_point))
                break;
            if (!push_decomposed(&scratch->run, code_point))
                return qn_fail(err, QN_E_NO_MEMORY, "NFC of %zu bytes", s.n);
            end = next;
        }
        if (!sort_marks(&scratch->run, &scratch->sorted))
            return qn_fail(err, QN_E_NO_MEMORY, "NFC of %zu bytes", s.n);
        compose(&scratch->run);
        char mark = mark_of(in, boundary, end);
        for (size_t i = 0; i < scratch->run.n; i++) {
            char utf8[4];
            size_t n = qn_utf8_put(utf8, scratch->run.p[i]);
            qn_marked_append(out, (struct qn_str){utf8, n}, mark);
        }
        copied = end;
    }
    append_slice(out, in, copied, s.n);
    return QN_OK;
}

static bool applies(const struct qn_normalizer *step, struct qn_str s) {
    size_t boundary;
    switch (step->kind) {
    case QN_NORMALIZE_NFC:
        return find_unstable(s, 0, &boundary) != SIZE_MAX;
    case QN_NORMALIZE_PREPEND:
        return s.n > 0;
    case QN_NORMALIZE_REPLACE:
        return qn_str_find(s, step->pattern, 0) != SIZE_MAX;
    }
    return false;
}

enum qn_status qn_normalize(struct qn_marked *out, struct qn_normalize_scratch *scratch,
                            const struct qn_normalizer *steps, uint32_t n_steps,
                            struct qn_marked in, struct qn_error *err) {
    uint32_t turn = 0;
    for (uint32_t i = 0; i < n_steps; i++) {
        const struct qn_normalizer *step = &steps[i];
        if (!applies(step, in.text))
            continue;
        struct qn_marked_buf *buf = &scratch->text[turn++ & 1];
        qn_marked_clear(buf, in.marks != NULL);
        switch (step->kind) {
        case QN_NORMALIZE_NFC:
            QN_TRY(nfc(buf, scratch, in, err));
            break;
        case QN_NORMALIZE_PREPEND:
            qn_marked_append(buf, step->content, mark_of(in, 0, 1));
            append_slice(buf, in, 0, in.text.n);
            break;
        case QN_NORMALIZE_REPLACE: {
            size_t at = 0, found;
            while ((found = qn_str_find(in.text, step->pattern, at)) != SIZE_MAX) {
                append_slice(buf, in, at, found);
                at = found + step->pattern.n;
                qn_marked_append(buf, step->content, mark_of(in, found, at));
            }
            append_slice(buf, in, at, in.text.n);
            break;
        }
        }
        if (buf->text.failed || buf->marks.failed)
            return qn_fail(err, QN_E_NO_MEMORY, "normalising %zu bytes", in.text.n);
        in = qn_marked_view(buf);
    }
    *out = in;
    return QN_OK;
}
