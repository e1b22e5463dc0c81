/* Encoders: pooled states against the reference's, from three formats and on both backends; how the
 * pooling is found; which models are refused. */
#include <math.h>

#include "base/json.h"
#include "base/num.h"
#include "model/model.h"
#include "tests/c/encoder_case.h"

/* Values of a golden list from `first` on, as many as there are up to n. */
static void compare(const float *got, uint32_t n, struct qn_json_value list, uint32_t first,
                    const char *what) {
    struct qn_json_iter it = qn_json_iterate(list);
    double worst = 0, most = 0;
    uint32_t count = 0;
    for (uint32_t i = 0; qn_json_each(&it); i++) {
        double value = NAN;
        if (i < first || i >= first + n)
            continue;
        CHECK(qn_json_f64(&value, it.value));
        double error = fabs(value - (double)got[i - first]);
        worst = error > worst || error != error ? error : worst;
        most = fabs(value) > most ? fabs(value) : most;
        count++;
    }
    CHECK_MSG(count && worst < 5e-6 * most, "%s: off by %g of %g in %u values", what, worst, most,
              count);
}

/* The i-th value of a list; missing where there is none. */
static struct qn_json_value nth(struct qn_json_value list, uint32_t i) {
    struct qn_json_iter it = qn_json_iterate(list);
    while (qn_json_each(&it))
        if (i-- == 0)
            return it.value;
    return (struct qn_json_value){0};
}

static struct qn_json_value data_of(struct qn_json_value c, const char *key) {
    return qn_json_get(qn_json_get(c, key), "data");
}

/* ---- Goldens --------------------------------------------------------------------------------- */

/* A head of classification over the first state: act(x Aᵀ + a) Bᵀ + b. */
struct head {
    float a[48][48], a_bias[48], b[4][48], b_bias[4];
    uint32_t n;
    bool relu;
};

static void floats_of(float *out, struct new_model *m, const char *name) {
    const struct new_tensor *t = new_find(m, name);
    if (!CHECK_MSG(t != NULL, "%s", name))
        return;
    bool half = strcmp(t->dtype, "F16") == 0;
    for (size_t i = 0; i < t->n / (half ? 2 : 4); i++)
        out[i] =
            half ? qn_f16_to_f32(((const uint16_t *)t->bytes)[i]) : ((const float *)t->bytes)[i];
}

static bool read_head(struct head *h, const char *name) {
    static struct new_model m;
    static const char *const names[2][4] = {
        {"pre_classifier.weight", "pre_classifier.bias", "classifier.weight", "classifier.bias"},
        {"classifier.dense.weight", "classifier.dense.bias", "classifier.out_proj.weight",
         "classifier.out_proj.bias"}};
    if (!new_read(&m, name))
        return false;
    h->relu = new_find(&m, names[0][0]) != NULL;
    const char *const *n = names[!h->relu];
    bool there = new_find(&m, n[0]) != NULL;
    if (there) {
        h->n = (uint32_t)new_find(&m, n[2])->dims[0];
        floats_of(h->a[0], &m, n[0]);
        floats_of(h->a_bias, &m, n[1]);
        floats_of(h->b[0], &m, n[2]);
        floats_of(h->b_bias, &m, n[3]);
    }
    new_free(&m);
    return there;
}

static void classify(float out[4], const struct head *h, const float *x) {
    double y[48];
    for (int i = 0; i < 48; i++) {
        double sum = (double)h->a_bias[i];
        for (int k = 0; k < 48; k++)
            sum += (double)h->a[i][k] * (double)x[k];
        y[i] = !h->relu ? tanh(sum) : sum > 0 ? sum : 0;
    }
    for (uint32_t i = 0; i < h->n; i++) {
        double sum = (double)h->b_bias[i];
        for (int k = 0; k < 48; k++)
            sum += (double)h->b[i][k] * y[k];
        out[i] = (float)sum;
    }
}

