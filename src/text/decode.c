/* Ids to text: the decoder's steps for one token, and for all at once. */
#include "base/utf8.h"
#include "text/bytes.h"
#include "text/tokenizer_impl.h"
#include "text/unicode.h"

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

/* A pattern that takes too long leaves the rest of the token as it is. */
static void decode_regex(struct qn_buf *out, struct qn_str s, const struct qn_decoder *d) {
    struct qn_regex_scratch scratch = {.allocator = out->allocator, .steps = 1000000};
    struct qn_regex_walk walk = {.last = SIZE_MAX};
    size_t at = 0, begin, end;
    enum qn_status status;
    while ((status = qn_regex_next(d->regex, &scratch, &walk, &begin, &end, s)) == QN_OK &&
           begin != SIZE_MAX) {
        qn_buf_append(out, s.p + at, begin - at);
        qn_buf_str(out, d->content);
        at = end;
    }
    qn_buf_append(out, s.p + at, s.n - at);
    out->failed |= status == QN_E_NO_MEMORY;
    qn_regex_scratch_free(&scratch);
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

/* `from` by the shorter `to` in out->p[start…]. */
static void shorten(struct qn_buf *out, size_t start, struct qn_str from, struct qn_str to) {
    size_t found, at = start, end = start;
    struct qn_str s = qn_buf_view(out);
    if (qn_str_find(s, from, start) == SIZE_MAX)
        return;
    for (; (found = qn_str_find(s, from, at)) != SIZE_MAX; at = found + from.n) {
        memmove(out->p + end, out->p + at, found - at);
        end += found - at;
        memcpy(out->p + end, to.p, to.n);
        end += to.n;
    }
    memmove(out->p + end, out->p + at, out->n - at);
    out->n = end + out->n - at;
}

static void clean_up(struct qn_buf *out, size_t start) {
    static const char *const pairs[][2] = {
        {" .", "."},   {" ?", "?"},     {" !", "!"},     {" ,", ","},
        {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},   {" do not", " don't"},
        {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0] && !out->failed; i++)
        shorten(out, start, qn_str_from(pairs[i][0]), qn_str_from(pairs[i][1]));
}

static void strip(struct qn_buf *out, struct qn_str s, const struct qn_decoder *d) {
    for (uint32_t i = 0; i < d->start && qn_str_starts(s, d->pattern); i++)
        s = qn_str_slice(s, d->pattern.n, s.n);
    for (uint32_t i = 0; i < d->stop && qn_str_ends(s, d->pattern); i++)
        s.n -= d->pattern.n;
    qn_buf_str(out, s);
}

static bool changes(const struct qn_decoder *d, struct qn_str s) {
    switch (d->kind) {
    case QN_DECODE_METASPACE:
    case QN_DECODE_REPLACE:
    case QN_DECODE_WORD_END:
        return d->regex || qn_str_find(s, d->pattern, 0) != SIZE_MAX;
    case QN_DECODE_BYTE_FALLBACK:
        return qn_byte_token(s) != UINT32_MAX;
    default:
        return true;
    }
}

/* Appends what the step makes of `s`, which does not lie in `out`. */
static void run_step(const struct qn_decoder *d, struct qn_buf *out, struct qn_str s,
                     struct qn_piece_place *place) {
    size_t start = out->n;
    struct qn_str none = {"", 0};
    switch (d->kind) {
    case QN_DECODE_BYTE_LEVEL:
        if (!decode_byte_level(out, s))
            qn_buf_str(out, s);
        break;
    case QN_DECODE_BYTE_FALLBACK:
        qn_buf_char(out, (char)qn_byte_token(s));
        place->is_byte = true;
        break;
    case QN_DECODE_REPLACE:
        if (d->regex)
            decode_regex(out, s, d);
        else
            decode_replace(out, s, d->pattern, d->content);
        break;
    case QN_DECODE_METASPACE:
        decode_replace(out, s, d->pattern, place->first && d->drop_first ? none : QN_STR(" "));
        break;
    case QN_DECODE_WORD_END:
        decode_replace(out, s, d->pattern, place->last ? none : QN_STR(" "));
        break;
    case QN_DECODE_WORDPIECE:
        if (!place->first && qn_str_starts(s, d->pattern))
            s = qn_str_slice(s, d->pattern.n, s.n);
        else if (!place->first)
            qn_buf_char(out, ' ');
        qn_buf_str(out, s);
        break;
    case QN_DECODE_CLEANUP:
        qn_buf_str(out, s);
        clean_up(out, start);
        break;
    case QN_DECODE_STRIP:
        strip(out, s, d);
        break;
    }
}

void qn_tokenizer_piece(const struct qn_tokenizer *t, struct qn_buf *out, uint32_t id,
                        struct qn_piece_place *place) {
    struct qn_str s = qn_vocab_str(&t->vocab, id);
    size_t before = out->n;
    bool was_first = place->first, copied = false;
    place->is_byte = false;
    if (t->join_with_space && !was_first)
        qn_buf_char(out, ' ');
    size_t start = out->n;
    for (uint32_t i = 0; i < t->n_decoders && !place->is_byte && !out->failed; i++) {
        const struct qn_decoder *d = &t->decoders[i];
        if (copied)
            s = qn_str_slice(qn_buf_view(out), start, out->n);
        if (!changes(d, s))
            continue;
        struct qn_buf input; // a copy of what the step before wrote
        qn_buf_init(&input, out->allocator);
        if (copied && d->kind == QN_DECODE_CLEANUP) { // works in place
            clean_up(out, start);
            continue;
        }
        if (copied) {
            qn_buf_str(&input, s);
            out->failed |= input.failed;
            out->n = start;
            s = qn_buf_view(&input);
        }
        if (!out->failed)
            run_step(d, out, s, place);
        qn_buf_free(&input);
        copied = true;
    }
    if (!copied)
        qn_buf_str(out, s);
    if (t->strip_first && was_first && out->n > before && out->p[before] == ' ') {
        memmove(out->p + before, out->p + before + 1, out->n - before - 1);
        out->n--;
        place->first = false;
    }
    if (out->n > before || !t->strip_first)
        place->first = false;
}

static bool is_skipped(const struct qn_tokenizer *t, uint32_t id, uint32_t flags) {
    uint32_t token_flags = qn_vocab_flags(&t->vocab, id);
    return token_flags == 0 ||
           ((flags & QN_DECODE_SKIP_SPECIAL) && (token_flags & QN_TOKEN_SPECIAL));
}

enum qn_status qn_tokenizer_decode(const struct qn_tokenizer *t, struct qn_buf *out,
                                   const uint32_t *ids, size_t n, uint32_t flags,
                                   struct qn_error *err) {
    struct qn_buf raw;
    struct qn_piece_place place = {.first = true};
    size_t bytes_begin = SIZE_MAX; // of a run of byte tokens in `raw`
    size_t last = n;               // one behind the last token that is not skipped
    uint32_t previous = QN_ID_NONE;
    for (size_t i = 0; i < n; i++) {
        if (ids[i] >= t->vocab.size)
            return qn_fail(err, QN_E_ARGUMENT, "token id %u of %u", ids[i], t->vocab.size);
    }
    while (last > 0 && is_skipped(t, ids[last - 1], flags))
        last--;
    qn_buf_init(&raw, out->allocator);
    for (size_t i = 0; i <= n && !raw.failed; i++) {
        uint32_t id = i < n ? ids[i] : QN_ID_NONE;
        if (i < n && (is_skipped(t, id, flags) || (t->drop_repeats && id == previous)))
            continue;
        size_t before = raw.n;
        bool is_byte = false;
        previous = id;
        if (i < n) {
            place.last = i + 1 == last;
            qn_tokenizer_piece(t, &raw, id, &place);
            is_byte = place.is_byte;
        }
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
    for (uint32_t i = 0; i < t->strip_last && raw.n > 0 && raw.p[raw.n - 1] == ' '; i++)
        raw.n--;
    if (!raw.failed)
        qn_utf8_append_lossy(out, qn_buf_view(&raw));
    bool failed = raw.failed || out->failed;
    qn_buf_free(&raw);
    return failed ? qn_fail(err, QN_E_NO_MEMORY, "decoding %zu tokens", n) : QN_OK;
}
