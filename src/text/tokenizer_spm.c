/* Reads a SentencePiece model (ModelProto of sentencepiece_model.proto): pieces with scores and
 * types, the kind of model, and how text is normalised. What the published models of some classes
 * change about the ids stands in the table `classes`. */
#include "format/protobuf.h"
#include "text/tokenizer_impl.h"

#define WORD_MARK QN_STR("\xe2\x96\x81")

/* Values of SentencePiece.type and TrainerSpec.model_type. */
enum {
    PIECE_NORMAL = 1,
    PIECE_UNKNOWN = 2,
    PIECE_CONTROL = 3,
    PIECE_USER = 4,
    PIECE_UNUSED = 5,
    PIECE_BYTE = 6
};
enum { MODEL_UNIGRAM = 1, MODEL_BPE = 2 };

/* Classes of tokenizer_config.json. `first` and `last` frame the text; those of the fairseq family
 * put their own four tokens before the pieces, of which the first three go. */
static const struct spm_class {
    const char *name, *file;
    const char *first, *last, *mask;
    bool fairseq, twice; // `twice`: two `last` between the texts of a pair
    uint32_t n_extra;    // <extra_id_0>…, from the highest id down
} classes[] = {
    {"LlamaTokenizer", "tokenizer.model", "<s>", NULL, NULL, false, false, 0},
    {"GemmaTokenizer", "", "<bos>", NULL, NULL, false, false, 0},
    {"T5Tokenizer", "spiece.model", NULL, "</s>", NULL, false, false, 100},
    {"AlbertTokenizer", "", "[CLS]", "[SEP]", NULL, false, false, 0},
    {"XLMRobertaTokenizer", "sentencepiece.bpe.model", "<s>", "</s>", "<mask>", true, true, 0},
    {"DebertaV2Tokenizer", "spm.model", "[CLS]", "[SEP]", "[MASK]", false, false, 0},
};

#define MAX_EXTRA 1000

struct spm {
    struct qn_token_entry *entries;
    double *scores;       // by id
    uint32_t n, capacity; // pieces
    uint32_t shift;       // added to the ids of pieces
    uint64_t model_type;
    int64_t unk;
    bool byte_fallback, suffix;
    bool dummy_prefix, remove_extra, escape;
    struct qn_str charsmap;
};

static enum qn_status read_piece(struct spm *m, struct qn_str bytes, struct qn_error *err) {
    struct qn_protobuf p = qn_protobuf_open(bytes);
    struct qn_protobuf_field f;
    enum qn_status status;
    struct qn_token_entry *e = &m->entries[m->n];
    uint64_t type = PIECE_NORMAL;
    float score = 0;
    *e = (struct qn_token_entry){.s = {"", 0}, .id = m->n + m->shift};
    while (qn_protobuf_next(&p, &f, &status, err)) {
        if (f.number == 1 && f.type == QN_PROTOBUF_BYTES)
            e->s = f.bytes;
        else if (f.number == 2 && f.type == QN_PROTOBUF_FIXED32)
            score = qn_bits_f32((uint32_t)f.value);
        else if (f.number == 3 && f.type == QN_PROTOBUF_VARINT)
            type = f.value;
    }
    QN_TRY(status);
    if (type == PIECE_CONTROL || type == PIECE_UNKNOWN) {
        e->flags = QN_TOKEN_ADDED | QN_TOKEN_SPECIAL;
        e->added = QN_ADDED_SPECIAL;
    } else if (type == PIECE_USER) {
        e->flags = QN_TOKEN_ADDED;
    } else if (type == PIECE_UNUSED || type == PIECE_BYTE) {
        e->flags = QN_TOKEN_HIDDEN;
    }
    if (type == PIECE_UNKNOWN)
        m->unk = e->id;
    m->scores[e->id] = score;
    m->n++;
    return QN_OK;
}

