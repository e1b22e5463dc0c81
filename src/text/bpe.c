#include "text/bpe.h"

#include "text/bytes.h"
#include "text/unicode.h"

#define MAX_PROBES 4096
#define SHORT_WORD 40 // symbols; up to here scanning for the best pair beats a heap

static uint32_t hash_pair(uint32_t left, uint32_t right) {
    uint64_t h = ((uint64_t)left << 32 | right) * 0x9e3779b97f4a7c15u;
    h ^= h >> 32;
    h *= 0xff51afd7ed558ccdu;
    return (uint32_t)(h >> 32);
}

enum qn_status qn_bpe_merges_init(struct qn_bpe *bpe, struct qn_arena *arena, uint32_t n_merges,
                                  struct qn_error *err) {
    uint32_t capacity = 16;
    if (n_merges > 1u << 26)
        return qn_fail(err, QN_E_LIMIT, "%u merges", n_merges);
    while (capacity < n_merges + n_merges / 2)
        capacity *= 2;
    bpe->merges = QN_ARENA_NEW(arena, struct qn_merge, capacity);
    bpe->mask = capacity - 1;
    if (!bpe->merges)
        return qn_fail(err, QN_E_NO_MEMORY, "%u merges", n_merges);
    for (uint32_t i = 0; i < capacity; i++)
        bpe->merges[i].id = QN_ID_NONE;
    return QN_OK;
}

static const struct qn_merge *find_merge(const struct qn_bpe *bpe, uint32_t left, uint32_t right) {
    uint32_t at = hash_pair(left, right) & bpe->mask;
    for (uint32_t i = 0; i < MAX_PROBES && i <= bpe->mask; i++, at = (at + 1) & bpe->mask) {
        const struct qn_merge *m = &bpe->merges[at];
        if (m->id == QN_ID_NONE)
            return NULL;
        if (m->left == left && m->right == right)
            return m;
    }
    return NULL;
}

enum qn_status qn_bpe_merges_add(struct qn_bpe *bpe, uint32_t rank, struct qn_str left,
                                 struct qn_str right, struct qn_error *err) {
    char joined[4096];
    const struct qn_vocab *v = bpe->vocab;
    uint32_t a = qn_vocab_find(v, left.p, left.n), b = qn_vocab_find(v, right.p, right.n);
    uint32_t id = QN_ID_NONE;
    struct qn_str tail = right; // the prefix of the right part goes when it is joined
    if (bpe->prefix.n > 0 && qn_str_starts(right, bpe->prefix))
        tail = qn_str_slice(right, bpe->prefix.n, right.n);
    if (left.n <= sizeof joined && tail.n <= sizeof joined - left.n) {
        if (left.n > 0)
            memcpy(joined, left.p, left.n);
        if (tail.n > 0)
            memcpy(joined + left.n, tail.p, tail.n);
        id = qn_vocab_find(v, joined, left.n + tail.n);
    }
    if (a == QN_ID_NONE || b == QN_ID_NONE || id == QN_ID_NONE)
        return qn_fail(err, QN_E_TOKENIZER, "merge %u, \"%.*s\" + \"%.*s\": %s is no token", rank,
                       QN_STR_ARG(left), QN_STR_ARG(right),
                       a == QN_ID_NONE   ? "the left part"
                       : b == QN_ID_NONE ? "the right part"
                                         : "the result");
    if (qn_vocab_flags(v, id) & (QN_TOKEN_SPECIAL | QN_TOKEN_HIDDEN))
        return QN_OK; // nothing that text says may spell a special token
    uint32_t at = hash_pair(a, b) & bpe->mask;
    for (uint32_t i = 0; i < MAX_PROBES && i <= bpe->mask; i++, at = (at + 1) & bpe->mask) {
        struct qn_merge *m = &bpe->merges[at];
        if (m->id == QN_ID_NONE || (m->left == a && m->right == b)) {
            *m = (struct qn_merge){.left = a, .right = b, .rank = rank, .id = id};
            return QN_OK;
        }
    }
    return qn_fail(err, QN_E_TOKENIZER, "the merges cannot be hashed at merge %u", rank);
}

