/* Embeddings of decoders: states against the reference's checksums, pooling, what is refused. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/json.h"
#include "tests/c/engine_case.h"

static double number(struct qn_json_value v, const char *key) {
    double out = NAN;
    qn_json_f64(&out, key ? qn_json_get(v, key) : v);
    return out;
}

/* The vector that a request brings; n values. */
static uint32_t ask(struct bench *b, qn_session *s, const char *json, float *out, uint32_t room,
                    struct qn_error *err) {
    uint32_t n = 0;
    struct qn_event e;
    if (qn_session_start_embedding(s, qn_str_from(json), err) != QN_OK)
        return 0;
    do {
        if (qn_session_next(s, &e, err) != QN_OK)
            return 0;
        bench_pump(b);
        if (e.kind == QN_EVENT_LOGITS && CHECK(e.n <= room)) {
            n = (uint32_t)e.n;
            memcpy(out, e.logits, n * sizeof *out);
        }
    } while (e.kind != QN_EVENT_DONE);
    return n;
}

static struct qn_json_value layer_named(struct qn_json_value sequence, const char *name) {
    struct qn_json_iter it = qn_json_iterate(qn_json_get(sequence, "layers"));
    while (qn_json_each(&it))
        if (qn_json_string_is(qn_json_get(it.value, "name"), name))
            return it.value;
    return (struct qn_json_value){0};
}

static void check_sequence(struct bench *b, qn_session *s, struct qn_json_value sequence) {
    struct qn_error err = {0};
    static float vector[256], cut[256], mean[256];
    struct qn_buf json;
    qn_buf_init(&json, qn_allocator_default());
    qn_buf_cstr(&json, "{\"input\":[");
    struct qn_json_iter it = qn_json_iterate(qn_json_get(sequence, "ids"));
    uint32_t count = it.left;
    for (bool first = true; qn_json_each(&it); first = false)
        qn_buf_format(&json, first ? "%g" : ",%g", number(it.value, NULL));
    qn_buf_char(&json, ']');
    size_t fields = json.n;
    qn_buf_cstr(&json, "}");
    qn_buf_char(&json, 0);
    uint32_t n = ask(b, s, json.p, vector, 256, &err);
    struct qn_json_value norm = layer_named(sequence, "model.norm");
    CHECK_MSG(n == 64, "%u values: %s", n, err.text);
    double length = 0, dot = 0, known = 0;
    for (uint32_t i = 0; i < n; i++)
        length += (double)vector[i] * (double)vector[i];
    CHECK(fabs(length - 1) < 1e-5);
    // The reference says the first eight values of the last row: the same direction.
    it = qn_json_iterate(qn_json_get(norm, "last_row_first8"));
    double ratio = 0;
    for (uint32_t i = 0; qn_json_each(&it); i++) {
        double value = number(it.value, NULL);
        ratio = ratio == 0 ? value / (double)vector[i] : ratio;
        dot += fabs(value - ratio * (double)vector[i]);
        known += fabs(value);
    }
    CHECK_MSG(ratio > 0 && dot < 1e-4 * known, "%u tokens: off by %g of %g", count, dot, known);
    // Fewer dimensions: the first ones, of length 1 again.
    json.n = fields;
    qn_buf_cstr(&json, ",\"dimensions\":8}");
    qn_buf_char(&json, 0);
    CHECK(ask(b, s, json.p, cut, 256, &err) == 8);
    length = 0;
    for (uint32_t i = 0; i < 8; i++)
        length += (double)cut[i] * (double)cut[i];
    CHECK(fabs(length - 1) < 1e-5 && fabs(cut[0] / cut[1] - vector[0] / vector[1]) < 1e-4);
    // The mean: its sum over all values is the reference's mean of all rows, up to the length.
    json.n = fields;
    qn_buf_cstr(&json, ",\"pooling\":\"mean\"}");
    qn_buf_char(&json, 0);
    CHECK_MSG(ask(b, s, json.p, mean, 256, &err) == 64, "%s", err.text);
    if (count == 1)
        for (uint32_t i = 0; i < 64; i++)
            CHECK(mean[i] == vector[i]);
    else
        CHECK(memcmp(mean, vector, sizeof mean) != 0);
    qn_buf_free(&json);
}

