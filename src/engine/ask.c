/* OpenAI requests: from the request to a generation on a session. */
#include <string.h>

#include "engine/chat.h"
#include "engine/engine.h"

static struct qn_chat_defaults defaults_of(const qn_engine *e) {
    return (struct qn_chat_defaults){
        .sampling = qn_engine_sampling(e),
        .max_tokens = UINT32_MAX,
        .bos_token = qn_engine_bos_token(e),
        .eos_token = qn_engine_eos_token(e),
        .tokens = qn_engine_token_config(e),
        .template = e->template_source[0],
    };
}

/* What lives while a request is read. */
struct work {
    qn_engine *engine;
    qn_session *session; // NULL: the engine picks one once the ids are known
    struct qn_arena arena;
    struct qn_buf text;
    struct qn_buf form; // what the answer must match
    struct qn_ids ids;
    struct qn_chat chat;
    struct qn_reply reply; // until the generation has begun
};

static enum qn_status form(struct work *w, struct qn_constraint *out,
                           const struct qn_answer_style *style, uint32_t how,
                           struct qn_error *err) {
    qn_buf_clear(&w->form);
    qn_ask_constraint(out, &w->form, &w->chat, w->engine, style, how);
    return w->form.failed ? qn_fail(err, QN_E_NO_MEMORY, "the form of an answer") : QN_OK;
}

static bool any_strict(const struct qn_chat *c) {
    struct qn_json_iter it = qn_json_iterate(c->tools);
    bool strict = false;
    while (!strict && qn_json_each(&it))
        (void)qn_json_bool(&strict, qn_json_get(qn_json_get(it.value, "function"), "strict"));
    return strict;
}

static enum qn_status start(struct work *w, const struct qn_answer_style *style,
                            struct qn_error *err) {
    const struct qn_chat *c = &w->chat;
    bool tools = qn_json_exists(c->tools);
    struct qn_request request = {
        .ids = w->ids.p,
        .n_ids = w->ids.n,
        .max_tokens = c->max_tokens,
        .stop_on_eos = !c->ignore_eos,
        .speculate = true,
        .sampling = c->sampling,
        .stops = c->stops,
        .n_stops = c->n_stops,
        .shown = style ? style->marks : NULL,
        .n_shown = !style  ? 0
                   : tools ? style->n_marks
                           : style->n_think,
        .slide = c->slide,
        .sinks = c->sinks ? c->sinks : UINT32_MAX,
        .want = c->logprobs || qn_engine_embeds(w->engine)
                    ? QN_WANT_LOGITS | (c->echo ? QN_WANT_LOGITS_ALL : 0)
                    : 0,
        .pooling = c->pooling,
    };
    bool thinks = style && qn_thinking_of(style->think, qn_buf_view(&w->text)) == QN_THINKS;
    bool lazy = tools && c->tool_choice == QN_TOOLS_AUTO && c->form_kind == QN_ANSWER_TEXT;
    struct qn_calls calls = {.lazy = lazy, .prompt = qn_buf_view(&w->text)};
    if (tools) {
        calls.marks = style->marks + style->n_think;
        calls.n_marks = style->n_marks - style->n_think;
        calls.format = style->tools;
        calls.think = style->think;
    }
    uint32_t how = (thinks ? QN_FORM_THINKS : 0u) | (lazy ? QN_FORM_LAZY : 0u);
    QN_TRY(form(w, &request.constraint, style, how, err));
    if (thinks && !lazy) // a thought may be anything
        request.constraint.after = qn_str_from(style->think->close);
    QN_TRY(qn_reply_init(&w->reply, w->engine->allocator, style ? style->tools : NULL,
                         style ? style->think : NULL, c->tools, qn_buf_view(&w->text), err));
    if (!w->session)
        QN_TRY(qn_engine_pick(w->engine, &w->session, request.ids, request.n_ids, err));
    qn_session *s = w->session;
    enum qn_status status = qn_engine_run(s, &request, &calls, err);
    /* Where nobody insists, a schema that is beyond constraints is no reason not to call. */
    if (lazy && (status == QN_E_UNSUPPORTED || status == QN_E_LIMIT) && !any_strict(c)) {
        QN_TRY(form(w, &request.constraint, style, how | QN_FORM_LOOSE, err));
        status = qn_engine_run(s, &request, &calls, err);
    }
    QN_TRY(status);
    qn_ask_free(&s->ask);
    s->ask = (struct qn_ask){
        .on = true,
        .one_call = !c->parallel_calls,
        .logprobs = c->logprobs,
        .top_logprobs = c->top_logprobs,
        .prompt_left = c->logprobs && c->echo ? (uint32_t)w->ids.n - 1 : 0,
        .reply = w->reply,
    };
    memset(&w->reply, 0, sizeof w->reply);
    qn_buf_init(&s->ask.logprob, s->engine->allocator);
    return QN_OK;
}

