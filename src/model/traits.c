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

static const struct qn_naming qwen3_hf = {{
    [QN_ROLE_EMBED] = "model.embed_tokens",
    [QN_ROLE_HEAD] = "lm_head",
    [QN_ROLE_FINAL_NORM] = "model.norm",
    [QN_ROLE_ATTN_NORM] = "model.layers.#.input_layernorm",
    [QN_ROLE_Q] = "model.layers.#.self_attn.q_proj",
    [QN_ROLE_K] = "model.layers.#.self_attn.k_proj",
    [QN_ROLE_V] = "model.layers.#.self_attn.v_proj",
    [QN_ROLE_Q_NORM] = "model.layers.#.self_attn.q_norm",
    [QN_ROLE_K_NORM] = "model.layers.#.self_attn.k_norm",
    [QN_ROLE_O] = "model.layers.#.self_attn.o_proj",
    [QN_ROLE_FFN_NORM] = "model.layers.#.post_attention_layernorm",
    [QN_ROLE_GATE] = "model.layers.#.mlp.gate_proj",
    [QN_ROLE_UP] = "model.layers.#.mlp.up_proj",
    [QN_ROLE_DOWN] = "model.layers.#.mlp.down_proj",
}};

static const struct qn_naming qwen3_mlc = {{
    [QN_ROLE_EMBED] = "model.embed_tokens",
    [QN_ROLE_HEAD] = "lm_head",
    [QN_ROLE_FINAL_NORM] = "model.norm",
    [QN_ROLE_ATTN_NORM] = "model.layers.#.input_layernorm",
    [QN_ROLE_QKV] = "model.layers.#.self_attn.c_attn",
    [QN_ROLE_Q_NORM] = "model.layers.#.self_attn.q_norm",
    [QN_ROLE_K_NORM] = "model.layers.#.self_attn.k_norm",
    [QN_ROLE_O] = "model.layers.#.self_attn.o_proj",
    [QN_ROLE_FFN_NORM] = "model.layers.#.post_attention_layernorm",
    [QN_ROLE_GATE_UP] = "model.layers.#.mlp.gate_up_proj",
    [QN_ROLE_DOWN] = "model.layers.#.mlp.down_proj",
}};

