#include <stdlib.h>
#include <string.h>

#include "cli.h"

static int hex4(const char *p) {
    int value = 0;
    for (int i = 0; i < 4; i++) {
        int c = (unsigned char)p[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

static size_t put_utf8(char *out, uint32_t c) {
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 63));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 63));
        out[2] = (char)(0x80 | (c & 63));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 63));
    out[2] = (char)(0x80 | (c >> 6 & 63));
    out[3] = (char)(0x80 | (c & 63));
    return 4;
}

char *json_string(const char *p, const char **end, size_t *n) {
    if (*p++ != '"')
        return NULL;
    char *out = malloc(strlen(p) + 4); // decoding never grows a text
    size_t at = 0;
    if (!out)
        return NULL;
    while (*p != '"') {
        static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
        if (*p == 0)
            goto malformed;
        if (*p != '\\') {
            out[at++] = *p++;
            continue;
        }
        p++;
        const char *simple = *p ? strchr(from, *p) : NULL;
        if (simple) {
            out[at++] = to[simple - from];
            p++;
            continue;
        }
        int unit = *p == 'u' ? hex4(p + 1) : -1;
        if (unit < 0)
            goto malformed;
        p += 5;
        uint32_t c = (uint32_t)unit;
        if (c >= 0xd800 && c < 0xdc00 && p[0] == '\\' && p[1] == 'u') {
            int low = hex4(p + 2);
            if (low >= 0xdc00 && low < 0xe000) {
                c = 0x10000 + ((c - 0xd800) << 10) + ((uint32_t)low - 0xdc00);
                p += 6;
            }
        }
        if (c >= 0xd800 && c < 0xe000)
            c = 0xfffd;
        at += put_utf8(out + at, c);
    }
    if (end)
        *end = p + 1;
    out[at] = 0;
    *n = at;
    return out;
malformed:
    free(out);
    return NULL;
}

void print_json_string(FILE *out, struct qn_str s) {
    fputc('"', out);
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c == '\n')
            fputs("\\n", out);
        else if (c == '\r')
            fputs("\\r", out);
        else if (c == '\t')
            fputs("\\t", out);
        else if (c < 0x20 || c == 0x7f)
            fprintf(out, "\\u%04x", c);
        else
            fputc(c, out);
    }
    fputc('"', out);
}

uint32_t *parse_ids(const char *text, size_t *n) {
    uint32_t *ids = malloc((strlen(text) / 2 + 1) * sizeof *ids);
    const char *p = text;
    *n = 0;
    while (ids && *p) {
        if (strchr(" \t\r\n,[]", *p)) {
            p++;
            continue;
        }
        char *end = NULL;
        unsigned long long value = *p >= '0' && *p <= '9' ? strtoull(p, &end, 10) : 0;
        if (!end || value > UINT32_MAX) {
            fprintf(stderr,
                    "quern: error QN_E_ARGUMENT: --ids, \"%.20s\" is not a token id; give "
                    "numbers with commas between them\n",
                    p);
            free(ids);
            return NULL;
        }
        ids[(*n)++] = (uint32_t)value;
        p = end;
    }
    return ids;
}

void print_ids(const uint32_t *ids, size_t n) {
    putchar('[');
    for (size_t i = 0; i < n; i++)
        printf("%s%u", i ? "," : "", ids[i]);
    putchar(']');
}

void print_floats(const float *values, size_t n) {
    putchar('[');
    for (size_t i = 0; i < n; i++) {
        if (values[i] - values[i] != 0)
            printf("%snull", i ? "," : ""); // infinities and NaN have no JSON form
        else
            printf("%s%.9g", i ? "," : "", (double)values[i]);
    }
    putchar(']');
}
