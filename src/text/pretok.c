#include "text/pretok.h"

#include <string.h>

#include "text/unicode.h"

/* Classes of a character as bits; any class may be the complement of a union of these. */
enum {
    L = 1,        // \p{L}
    N = 2,        // \p{N}
    S = 4,        // \s: White_Space
    NL = 8,       // \r, \n
    M = 16,       // \p{M}
    P = 32,       // \p{P}
    UP = 64,      // [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]
    LOW = 128,    // [\p{Ll}\p{Lm}\p{Lo}\p{M}]
    SYM = 256,    // \p{S}
    WORD = 512,   // \w
    CASED = 1024, // \p{Lu}, \p{Ll}, \p{Lt} without Georgian Mkhedruli, as DeepSeek lists them
    CJK = 4096,   // [\u4E00-\u9FA5\u3040-\u30FF]
    FORM = 2048   // [!-/:-~\uFF01-\uFF0F\uFF1A-\uFF5E\u2018-\u201F\u3000-\u3002]
};

/* clang-format off */
static const uint16_t ascii_class[128] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 12, 4, 4, 12, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    4, 2080, 2080, 2080, 2304, 2080, 2080, 2080, 2080, 2080, 2080, 2304, 2080, 2080, 2080, 2080,
    514, 514, 514, 514, 514, 514, 514, 514, 514, 514, 2080, 2080, 2304, 2304, 2304, 2080,
    2080, 3649, 3649, 3649, 3649, 3649, 3649, 3649, 3649, 3649, 3649, 3649, 3649, 3649, 3649, 3649,
    3649, 3649, 3649, 3649, 3649, 3649, 3649, 3649, 3649, 3649, 3649, 2080, 2080, 2080, 2304, 2592,
    2304, 3713, 3713, 3713, 3713, 3713, 3713, 3713, 3713, 3713, 3713, 3713, 3713, 3713, 3713, 3713,
    3713, 3713, 3713, 3713, 3713, 3713, 3713, 3713, 3713, 3713, 3713, 2080, 2304, 2080, 2304, 0,
};

static const uint16_t category_class[32] = {
    L | UP | CASED, L | LOW | CASED, L | UP | CASED, L | UP | LOW, L | UP | LOW, // Lu Ll Lt Lm Lo
    M | UP | LOW, M | UP | LOW, M | UP | LOW,            // Mn Mc Me
    N, N, N,                                             // Nd Nl No
    P, P, P, P, P, P, P,                                 // Pc … Po
    SYM, SYM, SYM, SYM,                                  // Sm Sc Sk So
};
/* clang-format on */

uint32_t qn_byte_to_char(unsigned char byte) {
    if ((byte >= 33 && byte <= 126) || (byte >= 161 && byte != 173))
        return byte;
    if (byte <= 32)
        return 256u + byte;
    return byte == 173 ? 323 : 256u + 33 + byte - 127;
}

uint32_t qn_char_to_byte(uint32_t code_point) {
    if (code_point >= 33 && code_point <= 255) {
        return code_point <= 126 || (code_point >= 161 && code_point != 173) ? code_point
                                                                             : UINT32_MAX;
    }
    if (code_point >= 256 && code_point <= 288)
        return code_point - 256;
    if (code_point >= 289 && code_point <= 322)
        return code_point - 289 + 127;
    return code_point == 323 ? 173 : UINT32_MAX;
}

