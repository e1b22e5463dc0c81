/* Prompts of chats: text of users that looks like control tokens, calls in the form that a template
 * expects, and every allocation of a request's way failing in turn. */
#include "base/sha256.h"
#include "engine/engine.h"
#include "tests/c/engine_case.h"

/* ---- Smuggling ------------------------------------------------------------------------------- */

static const char template_text[] =
    "{% for m in messages %}{{ '<|im_start|>' ~ m.role ~ '\\n' }}{% if m.name %}{{ m.name ~ ': ' }}"
    "{% endif %}{% if m.tool_call_id %}{{ '[' ~ m.tool_call_id ~ ']' }}{% endif %}"
    "{{ m.content ~ '|>' }}{{ '<' ~ m.content|trim }}{{ m.content[1:] }}"
    "{{ ['<|', m.content]|join('im_start') }}{{ '<|im_end|>\\n' }}{% endfor %}"
    "{{ '<|im_start|>assistant\\n' }}";

/* As Qwen3's: tools, thoughts, calls and their results, each between marks of its own. */
static const char tool_template[] =
    "{% if tools %}{{ '<|im_start|>system\n<tools>' }}{% for t in tools %}{{ '\n' ~ t|tojson }}"
    "{% endfor %}{{ '</tools><|im_end|>\n' }}{% endif %}{% for m in messages %}"
    "{{ '<|im_start|>' ~ m.role ~ '\n' }}{% if m.reasoning_content %}{{ '<think>\n' ~ "
    "m.reasoning_content|trim ~ '\n</think>\n' }}{% endif %}{{ m.content or '' }}"
    "{% for c in m.tool_calls or [] %}{{ '<tool_call>\n{\"name\": \"' ~ c.function.name ~ '\", "
    "\"arguments\": ' }}{{ c.function.arguments|tojson }}{{ '}\n</tool_call>' }}{% endfor %}"
    "{{ '<|im_end|>\n' }}{% endfor %}{{ '<|im_start|>assistant\n' }}";

static uint32_t draw(uint32_t *state) { // xorshift32
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state >> 7;
}

static void append(struct qn_buf *json, uint32_t *rng, int n) {
    static const char *const pieces[] = {"<|im_end|>",
                                         "<|im_start|>",
                                         "<|im_start|>system",
                                         "\\n",
                                         "<|",
                                         "|>",
                                         "im_end",
                                         "<|im_",
                                         "end|>",
                                         "<|im_end",
                                         "|im_end|>",
                                         "<|endoftext|>",
                                         "\\u003c|im_end|\\u003e",
                                         "\\u003c",
                                         " ",
                                         "a",
                                         "<",
                                         "im_start|>",
                                         "\\ud83d\\ude00",
                                         "\\u00e9",
                                         "\\u0000",
                                         "<|im_\\u200bend|>",
                                         "{{ '<|im_end|>' }}",
                                         "\\t",
                                         "<think>",
                                         "</think>",
                                         "<tool_call>",
                                         "\\n</tool_call>\\n",
                                         "<tool_",
                                         "call>",
                                         "</th",
                                         "ink>"};
    for (int i = 0; i < n; i++)
        qn_buf_cstr(json, pieces[draw(rng) % (sizeof pieces / sizeof *pieces)]);
}

static void message(struct qn_buf *json, uint32_t *rng) {
    static const char *const roles[] = {"user", "assistant", "system", "tool", "developer"};
    qn_buf_format(json, "{\"role\":\"%s\",\"name\":\"", roles[draw(rng) % 5]);
    append(json, rng, (int)(draw(rng) % 3));
    qn_buf_cstr(json, "\",\"tool_call_id\":\"");
    append(json, rng, (int)(draw(rng) % 3));
    if (draw(rng) % 2) {
        qn_buf_cstr(json, "\",\"content\":\"");
        append(json, rng, 1 + (int)(draw(rng) % 5));
        qn_buf_cstr(json, "\"}");
    } else { // parts that belong together only once they are joined
        qn_buf_cstr(json, "\",\"content\":[{\"type\":\"text\",\"text\":\"");
        append(json, rng, 1 + (int)(draw(rng) % 2));
        qn_buf_cstr(json, "\"},{\"type\":\"text\",\"text\":\"");
        append(json, rng, 1 + (int)(draw(rng) % 2));
        qn_buf_cstr(json, "\"}]}");
    }
}

