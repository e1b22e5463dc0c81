/* Constrained output: what may be said becomes a grammar, the vocabulary a trie, and both together
 * a mask of allowed tokens per step.
 *
 * A grammar keeps what it found out about itself and about the vocabulary (derivatives, masks), so
 * it is worth keeping between requests. One thread at a time per grammar. */
#ifndef QN_CONSTRAIN_CONSTRAIN_H
#define QN_CONSTRAIN_CONSTRAIN_H

#include "base/buf.h"
#include "constrain/term.h"
#include "text/tokenizer.h"

/* ---- Vocabulary ---------------------------------------------------------------------------- */

#define QN_TRIE_DEEP 255u   // longer tokens are left out
#define QN_TRIE_LENGTHS 16u // plain tokens of up to so many characters are kept in masks

/* The bytes of all tokens but special ones, as a trie in preorder. First the tokens that could
 * end a JSON string or need care within it, then the "plain" ones: whole characters without quotes,
 * backslashes and controls. */
struct qn_vocab_trie {
    const struct qn_allocator *allocator;
    const struct qn_tokenizer *tokenizer; // outlives the trie
    uint32_t n_ids, n_words;              // words of a mask: ceil(n_ids / 32)
    uint32_t *links;                      // node: its byte | (the node behind its subtree) << 8
    uint32_t *tokens;                     // node: a token that ends there, or QN_ID_NONE
    uint8_t *depths;                      // node: bytes before its own
    uint32_t n_nodes, n_careful;          // plain ones begin at n_careful
    uint32_t *twins;                      // pairs: an id with the same bytes as another
    uint32_t n_twins;
    uint32_t *plain;  // [LENGTHS][n_words]: plain tokens of at most i + 1 characters
    uint32_t *longer; // pairs: length, id of other plain tokens, shortest first
    uint32_t n_longer;
};

/* Takes some milliseconds and, for 150,000 tokens, some 5 MB. */
enum qn_status qn_vocab_trie_build(struct qn_vocab_trie *out, const struct qn_allocator *allocator,
                                   const struct qn_tokenizer *tokenizer, struct qn_error *err);
void qn_vocab_trie_free(struct qn_vocab_trie *trie);

/* ---- Grammar ------------------------------------------------------------------------------- */

struct qn_grammar {
    const struct qn_allocator *allocator;
    unsigned char key[32]; // hash of kind, text and options: the same for equal constraints
    struct qn_terms terms;
    uint32_t start;
    uint32_t any_char;    // the same, in one spelling, or NONE
    uint32_t string_char; // a character within the quotes of an unconstrained JSON string, or NONE
    struct qn_matcher *matchers; // whose states must survive
    struct qn_mask_cache *cache; // NULL until the first mask
};

/* Compiles; nothing of the constraint is kept. Errors name what is wrong or not supported, in the
 * words of the constraint: QN_E_ARGUMENT, QN_E_UNSUPPORTED, QN_E_JSON, QN_E_LIMIT,
 * QN_E_NO_MEMORY. */
enum qn_status qn_grammar_compile(struct qn_grammar **out, const struct qn_allocator *allocator,
                                  const struct qn_constraint *constraint, struct qn_error *err);
void qn_grammar_free(struct qn_grammar *grammar);
/* The key that a grammar of this constraint has or would have. */
void qn_constraint_key(unsigned char out[32], const struct qn_constraint *constraint);

/* ---- Matcher ------------------------------------------------------------------------------- */

/* One text as it grows. */
struct qn_matcher {
    struct qn_grammar *grammar;
    const struct qn_vocab_trie *trie; // NULL: bytes only
    uint32_t state;
    struct qn_matcher *next, *previous;
    struct qn_buf bytes; // of the last token
    /* Control tokens, which no text spells: marks[i] is the bytes 0xff, QN_MARK + i of a grammar,
     * and what trie and grammar say otherwise never has 0xff. */
    const uint32_t *marks; // [n_marks]
    uint32_t n_marks;
};
#define QN_MARK 0x40u

