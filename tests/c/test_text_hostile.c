/* Untrusted spans, malformed tokenizers, and every allocation failing in turn. */
#include "base/utf8.h"
#include "tests/c/faults.h"
#include "tests/c/text_cases.h"
#include "text/bytes.h"
#include "text/detok.h"

static const struct qn_allocator *allocator;

/* The 256 byte tokens with ids 0…255 as the members of a JSON object. */
static void byte_vocab(struct qn_buf *json) {
    for (uint32_t b = 0; b < 256; b++) {
        char utf8[4];
        size_t n = qn_utf8_put(utf8, qn_byte_to_char((unsigned char)b));
        if (b > 0)
            qn_buf_char(json, ',');
        qn_buf_json_str(json, (struct qn_str){utf8, n});
        qn_buf_format(json, ":%u", b);
    }
}

/* A byte-level tokenizer: more of the vocabulary, merges, added tokens, the rest. */
static void build(struct qn_buf *json, const char *vocab, const char *merges, const char *added,
                  const char *more) {
    qn_buf_init(json, allocator);
    qn_buf_cstr(json, "{\"model\":{\"type\":\"BPE\",\"vocab\":{");
    byte_vocab(json);
    qn_buf_format(json, "%s},\"merges\":[%s]}", vocab, merges);
    if (added)
        qn_buf_format(json, ",\"added_tokens\":[%s]", added);
    qn_buf_format(json, "%s}", more);
}

#define BYTES                                                                 \
    ",\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false}," \
    "\"decoder\":{\"type\":\"ByteLevel\"}"

static void check_load(enum qn_status expected, const char *vocab, const char *merges,
                       const char *added, const char *more) {
    struct qn_buf json;
    struct qn_arena arena;
    struct qn_tokenizer *t;
    struct qn_error err = {.text = ""};
    build(&json, vocab, merges, added, more);
    qn_arena_init(&arena, allocator);
    enum qn_status status = qn_tokenizer_from_json(&t, &arena, qn_buf_view(&json), &err);
    CHECK_MSG(status == expected, "vocab %s merges %s added %s %s: %d %s", vocab, merges,
              added ? added : "", more, status, err.text);
    CHECK(status == QN_OK || err.status == status);
    qn_arena_free(&arena);
    qn_buf_free(&json);
}

