/* Random weights of real models' exact shapes, as the files of an MLC folder, for benchmarks
 * without a download: mlc-chat-config.json, tensor-cache.json and params_shard_*.bin. Nothing is
 * stored: every byte of a shard is a function of its address. There is no tokenizer, and no token
 * ends a generation. */
#ifndef QN_MODEL_SYNTHETIC_H
#define QN_MODEL_SYNTHETIC_H

#include "base/files.h"

/* `name`: MODEL:QUANTISATION, such as "qwen2.5-0.5b:q4f16_1"; quantisations q4f16_1, q4f32_1, q0f16
 * and q0f32. `out` lives as long as `arena`. QN_E_NOT_FOUND names what there is. */
enum qn_status qn_synthetic_create(struct qn_files *out, struct qn_arena *arena, struct qn_str name,
                                   struct qn_error *err);

/* The i-th model of the catalogue, or NULL after the last. */
const char *qn_synthetic_model(uint32_t i);

#endif
