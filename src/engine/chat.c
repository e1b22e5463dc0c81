/* The fields of a request: one table for all of OpenAI's text endpoints. */
#include <stddef.h>
#include <string.h>

#include "base/num.h"
#include "engine/chat_parts.h"

#define MAX_STOPS 16
#define MAX_BIAS 1024
#define MAX_REQUEST (64u << 20)

enum kind {
    NUMBER, // float
    WHOLE,  // uint32_t
    FLAG,   // bool
    READ,   // by a function
    ECHOED, // a caller's own matter: any value
    NEVER,
};

typedef enum qn_status read_fn(struct qn_chat_reader *r, struct qn_json_value v, const char *name);

struct field {
    const char *name;
    uint8_t apis, kind;
    uint16_t at; // NUMBER, WHOLE, FLAG: offset in struct qn_chat
    double low, high;
    read_fn *read;
};

static enum qn_status number(struct qn_chat_reader *r, float *out, struct qn_json_value v,
                             const char *name, double low, double high) {
    double value = 0;
    if (!qn_json_f64(&value, v) || !(value >= low && value <= high))
        return qn_fail(r->err, QN_E_ARGUMENT, "request field %s: expected a number from %g to %g",
                       name, low, high);
    *out = (float)value;
    return QN_OK;
}

static enum qn_status whole(struct qn_chat_reader *r, uint32_t *out, struct qn_json_value v,
                            const char *name, double low, double high) {
    uint32_t value = 0;
    if (!qn_json_u32(&value, v) || !(value >= low && value <= high))
        return qn_fail(r->err, QN_E_ARGUMENT,
                       high < UINT32_MAX ? "request field %s: expected a whole number from %g to %g"
                                         : "request field %s: expected a whole number, %g or more",
                       name, low, high);
    *out = value;
    return QN_OK;
}

/* 0 asks for the likeliest token alone; qn_sampling's 0 would turn the filter off. */
static enum qn_status read_top_p(struct qn_chat_reader *r, struct qn_json_value v,
                                 const char *name) {
    QN_TRY(number(r, &r->out->sampling.top_p, v, name, 0, 1));
    if (r->out->sampling.top_p <= 0)
        r->out->sampling.top_p = 1e-9f;
    return QN_OK;
}

/* What happens when the context is full. Dropping turns is the caller's: who wrote the messages
 * knows which may go. */
static enum qn_status read_overflow(struct qn_chat_reader *r, struct qn_json_value v,
                                    const char *name) {
    r->out->slide = qn_json_string_is(v, "slide");
    return r->out->slide || qn_json_string_is(v, "refuse")
               ? QN_OK
               : qn_chat_expected(r, name, "\"refuse\" or \"slide\"");
}

/* Hugging Face writes -1 where top-k is off. */
static enum qn_status read_top_k(struct qn_chat_reader *r, struct qn_json_value v,
                                 const char *name) {
    int64_t off = 0;
    if (qn_json_i64(&off, v) && off == -1) {
        r->out->sampling.top_k = 0;
        return QN_OK;
    }
    return whole(r, &r->out->sampling.top_k, v, name, 0, UINT32_MAX);
}

static enum qn_status read_seed(struct qn_chat_reader *r, struct qn_json_value v,
                                const char *name) {
    int64_t seed = 0;
    if (!qn_json_i64(&seed, v))
        return qn_chat_expected(r, name, "a whole number");
    r->out->sampling.seed = (uint64_t)seed;
    return QN_OK;
}

static enum qn_status read_stop(struct qn_chat_reader *r, struct qn_json_value v,
                                const char *name) {
    static const char what[] = "a string or a list of at most 16 strings, none of them empty";
    bool one = qn_json_type(v) == QN_JSON_STRING;
    uint32_t n = one ? 1 : qn_json_count(v);
    if ((!one && qn_json_type(v) != QN_JSON_ARRAY) || n > MAX_STOPS)
        return qn_chat_expected(r, name, what);
    r->out->stops = QN_ARENA_NEW(r->arena, struct qn_str, n);
    if (!r->out->stops)
        return qn_chat_no_memory(r);
    struct qn_json_iter it = qn_json_iterate(v);
    for (uint32_t i = 0; i < n; i++) {
        struct qn_json_value item = one ? v : (qn_json_each(&it), it.value);
        struct qn_str *stop = &r->out->stops[i];
        if (qn_json_type(item) != QN_JSON_STRING)
            return qn_chat_expected(r, name, what);
        if (!qn_json_string(stop, r->arena, item))
            return qn_chat_no_memory(r);
        if (stop->n == 0)
            return qn_chat_expected(r, name, what);
    }
    r->out->n_stops = n;
    return QN_OK;
}

