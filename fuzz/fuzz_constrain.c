/* A constraint and a text from one input: a byte for the kind, the constraint up to a zero byte,
 * the text. Whatever is accepted byte by byte is accepted at once, too; a state is never a dead
 * end, so that forced bytes can always be taken. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "constrain/constrain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2)
        return 0;
    const uint8_t *zero = memchr(data + 1, 0, size - 1);
    size_t n = zero ? (size_t)(zero - data - 1) : size - 1;
    if (n > 600)
        return 0;
    struct qn_constraint c = {
        (enum qn_constraint_kind)(1 + data[0] % 3), {(const char *)data + 1, n}, data[0] / 3u % 4};
    struct qn_str text = {(const char *)data + n + 2, zero ? size - n - 2 : 0};
    struct qn_grammar *g;
    struct qn_matcher all, each;
    struct qn_error err;
    if (qn_grammar_compile(&g, qn_allocator_default(), &c, &err) != QN_OK)
        return 0;
    struct qn_buf forced;
    qn_buf_init(&forced, qn_allocator_default());
    qn_matcher_init(&all, g, NULL);
    qn_matcher_init(&each, g, NULL);
    size_t taken = 0;
    enum qn_status status = QN_OK;
    for (; taken < text.n && taken < 64; taken++) {
        status = qn_matcher_accept_bytes(&each, qn_str_slice(text, taken, taken + 1), &err);
        if (status != QN_OK)
            break;
    }
    struct qn_str prefix = qn_str_slice(text, 0, taken);
    if ((status == QN_OK || status == QN_E_ARGUMENT) &&
        qn_matcher_accept_bytes(&all, prefix, &err) == QN_OK) {
        if (qn_matcher_can_end(&all) != qn_matcher_can_end(&each))
            abort();
        bool ends = false;
        if (qn_matcher_forced(&all, &forced, 16, &ends, &err) == QN_OK) {
            bool agrees = qn_matcher_accept_bytes(&all, qn_buf_view(&forced), &err) == QN_OK &&
                          qn_matcher_must_end(&all) == ends;
            if (!agrees && g->terms.status == QN_OK)
                abort();
        }
    } else if (g->terms.status == QN_OK) {
        abort();
    }
    qn_matcher_free(&all);
    qn_matcher_free(&each);
    qn_buf_free(&forced);
    qn_grammar_free(g);
    return 0;
}
