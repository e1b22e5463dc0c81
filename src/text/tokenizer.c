#include "text/tokenizer_impl.h"

#define CACHE_FROM 8192 // bytes of text from which a cache of words pays

/* One call of encode. */
struct encoder {
    const struct qn_tokenizer *t;
    struct qn_ids *out;
    struct qn_error *err;
    bool no_special;
    struct qn_normalize_scratch normalize;
    struct qn_bpe_scratch bpe;
    struct qn_piece_scratch pieces;
    struct qn_regex_scratch regex;
    struct qn_buf rewrites[QN_MAX_STEPS]; // of pre-tokenizers that change the text
};

static struct qn_str rewrite(struct qn_buf *buf, const struct qn_pretok *step,
                             struct qn_pretok_piece piece) {
    struct qn_str s = piece.text;
    if (step->rewrite == QN_REWRITE_ADD_SPACE) {
        if (s.n == 0 || s.p[0] == ' ')
            return s;
        qn_buf_clear(buf);
        qn_buf_char(buf, ' ');
        qn_buf_str(buf, s);
        return qn_buf_view(buf);
    }
    bool prepend =
        step->prepend == QN_PREPEND_ALWAYS || (step->prepend == QN_PREPEND_FIRST && piece.at_start);
    qn_buf_clear(buf);
    if (prepend && s.n > 0 && s.p[0] != ' ' && !qn_str_starts(s, step->string))
        qn_buf_str(buf, step->string);
    for (size_t at = 0; at < s.n;) {
        const char *space = memchr(s.p + at, ' ', s.n - at);
        size_t end = space ? (size_t)(space - s.p) : s.n;
        qn_buf_append(buf, s.p + at, end - at);
        if (space)
            qn_buf_str(buf, step->string);
        at = end + (space != NULL);
    }
    return qn_buf_view(buf);
}

/* Each word is a token, or the unknown one. */
static enum qn_status word_level(struct encoder *e, struct qn_str word) {
    uint32_t id = qn_vocab_find(&e->t->vocab, word.p, word.n);
    if (id == QN_ID_NONE)
        id = e->t->unk;
    if (id == QN_ID_NONE)
        return qn_fail(e->err, QN_E_TOKENIZER, "no token for \"%.*s\"", QN_STR_ARG(word));
    return qn_ids_push(e->out, id);
}

static enum qn_status model_word(struct encoder *e, struct qn_str word) {
    const struct qn_tokenizer *t = e->t;
    switch (t->model) {
    case QN_MODEL_UNIGRAM:
        return qn_unigram_word(&t->unigram, &e->pieces, e->out, word, e->err);
    case QN_MODEL_WORDPIECE:
        return qn_wordpiece_word(&t->wordpiece, &e->pieces, e->out, word, e->err);
    case QN_MODEL_WORDLEVEL:
        return word_level(e, word);
    case QN_MODEL_BPE:
        break;
    }
    return qn_bpe_word(&t->bpe, &e->bpe, e->out, word, e->err);
}

/* Runs the steps from `step` on over one piece; at most QN_MAX_STEPS deep. */
static enum qn_status pre_tokenize(struct encoder *e, uint32_t step, struct qn_pretok_piece piece) {
    const struct qn_tokenizer *t = e->t;
    const struct qn_pretok *s = t->pretoks;
    while (step < t->n_pretoks && qn_pretok_leaves(s = &t->pretoks[step], &piece))
        step++;
    if (step == t->n_pretoks)
        return model_word(e, piece.text);
    if (s->rewrite != QN_REWRITE_NONE) {
        struct qn_buf *buf = &e->rewrites[step];
        piece.text = rewrite(buf, s, piece);
        if (buf->failed)
            return qn_fail(e->err, QN_E_NO_MEMORY, "encoding %zu bytes", piece.text.n);
    }
    struct qn_pretok_iter it = {
        .step = s, .text = piece.text, .bytes = piece.bytes, .scratch = &e->regex};
    struct qn_pretok_piece part = {.bytes = piece.bytes || s->to_bytes};
    if (s->kind == QN_SPLIT_NONE) {
        part.text = piece.text;
        part.at_start = piece.at_start;
        return part.text.n == 0 ? QN_OK : pre_tokenize(e, step + 1, part);
    }
    while (qn_pretok_next(&it, &part.text)) {
        part.at_start = piece.at_start && part.text.p == piece.text.p;
        QN_TRY(pre_tokenize(e, step + 1, part));
    }
    if (it.status == QN_E_LIMIT)
        return qn_fail(e->err, QN_E_LIMIT, "the tokenizer's regular expression takes too long");
    return it.status;
}

static struct qn_marked slice(struct qn_marked in, size_t begin, size_t end) {
    return (struct qn_marked){qn_str_slice(in.text, begin, end),
                              in.marks ? in.marks + begin : NULL};
}

