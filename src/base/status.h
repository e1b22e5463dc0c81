/* Error reports. The table of statuses itself is public and stands in quern.h. */
#ifndef QN_BASE_STATUS_H
#define QN_BASE_STATUS_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "quern.h"

/* "the file is malformed", "download the file again…". Static strings; the name is in quern.h. */
const char *qn_status_what(enum qn_status status);
const char *qn_status_remedy(enum qn_status status);

/* Fills `err` (may be NULL) with a formatted message and returns `status`. The remedy of the status
 * is appended after "; ". Format: see qn_vformat in base/format.h. */
enum qn_status qn_fail(struct qn_error *err, enum qn_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
enum qn_status qn_fail_at(struct qn_error *err, enum qn_status status, uint64_t offset,
                          const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The only macro of the house that hides control flow. */
#define QN_TRY(expression)                            \
    do {                                              \
        enum qn_status qn_try_status_ = (expression); \
        if (qn_try_status_ != QN_OK)                  \
            return qn_try_status_;                    \
    } while (0)

#endif
