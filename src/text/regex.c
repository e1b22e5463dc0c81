#include "text/regex.h"

#include "text/bytes.h"
#include "text/regex_impl.h"
#include "text/unicode.h"
#include "text/unicode_script.h"

/* Where to go on when what follows fails: at `at` if low is SIZE_MAX; for a greedy SPAN at each
 * character's beginning from `at` down to `low`; for a lazy one behind one more character. */
struct qn_regex_mark {
    size_t low, at;
    uint32_t pc;
    bool lazy;
};

#define MAX_MARKS ((size_t)1 << 20)

struct run {
    const struct qn_regex *regex;
    struct qn_regex_scratch *scratch;
    struct qn_str s;
    size_t n; // marks
    bool bytes;
};

void qn_regex_scratch_free(struct qn_regex_scratch *s) {
    qn_mem_free(s->allocator, s->marks, s->capacity * sizeof *s->marks);
    s->marks = NULL;
    s->capacity = 0;
}

static bool term_has(const struct qn_rterm *t, uint32_t c) {
    switch (t->kind) {
    case QN_RTERM_RANGE:
        return c >= t->low && c <= t->high;
    case QN_RTERM_SET:
        return qn_rset_has(t->set, c);
    case QN_RTERM_SCRIPT:
        return c != QN_UTF8_INVALID && qn_unicode_script(c) == t->low;
    }
    if (c == QN_UTF8_INVALID)
        return false;
    uint8_t prop = qn_unicode_prop(c);
    if (t->kind == QN_RTERM_CATEGORIES)
        return (t->low >> (prop & QN_PROP_CATEGORY) & 1) != 0;
    return (prop & (t->kind == QN_RTERM_SPACE ? QN_PROP_SPACE : QN_PROP_WORD)) != 0;
}

/* Without regard to case: the character, its lower case, and what has it as lower case. */
static bool folded_has(const struct qn_rterm *t, uint32_t c) {
    uint32_t lower = c == 0x17f ? 's' : c == 0x212a ? 'k' : qn_unicode_lower_simple(c);
    return term_has(t, lower) || (lower >= 'a' && lower <= 'z' && term_has(t, lower - 32)) ||
           (t->kind == QN_RTERM_RANGE && t->low == t->high &&
            qn_unicode_lower_simple(t->low) == lower);
}

/* Nested at most as deep as the parser allows. */
bool qn_rset_has(const struct qn_rset *set, uint32_t c) {
    bool has = false;
    for (const struct qn_rterm *t = set->terms; t && !has; t = t->next)
        has =
            (term_has(t, c) || (t->fold && c != QN_UTF8_INVALID && folded_has(t, c))) != t->negate;
    if (has && set->also)
        has = qn_rset_has(set->also, c);
    return has != set->negate;
}

static uint32_t read_char(struct qn_str s, size_t at, size_t *next) {
    *next = at;
    return qn_utf8_next(s, next);
}

/* Whether the character at `at` is in the set, and its end. */
static inline bool one(const struct run *r, const struct qn_rset *set, size_t at, size_t *next) {
    if (at >= r->s.n)
        return false;
    unsigned char byte = (unsigned char)r->s.p[at];
    *next = at + 1;
    if (byte < 0x80 || r->bytes)
        return qn_rfirst_has(&set->bytes, r->bytes, byte);
    return qn_rset_has(set, read_char(r->s, at, next));
}

/* Beginning of the character that ends at `at` > 0. */
static size_t before(const struct run *r, size_t at) {
    size_t begin = at - 1, end;
    if (r->bytes)
        return begin;
    for (int i = 0; i < 3 && begin > 0 && ((unsigned char)r->s.p[begin] & 0xc0) == 0x80; i++)
        begin--;
    end = begin;
    qn_utf8_next(r->s, &end);
    return end == at ? begin : at - 1;
}

static enum qn_status push(struct run *r, struct qn_regex_mark mark) {
    struct qn_regex_scratch *s = r->scratch;
    if (r->n == s->capacity) {
        size_t capacity = s->capacity ? s->capacity * 2 : 64;
        if (capacity > MAX_MARKS)
            return QN_E_LIMIT;
        void *p =
            qn_mem_grow(s->allocator, s->marks, s->capacity * sizeof mark, capacity * sizeof mark);
        if (!p)
            return QN_E_NO_MEMORY;
        s->marks = p;
        s->capacity = capacity;
    }
    s->marks[r->n++] = mark;
    return QN_OK;
}

static bool is_word(const struct run *r, size_t at) {
    size_t next;
    if (at >= r->s.n)
        return false;
    uint32_t c = r->bytes ? qn_byte_to_char((unsigned char)r->s.p[at]) : read_char(r->s, at, &next);
    return c != QN_UTF8_INVALID && (qn_unicode_prop(c) & QN_PROP_WORD) != 0;
}

static bool holds(const struct run *r, const struct qn_rinst *i, size_t at) {
    struct qn_str s = r->s;
    bool word;
    switch (i->op) {
    case QN_ROP_LINE_BEGIN:
        return at == 0 || s.p[at - 1] == '\n';
    case QN_ROP_LINE_END:
        return at == s.n || s.p[at] == '\n';
    case QN_ROP_BEGIN:
        return at == 0;
    case QN_ROP_STOP_LINE:
        return at == s.n || (at + 1 == s.n && s.p[at] == '\n');
    case QN_ROP_WORD_EDGE:
        word = at > 0 && is_word(r, before(r, at));
        return (word != is_word(r, at)) != i->mode;
    }
    return at == s.n;
}

/* Runs from `pc` to its END; *end is SIZE_MAX when nothing matches. Calls itself as deep as groups
 * nest. */
