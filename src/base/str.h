/* String slices (never NUL-terminated, never owning) and growable byte buffers. */
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

/* A growable buffer. Appending to a failed buffer is harmless: check `failed` once at the end. */
struct qn_buf {
    const struct qn_allocator *allocator;
    char *p;
    size_t n;
    size_t capacity;
    size_t limit; // 0: none; growing past it sets `failed` as running out of memory does
    bool failed;
};

void qn_buf_init(struct qn_buf *buf, const struct qn_allocator *allocator);
void qn_buf_free(struct qn_buf *buf);
void qn_buf_clear(struct qn_buf *buf);
bool qn_buf_reserve(struct qn_buf *buf, size_t extra);
void qn_buf_append(struct qn_buf *buf, const void *bytes, size_t n);
void qn_buf_str(struct qn_buf *buf, struct qn_str s);
void qn_buf_cstr(struct qn_buf *buf, const char *c_string);
void qn_buf_char(struct qn_buf *buf, char c);
void qn_buf_u64(struct qn_buf *buf, uint64_t value);
/* Nine significant digits, which reads back as the same float32; "null" for NaN and infinities. */
void qn_buf_f32(struct qn_buf *buf, float value);
/* Shortest-enough (17 digits) form of a double; integers below 2^53 print as integers. */
void qn_buf_f64(struct qn_buf *buf, double value);
/* A quoted JSON string; invalid UTF-8 becomes U+FFFD. */
void qn_buf_json_str(struct qn_buf *buf, struct qn_str s);
void qn_buf_format(struct qn_buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
struct qn_str qn_buf_view(const struct qn_buf *buf);

#endif
