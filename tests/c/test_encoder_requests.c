/* Requests for embeddings to an encoder: what the tokenizer adds, what is refused, and that texts
 * do not touch each other. */
#include "base/buf.h"
#include "base/json.h"
#include "tests/c/encoder_case.h"

/* The vector of an OpenAI request. */
static uint32_t ask(struct bench *b, qn_session *s, const char *json, float out[ROOM],
                    struct qn_error *err) {
    memset(err, 0, sizeof *err);
    return qn_session_start_embedding(s, qn_str_from(json), err) == QN_OK ? finish(b, s, out, err)
                                                                          : 0;
}

/* A vocabulary as large as the tokenizer's, with rows again and again. */
static void with_tokenizer(struct folder *f, struct new_model *m, uint32_t vocab) {
    struct new_tensor *words = new_find(m, "embeddings.word_embeddings.weight");
    float *rows = malloc((size_t)vocab * 48 * sizeof *rows);
    for (size_t i = 0; i < (size_t)vocab * 48; i++)
        rows[i] = ((float *)words->bytes)[i % (words->n / sizeof *rows)];
    free(words->bytes);
    words->bytes = rows;
    words->n = (size_t)vocab * 48 * sizeof *rows;
    words->dims[0] = vocab;
    memset(f, 0, sizeof *f);
    put(f, "config.json",
        replaced(fixture_file("enc/minilm", "config.json"), "\"vocab_size\": 199",
                 "\"vocab_size\": 1000"));
    put(f, "model.safetensors", new_safetensors(m));
    put(f, "tokenizer.json", fixture_file("tokenizers/bert_uncased", "tokenizer.json"));
}

static void check_refusals(struct bench *b, qn_session *s) {
    static const char *const asks[][2] = {
        {"{\"input\":[1],\"pooling\":\"max\"}", "\"cls\""},
        {"{\"input\":[1],\"dimensions\":49}", "dimensions"},
        {"{\"input\":[1000]}", "1000"},
        {"{\"input\":[]}", "no tokens"},
        {"{\"input\":\"a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a "
         "a a a a a a a a a a a a a a a a a a a a a a a a a\"}",
         "65 tokens, the context 64"},
    };
    float out[ROOM];
    struct qn_error err;
    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++)
        CHECK_MSG(ask(b, s, asks[i][0], out, &err) == 0 && strstr(err.text, asks[i][1]), "%s: %s",
                  asks[i][0], err.text);
    static const uint32_t ids[2] = {1, 2};
    struct qn_request r = {.ids = ids, .n_ids = 2, .max_tokens = 1};
    CHECK(qn_session_start(s, &r, &err) == QN_E_UNSUPPORTED);
    r = (struct qn_request){.ids = ids, .n_ids = 2, .want = QN_WANT_LOGITS | QN_WANT_LOGITS_ALL};
    CHECK(qn_session_start(s, &r, &err) == QN_E_UNSUPPORTED);
    CHECK(qn_session_start_chat(s, QN_STR("{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}"),
                                &err) == QN_E_UNSUPPORTED &&
          strstr(err.text, "embeddings (bert)"));
    CHECK(qn_session_start_completion(s, QN_STR("{\"prompt\":\"a\"}"), &err) == QN_E_UNSUPPORTED);
}

/* Texts in any order, at once or one by one, give the same bits. */
static void check_apart(struct bench *b) {
    static const uint32_t texts[3][6] = {{3, 1, 4, 1, 5, 9}, {3, 1, 4, 1, 6, 2}, {3, 1, 4}};
    static const size_t lengths[3] = {6, 6, 3};
    struct qn_error err = {0};
    float alone[3][ROOM], again[ROOM], together[3][ROOM] = {{0}};
    qn_session *s[3];
    for (int i = 0; i < 3; i++) {
        CHECK(qn_session_create(&s[i], b->engine, &err) == QN_OK);
        CHECK(state(b, s[i], texts[i], lengths[i], QN_POOL_MEAN, alone[i], &err) == 48);
    }
    for (int i = 0; i < 3; i++) {
        CHECK(state(b, s[0], texts[i], lengths[i], QN_POOL_MEAN, again, &err) == 48);
        CHECK(memcmp(again, alone[i], 48 * sizeof(float)) == 0);
    }
    bool done[3] = {false};
    for (int i = 0; i < 3; i++) {
        struct qn_request r = {
            .ids = texts[i], .n_ids = lengths[i], .want = QN_WANT_LOGITS, .pooling = QN_POOL_MEAN};
        CHECK(qn_engine_start(b->engine, &s[i], &r, &err) == QN_OK); // none waits for another
    }
    for (int turn = 0; CHECK(turn < 1000) && !(done[0] && done[1] && done[2]); turn++) {
        int i = turn % 3;
        struct qn_event e;
        if (done[i])
            continue;
        CHECK(qn_session_next(s[i], &e, &err) == QN_OK);
        bench_pump(b);
        if (e.kind == QN_EVENT_LOGITS)
            memcpy(together[i], e.logits, 48 * sizeof(float));
        done[i] = e.kind == QN_EVENT_DONE;
        CHECK(!done[i] || e.reused_tokens == 0);
    }
    for (int i = 0; i < 3; i++)
        CHECK(memcmp(together[i], alone[i], 48 * sizeof(float)) == 0);
}

