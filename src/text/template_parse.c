/* Expressions: recursive descent with Jinja's grammar. Chains of operators of one precedence become
 * lists, so that long sums need no depth. */
#include "text/template_parse.h"
#include "base/utf8.h"

enum { PARSE_DEPTH = 100 }; // of nested expressions and statements together

enum qn_status qn_tparse_enter(struct qn_tparser *p) {
    p->site->at = p->now.at;
    if (++p->depth > PARSE_DEPTH)
        return qn_tfail_as(p->site, QN_E_LIMIT, "nested more than %d deep", PARSE_DEPTH);
    return QN_OK;
}

enum qn_status qn_tparse_advance(struct qn_tparser *p) {
    p->now = p->ahead;
    return qn_tlexer_next(&p->lexer, &p->ahead);
}

enum qn_status qn_tparse_fail(struct qn_tparser *p, const char *expected) {
    p->site->at = p->now.at;
    switch (p->now.kind) {
    case QN_TTOK_END:
        return qn_tfail(p->site, "expected %s, got the end of the template", expected);
    case QN_TTOK_BLOCK_END:
    case QN_TTOK_VAR_END:
        return qn_tfail(p->site, "expected %s, got the end of the tag", expected);
    default:
        return qn_tfail(p->site, "expected %s, got '%.*s'", expected, QN_STR_ARG(p->now.text));
    }
}

enum qn_status qn_tparse_expect(struct qn_tparser *p, enum qn_ttoken_kind kind, const char *what) {
    return p->now.kind == kind ? qn_tparse_advance(p) : qn_tparse_fail(p, what);
}

static bool token_is(const struct qn_ttoken *token, const char *name) {
    return token->kind == QN_TTOK_NAME && qn_str_is(token->text, name);
}

bool qn_tparse_at_name(const struct qn_tparser *p, const char *name) {
    return token_is(&p->now, name);
}

enum qn_status qn_tparse_node(struct qn_tparser *p, struct qn_tnode **out,
                              enum qn_tnode_kind kind) {
    struct qn_tnode *node = QN_ARENA_NEW(p->arena, struct qn_tnode, 1);
    if (!node)
        return qn_tfail_memory(p->site);
    node->kind = (uint8_t)kind;
    node->at = p->now.at;
    *out = node;
    return QN_OK;
}

static enum qn_status new_const(struct qn_tparser *p, struct qn_tnode **out,
                                const struct qn_tval *value) {
    QN_TRY(qn_tparse_node(p, out, QN_TNODE_CONST));
    (*out)->value = *value;
    return QN_OK;
}

/* One escape of a Python string after the backslash at s.p[*at - 1]; writes UTF-8. */
static size_t unescape_one(struct qn_str s, size_t *at, char out[4]) {
    static const char plain[] = "\\\\''\"\"a\ab\bf\fn\nr\rt\tv\v";
    char c = s.p[(*at)++];
    if (c == '\n')
        return 0;
    for (size_t i = 0; i + 1 < sizeof plain; i += 2)
        if (plain[i] == c) {
            out[0] = plain[i + 1];
            return 1;
        }
    size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    uint32_t cp = 0;
    if (c >= '0' && c <= '7') {
        cp = (uint32_t)(c - '0');
        for (int i = 0; i < 2 && *at < s.n && s.p[*at] >= '0' && s.p[*at] <= '7'; i++)
            cp = cp * 8 + (uint32_t)(s.p[(*at)++] - '0');
    } else if (digits && qn_str_hex(&cp, s, *at, digits)) {
        *at += digits;
    } else {
        digits = 0;
    }
    if (!digits && !(c >= '0' && c <= '7')) { // unknown escapes stay as they are
        out[0] = '\\';
        out[1] = c;
        return 2;
    }
    if (cp > 0x10ffff || (cp >= 0xd800 && cp < 0xe000))
        cp = 0xfffd;
    return qn_utf8_put(out, cp);
}

