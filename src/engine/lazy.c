/* Calls that a model may make: everything is free until one begins, then the grammar of calls holds
 * until it is complete. What counts as a beginning is what the reader of answers (reply.c) takes
 * for one. */
#include <string.h>

#include "base/num.h"
#include "engine/engine.h"

/* How many bytes of `mark` the text ends with, after k of them and another byte. */
static size_t follow(struct qn_str mark, size_t k, char byte) {
    size_t n = k + 1;
    while (n > 0 && (mark.p[n - 1] != byte || memcmp(mark.p, mark.p + k + 1 - n, n - 1) != 0))
        n--;
    return n;
}

static bool is_bare(const struct qn_constrained *c) {
    return c->format->open[0] == 0;
}

static enum qn_status feed(struct qn_constrained *c, struct qn_str bytes, struct qn_error *err) {
    return c->engine->constrain->accept_bytes(&c->matcher, bytes, err);
}

static void restart(struct qn_constrained *c) {
    c->matcher.state = c->grammar->start;
}

/* Where a call is complete: another one may come, or text. */
static void leave(struct qn_constrained *c, enum qn_accepted *out) {
    const struct qn_tool_format *f = c->format;
    if (!c->engine->constrain->must_end(&c->matcher))
        return;
    c->matched = 0;
    c->again = true;
    c->state = is_bare(c) ? QN_LAZY_START : QN_LAZY_TEXT;
    if (qn_calls_once(f))
        *out = QN_ACCEPTED_LAST;
}

/* The mark has come, with `rest` after it in the same token. What the grammar does not take there
 * is not accepted: the model is to go on from before the token. */
static enum qn_status begin(struct qn_constrained *c, struct qn_str rest, size_t in_token,
                            enum qn_accepted *out, struct qn_error *err) {
    struct qn_str mark = qn_str_from(c->format->open);
    size_t earlier = mark.n - qn_min_size(mark.n, in_token);
    struct qn_error ignored;
    c->state = QN_LAZY_CALL;
    restart(c);
    QN_TRY(feed(c, qn_str_slice(mark, 0, earlier), err));
    c->before.state = c->matcher.state;
    QN_TRY(feed(c, qn_str_slice(mark, earlier, mark.n), err));
    enum qn_status status = feed(c, rest, &ignored);
    if (status != QN_OK && status != QN_E_ARGUMENT)
        return feed(c, rest, err);
    if (status == QN_OK) {
        leave(c, out);
    } else {
        c->matcher.state = c->before.state;
        *out = QN_NOT_ACCEPTED;
    }
    return QN_OK;
}

/* Where in the object the quote stands that ends its name, or SIZE_MAX. */
static size_t name_end(struct qn_str object) {
    size_t at = qn_str_find(object, QN_STR("\"name\""), 0);
    for (int i = 0; i < 2 && at != SIZE_MAX; i++)
        at = qn_str_find(object, QN_STR("\""), i == 0 ? at + 6 : at + 1);
    return at;
}

/* An object that goes on like a call, with `rest` from this token: from its name on it is one. */
static enum qn_status bare(struct qn_constrained *c, struct qn_str rest, enum qn_accepted *out,
                           struct qn_error *err) {
    struct qn_error ignored;
    size_t n = c->object.n;
    c->before.state = c->matcher.state;
    qn_buf_str(&c->object, rest);
    if (c->object.failed)
        return qn_fail(err, QN_E_NO_MEMORY, "a call");
    size_t end = name_end(qn_buf_view(&c->object));
    enum qn_status status = feed(c, rest, &ignored);
    if (status != QN_OK && status != QN_E_ARGUMENT)
        return feed(c, rest, err);
    if (status == QN_OK) {
        c->state = end == SIZE_MAX ? QN_LAZY_BARE : QN_LAZY_CALL;
        leave(c, out);
        return QN_OK;
    }
    c->state = QN_LAZY_NEVER;
    if (end == SIZE_MAX || end < n || feed(c, qn_str_slice(rest, 0, end + 1 - n), &ignored))
        return QN_OK;
    c->matcher.state = c->before.state;
    c->state = QN_LAZY_CALL;
    *out = QN_NOT_ACCEPTED;
    return QN_OK;
}

