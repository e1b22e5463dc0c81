#include "model/rope.h"

#include "base/maths.h"

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

/* Divides by a tensor of a GGUF file, F32 [n_rot / 2]; a missing one is an error only
 * if required. */
static enum qn_status divide(float *freq, struct qn_str name, bool required,
                             const struct qn_model_config *c, struct qn_arena *arena,
                             const struct qn_directory *d, const struct qn_files *files,
                             struct qn_error *err) {
    if (!required && (d->format != QN_FORMAT_GGUF || !qn_directory_find(d, name)))
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
        return qn_fail_at(err, status, tensor->offset, "reading %.*s of %.*s", QN_STR_ARG(name),
                          QN_STR_ARG(d->files[tensor->file]));
    for (uint32_t i = 0; i < (uint32_t)n; i++) {
        if (!(divisors[i] > 0.0f && divisors[i] < 1e30f))
            return qn_fail(err, QN_E_TENSOR, "%.*s[%u] is %g, expected above 0", QN_STR_ARG(name),
                           i, (double)divisors[i]);
        freq[i] /= divisors[i];
    }
    return QN_OK;
}

static void plain(float *freq, uint32_t n_rot, float theta) {
    for (uint32_t i = 0; i < n_rot / 2; i++) {
        float exponent = (float)(2 * i) / (float)n_rot;
        freq[i] = 1.0f / (float)qn_exp((double)exponent * qn_log((double)theta));
    }
}

/* Divides by the divisors of one of longrope's sets, from the configuration or the file. */
static enum qn_status stretch(float *freq, const float *factors, const char *tensor,
                              const struct qn_model_config *c, struct qn_arena *arena,
                              const struct qn_directory *d, const struct qn_files *files,
                              struct qn_error *err) {
    if (!factors)
        return divide(freq, qn_str_from(tensor), true, c, arena, d, files, err);
    for (uint32_t i = 0; i < c->n_rot / 2; i++)
        freq[i] /= factors[i];
    return QN_OK;
}

enum qn_status qn_rope_frequencies(struct qn_rope *out, struct qn_arena *arena,
                                   const struct qn_model_config *c, uint32_t context,
                                   const struct qn_directory *d, const struct qn_files *files,
                                   struct qn_error *err) {
    *out = (struct qn_rope){NULL, 1, NULL};
    uint32_t n = c->n_rot / 2;
    if (!n)
        return QN_OK;
    bool longrope = c->rope_scaling == QN_ROPE_LONGROPE;
    out->n_sets = longrope && context > c->rope_original_context ? 2 : 1;
    out->all = QN_ARENA_NEW(arena, float, (size_t)n * out->n_sets);
    out->local = c->rope_local_theta != 0.0f ? QN_ARENA_NEW(arena, float, n) : NULL;
    if (!out->all || (c->rope_local_theta != 0.0f && !out->local))
        return qn_fail(err, QN_E_NO_MEMORY, "%u rope frequencies", n);
    if (out->local)
        plain(out->local, c->n_rot, c->rope_local_theta);
    for (uint32_t set = 0; set < out->n_sets; set++)
        plain(out->all + (size_t)set * n, c->n_rot, c->rope_theta);
    if (longrope) {
        QN_TRY(
            stretch(out->all, c->rope_short, "rope_factors_short.weight", c, arena, d, files, err));
        if (out->n_sets == 2)
            QN_TRY(stretch(out->all + n, c->rope_long, "rope_factors_long.weight", c, arena, d,
                           files, err));
        return QN_OK;
    }
    for (uint32_t i = 0; i < n; i++) {
        if (c->rope_scaling == QN_ROPE_LINEAR)
            out->all[i] /= c->rope_factor;
        else if (c->rope_scaling == QN_ROPE_LLAMA3)
            out->all[i] = scale_llama3(out->all[i], c);
    }
    return divide(out->all, QN_STR("rope_freqs.weight"), false, c, arena, d, files, err);
}
