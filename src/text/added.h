/* Added tokens: strings that are found in the text before the model sees it, leftmost and longest
 * first. A sorted list that is narrowed byte by byte serves as the trie. */
#ifndef QN_TEXT_ADDED_H
#define QN_TEXT_ADDED_H

#include "text/normalize.h"

#define QN_ADDED_MAX_BYTES 4096

enum {
    QN_ADDED_SPECIAL = 1,
    QN_ADDED_LSTRIP = 2,      // takes white space on the left with it
    QN_ADDED_RSTRIP = 4,      // … on the right
    QN_ADDED_SINGLE_WORD = 8, // only between non-word characters
    QN_ADDED_NORMALIZED = 16, // matched after normalisation
    QN_ADDED_GUARDED = 32,    // not special, but a mark of the chat template: passed over likewise
};

struct qn_added_token {
    struct qn_str content;
    uint32_t id;
    uint32_t flags;
};

struct qn_added {
    struct qn_added_token *list; // sorted by content
    uint32_t n;
    uint32_t first[257]; // tokens that begin with byte b: list[first[b]] … list[first[b + 1]]
};

/* Takes over `list` (in the arena), sorts it, drops empty and repeated strings. */
enum qn_status qn_added_init(struct qn_added *added, struct qn_added_token *list, uint32_t n,
                             struct qn_error *err);

struct qn_added_match {
    size_t begin, end;  // with the white space that it takes
    size_t found_begin; // of the string itself
    size_t found_end;
    const struct qn_added_token *token;
};

/* The next match at or after *at, which moves behind it; `floor` is the end of the match before.
 * Special and guarded tokens are passed over where they would touch a marked byte, or all if
 * `no_special`. */
bool qn_added_next(const struct qn_added *added, struct qn_added_match *out, struct qn_marked in,
                   size_t *at, size_t floor, bool no_special);

#endif
