#include "base/format.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/decimal.h"

struct spec {
    bool zero;
    int width;
    int precision; // -1: none
    int length;    // 0 int, 1 long, 2 long long, 3 size_t
};

static void put_integer(qn_format_put *put, void *ud, const struct spec *spec, uint64_t value,
                        bool negative, uint32_t base) {
    char digits[96];
    size_t at = sizeof digits;
    do {
        digits[--at] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    size_t width = spec->width > 64 ? 64 : (size_t)spec->width;
    size_t sign = negative ? 1 : 0;
    while (spec->zero && sizeof digits - at + sign < width)
        digits[--at] = '0';
    if (negative)
        digits[--at] = '-';
    while (sizeof digits - at < width)
        digits[--at] = ' ';
    put(ud, digits + at, sizeof digits - at);
}

static void put_string(qn_format_put *put, void *ud, const char *s, int precision) {
    if (s == NULL)
        s = "(null)";
    size_t n = 0;
    if (precision < 0) {
        n = strlen(s);
    } else {
        // A slice need not be terminated, so no strlen here; printf too stops at a NUL.
        while (n < (size_t)precision && s[n] != '\0')
            n++;
    }
    if (n != 0)
        put(ud, s, n);
}

static const char *read_spec(struct spec *spec, const char *f, int star) {
    *spec = (struct spec){.precision = -1};
    if (*f == '0') {
        spec->zero = true;
        f++;
    }
    for (; *f >= '0' && *f <= '9'; f++)
        spec->width = spec->width > 99 ? spec->width : spec->width * 10 + (*f - '0');
    if (*f == '.') {
        f++;
        spec->precision = 0;
        if (*f == '*') {
            spec->precision = star;
            f++;
        }
        for (; *f >= '0' && *f <= '9'; f++)
            if (spec->precision < 100000)
                spec->precision = spec->precision * 10 + (*f - '0');
    }
    if (*f == 'z') {
        spec->length = 3;
        f++;
    }
    for (; *f == 'l' && spec->length < 2; f++)
        spec->length++;
    return f;
}

/* Does the conversion at f (after '%') take its precision from an argument? */
static bool has_star(const char *f) {
    while (*f >= '0' && *f <= '9')
        f++;
    return f[0] == '.' && f[1] == '*';
}

void qn_vformat(qn_format_put *put, void *ud, const char *format, va_list list) {
    va_list args; // a copy, because va_list may be an array type, which decays in parameters
    va_copy(args, list);
    const char *f = format;
    for (;;) {
        const char *plain = f;
        while (*f != '\0' && *f != '%')
            f++;
        if (f != plain)
            put(ud, plain, (size_t)(f - plain));
        if (*f == '\0')
            break;
        struct spec spec;
        f = read_spec(&spec, f + 1, has_star(f + 1) ? va_arg(args, int) : 0);
        char conversion = *f;
        if (conversion != '\0')
            f++;
        if (conversion == 'd' || conversion == 'i') {
            int64_t v = spec.length == 0   ? va_arg(args, int)
                        : spec.length == 1 ? va_arg(args, long)
                        : spec.length == 2 ? va_arg(args, long long)
                                           : (int64_t)va_arg(args, ptrdiff_t);
            put_integer(put, ud, &spec, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, v < 0, 10);
        } else if (conversion == 'u' || conversion == 'x') {
            uint64_t v = spec.length == 0   ? va_arg(args, unsigned)
                         : spec.length == 1 ? va_arg(args, unsigned long)
                         : spec.length == 2 ? va_arg(args, unsigned long long)
                                            : (uint64_t)va_arg(args, size_t);
            put_integer(put, ud, &spec, v, false, conversion == 'x' ? 16 : 10);
        } else if (conversion == 's') {
            put_string(put, ud, va_arg(args, const char *), spec.precision);
        } else if (conversion == 'c') {
            char c = (char)va_arg(args, int);
            put(ud, &c, 1);
        } else if (conversion == 'g') {
            char digits[QN_DECIMAL_TEXT];
            size_t n = qn_decimal_digits(digits, va_arg(args, double),
                                         spec.precision < 0 ? 6 : spec.precision);
            put(ud, digits, n);
        } else if (conversion == '%') {
            put(ud, "%", 1);
        } else {
            put(ud, "%?", 2);
            break;
        }
    }
    va_end(args);
}

void qn_format(qn_format_put *put, void *ud, const char *format, ...) {
    va_list args;
    va_start(args, format);
    qn_vformat(put, ud, format, args);
    va_end(args);
}

void qn_note_put(void *ud, const char *p, size_t n) {
    struct qn_note *note = ud;
    size_t room = sizeof note->p - 1 - note->n;
    if (n > room)
        n = room;
    memcpy(note->p + note->n, p, n);
    note->n += n;
    note->p[note->n] = '\0';
}
