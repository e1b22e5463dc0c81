/* Published vocabularies: Qwen2.5's vocab.json + merges.txt, files of the hub, expected ids of
 * other people's test suites. */
#include "tests/c/faults.h"
#include "tests/c/text_cases.h"

static const struct qn_allocator *allocator;

struct loaded {
    struct qn_arena arena, model;
    struct qn_tokenizer *t;
    struct qn_error err;
    enum qn_status status;
};

static bool load_json(struct loaded *l, const char *path) {
    qn_arena_init(&l->arena, allocator);
    qn_arena_init(&l->model, allocator);
    struct qn_str text = case_file(&l->arena, path);
    if (!text.p)
        return false;
    l->status = qn_tokenizer_from_json(&l->t, &l->model, text, &l->err);
    if (l->status == QN_OK)
        CHECK_MSG(l->model.held <= 16 * text.n, "%s holds %zu", path, l->model.held);
    return CHECK_MSG(l->status == QN_OK, "%s: %s", path, l->err.text);
}

static bool load_folder(struct loaded *l, const char *path) {
    char folder[512];
    struct qn_directory directory = {.format = QN_FORMAT_SAFETENSORS};
    qn_arena_init(&l->arena, allocator);
    qn_arena_init(&l->model, allocator);
    snprintf(folder, sizeof folder, "%s/tokenizer_config.json", path);
    struct qn_str config = case_file(&l->arena, folder);
    if (!config.p ||
        !CHECK(qn_json_parse(&directory.tokenizer_config, &l->arena, config, &l->err) == QN_OK))
        return false;
    snprintf(folder, sizeof folder, "%s/%s", test_shared(), path);
    struct qn_files files = folder_files(folder);
    directory.arena = &l->arena;
    l->status = qn_tokenizer_open(&l->t, &l->model, &directory, &files, &l->err);
    return CHECK_MSG(l->status == QN_OK, "%s: %s", path, l->err.text);
}

static void unload(struct loaded *l) {
    qn_arena_free(&l->model);
    qn_arena_free(&l->arena);
}

/* llama.cpp's pairs: texts separated by a marker line, one line of ids for each. No special tokens
 * are added and none are matched. */
static void check_inp(const struct qn_tokenizer *t, const char *name) {
    struct qn_arena arena;
    struct qn_ids ids, expected;
    struct qn_error err;
    char path[256];
    struct qn_str mark = QN_STR("\n__ggml_vocab_test__\n");
    qn_arena_init(&arena, allocator);
    qn_ids_init(&ids, allocator);
    qn_ids_init(&expected, allocator);
    snprintf(path, sizeof path, "assets/tokenizers/ggml-vocab/ggml-vocab-%s.gguf.inp", name);
    struct qn_str inp = case_file(&arena, path);
    snprintf(path, sizeof path, "assets/tokenizers/ggml-vocab/ggml-vocab-%s.gguf.out", name);
    struct qn_str out = case_file(&arena, path);
    size_t line = 0, n = 0;
    for (size_t at = 0; at < inp.n; n++) {
        size_t end = qn_str_find(inp, mark, at);
        if (end == SIZE_MAX)
            break;
        struct qn_str text = qn_str_slice(inp, at, end);
        at = end + mark.n;
        expected.n = 0;
        for (uint32_t id = 0, digits = 0; line < out.n; line++) {
            char c = out.p[line];
            if (c >= '0' && c <= '9') {
                id = id * 10 + (uint32_t)(c - '0');
                digits++;
                continue;
            }
            if (digits > 0)
                CHECK(qn_ids_push(&expected, id) == QN_OK);
            id = digits = 0;
            if (c == '\n') {
                line++;
                break;
            }
        }
        ids.n = 0;
        CHECK(qn_tokenizer_encode(t, &ids, text, QN_ENCODE_NO_MATCH, NULL, 0, &err) == QN_OK);
        bool same = ids.n == expected.n &&
                    (ids.n == 0 || memcmp(ids.p, expected.p, ids.n * sizeof *ids.p) == 0);
        if (!CHECK_MSG(same, "%s, text %zu", name, n)) {
            case_show(text, &ids);
            case_show(QN_STR("(expected)"), &expected);
        }
    }
    CHECK_MSG(n >= 40, "%s: %zu texts", name, n);
    qn_ids_free(&ids);
    qn_ids_free(&expected);
    qn_arena_free(&arena);
}

