#include "constrain/regex.h"

#include <string.h>

#include "base/utf8.h"
#include "text/unicode.h"

#define DEPTH_MAX 40
#define NODES_MAX 65536
#define CATEGORY_STEPS 1000000u // a look at every code point

enum kind { SEQUENCES, SEQUENCE, TERM, GROUP, REPEAT, BEGIN, END, LOOK };

/* Lists are linked: the sequences of a choice, the items of a sequence. 0 ends a list. */
struct node {
    enum kind kind;
    uint32_t next;
    uint32_t a;        // first of its list; the item repeated; a term
    uint32_t min, max; // REPEAT; LOOK: min 1 when negative
};

struct parser {
    struct qn_terms *t;
    struct qn_arena *arena;
    struct qn_error *err;
    struct qn_str s;
    size_t at;
    uint32_t flags, depth;
    struct node *nodes;
    uint32_t n, capacity;
    uint32_t any; // any text
};

static enum qn_status bad(const struct parser *p, const char *what) {
    return qn_fail_at(p->err, QN_E_ARGUMENT, p->at,
                      "the regular expression \"%.*s\": %s at byte %zu", QN_STR_ARG(p->s), what,
                      p->at);
}

static enum qn_status unsupported(const struct parser *p, const char *what) {
    return qn_fail_at(p->err, QN_E_UNSUPPORTED, p->at, "%s in the regular expression \"%.*s\"",
                      what, QN_STR_ARG(p->s));
}

static bool peek(const struct parser *p, char c) {
    return p->at < p->s.n && p->s.p[p->at] == c;
}

static bool take(struct parser *p, char c) {
    bool is = peek(p, c);
    p->at += is;
    return is;
}

static bool starts(const struct parser *p, const char *with) {
    return qn_str_starts(qn_str_slice(p->s, p->at, p->s.n), qn_str_from(with));
}

static enum qn_status node_new(struct parser *p, uint32_t *out, enum kind kind) {
    if (p->n == p->capacity) {
        uint32_t capacity = p->capacity ? p->capacity * 2 : 64;
        struct node *nodes =
            capacity > NODES_MAX ? NULL : QN_ARENA_NEW(p->arena, struct node, capacity);
        if (capacity > NODES_MAX)
            return qn_fail(p->err, QN_E_LIMIT, "a regular expression of %zu bytes", p->s.n);
        if (nodes == NULL)
            return qn_fail(p->err, QN_E_NO_MEMORY, "a regular expression");
        if (p->n > 0)
            memcpy(nodes, p->nodes, p->n * sizeof *nodes);
        p->nodes = nodes;
        p->capacity = capacity;
    }
    *out = p->n++;
    p->nodes[*out] = (struct node){.kind = kind, .min = 1, .max = 1};
    return QN_OK;
}

/* ---- Characters ---------------------------------------------------------------------------- */

static const struct {
    const char *name;
    uint8_t first, last; // general categories
} CATEGORIES[] = {
    {"L", QN_CAT_LU, QN_CAT_LO},      {"Lu", QN_CAT_LU, QN_CAT_LU},    {"Ll", QN_CAT_LL, QN_CAT_LL},
    {"Lt", QN_CAT_LT, QN_CAT_LT},     {"Lm", QN_CAT_LM, QN_CAT_LM},    {"Lo", QN_CAT_LO, QN_CAT_LO},
    {"M", QN_CAT_MN, QN_CAT_ME},      {"N", QN_CAT_ND, QN_CAT_NO},     {"Nd", QN_CAT_ND, QN_CAT_ND},
    {"P", QN_CAT_PC, QN_CAT_PO},      {"S", QN_CAT_SM, QN_CAT_SO},     {"Z", QN_CAT_ZS, QN_CAT_ZP},
    {"Zs", QN_CAT_ZS, QN_CAT_ZS},     {"C", QN_CAT_CC, QN_CAT_CN},     {"Cc", QN_CAT_CC, QN_CAT_CC},
    {"Letter", QN_CAT_LU, QN_CAT_LO}, {"digit", QN_CAT_ND, QN_CAT_ND},
};

