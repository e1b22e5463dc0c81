/* Sets of code points, and the terms that spell them in UTF-8. */
#ifndef QN_CONSTRAIN_CHARS_H
#define QN_CONSTRAIN_CHARS_H

#include "base/buf.h"
#include "constrain/term.h"

struct qn_char_range {
    uint32_t low, high;
};

struct qn_chars {
    struct qn_arena *arena; // of the ranges; freed by its owner
    struct qn_char_range *p;
    uint32_t n, capacity;
    bool failed;
};

void qn_chars_add(struct qn_chars *set, uint32_t low, uint32_t high);
void qn_chars_add_all(struct qn_chars *set, const struct qn_chars *other);
/* Sorts and joins ranges; complements among all scalar values. */
void qn_chars_normalise(struct qn_chars *set);
void qn_chars_negate(struct qn_chars *set);

/* One character of a normalised set. `json`: as it stands within the quotes of a JSON string, in
 * one way only: \" \\ \b \f \n \r \t, \u00xx in lower case for other controls, all else as
 * it is. */
uint32_t qn_chars_term(struct qn_terms *t, const struct qn_chars *set, bool json);
/* A text in the same way; appends. */
void qn_chars_spell(struct qn_buf *out, struct qn_str s);

#endif
