/* Text of which every byte may carry a mark: "came from an untrusted span". What is made of marked
 * bytes is marked. */
#ifndef QN_TEXT_MARKED_H
#define QN_TEXT_MARKED_H

#include "base/buf.h"

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
/* A part of `in` as it is, marks included; and whether any byte of it is marked. */
void qn_marked_slice(struct qn_marked_buf *buf, struct qn_marked in, size_t begin, size_t end);
char qn_mark_of(struct qn_marked in, size_t begin, size_t end);
struct qn_marked qn_marked_view(const struct qn_marked_buf *buf);

#endif
