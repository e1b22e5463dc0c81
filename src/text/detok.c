#include "text/detok.h"

#include "text/tokenizer_impl.h"
#include "text/unicode.h"

void qn_detok_init(struct qn_detok *d, const struct qn_tokenizer *tokenizer,
                   const struct qn_allocator *allocator, const struct qn_str *stops, size_t n_stops,
                   bool skip_special) {
    *d = (struct qn_detok){.tokenizer = tokenizer,
                           .stops = stops,
                           .n_stops = n_stops,
                           .skip_special = skip_special,
                           .first = true};
    qn_buf_init(&d->pending, allocator);
}

void qn_detok_free(struct qn_detok *d) {
    qn_buf_free(&d->pending);
}

/* The stop string that is complete first, wherever the stream is cut: the smallest end, and the
 * longest string among those. */
static bool find_stop(const struct qn_detok *d, size_t *begin) {
    struct qn_str s = qn_buf_view(&d->pending);
    size_t best_end = SIZE_MAX;
    for (size_t i = 0; i < d->n_stops; i++) {
        if (d->stops[i].n == 0)
            continue;
        size_t at = qn_str_find(s, d->stops[i], 0), end = at + d->stops[i].n;
        if (at != SIZE_MAX && (end < best_end || (end == best_end && at < *begin))) {
            best_end = end;
            *begin = at;
        }
    }
    return best_end != SIZE_MAX;
}

/* Where the longest end of the pending text begins that may still become a stop string. */
static size_t held_from(const struct qn_detok *d) {
    size_t n = d->pending.n, from = n;
    for (size_t i = 0; i < d->n_stops; i++) {
        struct qn_str stop = d->stops[i];
        size_t longest = stop.n > 0 ? qn_min_size(stop.n - 1, n) : 0;
        for (size_t k = longest; k > n - from; k--) {
            if (memcmp(d->pending.p + n - k, stop.p, k) == 0) {
                from = n - k;
                break;
            }
        }
    }
    return from;
}

static void give(struct qn_detok *d, struct qn_buf *out, size_t n) {
    qn_utf8_append_lossy(out, qn_str_slice(qn_buf_view(&d->pending), 0, n));
    if (n > 0 && n < d->pending.n)
        memmove(d->pending.p, d->pending.p + n, d->pending.n - n);
    d->pending.n -= n;
}

static bool is_shown(const struct qn_detok *d, uint32_t id) {
    for (uint32_t i = 0; i < d->n_shown; i++)
        if (d->shown[i] == id)
            return true;
    return false;
}

enum qn_status qn_detok_push(struct qn_detok *d, struct qn_buf *out, uint32_t id,
                             struct qn_error *err) {
    const struct qn_tokenizer *t = d->tokenizer;
    struct qn_piece_place place = {.first = d->first};
    if (id >= t->vocab.size)
        return qn_fail(err, QN_E_ARGUMENT, "token id %u of %u", id, t->vocab.size);
    uint32_t flags = qn_vocab_flags(&t->vocab, id);
    if (d->stopped || flags == 0 ||
        (d->skip_special && (flags & QN_TOKEN_SPECIAL) && !is_shown(d, id)))
        return QN_OK;
    qn_tokenizer_piece(t, &d->pending, id, &place);
    d->first = place.first;
    size_t stop;
    if (!d->pending.failed && find_stop(d, &stop)) {
        give(d, out, stop);
        qn_buf_clear(&d->pending);
        d->stopped = true;
    } else if (!d->pending.failed) {
        size_t whole = qn_utf8_complete(qn_buf_view(&d->pending));
        give(d, out, qn_min_size(whole, held_from(d)));
    }
    return d->pending.failed || out->failed ? qn_fail(err, QN_E_NO_MEMORY, "text of token %u", id)
                                            : QN_OK;
}

enum qn_status qn_detok_finish(struct qn_detok *d, struct qn_buf *out, struct qn_error *err) {
    if (!d->stopped)
        give(d, out, d->pending.n);
    qn_buf_clear(&d->pending);
    return out->failed ? qn_fail(err, QN_E_NO_MEMORY, "end of the text") : QN_OK;
}
