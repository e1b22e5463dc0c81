/* Steps of several sessions on the reference host: each session gets what it gets alone, bit for
 * bit, whoever joins and leaves; for one pass and one small write, in as many dispatches as one
 * session takes; with the sessions in one bank or in several. */
#include "tests/c/webgpu_bench.h"

#define SESSIONS 7
#define PROMPT 40
#define TOKENS 24

static const struct model_shape base = SMALL_MODEL(40);

static uint32_t prompt[PROMPT];
static uint32_t masks[SESSIONS][(VOCAB + 31) / 32]; // of the constrained session, by token
static const uint32_t bias_ids[] = {5, 9, 300};
static const float bias[] = {3.0f, 8.0f, -100.0f};

/* What each session is asked: samplers of every kind, one that has masks, prompts from 3 ids on. */
static struct qn_sampling sampling_of(uint32_t i) {
    static const struct qn_sampling all[SESSIONS] = {
        {.temperature = 0},
        {.temperature = 1.1f, .seed = 1},
        {.temperature = 0.9f, .top_k = 12, .top_p = 0.9f, .seed = 2},
        {.repetition_penalty = 1.3f, .frequency_penalty = 0.4f},
        {.temperature = 0}, // with masks
        {.temperature = 1.0f,
         .presence_penalty = 0.5f,
         .seed = 3,
         .bias_ids = bias_ids,
         .bias = bias,
         .n_bias = 3},
        {.temperature = 0},
    };
    return all[i];
}

static uint32_t length_of(uint32_t i) {
    return 3 + i * 5;
}

static bool is_masked(uint32_t i) {
    return i == 4;
}

struct conversation {
    struct qn_backend_session *s;
    uint32_t length, sent, got; // tokens sampled, and received
    uint32_t tokens[TOKENS];
    unsigned char *cache; // both states, of all positions
};

static size_t state_bytes(const struct qn_program *p) {
    size_t n = 0;
    for (uint32_t i = 0; i < p->n_tensors; i++)
        if (p->tensors[i].kind == QN_TENSOR_STATE)
            n += (size_t)p->tensors[i].nbytes;
    return n;
}

/* The first n positions of all states. */
static void save(struct pair *p, struct conversation *c, uint32_t n) {
    struct qn_error err = {0};
    unsigned char *at = c->cache = calloc(1, state_bytes(p->program));
    for (uint32_t i = 0; i < p->program->n_tensors; i++) {
        const struct qn_program_tensor *t = &p->program->tensors[i];
        if (t->kind != QN_TENSOR_STATE)
            continue;
        bool ready = false;
        for (int calls = 0; !ready && calls < 3; calls++) {
            CHECK_MSG(p->gpu->ops->save(p->gpu, c->s, at, i, 0, n, &ready, &err) == QN_OK, "%s",
                      err.text);
            CHECK(pump(p->host, p->gpu) == QN_OK);
        }
        CHECK(ready);
        at += (size_t)t->nbytes / t->dims[1].n * n;
    }
}

static bool begin(struct pair *p, struct conversation *c, uint32_t i) {
    struct qn_error err = {0};
    struct qn_sampling sampling = sampling_of(i);
    c->s = session_open(p->gpu);
    return c->s &&
           CHECK(p->gpu->ops->begin(p->gpu, c->s, &sampling, prompt + i, c->length, &err) == QN_OK);
}

/* The prompt, whose last step samples the first token; a masked session's last id goes on
 * its own. */
static void feed(struct pair *p, struct conversation *c, uint32_t i) {
    const uint32_t chunk = 7;
    uint32_t n = c->length - is_masked(i);
    struct qn_step_result r;
    for (uint32_t at = 0; at < n; at += chunk) {
        uint32_t t = qn_min_u32(chunk, n - at);
        struct qn_step step = {prompt + i + at, t, at, at + t == c->length, 0, 0};
        CHECK(step_once(p->gpu, p->host, c->s, &step, &r));
    }
    if (!is_masked(i))
        c->tokens[c->got++] = r.token;
    c->sent = c->got;
}

