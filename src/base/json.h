/* JSON (RFC 8259) as a flat array of 16-byte nodes over the text, which must outlive the document.
 * The reader counts the nodes in a first pass and allocates exactly once; depth is limited to 64.
 * Strings stay slices of the source until asked for; escapes are decoded on demand. */
#ifndef QN_BASE_JSON_H
#define QN_BASE_JSON_H

#include "base/buf.h"

enum qn_json_type {
    QN_JSON_NULL,
    QN_JSON_FALSE,
    QN_JSON_TRUE,
    QN_JSON_NUMBER,
    QN_JSON_STRING,
    QN_JSON_ARRAY,
    QN_JSON_OBJECT,
};

struct qn_json_node {
    uint32_t kind;  // enum qn_json_type | flags << 8
    uint32_t begin; // byte offset in the text (string: after the quote)
    uint32_t count; // string, number: bytes; array: elements; object: members
    uint32_t next;  // index of the node after this value and all below it
};

struct qn_json {
    struct qn_str text;
    const struct qn_json_node *nodes; // nodes[0] is the root; object members are key, value pairs
    uint32_t n_nodes;
};

/* A value: document and node index. A missing value has json == NULL; all accessors accept it. */
struct qn_json_value {
    const struct qn_json *json;
    uint32_t at;
};

/* Parses `text` (at most 1 GiB). Nodes live in `arena`. Duplicate keys are kept; the last one wins.
 * Errors: QN_E_JSON with byte offset, QN_E_LIMIT (depth, size), QN_E_NO_MEMORY. */
enum qn_status qn_json_parse(struct qn_json *out, struct qn_arena *arena, struct qn_str text,
                             struct qn_error *err);

struct qn_json_value qn_json_root(const struct qn_json *json);
bool qn_json_exists(struct qn_json_value value);
enum qn_json_type qn_json_type(struct qn_json_value value); // missing: QN_JSON_NULL
/* Member of an object, or a missing value. */
struct qn_json_value qn_json_get(struct qn_json_value object, const char *key);
struct qn_json_value qn_json_get_str(struct qn_json_value object, struct qn_str key);
uint32_t qn_json_count(struct qn_json_value container); // elements or members; else 0

/* Iteration over an array (key unset) or an object, in document order:
 *   struct qn_json_iter it = qn_json_iterate(v); while (qn_json_each(&it)) use(it.key,
 *   it.value); */
struct qn_json_iter {
    struct qn_json_value value;
    struct qn_json_value key; // a string, for objects
    uint32_t at, left;
    const struct qn_json *json;
    bool object;
};
struct qn_json_iter qn_json_iterate(struct qn_json_value container);
bool qn_json_each(struct qn_json_iter *it);

/* Typed getters: false when missing or of another type; *out is then untouched. Integers must be
 * exact (1, 1.0 and 1e0 are; 1.5 is not). */
bool qn_json_bool(bool *out, struct qn_json_value value);
bool qn_json_f64(double *out, struct qn_json_value value);
bool qn_json_f32(float *out, struct qn_json_value value);
bool qn_json_i64(int64_t *out, struct qn_json_value value);
bool qn_json_u32(uint32_t *out, struct qn_json_value value);
/* The text between the quotes, escapes not decoded: enough to compare plain keys. */
struct qn_str qn_json_raw(struct qn_json_value string);
/* Decoded string: a slice of the source when it has no escapes, else a copy in `arena`. Lone
 * surrogates become U+FFFD. False when not a string or out of memory (out->p NULL then). */
bool qn_json_string(struct qn_str *out, struct qn_arena *arena, struct qn_json_value value);
bool qn_json_string_is(struct qn_json_value value, const char *c_string);

/* What the document says of a string (with its quotes), a number or a word; "null" for what is
 * missing, and for containers. */
struct qn_str qn_json_source(struct qn_json_value scalar);
/* Appends any value as JSON without white space. */
void qn_json_write(struct qn_buf *buf, struct qn_json_value value);

#endif
