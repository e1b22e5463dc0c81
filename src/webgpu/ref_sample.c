#include <math.h>

#include "base/num.h"
#include "base/rng.h"
#include "webgpu/ref_call.h"

/* Values of the first n rows or slots. */
static uint64_t rows_of(const struct qn_params_vocab *p, uint64_t n) {
    return n ? (n - 1) * p->stride + p->vocab : 0;
}

/* Sampling parameters of row r's slot; *slot ← that. */
static enum qn_status sampling_of(const struct qn_params_sampling **out, uint32_t *slot,
                                  const struct qn_ref_call *c, uint32_t r, struct qn_error *err) {
    *slot = qn_step_row(c->p[1], r).slot;
    *out = (const struct qn_params_sampling *)c->p[2] + *slot;
    return qn_ref_holds(c, 2, *slot + 1, sizeof **out, err);
}

enum qn_status qn_ref_argmax_partial(const struct qn_ref_call *c, struct qn_error *err) {
    const struct qn_params_vocab *p = c->p[0];
    const struct qn_params_step *step = c->p[1];
    const struct qn_params_sampling *s = NULL;
    const uint32_t *values = c->p[3], *state = c->p[4];
    uint32_t *partial = c->p[5];
    bool gumbel = c->constants[0] != 0;
    uint32_t rows = step->n_rows;
    QN_TRY(qn_ref_covers(c, qn_grid_argmax_partial(p, rows), err));
    QN_TRY(qn_ref_holds(c, 3, rows_of(p, rows), 4, err));
    QN_TRY(qn_ref_holds(c, 5, (uint64_t)rows * p->chunks, 8, err));
    if (p->chunks != qn_argmax_chunks(p->vocab))
        return qn_fail(err, QN_E_INTERNAL, "argmax_partial: %u chunks for %u ids", p->chunks,
                       p->vocab);
    const uint32_t chunk = 4096;
    for (uint32_t r = 0; r < rows; r++) {
        uint32_t slot, position = 0, draw = 0;
        if (gumbel) {
            QN_TRY(sampling_of(&s, &slot, c, r, err));
            position = qn_step_row(step, r).pos + (step->batch ? 1 : step->n_tokens);
            draw = s->draw;
            QN_TRY(qn_ref_holds(c, 4, draw == 2 ? ((uint64_t)r + 1) * 8 : 0, 4, err));
        }
        for (uint32_t k = 0; k < p->chunks; k++) {
            uint32_t best = 0, best_id = k * chunk;
            for (uint32_t id = k * chunk; id < p->vocab && id < (k + 1) * chunk; id++) {
                uint32_t key = qn_ref_key(values[(size_t)r * p->stride + id]);
                if (draw == 2 && key < state[(size_t)r * 8])
                    continue;
                if (draw && key) {
                    float u = qn_rng_unit(s->key, position, id);
                    float drawn = qn_ref_value(key) - logf(-logf(u));
                    key = qn_ref_key(qn_f32_bits(fmaxf(drawn, QN_REF_LOWEST)));
                }
                if (key > best) {
                    best = key;
                    best_id = id;
                }
            }
            partial[(r * (size_t)p->chunks + k) * 2] = best;
            partial[(r * (size_t)p->chunks + k) * 2 + 1] = best_id;
        }
    }
    return QN_OK;
}

static uint32_t best_of(const uint32_t *partial, uint32_t chunks) {
    uint32_t best = 0;
    for (uint32_t k = 1; k < chunks; k++)
        if (partial[2 * k] > partial[2 * best])
            best = k;
    return partial[2 * best + 1];
}

enum qn_status qn_ref_argmax_final(const struct qn_ref_call *c, struct qn_error *err) {
    const struct qn_params_vocab *p = c->p[0];
    const struct qn_params_step *step = c->p[1];
    const uint32_t *partial = c->p[2];
    uint32_t *out = c->p[3];
    QN_TRY(qn_ref_covers(c, qn_grid_argmax_final(step->n_rows), err));
    QN_TRY(qn_ref_holds(c, 2, (uint64_t)step->n_rows * p->chunks, 8, err));
    QN_TRY(qn_ref_holds(c, 3, step->n_rows, 4, err));
    for (uint32_t r = 0; r < step->n_rows; r++)
        out[r] = best_of(partial + (size_t)r * p->chunks * 2, p->chunks);
    return QN_OK;
}

