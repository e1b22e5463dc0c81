#include "text/unicode.h"

#define HANGUL_S 0xac00u
#define HANGUL_L 0x1100u
#define HANGUL_V 0x1161u
#define HANGUL_T 0x11a7u
#define HANGUL_N_V 21u
#define HANGUL_N_T 28u
#define HANGUL_N_S 11172u

uint8_t qn_unicode_category(uint32_t code_point) {
    return qn_unicode_prop(code_point) & QN_PROP_CATEGORY;
}

uint8_t qn_unicode_prop_high(uint32_t code_point) {
    if (code_point == 0xe0001 || (code_point >= 0xe0020 && code_point <= 0xe007f))
        return QN_CAT_CF;
    if (code_point >= 0xe0100 && code_point <= 0xe01ef)
        return QN_CAT_MN | QN_PROP_WORD;
    if (code_point >= 0xf0000 && code_point <= 0x10fffd && (code_point & 0xffff) < 0xfffe)
        return QN_CAT_CO;
    return QN_CAT_CN;
}

/* Value i of a table of n whose bytes stand apart. */
static uint64_t value_at(const uint8_t *table, uint32_t width, uint32_t n, uint32_t i) {
    uint64_t value = 0;
    for (uint32_t byte = width; byte-- > 0;)
        value = value << 8 | table[byte * n + i];
    return value;
}

/* The last of n sorted runs that begins no later than the code point, which is in the bits from
 * `shift` on; 0, a run of none, where all begin later. */