/* A stretch between added tokens. */
static enum qn_status encode_stretch(struct encoder *e, struct qn_marked in, bool at_start) {
    const struct qn_tokenizer *t = e->t;
    if (in.text.n == 0)
        return QN_OK;
    QN_TRY(qn_normalize(&in, &e->normalize, t->normalizers, t->n_normalizers, in, e->err));
    size_t at = 0, done = 0;
    struct qn_added_match m;
    struct qn_pretok_piece piece = {.at_start = at_start};
    while (t->added_normalized.n > 0 &&
           qn_added_next(&t->added_normalized, &m, in, &at, done, e->no_special)) {
        piece.text = slice(in, done, m.begin).text;
        piece.at_start = at_start && done == 0;
        if (piece.text.n > 0)
            QN_TRY(pre_tokenize(e, 0, piece));
        QN_TRY(qn_ids_push(e->out, m.token->id));
        done = m.end;
    }
    piece.text = slice(in, done, in.text.n).text;
    piece.at_start = at_start && done == 0;
    return piece.text.n > 0 ? pre_tokenize(e, 0, piece) : QN_OK;
}

static enum qn_status encode_text(struct encoder *e, struct qn_marked in) {
    const struct qn_tokenizer *t = e->t;
    size_t at = 0, done = 0;
    struct qn_added_match m;
    while (t->added.n > 0 && qn_added_next(&t->added, &m, in, &at, done, e->no_special)) {
        QN_TRY(encode_stretch(e, slice(in, done, m.begin), done == 0));
        QN_TRY(qn_ids_push(e->out, m.token->id));
        done = m.end;
    }
    return encode_stretch(e, slice(in, done, in.text.n), done == 0);
}

/* One call: the texts, NULL for a missing second one, and where the type ids go. */
struct request {
    struct qn_marked text, second;
    bool has_second;
    uint32_t flags;
    struct qn_ids *types; // or NULL
};

static enum qn_status push_types(struct encoder *e, const struct request *r, uint32_t type) {
    while (r->types && r->types->n < e->out->n)
        QN_TRY(qn_ids_push(r->types, type));
    return QN_OK;
}

static enum qn_status encode_items(struct encoder *e, const struct request *r) {
    static const struct qn_template_item plain[] = {
        {.kind = QN_ITEM_TEXT},
        {.kind = QN_ITEM_SECOND, .type = 1},
    };
    const struct qn_template_ids *list = r->has_second ? &e->t->pair : &e->t->single;
    const struct qn_template_item *items = list->items;
    uint32_t n = list->n;
    bool special = (r->flags & QN_ENCODE_SPECIAL) != 0;
    if (!items || (!special && !r->has_second)) {
        items = plain;
        n = r->has_second ? 2 : 1;
    }
    for (uint32_t i = 0; i < n; i++) {
        if (items[i].kind != QN_ITEM_TOKEN)
            QN_TRY(encode_text(e, items[i].kind == QN_ITEM_TEXT ? r->text : r->second));
        else if (special)
            QN_TRY(qn_ids_push(e->out, items[i].id));
        QN_TRY(push_types(e, r, items[i].type));
    }
    return QN_OK;
}

/* Gives the scratch and takes back what was appended when something failed. */
static enum qn_status encode_request(const struct qn_tokenizer *t, struct qn_ids *out,
                                     const struct request *r, struct qn_error *err) {
    size_t before = out->n, types_before = r->types ? r->types->n : 0, n = r->text.text.n;
    struct encoder e = {
        .t = t, .out = out, .err = err, .no_special = (r->flags & QN_ENCODE_NO_MATCH) != 0};
    const struct qn_allocator *allocator = out->allocator;
    qn_normalize_scratch_init(&e.normalize, allocator);
    qn_bpe_scratch_init(&e.bpe, allocator);
    qn_piece_scratch_init(&e.pieces, allocator);
    e.regex.allocator = allocator;
    e.regex.steps = 1000000 + 500 * ((uint64_t)n + r->second.text.n);
    for (uint32_t i = 0; i < t->n_pretoks; i++)
        qn_buf_init(&e.rewrites[i], allocator);
    if (n >= CACHE_FROM)
        qn_word_cache_init(t->model == QN_MODEL_BPE ? &e.bpe.cache : &e.pieces.cache, allocator, n);
    enum qn_status status = encode_items(&e, r);
    for (uint32_t i = 0; i < t->n_pretoks; i++)
        qn_buf_free(&e.rewrites[i]);
    qn_regex_scratch_free(&e.regex);
    qn_piece_scratch_free(&e.pieces);
    qn_bpe_scratch_free(&e.bpe);
    qn_normalize_scratch_free(&e.normalize);
    if (status != QN_OK) {
        out->n = before;
        if (r->types)
            r->types->n = types_before;
        if (status == QN_E_NO_MEMORY)
            return qn_fail(err, status, "encoding %zu bytes", n);
    }
    return status;
}

#define MAX_TEXT ((size_t)1 << 30)