static enum qn_status read_logit_bias(struct qn_chat_reader *r, struct qn_json_value v,
                                      const char *name) {
    uint32_t n = qn_json_count(v);
    if (qn_json_type(v) != QN_JSON_OBJECT || n > MAX_BIAS)
        return qn_chat_expected(
            r, name, "an object of at most 1024 token ids with numbers from -100 to 100");
    uint32_t *ids = QN_ARENA_NEW(r->arena, uint32_t, n);
    float *bias = QN_ARENA_NEW(r->arena, float, n);
    if (!ids || !bias)
        return qn_chat_no_memory(r);
    struct qn_json_iter it = qn_json_iterate(v);
    for (uint32_t i = 0; qn_json_each(&it); i++) {
        uint64_t id = 0;
        if (!qn_str_to_u64(&id, qn_json_raw(it.key)) || !qn_u64_to_u32(&ids[i], id))
            return qn_chat_expected(r, name, "token ids as keys");
        QN_TRY(number(r, &bias[i], it.value, name, -100, 100));
    }
    r->out->sampling.bias_ids = ids;
    r->out->sampling.bias = bias;
    r->out->sampling.n_bias = n;
    return QN_OK;
}

/* completions: how many of the most likely tokens; 0 tells of the sampled one only. */
static enum qn_status read_logprobs(struct qn_chat_reader *r, struct qn_json_value v,
                                    const char *name) {
    QN_TRY(whole(r, &r->out->top_logprobs, v, name, 0, 20));
    r->out->logprobs = true;
    return QN_OK;
}

static enum qn_status read_modalities(struct qn_chat_reader *r, struct qn_json_value v,
                                      const char *name) {
    struct qn_json_iter it = qn_json_iterate(v);
    if (qn_json_type(v) == QN_JSON_ARRAY && qn_json_count(v) == 1 && qn_json_each(&it) &&
        qn_json_string_is(it.value, "text"))
        return QN_OK;
    return qn_fail(r->err, QN_E_UNSUPPORTED, "request field %s, only [\"text\"]", name);
}

/* Which engine answers is chosen by who asks. */
static enum qn_status read_model(struct qn_chat_reader *r, struct qn_json_value v,
                                 const char *name) {
    return qn_json_type(v) == QN_JSON_STRING ? QN_OK : qn_chat_expected(r, name, "a text");
}

static enum qn_status read_prompt(struct qn_chat_reader *r, struct qn_json_value v,
                                  const char *name) {
    static const char what[] = "one text, or one list of token ids";
    r->has_input = true;
    if (qn_json_type(v) == QN_JSON_STRING)
        return qn_json_string(&r->out->prompt, r->arena, v) ? QN_OK : qn_chat_no_memory(r);
    if (qn_json_type(v) != QN_JSON_ARRAY)
        return qn_chat_expected(r, name, what);
    uint32_t n = qn_json_count(v);
    uint32_t *ids = QN_ARENA_NEW(r->arena, uint32_t, n);
    if (!ids)
        return qn_chat_no_memory(r);
    struct qn_json_iter it = qn_json_iterate(v);
    for (uint32_t i = 0; qn_json_each(&it); i++)
        if (!qn_json_u32(&ids[i], it.value))
            return qn_chat_expected(r, name, what);
    r->out->ids = ids;
    r->out->n_ids = n;
    return QN_OK;
}

static enum qn_status read_pooling(struct qn_chat_reader *r, struct qn_json_value v,
                                   const char *name) {
    r->out->pooling = qn_json_string_is(v, "mean")   ? QN_POOL_MEAN
                      : qn_json_string_is(v, "cls")  ? QN_POOL_CLS
                      : qn_json_string_is(v, "last") ? QN_POOL_LAST
                                                     : QN_POOL_MODEL;
    return r->out->pooling ? QN_OK : qn_chat_expected(r, name, "\"last\", \"mean\" or \"cls\"");
}

/* ---- the template's variables ---------------------------------------------------------------- */

static void set_variable(struct qn_chat_reader *r, const char *name, struct qn_json_value v) {
    qn_buf_format(r->context, ",\"%s\":", name);
    qn_json_write(r->context, v);
}

static bool template_reads(const struct qn_chat_reader *r, const char *variable) {
    return qn_str_find(r->defaults->template, qn_str_from(variable), 0) != SIZE_MAX;
}

