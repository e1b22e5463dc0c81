/* Reading of fixtures for the tests of src/text. */
#ifndef QN_TEXT_CASES_H
#define QN_TEXT_CASES_H

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "tests/c/test.h"
#include "text/tokenizer.h"

/* A whole file below the shared folder, in the arena; p is NULL when it is not there. */
static inline struct qn_str case_file(struct qn_arena *arena, const char *name) {
    char path[512];
    struct qn_str s = {NULL, 0};
    snprintf(path, sizeof path, "%s/%s", test_shared(), name);
    FILE *f = fopen(path, "rb");
    if (!f)
        return s;
    fseek(f, 0, SEEK_END);
    long n = ftell(f);
    fseek(f, 0, SEEK_SET);
    char *p = qn_arena_alloc(arena, (size_t)n + 1, 1);
    if (p && fread(p, 1, (size_t)n, f) == (size_t)n)
        s = (struct qn_str){p, (size_t)n};
    fclose(f);
    return s;
}

static inline bool case_ids_equal(const struct qn_ids *ids, struct qn_json_value expected) {
    struct qn_json_iter it = qn_json_iterate(expected);
    size_t i = 0;
    while (qn_json_each(&it)) {
        uint32_t id;
        if (!qn_json_u32(&id, it.value) || i >= ids->n || ids->p[i] != id)
            return false;
        i++;
    }
    return i == ids->n && qn_json_type(expected) == QN_JSON_ARRAY;
}

/* Encodes and compares. */
static inline bool case_encode(const struct qn_tokenizer *t, struct qn_ids *ids, struct qn_str text,
                               uint32_t flags, struct qn_json_value expected) {
    struct qn_error err;
    ids->n = 0;
    return qn_tokenizer_encode(t, ids, text, flags, NULL, 0, &err) == QN_OK &&
           case_ids_equal(ids, expected);
}

static inline bool case_decode(const struct qn_tokenizer *t, struct qn_buf *buf,
                               const struct qn_ids *ids, uint32_t flags, struct qn_str expected) {
    struct qn_error err;
    qn_buf_clear(buf);
    return qn_tokenizer_decode(t, buf, ids->p, ids->n, flags, &err) == QN_OK &&
           qn_str_eq(qn_buf_view(buf), expected);
}

static inline void case_show(struct qn_str text, const struct qn_ids *ids) {
    fprintf(stderr, "    text \"%.*s\" gives", QN_STR_ARG(text));
    for (size_t i = 0; i < ids->n && i < 40; i++)
        fprintf(stderr, " %u", ids->p[i]);
    fprintf(stderr, "\n");
}

#endif
