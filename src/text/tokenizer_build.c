/* What all readers of tokenizers share: building the vocabulary and checking the steps. */
#include "text/tokenizer_impl.h"

#define STEP_ADDER(name, type, list, count)                                                       \
    enum qn_status name(struct qn_tokenizer *t, struct type step, struct qn_error *err) {         \
        if (t->count == QN_MAX_STEPS)                                                             \
            return qn_fail(err, QN_E_LIMIT, "more than %d steps in the tokenizer", QN_MAX_STEPS); \
        t->list[t->count++] = step;                                                               \
        return QN_OK;                                                                             \
    }

STEP_ADDER(qn_tokenizer_add_pretok, qn_pretok, pretoks, n_pretoks)
STEP_ADDER(qn_tokenizer_add_decoder, qn_decoder, decoders, n_decoders)
STEP_ADDER(qn_tokenizer_add_normalizer, qn_normalizer, normalizers, n_normalizers)

enum qn_status qn_tokenizer_config_tokens(struct qn_token_entry **out, uint32_t *n,
                                          struct qn_arena *scratch, struct qn_json_value added,
                                          struct qn_error *err) {
    static const struct {
        const char *key;
        uint32_t flag;
    } flags[] = {
        {"special", QN_ADDED_SPECIAL},       {"lstrip", QN_ADDED_LSTRIP},
        {"rstrip", QN_ADDED_RSTRIP},         {"single_word", QN_ADDED_SINGLE_WORD},
        {"normalized", QN_ADDED_NORMALIZED},
    };
    struct qn_json_iter it = qn_json_iterate(added);
    *n = 0;
    *out = QN_ARENA_NEW(scratch, struct qn_token_entry, qn_json_count(added));
    if (!*out)
        return qn_fail(err, QN_E_NO_MEMORY, "added_tokens_decoder");
    while (qn_json_type(added) == QN_JSON_OBJECT && qn_json_each(&it)) {
        struct qn_token_entry *e = &(*out)[(*n)++];
        uint64_t id;
        if (!qn_str_to_u64(&id, qn_json_raw(it.key)) || !qn_u64_to_u32(&e->id, id) ||
            !qn_json_string(&e->s, scratch, qn_json_get(it.value, "content")))
            return qn_fail(err, QN_E_TOKENIZER, "added_tokens_decoder of tokenizer_config.json");
        for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
            bool set = false;
            qn_json_bool(&set, qn_json_get(it.value, flags[i].key));
            e->added |= set ? flags[i].flag : 0;
        }
        e->flags = QN_TOKEN_ADDED | (e->added & QN_ADDED_SPECIAL ? QN_TOKEN_SPECIAL : 0u);
    }
    return QN_OK;
}

static enum qn_status set_entry(struct qn_tokenizer *t, const struct qn_token_entry *e,
                                struct qn_added_token *tokens, uint32_t *n_tokens,
                                struct qn_error *err) {
    uint32_t id = e->id;
    if (e->flags & QN_TOKEN_ADDED) {
        uint32_t known = qn_vocab_find(&t->vocab, e->s.p, e->s.n);
        if (known != QN_ID_NONE) {
            id = known;
            t->vocab.tokens[id].bytes |= e->flags << 24;
        } else {
            QN_TRY(qn_vocab_set(&t->vocab, id, e->s, e->flags, err));
        }
        tokens[*n_tokens] = (struct qn_added_token){
            .content = qn_vocab_str(&t->vocab, id), .id = id, .flags = e->added};
        ++*n_tokens;
        return QN_OK;
    }
    return qn_vocab_set(&t->vocab, id, e->s, e->flags, err);
}

/* Splits the added tokens into those matched before and after normalisation. */
static enum qn_status build_added(struct qn_tokenizer *t, struct qn_arena *arena,
                                  struct qn_added_token *tokens, uint32_t n, struct qn_error *err) {
    uint32_t n_normalized = 0, n_raw = 0;
    for (uint32_t i = 0; i < n; i++)
        n_normalized += (tokens[i].flags & QN_ADDED_NORMALIZED) != 0;
    struct qn_added_token *after = QN_ARENA_NEW(arena, struct qn_added_token, n_normalized);
    if (!after)
        return qn_fail(err, QN_E_NO_MEMORY, "%u added tokens", n);
    n_normalized = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (tokens[i].flags & QN_ADDED_NORMALIZED)
            after[n_normalized++] = tokens[i];
        else
            tokens[n_raw++] = tokens[i];
    }
    QN_TRY(qn_added_init(&t->added, tokens, n_raw, err));
    return qn_added_init(&t->added_normalized, after, n_normalized, err);
}

