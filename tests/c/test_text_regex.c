/* The regular expressions: places found by another implementation (tests/data/text/regex.json),
 * patterns that are refused, bounds of time and memory, and the hand-written splitters against the
 * compiled patterns over real text. */
#include "base/utf8.h"
#include "tests/c/faults.h"
#include "tests/c/text_cases.h"
#include "text/pretok.h"

static struct qn_arena arena;

static const struct qn_regex *compile(const char *pattern) {
    const struct qn_regex *re = NULL;
    struct qn_error err = {.text = ""};
    CHECK_MSG(qn_regex_compile(&re, &arena, qn_str_from(pattern), &err) == QN_OK, "%s", err.text);
    return re;
}

static void check_case(struct qn_regex_scratch *scratch, struct qn_str pattern, struct qn_str text,
                       struct qn_json_value spans) {
    const struct qn_regex *re;
    struct qn_error err = {.text = ""};
    struct qn_json_iter it = qn_json_iterate(spans);
    size_t from = 0, last = SIZE_MAX, begin, end;
    enum qn_status status = qn_regex_compile(&re, &arena, pattern, &err);
    if (!CHECK_MSG(status == QN_OK, "%s", err.text))
        return;
    scratch->steps = 1000000;
    while (from <= text.n) {
        uint32_t want_begin = UINT32_MAX, want_end = UINT32_MAX;
        if (!CHECK(qn_regex_find(re, scratch, &begin, &end, text, from, false) == QN_OK))
            return;
        if (begin != SIZE_MAX && begin == end && begin == last) { // directly behind a match
            if (from >= text.n)
                break;
            qn_utf8_next(text, &from);
            continue;
        }
        bool more = qn_json_each(&it) && qn_json_u32(&want_begin, it.value) && qn_json_each(&it) &&
                    qn_json_u32(&want_end, it.value);
        if (begin == SIZE_MAX && !more)
            return;
        if (!CHECK_MSG(begin == want_begin && end == want_end,
                       "%.*s in \"%.*s\": %zu-%zu, wanted %u-%u", QN_STR_ARG(pattern),
                       QN_STR_ARG(text), begin, end, want_begin, want_end))
            return;
        from = last = end;
    }
    CHECK(!qn_json_each(&it));
}

static void test_cases(void) {
    struct qn_regex_scratch scratch = {.allocator = qn_allocator_default()};
    struct qn_json json;
    struct qn_error err;
    struct qn_str text = slurp("tests/data/text/regex.json");
    uint32_t n = 0, refused = 0;
    if (CHECK(text.p) && CHECK(qn_json_parse(&json, &arena, text, &err) == QN_OK)) {
        struct qn_json_iter it = qn_json_iterate(qn_json_root(&json));
        for (; qn_json_each(&it); n++) {
            struct qn_json_iter parts = qn_json_iterate(it.value);
            struct qn_str pattern = {NULL, 0}, subject = {NULL, 0};
            const struct qn_regex *re;
            CHECK(qn_json_each(&parts) && qn_json_string(&pattern, &arena, parts.value));
            CHECK(qn_json_each(&parts) && qn_json_string(&subject, &arena, parts.value));
            CHECK(qn_json_each(&parts));
            if (qn_regex_compile(&re, &arena, pattern, &err) == QN_E_UNSUPPORTED) {
                refused++; // repeats of what can be empty, which random patterns have
                continue;
            }
            check_case(&scratch, pattern, subject, parts.value);
        }
    }
    CHECK_MSG(n > 2000 && refused < n / 10, "%u of %u refused", refused, n);
    qn_regex_scratch_free(&scratch);
    free((void *)(uintptr_t)text.p);
}

static void test_refused(void) {
    static const char *const patterns[] = {
        "(",        ")",        "[a",      "a)",           "(?<n>a)",
        "(a)\\1",   "*a",       "(?x)a",   "\\p{Klingon}", "\\pL",
        "\\p{L",    "(?<=a+)b", "(a*)*",   "[[:alpha:]]",  "\\X",
        "\\",       "[b-a]",    "[a-\\d]", "a{2000}",      "(?:(?:ab){99}){99}",
        "(?~a)",    "\\k<a>",   "a**b(",   "\\x{110000",   "[]",
        "(?i-m:a)",
    };
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        const struct qn_regex *re;
        struct qn_error err = {.text = ""};
        enum qn_status status = qn_regex_compile(&re, &arena, qn_str_from(patterns[i]), &err);
        CHECK_MSG(status == QN_E_UNSUPPORTED && strlen(err.text) > 20, "%s: %d", patterns[i],
                  status);
    }
    char deep[400];
    memset(deep, '(', 200);
    memset(deep + 200, ')', 199);
    deep[399] = 0;
    const struct qn_regex *re;
    struct qn_error err;
    CHECK(qn_regex_compile(&re, &arena, qn_str_from(deep), &err) == QN_E_UNSUPPORTED);
}

