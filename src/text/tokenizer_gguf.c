/* Reads the tokenizer in GGUF metadata: `tokenizer.ggml.model` "gpt2" (byte-level BPE by merges),
 * "gemma4" (BPE by merges over U+2581 for spaces), "llama" (SentencePiece BPE by scores), "t5"
 * (Unigram) and "bert" (WordPiece). */
#include "text/tokenizer_impl.h"

/* Values of tokenizer.ggml.token_type. */
enum {
    TYPE_NORMAL = 1,
    TYPE_UNKNOWN = 2,
    TYPE_CONTROL = 3,
    TYPE_USER = 4,
    TYPE_UNUSED = 5,
    TYPE_BYTE = 6,
};

struct source {
    const struct qn_directory *directory;
    const struct qn_files *files;
    struct qn_arena *arena, *scratch;
    struct qn_error *err;
    uint32_t n; // tokens
    bool raw;   // model "gemma4"
};

static const struct qn_gguf_kv *find_array(const struct source *s, const char *key) {
    const struct qn_gguf_kv *kv = qn_gguf_find(s->directory, key);
    return kv && kv->type == QN_GGUF_ARRAY ? kv : NULL;
}

/* Special tokens of Phi-3 take the white space behind them, which the format has no field for. */
static bool strips_right(const struct source *s, struct qn_str token) {
    struct qn_str architecture;
    return qn_gguf_str(&architecture, s->directory, "general.architecture") &&
           qn_str_is(architecture, "phi3") && !qn_str_is(token, "<unk>") &&
           !qn_str_is(token, "<s>") && !qn_str_is(token, "<|endoftext|>");
}

/* Tokens that frame chat turns. Some converters write them as user-defined or even normal ones,
 * which would let a user's text end a turn; they are control tokens whatever the file says. */
static bool frames_turns(struct qn_str token) {
    static const char *const names[] = {
        "<|im_start|>",
        "<|im_end|>",
        "<|endoftext|>",
        "<start_of_turn>",
        "<end_of_turn>",
        "<|eot_id|>",
        "<|eom_id|>",
        "<|start_header_id|>",
        "<|end_header_id|>",
        "<|begin_of_text|>",
        "<|end_of_text|>",
        "<|system|>",
        "<|user|>",
        "<|assistant|>",
        "<|end|>",
        "<|EOT|>",
        "<\xef\xbd\x9c"
        "begin\xe2\x96\x81of\xe2\x96\x81sentence\xef\xbd\x9c>",
        "<\xef\xbd\x9c"
        "end\xe2\x96\x81of\xe2\x96\x81sentence\xef\xbd\x9c>",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (qn_str_is(token, names[i]))
            return true;
    }
    return false;
}

static enum qn_status read_vocab(struct qn_tokenizer *t, struct source *s, bool spm) {
    const struct qn_gguf_kv *kv = find_array(s, "tokenizer.ggml.tokens");
    const struct qn_gguf_kv *types_kv = find_array(s, "tokenizer.ggml.token_type");
    struct qn_str *tokens;
    int64_t *types = NULL;
    if (!kv)
        return qn_fail(s->err, QN_E_TOKENIZER, "tokenizer.ggml.tokens is missing");
    if (!qn_u64_to_u32(&s->n, kv->count) || s->n >= 1u << 28)
        return qn_fail(s->err, QN_E_LIMIT, "%llu tokens", (unsigned long long)kv->count);
    QN_TRY(qn_gguf_strings(&tokens, s->scratch, s->directory, s->files, kv, s->err));
    if (types_kv) {
        if (types_kv->count != s->n)
            return qn_fail(s->err, QN_E_TOKENIZER, "%llu token types for %u tokens",
                           (unsigned long long)types_kv->count, s->n);
        QN_TRY(qn_gguf_integers(&types, s->scratch, s->directory, s->files, types_kv, s->err));
    }
    struct qn_token_entry *entries = QN_ARENA_NEW(s->scratch, struct qn_token_entry, s->n);
    if (!entries)
        return qn_fail(s->err, QN_E_NO_MEMORY, "%u tokens", s->n);
    /* Ordinary tokens first, so that an added one of the same string takes the same id. */
    uint32_t at = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t id = 0; id < s->n; id++) {
            int64_t type = types ? types[id] : TYPE_NORMAL;
            if ((type == TYPE_USER || type == TYPE_NORMAL) && frames_turns(tokens[id]))
                type = TYPE_CONTROL;
            bool added = type == TYPE_CONTROL || type == TYPE_UNKNOWN || type == TYPE_USER;
            struct qn_token_entry e = {.s = tokens[id], .id = id};
            if (added != (pass == 1))
                continue;
            if (type == TYPE_CONTROL || type == TYPE_UNKNOWN) {
                e.flags = QN_TOKEN_ADDED | QN_TOKEN_SPECIAL;
                e.added = QN_ADDED_SPECIAL;
                if (spm && type == TYPE_CONTROL && strips_right(s, e.s))
                    e.added |= QN_ADDED_RSTRIP;
            } else if (type == TYPE_USER) {
                e.flags = QN_TOKEN_ADDED;
            } else if (spm && (type == TYPE_UNUSED || type == TYPE_BYTE)) {
                e.flags = QN_TOKEN_HIDDEN; // SentencePiece finds neither in text
            }
            entries[at++] = e;
        }
    }
    return qn_tokenizer_build_vocab(t, s->arena, entries, s->n, s->n, s->err);
}