/* One text of a case: row `at` of its batch. `types`: how far the ids of tokens of type 1 lie. */
static void check_row(struct bench *b, qn_session *s, struct qn_json_value c, uint32_t at,
                      struct qn_json_value row, uint32_t types, const struct head *head,
                      const char *name) {
    static const struct {
        const char *key;
        enum qn_pooling pooling;
        bool unit;
    } wants[] = {{"mean_pooled", QN_POOL_MEAN, false},
                 {"sentence_embedding", QN_POOL_MODEL, true},
                 {"cls_embedding_normalized", QN_POOL_CLS, true}};
    uint32_t ids[64], n = 0, type;
    struct qn_error err;
    float got[ROOM], scores[4];
    char what[200];
    struct qn_json_iter it = qn_json_iterate(row);
    struct qn_json_value mask = nth(qn_json_get(c, "attention_mask"), at),
                         of_types = nth(qn_json_get(c, "token_type_ids"), at);
    for (uint32_t on = 1; on && qn_json_each(&it); n += on) { // padding follows the text
        CHECK(qn_json_u32(&ids[n], it.value) && qn_json_u32(&on, nth(mask, n)));
        if (types && CHECK(qn_json_u32(&type, nth(of_types, n))))
            ids[n] += type * types;
    }
    for (size_t i = 0; i < sizeof wants / sizeof *wants; i++) {
        if (!qn_json_exists(qn_json_get(c, wants[i].key)))
            continue;
        snprintf(what, sizeof what, "%s, %u tokens, %s", name, n, wants[i].key);
        CHECK_MSG(state(b, s, ids, n, wants[i].pooling, got, &err) == 48, "%s: %s", what, err.text);
        if (wants[i].unit)
            unit(got, 48);
        compare(got, 48, data_of(c, wants[i].key), at * 48, what);
    }
    if (head) {
        snprintf(what, sizeof what, "%s, %u tokens, logits", name, n);
        CHECK_MSG(state(b, s, ids, n, QN_POOL_CLS, got, &err) == 48, "%s", err.text);
        classify(scores, head, got);
        compare(scores, head->n, data_of(c, "logits"), at * head->n, what);
    }
    struct qn_json_value layers = qn_json_get(c, "layers");
    struct qn_json_value last = nth(layers, qn_json_count(layers) - 1);
    if (at + 1 == qn_json_count(qn_json_get(c, "input_ids"))) { // the last row has no padding
        snprintf(what, sizeof what, "%s, %u tokens, last", name, n);
        CHECK(state(b, s, ids, n, QN_POOL_LAST, got, &err) == 48);
        compare(got, 8, qn_json_get(last, "last_row_first8"), 0, what);
    }
}

/* Every case of a fixture, by a model in `f`. */
static void check_goldens(const struct folder *f, const char *name, uint32_t types,
                          const char *label) {
    static struct head head;
    struct qn_arena arena;
    struct qn_json json;
    struct qn_error err = {0};
    struct qn_str text = fixture_file(name, "golden.json");
    qn_arena_init(&arena, qn_allocator_default());
    bool has_head = read_head(&head, name);
    CHECK(qn_json_parse(&json, &arena, text, &err) == QN_OK);
    for (int gpu = 0; gpu < 2; gpu++) {
        struct bench b;
        qn_session *s = NULL;
        char what[120];
        snprintf(what, sizeof what, "%s on the %s", label, gpu ? "GPU" : "CPU");
        CHECK_MSG(open_bench(&b, f, gpu != 0, &err) &&
                      qn_session_create(&s, b.engine, &err) == QN_OK,
                  "%s: %s", what, err.text);
        CHECK(qn_engine_embeds(b.engine) && qn_engine_vocab(b.engine) == 48);
        CHECK(qn_engine_context(b.engine) == 64);
        uint32_t rows = 0;
        struct qn_json_iter it = qn_json_iterate(qn_json_get(qn_json_root(&json), "cases"));
        while (s && qn_json_each(&it)) {
            struct qn_json_iter row = qn_json_iterate(qn_json_get(it.value, "input_ids"));
            for (uint32_t at = 0; qn_json_each(&row); at++, rows++)
                check_row(&b, s, it.value, at, row.value, types, has_head ? &head : NULL, what);
        }
        CHECK(rows == 6);
        bench_stop(&b);
    }
    qn_arena_free(&arena);
    free((void *)(uintptr_t)text.p);
}

