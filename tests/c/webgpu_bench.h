/* Two backends side by side over one program: the CPU, and the GPU backend on the
 * reference host. */
#ifndef QN_TEST_WEBGPU_BENCH_H
#define QN_TEST_WEBGPU_BENCH_H

#include "tests/c/cpu_model.h"
#include "tests/c/faults.h"
#include "webgpu/gpu.h"
#include "webgpu/ref_host.h"

#define VOCAB 307

/* The small model that tests vary; at most `most` tokens in a step. */
#define SMALL_MODEL(most)                                                                    \
    {                                                                                        \
        .type = QN_W_Q4, .scale = QN_DTYPE_F16, .hidden = 64, .n_heads = 4, .n_kv_heads = 2, \
        .head_dim = 16, .n_rot = 16, .mlp = 96, .vocab = VOCAB, .act = QN_ACT_SILU,          \
        .kv = QN_DTYPE_F32, .context = 160, .max_tokens = (most),                            \
    }

struct pair {
    const struct qn_program *program;
    struct qn_backend *cpu, *gpu;
    struct qn_ref_host *host;
    struct qn_gpu_host interface;
};

/* Hands over every event that is there. */
static inline enum qn_status pump(struct qn_ref_host *host, struct qn_backend *gpu) {
    enum qn_status first = QN_OK;
    struct qn_gpu_event event;
    while (qn_ref_host_next_event(host, &event)) {
        enum qn_status status = gpu->ops->event(gpu, &event, NULL);
        if (first == QN_OK)
            first = status;
    }
    return first;
}

/* The GPU's half. False when the program does not fit the device. */
static inline bool pair_open(struct pair *p, const struct qn_program *program,
                             const struct qn_gpu_caps *caps) {
    struct qn_error err = {0};
    *p = (struct pair){.program = program};
    CHECK(qn_cpu_backend_create(&p->cpu, qn_allocator_default(), program, 1, &err) == QN_OK);
    qn_cpu_backend_use(p->cpu, qn_cpu_ref_ops);
    CHECK(qn_ref_host_create(&p->host, qn_allocator_default(), caps) == QN_OK);
    p->interface = qn_ref_host_interface(p->host);
    enum qn_status status =
        qn_gpu_backend_create(&p->gpu, qn_allocator_default(), program, &p->interface, &err);
    return CHECK_MSG(status == QN_OK, "%s", err.text);
}

static inline void pair_finish(struct pair *p) {
    struct qn_error err = {0};
    CHECK(p->cpu->ops->finish(p->cpu, &err) == QN_OK && p->cpu->ops->ready(p->cpu));
    CHECK(!p->gpu->ops->ready(p->gpu));
    CHECK_MSG(p->gpu->ops->finish(p->gpu, &err) == QN_OK, "%s", err.text);
    CHECK(!p->gpu->ops->ready(p->gpu)); // the fence has not been handed over
    CHECK(pump(p->host, p->gpu) == QN_OK);
    CHECK(p->gpu->ops->ready(p->gpu));
}

static inline void pair_close(struct pair *p) {
    struct qn_null_stats stats;
    p->cpu->ops->destroy(p->cpu);
    if (p->gpu)
        p->gpu->ops->destroy(p->gpu);
    qn_null_host_stats(qn_ref_host_checks(p->host), &stats);
    CHECK_MSG(stats.buffers == 0 && stats.groups == 0 && stats.bytes == 0,
              "%u buffers, %u groups leaked", stats.buffers, stats.groups);
    const struct qn_error *refusal = qn_null_host_refusal(qn_ref_host_checks(p->host));
    CHECK_MSG(refusal->status == QN_OK, "%s", refusal->text);
    qn_ref_host_destroy(p->host);
}

/* Both with one model, loaded; the program ends where the device does not take it. */
static inline void pair_open_model(struct pair *p, struct model *m, const struct model_shape *shape,
                                   const struct qn_gpu_caps *caps) {
    model_build(m, shape, qn_allocator_default());
    CHECK_MSG(m->err.status == QN_OK, "%s", m->err.text);
    if (!pair_open(p, &m->program, caps))
        exit(test_done("webgpu_bench"));
    struct qn_backend *const both[2] = {p->cpu, p->gpu};
    for (int i = 0; i < 2; i++) {
        m->seed = 1;
        for (uint32_t w = 0; w < m->program.n_weights; w++)
            model_fill_weight(m, both[i], w);
    }
    pair_finish(p);
}

