#include "constrain/term.h"

#include <string.h>

enum {
    NULLABLE = 1, // matches the empty text
    MAKES = 2,    // can end at all; of AND and NOT only a search can tell
    CALLS = 4,    // a call is below
    SEARCH = 8,   // AND or NOT is below
    LIVE = 16,    // what a search has found
    DEAD = 32,
};

#define TERMS_MAX (1u << 19)
#define ARGS_MAX (1u << 21)
#define ROWS_MAX (1u << 22)
#define SETS_MAX (1u << 14)
#define WORK_MAX (1u << 21)
#define DEPTH_MAX 220     // calls of derive within each other; a frame is some 100 bytes
#define LEFT_MAX 180      // of rules and alternatives before the first byte, found when sealing
#define SEARCH_MAX 60000u // states that one search may see
#define SPEND_MAX 250000000u
#define DERIVE_STEPS 50u

static uint32_t fail(struct qn_terms *t, enum qn_status status, const char *what) {
    if (t->status == QN_OK) {
        t->status = status;
        t->what = what;
    }
    return QN_TERM_EMPTY;
}

void qn_terms_spend(struct qn_terms *t, uint32_t n) {
    if (t->sealed)
        return;
    if (n > SPEND_MAX - t->spent)
        fail(t, QN_E_LIMIT, "of too many combinations");
    else
        t->spent += n;
}

void qn_terms_token(struct qn_terms *t) {
    t->derived = 0;
}

enum qn_status qn_terms_report(const struct qn_terms *t, struct qn_error *err) {
    if (t->status == QN_OK)
        return QN_OK;
    if (t->status == QN_E_NO_MEMORY)
        return qn_fail(err, t->status, "a grammar of %u terms", t->n_terms);
    return qn_fail(err, t->status, "a grammar %s", t->what);
}

/* ---- Arrays -------------------------------------------------------------------------------- */

static bool grow(struct qn_terms *t, void **p, uint32_t *capacity, uint32_t need, size_t size,
                 uint32_t most) {
    if (need <= *capacity)
        return true;
    if (need > most) {
        fail(t, QN_E_LIMIT, "of too many states");
        return false;
    }
    uint32_t n = *capacity < 64 ? 64 : *capacity;
    while (n < need)
        n *= 2;
    void *q = qn_mem_grow(t->allocator, *p, *capacity * size, n * size);
    if (q == NULL) {
        fail(t, QN_E_NO_MEMORY, "");
        return false;
    }
    *p = q;
    *capacity = n;
    return true;
}

static bool vec_reserve(struct qn_terms *t, struct qn_vec *v, uint32_t extra, uint32_t most) {
    void *p = v->p;
    bool ok = grow(t, &p, &v->capacity, v->n + extra, sizeof *v->p, most);
    v->p = p;
    return ok;
}

bool qn_vec_push(struct qn_terms *t, struct qn_vec *v, uint32_t value) {
    if (!vec_reserve(t, v, 1, WORK_MAX))
        return false;
    v->p[v->n++] = value;
    return true;
}

static void vec_free(struct qn_terms *t, struct qn_vec *v) {
    qn_mem_free(t->allocator, v->p, v->capacity * sizeof *v->p);
}

void qn_terms_free(struct qn_terms *t) {
    qn_mem_free(t->allocator, t->terms, t->cap_terms * sizeof *t->terms);
    qn_mem_free(t->allocator, t->slots, t->n_slots * sizeof *t->slots);
    qn_mem_free(t->allocator, t->sets, t->cap_sets * sizeof *t->sets);
    vec_free(t, &t->args);
    vec_free(t, &t->rules);
    vec_free(t, &t->rows);
    vec_free(t, &t->work);
    vec_free(t, &t->seen);
    memset(t, 0, sizeof *t);
}

/* ---- Interning ----------------------------------------------------------------------------- */

static uint32_t mix(uint32_t h, uint32_t v) {
    h = (h ^ v) * 0x9e3779b1u;
    return h ^ h >> 15;
}

static bool is_list(uint8_t kind) {
    return kind == QN_T_OR || kind == QN_T_AND;
}

