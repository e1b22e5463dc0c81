/* Rendering: the context becomes variables, the tree is run, the text and its marked ranges come
 * out. */
#include "text/template_internal.h"

static bool is_untrusted(const char *const *names, struct qn_json_value key) {
    for (; names && *names; names++)
        if (qn_json_string_is(key, *names))
            return true;
    return false;
}

static enum qn_status set_context(struct qn_tctx *ctx, struct qn_json_value context,
                                  const char *const *untrusted) {
    struct qn_json_iter it = qn_json_iterate(context);
    while (qn_json_type(context) == QN_JSON_OBJECT && qn_json_each(&it)) {
        struct qn_tval name, value;
        QN_TRY(qn_tval_from_json(ctx, &name, it.key, false));
        QN_TRY(qn_tval_from_json(ctx, &value, it.value, is_untrusted(untrusted, it.key)));
        QN_TRY(qn_tscope_set(ctx, ctx->scope, qn_tval_text(name), &value));
    }
    return QN_OK;
}

/* Hands the text over; on failure `out` is as it was. */
static enum qn_status give(struct qn_tctx *ctx, struct qn_buf *out, struct qn_arena *arena,
                           struct qn_span **plain, size_t *n_plain) {
    size_t base = out->n, n = ctx->out->spans.n / sizeof(struct qn_span);
    struct qn_span *spans = NULL;
    if (plain && n_plain) {
        spans = QN_ARENA_NEW(arena, struct qn_span, n);
        if (!spans)
            return qn_tfail_memory(&ctx->site);
        if (n)
            memcpy(spans, ctx->out->spans.p, n * sizeof *spans);
        for (size_t i = 0; i < n; i++) {
            spans[i].begin += base;
            spans[i].end += base;
        }
    }
    if (ctx->out->bytes.n && !qn_buf_reserve(out, ctx->out->bytes.n))
        return qn_tfail_memory(&ctx->site);
    qn_buf_append(out, ctx->out->bytes.p, ctx->out->bytes.n);
    if (spans) {
        *plain = spans;
        *n_plain = n;
    }
    return QN_OK;
}

enum qn_status qn_template_render(const struct qn_template *t, struct qn_buf *out,
                                  struct qn_arena *arena, struct qn_span **plain, size_t *n_plain,
                                  struct qn_json_value context, const char *const *untrusted,
                                  const struct qn_template_limits *limits, int64_t now,
                                  struct qn_error *err) {
    struct qn_tsink sink;
    struct qn_tscope scope = {.parent = NULL};
    struct qn_tctx ctx = {.site = {.source = t->source, .err = err}, .now = now, .out = &sink};
    if (limits)
        ctx.limits = *limits;
    if (!ctx.limits.steps)
        ctx.limits.steps = 1000000;
    if (!ctx.limits.depth)
        ctx.limits.depth = 64;
    if (ctx.limits.depth > 512)
        ctx.limits.depth = 512; // the C stack
    if (!ctx.limits.output)
        ctx.limits.output = (size_t)4 << 20;
    if (!ctx.limits.memory)
        ctx.limits.memory = (size_t)64 << 20;
    ctx.limits.output = qn_min_size(ctx.limits.output, (size_t)1 << 30); // lengths are 32 bits
    ctx.limits.memory = qn_min_size(ctx.limits.memory, (size_t)1 << 31);
    ctx.steps = ctx.limits.steps;
    ctx.scope = &scope;
    qn_arena_init(&ctx.values, arena->allocator);
    qn_tsink_init(&ctx, &sink);
    enum qn_status status = set_context(&ctx, context, untrusted);
    if (status == QN_OK)
        status = qn_texec(&ctx, t->body);
    if (status == QN_OK)
        status = give(&ctx, out, arena, plain, n_plain);
    qn_tsink_free(&sink);
    qn_arena_free(&ctx.values);
    return status;
}
