/* The tree of a parsed template: nodes in the template's arena, lists as chains through `next`. */
#ifndef QN_TEXT_TEMPLATE_AST_H
#define QN_TEXT_TEMPLATE_AST_H

#include "text/template_value.h"

enum qn_tnode_kind {
    // expressions
    QN_TNODE_CONST,   // value
    QN_TNODE_NAME,    // name
    QN_TNODE_LIST,    // a: items
    QN_TNODE_TUPLE,   // a: items
    QN_TNODE_DICT,    // a: pairs
    QN_TNODE_PAIR,    // a: key, b: value
    QN_TNODE_ATTR,    // a . name
    QN_TNODE_ITEM,    // a [b]
    QN_TNODE_SLICE,   // a : b : c, each may be NULL; only as b of an item
    QN_TNODE_CALL,    // a (b: arguments)
    QN_TNODE_KEYWORD, // name = a, in arguments
    QN_TNODE_STAR,    // * a
    QN_TNODE_STAR2,   // ** a
    QN_TNODE_FILTER,  // a | name (b: arguments); a NULL: filter of a block
    QN_TNODE_TEST,    // a is name (b: arguments)
    QN_TNODE_NOT,     // a
    QN_TNODE_NEG,     // a
    QN_TNODE_POS,     // a
    QN_TNODE_MATH,    // a, then b: operands, from left to right
    QN_TNODE_COMPARE, // a, then b: operands, chained
    QN_TNODE_OPERAND, // op, a
    QN_TNODE_AND,     // a: terms
    QN_TNODE_OR,      // a: terms
    QN_TNODE_CONCAT,  // a: terms
    QN_TNODE_COND,    // b if a else c; c may be NULL
    QN_TNODE_NSREF,   // target: name . a (a NAME)
    // statements
    QN_TNODE_DATA,         // value
    QN_TNODE_OUTPUT,       // a
    QN_TNODE_IF,           // a, b: body, c: else (an IF for elif)
    QN_TNODE_FOR,          // a: target, b: ITER, c: body
    QN_TNODE_ITER,         // a: iterable, b: condition or NULL, c: else body
    QN_TNODE_SET,          // a: target, b: value
    QN_TNODE_SET_BLOCK,    // a: target, b: filter or NULL, c: body
    QN_TNODE_FILTER_BLOCK, // b: filter, c: body
    QN_TNODE_MACRO,        // name, a: PARAMs, b: body
    QN_TNODE_PARAM,        // name, a: default or NULL
    QN_TNODE_CALL_BLOCK,   // a: call, b: MACRO named caller
    QN_TNODE_WITH,         // a: SETs, b: body
    QN_TNODE_SCOPE,        // a: body
    QN_TNODE_DO,           // a
    QN_TNODE_BREAK,
    QN_TNODE_CONTINUE,
};

enum qn_top {
    QN_TOP_ADD,
    QN_TOP_SUB,
    QN_TOP_MUL,
    QN_TOP_DIV,
    QN_TOP_FLOORDIV,
    QN_TOP_MOD,
    QN_TOP_POW,
    QN_TOP_EQ,
    QN_TOP_NE,
    QN_TOP_LT,
    QN_TOP_LE,
    QN_TOP_GT,
    QN_TOP_GE,
    QN_TOP_IN,
    QN_TOP_NOT_IN,
};

enum { QN_TMACRO_CALLER = 1, QN_TMACRO_KWARGS = 2, QN_TMACRO_VARARGS = 4 }; // names a body uses

struct qn_tnode {
    uint8_t kind; // enum qn_tnode_kind
    uint8_t op;   // enum qn_top; macro: QN_TMACRO_…
    uint32_t at;  // byte offset in the source
    struct qn_tnode *a, *b, *c, *next;
    struct qn_str name;
    union {
        struct qn_tval value;
        const struct qn_tfunc *func; // filter, test; NULL: no such name, an error when reached
    };
};

struct qn_template {
    struct qn_str source; // with newlines made \n
    struct qn_tnode *body;
};