static uint64_t run_at(const uint8_t *table, uint32_t width, uint32_t n, uint32_t shift,
                       uint32_t code_point) {
    uint32_t low = 0, high = n;
    while (low < high) { // the first run that begins behind
        uint32_t middle = (low + high) / 2;
        if (value_at(table, width, n, middle) >> shift <= code_point)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 ? value_at(table, width, n, low - 1) : 0;
}

uint32_t qn_unicode_combining_class(uint32_t code_point) {
    if (code_point < 0x300)
        return 0;
    uint64_t run = run_at(qn_unicode_classes, 4, QN_UNICODE_N_CLASSES, 14, code_point);
    return code_point - (run >> 14) < (run >> 8 & 63) ? run & 255 : 0;
}

/* Index of a code point in a sorted list of `n` that is kept as distances; `n`: not there. */
static uint32_t find(const uint32_t *starts, const uint16_t *distances, uint32_t n,
                     uint32_t code_point) {
    uint32_t low = 0, high = (n + QN_UNICODE_STEP - 1) / QN_UNICODE_STEP;
    while (low < high) { // the first start that lies behind
        uint32_t middle = (low + high) / 2;
        if (starts[middle] <= code_point)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return n;
    uint32_t key = starts[low - 1], i = (low - 1) * QN_UNICODE_STEP;
    uint32_t end = i + QN_UNICODE_STEP < n ? i + QN_UNICODE_STEP : n;
    while (key < code_point && ++i < end)
        key += distances[i];
    return i < end && key == code_point ? i : n;
}

/* The pair of an entry of the table of canonical decompositions: first << 18 | second. */
static uint64_t pair_of(uint32_t entry) {
    uint64_t first = value_at(qn_unicode_canonical_first, 2, QN_UNICODE_N_DECOMPOSITIONS, entry);
    uint32_t mark = qn_unicode_canonical_second[entry];
    if (mark & 128)
        first |= mark == 128 ? 0x20000 : 0x10000;
    return first << 18 | qn_unicode_seconds[mark & 127];
}

bool qn_unicode_decompose(uint32_t *first, uint32_t *second, uint32_t code_point) {
    uint32_t syllable = code_point - HANGUL_S;
    if (syllable < HANGUL_N_S) {
        uint32_t t = syllable % HANGUL_N_T;
        if (t != 0) {
            *first = code_point - t;
            *second = HANGUL_T + t;
        } else {
            *first = HANGUL_L + syllable / (HANGUL_N_V * HANGUL_N_T);
            *second = HANGUL_V + syllable / HANGUL_N_T % HANGUL_N_V;
        }
        return true;
    }
    uint32_t entry = find(qn_unicode_canonical_starts, qn_unicode_canonical_distances,
                          QN_UNICODE_N_DECOMPOSITIONS, code_point);
    if (entry == QN_UNICODE_N_DECOMPOSITIONS)
        return false;
    uint64_t pair = pair_of(entry);
    *first = (uint32_t)(pair >> 18);
    *second = (uint32_t)(pair & 0x3ffff);
    return true;
}

/* Entry of the i-th primary composite in the order of pairs. */
static uint32_t composed(uint32_t i) {
    return (uint32_t)value_at(qn_unicode_compositions, 2, QN_UNICODE_N_COMPOSITIONS, i);
}

uint32_t qn_unicode_compose(uint32_t first, uint32_t second) {
    if (first - HANGUL_L < 19 && second - HANGUL_V < HANGUL_N_V)
        return HANGUL_S + ((first - HANGUL_L) * HANGUL_N_V + second - HANGUL_V) * HANGUL_N_T;
    if (first - HANGUL_S < HANGUL_N_S && (first - HANGUL_S) % HANGUL_N_T == 0 &&
        second - HANGUL_T - 1 < HANGUL_N_T - 1)
        return first + second - HANGUL_T;
    if (first >= 0x40000 || second >= 0x40000)
        return 0;
    uint64_t pair = (uint64_t)first << 18 | second;
    uint32_t low = 0, high = QN_UNICODE_N_COMPOSITIONS;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (pair_of(composed(middle)) < pair)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == QN_UNICODE_N_COMPOSITIONS)
        return 0;
    uint32_t entry = composed(low);
    if (pair_of(entry) != pair)
        return 0;
    uint32_t composite = qn_unicode_canonical_starts[entry / QN_UNICODE_STEP];
    for (uint32_t i = entry / QN_UNICODE_STEP * QN_UNICODE_STEP; i < entry; i++)
        composite += qn_unicode_canonical_distances[i + 1];
    return composite;
}

size_t qn_unicode_compat_decompose(uint32_t out[18], uint32_t code_point) {
    if (code_point < 0xa0 || code_point >= QN_UNICODE_LIMIT)
        return 0;
    uint64_t run = run_at(qn_unicode_compat_runs, 8, QN_UNICODE_N_COMPAT_RUNS, 32, code_point);
    uint32_t offset = code_point - (uint32_t)(run >> 32);
    if (offset < (run >> 16 & 0xffff)) {
        out[0] = (uint32_t)(run & 0xffff) + offset;
        return 1;
    }
    uint32_t entry = find(qn_unicode_compat_starts, qn_unicode_compat_distances,
                          QN_UNICODE_N_COMPAT, code_point);
    if (entry == QN_UNICODE_N_COMPAT)
        return 0;
    uint32_t at = qn_unicode_compat_first[entry / QN_UNICODE_STEP];
    uint32_t n = qn_unicode_compat_lengths[entry];
    for (uint32_t i = entry / QN_UNICODE_STEP * QN_UNICODE_STEP; i < entry; i++)
        at += qn_unicode_compat_lengths[i];
    for (uint32_t i = 0; i < n; i++) {
        uint32_t unit =
            (uint32_t)value_at(qn_unicode_compat_units, 2, QN_UNICODE_N_COMPAT_UNITS, at + i);
        out[i] = unit >= 0xd800 && unit < 0xe000 ? unit - 0xd800 + 0x1df00 : unit;
    }
    return n;
}

uint32_t qn_unicode_lower_simple(uint32_t code_point) {
    uint64_t run = run_at(qn_unicode_lower, 8, QN_UNICODE_N_LOWER, 40, code_point);
    uint32_t offset = code_point - (uint32_t)(run >> 40), shift = run >> 32 & 1;
    if ((offset & shift) != 0 || offset >> shift >= (run >> 33 & 127))
        return code_point;
    return code_point + (uint32_t)run;
}

/* Length of the maximal subpart of an ill-formed sequence at p: the longest prefix of a well-formed
 * one, at least 1. */
static size_t subpart(const unsigned char *p, size_t n) {
    unsigned char lead = p[0], low = 0x80, high = 0xbf;
    size_t more;
    if (lead >= 0xc2 && lead <= 0xdf)
        more = 1;
    else if (lead >= 0xe0 && lead <= 0xef)
        more = 2;
    else if (lead >= 0xf0 && lead <= 0xf4)
        more = 3;
    else
        return 1;
    if (lead == 0xe0)
        low = 0xa0;
    else if (lead == 0xed)
        high = 0x9f;
    else if (lead == 0xf0)
        low = 0x90;
    else if (lead == 0xf4)
        high = 0x8f;
    size_t i = 1;
    while (i <= more && i < n && p[i] >= low && p[i] <= high) {
        low = 0x80;
        high = 0xbf;
        i++;
    }
    return i;
}

void qn_utf8_append_lossy(struct qn_buf *buf, struct qn_str s) {
    while (s.n > 0) {
        size_t good = qn_utf8_check(s);
        if (good == SIZE_MAX) {
            qn_buf_str(buf, s);
            return;
        }
        qn_buf_append(buf, s.p, good);
        qn_buf_append(buf, "\xef\xbf\xbd", 3);
        good += subpart((const unsigned char *)s.p + good, s.n - good);
        s.p += good;
        s.n -= good;
    }
}