/* ---- MiniLM in three formats ----------------------------------------------------------------- */

static struct qn_str own(const char *text) {
    size_t n = strlen(text);
    char *p = malloc(n + 1);
    memcpy(p, text, n + 1);
    return (struct qn_str){p, n};
}

#define VOCAB 199u

/* The golden texts have tokens of both types, requests only of the first. So the vocabulary is
 * there twice: row id + VOCAB is row id with the second type's vector in place of the first's. */
static bool read_minilm(struct new_model *m) {
    if (!new_read(m, "enc/minilm"))
        return false;
    struct new_tensor *words = new_find(m, "embeddings.word_embeddings.weight");
    const float *types = new_find(m, "embeddings.token_type_embeddings.weight")->bytes;
    float *twice = malloc(2 * words->n);
    memcpy(twice, words->bytes, words->n);
    for (uint32_t i = 0; i < VOCAB * 48; i++)
        twice[VOCAB * 48 + i] = twice[i] + (types[48 + i % 48] - types[i % 48]);
    free(words->bytes);
    words->bytes = twice;
    words->n *= 2;
    words->dims[0] *= 2;
    return true;
}

static void as_safetensors(struct folder *f, const struct new_model *m, const char *config) {
    memset(f, 0, sizeof *f);
    put(f, "config.json",
        replaced(fixture_file("enc/minilm", config), "\"vocab_size\": 199", "\"vocab_size\": 398"));
    put(f, "model.safetensors", new_safetensors(m));
}

static void take(struct new_model *to, const struct new_model *from, const char *name,
                 const char *as) {
    for (uint32_t i = 0; i < from->n; i++) {
        const struct new_tensor *t = &from->tensors[i];
        if (strcmp(t->name, name) != 0)
            continue;
        struct new_tensor *n = &to->tensors[to->n++];
        *n = *t;
        snprintf(n->name, sizeof n->name, "%s", as);
        n->bytes = malloc(t->n);
        memcpy(n->bytes, t->bytes, t->n);
        return;
    }
    CHECK_MSG(false, "%s", name);
}

/* As mlc-llm's converter writes it: q, k and v in one. */
static void as_mlc(struct folder *f, const struct new_model *m) {
    static struct new_model out;
    static const char *const parts[3] = {"query", "key", "value"};
    out.n = 0;
    for (uint32_t i = 0; i < m->n; i++)
        if (!strstr(m->tensors[i].name, ".self.") && !strstr(m->tensors[i].name, "pooler"))
            take(&out, m, m->tensors[i].name, m->tensors[i].name);
    for (int layer = 0; layer < 2; layer++)
        for (int bias = 0; bias < 2; bias++) {
            char name[128];
            snprintf(name, sizeof name, "encoder.layer.%d.attention.self.qkv.%s", layer,
                     bias ? "bias" : "weight");
            struct new_tensor *t =
                new_add(&out, name, "", "F32", bias ? 1 : 2, 3 * 48, bias ? 1 : 48, 4);
            for (int i = 0; i < 3; i++) {
                snprintf(name, sizeof name, "encoder.layer.%d.attention.self.%s.%s", layer,
                         parts[i], bias ? "bias" : "weight");
                const struct new_tensor *from = new_find((struct new_model *)(uintptr_t)m, name);
                memcpy((char *)t->bytes + (size_t)i * from->n, from->bytes, from->n);
            }
        }
    memset(f, 0, sizeof *f);
    put(f, "mlc-chat-config.json",
        own("{\"version\":\"0.1.0\",\"model_type\":\"bert\",\"quantization\":\"q0f32\","
            "\"model_config\":{\"vocab_size\":398,\"hidden_size\":48,\"num_hidden_layers\":2,"
            "\"num_attention_heads\":4,\"intermediate_size\":128,\"hidden_act\":\"gelu\","
            "\"layer_norm_eps\":1e-12,\"context_window_size\":64,\"prefill_chunk_size\":64,"
            "\"tensor_parallel_shards\":1,\"head_dim\":12,\"max_batch_size\":80},"
            "\"vocab_size\":398,\"context_window_size\":64,\"sliding_window_size\":-1,"
            "\"embedding_metadata\":{\"model_type\":\"encoder\",\"pooling_strategy\":\"mean\"}}"));
    struct qn_str shard;
    put(f, "tensor-cache.json", new_mlc(&shard, &out));
    put(f, "params_shard_0.bin", shard);
    new_free(&out);
}

