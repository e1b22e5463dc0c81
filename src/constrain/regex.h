/* Regular expressions in ECMAScript's syntax (ECMA-262 with the `u` flag, and what older patterns
 * write without it) as terms. */
#ifndef QN_CONSTRAIN_REGEX_H
#define QN_CONSTRAIN_REGEX_H

#include "constrain/chars.h"

enum {
    QN_REGEX_JSON = 1,  // characters as within a JSON string (chars.h)
    QN_REGEX_WHOLE = 2, // matches the whole text, not a part of it
};

/* `scratch` holds the parse until it is freed. QN_E_ARGUMENT: malformed, with its offset.
 * QN_E_UNSUPPORTED: back references, word boundaries, look-behind, look-ahead and anchors elsewhere
 * than at the ends of the whole expression. */
enum qn_status qn_regex_term(struct qn_terms *t, uint32_t *out, struct qn_arena *scratch,
                             struct qn_str pattern, uint32_t flags, struct qn_error *err);

/* One character class of the same syntax, pattern.p[*at] being behind its '['; *at moves behind its
 * ']'. For grammars. */
enum qn_status qn_regex_class(struct qn_terms *t, struct qn_chars *out, struct qn_str pattern,
                              size_t *at, struct qn_error *err);

#endif
