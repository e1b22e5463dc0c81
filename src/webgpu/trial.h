/* The self-test of a GPU backend's start. Inside the room. */
#ifndef QN_WEBGPU_TRIAL_H
#define QN_WEBGPU_TRIAL_H

#include "webgpu/lower.h"

struct qn_gpu;

enum qn_gpu_trial_state {
    QN_TRIAL_OVER, // or not wanted
    QN_TRIAL_COMPILES,
    QN_TRIAL_RUNS,
    QN_TRIAL_MEASURES,
};

#define QN_TUNE_PLAYS 32u // dispatches of a run

/* A contest of two ways to compute the same: as the program is lowered, and otherwise. */
struct qn_gpu_tuning {
    uint32_t contest, round; // number; rounds begun
    bool waits, failed;      // for the round's pipelines; one of them does not compile
    bool played;             // a round to its end
    bool fine;               // the clock
    bool again;              // the program has to be lowered anew
    uint32_t choice;         // of the contest, 0: as it is
    float gain, score[2];    // of that choice; times of both ways
    struct qn_gpu_tune_play {
        uint32_t pipeline, group;
        struct qn_grid grid;
    } plays[2][QN_TUNE_PLAYS];
    uint32_t n[2], rows;           // of plays; T
    float share;                   // what the round's times are multiplied with
    uint32_t run, repeat, best[2]; // microseconds
    uint32_t micros, spent;        // of the latest run; of all
};

struct qn_gpu_trial {
    enum qn_gpu_trial_state state;
    bool due;              // a turn that waits until play() has returned
    bool answered, failed; // in this run
    uint32_t fence, read;  // tags
    uint32_t wrong;        // features to do without
    unsigned char *input;  // [n], what the first of the buffers holds
    size_t n;
    struct qn_lower_buffer buffers[2];
    uint32_t n_buffers, n_groups; // that exist
    uint32_t n_tested;            // pipelines
    struct qn_gpu_tuning tuning;
    struct qn_error note; // the first failure, which need not be the backend's
};

/* begin: all pipelines have been played. turn: its fence has answered; read: its READ. */
enum qn_status qn_gpu_trial_begin(struct qn_gpu *gpu, struct qn_error *err);
void qn_gpu_trial_turn(struct qn_gpu *gpu);
void qn_gpu_trial_read(struct qn_gpu *gpu, const void *bytes, size_t n);
/* Whether an ERROR costs a feature only. */
bool qn_gpu_trial_forgives(struct qn_gpu *gpu, const struct qn_gpu_event *event);
void qn_gpu_trial_release(struct qn_gpu *gpu);
/* The next turn comes when this has answered. */
enum qn_status qn_gpu_trial_fence(struct qn_gpu *gpu, struct qn_error *err);
/* tune.c. Whether something is under way, whose FENCE or READ asks for the next turn. begin: goes
 * on after `again`. */
bool qn_gpu_tune_begin(struct qn_gpu *gpu);
bool qn_gpu_tune_turn(struct qn_gpu *gpu);

static inline bool qn_kernel_is_matrix(enum qn_kernel_id id) {
    return id >= QN_KERNEL_MATVEC && id <= QN_KERNEL_MATMUL_TILES;
}

/* backend_gpu.c. A kernel's module and layout, which have its number; a pipeline of them. */
enum qn_status qn_gpu_put_kernel(struct qn_gpu *gpu, enum qn_kernel_id id, struct qn_error *err);
void qn_gpu_put_pipeline(struct qn_gpu *gpu, uint32_t id, const struct qn_lower_pipeline *pipeline);
/* Lowers the program for caps with fewer features and makes its pipelines, before
 * there are sessions. */
enum qn_status qn_gpu_lower_again(struct qn_gpu *gpu, struct qn_error *err);

#endif