/* {"enable_thinking": false}. They cannot replace what the request says. */
static enum qn_status read_kwargs(struct qn_chat_reader *r, struct qn_json_value v,
                                  const char *name) {
    if (qn_json_type(v) != QN_JSON_OBJECT)
        return qn_chat_expected(r, name, "an object");
    static const char *const own[] = {"messages", "tools", "bos_token", "eos_token"};
    struct qn_json_iter it = qn_json_iterate(v);
    while (qn_json_each(&it)) {
        for (size_t i = 0; i < sizeof own / sizeof *own; i++)
            if (qn_json_string_is(it.key, own[i]))
                return qn_fail(r->err, QN_E_ARGUMENT, "request field %s: %s is set elsewhere", name,
                               own[i]);
        qn_chat_write_member(r->context, it.key, it.value);
    }
    return QN_OK;
}

static enum qn_status read_thinking(struct qn_chat_reader *r, struct qn_json_value v,
                                    const char *name) {
    bool on = false;
    if (!qn_json_bool(&on, v))
        return qn_chat_expected(r, name, "true or false");
    set_variable(r, name, v);
    return QN_OK;
}

/* Templates know levels (gpt-oss), or a switch (Qwen3), or neither. */
static enum qn_status read_effort(struct qn_chat_reader *r, struct qn_json_value v,
                                  const char *name) {
    static const char *const levels[] = {"none", "minimal", "low", "medium", "high", "xhigh"};
    bool known = false;
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        known = known || qn_json_string_is(v, levels[i]);
    if (!known)
        return qn_chat_expected(r, name, "\"none\", \"minimal\", \"low\", \"medium\" or \"high\"");
    if (template_reads(r, name)) {
        set_variable(r, name, v);
        return QN_OK;
    }
    if (!template_reads(r, "enable_thinking"))
        return qn_fail(r->err, QN_E_UNSUPPORTED,
                       "request field %s: this model's template has no such switch", name);
    qn_buf_cstr(r->context, qn_json_string_is(v, "none") ? ",\"enable_thinking\":false"
                                                         : ",\"enable_thinking\":true");
    return QN_OK;
}

static read_fn read_extra;

/* ---- the table ------------------------------------------------------------------------------- */

#define C QN_API_CHAT
#define T QN_API_COMPLETION
#define E QN_API_EMBEDDING
#define AT(member) offsetof(struct qn_chat, member)
/* stream, n and echo are carried out by who asks: web/chat.js. What a server's books are kept by
 * (user, metadata, store, …) means nothing here and is taken as it comes. */
static const struct field fields[] = {
    {"messages", C, READ, .read = qn_chat_messages},
    {"prompt", T, READ, .read = read_prompt},
    {"input", E, READ, .read = read_prompt},
    {"temperature", C | T, NUMBER, AT(sampling.temperature), 0, 2},
    {"top_p", C | T, READ, .read = read_top_p},
    {"top_k", C | T, READ, .read = read_top_k},
    {"min_p", C | T, NUMBER, AT(sampling.min_p), 0, 1},
    {"repetition_penalty", C | T, NUMBER, AT(sampling.repetition_penalty), 0.01, 100},
    {"frequency_penalty", C | T, NUMBER, AT(sampling.frequency_penalty), -2, 2},
    {"presence_penalty", C | T, NUMBER, AT(sampling.presence_penalty), -2, 2},
    {"max_tokens", C, WHOLE, AT(max_tokens), 1, UINT32_MAX},
    {"max_tokens", T, WHOLE, AT(max_tokens), 0, UINT32_MAX},
    {"max_completion_tokens", C, WHOLE, AT(max_tokens), 1, UINT32_MAX},
    {"seed", C | T, READ, .read = read_seed},
    {"stop", C | T, READ, .read = read_stop},
    {"logit_bias", C | T, READ, .read = read_logit_bias},
    {"ignore_eos", C | T, FLAG, AT(ignore_eos)},
    {"overflow", C | T, READ, .read = read_overflow},
    {"attention_sinks", C | T, WHOLE, AT(sinks), 0, 1024},
    {"n", C | T, WHOLE, AT(choices), 1, 128},
    {"stream", C | T, FLAG, AT(stream)},
    {"echo", T, FLAG, AT(echo)},
    {"logprobs", C, FLAG, AT(logprobs)},
    {"top_logprobs", C, WHOLE, AT(top_logprobs), 0, 20},
    {"logprobs", T, READ, .read = read_logprobs},
    {"response_format", C | T, READ, .read = qn_chat_response_format},
    {"tools", C, READ, .read = qn_chat_tools},
    {"tool_choice", C, READ, .read = qn_chat_tool_choice},
    {"parallel_tool_calls", C, FLAG, AT(parallel_calls)},
    {"continue_final_message", C, FLAG, AT(continue_last)},
    {"chat_template_kwargs", C, READ, .read = read_kwargs},
    {"enable_thinking", C, READ, .read = read_thinking},
    {"reasoning_effort", C, READ, .read = read_effort},
    {"modalities", C, READ, .read = read_modalities},
    {"extra_body", C | T, READ, .read = read_extra},
    {"model", C | T | E, READ, .read = read_model},
    {"stream_options", C | T, ECHOED},
    {"user", C | T | E, ECHOED},
    {"metadata", C | T, ECHOED},
    {"store", C, ECHOED},
    {"service_tier", C, ECHOED},
    {"safety_identifier", C, ECHOED},
    {"prompt_cache_key", C, ECHOED},
    {"prompt_cache_retention", C, ECHOED},
    {"encoding_format", E, ECHOED},
    {"suffix", T, NEVER},
    {"best_of", T, NEVER},
    {"dimensions", E, WHOLE, AT(dimensions), 1, 1 << 20},
    {"pooling", E, READ, .read = read_pooling},
    {"functions", C, NEVER}, // replaced by tools years ago
    {"function_call", C, NEVER},
    {"audio", C, NEVER},
    {"prediction", C, NEVER},
    {"verbosity", C, NEVER},
    {"web_search_options", C, NEVER},
};
#undef C
#undef T
#undef E

