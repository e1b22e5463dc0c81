/* Tokens and the two halves of the parser: expressions and statements. */
#ifndef QN_TEXT_TEMPLATE_PARSE_H
#define QN_TEXT_TEMPLATE_PARSE_H

#include "text/template_internal.h"

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
