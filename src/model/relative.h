/* What the distance between two positions adds to the score of a head. */
#ifndef QN_MODEL_RELATIVE_H
#define QN_MODEL_RELATIVE_H

#include "model/weights.h"

/* *out [n_heads, QN_RELATIVE], from the file's [n_buckets, n_heads], which is read now: E_NEED_DATA
 * is possible. E_TENSOR, E_NO_MEMORY. */
enum qn_status qn_relative_read(const float **out, const struct qn_weights *w,
                                struct qn_error *err);

#endif
