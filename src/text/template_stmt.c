/* Statements, and the entry point of parsing. */
#include "text/template_parse.h"

static const char *const end_if[] = {"elif", "else", "endif", NULL};
static const char *const end_else[] = {"endif", NULL};
static const char *const end_for[] = {"endfor", "else", NULL};
static const char *const end_for_else[] = {"endfor", NULL};
static const char *const end_set[] = {"endset", NULL};
static const char *const end_macro[] = {"endmacro", NULL};
static const char *const end_call[] = {"endcall", NULL};
static const char *const end_filter[] = {"endfilter", NULL};
static const char *const end_with[] = {"endwith", NULL};
static const char *const end_generation[] = {"endgeneration", NULL};

static bool at_any(const struct qn_tparser *p, const char *const *names) {
    for (; *names; names++)
        if (qn_tparse_at_name(p, *names))
            return true;
    return false;
}

/* A body up to one of `ends`, then past that word. */
static enum qn_status parse_body(struct qn_tparser *p, struct qn_tnode **out,
                                 const char *const *ends) {
    QN_TRY(qn_tparse_expect(p, QN_TTOK_BLOCK_END, "the end of the tag"));
    QN_TRY(qn_tparse_statements(p, out, ends));
    return qn_tparse_advance(p);
}

static enum qn_status parse_if(struct qn_tparser *p, struct qn_tnode **out) {
    for (;;) { // one round per elif: a long chain needs no depth
        QN_TRY(qn_tparse_node(p, out, QN_TNODE_IF));
        QN_TRY(qn_tparse_advance(p));
        QN_TRY(qn_tparse_tuple(p, &(*out)->a, QN_TPARSE_NO_COND));
        QN_TRY(qn_tparse_expect(p, QN_TTOK_BLOCK_END, "the end of the tag"));
        QN_TRY(qn_tparse_statements(p, &(*out)->b, end_if));
        if (!qn_tparse_at_name(p, "elif"))
            break;
        out = &(*out)->c;
    }
    bool has_else = qn_tparse_at_name(p, "else");
    QN_TRY(qn_tparse_advance(p));
    return has_else ? parse_body(p, &(*out)->c, end_else) : QN_OK;
}

static enum qn_status parse_for(struct qn_tparser *p, struct qn_tnode **out) {
    QN_TRY(qn_tparse_node(p, out, QN_TNODE_FOR));
    struct qn_tnode *loop = *out;
    QN_TRY(qn_tparse_advance(p));
    QN_TRY(qn_tparse_target(p, &loop->a, false));
    if (!qn_tparse_at_name(p, "in"))
        return qn_tparse_fail(p, "'in'");
    QN_TRY(qn_tparse_node(p, &loop->b, QN_TNODE_ITER));
    QN_TRY(qn_tparse_advance(p));
    QN_TRY(qn_tparse_tuple(p, &loop->b->a, QN_TPARSE_NO_COND));
    if (qn_tparse_at_name(p, "if")) {
        QN_TRY(qn_tparse_advance(p));
        QN_TRY(qn_tparse_expression(p, &loop->b->b, true));
    }
    if (qn_tparse_at_name(p, "recursive"))
        return qn_tparse_fail(p, "the end of the tag (recursive loops are not supported)");
    QN_TRY(qn_tparse_expect(p, QN_TTOK_BLOCK_END, "the end of the tag"));
    p->loops++;
    QN_TRY(qn_tparse_statements(p, &loop->c, end_for));
    p->loops--;
    bool has_else = qn_tparse_at_name(p, "else");
    QN_TRY(qn_tparse_advance(p));
    return has_else ? parse_body(p, &loop->b->c, end_for_else) : QN_OK;
}