static enum qn_status read_merges(struct qn_tokenizer *t, struct source *s) {
    const struct qn_gguf_kv *kv = find_array(s, "tokenizer.ggml.merges");
    struct qn_str *merges = NULL;
    uint32_t n = 0;
    if (kv) {
        if (!qn_u64_to_u32(&n, kv->count))
            return qn_fail(s->err, QN_E_LIMIT, "%llu merges", (unsigned long long)kv->count);
        QN_TRY(qn_gguf_strings(&merges, s->scratch, s->directory, s->files, kv, s->err));
    }
    QN_TRY(qn_bpe_merges_init(&t->bpe, s->arena, n, s->err));
    for (uint32_t i = 0; i < n; i++) {
        size_t space = qn_str_find(merges[i], QN_STR(" "), 1);
        if (space == SIZE_MAX)
            return qn_fail(s->err, QN_E_TOKENIZER, "merge %u, \"%.*s\", is no pair", i,
                           QN_STR_ARG(merges[i]));
        QN_TRY(qn_bpe_merges_add(&t->bpe, i, qn_str_slice(merges[i], 0, space),
                                 qn_str_slice(merges[i], space + 1, merges[i].n), s->err));
    }
    return QN_OK;
}

static enum qn_status read_scores(struct qn_tokenizer *t, struct source *s) {
    const struct qn_gguf_kv *kv = find_array(s, "tokenizer.ggml.scores");
    float *scores;
    if (!kv || kv->count != s->n)
        return qn_fail(s->err, QN_E_TOKENIZER,
                       "tokenizer.ggml.scores is missing or not of %u values", s->n);
    QN_TRY(qn_gguf_floats(&scores, s->scratch, s->directory, s->files, kv, s->err));
    uint32_t *orders = QN_ARENA_NEW(s->arena, uint32_t, s->n);
    if (!orders)
        return qn_fail(s->err, QN_E_NO_MEMORY, "%u scores", s->n);
    for (uint32_t i = 0; i < s->n; i++)
        orders[i] = qn_bpe_order(scores[i]);
    t->bpe.scores = orders;
    return QN_OK;
}

static uint32_t token_id(const struct qn_tokenizer *t, const struct source *s, const char *key) {
    uint32_t id;
    return qn_gguf_u32(&id, s->directory, key) && qn_vocab_flags(&t->vocab, id) != 0 ? id
                                                                                     : UINT32_MAX;
}

/* BOS before and EOS behind the text, where the metadata says so. */
static enum qn_status read_frame(struct qn_tokenizer *t, const struct source *s, bool add_bos) {
    bool add_eos = false;
    t->bos = token_id(t, s, "tokenizer.ggml.bos_token_id");
    t->eos = token_id(t, s, "tokenizer.ggml.eos_token_id");
    qn_gguf_bool(&add_bos, s->directory, "tokenizer.ggml.add_bos_token");
    qn_gguf_bool(&add_eos, s->directory, "tokenizer.ggml.add_eos_token");
    struct qn_frame frame = {.first = add_bos ? t->bos : UINT32_MAX,
                             .last = add_eos ? t->eos : UINT32_MAX};
    return qn_tokenizer_frame(t, s->arena, frame, s->err);
}

