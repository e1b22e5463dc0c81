/* Grammars in the notation of GBNF:
 *
 *     root  ::= "yes" | "no" [!?]*          # the rule where a text begins is called root
 *     items ::= item ("," item){0,3} .
 *
 * Literals and classes know \n \r \t \\ \" \[ \] \xhh \uhhhh \Uhhhhhhhh; a class is otherwise
 * that of regular expressions; `.` is any character. `%json {…}` stands for any text that a JSON
 * schema allows, `%regex ["…"]` for what a regular expression matches. A rule ends at the end of
 * its line, but for lines within ( ) and lines that begin or end with |. */
#include <string.h>

#include "constrain/constrain.h"
#include "constrain/regex.h"

#define DEPTH_MAX 60
#define RULES_MAX 1000

struct rule {
    struct qn_str name;
    uint32_t number;
    bool defined;
};

struct parser {
    struct qn_grammar *g;
    struct qn_terms *t;
    struct qn_arena *arena;
    struct qn_error *err;
    struct qn_str s;
    size_t at;
    uint32_t depth, whitespace;
    struct rule *rules;
    uint32_t n, capacity;
};

static enum qn_status bad(const struct parser *p, const char *what) {
    uint32_t line = 1;
    for (size_t i = 0; i < p->at && i < p->s.n; i++)
        line += p->s.p[i] == '\n';
    return qn_fail_at(p->err, QN_E_ARGUMENT, p->at, "the grammar, line %u: %s", line, what);
}

static bool peek(const struct parser *p, char c) {
    return p->at < p->s.n && p->s.p[p->at] == c;
}

static bool take(struct parser *p, char c) {
    bool is = peek(p, c);
    p->at += is;
    return is;
}

static void skip(struct parser *p, bool lines) {
    while (p->at < p->s.n) {
        char c = p->s.p[p->at];
        if (c == '#')
            while (p->at < p->s.n && p->s.p[p->at] != '\n')
                p->at++;
        else if (c == ' ' || c == '\t' || (lines && (c == '\n' || c == '\r')))
            p->at++;
        else
            break;
    }
}

