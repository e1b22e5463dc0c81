/* The public interface over the GPU: an engine whose host is the reference host, beside one on the
 * CPU. Events arrive late, sessions wait, and both say the same. */
#include "quern.h"
#include "tests/c/model_files.h"
#include "webgpu/ref_host.h"

#define PROMPT 20
#define TOKENS 24

struct side {
    struct overlay overlay;
    struct qn_ref_host *host; // NULL: CPU
    struct qn_gpu_host interface;
    qn_engine *engine;
    qn_session *session;
};

static uint32_t prompt[PROMPT];

static void pump(struct side *s) {
    struct qn_gpu_event event;
    while (s->host && qn_ref_host_next_event(s->host, &event))
        (void)qn_engine_gpu_event(s->engine, &event);
}

static bool open_side(struct side *s, const char *folder, bool gpu) {
    struct qn_error err = {0};
    memset(s, 0, sizeof *s);
    struct qn_engine_desc desc = {.context = 96, .chunk = 8, .main = "model.gguf"};
    desc.files = overlay_open(&s->overlay, folder);
    if (gpu) {
        CHECK(qn_ref_host_create(&s->host, qn_allocator_default(), NULL) == QN_OK);
        s->interface = qn_ref_host_interface(s->host);
        desc.gpu = &s->interface;
    }
    if (!CHECK_MSG(qn_engine_create(&s->engine, &desc, &err) == QN_OK &&
                       qn_engine_open(s->engine, &err) == QN_OK,
                   "%s: %s", folder, err.text))
        return false;
    uint32_t done = 0;
    while (qn_engine_state(s->engine) == QN_ENGINE_OPEN)
        if (!CHECK_MSG(qn_engine_load(s->engine, &done, &err) == QN_OK, "%s: %s", folder, err.text))
            return false;
    if (gpu) {
        CHECK(qn_engine_state(s->engine) == QN_ENGINE_LOADED);
        CHECK(qn_session_create(&s->session, s->engine, &err) == QN_E_STATE);
    }
    pump(s);
    return CHECK(qn_engine_state(s->engine) == QN_ENGINE_READY) &&
           CHECK_MSG(qn_session_create(&s->session, s->engine, &err) == QN_OK, "%s", err.text);
}

static void close_side(struct side *s) {
    qn_engine_destroy(s->engine);
    if (s->host) {
        struct qn_null_stats stats;
        qn_null_host_stats(qn_ref_host_checks(s->host), &stats);
        CHECK(stats.buffers == 0 && stats.groups == 0);
        const struct qn_error *refusal = qn_null_host_refusal(qn_ref_host_checks(s->host));
        CHECK_MSG(refusal->status == QN_OK, "%s", refusal->text);
    }
    qn_ref_host_destroy(s->host);
    overlay_close(&s->overlay);
}

struct story {
    uint32_t ids[TOKENS + 1];
    uint32_t n, waits, n_argmax;
    uint32_t argmax[PROMPT];
    float logits[512];
    uint32_t n_logits;
    enum qn_finish finish;
    uint32_t reused;
};

/* A whole generation; the host's events are handed over only when the session waits. */
static void generate(struct side *s, struct story *out, const struct qn_request *request) {
    struct qn_error err = {0};
    struct qn_event event;
    memset(out, 0, sizeof *out);
    if (!CHECK_MSG(qn_session_start(s->session, request, &err) == QN_OK, "%s", err.text))
        return;
    for (uint32_t calls = 0; calls < 1000; calls++) {
        if (!CHECK_MSG(qn_session_next(s->session, &event, &err) == QN_OK, "%s", err.text))
            return;
        if (event.kind == QN_EVENT_WAIT) {
            out->waits++;
            pump(s);
        } else if (event.kind == QN_EVENT_TOKEN && out->n < TOKENS) {
            out->ids[out->n++] = event.id;
        } else if (event.kind == QN_EVENT_ARGMAX) {
            for (size_t i = 0; i < event.n && out->n_argmax < PROMPT; i++)
                out->argmax[out->n_argmax++] = event.ids[i];
        } else if (event.kind == QN_EVENT_LOGITS && event.n <= 512) {
            memcpy(out->logits, event.logits, event.n * sizeof(float));
            out->n_logits = (uint32_t)event.n;
        } else if (event.kind == QN_EVENT_DONE) {
            out->finish = event.finish;
            out->reused = event.reused_tokens;
            return;
        }
    }
    CHECK_MSG(false, "the generation does not end");
}

