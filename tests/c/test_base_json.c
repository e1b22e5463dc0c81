/* JSON: what RFC 8259 allows and forbids, values, strings, limits, faults, and the texts of
 * ../shared. */
#define _POSIX_C_SOURCE 199309L
#include <dirent.h>
#include <math.h>
#include <time.h>

#include "base/json.h"
#include "base/utf8.h"
#include "tests/c/faults.h"

static const struct qn_str good[] = {
#define G(text) QN_STR(text)
    G("[]"),
    G("{}"),
    G("[[]]"),
    G("[[],[]]"),
    G("{\"a\":{}}"),
    G(" [ ] "),
    G("\t\r\n{ }\n"),
    G("0"),
    G("-0"),
    G("1"),
    G("-1"),
    G("10"),
    G("1.5"),
    G("-0.5"),
    G("0.0"),
    G("1e1"),
    G("1E1"),
    G("1e+1"),
    G("1e-1"),
    G("0e0"),
    G("0.1e5"),
    G("123456789012345678901234567890"),
    G("1e999999"),
    G("-1.0e-999999"),
    G("true"),
    G("false"),
    G("null"),
    G(" null "),
    G("\"\""),
    G("\"a\""),
    G("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""),
    G("\"\\u0000\""),
    G("\"\\u00e9\\uABCD\""),
    G("\"\\ud83d\\ude00\""),
    G("\"\\ud83d\""),
    G("\"\\ude00\\ud83d\""),
    G("\"\\ud83dx\""),
    G("\"\xc3\xa9\""),
    G("\"\xf0\x9f\x98\x80\""),
    G("\"\xef\xbf\xbf\""),
    G("\"\x7f\""),
    G("\"\xef\xbb\xbf\""),
    G("[1,2,3]"),
    G("[1 , 2]"),
    G("[null,true,false,\"\",0,[],{}]"),
    G("{\"a\":1,\"a\":2}"),
    G("{\"\":0}"),
    G("{\"a\\u0062\":0}"),
    G("{ \"a\" : [ 1 ] , \"b\" : { } }"),
    G("\"\xe2\x80\xa8\""),
    G("[\"a\",\n\"b\"]"),
    G("\"12345678\\n12345678\""),
    G("[[[[[[1]]]]]]"),
};

static const struct qn_str wrong[] = {
    G(""),
    G(" "),
    G("["),
    G("]"),
    G("{"),
    G("}"),
    G("[1"),
    G("[1,"),
    G("[1,]"),
    G("[,1]"),
    G("[,]"),
    G("[1 2]"),
    G("[1,,2]"),
    G("[1}"),
    G("{1:2}"),
    G("{\"a\"}"),
    G("{\"a\":}"),
    G("{\"a\":1,}"),
    G("{,\"a\":1}"),
    G("{\"a\" 1}"),
    G("{\"a\":1 \"b\":2}"),
    G("{\"a\":1]"),
    G("{\"a\""),
    G("{\"a\":"),
    G("{\"a\":1"),
    G("{\"a\":1,"),
    G("{a:1}"),
    G("{'a':1}"),
    G("{\"a\"::1}"),
    G("{\"a\":1,,\"b\":2}"),
    G("{\"a\":1}}"),
    G("[]]"),
    G("[][]"),
    G("1 2"),
    G("1,2"),
    G("+1"),
    G("-"),
    G("--1"),
    G("01"),
    G("-01"),
    G("00"),
    G("1."),
    G(".5"),
    G("-.5"),
    G("1.e1"),
    G("1e"),
    G("1e+"),
    G("1E-"),
    G("1e1.5"),
    G("0x10"),
    G("1a"),
    G("1_000"),
    G("Infinity"),
    G("-Infinity"),
    G("NaN"),
    G("nan"),
    G("tru"),
    G("truex"),
    G("True"),
    G("fals"),
    G("nul"),
    G("nulll"),
    G("t"),
    G("\""),
    G("\"a"),
    G("\"\\"),
    G("\"\\\""),
    G("\"\\u"),
    G("\"\\u12"),
    G("\"\\u12\""),
    G("\"\\u00g0\""),
    G("\"\\U0041\""),
    G("\"\\x41\""),
    G("\"\\a\""),
    G("\"\\'\""),
    G("\"\\ \""),
    G("'a'"),
    G("\"a\nb\""),
    G("\"a\tb\""),
    G("\"\x00\""),
    G("\"\x1f\""),
    G("a"),
    G("\"a\"b"),
    G("\"\xff\""),
    G("\"\x80\""),
    G("\"\xc0\xaf\""),
    G("\"\xe2\x82\""),
    G("\"\xed\xa0\x80\""),
    G("\"\xf4\x90\x80\x80\""),
    G("\"\xc3"),
    G("\xc3\xa9"),
    G("\xef\xbb\xbf{}"),
    G("\xef\xbb\xbf"),
    G("[1]\x00"),
    G("\x0c[]"),
    G("[\x0b]"),
    G("/**/1"),
    G("1//"),
    G("[1]x"),
    G("#"),
    G("{\"a\":/*b*/1}"),
    G("\xa0[]"),
    G("[\"a\",1"),
    G("[\"a\""),
    G("[{}"),
    G("{[]:1}"),
    G("{\"a\":1,\"b\"}"),
    G("*"),
    G("[*]"),
    G("<.>"),
    G("\\u0061"),
    G("[\"\\u0061\\\"]"),
    G(",,,,,,,,"),
    G("::::"),
    G("[[[[[["),
    G("{\"\":{\"\":{\"\":"),
    G("[\"\",\"\",,]"),
    G("[-]"),
    G("[1e]"),
    G("[\"\\uD800\\u\"]"),
#undef G
};

static enum qn_status parse(struct qn_json *json, struct qn_arena *arena, struct qn_str text,
                            struct qn_error *err) {
    // A copy without slack, so that the sanitizer sees the first byte read past the end.
    qn_arena_init(arena, qn_allocator_default());
    char *p = malloc(text.n ? text.n : 1);
    memcpy(p, text.p, text.n);
    enum qn_status status = qn_json_parse(json, arena, (struct qn_str){p, text.n}, err);
    if (status != QN_OK)
        free(p);
    return status;
}

static void done(struct qn_json *json, struct qn_arena *arena) {
    free((char *)(uintptr_t)json->text.p);
    qn_arena_free(arena);
}

/* Every node lies inside the text, and `next` leads through all of them. */
static void check_nodes(const struct qn_json *json) {
    CHECK(json->n_nodes > 0 && json->nodes[0].next == json->n_nodes);
    for (uint32_t i = 0; i < json->n_nodes; i++) {
        const struct qn_json_node *node = &json->nodes[i];
        enum qn_json_type type = (enum qn_json_type)(node->kind & 0xff);
        CHECK(node->next > i && node->next <= json->n_nodes && node->begin < json->text.n);
        if (type != QN_JSON_ARRAY && type != QN_JSON_OBJECT) {
            CHECK(node->count <= json->text.n - node->begin);
            continue;
        }
        uint32_t at = i + 1, n = 0;
        for (; at < node->next; n++) {
            if (type == QN_JSON_OBJECT)
                at = json->nodes[at].next;
            at = json->nodes[at].next;
        }
        CHECK(at == node->next && n == node->count);
    }
}

static void test_grammar(void) {
    struct qn_json json;
    struct qn_arena arena;
    struct qn_error err;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        enum qn_status status = parse(&json, &arena, good[i], &err);
        if (CHECK_MSG(status == QN_OK, "%s: %s", good[i].p, err.text)) {
            check_nodes(&json);
            done(&json, &arena);
        }
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        enum qn_status status = parse(&json, &arena, wrong[i], &err);
        CHECK_MSG(status == QN_E_JSON && err.offset <= wrong[i].n, "%s: %d", wrong[i].p, status);
        if (status == QN_OK)
            done(&json, &arena);
        qn_arena_free(&arena);
    }
    CHECK(sizeof good / sizeof *good >= 50 && sizeof wrong / sizeof *wrong >= 100);
    CHECK(parse(&json, &arena, QN_STR("[1, x]"), &err) == QN_E_JSON && err.offset == 4);
    qn_arena_free(&arena);
    CHECK(parse(&json, &arena, QN_STR("{\"a\":\"\xff\"}"), &err) == QN_E_JSON && err.offset == 6);
    qn_arena_free(&arena);
}

