/* The vocabulary of tokenizer.json step by step: what each normaliser makes of a text, how many
 * words each pre-tokeniser cuts, what each decoder writes. Expected values are those of the
 * tokenizers library's documentation and rules. */
#include "tests/c/text_cases.h"

static const struct qn_allocator *allocator;

/* A tokenizer from the parts of a JSON text; frees it by its arena. */
static struct qn_tokenizer *load(struct qn_arena *arena, const char *parts, const char *model) {
    struct qn_buf json;
    struct qn_tokenizer *t = NULL;
    struct qn_error err;
    qn_buf_init(&json, allocator);
    qn_buf_format(&json, "{%s%s\"model\":{%s}}", parts, parts[0] ? "," : "", model);
    enum qn_status status = qn_tokenizer_from_json(&t, arena, qn_buf_view(&json), &err);
    CHECK_MSG(status == QN_OK, "%s: %s", parts, err.text);
    qn_buf_free(&json);
    return status == QN_OK ? t : NULL;
}

/* Byte pieces alone, so that decoding shows the normalised text. */
static void check_normalizers(void) {
    static const struct {
        const char *json, *in, *out;
    } cases[] = {
        {"{\"type\":\"NFKC\"}", "\xef\xac\x81 \xe2\x91\xa0\xef\xbc\xa1 e\xcc\x81",
         "fi 1A \xc3\xa9"},
        {"{\"type\":\"NFKD\"}", "\xc3\xa9\xe2\x84\xab",
         "e\xcc\x81"
         "A\xcc\x8a"},
        {"{\"type\":\"NFD\"}", "\xc3\xa9\xea\xb0\x81",
         "e\xcc\x81\xe1\x84\x80\xe1\x85\xa1\xe1\x86\xa8"},
        {"{\"type\":\"Lowercase\"}", "ABC \xc3\x89 \xce\xa3 \xc4\xb0",
         "abc \xc3\xa9 \xcf\x83 i\xcc\x87"},
        {"{\"type\":\"StripAccents\"}", "e\xcc\x81\xc3\xa9\xe0\xa4\xbe", "e\xc3\xa9"},
        {"{\"type\":\"Strip\",\"strip_left\":true,\"strip_right\":false}", " \t\xc2\xa0 a b ",
         "a b "},
        {"{\"type\":\"Strip\"}", " \n a b \xe3\x80\x80", "a b"},
        {"{\"type\":\"Strip\"}", " \n ", ""},
        {"{\"type\":\"Prepend\",\"prepend\":\"_\"}", "a", "_a"},
        {"{\"type\":\"Replace\",\"pattern\":{\"String\":\"``\"},\"content\":\"\\\"\"}",
         "a ``b``` c", "a \"b\"` c"},
        {"{\"type\":\"Replace\",\"pattern\":{\"Regex\":\" {2,}\"},\"content\":\"_\"}", " a  b   c ",
         " a_b_c "},
        {"{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"\\\\s+\"},\"content\":\" \"}",
         "a\t\n b\xc2\xa0", "a b "},
        {"{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"\\\\s\"},\"content\":\"_\"}", "a\t\nb",
         "a__b"},
        {"{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"x+\"},\"content\":\"\"}", "xaxxbx", "ab"},
        {"{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"\\\\n\"},\"content\":\" \"}", "a\n\nb",
         "a  b"},
        {"{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"^(?=\\\\w)|(?<=a)b+\"},\"content\":\"_\"}",
         "abbc\nd", "_a_c\n_d"},
        {"{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"x*\"},\"content\":\"-\"}", "axxb",
         "-a-b-"},
        {"{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"$\"},\"content\":\"!\"}", "a\n\xc3\xa9",
         "a!\n\xc3\xa9!"},
        {"{\"type\":\"Nmt\"}",
         "a\x01\tb\xe2\x80\x8b"
         "c\x7f\xef\xbf\xbd",
         "a b c "},
        {"{\"type\":\"ByteLevel\"}", "a b\xc3\xa9",
         "a\xc4\xa0"
         "b\xc3\x83\xc2\xa9"},
        {"{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":true,"
         "\"strip_accents\":null,\"lowercase\":true}",
         "\xc3\x89t\xc3\xa9\x01\t\xe4\xb8\xad", "ete  \xe4\xb8\xad "},
        {"{\"type\":\"BertNormalizer\",\"clean_text\":false,\"handle_chinese_chars\":false,"
         "\"strip_accents\":false,\"lowercase\":true}",
         "\xc3\x89\x01\xe4\xb8\xad", "\xc3\xa9\x01\xe4\xb8\xad"},
        {"{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFKD\"},{\"type\":\"StripAccents\"},"
         "{\"type\":\"Lowercase\"}]}",
         "\xc3\x89\xef\xac\x81", "efi"},
    };
    struct qn_buf model;
    qn_buf_init(&model, allocator);
    qn_buf_cstr(&model, "\"type\":\"BPE\",\"byte_fallback\":true,\"merges\":[],\"vocab\":{");
    for (uint32_t b = 0; b < 256; b++) {
        static const char digits[] = "0123456789ABCDEF";
        qn_buf_format(&model, "%s\"<0x%c%c>\":%u", b ? "," : "", digits[b >> 4], digits[b & 15], b);
    }
    qn_buf_cstr(&model, "}");
    qn_buf_char(&model, 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct qn_arena arena;
        struct qn_ids ids;
        struct qn_buf parts, out;
        struct qn_error err;
        qn_arena_init(&arena, allocator);
        qn_ids_init(&ids, allocator);
        qn_buf_init(&parts, allocator);
        qn_buf_init(&out, allocator);
        qn_buf_format(&parts, "\"decoder\":{\"type\":\"ByteFallback\"},\"normalizer\":%s",
                      cases[i].json);
        qn_buf_char(&parts, 0);
        struct qn_tokenizer *t = load(&arena, parts.p, model.p);
        if (t) {
            CHECK(qn_tokenizer_encode(t, &ids, qn_str_from(cases[i].in), 0, NULL, 0, &err) ==
                  QN_OK);
            CHECK(qn_tokenizer_decode(t, &out, ids.p, ids.n, 0, &err) == QN_OK);
            CHECK_MSG(qn_str_is(qn_buf_view(&out), cases[i].out), "%s: \"%.*s\"", cases[i].json,
                      (int)out.n, out.p);
        }
        qn_buf_free(&out);
        qn_buf_free(&parts);
        qn_ids_free(&ids);
        qn_arena_free(&arena);
    }
    qn_buf_free(&model);
}

