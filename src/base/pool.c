/* One run at a time. Tasks are claimed from a 64-bit ticket, run number << 32 | next task, so that
 * a worker that wakes late can never claim a task of a run that it has not looked at: a run is over
 * when all its tasks are, and nobody waits for a worker that found nothing to do. A claim takes a
 * share of what is left, so that there are few claims, and the last ones are small: whoever is
 * slower, or comes later, ends with the others. */
#include "base/pool.h"

#include <stdatomic.h>
#include <stdbool.h>

#if !defined(__wasm__)
#define THREADS 1
#include <pthread.h>
#elif defined(__wasm_atomics__)
#define SHARED_MEMORY 1
#endif

#define THREADS_MAX 256
#define SPINS 2000        // 50 to 100 µs
#define CLOSED UINT32_MAX // task index while a run is being set up
#define LINE 64           // bytes of the cache's lines, between what different threads write

/* A place to sleep until a 32-bit word changes. */
struct bed {
#ifdef THREADS
    pthread_mutex_t mutex;
    pthread_cond_t cond;
#endif
    atomic_uint sleepers;
};

struct qn_pool {
    const struct qn_allocator *allocator;
    uint32_t n_threads; // the caller counted
    uint32_t n_beds;    // native: beds that are made, for destroying
    _Atomic(qn_task_fn *) fn;
    _Atomic(void *) arg;
    _Atomic uint32_t n_tasks;
    _Atomic uint32_t epoch; // grows with every run and at the end: workers sleep on it
    atomic_bool stop;
    _Atomic uint32_t inside; // workers
    char line0[LINE];
    _Atomic uint64_t ticket;
    char line1[LINE];
    _Atomic uint32_t done; // tasks of this run that have ended
    char line2[LINE];
    struct bed worker_bed, caller_bed;
#ifdef THREADS
    pthread_t threads[THREADS_MAX];
#endif
};

#if defined(THREADS) || defined(SHARED_MEMORY)
static inline void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb"); // a few dozen cycles; "yield" is none
#else
    atomic_thread_fence(memory_order_seq_cst); // likewise
#endif
}
#endif

#ifdef THREADS
static bool bed_make(struct bed *bed) {
    if (pthread_mutex_init(&bed->mutex, NULL) != 0)
        return false;
    if (pthread_cond_init(&bed->cond, NULL) != 0) {
        pthread_mutex_destroy(&bed->mutex);
        return false;
    }
    return true;
}

static void bed_unmake(struct bed *bed) {
    pthread_cond_destroy(&bed->cond);
    pthread_mutex_destroy(&bed->mutex);
}

/* Sleeps while *word == value. Either the sleeper's count is seen by the waker, or the sleeper sees
 * the new word: both sides write first and read second, sequentially consistent. */
static void sleep_on(struct bed *bed, _Atomic uint32_t *word, uint32_t value) {
    pthread_mutex_lock(&bed->mutex);
    atomic_fetch_add(&bed->sleepers, 1);
    while (atomic_load(word) == value)
        pthread_cond_wait(&bed->cond, &bed->mutex);
    atomic_fetch_sub(&bed->sleepers, 1);
    pthread_mutex_unlock(&bed->mutex);
}

static void wake(struct bed *bed, _Atomic uint32_t *word) {
    (void)word;
    if (atomic_load(&bed->sleepers) == 0)
        return;
    pthread_mutex_lock(&bed->mutex); // a sleeper is asleep, or has not yet looked at the word
    pthread_mutex_unlock(&bed->mutex);
    pthread_cond_broadcast(&bed->cond);
}
#elif defined(SHARED_MEMORY)
static void sleep_on(struct bed *bed, _Atomic uint32_t *word, uint32_t value) {
    atomic_fetch_add(&bed->sleepers, 1);
    __builtin_wasm_memory_atomic_wait32((int *)(void *)word, (int)value, -1);
    atomic_fetch_sub(&bed->sleepers, 1);
}

static void wake(struct bed *bed, _Atomic uint32_t *word) {
    if (atomic_load(&bed->sleepers) != 0) // a sleeper that died counts for ever, and costs a call
        __builtin_wasm_memory_atomic_notify((int *)(void *)word, UINT32_MAX);
}
#endif

#if defined(THREADS) || defined(SHARED_MEMORY)
/* Waits until *word differs from `value`: spins for some microseconds, since the next run of a
 * decoder step comes at once, then sleeps. */
static void await_change(struct bed *bed, _Atomic uint32_t *word, uint32_t value) {
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load_explicit(word, memory_order_acquire) != value)
            return;
        relax();
    }
    while (atomic_load(word) == value)
        sleep_on(bed, word, value);
}

/* Works on the current run until no task is left to claim. */
static void work(struct qn_pool *pool) {
    uint64_t ticket = atomic_load_explicit(&pool->ticket, memory_order_acquire);
    for (;;) {
        uint32_t task = (uint32_t)ticket;
        // Acquire: had a later run written these, the exchange below would find its ticket.
        uint32_t n_tasks = atomic_load_explicit(&pool->n_tasks, memory_order_acquire);
        qn_task_fn *fn = atomic_load_explicit(&pool->fn, memory_order_acquire);
        void *arg = atomic_load_explicit(&pool->arg, memory_order_acquire);
        if (task >= n_tasks)
            return;
        uint32_t n = (n_tasks - task) / (2 * pool->n_threads);
        n = n == 0 ? 1 : n;
        if (!atomic_compare_exchange_weak_explicit(&pool->ticket, &ticket, ticket + n,
                                                   memory_order_acq_rel, memory_order_acquire))
            continue;
        for (uint32_t end = task + n; task < end; task++)
            fn(arg, task);
        if (atomic_fetch_add(&pool->done, n) + n == n_tasks)
            wake(&pool->caller_bed, &pool->done);
        ticket = atomic_load_explicit(&pool->ticket, memory_order_acquire);
    }
}

