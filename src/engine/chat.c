#include "engine/chat.h"

#include <string.h>

#include "base/num.h"

#define MAX_STOPS 16
#define MAX_BIAS 1024
#define MAX_REQUEST (64u << 20)

struct parser {
    struct qn_chat *out;
    struct qn_arena *arena;
    const struct qn_chat_defaults *defaults;
    struct qn_error *err;
    struct qn_buf *context;
    struct qn_json_value root;
    bool has_messages;
};

static enum qn_status bad(struct parser *p, const char *field, const char *expected) {
    return qn_fail(p->err, QN_E_ARGUMENT, "request field %s: expected %s", field, expected);
}

static enum qn_status out_of_memory(struct parser *p) {
    return qn_fail(p->err, QN_E_NO_MEMORY, "a chat request");
}

static bool is_null(struct qn_json_value v) {
    return qn_json_type(v) == QN_JSON_NULL;
}

/* The text of a value as it stands in the request. */
static struct qn_str source_of(struct qn_json_value v) {
    const struct qn_json *json = v.json;
    const struct qn_json_node *node = &json->nodes[v.at];
    size_t begin = node->begin;
    switch (qn_json_type(v)) {
    case QN_JSON_STRING: // begin is after the quote
        return qn_str_slice(json->text, begin - 1, begin + node->count + 1);
    case QN_JSON_NUMBER:
        return qn_str_slice(json->text, begin, begin + node->count);
    case QN_JSON_NULL:
        return QN_STR("null");
    case QN_JSON_TRUE:
        return QN_STR("true");
    case QN_JSON_FALSE:
        return QN_STR("false");
    default:
        return (struct qn_str){0};
    }
}

/* Writes a value back as JSON. Depth is the document's, at most 64. */
static void write_value(struct qn_buf *buf, struct qn_json_value v, uint32_t depth) {
    enum qn_json_type type = qn_json_type(v);
    if (depth > 64 || (type != QN_JSON_ARRAY && type != QN_JSON_OBJECT)) {
        qn_buf_str(buf, source_of(v));
        return;
    }
    qn_buf_char(buf, type == QN_JSON_ARRAY ? '[' : '{');
    struct qn_json_iter it = qn_json_iterate(v);
    bool first = true;
    while (qn_json_each(&it)) {
        if (!first)
            qn_buf_char(buf, ',');
        first = false;
        if (type == QN_JSON_OBJECT) {
            qn_buf_str(buf, source_of(it.key));
            qn_buf_char(buf, ':');
        }
        write_value(buf, it.value, depth + 1);
    }
    qn_buf_char(buf, type == QN_JSON_ARRAY ? ']' : '}');
}

/* ---- messages -------------------------------------------------------------------------------- */

/* Content as a string: OpenAI allows a list of parts, of which this engine takes text. Only an
 * answer may have none. */
static enum qn_status write_content(struct parser *p, struct qn_json_value content, bool answer) {
    enum qn_json_type type = qn_json_type(content);
    if (type == QN_JSON_STRING || (type == QN_JSON_NULL && answer)) {
        qn_buf_str(p->context, qn_json_exists(content) ? source_of(content) : QN_STR("null"));
        return QN_OK;
    }
    if (type != QN_JSON_ARRAY)
        return bad(p, "messages[].content", "a string or a list of parts");
    qn_buf_char(p->context, '"');
    struct qn_json_iter it = qn_json_iterate(content);
    while (qn_json_each(&it)) {
        if (qn_json_type(qn_json_get(it.value, "type")) != QN_JSON_STRING)
            return bad(p, "messages[].content[].type", "a string");
        if (!qn_json_string_is(qn_json_get(it.value, "type"), "text"))
            return qn_fail(p->err, QN_E_UNSUPPORTED,
                           "a message part of type \"%.*s\"; this model reads text only",
                           QN_STR_ARG(qn_json_raw(qn_json_get(it.value, "type"))));
        struct qn_json_value text = qn_json_get(it.value, "text");
        if (qn_json_type(text) != QN_JSON_STRING)
            return bad(p, "messages[].content[].text", "a string");
        qn_buf_str(p->context, qn_json_raw(text)); // escapes and all: the target is JSON too
    }
    qn_buf_char(p->context, '"');
    return QN_OK;
}