static void compare(struct side *cpu, struct side *gpu, const char *name,
                    const struct qn_request *request) {
    struct story a, b;
    generate(cpu, &a, request);
    generate(gpu, &b, request);
    CHECK_MSG(a.n == b.n && memcmp(a.ids, b.ids, sizeof a.ids) == 0, "%s: %u and %u tokens", name,
              a.n, b.n);
    CHECK_MSG(a.n_argmax == b.n_argmax && memcmp(a.argmax, b.argmax, sizeof a.argmax) == 0,
              "%s: arg-max of %u and %u rows", name, a.n_argmax, b.n_argmax);
    CHECK(a.finish == b.finish && a.reused == b.reused && a.n_logits == b.n_logits);
    float size = 1e-30f, difference = 0;
    for (uint32_t i = 0; i < a.n_logits; i++) {
        float x = a.logits[i] < 0 ? -a.logits[i] : a.logits[i];
        float d = a.logits[i] - b.logits[i];
        size = x > size ? x : size;
        d = d < 0 ? -d : d;
        difference = d > difference ? d : difference;
    }
    CHECK_MSG(difference <= 1e-4f * size, "%s: logits differ by %g of %g", name, (double)difference,
              (double)size);
    CHECK(b.waits > 0);
}

static void test_model(const char *folder) {
    struct side cpu, gpu;
    if (open_side(&cpu, folder, false) && open_side(&gpu, folder, true)) {
        struct qn_request r = {.ids = prompt, .n_ids = PROMPT, .max_tokens = TOKENS};
        compare(&cpu, &gpu, "greedy", &r);
        compare(&cpu, &gpu, "again", &r); // all but the last position is in the cache
        r.sampling = (struct qn_sampling){.temperature = 1.0f, .top_p = 0.9f, .seed = 17};
        compare(&cpu, &gpu, "drawn", &r);
        r.sampling = (struct qn_sampling){.repetition_penalty = 1.2f, .presence_penalty = 0.5f};
        r.n_ids = PROMPT - 5; // a branch
        compare(&cpu, &gpu, "penalties", &r);
        r.want = QN_WANT_LOGITS;
        compare(&cpu, &gpu, "logits", &r);
        r = (struct qn_request){.ids = prompt, .n_ids = PROMPT, .want = QN_WANT_ARGMAX_ALL};
        compare(&cpu, &gpu, "arg-max", &r);
        // Cancelled while steps are in flight; what follows is not disturbed by late results.
        struct qn_event event;
        struct qn_error err = {0};
        r = (struct qn_request){.ids = prompt, .n_ids = PROMPT, .max_tokens = TOKENS};
        CHECK(qn_session_start(gpu.session, &r, &err) == QN_OK);
        do
            CHECK(qn_session_next(gpu.session, &event, &err) == QN_OK);
        while (event.kind == QN_EVENT_PREFILL);
        CHECK(event.kind == QN_EVENT_WAIT);
        qn_session_cancel(gpu.session);
        CHECK(qn_session_next(gpu.session, &event, &err) == QN_OK && event.kind == QN_EVENT_DONE &&
              event.finish == QN_FINISH_CANCELLED);
        struct story a, b;
        r.n_ids = 11;
        generate(&cpu, &a, &r);
        generate(&gpu, &b, &r);
        CHECK(a.n == TOKENS && b.n == TOKENS && memcmp(a.ids, b.ids, sizeof a.ids) == 0);
        // A lost device ends everything, by name.
        struct qn_gpu_event lost = {.kind = QN_GPU_EVENT_LOST, .bytes = "gone", .n = 4};
        CHECK(qn_session_start(gpu.session, &r, &err) == QN_OK);
        (void)qn_engine_gpu_event(gpu.engine, &lost);
        CHECK(qn_session_next(gpu.session, &event, &err) == QN_E_GPU_LOST);
        CHECK(qn_engine_state(gpu.engine) == QN_ENGINE_LOST);
        close_side(&gpu);
    }
    close_side(&cpu);
}

int main(void) {
    for (uint32_t i = 0; i < PROMPT; i++)
        prompt[i] = 11 + (i * i * 7 + i * 31) % 250;
    if (!fixtures_there()) {
        printf("skipped: no ../shared\n");
        return test_done("webgpu_engine");
    }
    test_model("gguf/qwen2_Q4_0");
    test_model("gguf/llama_Q8_0");
    return test_done("webgpu_engine");
}