static enum qn_status parse_string(struct qn_tparser *p, struct qn_tnode **out) {
    struct qn_tnode *node;
    QN_TRY(new_const(p, &node, (struct qn_tval[]){qn_tval_str(p->now.text)}));
    size_t total = 0;
    struct qn_str first = p->now.text;
    char *text = NULL; // allocated when the value is not a slice of the source
    while (p->now.kind == QN_TTOK_STR) {
        struct qn_str s = p->now.text;
        bool plain = s.n == 0 || !memchr(s.p, '\\', s.n);
        bool last = p->ahead.kind != QN_TTOK_STR;
        if (!text && plain && last && s.p == first.p) {
            total = s.n;
        } else {
            char *joined = QN_ARENA_NEW(p->arena, char, total + s.n);
            if (!joined)
                return qn_tfail_memory(p->site);
            if (total)
                memcpy(joined, text, total);
            text = joined;
            for (size_t at = 0; at < s.n;) {
                char c = s.p[at++], utf8[4];
                if (c != '\\' || at == s.n) {
                    text[total++] = c;
                    continue;
                }
                size_t n = unescape_one(s, &at, utf8);
                memcpy(text + total, utf8, n);
                total += n;
            }
        }
        QN_TRY(qn_tparse_advance(p));
    }
    node->value = qn_tval_str((struct qn_str){text ? text : first.p, total});
    *out = node;
    return QN_OK;
}

static enum qn_status parse_number(struct qn_tparser *p, struct qn_tnode **out) {
    struct qn_tval value;
    p->site->at = p->now.at;
    if (p->now.kind == QN_TTOK_INT) {
        int64_t i;
        if (!qn_tnum_parse_i64(&i, p->now.text, 0))
            return qn_tfail(p->site, "the integer %.*s is too big", QN_STR_ARG(p->now.text));
        value = qn_tval_int(i);
    } else {
        double f;
        if (!qn_tnum_parse_f64(&f, p->now.text))
            return qn_tfail(p->site, "the number %.*s cannot be read", QN_STR_ARG(p->now.text));
        value = qn_tval_float(f);
    }
    QN_TRY(new_const(p, out, &value));
    return qn_tparse_advance(p);
}

/* Items up to `close`, a comma between them and perhaps one more at the end. */
static enum qn_status parse_items(struct qn_tparser *p, struct qn_tnode **out,
                                  enum qn_ttoken_kind close) {
    struct qn_tnode **tail = out;
    while (p->now.kind != close) {
        if (tail != out) {
            QN_TRY(qn_tparse_expect(p, QN_TTOK_COMMA, "','"));
            if (p->now.kind == close)
                break;
        }
        if (close == QN_TTOK_RBRACE) {
            QN_TRY(qn_tparse_node(p, tail, QN_TNODE_PAIR));
            QN_TRY(qn_tparse_expression(p, &(*tail)->a, true));
            QN_TRY(qn_tparse_expect(p, QN_TTOK_COLON, "':'"));
            QN_TRY(qn_tparse_expression(p, &(*tail)->b, true));
        } else {
            QN_TRY(qn_tparse_expression(p, tail, true));
        }
        tail = &(*tail)->next;
    }
    return qn_tparse_advance(p);
}