static float clamp(float x) {
    return fminf(fmaxf(x, QN_REF_LOWEST), -QN_REF_LOWEST);
}

enum qn_status qn_ref_sample_prepare(const struct qn_ref_call *c, struct qn_error *err) {
    const struct qn_params_vocab *p = c->p[0];
    const struct qn_params_step *step = c->p[1];
    QN_TRY(qn_ref_covers(c, qn_grid_sample_prepare(p, step->n_rows), err));
    QN_TRY(qn_ref_holds(c, 3, rows_of(p, step->n_rows), 4, err));
    QN_TRY(qn_ref_holds(c, 7, rows_of(p, step->n_rows), 4, err));
    for (uint32_t r = 0; r < step->n_rows; r++) {
        const struct qn_params_sampling *s;
        uint32_t slot, words = qn_ceil_div_u32(p->stride, 32);
        QN_TRY(sampling_of(&s, &slot, c, r, err));
        uint64_t mine = rows_of(p, (uint64_t)slot + 1);
        QN_TRY(qn_ref_holds(c, 4, s->has_seen ? mine : 0, 4, err));
        QN_TRY(qn_ref_holds(c, 5, s->has_bias ? mine : 0, 4, err));
        QN_TRY(qn_ref_holds(c, 6, s->has_mask ? ((uint64_t)slot + 1) * words : 0, 4, err));
        const float *logits = (const float *)c->p[3] + (size_t)r * p->stride;
        const float *bias = (const float *)c->p[5] + (size_t)slot * p->stride;
        const uint32_t *seen = (const uint32_t *)c->p[4] + (size_t)slot * p->stride;
        const uint32_t *mask = (const uint32_t *)c->p[6] + (size_t)slot * words;
        float *z = (float *)c->p[7] + (size_t)r * p->stride;
        for (uint32_t i = 0; i < p->vocab; i++) {
            float l = isnan(logits[i]) ? QN_REF_LOWEST : clamp(logits[i]);
            uint32_t count = s->has_seen ? seen[i] & 0x7fffffffu : 0;
            if (s->has_seen && seen[i])
                l = l > 0 ? l / s->repetition : l * s->repetition;
            if (count)
                l = l - s->frequency * (float)count - s->presence;
            if (s->has_bias)
                l += bias[i];
            l = fmaxf(clamp(clamp(l) / s->temperature), -3.3e38f);
            if (s->has_mask && !(mask[i / 32] >> i % 32 & 1))
                l = QN_REF_LOWEST;
            z[i] = l;
        }
    }
    return QN_OK;
}

/* Sum over ids with key ≥ floor: their number, or their mass in units of 2^-30. */
static uint64_t sum_from(const uint32_t *z, uint32_t n, uint32_t floor, bool by_mass, float top) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t key = qn_ref_key(z[i]);
        if (key < floor || (by_mass && !key))
            continue;
        float d = by_mass ? fmaxf(qn_ref_value(key) - top, -80.0f) : 0;
        sum += by_mass ? (uint32_t)(expf(d) * 0x1p30f + 0.5f) : 1;
    }
    return sum;
}

/* The largest key, not below `floor`, from which on the sum is at least the target: bit by bit. */
static uint32_t select_key(const uint32_t *z, uint32_t n, uint32_t floor, bool by_mass, float top,
                           double target) {
    uint32_t key = 0;
    for (uint32_t bit = 0x80000000u; bit; bit >>= 1) {
        uint32_t trial = key | bit;
        if ((double)sum_from(z, n, trial > floor ? trial : floor, by_mass, top) >= target)
            key = trial;
    }
    return key;
}

