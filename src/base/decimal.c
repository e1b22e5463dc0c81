#include "base/decimal.h"

#include <string.h>

/* Unsigned big integers, little-endian words. The largest number below is 800 decimal digits
 * shifted by 1100 bits, or 5^1130 × 2^54, shifted by 1463: well under 160 words. */
#define BIG_WORDS 160

struct big {
    uint32_t n; // words in use; the top one is not zero
    uint32_t w[BIG_WORDS];
};

static void big_set(struct big *b, uint64_t value) {
    b->w[0] = (uint32_t)value;
    b->w[1] = (uint32_t)(value >> 32);
    b->n = b->w[1] != 0 ? 2 : b->w[0] != 0;
}

static void big_mul_add(struct big *b, uint32_t factor, uint32_t carry) {
    for (uint32_t i = 0; i < b->n; i++) {
        uint64_t product = (uint64_t)b->w[i] * factor + carry;
        b->w[i] = (uint32_t)product;
        carry = (uint32_t)(product >> 32);
    }
    if (carry != 0 && b->n < BIG_WORDS)
        b->w[b->n++] = carry;
}

static void big_mul_pow5(struct big *b, uint32_t power) {
    for (; power >= 13; power -= 13)
        big_mul_add(b, 1220703125, 0); // 5^13
    for (; power > 0; power--)
        big_mul_add(b, 5, 0);
}

static void big_shift(struct big *b, uint32_t bits) {
    uint32_t words = bits / 32;
    bits %= 32;
    if (b->n == 0 || b->n + words + 1 > BIG_WORDS)
        return;
    memmove(b->w + words, b->w, b->n * sizeof *b->w);
    memset(b->w, 0, words * sizeof *b->w);
    b->n += words;
    if (bits == 0)
        return;
    uint32_t carry = 0;
    for (uint32_t i = words; i < b->n; i++) {
        uint32_t word = b->w[i];
        b->w[i] = word << bits | carry;
        carry = word >> (32 - bits);
    }
    if (carry != 0)
        b->w[b->n++] = carry;
}

static uint32_t big_div(struct big *b, uint32_t divisor) {
    uint64_t rest = 0;
    for (uint32_t i = b->n; i-- > 0;) {
        rest = rest << 32 | b->w[i];
        b->w[i] = (uint32_t)(rest / divisor);
        rest %= divisor;
    }
    while (b->n != 0 && b->w[b->n - 1] == 0)
        b->n--;
    return (uint32_t)rest;
}

static int big_compare(const struct big *a, const struct big *b) {
    if (a->n != b->n)
        return a->n < b->n ? -1 : 1;
    for (uint32_t i = a->n; i-- > 0;)
        if (a->w[i] != b->w[i])
            return a->w[i] < b->w[i] ? -1 : 1;
    return 0;
}