/* Patterns that other engines take exponential time for end at the bound; long runs do not reach
 * it. */
static void test_bounds(void) {
    struct qn_regex_scratch scratch = {.allocator = qn_allocator_default(), .steps = 2000000};
    static char text[200001];
    size_t begin, end;
    memset(text, 'a', 200000);
    struct qn_str s = {text, 200000};
    CHECK(qn_regex_find(compile("(a+)+b"), &scratch, &begin, &end, s, 0, false) == QN_E_LIMIT);
    scratch.steps = 5000000;
    CHECK(qn_regex_find(compile("(?:a|aa)+b"), &scratch, &begin, &end, s, 0, false) == QN_E_LIMIT);
    scratch.steps = 2000000;
    CHECK(qn_regex_find(compile("a+b"), &scratch, &begin, &end, s, 0, false) == QN_OK);
    CHECK(begin == SIZE_MAX);
    CHECK(qn_regex_find(compile("(?:aa)+"), &scratch, &begin, &end, s, 0, false) == QN_OK);
    CHECK(begin == 0 && end == 200000);
    /* Ill-formed bytes are characters of no class, each of its own. */
    s = QN_STR("\xff\x80z\xe2\x82");
    CHECK(qn_regex_find(compile("\\p{L}"), &scratch, &begin, &end, s, 0, false) == QN_OK);
    CHECK(begin == 2 && end == 3);
    CHECK(qn_regex_find(compile("[^z]+$"), &scratch, &begin, &end, s, 0, false) == QN_OK);
    CHECK(begin == 3 && end == 5);
    CHECK(qn_regex_find(compile("(?<=.)z"), &scratch, &begin, &end, s, 0, false) == QN_OK);
    CHECK(begin == 2);
    /* Bytes as GPT-2 writes them: a space is U+0120, a letter. */
    s = QN_STR("a b");
    CHECK(qn_regex_find(compile("\\p{L}+"), &scratch, &begin, &end, s, 0, true) == QN_OK);
    CHECK(begin == 0 && end == 3);
    CHECK(!qn_regex_may(compile("\\s|\\d"), s, true) && qn_regex_may(compile("\\s"), s, false));
    CHECK(qn_regex_may(compile("c*"), s, true) && qn_regex_may(compile("x?(?=b)"), s, false));
    /* More ways through it than could ever be followed one by one. */
    struct qn_buf many;
    qn_buf_init(&many, scratch.allocator);
    for (int i = 0; i < 200; i++)
        qn_buf_cstr(&many, "(b?c?)?");
    qn_buf_append(&many, "a", 2);
    CHECK(qn_regex_find(compile(many.p), &scratch, &begin, &end, s, 0, false) == QN_OK);
    CHECK(begin == 0 && end == 1);
    qn_buf_free(&many);
    qn_regex_scratch_free(&scratch);
}

static enum qn_status compile_and_find(const struct qn_allocator *allocator) {
    struct qn_regex_scratch scratch = {.allocator = allocator, .steps = 1000000};
    struct qn_arena own;
    const struct qn_regex *re;
    struct qn_error err;
    size_t begin, end;
    qn_arena_init(&own, allocator);
    enum qn_status status = qn_regex_compile(
        &re, &own, QN_STR("(?:[^a&&[b-d]]|x{2,3}?|(?:yy)*z|[\\p{Lu}\\s]+){2,}(?=$)"), &err);
    if (status == QN_OK)
        status =
            qn_regex_find(re, &scratch, &begin, &end, QN_STR("bcdxxxyyzbcdxxxyyz AB"), 0, false);
    CHECK(status != QN_OK || begin == 0);
    qn_regex_scratch_free(&scratch);
    qn_arena_free(&own);
    return status;
}

