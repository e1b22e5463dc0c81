/* What an answer must look like, as a constraint: a response format, or calls that are forced. */
#include <string.h>

#include "engine/engine.h"

#define JSON_SPACE 12 // between tokens of an answer's JSON: an indented line
#define CALL_SPACE 1  // of a call's arguments, as templates show them

static bool forced(const struct qn_chat *c) {
    return c->tool_choice >= QN_TOOLS_REQUIRED && qn_json_exists(c->tools);
}

static bool is_list(const struct qn_tool_format *f) {
    return f->style == QN_CALLS_JSON && f->name[0] == '[';
}

bool qn_calls_once(const struct qn_tool_format *f) {
    return is_list(f) || (f->style == QN_CALLS_NAMED && f->name[0]);
}

/* A grammar as it is written. */
struct form {
    struct qn_buf *g;
    const struct qn_chat *chat;
    const qn_engine *engine;
    const struct qn_answer_style *style;
    const struct qn_tool_format *f;
    bool lazy, loose;
};

/* A literal of GBNF. */
static void literal(struct qn_buf *g, struct qn_str s) {
    qn_buf_char(g, '"');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\n') {
            qn_buf_cstr(g, "\\n");
            continue;
        }
        if (s.p[i] == '"' || s.p[i] == '\\')
            qn_buf_char(g, '\\');
        qn_buf_char(g, s.p[i]);
    }
    qn_buf_cstr(g, "\" ");
}

/* The longest control token that `s` begins with, as its place among the style's marks. */
static uint32_t mark_at(const struct form *w, struct qn_str s, size_t *n) {
    uint32_t found = UINT32_MAX;
    *n = 0;
    for (uint32_t i = w->style->n_think; i < w->style->n_marks; i++) {
        struct qn_str token = qn_engine_token(w->engine, w->style->marks[i]);
        if (token.n > *n && qn_str_starts(s, token)) {
            found = i - w->style->n_think;
            *n = token.n;
        }
    }
    return found;
}

/* What a format says, control tokens as such: nothing else can be taken for them. */
static void text(const struct form *w, const char *all) {
    struct qn_str s = qn_str_from(all);
    for (size_t from = 0, at = 0, n; at <= s.n; at++) {
        uint32_t mark = mark_at(w, qn_str_slice(s, at, s.n), &n);
        if ((at == s.n || n > 0) && at > from)
            literal(w->g, qn_str_slice(s, from, at));
        if (n == 0)
            continue;
        qn_buf_format(w->g, "\"\xff%c\" ", (char)(QN_MARK + mark));
        from = at + n;
        at = from - 1;
    }
}

static void schema(const struct form *w, struct qn_json_value v) {
    struct qn_buf *g = w->g;
    qn_buf_cstr(g, "%json ");
    if (qn_json_type(v) == QN_JSON_OBJECT && !w->loose)
        qn_json_write(g, v);
    else
        qn_buf_cstr(g, "{\"type\":\"object\"}");
    qn_buf_char(g, ' ');
}

/* ---- between tags ---------------------------------------------------------------------------- */

static const char value_end[] = "\n</parameter>\n";

/* Any text up to and with `value_end`, whose first character does not come again before its last:
 * after k characters of it only the next one, or the first, keep a match alive. */
static void value_rules(struct qn_buf *g) {
    size_t n = sizeof value_end - 1;
    for (size_t k = 0; k < n; k++) {
        char next = value_end[k];
        qn_buf_format(g, "t%zu ::= ", k);
        literal(g, (struct qn_str){&next, 1});
        if (k + 1 < n)
            qn_buf_format(g, "t%zu ", k + 1);
        if (k > 0 && next != '\n')
            qn_buf_cstr(g, "| \"\\n\" t1 ");
        qn_buf_cstr(g, k == 0 || next == '\n' ? "| [^\\n] t0\n" : "| [^\\n");
        if (k > 0 && next != '\n')
            qn_buf_format(g, "%c] t0\n", next);
    }
}

