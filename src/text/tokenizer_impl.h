/* Inside of a tokenizer: a pipeline of typed steps, the same for every source it was read from.
 *
 *   text ─▶ added tokens ─▶ normalizers ─▶ added tokens ─▶ pre-tokenizers ─▶ model ─▶ post ─▶ ids
 *                                                          decoders: ids ─▶ text
 *
 * A new kind of step is a value of the step's enum, a row in its reader, a case in its executor. */
#ifndef QN_TEXT_TOKENIZER_IMPL_H
#define QN_TEXT_TOKENIZER_IMPL_H

#include "base/buf.h"
#include "text/added.h"
#include "text/bpe.h"
#include "text/normalize.h"
#include "text/pretok.h"
#include "text/tokenizer.h"
#include "text/unigram.h"

#define QN_MAX_STEPS 16 // of each kind

enum qn_model_kind { QN_MODEL_BPE, QN_MODEL_UNIGRAM, QN_MODEL_WORDPIECE, QN_MODEL_WORDLEVEL };

/* What a decoder does to one token's text, in order. */
enum qn_decoder_kind {
    QN_DECODE_BYTE_LEVEL,    // GPT-2's characters to bytes, where all are such characters
    QN_DECODE_REPLACE,       // `pattern`, or what `regex` matches where there is one, by `content`
    QN_DECODE_BYTE_FALLBACK, // <0xNN> to a byte
    QN_DECODE_METASPACE,     // `pattern` to " ", in the first token to "" if `drop_first`
    QN_DECODE_WORDPIECE,     // `pattern` at the start to "", else " " in front; not in the first
    QN_DECODE_WORD_END,      // `pattern` to " ", in the last token to ""
    QN_DECODE_CLEANUP,       // no space before punctuation and English contractions
    QN_DECODE_STRIP,         // up to `start` and `stop` times `pattern` at the ends
};

struct qn_decoder {
    enum qn_decoder_kind kind;
    struct qn_str pattern, content;
    const struct qn_regex *regex;
    bool drop_first;
    uint32_t start, stop;
};

/* What the post-processor puts around the text. */
enum qn_item_kind { QN_ITEM_TOKEN, QN_ITEM_TEXT, QN_ITEM_SECOND };

struct qn_template_item {
    enum qn_item_kind kind; // `id`, the ids of the text, or those of the second text
    uint32_t id;
    uint32_t type;
};

/* items NULL: the text alone, or one text behind the other with types 0 and 1. */
struct qn_template_ids {
    struct qn_template_item *items;
    uint32_t n;
};

struct qn_tokenizer {
    struct qn_vocab vocab;
    struct qn_added added;            // matched before normalisation
    struct qn_added added_normalized; // … after it
    struct qn_normalizer normalizers[QN_MAX_STEPS];
    struct qn_pretok pretoks[QN_MAX_STEPS];
    struct qn_decoder decoders[QN_MAX_STEPS];
    uint32_t n_normalizers, n_pretoks, n_decoders;
    enum qn_model_kind model;
    struct qn_bpe bpe;
    struct qn_unigram unigram;
    struct qn_wordpiece wordpiece;
    uint32_t unk; // of WORDLEVEL
    struct qn_template_ids single, pair;
    bool join_with_space; // no decoder at all: tokens with spaces between
    bool strip_first;     // one space at the start of the decoded text is dropped
    uint32_t strip_last;  // up to so many spaces at its end
    bool drop_repeats;    // of a token directly behind itself (CTC)
    bool byte_runs;       // ill-formed runs of byte tokens give one U+FFFD each
    bool space_prefix;    // of SentencePiece, for the readers
    unsigned char *cut;   // [256] for QN_SPLIT_WORD_MARK
    uint32_t bos, eos;    // UINT32_MAX: none
};

/* Readers; each makes a complete tokenizer in `arena`. `scratch` is freed by the caller. */
enum qn_status qn_tokenizer_read_json(struct qn_tokenizer **out, struct qn_arena *arena,
                                      struct qn_arena *scratch, struct qn_str text,
                                      struct qn_error *err);
enum qn_status qn_tokenizer_read_gguf(struct qn_tokenizer **out, struct qn_arena *arena,
                                      struct qn_arena *scratch,
                                      const struct qn_directory *directory,
                                      const struct qn_files *files, struct qn_error *err);
