/* What an answer's text is: reasoning, content, tool calls, in every format and however the text
 * is cut into pieces. */
#include <stdio.h>
#include <stdlib.h>

#include "engine/tools.h"
#include "quern.h"
#include "tests/c/faults.h"

struct reply_case {
    const char *template; // what of a template tells its format
    const char *prompt, *text, *expected;
    bool cut; // the answer ends early
};

/* Expected: R(…) reasoning, T(…) content, N(…) a call's name, A(…) its arguments. */
static const struct reply_case cases[] = {
    // No marks: text.
    {"", "", "Hello {\"name\":\"f\"} <tool_call>", "T(Hello {\"name\":\"f\"} <tool_call>)"},
    // Reasoning.
    {"</think>", "", "<think>\nLet me see.\n</think>\n\nYes.", "R(Let me see.)T(Yes.)"},
    {"</think>", "a<think>\n", "Let </ me\n\n</think>Yes </think>", "R(Let </ me)T(Yes </think>)"},
    {"</think>", "<think>\n\n</think>\n\n", "<think>Yes", "T(<think>Yes)"},
    {"</think>", "", "Yes <think>no</think>", "T(Yes <think>no</think>)"},
    {"</think>", "", "\n<thin", "T(\n<thin)"},
    {"</think>", "", "<think>on and on", "R(on and on)", true},
    {"</think>", "", "<think>on </thin", "R(on </thin)", true},
    {"</think>", "", "<think></think>\n\nYes.", "T(Yes.)"},
    {"[THINK][/THINK]", "", "[THINK]a[/THINK]b", "R(a)T(b)"},
    // Hermes, Qwen.
    {"tools <tool_call>", "",
     "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": \"}\\\"\", \"b\": [1, "
     "{}]}}\n</tool_call>",
     "N(f)A({\"a\": \"}\\\"\", \"b\": [1, {}]})"},
    {"tools <tool_call>", "",
     "Wait.\n\n<tool_call>\n{\"name\": \"f\", \"arguments\": {}}\n</tool_call>\n<tool_call>\n"
     "{\"arguments\": {\"x\":1}, \"name\": \"g\"}\n</tool_call>\nDone.",
     "T(Wait.)N(f)A({})N(g)A({\"x\":1})T(Done.)"},
    {"tools <tool_call> </think>", "",
     "<think>hm\n</think>\n\n<tool_call>{\"name\":\"f\"}</tool_call>", "R(hm)N(f)A({})"},
    {"tools <tool_call>", "",
     "<tool_call>{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}</tool_call>", "N(f)A({\"a\":1})"},
    {"tools <tool_call>", "", "<tool_call>nothing", "T(<tool_call>nothing)"},
    {"tools <tool_call>", "", "<tool_call>{\"n\":1} a", "T(<tool_call>{\"n\":1} a)"},
    {"tools <tool_call>", "", "a < b <tool_c", "T(a < b <tool_c)"},
    {"tools <tool_call>", "", "<tool_call>{\"name\":\"f\",\"arguments\":{\"a\":[1",
     "N(f)A({\"a\":[1)", true},
    {"tools <tool_call>", "", "<tool_call>{\"na", "T(<tool_call>{\"na)", true},
    // Lists.
    {"tools [TOOL_CALLS]", "",
     "[TOOL_CALLS] [{\"name\":\"f\",\"arguments\":{\"a\":1},\"id\":\"x\"}, "
     "{\"name\":\"g\",\"arguments\":{}}]",
     "N(f)A({\"a\":1})N(g)A({})"},
    {"tools <|tool_call|>", "", "<|tool_call|>[{\"name\":\"f\",\"arguments\":{}}]<|/tool_call|>",
     "N(f)A({})"},
    {"tools <|START_ACTION|>", "",
     "<|START_ACTION|>[\n {\"tool_call_id\": \"0\", \"tool_name\": \"f\", \"parameters\": "
     "{\"a\":2}}\n]"
     "<|END_ACTION|>",
     "N(f)A({\"a\":2})"},
    // Llama 3: a bare object, or text.
    {"tools \"parameters\": {\"name\": ", "", "{\"name\": \"f\", \"parameters\": {\"a\": 1}}",
     "N(f)A({\"a\": 1})"},
    {"tools \"parameters\": {\"name\": ", "",
     "<|python_tag|>{\"type\": \"function\", \"name\": \"f\", \"parameters\": {}}; "
     "{\"name\": \"g\", \"parameters\": {}}",
     "N(f)A({})N(g)A({})"},
    {"tools \"parameters\": {\"name\": ", "", "{\"name\": \"nobody\", \"parameters\": {}}",
     "T({\"name\": \"nobody\", \"parameters\": {}})"},
    {"tools \"parameters\": {\"name\": ", "", "{\"a\": [{}, 1]} and so on",
     "T({\"a\": [{}, 1]} and so on)"},
    {"tools \"parameters\": {\"name\": ", "", "Hi {\"name\": \"f\"}", "T(Hi {\"name\": \"f\"})"},
    // A name, then arguments.
    {"tools [TOOL_CALLS] [ARGS]", "",
     "[TOOL_CALLS]f[ARGS]{\"a\": 1}[TOOL_CALLS]g[CALL_ID]123456789[ARGS]{}",
     "N(f)A({\"a\": 1})N(g)A({})"},
    {"tools <｜tool▁calls▁begin｜> ```json", "",
     "So.\n<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\n{\"a\": "
     "1}\n```"
     "<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>g\n```json\n{}\n```"
     "<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
     "T(So.)N(f)A({\"a\": 1})N(g)A({})"},
    {"tools <｜tool▁calls▁begin｜>", "",
     "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{\"a\": 1}<｜tool▁call▁end｜>"
     "<｜tool▁call▁begin｜>g<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
     "N(f)A({\"a\": 1})N(g)A({})"},
    {"tools <function=", "", "<function=f>{\"a\": 1}</function><function=g>{}</function>",
     "N(f)A({\"a\": 1})N(g)A({})"},
    {"tools >>> recipient", "a>>>", "all\nHi.>>>f\n{\"a\": 1}", "T(Hi.)N(f)A({\"a\": 1})"},
    {"tools >>> recipient", "a>>>", "f\n{\"a\": 1}>>>g\n{}", "N(f)A({\"a\": 1})N(g)A({})"},
    // Tags; the schema of f says that a is a string, and of b nothing.
    {"tools <function= <parameter=", "",
     "<tool_call>\n<function=f>\n<parameter=a>\n3\n</parameter>\n<parameter=b>\n[1,\n2]\n</"
     "parameter>\n"
     "<parameter=c>\nx < "
     "\"y\"\nz\n</parameter>\n</function>\n</tool_call>\n<tool_call>\n<function=g>\n"
     "</function>\n</tool_call>",
     "N(f)A({\"a\": \"3\", \"b\": [1,\n2], \"c\": \"x < \\\"y\\\"\\nz\"})N(g)A({})"},
};

