/* The generic decoder: one shape of network, filled in from configuration and traits. */
#ifndef QN_MODEL_DECODER_H
#define QN_MODEL_DECODER_H

#include "model/model.h"
#include "model/rope.h"
#include "model/weights.h"

/* Adds tensors, ops and weights of the whole decoder, unfused; what `rope` points to lives in
 * the model's arena. Sets ids and logits. Errors: E_TENSOR, E_UNSUPPORTED, E_LIMIT, E_NO_MEMORY. */
enum qn_status qn_decoder_build(const struct qn_weights *weights, const struct qn_rope *rope,
                                const struct qn_model_options *options, struct qn_error *err);

#endif
