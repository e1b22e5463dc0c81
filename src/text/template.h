/* Chat templates: an interpreter for the part of Jinja2 that templates on the hub use, with the
 * options transformers sets (trim_blocks, lstrip_blocks). No attribute reaches outside the values
 * given in; steps, depth and output are bounded. */
#ifndef QN_TEXT_TEMPLATE_H
#define QN_TEXT_TEMPLATE_H

#include "base/buf.h"
#include "base/json.h"
#include "text/tokenizer.h" // struct qn_span

struct qn_template;

struct qn_template_limits {
    uint32_t steps; // 0: 1,000,000
    uint32_t depth; // 0: 64
    size_t output;  // 0: 4 MiB
    size_t memory;  // 0: 64 MiB of values while rendering
};

/* Parses; the program lives in `arena` and refers to `source`, which must outlive it.
 * QN_E_TEMPLATE with line and column in the message and byte offset. */
enum qn_status qn_template_parse(struct qn_template **out, struct qn_arena *arena,
                                 struct qn_str source, struct qn_error *err);

/* Renders with the members of the object `context` as variables (messages, tools,
 * add_generation_prompt, bos_token, eos_token, enable_thinking, …).
 *
 * Every string below the members named in `untrusted` (NULL-terminated list, e.g. {"messages",
 * "tools", "documents", NULL}) is tainted: bytes that come from it keep the mark through slicing,
 * joining, filters and tests, and the marked byte ranges of the output are returned in *plain (in
 * `arena`), for qn_tokenizer_encode. `role` values are matched against nothing: they are tainted
 * like all else.
 *
 * `now` (seconds since 1970, UTC) feeds strftime_now; fixed by the caller so that renderings
 * repeat. Errors: QN_E_TEMPLATE (raise_exception's text included), QN_E_LIMIT, QN_E_NO_MEMORY. */
enum qn_status qn_template_render(const struct qn_template *t, struct qn_buf *out,
                                  struct qn_arena *arena, struct qn_span **plain, size_t *n_plain,
                                  struct qn_json_value context, const char *const *untrusted,
                                  const struct qn_template_limits *limits, int64_t now,
                                  struct qn_error *err);

#endif
