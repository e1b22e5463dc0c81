/* The sampler against a slow one that sorts, against its own rules by hand, and against the
 * distribution that it must draw from. */
#include "tests/c/test.h"

#include <math.h>

#include "base/rng.h"
#include "program/sample.h"

#define N 300

static float noise(uint32_t i, uint32_t round) {
    return 4.0f * (2.0f * qn_rng_unit(11, round, i) - 1.0f);
}

struct item {
    float z;
    uint32_t i;
};

static int larger_first(const void *a, const void *b) {
    const struct item *x = a, *y = b;
    return x->z < y->z ? 1 : x->z > y->z ? -1 : (x->i > y->i) - (x->i < y->i);
}

/* sample.h once more, by sorting and in double. */
static uint32_t slow(const float *logits, uint32_t n, const struct qn_sampling *s,
                     const uint32_t *seen, uint32_t position) {
    static struct item items[N];
    for (uint32_t i = 0; i < n; i++) {
        float l = logits[i];
        if (seen != NULL && seen[i] != 0) {
            float r = s->repetition_penalty != 0.0f ? s->repetition_penalty : 1.0f;
            l = l > 0.0f ? l / r : l * r;
            uint32_t count = seen[i] & 0x7fffffffu;
            l -= s->frequency_penalty * (float)count;
            l -= count != 0 ? s->presence_penalty : 0.0f;
        }
        for (uint32_t j = 0; j < s->n_bias; j++)
            l += s->bias_ids[j] == i ? s->bias[j] : 0.0f;
        items[i] = (struct item){l != l ? -INFINITY : l, i};
    }
    if (s->temperature > 0.0f) {
        for (uint32_t i = 0; i < n; i++)
            items[i].z /= s->temperature;
    }
    qsort(items, n, sizeof *items, larger_first);
    if (!(s->temperature > 0.0f))
        return items[0].i;
    uint32_t kept = n;
    if (s->top_k != 0 && s->top_k < n) {
        for (kept = s->top_k; kept < n && items[kept].z == items[kept - 1].z;)
            kept++;
    }
    if (s->top_p > 0.0f && s->top_p < 1.0f) {
        double total = 0, mass = 0;
        for (uint32_t i = 0; i < kept; i++)
            total += exp((double)items[i].z - (double)items[0].z);
        uint32_t end = 0;
        while (end < kept && mass < (double)s->top_p * total) {
            float z = items[end].z;
            for (; end < kept && items[end].z == z; end++)
                mass += exp((double)z - (double)items[0].z);
        }
        kept = end;
    }
    if (s->min_p > 0.0f) {
        while (kept > 1 && items[kept - 1].z < items[0].z + logf(s->min_p))
            kept--;
    }
    uint32_t best = 0;
    float best_sum = -INFINITY;
    for (uint32_t i = 0; i < kept; i++) {
        float g = -logf(-logf(qn_rng_unit(s->seed, position, items[i].i)));
        if (items[i].z + g > best_sum || (items[i].z + g == best_sum && items[i].i < best)) {
            best_sum = items[i].z + g;
            best = items[i].i;
        }
    }
    return best;
}

static void test_against_slow(void) {
    static float logits[N], copy[N], scratch[N];
    static uint32_t seen[N];
    const uint32_t bias_ids[3] = {5, 250, 5};
    const float bias[3] = {2.5f, -3.0f, 1.0f};
    uint32_t differences[2] = {0, 0};
    for (uint32_t round = 0; round < 2000; round++) {
        uint32_t n = 1 + qn_rng_u32(1, round, 0) % N;
        for (uint32_t i = 0; i < n; i++) {
            logits[i] = noise(i, round);
            if (round % 3 == 0) // many ties
                logits[i] = roundf(logits[i]);
            seen[i] = qn_rng_u32(2, round, i) % 4 == 0 ? 0x80000000u : 0;
            seen[i] |= qn_rng_u32(3, round, i) % 5 == 0 ? i % 3 : 0;
        }
        struct qn_sampling s = {.seed = round};
        uint32_t r = qn_rng_u32(4, round, 0);
        s.temperature = (r & 3) == 0 ? 0.0f : 0.25f * (float)(r & 7);
        s.top_k = (r >> 3 & 1) != 0 ? 1 + (r >> 4) % 50 : 0;
        s.top_p = (r >> 10 & 1) != 0 ? 0.05f * (float)(1 + (r >> 11) % 20) : 0.0f;
        s.min_p = (r >> 16 & 1) != 0 ? 0.02f * (float)(1 + (r >> 17) % 20) : 0.0f;
        if ((r >> 22 & 1) != 0) {
            s.repetition_penalty = 1.3f;
            s.frequency_penalty = 0.5f;
            s.presence_penalty = -0.25f;
        }
        if ((r >> 23 & 1) != 0) {
            s.bias_ids = bias_ids;
            s.bias = bias;
            s.n_bias = 3;
        }
        memcpy(copy, logits, sizeof copy);
        uint32_t got = qn_sample(copy, scratch, n, &s, seen, NULL, round + 9);
        // Sums in double and in float may disagree on the last token that top-p keeps.
        bool exact = s.top_p == 0.0f || s.top_p >= 1.0f;
        differences[exact] += got != slow(logits, n, &s, seen, round + 9);
        CHECK(got < n);
    }
    CHECK_MSG(differences[1] == 0, "%u of 2000", differences[1]);
    CHECK_MSG(differences[0] <= 2, "%u of 2000 with top-p", differences[0]);
}

