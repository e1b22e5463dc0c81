#include "base/str.h"

#include <string.h>

#include "base/num.h"

struct qn_str qn_str_from(const char *c_string) {
    return (struct qn_str){c_string, strlen(c_string)};
}

bool qn_str_eq(struct qn_str a, struct qn_str b) {
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool qn_str_is(struct qn_str a, const char *c_string) {
    return qn_str_eq(a, qn_str_from(c_string));
}

bool qn_str_starts(struct qn_str s, struct qn_str prefix) {
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

bool qn_str_ends(struct qn_str s, struct qn_str suffix) {
    return s.n >= suffix.n &&
           (suffix.n == 0 || memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n) == 0);
}

size_t qn_str_find(struct qn_str s, struct qn_str needle, size_t from) {
    if (from > s.n || needle.n > s.n - from)
        return SIZE_MAX;
    if (needle.n == 0)
        return from;
    size_t last = s.n - needle.n;
    while (from <= last) {
        const char *hit = memchr(s.p + from, needle.p[0], last - from + 1);
        if (hit == NULL)
            return SIZE_MAX;
        if (memcmp(hit, needle.p, needle.n) == 0)
            return (size_t)(hit - s.p);
        from = (size_t)(hit - s.p) + 1;
    }
    return SIZE_MAX;
}

struct qn_str qn_str_slice(struct qn_str s, size_t begin, size_t end) {
    end = qn_min_size(end, s.n);
    begin = qn_min_size(begin, end);
    return (struct qn_str){s.p == NULL ? NULL : s.p + begin, end - begin};
}

struct qn_str qn_str_copy(struct qn_arena *arena, struct qn_str s) {
    char *p = QN_ARENA_NEW(arena, char, s.n);
    if (p == NULL)
        return (struct qn_str){NULL, 0};
    if (s.n != 0)
        memcpy(p, s.p, s.n);
    return (struct qn_str){p, s.n};
}

/* Multiply and fold, eight bytes a step, with a closing mix. Not meant to resist chosen keys: the
 * tables that use it probe linearly and have a bounded number of entries. */
uint64_t qn_str_hash(struct qn_str s) {
    const uint64_t k = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t h = s.n * k;
    const char *p = s.p;
    size_t n = s.n;
    for (; n >= 8; n -= 8, p += 8) {
        h = (h ^ qn_load_u64(p)) * k;
        h ^= h >> 32;
    }
    uint64_t tail = 0;
    for (size_t i = 0; i < n; i++)
        tail |= (uint64_t)(unsigned char)p[i] << (8 * i);
    h = (h ^ tail) * k;
    h ^= h >> 29;
    h *= UINT64_C(0xbf58476d1ce4e5b9);
    return h ^ h >> 32;
}

bool qn_str_to_u64(uint64_t *out, struct qn_str s) {
    uint64_t value = 0;
    if (s.n == 0)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        if (!qn_mul_u64(&value, value, 10) || !qn_add_u64(&value, value, (uint64_t)(s.p[i] - '0')))
            return false;
    }
    *out = value;
    return true;
}

bool qn_str_hex(uint32_t *out, struct qn_str s, size_t at, size_t n) {
    uint32_t value = 0;
    if (at > s.n || n > s.n - at)
        return false;
    for (size_t i = at; i < at + n; i++) {
        char c = s.p[i], low = c | 32;
        bool decimal = c >= '0' && c <= '9';
        if (!decimal && (low < 'a' || low > 'f'))
            return false;
        value = value << 4 | (uint32_t)(decimal ? c - '0' : low - 'a' + 10);
    }
    *out = value;
    return true;
}
