/* Text through the engine: tokens, chat templates. */
#include <string.h>

#include "engine/chat.h"
#include "engine/engine.h"

static enum qn_status need_tokenizer(const qn_engine *e, struct qn_error *err) {
    return e->tokenizer ? QN_OK : qn_fail(err, QN_E_UNSUPPORTED, "this model has no tokenizer");
}

enum qn_status qn_engine_tokenize(qn_engine *e, const uint32_t **ids, size_t *n, struct qn_str text,
                                  uint32_t flags, struct qn_error *err) {
    QN_TRY(need_tokenizer(e, err));
    uint32_t encode = (flags & QN_TEXT_ADD_SPECIAL ? QN_ENCODE_SPECIAL : 0) |
                      (flags & QN_TEXT_PLAIN ? QN_ENCODE_NO_MATCH : 0);
    e->ids.n = 0;
    QN_TRY(qn_tokenizer_encode(e->tokenizer, &e->ids, text, encode, NULL, 0, err));
    *ids = e->ids.p;
    *n = e->ids.n;
    return QN_OK;
}

/* The text buffer as an answer. */
static enum qn_status answer(qn_engine *e, struct qn_str *out, struct qn_error *err) {
    if (e->text.failed)
        return qn_fail(err, QN_E_NO_MEMORY, "a text");
    *out = qn_buf_view(&e->text);
    return QN_OK;
}

enum qn_status qn_engine_detokenize(qn_engine *e, struct qn_str *out, const uint32_t *ids, size_t n,
                                    uint32_t flags, struct qn_error *err) {
    QN_TRY(need_tokenizer(e, err));
    qn_buf_clear(&e->text);
    QN_TRY(qn_tokenizer_decode(e->tokenizer, &e->text, ids, n,
                               flags & QN_TEXT_SKIP_SPECIAL ? QN_DECODE_SKIP_SPECIAL : 0, err));
    return answer(e, out, err);
}

struct qn_str qn_engine_token(const qn_engine *e, uint32_t id) {
    return e->tokenizer && id < qn_tokenizer_size(e->tokenizer)
               ? qn_tokenizer_token(e->tokenizer, id)
               : (struct qn_str){"", 0};
}

bool qn_engine_is_eos(const qn_engine *e, uint32_t id) {
    for (uint32_t i = 0; i < e->n_eos; i++)
        if (e->eos[i] == id)
            return true;
    return false;
}

/* ---- where the chat template comes from ------------------------------------------------------ */

/* Leaves out[0] empty when the file names no template, out[1] when it has none for tools. */
static enum qn_status from_tokenizer_config(struct qn_str out[2], struct qn_arena *arena,
                                            const struct qn_directory *d, struct qn_error *err) {
    if (d->tokenizer_config.n_nodes == 0)
        return QN_OK;
    struct qn_json_value v = qn_json_get(qn_json_root(&d->tokenizer_config), "chat_template");
    struct qn_json_value found[2] = {v, {0}};
    /* A list of named templates: {"name": "default", "template": "…"}. */
    struct qn_json_iter it = qn_json_iterate(v);
    while (!it.object && qn_json_each(&it))
        for (int i = 0; i < 2; i++)
            if (qn_json_string_is(qn_json_get(it.value, "name"), i ? "tool_use" : "default"))
                found[i] = qn_json_get(it.value, "template");
    for (int i = 0; i < 2; i++)
        if (qn_json_type(found[i]) == QN_JSON_STRING && !qn_json_string(&out[i], arena, found[i]))
            return qn_fail(err, QN_E_NO_MEMORY, "a chat template");
    return QN_OK;
}

static void append_literal(struct qn_buf *buf, struct qn_json_value string) {
    /* JSON's escapes within double quotes mean the same in a template's string literal. */
    qn_buf_cstr(buf, "{{ \"");
    if (qn_json_type(string) == QN_JSON_STRING)
        qn_buf_str(buf, qn_json_raw(string));
    qn_buf_cstr(buf, "\" }}");
}

/* MLC describes a chat format by its parts (conversation_template in mlc-llm's protocol);
 * repositories without tokenizer_config.json have only that. */
