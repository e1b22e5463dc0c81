/* Status codes and error reports: one table generates the C enum, the JavaScript classes and
 * docs/errors.md (tools/gen_errors.mjs reads the X-macro below, so keep one X(...) per line). */
#ifndef QN_BASE_STATUS_H
#define QN_BASE_STATUS_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* X(NAME, number, "what happened", "what the user can do"). Numbers are stable; never reuse one. */
/* clang-format off */
#define QN_STATUS_LIST(X) \
    X(OK,             0, "success", "") \
    X(E_ARGUMENT,     1, "an argument is not valid", "correct the named argument") \
    X(E_NO_MEMORY,    2, "out of memory", "close other tabs, or choose a smaller model or context") \
    X(E_NEED_DATA,    3, "more bytes of a file are needed", "supply the named range and call again") \
    X(E_NOT_FOUND,    4, "a file or name was not found", "check the spelling and the model's folder") \
    X(E_IO,           5, "reading failed", "check the disk or the connection and try again") \
    X(E_TRUNCATED,    6, "the file ends too early", "download the file again") \
    X(E_FORMAT,       7, "the file is malformed", "download the file again, or report it to its author") \
    X(E_JSON,         8, "the JSON text is malformed", "correct the text at the named offset") \
    X(E_UTF8,         9, "the text is not valid UTF-8", "convert the text to UTF-8") \
    X(E_UNSUPPORTED, 10, "this feature is not supported", "see docs/formats.md for what is") \
    X(E_ARCHITECTURE,11, "the model's architecture is not known", "see docs/formats.md for the supported families") \
    X(E_TENSOR,      12, "a tensor is missing or has another shape or type", "use a file that matches its configuration") \
    X(E_CONFIG,      13, "the model's configuration is not valid", "compare it with the model's origin") \
    X(E_TOKENIZER,   14, "the tokenizer's data is not valid", "use the tokenizer published with the model") \
    X(E_TEMPLATE,    15, "the chat template failed", "check the messages against the template") \
    X(E_LIMIT,       16, "a limit was exceeded", "use a smaller input") \
    X(E_CONTEXT,     17, "the prompt is longer than the context", "shorten the prompt or load with a larger context") \
    X(E_STATE,       18, "this call is not allowed now", "finish or cancel the running operation first") \
    X(E_CANCELLED,   19, "the operation was cancelled", "") \
    X(E_GPU,         20, "the GPU refused a command", "update the browser or driver, or use the CPU backend") \
    X(E_GPU_MEMORY,  21, "the GPU is out of memory", "choose a smaller model or context") \
    X(E_GPU_LOST,    22, "the GPU device was lost", "load the model again") \
    X(E_NETWORK,     23, "a download failed", "check the connection and try again") \
    X(E_STORAGE,     24, "the browser's storage failed", "free space for this site; the model still runs from memory") \
    X(E_INTEGRITY,   25, "the bytes do not match their checksum", "delete the cached model and download it again") \
    X(E_NO_WEBGPU,   26, "WebGPU is not available", "the CPU backend is used instead") \
    X(E_INTERNAL,    27, "an internal rule was broken", "please report this with the text of the message")
/* clang-format on */

enum qn_status {
#define QN_STATUS_ENUM(name, number, what, remedy) QN_##name = (number),
    QN_STATUS_LIST(QN_STATUS_ENUM)
#undef QN_STATUS_ENUM
};

#define QN_ERROR_TEXT 480

/* What went wrong and where. The caller owns it; functions only fill it in on failure.
 * `offset` is a byte offset into the named file or text, or UINT64_MAX when there is none. */
struct qn_error {
    enum qn_status status;
    uint64_t offset;
    char text[QN_ERROR_TEXT]; // NUL-terminated: what, where, what to do
};

/* "QN_E_FORMAT", "the file is malformed", "download the file again…". Static strings. */
const char *qn_status_name(enum qn_status status);
const char *qn_status_what(enum qn_status status);
const char *qn_status_remedy(enum qn_status status);

/* Fills `err` (may be NULL) with a formatted message and returns `status`. The remedy of the status
 * is appended after "; ". Format: see qn_vformat in base/buf.h (%s %.*s %d %u %zu %llu %x %c %g). */
enum qn_status qn_fail(struct qn_error *err, enum qn_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
enum qn_status qn_fail_at(struct qn_error *err, enum qn_status status, uint64_t offset,
                          const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The only macro of the house that hides control flow. */
#define QN_TRY(expression)                                                                         \
    do {                                                                                           \
        enum qn_status qn_try_status_ = (expression);                                              \
        if (qn_try_status_ != QN_OK)                                                               \
            return qn_try_status_;                                                                 \
    } while (0)

#endif
