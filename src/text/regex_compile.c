/* Recursive descent that writes the program as it reads. A repeat or an alternative inserts
 * instructions in front of what is already there, which moves: distances are relative. */
#include <string.h>

#include "base/num.h"
#include "text/bytes.h"
#include "text/regex_impl.h"
#include "text/unicode.h"
#include "text/unicode_script.h"

#define MAX_CODE 4096u
#define MAX_DEPTH 24
#define NONE UINT32_MAX

struct parser {
    struct qn_str s;
    size_t at;
    struct qn_arena *arena;
    struct qn_error *err;
    struct qn_rinst *code;
    uint32_t n, capacity, depth;
    uint32_t min, max; // characters that the last part can match
    bool fold;
};

static enum qn_status fail(struct parser *p, const char *what) {
    return qn_fail(p->err, QN_E_UNSUPPORTED, "the regular expression %.*s: %s at byte %zu",
                   QN_STR_ARG(p->s), what, p->at);
}

static enum qn_status no_memory(struct parser *p) {
    return qn_fail(p->err, QN_E_NO_MEMORY, "regular expression");
}

static uint32_t add(uint32_t a, uint32_t b) {
    return a > NONE - b ? NONE : a + b;
}

static uint32_t times(uint32_t a, uint32_t b) {
    uint64_t product = (uint64_t)a * b;
    return a == 0 || b == 0                           ? 0
           : a == NONE || b == NONE || product > NONE ? NONE
                                                      : (uint32_t)product;
}

static bool peek(const struct parser *p, const char *text) {
    return qn_str_starts(qn_str_slice(p->s, p->at, p->s.n), qn_str_from(text));
}

static bool take(struct parser *p, const char *text) {
    bool is = peek(p, text);
    if (is)
        p->at += strlen(text);
    return is;
}

static uint32_t next_char(struct parser *p) {
    return p->at < p->s.n ? qn_utf8_next(p->s, &p->at) : NONE;
}

static enum qn_status insert(struct parser *p, uint32_t at, struct qn_rinst inst) {
    if (p->n == MAX_CODE)
        return fail(p, "it is too long");
    if (p->n == p->capacity) {
        uint32_t capacity = p->capacity ? p->capacity * 2 : 32;
        struct qn_rinst *code = QN_ARENA_NEW(p->arena, struct qn_rinst, capacity);
        if (!code)
            return no_memory(p);
        if (p->n > 0)
            memcpy(code, p->code, p->n * sizeof *code);
        p->code = code;
        p->capacity = capacity;
    }
    memmove(p->code + at + 1, p->code + at, (p->n - at) * sizeof *p->code);
    p->code[at] = inst;
    p->n++;
    return QN_OK;
}

static enum qn_status emit(struct parser *p, enum qn_rop op, int32_t x, int32_t y) {
    return insert(p, p->n, (struct qn_rinst){.op = (uint8_t)op, .x = x, .y = y});
}

/* ---- classes ---- */

static enum qn_status new_set(struct parser *p, struct qn_rset **out) {
    *out = QN_ARENA_NEW(p->arena, struct qn_rset, 1);
    return *out ? QN_OK : no_memory(p);
}

static enum qn_status add_term(struct parser *p, struct qn_rset *set, struct qn_rterm term) {
    struct qn_rterm *t = QN_ARENA_NEW(p->arena, struct qn_rterm, 1);
    if (!t)
        return no_memory(p);
    *t = term;
    t->fold = p->fold;
    t->next = set->terms;
    set->terms = t;
    return QN_OK;
}

static const char categories[] = "LuLlLtLmLoMnMcMeNdNlNoPcPdPsPePiPfPoSmScSkSoZsZlZpCcCfCsCoCn";

/* \p{…}, \P{…}, \p{^…} after the p. */
static enum qn_status read_property(struct parser *p, struct qn_rset *set, bool negate) {
    struct qn_rterm term = {.kind = QN_RTERM_CATEGORIES};
    struct qn_str name;
    size_t begin;
    if (!take(p, "{"))
        return fail(p, "\\p without a name");
    term.negate = negate != take(p, "^");
    begin = p->at;
    while (p->at < p->s.n && p->s.p[p->at] != '}')
        p->at++;
    name = qn_str_slice(p->s, begin, p->at);
    if (!take(p, "}"))
        return fail(p, "\\p without a name");
    for (uint32_t i = 0; name.n > 0 && i < 30; i++) {
        if (name.p[0] == categories[2 * i] &&
            (name.n == 1 || (name.n == 2 && name.p[1] == categories[2 * i + 1])))
            term.low |= 1u << i;
    }
    if (term.low == 0) {
        term.kind = QN_RTERM_SCRIPT;
        if (!qn_unicode_script_by_name(&term.low, name))
            return fail(p, "a property that is not known");
    }
    return add_term(p, set, term);
}

