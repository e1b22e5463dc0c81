/* Inverse frequencies of rotary positions, computed when the model is built. */
#ifndef QN_MODEL_ROPE_H
#define QN_MODEL_ROPE_H

#include "model/config.h"

/* out [n_rot / 2]: theta^(-2i / n_rot), scaled as the configuration says, in radians per position.
 * GGUF's rope_freqs.weight, where present, divides them; only that is read from `files`. */
enum qn_status qn_rope_frequencies(float **out, struct qn_arena *arena,
                                   const struct qn_model_config *config,
                                   const struct qn_directory *d, const struct qn_files *files,
                                   struct qn_error *err);

#endif
