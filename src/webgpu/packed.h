/* Rows of x as integers, as matvec_packed reads them (kernels/common_dot.wgsl): per group of 32
 * columns a factor and 16-bit integers. */
#ifndef QN_WEBGPU_PACKED_H
#define QN_WEBGPU_PACKED_H

#include "quant/wformat.h"

#define QN_PACKED_BYTES 80u // of a group

/* Group `g` of a row of `groups`: x [QN_GROUP]; `square`: Σ x² of the whole row before its norm. */
void qn_packed_put(void *row, uint32_t groups, uint32_t g, const float *x, float square);
/* What a group stands for, and its `square`. */
float qn_packed_get(float x[QN_GROUP], const void *row, uint32_t groups, uint32_t g);

#endif