/* A character after a backslash, or a class, which is added to `set`; then *c is NONE. */
static enum qn_status read_escape(struct parser *p, struct qn_rset *set, uint32_t *c) {
    static const char from[] = "nrtfvae", to[] = "\n\r\t\f\v\a\033";
    struct qn_rterm term = {.kind = QN_RTERM_CATEGORIES, .low = 1u << QN_CAT_ND};
    uint32_t letter = next_char(p), digits = 0, code = 0;
    bool braces;
    *c = letter;
    if (letter >= 0x80 || !((letter | 32) >= 'a' && (letter | 32) <= 'z')) {
        return letter >= '0' && letter <= '9' ? fail(p, "a reference back or an octal number")
               : letter == NONE               ? fail(p, "a backslash at the end")
                                              : QN_OK;
    }
    const char *plain = strchr(from, (int)letter);
    if (plain) {
        *c = (uint32_t)to[plain - from];
        return QN_OK;
    }
    *c = NONE;
    term.negate = letter < 'a';
    switch (letter | 32) {
    case 'p':
        return read_property(p, set, letter == 'P');
    case 's':
        term.kind = QN_RTERM_SPACE;
        return add_term(p, set, term);
    case 'w':
        term.kind = QN_RTERM_WORD;
        return add_term(p, set, term);
    case 'd':
        return add_term(p, set, term);
    }
    if (letter != 'x' && letter != 'u')
        return fail(p, "an escape that is not known");
    braces = letter == 'x' && take(p, "{");
    for (; digits < (braces ? 8 : letter == 'x' ? 2 : 4) && p->at < p->s.n; digits++, p->at++) {
        uint32_t d = (unsigned char)p->s.p[p->at];
        d = d - '0' < 10 ? d - '0' : (d | 32) - 'a' < 6 ? (d | 32) - 'a' + 10 : NONE;
        if (d == NONE)
            break;
        code = code << 4 | d;
    }
    if (digits == 0 || (braces && !take(p, "}")))
        return fail(p, "a number that is not closed");
    *c = code;
    return QN_OK;
}

static enum qn_status add_char(struct parser *p, struct qn_rset *set, uint32_t low, uint32_t high) {
    return add_term(p, set, (struct qn_rterm){.kind = QN_RTERM_RANGE, .low = low, .high = high});
}

/* After the bracket: up to its end, which is taken. */
static enum qn_status read_class(struct parser *p, struct qn_rset *set) {
    bool first = true;
    if (++p->depth > MAX_DEPTH)
        return fail(p, "it is nested too deep");
    set->negate = take(p, "^");
    for (struct qn_rset *now = set;; first = false) {
        uint32_t c, high;
        if (peek(p, "[:"))
            return fail(p, "a bracket of POSIX");
        if (take(p, "&&")) {
            struct qn_rset *also;
            QN_TRY(new_set(p, &also));
            now->also = also;
            now = also;
        } else if (take(p, "[")) {
            struct qn_rset *inner;
            QN_TRY(new_set(p, &inner));
            QN_TRY(read_class(p, inner));
            QN_TRY(add_term(p, now, (struct qn_rterm){.kind = QN_RTERM_SET, .set = inner}));
        } else if (!first && take(p, "]")) {
            break;
        } else {
            c = next_char(p);
            if (c == NONE)
                return fail(p, "a class that is not closed");
            if (c == '\\')
                QN_TRY(read_escape(p, now, &c));
            if (c == NONE)
                continue;
            high = c;
            if (peek(p, "-") && !peek(p, "-]") && !peek(p, "-[")) {
                p->at++;
                high = next_char(p);
                if (high == '\\')
                    QN_TRY(read_escape(p, now, &high));
                if (high == NONE || high < c)
                    return fail(p, "a range without an end");
            }
            QN_TRY(add_char(p, now, c, high));
        }
    }
    p->depth--;
    return QN_OK;
}

