/* GGUF: what is read from a good file, and what is said of bad ones. */
#include "tests/c/flip.h"

static struct bytes file;

static void begin(uint32_t version, uint64_t n_tensors, uint64_t n_kvs) {
    file.n = 0;
    put(&file, "GGUF", 4);
    put_u32(&file, version);
    put_u64(&file, n_tensors);
    put_u64(&file, n_kvs);
}

static void kv_u32(const char *key, uint32_t value) {
    put_str(&file, key);
    put_u32(&file, QN_GGUF_U32);
    put_u32(&file, value);
}

static void kv_head(const char *key, uint32_t type) {
    put_str(&file, key);
    put_u32(&file, type);
}

static void kv_array(const char *key, uint32_t element, uint64_t count) {
    kv_head(key, QN_GGUF_ARRAY);
    put_u32(&file, element);
    put_u64(&file, count);
}

static void tensor(const char *name, uint32_t type, uint64_t offset, uint32_t n_dims,
                   const uint64_t *dims) {
    put_str(&file, name);
    put_u32(&file, n_dims);
    for (uint32_t i = 0; i < n_dims && i < 8; i++)
        put_u64(&file, dims[i]);
    put_u32(&file, type);
    put_u64(&file, offset);
}

static void data(size_t align, size_t n) {
    put_zeros(&file, (align - file.n % align) % align + n);
}

static const uint64_t d32[] = {32}, d2x3[] = {2, 3};

static struct seed seed_of(const struct bytes *b) {
    return (struct seed){{{QN_STR("m.gguf"), {b->p, b->n}}}, 1, "m.gguf"};
}

static enum qn_status read_file(struct qn_error *err) {
    struct faults faults;
    faults_init(&faults);
    struct seed seed = seed_of(&file);
    return seed_try(&seed, &faults, err);
}

static void build_good(void) {
    begin(3, 3, 17);
    put_str(&file, "general.architecture");
    put_u32(&file, QN_GGUF_STRING);
    put_str(&file, "llama");
    kv_head("u8", QN_GGUF_U8), put(&file, "\xff", 1);
    kv_head("i8", QN_GGUF_I8), put(&file, "\xff", 1);
    kv_head("u16", QN_GGUF_U16), put(&file, "\xfe\xff", 2);
    kv_head("i16", QN_GGUF_I16), put(&file, "\xfe\xff", 2);
    kv_u32("u32", 4000000000u);
    kv_head("i32", QN_GGUF_I32), put_u32(&file, (uint32_t)-5);
    kv_head("f32", QN_GGUF_F32), put_u32(&file, qn_f32_bits(0.5f));
    kv_head("yes", QN_GGUF_BOOL), put(&file, "\x01", 1);
    kv_head("u64", QN_GGUF_U64), put_u64(&file, UINT64_MAX);
    kv_head("i64", QN_GGUF_I64), put_u64(&file, (uint64_t)-7);
    double f = 1e-5;
    kv_head("f64", QN_GGUF_F64), put(&file, &f, 8);
    kv_array("tokens", QN_GGUF_STRING, 3);
    put_str(&file, "a"), put_str(&file, ""), put_str(&file, "\xc4\xa0the");
    kv_array("scores", QN_GGUF_F32, 2);
    put_u32(&file, qn_f32_bits(-1.5f)), put_u32(&file, qn_f32_bits(2));
    kv_array("types", QN_GGUF_I32, 2);
    put_u32(&file, (uint32_t)-1), put_u32(&file, 7);
    kv_u32("general.alignment", 64);
    kv_array("none", QN_GGUF_U64, 0);
    uint64_t q[] = {64, 2};
    tensor("q", 2, 0, 2, q);        // Q4_0: 2 rows of 2 blocks of 18 bytes
    tensor("w", 0, 128, 2, d2x3);   // F32
    tensor("same", 1, 128, 1, d32); // F16, lying over w: not forbidden
    data(64, 128 + 64);
}

