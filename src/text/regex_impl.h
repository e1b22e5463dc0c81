/* The program of a regular expression: regex_compile.c writes it, regex.c runs it. */
#ifndef QN_TEXT_REGEX_IMPL_H
#define QN_TEXT_REGEX_IMPL_H

#include "text/regex.h"

enum qn_rop {
    QN_ROP_SPAN,   // min…max characters of `set`
    QN_ROP_SPLIT,  // at x, or else at y
    QN_ROP_JUMP,   // at x
    QN_ROP_ATOMIC, // what follows up to its END, then at x, and never back into it
    QN_ROP_AHEAD,  // … must match here; `mode` 1: must not
    QN_ROP_BEHIND, // … and `min` characters before
    QN_ROP_END,
    QN_ROP_LINE_BEGIN,
    QN_ROP_LINE_END,
    QN_ROP_BEGIN,
    QN_ROP_STOP,
    QN_ROP_STOP_LINE, // before a last newline too
    QN_ROP_WORD_EDGE, // `mode` 1: no edge
};

enum { QN_RMODE_GREEDY, QN_RMODE_LAZY, QN_RMODE_POSSESSIVE };
#define QN_RMANY UINT32_MAX // no upper bound

/* Bytes by number: of UTF-8 (what is not ASCII has all bits set) and of GPT-2's characters. */
struct qn_rfirst {
    uint32_t bits[2][8];
};

static inline bool qn_rfirst_has(const struct qn_rfirst *first, bool bytes, unsigned char byte) {
    return (first->bits[bytes][byte >> 5] >> (byte & 31) & 1) != 0;
}

/* x and y are distances from the instruction itself, so that code can be moved. */
struct qn_rinst {
    uint8_t op, mode;
    int32_t x, y;
    uint32_t min, max;
    const struct qn_rset *set;
    const struct qn_rfirst *first; // SPLIT: [2], of x and of y; or NULL
};

enum {
    QN_RTERM_RANGE,
    QN_RTERM_CATEGORIES,
    QN_RTERM_SPACE,
    QN_RTERM_WORD,
    QN_RTERM_SCRIPT,
    QN_RTERM_SET
};

struct qn_rterm {
    const struct qn_rterm *next;
    const struct qn_rset *set;
    uint32_t low, high; // RANGE; CATEGORIES: a bit each in `low`; SCRIPT: `low`
    uint8_t kind;
    bool negate, fold;
};

/* A class of characters: one of the terms, and one of `also` where there is one. */
struct qn_rset {
    const struct qn_rterm *terms;
    const struct qn_rset *also;
    bool negate;
    struct qn_rfirst bytes;
};

struct qn_regex {
    struct qn_rinst *code;
    uint32_t n;
    struct qn_rfirst first; // bytes that a match can begin with
};

bool qn_rset_has(const struct qn_rset *set, uint32_t code_point);

#endif
