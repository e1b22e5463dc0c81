/* A GPU host that computes: every word passes the null host's checks, buffers are memory, and a
 * dispatch runs the kernel's reference function (ref_kernels.h). Slow, exact, for tests and for
 * checking a tape without a GPU. Events are pumped by its owner, as for the null host. */
#ifndef QN_WEBGPU_REF_HOST_H
#define QN_WEBGPU_REF_HOST_H

#include "webgpu/null_host.h"

struct qn_ref_host;

enum qn_status qn_ref_host_create(struct qn_ref_host **out, const struct qn_allocator *allocator,
                                  const struct qn_gpu_caps *caps);
void qn_ref_host_destroy(struct qn_ref_host *host);
struct qn_gpu_host qn_ref_host_interface(struct qn_ref_host *host);
bool qn_ref_host_next_event(struct qn_ref_host *host, struct qn_gpu_event *out);
/* From now on the device is bad: pipelines of the kernel `label` whose text contains `part` ("" is
 * in all) write results that are half too large; with part "COLS", those that take several rows
 * write results whose last bit is wrong. label NULL: it is good again. Both texts are the
 * caller's and must live on. */
void qn_ref_host_break(struct qn_ref_host *host, const char *label, const char *part);
/* The checks inside, for holds, faults and counts. */
struct qn_null_host *qn_ref_host_checks(struct qn_ref_host *host);

#endif