/* All words are unknown, so that ids count them. */
static void check_pretokenizers(void) {
    static const struct {
        const char *json, *in;
        size_t n;
    } cases[] = {
        {"{\"type\":\"Whitespace\"}", "Hey! _it_ works... 1,5", 8},
        {"{\"type\":\"WhitespaceSplit\"}", " Hey! it\tworks ", 3},
        {"{\"type\":\"BertPreTokenizer\"}", "Hey! it's ok", 6},
        {"{\"type\":\"Punctuation\"}", "a,,b", 4},
        {"{\"type\":\"Punctuation\",\"behavior\":\"Contiguous\"}", "a,,b", 3},
        {"{\"type\":\"Punctuation\",\"behavior\":\"Removed\"}", "a,,b", 2},
        {"{\"type\":\"Punctuation\",\"behavior\":\"MergedWithPrevious\"}", "a,,b", 3},
        {"{\"type\":\"Punctuation\",\"behavior\":\"MergedWithNext\"}", "a,,b", 3},
        {"{\"type\":\"Digits\",\"individual_digits\":true}", "ab123", 4},
        {"{\"type\":\"Digits\",\"individual_digits\":false}", "ab123", 2},
        {"{\"type\":\"CharDelimiterSplit\",\"delimiter\":\"-\"}", "-a-b--c", 3},
        {"{\"type\":\"Metaspace\",\"replacement\":\"\xe2\x96\x81\",\"prepend_scheme\":\"always\"}",
         "a b  c", 4},
        {"{\"type\":\"Metaspace\",\"replacement\":\"\xe2\x96\x81\",\"prepend_scheme\":\"never\","
         "\"split\":false}",
         "a b  c", 1},
        {"{\"type\":\"Split\",\"pattern\":{\"String\":\"--\"},\"behavior\":\"Isolated\"}",
         "a--b----", 5},
        {"{\"type\":\"Split\",\"pattern\":{\"Regex\":\"\\\\s+\"},\"behavior\":\"Removed\","
         "\"invert\":true}",
         "a  b c", 2},
        {"{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(?=(\\\\d{3})+(?!\\\\d))\"},"
         "\"behavior\":\"Isolated\"}",
         "a1234567", 3},
        {"{\"type\":\"FixedLength\",\"length\":2}", "a\xc3\xa9 \nb", 3},
        {"{\"type\":\"UnicodeScripts\"}",
         "\xe3\x81\xa9\xe3\x81\x93\xe3\x81\xa7\xe7\x94\x9f\xe3\x82\x8c\xe3\x80\x82Yes", 3},
        {"{\"type\":\"UnicodeScripts\"}",
         " Apples are \xe3\x82\x8a\xe3\x82\x93\xe3\x81\x94 \xe6\x9e\x97\xe6\xaa\x8e", 2},
        {"{\"type\":\"UnicodeScripts\"}", "  ", 0},
        {"{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"WhitespaceSplit\"},"
         "{\"type\":\"Digits\",\"individual_digits\":true}]}",
         "a1 23", 4},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct qn_arena arena;
        struct qn_ids ids;
        struct qn_buf parts;
        struct qn_error err;
        qn_arena_init(&arena, allocator);
        qn_ids_init(&ids, allocator);
        qn_buf_init(&parts, allocator);
        qn_buf_format(&parts, "\"pre_tokenizer\":%s", cases[i].json);
        qn_buf_char(&parts, 0);
        struct qn_tokenizer *t = load(&arena, parts.p,
                                      "\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\","
                                      "\"vocab\":{\"[UNK]\":0}");
        if (t) {
            CHECK(qn_tokenizer_encode(t, &ids, qn_str_from(cases[i].in), 0, NULL, 0, &err) ==
                  QN_OK);
            CHECK_MSG(ids.n == cases[i].n, "%s: %zu", cases[i].json, ids.n);
        }
        qn_buf_free(&parts);
        qn_ids_free(&ids);
        qn_arena_free(&arena);
    }
}

