/* tokenizer.json fixtures: every case of golden.json, ids and decoded text, must be equal. */
#include "tests/c/text_cases.h"

static void check_case(const struct qn_tokenizer *t, struct qn_arena *arena, const char *name,
                       struct qn_json_value c, struct qn_ids *ids, struct qn_buf *buf) {
    struct qn_str text, skip, keep;
    if (!CHECK(qn_json_string(&text, arena, qn_json_get(c, "text"))))
        return;
    CHECK(qn_json_string(&skip, arena, qn_json_get(c, "decode_skip")));
    CHECK(qn_json_string(&keep, arena, qn_json_get(c, "decode_keep")));
    if (!CHECK_MSG(case_encode(t, ids, text, 0, qn_json_get(c, "ids")), "%s", name))
        case_show(text, ids);
    bool ok = case_encode(t, ids, text, QN_ENCODE_SPECIAL, qn_json_get(c, "ids_special"));
    if (!CHECK_MSG(ok, "%s, special", name)) {
        case_show(text, ids);
        return;
    }
    if (!CHECK_MSG(case_decode(t, buf, ids, QN_DECODE_SKIP_SPECIAL, skip), "%s", name))
        fprintf(stderr, "    decoded \"%.*s\" for \"%.*s\"\n", (int)buf->n, buf->p, (int)skip.n,
                skip.p);
    if (!CHECK_MSG(case_decode(t, buf, ids, 0, keep), "%s", name))
        fprintf(stderr, "    decoded \"%.*s\" for \"%.*s\"\n", (int)buf->n, buf->p, (int)keep.n,
                keep.p);
}

/* Pairs of texts: ids and type ids. */
static void check_pair(const struct qn_tokenizer *t, struct qn_arena *arena, const char *name,
                       struct qn_json_value c) {
    struct qn_str a, b;
    struct qn_ids ids, types;
    struct qn_error err;
    CHECK(qn_json_string(&a, arena, qn_json_get(c, "a")));
    CHECK(qn_json_string(&b, arena, qn_json_get(c, "b")));
    qn_ids_init(&ids, qn_allocator_default());
    qn_ids_init(&types, qn_allocator_default());
    CHECK(qn_tokenizer_encode_pair(t, &ids, &types, a, &b, QN_ENCODE_SPECIAL, &err) == QN_OK);
    if (!CHECK_MSG(case_ids_equal(&ids, qn_json_get(c, "ids")), "%s, pair", name))
        case_show(a, &ids);
    if (!CHECK_MSG(case_ids_equal(&types, qn_json_get(c, "type_ids")), "%s, types", name))
        case_show(a, &types);
    qn_ids_free(&ids);
    qn_ids_free(&types);
}

static bool check_fixture(const char *name) {
    const struct qn_allocator *allocator = qn_allocator_default();
    struct qn_arena arena, model;
    struct qn_error err;
    struct qn_tokenizer *t;
    struct qn_json golden;
    char path[256];
    qn_arena_init(&arena, allocator);
    qn_arena_init(&model, allocator);
    snprintf(path, sizeof path, "fixtures/tokenizers/%s/tokenizer.json", name);
    struct qn_str text = case_file(&arena, path);
    snprintf(path, sizeof path, "fixtures/tokenizers/%s/golden.json", name);
    struct qn_str expected = case_file(&arena, path);
    bool there = text.p && expected.p;
    enum qn_status status = there ? qn_tokenizer_from_json(&t, &model, text, &err) : QN_E_IO;
    if (there && CHECK_MSG(status == QN_OK, "%s: %s", name, err.text) &&
        CHECK(qn_json_parse(&golden, &arena, expected, &err) == QN_OK)) {
        struct qn_ids ids;
        struct qn_buf buf;
        qn_ids_init(&ids, allocator);
        qn_buf_init(&buf, allocator);
        struct qn_json_iter it = qn_json_iterate(qn_json_get(qn_json_root(&golden), "cases"));
        CHECK(it.left > 500);
        while (qn_json_each(&it))
            check_case(t, &arena, name, it.value, &ids, &buf);
        it = qn_json_iterate(qn_json_get(qn_json_root(&golden), "pairs"));
        CHECK(it.left == 10);
        while (qn_json_each(&it))
            check_pair(t, &arena, name, it.value);
        CHECK_MSG(model.held <= 16 * text.n + 65536, "%s holds %zu bytes for a file of %zu", name,
                  model.held, text.n);
        qn_ids_free(&ids);
        qn_buf_free(&buf);
    }
    qn_arena_free(&model);
    qn_arena_free(&arena);
    return there;
}

int main(int argc, char **argv) {
    static const char *const names[] = {"gpt2",
                                        "qwen2",
                                        "llama3",
                                        "roberta",
                                        "gpt_neox",
                                        "smollm",
                                        "o200k",
                                        "llama2_spm",
                                        "phi3_spm",
                                        "gemma_spm",
                                        "clip",
                                        "metaspace_first_spm",
                                        "bert_cased",
                                        "bert_uncased",
                                        "t5_unigram",
                                        "xlmr_unigram",
                                        "deberta_v3_unigram"};
    if (argc > 1)
        check_fixture(argv[1]);
    for (size_t i = 0; argc == 1 && i < sizeof names / sizeof names[0]; i++) {
        if (!check_fixture(names[i])) {
            printf("skipped: no ../shared\n");
            break;
        }
    }
    return test_done("text_json");
}