enum qn_status qn_bpe_bytes_init(struct qn_bpe *bpe, struct qn_error *err) {
    static const char digits[] = "0123456789ABCDEF";
    for (uint32_t b = 0; b < 256; b++) {
        char name[8] = {'<', '0', 'x', digits[b >> 4], digits[b & 15], '>'};
        size_t n = bpe->byte_level ? qn_utf8_put(name, qn_byte_to_char((unsigned char)b)) : 6;
        bpe->bytes[b] = qn_vocab_find(bpe->vocab, name, n);
        bool needed = b == '\n' || (b >= ' ' && b < 127);
        if (bpe->byte_level && needed && bpe->bytes[b] == QN_ID_NONE)
            return qn_fail(err, QN_E_TOKENIZER,
                           "byte 0x%x is no token of this byte-level vocabulary", b);
    }
    return QN_OK;
}

uint32_t qn_bpe_order(float score) {
    uint32_t bits = qn_f32_bits(score == 0 ? 0.0f : score);
    uint32_t ascending = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
    uint32_t order = ~ascending;
    return order == UINT32_MAX ? order - 1 : order;
}

void qn_bpe_scratch_init(struct qn_bpe_scratch *s, const struct qn_allocator *allocator) {
    *s = (struct qn_bpe_scratch){.allocator = allocator};
}

void qn_bpe_scratch_free(struct qn_bpe_scratch *s) {
    qn_mem_free(s->allocator, s->symbols, s->n_symbols * sizeof *s->symbols);
    qn_mem_free(s->allocator, s->heap, s->heap_capacity * sizeof *s->heap);
    qn_word_cache_free(&s->cache, s->allocator);
    qn_mem_free(s->allocator, s->mapped, s->n_mapped);
    qn_bpe_scratch_init(s, s->allocator);
}

static enum qn_status reserve_symbols(struct qn_bpe_scratch *s, size_t n, struct qn_error *err) {
    if (n <= s->n_symbols)
        return QN_OK;
    size_t want = n < 64 ? 64 : n, bytes;
    if (!qn_mul_size(&bytes, want, sizeof *s->symbols))
        return qn_fail(err, QN_E_NO_MEMORY, "a word of %zu bytes", n);
    struct qn_bpe_symbol *p = qn_mem_alloc(s->allocator, bytes);
    if (!p)
        return qn_fail(err, QN_E_NO_MEMORY, "a word of %zu bytes", n);
    qn_mem_free(s->allocator, s->symbols, s->n_symbols * sizeof *s->symbols);
    s->symbols = p;
    s->n_symbols = want;
    return QN_OK;
}

/* Sets rank and result of the pair (symbol, next). */
static void rate(const struct qn_bpe *bpe, const char *word, struct qn_bpe_symbol *symbols,
                 uint32_t left, uint32_t right) {
    struct qn_bpe_symbol *a = &symbols[left];
    const struct qn_bpe_symbol *b = &symbols[right];
    a->rank = UINT32_MAX;
    if (bpe->scores) {
        size_t n = b->end - a->begin;
        if (n > bpe->longest)
            return;
        uint32_t id = qn_vocab_find(bpe->vocab, word + a->begin, n);
        if (id == QN_ID_NONE ||
            (qn_vocab_flags(bpe->vocab, id) & (QN_TOKEN_SPECIAL | QN_TOKEN_HIDDEN)))
            return;
        a->rank = bpe->scores[id];
        a->merged = id;
        return;
    }
    if (a->id == QN_ID_NONE || b->id == QN_ID_NONE)
        return;
    const struct qn_merge *m = find_merge(bpe, a->id, b->id);
    if (m) {
        a->rank = m->rank;
        a->merged = m->id;
    }
}

/* Merges until no pair is left, best rank first, leftmost first among equals. */
static uint32_t merge_short(const struct qn_bpe *bpe, const char *word, struct qn_bpe_symbol *s,
                            uint32_t n) {
    for (uint32_t i = 0; i + 1 < n; i++)
        rate(bpe, word, s, i, i + 1);
    while (n > 1) {
        uint32_t best = 0;
        for (uint32_t i = 1; i + 1 < n; i++) {
            if (s[i].rank < s[best].rank)
                best = i;
        }
        if (s[best].rank == UINT32_MAX)
            break;
        s[best].id = s[best].merged;
        s[best].end = s[best + 1].end;
        s[best].rank = UINT32_MAX;
        n--;
        memmove(&s[best + 1], &s[best + 2], (n - best - 1) * sizeof *s);
        if (best + 1 < n)
            rate(bpe, word, s, best, best + 1);
        if (best > 0)
            rate(bpe, word, s, best - 1, best);
    }
    return n;
}

