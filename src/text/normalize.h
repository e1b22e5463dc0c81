/* Normalisers: the steps that rewrite text before it is split. Every byte may carry a mark, "came
 * from an untrusted span", and what is made of marked bytes is marked. */
#ifndef QN_TEXT_NORMALIZE_H
#define QN_TEXT_NORMALIZE_H

#include "text/marked.h"
#include "text/regex.h"

enum qn_normalizer_kind {
    QN_NORMALIZE_NFC,
    QN_NORMALIZE_NFD,
    QN_NORMALIZE_NFKC,
    QN_NORMALIZE_NFKD,
    QN_NORMALIZE_PREPEND,       // `content` before text that is not empty
    QN_NORMALIZE_REPLACE,       // every `pattern`, a string, by `content`
    QN_NORMALIZE_REPLACE_REGEX, // … every match of `regex`
    QN_NORMALIZE_STRIP,         // the character `pattern`, or white space where that is empty, at
                                // the ends, where `left` and `right`
    QN_NORMALIZE_CHARSMAP,      // SentencePiece's precompiled map
    /* Character by character: */
    QN_NORMALIZE_LOWERCASE,
    QN_NORMALIZE_CLEAN,            // BERT: no control characters, all white space to " "
    QN_NORMALIZE_CHINESE,          // BERT: spaces around ideographs
    QN_NORMALIZE_STRIP_MARKS,      // no \\p{M}
    QN_NORMALIZE_STRIP_NONSPACING, // no \\p{Mn}
    QN_NORMALIZE_NMT,              // SentencePiece's nmt rules without the character map
    QN_NORMALIZE_BYTES,            // bytes to GPT-2's characters
};

struct qn_charsmap;

struct qn_normalizer {
    enum qn_normalizer_kind kind;
    bool left, right;
    struct qn_str pattern, content;
    const struct qn_regex *regex;
    const struct qn_charsmap *charsmap;
};

/* Code points of one run being normalised; kept between calls. */
struct qn_code_points {
    const struct qn_allocator *allocator;
    uint32_t *p;
    size_t n, capacity;
};

/* Scratch of qn_normalize. */
struct qn_normalize_scratch {
    struct qn_marked_buf text[2];
    struct qn_code_points run, sorted;
    struct qn_regex_scratch regex;
};

void qn_normalize_scratch_init(struct qn_normalize_scratch *s,
                               const struct qn_allocator *allocator);
void qn_normalize_scratch_free(struct qn_normalize_scratch *s);

/* Applies the steps; *out is `in` itself or lies in the scratch until its next use. */
enum qn_status qn_normalize(struct qn_marked *out, struct qn_normalize_scratch *scratch,
                            const struct qn_normalizer *steps, uint32_t n_steps,
                            struct qn_marked in, struct qn_error *err);

/* The executors that stand in files of their own. */
void qn_code_points_free(struct qn_code_points *c);
bool qn_normalize_form_applies(const struct qn_normalizer *step, struct qn_str s);
enum qn_status qn_normalize_form(struct qn_marked_buf *out, struct qn_normalize_scratch *scratch,
                                 const struct qn_normalizer *step, struct qn_marked in);
enum qn_status qn_normalize_map(struct qn_marked_buf *out, struct qn_normalize_scratch *scratch,
                                const struct qn_normalizer *step, struct qn_marked in);
void qn_charsmap_apply(const struct qn_charsmap *map, struct qn_marked_buf *out,
                       struct qn_marked in);

/* SentencePiece's precompiled_charsmap: a double-array trie from byte strings to replacements.
 * `longest`: SentencePiece's own longest match at each place; else what the tokenizers library does
 * with it, by grapheme clusters. QN_E_TOKENIZER when it is malformed. */
enum qn_status qn_charsmap_init(const struct qn_charsmap **out, struct qn_arena *arena,
                                struct qn_str bytes, bool longest, struct qn_error *err);

#endif
