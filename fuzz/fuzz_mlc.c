/* The input is tensor-cache.json. */
#include "models.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    static const char zeros[256];
    struct qn_memory_file list[] = {{QN_STR("mlc-chat-config.json"), QN_STR("{}")},
                                    {QN_STR("tensor-cache.json"), {(const char *)bytes, n}},
                                    {QN_STR("params_shard_0.bin"), {zeros, sizeof zeros}}};
    fuzz_model(list, 3, QN_STR(""));
    return 0;
}
