/* A cache of short words and their ids, for the length of one encoding. */
#ifndef QN_TEXT_WORDCACHE_H
#define QN_TEXT_WORDCACHE_H

#include <string.h>

#include "text/ids.h"
#include "text/vocab.h"

#define QN_CACHE_MIN 1024u // slots
#define QN_CACHE_MAX 65536u
#define QN_CACHE_WORD 24
#define QN_CACHE_IDS 8

/* One word and its ids; 64 bytes. */
struct qn_cached_word {
    uint8_t n_word, n_ids; // n_word 0: free
    char word[QN_CACHE_WORD];
    uint32_t ids[QN_CACHE_IDS];
};

/* A word lies in one of two neighbours, the one used last in the place of its hash. */
struct qn_word_cache {
    struct qn_cached_word *slots; // NULL: no cache
    uint32_t n_slots;
};

/* For a text of `n` bytes. Running out of memory here is no error. */
static inline void qn_word_cache_init(struct qn_word_cache *c, const struct qn_allocator *allocator,
                                      size_t n) {
    uint32_t n_slots = QN_CACHE_MIN;
    while (n_slots < QN_CACHE_MAX && n_slots < n / 32)
        n_slots *= 2;
    if (!c->slots)
        c->slots = qn_mem_alloc(allocator, n_slots * sizeof *c->slots);
    c->n_slots = c->slots ? n_slots : 0;
    for (uint32_t i = 0; i < c->n_slots; i++)
        c->slots[i].n_word = 0;
}

static inline void qn_word_cache_free(struct qn_word_cache *c,
                                      const struct qn_allocator *allocator) {
    qn_mem_free(allocator, c->slots, c->n_slots * sizeof *c->slots);
    *c = (struct qn_word_cache){NULL, 0};
}

/* The slot of a word, NULL when it is not to be cached; *hit: it holds this word. */
static inline struct qn_cached_word *qn_word_cache_at(struct qn_word_cache *cache, bool *hit,
                                                      struct qn_str word) {
    *hit = false;
    if (!cache->slots || word.n > QN_CACHE_WORD)
        return NULL;
    uint32_t at = qn_hash_bytes(word.p, word.n) & (cache->n_slots - 1);
    struct qn_cached_word *c = &cache->slots[at], *other = &cache->slots[at ^ 1];
    *hit = c->n_word == word.n && memcmp(c->word, word.p, word.n) == 0;
    if (*hit)
        return c;
    struct qn_cached_word older = *c;
    *hit = other->n_word == word.n && memcmp(other->word, word.p, word.n) == 0;
    if (*hit)
        *c = *other;
    *other = older;
    return c;
}

static inline enum qn_status qn_word_cache_push(const struct qn_cached_word *c,
                                                struct qn_ids *out) {
    for (uint32_t i = 0; i < c->n_ids; i++)
        QN_TRY(qn_ids_push(out, c->ids[i]));
    return QN_OK;
}

/* Puts the ids of a word, out->p[before…], into its slot. */
static inline void qn_word_cache_put(struct qn_cached_word *c, struct qn_str word,
                                     const struct qn_ids *out, size_t before) {
    size_t n = out->n - before;
    if (!c || n > QN_CACHE_IDS)
        return;
    c->n_word = (uint8_t)word.n;
    c->n_ids = (uint8_t)n;
    memcpy(c->word, word.p, word.n);
    if (n > 0)
        memcpy(c->ids, out->p + before, n * sizeof *c->ids);
}

#endif
