/* What the parts of the template interpreter share: the tree, the state of a rendering, and the
 * operations on values. */
#ifndef QN_TEXT_TEMPLATE_INTERNAL_H
#define QN_TEXT_TEMPLATE_INTERNAL_H

#include "base/buf.h"
#include "base/num.h"
#include "text/template.h"
#include "text/template_ast.h"
#include "text/template_value.h"

/* Where an error is reported: parser and renderer both begin with it. */
struct qn_tsite {
    struct qn_str source;
    struct qn_error *err;
    size_t at; // byte offset
};
/* Reports at site->at, with line and column before the message; returns `status`. */
enum qn_status qn_tfail_as(struct qn_tsite *site, enum qn_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
enum qn_status qn_tfail(struct qn_tsite *site, const char *format, ...) // QN_E_TEMPLATE
    __attribute__((format(printf, 2, 3)));
enum qn_status qn_tfail_memory(struct qn_tsite *site); // QN_E_NO_MEMORY
/* Keeps the frames of the recursion small: inlining would add up those of all kinds of nodes. */
#define QN_TSEPARATE __attribute__((noinline)) static

/* Text under construction, with its marked ranges. Lives on the C stack; free it on every path. */
struct qn_tsink {
    struct qn_buf bytes;
    struct qn_buf spans; // array of struct qn_span
};

struct qn_tvar {
    struct qn_str name;
    struct qn_tval value;
};
struct qn_tscope {
    struct qn_tscope *parent;
    struct qn_tvar *vars;
    uint32_t n, capacity;
    bool captured; // a macro refers to it: do not reuse
};

enum qn_tflow { QN_TFLOW_NONE, QN_TFLOW_BREAK, QN_TFLOW_CONTINUE };

struct qn_tctx {
    struct qn_tsite site;
    struct qn_arena values;
    struct qn_template_limits limits;
    uint64_t steps; // left
    uint32_t depth; // of macro calls
    uint32_t nest;  // of C recursion
    struct qn_tsink *out;
    struct qn_tscope *scope;
    enum qn_tflow flow;
    int64_t now;
    char *tail; // end of the last grown string, which may be extended in place
    uint8_t *tail_marks;
    size_t tail_room;
};

/* Memory and steps of a rendering (template_state.c). */
enum qn_status qn_tctx_alloc(struct qn_tctx *ctx, void **out, size_t count, size_t size);
enum qn_status qn_tctx_spend(struct qn_tctx *ctx, uint64_t steps);
enum qn_status qn_tctx_enter(struct qn_tctx *ctx); // one level of C recursion; then ctx->nest--

/* Sinks (template_sink.c). Appending reports the limit or lack of memory at once. */
void qn_tsink_init(struct qn_tctx *ctx, struct qn_tsink *sink);
void qn_tsink_free(struct qn_tsink *sink);
enum qn_status qn_tsink_put(struct qn_tctx *ctx, struct qn_tsink *sink, const char *p, size_t n,
                            bool tainted);
enum qn_status qn_tsink_str(struct qn_tctx *ctx, struct qn_tsink *sink, const struct qn_tval *s);
enum qn_status qn_tsink_cstr(struct qn_tctx *ctx, struct qn_tsink *sink, const char *s);
/* Copies the text into a value and frees the sink, also on failure. */
enum qn_status qn_tsink_take(struct qn_tctx *ctx, struct qn_tval *out, struct qn_tsink *sink);

#include "text/template_ops.h"

#endif
