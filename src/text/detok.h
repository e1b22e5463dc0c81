/* Streaming detokeniser: ids in, text out, never half a UTF-8 character, never any part of a stop
 * string. Text that could still become a stop string is held back until it cannot. */
#ifndef QN_TEXT_DETOK_H
#define QN_TEXT_DETOK_H

#include "base/buf.h"
#include "text/tokenizer.h"

struct qn_detok {
    const struct qn_tokenizer *tokenizer;
    struct qn_buf pending;      // bytes not yet given out
    const struct qn_str *stops; // owned by the caller
    size_t n_stops;
    const uint32_t *shown; // special tokens that are not skipped; the caller's
    uint32_t n_shown;
    bool skip_special;
    bool first;   // nothing decoded yet: SentencePiece drops one leading space
    bool stopped; // a stop string was completed; the rest is discarded
};

void qn_detok_init(struct qn_detok *d, const struct qn_tokenizer *tokenizer,
                   const struct qn_allocator *allocator, const struct qn_str *stops, size_t n_stops,
                   bool skip_special);
void qn_detok_free(struct qn_detok *d);
/* Appends to `out` the text that is now certain. Sets d->stopped when a stop string came. */
enum qn_status qn_detok_push(struct qn_detok *d, struct qn_buf *out, uint32_t id,
                             struct qn_error *err);
/* End of the stream: appends what was held back (ill-formed rest as U+FFFD), unless stopped. */
enum qn_status qn_detok_finish(struct qn_detok *d, struct qn_buf *out, struct qn_error *err);

#endif
