/* Reads tokenizer.json, the format of the tokenizers library: each part is a list of typed steps,
 * and each type is a row of a table here. What has no row is refused by its name. */
#include "text/tokenizer_json.h"

#define MAX_DEPTH 8 // of Sequence in Sequence

static enum qn_status read_step(struct qn_json_reader *r, const struct qn_json_part *part,
                                struct qn_json_value step, uint32_t depth) {
    if (qn_json_type(step) == QN_JSON_NULL)
        return QN_OK;
    struct qn_json_value type = qn_json_get(step, "type");
    if (qn_json_string_is(type, "Sequence") && depth < MAX_DEPTH) {
        struct qn_json_iter it = qn_json_iterate(qn_json_get(step, part->list));
        while (qn_json_each(&it))
            QN_TRY(read_step(r, part, it.value, depth + 1));
        return QN_OK;
    }
    for (size_t i = 0; i < part->n_rows; i++) {
        if (qn_json_string_is(type, part->rows[i].type))
            return part->rows[i].read ? part->rows[i].read(r, step) : QN_OK;
    }
    struct qn_str name = qn_json_raw(type);
    return qn_fail(r->err, QN_E_UNSUPPORTED, "%s \"%.*s\" in tokenizer.json", part->what,
                   QN_STR_ARG(name));
}

/* Models. */

/* "a b". Tokens that hold spaces themselves make it ambiguous: the first cut into two tokens
 * counts. */
static bool cut_merge(const struct qn_vocab *v, struct qn_str s, struct qn_str *left,
                      struct qn_str *right) {
    size_t at = qn_str_find(s, QN_STR(" "), 0);
    bool single = at != SIZE_MAX && qn_str_find(s, QN_STR(" "), at + 1) == SIZE_MAX;
    for (; at != SIZE_MAX; at = qn_str_find(s, QN_STR(" "), at + 1)) {
        *left = qn_str_slice(s, 0, at);
        *right = qn_str_slice(s, at + 1, s.n);
        if (single || (qn_vocab_find(v, left->p, left->n) != QN_ID_NONE &&
                       qn_vocab_find(v, right->p, right->n) != QN_ID_NONE))
            return true;
    }
    return false;
}

/* One merge, "a b" or ["a", "b"]. */
static enum qn_status read_merge(struct qn_json_reader *r, uint32_t rank,
                                 struct qn_json_value value) {
    struct qn_str left, right;
    if (qn_json_type(value) == QN_JSON_STRING) {
        struct qn_str s;
        if (!qn_json_string(&s, r->scratch, value))
            return qn_json_no_memory(r);
        if (s.n > 1024 || !cut_merge(&r->t->vocab, s, &left, &right))
            return qn_fail(r->err, QN_E_TOKENIZER, "merge %u, \"%.*s\", is no pair", rank,
                           QN_STR_ARG(s));
    } else {
        struct qn_json_iter it = qn_json_iterate(value);
        if (qn_json_count(value) != 2 || !qn_json_each(&it) ||
            !qn_json_string(&left, r->scratch, it.value) || !qn_json_each(&it) ||
            !qn_json_string(&right, r->scratch, it.value))
            return qn_fail(r->err, QN_E_TOKENIZER, "merge %u is no pair of strings", rank);
    }
    return qn_bpe_merges_add(&r->t->bpe, rank, left, right, r->err);
}

/* The token named by a member of the model, or QN_ID_NONE. */
static enum qn_status read_unk(struct qn_json_reader *r, uint32_t *out,
                               struct qn_json_value model) {
    struct qn_json_value unk = qn_json_get(model, "unk_token");
    struct qn_str s;
    *out = QN_ID_NONE;
    if (qn_json_type(unk) != QN_JSON_STRING)
        return QN_OK;
    if (!qn_json_string(&s, r->scratch, unk))
        return qn_json_no_memory(r);
    *out = qn_vocab_find(&r->t->vocab, s.p, s.n);
    return QN_OK;
}

static enum qn_status read_affix(struct qn_json_reader *r, struct qn_str *out,
                                 struct qn_json_value model, const char *key) {
    struct qn_json_value value = qn_json_get(model, key);
    if (qn_json_type(value) == QN_JSON_STRING)
        QN_TRY(qn_json_read_string(r, out, value, key));
    if (out->n > QN_BPE_AFFIX)
        return qn_fail(r->err, QN_E_TOKENIZER, "%s of %zu bytes", key, out->n);
    return QN_OK;
}

