/* Single blocks of each stored type: decoders and encoders, and what repacking takes apart.
 * Unaligned bytes in. Source of the layouts: the GGUF types of ggml, which are data formats shared
 * by many programs. */
#ifndef QN_QUANT_BLOCKS_H
#define QN_QUANT_BLOCKS_H

#include "base/dtype.h"

/* Decodes one block: qn_dtype_block(dtype) values from qn_dtype_bytes(dtype) bytes. */
typedef void qn_block_decode(float *out, const unsigned char *block);

qn_block_decode qn_block_decode_f32, qn_block_decode_f16, qn_block_decode_bf16;

/* Encodes one block (encode.c). Values that are not finite give one that decodes to something. */
typedef void qn_block_encode(unsigned char *block, const float *values);

qn_block_encode qn_block_encode_f32, qn_block_encode_f16, qn_block_encode_bf16;
qn_block_encode qn_block_encode_q4_0, qn_block_encode_q8_0;

/* The values 32 × part .. + 31 of a block as they are meant before scaling: unsigned, whatever zero
 * is taken off; Q8_0's as int8. */
typedef void qn_block_codes(unsigned char *restrict out, const unsigned char *restrict block,
                            uint32_t part);

qn_block_codes qn_block_codes_q4_0, qn_block_codes_q4_1, qn_block_codes_q5_0, qn_block_codes_q5_1;
qn_block_codes qn_block_codes_q8_0, qn_block_codes_q2_k, qn_block_codes_q3_k, qn_block_codes_q4_k;
qn_block_codes qn_block_codes_q5_k, qn_block_codes_q6_k, qn_block_codes_iq4_xs;

typedef unsigned char qn_bytes32 __attribute__((vector_size(32)));

/* A block's scales and minima, as the canonical layout has them (quant/wformat.h). */
typedef void qn_block_scales(unsigned char *restrict out, const unsigned char *restrict block);

qn_block_scales qn_block_scales_one, qn_block_scales_pair, qn_block_scales_q2_k;
qn_block_scales qn_block_scales_q3_k, qn_block_scales_q4_k, qn_block_scales_q6_k;
qn_block_scales qn_block_scales_iq4_xs;

#endif
