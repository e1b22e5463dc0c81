#include <string.h>

#include "base/sha256.h"
#include "constrain/constrain.h"
#include "constrain/regex.h"

#define TEXT_MAX (1u << 20)
#define WHITESPACE_MAX 64u

void qn_constraint_key(unsigned char out[32], const struct qn_constraint *c) {
    struct qn_sha256 sha;
    uint32_t head[2] = {c->kind, c->whitespace};
    qn_sha256_init(&sha);
    qn_sha256_update(&sha, head, sizeof head);
    qn_sha256_update(&sha, c->text.p, c->text.n);
    qn_sha256_final(&sha, out);
}

static enum qn_status compile(struct qn_grammar *g, struct qn_arena *scratch,
                              const struct qn_constraint *c, struct qn_error *err) {
    if (c->text.n > TEXT_MAX)
        return qn_fail(err, QN_E_LIMIT, "a constraint of %zu bytes", c->text.n);
    if (c->whitespace > WHITESPACE_MAX)
        return qn_fail(err, QN_E_ARGUMENT, "white space of %u bytes between tokens of JSON",
                       c->whitespace);
    uint32_t term;
    switch (c->kind) {
    case QN_CONSTRAINT_JSON_SCHEMA:
        QN_TRY(qn_schema_term(g, &term, scratch, c->text, c->whitespace, err));
        break;
    case QN_CONSTRAINT_REGEX:
        QN_TRY(qn_regex_term(&g->terms, &term, scratch, c->text, QN_REGEX_WHOLE, err));
        term = qn_term_lex(&g->terms, term);
        break;
    case QN_CONSTRAINT_GRAMMAR:
        QN_TRY(qn_gbnf_term(g, &term, scratch, c->text, c->whitespace, err));
        break;
    default:
        return qn_fail(err, QN_E_ARGUMENT, "a constraint of kind %d", (int)c->kind);
    }
    g->start = term;
    return qn_terms_seal(&g->terms, term, err);
}

enum qn_status qn_grammar_compile(struct qn_grammar **out, const struct qn_allocator *allocator,
                                  const struct qn_constraint *constraint, struct qn_error *err) {
    struct qn_grammar *g = qn_mem_alloc(allocator, sizeof *g);
    *out = NULL;
    if (g == NULL)
        return qn_fail(err, QN_E_NO_MEMORY, "a grammar");
    memset(g, 0, sizeof *g);
    g->allocator = allocator;
    g->string_char = g->any_char = QN_TERM_NONE;
    qn_terms_init(&g->terms, allocator);
    qn_constraint_key(g->key, constraint);
    struct qn_arena scratch;
    qn_arena_init(&scratch, allocator);
    enum qn_status status = compile(g, &scratch, constraint, err);
    qn_arena_free(&scratch);
    if (status != QN_OK) {
        qn_grammar_free(g);
        return status;
    }
    *out = g;
    return QN_OK;
}

void qn_grammar_free(struct qn_grammar *g) {
    if (g == NULL)
        return;
    qn_mask_cache_free(g);
    qn_terms_free(&g->terms);
    qn_mem_free(g->allocator, g, sizeof *g);
}