static enum qn_status start_chat(struct work *w, struct qn_str json, struct qn_error *err) {
    qn_engine *e = w->engine;
    struct qn_chat_defaults defaults = defaults_of(e);
    bool may_call = qn_str_find(json, QN_STR("\"tools\""), 0) != SIZE_MAX;
    const struct qn_answer_style *style;
    QN_TRY(qn_engine_style(&style, e, may_call, err));
    defaults.tools = style->tools != NULL;
    defaults.argument_strings = style->argument_strings;
    defaults.empty_content = style->empty_content;
    QN_TRY(qn_chat_parse(&w->chat, &w->arena, QN_API_CHAT, json, &defaults, err));
    if (!qn_json_exists(w->chat.tools))
        QN_TRY(qn_engine_style(&style, e, false, err));
    struct qn_span *plain = NULL;
    size_t n_plain = 0;
    QN_TRY(qn_engine_render(e, &w->text, &w->arena, &plain, &n_plain, w->chat.context, err));
    /* What the user wrote last ends the prompt, without the template's own end of a message. */
    if (w->chat.continue_last && n_plain > 0)
        w->text.n = plain[n_plain - 1].end;
    qn_ask_open(&w->text, &w->chat, style, e->template_source[0]);
    if (w->text.failed)
        return qn_fail(err, QN_E_NO_MEMORY, "a prompt");
    QN_TRY(
        qn_tokenizer_encode(e->tokenizer, &w->ids, qn_buf_view(&w->text), 0, plain, n_plain, err));
    return start(w, style, err);
}

static enum qn_status encode_prompt(const qn_engine *e, struct work *w, struct qn_error *err) {
    const struct qn_chat *c = &w->chat;
    for (size_t i = 0; i < c->n_ids; i++)
        if (qn_ids_push(&w->ids, c->ids[i]) != QN_OK)
            return qn_fail(err, QN_E_NO_MEMORY, "a prompt");
    return c->ids ? QN_OK
                  : qn_tokenizer_encode(e->tokenizer, &w->ids, c->prompt, QN_ENCODE_SPECIAL, NULL,
                                        0, err);
}

static enum qn_status start_completion(struct work *w, struct qn_str json, struct qn_error *err) {
    qn_engine *e = w->engine;
    struct qn_chat_defaults defaults = defaults_of(e);
    defaults.max_tokens = 16; // OpenAI's
    QN_TRY(qn_chat_parse(&w->chat, &w->arena, QN_API_COMPLETION, json, &defaults, err));
    QN_TRY(encode_prompt(e, w, err));
    return start(w, NULL, err);
}

/* Applications of web-llm write [CLS] and [SEP] around their texts themselves. */
static void not_twice(const struct qn_tokenizer *t, struct qn_ids *ids) {
    uint32_t *p = ids->p;
    if (ids->n > 1 && p[ids->n - 1] == p[ids->n - 2] && qn_tokenizer_is_special(t, p[ids->n - 1]))
        ids->n--;
    if (ids->n > 1 && p[0] == p[1] && qn_tokenizer_is_special(t, p[0]))
        memmove(p, p + 1, --ids->n * sizeof *p);
}