static void key_u32(struct text_out *o, const char *key, uint32_t type, const void *value) {
    uint64_t n = strlen(key);
    text_put(o, &n, 8);
    text_put(o, key, n);
    text_put(o, &type, 4);
    text_put(o, value, 4);
}

/* As llama.cpp's converter writes it. `pooling`: its number; 9: no such key. */
static void as_gguf(struct folder *f, const struct new_model *m, uint32_t pooling) {
    static const char *const layer[][2] = {{"attention.self.query", "attn_q"},
                                           {"attention.self.key", "attn_k"},
                                           {"attention.self.value", "attn_v"},
                                           {"attention.output.dense", "attn_output"},
                                           {"attention.output.LayerNorm", "attn_output_norm"},
                                           {"intermediate.dense", "ffn_up"},
                                           {"output.dense", "ffn_down"},
                                           {"output.LayerNorm", "layer_output_norm"}};
    static const struct {
        const char *key;
        uint32_t value;
    } keys[] = {{"bert.block_count", 2},
                {"bert.context_length", 64},
                {"bert.embedding_length", 48},
                {"bert.feed_forward_length", 128},
                {"bert.attention.head_count", 4}};
    static struct new_model out;
    char from[128], to[128];
    out.n = 0;
    take(&out, m, "embeddings.word_embeddings.weight", "token_embd.weight");
    take(&out, m, "embeddings.position_embeddings.weight", "position_embd.weight");
    take(&out, m, "embeddings.token_type_embeddings.weight", "token_types.weight");
    take(&out, m, "embeddings.LayerNorm.weight", "token_embd_norm.weight");
    take(&out, m, "embeddings.LayerNorm.bias", "token_embd_norm.bias");
    for (int i = 0; i < 2 * 2 * 8; i++) {
        const char *suffix = i % 2 ? "bias" : "weight";
        snprintf(from, sizeof from, "encoder.layer.%d.%s.%s", i / 16, layer[i / 2 % 8][0], suffix);
        snprintf(to, sizeof to, "blk.%d.%s.%s", i / 16, layer[i / 2 % 8][1], suffix);
        take(&out, m, from, to);
    }
    struct text_out o = {NULL, 0, 0};
    uint32_t version = 3, eps_type = 6, u32 = 4;
    uint64_t n = 0, n_keys = 2 + sizeof keys / sizeof *keys + (pooling < 9);
    float eps = 1e-12f;
    text_put(&o, "GGUF", 4);
    text_put(&o, &version, 4);
    text_put(&o, &n, 8);
    text_put(&o, &n_keys, 8);
    const char *name = "general.architecture";
    n = strlen(name);
    text_put(&o, &n, 8);
    text_put(&o, name, n);
    text_put(&o, (const uint32_t[]){8, 4, 0}, 12); // a string of four bytes
    text_put(&o, "bert", 4);
    key_u32(&o, "bert.attention.layer_norm_epsilon", eps_type, &eps);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        key_u32(&o, keys[i].key, u32, &keys[i].value);
    if (pooling < 9)
        key_u32(&o, "bert.pooling_type", u32, &pooling);
    n = strlen("token_embd.weight");
    text_put(&o, &n, 8);
    text_put(&o, "token_embd.weight", n);
    memset(f, 0, sizeof *f);
    f->main = "m.gguf";
    put(f, "m.gguf", new_gguf(&out, (struct qn_str){o.p, o.n}, QN_STR("token_embd.weight")));
    free(o.p);
    new_free(&out);
}

