/* The streaming detokeniser: every way of cutting a text into tokens, stop strings, random ids. */
#include "base/num.h"
#include "base/rng.h"
#include "base/utf8.h"
#include "tests/c/text_cases.h"
#include "text/bytes.h"
#include "text/detok.h"

static const struct qn_allocator *allocator;

/* A byte-level tokenizer whose vocabulary holds every substring of `text`; ids[begin][length]. */
#define MAX_TEXT 16
static uint32_t ids_of[MAX_TEXT][MAX_TEXT + 1];

static void mapped(struct qn_buf *out, const char *p, size_t n) {
    for (size_t i = 0; i < n; i++)
        qn_buf_utf8(out, qn_byte_to_char((unsigned char)p[i]));
}

static struct qn_tokenizer *substrings(struct qn_arena *arena, const char *text, size_t n) {
    struct qn_buf json, token;
    struct qn_tokenizer *t = NULL;
    struct qn_error err;
    uint32_t next = 0;
    qn_buf_init(&json, allocator);
    qn_buf_init(&token, allocator);
    qn_buf_cstr(&json, "{\"added_tokens\":[{\"id\":256,\"content\":\"<eos>\",\"special\":true}],"
                       "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false},"
                       "\"decoder\":{\"type\":\"ByteLevel\"},\"model\":{\"type\":\"BPE\","
                       "\"merges\":[],\"vocab\":{");
    for (uint32_t b = 0; b < 256; b++) {
        char c = (char)b;
        qn_buf_clear(&token);
        mapped(&token, &c, 1);
        qn_buf_json_str(&json, qn_buf_view(&token));
        qn_buf_format(&json, ":%u,", next++);
    }
    next++;
    for (size_t i = 0; i < n; i++) {
        ids_of[i][1] = (unsigned char)text[i];
        for (size_t k = 2; i + k <= n; k++) {
            bool known = false;
            for (size_t j = 0; j < i && !known; j++) {
                known = j + k <= n && memcmp(text + i, text + j, k) == 0;
                if (known)
                    ids_of[i][k] = ids_of[j][k];
            }
            if (known)
                continue;
            ids_of[i][k] = next;
            qn_buf_clear(&token);
            mapped(&token, text + i, k);
            qn_buf_json_str(&json, qn_buf_view(&token));
            qn_buf_format(&json, ":%u,", next++);
        }
    }
    json.p[json.n - 1] = '}';
    qn_buf_cstr(&json, "}}");
    CHECK_MSG(qn_tokenizer_from_json(&t, arena, qn_buf_view(&json), &err) == QN_OK, "%s", err.text);
    qn_buf_free(&json);
    qn_buf_free(&token);
    return t;
}

/* All 2^(n-1) ways to cut the text; `whole` is what must come out in the end. */
static void check_cuts(const char *text, const struct qn_str *stops, size_t n_stops,
                       const char *whole, bool stopped) {
    struct qn_arena arena;
    struct qn_error err;
    size_t n = strlen(text), n_whole = strlen(whole);
    qn_arena_init(&arena, allocator);
    struct qn_tokenizer *t = substrings(&arena, text, n);
    for (uint32_t cut = 0; t && cut < 1u << (n - 1); cut++) {
        struct qn_detok d;
        struct qn_buf out;
        bool good = true;
        qn_buf_init(&out, allocator);
        qn_detok_init(&d, t, allocator, stops, n_stops, true);
        for (size_t begin = 0; begin < n;) {
            size_t end = begin + 1, before = out.n;
            while (end < n && !(cut >> (end - 1) & 1))
                end++;
            good = good && qn_detok_push(&d, &out, ids_of[begin][end - begin], &err) == QN_OK &&
                   qn_detok_push(&d, &out, 256, &err) == QN_OK; // skipped, changes nothing
            struct qn_str part = qn_str_slice(qn_buf_view(&out), before, out.n);
            good = good && qn_utf8_check(part) == SIZE_MAX && out.n <= n_whole &&
                   memcmp(out.p ? out.p : "", whole, out.n) == 0;
            begin = end;
        }
        good = good && d.stopped == stopped && qn_detok_finish(&d, &out, &err) == QN_OK &&
               qn_str_is(qn_buf_view(&out), whole);
        if (!CHECK_MSG(good, "text \"%s\" cut %x: \"%.*s\"", text, cut, (int)out.n, out.p))
            cut = 1u << 30;
        qn_detok_free(&d);
        qn_buf_free(&out);
    }
    qn_arena_free(&arena);
}