/* An embedding is what the model makes of a text that it does not go on with. */
static enum qn_status start_embedding(struct work *w, struct qn_str json, struct qn_error *err) {
    qn_engine *e = w->engine;
    struct qn_chat_defaults defaults = defaults_of(e);
    struct qn_chat *c = &w->chat;
    QN_TRY(qn_chat_parse(c, &w->arena, QN_API_EMBEDDING, json, &defaults, err));
    if (!qn_engine_embeds(e))
        return qn_fail(err, QN_E_UNSUPPORTED, "embeddings from a model loaded for answers");
    uint32_t n = qn_engine_vocab(e);
    if (c->dimensions > n)
        return qn_fail(err, QN_E_ARGUMENT, "request field dimensions: %u, the model has %u",
                       c->dimensions, n);
    QN_TRY(encode_prompt(e, w, err));
    if (e->model.program.whole && !c->ids)
        not_twice(e->tokenizer, &w->ids);
    c->max_tokens = 0;
    QN_TRY(start(w, NULL, err));
    struct qn_embedding *m = &w->session->ask.embedding;
    *m = (struct qn_embedding){
        .allocator = e->allocator,
        .sum = qn_mem_alloc(e->allocator, n * sizeof *m->sum),
        .vector = qn_mem_alloc(e->allocator, n * sizeof *m->vector),
        .n = n,
        .dimensions = c->dimensions ? c->dimensions : n,
        .mean = c->pooling == QN_POOL_MEAN,
    };
    if (m->sum && m->vector) {
        memset(m->sum, 0, n * sizeof *m->sum);
        return QN_OK;
    }
    qn_run_cancel(&w->session->run);
    return qn_fail(err, QN_E_NO_MEMORY, "an embedding");
}

static enum qn_status ask(qn_engine *e, qn_session **s, struct qn_str json,
                          enum qn_status (*begin)(struct work *, struct qn_str, struct qn_error *),
                          struct qn_error *err) {
    QN_TRY(qn_engine_check(e, err));
    if (!e->tokenizer)
        return qn_fail(err, QN_E_UNSUPPORTED, "a text request to a model that has no tokenizer");
    if (begin != start_embedding && qn_engine_embeds(e))
        return qn_fail(err, QN_E_UNSUPPORTED, "an answer from a model loaded for embeddings (%s)",
                       e->model.config.traits->name);
    struct work w;
    memset(&w, 0, sizeof w);
    w.engine = e;
    w.session = *s;
    qn_arena_init(&w.arena, e->allocator);
    qn_buf_init(&w.text, e->allocator);
    qn_buf_init(&w.form, e->allocator);
    qn_ids_init(&w.ids, e->allocator);
    enum qn_status status = begin(&w, json, err);
    if (status != QN_OK && !*s)
        qn_session_destroy(w.session); // picked for nothing
    else
        *s = w.session;
    qn_reply_free(&w.reply);
    qn_ids_free(&w.ids);
    qn_buf_free(&w.form);
    qn_buf_free(&w.text);
    qn_arena_free(&w.arena);
    return status;
}

enum qn_status qn_engine_ask(qn_engine *e, qn_session **s, enum qn_api api, struct qn_str json,
                             struct qn_error *err) {
    return ask(e, s, json,
               api == QN_API_CHAT         ? start_chat
               : api == QN_API_COMPLETION ? start_completion
                                          : start_embedding,
               err);
}

enum qn_status qn_session_start_chat(qn_session *s, struct qn_str json, struct qn_error *err) {
    return ask(s->engine, &s, json, start_chat, err);
}

enum qn_status qn_session_start_completion(qn_session *s, struct qn_str json,
                                           struct qn_error *err) {
    return ask(s->engine, &s, json, start_completion, err);
}

enum qn_status qn_session_start_embedding(qn_session *s, struct qn_str json, struct qn_error *err) {
    return ask(s->engine, &s, json, start_embedding, err);
}