static void test_good(void) {
    build_good();
    struct qn_memory_file list = {QN_STR("m.gguf"), {file.p, file.n}};
    struct qn_memory_files memory = {&list, 1};
    struct qn_files files = qn_files_from_memory(&memory);
    struct qn_arena arena;
    struct qn_directory d;
    struct qn_error err = {.text = ""};
    qn_arena_init(&arena, qn_allocator_default());
    if (!CHECK_MSG(qn_directory_open(&d, &arena, &files, QN_STR("m.gguf"), &err) == QN_OK, "%s",
                   err.text))
        return;
    uint32_t u;
    float f;
    bool b;
    struct qn_str s, *strings;
    CHECK(d.format == QN_FORMAT_GGUF && d.n_tensors == 3 && d.n_kvs == 17 && d.n_files == 1);
    CHECK(qn_gguf_str(&s, &d, "general.architecture") && qn_str_is(s, "llama"));
    CHECK(qn_gguf_u32(&u, &d, "u8") && u == 255);
    CHECK(!qn_gguf_u32(&u, &d, "i8") && qn_gguf_find(&d, "i8")->value.i == -1);
    CHECK(qn_gguf_u32(&u, &d, "u16") && u == 65534);
    CHECK(qn_gguf_find(&d, "i16")->value.i == -2 && qn_gguf_find(&d, "i32")->value.i == -5);
    CHECK(qn_gguf_u32(&u, &d, "u32") && u == 4000000000u);
    CHECK(qn_gguf_f32(&f, &d, "f32") && f == 0.5f);
    CHECK(qn_gguf_bool(&b, &d, "yes") && b);
    CHECK(!qn_gguf_u32(&u, &d, "u64") && qn_gguf_find(&d, "u64")->value.u == UINT64_MAX);
    CHECK(qn_gguf_find(&d, "i64")->value.i == -7);
    CHECK(qn_gguf_f32(&f, &d, "f64") && f == 1e-5f);
    CHECK(!qn_gguf_f32(&f, &d, "u32") && !qn_gguf_str(&s, &d, "u32") &&
          !qn_gguf_bool(&b, &d, "u8"));
    CHECK(!qn_gguf_u32(&u, &d, "absent") && qn_gguf_find(&d, "absent") == NULL);
    float *floats;
    int64_t *integers;
    CHECK(qn_gguf_strings(&strings, &arena, &d, &files, qn_gguf_find(&d, "tokens"), &err) == QN_OK);
    CHECK(qn_str_is(strings[0], "a") && strings[1].n == 0 && qn_str_is(strings[2], "\xc4\xa0the"));
    CHECK(qn_gguf_floats(&floats, &arena, &d, &files, qn_gguf_find(&d, "scores"), &err) == QN_OK);
    CHECK(floats[0] == -1.5f && floats[1] == 2);
    CHECK(qn_gguf_integers(&integers, &arena, &d, &files, qn_gguf_find(&d, "types"), &err) ==
          QN_OK);
    CHECK(integers[0] == -1 && integers[1] == 7);
    CHECK(qn_gguf_integers(&integers, &arena, &d, &files, qn_gguf_find(&d, "none"), &err) == QN_OK);
    CHECK(qn_gguf_strings(&strings, &arena, &d, &files, qn_gguf_find(&d, "types"), &err) ==
          QN_E_FORMAT);
    CHECK(qn_gguf_floats(&floats, &arena, &d, &files, qn_gguf_find(&d, "u8"), &err) == QN_E_FORMAT);
    CHECK(qn_gguf_integers(&integers, &arena, &d, &files, NULL, &err) == QN_E_NOT_FOUND);

    const struct qn_tensor *t;
    uint64_t shape[] = {3, 2}, other[] = {2, 3};
    CHECK(qn_directory_bind(&t, &d, QN_STR("w"), 1u << QN_DTYPE_F32 | 1u << QN_DTYPE_F16, 2, shape,
                            &err) == QN_OK);
    CHECK(t->nbytes == 24 && t->offset % 64 == 0 && t->offset + 64 == file.n);
    CHECK(qn_directory_bind(&t, &d, QN_STR("w"), 1u << QN_DTYPE_F16, 2, other, &err) ==
          QN_E_TENSOR);
    CHECK_MSG(strstr(err.text, "tensor \"w\": expected F16 [2, 3], found F32 [3, 2]") == err.text,
              "%s", err.text);
    CHECK(qn_directory_bind(&t, &d, QN_STR("x"), 1u << QN_DTYPE_F16 | 1u << QN_DTYPE_Q4_0, 1, shape,
                            &err) == QN_E_TENSOR);
    CHECK_MSG(strstr(err.text, "tensor \"x\": expected F16|Q4_0 [3], found none") == err.text, "%s",
              err.text);
    t = qn_directory_find(&d, QN_STR("q"));
    CHECK(t != NULL && t->nbytes == 72 && t->dims[0] == 2 && t->dims[1] == 64);
    CHECK(qn_directory_find(&d, QN_STR("nope")) == NULL);
    qn_arena_free(&arena);
}