static enum qn_status read_trainer(struct spm *m, struct qn_str bytes, struct qn_error *err) {
    struct qn_protobuf p = qn_protobuf_open(bytes);
    struct qn_protobuf_field f;
    enum qn_status status;
    while (qn_protobuf_next(&p, &f, &status, err)) {
        if (f.type != QN_PROTOBUF_VARINT)
            continue;
        if (f.number == 3)
            m->model_type = f.value;
        else if (f.number == 24)
            m->suffix = f.value != 0;
        else if (f.number == 35)
            m->byte_fallback = f.value != 0;
    }
    return status;
}

static enum qn_status read_normalizer(struct spm *m, struct qn_str bytes, struct qn_error *err) {
    struct qn_protobuf p = qn_protobuf_open(bytes);
    struct qn_protobuf_field f;
    enum qn_status status;
    while (qn_protobuf_next(&p, &f, &status, err)) {
        if (f.number == 2 && f.type == QN_PROTOBUF_BYTES)
            m->charsmap = f.bytes;
        else if (f.type == QN_PROTOBUF_VARINT && f.number == 3)
            m->dummy_prefix = f.value != 0;
        else if (f.type == QN_PROTOBUF_VARINT && f.number == 4)
            m->remove_extra = f.value != 0;
        else if (f.type == QN_PROTOBUF_VARINT && f.number == 5)
            m->escape = f.value != 0;
    }
    return status;
}

/* Two walks: the first counts the pieces, and reads the rest. */
static enum qn_status read_model(struct spm *m, struct qn_arena *scratch, struct qn_str bytes,
                                 uint32_t n_more, struct qn_error *err) {
    struct qn_protobuf_field f;
    enum qn_status status;
    struct qn_protobuf p = qn_protobuf_open(bytes);
    while (qn_protobuf_next(&p, &f, &status, err)) {
        if (f.type != QN_PROTOBUF_BYTES)
            continue;
        m->capacity += f.number == 1;
        if (f.number == 2)
            QN_TRY(read_trainer(m, f.bytes, err));
        else if (f.number == 3)
            QN_TRY(read_normalizer(m, f.bytes, err));
    }
    QN_TRY(status);
    if (m->capacity == 0 || m->capacity > 1u << 26)
        return qn_fail(err, QN_E_TOKENIZER, "a SentencePiece model of %u pieces", m->capacity);
    m->entries = QN_ARENA_NEW(scratch, struct qn_token_entry, (size_t)m->capacity + n_more);
    m->scores = QN_ARENA_NEW(scratch, double, (size_t)m->capacity + n_more);
    if (!m->entries || !m->scores)
        return qn_fail(err, QN_E_NO_MEMORY, "%u pieces", m->capacity);
    p = qn_protobuf_open(bytes);
    while (qn_protobuf_next(&p, &f, &status, err)) {
        if (f.type == QN_PROTOBUF_BYTES && f.number == 1)
            QN_TRY(read_piece(m, f.bytes, err));
    }
    return status;
}

enum qn_status qn_tokenizer_add_spm(struct qn_tokenizer *t, struct qn_arena *arena,
                                    bool dummy_prefix, bool remove_extra, struct qn_error *err) {
    const struct qn_normalizer strip = {
        .kind = QN_NORMALIZE_STRIP, .pattern = {" ", 1}, .left = true, .right = true};
    struct qn_normalizer squeeze = {.kind = QN_NORMALIZE_REPLACE_REGEX, .content = {" ", 1}};
    const struct qn_normalizer prepend = {.kind = QN_NORMALIZE_PREPEND, .content = WORD_MARK};
    const struct qn_normalizer escape = {
        .kind = QN_NORMALIZE_REPLACE, .pattern = {" ", 1}, .content = WORD_MARK};
    if (remove_extra) {
        QN_TRY(qn_tokenizer_add_normalizer(t, strip, err));
        QN_TRY(qn_regex_compile(&squeeze.regex, arena, QN_STR(" {2,}"), err));
        QN_TRY(qn_tokenizer_add_normalizer(t, squeeze, err));
    }
    if (dummy_prefix)
        QN_TRY(qn_tokenizer_add_normalizer(t, prepend, err));
    QN_TRY(qn_tokenizer_add_normalizer(t, escape, err));
    const struct qn_decoder unescape = {
        .kind = QN_DECODE_REPLACE, .pattern = WORD_MARK, .content = {" ", 1}};
    QN_TRY(qn_tokenizer_add_decoder(t, unescape, err));
    t->strip_first = dummy_prefix;
    t->byte_runs = true;
    return qn_tokenizer_add_decoder(t, (struct qn_decoder){.kind = QN_DECODE_BYTE_FALLBACK}, err);
}

