#include "run/run.h"

#include <string.h>

#include "base/num.h"

static size_t timeline_bytes(const struct qn_run *run) {
    return ((size_t)run->context + 1) * sizeof *run->tokens;
}

static size_t mask_bytes(const struct qn_run *run) {
    return qn_ceil_div_u32(run->vocab, 32) * sizeof *run->mask;
}

enum qn_status qn_run_init(struct qn_run *run, const struct qn_allocator *allocator,
                           struct qn_backend *backend, const struct qn_tokenizer *tokenizer,
                           const uint32_t *eos, uint32_t n_eos, struct qn_error *err) {
    const struct qn_program *program = backend->program;
    const struct qn_program_tensor *logits = &program->tensors[program->logits];
    run->allocator = allocator;
    run->backend = backend;
    run->tokenizer = tokenizer;
    run->eos = eos;
    run->n_eos = n_eos;
    run->context = program->context;
    run->chunk = program->max_tokens;
    run->vocab = logits->dims[logits->n_dims - 1].n;
    run->n_ids = program->n_ids ? program->n_ids : run->vocab;
    qn_buf_init(&run->text, allocator);
    run->tokens = qn_mem_alloc(allocator, timeline_bytes(run));
    run->argmax = qn_mem_alloc(allocator, timeline_bytes(run));
    if (!run->tokens || !run->argmax)
        return qn_fail(err, QN_E_NO_MEMORY, "a session's timeline of %u tokens", run->context);
    return backend->ops->session_create(backend, &run->session, err);
}

/* Frees what a generation holds. */
static void release_generation(struct qn_run *run) {
    if (run->detok_live)
        qn_detok_free(&run->detok);
    run->detok_live = false;
    if (run->masker.free)
        run->masker.free(run->masker.ud);
    run->masker = (struct qn_masker){0};
    for (size_t i = 0; i < run->n_stops; i++)
        qn_mem_free(run->allocator, (void *)(uintptr_t)run->stops[i].p, run->stops[i].n);
    qn_mem_free(run->allocator, run->stops, run->n_stops * sizeof *run->stops);
    run->stops = NULL;
    run->n_stops = 0;
}

void qn_run_end_snapshot(struct qn_run *run) {
    struct qn_snapshot *s = &run->snapshot;
    if (s->saving && run->session) // a read-back may be on its way to the bytes
        run->backend->ops->drop(run->backend, run->session);
    qn_mem_free(run->allocator, s->bytes, s->size);
    *s = (struct qn_snapshot){0};
}

void qn_run_free(struct qn_run *run) {
    release_generation(run);
    if (run->session) {
        qn_run_end_snapshot(run);
        run->backend->ops->session_destroy(run->backend, run->session);
    }
    qn_mem_free(run->allocator, run->tokens, timeline_bytes(run));
    qn_mem_free(run->allocator, run->argmax, timeline_bytes(run));
    qn_mem_free(run->allocator, run->mask, mask_bytes(run));
    qn_buf_free(&run->text);
    memset(run, 0, sizeof *run);
}

static enum qn_status copy_stops(struct qn_run *run, const struct qn_str *stops, size_t n,
                                 struct qn_error *err) {
    if (n == 0)
        return QN_OK;
    run->stops = qn_mem_alloc(run->allocator, n * sizeof *run->stops);
    if (!run->stops)
        return qn_fail(err, QN_E_NO_MEMORY, "%zu stop strings", n);
    memset(run->stops, 0, n * sizeof *run->stops);
    run->n_stops = n;
    for (size_t i = 0; i < n; i++) {
        char *p = qn_mem_alloc(run->allocator, stops[i].n);
        if (!p)
            return qn_fail(err, QN_E_NO_MEMORY, "a stop string of %zu bytes", stops[i].n);
        memcpy(p, stops[i].p, stops[i].n);
        run->stops[i] = (struct qn_str){p, stops[i].n};
    }
    return QN_OK;
}