static void check_minilm(const struct new_model *m) {
    struct folder f;
    as_safetensors(&f, m, "config.json");
    check_goldens(&f, "enc/minilm", VOCAB, "safetensors");
    folder_free(&f);
    as_safetensors(&f, m, "config.legacy.json");
    check_goldens(&f, "enc/minilm", VOCAB, "transformers 4");
    folder_free(&f);
    as_mlc(&f, m);
    check_goldens(&f, "enc/minilm", VOCAB, "MLC");
    folder_free(&f);
    as_gguf(&f, m, 1);
    check_goldens(&f, "enc/minilm", VOCAB, "GGUF");
    folder_free(&f);
}

static void check_others(void) {
    static const char *const names[][2] = {
        {"enc/distilbert", "config.json"}, {"enc/distilbert", "config.legacy.json"},
        {"enc/roberta", "config.json"},    {"enc/roberta", "config.legacy.json"},
        {"enc/mpnet", "config.json"},      {"enc/mpnet", "config.legacy.json"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct folder f = {0};
        put(&f, "config.json", fixture_file(names[i][0], names[i][1]));
        put(&f, "model.safetensors", fixture_file(names[i][0], "model.safetensors"));
        check_goldens(&f, names[i][0], 0, names[i][0]);
        folder_free(&f);
    }
}

/* ---- Distances ------------------------------------------------------------------------------- */

/* MPNet's table with each bucket's number in it: 8 single distances, then 11.3, 16, 22.6, … = 8 ×
 * 16^(k / 8) and up; those ahead from 16 on. */
static void check_distances(void) {
    static const uint32_t first[9] = {8, 12, 16, 23, 32, 46, 64, 91, 1000}; // of buckets 8, 9, …
    static struct new_model m;
    struct folder f = {0};
    struct qn_arena arena;
    struct qn_directory d;
    struct qn_model model;
    struct qn_model_options options = {0};
    struct qn_error err = {0};
    if (!new_read(&m, "enc/mpnet"))
        return;
    float *table = new_find(&m, "encoder.relative_attention_bias.weight")->bytes;
    for (int i = 0; i < 32 * 4; i++)
        table[i] = (float)(i / 4 + 100 * (i % 4));
    put(&f, "config.json", fixture_file("enc/mpnet", "config.json"));
    put(&f, "model.safetensors", new_safetensors(&m));
    const struct qn_files files = qn_files_from_memory(&f.files);
    qn_arena_init(&arena, qn_allocator_default());
    CHECK_MSG(qn_directory_open(&d, &arena, &files, QN_STR(""), &err) == QN_OK &&
                  qn_model_build(&model, &arena, &d, &files, &options, &err) == QN_OK,
              "%s", err.text);
    uint32_t checked = 0;
    for (uint32_t i = 0; i < model.program.n_weights; i++) {
        const struct qn_weight *w = &model.program.weights[i];
        if (!w->computed || w->cols != 4 * QN_RELATIVE)
            continue;
        for (int to = -200; to <= 200; to++) {
            uint32_t far = (uint32_t)(to < 0 ? -to : to), bucket = far < 8 ? far : 8;
            while (far >= 8 && far >= first[bucket - 7])
                bucket++;
            uint32_t at = qn_relative_at(300, (uint32_t)(300 + to));
            for (uint32_t h = 0; h < 4; h++, checked++)
                CHECK_MSG(w->computed[h * QN_RELATIVE + at] ==
                              (float)(bucket + (to > 0 ? 16 : 0) + 100 * h),
                          "distance %d: %g", to, (double)w->computed[h * QN_RELATIVE + at]);
        }
    }
    CHECK(checked == 401 * 4);
    qn_arena_free(&arena);
    folder_free(&f);
    new_free(&m);
}

/* ---- Pooling --------------------------------------------------------------------------------- */

#define MODULE(kind) "{\"idx\":0,\"path\":\"\",\"type\":\"sentence_transformers.models." kind "\"}"

static void check_pooling(const struct new_model *m) {
    static const struct {
        const char *modules, *config, *says;
        enum qn_pooling pooling;
    } cases[] = {
        {NULL, NULL, NULL, QN_POOL_MEAN},
        {"[" MODULE("Transformer") "," MODULE("Pooling") "," MODULE("Normalize") "]",
         "{\"pooling_mode_cls_token\":true,\"pooling_mode_mean_tokens\":false,\"x\":true}", NULL,
         QN_POOL_CLS},
        {"[" MODULE("Pooling") "]", "{\"pooling_mode_mean_tokens\":true}", NULL, QN_POOL_MEAN},
        {"[" MODULE("Pooling") "]", "{\"pooling_mode_lasttoken\":true}", NULL, QN_POOL_LAST},
        {"[" MODULE("Pooling") "]", "{\"pooling_mode\":\"cls\"}", NULL, QN_POOL_CLS},
        {"[" MODULE("Pooling") "]", NULL, NULL, QN_POOL_MEAN},
        {"[" MODULE("Transformer") "]", "{\"pooling_mode_cls_token\":true}", NULL, QN_POOL_MEAN},
        {"[" MODULE("Pooling") "]", "{\"pooling_mode_max_tokens\":true}", "max_tokens", 0},
        {"[" MODULE("Pooling") "]",
         "{\"pooling_mode_cls_token\":true,\"pooling_mode_mean_tokens\":true}", "mean_tokens", 0},
        {"[" MODULE("Pooling") "]", "{\"pooling_mode\":\"max\"}", "max", 0},
        {"[" MODULE("Pooling") "," MODULE("Dense") "]", "{}", "models.Dense", 0},
        {"[", NULL, "JSON", 0},
    };
    static const uint32_t ids[5] = {3, 141, 59, 26, 5};
    struct folder f;
    struct bench b;
    struct qn_error err = {0};
    float own_state[ROOM], want[ROOM];
    as_safetensors(&f, m, "config.json");
    size_t n = f.files.n;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        f.files.n = n;
        if (cases[i].modules)
            put(&f, "modules.json", own(cases[i].modules));
        if (cases[i].config)
            put(&f, "1_Pooling/config.json", own(cases[i].config));
        bool opened = open_bench(&b, &f, false, &err);
        CHECK_MSG(opened == !cases[i].says, "case %zu: %s", i, err.text);
        if (opened) {
            qn_session *s;
            CHECK(qn_session_create(&s, b.engine, &err) == QN_OK);
            CHECK(state(&b, s, ids, 5, QN_POOL_MODEL, own_state, &err) == 48);
            CHECK(state(&b, s, ids, 5, cases[i].pooling, want, &err) == 48);
            CHECK_MSG(memcmp(own_state, want, 48 * sizeof *want) == 0, "case %zu", i);
        } else {
            CHECK_MSG(strstr(err.text, cases[i].says), "case %zu: %s", i, err.text);
        }
        bench_stop(&b);
        for (size_t k = n; k < f.files.n; k++)
            free((void *)(uintptr_t)f.list[k].bytes.p);
    }
    f.files.n = n;
    folder_free(&f);
    static const enum qn_pooling numbered[] = {QN_POOL_MEAN, QN_POOL_MEAN, QN_POOL_CLS,
                                               QN_POOL_LAST};
    for (uint32_t i = 0; i < 10; i += i < 4 ? 1 : 5) {
        as_gguf(&f, m, i);
        bool opened = open_bench(&b, &f, false, &err);
        CHECK_MSG(opened == (i != 4), "pooling_type %u: %s", i, err.text);
        if (opened) {
            qn_session *s;
            CHECK(qn_session_create(&s, b.engine, &err) == QN_OK);
            CHECK(state(&b, s, ids, 5, QN_POOL_MODEL, own_state, &err) == 48);
            CHECK(state(&b, s, ids, 5, i < 4 ? numbered[i] : QN_POOL_MEAN, want, &err) == 48);
            CHECK(memcmp(own_state, want, 48 * sizeof *want) == 0);
        }
        bench_stop(&b);
        folder_free(&f);
    }
}

