/* Tokenizers: text ⇄ ids. BPE (byte-level, of characters, and by SentencePiece scores), Unigram and
 * WordPiece, behind any chain of normalisers and pre-tokenisers. Immutable after loading; safe to
 * share. */
#ifndef QN_TEXT_TOKENIZER_H
#define QN_TEXT_TOKENIZER_H

#include "base/buf.h"
#include "format/directory.h"
#include "text/ids.h"

struct qn_tokenizer;

/* From whatever the model brings: GGUF metadata; else tokenizer.json; else a SentencePiece model
 * (tokenizer.model, spiece.model, sentencepiece.bpe.model, spm.model); else vocab.json + merges.txt
 * (with added_tokens_decoder of tokenizer_config.json); else vocab.txt (BERT). May answer
 * QN_E_NEED_DATA; call again. Everything lives in `arena`. E_NOT_FOUND: the model has no tokenizer.
 * Errors otherwise: E_TOKENIZER, E_JSON, E_UNSUPPORTED (a pre-tokeniser or model type by its name),
 * E_NO_MEMORY. */
enum qn_status qn_tokenizer_open(struct qn_tokenizer **out, struct qn_arena *arena,
                                 const struct qn_directory *directory, const struct qn_files *files,
                                 struct qn_error *err);
enum qn_status qn_tokenizer_from_json(struct qn_tokenizer **out, struct qn_arena *arena,
                                      struct qn_str tokenizer_json, struct qn_error *err);

/* Guards the added tokens between brackets that `marks`, a chat template, speaks of: Qwen3's
 * <think>, <tool_call>. They steer the model as special tokens do, although they are none, so text
 * of users does not get them either. */
void qn_tokenizer_guard(struct qn_tokenizer *t, struct qn_str marks);
/* Guards one added token: one that ends answers, whatever the file says of it. */
void qn_tokenizer_guard_id(struct qn_tokenizer *t, uint32_t id);

/* A span of text whose bytes came from a user or a tool: special tokens are never recognised where
 * a match would touch such a byte. Spans are sorted and do not overlap. */
struct qn_span {
    size_t begin, end; // bytes
};

enum {
    QN_ENCODE_SPECIAL = 1,  // add what the post-processor adds (BOS, EOS, template of the model)
    QN_ENCODE_NO_MATCH = 2, // text is all plain: never match special/control tokens in it
};

/* Added tokens that are not special (runs of spaces, Gemma's <table>) are ordinary vocabulary and
 * are matched in plain text too, unless they are guarded.
 *
 * Appends the ids of `text`, at most 1 GiB; on an error nothing. Scratch is taken from the
 * allocator of `out` and given back. Text need not be valid UTF-8 (ill-formed bytes pass through
 * byte-level models as they are). `plain` may be NULL (n_plain 0): then the whole text may hold
 * special tokens. */
enum qn_status qn_tokenizer_encode(const struct qn_tokenizer *t, struct qn_ids *out,
                                   struct qn_str text, uint32_t flags, const struct qn_span *plain,
                                   size_t n_plain, struct qn_error *err);

/* The same for encoder models: one text, or two as the model pairs them (`second` NULL: one), with
 * the type id of every token in `types`, which may be NULL and else is as long as `out` before. */
enum qn_status qn_tokenizer_encode_pair(const struct qn_tokenizer *t, struct qn_ids *out,
                                        struct qn_ids *types, struct qn_str text,
                                        const struct qn_str *second, uint32_t flags,
                                        struct qn_error *err);

enum { QN_DECODE_SKIP_SPECIAL = 1 };

/* Appends the text of all ids at once, as the tokenizers library decodes them (leading-space rule
 * of SentencePiece included, ill-formed bytes to U+FFFD). Ids beyond the vocabulary: QN_E_ARGUMENT;
 * a hole in it gives no text. */
enum qn_status qn_tokenizer_decode(const struct qn_tokenizer *t, struct qn_buf *out,
                                   const uint32_t *ids, size_t n, uint32_t flags,
                                   struct qn_error *err);

uint32_t qn_tokenizer_size(const struct qn_tokenizer *t); // highest id + 1
bool qn_tokenizer_is_special(const struct qn_tokenizer *t, uint32_t id);
/* Vocabulary form of a token ("Ġthe", "<0x0A>", "<|im_end|>"); empty for a hole in
 * the vocabulary. */
struct qn_str qn_tokenizer_token(const struct qn_tokenizer *t, uint32_t id);
/* The raw bytes a token stands for in a stream; appended. */
enum qn_status qn_tokenizer_bytes(const struct qn_tokenizer *t, struct qn_buf *out, uint32_t id);
bool qn_tokenizer_find(const struct qn_tokenizer *t, uint32_t *out, struct qn_str token);
/* From metadata; UINT32_MAX when the tokenizer names none. */
uint32_t qn_tokenizer_bos(const struct qn_tokenizer *t);
uint32_t qn_tokenizer_eos(const struct qn_tokenizer *t);

#endif
