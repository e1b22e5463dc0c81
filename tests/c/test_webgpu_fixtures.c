/* Real model files through directory, program, loader and both backends: the GPU backend on the
 * reference host gives the CPU backend's logits and the golden greedy ids, in any chunking. */
#include "base/json.h"
#include "engine/loader.h"
#include "model/model.h"
#include "tests/c/model_files.h"
#include "tests/c/webgpu_bench.h"

#define MAX_IDS 160

struct fixture {
    struct overlay overlay;
    struct qn_files files;
    struct qn_arena arena;
    struct qn_directory directory;
    struct qn_model model;
    struct qn_json golden;
    struct qn_str golden_text;
    struct pair pair;
    double limit; // of errors, of the largest logit
};

static bool load(struct fixture *f, struct qn_backend *backend, const char *folder) {
    struct qn_loader loader;
    struct qn_error err = {0};
    if (!CHECK(qn_loader_init(&loader, &f->arena, &f->directory, &f->model.program, &err) == QN_OK))
        return false;
    bool ok = true;
    for (uint32_t i = 0; ok && i < loader.n_pieces; i++)
        ok = CHECK_MSG(qn_loader_next(&loader, backend, &f->files, &err) == QN_OK, "%s: %s", folder,
                       err.text);
    qn_loader_release(&loader);
    return ok;
}

static bool open_fixture(struct fixture *f, const char *folder,
                         const struct qn_model_options *options, const struct qn_gpu_caps *caps) {
    struct qn_error err = {0};
    char path[1200];
    memset(f, 0, sizeof *f);
    f->files = overlay_open(&f->overlay, folder);
    qn_arena_init(&f->arena, qn_allocator_default());
    snprintf(path, sizeof path, "%s/golden.json", f->overlay.folder);
    f->golden_text = slurp(path);
    return CHECK_MSG(qn_directory_open(&f->directory, &f->arena, &f->files, fixture_main(folder),
                                       &err) == QN_OK &&
                         qn_model_build(&f->model, &f->arena, &f->directory, &f->files, options,
                                        &err) == QN_OK &&
                         qn_json_parse(&f->golden, &f->arena, f->golden_text, &err) == QN_OK,
                     "%s: %s", folder, err.text) &&
           pair_open(&f->pair, &f->model.program, caps) && load(f, f->pair.cpu, folder) &&
           load(f, f->pair.gpu, folder) && (pair_finish(&f->pair), true);
}

static void close_fixture(struct fixture *f) {
    if (f->pair.host)
        pair_close(&f->pair);
    overlay_close(&f->overlay);
    qn_arena_free(&f->arena);
    free((void *)(uintptr_t)f->golden_text.p);
}

static uint32_t read_ids(uint32_t *out, uint32_t max, struct qn_json_value list) {
    struct qn_json_iter it = qn_json_iterate(list);
    uint32_t n = 0;
    while (n < max && qn_json_each(&it))
        n += qn_json_u32(&out[n], it.value);
    return n;
}

/* One sequence in one chunking: logits of the prompt's end and of every greedy step. */
static void check_sequence(struct fixture *f, const char *folder, const uint32_t *ids, uint32_t n,
                           const uint32_t *expected, uint32_t n_expected, uint32_t chunk) {
    struct pair *p = &f->pair;
    struct qn_backend_session *c = session_open(p->cpu), *g = session_open(p->gpu);
    struct qn_step_result want, have;
    uint32_t vocab = p->program->tensors[p->program->logits].dims[1].n;
    bool ok = prefill(p->cpu, NULL, c, ids, n, chunk, true, QN_WANT_LOGITS, &want) &&
              prefill(p->gpu, p->host, g, ids, n, chunk, true, QN_WANT_LOGITS, &have);
    double worst = 0;
    for (uint32_t k = 0; ok && k < n_expected; k++) {
        double error = relative_error(have.logits, want.logits, vocab);
        worst = error > worst || error != error ? error : worst;
        CHECK_MSG(have.token == expected[k], "%s, %u ids by %u: token %u is %u instead of %u",
                  folder, n, chunk, k, have.token, expected[k]);
        if (have.token != want.token)
            break;
        struct qn_step next = {
            NULL,           0,
            n + k,          true,
            QN_WANT_LOGITS, p->program->rope_switch && n > p->program->rope_switch};
        ok =
            step_once(p->cpu, NULL, c, &next, &want) && step_once(p->gpu, p->host, g, &next, &have);
    }
    CHECK_MSG(worst < f->limit, "%s, %u ids by %u: error %g", folder, n, chunk, worst);
    p->cpu->ops->session_destroy(p->cpu, c);
    p->gpu->ops->session_destroy(p->gpu, g);
}

/* The same without logits, as answers are decoded. */
static void check_greedy(struct fixture *f, const char *folder, const uint32_t *ids, uint32_t n,
                         const uint32_t *expected, uint32_t n_expected) {
    struct pair *p = &f->pair;
    struct qn_backend_session *g = session_open(p->gpu);
    struct qn_step_result have;
    bool ok = prefill(p->gpu, p->host, g, ids, n, 33, true, 0, &have);
    for (uint32_t k = 0; ok && k < n_expected; k++) {
        CHECK_MSG(have.token == expected[k] && have.logits == NULL,
                  "%s, %u ids: token %u is %u instead of %u", folder, n, k, have.token,
                  expected[k]);
        if (have.token != expected[k])
            break;
        bool far = p->program->rope_switch && n > p->program->rope_switch;
        struct qn_step next = {.pos = n + k, .sample = true, .rope_set = far};
        ok = step_once(p->gpu, p->host, g, &next, &have);
    }
    p->gpu->ops->session_destroy(p->gpu, g);
}

