/* Numbers as Python prints, reads and computes them; integers in 64 bits, overflow is an error. */
#include "base/decimal.h"
#include "text/template_internal.h"

size_t qn_tnum_i64(char text[QN_TNUM_TEXT], int64_t value) {
    char digits[24];
    size_t n = 0, at = 0;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        digits[n++] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (value < 0)
        text[at++] = '-';
    while (n)
        text[at++] = digits[--n];
    text[at] = '\0';
    return at;
}

/* A decimal: 0.d1 d2 d3 … × 10^point, no trailing zeros; zero has no digits. */
struct decimal {
    char digits[QN_DECIMAL_TEXT];
    int n, point;
};

static void decimal_split(struct decimal *d, const char *text, size_t n) {
    int seen = 0, point = -1, exponent = 0;
    d->n = 0;
    size_t i = 0;
    for (; i < n && text[i] != 'e'; i++) {
        if (text[i] == '.') {
            point = seen;
        } else if (text[i] != '-') {
            seen++;
            if (d->n || text[i] != '0')
                d->digits[d->n++] = text[i];
        }
    }
    d->point = (point < 0 ? seen : point) - (seen - d->n);
    if (i < n) {
        bool negative = text[i + 1] == '-';
        for (i += 1; i < n; i++)
            if (text[i] >= '0' && text[i] <= '9')
                exponent = exponent * 10 + (text[i] - '0');
        d->point += negative ? -exponent : exponent;
    }
    while (d->n && d->digits[d->n - 1] == '0')
        d->n--;
}

static size_t special_text(char *text, double value) {
    const char *name = value != value ? "nan" : value > 0 ? "inf" : "-inf";
    size_t n = strlen(name);
    memcpy(text, name, n + 1);
    return n;
}

static bool is_finite(double value) {
    return value - value == 0;
}

/* repr(): the shortest digits that read back; plain from 1e-4 up to below 1e16, else 1e+16. */
size_t qn_tnum_repr(char text[QN_TNUM_TEXT], double value) {
    if (!is_finite(value))
        return special_text(text, value);
    struct decimal d;
    char raw[QN_DECIMAL_TEXT];
    double back = 0;
    size_t n = qn_decimal_shortest(raw, value);
    for (int i = 1; i < 15 && value < 0x1p-1022 && value > -0x1p-1022; i++) {
        // subnormals have fewer digits than the 15 that the function above begins with
        n = qn_decimal_digits(raw, value, i);
        if (qn_decimal_parse(&back, (struct qn_str){raw, n}) && back == value)
            break;
    }
    decimal_split(&d, raw, n);
    size_t at = 0;
    if (__builtin_signbit(value))
        text[at++] = '-';
    if (d.n == 0)
        d.point = 1;
    if (d.point > 16 || d.point < -3) {
        int exponent = d.point - 1;
        text[at++] = d.digits[0];
        if (d.n > 1)
            text[at++] = '.';
        for (int i = 1; i < d.n; i++)
            text[at++] = d.digits[i];
        text[at++] = 'e';
        text[at++] = exponent < 0 ? '-' : '+';
        exponent = exponent < 0 ? -exponent : exponent;
        if (exponent < 10)
            text[at++] = '0';
        return at + qn_tnum_i64(text + at, exponent);
    }
    if (d.point <= 0)
        text[at++] = '0';
    for (int i = 0; i < d.point; i++)
        text[at++] = i < d.n ? d.digits[i] : '0';
    text[at++] = '.';
    for (int i = d.point; i < 0; i++)
        text[at++] = '0';
    for (int i = d.point < 0 ? 0 : d.point; i < d.n; i++)
        text[at++] = d.digits[i];
    if (text[at - 1] == '.')
        text[at++] = '0';
    text[at] = '\0';
    return at;
}

