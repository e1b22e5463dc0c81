/* The CPU backend: executes a program op by op, in float32, on the calling thread and a pool. */
#ifndef QN_CPU_CPU_H
#define QN_CPU_CPU_H

#include "program/backend.h"

/* A backend that holds the weights and executes `program`, which must be planned, must have
 * `logits` set, and must outlive the backend. `threads` includes the caller; 0 means 1;
 * single-threaded builds use 1. Everything is allocated here and in session_create: a step
 * allocates nothing. Weights are zero until written, computed ones (rope frequencies) are copied
 * here. Free with (*out)->ops->destroy, after the sessions. QN_E_NO_MEMORY; QN_E_INTERNAL for a
 * program that is not planned. */
enum qn_status qn_cpu_backend_create(struct qn_backend **out, const struct qn_allocator *allocator,
                                     const struct qn_program *program, uint32_t threads,
                                     struct qn_error *err);

/* The pool that steps run on, or NULL; see qn_engine_workers in quern.h. */
struct qn_pool *qn_cpu_backend_pool(const struct qn_backend *backend);

#endif
