#include "model/rope.h"

#include <math.h>

#include "base/num.h"

/* Llama 3.1's scaling: wavelengths up to original / high stay, those from original / low on are
 * stretched by the factor, between them it interpolates (formula: Hugging Face
 * transformers, modeling_rope_utils, type "llama3"; Meta's llama-models, apply_scaling). */
static float scale_llama3(float inverse, const struct qn_model_config *c) {
    double wavelength = 6.283185307179586 / (double)inverse;
    double original = c->rope_original_context;
    if (wavelength < original / (double)c->rope_high_freq)
        return inverse;
    if (wavelength > original / (double)c->rope_low_freq)
        return inverse / c->rope_factor;
    double low = (double)c->rope_low_freq, high = (double)c->rope_high_freq;
    double smooth = (original / wavelength - low) / (high - low);
    double value = (double)inverse;
    return (float)((1.0 - smooth) * value / (double)c->rope_factor + smooth * value);
}

/* The divisors of a GGUF file: F32 [n_rot / 2]. */
static enum qn_status divide(float *freq, const struct qn_model_config *c, struct qn_arena *arena,
                             const struct qn_directory *d, const struct qn_files *files,
                             struct qn_error *err) {
    struct qn_str name = QN_STR("rope_freqs.weight");
    if (d->format != QN_FORMAT_GGUF || !qn_directory_find(d, name))
        return QN_OK;
    const struct qn_tensor *tensor;
    uint64_t n = c->n_rot / 2;
    QN_TRY(qn_directory_bind(&tensor, d, name, 1u << QN_DTYPE_F32, 1, &n, err));
    float *divisors = QN_ARENA_NEW(arena, float, (size_t)n);
    if (!divisors)
        return qn_fail(err, QN_E_NO_MEMORY, "%llu rope divisors", (unsigned long long)n);
    enum qn_status status = files->read(files->ud, d->files[tensor->file], tensor->offset, divisors,
                                        (size_t)n * sizeof *divisors);
    if (status != QN_OK)
        return qn_fail_at(err, status, tensor->offset, "reading rope_freqs.weight of %.*s",
                          QN_STR_ARG(d->files[tensor->file]));
    for (uint32_t i = 0; i < (uint32_t)n; i++) {
        if (!(divisors[i] > 0.0f && divisors[i] < 1e30f))
            return qn_fail(err, QN_E_TENSOR, "rope_freqs.weight[%u] is %g, expected above 0", i,
                           (double)divisors[i]);
        freq[i] /= divisors[i];
    }
    return QN_OK;
}

enum qn_status qn_rope_frequencies(float **out, struct qn_arena *arena,
                                   const struct qn_model_config *c, const struct qn_directory *d,
                                   const struct qn_files *files, struct qn_error *err) {
    float *freq = QN_ARENA_NEW(arena, float, c->n_rot / 2);
    if (!freq)
        return qn_fail(err, QN_E_NO_MEMORY, "%u rope frequencies", c->n_rot / 2);
    for (uint32_t i = 0; i < c->n_rot / 2; i++) {
        float exponent = (float)(2 * i) / (float)c->n_rot;
        freq[i] = 1.0f / (float)pow((double)c->rope_theta, (double)exponent);
        if (c->rope_scaling == QN_ROPE_LINEAR)
            freq[i] /= c->rope_factor;
        else if (c->rope_scaling == QN_ROPE_LLAMA3)
            freq[i] = scale_llama3(freq[i], c);
    }
    *out = freq;
    return divide(freq, c, arena, d, files, err);
}
