/* The matchers, hand-written and compiled, against the regular expressions they stand for, and the
 * normalization forms against another implementation; both from tests/data/text/pretok.json. */
#include "tests/c/faults.h"
#include "tests/c/text_cases.h"
#include "text/bytes.h"
#include "text/normalize.h"
#include "text/pretok.h"
#include "text/unicode.h"

/* `compiled`: without the matchers that are written by hand. */
static void check_cuts(struct qn_arena *arena, struct qn_json_value root, bool compiled) {
    struct qn_regex_scratch scratch = {.allocator = qn_allocator_default()};
    struct qn_json_iter it = qn_json_iterate(qn_json_get(root, "cases"));
    CHECK(it.left > 1000);
    while (qn_json_each(&it)) {
        struct qn_str regex, word, got;
        struct qn_str name = qn_json_raw(qn_json_get(it.value, "pattern"));
        struct qn_pretok step;
        struct qn_buf text;
        CHECK(qn_json_string(&regex, arena, qn_json_get_str(qn_json_get(root, "regexes"), name)));
        struct qn_error err = {.text = ""};
        enum qn_status status = qn_pretok_by_regex(&step, arena, regex, &err);
        if (compiled) {
            step = (struct qn_pretok){.kind = QN_SPLIT_REGEX};
            status = qn_regex_compile(&step.regex, arena, regex, &err);
        }
        if (!CHECK_MSG(status == QN_OK, "%.*s: %s", QN_STR_ARG(name), err.text))
            continue;
        qn_buf_init(&text, qn_allocator_default());
        struct qn_json_iter words = qn_json_iterate(qn_json_get(it.value, "words"));
        while (qn_json_each(&words)) {
            CHECK(qn_json_string(&word, arena, words.value));
            qn_buf_str(&text, word);
        }
        scratch.steps = 100000;
        struct qn_pretok_iter cut = {
            .step = &step, .text = qn_buf_view(&text), .scratch = &scratch};
        words = qn_json_iterate(qn_json_get(it.value, "words"));
        bool same = true;
        while (same && qn_json_each(&words)) {
            CHECK(qn_json_string(&word, arena, words.value));
            same = qn_pretok_next(&cut, &got) && qn_str_eq(word, got);
            if (!CHECK_MSG(same, "%.*s: \"%.*s\"", QN_STR_ARG(name),
                           QN_STR_ARG(qn_buf_view(&text))))
                fprintf(stderr, "    at \"%.*s\", wanted \"%.*s\"\n", QN_STR_ARG(got),
                        QN_STR_ARG(word));
        }
        if (same)
            CHECK(!qn_pretok_next(&cut, &got));
        qn_buf_free(&text);
    }
    qn_regex_scratch_free(&scratch);
}

/* FNV-1a over form(before + c + after) + "\n" for all scalar values below 0x32000. */
static void check_forms(struct qn_arena *arena, struct qn_json_value root) {
    static const struct {
        const char *name;
        enum qn_normalizer_kind kind;
    } kinds[] = {{"NFC", QN_NORMALIZE_NFC},
                 {"NFD", QN_NORMALIZE_NFD},
                 {"NFKC", QN_NORMALIZE_NFKC},
                 {"NFKD", QN_NORMALIZE_NFKD},
                 {"lower", QN_NORMALIZE_LOWERCASE}};
    struct qn_normalize_scratch scratch;
    struct qn_buf text;
    struct qn_error err;
    struct qn_json_iter it = qn_json_iterate(qn_json_get(root, "forms"));
    qn_normalize_scratch_init(&scratch, qn_allocator_default());
    qn_buf_init(&text, qn_allocator_default());
    CHECK(it.left == 12);
    while (qn_json_each(&it)) {
        struct qn_str before, after, name = qn_json_raw(qn_json_get(it.value, "step"));
        struct qn_normalizer step = {.kind = QN_NORMALIZE_NMT};
        for (size_t i = 0; i < 5; i++) {
            if (qn_str_is(name, kinds[i].name))
                step.kind = kinds[i].kind;
        }
        uint64_t h = 0xcbf29ce484222325u;
        char hex[17];
        CHECK(qn_json_string(&before, arena, qn_json_get(it.value, "before")));
        CHECK(qn_json_string(&after, arena, qn_json_get(it.value, "after")));
        for (uint32_t c = 0; c < 0x32000; c++) {
            struct qn_marked out;
            if (c >= 0xd800 && c < 0xe000)
                continue;
            qn_buf_clear(&text);
            qn_buf_str(&text, before);
            qn_buf_utf8(&text, c);
            qn_buf_str(&text, after);
            struct qn_marked in = {.text = qn_buf_view(&text)};
            if (qn_normalize(&out, &scratch, &step, 1, in, &err) != QN_OK)
                break;
            for (size_t i = 0; i < out.text.n; i++)
                h = (h ^ (unsigned char)out.text.p[i]) * 0x100000001b3u;
            h = (h ^ '\n') * 0x100000001b3u;
        }
        snprintf(hex, sizeof hex, "%016llx", (unsigned long long)h);
        CHECK_MSG(qn_json_string_is(qn_json_get(it.value, "fnv"), hex), "%.*s: %s after \"%.*s\"",
                  QN_STR_ARG(name), hex, QN_STR_ARG(before));
    }
    qn_buf_free(&text);
    qn_normalize_scratch_free(&scratch);
}

