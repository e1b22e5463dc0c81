/* Constrained output: what matches and what does not, what is refused and by which name, masks
 * against the matcher token by token, forgetting, faults. With --drive the program serves
 * tests/js/constrain.test.mjs. */
#define _POSIX_C_SOURCE 199309L
#include "constrain/constrain.h"
#include "tests/c/constrain_drive.h"

enum { S = QN_CONSTRAINT_JSON_SCHEMA, R = QN_CONSTRAINT_REGEX, G = QN_CONSTRAINT_GRAMMAR };

struct match_case {
    int kind;
    const char *text;
    const char *good, *bad; // texts, each ended by \x01
};

static const struct match_case matches[] = {
    {R, "a(b|c)*d", "ad\1abcbd\1", "a\1abc\1abcda\1\1"},
    {R, "[a-c]{2,3}", "ab\1ccc\1", "a\1abcd\1ad\1"},
    {R, "(a?){3}b", "b\1aaab\1", "aaaab\1a\1"},
    {R, "(a*)*", "\1aaa\1", "b\1"},
    {R, "^(?:x|^y$)$", "x\1y\1", "xy\1"},
    {R, "(?=.*\\d)(?!.*z)[a-z\\d]{3,5}", "ab1\1a1b2c\1", "abc\1ab1z\1a1\1"},
    {R, "\\u00e9\\x41\\t\\cJ",
     "\xc3\xa9"
     "A\t\n\1",
     "\xc3\1A\1"},
    {R, "[^a]", "b\1\xf0\x9f\x98\x80\1", "a\1\xc3\1\xed\xa0\x80\1bb\1"},
    {R, "\\p{Lu}\\p{Nd}",
     "\xc3\x89"
     "9\1",
     "\xc3\xa9"
     "9\1"},
    {R, "[\\w.-]+@x", "a.b-c@x\1", "@x\1a b@x\1"},
    {R, "a{,2}", "a{,2}\1", "aa\1"},
    {R, "\\ud83d\\ude00|\\u{1f601}", "\xf0\x9f\x98\x80\1\xf0\x9f\x98\x81\1", "\xf0\x9f\x98\1"},
    {G, "root ::= \"a\" x+ # comment\nx ::= [0-9]{2} |\n  \"(\" root \")\"", "a12\1a(a34)56\1",
     "a\1a1\1a(a34\1"},
    {G, "root ::= ( \"x\"\n | \"y\" )* .\n", "xq\1\xc3\xa9\1", "xx\xc3\1q\xc3\xa9\1"},
    {G, "root ::= \"\\x41\\u00e9\\\"\\n\" [^\\n]?", "A\xc3\xa9\"\n\1A\xc3\xa9\"\nz\1", "A\1"},
    {G,
     "root ::= \"<call>\" %json {\"type\":\"object\",\"properties\":{\"a\":{\"enum\":[\"}\"]}},"
     "\"required\":[\"a\"],\"additionalProperties\":false} \"</call>\"",
     "<call>{\"a\":\"}\"}</call>\1", "<call>{}</call>\1{\"a\":\"}\"}\1"},
    {G, "root ::= %regex [\"[a-c]{2}|\\\\d\\u00e9\"]+ \"!\"",
     "ab!\1"
     "1\xc3\xa9"
     "cc!\1",
     "!\1a!\1"},
    {S, "{\"type\":\"integer\",\"minimum\":-12,\"exclusiveMaximum\":120}",
     "-12\1-1\1"
     "0\1"
     "7\1"
     "99\1"
     "119\1",
     "-13\1"
     "120\1"
     "1.5\1"
     "007\1-100\1"
     "1e1\1"},
    {S, "{\"type\":\"number\",\"minimum\":0.25,\"maximum\":10.5}",
     "0.25\1"
     "0.3\1"
     "10.5\1"
     "10.50\1"
     "9.999\1"
     "1\1",
     "0.2\1"
     "0.24999\1"
     "10.51\1"
     "11\1-1\1"},
    {S, "{\"type\":\"number\",\"exclusiveMinimum\":-1.5,\"exclusiveMaximum\":0}",
     "-1\1-0.001\1-1.4999\1",
     "-1.5\1"
     "0\1"
     "0.1\1-2\1"},
    {S, "{\"type\":\"number\",\"multipleOf\":0.25}",
     "0.5\1"
     "1.75\1-2\1"
     "3.250\1",
     "0.3\1"
     "1.125\1"},
    {S, "{\"type\":\"integer\",\"multipleOf\":7,\"minimum\":20}",
     "21\1"
     "70\1",
     "14\1"
     "22\1-21\1"},
    {S, "{\"type\":\"string\",\"minLength\":2,\"maxLength\":3}",
     "\"ab\"\1\"\xc3\xa9\xc3\xa9\xc3\xa9\"\1\"\\u00e9\\n\"\1\"\\ud83d\\ude00x\"\1",
     "\"a\"\1\"abcd\"\1\"\\ud83dxx\"\1\"a\nb\"\1"},
    {S, "{\"type\":\"string\",\"pattern\":\"^a\\\"b$\"}", "\"a\\\"b\"\1", "\"a\"b\"\1\"aab\"\1"},
    {S,
     "{\"type\":\"string\",\"pattern\":\"b\",\"maxLength\":3,\"not\":{\"enum\":[\"abc\",\"b\"]}}",
     "\"xbx\"\1\"ab\"\1", "\"abc\"\1\"b\"\1\"abbb\"\1\"x\"\1"},
    {S, "{\"format\":\"colour\",\"type\":\"string\",\"maxLength\":3}", "\"red\"\1\"\"\1",
     "\"blue\"\1"
     "1\1"},
    {S, "{\"format\":\"date\",\"type\":\"string\"}", "\"2024-02-29\"\1", "\"2023-02-29\"\1\"x\"\1"},
    {S, "{\"format\":\"ipv6\",\"type\":\"string\"}", "\"::1\"\1\"1:2:3:4:5:6:7:8\"\1",
     "\"1:2\"\1\"::1::\"\1"},
    {S, "{\"type\":[\"null\",\"boolean\"]}",
     "null\1true\1"
     "false\1",
     "\"null\"\1"
     "0\1"},
    {S, "{\"enum\":[1,1.50,\"x\",null,{\"a\":[true]}]}",
     "1\1"
     "1.5\1\"x\"\1null\1{\"a\":[true]}\1",
     "1.50\1"
     "2\1{\"a\":[]}\1"},
    {S,
     "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"},\"b\":{},\"c\":false},"
     "\"required\":[\"b\"],\"additionalProperties\":false}",
     "{\"a\":1,\"b\":[]}\1{ \"b\": {\"x\":null} }\1",
     "{\"a\":1}\1{\"b\":1,\"a\":1}\1{\"b\":1,\"c\":1}\1{\"b\":1,\"d\":1}\1{\"b\":1,}\1"},
    {S,
     "{\"type\":\"object\",\"patternProperties\":{\"^x\":{\"type\":\"integer\"},\"y$\":{"
     "\"minimum\":5}},\"additionalProperties\":{\"type\":\"null\"}}",
     "{\"x\":1,\"y\":7,\"xy\":5,\"z\":null}\1", "{\"x\":null}\1{\"xy\":4}\1{\"z\":1}\1"},
    {S,
     "{\"type\":\"object\",\"propertyNames\":{\"maxLength\":2},\"minProperties\":1,"
     "\"maxProperties\":2}",
     "{\"a\":1}\1{\"a\":1,\"bc\":2}\1", "{}\1{\"abc\":1}\1{\"a\":1,\"b\":2,\"c\":3}\1"},
    {S, "{\"type\":\"array\",\"items\":{\"type\":\"integer\"},\"minItems\":1,\"maxItems\":2}",
     "[1]\1[1, 2]\1", "[]\1[1,2,3]\1[\"a\"]\1[1,]\1"},
    {S, "{\"type\":\"array\",\"prefixItems\":[{\"const\":1},{\"const\":\"b\"}],\"items\":false}",
     "[]\1[1]\1[1,\"b\"]\1", "[1,\"b\",2]\1[\"b\"]\1"},
    {S,
     "{\"type\":\"array\",\"items\":{\"enum\":[\"a\",\"b\",\"c\"]},\"uniqueItems\":true,"
     "\"minItems\":1}",
     "[\"a\"]\1[\"a\",\"c\"]\1", "[]\1[\"a\",\"a\"]\1"},
    {S,
     "{\"$ref\":\"#/$defs/n\",\"$defs\":{\"n\":{\"type\":\"object\",\"properties\":{\"v\":{"
     "\"type\":\"integer\"},\"next\":{\"anyOf\":[{\"$ref\":\"#/$defs/n\"},{\"type\":\"null\"}]}},"
     "\"required\":[\"v\",\"next\"],\"additionalProperties\":false}}}",
     "{\"v\":1,\"next\":{\"v\":2,\"next\":null}}\1", "{\"v\":1}\1{\"v\":1,\"next\":2}\1"},
    {S,
     "{\"oneOf\":[{\"properties\":{\"t\":{\"const\":\"a\"},\"x\":{\"type\":\"integer\"}},"
     "\"required\":[\"t\",\"x\"],\"additionalProperties\":false,\"type\":\"object\"},{"
     "\"properties\":{\"t\":{\"const\":\"b\"}},\"required\":[\"t\"],\"type\":\"object\"}]}",
     "{\"t\":\"a\",\"x\":1}\1{\"t\":\"b\",\"q\":1}\1", "{\"t\":\"a\"}\1{\"t\":\"c\"}\1"},
    {S,
     "{\"oneOf\":[{\"type\":\"integer\",\"multipleOf\":2},{\"type\":\"integer\",\"multipleOf\":3"
     "}]}",
     "2\1"
     "3\1"
     "10\1",
     "6\1"
     "5\1"
     "12\1"},
    {S,
     "{\"allOf\":[{\"properties\":{\"a\":{\"minimum\":3}}},{\"properties\":{\"a\":{\"type\":"
     "\"integer\",\"maximum\":4}},\"required\":[\"a\"]}],\"type\":\"object\"}",
     "{\"a\":3}\1{\"a\":4,\"b\":0}\1", "{\"a\":2}\1{\"a\":5}\1{}\1{\"a\":\"x\"}\1"},
    {S,
     "{\"type\":\"object\",\"if\":{\"properties\":{\"k\":{\"const\":1}},\"required\":[\"k\"]},"
     "\"then\":{\"required\":[\"v\"]},\"properties\":{\"k\":{\"type\":\"integer\"},\"v\":{}},"
     "\"additionalProperties\":false}",
     "{\"k\":1,\"v\":0}\1{\"k\":2}\1{}\1", "{\"k\":1}\1"},
    {S,
     "{\"type\":\"object\",\"dependentRequired\":{\"a\":[\"b\"]},\"properties\":{\"a\":{},"
     "\"b\":{}}}",
     "{\"a\":1,\"b\":1}\1{\"b\":1}\1{}\1", "{\"a\":1}\1"},
    {S, "{\"typ\\u0065\":\"integer\"}", "1\1", "\"a\"\1"},
    {S, "{\"$defs\":{\"a/b~c\":{\"const\":1}},\"$ref\":\"#/$defs/a~1b~0c\"}", "1\1", "2\1"},
};

