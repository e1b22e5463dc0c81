/* The pool runs every task exactly once, whatever the number of threads and tasks. */
#define _POSIX_C_SOURCE 199309L
#include <stdatomic.h>
#include <time.h>

#include "base/pool.h"
#include "tests/c/faults.h"

struct job {
    uint32_t *cells; // plain memory: a task run twice, or seen too late, is a data race
    uint32_t round;
    atomic_uint ran;
};

static void task(void *arg, uint32_t i) {
    struct job *job = arg;
    job->cells[i] += job->round;
    atomic_fetch_add(&job->ran, 1);
}

static void test_runs(uint32_t n_threads) {
    enum { CELLS = 300, ROUNDS = 2000 };
    struct faults faults;
    faults_init(&faults);
    struct qn_allocator allocator = faults_allocator(&faults);
    struct qn_pool *pool;
    CHECK(qn_pool_create(&pool, &allocator, n_threads, NULL) == QN_OK);
    CHECK(qn_pool_threads(pool) == (n_threads == 0 ? 1 : n_threads));
    static uint32_t cells[CELLS];
    memset(cells, 0, sizeof cells);
    uint32_t expected[CELLS] = {0};
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        uint32_t n = round * 7919 % (round % 4 == 0 ? CELLS : 6);
        struct job job = {cells, round, 0};
        qn_pool_run(pool, task, &job, n);
        if (atomic_load(&job.ran) != n)
            CHECK_MSG(false, "%u of %u", (unsigned)atomic_load(&job.ran), (unsigned)n);
        for (uint32_t i = 0; i < n; i++)
            expected[i] += round;
        if (round % 500 == 0) { // let the workers fall asleep
            struct timespec nap = {0, 3000000};
            nanosleep(&nap, NULL);
        }
    }
    CHECK(memcmp(cells, expected, sizeof cells) == 0);
    qn_pool_destroy(pool);
    CHECK(faults.live == 0);
}

int main(void) {
    struct job job = {calloc(5, 4), 3, 0};
    qn_pool_run(NULL, task, &job, 5);
    CHECK(atomic_load(&job.ran) == 5 && job.cells[4] == 3 && qn_pool_threads(NULL) == 1);
    free(job.cells);
    for (uint32_t n = 0; n <= 4; n++)
        test_runs(n);
    struct qn_pool *pool;
    struct faults faults;
    faults_init(&faults);
    faults.fail_alloc = 1;
    struct qn_allocator allocator = faults_allocator(&faults);
    CHECK(qn_pool_create(&pool, &allocator, 2, NULL) == QN_E_NO_MEMORY && pool == NULL);
    CHECK(qn_pool_create(&pool, &allocator, 100000, NULL) == QN_E_ARGUMENT);
    for (int i = 0; i < 50; i++) { // made and destroyed without a run
        CHECK(qn_pool_create(&pool, &allocator, 3, NULL) == QN_OK);
        qn_pool_destroy(pool);
    }
    qn_pool_destroy(NULL);
    CHECK(faults.live == 0);
    return test_done("base_pool");
}