static const struct spm_class *find_class(struct qn_json_value config, struct qn_str file) {
    struct qn_str name = qn_json_raw(qn_json_get(config, "tokenizer_class"));
    if (qn_str_ends(name, QN_STR("Fast")))
        name.n -= 4;
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        if (name.n > 0 ? qn_str_is(name, classes[i].name) : qn_str_is(file, classes[i].file))
            return &classes[i];
    }
    return NULL;
}

static enum qn_status add_extra(struct spm *m, struct qn_arena *scratch, uint32_t n,
                                struct qn_error *err) {
    for (uint32_t i = 0; i < n; i++) {
        struct qn_buf name; // the arena has no other way to format
        qn_buf_init(&name, scratch->allocator);
        qn_buf_format(&name, "<extra_id_%u>", n - 1 - i);
        struct qn_str s = qn_str_copy(scratch, qn_buf_view(&name));
        bool failed = name.failed || !s.p;
        qn_buf_free(&name);
        if (failed)
            return qn_fail(err, QN_E_NO_MEMORY, "%u extra tokens", n);
        m->entries[m->n] =
            (struct qn_token_entry){s, m->n, QN_TOKEN_ADDED | QN_TOKEN_SPECIAL, QN_ADDED_SPECIAL};
        m->n++;
    }
    return QN_OK;
}

/* Puts the tokens of a class before and behind the pieces. */
static void add_class_tokens(struct spm *m, const struct spm_class *class) {
    static const char *const fairseq[] = {"<s>", "<pad>", "</s>", "<unk>"};
    const uint32_t flags = QN_TOKEN_ADDED | QN_TOKEN_SPECIAL;
    if (class && class->fairseq && m->n >= 3) {
        for (uint32_t id = 0; id < 4; id++) // the pieces <unk> <s> </s> make room
            m->entries[id < 3 ? id : m->n] =
                (struct qn_token_entry){qn_str_from(fairseq[id]), id, flags, QN_ADDED_SPECIAL};
        m->n++;
        m->unk = 3;
    }
    if (class && class->mask) {
        m->entries[m->n] = (struct qn_token_entry){qn_str_from(class->mask), m->n, flags,
                                                   QN_ADDED_SPECIAL | QN_ADDED_LSTRIP};
        m->n++;
    }
}

static uint32_t token_id(const struct qn_tokenizer *t, const char *name) {
    struct qn_str s = qn_str_from(name ? name : "");
    return name ? qn_vocab_find(&t->vocab, s.p, s.n) : QN_ID_NONE;
}

/* Ordinary pieces first, so that an added one of the same string takes the same id. */
static enum qn_status build_vocab(struct qn_tokenizer *t, struct qn_arena *arena,
                                  struct qn_arena *scratch, const struct spm *m,
                                  const struct qn_token_entry *more, uint32_t n_more,
                                  struct qn_error *err) {
    struct qn_token_entry *list =
        QN_ARENA_NEW(scratch, struct qn_token_entry, (size_t)m->n + n_more);
    uint32_t n = 0;
    if (!list)
        return qn_fail(err, QN_E_NO_MEMORY, "%u pieces", m->n);
    for (uint32_t pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < m->n; i++) {
            if (((m->entries[i].flags & QN_TOKEN_ADDED) != 0) == (pass == 1))
                list[n++] = m->entries[i];
        }
    }
    for (uint32_t i = 0; i < n_more; i++)
        list[n++] = more[i];
    return qn_tokenizer_build_vocab(t, arena, list, n, (uint64_t)m->n + 65536, err);
}