static const char tools_json[] =
    "[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{\"type\":\"object\","
    "\"properties\":{\"a\":{\"type\":\"string\"}}}}},{\"type\":\"function\",\"function\":{\"name\":"
    "\"g\"}}]";

static void collect(struct qn_reply *r, struct qn_buf *out, int *last) {
    struct qn_reply_piece piece;
    struct qn_str text;
    while (qn_reply_take(r, &piece, &text)) {
        int kind = (int)(piece.channel + 16 * piece.call);
        if (kind != *last || piece.channel == QN_CHANNEL_TOOL_NAME) {
            if (*last >= 0)
                qn_buf_char(out, ')');
            qn_buf_char(out, "TRNA"[piece.channel]);
            qn_buf_char(out, '(');
        }
        *last = kind;
        qn_buf_str(out, text);
    }
}

/* Reads a text `step` bytes at a time, and tells of it in the notation of `expected`. */
static bool read_text(struct qn_buf *out, const struct reply_case *c, struct qn_str text,
                      size_t step, const struct qn_json *tools) {
    struct qn_reply r;
    struct qn_error err = {0};
    int last = -1;
    struct qn_str template = qn_str_from(c->template);
    CHECK(qn_reply_init(&r, qn_allocator_default(), qn_tool_format_of(template),
                        qn_think_format_of(template), qn_json_root(tools), qn_str_from(c->prompt),
                        &err) == QN_OK);
    for (size_t at = 0; at < text.n; at += step) {
        CHECK(qn_reply_push(&r, qn_str_slice(text, at, at + step < text.n ? at + step : text.n),
                            false, &err) == QN_OK);
        collect(&r, out, &last);
    }
    CHECK(qn_reply_push(&r, (struct qn_str){0}, true, &err) == QN_OK);
    collect(&r, out, &last);
    if (last >= 0)
        qn_buf_char(out, ')');
    bool done = r.call_done;
    qn_reply_free(&r);
    return done;
}