static void check_argmax_all(struct fixture *f, const char *folder, const uint32_t *ids, uint32_t n,
                             struct qn_json_value expected) {
    struct qn_step_result r;
    uint32_t all[MAX_IDS];
    struct qn_backend_session *g = session_open(f->pair.gpu);
    struct qn_step step = {ids, n, 0, false, QN_WANT_ARGMAX_ALL, 0};
    if (CHECK(read_ids(all, MAX_IDS, expected) == n) &&
        step_once(f->pair.gpu, f->pair.host, g, &step, &r)) {
        CHECK(r.n == n && !r.sampled && r.logits == NULL);
        for (uint32_t i = 0; i < n; i++)
            CHECK_MSG(r.argmax[i] == all[i], "%s: row %u: %u instead of %u", folder, i, r.argmax[i],
                      all[i]);
    }
    f->pair.gpu->ops->session_destroy(f->pair.gpu, g);
}

static void check_fixture(const char *folder, const struct qn_model_options *options,
                          const struct qn_gpu_caps *caps) {
    static const uint32_t chunks[] = {33, 16, 7, 2, 1};
    struct fixture f;
    if (open_fixture(&f, folder, options, caps)) {
        // Inputs of products of bytes have 16 bits.
        f.limit = caps && caps->features & QN_GPU_PACKED_DOT ? 4e-4 : 1e-5;
        struct qn_json_iter it = qn_json_iterate(qn_json_get(qn_json_root(&f.golden), "sequences"));
        uint32_t sequences = 0;
        while (qn_json_each(&it)) {
            uint32_t ids[MAX_IDS], greedy_ids[32];
            uint32_t n = read_ids(ids, MAX_IDS, qn_json_get(it.value, "ids"));
            uint32_t m = read_ids(greedy_ids, 32, qn_json_get(it.value, "greedy"));
            if (!CHECK(n > 0))
                break;
            if (n + m > f.model.program.context)
                continue;
            sequences++;
            for (size_t i = n == 33 ? 0 : 3; i < sizeof chunks / sizeof *chunks; i++)
                if (chunks[i] <= f.model.program.max_tokens)
                    check_sequence(&f, folder, ids, n, greedy_ids, m, chunks[i]);
            check_greedy(&f, folder, ids, n, greedy_ids, m);
            if (n <= f.model.program.max_tokens)
                check_argmax_all(&f, folder, ids, n, qn_json_get(it.value, "argmax"));
        }
        CHECK(sequences > 0);
    }
    close_fixture(&f);
}

int main(void) {
    static const char *const folders[] = {
        "awq/phi3",
        "awq/qwen2",
        "lm/gemma",
        "lm/gemma2",
        "lm/gemma3",
        "lm/gpt2",
        "lm/gpt_neox",
        "lm/granite",
        "lm/llama3",
        "lm/mistral",
        "lm/olmo2",
        "lm/phi3",
        "lm/phi3_longrope",
        "lm/phi3_swa",
        "lm/phi4mini",
        "lm/qwen2",
        "lm/qwen2_moe",
        "lm/qwen2_untied",
        "lm/qwen3",
        "lm/smollm",
        "lm/stablelm",
        "mlc/qwen2_q4f16_1",
        "mlc/qwen2_q4f32_1",
        "mlc/qwen2_q4f16_0",
        "mlc/llama_q4f16_1",
        "mlc/qwen3_q4f16_1",
        "mlc/gemma2_q4f16_1",
        "mlc/phi3_q4f16_1",
        "mlc/phi3_longrope_q4f16_1",
        "gguf/qwen2_Q4_0",
        "gguf/qwen2_Q8_0",
        "gguf/llama_Q4_0",
        "gguf/llama_Q8_0",
        "gguf/phi3_Q4_0",
        "gguf/phi3_longrope_F16",
        "gguf/gemma2_Q8_0",
    };
    if (!fixtures_there()) {
        printf("skipped: no ../shared\n");
        return test_done("webgpu_fixtures");
    }
    struct qn_model_options options = {.context = 64, .chunk = 33};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        check_fixture(folders[i], &options, NULL);
    // Slabs of the embedding, the head and the gated matrices (F32 rows of 256 bytes).
    struct qn_gpu_caps caps = {.max_binding = 32768};
    check_fixture("lm/qwen2", &options, &caps);
    check_fixture("lm/qwen2_moe", &options, &caps); // slabs of whole experts
    // Products of bytes, which also join the splits of attention.
    struct qn_gpu_caps dot = {.features = QN_GPU_SUBGROUPS | QN_GPU_PACKED_DOT | QN_GPU_ROWS,
                              .subgroup_min = 32,
                              .subgroup_max = 32};
    const char *const four_bits[] = {"mlc/qwen2_q4f16_1", "mlc/qwen3_q4f16_1", "mlc/gemma2_q4f16_1",
                                     "mlc/phi3_q4f16_1",  "gguf/llama_Q4_0",   "gguf/gemma2_Q4_0",
                                     "gguf/gemma2_Q5_0"};
    for (size_t i = 0; i < sizeof four_bits / sizeof *four_bits; i++)
        for (dot.fill = 0; dot.fill < 2; dot.fill++) // 1: in tiles too
            check_fixture(four_bits[i], &options, &dot);
    // Past the switch of frequencies.
    options.context = 112;
    check_fixture("lm/phi3_longrope", &options, NULL);
    check_fixture("lm/phi4mini", &options, NULL);
    return test_done("webgpu_fixtures");
}