static void test_depth(void) {
    char text[300];
    struct qn_json json;
    struct qn_arena arena;
    struct qn_error err;
    for (int depth = 63; depth <= 66; depth++) {
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        enum qn_status status =
            parse(&json, &arena, (struct qn_str){text, 2 * (size_t)depth}, &err);
        CHECK(status == (depth <= 64 ? QN_OK : QN_E_LIMIT));
        if (status == QN_OK)
            done(&json, &arena);
        else
            qn_arena_free(&arena);
    }
    // A hundred thousand opening brackets are refused at the 65th, with bounded memory.
    char *many = malloc(200000);
    memset(many, '[', 200000);
    struct faults faults;
    faults_init(&faults);
    struct qn_allocator allocator = faults_allocator(&faults);
    qn_arena_init(&arena, &allocator);
    CHECK(qn_json_parse(&json, &arena, (struct qn_str){many, 200000}, &err) == QN_E_LIMIT);
    CHECK(err.offset == 64 && faults.peak < 9 * 200000);
    qn_arena_free(&arena);
    memset(many, ',', 200000);
    CHECK(qn_json_parse(&json, &arena, (struct qn_str){many, 200000}, &err) == QN_E_JSON);
    qn_arena_free(&arena);
    CHECK(faults.live == 0);
    free(many);
}

