/* Whole models of every format, written anew with one thing wrong: each is refused with the
 * tensor's name, what was expected and what was found. In another order they are good. */
#include "base/num.h"
#include "tests/c/rewrite.h"
#include "tests/c/said.h"

struct format {
    const char *folder;
    const char *tensor;           // a matrix of two dimensions
    const char *wrong_type;       // of elements of the same size where the format can say it
    const char *expected, *found; // in messages about its shape
};

static const struct format formats[] = {
    {"gguf/llama_Q8_0", "blk.1.ffn_down.weight", "F32", "[64, 96]", "Q8_0 [96, 64]"},
    {"gguf/qwen2_F16", "blk.1.ffn_down.weight", "", "[64, 96]", "F16 [96, 64]"},
    {"lm/qwen2_untied", "model.layers.1.mlp.down_proj.weight", "I16", "[64, 96]", "BF16 [96, 64]"},
    {"lm/llama3", "model.layers.1.mlp.down_proj.weight", "I16", "[64, 96]", " [96, 64]"},
    {"awq/qwen2", "model.layers.1.mlp.down_proj.qweight", "F32", "I32 [256, 16]", "I32 [16, 256]"},
    {"mlc/qwen2_q4f16_1", "model.layers.1.mlp.down_proj.q_weight", "F32", "U32 [64, 12]",
     "U32 [12, 64]"},
    {"mlc/qwen2_q0f16", "model.layers.1.mlp.down_proj.weight", "", "[64, 96]", " [96, 64]"},
    {"mlc/qwen2_q4f16_0", "model.layers.1.mlp.down_proj.q_scale", "", " [3, 64]", "F16 [64, 3]"},
};

static struct new_model model;
static struct said good, said;
static struct qn_memory_file files[3];
static size_t n_files;

static bool is(const struct format *f, const char *kind) {
    return strncmp(f->folder, kind, strlen(kind)) == 0;
}

static void free_files(void) {
    for (size_t i = 0; i < n_files; i++)
        free((void *)(uintptr_t)files[i].bytes.p);
    n_files = 0;
}

static struct qn_str slurp_of(const struct format *f, const char *name) {
    char path[1200];
    snprintf(path, sizeof path, "%s/fixtures/%s/%s", test_shared(), f->folder, name);
    return slurp(path);
}

/* The model's files; the last one has the weights. */
static void write_files(const struct format *f, const char *first) {
    free_files();
    if (is(f, "gguf/")) {
        struct qn_str other = slurp_of(f, "model.gguf");
        files[n_files++] = (struct qn_memory_file){QN_STR("model.gguf"),
                                                   new_gguf(&model, other, qn_str_from(first))};
        free((void *)(uintptr_t)other.p);
    } else if (is(f, "mlc/")) {
        struct qn_str shard, manifest = new_mlc(&shard, &model);
        files[n_files++] = (struct qn_memory_file){QN_STR("mlc-chat-config.json"),
                                                   slurp_of(f, "mlc-chat-config.json")};
        files[n_files++] = (struct qn_memory_file){QN_STR("ndarray-cache.json"), manifest};
        files[n_files++] = (struct qn_memory_file){QN_STR("params_shard_0.bin"), shard};
    } else {
        files[n_files++] =
            (struct qn_memory_file){QN_STR("config.json"), slurp_of(f, "config.json")};
        files[n_files++] =
            (struct qn_memory_file){QN_STR("model.safetensors"), new_safetensors(&model)};
    }
}

static void refused(const struct format *f, const char *what, enum qn_status status,
                    const char *name, const char *expected, const char *found) {
    said_by(&said, files, n_files, false);
    CHECK_MSG(said.status == status && strstr(said.err.text, name) &&
                  strstr(said.err.text, expected) && strstr(said.err.text, found),
              "%s, %s: %s", f->folder, what, said.err.text);
}

static void shuffle(uint32_t seed) {
    for (uint32_t i = model.n; i-- > 1;) {
        uint32_t other = new_random(&seed) % (i + 1);
        struct new_tensor kept = model.tensors[i];
        model.tensors[i] = model.tensors[other];
        model.tensors[other] = kept;
    }
}