static enum qn_status parse_set(struct qn_tparser *p, struct qn_tnode **out) {
    QN_TRY(qn_tparse_node(p, out, QN_TNODE_SET));
    struct qn_tnode *set = *out;
    QN_TRY(qn_tparse_advance(p));
    QN_TRY(qn_tparse_target(p, &set->a, true));
    if (p->now.kind == QN_TTOK_ASSIGN) {
        QN_TRY(qn_tparse_advance(p));
        return qn_tparse_tuple(p, &set->b, 0);
    }
    set->kind = QN_TNODE_SET_BLOCK;
    QN_TRY(qn_tparse_filters(p, &set->b, false));
    return parse_body(p, &set->c, end_set);
}

/* (a, b=1) of a macro or call block. */
static enum qn_status parse_signature(struct qn_tparser *p, struct qn_tnode **out) {
    struct qn_tnode **tail = out;
    bool defaults = false;
    QN_TRY(qn_tparse_expect(p, QN_TTOK_LPAREN, "'('"));
    while (p->now.kind != QN_TTOK_RPAREN) {
        if (tail != out)
            QN_TRY(qn_tparse_expect(p, QN_TTOK_COMMA, "','"));
        QN_TRY(qn_tparse_node(p, tail, QN_TNODE_PARAM));
        (*tail)->name = p->now.text;
        QN_TRY(qn_tparse_expect(p, QN_TTOK_NAME, "a name"));
        if (p->now.kind == QN_TTOK_ASSIGN) {
            QN_TRY(qn_tparse_advance(p));
            QN_TRY(qn_tparse_expression(p, &(*tail)->a, true));
            defaults = true;
        } else if (defaults) {
            return qn_tparse_fail(p, "a default, as the parameter before has one");
        }
        tail = &(*tail)->next;
    }
    return qn_tparse_advance(p);
}

/* The body of a macro: break and continue do not reach out, and names it uses are noted. */
static enum qn_status parse_macro_body(struct qn_tparser *p, struct qn_tnode *macro,
                                       const char *const *ends) {
    uint8_t uses = p->uses;
    uint32_t loops = p->loops;
    p->uses = 0;
    p->loops = 0;
    QN_TRY(parse_body(p, &macro->b, ends));
    macro->op = p->uses;
    p->uses |= uses;
    p->loops = loops;
    return QN_OK;
}

static enum qn_status parse_macro(struct qn_tparser *p, struct qn_tnode **out) {
    QN_TRY(qn_tparse_node(p, out, QN_TNODE_MACRO));
    QN_TRY(qn_tparse_advance(p));
    (*out)->name = p->now.text;
    QN_TRY(qn_tparse_expect(p, QN_TTOK_NAME, "the macro's name"));
    QN_TRY(parse_signature(p, &(*out)->a));
    return parse_macro_body(p, *out, end_macro);
}

static enum qn_status parse_call_block(struct qn_tparser *p, struct qn_tnode **out) {
    QN_TRY(qn_tparse_node(p, out, QN_TNODE_CALL_BLOCK));
    struct qn_tnode *block = *out;
    QN_TRY(qn_tparse_node(p, &block->b, QN_TNODE_MACRO));
    block->b->name = QN_STR("caller");
    QN_TRY(qn_tparse_advance(p));
    if (p->now.kind == QN_TTOK_LPAREN)
        QN_TRY(parse_signature(p, &block->b->a));
    QN_TRY(qn_tparse_expression(p, &block->a, true));
    if (block->a->kind != QN_TNODE_CALL)
        return qn_tparse_fail(p, "the call of a macro");
    return parse_macro_body(p, block->b, end_call);
}

static enum qn_status parse_with(struct qn_tparser *p, struct qn_tnode **out) {
    QN_TRY(qn_tparse_node(p, out, QN_TNODE_WITH));
    struct qn_tnode **tail = &(*out)->a;
    QN_TRY(qn_tparse_advance(p));
    while (p->now.kind != QN_TTOK_BLOCK_END) {
        if (*tail) {
            QN_TRY(qn_tparse_expect(p, QN_TTOK_COMMA, "','"));
            tail = &(*tail)->next;
        }
        QN_TRY(qn_tparse_node(p, tail, QN_TNODE_SET));
        QN_TRY(qn_tparse_node(p, &(*tail)->a, QN_TNODE_NAME));
        (*tail)->a->name = p->now.text;
        QN_TRY(qn_tparse_expect(p, QN_TTOK_NAME, "a name"));
        QN_TRY(qn_tparse_expect(p, QN_TTOK_ASSIGN, "'='"));
        QN_TRY(qn_tparse_expression(p, &(*tail)->b, true));
    }
    return parse_body(p, &(*out)->b, end_with);
}