static enum qn_status check_request(const struct qn_run *run, const struct qn_request *request,
                                    struct qn_error *err) {
    const struct qn_sampling *s = &request->sampling;
    if (run->state != QN_RUN_IDLE)
        return qn_fail(err, QN_E_STATE, "this session is already generating");
    if (request->n_ids == 0)
        return qn_fail(err, QN_E_ARGUMENT, "the prompt has no tokens");
    bool all = request->want & (QN_WANT_ARGMAX_ALL | QN_WANT_LOGITS_ALL);
    if (request->n_ids > run->context && (!request->slide || all))
        return qn_fail(err, QN_E_CONTEXT, "the prompt has %zu tokens, the context %u",
                       request->n_ids, run->context);
    for (size_t i = 0; i < request->n_ids; i++)
        if (request->ids[i] >= run->n_ids)
            return qn_fail(err, QN_E_ARGUMENT, "token id %u at position %zu, the vocabulary has %u",
                           request->ids[i], i, run->n_ids);
    const struct qn_program *p = run->backend->program;
    if (p->states && request->max_tokens > 0)
        return qn_fail(err, QN_E_UNSUPPORTED, "an answer from a model loaded for embeddings");
    if (p->whole ? all : request->pooling == QN_POOL_CLS)
        return qn_fail(err, QN_E_UNSUPPORTED,
                       p->whole ? "an encoder's state of every position"
                                : "the pooling cls of a decoder");
    if (request->n_stops > 0 && !run->tokenizer)
        return qn_fail(err, QN_E_UNSUPPORTED, "stop strings with a model that has no tokenizer");
    for (size_t i = 0; i < request->n_stops; i++)
        if (request->stops[i].n == 0 || request->stops[i].n > 4096)
            return qn_fail(err, QN_E_ARGUMENT,
                           "stop string %zu has %zu bytes, allowed are 1 to 4096", i,
                           request->stops[i].n);
    /* Written so that NaN fails. */
    if (!(s->temperature >= 0 && s->temperature <= 100))
        return qn_fail(err, QN_E_ARGUMENT, "temperature %g, allowed is 0 to 100",
                       (double)s->temperature);
    if (!(s->top_p >= 0 && s->top_p <= 1))
        return qn_fail(err, QN_E_ARGUMENT, "top_p %g, allowed is 0 to 1", (double)s->top_p);
    if (!(s->min_p >= 0 && s->min_p <= 1))
        return qn_fail(err, QN_E_ARGUMENT, "min_p %g, allowed is 0 to 1", (double)s->min_p);
    if (!(s->repetition_penalty >= 0 && s->repetition_penalty <= 100))
        return qn_fail(err, QN_E_ARGUMENT, "repetition_penalty %g, allowed is 0 to 100",
                       (double)s->repetition_penalty);
    if (!(s->frequency_penalty >= -100 && s->frequency_penalty <= 100))
        return qn_fail(err, QN_E_ARGUMENT, "frequency_penalty %g, allowed is -100 to 100",
                       (double)s->frequency_penalty);
    if (!(s->presence_penalty >= -100 && s->presence_penalty <= 100))
        return qn_fail(err, QN_E_ARGUMENT, "presence_penalty %g, allowed is -100 to 100",
                       (double)s->presence_penalty);
    for (uint32_t i = 0; i < s->n_bias; i++)
        if (s->bias_ids[i] >= run->vocab || !(s->bias[i] >= -1e30f && s->bias[i] <= 1e30f))
            return qn_fail(err, QN_E_ARGUMENT, "logit_bias for token %u", s->bias_ids[i]);
    return QN_OK;
}

/* The set of frequencies of a sequence of n tokens. */
static uint32_t rope_set(const struct qn_run *run, size_t n) {
    uint32_t limit = run->backend->program->rope_switch;
    return limit != 0 && n > limit;
}

uint32_t qn_run_held(const struct qn_run *run) {
    if (run->backend->program->whole)
        return 0; // what a position holds depends on those behind it
    if (run->state == QN_RUN_IDLE)
        return run->n_kv;
    return run->failed ? 0 : qn_min_u32(qn_min_u32(run->fed, qn_run_known(run)), run->context);
}

uint32_t qn_run_shares(const struct qn_run *run, const uint32_t *ids, size_t n) {
    if (n == 0 || run->rope_set != rope_set(run, n))
        return 0; // its keys are rotated otherwise
    uint32_t shared = 0, most = (uint32_t)qn_min_size(qn_run_held(run), n - 1);
    while (shared < most && run->tokens[shared] == ids[shared])
        shared++;
    return shared;
}

enum qn_status qn_run_copy(struct qn_run *to, const struct qn_run *from, uint32_t n,
                           struct qn_error *err) {
    if (to->state != QN_RUN_IDLE || n > qn_run_held(from))
        return qn_fail(err, QN_E_STATE, "copying %u tokens of a session", n);
    to->n_kv = 0;
    QN_TRY(to->backend->ops->copy(to->backend, to->session, from->session, n, err));
    memcpy(to->tokens, from->tokens, n * sizeof *to->tokens);
    to->n_kv = n;
    to->rope_set = from->rope_set;
    return QN_OK;
}

