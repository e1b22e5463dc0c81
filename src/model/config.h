/* What a model's own documents say about it, whichever format they stand in. */
#ifndef QN_MODEL_CONFIG_H
#define QN_MODEL_CONFIG_H

#include "format/directory.h"
#include "model/traits.h"

#define QN_MAX_EOS 16

enum qn_rope_scaling { QN_ROPE_PLAIN, QN_ROPE_LINEAR, QN_ROPE_LLAMA3, QN_ROPE_LONGROPE };

/* Sampling that the model's author recommends; `has` tells which were given. */
struct qn_model_sampling {
    float temperature, top_p, min_p, repetition_penalty, frequency_penalty, presence_penalty;
    uint32_t top_k;
    struct {
        bool temperature, top_p, min_p, repetition_penalty, frequency_penalty, presence_penalty,
            top_k;
    } has;
};

struct qn_model_config {
    const struct qn_traits *traits; // the architecture's row
    uint32_t hidden, n_layers, n_heads, n_kv_heads, head_dim, intermediate, vocab;
    uint32_t n_rot;          // leading dimensions of a head that are rotated; 0: learned positions
    uint32_t context;        // positions the model was made for
    uint32_t n_buckets;      // of distances, where the naming has RELATIVE
    uint32_t first_position; // row of the learned positions that is position 0's
    uint32_t window;         // sliding window in positions, 0: none
    const bool *local;       // [n_layers] which layers have the window; NULL: all
    float norm_eps;
    float rope_theta;
    enum qn_rope_scaling rope_scaling;
    float rope_factor, rope_low_freq, rope_high_freq; // LINEAR: factor; LLAMA3: all
    uint32_t rope_original_context;                   // LLAMA3, LONGROPE
    const float *rope_short, *rope_long; // LONGROPE: divisors [n_rot / 2]; NULL: in GGUF's tensors
    float rope_magnitude;                // LONGROPE: of cosine and sine
    float rope_local_theta;              // of layers with a window; 0: the same as the others
    enum qn_act act;
    bool tied; // the head is the embedding
    bool qkv_bias, o_bias, mlp_bias;
    bool qk_norm;  // where the naming has one
    bool parallel; // attention and MLP both see the residual as it came in
    float attention_scale, attention_softcap, logit_softcap; // soft caps 0: none
    float embedding_scale, residual_scale, logit_scale;
    uint32_t n_experts, n_experts_used, expert_width, shared_width; // n_experts 0: dense
    const bool *dense;                                              // [n_layers], NULL: none is
    bool renormalise;         // the probabilities of the experts used sum to 1
    uint32_t eos[QN_MAX_EOS]; // ids that end a generation
    uint32_t n_eos;
    uint32_t bos; // QN_NONE: none
    struct qn_model_sampling sampling;
    enum qn_packing packing;    // of linear layers in safetensors and MLC's q4f16_autoawq
    uint32_t packing_group;     // inputs that share a scale there; 0: all
    bool packing_ordered;       // GPTQ: a group's inputs lie apart, g_idx says where
    struct qn_str quantization; // "q4f16_1", "Q4_K_M", "bfloat16"; empty when the file does not say
};

/* Reads and validates. `arena` takes what has a length. The result points into the directory. */
enum qn_status qn_model_config_read(struct qn_model_config *out, struct qn_arena *arena,
                                    const struct qn_directory *d, struct qn_error *err);

#endif