static struct qn_step next_step(const struct conversation *c, uint32_t i) {
    struct qn_step step = {.pos = c->length + c->sent - 1, .sample = true, .session = c->s};
    if (c->sent == 0) { // its prompt's last id
        step.ids = prompt + i + c->length - 1;
        step.n = 1;
    }
    if (is_masked(i))
        step.mask = masks[c->sent % SESSIONS];
    return step;
}

static void poll(struct pair *p, struct conversation *c) {
    struct qn_step_result r;
    struct qn_error err = {0};
    bool ready = false;
    CHECK_MSG(p->gpu->ops->poll(p->gpu, c->s, &r, &ready, &err) == QN_OK && ready && r.sampled,
              "%s", err.text);
    c->tokens[c->got++] = r.token;
}

/* What each gives with nobody beside it. */
static void run_alone(struct pair *p, struct conversation *all, uint32_t base_length) {
    for (uint32_t i = 0; i < SESSIONS; i++) {
        struct conversation *c = &all[i];
        *c = (struct conversation){.length = base_length ? base_length - i : length_of(i)};
        if (!begin(p, c, i))
            return;
        feed(p, c, i);
        while (c->sent < TOKENS) {
            struct qn_step step = next_step(c, i);
            CHECK(qn_backend_step(p->gpu, c->s, &step, NULL) == QN_OK);
            c->sent++;
            CHECK(pump(p->host, p->gpu) == QN_OK);
            poll(p, c);
        }
        save(p, c, c->length + TOKENS - 1);
        p->gpu->ops->session_destroy(p->gpu, c->s);
    }
}

/* Session i joins in round 2 i and leaves when it has its tokens; results come up to two rounds
 * late. */
static void run_together(struct pair *p, struct conversation *all, const struct conversation *want,
                         const char *name) {
    struct qn_error err = {0};
    uint32_t ended = 0, joined = 0, most = 0;
    for (uint32_t round = 0; ended < SESSIONS && round < 200; round++) {
        qn_null_host_hold(qn_ref_host_checks(p->host), false);
        for (; joined < SESSIONS && joined * 2 <= round; joined++) {
            struct conversation *c = &all[joined];
            *c = (struct conversation){.length = want[joined].length};
            if (!begin(p, c, joined))
                return;
            feed(p, c, joined);
        }
        struct qn_step steps[SESSIONS];
        uint32_t n = 0;
        for (uint32_t i = 0; i < joined; i++)
            if (all[i].s && all[i].sent < TOKENS)
                steps[n++] = next_step(&all[i], i);
        most = qn_max_u32(most, n);
        if (n > 0 && !CHECK_MSG(p->gpu->ops->enqueue(p->gpu, steps, n, &err) == QN_OK, "%s: %s",
                                name, err.text))
            return;
        bool late = round % 3 != 2;
        qn_null_host_hold(qn_ref_host_checks(p->host), late && n > 0);
        for (uint32_t i = 0; i < joined; i++)
            all[i].sent += all[i].s && all[i].sent < TOKENS;
        CHECK(pump(p->host, p->gpu) == QN_OK);
        if (late && n > 0)
            continue;
        for (uint32_t i = 0; i < joined; i++) {
            struct conversation *c = &all[i];
            while (c->s && c->got < c->sent)
                poll(p, c);
            if (!c->s || c->got < TOKENS)
                continue;
            save(p, c, c->length + TOKENS - 1);
            p->gpu->ops->session_destroy(p->gpu, c->s);
            c->s = NULL;
            ended++;
        }
    }
    CHECK_MSG(ended == SESSIONS && most > 4, "%s: %u ended, %u at once", name, ended, most);
    for (uint32_t i = 0; i < SESSIONS; i++) {
        for (uint32_t k = 0; k < TOKENS; k++)
            CHECK_MSG(all[i].tokens[k] == want[i].tokens[k], "%s: session %u, token %u: %u, not %u",
                      name, i, k, all[i].tokens[k], want[i].tokens[k]);
        CHECK_MSG(all[i].cache && memcmp(all[i].cache, want[i].cache, state_bytes(p->program)) == 0,
                  "%s: session %u: another cache", name, i);
        free(all[i].cache);
    }
}

