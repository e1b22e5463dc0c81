/* The vocabulary as a trie. */
#include <string.h>

#include "base/num.h"
#include "base/utf8.h"
#include "constrain/constrain.h"
#include "text/vocab.h"

struct entry {
    uint32_t at, id;
    uint16_t n;     // bytes, at most QN_TRIE_DEEP
    uint16_t chars; // of a plain token; 0: not plain
};

struct builder {
    const struct qn_allocator *allocator;
    struct qn_buf bytes;
    struct entry *entries, *other; // [n_ids], the second for sorting
    uint32_t *ranges;              // begin, end, depth of what is left to sort
    uint32_t n, n_ids;
};

static uint32_t plain_chars(struct qn_str s) {
    uint32_t n = 0;
    for (size_t at = 0; at < s.n; n++) {
        uint32_t c = qn_utf8_next(s, &at);
        if (c == QN_UTF8_INVALID || c < 0x20 || c == '"' || c == '\\')
            return 0;
    }
    return n;
}

static enum qn_status collect(struct builder *b, const struct qn_tokenizer *tokenizer,
                              struct qn_error *err) {
    for (uint32_t id = 0; id < b->n_ids; id++) {
        size_t at = b->bytes.n;
        if (qn_tokenizer_is_special(tokenizer, id) || qn_tokenizer_token(tokenizer, id).n == 0)
            continue;
        if (qn_tokenizer_bytes(tokenizer, &b->bytes, id) != QN_OK || b->bytes.n > UINT32_MAX)
            return qn_fail(err, QN_E_NO_MEMORY, "the vocabulary as a trie");
        struct qn_str s = qn_str_slice(qn_buf_view(&b->bytes), at, b->bytes.n);
        if (s.n == 0 || s.n > QN_TRIE_DEEP || memchr(s.p, 0xff, s.n)) { // 0xff is in no text
            b->bytes.n = at;
            continue;
        }
        b->entries[b->n++] =
            (struct entry){(uint32_t)at, id, (uint16_t)s.n, (uint16_t)plain_chars(s)};
    }
    return QN_OK;
}

static uint32_t key_at(const struct builder *b, const struct entry *e, uint32_t depth) {
    if (depth == 0)
        return e->chars > 0; // careful ones first
    return depth > e->n ? 0 : 1u + (unsigned char)b->bytes.p[e->at + depth - 1];
}

static int order(const struct builder *b, const struct entry *x, const struct entry *y,
                 uint32_t depth) {
    for (;; depth++) {
        uint32_t kx = key_at(b, x, depth), ky = key_at(b, y, depth);
        if (kx != ky || (depth > 0 && kx == 0))
            return kx < ky ? -1 : kx > ky;
    }
}

/* Radix sort from the first byte on; short ranges by insertion. Equal strings keep their order. */
static void sort(struct builder *b) {
    uint32_t n_ranges = 1;
    b->ranges[0] = 0;
    b->ranges[1] = b->n;
    b->ranges[2] = 0;
    while (n_ranges > 0) {
        n_ranges--;
        uint32_t begin = b->ranges[n_ranges * 3], end = b->ranges[n_ranges * 3 + 1];
        uint32_t depth = b->ranges[n_ranges * 3 + 2], starts[258] = {0};
        if (end - begin < 32) {
            for (uint32_t i = begin + 1; i < end; i++) {
                struct entry e = b->entries[i];
                uint32_t j = i;
                for (; j > begin && order(b, &b->entries[j - 1], &e, depth) > 0; j--)
                    b->entries[j] = b->entries[j - 1];
                b->entries[j] = e;
            }
            continue;
        }
        for (uint32_t i = begin; i < end; i++)
            starts[key_at(b, &b->entries[i], depth) + 1]++;
        for (uint32_t k = 0; k < 257; k++)
            starts[k + 1] += starts[k];
        for (uint32_t k = depth > 0; k < 257; k++) { // key 0 behind the first: all ended
            if (starts[k + 1] - starts[k] < 2)
                continue;
            b->ranges[n_ranges * 3] = begin + starts[k];
            b->ranges[n_ranges * 3 + 1] = begin + starts[k + 1];
            b->ranges[n_ranges * 3 + 2] = depth + 1;
            n_ranges++;
        }
        memcpy(b->other, b->entries + begin, (end - begin) * sizeof *b->other);
        for (uint32_t i = 0; i < end - begin; i++)
            b->entries[begin + starts[key_at(b, &b->other[i], depth)]++] = b->other[i];
    }
}

