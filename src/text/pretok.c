#include "text/pretok.h"

#include <string.h>

#include "text/bytes.h"
#include "text/unicode.h"
#include "text/unicode_script.h"

/* Classes of a character as bits; any class may be the complement of a union of these. */
enum {
    L = 1,      // \p{L}
    N = 2,      // \p{N}
    S = 4,      // \s: White_Space
    NL = 8,     // \r, \n
    M = 16,     // \p{M}
    P = 32,     // \p{P}
    UP = 64,    // [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]
    LOW = 128,  // [\p{Ll}\p{Lm}\p{Lo}\p{M}]
    SYM = 256,  // \p{S}
    WORD = 512, // \w
};

/* clang-format off */
static const uint16_t ascii_class[128] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 12, 4, 4, 12, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    4, 32, 32, 32, 256, 32, 32, 32, 32, 32, 32, 256, 32, 32, 32, 32,
    514, 514, 514, 514, 514, 514, 514, 514, 514, 514, 32, 32, 256, 256, 256, 32,
    32, 577, 577, 577, 577, 577, 577, 577, 577, 577, 577, 577, 577, 577, 577, 577,
    577, 577, 577, 577, 577, 577, 577, 577, 577, 577, 577, 32, 32, 32, 256, 544,
    256, 641, 641, 641, 641, 641, 641, 641, 641, 641, 641, 641, 641, 641, 641, 641,
    641, 641, 641, 641, 641, 641, 641, 641, 641, 641, 641, 32, 256, 32, 256, 0,
};

static const uint16_t category_class[32] = {
    L | UP, L | LOW, L | UP, L | UP | LOW, L | UP | LOW, // Lu Ll Lt Lm Lo
    M | UP | LOW, M | UP | LOW, M | UP | LOW,            // Mn Mc Me
    N, N, N,                                             // Nd Nl No
    P, P, P, P, P, P, P,                                 // Pc … Po
    SYM, SYM, SYM, SYM,                                  // Sm Sc Sk So
};
/* clang-format on */

static unsigned class_of(uint32_t code_point) {
    if (code_point < 128)
        return ascii_class[code_point];
    if (code_point == QN_UTF8_INVALID)
        return 0;
    uint8_t prop = qn_unicode_prop(code_point);
    return category_class[prop & QN_PROP_CATEGORY] | (prop & QN_PROP_SPACE ? S : 0u) |
           (prop & QN_PROP_WORD ? WORD : 0u);
}

/* What is being matched. With `bytes` each byte is one character of GPT-2's mapping. */
struct text {
    struct qn_str s;
    bool bytes;
};

static inline uint32_t read(const struct text *t, size_t *at) {
    unsigned char byte = (unsigned char)t->s.p[*at];
    if (t->bytes) {
        ++*at;
        return qn_byte_to_char(byte);
    }
    if (byte < 0x80) {
        ++*at;
        return byte;
    }
    return qn_utf8_next(t->s, at);
}

/* Class of the character at `at`, whose end is *next; 0 with *next == at at the end of the text. An
 * ill-formed byte has no class, which the patterns take for a symbol; *next tells it from
 * the end. */
static inline unsigned class_at(const struct text *t, size_t at, size_t *next) {
    *next = at;
    if (at >= t->s.n)
        return 0;
    unsigned char byte = (unsigned char)t->s.p[at];
    if (byte < 0x80 && !t->bytes) {
        *next = at + 1;
        return ascii_class[byte];
    }
    return class_of(read(t, next));
}

/* End of the run of characters in one of `classes` from `at`. */
static size_t run(const struct text *t, size_t at, unsigned classes) {
    size_t next;
    while ((class_at(t, at, &next) & classes) != 0)
        at = next;
    return at;
}

/* … in none of `classes`. */
static size_t run_not(const struct text *t, size_t at, unsigned classes) {
    size_t next;
    while ((class_at(t, at, &next) & classes) == 0 && next > at)
        at = next;
    return at;
}

/* \s*[\r\n]+ when `newlines`, else \s+(?!\S) and \s+. `at` is at white space. */
static size_t white_space(const struct text *t, size_t at, bool newlines) {
    size_t begin = at, last = at, after_newline = SIZE_MAX, next;
    unsigned class;
    while ((class = class_at(t, at, &next)) & S) {
        last = at;
        at = next;
        if (class & NL)
            after_newline = at;
    }
    if (newlines && after_newline != SIZE_MAX)
        return after_newline;
    return at == t->s.n || last == begin ? at : last;
}

