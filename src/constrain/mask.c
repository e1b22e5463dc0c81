/* Which tokens may come next: the vocabulary's trie walked along with derivatives.
 *
 * Most of the work for a state depends on its head alone – the string or number that is being
 * written – and not on what encloses it: of a head, the tokens that stay within it are kept as a
 * mask, beside the nodes of the trie at which it may be complete, from where the tail goes on. */
#include <string.h>

#include "base/num.h"
#include "constrain/constrain.h"
#include "text/vocab.h"

#define SLOTS 128             // masks kept
#define WORTH 1024u           // nodes visited that make a mask worth keeping
#define TERMS_SOFT (1u << 16) // beyond these, what was found out is forgotten between two tokens
#define ROWS_SOFT (1u << 19)

struct slot {
    uint32_t term; // QN_TERM_NONE: free
    uint32_t age;  // 0: free
    uint32_t *bits;
    struct qn_vec exits;
};

struct qn_mask_cache {
    uint32_t n_words, clock;
    struct slot slots[SLOTS];
    struct slot scratch;
};

static struct qn_mask_cache *cache_of(struct qn_matcher *m) {
    struct qn_grammar *g = m->grammar;
    if (g->cache != NULL)
        return g->cache;
    struct qn_mask_cache *c = qn_mem_alloc(g->allocator, sizeof *c);
    if (c == NULL)
        return NULL;
    memset(c, 0, sizeof *c);
    for (uint32_t i = 0; i < SLOTS; i++)
        c->slots[i].term = QN_TERM_NONE;
    c->n_words = m->trie->n_words;
    g->cache = c;
    return c;
}

static void slot_free(struct qn_grammar *g, struct slot *s, uint32_t n_words) {
    qn_mem_free(g->allocator, s->bits, n_words * sizeof *s->bits);
    qn_mem_free(g->allocator, s->exits.p, s->exits.capacity * sizeof *s->exits.p);
}

void qn_mask_cache_free(struct qn_grammar *g) {
    struct qn_mask_cache *c = g->cache;
    if (c == NULL)
        return;
    for (uint32_t i = 0; i < SLOTS; i++)
        slot_free(g, &c->slots[i], c->n_words);
    slot_free(g, &c->scratch, c->n_words);
    qn_mem_free(g->allocator, c, sizeof *c);
    g->cache = NULL;
}

/* The slot of a term, or the one that was not asked for longest, emptied. */
static struct slot *slot_for(struct qn_mask_cache *c, uint32_t term, bool *hit) {
    struct slot *oldest = &c->slots[0];
    *hit = true;
    for (uint32_t i = 0; i < SLOTS; i++) {
        struct slot *s = &c->slots[i];
        if (s->term == term) {
            s->age = ++c->clock;
            return s;
        }
        if (s->age < oldest->age)
            oldest = s;
    }
    *hit = false;
    return oldest;
}

struct walk {
    const struct qn_grammar *g;
    struct qn_terms *terms;
    const struct qn_vocab_trie *trie;
    uint32_t *bits;
    struct qn_vec *exits; // NULL: not wanted
    uint32_t visited;
};

/* How many more characters of any kind a JSON string may have; 0: the term is no such string. */
static uint32_t string_room(const struct qn_grammar *g, uint32_t term) {
    const struct qn_term *terms = g->terms.terms, *m = &terms[term];
    if (m->kind == QN_T_CAT)
        m = &terms[m->a];
    const struct qn_term *body = &terms[m->a];
    if (m->kind != QN_T_LEX || body->kind != QN_T_CAT || terms[body->b].kind != QN_T_SET)
        return 0;
    const struct qn_term *rep = &terms[body->a];
    bool any = rep->a == g->string_char || rep->a == g->any_char;
    return rep->kind == QN_T_REP && any ? rep->c : 0;
}

static void set_all(struct walk *w, uint32_t begin, uint32_t end) {
    for (uint32_t i = begin; i < end; i++) {
        uint32_t id = w->trie->tokens[i];
        if (id != QN_ID_NONE)
            w->bits[id >> 5] |= 1u << (id & 31);
    }
}

/* Sets the bits of the tokens in nodes [begin, end), which are the children of one node, or all,
 * that `state` allows. */