static uint32_t hash_of(const struct qn_terms *t, const struct qn_term *m) {
    uint32_t h = mix(m->kind, m->b);
    if (!is_list(m->kind))
        return mix(mix(h, m->a), m->c);
    for (uint32_t i = 0; i < m->b; i++)
        h = mix(h, t->args.p[m->a + i]);
    return h;
}

static bool same(const struct qn_terms *t, const struct qn_term *x, const struct qn_term *y) {
    if (x->kind != y->kind || x->b != y->b)
        return false;
    if (is_list(x->kind))
        return memcmp(t->args.p + x->a, t->args.p + y->a, x->b * sizeof(uint32_t)) == 0;
    return x->a == y->a && x->c == y->c;
}

static void place(struct qn_terms *t, uint32_t id) {
    uint32_t mask = t->n_slots - 1, at = hash_of(t, &t->terms[id]) & mask;
    while (t->slots[at] != 0)
        at = (at + 1) & mask;
    t->slots[at] = id + 1;
}

static bool rehash(struct qn_terms *t) {
    uint32_t n = t->n_slots ? t->n_slots * 2 : 256;
    uint32_t *slots = qn_mem_alloc(t->allocator, n * sizeof *slots);
    if (slots == NULL) {
        fail(t, QN_E_NO_MEMORY, "");
        return false;
    }
    qn_mem_free(t->allocator, t->slots, t->n_slots * sizeof *slots);
    memset(slots, 0, n * sizeof *slots);
    t->slots = slots;
    t->n_slots = n;
    for (uint32_t i = 0; i < t->n_terms; i++)
        place(t, i);
    return true;
}

static uint32_t flags_of(const struct qn_terms *t, const struct qn_term *m) {
    const struct qn_term *terms = t->terms;
    uint32_t fa = 0, flags;
    switch (m->kind) {
    case QN_T_EMPTY:
        return 0;
    case QN_T_EPS:
    case QN_T_ALL:
        return NULLABLE | MAKES;
    case QN_T_SET:
        return MAKES;
    case QN_T_CAT:
        fa = terms[m->a].flags;
        flags = terms[m->b].flags;
        return (fa & flags & (NULLABLE | MAKES)) | ((fa | flags) & (CALLS | SEARCH));
    case QN_T_OR:
        for (uint32_t i = 0; i < m->b; i++)
            fa |= terms[t->args.p[m->a + i]].flags;
        return fa & (NULLABLE | MAKES | CALLS | SEARCH);
    case QN_T_AND:
        fa = NULLABLE | MAKES;
        for (uint32_t i = 0; i < m->b; i++)
            fa &= terms[t->args.p[m->a + i]].flags;
        return fa | SEARCH;
    case QN_T_NOT:
        return (~terms[m->a].flags & NULLABLE) | MAKES | SEARCH;
    case QN_T_REP:
        fa = terms[m->a].flags;
        return (fa & (CALLS | SEARCH | NULLABLE | MAKES)) | (m->b == 0 ? NULLABLE | MAKES : 0);
    case QN_T_CALL:
        fa = t->rules.p[m->a] == QN_TERM_NONE ? 0 : terms[t->rules.p[m->a]].flags;
        return (fa & (NULLABLE | MAKES)) | CALLS;
    case QN_T_LEX:
        return terms[m->a].flags & (NULLABLE | MAKES);
    default: { // MOD: digits can always be added until the rest is 0
        uint64_t r = m->b;
        for (uint32_t i = 0; i < (m->c & 255); i++)
            r = r * 10 % m->a;
        return r == 0 ? NULLABLE | MAKES : MAKES;
    }
    }
}

/* The term of that kind with those operands: an old one, or a new one. Lists stand at the end of
 * `args`, and leave them again when they are not new. */