/* Tokens that stay when the timeline slides: the next slide is a quarter of the context away. */
static uint32_t kept(const struct qn_run *run) {
    return run->context - run->context / 4;
}

static enum qn_status take_prompt(struct qn_run *run, const struct qn_request *request,
                                  struct qn_error *err) {
    if (!qn_size_to_u32(&run->n_prefix, request->n_ids))
        return qn_fail(err, QN_E_LIMIT, "a prompt of %zu tokens", request->n_ids);
    run->sinks = request->sinks == 0 ? 4 : request->sinks == UINT32_MAX ? 0 : request->sinks;
    run->sinks = qn_min_u32(run->sinks, kept(run) / 2);
    run->slides = request->slide;
    run->dropped = run->n_prefix > run->context ? run->n_prefix - kept(run) : 0;
    run->n_known = run->n_prefix - run->dropped;
    uint32_t first = run->dropped ? run->sinks : run->n_known;
    memcpy(run->tokens, request->ids, first * sizeof *run->tokens);
    memcpy(run->tokens + first, request->ids + first + run->dropped,
           (run->n_known - first) * sizeof *run->tokens);
    uint32_t set = rope_set(run, run->n_known);
    run->n_reused = run->rope_set == set ? qn_min_u32(run->n_reused, first) : 0;
    run->rope_set = set;
    run->n_kv = run->fed = run->n_reused;
    /* The first token needs no room in the cache, each further one the room of the one
     * before it. */
    uint32_t most = run->context - run->n_known + 1;
    if (run->slides) // an answer without a limit ends all the same
        most = request->max_tokens < UINT32_MAX ? INT32_MAX : run->context;
    run->limit = qn_min_u32(request->max_tokens, most);
    run->finish = request->max_tokens > run->limit ? QN_FINISH_CONTEXT : QN_FINISH_LENGTH;
    return QN_OK;
}

static enum qn_status start(struct qn_run *run, const struct qn_request *request,
                            struct qn_error *err) {
    QN_TRY(copy_stops(run, request->stops, request->n_stops, err));
    if (run->masker.mask && run->mask == NULL) {
        run->mask = qn_mem_alloc(run->allocator, mask_bytes(run));
        if (run->mask == NULL)
            return qn_fail(err, QN_E_NO_MEMORY, "a mask of %u ids", run->vocab);
    }
    QN_TRY(run->backend->ops->begin(run->backend, run->session, &request->sampling, request->ids,
                                    request->n_ids, err));
    if (run->tokenizer) {
        qn_detok_init(&run->detok, run->tokenizer, run->allocator, run->stops, run->n_stops, true);
        run->detok.shown = request->shown;
        run->detok.n_shown = request->n_shown;
        run->detok_live = true;
    }
    const struct qn_program *p = run->backend->program;
    run->want = request->want;
    run->pooling = p->whole && !request->pooling ? p->pooling : request->pooling;
    if (!p->whole && run->pooling == QN_POOL_MEAN)
        run->want |= QN_WANT_LOGITS_ALL;
    /* All of a prompt is computed when every position's arg-max is wanted. */
    run->n_reused = run->want & (QN_WANT_ARGMAX_ALL | QN_WANT_LOGITS_ALL)
                        ? 0
                        : qn_run_shares(run, request->ids, request->n_ids);
    QN_TRY(take_prompt(run, request, err));
    run->sampled = run->n_out = run->n_argmax = run->in_flight = 0;
    run->stop_on_eos = request->stop_on_eos;
    run->cancelled = run->token_due = run->failed = run->given = false;
    run->counted =
        request->sampling.frequency_penalty != 0 || request->sampling.presence_penalty != 0 ||
        (request->sampling.repetition_penalty > 0 && request->sampling.repetition_penalty != 1);
    run->state = QN_RUN_PREFILL;
    qn_draft_start(run, request);
    return QN_OK;
}

enum qn_status qn_run_start(struct qn_run *run, const struct qn_request *request,
                            const struct qn_masker *masker, struct qn_error *err) {
    enum qn_status status = check_request(run, request, err);
    if (status != QN_OK) { // what runs is not disturbed
        if (masker && masker->free)
            masker->free(masker->ud);
        return status;
    }
    release_generation(run);
    qn_run_end_snapshot(run);
    if (masker)
        run->masker = *masker;
    status = start(run, request, err);
    if (status != QN_OK)
        release_generation(run);
    return status;
}

