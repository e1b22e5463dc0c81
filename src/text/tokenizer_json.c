/* Reads tokenizer.json, the format of the tokenizers library: each part is a list of typed steps,
 * and each type is a row of a table here. What has no row is refused by its name. */
#include "text/tokenizer_impl.h"

#define MAX_DEPTH 8 // of Sequence in Sequence

struct reader {
    struct qn_tokenizer *t;
    struct qn_arena *arena;   // of the tokenizer
    struct qn_arena *scratch; // of the JSON document and of lists
    struct qn_error *err;
};

typedef enum qn_status step_fn(struct reader *r, struct qn_json_value step);

struct row {
    const char *type;
    step_fn *read; // NULL: nothing to do
};

struct part {
    const char *what, *list; // name in messages, member that holds the steps of a Sequence
    const struct row *rows;
    size_t n_rows;
};

static enum qn_status no_memory(struct reader *r) {
    return qn_fail(r->err, QN_E_NO_MEMORY, "tokenizer.json");
}

static enum qn_status read_step(struct reader *r, const struct part *part,
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

/* A string that lives as long as the tokenizer. */
static enum qn_status read_string(struct reader *r, struct qn_str *out, struct qn_json_value value,
                                  const char *what) {
    struct qn_str s;
    if (qn_json_type(value) != QN_JSON_STRING)
        return qn_fail(r->err, QN_E_TOKENIZER, "%s in tokenizer.json is not a string", what);
    if (!qn_json_string(&s, r->scratch, value))
        return no_memory(r);
    *out = qn_str_copy(r->arena, s);
    return out->p ? QN_OK : no_memory(r);
}

static bool flag(struct qn_json_value object, const char *key, bool otherwise) {
    bool value = otherwise;
    qn_json_bool(&value, qn_json_get(object, key));
    return value;
}

/* {"String": "…"}; a Regex is refused. */
static enum qn_status read_literal(struct reader *r, struct qn_str *out,
                                   struct qn_json_value pattern, const char *what) {
    struct qn_json_value string = qn_json_get(pattern, "String");
    if (!qn_json_exists(string)) {
        struct qn_str regex = qn_json_raw(qn_json_get(pattern, "Regex"));
        return qn_fail(r->err, QN_E_UNSUPPORTED, "%s with the pattern %.*s in tokenizer.json", what,
                       QN_STR_ARG(regex));
    }
    QN_TRY(read_string(r, out, string, what));
    if (out->n == 0 || out->n > 256)
        return qn_fail(r->err, QN_E_TOKENIZER, "%s with a pattern of %zu bytes", what, out->n);
    return QN_OK;
}

/* Normalizers. */

static enum qn_status normalizer_nfc(struct reader *r, struct qn_json_value step) {
    (void)step;
    return qn_tokenizer_add_normalizer(r->t, (struct qn_normalizer){.kind = QN_NORMALIZE_NFC},
                                       r->err);
}

static enum qn_status normalizer_prepend(struct reader *r, struct qn_json_value step) {
    struct qn_normalizer n = {.kind = QN_NORMALIZE_PREPEND};
    QN_TRY(read_string(r, &n.content, qn_json_get(step, "prepend"), "Prepend"));
    return qn_tokenizer_add_normalizer(r->t, n, r->err);
}

static enum qn_status normalizer_replace(struct reader *r, struct qn_json_value step) {
    struct qn_normalizer n = {.kind = QN_NORMALIZE_REPLACE};
    QN_TRY(read_literal(r, &n.pattern, qn_json_get(step, "pattern"), "Replace"));
    QN_TRY(read_string(r, &n.content, qn_json_get(step, "content"), "Replace"));
    return qn_tokenizer_add_normalizer(r->t, n, r->err);
}

static const struct row normalizers[] = {
    {"NFC", normalizer_nfc},
    {"Prepend", normalizer_prepend},
    {"Replace", normalizer_replace},
};

/* Pre-tokenizers. */

static enum qn_status read_behavior(struct reader *r, struct qn_pretok *p,
                                    struct qn_json_value step) {
    static const char *const names[] = {"Isolated", "Removed", "MergedWithPrevious",
                                        "MergedWithNext", "Contiguous"};
    struct qn_json_value value = qn_json_get(step, "behavior");
    for (uint32_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (qn_json_string_is(value, names[i])) {
            p->behavior = (enum qn_split_behavior)i;
            return QN_OK;
        }
    }
    struct qn_str name = qn_json_raw(value);
    return qn_fail(r->err, QN_E_UNSUPPORTED, "split behavior \"%.*s\" in tokenizer.json",
                   QN_STR_ARG(name));
}

static enum qn_status pretok_byte_level(struct reader *r, struct qn_json_value step) {
    struct qn_pretok p = {.to_bytes = true};
    if (flag(step, "add_prefix_space", true))
        p.rewrite = QN_REWRITE_ADD_SPACE;
    if (flag(step, "use_regex", true))
        p.kind = QN_SPLIT_GPT2;
    r->t->bpe.byte_level = true;
    return qn_tokenizer_add_pretok(r->t, p, r->err);
}

static enum qn_status pretok_split(struct reader *r, struct qn_json_value step) {
    struct qn_pretok p = {.kind = QN_SPLIT_STRING};
    struct qn_json_value pattern = qn_json_get(step, "pattern");
    struct qn_json_value regex = qn_json_get(pattern, "Regex");
    if (qn_json_exists(regex)) {
        struct qn_str s = {NULL, 0};
        if (qn_json_type(regex) == QN_JSON_STRING && !qn_json_string(&s, r->scratch, regex))
            return no_memory(r);
        if (!qn_pretok_by_regex(&p, s))
            return qn_fail(r->err, QN_E_UNSUPPORTED,
                           "Split with the pattern %.*s in tokenizer.json", QN_STR_ARG(s));
    } else {
        QN_TRY(read_literal(r, &p.string, pattern, "Split"));
    }
    QN_TRY(read_behavior(r, &p, step));
    p.invert = flag(step, "invert", false);
    return qn_tokenizer_add_pretok(r->t, p, r->err);
}

static enum qn_status pretok_digits(struct reader *r, struct qn_json_value step) {
    struct qn_pretok p = {.kind = QN_SPLIT_NUMBER};
    if (!flag(step, "individual_digits", false))
        p.behavior = QN_BEHAVIOR_CONTIGUOUS;
    return qn_tokenizer_add_pretok(r->t, p, r->err);
}

static enum qn_status pretok_punctuation(struct reader *r, struct qn_json_value step) {
    struct qn_pretok p = {.kind = QN_SPLIT_PUNCTUATION};
    if (qn_json_exists(qn_json_get(step, "behavior")))
        QN_TRY(read_behavior(r, &p, step));
    return qn_tokenizer_add_pretok(r->t, p, r->err);
}

static enum qn_status pretok_whitespace_split(struct reader *r, struct qn_json_value step) {
    (void)step;
    return qn_tokenizer_add_pretok(
        r->t, (struct qn_pretok){.kind = QN_SPLIT_WHITESPACE, .behavior = QN_BEHAVIOR_REMOVED},
        r->err);
}

static enum qn_status read_prepend(struct reader *r, enum qn_prepend *out,
                                   struct qn_json_value step) {
    struct qn_json_value scheme = qn_json_get(step, "prepend_scheme");
    if (!qn_json_exists(scheme)) { // files from before there were schemes
        *out = flag(step, "add_prefix_space", true) ? QN_PREPEND_ALWAYS : QN_PREPEND_NEVER;
        return QN_OK;
    }
    if (qn_json_string_is(scheme, "always"))
        *out = QN_PREPEND_ALWAYS;
    else if (qn_json_string_is(scheme, "first"))
        *out = QN_PREPEND_FIRST;
    else if (qn_json_string_is(scheme, "never"))
        *out = QN_PREPEND_NEVER;
    else
        return qn_fail(r->err, QN_E_UNSUPPORTED, "Metaspace prepend_scheme in tokenizer.json");
    return QN_OK;
}

static enum qn_status pretok_metaspace(struct reader *r, struct qn_json_value step) {
    struct qn_pretok p = {.rewrite = QN_REWRITE_METASPACE};
    QN_TRY(read_string(r, &p.string, qn_json_get(step, "replacement"), "Metaspace"));
    QN_TRY(read_prepend(r, &p.prepend, step));
    if (p.string.n == 0)
        return qn_fail(r->err, QN_E_TOKENIZER, "Metaspace with an empty replacement");
    if (flag(step, "split", true)) {
        p.kind = QN_SPLIT_STRING;
        p.behavior = QN_BEHAVIOR_MERGED_WITH_NEXT;
    }
    return qn_tokenizer_add_pretok(r->t, p, r->err);
}

static const struct row pretoks[] = {
    {"ByteLevel", pretok_byte_level},
    {"Split", pretok_split},
    {"Digits", pretok_digits},
    {"Punctuation", pretok_punctuation},
    {"WhitespaceSplit", pretok_whitespace_split},
    {"Metaspace", pretok_metaspace},
};

/* Post-processors: what surrounds the text. A later one surrounds what an earlier one made. */

static enum qn_status set_items(struct reader *r, struct qn_template_item *items, uint32_t n) {
    if (r->t->items)
        return qn_fail(r->err, QN_E_UNSUPPORTED, "two templates in one post_processor");
    for (uint32_t i = 0; i < n; i++) {
        if (!items[i].is_text && qn_vocab_flags(&r->t->vocab, items[i].id) == 0)
            return qn_fail(r->err, QN_E_TOKENIZER, "post_processor adds token %u, which is none",
                           items[i].id);
    }
    r->t->items = items;
    r->t->n_items = n;
    return QN_OK;
}

static enum qn_status post_template(struct reader *r, struct qn_json_value step) {
    struct qn_json_value single = qn_json_get(step, "single");
    struct qn_json_value specials = qn_json_get(step, "special_tokens");
    uint32_t n = 0, n_texts = 0;
    struct qn_json_iter it = qn_json_iterate(single);
    struct qn_template_item *items = NULL;
    for (int pass = 0; pass < 2; pass++) { // count, then fill
        n = n_texts = 0;
        it = qn_json_iterate(single);
        while (qn_json_each(&it)) {
            struct qn_json_value special = qn_json_get(it.value, "SpecialToken");
            if (!qn_json_exists(special)) {
                if (items)
                    items[n].is_text = true;
                n++;
                n_texts++;
                continue;
            }
            struct qn_str name;
            if (!qn_json_string(&name, r->scratch, qn_json_get(special, "id")))
                return qn_fail(r->err, QN_E_TOKENIZER, "TemplateProcessing: a token without id");
            struct qn_json_value ids = qn_json_get(qn_json_get_str(specials, name), "ids");
            struct qn_json_iter each = qn_json_iterate(ids);
            while (qn_json_each(&each)) {
                uint32_t id;
                if (!qn_json_u32(&id, each.value))
                    return qn_fail(r->err, QN_E_TOKENIZER, "TemplateProcessing: ids of \"%.*s\"",
                                   QN_STR_ARG(name));
                if (items)
                    items[n].id = id;
                n++;
            }
        }
        if (n_texts > 4)
            return qn_fail(r->err, QN_E_TOKENIZER, "TemplateProcessing: %u sequences", n_texts);
        if (pass == 0 && !(items = QN_ARENA_NEW(r->arena, struct qn_template_item, n)))
            return no_memory(r);
    }
    return set_items(r, items, n);
}

/* BertProcessing and RobertaProcessing: cls, text, sep. */
static enum qn_status post_pair(struct reader *r, struct qn_json_value step) {
    struct qn_template_item *items = QN_ARENA_NEW(r->arena, struct qn_template_item, 3);
    const char *const names[] = {"cls", "", "sep"};
    if (!items)
        return no_memory(r);
    items[1].is_text = true;
    for (uint32_t i = 0; i < 3; i += 2) {
        struct qn_json_iter it = qn_json_iterate(qn_json_get(step, names[i]));
        bool ok = qn_json_each(&it) && qn_json_each(&it) && qn_json_u32(&items[i].id, it.value);
        if (!ok)
            return qn_fail(r->err, QN_E_TOKENIZER, "post_processor: \"%s\" is no [token, id]",
                           names[i]);
    }
    return set_items(r, items, 3);
}

static const struct row posts[] = {
    {"ByteLevel", NULL}, // changes offsets, not ids
    {"TemplateProcessing", post_template},
    {"RobertaProcessing", post_pair},
    {"BertProcessing", post_pair},
};

/* Decoders. */

static enum qn_status decoder_byte_level(struct reader *r, struct qn_json_value step) {
    (void)step;
    return qn_tokenizer_add_decoder(r->t, (struct qn_decoder){.kind = QN_DECODE_BYTE_LEVEL},
                                    r->err);
}

static enum qn_status decoder_replace(struct reader *r, struct qn_json_value step) {
    struct qn_decoder d = {.kind = QN_DECODE_REPLACE};
    QN_TRY(read_literal(r, &d.pattern, qn_json_get(step, "pattern"), "Replace"));
    QN_TRY(read_string(r, &d.content, qn_json_get(step, "content"), "Replace"));
    return qn_tokenizer_add_decoder(r->t, d, r->err);
}

static enum qn_status decoder_byte_fallback(struct reader *r, struct qn_json_value step) {
    (void)step;
    r->t->byte_runs = true;
    return qn_tokenizer_add_decoder(r->t, (struct qn_decoder){.kind = QN_DECODE_BYTE_FALLBACK},
                                    r->err);
}

static enum qn_status decoder_metaspace(struct reader *r, struct qn_json_value step) {
    struct qn_decoder d = {.kind = QN_DECODE_METASPACE};
    enum qn_prepend prepend;
    QN_TRY(read_string(r, &d.pattern, qn_json_get(step, "replacement"), "Metaspace"));
    QN_TRY(read_prepend(r, &prepend, step));
    d.drop_first = prepend != QN_PREPEND_NEVER;
    if (d.pattern.n == 0)
        return qn_fail(r->err, QN_E_TOKENIZER, "Metaspace with an empty replacement");
    return qn_tokenizer_add_decoder(r->t, d, r->err);
}

static enum qn_status decoder_strip(struct reader *r, struct qn_json_value step) {
    uint32_t start = 0, stop = 0;
    qn_json_u32(&start, qn_json_get(step, "start"));
    qn_json_u32(&stop, qn_json_get(step, "stop"));
    if (start > 1 || stop > 0 || !qn_json_string_is(qn_json_get(step, "content"), " "))
        return qn_fail(r->err, QN_E_UNSUPPORTED, "decoder Strip of %u and %u in tokenizer.json",
                       start, stop);
    r->t->strip_first = start == 1;
    return QN_OK;
}

static const struct row decoders[] = {
    {"ByteLevel", decoder_byte_level},
    {"Replace", decoder_replace},
    {"ByteFallback", decoder_byte_fallback},
    {"Fuse", NULL}, // pieces are joined anyway
    {"Strip", decoder_strip},
    {"Metaspace", decoder_metaspace},
};

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
static enum qn_status read_merge(struct reader *r, uint32_t rank, struct qn_json_value value) {
    struct qn_str left, right;
    if (qn_json_type(value) == QN_JSON_STRING) {
        struct qn_str s;
        if (!qn_json_string(&s, r->scratch, value))
            return no_memory(r);
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

static enum qn_status read_bpe(struct reader *r, struct qn_json_value model) {
    struct qn_bpe *bpe = &r->t->bpe;
    struct qn_json_value merges = qn_json_get(model, "merges");
    struct qn_json_value unk = qn_json_get(model, "unk_token");
    for (int i = 0; i < 2; i++) {
        const char *key = i ? "end_of_word_suffix" : "continuing_subword_prefix";
        if (qn_json_raw(qn_json_get(model, key)).n > 0)
            return qn_fail(r->err, QN_E_UNSUPPORTED, "BPE with %s in tokenizer.json", key);
    }
    bpe->ignore_merges = flag(model, "ignore_merges", false);
    bpe->byte_fallback = flag(model, "byte_fallback", false);
    bpe->fuse_unk = flag(model, "fuse_unk", false);
    bpe->unk = QN_ID_NONE;
    if (qn_json_type(unk) == QN_JSON_STRING) {
        struct qn_str s;
        if (!qn_json_string(&s, r->scratch, unk))
            return no_memory(r);
        bpe->unk = qn_vocab_find(&r->t->vocab, s.p, s.n);
    }
    QN_TRY(qn_bpe_bytes_init(bpe, r->err));
    QN_TRY(qn_bpe_merges_init(bpe, r->arena, qn_json_count(merges), r->err));
    struct qn_json_iter it = qn_json_iterate(merges);
    for (uint32_t rank = 0; qn_json_each(&it); rank++)
        QN_TRY(read_merge(r, rank, it.value));
    return QN_OK;
}

static enum qn_status read_vocab(struct reader *r, struct qn_json_value vocab,
                                 struct qn_json_value added, uint64_t max_id) {
    uint32_t n = qn_json_count(vocab), n_added = qn_json_count(added), i = 0;
    struct qn_token_entry *entries =
        QN_ARENA_NEW(r->scratch, struct qn_token_entry, (size_t)n + n_added);
    if (!entries)
        return no_memory(r);
    struct qn_json_iter it = qn_json_iterate(vocab);
    while (qn_json_each(&it)) {
        struct qn_token_entry *e = &entries[i++];
        if (!qn_json_u32(&e->id, it.value))
            return qn_fail(r->err, QN_E_TOKENIZER, "an id in the vocabulary is no whole number");
        if (!qn_json_string(&e->s, r->scratch, it.key))
            return no_memory(r);
    }
    it = qn_json_iterate(added);
    while (qn_json_each(&it)) {
        struct qn_token_entry *e = &entries[i++];
        struct qn_json_value v = it.value;
        if (!qn_json_u32(&e->id, qn_json_get(v, "id")) ||
            !qn_json_string(&e->s, r->scratch, qn_json_get(v, "content")))
            return qn_fail(r->err, QN_E_TOKENIZER, "an added token without id or content");
        bool special = flag(v, "special", false);
        e->flags = QN_TOKEN_ADDED | (special ? QN_TOKEN_SPECIAL : 0u);
        e->added = (special ? QN_ADDED_SPECIAL : 0u) |
                   (flag(v, "lstrip", false) ? QN_ADDED_LSTRIP : 0u) |
                   (flag(v, "rstrip", false) ? QN_ADDED_RSTRIP : 0u) |
                   (flag(v, "single_word", false) ? QN_ADDED_SINGLE_WORD : 0u) |
                   (flag(v, "normalized", !special) ? QN_ADDED_NORMALIZED : 0u);
    }
    return qn_tokenizer_build_vocab(r->t, r->arena, entries, i, max_id, r->err);
}

#define PART(what, list, rows) \
    { what, list, rows, sizeof rows / sizeof rows[0] }

enum qn_status qn_tokenizer_read_json(struct qn_tokenizer **out, struct qn_arena *arena,
                                      struct qn_arena *scratch, struct qn_str text,
                                      struct qn_error *err) {
    static const struct part parts[] = {
        PART("normalizer", "normalizers", normalizers),
        PART("pre_tokenizer", "pretokenizers", pretoks),
        PART("post_processor", "processors", posts),
        PART("decoder", "decoders", decoders),
    };
    struct qn_json json;
    struct reader r = {.arena = arena, .scratch = scratch, .err = err};
    QN_TRY(qn_json_parse(&json, scratch, text, err));
    struct qn_json_value root = qn_json_root(&json), model = qn_json_get(root, "model");
    struct qn_json_value type = qn_json_get(model, "type"), vocab = qn_json_get(model, "vocab");
    /* Old files name no type; a BPE is then known by its merges. */
    if (!qn_json_string_is(type, "BPE") &&
        (qn_json_exists(type) || qn_json_type(qn_json_get(model, "merges")) != QN_JSON_ARRAY)) {
        struct qn_str name = qn_json_raw(type);
        return qn_fail(err, qn_json_exists(model) ? QN_E_UNSUPPORTED : QN_E_TOKENIZER,
                       "model \"%.*s\" in tokenizer.json", QN_STR_ARG(name));
    }
    if (qn_json_type(vocab) != QN_JSON_OBJECT)
        return qn_fail(err, QN_E_TOKENIZER, "tokenizer.json has no vocabulary");
    r.t = QN_ARENA_NEW(arena, struct qn_tokenizer, 1);
    if (!r.t)
        return no_memory(&r);
    r.t->bos = r.t->eos = UINT32_MAX;
    /* An id beyond the bytes of the file would make a vocabulary of holes. */
    QN_TRY(read_vocab(&r, vocab, qn_json_get(root, "added_tokens"), text.n));
    for (size_t i = 0; i < 4; i++)
        QN_TRY(read_step(&r, &parts[i], qn_json_get(root, parts[i].what), 0));
    r.t->join_with_space = qn_json_type(qn_json_get(root, "decoder")) == QN_JSON_NULL;
    QN_TRY(read_bpe(&r, model));
    QN_TRY(qn_tokenizer_build_finish(r.t, arena, err));
    *out = r.t;
    return QN_OK;
}
