#include "text/marked.h"

void qn_marked_init(struct qn_marked_buf *buf, const struct qn_allocator *allocator) {
    qn_buf_init(&buf->text, allocator);
    qn_buf_init(&buf->marks, allocator);
    buf->marked = false;
}

void qn_marked_free(struct qn_marked_buf *buf) {
    qn_buf_free(&buf->text);
    qn_buf_free(&buf->marks);
}

void qn_marked_clear(struct qn_marked_buf *buf, bool marked) {
    qn_buf_clear(&buf->text);
    qn_buf_clear(&buf->marks);
    buf->marked = marked;
}

void qn_marked_append(struct qn_marked_buf *buf, struct qn_str text, char mark) {
    qn_buf_str(&buf->text, text);
    if (buf->marked && qn_buf_reserve(&buf->marks, text.n)) {
        for (size_t i = 0; i < text.n; i++)
            qn_buf_char(&buf->marks, mark);
    }
}

void qn_marked_slice(struct qn_marked_buf *buf, struct qn_marked in, size_t begin, size_t end) {
    qn_buf_append(&buf->text, in.text.p + begin, end - begin);
    if (buf->marked)
        qn_buf_append(&buf->marks, in.marks + begin, end - begin);
}

char qn_mark_of(struct qn_marked in, size_t begin, size_t end) {
    if (!in.marks)
        return 0;
    for (size_t i = begin; i < end; i++) {
        if (in.marks[i])
            return 1;
    }
    return 0;
}

struct qn_marked qn_marked_view(const struct qn_marked_buf *buf) {
    return (struct qn_marked){qn_buf_view(&buf->text), buf->marked ? buf->marks.p : NULL};
}
