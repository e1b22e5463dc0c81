/* Tokenizers in GGUF metadata: the cases of the fixtures and llama.cpp's vocabulary-only files. */
#include "tests/c/faults.h"
#include "tests/c/text_cases.h"

static const struct qn_allocator *allocator;

/* A tokenizer from a file below the shared folder; false when the file is not there. */
static bool open_gguf(struct qn_tokenizer **out, struct qn_arena *arena, const char *folder,
                      const char *name, enum qn_status *status, struct qn_error *err) {
    char path[512];
    uint64_t size;
    struct qn_directory directory;
    snprintf(path, sizeof path, "%s/%s", test_shared(), folder);
    struct qn_files files = folder_files(path);
    if (files.size(files.ud, &size, qn_str_from(name)) != QN_OK)
        return false;
    *status = qn_directory_open(&directory, arena, &files, qn_str_from(name), err);
    if (*status == QN_OK)
        *status = qn_tokenizer_open(out, arena, &directory, &files, err);
    return true;
}

static bool check_fixture(const char *name) {
    struct qn_arena arena;
    struct qn_tokenizer *t;
    struct qn_error err;
    struct qn_json golden;
    struct qn_ids ids;
    struct qn_buf buf;
    enum qn_status status;
    char path[256];
    qn_arena_init(&arena, allocator);
    qn_ids_init(&ids, allocator);
    qn_buf_init(&buf, allocator);
    snprintf(path, sizeof path, "fixtures/gguf/%s", name);
    bool there = open_gguf(&t, &arena, path, "model.gguf", &status, &err);
    snprintf(path, sizeof path, "fixtures/gguf/%s/golden.json", name);
    struct qn_str text = case_file(&arena, path);
    if (there && CHECK_MSG(status == QN_OK, "%s: %s", name, err.text) &&
        CHECK(qn_json_parse(&golden, &arena, text, &err) == QN_OK)) {
        struct qn_json_iter it =
            qn_json_iterate(qn_json_get(qn_json_root(&golden), "tokenizer_cases"));
        CHECK(it.left >= 20);
        while (qn_json_each(&it)) {
            struct qn_str s, decoded;
            CHECK(qn_json_string(&s, &arena, qn_json_get(it.value, "text")));
            CHECK(qn_json_string(&decoded, &arena, qn_json_get(it.value, "decoded")));
            if (!CHECK_MSG(case_encode(t, &ids, s, QN_ENCODE_SPECIAL,
                                       qn_json_get(it.value, "ids_special")),
                           "%s", name))
                case_show(s, &ids);
            if (!CHECK_MSG(case_encode(t, &ids, s, 0, qn_json_get(it.value, "ids")), "%s", name))
                case_show(s, &ids);
            CHECK_MSG(case_decode(t, &buf, &ids, 0, decoded), "%s \"%.*s\"", name, QN_STR_ARG(s));
        }
    }
    qn_ids_free(&ids);
    qn_buf_free(&buf);
    qn_arena_free(&arena);
    return there;
}

/* Texts separated by a marker line, one line of ids for each; nothing added, nothing matched. */
static void check_inp(const char *name, uint32_t *n_same) {
    struct qn_arena arena;
    struct qn_tokenizer *t;
    struct qn_error err;
    struct qn_ids ids;
    enum qn_status status;
    char path[256];
    struct qn_str mark = QN_STR("\n__ggml_vocab_test__\n");
    qn_arena_init(&arena, allocator);
    qn_ids_init(&ids, allocator);
    snprintf(path, sizeof path, "ggml-vocab-%s.gguf", name);
    if (open_gguf(&t, &arena, "assets/tokenizers/ggml-vocab", path, &status, &err) &&
        CHECK_MSG(status == QN_OK, "%s: %s", name, err.text)) {
        snprintf(path, sizeof path, "assets/tokenizers/ggml-vocab/ggml-vocab-%s.gguf.inp", name);
        struct qn_str inp = case_file(&arena, path);
        snprintf(path, sizeof path, "assets/tokenizers/ggml-vocab/ggml-vocab-%s.gguf.out", name);
        struct qn_str out = case_file(&arena, path);
        for (size_t at = 0, line = 0, end; (end = qn_str_find(inp, mark, at)) != SIZE_MAX;
             at = end + mark.n) {
            struct qn_str text = qn_str_slice(inp, at, end), got;
            struct qn_buf printed;
            size_t stop = qn_str_find(out, QN_STR("\n"), line);
            qn_buf_init(&printed, allocator);
            ids.n = 0;
            CHECK(qn_tokenizer_encode(t, &ids, text, QN_ENCODE_NO_MATCH, NULL, 0, &err) == QN_OK);
            for (size_t i = 0; i < ids.n; i++) {
                qn_buf_char(&printed, ' ');
                qn_buf_u64(&printed, ids.p[i]);
            }
            got = qn_buf_view(&printed);
            struct qn_str want = qn_str_slice(out, line, stop);
            if (!CHECK_MSG(qn_str_eq(got, want), "%s: wanted%.*s", name, QN_STR_ARG(want)))
                case_show(text, &ids);
            else
                ++*n_same;
            line = stop + 1;
            qn_buf_free(&printed);
        }
    }
    qn_ids_free(&ids);
    qn_arena_free(&arena);
}

