#include "text/vocab.h"

#define MAX_PROBES 4096

enum qn_status qn_vocab_init(struct qn_vocab *v, struct qn_arena *arena, uint32_t size,
                             uint32_t n_strings, size_t n_bytes, struct qn_error *err) {
    uint32_t capacity = 16;
    if (n_bytes > UINT32_MAX - 1 || n_strings > 1u << 28)
        return qn_fail(err, QN_E_LIMIT, "vocabulary of %u strings, %zu bytes", n_strings, n_bytes);
    while (capacity < n_strings + n_strings / 2)
        capacity *= 2;
    *v = (struct qn_vocab){.size = size, .mask = capacity - 1, .text_capacity = n_bytes};
    v->tokens = QN_ARENA_NEW(arena, struct qn_vocab_token, size);
    v->slots = QN_ARENA_NEW(arena, struct qn_vocab_slot, capacity);
    v->text = QN_ARENA_NEW(arena, char, n_bytes);
    if (!v->tokens || !v->slots || !v->text)
        return qn_fail(err, QN_E_NO_MEMORY, "vocabulary of %u ids", size);
    return QN_OK;
}

enum qn_status qn_vocab_set(struct qn_vocab *v, uint32_t id, struct qn_str s, uint32_t flags,
                            struct qn_error *err) {
    if (id >= v->size || qn_vocab_flags(v, id) != 0)
        return qn_fail(err, QN_E_TOKENIZER, "two tokens have id %u, one is \"%.*s\"", id,
                       QN_STR_ARG(s));
    if (s.n > QN_TOKEN_MAX_BYTES || s.n > v->text_capacity - v->text_n)
        return qn_fail(err, QN_E_TOKENIZER, "token %u is %zu bytes long", id, s.n);
    if (s.n > 0)
        memcpy(v->text + v->text_n, s.p, s.n);
    v->tokens[id].at = (uint32_t)v->text_n;
    v->tokens[id].bytes = (uint32_t)s.n | (flags | QN_TOKEN_PRESENT) << 24;
    v->text_n += s.n;
    uint32_t hash = qn_hash_bytes(s.p, s.n), at = hash & v->mask;
    for (uint32_t i = 0; i < MAX_PROBES && i <= v->mask; i++, at = (at + 1) & v->mask) {
        struct qn_vocab_slot *slot = &v->slots[at];
        if (slot->id == 0 || (slot->hash == hash && qn_str_eq(qn_vocab_str(v, slot->id - 1), s))) {
            *slot = (struct qn_vocab_slot){id + 1, hash};
            return QN_OK;
        }
    }
    return qn_fail(err, QN_E_TOKENIZER, "the vocabulary cannot be hashed at token %u", id);
}

uint32_t qn_vocab_find(const struct qn_vocab *v, const char *p, size_t n) {
    uint32_t hash = qn_hash_bytes(p, n), at = hash & v->mask;
    for (uint32_t i = 0; i < MAX_PROBES && i <= v->mask; i++, at = (at + 1) & v->mask) {
        uint32_t slot = v->slots[at].id;
        if (slot == 0)
            return QN_ID_NONE;
        if (v->slots[at].hash != hash)
            continue;
        struct qn_vocab_token token = v->tokens[slot - 1];
        if ((token.bytes & QN_TOKEN_MAX_BYTES) == n &&
            (n == 0 || memcmp(v->text + token.at, p, n) == 0))
            return slot - 1;
    }
    return QN_ID_NONE;
}
