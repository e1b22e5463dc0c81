/* How models write reasoning and tool calls: formats, told apart by the text of the chat template,
 * and the reader that finds both in the text of an answer while it streams. */
#ifndef QN_ENGINE_TOOLS_H
#define QN_ENGINE_TOOLS_H

#include "base/buf.h"
#include "base/json.h"

enum qn_call_style {
    QN_CALLS_JSON,   // objects with a name and arguments, one or a list
    QN_CALLS_NAMED,  // a name, then its arguments as JSON
    QN_CALLS_TAGGED, // a name, then each argument between tags
    QN_CALLS_OTHER,  // not read here
};

struct qn_tool_format {
    const char *seen[2]; // where the template's text holds these
    enum qn_call_style style;
    const char *open;  // before the first call; empty: a call stands at the beginning of the answer
    const char *name;  // before a name; JSON: "[" where calls come as a list
    const char *args;  // between name and arguments; JSON: the member that holds the arguments
    const char *end;   // after the arguments of one call; JSON: the member that holds the name
    const char *close; // after the last call
};

struct qn_think_format {
    const char *open, *close;
};

/* NULL: a template that knows no tools, or whose calls cannot be read. */
const struct qn_tool_format *qn_tool_format_of(struct qn_str chat_template);
/* NULL: answers hold no reasoning. */
const struct qn_think_format *qn_think_format_of(struct qn_str chat_template);

/* Whether an answer to this prompt begins within a thought. */
enum qn_thinking { QN_THINKS_NOT, QN_MAY_THINK, QN_THINKS };
enum qn_thinking qn_thinking_of(const struct qn_think_format *think, struct qn_str prompt);

enum qn_reply_state {
    QN_REPLY_START, // reasoning or a bare call may begin
    QN_REPLY_THINK,
    QN_REPLY_SKIP, // space between reasoning, calls and text
    QN_REPLY_TEXT,
    QN_REPLY_CALLS, // between calls
    QN_REPLY_NAME,
    QN_REPLY_OBJECT, // within an object that holds name and arguments
    QN_REPLY_ARGS,   // arguments as a JSON value
    QN_REPLY_TAGS,   // between tags
    QN_REPLY_KEY,
    QN_REPLY_VALUE,
    QN_REPLY_END, // after the arguments of a call
};

/* A stretch of the answer. */
struct qn_reply_piece {
    uint32_t channel;  // enum qn_channel
    uint32_t call;     // index of the tool call
    size_t begin, end; // in `text`
};

/* How far a JSON value was read. */
struct qn_json_scan {
    uint32_t depth;
    bool string, escaped, scalar;
};

struct qn_reply {
    const struct qn_tool_format *format; // NULL: no tools
    const struct qn_think_format *think; // NULL: no reasoning (any more)
    struct qn_json_value tools;          // of the request, in `arena`
    struct qn_arena arena;
    enum qn_reply_state state;
    struct qn_buf pending; // not yet understood
    struct qn_buf raw;     // of a call whose name is not known yet: text, should it be none
    struct qn_buf key;     // of the member or tag that is being read
    struct qn_buf held;    // its value, where it cannot be told as it comes
    struct qn_buf early;   // arguments that came before the name
    struct qn_buf text;    // of the pieces
    struct qn_buf pieces;  // array of struct qn_reply_piece
    size_t told;           // pieces taken
    uint32_t calls;        // begun
    uint32_t value;        // what the member that is being read is
    struct qn_json_scan scan;
    bool fresh;  // calls were opened, none was read
    bool named;  // the call has a name
    bool filled; // and arguments
    bool in_key, in_value, direct;
    bool call_done; // a call is complete
    bool failed;    // out of memory
};

/* `tools` is copied. `prompt`: the rendered prompt, whose end says where the answer begins. */
enum qn_status qn_reply_init(struct qn_reply *r, const struct qn_allocator *allocator,
                             const struct qn_tool_format *format,
                             const struct qn_think_format *think, struct qn_json_value tools,
                             struct qn_str prompt, struct qn_error *err);
void qn_reply_free(struct qn_reply *r);
/* More text of the answer; `last` at its end. */
enum qn_status qn_reply_push(struct qn_reply *r, struct qn_str text, bool last,
                             struct qn_error *err);
/* The next piece; false when there is none now. Its text lives until the next push. */
bool qn_reply_take(struct qn_reply *r, struct qn_reply_piece *piece, struct qn_str *text);

#endif