static void walk(struct walk *w, uint32_t state, uint32_t begin, uint32_t end) {
    uint32_t states[QN_TRIE_DEEP + 1];
    struct qn_terms *t = w->terms;
    const uint32_t *links = w->trie->links, *tokens = w->trie->tokens;
    const uint8_t *depths = w->trie->depths;
    if (begin >= end || state == QN_TERM_EMPTY)
        return;
    uint32_t plain = w->trie->n_careful, known = QN_TERM_EMPTY; // a string without limits
    states[depths[begin]] = state;
    for (uint32_t i = begin; i < end;) {
        uint32_t link = links[i], depth = depths[i], behind = link >> 8;
        uint32_t next = qn_term_step(t, states[depth], (uint8_t)link);
        w->visited++;
        if (next == QN_TERM_EMPTY) {
            i = behind;
            continue;
        }
        uint32_t id = tokens[i++];
        if (id != QN_ID_NONE)
            w->bits[id >> 5] |= 1u << (id & 31);
        if (i == behind)
            continue;
        if (i > plain && (next == known || string_room(w->g, next) == UINT32_MAX)) {
            known = next; // all plain tokens go on from here
            set_all(w, i, behind);
            i = behind;
            continue;
        }
        if (w->exits != NULL && qn_term_nullable(t, next))
            qn_vec_push(t, w->exits, i - 1);
        if (next == QN_TERM_EPS)
            i = behind;
        else
            states[depth + 1] = next;
    }
}

/* Plain tokens within a string of at most `most` more characters. */
static void add_plain(const struct qn_vocab_trie *trie, uint32_t *bits, uint32_t most) {
    uint32_t length = qn_min_u32(most, QN_TRIE_LENGTHS);
    const uint32_t *plain = trie->plain + (size_t)(length - 1) * trie->n_words;
    for (uint32_t i = 0; i < trie->n_words; i++)
        bits[i] |= plain[i];
    for (uint32_t i = 0; i < trie->n_longer && trie->longer[i * 2] <= most; i++) {
        uint32_t id = trie->longer[i * 2 + 1];
        bits[id >> 5] |= 1u << (id & 31);
    }
}

static bool slot_ready(struct qn_grammar *g, struct slot *s, uint32_t n_words) {
    if (s->bits == NULL)
        s->bits = qn_mem_alloc(g->allocator, n_words * sizeof *s->bits);
    if (s->bits == NULL)
        return false;
    memset(s->bits, 0, n_words * sizeof *s->bits);
    s->exits.n = 0;
    return true;
}

/* The mask of a term over the whole trie, with exits where it is a head. */
static enum qn_status mask_of(struct qn_matcher *m, const struct slot **out, uint32_t term,
                              struct qn_error *err) {
    struct qn_grammar *g = m->grammar;
    struct qn_mask_cache *c = g->cache;
    bool hit, head = g->terms.terms[term].kind == QN_T_LEX;
    struct slot *s = slot_for(c, term, &hit);
    *out = s;
    if (hit)
        return QN_OK;
    if (!slot_ready(g, &c->scratch, m->trie->n_words))
        return qn_fail(err, QN_E_NO_MEMORY, "a mask of tokens");
    struct walk w = {.g = g,
                     .terms = &g->terms,
                     .trie = m->trie,
                     .bits = c->scratch.bits,
                     .exits = head ? &c->scratch.exits : NULL};
    uint32_t room = head ? string_room(g, term) : 0;
    if (room > 0)
        add_plain(m->trie, w.bits, room);
    walk(&w, term, 0, m->trie->n_careful);
    if (room == 0)
        walk(&w, term, m->trie->n_careful, m->trie->n_nodes);
    if (w.visited >= WORTH) { // the scratch becomes the slot
        struct slot made = c->scratch;
        c->scratch = *s;
        *s = made;
        s->term = term;
        s->age = ++c->clock;
        c->scratch.term = QN_TERM_NONE;
    } else {
        *out = &c->scratch;
    }
    return qn_terms_report(&g->terms, err);
}