/* ---- expressions ---- */

static enum qn_status read_alternatives(struct parser *p);

static enum qn_status emit_set(struct parser *p, struct qn_rset *set) {
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t mapped = qn_byte_to_char((unsigned char)b), bit = b & 31;
        set->bytes.bits[0][b >> 5] |= (uint32_t)(b >= 128 || qn_rset_has(set, b)) << bit;
        set->bytes.bits[1][b >> 5] |= (uint32_t)qn_rset_has(set, mapped) << bit;
    }
    p->min = p->max = 1;
    return insert(p, p->n, (struct qn_rinst){.op = QN_ROP_SPAN, .min = 1, .max = 1, .set = set});
}

/* Makes the code from `start` a group of its own, run by `op`. */
static enum qn_status wrap(struct parser *p, uint32_t start, enum qn_rop op, bool negate,
                           uint32_t back) {
    QN_TRY(emit(p, QN_ROP_END, 0, 0));
    QN_TRY(insert(p, start, (struct qn_rinst){.op = (uint8_t)op, .mode = negate, .min = back}));
    p->code[start].x = (int32_t)(p->n - start);
    return QN_OK;
}

/* After the parenthesis. */
static enum qn_status read_group(struct parser *p) {
    static const struct {
        const char *open;
        uint8_t op; // END: none
        bool negate;
    } kinds[] = {{"?:", QN_ROP_END, false},     {"?i:", QN_ROP_END, false},
                 {"?-i:", QN_ROP_END, true},    {"?>", QN_ROP_ATOMIC, false},
                 {"?=", QN_ROP_AHEAD, false},   {"?!", QN_ROP_AHEAD, true},
                 {"?<=", QN_ROP_BEHIND, false}, {"?<!", QN_ROP_BEHIND, true}};
    uint32_t start = p->n, back = 0;
    bool fold = p->fold;
    size_t kind = 0, n = sizeof kinds / sizeof kinds[0];
    if (take(p, "?i)")) { // up to the end of the group around
        p->fold = true;
        p->min = p->max = 0;
        return QN_OK;
    }
    while (kind < n && !take(p, kinds[kind].open))
        kind++;
    if (kind == n && peek(p, "?"))
        return fail(p, "a group of an unknown kind");
    if (kind == 1 || kind == 2)
        p->fold = kind == 1;
    QN_TRY(read_alternatives(p));
    p->fold = fold;
    if (!take(p, ")"))
        return fail(p, "a group that is not closed");
    if (kind == n || kinds[kind].op == QN_ROP_END)
        return QN_OK;
    if (kinds[kind].op == QN_ROP_BEHIND) {
        back = p->min;
        if (p->min != p->max)
            return fail(p, "a look behind of no fixed length");
    }
    if (kinds[kind].op != QN_ROP_ATOMIC)
        p->min = p->max = 0;
    return wrap(p, start, (enum qn_rop)kinds[kind].op, kinds[kind].negate, back);
}

static enum qn_status read_atom(struct parser *p) {
    static const struct {
        const char *text;
        uint8_t op, mode;
    } edges[] = {{"^", QN_ROP_LINE_BEGIN, 0},  {"$", QN_ROP_LINE_END, 0},
                 {"\\A", QN_ROP_BEGIN, 0},     {"\\z", QN_ROP_STOP, 0},
                 {"\\Z", QN_ROP_STOP_LINE, 0}, {"\\b", QN_ROP_WORD_EDGE, 0},
                 {"\\B", QN_ROP_WORD_EDGE, 1}};
    struct qn_rset *set;
    uint32_t c;
    p->min = p->max = 0;
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
        if (take(p, edges[i].text))
            return insert(p, p->n, (struct qn_rinst){.op = edges[i].op, .mode = edges[i].mode});
    }
    if (take(p, "("))
        return read_group(p);
    QN_TRY(new_set(p, &set));
    if (take(p, "[")) {
        QN_TRY(read_class(p, set));
        return emit_set(p, set);
    }
    c = next_char(p);
    if (c == '*' || c == '+' || c == '?')
        return fail(p, "a repeat of nothing");
    if (c == '.') {
        set->negate = true;
        c = '\n';
    } else if (c == '\\') {
        QN_TRY(read_escape(p, set, &c));
    }
    if (c != NONE)
        QN_TRY(add_char(p, set, c, c));
    return emit_set(p, set);
}