enum qn_status qn_tokenizer_build_vocab(struct qn_tokenizer *t, struct qn_arena *arena,
                                        const struct qn_token_entry *entries, uint32_t n,
                                        uint64_t max_id, struct qn_error *err) {
    uint32_t size = 0, n_added = 0, n_tokens = 0;
    size_t n_bytes = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (entries[i].id > max_id || entries[i].id >= 1u << 28)
            return qn_fail(err, QN_E_TOKENIZER, "token \"%.*s\" has id %u",
                           QN_STR_ARG(entries[i].s), entries[i].id);
        size = qn_max_u32(size, entries[i].id + 1);
        n_added += (entries[i].flags & QN_TOKEN_ADDED) != 0;
        if (!qn_add_size(&n_bytes, n_bytes, entries[i].s.n))
            return qn_fail(err, QN_E_LIMIT, "vocabulary of %u tokens", n);
    }
    QN_TRY(qn_vocab_init(&t->vocab, arena, size, n, n_bytes, err));
    struct qn_added_token *tokens = QN_ARENA_NEW(arena, struct qn_added_token, n_added);
    if (!tokens)
        return qn_fail(err, QN_E_NO_MEMORY, "%u added tokens", n_added);
    for (uint32_t i = 0; i < n; i++)
        QN_TRY(set_entry(t, &entries[i], tokens, &n_tokens, err));
    t->bpe.vocab = &t->vocab;
    return build_added(t, arena, tokens, n_tokens, err);
}

/* Added tokens that are matched after normalisation are themselves normalised. */
static enum qn_status normalize_added(struct qn_tokenizer *t, struct qn_arena *arena,
                                      struct qn_error *err) {
    struct qn_added *added = &t->added_normalized;
    struct qn_normalize_scratch scratch;
    enum qn_status status = QN_OK;
    if (t->n_normalizers == 0 || added->n == 0)
        return QN_OK;
    qn_normalize_scratch_init(&scratch, arena->allocator);
    for (uint32_t i = 0; status == QN_OK && i < added->n; i++) {
        struct qn_marked content = {.text = added->list[i].content};
        status = qn_normalize(&content, &scratch, t->normalizers, t->n_normalizers, content, err);
        if (status != QN_OK || content.text.p == added->list[i].content.p)
            continue;
        added->list[i].content = qn_str_copy(arena, content.text);
        if (!added->list[i].content.p)
            status = qn_fail(err, QN_E_NO_MEMORY, "added token %u", added->list[i].id);
    }
    qn_normalize_scratch_free(&scratch);
    QN_TRY(status);
    return qn_added_init(added, added->list, added->n, err);
}

static bool has_word_mark(struct qn_str s, size_t at) {
    return s.n - at >= 3 && memcmp(s.p + at, "\xe2\x96\x81", 3) == 0;
}

/* Without a pre-tokenizer a whole text is one word. It may still be cut before every U+2581 that no
 * token has behind the byte there: merges cannot cross, so the ids stay the same. */
static enum qn_status add_word_cut(struct qn_tokenizer *t, struct qn_arena *arena,
                                   struct qn_error *err) {
    uint32_t mark = qn_vocab_find(&t->vocab, "\xe2\x96\x81", 3);
    bool bpe = t->model == QN_MODEL_BPE && !t->bpe.byte_level && !t->bpe.ignore_merges &&
               t->bpe.prefix.n == 0 && t->bpe.suffix.n == 0;
    bool unigram = t->model == QN_MODEL_UNIGRAM && t->n_pretoks == 0;
    if ((!bpe && !unigram) || mark == QN_ID_NONE || t->n_pretoks == QN_MAX_STEPS ||
        (qn_vocab_flags(&t->vocab, mark) & (QN_TOKEN_SPECIAL | QN_TOKEN_HIDDEN)))
        return QN_OK;
    t->cut = QN_ARENA_NEW(arena, unsigned char, 256);
    if (!t->cut)
        return qn_fail(err, QN_E_NO_MEMORY, "tokenizer");
    for (uint32_t id = 0; id < t->vocab.size; id++) {
        struct qn_str s = qn_vocab_str(&t->vocab, id);
        for (size_t i = 1; i + 3 <= s.n; i++) {
            if (has_word_mark(s, i) && !(i >= 3 && has_word_mark(s, i - 3)))
                t->cut[(unsigned char)s.p[i - 1]] = 1;
        }
    }
    return qn_tokenizer_add_pretok(
        t, (struct qn_pretok){.kind = QN_SPLIT_WORD_MARK, .bad_before = t->cut}, err);
}