static void run_case(const struct reply_case *c, size_t step, const struct qn_json *tools) {
    struct qn_buf out;
    qn_buf_init(&out, qn_allocator_default());
    bool done = read_text(&out, c, qn_str_from(c->text), step, tools);
    CHECK_MSG(qn_str_is(qn_buf_view(&out), c->expected), "%s by %zu: %.*s instead of %s", c->text,
              step, (int)out.n, out.p, c->expected);
    if (!c->cut)
        CHECK(done == (strstr(c->expected, "N(") != NULL));
    qn_buf_free(&out);
}

/* Whatever a model writes: how the text is cut makes no difference. */
static void test_nonsense(const struct qn_json *tools) {
    static const char *const bits[] = {
        "<tool_call>",
        "</tool_call>",
        "<think>",
        "</think>",
        "{",
        "}",
        "[",
        "]",
        "\"name\"",
        ":",
        "\"f\"",
        ",",
        "\"arguments\"",
        "\"parameters\"",
        " ",
        "\n",
        "\\",
        "\"",
        "1",
        "text",
        "[TOOL_CALLS]",
        "[ARGS]",
        "<|python_tag|>",
        "<function=",
        ">",
        "f",
        "</function>",
        "<parameter=",
        "</parameter>",
        "a",
        ">>>",
        "<｜tool▁calls▁begin｜>",
        "<｜tool▁call▁begin｜>function<｜tool▁sep｜>",
        "```json\n",
        "<",
        "```<｜tool▁call▁end｜>",
        "{\"name\": \"g\", \"arguments\": {",
        "<tool_call>\n{\"name\": \"f\", \"arguments\": ",
    };
    uint32_t rng = 7;
    for (int i = 0; i < 4000; i++) {
        struct qn_buf text, whole;
        const struct reply_case *c = &cases[(uint32_t)i % (sizeof cases / sizeof *cases)];
        qn_buf_init(&text, qn_allocator_default());
        qn_buf_init(&whole, qn_allocator_default());
        for (int k = 0; k < 12; k++) {
            rng = rng * 1664525 + 1013904223;
            qn_buf_cstr(&text, bits[(rng >> 8) % (sizeof bits / sizeof *bits)]);
        }
        read_text(&whole, c, qn_buf_view(&text), text.n, tools);
        for (size_t step = 1; step < 12; step += 5) {
            struct qn_buf cut;
            qn_buf_init(&cut, qn_allocator_default());
            read_text(&cut, c, qn_buf_view(&text), step, tools);
            CHECK_MSG(qn_str_eq(qn_buf_view(&cut), qn_buf_view(&whole)),
                      "%s: %.*s by %zu: %.*s, whole: %.*s", c->template, (int)text.n, text.p, step,
                      (int)cut.n, cut.p, (int)whole.n, whole.p);
            qn_buf_free(&cut);
        }
        qn_buf_free(&whole);
        qn_buf_free(&text);
    }
}

/* Arguments are told of as they come, not at the end. */
static void test_streams(const struct qn_json *tools) {
    struct qn_reply r;
    struct qn_error err = {0};
    struct qn_reply_piece piece;
    struct qn_str text;
    CHECK(qn_reply_init(&r, qn_allocator_default(), qn_tool_format_of(QN_STR("tools <tool_call>")),
                        NULL, qn_json_root(tools), (struct qn_str){0}, &err) == QN_OK);
    CHECK(qn_reply_push(&r, QN_STR("<tool_call>{\"name\":\"f\",\"arguments\":{\"a\":"), false,
                        &err) == QN_OK);
    CHECK(qn_reply_take(&r, &piece, &text) && piece.channel == QN_CHANNEL_TOOL_NAME &&
          qn_str_is(text, "f"));
    CHECK(qn_reply_take(&r, &piece, &text) && piece.channel == QN_CHANNEL_TOOL_ARGUMENTS &&
          qn_str_is(text, "{\"a\":"));
    CHECK(!qn_reply_take(&r, &piece, &text));
    CHECK(qn_reply_push(&r, QN_STR("\"x"), false, &err) == QN_OK);
    CHECK(qn_reply_take(&r, &piece, &text) && qn_str_is(text, "\"x") && !r.call_done);
    qn_reply_free(&r);
}

