#include "text/lexicon.h"

#include <string.h>

#define MAX_PROBES 4096

static uint32_t hash_of(const struct qn_lexicon_walk *w) {
    return (uint32_t)((w->hash * 0x9e3779b97f4a7c15u) >> 32);
}

static bool is_open(const struct qn_vocab *v, uint32_t id) {
    uint32_t flags = qn_vocab_flags(v, id);
    return flags != 0 && !(flags & (QN_TOKEN_SPECIAL | QN_TOKEN_HIDDEN)) &&
           qn_vocab_str(v, id).n > 0;
}

static enum qn_status add(struct qn_lexicon *lexicon, uint32_t id, struct qn_error *err) {
    struct qn_str s = qn_vocab_str(lexicon->vocab, id);
    struct qn_lexicon_walk w;
    qn_lexicon_begin(&w);
    for (size_t i = 0; i < s.n; i++) {
        qn_lexicon_step(lexicon, &w, (unsigned char)s.p[i]);
        uint32_t bit = (uint32_t)w.hash & lexicon->filter_mask;
        lexicon->filter[bit >> 6] |= (uint64_t)1 << (bit & 63);
    }
    uint32_t hash = hash_of(&w), at = hash & lexicon->mask;
    for (uint32_t i = 0; i < MAX_PROBES; i++, at = (at + 1) & lexicon->mask) {
        struct qn_vocab_slot *slot = &lexicon->slots[at];
        if (slot->id == 0 ||
            (slot->hash == hash && qn_str_eq(qn_vocab_str(lexicon->vocab, slot->id - 1), s))) {
            *slot = (struct qn_vocab_slot){id + 1, hash};
            return QN_OK;
        }
    }
    return qn_fail(err, QN_E_TOKENIZER, "the vocabulary cannot be hashed at token %u", id);
}

enum qn_status qn_lexicon_init(struct qn_lexicon *lexicon, struct qn_arena *arena,
                               const struct qn_vocab *vocab, struct qn_error *err) {
    uint32_t n = 0, capacity = 16, bits = 64;
    size_t n_bytes = 0;
    for (uint32_t id = 0; id < vocab->size; id++) {
        struct qn_str s = qn_vocab_str(vocab, id);
        if (!is_open(vocab, id))
            continue;
        if (s.n > QN_LEXICON_LONGEST)
            return qn_fail(err, QN_E_TOKENIZER, "token %u is %zu bytes long", id, s.n);
        n++;
        n_bytes += s.n;
    }
    while (capacity < n + n / 2)
        capacity *= 2;
    while (bits < 1u << 30 && bits < 2 * n_bytes)
        bits *= 2;
    *lexicon = (struct qn_lexicon){.vocab = vocab, .mask = capacity - 1, .filter_mask = bits - 1};
    lexicon->slots = QN_ARENA_NEW(arena, struct qn_vocab_slot, capacity);
    lexicon->filter = QN_ARENA_NEW(arena, uint64_t, bits / 64);
    if (!lexicon->slots || !lexicon->filter)
        return qn_fail(err, QN_E_NO_MEMORY, "vocabulary of %u tokens", n);
    for (uint32_t id = 0; id < vocab->size; id++) {
        if (is_open(vocab, id))
            QN_TRY(add(lexicon, id, err));
    }
    return QN_OK;
}

uint32_t qn_lexicon_find(const struct qn_lexicon *lexicon, const struct qn_lexicon_walk *w,
                         struct qn_str prefix, const char *rest) {
    uint32_t hash = hash_of(w), at = hash & lexicon->mask;
    for (uint32_t i = 0; i < MAX_PROBES; i++, at = (at + 1) & lexicon->mask) {
        uint32_t slot = lexicon->slots[at].id;
        if (slot == 0)
            return QN_ID_NONE;
        if (lexicon->slots[at].hash != hash)
            continue;
        struct qn_str s = qn_vocab_str(lexicon->vocab, slot - 1);
        if (s.n == w->n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0) &&
            memcmp(s.p + prefix.n, rest, s.n - prefix.n) == 0)
            return slot - 1;
    }
    return QN_ID_NONE;
}
