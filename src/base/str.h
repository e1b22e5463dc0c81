/* String slices: never NUL-terminated, never owning. */
#ifndef QN_BASE_STR_H
#define QN_BASE_STR_H

#include <stdbool.h>

#include "base/mem.h"

#define QN_STR(literal) ((struct qn_str){"" literal, sizeof(literal) - 1})
#define QN_STR_ARG(s) (int)((s).n > 200 ? 200 : (s).n), (s).p // for "%.*s" in messages

struct qn_str qn_str_from(const char *c_string);
bool qn_str_eq(struct qn_str a, struct qn_str b);
bool qn_str_is(struct qn_str a, const char *c_string);
bool qn_str_starts(struct qn_str s, struct qn_str prefix);
bool qn_str_ends(struct qn_str s, struct qn_str suffix);
/* Byte index of the first occurrence at or after `from`, or SIZE_MAX. */
size_t qn_str_find(struct qn_str s, struct qn_str needle, size_t from);
struct qn_str qn_str_slice(struct qn_str s, size_t begin, size_t end);
/* Copies into the arena; p is NULL when out of memory. */
struct qn_str qn_str_copy(struct qn_arena *arena, struct qn_str s);
uint64_t qn_str_hash(struct qn_str s);
/* Decimal digits only, no sign, whole string. */
bool qn_str_to_u64(uint64_t *out, struct qn_str s);
/* The n (at most 8) hexadecimal digits at byte `at`; false when there are fewer. */
bool qn_str_hex(uint32_t *out, struct qn_str s, size_t at, size_t n);

#endif