static uint32_t intern(struct qn_terms *t, enum qn_term_kind kind, uint32_t a, uint32_t b,
                       uint32_t c) {
    struct qn_term m = {.kind = (uint8_t)kind, .a = a, .b = b, .c = c, .row = QN_TERM_NONE};
    if (t->status != QN_OK || (t->n_terms * 2 >= t->n_slots && !rehash(t)))
        return QN_TERM_EMPTY;
    uint32_t mask = t->n_slots - 1, at = hash_of(t, &m) & mask;
    for (; t->slots[at] != 0; at = (at + 1) & mask) {
        if (same(t, &t->terms[t->slots[at] - 1], &m)) {
            if (is_list(m.kind))
                t->args.n = a;
            return t->slots[at] - 1;
        }
    }
    void *p = t->terms;
    bool ok = grow(t, &p, &t->cap_terms, t->n_terms + 1, sizeof m, TERMS_MAX);
    t->terms = p;
    if (!ok)
        return QN_TERM_EMPTY;
    m.flags = (uint8_t)flags_of(t, &m);
    t->terms[t->n_terms] = m;
    t->slots[at] = ++t->n_terms;
    return t->n_terms - 1;
}

void qn_terms_init(struct qn_terms *t, const struct qn_allocator *allocator) {
    *t = (struct qn_terms){.allocator = allocator};
    for (uint32_t kind = QN_T_EMPTY; kind <= QN_T_ALL; kind++)
        intern(t, (enum qn_term_kind)kind, 0, 0, 0);
}

/* ---- Constructors -------------------------------------------------------------------------- */

static uint8_t kind_of(const struct qn_terms *t, uint32_t id) {
    return t->terms[id].kind;
}

static bool makes(const struct qn_terms *t, uint32_t id) {
    return t->sealed ? (t->terms[id].flags & MAKES) != 0 : id != QN_TERM_EMPTY;
}

bool qn_term_nullable(const struct qn_terms *t, uint32_t id) {
    return t->n_terms > id && (t->terms[id].flags & NULLABLE);
}

bool qn_term_calls(const struct qn_terms *t, uint32_t id) {
    return t->n_terms > id && (t->terms[id].flags & CALLS);
}

uint32_t qn_term_set(struct qn_terms *t, const uint32_t set[8]) {
    uint32_t i = 0, any = 0;
    for (; i < 8; i++)
        any |= set[i];
    if (any == 0 || t->status != QN_OK)
        return QN_TERM_EMPTY;
    for (i = 0; i < t->n_sets; i++)
        if (memcmp(t->sets[i], set, sizeof *t->sets) == 0)
            break;
    qn_terms_spend(t, i);
    if (i < t->n_sets)
        return intern(t, QN_T_SET, i, 0, 0);
    void *p = t->sets;
    bool ok = grow(t, &p, &t->cap_sets, i + 1, sizeof *t->sets, SETS_MAX);
    t->sets = p;
    if (!ok)
        return QN_TERM_EMPTY;
    memcpy(t->sets[t->n_sets++], set, sizeof *t->sets);
    return intern(t, QN_T_SET, i, 0, 0);
}

uint32_t qn_term_range(struct qn_terms *t, uint32_t low, uint32_t high) {
    uint32_t set[8] = {0};
    for (uint32_t b = low; b <= high && b < 256; b++)
        set[b >> 5] |= 1u << (b & 31);
    return qn_term_set(t, set);
}

/* A sequence whose head is no sequence, one level deep: tails are turned when they come up. */
static uint32_t turn(struct qn_terms *t, uint32_t a, uint32_t b) {
    for (;;) {
        if (kind_of(t, a) != QN_T_CAT)
            return intern(t, QN_T_CAT, a, b, 0);
        uint32_t first = t->terms[a].a, rest = t->terms[a].b;
        b = intern(t, QN_T_CAT, rest, b, 0);
        a = first;
    }
}

static uint32_t turned(struct qn_terms *t, uint32_t id) {
    const struct qn_term *m = &t->terms[id];
    return m->kind == QN_T_CAT && kind_of(t, m->a) == QN_T_CAT ? turn(t, m->a, m->b) : id;
}

uint32_t qn_term_head(struct qn_terms *t, uint32_t *tail, uint32_t id) {
    id = turned(t, id);
    bool is = kind_of(t, id) == QN_T_CAT;
    *tail = is ? t->terms[id].b : QN_TERM_EPS;
    return is ? t->terms[id].a : id;
}

