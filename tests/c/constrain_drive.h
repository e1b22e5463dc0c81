/* A constraint at work, for tests/js/constrain.test.mjs: reads one JSON object per line
 *
 *     {"kind": 1, "text": "…", "whitespace": 0, "accept": ["…"], "walks": 3, "seed": 1, "most":
 * 300}
 *
 * and answers one per line: {"status": "QN_OK", "error": "", "accepted": [true], "texts": ["…"],
 * "ended": [true]}. A walk draws tokens evenly among those that the mask allows, of a real
 * vocabulary; once a quarter of its tokens is spent it prefers those that close what is open. */
#ifndef QN_TEST_CONSTRAIN_DRIVE_H
#define QN_TEST_CONSTRAIN_DRIVE_H

#include "base/buf.h"
#include "base/json.h"
#include "tests/c/constrain_walk.h"

static inline void drive_line(struct drive_vocab *v, struct qn_str line, struct qn_buf *out) {
    struct qn_arena arena;
    struct qn_json json;
    struct qn_error err = {0};
    struct qn_constraint c = {0};
    struct qn_grammar *g = NULL;
    qn_arena_init(&arena, qn_allocator_default());
    enum qn_status status = qn_json_parse(&json, &arena, line, &err);
    struct qn_json_value root = qn_json_root(&json);
    uint32_t kind = 0, walks = 0, seed = 0, most = 200;
    double begin = drive_now();
    struct drive_times times = {0};
    if (status == QN_OK) {
        qn_json_u32(&kind, qn_json_get(root, "kind"));
        qn_json_u32(&walks, qn_json_get(root, "walks"));
        qn_json_u32(&seed, qn_json_get(root, "seed"));
        qn_json_u32(&most, qn_json_get(root, "most"));
        qn_json_u32(&c.whitespace, qn_json_get(root, "whitespace"));
        qn_json_string(&c.text, &arena, qn_json_get(root, "text"));
        c.kind = (enum qn_constraint_kind)kind;
        begin = drive_now();
        status = qn_grammar_compile(&g, qn_allocator_default(), &c, &err);
    }
    double compiled = drive_now() - begin;
    struct qn_buf accepted, texts, ended, text;
    qn_buf_init(&accepted, qn_allocator_default());
    qn_buf_init(&texts, qn_allocator_default());
    qn_buf_init(&ended, qn_allocator_default());
    qn_buf_init(&text, qn_allocator_default());
    struct qn_json_iter it = qn_json_iterate(qn_json_get(root, "accept"));
    while (status == QN_OK && qn_json_each(&it)) {
        struct qn_matcher m;
        struct qn_str s = {0};
        struct qn_error no;
        qn_matcher_init(&m, g, NULL);
        qn_json_string(&s, &arena, it.value);
        bool ok = qn_matcher_accept_bytes(&m, s, &no) == QN_OK && qn_matcher_can_end(&m);
        qn_buf_format(&accepted, "%s%s", accepted.n ? "," : "", ok ? "true" : "false");
        qn_matcher_free(&m);
    }
    for (uint32_t i = 0; status == QN_OK && i < walks; i++) {
        bool end;
        qn_buf_clear(&text);
        status = drive_walk(v, g, &text, &end, seed + i, most, &times, &err);
        if (i)
            qn_buf_char(&texts, ',');
        qn_buf_json_str(&texts, qn_buf_view(&text));
        qn_buf_format(&ended, "%s%s", i ? "," : "", end ? "true" : "false");
    }
    qn_buf_format(out, "{\"status\":\"%s\",\"error\":", qn_status_name(status));
    qn_buf_json_str(out, qn_str_from(status == QN_OK ? "" : err.text));
    qn_buf_format(out, ",\"accepted\":[%.*s],\"texts\":[", (int)accepted.n, accepted.p);
    qn_buf_str(out, qn_buf_view(&texts));
    qn_buf_format(out,
                  "],\"ended\":[%.*s],\"compile_us\":%g,\"mask_us\":%g,\"most_us\":%g,"
                  "\"masks\":%u,\"terms\":%u}",
                  (int)ended.n, ended.p, compiled * 1e6,
                  times.n ? times.mask * 1e6 / (double)times.n : 0.0, times.most * 1e6,
                  (unsigned)times.n, g ? g->terms.n_terms : 0u);
    qn_buf_free(&accepted);
    qn_buf_free(&texts);
    qn_buf_free(&ended);
    qn_buf_free(&text);
    qn_grammar_free(g);
    qn_arena_free(&arena);
}

/* argv: the program, "--drive" or "--bench", a tokenizer.json. */
static inline int drive(int argc, char **argv) {
    struct drive_vocab v = {0};
    static char line[1 << 22];
    double begin = drive_now();
    if (argc != 3 || !drive_open(&v, argv[2]))
        return 1;
    if (strcmp(argv[1], "--bench") == 0)
        drive_bench(&v, drive_now() - begin);
    while (strcmp(argv[1], "--bench") != 0 && fgets(line, sizeof line, stdin)) {
        struct qn_buf out;
        qn_buf_init(&out, qn_allocator_default());
        drive_line(&v, qn_str_from(line), &out);
        printf("%.*s\n", (int)out.n, out.p);
        fflush(stdout);
        qn_buf_free(&out);
    }
    drive_close(&v);
    return 0;
}

#endif