/* Files without expected ids must open, and round trip. */
static void check_opens(const char *folder, const char *name) {
    struct qn_arena arena;
    struct qn_tokenizer *t;
    struct qn_error err;
    struct qn_ids ids;
    struct qn_buf buf;
    enum qn_status status;
    struct qn_str text =
        QN_STR("Once upon a time, there was 1 little girl named \xc3\x89ve.\n\tShe's "
               "happy   now; \xe4\xb8\xad\xe6\x96\x87 \xf0\x9f\x98\x80");
    qn_arena_init(&arena, allocator);
    qn_ids_init(&ids, allocator);
    qn_buf_init(&buf, allocator);
    if (open_gguf(&t, &arena, folder, name, &status, &err) &&
        CHECK_MSG(status == QN_OK, "%s: %s", name, err.text)) {
        CHECK(qn_tokenizer_encode(t, &ids, text, 0, NULL, 0, &err) == QN_OK);
        CHECK_MSG(case_decode(t, &buf, &ids, 0, text), "%s: \"%.*s\"", name, (int)buf.n, buf.p);
    }
    qn_ids_free(&ids);
    qn_buf_free(&buf);
    qn_arena_free(&arena);
}

/* <|EOT|> is user-defined in this file; it ends turns, so plain text must not spell it. */
static void check_frames(void) {
    struct qn_arena arena;
    struct qn_tokenizer *t;
    struct qn_error err;
    struct qn_ids ids;
    enum qn_status status;
    qn_arena_init(&arena, allocator);
    qn_ids_init(&ids, allocator);
    if (open_gguf(&t, &arena, "assets/tokenizers/ggml-vocab", "ggml-vocab-deepseek-coder.gguf",
                  &status, &err) &&
        CHECK(status == QN_OK)) {
        struct qn_str text = QN_STR("<|EOT|>");
        CHECK(qn_tokenizer_is_special(t, 32021) && !qn_tokenizer_is_special(t, 32015));
        CHECK(qn_tokenizer_encode(t, &ids, text, 0, NULL, 0, &err) == QN_OK);
        CHECK(ids.n == 1 && ids.p[0] == 32021);
        ids.n = 0;
        CHECK(qn_tokenizer_encode(t, &ids, text, QN_ENCODE_NO_MATCH, NULL, 0, &err) == QN_OK);
        CHECK(ids.n > 1);
    }
    qn_ids_free(&ids);
    qn_arena_free(&arena);
}

int main(void) {
    static const char *const fixtures[] = {
        "qwen2_F32",  "qwen2_Q4_0", "qwen2_Q6_K_w256",   "qwen2_untied_IQ4_NL", "llama_Q4_0",
        "llama_Q8_0", "phi3_F16",   "phi3_longrope_F16", "gemma2_BF16",         "gemma2_Q4_0",
    };
    static const char *const vocabularies[] = {
        "gpt-2",  "llama-spm", "phi-3",          "falcon",       "mpt",
        "refact", "starcoder", "deepseek-coder", "deepseek-llm", "bert-bge",
    };
    uint32_t n_same = 0;
    bool there = true;
    allocator = qn_allocator_default();
    for (size_t i = 0; there && i < sizeof fixtures / sizeof fixtures[0]; i++)
        there = check_fixture(fixtures[i]);
    for (size_t i = 0; there && i < sizeof vocabularies / sizeof vocabularies[0]; i++)
        check_inp(vocabularies[i], &n_same);
    if (there) {
        CHECK_MSG(n_same == 46 * 10, "%u", n_same);
        check_opens("assets/tokenizers/ggml-vocab", "ggml-vocab-baichuan.gguf");
        check_opens("assets/tokenizers/ggml-vocab", "ggml-vocab-gpt-neox.gguf");
        check_frames();
        check_opens("assets/lm/stories260K", "stories260K.gguf");
    } else {
        printf("skipped: no ../shared\n");
    }
    return test_done("text_gguf");
}
