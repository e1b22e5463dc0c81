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

struct qn_gpu_tuning {
    uint32_t fill, dispatch, rows; // what is compared: a number of tiles, and where
    uint32_t run, repeat, best[2]; // microseconds, by few rows and by tiles
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
/* tune.c. Whether a run is under way, whose READ asks for the next turn. */
bool qn_gpu_tune_begin(struct qn_gpu *gpu);
bool qn_gpu_tune_turn(struct qn_gpu *gpu);
/* backend_gpu.c. Lowers the program for caps with fewer features and makes its pipelines, before
 * there are sessions. */
enum qn_status qn_gpu_lower_again(struct qn_gpu *gpu, struct qn_error *err);

#endif
