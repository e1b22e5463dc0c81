/* The input is model.safetensors; or, when its first byte is '{', the index of a sharded model
 * whose shards lie behind it, from the first NUL on. */
#include <string.h>

#include "models.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    struct qn_str text = {(const char *)bytes, n};
    struct qn_memory_file list[4] = {{QN_STR("config.json"), QN_STR("{}")},
                                     {QN_STR("model.safetensors"), text}};
    size_t count = 2;
    if (n != 0 && bytes[0] == '{') {
        const char *end = memchr(text.p, 0, n);
        size_t index = end == NULL ? n : (size_t)(end - text.p);
        struct qn_str rest = qn_str_slice(text, index + 1, n);
        list[1] = (struct qn_memory_file){QN_STR("model.safetensors.index.json"),
                                          qn_str_slice(text, 0, index)};
        list[2] = (struct qn_memory_file){QN_STR("a.safetensors"), rest};
        list[3] =
            (struct qn_memory_file){QN_STR("b.safetensors"), qn_str_slice(rest, rest.n / 2, n)};
        count = 4;
    }
    fuzz_model(list, count, QN_STR(""));
    return 0;
}