static enum qn_status parse_filter_block(struct qn_tparser *p, struct qn_tnode **out) {
    QN_TRY(qn_tparse_node(p, out, QN_TNODE_FILTER_BLOCK));
    QN_TRY(qn_tparse_advance(p));
    QN_TRY(qn_tparse_filters(p, &(*out)->b, true));
    return parse_body(p, &(*out)->c, end_filter);
}

static enum qn_status parse_one_word(struct qn_tparser *p, struct qn_tnode **out,
                                     enum qn_tnode_kind kind) {
    if (!p->loops)
        return qn_tparse_fail(p, "no break or continue outside a loop");
    QN_TRY(qn_tparse_node(p, out, kind));
    return qn_tparse_advance(p);
}

static enum qn_status parse_print(struct qn_tparser *p, struct qn_tnode **out) {
    do {
        QN_TRY(qn_tparse_advance(p)); // the word, then commas
        QN_TRY(qn_tparse_node(p, out, QN_TNODE_OUTPUT));
        QN_TRY(qn_tparse_expression(p, &(*out)->a, true));
        out = &(*out)->next;
    } while (p->now.kind == QN_TTOK_COMMA);
    return QN_OK;
}

static enum qn_status parse_statement(struct qn_tparser *p, struct qn_tnode **out) {
    static const char *const refused[] = {"include", "import", "from",       "extends",
                                          "block",   "trans",  "autoescape", NULL};
    if (qn_tparse_at_name(p, "if"))
        return parse_if(p, out);
    if (qn_tparse_at_name(p, "for"))
        return parse_for(p, out);
    if (qn_tparse_at_name(p, "set"))
        return parse_set(p, out);
    if (qn_tparse_at_name(p, "macro"))
        return parse_macro(p, out);
    if (qn_tparse_at_name(p, "call"))
        return parse_call_block(p, out);
    if (qn_tparse_at_name(p, "filter"))
        return parse_filter_block(p, out);
    if (qn_tparse_at_name(p, "with"))
        return parse_with(p, out);
    if (qn_tparse_at_name(p, "break"))
        return parse_one_word(p, out, QN_TNODE_BREAK);
    if (qn_tparse_at_name(p, "continue"))
        return parse_one_word(p, out, QN_TNODE_CONTINUE);
    if (qn_tparse_at_name(p, "generation")) { // marks the assistant's text for training; prints it
        QN_TRY(qn_tparse_node(p, out, QN_TNODE_SCOPE));
        QN_TRY(qn_tparse_advance(p));
        uint32_t loops = p->loops;
        p->loops = 0;
        QN_TRY(parse_body(p, &(*out)->a, end_generation));
        p->loops = loops;
        return QN_OK;
    }
    if (qn_tparse_at_name(p, "print"))
        return parse_print(p, out);
    if (qn_tparse_at_name(p, "do")) {
        QN_TRY(qn_tparse_node(p, out, QN_TNODE_DO));
        QN_TRY(qn_tparse_advance(p));
        return qn_tparse_tuple(p, &(*out)->a, 0);
    }
    p->site->at = p->now.at;
    if (at_any(p, refused))
        return qn_tfail(p->site, "'%.*s' is not supported in chat templates",
                        QN_STR_ARG(p->now.text));
    if (p->now.kind == QN_TTOK_NAME)
        return qn_tfail(p->site, "unknown tag '%.*s'", QN_STR_ARG(p->now.text));
    return qn_tparse_fail(p, "the name of a tag");
}

