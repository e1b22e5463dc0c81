/* Constrained generations: grammars kept between requests, and the masks of one run. */
#include <string.h>

#include "base/num.h"
#include "engine/engine.h"

#define FORCED_BYTES 256 // looked ahead

static enum qn_status read_vocabulary(struct qn_constrained *c, struct qn_error *err) {
    qn_engine *e = c->engine;
    struct qn_vocab_trie *trie = &e->constraints.trie;
    if (trie->allocator == NULL)
        QN_TRY(e->constrain->trie_build(trie, e->allocator, e->tokenizer, err));
    c->matcher.trie = trie;
    return QN_OK;
}

static enum qn_status mask(void *ud, uint32_t *bits, bool *all, struct qn_error *err) {
    struct qn_constrained *c = ud;
    qn_engine *e = c->engine;
    uint32_t vocab = qn_engine_vocab(e), n_words = vocab / 32 + (vocab % 32 != 0), any = 0;
    *all = false;
    QN_TRY(read_vocabulary(c, err));
    QN_TRY(e->constrain->mask(&c->matcher, bits, n_words, e->eos, e->n_eos, err));
    for (uint32_t i = 0; i < n_words; i++)
        any |= bits[i];
    return any ? QN_OK
               : qn_fail(err, QN_E_UNSUPPORTED,
                         "an answer that this model's vocabulary cannot go on with");
}

static enum qn_status accept(void *ud, uint32_t id, enum qn_accepted *out, struct qn_error *err) {
    struct qn_constrained *c = ud;
    if (c->format)
        return qn_lazy_accept(c, id, out, err);
    QN_TRY(c->engine->constrain->accept(&c->matcher, id, err));
    if (c->engine->constrain->must_end(&c->matcher))
        *out = QN_ACCEPTED_LAST;
    return QN_OK;
}

/* The first of the last ids [n] that together spell the end of `text`, from byte 1 on; n where none
 * does. */
static size_t find_spelling(struct qn_constrained *c, const uint32_t *ids, size_t n,
                            struct qn_str text) {
    size_t end = text.n, i = n;
    while (i > 0 && end > 1) {
        qn_buf_clear(&c->object);
        (void)qn_tokenizer_bytes(c->engine->tokenizer, &c->object, ids[--i]);
        struct qn_str token = qn_buf_view(&c->object);
        if (token.n >= end || !qn_str_ends(qn_str_slice(text, 0, end), token))
            return n;
        end -= token.n;
    }
    return end == 1 ? i : n;
}

/* What must come next, in the tokens that the tokenizer makes of it; so that those are the ones
 * that the model knows from the same text, it sees a line end before it (some put a space before a
 * text's beginning), and its last one is left to the model, for it may be joined with what follows.
 * Less than two tokens are not worth a step of another kind, but the last of all cost none. */
static enum qn_status forced(void *ud, uint32_t *ids, uint32_t most, uint32_t *n,
                             struct qn_error *err) {
    struct qn_constrained *c = ud;
    const qn_engine *e = c->engine;
    bool ends;
    QN_TRY(read_vocabulary(c, err));
    qn_buf_clear(&c->bytes);
    qn_buf_char(&c->bytes, '\n');
    QN_TRY(e->constrain->forced(&c->matcher, &c->bytes, FORCED_BYTES, &ends, err));
    struct qn_str text = qn_buf_view(&c->bytes);
    const char *mark = memchr(text.p, 0xff, text.n); // a control token, which joins nothing
    if (mark)
        text.n = (size_t)(mark - text.p);
    if (text.n < 2)
        return QN_OK;
    struct qn_ids all;
    qn_ids_init(&all, e->allocator);
    enum qn_status status =
        qn_tokenizer_encode(e->tokenizer, &all, text, QN_ENCODE_NO_MATCH, NULL, 0, err);
    size_t first = find_spelling(c, all.p, all.n, text);
    size_t found = all.n - first - (first < all.n && !ends && !mark);
    if (found < 2 && (!ends || mark))
        found = 0;
    *n = (uint32_t)qn_min_size(found, most);
    if (*n > 0)
        memcpy(ids, all.p + first, *n * sizeof *ids);
    qn_ids_free(&all);
    return status;
}

static bool waits(const void *ud) {
    return ((const struct qn_constrained *)ud)->state != QN_LAZY_CALL;
}