static bool heap_push(struct qn_bpe_scratch *s, uint64_t key) {
    if (s->n_heap == s->heap_capacity) {
        size_t capacity = s->heap_capacity ? s->heap_capacity * 2 : 256;
        if (capacity > SIZE_MAX / sizeof *s->heap)
            return false;
        uint64_t *p =
            qn_mem_grow(s->allocator, s->heap, s->heap_capacity * sizeof *p, capacity * sizeof *p);
        if (!p)
            return false;
        s->heap = p;
        s->heap_capacity = capacity;
    }
    size_t at = s->n_heap++;
    for (; at > 0 && s->heap[(at - 1) / 2] > key; at = (at - 1) / 2)
        s->heap[at] = s->heap[(at - 1) / 2];
    s->heap[at] = key;
    return true;
}

static uint64_t heap_pop(struct qn_bpe_scratch *s) {
    uint64_t top = s->heap[0], key = s->heap[--s->n_heap];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= s->n_heap)
            break;
        if (child + 1 < s->n_heap && s->heap[child + 1] < s->heap[child])
            child++;
        if (s->heap[child] >= key)
            break;
        s->heap[at] = s->heap[child];
        at = child;
    }
    s->heap[at] = key;
    return top;
}

/* Key of a pair: rank, then position. A stale key is known by its rank: the pair there has another
 * one now, or none. */
static bool push_pair(const struct qn_bpe *bpe, struct qn_bpe_scratch *scratch, const char *word,
                      uint32_t left, uint32_t right) {
    struct qn_bpe_symbol *s = scratch->symbols;
    rate(bpe, word, s, left, right);
    return s[left].rank == UINT32_MAX || heap_push(scratch, (uint64_t)s[left].rank << 32 | left);
}

static enum qn_status merge_long(uint32_t *n_out, const struct qn_bpe *bpe,
                                 struct qn_bpe_scratch *scratch, const char *word, uint32_t n,
                                 struct qn_error *err) {
    struct qn_bpe_symbol *s = scratch->symbols;
    bool ok = true;
    scratch->n_heap = 0;
    for (uint32_t i = 0; i < n; i++) {
        s[i].previous = i - 1; // UINT32_MAX: none
        s[i].next = i + 1 < n ? i + 1 : UINT32_MAX;
        s[i].rank = UINT32_MAX;
    }
    for (uint32_t i = 0; ok && i + 1 < n; i++)
        ok = push_pair(bpe, scratch, word, i, i + 1);
    while (ok && scratch->n_heap > 0) {
        uint64_t key = heap_pop(scratch);
        uint32_t at = (uint32_t)key, right = s[at].next;
        if (s[at].rank != (uint32_t)(key >> 32) || right == UINT32_MAX)
            continue;
        s[at].id = s[at].merged;
        s[at].end = s[right].end;
        s[at].next = s[right].next;
        s[at].rank = UINT32_MAX;
        s[right].rank = UINT32_MAX;
        s[right].next = UINT32_MAX;
        if (s[at].next != UINT32_MAX) {
            s[s[at].next].previous = at;
            ok = push_pair(bpe, scratch, word, at, s[at].next);
        }
        if (ok && s[at].previous != UINT32_MAX)
            ok = push_pair(bpe, scratch, word, s[at].previous, at);
    }
    if (!ok)
        return qn_fail(err, QN_E_NO_MEMORY, "a word of %u symbols", n);
    uint32_t kept = 0;
    for (uint32_t i = 0; i != UINT32_MAX;) {
        uint32_t next = s[i].next;
        s[kept++] = s[i];
        i = next;
    }
    *n_out = kept;
    return QN_OK;
}

/* The symbol of one character, `s` as the vocabulary writes it, with the prefix or suffix that its
 * place in the word gives it. */
