/* The GPU backend: a program lowered to tapes, played by a host (src/program/backend.h says what a
 * backend does, src/webgpu/tape.h what a tape is). */
#ifndef QN_WEBGPU_GPU_H
#define QN_WEBGPU_GPU_H

#include "base/buf.h"
#include "program/backend.h"

/* Creates every module, layout, pipeline and buffer of `program` on the host. The device compiles
 * meanwhile; ready() is true once the fence that finish() plays has answered and no ERROR came.
 *
 * `program` (planned, verified) and what `host->ud` points to must outlive the backend; `host`
 * itself is copied. Events of the host go to ops->event, in their order, also from within play().
 * Their tags are the backend's: one host serves one backend.
 *
 * QN_E_GPU_MEMORY: an activation, a cache or a row of a weight exceeds the device's limits (named
 * in the message), or the host said so. QN_E_UNSUPPORTED: a shape that no kernel takes.
 * QN_E_NO_MEMORY; QN_E_GPU, QN_E_GPU_LOST: as play() said. On failure *out is NULL and every id
 * that was created has been destroyed again. */
enum qn_status qn_gpu_backend_create(struct qn_backend **out, const struct qn_allocator *allocator,
                                     const struct qn_program *program,
                                     const struct qn_gpu_host *host, struct qn_error *err);

/* caps with every zero replaced by the specification's default. */
struct qn_gpu_caps qn_gpu_caps_resolve(const struct qn_gpu_caps *caps);

/* What a step plays, for inspection and tests. */
struct qn_gpu_stats {
    uint32_t dispatches;                 // of the latest step
    uint32_t words;                      // of the latest step's tape
    uint32_t pipelines, groups, buffers; // alive
    uint64_t bytes;                      // of all buffers
};
/* Appends ',"variants":{"kernels":["matvec_dot", …],"tested":n,"tuned":b,"choice":{…},
 * "note":"…"}': matrix kernels in use, pipelines that the self-test ran, whether something was
 * measured now that holds for other models too, what qn_gpu_caps may say of it at the next start,
 * and why features are not used ("" where nothing failed). */
void qn_gpu_backend_describe(const struct qn_backend *backend, struct qn_buf *out);
void qn_gpu_backend_stats(const struct qn_backend *backend, struct qn_gpu_stats *out);

#endif
