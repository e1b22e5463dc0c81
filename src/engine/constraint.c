/* Constrained generations: grammars kept between requests, and the masks of one run. */
#include <string.h>

#include "engine/engine.h"

static enum qn_status mask(void *ud, uint32_t *bits, bool *all, struct qn_error *err) {
    struct qn_constrained *c = ud;
    qn_engine *e = c->engine;
    struct qn_vocab_trie *trie = &e->constraints.trie;
    uint32_t vocab = qn_engine_vocab(e), n_words = vocab / 32 + (vocab % 32 != 0), any = 0;
    *all = false;
    if (trie->allocator == NULL)
        QN_TRY(e->constrain->trie_build(trie, e->allocator, e->tokenizer, err));
    c->matcher.trie = trie;
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
    struct qn_masker masker = {c, mask, accept, release, NULL};
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
