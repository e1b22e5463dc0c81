/* Messages, tools and answer forms of a request → variables of the template. */

#include "engine/chat_parts.h"

/* ---- messages -------------------------------------------------------------------------------- */

/* Content as a string: OpenAI allows a list of parts, of which this engine takes text. */
static enum qn_status write_content(struct qn_chat_reader *r, struct qn_json_value content,
                                    bool answer) {
    enum qn_json_type type = qn_json_type(content);
    if (type == QN_JSON_STRING) {
        qn_json_write(r->context, content);
        return QN_OK;
    }
    if (type != QN_JSON_ARRAY)
        return qn_chat_expected(r, "messages[].content", "a string or a list of parts");
    qn_buf_char(r->context, '"');
    struct qn_json_iter it = qn_json_iterate(content);
    while (qn_json_each(&it)) {
        struct qn_json_value kind = qn_json_get(it.value, "type");
        if (qn_json_type(kind) != QN_JSON_STRING)
            return qn_chat_expected(r, "messages[].content[].type", "a string");
        bool refusal = answer && qn_json_string_is(kind, "refusal");
        if (!refusal && !qn_json_string_is(kind, "text"))
            return qn_fail(r->err, QN_E_UNSUPPORTED,
                           "a message part of type \"%.*s\"; this model reads text only",
                           QN_STR_ARG(qn_json_raw(kind)));
        struct qn_json_value text = qn_json_get(it.value, refusal ? "refusal" : "text");
        if (qn_json_type(text) != QN_JSON_STRING)
            return qn_chat_expected(r, "messages[].content[].text", "a string");
        qn_buf_str(r->context, qn_json_raw(text)); // escapes and all: the target is JSON too
    }
    qn_buf_char(r->context, '"');
    return QN_OK;
}

/* Arguments come as JSON in a string. Nearly all templates want the object itself; some join the
 * string. Text that is no JSON object, which a model may have made, stays a string. */
static enum qn_status write_arguments(struct qn_chat_reader *r, struct qn_json_value v) {
    struct qn_str text;
    struct qn_json json;
    if (qn_json_type(v) == QN_JSON_OBJECT && r->defaults->argument_strings) {
        struct qn_buf source;
        qn_buf_init(&source, r->arena->allocator);
        qn_json_write(&source, v);
        qn_buf_json_str(r->context, qn_buf_view(&source));
        r->context->failed = r->context->failed || source.failed;
        qn_buf_free(&source);
        return QN_OK;
    }
    if (qn_json_type(v) != QN_JSON_STRING && qn_json_type(v) != QN_JSON_OBJECT)
        return qn_chat_expected(r, "messages[].tool_calls[].function.arguments", "a JSON text");
    if (qn_json_type(v) == QN_JSON_STRING && !r->defaults->argument_strings) {
        if (!qn_json_string(&text, r->arena, v))
            return qn_chat_no_memory(r);
        struct qn_error ignored;
        if (text.n == 0)
            text = QN_STR("{}");
        enum qn_status status = qn_json_parse(&json, r->arena, text, &ignored);
        if (status == QN_E_NO_MEMORY)
            return qn_chat_no_memory(r);
        if (status == QN_OK && qn_json_type(qn_json_root(&json)) == QN_JSON_OBJECT)
            v = qn_json_root(&json);
    }
    qn_json_write(r->context, v);
    return QN_OK;
}