static void test_memory(void) {
    uint64_t n = 1;
    for (;; n++) {
        struct faults f;
        faults_init(&f);
        f.fail_alloc = n;
        struct qn_allocator allocator = faults_allocator(&f);
        enum qn_status status = compile_and_find(&allocator);
        CHECK(f.live == 0);
        if (!CHECK(status == (f.fired ? QN_E_NO_MEMORY : QN_OK)) || !f.fired)
            break;
    }
    CHECK(n > 1);
}

/* Names of GGUF all compile; those of other kinds of tokenizers are refused. */
static void test_names(void) {
    static const char names[] =
        "default minicpm5 llama3 llama-v3 llama-bpe falcon3 falcon-h1 pixtral midm-2.0 lfm2 "
        "jina-v5-nano deepseek-llm deepseek-coder deepseek-v3 spark2_5 youtu falcon mpt starcoder "
        "gpt-2 phi-2 jina-es jina-de gigachat jina-v2-es jina-v2-de a.x-4.0 mellum modern-bert "
        "jais-2 gemma4 granite-embed-multi-311m sarvam-moe jina-v1-en jina-v2-code roberta-bpe "
        "refact command-r qwen2 deepseek-r1-qwen kormo f2llmv2 qwen35 stablelm2 olmo dbrx "
        "smaug-bpe poro-chat glm4 chatglm-bpe viking jais tekken smollm codeshell bloom "
        "gpt3-finnish exaone exaone4 exaone-moe chameleon minerva-7b megrez gpt-4o llama4 kanana2 "
        "talkie granite-embed-multi-97m tiny_aya cohere2moe superbpe trillion granite-docling "
        "bailingmoe bailingmoe2 llada-moe seed-coder hunyuan hunyuan-dense hy_v4 joyai-llm kimi-k2 "
        "ufakzeka grok-2 afmoe laguna minimax-m2 solar-open mellum2";
    struct qn_str all = qn_str_from(names);
    struct qn_pretok_gguf steps;
    struct qn_error err;
    uint32_t n = 0;
    for (size_t at = 0, end; at < all.n; at = end + 1, n++) {
        end = qn_str_find(all, QN_STR(" "), at);
        end = end == SIZE_MAX ? all.n : end;
        struct qn_str name = qn_str_slice(all, at, end);
        enum qn_status status = qn_pretok_by_gguf(&steps, &arena, name, &err);
        CHECK_MSG(status == QN_OK && steps.n_steps > 0, "%.*s", QN_STR_ARG(name));
    }
    CHECK(n == 89);
    CHECK(qn_pretok_by_gguf(&steps, &arena, QN_STR("whitespace"), &err) == QN_E_UNSUPPORTED);
    CHECK(qn_pretok_by_gguf(&steps, &arena, QN_STR("gpt-2 mpt"), &err) == QN_E_UNSUPPORTED);
    CHECK(qn_pretok_by_gguf(&steps, &arena, QN_STR(""), &err) == QN_E_UNSUPPORTED);
}

