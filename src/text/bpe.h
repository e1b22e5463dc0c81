/* Byte pair encoding of one word, in two forms: by a list of merges (rank of a pair of ids), and by
 * scores of pieces (SentencePiece). Short words by scanning, long ones with a heap. */
#ifndef QN_TEXT_BPE_H
#define QN_TEXT_BPE_H

#include "text/vocab.h"
#include "text/wordcache.h"

#define QN_BPE_AFFIX 32 // bytes of a prefix or suffix

struct qn_merge {
    uint32_t left, right;
    uint32_t rank;
    uint32_t id; // of the result; QN_ID_NONE: a free slot
};

/* The model. One of `merges` and `scores` is set. */
struct qn_bpe {
    const struct qn_vocab *vocab;
    struct qn_merge *merges; // hash table, mask + 1 slots
    uint32_t mask;
    const uint32_t *scores; // [vocab->size]: order of merging, smaller first; see qn_bpe_order
    bool byte_level;        // a word is raw bytes, each a symbol; else UTF-8 characters are symbols
    bool ignore_merges;     // a word that is in the vocabulary is that token
    bool byte_fallback;     // unknown characters as bytes
    bool fuse_unk;          // one unknown token for several unknown characters in a row
    uint32_t unk;           // or QN_ID_NONE: unknown characters vanish
    struct qn_str prefix;   // of symbols that do not begin a word ("##"), and gone when merged
    struct qn_str suffix;   // of the symbol that ends a word ("</w>")
    uint32_t bytes[256];    // ids of bytes (byte level or fallback), QN_ID_NONE where missing
    uint32_t longest;       // bytes of the longest token: longer words need no look-up
};

enum qn_status qn_bpe_merges_init(struct qn_bpe *bpe, struct qn_arena *arena, uint32_t n_merges,
                                  struct qn_error *err);
/* Adds merge number `rank`. QN_E_TOKENIZER, naming it, when a part or the result is no token. */
enum qn_status qn_bpe_merges_add(struct qn_bpe *bpe, uint32_t rank, struct qn_str left,
                                 struct qn_str right, struct qn_error *err);
/* Fills `bytes`: from <0x00>…<0xFF>, or from GPT-2's characters. There printable ASCII and the line
 * feed must be tokens (QN_E_TOKENIZER); published vocabularies (Falcon) do lack rare bytes, and
 * these vanish from the text as they do in the tokenizers library. */
enum qn_status qn_bpe_bytes_init(struct qn_bpe *bpe, struct qn_error *err);
/* Higher scores merge first: maps a float to an integer whose order is the reverse. */
uint32_t qn_bpe_order(float score);

struct qn_bpe_symbol {
    uint32_t id; // QN_ID_NONE: characters that are no token
    uint32_t begin, end;
    uint32_t previous, next;
    uint32_t rank, merged; // of the pair of this and the next symbol; rank UINT32_MAX: none
};

/* Scratch of one call. */
struct qn_bpe_scratch {
    const struct qn_allocator *allocator;
    struct qn_bpe_symbol *symbols;
    size_t n_symbols;
    uint64_t *heap;
    size_t n_heap, heap_capacity;
    struct qn_word_cache cache;
    char *mapped; // a word in GPT-2's characters
    size_t n_mapped;
};
void qn_bpe_scratch_init(struct qn_bpe_scratch *s, const struct qn_allocator *allocator);
void qn_bpe_scratch_free(struct qn_bpe_scratch *s);
/* Appends the ids of one word (at most UINT32_MAX / 2 bytes). */
enum qn_status qn_bpe_word(const struct qn_bpe *bpe, struct qn_bpe_scratch *scratch,
                           struct qn_ids *out, struct qn_str word, struct qn_error *err);

#endif