static enum qn_status write_calls(struct qn_chat_reader *r, struct qn_json_value calls) {
    if (qn_json_type(calls) != QN_JSON_ARRAY)
        return qn_chat_expected(r, "messages[].tool_calls", "a list");
    qn_buf_cstr(r->context, ",\"tool_calls\":[");
    struct qn_json_iter it = qn_json_iterate(calls);
    for (bool first = true; qn_json_each(&it); first = false) {
        struct qn_json_value function = qn_json_get(it.value, "function");
        if (qn_json_type(qn_json_get(function, "name")) != QN_JSON_STRING)
            return qn_chat_expected(r, "messages[].tool_calls[].function.name", "a string");
        qn_buf_cstr(r->context, first ? "{\"type\":\"function\"" : ",{\"type\":\"function\"");
        struct qn_json_value id = qn_json_get(it.value, "id");
        if (qn_json_type(id) == QN_JSON_STRING) {
            qn_buf_cstr(r->context, ",\"id\":");
            qn_json_write(r->context, id);
        }
        qn_buf_cstr(r->context, ",\"function\":{\"name\":");
        qn_json_write(r->context, qn_json_get(function, "name"));
        qn_buf_cstr(r->context, ",\"arguments\":");
        QN_TRY(write_arguments(r, qn_json_get(function, "arguments")));
        qn_buf_cstr(r->context, "}}");
    }
    qn_buf_char(r->context, ']');
    return QN_OK;
}

static enum qn_status write_message(struct qn_chat_reader *r, struct qn_json_value message) {
    if (qn_json_type(message) != QN_JSON_OBJECT)
        return qn_chat_expected(r, "messages[]", "an object with role and content");
    struct qn_json_value role = qn_json_get(message, "role");
    static const char *const roles[] = {"system", "developer", "user", "assistant", "tool"};
    bool known = false;
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        known = known || qn_json_string_is(role, roles[i]);
    if (!known)
        return qn_chat_expected(r, "messages[].role",
                                "\"system\", \"user\", \"assistant\" or \"tool\"");
    bool answer = qn_json_string_is(role, "assistant");
    /* OpenAI renamed "system" to "developer"; templates know the old name. */
    qn_buf_cstr(r->context, "{\"role\":");
    if (qn_json_string_is(role, "developer"))
        qn_buf_cstr(r->context, "\"system\"");
    else
        qn_buf_str(r->context, qn_json_source(role));
    qn_buf_cstr(r->context, ",\"content\":");
    struct qn_json_value content = qn_json_get(message, "content");
    bool calls = answer && qn_json_count(qn_json_get(message, "tool_calls")) > 0;
    bool none = qn_json_type(content) == QN_JSON_NULL || qn_json_string_is(content, "");
    if (answer && none) // templates agree on neither of the two ways to say nothing
        qn_buf_cstr(r->context, calls && !r->defaults->empty_content ? "null" : "\"\"");
    else
        QN_TRY(write_content(r, content, answer));
    struct qn_json_iter it = qn_json_iterate(message);
    while (qn_json_each(&it)) {
        /* Templates ask whether a member is there at all; SDKs send null and empty lists. */
        if (qn_json_string_is(it.key, "role") || qn_json_string_is(it.key, "content") ||
            qn_json_type(it.value) == QN_JSON_NULL)
            continue;
        if (qn_json_string_is(it.key, "tool_calls")) {
            if (!answer)
                return qn_chat_expected(r, "messages[].tool_calls", "role \"assistant\" with them");
            if (qn_json_type(it.value) != QN_JSON_ARRAY || qn_json_count(it.value) > 0)
                QN_TRY(write_calls(r, it.value));
            continue;
        }
        qn_chat_write_member(r->context, it.key, it.value);
    }
    qn_buf_char(r->context, '}');
    return QN_OK;
}

enum qn_status qn_chat_messages(struct qn_chat_reader *r, struct qn_json_value v,
                                const char *name) {
    if (qn_json_type(v) != QN_JSON_ARRAY || qn_json_count(v) == 0)
        return qn_chat_expected(r, name, "a list with at least one message");
    qn_buf_cstr(r->context, ",\"messages\":[");
    struct qn_json_iter it = qn_json_iterate(v);
    for (bool first = true; qn_json_each(&it); first = false) {
        if (!first)
            qn_buf_char(r->context, ',');
        QN_TRY(write_message(r, it.value));
        r->answer_last = qn_json_string_is(qn_json_get(it.value, "role"), "assistant");
    }
    qn_buf_char(r->context, ']');
    r->has_input = true;
    return QN_OK;
}

