#include <string.h>

#include "model/traits.h"

static void put_text(char *buffer, size_t *n, const char *text) {
    for (; *text && *n < QN_TENSOR_NAME_BYTES; text++)
        buffer[(*n)++] = *text;
}

static void put_number(char *buffer, size_t *n, uint32_t number) {
    uint32_t scale = 1;
    while (number / scale >= 10)
        scale *= 10;
    for (; scale && *n < QN_TENSOR_NAME_BYTES; scale /= 10)
        buffer[(*n)++] = (char)('0' + number / scale % 10);
}

struct qn_str qn_tensor_name(char buffer[QN_TENSOR_NAME_BYTES], const struct qn_tensor_names *names,
                             enum qn_role role, uint32_t layer, uint32_t part, const char *suffix) {
    const char *pattern = names->naming->names[role], *embed = names->naming->names[QN_ROLE_EMBED];
    size_t n = 0;
    if (!pattern)
        return (struct qn_str){buffer, 0};
    put_text(buffer, &n, names->prefix);
    if (names->skip && strncmp(pattern, embed, names->skip) == 0)
        pattern += names->skip;
    for (; *pattern && n < QN_TENSOR_NAME_BYTES; pattern++) {
        if (*pattern == '#' || *pattern == '@')
            put_number(buffer, &n, *pattern == '#' ? layer : part);
        else
            buffer[n++] = *pattern;
    }
    put_text(buffer, &n, suffix);
    return (struct qn_str){buffer, n};
}

static bool fits(const struct qn_tensor_names *names, const struct qn_directory *d) {
    char buffer[QN_TENSOR_NAME_BYTES];
    return qn_directory_find(d, qn_tensor_name(buffer, names, QN_ROLE_EMBED, 0, 0, ".weight")) ||
           qn_directory_find(d, qn_tensor_name(buffer, names, QN_ROLE_EMBED, 0, 0, ".q_weight"));
}

void qn_tensor_names_find(struct qn_tensor_names *out, const struct qn_traits *traits,
                          const struct qn_directory *d) {
    const struct qn_tensor_names plain = {qn_traits_naming(traits, d->format), "", 0};
    *out = plain;
    if (d->format == QN_FORMAT_GGUF || fits(out, d))
        return;
    static const char *const prefixes[] = {"language_model.", "bert.", "distilbert.", "roberta.",
                                           "mpnet."};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        out->prefix = prefixes[i];
        if (fits(out, d))
            return;
    }
    *out = plain;
    const char *dot = strchr(plain.naming->names[QN_ROLE_EMBED], '.');
    out->skip = dot ? (size_t)(dot + 1 - plain.naming->names[QN_ROLE_EMBED]) : 0;
    if (!fits(out, d))
        *out = plain; // the message about what is missing then has the usual name
}
