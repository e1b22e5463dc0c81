/* Pre-tokenisers: steps that cut text into the words which the model sees one at a time. The
 * regular expressions of published tokenizers are matched by hand over Unicode classes; each is a
 * row of the table in pretok.c, recognised by its exact text. */
#ifndef QN_TEXT_PRETOK_H
#define QN_TEXT_PRETOK_H

#include "base/str.h"

/* What a step looks for. */
enum qn_split_kind {
    QN_SPLIT_NONE,              // no cut: for steps that only change text
    QN_SPLIT_GPT2,              // GPT-2's pattern
    QN_SPLIT_CL100K,            // the cl100k family: Llama-3, Qwen2; see the fields below
    QN_SPLIT_O200K,             // o200k: words by case
    QN_SPLIT_NUMBER,            // one \p{N}
    QN_SPLIT_DIGITS3,           // [0-9][0-9][0-9]
    QN_SPLIT_PUNCTUATION,       // one ASCII punctuation character or \p{P}
    QN_SPLIT_PUNCTUATION_MATH,  // one of [\p{P}$+<=>^~|], and ` where `backtick`
    QN_SPLIT_WHITESPACE,        // one white space character
    QN_SPLIT_NEWLINE,           // [\r\n]
    QN_SPLIT_SPACE_LETTERS,     // \s?\p{L}+
    QN_SPLIT_SPACE_PUNCTUATION, // \s?\p{P}+
    QN_SPLIT_EAST,              // [U+0800-U+9FA5 U+AC00-U+D7FF]+
    QN_SPLIT_WORDS,             // \w+|[^\w\s]+
    QN_SPLIT_CLIP,              // CLIP's words, `added` tokens first
    QN_SPLIT_BLOOM,             // BLOOM's: a space and no punctuation
    QN_SPLIT_DEEPSEEK3,         // DeepSeek-V3's last pattern
    QN_SPLIT_CASED,             // \s?(cased letters)+
    QN_SPLIT_FORMS,             // \s?(ASCII and full-width punctuation)+
    QN_SPLIT_LAST_SPACE,        // \s+$
    QN_SPLIT_RUN,               // 1…max_digits (0: any number) of characters in `classes`
    QN_SPLIT_STRING,            // a fixed string
    QN_SPLIT_WORD_MARK,         // before U+2581 after anything else, where no merge can cross
};

/* What becomes of a match and of the gaps between matches (names of the tokenizers library). */
enum qn_split_behavior {
    QN_BEHAVIOR_ISOLATED,
    QN_BEHAVIOR_REMOVED,
    QN_BEHAVIOR_MERGED_WITH_PREVIOUS,
    QN_BEHAVIOR_MERGED_WITH_NEXT,
    QN_BEHAVIOR_CONTIGUOUS,
};

/* What happens to a piece before it is cut. */
enum qn_pretok_rewrite {
    QN_REWRITE_NONE,
    QN_REWRITE_ADD_SPACE, // " " in front unless there is one (ByteLevel add_prefix_space)
    QN_REWRITE_METASPACE, // " " to `string`, and `string` in front as `prepend` says
};
enum qn_prepend { QN_PREPEND_NEVER, QN_PREPEND_FIRST, QN_PREPEND_ALWAYS };

struct qn_pretok {
    enum qn_split_kind kind;
    enum qn_split_behavior behavior;
    bool invert; // matches and gaps change places
    enum qn_pretok_rewrite rewrite;
    enum qn_prepend prepend;
    /* From here on a piece stands for its bytes written as GPT-2's 256 characters. */
    bool to_bytes;
    struct qn_str string; // STRING: the pattern; METASPACE: the replacement
    /* CL100K, O200K */
    uint8_t max_digits;              // \p{N}{1,max_digits}
    bool no_contractions;            // O200K: 's and its like are not kept with the word (Tekken)
    uint16_t classes;                // RUN: as in pretok.c
    bool marks;                      // \p{M} counts as letter (Qwen3.5)
    bool slash;                      // '/' may follow punctuation as newlines do (o200k)
    bool backtick;                   // PUNCTUATION_MATH
    const unsigned char *bad_before; // WORD_MARK: bytes after which a merge may cross; [256]
};

/* A piece on its way through the steps. */
struct qn_pretok_piece {
    struct qn_str text;
    bool at_start; // begins where the whole text begins
    bool bytes;    // a step with to_bytes came before
};

/* The next match at or after `from`: false when there is none. Never empty. */
bool qn_pretok_match(const struct qn_pretok *step, size_t *begin, size_t *end, struct qn_str s,
                     size_t from, bool bytes);

/* Iterates over the pieces that a step makes of one piece; zero-initialise and set the first
 * three. Never gives an empty piece. */
struct qn_pretok_iter {
    const struct qn_pretok *step;
    struct qn_str text;
    bool bytes;
    size_t at;                     // everything before has been looked at
    size_t match_begin, match_end; // a match found and not yet used up
    bool have_match, ended;
    size_t held_begin, held_end; // a piece that may still grow
    bool held;
    bool held_is_match, previous_match;
};
bool qn_pretok_next(struct qn_pretok_iter *it, struct qn_str *out);

/* The row for a regular expression by its exact text: false when it is not known. */
bool qn_pretok_by_regex(struct qn_pretok *out, struct qn_str regex);
/* Steps for a value of tokenizer.ggml.pre; false when it is not known. At most 8. */
struct qn_pretok_gguf {
    uint32_t n_steps;
    struct qn_pretok steps[8];
    bool ignore_merges, add_bos, nfc;
};
bool qn_pretok_by_gguf(struct qn_pretok_gguf *out, struct qn_str name);

/* GPT-2's byte ⇄ character mapping; UINT32_MAX for a character outside of it. */
uint32_t qn_byte_to_char(unsigned char byte);
uint32_t qn_char_to_byte(uint32_t code_point);

#endif
