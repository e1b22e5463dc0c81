#include "run/snapshot.h"

#include <string.h>

#include "base/num.h"
#include "base/sha256.h"

#define PIECE ((size_t)16 << 20)
#define DIGEST 32
#define HEAD 56 // bytes before the ids
#define TYPE 8  // of them the name of the cache's type
#define VERSION 2

static const unsigned char magic[4] = {'Q', 'N', 'K', 'V'};

/* A block of a state's positions. */
struct block {
    uint32_t tensor, pos, n;
    size_t bytes;
};

/* Bytes of one position of a state [n_kv_heads, context, head_dim]. */
static size_t position_bytes(const struct qn_program *p, const struct qn_program_tensor *t) {
    return (size_t)t->nbytes / p->context;
}

/* What all states keep, of programs that have any. */
static enum qn_dtype cache_type(const struct qn_program *p) {
    uint32_t i = 0;
    while (i < p->n_tensors && p->tensors[i].kind != QN_TENSOR_STATE)
        i++;
    return i < p->n_tensors ? p->tensors[i].dtype : QN_DTYPE_NONE;
}

/* Piece `index` of a snapshot of n tokens; counts pieces where there is none of that index. */
static bool find_block(struct block *out, uint32_t *count, const struct qn_run *run, uint32_t n,
                       uint32_t index) {
    const struct qn_program *p = run->backend->program;
    *count = 1;
    for (uint32_t i = 0; i < p->n_tensors; i++) {
        const struct qn_program_tensor *t = &p->tensors[i];
        if (t->kind != QN_TENSOR_STATE)
            continue;
        size_t one = position_bytes(p, t);
        uint32_t most = qn_max_u32(1, (uint32_t)qn_min_size(PIECE / one, n));
        for (uint32_t pos = 0; pos < n; pos += most, ++*count) {
            uint32_t part = qn_min_u32(most, n - pos);
            *out = (struct block){i, pos, part, part * one};
            if (*count == index)
                return true;
        }
    }
    return false;
}

uint32_t qn_snapshot_pieces(const struct qn_run *run) {
    struct block block;
    uint32_t count;
    (void)find_block(&block, &count, run, qn_run_held(run), 0);
    return count;
}

/* Goes on from the digest of the pieces before. */
static void digest(unsigned char out[DIGEST], const unsigned char before[DIGEST],
                   const unsigned char *bytes, size_t n) {
    struct qn_sha256 sha;
    qn_sha256_init(&sha);
    qn_sha256_update(&sha, before, DIGEST);
    qn_sha256_update(&sha, bytes, n);
    qn_sha256_final(&sha, out);
}

static void put_u32(unsigned char *p, uint32_t value) {
    for (int i = 0; i < 4; i++)
        p[i] = (unsigned char)(value >> 8 * i);
}

static enum qn_status reserve(struct qn_run *run, size_t size, struct qn_error *err) {
    struct qn_snapshot *s = &run->snapshot;
    if (s->size >= size)
        return QN_OK;
    qn_mem_free(run->allocator, s->bytes, s->size);
    s->bytes = qn_mem_alloc(run->allocator, size);
    s->size = s->bytes ? size : 0;
    return s->bytes ? QN_OK : qn_fail(err, QN_E_NO_MEMORY, "a snapshot's %zu bytes", size);
}

static enum qn_status save(struct qn_run *run, size_t *n, uint32_t index,
                           const unsigned char identity[32], struct qn_error *err) {
    struct qn_snapshot *s = &run->snapshot;
    struct block block;
    uint32_t count;
    if (index == 0) {
        *n = HEAD + (size_t)s->n * 4;
        QN_TRY(reserve(run, *n + DIGEST, err));
        memcpy(s->bytes, magic, 4);
        put_u32(s->bytes + 4, VERSION);
        put_u32(s->bytes + 8, s->n);
        put_u32(s->bytes + 12, run->rope_set);
        strncpy((char *)s->bytes + 16, qn_dtype_name(cache_type(run->backend->program)), TYPE);
        memcpy(s->bytes + 16 + TYPE, identity, 32);
        for (uint32_t i = 0; i < s->n; i++)
            put_u32(s->bytes + HEAD + 4 * (size_t)i, run->tokens[i]);
        return QN_OK;
    }
    if (!find_block(&block, &count, run, s->n, index))
        return qn_fail(err, QN_E_ARGUMENT, "a snapshot has no piece %u", index);
    *n = block.bytes;
    QN_TRY(reserve(run, *n + DIGEST, err));
    bool ready = false;
    QN_TRY(run->backend->ops->save(run->backend, run->session, s->bytes, block.tensor, block.pos,
                                   block.n, &ready, err));
    return ready ? QN_OK : QN_E_NEED_DATA;
}