/* For `without`: texts beyond ASCII. */
static const char ascii_only[] = "\xff";

static bool is_ascii(struct qn_str s) {
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] >= 128)
            return false;
    }
    return true;
}

/* The vectors of transformers.js: {family: {model: {case: {text, ids, decoded}}}}. `decoded` can be
 * compared where no clean-up of spaces was on. */
static void check_vectors(const struct qn_tokenizer *t, const char *family, const char *model,
                          uint32_t flags, bool decoded, const char *without) {
    struct qn_arena arena;
    struct qn_json json;
    struct qn_error err;
    struct qn_ids ids;
    struct qn_buf buf;
    qn_arena_init(&arena, allocator);
    qn_ids_init(&ids, allocator);
    qn_buf_init(&buf, allocator);
    struct qn_str text =
        case_file(&arena, "assets/tokenizers/transformers.js/tokenization-vectors.json");
    if (text.p && CHECK(qn_json_parse(&json, &arena, text, &err) == QN_OK)) {
        struct qn_json_value cases = qn_json_get(qn_json_get(qn_json_root(&json), family), model);
        struct qn_json_iter it = qn_json_iterate(cases);
        CHECK_MSG(it.left > 0, "%s", model);
        while (qn_json_each(&it)) {
            struct qn_str s, expected, name = qn_json_raw(it.key);
            CHECK(qn_json_string(&s, &arena, qn_json_get(it.value, "text")));
            if (without == ascii_only && !is_ascii(s))
                continue;
            if (without && qn_str_starts(name, qn_str_from(without)))
                continue;
            if (!CHECK_MSG(case_encode(t, &ids, s, flags, qn_json_get(it.value, "ids")), "%s %.*s",
                           model, QN_STR_ARG(name)))
                case_show(s, &ids);
            else if (decoded &&
                     qn_json_string(&expected, &arena, qn_json_get(it.value, "decoded")) &&
                     !CHECK_MSG(case_decode(t, &buf, &ids, 0, expected), "%s %.*s", model,
                                QN_STR_ARG(name)))
                fprintf(stderr, "    decoded \"%.*s\" for \"%.*s\"\n", (int)buf.n, buf.p,
                        (int)expected.n, expected.p);
        }
    }
    qn_ids_free(&ids);
    qn_buf_free(&buf);
    qn_arena_free(&arena);
}

/* The same, of a model with the same vocabulary that puts `before` other tokens of its own in front
 * of the text, and one behind; texts with `without` are left out. */
static void check_framed(const struct qn_tokenizer *t, const char *family, const char *model,
                         uint32_t before, const char *without) {
    struct qn_arena arena;
    struct qn_json json;
    struct qn_error err;
    struct qn_ids ids;
    qn_arena_init(&arena, allocator);
    qn_ids_init(&ids, allocator);
    struct qn_str all =
        case_file(&arena, "assets/tokenizers/transformers.js/tokenization-vectors.json");
    if (all.p && CHECK(qn_json_parse(&json, &arena, all, &err) == QN_OK)) {
        struct qn_json_iter it =
            qn_json_iterate(qn_json_get(qn_json_get(qn_json_root(&json), family), model));
        CHECK(it.left > 10);
        while (qn_json_each(&it)) {
            struct qn_json_value expected = qn_json_get(it.value, "ids");
            struct qn_json_iter list = qn_json_iterate(expected);
            uint32_t i = 0, n = qn_json_count(expected), id;
            struct qn_str text;
            CHECK(qn_json_string(&text, &arena, qn_json_get(it.value, "text")));
            if (without && qn_str_find(text, qn_str_from(without), 0) != SIZE_MAX)
                continue;
            ids.n = 0;
            CHECK(qn_tokenizer_encode(t, &ids, text, 0, NULL, 0, &err) == QN_OK);
            bool same = ids.n + before + 1 == n;
            for (; same && qn_json_each(&list); i++)
                same = i < before || i + 1 == n ||
                       (qn_json_u32(&id, list.value) && id == ids.p[i - before]);
            if (!CHECK_MSG(same, "%s", model))
                case_show(text, &ids);
        }
    }
    qn_ids_free(&ids);
    qn_arena_free(&arena);
}

