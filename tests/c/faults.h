/* Faults on order, for tests: an allocator that counts, bounds and fails; files that fail; folders
 * of the real file system as qn_files. Include it once per test program, after the headers under
 * test.
 *
 * The torture loop, as curl and SQLite do it – run the scenario, fail its n-th call, run again:
 *
 *     for (int persistent = 0; persistent < 2; persistent++) {
 *         for (uint64_t n = 1;; n++) {
 *             struct faults faults;
 *             faults_init(&faults);
 *             faults.fail_alloc = n;                  // the n-th allocation fails (1 is the
 *             first),
 *             faults.persistent = persistent != 0;    // and with this all that follow, too
 *             struct qn_allocator allocator = faults_allocator(&faults);
 *             enum qn_status status = scenario(&allocator);  // frees all it took
 *             CHECK(faults.live == 0);                // nothing leaked
 *             if (!faults.fired) { CHECK(status == QN_OK); break; }  // n ran past the last call
 *             CHECK(status == QN_E_NO_MEMORY);
 *         }
 *     }
 *
 * For reads the same with faults.fail_read, faults.read_status and faults_files(&faults, &inner).
 * faults.limit bounds the live bytes: an allocation past it fails and sets `over_limit`, which is
 * how allocation bombs are caught. The allocator checks the size given to `free` and fills fresh
 * memory with 0xa5, so that code relying on zeroes, or freeing with a wrong size, is found. */
#ifndef QN_TEST_FAULTS_H
#define QN_TEST_FAULTS_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "tests/c/test.h"

struct faults {
    /* Orders; all zero: nothing fails. */
    uint64_t fail_alloc;        // number of the allocation to fail, from 1; 0: none
    uint64_t fail_read;         // number of the size() or read() call to fail, from 1; 0: none
    enum qn_status read_status; // what that call answers; faults_init sets QN_E_IO
    bool persistent;            // fail every later one as well
    bool short_read;            // the failing read first writes half of its bytes
    uint64_t limit;             // most live bytes; 0: none

    /* Records. */
    uint64_t allocs, reads; // calls so far
    uint64_t live, peak;    // bytes
    uint64_t bytes_read;
    bool fired;      // an ordered fault has happened
    bool over_limit; // an allocation was refused because of `limit`

    const struct qn_files *inner; // for faults_files
};

static inline void faults_init(struct faults *f) {
    memset(f, 0, sizeof *f);
    f->read_status = QN_E_IO;
}

#define FAULTS_HEAD 16 // the size is kept before each block; 16 keeps the alignment

static void *faults_alloc_(void *ud, size_t size) {
    struct faults *f = ud;
    f->allocs++;
    CHECK(size != 0);
    if (f->fail_alloc != 0 &&
        (f->allocs == f->fail_alloc || (f->persistent && f->allocs > f->fail_alloc))) {
        f->fired = true;
        return NULL;
    }
    if (f->limit != 0 && (size > f->limit || f->live > f->limit - size)) {
        f->over_limit = true;
        return NULL;
    }
    unsigned char *p = malloc(size + FAULTS_HEAD);
    if (p == NULL)
        return NULL;
    memcpy(p, &size, sizeof size);
    memset(p + FAULTS_HEAD, 0xa5, size < 65536 ? size : 65536);
    f->live += size;
    if (f->live > f->peak)
        f->peak = f->live;
    return p + FAULTS_HEAD;
}

static void faults_free_(void *ud, void *p, size_t size) {
    struct faults *f = ud;
    size_t had;
    unsigned char *block = (unsigned char *)p - FAULTS_HEAD;
    memcpy(&had, block, sizeof had);
    CHECK_MSG(had == size, "freed %zu bytes of a block of %zu", size, had);
    f->live -= had;
    free(block);
}

/* `f` must outlive the allocator and all that was taken from it. */
static inline struct qn_allocator faults_allocator(struct faults *f) {
    return (struct qn_allocator){f, faults_alloc_, faults_free_};
}

static bool faults_read_fails_(struct faults *f) {
    f->reads++;
    if (f->fail_read == 0 ||
        !(f->reads == f->fail_read || (f->persistent && f->reads > f->fail_read)))
        return false;
    f->fired = true;
    return true;
}

static enum qn_status faults_size_(void *ud, uint64_t *out, struct qn_str name) {
    struct faults *f = ud;
    if (faults_read_fails_(f))
        return f->read_status;
    return f->inner->size(f->inner->ud, out, name);
}

static enum qn_status faults_read_(void *ud, struct qn_str name, uint64_t offset, void *dst,
                                   size_t n) {
    struct faults *f = ud;
    if (faults_read_fails_(f)) {
        if (f->short_read && n > 1)
            memset(dst, 0x5a, n / 2);
        return f->read_status;
    }
    f->bytes_read += n;
    // The contract of qn_files: the caller has checked the range.
    uint64_t size;
    if (CHECK(f->inner->size(f->inner->ud, &size, name) == QN_OK))
        CHECK(offset <= size && n <= size - offset);
    return f->inner->read(f->inner->ud, name, offset, dst, n);
}

/* Wraps `inner`, which must outlive it; checks that every read lies inside its file. */
static inline struct qn_files faults_files(struct faults *f, const struct qn_files *inner) {
    f->inner = inner;
    return (struct qn_files){f, faults_size_, faults_read_};
}

/* A folder of the real file system; ud is its path (a C string). */
static FILE *folder_open_(const char *folder, struct qn_str name) {
    char path[2048];
    snprintf(path, sizeof path, "%s/%.*s", folder, (int)name.n, name.p);
    return fopen(path, "rb");
}

static enum qn_status folder_size_(void *ud, uint64_t *out, struct qn_str name) {
    FILE *file = folder_open_(ud, name);
    if (file == NULL)
        return QN_E_NOT_FOUND;
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    fclose(file);
    if (size < 0)
        return QN_E_IO;
    *out = (uint64_t)size;
    return QN_OK;
}

static enum qn_status folder_read_(void *ud, struct qn_str name, uint64_t offset, void *dst,
                                   size_t n) {
    FILE *file = folder_open_(ud, name);
    if (file == NULL)
        return QN_E_NOT_FOUND;
    fseek(file, (long)offset, SEEK_SET);
    size_t got = fread(dst, 1, n, file);
    fclose(file);
    return got == n ? QN_OK : QN_E_TRUNCATED;
}

static inline struct qn_files folder_files(const char *path) {
    return (struct qn_files){(void *)(uintptr_t)path, folder_size_, folder_read_};
}

/* A whole file by malloc; p is NULL when it cannot be read. */
static inline struct qn_str slurp(const char *path) {
    struct qn_str text = {NULL, 0};
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return text;
    fseek(file, 0, SEEK_END);
    long n = ftell(file);
    rewind(file);
    char *p = malloc(n > 0 ? (size_t)n : 1);
    if (p != NULL && n >= 0 && fread(p, 1, (size_t)n, file) == (size_t)n)
        text = (struct qn_str){p, (size_t)n};
    else
        free(p);
    fclose(file);
    return text;
}

#endif
