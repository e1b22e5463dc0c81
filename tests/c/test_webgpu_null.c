/* The null host lets a correct tape pass and refuses each seeded fault, for the right reason. */
#include "webgpu/null_host.h"

#include "base/num.h"
#include "tests/c/test.h"
#include "webgpu/kernels.h"

static const char wgsl[] = "// @binding(0) in a comment\n"
                           "override SIZE: u32 = 64u;\n"
                           "@group(0) @binding(0) var<uniform> p: vec4<u32>;\n"
                           "@group(0) @binding(1) var<storage, read> x: array<f32>;\n"
                           "@group(0) @binding(2) var<storage, read_write> y: array<f32>;\n"
                           "@compute @workgroup_size(64) fn main() {}\n";
static const char override_name[] = "SIZE";
static const uint32_t zeros[64];

struct bench {
    struct qn_null_host *host;
    struct qn_gpu_host gpu;
    struct qn_tape tape;
    struct qn_error err;
};

static void put(struct bench *b, size_t n, const uint32_t *words) {
    qn_tape_append(&b->tape, words, n);
}
#define PUT(b, ...) \
    put((b), sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t), (uint32_t[]){__VA_ARGS__})

static void put_module(struct bench *b, uint32_t id) {
    PUT(b, QN_TAPE_CREATE_MODULE, id, 4);
    qn_tape_ptr(&b->tape, "test");
    PUT(b, 3, 100); // in parts
    qn_tape_ptr(&b->tape, wgsl);
    PUT(b, 0, 0, 0, sizeof wgsl - 1 - 100);
    qn_tape_ptr(&b->tape, wgsl + 100);
}

static void put_pipeline(struct bench *b, uint32_t id, uint32_t module, uint32_t layout,
                         const char *name, float value) {
    PUT(b, QN_TAPE_CREATE_PIPELINE, id, module, layout, 1, (uint32_t)strlen(name));
    qn_tape_ptr(&b->tape, name);
    qn_tape_word(&b->tape, qn_f32_bits(value));
}

static void put_write(struct bench *b, uint32_t id, uint32_t offset, uint32_t n, const void *p) {
    PUT(b, QN_TAPE_WRITE_BUFFER, id, offset, n);
    qn_tape_ptr(&b->tape, p);
}

static enum qn_status play(struct bench *b) {
    b->err = (struct qn_error){0};
    enum qn_status status = b->gpu.play(b->gpu.ud, b->tape.words, b->tape.n, &b->err);
    qn_tape_clear(&b->tape);
    return status;
}

#define ALL (QN_USE_COPY_SRC | QN_USE_COPY_DST | QN_USE_STORAGE)

/* Buffer 0 uniform, 1 to 3 storage of 1024 bytes; layout 0, pipeline 0 and group 0 = (0, 1, 2). */
static void begin(struct bench *b) {
    *b = (struct bench){0};
    CHECK(qn_null_host_create(&b->host, qn_allocator_default(), NULL, NULL) == QN_OK);
    b->gpu = qn_null_host_interface(b->host);
    qn_tape_init(&b->tape, qn_allocator_default());
    PUT(b, QN_TAPE_CREATE_BUFFER, 0, 256, QN_USE_COPY_DST | QN_USE_UNIFORM);
    for (uint32_t i = 1; i < 4; i++)
        PUT(b, QN_TAPE_CREATE_BUFFER, i, 1024, ALL);
    put_module(b, 0);
    PUT(b, QN_TAPE_CREATE_LAYOUT, 0, 3, QN_BIND_UNIFORM, QN_BIND_READ, QN_BIND_WRITE);
    put_pipeline(b, 0, 0, 0, override_name, 32);
    PUT(b, QN_TAPE_CREATE_GROUP, 0, 0, 3, 0, 0, 16, 1, 0, 512, 2, 256, 256);
    CHECK_MSG(play(b) == QN_OK, "%s", b->err.text);
}

static void end(struct bench *b) {
    qn_tape_free(&b->tape);
    qn_null_host_destroy(b->host);
}

