/* Normalisers: the steps that rewrite text before it is split. Every byte may carry a mark, "came
 * from an untrusted span", and what is made of marked bytes is marked. */
#ifndef QN_TEXT_NORMALIZE_H
#define QN_TEXT_NORMALIZE_H

#include "base/str.h"

enum qn_normalizer_kind {
    QN_NORMALIZE_NFC,
    QN_NORMALIZE_PREPEND, // `content` before text that is not empty
    QN_NORMALIZE_REPLACE, // every `pattern`, a string, by `content`
};

struct qn_normalizer {
    enum qn_normalizer_kind kind;
    struct qn_str pattern, content;
};

/* A slice of text with its marks: one byte per byte, or NULL where nothing is marked. */
struct qn_marked {
    struct qn_str text;
    const char *marks;
};

/* A buffer of marked text. */
struct qn_marked_buf {
    struct qn_buf text;
    struct qn_buf marks; // empty unless `marked`
    bool marked;
};

void qn_marked_init(struct qn_marked_buf *buf, const struct qn_allocator *allocator);
void qn_marked_free(struct qn_marked_buf *buf);
void qn_marked_clear(struct qn_marked_buf *buf, bool marked);
void qn_marked_append(struct qn_marked_buf *buf, struct qn_str text, char mark);
struct qn_marked qn_marked_view(const struct qn_marked_buf *buf);

/* Code points of one run being normalised; kept between calls. */
struct qn_code_points {
    const struct qn_allocator *allocator;
    uint32_t *p;
    size_t n, capacity;
};

/* Scratch of qn_normalize. */
struct qn_normalize_scratch {
    struct qn_marked_buf text[2];
    struct qn_code_points run, sorted;
};

void qn_normalize_scratch_init(struct qn_normalize_scratch *s,
                               const struct qn_allocator *allocator);
void qn_normalize_scratch_free(struct qn_normalize_scratch *s);

/* Applies the steps; *out is `in` itself or lies in the scratch until its next use. */
enum qn_status qn_normalize(struct qn_marked *out, struct qn_normalize_scratch *scratch,
                            const struct qn_normalizer *steps, uint32_t n_steps,
                            struct qn_marked in, struct qn_error *err);

#endif
