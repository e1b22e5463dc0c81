/* What the tensors of each family are called, per format. Every table says all names, so that it
 * can be read alone. */
#include "model/naming.h"

/* Llama's names in Hugging Face layout, which Qwen2, Mistral and many others took over. */
const struct qn_naming qn_naming_llama_hf = {{
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

const struct qn_naming qn_naming_llama_mlc = {{
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

const struct qn_naming qn_naming_qwen2_mlc = {{
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

const struct qn_naming qn_naming_qwen3_hf = {{
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

const struct qn_naming qn_naming_qwen3_mlc = {{
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

const struct qn_naming qn_naming_phi3_hf = {{
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

const struct qn_naming qn_naming_phi3_mlc = {{
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
const struct qn_naming qn_naming_gemma2_hf = {{
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

const struct qn_naming qn_naming_gemma2_mlc = {{
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

const struct qn_naming qn_naming_gemma3_hf = {{
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

const struct qn_naming qn_naming_gemma3_mlc = {{
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
const struct qn_naming qn_naming_olmo2_hf = {{
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

const struct qn_naming qn_naming_olmo2_mlc = {{
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

const struct qn_naming qn_naming_stablelm_hf = {{
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

const struct qn_naming qn_naming_stablelm_mlc = {{
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

const struct qn_naming qn_naming_gpt2_hf = {{
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

const struct qn_naming qn_naming_gpt_neox_hf = {{
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

const struct qn_naming qn_naming_phi_hf = {{
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

const struct qn_naming qn_naming_phi_mlc = {{
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
const struct qn_naming qn_naming_qwen2_moe_hf = {{
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

const struct qn_naming qn_naming_qwen3_moe_hf = {{
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
const struct qn_naming qn_naming_qwen2_moe_mlc = {{
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

const struct qn_naming qn_naming_qwen3_moe_mlc = {{
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
const struct qn_naming qn_naming_llama_gguf = {{
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

const struct qn_naming qn_naming_qwen3_gguf = {{
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
const struct qn_naming qn_naming_phi3_gguf = {{
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

const struct qn_naming qn_naming_gemma2_gguf = {{
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

const struct qn_naming qn_naming_gemma3_gguf = {{
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

const struct qn_naming qn_naming_olmo2_gguf = {{
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

const struct qn_naming qn_naming_gpt2_gguf = {{
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

const struct qn_naming qn_naming_gpt_neox_gguf = {{
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

const struct qn_naming qn_naming_qwen2_moe_gguf = {{
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

const struct qn_naming qn_naming_qwen3_moe_gguf = {{
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
const struct qn_naming qn_naming_bert_hf = {{
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

const struct qn_naming qn_naming_bert_mlc = {{
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

const struct qn_naming qn_naming_distilbert_hf = {{
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

const struct qn_naming qn_naming_mpnet_hf = {{
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

const struct qn_naming qn_naming_bert_gguf = {{
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
