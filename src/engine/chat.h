/* OpenAI requests as JSON → what a session needs: the template's context or the prompt, the
 * sampling parameters, the limits. Every field either works or is refused by name. */
#ifndef QN_ENGINE_CHAT_H
#define QN_ENGINE_CHAT_H

#include "base/buf.h"
#include "base/json.h"

/* What fields mean depends on the model: its own values for what a request leaves out, and what
 * its template knows. */
struct qn_chat_defaults {
    struct qn_sampling sampling;
    uint32_t max_tokens;                // 0: as many as the context holds
    struct qn_str bos_token, eos_token; // for the template
    struct qn_json_value tokens;        // tokenizer_config.json, for its other special tokens
    struct qn_str template;             // its text: which variables it reads
    bool tools;                         // it renders tools, and its calls can be read (tools.h)
    bool argument_strings;              // it wants the arguments of past calls as JSON in a string
    bool empty_content;                 // and "" instead of null as the content beside them
};

enum qn_tool_choice { QN_TOOLS_AUTO, QN_TOOLS_NONE, QN_TOOLS_REQUIRED, QN_TOOLS_NAMED };

/* What the answer must look like. */
enum qn_answer_form {
    QN_ANSWER_TEXT,
    QN_ANSWER_JSON,   // any JSON object
    QN_ANSWER_SCHEMA, // `form`: a JSON schema
    QN_ANSWER_REGEX,
    QN_ANSWER_GRAMMAR, // GBNF
};

struct qn_chat {
    struct qn_sampling sampling;
    uint32_t max_tokens, choices;
    uint32_t top_logprobs; // most likely tokens told beside the sampled one, at most 20
    uint32_t sinks;        // first tokens that stay when the context slides
    bool slide, logprobs, ignore_eos, parallel_calls, stream, echo, continue_last;
    struct qn_str *stops;
    size_t n_stops;
    struct qn_str context;   // chat: a JSON object for the template
    uint32_t dimensions;     // embeddings: how many values; 0: all
    enum qn_pooling pooling; // embeddings
    struct qn_str prompt;    // completions, embeddings: a text, or
    const uint32_t *ids;     // these ids (NULL: none were given)
    size_t n_ids;
    struct qn_json_value tools; // of the request; missing when they are not to be called
    enum qn_tool_choice tool_choice;
    struct qn_str tool_name; // NAMED
    enum qn_answer_form form_kind;
    struct qn_str form;
    struct qn_json json; // the request
};

/* Everything in `out` lives in `arena` or in `request`. Errors name the field: QN_E_JSON,
 * QN_E_ARGUMENT (wrong type or range), QN_E_UNSUPPORTED (a field that this engine or this model
 * does not carry out), QN_E_LIMIT, QN_E_NO_MEMORY. */
/* The beginning of a template's context: `{` and the special tokens that transformers gives it.
 * `config`: tokenizer_config.json, or missing. */
void qn_chat_write_tokens(struct qn_buf *out, struct qn_str bos, struct qn_str eos,
                          struct qn_json_value config);

enum qn_status qn_chat_parse(struct qn_chat *out, struct qn_arena *arena, enum qn_api api,
                             struct qn_str request, const struct qn_chat_defaults *defaults,
                             struct qn_error *err);

#endif
