#include "base/utf8.h"

/* Length that the first byte announces; 0 for a byte that starts nothing. */
static size_t announced(unsigned char c) {
    return c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
}

/* May `second` follow `first`? Rules out overlong forms, surrogates and what lies above
 * U+10FFFF. */
static bool second_ok(unsigned char first, unsigned char second) {
    unsigned char low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    unsigned char high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    return second >= low && second <= high;
}

uint32_t qn_utf8_next(struct qn_str s, size_t *at) {
    const unsigned char *p = (const unsigned char *)s.p + *at;
    size_t left = s.n - *at, n = announced(p[0]);
    ++*at;
    if (n == 1)
        return p[0];
    if (n == 0 || n > left || !second_ok(p[0], p[1]))
        return QN_UTF8_INVALID;
    uint32_t c = p[0] & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return QN_UTF8_INVALID;
        c = c << 6 | (p[i] & 0x3fu);
    }
    *at += n - 1;
    return c;
}

size_t qn_utf8_put(char out[4], uint32_t c) {
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

size_t qn_utf8_check(struct qn_str s) {
    size_t at = 0;
    while (at < s.n) {
        size_t begin = at;
        if ((unsigned char)s.p[at] < 0x80)
            at++;
        else if (qn_utf8_next(s, &at) == QN_UTF8_INVALID)
            return begin;
    }
    return SIZE_MAX;
}

size_t qn_utf8_complete(struct qn_str s) {
    for (size_t back = 1; back <= 3 && back <= s.n; back++) {
        unsigned char c = (unsigned char)s.p[s.n - back];
        if ((c & 0xc0) == 0x80)
            continue;
        // The last byte that is no continuation: does its sequence still lack bytes, all well so
        // far?
        if (announced(c) > back && (back < 2 || second_ok(c, (unsigned char)s.p[s.n - back + 1])))
            return s.n - back;
        return s.n;
    }
    return s.n;
}
