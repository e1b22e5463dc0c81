#include "text/normalize.h"

#include "base/num.h"
#include "text/unicode.h"

void qn_normalize_scratch_init(struct qn_normalize_scratch *s,
                               const struct qn_allocator *allocator) {
    qn_marked_init(&s->text[0], allocator);
    qn_marked_init(&s->text[1], allocator);
    s->run = (struct qn_code_points){.allocator = allocator};
    s->sorted = (struct qn_code_points){.allocator = allocator};
    s->regex = (struct qn_regex_scratch){.allocator = allocator};
}

void qn_normalize_scratch_free(struct qn_normalize_scratch *s) {
    qn_marked_free(&s->text[0]);
    qn_marked_free(&s->text[1]);
    qn_code_points_free(&s->run);
    qn_code_points_free(&s->sorted);
    qn_regex_scratch_free(&s->regex);
}

static bool not_empty(const struct qn_normalizer *step, struct qn_str s) {
    (void)step;
    return s.n > 0;
}

static enum qn_status prepend(struct qn_marked_buf *out, struct qn_normalize_scratch *scratch,
                              const struct qn_normalizer *step, struct qn_marked in) {
    (void)scratch;
    qn_marked_append(out, step->content, qn_mark_of(in, 0, 1));
    qn_marked_slice(out, in, 0, in.text.n);
    return QN_OK;
}

static bool has_pattern(const struct qn_normalizer *step, struct qn_str s) {
    return qn_str_find(s, step->pattern, 0) != SIZE_MAX;
}

static enum qn_status replace(struct qn_marked_buf *out, struct qn_normalize_scratch *scratch,
                              const struct qn_normalizer *step, struct qn_marked in) {
    size_t at = 0, found;
    (void)scratch;
    while ((found = qn_str_find(in.text, step->pattern, at)) != SIZE_MAX) {
        qn_marked_slice(out, in, at, found);
        at = found + step->pattern.n;
        qn_marked_append(out, step->content, qn_mark_of(in, found, at));
    }
    qn_marked_slice(out, in, at, in.text.n);
    return QN_OK;
}

static bool is_space(uint32_t c) {
    return c < 128 ? c == ' ' || (c >= 9 && c <= 13)
                   : c != QN_UTF8_INVALID && (qn_unicode_prop(c) & QN_PROP_SPACE) != 0;
}

static enum qn_status replace_regex(struct qn_marked_buf *out, struct qn_normalize_scratch *scratch,
                                    const struct qn_normalizer *step, struct qn_marked in) {
    struct qn_regex_walk walk = {.last = SIZE_MAX};
    size_t copied = 0, begin, end;
    scratch->regex.steps = 1000000 + 500 * (uint64_t)in.text.n;
    for (;;) {
        QN_TRY(qn_regex_next(step->regex, &scratch->regex, &walk, &begin, &end, in.text));
        if (begin == SIZE_MAX)
            break;
        qn_marked_slice(out, in, copied, begin);
        qn_marked_append(out, step->content, qn_mark_of(in, begin, end));
        copied = end;
    }
    qn_marked_slice(out, in, copied, in.text.n);
    return QN_OK;
}

/* White space, or the one character `pattern`, at the ends, where `left` and `right`. */
static enum qn_status strip(struct qn_marked_buf *out, struct qn_normalize_scratch *scratch,
                            const struct qn_normalizer *step, struct qn_marked in) {
    size_t begin = 0, end = 0, zero = 0;
    uint32_t wanted = step->pattern.n > 0 ? qn_unicode_next(step->pattern, &zero) : 0;
    (void)scratch;
    for (size_t at = 0; at < in.text.n;) {
        uint32_t c = qn_unicode_next(in.text, &at);
        if (step->pattern.n > 0 ? c == wanted : is_space(c)) {
            if (end == 0)
                begin = at;
        } else {
            end = at;
        }
    }
    if (!step->left)
        begin = 0;
    if (!step->right)
        end = in.text.n;
    if (begin < end)
        qn_marked_slice(out, in, begin, end);
    return QN_OK;
}

