/* The small interface through which run/ drives a backend. The CPU computes within enqueue; the GPU
 * writes a tape, and results come later. Both give the same tokens for the same steps. */
#ifndef QN_PROGRAM_BACKEND_H
#define QN_PROGRAM_BACKEND_H

#include "program/program.h"

struct qn_backend_session;

/* One step over a session's timeline. Positions pos .. pos+n-1 of the KV cache are (re)written;
 * what lies beyond is dead. With n == 0 the step takes one token: the one that the previous step
 * sampled, wherever it is (decision 5: it need not have been read back). */
struct qn_step {
    const uint32_t *ids; // [n]
    uint32_t n;
    uint32_t pos;
    bool sample; // sample a token from the last row; its draw is keyed by position pos + max(n, 1)
    uint32_t want;     // enum qn_want; ARGMAX_ALL: arg-max of every row (R = T)
    uint32_t rope_set; // 1: the sequence is longer than program.rope_switch (0 where that is 0)
    enum qn_pooling pooling; // MEAN or CLS: the one row is so pooled; else the last
    bool exact; // every row gives what a step of its one token would give; n ≤ max_exact
    struct qn_backend_session *session;
    /* [ceil(vocab / 32)]: bit id % 32 of word id / 32 says whether id may be sampled; at least one
     * id below program.sample_vocab may. NULL: every id. Read within enqueue. */
    const uint32_t *mask;
};

/* Beside enum qn_want: a result that says nothing but that the step is over. */
#define QN_WANT_DONE 0x100u

/* Result of a step that sampled or wanted something, in the order of the steps. */
struct qn_step_result {
    bool sampled;
    uint32_t token;
    const float *logits;    // [vocab] of the last row before penalties, or NULL
    const uint32_t *argmax; // [n], or NULL
    uint32_t n;
};

struct qn_backend {
    const struct qn_backend_ops *ops;
    const struct qn_program *program;
    uint32_t max_in_flight; // steps of a session whose results may be outstanding
    uint32_t max_batch;     // steps in one enqueue, at least 1
    uint32_t max_exact;     // tokens of an exact step; 0: there are none
    float exact_cost;       // of each further token in it, in steps of one
    float exact_wait;       // until its result is known, in steps that could have been under way
    uint32_t exact_edge;    // position that it may not cross; 0: none
    /* Tokens that a prompt's next step should take at most: what the backend learns from the time
     * that steps took (it changes). 0: no advice, and no use in QN_WANT_DONE. */
    uint32_t chunk;
};

struct qn_backend_ops {
    const char *name; // "cpu", "webgpu"
    void (*destroy)(struct qn_backend *backend);
    /* Bytes of `plane` of weight `weight` from byte `offset` on. Rows arrive whole and in canonical
     * layout, in pieces of at most 32 MiB; the bytes are the caller's. */
    enum qn_status (*write)(struct qn_backend *backend, uint32_t weight, enum qn_plane plane,
                            uint64_t offset, const void *bytes, size_t n, struct qn_error *err);
    /* After the last write. The backend may need events before ready() is true. */
    enum qn_status (*finish)(struct qn_backend *backend, struct qn_error *err);
    bool (*ready)(const struct qn_backend *backend);
    enum qn_status (*event)(struct qn_backend *backend, const struct qn_gpu_event *event,
                            struct qn_error *err);
    uint64_t (*memory)(const struct qn_backend *backend); // bytes held, sessions included

    enum qn_status (*session_create)(struct qn_backend *backend, struct qn_backend_session **out,
                                     struct qn_error *err);
    void (*session_destroy)(struct qn_backend *backend, struct qn_backend_session *session);
    /* Before the steps of a generation: sampling parameters and the whole prefix, for the
     * penalties' counts. Waits for nothing; earlier steps must have been polled or dropped. */
    enum qn_status (*begin)(struct qn_backend *backend, struct qn_backend_session *session,
                            const struct qn_sampling *sampling, const uint32_t *prefix, size_t n,
                            struct qn_error *err);
    /* One step; or up to max_batch steps of as many sessions, each of which takes one token (n is 0
     * or 1), samples and wants nothing else: they read the weights together and give what each
     * would give alone. After a failure what the steps' sessions hold beyond `pos` is unknown. */
    enum qn_status (*enqueue)(struct qn_backend *backend, const struct qn_step *steps,
                              uint32_t n_steps, struct qn_error *err);
    /* Positions 0 .. n-1 of the cache of `from` become those of `to`, which has nothing
     * in flight. */
    enum qn_status (*copy)(struct qn_backend *backend, struct qn_backend_session *to,
                           const struct qn_backend_session *from, uint32_t n, struct qn_error *err);
    /* Positions pos .. pos+n-1 of a state, [n_kv_heads, n, head_dim] in its type, to bytes and
     * back. save: *ready false: call again, with the same arguments, once the host has reported;
     * drop ends it. restore: those of all states must follow before a step. */
    enum qn_status (*save)(struct qn_backend *backend, struct qn_backend_session *session,
                           void *out, uint32_t tensor, uint32_t pos, uint32_t n, bool *ready,
                           struct qn_error *err);
    enum qn_status (*restore)(struct qn_backend *backend, struct qn_backend_session *session,
                              const void *bytes, uint32_t tensor, uint32_t pos, uint32_t n,
                              struct qn_error *err);
    /* *ready false: the result of the oldest step is not there yet. What `out` points to lives
     * until the next call on the session. */
    enum qn_status (*poll)(struct qn_backend *backend, struct qn_backend_session *session,
                           struct qn_step_result *out, bool *ready, struct qn_error *err);
    /* Forgets all outstanding results (cancel, overrun past EOS). The device may still
     * finish them. */
    void (*drop)(struct qn_backend *backend, struct qn_backend_session *session);
};

/* One step of one session. */
static inline enum qn_status qn_backend_step(struct qn_backend *backend,
                                             struct qn_backend_session *session,
                                             const struct qn_step *step, struct qn_error *err) {
    struct qn_step one = *step;
    one.session = session;
    return backend->ops->enqueue(backend, &one, 1, err);
}

#endif