static void test_values(void) {
    struct qn_json json;
    struct qn_arena arena;
    struct qn_error err;
    struct qn_str text = QN_STR(
        "{\"a\": 1, \"b\": [true, null, -2.5, \"x\\u20acy\"], \"a\": 2, \"k\\u0065y\": \"v\","
        " \"n\": [1.0, 1e0, 100e-2, 1.5, -0, 4294967295, 4294967296, 9223372036854775807,"
        " 9223372036854775808, -9223372036854775808, -9223372036854775809, 1e18, 1e19, 0.1e1,"
        " 1e400, 10e-1, 1e-1, 3.4028235e38, 3.5e38, 120000e-4, 0e99999999999999999999,"
        " 100000000000000000000e-20, 0.00000000000000000000001e23],"
        " \"s\": [\"\\ud83d\\ude00\", \"\\ud800\", \"\\udc00x\", \"\\ud800\\ud83d\\ude00\","
        " \"\\u0000\", \"\\b\\f\\n\\r\\t\\\"\\\\\\/\"]}");
    if (!CHECK(parse(&json, &arena, text, &err) == QN_OK))
        return;
    struct qn_json_value root = qn_json_root(&json), missing = qn_json_get(root, "none");
    int64_t i = 0;
    uint32_t u = 0;
    double f = 0;
    float g = 0;
    bool b = false;
    struct qn_str s;
    CHECK(qn_json_count(root) == 6 && qn_json_type(root) == QN_JSON_OBJECT);
    CHECK(qn_json_i64(&i, qn_json_get(root, "a")) && i == 2); // the last one wins
    CHECK(qn_json_string_is(qn_json_get(root, "key"), "v"));
    CHECK(!qn_json_exists(missing) && qn_json_type(missing) == QN_JSON_NULL);
    CHECK(!qn_json_i64(&i, missing) && !qn_json_f64(&f, missing) && !qn_json_bool(&b, missing));
    CHECK(!qn_json_string(&s, &arena, missing) && qn_json_count(missing) == 0);
    CHECK(!qn_json_exists(qn_json_get(missing, "a")) && !qn_json_string_is(missing, ""));
    struct qn_json_iter none = qn_json_iterate(missing);
    CHECK(!qn_json_each(&none));

    struct qn_json_iter it = qn_json_iterate(qn_json_get(root, "b"));
    CHECK(qn_json_each(&it) && qn_json_bool(&b, it.value) && b && !qn_json_exists(it.key));
    CHECK(qn_json_each(&it) && qn_json_exists(it.value) && qn_json_type(it.value) == QN_JSON_NULL);
    CHECK(qn_json_each(&it) && qn_json_f64(&f, it.value) && f == -2.5 &&
          !qn_json_i64(&i, it.value));
    CHECK(qn_json_each(&it) && qn_json_string(&s, &arena, it.value) && qn_str_is(s, "x€y"));
    CHECK(qn_json_string_is(it.value, "x€y") && !qn_json_string_is(it.value, "x€"));
    CHECK(!qn_json_string_is(it.value, "x€yz") && qn_str_is(qn_json_raw(it.value), "x\\u20acy"));
    CHECK(!qn_json_each(&it) && !qn_json_each(&it));

    static const struct {
        bool is_i64, is_u32;
        int64_t i;
        bool is_f64, is_f32;
    } numbers[] = {
        {1, 1, 1, 1, 1},          {1, 1, 1, 1, 1},         {1, 1, 1, 1, 1},
        {0, 0, 0, 1, 1},          {1, 1, 0, 1, 1},         {1, 1, 4294967295, 1, 1},
        {1, 0, 4294967296, 1, 1}, {1, 0, INT64_MAX, 1, 1}, {0, 0, 0, 1, 1},
        {1, 0, INT64_MIN, 1, 1},  {0, 0, 0, 1, 1},         {1, 0, 1000000000000000000, 1, 1},
        {0, 0, 0, 1, 1},          {1, 1, 1, 1, 1},         {0, 0, 0, 0, 0},
        {1, 1, 1, 1, 1},          {0, 0, 0, 1, 1},         {0, 0, 0, 1, 1},
        {0, 0, 0, 1, 0},          {1, 1, 12, 1, 1},        {1, 1, 0, 1, 1},
        {1, 1, 1, 1, 1},          {1, 1, 1, 1, 1},
    };
    it = qn_json_iterate(qn_json_get(root, "n"));
    for (size_t k = 0; qn_json_each(&it); k++) {
        if (!CHECK(k < sizeof numbers / sizeof *numbers))
            break;
        struct qn_json_value v = it.value;
        int got = (int)k;
        CHECK_MSG(qn_json_i64(&i, v) == numbers[k].is_i64, "%d", got);
        CHECK_MSG(!numbers[k].is_i64 || i == numbers[k].i, "%d", got);
        CHECK_MSG(qn_json_u32(&u, v) == numbers[k].is_u32, "%d", got);
        CHECK_MSG(qn_json_f64(&f, v) == numbers[k].is_f64, "%d", got);
        CHECK_MSG(qn_json_f32(&g, v) == numbers[k].is_f32, "%d", got);
    }
    static const struct qn_str strings[] = {
        {"\xf0\x9f\x98\x80", sizeof("\xf0\x9f\x98\x80") - 1},
        {"\xef\xbf\xbd", sizeof("\xef\xbf\xbd") - 1},
        {"\xef\xbf\xbdx", sizeof("\xef\xbf\xbdx") - 1},
        {"\xef\xbf\xbd\xf0\x9f\x98\x80", sizeof("\xef\xbf\xbd\xf0\x9f\x98\x80") - 1},
        {"\0", sizeof("\0") - 1},
        {"\b\f\n\r\t\"\\/", sizeof("\b\f\n\r\t\"\\/") - 1},
    };
    it = qn_json_iterate(qn_json_get(root, "s"));
    for (size_t k = 0; qn_json_each(&it); k++) {
        CHECK(qn_json_string(&s, &arena, it.value) && qn_str_eq(s, strings[k]));
        CHECK(qn_utf8_check(s) == SIZE_MAX);
    }
    done(&json, &arena);
}