/* 's 't 're 've 'm 'll 'd at `at`: its end, or `at`. Case folding adds U+017F to the forms of s. */
static size_t contraction(const struct text *t, size_t at, bool fold) {
    struct qn_str s = t->s;
    if (s.n - at < 2 || s.p[at] != '\'')
        return at;
    unsigned char a = (unsigned char)s.p[at + 1];
    unsigned char b = s.n - at > 2 ? (unsigned char)s.p[at + 2] : 0;
    if (fold && !t->bytes && a == 0xc5 && b == 0xbf)
        return at + 3;
    if (fold && a >= 'A' && a <= 'Z')
        a |= 32;
    if (fold && b >= 'A' && b <= 'Z')
        b |= 32;
    if (a == 's' || a == 't' || a == 'm' || a == 'd')
        return at + 2;
    return (a == 'l' && b == 'l') || ((a == 'r' || a == 'v') && b == 'e') ? at + 3 : at;
}

/* 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+ */
static size_t match_gpt2(const struct text *t, size_t at) {
    size_t end = contraction(t, at, false), next, after;
    if (end > at)
        return end;
    unsigned class = class_at(t, at, &next);
    if (t->s.p[at] == ' ' && !t->bytes) {
        unsigned second = class_at(t, next, &after);
        if (after > next && !(second & S)) {
            class = second;
            next = after;
        }
    }
    if (class & S)
        return white_space(t, at, false);
    if (class & L)
        return run(t, next, L);
    return class & N ? run(t, next, N) : run_not(t, next, S | L | N);
}

/* (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,k}| ?[^\s\p{L}\p{N}]+[\r\n]*|
 * \s*[\r\n]+|\s+(?!\S)|\s+   where \p{L} is [\p{L}\p{M}] behind the first ? with `marks`. */
static size_t match_cl100k(const struct qn_pretok *step, const struct text *t, size_t at) {
    size_t end = contraction(t, at, true), next, after;
    if (end > at)
        return end;
    unsigned letters = step->marks ? L | M : L;
    unsigned class = class_at(t, at, &next);
    if (class & letters)
        return run(t, next, letters);
    if (class & N) {
        for (unsigned i = 1; i < step->max_digits && (class_at(t, next, &after) & N); i++)
            next = after;
        return next;
    }
    if (!(class & NL) && (class_at(t, next, &after) & letters))
        return run(t, after, letters);
    size_t symbols = next;
    if (t->s.p[at] == ' ' && !t->bytes)
        class = class_at(t, next, &symbols);
    if (symbols > at && !(class & (S | N | letters)) && (symbols > next || t->s.p[at] != ' '))
        return run(t, run_not(t, symbols, S | N | letters), NL);
    return white_space(t, at, true);
}

/* U*W+ from `at`, where U is UP and W is LOW; gives back characters of U* when W+ finds none. */
static size_t lower_word(const struct text *t, size_t at) {
    size_t end_of_last = at, i = at, next;
    unsigned class;
    while ((class = class_at(t, i, &next)) & UP) {
        i = next;
        if (class & LOW)
            end_of_last = i;
    }
    size_t end = run(t, i, LOW);
    return end > i ? end : end_of_last;
}

/* o200k: [^\r\n\p{L}\p{N}]?U*W+c?|[^\r\n\p{L}\p{N}]?U+W*c?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|
 * \s*[\r\n]+|\s+(?!\S)|\s+   with U, W as above and c the contractions. */
static size_t match_o200k(const struct qn_pretok *step, const struct text *t, size_t at) {
    size_t next, after, end;
    bool kept = !step->no_contractions;
    unsigned class = class_at(t, at, &next);
    bool prefix = !(class & (NL | L | N));
    if (prefix && (end = lower_word(t, next)) > next)
        return kept ? contraction(t, end, true) : end;
    if ((end = lower_word(t, at)) > at)
        return kept ? contraction(t, end, true) : end;
    if (prefix && (end = run(t, next, UP)) > next)
        return (end = run(t, end, LOW)), kept ? contraction(t, end, true) : end;
    if ((end = run(t, at, UP)) > at)
        return (end = run(t, end, LOW)), kept ? contraction(t, end, true) : end;
    if (class & N) {
        for (unsigned i = 1; i < step->max_digits && (class_at(t, next, &after) & N); i++)
            next = after;
        return next;
    }
    size_t symbols = next;
    if (t->s.p[at] == ' ' && !t->bytes)
        class = class_at(t, next, &symbols);
    if (!(class & (S | N | L)) && (symbols > next || t->s.p[at] != ' ')) {
        end = run_not(t, symbols, S | L | N);
        while (end < t->s.n && (t->s.p[end] == '\r' || t->s.p[end] == '\n' || t->s.p[end] == '/'))
            end++;
        return end;
    }
    return white_space(t, at, true);
}