static enum qn_status parse_primary(struct qn_tparser *p, struct qn_tnode **out) {
    struct qn_str name = p->now.text;
    switch (p->now.kind) {
    case QN_TTOK_NAME:
        if (qn_str_is(name, "true") || qn_str_is(name, "True"))
            QN_TRY(new_const(p, out, (struct qn_tval[]){qn_tval_bool(true)}));
        else if (qn_str_is(name, "false") || qn_str_is(name, "False"))
            QN_TRY(new_const(p, out, (struct qn_tval[]){qn_tval_bool(false)}));
        else if (qn_str_is(name, "none") || qn_str_is(name, "None"))
            QN_TRY(new_const(p, out, (struct qn_tval[]){qn_tval_none()}));
        else {
            QN_TRY(qn_tparse_node(p, out, QN_TNODE_NAME));
            (*out)->name = name;
            p->uses |= qn_str_is(name, "caller")    ? QN_TMACRO_CALLER
                       : qn_str_is(name, "kwargs")  ? QN_TMACRO_KWARGS
                       : qn_str_is(name, "varargs") ? QN_TMACRO_VARARGS
                                                    : 0;
        }
        return qn_tparse_advance(p);
    case QN_TTOK_STR:
        return parse_string(p, out);
    case QN_TTOK_INT:
    case QN_TTOK_FLOAT:
        return parse_number(p, out);
    case QN_TTOK_LPAREN:
        QN_TRY(qn_tparse_advance(p));
        QN_TRY(qn_tparse_tuple(p, out, QN_TPARSE_EMPTY));
        return qn_tparse_expect(p, QN_TTOK_RPAREN, "')'");
    case QN_TTOK_LBRACKET:
        QN_TRY(qn_tparse_node(p, out, QN_TNODE_LIST));
        QN_TRY(qn_tparse_advance(p));
        return parse_items(p, &(*out)->a, QN_TTOK_RBRACKET);
    case QN_TTOK_LBRACE:
        QN_TRY(qn_tparse_node(p, out, QN_TNODE_DICT));
        QN_TRY(qn_tparse_advance(p));
        return parse_items(p, &(*out)->a, QN_TTOK_RBRACE);
    default:
        return qn_tparse_fail(p, "an expression");
    }
}

static enum qn_status parse_args(struct qn_tparser *p, struct qn_tnode **out) {
    QN_TRY(qn_tparse_expect(p, QN_TTOK_LPAREN, "'('"));
    struct qn_tnode **tail = out;
    uint32_t seen = 0; // 1: a keyword, 2: *, 4: **
    while (p->now.kind != QN_TTOK_RPAREN) {
        if (tail != out) {
            QN_TRY(qn_tparse_expect(p, QN_TTOK_COMMA, "','"));
            if (p->now.kind == QN_TTOK_RPAREN)
                break;
        }
        bool keyword = p->now.kind == QN_TTOK_NAME && p->ahead.kind == QN_TTOK_ASSIGN;
        bool star = p->now.kind == QN_TTOK_MUL, star2 = p->now.kind == QN_TTOK_POW;
        if ((star && seen >= 2) || ((star2 || keyword) && seen >= 4) ||
            (!star && !star2 && !keyword && seen))
            return qn_tparse_fail(p, "arguments in order");
        if (keyword || star || star2) {
            QN_TRY(qn_tparse_node(p, tail,
                                  keyword ? QN_TNODE_KEYWORD
                                  : star  ? QN_TNODE_STAR
                                          : QN_TNODE_STAR2));
            (*tail)->name = p->now.text;
            seen |= keyword ? 1 : star ? 2 : 4;
            QN_TRY(qn_tparse_advance(p));
            if (keyword)
                QN_TRY(qn_tparse_advance(p));
            QN_TRY(qn_tparse_expression(p, &(*tail)->a, true));
        } else {
            QN_TRY(qn_tparse_expression(p, tail, true));
        }
        tail = &(*tail)->next;
    }
    return qn_tparse_advance(p);
}

/* What stands between [ and ]: an expression or a slice. */
static enum qn_status parse_subscript(struct qn_tparser *p, struct qn_tnode **out) {
    struct qn_tnode *parts[3] = {NULL, NULL, NULL};
    int colons = 0;
    for (int i = 0; i < 3; i++) {
        if (p->now.kind != QN_TTOK_COLON && p->now.kind != QN_TTOK_RBRACKET)
            QN_TRY(qn_tparse_expression(p, &parts[i], true));
        if (p->now.kind != QN_TTOK_COLON || i == 2)
            break;
        colons++;
        QN_TRY(qn_tparse_advance(p));
    }
    if (p->now.kind == QN_TTOK_COMMA)
        return qn_tparse_fail(p, "']' (subscripts of several parts are not supported)");
    if (!colons && !parts[0])
        return qn_tparse_fail(p, "an expression");
    if (colons) {
        QN_TRY(qn_tparse_node(p, out, QN_TNODE_SLICE));
        (*out)->a = parts[0];
        (*out)->b = parts[1];
        (*out)->c = parts[2];
    } else {
        *out = parts[0];
    }
    return qn_tparse_expect(p, QN_TTOK_RBRACKET, "']'");
}

