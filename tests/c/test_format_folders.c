/* Folders: safetensors, single and sharded, and MLC. Good ones, and what is said of bad ones. */
#include "tests/c/flip.h"

#define CONFIG \
    { QN_STR("config.json"), QN_STR("{\"model_type\":\"llama\"}") }
#define CHAT_CONFIG \
    { QN_STR("mlc-chat-config.json"), QN_STR("{\"model_type\":\"qwen2\"}") }

static struct qn_str whole(const struct bytes *b) {
    return (struct qn_str){b->p, b->n};
}

static void safetensors(struct bytes *b, struct qn_str header, size_t n_data) {
    b->n = 0;
    put_u64(b, header.n);
    put(b, header.p, header.n);
    put_zeros(b, n_data);
}

static enum qn_status try_seed(const struct seed *seed, struct qn_error *err) {
    struct faults faults;
    faults_init(&faults);
    return seed_try(seed, &faults, err);
}

static int n_bad_safetensors, n_bad_mlc;

static void expect(int line, const struct seed *seed, enum qn_status expected, const char *text) {
    struct qn_error err;
    enum qn_status status = try_seed(seed, &err);
    CHECK_MSG(status == expected, "line %d: %s (%s)", line, qn_status_name(status), err.text);
    CHECK_MSG(strstr(err.text, text) != NULL, "line %d: %s", line, err.text);
}

