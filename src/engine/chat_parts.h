/* What the readers of a request's parts share. Inside src/engine only. */
#ifndef QN_ENGINE_CHAT_PARTS_H
#define QN_ENGINE_CHAT_PARTS_H

#include "engine/chat.h"

struct qn_chat_reader {
    struct qn_chat *out;
    struct qn_arena *arena;
    const struct qn_chat_defaults *defaults;
    struct qn_error *err;
    struct qn_buf *context; // the template's variables, as far as they are known
    enum qn_api api;
    bool has_input;   // messages or prompt
    bool answer_last; // the last message is an assistant's
};

/* "request field X: expected Y" */
enum qn_status qn_chat_expected(struct qn_chat_reader *r, const char *field, const char *what);
enum qn_status qn_chat_no_memory(struct qn_chat_reader *r);
/* Appends a comma and a member of an object. */
void qn_chat_write_member(struct qn_buf *buf, struct qn_json_value key, struct qn_json_value value);

/* Appends "messages": […] to the context. */
enum qn_status qn_chat_messages(struct qn_chat_reader *r, struct qn_json_value v, const char *name);
/* Checks a list of tools. */
enum qn_status qn_chat_tools(struct qn_chat_reader *r, struct qn_json_value v, const char *name);
/* Appends checked tools as templates expect them: parameters are never missing. */
void qn_chat_write_tools(struct qn_buf *buf, struct qn_json_value tools);
enum qn_status qn_chat_tool_choice(struct qn_chat_reader *r, struct qn_json_value v,
                                   const char *name);
enum qn_status qn_chat_response_format(struct qn_chat_reader *r, struct qn_json_value v,
                                       const char *name);

#endif
