/* A test is a function; a file of tests is a program. CHECK counts and reports, and never stops. */
#ifndef QN_TEST_H
#define QN_TEST_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int test_passed, test_failed;

static inline bool test_check(bool ok, const char *file, int line, const char *text) {
    if (ok) {
        test_passed++;
        return true;
    }
    if (test_failed++ < 50)
        fprintf(stderr, "%s:%d: failed: %s\n", file, line, text);
    return false;
}

#define CHECK(condition) test_check((condition), __FILE__, __LINE__, #condition)

/* For a check whose operands are worth seeing: CHECK_MSG(a == b, "a %d, b %d", a, b). */
#define CHECK_MSG(condition, ...)                            \
    (test_check((condition), __FILE__, __LINE__, #condition) \
         ? true                                              \
         : (fprintf(stderr, "    "), fprintf(stderr, __VA_ARGS__), fprintf(stderr, "\n"), false))

/* The folder with fixtures and assets: $QN_SHARED, or ../shared beside the repository. */
static inline const char *test_shared(void) {
    const char *path = getenv("QN_SHARED");
    return path ? path : "../shared";
}

static inline int test_done(const char *name) {
    printf("%s: %d passed, %d failed\n", name, test_passed, test_failed);
    return test_failed ? 1 : 0;
}

#endif