static unsigned class_of(uint32_t code_point) {
    if (code_point < 128)
        return ascii_class[code_point];
    if (code_point == QN_UTF8_INVALID)
        return 0;
    uint8_t prop = qn_unicode_prop(code_point);
    unsigned class = category_class[prop & QN_PROP_CATEGORY] | (prop & QN_PROP_SPACE ? S : 0u) |
                     (prop & QN_PROP_WORD ? WORD : 0u);
    if (code_point >= 0x10d0 && code_point <= 0x10ff)
        class &= ~(unsigned)CASED;
    if ((code_point >= 0xff01 && code_point <= 0xff0f) ||
        (code_point >= 0xff1a && code_point <= 0xff5e) ||
        (code_point >= 0x2018 && code_point <= 0x201f) ||
        (code_point >= 0x3000 && code_point <= 0x3002))
        class |= FORM;
    if ((code_point >= 0x4e00 && code_point <= 0x9fa5) ||
        (code_point >= 0x3040 && code_point <= 0x30ff))
        class |= CJK;
    return class;
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
 * ill-formed byte has no class, which the patterns take for a symbol; *next tells it from the end.
 */
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
        while (end < t->s.n &&
               (t->s.p[end] == '\r' || t->s.p[end] == '\n' || (step->slash && t->s.p[end] == '/')))
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

static bool is_math(uint32_t c, bool backtick) {
    return c == '$' || c == '+' || c == '<' || c == '=' || c == '>' || c == '^' || c == '~' ||
           c == '|' || (backtick && c == '`');
}

static bool in_one(const struct qn_pretok *step, uint32_t c) {
    switch (step->kind) {
    case QN_SPLIT_NUMBER:
        return (class_of(c) & N) != 0;
    case QN_SPLIT_PUNCTUATION: // all of ASCII that is printed and neither letter nor digit
        return c < 128 ? c > 32 && c < 127 && !(ascii_class[c] & (L | N)) : (class_of(c) & P) != 0;
    case QN_SPLIT_PUNCTUATION_MATH:
        return (class_of(c) & P) != 0 || is_math(c, step->backtick);
    case QN_SPLIT_WHITESPACE:
        return (class_of(c) & S) != 0;
    case QN_SPLIT_NEWLINE:
        return c == '\r' || c == '\n';
    case QN_SPLIT_EAST:
        return (c >= 0x800 && c <= 0x9fa5) || (c >= 0xac00 && c <= 0xd7ff);
    default:
        return false;
    }
}

/* \s?X+ for a class X. */
static bool find_spaced(size_t *begin, size_t *end, const struct text *t, size_t at, unsigned x) {
    while (at < t->s.n) {
        size_t next, after;
        unsigned class = class_at(t, at, &next);
        size_t first = (class & S) && (class_at(t, next, &after) & x) ? next : at;
        if (first > at || (class & x)) {
            *begin = at;
            *end = run(t, first, x);
            return true;
        }
        at = next;
    }
    return false;
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

/* CLIP: 's|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+, with `marks` its two special tokens
 * before. */
static bool find_clip(const struct qn_pretok *step, size_t *begin, size_t *end,
                      const struct text *t, size_t at) {
    static const char *const tokens[] = {"<|startoftext|>", "<|endoftext|>"};
    size_t next;
    unsigned class;
    for (; ((class = class_at(t, at, &next)) & S) != 0; at = next)
        continue;
    if (at >= t->s.n)
        return false;
    *begin = at;
    for (size_t i = 0; step->marks && i < 2; i++) {
        struct qn_str token = qn_str_from(tokens[i]);
        if (qn_str_starts(qn_str_slice(t->s, at, t->s.n), token)) {
            *end = at + token.n;
            return true;
        }
    }
    *end = contraction(t, at, false);
    if (*end == at)
        *end = class & L ? run(t, next, L) : class & N ? next : run_not(t, at, S | L | N);
    return true;
}

/* ( \s | and common sentence marks of BLOOM's pattern. */
static bool in_bloom(const struct text *t, size_t at, size_t *next) {
    static const uint16_t out[] = {'(',    '|',    ')',    '.',    ',',   '!',   '?',
                                   0x2026, 0x3002, 0xff0c, 0x3001, 0x964, 0x6d4, 0x60c};
    *next = at;
    if (at >= t->s.n)
        return false;
    uint32_t c = read(t, next);
    for (size_t i = 0; i < sizeof out / sizeof out[0]; i++) {
        if (c == out[i])
            return false;
    }
    return (class_of(c) & S) == 0;
}

/*  ?[^(\s|[.,!?…])]+ */
static bool find_bloom(size_t *begin, size_t *end, const struct text *t, size_t at) {
    size_t next, after;
    for (;; at = next) {
        if (at >= t->s.n)
            return false;
        bool in = in_bloom(t, at, &next);
        if (in || (t->s.p[at] == ' ' && !t->bytes && in_bloom(t, next, &after)))
            break;
    }
    *begin = at;
    for (at = next; in_bloom(t, at, &next); at = next)
        continue;
    *end = at;
    return true;
}

static bool is_ascii_letter(char c) {
    return ((unsigned)c | 32u) - 'a' < 26;
}

/* [!-/:-@[-`{-~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|
 * \s+(?!\S)|\s+ */
static bool find_deepseek3(size_t *begin, size_t *end, const struct text *t, size_t at) {
    for (size_t next, after; at < t->s.n; at = next) {
        unsigned class = class_at(t, at, &next);
        *begin = at;
        if ((unsigned char)t->s.p[at] < 128 && !t->bytes && (class & (P | SYM)) && next < t->s.n &&
            is_ascii_letter(t->s.p[next])) {
            while (next < t->s.n && is_ascii_letter(t->s.p[next]))
                next++;
            *end = next;
            return true;
        }
        if (class & (L | M)) {
            *end = run(t, next, L | M);
            return true;
        }
        if (!(class & (NL | P | SYM)) && (class_at(t, next, &after) & (L | M))) {
            *end = run(t, after, L | M);
            return true;
        }
        size_t symbols = t->s.p[at] == ' ' && !t->bytes ? next : at;
        if (class_at(t, symbols, &after) & (P | SYM)) {
            *end = run(t, run(t, after, P | SYM), NL);
            return true;
        }
        if (class & S) {
            *end = white_space(t, at, true);
            return true;
        }
    }
    return false;
}

/* \s+$ */
static bool find_last_space(size_t *begin, size_t *end, const struct text *t, size_t at) {
    size_t next, last = t->s.n;
    bool in = false;
    for (; at < t->s.n; at = next) {
        bool space = (class_at(t, at, &next) & S) != 0;
        if (space && !in)
            last = at;
        in = space;
    }
    *begin = last;
    *end = t->s.n;
    return in;
}

/* Characters in `classes`, as many as there are or up to max_digits. */
static bool find_run(const struct qn_pretok *step, size_t *begin, size_t *end, const struct text *t,
                     size_t at) {
    size_t next;
    for (; at < t->s.n && !(class_at(t, at, &next) & step->classes); at = next)
        continue;
    *begin = at;
    for (unsigned i = 0; step->max_digits == 0 || i < step->max_digits; i++, at = next) {
        if (!(class_at(t, at, &next) & step->classes))
            break;
    }
    *end = at;
    return *end > *begin;
}

bool qn_pretok_match(const struct qn_pretok *step, size_t *begin, size_t *end, struct qn_str s,
                     size_t from, bool bytes) {
    struct text t = {s, bytes};
    size_t at = from;
    if (at >= s.n)
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
        *end = match_word_mark(step, s, at);
        return true;
    case QN_SPLIT_NONE:
        return false;
    case QN_SPLIT_STRING:
        *begin = qn_str_find(s, step->string, at);
        *end = *begin + step->string.n;
        return *begin != SIZE_MAX;
    case QN_SPLIT_SPACE_LETTERS:
        return find_spaced(begin, end, &t, at, L);
    case QN_SPLIT_SPACE_PUNCTUATION:
        return find_spaced(begin, end, &t, at, P);
    case QN_SPLIT_CASED:
        return find_spaced(begin, end, &t, at, CASED);
    case QN_SPLIT_FORMS:
        return find_spaced(begin, end, &t, at, FORM);
    case QN_SPLIT_LAST_SPACE:
        return find_last_space(begin, end, &t, at);
    case QN_SPLIT_WORDS:
        return find_words(begin, end, &t, at);
    case QN_SPLIT_CLIP:
        return find_clip(step, begin, end, &t, at);
    case QN_SPLIT_BLOOM:
        return find_bloom(begin, end, &t, at);
    case QN_SPLIT_DEEPSEEK3:
        return find_deepseek3(begin, end, &t, at);
    case QN_SPLIT_RUN:
        return find_run(step, begin, end, &t, at);
    case QN_SPLIT_DIGITS3:
        for (size_t n = 0; at < s.n; at++) {
            n = s.p[at] >= '0' && s.p[at] <= '9' ? n + 1 : 0;
            if (n == 3) {
                *begin = at - 2;
                *end = at + 1;
                return true;
            }
        }
        return false;
    case QN_SPLIT_EAST:
    case QN_SPLIT_NUMBER:
    case QN_SPLIT_PUNCTUATION:
    case QN_SPLIT_PUNCTUATION_MATH:
    case QN_SPLIT_WHITESPACE:
    case QN_SPLIT_NEWLINE:
        while (at < s.n) {
            size_t next = at;
            if (in_one(step, read(&t, &next))) {
                *begin = at;
                *end = next;
                return true;
            }
            at = next;
        }
        return false;
    }
    return false;
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
    if (!qn_pretok_match(step, &it->match_begin, &it->match_end, it->text, from, it->bytes)) {
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
            if (!it->held)
                return false;
            it->held = false;
            *out = qn_str_slice(it->text, it->held_begin, it->held_end);
            return true;
        }
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
        if (give)
            return true;
    }
}

