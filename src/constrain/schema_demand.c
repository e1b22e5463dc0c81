/* Keywords of a schema, and lists of demands. */
#include <string.h>

#include "constrain/schema.h"

static const char NAMES[] =
    "$ref\0allOf\0anyOf\0oneOf\0if\0not\0dependentRequired\0dependentSchemas\0dependencies\0type\0"
    "enum\0const\0minLength\0maxLength\0pattern\0format\0minimum\0maximum\0exclusiveMinimum\0"
    "exclusiveMaximum\0multipleOf\0items\0prefixItems\0minItems\0maxItems\0uniqueItems\0contains\0"
    "properties\0required\0additionalProperties\0patternProperties\0propertyNames\0minProperties\0"
    "maxProperties\0unevaluatedProperties\0unevaluatedItems\0$dynamicRef\0$recursiveRef\0";

enum qn_status qn_schema_no_memory(struct qn_schema *c) {
    return qn_fail(c->err, QN_E_NO_MEMORY, "a JSON schema");
}

enum qn_status qn_schema_unsupported(struct qn_schema *c, const char *what) {
    return qn_fail(c->err, QN_E_UNSUPPORTED, "the JSON schema's %s", what);
}

enum qn_status qn_schema_bad(struct qn_schema *c, const char *keyword, const char *expected) {
    return qn_fail(c->err, QN_E_ARGUMENT, "the JSON schema's %s: expected %s", keyword, expected);
}

const char *qn_keyword_name(enum qn_keyword keyword) {
    const char *p = NAMES;
    for (int i = 0; i < (int)keyword; i++)
        p += strlen(p) + 1;
    return p;
}

enum qn_keyword qn_schema_keyword(struct qn_json_value key) {
    int i = 0;
    for (const char *p = NAMES; *p && !qn_json_string_is(key, p); p += strlen(p) + 1)
        i++;
    return (enum qn_keyword)i;
}

uint32_t qn_schema_types(struct qn_json_value type) {
    static const struct {
        const char *name;
        uint32_t mask;
    } all[] = {{"null", QN_TYPE_NULL},     {"boolean", QN_TYPE_BOOL},  {"integer", QN_TYPE_INTEGER},
               {"number", QN_TYPE_NUMBER}, {"string", QN_TYPE_STRING}, {"array", QN_TYPE_ARRAY},
               {"object", QN_TYPE_OBJECT}, {"any", QN_TYPE_ANY}};
    uint32_t mask = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (qn_json_string_is(type, all[i].name))
            return all[i].mask;
    struct qn_json_iter it = qn_json_iterate(type);
    while (qn_json_type(type) == QN_JSON_ARRAY && qn_json_each(&it)) {
        uint32_t one = qn_json_type(it.value) == QN_JSON_STRING ? qn_schema_types(it.value) : 0;
        if (one == 0)
            return 0;
        mask |= one;
    }
    return mask;
}

enum qn_status qn_schema_demand(struct qn_schema *c, struct qn_demands *list,
                                enum qn_demand_kind kind, uint32_t at, uint32_t key) {
    struct qn_demand d = {kind, at, key};
    for (uint32_t i = 0; i < list->n; i++)
        if (memcmp(&list->p[i], &d, sizeof d) == 0)
            return QN_OK;
    if (list->n == list->capacity) {
        uint32_t capacity = list->capacity ? list->capacity * 2 : 8;
        struct qn_demand *p = QN_ARENA_NEW(c->arena, struct qn_demand, capacity);
        if (p == NULL)
            return qn_schema_no_memory(c);
        if (list->n > 0)
            memcpy(p, list->p, list->n * sizeof *p);
        list->p = p;
        list->capacity = capacity;
    }
    list->p[list->n++] = d;
    return QN_OK;
}

struct qn_keyword_iter qn_keyword_iterate(const struct qn_schema *c,
                                          const struct qn_demands *list) {
    return (struct qn_keyword_iter){.c = c, .list = list};
}

bool qn_keyword_each(struct qn_keyword_iter *it) {
    for (;;) {
        if (it->within && qn_json_each(&it->members)) {
            it->keyword = qn_schema_keyword(it->members.key);
            it->value = it->members.value;
            return true;
        }
        it->within = false;
        if (it->i == it->list->n)
            return false;
        struct qn_demand d = it->list->p[it->i++];
        struct qn_json_value v = qn_schema_value(it->c, d.at);
        it->negated = d.kind == QN_WANT_NOT_KEY;
        it->owner = v;
        if (it->negated) {
            it->keyword = qn_schema_keyword(v);
            it->value = qn_schema_value(it->c, d.at + 1); // a key is one node
            return true;
        }
        it->within = d.kind == QN_WANT_SCHEMA && qn_json_type(v) == QN_JSON_OBJECT;
        it->members = qn_json_iterate(v);
    }
}
