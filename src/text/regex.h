/* Regular expressions of tokenizers: the part of Oniguruma's Ruby syntax that they use, matched by
 * bounded backtracking over UTF-8.
 *
 *   a . [a-z\s&&[^b]] \d \w \s \h \p{L} \p{Han} and their complements, (…) (?:…) (?i:…) (?>…),
 *   (?=…) (?!…) (?<=…) (?<!…), | * + ? {m,n} and their lazy and possessive forms, ^ $ \A \z \Z \b
 *
 * ^ and $ are those of lines. What is not listed is refused when the pattern is compiled. */
#ifndef QN_TEXT_REGEX_H
#define QN_TEXT_REGEX_H

#include "base/str.h"

struct qn_regex;

/* What a match needs besides the pattern: kept between matches, freed by qn_regex_scratch_free. */
struct qn_regex_scratch {
    const struct qn_allocator *allocator;
    struct qn_regex_mark *marks; // places to come back to
    size_t capacity;
    uint64_t steps; // left; the caller sets it
};

/* The compiled pattern lies in the arena. QN_E_UNSUPPORTED, QN_E_NO_MEMORY. */
enum qn_status qn_regex_compile(const struct qn_regex **out, struct qn_arena *arena,
                                struct qn_str pattern, struct qn_error *err);
/* The first match at or after `from`, perhaps an empty one; *begin is SIZE_MAX when there is none.
 * `bytes`: each byte of `s` stands for one of GPT-2's characters. QN_E_LIMIT when the steps are
 * used up, QN_E_NO_MEMORY. */
enum qn_status qn_regex_find(const struct qn_regex *regex, struct qn_regex_scratch *scratch,
                             size_t *begin, size_t *end, struct qn_str s, size_t from, bool bytes);
/* The matches of a text in turn, from {.from = 0, .last = SIZE_MAX} on: an empty one directly
 * behind another is none. *begin is SIZE_MAX after the last. Errors as above. */
struct qn_regex_walk {
    size_t from, last;
};
enum qn_status qn_regex_next(const struct qn_regex *regex, struct qn_regex_scratch *scratch,
                             struct qn_regex_walk *walk, size_t *begin, size_t *end,
                             struct qn_str s);
/* False: no match that is not empty begins in `s`. */
bool qn_regex_may(const struct qn_regex *regex, struct qn_str s, bool bytes);
void qn_regex_scratch_free(struct qn_regex_scratch *scratch);

#endif
