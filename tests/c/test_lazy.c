/* Calls that a model may begin: where one begins, token by token, whatever the cuts; what holds
 * within it; what follows it. */
#include "base/rng.h"
#include "engine/engine.h"
#include "tests/c/faults.h"

#define JSON(name) "%json {\"enum\":[{\"name\":\"" name "\",\"arguments\":{\"n\":1}}]}"

static const char hermes_grammar[] =
    "root ::= \"<tool_call>\" [\\n]? " JSON("roll") " [\\n]? \"</tool_call>\"";
static const char mistral_grammar[] = "root ::= \"[TOOL_CALLS]\" \"[\" " JSON("roll") " \"]\"";
static const char llama_grammar[] = "root ::= \"{\\\"name\\\": \\\"roll\\\", \\\"parameters\\\": \""
                                    " %json {\"enum\":[{\"n\":1}]} \"}\"";

/* What a tokenizer has beside single characters. */
static const char *const longer[] = {
    "<tool",
    "tool",
    "_call",
    "_call>",
    "<tool_call",
    "l>",
    "ool_call>",
    "<tool_call>",
    "</tool_call>",
    "<th",
    "ink>",
    "<think>",
    "</think>",
    "<tool_call>{\"x\"",
    "_call>{\"x\"",
    "<tool_call>{\"name",
    "}}</tool_call>",
    "{\"name\": \"",
    "{\"name\": \"roll\"",
    "{\"name\": \"roll\", 7",
    "roll\", 7",
    "roll\", \"",
    "[TOOL_CALLS]",
    "<|python_tag|>",
    "[TOOL",
    "<t",
    "Hello",
    "{\"name\": \"nope\"",
};
#define N_LONGER (sizeof longer / sizeof *longer)
#define FIRST 33u // characters: id = byte - FIRST + 2, "\n" and " " before
#define N_CHARS 96u

static uint32_t id_of(const char *token, size_t n) {
    for (size_t i = 0; i < N_LONGER && n > 1; i++)
        if (strlen(longer[i]) == n && memcmp(longer[i], token, n) == 0)
            return (uint32_t)(N_CHARS + i);
    return token[0] == '\n'  ? 0
           : token[0] == ' ' ? 1
                             : (uint32_t)(unsigned char)token[0] - FIRST + 2;
}

struct vocabulary {
    struct qn_arena arena;
    qn_engine engine; // no model, only what constraints look at
};

static bool vocabulary_open(struct vocabulary *v, const struct qn_allocator *allocator) {
    struct qn_buf json;
    struct qn_error err = {0};
    memset(v, 0, sizeof *v);
    qn_arena_init(&v->arena, qn_allocator_default());
    qn_buf_init(&json, qn_allocator_default());
    qn_buf_cstr(&json, "{\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false},"
                       "\"decoder\":{\"type\":\"ByteLevel\"},\"model\":{\"type\":\"BPE\","
                       "\"merges\":[],\"vocab\":{\"\xc4\x8a\":0,\"\xc4\xa0\":1");
    for (uint32_t i = 2; i < N_CHARS; i++) {
        char c = (char)(i - 2 + FIRST);
        qn_buf_char(&json, ',');
        qn_buf_json_str(&json, (struct qn_str){&c, 1});
        qn_buf_format(&json, ":%u", i);
    }
    for (uint32_t i = 0; i < N_LONGER; i++) {
        struct qn_buf token;
        qn_buf_init(&token, qn_allocator_default());
        for (const char *p = longer[i]; *p; p++)
            qn_buf_str(&token, *p == ' ' ? QN_STR("\xc4\xa0") : (struct qn_str){p, 1});
        qn_buf_char(&json, ',');
        qn_buf_json_str(&json, qn_buf_view(&token));
        qn_buf_format(&json, ":%u", N_CHARS + i);
        qn_buf_free(&token);
    }
    qn_buf_cstr(&json, "}}}");
    struct qn_tokenizer *t = NULL;
    CHECK_MSG(qn_tokenizer_from_json(&t, &v->arena, qn_buf_view(&json), &err) == QN_OK, "%s",
              err.text);
    qn_buf_free(&json);
    v->engine.allocator = allocator;
    v->engine.tokenizer = t;
    v->engine.constrain = &qn_constrain_builtin;
    return t && qn_vocab_trie_build(&v->engine.constraints.trie, allocator, t, &err) == QN_OK;
}

