/* Arenas, hashes, random numbers, element types, file names, cursors. */
#include "base/dtype.h"
#include "base/files.h"
#include "base/num.h"
#include "base/rng.h"
#include "base/sha256.h"
#include "tests/c/faults.h"

static void test_arena(void) {
    struct faults faults;
    faults_init(&faults);
    struct qn_allocator allocator = faults_allocator(&faults);
    struct qn_arena arena;
    qn_arena_init(&arena, &allocator);
    uint64_t seed = 1;
    size_t asked = 0;
    unsigned char *last = NULL;
    for (int i = 0; i < 3000; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        size_t n = (size_t)(seed >> 33) % (i % 100 == 0 ? 100000 : 200);
        unsigned char *p = qn_arena_alloc(&arena, n, 1);
        CHECK(p != NULL && (uintptr_t)p % 16 == 0 && p != last);
        bool zero = true;
        for (size_t k = 0; k < n; k++)
            zero &= p[k] == 0;
        CHECK(zero);
        memset(p, 0xff, n);
        asked += n;
        last = p;
    }
    CHECK(arena.used >= asked && arena.held == faults.live);
    CHECK_MSG(arena.held < asked + asked / 2 + 65536, "%zu for %zu", arena.held, asked);
    CHECK(qn_arena_alloc(&arena, SIZE_MAX / 2, 3) == NULL);
    CHECK(qn_arena_alloc(&arena, 1, SIZE_MAX - 8) == NULL);
    faults.fail_alloc = faults.allocs + 1;
    CHECK(qn_arena_alloc(&arena, 1, 1000000) == NULL);
    CHECK(qn_arena_alloc(&arena, 1, 1000000) != NULL);
    qn_arena_free(&arena);
    CHECK(faults.live == 0 && arena.held == 0);
    CHECK(qn_arena_alloc(&arena, 0, 8) != NULL); // usable again
    qn_arena_free(&arena);
    CHECK(faults.live == 0);

    char *p = qn_mem_alloc(&allocator, 3);
    memcpy(p, "abc", 3);
    p = qn_mem_grow(&allocator, p, 3, 100);
    CHECK(memcmp(p, "abc", 3) == 0);
    faults.fail_alloc = faults.allocs + 1;
    CHECK(qn_mem_grow(&allocator, p, 100, 200) == NULL && p[0] == 'a');
    qn_mem_free(&allocator, p, 100);
    qn_mem_free(&allocator, NULL, 5);
    CHECK(faults.live == 0);
}

static bool sha_is(const char *text, size_t n, size_t piece, const char *hex) {
    struct qn_sha256 sha;
    unsigned char out[32];
    char got[65];
    qn_sha256_init(&sha);
    for (size_t at = 0; at < n; at += piece)
        qn_sha256_update(&sha, text + at, qn_min_size(piece, n - at));
    qn_sha256_final(&sha, out);
    for (int i = 0; i < 32; i++)
        snprintf(got + 2 * i, 3, "%02x", out[i]);
    return strcmp(got, hex) == 0;
}