static int n_bad;

/* The file must be refused with this status, and the message must hold `text`. */
static void bad(int line, enum qn_status expected, uint64_t offset, const char *text) {
    struct qn_error err;
    enum qn_status status = read_file(&err);
    n_bad++;
    CHECK_MSG(status == expected, "line %d: %s (%s)", line, qn_status_name(status), err.text);
    CHECK_MSG(status == QN_OK || err.offset == offset, "line %d: at %llu: %s", line,
              (unsigned long long)err.offset, err.text);
    CHECK_MSG(strstr(err.text, text) != NULL, "line %d: %s", line, err.text);
}
#define BAD(status, offset, text) bad(__LINE__, QN_E_##status, offset, text)
#define NONE UINT64_MAX

static void test_bad_start(void) {
    file.n = 0;
    BAD(TRUNCATED, 0, "magic");
    put(&file, "GGU", 3);
    BAD(TRUNCATED, 0, "magic");
    file.n = 0, put(&file, "GGML", 4), put_zeros(&file, 40);
    BAD(FORMAT, 0, "not a GGUF");
    file.n = 0, put(&file, "FUGG", 4), put_zeros(&file, 40);
    BAD(FORMAT, 0, "not a GGUF");
    file.n = 0, put(&file, "<!DOCTYPE html><html><head></head></html>", 41);
    BAD(FORMAT, 0, "not a GGUF");
    file.n = 0, put(&file, "version https://git-lfs.github.com/spec/v1\n", 43);
    BAD(FORMAT, 0, "not a GGUF");
    begin(3, 0, 0), file.n = 6;
    BAD(TRUNCATED, 4, "version");
    begin(0, 0, 0);
    BAD(FORMAT, 4, "version 0");
    begin(1, 0, 0);
    BAD(UNSUPPORTED, 4, "version 1");
    begin(4, 0, 0);
    BAD(UNSUPPORTED, 4, "version 4");
    begin(0x03000000, 0, 0);
    BAD(UNSUPPORTED, 4, "big-endian");
    begin(0x02000000, 0, 0);
    BAD(UNSUPPORTED, 4, "big-endian");
    begin(UINT32_MAX, 0, 0);
    BAD(UNSUPPORTED, 4, "version 4294967295");
    begin(3, 0, 0), file.n = 12;
    BAD(TRUNCATED, 8, "number of tensors");
    begin(3, 0, 0), file.n = 20;
    BAD(TRUNCATED, 16, "number of keys");
    begin(3, 1, 0);
    BAD(TRUNCATED, 8, "1 tensors");
    begin(3, 0, 1);
    BAD(TRUNCATED, 16, "1 keys");
    begin(3, UINT64_MAX, 0), put_zeros(&file, 100);
    BAD(TRUNCATED, 8, "18446744073709551615 tensors");
    begin(3, 0, UINT64_MAX), put_zeros(&file, 100);
    BAD(TRUNCATED, 16, "18446744073709551615 keys");
    begin(3, UINT64_C(1) << 60, 0), put_zeros(&file, 100);
    BAD(TRUNCATED, 8, "tensors");
    begin(3, (UINT64_MAX / 112) + 1, 0), put_zeros(&file, 100); // wraps when multiplied
    BAD(TRUNCATED, 8, "tensors");
    begin(3, 0, (UINT64_MAX / 72) + 1), put_zeros(&file, 100);
    BAD(TRUNCATED, 16, "keys");
    begin(3, UINT64_C(0x100000001), 0), put_zeros(&file, 100); // 1 when cut to 32 bits
    BAD(TRUNCATED, 8, "tensors");
}