/* vocab.json + merges.txt must give the same tokenizer as tokenizer.json. */
static void check_qwen(void) {
    struct loaded files, json;
    struct qn_ids a, b;
    struct qn_buf decoded;
    struct qn_error err;
    qn_ids_init(&a, allocator);
    qn_ids_init(&b, allocator);
    qn_buf_init(&decoded, allocator);
    bool ok = load_folder(&files, "assets/tokenizers/qwen2.5");
    ok = load_json(&json, "assets/tokenizers/qwen2.5/tokenizer.reconstructed.json") && ok;
    if (ok) {
        uint32_t id;
        CHECK(qn_tokenizer_size(files.t) == 151665 && qn_tokenizer_size(json.t) == 151665);
        CHECK(qn_tokenizer_eos(files.t) == 151645 && qn_tokenizer_bos(files.t) == UINT32_MAX);
        CHECK(qn_tokenizer_find(files.t, &id, QN_STR("<|im_start|>")) && id == 151644);
        CHECK(qn_tokenizer_is_special(files.t, 151644) &&
              !qn_tokenizer_is_special(files.t, 151657));
        CHECK(qn_str_is(qn_tokenizer_token(files.t, 1), "\""));
        for (id = 0; id < 151665; id++)
            CHECK(qn_str_eq(qn_tokenizer_token(files.t, id), qn_tokenizer_token(json.t, id)));
        check_inp(files.t, "qwen2");
        check_vectors(files.t, "qwen2", "Xenova/Qwen1.5-0.5B-Chat", QN_ENCODE_SPECIAL, true, NULL);
        struct qn_str corpus =
            case_file(&files.arena, "assets/corpora/wikitext-2-raw/wiki.test.raw");
        CHECK(corpus.n > 1000000);
        CHECK(qn_tokenizer_encode(files.t, &a, corpus, 0, NULL, 0, &err) == QN_OK);
        CHECK(qn_tokenizer_encode(json.t, &b, corpus, 0, NULL, 0, &err) == QN_OK);
        CHECK(a.n == b.n && memcmp(a.p, b.p, a.n * sizeof *a.p) == 0);
        CHECK(qn_tokenizer_decode(files.t, &decoded, a.p, a.n, 0, &err) == QN_OK);
        CHECK(qn_str_eq(qn_buf_view(&decoded), corpus)); // the corpus is in NFC
    }
    qn_ids_free(&a);
    qn_ids_free(&b);
    qn_buf_free(&decoded);
    unload(&files);
    unload(&json);
}

static bool load_gguf(struct loaded *l, const char *name) {
    char path[512];
    struct qn_directory directory;
    qn_arena_init(&l->arena, allocator);
    qn_arena_init(&l->model, allocator);
    snprintf(path, sizeof path, "%s/assets/tokenizers/ggml-vocab", test_shared());
    struct qn_files files = folder_files(path);
    struct qn_str main_file = qn_str_from(name);
    return CHECK(qn_directory_open_text(&directory, &l->arena, &files, main_file, &l->err) ==
                 QN_OK) &&
           CHECK(qn_tokenizer_open(&l->t, &l->model, &directory, &files, &l->err) == QN_OK);
}

/* The vocabulary of bert-base-cased as its vocab.txt; in this copy all beyond ASCII is encoded
 * twice. */
static bool load_bert(struct loaded *l) {
    struct qn_directory directory = {.format = QN_FORMAT_SAFETENSORS};
    qn_arena_init(&l->arena, allocator);
    qn_arena_init(&l->model, allocator);
    struct qn_memory_file file = {
        QN_STR("vocab.txt"),
        case_file(&l->arena, "assets/tokenizers/hub/bert_basic_cased_vocab.txt")};
    struct qn_memory_files memory = {&file, 1};
    struct qn_files files = qn_files_from_memory(&memory);
    return file.bytes.p &&
           CHECK(qn_json_parse(&directory.tokenizer_config, &l->arena,
                               QN_STR("{\"do_lower_case\":false}"), &l->err) == QN_OK) &&
           CHECK(qn_tokenizer_open(&l->t, &l->model, &directory, &files, &l->err) == QN_OK);
}

