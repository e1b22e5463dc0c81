/* Sampling as all backends do it, bit for bit where their logits agree.
 *
 *   l_i   logit of token i
 *   c_i   times i was generated in this request; p_i whether i is in prefix or output
 *   l_i ← l_i > 0 ? l_i / repetition : l_i × repetition, if p_i      (Keskar et al. 2019)
 *   l_i ← l_i − frequency × c_i − presence × [c_i > 0]               (OpenAI)
 *   l_i ← l_i + bias_i
 * temperature 0: arg-max, lowest id on ties. Else
 *   z_i = l_i / temperature
 *   top-k: keep i with z_i ≥ the k-th largest z (ties of the k-th all stay)
 *   top-p: with the softmax over what is left, keep the smallest set of largest z whose mass is at
 *          least p (a token stays when the mass strictly above its z is < p; ties stay together)
 *   min-p: keep i with z_i ≥ z_max + ln(min_p)
 *   token = argmax_i (z_i + g_i), g_i = −ln(−ln u_i), u_i = qn_rng_unit(seed, position, i)
 * NaN logits count as −infinity, and so do those of ids that a mask forbids; where nothing else is
 * left, the lowest allowed id is the token. Ids from qn_program.sample_vocab on are
 * never sampled. */
#ifndef QN_PROGRAM_SAMPLE_H
#define QN_PROGRAM_SAMPLE_H

#include "quern.h"

static inline bool qn_mask_allows(const uint32_t *mask, uint32_t id) {
    return mask[id / 32] >> id % 32 & 1;
}

/* Whether the mask allows one of the first n ids. */
static inline bool qn_mask_any(const uint32_t *mask, uint32_t n) {
    uint32_t i = 0;
    while (i + 32 <= n && mask[i / 32] == 0)
        i += 32;
    while (i < n && !qn_mask_allows(mask, i))
        i++;
    return i < n;
}

/* Reference. `logits` [n] is overwritten. `seen` [n]: bit 31 = in the prefix, bits 0..30 = c_i; may
 * be NULL. `mask`: see qn_step, may be NULL. `scratch` [n] floats. Returns the token. */
uint32_t qn_sample(float *logits, float *scratch, uint32_t n, const struct qn_sampling *sampling,
                   const uint32_t *seen, const uint32_t *mask, uint32_t position);

#endif
