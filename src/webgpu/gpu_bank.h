/* Banks of the GPU backend: buffers with a slot for each of several sessions. */
#ifndef QN_WEBGPU_GPU_BANK_H
#define QN_WEBGPU_GPU_BANK_H

#include "webgpu/lower.h"

struct qn_gpu;

/* A buffer of a bank as it is now: 0 bytes where there is none. Its id is one of two, so that the
 * next one can be made and filled before it goes. */
struct qn_gpu_part {
    uint32_t bytes;
    bool odd;
};

/* Sessions that can share a step: each has a slot in the same buffers. */
struct qn_gpu_bank {
    uint32_t number;            // buffers and groups are numbered from number × their count
    uint32_t slots;             // that every buffer has room for
    uint64_t taken;             // bit s: slot s is a session's
    struct qn_gpu_part *parts;  // [n_buffers]
    uint32_t n_groups;          // exist on the host: all or none
    struct qn_params_step step; // what the step buffer will hold after all that was played
    bool step_known;            // false: `step` must be written before the next step
    /* The words of a decode step of one session, from BEGIN_PASS on, for `decode_sampler`. What
     * changes from token to token is patched: the READ's tag, and grids that grow with
     * the context. */
    struct qn_tape decode;
    enum qn_list decode_sampler; // QN_LIST_COUNT: nothing prepared
    enum qn_list decode_body;
    uint32_t decode_dispatches;
    size_t decode_read;     // word index of the READ
    size_t *decode_patches; // word indices of DISPATCH, by attention dispatch
    uint32_t n_patches;
};

/* A slot for a session, *bank ← where. A bank grows by a slot, or another one is
 * opened where the device's limits or its memory forbid that. */
enum qn_status qn_gpu_slot_take(struct qn_gpu *gpu, struct qn_gpu_bank **bank, uint32_t *slot,
                                struct qn_error *err);
/* A bank without sessions goes; one with many free slots at its end shrinks, if it can. */
void qn_gpu_slot_free(struct qn_gpu *gpu, struct qn_gpu_bank *bank, uint32_t slot);
/* Groups are made anew after a bank's buffers were: before they are used. */
enum qn_status qn_gpu_bank_groups(struct qn_gpu *gpu, struct qn_gpu_bank *bank,
                                  struct qn_error *err);

#endif