/* ---- tools ----------------------------------------------------------------------------------- */

static bool good_name(struct qn_json_value v) {
    struct qn_str s = qn_json_raw(v);
    if (qn_json_type(v) != QN_JSON_STRING || s.n == 0 || s.n > 64)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] >= '0' && s.p[i] <= '9') || ((s.p[i] | 32) >= 'a' && (s.p[i] | 32) <= 'z') ||
              s.p[i] == '_' || s.p[i] == '-'))
            return false;
    return true;
}

enum qn_status qn_chat_tools(struct qn_chat_reader *r, struct qn_json_value v, const char *name) {
    if (qn_json_type(v) != QN_JSON_ARRAY || qn_json_count(v) > 128)
        return qn_chat_expected(r, name, "a list of at most 128 tools");
    struct qn_json_iter it = qn_json_iterate(v);
    while (qn_json_each(&it)) {
        struct qn_json_value type = qn_json_get(it.value, "type");
        struct qn_json_value function = qn_json_get(it.value, "function");
        if (qn_json_type(type) == QN_JSON_STRING && !qn_json_string_is(type, "function"))
            return qn_fail(r->err, QN_E_UNSUPPORTED, "a tool of type \"%.*s\", only \"function\"",
                           QN_STR_ARG(qn_json_raw(type)));
        if (!good_name(qn_json_get(function, "name")))
            return qn_chat_expected(r, "tools[].function.name",
                                    "1 to 64 letters, digits, underscores and dashes");
        struct qn_json_value parameters = qn_json_get(function, "parameters");
        if (qn_json_type(parameters) != QN_JSON_NULL && qn_json_type(parameters) != QN_JSON_OBJECT)
            return qn_chat_expected(r, "tools[].function.parameters", "a JSON schema");
    }
    if (qn_json_count(v) == 0)
        return QN_OK;
    if (!r->defaults->tools)
        return qn_fail(r->err, QN_E_UNSUPPORTED,
                       "request field tools: this model's template has no form for them");
    r->out->tools = v;
    return QN_OK;
}

void qn_chat_write_tools(struct qn_buf *buf, struct qn_json_value tools) {
    qn_buf_char(buf, '[');
    struct qn_json_iter it = qn_json_iterate(tools);
    for (bool first = true; qn_json_each(&it); first = false) {
        qn_buf_cstr(buf, first ? "{\"type\":\"function\",\"function\":{\"name\":"
                               : ",{\"type\":\"function\",\"function\":{\"name\":");
        struct qn_json_value function = qn_json_get(it.value, "function");
        struct qn_json_value parameters = qn_json_get(function, "parameters");
        qn_json_write(buf, qn_json_get(function, "name"));
        qn_buf_cstr(buf, ",\"description\":");
        struct qn_json_value text = qn_json_get(function, "description");
        qn_buf_str(buf,
                   qn_json_type(text) == QN_JSON_STRING ? qn_json_source(text) : QN_STR("\"\""));
        qn_buf_cstr(buf, ",\"parameters\":");
        if (qn_json_type(parameters) == QN_JSON_OBJECT)
            qn_json_write(buf, parameters);
        else
            qn_buf_cstr(buf, "{\"type\":\"object\",\"properties\":{}}");
        struct qn_json_iter rest = qn_json_iterate(function);
        while (qn_json_each(&rest)) {
            if (qn_json_string_is(rest.key, "name") || qn_json_string_is(rest.key, "description") ||
                qn_json_string_is(rest.key, "parameters") ||
                qn_json_type(rest.value) == QN_JSON_NULL)
                continue;
            qn_chat_write_member(buf, rest.key, rest.value);
        }
        qn_buf_cstr(buf, "}}");
    }
    qn_buf_char(buf, ']');
}