/* Everything up to a tag that starts with one of `ends`, which is left as the current token; with
 * `ends` NULL up to the end of the template. */
enum qn_status qn_tparse_statements(struct qn_tparser *p, struct qn_tnode **out,
                                    const char *const *ends) {
    struct qn_tnode **tail = out;
    uint32_t begin = p->now.at;
    QN_TRY(qn_tparse_enter(p));
    for (;;) {
        switch (p->now.kind) {
        case QN_TTOK_DATA:
            QN_TRY(qn_tparse_node(p, tail, QN_TNODE_DATA));
            (*tail)->value = qn_tval_str(p->now.text);
            QN_TRY(qn_tparse_advance(p));
            break;
        case QN_TTOK_VAR_BEGIN:
            QN_TRY(qn_tparse_node(p, tail, QN_TNODE_OUTPUT));
            QN_TRY(qn_tparse_advance(p));
            QN_TRY(qn_tparse_tuple(p, &(*tail)->a, 0));
            QN_TRY(qn_tparse_expect(p, QN_TTOK_VAR_END, "the end of the tag"));
            break;
        case QN_TTOK_BLOCK_BEGIN:
            QN_TRY(qn_tparse_advance(p));
            if (ends && at_any(p, ends)) {
                p->depth--;
                return QN_OK;
            }
            QN_TRY(parse_statement(p, tail));
            QN_TRY(qn_tparse_expect(p, QN_TTOK_BLOCK_END, "the end of the tag"));
            break;
        case QN_TTOK_END:
            if (ends) {
                p->site->at = begin;
                const char *end = ends[0];
                for (; *ends; ends++)
                    end = *ends;
                return qn_tfail(p->site, "the block that begins here has no '%s'", end);
            }
            p->depth--;
            return QN_OK;
        default:
            return qn_tparse_fail(p, "text or a tag");
        }
        while (*tail)
            tail = &(*tail)->next;
    }
}

/* Newlines become \n, and one at the very end goes (keep_trailing_newline is off). */
static enum qn_status normalise(struct qn_str *out, struct qn_arena *arena, struct qn_str source) {
    if (source.n && memchr(source.p, '\r', source.n)) {
        char *text = QN_ARENA_NEW(arena, char, source.n);
        size_t n = 0;
        if (!text)
            return QN_E_NO_MEMORY;
        for (size_t i = 0; i < source.n; i++) {
            if (source.p[i] == '\r' && i + 1 < source.n && source.p[i + 1] == '\n')
                continue;
            text[n++] = source.p[i] == '\r' ? '\n' : source.p[i];
        }
        source = (struct qn_str){text, n};
    }
    if (source.n && source.p[source.n - 1] == '\n')
        source.n--;
    *out = source;
    return QN_OK;
}

enum qn_status qn_template_parse(struct qn_template **out, struct qn_arena *arena,
                                 struct qn_str source, struct qn_error *err) {
    enum { SOURCE_MAX = 4 << 20 }; // published templates reach 20 KB
    if (source.n > SOURCE_MAX)
        return qn_fail(err, QN_E_LIMIT, "the chat template has more than %d bytes", SOURCE_MAX);
    struct qn_template *t = QN_ARENA_NEW(arena, struct qn_template, 1);
    if (!t || normalise(&t->source, arena, source) != QN_OK)
        return qn_fail(err, QN_E_NO_MEMORY, "in the chat template");
    struct qn_tsite site = {.source = t->source, .err = err};
    struct qn_tparser p = {
        .site = &site,
        .arena = arena,
        .lexer = {.site = &site, .source = t->source, .line_starting = true},
    };
    QN_TRY(qn_tlexer_next(&p.lexer, &p.now));
    QN_TRY(qn_tlexer_next(&p.lexer, &p.ahead));
    QN_TRY(qn_tparse_statements(&p, &t->body, NULL));
    *out = t;
    return QN_OK;
}
