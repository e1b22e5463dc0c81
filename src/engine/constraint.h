/* Constrained generations. Inside src/engine, and for src/wasm, which may bring the room's code. */
#ifndef QN_ENGINE_CONSTRAINT_H
#define QN_ENGINE_CONSTRAINT_H

#include "base/buf.h"
#include "constrain/constrain.h"
#include "engine/tools.h"
#include "run/run.h"

#define QN_KEPT_GRAMMARS 4

/* Compiled constraints, and the vocabulary that their masks are made of. */
struct qn_constraints {
    struct qn_vocab_trie trie; // allocator NULL: not built yet
    struct {
        struct qn_grammar *grammar; // NULL: free
        uint64_t age;               // of the last use
        uint32_t users;             // generations that are constrained by it
    } kept[QN_KEPT_GRAMMARS];
    uint64_t clock;
};

/* What a constraint knows of calls. */
struct qn_calls {
    const uint32_t *marks; // [n_marks]: control tokens of its grammar, see struct qn_matcher
    uint32_t n_marks;
    /* The grammar, which is that of calls with their opening mark, holds whenever the model begins
     * one; everything else is free. */
    bool lazy;
    const struct qn_tool_format *format;
    const struct qn_think_format *think; // NULL: no thought comes; none of its text is a call
    struct qn_str prompt;
};

/* One constrained generation. */
struct qn_constrained {
    qn_engine *engine;
    uint32_t place; // among the kept grammars, or QN_KEPT_GRAMMARS: its own
    struct qn_grammar *grammar;
    struct qn_matcher matcher;
    /* lazy.c: where the answer stands. */
    enum {
        QN_LAZY_CALL,  // the matcher says what may come: always so where nothing is lazy
        QN_LAZY_START, // a thought, or a bare call, may begin
        QN_LAZY_THINK,
        QN_LAZY_TEXT, // a mark may come
        QN_LAZY_BARE, // within an object that may be a call
        QN_LAZY_NEVER
    } state;
    const struct qn_tool_format *format; // NULL: nothing is lazy
    const struct qn_think_format *think;
    size_t matched;           // bytes of a mark that the text ends with
    bool again;               // a call has ended
    struct qn_buf bytes;      // of a token
    struct qn_buf object;     // BARE: so far
    struct qn_matcher before; // the last token; in the grammar's list, as states get new ids
};

/* lazy.c */
enum qn_status qn_lazy_start(struct qn_constrained *c, const struct qn_calls *calls,
                             struct qn_error *err);
enum qn_status qn_lazy_accept(struct qn_constrained *c, uint32_t id, enum qn_accepted *out,
                              struct qn_error *err);

/* Begins a generation, constrained if the request says so. Compiling comes before the prompt, so
 * that errors are told at once; the vocabulary is read, and masks are made, while the prompt is
 * computed. `calls` may be NULL. */
enum qn_status qn_engine_run(qn_session *session, const struct qn_request *request,
                             const struct qn_calls *calls, struct qn_error *err);
void qn_constraints_free(qn_engine *engine);
/* Where the room is not linked in; until then constrained requests answer QN_E_NEED_DATA. */
void qn_engine_constrain(qn_engine *engine, const struct qn_constrain_ops *ops);

#endif