uint32_t qn_term_cat(struct qn_terms *t, uint32_t a, uint32_t b) {
    if (t->status != QN_OK || !makes(t, a) || !makes(t, b))
        return QN_TERM_EMPTY;
    if (a == QN_TERM_EPS)
        return turned(t, b);
    return b == QN_TERM_EPS ? a : turn(t, a, b);
}

static void sort(uint32_t *p, uint32_t n) {
    for (uint32_t gap = n < 8 ? 1 : n / 3 | 1; gap > 0; gap = gap > 3 ? gap / 3 | 1 : gap / 2) {
        for (uint32_t i = gap; i < n; i++) {
            uint32_t v = p[i], j = i;
            for (; j >= gap && p[j - gap] > v; j -= gap)
                p[j] = p[j - gap];
            p[j] = v;
        }
    }
}

uint32_t qn_term_join(struct qn_terms *t, enum qn_term_kind kind, uint32_t base) {
    bool either = kind == QN_T_OR;
    uint32_t none = either ? QN_TERM_EMPTY : QN_TERM_ALL; // adds nothing
    uint32_t all = either ? QN_TERM_ALL : QN_TERM_EMPTY;  // decides
    if (t->status != QN_OK || t->work.n < base)
        return QN_TERM_EMPTY;
    uint32_t end = t->work.n;
    for (uint32_t i = base; i < end; i++) {
        const struct qn_term m = t->terms[t->work.p[i]];
        if (either && !makes(t, t->work.p[i]))
            t->work.p[i] = none;
        if (m.kind != kind)
            continue;
        t->work.p[i] = none; // its operands take its place
        if (!vec_reserve(t, &t->work, m.b, WORK_MAX))
            return QN_TERM_EMPTY;
        memcpy(t->work.p + t->work.n, t->args.p + m.a, m.b * sizeof(uint32_t));
        t->work.n += m.b;
    }
    uint32_t *p = t->work.p + base, n = t->work.n - base, kept = 0;
    t->work.n = base;
    sort(p, n);
    for (uint32_t i = 0; i < n; i++) {
        if (p[i] == all)
            return all;
        if (p[i] != none && (kept == 0 || p[kept - 1] != p[i]))
            p[kept++] = p[i];
    }
    if (kept < 2)
        return kept == 0 ? none : p[0];
    if (!vec_reserve(t, &t->args, kept, ARGS_MAX))
        return QN_TERM_EMPTY;
    memcpy(t->args.p + t->args.n, p, kept * sizeof *p);
    t->args.n += kept;
    return intern(t, kind, t->args.n - kept, kept, 0);
}

static uint32_t join2(struct qn_terms *t, enum qn_term_kind kind, uint32_t a, uint32_t b) {
    uint32_t base = t->work.n;
    if (!qn_vec_push(t, &t->work, a) || !qn_vec_push(t, &t->work, b))
        return QN_TERM_EMPTY;
    return qn_term_join(t, kind, base);
}

uint32_t qn_term_or(struct qn_terms *t, uint32_t a, uint32_t b) {
    return join2(t, QN_T_OR, a, b);
}

uint32_t qn_term_and(struct qn_terms *t, uint32_t a, uint32_t b) {
    return join2(t, QN_T_AND, a, b);
}

uint32_t qn_term_not(struct qn_terms *t, uint32_t a) {
    if (t->status != QN_OK || a == QN_TERM_ALL)
        return QN_TERM_EMPTY;
    if (a == QN_TERM_EMPTY)
        return QN_TERM_ALL;
    return kind_of(t, a) == QN_T_NOT ? t->terms[a].a : intern(t, QN_T_NOT, a, 0, 0);
}