/* Draws many times and compares with the probabilities that the rules leave. */
static void test_distribution(const struct qn_sampling *base, const double *expected,
                              const char *what) {
    const float logits[6] = {logf(0.4f), logf(0.25f), logf(0.15f),
                             logf(0.1f), logf(0.07f), logf(0.03f)};
    uint32_t counts[6] = {0};
    const uint32_t draws = 40000;
    struct qn_sampling s = *base;
    for (uint32_t i = 0; i < draws; i++) {
        float copy[6], scratch[6];
        memcpy(copy, logits, sizeof copy);
        s.seed = i / 200; // positions and seeds both vary
        counts[qn_sample(copy, scratch, 6, &s, NULL, NULL, i % 200)]++;
    }
    for (int i = 0; i < 6; i++) {
        double p = expected[i], deviation = sqrt(draws * p * (1 - p)) + 1e-9;
        CHECK_MSG(fabs(counts[i] - draws * p) <= 4.5 * deviation, "%s: token %d %u times, %g", what,
                  i, counts[i], draws * p);
    }
}

static void test_distributions(void) {
    const double plain[6] = {0.4, 0.25, 0.15, 0.1, 0.07, 0.03};
    const double three[6] = {0.5, 0.3125, 0.1875, 0, 0, 0}; // top-k 3; top-p 0.75 too: 0.8 ≥ 0.75
    const double four[6] = {4.0 / 9, 2.5 / 9, 1.5 / 9, 1.0 / 9, 0, 0}; // min-p 0.2: 0.08 of 0.4
    double hot[6], sum = 0;
    for (int i = 0; i < 6; i++)
        sum += sqrt(plain[i]);
    for (int i = 0; i < 6; i++)
        hot[i] = sqrt(plain[i]) / sum;
    test_distribution(&(struct qn_sampling){.temperature = 1}, plain, "plain");
    test_distribution(&(struct qn_sampling){.temperature = 1, .top_k = 3}, three, "top-k");
    test_distribution(&(struct qn_sampling){.temperature = 1, .top_p = 0.75f}, three, "top-p");
    test_distribution(&(struct qn_sampling){.temperature = 1, .min_p = 0.2f}, four, "min-p");
    test_distribution(&(struct qn_sampling){.temperature = 2}, hot, "temperature 2");
}

static void test_edges(void) {
    float scratch[4];
    struct qn_sampling greedy = {0}, warm = {.temperature = 1, .top_p = 0.9f, .top_k = 2};
    float ties[4] = {1, 3, 3, 2};
    CHECK(qn_sample(ties, scratch, 4, &greedy, NULL, NULL, 0) == 1);
    float nans[4] = {NAN, NAN, -5, NAN};
    CHECK(qn_sample(nans, scratch, 4, &greedy, NULL, NULL, 0) == 2);
    float nans2[4] = {NAN, NAN, -5, NAN};
    CHECK(qn_sample(nans2, scratch, 4, &warm, NULL, NULL, 0) == 2);
    float none[4] = {NAN, -INFINITY, -INFINITY, NAN};
    CHECK(qn_sample(none, scratch, 4, &warm, NULL, NULL, 0) == 0);
    float peak[4] = {1, INFINITY, 2, INFINITY};
    CHECK(qn_sample(peak, scratch, 4, &warm, NULL, NULL, 0) == 1);
    struct qn_sampling cold = {.temperature = 1e-38f};
    float big[4] = {1, 2, 30000, 3};
    CHECK(qn_sample(big, scratch, 4, &cold, NULL, NULL, 7) == 2);
    // Penalties: 2 / 2 loses to 1.5; a count of two at 0.3 each and 0.2 for presence.
    uint32_t prefix[2] = {0x80000000u, 0};
    float repeated[2] = {2, 1.5f};
    CHECK(qn_sample(repeated, scratch, 2, &(struct qn_sampling){.repetition_penalty = 2}, prefix,
                    NULL, 0) == 1);
    CHECK(repeated[0] == 1.0f);
    uint32_t twice[2] = {2, 0};
    float counted[2] = {2, 1};
    struct qn_sampling openai = {.frequency_penalty = 0.25f, .presence_penalty = 0.25f};
    CHECK(qn_sample(counted, scratch, 2, &openai, twice, NULL, 0) == 0 && counted[0] == 1.25f);
    float only_prefix[2] = {2, 1};
    CHECK(qn_sample(only_prefix, scratch, 2, &openai, prefix, NULL, 0) == 0 &&
          only_prefix[0] == 2.0f);
    // The same seed and position give the same token; others vary.
    uint32_t first = 0, changes = 0;
    for (uint32_t position = 0; position < 50; position++) {
        float a[4] = {0, 0, 0, 0}, b[4] = {0, 0, 0, 0};
        struct qn_sampling s = {.temperature = 1, .seed = 5};
        uint32_t token = qn_sample(a, scratch, 4, &s, NULL, NULL, position);
        CHECK(token == qn_sample(b, scratch, 4, &s, NULL, NULL, position));
        changes += position != 0 && token != first;
        first = token;
    }
    CHECK(changes > 20);
}

int main(void) {
    test_edges();
    test_against_slow();
    test_distributions();
    return test_done("cpu_sample");
}
