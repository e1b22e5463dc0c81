/* Inside of a tokenizer: a pipeline of typed steps, the same for every source it was read from.
 *
 *   text ─▶ added tokens ─▶ normalizers ─▶ added tokens ─▶ pre-tokenizers ─▶ model ─▶ post ─▶ ids
 *                                                          decoders: ids ─▶ text
 *
 * A new kind of step is a value of the step's enum, a row in its reader, a case in its executor. */
#ifndef QN_TEXT_TOKENIZER_IMPL_H
#define QN_TEXT_TOKENIZER_IMPL_H

#include "text/added.h"
#include "text/bpe.h"
#include "text/normalize.h"
#include "text/pretok.h"
#include "text/tokenizer.h"

#define QN_MAX_STEPS 16 // of each kind

/* What a decoder does to one token's text, in order. */
enum qn_decoder_kind {
    QN_DECODE_BYTE_LEVEL,    // GPT-2's characters to bytes, where all are such characters
    QN_DECODE_REPLACE,       // `pattern` by `content`
    QN_DECODE_BYTE_FALLBACK, // <0xNN> to a byte
    QN_DECODE_METASPACE,     // `pattern` to " ", in the first token to "" if `drop_first`
};

struct qn_decoder {
    enum qn_decoder_kind kind;
    struct qn_str pattern, content;
    bool drop_first;
};

/* What the post-processor puts around the text. */
struct qn_template_item {
    bool is_text; // the ids of the text; else `id`
    uint32_t id;
};

struct qn_tokenizer {
    struct qn_vocab vocab;
    struct qn_added added;            // matched before normalisation
    struct qn_added added_normalized; // … after it
    struct qn_normalizer normalizers[QN_MAX_STEPS];
    struct qn_pretok pretoks[QN_MAX_STEPS];
    struct qn_decoder decoders[QN_MAX_STEPS];
    uint32_t n_normalizers, n_pretoks, n_decoders;
    struct qn_bpe bpe;
    struct qn_template_item *items; // NULL: the text alone
    uint32_t n_items;
    bool join_with_space; // no decoder at all: tokens with spaces between
    bool strip_first;     // one space at the start of the decoded text is dropped
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
/* vocab.json and merges.txt, with what tokenizer_config.json says. */
enum qn_status qn_tokenizer_read_vocab(struct qn_tokenizer **out, struct qn_arena *arena,
                                       struct qn_arena *scratch, struct qn_str vocab,
                                       struct qn_str merges, struct qn_json_value config,
                                       struct qn_error *err);

/* Shared by the readers (tokenizer_build.c). */

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
/* After model and steps are set: longest token, safe cuts. */
enum qn_status qn_tokenizer_build_finish(struct qn_tokenizer *t, struct qn_arena *arena,
                                         struct qn_error *err);
enum qn_status qn_tokenizer_add_pretok(struct qn_tokenizer *t, struct qn_pretok step,
                                       struct qn_error *err);
enum qn_status qn_tokenizer_add_decoder(struct qn_tokenizer *t, struct qn_decoder step,
                                        struct qn_error *err);
enum qn_status qn_tokenizer_add_normalizer(struct qn_tokenizer *t, struct qn_normalizer step,
                                           struct qn_error *err);

/* Appends the bytes of one token; *first: nothing came before (updated). *is_byte: it was <0xNN>.
 */
void qn_tokenizer_piece(const struct qn_tokenizer *t, struct qn_buf *out, uint32_t id, bool *first,
                        bool *is_byte);

#endif