static enum qn_status compile(struct qn_grammar **g, int kind, struct qn_str text,
                              const struct qn_allocator *allocator, struct qn_error *err) {
    struct qn_constraint c = {(enum qn_constraint_kind)kind, text, 1};
    return qn_grammar_compile(g, allocator, &c, err);
}

static bool accepts(struct qn_grammar *g, struct qn_str s) {
    struct qn_matcher m;
    struct qn_error err;
    qn_matcher_init(&m, g, NULL);
    bool ok = qn_matcher_accept_bytes(&m, s, &err) == QN_OK && qn_matcher_can_end(&m);
    qn_matcher_free(&m);
    return ok;
}

static void test_matches(void) {
    for (size_t i = 0; i < sizeof matches / sizeof *matches; i++) {
        struct qn_grammar *g;
        struct qn_error err = {0};
        if (!CHECK_MSG(compile(&g, matches[i].kind, qn_str_from(matches[i].text),
                               qn_allocator_default(), &err) == QN_OK,
                       "%s: %s", matches[i].text, err.text))
            continue;
        for (int good = 0; good < 2; good++) {
            const char *p = good ? matches[i].good : matches[i].bad;
            for (const char *end; (end = strchr(p, 1)) != NULL; p = end + 1) {
                struct qn_str s = {p, (size_t)(end - p)};
                CHECK_MSG(accepts(g, s) == (good != 0), "%s: \"%.*s\"", matches[i].text,
                          QN_STR_ARG(s));
            }
        }
        qn_grammar_free(g);
    }
}

