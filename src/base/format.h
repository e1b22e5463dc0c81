/* A small printf: %s %.*s %.Ns %c %d %i %u %x %g %%, with the lengths l, ll, z and, for integers, a
 * width with or without zero padding. The C library's printf would be a quarter of the wasm
 * file. */
#ifndef QN_BASE_FORMAT_H
#define QN_BASE_FORMAT_H

#include <stdarg.h>
#include <stddef.h>

typedef void qn_format_put(void *ud, const char *p, size_t n);

/* A conversion that is not in the list above ends the output with "%?". NULL strings print
 * "(null)". */
void qn_vformat(qn_format_put *put, void *ud, const char *format, va_list args);
void qn_format(qn_format_put *put, void *ud, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Text for a message, always terminated; what does not fit is left out. */
struct qn_note {
    char p[1024]; // longer than what qn_fail keeps
    size_t n;
};
void qn_note_put(void *ud, const char *p, size_t n); // a qn_format_put, `ud` being the note

#endif