enum qn_status qn_snapshot_save(struct qn_run *run, const void **out, size_t *n, uint32_t index,
                                const unsigned char identity[32], struct qn_error *err) {
    struct qn_snapshot *s = &run->snapshot;
    if (run->state != QN_RUN_IDLE || run->n_kv == 0)
        return qn_fail(err, QN_E_STATE, "a snapshot of a session that is %s",
                       run->n_kv == 0 ? "empty" : "generating");
    if (index == 0) {
        qn_run_end_snapshot(run);
        *s = (struct qn_snapshot){.saving = true, .n = run->n_kv};
    }
    if (!s->saving || index != s->next)
        return qn_fail(err, QN_E_STATE, "piece %u of a snapshot out of turn", index);
    enum qn_status status = save(run, n, index, identity, err);
    if (status != QN_OK) {
        if (status != QN_E_NEED_DATA)
            qn_run_end_snapshot(run);
        return status;
    }
    digest(s->digest, s->digest, s->bytes, *n);
    memcpy(s->bytes + *n, s->digest, DIGEST);
    *n += DIGEST;
    *out = s->bytes;
    s->next++;
    return QN_OK;
}

static enum qn_status restore_head(struct qn_run *run, const unsigned char *bytes, size_t n,
                                   const unsigned char identity[32], struct qn_error *err) {
    struct qn_snapshot *s = &run->snapshot;
    if (n < HEAD || memcmp(bytes, magic, 4) != 0 || qn_load_u32(bytes + 4) != VERSION)
        return qn_fail(err, QN_E_FORMAT, "no snapshot of version %d", VERSION);
    const char *name = (const char *)bytes + 16, *end = memchr(name, 0, TYPE);
    enum qn_dtype type = cache_type(run->backend->program),
                  other = qn_dtype_by_name(name, end ? (size_t)(end - name) : TYPE);
    if (other != type)
        return qn_fail(err, QN_E_CONFIG, "a snapshot of a cache in %s, this one is in %s",
                       qn_dtype_name(other), qn_dtype_name(type));
    if (memcmp(bytes + 16 + TYPE, identity, 32) != 0)
        return qn_fail(err, QN_E_CONFIG, "a snapshot of another model");
    s->n = qn_load_u32(bytes + 8);
    s->rope_set = qn_load_u32(bytes + 12);
    if (s->n > run->context)
        return qn_fail(err, QN_E_CONTEXT, "a snapshot of %u tokens, the context %u", s->n,
                       run->context);
    uint32_t limit = run->backend->program->rope_switch;
    if (s->n == 0 || n != HEAD + (size_t)s->n * 4 || s->rope_set > 1 ||
        (limit == 0 && s->rope_set != 0))
        return qn_fail(err, QN_E_FORMAT, "a snapshot's head of %zu bytes", n);
    for (uint32_t i = 0; i < s->n; i++) {
        run->tokens[i] = qn_load_u32(bytes + HEAD + 4 * (size_t)i);
        if (run->tokens[i] >= run->n_ids)
            return qn_fail(err, QN_E_FORMAT, "token id %u in a snapshot", run->tokens[i]);
    }
    return QN_OK;
}

static enum qn_status restore(struct qn_run *run, const unsigned char *bytes, size_t n,
                              uint32_t index, const unsigned char identity[32],
                              struct qn_error *err) {
    struct qn_snapshot *s = &run->snapshot;
    struct block block;
    uint32_t count;
    unsigned char want[DIGEST];
    if (!s->restoring || index != s->next)
        return qn_fail(err, QN_E_STATE, "piece %u of a snapshot out of turn", index);
    if (n < DIGEST)
        return qn_fail(err, QN_E_FORMAT, "a snapshot's piece of %zu bytes", n);
    n -= DIGEST;
    digest(want, s->digest, bytes, n);
    if (memcmp(want, bytes + n, DIGEST) != 0)
        return qn_fail(err, QN_E_INTEGRITY, "piece %u of a snapshot", index);
    memcpy(s->digest, want, DIGEST);
    s->next++;
    if (index == 0)
        return restore_head(run, bytes, n, identity, err);
    if (!find_block(&block, &count, run, s->n, index) || n != block.bytes)
        return qn_fail(err, QN_E_FORMAT, "piece %u of a snapshot, %zu bytes", index, n);
    QN_TRY(run->backend->ops->restore(run->backend, run->session, bytes, block.tensor, block.pos,
                                      block.n, err));
    if (find_block(&block, &count, run, s->n, index + 1))
        return QN_OK;
    run->n_kv = s->n;
    run->rope_set = s->rope_set;
    s->restoring = false;
    return QN_OK;
}

enum qn_status qn_snapshot_restore(struct qn_run *run, const void *bytes, size_t n, uint32_t index,
                                   const unsigned char identity[32], struct qn_error *err) {
    if (run->state != QN_RUN_IDLE)
        return qn_fail(err, QN_E_STATE, "restoring a session that is generating");
    if (index == 0) {
        qn_run_end_snapshot(run);
        run->n_kv = 0;
        run->snapshot.restoring = true;
    }
    enum qn_status status = restore(run, bytes, n, index, identity, err);
    if (status != QN_OK)
        qn_run_end_snapshot(run);
    return status;
}