static void test_refusals(void) {
    static const struct {
        int kind;
        const char *text, *names;
        enum qn_status status;
    } cases[] = {
        {R, "a(", "without an end", QN_E_ARGUMENT},
        {R, "a)", "too many", QN_E_ARGUMENT},
        {R, "*a", "repeat", QN_E_ARGUMENT},
        {R, "a{3,2}", "backwards", QN_E_ARGUMENT},
        {R, "[z-a]", "backwards", QN_E_ARGUMENT},
        {R, "a\xff", "UTF-8", QN_E_ARGUMENT},
        {R, "(a)\\1", "back reference", QN_E_UNSUPPORTED},
        {R, "a\\b", "word boundary", QN_E_UNSUPPORTED},
        {R, "(?<=a)b", "look-behind", QN_E_UNSUPPORTED},
        {R, "((?=a)b)c", "look-ahead", QN_E_UNSUPPORTED},
        {R, "a^b", "anchor", QN_E_UNSUPPORTED},
        {R, "\\p{Greek}", "property", QN_E_UNSUPPORTED},
        {R, "a(?!)b", "no text", QN_E_ARGUMENT},
        {G, "root ::= x", "\"x\"", QN_E_ARGUMENT},
        {G, "x ::= \"a\"", "root", QN_E_ARGUMENT},
        {G, "root ::= \"a\nb\"", "line 1", QN_E_ARGUMENT},
        {G, "root ::= root \"a\" | \"b\"", "left recursion", QN_E_UNSUPPORTED},
        {G, "root ::= a \"x\"\na ::= \"y\"? b\nb ::= a?", "left recursion", QN_E_UNSUPPORTED},
        {G, "root ::= \"a\" root", "no text", QN_E_ARGUMENT},
        {G, "root ::= \"a\"\nroot ::= \"b\"", "twice", QN_E_ARGUMENT},
        {G, "root ::= %regex [1]", "no string", QN_E_ARGUMENT},
        {G, "root ::= %regex []", "no string", QN_E_ARGUMENT},
        {G, "root ::= %regex [\"(\"]", "(", QN_E_ARGUMENT},
        {G, "root ::= %regex \"a\"", "", QN_E_ARGUMENT},
        {S, "{\"type\":", "", QN_E_JSON},
        {S, "[]", "schema", QN_E_ARGUMENT},
        {S, "{\"type\":\"text\"}", "type", QN_E_ARGUMENT},
        {S, "false", "no text", QN_E_ARGUMENT},
        {S, "{\"type\":\"string\",\"minLength\":3,\"maxLength\":2}", "no text", QN_E_ARGUMENT},
        {S, "{\"type\":\"integer\",\"minimum\":1.2,\"maximum\":1.8}", "no text", QN_E_ARGUMENT},
        {S, "{\"type\":\"object\",\"properties\":{\"a\":{\"$ref\":\"#\"}},\"required\":[\"a\"]}",
         "no text", QN_E_ARGUMENT},
        {S, "{\"$ref\":\"#/$defs/x\"}", "#/$defs/x", QN_E_ARGUMENT},
        {S, "{\"$ref\":\"http://x/y\"}", "http://x/y", QN_E_UNSUPPORTED},
        {S, "{\"type\":\"array\",\"uniqueItems\":true}", "uniqueItems", QN_E_UNSUPPORTED},
        {S, "{\"unevaluatedProperties\":false}", "unevaluatedProperties", QN_E_UNSUPPORTED},
        {S, "{\"$dynamicRef\":\"#x\"}", "$dynamicRef", QN_E_UNSUPPORTED},
        {S, "{\"not\":{\"items\":{\"type\":\"null\"}}}", "not over items", QN_E_UNSUPPORTED},
        {S, "{\"oneOf\":[{\"items\":true,\"minItems\":1},{\"maxItems\":3}]}", "oneOf over",
         QN_E_UNSUPPORTED},
        {S, "{\"required\":true}", "required", QN_E_ARGUMENT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct qn_grammar *g = NULL;
        struct qn_error err = {0};
        enum qn_status status =
            compile(&g, cases[i].kind, qn_str_from(cases[i].text), qn_allocator_default(), &err);
        CHECK_MSG(status == cases[i].status && strstr(err.text, cases[i].names) != NULL,
                  "%s: %d, %s", cases[i].text, status, err.text);
        qn_grammar_free(g);
    }
}

/* Counters of counters are ambiguous: after n bytes as many ways to have counted them as there are
 * sums. What one token may cost is bounded by counted work, and past it the answer is refused. */
static void test_counters(void) {
    static const char *const patterns[] = {
        "(a{1,60}){1,60}b",
        "((a{1,40}){1,40}){1,40}b",
        "(((a{0,30}b?){0,30}a?){0,30}){0,30}c",
    };
    uint32_t refused = 0;
    for (size_t k = 0; k < sizeof patterns / sizeof *patterns; k++) {
        struct qn_grammar *g = NULL;
        struct qn_error err = {0};
        struct qn_matcher m;
        enum qn_status status =
            compile(&g, R, qn_str_from(patterns[k]), qn_allocator_default(), &err);
        CHECK_MSG(status == QN_OK, "%s: %s", patterns[k], err.text);
        if (status != QN_OK)
            continue;
        qn_matcher_init(&m, g, NULL);
        for (int i = 0; i < 120 && status == QN_OK; i++) {
            status = qn_matcher_accept_bytes(&m, QN_STR("a"), &err);
            CHECK_MSG(g->terms.derived <= QN_TOKEN_MAX + QN_TOKEN_MAX / 8, "%s: %u", patterns[k],
                      g->terms.derived);
        }
        CHECK_MSG(status == QN_OK || status == QN_E_LIMIT, "%s: %s", patterns[k], err.text);
        refused += status == QN_E_LIMIT && strstr(err.text, "for one token") != NULL;
        qn_matcher_free(&m);
        qn_grammar_free(g);
    }
    CHECK(refused > 0);
}

/* What is large or nested without end is refused within its bounds. */
static void test_hostile(void) {
    struct qn_buf b;
    struct qn_grammar *g;
    struct qn_error err;
    qn_buf_init(&b, qn_allocator_default());
    for (int i = 0; i < 5000; i++)
        qn_buf_char(&b, '(');
    CHECK(compile(&g, R, qn_buf_view(&b), qn_allocator_default(), &err) == QN_E_LIMIT);
    qn_buf_clear(&b);
    qn_buf_cstr(&b, "root ::= ");
    for (int i = 0; i < 5000; i++)
        qn_buf_char(&b, '(');
    CHECK(compile(&g, G, qn_buf_view(&b), qn_allocator_default(), &err) == QN_E_LIMIT);
    qn_buf_clear(&b); // a chain of references
    qn_buf_cstr(&b, "{\"$ref\":\"#/$defs/d0\",\"$defs\":{");
    for (int i = 0; i < 300; i++)
        qn_buf_format(&b, "\"d%d\":{\"items\":{\"$ref\":\"#/$defs/d%d\"}},", i, i + 1);
    qn_buf_cstr(&b, "\"d300\":{}}}");
    CHECK(compile(&g, S, qn_buf_view(&b), qn_allocator_default(), &err) == QN_E_LIMIT);
    qn_buf_clear(&b); // 3^40 combinations
    qn_buf_cstr(&b, "{\"allOf\":[");
    for (int i = 0; i < 40; i++)
        qn_buf_format(&b,
                      "%s{\"anyOf\":[{\"required\":[\"a%d\"]},{\"required\":[\"b%d\"]},{"
                      "\"required\":[\"c%d\"]}]}",
                      i ? "," : "", i, i, i);
    qn_buf_cstr(&b, "]}");
    struct faults f;
    faults_init(&f);
    f.limit = (uint64_t)256 << 20;
    struct qn_allocator allocator = faults_allocator(&f);
    CHECK(compile(&g, S, qn_buf_view(&b), &allocator, &err) == QN_E_LIMIT && !f.over_limit);
    CHECK(f.live == 0);
    /* Each of these would take minutes. */
    static const struct {
        const char *head, *part, *tail;
        int n;
    } slow[] = {
        {"{\"oneOf\":[false", ",{\"allOf\":[false],\"a\":%d}", "]}", 4000}, // pairs
        {"{\"anyOf\":[{}", ",{\"a\":%d}", "],\"properties\":{", 4000},      // times properties
        {"{\"anyOf\":[{}", ",{\"$ref\":\"#/$defs/d\",\"a\":%d}", "],\"$defs\":{\"d\":{}}}", 30000},
        {"[a", "\\p{Lu}", "]", 4000},
    };
    for (size_t i = 0; i < sizeof slow / sizeof *slow; i++) {
        qn_buf_clear(&b);
        qn_buf_cstr(&b, slow[i].head);
        for (int k = 0; k < slow[i].n; k++)
            qn_buf_format(&b, slow[i].part, k);
        qn_buf_cstr(&b, slow[i].tail);
        for (int k = 0; i == 1 && k < 2000; k++)
            qn_buf_format(&b, "%s\"p%d\":{}", k ? "," : "", k);
        qn_buf_cstr(&b, i == 1 ? "}}" : "");
        CHECK(compile(&g, i == 3 ? R : S, qn_buf_view(&b), qn_allocator_default(), &err) ==
              QN_E_LIMIT);
    }
    /* Ways to read n letters: more than 2^n. */
    struct qn_matcher m;
    struct qn_str many = QN_STR("root ::= s\ns ::= \"a\" s s | \"a\" s | \"a\"");
    if (CHECK(compile(&g, G, many, qn_allocator_default(), &err) == QN_OK)) {
        qn_matcher_init(&m, g, NULL);
        for (int i = 0; i < 150; i++)
            CHECK(qn_matcher_accept_bytes(&m, QN_STR("a"), &err) == QN_OK &&
                  qn_matcher_can_end(&m));
        CHECK(qn_matcher_accept_bytes(&m, QN_STR("b"), &err) == QN_E_ARGUMENT);
        qn_matcher_free(&m);
        qn_grammar_free(g);
    }
    qn_buf_free(&b);
}

/* ---- Masks ----------------------------------------------------------------------------------- */

/* A vocabulary like SentencePiece's: bytes, characters (each twice, therefore), and longer
 * tokens. */
static const char *const words[] = {
    "\xe2\x96\x81",
    "{\"",
    "\":",
    "\",\"",
    "\"}",
    "true",
    "false",
    "null",
    "ab",
    "abc",
    "\xc3\xa9",
    "\xf0\x9f\x98\x80",
    "a\xc3\xa9\"",
    "12",
    "123",
    "]}",
    "[[",
    "\\\\u00",
    "the quick brown fox",
    "x\":1",
    "\",",
    "e1",
    "-1",
    "\\n\\n",
};

static bool vocab_make(struct drive_vocab *v) {
    struct qn_buf b;
    struct qn_error err = {0};
    uint32_t n = 0;
    qn_buf_init(&b, qn_allocator_default());
    qn_buf_cstr(&b, "{\"added_tokens\":[{\"id\":0,\"content\":\"</s>\",\"special\":true}],"
                    "\"decoder\":{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Replace\","
                    "\"pattern\":{\"String\":\"\xe2\x96\x81\"},\"content\":\" \"},{\"type\":"
                    "\"ByteFallback\"},{\"type\":\"Fuse\"}]},\"model\":{\"type\":\"BPE\","
                    "\"byte_fallback\":true,\"merges\":[],\"vocab\":{\"</s>\":0");
    for (uint32_t i = 0; i < 256; i++)
        qn_buf_format(&b, ",\"<0x%c%c>\":%u", "0123456789ABCDEF"[i >> 4],
                      "0123456789ABCDEF"[i & 15], ++n);
    for (char c = '!'; c <= '~'; c++)
        qn_buf_format(&b, ",\"%s%c\":%u", c == '"' || c == '\\' ? "\\" : "", c, ++n);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        qn_buf_char(&b, ',');
        qn_buf_json_str(&b, qn_str_from(words[i]));
        qn_buf_format(&b, ":%u", ++n);
    }
    qn_buf_cstr(&b, "}}}");
    memset(v, 0, sizeof *v);
    qn_arena_init(&v->arena, qn_allocator_default());
    bool ok = qn_tokenizer_from_json(&v->tokenizer, &v->arena, qn_buf_view(&b), &err) == QN_OK &&
              qn_vocab_trie_build(&v->trie, qn_allocator_default(), v->tokenizer, &err) == QN_OK;
    CHECK_MSG(ok, "%s", err.text);
    qn_buf_free(&b);
    return ok;
}