void qn_matcher_init(struct qn_matcher *m, struct qn_grammar *grammar,
                     const struct qn_vocab_trie *trie);
void qn_matcher_free(struct qn_matcher *m);
void qn_matcher_restart(struct qn_matcher *m);

/* Sets the bits of the tokens that may come next; all others of bits[n_words] are cleared, n_words
 * counting the words of the model's logits. Those in `eos` are set when the text may end here. An
 * empty mask: no token of the vocabulary goes on. */
enum qn_status qn_matcher_mask(struct qn_matcher *m, uint32_t *bits, uint32_t n_words,
                               const uint32_t *eos, uint32_t n_eos, struct qn_error *err);
/* Takes a token. QN_E_ARGUMENT: it is not allowed here; the state is then unchanged. */
enum qn_status qn_matcher_accept(struct qn_matcher *m, uint32_t id, struct qn_error *err);
enum qn_status qn_matcher_accept_bytes(struct qn_matcher *m, struct qn_str bytes,
                                       struct qn_error *err);
/* Whether the text may end here, and whether it must. */
bool qn_matcher_can_end(const struct qn_matcher *m);
bool qn_matcher_must_end(struct qn_matcher *m);
/* Appends the bytes that must come next, up to `most`; the state stays. *ends: nothing can follow
 * them. */
enum qn_status qn_matcher_forced(struct qn_matcher *m, struct qn_buf *out, size_t most, bool *ends,
                                 struct qn_error *err);

/* ---- Behind a table ------------------------------------------------------------------------ */

/* What an engine needs of this room. In a tab the room is a module of its own (web/constrain.js),
 * loaded when the first request asks for it. */
struct qn_constrain_ops {
    enum qn_status (*trie_build)(struct qn_vocab_trie *out, const struct qn_allocator *allocator,
                                 const struct qn_tokenizer *tokenizer, struct qn_error *err);
    void (*trie_free)(struct qn_vocab_trie *trie);
    void (*key)(unsigned char out[32], const struct qn_constraint *constraint);
    enum qn_status (*compile)(struct qn_grammar **out, const struct qn_allocator *allocator,
                              const struct qn_constraint *constraint, struct qn_error *err);
    void (*free)(struct qn_grammar *grammar);
    void (*matcher_init)(struct qn_matcher *m, struct qn_grammar *grammar,
                         const struct qn_vocab_trie *trie);
    void (*matcher_free)(struct qn_matcher *m);
    enum qn_status (*mask)(struct qn_matcher *m, uint32_t *bits, uint32_t n_words,
                           const uint32_t *eos, uint32_t n_eos, struct qn_error *err);
    enum qn_status (*accept)(struct qn_matcher *m, uint32_t id, struct qn_error *err);
    enum qn_status (*accept_bytes)(struct qn_matcher *m, struct qn_str bytes, struct qn_error *err);
    bool (*must_end)(struct qn_matcher *m);
    enum qn_status (*forced)(struct qn_matcher *m, struct qn_buf *out, size_t most, bool *ends,
                             struct qn_error *err);
};
extern const struct qn_constrain_ops qn_constrain_builtin;
/* The same, as the one thing that the module exports. */
__attribute__((visibility("default"))) const struct qn_constrain_ops *qn_constrain_table(void);

/* ---- Inside the room: readers of constraints ----------------------------------------------- */

void qn_mask_cache_free(struct qn_grammar *grammar);
/* White space between tokens of JSON: nothing, a space, or a line end and spaces: at most so many
 * bytes. */
enum qn_status qn_schema_term(struct qn_grammar *g, uint32_t *out, struct qn_arena *scratch,
                              struct qn_str schema, uint32_t whitespace, struct qn_error *err);
enum qn_status qn_gbnf_term(struct qn_grammar *g, uint32_t *out, struct qn_arena *scratch,
                            struct qn_str text, uint32_t whitespace, struct qn_error *err);

#endif