static void find_threshold(uint32_t state[8], const struct qn_params_vocab *p,
                           const struct qn_params_sampling *s, const uint32_t *z) {
    uint32_t top_key = 0, threshold = 1;
    for (uint32_t i = 0; i < p->vocab; i++)
        top_key = qn_max_u32(top_key, qn_ref_key(z[i]));
    float top = qn_ref_value(top_key ? top_key : 1);
    if (s->top_k && s->top_k < p->vocab)
        threshold = qn_max_u32(1, select_key(z, p->vocab, 0, false, top, s->top_k));
    if (s->top_p < 1) {
        double all = (double)sum_from(z, p->vocab, threshold, true, top);
        uint32_t cut = select_key(z, p->vocab, threshold, true, top, s->top_p * all);
        threshold = qn_max_u32(threshold, cut);
    }
    if (s->ln_min_p > -1e30f) {
        float least = fmaxf(top + s->ln_min_p, QN_REF_LOWEST);
        threshold = qn_max_u32(threshold, qn_ref_key(qn_f32_bits(least)));
    }
    state[0] = threshold;
    state[1] = top_key;
}

enum qn_status qn_ref_sample_threshold(const struct qn_ref_call *c, struct qn_error *err) {
    const struct qn_params_vocab *p = c->p[0];
    const struct qn_params_step *step = c->p[1];
    QN_TRY(qn_ref_covers(c, qn_grid_rows(step->n_rows), err));
    QN_TRY(qn_ref_holds(c, 3, rows_of(p, step->n_rows), 4, err));
    QN_TRY(qn_ref_holds(c, 4, (uint64_t)step->n_rows * 8, 4, err));
    for (uint32_t r = 0; r < step->n_rows; r++) {
        const struct qn_params_sampling *s;
        uint32_t slot;
        QN_TRY(sampling_of(&s, &slot, c, r, err));
        if (s->draw == 2)
            find_threshold((uint32_t *)c->p[4] + (size_t)r * 8, p, s,
                           (const uint32_t *)c->p[3] + (size_t)r * p->stride);
    }
    return QN_OK;
}

enum qn_status qn_ref_sample_finish(const struct qn_ref_call *c, struct qn_error *err) {
    const struct qn_params_vocab *p = c->p[0];
    struct qn_params_step *step = c->p[2];
    uint32_t *ids = c->p[3], *results = c->p[4], *seen = c->p[5];
    QN_TRY(qn_ref_holds(c, 2, 1, sizeof *step, err));
    QN_TRY(qn_ref_covers(c, qn_grid_rows(step->n_rows), err));
    QN_TRY(qn_ref_holds(c, 1, (uint64_t)step->n_rows * p->chunks, 8, err));
    QN_TRY(qn_ref_holds(c, 4, step->n_rows, 4, err));
    if (!p->max_pos)
        return qn_fail(err, QN_E_INTERNAL, "sample_finish: max_pos 0");
    for (uint32_t r = 0; r < step->n_rows; r++) {
        uint32_t slot = qn_step_row(step, r).slot;
        uint32_t token = best_of((const uint32_t *)c->p[1] + (size_t)r * p->chunks * 2, p->chunks);
        QN_TRY(qn_ref_holds(c, 3, (uint64_t)slot + 1, 4, err));
        ids[slot] = token;
        results[r] = token;
        size_t count = (size_t)slot * p->stride + token;
        if (count < c->n[5] / 4)
            seen[count]++;
    }
    if (step->batch)
        return QN_OK;
    step->pos = qn_min_u32(step->pos + step->n_tokens, p->max_pos - 1);
    step->n_tokens = step->n_rows = 1;
    step->first_id = step->slot;
    return QN_OK;
}

enum qn_status qn_ref_seen_mark(const struct qn_ref_call *c, struct qn_error *err) {
    const struct qn_params_seen_mark *p = c->p[0];
    const uint32_t *ids = c->p[1];
    uint32_t *seen = c->p[2];
    QN_TRY(qn_ref_covers(c, qn_grid_seen_mark(p->n), err));
    QN_TRY(qn_ref_holds(c, 1, p->n, 4, err));
    QN_TRY(qn_ref_holds(c, 2, (uint64_t)p->begin + p->vocab, 4, err));
    for (uint32_t i = 0; i < p->n; i++)
        if (ids[i] < p->vocab)
            seen[p->begin + ids[i]] |= 0x80000000u;
    return QN_OK;
}
