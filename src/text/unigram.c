#include "text/unigram.h"

#include "text/unicode.h"

void qn_piece_scratch_init(struct qn_piece_scratch *s, const struct qn_allocator *allocator) {
    *s = (struct qn_piece_scratch){.allocator = allocator};
}

void qn_piece_scratch_free(struct qn_piece_scratch *s) {
    qn_mem_free(s->allocator, s->nodes, s->n_nodes * sizeof *s->nodes);
    qn_word_cache_free(&s->cache, s->allocator);
    qn_piece_scratch_init(s, s->allocator);
}

static enum qn_status reserve(struct qn_piece_scratch *s, size_t n, struct qn_error *err) {
    size_t want = n < 64 ? 64 : n, bytes;
    if (n <= s->n_nodes)
        return QN_OK;
    struct qn_unigram_node *p =
        qn_mul_size(&bytes, want, sizeof *p) ? qn_mem_alloc(s->allocator, bytes) : NULL;
    if (!p)
        return qn_fail(err, QN_E_NO_MEMORY, "a word of %zu bytes", n);
    qn_mem_free(s->allocator, s->nodes, s->n_nodes * sizeof *s->nodes);
    s->nodes = p;
    s->n_nodes = want;
    return QN_OK;
}

static void offer(struct qn_unigram_node *node, double score, size_t begin, uint32_t id) {
    if (node->begin == UINT32_MAX || score > node->score)
        *node = (struct qn_unigram_node){score, (uint32_t)begin, id};
}

/* Unknown characters in a row are one token, or their bytes. */
static enum qn_status push_unknown(const struct qn_unigram *model, struct qn_ids *out,
                                   struct qn_str s) {
    bool all = model->byte_fallback;
    for (size_t i = 0; all && i < s.n; i++)
        all = model->bytes[(unsigned char)s.p[i]] != QN_ID_NONE;
    if (!all)
        return model->unk == QN_ID_NONE ? QN_OK : qn_ids_push(out, model->unk);
    for (size_t i = 0; i < s.n; i++)
        QN_TRY(qn_ids_push(out, model->bytes[(unsigned char)s.p[i]]));
    return QN_OK;
}

static enum qn_status encode_unigram(const struct qn_unigram *model,
                                     struct qn_piece_scratch *scratch, struct qn_ids *out,
                                     struct qn_str word, struct qn_error *err) {
    QN_TRY(reserve(scratch, word.n + 1, err));
    struct qn_unigram_node *nodes = scratch->nodes;
    for (size_t i = 0; i <= word.n; i++)
        nodes[i].begin = UINT32_MAX;
    nodes[0].score = 0;
    for (size_t at = 0; at < word.n;) {
        size_t next = at;
        qn_unicode_next(word, &next);
        bool single = false;
        struct qn_lexicon_walk w;
        qn_lexicon_begin(&w);
        for (size_t end = at; end < word.n;) {
            if (!qn_lexicon_step(&model->lexicon, &w, (unsigned char)word.p[end++]))
                break;
            if (end < next)
                continue; // inside of a character
            uint32_t piece =
                qn_lexicon_find(&model->lexicon, &w, (struct qn_str){"", 0}, word.p + at);
            if (piece == QN_ID_NONE)
                continue;
            offer(&nodes[end], nodes[at].score + model->scores[piece], at, piece);
            single |= end == next;
        }
        if (!single)
            offer(&nodes[next], nodes[at].score + model->unk_score, at, QN_ID_NONE);
        at = next; // a path ends here: one character is always a way
    }
    /* The best path backwards, turned about: a node then holds the piece that begins there. */
    uint32_t end = 0, id = QN_ID_NONE;
    for (size_t at = word.n; at > 0;) {
        struct qn_unigram_node node = nodes[at];
        nodes[at].begin = end;
        nodes[at].id = id;
        end = (uint32_t)at;
        id = node.id;
        at = node.begin;
    }
    nodes[0].begin = end;
    nodes[0].id = id;
    size_t unknown = SIZE_MAX; // where a run of unknown characters began
    for (size_t at = 0; at < word.n; at = nodes[at].begin) {
        id = nodes[at].id;
        if (id == QN_ID_NONE) {
            unknown = unknown == SIZE_MAX ? at : unknown;
            continue;
        }
        if (unknown != SIZE_MAX)
            QN_TRY(push_unknown(model, out, qn_str_slice(word, unknown, at)));
        unknown = SIZE_MAX;
        QN_TRY(qn_ids_push(out, id));
    }
    return unknown == SIZE_MAX ? QN_OK
                               : push_unknown(model, out, qn_str_slice(word, unknown, word.n));
}

/* Greedy: the longest piece at each place; a word with a place that has none is unknown. */
static enum qn_status encode_wordpiece(const struct qn_wordpiece *model, struct qn_ids *out,
                                       struct qn_str word) {
    size_t before = out->n;
    uint32_t n_chars = 0;
    for (size_t at = 0; at < word.n && n_chars <= model->max_chars; n_chars++)
        qn_unicode_next(word, &at);
    size_t at = n_chars > model->max_chars ? SIZE_MAX : 0;
    while (at < word.n) {
        struct qn_str prefix = at > 0 ? model->prefix : (struct qn_str){"", 0};
        struct qn_lexicon_walk w;
        size_t best = at;
        uint32_t best_id = QN_ID_NONE;
        bool some = true;
        qn_lexicon_begin(&w);
        for (size_t i = 0; some && i < prefix.n; i++)
            some = qn_lexicon_step(&model->lexicon, &w, (unsigned char)prefix.p[i]);
        for (size_t end = at; some && end < word.n;) {
            some = qn_lexicon_step(&model->lexicon, &w, (unsigned char)word.p[end++]);
            uint32_t id =
                some ? qn_lexicon_find(&model->lexicon, &w, prefix, word.p + at) : QN_ID_NONE;
            if (id != QN_ID_NONE) {
                best = end;
                best_id = id;
            }
        }
        if (best_id == QN_ID_NONE) {
            at = SIZE_MAX;
            break;
        }
        QN_TRY(qn_ids_push(out, best_id));
        at = best;
    }
    if (at != SIZE_MAX)
        return QN_OK;
    out->n = before;
    return model->unk == QN_ID_NONE ? QN_OK : qn_ids_push(out, model->unk);
}

enum qn_status qn_unigram_word(const struct qn_unigram *model, struct qn_piece_scratch *scratch,
                               struct qn_ids *out, struct qn_str word, struct qn_error *err) {
    bool hit;
    size_t before = out->n;
    struct qn_cached_word *c = qn_word_cache_at(&scratch->cache, &hit, word);
    if (hit)
        return qn_word_cache_push(c, out);
    if (word.n > UINT32_MAX / 2)
        return qn_fail(err, QN_E_LIMIT, "a word of %zu bytes", word.n);
    QN_TRY(encode_unigram(model, scratch, out, word, err));
    qn_word_cache_put(c, word, out, before);
    return QN_OK;
}

enum qn_status qn_wordpiece_word(const struct qn_wordpiece *model, struct qn_piece_scratch *scratch,
                                 struct qn_ids *out, struct qn_str word, struct qn_error *err) {
    bool hit;
    size_t before = out->n;
    struct qn_cached_word *c = qn_word_cache_at(&scratch->cache, &hit, word);
    (void)err;
    if (hit)
        return qn_word_cache_push(c, out);
    QN_TRY(encode_wordpiece(model, out, word));
    qn_word_cache_put(c, word, out, before);
    return QN_OK;
}
