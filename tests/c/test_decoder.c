/* End to end: every decoder fixture of the known families, from its files to logits and greedy ids
 * on the CPU backend, against the reference implementation's values. */
#include <math.h>

#include "cpu/cpu.h"
#include "engine/loader.h"
#include "model/model.h"
#include "run/batch.h"
#include "tests/c/model_files.h"

static const char *const fixtures[] = {
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
    "gguf/gemma2_BF16",
    "gguf/gemma2_Q3_K_w256",
    "gguf/gemma2_Q4_0",
    "gguf/gemma2_Q4_1",
    "gguf/gemma2_Q5_0",
    "gguf/gemma2_Q8_0",
    "gguf/llama_Q4_0",
    "gguf/llama_Q4_K_M_w256",
    "gguf/llama_Q8_0",
    "gguf/phi3_F16",
    "gguf/phi3_Q4_0",
    "gguf/phi3_Q4_K_M_w256",
    "gguf/phi3_Q5_1",
    "gguf/phi3_Q8_0",
    "gguf/phi3_longrope_F16",
    "gguf/qwen2_BF16",
    "gguf/qwen2_F16",
    "gguf/qwen2_F32",
    "gguf/qwen2_IQ4_XS_w256",
    "gguf/qwen2_Q2_K_w256",
    "gguf/qwen2_Q3_K_w256",
    "gguf/qwen2_Q4_0",
    "gguf/qwen2_Q4_1",
    "gguf/qwen2_Q4_K_M_w256",
    "gguf/qwen2_Q4_K_w256",
    "gguf/qwen2_Q5_0",
    "gguf/qwen2_Q5_1",
    "gguf/qwen2_Q5_K_w256",
    "gguf/qwen2_Q6_K_w256",
    "gguf/qwen2_Q8_0",
    "gguf/qwen2_untied_IQ4_NL",
    "awq/gemma2",
    "awq/llama",
    "awq/phi3",
    "awq/qwen2",
    "awq/qwen2_untied",
    "mlc/gemma2_q4f16_1",
    "mlc/gemma2_q4f32_1",
    "mlc/llama_q0f32",
    "mlc/llama_q4f16_1",
    "mlc/llama_q4f32_1",
    "mlc/phi3_longrope_q4f16_1",
    "mlc/phi3_longrope_q4f32_1",
    "mlc/phi3_q4f16_1",
    "mlc/phi3_q4f32_1",
    "mlc/qwen2_q0f16",
    "mlc/qwen2_q4f16_0",
    "mlc/qwen2_q4f16_1",
    "mlc/qwen2_q4f32_1",
    "mlc/qwen2_untied_q4f16_1",
    "mlc/qwen2_untied_q4f16_2",
    "mlc/qwen2_untied_q4f32_1",
    "mlc/qwen3_q4f16_1",
    "mlc/qwen3_q4f32_1",
};

enum { MAX_IDS = 160 };

struct machine {
    struct qn_arena arena;
    struct overlay overlay;
    struct qn_files files;
    struct qn_directory directory;
    struct qn_model model;
    struct qn_backend *backend;
    struct qn_error err;
};

/* m->files is set. */
static enum qn_status machine_open(struct machine *m, struct qn_str main_file, uint32_t chunk) {
    struct qn_model_options options = {.chunk = chunk};
    struct qn_loader loader;
    m->err.text[0] = 0;
    m->backend = NULL;
    qn_arena_init(&m->arena, qn_allocator_default());
    QN_TRY(qn_directory_open(&m->directory, &m->arena, &m->files, main_file, &m->err));
    QN_TRY(qn_model_build(&m->model, &m->arena, &m->directory, &m->files, &options, &m->err));
    QN_TRY(
        qn_cpu_backend_create(&m->backend, qn_allocator_default(), &m->model.program, 1, &m->err));
    QN_TRY(qn_loader_init(&loader, &m->arena, &m->directory, &m->model.program, &m->err));
    enum qn_status status = QN_OK;
    while (status == QN_OK && loader.done < loader.n_pieces)
        status = qn_loader_next(&loader, m->backend, &m->files, &m->err);
    qn_loader_release(&loader);
    return status == QN_OK ? m->backend->ops->finish(m->backend, &m->err) : status;
}

static void machine_close(struct machine *m) {
    if (m->backend)
        m->backend->ops->destroy(m->backend);
    qn_arena_free(&m->arena);
}