static bool is_space(const struct qn_constrained *c, char byte) {
    return memchr(" \n\r\t,;[]", byte, c->again && is_bare(c) ? 8 : 4) != NULL;
}

/* Before any text. */
static void at_start(struct qn_constrained *c, char byte) {
    struct qn_str open = qn_str_from(c->think ? c->think->open : "");
    if (c->matched == 0 && is_space(c, byte))
        return;
    if (c->matched < open.n && open.p[c->matched] == byte) {
        if (++c->matched == open.n) {
            c->state = QN_LAZY_THINK;
            c->matched = 0;
        }
        return;
    }
    size_t k = c->matched; // what looked like a thought's mark is text
    c->matched = 0;
    c->state = !is_bare(c) ? QN_LAZY_TEXT : k == 0 && byte == '{' ? QN_LAZY_BARE : QN_LAZY_NEVER;
    for (size_t i = 0; i < k && c->state == QN_LAZY_TEXT; i++)
        c->matched = follow(qn_str_from(c->format->open), c->matched, open.p[i]);
}

enum qn_status qn_lazy_accept(struct qn_constrained *c, uint32_t id, enum qn_accepted *out,
                              struct qn_error *err) {
    if (c->state == QN_LAZY_CALL) {
        QN_TRY(c->engine->constrain->accept(&c->matcher, id, err));
        leave(c, out);
        return QN_OK;
    }
    qn_buf_clear(&c->bytes);
    if (qn_tokenizer_bytes(c->engine->tokenizer, &c->bytes, id) != QN_OK)
        return qn_fail(err, QN_E_NO_MEMORY, "the bytes of a token");
    struct qn_str token = qn_buf_view(&c->bytes), open = qn_str_from(c->format->open);
    if (c->state == QN_LAZY_BARE)
        return bare(c, token, out, err);
    if (c->state == QN_LAZY_START && is_bare(c) && qn_str_is(token, "<|python_tag|>"))
        return QN_OK; // may stand before a bare call
    for (size_t i = 0; i < token.n && c->state != QN_LAZY_NEVER; i++) {
        char byte = token.p[i];
        if (c->state == QN_LAZY_START) {
            at_start(c, byte);
            if (c->state == QN_LAZY_BARE) {
                restart(c);
                qn_buf_clear(&c->object);
                return bare(c, qn_str_slice(token, i, token.n), out, err);
            }
            if (c->state != QN_LAZY_TEXT)
                continue;
        }
        struct qn_str mark = c->state == QN_LAZY_TEXT ? open : qn_str_from(c->think->close);
        c->matched = follow(mark, c->matched, byte);
        if (c->matched < mark.n)
            continue;
        if (c->state == QN_LAZY_TEXT)
            return begin(c, qn_str_slice(token, i + 1, token.n), i + 1, out, err);
        c->state = QN_LAZY_START;
        c->think = NULL;
        c->matched = 0;
    }
    return QN_OK;
}

enum qn_status qn_lazy_start(struct qn_constrained *c, const struct qn_calls *calls,
                             struct qn_error *err) {
    enum qn_accepted ignored;
    size_t end = calls->prompt.n;
    while (end > 0 && memchr(" \n\r\t", calls->prompt.p[end - 1], 4))
        end--;
    struct qn_str prompt = qn_str_slice(calls->prompt, 0, end);
    enum qn_thinking thinking = qn_thinking_of(calls->think, prompt);
    c->format = calls->format;
    c->think = thinking == QN_THINKS_NOT ? NULL : calls->think;
    c->state = thinking == QN_THINKS ? QN_LAZY_THINK : QN_LAZY_START;
    if (!is_bare(c) && qn_str_ends(prompt, qn_str_from(c->format->open))) {
        struct qn_error no;
        QN_TRY(begin(c, QN_STR(""), 0, &ignored, err));
        (void)feed(c, qn_str_slice(calls->prompt, end, calls->prompt.n), &no); // as far as it fits
    }
    return QN_OK;
}