/* Bytes that two neighbours share; none across the border between the two kinds. */
static uint32_t shared(const struct builder *b, const struct entry *x, const struct entry *y) {
    uint32_t n = 0;
    while ((x->chars > 0) == (y->chars > 0) && n < x->n && n < y->n &&
           b->bytes.p[x->at + n] == b->bytes.p[y->at + n])
        n++;
    return n;
}

static void put_nodes(struct qn_vocab_trie *trie, const struct builder *b) {
    uint32_t open[QN_TRIE_DEEP + 1], depth = 0, n = 0;
    trie->n_careful = UINT32_MAX;
    for (uint32_t i = 0; i <= b->n; i++) {
        const struct entry *e = &b->entries[i];
        uint32_t same = i > 0 && i < b->n ? shared(b, e - 1, e) : 0;
        while (depth > same) // these subtrees are complete
            trie->links[open[--depth]] |= n << 8;
        if (i == b->n)
            break;
        if (e->chars > 0 && trie->n_careful == UINT32_MAX)
            trie->n_careful = n;
        if (same == e->n) { // the string of the token before
            trie->twins[trie->n_twins * 2] = trie->tokens[n - 1];
            trie->twins[trie->n_twins++ * 2 + 1] = e->id;
            continue;
        }
        for (; depth < e->n; n++) {
            trie->links[n] = (unsigned char)b->bytes.p[e->at + depth];
            trie->tokens[n] = QN_ID_NONE;
            trie->depths[n] = (uint8_t)depth;
            open[depth++] = n;
        }
        trie->tokens[n - 1] = e->id;
    }
    if (trie->n_careful == UINT32_MAX)
        trie->n_careful = n;
}

static void put_plain(struct qn_vocab_trie *trie, const struct builder *b) {
    uint32_t starts[QN_TRIE_DEEP + 2] = {0}; // of the pairs of a length
    for (uint32_t i = 0; i < b->n; i++) {
        uint32_t chars = b->entries[i].chars, id = b->entries[i].id;
        for (uint32_t k = chars; k > 0 && k <= QN_TRIE_LENGTHS; k++)
            trie->plain[(k - 1) * trie->n_words + id / 32] |= 1u << (id & 31);
        starts[chars + 1] += chars > QN_TRIE_LENGTHS;
    }
    for (uint32_t k = 0; k <= QN_TRIE_DEEP; k++)
        starts[k + 1] += starts[k];
    for (uint32_t i = 0; i < b->n; i++) {
        uint32_t chars = b->entries[i].chars;
        if (chars > QN_TRIE_LENGTHS) {
            uint32_t *pair = trie->longer + (size_t)starts[chars]++ * 2;
            pair[0] = chars;
            pair[1] = b->entries[i].id;
        }
    }
}

static uint32_t *words_new(struct qn_vocab_trie *trie, size_t n) {
    uint32_t *p = qn_mem_alloc(trie->allocator, n * sizeof *p);
    if (p)
        memset(p, 0, n * sizeof *p);
    return p;
}

