/* The backend interface on the CPU: sessions, results, refusals, timelines that are cut and
 * resumed, and every allocation failing in turn. */
#include "tests/c/cpu_model.h"

#include "program/sample.h"
#include "tests/c/faults.h"

static const struct model_shape shape = {
    .type = QN_W_Q4,
    .scale = QN_DTYPE_F16,
    .hidden = 64,
    .n_heads = 4,
    .n_kv_heads = 2,
    .head_dim = 16,
    .n_rot = 16,
    .mlp = 96,
    .vocab = 101,
    .kv = QN_DTYPE_F32,
    .context = 40,
    .max_tokens = 16,
};
#define VOCAB 101

static const uint32_t prompt[20] = {7,  99, 3,  45, 0, 12, 12, 80, 31, 100,
                                    64, 2,  18, 71, 9, 55, 23, 6,  90, 44};

static struct qn_step_result poll(struct qn_backend *b, struct qn_backend_session *s) {
    struct qn_step_result result = {0};
    bool ready = false;
    CHECK(b->ops->poll(b, s, &result, &ready, NULL) == QN_OK && ready);
    return result;
}

/* Feeds ids[from, n) in steps of `cut` and samples `n_out` tokens. */
static void generate(uint32_t *out, uint32_t n_out, struct qn_backend *b,
                     struct qn_backend_session *s, const struct qn_sampling *sampling,
                     const uint32_t *ids, uint32_t from, uint32_t n, uint32_t cut) {
    struct qn_error err = {0};
    CHECK_MSG(b->ops->begin(b, s, sampling, ids, n, &err) == QN_OK, "%s", err.text);
    for (uint32_t at = from; at < n; at += cut) {
        struct qn_step step = {.ids = ids + at, .n = qn_min_u32(cut, n - at), .pos = at};
        step.sample = at + step.n == n;
        CHECK_MSG(qn_backend_step(b, s, &step, &err) == QN_OK, "%s", err.text);
    }
    for (uint32_t i = 0; i < n_out; i++) {
        struct qn_step_result result = poll(b, s);
        CHECK(result.sampled && result.logits == NULL && result.argmax == NULL);
        out[i] = result.token;
        if (i + 1 == n_out)
            break;
        struct qn_step step = {.pos = n + i, .sample = true};
        CHECK_MSG(qn_backend_step(b, s, &step, &err) == QN_OK, "%s", err.text);
    }
}

static void test_timelines(struct model *m) {
    struct qn_backend *b;
    struct qn_backend_session *s, *other;
    CHECK(qn_cpu_backend_create(&b, qn_allocator_default(), &m->program, 2, NULL) == QN_OK);
    struct qn_step early = {.ids = prompt, .n = 1, .sample = true};
    CHECK(b->ops->session_create(b, &s, NULL) == QN_OK);
    CHECK(qn_backend_step(b, s, &early, NULL) == QN_E_STATE); // weights are missing
    model_fill(m, b);
    CHECK(b->ops->session_create(b, &other, NULL) == QN_OK);

    struct qn_sampling greedy = {0};
    struct qn_sampling warm = {.temperature = 1.5f,
                               .seed = 42,
                               .repetition_penalty = 1.5f,
                               .frequency_penalty = 0.7f,
                               .presence_penalty = 0.3f,
                               .top_k = 50};
    for (int round = 0; round < 2; round++) {
        const struct qn_sampling *sampling = round == 0 ? &greedy : &warm;
        uint32_t a[12], c[12];
        generate(a, 12, b, s, sampling, prompt, 0, 12, 16);
        generate(c, 12, b, other, sampling, prompt, 0, 12, 5);
        CHECK(memcmp(a, c, sizeof a) == 0);
        // The cache's first 7 positions stay; what was sampled beyond is dead.
        generate(c, 12, b, other, sampling, prompt, 7, 12, 16);
        CHECK(memcmp(a, c, sizeof a) == 0);
        // Feeding a sampled token as an id is the same as n = 0.
        uint32_t longer[13];
        memcpy(longer, prompt, 12 * sizeof *longer);
        longer[12] = a[0];
        generate(c, 11, b, s, &greedy, longer, 12, 13, 1);
        if (round == 0)
            CHECK(memcmp(a + 1, c, 11 * sizeof *a) == 0);
        // Seeds matter, and so do penalties: no greedy loop stays in place under them.
        struct qn_sampling reseeded = warm;
        reseeded.seed = 43;
        generate(c, 12, b, other, &reseeded, prompt, 0, 12, 16);
        CHECK(memcmp(a, c, sizeof a) != 0);
    }
    b->ops->session_destroy(b, s);
    b->ops->session_destroy(b, other);
    b->ops->destroy(b);
}

/* The token of a step is what qn_sample makes of its logits, with the step's counts and
 * position. */
