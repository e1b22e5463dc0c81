/* JSON Schema (draft 2020-12, and what older drafts write) as terms. Inside of the room.
 *
 * A place in the output is described by a list of demands that all hold. Lists are first flattened
 * (references, allOf) and split where there is a choice (anyOf, oneOf, if, …), until each has only
 * plain keywords; then every type makes its term from them (schema_scalar.c, schema_object.c).
 * Equal lists share a term, which is what makes recursion finite. */
#ifndef QN_CONSTRAIN_SCHEMA_H
#define QN_CONSTRAIN_SCHEMA_H

#include "base/json.h"
#include "constrain/constrain.h"

enum {
    QN_TYPE_NULL = 1,
    QN_TYPE_BOOL = 2,
    QN_TYPE_INTEGER = 4,
    QN_TYPE_FRACTION = 8, // numbers that are no integers
    QN_TYPE_NUMBER = 12,
    QN_TYPE_STRING = 16,
    QN_TYPE_ARRAY = 32,
    QN_TYPE_OBJECT = 64,
    QN_TYPE_ANY = 127,
};

/* clang-format off */
/* Keywords by what they speak about; names in the order of these. */
enum qn_keyword {
    QN_KW_REF, QN_KW_ALL_OF, QN_KW_ANY_OF, QN_KW_ONE_OF, QN_KW_IF, QN_KW_NOT,
    QN_KW_DEPENDENT_REQUIRED, QN_KW_DEPENDENT_SCHEMAS, QN_KW_DEPENDENCIES,
    QN_KW_TYPE, QN_KW_ENUM, QN_KW_CONST,
    QN_KW_MIN_LENGTH, QN_KW_MAX_LENGTH, QN_KW_PATTERN, QN_KW_FORMAT,
    QN_KW_MINIMUM, QN_KW_MAXIMUM, QN_KW_EXCLUSIVE_MINIMUM, QN_KW_EXCLUSIVE_MAXIMUM,
    QN_KW_MULTIPLE_OF,
    QN_KW_ITEMS, QN_KW_PREFIX_ITEMS, QN_KW_MIN_ITEMS, QN_KW_MAX_ITEMS, QN_KW_UNIQUE_ITEMS,
    QN_KW_CONTAINS,
    QN_KW_PROPERTIES, QN_KW_REQUIRED, QN_KW_ADDITIONAL_PROPERTIES, QN_KW_PATTERN_PROPERTIES,
    QN_KW_PROPERTY_NAMES, QN_KW_MIN_PROPERTIES, QN_KW_MAX_PROPERTIES,
    QN_KW_UNEVALUATED_PROPERTIES, QN_KW_UNEVALUATED_ITEMS, QN_KW_DYNAMIC_REF, QN_KW_RECURSIVE_REF,
    QN_KW_OTHER, // says nothing about the value, or is not known
};
/* clang-format on */

enum qn_demand_kind {
    QN_WANT_SCHEMA,   // the schema at node `at`
    QN_WANT_NOT,      // not that schema
    QN_WANT_NOT_KEY,  // not the keyword whose key is node `at`
    QN_WANT_TYPES,    // one of the types of the mask `at`
    QN_WANT_KEY,      // a property with the name that is node `at`
    QN_WANT_NO_KEY,   // none
    QN_WANT_PROP,     // if there is one named `key`, the schema at node `at`
    QN_WANT_PROP_NOT, // … not that schema
    QN_WANT_NAME,     // the value is the name of a property
};

struct qn_demand {
    enum qn_demand_kind kind;
    uint32_t at, key;
};

/* In scratch memory; only grows. */
struct qn_demands {
    struct qn_demand *p;
    uint32_t n, capacity;
};

struct qn_schema {
    struct qn_grammar *g;
    struct qn_terms *t;
    struct qn_arena *arena; // scratch
    struct qn_error *err;
    struct qn_json json;
    uint32_t ws, any_char; // white space between tokens; a character of a string, in one spelling
    uint32_t comma, colon; // with the white space behind them
    struct qn_schema_memo *memos;
    uint32_t n_memos, cap_memos;
    uint32_t depth;
    const char *negated; // keyword that made a demand of the kind NOT, for messages
};

/* ---- schema_demand.c ---- */

enum qn_status qn_schema_demand(struct qn_schema *c, struct qn_demands *list,
                                enum qn_demand_kind kind, uint32_t at, uint32_t key);
enum qn_status qn_schema_unsupported(struct qn_schema *c, const char *what);
enum qn_status qn_schema_bad(struct qn_schema *c, const char *keyword, const char *expected);
enum qn_status qn_schema_no_memory(struct qn_schema *c);
enum qn_keyword qn_schema_keyword(struct qn_json_value key);
const char *qn_keyword_name(enum qn_keyword keyword);
uint32_t qn_schema_types(struct qn_json_value type); // mask of a `type`; 0: malformed

static inline struct qn_json_value qn_schema_value(const struct qn_schema *c, uint32_t at) {
    return (struct qn_json_value){&c->json, at};
}

/* The keywords of a list's schemas, one after the other: of WANT_SCHEMA all members, of
 * WANT_NOT_KEY one, `negated`. */
struct qn_keyword_iter {
    const struct qn_schema *c;
    const struct qn_demands *list;
    uint32_t i;
    struct qn_json_iter members;
    bool within;
    /* Current: */
    enum qn_keyword keyword;
    struct qn_json_value owner, value;
    bool negated;
};
struct qn_keyword_iter qn_keyword_iterate(const struct qn_schema *c, const struct qn_demands *list);
bool qn_keyword_each(struct qn_keyword_iter *it);

/* ---- schema_scalar.c ---- */

/* Types that an enum or const leaves, and all other demands on types. */
uint32_t qn_schema_leaf_types(struct qn_schema *c, const struct qn_demands *list);
enum qn_status qn_schema_string(struct qn_schema *c, uint32_t *out, const struct qn_demands *list);
enum qn_status qn_schema_number(struct qn_schema *c, uint32_t *out, const struct qn_demands *list,
                                uint32_t types);
/* null, true, false, and arrays and objects of an enum: of `types`, those in all enums. *listed
 * says whether there is an enum or const. */
enum qn_status qn_schema_listed(struct qn_schema *c, uint32_t *out, bool *listed,
                                const struct qn_demands *list, uint32_t types);
/* The language of a pattern within quotes, of names too. */
enum qn_status qn_schema_pattern(struct qn_schema *c, uint32_t *out, struct qn_json_value pattern);
/* A string as it is written, with quotes, then `rest`. */
enum qn_status qn_schema_quoted(struct qn_schema *c, uint32_t *out, struct qn_json_value string,
                                uint32_t rest);

/* ---- schema_object.c ---- */

enum qn_status qn_schema_object(struct qn_schema *c, uint32_t *out, const struct qn_demands *list);
enum qn_status qn_schema_array(struct qn_schema *c, uint32_t *out, const struct qn_demands *list);

/* ---- schema.c ---- */

/* The text of all values that meet the demands, QN_TERM_EMPTY if none does. */
enum qn_status qn_schema_compile(struct qn_schema *c, uint32_t *out, const struct qn_demand *p,
                                 uint32_t n);

#endif
