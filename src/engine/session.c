/* Sessions: a run (src/run) that knows its engine, and chat requests. */
#include <string.h>

#include "engine/chat.h"
#include "engine/engine.h"

enum qn_status qn_session_create(qn_session **out, qn_engine *e, struct qn_error *err) {
    *out = NULL;
    if (e->state == QN_ENGINE_FAILED || e->state == QN_ENGINE_LOST) {
        if (err)
            *err = e->error;
        return e->error.status;
    }
    if (e->state != QN_ENGINE_READY || !e->backend)
        return qn_fail(err, QN_E_STATE, "a session before the engine is ready");
    qn_session *s = qn_mem_alloc(e->allocator, sizeof *s);
    if (!s)
        return qn_fail(err, QN_E_NO_MEMORY, "a session");
    memset(s, 0, sizeof *s);
    s->engine = e;
    enum qn_status status =
        qn_run_init(&s->run, e->allocator, e->backend, e->tokenizer, e->eos, e->n_eos, err);
    if (status != QN_OK) {
        qn_run_free(&s->run);
        qn_mem_free(e->allocator, s, sizeof *s);
        return status;
    }
    qn_batch_add(&e->batch, &s->run);
    s->next = e->sessions;
    if (s->next)
        s->next->previous = s;
    e->sessions = s;
    *out = s;
    return QN_OK;
}

void qn_session_destroy(qn_session *s) {
    if (!s)
        return;
    qn_engine *e = s->engine;
    if (s->previous)
        s->previous->next = s->next;
    else
        e->sessions = s->next;
    if (s->next)
        s->next->previous = s->previous;
    qn_batch_remove(&e->batch, &s->run);
    qn_run_free(&s->run);
    qn_mem_free(e->allocator, s, sizeof *s);
}

/* A lost or failed engine answers every call on its sessions with its own error. */
static enum qn_status check_engine(const qn_engine *e, struct qn_error *err) {
    if (e->state == QN_ENGINE_READY)
        return QN_OK;
    if (err)
        *err = e->error;
    return e->error.status;
}

enum qn_status qn_session_start(qn_session *s, const struct qn_request *request,
                                struct qn_error *err) {
    QN_TRY(check_engine(s->engine, err));
    return qn_run_start(&s->run, request, NULL, err);
}

enum qn_status qn_session_next(qn_session *s, struct qn_event *out, struct qn_error *err) {
    QN_TRY(check_engine(s->engine, err));
    return qn_run_next(&s->run, out, err);
}

enum qn_status qn_engine_next(qn_engine *e, qn_session **out, struct qn_event *event,
                              struct qn_error *err) {
    *out = NULL;
    QN_TRY(check_engine(e, err));
    struct qn_run *run = NULL;
    enum qn_status status = qn_batch_next(&e->batch, &run, event, err);
    if (run)
        *out = (qn_session *)(void *)((char *)run - offsetof(qn_session, run));
    return status;
}

void qn_session_cancel(qn_session *s) {
    qn_run_cancel(&s->run);
}

/* ---- chat ------------------------------------------------------------------------------------ */

static struct qn_chat_defaults defaults_of(const qn_engine *e) {
    const struct qn_model_sampling *m = &e->model.config.sampling;
    return (struct qn_chat_defaults){
        .sampling =
            {
                .temperature = m->has.temperature ? m->temperature : 1,
                .top_p = m->has.top_p ? m->top_p : 1,
                .top_k = m->has.top_k ? m->top_k : 0,
                .min_p = m->has.min_p ? m->min_p : 0,
                .repetition_penalty = m->has.repetition_penalty ? m->repetition_penalty : 1,
                .frequency_penalty = m->has.frequency_penalty ? m->frequency_penalty : 0,
                .presence_penalty = m->has.presence_penalty ? m->presence_penalty : 0,
            },
        .max_tokens = UINT32_MAX,
        .bos_token = qn_engine_bos_token(e),
        .eos_token = qn_engine_eos_token(e),
    };
}

static enum qn_status start_chat(qn_session *s, struct qn_arena *arena, struct qn_buf *text,
                                 struct qn_ids *ids, struct qn_str json, struct qn_error *err) {
    qn_engine *e = s->engine;
    struct qn_chat chat;
    struct qn_chat_defaults defaults = defaults_of(e);
    QN_TRY(qn_chat_parse(&chat, arena, json, &defaults, err));
    struct qn_span *plain = NULL;
    size_t n_plain = 0;
    QN_TRY(qn_engine_render(e, text, arena, &plain, &n_plain, chat.context, err));
    QN_TRY(qn_tokenizer_encode(e->tokenizer, ids, qn_buf_view(text), 0, plain, n_plain, err));
    struct qn_request request = {
        .ids = ids->p,
        .n_ids = ids->n,
        .max_tokens = chat.max_tokens,
        .stop_on_eos = true,
        .sampling = chat.sampling,
        .stops = chat.stops,
        .n_stops = chat.n_stops,
    };
    return qn_run_start(&s->run, &request, NULL, err);
}

enum qn_status qn_session_start_chat(qn_session *s, struct qn_str json, struct qn_error *err) {
    qn_engine *e = s->engine;
    QN_TRY(check_engine(e, err));
    if (!e->tokenizer)
        return qn_fail(err, QN_E_UNSUPPORTED, "chat with a model that has no tokenizer");
    struct qn_arena arena;
    struct qn_buf text;
    struct qn_ids ids;
    qn_arena_init(&arena, e->allocator);
    qn_buf_init(&text, e->allocator);
    qn_ids_init(&ids, e->allocator);
    enum qn_status status = start_chat(s, &arena, &text, &ids, json, err);
    qn_ids_free(&ids);
    qn_buf_free(&text);
    qn_arena_free(&arena);
    return status;
}
