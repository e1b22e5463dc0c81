/* Inside of the reader of tokenizer.json: what its files share. */
#ifndef QN_TEXT_TOKENIZER_JSON_H
#define QN_TEXT_TOKENIZER_JSON_H

#include "text/tokenizer_impl.h"

struct qn_json_reader {
    struct qn_tokenizer *t;
    struct qn_arena *arena;   // of the tokenizer
    struct qn_arena *scratch; // of the JSON document and of lists
    struct qn_error *err;
    bool fused; // decoder Fuse has come: what follows sees the whole text
};

typedef enum qn_status qn_json_step_fn(struct qn_json_reader *r, struct qn_json_value step);

/* A type of step and its reader; NULL: nothing to do. */
struct qn_json_row {
    const char *type;
    qn_json_step_fn *read;
};

struct qn_json_part {
    const char *what, *list; // name in messages, member that holds the steps of a Sequence
    const struct qn_json_row *rows;
    size_t n_rows;
};

#define QN_JSON_PART(what, list, rows) \
    { what, list, rows, sizeof rows / sizeof rows[0] }

extern const struct qn_json_part qn_json_normalizer_part, qn_json_pretok_part, qn_json_post_part,
    qn_json_decoder_part;

/* tokenizer_json_read.c */
enum qn_status qn_json_no_memory(struct qn_json_reader *r);
/* A string that lives as long as the tokenizer. */
enum qn_status qn_json_read_string(struct qn_json_reader *r, struct qn_str *out,
                                   struct qn_json_value value, const char *what);
bool qn_json_flag(struct qn_json_value object, const char *key, bool otherwise);
/* Of a Metaspace. */
enum qn_status qn_json_read_prepend(struct qn_json_reader *r, enum qn_prepend *out,
                                    struct qn_json_value step);
/* Of a Replace: its content, and its pattern, of which one is set. */
enum qn_status qn_json_read_replace(struct qn_json_reader *r, struct qn_str *pattern,
                                    const struct qn_regex **regex, struct qn_str *content,
                                    struct qn_json_value step);
/* {"String": "…"}, of 1 to 256 bytes; a Regex is refused. */
enum qn_status qn_json_read_literal(struct qn_json_reader *r, struct qn_str *out,
                                    struct qn_json_value pattern, const char *what);

#endif
