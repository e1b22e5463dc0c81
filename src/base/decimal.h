/* Exact conversion between binary floating point and decimal text, both ways correctly rounded. */
#ifndef QN_BASE_DECIMAL_H
#define QN_BASE_DECIMAL_H

#include "base/str.h"

#define QN_DECIMAL_TEXT 40 // bytes that the writers below need at most

/* Writes `value` rounded (half to even) to 1..17 significant digits, without trailing zeros and
 * without a terminator; returns the length. Plain notation from 1e-5 up to below 1e17, else
 * d.ddde-dd. All output is valid JSON except for "nan", "inf" and "-inf". */
size_t qn_decimal_digits(char out[QN_DECIMAL_TEXT], double value, int significant);

/* The shortest of 15, 16 or 17 digits that reads back as the same double. */
size_t qn_decimal_shortest(char out[QN_DECIMAL_TEXT], double value);

/* Reads -?digits[.digits][(e|E)[+-]digits], the whole string, any length, rounded half to even.
 * False when malformed or when the value overflows to infinity. */
bool qn_decimal_parse(double *out, struct qn_str s);

#endif
