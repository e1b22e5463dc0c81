/* Codecs against the published vectors, bit for bit; repacking against decoding; encoders. */
#include "tests/c/test.h"

#include <math.h>

#include "base/json.h"
#include "base/num.h"
#include "quant/codec.h"
#include "quant/packed.h"

static char *read_file(const char *path, size_t *n) {
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        return NULL;
    fseek(f, 0, SEEK_END);
    long size = ftell(f);
    fseek(f, 0, SEEK_SET);
    char *p = malloc((size_t)size + 1);
    *n = p == NULL ? 0 : fread(p, 1, (size_t)size, f);
    fclose(f);
    return p;
}

static float *floats(struct qn_json_value array, size_t *n) {
    float *out = malloc((qn_json_count(array) + 1u) * sizeof *out);
    struct qn_json_iter it = qn_json_iterate(array);
    for (*n = 0; qn_json_each(&it); (*n)++)
        CHECK(qn_json_f32(&out[*n], it.value));
    return out;
}

/* The first index where the bits differ, or n. */
static size_t differs(const float *a, const float *b, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (qn_f32_bits(a[i]) != qn_f32_bits(b[i]))
            return i;
    }
    return n;
}

static unsigned char unhex(char c) {
    return (unsigned char)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* Repacks `blocks` as a matrix and decodes its canonical rows; zero and padding are checked too. */
static void check_repack(enum qn_dtype dtype, const unsigned char *bytes, const float *expected,
                         uint32_t rows, uint32_t cols) {
    for (int vector = 0; vector < 2; vector++) {
        struct qn_wformat format;
        if (!CHECK(qn_codec_format(&format, dtype, vector != 0)))
            return;
        size_t value_row = qn_wformat_row(&format, cols, QN_PLANE_VALUES);
        size_t scale_row = qn_wformat_row(&format, cols, QN_PLANE_SCALES);
        char *values = malloc(rows * value_row), *scales = malloc(rows * scale_row + 1);
        memset(values, 0x5a, rows * value_row);
        enum qn_status status = qn_codec_repack(values, scale_row ? scales : NULL, &format, dtype,
                                                bytes, rows, cols, NULL);
        CHECK(status == QN_OK);
        uint32_t padded = qn_wformat_cols(cols);
        float *row = malloc(padded * sizeof *row);
        for (uint32_t r = 0; status == QN_OK && r < rows; r++) {
            qn_wformat_decode(row, &format, 0, padded, values + r * value_row,
                              scales + r * scale_row);
            size_t bad = differs(row, expected + (size_t)r * cols, cols);
            CHECK_MSG(bad == cols, "%s as %s: row %u column %zu", qn_dtype_name(dtype),
                      qn_wformat_name(&format), r, bad);
            for (uint32_t c = cols; c < padded; c++)
                CHECK(row[c] == 0.0f);
        }
        free(row);
        free(scales);
        free(values);
    }
}

static void test_vectors(struct qn_json_value vectors) {
    uint32_t types = 0;
    struct qn_json_iter it = qn_json_iterate(vectors);
    while (qn_json_each(&it)) {
        struct qn_str name = qn_json_raw(it.key);
        enum qn_dtype dtype = qn_dtype_by_name(name.p, name.n);
        if (dtype == QN_DTYPE_NONE)
            continue;
        types++;
        struct qn_str hex = qn_json_raw(qn_json_get(it.value, "hex"));
        unsigned char *bytes = malloc(hex.n / 2 + 1);
        for (size_t i = 0; i < hex.n / 2; i++)
            bytes[i] = (unsigned char)(unhex(hex.p[2 * i]) << 4 | unhex(hex.p[2 * i + 1]));
        size_t n;
        float *expected = floats(qn_json_get(it.value, "values"), &n);
        float *got = malloc(n * sizeof *got);
        uint64_t size;
        CHECK(qn_dtype_size(&size, dtype, n) && size == hex.n / 2);
        CHECK(qn_codec_decode(got, dtype, bytes, n, NULL) == QN_OK);
        size_t bad = differs(got, expected, n);
        CHECK_MSG(bad == n, "%.*s element %zu: %.9g, expected %.9g", (int)name.n, name.p, bad,
                  (double)got[bad], (double)expected[bad]);
        check_repack(dtype, bytes, expected, 1, (uint32_t)n);
        uint32_t block = qn_dtype_block(dtype);
        if (block == 1)
            check_repack(dtype, bytes, expected, 3, 21);
        else
            check_repack(dtype, bytes, expected, (uint32_t)n / block, block);
        if (block > 1) {
            CHECK(qn_codec_decode(got, dtype, bytes, n - 1, NULL) == QN_E_ARGUMENT);
        }
        free(got);
        free(expected);
        free(bytes);
    }
    CHECK_MSG(types == 15, "%u types", types);
}

static void test_mlc(struct qn_json_value vector, enum qn_dtype scale_type) {
    enum { ROWS = 3, COLS = 72, GROUPS = 3, WORDS = 12 };
    uint32_t words[ROWS * WORDS];
    size_t n = 0, n_scales, n_values;
    struct qn_json_iter it = qn_json_iterate(qn_json_get(vector, "q_weight_u32"));
    while (qn_json_each(&it) && n < ROWS * WORDS)
        CHECK(qn_json_u32(&words[n++], it.value));
    float *scales = floats(qn_json_get(vector, "q_scale"), &n_scales);
    float *expected = floats(qn_json_get(vector, "values"), &n_values);
    CHECK(n == ROWS * WORDS && n_scales == ROWS * GROUPS && n_values == ROWS * COLS);

    uint16_t stored[ROWS * GROUPS];
    CHECK(qn_codec_encode(stored, scale_type, scales, n_scales, NULL) == QN_OK);
    for (int wide = 0; wide < 2; wide++) {
        struct qn_wformat format = {QN_W_Q4, wide ? QN_DTYPE_F32 : scale_type, 7, 32, false};
        uint32_t values[ROWS * WORDS];
        float planes[ROWS * GROUPS];
        CHECK(qn_codec_repack(values, NULL, &format, QN_DTYPE_U32, words, ROWS, COLS, NULL) == 0);
        CHECK(qn_codec_repack(NULL, planes, &format, scale_type, stored, ROWS, COLS, NULL) == 0);
        size_t scale_row = qn_wformat_row(&format, COLS, QN_PLANE_SCALES);
        for (uint32_t r = 0; r < ROWS; r++) {
            float row[96];
            qn_wformat_decode(row, &format, 0, 96, values + r * WORDS,
                              (char *)planes + r * scale_row);
            size_t bad = differs(row, expected + r * COLS, COLS);
            CHECK_MSG(bad == COLS, "row %u column %zu", r, bad);
            for (uint32_t c = COLS; c < 96; c++)
                CHECK(row[c] == 0.0f);
        }
    }
    // Odd row lengths: the padding starts within a byte.
    struct qn_wformat format = {QN_W_Q4, QN_DTYPE_F32, 7, 32, false};
    uint32_t values[4];
    CHECK(qn_codec_repack(values, NULL, &format, QN_DTYPE_U32, words, 1, 13, NULL) == QN_OK);
    CHECK(values[0] == words[0] && values[1] == ((words[1] & 0xfffffu) | 0x77700000u));
    CHECK(values[2] == 0x77777777u && values[3] == 0x77777777u);
    CHECK(qn_codec_repack(NULL, values, &format, QN_DTYPE_I8, words, 1, 13, NULL) ==
          QN_E_UNSUPPORTED);
    free(scales);
    free(expected);
}

static void test_encode(void) {
    // Q8_0: peak 127 → scale 1, ties away from zero. Q4_0: the peak keeps its sign as -8.
    float v[32] = {127.0f, -127.0f, 0.5f, -0.5f, 2.5f, 1.4f, -3.6f};
    unsigned char block[34];
    CHECK(qn_codec_encode(block, QN_DTYPE_Q8_0, v, 32, NULL) == QN_OK);
    const int8_t expected8[] = {127, -127, 1, -1, 3, 1, -4, 0};
    CHECK(qn_load_u16(block) == 0x3c00 && memcmp(block + 2, expected8, sizeof expected8) == 0);
    for (int i = 0; i < 32; i++)
        v[i] = (float)(i - 16) * 0.5f; // peak -8 → d = 1
    CHECK(qn_codec_encode(block, QN_DTYPE_Q4_0, v, 32, NULL) == QN_OK);
    float back[32];
    CHECK(qn_load_u16(block) == 0x3c00);
    CHECK(qn_codec_decode(back, QN_DTYPE_Q4_0, block, 32, NULL) == QN_OK);
    for (int i = 0; i < 32; i++) {
        float want = floorf(v[i] + 0.5f);
        CHECK_MSG(back[i] == (want > 7.0f ? 7.0f : want), "%d: %g", i, (double)back[i]);
    }
    // Positive peak: d is negative, and the peak itself is exact.
    for (int i = 0; i < 32; i++)
        v[i] = (float)i / 31.0f;
    CHECK(qn_codec_encode(block, QN_DTYPE_Q4_0, v, 32, NULL) == QN_OK);
    CHECK(qn_codec_decode(back, QN_DTYPE_Q4_0, block, 32, NULL) == QN_OK);
    CHECK(back[31] == 1.0f && fabsf(back[10] - v[10]) <= 0.0626f);
    // Zeros, infinities and NaN must not trap; zeros come back as zeros.
    memset(v, 0, sizeof v);
    for (int round = 0; round < 4; round++) {
        enum qn_dtype dtype = round % 2 ? QN_DTYPE_Q4_0 : QN_DTYPE_Q8_0;
        CHECK(qn_codec_encode(block, dtype, v, 32, NULL) == QN_OK);
        CHECK(qn_codec_decode(back, dtype, block, 32, NULL) == QN_OK);
        CHECK(round > 1 || back[3] == 0.0f);
        if (round == 1) {
            v[0] = INFINITY;
            v[1] = NAN;
            v[2] = 0x1p-149f;
        }
    }
    const float odd[5] = {1.0f, 0x1.01p0f, 0x1.03p0f, -INFINITY, NAN};
    uint16_t bf16[5];
    CHECK(qn_codec_encode(bf16, QN_DTYPE_BF16, odd, 5, NULL) == QN_OK);
    CHECK(bf16[0] == 0x3f80 && bf16[1] == 0x3f80 && bf16[2] == 0x3f82 && bf16[3] == 0xff80);
    CHECK((bf16[4] & 0x7fff) > 0x7f80);
    CHECK(qn_codec_encode(bf16, QN_DTYPE_Q4_K, odd, 256, NULL) == QN_E_UNSUPPORTED);
    CHECK(qn_codec_encode(bf16, QN_DTYPE_Q8_0, odd, 5, NULL) == QN_E_ARGUMENT);
    CHECK(qn_codec_decode(back, QN_DTYPE_I32, odd, 5, NULL) == QN_E_UNSUPPORTED);
    struct qn_wformat format;
    CHECK(!qn_codec_format(&format, QN_DTYPE_I32, false));
    CHECK(!qn_codec_format(&format, QN_DTYPE_NONE, true));
}

static void test_layout(void) {
    struct qn_wformat q4 = {QN_W_Q4, QN_DTYPE_F16, 8, 32, false};
    struct qn_wformat q8 = {QN_W_Q8, QN_DTYPE_F16, 0, 32, false};
    struct qn_wformat q6 = {QN_W_Q4, QN_DTYPE_F16, 32, 16, .super = true, .high = 2};
    struct qn_wformat pairs = {QN_W_Q4, QN_DTYPE_F32, 0, 32, true};
    struct qn_wformat f16 = {.type = QN_W_F16};
    CHECK(qn_wformat_cols(1) == 32 && qn_wformat_cols(32) == 32 && qn_wformat_cols(33) == 64);
    CHECK(qn_wformat_row(&q4, 33, QN_PLANE_VALUES) == 32);
    CHECK(qn_wformat_row(&q4, 33, QN_PLANE_SCALES) == 4);
    CHECK(qn_wformat_row(&q8, 64, QN_PLANE_VALUES) == 64);
    CHECK(qn_wformat_row(&q8, 64, QN_PLANE_SCALES) == 4);
    CHECK(qn_wformat_row(&f16, 64, QN_PLANE_VALUES) == 128);
    CHECK(qn_wformat_row(&f16, 64, QN_PLANE_SCALES) == 0);
    CHECK(strcmp(qn_wformat_name(&q4), "q4/f16") == 0 && strcmp(qn_wformat_name(&f16), "f16") == 0);
    CHECK(strcmp(qn_wformat_name(&q8), "q8/f16") == 0);
    CHECK(qn_wformat_row(&pairs, 33, QN_PLANE_VALUES) == 32);
    CHECK(qn_wformat_row(&pairs, 33, QN_PLANE_SCALES) == 16);
    CHECK(qn_wformat_row(&q6, 512, QN_PLANE_VALUES) == 256);
    CHECK(qn_wformat_row(&q6, 512, QN_PLANE_SCALES) == 2 * (4 + 16 + 64));
    CHECK(strcmp(qn_wformat_name(&pairs), "q4-min/f32") == 0);
    CHECK(qn_wformat_valid(&q4) && qn_wformat_valid(&f16) && qn_wformat_valid(&pairs));
    CHECK(qn_wformat_same(&q4, &q4) && !qn_wformat_same(&q4, &pairs));
    pairs.scale = QN_DTYPE_BF16; // pairs are read as one word or two
    CHECK(!qn_wformat_valid(&pairs));
    CHECK(qn_wformat_valid(&q6));
    q6.group = 32; // no kernel reads that
    CHECK(!qn_wformat_valid(&q6));
    q4.group = 8;
    f16.minimum = true;
    CHECK(!qn_wformat_valid(&q4) && !qn_wformat_valid(&f16));
    // What every quantised type costs on the device, in bits: docs/formats.md.
    static const struct {
        enum qn_dtype dtype;
        double bits;
    } costs[] = {
        {QN_DTYPE_Q4_0, 4.5},   {QN_DTYPE_Q4_1, 5},     {QN_DTYPE_Q5_0, 6},
        {QN_DTYPE_Q5_1, 6},     {QN_DTYPE_Q8_0, 8.5},   {QN_DTYPE_Q2_K, 5.125},
        {QN_DTYPE_Q3_K, 4.625}, {QN_DTYPE_Q4_K, 4.625}, {QN_DTYPE_Q5_K, 5.625},
        {QN_DTYPE_Q6_K, 6.625}, {QN_DTYPE_IQ4_NL, 4.5}, {QN_DTYPE_IQ4_XS, 4.375},
    };
    uint32_t types = 0;
    for (int dtype = 0; dtype < QN_DTYPE_COUNT; dtype++)
        types += qn_dtype_block((enum qn_dtype)dtype) > 1;
    CHECK(types == sizeof costs / sizeof *costs);
    for (size_t i = 0; i < sizeof costs / sizeof *costs; i++) {
        struct qn_wformat format;
        CHECK(qn_codec_format(&format, costs[i].dtype, false) && qn_wformat_valid(&format));
        size_t bytes = qn_wformat_row(&format, 512, QN_PLANE_VALUES) +
                       qn_wformat_row(&format, 512, QN_PLANE_SCALES);
        CHECK_MSG((double)bytes / 64 == costs[i].bits, "%s: %zu bytes of 512 columns",
                  qn_dtype_name(costs[i].dtype), bytes);
    }
}

/* q[k][n] = 3 k + 5 n + k n mod 16, zero[g][n] = 1 + (n + 7 g) mod 15, scale[g][n] = (n - 3.5) / (g
 * + 3). */
static void test_packed(enum qn_packing packing, enum qn_dtype type, uint32_t group) {
    enum { COLS = 384, ROWS = 16, VALUE_ROW = COLS / 2, SCALE_ROW = COLS / 32 * 8 };
    static const uint32_t awq_output[8] = {0, 2, 4, 6, 1, 3, 5, 7}; // of nibble i
    bool awq = packing == QN_PACKING_AWQ;
    static uint32_t words[COLS * ROWS / 8], zeros[COLS / 32 * ROWS / 8];
    static float scales[COLS / 32 * ROWS];
    static unsigned char values[ROWS * VALUE_ROW], pairs[ROWS * SCALE_ROW];
    memset(words, 0, sizeof words);
    memset(zeros, 0, sizeof zeros);
    for (uint32_t k = 0; k < COLS; k++)
        for (uint32_t j = 0; j < ROWS / 8; j++)
            for (uint32_t i = 0; i < 8; i++) {
                uint32_t n = 8 * j + awq_output[i];
                words[k * ROWS / 8 + j] |= ((3 * k + 5 * n + k * n) & 15) << (4 * i);
            }
    for (uint32_t g = 0; g < COLS / group; g++)
        for (uint32_t j = 0; j < ROWS / 8; j++)
            for (uint32_t i = 0; i < 8; i++) {
                uint32_t n = 8 * j + (awq ? awq_output[i] : i), zero = 1 + (n + 7 * g) % 15;
                zeros[g * ROWS / 8 + j] |= (packing == QN_PACKING_GPTQ ? zero - 1 : zero)
                                           << (4 * i);
                scales[g * ROWS + n] = ((float)n - 3.5f) / (float)(g + 3);
                if (type == QN_DTYPE_F16)
                    scales[g * ROWS + n] = qn_f16_to_f32(qn_f32_to_f16(scales[g * ROWS + n]));
            }
    qn_packed_values(values, VALUE_ROW, words, COLS / 2, ROWS); // in two pieces
    qn_packed_values(values + VALUE_ROW / 2, VALUE_ROW, words + COLS / 2 * ROWS / 8, COLS / 2,
                     ROWS);
    struct qn_wformat format = qn_packed_format(type, group);
    size_t scale_row = qn_wformat_row(&format, COLS, QN_PLANE_SCALES);
    CHECK(qn_wformat_valid(&format) && group % format.group == 0);
    CHECK(scale_row == COLS / format.group * (type == QN_DTYPE_F16 ? 4 : 8));
    qn_packed_scales(pairs, scale_row, &format, packing, scales, zeros, COLS / group, ROWS, group);
    for (uint32_t n = 0; n < ROWS; n++) {
        float row[COLS];
        qn_wformat_decode(row, &format, 0, COLS, values + n * VALUE_ROW, pairs + n * scale_row);
        for (uint32_t k = 0; k < COLS; k++) {
            uint32_t g = k / group, zero = 1 + (n + 7 * g) % 15;
            float scale = scales[g * ROWS + n], q = (float)((3 * k + 5 * n + k * n) & 15);
            CHECK(row[k] == (q - (float)zero) * scale);
        }
    }
}

int main(void) {
    test_packed(QN_PACKING_AWQ, QN_DTYPE_F16, 128);
    test_packed(QN_PACKING_GPTQ, QN_DTYPE_BF16, 192);
    test_packed(QN_PACKING_GPTQ_V2, QN_DTYPE_F16, 96);
    test_packed(QN_PACKING_AWQ, QN_DTYPE_F32, 32);
    test_layout();
    test_encode();
    char path[1024];
    snprintf(path, sizeof path, "%s/fixtures/codecs/codecs.json", test_shared());
    struct qn_str text;
    char *bytes = read_file(path, &text.n);
    if (bytes == NULL) {
        printf("quant: skipped: no ../shared\n");
        return test_done("quant");
    }
    text.p = bytes;
    struct qn_arena arena;
    qn_arena_init(&arena, qn_allocator_default());
    struct qn_json json;
    if (CHECK(qn_json_parse(&json, &arena, text, NULL) == QN_OK)) {
        struct qn_json_value vectors = qn_json_get(qn_json_root(&json), "vectors");
        test_vectors(vectors);
        test_mlc(qn_json_get(vectors, "MLC_q4_f16"), QN_DTYPE_F16);
        test_mlc(qn_json_get(vectors, "MLC_q4_f32"), QN_DTYPE_BF16);
    }
    qn_arena_free(&arena);
    free(bytes);
    return test_done("quant");
}
