/* A pool of workers for data-parallel loops. Native: pthreads. wasm with shared memory: workers
 * that JavaScript started and that call qn_pool_worker; elsewhere: the caller alone. */
#ifndef QN_BASE_POOL_H
#define QN_BASE_POOL_H

#include "base/mem.h"

struct qn_pool;

/* Called once per task index in [0, n_tasks); tasks must not depend on each other's order. */
typedef void qn_task_fn(void *arg, uint32_t task);

/* n_threads counts the caller; 0 or 1 makes a pool without workers. */
enum qn_status qn_pool_create(struct qn_pool **out, const struct qn_allocator *allocator,
                              uint32_t n_threads, struct qn_error *err);
/* Runs all tasks and returns when they are done. Not reentrant. pool may be NULL: runs in place. */
void qn_pool_run(struct qn_pool *pool, qn_task_fn *fn, void *arg, uint32_t n_tasks);
uint32_t qn_pool_threads(const struct qn_pool *pool); // NULL: 1
void qn_pool_destroy(struct qn_pool *pool);
/* wasm only: body of worker `index` in 1..n_threads-1; returns when the pool is destroyed. */
void qn_pool_worker(struct qn_pool *pool, uint32_t index);

#endif
