/* What a start measures, on a reference host with a made-up clock: every dispatch takes the time
 * that a device says. Whatever the outcome, tokens are the CPU's, and a later start that is told
 * the outcome measures nothing. */
#include "tests/c/webgpu_bench.h"
#include "webgpu/kernels.h"
#include "webgpu/wgsl.h"

#define PROMPT 9
#define TOKENS 3
#define BASE_MICROS 300u // there and back
#define MAX_IDS 4096u
#define ALL 15u // that can be measured

static const struct qn_gpu_caps minimum = {
    .self_test = true, .tune = true, .max_workgroup_memory = 32768};
static const struct qn_gpu_caps rows = {.self_test = true,
                                        .tune = true,
                                        .features =
                                            QN_GPU_SUBGROUPS | QN_GPU_PACKED_DOT | QN_GPU_ROWS,
                                        .subgroup_min = 32,
                                        .subgroup_max = 32};

/* Microseconds per dispatch, where they are not 0. `few`: of 16 workgroups of matmul_few. */
struct device {
    uint32_t dot, dot_head, plain, plain_head, packs, few;
    uint32_t tiles[8][5]; // TX … BUFFERS or QUADS, microseconds; the last one is any other's
    uint32_t packed;      // of any matmul_packed
    uint32_t all;         // in place of all that; 1: the clock is silent
};

/* A host in front of the reference host: counts, and does one dispatch of each pipeline. */
struct clock {
    struct qn_ref_host *host;
    struct qn_gpu_host inner, outer;
    const struct device *device;
    uint32_t kernels[MAX_IDS], cost[MAX_IDS];          // of pipelines
    uint32_t micros, tags[MAX_IDS], times[MAX_IDS], n; // of the submit; of runs
    bool done[MAX_IDS];                                // pipelines
    uint32_t runs;
    bool idle;                // not even that
    bool over;                // the start: from now on nothing is changed
    enum qn_status lose;      // what happens to the device
    uint32_t lose_at;         // in which run, from 1; 0: never
    uint32_t words[1u << 16]; // what is forwarded
};

static uint32_t cost_of(const struct device *d, enum qn_kernel_id id, const float *c) {
    bool glu = c[6] != 0;
    if (id == QN_KERNEL_MATVEC_DOT || id == QN_KERNEL_MATVEC_PACKED)
        return glu ? d->dot : d->dot_head;
    if (id == QN_KERNEL_MATVEC)
        return glu ? d->plain : d->plain_head;
    if (id == QN_KERNEL_PACK_ROWS)
        return d->packs;
    if (id == QN_KERNEL_MATMUL_PACKED && d->packed)
        return d->packed;
    if (id != QN_KERNEL_MATMUL_TILES && id != QN_KERNEL_MATMUL_PACKED)
        return 0;
    c += id == QN_KERNEL_MATMUL_TILES ? 8 : 7;
    uint32_t i = 0;
    for (; i < 7; i++) {
        uint32_t k = 0;
        while (k < 4 && d->tiles[i][k] == (uint32_t)c[k])
            k++;
        if (k == 4)
            break;
    }
    return d->tiles[i][4];
}

