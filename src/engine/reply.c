/* Reads an answer while it streams: what is reasoning, what is text, which tool is called with
 * which arguments. Text waits in `pending` only as long as it may still turn out to be a mark. */
#include <string.h>

#include "base/num.h"
#include "engine/tools.h"

#define MAX_NAME 256 // bytes until a name must have ended

static bool is_space(char c) {
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static struct qn_str pending(const struct qn_reply *r) {
    return qn_buf_view(&r->pending);
}

static void drop(struct qn_reply *r, size_t n) {
    if (n > 0 && n < r->pending.n)
        memmove(r->pending.p, r->pending.p + n, r->pending.n - n);
    r->pending.n -= n;
}

/* A buffer that failed is not forgiven: something was lost. */
static void clear(struct qn_reply *r, struct qn_buf *buf) {
    r->failed = r->failed || buf->failed;
    qn_buf_clear(buf);
}

static size_t spaces(const struct qn_reply *r) {
    size_t n = 0;
    while (n < r->pending.n && is_space(r->pending.p[n]))
        n++;
    return n;
}

/* ---- pieces ---------------------------------------------------------------------------------- */

static void emit(struct qn_reply *r, enum qn_channel channel, struct qn_str s) {
    if (s.n == 0 && channel != QN_CHANNEL_TOOL_NAME)
        return;
    struct qn_reply_piece piece = {channel, r->calls > 0 ? r->calls - 1 : 0, r->text.n,
                                   r->text.n + s.n};
    qn_buf_str(&r->text, s);
    if (r->pieces.n > r->told * sizeof piece && channel != QN_CHANNEL_TOOL_NAME) {
        char *at = r->pieces.p + r->pieces.n - sizeof piece;
        struct qn_reply_piece *last = (struct qn_reply_piece *)(void *)at;
        if (last->channel == channel && last->call == piece.call) {
            last->end = piece.end;
            return;
        }
    }
    qn_buf_append(&r->pieces, &piece, sizeof piece);
}

bool qn_reply_take(struct qn_reply *r, struct qn_reply_piece *piece, struct qn_str *text) {
    if (r->pieces.n <= r->told * sizeof *piece)
        return false;
    memcpy(piece, r->pieces.p + r->told++ * sizeof *piece, sizeof *piece);
    *text = qn_str_slice(qn_buf_view(&r->text), piece->begin, piece->end);
    return true;
}

/* ---- marks ----------------------------------------------------------------------------------- */

enum match { NO, MAYBE, YES };

/* Whether the pending text goes on with `mark` at `at`. */
static enum match match_at(const struct qn_reply *r, size_t at, const char *mark) {
    struct qn_str m = qn_str_from(mark);
    size_t n = qn_min_size(m.n, r->pending.n - at);
    if (n > 0 && memcmp(r->pending.p + at, m.p, n) != 0)
        return NO;
    return n == m.n ? YES : MAYBE;
}

/* Where the mark stands, or SIZE_MAX; *hold is then where it may yet begin. */
static size_t find(const struct qn_reply *r, const char *mark, size_t *hold) {
    struct qn_str m = qn_str_from(mark);
    size_t at = m.n > 0 ? qn_str_find(pending(r), m, 0) : SIZE_MAX;
    size_t n = r->pending.n, k = m.n > 0 ? qn_min_size(m.n - 1, n) : 0;
    while (k > 0 && memcmp(r->pending.p + n - k, m.p, k) != 0)
        k--;
    *hold = n - k;
    return at;
}

/* Back over space before `at`. */
static size_t trimmed(const struct qn_reply *r, size_t at) {
    while (at > 0 && is_space(r->pending.p[at - 1]))
        at--;
    return at;
}

static void emit_pending(struct qn_reply *r, enum qn_channel channel, size_t n) {
    emit(r, channel, qn_str_slice(pending(r), 0, n));
    drop(r, n);
}

/* ---- calls ----------------------------------------------------------------------------------- */

static struct qn_json_value find_tool(const struct qn_reply *r, struct qn_str name) {
    struct qn_json_iter it = qn_json_iterate(r->tools);
    while (qn_json_each(&it)) {
        struct qn_json_value function = qn_json_get(it.value, "function");
        if (qn_str_eq(qn_json_raw(qn_json_get(function, "name")), name))
            return function;
    }
    return (struct qn_json_value){0};
}

/* A bare object is a call only if it names a tool: text may be JSON too. */
static bool begin_call(struct qn_reply *r, struct qn_str name) {
    if (name.n == 0 || (r->format->open[0] == 0 && !qn_json_exists(find_tool(r, name))))
        return false;
    r->calls++;
    r->named = true;
    emit(r, QN_CHANNEL_TOOL_NAME, name);
    clear(r, &r->raw);
    return true;
}

static void end_call(struct qn_reply *r, enum qn_reply_state next) {
    r->call_done = true;
    r->state = next;
}

/* What looked like a call was none: it is text. */
static void give_up(struct qn_reply *r, const char *mark) {
    emit(r, QN_CHANNEL_CONTENT, qn_str_from(mark));
    emit(r, QN_CHANNEL_CONTENT, qn_buf_view(&r->raw));
    clear(r, &r->raw);
    r->state = QN_REPLY_TEXT;
}

/* ---- JSON values ----------------------------------------------------------------------------- */

/* How many of n bytes belong to the JSON value that is being read; *done when it ends there. A
 * scalar ends before what cannot be part of it. */
static size_t scan_value(struct qn_json_scan *s, const char *p, size_t n, bool *done) {
    *done = false;
    for (size_t i = 0; i < n; i++) {
        char c = p[i];
        bool closes = c == '}' || c == ']';
        if (s->string) {
            if (s->escaped || c == '\\')
                s->escaped = !s->escaped;
            else
                s->string = c != '"';
            *done = !s->string && s->depth == 0;
        } else if (s->depth == 0 && (closes || c == ',' || (s->scalar && is_space(c)))) {
            *done = true;
            return i;
        } else if (c == '"') {
            s->string = true;
        } else if (closes) {
            *done = --s->depth == 0;
        } else if (c == '{' || c == '[') {
            s->depth++;
        } else {
            s->scalar = s->scalar || (s->depth == 0 && !is_space(c));
        }
        if (*done)
            return i + 1;
    }
    return n;
}

static bool begun(const struct qn_json_scan *s) {
    return s->string || s->scalar || s->depth > 0;
}

/* A JSON string in `held` is decoded; other text stays as it is. */
static void decode_held(struct qn_reply *r) {
    struct qn_arena arena;
    struct qn_json json;
    struct qn_str text;
    struct qn_error ignored;
    qn_arena_init(&arena, r->held.allocator);
    enum qn_status status = qn_json_parse(&json, &arena, qn_buf_view(&r->held), &ignored);
    bool string = status == QN_OK && qn_json_type(qn_json_root(&json)) == QN_JSON_STRING;
    bool decoded = string && qn_json_string(&text, &arena, qn_json_root(&json));
    if (status == QN_E_NO_MEMORY || string != decoded)
        r->held.failed = true;
    if (decoded) {
        memmove(r->held.p, text.p, text.n); // never longer than its source, maybe a slice of it
        r->held.n = text.n;
    }
    qn_arena_free(&arena);
}

/* ---- an object with a name and arguments ----------------------------------------------------- */

enum { OTHER, NAME, ARGUMENTS };

static void begin_value(struct qn_reply *r) {
    struct qn_str key = qn_buf_view(&r->key);
    r->value = qn_str_is(key, "name") || qn_str_is(key, "tool_name")         ? NAME
               : qn_str_is(key, "arguments") || qn_str_is(key, "parameters") ? ARGUMENTS
                                                                             : OTHER;
    r->in_value = true;
    r->direct = false;
    r->scan = (struct qn_json_scan){0};
    clear(r, &r->held);
}

static void end_value(struct qn_reply *r) {
    r->in_value = false;
    if (r->value == OTHER || (r->value == NAME && r->named))
        return;
    if (r->value == ARGUMENTS && r->direct) {
        r->filled = true;
        return;
    }
    decode_held(r);
    if (r->value == NAME) {
        if (!begin_call(r, qn_buf_view(&r->held))) {
            give_up(r, r->format->open);
            return;
        }
        if (r->early.n > 0) {
            emit(r, QN_CHANNEL_TOOL_ARGUMENTS, qn_buf_view(&r->early));
            r->filled = true;
        }
    } else if (r->named) {
        emit(r, QN_CHANNEL_TOOL_ARGUMENTS, qn_buf_view(&r->held));
        r->filled = true;
    } else {
        clear(r, &r->early);
        qn_buf_str(&r->early, qn_buf_view(&r->held));
    }
}

/* Takes n bytes of the object out of `pending`. */
static void consume(struct qn_reply *r, size_t n) {
    if (!r->named)
        qn_buf_append(&r->raw, r->pending.p, n);
    drop(r, n);
}

static bool step_value(struct qn_reply *r) {
    if (!begun(&r->scan)) {
        consume(r, spaces(r));
        if (r->pending.n == 0)
            return false;
        r->direct = r->value == ARGUMENTS && r->named && r->pending.p[0] != '"';
    }
    bool done;
    size_t n = scan_value(&r->scan, r->pending.p, r->pending.n, &done);
    if (r->direct)
        emit(r, QN_CHANNEL_TOOL_ARGUMENTS, qn_str_slice(pending(r), 0, n));
    else if (r->value != OTHER)
        qn_buf_append(&r->held, r->pending.p, n);
    consume(r, n);
    if (done)
        end_value(r);
    return done;
}

static bool step_object(struct qn_reply *r) {
    if (r->pending.n == 0)
        return false;
    if (r->in_value)
        return step_value(r);
    if (r->in_key) {
        bool done;
        size_t n = scan_value(&r->scan, r->pending.p, r->pending.n, &done);
        qn_buf_append(&r->key, r->pending.p, done ? n - 1 : n);
        consume(r, n);
        r->in_key = !done;
        return done;
    }
    char c = r->pending.p[0];
    consume(r, 1);
    if (c == '"') {
        r->in_key = true;
        r->scan = (struct qn_json_scan){.string = true};
        clear(r, &r->key);
    } else if (c == ':') {
        begin_value(r);
    } else if (c == '}' && !r->named) {
        give_up(r, r->format->open);
    } else if (c == '}') {
        if (!r->filled)
            emit(r, QN_CHANNEL_TOOL_ARGUMENTS, QN_STR("{}"));
        end_call(r, QN_REPLY_CALLS);
    }
    return true;
}

/* ---- a name, then arguments ------------------------------------------------------------------ */

static bool step_name(struct qn_reply *r, bool last) {
    size_t hold, at = find(r, r->format->args, &hold);
    const char *brace = r->format->style == QN_CALLS_NAMED && r->pending.n > 0
                            ? memchr(r->pending.p, '{', r->pending.n)
                            : NULL;
    size_t end = brace ? qn_min_size(at, (size_t)(brace - r->pending.p)) : at;
    if (end == SIZE_MAX) {
        if (!last && r->pending.n <= MAX_NAME)
            return false;
        qn_buf_str(&r->raw, qn_str_from(r->format->name));
        give_up(r, r->format->open);
        return true;
    }
    size_t from = qn_min_size(spaces(r), end), to = trimmed(r, end);
    struct qn_str name = qn_str_slice(pending(r), from, to > from ? to : from);
    size_t cut = qn_str_find(name, QN_STR("["), 0); // an id follows: [CALL_ID]
    name = qn_str_slice(name, 0, qn_min_size(cut, name.n));
    bool text = qn_str_is(name, "all") && qn_str_is(QN_STR(">>>"), r->format->open);
    if (!text && !begin_call(r, name)) {
        give_up(r, r->format->open);
        return true;
    }
    qn_buf_str(&r->early, name); // for the types of its arguments
    drop(r, end == at ? at + strlen(r->format->args) : end);
    r->scan = (struct qn_json_scan){0};
    r->filled = false;
    if (!text && r->format->style == QN_CALLS_TAGGED)
        emit(r, QN_CHANNEL_TOOL_ARGUMENTS, QN_STR("{"));
    r->state = text                                  ? QN_REPLY_TEXT
               : r->format->style == QN_CALLS_TAGGED ? QN_REPLY_TAGS
                                                     : QN_REPLY_ARGS;
    return true;
}

static bool step_arguments(struct qn_reply *r) {
    if (!begun(&r->scan))
        drop(r, spaces(r));
    bool done;
    size_t n = scan_value(&r->scan, r->pending.p, r->pending.n, &done);
    if (done && !begun(&r->scan) && n == 0)
        emit(r, QN_CHANNEL_TOOL_ARGUMENTS, QN_STR("{}"));
    emit_pending(r, QN_CHANNEL_TOOL_ARGUMENTS, n);
    if (done)
        r->state = QN_REPLY_END;
    return done;
}

/* ---- arguments between tags ------------------------------------------------------------------ */

static const char key_open[] = "<parameter=", value_close[] = "</parameter>";

static bool step_tags(struct qn_reply *r, bool last) {
    drop(r, spaces(r));
    if (r->pending.n == 0)
        return false;
    enum match key = match_at(r, 0, key_open), end = match_at(r, 0, r->format->end);
    if (key == YES) {
        drop(r, sizeof key_open - 1);
        r->state = QN_REPLY_KEY;
        return true;
    }
    if (end != YES && (key == MAYBE || end == MAYBE) && !last)
        return false;
    emit(r, QN_CHANNEL_TOOL_ARGUMENTS, QN_STR("}"));
    r->state = QN_REPLY_END;
    return true;
}

static bool step_key(struct qn_reply *r) {
    size_t hold, at = find(r, ">", &hold);
    if (at == SIZE_MAX)
        return false;
    clear(r, &r->key);
    qn_buf_append(&r->key, r->pending.p, at);
    drop(r, at + 1);
    r->state = QN_REPLY_VALUE;
    return true;
}

/* Between tags stands bare text: the schema says whether it is a string. */
static bool is_json_value(struct qn_reply *r, struct qn_str key, struct qn_str value) {
    struct qn_json_value parameters =
        qn_json_get(find_tool(r, qn_buf_view(&r->early)), "parameters");
    struct qn_json_value schema = qn_json_get_str(qn_json_get(parameters, "properties"), key);
    if (qn_json_string_is(qn_json_get(schema, "type"), "string"))
        return false;
    struct qn_arena arena;
    struct qn_json json;
    struct qn_error ignored;
    qn_arena_init(&arena, r->text.allocator);
    enum qn_status status = qn_json_parse(&json, &arena, value, &ignored);
    if (status == QN_E_NO_MEMORY)
        r->held.failed = true;
    qn_arena_free(&arena);
    return status == QN_OK;
}

static bool step_tag_value(struct qn_reply *r) {
    size_t hold, at = find(r, value_close, &hold);
    if (at == SIZE_MAX)
        return false;
    size_t from = r->pending.p[0] == '\n', to = at;
    if (to > from && r->pending.p[to - 1] == '\n')
        to--;
    struct qn_str value = qn_str_slice(pending(r), from, to > from ? to : from);
    clear(r, &r->held);
    qn_buf_cstr(&r->held, r->filled ? ", " : "");
    qn_buf_json_str(&r->held, qn_buf_view(&r->key));
    qn_buf_cstr(&r->held, ": ");
    if (is_json_value(r, qn_buf_view(&r->key), value))
        qn_buf_str(&r->held, value);
    else
        qn_buf_json_str(&r->held, value);
    emit(r, QN_CHANNEL_TOOL_ARGUMENTS, qn_buf_view(&r->held));
    r->filled = true;
    drop(r, at + sizeof value_close - 1);
    r->state = QN_REPLY_TAGS;
    return true;
}

/* ---- calls, text, reasoning ------------------------------------------------------------------ */

static bool step_end(struct qn_reply *r, bool last) {
    size_t n = spaces(r);
    enum match end = match_at(r, n, r->format->end);
    if (end == MAYBE && !last)
        return false;
    drop(r, end == YES ? n + strlen(r->format->end) : n);
    end_call(r, r->format->name[0] ? QN_REPLY_CALLS : QN_REPLY_SKIP);
    return true;
}

static void open_calls(struct qn_reply *r) {
    r->fresh = true;
    r->state = QN_REPLY_CALLS;
    clear(r, &r->raw);
}

static bool step_calls(struct qn_reply *r, bool last) {
    const struct qn_tool_format *f = r->format;
    bool json = f->style == QN_CALLS_JSON;
    size_t n = spaces(r);
    while (json && n < r->pending.n && strchr("[],; \n\r\t", r->pending.p[n]))
        n++;
    drop(r, n);
    if (r->pending.n == 0)
        return false;
    enum match close = f->close[0] ? match_at(r, 0, f->close) : NO;
    enum match name = json ? r->pending.p[0] == '{' ? YES : NO : match_at(r, 0, f->name);
    if (close == YES && !r->fresh) {
        drop(r, strlen(f->close));
        r->state = QN_REPLY_SKIP;
    } else if (name == YES) {
        if (!json)
            drop(r, strlen(f->name));
        r->state = json ? QN_REPLY_OBJECT : QN_REPLY_NAME;
        r->fresh = r->named = r->filled = r->in_key = r->in_value = false;
        clear(r, &r->raw);
        clear(r, &r->early);
        if (json)
            consume(r, 1);
    } else if ((close == MAYBE || name == MAYBE) && !last) {
        return false;
    } else if (r->fresh) {
        give_up(r, f->open);
    } else {
        r->state = QN_REPLY_SKIP;
    }
    return true;
}

static bool step_think(struct qn_reply *r, bool last) {
    if (!r->filled) // nothing was told of yet
        drop(r, spaces(r));
    size_t hold, at = find(r, r->think->close, &hold);
    size_t n = trimmed(r, at == SIZE_MAX ? hold : at);
    r->filled = r->filled || n > 0;
    emit_pending(r, QN_CHANNEL_REASONING, n);
    if (at == SIZE_MAX) {
        if (last && r->pending.n > spaces(r))
            emit_pending(r, QN_CHANNEL_REASONING, r->pending.n);
        return false;
    }
    drop(r, at - n + strlen(r->think->close));
    r->think = NULL;
    r->state = QN_REPLY_SKIP;
    return true;
}

static const char python_tag[] = "<|python_tag|>";

static bool step_start(struct qn_reply *r, bool last) {
    bool bare = r->format && r->format->open[0] == 0;
    size_t n = spaces(r);
    if (!r->think && !bare) {
        r->state = QN_REPLY_TEXT;
        return true;
    }
    enum match think = r->think ? match_at(r, n, r->think->open) : NO;
    enum match tag = bare ? match_at(r, n, python_tag) : NO;
    if (think == YES) {
        drop(r, n + strlen(r->think->open));
        r->state = QN_REPLY_THINK;
        r->filled = false;
    } else if (tag == YES || (bare && n < r->pending.n && r->pending.p[n] == '{')) {
        drop(r, tag == YES ? n + sizeof python_tag - 1 : n);
        open_calls(r);
    } else if (!last && (think == MAYBE || tag == MAYBE)) {
        return false;
    } else {
        r->state = QN_REPLY_TEXT;
        r->think = NULL;
    }
    return true;
}

static bool step_text(struct qn_reply *r, bool last) {
    if (!r->format || r->format->open[0] == 0) {
        emit_pending(r, QN_CHANNEL_CONTENT, r->pending.n);
        return false;
    }
    size_t hold, at = find(r, r->format->open, &hold);
    if (at != SIZE_MAX) { // space before a call is none of the text
        size_t n = trimmed(r, at);
        emit_pending(r, QN_CHANNEL_CONTENT, n);
        drop(r, at - n + strlen(r->format->open));
        open_calls(r);
        return true;
    }
    emit_pending(r, QN_CHANNEL_CONTENT, last ? r->pending.n : trimmed(r, hold));
    return false;
}

/* Takes what can be understood now; false when more text is needed. */
static bool step(struct qn_reply *r, bool last) {
    switch (r->state) {
    case QN_REPLY_START:
        return step_start(r, last) && r->pending.n > 0;
    case QN_REPLY_THINK:
        return step_think(r, last);
    case QN_REPLY_SKIP:
        drop(r, spaces(r));
        if (r->pending.n > 0)
            r->state = QN_REPLY_START;
        return r->pending.n > 0;
    case QN_REPLY_TEXT:
        return step_text(r, last);
    case QN_REPLY_CALLS:
        return step_calls(r, last);
    case QN_REPLY_NAME:
        return step_name(r, last);
    case QN_REPLY_OBJECT:
        return step_object(r);
    case QN_REPLY_ARGS:
        return step_arguments(r);
    case QN_REPLY_TAGS:
        return step_tags(r, last);
    case QN_REPLY_KEY:
        return step_key(r);
    case QN_REPLY_VALUE:
        return step_tag_value(r);
    case QN_REPLY_END:
        return step_end(r, last);
    }
    return false;
}

/* The text ends within a call: what was no call yet is text, what was one stays as it is. */
static void end(struct qn_reply *r) {
    if ((r->state == QN_REPLY_CALLS && r->fresh) || (r->state == QN_REPLY_OBJECT && !r->named)) {
        give_up(r, r->format->open);
        emit_pending(r, QN_CHANNEL_CONTENT, r->pending.n);
    } else if (r->state == QN_REPLY_OBJECT && r->value == ARGUMENTS && r->in_value && !r->direct) {
        emit(r, QN_CHANNEL_TOOL_ARGUMENTS, qn_buf_view(&r->held));
    }
}

static struct qn_buf *const *buffers(struct qn_reply *r, struct qn_buf *list[7]) {
    struct qn_buf *all[7] = {&r->pending, &r->raw,  &r->key,   &r->held,
                             &r->early,   &r->text, &r->pieces};
    memcpy(list, all, sizeof all);
    return list;
}

enum qn_status qn_reply_push(struct qn_reply *r, struct qn_str text, bool last,
                             struct qn_error *err) {
    if (r->told * sizeof(struct qn_reply_piece) == r->pieces.n) {
        clear(r, &r->text);
        clear(r, &r->pieces);
        r->told = 0;
    }
    qn_buf_str(&r->pending, text);
    while (!r->pending.failed && !r->text.failed && !r->pieces.failed && step(r, last)) {
    }
    if (last)
        end(r);
    struct qn_buf *list[7];
    buffers(r, list);
    for (size_t i = 0; i < 7; i++)
        r->failed = r->failed || list[i]->failed;
    return r->failed ? qn_fail(err, QN_E_NO_MEMORY, "the text of an answer") : QN_OK;
}

enum qn_status qn_reply_init(struct qn_reply *r, const struct qn_allocator *allocator,
                             const struct qn_tool_format *format,
                             const struct qn_think_format *think, struct qn_json_value tools,
                             struct qn_str prompt, struct qn_error *err) {
    struct qn_buf *list[7];
    memset(r, 0, sizeof *r);
    qn_arena_init(&r->arena, allocator);
    buffers(r, list);
    for (size_t i = 0; i < 7; i++)
        qn_buf_init(list[i], allocator);
    r->format = qn_json_exists(tools) ? format : NULL;
    r->think = think;
    if (r->format) {
        struct qn_json *json = QN_ARENA_NEW(&r->arena, struct qn_json, 1);
        qn_json_write(&r->held, tools);
        struct qn_str copy = qn_str_copy(&r->arena, qn_buf_view(&r->held));
        if (!json || r->held.failed || !copy.p)
            return qn_fail(err, QN_E_NO_MEMORY, "the tools of a request");
        QN_TRY(qn_json_parse(json, &r->arena, copy, err));
        r->tools = qn_json_root(json);
    }
    while (prompt.n > 0 && is_space(prompt.p[prompt.n - 1]))
        prompt.n--;
    enum qn_thinking thinking = qn_thinking_of(think, prompt);
    if (r->format && r->format->open[0] && qn_str_ends(prompt, qn_str_from(r->format->open)))
        open_calls(r); // the prompt begins one already
    else if (thinking == QN_THINKS)
        r->state = QN_REPLY_THINK;
    else if (thinking == QN_THINKS_NOT)
        r->think = NULL;
    return QN_OK;
}

void qn_reply_free(struct qn_reply *r) {
    struct qn_buf *list[7];
    buffers(r, list);
    for (size_t i = 0; i < 7; i++)
        if (list[i]->allocator)
            qn_buf_free(list[i]);
    if (r->arena.allocator)
        qn_arena_free(&r->arena);
    memset(r, 0, sizeof *r);
}