/* Rounded half to even from the exact value; digits past the 17th are zeros. */
size_t qn_tnum_fixed(char text[QN_TNUM_TEXT], double value, uint32_t decimals) {
    if (!is_finite(value))
        return special_text(text, value);
    struct decimal d;
    char raw[QN_DECIMAL_TEXT];
    decimal_split(&d, raw, qn_decimal_digits(raw, value, 17));
    int keep = d.point + (int)decimals, places = (int)decimals;
    if (d.n && keep <= 0) {
        // all digits are dropped: one unit is left when the value is above half of it
        bool up = keep == 0 && (d.digits[0] > '5' || (d.digits[0] == '5' && d.n > 1));
        d.n = up;
        d.digits[0] = '1';
        d.point = 1 - places;
    } else if (d.n && keep < 17) {
        decimal_split(&d, raw, qn_decimal_digits(raw, value, keep));
    }
    size_t at = 0;
    if (__builtin_signbit(value))
        text[at++] = '-';
    if (d.n == 0)
        d.point = 0;
    if (d.point <= 0)
        text[at++] = '0';
    for (int i = 0; i < d.point; i++)
        text[at++] = i < d.n ? d.digits[i] : '0';
    if (places)
        text[at++] = '.';
    for (int i = 0; i < places; i++) {
        int digit = d.point + i;
        text[at++] = digit >= 0 && digit < d.n ? d.digits[digit] : '0';
    }
    text[at] = '\0';
    return at;
}

static int digit_value(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'z' ? c - 'a' + 10 : 99;
}

/* Python's int(text, base): blanks around, a sign, single underscores between digits. Base 0 takes
 * it from the prefix. False when malformed or too big. */
bool qn_tnum_parse_i64(int64_t *out, struct qn_str s, int base) {
    s = qn_tval_text(qn_tstr_strip((struct qn_tval[]){qn_tval_str(s)}, QN_TSTR_LEFT | QN_TSTR_RIGHT,
                                   &(struct qn_tval){.kind = QN_TVAL_MISSING}));
    size_t at = 0;
    bool negative = at < s.n && s.p[at] == '-';
    if (at < s.n && (s.p[at] == '-' || s.p[at] == '+'))
        at++;
    if (at + 2 < s.n && s.p[at] == '0') {
        char letter = (char)(s.p[at + 1] | 0x20);
        int prefix = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 0;
        if (prefix && (base == 0 || base == prefix)) {
            base = prefix;
            at += 2;
        }
    }
    base = base ? base : 10;
    if (at >= s.n || s.p[s.n - 1] == '_' || s.p[at] == '_')
        return false;
    int64_t value = 0;
    for (; at < s.n; at++) {
        if (s.p[at] == '_' && s.p[at - 1] != '_')
            continue;
        int digit = digit_value(s.p[at]);
        if (digit >= base || !qn_mul_i64(&value, value, base) ||
            __builtin_sub_overflow(value, (int64_t)digit, &value))
            return false;
    }
    // `value` is negative, so that the smallest integer can be read
    if (!negative && value == INT64_MIN)
        return false;
    *out = negative ? value : -value;
    return true;
}

bool qn_tnum_parse_f64(double *out, struct qn_str s) {
    char text[QN_TNUM_TEXT + 2];
    s = qn_tval_text(qn_tstr_strip((struct qn_tval[]){qn_tval_str(s)}, QN_TSTR_LEFT | QN_TSTR_RIGHT,
                                   &(struct qn_tval){.kind = QN_TVAL_MISSING}));
    bool negative = s.n && s.p[0] == '-';
    if (s.n && (s.p[0] == '-' || s.p[0] == '+'))
        s = qn_str_slice(s, 1, s.n);
    if (s.n == 0 || s.n > QN_TNUM_TEXT - 2)
        return false;
    double value;
    char lower[9] = "";
    for (size_t i = 0; i < s.n && i < 8; i++)
        lower[i] = (char)(s.p[i] | 0x20);
    if (s.n <= 8 && (!strcmp(lower, "inf") || !strcmp(lower, "infinity"))) {
        value = __builtin_inf();
    } else if (!strcmp(lower, "nan") && s.n == 3) {
        value = __builtin_nan("");
    } else {
        // the forms that Python knows beyond JSON: ".5", "5.", "1_000"
        size_t n = 0;
        if (s.p[0] == '.')
            text[n++] = '0';
        for (size_t i = 0; i < s.n; i++) {
            char next = i + 1 < s.n ? s.p[i + 1] : '\0';
            if (s.p[i] == '_' && i > 0 && s.p[i - 1] >= '0' && s.p[i - 1] <= '9' && next >= '0' &&
                next <= '9')
                continue;
            if (s.p[i] == '.' && !(next >= '0' && next <= '9')) {
                if (i == 0)
                    return false;
                continue;
            }
            text[n++] = s.p[i];
        }
        if (text[0] == '-' || !qn_decimal_parse(&value, (struct qn_str){text, n}))
            return false;
    }
    *out = negative ? -value : value;
    return true;
}