enum qn_status qn_chat_tool_choice(struct qn_chat_reader *r, struct qn_json_value v,
                                   const char *name) {
    static const char *const words[] = {"auto", "none", "required"};
    for (uint32_t i = 0; i < 3; i++)
        if (qn_json_string_is(v, words[i])) {
            r->out->tool_choice = (enum qn_tool_choice)i;
            return QN_OK;
        }
    struct qn_json_value chosen = qn_json_get(qn_json_get(v, "function"), "name");
    if (!qn_json_string_is(qn_json_get(v, "type"), "function") || !good_name(chosen))
        return qn_chat_expected(
            r, name, "\"auto\", \"none\", \"required\" or {type: \"function\", function: {name}}");
    r->out->tool_choice = QN_TOOLS_NAMED;
    r->out->tool_name = qn_json_raw(chosen);
    return QN_OK;
}

/* ---- the form of the answer ------------------------------------------------------------------ */

/* A member that may be JSON or JSON in a string (WebLLM's way), as text. */
static enum qn_status take_text(struct qn_chat_reader *r, struct qn_json_value v, bool json,
                                const char *name) {
    if (qn_json_type(v) == QN_JSON_STRING)
        return qn_json_string(&r->out->form, r->arena, v) ? QN_OK : qn_chat_no_memory(r);
    if (!json || (qn_json_type(v) != QN_JSON_OBJECT && qn_json_type(v) != QN_JSON_TRUE))
        return qn_chat_expected(r, name, json ? "a JSON schema" : "a text");
    struct qn_buf buf;
    qn_buf_init(&buf, r->arena->allocator);
    qn_json_write(&buf, v);
    r->out->form = buf.failed ? (struct qn_str){0} : qn_str_copy(r->arena, qn_buf_view(&buf));
    qn_buf_free(&buf);
    return r->out->form.p ? QN_OK : qn_chat_no_memory(r);
}

enum qn_status qn_chat_response_format(struct qn_chat_reader *r, struct qn_json_value v,
                                       const char *name) {
    struct qn_json_value type = qn_json_get(v, "type");
    if (qn_json_type(type) != QN_JSON_STRING)
        return qn_chat_expected(r, name, "an object with a type");
    static const struct {
        const char *type, *member, *label;
        enum qn_answer_form kind;
    } forms[] = {
        {"regex", "regex", "response_format.regex", QN_ANSWER_REGEX},
        {"regex", "pattern", "response_format.pattern", QN_ANSWER_REGEX},
        {"grammar", "grammar", "response_format.grammar", QN_ANSWER_GRAMMAR},
        {"json_object", "schema", "response_format.schema", QN_ANSWER_SCHEMA},
    };
    r->out->form_kind = QN_ANSWER_TEXT;
    if (qn_json_string_is(type, "text"))
        return QN_OK;
    if (qn_json_string_is(type, "json_schema")) {
        struct qn_json_value schema = qn_json_get(qn_json_get(v, "json_schema"), "schema");
        r->out->form_kind = QN_ANSWER_SCHEMA;
        return take_text(r, schema, true, "response_format.json_schema.schema");
    }
    const char *missing = NULL;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (!qn_json_string_is(type, forms[i].type))
            continue;
        missing = forms[i].label;
        struct qn_json_value member = qn_json_get(v, forms[i].member);
        if (qn_json_type(member) == QN_JSON_NULL)
            continue;
        r->out->form_kind = forms[i].kind;
        return take_text(r, member, forms[i].kind == QN_ANSWER_SCHEMA, forms[i].label);
    }
    if (qn_json_string_is(type, "json_object")) {
        r->out->form_kind = QN_ANSWER_JSON;
        return QN_OK;
    }
    if (missing)
        return qn_chat_expected(r, missing, "a text");
    return qn_fail(r->err, QN_E_UNSUPPORTED,
                   "request field %s of type \"%.*s\", only \"text\", \"json_object\", "
                   "\"json_schema\", \"regex\" or \"grammar\"",
                   name, QN_STR_ARG(qn_json_raw(type)));
}
