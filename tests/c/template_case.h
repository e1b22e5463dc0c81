/* What tests of chat templates share: a rendering, what it says and which of it users wrote. */
#ifndef QN_TESTS_TEMPLATE_CASE_H
#define QN_TESTS_TEMPLATE_CASE_H

#include "base/buf.h"
#include "tests/c/test.h"
#include "text/template.h"

enum { NOON = 1752148800 }; // 2025-07-10 12:00 UTC

static const char *const untrusted[] = {"messages", "tools", "documents", NULL};

static struct qn_arena arena; // of the test that is running

static struct qn_json_value parse_json(struct qn_str text) {
    struct qn_error err = {.text = ""};
    struct qn_json *json = QN_ARENA_NEW(&arena, struct qn_json, 1);
    if (!CHECK_MSG(qn_json_parse(json, &arena, text, &err) == QN_OK, "%s", err.text))
        return (struct qn_json_value){NULL, 0};
    return qn_json_root(json);
}

struct rendering {
    enum qn_status status;
    struct qn_str text; // or the message
    struct qn_span *plain;
    size_t n_plain;
};

static struct rendering render_limited(struct qn_str source, struct qn_json_value context,
                                       const struct qn_template_limits *limits) {
    struct rendering r = {.status = QN_OK};
    struct qn_error err = {.text = ""};
    struct qn_template *t;
    struct qn_buf out;
    qn_buf_init(&out, qn_allocator_default());
    r.status = qn_template_parse(&t, &arena, source, &err);
    if (r.status == QN_OK)
        r.status = qn_template_render(t, &out, &arena, &r.plain, &r.n_plain, context, untrusted,
                                      limits, NOON, &err);
    CHECK(r.status == QN_OK || out.n == 0);
    CHECK(r.status == QN_OK || err.status == r.status);
    r.text = r.status == QN_OK ? qn_str_copy(&arena, qn_buf_view(&out))
                               : qn_str_copy(&arena, qn_str_from(err.text));
    qn_buf_free(&out);
    size_t end = 0;
    for (size_t i = 0; i < r.n_plain; i++) { // sorted, not empty, apart from each other
        CHECK(r.plain[i].begin < r.plain[i].end && (i == 0 || r.plain[i].begin > end));
        end = r.plain[i].end;
    }
    CHECK(r.status != QN_OK || end <= r.text.n);
    return r;
}

static struct rendering render(struct qn_str source, struct qn_json_value context) {
    return render_limited(source, context, NULL);
}

static bool is_text(struct rendering r, struct qn_str expected) {
    return r.status == QN_OK && qn_str_eq(r.text, expected);
}

static void run(void (*test)(void)) {
    qn_arena_init(&arena, qn_allocator_default());
    test();
    qn_arena_free(&arena);
}

#endif