static void check_together(const char *name, const struct model_shape *shape,
                           const struct qn_gpu_caps *caps, uint32_t base_length) {
    struct model m;
    struct pair p;
    static struct conversation alone[SESSIONS], together[SESSIONS];
    pair_open_model(&p, &m, shape, caps);
    run_alone(&p, alone, base_length);
    memset(together, 0, sizeof together);
    run_together(&p, together, alone, name);
    for (uint32_t i = 0; i < SESSIONS; i++)
        free(alone[i].cache);
    pair_close_model(&p, &m);
}

static void test_together(void) {
    struct model_shape shape = base;
    check_together("a bank", &shape, NULL, 0);
    shape.window = 9;
    shape.kv = QN_DTYPE_F16;
    check_together("window, f16 cache", &shape, NULL, 0);
    shape = base;
    shape.no_fusion = true;
    shape.post_norm = true;
    check_together("post-norms, no fusion", &shape, NULL, 0);
    shape = base;
    shape.type = QN_W_F16;
    shape.hidden = 50; // no multiple of 4: no matvec
    shape.mlp = 33;
    shape.n_heads = shape.n_kv_heads = 3;
    check_together("odd columns", &shape, NULL, 0);
    // A slot of a state is 20 KiB: two to a bank, of which there are four then.
    struct qn_gpu_caps caps = {.max_binding = 50 << 10};
    check_together("several banks", &base, &caps, 0);
}

/* Products of bytes: up to 1,024 positions the matvec behind attention joins its splits. Some
 * sessions cross that, so that they share no step with the others for a while. */
static void test_short(void) {
    struct qn_gpu_caps caps = {
        .features = QN_GPU_SUBGROUPS | QN_GPU_PACKED_DOT, .subgroup_min = 32, .subgroup_max = 32};
    struct model_shape shape = base;
    check_together("joined splits", &shape, &caps, 0);
    shape.post_norm = true;
    check_together("joined splits, post-norms", &shape, &caps, 0);
    caps.features |= QN_GPU_ROWS;
    check_together("packed rows, joined splits, post-norms", &shape, &caps, 0);
    shape.mlp = 3584; // enough rows for packed results
    check_together("packed rows and results, post-norms", &shape, &caps, 0);
    shape.post_norm = false;
    check_together("packed rows and results", &shape, &caps, 0);
    shape.no_fusion = true;
    check_together("packed rows, no fusion", &shape, &caps, 0);
    struct model m;
    struct pair p;
    struct qn_error err = {0};
    shape = base;
    shape.context = 1100;
    shape.max_tokens = 600;
    pair_open_model(&p, &m, &shape, &caps);
    static uint32_t ids[1018], alone[3][TOKENS], n_alone, long_dispatches;
    static const uint32_t lengths[3] = {1010, 17, 1018};
    for (uint32_t i = 0; i < 1018; i++)
        ids[i] = qn_rng_u32(8, i, 0) % 280;
    struct qn_backend_session *s[3];
    struct qn_step_result r;
    struct qn_gpu_stats stats;
    for (int i = 0; i < 3; i++) {
        s[i] = session_open(p.gpu);
        CHECK(prefill(p.gpu, p.host, s[i], ids, lengths[i], 509, true, 0, &r));
        alone[i][0] = r.token;
        for (uint32_t k = 1; k < TOKENS; k++) {
            struct qn_step step = {NULL, 0, lengths[i] + k - 1, true, 0, 0};
            CHECK(step_once(p.gpu, p.host, s[i], &step, &r));
            alone[i][k] = r.token;
            qn_gpu_backend_stats(p.gpu, &stats);
            n_alone = i == 1 ? stats.dispatches : n_alone;
            long_dispatches = i == 0 && k + 1 == TOKENS ? stats.dispatches : long_dispatches;
        }
    }
    CHECK(long_dispatches == n_alone + 1); // a layer's merge
    for (int i = 0; i < 3; i++)            // positions behind the prompt are written again
        CHECK(prefill(p.gpu, p.host, s[i], ids, lengths[i], 509, true, 0, &r));
    for (uint32_t k = 1; k < TOKENS; k++) {
        struct qn_step steps[3];
        for (uint32_t i = 0; i < 3; i++)
            steps[i] = (struct qn_step){.pos = lengths[i] + k - 1, .sample = true, .session = s[i]};
        CHECK_MSG(p.gpu->ops->enqueue(p.gpu, steps, 3, &err) == QN_OK, "%s", err.text);
        CHECK(pump(p.host, p.gpu) == QN_OK);
        for (uint32_t i = 0; i < 3; i++) {
            bool ready = false;
            CHECK(p.gpu->ops->poll(p.gpu, s[i], &r, &ready, &err) == QN_OK && ready);
            CHECK_MSG(r.token == alone[i][k], "session %u, token %u: %u, not %u", i, k, r.token,
                      alone[i][k]);
        }
    }
    pair_close_model(&p, &m);
}

