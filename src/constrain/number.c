#include "constrain/number.h"

#include <string.h>

bool qn_decimal_read(struct qn_decimal *out, struct qn_str s) {
    size_t at = 0;
    int32_t exponent = 0, sign = 1;
    bool fraction = false;
    memset(out, 0, sizeof *out);
    out->negative = at < s.n && s.p[at] == '-';
    for (at = out->negative; at < s.n && (s.p[at] | 32) != 'e'; at++) {
        char c = s.p[at];
        if (c == '.') {
            fraction = true;
            continue;
        }
        out->point += !fraction && (out->n > 0 || c != '0');
        out->point -= fraction && out->n == 0 && c == '0';
        if (out->n == 0 && c == '0')
            continue;
        if (out->n == sizeof out->digits) {
            if (c != '0')
                return false;
            continue;
        }
        out->digits[out->n++] = c;
    }
    for (at++; at < s.n; at++) {
        if (s.p[at] == '-')
            sign = -1;
        else if (s.p[at] != '+')
            exponent = exponent > 9999 ? exponent : exponent * 10 + s.p[at] - '0';
    }
    while (out->n > 0 && out->digits[out->n - 1] == '0')
        out->n--;
    if (out->n == 0) {
        out->point = 0;
        out->negative = false;
        return true;
    }
    out->point += sign * exponent;
    return out->point < 400 && out->point > -400;
}

static uint32_t digits(struct qn_terms *t, uint32_t min, uint32_t max) {
    return qn_term_rep(t, qn_term_range(t, '0', '9'), min, max);
}

static uint32_t byte(struct qn_terms *t, char c, uint32_t rest) {
    return qn_term_cat(t, qn_term_range(t, (unsigned char)c, (unsigned char)c), rest);
}

static uint32_t maybe(struct qn_terms *t, uint32_t a) {
    return qn_term_or(t, QN_TERM_EPS, a);
}

uint32_t qn_number_any(struct qn_terms *t, bool integer, bool exponents, bool canonical) {
    uint32_t one_nine = qn_term_range(t, '1', '9'), zero = qn_term_range(t, '0', '0');
    uint32_t whole = qn_term_cat(t, one_nine, digits(t, 0, QN_NUMBER_DIGITS - 1));
    uint32_t minus = maybe(t, qn_term_range(t, '-', '-'));
    if (canonical) {
        uint32_t part = byte(t, '.', qn_term_cat(t, digits(t, 0, QN_NUMBER_DIGITS - 1), one_nine));
        uint32_t more = integer ? QN_TERM_EPS : maybe(t, part);
        uint32_t below = integer ? QN_TERM_EMPTY : qn_term_cat(t, zero, part);
        uint32_t some = qn_term_or(t, below, qn_term_cat(t, whole, more));
        return qn_term_or(t, zero, qn_term_cat(t, minus, some));
    }
    uint32_t rest = QN_TERM_EPS;
    if (!integer && exponents) {
        uint32_t sign =
            maybe(t, qn_term_or(t, qn_term_range(t, '+', '+'), qn_term_range(t, '-', '-')));
        uint32_t e = qn_term_or(t, qn_term_range(t, 'e', 'e'), qn_term_range(t, 'E', 'E'));
        rest = maybe(t, qn_term_cat(t, e, qn_term_cat(t, sign, digits(t, 1, 2))));
    }
    if (!integer)
        rest = qn_term_cat(t, maybe(t, byte(t, '.', digits(t, 1, QN_NUMBER_DIGITS))), rest);
    return qn_term_cat(t, minus, qn_term_cat(t, qn_term_or(t, zero, whole), rest));
}

/* The digit of d that counts 10^place. */
static uint32_t digit_at(const struct qn_decimal *d, int32_t place) {
    int32_t i = d->point - 1 - place;
    return i < 0 || i >= (int32_t)d->n ? 0 : (uint32_t)(d->digits[i] - '0');
}

/* The same digit and then `same`, or one that decides (not below `low`) and then `free`. */
static uint32_t step(struct qn_terms *t, uint32_t digit, bool least, uint32_t low, uint32_t same,
                     uint32_t free) {
    uint32_t from = '0' + (least ? digit + 1 : low), to = '0' + (least ? 10 : digit);
    same = byte(t, (char)('0' + digit), same);
    return from < to ? qn_term_or(t, same, qn_term_cat(t, qn_term_range(t, from, to - 1), free))
                     : same;
}

