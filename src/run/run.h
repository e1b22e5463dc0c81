/* A timeline of tokens over a backend: what the KV cache holds, and the generation that extends it.
 *
 * The caller always passes the whole prefix (decision 4). What the cache shares with it is kept,
 * the rest is computed, so regenerate, edit, branch and retry are one thing. Steps are enqueued
 * ahead of their results (decision 5): a token is known only when its result is polled, and what
 * was computed past the end is dropped. */
#ifndef QN_RUN_RUN_H
#define QN_RUN_RUN_H

#include "base/buf.h"
#include "program/backend.h"
#include "text/detok.h"

enum qn_run_state {
    QN_RUN_IDLE,
    QN_RUN_PREFILL, // prompt steps left to enqueue
    QN_RUN_DECODE,  // results outstanding or steps left
    QN_RUN_ENDING,  // only DONE is left to tell
};

enum qn_accepted {
    QN_ACCEPTED,
    QN_ACCEPTED_LAST, // nothing may follow: the generation ends as at EOS
    QN_NOT_ACCEPTED,  // sampled before the mask that forbids it was known: another one, under it
};

/* Constrains what a generation samples, e.g. to a grammar. The timeline keeps one step in flight:
 * the next mask follows from the token before it. A masker that waits for something to be said lets
 * steps run ahead until then; what they sampled behind it is forgotten. */
struct qn_masker {
    void *ud;
    /* What may come next: sets `bits` [ceil(vocab / 32)], see qn_step.mask, all of them undefined
     * before; or *all, and leaves them. Something must be allowed. */
    enum qn_status (*mask)(void *ud, uint32_t *bits, bool *all, struct qn_error *err);
    /* `id` was sampled. *out is ACCEPTED before. Not called with an id that ends the answer by
     * itself. */
    enum qn_status (*accept)(void *ud, uint32_t id, enum qn_accepted *out, struct qn_error *err);
    void (*free)(void *ud);        // NULL: nothing to free
    bool (*waits)(const void *ud); // whether everything is allowed for now; NULL: never
    /* Sets ids[0 … *n), at most `most`: tokens that the answer may as well go on with, because its
     * text must. NULL: none. */
    enum qn_status (*forced)(void *ud, uint32_t *ids, uint32_t most, uint32_t *n,
                             struct qn_error *err);
};

/* A timeline on its way to bytes or back (run/snapshot.h). */
struct qn_snapshot {
    bool saving, restoring;
    uint32_t n, rope_set; // tokens
    uint32_t next;        // piece
    unsigned char *bytes; // [size]: a piece that is saved
    size_t size;
    unsigned char digest[32]; // of the pieces so far
};

#define QN_DRAFT 8  // most tokens guessed at once
#define QN_QUEUE 48 // most tokens known before they are told

struct qn_run {
    struct qn_run *next, *previous; // in a batch
    const struct qn_allocator *allocator;
    struct qn_backend *backend;
    struct qn_backend_session *session;
    const struct qn_tokenizer *tokenizer; // NULL: ids only
    const uint32_t *eos;                  // [n_eos], the engine's
    uint32_t n_eos;
    uint32_t context, vocab, chunk;
    uint32_t n_ids; // as many as logits, where those are logits

    uint32_t *tokens; // [context + 1]: the timeline
    uint32_t n_kv;    // positions whose keys and values belong to `tokens`
    uint32_t *argmax; // [context], for QN_WANT_ARGMAX_ALL

    /* The running generation. */
    enum qn_run_state state;
    uint32_t n_prefix; // tokens given
    uint32_t n_reused; // of them found in the cache
    uint32_t dropped;  // tokens that the timeline lost by sliding, prompt and output
    uint32_t sinks;    // tokens that stay at its beginning when it slides
    uint32_t n_known;  // tokens that prompt steps enqueue: the prefix, or all so far after a switch
    uint32_t fed;      // tokens enqueued so far, prefix and output
    uint32_t rope_set; // that the cache's keys are rotated by (program.rope_switch)
    uint32_t limit;    // most tokens to sample
    uint32_t sampled;  // steps enqueued that sample
    uint32_t n_out;    // tokens received
    uint32_t n_argmax; // positions received
    uint32_t in_flight; // results outstanding
    uint32_t want;
    enum qn_pooling pooling;
    bool stop_on_eos;
    bool slides;
    bool counted; // penalties: the backend counts what it samples
    bool given;   // the next step takes its token from `tokens`, not what was sampled last
    bool cancelled;
    bool failed;    // a step that it shared failed: `failure` is still to be told
    bool token_due; // a token was polled that has not been told of
    uint32_t due;   // that token
    enum qn_finish finish;
    struct qn_str *stops; // own copies
    size_t n_stops;
    struct qn_detok detok;
    bool detok_live;
    struct qn_buf text;      // of the last event
    struct qn_masker masker; // mask NULL: none
    uint32_t *mask;          // [ceil(vocab / 32)], allocated with the first masker
    struct qn_error failure;
    struct qn_snapshot snapshot;