/* Eight rows: the dispatches of one, one pass, one submit, one read-back, one write of less than
 * 256 bytes; nothing is allocated. */
static void test_lean(void) {
    enum { ROWS = 8 };
    struct model m;
    struct pair p;
    struct qn_error err = {0};
    struct qn_backend_session *s[ROWS];
    struct qn_step_result r;
    struct qn_gpu_stats one, all;
    struct qn_null_stats before, after;
    struct faults faults;
    faults_init(&faults);
    struct qn_allocator allocator = faults_allocator(&faults);
    pair_open_model(&p, &m, &base, NULL);
    p.gpu->ops->destroy(p.gpu);
    CHECK(qn_gpu_backend_create(&p.gpu, &allocator, p.program, &p.interface, &err) == QN_OK);
    CHECK(p.gpu->ops->finish(p.gpu, &err) == QN_OK && pump(p.host, p.gpu) == QN_OK);
    CHECK(p.gpu->max_batch == ROWS);
    for (uint32_t i = 0; i < ROWS; i++) {
        s[i] = session_open(p.gpu);
        CHECK(prefill(p.gpu, p.host, s[i], prompt, 4 + i, 16, true, 0, &r));
    }
    struct qn_step step = {NULL, 0, 4, true, 0, 0};
    CHECK(step_once(p.gpu, p.host, s[0], &step, &r));
    qn_gpu_backend_stats(p.gpu, &one);
    uint64_t allocs = faults.allocs;
    for (uint32_t k = 1; k < 40; k++) {
        struct qn_step steps[ROWS];
        for (uint32_t i = 0; i < ROWS; i++)
            steps[i] = (struct qn_step){.pos = 3 + i + k + (i == 0), // which is one ahead
                                        .sample = true,
                                        .session = s[i]};
        qn_null_host_stats(qn_ref_host_checks(p.host), &before);
        CHECK_MSG(p.gpu->ops->enqueue(p.gpu, steps, ROWS, &err) == QN_OK, "%s", err.text);
        CHECK(pump(p.host, p.gpu) == QN_OK);
        qn_null_host_stats(qn_ref_host_checks(p.host), &after);
        CHECK(after.plays == before.plays + 1 && after.passes == before.passes + 1 &&
              after.submits == before.submits + 1 && after.writes == before.writes + 1 &&
              after.write_bytes < before.write_bytes + 256 && after.reads == before.reads + 1);
        for (uint32_t i = 0; i < ROWS; i++) {
            bool ready = false;
            CHECK(p.gpu->ops->poll(p.gpu, s[i], &r, &ready, &err) == QN_OK && ready);
        }
    }
    CHECK(faults.allocs == allocs);
    qn_gpu_backend_stats(p.gpu, &all);
    CHECK_MSG(all.dispatches == one.dispatches && one.dispatches == 10, "%u and %u dispatches",
              one.dispatches, all.dispatches);
    pair_close_model(&p, &m);
    CHECK(faults.live == 0);
}

