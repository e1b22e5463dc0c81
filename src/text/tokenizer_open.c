/* Finds and reads a model's tokenizer: GGUF metadata, tokenizer.json, or vocab.json
 * + merges.txt. */
#include "text/tokenizer_impl.h"

#define MAX_FILE ((uint64_t)1 << 28)

/* Classes of tokenizer_config.json whose vocab.json + merges.txt are byte-level BPE. */
static const struct {
    const char *name;
    struct qn_pretok step;
    bool nfc;
} classes[] = {
    {"GPT2Tokenizer", {.kind = QN_SPLIT_GPT2}, false},
    {"CodeGenTokenizer", {.kind = QN_SPLIT_GPT2}, false},
    {"WhisperTokenizer", {.kind = QN_SPLIT_GPT2}, false},
    {"Qwen2Tokenizer", {.kind = QN_SPLIT_CL100K, .max_digits = 1}, true},
};

static enum qn_status use_class(struct qn_tokenizer *t, struct qn_json_value config,
                                struct qn_error *err) {
    struct qn_str name = qn_json_raw(qn_json_get(config, "tokenizer_class"));
    if (name.n == 0)
        name = QN_STR("GPT2Tokenizer");
    if (qn_str_ends(name, QN_STR("Fast")))
        name.n -= 4;
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        if (!qn_str_is(name, classes[i].name))
            continue;
        if (classes[i].nfc)
            QN_TRY(qn_tokenizer_add_normalizer(t, (struct qn_normalizer){.kind = QN_NORMALIZE_NFC},
                                               err));
        struct qn_pretok step = classes[i].step;
        bool add_space = false;
        qn_json_bool(&add_space, qn_json_get(config, "add_prefix_space"));
        if (add_space)
            step.rewrite = QN_REWRITE_ADD_SPACE;
        return qn_tokenizer_add_pretok(t, step, err);
    }
    return qn_fail(err, QN_E_UNSUPPORTED, "tokenizer_class \"%.*s\"", QN_STR_ARG(name));
}

/* Tokens of vocab.json, then those of added_tokens_decoder. */
static enum qn_status read_tokens(struct qn_tokenizer *t, struct qn_arena *arena,
                                  struct qn_arena *scratch, struct qn_json_value vocab,
                                  struct qn_json_value added, uint64_t max_id,
                                  struct qn_error *err) {
    struct qn_token_entry *more;
    uint32_t n = 0, n_more;
    QN_TRY(qn_tokenizer_config_tokens(&more, &n_more, scratch, added, err));
    struct qn_token_entry *entries =
        QN_ARENA_NEW(scratch, struct qn_token_entry, (size_t)qn_json_count(vocab) + n_more);
    if (!entries)
        return qn_fail(err, QN_E_NO_MEMORY, "vocab.json");
    struct qn_json_iter it = qn_json_iterate(vocab);
    while (qn_json_each(&it)) {
        struct qn_token_entry *e = &entries[n++];
        if (!qn_json_u32(&e->id, it.value))
            return qn_fail(err, QN_E_TOKENIZER, "an id in vocab.json is no whole number");
        if (!qn_json_string(&e->s, scratch, it.key))
            return qn_fail(err, QN_E_NO_MEMORY, "vocab.json");
    }
    for (uint32_t i = 0; i < n_more; i++)
        entries[n++] = more[i];
    return qn_tokenizer_build_vocab(t, arena, entries, n, max_id, err);
}

/* Lines "a b"; a first line "#version…", empty lines and a last line without end are allowed. */
static enum qn_status read_merges(struct qn_tokenizer *t, struct qn_arena *arena,
                                  struct qn_str merges, struct qn_error *err) {
    uint32_t n = 0, rank = 0;
    for (size_t at = 0; (at = qn_str_find(merges, QN_STR("\n"), at)) != SIZE_MAX; at++)
        n++;
    QN_TRY(qn_bpe_merges_init(&t->bpe, arena, n + 1, err));
    for (size_t at = 0; at < merges.n;) {
        size_t end = qn_min_size(qn_str_find(merges, QN_STR("\n"), at), merges.n);
        struct qn_str line = qn_str_slice(merges, at, end);
        bool version = at == 0 && qn_str_starts(line, QN_STR("#version"));
        at = end + 1;
        if (line.n > 0 && line.p[line.n - 1] == '\r')
            line.n--;
        if (line.n == 0 || version)
            continue;
        size_t space = qn_str_find(line, QN_STR(" "), 0);
        if (space == SIZE_MAX)
            return qn_fail(err, QN_E_TOKENIZER, "merges.txt: \"%.*s\" is no pair",
                           QN_STR_ARG(line));
        QN_TRY(qn_bpe_merges_add(&t->bpe, rank++, qn_str_slice(line, 0, space),
                                 qn_str_slice(line, space + 1, line.n), err));
    }
    return QN_OK;
}