/* The tape so far must be refused with `text` in the message. */
static void refused(struct bench *b, const char *text) {
    enum qn_status status = play(b);
    CHECK_MSG(status == QN_E_GPU, "%d instead of QN_E_GPU, for: %s", (int)status, text);
    CHECK_MSG(strstr(b->err.text, text) != NULL, "\"%s\" lacks \"%s\"", b->err.text, text);
}

static void pass(struct bench *b) {
    PUT(b, QN_TAPE_BEGIN_PASS, QN_TAPE_SET_PIPELINE, 0, QN_TAPE_SET_GROUP, 0);
}

static void test_good(void) {
    struct bench b;
    begin(&b);
    put_write(&b, 1, 4, 64, zeros);
    pass(&b);
    PUT(&b, QN_TAPE_DISPATCH, 65535, 1, 1, QN_TAPE_END_PASS);
    PUT(&b, QN_TAPE_COPY, 1, 0, 3, 512, 512, QN_TAPE_CLEAR, 3, 0, 4);
    PUT(&b, QN_TAPE_READ, 77, 2, 256, 8, QN_TAPE_SUBMIT, QN_TAPE_FENCE, 9);
    CHECK_MSG(play(&b) == QN_OK, "%s", b.err.text);
    struct qn_gpu_event e;
    qn_null_host_hold(b.host, true);
    CHECK(!qn_null_host_next_event(b.host, &e));
    qn_null_host_hold(b.host, false);
    CHECK(qn_null_host_next_event(b.host, &e) && e.kind == QN_GPU_EVENT_READ && e.tag == 77 &&
          e.n == 8 && memcmp(e.bytes, zeros, 8) == 0);
    CHECK(qn_null_host_next_event(b.host, &e) && e.kind == QN_GPU_EVENT_FENCE && e.tag == 9);
    CHECK(!qn_null_host_next_event(b.host, &e));
    PUT(&b, QN_TAPE_DESTROY_GROUP, 0);
    for (uint32_t i = 0; i < 4; i++)
        PUT(&b, QN_TAPE_DESTROY_BUFFER, i);
    CHECK(play(&b) == QN_OK);
    struct qn_null_stats stats;
    qn_null_host_stats(b.host, &stats);
    CHECK(stats.buffers == 0 && stats.groups == 0 && stats.bytes == 0 && stats.dispatches == 1);
    CHECK(qn_null_host_refusal(b.host)->status == QN_OK);
    end(&b);
}

static void test_leaks_are_counted(void) {
    struct bench b;
    begin(&b);
    PUT(&b, QN_TAPE_DESTROY_BUFFER, 3);
    CHECK(play(&b) == QN_OK);
    struct qn_null_stats stats;
    qn_null_host_stats(b.host, &stats);
    CHECK(stats.buffers == 3 && stats.groups == 1 && stats.bytes == 256 + 2 * 1024);
    CHECK(stats.modules == 1 && stats.layouts == 1 && stats.pipelines == 1);
    end(&b);
}