static void check_stops(void) {
    struct qn_str stop[] = {QN_STR("STOP")};
    struct qn_str many[] = {QN_STR("</s>"), QN_STR("OP"), QN_STR(""), QN_STR("TOPOL")};
    struct qn_str letter[] = {QN_STR("\xc3\xa9")};
    struct qn_str lines[] = {QN_STR("\n\n"), QN_STR("\nUser:")};
    check_cuts("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z", NULL, 0,
               "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z", false);
    check_cuts("ab STOP cd", stop, 1, "ab ", true);
    check_cuts("ab STO", stop, 1, "ab STO", false); // held back, released at the end
    check_cuts("SSTSTOSTOPx", stop, 1, "SSTSTO", true);
    check_cuts("\xf0\x9f\x98\x80STOP\xf0\x9f", stop, 1, "\xf0\x9f\x98\x80", true);
    check_cuts("xSTOPOL", many, 4, "xST", true);
    check_cuts("a<</s>>", many, 4, "a<", true);
    check_cuts("a\xc3\xa8\xc3\xa9x", letter, 1, "a\xc3\xa8", true);
    check_cuts("a\n\nUser:", lines, 2, "a", true);
    check_cuts("a\nUs\nUser:b", lines, 2, "a\nUs", true);
    check_cuts("\xff"
               "a\xe2\x82"
               "b\xf0\x9f",
               NULL, 0,
               "\xef\xbf\xbd"
               "a\xef\xbf\xbd"
               "b\xef\xbf\xbd",
               false);
}

/* Random ids: the stream gives what decoding all at once gives. */
static void check_random(const char *name, bool exact) {
    struct qn_arena arena;
    struct qn_tokenizer *t;
    struct qn_error err;
    char path[256];
    qn_arena_init(&arena, allocator);
    snprintf(path, sizeof path, "fixtures/tokenizers/%s/tokenizer.json", name);
    struct qn_str json = case_file(&arena, path);
    if (json.p && CHECK(qn_tokenizer_from_json(&t, &arena, json, &err) == QN_OK)) {
        for (uint32_t round = 0; round < 300; round++) {
            struct qn_detok d;
            struct qn_buf stream, all, raw;
            uint32_t ids[64], n = 1 + qn_rng_u32(5, round, 0) % 64;
            bool skip = round & 1, first = true;
            qn_buf_init(&stream, allocator);
            qn_buf_init(&all, allocator);
            qn_buf_init(&raw, allocator);
            qn_detok_init(&d, t, allocator, NULL, 0, skip);
            for (uint32_t i = 0; i < n; i++) {
                uint32_t size = qn_tokenizer_size(t);
                /* Single bytes are often the first tokens: prefer them, for broken characters. */
                ids[i] = qn_rng_u32(6, round, i) % (round % 3 ? size : qn_min_u32(size, 300));
                CHECK(qn_detok_push(&d, &stream, ids[i], &err) == QN_OK);
                CHECK(qn_utf8_check(qn_buf_view(&stream)) == SIZE_MAX);
                if (!skip || !qn_tokenizer_is_special(t, ids[i])) {
                    size_t before = raw.n;
                    CHECK(qn_tokenizer_bytes(t, &raw, ids[i]) == QN_OK);
                    if (!exact && first && raw.n > before) { // the space that SentencePiece drops
                        first = false;
                        if (raw.p[0] == ' ') {
                            memmove(raw.p, raw.p + 1, raw.n - 1);
                            raw.n--;
                        }
                    }
                }
            }
            CHECK(qn_detok_finish(&d, &stream, &err) == QN_OK);
            CHECK(qn_tokenizer_decode(t, &all, ids, n, skip ? QN_DECODE_SKIP_SPECIAL : 0, &err) ==
                  QN_OK);
            if (exact || qn_utf8_check(qn_buf_view(&raw)) == SIZE_MAX)
                CHECK_MSG(qn_str_eq(qn_buf_view(&stream), qn_buf_view(&all)), "%s %u: %.*s / %.*s",
                          name, round, (int)stream.n, stream.p, (int)all.n, all.p);
            /* In ill-formed runs decoding at once counts U+FFFD by tokens, the stream by parts. */
            qn_buf_clear(&all);
            while (raw.n > 0) { // one U+FFFD per maximal subpart, by the slow road
                size_t good = qn_utf8_check(qn_buf_view(&raw)), k;
                good = qn_min_size(good, raw.n);
                qn_buf_append(&all, raw.p, good);
                if (good == raw.n)
                    break;
                qn_buf_cstr(&all, "\xef\xbf\xbd");
                for (k = 1; k < raw.n - good; k++) {
                    struct qn_str part = {raw.p + good, k + 1};
                    if (qn_utf8_complete(part) != 0)
                        break;
                }
                memmove(raw.p, raw.p + good + k, raw.n - good - k);
                raw.n -= good + k;
            }
            CHECK_MSG(qn_str_eq(qn_buf_view(&stream), qn_buf_view(&all)), "%s %u: %.*s / %.*s",
                      name, round, (int)stream.n, stream.p, (int)all.n, all.p);
            qn_detok_free(&d);
            qn_buf_free(&stream);
            qn_buf_free(&all);
            qn_buf_free(&raw);
        }
        struct qn_detok d;
        struct qn_buf out;
        qn_buf_init(&out, allocator);
        qn_detok_init(&d, t, allocator, NULL, 0, false);
        CHECK(qn_detok_push(&d, &out, qn_tokenizer_size(t), &err) == QN_E_ARGUMENT);
        qn_detok_free(&d);
        qn_buf_free(&out);
    }
    qn_arena_free(&arena);
}