/* Marks of a prompt: control tokens, and those of Qwen3 that are not special. */
static const char *const marks[] = {"<|im_start|>", "<|im_end|>",  "<think>",
                                    "</think>",     "<tool_call>", "</tool_call>"};
enum { N_MARKS = sizeof marks / sizeof *marks };

/* The marks of a prompt are those that the template writes. */
static void check_prompt(qn_engine *e, struct qn_str request, const uint32_t expected[N_MARKS]) {
    struct qn_arena arena;
    struct qn_buf text, back;
    struct qn_ids ids;
    struct qn_chat chat;
    struct qn_span *plain = NULL;
    size_t n_plain = 0;
    struct qn_error err = {0};
    struct qn_chat_defaults defaults = {.max_tokens = 1, .tools = true};
    qn_arena_init(&arena, qn_allocator_default());
    qn_buf_init(&text, qn_allocator_default());
    qn_buf_init(&back, qn_allocator_default());
    qn_ids_init(&ids, qn_allocator_default());
    enum qn_status status = qn_chat_parse(&chat, &arena, QN_API_CHAT, request, &defaults, &err);
    if (status == QN_OK)
        status = qn_engine_render(e, &text, &arena, &plain, &n_plain, chat.context, &err);
    if (status == QN_OK)
        status =
            qn_tokenizer_encode(e->tokenizer, &ids, qn_buf_view(&text), 0, plain, n_plain, &err);
    CHECK_MSG(status == QN_OK, "%.*s: %s", QN_STR_ARG(request), err.text);
    uint32_t special[N_MARKS], found[N_MARKS] = {0}, others = 0;
    for (int k = 0; k < N_MARKS; k++)
        CHECK(qn_tokenizer_find(e->tokenizer, &special[k], qn_str_from(marks[k])));
    for (size_t i = 0; i < ids.n; i++) {
        bool known = false;
        for (int k = 0; k < N_MARKS; k++) {
            found[k] += ids.p[i] == special[k];
            known = known || ids.p[i] == special[k];
        }
        others += !known && qn_tokenizer_is_special(e->tokenizer, ids.p[i]);
    }
    for (int k = 0; k < N_MARKS; k++)
        CHECK_MSG(expected[k] == UINT32_MAX || found[k] == expected[k],
                  "%.*s: %u of %s instead of %u", QN_STR_ARG(request), found[k], marks[k],
                  expected[k]);
    CHECK_MSG(others == 0, "%.*s: %u other control tokens", QN_STR_ARG(request), others);
    // Nothing is lost either: the ids say the rendered text.
    CHECK(qn_tokenizer_decode(e->tokenizer, &back, ids.p, ids.n, 0, &err) == QN_OK);
    CHECK_MSG(qn_str_eq(qn_buf_view(&back), qn_buf_view(&text)), "\"%.*s\" instead of \"%.*s\"",
              QN_STR_ARG(qn_buf_view(&back)), QN_STR_ARG(qn_buf_view(&text)));
    qn_ids_free(&ids);
    qn_buf_free(&back);
    qn_buf_free(&text);
    qn_arena_free(&arena);
}

static qn_engine *text_engine(struct qn_str tokenizer, struct qn_str template) {
    static struct qn_memory_file files[3];
    static struct qn_memory_files list = {files, 3};
    files[0] = (struct qn_memory_file){QN_STR("tokenizer.json"), tokenizer};
    files[1] = (struct qn_memory_file){QN_STR("chat_template.jinja"), template};
    files[2] = (struct qn_memory_file){QN_STR("config.json"), QN_STR("{\"model_type\":\"qwen2\"}")};
    struct qn_engine_desc desc = {
        .files = qn_files_from_memory(&list), .main = "", .text_only = true};
    qn_engine *e = NULL;
    struct qn_error err = {0};
    CHECK_MSG(qn_engine_create(&e, &desc, &err) == QN_OK && qn_engine_open(e, &err) == QN_OK, "%s",
              err.text);
    return e;
}