static enum qn_status scenario(const struct qn_allocator *allocator) {
    struct qn_arena arena;
    struct qn_json json;
    struct qn_str s;
    qn_arena_init(&arena, allocator);
    enum qn_status status =
        qn_json_parse(&json, &arena, QN_STR("[1,[2,{\"a\":\"\\n\"}],\"\\u0041\"]"), NULL);
    if (status == QN_OK && !qn_json_string(&s, &arena, (struct qn_json_value){&json, 6}))
        status = QN_E_NO_MEMORY;
    qn_arena_free(&arena);
    return status;
}

static void test_faults(void) {
    for (int persistent = 0; persistent < 2; persistent++) {
        for (uint64_t n = 1;; n++) {
            struct faults faults;
            faults_init(&faults);
            faults.fail_alloc = n;
            faults.persistent = persistent != 0;
            struct qn_allocator allocator = faults_allocator(&faults);
            enum qn_status status = scenario(&allocator);
            CHECK(faults.live == 0);
            if (!faults.fired) {
                CHECK(status == QN_OK && n > 1);
                break;
            }
            CHECK(status == QN_E_NO_MEMORY);
        }
    }
}

/* Every prefix and every flipped bit of a text with all of JSON in it; what still parses must hold
 * together. */
static void test_flips(void) {
    struct qn_str text = QN_STR("{\"architectures\": [\"LlamaForCausalLM\"], \"hidden_size\": 64, "
                                "\"eps\": 1e-05, \"tie\": true,"
                                "\"rope\": {\"factor\": 8.0, \"type\": \"llama3\", \"none\": "
                                "null}, \"e\": [[], {}, [[-0.5]]],"
                                " \"text\": \"\\u00e9\\ud83d\\ude00 \\\"x\\\" "
                                "\xc3\xa9\xf0\x9f\x98\x80\\n\", \"f\": false}\n");
    struct qn_json json;
    struct qn_arena arena;
    struct qn_error err;
    int parsed = 0;
    for (size_t n = 0; n < text.n; n++) {
        enum qn_status status = parse(&json, &arena, (struct qn_str){text.p, n}, &err);
        CHECK((status == QN_OK) == (n == text.n - 1));
        if (status == QN_OK)
            done(&json, &arena);
        else
            qn_arena_free(&arena);
    }
    char *copy = malloc(text.n);
    memcpy(copy, text.p, text.n);
    for (size_t bit = 0; bit < 8 * text.n; bit++) {
        copy[bit / 8] ^= (char)(1 << bit % 8);
        enum qn_status status = parse(&json, &arena, (struct qn_str){copy, text.n}, &err);
        copy[bit / 8] ^= (char)(1 << bit % 8);
        if (status == QN_OK) {
            parsed++;
            check_nodes(&json);
            for (uint32_t i = 0; i < json.n_nodes; i++) {
                struct qn_str s;
                double f;
                struct qn_json_value v = {&json, i};
                if (qn_json_string(&s, &arena, v))
                    CHECK(qn_utf8_check(s) == SIZE_MAX);
                if (qn_json_f64(&f, v))
                    CHECK(isfinite(f));
            }
            done(&json, &arena);
        } else {
            CHECK(status == QN_E_JSON);
            qn_arena_free(&arena);
        }
    }
    CHECK(parsed > 100);
    free(copy);
}

