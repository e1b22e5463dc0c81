/* Regular expressions of tokenizers from hostile bytes, run over hostile text.
 *
 * Byte 0: bit 0 takes the text for bytes; byte 1: length of the pattern; then the text. */
#include <stdlib.h>

#include "text/regex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct qn_arena arena;
    struct qn_error err;
    const struct qn_regex *re;
    if (size < 2 || size - 2 < data[1])
        return 0;
    struct qn_regex_scratch scratch = {.allocator = qn_allocator_default(), .steps = 200000};
    struct qn_str text = {(const char *)data + 2 + data[1], size - 2 - data[1]};
    qn_arena_init(&arena, qn_allocator_default());
    if (qn_regex_compile(&re, &arena, (struct qn_str){(const char *)data + 2, data[1]}, &err) ==
        QN_OK) {
        for (size_t from = 0, begin, end; from <= text.n;) {
            if (qn_regex_find(re, &scratch, &begin, &end, text, from, data[0] & 1) != QN_OK ||
                begin == SIZE_MAX)
                break;
            if (begin < from || end < begin || end > text.n)
                abort();
            from = end > begin ? end : end + 1;
        }
    }
    qn_regex_scratch_free(&scratch);
    qn_arena_free(&arena);
    return 0;
}