static void check_more(void) {
    struct loaded l;
    if (load_json(&l, "assets/tokenizers/hub/clip/tokenizer.json")) {
        check_vectors(l.t, "clip", "Xenova/clip-vit-base-patch16", QN_ENCODE_SPECIAL, false, NULL);
    }
    unload(&l);
    if (load_json(&l, "assets/tokenizers/hub/t5-small/tokenizer.json")) {
        check_vectors(l.t, "t5", "Xenova/t5-small", QN_ENCODE_SPECIAL, false, NULL);
        check_vectors(l.t, "t5", "google-t5/t5-small", QN_ENCODE_SPECIAL, false, NULL);
    }
    unload(&l);
    if (load_bert(&l)) {
        check_vectors(l.t, "bert", "Xenova/bert-base-cased", QN_ENCODE_SPECIAL, false, ascii_only);
        check_vectors(l.t, "bert", "google-bert/bert-base-cased", QN_ENCODE_SPECIAL, false,
                      ascii_only);
        check_vectors(l.t, "distilbert", "Xenova/distilbert-base-cased-distilled-squad",
                      QN_ENCODE_SPECIAL, false, ascii_only);
    }
    unload(&l);
    if (load_gguf(&l, "ggml-vocab-gpt-2.gguf")) {
        check_vectors(l.t, "gpt2", "Xenova/gpt2", 0, false, NULL);
        check_vectors(l.t, "gpt2", "openai-community/gpt2", 0, false, NULL);
        check_vectors(l.t, "falcon", "tiiuae/falcon-rw-1b", 0, false, NULL);
    }
    unload(&l);
    if (load_gguf(&l, "ggml-vocab-deepseek-coder.gguf"))
        check_vectors(l.t, "llama", "Xenova/deepseek-coder-1.3b-instruct", QN_ENCODE_SPECIAL, true,
                      NULL);
    unload(&l);
}

static void check_hub(void) {
    struct loaded l;
    if (load_json(&l, "assets/tokenizers/hub/llama2/tokenizer.json")) {
        /* This copy of the file has spaces where its tokens should have U+00A0. */
        check_vectors(l.t, "llama", "Xenova/llama-tokenizer", QN_ENCODE_SPECIAL, true,
                      "TEXT_WITH_ESCAPE");
        check_inp(l.t, "llama-spm");
    }
    unload(&l);
    if (load_json(&l, "assets/tokenizers/hub/phi-3/tokenizer.json"))
        check_inp(l.t, "phi-3");
    unload(&l);
    if (load_json(&l, "assets/tokenizers/hub/falcon-tokenizer/tokenizer.json")) {
        check_vectors(l.t, "falcon", "tiiuae/falcon-7b", QN_ENCODE_SPECIAL, false, NULL);
        check_inp(l.t, "falcon");
    }
    unload(&l);
    if (load_json(&l, "assets/tokenizers/hub/roberta-base/tokenizer.json"))
        check_vectors(l.t, "roberta", "Xenova/all-distilroberta-v1", QN_ENCODE_SPECIAL, true, NULL);
    unload(&l);
    load_json(&l, "assets/tokenizers/hub/phi-2/tokenizer.json");
    unload(&l);
    /* The other model's file lost its first merge, of a space and t. */
    if (load_json(&l, "assets/tokenizers/hub/whisper.tiny/tokenizer.json"))
        check_framed(l.t, "whisper", "distil-whisper/distil-large-v2", 4, " t");
    unload(&l);
    if (load_gguf(&l, "ggml-vocab-llama-spm.gguf"))
        check_vectors(l.t, "llama", "Xenova/llama-tokenizer", QN_ENCODE_SPECIAL, true, NULL);
    unload(&l);
}

int main(void) {
    struct qn_arena arena;
    allocator = qn_allocator_default();
    qn_arena_init(&arena, allocator);
    if (case_file(&arena, "assets/tokenizers/qwen2.5/vocab.json").p) {
        check_qwen();
        check_hub();
        check_more();
    } else {
        printf("skipped: no ../shared\n");
    }
    qn_arena_free(&arena);
    return test_done("text_vocab");
}