static enum qn_status from_conv_template(struct qn_str *out, struct qn_arena *arena,
                                         const struct qn_directory *d, struct qn_error *err) {
    struct qn_json_value conv = qn_json_get(qn_json_root(&d->config), "conv_template");
    struct qn_json_value roles = qn_json_get(conv, "roles");
    if (qn_json_type(roles) != QN_JSON_OBJECT)
        return QN_OK;
    struct qn_json_value seps = qn_json_get(conv, "seps");
    struct qn_json_value sep[2] = {{0}, {0}};
    struct qn_json_iter it = qn_json_iterate(seps);
    for (int i = 0; i < 2 && qn_json_each(&it); i++)
        sep[i] = it.value;
    if (!qn_json_exists(sep[1]))
        sep[1] = sep[0];
    struct qn_buf b;
    qn_buf_init(&b, arena->allocator);
    /* Its ids before everything are the beginning-of-sequence token in all models that
     * have them. */
    if (qn_json_count(qn_json_get(conv, "system_prefix_token_ids")) > 0)
        qn_buf_cstr(&b, "{{ bos_token }}");
    /* The system template holds "{system_message}" where the text goes. */
    qn_buf_cstr(&b, "{% set system = ");
    struct qn_json_value fallback = qn_json_get(conv, "system_message");
    qn_buf_cstr(&b, "\"");
    if (qn_json_type(fallback) == QN_JSON_STRING)
        qn_buf_str(&b, qn_json_raw(fallback));
    qn_buf_cstr(&b,
                "\" %}{% if messages[0].role == 'system' %}{% set system = messages[0].content %}"
                "{% endif %}{{ \"");
    struct qn_json_value system = qn_json_get(conv, "system_template");
    struct qn_str text = qn_json_type(system) == QN_JSON_STRING ? qn_json_raw(system) : QN_STR("");
    size_t at = qn_str_find(text, QN_STR("{system_message}"), 0);
    if (at == SIZE_MAX) {
        qn_buf_str(&b, text);
        qn_buf_cstr(&b, "\" }}");
    } else {
        qn_buf_str(&b, qn_str_slice(text, 0, at));
        qn_buf_cstr(&b, "\" + system + \"");
        qn_buf_str(&b, qn_str_slice(text, at + 16, text.n));
        qn_buf_cstr(&b, "\" }}");
    }
    qn_buf_cstr(&b, "{% for m in messages %}{% if m.role == 'user' %}");
    append_literal(&b, qn_json_get(roles, "user"));
    append_literal(&b, qn_json_get(conv, "role_content_sep"));
    qn_buf_cstr(&b, "{{ m.content }}");
    append_literal(&b, sep[0]);
    qn_buf_cstr(&b, "{% elif m.role == 'assistant' %}");
    append_literal(&b, qn_json_get(roles, "assistant"));
    append_literal(&b, qn_json_get(conv, "role_content_sep"));
    qn_buf_cstr(&b, "{{ m.content }}");
    append_literal(&b, sep[1]);
    qn_buf_cstr(&b, "{% elif m.role != 'system' %}{{ raise_exception('role ' + m.role + "
                    "' is not supported by this model') }}{% endif %}{% endfor %}"
                    "{% if add_generation_prompt %}");
    append_literal(&b, qn_json_get(roles, "assistant"));
    append_literal(&b, qn_json_get(conv, "role_empty_sep"));
    qn_buf_cstr(&b, "{% endif %}");
    *out = b.failed ? (struct qn_str){0} : qn_str_copy(arena, qn_buf_view(&b));
    qn_buf_free(&b);
    return out->p ? QN_OK : qn_fail(err, QN_E_NO_MEMORY, "a chat template");
}

enum qn_status qn_engine_find_template(qn_engine *e, struct qn_arena *arena, struct qn_error *err) {
    const struct qn_directory *d = &e->directory;
    struct qn_str *out = e->template_source;
    out[0] = out[1] = (struct qn_str){0};
    if (d->format == QN_FORMAT_GGUF) {
        qn_gguf_str(&out[0], d, "tokenizer.chat_template");
        qn_gguf_str(&out[1], d, "tokenizer.chat_template.tool_use");
        return QN_OK;
    }
    QN_TRY(from_tokenizer_config(out, arena, d, err));
    if (out[0].n > 0)
        return QN_OK;
    enum qn_status status =
        qn_files_read_all(&out[0], arena, &e->files, QN_STR("chat_template.jinja"), 1 << 20, err);
    if (status != QN_E_NOT_FOUND)
        return status;
    return d->format == QN_FORMAT_MLC ? from_conv_template(&out[0], arena, d, err) : QN_OK;
}