static void bad_header(int line, enum qn_status expected, struct qn_str header, size_t n_data,
                       const char *text) {
    struct bytes b;
    safetensors(&b, header, n_data);
    struct seed seed = {{CONFIG, {QN_STR("model.safetensors"), whole(&b)}}, 2, ""};
    n_bad_safetensors += expected != QN_OK;
    expect(line, &seed, expected, text);
}
#define HEADER(status, header, n_data, text) \
    bad_header(__LINE__, QN_##status, QN_STR(header), n_data, text)
#define T(name, dtype, shape, offsets) \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static void test_headers(void) {
    HEADER(OK, "{}", 0, "");
    HEADER(OK, "{}   ", 0, "");
    HEADER(OK, "{\"__metadata__\":{\"format\":\"pt\"}}", 0, "");
    HEADER(OK, "{" T("a", "F32", "[]", "[0,4]") "}", 4, "");
    HEADER(OK, "{" T("b", "F16", "[2]", "[4,8]") "," T("a", "F32", "[1]", "[0,4]") "}", 8, "");
    HEADER(OK, "{" T("z", "F16", "[0,2]", "[4,4]") "," T("a", "F32", "[1]", "[0,4]") "}", 4, "");
    HEADER(OK, "{" T("\\u0061/\\n", "BOOL", "[3]", "[0,3]") "}", 3, "");
    HEADER(OK,
           "{" T("a", "I64", "[1,1]", "[0,8]") "," T("b", "BF16", "[1]", "[8,10]") "," T(
               "c", "U8", "[1]", "[10,11]") "}",
           11, "");

    HEADER(E_FORMAT, "", 0, "does not begin with '{'");
    HEADER(E_FORMAT, "[]", 0, "does not begin");
    HEADER(E_FORMAT, " {}", 0, "does not begin");
    HEADER(E_FORMAT, "null", 0, "does not begin");
    HEADER(E_JSON, "{", 0, "\"model.safetensors\": the JSON text ends");
    HEADER(E_JSON, "{}x", 0, "text after the JSON value");
    HEADER(E_JSON, "{\"a\":}", 0, "a value is expected");
    HEADER(E_JSON, "{\"\xff\":1}", 0, "UTF-8");
    HEADER(E_JSON, "{}\0", 0, "text after");
    HEADER(E_FORMAT, "{\"a\":1}", 0, "tensor \"a\" in \"model.safetensors\" is no object");
    HEADER(E_FORMAT, "{\"a\":{}}", 0, "\"a\" in \"model.safetensors\" has no dtype");
    HEADER(E_FORMAT, "{\"a\":{\"dtype\":5,\"shape\":[],\"data_offsets\":[0,4]}}", 4, "no dtype");
    HEADER(E_FORMAT, "{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, "no valid shape");
    HEADER(E_FORMAT, "{\"a\":{\"dtype\":\"F32\",\"shape\":[]}}", 4, "no valid data_offsets");
    HEADER(E_UNSUPPORTED, "{" T("a", "F8_E4M3", "[4]", "[0,4]") "}", 4,
           "\"a\" in \"model.safetensors\" has dtype F8_E4M3");
    HEADER(E_UNSUPPORTED, "{" T("a", "F8_E5M2", "[4]", "[0,4]") "}", 4, "dtype F8_E5M2");
    HEADER(E_UNSUPPORTED, "{" T("a", "Q4_0", "[32]", "[0,18]") "}", 18, "dtype Q4_0");
    HEADER(E_UNSUPPORTED, "{" T("a", "f32", "[1]", "[0,4]") "}", 4, "dtype f32");
    HEADER(E_UNSUPPORTED, "{" T("a", "", "[1]", "[0,4]") "}", 4, "has dtype");
    HEADER(E_UNSUPPORTED, "{" T("a", "none", "[1]", "[0,0]") "}", 0, "dtype none");
    HEADER(E_FORMAT, "{" T("", "F32", "[1]", "[0,4]") "}", 4, "has no name");
    HEADER(E_FORMAT, "{" T("a", "F32", "5", "[0,4]") "}", 4, "no valid shape");
    HEADER(E_FORMAT, "{" T("a", "F32", "[-1]", "[0,4]") "}", 4, "no valid shape");
    HEADER(E_FORMAT, "{" T("a", "F32", "[1.5]", "[0,4]") "}", 4, "no valid shape");
    HEADER(E_FORMAT, "{" T("a", "F32", "[\"1\"]", "[0,4]") "}", 4, "no valid shape");
    HEADER(E_FORMAT, "{" T("a", "F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]") "}", 4, "no valid shape");
    HEADER(E_FORMAT, "{" T("a", "F32", "[4294967296,4294967296]", "[0,0]") "}", 0,
           "no valid shape");
    HEADER(E_FORMAT, "{" T("a", "F32", "[4611686018427387904]", "[0,0]") "}", 0, "do not fit");
    HEADER(E_FORMAT, "{" T("a", "F32", "[99999999999999999999]", "[0,0]") "}", 0, "no valid shape");
    HEADER(E_FORMAT, "{" T("a", "F32", "[1]", "[0]") "}", 4, "data_offsets");
    HEADER(E_FORMAT, "{" T("a", "F32", "[1]", "[0,4,8]") "}", 4, "data_offsets");
    HEADER(E_FORMAT, "{" T("a", "F32", "[1]", "{\"0\":0,\"1\":4}") "}", 4, "data_offsets");
    HEADER(E_FORMAT, "{" T("a", "F32", "[1]", "[4,0]") "}", 4, "data_offsets");
    HEADER(E_FORMAT, "{" T("a", "F32", "[1]", "[-4,0]") "}", 4, "data_offsets");
    HEADER(E_FORMAT, "{" T("a", "F32", "[1]", "[0,4.5]") "}", 8, "data_offsets");
    HEADER(E_TRUNCATED, "{" T("a", "F32", "[1]", "[0,4]") "}", 3, "tensor \"a\" ends at 4");
    HEADER(E_TRUNCATED, "{" T("a", "U8", "[1]", "[0,9223372036854775807]") "}", 3, "tensor \"a\"");
    HEADER(E_TRUNCATED, "{" T("a", "U8", "[1]", "[9223372036854775806,9223372036854775807]") "}", 3,
           "ends at");
    HEADER(E_FORMAT, "{" T("a", "F32", "[2]", "[0,4]") "}", 4, "do not fit its shape");
    HEADER(E_FORMAT, "{" T("a", "F16", "[1]", "[0,4]") "}", 4, "do not fit its shape");
    HEADER(E_FORMAT, "{" T("a", "F32", "[0]", "[0,4]") "}", 4, "do not fit");
    HEADER(E_FORMAT, "{" T("a", "F32", "[1]", "[0,4]") "}", 5, "belong to no tensor");
    HEADER(E_FORMAT, "{}", 1, "belong to no tensor");
    HEADER(E_FORMAT, "{" T("a", "F32", "[1]", "[4,8]") "}", 8,
           "\"a\" in \"model.safetensors\" does not follow");
    HEADER(E_FORMAT, "{" T("a", "F32", "[1]", "[0,4]") "," T("b", "F32", "[1]", "[2,6]") "}", 6,
           "\"b\"");
    HEADER(E_FORMAT, "{" T("a", "F32", "[1]", "[0,4]") "," T("b", "F32", "[1]", "[0,4]") "}", 4,
           "does not follow");
    HEADER(E_FORMAT, "{" T("a", "F32", "[1]", "[0,4]") "," T("b", "F32", "[1]", "[8,12]") "}", 12,
           "\"b\"");
    HEADER(E_FORMAT, "{" T("a", "F32", "[1]", "[0,4]") "," T("a", "F32", "[1]", "[4,8]") "}", 8,
           "two tensors are named \"a\"");
    HEADER(E_FORMAT, "{" T("a", "F32", "[1]", "[0,4]") "," T("\\u0061", "F32", "[1]", "[4,8]") "}",
           8, "named \"a\"");
    HEADER(E_FORMAT, "{\"__metadata__\":1}", 0, "no map of strings");
    HEADER(E_FORMAT, "{\"__metadata__\":[\"a\"]}", 0, "no map of strings");
    HEADER(E_FORMAT, "{\"__metadata__\":{\"a\":1}}", 0, "no map of strings");
    HEADER(E_FORMAT, "{\"__metadata__\":{},\"__metadata__\":{}}", 0, "stands twice");

    struct bytes b = {.n = 0};
    struct seed seed = {{CONFIG, {QN_STR("model.safetensors"), whole(&b)}}, 2, ""};
#define RAW(status, text) \
    (seed.files[1].bytes = whole(&b), n_bad_safetensors++, expect(__LINE__, &seed, status, text))
    RAW(QN_E_TRUNCATED, "the header's length");
    put_zeros(&b, 7);
    RAW(QN_E_TRUNCATED, "the header's length");
    b.n = 0, put_u64(&b, 3), put(&b, "{}", 2);
    RAW(QN_E_TRUNCATED, "a header of 3 bytes, of which 2 are left");
    b.n = 0, put_u64(&b, UINT64_MAX), put(&b, "{}", 2);
    RAW(QN_E_TRUNCATED, "18446744073709551615");
    b.n = 0, put_u64(&b, UINT64_C(0x100000002)), put(&b, "{}", 2);
    RAW(QN_E_TRUNCATED, "4294967298");
    // A header above the limit, in a file that has it.
    char *big = calloc(1, 100000010);
    uint64_t n = 100000001;
    memcpy(big, &n, 8);
    seed.files[1].bytes = (struct qn_str){big, 100000010};
    n_bad_safetensors++;
    expect(__LINE__, &seed, QN_E_LIMIT, "a header of 100000001 bytes");
    free(big);
    // Documents beside the weights.
    safetensors(&b, QN_STR("{}"), 0);
    seed.files[1].bytes = whole(&b);
    expect(__LINE__, &seed, QN_OK, "");
    seed.files[0].bytes = QN_STR("[]");
    expect(__LINE__, &seed, QN_E_FORMAT, "\"config.json\" is not a JSON object");
    seed.files[0].bytes = QN_STR("{\"a\":1,}");
    expect(__LINE__, &seed, QN_E_JSON, "\"config.json\": a key in quotes is expected at byte 7");
    seed.files[0] = (struct qn_memory_file)CONFIG;
    seed.files[2] = (struct qn_memory_file){QN_STR("generation_config.json"), QN_STR("{")};
    seed.n = 3;
    expect(__LINE__, &seed, QN_E_JSON, "\"generation_config.json\"");
    seed.files[2] = (struct qn_memory_file){QN_STR("tokenizer_config.json"), QN_STR("7")};
    expect(__LINE__, &seed, QN_E_FORMAT, "\"tokenizer_config.json\"");
    seed.n = 1;
    expect(__LINE__, &seed, QN_E_NOT_FOUND, "model.safetensors.index.json");
    seed.n = 0;
    expect(__LINE__, &seed, QN_E_NOT_FOUND, "neither config.json nor mlc-chat-config.json");
    seed.main = "absent.gguf";
    expect(__LINE__, &seed, QN_E_NOT_FOUND, "\"absent.gguf\"");
}

static struct bytes shard_a, shard_b;

static struct seed sharded(struct qn_str index) {
    safetensors(&shard_a, QN_STR("{" T("x", "F32", "[2,1]", "[0,8]") "}"), 8);
    safetensors(&shard_b, QN_STR("{" T("y", "F16", "[3]", "[0,6]") ",\"__metadata__\":{}}"), 6);
    return (struct seed){{CONFIG,
                          {QN_STR("model.safetensors.index.json"), index},
                          {QN_STR("m-1.safetensors"), whole(&shard_a)},
                          {QN_STR("sub/m-2.safetensors"), whole(&shard_b)},
                          {QN_STR("generation_config.json"), QN_STR("{\"eos_token_id\":[1,2]}")},
                          {QN_STR("tokenizer_config.json"), QN_STR("{}")}},
                         6,
                         ""};
}

#define GOOD_INDEX                                                                              \
    QN_STR("{\"metadata\":{\"total_size\":14},\"weight_map\":{\"x\":\"m-1.safetensors\",\"y\":" \
           "\"sub/m-2.safetensors\"}}")

static void test_shards(void) {
    struct seed seed = sharded(GOOD_INDEX);
    expect(__LINE__, &seed, QN_OK, "");
    struct qn_memory_files memory = {seed.files, seed.n};
    struct qn_files files = qn_files_from_memory(&memory);
    struct qn_arena arena;
    struct qn_directory d;
    qn_arena_init(&arena, qn_allocator_default());
    if (CHECK(qn_directory_open(&d, &arena, &files, QN_STR(""), NULL) == QN_OK)) {
        const struct qn_tensor *y = qn_directory_find(&d, QN_STR("y"));
        CHECK(d.format == QN_FORMAT_SAFETENSORS && d.n_files == 2 && d.n_tensors == 2);
        CHECK(y != NULL && qn_str_is(d.files[y->file], "sub/m-2.safetensors") && y->nbytes == 6);
        CHECK(y->offset + 6 == shard_b.n && y->dtype == QN_DTYPE_F16 && y->dims[0] == 3);
        CHECK(qn_json_string_is(qn_json_get(qn_json_root(&d.config), "model_type"), "llama"));
        CHECK(qn_json_count(qn_json_get(qn_json_root(&d.generation_config), "eos_token_id")) == 2);
        CHECK(d.tokenizer_config.n_nodes == 1);
    }
    qn_arena_free(&arena);
#define INDEX(status, text, message)                    \
    (seed = sharded(QN_STR(text)), n_bad_safetensors++, \
     expect(__LINE__, &seed, QN_##status, message))
    INDEX(E_FORMAT, "{}", "no weight_map");
    INDEX(E_FORMAT, "{\"weight_map\":[]}", "no weight_map");
    INDEX(E_FORMAT, "{\"weight_map\":{}}", "no weight_map");
    INDEX(E_FORMAT, "{\"weight_map\":{\"x\":1}}", "names the file");
    INDEX(E_FORMAT, "{\"weight_map\":{\"x\":\"../m-1.safetensors\"}}", "\"../m-1.safetensors\"");
    INDEX(E_FORMAT, "{\"weight_map\":{\"x\":\"/etc/m.safetensors\"}}", "names the file");
    INDEX(E_FORMAT, "{\"weight_map\":{\"x\":\"http://a/m.safetensors\"}}", "names the file");
    INDEX(E_FORMAT, "{\"weight_map\":{\"x\":\"m-1.bin\"}}", "\"m-1.bin\"");
    INDEX(E_NOT_FOUND, "{\"weight_map\":{\"x\":\"m-3.safetensors\"}}", "\"m-3.safetensors\"");
    INDEX(E_TENSOR, "{\"weight_map\":{\"z\":\"m-1.safetensors\"}}",
          "\"z\" is not in \"m-1.safetensors\"");
    INDEX(E_TENSOR, "{\"weight_map\":{\"x\":\"sub/m-2.safetensors\",\"y\":\"m-1.safetensors\"}}",
          "is not in");
    seed = sharded(GOOD_INDEX);
    seed.files[3].bytes = seed.files[2].bytes; // "x" in both
    n_bad_safetensors++;
    expect(__LINE__, &seed, QN_E_FORMAT, "two tensors are named \"x\"");
}

static struct seed mlc(struct qn_str manifest) {
    static const char zeros[64];
    return (struct seed){
        {CHAT_CONFIG, {QN_STR("ndarray-cache.json"), manifest}, {QN_STR("p_0.bin"), {zeros, 28}}},
        3,
        ""};
}

#define R(name, shape, dtype, format, nbytes, offset)                                         \
    "{\"name\":\"" name "\",\"shape\":" shape ",\"dtype\":\"" dtype "\",\"format\":\"" format \
    "\",\"nbytes\":" nbytes ",\"byteOffset\":" offset "}"
#define SHARD(path, nbytes, records)                                         \
    "{\"dataPath\":\"" path "\",\"format\":\"raw-shard\",\"nbytes\":" nbytes \
    ",\"records\":[" records "]}"
#define MANIFEST(shards) "{\"metadata\":{\"ParamSize\":3},\"records\":[" shards "]}"
#define GOOD_MANIFEST                                                                        \
    QN_STR(MANIFEST(SHARD("p_0.bin", "28",                                                   \
                          R("a.q_weight", "[2,2]", "uint32", "f32-to-bf16", "16",            \
                            "0") "," R("a.q_scale", "[2,1]", "float32", "f32-to-bf16", "4",  \
                                       "16") "," R("norm", "[2]", "float32", "raw", "8",     \
                                                   "20")) "," SHARD("p_1.bin", "6",          \
                                                                    R("h", "[3]", "float16", \
                                                                      "f32-to-bf16", "6", "0"))))

static void bad_mlc(int line, enum qn_status status, struct qn_str manifest, const char *text) {
    struct seed seed = mlc(manifest);
    n_bad_mlc++;
    expect(line, &seed, status, text);
}
#define BAD(status, shards, text) bad_mlc(__LINE__, QN_##status, QN_STR(MANIFEST(shards)), text)
#define BAD_R(status, record, text) BAD(status, SHARD("p_0.bin", "28", record), text)

static void test_mlc(void) {
    struct seed seed = mlc(GOOD_MANIFEST);
    expect(__LINE__, &seed, QN_OK, "");
    struct qn_memory_files memory = {seed.files, seed.n};
    struct qn_files files = qn_files_from_memory(&memory);
    struct qn_arena arena;
    struct qn_directory d;
    qn_arena_init(&arena, qn_allocator_default());
    if (CHECK(qn_directory_open(&d, &arena, &files, QN_STR(""), NULL) == QN_OK)) {
        CHECK(d.format == QN_FORMAT_MLC && d.n_files == 2 && d.n_tensors == 4);
        CHECK(qn_directory_find(&d, QN_STR("a.q_weight"))->dtype == QN_DTYPE_U32);
        CHECK(qn_directory_find(&d, QN_STR("a.q_scale"))->dtype == QN_DTYPE_BF16);
        CHECK(qn_directory_find(&d, QN_STR("norm"))->dtype == QN_DTYPE_F32);
        const struct qn_tensor *h = qn_directory_find(&d, QN_STR("h"));
        CHECK(h->dtype == QN_DTYPE_F16 && h->file == 1 && h->offset == 0);
    }
    qn_arena_free(&arena);
    seed.files[1].name = QN_STR("tensor-cache.json"); // the newer name
    expect(__LINE__, &seed, QN_OK, "");
    seed.files[3] = (struct qn_memory_file){QN_STR("ndarray-cache.json"), QN_STR("nothing")};
    seed.n = 4; // the newer one goes first
    expect(__LINE__, &seed, QN_OK, "");
    seed = mlc(GOOD_MANIFEST);
    seed.files[2].bytes.n = 27;
    n_bad_mlc++;
    expect(__LINE__, &seed, QN_E_TRUNCATED, "tensor \"norm\" ends at 28, \"p_0.bin\" at 27");
    seed.n = 2; // shards that are not there yet
    expect(__LINE__, &seed, QN_OK, "");
    seed.n = 1;
    n_bad_mlc++;
    expect(__LINE__, &seed, QN_E_NOT_FOUND, "ndarray-cache.json");

    bad_mlc(__LINE__, QN_E_JSON, QN_STR("{"), "\"ndarray-cache.json\"");
    bad_mlc(__LINE__, QN_E_FORMAT, QN_STR("[]"), "not a JSON object");
    bad_mlc(__LINE__, QN_E_FORMAT, QN_STR("{}"), "has no records");
    bad_mlc(__LINE__, QN_E_FORMAT, QN_STR("{\"records\":{}}"), "has no records");
    BAD(E_FORMAT, "1", "a shard in \"ndarray-cache.json\" has no records");
    BAD(E_FORMAT, "{}", "a shard");
    BAD(E_FORMAT, "{\"records\":[]}", "names the shard");
    BAD(E_FORMAT, SHARD("../p_0.bin", "28", ""), "\"../p_0.bin\"");
    BAD(E_FORMAT, SHARD("a\\u002f..\\u002fb", "28", ""), "names the shard");
    BAD(E_FORMAT, SHARD("", "28", ""), "names the shard");
    BAD(E_FORMAT, SHARD("p_0.bin", "-1", ""), "no valid nbytes");
    BAD(E_FORMAT, SHARD("p_0.bin", "\"28\"", ""), "no valid nbytes");
    BAD(E_FORMAT, SHARD("p_0.bin", "1e30", ""), "no valid nbytes");
    BAD(E_UNSUPPORTED, "{\"dataPath\":\"p\",\"format\":\"zip\",\"nbytes\":0,\"records\":[]}",
        "\"zip\"");
    BAD_R(E_FORMAT, "5", "has no name");
    BAD_R(E_FORMAT, "{\"name\":7}", "has no name");
    BAD_R(E_FORMAT, R("", "[1]", "uint32", "raw", "4", "0"), "has no name");
    BAD_R(E_FORMAT, "{\"name\":\"a\"}", "\"a\" in \"ndarray-cache.json\" has no dtype");
    BAD_R(E_UNSUPPORTED, R("a", "[4]", "float8_e4m3fn", "raw", "4", "0"), "float8_e4m3fn");
    BAD_R(E_UNSUPPORTED, R("a", "[1]", "uint32", "gzip", "4", "0"), "\"gzip\"");
    BAD_R(E_FORMAT, R("a", "1", "uint32", "raw", "4", "0"), "no valid shape");
    BAD_R(E_FORMAT, R("a", "[-1]", "uint32", "raw", "4", "0"), "no valid shape");
    BAD_R(E_FORMAT, R("a", "[1,1,1,1,1,1,1,1,1]", "uint32", "raw", "4", "0"), "no valid shape");
    BAD_R(E_FORMAT, R("a", "[4294967296,4294967296]", "uint32", "raw", "0", "0"), "no valid shape");
    BAD_R(E_FORMAT, R("a", "[1]", "uint32", "raw", "null", "0"), "no valid nbytes");
    BAD_R(E_FORMAT, R("a", "[1]", "uint32", "raw", "4", "-4"), "no valid byteOffset");
    BAD_R(E_FORMAT, R("a", "[1]", "uint32", "raw", "4", "0.5"), "no valid byteOffset");
    BAD_R(E_FORMAT, R("a", "[2]", "uint32", "raw", "4", "0"), "do not fit its shape");
    BAD_R(E_FORMAT, R("a", "[2]", "float32", "f32-to-bf16", "8", "0"), "do not fit its shape");
    BAD_R(E_FORMAT, R("a", "[2]", "float32", "raw", "4", "0"), "do not fit its shape");
    BAD_R(E_FORMAT, R("a", "[4611686018427387904]", "uint32", "raw", "0", "0"), "do not fit");
    BAD_R(E_FORMAT, R("a", "[1]", "uint32", "raw", "4", "25"), "does not lie within its shard");
    BAD_R(E_FORMAT, R("a", "[1]", "uint32", "raw", "4", "9223372036854775807"), "does not lie");
    BAD_R(E_FORMAT,
          R("a", "[1]", "uint32", "raw", "4", "0") "," R("a", "[1]", "uint32", "raw", "4", "4"),
          "two tensors are named \"a\"");
}

int main(void) {
    test_headers();
    test_shards();
    test_mlc();
    CHECK_MSG(n_bad_safetensors >= 60 && n_bad_mlc >= 30, "%d %d", n_bad_safetensors, n_bad_mlc);
    struct bytes single;
    safetensors(
        &single,
        QN_STR("{\"__metadata__\":{\"format\":\"pt\"}," T("a", "F32", "[2,3]", "[0,24]") "," T(
            "b.\\u00e9", "BF16", "[]", "[24,26]") "}  "),
        26);
    struct seed seeds[3] = {
        {{CONFIG, {QN_STR("model.safetensors"), whole(&single)}}, 2, ""},
        sharded(GOOD_INDEX),
        mlc(GOOD_MANIFEST),
    };
    uint64_t inputs = 0;
    for (int i = 0; i < 3; i++) {
        seed_torture(&seeds[i]);
        inputs += seed_damage(&seeds[i], 1);
    }
    inputs += seed_damage(&seeds[1], 3);
    CHECK_MSG(inputs > 8000, "%llu", (unsigned long long)inputs);
    return test_done("format_folders");
}
