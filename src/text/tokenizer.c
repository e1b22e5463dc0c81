#include "text/tokenizer_impl.h"

#include "base/utf8.h"
#include "text/unicode.h"

#define CACHE_FROM 8192 // bytes of text from which a cache of words pays

void qn_ids_init(struct qn_ids *ids, const struct qn_allocator *allocator) {
    *ids = (struct qn_ids){.allocator = allocator};
}

void qn_ids_free(struct qn_ids *ids) {
    qn_mem_free(ids->allocator, ids->p, ids->capacity * sizeof *ids->p);
    qn_ids_init(ids, ids->allocator);
}

enum qn_status qn_ids_push(struct qn_ids *ids, uint32_t id) {
    if (ids->n == ids->capacity) {
        size_t capacity = ids->capacity ? ids->capacity * 2 : 64;
        if (capacity > SIZE_MAX / sizeof *ids->p)
            return QN_E_NO_MEMORY;
        uint32_t *p =
            qn_mem_grow(ids->allocator, ids->p, ids->capacity * sizeof *p, capacity * sizeof *p);
        if (!p)
            return QN_E_NO_MEMORY;
        ids->p = p;
        ids->capacity = capacity;
    }
    ids->p[ids->n++] = id;
    return QN_OK;
}

/* One call of encode. */
struct encoder {
    const struct qn_tokenizer *t;
    struct qn_ids *out;
    struct qn_error *err;
    bool no_special;
    struct qn_normalize_scratch normalize;
    struct qn_bpe_scratch bpe;
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

/* Runs the steps from `step` on over one piece; at most QN_MAX_STEPS deep. */
static enum qn_status pre_tokenize(struct encoder *e, uint32_t step, struct qn_pretok_piece piece) {
    const struct qn_tokenizer *t = e->t;
    if (step == t->n_pretoks)
        return qn_bpe_word(&t->bpe, &e->bpe, e->out, piece.text, e->err);
    const struct qn_pretok *s = &t->pretoks[step];
    if (s->rewrite != QN_REWRITE_NONE) {
        struct qn_buf *buf = &e->rewrites[step];
        piece.text = rewrite(buf, s, piece);
        if (buf->failed)
            return qn_fail(e->err, QN_E_NO_MEMORY, "encoding %zu bytes", piece.text.n);
    }
    struct qn_pretok_iter it = {.step = s, .text = piece.text, .bytes = piece.bytes};
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
    return QN_OK;
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

static enum qn_status encode_items(struct encoder *e, struct qn_marked in, uint32_t flags) {
    const struct qn_tokenizer *t = e->t;
    if (!(flags & QN_ENCODE_SPECIAL) || !t->items)
        return encode_text(e, in);
    for (uint32_t i = 0; i < t->n_items; i++) {
        if (t->items[i].is_text)
            QN_TRY(encode_text(e, in));
        else
            QN_TRY(qn_ids_push(e->out, t->items[i].id));
    }
    return QN_OK;
}

enum qn_status qn_tokenizer_encode(const struct qn_tokenizer *t, struct qn_ids *out,
                                   struct qn_str text, uint32_t flags, const struct qn_span *plain,
                                   size_t n_plain, struct qn_error *err) {
    size_t before = out->n, last = 0;
    if (text.n > 1u << 30)
        return qn_fail(err, QN_E_LIMIT, "a text of %zu bytes, at most 1 GiB", text.n);
    for (size_t i = 0; i < n_plain; i++) {
        if (plain[i].begin < last || plain[i].end < plain[i].begin || plain[i].end > text.n)
            return qn_fail(err, QN_E_ARGUMENT, "plain span %zu is not sorted or not in the text",
                           i);
        last = plain[i].end;
    }
    struct encoder e = {
        .t = t, .out = out, .err = err, .no_special = (flags & QN_ENCODE_NO_MATCH) != 0};
    const struct qn_allocator *allocator = out->allocator;
    qn_normalize_scratch_init(&e.normalize, allocator);
    qn_bpe_scratch_init(&e.bpe, allocator);
    for (uint32_t i = 0; i < t->n_pretoks; i++)
        qn_buf_init(&e.rewrites[i], allocator);
    struct qn_marked in = {.text = text};
    char *marks = NULL;
    enum qn_status status = QN_OK;
    if (n_plain > 0 && !e.no_special && text.n > 0) {
        marks = qn_mem_alloc(allocator, text.n);
        if (!marks) {
            status = QN_E_NO_MEMORY;
        } else {
            memset(marks, 0, text.n);
            for (size_t i = 0; i < n_plain; i++)
                memset(marks + plain[i].begin, 1, plain[i].end - plain[i].begin);
            in.marks = marks;
        }
    }
    if (text.n >= CACHE_FROM)
        qn_bpe_scratch_cache(&e.bpe);
    if (status == QN_OK)
        status = encode_items(&e, in, flags);
    qn_mem_free(allocator, marks, text.n);
    for (uint32_t i = 0; i < t->n_pretoks; i++)
        qn_buf_free(&e.rewrites[i]);
    qn_bpe_scratch_free(&e.bpe);
    qn_normalize_scratch_free(&e.normalize);
    if (status != QN_OK) {
        out->n = before;
        if (status == QN_E_NO_MEMORY)
            return qn_fail(err, status, "encoding %zu bytes", text.n);
    }
    return status;
}

/* The text of a token under one decoder step: `s` is read, `out` is written from scratch. */
static void decode_replace(struct qn_buf *out, struct qn_str s, struct qn_str pattern,
                           struct qn_str content) {
    size_t at = 0, found;
    while ((found = qn_str_find(s, pattern, at)) != SIZE_MAX) {
        qn_buf_append(out, s.p + at, found - at);
        qn_buf_str(out, content);
        at = found + pattern.n;
    }
    qn_buf_append(out, s.p + at, s.n - at);
}

/* False when a character is none of GPT-2's: the token then stands for itself. */
static bool decode_byte_level(struct qn_buf *out, struct qn_str s) {
    size_t before = out->n;
    for (size_t at = 0; at < s.n;) {
        uint32_t byte = qn_char_to_byte(qn_unicode_next(s, &at));
        if (byte == UINT32_MAX) {
            out->n = before;
            return false;
        }
        qn_buf_char(out, (char)byte);
    }
    return true;
}

void qn_tokenizer_piece(const struct qn_tokenizer *t, struct qn_buf *out, uint32_t id, bool *first,
                        bool *is_byte) {
    struct qn_str s = qn_vocab_str(&t->vocab, id);
    size_t before = out->n;
    bool was_first = *first;
    *is_byte = false;
    if (t->join_with_space && !*first)
        qn_buf_char(out, ' ');
    /* Steps work at the end of `out`: each reads what the last one wrote behind what it writes. */
    size_t start = out->n;
    bool copied = false;
    for (uint32_t i = 0; i < t->n_decoders; i++) {
        const struct qn_decoder *d = &t->decoders[i];
        uint32_t byte;
        size_t end = out->n;
        switch (d->kind) {
        case QN_DECODE_BYTE_LEVEL:
            if (!copied && decode_byte_level(out, s))
                copied = true;
            break;
        case QN_DECODE_BYTE_FALLBACK:
            byte = qn_byte_token(s);
            if (byte != UINT32_MAX) {
                out->n = start;
                qn_buf_char(out, (char)byte);
                *is_byte = true;
                copied = true;
            }
            break;
        case QN_DECODE_METASPACE:
        case QN_DECODE_REPLACE:
            if (qn_str_find(s, d->pattern, 0) == SIZE_MAX)
                break;
            /* `s` may lie in `out`, which may move while growing. */
            if (copied && !qn_buf_reserve(out, s.n * (d->content.n + 2)))
                return;
            if (copied)
                s = qn_str_slice(qn_buf_view(out), start, out->n);
            decode_replace(out, s, d->pattern,
                           d->kind == QN_DECODE_REPLACE ? d->content
                           : was_first && d->drop_first ? (struct qn_str){"", 0}
                                                        : QN_STR(" "));
            if (out->failed)
                return;
            if (copied) {
                memmove(out->p + start, out->p + end, out->n - end);
                out->n -= end - start;
            }
            copied = true;
            break;
        }
        if (copied && !out->failed)
            s = qn_str_slice(qn_buf_view(out), start, out->n);
        if (*is_byte)
            break;
    }
    if (!copied)
        qn_buf_str(out, s);
    if (t->strip_first && was_first && out->n > before && out->p[before] == ' ') {
        memmove(out->p + before, out->p + before + 1, out->n - before - 1);
        out->n--;
        *first = false;
    }
    if (out->n > before || !t->strip_first)
        *first = false;
}

enum qn_status qn_tokenizer_decode(const struct qn_tokenizer *t, struct qn_buf *out,
                                   const uint32_t *ids, size_t n, uint32_t flags,
                                   struct qn_error *err) {
    struct qn_buf raw;
    bool first = true;
    size_t bytes_begin = SIZE_MAX; // of a run of byte tokens in `raw`
    for (size_t i = 0; i < n; i++) {
        if (ids[i] >= t->vocab.size)
            return qn_fail(err, QN_E_ARGUMENT, "token id %u of %u", ids[i], t->vocab.size);
    }
    qn_buf_init(&raw, out->allocator);
    for (size_t i = 0; i <= n && !raw.failed; i++) {
        uint32_t id = i < n ? ids[i] : 0, token_flags = i < n ? qn_vocab_flags(&t->vocab, id) : 0;
        if (i < n && (token_flags == 0 ||
                      ((flags & QN_DECODE_SKIP_SPECIAL) && (token_flags & QN_TOKEN_SPECIAL))))
            continue;
        size_t before = raw.n;
        bool is_byte = false;
        if (i < n)
            qn_tokenizer_piece(t, &raw, id, &first, &is_byte);
        if (!t->byte_runs || raw.failed)
            continue;
        if (is_byte) {
            if (bytes_begin == SIZE_MAX)
                bytes_begin = before;
            continue;
        }
        if (bytes_begin == SIZE_MAX)
            continue;
        /* The run ended: a run that is not UTF-8 becomes one U+FFFD for each of its bytes. */
        struct qn_str run = {raw.p + bytes_begin, before - bytes_begin};
        if (qn_utf8_check(run) != SIZE_MAX) {
            struct qn_buf fixed;
            qn_buf_init(&fixed, out->allocator);
            for (size_t k = 0; k < run.n; k++)
                qn_buf_append(&fixed, "\xef\xbf\xbd", 3);
            qn_buf_append(&fixed, raw.p + before, raw.n - before);
            raw.n = bytes_begin;
            qn_buf_str(&raw, qn_buf_view(&fixed));
            raw.failed |= fixed.failed;
            qn_buf_free(&fixed);
        }
        bytes_begin = SIZE_MAX;
    }
    if (!raw.failed)
        qn_utf8_append_lossy(out, qn_buf_view(&raw));
    bool failed = raw.failed || out->failed;
    qn_buf_free(&raw);
    return failed ? qn_fail(err, QN_E_NO_MEMORY, "decoding %zu tokens", n) : QN_OK;
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

enum qn_status qn_tokenizer_bytes(const struct qn_tokenizer *t, struct qn_buf *out, uint32_t id) {
    bool first = false, is_byte;
    if (id >= t->vocab.size)
        return QN_E_ARGUMENT;
    qn_tokenizer_piece(t, out, id, &first, &is_byte);
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