static void test_bad_keys(void) {
    begin(3, 0, 1), put_u64(&file, UINT64_MAX), put_zeros(&file, 20);
    BAD(TRUNCATED, 24, "a key");
    begin(3, 0, 1), put_u64(&file, UINT64_C(1) << 40), put_zeros(&file, 20); // gguf-tools
    BAD(TRUNCATED, 24, "a key");
    begin(3, 0, 1), put_u64(&file, UINT64_C(0x100000003)), put_zeros(&file, 20);
    BAD(TRUNCATED, 24, "a key");
    begin(3, 0, 1), put_str(&file, ""), put_u32(&file, 0), put_zeros(&file, 20);
    BAD(FORMAT, 24, "a key is empty");
    begin(3, 0, 1), put_str(&file, "k"), put_u32(&file, 13), put_zeros(&file, 20);
    BAD(FORMAT, 33, "\"k\" has the unknown type 13");
    begin(3, 0, 1), put_str(&file, "k"), put_u32(&file, UINT32_MAX), put_zeros(&file, 20);
    BAD(FORMAT, 33, "unknown type 4294967295");
    begin(3, 0, 1), put_str(&file, "kkkk"), put_u32(&file, QN_GGUF_U64), put_zeros(&file, 7);
    BAD(TRUNCATED, 40, "a value");
    begin(3, 0, 1), put_str(&file, "k"), put_u32(&file, QN_GGUF_BOOL), put(&file, "\x02", 1);
    BAD(FORMAT, 37, "\"k\" is a bool of value 2");
    begin(3, 0, 1), kv_head("k", QN_GGUF_STRING), put_u64(&file, 5), put(&file, "abcd", 4);
    BAD(TRUNCATED, 37, "a string of 5 bytes");
    begin(3, 0, 1), kv_head("k", QN_GGUF_STRING), put_u64(&file, UINT64_MAX), put_zeros(&file, 9);
    BAD(TRUNCATED, 37, "a string");
    begin(3, 0, 1), kv_head("k", QN_GGUF_STRING), put_u64(&file, (uint64_t)INT64_MIN);
    BAD(TRUNCATED, 37, "a string");
    begin(3, 0, 1), kv_array("k", QN_GGUF_ARRAY, 1), put_zeros(&file, 40);
    BAD(UNSUPPORTED, 37, "array of arrays");
    begin(3, 0, 1), kv_array("k", 13, 1), put_zeros(&file, 40);
    BAD(FORMAT, 37, "unknown type 13");
    begin(3, 0, 1), kv_array("k", QN_GGUF_U8, UINT64_MAX);
    BAD(TRUNCATED, 37, "18446744073709551615 elements");
    begin(3, 0, 1), kv_array("k", QN_GGUF_U32, (UINT64_MAX / 4) + 2), put_zeros(&file, 40);
    BAD(TRUNCATED, 37, "elements");
    begin(3, 0, 1), kv_array("k", QN_GGUF_F64, 2), put_zeros(&file, 15);
    BAD(TRUNCATED, 37, "2 elements");
    begin(3, 0, 1), kv_array("k", QN_GGUF_STRING, UINT64_C(1) << 61), put_zeros(&file, 40);
    BAD(TRUNCATED, 37, "elements");
    begin(3, 0, 1), kv_array("k", QN_GGUF_STRING, 2), put_str(&file, "a"), put_u64(&file, 99);
    BAD(TRUNCATED, 58, "string 1 of key \"k\"");
    begin(3, 0, 1), kv_array("k", QN_GGUF_STRING, 2), put_str(&file, "aaaaaaa"), put_u32(&file, 0);
    BAD(TRUNCATED, 64, "a string's length");
    begin(3, 0, 2), kv_u32("k", 1), kv_u32("k", 2);
    BAD(FORMAT, NONE, "\"k\" stands twice");
    begin(3, 0, 1), kv_u32("general.alignment", 0);
    BAD(FORMAT, 53, "general.alignment is 0");
    begin(3, 0, 1), kv_u32("general.alignment", 48);
    BAD(FORMAT, 53, "no power of two");
    begin(3, 0, 1), kv_u32("general.alignment", UINT32_MAX);
    BAD(FORMAT, 53, "no power of two");
    begin(3, 0, 1), kv_head("general.alignment", QN_GGUF_I32), put_u32(&file, 32);
    BAD(FORMAT, 49, "type i32, not u32");
    begin(3, 0, 1), kv_head("general.alignment", QN_GGUF_STRING), put_str(&file, "32");
    BAD(FORMAT, 49, "type string");
    begin(3, 0, 1), kv_head("split.count", QN_GGUF_U16), put(&file, "\x03\0", 2);
    BAD(FORMAT, NONE,
        "\"m.gguf\" is part 1 of 3 of a split model, expected the first, named "
        "\"…-00001-of-00003.gguf\"");
    begin(3, 0, 1), kv_head("split.count", QN_GGUF_U16), put(&file, "\xff\xff", 2);
    BAD(LIMIT, NONE, "split into 65535 parts");
    begin(3, 0, 1), kv_u32("\x1b[2J\xff", 1), file.p[file.n - 8] = 99, put_zeros(&file, 8);
    BAD(FORMAT, 37, "\"\\x1b[2J\\xff\" has the unknown type 99"); // no terminal escapes in messages
    // A key longer than 65535, in a file of its own: more than `file` holds.
    char *big = calloc(1, 70100);
    begin(3, 0, 1), put_u64(&file, 65536);
    memcpy(big, file.p, file.n);
    struct seed seed = {{{QN_STR("m.gguf"), {big, 70100}}}, 1, "m.gguf"};
    struct faults faults;
    struct qn_error err;
    faults_init(&faults);
    CHECK(seed_try(&seed, &faults, &err) == QN_E_FORMAT && err.offset == 24);
    n_bad++;
    free(big);
}