static enum qn_status add_state(struct qn_matcher *m, uint32_t *bits, uint32_t n_words,
                                uint32_t state, struct qn_error *err) {
    struct qn_terms *t = &m->grammar->terms;
    const struct qn_vocab_trie *trie = m->trie;
    for (bool more = true; more;) {
        uint32_t tail, head = qn_term_head(t, &tail, state);
        bool lexical = t->terms[head].kind == QN_T_LEX;
        const struct slot *s;
        QN_TRY(mask_of(m, &s, lexical ? head : state, err));
        for (uint32_t i = 0; i < qn_min_u32(n_words, trie->n_words); i++)
            bits[i] |= s->bits[i];
        struct walk w = {.g = m->grammar, .terms = t, .trie = trie, .bits = bits};
        more = lexical && tail != QN_TERM_EPS;
        for (uint32_t i = 0; more && i < s->exits.n; i++) {
            uint32_t node = s->exits.p[i];
            walk(&w, tail, node + 1, trie->links[node] >> 8);
        }
        more = more && qn_term_nullable(t, head); // complete already: the tail may begin too
        state = tail;
    }
    return qn_terms_report(t, err);
}

/* ---- Matcher ------------------------------------------------------------------------------- */

void qn_matcher_init(struct qn_matcher *m, struct qn_grammar *grammar,
                     const struct qn_vocab_trie *trie) {
    *m = (struct qn_matcher){.grammar = grammar, .trie = trie, .state = grammar->start};
    qn_buf_init(&m->bytes, grammar->allocator);
    m->next = grammar->matchers;
    if (m->next)
        m->next->previous = m;
    grammar->matchers = m;
}

void qn_matcher_free(struct qn_matcher *m) {
    if (m->grammar == NULL)
        return;
    *(m->previous ? &m->previous->next : &m->grammar->matchers) = m->next;
    if (m->next)
        m->next->previous = m->previous;
    qn_buf_free(&m->bytes);
    m->grammar = NULL;
}

void qn_matcher_restart(struct qn_matcher *m) {
    m->state = m->grammar->start;
}

/* Between tokens only: nothing but the matchers' states refers to terms then. */
static void make_room(struct qn_grammar *g) {
    struct qn_terms *t = &g->terms;
    if (t->n_terms < TERMS_SOFT && t->rows.n < ROWS_SOFT)
        return;
    uint32_t base = 0;
    for (struct qn_matcher *m = g->matchers; m; m = m->next)
        base++;
    uint32_t **keep = qn_mem_alloc(g->allocator, base * sizeof *keep);
    if (keep == NULL)
        return; // the hard limits are eight times as far
    base = 0;
    for (struct qn_matcher *m = g->matchers; m; m = m->next)
        keep[base++] = &m->state;
    qn_terms_flush(t, keep, base);
    qn_mem_free(g->allocator, keep, base * sizeof *keep);
    for (uint32_t i = 0; g->cache && i < SLOTS; i++) {
        g->cache->slots[i].term = QN_TERM_NONE;
        g->cache->slots[i].age = 0;
    }
}

static void allow(uint32_t *bits, uint32_t n_words, uint32_t id) {
    if (id >> 5 < n_words)
        bits[id >> 5] |= 1u << (id & 31);
}

enum qn_status qn_matcher_mask(struct qn_matcher *m, uint32_t *bits, uint32_t n_words,
                               const uint32_t *eos, uint32_t n_eos, struct qn_error *err) {
    struct qn_terms *t = &m->grammar->terms;
    const struct qn_vocab_trie *trie = m->trie;
    if (cache_of(m) == NULL)
        return qn_fail(err, QN_E_NO_MEMORY, "masks of tokens");
    make_room(m->grammar);
    qn_terms_token(t);
    memset(bits, 0, n_words * sizeof *bits);
    if (t->terms[m->state].kind == QN_T_OR) {
        for (uint32_t i = 0; i < t->terms[m->state].b; i++) {
            uint32_t one = t->args.p[t->terms[m->state].a + i];
            QN_TRY(add_state(m, bits, n_words, one, err));
        }
    } else {
        QN_TRY(add_state(m, bits, n_words, m->state, err));
    }
    for (uint32_t i = 0; i < trie->n_twins; i++) {
        uint32_t id = trie->twins[i * 2];
        if (id >> 5 < n_words && bits[id >> 5] >> (id & 31) & 1)
            allow(bits, n_words, trie->twins[i * 2 + 1]);
    }
    uint32_t mark = m->n_marks > 0 ? qn_term_step(t, m->state, 0xff) : QN_TERM_EMPTY;
    for (uint32_t i = 0; i < m->n_marks && mark != QN_TERM_EMPTY; i++)
        if (qn_term_step(t, mark, (uint8_t)(QN_MARK + i)) != QN_TERM_EMPTY)
            allow(bits, n_words, m->marks[i]);
    for (uint32_t i = 0; i < n_eos && qn_matcher_can_end(m); i++)
        allow(bits, n_words, eos[i]);
    return qn_terms_report(t, err);
}

