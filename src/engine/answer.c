/* What the events of a run mean for the answer to a request. */
#include <string.h>

#include "engine/engine.h"

void qn_ask_free(struct qn_ask *a) {
    struct qn_embedding *m = &a->embedding;
    if (m->allocator) {
        qn_mem_free(m->allocator, m->sum, m->n * sizeof *m->sum);
        qn_mem_free(m->allocator, m->vector, m->n * sizeof *m->vector);
    }
    qn_reply_free(&a->reply);
    if (a->logprob.allocator)
        qn_buf_free(&a->logprob);
    memset(a, 0, sizeof *a);
}

static bool take_piece(struct qn_ask *a, struct qn_event *out) {
    struct qn_reply_piece piece;
    if (!qn_reply_take(&a->reply, &piece, &out->text))
        return false;
    out->channel = (enum qn_channel)piece.channel;
    out->call = piece.call;
    return true;
}

static bool in_text(const struct qn_reply *r) {
    return r->state == QN_REPLY_TEXT || r->state == QN_REPLY_START;
}

static enum qn_status take_token(qn_session *s, struct qn_event *out, struct qn_error *err) {
    struct qn_ask *a = &s->ask;
    bool before = in_text(&a->reply) || a->reply.state == QN_REPLY_SKIP;
    QN_TRY(qn_reply_push(&a->reply, out->text, false, err));
    out->text = (struct qn_str){0};
    (void)take_piece(a, out);
    if (before && in_text(&a->reply))
        out->logprobs = qn_buf_view(&a->logprob);
    if (a->one_call && a->reply.call_done)
        qn_run_cancel(&s->run);
    return QN_OK;
}

static enum qn_status take_end(struct qn_ask *a, const struct qn_event *event,
                               struct qn_error *err) {
    QN_TRY(qn_reply_push(&a->reply, event->text, true, err));
    a->done = *event;
    a->done.text = (struct qn_str){0};
    a->ending = true;
    bool cut = a->one_call && a->reply.call_done && event->finish == QN_FINISH_CANCELLED;
    if (cut || (event->finish == QN_FINISH_STOP && a->reply.calls > 0))
        a->done.finish = QN_FINISH_TOOLS;
    return QN_OK;
}

bool qn_ask_tell(qn_session *s, struct qn_event *out) {
    struct qn_ask *a = &s->ask;
    if (!a->on)
        return false;
    memset(out, 0, sizeof *out);
    out->kind = QN_EVENT_TEXT;
    if (take_piece(a, out))
        return true;
    struct qn_embedding *m = &a->embedding;
    if (a->ending && m->sum && !m->told && a->done.finish != QN_FINISH_CANCELLED) {
        qn_embedding_finish(m);
        *out = (struct qn_event){.kind = QN_EVENT_LOGITS, .logits = m->vector, .n = m->dimensions};
        return true;
    }
    if (a->ending)
        *out = a->done;
    a->on = !a->ending;
    return a->ending;
}

enum qn_status qn_ask_take(qn_session *s, struct qn_event *out, bool *told, struct qn_error *err) {
    struct qn_ask *a = &s->ask;
    *told = false;
    if (out->kind == QN_EVENT_DONE)
        return take_end(a, out, err);
    if (out->kind == QN_EVENT_LOGITS && a->embedding.sum) {
        qn_embedding_add(&a->embedding, out->logits);
        return QN_OK;
    }
    if (out->kind == QN_EVENT_LOGITS) {
        bool prompt = a->prompt_left > 0; // of the prompt itself: what stands there was not drawn
        uint32_t id = prompt ? s->run.tokens[s->run.n_prefix - a->prompt_left--] : out->id;
        qn_buf_clear(&a->logprob);
        qn_logprobs_write(&a->logprob, s->engine->tokenizer, out->logits, (uint32_t)out->n, id,
                          a->top_logprobs);
        *told = prompt;
        if (prompt)
            *out = (struct qn_event){.kind = QN_EVENT_TEXT, .logprobs = qn_buf_view(&a->logprob)};
        return a->logprob.failed ? qn_fail(err, QN_E_NO_MEMORY, "log-probabilities") : QN_OK;
    }
    *told = true;
    return out->kind == QN_EVENT_TOKEN ? take_token(s, out, err) : QN_OK;
}