static bool allowed(const uint32_t *bits, uint32_t id) {
    return bits[id / 32] >> (id & 31) & 1;
}

/* Along random walks every bit of every mask is what the matcher says of the token. */
static void test_masks(struct drive_vocab *v) {
    static const char *const schemas[] = {
        "{}",
        "{\"type\":\"string\",\"maxLength\":20}",
        ("{\"type\":\"object\",\"properties\":{\"ab\":{\"type\":\"string\",\"pattern\":\"^[a-e]+$"
         "\"},"
         "\"x\":{\"type\":\"integer\",\"maximum\":130}},\"required\":[\"x\"]}"),
        "{\"type\":\"array\",\"items\":{\"enum\":[\"ab\",12,true,\"the quick brown fox\"]}}",
    };
    uint32_t n_words = v->trie.n_words + 2;
    uint32_t bits[64];
    for (size_t k = 0; k < sizeof schemas / sizeof *schemas; k++) {
        struct qn_grammar *g;
        struct qn_error err = {0};
        struct qn_matcher m, probe;
        uint32_t wrong = 0, steps = 0;
        if (!CHECK(compile(&g, S, qn_str_from(schemas[k]), qn_allocator_default(), &err) == QN_OK))
            continue;
        for (uint32_t seed = 0; seed < 12; seed++) {
            struct qn_buf text;
            qn_buf_init(&text, qn_allocator_default());
            qn_matcher_init(&m, g, &v->trie);
            for (uint32_t step = 0; step < 30; step++, steps++) {
                const uint32_t eos[2] = {0, 5000}; // one beyond the logits
                CHECK(qn_matcher_mask(&m, bits, n_words, eos, 2, &err) == QN_OK);
                uint32_t count = 0, chosen = 0;
                for (uint32_t id = 1; id < n_words * 32; id++) {
                    qn_matcher_init(&probe, g, &v->trie);
                    bool is = id < v->trie.n_ids;
                    is = is && qn_matcher_accept_bytes(&probe, qn_buf_view(&text), &err) == QN_OK &&
                         qn_matcher_accept(&probe, id, &err) == QN_OK;
                    wrong += is != allowed(bits, id);
                    qn_matcher_free(&probe);
                    count += is;
                    if (is && qn_rng_u32(seed, step, count) % count == 0)
                        chosen = id;
                }
                wrong += allowed(bits, 0) != qn_matcher_can_end(&m);
                if (count == 0)
                    break;
                CHECK(qn_matcher_accept(&m, chosen, &err) == QN_OK);
                qn_tokenizer_bytes(v->tokenizer, &text, chosen);
            }
            qn_matcher_free(&m);
            qn_buf_free(&text);
        }
        CHECK_MSG(wrong == 0 && steps > 30, "%s: %u bits of %u masks", schemas[k], wrong, steps);
        CHECK(g->matchers == NULL);
        qn_grammar_free(g);
    }
}