/* What is held for n sessions grows by the same for each, and goes with them. */
static void test_memory(void) {
    struct model m;
    struct pair p;
    pair_open_model(&p, &m, &base, NULL);
    struct qn_backend_session *s[12];
    struct qn_step_result r;
    uint64_t held[13];
    held[0] = p.gpu->ops->memory(p.gpu);
    for (int i = 0; i < 12; i++) {
        s[i] = session_open(p.gpu);
        held[i + 1] = p.gpu->ops->memory(p.gpu);
        CHECK(held[i + 1] > held[i]);
    }
    for (int i = 2; i <= 8; i++) { // but for what the ends of buffers are rounded up by
        uint64_t more = held[i] - held[i - 1], first = held[1] - held[0];
        CHECK_MSG(more + 128 > held[2] - held[1] && more < held[2] - held[1] + 128 && more <= first,
                  "session %d: %llu bytes, the first %llu", i, (unsigned long long)more,
                  (unsigned long long)first);
    }
    CHECK(prefill(p.gpu, p.host, s[2], prompt, 20, 20, true, 0, &r));
    uint32_t tokens[6];
    for (uint32_t k = 0; k < 3; k++) {
        struct qn_step step = {NULL, 0, 20 + k, true, 0, 0};
        CHECK(step_once(p.gpu, p.host, s[2], &step, &r));
        tokens[k] = r.token;
    }
    CHECK(prefill(p.gpu, p.host, s[2], prompt, 20, 20, true, 0, &r));
    for (int i = 11; i >= 0; i--) {
        if (i == 2)
            continue;
        p.gpu->ops->session_destroy(p.gpu, s[i]);
        if (i % 4 == 3 && i < 8) { // the cache moves meanwhile
            struct qn_step step = {NULL, 0, 20 + (7 - (uint32_t)i) / 4, true, 0, 0};
            CHECK(step_once(p.gpu, p.host, s[2], &step, &r));
            CHECK(r.token == tokens[(7 - i) / 4]);
        }
    }
    CHECK(p.gpu->ops->memory(p.gpu) == held[3]); // it is in the third slot
    struct qn_step step = {NULL, 0, 22, true, 0, 0};
    CHECK(step_once(p.gpu, p.host, s[2], &step, &r) && r.token == tokens[2]);
    p.gpu->ops->session_destroy(p.gpu, s[2]);
    CHECK(p.gpu->ops->memory(p.gpu) == held[0]);
    pair_close_model(&p, &m);
}

/* Copies within a bank and between banks, beside others; what they go on with is the same. */
static void test_copy(const struct qn_gpu_caps *caps) {
    struct model m;
    struct pair p;
    pair_open_model(&p, &m, &base, caps);
    struct qn_error err = {0};
    struct qn_backend_session *s[5];
    struct qn_step_result r;
    for (int i = 0; i < 5; i++)
        s[i] = session_open(p.gpu);
    CHECK(prefill(p.gpu, p.host, s[1], prompt, 30, 30, true, 0, &r));
    uint32_t wanted = r.token;
    for (int i = 0; i < 5; i++) {
        if (i == 1)
            continue;
        CHECK_MSG(p.gpu->ops->copy(p.gpu, s[i], s[1], 29, &err) == QN_OK, "%s", err.text);
    }
    struct qn_step steps[5];
    for (int i = 0; i < 5; i++)
        steps[i] = (struct qn_step){
            .ids = prompt + 29, .n = 1, .pos = 29, .sample = true, .session = s[i]};
    CHECK(p.gpu->ops->enqueue(p.gpu, steps, 5, &err) == QN_OK && pump(p.host, p.gpu) == QN_OK);
    for (int i = 0; i < 5; i++) {
        bool ready = false;
        CHECK(p.gpu->ops->poll(p.gpu, s[i], &r, &ready, &err) == QN_OK && ready);
        CHECK_MSG(r.token == wanted, "copy %d: %u, not %u", i, r.token, wanted);
    }
    pair_close_model(&p, &m);
}