/* Up to the next place before U+2581 where no merge can cross. */
static size_t match_word_mark(const struct qn_pretok *step, struct qn_str s, size_t from) {
    size_t at = from + 1;
    while (at < s.n) {
        const char *hit = memchr(s.p + at, 0xe2, s.n - at);
        if (!hit)
            break;
        at = (size_t)(hit - s.p);
        if (s.n - at >= 3 && memcmp(hit, "\xe2\x96\x81", 3) == 0 &&
            !(at - from >= 3 && memcmp(hit - 3, "\xe2\x96\x81", 3) == 0) &&
            !step->bad_before[(unsigned char)hit[-1]])
            return at;
        at++;
    }
    return s.n;
}

/* \w+|[^\w\s]+ */
static bool find_words(size_t *begin, size_t *end, const struct text *t, size_t at) {
    size_t next;
    unsigned class;
    for (; ((class = class_at(t, at, &next)) & S) != 0; at = next)
        continue;
    *begin = at;
    *end = class & WORD ? run(t, next, WORD) : run_not(t, at, WORD | S);
    return *end > at;
}

/* A character that is a piece of its own. */
static bool in_one(enum qn_split_kind kind, uint32_t c) {
    if (kind == QN_SPLIT_PUNCTUATION && c < 128) // all that is printed and neither letter nor digit
        return c > 32 && c < 127 && !(ascii_class[c] & (L | N));
    return (class_of(c) & (kind == QN_SPLIT_NUMBER ? N : kind == QN_SPLIT_WHITESPACE ? S : P)) != 0;
}

/* Up to the next change of script, where what has none belongs to what lies before; both Japanese
 * syllabaries count as Han. */
static bool find_script(size_t *begin, size_t *end, const struct text *t, size_t at) {
    uint32_t han = 0, hiragana = 0, katakana = 0, last = 0;
    qn_unicode_script_by_name(&han, QN_STR("Han"));
    qn_unicode_script_by_name(&hiragana, QN_STR("Hiragana"));
    qn_unicode_script_by_name(&katakana, QN_STR("Katakana"));
    for (size_t next = at; at < t->s.n; at = next) {
        uint32_t c = read(t, &next),
                 script = c == QN_UTF8_INVALID || c == ' ' ? 0 : qn_unicode_script(c);
        if (script == hiragana || script == katakana || c == 0x30fc)
            script = han;
        if (script == 0 || script == last)
            continue;
        if (last != 0)
            break;
        *begin = at;
        last = script;
    }
    *end = at;
    return last != 0;
}

/* The next match at or after `from`, perhaps an empty one behind it. */
static bool find_match(struct qn_pretok_iter *it, size_t *begin, size_t *end, size_t from) {
    const struct qn_pretok *step = it->step;
    struct text t = {it->text, it->bytes};
    size_t at = from;
    if (at >= t.s.n)
        return false;
    *begin = at;
    switch (step->kind) {
    case QN_SPLIT_GPT2:
        *end = match_gpt2(&t, at);
        return true;
    case QN_SPLIT_CL100K:
        *end = match_cl100k(step, &t, at);
        return true;
    case QN_SPLIT_O200K:
        *end = match_o200k(step, &t, at);
        return true;
    case QN_SPLIT_WORD_MARK:
        *end = match_word_mark(step, t.s, at);
        return true;
    case QN_SPLIT_NONE:
        return false;
    case QN_SPLIT_STRING:
        *begin = qn_str_find(t.s, step->string, at);
        *end = *begin + step->string.n;
        return *begin != SIZE_MAX;
    case QN_SPLIT_WORDS:
        return find_words(begin, end, &t, at);
    case QN_SPLIT_SCRIPTS:
        return find_script(begin, end, &t, at);
    case QN_SPLIT_REGEX:
        do {
            it->status = qn_regex_find(step->regex, it->scratch, begin, end, t.s, at, t.bytes);
            if (it->status != QN_OK)
                return false;
            read(&t, &at); // where nothing was matched, look behind the next character
        } while (*end == from && at < t.s.n);
        return *begin != SIZE_MAX && *end > from;
    case QN_SPLIT_NUMBER:
    case QN_SPLIT_PUNCTUATION:
    case QN_SPLIT_WHITESPACE:
        for (size_t next = at; at < t.s.n; at = next) {
            if (in_one(step->kind, read(&t, &next))) {
                *begin = at;
                *end = next;
                return true;
            }
        }
    }
    return false;
}

