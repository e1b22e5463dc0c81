/* The input is a GGUF file. */
#include "models.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    struct qn_memory_file file = {QN_STR("m.gguf"), {(const char *)bytes, n}};
    fuzz_model(&file, 1, file.name);
    return 0;
}