static uint32_t find_character(const struct qn_bpe *bpe, struct qn_str s, bool first, bool last) {
    char name[2 * QN_BPE_AFFIX + 4];
    size_t n = 0;
    if ((bpe->prefix.n > 0 && !first) || (bpe->suffix.n > 0 && last)) {
        if (bpe->prefix.n > 0 && !first) {
            memcpy(name, bpe->prefix.p, bpe->prefix.n);
            n = bpe->prefix.n;
        }
        memcpy(name + n, s.p, s.n);
        n += s.n;
        if (bpe->suffix.n > 0 && last) {
            memcpy(name + n, bpe->suffix.p, bpe->suffix.n);
            n += bpe->suffix.n;
        }
        s = (struct qn_str){name, n};
    }
    uint32_t id = qn_vocab_find(bpe->vocab, s.p, s.n);
    return qn_vocab_flags(bpe->vocab, id) & (QN_TOKEN_SPECIAL | QN_TOKEN_HIDDEN) ? QN_ID_NONE : id;
}

/* Symbols of a byte-level word. */
static uint32_t split_bytes(const struct qn_bpe *bpe, struct qn_bpe_symbol *symbols,
                            struct qn_str word) {
    uint32_t n = 0;
    bool affixes = bpe->prefix.n > 0 || bpe->suffix.n > 0;
    for (; n < word.n; n++) {
        unsigned char byte = (unsigned char)word.p[n];
        uint32_t id = bpe->bytes[byte];
        if (affixes) {
            char utf8[4];
            size_t length = qn_utf8_put(utf8, qn_byte_to_char(byte));
            id = find_character(bpe, (struct qn_str){utf8, length}, n == 0, n + 1 == word.n);
        }
        symbols[n] = (struct qn_bpe_symbol){id, n, n + 1, 0, 0, UINT32_MAX, 0};
    }
    return n;
}

/* Symbols of a word that is not byte-level: characters, bytes or unknown tokens. */
static uint32_t split_characters(const struct qn_bpe *bpe, struct qn_bpe_symbol *symbols,
                                 struct qn_str word) {
    uint32_t n = 0;
    uint32_t unk_begin = UINT32_MAX, unk_end = 0; // an unknown token not yet placed
    for (size_t at = 0; at < word.n;) {
        size_t begin = at;
        qn_unicode_next(word, &at);
        uint32_t id = find_character(bpe, qn_str_slice(word, begin, at), begin == 0, at == word.n);
        struct qn_bpe_symbol symbol = {.id = id, .begin = (uint32_t)begin, .end = (uint32_t)at};
        if (bpe->scores) { // unknown characters may still be part of a piece
            symbols[n++] = symbol;
            continue;
        }
        if (id != QN_ID_NONE) {
            if (unk_begin != UINT32_MAX)
                symbols[n++] = (struct qn_bpe_symbol){bpe->unk, unk_begin, unk_end, 0, 0, 0, 0};
            unk_begin = UINT32_MAX;
            symbols[n++] = symbol;
            continue;
        }
        bool all = bpe->byte_fallback;
        for (size_t i = begin; i < at; i++)
            all = all && bpe->bytes[(unsigned char)word.p[i]] != QN_ID_NONE;
        if (all) {
            for (size_t i = begin; i < at; i++)
                symbols[n++] = (struct qn_bpe_symbol){
                    bpe->bytes[(unsigned char)word.p[i]], (uint32_t)i, (uint32_t)i + 1, 0, 0, 0, 0};
            continue;
        }
        if (bpe->unk == QN_ID_NONE)
            continue;
        if (unk_begin != UINT32_MAX && !bpe->fuse_unk) {
            symbols[n++] = (struct qn_bpe_symbol){bpe->unk, unk_begin, unk_end, 0, 0, 0, 0};
            unk_begin = UINT32_MAX;
        }
        if (unk_begin == UINT32_MAX)
            unk_begin = (uint32_t)begin;
        unk_end = (uint32_t)at;
    }
    if (unk_begin != UINT32_MAX)
        symbols[n++] = (struct qn_bpe_symbol){bpe->unk, unk_begin, unk_end, 0, 0, 0, 0};
    return n;
}