static void test_bad_tensors(void) {
    static const uint64_t zero[] = {4, 0}, big[] = {UINT64_C(1) << 32, UINT64_C(1) << 32},
                          neg[] = {UINT64_MAX}, half[] = {UINT64_C(1) << 62, 2},
                          wide[] = {UINT64_C(1) << 60, 4}, d33[] = {33}, d8x4[] = {8, 4},
                          ones[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    begin(3, 1, 0), put_u64(&file, UINT64_MAX), put_zeros(&file, 40);
    BAD(TRUNCATED, 24, "a tensor's name");
    begin(3, 1, 0), tensor("", 0, 0, 1, d32), data(32, 128);
    BAD(FORMAT, 24, "no name");
    begin(3, 1, 0), tensor("t", 0, 0, 5, ones), data(32, 128);
    BAD(FORMAT, 33, "tensor \"t\" has 5 dimensions");
    begin(3, 1, 0), tensor("t", 0, 0, UINT32_MAX, ones), data(32, 128);
    BAD(FORMAT, 33, "4294967295 dimensions");
    begin(3, 1, 0), tensor("t", 0, 0, 2, zero), data(32, 128);
    BAD(FORMAT, 45, "dimension of 0");
    begin(3, 1, 0), tensor("t", 0, 0, 2, big), data(32, 128);
    BAD(FORMAT, 45, "overflow");
    begin(3, 1, 0), tensor("t", 0, 0, 1, neg), data(32, 128);
    BAD(FORMAT, 37, "overflow");
    begin(3, 1, 0), tensor("t", 0, 0, 2, half), data(32, 128);
    BAD(FORMAT, 45, "overflow");
    begin(3, 1, 0), tensor("t", 0, 0, 2, wide), data(32, 128);
    BAD(FORMAT, 53, "bytes of tensor \"t\" overflow");
    begin(3, 1, 0), tensor("t", 28, 0, 1, wide), data(32, 128);
    BAD(TRUNCATED, 64, "\"t\" ends at");
    begin(3, 1, 0), tensor("t", 4, 0, 1, d32), data(32, 128);
    BAD(UNSUPPORTED, 45, "tensor \"t\" has type Q4_2 (4)");
    begin(3, 1, 0), tensor("t", 5, 0, 1, d32), data(32, 128);
    BAD(UNSUPPORTED, 45, "Q4_3 (5)");
    begin(3, 1, 0), tensor("t", 9, 0, 1, d32), data(32, 128);
    BAD(UNSUPPORTED, 45, "Q8_1");
    begin(3, 1, 0), tensor("t", 16, 0, 1, d32), data(32, 128);
    BAD(UNSUPPORTED, 45, "IQ2_XXS (16)");
    begin(3, 1, 0), tensor("t", 31, 0, 1, d32), data(32, 128);
    BAD(UNSUPPORTED, 45, "Q4_0_4_4 (31)");
    begin(3, 1, 0), tensor("t", 39, 0, 1, d32), data(32, 128);
    BAD(UNSUPPORTED, 45, "MXFP4 (39)");
    begin(3, 1, 0), tensor("t", 77, 0, 1, d32), data(32, 128);
    BAD(UNSUPPORTED, 45, "unknown type 77");
    begin(3, 1, 0), tensor("t", UINT32_MAX, 0, 1, d32), data(32, 128);
    BAD(UNSUPPORTED, 45, "unknown type 4294967295");
    begin(3, 1, 0), tensor("t", 2, 0, 1, d33), data(32, 128);
    BAD(FORMAT, 45, "no multiple of Q4_0's 32");
    begin(3, 1, 0), tensor("t", 8, 0, 2, d8x4), data(32, 128); // 32 elements, but in rows of 8
    BAD(FORMAT, 53, "rows of tensor \"t\" have 8");
    begin(3, 1, 0), tensor("t", 12, 0, 1, d32), data(32, 999);
    BAD(FORMAT, 45, "Q4_K's 256");
    begin(3, 1, 0), tensor("t", 0, 1, 1, d32), data(32, 256);
    BAD(FORMAT, 49, "no multiple of the alignment 32");
    begin(3, 1, 1), kv_u32("general.alignment", 64), tensor("t", 0, 32, 1, d32), data(64, 256);
    BAD(FORMAT, 82, "alignment 64");
    begin(3, 1, 0), tensor("t", 0, 0, 1, d32), data(32, 127);
    BAD(TRUNCATED, 64, "tensor \"t\" ends at 192, \"m.gguf\" at 191");
    begin(3, 1, 0), tensor("t", 0, 32, 1, d32), data(32, 128);
    BAD(TRUNCATED, 96, "tensor \"t\"");
    begin(3, 1, 0), tensor("t", 0, UINT64_MAX - 31, 1, d32), data(32, 128);
    BAD(FORMAT, NONE, "place of tensor \"t\" overflows");
    begin(3, 1, 0), tensor("t", 0, UINT64_MAX - 127, 1, d32), data(32, 128);
    BAD(FORMAT, NONE, "overflows");
    begin(3, 1, 0), tensor("t", 0, UINT64_C(1) << 32, 1, d32), data(32, 128); // 0 in 32 bits
    BAD(TRUNCATED, 64 + (UINT64_C(1) << 32), "tensor \"t\"");
    begin(3, 1, 0), tensor("t", 0, 0, 1, d32);
    BAD(TRUNCATED, 64, "tensor \"t\"");
    begin(3, 2, 0), tensor("t", 0, 0, 1, d32), tensor("t", 0, 0, 1, d32), data(32, 128);
    BAD(FORMAT, NONE, "two tensors are named \"t\"");
    begin(3, 2, 0), tensor("t", 0, 0, 1, d32), data(32, 0);
    BAD(TRUNCATED, 8, "2 tensors");
    begin(3, 2, 0), tensor("t", 0, 0, 1, d32), data(32, 128);
    BAD(FORMAT, 57, "no name"); // the second one is read from the padding
    begin(3, 1, 0), tensor("t", 0, 0, 1, d32), file.n -= 4;
    BAD(TRUNCATED, 49, "a tensor's offset");
    begin(3, 1, 0), tensor("ttttttt", 0, 0, 1, d32), file.n -= 9;
    BAD(TRUNCATED, 51, "a tensor's type");
}

static void test_good_edges(void) {
    struct qn_error err;
    begin(2, 0, 0);
    CHECK(read_file(&err) == QN_OK);
    begin(3, 0, 1), kv_u32("k", 1); // a vocabulary without tensors or padding
    CHECK(read_file(&err) == QN_OK);
    begin(3, 1, 0), tensor("t", 0, 0, 0, d32), data(32, 4); // a scalar
    CHECK_MSG(read_file(&err) == QN_OK, "%s", err.text);
    begin(3, 1, 1), kv_u32("general.alignment", 1), tensor("t", 24, 3, 1, d32), data(1, 35);
    CHECK_MSG(read_file(&err) == QN_OK, "%s", err.text);
    begin(3, 0, 1), kv_head("split.count", QN_GGUF_U16), put(&file, "\x01\0", 2);
    CHECK(read_file(&err) == QN_OK);
}

/* ---- Split models ---------------------------------------------------------------------------- */

static struct bytes parts[3];
static struct seed split;

/* Part `no` (from 0) of three, with a tensor or two of its own. */
static void build_part(uint32_t no, uint32_t says_no, uint32_t says_count, uint32_t says_tensors) {
    static const char *const names[] = {"a", "b", "c"};
    uint16_t no16 = (uint16_t)says_no, count16 = (uint16_t)says_count;
    begin(3, no == 2 ? 2 : 1, no == 0 ? 5 : 3);
    if (no == 0) {
        kv_head("general.architecture", QN_GGUF_STRING), put_str(&file, "llama");
        kv_u32("general.alignment", 64);
    }
    kv_head("split.no", QN_GGUF_U16), put(&file, &no16, 2);
    kv_head("split.count", QN_GGUF_U16), put(&file, &count16, 2);
    kv_head("split.tensors.count", QN_GGUF_I32), put_u32(&file, says_tensors);
    tensor(names[no], 0, 0, 1, d32);
    if (no == 2)
        tensor("d", 0, 128, 2, d2x3);
    data(no == 0 ? 64 : 32, no == 2 ? 128 + 24 : 128);
    memset(file.p + file.n - 24, (int)no + 1, 24); // what tells the parts' data apart
    parts[no] = file;
}

static void build_split(void) {
    static const char *const names[] = {"x/m-00001-of-00003.gguf", "x/m-00002-of-00003.gguf",
                                        "x/m-00003-of-00003.gguf"};
    split = (struct seed){.n = 3, .main = names[0]};
    for (uint32_t i = 0; i < 3; i++) {
        build_part(i, i, 3, 4);
        split.files[i] = (struct qn_memory_file){qn_str_from(names[i]), {parts[i].p, parts[i].n}};
    }
}

static void bad_split(int line, enum qn_status expected, const char *text) {
    struct faults faults;
    struct qn_error err;
    faults_init(&faults);
    for (size_t i = 0; i < split.n; i++)
        split.files[i].bytes = (struct qn_str){parts[i].p, parts[i].n};
    enum qn_status status = seed_try(&split, &faults, &err);
    n_bad++;
    CHECK_MSG(status == expected, "line %d: %s (%s)", line, qn_status_name(status), err.text);
    CHECK_MSG(strstr(err.text, text) != NULL, "line %d: %s", line, err.text);
    build_split();
}

static void test_split(void) {
    build_split();
    struct qn_memory_files memory = {split.files, 3};
    struct qn_files files = qn_files_from_memory(&memory);
    struct qn_arena arena;
    struct qn_directory d;
    struct qn_error err = {.text = ""};
    struct qn_str s;
    qn_arena_init(&arena, qn_allocator_default());
    if (CHECK_MSG(qn_directory_open(&d, &arena, &files, qn_str_from(split.main), &err) == QN_OK,
                  "%s", err.text)) {
        CHECK(d.n_files == 3 && d.n_tensors == 4 && d.n_kvs == 5);
        CHECK(qn_gguf_str(&s, &d, "general.architecture") && qn_str_is(s, "llama"));
        static const char *const names[] = {"a", "b", "c", "d"};
        for (uint32_t i = 0; i < 4; i++) {
            const struct qn_tensor *t = qn_directory_find(&d, qn_str_from(names[i]));
            if (!CHECK(t != NULL && t->file == qn_min_u32(i, 2)))
                continue;
            struct qn_str bytes = split.files[t->file].bytes;
            CHECK(t->offset % (t->file == 0 ? 64 : 32) == 0 && t->offset + t->nbytes <= bytes.n);
            if (i != 2) // the last tensor of its part
                CHECK(t->offset + t->nbytes == bytes.n &&
                      bytes.p[t->offset + t->nbytes - 1] == (char)(t->file + 1));
        }
    }
    qn_arena_free(&arena);

    build_part(0, 0, 3, 5), bad_split(__LINE__, QN_E_FORMAT,
                                      "part 2 of 3 with 4 tensors in all, "
                                      "expected part 2 of 3 with 5");
    build_part(1, 2, 3, 4), bad_split(__LINE__, QN_E_FORMAT, "says it is part 3 of 3");
    build_part(1, 1, 4, 4), bad_split(__LINE__, QN_E_FORMAT,
                                      "\"x/m-00002-of-00003.gguf\" says it is "
                                      "part 2 of 4");
    build_part(0, 1, 3, 4), bad_split(__LINE__, QN_E_FORMAT, "is part 2 of 3 of a split model");
    build_part(0, 0, 1, 4),
        bad_split(__LINE__, QN_OK, ""); // no split: the others are not looked at
    for (uint32_t i = 0; i < 3; i++)
        build_part(i, i, 3, 3);
    bad_split(__LINE__, QN_E_FORMAT, "have 4 tensors, expected 3");
    parts[2].n -= 1;
    bad_split(__LINE__, QN_E_TRUNCATED, "tensor \"d\" ends at");
    parts[1].n = 3;
    bad_split(__LINE__, QN_E_TRUNCATED, "\"x/m-00002-of-00003.gguf\"");
    split.n = 2;
    bad_split(__LINE__, QN_E_NOT_FOUND, "\"x/m-00003-of-00003.gguf\"");
    split.files[0].name = split.files[1].name; // the second part under the first's name, and so on
    split.main = "x/m-00002-of-00003.gguf";
    bad_split(__LINE__, QN_E_FORMAT, "named \"…-00001-of-00003.gguf\"");
    build_split();
    seed_torture(&split);
    for (size_t i = 0; i < 3; i++)
        CHECK(seed_damage(&split, i) > 1000);
}

int main(void) {
    test_good();
    test_good_edges();
    test_bad_start();
    test_bad_keys();
    test_bad_tensors();
    test_split();
    CHECK_MSG(n_bad >= 80, "%d", n_bad);
    build_good();
    struct seed seed = seed_of(&file);
    seed_torture(&seed);
    uint64_t inputs = seed_damage(&seed, 0);
    CHECK_MSG(inputs > 7000, "%llu", (unsigned long long)inputs);
    return test_done("format_gguf");
}
