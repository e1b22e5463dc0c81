/* Names of the statuses and the filling-in of error reports. */
#include "base/status.h"

#include <string.h>

#include "base/format.h"
#include "base/utf8.h"

struct row {
    enum qn_status status;
    const char *name, *what, *remedy;
};

static const struct row rows[] = {
#define ROW(name, number, what, remedy) {QN_##name, "QN_" #name, what, remedy},
    QN_STATUS_LIST(ROW)
#undef ROW
};

static const struct row *row_of(enum qn_status status) {
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].status == status)
            return &rows[i];
    return NULL;
}

const char *qn_status_name(enum qn_status status) {
    const struct row *row = row_of(status);
    return row ? row->name : "QN_E_?";
}

const char *qn_status_what(enum qn_status status) {
    const struct row *row = row_of(status);
    return row ? row->what : "an unknown status";
}

const char *qn_status_remedy(enum qn_status status) {
    const struct row *row = row_of(status);
    return row ? row->remedy : "";
}

/* Messages quote names from untrusted files and end up in terminals and pages: control characters
 * and broken UTF-8 are shown as \xNN. Returns the new length, at most `room`. */
static size_t copy_escaped(char *out, size_t room, struct qn_str s, bool *cut) {
    static const char hex[] = "0123456789abcdef";
    size_t n = 0, at = 0;
    while (at < s.n) {
        size_t begin = at;
        uint32_t c = qn_utf8_next(s, &at);
        bool bad = c == QN_UTF8_INVALID || c < 0x20 || (c >= 0x7f && c < 0xa0);
        size_t need = bad ? 4 * (at - begin) : at - begin;
        if (need > room - n) {
            *cut = true;
            return n;
        }
        if (!bad) {
            memcpy(out + n, s.p + begin, need);
            n += need;
            continue;
        }
        for (size_t i = begin; i < at; i++) {
            unsigned char byte = (unsigned char)s.p[i];
            out[n++] = '\\';
            out[n++] = 'x';
            out[n++] = hex[byte >> 4];
            out[n++] = hex[byte & 15];
        }
    }
    return n;
}

static void report(struct qn_error *err, enum qn_status status, uint64_t offset, const char *format,
                   va_list args) {
    static const char dots[] = "\xe2\x80\xa6";
    struct qn_note text = {.n = 0}, tail = {.n = 0};
    qn_vformat(qn_note_put, &text, format, args);
    if (offset != UINT64_MAX)
        qn_format(qn_note_put, &tail, " at byte %llu", (unsigned long long)offset);
    const char *remedy = qn_status_remedy(status);
    if (remedy[0] != '\0')
        qn_format(qn_note_put, &tail, "; %s", remedy);

    err->status = status;
    err->offset = offset;
    bool cut = false;
    size_t room = sizeof err->text - 1 - tail.n - (sizeof dots - 1);
    size_t n = copy_escaped(err->text, room, (struct qn_str){text.p, text.n}, &cut);
    if (cut) {
        memcpy(err->text + n, dots, sizeof dots - 1);
        n += sizeof dots - 1;
    }
    memcpy(err->text + n, tail.p, tail.n);
    err->text[n + tail.n] = '\0';
}

enum qn_status qn_fail(struct qn_error *err, enum qn_status status, const char *format, ...) {
    if (err != NULL) {
        va_list args;
        va_start(args, format);
        report(err, status, UINT64_MAX, format, args);
        va_end(args);
    }
    return status;
}

enum qn_status qn_fail_at(struct qn_error *err, enum qn_status status, uint64_t offset,
                          const char *format, ...) {
    if (err != NULL) {
        va_list args;
        va_start(args, format);
        report(err, status, offset, format, args);
        va_end(args);
    }
    return status;
}