/* A session that comes when memory is short gets a bank of its own, or is refused; those that are
 * there go on. */
static void test_growth_fails(enum qn_status fault) {
    bool ran_out = false;
    for (uint64_t at = 0; !ran_out && at < 200; at++) {
        struct model m;
        struct pair p;
        struct qn_error err = {0};
        struct qn_step_result r;
        struct qn_null_stats before, after;
        pair_open_model(&p, &m, &base, NULL);
        struct qn_backend_session *s = session_open(p.gpu), *t = NULL;
        CHECK(prefill(p.gpu, p.host, s, prompt, 20, 20, true, 0, &r));
        uint32_t wanted = r.token;
        qn_null_host_stats(qn_ref_host_checks(p.host), &before);
        qn_null_host_fail(qn_ref_host_checks(p.host),
                          &(struct qn_null_fault){at, fault, false, false});
        enum qn_status status = p.gpu->ops->session_create(p.gpu, &t, &err);
        qn_null_host_stats(qn_ref_host_checks(p.host), &after);
        ran_out = after.plays - before.plays <= at;
        qn_null_host_fail(qn_ref_host_checks(p.host), &(struct qn_null_fault){0});
        CHECK_MSG(status == QN_OK || status == fault, "play %llu: %d", (unsigned long long)at,
                  (int)status);
        CHECK(fault != QN_E_GPU_MEMORY || status == QN_OK);
        struct qn_step again = {prompt + 19, 1, 19, true, 0, 0};
        CHECK(step_once(p.gpu, p.host, s, &again, &r) && r.token == wanted);
        if (t == NULL)
            t = session_open(p.gpu);
        CHECK(prefill(p.gpu, p.host, t, prompt, 20, 20, true, 0, &r) && r.token == wanted);
        struct qn_step both[2] = {{.pos = 20, .sample = true, .session = s},
                                  {.pos = 20, .sample = true, .session = t}};
        uint32_t got[2] = {0};
        CHECK_MSG(p.gpu->ops->enqueue(p.gpu, both, 2, &err) == QN_OK, "%s", err.text);
        CHECK(pump(p.host, p.gpu) == QN_OK);
        for (int i = 0; i < 2; i++) {
            bool ready = false;
            CHECK(p.gpu->ops->poll(p.gpu, both[i].session, &r, &ready, &err) == QN_OK && ready);
            got[i] = r.token;
        }
        CHECK_MSG(got[0] == got[1], "play %llu: %u and %u", (unsigned long long)at, got[0], got[1]);
        p.cpu->ops->destroy(p.cpu);
        p.gpu->ops->destroy(p.gpu);
        qn_null_host_stats(qn_ref_host_checks(p.host), &after);
        CHECK(after.buffers == 0 && after.groups == 0 && after.bytes == 0);
        qn_ref_host_destroy(p.host);
        qn_arena_free(&m.arena);
    }
    CHECK(ran_out);
}