/* One session over ids[n] in chunks, then `n_new` greedy tokens one by one. `logits` [vocab]: after
 * the prompt. `argmax` [n], if not NULL: of every position. */
static enum qn_status run(struct machine *m, const uint32_t *ids, uint32_t n, float *logits,
                          uint32_t *argmax, uint32_t *greedy, uint32_t n_new) {
    const struct qn_backend_ops *ops = m->backend->ops;
    const struct qn_program *p = &m->model.program;
    struct qn_backend_session *session;
    struct qn_sampling sampling = {0};
    struct qn_step_result result;
    bool ready;
    QN_TRY(ops->session_create(m->backend, &session, &m->err));
    enum qn_status status = ops->begin(m->backend, session, &sampling, ids, n, &m->err);
    for (uint32_t pos = 0; status == QN_OK && pos < n; pos += p->max_tokens) {
        uint32_t part = n - pos < p->max_tokens ? n - pos : p->max_tokens;
        bool last = pos + part == n;
        struct qn_step step = {.ids = ids + pos, .n = part, .pos = pos, .sample = last};
        step.rope_set = p->rope_switch && n > p->rope_switch;
        step.want = (last ? QN_WANT_LOGITS : 0u) | (argmax ? QN_WANT_ARGMAX_ALL : 0u);
        status = qn_backend_step(m->backend, session, &step, &m->err);
        if (status != QN_OK || !step.want)
            continue;
        status = ops->poll(m->backend, session, &result, &ready, &m->err);
        if (status != QN_OK)
            break;
        CHECK(ready && result.sampled == last);
        if (argmax && CHECK(result.n == part))
            memcpy(argmax + pos, result.argmax, part * sizeof *argmax);
        if (last) {
            memcpy(logits, result.logits, m->model.config.vocab * sizeof *logits);
            if (n_new)
                greedy[0] = result.token;
        }
    }
    for (uint32_t i = 1; status == QN_OK && i < n_new; i++) {
        struct qn_step step = {.pos = n + i - 1, .sample = true}; // n 0: the token sampled last
        step.rope_set = p->rope_switch && n > p->rope_switch;
        status = qn_backend_step(m->backend, session, &step, &m->err);
        if (status == QN_OK)
            status = ops->poll(m->backend, session, &result, &ready, &m->err);
        greedy[i] = status == QN_OK ? result.token : QN_NONE;
    }
    ops->session_destroy(m->backend, session);
    return status;
}

static uint32_t read_ids(uint32_t *out, struct qn_json_value list) {
    uint32_t n = 0;
    for (struct qn_json_iter it = qn_json_iterate(list); qn_json_each(&it) && n < MAX_IDS; n++)
        CHECK(qn_json_u32(&out[n], it.value));
    return n;
}

static double worst; // largest error / max |logit| over everything, for the report
static uint32_t n_positions;

static void check_sequence(struct machine *m, const char *folder, uint32_t chunk,
                           struct qn_json_value sequence) {
    uint32_t ids[MAX_IDS], expected[MAX_IDS], argmax[MAX_IDS], greedy[MAX_IDS];
    uint32_t expected_argmax[MAX_IDS], vocab = m->model.config.vocab;
    uint32_t n = read_ids(ids, qn_json_get(sequence, "ids"));
    uint32_t n_new = read_ids(expected, qn_json_get(sequence, "greedy"));
    float *logits = calloc(vocab, sizeof *logits);
    double scale = 0;
    CHECK(qn_json_f64(&scale, qn_json_get(sequence, "max_abs_logit")));
    CHECK(n > 0 && n_new <= 24); // the longest sequences have none
    if (!CHECK_MSG(run(m, ids, n, logits, argmax, greedy, n_new) == QN_OK, "%s: %s", folder,
                   m->err.text)) {
        free(logits);
        return;
    }
    struct qn_json_value last = qn_json_get(sequence, "logits_last");
    CHECK(qn_json_count(last) == vocab);
    double error = 0;
    uint32_t i = 0;
    for (struct qn_json_iter it = qn_json_iterate(last); qn_json_each(&it) && i < vocab; i++) {
        double value = 0;
        CHECK(qn_json_f64(&value, it.value));
        double difference = fabs(value - (double)logits[i]);
        error = difference > error || isnan(difference) ? difference : error;
    }
    CHECK_MSG(error <= 1e-4 * scale, "%s, %u ids, chunk %u: error %g of %g", folder, n, chunk,
              error, scale);
    worst = error / scale > worst ? error / scale : worst;
    CHECK_MSG(memcmp(greedy, expected, n_new * sizeof *greedy) == 0, "%s, %u ids, chunk %u", folder,
              n, chunk);

    CHECK(read_ids(expected_argmax, qn_json_get(sequence, "argmax")) == n);
    struct qn_json_iter margins = qn_json_iterate(qn_json_get(sequence, "argmax_margin"));
    for (i = 0; qn_json_each(&margins) && i < n; i++) {
        double margin = 0;
        CHECK(qn_json_f64(&margin, margins.value));
        if (margin > 2e-4 * scale)
            CHECK_MSG(argmax[i] == expected_argmax[i], "%s, position %u", folder, i);
        n_positions++;
    }
    free(logits);
}