static void test_creation_faults(void) {
    struct bench b;
    begin(&b);
    PUT(&b, QN_TAPE_CREATE_BUFFER, 1, 64, ALL);
    refused(&b, "alive already");
    PUT(&b, QN_TAPE_CREATE_BUFFER, 9, 6, ALL);
    refused(&b, "multiple of 4");
    PUT(&b, QN_TAPE_CREATE_BUFFER, 9, 0, ALL);
    refused(&b, "multiple of 4");
    PUT(&b, QN_TAPE_CREATE_BUFFER, 9, (256u << 20) + 4, ALL);
    refused(&b, "the limit is");
    PUT(&b, QN_TAPE_CREATE_BUFFER, 9, 64, 0x1000);
    refused(&b, "usage");
    PUT(&b, QN_TAPE_CREATE_BUFFER, 1u << 20, 64, ALL);
    refused(&b, "not small");
    PUT(&b, QN_TAPE_CREATE_LAYOUT, 5, 9, 1, 1, 1, 1, 1, 1, 1, 1, 2);
    refused(&b, "the limit is 8");
    PUT(&b, QN_TAPE_CREATE_LAYOUT, 5, 1, 7);
    refused(&b, "kind 7");
    put_pipeline(&b, 1, 4, 0, override_name, 1);
    refused(&b, "no module 4");
    put_pipeline(&b, 1, 0, 4, override_name, 1);
    refused(&b, "no layout 4");
    put_pipeline(&b, 1, 0, 0, "SIZ", 1);
    refused(&b, "no override SIZ");
    put_pipeline(&b, 1, 0, 0, override_name, qn_bits_f32(0x7fc00000u));
    refused(&b, "not finite");
    PUT(&b, QN_TAPE_CREATE_LAYOUT, 6, 3, QN_BIND_UNIFORM, QN_BIND_WRITE, QN_BIND_WRITE);
    put_pipeline(&b, 1, 0, 6, override_name, 1);
    refused(&b, "binding 1");
    PUT(&b, QN_TAPE_CREATE_LAYOUT, 6, 2, QN_BIND_UNIFORM, QN_BIND_READ);
    put_pipeline(&b, 1, 0, 6, override_name, 1);
    refused(&b, "binding 2");
    PUT(&b, QN_TAPE_CREATE_MODULE, 3, 0, 0, 0, 0);
    refused(&b, "no text");
    PUT(&b, QN_TAPE_CREATE_MODULE, 3, 0, 0, 0, 1, 0, 0, 0);
    refused(&b, "no text");
    PUT(&b, QN_TAPE_CREATE_MODULE, 3, 0, 0, 0, 1, 5, 0, 0);
    refused(&b, "part 0 of its text is null");
    end(&b);
}

static void test_group_faults(void) {
    struct bench b;
    begin(&b);
    PUT(&b, QN_TAPE_CREATE_GROUP, 1, 9, 3, 0, 0, 16, 1, 0, 512, 2, 0, 512);
    refused(&b, "no layout 9");
    PUT(&b, QN_TAPE_CREATE_GROUP, 1, 0, 2, 0, 0, 16, 1, 0, 512);
    refused(&b, "2 bindings, its layout 3");
    PUT(&b, QN_TAPE_CREATE_GROUP, 1, 0, 3, 0, 0, 16, 8, 0, 512, 2, 0, 512);
    refused(&b, "no buffer 8");
    PUT(&b, QN_TAPE_CREATE_GROUP, 1, 0, 3, 0, 0, 16, 1, 128, 512, 2, 0, 512);
    refused(&b, "multiple of 256");
    PUT(&b, QN_TAPE_CREATE_GROUP, 1, 0, 3, 0, 0, 16, 1, 768, 512, 2, 0, 512);
    refused(&b, "bytes 768 to 1280");
    PUT(&b, QN_TAPE_CREATE_GROUP, 1, 0, 3, 0, 0, 16, 1, 0, 0, 2, 0, 512);
    refused(&b, "binding 1: 0 bytes");
    PUT(&b, QN_TAPE_CREATE_GROUP, 1, 0, 3, 1, 0, 16, 1, 0, 64, 2, 0, 512);
    refused(&b, "usage"); // a storage buffer in the uniform's place
    PUT(&b, QN_TAPE_CREATE_GROUP, 1, 0, 3, 0, 0, 16, 0, 0, 64, 2, 0, 512);
    refused(&b, "usage"); // and the other way round
    PUT(&b, QN_TAPE_CREATE_BUFFER, 5, 129u << 20, ALL);
    PUT(&b, QN_TAPE_CREATE_GROUP, 1, 0, 3, 0, 0, 16, 5, 0, 129u << 20, 2, 0, 512);
    refused(&b, "over the limit");
    PUT(&b, QN_TAPE_CREATE_GROUP, 0, 0, 3, 0, 0, 16, 1, 0, 512, 2, 0, 512);
    refused(&b, "alive already");
    PUT(&b, QN_TAPE_DESTROY_GROUP, 4);
    refused(&b, "no group 4");
    end(&b);
}