#define CONTRACTIONS "'s|'t|'re|'ve|'m|'ll|'d"
#define GPT2_REGEX CONTRACTIONS "| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define CL100K_REGEX(contractions, digits)                \
    contractions "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" digits \
                 "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define O200K_PREFIX "[^\\r\\n\\p{L}\\p{N}]?"
#define O200K_UP "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define O200K_LOW "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define FOLDED "(?i:" CONTRACTIONS ")"

static const struct {
    const char *regex;
    struct qn_pretok step;
} regexes[] = {
    {GPT2_REGEX, {.kind = QN_SPLIT_GPT2}},
    {CL100K_REGEX(FOLDED, "\\p{N}{1,3}"), {.kind = QN_SPLIT_CL100K, .max_digits = 3}},
    {CL100K_REGEX(FOLDED, "\\p{N}"), {.kind = QN_SPLIT_CL100K, .max_digits = 1}},
    {FOLDED "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|"
            "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
     {.kind = QN_SPLIT_CL100K, .max_digits = 1, .marks = true}},
    {O200K_PREFIX O200K_UP "*" O200K_LOW "+" FOLDED "?|" O200K_PREFIX O200K_UP "+" O200K_LOW
                           "*" FOLDED "?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|"
                           "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
     {.kind = QN_SPLIT_O200K, .max_digits = 3, .slash = true}},
    {O200K_PREFIX O200K_UP "*" O200K_LOW "+|" O200K_PREFIX O200K_UP "+" O200K_LOW
                           "*|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|"
                           "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
     {.kind = QN_SPLIT_O200K, .max_digits = 1, .slash = true, .no_contractions = true}},
    /* The same words with other spellings of the contractions and possessive repeats. */
    {CL100K_REGEX("'(?i:[sdmt]|ll|ve|re)", "\\p{N}{1,3}"),
     {.kind = QN_SPLIT_CL100K, .max_digits = 3}},
    {"'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]++"
     "[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+",
     {.kind = QN_SPLIT_CL100K, .max_digits = 3}},
    {CL100K_REGEX("(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])", "\\p{N}{1,3}"),
     {.kind = QN_SPLIT_CL100K, .max_digits = 3}},
    {CL100K_REGEX("(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])", "\\p{N}"),
     {.kind = QN_SPLIT_CL100K, .max_digits = 1}},
    {CONTRACTIONS "|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+", {.kind = QN_SPLIT_CLIP}},
    {"<\\|startoftext\\|>|<\\|endoftext\\|>|" CONTRACTIONS
     "|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+",
     {.kind = QN_SPLIT_CLIP, .marks = true}},
    {" ?[^(\\s|[.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c])]+", {.kind = QN_SPLIT_BLOOM}},
    {"[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?"
     "[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
     {.kind = QN_SPLIT_DEEPSEEK3}},
    {"[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+", {.kind = QN_SPLIT_RUN, .classes = CJK}},
    {"\\p{N}{1,3}", {.kind = QN_SPLIT_RUN, .classes = N, .max_digits = 3}},
    {"\\p{N}+", {.kind = QN_SPLIT_RUN, .classes = N}},
    {"\\p{L}+", {.kind = QN_SPLIT_RUN, .classes = L}},
    {"\\s+", {.kind = QN_SPLIT_RUN, .classes = S}},
    {"\\s", {.kind = QN_SPLIT_WHITESPACE}},
    {"\\w+|[^\\w\\s]+", {.kind = QN_SPLIT_WORDS}},
    {"[0-9][0-9][0-9]", {.kind = QN_SPLIT_DIGITS3}},
    {"\\p{N}", {.kind = QN_SPLIT_NUMBER}},
    {"[\\r\\n]", {.kind = QN_SPLIT_NEWLINE}},
    {"\\s?\\p{L}+", {.kind = QN_SPLIT_SPACE_LETTERS}},
    {"\\s?\\p{P}+", {.kind = QN_SPLIT_SPACE_PUNCTUATION}},
};