enum qn_status qn_tokenizer_read_spm(struct qn_tokenizer **out, struct qn_arena *arena,
                                     struct qn_arena *scratch, struct qn_str bytes,
                                     struct qn_str file, struct qn_json_value config,
                                     struct qn_error *err) {
    const struct spm_class *class = find_class(config, file);
    struct spm m = {.model_type = MODEL_UNIGRAM,
                    .unk = -1,
                    .dummy_prefix = true,
                    .remove_extra = true,
                    .escape = true,
                    .shift = class && class->fairseq};
    struct qn_token_entry *more;
    uint32_t n_more;
    struct qn_json_value added = qn_json_get(config, "added_tokens_decoder");
    uint32_t n_extra = class && qn_json_count(added) == 0 ? class->n_extra : 0;
    if (n_extra > 0)
        qn_json_u32(&n_extra, qn_json_get(config, "extra_ids"));
    if (n_extra > MAX_EXTRA)
        return qn_fail(err, QN_E_LIMIT, "extra_ids %u", n_extra);
    QN_TRY(read_model(&m, scratch, bytes, 2 + n_extra, err));
    add_class_tokens(&m, class);
    QN_TRY(add_extra(&m, scratch, n_extra, err));
    if (m.suffix || !m.escape || (m.model_type != MODEL_UNIGRAM && m.model_type != MODEL_BPE))
        return qn_fail(err, QN_E_UNSUPPORTED, "SentencePiece model of type %u%s%s",
                       (uint32_t)m.model_type, m.suffix ? ", treat_whitespace_as_suffix" : "",
                       m.escape ? "" : ", escape_whitespaces off");
    struct qn_tokenizer *t = QN_ARENA_NEW(arena, struct qn_tokenizer, 1);
    if (!t)
        return qn_fail(err, QN_E_NO_MEMORY, "tokenizer");
    t->bos = t->eos = UINT32_MAX;
    QN_TRY(qn_tokenizer_config_tokens(&more, &n_more, scratch, added, err));
    QN_TRY(build_vocab(t, arena, scratch, &m, more, n_more, err));
    if (m.charsmap.n > 0) {
        struct qn_normalizer map = {.kind = QN_NORMALIZE_CHARSMAP};
        QN_TRY(qn_charsmap_init(&map.charsmap, arena, m.charsmap, true, err));
        QN_TRY(qn_tokenizer_add_normalizer(t, map, err));
    }
    QN_TRY(qn_tokenizer_add_spm(t, arena, m.dummy_prefix, m.remove_extra, err));
    uint32_t unk = m.unk >= 0 ? (uint32_t)m.unk : QN_ID_NONE;
    if (m.model_type == MODEL_UNIGRAM) {
        t->unigram.byte_fallback = m.byte_fallback;
        QN_TRY(qn_tokenizer_set_unigram(t, arena, m.scores, m.n, unk, err));
    } else {
        uint32_t *orders = QN_ARENA_NEW(arena, uint32_t, t->vocab.size);
        if (!orders)
            return qn_fail(err, QN_E_NO_MEMORY, "%u scores", m.n);
        for (uint32_t i = 0; i < t->vocab.size; i++)
            orders[i] = qn_bpe_order(i < m.n ? (float)m.scores[i] : -1e30f);
        t->bpe.scores = orders;
        t->bpe.byte_fallback = m.byte_fallback;
        t->bpe.unk = unk;
        QN_TRY(qn_bpe_bytes_init(&t->bpe, err));
    }
    if (class) {
        struct qn_frame frame = {.first = token_id(t, class->first),
                                 .last = token_id(t, class->last),
                                 .twice = class->twice,
                                 .one_type = class->twice || !class->first};
        QN_TRY(qn_tokenizer_frame(t, arena, frame, err));
    }
    QN_TRY(qn_tokenizer_build_finish(t, arena, err));
    *out = t;
    return QN_OK;
}
