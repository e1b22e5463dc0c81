#include "constrain/constrain.h"

const struct qn_constrain_ops qn_constrain_builtin = {
    .trie_build = qn_vocab_trie_build,
    .trie_free = qn_vocab_trie_free,
    .key = qn_constraint_key,
    .compile = qn_grammar_compile,
    .free = qn_grammar_free,
    .matcher_init = qn_matcher_init,
    .matcher_free = qn_matcher_free,
    .mask = qn_matcher_mask,
    .accept = qn_matcher_accept,
    .accept_bytes = qn_matcher_accept_bytes,
    .must_end = qn_matcher_must_end,
    .forced = qn_matcher_forced,
};

const struct qn_constrain_ops *qn_constrain_table(void) {
    return &qn_constrain_builtin;
}