/* Numbers without sign that are at least (at most) |d|: digit by digit from the front, the first
 * that differs decides. */
static uint32_t magnitude(struct qn_terms *t, const struct qn_decimal *d, bool least, bool strict) {
    int32_t whole = d->point > 0 ? d->point : 1, last = (int32_t)d->n - d->point;
    uint32_t any = digits(t, 0, UINT32_MAX), zero = qn_term_range(t, '0', '0');
    uint32_t one_nine = qn_term_range(t, '1', '9');
    uint32_t fraction = maybe(t, byte(t, '.', digits(t, 1, UINT32_MAX)));
    last = last > 0 ? last : 0; // digits behind the point
    /* All digits were the same: what may still come, at least one digit if `last` is 0. */
    uint32_t min = last == 0, rest;
    if (least && strict)
        rest = qn_term_cat(t, qn_term_rep(t, zero, 0, UINT32_MAX), qn_term_cat(t, one_nine, any));
    else if (least)
        rest = digits(t, min, UINT32_MAX);
    else
        rest = strict ? QN_TERM_EMPTY : qn_term_rep(t, zero, min, UINT32_MAX);
    for (int32_t place = -last; place < 0; place++) {
        rest = step(t, digit_at(d, place), least, 0, rest, any);
        if (!least && place != -1)
            rest = maybe(t, rest); // to end before d does is to be less
    }
    rest = byte(t, '.', rest);
    if (least ? !strict && last == 0 : !strict || last > 0)
        rest = maybe(t, rest);
    for (int32_t place = 0; place < whole; place++) {
        uint32_t low = place == whole - 1 && whole > 1;
        uint32_t more = digits(t, (uint32_t)place, (uint32_t)place);
        rest = step(t, digit_at(d, place), least, low, rest, qn_term_cat(t, more, fraction));
    }
    /* Longer numbers are larger. */
    uint32_t n = (uint32_t)whole, other = QN_TERM_EMPTY;
    if (least)
        other = qn_term_cat(t, one_nine, digits(t, n, UINT32_MAX));
    else if (n > 1)
        other = qn_term_or(t, zero, qn_term_cat(t, one_nine, digits(t, 0, n - 2)));
    return qn_term_or(t, rest, qn_term_cat(t, other, fraction));
}

uint32_t qn_number_bound(struct qn_terms *t, const struct qn_decimal *b, bool least, bool strict) {
    uint32_t fraction = maybe(t, byte(t, '.', digits(t, 1, UINT32_MAX)));
    uint32_t any = qn_term_cat(t, digits(t, 1, UINT32_MAX), fraction), out;
    struct qn_decimal zero = {0};
    if (b->negative) {
        out = byte(t, '-', magnitude(t, b, !least, strict));
        return least ? qn_term_or(t, any, out) : out;
    }
    out = magnitude(t, b, least, strict);
    if (least)
        return out;
    return qn_term_or(t, out, byte(t, '-', b->n ? any : magnitude(t, &zero, true, strict)));
}

uint32_t qn_number_multiple(struct qn_terms *t, const struct qn_decimal *d) {
    int32_t places = (int32_t)d->n - d->point; // behind the point
    uint64_t k = 0;
    if (places > 40 || d->n > 10 || d->point > 10)
        return QN_TERM_EMPTY;
    for (int32_t i = 0; i < (places < 0 ? d->point : (int32_t)d->n); i++)
        k = k * 10 + (i < (int32_t)d->n ? (uint64_t)(d->digits[i] - '0') : 0);
    return k > UINT32_MAX ? QN_TERM_EMPTY
                          : qn_term_mod(t, (uint32_t)k, places < 0 ? 0 : (uint32_t)places);
}

uint32_t qn_number_exact(struct qn_terms *t) {
    uint32_t set[8] = {0};
    for (const char *c = "0123456789."; *c; c++)
        set[*c >> 5] |= 1u << (*c & 31);
    return qn_term_cat(t, maybe(t, qn_term_range(t, '-', '-')),
                       qn_term_rep(t, qn_term_set(t, set), 1, 15));
}