/* {m,n} at p->at; false and nothing taken when it is something else, which stands for itself. */
static bool read_bounds(struct parser *p, uint32_t *min, uint32_t *max) {
    size_t at = p->at + 1;
    uint32_t values[2] = {0, 0}, n[2] = {0, 0}, part = 0;
    for (; at < p->s.n; at++) {
        uint32_t d = (uint32_t)((unsigned char)p->s.p[at] - '0');
        if (d < 10 && n[part] < 5) {
            values[part] = values[part] * 10 + d;
            n[part]++;
        } else if (p->s.p[at] == ',' && part == 0) {
            part = 1;
        } else {
            break;
        }
    }
    if (at >= p->s.n || p->s.p[at] != '}' || n[0] + n[1] == 0)
        return false;
    *min = values[0];
    *max = part == 0 ? values[0] : n[1] == 0 ? QN_RMANY : values[1];
    p->at = at + 1;
    return true;
}

/* Repeats the code from `start`. */
static enum qn_status repeat(struct parser *p, uint32_t start, uint32_t min, uint32_t max,
                             uint8_t mode) {
    uint32_t n = p->n - start, copies = max == QN_RMANY ? qn_max_u32(min, 1) : max, skips = NONE;
    bool lazy = mode == QN_RMODE_LAZY;
    if (n == 0)
        return QN_OK;
    struct qn_rinst *body = p->code + start;
    if (n == 1 && body->op == QN_ROP_SPAN && body->min == 1 && body->max == 1) {
        body->min = min;
        body->max = max;
        body->mode = mode;
        return QN_OK;
    }
    if (max == QN_RMANY && p->min == 0)
        return fail(p, "a repeat of what can be empty");
    body = QN_ARENA_NEW(p->arena, struct qn_rinst, n);
    if (!body)
        return no_memory(p);
    memcpy(body, p->code + start, n * sizeof *body);
    p->n = start;
    for (uint32_t i = 0; i < copies; i++) {
        if (i >= min) { // or skip all that follow; the distance is set below
            QN_TRY(emit(p, QN_ROP_SPLIT, 1, (int32_t)skips));
            skips = p->n - 1;
        }
        for (uint32_t k = 0; k < n; k++)
            QN_TRY(insert(p, p->n, body[k]));
    }
    if (max == QN_RMANY && min == 0)
        QN_TRY(emit(p, QN_ROP_JUMP, -(int32_t)(n + 1), 0));
    else if (max == QN_RMANY)
        QN_TRY(emit(p, QN_ROP_SPLIT, lazy ? 1 : -(int32_t)n, lazy ? -(int32_t)n : 1));
    while (skips != NONE) {
        struct qn_rinst *split = p->code + skips;
        uint32_t before = (uint32_t)split->y;
        split->y = (int32_t)(p->n - skips);
        if (lazy) {
            split->x = split->y;
            split->y = 1;
        }
        skips = before;
    }
    return mode == QN_RMODE_POSSESSIVE ? wrap(p, start, QN_ROP_ATOMIC, false, 0) : QN_OK;
}

static enum qn_status read_repeats(struct parser *p, uint32_t start) {
    for (;;) {
        uint32_t min = 0, max = QN_RMANY;
        uint8_t mode = QN_RMODE_GREEDY;
        bool braces = false;
        if (take(p, "+"))
            min = 1;
        else if (take(p, "?"))
            max = 1;
        else if (peek(p, "{") && read_bounds(p, &min, &max))
            braces = true;
        else if (!take(p, "*"))
            return QN_OK;
        /* After braces, + is another repeat, and so is ? when the number is fixed. */
        if (!(braces && min == max) && take(p, "?"))
            mode = QN_RMODE_LAZY;
        else if (!braces && take(p, "+"))
            mode = QN_RMODE_POSSESSIVE;
        if (min > max || min > 1000 || (max > 1000 && max != QN_RMANY))
            return fail(p, "a repeat of more than 1000");
        QN_TRY(repeat(p, start, min, max, mode));
        p->min = times(p->min, min);
        p->max = times(p->max, max);
    }
}