static void check_malformed(void) {
    check_load(QN_OK, "", "", NULL, BYTES);
    check_load(QN_OK, ",\"ab\":256", "\"a b\"", NULL, BYTES);
    check_load(QN_OK, ",\"ab\":256", "[\"a\",\"b\"]", NULL, BYTES);
    check_load(QN_OK, ",\"ab\":900", "\"a b\",\"a b\"", NULL, BYTES); // a hole, a merge twice
    check_load(QN_OK, ",\"\":256", "", NULL, BYTES);
    check_load(QN_OK, ",\"a\":256", "", NULL, BYTES); // one string, two ids
    check_load(QN_E_TOKENIZER, ",\"ab\":97", "", NULL, BYTES);
    check_load(QN_E_TOKENIZER, ",\"ab\":4294967295", "", NULL, BYTES);
    check_load(QN_E_TOKENIZER, ",\"ab\":100000000", "", NULL, BYTES);
    check_load(QN_E_TOKENIZER, ",\"ab\":-1", "", NULL, BYTES);
    check_load(QN_E_TOKENIZER, ",\"ab\":1.5", "", NULL, BYTES);
    check_load(QN_E_TOKENIZER, ",\"ab\":\"256\"", "", NULL, BYTES);
    check_load(QN_E_TOKENIZER, "", "\"a b\"", NULL, BYTES); // the result is missing
    check_load(QN_E_TOKENIZER, ",\"ab\":256", "\"ab\"", NULL, BYTES);
    check_load(QN_E_TOKENIZER, ",\"ab\":256", "\"a x y\"", NULL, BYTES);
    check_load(QN_E_TOKENIZER, ",\"ab\":256", "[\"a\"]", NULL, BYTES);
    check_load(QN_E_TOKENIZER, ",\"ab\":256", "[\"a\",7]", NULL, BYTES);
    check_load(QN_E_TOKENIZER, ",\"ab\":256", "3", NULL, BYTES);
    check_load(QN_E_TOKENIZER, "", "", "{\"id\":97,\"content\":\"<x>\"}", BYTES);
    check_load(QN_E_TOKENIZER, "", "", "{\"id\":256}", BYTES);
    check_load(QN_E_TOKENIZER, "", "", "{\"content\":\"<x>\"}", BYTES);
    check_load(QN_OK, "", "", "{\"id\":256,\"content\":\"\"}", BYTES);
    check_load(QN_OK, "", "", "{\"id\":256,\"content\":\"<x>\"},{\"id\":257,\"content\":\"<x>\"}",
               BYTES);
    check_load(QN_E_UNSUPPORTED, "", "", NULL, ",\"normalizer\":{\"type\":\"Wobble\"}");
    check_load(QN_E_UNSUPPORTED, "", "", NULL, ",\"pre_tokenizer\":{\"type\":7}");
    check_load(QN_E_UNSUPPORTED, "", "", NULL, ",\"pre_tokenizer\":[]");
    check_load(QN_E_UNSUPPORTED, "", "", NULL,
               ",\"pre_tokenizer\":{\"type\":\"Split\",\"behavior\":\"Isolated\","
               "\"pattern\":{\"Regex\":\"(a*)*$\"}}");
    check_load(
        QN_E_TOKENIZER, "", "", NULL,
        ",\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"String\":\"\"},\"content\":\"x\"}");
    check_load(QN_OK, "", "", NULL,
               ",\"decoder\":{\"type\":\"Strip\",\"content\":\" \",\"start\":9,\"stop\":9}");
    check_load(QN_E_UNSUPPORTED, "", "", NULL,
               ",\"decoder\":{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Fuse\"},"
               "{\"type\":\"Strip\",\"content\":\" \",\"start\":9,\"stop\":9}]}");
    check_load(QN_E_TOKENIZER, "", "", NULL,
               ",\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AAAA\"}");
    check_load(QN_E_TOKENIZER, "", "", NULL,
               ",\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"A?AA\"}");
    check_load(QN_E_TOKENIZER, "", "", NULL,
               ",\"normalizer\":{\"type\":\"Precompiled\","
               "\"precompiled_charsmap\":\"/P///wAAAAA=\"}");
    check_load(QN_E_UNSUPPORTED, "", "", NULL,
               ",\"normalizer\":{\"type\":\"Replace\",\"content\":\"\","
               "\"pattern\":{\"Regex\":\"(a)\\\\1\"}}");
    check_load(
        QN_E_TOKENIZER, "", "", NULL,
        ",\"post_processor\":{\"type\":\"RobertaProcessing\",\"cls\":[\"a\",97],\"sep\":[]}");
    check_load(
        QN_E_TOKENIZER, "", "", NULL,
        ",\"post_processor\":{\"type\":\"BertProcessing\",\"cls\":[\"a\",97],\"sep\":[\"b\",999]}");
    static const char *const texts[] = {"",
                                        "[]",
                                        "{}",
                                        "7",
                                        "{\"model\":7}",
                                        "{\"model\":{}}",
                                        "{\"model\":{\"type\":\"BPE\",\"vocab\":[]}}",
                                        "{\"model\""};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct qn_arena arena;
        struct qn_tokenizer *t;
        struct qn_error err;
        qn_arena_init(&arena, allocator);
        enum qn_status status = qn_tokenizer_from_json(&t, &arena, qn_str_from(texts[i]), &err);
        CHECK_MSG(status == QN_E_TOKENIZER || status == QN_E_JSON || status == QN_E_UNSUPPORTED,
                  "%s: %d", texts[i], status);
        qn_arena_free(&arena);
    }
    /* Sequences too deep, and too many steps. */
    struct qn_buf deep;
    qn_buf_init(&deep, allocator);
    qn_buf_cstr(&deep, ",\"normalizer\":");
    for (int i = 0; i < 12; i++)
        qn_buf_cstr(&deep, "{\"type\":\"Sequence\",\"normalizers\":[");
    qn_buf_cstr(&deep, "{\"type\":\"NFC\"}");
    for (int i = 0; i < 12; i++)
        qn_buf_cstr(&deep, "]}");
    qn_buf_char(&deep, 0);
    check_load(QN_E_UNSUPPORTED, "", "", NULL, deep.p);
    qn_buf_clear(&deep);
    qn_buf_cstr(&deep,
                ",\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFC\"}");
    for (int i = 0; i < 40; i++)
        qn_buf_cstr(&deep, ",{\"type\":\"NFC\"}");
    qn_buf_cstr(&deep, "]}");
    qn_buf_char(&deep, 0);
    check_load(QN_E_LIMIT, "", "", NULL, deep.p);
    qn_buf_free(&deep);
}