/* A batch whose play fails leaves every session to be fed anew; nothing is refused half-done. */
static void test_refusals(void) {
    struct model m;
    struct pair p;
    struct qn_error err = {0};
    struct qn_step_result r;
    pair_open_model(&p, &m, &base, NULL);
    struct qn_backend_session *s[2] = {session_open(p.gpu), session_open(p.gpu)};
    for (int i = 0; i < 2; i++)
        CHECK(prefill(p.gpu, p.host, s[i], prompt, 20, 20, true, 0, &r));
    const struct qn_step good[2] = {{.pos = 20, .sample = true, .session = s[0]},
                                    {.pos = 20, .sample = true, .session = s[1]}};
    struct qn_step steps[9];
    uint32_t nothing[(VOCAB + 31) / 32] = {0};
    struct qn_null_stats before, after;
    qn_null_host_stats(qn_ref_host_checks(p.host), &before);
#define REFUSED(change, status)                                                       \
    do {                                                                              \
        memcpy(steps, good, sizeof good);                                             \
        change;                                                                       \
        CHECK(p.gpu->ops->enqueue(p.gpu, steps, 2, &err) == (status) && err.text[0]); \
    } while (0)
    REFUSED(steps[1].session = s[0], QN_E_ARGUMENT);
    REFUSED((steps[1].ids = prompt, steps[1].n = 2), QN_E_ARGUMENT);
    REFUSED(steps[1].sample = false, QN_E_ARGUMENT);
    REFUSED(steps[1].want = QN_WANT_LOGITS, QN_E_ARGUMENT);
    REFUSED(steps[1].mask = nothing, QN_E_ARGUMENT);
    REFUSED(steps[1].pos = 22, QN_E_ARGUMENT);
    REFUSED(steps[1].pos = 160, QN_E_CONTEXT);
#undef REFUSED
    for (int i = 0; i < 9; i++)
        steps[i] = good[i % 2];
    CHECK(p.gpu->ops->enqueue(p.gpu, steps, 9, &err) == QN_E_LIMIT);
    qn_null_host_stats(qn_ref_host_checks(p.host), &after);
    CHECK(after.plays == before.plays);
    qn_null_host_fail(qn_ref_host_checks(p.host),
                      &(struct qn_null_fault){0, QN_E_GPU, false, false});
    CHECK(p.gpu->ops->enqueue(p.gpu, good, 2, &err) == QN_E_GPU);
    CHECK(p.gpu->ops->enqueue(p.gpu, good, 2, &err) == QN_E_STATE); // tokens are not known
    bool ready;
    CHECK(p.gpu->ops->poll(p.gpu, s[0], &r, &ready, &err) == QN_E_STATE);
    // One is dropped while its step is under way: the other's result comes.
    for (int i = 0; i < 2; i++)
        CHECK(prefill(p.gpu, p.host, s[i], prompt, 20, 20, true, 0, &r));
    qn_null_host_hold(qn_ref_host_checks(p.host), true);
    CHECK(p.gpu->ops->enqueue(p.gpu, good, 2, &err) == QN_OK);
    p.gpu->ops->session_destroy(p.gpu, s[0]);
    qn_null_host_hold(qn_ref_host_checks(p.host), false);
    CHECK(pump(p.host, p.gpu) == QN_OK);
    CHECK(p.gpu->ops->poll(p.gpu, s[1], &r, &ready, &err) == QN_OK && ready && r.sampled);
    pair_close_model(&p, &m);
}

int main(void) {
    for (uint32_t i = 0; i < PROMPT; i++)
        prompt[i] = qn_rng_u32(3, i, 0) % 280;
    for (uint32_t i = 0; i < SESSIONS; i++)
        for (uint32_t k = 0; k < sizeof masks[i] / sizeof *masks[i]; k++)
            masks[i][k] = qn_rng_u32(4, i, k) & qn_rng_u32(5, i, k);
    test_together();
    test_short();
    test_lean();
    test_memory();
    test_copy(NULL);
    test_copy(&(struct qn_gpu_caps){.max_binding = 50 << 10});
    test_growth_fails(QN_E_GPU_MEMORY);
    test_growth_fails(QN_E_GPU);
    test_refusals();
    return test_done("webgpu_batch");
}
