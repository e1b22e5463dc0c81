/* Inside the GPU backend: what its files share. */
#ifndef QN_WEBGPU_GPU_INTERNAL_H
#define QN_WEBGPU_GPU_INTERNAL_H

#include "webgpu/gpu.h"
#include "webgpu/gpu_bank.h"
#include "webgpu/trial.h"

#define QN_GPU_BANKS 64u // at most; fewer where ids would not be small
#define QN_GPU_IN_FLIGHT 4u

enum qn_gpu_state {
    QN_GPU_LOADING, // weights arrive
    QN_GPU_PENDING, // the fence has not answered
    QN_GPU_READY,
    QN_GPU_FAILED,
    QN_GPU_LOST,
};

/* The last word of a plane that a piece ended within: WRITE_BUFFER takes whole words only. */
struct qn_gpu_edge {
    bool set;
    uint32_t buffer, offset; // of the word
    unsigned char bytes[4];
};

struct qn_gpu {
    struct qn_backend base;
    const struct qn_allocator *allocator;
    struct qn_arena arena;
    struct qn_gpu_host host;
    struct qn_lower lower;
    struct qn_tape tape; // reserved for the longest step: playing allocates nothing
    enum qn_gpu_state state;
    struct qn_error failure;
    struct qn_gpu_edge *edges; // [n_weights × QN_PLANE_COUNT]
    uint32_t id_limit;         // ids from here on have no embedding
    uint32_t n_created;        // shared buffers that exist
    uint64_t bytes;            // of all buffers that exist
    uint32_t next_tag, fence;  // tags of READ and FENCE words; 0 is none
    struct qn_backend_session *sessions;
    struct qn_gpu_bank *banks[QN_GPU_BANKS]; // NULL: there is none of that number
    uint32_t max_banks, n_sessions;
    unsigned char *block_steps;  // [n_blocks × 256]: on their way to the buffer of that name
    bool playing, fenced, tuned; // within play(); finish()'s fence has answered; see tune.c
    struct qn_gpu_trial trial;
    struct qn_gpu_stats stats;
};

/* gpu_play.c. Plays gpu->tape and clears it. QN_E_GPU_LOST is remembered. */
enum qn_status qn_gpu_play(struct qn_gpu *gpu, struct qn_error *err);
/* The failure that every call answers from now on, or QN_OK. */
enum qn_status qn_gpu_check(const struct qn_gpu *gpu, struct qn_error *err);
void qn_gpu_set_failed(struct qn_gpu *gpu, enum qn_gpu_state state, enum qn_status status,
                       struct qn_str message);
uint32_t qn_gpu_tag(struct qn_gpu *gpu);
/* Creates buffers first .. first + n - 1, described by `buffers`; *created counts, also
 * on failure. */
enum qn_status qn_gpu_buffers_create(struct qn_gpu *gpu, uint32_t first,
                                     const struct qn_lower_buffer *buffers, uint32_t n,
                                     uint32_t *created, struct qn_error *err);
void qn_gpu_buffers_destroy(struct qn_gpu *gpu, uint32_t first,
                            const struct qn_lower_buffer *buffers, uint32_t n);
/* DESTROY_GROUP or DESTROY_BUFFER for ids first .. first + n - 1, whatever the host answers. */
void qn_gpu_release(struct qn_gpu *gpu, enum qn_tape_op op, uint32_t first, uint32_t n);

void qn_gpu_put_write(struct qn_tape *tape, uint32_t buffer, uint32_t offset, uint32_t n,
                      const void *p);
/* The self-test goes on, when the tape is free; ready once that and the weights are done. */
void qn_gpu_turn(struct qn_gpu *gpu);
/* gpu_session.c */
enum qn_status qn_gpu_session_create(struct qn_backend *backend, struct qn_backend_session **out,
                                     struct qn_error *err);