uint32_t qn_term_rep(struct qn_terms *t, uint32_t a, uint32_t min, uint32_t max) {
    if (max == 0 || a == QN_TERM_EPS)
        return QN_TERM_EPS;
    if (!makes(t, a))
        return min == 0 ? QN_TERM_EPS : QN_TERM_EMPTY;
    if (min > QN_REP_MAX || (max > QN_REP_MAX && max != UINT32_MAX))
        return fail(t, QN_E_LIMIT, "that counts beyond a million");
    return min == 1 && max == 1 ? a : intern(t, QN_T_REP, a, min, max);
}

uint32_t qn_term_lex(struct qn_terms *t, uint32_t a) {
    if (a <= QN_TERM_EPS || kind_of(t, a) == QN_T_LEX)
        return a;
    return qn_term_live(t, a) ? intern(t, QN_T_LEX, a, 0, 0) : QN_TERM_EMPTY;
}

uint32_t qn_term_text(struct qn_terms *t, struct qn_str s, uint32_t rest) {
    for (size_t i = s.n; i > 0; i--) {
        uint32_t byte = (unsigned char)s.p[i - 1];
        rest = qn_term_cat(t, qn_term_range(t, byte, byte), rest);
    }
    return rest;
}

uint32_t qn_term_mod(struct qn_terms *t, uint32_t k, uint32_t f) {
    t->n_multiples++;
    return k == 0 || f > 40 ? QN_TERM_EMPTY : intern(t, QN_T_MOD, k, 0, f);
}

uint32_t qn_term_rule(struct qn_terms *t) {
    qn_vec_push(t, &t->rules, QN_TERM_NONE);
    return t->rules.n - 1;
}

uint32_t qn_term_call(struct qn_terms *t, uint32_t rule) {
    return intern(t, QN_T_CALL, rule, 0, 0);
}

/* ---- Derivatives --------------------------------------------------------------------------- */

static uint32_t derive_mod(struct qn_terms *t, const struct qn_term *m, uint8_t byte) {
    uint32_t left = m->c & 255, fraction = m->c >> 8, r = m->b;
    if (byte == '-')
        return intern(t, QN_T_MOD, m->a, r, m->c);
    if (byte == '.')
        return fraction ? QN_TERM_EMPTY : intern(t, QN_T_MOD, m->a, r, left | 256);
    uint32_t digit = (uint32_t)byte - '0';
    if (digit > 9 || (fraction && left == 0 && digit != 0))
        return QN_TERM_EMPTY;
    if (!fraction || left > 0) {
        r = (uint32_t)(((uint64_t)r * 10 + digit) % m->a);
        left -= fraction;
    }
    return intern(t, QN_T_MOD, m->a, r, left | fraction << 8);
}

/* A part whose derivatives are worth remembering. */
static uint32_t derive_part(struct qn_terms *t, uint32_t id, uint8_t byte) {
    return t->sealed ? qn_term_step(t, id, byte) : qn_term_derive(t, id, byte);
}

static uint32_t derive(struct qn_terms *t, uint32_t id, uint8_t byte) {
    const struct qn_term m = t->terms[id]; // a copy: the array may move
    uint32_t base = t->work.n, next;
    switch (m.kind) {
    case QN_T_ALL:
        return id;
    case QN_T_SET:
        return t->sets[m.a][byte >> 5] >> (byte & 31) & 1 ? QN_TERM_EPS : QN_TERM_EMPTY;
    case QN_T_CAT:
        for (;;) {
            id = turned(t, id);
            if (kind_of(t, id) != QN_T_CAT) {
                qn_vec_push(t, &t->work, qn_term_derive(t, id, byte));
                break;
            }
            uint32_t head = t->terms[id].a, tail = t->terms[id].b;
            next = qn_term_cat(t, qn_term_derive(t, head, byte), tail);
            if (next != QN_TERM_EMPTY)
                qn_vec_push(t, &t->work, next);
            if (!qn_term_nullable(t, head) || t->status != QN_OK)
                break;
            id = tail;
        }
        return qn_term_join(t, QN_T_OR, base);
    case QN_T_OR:
    case QN_T_AND:
        for (uint32_t i = 0; i < m.b; i++) {
            next = qn_term_derive(t, t->args.p[m.a + i], byte);
            if (m.kind == QN_T_AND && next == QN_TERM_EMPTY) {
                t->work.n = base;
                return next;
            }
            qn_vec_push(t, &t->work, next);
        }
        return qn_term_join(t, (enum qn_term_kind)m.kind, base);
    case QN_T_NOT:
        return qn_term_not(t, qn_term_derive(t, m.a, byte));
    case QN_T_REP:
        next = qn_term_derive(t, m.a, byte);
        if (next == QN_TERM_EMPTY)
            return next;
        return qn_term_cat(
            t, next,
            qn_term_rep(t, m.a, m.b ? m.b - 1 : 0, m.c == UINT32_MAX ? UINT32_MAX : m.c - 1));
    case QN_T_CALL:
        next = t->rules.p[m.a];
        return next == QN_TERM_NONE ? QN_TERM_EMPTY : derive_part(t, next, byte);
    case QN_T_LEX:
        return qn_term_lex(t, derive_part(t, m.a, byte));
    case QN_T_MOD:
        return derive_mod(t, &m, byte);
    default:
        return QN_TERM_EMPTY;
    }
}

