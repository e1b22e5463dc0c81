/* Pre-tokenisers: steps that cut text into the words which the model sees one at a time. The
 * regular expressions of most published tokenizers are matched by hand over Unicode classes,
 * recognised by their exact text (pretok_names.c); others run in regex.c. */
#ifndef QN_TEXT_PRETOK_H
#define QN_TEXT_PRETOK_H

#include "text/regex.h"

/* What a step looks for. */
enum qn_split_kind {
    QN_SPLIT_NONE,        // no cut: for steps that only change text
    QN_SPLIT_GPT2,        // GPT-2's pattern
    QN_SPLIT_CL100K,      // the cl100k family: Llama-3, Qwen2; see the fields below
    QN_SPLIT_O200K,       // o200k: words by case
    QN_SPLIT_NUMBER,      // one \p{N}
    QN_SPLIT_PUNCTUATION, // one ASCII punctuation character or \p{P}
    QN_SPLIT_WHITESPACE,  // one white space character
    QN_SPLIT_WORDS,       // \w+|[^\w\s]+
    QN_SPLIT_SCRIPTS,     // text of one script
    QN_SPLIT_STRING,      // a fixed string
    QN_SPLIT_REGEX,       // any other pattern
    QN_SPLIT_WORD_MARK,   // before U+2581 after anything else, where no merge can cross
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
    struct qn_str string;            // STRING: the pattern; METASPACE: the replacement
    const struct qn_regex *regex;    // REGEX
    const unsigned char *bad_before; // WORD_MARK: bytes after which a merge may cross; [256]
    /* CL100K, O200K */
    uint8_t max_digits;   // \p{N}{1,max_digits}
    bool no_contractions; // O200K: 's and its like are not kept with the word (Tekken)
    bool marks;           // CL100K: \p{M} counts as letter (Qwen3.5)
};

/* A piece on its way through the steps. */
struct qn_pretok_piece {
    struct qn_str text;
    bool at_start; // begins where the whole text begins
    bool bytes;    // a step with to_bytes came before
};

/* Iterates over the pieces that a step makes of one piece; zero-initialise and set the first
 * four. Never gives an empty piece. `scratch` is for REGEX; its errors end the iteration and stay
 * in `status`. */
struct qn_pretok_iter {
    const struct qn_pretok *step;
    struct qn_str text;
    bool bytes;
    struct qn_regex_scratch *scratch;
    enum qn_status status;
    size_t at;                     // everything before has been looked at
    size_t match_begin, match_end; // a match found and not yet used up
    bool have_match, ended;
    size_t held_begin, held_end; // a piece that may still grow
    bool held;
    bool held_is_match, previous_match;
};
bool qn_pretok_next(struct qn_pretok_iter *it, struct qn_str *out);
/* True where the step surely leaves the piece as it is, apart from `bytes`, which is then set. */
bool qn_pretok_leaves(const struct qn_pretok *step, struct qn_pretok_piece *piece);

/* The step for a regular expression; what has no matcher of its own is compiled into the arena. */
enum qn_status qn_pretok_by_regex(struct qn_pretok *out, struct qn_arena *arena,
                                  struct qn_str regex, struct qn_error *err);
/* Steps for a value of tokenizer.ggml.pre; QN_E_UNSUPPORTED when it is not known. */
#define QN_PRETOK_GGUF_STEPS 6
struct qn_pretok_gguf {
    uint32_t n_steps;
    struct qn_pretok steps[QN_PRETOK_GGUF_STEPS];
    bool ignore_merges, add_bos, nfc;
    bool raw; // no byte-level text: spaces are U+2581
};
enum qn_status qn_pretok_by_gguf(struct qn_pretok_gguf *out, struct qn_arena *arena,
                                 struct qn_str name, struct qn_error *err);

#endif
