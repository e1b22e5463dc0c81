#include "constrain/chars.h"

#include <string.h>

#define RANGES_MAX 8192

void qn_chars_add(struct qn_chars *set, uint32_t low, uint32_t high) {
    if (low > high || set->failed)
        return;
    if (set->n == set->capacity) {
        uint32_t capacity = set->capacity ? set->capacity * 2 : 8;
        struct qn_char_range *p =
            capacity > RANGES_MAX ? NULL : QN_ARENA_NEW(set->arena, struct qn_char_range, capacity);
        set->failed = p == NULL;
        if (set->failed)
            return;
        if (set->n > 0)
            memcpy(p, set->p, set->n * sizeof *p);
        set->p = p;
        set->capacity = capacity;
    }
    set->p[set->n++] = (struct qn_char_range){low, high};
}

void qn_chars_add_all(struct qn_chars *set, const struct qn_chars *other) {
    for (uint32_t i = 0; i < other->n; i++)
        qn_chars_add(set, other->p[i].low, other->p[i].high);
    set->failed |= other->failed;
}

void qn_chars_normalise(struct qn_chars *set) {
    struct qn_char_range *p = set->p;
    uint32_t n = 0;
    for (uint32_t i = 1; i < set->n; i++) { // mostly sorted already
        struct qn_char_range r = p[i];
        uint32_t j = i;
        for (; j > 0 && p[j - 1].low > r.low; j--)
            p[j] = p[j - 1];
        p[j] = r;
    }
    for (uint32_t i = 0; i < set->n; i++) {
        if (n > 0 && p[i].low <= p[n - 1].high + 1)
            p[n - 1].high = p[i].high > p[n - 1].high ? p[i].high : p[n - 1].high;
        else
            p[n++] = p[i];
    }
    set->n = n;
}

void qn_chars_negate(struct qn_chars *set) {
    struct qn_chars old = *set;
    uint32_t next = 0;
    qn_chars_normalise(&old);
    *set = (struct qn_chars){.arena = old.arena, .failed = old.failed};
    for (uint32_t i = 0; i < old.n; i++) {
        if (old.p[i].low > next)
            qn_chars_add(set, next, old.p[i].low - 1);
        next = old.p[i].high + 1;
    }
    qn_chars_add(set, next, 0x10ffff);
}

/* First bytes by what follows them: sequences with the same rest share one set. */
struct leads {
    uint32_t rest, set[8];
};
#define LEADS_MAX 64

struct speller {
    struct qn_terms *t;
    struct leads leads[LEADS_MAX];
    uint32_t n;
    uint32_t term; // what did not fit
};

static void add_lead(struct speller *s, uint32_t low, uint32_t high, uint32_t rest) {
    uint32_t i = 0;
    while (i < s->n && s->leads[i].rest != rest)
        i++;
    if (i == LEADS_MAX) {
        uint32_t one = qn_term_cat(s->t, qn_term_range(s->t, low, high), rest);
        s->term = qn_term_or(s->t, s->term, one);
        return;
    }
    if (i == s->n)
        s->leads[s->n++] = (struct leads){.rest = rest};
    for (uint32_t b = low; b <= high; b++)
        s->leads[i].set[b >> 5] |= 1u << (b & 31);
}

/* Code points of n bytes, from low to high. The first byte varies alone where all others run
 * through everything: the range is cut until they do. */
static void add_range(struct speller *s, uint32_t low, uint32_t high, uint32_t n) {
    static const uint8_t marks[] = {0, 0, 0xc0, 0xe0, 0xf0};
    uint32_t shift = 6 * (n - 1);
    if (n == 1) {
        add_lead(s, low, high, QN_TERM_EPS);
        return;
    }
    while (low <= high) {
        uint32_t rest = QN_TERM_EPS, end = high, bits = 0;
        /* The largest block of whole continuation bytes at `low`. */
        while (bits < shift && (low & ((64u << bits) - 1)) == 0 && low + (64u << bits) - 1 <= high)
            bits += 6;
        /* The byte above the block runs as far as it can. */
        uint32_t unit = 1u << bits, span = bits < shift ? low | ((64u << bits) - 1) : high;
        end = span < high ? span : high;
        end = low + (end - low + 1) / unit * unit - 1;
        for (uint32_t at = 0; at < shift; at += 6) {
            uint32_t from = 0x80 | (low >> at & 63), to = 0x80 | (end >> at & 63);
            rest = qn_term_cat(
                s->t, at < bits ? qn_term_range(s->t, 0x80, 0xbf) : qn_term_range(s->t, from, to),
                rest);
        }
        add_lead(s, marks[n] | low >> shift, marks[n] | end >> shift, rest);
        low = end + 1;
    }
}

