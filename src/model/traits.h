/* What differs between families of decoders, as data: one row per architecture, one naming per
 * family and file format. A new family is a row, and at most an op. */
#ifndef QN_MODEL_TRAITS_H
#define QN_MODEL_TRAITS_H

#include "format/directory.h"
#include "program/program.h"

/* The parts of a decoder that have weights. */
enum qn_role {
    QN_ROLE_EMBED,
    QN_ROLE_HEAD,
    QN_ROLE_FINAL_NORM,
    QN_ROLE_ATTN_NORM,
    QN_ROLE_Q,
    QN_ROLE_K,
    QN_ROLE_V,
    QN_ROLE_QKV, // one tensor with the rows of q, k, v
    QN_ROLE_O,
    QN_ROLE_FFN_NORM,
    QN_ROLE_GATE,
    QN_ROLE_UP,
    QN_ROLE_GATE_UP, // one tensor with the rows of gate, up
    QN_ROLE_DOWN,
    QN_ROLE_COUNT
};

/* Tensor names without ".weight" or ".bias"; '#' stands for the layer's number. NULL: the format
 * has no such tensor; where QKV or GATE_UP is given, the single parts are not looked at. */
struct qn_naming {
    const char *names[QN_ROLE_COUNT];
};

enum qn_window_rule {
    QN_WINDOW_NEVER,
    QN_WINDOW_ALWAYS,   // where a size is given
    QN_WINDOW_SWITCHED, // only with use_sliding_window, from layer max_window_layers on
};

struct qn_traits {
    const char *name;       // for messages: "qwen2"
    const char *hf_class;   // architectures[0] of config.json
    const char *model_type; // model_type of config.json and of mlc-chat-config.json
    const char *gguf; // general.architecture, also the prefix of its keys; NULL: none of its own
    const struct qn_naming *hf, *mlc, *gguf_names;
    enum qn_act act; // where the file does not say
    enum qn_window_rule window;
    bool qkv_bias;         // always there
    bool bias_from_config; // attention_bias and mlp_bias of config.json count
    bool partial_rotary;   // partial_rotary_factor counts
    bool gguf_interleaved; // GGUF files hold q and k rows for rotation of pairs (2i, 2i+1)
    float rope_theta;      // where the file does not say
};

/* NULL when there is none. `hf_class` may be empty (then model_type decides). */
const struct qn_traits *qn_traits_find_hf(struct qn_str hf_class, struct qn_str model_type);
const struct qn_traits *qn_traits_find_mlc(struct qn_str model_type);
const struct qn_traits *qn_traits_find_gguf(struct qn_str architecture);

/* The names of the tensors of this family in files of this format. */
const struct qn_naming *qn_traits_naming(const struct qn_traits *traits, enum qn_format format);

#endif