static void test_transfer_faults(void) {
    struct bench b;
    begin(&b);
    put_write(&b, 8, 0, 4, zeros);
    refused(&b, "no buffer 8");
    put_write(&b, 1, 1020, 8, zeros);
    refused(&b, "bytes 1020 to 1028");
    put_write(&b, 1, 2, 4, zeros);
    refused(&b, "whole words");
    put_write(&b, 1, 0, 3, zeros);
    refused(&b, "whole words");
    put_write(&b, 1, 0, 4, NULL);
    refused(&b, "null pointer");
    PUT(&b, QN_TAPE_CLEAR, 1, 0, 4);
    put_write(&b, 1, 0, 4, zeros);
    refused(&b, "not submitted");
    PUT(&b, QN_TAPE_COPY, 1, 0, 1, 512, 4, QN_TAPE_SUBMIT);
    refused(&b, "source and target");
    PUT(&b, QN_TAPE_COPY, 1, 0, 9, 512, 4, QN_TAPE_SUBMIT);
    refused(&b, "no buffer 9");
    PUT(&b, QN_TAPE_READ, 1, 0, 0, 4, QN_TAPE_SUBMIT);
    refused(&b, "usage"); // not COPY_SRC
    PUT(&b, QN_TAPE_READ, 1, 2, 1024, 4, QN_TAPE_SUBMIT);
    refused(&b, "bytes 1024");
    PUT(&b, QN_TAPE_READ, 1, 2, 0, 4);
    refused(&b, "SUBMIT is missing");
    struct qn_gpu_event e;
    CHECK(!qn_null_host_next_event(b.host, &e)); // reads of refused tapes never arrive
    PUT(&b, QN_TAPE_CLEAR, 1, 0, 4, QN_TAPE_DESTROY_BUFFER, 1);
    refused(&b, "not submitted");
    PUT(&b, QN_TAPE_DESTROY_BUFFER, 1, QN_TAPE_DESTROY_BUFFER, 1);
    refused(&b, "no buffer 1");
    put_write(&b, 1, 0, 4, zeros);
    refused(&b, "no buffer 1");
    end(&b);
}

