/* Decoders and encoders of single blocks, one function per stored type. Unaligned bytes in; what
 * comes out is exact: products and sums rounded to float32 one by one, never fused.
 * Source of the layouts: the GGUF types of ggml, which are data formats shared by many programs. */
#ifndef QN_QUANT_BLOCKS_H
#define QN_QUANT_BLOCKS_H

#include "base/dtype.h"

/* Decodes one block: qn_dtype_block(dtype) values from qn_dtype_bytes(dtype) bytes. */
typedef void qn_block_decode(float *out, const unsigned char *block);

qn_block_decode qn_block_decode_f32, qn_block_decode_f16, qn_block_decode_bf16;
qn_block_decode qn_block_decode_q4_0, qn_block_decode_q4_1, qn_block_decode_q5_0;
qn_block_decode qn_block_decode_q5_1, qn_block_decode_q8_0, qn_block_decode_iq4_nl;
qn_block_decode qn_block_decode_q2_k, qn_block_decode_q3_k, qn_block_decode_q4_k;
qn_block_decode qn_block_decode_q5_k, qn_block_decode_q6_k, qn_block_decode_iq4_xs;

/* Encodes one block. Values that are not finite give a block that decodes to something, no more. */
typedef void qn_block_encode(unsigned char *block, const float *values);

qn_block_encode qn_block_encode_f32, qn_block_encode_f16, qn_block_encode_bf16;
qn_block_encode qn_block_encode_q4_0, qn_block_encode_q8_0;

/* 32 elements as integer × scale - minimum: the first or only scale (and minimum) is that of
 * elements 0..31 or 0..15, the second that of 16..31. */
struct qn_block_int8 {
    float scale[2], minimum[2];
    int8_t q[32];
};
/* Splits elements [32 × part, 32 × part + 32) of a block into scales and integers; exact: product
 * and difference, each rounded, are what the block decodes to. Sets only what the type has. */
typedef void qn_block_split(struct qn_block_int8 *out, const unsigned char *block, uint32_t part);

qn_block_split qn_block_split_q5_0, qn_block_split_q8_0, qn_block_split_iq4_nl;
qn_block_split qn_block_split_iq4_xs, qn_block_split_q4_1, qn_block_split_q5_1;
qn_block_split qn_block_split_q2_k, qn_block_split_q3_k, qn_block_split_q4_k;
qn_block_split qn_block_split_q5_k, qn_block_split_q6_k;

/* The sixteen levels of IQ4_NL and IQ4_XS. */
extern const int8_t qn_block_iq4_levels[16];

#endif