/* A text of users in every place that takes one: calls, their names and arguments, results,
 * thoughts, descriptions and names of parameters. */
static void tool_request(struct qn_buf *json, uint32_t *rng, uint32_t expected[N_MARKS]) {
    uint32_t n = 1 + draw(rng) % 3;
    bool tools = draw(rng) % 2;
    memset(expected, 0, N_MARKS * sizeof *expected);
    expected[0] = n + tools + 1;
    expected[1] = n + tools;
    qn_buf_cstr(json, "{");
    if (tools) {
        qn_buf_cstr(json, "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\","
                          "\"description\":\"");
        append(json, rng, 1 + (int)(draw(rng) % 4));
        qn_buf_cstr(json, "\",\"parameters\":{\"type\":\"object\",\"properties\":{\"");
        append(json, rng, 1 + (int)(draw(rng) % 3));
        qn_buf_cstr(json, "\":{\"enum\":[\"");
        append(json, rng, 1 + (int)(draw(rng) % 3));
        qn_buf_cstr(json, "\"]}}}}}],");
    }
    qn_buf_cstr(json, "\"messages\":[");
    for (uint32_t k = 0; k < n; k++) {
        bool answer = draw(rng) % 2, thought = answer && draw(rng) % 2;
        uint32_t calls = answer ? draw(rng) % 3 : 0;
        qn_buf_cstr(json, k ? "," : "");
        qn_buf_format(json, "{\"role\":\"%s\",\"content\":\"",
                      answer          ? "assistant"
                      : draw(rng) % 2 ? "tool"
                                      : "user");
        append(json, rng, 1 + (int)(draw(rng) % 5));
        qn_buf_cstr(json, "\",\"reasoning_content\":\"");
        if (thought) {
            qn_buf_cstr(json, ".");
            append(json, rng, 1 + (int)(draw(rng) % 4));
        }
        qn_buf_cstr(json, "\"");
        for (uint32_t c = 0; c < calls; c++) {
            qn_buf_cstr(json, c ? ",{" : ",\"tool_calls\":[{");
            qn_buf_cstr(json, "\"id\":\"1\",\"type\":\"function\",\"function\":{\"name\":\"");
            append(json, rng, 1 + (int)(draw(rng) % 3));
            if (draw(rng) % 2) { // JSON in a string
                qn_buf_cstr(json, "\",\"arguments\":\"{\\\"a\\\":\\\"<tool_call></think>\\\"}\"}}");
            } else { // no JSON in a string
                qn_buf_cstr(json, "\",\"arguments\":\"");
                append(json, rng, 1 + (int)(draw(rng) % 3));
                qn_buf_cstr(json, "\"}}");
            }
        }
        qn_buf_cstr(json, calls ? "]}" : "}");
        expected[2] += thought;
        expected[3] += thought;
        expected[4] += calls;
        expected[5] += calls;
    }
    qn_buf_cstr(json, "]}");
}

/* Control tokens have no text, but for the marks of calls and thoughts that an answer's reader
 * needs. */
static void test_marks(struct qn_str tokenizer) {
    qn_engine *e =
        text_engine(tokenizer, QN_STR("{% for t in tools %}<|im_start|>{% endfor %}[TOOL_CALLS]"
                                      "<think></think>"));
    const struct qn_answer_style *style;
    struct qn_error err = {0};
    CHECK(qn_engine_style(&style, e, true, &err) == QN_OK);
    CHECK(style->tools && strcmp(style->tools->open, "[TOOL_CALLS]") == 0 && style->think);
    CHECK(style->n_marks == 0); // none of them is special here
    uint32_t ids[3] = {0};
    CHECK(qn_tokenizer_find(e->tokenizer, &ids[0], QN_STR("<|im_start|>")) &&
          qn_tokenizer_find(e->tokenizer, &ids[1], QN_STR("a")) &&
          qn_tokenizer_find(e->tokenizer, &ids[2], QN_STR("<|im_end|>")));
    struct qn_detok d;
    struct qn_buf text;
    qn_buf_init(&text, qn_allocator_default());
    qn_detok_init(&d, e->tokenizer, qn_allocator_default(), NULL, 0, true);
    d.shown = ids;
    d.n_shown = 1;
    for (int i = 0; i < 3; i++)
        CHECK(qn_detok_push(&d, &text, ids[i], &err) == QN_OK);
    CHECK_MSG(qn_str_is(qn_buf_view(&text), "<|im_start|>a"), "%.*s",
              QN_STR_ARG(qn_buf_view(&text)));
    qn_detok_free(&d);
    qn_buf_free(&text);
    qn_engine_destroy(e);
}

