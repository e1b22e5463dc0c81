#include "base/dtype.h"

#include <string.h>

#include "base/num.h"

struct row {
    const char *name;
    uint32_t block, bytes;
};

static const struct row rows[QN_DTYPE_COUNT] = {[QN_DTYPE_NONE] = {"none", 1, 0},
#define ROW(name, elements, bytes) [QN_DTYPE_##name] = {#name, elements, bytes},
                                                QN_DTYPE_LIST(ROW)
#undef ROW
};

static const struct row *row_of(enum qn_dtype dtype) {
    return &rows[(unsigned)dtype < QN_DTYPE_COUNT ? dtype : QN_DTYPE_NONE];
}

const char *qn_dtype_name(enum qn_dtype dtype) {
    return row_of(dtype)->name;
}

enum qn_dtype qn_dtype_by_name(const char *name, size_t n) {
    for (unsigned i = QN_DTYPE_NONE + 1; i < QN_DTYPE_COUNT; i++)
        if (strlen(rows[i].name) == n && memcmp(rows[i].name, name, n) == 0)
            return (enum qn_dtype)i;
    return QN_DTYPE_NONE;
}

uint32_t qn_dtype_block(enum qn_dtype dtype) {
    return row_of(dtype)->block;
}

uint32_t qn_dtype_bytes(enum qn_dtype dtype) {
    return row_of(dtype)->bytes;
}

bool qn_dtype_size(uint64_t *out, enum qn_dtype dtype, uint64_t n_elements) {
    const struct row *row = row_of(dtype);
    return n_elements % row->block == 0 && qn_mul_u64(out, n_elements / row->block, row->bytes);
}