static uint64_t bits_of(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static double of_bits(uint64_t bits) {
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* |value| = mantissa × 2^exponent; also right for the number after DBL_MAX, 2^1024. */
static void split(uint64_t bits, uint64_t *mantissa, int *exponent) {
    int field = (int)(bits >> 52 & 0x7ff);
    uint64_t fraction = bits & ((UINT64_C(1) << 52) - 1);
    *mantissa = field == 0 ? fraction : fraction | UINT64_C(1) << 52;
    *exponent = (field == 0 ? 1 : field) - 1075;
}

#define DIGITS_MAX 800

/* Writing. 0.d1d2d3… × 10^point */
struct digits {
    char d[DIGITS_MAX];
    int n, point;
};

/* The full decimal expansion of mantissa × 2^exponent (at most 767 digits for a double). */
static void expand(struct digits *out, uint64_t mantissa, int exponent) {
    struct big b;
    int zeros = __builtin_ctzll(mantissa);
    mantissa >>= zeros;
    exponent += zeros;
    big_set(&b, mantissa);
    if (exponent >= 0)
        big_shift(&b, (uint32_t)exponent);
    else
        big_mul_pow5(&b, (uint32_t)-exponent);

    char reversed[DIGITS_MAX + 16];
    int n = 0;
    while (b.n != 0) {
        uint32_t group = big_div(&b, 1000000000);
        for (int i = 0; i < 9; i++, group /= 10)
            reversed[n++] = (char)('0' + group % 10);
    }
    while (reversed[n - 1] == '0')
        n--;
    out->n = n;
    out->point = exponent < 0 ? n + exponent : n;
    for (int i = 0; i < n; i++)
        out->d[i] = reversed[n - 1 - i];
}

static void round_digits(struct digits *digits, int keep) {
    if (digits->n > keep) {
        bool more = false;
        for (int i = keep + 1; i < digits->n; i++)
            more |= digits->d[i] != '0';
        char first = digits->d[keep];
        bool odd = (digits->d[keep - 1] - '0') % 2 != 0;
        digits->n = keep;
        if (first > '5' || (first == '5' && (more || odd))) {
            int i = keep - 1;
            while (i >= 0 && digits->d[i] == '9')
                digits->d[i--] = '0';
            if (i >= 0) {
                digits->d[i]++;
            } else {
                digits->d[0] = '1';
                digits->point++;
            }
        }
    }
    while (digits->n > 1 && digits->d[digits->n - 1] == '0')
        digits->n--;
}

static size_t layout(char *out, const struct digits *digits, bool negative) {
    size_t n = 0;
    int point = digits->point;
    if (negative)
        out[n++] = '-';
    if (point > -5 && point <= 17) {
        if (point <= 0) {
            out[n++] = '0';
            out[n++] = '.';
            for (int i = point; i < 0; i++)
                out[n++] = '0';
        }
        for (int i = 0; i < digits->n || i < point; i++) {
            if (i == point && i > 0)
                out[n++] = '.';
            out[n++] = i < digits->n ? digits->d[i] : '0';
        }
        return n;
    }
    out[n++] = digits->d[0];
    if (digits->n > 1) {
        out[n++] = '.';
        memcpy(out + n, digits->d + 1, (size_t)(digits->n - 1));
        n += (size_t)(digits->n - 1);
    }
    out[n++] = 'e';
    int e = point - 1;
    if (e < 0) {
        out[n++] = '-';
        e = -e;
    }
    if (e >= 100)
        out[n++] = (char)('0' + e / 100);
    if (e >= 10)
        out[n++] = (char)('0' + e / 10 % 10);
    out[n++] = (char)('0' + e % 10);
    return n;
}

static size_t special(char *out, uint64_t bits) {
    const char *text = (bits & ~(UINT64_C(1) << 63)) == 0 ? (bits >> 63 ? "-0" : "0")
                       : (bits << 12) != 0                ? "nan"
                       : bits >> 63                       ? "-inf"
                                                          : "inf";
    size_t n = strlen(text);
    memcpy(out, text, n);
    return n;
}

static bool is_special(uint64_t bits) {
    return bits << 1 == 0 || (bits >> 52 & 0x7ff) == 0x7ff;
}

size_t qn_decimal_digits(char out[QN_DECIMAL_TEXT], double value, int significant) {
    uint64_t bits = bits_of(value), mantissa;
    if (is_special(bits))
        return special(out, bits);
    struct digits digits;
    int exponent;
    split(bits, &mantissa, &exponent);
    expand(&digits, mantissa, exponent);
    round_digits(&digits, significant < 1 ? 1 : significant > 17 ? 17 : significant);
    return layout(out, &digits, bits >> 63);
}

size_t qn_decimal_shortest(char out[QN_DECIMAL_TEXT], double value) {
    uint64_t bits = bits_of(value), mantissa;
    if (is_special(bits))
        return special(out, bits);
    struct digits all, digits;
    int exponent;
    split(bits, &mantissa, &exponent);
    expand(&all, mantissa, exponent);
    size_t n = 0;
    for (int keep = 15; keep <= 17; keep++) {
        digits.n = all.n > 19 ? 19 : all.n;
        digits.point = all.point;
        memcpy(digits.d, all.d, (size_t)digits.n);
        if (all.n > 19 && digits.d[18] == '0')
            digits.d[18] = '1'; // stands for the rest, which is not zero: only rounding looks here
        round_digits(&digits, keep);
        n = layout(out, &digits, bits >> 63);
        double back;
        if (qn_decimal_parse(&back, (struct qn_str){out, n}) && bits_of(back) == bits)
            break;
    }
    return n;
}

/* Reading. */
struct number {
    struct qn_str digits; // the mantissa as written: digits and at most one '.'
    bool negative;
    int64_t exponent; // as written, saturated
};

static bool read_number(struct number *out, struct qn_str s) {
    size_t at = 0, n_digits = 0;
    bool dot = false;
    out->negative = s.n != 0 && s.p[0] == '-';
    at += out->negative;
    size_t begin = at;
    for (; at < s.n; at++) {
        char c = s.p[at];
        if (c >= '0' && c <= '9')
            n_digits++;
        else if (c == '.' && !dot && n_digits != 0)
            dot = true;
        else
            break;
    }
    if (n_digits == 0 || s.p[at - 1] == '.')
        return false;
    out->digits = (struct qn_str){s.p + begin, at - begin};
    out->exponent = 0;
    if (at == s.n)
        return true;
    if (s.p[at] != 'e' && s.p[at] != 'E')
        return false;
    at++;
    bool minus = at < s.n && s.p[at] == '-';
    if (at < s.n && (s.p[at] == '-' || s.p[at] == '+'))
        at++;
    if (at == s.n)
        return false;
    int64_t exponent = 0;
    for (; at < s.n; at++) {
        if (s.p[at] < '0' || s.p[at] > '9')
            return false;
        if (exponent < INT64_C(1000000000000))
            exponent = exponent * 10 + (s.p[at] - '0');
    }
    out->exponent = minus ? -exponent : exponent;
    return true;
}

/* mantissa × 10^power; `more` says that non-zero digits were dropped below the mantissa. */
struct scaled {
    struct qn_str digits; // from the first digit that is not zero
    uint64_t mantissa;    // of the first 19 digits
    int64_t power;
    bool more;
};

static void scale(struct scaled *out, const struct number *number) {
    struct qn_str d = number->digits;
    int64_t power = number->exponent;
    size_t dot = d.n, first = 0;
    for (size_t i = 0; i < d.n; i++)
        if (d.p[i] == '.')
            dot = i;
    for (; first < d.n && (d.p[first] == '0' || d.p[first] == '.'); first++)
        power -= first > dot; // 0.05: skipped zeros behind the point count
    *out = (struct scaled){.digits = {d.p + first, d.n - first}};
    int taken = 0;
    for (size_t i = first; i < d.n; i++) {
        if (d.p[i] == '.')
            continue;
        if (taken == 19) {
            out->more |= d.p[i] != '0';
            if (i < dot)
                power++;
            continue;
        }
        out->mantissa = out->mantissa * 10 + (uint64_t)(d.p[i] - '0');
        taken++;
        if (i > dot)
            power--;
    }
    out->power = power;
}

static const double exact_pow10[23] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                       1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                       1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* Rounds the 128-bit integer, with a sticky rest below it, times 2^exponent. The result is a normal
 * double: callers keep within 10^±19. */
static double round_wide(uint64_t high, uint64_t low, bool sticky, int exponent) {
    if (high == 0) {
        high = low;
        low = 0;
        exponent -= 64;
    }
    int zeros = __builtin_clzll(high);
    if (zeros != 0)
        high = high << zeros | low >> (64 - zeros);
    low <<= zeros;
    exponent += 128 - 53 - zeros;
    uint64_t mantissa = high >> 11, rest = high & 2047, half = 1024;
    if (rest > half || (rest == half && (low != 0 || sticky || mantissa % 2 != 0)))
        mantissa++;
    return (double)mantissa * of_bits((uint64_t)(exponent + 1023) << 52);
}

static bool fast(double *out, const struct scaled *s) {
    if (s->more || s->power < -22 || s->power > 22)
        return false;
    if (s->mantissa <= UINT64_C(1) << 53) {
        // Both operands are exact, so the one operation is correctly rounded (Clinger 1990).
        *out = s->power < 0 ? (double)s->mantissa / exact_pow10[-s->power]
                            : (double)s->mantissa * exact_pow10[s->power];
        return true;
    }
    if (s->power < -19 || s->power > 19)
        return false;
    // 10^power = 5^power × 2^power, and 5^19 has 45 bits: 64-bit operations do, in two or four
    // steps.
    uint64_t five = 1, m = s->mantissa;
    int power = (int)s->power;
    for (int i = power < 0 ? -power : power; i > 0; i--)
        five *= 5;
    if (power >= 0) {
        uint64_t a = (m & UINT32_MAX) * (five & UINT32_MAX), b = (m >> 32) * (five & UINT32_MAX);
        uint64_t c = (m & UINT32_MAX) * (five >> 32), middle = (a >> 32) + (b & UINT32_MAX) + c;
        uint64_t low = middle << 32 | (a & UINT32_MAX);
        *out = round_wide((m >> 32) * (five >> 32) + (b >> 32) + (middle >> 32), low, false, power);
    } else {
        uint64_t high = m / five, rest = m % five, low = 0;
        for (int i = 0; i < 4; i++) {
            rest <<= 16;
            low = low << 16 | rest / five;
            rest %= five;
        }
        *out = round_wide(high, low, rest != 0, power - 64);
    }
    return true;
}

/* Compares digits × 10^power with mantissa × 2^exponent, exactly. */
static int compare(const struct big *digits, int power, uint64_t mantissa, int exponent) {
    struct big left = *digits, right;
    big_set(&right, mantissa);
    if (power >= 0)
        big_mul_pow5(&left, (uint32_t)power);
    else
        big_mul_pow5(&right, (uint32_t)-power);
    int shift = power - exponent;
    if (shift >= 0)
        big_shift(&left, (uint32_t)shift);
    else
        big_shift(&right, (uint32_t)-shift);
    return big_compare(&left, &right);
}

/* Any length, any exponent: an approximation in doubles, then steps of one ulp until the exact
 * value lies between the midpoints on both sides. Bits of +infinity mean overflow. */
static uint64_t slow(const struct scaled *s, int64_t exponent_of_last) {
    struct big digits = {.n = 0};
    int taken = 0;
    int64_t power = exponent_of_last;
    bool sticky = false;
    for (size_t i = 0; i < s->digits.n; i++) {
        char c = s->digits.p[i];
        if (c == '.')
            continue;
        if (taken < DIGITS_MAX - 1) {
            big_mul_add(&digits, 10, (uint32_t)(c - '0'));
            taken++;
        } else {
            sticky |= c != '0';
        }
    }
    int64_t n_digits = (int64_t)s->digits.n;
    for (size_t i = 0; i < s->digits.n; i++)
        n_digits -= s->digits.p[i] == '.';
    power += n_digits - taken;
    if (sticky) {
        // No midpoint of doubles has this many digits: any digit will do for the rest.
        big_mul_add(&digits, 10, 1);
        power--;
        taken++;
    }
    if (power + taken > 310)
        return UINT64_C(0x7ff) << 52;
    if (power + taken < -330)
        return 0;

    double x = (double)s->mantissa;
    int64_t p = s->power;
    for (; p > 22; p -= 22)
        x *= 1e22;
    for (; p < -22; p += 22)
        x /= 1e22;
    x = p < 0 ? x / exact_pow10[-p] : x * exact_pow10[p];
    uint64_t bits = bits_of(x), infinity = UINT64_C(0x7ff) << 52;
    if (bits >= infinity)
        bits = infinity - 1;
    for (;;) {
        uint64_t mantissa;
        int exponent;
        split(bits, &mantissa, &exponent);
        int above = compare(&digits, (int)power, 2 * mantissa + 1, exponent - 1);
        if (above > 0 || (above == 0 && bits % 2 != 0)) {
            bits++;
            if (bits == infinity)
                return bits;
            if (above == 0)
                return bits;
            continue;
        }
        if (above == 0 || bits == 0)
            return bits;
        split(bits - 1, &mantissa, &exponent);
        int below = compare(&digits, (int)power, 2 * mantissa + 1, exponent - 1);
        if (below > 0 || (below == 0 && bits % 2 == 0))
            return bits;
        bits--;
    }
}

bool qn_decimal_parse(double *out, struct qn_str s) {
    struct number number;
    struct scaled scaled;
    if (!read_number(&number, s))
        return false;
    scale(&scaled, &number);
    double value = 0;
    if (scaled.mantissa != 0 && !fast(&value, &scaled)) {
        size_t dot = qn_str_find(number.digits, QN_STR("."), 0);
        int64_t after = dot == SIZE_MAX ? 0 : (int64_t)(number.digits.n - dot - 1);
        uint64_t bits = slow(&scaled, number.exponent - after);
        if (bits == UINT64_C(0x7ff) << 52)
            return false;
        value = of_bits(bits);
    }
    *out = number.negative ? -value : value;
    return true;
}
