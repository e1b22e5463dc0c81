/* The two models that look for whole pieces in a word: Unigram (the path of pieces with the highest
 * sum of scores, by Viterbi) and WordPiece (the longest piece at each place). */
#ifndef QN_TEXT_UNIGRAM_H
#define QN_TEXT_UNIGRAM_H

#include "text/lexicon.h"
#include "text/wordcache.h"

struct qn_unigram {
    struct qn_lexicon lexicon;
    const double *scores; // [vocab->size]
    double unk_score;     // 10 below the lowest score
    uint32_t unk;         // or QN_ID_NONE: unknown characters vanish
    bool byte_fallback;   // unknown characters as bytes, where all of these are tokens
    uint32_t bytes[256];  // ids, QN_ID_NONE where missing
};

/* Where the best path to a place comes from. */
struct qn_unigram_node {
    double score;
    uint32_t begin; // UINT32_MAX: no path ends here yet
    uint32_t id;
};

struct qn_wordpiece {
    struct qn_lexicon lexicon;
    struct qn_str prefix; // of pieces that do not begin a word
    uint32_t max_chars;   // of a word; longer ones are unknown
    uint32_t unk;         // or QN_ID_NONE: unknown words vanish
};

/* Scratch of one call, for both. */
struct qn_piece_scratch {
    const struct qn_allocator *allocator;
    struct qn_unigram_node *nodes;
    size_t n_nodes;
    struct qn_word_cache cache;
};
void qn_piece_scratch_init(struct qn_piece_scratch *s, const struct qn_allocator *allocator);
void qn_piece_scratch_free(struct qn_piece_scratch *s);

/* Append the ids of one word (at most UINT32_MAX / 2 bytes). */
enum qn_status qn_unigram_word(const struct qn_unigram *model, struct qn_piece_scratch *scratch,
                               struct qn_ids *out, struct qn_str word, struct qn_error *err);
enum qn_status qn_wordpiece_word(const struct qn_wordpiece *model, struct qn_piece_scratch *scratch,
                                 struct qn_ids *out, struct qn_str word, struct qn_error *err);

#endif