static enum qn_status write_message(struct parser *p, struct qn_json_value message) {
    if (qn_json_type(message) != QN_JSON_OBJECT)
        return bad(p, "messages[]", "an object with role and content");
    struct qn_json_value role = qn_json_get(message, "role");
    static const char *const roles[] = {"system", "developer", "user", "assistant", "tool"};
    bool known = false;
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        known = known || qn_json_string_is(role, roles[i]);
    if (!known)
        return bad(p, "messages[].role", "\"system\", \"user\", \"assistant\" or \"tool\"");
    /* OpenAI renamed "system" to "developer"; templates know the old name. */
    qn_buf_cstr(p->context, "{\"role\":");
    if (qn_json_string_is(role, "developer"))
        qn_buf_cstr(p->context, "\"system\"");
    else
        qn_buf_str(p->context, source_of(role));
    qn_buf_cstr(p->context, ",\"content\":");
    QN_TRY(write_content(p, qn_json_get(message, "content"), qn_json_string_is(role, "assistant")));
    struct qn_json_iter it = qn_json_iterate(message);
    while (qn_json_each(&it)) {
        if (qn_json_string_is(it.key, "role") || qn_json_string_is(it.key, "content"))
            continue;
        qn_buf_char(p->context, ',');
        qn_buf_str(p->context, source_of(it.key));
        qn_buf_char(p->context, ':');
        write_value(p->context, it.value, 0);
    }
    qn_buf_char(p->context, '}');
    return QN_OK;
}

static enum qn_status field_messages(struct parser *p, struct qn_json_value v, const char *name) {
    if (qn_json_type(v) != QN_JSON_ARRAY || qn_json_count(v) == 0)
        return bad(p, name, "a list with at least one message");
    qn_buf_cstr(p->context, ",\"messages\":[");
    struct qn_json_iter it = qn_json_iterate(v);
    for (bool first = true; qn_json_each(&it); first = false) {
        if (!first)
            qn_buf_char(p->context, ',');
        QN_TRY(write_message(p, it.value));
    }
    qn_buf_char(p->context, ']');
    p->has_messages = true;
    return QN_OK;
}

/* ---- other fields ---------------------------------------------------------------------------- */

static enum qn_status number(struct parser *p, float *out, struct qn_json_value v, const char *name,
                             double low, double high) {
    double value = 0;
    if (!qn_json_f64(&value, v) || !(value >= low && value <= high))
        return qn_fail(p->err, QN_E_ARGUMENT, "request field %s: expected a number from %g to %g",
                       name, low, high);
    *out = (float)value;
    return QN_OK;
}

static enum qn_status field_temperature(struct parser *p, struct qn_json_value v, const char *n) {
    return number(p, &p->out->sampling.temperature, v, n, 0, 2);
}
/* 0 asks for the likeliest token alone; qn_sampling's 0 would turn the filter off. */
static enum qn_status field_top_p(struct parser *p, struct qn_json_value v, const char *n) {
    QN_TRY(number(p, &p->out->sampling.top_p, v, n, 0, 1));
    if (p->out->sampling.top_p <= 0)
        p->out->sampling.top_p = 1e-9f;
    return QN_OK;
}
static enum qn_status field_min_p(struct parser *p, struct qn_json_value v, const char *n) {
    return number(p, &p->out->sampling.min_p, v, n, 0, 1);
}
static enum qn_status field_repetition(struct parser *p, struct qn_json_value v, const char *n) {
    return number(p, &p->out->sampling.repetition_penalty, v, n, 0.01, 100);
}
static enum qn_status field_frequency(struct parser *p, struct qn_json_value v, const char *n) {
    return number(p, &p->out->sampling.frequency_penalty, v, n, -2, 2);
}
static enum qn_status field_presence(struct parser *p, struct qn_json_value v, const char *n) {
    return number(p, &p->out->sampling.presence_penalty, v, n, -2, 2);
}

static enum qn_status field_top_k(struct parser *p, struct qn_json_value v, const char *name) {
    if (!qn_json_u32(&p->out->sampling.top_k, v))
        return bad(p, name, "a whole number, 0 or more");
    return QN_OK;
}

static enum qn_status field_max_tokens(struct parser *p, struct qn_json_value v, const char *name) {
    if (!qn_json_u32(&p->out->max_tokens, v) || p->out->max_tokens == 0)
        return bad(p, name, "a whole number, 1 or more");
    return QN_OK;
}

static enum qn_status field_seed(struct parser *p, struct qn_json_value v, const char *name) {
    int64_t seed = 0;
    if (!qn_json_i64(&seed, v))
        return bad(p, name, "a whole number");
    p->out->sampling.seed = (uint64_t)seed;
    return QN_OK;
}

