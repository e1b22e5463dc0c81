/* Unicode properties and NFC over generated tables (tools/gen_unicode.py). */
#ifndef QN_TEXT_UNICODE_H
#define QN_TEXT_UNICODE_H

#include "base/buf.h"
#include "base/utf8.h"
#include "text/unicode_tables.h"

/* clang-format off */
/* General categories in the order of the generator: tests by range are cheap. */
enum qn_category {
    QN_CAT_LU, QN_CAT_LL, QN_CAT_LT, QN_CAT_LM, QN_CAT_LO,
    QN_CAT_MN, QN_CAT_MC, QN_CAT_ME,
    QN_CAT_ND, QN_CAT_NL, QN_CAT_NO,
    QN_CAT_PC, QN_CAT_PD, QN_CAT_PS, QN_CAT_PE, QN_CAT_PI, QN_CAT_PF, QN_CAT_PO,
    QN_CAT_SM, QN_CAT_SC, QN_CAT_SK, QN_CAT_SO,
    QN_CAT_ZS, QN_CAT_ZL, QN_CAT_ZP,
    QN_CAT_CC, QN_CAT_CF, QN_CAT_CS, QN_CAT_CO, QN_CAT_CN,
};
/* clang-format on */
enum {
    QN_PROP_CATEGORY = 31,
    QN_PROP_SPACE = 32, // White_Space
    QN_PROP_NFC = 64,   // combining class not 0, or NFC quick check not Yes
    QN_PROP_WORD = 128, // \w
};

uint8_t qn_unicode_prop_high(uint32_t code_point);

/* Category and flags of any value below 0x110000; others count as unassigned. */
static inline uint8_t qn_unicode_prop(uint32_t code_point) {
    if (code_point < QN_UNICODE_LIMIT) {
        uint32_t at = code_point >> QN_UNICODE_SHIFT;
        uint32_t page = qn_unicode_pages[at / QN_UNICODE_PAGE];
        uint32_t block = qn_unicode_index[page * QN_UNICODE_PAGE + at % QN_UNICODE_PAGE];
        uint32_t low = code_point & ((1u << QN_UNICODE_SHIFT) - 1);
        return qn_unicode_props[block << QN_UNICODE_SHIFT | low];
    }
    return qn_unicode_prop_high(code_point);
}

uint8_t qn_unicode_category(uint32_t code_point); // enum qn_category

static inline bool qn_prop_is_mark(uint8_t prop) {
    uint32_t category = prop & QN_PROP_CATEGORY;
    return category >= QN_CAT_MN && category <= QN_CAT_ME;
}

uint32_t qn_unicode_combining_class(uint32_t code_point);
/* Canonical decomposition, one level: false when there is none; *second is 0 for a singleton. */
bool qn_unicode_decompose(uint32_t *first, uint32_t *second, uint32_t code_point);
/* Primary composite of a pair, Hangul included; 0 when there is none. */
uint32_t qn_unicode_compose(uint32_t first, uint32_t second);

/* Full compatibility decomposition (NFKD) where it differs from the canonical one: its length, or
 * 0. */
size_t qn_unicode_compat_decompose(uint32_t out[18], uint32_t code_point);
/* Lower case of one character by one character; U+0130 has none of that kind and stays. */
uint32_t qn_unicode_lower_simple(uint32_t code_point);

/* The code point at s.p[at] (*at < s.n) and its end; an ill-formed byte is QN_UTF8_INVALID. */
static inline uint32_t qn_unicode_next(struct qn_str s, size_t *at) {
    unsigned char byte = (unsigned char)s.p[*at];
    if (byte < 0x80) {
        ++*at;
        return byte;
    }
    return qn_utf8_next(s, at);
}

/* Appends `s` with ill-formed parts as U+FFFD, one for each maximal subpart (Unicode 3.9, table
 * 3-8), which is what the common replacing decoders do. */
void qn_utf8_append_lossy(struct qn_buf *buf, struct qn_str s);

#endif