bool qn_pretok_by_regex(struct qn_pretok *out, struct qn_str regex) {
    for (size_t i = 0; i < sizeof regexes / sizeof regexes[0]; i++) {
        if (qn_str_is(regex, regexes[i].regex)) {
            *out = regexes[i].step;
            return true;
        }
    }
    return false;
}

/* The steps that names of tokenizer.ggml.pre stand for. */
enum {
    END,
    GPT2,
    LLAMA3,
    QWEN2,
    QWEN35,
    O200K,
    TEKKEN,
    BLOOM,
    DEEPSEEK3,
    NUMBER,
    NUMBERS,
    NUMBER3,
    DIGITS3,
    MATH,
    MATH_BACKTICK,
    NEWLINE,
    LETTERS,
    PUNCTUATION,
    EAST,
    CJKS,
    CASED_WORDS,
    FORMS,
    LAST_SPACE,
};

static const struct qn_pretok gguf_steps[] = {
    [GPT2] = {.kind = QN_SPLIT_GPT2},
    [LLAMA3] = {.kind = QN_SPLIT_CL100K, .max_digits = 3},
    [QWEN2] = {.kind = QN_SPLIT_CL100K, .max_digits = 1},
    [QWEN35] = {.kind = QN_SPLIT_CL100K, .max_digits = 1, .marks = true},
    [O200K] = {.kind = QN_SPLIT_O200K, .max_digits = 3, .slash = true},
    [TEKKEN] = {.kind = QN_SPLIT_O200K, .max_digits = 1, .slash = true, .no_contractions = true},
    [BLOOM] = {.kind = QN_SPLIT_BLOOM},
    [DEEPSEEK3] = {.kind = QN_SPLIT_DEEPSEEK3},
    [NUMBER] = {.kind = QN_SPLIT_NUMBER},
    [NUMBERS] = {.kind = QN_SPLIT_NUMBER, .behavior = QN_BEHAVIOR_CONTIGUOUS},
    [NUMBER3] = {.kind = QN_SPLIT_RUN, .classes = N, .max_digits = 3},
    [DIGITS3] = {.kind = QN_SPLIT_DIGITS3},
    [MATH] = {.kind = QN_SPLIT_PUNCTUATION_MATH, .behavior = QN_BEHAVIOR_CONTIGUOUS},
    [MATH_BACKTICK] = {.kind = QN_SPLIT_PUNCTUATION_MATH,
                       .behavior = QN_BEHAVIOR_CONTIGUOUS,
                       .backtick = true},
    [NEWLINE] = {.kind = QN_SPLIT_NEWLINE},
    [LETTERS] = {.kind = QN_SPLIT_SPACE_LETTERS},
    [PUNCTUATION] = {.kind = QN_SPLIT_SPACE_PUNCTUATION},
    [EAST] = {.kind = QN_SPLIT_EAST, .behavior = QN_BEHAVIOR_CONTIGUOUS},
    [CJKS] = {.kind = QN_SPLIT_RUN, .classes = CJK},
    [CASED_WORDS] = {.kind = QN_SPLIT_CASED},
    [FORMS] = {.kind = QN_SPLIT_FORMS},
    [LAST_SPACE] = {.kind = QN_SPLIT_LAST_SPACE},
};