static void test_matcher(struct drive_vocab *v) {
    struct qn_grammar *g;
    struct qn_error err;
    struct qn_matcher m;
    struct qn_buf forced;
    qn_buf_init(&forced, qn_allocator_default());
    CHECK(
        compile(&g, S,
                QN_STR("{\"type\":\"object\",\"properties\":{\"name\":{\"enum\":[\"xa\",\"xb\"]}},"
                       "\"required\":[\"name\"],\"additionalProperties\":false}"),
                qn_allocator_default(), &err) == QN_OK);
    qn_matcher_init(&m, g, &v->trie);
    bool ends = true;
    CHECK(qn_matcher_forced(&m, &forced, 99, &ends, &err) == QN_OK);
    CHECK(forced.n == 1 && !ends); // white space next
    CHECK(qn_matcher_accept_bytes(&m, QN_STR("{\""), &err) == QN_OK);
    qn_buf_clear(&forced);
    CHECK(qn_matcher_forced(&m, &forced, 99, &ends, &err) == QN_OK);
    CHECK(qn_str_is(qn_buf_view(&forced), "name\":") && !ends);
    CHECK(!qn_matcher_can_end(&m) && !qn_matcher_must_end(&m));
    CHECK(qn_matcher_accept(&m, 0, &err) == QN_E_ARGUMENT); // special
    CHECK(qn_matcher_accept(&m, 1u << 30, &err) == QN_E_ARGUMENT);
    CHECK(qn_matcher_accept_bytes(&m, QN_STR("names"), &err) == QN_E_ARGUMENT);
    CHECK(qn_matcher_accept_bytes(&m, QN_STR("name\":\"xb\"}"), &err) == QN_OK); // as it was
    CHECK(qn_matcher_can_end(&m) && qn_matcher_must_end(&m));
    qn_matcher_restart(&m);
    CHECK(qn_matcher_accept_bytes(&m, QN_STR("{"), &err) == QN_OK);
    qn_matcher_free(&m);
    qn_grammar_free(g);
    qn_buf_free(&forced);
}