static enum qn_status check_size(struct qn_str text, struct qn_error *err) {
    if (text.n > MAX_TEXT)
        return qn_fail(err, QN_E_LIMIT, "a text of %zu bytes, at most 1 GiB", text.n);
    return QN_OK;
}

enum qn_status qn_tokenizer_encode(const struct qn_tokenizer *t, struct qn_ids *out,
                                   struct qn_str text, uint32_t flags, const struct qn_span *plain,
                                   size_t n_plain, struct qn_error *err) {
    size_t last = 0;
    QN_TRY(check_size(text, err));
    for (size_t i = 0; i < n_plain; i++) {
        if (plain[i].begin < last || plain[i].end < plain[i].begin || plain[i].end > text.n)
            return qn_fail(err, QN_E_ARGUMENT, "plain span %zu is not sorted or not in the text",
                           i);
        last = plain[i].end;
    }
    struct request r = {.text.text = text, .flags = flags};
    char *marks = NULL;
    if (n_plain > 0 && !(flags & QN_ENCODE_NO_MATCH) && text.n > 0) {
        marks = qn_mem_alloc(out->allocator, text.n);
        if (!marks)
            return qn_fail(err, QN_E_NO_MEMORY, "encoding %zu bytes", text.n);
        memset(marks, 0, text.n);
        for (size_t i = 0; i < n_plain; i++)
            memset(marks + plain[i].begin, 1, plain[i].end - plain[i].begin);
        r.text.marks = marks;
    }
    enum qn_status status = encode_request(t, out, &r, err);
    qn_mem_free(out->allocator, marks, text.n);
    return status;
}

enum qn_status qn_tokenizer_encode_pair(const struct qn_tokenizer *t, struct qn_ids *out,
                                        struct qn_ids *types, struct qn_str text,
                                        const struct qn_str *second, uint32_t flags,
                                        struct qn_error *err) {
    struct request r = {.text.text = text, .flags = flags, .types = types};
    QN_TRY(check_size(text, err));
    if (types && types->n != out->n)
        return qn_fail(err, QN_E_ARGUMENT, "%zu type ids for %zu ids", types->n, out->n);
    if (second) {
        QN_TRY(check_size(*second, err));
        r.second.text = *second;
        r.has_second = true;
    }
    return encode_request(t, out, &r, err);
}

uint32_t qn_tokenizer_size(const struct qn_tokenizer *t) {
    return t->vocab.size;
}

bool qn_tokenizer_is_special(const struct qn_tokenizer *t, uint32_t id) {
    return (qn_vocab_flags(&t->vocab, id) & QN_TOKEN_SPECIAL) != 0;
}

struct qn_str qn_tokenizer_token(const struct qn_tokenizer *t, uint32_t id) {
    return qn_vocab_str(&t->vocab, id);
}

/* Whether the template `marks` speaks of a token between brackets. */
static bool is_mark(struct qn_str s, struct qn_str marks) {
    return s.n >= 3 && (s.p[0] == '<' || s.p[0] == '[') &&
           (s.p[s.n - 1] == '>' || s.p[s.n - 1] == ']') && qn_str_find(marks, s, 0) != SIZE_MAX;
}

static void guard(struct qn_tokenizer *t, struct qn_str marks, uint32_t id) {
    for (int which = 0; which < 2; which++) {
        struct qn_added *added = which ? &t->added_normalized : &t->added;
        for (uint32_t i = 0; i < added->n; i++) {
            struct qn_added_token *token = &added->list[i];
            if ((token->flags & QN_ADDED_SPECIAL) ||
                (token->id != id && !is_mark(token->content, marks)))
                continue;
            token->flags |= QN_ADDED_GUARDED;
            t->vocab.tokens[token->id].bytes |= (uint32_t)QN_TOKEN_HIDDEN << 24;
        }
    }
}

void qn_tokenizer_guard(struct qn_tokenizer *t, struct qn_str marks) {
    guard(t, marks, UINT32_MAX);
}

void qn_tokenizer_guard_id(struct qn_tokenizer *t, uint32_t id) {
    guard(t, (struct qn_str){0}, id);
}

enum qn_status qn_tokenizer_bytes(const struct qn_tokenizer *t, struct qn_buf *out, uint32_t id) {
    struct qn_piece_place place = {.first = false};
    if (id >= t->vocab.size)
        return QN_E_ARGUMENT;
    qn_tokenizer_piece(t, out, id, &place);
    return out->failed ? QN_E_NO_MEMORY : QN_OK;
}

bool qn_tokenizer_find(const struct qn_tokenizer *t, uint32_t *out, struct qn_str token) {
    uint32_t id = qn_vocab_find(&t->vocab, token.p, token.n);
    if (id == QN_ID_NONE)
        return false;
    *out = id;
    return true;
}

uint32_t qn_tokenizer_bos(const struct qn_tokenizer *t) {
    return t->bos;
}

uint32_t qn_tokenizer_eos(const struct qn_tokenizer *t) {
    return t->eos;
}