/* Ill-formed bytes pass; long runs of marks are sorted like short ones; marks of bytes travel. */
static void check_nfc_edges(void) {
    struct qn_normalizer nfc = {.kind = QN_NORMALIZE_NFC};
    struct qn_normalize_scratch scratch;
    struct qn_marked out;
    struct qn_error err;
    struct qn_buf text;
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"a\xcc\x81", "\xc3\xa1"},
        {"\xff\xcc\x81", "\xff\xcc\x81"},
        {"e\x80\xcc\x81", "e\x80\xcc\x81"},
        {"e\xcc\x81\xff", "\xc3\xa9\xff"},
        {"e\xcc", "e\xcc"},
        {"\xcc\x81", "\xcc\x81"},
        {"q\xcc\x87\xcc\xa3z", "q\xcc\xa3\xcc\x87z"},
        {"\xe2\x84\xab", "\xc3\x85"},
    };
    qn_normalize_scratch_init(&scratch, qn_allocator_default());
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct qn_marked in = {.text = qn_str_from(cases[i].in)};
        CHECK(qn_normalize(&out, &scratch, &nfc, 1, in, &err) == QN_OK);
        CHECK_MSG(qn_str_is(out.text, cases[i].out), "case %zu", i);
    }
    struct qn_marked marked = {.text = QN_STR("ae\xcc\x81z"), .marks = "\0\0\1\1\0"};
    CHECK(qn_normalize(&out, &scratch, &nfc, 1, marked, &err) == QN_OK);
    CHECK(qn_str_is(out.text, "a\xc3\xa9z") && out.marks && memcmp(out.marks, "\0\1\1\0", 4) == 0);
    qn_buf_init(&text, qn_allocator_default());
    qn_buf_cstr(&text, "o");
    for (int i = 0; i < 200000; i++)
        qn_buf_cstr(&text, i & 1 ? "\xcc\xa3" : "\xcc\x87");
    struct qn_marked in = {.text = qn_buf_view(&text)};
    CHECK(qn_normalize(&out, &scratch, &nfc, 1, in, &err) == QN_OK);
    /* ọ, then the other dots below, then those above. */
    CHECK(out.text.n == 3 + 99999 * 2 + 100000 * 2 && memcmp(out.text.p, "\xe1\xbb\x8d", 3) == 0);
    CHECK(memcmp(out.text.p + 3 + 2 * 99998, "\xcc\xa3\xcc\x87", 4) == 0);
    qn_buf_free(&text);
    qn_normalize_scratch_free(&scratch);
}

static void check_behaviors(void) {
    static const struct {
        enum qn_split_behavior behavior;
        bool invert;
        const char *pieces[6];
    } cases[] = {
        {QN_BEHAVIOR_ISOLATED, false, {"the", "-", "final", "-", "-", "end"}},
        {QN_BEHAVIOR_REMOVED, false, {"the", "final", "end"}},
        {QN_BEHAVIOR_REMOVED, true, {"-", "-", "-"}},
        {QN_BEHAVIOR_MERGED_WITH_PREVIOUS, false, {"the-", "final-", "-", "end"}},
        {QN_BEHAVIOR_MERGED_WITH_NEXT, false, {"the", "-final", "-", "-end"}},
        {QN_BEHAVIOR_CONTIGUOUS, false, {"the", "-", "final", "--", "end"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct qn_pretok step = {.kind = QN_SPLIT_STRING,
                                 .string = QN_STR("-"),
                                 .behavior = cases[i].behavior,
                                 .invert = cases[i].invert};
        struct qn_pretok_iter it = {.step = &step, .text = QN_STR("the-final--end")};
        struct qn_str piece;
        size_t n = 0;
        while (qn_pretok_next(&it, &piece)) {
            CHECK_MSG(n < 6 && cases[i].pieces[n] && qn_str_is(piece, cases[i].pieces[n]),
                      "case %zu piece %zu \"%.*s\"", i, n, QN_STR_ARG(piece));
            n++;
        }
        CHECK(n == 6 || !cases[i].pieces[n]);
    }
}

static void check_bytes(void) {
    for (uint32_t b = 0; b < 256; b++)
        CHECK(qn_char_to_byte(qn_byte_to_char((unsigned char)b)) == b);
    uint32_t n = 0;
    for (uint32_t c = 0; c < 0x3000; c++)
        n += qn_char_to_byte(c) != UINT32_MAX;
    CHECK(n == 256 && qn_byte_to_char(' ') == 0x120 && qn_byte_to_char('\n') == 0x10a);
}

static void check_lossy(void) {
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"a\xf0\x80\x80\x41", "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\x41"},
        {"\xf0\x9f\x98", "\xef\xbf\xbd"},
        {"\xf0\x9f\x98\xf0\x9f\x98\x80", "\xef\xbf\xbd\xf0\x9f\x98\x80"},
        {"\xe2\x82\x41\xff", "\xef\xbf\xbd\x41\xef\xbf\xbd"},
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xc0\xaf\xf4\x90\x80\x80",
         "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct qn_buf buf;
        qn_buf_init(&buf, qn_allocator_default());
        qn_utf8_append_lossy(&buf, qn_str_from(cases[i].in));
        CHECK_MSG(qn_str_is(qn_buf_view(&buf), cases[i].out), "case %zu", i);
        qn_buf_free(&buf);
    }
}

int main(void) {
    struct qn_arena arena;
    struct qn_json json;
    struct qn_error err;
    struct qn_str text = slurp("tests/data/text/pretok.json");
    qn_arena_init(&arena, qn_allocator_default());
    if (CHECK(text.p) && CHECK(qn_json_parse(&json, &arena, text, &err) == QN_OK)) {
        check_cuts(&arena, qn_json_root(&json), false);
        check_cuts(&arena, qn_json_root(&json), true);
        check_forms(&arena, qn_json_root(&json));
    }
    check_nfc_edges();
    check_behaviors();
    check_bytes();
    check_lossy();
    qn_arena_free(&arena);
    free((void *)(uintptr_t)text.p);
    return test_done("text_pretok");
}
