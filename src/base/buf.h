/* Growable buffers of bytes, and what text is written with. */
#ifndef QN_BASE_BUF_H
#define QN_BASE_BUF_H

#include "base/str.h"

/* Appending to a failed buffer is harmless: check `failed` once at the end. */
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
void qn_buf_utf8(struct qn_buf *buf, uint32_t code_point);
/* A quoted JSON string; invalid UTF-8 becomes U+FFFD. */
void qn_buf_json_str(struct qn_buf *buf, struct qn_str s);
void qn_buf_format(struct qn_buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
struct qn_str qn_buf_view(const struct qn_buf *buf);

#endif
