/* Sessions: a run (src/run) that knows its engine. */
#include <string.h>

#include "engine/engine.h"
#include "run/snapshot.h"

enum qn_status qn_session_create(qn_session **out, qn_engine *e, struct qn_error *err) {
    *out = NULL;
    QN_TRY(qn_engine_check(e, err));
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

/* Ends what runs, at once: nobody wants its events. */
static void stop(qn_session *s) {
    struct qn_event rest;
    struct qn_error ignored;
    s->ask.on = false;
    qn_run_cancel(&s->run);
    if (s->run.state != QN_RUN_IDLE)
        (void)qn_run_next(&s->run, &rest, &ignored);
}

void qn_session_destroy(qn_session *s) {
    if (!s)
        return;
    if (!s->pooled) {
        qn_session_free(s);
        return;
    }
    stop(s);
    s->taken = false;
}

void qn_session_free(qn_session *s) {
    qn_engine *e = s->engine;
    if (s->previous)
        s->previous->next = s->next;
    else
        e->sessions = s->next;
    if (s->next)
        s->next->previous = s->previous;
    qn_batch_remove(&e->batch, &s->run);
    qn_ask_free(&s->ask);
    qn_run_free(&s->run);
    qn_mem_free(e->allocator, s, sizeof *s);
}

enum qn_status qn_session_start(qn_session *s, const struct qn_request *request,
                                struct qn_error *err) {
    QN_TRY(qn_engine_check(s->engine, err));
    QN_TRY(qn_engine_run(s, request, NULL, err));
    qn_ask_free(&s->ask);
    return QN_OK;
}

/* Reads events as what they mean for the answer to a request. */
static enum qn_status take(qn_session *s, enum qn_status status, struct qn_event *out, bool *told,
                           struct qn_error *err) {
    *told = true;
    if (!s || !s->ask.on)
        return status;
    if (status == QN_OK)
        status = qn_ask_take(s, out, told, err);
    if (status != QN_OK)
        stop(s); // nothing more comes
    return status;
}

enum qn_status qn_session_next(qn_session *s, struct qn_event *out, struct qn_error *err) {
    QN_TRY(qn_engine_check(s->engine, err));
    for (bool told = false; !told;) {
        if (qn_ask_tell(s, out))
            return QN_OK;
        QN_TRY(take(s, qn_run_next(&s->run, out, err), out, &told, err));
    }
    return QN_OK;
}

enum qn_status qn_engine_next(qn_engine *e, qn_session **out, struct qn_event *event,
                              struct qn_error *err) {
    *out = NULL;
    QN_TRY(qn_engine_check(e, err));
    for (bool told = false; !told;) {
        for (*out = e->sessions; *out; *out = (*out)->next)
            if (qn_ask_tell(*out, event))
                return QN_OK;
        struct qn_run *run = NULL;
        enum qn_status status = qn_batch_next(&e->batch, &run, event, err);
        if (run)
            *out = (qn_session *)(void *)((char *)run - offsetof(qn_session, run));
        QN_TRY(take(*out, status, event, &told, err));
    }
    return QN_OK;
}

void qn_session_prompt(const qn_session *s, const uint32_t **ids, size_t *n) {
    *ids = s->run.tokens;
    uint32_t all = s->run.n_prefix - s->run.dropped;
    *n = s->run.dropped == 0 || s->run.n_known == all ? all : 0;
}

void qn_session_cancel(qn_session *s) {
    qn_run_cancel(&s->run);
}

uint32_t qn_session_pieces(const qn_session *s) {
    return qn_snapshot_pieces(&s->run);
}

enum qn_status qn_session_save(qn_session *s, const void **out, size_t *n, uint32_t piece,
                               struct qn_error *err) {
    QN_TRY(qn_engine_check(s->engine, err));
    return qn_snapshot_save(&s->run, out, n, piece, s->engine->identity, err);
}

enum qn_status qn_session_restore(qn_session *s, const void *bytes, size_t n, uint32_t piece,
                                  struct qn_error *err) {
    QN_TRY(qn_engine_check(s->engine, err));
    return qn_snapshot_restore(&s->run, bytes, n, piece, s->engine->identity, err);
}
