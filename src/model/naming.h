/* Names of tensors, which the families of traits.c choose among. */
#ifndef QN_MODEL_NAMING_H
#define QN_MODEL_NAMING_H

#include "model/traits.h"

extern const struct qn_naming qn_naming_llama_hf, qn_naming_llama_mlc, qn_naming_qwen2_mlc,
    qn_naming_qwen3_hf, qn_naming_qwen3_mlc, qn_naming_phi3_hf, qn_naming_phi3_mlc,
    qn_naming_gemma2_hf, qn_naming_gemma2_mlc, qn_naming_gemma3_hf, qn_naming_gemma3_mlc,
    qn_naming_olmo2_hf, qn_naming_olmo2_mlc, qn_naming_stablelm_hf, qn_naming_stablelm_mlc,
    qn_naming_gpt2_hf, qn_naming_gpt_neox_hf, qn_naming_phi_hf, qn_naming_phi_mlc,
    qn_naming_qwen2_moe_hf, qn_naming_qwen3_moe_hf, qn_naming_qwen2_moe_mlc,
    qn_naming_qwen3_moe_mlc, qn_naming_llama_gguf, qn_naming_qwen3_gguf, qn_naming_phi3_gguf,
    qn_naming_gemma2_gguf, qn_naming_gemma3_gguf, qn_naming_olmo2_gguf, qn_naming_gpt2_gguf,
    qn_naming_gpt_neox_gguf, qn_naming_qwen2_moe_gguf, qn_naming_qwen3_moe_gguf, qn_naming_bert_hf,
    qn_naming_bert_mlc, qn_naming_distilbert_hf, qn_naming_mpnet_hf, qn_naming_bert_gguf;

#endif
