/* An OpenAI chat.completions request as JSON → what a session needs: the template's context, the
 * sampling parameters, the limits. Every field either works or is refused by name. */
#ifndef QN_ENGINE_CHAT_H
#define QN_ENGINE_CHAT_H

#include "base/json.h"

/* Values for fields that a request leaves out; a model brings its own. */
struct qn_chat_defaults {
    struct qn_sampling sampling;
    uint32_t max_tokens;                // 0: as many as the context holds
    struct qn_str bos_token, eos_token; // for the template
};

struct qn_chat {
    struct qn_sampling sampling;
    uint32_t max_tokens;
    struct qn_str *stops;
    size_t n_stops;
    struct qn_str context; // a JSON object for the template
};

/* Everything in `out` lives in `arena`. Errors name the field: QN_E_JSON, QN_E_ARGUMENT (wrong type
 * or range), QN_E_UNSUPPORTED (a field that this engine does not carry out), QN_E_LIMIT,
 * QN_E_NO_MEMORY. */
enum qn_status qn_chat_parse(struct qn_chat *out, struct qn_arena *arena, struct qn_str request,
                             const struct qn_chat_defaults *defaults, struct qn_error *err);

#endif