/* vocab.json and merges.txt, with what tokenizer_config.json says. */
static enum qn_status read_vocab(struct qn_tokenizer **out, struct qn_arena *arena,
                                 struct qn_arena *scratch, struct qn_str vocab,
                                 struct qn_str merges, struct qn_json_value config,
                                 struct qn_error *err) {
    struct qn_json json;
    QN_TRY(qn_json_parse(&json, scratch, vocab, err));
    if (qn_json_type(qn_json_root(&json)) != QN_JSON_OBJECT)
        return qn_fail(err, QN_E_TOKENIZER, "vocab.json is no object");
    struct qn_tokenizer *t = QN_ARENA_NEW(arena, struct qn_tokenizer, 1);
    if (!t)
        return qn_fail(err, QN_E_NO_MEMORY, "tokenizer");
    t->bos = t->eos = UINT32_MAX;
    t->bpe.byte_level = true;
    t->bpe.unk = QN_ID_NONE;
    QN_TRY(use_class(t, config, err));
    QN_TRY(qn_tokenizer_add_decoder(t, (struct qn_decoder){.kind = QN_DECODE_BYTE_LEVEL}, err));
    QN_TRY(read_tokens(t, arena, scratch, qn_json_root(&json),
                       qn_json_get(config, "added_tokens_decoder"), (uint64_t)vocab.n + 1024, err));
    QN_TRY(qn_bpe_bytes_init(&t->bpe, err));
    QN_TRY(read_merges(t, arena, merges, err));
    QN_TRY(qn_tokenizer_build_finish(t, arena, err));
    *out = t;
    return QN_OK;
}