void qn_pool_worker(struct qn_pool *pool, uint32_t index) {
    (void)index;
    atomic_fetch_add(&pool->inside, 1);
    for (;;) {
        uint32_t epoch = atomic_load_explicit(&pool->epoch, memory_order_acquire);
        if (atomic_load_explicit(&pool->stop, memory_order_acquire))
            break;
        work(pool);
        await_change(&pool->worker_bed, &pool->epoch, epoch);
    }
    atomic_fetch_sub(&pool->inside, 1);
}

static void next_epoch(struct qn_pool *pool) {
    atomic_fetch_add(&pool->epoch, 1);
    wake(&pool->worker_bed, &pool->epoch);
}

static void run_shared(struct qn_pool *pool, qn_task_fn *fn, void *arg, uint32_t n_tasks) {
    uint64_t run = (atomic_load_explicit(&pool->ticket, memory_order_relaxed) >> 32) + 1;
    atomic_store_explicit(&pool->ticket, run << 32 | CLOSED, memory_order_release);
    atomic_store_explicit(&pool->n_tasks, n_tasks, memory_order_release);
    atomic_store_explicit(&pool->fn, fn, memory_order_release);
    atomic_store_explicit(&pool->arg, arg, memory_order_release);
    atomic_store_explicit(&pool->done, 0, memory_order_release);
    atomic_store_explicit(&pool->ticket, run << 32, memory_order_release);
    next_epoch(pool);
    work(pool);
    for (;;) {
        uint32_t done = atomic_load_explicit(&pool->done, memory_order_acquire);
        if (done == n_tasks)
            return;
        await_change(&pool->caller_bed, &pool->done, done);
    }
}
#else
void qn_pool_worker(struct qn_pool *pool, uint32_t index) {
    (void)pool;
    (void)index;
}
#endif

void qn_pool_run(struct qn_pool *pool, qn_task_fn *fn, void *arg, uint32_t n_tasks) {
#if defined(THREADS) || defined(SHARED_MEMORY)
    if (pool != NULL && pool->n_threads > 1 && n_tasks > 1 && n_tasks != CLOSED) {
        run_shared(pool, fn, arg, n_tasks);
        return;
    }
#else
    (void)pool;
#endif
    for (uint32_t task = 0; task < n_tasks; task++)
        fn(arg, task);
}

uint32_t qn_pool_threads(const struct qn_pool *pool) {
    return pool == NULL ? 1 : pool->n_threads;
}

#ifdef THREADS
static void *thread_main(void *pool) {
    qn_pool_worker(pool, 0);
    return NULL;
}

/* Starts as many workers as the system gives; fewer only make it slower. */
static void start(struct qn_pool *pool, uint32_t n_threads) {
    if (n_threads <= 1 || !bed_make(&pool->worker_bed))
        return;
    if (!bed_make(&pool->caller_bed)) {
        bed_unmake(&pool->worker_bed);
        return;
    }
    pool->n_beds = 2;
    uint32_t n = 1;
    while (n < n_threads && pthread_create(&pool->threads[n], NULL, thread_main, pool) == 0)
        n++;
    pool->n_threads = n; // only the caller's thread ever reads it
}
#endif

enum qn_status qn_pool_create(struct qn_pool **out, const struct qn_allocator *allocator,
                              uint32_t n_threads, struct qn_error *err) {
    *out = NULL;
    if (n_threads > THREADS_MAX)
        return qn_fail(err, QN_E_ARGUMENT, "%u threads, more than %d", (unsigned)n_threads,
                       THREADS_MAX);
    struct qn_pool *pool = qn_mem_alloc(allocator, sizeof *pool);
    if (pool == NULL)
        return qn_fail(err, QN_E_NO_MEMORY, "no memory for a pool of threads");
    *pool = (struct qn_pool){.allocator = allocator, .n_threads = 1, .ticket = CLOSED};
#if defined(THREADS)
    start(pool, n_threads);
#elif defined(SHARED_MEMORY)
    pool->n_threads = n_threads < 1 ? 1 : n_threads;
#endif
    *out = pool;
    return QN_OK;
}

void qn_pool_destroy(struct qn_pool *pool) {
    if (pool == NULL)
        return;
#if defined(THREADS) || defined(SHARED_MEMORY)
    if (pool->n_threads > 1) {
        atomic_store(&pool->stop, true);
        next_epoch(pool);
    }
#endif
#if defined(THREADS)
    for (uint32_t i = 1; i < pool->n_threads; i++)
        pthread_join(pool->threads[i], NULL);
    if (pool->n_beds == 2) {
        bed_unmake(&pool->worker_bed);
        bed_unmake(&pool->caller_bed);
    }
#elif defined(SHARED_MEMORY)
    while (atomic_load(&pool->inside) != 0)
        relax();
#endif
    qn_mem_free(pool->allocator, pool, sizeof *pool);
}