static enum qn_status category(struct parser *p, struct qn_chars *out, bool negated) {
    size_t end = take(p, '{') ? qn_str_find(p->s, QN_STR("}"), p->at) : SIZE_MAX;
    if (end == SIZE_MAX)
        return bad(p, "a property without braces");
    struct qn_str name = qn_str_slice(p->s, p->at, end);
    size_t equals = qn_str_find(name, QN_STR("="), 0);
    if (equals != SIZE_MAX &&
        (qn_str_starts(name, QN_STR("gc=")) || qn_str_starts(name, QN_STR("General_Category="))))
        name = qn_str_slice(name, equals + 1, name.n);
    size_t i = 0, n = sizeof CATEGORIES / sizeof *CATEGORIES;
    while (i < n && !qn_str_is(name, CATEGORIES[i].name))
        i++;
    if (i == n)
        return unsupported(p, "a Unicode property other than a general category");
    p->at = end + 1;
    qn_terms_spend(p->t, CATEGORY_STEPS);
    QN_TRY(qn_terms_report(p->t, p->err));
    uint32_t from = UINT32_MAX;
    for (uint32_t c = 0; c <= 0x110000; c++) {
        uint32_t now = c < 0x110000 ? qn_unicode_category(c) : 0;
        bool in =
            c < 0x110000 && (now >= CATEGORIES[i].first && now <= CATEGORIES[i].last) != negated;
        if (in && from == UINT32_MAX)
            from = c;
        if (!in && from != UINT32_MAX) {
            qn_chars_add(out, from, c - 1);
            from = UINT32_MAX;
        }
    }
    return QN_OK;
}

/* \d \w \s and their complements; false when the letter is none of these. */
static bool shorthand(struct qn_chars *out, char letter) {
    static const uint32_t digits[] = {'0', '9'}, words[] = {'0', '9', 'A', 'Z', '_', '_', 'a', 'z'},
                          spaces[] = {9,      13,     32,     32,     0xa0,   0xa0,   0x1680,
                                      0x1680, 0x2000, 0x200a, 0x2028, 0x2029, 0x202f, 0x202f,
                                      0x205f, 0x205f, 0x3000, 0x3000, 0xfeff, 0xfeff};
    const uint32_t *p = NULL;
    size_t n = 0;
    switch (letter | 32) {
    case 'd':
        p = digits, n = sizeof digits / sizeof *p;
        break;
    case 'w':
        p = words, n = sizeof words / sizeof *p;
        break;
    case 's':
        p = spaces, n = sizeof spaces / sizeof *p;
        break;
    default:
        return false;
    }
    struct qn_chars set = {.arena = out->arena};
    for (size_t i = 0; i < n; i += 2)
        qn_chars_add(&set, p[i], p[i + 1]);
    if (!(letter & 32))
        qn_chars_negate(&set);
    qn_chars_add_all(out, &set);
    return true;
}

/* n hexadecimal digits; false, and nothing taken, when there are fewer. */
static bool hex(struct parser *p, uint32_t *out, size_t n) {
    bool is = qn_str_hex(out, p->s, p->at, n);
    p->at += is ? n : 0;
    return is;
}

/* Behind \u: four digits, two such for a pair of surrogates, or digits in braces. */
static enum qn_status unicode_escape(struct parser *p, uint32_t *out) {
    if (take(p, '{')) {
        size_t end = qn_str_find(p->s, QN_STR("}"), p->at);
        if (end == SIZE_MAX || end - p->at > 6 || !hex(p, out, end - p->at) || *out > 0x10ffff)
            return bad(p, "a bad \\u{…}");
        p->at++;
        return QN_OK;
    }
    if (!hex(p, out, 4))
        return bad(p, "a bad \\u");
    uint32_t low;
    size_t before = p->at;
    if (*out >> 10 == 0xd800 >> 10 && starts(p, "\\u") && (p->at += 2, hex(p, &low, 4))) {
        if (low >> 10 == 0xdc00 >> 10)
            *out = 0x10000 + ((*out & 0x3ff) << 10 | (low & 0x3ff));
        else
            p->at = before;
    }
    return QN_OK;
}

