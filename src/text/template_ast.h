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

#endif