/* Forgetting what was found out changes nothing for the texts under way. */
static void test_flush(void) {
    struct qn_grammar *g;
    struct qn_error err;
    struct qn_matcher a, b;
    CHECK(compile(&g, S, QN_STR("{}"), qn_allocator_default(), &err) == QN_OK);
    uint32_t fixed = g->terms.n_fixed;
    qn_matcher_init(&a, g, NULL);
    qn_matcher_init(&b, g, NULL);
    for (int round = 0; round < 40; round++) {
        CHECK(qn_matcher_accept_bytes(&a, QN_STR("{\"k\": [1, {\"z\": "), &err) == QN_OK);
        CHECK(qn_matcher_accept_bytes(&b, QN_STR("["), &err) == QN_OK);
        uint32_t *keep[2] = {&a.state, &b.state};
        uint32_t before = g->terms.n_terms;
        qn_terms_flush(&g->terms, keep, 2);
        CHECK(g->terms.n_terms < before && g->terms.n_terms > fixed);
    }
    CHECK(qn_matcher_accept_bytes(&a, QN_STR("null"), &err) == QN_OK);
    for (int round = 0; round < 40; round++) {
        CHECK(!qn_matcher_can_end(&a) && !qn_matcher_can_end(&b));
        CHECK(qn_matcher_accept_bytes(&a, QN_STR("}]}"), &err) == QN_OK);
        CHECK(qn_matcher_accept_bytes(&b, QN_STR("]"), &err) == QN_OK);
    }
    CHECK(qn_matcher_must_end(&a) && qn_matcher_must_end(&b));
    qn_matcher_free(&a);
    qn_matcher_free(&b);
    qn_grammar_free(g);
}