static void test_sha256(void) {
    // The examples of FIPS 180-2.
    CHECK(sha_is("", 0, 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
    CHECK(sha_is("abc", 3, 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
    const char *two = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    for (size_t piece = 1; piece < 60; piece++)
        CHECK(sha_is(two, 56, piece,
                     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"));
    char *million = malloc(1000000);
    memset(million, 'a', 1000000);
    for (size_t piece = 63; piece < 66; piece++)
        CHECK(sha_is(million, 1000000, piece,
                     "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"));
    free(million);
}

static void test_rng(void) {
    // Known answers of the Random123 distribution (kat_vectors, philox2x32 10).
    CHECK(qn_rng_u32(0, 0, 0) == 0xff1dae59u);
    CHECK(qn_rng_u32(0xffffffffu, 0xffffffffu, 0xffffffffu) == 0x2c3f628bu);
    CHECK(qn_rng_u32(0x13198a2eu, 0x243f6a88u, 0x85a308d3u) == 0xdd7ce038u);
    double sum = 0, low = 1, high = 0;
    for (uint32_t i = 0; i < 100000; i++) {
        double u = (double)qn_rng_unit(42, i, 7);
        sum += u;
        low = u < low ? u : low;
        high = u > high ? u : high;
    }
    CHECK(low > 0 && high < 1 && sum > 49500 && sum < 50500);
    CHECK(qn_rng_u32(1, 5, 5) != qn_rng_u32(UINT64_C(1) << 33, 5, 5));
}

static void test_dtype(void) {
    for (unsigned i = 1; i < QN_DTYPE_COUNT; i++) {
        enum qn_dtype dtype = (enum qn_dtype)i;
        const char *name = qn_dtype_name(dtype);
        CHECK(qn_dtype_by_name(name, strlen(name)) == dtype);
        CHECK(qn_dtype_block(dtype) > 0 && qn_dtype_bytes(dtype) > 0);
    }
    uint64_t n = 7;
    CHECK(qn_dtype_by_name("none", 4) == QN_DTYPE_NONE && qn_dtype_by_name("F8", 2) == 0);
    CHECK(qn_dtype_size(&n, QN_DTYPE_Q4_K, 512) && n == 288);
    CHECK(!qn_dtype_size(&n, QN_DTYPE_Q4_K, 100) &&
          !qn_dtype_size(&n, QN_DTYPE_F64, UINT64_MAX / 4));
    CHECK(strcmp(qn_dtype_name((enum qn_dtype)999), "none") == 0);
}

static void test_names(void) {
    static const char *const good[] = {"a", "model.safetensors", "a/b/c.bin", "A-1_2.x",
                                       "onnx/m.onnx_data"};
    static const char *const bad[] = {"",     ".",    "..",   "../a",    "a/../b", "a/..",
                                      "/a",   "a/",   "a//b", ".hidden", "a/.git", "a b",
                                      "a\\b", "a\nb", "é",    "a:b",     "~",      "a%2fb"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        CHECK_MSG(qn_file_name_ok(qn_str_from(good[i])), "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_MSG(!qn_file_name_ok(qn_str_from(bad[i])), "%s", bad[i]);
    CHECK(!qn_file_name_ok(QN_STR("a\0b")));
    char name[2000];
    memset(name, 'a', sizeof name);
    CHECK(!qn_file_name_ok((struct qn_str){name, sizeof name}));
}

static void test_cursor(void) {
    char bytes[10000];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 7 + i / 256);
    struct qn_memory_file file = {QN_STR("f"), {bytes, sizeof bytes}};
    struct qn_memory_files memory = {&file, 1};
    struct qn_files inner = qn_files_from_memory(&memory);
    struct faults faults;
    faults_init(&faults);
    struct qn_files files = faults_files(&faults, &inner);
    struct qn_cursor c;
    struct qn_error err;
    CHECK(qn_cursor_open(&c, &files, QN_STR("g"), &err) == QN_E_NOT_FOUND);
    CHECK(qn_cursor_open(&c, &files, QN_STR("f"), &err) == QN_OK);
    uint64_t seed = 3, at = 0;
    while (qn_cursor_left(&c) != 0) {
        char got[9000];
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        size_t n = (size_t)(seed >> 40) % (seed >> 63 ? 20 : 5000);
        n = qn_min_size(n, (size_t)qn_cursor_left(&c));
        if (seed >> 62 == 3) {
            CHECK(qn_cursor_skip(&c, n, "x") == QN_OK);
        } else {
            CHECK(qn_cursor_bytes(&c, got, n, "x") == QN_OK);
            CHECK(memcmp(got, bytes + at, n) == 0);
        }
        at += n;
        CHECK(c.at == at && qn_cursor_left(&c) == sizeof bytes - at);
    }
    uint8_t u8;
    uint32_t u32;
    uint64_t u64;
    CHECK(qn_cursor_u8(&c, &u8, "the tail") == QN_E_TRUNCATED && err.offset == 10000);
    CHECK(strstr(err.text, "the tail") != NULL && strstr(err.text, "at byte 10000") != NULL);
    CHECK(qn_cursor_open(&c, &files, QN_STR("f"), &err) == QN_OK);
    CHECK(qn_cursor_u64(&c, &u64, "x") == QN_OK && u64 == qn_load_u64(bytes));
    CHECK(qn_cursor_u32(&c, &u32, "x") == QN_OK && u32 == qn_load_u32(bytes + 8));
    CHECK(qn_cursor_skip(&c, UINT64_MAX, "x") == QN_E_TRUNCATED && c.at == 12);
    CHECK(qn_cursor_skip(&c, 9985, "x") == QN_OK);
    CHECK(qn_cursor_u32(&c, &u32, "x") == QN_E_TRUNCATED && c.at == 9997);
    faults.fail_read = faults.reads + 1;
    CHECK(qn_cursor_u8(&c, &u8, "x") == QN_E_IO);
    CHECK(qn_cursor_u8(&c, &u8, "x") == QN_OK && (char)u8 == bytes[9997]);

    struct qn_arena arena;
    struct qn_str all;
    qn_arena_init(&arena, qn_allocator_default());
    CHECK(qn_files_read_all(&all, &arena, &files, QN_STR("f"), 10000, &err) == QN_OK);
    CHECK(all.n == sizeof bytes && memcmp(all.p, bytes, all.n) == 0);
    CHECK(qn_files_read_all(&all, &arena, &files, QN_STR("f"), 9999, &err) == QN_E_LIMIT);
    CHECK(qn_files_read_all(&all, &arena, &files, QN_STR("g"), 9999, &err) == QN_E_NOT_FOUND);
    qn_arena_free(&arena);
}

/* Against the compiler's own checks. */
static void test_mul(void) {
    static const uint64_t edges[] = {0,          1,          2,          3,           10,
                                     0x7fffffff, 0x80000000, UINT32_MAX, 0x100000000, 0x100000001,
                                     INT64_MAX,  1ull << 63, UINT64_MAX, 0xb504f334,  3037000500};
    uint64_t seed = 1;
    for (uint32_t i = 0; i < 20000; i++) {
        uint64_t v[2];
        for (int k = 0; k < 2; k++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            v[k] = i < 225 ? edges[k ? i / 15 : i % 15] : seed >> (seed >> 58);
        }
        uint64_t product, wanted;
        int64_t p, w;
        bool fits = !__builtin_mul_overflow(v[0], v[1], &wanted);
        CHECK(qn_mul_u64(&product, v[0], v[1]) == fits && product == wanted);
        for (int sign = 0; sign < 4; sign++) {
            int64_t a = (int64_t)(sign & 1 ? -v[0] : v[0]), b = (int64_t)(sign & 2 ? -v[1] : v[1]);
            fits = !__builtin_mul_overflow(a, b, &w);
            CHECK(qn_mul_i64(&p, a, b) == fits && p == w);
        }
    }
}

int main(void) {
    test_mul();
    test_arena();
    test_sha256();
    test_rng();
    test_dtype();
    test_names();
    test_cursor();
    return test_done("base_misc");
}