static void vocabulary_close(struct vocabulary *v) {
    qn_vocab_trie_free(&v->engine.constraints.trie);
    qn_arena_free(&v->arena);
}

/* A constrained answer as qn_engine_run makes one. */
static enum qn_status open_answer(struct qn_constrained *c, struct vocabulary *v,
                                  const char *grammar, const char *seen, bool thinks,
                                  const char *prompt, struct qn_error *err) {
    struct qn_constraint constraint = {.kind = QN_CONSTRAINT_GRAMMAR, .text = qn_str_from(grammar)};
    struct qn_calls calls = {.lazy = true,
                             .format = qn_tool_format_of(qn_str_from(seen)),
                             .prompt = qn_str_from(prompt)};
    if (thinks)
        calls.think = qn_think_format_of(QN_STR("<think></think>"));
    memset(c, 0, sizeof *c);
    c->engine = &v->engine;
    qn_buf_init(&c->bytes, v->engine.allocator);
    qn_buf_init(&c->object, v->engine.allocator);
    QN_TRY(qn_grammar_compile(&c->grammar, v->engine.allocator, &constraint, err));
    qn_matcher_init(&c->matcher, c->grammar, &v->engine.constraints.trie);
    qn_matcher_init(&c->before, c->grammar, NULL);
    return qn_lazy_start(c, &calls, err);
}

static void close_answer(struct qn_constrained *c) {
    qn_matcher_free(&c->matcher);
    qn_matcher_free(&c->before);
    qn_buf_free(&c->bytes);
    qn_buf_free(&c->object);
    qn_grammar_free(c->grammar);
}

/* Takes tokens that are divided by \1 and appends for each where it leaves the answer: '-' free,
 * 'C' within a call, 'N' not accepted, 'L' the last one, 'E' not allowed. */
static enum qn_status take(struct qn_constrained *c, const char *tokens, char *out,
                           struct qn_error *err) {
    enum qn_status status = QN_OK;
    while (*tokens && status == QN_OK) {
        size_t n = strcspn(tokens, "\1");
        enum qn_accepted accepted = QN_ACCEPTED;
        status = qn_lazy_accept(c, id_of(tokens, n), &accepted, err);
        *out++ = status == QN_E_ARGUMENT        ? 'E'
                 : accepted == QN_NOT_ACCEPTED  ? 'N'
                 : accepted == QN_ACCEPTED_LAST ? 'L'
                 : c->state == QN_LAZY_CALL     ? 'C'
                                                : '-';
        if (status == QN_E_ARGUMENT)
            status = QN_OK;
        tokens += n + (tokens[n] != 0);
    }
    *out = 0;
    return status;
}

enum { HERMES, MISTRAL, LLAMA };
static const struct {
    const char *grammar, *seen;
} forms[] = {{hermes_grammar, "tools <tool_call>"},
             {mistral_grammar, "tools [TOOL_CALLS]"},
             {llama_grammar, "tools {\"name\": \"parameters\": "}};

#define BODY                                                                                   \
    "{\1\"\1n\1a\1m\1e\1\"\1:\1\"\1r\1o\1l\1l\1\"\1,\1\"\1a\1r\1g\1u\1m\1e\1n\1t\1s\1\"\1:\1{" \
    "\1\"\1n\1\"\1:\1"                                                                         \
    "1"
#define BODY_IN "CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC"