bool qn_pretok_leaves(const struct qn_pretok *step, struct qn_pretok_piece *piece) {
    struct qn_str s = piece->text;
    if (step->rewrite != QN_REWRITE_NONE || step->invert)
        return false;
    switch (step->kind) {
    case QN_SPLIT_NONE:
        break;
    case QN_SPLIT_REGEX:
        if (qn_regex_may(step->regex, s, piece->bytes))
            return false;
        break;
    case QN_SPLIT_NUMBER:
    case QN_SPLIT_PUNCTUATION:
    case QN_SPLIT_WHITESPACE:
        for (size_t i = 0; i < s.n; i++) {
            unsigned char byte = (unsigned char)s.p[i];
            uint32_t c = piece->bytes ? qn_byte_to_char(byte) : byte;
            if ((byte >= 128 && !piece->bytes) || in_one(step->kind, c))
                return false;
        }
        break;
    default:
        return false;
    }
    piece->bytes |= step->to_bytes;
    return s.n > 0;
}

/* Matches and gaps in turn. */
static bool next_segment(struct qn_pretok_iter *it, size_t *begin, size_t *end, bool *is_match) {
    const struct qn_pretok *step = it->step;
    *is_match = !step->invert;
    if (it->have_match) {
        it->have_match = false;
        *begin = it->match_begin;
        *end = it->match_end;
        return true;
    }
    if (it->at >= it->text.n)
        return false;
    size_t from = it->at;
    if (!find_match(it, &it->match_begin, &it->match_end, from)) {
        if (it->status != QN_OK)
            return false;
        it->at = it->text.n;
        *begin = from;
        *end = it->text.n;
        *is_match = step->invert;
        return true;
    }
    it->at = it->match_end;
    if (it->match_begin > from) {
        it->have_match = true;
        *begin = from;
        *end = it->match_begin;
        *is_match = step->invert;
        return true;
    }
    *begin = it->match_begin;
    *end = it->match_end;
    return true;
}

bool qn_pretok_next(struct qn_pretok_iter *it, struct qn_str *out) {
    enum qn_split_behavior behavior = it->step->behavior;
    size_t begin, end;
    bool is_match;
    for (;;) {
        if (!next_segment(it, &begin, &end, &is_match)) {
            if (!it->held || it->status != QN_OK)
                return false;
            it->held = false;
            *out = qn_str_slice(it->text, it->held_begin, it->held_end);
            return out->n > 0;
        }
        if (begin == end && behavior <= QN_BEHAVIOR_REMOVED)
            continue; // a cut without a character
        if (behavior == QN_BEHAVIOR_ISOLATED || (behavior == QN_BEHAVIOR_REMOVED && !is_match)) {
            *out = qn_str_slice(it->text, begin, end);
            return true;
        }
        if (behavior == QN_BEHAVIOR_REMOVED)
            continue;
        bool merge = false;
        if (behavior == QN_BEHAVIOR_CONTIGUOUS)
            merge = is_match == it->previous_match;
        else if (behavior == QN_BEHAVIOR_MERGED_WITH_PREVIOUS)
            merge = is_match && !it->previous_match;
        else
            merge = !is_match && it->held_is_match;
        it->previous_match = is_match;
        if (it->held && merge) {
            it->held_end = end;
            it->held_is_match = false;
            continue;
        }
        bool give = it->held;
        *out = qn_str_slice(it->text, it->held_begin, it->held_end);
        it->held = true;
        it->held_begin = begin;
        it->held_end = end;
        it->held_is_match = is_match;
        if (give && out->n > 0)
            return true;
    }
}