static inline void pair_close_model(struct pair *p, struct model *m) {
    pair_close(p);
    qn_arena_free(&m->arena);
}

/* Enqueues and waits for the result, if the step has one. `host` NULL: a backend without events. */
static inline bool step_once(struct qn_backend *b, struct qn_ref_host *host,
                             struct qn_backend_session *s, const struct qn_step *step,
                             struct qn_step_result *out) {
    struct qn_error err = {0};
    bool ready = false;
    *out = (struct qn_step_result){0};
    if (!CHECK_MSG(qn_backend_step(b, s, step, &err) == QN_OK, "%s", err.text))
        return false;
    if (host)
        CHECK(pump(host, b) == QN_OK);
    if (!step->sample && !step->want)
        return true;
    return CHECK_MSG(b->ops->poll(b, s, out, &ready, &err) == QN_OK, "%s", err.text) &&
           CHECK(ready);
}

/* Ids of a prompt in chunks; the last one with `sample` and `want`. */
static inline bool prefill(struct qn_backend *b, struct qn_ref_host *host,
                           struct qn_backend_session *s, const uint32_t *ids, uint32_t n,
                           uint32_t chunk, bool sample, uint32_t want, struct qn_step_result *out) {
    for (uint32_t at = 0; at < n; at += chunk) {
        uint32_t t = qn_min_u32(chunk, n - at);
        bool last = at + t == n;
        struct qn_step step = {ids + at,
                               t,
                               at,
                               last && sample,
                               last ? want : 0,
                               b->program->rope_switch && n > b->program->rope_switch};
        if (!step_once(b, host, s, &step, out))
            return false;
    }
    return true;
}

/* Largest difference over largest magnitude. */
static inline double relative_error(const float *a, const float *b, uint32_t n) {
    double difference = 0, size = 1e-30;
    for (uint32_t i = 0; i < n; i++) {
        double d = fabs((double)a[i] - (double)b[i]);
        if (!(d <= difference)) // NaN counts
            difference = d;
        if (fabs((double)b[i]) > size)
            size = fabs((double)b[i]);
    }
    return difference / size;
}

static inline struct qn_backend_session *session_open(struct qn_backend *b) {
    struct qn_error err = {0};
    struct qn_backend_session *s = NULL;
    CHECK_MSG(b->ops->session_create(b, &s, &err) == QN_OK, "%s", err.text);
    return s;
}

static const struct qn_sampling greedy;

/* Greedy answers of both, from the prompt in one step on: the same tokens, and logits within
 * `tolerance` of the largest. */
static inline void compare_greedy(struct pair *p, const uint32_t *prompt, uint32_t n,
                                  uint32_t tokens, double tolerance, const char *name) {
    struct qn_step_result want, have;
    struct qn_backend_session *c = session_open(p->cpu), *g = session_open(p->gpu);
    bool ok = prefill(p->cpu, NULL, c, prompt, n, n, true, QN_WANT_LOGITS, &want) &&
              prefill(p->gpu, p->host, g, prompt, n, n, true, QN_WANT_LOGITS, &have);
    for (uint32_t k = 0; ok && k < tokens; k++) {
        double error = relative_error(have.logits, want.logits, VOCAB);
        CHECK_MSG(error < tolerance && have.token == want.token,
                  "%s: token %u: %u, not %u, error %g", name, k, have.token, want.token, error);
        struct qn_step next = {NULL, 0, n + k, true, QN_WANT_LOGITS, 0};
        ok =
            step_once(p->cpu, NULL, c, &next, &want) && step_once(p->gpu, p->host, g, &next, &have);
    }
    p->cpu->ops->session_destroy(p->cpu, c);
    p->gpu->ops->session_destroy(p->gpu, g);
}

#endif