/* A request with a past call, through templates as published: the prompt is what jinja2 renders
 * from the same messages in the form that the template expects. */
static void test_tool_prompts(struct qn_str tokenizer) {
    struct qn_arena arena;
    struct qn_json json;
    struct qn_error err = {0};
    struct qn_str data = slurp("tests/data/tool_prompts.json");
    qn_arena_init(&arena, qn_allocator_default());
    CHECK(data.p && qn_json_parse(&json, &arena, data, &err) == QN_OK);
    struct qn_buf request;
    qn_buf_init(&request, qn_allocator_default());
    qn_json_write(&request, qn_json_get(qn_json_root(&json), "request"));
    struct qn_json_iter it = qn_json_iterate(qn_json_get(qn_json_root(&json), "prompts"));
    CHECK(it.left >= 30);
    while (qn_json_each(&it)) {
        char path[1024], hex[65];
        unsigned char sum[32];
        struct qn_str name = qn_json_raw(it.key);
        snprintf(path, sizeof path, "%s/assets/chat-templates/llama.cpp/%.*s.jinja", test_shared(),
                 QN_STR_ARG(name));
        struct qn_str source = slurp(path);
        if (!CHECK_MSG(source.p != NULL, "%s", path))
            continue;
        qn_engine *e = text_engine(tokenizer, source);
        const struct qn_answer_style *style;
        CHECK(qn_engine_style(&style, e, true, &err) == QN_OK);
        struct qn_chat_defaults defaults = {
            .max_tokens = 1,
            .bos_token = QN_STR("<BOS>"),
            .eos_token = QN_STR("<EOS>"),
            .tools = style->tools != NULL,
            .argument_strings = style->argument_strings,
            .empty_content = style->empty_content,
        };
        struct qn_buf text;
        struct qn_arena own;
        struct qn_chat chat;
        struct qn_span *plain = NULL;
        size_t n_plain = 0;
        qn_buf_init(&text, qn_allocator_default());
        qn_arena_init(&own, qn_allocator_default());
        enum qn_status status =
            qn_chat_parse(&chat, &own, QN_API_CHAT, qn_buf_view(&request), &defaults, &err);
        if (status == QN_OK)
            status = qn_engine_render(e, &text, &own, &plain, &n_plain, chat.context, &err);
        struct qn_sha256 sha;
        qn_sha256_init(&sha);
        qn_sha256_update(&sha, text.p, text.n);
        qn_sha256_final(&sha, sum);
        for (int i = 0; i < 32; i++)
            snprintf(hex + 2 * i, 3, "%02x", sum[i]);
        CHECK_MSG(status == QN_OK && qn_json_string_is(it.value, hex), "%.*s: %s%.*s",
                  QN_STR_ARG(name), status == QN_OK ? "" : err.text, (int)text.n, text.p);
        qn_arena_free(&own);
        qn_buf_free(&text);
        qn_engine_destroy(e);
        free((void *)(uintptr_t)source.p);
    }
    qn_buf_free(&request);
    qn_arena_free(&arena);
    free((void *)(uintptr_t)data.p);
}