static enum qn_status play(void *ud, const uint32_t *words, size_t n, struct qn_error *err) {
    struct clock *c = ud;
    size_t out = 0;
    uint32_t pipeline = 0, run = 0;
    for (size_t at = 0; at < n; at += qn_tape_length(words, n, at))
        if (words[at] == QN_TAPE_READ && words[at + 4] == 4 && !c->over)
            run = words[at + 1];
    c->micros = BASE_MICROS;
    for (size_t at = 0, length; at < n; at += length) {
        const uint32_t *w = words + at;
        length = qn_tape_length(words, n, at);
        if (length == 0 || out + length > sizeof c->words / sizeof *c->words)
            return qn_fail(err, QN_E_INTERNAL, "a tape too long for the test");
        bool keep = true;
        if (w[0] == QN_TAPE_CREATE_PIPELINE && CHECK(w[1] < MAX_IDS)) {
            float constants[QN_KERNEL_CONSTANTS] = {0};
            for (uint32_t i = 0; i < w[4]; i++)
                constants[i] = qn_bits_f32(w[5 + i * 4 + 3]);
            c->kernels[w[1]] = w[2];
            c->done[w[1]] = false;
            c->cost[w[1]] = cost_of(c->device, (enum qn_kernel_id)w[2], constants);
        } else if (w[0] == QN_TAPE_SET_PIPELINE) {
            pipeline = w[1];
        } else if (w[0] == QN_TAPE_DISPATCH && run) {
            c->micros += c->kernels[pipeline] == QN_KERNEL_MATMUL_FEW
                             ? c->device->few * w[1] * w[2] * w[3] / 16
                             : c->cost[pipeline];
            keep = !c->idle && !c->done[pipeline];
            c->done[pipeline] = true;
        }
        if (keep) {
            memcpy(c->words + out, w, length * sizeof *w);
            out += length;
        }
    }
    enum qn_status status = c->inner.play(c->inner.ud, c->words, out, err);
    if (run && status == QN_OK && CHECK(c->n < MAX_IDS)) {
        c->tags[c->n] = run;
        c->times[c->n++] = c->device->all == 1 ? 0 : c->device->all ? c->device->all : c->micros;
    }
    return status;
}

static void clock_init(struct clock *c, struct qn_ref_host *host, const struct device *device) {
    *c = (struct clock){.host = host, .device = device, .inner = qn_ref_host_interface(host)};
    c->outer = (struct qn_gpu_host){.ud = c, .caps = c->inner.caps, .play = play};
}

/* All events, with their times; every fifth run is disturbed by something else. */
static enum qn_status pump_clock(struct clock *c, struct qn_backend *gpu) {
    struct qn_gpu_event event;
    enum qn_status first = QN_OK;
    while (first == QN_OK && qn_ref_host_next_event(c->host, &event)) {
        for (uint32_t i = 0; event.kind == QN_GPU_EVENT_READ && i < c->n; i++)
            if (c->tags[i] == event.tag)
                event.micros = c->times[i] * (i % 5 == 3 ? 3 : 1);
        bool measured = event.kind == QN_GPU_EVENT_READ && event.n == 4;
        if (measured && ++c->runs == c->lose_at)
            event = (struct qn_gpu_event){.kind = c->lose == QN_E_GPU_LOST ? QN_GPU_EVENT_LOST
                                                                           : QN_GPU_EVENT_ERROR,
                                          .status = c->lose,
                                          .bytes = "gone",
                                          .n = 4};
        first = gpu->ops->event(gpu, &event, NULL);
    }
    return first;
}

struct start {
    struct model m;
    struct pair p;
    struct clock *clock;
    char said[768];
    uint32_t measured, kernels, fill, tile, without; // as it says
};

static void describe(struct start *s) {
    struct qn_buf text;
    qn_buf_init(&text, qn_allocator_default());
    qn_gpu_backend_describe(s->p.gpu, &text);
    snprintf(s->said, sizeof s->said, "%.*s", QN_STR_ARG(qn_buf_view(&text)));
    qn_buf_free(&text);
    const char *choice = strstr(s->said, "\"choice\":");
    CHECK_MSG(choice && sscanf(choice,
                               "\"choice\":{\"measured\":%u,\"kernels\":%u,\"fill\":%u,\"tile\":%u,"
                               "\"without\":%u}",
                               &s->measured, &s->kernels, &s->fill, &s->tile, &s->without) == 5,
              "%s", s->said);
}

/* The same tokens as the CPU's. */
static void compare(struct pair *p, const char *name) {
    static const uint32_t prompt[PROMPT] = {3, 40, 77, 114, 151, 188, 225, 262, 299};
    compare_greedy(p, prompt, PROMPT, TOKENS, 2e-4, name);
}