/* vocab.txt of BERT: a token a line. */
static enum qn_status read_bert(struct qn_tokenizer **out, struct qn_arena *arena,
                                struct qn_arena *scratch, struct qn_str vocab,
                                struct qn_json_value config, struct qn_error *err) {
    static const char *const specials[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
    uint32_t n = 1, i = 0, ids[5];
    bool lower = true, strip_accents, chinese = true;
    for (size_t at = 0; (at = qn_str_find(vocab, QN_STR("\n"), at)) != SIZE_MAX; at++)
        n++;
    struct qn_tokenizer *t = QN_ARENA_NEW(arena, struct qn_tokenizer, 1);
    struct qn_token_entry *entries = QN_ARENA_NEW(scratch, struct qn_token_entry, (size_t)n + 5);
    if (!t || !entries)
        return qn_fail(err, QN_E_NO_MEMORY, "vocab.txt");
    t->bos = t->eos = UINT32_MAX;
    for (size_t at = 0; at < vocab.n; i++) {
        size_t end = qn_min_size(qn_str_find(vocab, QN_STR("\n"), at), vocab.n);
        struct qn_str line = qn_str_slice(vocab, at, end);
        if (line.n > 0 && line.p[line.n - 1] == '\r')
            line.n--;
        entries[i] = (struct qn_token_entry){.s = line, .id = i};
        at = end + 1;
    }
    for (uint32_t k = 0; k < 5; k++) { // where they stand among the lines
        struct qn_str name = qn_str_from(specials[k]);
        uint32_t id = 0;
        while (id < i && !qn_str_eq(entries[id].s, name))
            id++;
        if (id < i)
            entries[n + k] = (struct qn_token_entry){name, id, QN_TOKEN_ADDED | QN_TOKEN_SPECIAL,
                                                     QN_ADDED_SPECIAL};
        ids[k] = id < i ? id : UINT32_MAX;
    }
    for (uint32_t k = 0, total = i; k < 5; k++) {
        if (ids[k] != UINT32_MAX)
            entries[total++] = entries[n + k];
        i = total;
    }
    QN_TRY(qn_tokenizer_build_vocab(t, arena, entries, i, n, err));
    qn_json_bool(&lower, qn_json_get(config, "do_lower_case"));
    strip_accents = lower;
    qn_json_bool(&strip_accents, qn_json_get(config, "strip_accents"));
    qn_json_bool(&chinese, qn_json_get(config, "tokenize_chinese_chars"));
    QN_TRY(qn_tokenizer_add_bert(t, true, chinese, strip_accents, lower, err));
    QN_TRY(qn_tokenizer_add_bert_pretok(t, err));
    QN_TRY(qn_tokenizer_add_decoder(
        t, (struct qn_decoder){.kind = QN_DECODE_WORDPIECE, .pattern = {"##", 2}}, err));
    QN_TRY(qn_tokenizer_add_decoder(t, (struct qn_decoder){.kind = QN_DECODE_CLEANUP}, err));
    QN_TRY(qn_tokenizer_set_wordpiece(t, arena, QN_STR("##"), 100, ids[1], err));
    QN_TRY(qn_tokenizer_frame(t, arena, (struct qn_frame){.first = ids[2], .last = ids[3]}, err));
    QN_TRY(qn_tokenizer_build_finish(t, arena, err));
    *out = t;
    return QN_OK;
}

/* An id from tokenizer_config.json ("</s>" or {"content": "</s>"}), else from the configuration (a
 * number, or the first of a list). */
static uint32_t find_id(const struct qn_tokenizer *t, struct qn_arena *scratch,
                        const struct qn_directory *d, const char *token_key, const char *id_key) {
    struct qn_str s;
    uint32_t id;
    if (d->tokenizer_config.n_nodes > 0) {
        struct qn_json_value v = qn_json_get(qn_json_root(&d->tokenizer_config), token_key);
        if (qn_json_type(v) == QN_JSON_OBJECT)
            v = qn_json_get(v, "content");
        if (qn_json_type(v) == QN_JSON_STRING && qn_json_string(&s, scratch, v) &&
            qn_tokenizer_find(t, &id, s))
            return id;
    }
    const struct qn_json *const documents[] = {&d->generation_config, &d->config};
    for (size_t i = 0; i < 2; i++) {
        if (documents[i]->n_nodes == 0)
            continue;
        struct qn_json_value v = qn_json_get(qn_json_root(documents[i]), id_key);
        struct qn_json_iter it = qn_json_iterate(v);
        if (qn_json_type(v) == QN_JSON_ARRAY && qn_json_each(&it))
            v = it.value;
        if (qn_json_u32(&id, v) && qn_vocab_flags(&t->vocab, id) != 0)
            return id;
    }
    return UINT32_MAX;
}

static enum qn_status open_folder(struct qn_tokenizer **out, struct qn_arena *arena,
                                  struct qn_arena *scratch, const struct qn_directory *directory,
                                  const struct qn_files *files, struct qn_error *err) {
    static const char *const names[] = {
        "tokenizer.json", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model",
        "spm.model",      "vocab.txt",       "vocab.json"};
    struct qn_str text, merges, name = {"", 0};
    struct qn_json_value config = {NULL, 0};
    enum qn_status status = QN_E_NOT_FOUND;
    if (directory->tokenizer_config.n_nodes > 0)
        config = qn_json_root(&directory->tokenizer_config);
    for (size_t i = 0; status == QN_E_NOT_FOUND && i < sizeof names / sizeof names[0]; i++) {
        name = qn_str_from(names[i]);
        status = qn_files_read_all(&text, scratch, files, name, MAX_FILE, err);
    }
    QN_TRY(status);
    if (qn_str_is(name, "tokenizer.json")) {
        QN_TRY(qn_tokenizer_read_json(out, arena, scratch, text, err));
    } else if (qn_str_is(name, "vocab.txt")) {
        QN_TRY(read_bert(out, arena, scratch, text, config, err));
    } else if (qn_str_is(name, "vocab.json")) {
        name = QN_STR("merges.txt");
        QN_TRY(qn_files_read_all(&merges, scratch, files, name, MAX_FILE, err));
        QN_TRY(read_vocab(out, arena, scratch, text, merges, config, err));
    } else {
        QN_TRY(qn_tokenizer_read_spm(out, arena, scratch, text, name, config, err));
    }
    (*out)->bos = find_id(*out, scratch, directory, "bos_token", "bos_token_id");
    (*out)->eos = find_id(*out, scratch, directory, "eos_token", "eos_token_id");
    return QN_OK;
}

enum qn_status qn_tokenizer_open(struct qn_tokenizer **out, struct qn_arena *arena,
                                 const struct qn_directory *directory, const struct qn_files *files,
                                 struct qn_error *err) {
    struct qn_arena scratch;
    enum qn_status status;
    qn_arena_init(&scratch, arena->allocator);
    if (directory->format == QN_FORMAT_GGUF)
        status = qn_tokenizer_read_gguf(out, arena, &scratch, directory, files, err);
    else
        status = open_folder(out, arena, &scratch, directory, files, err);
    qn_arena_free(&scratch);
    return status;
}

enum qn_status qn_tokenizer_from_json(struct qn_tokenizer **out, struct qn_arena *arena,
                                      struct qn_str tokenizer_json, struct qn_error *err) {
    struct qn_arena scratch;
    qn_arena_init(&scratch, arena->allocator);
    enum qn_status status = qn_tokenizer_read_json(out, arena, &scratch, tokenizer_json, err);
    qn_arena_free(&scratch);
    return status;
}