static void expect(const struct qn_tokenizer *t, const char *text, uint32_t flags,
                   const struct qn_span *plain, size_t n_plain, const char *ids) {
    struct qn_ids got;
    struct qn_buf printed;
    struct qn_error err;
    qn_ids_init(&got, allocator);
    qn_buf_init(&printed, allocator);
    CHECK(qn_tokenizer_encode(t, &got, qn_str_from(text), flags, plain, n_plain, &err) == QN_OK);
    for (size_t i = 0; i < got.n; i++)
        qn_buf_format(&printed, i ? " %u" : "%u", got.p[i]);
    CHECK_MSG(qn_str_is(qn_buf_view(&printed), ids), "\"%s\": %.*s, wanted %s", text,
              (int)printed.n, printed.p, ids);
    qn_ids_free(&got);
    qn_buf_free(&printed);
}

/* 300 <s> special; 301 <t> not special; 302 <é> special, matched after NFC; 303 special that a
 * merge would spell; 304 word; 305 strips both sides. */
static void check_spans(void) {
    struct qn_buf json;
    struct qn_arena arena;
    struct qn_tokenizer *t;
    struct qn_error err;
    build(&json, ",\"ab\":256,\"abc\":303,\"abd\":257", "\"a b\",\"ab c\",\"ab d\"",
          "{\"id\":300,\"content\":\"<s>\",\"special\":true,\"normalized\":false},"
          "{\"id\":301,\"content\":\"<t>\",\"special\":false,\"normalized\":false},"
          "{\"id\":302,\"content\":\"<\\u00e9>\",\"special\":true,\"normalized\":true},"
          "{\"id\":303,\"content\":\"abc\",\"special\":true,\"normalized\":false},"
          "{\"id\":304,\"content\":\"zz\",\"single_word\":true,\"normalized\":false},"
          "{\"id\":305,\"content\":\"<b>\",\"special\":true,\"normalized\":false,\"lstrip\":true,"
          "\"rstrip\":true},{\"id\":306,\"content\":\"<s><s>\",\"special\":false,\"normalized\":"
          "false}",
          BYTES ",\"normalizer\":{\"type\":\"NFC\"}");
    qn_arena_init(&arena, allocator);
    if (!CHECK_MSG(qn_tokenizer_from_json(&t, &arena, qn_buf_view(&json), &err) == QN_OK, "%s",
                   err.text))
        return;
    struct qn_span all[] = {{0, 3}}, second[] = {{4, 7}}, touch[] = {{2, 3}}, empty[] = {{1, 1}};
    expect(t, "<s>", 0, NULL, 0, "300");
    expect(t, "<s>", QN_ENCODE_NO_MATCH, NULL, 0, "60 115 62");
    expect(t, "<s>", 0, all, 1, "60 115 62");
    expect(t, "<s>", 0, touch, 1, "60 115 62");
    expect(t, "<s>", 0, empty, 1, "300");
    expect(t, "<s> <s>", 0, second, 1, "300 32 60 115 62");
    expect(t, "<t>", QN_ENCODE_NO_MATCH, NULL, 0, "301");
    expect(t, "<t>", 0, all, 1, "301");
    expect(t, "<s><s>x", QN_ENCODE_NO_MATCH, NULL, 0, "306 120");
    /* é in two code points becomes <é> only after normalisation, and stays untrusted. */
    struct qn_span accent[] = {{2, 4}};
    expect(t, "<e\xcc\x81>", 0, NULL, 0, "302");
    expect(t, "<e\xcc\x81>", 0, accent, 1, "60 195 169 62");
    expect(t, "<e\xcc\x81><\xc3\xa9>", 0, accent, 1, "60 195 169 62 302");
    /* What the merges spell is never special. */
    expect(t, "abc", 0, NULL, 0, "303");
    expect(t, "abc", QN_ENCODE_NO_MATCH, NULL, 0, "256 99");
    expect(t, "abd", QN_ENCODE_NO_MATCH, NULL, 0, "257");
    expect(t, "zz azz zza (zz)", 0, NULL, 0, "304 32 97 122 122 32 122 122 97 32 40 304 41");
    expect(t, "\xc3\xa9zz \xe2\x88\x91zz", 0, NULL, 0, "195 169 122 122 32 226 136 145 304");
    expect(t, "a \xc2\xa0<b>\n <b> b", 0, NULL, 0, "97 305 305 98");
    struct qn_ids ids;
    struct qn_span bad[][2] = {{{2, 1}, {3, 3}}, {{0, 2}, {1, 3}}, {{0, 1}, {2, 9}}};
    qn_ids_init(&ids, allocator);
    for (size_t i = 0; i < 3; i++)
        CHECK(qn_tokenizer_encode(t, &ids, QN_STR("<s>"), 0, bad[i], 2, &err) == QN_E_ARGUMENT);
    CHECK(ids.n == 0);
    uint32_t hole = 299, high = 307;
    struct qn_buf out;
    qn_buf_init(&out, allocator);
    CHECK(qn_tokenizer_decode(t, &out, &hole, 1, 0, &err) == QN_OK && out.n == 0);
    CHECK(qn_tokenizer_decode(t, &out, &high, 1, 0, &err) == QN_E_ARGUMENT);
    CHECK(qn_tokenizer_bytes(t, &out, high) == QN_E_ARGUMENT);
    CHECK(qn_tokenizer_token(t, hole).n == 0 && qn_tokenizer_token(t, high).n == 0);
    CHECK(!qn_tokenizer_is_special(t, high) && !qn_tokenizer_is_special(t, hole));
    CHECK(qn_tokenizer_size(t) == 307 && qn_tokenizer_bos(t) == UINT32_MAX);
    qn_buf_free(&out);
    qn_ids_free(&ids);
    qn_arena_free(&arena);
    qn_buf_free(&json);
}