static enum qn_status run(struct run *r, uint32_t pc, size_t at, size_t *end) {
    const struct qn_rinst *code = r->regex->code;
    struct qn_regex_scratch *scratch = r->scratch;
    size_t base = r->n, next, low;
    for (;;) {
        const struct qn_rinst *i = &code[pc];
        bool ok = true;
        uint32_t n;
        if (scratch->steps == 0)
            return QN_E_LIMIT;
        scratch->steps--;
        switch (i->op) {
        case QN_ROP_SPAN:
            low = at;
            for (n = 0; n < (i->mode == QN_RMODE_LAZY ? i->min : i->max); at = next) {
                if (!one(r, i->set, at, &next))
                    break;
                if (++n == i->min)
                    low = next;
            }
            scratch->steps -= n < scratch->steps ? n : scratch->steps;
            ok = n >= i->min;
            if (ok && i->mode == QN_RMODE_LAZY && n < i->max)
                QN_TRY(push(r, (struct qn_regex_mark){n, at, pc, true}));
            else if (ok && i->mode == QN_RMODE_GREEDY && at > low)
                QN_TRY(push(r, (struct qn_regex_mark){low, at, pc + 1, false}));
            pc++;
            break;
        case QN_ROP_SPLIT:
            if (i->first && at < r->s.n) { // a way that this byte closes is none
                unsigned char byte = (unsigned char)r->s.p[at];
                if (!qn_rfirst_has(&i->first[0], r->bytes, byte)) {
                    pc += (uint32_t)i->y;
                    break;
                }
                if (!qn_rfirst_has(&i->first[1], r->bytes, byte)) {
                    pc += (uint32_t)i->x;
                    break;
                }
            }
            QN_TRY(push(r, (struct qn_regex_mark){SIZE_MAX, at, pc + (uint32_t)i->y, false}));
            pc += (uint32_t)i->x;
            break;
        case QN_ROP_JUMP:
            pc += (uint32_t)i->x;
            break;
        case QN_ROP_ATOMIC:
        case QN_ROP_AHEAD:
        case QN_ROP_BEHIND:
            low = at;
            for (n = 0; n < i->min && low > 0; n++)
                low = before(r, low);
            next = SIZE_MAX;
            if (n == i->min)
                QN_TRY(run(r, pc + 1, low, &next));
            if (i->op == QN_ROP_ATOMIC)
                at = next;
            ok = (next != SIZE_MAX) == (i->op == QN_ROP_ATOMIC || !i->mode);
            pc += (uint32_t)i->x;
            break;
        case QN_ROP_END:
            *end = at;
            r->n = base;
            return QN_OK;
        default:
            ok = holds(r, i, at);
            pc++;
        }
        while (!ok) {
            if (r->n == base) {
                *end = SIZE_MAX;
                return QN_OK;
            }
            struct qn_regex_mark *m = &scratch->marks[r->n - 1];
            pc = m->pc;
            at = m->at;
            ok = true;
            if (m->lazy) {
                i = &code[pc++];
                ok = one(r, i->set, at, &next);
                if (ok)
                    at = m->at = next;
                if (!ok || ++m->low >= i->max)
                    r->n--;
            } else if (m->low == SIZE_MAX) {
                r->n--;
            } else {
                at = m->at = before(r, at);
                if (at <= m->low)
                    r->n--;
            }
        }
    }
}

bool qn_regex_may(const struct qn_regex *regex, struct qn_str s, bool bytes) {
    for (size_t i = 0; i < s.n; i++) {
        if (qn_rfirst_has(&regex->first, bytes, (unsigned char)s.p[i]))
            return true;
    }
    return false;
}

enum qn_status qn_regex_find(const struct qn_regex *regex, struct qn_regex_scratch *scratch,
                             size_t *begin, size_t *end, struct qn_str s, size_t from, bool bytes) {
    struct run r = {.regex = regex, .scratch = scratch, .s = s, .bytes = bytes};
    const struct qn_rinst *first = &regex->code[0];
    /* Where such a pattern does not match, it does not within the same run either. */
    bool run_ahead = first->op == QN_ROP_SPAN && first->max == QN_RMANY && first->min < 2 &&
                     first->mode == QN_RMODE_GREEDY;
    size_t next;
    for (size_t at = from; at <= s.n; at = next) {
        unsigned char byte = at < s.n ? (unsigned char)s.p[at] : 0;
        next = at + 1;
        if (!bytes && byte >= 0x80)
            read_char(s, at, &next);
        if (at < s.n && !qn_rfirst_has(&regex->first, bytes, byte))
            continue;
        QN_TRY(run(&r, 0, at, end));
        if (*end != SIZE_MAX) {
            *begin = at;
            return QN_OK;
        }
        if (run_ahead && one(&r, first->set, at, &next))
            for (size_t after; one(&r, first->set, next, &after); next = after)
                continue;
    }
    *begin = SIZE_MAX;
    return QN_OK;
}

enum qn_status qn_regex_next(const struct qn_regex *regex, struct qn_regex_scratch *scratch,
                             struct qn_regex_walk *walk, size_t *begin, size_t *end,
                             struct qn_str s) {
    *begin = SIZE_MAX;
    while (walk->from <= s.n) {
        QN_TRY(qn_regex_find(regex, scratch, begin, end, s, walk->from, false));
        if (*begin == SIZE_MAX)
            break;
        bool behind = *begin == *end && *begin == walk->last;
        walk->from = *end;
        if (*begin == *end && walk->from < s.n)
            qn_utf8_next(s, &walk->from);
        else if (*begin == *end)
            walk->from++;
        if (!behind) {
            walk->last = *end;
            break;
        }
        *begin = SIZE_MAX;
    }
    return QN_OK;
}