static double floor_f64(double x) {
    return __builtin_floor(x);
}

static enum qn_status power_i64(struct qn_tctx *ctx, struct qn_tval *out, int64_t a, int64_t b) {
    int64_t result = 1;
    for (;;) {
        if ((b & 1) && !qn_mul_i64(&result, result, a))
            break;
        b >>= 1;
        if (b == 0) {
            *out = qn_tval_int(result);
            return QN_OK;
        }
        if (!qn_mul_i64(&a, a, a))
            break;
    }
    return qn_tfail(&ctx->site, "integer overflow in **");
}

static enum qn_status power_f64(struct qn_tctx *ctx, struct qn_tval *out, double a, double b) {
    double result = 1;
    if (b == 0.5 && a >= 0) {
        result = __builtin_sqrt(a);
    } else if (b == floor_f64(b) && b > -2048 && b < 2048) {
        if (a == 0 && b < 0)
            return qn_tfail(&ctx->site, "division by zero");
        for (int n = (int)(b < 0 ? -b : b); n; n >>= 1, a *= a)
            if (n & 1)
                result *= a;
        if (b < 0)
            result = 1 / result;
    } else {
        return qn_tfail(&ctx->site, "** with this exponent is not supported");
    }
    *out = qn_tval_float(result);
    return QN_OK;
}

static enum qn_status binary_i64(struct qn_tctx *ctx, struct qn_tval *out, enum qn_top op,
                                 int64_t a, int64_t b) {
    int64_t r = 0;
    bool overflow = false;
    if ((op == QN_TOP_DIV || op == QN_TOP_FLOORDIV || op == QN_TOP_MOD) && b == 0)
        return qn_tfail(&ctx->site, "division by zero");
    switch (op) {
    case QN_TOP_ADD:
        overflow = __builtin_add_overflow(a, b, &r);
        break;
    case QN_TOP_SUB:
        overflow = __builtin_sub_overflow(a, b, &r);
        break;
    case QN_TOP_MUL:
        overflow = !qn_mul_i64(&r, a, b);
        break;
    case QN_TOP_DIV:
        *out = qn_tval_float((double)a / (double)b);
        return QN_OK;
    case QN_TOP_FLOORDIV: // the sign of the divisor, unlike C
        if (b == -1)
            overflow = __builtin_sub_overflow((int64_t)0, a, &r);
        else
            r = a / b - (a % b != 0 && (a % b < 0) != (b < 0));
        break;
    case QN_TOP_MOD:
        r = b == -1 ? 0 : a % b;
        if (r != 0 && (r < 0) != (b < 0))
            r += b;
        break;
    default:
        return b < 0 ? power_f64(ctx, out, (double)a, (double)b) : power_i64(ctx, out, a, b);
    }
    if (overflow)
        return qn_tfail(&ctx->site, "integer overflow");
    *out = qn_tval_int(r);
    return QN_OK;
}

/* Arithmetic on int, bool and float; the caller has checked the kinds. */
enum qn_status qn_tnum_binary(struct qn_tctx *ctx, struct qn_tval *out, enum qn_top op,
                              const struct qn_tval *a, const struct qn_tval *b) {
    int64_t ia, ib;
    if (qn_tval_as_int(&ia, a) && qn_tval_as_int(&ib, b))
        return binary_i64(ctx, out, op, ia, ib);
    double x = 0, y = 0, r;
    (void)qn_tval_as_float(&x, a);
    (void)qn_tval_as_float(&y, b);
    if ((op == QN_TOP_DIV || op == QN_TOP_FLOORDIV || op == QN_TOP_MOD) && y == 0)
        return qn_tfail(&ctx->site, "division by zero");
    switch (op) {
    case QN_TOP_ADD:
        r = x + y;
        break;
    case QN_TOP_SUB:
        r = x - y;
        break;
    case QN_TOP_MUL:
        r = x * y;
        break;
    case QN_TOP_DIV:
        r = x / y;
        break;
    case QN_TOP_FLOORDIV:
        r = floor_f64(x / y);
        break;
    case QN_TOP_MOD:
        r = x - y * floor_f64(x / y);
        break;
    default:
        return power_f64(ctx, out, x, y);
    }
    *out = qn_tval_float(r);
    return QN_OK;
}
