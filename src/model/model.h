/* Configuration and tensor directory → program: the one entry point of this room. */
#ifndef QN_MODEL_MODEL_H
#define QN_MODEL_MODEL_H

#include "format/directory.h"
#include "model/config.h"
#include "program/program.h"

struct qn_model_options {
    /* Positions of KV cache per session; 0: 4096, encoders 512; never more than the model's. */
    uint32_t context;
    uint32_t chunk; // most tokens per step (program.max_tokens); 0: 256; cut to the context; of
                    // encoders all of it
    uint32_t rows;  // most rows through the head in one step (program.max_rows); 0: chunk
    enum qn_kv_type kv_type;
    bool states; // the result is the last states after the final norm [R, hidden], without a head;
                 // an encoder's always is
};

struct qn_model {
    struct qn_model_config config;
    struct qn_program program; // inferred, fused, planned and verified
    uint64_t weight_bytes;     // canonical bytes of all weights on a device
};

/* Builds the program of the model in `d`. Everything lies in `arena`; strings point into the
 * directory, which must live as long. `files` is read only for GGUF's rope_freqs.weight,
 * GPTQ's g_idx, and an encoder's pooling and distances; so QN_E_NEED_DATA is possible: call again
 * from the start.
 * Errors: E_ARCHITECTURE (unknown family, named), E_CONFIG (field and value), E_TENSOR (name,
 * expected, actual), E_UNSUPPORTED (rope type, quantisation), E_LIMIT, E_NO_MEMORY. */
enum qn_status qn_model_build(struct qn_model *out, struct qn_arena *arena,
                              const struct qn_directory *d, const struct qn_files *files,
                              const struct qn_model_options *options, struct qn_error *err);

#endif