static enum qn_status read_flag(struct qn_chat_reader *r, bool *out, struct qn_json_value v,
                                const char *name) {
    return qn_json_bool(out, v) ? QN_OK : qn_chat_expected(r, name, "true or false");
}

static enum qn_status read_field(struct qn_chat_reader *r, const struct field *f,
                                 struct qn_json_value v) {
    char *at = (char *)r->out + f->at;
    switch ((enum kind)f->kind) {
    case NUMBER:
        return number(r, (float *)(void *)at, v, f->name, f->low, f->high);
    case WHOLE:
        return whole(r, (uint32_t *)(void *)at, v, f->name, f->low, f->high);
    case FLAG:
        return read_flag(r, (bool *)(void *)at, v, f->name);
    case READ:
        return f->read(r, v, f->name);
    case ECHOED:
        return QN_OK;
    case NEVER:
        break;
    }
    return qn_fail(r->err, QN_E_UNSUPPORTED, "request field %s", f->name);
}

/* Every member of an object. OpenAI's SDKs send null for what is not set. */
static enum qn_status read_fields(struct qn_chat_reader *r, struct qn_json_value object) {
    struct qn_json_iter it = qn_json_iterate(object);
    while (qn_json_each(&it)) {
        const struct field *f = fields, *end = fields + sizeof fields / sizeof *fields;
        struct qn_str name = qn_json_raw(it.key);
        while (f < end && !((f->apis & r->api) && qn_str_is(name, f->name)))
            f++;
        if (f == end)
            return qn_fail(r->err, QN_E_UNSUPPORTED, "request field \"%.*s\" is not known",
                           QN_STR_ARG(name));
        if (qn_json_type(it.value) != QN_JSON_NULL)
            QN_TRY(read_field(r, f, it.value));
    }
    return QN_OK;
}

/* Members that OpenAI's own SDK would not send: they count as the request's. */
static enum qn_status read_extra(struct qn_chat_reader *r, struct qn_json_value v,
                                 const char *name) {
    if (qn_json_type(v) != QN_JSON_OBJECT || qn_json_exists(qn_json_get(v, name)))
        return qn_chat_expected(r, name, "an object without another one of that name");
    return read_fields(r, v);
}

static bool named_tool(const struct qn_chat *c) {
    struct qn_json_iter it = qn_json_iterate(c->tools);
    while (qn_json_each(&it))
        if (qn_str_eq(qn_json_raw(qn_json_get(qn_json_get(it.value, "function"), "name")),
                      c->tool_name))
            return true;
    return false;
}