static enum qn_status read_gpt2(struct qn_tokenizer *t, struct source *s) {
    struct qn_str pre = s->raw ? QN_STR("gemma4") : QN_STR("default");
    struct qn_pretok_gguf steps;
    bool space_prefix = false;
    if (!s->raw)
        qn_gguf_str(&pre, s->directory, "tokenizer.ggml.pre");
    QN_TRY(qn_pretok_by_gguf(&steps, s->arena, pre, s->err));
    qn_gguf_bool(&space_prefix, s->directory, "tokenizer.ggml.add_space_prefix");
    if (steps.nfc)
        QN_TRY(qn_tokenizer_add_normalizer(t, (struct qn_normalizer){.kind = QN_NORMALIZE_NFC},
                                           s->err));
    if (steps.raw)
        QN_TRY(qn_tokenizer_add_spm(t, s->arena, space_prefix, false, s->err));
    else
        QN_TRY(
            qn_tokenizer_add_decoder(t, (struct qn_decoder){.kind = QN_DECODE_BYTE_LEVEL}, s->err));
    for (uint32_t i = 0; i < steps.n_steps; i++)
        QN_TRY(qn_tokenizer_add_pretok(t, steps.steps[i], s->err));
    if (space_prefix && !steps.raw && steps.n_steps > 0)
        t->pretoks[0].rewrite = QN_REWRITE_ADD_SPACE;
    QN_TRY(read_vocab(t, s, steps.raw));
    t->bpe.byte_level = !steps.raw;
    t->bpe.byte_fallback = steps.raw;
    t->bpe.unk = steps.raw ? token_id(t, s, "tokenizer.ggml.unknown_token_id") : QN_ID_NONE;
    t->bpe.ignore_merges = steps.ignore_merges;
    QN_TRY(qn_bpe_bytes_init(&t->bpe, s->err));
    QN_TRY(read_merges(t, s));
    return read_frame(t, s, steps.add_bos);
}

static enum qn_status read_llama(struct qn_tokenizer *t, struct source *s) {
    bool space_prefix = true;
    qn_gguf_bool(&space_prefix, s->directory, "tokenizer.ggml.add_space_prefix");
    QN_TRY(qn_tokenizer_add_spm(t, s->arena, space_prefix, false, s->err));
    QN_TRY(read_vocab(t, s, true));
    t->bpe.byte_fallback = true;
    t->bpe.unk = token_id(t, s, "tokenizer.ggml.unknown_token_id");
    QN_TRY(qn_bpe_bytes_init(&t->bpe, s->err));
    QN_TRY(read_scores(t, s));
    return read_frame(t, s, true);
}

/* T5: Unigram, with SentencePiece's character map and treatment of spaces as metadata. */
static enum qn_status read_t5(struct qn_tokenizer *t, struct source *s) {
    bool space_prefix = true, remove_extra = true;
    const struct qn_gguf_kv *map_kv = find_array(s, "tokenizer.ggml.precompiled_charsmap");
    const struct qn_gguf_kv *kv = find_array(s, "tokenizer.ggml.scores");
    struct qn_normalizer map = {.kind = QN_NORMALIZE_CHARSMAP};
    float *scores;
    qn_gguf_bool(&space_prefix, s->directory, "tokenizer.ggml.add_space_prefix");
    qn_gguf_bool(&remove_extra, s->directory, "tokenizer.ggml.remove_extra_whitespaces");
    if (map_kv && map_kv->count > 0) {
        int64_t *values;
        uint32_t n;
        if (!qn_u64_to_u32(&n, map_kv->count) || n > 1u << 26)
            return qn_fail(s->err, QN_E_LIMIT, "tokenizer.ggml.precompiled_charsmap");
        QN_TRY(qn_gguf_integers(&values, s->scratch, s->directory, s->files, map_kv, s->err));
        char *bytes = QN_ARENA_NEW(s->scratch, char, n);
        if (!bytes)
            return qn_fail(s->err, QN_E_NO_MEMORY, "tokenizer");
        for (uint32_t i = 0; i < n; i++)
            bytes[i] = (char)values[i];
        QN_TRY(qn_charsmap_init(&map.charsmap, s->arena, (struct qn_str){bytes, n}, true, s->err));
        QN_TRY(qn_tokenizer_add_normalizer(t, map, s->err));
    }
    QN_TRY(qn_tokenizer_add_spm(t, s->arena, space_prefix, remove_extra, s->err));
    QN_TRY(read_vocab(t, s, true));
    if (!kv || kv->count != s->n)
        return qn_fail(s->err, QN_E_TOKENIZER,
                       "tokenizer.ggml.scores is missing or not of %u values", s->n);
    QN_TRY(qn_gguf_floats(&scores, s->scratch, s->directory, s->files, kv, s->err));
    double *wide = QN_ARENA_NEW(s->scratch, double, s->n);
    if (!wide)
        return qn_fail(s->err, QN_E_NO_MEMORY, "%u scores", s->n);
    for (uint32_t i = 0; i < s->n; i++)
        wide[i] = (double)scores[i];
    uint32_t unk = token_id(t, s, "tokenizer.ggml.unknown_token_id");
    t->unigram.byte_fallback = true;
    QN_TRY(qn_tokenizer_set_unigram(t, s->arena, wide, s->n, unk, s->err));
    return read_frame(t, s, false);
}

