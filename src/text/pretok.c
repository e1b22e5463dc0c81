#include "text/pretok.h"

#include <string.h>

#include "text/unicode.h"

/* Classes of a character as bits; any class may be the complement of a union of these. */
enum {
    L = 1,    // \p{L}
    N = 2,    // \p{N}
    S = 4,    // \s: White_Space
    NL = 8,   // \r, \n
    M = 16,   // \p{M}
    P = 32,   // \p{P}
    UP = 64,  // [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]
    LOW = 128 // [\p{Ll}\p{Lm}\p{Lo}\p{M}]
};

/* clang-format off */
static const uint8_t ascii_class[128] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 12, 4, 4, 12, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    4, 32, 32, 32, 0, 32, 32, 32, 32, 32, 32, 0, 32, 32, 32, 32,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 32, 32, 0, 0, 0, 32,
    32, 65, 65, 65, 65, 65, 65, 65, 65, 65, 65, 65, 65, 65, 65, 65,
    65, 65, 65, 65, 65, 65, 65, 65, 65, 65, 65, 32, 32, 32, 0, 32,
    0, 129, 129, 129, 129, 129, 129, 129, 129, 129, 129, 129, 129, 129, 129, 129,
    129, 129, 129, 129, 129, 129, 129, 129, 129, 129, 129, 32, 0, 32, 0, 0,
};

static const uint8_t category_class[32] = {
    L | UP, L | LOW, L | UP, L | UP | LOW, L | UP | LOW, // Lu Ll Lt Lm Lo
    M | UP | LOW, M | UP | LOW, M | UP | LOW,            // Mn Mc Me
    N, N, N,                                             // Nd Nl No
    P, P, P, P, P, P, P,                                 // Pc … Po
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
    return category_class[prop & QN_PROP_CATEGORY] | (prop & QN_PROP_SPACE ? S : 0u);
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
    unsigned class = class_at(t, at, &next);
    bool prefix = !(class & (NL | L | N));
    if (prefix && (end = lower_word(t, next)) > next)
        return contraction(t, end, true);
    if ((end = lower_word(t, at)) > at)
        return contraction(t, end, true);
    if (prefix && (end = run(t, next, UP)) > next)
        return contraction(t, run(t, end, LOW), true);
    if ((end = run(t, at, UP)) > at)
        return contraction(t, run(t, end, LOW), true);
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

#define GPT2 \
    { .kind = QN_SPLIT_GPT2 }
#define NUMBER \
    { .kind = QN_SPLIT_NUMBER }
#define NUMBERS \
    { .kind = QN_SPLIT_NUMBER, .behavior = QN_BEHAVIOR_CONTIGUOUS }
#define DIGITS3 \
    { .kind = QN_SPLIT_DIGITS3 }
#define CL100K(digits) \
    { .kind = QN_SPLIT_CL100K, .max_digits = (digits) }

/* Names that llama.cpp's converter writes, a space around each, and the steps they stand for. */
static const struct {
    const char *names;
    struct qn_pretok_gguf value;
} gguf_names[] = {
    {" gpt-2 mpt olmo jais trillion granite-docling phi-2 roberta-bpe exaone4 ",
     {.n_steps = 1, .steps = {GPT2}}},
    {" llama3 llama-v3 llama-bpe falcon3 falcon-h1 pixtral ",
     {.n_steps = 1, .steps = {CL100K(3)}, .ignore_merges = true, .add_bos = true}},
    {" dbrx smaug-bpe chatglm-bpe glm4 ", {.n_steps = 1, .steps = {CL100K(3)}}},
    {" qwen2 deepseek-r1-qwen ", {.n_steps = 1, .steps = {CL100K(1)}, .nfc = true}},
    {" stablelm2 hunyuan megrez ", {.n_steps = 1, .steps = {CL100K(1)}}},
    {" qwen35 ",
     {.n_steps = 1,
      .steps = {{.kind = QN_SPLIT_CL100K, .max_digits = 1, .marks = true}},
      .nfc = true}},
    {" gpt-4o llama4 ",
     {.n_steps = 1, .steps = {{.kind = QN_SPLIT_O200K, .max_digits = 3, .slash = true}}}},
    {" starcoder refact command-r smollm codeshell exaone minerva-7b ",
     {.n_steps = 2, .steps = {NUMBER, GPT2}}},
    {" default ",
     {.n_steps = 4,
      .steps = {{.kind = QN_SPLIT_PUNCTUATION_MATH, .behavior = QN_BEHAVIOR_CONTIGUOUS},
                GPT2,
                NUMBERS,
                DIGITS3}}},
    {" falcon ",
     {.n_steps = 3,
      .steps = {{.kind = QN_SPLIT_PUNCTUATION_MATH,
                 .behavior = QN_BEHAVIOR_CONTIGUOUS,
                 .backtick = true},
                GPT2,
                DIGITS3}}},
    {" deepseek-coder ",
     {.n_steps = 5,
      .steps = {{.kind = QN_SPLIT_NEWLINE},
                {.kind = QN_SPLIT_SPACE_LETTERS},
                {.kind = QN_SPLIT_SPACE_PUNCTUATION},
                {.kind = QN_SPLIT_EAST, .behavior = QN_BEHAVIOR_CONTIGUOUS},
                NUMBER}}},
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
            *out = gguf_names[i].value;
            return true;
        }
    }
    return false;
}