static enum qn_status check_together(struct qn_chat_reader *r, struct qn_json_value root) {
    struct qn_chat *c = r->out;
    if (c->tool_choice == QN_TOOLS_NONE)
        c->tools = (struct qn_json_value){0}; // what is not to be called is not told of
    if (!r->has_input)
        return r->api == QN_API_CHAT
                   ? qn_chat_expected(r, "messages", "a list with at least one message")
                   : qn_chat_expected(r, r->api == QN_API_EMBEDDING ? "input" : "prompt", "a text");
    if (c->top_logprobs > 0 && !c->logprobs)
        return qn_chat_expected(r, "top_logprobs", "logprobs to be true with it");
    if (qn_json_type(qn_json_get(root, "max_tokens")) != QN_JSON_NULL &&
        qn_json_type(qn_json_get(root, "max_completion_tokens")) != QN_JSON_NULL)
        return qn_chat_expected(r, "max_tokens", "no max_completion_tokens beside it");
    if (c->tool_choice >= QN_TOOLS_REQUIRED && !qn_json_exists(c->tools))
        return qn_chat_expected(r, "tool_choice", "tools to choose from");
    if (qn_json_exists(c->tools) &&
        (c->form_kind == QN_ANSWER_REGEX || c->form_kind == QN_ANSWER_GRAMMAR))
        return qn_fail(r->err, QN_E_UNSUPPORTED,
                       "request field response_format of this type beside tools");
    if (c->continue_last && !r->answer_last)
        return qn_chat_expected(r, "continue_final_message", "an assistant's message as the last");
    if (c->tool_choice == QN_TOOLS_NAMED && !named_tool(c))
        return qn_chat_expected(r, "tool_choice", "the name of one of the tools");
    return QN_OK;
}

/* "</s>" or {"content": "</s>"}; the second as the first. */
static bool write_token(struct qn_buf *out, const char *before, struct qn_json_value v) {
    if (qn_json_type(v) == QN_JSON_OBJECT)
        v = qn_json_get(v, "content");
    if (qn_json_type(v) != QN_JSON_STRING)
        return false;
    qn_buf_cstr(out, before);
    qn_json_write(out, v);
    return true;
}

void qn_chat_write_tokens(struct qn_buf *out, struct qn_str bos, struct qn_str eos,
                          struct qn_json_value config) {
    static const char *const more[] = {",\"unk_token\":", ",\"sep_token\":", ",\"pad_token\":",
                                       ",\"cls_token\":", ",\"mask_token\":"};
    qn_buf_cstr(out, "{\"bos_token\":");
    qn_buf_json_str(out, bos);
    qn_buf_cstr(out, ",\"eos_token\":");
    qn_buf_json_str(out, eos);
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
        struct qn_str key = {more[i] + 2, strlen(more[i]) - 4};
        write_token(out, more[i], qn_json_get_str(config, key));
    }
    struct qn_json_iter it = qn_json_iterate(qn_json_get(config, "additional_special_tokens"));
    const char *before = ",\"additional_special_tokens\":[";
    while (qn_json_each(&it)) {
        if (write_token(out, before, it.value))
            before = ",";
    }
    if (before[1] == 0)
        qn_buf_char(out, ']');
}

static enum qn_status read_request(struct qn_chat_reader *r) {
    struct qn_json_value root = qn_json_root(&r->out->json);
    if (qn_json_type(root) != QN_JSON_OBJECT)
        return qn_fail(r->err, QN_E_ARGUMENT, "the request is not a JSON object");
    qn_chat_write_tokens(r->context, r->defaults->bos_token, r->defaults->eos_token,
                         r->defaults->tokens);
    QN_TRY(read_fields(r, root));
    QN_TRY(check_together(r, root));
    struct qn_chat *c = r->out;
    if (qn_json_exists(c->tools)) {
        qn_buf_cstr(r->context, ",\"tools\":");
        qn_chat_write_tools(r->context, c->tools);
    }
    qn_buf_format(r->context, ",\"add_generation_prompt\":%s}",
                  c->continue_last ? "false" : "true");
    if (r->context->failed)
        return qn_chat_no_memory(r);
    c->context = qn_str_copy(r->arena, qn_buf_view(r->context));
    return c->context.p ? QN_OK : qn_chat_no_memory(r);
}

enum qn_status qn_chat_parse(struct qn_chat *out, struct qn_arena *arena, enum qn_api api,
                             struct qn_str request, const struct qn_chat_defaults *defaults,
                             struct qn_error *err) {
    memset(out, 0, sizeof *out);
    if (request.n > MAX_REQUEST)
        return qn_fail(err, QN_E_LIMIT, "a request of %zu bytes", request.n);
    QN_TRY(qn_json_parse(&out->json, arena, request, err));
    struct qn_buf context;
    qn_buf_init(&context, arena->allocator);
    out->sampling = defaults->sampling;
    out->max_tokens = defaults->max_tokens;
    out->choices = 1;
    out->parallel_calls = true;
    out->sinks = 4;
    struct qn_chat_reader r = {out, arena, defaults, err, &context, api, false, false};
    enum qn_status status = read_request(&r);
    qn_buf_free(&context);
    return status;
}