uint32_t qn_term_derive(struct qn_terms *t, uint32_t id, uint8_t byte) {
    if (t->status != QN_OK)
        return QN_TERM_EMPTY;
    uint32_t key = id << 8 | byte, at = mix(id, byte) % QN_TERM_LATE;
    if (id != QN_TERM_EMPTY && t->late[at].key == key)
        return t->late[at].next;
    if (t->depth >= DEPTH_MAX)
        return fail(t, QN_E_LIMIT, "that is nested too deeply");
    /* An alternative of many is derived one by one, then sorted and compared. */
    t->derived += 1 + (is_list(t->terms[id].kind) ? t->terms[id].b : 0);
    if (t->sealed && t->derived > QN_TOKEN_MAX)
        return fail(t, QN_E_LIMIT, "of too many alternatives for one token");
    t->depth++;
    uint32_t next = derive(t, id, byte);
    t->depth--;
    if (t->status != QN_OK)
        return QN_TERM_EMPTY;
    t->late[at].key = key;
    t->late[at].next = next;
    return next;
}

uint32_t qn_term_fill(struct qn_terms *t, uint32_t id, uint32_t class_) {
    if (t->terms[id].row == QN_TERM_NONE) {
        if (!vec_reserve(t, &t->rows, t->n_classes, ROWS_MAX))
            return QN_TERM_EMPTY;
        t->terms[id].row = t->rows.n;
        memset(t->rows.p + t->rows.n, 0xff, t->n_classes * sizeof(uint32_t));
        t->rows.n += t->n_classes;
    }
    uint32_t row = t->terms[id].row, next = t->rows.p[row + class_];
    if (next == QN_TERM_NONE) {
        next = qn_term_derive(t, id, t->examples[class_]);
        if (t->status == QN_OK)
            t->rows.p[row + class_] = next;
    }
    return next;
}

/* ---- Dead ends ----------------------------------------------------------------------------- */

/* Bytes that no set tells apart get one class. Numbers tell digits apart without sets. */
static void find_classes(struct qn_terms *t) {
    static const char number[] = "0123456789.-";
    bool numbers = t->n_multiples > 0;
    if (t->n_classes != 0 && t->classed == t->n_sets + t->n_multiples)
        return;
    t->classed = t->n_sets + t->n_multiples;
    qn_terms_spend(t, t->n_sets * 256);
    memset(t->classes, 0, sizeof t->classes);
    t->n_classes = 1;
    for (uint32_t i = 0; i < t->n_sets + (numbers ? sizeof number - 1 : 0); i++) {
        /* A class becomes two, of the bytes in the set and of the others; numbers stay dense. */
        uint16_t classes[2][256] = {{0}};
        uint32_t n = 0;
        for (uint32_t byte = 0; byte < 256; byte++) {
            bool in = i < t->n_sets ? t->sets[i][byte >> 5] >> (byte & 31) & 1
                                    : (uint8_t)number[i - t->n_sets] == byte;
            uint16_t *class_ = &classes[in][t->classes[byte]];
            if (*class_ == 0)
                *class_ = (uint16_t)++n;
            t->examples[byte] = (uint8_t)(*class_ - 1);
        }
        memcpy(t->classes, t->examples, sizeof t->classes);
        t->n_classes = n;
    }
    for (uint32_t byte = 256; byte-- > 0;)
        t->examples[t->classes[byte]] = (uint8_t)byte;
}