/* The templates that others publish, and how their calls are read: rows of the table. */
static void test_templates(void) {
    static const struct {
        const char *file, *open; // open NULL: refused
    } list[] = {
        {"Qwen-Qwen2.5-7B-Instruct", "<tool_call>"},
        {"Qwen-Qwen3-0.6B", "<tool_call>"},
        {"Qwen-QwQ-32B", "<tool_call>"},
        {"Qwen3-Coder", "<tool_call>"},
        {"Qwen3.5-4B", "<tool_call>"},
        {"NousResearch-Hermes-2-Pro-Llama-3-8B-tool_use", "<tool_call>"},
        {"NousResearch-Hermes-3-Llama-3.1-8B-tool_use", "<tool_call>"},
        {"ibm-granite-granite-4.0", "<tool_call>"},
        {"ibm-granite-granite-3.3-2B-Instruct", "<|tool_call|>"},
        {"meta-llama-Llama-3.1-8B-Instruct", ""},
        {"meta-llama-Llama-3.2-3B-Instruct", ""},
        {"meta-llama-Llama-3.3-70B-Instruct", ""},
        {"mistralai-Mistral-Nemo-Instruct-2407", "[TOOL_CALLS]"},
        {"mistralai-Ministral-3-14B-Reasoning-2512", "[TOOL_CALLS]"},
        {"Mistral-Small-3.2-24B-Instruct-2506", "[TOOL_CALLS]"},
        {"deepseek-ai-DeepSeek-V3.1", NULL},                // no list of tools
        {"deepseek-ai-DeepSeek-R1-Distill-Qwen-32B", NULL}, // past calls only, no list of tools
        {"meetkai-functionary-medium-v3.1", "<function="},
        {"meetkai-functionary-medium-v3.2", ">>>"},
        {"CohereForAI-c4ai-command-r7b-12-2024-tool_use", "<|START_ACTION|>"},
        {"NVIDIA-Nemotron-Nano-v2", "<TOOLCALL>"},
        {"NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", "<tool_call>"},
        {"ByteDance-Seed-OSS", "<seed:tool_call>"},
        {"google-gemma-2-2b-it", NULL},
        {"microsoft-Phi-3.5-mini-instruct", NULL},
        {"google-gemma-4-31B-it", NULL},
        {"GLM-4.6", NULL},
        {"LFM2-8B-A1B", NULL},
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        char path[1024];
        snprintf(path, sizeof path, "%s/assets/chat-templates/llama.cpp/%s.jinja", test_shared(),
                 list[i].file);
        struct qn_str text = slurp(path);
        if (!text.p) {
            printf("skipped: no ../shared\n");
            return;
        }
        const struct qn_tool_format *f = qn_tool_format_of(text);
        CHECK_MSG(f ? list[i].open && strcmp(f->open, list[i].open) == 0 : !list[i].open,
                  "%s: %s instead of %s", list[i].file, f ? f->open : "refused",
                  list[i].open ? list[i].open : "refused");
        free((void *)(uintptr_t)text.p);
    }
}

int main(void) {
    struct qn_arena arena;
    struct qn_json tools;
    struct qn_error err = {0};
    qn_arena_init(&arena, qn_allocator_default());
    CHECK(qn_json_parse(&tools, &arena, qn_str_from(tools_json), &err) == QN_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t step = 1; step < 40; step += step < 8 ? 1 : 7)
            run_case(&cases[i], step, &tools);
    test_nonsense(&tools);
    test_streams(&tools);
    test_templates();
    qn_arena_free(&arena);
    return test_done("engine_reply");
}