void qn_run_cancel(struct qn_run *run) {
    if (run->state != QN_RUN_IDLE)
        run->cancelled = true;
}

/* The generation is over: forgets what the backend still owes and keeps what the cache holds for
 * sure – positions that were enqueued with ids that are known. */
static void end_generation(struct qn_run *run, enum qn_finish finish) {
    run->backend->ops->drop(run->backend, run->session);
    run->in_flight = 0;
    run->finish = finish;
    run->n_kv = qn_run_held(run);
    run->state = QN_RUN_ENDING;
}

/* After a failure nothing that was enqueued counts. */
static enum qn_status abandon(struct qn_run *run, enum qn_status status) {
    run->backend->ops->drop(run->backend, run->session);
    run->in_flight = 0;
    run->n_kv = 0;
    run->state = QN_RUN_IDLE;
    release_generation(run);
    return status;
}

static enum qn_status fill_mask(struct qn_run *run, struct qn_step *step, struct qn_error *err) {
    bool all = false;
    if (!qn_run_masked(run))
        return QN_OK;
    QN_TRY(run->masker.mask(run->masker.ud, run->mask, &all, err));
    step->mask = all ? NULL : run->mask;
    return QN_OK;
}

static enum qn_status enqueue_prompt(struct qn_run *run, struct qn_error *err) {
    /* Every position through the head: only so many rows fit in one step. */
    bool all = run->want & QN_WANT_LOGITS_ALL;
    uint32_t advised = run->backend->program->whole ? 0 : run->backend->chunk;
    uint32_t chunk = advised ? qn_min_u32(advised, run->chunk) : run->chunk;
    uint32_t most = all ? 1
                    : run->want & QN_WANT_ARGMAX_ALL
                        ? qn_min_u32(chunk, run->backend->program->max_rows)
                        : chunk;
    uint32_t n = qn_min_u32(most, run->n_known - run->fed);
    bool last = run->fed + n == run->n_known;
    struct qn_step step = {
        .ids = run->tokens + run->fed,
        .n = n,
        .pos = run->fed,
        .sample = last && run->limit > 0,
        .rope_set = run->rope_set,
        .want = (run->want & QN_WANT_ARGMAX_ALL) | (last || all ? run->want & QN_WANT_LOGITS : 0),
        .pooling = run->backend->program->whole ? run->pooling : QN_POOL_LAST,
        .session = run->session,
    };
    if (!last && advised)
        step.want |= QN_WANT_DONE; // so that a long prompt is not enqueued before its pace is known
    if (step.sample)
        QN_TRY(fill_mask(run, &step, err));
    QN_TRY(run->backend->ops->enqueue(run->backend, &step, 1, err));
    run->fed += n;
    if (step.sample)
        run->sampled++;
    if (step.sample || step.want)
        run->in_flight++;
    return QN_OK;
}

bool qn_run_decodes(const struct qn_run *run) {
    return run->state == QN_RUN_DECODE && run->sampled < run->limit && run->fed < run->context &&
           rope_set(run, run->fed + 1) == run->rope_set;
}

uint32_t qn_run_depth(const struct qn_run *run) {
    bool one = qn_run_masked(run) || (run->masker.mask && run->counted) ||
               (run->speculates && run->drafts);
    return one ? 1 : run->backend->max_in_flight;
}

enum qn_status qn_run_step(struct qn_run *run, struct qn_step *out, bool alone,
                           struct qn_error *err) {
    *out = (struct qn_step){
        .pos = run->fed,
        .sample = true,
        .rope_set = run->rope_set,
        .want = run->want & QN_WANT_LOGITS,
        .session = run->session,
    };
    if (run->given) {
        out->ids = run->tokens + run->fed;
        out->n = 1;
        run->given = false;
    }
    qn_draft_step(run, out, alone);
    return fill_mask(run, out, err);
}

void qn_run_stepped(struct qn_run *run, enum qn_status status, const struct qn_error *failure) {
    uint32_t sampled = run->n_draft == 0; // else it is known with the result
    run->fed += sampled;
    run->sampled += sampled;
    run->in_flight++;
    if (status != QN_OK) {
        run->failed = true;
        run->failure = *failure;
        run->failure.status = status;
    }
}

/* Whether the timeline must be computed anew before the next token: it is full, or too long for the
 * frequencies that the cache was made with. All results are in by then, so every token is known. */
static bool outgrown(const struct qn_run *run) {
    return run->state == QN_RUN_DECODE && run->sampled < run->limit;
}