/* A repository with a template of its own for tools: each is asked what it expects. */
static void test_two_templates(void) {
    static const char config[] =
        "{\"chat_template\":[{\"name\":\"default\",\"template\":\"{% for m in messages %}"
        "{{ m.content }}{% for c in m.tool_calls or [] %}{{ c.function.name + c.function.arguments "
        "}}"
        "{% endfor %}{% endfor %}plain\"},{\"name\":\"tool_use\",\"template\":\"{{ tools|length }}"
        "<tool_call>{% for m in messages %}{{ m.content or '' }}{% for c in m.tool_calls or [] %}"
        "{{ c.function.arguments|tojson }}{% endfor %}{% endfor %}\"}]}";
    struct qn_str tokenizer = slurp("tests/data/tiny_hf/tokenizer.json");
    struct qn_memory_file files[3] = {
        {QN_STR("tokenizer.json"), tokenizer},
        {QN_STR("tokenizer_config.json"), qn_str_from(config)},
        {QN_STR("config.json"), QN_STR("{\"model_type\":\"qwen2\"}")}};
    struct qn_memory_files list = {files, 3};
    struct qn_engine_desc desc = {
        .files = qn_files_from_memory(&list), .main = "", .text_only = true};
    qn_engine *e = NULL;
    struct qn_error err = {0};
    const struct qn_answer_style *plain = NULL, *tools = NULL;
    CHECK_MSG(qn_engine_create(&e, &desc, &err) == QN_OK && qn_engine_open(e, &err) == QN_OK &&
                  qn_engine_style(&plain, e, false, &err) == QN_OK &&
                  qn_engine_style(&tools, e, true, &err) == QN_OK,
              "%s", err.text);
    CHECK(plain && tools && plain != tools && !plain->tools && tools->tools &&
          !tools->argument_strings);
    struct qn_str text;
    CHECK(qn_engine_template(e, &text, QN_STR("{\"messages\":[{\"content\":\"a\"}]}"), &err) ==
              QN_OK &&
          qn_str_is(text, "aplain"));
    CHECK(qn_engine_template(e, &text,
                             QN_STR("{\"messages\":[{\"content\":\"a\"}],\"tools\":[1,2]}"),
                             &err) == QN_OK &&
          qn_str_is(text, "2<tool_call>a"));
    qn_engine_destroy(e);
    free((void *)(uintptr_t)tokenizer.p);
}

static void test_smuggling(void) {
    char path[1024];
    snprintf(path, sizeof path, "%s/fixtures/tokenizers/qwen2/tokenizer.json", test_shared());
    struct qn_str tokenizer = slurp(path);
    if (!tokenizer.p) {
        printf("skipped: no ../shared\n");
        return;
    }
    test_marks(tokenizer);
    test_tool_prompts(tokenizer);
    uint32_t rng = 2024;
    for (int tools = 0; tools < 2; tools++) {
        qn_engine *e = text_engine(tokenizer, qn_str_from(tools ? tool_template : template_text));
        for (int i = 0; i < 1000; i++) {
            struct qn_buf json;
            uint32_t n = 1 + draw(&rng) % 3, expected[N_MARKS] = {n + 1, n};
            qn_buf_init(&json, qn_allocator_default());
            if (tools) {
                tool_request(&json, &rng, expected);
            } else {
                qn_buf_cstr(&json, "{\"messages\":[");
                for (uint32_t k = 0; k < n; k++) {
                    qn_buf_cstr(&json, k ? "," : "");
                    message(&json, &rng);
                }
                qn_buf_cstr(&json, "]}");
                expected[2] = expected[3] = expected[4] = expected[5] = 0;
            }
            if (!tools) // marks that a template does not speak of are ordinary vocabulary
                for (int k = 2; k < N_MARKS; k++)
                    expected[k] = UINT32_MAX;
            check_prompt(e, qn_buf_view(&json), expected);
            qn_buf_free(&json);
        }
        qn_engine_destroy(e);
    }
    free((void *)(uintptr_t)tokenizer.p);
}

/* ---- Lack of memory ------------------------------------------------------------------------- */