static enum qn_status read_bpe(struct qn_json_reader *r, struct qn_json_value model) {
    struct qn_bpe *bpe = &r->t->bpe;
    struct qn_json_value merges = qn_json_get(model, "merges");
    QN_TRY(read_affix(r, &bpe->prefix, model, "continuing_subword_prefix"));
    QN_TRY(read_affix(r, &bpe->suffix, model, "end_of_word_suffix"));
    bpe->ignore_merges = qn_json_flag(model, "ignore_merges", false);
    bpe->byte_fallback = qn_json_flag(model, "byte_fallback", false);
    bpe->fuse_unk = qn_json_flag(model, "fuse_unk", false);
    QN_TRY(read_unk(r, &bpe->unk, model));
    QN_TRY(qn_bpe_bytes_init(bpe, r->err));
    QN_TRY(qn_bpe_merges_init(bpe, r->arena, qn_json_count(merges), r->err));
    struct qn_json_iter it = qn_json_iterate(merges);
    for (uint32_t rank = 0; qn_json_each(&it); rank++)
        QN_TRY(read_merge(r, rank, it.value));
    return QN_OK;
}

static enum qn_status read_unigram(struct qn_json_reader *r, struct qn_json_value model) {
    struct qn_json_value vocab = qn_json_get(model, "vocab");
    uint32_t n = qn_json_count(vocab), unk = QN_ID_NONE, i = 0;
    double *scores = QN_ARENA_NEW(r->scratch, double, n);
    if (!scores)
        return qn_json_no_memory(r);
    struct qn_json_iter it = qn_json_iterate(vocab);
    while (qn_json_each(&it)) {
        struct qn_json_iter pair = qn_json_iterate(it.value);
        if (!qn_json_each(&pair) || !qn_json_each(&pair) || !qn_json_f64(&scores[i++], pair.value))
            return qn_fail(r->err, QN_E_TOKENIZER, "token %u has no score", i);
    }
    if (qn_json_u32(&unk, qn_json_get(model, "unk_id")) && qn_vocab_flags(&r->t->vocab, unk) == 0)
        return qn_fail(r->err, QN_E_TOKENIZER, "unk_id %u is no token", unk);
    r->t->unigram.byte_fallback = qn_json_flag(model, "byte_fallback", false);
    return qn_tokenizer_set_unigram(r->t, r->arena, scores, n, unk, r->err);
}

static enum qn_status read_wordpiece(struct qn_json_reader *r, struct qn_json_value model) {
    struct qn_str prefix = QN_STR("##");
    uint32_t unk, max_chars = 100;
    QN_TRY(read_affix(r, &prefix, model, "continuing_subword_prefix"));
    QN_TRY(read_unk(r, &unk, model));
    qn_json_u32(&max_chars, qn_json_get(model, "max_input_chars_per_word"));
    return qn_tokenizer_set_wordpiece(r->t, r->arena, prefix, max_chars, unk, r->err);
}

static enum qn_status read_wordlevel(struct qn_json_reader *r, struct qn_json_value model) {
    r->t->model = QN_MODEL_WORDLEVEL;
    return read_unk(r, &r->t->unk, model);
}

/* Types of models. Files of old name none: what only one of them has tells it. */
static const struct {
    const char *type, *member;
    enum qn_json_type vocab, member_type;
    qn_json_step_fn *read;
} models[] = {
    {"BPE", "merges", QN_JSON_OBJECT, QN_JSON_ARRAY, read_bpe},
    {"Unigram", "vocab", QN_JSON_ARRAY, QN_JSON_ARRAY, read_unigram},
    {"WordPiece", "max_input_chars_per_word", QN_JSON_OBJECT, QN_JSON_NUMBER, read_wordpiece},
    {"WordLevel", "unk_token", QN_JSON_OBJECT, QN_JSON_STRING, read_wordlevel},
};

#define N_MODELS (sizeof models / sizeof models[0])

static enum qn_status find_model(size_t *out, struct qn_json_value model, struct qn_error *err) {
    struct qn_json_value type = qn_json_get(model, "type");
    for (*out = 0; *out < N_MODELS; ++*out) {
        if (qn_json_exists(type)
                ? qn_json_string_is(type, models[*out].type)
                : qn_json_type(qn_json_get(model, models[*out].member)) == models[*out].member_type)
            break;
    }
    if (*out == N_MODELS) {
        struct qn_str name = qn_json_raw(type);
        return qn_fail(err, qn_json_exists(model) ? QN_E_UNSUPPORTED : QN_E_TOKENIZER,
                       "model \"%.*s\" in tokenizer.json", QN_STR_ARG(name));
    }
    if (qn_json_type(qn_json_get(model, "vocab")) != models[*out].vocab)
        return qn_fail(err, QN_E_TOKENIZER, "tokenizer.json has no vocabulary");
    return QN_OK;
}

