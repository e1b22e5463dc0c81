#include "program/sample.h"

#include <math.h>

#include "base/num.h"
#include "base/rng.h"

/* Gumbel noise from the largest u, 1 − 2^-24, is 16.64: a token further than this below another's
 * sum cannot win. */
#define GUMBEL_MAX 17.0f

static void adjust(float *logits, uint32_t n, const struct qn_sampling *s, const uint32_t *seen) {
    float repetition = s->repetition_penalty > 0.0f ? s->repetition_penalty : 1.0f;
    float frequency = s->frequency_penalty, presence = s->presence_penalty;
    if (seen != NULL && (repetition != 1.0f || frequency != 0.0f || presence != 0.0f)) {
        for (uint32_t i = 0; i < n; i++) {
            if (seen[i] == 0)
                continue;
            float l = logits[i];
            uint32_t count = seen[i] & 0x7fffffffu;
            l = l > 0.0f ? l / repetition : l * repetition;
            if (count != 0)
                l = l - frequency * (float)count - presence;
            logits[i] = l;
        }
    }
    for (uint32_t i = 0; i < s->n_bias; i++) {
        if (s->bias_ids[i] < n)
            logits[s->bias_ids[i]] += s->bias[i];
    }
}

/* Floats as integers in the same order. */
static uint32_t order_key(float value) {
    uint32_t bits = qn_f32_bits(value);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

static float key_value(uint32_t key) {
    return qn_bits_f32(key & 0x80000000u ? key & 0x7fffffffu : ~key);
}

/* The largest z whose tokens, with all above it, weigh at least `want`, else the smallest z. A
 * token weighs weight[i], or 1 when `weight` is NULL; tokens at −infinity do not count. Radix
 * selection: eight bits of the order per pass over the vocabulary, from the top. */
static float threshold(const float *z, const float *weight, uint32_t n, double want) {
    uint32_t prefix = 0, known = 0; // bits of the threshold's key that are decided
    double above = 0;               // weight of all keys above the prefix
    for (int shift = 24; shift >= 0; shift -= 8) {
        double bins[256] = {0};
        bool used[256] = {0};
        for (uint32_t i = 0; i < n; i++) {
            uint32_t key = order_key(z[i]);
            if ((key & known) != prefix || z[i] == -INFINITY)
                continue;
            bins[key >> shift & 255] += weight == NULL ? 1.0 : (double)weight[i];
            used[key >> shift & 255] = true;
        }
        int bin = -1; // the lowest looked at, in case rounding leaves the sum short of `want`
        for (int b = 255; b >= 0; b--) {
            if (!used[b])
                continue;
            above += bin < 0 ? 0.0 : bins[bin];
            bin = b;
            if (above + bins[b] >= want)
                break;
        }
        if (bin < 0)
            return -INFINITY;
        prefix |= (uint32_t)bin << shift;
        known |= 255u << shift;
    }
    return key_value(prefix);
}

static void keep_from(float *z, uint32_t n, float least) {
    for (uint32_t i = 0; i < n; i++) {
        if (z[i] < least)
            z[i] = -INFINITY;
    }
}

static void keep_top_p(float *z, float *mass, uint32_t n, float peak, float top_p) {
    double total = 0;
    for (uint32_t i = 0; i < n; i++) {
        mass[i] = z[i] == -INFINITY ? 0.0f : expf(z[i] - peak);
        total += (double)mass[i];
    }
    keep_from(z, n, threshold(z, mass, n, (double)top_p * total));
}

uint32_t qn_sample(float *logits, float *scratch, uint32_t n, const struct qn_sampling *sampling,
                   const uint32_t *seen, const uint32_t *mask, uint32_t position) {
    adjust(logits, n, sampling, seen);
    uint32_t best = 0;
    while (mask != NULL && best + 1 < n && !qn_mask_allows(mask, best))
        best++;
    for (uint32_t i = 0; i < n; i++) {
        if (logits[i] != logits[i] || (mask != NULL && !qn_mask_allows(mask, i)))
            logits[i] = -INFINITY;
        if (logits[i] > logits[best])
            best = i;
    }
    float temperature = sampling->temperature;
    if (!(temperature > 0.0f) || logits[best] == -INFINITY)
        return best;
    float peak = logits[best] / temperature;
    if (peak == INFINITY || peak == -INFINITY)
        return best; // nothing to compare with it

    float *z = logits;
    for (uint32_t i = 0; i < n; i++)
        z[i] /= temperature;
    if (sampling->top_k != 0 && sampling->top_k < n)
        keep_from(z, n, threshold(z, NULL, n, (double)sampling->top_k));
    if (sampling->top_p > 0.0f && sampling->top_p < 1.0f)
        keep_top_p(z, scratch, n, peak, sampling->top_p);
    if (sampling->min_p > 0.0f)
        keep_from(z, n, peak + logf(sampling->min_p < 1.0f ? sampling->min_p : 1.0f));

    // The likeliest token first: what lies far below its sum needs no noise.
    uint32_t token = best;
    float sum = -INFINITY;
    for (uint32_t step = 0; step <= n; step++) {
        uint32_t i = step == 0 ? best : step - 1;
        if (z[i] == -INFINITY || z[i] + GUMBEL_MAX < sum)
            continue;
        float g = -logf(-logf(qn_rng_unit(sampling->seed, position, i)));
        if (z[i] + g > sum || (z[i] + g == sum && i < token)) {
            sum = z[i] + g;
            token = i;
        }
    }
    return token;
}
