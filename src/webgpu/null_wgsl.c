#include "webgpu/null_wgsl.h"

#include <string.h>

#include "webgpu/tape.h"

static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static size_t skip_space(struct qn_str text, size_t at) {
    while (at < text.n && (text.p[at] == ' ' || text.p[at] == '\n' || text.p[at] == '\t'))
        at++;
    return at;
}

bool qn_wgsl_has_override(struct qn_str text, struct qn_str name) {
    static const struct qn_str key = {"override", 8};
    for (size_t at = qn_str_find(text, key, 0); at != SIZE_MAX;
         at = qn_str_find(text, key, at + key.n)) {
        size_t begin = skip_space(text, at + key.n);
        if (begin > at + key.n && begin + name.n < text.n &&
            memcmp(text.p + begin, name.p, name.n) == 0 && !is_word(text.p[begin + name.n]))
            return true;
    }
    return false;
}

enum qn_status qn_wgsl_bindings_match(struct qn_str text, const uint32_t *kinds, uint32_t n,
                                      struct qn_str label, struct qn_error *err) {
    static const struct qn_str key = {"@binding(", 9};
    for (size_t at = qn_str_find(text, key, 0); at != SIZE_MAX;
         at = qn_str_find(text, key, at + key.n)) {
        size_t line = at;
        while (line > 0 && text.p[line - 1] != '\n')
            line--;
        if (qn_str_find(qn_str_slice(text, line, at), QN_STR("//"), 0) != SIZE_MAX)
            continue; // in a comment
        uint32_t index = 0;
        size_t p = at + key.n;
        for (; p < text.n && text.p[p] >= '0' && text.p[p] <= '9' && index < 1000; p++)
            index = index * 10 + (uint32_t)(text.p[p] - '0');
        size_t var = qn_str_find(text, QN_STR("var<"), p);
        size_t end = var == SIZE_MAX ? SIZE_MAX : qn_str_find(text, QN_STR(">"), var);
        if (end == SIZE_MAX)
            return qn_fail(err, QN_E_GPU, "%.*s: @binding(%u) without var<…>", QN_STR_ARG(label),
                           index);
        struct qn_str kind = qn_str_slice(text, var + 4, end);
        uint32_t expected = qn_str_starts(kind, QN_STR("uniform")) ? QN_BIND_UNIFORM
                            : qn_str_find(kind, QN_STR("read_write"), 0) != SIZE_MAX ? QN_BIND_WRITE
                                                                                     : QN_BIND_READ;
        if (index >= n || kinds[index] != expected)
            return qn_fail(err, QN_E_GPU, "%.*s: binding %u is %.*s, the layout differs",
                           QN_STR_ARG(label), index, QN_STR_ARG(kind));
    }
    return QN_OK;
}