/* Names that llama.cpp's converter writes, a space around each. */
static const struct {
    const char *names;
    uint8_t steps[7];
    bool ignore_merges, add_bos, nfc;
} gguf_names[] = {
    {" gpt-2 mpt olmo jais trillion granite-docling phi-2 roberta-bpe exaone4 jina-es jina-de "
     "jina-v1-en jina-v2-es jina-v2-de jina-v2-code gigachat a.x-4.0 mellum modern-bert ",
     {GPT2},
     false,
     false,
     false},
    {" llama3 llama-v3 llama-bpe falcon3 falcon-h1 pixtral midm-2.0 lfm2 ",
     {LLAMA3},
     true,
     true,
     false},
    {" dbrx smaug-bpe chatglm-bpe glm4 ", {LLAMA3}, false, false, false},
    {" qwen2 deepseek-r1-qwen ", {QWEN2}, false, false, true},
    {" stablelm2 hunyuan megrez bailingmoe bailingmoe2 llada-moe grok-2 ",
     {QWEN2},
     false,
     false,
     false},
    {" qwen35 ", {QWEN35}, false, false, true},
    {" gpt-4o llama4 kanana2 ", {O200K}, false, false, false},
    {" tekken ", {TEKKEN}, true, false, false},
    {" bloom gpt3-finnish poro-chat poro ", {BLOOM}, false, false, false},
    {" viking ", {BLOOM, NUMBER}, false, false, false},
    {" deepseek-v3 hunyuan-dense joyai-llm ", {NUMBER3, CJKS, DEEPSEEK3}, false, false, false},
    {" deepseek-llm ",
     {NEWLINE, CASED_WORDS, FORMS, LAST_SPACE, EAST, NUMBERS},
     false,
     false,
     false},
    {" starcoder refact command-r smollm codeshell exaone minerva-7b ",
     {NUMBER, GPT2},
     false,
     false,
     false},
    {" default ", {MATH, GPT2, NUMBERS, DIGITS3}, false, false, false},
    {" falcon ", {MATH_BACKTICK, GPT2, DIGITS3}, false, false, false},
    {" deepseek-coder ", {NEWLINE, LETTERS, PUNCTUATION, EAST, NUMBER}, false, false, false},
};

bool qn_pretok_by_gguf(struct qn_pretok_gguf *out, struct qn_str name) {
    char key[40];
    if (name.n == 0 || name.n > 32 || memchr(name.p, ' ', name.n))
        return false;
    key[0] = ' ';
    memcpy(key + 1, name.p, name.n);
    key[name.n + 1] = ' ';
    for (size_t i = 0; i < sizeof gguf_names / sizeof gguf_names[0]; i++) {
        if (qn_str_find(qn_str_from(gguf_names[i].names), (struct qn_str){key, name.n + 2}, 0) !=
            SIZE_MAX) {
            *out = (struct qn_pretok_gguf){.ignore_merges = gguf_names[i].ignore_merges,
                                           .add_bos = gguf_names[i].add_bos,
                                           .nfc = gguf_names[i].nfc};
            while (gguf_names[i].steps[out->n_steps] != END) {
                out->steps[out->n_steps] = gguf_steps[gguf_names[i].steps[out->n_steps]];
                out->n_steps++;
            }
            return true;
        }
    }
    return false;
}