static enum qn_status build(struct qn_vocab_trie *trie, struct builder *b, struct qn_error *err) {
    uint32_t twins = 0, longer = 0;
    size_t nodes = 0;
    b->entries = qn_mem_alloc(b->allocator, ((size_t)b->n_ids + 1) * sizeof *b->entries);
    b->other = qn_mem_alloc(b->allocator, ((size_t)b->n_ids + 1) * sizeof *b->other);
    b->ranges = qn_mem_alloc(b->allocator, ((size_t)b->n_ids + 2) * 3 * sizeof *b->ranges);
    if (!b->entries || !b->other || !b->ranges)
        return qn_fail(err, QN_E_NO_MEMORY, "the vocabulary as a trie");
    QN_TRY(collect(b, trie->tokenizer, err));
    sort(b);
    for (uint32_t i = 0; i < b->n; i++) {
        uint32_t same = i > 0 ? shared(b, &b->entries[i - 1], &b->entries[i]) : 0;
        nodes += b->entries[i].n - same;
        twins += b->entries[i].n == same;
        longer += b->entries[i].chars > QN_TRIE_LENGTHS;
    }
    if (nodes >= 1u << 24)
        return qn_fail(err, QN_E_LIMIT, "a vocabulary of %zu bytes, to constrain output", nodes);
    trie->n_words = qn_ceil_div_u32(trie->n_ids, 32);
    trie->n_nodes = (uint32_t)nodes;
    trie->links = words_new(trie, nodes);
    trie->tokens = words_new(trie, nodes);
    trie->depths = qn_mem_alloc(trie->allocator, nodes);
    trie->twins = words_new(trie, twins * (size_t)2);
    trie->longer = words_new(trie, longer * (size_t)2);
    trie->plain = words_new(trie, (size_t)QN_TRIE_LENGTHS * trie->n_words);
    trie->n_twins = twins;
    trie->n_longer = longer;
    if (!trie->links || !trie->tokens || !trie->depths || !trie->twins || !trie->longer ||
        !trie->plain)
        return qn_fail(err, QN_E_NO_MEMORY, "the vocabulary as a trie");
    trie->n_twins = 0; // counted again
    put_nodes(trie, b);
    put_plain(trie, b);
    return QN_OK;
}

enum qn_status qn_vocab_trie_build(struct qn_vocab_trie *trie, const struct qn_allocator *allocator,
                                   const struct qn_tokenizer *tokenizer, struct qn_error *err) {
    struct builder b = {.allocator = allocator, .n_ids = qn_tokenizer_size(tokenizer)};
    *trie =
        (struct qn_vocab_trie){.allocator = allocator, .tokenizer = tokenizer, .n_ids = b.n_ids};
    qn_buf_init(&b.bytes, allocator);
    enum qn_status status = build(trie, &b, err);
    qn_mem_free(allocator, b.entries, ((size_t)b.n_ids + 1) * sizeof *b.entries);
    qn_mem_free(allocator, b.other, ((size_t)b.n_ids + 1) * sizeof *b.other);
    qn_mem_free(allocator, b.ranges, ((size_t)b.n_ids + 2) * 3 * sizeof *b.ranges);
    qn_buf_free(&b.bytes);
    if (status != QN_OK)
        qn_vocab_trie_free(trie);
    return status;
}

void qn_vocab_trie_free(struct qn_vocab_trie *trie) {
    const struct qn_allocator *a = trie->allocator;
    if (a == NULL)
        return;
    qn_mem_free(a, trie->links, trie->n_nodes * sizeof(uint32_t));
    qn_mem_free(a, trie->tokens, trie->n_nodes * sizeof(uint32_t));
    qn_mem_free(a, trie->depths, trie->n_nodes);
    qn_mem_free(a, trie->twins, trie->n_twins * (size_t)2 * sizeof(uint32_t));
    qn_mem_free(a, trie->longer, trie->n_longer * (size_t)2 * sizeof(uint32_t));
    qn_mem_free(a, trie->plain, (size_t)QN_TRIE_LENGTHS * trie->n_words * sizeof(uint32_t));
    *trie = (struct qn_vocab_trie){0};
}