static bool never_plain(const struct qn_normalizer *step, struct qn_str s) {
    (void)step;
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] >= 0x80)
            return true;
    }
    return false;
}

static bool charsmap_applies(const struct qn_normalizer *step, struct qn_str s) {
    return s.n > 0 && step->charsmap != NULL;
}

static enum qn_status charsmap(struct qn_marked_buf *out, struct qn_normalize_scratch *scratch,
                               const struct qn_normalizer *step, struct qn_marked in) {
    (void)scratch;
    qn_charsmap_apply(step->charsmap, out, in);
    return QN_OK;
}

/* One row for each kind: whether it may change the text, and how. */
static const struct {
    bool (*applies)(const struct qn_normalizer *step, struct qn_str s);
    enum qn_status (*run)(struct qn_marked_buf *out, struct qn_normalize_scratch *scratch,
                          const struct qn_normalizer *step, struct qn_marked in);
} kinds[] = {
    [QN_NORMALIZE_NFC] = {qn_normalize_form_applies, qn_normalize_form},
    [QN_NORMALIZE_NFD] = {qn_normalize_form_applies, qn_normalize_form},
    [QN_NORMALIZE_NFKC] = {qn_normalize_form_applies, qn_normalize_form},
    [QN_NORMALIZE_NFKD] = {qn_normalize_form_applies, qn_normalize_form},
    [QN_NORMALIZE_PREPEND] = {not_empty, prepend},
    [QN_NORMALIZE_REPLACE] = {has_pattern, replace},
    [QN_NORMALIZE_REPLACE_REGEX] = {not_empty, replace_regex},
    [QN_NORMALIZE_STRIP] = {not_empty, strip},
    [QN_NORMALIZE_CHARSMAP] = {charsmap_applies, charsmap},
    [QN_NORMALIZE_LOWERCASE] = {not_empty, qn_normalize_map},
    [QN_NORMALIZE_CLEAN] = {not_empty, qn_normalize_map},
    [QN_NORMALIZE_CHINESE] = {never_plain, qn_normalize_map},
    [QN_NORMALIZE_STRIP_MARKS] = {never_plain, qn_normalize_map},
    [QN_NORMALIZE_STRIP_NONSPACING] = {never_plain, qn_normalize_map},
    [QN_NORMALIZE_NMT] = {not_empty, qn_normalize_map},
    [QN_NORMALIZE_BYTES] = {not_empty, qn_normalize_map},
};

enum qn_status qn_normalize(struct qn_marked *out, struct qn_normalize_scratch *scratch,
                            const struct qn_normalizer *steps, uint32_t n_steps,
                            struct qn_marked in, struct qn_error *err) {
    uint32_t turn = 0;
    size_t limit; // a chain of replacements must not grow without end
    if (!qn_mul_size(&limit, in.text.n, 64) || !qn_add_size(&limit, limit, 1u << 20))
        limit = 0;
    for (uint32_t i = 0; i < n_steps; i++) {
        const struct qn_normalizer *step = &steps[i];
        if (!kinds[step->kind].applies(step, in.text))
            continue;
        struct qn_marked_buf *buf = &scratch->text[turn++ & 1];
        qn_marked_clear(buf, in.marks != NULL);
        buf->text.limit = limit;
        enum qn_status status = kinds[step->kind].run(buf, scratch, step, in);
        if (status == QN_E_LIMIT)
            return qn_fail(err, status, "the tokenizer's regular expression takes too long");
        if (status != QN_OK || buf->text.failed || buf->marks.failed)
            return qn_fail(err, QN_E_NO_MEMORY, "normalising %zu bytes", in.text.n);
        in = qn_marked_view(buf);
    }
    *out = in;
    return QN_OK;
}