static enum qn_status parse_call(struct qn_tparser *p, struct qn_tnode **node) {
    struct qn_tnode *call;
    QN_TRY(qn_tparse_node(p, &call, QN_TNODE_CALL));
    call->a = *node;
    *node = call;
    return parse_args(p, &call->b);
}

static enum qn_status parse_postfix(struct qn_tparser *p, struct qn_tnode **node) {
    for (;;) {
        struct qn_tnode *made;
        if (p->now.kind == QN_TTOK_DOT) {
            QN_TRY(qn_tparse_node(p, &made, QN_TNODE_ATTR));
            QN_TRY(qn_tparse_advance(p));
            made->a = *node;
            made->name = p->now.text;
            if (p->now.kind == QN_TTOK_INT) {
                made->kind = QN_TNODE_ITEM;
                QN_TRY(parse_number(p, &made->b));
            } else {
                QN_TRY(qn_tparse_expect(p, QN_TTOK_NAME, "a name or number"));
            }
            *node = made;
        } else if (p->now.kind == QN_TTOK_LBRACKET) {
            QN_TRY(qn_tparse_node(p, &made, QN_TNODE_ITEM));
            QN_TRY(qn_tparse_advance(p));
            made->a = *node;
            QN_TRY(parse_subscript(p, &made->b));
            *node = made;
        } else if (p->now.kind == QN_TTOK_LPAREN) {
            QN_TRY(parse_call(p, node));
        } else {
            return QN_OK;
        }
    }
}

/* The name of a filter or test; dots belong to it. */
static enum qn_status parse_func_name(struct qn_tparser *p, struct qn_str *out) {
    *out = p->now.text;
    QN_TRY(qn_tparse_expect(p, QN_TTOK_NAME, "a name"));
    while (p->now.kind == QN_TTOK_DOT) {
        QN_TRY(qn_tparse_advance(p));
        out->n = (size_t)(p->now.text.p + p->now.text.n - out->p);
        QN_TRY(qn_tparse_expect(p, QN_TTOK_NAME, "a name"));
    }
    return QN_OK;
}

enum qn_status qn_tparse_filters(struct qn_tparser *p, struct qn_tnode **node, bool start_inline) {
    while (p->now.kind == QN_TTOK_PIPE || start_inline) {
        if (!start_inline)
            QN_TRY(qn_tparse_advance(p));
        start_inline = false;
        struct qn_tnode *filter;
        QN_TRY(qn_tparse_node(p, &filter, QN_TNODE_FILTER));
        QN_TRY(parse_func_name(p, &filter->name));
        filter->func = qn_tfilter_by_name(filter->name);
        if (p->now.kind == QN_TTOK_LPAREN)
            QN_TRY(parse_args(p, &filter->b));
        filter->a = *node;
        *node = filter;
    }
    return QN_OK;
}