/* Pieces between bars, as the patterns of the models themselves give them. */
static void test_pieces(void) {
    static const struct {
        const char *name, *text, *pieces;
    } cases[] = {
        {"superbpe", "x1234567y", "x|1|234|567|y"},
        {"seed-coder", "a?!\n\nb12", "a|?!|\n\n|b|1|2"},
        {"kimi-k2",
         "getUserName\xe4\xb8\xad\xe6\x96\x87"
         "ab 1234",
         "get|User|Name|\xe4\xb8\xad\xe6\x96\x87|ab| |123|4"},
        {"afmoe", "12345678 ok", "12|345|678| ok"},
        {"tiny_aya", "12345678 ok", "12|345|678| ok"},
        {"ufakzeka", "Ankara'da 12", "Ankara|'da| |1|2"},
        {"exaone-moe", "one two 3", "one two| |3"},
        {"jais-2", "a        b", "a|    |  | | b"},
        {"minicpm5", "a1234", "a|123|4"},
        {"laguna", "a\n\n b", "a|\n\n| b"},
        {"chameleon", "<sentinel:12>IMGIMGABZ!", "<|sentinel|:|1|2|>|IMGIMGABZ|!"},
        {"youtu",
         "\xea\xb0\x80\xe4\xb8\xad"
         "a1",
         "\xea\xb0\x80|\xe4\xb8\xad|a|1"},
    };
    struct qn_regex_scratch scratch = {.allocator = qn_allocator_default(), .steps = 1000000};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct qn_pretok_gguf g;
        struct qn_error err;
        struct qn_buf now, next;
        qn_buf_init(&now, qn_allocator_default());
        qn_buf_init(&next, qn_allocator_default());
        qn_buf_cstr(&now, cases[i].text);
        CHECK(qn_pretok_by_gguf(&g, &arena, qn_str_from(cases[i].name), &err) == QN_OK);
        for (uint32_t k = 0; k < g.n_steps; k++) {
            struct qn_str rest = qn_buf_view(&now), piece;
            qn_buf_clear(&next);
            while (rest.n > 0) { // piece by piece of the step before
                size_t bar = qn_str_find(rest, QN_STR("|"), 0);
                struct qn_pretok_iter it = {
                    .step = &g.steps[k],
                    .text = qn_str_slice(rest, 0, bar == SIZE_MAX ? rest.n : bar),
                    .scratch = &scratch};
                while (qn_pretok_next(&it, &piece)) {
                    if (next.n > 0)
                        qn_buf_char(&next, '|');
                    qn_buf_str(&next, piece);
                }
                rest =
                    bar == SIZE_MAX ? (struct qn_str){"", 0} : qn_str_slice(rest, bar + 1, rest.n);
            }
            qn_buf_clear(&now);
            qn_buf_str(&now, qn_buf_view(&next));
        }
        CHECK_MSG(qn_str_is(qn_buf_view(&now), cases[i].pieces), "%s: %.*s", cases[i].name,
                  QN_STR_ARG(qn_buf_view(&now)));
        qn_buf_free(&now);
        qn_buf_free(&next);
    }
    qn_regex_scratch_free(&scratch);
}

/* Real text, cut by hand-written code and by the pattern itself. */
static void test_corpora(void) {
    static const char *const files[] = {
        "assets/corpora/wikitext-2-raw/wiki.test.raw",
        "assets/tokenizers/ggml-vocab/ggml-vocab-qwen35.gguf.inp",
        "assets/chat-templates/llama.cpp-expected.json",
        "assets/tokenizers/transformers.js/tokenization-vectors.json",
    };
    static const char *const names[] = {"gpt-2", "llama3", "qwen2", "qwen35", "gpt-4o", "tekken"};
    static const char *const patterns[] = {
        "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
        "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|"
        " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
        "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}|"
        " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
        "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}|"
        " ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
        "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+"
        "(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+"
        "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}|"
        " ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
        "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+|"
        "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*|"
        "\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
    };
    struct qn_regex_scratch scratch = {.allocator = qn_allocator_default()};
    for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
        struct qn_str text = case_file(&arena, files[f]);
        if (!text.p) {
            printf("skipped: %s\n", files[f]);
            continue;
        }
        text.n = text.n < 400000 ? text.n : 400000;
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            struct qn_pretok_gguf g;
            struct qn_error err;
            struct qn_pretok step = {.kind = QN_SPLIT_REGEX, .regex = compile(patterns[i])};
            CHECK(qn_pretok_by_gguf(&g, &arena, qn_str_from(names[i]), &err) == QN_OK);
            CHECK(g.steps[0].kind != QN_SPLIT_REGEX);
            struct qn_pretok_iter a = {.step = &g.steps[0], .text = text};
            struct qn_pretok_iter b = {.step = &step, .text = text, .scratch = &scratch};
            struct qn_str one = {NULL, 0}, other = {NULL, 0};
            size_t n = 0;
            scratch.steps = 1u << 30;
            while (qn_pretok_next(&a, &one)) {
                n++;
                if (!CHECK_MSG(qn_pretok_next(&b, &other) && qn_str_eq(one, other),
                               "%s of %s: \"%.*s\", \"%.*s\"", names[i], files[f], QN_STR_ARG(one),
                               QN_STR_ARG(other)))
                    break;
            }
            CHECK(!qn_pretok_next(&b, &other) && n > 50);
        }
    }
    qn_regex_scratch_free(&scratch);
}

int main(void) {
    qn_arena_init(&arena, qn_allocator_default());
    test_cases();
    test_refused();
    test_bounds();
    test_memory();
    test_names();
    test_pieces();
    test_corpora();
    qn_arena_free(&arena);
    return test_done("text_regex");
}