static void test_results(struct model *m) {
    struct qn_backend *b;
    struct qn_backend_session *s;
    CHECK(qn_cpu_backend_create(&b, qn_allocator_default(), &m->program, 1, NULL) == QN_OK);
    model_fill(m, b);
    CHECK(b->ops->session_create(b, &s, NULL) == QN_OK);
    const uint32_t bias_ids[2] = {17, 40};
    const float bias[2] = {3.0f, 2.0f};
    struct qn_sampling sampling = {.temperature = 0.8f,
                                   .seed = 9,
                                   .repetition_penalty = 1.2f,
                                   .presence_penalty = 1.0f,
                                   .bias_ids = bias_ids,
                                   .bias = bias,
                                   .n_bias = 2};
    CHECK(b->ops->begin(b, s, &sampling, prompt, 6, NULL) == QN_OK);
    uint32_t seen[VOCAB] = {0}, in_bias = 0;
    for (int i = 0; i < 6; i++)
        seen[prompt[i]] = 0x80000000u;
    for (uint32_t i = 0; i < 20; i++) {
        struct qn_step step = {.ids = prompt, .n = i == 0 ? 6 : 0, .pos = i == 0 ? 0 : 5 + i};
        step.sample = true;
        step.want = QN_WANT_LOGITS | (i == 0 ? (uint32_t)QN_WANT_ARGMAX_ALL : 0);
        CHECK(qn_backend_step(b, s, &step, NULL) == QN_OK);
        struct qn_step_result result = poll(b, s);
        float logits[VOCAB], scratch[VOCAB];
        memcpy(logits, result.logits, sizeof logits);
        uint32_t best = 0;
        for (uint32_t j = 1; j < VOCAB; j++)
            best = logits[j] > logits[best] ? j : best;
        if (i == 0)
            CHECK(result.n == 6 && result.argmax != NULL && result.argmax[5] == best);
        else
            CHECK(result.n == 1 && result.argmax == NULL);
        uint32_t token = qn_sample(logits, scratch, VOCAB, &sampling, seen, NULL, 6 + i);
        CHECK_MSG(result.sampled && result.token == token, "step %u", i);
        seen[token]++;
        in_bias += token == 17 || token == 40;
    }
    CHECK(in_bias > 0);
    b->ops->session_destroy(b, s);
    b->ops->destroy(b);
}

static void test_refusals(struct model *m) {
    struct qn_backend *b;
    struct qn_backend_session *s;
    struct qn_error err;
    CHECK(qn_cpu_backend_create(&b, qn_allocator_default(), &m->program, 1, NULL) == QN_OK);
    model_fill(m, b);
    CHECK(b->ops->write(b, m->program.n_weights, QN_PLANE_VALUES, 0, prompt, 4, &err) ==
          QN_E_ARGUMENT);
    uint64_t before = b->ops->memory(b);
    CHECK(b->ops->session_create(b, &s, NULL) == QN_OK);
    CHECK(b->ops->memory(b) >= before + m->program.state_bytes);
    struct qn_sampling greedy = {0};
    uint32_t ids[41];
    for (uint32_t i = 0; i < 41; i++)
        ids[i] = i;
    CHECK(b->ops->begin(b, s, &greedy, ids, 8, NULL) == QN_OK);
    struct qn_step step = {.ids = ids, .n = 8, .pos = 1};
    CHECK(qn_backend_step(b, s, &step, &err) == QN_E_ARGUMENT); // a gap
    step.pos = 0;
    step.n = 17;
    CHECK(qn_backend_step(b, s, &step, &err) == QN_E_LIMIT);
    step.n = 0;
    CHECK(qn_backend_step(b, s, &step, &err) == QN_E_STATE); // no token yet
    step.n = 8;
    ids[3] = VOCAB;
    CHECK(qn_backend_step(b, s, &step, &err) == QN_E_ARGUMENT);
    CHECK(b->ops->begin(b, s, &greedy, ids, 8, &err) == QN_E_ARGUMENT);
    ids[3] = 3;
    struct qn_step_result result;
    bool ready;
    CHECK(b->ops->poll(b, s, &result, &ready, &err) == QN_E_STATE);
    for (uint32_t at = 0; at < 40; at += 8) { // no result wanted: nothing is outstanding
        step.pos = at;
        CHECK(qn_backend_step(b, s, &step, &err) == QN_OK);
    }
    CHECK(b->ops->poll(b, s, &result, &ready, &err) == QN_E_STATE);
    step.pos = 33;
    CHECK(qn_backend_step(b, s, &step, &err) == QN_E_CONTEXT);
    step.pos = UINT32_MAX;
    CHECK(qn_backend_step(b, s, &step, &err) == QN_E_CONTEXT);
    step.pos = 32;
    step.sample = true;
    CHECK(qn_backend_step(b, s, &step, &err) == QN_OK);
    CHECK(qn_backend_step(b, s, &step, &err) == QN_E_STATE); // one in flight
    CHECK(b->ops->begin(b, s, &greedy, ids, 8, &err) == QN_E_STATE);
    b->ops->drop(b, s);
    CHECK(b->ops->poll(b, s, &result, &ready, &err) == QN_E_STATE);
    step.n = 0;
    step.pos = 40;
    CHECK(qn_backend_step(b, s, &step, &err) == QN_E_CONTEXT);
    uint32_t beyond = VOCAB;
    float zero = 0.0f;
    struct qn_sampling biased = {.bias_ids = &beyond, .bias = &zero, .n_bias = 1};
    CHECK(b->ops->begin(b, s, &biased, ids, 8, &err) == QN_E_ARGUMENT);
    b->ops->session_destroy(b, s);
    CHECK(b->ops->memory(b) == before);
    b->ops->session_destroy(b, NULL);
    const struct qn_backend_ops *ops = b->ops;
    ops->destroy(b);
    ops->destroy(NULL);
}