/* `config`: a file of the folder to read in place of config.json, or NULL. */
static void check_fixture(const char *folder, const char *config, uint32_t chunk) {
    struct machine m;
    char path[1400];
    m.files = overlay_open(&m.overlay, folder);
    if (config) {
        snprintf(path, sizeof path, "%s/%s", m.overlay.folder, config);
        overlay_put(&m.overlay, "config.json", slurp(path));
    }
    if (!CHECK_MSG(machine_open(&m, fixture_main(folder), chunk) == QN_OK, "%s: %s", folder,
                   m.err.text)) {
        machine_close(&m);
        return;
    }
    snprintf(path, sizeof path, "%s/golden.json", m.overlay.folder);
    struct qn_str text = slurp(path);
    struct qn_json golden;
    if (CHECK_MSG(qn_json_parse(&golden, &m.arena, text, &m.err) == QN_OK, "%s", m.err.text)) {
        struct qn_json_iter it = qn_json_iterate(qn_json_get(qn_json_root(&golden), "sequences"));
        uint32_t n = 0;
        for (; qn_json_each(&it); n++)
            check_sequence(&m, folder, chunk, it.value);
        CHECK_MSG(n >= 3, "%s has %u sequences", folder, n);
    }
    free((void *)(uintptr_t)text.p);
    machine_close(&m);
    overlay_close(&m.overlay);
}

/* Greedy ids of one generation. */
static void generate(struct qn_run *r, const char *folder, const uint32_t *ids, uint32_t n,
                     uint32_t *out, uint32_t n_new) {
    struct qn_error err = {0};
    struct qn_request request = {.ids = ids, .n_ids = n, .max_tokens = n_new};
    struct qn_event event = {0};
    uint32_t got = 0;
    CHECK_MSG(qn_run_start(r, &request, NULL, &err) == QN_OK, "%s: %s", folder, err.text);
    while (event.kind != QN_EVENT_DONE) {
        if (!CHECK_MSG(qn_run_next(r, &event, &err) == QN_OK, "%s: %s", folder, err.text))
            return;
        if (event.kind == QN_EVENT_TOKEN && CHECK(got < n_new))
            out[got++] = event.id;
    }
    CHECK(got == n_new && event.finish == QN_FINISH_LENGTH);
}

/* A generation that grows past the length at which other frequencies apply, twice on one session:
 * the second begins with a cache that was made with the wrong ones. */
static void check_crossing(const char *folder, uint32_t chunk) {
    struct machine m;
    char path[1400];
    m.files = overlay_open(&m.overlay, folder);
    if (!CHECK_MSG(machine_open(&m, fixture_main(folder), chunk) == QN_OK, "%s: %s", folder,
                   m.err.text)) {
        machine_close(&m);
        return;
    }
    snprintf(path, sizeof path, "%s/golden.json", m.overlay.folder);
    struct qn_str text = slurp(path);
    struct qn_json golden;
    struct qn_run r;
    memset(&r, 0, sizeof r);
    CHECK(m.model.program.rope_switch == 64);
    if (CHECK(qn_json_parse(&golden, &m.arena, text, &m.err) == QN_OK) &&
        CHECK(qn_run_init(&r, qn_allocator_default(), m.backend, NULL, NULL, 0, &m.err) == QN_OK)) {
        uint32_t ids[MAX_IDS], expected[MAX_IDS], greedy[MAX_IDS];
        struct qn_json_value crossing = qn_json_get(qn_json_root(&golden), "greedy_crossing");
        uint32_t n = read_ids(ids, qn_json_get(crossing, "ids"));
        uint32_t n_new = read_ids(expected, qn_json_get(crossing, "greedy"));
        CHECK(n == 50 && n_new == 24);
        for (int again = 0; again < 2; again++) {
            generate(&r, folder, ids, n, greedy, n_new);
            CHECK_MSG(memcmp(greedy, expected, n_new * sizeof *greedy) == 0, "%s, chunk %u, %d",
                      folder, chunk, again);
            CHECK(r.n_reused == 0);
        }
        /* And from beyond the switch on: 70 tokens, of which the cache holds all but the last. */
        memcpy(ids + n, expected, 20 * sizeof *ids);
        generate(&r, folder, ids, 70, greedy, 4);
        CHECK(memcmp(greedy, expected + 20, 4 * sizeof *greedy) == 0);
        CHECK_MSG(r.n_reused == 69, "%s: %u reused", folder, r.n_reused);
    }
    qn_run_free(&r);
    free((void *)(uintptr_t)text.p);
    machine_close(&m);
    overlay_close(&m.overlay);
}

