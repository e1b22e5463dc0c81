#include "model/traits.h"

/* ---- Names ----------------------------------------------------------------------------------- */

/* Llama's names in Hugging Face layout, which Qwen2, Mistral and many others took over. */
static const struct qn_naming llama_hf = {{
    [QN_ROLE_EMBED] = "model.embed_tokens",
    [QN_ROLE_HEAD] = "lm_head",
    [QN_ROLE_FINAL_NORM] = "model.norm",
    [QN_ROLE_ATTN_NORM] = "model.layers.#.input_layernorm",
    [QN_ROLE_Q] = "model.layers.#.self_attn.q_proj",
    [QN_ROLE_K] = "model.layers.#.self_attn.k_proj",
    [QN_ROLE_V] = "model.layers.#.self_attn.v_proj",
    [QN_ROLE_O] = "model.layers.#.self_attn.o_proj",
    [QN_ROLE_FFN_NORM] = "model.layers.#.post_attention_layernorm",
    [QN_ROLE_GATE] = "model.layers.#.mlp.gate_proj",
    [QN_ROLE_UP] = "model.layers.#.mlp.up_proj",
    [QN_ROLE_DOWN] = "model.layers.#.mlp.down_proj",
}};

static const struct qn_naming llama_mlc = {{
    [QN_ROLE_EMBED] = "model.embed_tokens",
    [QN_ROLE_HEAD] = "lm_head",
    [QN_ROLE_FINAL_NORM] = "model.norm",
    [QN_ROLE_ATTN_NORM] = "model.layers.#.input_layernorm",
    [QN_ROLE_QKV] = "model.layers.#.self_attn.qkv_proj",
    [QN_ROLE_O] = "model.layers.#.self_attn.o_proj",
    [QN_ROLE_FFN_NORM] = "model.layers.#.post_attention_layernorm",
    [QN_ROLE_GATE_UP] = "model.layers.#.mlp.gate_up_proj",
    [QN_ROLE_DOWN] = "model.layers.#.mlp.down_proj",
}};

static const struct qn_naming qwen2_mlc = {{
    [QN_ROLE_EMBED] = "model.embed_tokens",
    [QN_ROLE_HEAD] = "lm_head",
    [QN_ROLE_FINAL_NORM] = "model.norm",
    [QN_ROLE_ATTN_NORM] = "model.layers.#.input_layernorm",
    [QN_ROLE_QKV] = "model.layers.#.self_attn.c_attn",
    [QN_ROLE_O] = "model.layers.#.self_attn.o_proj",
    [QN_ROLE_FFN_NORM] = "model.layers.#.post_attention_layernorm",
    [QN_ROLE_GATE_UP] = "model.layers.#.mlp.gate_up_proj",
    [QN_ROLE_DOWN] = "model.layers.#.mlp.down_proj",
}};

/* https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, "Standardized tensor names". */
static const struct qn_naming llama_gguf = {{
    [QN_ROLE_EMBED] = "token_embd",
    [QN_ROLE_HEAD] = "output",
    [QN_ROLE_FINAL_NORM] = "output_norm",
    [QN_ROLE_ATTN_NORM] = "blk.#.attn_norm",
    [QN_ROLE_Q] = "blk.#.attn_q",
    [QN_ROLE_K] = "blk.#.attn_k",
    [QN_ROLE_V] = "blk.#.attn_v",
    [QN_ROLE_O] = "blk.#.attn_output",
    [QN_ROLE_FFN_NORM] = "blk.#.ffn_norm",
    [QN_ROLE_GATE] = "blk.#.ffn_gate",
    [QN_ROLE_UP] = "blk.#.ffn_up",
    [QN_ROLE_DOWN] = "blk.#.ffn_down",
}};

/* ---- Families -------------------------------------------------------------------------------- */

static const struct qn_traits families[] = {
    {
        .name = "llama", // Llama 2 and 3, SmolLM2, TinyLlama; GGUF files of Mistral too
        .hf_class = "LlamaForCausalLM",
        .model_type = "llama",
        .gguf = "llama",
        .hf = &llama_hf,
        .mlc = &llama_mlc,
        .gguf_names = &llama_gguf,
        .act = QN_ACT_SILU,
        .bias_from_config = true,
        .gguf_interleaved = true,
        .rope_theta = 10000.0f,
    },
    {
        .name = "qwen2", // Qwen2 and Qwen2.5
        .hf_class = "Qwen2ForCausalLM",
        .model_type = "qwen2",
        .gguf = "qwen2",
        .hf = &llama_hf,
        .mlc = &qwen2_mlc,
        .gguf_names = &llama_gguf,
        .act = QN_ACT_SILU,
        .window = QN_WINDOW_SWITCHED,
        .qkv_bias = true,
        .rope_theta = 10000.0f,
    },
    {
        .name = "mistral",
        .hf_class = "MistralForCausalLM",
        .model_type = "mistral",
        .hf = &llama_hf,
        .mlc = &llama_mlc,
        .act = QN_ACT_SILU,
        .window = QN_WINDOW_ALWAYS,
        .rope_theta = 10000.0f,
    },
};

#define N_FAMILIES (sizeof families / sizeof families[0])

static bool is(struct qn_str s, const char *name) {
    return name && qn_str_is(s, name);
}

const struct qn_traits *qn_traits_find_hf(struct qn_str hf_class, struct qn_str model_type) {
    for (size_t i = 0; i < N_FAMILIES; i++)
        if (hf_class.n ? is(hf_class, families[i].hf_class)
                       : is(model_type, families[i].model_type))
            return &families[i];
    return NULL;
}

const struct qn_traits *qn_traits_find_mlc(struct qn_str model_type) {
    for (size_t i = 0; i < N_FAMILIES; i++)
        if (families[i].mlc && is(model_type, families[i].model_type))
            return &families[i];
    return NULL;
}

const struct qn_traits *qn_traits_find_gguf(struct qn_str architecture) {
    for (size_t i = 0; i < N_FAMILIES; i++)
        if (is(architecture, families[i].gguf))
            return &families[i];
    return NULL;
}

const struct qn_naming *qn_traits_naming(const struct qn_traits *traits, enum qn_format format) {
    switch (format) {
    case QN_FORMAT_GGUF:
        return traits->gguf_names;
    case QN_FORMAT_MLC:
        return traits->mlc;
    case QN_FORMAT_SAFETENSORS:
        break;
    }
    return traits->hf;
}