/* Depth-first, over derivatives, for one that matches the empty text. */
static bool search(struct qn_terms *t, uint32_t root) {
    uint32_t base = t->work.n, first = t->seen.n, stamp = ++t->stamp;
    bool found = false;
    if (!t->sealed)
        find_classes(t);
    qn_vec_push(t, &t->seen, root);
    qn_vec_push(t, &t->work, root);
    qn_vec_push(t, &t->work, 0);
    t->terms[root].mark = stamp;
    while (t->work.n > base && t->status == QN_OK) {
        uint32_t id = t->work.p[t->work.n - 2], class_ = t->work.p[t->work.n - 1]++;
        uint8_t flags = t->terms[id].flags;
        found = class_ == 0 && (flags & (NULLABLE | LIVE) || !(flags & SEARCH));
        if (found)
            break;
        if (class_ == t->n_classes) {
            t->work.n -= 2;
            continue;
        }
        qn_terms_spend(t, DERIVE_STEPS);
        uint32_t next = t->sealed ? qn_term_step(t, id, t->examples[class_])
                                  : qn_term_derive(t, id, t->examples[class_]);
        if (next == QN_TERM_EMPTY || t->status != QN_OK || t->terms[next].mark == stamp ||
            t->terms[next].flags & DEAD)
            continue;
        t->terms[next].mark = stamp;
        qn_vec_push(t, &t->seen, next);
        qn_vec_push(t, &t->work, next);
        qn_vec_push(t, &t->work, 0);
        if (t->seen.n - first > SEARCH_MAX)
            fail(t, QN_E_LIMIT, "of too many states");
    }
    if (t->status == QN_OK && found)
        for (uint32_t i = base; i < t->work.n; i += 2)
            t->terms[t->work.p[i]].flags |= LIVE;
    if (t->status == QN_OK && !found)
        for (uint32_t i = first; i < t->seen.n; i++)
            t->terms[t->seen.p[i]].flags |= DEAD;
    t->work.n = base;
    t->seen.n = first;
    return found;
}

bool qn_term_live(struct qn_terms *t, uint32_t id) {
    if (t->status != QN_OK || id == QN_TERM_EMPTY)
        return false;
    uint8_t flags = t->terms[id].flags;
    if (!(flags & SEARCH) || flags & (LIVE | NULLABLE))
        return true;
    return !(flags & DEAD) && search(t, id);
}

/* ---- Sealing ------------------------------------------------------------------------------- */

/* Goes along everything that may come first. Terms without calls have no cycles: one that is met
 * again on the way is left-recursive. `stamp` marks those on the way, `stamp` + 1 those done. */
static enum qn_status check_left(struct qn_terms *t, uint32_t id, uint32_t depth,
                                 struct qn_error *err) {
    const struct qn_term m = t->terms[id];
    if (depth > LEFT_MAX)
        return qn_fail(err, QN_E_LIMIT, "a grammar that is nested too deeply");
    if (m.mark == t->stamp)
        return qn_fail(err, QN_E_UNSUPPORTED,
                       "a rule of a grammar that begins with itself (left recursion)");
    if (m.mark == t->stamp + 1 || !(m.flags & CALLS))
        return QN_OK;
    t->terms[id].mark = t->stamp;
    if (m.kind == QN_T_CALL) {
        if (t->rules.p[m.a] != QN_TERM_NONE)
            QN_TRY(check_left(t, t->rules.p[m.a], depth + 1, err));
    } else if (m.kind == QN_T_OR) {
        for (uint32_t i = 0; i < m.b; i++)
            QN_TRY(check_left(t, t->args.p[m.a + i], depth + 1, err));
    } else if (m.kind == QN_T_REP) {
        QN_TRY(check_left(t, m.a, depth + 1, err));
    } else { // a sequence: its parts up to the first that cannot be empty
        uint32_t at = id;
        for (;;) {
            const struct qn_term *s = &t->terms[at];
            QN_TRY(check_left(t, s->kind == QN_T_CAT ? s->a : at, depth + 1, err));
            if (s->kind != QN_T_CAT || !qn_term_nullable(t, s->a))
                break;
            at = s->b;
        }
    }
    t->terms[id].mark = t->stamp + 1;
    return QN_OK;
}