static void test_format(const struct format *f) {
    if (!new_read(&model, f->folder))
        return;
    char first[128];
    strcpy(first, model.tensors[0].name);
    write_files(f, first);
    said_by(&good, files, n_files, false);
    for (uint32_t seed = 1; seed < 3; seed++) {
        shuffle(seed);
        write_files(f, first);
        said_by(&said, files, n_files, false);
        said_same(f->folder, &good, &said);
        CHECK(memcmp(good.told.first_logits, said.told.first_logits,
                     good.told.n_logits * sizeof(float)) == 0);
    }
    // Cut off, anywhere: the last tensor, or the first that is not whole, is named.
    struct qn_str *weights = &files[n_files - 1].bytes;
    size_t whole = weights->n;
    weights->n = whole - 33;
    const char *last = model.tensors[model.n - 1].name;
    refused(f, "cut", QN_E_TRUNCATED, last, "tensor \"", "ends at");
    weights->n = whole / 2;
    refused(f, "cut in half", QN_E_TRUNCATED, "tensor \"", "ends at", "");
    weights->n = whole;

    struct new_tensor *t = new_find(&model, f->tensor), kept = *t;
    uint64_t d0 = t->dims[0];
    char name[160];
    snprintf(name, sizeof name, "tensor \"%s\"", f->tensor);
    t->dims[0] = t->dims[1];
    t->dims[1] = d0;
    write_files(f, first);
    refused(f, "transposed", QN_E_TENSOR, name, f->expected, f->found);
    *t = kept;
    if (f->wrong_type[0]) {
        char found[64];
        t->dtype = f->wrong_type;
        if (is(f, "gguf/")) { // F32 is a type that the format has a decoder for: the bytes tell
            t->n = (size_t)(t->dims[0] * t->dims[1]) * 4;
            t->bytes = calloc(t->n, 1);
            t->dtype = "I32";
        }
        snprintf(found, sizeof found, "found %s", t->dtype);
        write_files(f, first);
        refused(f, "of another type", QN_E_TENSOR, name, "expected", found);
        if (t->bytes != kept.bytes)
            free(t->bytes);
        *t = kept;
    }
    t->name[strlen(t->name) - 1] = 'x';
    write_files(f, first);
    /* A checkpoint may leave layers as they were: what is missing then is the plain one. */
    bool packed = is(f, "awq/");
    if (packed)
        strcpy(name, "model.layers.1.mlp.down_proj.weight");
    refused(f, "of another name", QN_E_TENSOR, name, packed ? "" : f->expected, "found none");
    *t = kept;
    strcpy(t->name,
           model.tensors[0].name == t->name ? model.tensors[1].name : model.tensors[0].name);
    snprintf(name, sizeof name, "\"%s\"", t->name);
    write_files(f, first);
    refused(f, "named as another", QN_E_FORMAT, name, "two tensors are named", "");
    *t = kept;
    free_files();
    new_free(&model);
}

/* Matrices that are joined elsewhere stay apart where types differ: gate from up, q from k. */
static void test_mixed(void) {
    static const struct format f = {.folder = "gguf/qwen2_F16"};
    static const char *const widened[] = {"blk.0.ffn_up.weight", "blk.1.ffn_gate.weight",
                                          "blk.1.attn_k.weight"};
    if (!new_read(&model, f.folder))
        return;
    char first[128];
    strcpy(first, model.tensors[0].name);
    write_files(&f, first);
    said_by(&good, files, n_files, false);
    for (size_t i = 0; i < sizeof widened / sizeof *widened; i++) {
        struct new_tensor *t = new_find(&model, widened[i]);
        if (!CHECK(t && strcmp(t->dtype, "F16") == 0))
            continue;
        float *wide = malloc(2 * t->n);
        for (size_t k = 0; k < t->n / 2; k++)
            wide[k] = qn_f16_to_f32(((const uint16_t *)t->bytes)[k]);
        free(t->bytes);
        t->bytes = wide;
        t->n *= 2;
        t->dtype = "F32";
    }
    write_files(&f, first);
    for (int on_gpu = 0; on_gpu < 2; on_gpu++) {
        said_by(&said, files, n_files, on_gpu);
        said_same("mixed types", &good, &said);
    }
    free_files();
    new_free(&model);
}

int main(void) {
    if (!fixtures_there()) {
        printf("skipped: no ../shared\n");
        return test_done("bad_files");
    }
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        test_format(&formats[i]);
    test_mixed();
    return test_done("bad_files");
}