static void test_pass_faults(void) {
    struct bench b;
    begin(&b);
    pass(&b);
    PUT(&b, QN_TAPE_DISPATCH, 1, 1, 1);
    refused(&b, "END_PASS is missing");
    pass(&b);
    PUT(&b, QN_TAPE_DISPATCH, 1, 1, 1, QN_TAPE_SUBMIT);
    refused(&b, "within a pass");
    pass(&b);
    PUT(&b, QN_TAPE_BEGIN_PASS);
    refused(&b, "do not nest");
    pass(&b);
    PUT(&b, QN_TAPE_READ, 1, 2, 0, 4);
    refused(&b, "within a pass");
    PUT(&b, QN_TAPE_END_PASS);
    refused(&b, "outside a pass");
    PUT(&b, QN_TAPE_DISPATCH, 1, 1, 1);
    refused(&b, "outside a pass");
    PUT(&b, QN_TAPE_SET_GROUP, 0);
    refused(&b, "outside a pass");
    pass(&b);
    PUT(&b, QN_TAPE_DISPATCH, 65536, 1, 1);
    refused(&b, "65536×1×1");
    pass(&b);
    PUT(&b, QN_TAPE_DISPATCH, 1, 0, 1);
    refused(&b, "1×0×1");
    PUT(&b, QN_TAPE_BEGIN_PASS, QN_TAPE_SET_PIPELINE, 3);
    refused(&b, "no pipeline 3");
    PUT(&b, QN_TAPE_BEGIN_PASS, QN_TAPE_SET_GROUP, 3);
    refused(&b, "no group 3");
    PUT(&b, QN_TAPE_BEGIN_PASS, QN_TAPE_SET_PIPELINE, 0, QN_TAPE_DISPATCH, 1, 1, 1);
    refused(&b, "no group is set");
    // The second pass does not inherit the first one's pipeline.
    pass(&b);
    PUT(&b, QN_TAPE_END_PASS, QN_TAPE_BEGIN_PASS, QN_TAPE_SET_GROUP, 0, QN_TAPE_DISPATCH, 1, 1, 1);
    refused(&b, "no pipeline or no group");
    // Another layout: with the same kinds it fits, with others or fewer it does not.
    PUT(&b, QN_TAPE_CREATE_LAYOUT, 1, 3, QN_BIND_UNIFORM, QN_BIND_READ, QN_BIND_WRITE);
    PUT(&b, QN_TAPE_CREATE_GROUP, 1, 1, 3, 0, 0, 16, 1, 0, 512, 2, 0, 512);
    PUT(&b, QN_TAPE_BEGIN_PASS, QN_TAPE_SET_PIPELINE, 0, QN_TAPE_SET_GROUP, 1);
    PUT(&b, QN_TAPE_DISPATCH, 1, 1, 1, QN_TAPE_END_PASS, QN_TAPE_SUBMIT);
    CHECK(play(&b) == QN_OK);
    PUT(&b, QN_TAPE_CREATE_LAYOUT, 2, 3, QN_BIND_UNIFORM, QN_BIND_WRITE, QN_BIND_READ);
    PUT(&b, QN_TAPE_CREATE_GROUP, 2, 2, 3, 0, 0, 16, 1, 0, 512, 2, 0, 512);
    PUT(&b, QN_TAPE_BEGIN_PASS, QN_TAPE_SET_PIPELINE, 0, QN_TAPE_SET_GROUP, 2);
    PUT(&b, QN_TAPE_DISPATCH, 1, 1, 1);
    refused(&b, "the pipeline of 0");
    PUT(&b, QN_TAPE_CREATE_LAYOUT, 3, 2, QN_BIND_UNIFORM, QN_BIND_READ);
    PUT(&b, QN_TAPE_CREATE_GROUP, 3, 3, 2, 0, 0, 16, 1, 0, 512);
    PUT(&b, QN_TAPE_BEGIN_PASS, QN_TAPE_SET_PIPELINE, 0, QN_TAPE_SET_GROUP, 3);
    PUT(&b, QN_TAPE_DISPATCH, 1, 1, 1);
    refused(&b, "the pipeline of 0");
    // A buffer that was destroyed, and one that took its id.
    PUT(&b, QN_TAPE_DESTROY_BUFFER, 2);
    CHECK(play(&b) == QN_OK);
    pass(&b);
    PUT(&b, QN_TAPE_DISPATCH, 1, 1, 1);
    refused(&b, "buffer 2 was destroyed");
    PUT(&b, QN_TAPE_CREATE_BUFFER, 2, 1024, ALL);
    pass(&b);
    PUT(&b, QN_TAPE_DISPATCH, 1, 1, 1);
    refused(&b, "buffer 2 was destroyed");
    end(&b);
}

static void test_aliases(void) {
    struct bench b;
    begin(&b);
    // Disjoint ranges of one buffer, one read and one written: refused, as WebGPU does.
    PUT(&b, QN_TAPE_CREATE_GROUP, 1, 0, 3, 0, 0, 16, 1, 0, 256, 1, 512, 256);
    PUT(&b, QN_TAPE_BEGIN_PASS, QN_TAPE_SET_PIPELINE, 0, QN_TAPE_SET_GROUP, 1);
    PUT(&b, QN_TAPE_DISPATCH, 1, 1, 1);
    refused(&b, "written by one of bindings 1 and 2");
    static const char text[] = "@group(0) @binding(0) var<storage, read_write> a: array<f32>;\n"
                               "@group(0) @binding(1) var<storage,read_write> b: array<f32>;\n";
    PUT(&b, QN_TAPE_CREATE_MODULE, 1, 0, 0, 0, 1, sizeof text - 1);
    qn_tape_ptr(&b.tape, text);
    PUT(&b, QN_TAPE_CREATE_LAYOUT, 1, 2, QN_BIND_WRITE, QN_BIND_WRITE);
    PUT(&b, QN_TAPE_CREATE_PIPELINE, 1, 1, 1, 0);
    PUT(&b, QN_TAPE_CREATE_GROUP, 2, 1, 2, 1, 0, 256, 1, 256, 256);
    PUT(&b, QN_TAPE_CREATE_GROUP, 3, 1, 2, 1, 0, 260, 1, 256, 256);
    PUT(&b, QN_TAPE_BEGIN_PASS, QN_TAPE_SET_PIPELINE, 1, QN_TAPE_SET_GROUP, 2);
    PUT(&b, QN_TAPE_DISPATCH, 1, 1, 1, QN_TAPE_END_PASS, QN_TAPE_SUBMIT);
    CHECK_MSG(play(&b) == QN_OK, "%s", b.err.text); // both written, disjoint: allowed
    PUT(&b, QN_TAPE_BEGIN_PASS, QN_TAPE_SET_PIPELINE, 1, QN_TAPE_SET_GROUP, 3);
    PUT(&b, QN_TAPE_DISPATCH, 1, 1, 1, QN_TAPE_END_PASS, QN_TAPE_SUBMIT);
    refused(&b, "written by one of bindings 0 and 1");
    end(&b);
}