/* Loading, encoding, decoding and streaming with an allocator that fails. */
static enum qn_status scenario(const struct qn_allocator *a, struct qn_str json) {
    struct qn_arena arena;
    struct qn_tokenizer *t;
    struct qn_error err;
    struct qn_ids ids;
    struct qn_buf out;
    struct qn_str stop = QN_STR("never");
    qn_arena_init(&arena, a);
    qn_ids_init(&ids, a);
    qn_buf_init(&out, a);
    enum qn_status status = qn_tokenizer_from_json(&t, &arena, json, &err);
    if (status == QN_OK) {
        struct qn_buf text;
        struct qn_span plain = {0, 5};
        struct qn_detok d;
        qn_buf_init(&text, a);
        qn_detok_init(&d, t, a, &stop, 1, false);
        for (int i = 0; i < 300; i++)
            qn_buf_cstr(&text, "<s>Hello e\xcc\x81 the the theeeee \xe4\xb8\xad 123<|im_end|>\n");
        for (int i = 0; i < 300; i++)
            qn_buf_cstr(&text, "abcdefgh");
        status = text.failed ? QN_E_NO_MEMORY : QN_OK;
        if (status == QN_OK)
            status = qn_tokenizer_encode(t, &ids, qn_buf_view(&text), QN_ENCODE_SPECIAL, &plain, 1,
                                         &err);
        if (status == QN_OK)
            status = qn_tokenizer_decode(t, &out, ids.p, ids.n, 0, &err);
        for (size_t i = 0; status == QN_OK && i < ids.n; i += 40)
            status = qn_detok_push(&d, &out, ids.p[i], &err);
        if (status == QN_OK)
            status = qn_detok_finish(&d, &out, &err);
        qn_detok_free(&d);
        qn_buf_free(&text);
    }
    CHECK(status == QN_OK || err.status == status || status == QN_E_NO_MEMORY);
    qn_buf_free(&out);
    qn_ids_free(&ids);
    qn_arena_free(&arena);
    return status;
}