static enum qn_status field_stop(struct parser *p, struct qn_json_value v, const char *name) {
    bool one = qn_json_type(v) == QN_JSON_STRING;
    uint32_t n = one ? 1 : qn_json_count(v);
    if ((!one && qn_json_type(v) != QN_JSON_ARRAY) || n > MAX_STOPS)
        return bad(p, name, "a string or a list of at most 16 strings");
    p->out->stops = QN_ARENA_NEW(p->arena, struct qn_str, n);
    if (!p->out->stops)
        return out_of_memory(p);
    struct qn_json_iter it = qn_json_iterate(v);
    for (uint32_t i = 0; i < n; i++) {
        struct qn_json_value item = one ? v : (qn_json_each(&it), it.value);
        struct qn_str *stop = &p->out->stops[i];
        if (qn_json_type(item) != QN_JSON_STRING)
            return bad(p, name, "a string or a list of at most 16 strings");
        if (!qn_json_string(stop, p->arena, item))
            return out_of_memory(p);
        if (stop->n == 0)
            return bad(p, name, "strings that are not empty");
    }
    p->out->n_stops = n;
    return QN_OK;
}

static enum qn_status field_logit_bias(struct parser *p, struct qn_json_value v, const char *name) {
    uint32_t n = qn_json_count(v);
    if (qn_json_type(v) != QN_JSON_OBJECT || n > MAX_BIAS)
        return bad(p, name, "an object of at most 1024 token ids with numbers from -100 to 100");
    uint32_t *ids = QN_ARENA_NEW(p->arena, uint32_t, n);
    float *bias = QN_ARENA_NEW(p->arena, float, n);
    if (!ids || !bias)
        return out_of_memory(p);
    struct qn_json_iter it = qn_json_iterate(v);
    for (uint32_t i = 0; qn_json_each(&it); i++) {
        uint64_t id = 0;
        if (!qn_str_to_u64(&id, qn_json_raw(it.key)) || !qn_u64_to_u32(&ids[i], id))
            return bad(p, name, "token ids as keys");
        QN_TRY(number(p, &bias[i], it.value, name, -100, 100));
    }
    p->out->sampling.bias_ids = ids;
    p->out->sampling.bias = bias;
    p->out->sampling.n_bias = n;
    return QN_OK;
}

static enum qn_status field_one(struct parser *p, struct qn_json_value v, const char *name) {
    uint32_t n = 0;
    if (!qn_json_u32(&n, v) || n == 0)
        return bad(p, name, "a whole number, 1 or more");
    if (n != 1)
        return qn_fail(p->err, QN_E_UNSUPPORTED, "request field %s: %u choices, only 1", name, n);
    return QN_OK;
}

static enum qn_status field_false(struct parser *p, struct qn_json_value v, const char *name) {
    bool on = false;
    if (!qn_json_bool(&on, v))
        return bad(p, name, "true or false");
    if (on)
        return qn_fail(p->err, QN_E_UNSUPPORTED, "request field %s", name);
    return QN_OK;
}

static enum qn_status field_response_format(struct parser *p, struct qn_json_value v,
                                            const char *name) {
    struct qn_json_value type = qn_json_get(v, "type");
    if (qn_json_type(type) != QN_JSON_STRING)
        return bad(p, name, "an object with a type");
    if (!qn_json_string_is(type, "text"))
        return qn_fail(p->err, QN_E_UNSUPPORTED, "request field %s of type \"%.*s\", only \"text\"",
                       name, QN_STR_ARG(qn_json_raw(type)));
    return QN_OK;
}

/* Variables for the template: {"enable_thinking": false}. They cannot replace what the request
 * says. */
static enum qn_status field_kwargs(struct parser *p, struct qn_json_value v, const char *name) {
    if (qn_json_type(v) != QN_JSON_OBJECT)
        return bad(p, name, "an object");
    static const char *const own[] = {"messages", "bos_token", "eos_token"};
    struct qn_json_iter it = qn_json_iterate(v);
    while (qn_json_each(&it)) {
        for (size_t i = 0; i < sizeof own / sizeof *own; i++)
            if (qn_json_string_is(it.key, own[i]))
                return qn_fail(p->err, QN_E_ARGUMENT, "request field %s: %s is set elsewhere", name,
                               own[i]);
        qn_buf_char(p->context, ',');
        qn_buf_str(p->context, source_of(it.key));
        qn_buf_char(p->context, ':');
        write_value(p->context, it.value, 0);
    }
    return QN_OK;
}