static enum qn_status scenario(struct drive_vocab *v, const struct qn_allocator *allocator,
                               int kind, const char *text, const char *say) {
    struct qn_grammar *g = NULL;
    struct qn_vocab_trie trie = {0};
    struct qn_matcher m = {0};
    struct qn_error err = {0};
    uint32_t bits[64];
    enum qn_status status = compile(&g, kind, qn_str_from(text), allocator, &err);
    if (status == QN_OK)
        status = qn_vocab_trie_build(&trie, allocator, v->tokenizer, &err);
    if (status == QN_OK) {
        qn_matcher_init(&m, g, &trie);
        for (const char *p = say; *p && status == QN_OK; p++) {
            status = qn_matcher_mask(&m, bits, trie.n_words, NULL, 0, &err);
            if (status == QN_OK)
                status = qn_matcher_accept(&m, (uint32_t)(unsigned char)*p + 1, &err);
        }
    }
    qn_matcher_free(&m);
    qn_vocab_trie_free(&trie);
    qn_grammar_free(g);
    return status;
}

static void test_faults(struct drive_vocab *v) {
    static const struct {
        int kind;
        const char *text, *say;
    } cases[] = {
        {R, "(?=a)[\\w\\s]+", "ab c"},
        {G, "root ::= \"\\u00e9a\" | x{2}\nx ::= [^a] %json {\"enum\":[1,\"a\"]}", "b1c\"a\""},
        {S,
         "{\"type\":\"object\",\"properties\":{\"a\":{\"pattern\":\"x\",\"type\":\"string\"},\"b\":"
         "{"
         "\"$ref\":\"#/$defs/q%25\"}},\"$defs\":{\"q%\":{\"oneOf\":[{\"minimum\":2,\"type\":"
         "\"number\"},{\"type\":\"array\",\"uniqueItems\":true,\"items\":{\"type\":\"boolean\"}}]}}"
         ",\"patternProperties\":{\"^z\":{\"not\":{\"const\":1}}},\"maxProperties\":4}",
         "{\"a\":\"x\",\"b\":3.5,\"zz\":2}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int persistent = 0; persistent < 2; persistent++) {
            for (uint64_t n = 1;; n++) {
                struct faults f;
                faults_init(&f);
                f.fail_alloc = n;
                f.persistent = persistent != 0;
                struct qn_allocator allocator = faults_allocator(&f);
                enum qn_status status =
                    scenario(v, &allocator, cases[i].kind, cases[i].text, cases[i].say);
                CHECK(f.live == 0);
                if (!f.fired) {
                    CHECK_MSG(status == QN_OK, "%s: %d", cases[i].text, status);
                    break;
                }
                CHECK_MSG(status == QN_E_NO_MEMORY, "allocation %u of %s: %d", (unsigned)n,
                          cases[i].text, status);
            }
        }
    }
}

int main(int argc, char **argv) {
    struct drive_vocab v;
    if (argc > 1)
        return drive(argc, argv);
    test_matches();
    test_refusals();
    test_counters();
    test_hostile();
    test_flush();
    if (vocab_make(&v)) {
        test_masks(&v);
        test_matcher(&v);
        test_faults(&v);
        drive_close(&v);
    }
    return test_done("constrain");
}
