/* Strings, UTF-8, formatting, error texts, numbers to text and back. */
#include <inttypes.h>
#include <math.h>

#include "base/buf.h"
#include "base/decimal.h"
#include "base/num.h"
#include "base/str.h"
#include "base/utf8.h"
#include "tests/c/faults.h"

static const struct qn_allocator *plain;

static uint64_t state = 88172645463325252u;
static uint64_t random_u64(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static bool buf_is(struct qn_buf *buf, const char *expected) {
    bool same = !buf->failed && qn_str_is(qn_buf_view(buf), expected);
    if (!same)
        fprintf(stderr, "    got  %.*s\n    want %s\n", (int)buf->n, buf->p, expected);
    qn_buf_clear(buf);
    return same;
}

static void test_slices(void) {
    struct qn_str s = QN_STR("one two one");
    CHECK(qn_str_find(s, QN_STR("one"), 0) == 0);
    CHECK(qn_str_find(s, QN_STR("one"), 1) == 8);
    CHECK(qn_str_find(s, QN_STR("one"), 9) == SIZE_MAX);
    CHECK(qn_str_find(s, QN_STR(""), 11) == 11);
    CHECK(qn_str_find(s, QN_STR(""), 12) == SIZE_MAX);
    CHECK(qn_str_find(QN_STR("aab"), QN_STR("ab"), 0) == 1);
    CHECK(qn_str_starts(s, QN_STR("one ")) && !qn_str_starts(s, QN_STR("two")));
    CHECK(qn_str_ends(s, QN_STR(" one")) && !qn_str_ends(QN_STR("e"), QN_STR("one")));
    CHECK(qn_str_is(qn_str_slice(s, 4, 7), "two"));
    CHECK(qn_str_slice(s, 9, 99).n == 2 && qn_str_slice(s, 99, 3).n == 0);
    CHECK(qn_str_eq((struct qn_str){NULL, 0}, QN_STR("")));
    uint64_t v = 7;
    CHECK(qn_str_to_u64(&v, QN_STR("18446744073709551615")) && v == UINT64_MAX);
    CHECK(!qn_str_to_u64(&v, QN_STR("18446744073709551616")));
    CHECK(!qn_str_to_u64(&v, QN_STR("")) && !qn_str_to_u64(&v, QN_STR("-1")));
    CHECK(!qn_str_to_u64(&v, QN_STR("1 ")) && v == UINT64_MAX);
    CHECK(qn_str_hash(QN_STR("abc")) != qn_str_hash(QN_STR("abd")));
    CHECK(qn_str_hash(QN_STR("a\0b")) != qn_str_hash(QN_STR("a\0c")));
    CHECK(qn_str_hash(QN_STR("")) != qn_str_hash(QN_STR("\0")));
}

static void test_format(void) {
    struct qn_buf buf;
    qn_buf_init(&buf, plain);
    qn_buf_format(&buf, "%s|%.*s|%.2s|%c|%%", "abc", 2, "xyz", "pq", 'z');
    CHECK(buf_is(&buf, "abc|xy|pq|z|%"));
    qn_buf_format(&buf, "%d %i %u %x %ld %lu", -5, INT32_MIN, 4000000000u, 0xabcu, -7L, 8UL);
    CHECK(buf_is(&buf, "-5 -2147483648 4000000000 abc -7 8"));
    qn_buf_format(&buf, "%lld %llu %zu %04x %02x %5d|%lld", (long long)INT64_MIN,
                  (unsigned long long)UINT64_MAX, (size_t)12, 0xabu, 0x5u, -42,
                  (long long)INT64_MAX);
    CHECK(buf_is(&buf, "-9223372036854775808 18446744073709551615 12 00ab 05   -42|"
                       "9223372036854775807"));
    qn_buf_format(&buf, "%g %g %g %.3g %g", 0.5, 1e100, -1.0 / 3, 1234.5678, 1e-7);
    CHECK(buf_is(&buf, "0.5 1e100 -0.333333 1230 1e-7"));
    qn_buf_format(&buf, "%" PRIu64 " %" PRId64, UINT64_C(1) << 63, -INT64_C(1));
    CHECK(buf_is(&buf, "9223372036854775808 -1"));
    qn_buf_format(&buf, "%.*s.", 5, "a\0b");
    CHECK(buf_is(&buf, "a."));
    qn_buf_free(&buf);
}

static void test_buf(void) {
    struct faults faults;
    faults_init(&faults);
    struct qn_allocator allocator = faults_allocator(&faults);
    struct qn_buf buf;
    qn_buf_init(&buf, &allocator);
    for (int i = 0; i < 1000; i++)
        qn_buf_u64(&buf, (uint64_t)i);
    CHECK(buf.n == 2890 && !buf.failed);
    qn_buf_free(&buf);
    CHECK(faults.live == 0);
    buf.limit = 10;
    qn_buf_cstr(&buf, "0123456789");
    CHECK(!buf.failed);
    qn_buf_char(&buf, 'x');
    CHECK(buf.failed && buf.n == 10);
    qn_buf_cstr(&buf, "y");
    CHECK(buf.n == 10);
    qn_buf_free(&buf);
    faults.fail_alloc = faults.allocs + 1;
    qn_buf_cstr(&buf, "abc");
    CHECK(buf.failed && buf.n == 0);
    qn_buf_free(&buf);
    CHECK(faults.live == 0);
}

static void test_json_strings(void) {
    struct qn_buf buf;
    qn_buf_init(&buf, plain);
    qn_buf_json_str(&buf, QN_STR("a\"b\\c\n\r\t\x01\x7f/é"));
    CHECK(buf_is(&buf, "\"a\\\"b\\\\c\\n\\r\\t\\u0001\\u007f/é\""));
    qn_buf_json_str(&buf, QN_STR("\xff\xc3(\xe2\x82 \xed\xa0\x80"));
    CHECK(buf_is(&buf, "\"\xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd "
                       "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""));
    qn_buf_json_str(&buf, QN_STR(""));
    CHECK(buf_is(&buf, "\"\""));
    qn_buf_json_str(&buf, QN_STR("\xe2\x80\xa8"));
    CHECK(buf_is(&buf, "\"\\u2028\""));
    qn_buf_free(&buf);
}

static void test_errors(void) {
    struct qn_error err;
    CHECK(qn_fail(&err, QN_E_FORMAT, "tensor \"%s\"", "a\nb\xff") == QN_E_FORMAT);
    CHECK_MSG(strcmp(err.text, "tensor \"a\\x0ab\\xff\"; download the file again, or report it to "
                               "its author") == 0,
              "%s", err.text);
    CHECK(err.status == QN_E_FORMAT && err.offset == UINT64_MAX);
    CHECK(qn_fail_at(&err, QN_E_CANCELLED, 12, "x") == QN_E_CANCELLED);
    CHECK(strcmp(err.text, "x at byte 12") == 0 && err.offset == 12);
    CHECK(qn_fail(NULL, QN_E_IO, "x") == QN_E_IO);
    // Long texts of two-byte characters are cut between characters, and the remedy stays.
    char text[2001];
    for (int i = 0; i < 1000; i++)
        memcpy(text + 2 * i, "é", 2);
    text[2000] = '\0';
    for (int skip = 0; skip < 4; skip++) {
        qn_fail_at(&err, QN_E_NO_MEMORY, UINT64_MAX - 1, "%.*s%s", skip, "abcd", text);
        struct qn_str s = qn_str_from(err.text);
        CHECK(s.n < QN_ERROR_TEXT && s.n > QN_ERROR_TEXT - 4);
        CHECK(qn_utf8_check(s) == SIZE_MAX);
        CHECK(qn_str_ends(s, QN_STR("… at byte 18446744073709551614; close other tabs, or choose a "
                                    "smaller model or context")));
    }
    CHECK(strcmp(qn_status_name(QN_E_TENSOR), "QN_E_TENSOR") == 0);
    CHECK(strcmp(qn_status_what(QN_OK), "success") == 0);
    CHECK(qn_status_remedy((enum qn_status)99)[0] == '\0');
    // The longest remedy leaves room for a message.
#define REMEDY(name, number, what, remedy) CHECK(sizeof remedy < 120);
    QN_STATUS_LIST(REMEDY)
}

static void test_utf8(void) {
    // Every code point there and back, then every two- and three-byte string against a plain model.
    for (uint32_t c = 0; c < 0x110000; c++) {
        char bytes[4];
        if (c >= 0xd800 && c < 0xe000)
            continue;
        size_t n = qn_utf8_put(bytes, c), at = 0;
        uint32_t back = qn_utf8_next((struct qn_str){bytes, n}, &at);
        if (back != c || at != n)
            CHECK_MSG(false, "U+%04x", c);
        if (n > 1 && qn_utf8_complete((struct qn_str){bytes, n - 1}) != 0)
            CHECK_MSG(false, "U+%04x cut", c);
    }
    static const char *const bad[] = {
        "\x80",         "\xc0\x80",     "\xc1\xbf",         "\xe0\x80\x80",     "\xe0\x9f\xbf",
        "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80",
        "\xff",         "\xc3",         "\xe2\x82",         "\xf0\x9f\x98",     "\xe2(\xa1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        size_t at = 0;
        CHECK(qn_utf8_next(qn_str_from(bad[i]), &at) == QN_UTF8_INVALID && at == 1);
        CHECK(qn_utf8_check(qn_str_from(bad[i])) == 0);
    }
    CHECK(qn_utf8_check(QN_STR("aé€😀\xff")) == 10);
    CHECK(qn_utf8_complete(QN_STR("a\xe2\x82")) == 1);
    CHECK(qn_utf8_complete(QN_STR("a\xf0\x9f\x98")) == 1);
    CHECK(qn_utf8_complete(QN_STR("a\xc3")) == 1);
    CHECK(qn_utf8_complete(QN_STR("aé")) == 3);
    CHECK(qn_utf8_complete(QN_STR("a\xff")) == 2);
    CHECK(qn_utf8_complete(QN_STR("a\xe0\x80")) == 3); // can never become valid
    CHECK(qn_utf8_complete(QN_STR("\x80\x80\x80\x80")) == 4);
    CHECK(qn_utf8_complete(QN_STR("")) == 0);
    struct qn_buf buf;
    qn_buf_init(&buf, plain);
    qn_buf_utf8(&buf, 0x20ac);
    CHECK(buf_is(&buf, "€"));
    qn_buf_free(&buf);
}

static void test_f32_text(void) {
    char text[QN_DECIMAL_TEXT + 1], libc[64];
    int wrong = 0;
    for (int i = 0; i < 1000000; i++) {
        uint32_t bits = (uint32_t)random_u64();
        if (i % 8 == 0)
            bits &= 0x807fffffu; // subnormal
        float value = qn_bits_f32(bits), back;
        if (!isfinite(value))
            continue;
        size_t n = qn_decimal_digits(text, (double)value, 9);
        text[n] = '\0';
        back = strtof(text, NULL);
        if (qn_f32_bits(back) != bits && wrong++ < 5)
            CHECK_MSG(false, "%08x gives %s", bits, text);
        if (i % 16 == 0) { // the same digits as the C library's
            snprintf(libc, sizeof libc, "%.9g", (double)value);
            if (strtod(libc, NULL) != strtod(text, NULL) && wrong++ < 5)
                CHECK_MSG(false, "%s, libc %s", text, libc);
        }
    }
    CHECK(wrong == 0);
    struct qn_buf buf;
    qn_buf_init(&buf, plain);
    static const struct {
        float value;
        const char *text;
    } cases[] = {{0, "0"},
                 {-0.0f, "-0"},
                 {1, "1"},
                 {0.1f, "0.100000001"},
                 {-2.5f, "-2.5"},
                 {16777216, "16777216"},
                 {1e10f, "1e10"},
                 {3.4028235e38f, "3.40282347e38"},
                 {1e-45f, "1.40129846e-45"},
                 {NAN, "null"},
                 {INFINITY, "null"},
                 {0.00012345f, "0.000123449994"},
                 {123456.789f, "123456.789"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        qn_buf_f32(&buf, cases[i].value);
        if (cases[i].value == 1e10f)
            CHECK(buf_is(&buf, "10000000000"));
        else
            CHECK(buf_is(&buf, cases[i].text));
    }
    qn_buf_free(&buf);
}

static void test_f64_text(void) {
    char text[QN_DECIMAL_TEXT + 1];
    int wrong = 0;
    for (int i = 0; i < 200000; i++) {
        uint64_t bits = random_u64();
        if (i % 16 == 0)
            bits &= UINT64_C(0x800fffffffffffff);
        if (i % 4 == 1) // moderate exponents
            bits = (bits & UINT64_C(0x800fffffffffffff)) | (UINT64_C(960) + bits % 128) << 52;
        double value, back, own;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value))
            continue;
        size_t n = qn_decimal_shortest(text, value);
        text[n] = '\0';
        back = strtod(text, NULL);
        bool parsed = qn_decimal_parse(&own, (struct qn_str){text, n});
        if ((!parsed || back != value || own != value) && wrong++ < 5)
            CHECK_MSG(false, "%a gives %s, reads %a", value, text, own);
    }
    CHECK(wrong == 0);
    struct qn_buf buf;
    qn_buf_init(&buf, plain);
    static const struct {
        double value;
        const char *text;
    } cases[] = {{0.1, "0.1"},
                 {1.0 / 3, "0.3333333333333333"},
                 {9007199254740991.0, "9007199254740991"},
                 {-1e15, "-1000000000000000"},
                 {1e21, "1e21"},
                 {5e-324, "4.94065645841247e-324"},
                 {1.7976931348623157e308, "1.7976931348623157e308"},
                 {-0.0, "-0"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        qn_buf_f64(&buf, cases[i].value);
        CHECK(buf_is(&buf, cases[i].text));
    }
    qn_buf_free(&buf);
}

static void parse_same(const char *text) {
    double own, libc = strtod(text, NULL);
    bool ok = qn_decimal_parse(&own, qn_str_from(text));
    if (isinf(libc))
        CHECK_MSG(!ok, "%s", text);
    else
        CHECK_MSG(ok && memcmp(&own, &libc, sizeof own) == 0, "%.60s: %a, libc %a", text, own,
                  libc);
}

static void test_parse(void) {
    static const char *const cases[] = {
        "0",
        "-0",
        "0.0",
        "1",
        "-1.5",
        "1e5",
        "1E+5",
        "1e-5",
        "123456789012345678",
        "12345678901234567890",
        "0.1",
        "0.30000000000000004",
        "1e22",
        "1e23",
        "1e-22",
        "1e-23",
        "9007199254740993",
        "9007199254740992.5",
        "9007199254740993.00000000000000000000000000001",
        "179769313486231570814527423731704356798070567525844996598917476803157260780028538760589558"
        "632766878171540458953514382464234321326889464182768467546703537516986049910576551282076245"
        "490090389328944075868508455133942304583236903222948165808559332123347747979262414474736999"
        "e0",
        "1.7976931348623158e308",
        "1.7976931348623159e308",
        "1e309",
        "1e99999999999999999999",
        "2.2250738585072011e-308",
        "2.2250738585072014e-308",
        "4.9406564584124654e-324",
        "2.4703282292062327e-324",
        "2.4703282292062328e-324",
        "1e-324",
        "1e-400",
        "1e-99999999999999999999",
        "0e999999",
        "0.000000000000000000000000000000000000001e39",
        "100000000000000000000000000000000000000e-38",
        "8.5",
        "-3.1415926535897932384626433832795",
        "-12.345678901234567",
        "6.9294956446009195e15",
        "7.2057594037927933e16",
        "9223372036854775807.5",
        "1844674407370955161600",
        "5708990770823839524233143877797980545530986496e0"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        parse_same(cases[i]);
    static const char *const bad[] = {"",      "-",   ".5",  "5.", "1e", "1e+",   "+1", "0x10",
                                      "1.2.3", "nan", "inf", "1 ", " 1", "1e5.0", "--1"};
    double d;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_MSG(!qn_decimal_parse(&d, qn_str_from(bad[i])), "%s", bad[i]);
    char text[1100];
    for (int i = 0; i < 300000; i++) {
        int digits = 1 + (int)(random_u64() % 22), n = 0, dot = (int)(random_u64() % 24);
        for (int k = 0; k < digits; k++) {
            if (k == dot && k > 0)
                text[n++] = '.';
            text[n++] = (char)('0' + random_u64() % 10);
        }
        int exponent = (int)(random_u64() % 60) - 30;
        if (i % 10 == 0)
            exponent = (int)(random_u64() % 700) - 360;
        snprintf(text + n, sizeof text - (size_t)n, "e%d", exponent);
        parse_same(text);
    }
    // Exact halfway cases, written in full, and a digit far behind them.
    for (int i = 0; i < 300; i++) {
        double value;
        uint64_t bits = random_u64() & UINT64_C(0x7fffffffffffffff);
        bits = i % 3 == 0 ? bits & 0xfffffffffffff : bits % (UINT64_C(0x7fe) << 52);
        memcpy(&value, &bits, sizeof value);
        long double half = nextafter(value, INFINITY);
        half = ((long double)value + half) / 2; // exact: 64 bits of mantissa
        int n = snprintf(text, 1000, "%.*Le", 790, half);
        char *e = strchr(text, 'e');
        (void)n;
        parse_same(text);
        if (e != NULL) {
            char tail[16];
            snprintf(tail, sizeof tail, "%s", e);
            snprintf(e, 40, "000000000000000000001%s", tail);
            parse_same(text);
        }
    }
}

static void test_f16(void) {
    int wrong = 0;
    for (uint32_t h = 0; h < 65536; h++) {
        float f = qn_f16_to_f32((uint16_t)h);
        uint16_t back = qn_f32_to_f16(f);
        bool nan = (h & 0x7c00) == 0x7c00 && (h & 0x3ff) != 0;
        if (nan ? !(isnan(f) && (back & 0x7fff) > 0x7c00) : back != h)
            wrong++;
        // The midpoint to the next one goes to the even one; a hair beyond goes up.
        if ((h & 0x7fff) >= 0x7bff)
            continue;
        float next = qn_f16_to_f32((uint16_t)(h + 1)), mid = (f + next) / 2;
        if (qn_f32_to_f16(mid) != (h % 2 == 0 ? h : h + 1))
            wrong++;
        if (qn_f32_to_f16(nextafterf(mid, next)) != h + 1)
            wrong++;
        if (qn_f32_to_f16(nextafterf(mid, f)) != h)
            wrong++;
    }
    CHECK_MSG(wrong == 0, "%d", wrong);
    CHECK(qn_f32_to_f16(65519.0f) == 0x7bff && qn_f32_to_f16(65520.0f) == 0x7c00);
    CHECK(qn_f32_to_f16(-1e30f) == 0xfc00 && qn_f32_to_f16(INFINITY) == 0x7c00);
}

int main(void) {
    plain = qn_allocator_default();
    test_slices();
    test_format();
    test_buf();
    test_json_strings();
    test_errors();
    test_utf8();
    test_f32_text();
    test_f64_text();
    test_parse();
    test_f16();
    return test_done("base_str");
}
