/* strftime in the C locale, for UTC. */
#include "text/template_internal.h"

struct date {
    int64_t year;
    int month, day, hour, minute, second, weekday, yearday; // month from 1, weekday from Sunday = 0
};

/* Civil date from days since 1970-01-01, counted in eras of 400 years that begin in March. */
static struct date date_of(int64_t now) {
    int64_t days = now / 86400, seconds = now % 86400;
    if (seconds < 0) {
        seconds += 86400;
        days--;
    }
    struct date d = {.hour = (int)(seconds / 3600),
                     .minute = (int)(seconds / 60 % 60),
                     .second = (int)(seconds % 60)};
    d.weekday = (int)((days % 7 + 11) % 7); // the epoch was a Thursday
    int64_t shifted = days + 719468;        // since 0000-03-01
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t doe = shifted - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int month = (int)((5 * doy + 2) / 153); // from March
    d.day = (int)(doy - (153 * month + 2) / 5 + 1);
    d.month = month < 10 ? month + 3 : month - 9;
    d.year = yoe + era * 400 + (d.month <= 2);
    bool leap = (d.year % 4 == 0 && d.year % 100 != 0) || d.year % 400 == 0;
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    d.yearday = before[d.month - 1] + d.day + (leap && d.month > 2);
    return d;
}

static const char *const weekdays[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                       "Thursday", "Friday", "Saturday"};
static const char *const months[] = {"January",   "February", "March",    "April",
                                     "May",       "June",     "July",     "August",
                                     "September", "October",  "November", "December"};

/* A number padded to `width`; pad '-' gives no padding. */
static enum qn_status put_padded(struct qn_tctx *ctx, struct qn_tsink *sink, int64_t value,
                                 size_t width, char pad) {
    char text[QN_TNUM_TEXT];
    size_t n = qn_tnum_i64(text, value);
    for (; pad != '-' && width > n; width--)
        QN_TRY(qn_tsink_put(ctx, sink, &pad, 1, false));
    return qn_tsink_put(ctx, sink, text, n, false);
}

static enum qn_status put_time(struct qn_tctx *ctx, struct qn_tsink *sink,
                               const struct qn_tval *text, const struct date *d, int64_t now,
                               uint32_t depth) {
    struct qn_str format = qn_tval_text(*text);
    int hour12 = d->hour % 12 ? d->hour % 12 : 12;
    for (size_t at = 0; at < format.n; at++) {
        if (format.p[at] != '%' || at + 1 == format.n) {
            QN_TRY(qn_tsink_str(ctx, sink, (struct qn_tval[]){qn_tstr_slice(text, at, at + 1)}));
            continue;
        }
        char pad = '0', c = format.p[++at];
        if ((c == '-' || c == '_' || c == '0') && at + 1 < format.n) { // of the GNU library
            pad = c == '_' ? ' ' : c;
            c = format.p[++at];
        }
        const char *nested = NULL;
        switch (c) {
        case 'Y':
            QN_TRY(put_padded(ctx, sink, d->year, pad == '0' ? 4 : 0, pad));
            break;
        case 'y':
            QN_TRY(put_padded(ctx, sink, d->year % 100, 2, pad));
            break;
        case 'C':
            QN_TRY(put_padded(ctx, sink, d->year / 100, 2, pad));
            break;
        case 'm':
            QN_TRY(put_padded(ctx, sink, d->month, 2, pad));
            break;
        case 'd':
            QN_TRY(put_padded(ctx, sink, d->day, 2, pad));
            break;
        case 'e':
            QN_TRY(put_padded(ctx, sink, d->day, 2, pad == '0' ? ' ' : pad));
            break;
        case 'H':
            QN_TRY(put_padded(ctx, sink, d->hour, 2, pad));
            break;
        case 'I':
            QN_TRY(put_padded(ctx, sink, hour12, 2, pad));
            break;
        case 'M':
            QN_TRY(put_padded(ctx, sink, d->minute, 2, pad));
            break;
        case 'S':
            QN_TRY(put_padded(ctx, sink, d->second, 2, pad));
            break;
        case 'f':
            QN_TRY(qn_tsink_cstr(ctx, sink, "000000"));
            break;
        case 'j':
            QN_TRY(put_padded(ctx, sink, d->yearday, 3, pad));
            break;
        case 'u':
            QN_TRY(put_padded(ctx, sink, d->weekday ? d->weekday : 7, 1, pad));
            break;
        case 'w':
            QN_TRY(put_padded(ctx, sink, d->weekday, 1, pad));
            break;
        case 'U':
            QN_TRY(put_padded(ctx, sink, (d->yearday + 6 - d->weekday) / 7, 2, pad));
            break;
        case 'W':
            QN_TRY(put_padded(ctx, sink, (d->yearday + 6 - (d->weekday + 6) % 7) / 7, 2, pad));
            break;
        case 's':
            QN_TRY(put_padded(ctx, sink, now, 0, '-'));
            break;
        case 'A':
            QN_TRY(qn_tsink_cstr(ctx, sink, weekdays[d->weekday]));
            break;
        case 'a':
            QN_TRY(qn_tsink_put(ctx, sink, weekdays[d->weekday], 3, false));
            break;
        case 'B':
            QN_TRY(qn_tsink_cstr(ctx, sink, months[d->month - 1]));
            break;
        case 'b':
        case 'h':
            QN_TRY(qn_tsink_put(ctx, sink, months[d->month - 1], 3, false));
            break;
        case 'p':
            QN_TRY(qn_tsink_cstr(ctx, sink, d->hour < 12 ? "AM" : "PM"));
            break;
        case 'n':
            QN_TRY(qn_tsink_cstr(ctx, sink, "\n"));
            break;
        case 't':
            QN_TRY(qn_tsink_cstr(ctx, sink, "\t"));
            break;
        case '%':
            QN_TRY(qn_tsink_cstr(ctx, sink, "%"));
            break;
        case 'Z':
        case 'z':
            break; // Python's naive time has no zone
        case 'D':
        case 'x':
            nested = "%m/%d/%y";
            break;
        case 'F':
            nested = "%Y-%m-%d";
            break;
        case 'T':
        case 'X':
            nested = "%H:%M:%S";
            break;
        case 'R':
            nested = "%H:%M";
            break;
        case 'r':
            nested = "%I:%M:%S %p";
            break;
        case 'c':
            nested = "%a %b %e %H:%M:%S %Y";
            break;
        default:
            return qn_tfail(&ctx->site, "strftime_now: '%%%c' is not supported", c);
        }
        if (nested && depth == 0) // one level: the forms above nest no further
            QN_TRY(put_time(ctx, sink, (struct qn_tval[]){qn_tval_str(qn_str_from(nested))}, d, now,
                            depth + 1));
    }
    return QN_OK;
}

enum qn_status qn_tformat_time(struct qn_tctx *ctx, struct qn_tval *out,
                               const struct qn_tval *format, int64_t now) {
    if (now < -62135596800 || now > 253402300799) // years 1 to 9999
        return qn_tfail(&ctx->site, "the time is out of range");
    struct date d = date_of(now);
    struct qn_tsink sink;
    qn_tsink_init(ctx, &sink);
    enum qn_status status = put_time(ctx, &sink, format, &d, now, 0);
    if (status != QN_OK) {
        qn_tsink_free(&sink);
        return status;
    }
    return qn_tsink_take(ctx, out, &sink);
}