/* What a text brings along itself is not added again. */
static void check_framed(struct bench *b, qn_session *s) {
    static const char *const same[][2] = {
        {"{\"input\":\"data cloud!\"}", "{\"input\":\"[CLS] data cloud! [SEP]\"}"},
        {"{\"input\":\"data\"}", "{\"input\":\"[CLS]data\"}"},
        {"{\"input\":\"\"}", "{\"input\":\"[SEP]\"}"},
        {"{\"input\":\"\"}", "{\"input\":[2,3]}"},
    };
    struct qn_error err;
    float a[ROOM], c[ROOM];
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        CHECK_MSG(ask(b, s, same[i][0], a, &err) == 48, "%s", err.text);
        CHECK_MSG(ask(b, s, same[i][1], c, &err) == 48, "%s", err.text);
        CHECK_MSG(memcmp(a, c, 48 * sizeof *a) == 0, "%s", same[i][1]);
    }
    CHECK(ask(b, s, "{\"input\":[2,2,3]}", c, &err) == 48 && memcmp(a, c, 48 * sizeof *a) != 0);
}

static void check_requests(struct new_model *m) {
    struct folder f;
    struct qn_arena arena;
    struct qn_json golden;
    struct qn_error err = {0};
    struct qn_str text = fixture_file("tokenizers/bert_uncased", "golden.json");
    qn_arena_init(&arena, qn_allocator_default());
    CHECK(qn_json_parse(&golden, &arena, text, &err) == QN_OK);
    with_tokenizer(&f, m, 1000);
    for (int gpu = 0; gpu < 2; gpu++) {
        struct bench b;
        qn_session *s = NULL;
        CHECK_MSG(open_bench(&b, &f, gpu != 0, &err) &&
                      qn_session_create(&s, b.engine, &err) == QN_OK,
                  "%s", err.text);
        uint32_t checked = 0;
        struct qn_json_iter it = qn_json_iterate(qn_json_get(qn_json_root(&golden), "cases"));
        while (s && checked < 12 && qn_json_each(&it)) { // [CLS] and [SEP] are added
            struct qn_json_value list = qn_json_get(it.value, "ids_special");
            float got[ROOM], want[ROOM];
            uint32_t ids[64], n = 0;
            if (qn_json_count(list) > 64 || qn_json_count(list) < 5)
                continue;
            for (struct qn_json_iter id = qn_json_iterate(list); qn_json_each(&id); n++)
                CHECK(qn_json_u32(&ids[n], id.value));
            struct qn_buf json;
            qn_buf_init(&json, qn_allocator_default());
            qn_buf_cstr(&json, "{\"input\":\"");
            qn_buf_str(&json, qn_json_raw(qn_json_get(it.value, "text")));
            qn_buf_cstr(&json, "\"}");
            qn_buf_char(&json, 0);
            CHECK_MSG(ask(&b, s, json.p, got, &err) == 48, "%s: %s", json.p, err.text);
            CHECK(state(&b, s, ids, n, QN_POOL_MODEL, want, &err) == 48);
            unit(want, 48);
            for (int i = 0; i < 48; i++)
                CHECK(fabsf(got[i] - want[i]) < 1e-6f);
            qn_buf_free(&json);
            checked++;
        }
        CHECK(checked == 12);
        check_framed(&b, s);
        check_refusals(&b, s);
        check_apart(&b);
        bench_stop(&b);
    }
    folder_free(&f);
    qn_arena_free(&arena);
    free((void *)(uintptr_t)text.p);
}

int main(void) {
    static struct new_model minilm;
    if (!fixtures_there()) {
        printf("skipped: no ../shared\n");
        return test_done("encoder_requests");
    }
    if (new_read(&minilm, "enc/minilm"))
        check_requests(&minilm);
    new_free(&minilm);
    return test_done("encoder_requests");
}
