/* Values of the template interpreter. A string is a slice with a mark per byte: where it came from
 * an untrusted member of the context. Values live in the arena of one rendering and are freed
 * whole. */
#ifndef QN_TEXT_TEMPLATE_VALUE_H
#define QN_TEXT_TEMPLATE_VALUE_H

#include "base/json.h"

enum qn_tkind {
    QN_TVAL_MISSING, // an argument that was not given; never seen by templates
    QN_TVAL_UNDEFINED,
    QN_TVAL_NONE,
    QN_TVAL_BOOL,
    QN_TVAL_INT,
    QN_TVAL_FLOAT,
    QN_TVAL_BIGINT, // digits of a JSON integer outside int64: prints, compares by text
    QN_TVAL_STR,
    QN_TVAL_LIST,
    QN_TVAL_TUPLE,
    QN_TVAL_GENERATOR, // what map, select, … give: always true, no length, consumed once
    QN_TVAL_DICT,
    QN_TVAL_NAMESPACE,
    QN_TVAL_LOOP,
    QN_TVAL_MACRO,
    QN_TVAL_BOUND,    // a method with its object
    QN_TVAL_FUNCTION, // a global function
    QN_TVAL_CYCLER,
    QN_TVAL_JOINER,
};

enum {
    QN_TVAL_MARKUP = 1, // string: went through safe or escape; + escapes the other side
    QN_TVAL_GROUP = 2,  // tuple: of groupby, has .grouper and .list
};

/* Marks of a string whose every byte is tainted; compared by address. */
extern const uint8_t qn_taint_all[1];

struct qn_tval {
    uint8_t kind;  // enum qn_tkind
    uint8_t flags; // undefined: 1 + kind of the object that lacked the attribute, or 0
    uint32_t n;    // string, bigint, undefined: bytes at `p`
    union {
        bool b;
        int64_t i;
        double f;
        struct { // string; bigint and undefined have no marks
            const char *p;
            const uint8_t *taint; // a 0 or 1 per byte; NULL: none; qn_taint_all: all
        };
        struct qn_tlist *list; // list, tuple, generator, cycler, joiner (its separator)
        struct qn_tdict *dict; // dict, namespace
        struct qn_tloop *loop;
        struct qn_tmacro *macro;
        struct qn_tbound *bound;
        const struct qn_tfunc *func;
    } as;
};

struct qn_tlist {
    struct qn_tval *items;
    uint32_t n, capacity;
    uint32_t at; // generator: consumed; cycler: current
    bool broken; // generator over what cannot be iterated over: fails once it is consumed
};

struct qn_tentry {
    struct qn_tval key, value;
    uint64_t hash;
};

struct qn_tdict {
    struct qn_tentry *entries; // in order of insertion
    uint32_t n, capacity;
    uint32_t *index; // open addressing, entry + 1; NULL while small
    uint32_t n_index;
};

struct qn_tloop {
    const struct qn_tval *items;
    uint32_t n, at;
    struct qn_tval changed;
    bool has_changed;
};

struct qn_tmacro {
    const struct qn_tnode *node;
    struct qn_tscope *scope; // where it was defined
};

struct qn_tbound {
    struct qn_tval self;
    const struct qn_tfunc *func;
};

/* Arguments of a call, already evaluated. */
struct qn_targs {
    const struct qn_tval *pos;
    const struct qn_tval *names; // of the named ones
    const struct qn_tval *named;
    uint32_t n_pos, n_named;
};

struct qn_tctx;

/* A filter, test, method or global. `spec` names the parameters, separated by spaces, the first
 * `required` of them without a default; absent ones arrive as QN_TVAL_MISSING. spec NULL: `args` is
 * taken as it stands and `a` is NULL. */
typedef enum qn_status qn_tfunc_fn(struct qn_tctx *ctx, struct qn_tval *out,
                                   const struct qn_tval *self, const struct qn_tval *a,
                                   const struct qn_targs *args);
struct qn_tfunc {
    const char *name;
    const char *spec;
    uint32_t required;
    qn_tfunc_fn *fn;
};
enum { QN_TFUNC_ARGS = 8 }; // most names in a spec

static inline struct qn_tval qn_tval_none(void) {
    return (struct qn_tval){.kind = QN_TVAL_NONE};
}
static inline struct qn_tval qn_tval_bool(bool b) {
    return (struct qn_tval){.kind = QN_TVAL_BOOL, .as.b = b};
}
static inline struct qn_tval qn_tval_int(int64_t i) {
    return (struct qn_tval){.kind = QN_TVAL_INT, .as.i = i};
}
static inline struct qn_tval qn_tval_float(double f) {
    return (struct qn_tval){.kind = QN_TVAL_FLOAT, .as.f = f};
}
static inline struct qn_tval qn_tval_str(struct qn_str s) { // below 4 GiB: limits see to it
    return (struct qn_tval){.kind = QN_TVAL_STR, .n = (uint32_t)s.n, .as.p = s.p ? s.p : ""};
}
static inline struct qn_str qn_tval_text(struct qn_tval v) {
    return (struct qn_str){v.as.p, v.n};
}
static inline bool qn_tval_is_str(struct qn_tval v) {
    return v.kind == QN_TVAL_STR;
}
static inline bool qn_tval_is_list(struct qn_tval v) {
    return v.kind == QN_TVAL_LIST || v.kind == QN_TVAL_TUPLE || v.kind == QN_TVAL_GENERATOR;
}
static inline bool qn_tval_given(struct qn_tval v) {
    return v.kind != QN_TVAL_MISSING;
}

#endif