/* A trained model: the text that llama2.c's reference program gives greedily from BOS alone. */
static void check_story(void) {
    enum { N = 256 };
    struct machine m;
    char folder[1024], path[1200];
    static char text[N * 32];
    size_t length = 0;
    snprintf(folder, sizeof folder, "%s/assets/lm/stories260K", test_shared());
    snprintf(path, sizeof path, "%s/expected-greedy.txt", folder);
    struct qn_str expected = slurp(path);
    if (!expected.p)
        return;
    m.files = folder_files(folder);
    const uint32_t bos = 1;
    uint32_t ids[N];
    float *logits = calloc(512, sizeof *logits);
    struct qn_str *tokens = NULL;
    enum qn_status status = machine_open(&m, QN_STR("stories260K.gguf"), 16);
    if (status == QN_OK)
        status = run(&m, &bos, 1, logits, NULL, ids, N);
    if (status == QN_OK)
        status = qn_gguf_strings(&tokens, &m.arena, &m.directory, &m.files,
                                 qn_gguf_find(&m.directory, "tokenizer.ggml.tokens"), &m.err);
    CHECK_MSG(status == QN_OK, "%s", m.err.text);
    for (uint32_t i = 0; status == QN_OK && i < N && ids[i] != bos; i++) {
        struct qn_str token = tokens[ids[i]];
        if (qn_str_is(token, "<0x0A>"))
            token = QN_STR("\n");
        for (size_t j = 0; j < token.n && j < 32; j++) {
            bool space = token.n - j >= 3 && memcmp(token.p + j, "\xe2\x96\x81", 3) == 0;
            if (!space || length) // the first space is dropped
                text[length++] = space ? ' ' : token.p[j];
            j += space ? 2 : 0;
        }
    }
    while (expected.n && expected.p[expected.n - 1] == '\n')
        expected.n--;
    CHECK_MSG(length == expected.n && memcmp(text, expected.p, length) == 0, "%.*s", (int)length,
              text);
    free(logits);
    free((void *)(uintptr_t)expected.p);
    machine_close(&m);
}

int main(void) {
    if (!fixtures_there()) {
        printf("skipped: no %s\n", test_shared());
        return 0;
    }
    for (size_t i = 0; i < sizeof fixtures / sizeof *fixtures; i++)
        check_fixture(fixtures[i], NULL, 256);
    /* In the field names of transformers 4. */
    for (size_t i = 0; i < sizeof fixtures / sizeof *fixtures; i++)
        if (strncmp(fixtures[i], "lm/", 3) == 0)
            check_fixture(fixtures[i], "config.legacy.json", 256);
    check_crossing("lm/phi3_longrope", 256);
    check_crossing("lm/phi4mini", 7);
    check_crossing("gguf/phi3_longrope_F16", 32);
    check_crossing("mlc/phi3_longrope_q4f16_1", 64);
    /* Prompts cut into steps, with a remainder and without. */
    check_fixture("lm/qwen2", NULL, 5);
    check_fixture("lm/mistral", NULL, 11);
    check_fixture("gguf/llama_Q4_0", NULL, 1);
    check_fixture("mlc/llama_q4f16_1", NULL, 32);
    check_fixture("lm/gemma2", NULL, 7);
    check_fixture("lm/phi4mini", NULL, 32);
    check_fixture("lm/gpt2", NULL, 5);
    check_fixture("lm/qwen2_moe", NULL, 3);
    check_story();
    CHECK(n_positions > 1000);
    CHECK(worst > 0);
    if (getenv("VERBOSE"))
        printf("worst error: %g of max |logit|\n", worst);
    return test_done("decoder");
}