static void check_decoders(void) {
    static const struct {
        const char *json;
        uint32_t ids[8];
        size_t n;
        const char *out;
    } cases[] = {
        {"null", {0, 1}, 2, "hey ##you"},
        {"{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":true}",
         {0, 1, 0, 2, 3},
         5,
         "heyyou hey. don't"},
        {"{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":false}",
         {1, 0, 1, 2},
         4,
         "##you heyyou ."},
        {"{\"type\":\"BPEDecoder\",\"suffix\":\"</w>\"}", {4, 0, 4}, 3, "end heyend"},
        {"{\"type\":\"CTC\",\"pad_token\":\"<pad>\",\"word_delimiter_token\":\"|\",\"cleanup\":"
         "true}",
         {0, 0, 5, 0, 6, 6, 0, 5},
         8,
         "heyhey hey"},
        {"{\"type\":\"Strip\",\"content\":\"_\",\"start\":1,\"stop\":2}", {7, 7}, 2, "_x_x"},
        {"{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"_+$|e\"},\"content\":\"-\"}",
         {0, 7},
         2,
         "h-y__x-"},
        {"{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"(?<=e)|_*\"},\"content\":\"+\"}",
         {0, 7},
         2,
         "+h+e+y++x+"},
        {"{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Replace\",\"pattern\":{\"String\":\"_\"}"
         ","
         "\"content\":\" \"},{\"type\":\"Fuse\"},{\"type\":\"Strip\",\"content\":\" \",\"start\":1,"
         "\"stop\":1}]}",
         {7, 7},
         2,
         " x    x "},
        {"{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Replace\",\"pattern\":{\"String\":\"_\"}"
         ","
         "\"content\":\"##\"},{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":false},"
         "{\"type\":\"Replace\",\"pattern\":{\"String\":\"x\"},\"content\":\"yy\"}]}",
         {0, 7},
         2,
         "hey##yy####"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct qn_arena arena;
        struct qn_buf parts, out;
        struct qn_error err;
        qn_arena_init(&arena, allocator);
        qn_buf_init(&parts, allocator);
        qn_buf_init(&out, allocator);
        qn_buf_format(&parts, "\"decoder\":%s", cases[i].json);
        qn_buf_char(&parts, 0);
        struct qn_tokenizer *t =
            load(&arena, parts.p,
                 "\"type\":\"BPE\",\"merges\":[],\"vocab\":{\"hey\":0,\"##you\":1,\".\":2,"
                 "\"do not\":3,\"end</w>\":4,\"<pad>\":5,\"|\":6,\"__x__\":7}");
        if (t) {
            CHECK(qn_tokenizer_decode(t, &out, cases[i].ids, cases[i].n, 0, &err) == QN_OK);
            CHECK_MSG(qn_str_is(qn_buf_view(&out), cases[i].out), "%s: \"%.*s\"", cases[i].json,
                      (int)out.n, out.p);
        }
        qn_buf_free(&parts);
        qn_buf_free(&out);
        qn_arena_free(&arena);
    }
}

