/* A timeline of tokens over a backend: what the KV cache holds, and the generation that extends it.
 *
 * The caller always passes the whole prefix (decision 4). What the cache shares with it is kept,
 * the rest is computed, so regenerate, edit, branch and retry are one thing. Steps are enqueued
 * ahead of their results (decision 5): a token is known only when its result is polled, and what
 * was computed past the end is dropped. */
#ifndef QN_RUN_RUN_H
#define QN_RUN_RUN_H

#include "program/backend.h"
#include "text/detok.h"

enum qn_run_state {
    QN_RUN_IDLE,
    QN_RUN_PREFILL, // prompt steps left to enqueue
    QN_RUN_DECODE,  // results outstanding or steps left
    QN_RUN_ENDING,  // only DONE is left to tell
};

struct qn_run {
    const struct qn_allocator *allocator;
    struct qn_backend *backend;
    struct qn_backend_session *session;
    const struct qn_tokenizer *tokenizer; // NULL: ids only
    const uint32_t *eos;                  // [n_eos], the engine's
    uint32_t n_eos;
    uint32_t context, vocab, chunk;

    uint32_t *tokens; // [context + 1]: the timeline
    uint32_t n_kv;    // positions whose keys and values belong to `tokens`
    uint32_t *argmax; // [context], for QN_WANT_ARGMAX_ALL

    /* The running generation. */
    enum qn_run_state state;
    uint32_t n_prefix; // tokens given
    uint32_t n_reused; // of them found in the cache
    uint32_t n_known;  // tokens that prompt steps enqueue: the prefix, or all so far after a switch
    uint32_t fed;      // tokens enqueued so far, prefix and output
    uint32_t rope_set; // that the cache's keys are rotated by (program.rope_switch)
    uint32_t limit;    // most tokens to sample
    uint32_t sampled;  // steps enqueued that sample
    uint32_t n_out;    // tokens received
    uint32_t n_argmax; // positions received
    uint32_t in_flight; // results outstanding
    uint32_t want;
    bool stop_on_eos;
    bool cancelled;
    bool token_due; // a token was polled that has not been told of
    uint32_t due;   // that token
    enum qn_finish finish;
    struct qn_str *stops; // own copies
    size_t n_stops;
    struct qn_detok detok;
    bool detok_live;
    struct qn_buf text; // of the last event
};

/* `run` is zeroed memory of the caller. tokenizer may be NULL. */
enum qn_status qn_run_init(struct qn_run *run, const struct qn_allocator *allocator,
                           struct qn_backend *backend, const struct qn_tokenizer *tokenizer,
                           const uint32_t *eos, uint32_t n_eos, struct qn_error *err);
void qn_run_free(struct qn_run *run);
/* Contracts of qn_session_start, _next, _cancel in quern.h. */
enum qn_status qn_run_start(struct qn_run *run, const struct qn_request *request,
                            struct qn_error *err);
enum qn_status qn_run_next(struct qn_run *run, struct qn_event *out, struct qn_error *err);
void qn_run_cancel(struct qn_run *run);

#endif
