#include "model/traits.h"

#include "model/naming.h"

static const struct qn_traits families[] = {
    {
        .name = "llama", // Llama 2 and 3, SmolLM2, TinyLlama; GGUF files of Mistral too
        .hf_class = "LlamaForCausalLM",
        .model_type = "llama",
        .gguf = "llama",
        .hf = &qn_naming_llama_hf,
        .mlc = &qn_naming_llama_mlc,
        .gguf_names = &qn_naming_llama_gguf,
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
        .hf = &qn_naming_llama_hf,
        .mlc = &qn_naming_qwen2_mlc,
        .gguf_names = &qn_naming_llama_gguf,
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
        .hf = &qn_naming_qwen3_hf,
        .mlc = &qn_naming_qwen3_mlc,
        .gguf_names = &qn_naming_qwen3_gguf,
        .act = QN_ACT_SILU,
        .window = QN_WINDOW_SWITCHED,
        .bias_from_config = true,
        .rope_theta = 10000.0f,
    },
    {
        .name = "mistral",
        .hf_class = "MistralForCausalLM",
        .model_type = "mistral",
        .hf = &qn_naming_llama_hf,
        .mlc = &qn_naming_llama_mlc,
        .act = QN_ACT_SILU,
        .window = QN_WINDOW_ALWAYS,
        .rope_theta = 10000.0f,
    },
    {
        .name = "phi3", // Phi-3, Phi-3.5 and Phi-4-mini
        .hf_class = "Phi3ForCausalLM",
        .model_type = "phi3",
        .gguf = "phi3",
        .hf = &qn_naming_phi3_hf,
        .mlc = &qn_naming_phi3_mlc,
        .gguf_names = &qn_naming_phi3_gguf,
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
        .hf = &qn_naming_llama_hf,
        .mlc = &qn_naming_llama_mlc,
        .gguf_names = &qn_naming_llama_gguf,
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
        .hf = &qn_naming_gemma2_hf,
        .mlc = &qn_naming_gemma2_mlc,
        .gguf_names = &qn_naming_gemma2_gguf,
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
        .hf = &qn_naming_gemma3_hf,
        .mlc = &qn_naming_gemma3_mlc,
        .gguf_names = &qn_naming_gemma3_gguf,
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
        .hf = &qn_naming_olmo2_hf,
        .mlc = &qn_naming_olmo2_mlc,
        .gguf_names = &qn_naming_olmo2_gguf,
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
        .hf = &qn_naming_llama_hf,
        .gguf_names = &qn_naming_llama_gguf,
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
        .hf = &qn_naming_stablelm_hf,
        .mlc = &qn_naming_stablelm_mlc,
        .gguf_names = &qn_naming_qwen3_gguf,
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
        .hf = &qn_naming_phi_hf,
        .mlc = &qn_naming_phi_mlc,
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
        .hf = &qn_naming_gpt2_hf,
        .mlc = &qn_naming_gpt2_hf,
        .gguf_names = &qn_naming_gpt2_gguf,
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
        .hf = &qn_naming_gpt_neox_hf,
        .mlc = &qn_naming_gpt_neox_hf,
        .gguf_names = &qn_naming_gpt_neox_gguf,
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
        .hf = &qn_naming_qwen2_moe_hf,
        .mlc = &qn_naming_qwen2_moe_mlc,
        .gguf_names = &qn_naming_qwen2_moe_gguf,
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
        .hf = &qn_naming_qwen3_moe_hf,
        .mlc = &qn_naming_qwen3_moe_mlc,
        .gguf_names = &qn_naming_qwen3_moe_gguf,
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
        .hf = &qn_naming_bert_hf,
        .mlc = &qn_naming_bert_mlc,
        .gguf_names = &qn_naming_bert_gguf,
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
        .hf = &qn_naming_distilbert_hf,
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
        .hf = &qn_naming_bert_hf,
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
        .hf = &qn_naming_bert_hf,
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
        .hf = &qn_naming_mpnet_hf,
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
