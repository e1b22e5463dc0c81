#include "base/buf.h"

#include <string.h>

#include "base/decimal.h"
#include "base/format.h"
#include "base/num.h"
#include "base/utf8.h"

void qn_buf_init(struct qn_buf *buf, const struct qn_allocator *allocator) {
    *buf = (struct qn_buf){.allocator = allocator};
}

void qn_buf_free(struct qn_buf *buf) {
    qn_mem_free(buf->allocator, buf->p, buf->capacity);
    *buf = (struct qn_buf){.allocator = buf->allocator, .limit = buf->limit};
}

void qn_buf_clear(struct qn_buf *buf) {
    buf->n = 0;
    buf->failed = false;
}

bool qn_buf_reserve(struct qn_buf *buf, size_t extra) {
    size_t need;
    if (buf->failed)
        return false;
    if (!qn_add_size(&need, buf->n, extra) || (buf->limit != 0 && need > buf->limit)) {
        buf->failed = true;
        return false;
    }
    if (need <= buf->capacity)
        return true;
    size_t capacity = buf->capacity < 64 ? 64 : buf->capacity;
    while (capacity < need)
        capacity = capacity > SIZE_MAX / 2 ? need : capacity * 2;
    char *p = qn_mem_grow(buf->allocator, buf->p, buf->capacity, capacity);
    if (p == NULL) {
        buf->failed = true;
        return false;
    }
    buf->p = p;
    buf->capacity = capacity;
    return true;
}

void qn_buf_append(struct qn_buf *buf, const void *bytes, size_t n) {
    if (n == 0 || !qn_buf_reserve(buf, n))
        return;
    memcpy(buf->p + buf->n, bytes, n);
    buf->n += n;
}

void qn_buf_str(struct qn_buf *buf, struct qn_str s) {
    qn_buf_append(buf, s.p, s.n);
}

void qn_buf_cstr(struct qn_buf *buf, const char *c_string) {
    qn_buf_append(buf, c_string, strlen(c_string));
}

void qn_buf_char(struct qn_buf *buf, char c) {
    if (qn_buf_reserve(buf, 1))
        buf->p[buf->n++] = c;
}

void qn_buf_u64(struct qn_buf *buf, uint64_t value) {
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    qn_buf_append(buf, digits + at, sizeof digits - at);
}

static bool finite_f64(double value) {
    return value - value == 0;
}

void qn_buf_f32(struct qn_buf *buf, float value) {
    char text[QN_DECIMAL_TEXT];
    if (finite_f64((double)value))
        qn_buf_append(buf, text, qn_decimal_digits(text, (double)value, 9));
    else
        qn_buf_cstr(buf, "null");
}

void qn_buf_f64(struct qn_buf *buf, double value) {
    char text[QN_DECIMAL_TEXT];
    if (finite_f64(value))
        qn_buf_append(buf, text, qn_decimal_shortest(text, value));
    else
        qn_buf_cstr(buf, "null");
}

void qn_buf_utf8(struct qn_buf *buf, uint32_t code_point) {
    char bytes[4];
    qn_buf_append(buf, bytes, qn_utf8_put(bytes, code_point));
}

void qn_buf_json_str(struct qn_buf *buf, struct qn_str s) {
    qn_buf_char(buf, '"');
    size_t at = 0, plain = 0;
    while (at < s.n) {
        size_t begin = at;
        uint32_t c = qn_utf8_next(s, &at);
        // U+2028 and U+2029 are escaped so that the text is also valid inside old JavaScript.
        if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f && c != 0x2028 && c != 0x2029 &&
            c != QN_UTF8_INVALID)
            continue;
        qn_buf_append(buf, s.p + plain, begin - plain);
        plain = at;
        if (c == QN_UTF8_INVALID)
            qn_buf_cstr(buf, "\xef\xbf\xbd");
        else if (c == '"' || c == '\\')
            qn_buf_format(buf, "\\%c", (char)c);
        else if (c == '\n')
            qn_buf_cstr(buf, "\\n");
        else if (c == '\r')
            qn_buf_cstr(buf, "\\r");
        else if (c == '\t')
            qn_buf_cstr(buf, "\\t");
        else
            qn_buf_format(buf, "\\u%04x", (unsigned)c);
    }
    if (s.n > plain)
        qn_buf_append(buf, s.p + plain, s.n - plain);
    qn_buf_char(buf, '"');
}

static void buf_put(void *ud, const char *p, size_t n) {
    qn_buf_append(ud, p, n);
}

void qn_buf_format(struct qn_buf *buf, const char *format, ...) {
    va_list args;
    va_start(args, format);
    qn_vformat(buf_put, buf, format, args);
    va_end(args);
}

struct qn_str qn_buf_view(const struct qn_buf *buf) {
    return (struct qn_str){buf->p, buf->n};
}