static enum qn_status parse_test(struct qn_tparser *p, struct qn_tnode **node) {
    struct qn_tnode *test;
    QN_TRY(qn_tparse_node(p, &test, QN_TNODE_TEST));
    QN_TRY(qn_tparse_advance(p));
    bool negated = qn_tparse_at_name(p, "not");
    if (negated)
        QN_TRY(qn_tparse_advance(p));
    QN_TRY(parse_func_name(p, &test->name));
    test->func = qn_ttest_by_name(test->name);
    test->a = *node;
    *node = test;
    enum qn_ttoken_kind kind = p->now.kind;
    if (kind == QN_TTOK_LPAREN) {
        QN_TRY(parse_args(p, &test->b));
    } else if ((kind == QN_TTOK_NAME && !qn_tparse_at_name(p, "else") &&
                !qn_tparse_at_name(p, "or") && !qn_tparse_at_name(p, "and")) ||
               kind == QN_TTOK_STR || kind == QN_TTOK_INT || kind == QN_TTOK_FLOAT ||
               kind == QN_TTOK_LBRACKET || kind == QN_TTOK_LBRACE) {
        if (qn_tparse_at_name(p, "is"))
            return qn_tparse_fail(p, "no second 'is'");
        QN_TRY(parse_primary(p, &test->b));
        QN_TRY(parse_postfix(p, &test->b));
    }
    if (negated) {
        struct qn_tnode *not_node;
        QN_TRY(qn_tparse_node(p, &not_node, QN_TNODE_NOT));
        not_node->a = test;
        *node = not_node;
    }
    return QN_OK;
}

static enum qn_status parse_unary(struct qn_tparser *p, struct qn_tnode **out, bool with_filter) {
    QN_TRY(qn_tparse_enter(p));
    if (p->now.kind == QN_TTOK_SUB || p->now.kind == QN_TTOK_ADD) {
        QN_TRY(qn_tparse_node(p, out, p->now.kind == QN_TTOK_SUB ? QN_TNODE_NEG : QN_TNODE_POS));
        QN_TRY(qn_tparse_advance(p));
        QN_TRY(parse_unary(p, &(*out)->a, false));
    } else {
        QN_TRY(parse_primary(p, out));
    }
    QN_TRY(parse_postfix(p, out));
    while (with_filter) {
        if (p->now.kind == QN_TTOK_PIPE)
            QN_TRY(qn_tparse_filters(p, out, false));
        else if (qn_tparse_at_name(p, "is"))
            QN_TRY(parse_test(p, out));
        else if (p->now.kind == QN_TTOK_LPAREN)
            QN_TRY(parse_call(p, out));
        else
            break;
    }
    p->depth--;
    return QN_OK;
}

/* Binary operators by level, from the loosest: 0 compare, 1 + -, 2 ~, 3 * / // %, 4 **. */
enum { LEVEL_COMPARE, LEVEL_SUM, LEVEL_CONCAT, LEVEL_PRODUCT, LEVEL_POW, LEVEL_UNARY };

static int operator_level(const struct qn_tparser *p, uint8_t *op) {
    switch (p->now.kind) {
    case QN_TTOK_EQ:
        *op = QN_TOP_EQ;
        return LEVEL_COMPARE;
    case QN_TTOK_NE:
        *op = QN_TOP_NE;
        return LEVEL_COMPARE;
    case QN_TTOK_LT:
        *op = QN_TOP_LT;
        return LEVEL_COMPARE;
    case QN_TTOK_LE:
        *op = QN_TOP_LE;
        return LEVEL_COMPARE;
    case QN_TTOK_GT:
        *op = QN_TOP_GT;
        return LEVEL_COMPARE;
    case QN_TTOK_GE:
        *op = QN_TOP_GE;
        return LEVEL_COMPARE;
    case QN_TTOK_ADD:
        *op = QN_TOP_ADD;
        return LEVEL_SUM;
    case QN_TTOK_SUB:
        *op = QN_TOP_SUB;
        return LEVEL_SUM;
    case QN_TTOK_TILDE:
        return LEVEL_CONCAT;
    case QN_TTOK_MUL:
        *op = QN_TOP_MUL;
        return LEVEL_PRODUCT;
    case QN_TTOK_DIV:
        *op = QN_TOP_DIV;
        return LEVEL_PRODUCT;
    case QN_TTOK_FLOORDIV:
        *op = QN_TOP_FLOORDIV;
        return LEVEL_PRODUCT;
    case QN_TTOK_MOD:
        *op = QN_TOP_MOD;
        return LEVEL_PRODUCT;
    case QN_TTOK_POW:
        *op = QN_TOP_POW;
        return LEVEL_POW;
    case QN_TTOK_NAME:
        if (qn_tparse_at_name(p, "in")) {
            *op = QN_TOP_IN;
            return LEVEL_COMPARE;
        }
        if (qn_tparse_at_name(p, "not") && token_is(&p->ahead, "in")) {
            *op = QN_TOP_NOT_IN;
            return LEVEL_COMPARE;
        }
        return -1;
    default:
        return -1;
    }
}