/* ---- What is refused, and what fails --------------------------------------------------------- */

static void check_config(const struct new_model *m) {
    static const char *const changes[][3] = {
        {"\"is_decoder\": false", "\"is_decoder\": true", "is_decoder"},
        {"\"absolute\"", "\"relative_key\"", "position_embedding_type"},
        {"\"model_type\": \"bert\"", "\"model_type\": \"deberta\"", "BertModel"},
        {"\"max_position_embeddings\": 64", "\"max_position_embeddings\": 65", "[65, 48]"},
    };
    struct folder f;
    struct bench b;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        struct qn_error err = {0};
        as_safetensors(&f, m, "config.json");
        f.list[0].bytes = replaced(f.list[0].bytes, changes[i][0], changes[i][1]);
        CHECK_MSG(!open_bench(&b, &f, false, &err) && strstr(err.text, changes[i][2]), "%s: %s",
                  changes[i][1], err.text);
        bench_stop(&b);
        folder_free(&f);
    }
    struct qn_error err = {0};
    memset(&f, 0, sizeof f);
    put(&f, "config.json",
        replaced(fixture_file("enc/roberta", "config.json"), "\"pad_token_id\": 1",
                 "\"pad_token_id\": 65"));
    put(&f, "model.safetensors", fixture_file("enc/roberta", "model.safetensors"));
    CHECK(!open_bench(&b, &f, false, &err) && strstr(err.text, "pad_token_id"));
    bench_stop(&b);
    folder_free(&f);
}

