/* UTF-8 (RFC 3629): decoding, encoding, validation. */
#ifndef QN_BASE_UTF8_H
#define QN_BASE_UTF8_H

#include "base/str.h"

#define QN_UTF8_INVALID 0xffffffffu

/* Decodes one code point at s.p[*at] and advances *at; QN_UTF8_INVALID (advancing one byte) for an
 * ill-formed sequence: overlong, surrogate, above U+10FFFF, cut off. Requires *at < s.n. */
uint32_t qn_utf8_next(struct qn_str s, size_t *at);
/* Writes 1..4 bytes, returns their number. The code point must be a scalar value. */
size_t qn_utf8_put(char out[4], uint32_t code_point);
/* Byte offset of the first ill-formed sequence, or SIZE_MAX. */
size_t qn_utf8_check(struct qn_str s);
/* Length of the longest prefix that does not end inside a sequence that could still be
 * completed. */
size_t qn_utf8_complete(struct qn_str s);

#endif