/* Feeds the tokens so far again as a prompt: under the other set, or those that stay. */
static void recompute(struct qn_run *run) {
    uint32_t n = qn_run_known(run), keep = n > run->context ? kept(run) : n;
    uint32_t first = keep < n ? run->sinks : 0; // what comes before it stays as it is
    memmove(run->tokens + first, run->tokens + n - (keep - first),
            (keep - first) * sizeof *run->tokens);
    run->dropped += n - keep;
    run->n_known = keep;
    uint32_t set = rope_set(run, keep);
    run->n_kv = run->fed = run->rope_set == set ? first : 0;
    run->rope_set = set;
    run->given = false;
    run->want &= QN_WANT_LOGITS; // what was wanted of the prompt has been told
    run->state = QN_RUN_PREFILL;
}

static bool is_eos(const struct qn_run *run, uint32_t id) {
    for (uint32_t i = 0; i < run->n_eos; i++)
        if (run->eos[i] == id)
            return true;
    return false;
}

/* Forgets what was sampled behind the last known token, which the next step is given. */
static void rewind_steps(struct qn_run *run) {
    run->backend->ops->drop(run->backend, run->session);
    run->in_flight = 0;
    run->token_due = false;
    run->n_queue = run->queue_at = run->n_draft = 0;
    run->sampled = run->n_out;
    run->fed = qn_run_known(run) - 1;
    run->given = true;
}

/* What a constraint forces need not be sampled: it is told as if it had been, and then computed at
 * once, as a prompt is. */
static enum qn_status jump(struct qn_run *run, struct qn_error *err) {
    if (run->token_due || run->in_flight > 0)
        return QN_OK;
    uint32_t n = 0, end = run->context, most = qn_min_u32(QN_QUEUE, run->limit - run->n_out);
    if (run->rope_set == 0 && run->backend->program->rope_switch != 0)
        end = qn_min_u32(end, run->backend->program->rope_switch);
    bool may = run->jumps && qn_run_masked(run) && !(run->counted && run->dropped > 0);
    if (may && end > qn_run_known(run))
        QN_TRY(run->masker.forced(run->masker.ud, run->queue,
                                  qn_min_u32(most, end - qn_run_known(run)), &n, err));
    if (n > 0) {
        run->n_queue = n;
        run->queue_at = 1;
        run->due = run->queue[0];
        run->token_due = true;
        run->sampled += n;
    } else if (run->fed + 1 < qn_run_known(run)) {
        if (run->counted) // only whether a token was there counts
            QN_TRY(run->backend->ops->begin(run->backend, run->session, &run->sampling, run->tokens,
                                            qn_run_known(run), err));
        run->n_known = qn_run_known(run);
        run->given = false;
        run->state = QN_RUN_PREFILL;
    }
    return QN_OK;
}

/* Takes one sampled token into the timeline and tells of it. */
static enum qn_status accept_token(struct qn_run *run, struct qn_event *out, uint32_t id,
                                   struct qn_error *err) {
    run->tokens[qn_run_known(run)] = id; // at most index `context`
    run->n_out++;
    if (run->stop_on_eos && is_eos(run, id)) {
        end_generation(run, QN_FINISH_STOP);
        return QN_OK; // no TOKEN event: the caller goes on to DONE
    }
    bool done = false;
    if (run->masker.mask) {
        enum qn_accepted accepted = QN_ACCEPTED;
        bool masked = qn_run_masked(run), ahead = run->in_flight > 0 || run->token_due;
        QN_TRY(run->masker.accept(run->masker.ud, id, &accepted, err));
        run->n_out -= accepted == QN_NOT_ACCEPTED;
        if (accepted == QN_NOT_ACCEPTED || (ahead && !masked && qn_run_masked(run)))
            rewind_steps(run);
        if (accepted == QN_NOT_ACCEPTED)
            return QN_OK;
        done = accepted == QN_ACCEPTED_LAST;
    }
    out->kind = QN_EVENT_TOKEN;
    out->id = id;
    out->prompt_tokens = run->n_prefix;
    qn_buf_clear(&run->text);
    if (run->detok_live) {
        QN_TRY(qn_detok_push(&run->detok, &run->text, id, err));
        done |= run->detok.stopped;
    }
    if (done)
        end_generation(run, QN_FINISH_STOP);
    out->text = qn_buf_view(&run->text);
    if (run->state == QN_RUN_DECODE && run->n_out == run->limit)
        end_generation(run, run->finish);
    return run->state == QN_RUN_DECODE ? jump(run, err) : QN_OK;
}