void qn_gpu_session_destroy(struct qn_backend *backend, struct qn_backend_session *session);
enum qn_status qn_gpu_session_begin(struct qn_backend *backend, struct qn_backend_session *session,
                                    const struct qn_sampling *sampling, const uint32_t *prefix,
                                    size_t n, struct qn_error *err);
enum qn_status qn_gpu_session_poll(struct qn_backend *backend, struct qn_backend_session *session,
                                   struct qn_step_result *out, bool *ready, struct qn_error *err);
enum qn_status qn_gpu_session_copy(struct qn_backend *backend, struct qn_backend_session *to,
                                   const struct qn_backend_session *from, uint32_t n,
                                   struct qn_error *err);
enum qn_status qn_gpu_session_save(struct qn_backend *backend, struct qn_backend_session *session,
                                   void *out, uint32_t tensor, uint32_t pos, uint32_t n,
                                   bool *ready, struct qn_error *err);
enum qn_status qn_gpu_session_restore(struct qn_backend *backend,
                                      struct qn_backend_session *session, const void *bytes,
                                      uint32_t tensor, uint32_t pos, uint32_t n,
                                      struct qn_error *err);
void qn_gpu_session_drop(struct qn_backend *backend, struct qn_backend_session *session);
/* Writes the slot's sampling parameters with what is played next. */
void qn_gpu_put_sampling(struct qn_gpu *gpu, const struct qn_backend_session *session);
/* Hands a READ event to the step that waits for its tag; unknown tags belong to dropped steps.
 * `micros`: of the event. */
enum qn_status qn_gpu_session_read(struct qn_gpu *gpu, uint32_t tag, uint32_t micros,
                                   const void *bytes, size_t n);
/* Bytes of the arg-max buffer that hold `rows` ids. */
uint32_t qn_gpu_argmax_bytes(const struct qn_lower *l, uint32_t rows);
/* gpu_step.c */
enum qn_status qn_gpu_session_enqueue(struct qn_backend *backend, const struct qn_step *steps,
                                      uint32_t n_steps, struct qn_error *err);

/* A step whose results are on their way. Tags are 0 where nothing was asked or it has arrived. */
struct qn_gpu_pending {
    bool sampled, wants_logits, wants_argmax;
    uint32_t tag_token, tag_logits, tag_argmax;
    uint32_t row, rows; // its token among those that are read together
    uint32_t token;
    uint32_t n;       // rows of argmax
    float *logits;    // [vocab], allocated when first wanted
    uint32_t *argmax; // [max_rows]
};

/* Heads of a state on their way to bytes. */
struct qn_gpu_transfer {
    unsigned char *out; // NULL: none
    size_t part;        // bytes of a head
    uint32_t tag, n;    // of the first head; heads
    uint32_t left;      // that have not arrived
};

struct qn_backend_session {
    struct qn_gpu_transfer transfer;
    struct qn_backend_session *next;
    struct qn_gpu_bank *bank;
    uint32_t slot;
    bool has_token; // the slot's id on the device is the last step's sample
    uint32_t end;   // positions of the cache that were written
    enum qn_list sampler;
    struct qn_params_sampling sampling;
    struct qn_gpu_pending pending[QN_GPU_IN_FLIGHT];
    uint32_t first, n_pending;
    uint32_t *argmax; // one block for all of pending
};

/* The id that a ref's buffer has on the host, for this bank. */
static inline uint32_t qn_gpu_buffer_id(const struct qn_gpu *gpu, const struct qn_gpu_bank *bank,
                                        enum qn_space space, uint32_t buffer) {
    if (space == QN_SPACE_SHARED)
        return buffer;
    uint32_t at = bank->number * gpu->lower.n_buffers[QN_SPACE_BANK] + buffer;
    return gpu->lower.n_buffers[QN_SPACE_SHARED] + at * 2 + bank->parts[buffer].odd;
}

static inline uint32_t qn_gpu_group_id(const struct qn_gpu *gpu, const struct qn_gpu_bank *bank,
                                       uint32_t dispatch) {
    return bank->number * gpu->lower.n_dispatches + dispatch;
}

#endif