static void check_memory(const char *name) {
    char path[512];
    snprintf(path, sizeof path, "%s/fixtures/tokenizers/%s/tokenizer.json", test_shared(), name);
    struct qn_str json = slurp(path);
    if (!json.p)
        return;
    for (int persistent = 0; persistent < 2; persistent++) {
        for (uint64_t n = 1; n < 5000; n++) {
            struct faults faults;
            faults_init(&faults);
            faults.fail_alloc = n;
            faults.persistent = persistent != 0;
            struct qn_allocator failing = faults_allocator(&faults);
            enum qn_status status = scenario(&failing, json);
            CHECK_MSG(faults.live == 0, "%s leaks at %u", name, (unsigned)n);
            if (!faults.fired) {
                CHECK(status == QN_OK && n > 20);
                break;
            }
            /* The cache of words is the one thing that may fail unseen. */
            CHECK_MSG(status == QN_E_NO_MEMORY || (!persistent && status == QN_OK), "%s at %u: %d",
                      name, (unsigned)n, status);
        }
    }
    free((void *)(uintptr_t)json.p);
}

/* A megabyte without a cut, and of added tokens that nearly match, must not take quadratic time. */
static void check_long(void) {
    struct qn_buf json, text;
    struct qn_arena arena;
    struct qn_tokenizer *t;
    struct qn_error err;
    struct qn_ids ids;
    build(
        &json, ",\"aa\":256,\"aaaa\":257,\"aaaaaaaa\":258", "\"a a\",\"aa aa\",\"aaaa aaaa\"",
        "{\"id\":259,\"content\":\"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbx\"}",
        BYTES);
    qn_arena_init(&arena, allocator);
    qn_buf_init(&text, allocator);
    qn_ids_init(&ids, allocator);
    for (int i = 0; i < 1000000; i++)
        qn_buf_char(&text, 'a');
    for (int i = 0; i < 100000; i++)
        qn_buf_char(&text, 'b');
    if (CHECK(qn_tokenizer_from_json(&t, &arena, qn_buf_view(&json), &err) == QN_OK)) {
        CHECK(qn_tokenizer_encode(t, &ids, qn_buf_view(&text), 0, NULL, 0, &err) == QN_OK);
        CHECK(ids.n == 125000 + 100000 && ids.p[0] == 258 && ids.p[125000] == 'b');
    }
    qn_ids_free(&ids);
    qn_buf_free(&text);
    qn_arena_free(&arena);
    qn_buf_free(&json);
}

/* The same for the models that look for whole pieces, and for the normalisers before them. */
static void check_long_pieces(void) {
    static const char *const models[] = {
        "\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"<unk>\",0],[\"a\",-1],[\"aa\",-1.5],"
        "[\"aaaa\",-2],[\"aaaaaaaa\",-2.5],[\"\xe2\x96\x81\",-9]]",
        "\"type\":\"WordPiece\",\"unk_token\":\"<unk>\",\"max_input_chars_per_word\":4000000,"
        "\"vocab\":{\"<unk>\":0,\"aaaaaaaa\":1,\"##aaaaaaaa\":2}"};
    static const char *const normalizers[] = {"NFKC", "NFD", "Lowercase", "BertNormalizer", "Nmt"};
    struct qn_buf text;
    qn_buf_init(&text, allocator);
    for (int i = 0; i < 1000000; i++)
        qn_buf_char(&text, 'a');
    for (uint32_t i = 0; i < 10; i++) {
        struct qn_buf json;
        struct qn_arena arena;
        struct qn_tokenizer *t;
        struct qn_error err;
        struct qn_ids ids;
        qn_buf_init(&json, allocator);
        qn_arena_init(&arena, allocator);
        qn_ids_init(&ids, allocator);
        qn_buf_format(&json, "{\"normalizer\":{\"type\":\"%s\"},\"model\":{%s}}",
                      normalizers[i / 2], models[i & 1]);
        if (CHECK(qn_tokenizer_from_json(&t, &arena, qn_buf_view(&json), &err) == QN_OK)) {
            CHECK(qn_tokenizer_encode(t, &ids, qn_buf_view(&text), 0, NULL, 0, &err) == QN_OK);
            CHECK_MSG(ids.n == 125000, "%zu", ids.n);
            ids.n = 0;
            struct qn_buf marks; // a megabyte of accents, a megabyte of what is unknown
            qn_buf_init(&marks, allocator);
            for (int k = 0; k < 250000; k++)
                qn_buf_cstr(&marks, k & 1 ? "\xcc\x81" : "\xcc\xa3");
            CHECK(qn_tokenizer_encode(t, &ids, qn_buf_view(&marks), 0, NULL, 0, &err) == QN_OK);
            CHECK(ids.n <= 1);
            qn_buf_free(&marks);
        }
        qn_ids_free(&ids);
        qn_arena_free(&arena);
        qn_buf_free(&json);
    }
    qn_buf_free(&text);
}