/* A SentencePiece model, the bytes of `file`, with what tokenizer_config.json says. */
enum qn_status qn_tokenizer_read_spm(struct qn_tokenizer **out, struct qn_arena *arena,
                                     struct qn_arena *scratch, struct qn_str bytes,
                                     struct qn_str file, struct qn_json_value config,
                                     struct qn_error *err);

/* Shared by the readers (tokenizer_build.c, tokenizer_spm.c). */

/* A token of the vocabulary or an added one, before the vocabulary is built. Ids may come in any
 * order; `flags` are QN_TOKEN_…, `added` are QN_ADDED_… of a token matched in the text. */
struct qn_token_entry {
    struct qn_str s;
    uint32_t id;
    uint32_t flags;
    uint32_t added;
};
/* Builds vocab, added and added_normalized. An entry that repeats a string moves it to the new id;
 * added entries whose string the vocabulary has take the vocabulary's id. `max_id` bounds the ids:
 * QN_E_TOKENIZER above it. */
enum qn_status qn_tokenizer_build_vocab(struct qn_tokenizer *t, struct qn_arena *arena,
                                        const struct qn_token_entry *entries, uint32_t n,
                                        uint64_t max_id, struct qn_error *err);
/* added_tokens_decoder of tokenizer_config.json: {"151643": {"content": …}, …}. */
enum qn_status qn_tokenizer_config_tokens(struct qn_token_entry **out, uint32_t *n,
                                          struct qn_arena *scratch, struct qn_json_value added,
                                          struct qn_error *err);
/* SentencePiece's treatment of spaces, and the decoders that undo it. */
enum qn_status qn_tokenizer_add_spm(struct qn_tokenizer *t, struct qn_arena *arena,
                                    bool dummy_prefix, bool remove_extra, struct qn_error *err);
/* After model and steps are set: longest token, safe cuts. */
enum qn_status qn_tokenizer_build_finish(struct qn_tokenizer *t, struct qn_arena *arena,
                                         struct qn_error *err);
enum qn_status qn_tokenizer_add_pretok(struct qn_tokenizer *t, struct qn_pretok step,
                                       struct qn_error *err);
enum qn_status qn_tokenizer_add_decoder(struct qn_tokenizer *t, struct qn_decoder step,
                                        struct qn_error *err);
enum qn_status qn_tokenizer_add_normalizer(struct qn_tokenizer *t, struct qn_normalizer step,
                                           struct qn_error *err);

/* unk, byte tokens, the lexicon, and for Unigram the scores, which stay in the arena. */
enum qn_status qn_tokenizer_set_unigram(struct qn_tokenizer *t, struct qn_arena *arena,
                                        const double *scores, uint32_t n, uint32_t unk,
                                        struct qn_error *err);
enum qn_status qn_tokenizer_set_wordpiece(struct qn_tokenizer *t, struct qn_arena *arena,
                                          struct qn_str prefix, uint32_t max_chars, uint32_t unk,
                                          struct qn_error *err);
/* BERT's normalisers and pre-tokenisers as single steps. */
enum qn_status qn_tokenizer_add_bert(struct qn_tokenizer *t, bool clean, bool chinese,
                                     bool strip_accents, bool lower, struct qn_error *err);
enum qn_status qn_tokenizer_add_bert_pretok(struct qn_tokenizer *t, struct qn_error *err);
/* first, text, last; and for a pair: first, text, last, then `last` again where `twice`, or `first`
 * where there is no last, second text, last. UINT32_MAX: none. The second part has type 1 unless
 * `one_type`. */
struct qn_frame {
    uint32_t first, last;
    bool twice, one_type;
};
enum qn_status qn_tokenizer_frame(struct qn_tokenizer *t, struct qn_arena *arena,
                                  struct qn_frame frame, struct qn_error *err);

/* Where a token stands: set first and last; `first` is cleared when text has come. */
struct qn_piece_place {
    bool first, last;
    bool is_byte; // it was <0xNN>
};
/* Appends the bytes of one token. */
void qn_tokenizer_piece(const struct qn_tokenizer *t, struct qn_buf *out, uint32_t id,
                        struct qn_piece_place *place);

#endif
