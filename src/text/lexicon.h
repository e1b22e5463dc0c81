/* All tokens that begin at a place of a text, for Unigram and WordPiece. A hash table of whole
 * tokens beside a bit filter of their beginnings: walking a text byte by byte ends at the first
 * beginning that no token has, nearly always. */
#ifndef QN_TEXT_LEXICON_H
#define QN_TEXT_LEXICON_H

#include "text/vocab.h"

#define QN_LEXICON_LONGEST 1024 // bytes of a token

struct qn_lexicon {
    const struct qn_vocab *vocab;
    struct qn_vocab_slot *slots;
    uint32_t mask;
    uint64_t *filter;
    uint32_t filter_mask; // of bits
};

/* Leaves out special and hidden tokens: text never spells these. QN_E_TOKENIZER: a token is too
 * long. */
enum qn_status qn_lexicon_init(struct qn_lexicon *lexicon, struct qn_arena *arena,
                               const struct qn_vocab *vocab, struct qn_error *err);

/* A walk along the bytes of one place. */
struct qn_lexicon_walk {
    uint64_t hash;
    uint32_t n;
};

static inline void qn_lexicon_begin(struct qn_lexicon_walk *w) {
    *w = (struct qn_lexicon_walk){.hash = 0x9e3779b97f4a7c15u};
}

/* One more byte; false when no token begins with what was walked. */
static inline bool qn_lexicon_step(const struct qn_lexicon *lexicon, struct qn_lexicon_walk *w,
                                   unsigned char byte) {
    w->hash = (w->hash ^ (byte + 1u)) * 0xff51afd7ed558ccdu;
    w->hash ^= w->hash >> 32;
    w->n++;
    uint32_t bit = (uint32_t)w->hash & lexicon->filter_mask;
    return (lexicon->filter[bit >> 6] >> (bit & 63) & 1) != 0;
}

/* The token that is `prefix` and then `rest`, which the walk has gone along; or QN_ID_NONE. */
uint32_t qn_lexicon_find(const struct qn_lexicon *lexicon, const struct qn_lexicon_walk *w,
                         struct qn_str prefix, const char *rest);

#endif