/* A start to its end; what it says is in *s. */
static enum qn_status start(struct start *s, const struct model_shape *shape,
                            const struct qn_gpu_caps *caps, const struct device *device,
                            enum qn_status lose, uint32_t lose_at) {
    struct qn_error err = {0};
    *s = (struct start){.clock = malloc(sizeof(struct clock))};
    model_build(&s->m, shape, qn_allocator_default());
    s->p = (struct pair){.program = &s->m.program};
    CHECK(qn_cpu_backend_create(&s->p.cpu, qn_allocator_default(), s->p.program, 1, &err) == QN_OK);
    qn_cpu_backend_use(s->p.cpu, qn_cpu_ref_ops);
    CHECK(qn_ref_host_create(&s->p.host, qn_allocator_default(), caps) == QN_OK);
    clock_init(s->clock, s->p.host, device);
    s->clock->idle = shape->hidden > 64;
    s->clock->lose = lose;
    s->clock->lose_at = lose_at;
    enum qn_status status = qn_gpu_backend_create(&s->p.gpu, qn_allocator_default(), s->p.program,
                                                  &s->clock->outer, &err);
    struct qn_backend *const both[2] = {s->p.cpu, s->p.gpu};
    for (int i = 0; i < 2; i++)
        for (uint32_t w = 0; w < s->m.program.n_weights; w++) {
            s->m.seed = w;
            model_fill_weight(&s->m, both[i], w);
        }
    CHECK(s->p.cpu->ops->finish(s->p.cpu, &err) == QN_OK);
    if (status == QN_OK)
        status = s->p.gpu->ops->finish(s->p.gpu, &err);
    if (status == QN_OK)
        status = pump_clock(s->clock, s->p.gpu);
    s->clock->over = true;
    CHECK_MSG(s->p.gpu->ops->ready(s->p.gpu) == (status == QN_OK), "%d", (int)status);
    describe(s);
    return status;
}

static void stop(struct start *s) {
    pair_close_model(&s->p, &s->m);
    free(s->clock);
}

/* What is measured, and that it is believed. */
static void check(const char *name, const struct model_shape *shape, const struct qn_gpu_caps *caps,
                  const struct device *device, const char *wanted, const char *kernels,
                  const char *refused) {
    struct start s;
    CHECK(start(&s, shape, caps, device, QN_OK, 0) == QN_OK);
    char said[128];
    snprintf(said, sizeof said, "{%u f%u t%u w%u}", s.measured, s.fill, s.tile, s.without);
    CHECK_MSG(strcmp(said, wanted) == 0, "%s: %s, not %s; %s", name, said, wanted, s.said);
    CHECK_MSG(!kernels || strstr(s.said, kernels), "%s: %s", name, s.said);
    CHECK_MSG(!refused || !strstr(s.said, refused), "%s: %s", name, s.said);
    CHECK_MSG(strstr(s.said, "\"tuned\":false") && strstr(s.said, "\"note\":\"\""), "%s: %s", name,
              s.said);
    compare(&s.p, name);
    struct qn_gpu_caps known = *caps;
    known.measured = ALL;
    known.kernels = s.kernels;
    known.fill = s.fill;
    known.tile = s.tile;
    known.without = s.without;
    uint32_t measured = s.measured;
    stop(&s);
    if (measured == 0)
        return;
    CHECK(start(&s, shape, &known, device, QN_OK, 0) == QN_OK);
    CHECK_MSG(s.measured == ALL && s.fill == known.fill && s.tile == known.tile &&
                  s.without == known.without && s.clock->runs == 0 &&
                  strstr(s.said, "\"tuned\":false") && (!kernels || strstr(s.said, kernels)) &&
                  (!refused || !strstr(s.said, refused)),
              "%s, known: %s, %u runs", name, s.said, s.clock->runs);
    compare(&s.p, name);
    stop(&s);
    if (caps->without || !known.without) // which would be void as well; or nothing is
        return;
    known.kernels ^= 1; // those of another version
    CHECK(start(&s, shape, &known, device, QN_OK, 0) == QN_OK);
    char again[128];
    snprintf(again, sizeof again, "{%u f%u t%u w%u}", s.measured, s.fill, s.tile, s.without);
    CHECK_MSG(strcmp(again, wanted) == 0 && s.clock->runs != 0 && s.kernels == qn_wgsl_hash,
              "%s, another version: %s", name, s.said);
    stop(&s);
}