static uint32_t escapes(struct qn_terms *t, const uint32_t set[8]) {
    static const char letters[] = "b\bf\fn\nr\rt\t\"\"\\\\";
    uint32_t hex[2][8] = {{0}}, direct[8] = {0}, left[8];
    memcpy(left, set, sizeof left);
    for (uint32_t i = 0; i < sizeof letters - 1; i += 2) {
        uint32_t c = (unsigned char)letters[i + 1], letter = (unsigned char)letters[i];
        if (left[c >> 5] >> (c & 31) & 1)
            direct[letter >> 5] |= 1u << (letter & 31);
        left[c >> 5] &= ~(1u << (c & 31));
    }
    for (uint32_t c = 0; c < 32; c++) {
        uint32_t digit = (unsigned char)"0123456789abcdef"[c & 15];
        if (left[0] >> c & 1)
            hex[c >> 4][digit >> 5] |= 1u << (digit & 31);
    }
    uint32_t zero = qn_term_text(t, QN_STR("0"), qn_term_set(t, hex[0]));
    uint32_t one = qn_term_text(t, QN_STR("1"), qn_term_set(t, hex[1]));
    uint32_t both = qn_term_text(t, QN_STR("u00"), qn_term_or(t, zero, one));
    return qn_term_text(t, QN_STR("\\"), qn_term_or(t, qn_term_set(t, direct), both));
}

uint32_t qn_chars_term(struct qn_terms *t, const struct qn_chars *set, bool json) {
    static const uint32_t ends[] = {0x7f, 0x7ff, 0xd7ff, 0xffff, 0x10ffff};
    static const uint8_t bytes[] = {1, 2, 3, 3, 4};
    struct speller s = {.t = t};
    uint32_t special[8] = {0}, plain[8] = {0};
    for (uint32_t i = 0; i < set->n && t->status == QN_OK; i++) {
        uint32_t low = set->p[i].low, high = set->p[i].high;
        for (uint32_t k = 0; k < 5 && low <= high; k++) {
            uint32_t end = high < ends[k] ? high : ends[k];
            if (low <= end)
                add_range(&s, low, end, bytes[k]);
            low = low > end ? low : end + 1;
            if (k == 2 && low < 0xe000) // surrogates are no characters
                low = low >= 0xd800 ? 0xe000 : low;
        }
    }
    uint32_t term = s.term, base = t->work.n;
    for (uint32_t i = 0; i < s.n; i++) {
        bool one = s.leads[i].rest == QN_TERM_EPS && json;
        for (uint32_t k = 0; k < 8; k++) {
            uint32_t bad = k == 0 ? 0xffffffffu : 0;
            bad |= k == ('"' >> 5) ? 1u << ('"' & 31) : k == ('\\' >> 5) ? 1u << ('\\' & 31) : 0;
            plain[k] = one ? s.leads[i].set[k] & ~bad : s.leads[i].set[k];
            special[k] |= one ? s.leads[i].set[k] & bad : 0;
        }
        qn_vec_push(t, &t->work, qn_term_cat(t, qn_term_set(t, plain), s.leads[i].rest));
    }
    if (json)
        qn_vec_push(t, &t->work, escapes(t, special));
    qn_vec_push(t, &t->work, term);
    return qn_term_join(t, QN_T_OR, base);
}

void qn_chars_spell(struct qn_buf *out, struct qn_str s) {
    static const char special[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        const char *at = c ? strchr(special, c) : NULL;
        if (at != NULL)
            qn_buf_format(out, "\\%c", letters[at - special]);
        else if (c < 0x20)
            qn_buf_format(out, "\\u%04x", (unsigned)c);
        else
            qn_buf_char(out, (char)c);
    }
}