/* Every allocation and every read of opening and loading fails once. */
static void check_faults(const struct new_model *m) {
    struct folder f;
    as_safetensors(&f, m, "config.json");
    put(&f, "modules.json", own("[" MODULE("Transformer") "," MODULE("Pooling") "]"));
    put(&f, "1_Pooling/config.json", own("{\"pooling_mode_cls_token\":true}"));
    const struct qn_files inner = qn_files_from_memory(&f.files);
    for (int reads = 0; reads < 2; reads++)
        for (uint64_t n = 1;; n++) {
            struct faults faults;
            struct qn_error err = {0};
            faults_init(&faults);
            *(reads ? &faults.fail_read : &faults.fail_alloc) = n;
            struct qn_allocator allocator = faults_allocator(&faults);
            struct bench b = {0};
            struct qn_engine_desc desc = {
                .allocator = &allocator, .files = faults_files(&faults, &inner), .main = ""};
            enum qn_status status = bench_open(&b, &desc, &err);
            qn_engine_destroy(b.engine);
            CHECK(faults.live == 0);
            if (!faults.fired) {
                CHECK(status == QN_OK && n > 5);
                break;
            }
            if (!CHECK_MSG(status == (reads ? QN_E_IO : QN_E_NO_MEMORY), "%s %llu: %s",
                           reads ? "read" : "allocation", (unsigned long long)n, err.text))
                break;
        }
    folder_free(&f);
}

int main(void) {
    static struct new_model minilm;
    if (!fixtures_there()) {
        printf("skipped: no ../shared\n");
        return test_done("encoder");
    }
    if (read_minilm(&minilm)) {
        check_minilm(&minilm);
        check_pooling(&minilm);
        check_config(&minilm);
        check_faults(&minilm);
    }
    check_others();
    check_distances();
    new_free(&minilm);
    return test_done("encoder");
}