/* Reads a request with tools, renders it, states the form of the answer, reads that. */
static enum qn_status whole_way(const struct qn_allocator *allocator, struct qn_str tokenizer,
                                struct qn_error *err) {
    static const char request[] =
        "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"}]},"
        "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"1\",\"type\":"
        "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}}]},{\"role\":"
        "\"tool\",\"tool_call_id\":\"1\",\"content\":\"b\"}],\"tools\":[{\"type\":\"function\","
        "\"function\":{\"name\":\"f\"}}],\"tool_choice\":\"required\",\"stop\":[\"\\u0041\"],"
        "\"logit_bias\":{\"1\":1}}";
    static const char answer[] = "<think>x</think>y<tool_call>{\"arguments\":\"{}\",\"name\":\"f\"}"
                                 "</tool_call><tool_call>{\"name\":\"f\",\"arguments\":{}}z";
    qn_engine *e = NULL;
    struct qn_memory_file files[3] = {
        {QN_STR("tokenizer.json"), tokenizer},
        {QN_STR("chat_template.jinja"), qn_str_from(tool_template)},
        {QN_STR("config.json"), QN_STR("{\"model_type\":\"qwen2\"}")}};
    struct qn_memory_files list = {files, 3};
    struct qn_engine_desc desc = {.allocator = allocator,
                                  .files = qn_files_from_memory(&list),
                                  .main = "",
                                  .text_only = true};
    struct qn_arena arena;
    struct qn_buf text, form;
    struct qn_chat chat;
    struct qn_constraint constraint;
    struct qn_reply reply = {0};
    struct qn_span *plain = NULL;
    size_t n_plain = 0;
    const struct qn_answer_style *style = NULL;
    qn_arena_init(&arena, allocator);
    qn_buf_init(&text, allocator);
    qn_buf_init(&form, allocator);
    enum qn_status status = qn_engine_create(&e, &desc, err);
    if (status == QN_OK)
        status = qn_engine_open(e, err);
    if (status == QN_OK)
        status = qn_engine_style(&style, e, true, err);
    struct qn_chat_defaults defaults = {.max_tokens = 1, .tools = true};
    if (status == QN_OK)
        status = qn_chat_parse(&chat, &arena, QN_API_CHAT, qn_str_from(request), &defaults, err);
    if (status == QN_OK)
        status = qn_engine_render(e, &text, &arena, &plain, &n_plain, chat.context, err);
    if (status == QN_OK) {
        qn_ask_constraint(&constraint, &form, &chat, e, style, QN_FORM_THINKS);
        qn_ask_constraint(&constraint, &form, &chat, e, style, QN_FORM_LAZY);
        status = form.failed ? QN_E_NO_MEMORY : QN_OK;
    }
    if (status == QN_OK)
        status = qn_reply_init(&reply, allocator, style->tools, style->think, chat.tools,
                               qn_buf_view(&text), err);
    if (status == QN_OK)
        status = qn_reply_push(&reply, qn_str_from(answer), true, err);
    if (status == QN_OK)
        CHECK(reply.calls == 2 && reply.call_done);
    qn_reply_free(&reply);
    qn_buf_free(&form);
    qn_buf_free(&text);
    qn_arena_free(&arena);
    qn_engine_destroy(e);
    return status;
}

static void test_no_memory(void) {
    struct qn_str tokenizer = slurp("tests/data/tiny_hf/tokenizer.json");
    CHECK(tokenizer.p != NULL);
    for (int persistent = 0; persistent < 2; persistent++)
        for (uint64_t n = 1;; n++) {
            struct faults faults;
            struct qn_error err = {0};
            faults_init(&faults);
            faults.fail_alloc = n;
            faults.persistent = persistent != 0;
            struct qn_allocator allocator = faults_allocator(&faults);
            enum qn_status status = whole_way(&allocator, tokenizer, &err);
            CHECK_MSG(faults.live == 0, "allocation %llu", (unsigned long long)n);
            if (!faults.fired) {
                CHECK_MSG(status == QN_OK, "%s", err.text);
                break;
            }
            CHECK_MSG(status == QN_E_NO_MEMORY, "allocation %llu: %s", (unsigned long long)n,
                      qn_status_name(status));
        }
    free((void *)(uintptr_t)tokenizer.p);
}

int main(void) {
    test_smuggling();
    test_two_templates();
    test_no_memory();
    return test_done("engine_prompts");
}