static void test_words(void) {
    struct bench b;
    begin(&b);
    PUT(&b, 99);
    refused(&b, "unknown opcode 99");
    PUT(&b, 0);
    refused(&b, "unknown opcode 0");
    PUT(&b, QN_TAPE_CREATE_BUFFER, 7, 64);
    refused(&b, "cut off");
    PUT(&b, QN_TAPE_CREATE_LAYOUT, 7, 0xffffffffu, 1);
    refused(&b, "cut off");
    PUT(&b, QN_TAPE_CREATE_GROUP, 7, 0, 0x55555556u, 1, 1);
    refused(&b, "cut off");
    CHECK(qn_null_host_refusal(b.host)->status == QN_E_GPU);
    // What came before the failing word was done; what came after was not.
    PUT(&b, QN_TAPE_CREATE_BUFFER, 10, 64, ALL, 99, QN_TAPE_CREATE_BUFFER, 11, 64, ALL);
    refused(&b, "word 4");
    PUT(&b, QN_TAPE_DESTROY_BUFFER, 10);
    CHECK(play(&b) == QN_OK);
    PUT(&b, QN_TAPE_DESTROY_BUFFER, 11);
    refused(&b, "no buffer 11");
    end(&b);
}

static void test_injection(void) {
    struct bench b;
    struct qn_gpu_event e;
    begin(&b);
    qn_null_host_fail(b.host, &(struct qn_null_fault){.at = 1, .status = QN_E_GPU_MEMORY});
    CHECK(play(&b) == QN_OK && play(&b) == QN_E_GPU_MEMORY && play(&b) == QN_OK);
    qn_null_host_fail(b.host, &(struct qn_null_fault){.status = QN_E_GPU, .late = true});
    CHECK(play(&b) == QN_OK);
    CHECK(qn_null_host_next_event(b.host, &e) && e.kind == QN_GPU_EVENT_ERROR &&
          e.status == QN_E_GPU && e.n > 0);
    qn_null_host_fail(b.host, &(struct qn_null_fault){.status = QN_E_GPU_LOST, .late = true});
    CHECK(play(&b) == QN_OK);
    CHECK(qn_null_host_next_event(b.host, &e) && e.kind == QN_GPU_EVENT_LOST);
    CHECK(play(&b) == QN_E_GPU_LOST && play(&b) == QN_E_GPU_LOST);
    end(&b);
}

/* Every constant that the table of kernels lists is known by its name. */
static void test_constants(void) {
    static const char *const lists[QN_KERNEL_COUNT] = {
#define LIST(NAME, text, params, bindings, constants) constants,
        QN_KERNEL_LIST(LIST)
#undef LIST
    };
    for (uint32_t id = 0; id < QN_KERNEL_COUNT; id++) {
        struct qn_kernel kernel;
        uint32_t words = lists[id][0] != 0;
        for (const char *c = lists[id]; *c; c++)
            words += *c == ' ';
        qn_kernel_get(&kernel, (enum qn_kernel_id)id);
        CHECK_MSG(kernel.n_constants == words, "%s: %u of %u", kernel.name, kernel.n_constants,
                  words);
    }
}

int main(void) {
    test_constants();
    test_good();
    test_leaks_are_counted();
    test_creation_faults();
    test_group_faults();
    test_transfer_faults();
    test_pass_faults();
    test_aliases();
    test_words();
    test_injection();
    return test_done("webgpu_null");
}
