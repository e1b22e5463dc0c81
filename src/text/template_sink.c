/* Text under construction with its marked ranges. */
#include "text/template_internal.h"

const uint8_t qn_taint_all[1] = {1};

void qn_tsink_init(struct qn_tctx *ctx, struct qn_tsink *sink) {
    qn_buf_init(&sink->bytes, ctx->values.allocator);
    qn_buf_init(&sink->spans, ctx->values.allocator);
}

void qn_tsink_free(struct qn_tsink *sink) {
    qn_buf_free(&sink->bytes);
    qn_buf_free(&sink->spans);
}

enum qn_status qn_tsink_put(struct qn_tctx *ctx, struct qn_tsink *sink, const char *p, size_t n,
                            bool tainted) {
    if (n == 0)
        return QN_OK;
    size_t begin = sink->bytes.n;
    if (begin > ctx->limits.output || n > ctx->limits.output - begin)
        return qn_tfail_as(&ctx->site, QN_E_LIMIT, "the text has more than %zu bytes",
                           ctx->limits.output);
    qn_buf_append(&sink->bytes, p, n);
    if (tainted) {
        struct qn_span *last = NULL;
        if (sink->spans.n) // the buffer's memory is aligned to 16 bytes
            last = (struct qn_span *)(void *)(sink->spans.p + sink->spans.n) - 1;
        if (last && last->end == begin) {
            last->end = begin + n;
        } else {
            struct qn_span span = {begin, begin + n};
            qn_buf_append(&sink->spans, &span, sizeof span);
        }
    }
    if (sink->bytes.failed || sink->spans.failed)
        return qn_tfail_memory(&ctx->site);
    return QN_OK;
}

enum qn_status qn_tsink_cstr(struct qn_tctx *ctx, struct qn_tsink *sink, const char *s) {
    return qn_tsink_put(ctx, sink, s, strlen(s), false);
}

enum qn_status qn_tsink_str(struct qn_tctx *ctx, struct qn_tsink *sink, const struct qn_tval *s) {
    if (s->as.taint == NULL || s->as.taint == qn_taint_all)
        return qn_tsink_put(ctx, sink, s->as.p, s->n, s->as.taint != NULL);
    for (size_t at = 0; at < s->n;) {
        const uint8_t *other = memchr(s->as.taint + at, !s->as.taint[at], s->n - at);
        size_t end = other ? (size_t)(other - s->as.taint) : s->n;
        QN_TRY(qn_tsink_put(ctx, sink, s->as.p + at, end - at, s->as.taint[at]));
        at = end;
    }
    return QN_OK;
}

static enum qn_status take(struct qn_tctx *ctx, struct qn_tval *out, const struct qn_tsink *sink) {
    size_t n = sink->bytes.n, n_spans = sink->spans.n / sizeof(struct qn_span);
    const struct qn_span *spans = (const struct qn_span *)(const void *)sink->spans.p;
    void *text, *marks;
    QN_TRY(qn_tctx_spend(ctx, n / 256));
    QN_TRY(qn_tctx_alloc(ctx, &text, n, 1));
    if (n)
        memcpy(text, sink->bytes.p, n);
    *out = qn_tval_str((struct qn_str){text, n});
    if (n_spans == 1 && spans[0].begin == 0 && spans[0].end == n) {
        out->as.taint = qn_taint_all;
    } else if (n_spans) {
        QN_TRY(qn_tctx_alloc(ctx, &marks, n, 1));
        for (size_t i = 0; i < n_spans; i++)
            memset((uint8_t *)marks + spans[i].begin, 1, spans[i].end - spans[i].begin);
        out->as.taint = marks;
    }
    return QN_OK;
}

enum qn_status qn_tsink_take(struct qn_tctx *ctx, struct qn_tval *out, struct qn_tsink *sink) {
    enum qn_status status = take(ctx, out, sink);
    qn_tsink_free(sink);
    return status;
}
