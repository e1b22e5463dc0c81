/* The vocabulary: ids to strings and back. Strings lie in one block; ids may have holes. */
#ifndef QN_TEXT_VOCAB_H
#define QN_TEXT_VOCAB_H

#include "base/num.h"
#include "base/str.h"

#define QN_ID_NONE 0xffffffffu
#define QN_TOKEN_MAX_BYTES 0xffffffu

enum {
    QN_TOKEN_PRESENT = 1,
    QN_TOKEN_SPECIAL = 2, // skipped by decoding, never matched in plain text
    QN_TOKEN_ADDED = 4,   // outside of the model: matched in text before it
    QN_TOKEN_HIDDEN = 8,  // never the result of a merge or of a whole-word look-up
};

struct qn_vocab_token {
    uint32_t at;    // in `text`
    uint32_t bytes; // length | flags << 24
};

/* Of a hash table: with the whole hash, a look-up in vain nearly never reads a string. */
struct qn_vocab_slot {
    uint32_t id; // + 1; 0: free
    uint32_t hash;
};

struct qn_vocab {
    struct qn_vocab_token *tokens; // [size]
    uint32_t size;                 // highest id + 1
    char *text;
    size_t text_n, text_capacity;
    struct qn_vocab_slot *slots;
    uint32_t mask;
};

/* Room for ids below `size`, `n_bytes` bytes of strings and `n_strings` different strings. */
enum qn_status qn_vocab_init(struct qn_vocab *v, struct qn_arena *arena, uint32_t size,
                             uint32_t n_strings, size_t n_bytes, struct qn_error *err);
/* Sets the string of a free id. When the string has an id already, both ids keep it and the look-up
 * gives the new one. QN_E_TOKENIZER: the id is taken, or the string is too long. */
enum qn_status qn_vocab_set(struct qn_vocab *v, uint32_t id, struct qn_str s, uint32_t flags,
                            struct qn_error *err);
uint32_t qn_vocab_find(const struct qn_vocab *v, const char *p, size_t n); // or QN_ID_NONE

static inline uint32_t qn_vocab_flags(const struct qn_vocab *v, uint32_t id) {
    return id < v->size ? v->tokens[id].bytes >> 24 : 0;
}

static inline struct qn_str qn_vocab_str(const struct qn_vocab *v, uint32_t id) {
    if (id >= v->size)
        return (struct qn_str){"", 0};
    return (struct qn_str){v->text + v->tokens[id].at, v->tokens[id].bytes & QN_TOKEN_MAX_BYTES};
}

/* Eight bytes at a time; tables bound the length of their probes, so a bad file only fails. */
static inline uint32_t qn_hash_bytes(const char *p, size_t n) {
    uint64_t h = n * 0x9e3779b97f4a7c15u;
    while (n >= 8) {
        h = (h ^ qn_load_u64(p)) * 0xff51afd7ed558ccdu;
        h ^= h >> 32;
        p += 8;
        n -= 8;
    }
    uint64_t tail = 0;
    if (n >= 4)
        tail = qn_load_u32(p) | (uint64_t)qn_load_u32(p + n - 4) << 32;
    else if (n > 0)
        tail = (uint64_t)(unsigned char)p[0] | (uint64_t)(unsigned char)p[n / 2] << 8 |
               (uint64_t)(unsigned char)p[n - 1] << 16;
    h = (h ^ tail) * 0xff51afd7ed558ccdu;
    h ^= h >> 29;
    h *= 0xc4ceb9fe1a85ec53u;
    return (uint32_t)(h >> 32);
}

#endif