static enum qn_status read_alternatives(struct parser *p) {
    uint32_t start = p->n, jumps = NONE, min = NONE, max = 0;
    if (++p->depth > MAX_DEPTH)
        return fail(p, "it is nested too deep");
    for (;;) {
        uint32_t seq_min = 0, seq_max = 0;
        while (p->at < p->s.n && p->s.p[p->at] != '|' && p->s.p[p->at] != ')') {
            uint32_t atom = p->n;
            QN_TRY(read_atom(p));
            QN_TRY(read_repeats(p, atom));
            seq_min = add(seq_min, p->min);
            seq_max = add(seq_max, p->max);
        }
        min = seq_min < min ? seq_min : min;
        max = qn_max_u32(max, seq_max);
        if (!take(p, "|"))
            break;
        QN_TRY(insert(p, start, (struct qn_rinst){.op = QN_ROP_SPLIT, .x = 1}));
        QN_TRY(emit(p, QN_ROP_JUMP, (int32_t)jumps, 0));
        p->code[start].y = (int32_t)(p->n - start);
        jumps = p->n - 1;
        start = p->n;
    }
    while (jumps != NONE) {
        uint32_t before = (uint32_t)p->code[jumps].x;
        p->code[jumps].x = (int32_t)(p->n - jumps);
        jumps = before;
    }
    p->min = min;
    p->max = max;
    p->depth--;
    return QN_OK;
}

/* Adds the bytes that a match from `pc` on can begin with; all where that takes too many of the
 * `left` steps, or where it may be empty. */
static void find_first(struct qn_rfirst *out, const struct qn_rinst *code, uint32_t pc,
                       uint32_t depth, uint32_t *left) {
    for (; depth<MAX_DEPTH && * left> 0; pc++, --*left) {
        const struct qn_rinst *i = &code[pc];
        if (i->op == QN_ROP_SPAN) {
            for (int k = 0; k < 16; k++)
                out->bits[k >> 3][k & 7] |= i->set->bytes.bits[k >> 3][k & 7];
            if (i->min > 0)
                return;
        } else if (i->op == QN_ROP_JUMP || i->op == QN_ROP_SPLIT) {
            if (i->op == QN_ROP_SPLIT)
                find_first(out, code, pc + (uint32_t)i->y, depth + 1, left);
            if (i->x < 0 || *left == 0)
                break;
            pc += (uint32_t)i->x - 1;
        } else if (i->op == QN_ROP_AHEAD || i->op == QN_ROP_BEHIND) {
            pc += (uint32_t)i->x - 1;
        } else if (i->op == QN_ROP_END || i->op == QN_ROP_ATOMIC) {
            break;
        }
    }
    memset(out, 0xff, sizeof *out);
}

/* What each way of a SPLIT can begin with; NULL where both can begin with anything. */
static enum qn_status find_ways(struct parser *p, struct qn_rinst *code, uint32_t n) {
    for (uint32_t pc = 0; pc < n; pc++) {
        struct qn_rfirst ways[2], *first;
        bool any = true;
        if (code[pc].op != QN_ROP_SPLIT)
            continue;
        memset(ways, 0, sizeof ways);
        for (int k = 0; k < 2; k++) {
            uint32_t left = 64, way = pc + (uint32_t)(k ? code[pc].y : code[pc].x);
            find_first(&ways[k], code, way, 0, &left);
            any = any && left == 0;
        }
        if (any)
            continue;
        first = QN_ARENA_NEW(p->arena, struct qn_rfirst, 2);
        if (!first)
            return no_memory(p);
        memcpy(first, ways, sizeof ways);
        code[pc].first = first;
    }
    return QN_OK;
}

enum qn_status qn_regex_compile(const struct qn_regex **out, struct qn_arena *arena,
                                struct qn_str pattern, struct qn_error *err) {
    struct parser p = {.s = pattern, .arena = arena, .err = err};
    struct qn_regex *re = QN_ARENA_NEW(arena, struct qn_regex, 1);
    if (!re)
        return no_memory(&p);
    if (pattern.n > 1u << 16)
        return fail(&p, "it is too long");
    QN_TRY(read_alternatives(&p));
    if (p.at < pattern.n)
        return fail(&p, "a parenthesis that was not opened");
    QN_TRY(emit(&p, QN_ROP_END, 0, 0));
    re->code = p.code;
    re->n = p.n;
    uint32_t left = 1000;
    find_first(&re->first, re->code, 0, 0, &left);
    QN_TRY(find_ways(&p, re->code, re->n));
    *out = re;
    return QN_OK;
}