/* ---- rendering ------------------------------------------------------------------------------- */

static struct qn_str token_or_empty(const qn_engine *e, uint32_t id) {
    return id == UINT32_MAX ? (struct qn_str){"", 0} : qn_engine_token(e, id);
}

struct qn_str qn_engine_bos_token(const qn_engine *e) {
    return token_or_empty(e, e->tokenizer ? qn_tokenizer_bos(e->tokenizer) : UINT32_MAX);
}

struct qn_str qn_engine_eos_token(const qn_engine *e) {
    return token_or_empty(e, e->tokenizer ? qn_tokenizer_eos(e->tokenizer) : UINT32_MAX);
}

struct qn_json_value qn_engine_token_config(const qn_engine *e) {
    const struct qn_json *config = &e->directory.tokenizer_config;
    return config->n_nodes > 0 ? qn_json_root(config) : (struct qn_json_value){NULL, 0};
}

/* Which template serves a request. */
static size_t template_for(const qn_engine *e, bool tools) {
    return tools && e->template_source[1].n > 0;
}

static enum qn_status parse_template(qn_engine *e, size_t which, struct qn_error *err) {
    if (e->template[which])
        return QN_OK;
    if (e->template_source[which].n == 0)
        return qn_fail(err, QN_E_TEMPLATE, "this model has no chat template");
    enum qn_status status = qn_template_parse(&e->template[which], &e -> template_arena,
                                              e -> template_source[which], err);
    if (status != QN_OK) {
        e->template[which] = NULL;
        if (!e->template[!which]) { // what the attempt took
            qn_arena_free(&e->template_arena);
            qn_arena_init(&e->template_arena, e->allocator);
        }
    }
    return status;
}

enum qn_status qn_engine_render(qn_engine *e, struct qn_buf *out, struct qn_arena *arena,
                                struct qn_span **plain, size_t *n_plain, struct qn_str context,
                                struct qn_error *err) {
    static const char *const untrusted[] = {"messages", "tools", "documents", NULL};
    struct qn_json json;
    QN_TRY(qn_json_parse(&json, arena, context, err));
    struct qn_json_value root = qn_json_root(&json);
    size_t which = template_for(e, qn_json_count(qn_json_get(root, "tools")) > 0);
    QN_TRY(parse_template(e, which, err));
    QN_TRY(qn_template_render(e->template[which], out, arena, plain, n_plain, root, untrusted, NULL,
                              e -> desc.clock ? e->desc.clock() : 0, err));
    return out->failed ? qn_fail(err, QN_E_NO_MEMORY, "a rendered prompt") : QN_OK;
}

/* ---- how answers are written ----------------------------------------------------------------- */

/* Whether the template writes a past call that is given in this form: where it does not expect the
 * form it fails, leaves the call out, or writes Python's notation. */
static enum qn_status writes_call(bool *good, qn_engine *e, size_t which, const char *content,
                                  const char *arguments, struct qn_error *err) {
    struct qn_arena arena;
    struct qn_buf context, text;
    struct qn_span *plain = NULL;
    size_t n_plain = 0;
    qn_arena_init(&arena, e->allocator);
    qn_buf_init(&context, e->allocator);
    qn_buf_init(&text, e->allocator);
    qn_buf_format(
        &context,
        "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\","
        "\"content\":%s,\"tool_calls\":[{\"id\":\"abcdefghi\",\"type\":\"function\","
        "\"function\":{\"name\":\"f\",\"arguments\":%s}}]},{\"role\":\"tool\",\"content\":\"b\","
        "\"tool_call_id\":\"abcdefghi\"},{\"role\":\"assistant\",\"content\":\"c\"},{\"role\":"
        "\"user\",\"content\":\"d\"}],\"tools\":[%s],\"bos_token\":\"\",\"eos_token\":\"\"}",
        content, arguments,
        which != template_for(e, true) // tools would choose the other template
            ? ""
            : "{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":\"\","
              "\"parameters\":{\"type\":\"object\",\"properties\":{}}}}");
    enum qn_status status = context.failed ? qn_fail(err, QN_E_NO_MEMORY, "a template's probe")
                                           : qn_engine_render(e, &text, &arena, &plain, &n_plain,
                                                              qn_buf_view(&context), err);
    *good = status == QN_OK && qn_str_find(qn_buf_view(&text), QN_STR("quern"), 0) != SIZE_MAX &&
            qn_str_find(qn_buf_view(&text), QN_STR("'quern'"), 0) == SIZE_MAX;
    qn_buf_free(&text);
    qn_buf_free(&context);
    qn_arena_free(&arena);
    return status == QN_E_NO_MEMORY ? status : QN_OK;
}