static const struct {
    int form;
    bool thinks;
    const char *prompt, *tokens, *want;
} cases[] = {
    /* A mark in one token, in several, after false starts, with text before and after. */
    {HERMES, false, "", "Hello\1<tool_call>\1" BODY "\1}\1}\1</tool_call>\1Hello\1<tool_call>\1}",
     "-C" BODY_IN "CC--CE"},
    {HERMES, false, "", "<tool\1_call>\1" BODY "\1}}</tool_call>\1x", "-C" BODY_IN "--"},
    {HERMES, false, "", "<\1tool\1_call\1>\1x\1{", "---CEC"},
    {HERMES, false, "", "<\1<tool_call>\1{", "-CC"},
    {HERMES, false, "", "<tool\1<tool_call>\1{", "-CC"},
    {HERMES, false, "", "<tool\1x\1_call>\1x", "----"},
    {HERMES, false, "", " \1\n\1<tool_call>\1\n\1{", "--CCC"},
    /* More in the mark's token: what fits is taken, what does not is asked for again. */
    {HERMES, false, "", "<tool_call>{\"name\1\"\1:\1x", "CCCE"},
    {HERMES, false, "", "x\1<tool_call>{\"x\"\1<tool_call>\1{", "-NCC"},
    {HERMES, false, "", "<tool\1_call>{\"x\"\1_call>\1{\1x", "-NCCE"},
    {HERMES, false, "", "<tool\1_call>{\"x\"\1_\1c\1x", "-NCCE"},
    /* Thoughts hold no calls; what only begins like one is text. */
    {HERMES, true, "Q\n<think>\n", "<tool_call>\1{\1x\1</think>\1\n\1<tool_call>\1x", "-----CE"},
    {HERMES, true, "Q\n", "<think>\1<tool_call>\1x\1</think>\1<tool_call>\1x", "----CE"},
    {HERMES, true, "Q\n", "<th\1ink>\1<tool_call>\1x", "----"},
    {HERMES, true, "Q\n", "<t\1ool_call>\1x", "-CE"},
    {HERMES, true, "Q\n", "x\1<think>\1<tool_call>\1{", "--CC"},
    /* A prompt that ends with the mark. */
    {HERMES, false, "Q\n<tool_call>\n", "{\1x", "CE"},
    {HERMES, false, "Q\n<tool_call>", "\n\1x", "CE"},
    {HERMES, false, "Q\n<tool_call> not", "x\1<tool_call>\1x", "-CE"},
    /* All calls behind one mark: nothing follows. */
    {MISTRAL, false, "", "Hello\1[TOOL_CALLS]\1[\1" BODY "\1}\1}\1]", "-CC" BODY_IN "CCL"},
    {MISTRAL, false, "", "[TOOL\1[TOOL_CALLS]\1x", "-CE"},
    /* Calls without a mark: an object is one from its name on. */
    {LLAMA, false, "", "{\"name\": \"\1roll\", \"\1x", "-CE"},
    {LLAMA, false, "", "\n\1<|python_tag|>\1{\"name\": \"roll\"\1,\1x", "--CCE"},
    {LLAMA, false, "", "{\"name\": \"roll\", 7\1{\"name\": \"roll\"\1,\1x", "NCCE"},
    {LLAMA, false, "", "{\"name\": \"\1roll\", 7\1roll\", \"\1x", "-NCE"},
    {LLAMA, false, "", "{\"name\": \"nope\"\1x\1{\"name\": \"roll\"\1x", "----"},
    {LLAMA, false, "", "{\1x\1{\"name\": \"roll\"\1x", "----"},
    {LLAMA, false, "", "Hello\1{\"name\": \"roll\"\1x", "---"},
};

static void test_cases(struct vocabulary *v) {
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct qn_constrained c;
        struct qn_error err = {0};
        char got[128];
        const char *grammar = forms[cases[i].form].grammar, *seen = forms[cases[i].form].seen;
        enum qn_status status =
            open_answer(&c, v, grammar, seen, cases[i].thinks, cases[i].prompt, &err);
        if (CHECK_MSG(status == QN_OK, "%s", err.text))
            status = take(&c, cases[i].tokens, got, &err);
        CHECK_MSG(status == QN_OK && strcmp(got, cases[i].want) == 0, "case %zu: %s, not %s", i,
                  got, cases[i].want);
        close_answer(&c);
    }
}