static enum qn_status read_vocab(struct qn_json_reader *r, struct qn_json_value vocab,
                                 struct qn_json_value added, uint64_t max_id) {
    uint32_t n = qn_json_count(vocab), n_added = qn_json_count(added), i = 0;
    struct qn_token_entry *entries =
        QN_ARENA_NEW(r->scratch, struct qn_token_entry, (size_t)n + n_added);
    if (!entries)
        return qn_json_no_memory(r);
    struct qn_json_iter it = qn_json_iterate(vocab);
    bool pairs = qn_json_type(vocab) == QN_JSON_ARRAY; // [token, score], … in the order of ids
    while (qn_json_each(&it)) {
        struct qn_token_entry *e = &entries[i];
        struct qn_json_value key = it.key;
        if (pairs) {
            struct qn_json_iter parts = qn_json_iterate(it.value);
            e->id = i;
            if (!qn_json_each(&parts) || qn_json_type(parts.value) != QN_JSON_STRING)
                return qn_fail(r->err, QN_E_TOKENIZER, "token %u is no pair", i);
            key = parts.value;
        } else if (!qn_json_u32(&e->id, it.value)) {
            return qn_fail(r->err, QN_E_TOKENIZER, "an id in the vocabulary is no whole number");
        }
        if (!qn_json_string(&e->s, r->scratch, key))
            return qn_json_no_memory(r);
        i++;
    }
    it = qn_json_iterate(added);
    while (qn_json_each(&it)) {
        struct qn_token_entry *e = &entries[i++];
        struct qn_json_value v = it.value;
        if (!qn_json_u32(&e->id, qn_json_get(v, "id")) ||
            !qn_json_string(&e->s, r->scratch, qn_json_get(v, "content")))
            return qn_fail(r->err, QN_E_TOKENIZER, "an added token without id or content");
        bool special = qn_json_flag(v, "special", false);
        e->flags = QN_TOKEN_ADDED | (special ? QN_TOKEN_SPECIAL : 0u);
        e->added = (special ? QN_ADDED_SPECIAL : 0u) |
                   (qn_json_flag(v, "lstrip", false) ? QN_ADDED_LSTRIP : 0u) |
                   (qn_json_flag(v, "rstrip", false) ? QN_ADDED_RSTRIP : 0u) |
                   (qn_json_flag(v, "single_word", false) ? QN_ADDED_SINGLE_WORD : 0u) |
                   (qn_json_flag(v, "normalized", !special) ? QN_ADDED_NORMALIZED : 0u);
    }
    return qn_tokenizer_build_vocab(r->t, r->arena, entries, i, max_id, r->err);
}

enum qn_status qn_tokenizer_read_json(struct qn_tokenizer **out, struct qn_arena *arena,
                                      struct qn_arena *scratch, struct qn_str text,
                                      struct qn_error *err) {
    const struct qn_json_part *const parts[] = {&qn_json_normalizer_part, &qn_json_pretok_part,
                                                &qn_json_post_part, &qn_json_decoder_part};
    struct qn_json json;
    struct qn_json_reader r = {.arena = arena, .scratch = scratch, .err = err};
    size_t kind;
    QN_TRY(qn_json_parse(&json, scratch, text, err));
    struct qn_json_value root = qn_json_root(&json), model = qn_json_get(root, "model");
    QN_TRY(find_model(&kind, model, err));
    r.t = QN_ARENA_NEW(arena, struct qn_tokenizer, 1);
    if (!r.t)
        return qn_json_no_memory(&r);
    r.t->bos = r.t->eos = UINT32_MAX;
    /* An id beyond the bytes of the file would make a vocabulary of holes. */
    QN_TRY(read_vocab(&r, qn_json_get(model, "vocab"), qn_json_get(root, "added_tokens"), text.n));
    for (size_t i = 0; i < 4; i++)
        QN_TRY(read_step(&r, parts[i], qn_json_get(root, parts[i]->what), 0));
    r.t->join_with_space = qn_json_type(qn_json_get(root, "decoder")) == QN_JSON_NULL;
    if (r.t->bpe.byte_level && models[kind].read != read_bpe)
        return qn_fail(err, QN_E_UNSUPPORTED, "ByteLevel before a %s model", models[kind].type);
    QN_TRY(models[kind].read(&r, model));
    QN_TRY(qn_tokenizer_build_finish(r.t, arena, err));
    *out = r.t;
    return QN_OK;
}