enum qn_status qn_terms_seal(struct qn_terms *t, uint32_t start, struct qn_error *err) {
    QN_TRY(qn_terms_report(t, err));
    for (bool changed = true; changed;) { // upwards to the least fixed point
        changed = false;
        for (uint32_t i = 0; i < t->n_terms; i++) {
            uint8_t kept = t->terms[i].flags & (LIVE | DEAD);
            uint8_t flags = (uint8_t)(flags_of(t, &t->terms[i]) | kept);
            changed |= flags != t->terms[i].flags;
            t->terms[i].flags = flags;
        }
    }
    if (!(t->terms[start].flags & MAKES))
        return qn_fail(err, QN_E_ARGUMENT, "no text can match what the output is constrained to");
    t->stamp += 2;
    QN_TRY(check_left(t, start, 0, err));
    t->stamp++;
    find_classes(t);
    memset(t->late, 0, sizeof t->late); // of calls that had no rule yet
    t->n_fixed = t->n_terms;
    t->n_fixed_args = t->args.n;
    t->sealed = true;
    return QN_OK;
}

/* ---- Forgetting ---------------------------------------------------------------------------- */

/* The operands of a term that are terms: one place of its own, or a list. */
static uint32_t *operands(struct qn_terms *t, struct qn_term *m, uint32_t *n) {
    static const uint8_t own[] = {
        [QN_T_CAT] = 2, [QN_T_NOT] = 1, [QN_T_REP] = 1, [QN_T_LEX] = 1, [QN_T_MOD] = 0};
    *n = is_list(m->kind) ? m->b : own[m->kind];
    return is_list(m->kind) ? t->args.p + m->a : m->o;
}

void qn_terms_flush(struct qn_terms *t, uint32_t **keep, uint32_t n_keep) {
    uint32_t at = t->n_fixed, args = t->n_fixed_args, n, old = t->n_terms;
    if (!t->sealed || t->status != QN_OK || !vec_reserve(t, &t->seen, old, TERMS_MAX))
        return;
    uint32_t *moved = t->seen.p, *below;
    t->stamp++;
    for (uint32_t i = 0; i < n_keep; i++)
        t->terms[*keep[i]].mark = t->stamp;
    for (uint32_t i = old; i-- > at;) {
        below = operands(t, &t->terms[i], &n);
        for (uint32_t k = 0; k < n && t->terms[i].mark == t->stamp; k++)
            t->terms[below[k]].mark = t->stamp;
    }
    /* Operands come first, and lists lie in the order of their terms: all can move in place. */
    for (uint32_t i = 0; i < old; i++) {
        struct qn_term m = t->terms[i];
        moved[i] = i;
        m.row = QN_TERM_NONE;
        if (i >= t->n_fixed) {
            if (m.mark != t->stamp)
                continue;
            moved[i] = at++;
            below = operands(t, &m, &n);
            for (uint32_t k = 0; k < n; k++)
                below[k] = moved[below[k]];
            if (is_list(m.kind)) {
                memmove(t->args.p + args, below, n * sizeof *below);
                m.a = args;
                args += n;
            }
        }
        t->terms[moved[i]] = m;
    }
    for (uint32_t i = 0; i < n_keep; i++)
        *keep[i] = moved[*keep[i]];
    t->n_terms = at;
    t->args.n = args;
    t->rows.n = 0;
    memset(t->late, 0, sizeof t->late);
    memset(t->slots, 0, t->n_slots * sizeof *t->slots);
    for (uint32_t i = 0; i < at; i++)
        place(t, i);
}