/* Tokens (template_lex.c). */
enum qn_ttoken_kind {
    QN_TTOK_END,
    QN_TTOK_DATA,
    QN_TTOK_VAR_BEGIN,
    QN_TTOK_VAR_END,
    QN_TTOK_BLOCK_BEGIN,
    QN_TTOK_BLOCK_END,
    QN_TTOK_NAME,
    QN_TTOK_STR,
    QN_TTOK_INT,
    QN_TTOK_FLOAT,
    // operators
    QN_TTOK_ADD,
    QN_TTOK_SUB,
    QN_TTOK_DIV,
    QN_TTOK_FLOORDIV,
    QN_TTOK_MUL,
    QN_TTOK_MOD,
    QN_TTOK_POW,
    QN_TTOK_TILDE,
    QN_TTOK_LBRACKET,
    QN_TTOK_RBRACKET,
    QN_TTOK_LPAREN,
    QN_TTOK_RPAREN,
    QN_TTOK_LBRACE,
    QN_TTOK_RBRACE,
    QN_TTOK_EQ,
    QN_TTOK_NE,
    QN_TTOK_GT,
    QN_TTOK_GE,
    QN_TTOK_LT,
    QN_TTOK_LE,
    QN_TTOK_ASSIGN,
    QN_TTOK_DOT,
    QN_TTOK_COLON,
    QN_TTOK_PIPE,
    QN_TTOK_COMMA,
    QN_TTOK_SEMICOLON,
};

struct qn_ttoken {
    enum qn_ttoken_kind kind;
    uint32_t at;
    struct qn_str text; // data, name: as is; string: between the quotes; number: literal
};

struct qn_tsite;

/* `source` ends in no newline and has no \r. */
struct qn_tlexer {
    struct qn_tsite *site;
    struct qn_str source;
    size_t at;
    uint32_t open;      // brackets
    uint8_t mode;       // 0: data, else the kind of token that ends the tag
    bool line_starting; // what came before ended in a newline
    struct qn_ttoken pending;
    bool has_pending;
};
enum qn_status qn_tlexer_next(struct qn_tlexer *lexer, struct qn_ttoken *out);

/* Parser of expressions (template_parse.c), used by the one of statements (template_stmt.c). */
struct qn_tparser {
    struct qn_tsite *site;
    struct qn_arena *arena;
    struct qn_tlexer lexer;
    struct qn_ttoken now, ahead;
    uint32_t depth; // of C recursion
    uint32_t loops; // around the current statement, within its macro
    uint8_t uses;   // QN_TMACRO_… of the current macro
};
enum qn_status qn_tparse_advance(struct qn_tparser *p);
enum qn_status qn_tparse_expect(struct qn_tparser *p, enum qn_ttoken_kind kind, const char *what);
bool qn_tparse_at_name(const struct qn_tparser *p, const char *name);
enum qn_status qn_tparse_node(struct qn_tparser *p, struct qn_tnode **out, enum qn_tnode_kind kind);
enum qn_status qn_tparse_fail(struct qn_tparser *p, const char *expected);
enum qn_status qn_tparse_enter(struct qn_tparser *p); // then p->depth--
enum { QN_TPARSE_NO_COND = 1, QN_TPARSE_EMPTY = 2 };  // no inline if; () allowed
/* An expression, or a tuple without parentheses. */
enum qn_status qn_tparse_tuple(struct qn_tparser *p, struct qn_tnode **out, int flags);
enum qn_status qn_tparse_expression(struct qn_tparser *p, struct qn_tnode **out, bool with_cond);
enum qn_status qn_tparse_filters(struct qn_tparser *p, struct qn_tnode **out, bool start_inline);
enum qn_status qn_tparse_target(struct qn_tparser *p, struct qn_tnode **out, bool with_namespace);
enum qn_status qn_tparse_statements(struct qn_tparser *p, struct qn_tnode **out,
                                    const char *const *ends);

#endif