/* Mean pooling by hand, from the states of every prefix. */
static void check_mean(struct bench *b, qn_session *s) {
    static const uint32_t ids[5] = {9, 2, 30, 7, 12};
    struct qn_error err = {0};
    static float mean[256];
    double sum[64] = {0}, length = 0;
    for (uint32_t n = 1; n <= 5; n++) {
        struct qn_request r = {.ids = ids, .n_ids = n, .want = QN_WANT_LOGITS};
        struct qn_event e;
        CHECK(qn_session_start(s, &r, &err) == QN_OK);
        do {
            CHECK(qn_session_next(s, &e, &err) == QN_OK);
            bench_pump(b);
            for (uint32_t i = 0; e.kind == QN_EVENT_LOGITS && i < 64; i++)
                sum[i] += (double)e.logits[i];
        } while (e.kind != QN_EVENT_DONE);
    }
    for (int i = 0; i < 64; i++)
        length += sum[i] * sum[i];
    CHECK(ask(b, s, "{\"input\":[9,2,30,7,12],\"pooling\":\"mean\"}", mean, 256, &err) == 64);
    for (int i = 0; i < 64; i++)
        CHECK(fabs((double)mean[i] - sum[i] / sqrt(length)) < 1e-5);
}

static void check_refusals(struct bench *b, qn_session *s) {
    static const struct {
        const char *json, *says;
    } list[] = {
        {"{}", "input"},
        {"{\"input\":1}", "input"},
        {"{\"input\":[]}", "no tokens"},
        {"{\"input\":[400]}", "400"},
        {"{\"input\":[1],\"dimensions\":65}", "dimensions"},
        {"{\"input\":[1],\"dimensions\":0}", "dimensions"},
        {"{\"input\":[1],\"pooling\":\"cls\"}", "pooling"},
        {"{\"input\":[1],\"temperature\":1}", "temperature"},
    };
    static float out[64];
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        struct qn_error err = {0};
        CHECK_MSG(ask(b, s, list[i].json, out, 64, &err) == 0 && strstr(err.text, list[i].says),
                  "%s: %s", list[i].json, err.text);
    }
    static const uint32_t ids[2] = {9, 2};
    struct qn_request r = {.ids = ids, .n_ids = 2, .max_tokens = 1};
    struct qn_error err = {0};
    CHECK(qn_session_start(s, &r, &err) == QN_E_UNSUPPORTED);
}

int main(void) {
    struct model_case m;
    char folder[1024], path[1100];
    snprintf(folder, sizeof folder, "%s/fixtures/lm/qwen2", test_shared());
    snprintf(path, sizeof path, "%s/golden.json", folder);
    struct qn_str golden = slurp(path);
    if (!golden.p) {
        printf("skipped: no ../shared\n");
        return test_done("engine_embed");
    }
    static const char *const files[4] = {"config.json", "model.safetensors"};
    struct qn_arena arena;
    struct qn_json json;
    struct qn_error err = {0};
    qn_arena_init(&arena, qn_allocator_default());
    CHECK(qn_json_parse(&json, &arena, golden, &err) == QN_OK);
    if (case_load(&m, "qwen2", folder, files, "")) {
        // A tokenizer of any kind: the requests are lists of ids.
        m.files[2] = (struct qn_memory_file){QN_STR("tokenizer.json"),
                                             slurp("tests/data/tiny_hf/tokenizer.json")};
        m.list.n = 3;
        for (int gpu = 0; gpu < 2; gpu++) {
            struct bench b;
            qn_session *s = NULL;
            struct qn_engine_desc desc = {.context = 64, .chunk = 16, .embeddings = true};
            CHECK(bench_start(&b, &m, least_caps(gpu), desc));
            CHECK_MSG(qn_session_create(&s, b.engine, &err) == QN_OK, "%s", err.text);
            CHECK(qn_engine_vocab(b.engine) == 64);
            struct qn_json_iter it = qn_json_iterate(qn_json_get(qn_json_root(&json), "sequences"));
            while (qn_json_each(&it))
                check_sequence(&b, s, it.value);
            check_mean(&b, s);
            check_refusals(&b, s);
            bench_stop(&b);
        }
        case_free(&m);
    }
    qn_arena_free(&arena);
    free((void *)(uintptr_t)golden.p);
    return test_done("engine_embed");
}
