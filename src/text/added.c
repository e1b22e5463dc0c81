#include "text/added.h"

#include <string.h>

#include "text/unicode.h"

static int compare(struct qn_str a, struct qn_str b) {
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n > 0 ? memcmp(a.p, b.p, n) : 0;
    return order != 0 ? order : (a.n > b.n) - (a.n < b.n);
}

/* Heap sort: no recursion, no scratch, no bad case. Equal strings: the lower id first. */
static bool before(const struct qn_added_token *a, const struct qn_added_token *b) {
    int order = compare(a->content, b->content);
    return order != 0 ? order < 0 : a->id < b->id;
}

static void sift(struct qn_added_token *list, size_t root, size_t n) {
    for (;;) {
        size_t child = 2 * root + 1;
        if (child >= n)
            return;
        if (child + 1 < n && before(&list[child], &list[child + 1]))
            child++;
        if (!before(&list[root], &list[child]))
            return;
        struct qn_added_token swap = list[root];
        list[root] = list[child];
        list[child] = swap;
        root = child;
    }
}

enum qn_status qn_added_init(struct qn_added *added, struct qn_added_token *list, uint32_t n,
                             struct qn_error *err) {
    for (size_t i = n / 2; i-- > 0;)
        sift(list, i, n);
    for (size_t i = n; i-- > 1;) {
        struct qn_added_token swap = list[0];
        list[0] = list[i];
        list[i] = swap;
        sift(list, 0, i);
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (list[i].content.n == 0 ||
            (kept > 0 && qn_str_eq(list[kept - 1].content, list[i].content)))
            continue;
        if (list[i].content.n > QN_ADDED_MAX_BYTES)
            return qn_fail(err, QN_E_TOKENIZER, "added token %u is %zu bytes long", list[i].id,
                           list[i].content.n);
        list[kept++] = list[i];
    }
    added->list = list;
    added->n = kept;
    for (uint32_t b = 0, i = 0; b < 257; b++) {
        while (i < kept && (unsigned char)list[i].content.p[0] < b)
            i++;
        added->first[b] = i;
    }
    added->first[256] = kept;
    return QN_OK;
}

static bool any_mark(struct qn_marked in, size_t begin, size_t end) {
    for (size_t i = begin; in.marks && i < end; i++) {
        if (in.marks[i])
            return true;
    }
    return false;
}

static const struct qn_added_token *longest(const struct qn_added *added, struct qn_marked in,
                                            size_t at, bool no_special) {
    unsigned char byte = (unsigned char)in.text.p[at];
    uint32_t low = added->first[byte], high = added->first[byte + 1];
    const struct qn_added_token *best = NULL;
    const struct qn_added_token *list = added->list;
    for (size_t depth = 1; low < high; depth++) {
        if (list[low].content.n == depth) {
            bool special = (list[low].flags & (QN_ADDED_SPECIAL | QN_ADDED_GUARDED)) != 0;
            if (!special || (!no_special && !any_mark(in, at, at + depth)))
                best = &list[low];
            low++;
        }
        if (low == high || at + depth >= in.text.n)
            break;
        byte = (unsigned char)in.text.p[at + depth];
        /* First entry whose byte at `depth` is not less, and first whose byte is greater. */
        uint32_t a = low, b = high;
        while (a < b) {
            uint32_t middle = a + (b - a) / 2;
            if ((unsigned char)list[middle].content.p[depth] < byte)
                a = middle + 1;
            else
                b = middle;
        }
        low = a;
        b = high;
        while (a < b) {
            uint32_t middle = a + (b - a) / 2;
            if ((unsigned char)list[middle].content.p[depth] <= byte)
                a = middle + 1;
            else
                b = middle;
        }
        high = a;
    }
    return best;
}

/* Start of the code point that ends at `end` > 0, at most four bytes back. */
static size_t step_back(struct qn_str s, size_t end) {
    size_t at = end - 1;
    while (at > 0 && end - at < 4 && ((unsigned char)s.p[at] & 0xc0) == 0x80)
        at--;
    size_t next = at;
    return qn_unicode_next(s, &next) != QN_UTF8_INVALID && next == end ? at : end - 1;
}

static uint8_t prop_at(struct qn_str s, size_t *at) {
    uint32_t code_point = qn_unicode_next(s, at);
    return code_point == QN_UTF8_INVALID ? (uint8_t)QN_CAT_CN : qn_unicode_prop(code_point);
}

static bool is_word(struct qn_str s, size_t at) {
    return (prop_at(s, &at) & QN_PROP_WORD) != 0;
}

bool qn_added_next(const struct qn_added *added, struct qn_added_match *out, struct qn_marked in,
                   size_t *at, size_t floor, bool no_special) {
    struct qn_str s = in.text;
    for (size_t i = *at; i < s.n; i++) {
        unsigned char byte = (unsigned char)s.p[i];
        if (added->first[byte] == added->first[byte + 1])
            continue;
        const struct qn_added_token *token = longest(added, in, i, no_special);
        if (!token)
            continue;
        size_t begin = i, end = i + token->content.n;
        if ((token->flags & QN_ADDED_SINGLE_WORD) &&
            ((begin > 0 && is_word(s, step_back(s, begin))) || (end < s.n && is_word(s, end)))) {
            i = end - 1;
            continue;
        }
        *out = (struct qn_added_match){.found_begin = begin, .found_end = end, .token = token};
        if (token->flags & QN_ADDED_LSTRIP) {
            while (begin > floor) {
                size_t back = step_back(s, begin), next = back;
                if (back < floor || !(prop_at(s, &next) & QN_PROP_SPACE))
                    break;
                begin = back;
            }
        }
        *at = end;
        if (token->flags & QN_ADDED_RSTRIP) {
            for (size_t next = end; end < s.n && (prop_at(s, &next) & QN_PROP_SPACE);)
                end = next;
        }
        out->begin = begin < floor ? floor : begin;
        out->end = end;
        return true;
    }
    *at = s.n;
    return false;
}