static struct qn_str name(struct parser *p) {
    size_t begin = p->at;
    for (; p->at < p->s.n; p->at++) {
        char c = p->s.p[p->at], low = c | 32;
        if (!((low >= 'a' && low <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
            break;
    }
    return qn_str_slice(p->s, begin, p->at);
}

static enum qn_status rule_for(struct parser *p, struct rule **out, struct qn_str called) {
    for (uint32_t i = 0; i < p->n; i++) {
        *out = &p->rules[i];
        if (qn_str_eq(p->rules[i].name, called))
            return QN_OK;
    }
    if (p->n == p->capacity) {
        uint32_t capacity = p->capacity ? p->capacity * 2 : 32;
        struct rule *rules =
            capacity > RULES_MAX * 2 ? NULL : QN_ARENA_NEW(p->arena, struct rule, capacity);
        if (capacity > RULES_MAX * 2)
            return qn_fail(p->err, QN_E_LIMIT, "a grammar of %u rules", p->n);
        if (rules == NULL)
            return qn_fail(p->err, QN_E_NO_MEMORY, "a grammar");
        if (p->n > 0)
            memcpy(rules, p->rules, p->n * sizeof *rules);
        p->rules = rules;
        p->capacity = capacity;
    }
    *out = &p->rules[p->n++];
    **out = (struct rule){.name = called, .number = qn_term_rule(p->t)};
    return qn_terms_report(p->t, p->err); // there may be no such rule
}

static enum qn_status literal(struct parser *p, uint32_t *out) {
    struct qn_buf text;
    enum qn_status status = QN_OK;
    qn_buf_init(&text, p->arena->allocator);
    p->at++;
    while (status == QN_OK && !peek(p, '"')) {
        if (p->at >= p->s.n || peek(p, '\n')) {
            status = bad(p, "a literal without an end");
        } else if (!take(p, '\\')) {
            qn_buf_char(&text, p->s.p[p->at++]);
        } else {
            char c = p->at < p->s.n ? p->s.p[p->at++] : 0;
            size_t n = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
            uint32_t value = 0;
            if (n == 0)
                qn_buf_char(&text, c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : c);
            else if (!qn_str_hex(&value, p->s, p->at, n) || value > 0x10ffff ||
                     value >> 11 == 0xd800 >> 11)
                status = bad(p, "a bad escape");
            else
                qn_buf_utf8(&text, value);
            p->at += n;
        }
    }
    p->at++;
    *out = qn_term_text(p->t, qn_buf_view(&text), QN_TERM_EPS);
    if (status == QN_OK && text.failed)
        status = qn_fail(p->err, QN_E_NO_MEMORY, "a grammar");
    qn_buf_free(&text);
    return status;
}

/* The end of a JSON value that begins at p->at. */
static size_t json_end(const struct parser *p) {
    uint32_t open = 0;
    bool quoted = false;
    for (size_t i = p->at; i < p->s.n; i++) {
        char c = p->s.p[i];
        if (quoted) {
            i += c == '\\';
            quoted = c != '"';
            continue;
        }
        quoted = c == '"';
        open += c == '{' || c == '[';
        if ((c == '}' || c == ']') && (open == 0 || --open == 0))
            return i + 1;
        if (open == 0 && c == 'e') // true, false
            return i + 1;
    }
    return p->s.n;
}

/* A list of one string. */
static enum qn_status regular(struct parser *p, uint32_t *out, struct qn_str list) {
    struct qn_json json;
    struct qn_str text;
    QN_TRY(qn_json_parse(&json, p->arena, list, p->err));
    struct qn_json_iter it = qn_json_iterate(qn_json_root(&json));
    if (!qn_json_each(&it) || !qn_json_string(&text, p->arena, it.value))
        return bad(p, "a regular expression that is no string");
    return qn_regex_term(p->t, out, p->arena, text, QN_REGEX_WHOLE, p->err);
}

static enum qn_status choice(struct parser *p, uint32_t *out, bool nested);

static enum qn_status symbol(struct parser *p, uint32_t *out) {
    char c = p->s.p[p->at];
    if (c == '"')
        return literal(p, out);
    if (c == '[' || c == '.') {
        struct qn_chars set = {.arena = p->arena};
        p->at++;
        if (c == '[')
            QN_TRY(qn_regex_class(p->t, &set, p->s, &p->at, p->err));
        else
            qn_chars_negate(&set); // of nothing
        *out = qn_chars_term(p->t, &set, false);
        return set.failed ? qn_fail(p->err, QN_E_NO_MEMORY, "a grammar") : QN_OK;
    }
    if (c == '(') {
        p->at++;
        QN_TRY(choice(p, out, true));
        return take(p, ')') ? QN_OK : bad(p, "a group without an end");
    }
    if (c == '%') {
        struct qn_str rest = qn_str_slice(p->s, p->at, p->s.n);
        bool regex = qn_str_starts(rest, QN_STR("%regex"));
        if (!regex && !qn_str_starts(rest, QN_STR("%json")))
            return bad(p, "an unknown word after %");
        p->at += regex ? 6 : 5;
        skip(p, true);
        size_t end = json_end(p);
        struct qn_str schema = qn_str_slice(p->s, p->at, end);
        p->at = end;
        if (regex)
            return regular(p, out, schema);
        return qn_schema_term(p->g, out, p->arena, schema, p->whitespace, p->err);
    }
    struct qn_str called = name(p);
    struct rule *rule;
    if (called.n == 0)
        return bad(p, "a character that begins no symbol");
    QN_TRY(rule_for(p, &rule, called));
    *out = qn_term_call(p->t, rule->number);
    return QN_OK;
}

static uint32_t number(struct parser *p, uint32_t missing) {
    uint32_t value = 0;
    skip(p, false);
    if (p->at >= p->s.n || p->s.p[p->at] < '0' || p->s.p[p->at] > '9')
        return missing;
    for (; p->at < p->s.n && p->s.p[p->at] >= '0' && p->s.p[p->at] <= '9'; p->at++)
        value = value > QN_REP_MAX ? value : value * 10 + (uint32_t)(p->s.p[p->at] - '0');
    skip(p, false);
    return value;
}

static enum qn_status repeated(struct parser *p, uint32_t *item) {
    for (;;) {
        uint32_t min = 0, max = UINT32_MAX;
        if (take(p, '{')) {
            min = number(p, 0);
            max = take(p, ',') ? number(p, UINT32_MAX) : min;
            if (!take(p, '}') || min > max)
                return bad(p, "a bad count");
        } else if (take(p, '+')) {
            min = 1;
        } else if (take(p, '?')) {
            max = 1;
        } else if (!take(p, '*')) {
            return QN_OK;
        }
        *item = qn_term_rep(p->t, *item, min, max);
    }
}

/* A new rule begins here: a name and ::=. */
static bool at_rule(const struct parser *p) {
    struct parser ahead = *p;
    if (name(&ahead).n == 0)
        return false;
    skip(&ahead, false);
    return qn_str_starts(qn_str_slice(p->s, ahead.at, p->s.n), QN_STR("::="));
}

static enum qn_status sequence(struct parser *p, uint32_t *out, bool nested) {
    struct qn_vec *work = &p->t->work;
    uint32_t base = work->n, item;
    skip(p, nested);
    while (p->at < p->s.n && !strchr("|)\r\n", p->s.p[p->at])) {
        QN_TRY(symbol(p, &item));
        skip(p, nested);
        QN_TRY(repeated(p, &item));
        skip(p, nested);
        qn_vec_push(p->t, work, item);
        QN_TRY(qn_terms_report(p->t, p->err));
    }
    for (*out = QN_TERM_EPS; work->n > base;)
        *out = qn_term_cat(p->t, work->p[--work->n], *out);
    return QN_OK;
}

static enum qn_status choice(struct parser *p, uint32_t *out, bool nested) {
    struct qn_vec *work = &p->t->work;
    uint32_t base = work->n, one;
    if (++p->depth > DEPTH_MAX)
        return qn_fail(p->err, QN_E_LIMIT, "a grammar nested more than %d deep", DEPTH_MAX);
    for (bool more = true; more;) {
        skip(p, true); // the line may end after ::= and |
        if (!at_rule(p))
            QN_TRY(sequence(p, &one, nested));
        else
            one = QN_TERM_EPS;
        qn_vec_push(p->t, work, one);
        size_t before = p->at;
        skip(p, true);
        more = take(p, '|');
        if (!more && !nested)
            p->at = before;
    }
    p->depth--;
    *out = qn_term_join(p->t, QN_T_OR, base);
    return qn_terms_report(p->t, p->err);
}

enum qn_status qn_gbnf_term(struct qn_grammar *g, uint32_t *out, struct qn_arena *scratch,
                            struct qn_str text, uint32_t whitespace, struct qn_error *err) {
    struct parser p = {
        .g = g, .t = &g->terms, .arena = scratch, .err = err, .s = text, .whitespace = whitespace};
    struct rule *rule;
    uint32_t body;
    for (skip(&p, true); p.at < text.n; skip(&p, true)) {
        struct qn_str called = name(&p);
        skip(&p, false);
        if (called.n == 0 || !qn_str_starts(qn_str_slice(text, p.at, text.n), QN_STR("::=")))
            return bad(&p, "expected a rule: name ::= …");
        p.at += 3;
        QN_TRY(choice(&p, &body, false));
        QN_TRY(rule_for(&p, &rule, called));
        if (rule->defined)
            return qn_fail(err, QN_E_ARGUMENT, "the grammar's rule \"%.*s\" is defined twice",
                           QN_STR_ARG(called));
        rule->defined = true;
        g->terms.rules.p[rule->number] = body;
        skip(&p, false);
        if (p.at < text.n && !peek(&p, '\n') && !peek(&p, '\r'))
            return bad(&p, "a ')' too many");
    }
    for (uint32_t i = 0; i < p.n; i++)
        if (!p.rules[i].defined)
            return qn_fail(err, QN_E_ARGUMENT, "the grammar's rule \"%.*s\" is not defined",
                           QN_STR_ARG(p.rules[i].name));
    QN_TRY(rule_for(&p, &rule, QN_STR("root")));
    if (!rule->defined)
        return qn_fail(err, QN_E_ARGUMENT, "the grammar has no rule \"root\"");
    *out = qn_term_call(&g->terms, rule->number);
    return qn_terms_report(&g->terms, err);
}