/* ---- Products of bytes --------------------------------------------------------------------- */

static const struct model_shape small = SMALL_MODEL(512);

static void test_bytes(void) {
    struct model_shape shape = small;
    shape.mlp = 768;
    static const struct {
        const char *name, *wanted;
        struct device device;
    } cases[] = {
        {"bytes win", "{9 f96 t0 w0}", {500, 500, 1000, 1000, 10, 8, {{0}}, 0, 0}},
        {"as good", "{9 f96 t0 w0}", {1000, 1000, 1000, 1000, 10, 8, {{0}}, 0, 0}},
        {"only just", "{9 f96 t0 w0}", {1050, 1050, 1000, 1000, 10, 8, {{0}}, 0, 0}},
        {"bytes lose", "{9 f96 t0 w16}", {1200, 1200, 1000, 1000, 10, 8, {{0}}, 0, 0}},
        {"by far", "{9 f96 t0 w16}", {5000, 5000, 100, 100, 10, 8, {{0}}, 0, 0}},
        {"in the head", "{9 f96 t0 w16}", {1000, 5000, 1000, 100, 10, 8, {{0}}, 0, 0}},
        {"but for the head", "{9 f96 t0 w0}", {1200, 1000, 1000, 3000, 10, 8, {{0}}, 0, 0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct device device = cases[i].device;
        device.packed = device.tiles[7][4] = 50 * device.few;
        check(cases[i].name, &shape, &rows, &device, cases[i].wanted,
              strstr(cases[i].wanted, "w16") ? "[\"matvec_subgroups\"," : "[\"matvec_dot\",",
              strstr(cases[i].wanted, "w16") ? "matvec_dot" : "matvec_subgroups");
    }
}

/* ---- Tiles --------------------------------------------------------------------------------- */

static void test_fill(void) {
    struct model_shape shape = small;
    shape.mlp = 768;
    // A wave of tiles takes as long as `border` times 16 workgroups of few rows.
    static const struct {
        const char *name;
        uint32_t border;
        const char *wanted;
    } cases[] = {
        {"large", 200, "{8 f192 t0 w0}"}, {"hardly smaller", 92, "{8 f192 t0 w0}"},
        {"smaller", 60, "{8 f96 t0 w0}"}, {"small", 30, "{8 f48 t0 w0}"},
        {"tiny", 5, "{8 f12 t0 w0}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct device device = {.few = 40, .tiles[7][4] = 40 * cases[i].border};
        check(cases[i].name, &shape, &minimum, &device, cases[i].wanted, "\"matmul_few\"", NULL);
    }
    struct device silent = {.all = 1}, slow = {.all = 190000};
    check("silent", &shape, &minimum, &silent, "{0 f0 t0 w0}", "\"matmul_tiles\"", NULL);
    check("slow", &shape, &minimum, &slow, "{0 f0 t0 w0}", "\"matmul_tiles\"", NULL);
    check("silent", &shape, &rows, &silent, "{0 f0 t0 w0}", "matvec_dot", NULL);
    check("slow", &shape, &rows, &slow, "{0 f0 t0 w0}", "matvec_dot", NULL);
}

/* So wide that a step of a prompt has tiles enough. */
static struct model_shape wide(void) {
    struct model_shape shape = small;
    shape.mlp = 3200;
    return shape;
}

static void test_tiles(void) {
    struct model_shape shape = wide();
    static const struct {
        const char *name, *wanted;
        uint32_t micros[8]; // by the numbers of tiles
    } cases[] = {
        {"as it is", "f192 t0 w0}", {50, 48, 50, 50, 52, 90}},
        {"third", "f192 t3 w0}", {50, 40, 30, 50, 45, 50}},
        {"fourth", "f192 t4 w0}", {50, 60, 30, 25, 45, 50}},
        {"last", "f192 t6 w0}", {50, 60, 60, 60, 49, 40}},
    };
    static const uint32_t tiles[2][6][4] = {
        {{8, 8, 4, 1}, {16, 8, 1, 1}, {8, 4, 4, 1}, {16, 16, 1, 1}, {8, 8, 2, 1}, {8, 8, 4, 2}},
        {{16, 4, 2, 1}, {8, 8, 2, 2}, {16, 8, 1, 1}, {16, 8, 1, 2}, {16, 8, 2, 1}, {32, 8, 1, 1}}};
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        bool packed = i % 2;
        struct device device = {.dot = 100, .dot_head = 100, .plain = 200, .plain_head = 200};
        for (size_t k = 0; k < 6; k++) {
            memcpy(device.tiles[k], tiles[packed][k], sizeof tiles[packed][k]);
            device.tiles[k][4] = cases[i / 2].micros[k];
        }
        device.tiles[7][4] = 100;
        char wanted[40];
        snprintf(wanted, sizeof wanted, "{%d %s", packed ? 15 : 12, cases[i / 2].wanted);
        check(cases[i / 2].name, &shape, packed ? &rows : &minimum, &device, wanted,
              packed ? "\"matmul_packed\"" : "\"matmul_tiles\"", NULL);
    }
    // What the device has no room for is not tried: tiles of 128 × 128 in memory for 64 × 128.
    struct device device = {.dot = 100, .plain = 200, .tiles = {{16, 16, 1, 1, 10}}};
    device.tiles[7][4] = 50;
    struct qn_gpu_caps caps = minimum;
    caps.max_workgroup_memory = 24576;
    check("narrow", &shape, &caps, &device, "{12 f192 t0 w0}", "\"matmul_tiles\"", NULL);
}

/* Of bytes, or not; a shape of theirs has a number too, which is not tried without them. */
static void test_packed_tiles(void) {
    struct model_shape shape = wide();
    struct device device = {.dot = 100, .dot_head = 100, .plain = 200, .plain_head = 200};
    device.packs = 10;
    device.packed = 30;
    device.tiles[7][4] = 50;
    check("packed", &shape, &rows, &device, "{15 f192 t0 w0}", "\"matmul_packed\"",
          "\"matmul_tiles\"");
    device.tiles[7][4] = 42; // packing takes time as well
    check("hardly", &shape, &rows, &device, "{15 f192 t0 w0}", "\"matmul_packed\"",
          "\"matmul_tiles\"");
    device.tiles[7][4] = 34;
    check("plain", &shape, &rows, &device, "{15 f192 t0 w128}", "\"matmul_tiles\"",
          "\"matmul_packed\"");
    check("for prompts alone", &shape, &rows, &device, "{15 f192 t0 w128}", "\"matvec_dot\"", NULL);
}

/* Outcomes are kept for other models where the model is no small one. */
static void test_heavy(void) {
    struct device device = {.dot = 5000, .dot_head = 5000, .plain = 4000, .plain_head = 4000};
    for (uint32_t mlp = 7200; mlp <= 7360;
         mlp += 160) { // 2 MiB are 7282 pairs of rows of 144 bytes
        struct model_shape shape = small;
        struct start s;
        shape.hidden = 256;
        shape.mlp = mlp;
        shape.max_tokens = 16;
        CHECK(start(&s, &shape, &rows, &device, QN_OK, 0) == QN_OK);
        const char *tuned = mlp > 7282 ? "\"tuned\":true" : "\"tuned\":false";
        CHECK_MSG(strstr(s.said, tuned) && s.without == QN_GPU_PACKED_DOT, "%u: %s", mlp, s.said);
        stop(&s);
    }
}

/* ---- Faults -------------------------------------------------------------------------------- */

/* A device that is lost, or refuses something, in any run. */
static void test_lost(void) {
    struct model_shape shape = small;
    shape.mlp = 768;
    struct device device = {.dot = 5000, .dot_head = 5000, .plain = 4000, .plain_head = 4000};
    device.few = 60;
    device.tiles[7][4] = device.packed = 4000;
    struct start s;
    CHECK(start(&s, &shape, &rows, &device, QN_OK, 0) == QN_OK);
    CHECK_MSG(!strstr(s.said, "matvec_dot"), "%s", s.said);
    uint32_t runs = s.clock->runs;
    stop(&s);
    for (uint32_t at = 1; at <= runs; at += 5) {
        CHECK(start(&s, &shape, &rows, &device, QN_E_GPU_LOST, at) == QN_E_GPU_LOST);
        struct qn_error err = {0};
        CHECK(s.p.gpu->ops->write(s.p.gpu, 0, QN_PLANE_VALUES, 0, "1234", 4, &err) ==
              QN_E_GPU_LOST);
        stop(&s);
        // A run that fails, or a challenger that does not compile, decides nothing.
        CHECK(start(&s, &shape, &rows, &device, QN_E_GPU, at) == QN_OK);
        CHECK_MSG(strstr(s.said, "\"note\":\"\"") &&
                      (at >= 10 || (strstr(s.said, "matvec_dot") && !(s.measured & 1))),
                  "%u of %u: %s", at, runs, s.said);
        compare(&s.p, "a run fails");
        stop(&s);
    }
}

static enum qn_status life(const struct qn_allocator *allocator, struct qn_ref_host *host,
                           struct clock *clock, const struct qn_program *program) {
    struct qn_backend *b;
    struct qn_error err = {0};
    QN_TRY(qn_gpu_backend_create(&b, allocator, program, &clock->outer, &err));
    enum qn_status status = b->ops->finish(b, &err);
    if (status == QN_OK)
        status = pump_clock(clock, b);
    CHECK(b->ops->ready(b) == (status == QN_OK));
    b->ops->destroy(b);
    struct qn_null_stats stats;
    qn_null_host_stats(qn_ref_host_checks(host), &stats);
    CHECK(stats.buffers == 0 && stats.groups == 0);
    return status;
}

/* Memory that cannot be had for a contest decides nothing; for anything else it fails the start. */
static void test_memory(void) {
    struct model m;
    struct device device = {.dot = 9000, .dot_head = 9000, .plain = 5000, .plain_head = 5000};
    struct clock *clock = malloc(sizeof *clock);
    uint32_t kept = 0;
    model_build(&m, &small, qn_allocator_default());
    for (uint64_t n = 1, fired = 1; fired; n++) {
        struct qn_ref_host *host;
        struct faults faults;
        faults_init(&faults);
        faults.fail_alloc = n;
        struct qn_allocator allocator = faults_allocator(&faults);
        CHECK(qn_ref_host_create(&host, qn_allocator_default(), &rows) == QN_OK);
        clock_init(clock, host, &device);
        enum qn_status status = life(&allocator, host, clock, &m.program);
        fired = faults.fired;
        kept += fired && status == QN_OK;
        CHECK_MSG(status == QN_OK || (fired && status == QN_E_NO_MEMORY), "allocation %llu: %d",
                  (unsigned long long)n, (int)status);
        CHECK(faults.live == 0);
        CHECK(qn_null_host_refusal(qn_ref_host_checks(host))->status == QN_OK);
        qn_ref_host_destroy(host);
    }
    CHECK(kept != 0);
    qn_arena_free(&m.arena);
    free(clock);
}

int main(void) {
    test_bytes();
    test_fill();
    test_tiles();
    test_packed_tiles();
    test_heavy();
    test_lost();
    test_memory();
    return test_done("webgpu_tune");
}