static void release(void *ud) {
    struct qn_constrained *c = ud;
    qn_engine *e = c->engine;
    e->constrain->matcher_free(&c->matcher);
    e->constrain->matcher_free(&c->before);
    qn_buf_free(&c->bytes);
    qn_buf_free(&c->object);
    if (c->place == QN_KEPT_GRAMMARS)
        e->constrain->free(c->grammar);
    else if (--e->constraints.kept[c->place].users == 0 && c->grammar->terms.status != QN_OK) {
        e->constraints.kept[c->place].grammar = NULL; // what failed would fail again
        e->constrain->free(c->grammar);
    }
    qn_mem_free(e->allocator, c, sizeof *c);
}

/* The grammar of a constraint: kept from before, or compiled and kept in the place of the one that
 * nobody has used for longest. */
static enum qn_status find(qn_engine *e, struct qn_constrained *c,
                           const struct qn_constraint *constraint, struct qn_error *err) {
    struct qn_constraints *k = &e->constraints;
    unsigned char key[32];
    e->constrain->key(key, constraint);
    c->place = QN_KEPT_GRAMMARS;
    for (uint32_t i = 0; i < QN_KEPT_GRAMMARS && !c->grammar; i++) {
        struct qn_grammar *g = k->kept[i].grammar;
        if (g && memcmp(g->key, key, sizeof key) == 0) {
            c->grammar = g;
            c->place = i;
        } else if (!g || (k->kept[i].users == 0 &&
                          (c->place == QN_KEPT_GRAMMARS ||
                           (k->kept[c->place].grammar && k->kept[i].age < k->kept[c->place].age))))
            c->place = i;
    }
    if (!c->grammar) {
        QN_TRY(e->constrain->compile(&c->grammar, e->allocator, constraint, err));
        if (c->place < QN_KEPT_GRAMMARS) {
            e->constrain->free(k->kept[c->place].grammar);
            k->kept[c->place].grammar = c->grammar;
            k->kept[c->place].users = 0;
        }
    }
    if (c->place < QN_KEPT_GRAMMARS) {
        k->kept[c->place].users++;
        k->kept[c->place].age = ++k->clock;
    }
    return QN_OK;
}

enum qn_status qn_engine_run(qn_session *s, const struct qn_request *request,
                             const struct qn_calls *calls, struct qn_error *err) {
    qn_engine *e = s->engine;
    if (request->constraint.kind == QN_CONSTRAINT_NONE)
        return qn_run_start(&s->run, request, NULL, err);
    if (!e->tokenizer)
        return qn_fail(err, QN_E_UNSUPPORTED, "constrained output of a model without tokenizer");
    if (!e->constrain)
        return qn_fail(err, QN_E_NEED_DATA, "constrained output, which is a module of its own");
    struct qn_constrained *c = qn_mem_alloc(e->allocator, sizeof *c);
    if (!c)
        return qn_fail(err, QN_E_NO_MEMORY, "a constraint");
    memset(c, 0, sizeof *c);
    c->engine = e;
    enum qn_status status = find(e, c, &request->constraint, err);
    if (status != QN_OK) {
        qn_mem_free(e->allocator, c, sizeof *c);
        return status;
    }
    e->constrain->matcher_init(&c->matcher, c->grammar, NULL);
    e->constrain->matcher_init(&c->before, c->grammar, NULL);
    qn_buf_init(&c->bytes, e->allocator);
    qn_buf_init(&c->object, e->allocator);
    struct qn_request constrained = *request;
    constrained.stop_on_eos = true; // where the grammar allows it, it is the end
    struct qn_masker masker = {c, mask, accept, release, NULL, forced};
    if (calls) {
        c->matcher.marks = calls->marks;
        c->matcher.n_marks = calls->n_marks;
    }
    if (calls && calls->lazy) {
        masker.waits = waits;
        constrained.stop_on_eos = request->stop_on_eos;
        status = qn_lazy_start(c, calls, err);
    } else if (request->constraint.after.n > 0) {
        status = qn_masker_after(&masker, e, request->constraint.after, qn_engine_vocab(e), err);
    }
    if (status != QN_OK) {
        release(c);
        return status;
    }
    return qn_run_start(&s->run, &constrained, &masker, err);
}

void qn_constraints_free(qn_engine *e) {
    if (!e->constrain)
        return;
    for (uint32_t i = 0; i < QN_KEPT_GRAMMARS; i++)
        e->constrain->free(e->constraints.kept[i].grammar);
    e->constrain->trie_free(&e->constraints.trie);
}

void qn_engine_constrain(qn_engine *e, const struct qn_constrain_ops *ops) {
    if (!e->constrain)
        e->constrain = ops;
}