/* encode → decode gives the text back, for random Unicode and random bytes. */
static void check_round_trip(const char *name, bool any_bytes) {
    struct qn_arena arena;
    struct qn_tokenizer *t;
    struct qn_error err;
    char path[256];
    qn_arena_init(&arena, allocator);
    snprintf(path, sizeof path, "fixtures/tokenizers/%s/tokenizer.json", name);
    struct qn_str json = case_file(&arena, path);
    if (json.p && CHECK(qn_tokenizer_from_json(&t, &arena, json, &err) == QN_OK)) {
        struct qn_ids ids;
        struct qn_buf text, back;
        qn_ids_init(&ids, allocator);
        qn_buf_init(&text, allocator);
        qn_buf_init(&back, allocator);
        for (uint32_t round = 0; round < 400; round++) {
            uint32_t n = qn_rng_u32(7, round, 0) % 60;
            bool bytes = any_bytes && (round & 1);
            qn_buf_clear(&text);
            qn_buf_clear(&back);
            ids.n = 0;
            for (uint32_t i = 1; i <= n; i++) {
                uint32_t r = qn_rng_u32(8, round, i), c = r >> 8;
                c = r % 4 == 0 ? c % 0x110000 : r % 4 == 1 ? c % 0x500 : r % 4 == 2 ? c % 128 : ' ';
                if (bytes)
                    qn_buf_char(&text, (char)r);
                else if (c < 0xd800 || c >= 0xe000)
                    qn_buf_utf8(&text, c);
            }
            CHECK(qn_tokenizer_encode(t, &ids, qn_buf_view(&text), 0, NULL, 0, &err) == QN_OK);
            for (size_t i = 0; bytes && i < ids.n; i++)
                CHECK(qn_tokenizer_bytes(t, &back, ids.p[i]) == QN_OK);
            if (!bytes)
                CHECK(qn_tokenizer_decode(t, &back, ids.p, ids.n, 0, &err) == QN_OK);
            CHECK_MSG(qn_str_eq(qn_buf_view(&text), qn_buf_view(&back)), "%s round %u", name,
                      round);
        }
        qn_ids_free(&ids);
        qn_buf_free(&text);
        qn_buf_free(&back);
    }
    qn_arena_free(&arena);
}

int main(void) {
    allocator = qn_allocator_default();
    check_stops();
    check_random("gpt2", true);
    check_random("qwen2", true);
    check_random("llama2_spm", false);
    check_round_trip("gpt2", true);
    check_round_trip("llama3", true);
    check_round_trip("smollm", true);
    check_round_trip("o200k", true);
    return test_done("text_detok");
}