/* Words are tokens; what is none is [UNK], or an error where there is no such token. */
static void check_word_level(void) {
    static const char *const models[] = {"\"type\":\"WordLevel\",\"unk_token\":\"[UNK]\",\"vocab\":"
                                         "{\"[UNK]\":0,\"the\":1,\"cat\":2}",
                                         "\"type\":\"WordLevel\",\"unk_token\":\"[NO]\",\"vocab\":{"
                                         "\"[UNK]\":0,\"the\":1,\"cat\":2}"};
    for (size_t i = 0; i < 2; i++) {
        struct qn_arena arena;
        struct qn_ids ids;
        struct qn_buf out;
        struct qn_error err = {.text = ""};
        qn_arena_init(&arena, allocator);
        qn_ids_init(&ids, allocator);
        qn_buf_init(&out, allocator);
        struct qn_tokenizer *t =
            load(&arena, "\"pre_tokenizer\":{\"type\":\"Whitespace\"}", models[i]);
        if (t) {
            enum qn_status status =
                qn_tokenizer_encode(t, &ids, QN_STR("the cat sat"), 0, NULL, 0, &err);
            CHECK(status == (i == 0 ? QN_OK : QN_E_TOKENIZER));
            CHECK(i > 0 ? ids.n == 0 && strstr(err.text, "sat") != NULL
                        : ids.n == 3 && ids.p[0] == 1 && ids.p[1] == 2 && ids.p[2] == 0);
            CHECK(i > 0 || (qn_tokenizer_decode(t, &out, ids.p, ids.n, 0, &err) == QN_OK &&
                            qn_str_is(qn_buf_view(&out), "the cat [UNK]")));
        }
        qn_buf_free(&out);
        qn_ids_free(&ids);
        qn_arena_free(&arena);
    }
}

int main(void) {
    allocator = qn_allocator_default();
    check_normalizers();
    check_pretokenizers();
    check_decoders();
    check_word_level();
    return test_done("text_steps");
}
