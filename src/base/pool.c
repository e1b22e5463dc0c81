/* One run at a time. Each thread has a range of its tasks, which it works through from the front,
 * and takes from the backs of other ranges when its own is empty: so that what a thread reads lies
 * together, and who is slower, comes late or never came holds nobody up. A run is over when all its
 * tasks are; nobody waits for a worker that found nothing to do. */
#include "base/pool.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#if !defined(__wasm__)
#define THREADS 1
#include <pthread.h>
#elif defined(__wasm_atomics__)
#define SHARED_MEMORY 1
#endif

#define THREADS_MAX 256
#define SPINS 2000 // 50 to 100 µs
#define LINE 64    // bytes of a line of the cache

/* A place to sleep until a 32-bit word changes. */
struct bed {
#ifdef THREADS
    pthread_mutex_t mutex;
    pthread_cond_t cond;
#endif
    atomic_uint sleepers;
};

/* Tasks that nobody has taken: the first << 32 | the one after the last. Whoever changes it takes
 * tasks of the run under way, which cannot end before they are done. */
struct range {
    _Atomic uint64_t tasks;
    char line[LINE - 8];
};

struct qn_pool {
    const struct qn_allocator *allocator;
    uint32_t n_threads; // the caller counted
    uint32_t n_ranges;  // as many as were asked for
    uint32_t n_beds;    // native: beds that are made, for destroying
    _Atomic(qn_task_fn *) fn;
    _Atomic(void *) arg;
    _Atomic uint32_t n_tasks;
    _Atomic uint32_t epoch; // grows with every run and at the end: workers sleep on it
    atomic_bool stop;
    _Atomic uint32_t inside; // workers
    char line[LINE];
    _Atomic uint32_t done; // tasks of this run that have ended
    struct bed worker_bed, caller_bed;
#ifdef THREADS
    pthread_t threads[THREADS_MAX];
#endif
    struct range ranges[]; // [n_ranges]
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

/* Works on the current run until no task is left to take. */
static void work(struct qn_pool *pool, uint32_t self) {
    uint32_t n_ranges = pool->n_ranges, ended = 0;
    for (uint32_t i = 0; i < n_ranges;) {
        struct range *range = &pool->ranges[(self + i) % n_ranges];
        uint64_t tasks = atomic_load_explicit(&range->tasks, memory_order_acquire);
        uint32_t begin = (uint32_t)(tasks >> 32), end = (uint32_t)tasks, left = end - begin;
        if (left == 0) {
            i++;
            continue;
        }
        uint32_t n = i == 0 ? (left + 3) / 4 : (left + 1) / 2; // of another's the back half
        if (!atomic_compare_exchange_weak_explicit(&range->tasks, &tasks,
                                                   i == 0 ? tasks + ((uint64_t)n << 32) : tasks - n,
                                                   memory_order_acq_rel, memory_order_relaxed))
            continue;
        qn_task_fn *fn = atomic_load_explicit(&pool->fn, memory_order_relaxed);
        void *arg = atomic_load_explicit(&pool->arg, memory_order_relaxed);
        ended += n;
        for (uint32_t task = i == 0 ? begin : end - n; n != 0; n--)
            fn(arg, task++);
    }
    if (ended != 0) {
        uint32_t n_tasks = atomic_load_explicit(&pool->n_tasks, memory_order_relaxed);
        if (atomic_fetch_add(&pool->done, ended) + ended == n_tasks)
            wake(&pool->caller_bed, &pool->done);
    }
}

void qn_pool_worker(struct qn_pool *pool, uint32_t index) {
    (void)index;
    uint32_t self = 1 + atomic_fetch_add(&pool->inside, 1);
    for (;;) {
        uint32_t epoch = atomic_load_explicit(&pool->epoch, memory_order_acquire);
        if (atomic_load_explicit(&pool->stop, memory_order_acquire))
            break;
        work(pool, self);
        await_change(&pool->worker_bed, &pool->epoch, epoch);
    }
    atomic_fetch_sub(&pool->inside, 1);
}

static void next_epoch(struct qn_pool *pool) {
    atomic_fetch_add(&pool->epoch, 1);
    wake(&pool->worker_bed, &pool->epoch);
}

static void run_shared(struct qn_pool *pool, qn_task_fn *fn, void *arg, uint32_t n_tasks) {
    atomic_store_explicit(&pool->n_tasks, n_tasks, memory_order_relaxed);
    atomic_store_explicit(&pool->fn, fn, memory_order_relaxed);
    atomic_store_explicit(&pool->arg, arg, memory_order_relaxed);
    atomic_store_explicit(&pool->done, 0, memory_order_relaxed);
    uint64_t begin = 0;
    for (uint32_t i = 0, n = pool->n_threads; i < n; i++) {
        uint64_t end = (uint64_t)n_tasks * (i + 1) / n;
        atomic_store_explicit(&pool->ranges[i].tasks, begin << 32 | end, memory_order_release);
        begin = end;
    }
    next_epoch(pool);
    work(pool, 0);
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
    if (pool != NULL && pool->n_threads > 1 && n_tasks > 1) {
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

static size_t size_of(uint32_t n_ranges) {
    return sizeof(struct qn_pool) + n_ranges * sizeof(struct range);
}

enum qn_status qn_pool_create(struct qn_pool **out, const struct qn_allocator *allocator,
                              uint32_t n_threads, struct qn_error *err) {
    *out = NULL;
    if (n_threads > THREADS_MAX)
        return qn_fail(err, QN_E_ARGUMENT, "%u threads, more than %d", (unsigned)n_threads,
                       THREADS_MAX);
    uint32_t n_ranges = n_threads < 1 ? 1 : n_threads;
    struct qn_pool *pool = qn_mem_alloc(allocator, size_of(n_ranges));
    if (pool == NULL)
        return qn_fail(err, QN_E_NO_MEMORY, "no memory for a pool of threads");
    memset(pool, 0, size_of(n_ranges));
    pool->allocator = allocator;
    pool->n_threads = 1;
    pool->n_ranges = n_ranges;
#if defined(THREADS)
    start(pool, n_threads);
#elif defined(SHARED_MEMORY)
    pool->n_threads = n_ranges;
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
    uint32_t inside;
    for (int ms = 0; (inside = atomic_load(&pool->inside)) != 0; ms++) {
        if (ms == 1000) // a worker was ended from outside: should it live, it must find the pool
            return;
        __builtin_wasm_memory_atomic_wait32((int *)(void *)&pool->inside, (int)inside, 1000000);
    }
#endif
    qn_mem_free(pool->allocator, pool, size_of(pool->n_ranges));
}
