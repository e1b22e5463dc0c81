/* A constraint that waits: for the end of a thought, say. Until its mark has come everything may be
 * said but the end. */
#include <string.h>

#include "base/num.h"
#include "engine/engine.h"

struct after {
    const qn_engine *engine;
    struct qn_masker inner;
    struct qn_str mark; // whose first byte does not come again in it
    size_t matched;     // bytes of it that the text ends with
    uint32_t n_words;
    struct qn_buf bytes; // of a token
};

static enum qn_status mask(void *ud, uint32_t *bits, bool *all, struct qn_error *err) {
    struct after *a = ud;
    if (a->matched == a->mark.n)
        return a->inner.mask(a->inner.ud, bits, all, err);
    memset(bits, 0xff, a->n_words * sizeof *bits);
    for (uint32_t i = 0; i < a->engine->n_eos; i++)
        if (a->engine->eos[i] / 32 < a->n_words)
            bits[a->engine->eos[i] / 32] &= ~(1u << a->engine->eos[i] % 32);
    return QN_OK;
}

static enum qn_status accept(void *ud, uint32_t id, enum qn_accepted *out, struct qn_error *err) {
    struct after *a = ud;
    if (a->matched == a->mark.n)
        return a->inner.accept(a->inner.ud, id, out, err);
    qn_buf_clear(&a->bytes);
    if (qn_tokenizer_bytes(a->engine->tokenizer, &a->bytes, id) != QN_OK || a->bytes.failed)
        return qn_fail(err, QN_E_NO_MEMORY, "the bytes of a token");
    /* What follows the mark within its token is space, or the constraint's loss. */
    for (size_t i = 0; i < a->bytes.n && a->matched < a->mark.n; i++)
        a->matched =
            a->bytes.p[i] == a->mark.p[a->matched] ? a->matched + 1 : a->bytes.p[i] == a->mark.p[0];
    return QN_OK;
}

static enum qn_status forced(void *ud, uint32_t *ids, uint32_t most, uint32_t *n,
                             struct qn_error *err) {
    struct after *a = ud;
    return a->matched == a->mark.n ? a->inner.forced(a->inner.ud, ids, most, n, err) : QN_OK;
}

static void release(void *ud) {
    struct after *a = ud;
    if (a->inner.free)
        a->inner.free(a->inner.ud);
    qn_buf_free(&a->bytes);
    qn_mem_free(a->engine->allocator, a, sizeof *a);
}

enum qn_status qn_masker_after(struct qn_masker *io, const qn_engine *e, struct qn_str mark,
                               uint32_t vocab, struct qn_error *err) {
    struct after *a = qn_mem_alloc(e->allocator, sizeof *a);
    if (!a)
        return qn_fail(err, QN_E_NO_MEMORY, "a constraint");
    memset(a, 0, sizeof *a);
    a->engine = e;
    a->inner = *io;
    a->mark = mark;
    a->n_words = qn_ceil_div_u32(vocab, 32);
    qn_buf_init(&a->bytes, e->allocator);
    *io = (struct qn_masker){a, mask, accept, release, NULL, forced};
    return QN_OK;
}
