/* Every stored block type once: size (base/dtype.h), decode, encode where a converter needs it, and
 * repacking to the canonical device layout. */
#ifndef QN_QUANT_CODEC_H
#define QN_QUANT_CODEC_H

#include "quant/wformat.h"

/* Decodes n elements (a whole number of blocks) to float32; products and sums are rounded to
 * float32 one by one. QN_E_UNSUPPORTED for a type that has no decoder. */
enum qn_status qn_codec_decode(float *out, enum qn_dtype dtype, const void *blocks, size_t n,
                               struct qn_error *err);

/* Encodes n float32 elements; QN_E_UNSUPPORTED for types that are only read. */
enum qn_status qn_codec_encode(void *out, enum qn_dtype dtype, const float *values, size_t n,
                               struct qn_error *err);

/* The canonical format that a stored type is repacked to, for a matrix or for a vector (always
 * F32). false: the type is not supported. */
bool qn_codec_format(struct qn_wformat *out, enum qn_dtype dtype, bool vector);

/* Repacks n_rows × cols from stored bytes to canonical planes (each contiguous rows, padded; scales
 * may be NULL where the format has none). Any type with a decoder also repacks to F32.
 * MLC stores the planes apart: dtype U32 fills `values` only; with `values` NULL, `stored` is the
 * scales plane [n_rows, groups] alone. QN_E_UNSUPPORTED as above; QN_E_ARGUMENT for
 * broken blocks. */
enum qn_status qn_codec_repack(void *values, void *scales, const struct qn_wformat *format,
                               enum qn_dtype dtype, const void *stored, uint32_t n_rows,
                               uint32_t cols, struct qn_error *err);

#endif