enum qn_status qn_matcher_accept_bytes(struct qn_matcher *m, struct qn_str s,
                                       struct qn_error *err) {
    struct qn_terms *t = &m->grammar->terms;
    uint32_t state = m->state;
    make_room(m->grammar);
    qn_terms_token(t);
    state = m->state;
    for (size_t i = 0; i < s.n; i++) {
        state = qn_term_step(t, state, (uint8_t)s.p[i]);
        QN_TRY(qn_terms_report(t, err));
        if (state == QN_TERM_EMPTY)
            return qn_fail(err, QN_E_ARGUMENT, "\"%.*s\" is not allowed here, from its byte %zu",
                           QN_STR_ARG(s), i);
    }
    m->state = state;
    return QN_OK;
}

enum qn_status qn_matcher_accept(struct qn_matcher *m, uint32_t id, struct qn_error *err) {
    qn_buf_clear(&m->bytes);
    for (uint32_t i = 0; i < m->n_marks; i++) {
        const char mark[2] = {(char)0xff, (char)(QN_MARK + i)};
        if (m->marks[i] == id)
            return qn_matcher_accept_bytes(m, (struct qn_str){mark, 2}, err);
    }
    if (id >= m->trie->n_ids || qn_tokenizer_is_special(m->trie->tokenizer, id))
        return qn_fail(err, QN_E_ARGUMENT, "token %u is not allowed here", id);
    QN_TRY(qn_tokenizer_bytes(m->trie->tokenizer, &m->bytes, id));
    if (m->bytes.n == 0)
        return qn_fail(err, QN_E_ARGUMENT, "token %u is not allowed here", id);
    return qn_matcher_accept_bytes(m, qn_buf_view(&m->bytes), err);
}

bool qn_matcher_can_end(const struct qn_matcher *m) {
    return qn_term_nullable(&m->grammar->terms, m->state);
}

/* The byte that alone may come next, or 256 when there are several, or 257 when there is none. */
static uint32_t only_byte(struct qn_terms *t, uint32_t state) {
    uint32_t only = 257;
    for (uint32_t byte = 0; byte < 256 && only != 256; byte++)
        if (qn_term_step(t, state, (uint8_t)byte) != QN_TERM_EMPTY)
            only = only == 257 ? byte : 256;
    return only;
}

static bool is_end(struct qn_terms *t, uint32_t state) {
    return state == QN_TERM_EPS || (qn_term_nullable(t, state) && only_byte(t, state) == 257);
}

bool qn_matcher_must_end(struct qn_matcher *m) {
    return is_end(&m->grammar->terms, m->state);
}

enum qn_status qn_matcher_forced(struct qn_matcher *m, struct qn_buf *out, size_t most, bool *ends,
                                 struct qn_error *err) {
    struct qn_terms *t = &m->grammar->terms;
    uint32_t state = m->state;
    qn_terms_token(t);
    for (size_t i = 0; i < most && !qn_term_nullable(t, state); i++) {
        uint32_t byte = only_byte(t, state);
        if (byte > 255)
            break;
        qn_buf_char(out, (char)byte);
        state = qn_term_step(t, state, (uint8_t)byte);
    }
    *ends = is_end(t, state);
    QN_TRY(qn_terms_report(t, err));
    return out->failed ? qn_fail(err, QN_E_NO_MEMORY, "what must come next") : QN_OK;
}