static enum qn_status push_symbol(const struct qn_bpe *bpe, struct qn_ids *out, struct qn_str word,
                                  const struct qn_bpe_symbol *s, bool *unk_before) {
    if (s->id != QN_ID_NONE) {
        *unk_before = false;
        return qn_ids_push(out, s->id);
    }
    for (size_t i = s->begin; i < s->end; i++) {
        uint32_t id = bpe->byte_fallback ? bpe->bytes[(unsigned char)word.p[i]] : QN_ID_NONE;
        if (id == QN_ID_NONE) {
            if (bpe->unk == QN_ID_NONE || *unk_before)
                continue;
            *unk_before = true;
            QN_TRY(qn_ids_push(out, bpe->unk));
        } else {
            *unk_before = false;
            QN_TRY(qn_ids_push(out, id));
        }
    }
    return QN_OK;
}

/* The whole word as one token, for ignore_merges; QN_ID_NONE when there is none. */
static enum qn_status whole_word(uint32_t *out, const struct qn_bpe *bpe,
                                 struct qn_bpe_scratch *scratch, struct qn_str word,
                                 struct qn_error *err) {
    uint32_t id;
    *out = QN_ID_NONE;
    if (word.n > bpe->longest)
        return QN_OK;
    if (bpe->byte_level) {
        if (scratch->n_mapped < word.n * 2) {
            char *p = qn_mem_alloc(scratch->allocator, (size_t)bpe->longest * 2);
            if (!p)
                return qn_fail(err, QN_E_NO_MEMORY, "a word of %zu bytes", word.n);
            qn_mem_free(scratch->allocator, scratch->mapped, scratch->n_mapped);
            scratch->mapped = p;
            scratch->n_mapped = (size_t)bpe->longest * 2;
        }
        size_t n = 0;
        for (size_t i = 0; i < word.n; i++)
            n += qn_utf8_put(scratch->mapped + n, qn_byte_to_char((unsigned char)word.p[i]));
        id = qn_vocab_find(bpe->vocab, scratch->mapped, n);
    } else {
        id = qn_vocab_find(bpe->vocab, word.p, word.n);
    }
    if (!(qn_vocab_flags(bpe->vocab, id) & (QN_TOKEN_SPECIAL | QN_TOKEN_HIDDEN)))
        *out = id;
    return QN_OK;
}

static enum qn_status encode_word(const struct qn_bpe *bpe, struct qn_bpe_scratch *scratch,
                                  struct qn_ids *out, struct qn_str word, struct qn_error *err) {
    if (bpe->ignore_merges) {
        uint32_t id;
        QN_TRY(whole_word(&id, bpe, scratch, word, err));
        if (id != QN_ID_NONE)
            return qn_ids_push(out, id);
    }
    QN_TRY(reserve_symbols(scratch, word.n, err));
    struct qn_bpe_symbol *s = scratch->symbols;
    uint32_t n = bpe->byte_level ? split_bytes(bpe, s, word) : split_characters(bpe, s, word);
    if (n <= SHORT_WORD)
        n = merge_short(bpe, word.p, s, n);
    else
        QN_TRY(merge_long(&n, bpe, scratch, word.p, n, err));
    bool unk_before = false;
    for (uint32_t i = 0; i < n; i++)
        QN_TRY(push_symbol(bpe, out, word, &s[i], &unk_before));
    return QN_OK;
}

enum qn_status qn_bpe_word(const struct qn_bpe *bpe, struct qn_bpe_scratch *scratch,
                           struct qn_ids *out, struct qn_str word, struct qn_error *err) {
    bool hit;
    size_t before = out->n;
    if (word.n == 1 && bpe->byte_level && bpe->bytes[(unsigned char)word.p[0]] != QN_ID_NONE &&
        bpe->suffix.n == 0)
        return qn_ids_push(out, bpe->bytes[(unsigned char)word.p[0]]);
    if (word.n > UINT32_MAX / 2)
        return qn_fail(err, QN_E_LIMIT, "a word of %zu bytes", word.n);
    struct qn_cached_word *c = qn_word_cache_at(&scratch->cache, &hit, word);
    if (hit)
        return qn_word_cache_push(c, out);
    QN_TRY(encode_word(bpe, scratch, out, word, err));
    qn_word_cache_put(c, word, out, before);
    return QN_OK;
}
