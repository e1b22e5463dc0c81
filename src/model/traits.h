/* What differs between families of decoders, as data: one row per architecture, one naming per
 * family and file format. A new family is a row, and at most an op. */
#ifndef QN_MODEL_TRAITS_H
#define QN_MODEL_TRAITS_H

#include "format/directory.h"
#include "program/program.h"

/* The parts of a decoder that have weights. */
enum qn_role {
    QN_ROLE_EMBED,
    QN_ROLE_POSITIONS, // learned positions
    QN_ROLE_TYPES,     // of tokens; texts are of the first
    QN_ROLE_EMBED_NORM,
    QN_ROLE_RELATIVE, // what distances add to scores: [buckets, heads]
    QN_ROLE_HEAD,
    QN_ROLE_FINAL_NORM,
    QN_ROLE_ATTN_NORM,
    QN_ROLE_Q,
    QN_ROLE_K,
    QN_ROLE_V,
    QN_ROLE_QKV, // one tensor with the rows of q, k, v
    QN_ROLE_Q_NORM,
    QN_ROLE_K_NORM,
    QN_ROLE_O,
    QN_ROLE_ATTN_POST_NORM, // of what attention adds to the residual
    QN_ROLE_FFN_NORM,
    QN_ROLE_GATE,
    QN_ROLE_UP,
    QN_ROLE_GATE_UP, // one tensor with the rows of gate, up
    QN_ROLE_DOWN,
    QN_ROLE_FFN_POST_NORM,
    QN_ROLE_ROUTER,
    QN_ROLE_EXPERT_GATE,
    QN_ROLE_EXPERT_UP,
    QN_ROLE_EXPERT_GATE_UP, // one tensor, as above
    QN_ROLE_EXPERT_DOWN,
    QN_ROLE_SHARED_GATE,
    QN_ROLE_SHARED_UP,
    QN_ROLE_SHARED_GATE_UP,
    QN_ROLE_SHARED_DOWN,
    QN_ROLE_SHARED_SWITCH, // its sigmoid scales the shared expert
    QN_ROLE_COUNT
};

/* Tensor names without ".weight" or ".bias"; '#' stands for the layer's number, '@' for the
 * expert's or the head's. NULL: the format has no such tensor; where QKV or GATE_UP is given, the
 * single parts are not looked at, and a norm without a name is not there. */
struct qn_naming {
    const char *names[QN_ROLE_COUNT];
};

enum qn_window_rule {
    QN_WINDOW_NEVER,
    QN_WINDOW_ALWAYS,   // where a size is given
    QN_WINDOW_SWITCHED, // only with use_sliding_window, from layer max_window_layers on
    QN_WINDOW_PERIODIC, // all layers but every window_period-th
};

struct qn_traits {
    const char *name;       // for messages: "qwen2"
    const char *hf_class;   // architectures[0] of config.json; NULL: any of the model_type
    const char *model_type; // model_type of config.json and of mlc-chat-config.json
    const char *mlc_type;   // the latter's other spelling; NULL: none
    const char *gguf; // general.architecture, also the prefix of its keys; NULL: none of its own
    const struct qn_naming *hf, *mlc, *gguf_names;
    enum qn_act act; // where the file does not say
    bool act_pinned; // hidden_act is not looked at: published files of Gemma have it wrong
    enum qn_window_rule window;
    uint32_t window_period; // where the file does not say
    bool qkv_bias;          // always there
    bool all_bias;          // on every projection
    bool bias_from_config;  // attention_bias and mlp_bias (use_qkv_bias) of config.json count
    bool partial_rotary;    // partial_rotary_factor counts
    float rotary;           // that factor where the file does not say; 0: 1
    bool no_rope;           // learned positions instead
    bool gguf_interleaved;  // GGUF files hold q and k rows for rotation of pairs (2i, 2i+1)
    float rope_theta;       // where the file does not say
    float rope_local_theta; // of the layers with a window, where the file does not say; 0: the same
    bool encoder;       // attention looks both ways, norms stand behind the sums, there is no head
    bool pad_first;     // safetensors have positions for the ids up to padding's, before the first
    float norm_eps;     // where the file does not say; 0: it must
    bool layer_norm;    // LayerNorm with bias, else RMS norm
    bool norm_offset;   // safetensors hold norm weights less 1
    bool qk_norm_whole; // q/k norm over all heads together, else per head
    bool qk_norm_switched; // only where qk_layernorm says so, a weight for every head
    bool heads_apart; // safetensors hold q, k, v of a head together: rows [head, (q k v), head_dim]
    bool conv1d;      // safetensors hold projections as [in, out]
    bool plain_mlp;   // no gate
    bool head_bias;   // of the logits
    bool parallel_option;  // use_parallel_residual counts,
    bool parallel;         // and where the file does not say
    bool scaled_embedding; // × sqrt(hidden)
    bool scored_by_scalar; // attention scale is query_pre_attn_scalar^-1/2
    bool multipliers;      // Granite's four
    bool renormalise;      // experts' probabilities, where the file does not say
};

/* NULL when there is none. `hf_class` may be empty (then model_type decides). */
const struct qn_traits *qn_traits_find_hf(struct qn_str hf_class, struct qn_str model_type);
const struct qn_traits *qn_traits_find_mlc(struct qn_str model_type);
const struct qn_traits *qn_traits_find_gguf(struct qn_str architecture);

/* The names of the tensors of this family in files of this format. */
const struct qn_naming *qn_traits_naming(const struct qn_traits *traits, enum qn_format format);

/* A naming as one file has it: some leave out the first component ("wte.weight" for
 * "transformer.wte.weight"), some put one in front. */
struct qn_tensor_names {
    const struct qn_naming *naming;
    const char *prefix; // "", "language_model.", "bert.", …
    size_t skip;        // bytes left out of names that begin as the embedding's does
};
#define QN_TENSOR_NAME_BYTES 128

void qn_tensor_names_find(struct qn_tensor_names *out, const struct qn_traits *traits,
                          const struct qn_directory *d);
/* "model.layers.#.mlp.down_proj" with the numbers put in, and the suffix; empty when there
 * is none. */
struct qn_str qn_tensor_name(char buffer[QN_TENSOR_NAME_BYTES], const struct qn_tensor_names *names,
                             enum qn_role role, uint32_t layer, uint32_t part, const char *suffix);

#endif
