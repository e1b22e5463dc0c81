/* What all of a rendering share: where an error is, and what it may still take. */
#include "base/format.h"
#include "text/template_internal.h"

static enum qn_status report(struct qn_tsite *site, enum qn_status status, const char *format,
                             va_list args) {
    struct qn_note note = {.n = 0};
    uint32_t line = 1, column = 1;
    size_t end = qn_min_size(site->at, site->source.n);
    for (size_t i = 0; i < end; i++) {
        if (site->source.p[i] == '\n') {
            line++;
            column = 1;
        } else if (((unsigned char)site->source.p[i] & 0xc0) != 0x80) {
            column++;
        }
    }
    qn_vformat(qn_note_put, &note, format, args);
    for (size_t i = 0; i < note.n; i++) // a zero byte would end the message
        note.p[i] = note.p[i] ? note.p[i] : '?';
    return qn_fail_at(site->err, status, site->at, "chat template, line %u, column %u: %s", line,
                      column, note.p);
}

enum qn_status qn_tfail_as(struct qn_tsite *site, enum qn_status status, const char *format, ...) {
    va_list args;
    va_start(args, format);
    status = report(site, status, format, args);
    va_end(args);
    return status;
}

enum qn_status qn_tfail(struct qn_tsite *site, const char *format, ...) {
    va_list args;
    va_start(args, format);
    enum qn_status status = report(site, QN_E_TEMPLATE, format, args);
    va_end(args);
    return status;
}

enum qn_status qn_tfail_memory(struct qn_tsite *site) {
    return qn_fail(site->err, QN_E_NO_MEMORY, "in the chat template");
}

enum qn_status qn_tctx_alloc(struct qn_tctx *ctx, void **out, size_t count, size_t size) {
    size_t n;
    if (!qn_mul_size(&n, count, size) || n > ctx->limits.memory ||
        ctx->values.used > ctx->limits.memory - n)
        return qn_tfail_as(&ctx->site, QN_E_LIMIT, "its values need more than %zu bytes",
                           ctx->limits.memory);
    *out = qn_arena_alloc(&ctx->values, count, size);
    if (!*out)
        return qn_tfail_memory(&ctx->site);
    return QN_OK;
}

enum qn_status qn_tctx_spend(struct qn_tctx *ctx, uint64_t steps) {
    if (steps > ctx->steps)
        return qn_tfail_as(&ctx->site, QN_E_LIMIT, "it needs more than %u steps",
                           ctx->limits.steps);
    ctx->steps -= steps;
    return QN_OK;
}

enum qn_status qn_tctx_enter(struct qn_tctx *ctx) {
    if (ctx->nest >= ctx->limits.depth * 6) // about 300 bytes of C stack each
        return qn_tfail_as(&ctx->site, QN_E_LIMIT, "nested too deep");
    ctx->nest++;
    return QN_OK;
}