/* BERT: the tokens of a word's beginning carry U+2581, the others lost their "##". */
static enum qn_status read_bert(struct qn_tokenizer *t, struct source *s) {
    QN_TRY(qn_tokenizer_add_bert(t, true, true, true, true, s->err));
    QN_TRY(qn_tokenizer_add_bert_pretok(t, s->err));
    QN_TRY(qn_tokenizer_add_pretok(t,
                                   (struct qn_pretok){.rewrite = QN_REWRITE_METASPACE,
                                                      .prepend = QN_PREPEND_ALWAYS,
                                                      .string = {"\xe2\x96\x81", 3}},
                                   s->err));
    QN_TRY(qn_tokenizer_add_decoder(t,
                                    (struct qn_decoder){.kind = QN_DECODE_METASPACE,
                                                        .pattern = {"\xe2\x96\x81", 3},
                                                        .drop_first = true},
                                    s->err));
    QN_TRY(qn_tokenizer_add_decoder(t, (struct qn_decoder){.kind = QN_DECODE_CLEANUP}, s->err));
    QN_TRY(read_vocab(t, s, true));
    uint32_t unk = token_id(t, s, "tokenizer.ggml.unknown_token_id");
    QN_TRY(
        qn_tokenizer_set_wordpiece(t, s->arena, (struct qn_str){"", 0}, UINT32_MAX, unk, s->err));
    t->bos = token_id(t, s, "tokenizer.ggml.cls_token_id");
    t->eos = token_id(t, s, "tokenizer.ggml.seperator_token_id"); // as the format spells it
    return qn_tokenizer_frame(t, s->arena, (struct qn_frame){.first = t->bos, .last = t->eos},
                              s->err);
}

/* Values of tokenizer.ggml.model. */
static const struct {
    const char *name;
    enum qn_status (*read)(struct qn_tokenizer *t, struct source *s);
} models[] = {
    {"gpt2", read_gpt2}, {"gemma4", read_gpt2}, {"llama", read_llama},
    {"t5", read_t5},     {"bert", read_bert},
};

enum qn_status qn_tokenizer_read_gguf(struct qn_tokenizer **out, struct qn_arena *arena,
                                      struct qn_arena *scratch,
                                      const struct qn_directory *directory,
                                      const struct qn_files *files, struct qn_error *err) {
    struct source s = {directory, files, arena, scratch, err, 0, false};
    struct qn_str model;
    if (!qn_gguf_str(&model, directory, "tokenizer.ggml.model") || qn_str_is(model, "no_vocab"))
        return qn_fail(err, QN_E_NOT_FOUND, "tokenizer.ggml.model in the GGUF metadata");
    struct qn_tokenizer *t = QN_ARENA_NEW(arena, struct qn_tokenizer, 1);
    if (!t)
        return qn_fail(err, QN_E_NO_MEMORY, "tokenizer");
    t->bpe.unk = QN_ID_NONE;
    size_t kind = 0;
    while (kind < sizeof models / sizeof models[0] && !qn_str_is(model, models[kind].name))
        kind++;
    if (kind == sizeof models / sizeof models[0])
        return qn_fail(err, QN_E_UNSUPPORTED, "tokenizer.ggml.model \"%.*s\"", QN_STR_ARG(model));
    s.raw = qn_str_is(model, "gemma4");
    QN_TRY(models[kind].read(t, &s));
    QN_TRY(qn_tokenizer_build_finish(t, arena, err));
    *out = t;
    return QN_OK;
}
