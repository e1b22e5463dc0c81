/* Constrained generations. Inside src/engine, and for src/wasm, which may bring the room's code. */
#ifndef QN_ENGINE_CONSTRAINT_H
#define QN_ENGINE_CONSTRAINT_H

#include "constrain/constrain.h"

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

/* Begins a generation, constrained if the request says so. Compiling comes before the prompt, so
 * that errors are told at once; the vocabulary is read, and masks are made, while the prompt is
 * computed. */
enum qn_status qn_engine_run(qn_session *session, const struct qn_request *request,
                             struct qn_error *err);
void qn_constraints_free(qn_engine *engine);
/* Where the room is not linked in; until then constrained requests answer QN_E_NEED_DATA. */
void qn_engine_constrain(qn_engine *engine, const struct qn_constrain_ops *ops);

#endif
