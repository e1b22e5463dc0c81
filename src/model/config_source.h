/* Inside src/model: one way to look up a scalar in three kinds of documents – config.json,
 * mlc-chat-config.json and GGUF metadata – with messages that show the key and the value. */
#ifndef QN_MODEL_CONFIG_SOURCE_H
#define QN_MODEL_CONFIG_SOURCE_H

#include "model/config.h"

struct qn_source {
    const struct qn_directory *d;
    const struct qn_traits *traits;
    struct qn_tensor_names names;
    struct qn_json_value root;  // JSON formats; missing for GGUF
    struct qn_json_value inner; // MLC: model_config, which goes before the root
    struct qn_json_value text;  // text_config of either, which goes before both
    struct qn_error *err;
};

/* A key that may stand under several names; NULL ends the list. GGUF names are without the
 * architecture, or begin with '!' where the key is a general one. */
struct qn_source_names {
    const char *json[3];
    const char *gguf[2];
};

/* Member of the model's JSON; null counts as missing. */
struct qn_json_value qn_source_json(const struct qn_source *s, const char *key);
const struct qn_gguf_kv *qn_source_gguf(const struct qn_source *s, const char *suffix);

/* QN_E_CONFIG: what stands there and what was wanted. */
enum qn_status qn_source_bad_json(const struct qn_source *s, const char *key,
                                  struct qn_json_value value, const char *wanted);
enum qn_status qn_source_bad_gguf(const struct qn_source *s, const struct qn_gguf_kv *kv,
                                  const char *wanted);
enum qn_status qn_source_missing(const struct qn_source *s, const char *name);

/* *found tells whether the key is there; a value of another type is an error. `name` gets the key
 * under which it was looked for first, for messages. */
enum qn_status qn_source_integer(uint64_t *out, bool *found, const char **name,
                                 const struct qn_source *s, const struct qn_source_names *names);
enum qn_status qn_source_float(float *out, bool *found, const char **name,
                               const struct qn_source *s, const struct qn_source_names *names);
/* An integer in [1, max]; `fallback` where it is missing, required where that is 0. */
enum qn_status qn_source_u32(uint32_t *out, const struct qn_source *s,
                             const struct qn_source_names *names, uint32_t max, uint32_t fallback);
/* Likewise a number in [min, max]. */
enum qn_status qn_source_f32(float *out, const struct qn_source *s,
                             const struct qn_source_names *names, float min, float max,
                             float fallback);
/* JSON formats. */
enum qn_status qn_source_bool(bool *out, const struct qn_source *s, const char *key, bool fallback);

static inline bool qn_finite(float value) {
    return value - value == 0.0f;
}

/* ---- The parts of reading ---- */

/* config_family.c: where positions begin; what an encoder must not be. */
enum qn_status qn_config_encoder(struct qn_model_config *c, const struct qn_source *s);
/* config_rope.c: n_rot, the rope_ fields. */
enum qn_status qn_config_rope(struct qn_model_config *c, struct qn_arena *arena,
                              const struct qn_source *s);
/* config_family.c: sliding window and which layers have it. */
enum qn_status qn_config_window(struct qn_model_config *c, struct qn_arena *arena,
                                const struct qn_source *s);
/* config_family.c: multipliers, soft caps, residual form, norms of q and k. */
enum qn_status qn_config_family(struct qn_model_config *c, const struct qn_source *s);
/* config_family.c: experts; n_experts stays 0 for dense models. */
enum qn_status qn_config_experts(struct qn_model_config *c, struct qn_arena *arena,
                                 const struct qn_source *s);

#endif
