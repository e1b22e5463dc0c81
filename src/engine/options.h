/* Engine options and generation parameters as JSON, which is how JavaScript states them. */
#ifndef QN_ENGINE_OPTIONS_H
#define QN_ENGINE_OPTIONS_H

#include "quern.h"

#define QN_OPTION_TEXT 512 // most bytes of a name, its NUL included

/* {"main": "model.gguf", "synthetic": null, "threads": 1, "context": 4096, "chunk": 256,
 *  "sessions": 4, "kv": "f32" | "f16" | "q8" | "q4", "textOnly": false, "embeddings": false,
 *  "gpu": null | {"features": ["shader-f16", …], "maxBinding": …, "maxBuffer": …,
 *  "maxStorageBuffers": …, "maxWorkgroupMemory": …, "maxInvocations": …, "maxWorkgroups": …,
 *  "subgroupMin": …, "subgroupMax": …, "selfTest": true, "tune": true, "measured": 0,
 *  "kernels": 0, "fill": 0, "tile": 0, "without": 0}}
 */
struct qn_options {
    char main[QN_OPTION_TEXT], synthetic[QN_OPTION_TEXT];
    uint32_t threads, context, chunk, sessions;
    enum qn_kv_type kv_type;
    bool gpu, text_only, embeddings;
    struct qn_gpu_caps caps;
};

/* Unknown members are refused by name: QN_E_ARGUMENT, QN_E_JSON. */
enum qn_status qn_options_parse(struct qn_options *out, struct qn_str json, struct qn_error *err);
/* Points desc at `options`, and at `gpu` (its caps filled in) where a GPU is wanted. */
void qn_options_apply(struct qn_engine_desc *desc, struct qn_gpu_host *gpu,
                      const struct qn_options *options);

/* {"maxTokens": n, "temperature": t, "topK": k, "topP": p, "minP": p, "repetitionPenalty": r,
 *  "frequencyPenalty": f, "presencePenalty": p, "seed": s, "stopOnEos": b, "slide": b, "sinks": n,
 *  "speculate": b,
 *  "logits": b,
 *  "argmaxAll": b, "logitsAll": b}: everything of a request but ids, bias and stop strings. */
enum qn_status qn_options_request(struct qn_request *out, struct qn_str json, struct qn_error *err);

#endif
