/* The input is a JSON text; every value of it is read in every way. */
#include <stdint.h>

#include "base/json.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    struct qn_arena arena;
    struct qn_json json;
    struct qn_error err;
    qn_arena_init(&arena, qn_allocator_default());
    enum qn_status status =
        qn_json_parse(&json, &arena, (struct qn_str){(const char *)bytes, n}, &err);
    if (arena.held > 9 * n + 65536 || (status != QN_OK && err.offset > n))
        __builtin_trap();
    for (uint32_t i = 0; status == QN_OK && i < json.n_nodes; i++) {
        struct qn_json_value v = {&json, i};
        struct qn_str s;
        double f;
        int64_t k;
        float g;
        if (qn_json_string(&s, &arena, v) && qn_utf8_check(s) != SIZE_MAX)
            __builtin_trap();
        if (qn_json_i64(&k, v) && !qn_json_f64(&f, v))
            __builtin_trap();
        qn_json_f32(&g, v);
        uint32_t count = 0;
        struct qn_json_iter it = qn_json_iterate(v);
        while (qn_json_each(&it))
            count++;
        if (count != qn_json_count(v))
            __builtin_trap();
    }
    qn_arena_free(&arena);
    return 0;
}