/* Random tokens against the plain reading: the first mark in all of the text begins the call, and
 * what the grammar takes of the rest is in. */
static void test_random(struct vocabulary *v) {
    uint32_t begun = 0, refused = 0;
    for (uint32_t round = 0; round < 3000; round++) {
        struct qn_constrained c;
        struct qn_error err = {0};
        struct qn_buf text;
        qn_buf_init(&text, qn_allocator_default());
        CHECK(open_answer(&c, v, hermes_grammar, forms[HERMES].seen, false, "", &err) == QN_OK);
        for (uint32_t i = 0; i < 12; i++) {
            uint32_t id = qn_rng_u32(round, i, 1) % (N_CHARS + N_LONGER);
            if (qn_rng_u32(round, i, 2) % 4) // mostly parts of the mark
                id = N_CHARS + qn_rng_u32(round, i, 3) % 8;
            size_t before = text.n;
            CHECK(qn_tokenizer_bytes(v->engine.tokenizer, &text, id) == QN_OK);
            size_t at = qn_str_find(qn_buf_view(&text), QN_STR("<tool_call>"), 0);
            enum qn_accepted accepted = QN_ACCEPTED;
            CHECK(qn_lazy_accept(&c, id, &accepted, &err) == QN_OK);
            CHECK((at != SIZE_MAX) == (c.state == QN_LAZY_CALL));
            if (at == SIZE_MAX)
                continue;
            struct qn_matcher m;
            qn_matcher_init(&m, c.grammar, NULL);
            struct qn_str said = qn_str_slice(qn_buf_view(&text), at, text.n);
            bool fits = qn_matcher_accept_bytes(&m, said, &err) == QN_OK;
            CHECK(fits == (accepted == QN_ACCEPTED));
            if (!fits) { // as it was before the token
                qn_matcher_restart(&m);
                said = before > at ? qn_str_slice(qn_buf_view(&text), at, before) : QN_STR("");
                CHECK(qn_matcher_accept_bytes(&m, said, &err) == QN_OK);
            }
            CHECK(m.state == c.matcher.state);
            qn_matcher_free(&m);
            begun++;
            refused += !fits;
            break;
        }
        qn_buf_free(&text);
        close_answer(&c);
    }
    CHECK_MSG(begun > 500 && refused > 20, "%u calls, %u of them cut back", begun, refused);
}

static enum qn_status scenario(const struct qn_allocator *allocator, size_t i) {
    struct vocabulary v;
    struct qn_constrained c = {0};
    struct qn_error err = {0};
    char got[128];
    enum qn_status status = QN_E_NO_MEMORY;
    if (vocabulary_open(&v, allocator)) {
        status = open_answer(&c, &v, forms[cases[i].form].grammar, forms[cases[i].form].seen,
                             cases[i].thinks, cases[i].prompt, &err);
        if (status == QN_OK)
            status = take(&c, cases[i].tokens, got, &err);
        if (status == QN_OK)
            CHECK(strcmp(got, cases[i].want) == 0);
        close_answer(&c);
    }
    vocabulary_close(&v);
    return status;
}

static void test_faults(void) {
    static const size_t some[] = {0, 8, 11, 19, 22, 23};
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        bool fired = true;
        for (uint64_t n = 1; fired; n++) {
            struct faults f;
            faults_init(&f);
            f.fail_alloc = n;
            struct qn_allocator allocator = faults_allocator(&f);
            enum qn_status status = scenario(&allocator, some[i]);
            fired = f.fired;
            CHECK(f.live == 0);
            CHECK_MSG(status == (fired ? QN_E_NO_MEMORY : QN_OK), "case %zu, allocation %u: %d",
                      some[i], (unsigned)n, status);
        }
    }
}

int main(void) {
    struct vocabulary v;
    if (CHECK(vocabulary_open(&v, qn_allocator_default()))) {
        test_cases(&v);
        test_random(&v);
    }
    vocabulary_close(&v);
    test_faults();
    return test_done("lazy");
}