/* Behind a backslash: one character in *c, or a set in `out` and *c UINT32_MAX. */
static enum qn_status escape(struct parser *p, struct qn_chars *out, uint32_t *c, bool in_class) {
    static const char letters[] = "nrtfv0", values[] = "\n\r\t\f\v";
    if (p->at == p->s.n)
        return bad(p, "a backslash at the end");
    char letter = p->s.p[p->at];
    const char *known = strchr(letters, letter);
    *c = UINT32_MAX;
    if (letter == 'p' || letter == 'P') {
        p->at++;
        return category(p, out, letter == 'P');
    }
    if (letter && shorthand(out, letter)) {
        p->at++;
        return QN_OK;
    }
    if (letter >= '1' && letter <= '9')
        return unsupported(p, "a back reference");
    if (!in_class && (letter | 32) == 'b')
        return unsupported(p, "a word boundary");
    if (letter == 'k')
        return unsupported(p, "a back reference");
    *c = qn_utf8_next(p->s, &p->at);
    if (letter && known != NULL)
        *c = (unsigned char)values[known - letters];
    else if (letter == 'b')
        *c = 8;
    else if (letter == 'x' && !hex(p, c, 2))
        return bad(p, "a bad \\x");
    else if (letter == 'u')
        return unicode_escape(p, c);
    else if (letter == 'c') {
        if (p->at == p->s.n || ((p->s.p[p->at] | 32) < 'a' || (p->s.p[p->at] | 32) > 'z'))
            return bad(p, "a bad \\c");
        *c = (uint32_t)p->s.p[p->at++] & 31;
    }
    return *c == QN_UTF8_INVALID ? bad(p, "ill-formed UTF-8") : QN_OK;
}

static enum qn_status class_atom(struct parser *p, struct qn_chars *out, uint32_t *c) {
    if (take(p, '\\'))
        return escape(p, out, c, true);
    *c = qn_utf8_next(p->s, &p->at);
    return *c == QN_UTF8_INVALID ? bad(p, "ill-formed UTF-8") : QN_OK;
}

static enum qn_status class_body(struct parser *p, struct qn_chars *out) {
    bool negated = take(p, '^');
    while (!take(p, ']')) {
        uint32_t low, high;
        if (p->at >= p->s.n)
            return bad(p, "a class without an end");
        QN_TRY(class_atom(p, out, &low));
        high = low;
        if (peek(p, '-') && p->at + 1 < p->s.n && p->s.p[p->at + 1] != ']') {
            size_t dash = p->at++;
            QN_TRY(class_atom(p, out, &high));
            if (low == UINT32_MAX || high == UINT32_MAX) { // [\w-.]: the dash is itself
                qn_chars_add(out, '-', '-');
                if (low != UINT32_MAX)
                    qn_chars_add(out, low, low);
                low = high;
            } else if (low > high) {
                p->at = dash;
                return bad(p, "a range that goes backwards");
            }
        }
        if (low != UINT32_MAX)
            qn_chars_add(out, low, high);
    }
    if (negated)
        qn_chars_negate(out);
    qn_chars_normalise(out);
    return out->failed ? qn_fail(p->err, QN_E_NO_MEMORY, "a class of characters") : QN_OK;
}

enum qn_status qn_regex_class(struct qn_terms *t, struct qn_chars *out, struct qn_str pattern,
                              size_t *at, struct qn_error *err) {
    struct parser p = {.t = t, .s = pattern, .at = *at, .err = err};
    QN_TRY(class_body(&p, out));
    *at = p.at;
    return QN_OK;
}

/* ---- Parsing ------------------------------------------------------------------------------- */

static enum qn_status choice(struct parser *p, uint32_t *out);

static enum qn_status term_item(struct parser *p, uint32_t *out, struct qn_chars *set) {
    qn_chars_normalise(set);
    if (set->failed)
        return qn_fail(p->err, QN_E_NO_MEMORY, "a class of characters");
    QN_TRY(node_new(p, out, TERM));
    p->nodes[*out].a = qn_chars_term(p->t, set, (p->flags & QN_REGEX_JSON) != 0);
    return qn_terms_report(p->t, p->err);
}

static enum qn_status group(struct parser *p, uint32_t *out) {
    enum kind kind = GROUP;
    bool negated = false;
    if (take(p, '?')) {
        if (starts(p, "<=") || starts(p, "<!"))
            return unsupported(p, "look-behind");
        if (take(p, '<')) { // a name
            size_t end = qn_str_find(p->s, QN_STR(">"), p->at);
            if (end == SIZE_MAX)
                return bad(p, "a name without an end");
            p->at = end + 1;
        } else if (peek(p, '=') || peek(p, '!')) {
            kind = LOOK;
            negated = peek(p, '!');
            p->at++;
        } else if (!take(p, ':')) {
            return unsupported(p, "a group of unknown kind");
        }
    }
    uint32_t body;
    QN_TRY(choice(p, &body));
    if (!take(p, ')'))
        return bad(p, "a group without an end");
    QN_TRY(node_new(p, out, kind));
    p->nodes[*out].a = body;
    p->nodes[*out].min = negated;
    return QN_OK;
}

