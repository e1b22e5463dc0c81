/* The engine's own sessions: a few resident timelines, so that conversations find what they said
 * before, and several requests run at once. */
#include "base/num.h"
#include "engine/engine.h"

#define SESSIONS 4    // most of them, unless the embedder says otherwise
#define WORTH_COPY 8  // tokens: fewer are computed anew
#define WORTH_WAIT 32 // tokens of the prompt that another session is computing

/* Whether one more fits: together they take no more than the weights do, within limits. */
static bool room(const qn_engine *e, uint32_t n) {
    if (n == 0 || e->desc.sessions != 0)
        return n < qn_max_u32(e->desc.sessions, 1);
    uint64_t sessions = n * e->session_bytes;
    uint64_t weights = e->backend->ops->memory(e->backend) - sessions;
    uint64_t low = (uint64_t)128 << 20, high = (uint64_t)1 << 30;
    uint64_t most = weights < low ? low : weights > high ? high : weights;
    return n < SESSIONS && sessions + e->session_bytes <= most;
}

/* Gives `to` what another session holds of the prompt, where that is more than its own. */
static void share(qn_engine *e, qn_session *to, const uint32_t *ids, size_t n) {
    uint32_t most = qn_run_shares(&to->run, ids, n) + WORTH_COPY - 1;
    const qn_session *from = NULL;
    for (const qn_session *s = e->sessions; s; s = s->next) {
        uint32_t shared = s == to ? 0 : qn_run_shares(&s->run, ids, n);
        if (shared > most) {
            most = shared;
            from = s;
        }
    }
    if (from) // where that fails, the prompt is computed
        (void)qn_run_copy(&to->run, &from->run, most, NULL);
}

/* Whether another session is computing a part of the prompt that none holds yet. */
static bool coming(const qn_engine *e, const uint32_t *ids, size_t n) {
    uint32_t held = 0, promised = 0;
    for (const qn_session *s = e->sessions; s; s = s->next) {
        const struct qn_run *run = &s->run;
        held = qn_max_u32(held, qn_run_shares(run, ids, n));
        uint32_t i = 0, most = (uint32_t)qn_min_size(run->n_known, n);
        while (s->taken && run->state == QN_RUN_PREFILL && i < most && run->tokens[i] == ids[i])
            i++;
        promised = qn_max_u32(promised, i);
    }
    return promised >= held + WORTH_WAIT;
}

enum qn_status qn_engine_pick(qn_engine *e, qn_session **out, const uint32_t *ids, size_t n,
                              struct qn_error *err) {
    qn_session *best = NULL, *oldest = NULL;
    uint32_t most = 0, count = 0;
    if (!e->model.program.whole && coming(e, ids, n))
        return qn_fail(err, QN_E_STATE, "a session computes the beginning of this prompt");
    for (qn_session *s = e->sessions; s; s = s->next) {
        count += s->pooled;
        if (!s->pooled || s->taken)
            continue;
        uint32_t shared = qn_run_shares(&s->run, ids, n);
        if (!best || shared > most || (shared == most && s->used < best->used))
            best = s;
        most = qn_max_u32(most, shared);
        if (!oldest || s->used < oldest->used)
            oldest = s;
    }
    /* A request goes on with a conversation when it keeps most of it. */
    *out = best && most >= best->run.n_kv / 2 ? best : NULL;
    if (!*out && room(e, count)) {
        uint64_t before = e->backend ? e->backend->ops->memory(e->backend) : 0;
        struct qn_error refused = {0};
        enum qn_status status = qn_session_create(out, e, oldest ? &refused : err);
        if (status == QN_OK) {
            (*out)->pooled = true;
            uint64_t after = e->backend->ops->memory(e->backend);
            if (after > before) // else it found room that was there
                e->session_bytes = after - before;
        } else if (!oldest) {
            return status;
        }
    }
    *out = *out ? *out : oldest;
    if (!*out)
        return qn_fail(err, QN_E_STATE, "all %u sessions are taken", count);
    (*out)->taken = true;
    (*out)->used = ++e->turn;
    share(e, *out, ids, n);
    return QN_OK;
}

enum qn_status qn_engine_start(qn_engine *e, qn_session **out, const struct qn_request *request,
                               struct qn_error *err) {
    *out = NULL;
    QN_TRY(qn_engine_check(e, err));
    QN_TRY(qn_engine_pick(e, out, request->ids, request->n_ids, err));
    enum qn_status status = qn_session_start(*out, request, err);
    if (status != QN_OK)
        qn_session_destroy(*out);
    if (status != QN_OK)
        *out = NULL;
    return status;
}

enum qn_status qn_engine_take(qn_engine *e, qn_session **out, struct qn_error *err) {
    *out = NULL;
    QN_TRY(qn_engine_check(e, err));
    return qn_engine_pick(e, out, NULL, 0, err);
}

enum qn_status qn_session_fork(qn_session **out, qn_session *from, struct qn_error *err) {
    const struct qn_run *run = &from->run;
    QN_TRY(qn_session_create(out, from->engine, err));
    enum qn_status status = qn_run_copy(&(*out)->run, run, qn_run_held(run), err);
    if (status != QN_OK) {
        qn_session_destroy(*out);
        *out = NULL;
    }
    return status;
}