    /* Guesses from what followed the last three tokens before (prompt lookup): verified in one
     * step, where that pays by the rate at which guesses come true. */
    bool speculates;
    bool drafts;      // steps wait for the results before them, so that guesses can be made
    uint32_t n_draft; // tokens guessed in the step under way
    float rate;       // of guesses that came true, of late
    uint32_t drafted, accepted;                  // in this generation
    bool jumps;                                  // what the masker forces is not sampled
    struct qn_sampling sampling;                 // of one that jumps
    uint32_t queue[QN_QUEUE], n_queue, queue_at; // tokens that become due after `due`
};

/* `run` is zeroed memory of the caller. tokenizer may be NULL. */
enum qn_status qn_run_init(struct qn_run *run, const struct qn_allocator *allocator,
                           struct qn_backend *backend, const struct qn_tokenizer *tokenizer,
                           const uint32_t *eos, uint32_t n_eos, struct qn_error *err);
void qn_run_free(struct qn_run *run);
/* Contracts of qn_session_start and _cancel in quern.h (_next: run/batch.h). The masker, or NULL,
 * is the run's from the call on, whatever comes of it: it is freed with the generation. */
enum qn_status qn_run_start(struct qn_run *run, const struct qn_request *request,
                            const struct qn_masker *masker, struct qn_error *err);
void qn_run_cancel(struct qn_run *run);
/* Tokens that the cache holds, also while a generation runs; and how many of the prompt ids [n]
 * begin it, but for the last, which is always computed. */
uint32_t qn_run_held(const struct qn_run *run);
uint32_t qn_run_shares(const struct qn_run *run, const uint32_t *ids, size_t n);
/* The idle `to` gets the first n tokens that `from` holds, and loses its own. */
enum qn_status qn_run_copy(struct qn_run *to, const struct qn_run *from, uint32_t n,
                           struct qn_error *err);

/* Ends a snapshot that is being saved or restored, and frees what it holds. */
void qn_run_end_snapshot(struct qn_run *run);

/* Tokens of the timeline that are known. */
static inline uint32_t qn_run_known(const struct qn_run *run) {
    return run->n_prefix + run->n_out - run->dropped;
}

/* Whether the next token is constrained. */
static inline bool qn_run_masked(const struct qn_run *run) {
    return run->masker.mask && !(run->masker.waits && run->masker.waits(run->masker.ud));
}

/* ---- For run/batch.c, which says when a timeline's steps are enqueued ------------------------ */

/* The next event for which the backend is not needed. *told: there is one in `out`. A failure ends
 * the generation, here and below. */
enum qn_status qn_run_tell(struct qn_run *run, struct qn_event *out, bool *told,
                           struct qn_error *err);
/* Takes one result, if *ready. Only when nothing is left to tell. */
enum qn_status qn_run_poll(struct qn_run *run, struct qn_event *out, bool *told, bool *ready,
                           struct qn_error *err);
/* Whether a prompt step can be enqueued; does it and tells of it. */
bool qn_run_prompts(const struct qn_run *run);
enum qn_status qn_run_prompt(struct qn_run *run, struct qn_event *out, struct qn_error *err);
/* src/run/draft.c: whether a request's greedy choice can be guessed; the guesses of the next step,
 * as *out if there are any; what became of them, given every row's arg-max. */
void qn_draft_start(struct qn_run *run, const struct qn_request *request);
void qn_draft_step(struct qn_run *run, struct qn_step *out, bool alone);
void qn_draft_take(struct qn_run *run, const struct qn_step_result *result);
/* Whether the timeline goes on by decode steps; how many results may be outstanding then. */
bool qn_run_decodes(const struct qn_run *run);
uint32_t qn_run_depth(const struct qn_run *run);
/* Its next decode step, and that it was enqueued (or not: `failure` is told next). `alone`: no
 * other timeline decodes. */
enum qn_status qn_run_step(struct qn_run *run, struct qn_step *out, bool alone,
                           struct qn_error *err);
void qn_run_stepped(struct qn_run *run, enum qn_status status, const struct qn_error *failure);

#endif