static void add_marks(const qn_engine *e, struct qn_answer_style *s, const char *const *literals,
                      size_t n) {
    for (uint32_t id = 0; id < qn_tokenizer_size(e->tokenizer); id++) {
        if (!qn_tokenizer_is_special(e->tokenizer, id) || qn_engine_is_eos(e, id))
            continue;
        struct qn_str token = qn_engine_token(e, id);
        for (size_t i = 0; i < n && token.n > 0 && s->n_marks < QN_MAX_MARKS; i++)
            if (literals[i] && qn_str_find(qn_str_from(literals[i]), token, 0) != SIZE_MAX) {
                s->marks[s->n_marks++] = id;
                break;
            }
    }
}

enum qn_status qn_engine_style(const struct qn_answer_style **out, qn_engine *e, bool tools,
                               struct qn_error *err) {
    size_t which = template_for(e, tools);
    struct qn_answer_style *s = &e->style[which];
    *out = s;
    if (s->known)
        return QN_OK;
    *s = (struct qn_answer_style){
        .tools = qn_tool_format_of(e->template_source[which]),
        .think = qn_think_format_of(e->template_source[which]),
    };
    if (s->think)
        add_marks(e, s, (const char *const[]){s->think->open, s->think->close}, 2);
    s->n_think = s->n_marks;
    const struct qn_tool_format *t = s->tools;
    if (t) {
        add_marks(e, s,
                  (const char *const[]){t->open, t->name, t->args, t->end, t->close,
                                        t->open[0] ? NULL : "<|python_tag|>"},
                  6);
        static const char *const contents[] = {"null", "\"\""};
        static const char *const arguments[] = {"{\"quern\":1}", "\"{\\\"quern\\\":1}\""};
        uint32_t form = 0; // bit 0: content, bit 1: arguments
        for (bool good = false; form < 4; form++) {
            QN_TRY(writes_call(&good, e, which, contents[form & 1], arguments[form >> 1], err));
            if (good)
                break;
        }
        s->empty_content = form == 4 || (form & 1); // in doubt what most can do with
        s->argument_strings = form < 4 && form >> 1;
    }
    s->known = true;
    return QN_OK;
}

/* The caller's context with the model's own special tokens, which templates expect, put before its
 * members: what the caller says wins. */
static enum qn_status with_tokens(qn_engine *e, struct qn_buf *out, struct qn_arena *arena,
                                  struct qn_str context, struct qn_error *err) {
    struct qn_json json; // read here first, so that an error's offset is the caller's
    QN_TRY(qn_json_parse(&json, arena, context, err));
    size_t open = 0;
    while (open < context.n && strchr(" \t\r\n", context.p[open]))
        open++;
    if (open == context.n || context.p[open] != '{')
        return qn_fail(err, QN_E_ARGUMENT, "the context of a template is not a JSON object");
    size_t rest = open + 1;
    while (rest < context.n && strchr(" \t\r\n", context.p[rest]))
        rest++;
    qn_chat_write_tokens(out, qn_engine_bos_token(e), qn_engine_eos_token(e),
                         qn_engine_token_config(e));
    if (rest < context.n && context.p[rest] != '}')
        qn_buf_char(out, ',');
    qn_buf_str(out, qn_str_slice(context, rest, context.n));
    return out->failed ? qn_fail(err, QN_E_NO_MEMORY, "the context of a template") : QN_OK;
}

enum qn_status qn_engine_template(qn_engine *e, struct qn_str *out, struct qn_str context,
                                  struct qn_error *err) {
    struct qn_arena arena;
    struct qn_span *plain = NULL;
    size_t n_plain = 0;
    struct qn_buf full;
    qn_arena_init(&arena, e->allocator);
    qn_buf_init(&full, e->allocator);
    qn_buf_clear(&e->text);
    enum qn_status status = with_tokens(e, &full, &arena, context, err);
    if (status == QN_OK)
        status = qn_engine_render(e, &e->text, &arena, &plain, &n_plain, qn_buf_view(&full), err);
    qn_buf_free(&full);
    qn_arena_free(&arena);
    return status == QN_OK ? answer(e, out, err) : status;
}