static void tagged_arguments(const struct form *w, struct qn_json_value function) {
    struct qn_buf *g = w->g;
    struct qn_json_value parameters = qn_json_get(function, "parameters");
    struct qn_json_iter it = qn_json_iterate(qn_json_get(parameters, "properties"));
    while (qn_json_each(&it)) {
        bool required = false;
        struct qn_json_iter names = qn_json_iterate(qn_json_get(parameters, "required"));
        while (!names.object && qn_json_each(&names))
            required = required || qn_str_eq(qn_json_raw(names.value), qn_json_raw(it.key));
        qn_buf_cstr(g, "( \"<parameter=");
        qn_buf_str(g, qn_json_raw(it.key)); // JSON's escapes are GBNF's, as far as names go
        qn_buf_cstr(g, ">\\n\" ");
        struct qn_json_iter options = qn_json_iterate(qn_json_get(it.value, "enum"));
        if (!qn_json_string_is(qn_json_get(it.value, "type"), "string") && !w->loose) {
            schema(w, it.value);
            text(w, value_end);
        } else if (options.left > 0 && !w->loose) {
            for (bool first = true; qn_json_each(&options); first = false) {
                qn_buf_cstr(g, first ? "( " : "| ");
                qn_json_write(g, options.value);
                qn_buf_char(g, ' ');
            }
            qn_buf_cstr(g, ") ");
            text(w, value_end);
        } else {
            qn_buf_cstr(g, "t0 ");
        }
        qn_buf_cstr(g, required ? ") " : ")? ");
    }
}

/* ---- calls ----------------------------------------------------------------------------------- */

static void call(const struct form *w, struct qn_json_value function) {
    const struct qn_tool_format *f = w->f;
    struct qn_str name = qn_json_raw(qn_json_get(function, "name"));
    struct qn_json_value parameters = qn_json_get(function, "parameters");
    if (w->lazy && f->open[0] == 0) { // what comes before is the model's own writing
        qn_buf_format(w->g, "\"%.*s\\\"\" w \",\" w \"\\\"%s\\\"\" w \":\" w ", (int)name.n, name.p,
                      f->args);
        schema(w, parameters);
        qn_buf_cstr(w->g, "w \"}\" ");
        return;
    }
    if (f->style == QN_CALLS_JSON) {
        const char *key = f->end[0] ? f->end : "name";
        qn_buf_format(w->g, "\"{\\\"%s\\\": \\\"%.*s\\\", \\\"%s\\\": \" ", key, (int)name.n,
                      name.p, f->args);
        schema(w, parameters);
        text(w, "}");
        return;
    }
    text(w, f->name);
    literal(w->g, name);
    text(w, f->args);
    if (f->style == QN_CALLS_TAGGED) {
        text(w, "\n");
        tagged_arguments(w, function);
        text(w, f->end);
        text(w, "\n");
    } else {
        schema(w, parameters);
        if (f->end[0] == '`') // DeepSeek's fence stands on a line of its own
            text(w, "\n");
        text(w, f->end);
    }
}

/* Whether a call's opening mark stands on a line of its own. */
static bool on_line(const struct qn_tool_format *f) {
    return f->close[0] && f->style != QN_CALLS_NAMED && !is_list(f);
}

static void one_call(const struct form *w, bool open) {
    const struct qn_tool_format *f = w->f;
    if (open && w->lazy) // the mark has come, in whatever tokens
        literal(w->g, qn_str_from(f->open));
    else if (open)
        text(w, f->open);
    if (open)
        text(w, on_line(f) ? "\n" : "");
    text(w, open && is_list(f) ? "[" : "");
    qn_buf_cstr(w->g, "call ");
    if (on_line(f) && f->style == QN_CALLS_JSON)
        text(w, "\n");
    text(w, qn_calls_once(f) ? "" : f->close); // each has its own marks
}

static void calls(const struct form *w, bool opened) {
    const struct qn_tool_format *f = w->f;
    const struct qn_chat *c = w->chat;
    struct qn_buf *g = w->g;
    bool bare = f->open[0] == 0, once = qn_calls_once(f);
    bool many = c->parallel_calls && c->tool_choice != QN_TOOLS_NAMED && !bare;
    if (w->lazy && bare)
        qn_buf_cstr(g, "w ::= [ \\n\\r\\t]{0,8}\ncalls ::= \"{\" w (\"\\\"type\\\"\" w \":\" w "
                       "\"\\\"function\\\"\" w \",\" w)? \"\\\"name\\\"\" w \":\" w \"\\\"\" call");
    else {
        qn_buf_cstr(g, "calls ::= ");
        text(w, opened && is_list(f) ? "[" : "");
        one_call(w, !opened);
        if (many && (once || !w->lazy)) { // the next mark of a lazy one is seen as it comes
            qn_buf_cstr(g, "( ");
            text(w, is_list(f) ? ", " : once ? "" : on_line(f) ? "\n" : "");
            one_call(w, !once);
            qn_buf_cstr(g, ")* ");
        }
        text(w, is_list(f) ? "]" : "");
        text(w, once && w->lazy ? f->close : "");
    }
    qn_buf_cstr(g, "\ncall ::= ");
    struct qn_json_iter it = qn_json_iterate(c->tools);
    for (bool first = true; qn_json_each(&it);) {
        struct qn_json_value function = qn_json_get(it.value, "function");
        if (c->tool_choice == QN_TOOLS_NAMED &&
            !qn_str_eq(qn_json_raw(qn_json_get(function, "name")), c->tool_name))
            continue;
        qn_buf_cstr(g, first ? "" : "| ");
        first = false;
        call(w, function);
    }
    if (w->lazy && f->open[0] == '>') // Functionary's name for text
        qn_buf_cstr(g, "| \"all\\n\" ");
    qn_buf_char(g, '\n');
    if (f->style == QN_CALLS_TAGGED)
        value_rules(g);
}