static enum qn_status atom(struct parser *p, uint32_t *out) {
    struct qn_chars set = {.arena = p->arena};
    char c = p->s.p[p->at];
    uint32_t one = UINT32_MAX;
    switch (c) {
    case '(':
        p->at++;
        return group(p, out);
    case '^':
    case '$':
        p->at++;
        return node_new(p, out, c == '^' ? BEGIN : END);
    case '*':
    case '+':
    case '?':
        return bad(p, "nothing to repeat");
    case '.':
        p->at++;
        qn_chars_add(&set, '\n', '\n');
        qn_chars_add(&set, '\r', '\r');
        qn_chars_add(&set, 0x2028, 0x2029);
        qn_chars_negate(&set);
        break;
    case '[':
        p->at++;
        QN_TRY(class_body(p, &set));
        break;
    case '\\':
        p->at++;
        QN_TRY(escape(p, &set, &one, false));
        break;
    default:
        one = qn_utf8_next(p->s, &p->at);
        if (one == QN_UTF8_INVALID)
            return bad(p, "ill-formed UTF-8");
    }
    if (one != UINT32_MAX)
        qn_chars_add(&set, one, one);
    return term_item(p, out, &set);
}

static bool number(struct parser *p, uint32_t *out) {
    size_t begin = p->at;
    uint32_t value = 0;
    for (; p->at < p->s.n && p->s.p[p->at] >= '0' && p->s.p[p->at] <= '9'; p->at++)
        value = value > QN_REP_MAX ? value : value * 10 + (uint32_t)(p->s.p[p->at] - '0');
    *out = value;
    return p->at > begin;
}

/* A quantifier; false when there is none. A brace that begins none is a character. */
static bool quantifier(struct parser *p, uint32_t *min, uint32_t *max) {
    size_t before = p->at;
    *min = 0;
    *max = UINT32_MAX;
    if (take(p, '*'))
        return true;
    if (take(p, '+')) {
        *min = 1;
        return true;
    }
    if (take(p, '?')) {
        *max = 1;
        return true;
    }
    if (take(p, '{') && number(p, min)) {
        *max = *min;
        if (take(p, ',') && !number(p, max))
            *max = UINT32_MAX;
        if (take(p, '}'))
            return true;
    }
    p->at = before;
    return false;
}

static enum qn_status sequence(struct parser *p, uint32_t *out) {
    QN_TRY(node_new(p, out, SEQUENCE));
    uint32_t last = 0, item, outer;
    while (p->at < p->s.n && !peek(p, '|') && !peek(p, ')')) {
        QN_TRY(atom(p, &item));
        uint32_t min, max;
        if (quantifier(p, &min, &max)) {
            enum kind kind = p->nodes[item].kind;
            if (kind != TERM && kind != GROUP)
                return bad(p, "nothing to repeat");
            if (min > max)
                return bad(p, "a count that goes backwards");
            take(p, '?'); // a lazy match finds the same texts
            QN_TRY(node_new(p, &outer, REPEAT));
            p->nodes[outer].a = item;
            p->nodes[outer].min = min;
            p->nodes[outer].max = max;
            item = outer;
        }
        *(last ? &p->nodes[last].next : &p->nodes[*out].a) = item;
        last = item;
    }
    return QN_OK;
}

static enum qn_status choice(struct parser *p, uint32_t *out) {
    if (p->depth >= DEPTH_MAX)
        return qn_fail(p->err, QN_E_LIMIT, "a regular expression nested more than %d deep",
                       DEPTH_MAX);
    p->depth++;
    QN_TRY(node_new(p, out, SEQUENCES));
    uint32_t last = 0, one;
    do {
        QN_TRY(sequence(p, &one));
        *(last ? &p->nodes[last].next : &p->nodes[*out].a) = one;
        last = one;
    } while (take(p, '|'));
    p->depth--;
    return QN_OK;
}

/* ---- Terms --------------------------------------------------------------------------------- */

/* What an end of a part touches. */
enum edge {
    INNER, // more of the expression
    OPEN,  // the end of the expression: anything may be beyond
    SHUT,  // the end of the text
};