/* All operators of `level` and tighter ones; the depth of its recursion is the number of levels. */
static enum qn_status parse_level(struct qn_tparser *p, struct qn_tnode **out, int level) {
    if (level == LEVEL_UNARY)
        return parse_unary(p, out, true);
    QN_TRY(parse_level(p, out, level + 1));
    uint8_t op = 0;
    if (operator_level(p, &op) != level)
        return QN_OK;
    struct qn_tnode *chain;
    QN_TRY(qn_tparse_node(p, &chain,
                          level == LEVEL_COMPARE  ? QN_TNODE_COMPARE
                          : level == LEVEL_CONCAT ? QN_TNODE_CONCAT
                                                  : QN_TNODE_MATH));
    chain->a = *out;
    *out = chain;
    struct qn_tnode **tail = level == LEVEL_CONCAT ? &chain->a->next : &chain->b;
    while (operator_level(p, &op) == level) {
        struct qn_tnode **operand = tail;
        if (level != LEVEL_CONCAT) {
            QN_TRY(qn_tparse_node(p, tail, QN_TNODE_OPERAND));
            (*tail)->op = op;
            operand = &(*tail)->a;
        }
        QN_TRY(qn_tparse_advance(p));
        if (level == LEVEL_COMPARE && op == QN_TOP_NOT_IN)
            QN_TRY(qn_tparse_advance(p));
        QN_TRY(parse_level(p, operand, level + 1));
        tail = &(*tail)->next;
    }
    return QN_OK;
}

static enum qn_status parse_not(struct qn_tparser *p, struct qn_tnode **out) {
    if (!qn_tparse_at_name(p, "not"))
        return parse_level(p, out, LEVEL_COMPARE);
    QN_TRY(qn_tparse_enter(p));
    QN_TRY(qn_tparse_node(p, out, QN_TNODE_NOT));
    QN_TRY(qn_tparse_advance(p));
    QN_TRY(parse_not(p, &(*out)->a));
    p->depth--;
    return QN_OK;
}

static enum qn_status parse_logic(struct qn_tparser *p, struct qn_tnode **out, bool is_or) {
    const char *word = is_or ? "or" : "and";
    QN_TRY(is_or ? parse_logic(p, out, false) : parse_not(p, out));
    if (!qn_tparse_at_name(p, word))
        return QN_OK;
    struct qn_tnode *chain;
    QN_TRY(qn_tparse_node(p, &chain, is_or ? QN_TNODE_OR : QN_TNODE_AND));
    chain->a = *out;
    *out = chain;
    struct qn_tnode **tail = &chain->a->next;
    while (qn_tparse_at_name(p, word)) {
        QN_TRY(qn_tparse_advance(p));
        QN_TRY(is_or ? parse_logic(p, tail, false) : parse_not(p, tail));
        tail = &(*tail)->next;
    }
    return QN_OK;
}

enum qn_status qn_tparse_expression(struct qn_tparser *p, struct qn_tnode **out, bool with_cond) {
    QN_TRY(qn_tparse_enter(p));
    QN_TRY(parse_logic(p, out, true));
    while (with_cond && qn_tparse_at_name(p, "if")) {
        struct qn_tnode *cond;
        QN_TRY(qn_tparse_node(p, &cond, QN_TNODE_COND));
        QN_TRY(qn_tparse_advance(p));
        cond->b = *out;
        *out = cond;
        QN_TRY(parse_logic(p, &cond->a, true));
        if (qn_tparse_at_name(p, "else")) {
            QN_TRY(qn_tparse_advance(p));
            QN_TRY(qn_tparse_expression(p, &cond->c, true));
        }
    }
    p->depth--;
    return QN_OK;
}