/* ---- the prompt's end, and the constraint ---------------------------------------------------- */

enum qn_thinking qn_thinking_of(const struct qn_think_format *think, struct qn_str prompt) {
    while (prompt.n > 0 && strchr(" \n\r\t", prompt.p[prompt.n - 1]))
        prompt.n--;
    if (!think || qn_str_ends(prompt, qn_str_from(think->close)))
        return QN_THINKS_NOT;
    return qn_str_ends(prompt, qn_str_from(think->open)) ? QN_THINKS : QN_MAY_THINK;
}

void qn_ask_open(struct qn_buf *prompt, const struct qn_chat *c,
                 const struct qn_answer_style *style, struct qn_str chat_template) {
    if (c->form_kind == QN_ANSWER_TEXT && !forced(c))
        return;
    enum qn_thinking thinking = qn_thinking_of(style->think, qn_buf_view(prompt));
    /* A model with a switch thinks unless it is off: it shall begin with it, so that it is known
     * where the constraint applies. */
    if (thinking == QN_MAY_THINK &&
        qn_str_find(chat_template, QN_STR("enable_thinking"), 0) != SIZE_MAX) {
        qn_buf_cstr(prompt, style->think->open);
        qn_buf_char(prompt, '\n');
    } else if (thinking != QN_THINKS && forced(c)) {
        /* Marks are control tokens in some models, which constraints know nothing of. */
        struct qn_str open = qn_str_from(style->tools->open);
        if (!qn_str_ends(qn_buf_view(prompt), open))
            qn_buf_str(prompt, open);
        qn_buf_cstr(prompt, open.n > 0 && on_line(style->tools) ? "\n" : "");
    }
}

void qn_ask_constraint(struct qn_constraint *out, struct qn_buf *buf, const struct qn_chat *c,
                       const qn_engine *e, const struct qn_answer_style *style, uint32_t how) {
    bool thinks = how & QN_FORM_THINKS;
    bool json = c->form_kind == QN_ANSWER_JSON || c->form_kind == QN_ANSWER_SCHEMA;
    bool may_call = json && qn_json_exists(c->tools);
    struct form w = {
        buf, c, e, style, style ? style->tools : NULL, how & QN_FORM_LAZY, how & QN_FORM_LOOSE};
    *out = (struct qn_constraint){.whitespace = forced(c) || w.lazy ? CALL_SPACE : JSON_SPACE};
    if (w.lazy) {
        out->kind = QN_CONSTRAINT_GRAMMAR;
        qn_buf_cstr(buf, "root ::= calls\n");
        calls(&w, false);
        out->text = qn_buf_view(buf);
        return;
    }
    if (forced(c) || may_call || (json && thinks)) {
        out->kind = QN_CONSTRAINT_GRAMMAR;
        qn_buf_cstr(buf, "root ::= ");
        qn_buf_cstr(buf, thinks ? "[\\n]{0,2} ( " : "( "); // what separates it from a thought
        qn_buf_cstr(buf, forced(c) || may_call ? "calls " : "");
        qn_buf_cstr(buf, may_call && !forced(c) ? "| " : "");
    } else if (json) {
        out->kind = QN_CONSTRAINT_JSON_SCHEMA;
    }
    if (json && !forced(c)) {
        qn_buf_cstr(buf, out->kind == QN_CONSTRAINT_GRAMMAR ? "%json " : "");
        qn_buf_str(buf, c->form_kind == QN_ANSWER_JSON ? QN_STR("{\"type\":\"object\"}") : c->form);
    }
    if (out->kind == QN_CONSTRAINT_GRAMMAR)
        qn_buf_cstr(buf, " )\n");
    if (forced(c) || may_call)
        calls(&w, forced(c) && !thinks);
    if (c->form_kind == QN_ANSWER_REGEX) {
        out->kind = QN_CONSTRAINT_REGEX;
        qn_buf_cstr(buf, thinks ? "\\n{0,2}(?:" : "");
        qn_buf_str(buf, c->form);
        qn_buf_cstr(buf, thinks ? ")" : "");
    } else if (c->form_kind == QN_ANSWER_GRAMMAR) {
        out->kind = QN_CONSTRAINT_GRAMMAR;
        qn_buf_str(buf, c->form);
    }
    out->text = qn_buf_view(buf);
}