enum qn_status qn_tokenizer_build_finish(struct qn_tokenizer *t, struct qn_arena *arena,
                                         struct qn_error *err) {
    QN_TRY(normalize_added(t, arena, err));
    t->bpe.longest = 0;
    for (uint32_t id = 0; id < t->vocab.size; id++)
        t->bpe.longest = qn_max_u32(t->bpe.longest, t->vocab.tokens[id].bytes & QN_TOKEN_MAX_BYTES);
    return add_word_cut(t, arena, err);
}

enum qn_status qn_tokenizer_set_unigram(struct qn_tokenizer *t, struct qn_arena *arena,
                                        const double *scores, uint32_t n, uint32_t unk,
                                        struct qn_error *err) {
    struct qn_unigram *u = &t->unigram;
    double lowest = 0;
    t->model = QN_MODEL_UNIGRAM;
    double *copy = QN_ARENA_NEW(arena, double, t->vocab.size);
    if (!copy)
        return qn_fail(err, QN_E_NO_MEMORY, "%u scores", n);
    for (uint32_t i = 0; i < n; i++) {
        if (!(scores[i] >= -1e30 && scores[i] <= 1e30))
            return qn_fail(err, QN_E_TOKENIZER, "token %u has the score %g", i, scores[i]);
        lowest = i == 0 || scores[i] < lowest ? scores[i] : lowest;
        if (i < t->vocab.size)
            copy[i] = scores[i];
    }
    u->scores = copy;
    u->unk_score = lowest - 10;
    u->unk = unk;
    t->bpe.byte_level = false;
    QN_TRY(qn_bpe_bytes_init(&t->bpe, err));
    memcpy(u->bytes, t->bpe.bytes, sizeof u->bytes);
    return qn_lexicon_init(&u->lexicon, arena, &t->vocab, err);
}

enum qn_status qn_tokenizer_set_wordpiece(struct qn_tokenizer *t, struct qn_arena *arena,
                                          struct qn_str prefix, uint32_t max_chars, uint32_t unk,
                                          struct qn_error *err) {
    struct qn_wordpiece *w = &t->wordpiece;
    t->model = QN_MODEL_WORDPIECE;
    w->prefix = prefix;
    w->max_chars = max_chars;
    w->unk = unk;
    return qn_lexicon_init(&w->lexicon, arena, &t->vocab, err);
}

enum qn_status qn_tokenizer_add_bert(struct qn_tokenizer *t, bool clean, bool chinese,
                                     bool strip_accents, bool lower, struct qn_error *err) {
    const struct {
        bool wanted;
        enum qn_normalizer_kind kind;
    } steps[] = {
        {clean, QN_NORMALIZE_CLEAN},       {chinese, QN_NORMALIZE_CHINESE},
        {strip_accents, QN_NORMALIZE_NFD}, {strip_accents, QN_NORMALIZE_STRIP_NONSPACING},
        {lower, QN_NORMALIZE_LOWERCASE},
    };
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        if (steps[i].wanted)
            QN_TRY(
                qn_tokenizer_add_normalizer(t, (struct qn_normalizer){.kind = steps[i].kind}, err));
    }
    return QN_OK;
}

enum qn_status qn_tokenizer_add_bert_pretok(struct qn_tokenizer *t, struct qn_error *err) {
    QN_TRY(qn_tokenizer_add_pretok(
        t, (struct qn_pretok){.kind = QN_SPLIT_WHITESPACE, .behavior = QN_BEHAVIOR_REMOVED}, err));
    return qn_tokenizer_add_pretok(t, (struct qn_pretok){.kind = QN_SPLIT_PUNCTUATION}, err);
}

enum qn_status qn_tokenizer_frame(struct qn_tokenizer *t, struct qn_arena *arena,
                                  struct qn_frame frame, struct qn_error *err) {
    struct qn_template_item *items = QN_ARENA_NEW(arena, struct qn_template_item, 9);
    if (!items)
        return qn_fail(err, QN_E_NO_MEMORY, "tokenizer");
    uint32_t type = !frame.one_type, last = frame.last;
    uint32_t middle = frame.twice ? last : last == UINT32_MAX ? frame.first : UINT32_MAX;
    const struct qn_template_item all[] = {
        {.id = frame.first},
        {.kind = QN_ITEM_TEXT},
        {.id = last},
        {.id = middle, .type = frame.twice ? 0 : type},
        {.kind = QN_ITEM_SECOND, .type = type},
        {.id = last, .type = type},
    };
    t->single.items = items;
    t->pair.items = items + 3;
    for (uint32_t i = 0; i < 6; i++) {
        if (all[i].kind == QN_ITEM_TOKEN && all[i].id == UINT32_MAX)
            continue;
        if (i < 3)
            t->single.items[t->single.n++] = all[i];
        t->pair.items[t->pair.n++] = all[i];
    }
    return QN_OK;
}