/* Rows of padding at the end of the vocabulary are never sampled or told as arg-max. */
static void test_padding(struct model *m) {
    struct qn_backend *b;
    struct qn_backend_session *s;
    m->program.sample_vocab = 3;
    CHECK(qn_cpu_backend_create(&b, qn_allocator_default(), &m->program, 1, NULL) == QN_OK);
    model_fill(m, b);
    CHECK(b->ops->session_create(b, &s, NULL) == QN_OK);
    struct qn_sampling hot = {.temperature = 100.0f};
    CHECK(b->ops->begin(b, s, &hot, prompt, 10, NULL) == QN_OK);
    struct qn_step step = {.ids = prompt, .n = 10, .sample = true, .want = QN_WANT_ARGMAX_ALL};
    CHECK(qn_backend_step(b, s, &step, NULL) == QN_OK);
    struct qn_step_result result = poll(b, s);
    CHECK(result.token < 3);
    for (uint32_t i = 0; i < result.n; i++)
        CHECK(result.argmax[i] < 3);
    b->ops->session_destroy(b, s);
    b->ops->destroy(b);
    m->program.sample_vocab = 0;
}

static enum qn_status scenario(const struct qn_allocator *allocator, struct model *m) {
    struct qn_backend *b;
    struct qn_error err = {0};
    enum qn_status status = qn_cpu_backend_create(&b, allocator, &m->program, 2, &err);
    if (status != QN_OK) {
        CHECK(b == NULL && err.text[0] != 0);
        return status;
    }
    b->ops->finish(b, NULL);
    struct qn_backend_session *s;
    status = b->ops->session_create(b, &s, &err);
    const uint32_t bias_ids[2] = {1, 2};
    const float bias[2] = {1, 2};
    struct qn_sampling sampling = {.bias_ids = bias_ids, .bias = bias, .n_bias = 2};
    for (int round = 0; round < 2 && status == QN_OK; round++) {
        sampling.n_bias = 1 + (uint32_t)round;
        status = b->ops->begin(b, s, &sampling, prompt, 4, &err);
        struct qn_step step = {.ids = prompt, .n = 4, .sample = true};
        if (status == QN_OK) {
            CHECK(qn_backend_step(b, s, &step, &err) == QN_OK);
            b->ops->drop(b, s);
        }
    }
    CHECK((status == QN_OK) == (err.text[0] == 0));
    b->ops->session_destroy(b, s);
    b->ops->destroy(b);
    return status;
}

static void test_faults(struct model *m) {
    for (int persistent = 0; persistent < 2; persistent++) {
        for (uint64_t n = 1; n < 1000; n++) {
            struct faults faults;
            faults_init(&faults);
            faults.fail_alloc = n;
            faults.persistent = persistent != 0;
            struct qn_allocator allocator = faults_allocator(&faults);
            enum qn_status status = scenario(&allocator, m);
            CHECK(faults.live == 0);
            if (!faults.fired) {
                CHECK(status == QN_OK && n > 10);
                break;
            }
            CHECK(status == QN_E_NO_MEMORY);
        }
    }
}

/* Steps allocate nothing. */
static void test_no_allocation(struct model *m) {
    struct faults faults;
    faults_init(&faults);
    struct qn_allocator allocator = faults_allocator(&faults);
    struct qn_backend *b;
    struct qn_backend_session *s;
    CHECK(qn_cpu_backend_create(&b, &allocator, &m->program, 2, NULL) == QN_OK);
    model_fill(m, b);
    CHECK(b->ops->session_create(b, &s, NULL) == QN_OK);
    uint64_t allocs = faults.allocs;
    uint32_t out[8];
    struct qn_sampling warm = {.temperature = 1, .top_p = 0.9f, .top_k = 20};
    generate(out, 8, b, s, &warm, prompt, 0, 20, 7);
    CHECK(faults.allocs == allocs);
    b->ops->session_destroy(b, s);
    b->ops->destroy(b);
    CHECK(faults.live == 0);
}

int main(void) {
    struct model m;
    model_build(&m, &shape, qn_allocator_default());
    if (CHECK_MSG(m.err.status == QN_OK, "%s", m.err.text)) {
        test_timelines(&m);
        test_results(&m);
        test_refusals(&m);
        test_padding(&m);
        test_faults(&m);
        test_no_allocation(&m);
    }
    qn_arena_free(&m.arena);
    return test_done("cpu_backend");
}
