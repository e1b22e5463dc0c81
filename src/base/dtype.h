/* Element and block types of tensors as they stand in files. One table: name, elements per block,
 * bytes per block. GGUF's numbers for the types are in format/gguf.c. */
#ifndef QN_BASE_DTYPE_H
#define QN_BASE_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QN_DTYPE_LIST(X) \
    X(F32, 1, 4)         \
    X(F16, 1, 2)         \
    X(BF16, 1, 2)        \
    X(F64, 1, 8)         \
    X(I8, 1, 1)          \
    X(U8, 1, 1)          \
    X(I16, 1, 2)         \
    X(U16, 1, 2)         \
    X(I32, 1, 4)         \
    X(U32, 1, 4)         \
    X(I64, 1, 8)         \
    X(U64, 1, 8)         \
    X(BOOL, 1, 1)        \
    X(Q4_0, 32, 18)      \
    X(Q4_1, 32, 20)      \
    X(Q5_0, 32, 22)      \
    X(Q5_1, 32, 24)      \
    X(Q8_0, 32, 34)      \
    X(Q2_K, 256, 84)     \
    X(Q3_K, 256, 110)    \
    X(Q4_K, 256, 144)    \
    X(Q5_K, 256, 176)    \
    X(Q6_K, 256, 210)    \
    X(IQ4_NL, 32, 18)    \
    X(IQ4_XS, 256, 136)

enum qn_dtype {
    QN_DTYPE_NONE,
#define QN_DTYPE_ENUM(name, elements, bytes) QN_DTYPE_##name,
    QN_DTYPE_LIST(QN_DTYPE_ENUM)
#undef QN_DTYPE_ENUM
        QN_DTYPE_COUNT
};

const char *qn_dtype_name(enum qn_dtype dtype); // "Q4_0"; "none" for QN_DTYPE_NONE
/* The dtype of that name (as in qn_dtype_name), or QN_DTYPE_NONE. */
enum qn_dtype qn_dtype_by_name(const char *name, size_t n);
uint32_t qn_dtype_block(enum qn_dtype dtype); // elements per block
uint32_t qn_dtype_bytes(enum qn_dtype dtype); // bytes per block
/* Bytes of n_elements; false on overflow or when they are no whole number of blocks. */
bool qn_dtype_size(uint64_t *out, enum qn_dtype dtype, uint64_t n_elements);

#endif
