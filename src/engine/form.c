/* What an answer must look like, as a constraint: a response format, or calls that are forced. */
#include <string.h>

#include "engine/chat_parts.h"
#include "engine/engine.h"

#define JSON_SPACE 12 // between tokens of an answer's JSON: an indented line
#define CALL_SPACE 1  // of a call's arguments, as templates show them

static bool forced(const struct qn_chat *c) {
    return c->tool_choice >= QN_TOOLS_REQUIRED && qn_json_exists(c->tools);
}

static bool is_list(const struct qn_tool_format *f) {
    return f->style == QN_CALLS_JSON && f->name[0] == '[';
}

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

static void text(struct qn_buf *g, const char *s) {
    if (s[0])
        literal(g, qn_str_from(s));
}

static void schema(struct qn_buf *g, struct qn_json_value v) {
    qn_buf_cstr(g, "%json ");
    if (qn_json_type(v) == QN_JSON_OBJECT)
        qn_json_write(g, v, 0);
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

static void tagged_arguments(struct qn_buf *g, struct qn_json_value function) {
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
        if (!qn_json_string_is(qn_json_get(it.value, "type"), "string")) {
            schema(g, it.value);
            text(g, value_end);
        } else if (options.left > 0) {
            for (bool first = true; qn_json_each(&options); first = false) {
                qn_buf_cstr(g, first ? "( " : "| ");
                qn_json_write(g, options.value, 0);
                qn_buf_char(g, ' ');
            }
            qn_buf_cstr(g, ") ");
            text(g, value_end);
        } else {
            qn_buf_cstr(g, "t0 ");
        }
        qn_buf_cstr(g, required ? ") " : ")? ");
    }
}

/* ---- calls ----------------------------------------------------------------------------------- */

static void call(struct qn_buf *g, const struct qn_tool_format *f, struct qn_json_value function) {
    struct qn_str name = qn_json_raw(qn_json_get(function, "name"));
    if (f->style == QN_CALLS_JSON) {
        const char *key = f->end[0] ? f->end : "name";
        qn_buf_format(g, "\"{\\\"%s\\\": \\\"%.*s\\\", \\\"%s\\\": \" ", key, (int)name.n, name.p,
                      f->args);
        schema(g, qn_json_get(function, "parameters"));
        text(g, "}");
        return;
    }
    text(g, f->name);
    literal(g, name);
    text(g, f->args);
    if (f->style == QN_CALLS_TAGGED) {
        text(g, "\n");
        tagged_arguments(g, function);
        text(g, f->end);
        text(g, "\n");
    } else {
        schema(g, qn_json_get(function, "parameters"));
        if (f->end[0] == '`') // DeepSeek's fence stands on a line of its own
            text(g, "\n");
        text(g, f->end);
    }
}

/* Whether a call's opening mark stands on a line of its own. */
static bool on_line(const struct qn_tool_format *f) {
    return f->close[0] && f->style != QN_CALLS_NAMED && !is_list(f);
}

static void calls(struct qn_buf *g, const struct qn_chat *c, const struct qn_tool_format *f,
                  bool opened) {
    bool many = c->parallel_calls && c->tool_choice != QN_TOOLS_NAMED;
    bool again =
        !is_list(f) && !(f->style == QN_CALLS_NAMED && f->name[0]); // each has its own marks
    qn_buf_cstr(g, "calls ::= ");
    if (!opened) {
        text(g, f->open);
        text(g, on_line(f) ? "\n" : "");
    }
    text(g, is_list(f) ? "[" : "");
    qn_buf_cstr(g, "call ");
    if (on_line(f) && f->style == QN_CALLS_JSON)
        text(g, "\n");
    text(g, again ? f->close : "");
    if (many && !(f->open[0] == 0)) {
        qn_buf_cstr(g, "( ");
        if (is_list(f)) {
            text(g, ", ");
        } else if (again) {
            text(g, on_line(f) ? "\n" : "");
            text(g, f->open);
            text(g, on_line(f) ? "\n" : "");
        }
        qn_buf_cstr(g, "call ");
        if (on_line(f) && f->style == QN_CALLS_JSON)
            text(g, "\n");
        text(g, again ? f->close : "");
        qn_buf_cstr(g, ")* ");
    }
    text(g, is_list(f) ? "]" : "");
    qn_buf_cstr(g, "\ncall ::= ");
    struct qn_json_iter it = qn_json_iterate(c->tools);
    for (bool first = true; qn_json_each(&it);) {
        struct qn_json_value function = qn_json_get(it.value, "function");
        if (c->tool_choice == QN_TOOLS_NAMED &&
            !qn_str_eq(qn_json_raw(qn_json_get(function, "name")), c->tool_name))
            continue;
        qn_buf_cstr(g, first ? "" : "| ");
        first = false;
        call(g, f, function);
    }
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
                       const struct qn_tool_format *tools, bool thinks) {
    bool json = c->form_kind == QN_ANSWER_JSON || c->form_kind == QN_ANSWER_SCHEMA;
    bool may_call = json && qn_json_exists(c->tools);
    *out = (struct qn_constraint){.whitespace = forced(c) ? CALL_SPACE : JSON_SPACE};
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
        calls(buf, c, tools, forced(c) && !thinks);
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