static enum qn_status put_choice(struct parser *p, uint32_t *out, uint32_t node, enum edge left,
                                 enum edge right);

static enum qn_status put_item(struct parser *p, uint32_t *out, uint32_t node, enum edge left,
                               enum edge right) {
    struct node item = p->nodes[node];
    switch (item.kind) {
    case TERM:
        *out = item.a;
        return QN_OK;
    case GROUP:
        return put_choice(p, out, item.a, left, right);
    case REPEAT:
        QN_TRY(put_item(p, out, item.a, INNER, INNER));
        *out = qn_term_rep(p->t, *out, item.min, item.max);
        return QN_OK;
    default:
        return unsupported(p, "an anchor within the expression");
    }
}

/* From the last item to the first, so that sequences lean to the right. */
static enum qn_status put_sequence(struct parser *p, uint32_t *out, uint32_t node, enum edge left,
                                   enum edge right) {
    uint32_t n = 0, first = 0;
    for (uint32_t i = p->nodes[node].a; i != 0; i = p->nodes[i].next)
        n++;
    uint32_t *items = QN_ARENA_NEW(p->arena, uint32_t, n);
    if (items == NULL)
        return qn_fail(p->err, QN_E_NO_MEMORY, "a regular expression");
    n = 0;
    for (uint32_t i = p->nodes[node].a; i != 0; i = p->nodes[i].next)
        items[n++] = i;
    for (; first < n && p->nodes[items[first]].kind == BEGIN && left != INNER; first++)
        left = SHUT;
    bool look = right != INNER; // look-ahead sees the rest of the text only here
    for (; n > first && p->nodes[items[n - 1]].kind == END && right != INNER; n--)
        right = SHUT;
    /* A group at an end of the expression pads its own sequences. */
    bool pads_left = first < n && p->nodes[items[first]].kind == GROUP;
    bool pads_right = n > first && p->nodes[items[n - 1]].kind == GROUP;
    uint32_t rest = right == OPEN && !pads_right ? p->any : QN_TERM_EPS;
    for (uint32_t i = n; i-- > first;) {
        struct node item = p->nodes[items[i]];
        uint32_t part;
        if (item.kind == LOOK) {
            if (!look)
                return unsupported(p, "look-ahead within a group");
            QN_TRY(put_choice(p, &part, item.a, INNER, OPEN));
            rest = qn_term_and(p->t, item.min ? qn_term_not(p->t, part) : part, rest);
            continue;
        }
        QN_TRY(put_item(p, &part, items[i], i == first ? left : INNER, i == n - 1 ? right : INNER));
        rest = qn_term_cat(p->t, part, rest);
    }
    *out = left == OPEN && !pads_left ? qn_term_cat(p->t, p->any, rest) : rest;
    return qn_terms_report(p->t, p->err);
}

static enum qn_status put_choice(struct parser *p, uint32_t *out, uint32_t node, enum edge left,
                                 enum edge right) {
    uint32_t base = p->t->work.n, one;
    for (uint32_t i = p->nodes[node].a; i != 0; i = p->nodes[i].next) {
        QN_TRY(put_sequence(p, &one, i, left, right));
        qn_vec_push(p->t, &p->t->work, one);
    }
    *out = qn_term_join(p->t, QN_T_OR, base);
    return qn_terms_report(p->t, p->err);
}

enum qn_status qn_regex_term(struct qn_terms *t, uint32_t *out, struct qn_arena *scratch,
                             struct qn_str pattern, uint32_t flags, struct qn_error *err) {
    struct parser p = {.t = t, .arena = scratch, .err = err, .s = pattern, .flags = flags};
    struct qn_chars all = {.arena = scratch};
    uint32_t root, none;
    enum edge edge = flags & QN_REGEX_WHOLE ? SHUT : OPEN;
    qn_chars_add(&all, 0, 0x10ffff);
    if (all.failed)
        return qn_fail(err, QN_E_NO_MEMORY, "a regular expression");
    p.any = qn_term_rep(t, qn_chars_term(t, &all, (flags & QN_REGEX_JSON) != 0), 0, UINT32_MAX);
    QN_TRY(node_new(&p, &none, TERM)); // number 0 ends lists
    QN_TRY(choice(&p, &root));
    if (p.at < pattern.n)
        return bad(&p, "a ')' too many");
    return put_choice(&p, out, root, edge, edge);
}