static enum qn_status field_ignored(struct parser *p, struct qn_json_value v, const char *name) {
    (void)p, (void)v, (void)name;
    return QN_OK;
}

static enum qn_status field_refused(struct parser *p, struct qn_json_value v, const char *name) {
    (void)v;
    return qn_fail(p->err, QN_E_UNSUPPORTED, "request field %s", name);
}

struct field {
    const char *name;
    enum qn_status (*take)(struct parser *p, struct qn_json_value v, const char *name);
};

/* model, stream and stream_options are JavaScript's; user, metadata, store and the like only
 * concern a server's books. */
static const struct field fields[] = {
    {"messages", field_messages},
    {"temperature", field_temperature},
    {"top_p", field_top_p},
    {"top_k", field_top_k},
    {"min_p", field_min_p},
    {"repetition_penalty", field_repetition},
    {"frequency_penalty", field_frequency},
    {"presence_penalty", field_presence},
    {"max_tokens", field_max_tokens},
    {"max_completion_tokens", field_max_tokens},
    {"seed", field_seed},
    {"stop", field_stop},
    {"logit_bias", field_logit_bias},
    {"n", field_one},
    {"logprobs", field_false},
    {"response_format", field_response_format},
    {"chat_template_kwargs", field_kwargs},
    {"model", field_ignored},
    {"stream", field_ignored},
    {"stream_options", field_ignored},
    {"user", field_ignored},
    {"metadata", field_ignored},
    {"store", field_ignored},
    {"service_tier", field_ignored},
    {"safety_identifier", field_ignored},
    {"prompt_cache_key", field_ignored},
    {"tools", field_refused},
    {"tool_choice", field_refused},
    {"parallel_tool_calls", field_refused},
    {"functions", field_refused},
    {"function_call", field_refused},
    {"top_logprobs", field_refused},
    {"audio", field_refused},
    {"modalities", field_refused},
    {"prediction", field_refused},
    {"reasoning_effort", field_refused},
    {"verbosity", field_refused},
    {"web_search_options", field_refused},
};

static enum qn_status take_field(struct parser *p, struct qn_json_value key,
                                 struct qn_json_value value) {
    struct qn_str name = qn_json_raw(key);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (qn_str_is(name, fields[i].name))
            /* OpenAI's SDKs send null for what is not set. */
            return is_null(value) ? QN_OK : fields[i].take(p, value, fields[i].name);
    return qn_fail(p->err, QN_E_UNSUPPORTED, "request field \"%.*s\" is not known",
                   QN_STR_ARG(name));
}

static enum qn_status parse_fields(struct parser *p) {
    qn_buf_cstr(p->context, "{\"bos_token\":");
    qn_buf_json_str(p->context, p->defaults->bos_token);
    qn_buf_cstr(p->context, ",\"eos_token\":");
    qn_buf_json_str(p->context, p->defaults->eos_token);
    qn_buf_cstr(p->context, ",\"add_generation_prompt\":true");
    struct qn_json_iter it = qn_json_iterate(p->root);
    while (qn_json_each(&it))
        QN_TRY(take_field(p, it.key, it.value));
    if (!p->has_messages)
        return bad(p, "messages", "a list with at least one message");
    qn_buf_char(p->context, '}');
    if (p->context->failed)
        return out_of_memory(p);
    p->out->context = qn_str_copy(p->arena, qn_buf_view(p->context));
    return p->out->context.p ? QN_OK : out_of_memory(p);
}

enum qn_status qn_chat_parse(struct qn_chat *out, struct qn_arena *arena, struct qn_str request,
                             const struct qn_chat_defaults *defaults, struct qn_error *err) {
    if (request.n > MAX_REQUEST)
        return qn_fail(err, QN_E_LIMIT, "a request of %zu bytes", request.n);
    struct qn_json json;
    QN_TRY(qn_json_parse(&json, arena, request, err));
    struct qn_buf context;
    qn_buf_init(&context, arena->allocator);
    memset(out, 0, sizeof *out);
    out->sampling = defaults->sampling;
    out->max_tokens = defaults->max_tokens;
    struct parser p = {out, arena, defaults, err, &context, qn_json_root(&json), false};
    enum qn_status status = qn_json_type(p.root) == QN_JSON_OBJECT
                                ? parse_fields(&p)
                                : qn_fail(err, QN_E_ARGUMENT, "the request is not a JSON object");
    qn_buf_free(&context);
    return status;
}
