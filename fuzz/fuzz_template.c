/* Template and context from one input: the template up to a zero byte, then the context as JSON (a
 * fixed one when there is none). What is rendered must be within the limits, with sound marks, and
 * unmarked bytes must not come from the messages: these consist of one letter that neither the
 * templates' own text nor the interpreter prints. */
#include "text/template.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char fixed[] =
    "{\"messages\":[{\"role\":\"\x01\x01\",\"content\":\" \x01\x01\\n<\x01|\"},{\"role\":\"\x01\","
    "\"content\":[{\"type\":\"\x01\",\"text\":\"\x01\"}],\"n\":1.5}],\"tools\":[{\"name\":\"\x01\"}"
    "],"
    "\"bos_token\":\"<s>\",\"eos_token\":\"</"
    "s>\",\"add_generation_prompt\":true,\"n\":7,\"none\":null}";

static bool is_marked(const struct qn_span *plain, size_t n_plain, size_t at) {
    for (size_t i = 0; i < n_plain; i++)
        if (plain[i].begin <= at && at < plain[i].end)
            return true;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const untrusted[] = {"messages", "tools", NULL};
    static const struct qn_template_limits limits = {
        .steps = 20000, .depth = 32, .output = 1 << 16, .memory = 4 << 20};
    const uint8_t *zero = size ? memchr(data, 0, size) : NULL;
    size_t n = zero ? (size_t)(zero - data) : size;
    struct qn_str source = {(const char *)data, n};
    struct qn_str text = {(const char *)data + n + 1, zero ? size - n - 1 : 0};
    struct qn_arena arena;
    struct qn_json json = {.n_nodes = 0};
    struct qn_template *t;
    struct qn_span *plain = NULL;
    struct qn_error err;
    struct qn_buf out;
    size_t n_plain = 0;
    bool known = text.n == 0; // the letter comes from the messages alone
    for (size_t i = 0; i < n; i++)
        known &=
            data[i] != 1 && !(data[i] == '\\' && i + 1 < n && strchr("01234567xuU", data[i + 1]));
    qn_arena_init(&arena, qn_allocator_default());
    qn_buf_init(&out, qn_allocator_default());
    static const char escape[] = "\\u0001";
    char context[sizeof fixed * 6];
    size_t at = 0;
    for (size_t i = 0; i + 1 < sizeof fixed; i++) { // JSON has the letter as an escape
        if (fixed[i] == 1) {
            memcpy(context + at, escape, 6);
            at += 6;
        } else {
            context[at++] = fixed[i];
        }
    }
    if (text.n == 0)
        text = (struct qn_str){context, at};
    if (qn_json_parse(&json, &arena, text, &err) == QN_OK &&
        qn_template_parse(&t, &arena, source, &err) == QN_OK &&
        qn_template_render(t, &out, &arena, &plain, &n_plain, qn_json_root(&json), untrusted,
                           &limits, 1752148800, &err) == QN_OK) {
        if (out.n > limits.output)
            abort();
        for (size_t i = 0; i < n_plain; i++)
            if (plain[i].begin >= plain[i].end || plain[i].end > out.n ||
                (i && plain[i].begin <= plain[i - 1].end))
                abort();
        for (size_t i = 0; known && i < out.n; i++)
            if (out.p[i] == 1 && !is_marked(plain, n_plain, i))
                abort();
    }
    qn_buf_free(&out);
    qn_arena_free(&arena);
    return 0;
}