static void test_shared_texts(void) {
    char folder[2048], path[4096];
    snprintf(folder, sizeof folder, "%s/assets/tokenizers/hub", test_shared());
    DIR *dir = opendir(folder);
    if (dir == NULL) {
        printf("skipped: no ../shared\n");
        return;
    }
    double bytes = 0, seconds = 0;
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        snprintf(path, sizeof path, "%s/%s/tokenizer.json", folder, e->d_name);
        struct qn_str text = slurp(path);
        if (text.p == NULL)
            continue;
        struct qn_json json;
        struct qn_error err = {.text = ""};
        double best = 1e9;
        for (int run = 0; run < 3; run++) {
            struct qn_arena arena;
            qn_arena_init(&arena, qn_allocator_default());
            struct timespec a, b;
            clock_gettime(CLOCK_MONOTONIC, &a);
            CHECK_MSG(qn_json_parse(&json, &arena, text, &err) == QN_OK, "%s: %s", path, err.text);
            clock_gettime(CLOCK_MONOTONIC, &b);
            double t = (double)(b.tv_sec - a.tv_sec) + 1e-9 * (double)(b.tv_nsec - a.tv_nsec);
            best = t < best ? t : best;
            if (run == 0)
                CHECK(qn_json_type(qn_json_root(&json)) == QN_JSON_OBJECT);
            qn_arena_free(&arena);
        }
        bytes += (double)text.n;
        seconds += best;
        if (getenv("VERBOSE"))
            fprintf(stderr, "%s: %.1f MB, %.1f ms, %.0f MB/s\n", e->d_name, (double)text.n / 1e6,
                    best * 1e3, (double)text.n / best / 1e6);
        free((char *)(uintptr_t)text.p);
    }
    closedir(dir);
    if (getenv("VERBOSE"))
        fprintf(stderr, "all: %.0f MB/s\n", bytes / seconds / 1e6);
}

int main(void) {
    test_grammar();
    test_depth();
    test_values();
    test_faults();
    test_flips();
    test_shared_texts();
    return test_done("base_json");
}
