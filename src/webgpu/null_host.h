/* A GPU host without a GPU. It keeps the state that a WebGPU device would (buffers, layouts,
 * pipelines, groups, pass and encoder) and refuses every word that the device, or the rules of
 * tape.h, would refuse. Reads answer zeros, unless hooks give the buffers real contents. */
#ifndef QN_WEBGPU_NULL_HOST_H
#define QN_WEBGPU_NULL_HOST_H

#include "webgpu/tape.h"

struct qn_null_host;

/* One binding of a dispatch, checked. */
struct qn_null_binding {
    uint32_t buffer;
    uint64_t offset, bytes;
    uint32_t kind; // QN_BIND_*
};

#define QN_NULL_BINDINGS 16
#define QN_NULL_CONSTANTS 24

struct qn_null_constant {
    struct qn_str name;
    float value;
};

/* What a pipeline was made of; strings live as long as the pipeline. */
struct qn_null_pipeline {
    struct qn_str label, text; // of the module
    uint32_t n_constants;
    struct qn_null_constant constants[QN_NULL_CONSTANTS];
    uint32_t layout;
    uint32_t n_bindings;
    uint32_t kinds[QN_NULL_BINDINGS];
};

/* Called after a word has passed its checks; NULL members are skipped. A failure becomes play()'s.
 * `read` fills `out` with buffer contents. */
struct qn_null_hooks {
    void *ud;
    enum qn_status (*create)(void *ud, uint32_t buffer, uint64_t bytes, struct qn_error *err);
    void (*destroy)(void *ud, uint32_t buffer);
    void (*write)(void *ud, uint32_t buffer, uint64_t offset, const void *p, size_t n);
    void (*copy)(void *ud, uint32_t source, uint64_t source_offset, uint32_t target,
                 uint64_t target_offset, size_t n);
    void (*clear)(void *ud, uint32_t buffer, uint64_t offset, size_t n);
    void (*read)(void *ud, void *out, uint32_t buffer, uint64_t offset, size_t n);
    enum qn_status (*dispatch)(void *ud, const struct qn_null_pipeline *pipeline,
                               const struct qn_null_binding *bindings, uint32_t n,
                               const uint32_t grid[3], struct qn_error *err);
};

struct qn_null_stats {
    uint32_t buffers, modules, layouts, pipelines, groups;                   // alive
    uint64_t bytes;                                                          // of buffers alive
    uint64_t plays, submits, passes, dispatches, writes, write_bytes, reads; // ever
    uint64_t creates;                                                        // of any kind, ever
};

/* A failure to inject: the `at`-th call of play() from now on (0: the next) fails with `status`,
 * and with `forever` all later ones as well. In `late` mode play() succeeds, and the failure
 * arrives as an ERROR (or LOST, for QN_E_GPU_LOST) event instead; of that tape only destructions
 * are done. */
struct qn_null_fault {
    uint64_t at;
    enum qn_status status; // QN_OK: none
    bool forever, late;
};

/* `caps` may hold zeros (the specification's defaults) or be NULL. hooks may be NULL; copied. */
enum qn_status qn_null_host_create(struct qn_null_host **out, const struct qn_allocator *allocator,
                                   const struct qn_gpu_caps *caps,
                                   const struct qn_null_hooks *hooks);
void qn_null_host_destroy(struct qn_null_host *host);

/* The interface to hand to a backend; valid until the host is destroyed. */
struct qn_gpu_host qn_null_host_interface(struct qn_null_host *host);
/* The oldest event that has not been taken; false when there is none. Its bytes live until the next
 * call of this function. */
bool qn_null_host_next_event(struct qn_null_host *host, struct qn_gpu_event *out);
/* While held, next_event has nothing: for tests that want results to arrive late. */
void qn_null_host_hold(struct qn_null_host *host, bool hold);
void qn_null_host_fail(struct qn_null_host *host, const struct qn_null_fault *fault);
void qn_null_host_stats(const struct qn_null_host *host, struct qn_null_stats *out);
/* The first refused word of the host's life: status and text; QN_OK when there was none. */
const struct qn_error *qn_null_host_refusal(const struct qn_null_host *host);

#endif
