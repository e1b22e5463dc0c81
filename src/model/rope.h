/* Inverse frequencies of rotary positions, computed when the model is built. */
#ifndef QN_MODEL_ROPE_H
#define QN_MODEL_ROPE_H

#include "model/config.h"

/* Radians per position. */
struct qn_rope {
    float *all; // [n_sets, n_rot / 2]; of layers without a window where `local` is there; NULL: no
                // rotation
    uint32_t n_sets; // 2: short and long factors, by the length of the sequence
    float *local;    // [n_rot / 2] of layers with a window, or NULL
};

/* theta^(-2i / n_rot), scaled as the configuration says. `context`: the most positions that a
 * session can have; one set is enough below the switch. GGUF's rope_freqs.weight or
 * rope_factors_*.weight, where present, divide; only those are read from `files`. */
enum qn_status qn_rope_frequencies(struct qn_rope *out, struct qn_arena *arena,
                                   const struct qn_model_config *config, uint32_t context,
                                   const struct qn_directory *d, const struct qn_files *files,
                                   struct qn_error *err);

#endif