/* A folder whose reads fail, or whose bytes are not there yet: the same call works afterwards. */
static void check_reads(void) {
    struct qn_buf vocab;
    struct qn_json config;
    struct qn_arena document;
    struct qn_error err;
    qn_buf_init(&vocab, allocator);
    qn_arena_init(&document, allocator);
    qn_buf_char(&vocab, '{');
    byte_vocab(&vocab);
    qn_buf_cstr(&vocab, ",\"ab\":256,\"abc\":257}");
    struct qn_str text =
        QN_STR("{\"tokenizer_class\":\"Qwen2TokenizerFast\",\"eos_token\":{\"content\":\"<e>\"},"
               "\"added_tokens_decoder\":{\"258\":{\"content\":\"<e>\",\"special\":true}}}");
    CHECK(qn_json_parse(&config, &document, text, &err) == QN_OK);
    struct qn_directory directory = {.format = QN_FORMAT_SAFETENSORS, .tokenizer_config = config};
    for (int truncated = 0; truncated < 2; truncated++) {
        struct qn_str merges = QN_STR("#version: 0.2\r\na b\r\n\nab c");
        merges.n -= truncated ? 2 : 0; // "ab" alone
        struct qn_memory_file list[] = {{QN_STR("vocab.json"), qn_buf_view(&vocab)},
                                        {QN_STR("merges.txt"), merges}};
        struct qn_memory_files memory = {list, 2};
        struct qn_files inner = qn_files_from_memory(&memory);
        for (uint64_t n = 1; n < 100; n++) {
            struct faults faults;
            struct qn_arena arena;
            struct qn_tokenizer *t = NULL;
            faults_init(&faults);
            faults.fail_read = n;
            faults.read_status = QN_E_NEED_DATA;
            struct qn_files files = faults_files(&faults, &inner);
            qn_arena_init(&arena, allocator);
            enum qn_status status = qn_tokenizer_open(&t, &arena, &directory, &files, &err);
            if (faults.fired) {
                CHECK(status == QN_E_NEED_DATA);
            } else if (truncated) {
                CHECK(status == QN_E_TOKENIZER);
                n = 100;
            } else {
                CHECK(status == QN_OK && qn_tokenizer_eos(t) == 258 && n > 3);
                expect(t, "abcab<e>", 0, NULL, 0, "257 256 258");
                n = 100;
            }
            qn_arena_free(&arena);
        }
    }
    qn_arena_free(&document);
    qn_buf_free(&vocab);
}

int main(void) {
    allocator = qn_allocator_default();
    check_malformed();
    check_spans();
    check_memory("qwen2");
    check_memory("llama3");
    check_memory("llama2_spm");
    check_memory("metaspace_first_spm");
    check_memory("clip");
    check_memory("bert_uncased");
    check_memory("t5_unigram");
    check_memory("xlmr_unigram");
    check_long();
    check_long_pieces();
    check_reads();
    return test_done("text_hostile");
}
