#include "run/batch.h"

#include "base/num.h"

#define STEPS 64 // most steps of one enqueue

void qn_batch_add(struct qn_batch *batch, struct qn_run *run) {
    run->next = NULL;
    run->previous = batch->last;
    *(batch->last ? &batch->last->next : &batch->first) = run;
    batch->last = run;
}

void qn_batch_remove(struct qn_batch *batch, struct qn_run *run) {
    *(run->previous ? &run->previous->next : &batch->first) = run->next;
    *(run->next ? &run->next->previous : &batch->last) = run->previous;
    run->next = run->previous = NULL;
}

/* The timelines that one call serves: a batch's, or a single one. */
struct served {
    struct qn_run *first;
    bool one;
};

static struct qn_run *after(const struct served *s, const struct qn_run *run) {
    return s->one ? NULL : run->next;
}

static void enqueue(const struct qn_step *steps, struct qn_run *const *runs, uint32_t n) {
    struct qn_error failure = {0};
    struct qn_backend *backend = runs[0]->backend;
    enum qn_status status = backend->ops->enqueue(backend, steps, n, &failure);
    for (uint32_t i = 0; i < n; i++)
        qn_run_stepped(runs[i], status, &failure);
}

/* One decode step of every timeline that goes on so, in as few enqueues as it takes. What fails is
 * told by the timelines. */
static void decode(const struct served *s) {
    struct qn_step steps[STEPS];
    struct qn_run *runs[STEPS];
    uint32_t n = 0, decoding = 0;
    for (const struct qn_run *run = s->first; run; run = after(s, run))
        decoding += qn_run_decodes(run);
    for (struct qn_run *run = s->first; run; run = after(s, run)) {
        if (!qn_run_decodes(run))
            continue;
        struct qn_error failure = {0};
        enum qn_status status = qn_run_step(run, &steps[n], decoding == 1, &failure);
        if (status != QN_OK) {
            qn_run_stepped(run, status, &failure);
            continue;
        }
        if (steps[n].want != 0) { // such a step stands alone
            enqueue(&steps[n], &run, 1);
            continue;
        }
        runs[n++] = run;
        if (n == qn_min_u32(STEPS, run->backend->max_batch)) {
            enqueue(steps, runs, n);
            n = 0;
        }
    }
    if (n > 0)
        enqueue(steps, runs, n);
}

/* Whether there are timelines to decode, and all of them have room for one more result. They stay
 * in step with the one that may look ahead the least; else two that are ready at different times
 * would never share a step again. */
static bool decoders(const struct served *s, bool *room) {
    bool any = false;
    uint32_t depth = UINT32_MAX, in_flight = 0;
    for (const struct qn_run *run = s->first; run; run = after(s, run)) {
        if (!qn_run_decodes(run))
            continue;
        any = true;
        depth = qn_min_u32(depth, qn_run_depth(run));
        in_flight = qn_max_u32(in_flight, run->in_flight);
    }
    *room = in_flight < depth;
    return any;
}

static enum qn_status next(struct qn_batch *batch, const struct served *s, struct qn_run **whose,
                           struct qn_event *out, struct qn_error *err) {
    for (;;) {
        struct qn_run *run, *prompt = NULL;
        bool told = false, ready = false, room = false;
        for (run = s->first; run; run = after(s, run)) {
            *whose = run;
            if (run->state == QN_RUN_IDLE)
                continue;
            QN_TRY(qn_run_tell(run, out, &told, err));
            if (told)
                return QN_OK;
        }
        /* All results that are there come before new steps, so that those are shared. */
        bool taken = false;
        for (run = s->first; run; run = after(s, run)) {
            *whose = run;
            QN_TRY(qn_run_poll(run, out, &told, &ready, err));
            if (told)
                return QN_OK;
            taken |= ready;
            if (!prompt && qn_run_prompts(run))
                prompt = run;
        }
        if (taken)
            continue;
        bool decoding = decoders(s, &room);
        if (prompt && (!decoding || !batch || batch->prompt_turn)) {
            *whose = prompt;
            if (batch) {
                qn_batch_remove(batch, prompt);
                qn_batch_add(batch, prompt);
                batch->prompt_turn = false;
            }
            return qn_run_prompt(prompt, out, err);
        }
        if (!decoding || !room) {
            *whose = NULL;
            *out = (struct qn_event){.kind = QN_EVENT_WAIT};
            return QN_OK;
        }
        decode(s);
        if (batch)
            batch->prompt_turn = true;
    }
}

enum qn_status qn_batch_next(struct qn_batch *batch, struct qn_run **run, struct qn_event *out,
                             struct qn_error *err) {
    struct served s = {batch ? batch->first : *run, batch == NULL};
    bool running = false;
    for (const struct qn_run *r = s.first; r; r = after(&s, r))
        running |= r->state != QN_RUN_IDLE;
    if (!running) {
        *run = NULL;
        return qn_fail(err, QN_E_STATE, "no generation is running");
    }
    return next(batch, &s, run, out, err);
}

enum qn_status qn_run_next(struct qn_run *run, struct qn_event *out, struct qn_error *err) {
    return qn_batch_next(NULL, &run, out, err);
}