static const struct qn_naming phi3_hf = {{
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

static const struct qn_naming phi3_mlc = {{
    [QN_ROLE_EMBED] = "transformer.embd",
    [QN_ROLE_HEAD] = "lm_head",
    [QN_ROLE_FINAL_NORM] = "transformer.norm",
    [QN_ROLE_ATTN_NORM] = "transformer.h.#.ln",
    [QN_ROLE_QKV] = "transformer.h.#.mixer.qkv_proj",
    [QN_ROLE_O] = "transformer.h.#.mixer.out_proj",
    [QN_ROLE_FFN_NORM] = "transformer.h.#.post_attention_layernorm",
    [QN_ROLE_GATE_UP] = "transformer.h.#.mlp.gate_up_proj",
    [QN_ROLE_DOWN] = "transformer.h.#.mlp.down_proj",
}};

/* Norms before and after attention and MLP. */
static const struct qn_naming gemma2_hf = {{
    [QN_ROLE_EMBED] = "model.embed_tokens",
    [QN_ROLE_HEAD] = "lm_head",
    [QN_ROLE_FINAL_NORM] = "model.norm",
    [QN_ROLE_ATTN_NORM] = "model.layers.#.input_layernorm",
    [QN_ROLE_Q] = "model.layers.#.self_attn.q_proj",
    [QN_ROLE_K] = "model.layers.#.self_attn.k_proj",
    [QN_ROLE_V] = "model.layers.#.self_attn.v_proj",
    [QN_ROLE_O] = "model.layers.#.self_attn.o_proj",
    [QN_ROLE_ATTN_POST_NORM] = "model.layers.#.post_attention_layernorm",
    [QN_ROLE_FFN_NORM] = "model.layers.#.pre_feedforward_layernorm",
    [QN_ROLE_GATE] = "model.layers.#.mlp.gate_proj",
    [QN_ROLE_UP] = "model.layers.#.mlp.up_proj",
    [QN_ROLE_DOWN] = "model.layers.#.mlp.down_proj",
    [QN_ROLE_FFN_POST_NORM] = "model.layers.#.post_feedforward_layernorm",
}};

static const struct qn_naming gemma2_mlc = {{
    [QN_ROLE_EMBED] = "model.embed_tokens",
    [QN_ROLE_HEAD] = "lm_head",
    [QN_ROLE_FINAL_NORM] = "model.norm",
    [QN_ROLE_ATTN_NORM] = "model.layers.#.input_layernorm",
    [QN_ROLE_QKV] = "model.layers.#.self_attn.qkv_proj",
    [QN_ROLE_O] = "model.layers.#.self_attn.o_proj",
    [QN_ROLE_ATTN_POST_NORM] = "model.layers.#.post_attention_layernorm",
    [QN_ROLE_FFN_NORM] = "model.layers.#.pre_feedforward_layernorm",
    [QN_ROLE_GATE_UP] = "model.layers.#.mlp.gate_up_proj",
    [QN_ROLE_DOWN] = "model.layers.#.mlp.down_proj",
    [QN_ROLE_FFN_POST_NORM] = "model.layers.#.post_feedforward_layernorm",
}};

static const struct qn_naming gemma3_hf = {{
    [QN_ROLE_EMBED] = "model.embed_tokens",
    [QN_ROLE_HEAD] = "lm_head",
    [QN_ROLE_FINAL_NORM] = "model.norm",
    [QN_ROLE_ATTN_NORM] = "model.layers.#.input_layernorm",
    [QN_ROLE_Q] = "model.layers.#.self_attn.q_proj",
    [QN_ROLE_K] = "model.layers.#.self_attn.k_proj",
    [QN_ROLE_V] = "model.layers.#.self_attn.v_proj",
    [QN_ROLE_Q_NORM] = "model.layers.#.self_attn.q_norm",
    [QN_ROLE_K_NORM] = "model.layers.#.self_attn.k_norm",
    [QN_ROLE_O] = "model.layers.#.self_attn.o_proj",
    [QN_ROLE_ATTN_POST_NORM] = "model.layers.#.post_attention_layernorm",
    [QN_ROLE_FFN_NORM] = "model.layers.#.pre_feedforward_layernorm",
    [QN_ROLE_GATE] = "model.layers.#.mlp.gate_proj",
    [QN_ROLE_UP] = "model.layers.#.mlp.up_proj",
    [QN_ROLE_DOWN] = "model.layers.#.mlp.down_proj",
    [QN_ROLE_FFN_POST_NORM] = "model.layers.#.post_feedforward_layernorm",
}};

static const struct qn_naming gemma3_mlc = {{
    [QN_ROLE_EMBED] = "model.embed_tokens",
    [QN_ROLE_HEAD] = "lm_head",
    [QN_ROLE_FINAL_NORM] = "model.norm",
    [QN_ROLE_ATTN_NORM] = "model.layers.#.input_layernorm",
    [QN_ROLE_Q] = "model.layers.#.self_attn.q_proj",
    [QN_ROLE_K] = "model.layers.#.self_attn.k_proj",
    [QN_ROLE_V] = "model.layers.#.self_attn.v_proj",
    [QN_ROLE_Q_NORM] = "model.layers.#.self_attn.q_norm",
    [QN_ROLE_K_NORM] = "model.layers.#.self_attn.k_norm",
    [QN_ROLE_O] = "model.layers.#.self_attn.o_proj",
    [QN_ROLE_ATTN_POST_NORM] = "model.layers.#.post_attention_layernorm",
    [QN_ROLE_FFN_NORM] = "model.layers.#.pre_feedforward_layernorm",
    [QN_ROLE_GATE_UP] = "model.layers.#.mlp.gate_up_proj",
    [QN_ROLE_DOWN] = "model.layers.#.mlp.down_proj",
    [QN_ROLE_FFN_POST_NORM] = "model.layers.#.post_feedforward_layernorm",
}};

/* Norms only after them. */
static const struct qn_naming olmo2_hf = {{
    [QN_ROLE_EMBED] = "model.embed_tokens",
    [QN_ROLE_HEAD] = "lm_head",
    [QN_ROLE_FINAL_NORM] = "model.norm",
    [QN_ROLE_Q] = "model.layers.#.self_attn.q_proj",
    [QN_ROLE_K] = "model.layers.#.self_attn.k_proj",
    [QN_ROLE_V] = "model.layers.#.self_attn.v_proj",
    [QN_ROLE_Q_NORM] = "model.layers.#.self_attn.q_norm",
    [QN_ROLE_K_NORM] = "model.layers.#.self_attn.k_norm",
    [QN_ROLE_O] = "model.layers.#.self_attn.o_proj",
    [QN_ROLE_ATTN_POST_NORM] = "model.layers.#.post_attention_layernorm",
    [QN_ROLE_GATE] = "model.layers.#.mlp.gate_proj",
    [QN_ROLE_UP] = "model.layers.#.mlp.up_proj",
    [QN_ROLE_DOWN] = "model.layers.#.mlp.down_proj",
    [QN_ROLE_FFN_POST_NORM] = "model.layers.#.post_feedforward_layernorm",
}};

static const struct qn_naming olmo2_mlc = {{
    [QN_ROLE_EMBED] = "model.embed_tokens",
    [QN_ROLE_HEAD] = "lm_head",
    [QN_ROLE_FINAL_NORM] = "model.norm",
    [QN_ROLE_QKV] = "model.layers.#.self_attn.qkv_proj",
    [QN_ROLE_Q_NORM] = "model.layers.#.self_attn.q_norm",
    [QN_ROLE_K_NORM] = "model.layers.#.self_attn.k_norm",
    [QN_ROLE_O] = "model.layers.#.self_attn.o_proj",
    [QN_ROLE_ATTN_POST_NORM] = "model.layers.#.post_attention_layernorm",
    [QN_ROLE_GATE_UP] = "model.layers.#.mlp.gate_up_proj",
    [QN_ROLE_DOWN] = "model.layers.#.mlp.down_proj",
    [QN_ROLE_FFN_POST_NORM] = "model.layers.#.post_feedforward_layernorm",
}};

static const struct qn_naming stablelm_hf = {{
    [QN_ROLE_EMBED] = "model.embed_tokens",
    [QN_ROLE_HEAD] = "lm_head",
    [QN_ROLE_FINAL_NORM] = "model.norm",
    [QN_ROLE_ATTN_NORM] = "model.layers.#.input_layernorm",
    [QN_ROLE_Q] = "model.layers.#.self_attn.q_proj",
    [QN_ROLE_K] = "model.layers.#.self_attn.k_proj",
    [QN_ROLE_V] = "model.layers.#.self_attn.v_proj",
    [QN_ROLE_Q_NORM] = "model.layers.#.self_attn.q_layernorm.norms.@",
    [QN_ROLE_K_NORM] = "model.layers.#.self_attn.k_layernorm.norms.@",
    [QN_ROLE_O] = "model.layers.#.self_attn.o_proj",
    [QN_ROLE_FFN_NORM] = "model.layers.#.post_attention_layernorm",
    [QN_ROLE_GATE] = "model.layers.#.mlp.gate_proj",
    [QN_ROLE_UP] = "model.layers.#.mlp.up_proj",
    [QN_ROLE_DOWN] = "model.layers.#.mlp.down_proj",
}};

static const struct qn_naming stablelm_mlc = {{
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

static const struct qn_naming gpt2_hf = {{
    [QN_ROLE_EMBED] = "transformer.wte",
    [QN_ROLE_POSITIONS] = "transformer.wpe",
    [QN_ROLE_HEAD] = "lm_head",
    [QN_ROLE_FINAL_NORM] = "transformer.ln_f",
    [QN_ROLE_ATTN_NORM] = "transformer.h.#.ln_1",
    [QN_ROLE_QKV] = "transformer.h.#.attn.c_attn",
    [QN_ROLE_O] = "transformer.h.#.attn.c_proj",
    [QN_ROLE_FFN_NORM] = "transformer.h.#.ln_2",
    [QN_ROLE_UP] = "transformer.h.#.mlp.c_fc",
    [QN_ROLE_DOWN] = "transformer.h.#.mlp.c_proj",
}};

static const struct qn_naming gpt_neox_hf = {{
    [QN_ROLE_EMBED] = "gpt_neox.embed_in",
    [QN_ROLE_HEAD] = "embed_out",
    [QN_ROLE_FINAL_NORM] = "gpt_neox.final_layer_norm",
    [QN_ROLE_ATTN_NORM] = "gpt_neox.layers.#.input_layernorm",
    [QN_ROLE_QKV] = "gpt_neox.layers.#.attention.query_key_value",
    [QN_ROLE_O] = "gpt_neox.layers.#.attention.dense",
    [QN_ROLE_FFN_NORM] = "gpt_neox.layers.#.post_attention_layernorm",
    [QN_ROLE_UP] = "gpt_neox.layers.#.mlp.dense_h_to_4h",
    [QN_ROLE_DOWN] = "gpt_neox.layers.#.mlp.dense_4h_to_h",
}};

static const struct qn_naming phi_hf = {{
    [QN_ROLE_EMBED] = "model.embed_tokens",
    [QN_ROLE_HEAD] = "lm_head",
    [QN_ROLE_FINAL_NORM] = "model.final_layernorm",
    [QN_ROLE_ATTN_NORM] = "model.layers.#.input_layernorm",
    [QN_ROLE_Q] = "model.layers.#.self_attn.q_proj",
    [QN_ROLE_K] = "model.layers.#.self_attn.k_proj",
    [QN_ROLE_V] = "model.layers.#.self_attn.v_proj",
    [QN_ROLE_O] = "model.layers.#.self_attn.dense",
    [QN_ROLE_UP] = "model.layers.#.mlp.fc1",
    [QN_ROLE_DOWN] = "model.layers.#.mlp.fc2",
}};

static const struct qn_naming phi_mlc = {{
    [QN_ROLE_EMBED] = "transformer.embd",
    [QN_ROLE_HEAD] = "lm_head.linear",
    [QN_ROLE_FINAL_NORM] = "lm_head.ln",
    [QN_ROLE_ATTN_NORM] = "transformer.h.#.ln",
    [QN_ROLE_QKV] = "transformer.h.#.mixer.Wqkv",
    [QN_ROLE_O] = "transformer.h.#.mixer.out_proj",
    [QN_ROLE_UP] = "transformer.h.#.mlp.fc1",
    [QN_ROLE_DOWN] = "transformer.h.#.mlp.fc2",
}};

/* Layers without experts have the plain MLP. */
static const struct qn_naming qwen2_moe_hf = {{
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
    [QN_ROLE_ROUTER] = "model.layers.#.mlp.gate",
    [QN_ROLE_EXPERT_GATE] = "model.layers.#.mlp.experts.@.gate_proj",
    [QN_ROLE_EXPERT_UP] = "model.layers.#.mlp.experts.@.up_proj",
    [QN_ROLE_EXPERT_DOWN] = "model.layers.#.mlp.experts.@.down_proj",
    [QN_ROLE_SHARED_GATE] = "model.layers.#.mlp.shared_expert.gate_proj",
    [QN_ROLE_SHARED_UP] = "model.layers.#.mlp.shared_expert.up_proj",
    [QN_ROLE_SHARED_DOWN] = "model.layers.#.mlp.shared_expert.down_proj",
    [QN_ROLE_SHARED_SWITCH] = "model.layers.#.mlp.shared_expert_gate",
}};

static const struct qn_naming qwen3_moe_hf = {{
    [QN_ROLE_EMBED] = "model.embed_tokens",
    [QN_ROLE_HEAD] = "lm_head",
    [QN_ROLE_FINAL_NORM] = "model.norm",
    [QN_ROLE_ATTN_NORM] = "model.layers.#.input_layernorm",
    [QN_ROLE_Q] = "model.layers.#.self_attn.q_proj",
    [QN_ROLE_K] = "model.layers.#.self_attn.k_proj",
    [QN_ROLE_V] = "model.layers.#.self_attn.v_proj",
    [QN_ROLE_Q_NORM] = "model.layers.#.self_attn.q_norm",
    [QN_ROLE_K_NORM] = "model.layers.#.self_attn.k_norm",
    [QN_ROLE_O] = "model.layers.#.self_attn.o_proj",
    [QN_ROLE_FFN_NORM] = "model.layers.#.post_attention_layernorm",
    [QN_ROLE_GATE] = "model.layers.#.mlp.gate_proj",
    [QN_ROLE_UP] = "model.layers.#.mlp.up_proj",
    [QN_ROLE_DOWN] = "model.layers.#.mlp.down_proj",
    [QN_ROLE_ROUTER] = "model.layers.#.mlp.gate",
    [QN_ROLE_EXPERT_GATE] = "model.layers.#.mlp.experts.@.gate_proj",
    [QN_ROLE_EXPERT_UP] = "model.layers.#.mlp.experts.@.up_proj",
    [QN_ROLE_EXPERT_DOWN] = "model.layers.#.mlp.experts.@.down_proj",
}};

/* Experts are stacked: [n_experts, rows, cols]. */
static const struct qn_naming qwen2_moe_mlc = {{
    [QN_ROLE_EMBED] = "model.embed_tokens",
    [QN_ROLE_HEAD] = "lm_head",
    [QN_ROLE_FINAL_NORM] = "model.norm",
    [QN_ROLE_ATTN_NORM] = "model.layers.#.input_layernorm",
    [QN_ROLE_QKV] = "model.layers.#.self_attn.c_attn",
    [QN_ROLE_O] = "model.layers.#.self_attn.o_proj",
    [QN_ROLE_FFN_NORM] = "model.layers.#.post_attention_layernorm",
    [QN_ROLE_ROUTER] = "model.layers.#.mlp.gate",
    [QN_ROLE_EXPERT_GATE_UP] = "model.layers.#.mlp.moe_gate_up_proj",
    [QN_ROLE_EXPERT_DOWN] = "model.layers.#.mlp.moe_down_proj",
    [QN_ROLE_SHARED_GATE_UP] = "model.layers.#.mlp.shared_expert.gate_up_proj",
    [QN_ROLE_SHARED_DOWN] = "model.layers.#.mlp.shared_expert.down_proj",
    [QN_ROLE_SHARED_SWITCH] = "model.layers.#.mlp.shared_expert_gate",
}};

static const struct qn_naming qwen3_moe_mlc = {{
    [QN_ROLE_EMBED] = "model.embed_tokens",
    [QN_ROLE_HEAD] = "lm_head",
    [QN_ROLE_FINAL_NORM] = "model.norm",
    [QN_ROLE_ATTN_NORM] = "model.layers.#.input_layernorm",
    [QN_ROLE_QKV] = "model.layers.#.self_attn.c_attn",
    [QN_ROLE_Q_NORM] = "model.layers.#.self_attn.q_norm",
    [QN_ROLE_K_NORM] = "model.layers.#.self_attn.k_norm",
    [QN_ROLE_O] = "model.layers.#.self_attn.o_proj",
    [QN_ROLE_FFN_NORM] = "model.layers.#.post_attention_layernorm",
    [QN_ROLE_ROUTER] = "model.layers.#.mlp.gate",
    [QN_ROLE_EXPERT_GATE_UP] = "model.layers.#.mlp.moe_gate_up_proj",
    [QN_ROLE_EXPERT_DOWN] = "model.layers.#.mlp.moe_down_proj",
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

static const struct qn_naming qwen3_gguf = {{
    [QN_ROLE_EMBED] = "token_embd",
    [QN_ROLE_HEAD] = "output",
    [QN_ROLE_FINAL_NORM] = "output_norm",
    [QN_ROLE_ATTN_NORM] = "blk.#.attn_norm",
    [QN_ROLE_Q] = "blk.#.attn_q",
    [QN_ROLE_K] = "blk.#.attn_k",
    [QN_ROLE_V] = "blk.#.attn_v",
    [QN_ROLE_Q_NORM] = "blk.#.attn_q_norm",
    [QN_ROLE_K_NORM] = "blk.#.attn_k_norm",
    [QN_ROLE_O] = "blk.#.attn_output",
    [QN_ROLE_FFN_NORM] = "blk.#.ffn_norm",
    [QN_ROLE_GATE] = "blk.#.ffn_gate",
    [QN_ROLE_UP] = "blk.#.ffn_up",
    [QN_ROLE_DOWN] = "blk.#.ffn_down",
}};

/* Phi-3's ffn_up holds the gate's rows first. */
static const struct qn_naming phi3_gguf = {{
    [QN_ROLE_EMBED] = "token_embd",
    [QN_ROLE_HEAD] = "output",
    [QN_ROLE_FINAL_NORM] = "output_norm",
    [QN_ROLE_ATTN_NORM] = "blk.#.attn_norm",
    [QN_ROLE_QKV] = "blk.#.attn_qkv",
    [QN_ROLE_O] = "blk.#.attn_output",
    [QN_ROLE_FFN_NORM] = "blk.#.ffn_norm",
    [QN_ROLE_GATE_UP] = "blk.#.ffn_up",
    [QN_ROLE_DOWN] = "blk.#.ffn_down",
}};

static const struct qn_naming gemma2_gguf = {{
    [QN_ROLE_EMBED] = "token_embd",
    [QN_ROLE_HEAD] = "output",
    [QN_ROLE_FINAL_NORM] = "output_norm",
    [QN_ROLE_ATTN_NORM] = "blk.#.attn_norm",
    [QN_ROLE_Q] = "blk.#.attn_q",
    [QN_ROLE_K] = "blk.#.attn_k",
    [QN_ROLE_V] = "blk.#.attn_v",
    [QN_ROLE_O] = "blk.#.attn_output",
    [QN_ROLE_ATTN_POST_NORM] = "blk.#.post_attention_norm",
    [QN_ROLE_FFN_NORM] = "blk.#.ffn_norm",
    [QN_ROLE_GATE] = "blk.#.ffn_gate",
    [QN_ROLE_UP] = "blk.#.ffn_up",
    [QN_ROLE_DOWN] = "blk.#.ffn_down",
    [QN_ROLE_FFN_POST_NORM] = "blk.#.post_ffw_norm",
}};

static const struct qn_naming gemma3_gguf = {{
    [QN_ROLE_EMBED] = "token_embd",
    [QN_ROLE_HEAD] = "output",
    [QN_ROLE_FINAL_NORM] = "output_norm",
    [QN_ROLE_ATTN_NORM] = "blk.#.attn_norm",
    [QN_ROLE_Q] = "blk.#.attn_q",
    [QN_ROLE_K] = "blk.#.attn_k",
    [QN_ROLE_V] = "blk.#.attn_v",
    [QN_ROLE_Q_NORM] = "blk.#.attn_q_norm",
    [QN_ROLE_K_NORM] = "blk.#.attn_k_norm",
    [QN_ROLE_O] = "blk.#.attn_output",
    [QN_ROLE_ATTN_POST_NORM] = "blk.#.post_attention_norm",
    [QN_ROLE_FFN_NORM] = "blk.#.ffn_norm",
    [QN_ROLE_GATE] = "blk.#.ffn_gate",
    [QN_ROLE_UP] = "blk.#.ffn_up",
    [QN_ROLE_DOWN] = "blk.#.ffn_down",
    [QN_ROLE_FFN_POST_NORM] = "blk.#.post_ffw_norm",
}};

static const struct qn_naming olmo2_gguf = {{
    [QN_ROLE_EMBED] = "token_embd",
    [QN_ROLE_HEAD] = "output",
    [QN_ROLE_FINAL_NORM] = "output_norm",
    [QN_ROLE_Q] = "blk.#.attn_q",
    [QN_ROLE_K] = "blk.#.attn_k",
    [QN_ROLE_V] = "blk.#.attn_v",
    [QN_ROLE_Q_NORM] = "blk.#.attn_q_norm",
    [QN_ROLE_K_NORM] = "blk.#.attn_k_norm",
    [QN_ROLE_O] = "blk.#.attn_output",
    [QN_ROLE_ATTN_POST_NORM] = "blk.#.post_attention_norm",
    [QN_ROLE_GATE] = "blk.#.ffn_gate",
    [QN_ROLE_UP] = "blk.#.ffn_up",
    [QN_ROLE_DOWN] = "blk.#.ffn_down",
    [QN_ROLE_FFN_POST_NORM] = "blk.#.post_ffw_norm",
}};

static const struct qn_naming gpt2_gguf = {{
    [QN_ROLE_EMBED] = "token_embd",
    [QN_ROLE_HEAD] = "output",
    [QN_ROLE_FINAL_NORM] = "output_norm",
    [QN_ROLE_ATTN_NORM] = "blk.#.attn_norm",
    [QN_ROLE_POSITIONS] = "position_embd",
    [QN_ROLE_QKV] = "blk.#.attn_qkv",
    [QN_ROLE_O] = "blk.#.attn_output",
    [QN_ROLE_FFN_NORM] = "blk.#.ffn_norm",
    [QN_ROLE_UP] = "blk.#.ffn_up",
    [QN_ROLE_DOWN] = "blk.#.ffn_down",
}};

static const struct qn_naming gpt_neox_gguf = {{
    [QN_ROLE_EMBED] = "token_embd",
    [QN_ROLE_HEAD] = "output",
    [QN_ROLE_FINAL_NORM] = "output_norm",
    [QN_ROLE_ATTN_NORM] = "blk.#.attn_norm",
    [QN_ROLE_QKV] = "blk.#.attn_qkv",
    [QN_ROLE_O] = "blk.#.attn_output",
    [QN_ROLE_FFN_NORM] = "blk.#.ffn_norm",
    [QN_ROLE_UP] = "blk.#.ffn_up",
    [QN_ROLE_DOWN] = "blk.#.ffn_down",
}};

static const struct qn_naming qwen2_moe_gguf = {{
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
    [QN_ROLE_ROUTER] = "blk.#.ffn_gate_inp",
    [QN_ROLE_EXPERT_GATE] = "blk.#.ffn_gate_exps",
    [QN_ROLE_EXPERT_UP] = "blk.#.ffn_up_exps",
    [QN_ROLE_EXPERT_DOWN] = "blk.#.ffn_down_exps",
    [QN_ROLE_SHARED_GATE] = "blk.#.ffn_gate_shexp",
    [QN_ROLE_SHARED_UP] = "blk.#.ffn_up_shexp",
    [QN_ROLE_SHARED_DOWN] = "blk.#.ffn_down_shexp",
    [QN_ROLE_SHARED_SWITCH] = "blk.#.ffn_gate_inp_shexp",
}};

static const struct qn_naming qwen3_moe_gguf = {{
    [QN_ROLE_EMBED] = "token_embd",
    [QN_ROLE_HEAD] = "output",
    [QN_ROLE_FINAL_NORM] = "output_norm",
    [QN_ROLE_ATTN_NORM] = "blk.#.attn_norm",
    [QN_ROLE_Q] = "blk.#.attn_q",
    [QN_ROLE_K] = "blk.#.attn_k",
    [QN_ROLE_V] = "blk.#.attn_v",
    [QN_ROLE_Q_NORM] = "blk.#.attn_q_norm",
    [QN_ROLE_K_NORM] = "blk.#.attn_k_norm",
    [QN_ROLE_O] = "blk.#.attn_output",
    [QN_ROLE_FFN_NORM] = "blk.#.ffn_norm",
    [QN_ROLE_GATE] = "blk.#.ffn_gate",
    [QN_ROLE_UP] = "blk.#.ffn_up",
    [QN_ROLE_DOWN] = "blk.#.ffn_down",
    [QN_ROLE_ROUTER] = "blk.#.ffn_gate_inp",
    [QN_ROLE_EXPERT_GATE] = "blk.#.ffn_gate_exps",
    [QN_ROLE_EXPERT_UP] = "blk.#.ffn_up_exps",
    [QN_ROLE_EXPERT_DOWN] = "blk.#.ffn_down_exps",
}};

/* The first component differs from family to family (names.c). */
static const struct qn_naming bert_hf = {{
    [QN_ROLE_EMBED] = "embeddings.word_embeddings",
    [QN_ROLE_POSITIONS] = "embeddings.position_embeddings",
    [QN_ROLE_TYPES] = "embeddings.token_type_embeddings",
    [QN_ROLE_EMBED_NORM] = "embeddings.LayerNorm",
    [QN_ROLE_Q] = "encoder.layer.#.attention.self.query",
    [QN_ROLE_K] = "encoder.layer.#.attention.self.key",
    [QN_ROLE_V] = "encoder.layer.#.attention.self.value",
    [QN_ROLE_O] = "encoder.layer.#.attention.output.dense",
    [QN_ROLE_ATTN_POST_NORM] = "encoder.layer.#.attention.output.LayerNorm",
    [QN_ROLE_UP] = "encoder.layer.#.intermediate.dense",
    [QN_ROLE_DOWN] = "encoder.layer.#.output.dense",
    [QN_ROLE_FFN_POST_NORM] = "encoder.layer.#.output.LayerNorm",
}};

static const struct qn_naming bert_mlc = {{
    [QN_ROLE_EMBED] = "embeddings.word_embeddings",
    [QN_ROLE_POSITIONS] = "embeddings.position_embeddings",
    [QN_ROLE_TYPES] = "embeddings.token_type_embeddings",
    [QN_ROLE_EMBED_NORM] = "embeddings.LayerNorm",
    [QN_ROLE_QKV] = "encoder.layer.#.attention.self.qkv",
    [QN_ROLE_O] = "encoder.layer.#.attention.output.dense",
    [QN_ROLE_ATTN_POST_NORM] = "encoder.layer.#.attention.output.LayerNorm",
    [QN_ROLE_UP] = "encoder.layer.#.intermediate.dense",
    [QN_ROLE_DOWN] = "encoder.layer.#.output.dense",
    [QN_ROLE_FFN_POST_NORM] = "encoder.layer.#.output.LayerNorm",
}};

static const struct qn_naming distilbert_hf = {{
    [QN_ROLE_EMBED] = "embeddings.word_embeddings",
    [QN_ROLE_POSITIONS] = "embeddings.position_embeddings",
    [QN_ROLE_EMBED_NORM] = "embeddings.LayerNorm",
    [QN_ROLE_Q] = "transformer.layer.#.attention.q_lin",
    [QN_ROLE_K] = "transformer.layer.#.attention.k_lin",
    [QN_ROLE_V] = "transformer.layer.#.attention.v_lin",
    [QN_ROLE_O] = "transformer.layer.#.attention.out_lin",
    [QN_ROLE_ATTN_POST_NORM] = "transformer.layer.#.sa_layer_norm",
    [QN_ROLE_UP] = "transformer.layer.#.ffn.lin1",
    [QN_ROLE_DOWN] = "transformer.layer.#.ffn.lin2",
    [QN_ROLE_FFN_POST_NORM] = "transformer.layer.#.output_layer_norm",
}};

static const struct qn_naming mpnet_hf = {{
    [QN_ROLE_EMBED] = "embeddings.word_embeddings",
    [QN_ROLE_POSITIONS] = "embeddings.position_embeddings",
    [QN_ROLE_EMBED_NORM] = "embeddings.LayerNorm",
    [QN_ROLE_RELATIVE] = "encoder.relative_attention_bias",
    [QN_ROLE_Q] = "encoder.layer.#.attention.attn.q",
    [QN_ROLE_K] = "encoder.layer.#.attention.attn.k",
    [QN_ROLE_V] = "encoder.layer.#.attention.attn.v",
    [QN_ROLE_O] = "encoder.layer.#.attention.attn.o",
    [QN_ROLE_ATTN_POST_NORM] = "encoder.layer.#.attention.LayerNorm",
    [QN_ROLE_UP] = "encoder.layer.#.intermediate.dense",
    [QN_ROLE_DOWN] = "encoder.layer.#.output.dense",
    [QN_ROLE_FFN_POST_NORM] = "encoder.layer.#.output.LayerNorm",
}};

static const struct qn_naming bert_gguf = {{
    [QN_ROLE_EMBED] = "token_embd",
    [QN_ROLE_POSITIONS] = "position_embd",
    [QN_ROLE_TYPES] = "token_types",
    [QN_ROLE_EMBED_NORM] = "token_embd_norm",
    [QN_ROLE_Q] = "blk.#.attn_q",
    [QN_ROLE_K] = "blk.#.attn_k",
    [QN_ROLE_V] = "blk.#.attn_v",
    [QN_ROLE_O] = "blk.#.attn_output",
    [QN_ROLE_ATTN_POST_NORM] = "blk.#.attn_output_norm",
    [QN_ROLE_UP] = "blk.#.ffn_up",
    [QN_ROLE_DOWN] = "blk.#.ffn_down",
    [QN_ROLE_FFN_POST_NORM] = "blk.#.layer_output_norm",
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
        .name = "qwen3",
        .hf_class = "Qwen3ForCausalLM",
        .model_type = "qwen3",
        .gguf = "qwen3",
        .hf = &qwen3_hf,
        .mlc = &qwen3_mlc,
        .gguf_names = &qwen3_gguf,
        .act = QN_ACT_SILU,
        .window = QN_WINDOW_SWITCHED,
        .bias_from_config = true,
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
    {
        .name = "phi3", // Phi-3, Phi-3.5 and Phi-4-mini
        .hf_class = "Phi3ForCausalLM",
        .model_type = "phi3",
        .gguf = "phi3",
        .hf = &phi3_hf,
        .mlc = &phi3_mlc,
        .gguf_names = &phi3_gguf,
        .act = QN_ACT_SILU,
        .window = QN_WINDOW_ALWAYS,
        .partial_rotary = true,
        .rope_theta = 10000.0f,
    },
    {
        .name = "gemma",
        .hf_class = "GemmaForCausalLM",
        .model_type = "gemma",
        .gguf = "gemma",
        .hf = &llama_hf,
        .mlc = &llama_mlc,
        .gguf_names = &llama_gguf,
        .act = QN_ACT_GELU_TANH,
        .act_pinned = true,
        .norm_offset = true,
        .scaled_embedding = true,
        .rope_theta = 10000.0f,
    },
    {
        .name = "gemma2",
        .hf_class = "Gemma2ForCausalLM",
        .model_type = "gemma2",
        .gguf = "gemma2",
        .hf = &gemma2_hf,
        .mlc = &gemma2_mlc,
        .gguf_names = &gemma2_gguf,
        .act = QN_ACT_GELU_TANH,
        .act_pinned = true,
        .window = QN_WINDOW_PERIODIC,
        .window_period = 2,
        .norm_offset = true,
        .scaled_embedding = true,
        .scored_by_scalar = true,
        .rope_theta = 10000.0f,
    },
    {
        .name = "gemma3", // the text model
        .hf_class = "Gemma3ForCausalLM",
        .model_type = "gemma3_text",
        .gguf = "gemma3",
        .hf = &gemma3_hf,
        .mlc = &gemma3_mlc,
        .gguf_names = &gemma3_gguf,
        .act = QN_ACT_GELU_TANH,
        .act_pinned = true,
        .window = QN_WINDOW_PERIODIC,
        .window_period = 6,
        .rope_local_theta = 10000.0f,
        .norm_offset = true,
        .scaled_embedding = true,
        .scored_by_scalar = true,
        .rope_theta = 1000000.0f,
    },
    {
        .name = "olmo2",
        .hf_class = "Olmo2ForCausalLM",
        .model_type = "olmo2",
        .gguf = "olmo2",
        .hf = &olmo2_hf,
        .mlc = &olmo2_mlc,
        .gguf_names = &olmo2_gguf,
        .act = QN_ACT_SILU,
        .bias_from_config = true,
        .qk_norm_whole = true,
        .rope_theta = 10000.0f,
    },
    {
        .name = "granite",
        .hf_class = "GraniteForCausalLM",
        .model_type = "granite",
        .gguf = "granite",
        .hf = &llama_hf,
        .gguf_names = &llama_gguf,
        .act = QN_ACT_SILU,
        .bias_from_config = true,
        .gguf_interleaved = true,
        .multipliers = true,
        .rope_theta = 10000.0f,
    },
    {
        .name = "stablelm", // StableLM 2 and StableLM-3B
        .hf_class = "StableLmForCausalLM",
        .model_type = "stablelm",
        .gguf = "stablelm",
        .hf = &stablelm_hf,
        .mlc = &stablelm_mlc,
        .gguf_names = &qwen3_gguf,
        .act = QN_ACT_SILU,
        .bias_from_config = true,
        .partial_rotary = true,
        .rotary = 0.25f,
        .layer_norm = true,
        .qk_norm_switched = true,
        .parallel_option = true,
        .rope_theta = 10000.0f,
    },
    {
        .name = "phi", // Phi-1.5, Phi-2
        .hf_class = "PhiForCausalLM",
        .model_type = "phi",
        .mlc_type = "phi-msft",
        .hf = &phi_hf,
        .mlc = &phi_mlc,
        .act = QN_ACT_GELU_TANH,
        .all_bias = true,
        .head_bias = true,
        .partial_rotary = true,
        .rotary = 0.5f,
        .norm_eps = 1e-5f,
        .layer_norm = true,
        .qk_norm_switched = true,
        .plain_mlp = true,
        .parallel_option = true,
        .parallel = true,
        .rope_theta = 10000.0f,
    },
    {
        .name = "gpt2",
        .hf_class = "GPT2LMHeadModel",
        .model_type = "gpt2",
        .gguf = "gpt2",
        .hf = &gpt2_hf,
        .mlc = &gpt2_hf,
        .gguf_names = &gpt2_gguf,
        .act = QN_ACT_GELU_TANH,
        .all_bias = true,
        .no_rope = true,
        .layer_norm = true,
        .conv1d = true,
        .plain_mlp = true,
        .rope_theta = 10000.0f,
    },
    {
        .name = "gpt_neox", // GPT-NeoX, Pythia, RedPajama
        .hf_class = "GPTNeoXForCausalLM",
        .model_type = "gpt_neox",
        .gguf = "gptneox",
        .hf = &gpt_neox_hf,
        .mlc = &gpt_neox_hf,
        .gguf_names = &gpt_neox_gguf,
        .act = QN_ACT_GELU_ERF,
        .all_bias = true,
        .partial_rotary = true,
        .rotary = 0.25f,
        .layer_norm = true,
        .heads_apart = true,
        .plain_mlp = true,
        .parallel_option = true,
        .parallel = true,
        .rope_theta = 10000.0f,
    },
    {
        .name = "qwen2_moe",
        .hf_class = "Qwen2MoeForCausalLM",
        .model_type = "qwen2_moe",
        .gguf = "qwen2moe",
        .hf = &qwen2_moe_hf,
        .mlc = &qwen2_moe_mlc,
        .gguf_names = &qwen2_moe_gguf,
        .act = QN_ACT_SILU,
        .window = QN_WINDOW_SWITCHED,
        .qkv_bias = true,
        .rope_theta = 10000.0f,
    },
    {
        .name = "qwen3_moe",
        .hf_class = "Qwen3MoeForCausalLM",
        .model_type = "qwen3_moe",
        .gguf = "qwen3moe",
        .hf = &qwen3_moe_hf,
        .mlc = &qwen3_moe_mlc,
        .gguf_names = &qwen3_moe_gguf,
        .act = QN_ACT_SILU,
        .window = QN_WINDOW_SWITCHED,
        .bias_from_config = true,
        .renormalise = true,
        .rope_theta = 1000000.0f,
    },
    {
        .name = "bert", // and what was made from it: MiniLM, BGE, E5, Arctic
        .model_type = "bert",
        .gguf = "bert",
        .hf = &bert_hf,
        .mlc = &bert_mlc,
        .gguf_names = &bert_gguf,
        .act = QN_ACT_GELU_ERF,
        .all_bias = true,
        .no_rope = true,
        .encoder = true,
        .layer_norm = true,
        .plain_mlp = true,
        .rope_theta = 10000.0f,
    },
    {
        .name = "distilbert",
        .model_type = "distilbert",
        .hf = &distilbert_hf,
        .act = QN_ACT_GELU_ERF,
        .all_bias = true,
        .no_rope = true,
        .encoder = true,
        .norm_eps = 1e-12f,
        .layer_norm = true,
        .plain_mlp = true,
        .rope_theta = 10000.0f,
    },
    {
        .name = "roberta",
        .model_type = "roberta",
        .hf = &bert_hf,
        .act = QN_ACT_GELU_ERF,
        .all_bias = true,
        .no_rope = true,
        .encoder = true,
        .pad_first = true,
        .layer_norm = true,
        .plain_mlp = true,
        .rope_theta = 10000.0f,
    },
    {
        .name = "xlm_roberta", // multilingual E5, BGE-M3
        .model_type = "xlm-roberta",
        .hf = &bert_hf,
        .act = QN_ACT_GELU_ERF,
        .all_bias = true,
        .no_rope = true,
        .encoder = true,
        .pad_first = true,
        .layer_norm = true,
        .plain_mlp = true,
        .rope_theta = 10000.0f,
    },
    {
        .name = "mpnet",
        .model_type = "mpnet",
        .hf = &mpnet_hf,
        .act = QN_ACT_GELU_ERF,
        .all_bias = true,
        .no_rope = true,
        .encoder = true,
        .pad_first = true,
        .layer_norm = true,
        .plain_mlp = true,
        .rope_theta = 10000.0f,
    },
};

#define N_FAMILIES (sizeof families / sizeof families[0])

static bool is(struct qn_str s, const char *name) {
    return name && qn_str_is(s, name);
}

const struct qn_traits *qn_traits_find_hf(struct qn_str hf_class, struct qn_str model_type) {
    for (size_t i = 0; i < N_FAMILIES; i++)
        if (hf_class.n && families[i].hf_class ? is(hf_class, families[i].hf_class)
                                               : is(model_type, families[i].model_type))
            return &families[i];
    return NULL;
}

const struct qn_traits *qn_traits_find_mlc(struct qn_str model_type) {
    for (size_t i = 0; i < N_FAMILIES; i++)
        if (families[i].mlc &&
            (is(model_type, families[i].model_type) || is(model_type, families[i].mlc_type)))
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