static bool tuple_ends(const struct qn_tparser *p) {
    return p->now.kind == QN_TTOK_VAR_END || p->now.kind == QN_TTOK_BLOCK_END ||
           p->now.kind == QN_TTOK_RPAREN || p->now.kind == QN_TTOK_END ||
           qn_tparse_at_name(p, "in") || qn_tparse_at_name(p, "recursive");
}

/* One part of a tuple, or the head of a target: flags < 0. */
static enum qn_status parse_part(struct qn_tparser *p, struct qn_tnode **out, int flags) {
    if (flags >= 0)
        return qn_tparse_expression(p, out, !(flags & QN_TPARSE_NO_COND));
    QN_TRY(qn_tparse_enter(p));
    bool nsref = p->now.kind == QN_TTOK_NAME && p->ahead.kind == QN_TTOK_DOT;
    if (nsref) {
        QN_TRY(qn_tparse_node(p, out, QN_TNODE_NSREF));
        (*out)->name = p->now.text;
        QN_TRY(qn_tparse_advance(p));
        QN_TRY(qn_tparse_advance(p));
        QN_TRY(qn_tparse_node(p, &(*out)->a, QN_TNODE_NAME));
        (*out)->a->name = p->now.text;
        QN_TRY(qn_tparse_expect(p, QN_TTOK_NAME, "a name"));
    } else if (p->now.kind == QN_TTOK_LPAREN) {
        QN_TRY(qn_tparse_advance(p));
        QN_TRY(qn_tparse_tuple(p, out, -1));
        QN_TRY(qn_tparse_expect(p, QN_TTOK_RPAREN, "')'"));
    } else {
        QN_TRY(parse_primary(p, out));
    }
    p->depth--;
    return QN_OK;
}

enum qn_status qn_tparse_tuple(struct qn_tparser *p, struct qn_tnode **out, int flags) {
    struct qn_tnode *tuple, **tail;
    bool is_tuple = false;
    QN_TRY(qn_tparse_node(p, &tuple, QN_TNODE_TUPLE));
    tail = &tuple->a;
    for (;;) {
        if (tuple_ends(p))
            break;
        QN_TRY(parse_part(p, tail, flags));
        tail = &(*tail)->next;
        if (p->now.kind != QN_TTOK_COMMA)
            break;
        is_tuple = true;
        QN_TRY(qn_tparse_advance(p));
    }
    if (!is_tuple && !tuple->a && !(flags > 0 && (flags & QN_TPARSE_EMPTY)))
        return qn_tparse_fail(p, "an expression");
    *out = is_tuple || !tuple->a ? tuple : tuple->a;
    return QN_OK;
}

static enum qn_status check_target(struct qn_tparser *p, const struct qn_tnode *node,
                                   bool with_namespace, uint32_t depth) {
    bool ok = node->kind == QN_TNODE_NAME || (node->kind == QN_TNODE_NSREF && with_namespace) ||
              (node->kind == QN_TNODE_TUPLE && depth < PARSE_DEPTH);
    if (!ok) {
        p->site->at = node->at;
        return qn_tfail(p->site, "this cannot be assigned to");
    }
    if (node->kind == QN_TNODE_TUPLE)
        for (const struct qn_tnode *item = node->a; item; item = item->next)
            QN_TRY(check_target(p, item, with_namespace, depth + 1));
    return QN_OK;
}

enum qn_status qn_tparse_target(struct qn_tparser *p, struct qn_tnode **out, bool with_namespace) {
    QN_TRY(qn_tparse_tuple(p, out, -1));
    return check_target(p, *out, with_namespace, 0);
}
