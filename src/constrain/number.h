/* Sets of JSON numbers as terms over their decimal spelling. */
#ifndef QN_CONSTRAIN_NUMBER_H
#define QN_CONSTRAIN_NUMBER_H

#include "constrain/term.h"

#define QN_NUMBER_DIGITS 20 // most digits before the point, and after it

/* A JSON number as digits: (−) 0.d₀d₁d₂… × 10^point, no zeros at either end. */
struct qn_decimal {
    bool negative;
    uint32_t n;
    int32_t point;
    char digits[48];
};

/* False when it has more digits than fit, or an exponent beyond ±400. */
bool qn_decimal_read(struct qn_decimal *out, struct qn_str number);

/* All numbers that are written, each digit count bounded; `exponents` allows 1e-7 too. A number has
 * one spelling where exponents are not allowed and `canonical` is set: no 1.0, no 0.50, no -0. */
uint32_t qn_number_any(struct qn_terms *t, bool integer, bool exponents, bool canonical);
/* Spellings without exponent of numbers ≥ bound (≤ when not `least`); > and < when `strict`. */
uint32_t qn_number_bound(struct qn_terms *t, const struct qn_decimal *bound, bool least,
                         bool strict);
/* Spellings without exponent of multiples; EMPTY when the divisor has too many digits. */
uint32_t qn_number_multiple(struct qn_terms *t, const struct qn_decimal *divisor);
/* At most 15 digits: as many as a double tells apart. */
uint32_t qn_number_exact(struct qn_terms *t);

#endif