static enum qn_status tell_done(struct qn_run *run, struct qn_event *out, struct qn_error *err) {
    qn_buf_clear(&run->text);
    if (run->detok_live)
        QN_TRY(qn_detok_finish(&run->detok, &run->text, err));
    out->kind = QN_EVENT_DONE;
    out->text = qn_buf_view(&run->text);
    out->finish = run->finish;
    out->prompt_tokens = run->n_prefix;
    out->reused_tokens = run->n_reused;
    out->completion_tokens = run->n_out;
    out->drafted_tokens = run->drafted;
    out->accepted_tokens = run->accepted;
    run->state = QN_RUN_IDLE;
    release_generation(run);
    return QN_OK;
}

/* One result of the backend; `out` remains a WAIT where there is nothing to tell of. */
static enum qn_status take_result(struct qn_run *run, struct qn_event *out, bool *ready,
                                  struct qn_error *err) {
    struct qn_step_result result = {0};
    QN_TRY(run->backend->ops->poll(run->backend, run->session, &result, ready, err));
    if (!*ready)
        return QN_OK;
    run->in_flight--;
    bool guessed = run->n_draft > 0;
    if (run->speculates)
        qn_draft_take(run, &result);
    if (guessed) {
        run->token_due = true;
        run->due = run->queue[run->queue_at++];
        return QN_OK;
    }
    if (result.argmax) {
        uint32_t n = qn_min_u32(result.n, run->n_prefix - run->n_argmax);
        memcpy(run->argmax + run->n_argmax, result.argmax, n * sizeof *run->argmax);
        run->n_argmax += n;
        if (run->n_argmax == run->n_prefix) {
            out->kind = QN_EVENT_ARGMAX;
            out->ids = run->argmax;
            out->n = run->n_argmax;
        }
    }
    if (result.logits) {
        out->logits = result.logits;
        out->id = result.token;
        if (out->kind != QN_EVENT_ARGMAX) {
            out->kind = QN_EVENT_LOGITS;
            out->n = run->vocab;
        }
    }
    run->token_due = result.sampled; // comes next
    run->due = result.token;
    return QN_OK;
}

enum qn_status qn_run_tell(struct qn_run *run, struct qn_event *out, bool *told,
                           struct qn_error *err) {
    *told = false;
    for (;;) {
        memset(out, 0, sizeof *out);
        enum qn_status status = QN_OK;
        if (run->failed) {
            if (err)
                *err = run->failure;
            return abandon(run, run->failure.status);
        }
        if (run->cancelled && run->state != QN_RUN_ENDING)
            end_generation(run, QN_FINISH_CANCELLED);
        if (run->state == QN_RUN_ENDING) {
            status = tell_done(run, out, err);
        } else if (run->token_due) {
            uint32_t due = run->due;
            run->token_due = run->queue_at < run->n_queue;
            if (run->token_due)
                run->due = run->queue[run->queue_at++];
            status = accept_token(run, out, due, err);
        } else if (run->state == QN_RUN_DECODE && run->in_flight == 0 && !qn_run_decodes(run)) {
            if (outgrown(run))
                recompute(run);
            else
                end_generation(run, run->limit == 0 ? QN_FINISH_STOP : run->finish);
        } else {
            return QN_OK;
        }
        if (status != QN_OK)
            return abandon(run, status);
        *told = out->kind != QN_EVENT_WAIT;
        if (*told)
            return QN_OK;
    }
}

enum qn_status qn_run_poll(struct qn_run *run, struct qn_event *out, bool *told, bool *ready,
                           struct qn_error *err) {
    *ready = false;
    *told = false;
    memset(out, 0, sizeof *out);
    if (run->in_flight == 0)
        return QN_OK;
    enum qn_status status = take_result(run, out, ready, err);
    *told = out->kind != QN_EVENT_WAIT;
    return status == QN_OK ? QN_OK : abandon(run, status);
}

bool qn_run_prompts(const struct qn_run *run) {
    return run->state == QN_RUN_PREFILL && run->in_flight < run->backend->max_in_flight;
}

enum qn_status qn_run_prompt(struct qn_run *run, struct qn_event *out, struct qn_error *err) {
    enum qn_status status = enqueue_prompt(run, err);
    if (status != QN_OK)
        return abandon(run, status);
    if (run->fed == run->n_known)
        run->state = QN_RUN_DECODE;
    *out = (struct qn_event){.kind = QN_EVENT_PREFILL, .n = run->fed};
    return QN_OK;
}
