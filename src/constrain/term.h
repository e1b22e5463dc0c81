/* Languages of bytes as hash-consed terms, matched by derivatives.
 *
 * The derivative of a term by a byte is a term for what may follow that byte (Brzozowski 1964);
 * with calls of rules it does the same for context-free grammars that are not left-recursive
 * (Might, Darais, Spiewak 2011). A term is therefore the state of a matcher, stack included: what
 * remains to be matched, sequences to the right sharing their tails. Equal terms have equal ids,
 * so derivatives are remembered by id. Intersection and complement are operators like any other,
 * for regular languages only (no calls below them); counters need no copies of what they repeat.
 *
 * Errors are kept: after one, constructors return QN_TERM_EMPTY; look at `status` at the end. */
#ifndef QN_CONSTRAIN_TERM_H
#define QN_CONSTRAIN_TERM_H

#include "base/str.h"

enum qn_term_kind {
    QN_T_EMPTY, // matches nothing
    QN_T_EPS,   // the empty text
    QN_T_ALL,   // any bytes
    QN_T_SET,   // one byte of sets[a]
    QN_T_CAT,   // a, then b
    QN_T_OR,    // any of args[a … a + b), ids ascending
    QN_T_AND,   // all of args[a … a + b), ids ascending
    QN_T_NOT,   // not a
    QN_T_REP,   // a, at least b and at most c times (UINT32_MAX: without end)
    QN_T_CALL,  // rules[a]
    QN_T_LEX,   // a, regular: the unit whose masks are kept, and where dead ends are looked for
    QN_T_MOD,   // decimal digits of a multiple, see qn_term_mod
};

#define QN_TERM_EMPTY 0u
#define QN_TERM_EPS 1u
#define QN_TERM_ALL 2u
#define QN_TERM_NONE UINT32_MAX
#define QN_REP_MAX 1000000u // largest finite bound of a repetition
#define QN_TERM_LATE 4096u
#define QN_TOKEN_MAX 1000000u // derivatives for one token, see qn_terms_token

struct qn_term {
    uint8_t kind, flags;
    union {
        struct {
            uint32_t a, b, c;
        };
        uint32_t o[3];
    };
    uint32_t row;  // of derivatives; QN_TERM_NONE: none yet
    uint32_t mark; // of the search that came here last
};

struct qn_vec {
    uint32_t *p;
    uint32_t n, capacity;
};

struct qn_terms {
    const struct qn_allocator *allocator;
    struct qn_term *terms; // children come before what is made of them
    uint32_t n_terms, cap_terms;
    uint32_t *slots; // id + 1; 0: free
    uint32_t n_slots;
    uint32_t (*sets)[8];
    uint32_t n_sets, cap_sets;
    struct qn_vec args, rules, rows;
    struct qn_vec work; // lists being made
    struct qn_vec seen; // by a search
    /* Derivatives of late: key is term << 8 | byte. Ambiguous grammars come upon a part again and
     * again, which would take exponential time. */
    struct {
        uint32_t key, next;
    } late[QN_TERM_LATE];
    uint32_t stamp, depth;
    uint32_t spent;        // steps of work, see qn_terms_spend
    uint32_t derived;      // terms that were derived since the last qn_terms_token
    uint8_t classes[256];  // byte → class; bytes of a class are in the same sets
    uint8_t examples[256]; // class → a byte of it
    uint32_t n_classes;
    uint32_t n_multiples, classed;  // terms MOD; sets and those that `classes` knows
    uint32_t n_fixed, n_fixed_args; // what sealing found; the rest may be made again
    bool sealed;
    enum qn_status status;
    const char *what; // of the limit that was met
};

void qn_terms_init(struct qn_terms *t, const struct qn_allocator *allocator);
void qn_terms_free(struct qn_terms *t);
bool qn_vec_push(struct qn_terms *t, struct qn_vec *v, uint32_t value);
/* Counts n steps of work, some nanoseconds each, before sealing: QN_E_LIMIT after a second
 * or two. */
void qn_terms_spend(struct qn_terms *t, uint32_t n);

/* Before the work for one token: QN_E_LIMIT after some tenths of a second of it. */
void qn_terms_token(struct qn_terms *t);

/* ---- Making -------------------------------------------------------------------------------- */

uint32_t qn_term_range(struct qn_terms *t, uint32_t low, uint32_t high); // one byte
uint32_t qn_term_set(struct qn_terms *t, const uint32_t set[8]);
uint32_t qn_term_cat(struct qn_terms *t, uint32_t a, uint32_t b);
uint32_t qn_term_or(struct qn_terms *t, uint32_t a, uint32_t b);
uint32_t qn_term_and(struct qn_terms *t, uint32_t a, uint32_t b);
uint32_t qn_term_not(struct qn_terms *t, uint32_t a);
uint32_t qn_term_rep(struct qn_terms *t, uint32_t a, uint32_t min, uint32_t max);
uint32_t qn_term_lex(struct qn_terms *t, uint32_t a); // EMPTY where nothing can match
/* The bytes of s, then `rest`. */
uint32_t qn_term_text(struct qn_terms *t, struct qn_str s, uint32_t rest);
/* Decimal numbers (digits, at most one point, a sign in front) that are multiples of k / 10^f, f at
 * most 40. */
uint32_t qn_term_mod(struct qn_terms *t, uint32_t k, uint32_t f);
/* The n ids on top of `work` above `base`, taken from there. */
uint32_t qn_term_join(struct qn_terms *t, enum qn_term_kind kind, uint32_t base);

/* A rule may be called before its body is known. */
uint32_t qn_term_rule(struct qn_terms *t);
uint32_t qn_term_call(struct qn_terms *t, uint32_t rule);

/* Before use: finds which rules can be empty, which can end at all, and the classes of bytes.
 * QN_E_UNSUPPORTED: left recursion. QN_E_ARGUMENT: nothing can match `start`. */
enum qn_status qn_terms_seal(struct qn_terms *t, uint32_t start, struct qn_error *err);
enum qn_status qn_terms_report(const struct qn_terms *t, struct qn_error *err);

/* ---- Using --------------------------------------------------------------------------------- */

/* Derivative; needs no sealing where nothing is called. */
uint32_t qn_term_derive(struct qn_terms *t, uint32_t term, uint8_t byte);
/* The same, remembered; sealed terms only. EMPTY: the byte is not allowed. */
uint32_t qn_term_fill(struct qn_terms *t, uint32_t term, uint32_t class_);

static inline uint32_t qn_term_step(struct qn_terms *t, uint32_t term, uint8_t byte) {
    uint32_t class_ = t->classes[byte], row = t->terms[term].row;
    if (row != QN_TERM_NONE) {
        uint32_t next = t->rows.p[row + class_];
        if (next != QN_TERM_NONE)
            return next;
    }
    return qn_term_fill(t, term, class_);
}

/* A sequence as a head that is none and a tail; other terms are their own heads. */
uint32_t qn_term_head(struct qn_terms *t, uint32_t *tail, uint32_t term);
bool qn_term_nullable(const struct qn_terms *t, uint32_t term);
/* Whether a call is anywhere below it. */
bool qn_term_calls(const struct qn_terms *t, uint32_t term);
/* Whether a regular term matches anything at all. */
bool qn_term_live(struct qn_terms *t, uint32_t term);

/* Forgets what was made since sealing but for the terms in `keep`, which get new ids. */
void qn_terms_flush(struct qn_terms *t, uint32_t **keep, uint32_t n);

#endif
