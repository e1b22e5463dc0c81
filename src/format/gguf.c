/* GGUF versions 2 and 3, little-endian (ggml-org/ggml, docs/gguf.md):
 *
 *     "GGUF"  u32 version  u64 n_tensors  u64 n_kvs
 *     n_kvs ×     string key, u32 type, value
 *     n_tensors × string name, u32 n_dims, u64 dims[n_dims] innermost first, u32 type, u64 offset
 *     padding to general.alignment, then the data, to which the offsets count
 *
 * with string = u64 length, bytes. A split model is files "…-00001-of-0000N.gguf" of this form that
 * say which part they are; the first has the metadata, each has tensors.
 *
 * The header is walked twice: once to check it, without allocating
 * anything; then, when every count has been proved by as many entries, to fill exact arrays. So a
 * lying count costs no memory, and memory never exceeds a small multiple of the header's bytes. */
#include <string.h>

#include "base/num.h"
#include "format/internal.h"

#define GGUF_MAGIC 0x46554747u // "GGUF"
#define GGUF_MAX_DIMS 4
#define KEY_MAX 65535
#define PARTS_MAX 512 // of a split model
#define STRING_MAX ((uint64_t)64 << 20)
#define KV_MIN 13     // empty key, type, one byte
#define TENSOR_MIN 24 // empty name, no dims, type, offset

struct ggml_type {
    const char *name;
    enum qn_dtype dtype; // QN_DTYPE_NONE: known by name only
};

static const struct ggml_type ggml_types[] = {
    {"F32", QN_DTYPE_F32},         {"F16", QN_DTYPE_F16},         {"Q4_0", QN_DTYPE_Q4_0},
    {"Q4_1", QN_DTYPE_Q4_1},       {"Q4_2", QN_DTYPE_NONE},       {"Q4_3", QN_DTYPE_NONE},
    {"Q5_0", QN_DTYPE_Q5_0},       {"Q5_1", QN_DTYPE_Q5_1},       {"Q8_0", QN_DTYPE_Q8_0},
    {"Q8_1", QN_DTYPE_NONE},       {"Q2_K", QN_DTYPE_Q2_K},       {"Q3_K", QN_DTYPE_Q3_K},
    {"Q4_K", QN_DTYPE_Q4_K},       {"Q5_K", QN_DTYPE_Q5_K},       {"Q6_K", QN_DTYPE_Q6_K},
    {"Q8_K", QN_DTYPE_NONE},       {"IQ2_XXS", QN_DTYPE_NONE},    {"IQ2_XS", QN_DTYPE_NONE},
    {"IQ3_XXS", QN_DTYPE_NONE},    {"IQ1_S", QN_DTYPE_NONE},      {"IQ4_NL", QN_DTYPE_IQ4_NL},
    {"IQ3_S", QN_DTYPE_NONE},      {"IQ2_S", QN_DTYPE_NONE},      {"IQ4_XS", QN_DTYPE_IQ4_XS},
    {"I8", QN_DTYPE_I8},           {"I16", QN_DTYPE_I16},         {"I32", QN_DTYPE_I32},
    {"I64", QN_DTYPE_I64},         {"F64", QN_DTYPE_F64},         {"IQ1_M", QN_DTYPE_NONE},
    {"BF16", QN_DTYPE_BF16},       {"Q4_0_4_4", QN_DTYPE_NONE},   {"Q4_0_4_8", QN_DTYPE_NONE},
    {"Q4_0_8_8", QN_DTYPE_NONE},   {"TQ1_0", QN_DTYPE_NONE},      {"TQ2_0", QN_DTYPE_NONE},
    {"IQ4_NL_4_4", QN_DTYPE_NONE}, {"IQ4_NL_4_8", QN_DTYPE_NONE}, {"IQ4_NL_8_8", QN_DTYPE_NONE},
    {"MXFP4", QN_DTYPE_NONE},
};

static const char *const type_names[] = {
    "u8", "i8", "u16", "i16", "u32", "i32", "f32", "bool", "string", "array", "u64", "i64", "f64",
};

/* Bytes of a value of fixed size, 0 for strings and arrays. */
static uint32_t type_size(uint32_t type) {
    static const unsigned char sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    return type < sizeof sizes ? sizes[type] : 0;
}

static bool type_known(uint32_t type) {
    return type <= QN_GGUF_F64;
}

/* What the parts of a split model say of themselves (llama.cpp, gguf-split). */
enum { SPLIT_NO, SPLIT_COUNT, SPLIT_TENSORS, SPLIT_KEYS };
static const char *const split_keys[] = {"split.no", "split.count", "split.tensors.count"};

struct reader {
    struct qn_cursor c;
    struct qn_error *err;
    struct qn_arena *arena; // NULL in the first walk
    uint64_t n_tensors, n_kvs, alignment, data_at;
    uint32_t split[SPLIT_KEYS]; // 0 where the key is missing
    /* Copy of the current key, for messages and comparisons in the first walk. */
    char key[64];
    size_t key_n;
};

static enum qn_status no_memory(const struct reader *r) {
    return qn_fail(r->err, QN_E_NO_MEMORY, "no memory for the header of \"%.*s\"",
                   QN_STR_ARG(r->c.name));
}

/* A string: *out in the arena on the second walk, {NULL, n} on the first. Its head, cut to the
 * room, goes to r->key when `head` is set. */
static enum qn_status read_string(struct reader *r, struct qn_str *out, uint64_t max,
                                  const char *what, bool head) {
    uint64_t at = r->c.at, length;
    size_t n;
    QN_TRY(qn_cursor_u64(&r->c, &length, what));
    if (length > qn_cursor_left(&r->c))
        return qn_fail_at(r->err, QN_E_TRUNCATED, at, "%s of %llu bytes, of which %llu are left",
                          what, (unsigned long long)length,
                          (unsigned long long)qn_cursor_left(&r->c));
    if (length > max || !qn_u64_to_size(&n, length))
        return qn_fail_at(r->err, max == KEY_MAX ? QN_E_FORMAT : QN_E_LIMIT, at,
                          "%s of %llu bytes, more than %llu", what, (unsigned long long)length,
                          (unsigned long long)max);
    *out = (struct qn_str){NULL, n};
    size_t skipped = 0;
    if (head) {
        r->key_n = qn_min_size(n, sizeof r->key);
        QN_TRY(qn_cursor_bytes(&r->c, r->key, r->key_n, what));
        skipped = r->key_n;
    }
    if (r->arena == NULL)
        return qn_cursor_skip(&r->c, n - skipped, what);
    char *p = QN_ARENA_NEW(r->arena, char, n);
    if (p == NULL)
        return no_memory(r);
    if (skipped != 0)
        memcpy(p, r->key, skipped);
    out->p = p;
    return qn_cursor_bytes(&r->c, p + skipped, n - skipped, what);
}

static bool key_is(const struct reader *r, const char *key) {
    return qn_str_is((struct qn_str){r->key, r->key_n}, key);
}

#define KEY_ARG(r) (int)(r)->key_n, (r)->key

static enum qn_status read_array(struct reader *r, struct qn_gguf_kv *kv) {
    uint64_t at = r->c.at;
    uint32_t element;
    QN_TRY(qn_cursor_u32(&r->c, &element, "an array's type"));
    QN_TRY(qn_cursor_u64(&r->c, &kv->count, "an array's length"));
    if (!type_known(element))
        return qn_fail_at(r->err, QN_E_FORMAT, at, "key \"%.*s\" has elements of unknown type %u",
                          KEY_ARG(r), (unsigned)element);
    if (element == QN_GGUF_ARRAY)
        return qn_fail_at(r->err, QN_E_UNSUPPORTED, at, "key \"%.*s\" is an array of arrays",
                          KEY_ARG(r));
    uint64_t smallest = element == QN_GGUF_STRING ? 8 : type_size(element);
    if (kv->count > qn_cursor_left(&r->c) / smallest)
        return qn_fail_at(r->err, QN_E_TRUNCATED, at,
                          "key \"%.*s\" has %llu elements, but %llu bytes are left", KEY_ARG(r),
                          (unsigned long long)kv->count, (unsigned long long)qn_cursor_left(&r->c));
    kv->element = (enum qn_gguf_type)element;
    kv->offset = r->c.at;
    if (element != QN_GGUF_STRING) {
        kv->nbytes = kv->count * smallest; // below the file's size
        return qn_cursor_skip(&r->c, kv->nbytes, "an array");
    }
    for (uint64_t i = 0; i < kv->count; i++) {
        uint64_t length, start = r->c.at;
        QN_TRY(qn_cursor_u64(&r->c, &length, "a string's length"));
        if (length > qn_cursor_left(&r->c))
            return qn_fail_at(r->err, QN_E_TRUNCATED, start,
                              "string %llu of key \"%.*s\" has %llu bytes, %llu are left",
                              (unsigned long long)i, KEY_ARG(r), (unsigned long long)length,
                              (unsigned long long)qn_cursor_left(&r->c));
        QN_TRY(qn_cursor_skip(&r->c, length, "a string"));
    }
    kv->nbytes = r->c.at - kv->offset;
    return QN_OK;
}

/* Widens the little-endian value of `size` bytes in `bits`. */
static void widen(struct qn_gguf_kv *kv, uint64_t bits, uint32_t size) {
    unsigned shift = 64 - 8 * size;
    switch (kv->type) {
    case QN_GGUF_I8:
    case QN_GGUF_I16:
    case QN_GGUF_I32:
    case QN_GGUF_I64:
        kv->value.i = (int64_t)(bits << shift) >> shift;
        break;
    case QN_GGUF_F32:
        kv->value.f = (double)qn_bits_f32((uint32_t)bits);
        break;
    case QN_GGUF_F64:
        memcpy(&kv->value.f, &bits, sizeof bits);
        break;
    default:
        kv->value.u = bits;
    }
}

static enum qn_status read_kv(struct reader *r, struct qn_gguf_kv *kv) {
    uint64_t start = r->c.at;
    uint32_t type;
    QN_TRY(read_string(r, &kv->key, KEY_MAX, "a key", true));
    if (kv->key.n == 0)
        return qn_fail_at(r->err, QN_E_FORMAT, start, "a key is empty");
    uint64_t at = r->c.at;
    QN_TRY(qn_cursor_u32(&r->c, &type, "a value's type"));
    if (!type_known(type))
        return qn_fail_at(r->err, QN_E_FORMAT, at, "key \"%.*s\" has the unknown type %u",
                          KEY_ARG(r), (unsigned)type);
    kv->type = (enum qn_gguf_type)type;
    bool alignment = kv->key.n == r->key_n && key_is(r, "general.alignment");
    if (alignment && type != QN_GGUF_U32)
        return qn_fail_at(r->err, QN_E_FORMAT, at, "general.alignment has type %s, not u32",
                          type_names[type]);
    at = r->c.at;
    if (type == QN_GGUF_ARRAY)
        return read_array(r, kv);
    if (type == QN_GGUF_STRING)
        return read_string(r, &kv->value.s, STRING_MAX, "a string", false);

    uint64_t bits = 0;
    uint32_t size = type_size(type);
    QN_TRY(qn_cursor_bytes(&r->c, &bits, size, "a value"));
    if (type == QN_GGUF_BOOL && bits > 1)
        return qn_fail_at(r->err, QN_E_FORMAT, at, "key \"%.*s\" is a bool of value %u", KEY_ARG(r),
                          (unsigned)bits);
    if (alignment) {
        if (bits == 0 || (bits & (bits - 1)) != 0)
            return qn_fail_at(r->err, QN_E_FORMAT, at, "general.alignment is %u, no power of two",
                              (unsigned)bits);
        r->alignment = bits;
    }
    widen(kv, bits, size);
    for (int i = 0; i < SPLIT_KEYS; i++)
        if (key_is(r, split_keys[i]) && (size == 2 || size == 4) && type != QN_GGUF_F32)
            r->split[i] = (uint32_t)bits;
    return QN_OK;
}

/* Type, shape and place of one tensor; offsets count from the data's begin until place_tensors. */
static enum qn_status read_tensor(struct reader *r, struct qn_tensor *t) {
    uint64_t start = r->c.at, dims[GGUF_MAX_DIMS], elements = 1;
    uint32_t type;
    QN_TRY(read_string(r, &t->name, KEY_MAX, "a tensor's name", true));
    if (t->name.n == 0)
        return qn_fail_at(r->err, QN_E_FORMAT, start, "a tensor has no name");
    uint64_t at = r->c.at;
    QN_TRY(qn_cursor_u32(&r->c, &t->n_dims, "a tensor's rank"));
    if (t->n_dims > GGUF_MAX_DIMS)
        return qn_fail_at(r->err, QN_E_FORMAT, at, "tensor \"%.*s\" has %u dimensions", KEY_ARG(r),
                          (unsigned)t->n_dims);
    for (uint32_t i = 0; i < t->n_dims; i++) {
        at = r->c.at;
        QN_TRY(qn_cursor_u64(&r->c, &dims[i], "a tensor's shape"));
        if (dims[i] == 0)
            return qn_fail_at(r->err, QN_E_FORMAT, at, "tensor \"%.*s\" has a dimension of 0",
                              KEY_ARG(r));
        if (!qn_mul_u64(&elements, elements, dims[i]) || elements > INT64_MAX)
            return qn_fail_at(r->err, QN_E_FORMAT, at,
                              "the elements of tensor \"%.*s\" overflow 64 bits", KEY_ARG(r));
        t->dims[t->n_dims - 1 - i] = dims[i];
    }
    at = r->c.at;
    QN_TRY(qn_cursor_u32(&r->c, &type, "a tensor's type"));
    if (type >= sizeof ggml_types / sizeof *ggml_types)
        return qn_fail_at(r->err, QN_E_UNSUPPORTED, at, "tensor \"%.*s\" has the unknown type %u",
                          KEY_ARG(r), (unsigned)type);
    t->dtype = ggml_types[type].dtype;
    if (t->dtype == QN_DTYPE_NONE)
        return qn_fail_at(r->err, QN_E_UNSUPPORTED, at, "tensor \"%.*s\" has type %s (%u)",
                          KEY_ARG(r), ggml_types[type].name, (unsigned)type);
    uint64_t row = t->n_dims == 0 ? 1 : dims[0];
    if (row % qn_dtype_block(t->dtype) != 0)
        return qn_fail_at(r->err, QN_E_FORMAT, at,
                          "rows of tensor \"%.*s\" have %llu elements, no multiple of %s's %u",
                          KEY_ARG(r), (unsigned long long)row, qn_dtype_name(t->dtype),
                          (unsigned)qn_dtype_block(t->dtype));
    if (!qn_dtype_size(&t->nbytes, t->dtype, elements))
        return qn_fail_at(r->err, QN_E_FORMAT, at, "the bytes of tensor \"%.*s\" overflow 64 bits",
                          KEY_ARG(r));
    at = r->c.at;
    QN_TRY(qn_cursor_u64(&r->c, &t->offset, "a tensor's offset"));
    if (t->offset % r->alignment != 0)
        return qn_fail_at(r->err, QN_E_FORMAT, at,
                          "tensor \"%.*s\" lies at %llu, no multiple of the alignment %llu",
                          KEY_ARG(r), (unsigned long long)t->offset,
                          (unsigned long long)r->alignment);
    return QN_OK;
}

static enum qn_status read_start(struct reader *r) {
    uint32_t magic, version;
    QN_TRY(qn_cursor_u32(&r->c, &magic, "the magic number"));
    if (magic != GGUF_MAGIC)
        return qn_fail_at(r->err, QN_E_FORMAT, 0, "\"%.*s\" is not a GGUF file",
                          QN_STR_ARG(r->c.name));
    QN_TRY(qn_cursor_u32(&r->c, &version, "the version"));
    if ((version & 0xffffu) == 0 && version != 0)
        return qn_fail_at(r->err, QN_E_UNSUPPORTED, 4, "a big-endian GGUF file");
    if (version != 2 && version != 3)
        return qn_fail_at(r->err, version == 0 ? QN_E_FORMAT : QN_E_UNSUPPORTED, 4,
                          "GGUF version %u", (unsigned)version);
    QN_TRY(qn_cursor_u64(&r->c, &r->n_tensors, "the number of tensors"));
    QN_TRY(qn_cursor_u64(&r->c, &r->n_kvs, "the number of keys"));
    uint64_t left = qn_cursor_left(&r->c);
    if (r->n_tensors > left / TENSOR_MIN)
        return qn_fail_at(r->err, QN_E_TRUNCATED, 8, "%llu tensors, but %llu bytes are left",
                          (unsigned long long)r->n_tensors, (unsigned long long)left);
    if (r->n_kvs > left / KV_MIN)
        return qn_fail_at(r->err, QN_E_TRUNCATED, 16, "%llu keys, but %llu bytes are left",
                          (unsigned long long)r->n_kvs, (unsigned long long)left);
    return QN_OK;
}

/* One walk over the header. kvs and tensors are NULL in the first. */
static enum qn_status walk(struct reader *r, struct qn_gguf_kv *kvs, struct qn_tensor *tensors) {
    r->alignment = 32;
    memset(r->split, 0, sizeof r->split);
    r->c.at = 0;
    uint64_t room_kvs = r->n_kvs, room_tensors = r->n_tensors;
    QN_TRY(read_start(r));
    if (r->arena != NULL && (r->n_kvs != room_kvs || r->n_tensors != room_tensors))
        return qn_fail(r->err, QN_E_IO, "\"%.*s\" changes while it is read", QN_STR_ARG(r->c.name));
    for (uint64_t i = 0; i < r->n_kvs; i++) {
        struct qn_gguf_kv local = {.key = {NULL, 0}};
        QN_TRY(read_kv(r, kvs == NULL ? &local : &kvs[(size_t)i]));
    }
    for (uint64_t i = 0; i < r->n_tensors; i++) {
        struct qn_tensor local = {.name = {NULL, 0}};
        QN_TRY(read_tensor(r, tensors == NULL ? &local : &tensors[(size_t)i]));
    }
    if (!qn_align_up_u64(&r->data_at, r->c.at, r->alignment))
        return qn_fail_at(r->err, QN_E_FORMAT, r->c.at, "the data's begin overflows 64 bits");
    return QN_OK;
}

/* From offsets in the data of a part to offsets in its file. */
static enum qn_status place_tensors(const struct reader *r, struct qn_tensor *tensors,
                                    uint32_t file) {
    for (size_t i = 0; i < r->n_tensors; i++) {
        struct qn_tensor *t = &tensors[i];
        uint64_t begin, end;
        if (!qn_add_u64(&begin, r->data_at, t->offset) || !qn_add_u64(&end, begin, t->nbytes))
            return qn_fail(r->err, QN_E_FORMAT, "the place of tensor \"%.*s\" overflows 64 bits",
                           QN_STR_ARG(t->name));
        if (end > r->c.size)
            return qn_fail_at(r->err, QN_E_TRUNCATED, begin,
                              "tensor \"%.*s\" ends at %llu, \"%.*s\" at %llu", QN_STR_ARG(t->name),
                              (unsigned long long)end, QN_STR_ARG(r->c.name),
                              (unsigned long long)r->c.size);
        t->offset = begin;
        t->file = file;
    }
    return QN_OK;
}

/* Two values under one key would let two readers see two different models. */
static enum qn_status check_keys(const struct reader *r, const struct qn_directory *out) {
    uint32_t n = 4;
    while (n < out->n_kvs * 2)
        n *= 2;
    uint32_t *buckets = QN_ARENA_NEW(r->arena, uint32_t, n);
    if (buckets == NULL)
        return no_memory(r);
    for (uint32_t i = 0; i < out->n_kvs; i++) {
        uint32_t at = (uint32_t)qn_str_hash(out->kvs[i].key) & (n - 1), probes = 0;
        for (; buckets[at] != 0; at = (at + 1) & (n - 1))
            if (qn_str_eq(out->kvs[buckets[at] - 1].key, out->kvs[i].key) || ++probes > 4096)
                return qn_fail(r->err, QN_E_FORMAT, "the key \"%.*s\" stands twice",
                               QN_STR_ARG(out->kvs[i].key));
        buckets[at] = i + 1;
    }
    return QN_OK;
}

/* ---- Parts ----------------------------------------------------------------------------------- */

struct part {
    struct qn_str name;
    uint64_t n_tensors, n_kvs;
};

static void put_decimal(char *out, uint32_t value) {
    for (int i = 4; i >= 0; i--, value /= 10)
        out[i] = (char)('0' + value % 10);
}

/* The name of a part from that of the first: both end in "-00001-of-00003.gguf", with the part's
 * number in the place of 1. */
static enum qn_status part_name(struct qn_str *out, const struct reader *first, uint32_t part,
                                uint32_t n_parts) {
    char suffix[] = "-00001-of-00000.gguf";
    const size_t n = sizeof suffix - 1;
    struct qn_str name = first->c.name;
    put_decimal(suffix + 10, n_parts);
    if (first->split[SPLIT_NO] != 0 || !qn_str_ends(name, (struct qn_str){suffix, n}))
        return qn_fail(first->err, QN_E_FORMAT,
                       "\"%.*s\" is part %llu of %u of a split model, expected the first, named "
                       "\"…%s\"",
                       QN_STR_ARG(name), first->split[SPLIT_NO] + 1ull, n_parts, suffix);
    char *copy = QN_ARENA_NEW(first->arena, char, name.n);
    if (copy == NULL)
        return no_memory(first);
    memcpy(copy, name.p, name.n);
    put_decimal(copy + name.n - n + 1, part + 1);
    *out = (struct qn_str){copy, name.n};
    return QN_OK;
}

/* The first walk over all parts but the first, which has told how many there are. */
static enum qn_status check_parts(const struct reader *first, const struct qn_files *files,
                                  struct part *parts, uint32_t n_parts, uint64_t *n_tensors) {
    uint64_t n = first->n_tensors;
    parts[0] = (struct part){first->c.name, n, first->n_kvs};
    for (uint32_t i = 1; i < n_parts; i++) {
        struct reader r = {.err = first->err};
        QN_TRY(part_name(&parts[i].name, first, i, n_parts));
        QN_TRY(qn_cursor_open(&r.c, files, parts[i].name, r.err));
        QN_TRY(walk(&r, NULL, NULL));
        if (r.split[SPLIT_NO] != i || r.split[SPLIT_COUNT] != n_parts ||
            r.split[SPLIT_TENSORS] != first->split[SPLIT_TENSORS])
            return qn_fail(r.err, QN_E_FORMAT,
                           "\"%.*s\" says it is part %llu of %u with %u tensors in all, expected "
                           "part %u of %u with %u",
                           QN_STR_ARG(r.c.name), r.split[SPLIT_NO] + 1ull, r.split[SPLIT_COUNT],
                           r.split[SPLIT_TENSORS], i + 1, n_parts, first->split[SPLIT_TENSORS]);
        parts[i].n_tensors = r.n_tensors;
        parts[i].n_kvs = r.n_kvs;
        n += r.n_tensors; // each below 2^59
    }
    if (n_parts > 1 && first->split[SPLIT_TENSORS] != n)
        return qn_fail(
            first->err, QN_E_FORMAT, "the %u parts of \"%.*s\" have %llu tensors, expected %u",
            n_parts, QN_STR_ARG(first->c.name), (unsigned long long)n, first->split[SPLIT_TENSORS]);
    *n_tensors = n;
    return QN_OK;
}

/* The second walk: tensors of all parts, keys of the first. */
static enum qn_status read_parts(struct reader *r, struct qn_directory *out,
                                 const struct qn_files *files, const struct part *parts,
                                 uint32_t n_parts) {
    for (uint32_t i = 0; i < n_parts; i++) {
        struct qn_tensor *tensors = out->tensors + out->n_tensors;
        out->files[i] = qn_str_copy(out->arena, parts[i].name);
        if (out->files[i].p == NULL)
            return no_memory(r);
        if (i != 0)
            QN_TRY(qn_cursor_open(&r->c, files, out->files[i], r->err));
        r->n_tensors = parts[i].n_tensors;
        r->n_kvs = parts[i].n_kvs;
        QN_TRY(walk(r, i == 0 ? out->kvs : NULL, tensors));
        QN_TRY(place_tensors(r, tensors, i));
        out->n_tensors += (uint32_t)r->n_tensors;
        out->n_files++;
    }
    return QN_OK;
}

enum qn_status qn_gguf_read(struct qn_directory *out, struct qn_arena *arena,
                            const struct qn_files *files, struct qn_str name,
                            struct qn_error *err) {
    *out = (struct qn_directory){.format = QN_FORMAT_GGUF, .arena = arena};
    struct reader r = {.err = err};
    QN_TRY(qn_cursor_open(&r.c, files, name, err));
    QN_TRY(walk(&r, NULL, NULL));
    uint32_t n_parts = qn_max_u32(r.split[SPLIT_COUNT], 1);
    if (n_parts > PARTS_MAX)
        return qn_fail(err, QN_E_LIMIT, "\"%.*s\" is split into %u parts, more than %d",
                       QN_STR_ARG(name), n_parts, PARTS_MAX);
    r.arena = arena;
    uint64_t n_tensors = 0;
    struct part *parts = QN_ARENA_NEW(arena, struct part, n_parts);
    if (parts == NULL)
        return no_memory(&r);
    QN_TRY(check_parts(&r, files, parts, n_parts, &n_tensors));
    if (r.n_kvs > UINT32_C(1) << 28 || n_tensors > UINT32_C(1) << 28)
        return qn_fail(err, QN_E_LIMIT, "%llu keys and %llu tensors", (unsigned long long)r.n_kvs,
                       (unsigned long long)n_tensors);
    out->n_kvs = (uint32_t)r.n_kvs;
    out->kvs = QN_ARENA_NEW(arena, struct qn_gguf_kv, out->n_kvs);
    out->tensors = QN_ARENA_NEW(arena, struct qn_tensor, (size_t)n_tensors);
    out->files = QN_ARENA_NEW(arena, struct qn_str, n_parts);
    if (out->kvs == NULL || out->tensors == NULL || out->files == NULL)
        return no_memory(&r);
    QN_TRY(read_parts(&r, out, files, parts, n_parts));
    QN_TRY(check_keys(&r, out));
    return qn_directory_index(out, err);
}

const struct qn_gguf_kv *qn_gguf_find(const struct qn_directory *directory, const char *key) {
    for (uint32_t i = 0; i < directory->n_kvs; i++)
        if (qn_str_is(directory->kvs[i].key, key))
            return &directory->kvs[i];
    return NULL;
}

bool qn_gguf_u32(uint32_t *out, const struct qn_directory *directory, const char *key) {
    const struct qn_gguf_kv *kv = qn_gguf_find(directory, key);
    if (kv == NULL)
        return false;
    switch (kv->type) {
    case QN_GGUF_U8:
    case QN_GGUF_U16:
    case QN_GGUF_U32:
    case QN_GGUF_U64:
        return qn_u64_to_u32(out, kv->value.u);
    case QN_GGUF_I8:
    case QN_GGUF_I16:
    case QN_GGUF_I32:
    case QN_GGUF_I64:
        return kv->value.i >= 0 && qn_u64_to_u32(out, (uint64_t)kv->value.i);
    default:
        return false;
    }
}

bool qn_gguf_f32(float *out, const struct qn_directory *directory, const char *key) {
    const struct qn_gguf_kv *kv = qn_gguf_find(directory, key);
    if (kv == NULL || (kv->type != QN_GGUF_F32 && kv->type != QN_GGUF_F64))
        return false;
    if (kv->value.f > 3.4028234663852886e38 || kv->value.f < -3.4028234663852886e38 ||
        kv->value.f != kv->value.f)
        return false;
    *out = (float)kv->value.f;
    return true;
}

bool qn_gguf_bool(bool *out, const struct qn_directory *directory, const char *key) {
    const struct qn_gguf_kv *kv = qn_gguf_find(directory, key);
    if (kv == NULL || kv->type != QN_GGUF_BOOL)
        return false;
    *out = kv->value.u != 0;
    return true;
}

bool qn_gguf_str(struct qn_str *out, const struct qn_directory *directory, const char *key) {
    const struct qn_gguf_kv *kv = qn_gguf_find(directory, key);
    if (kv == NULL || kv->type != QN_GGUF_STRING)
        return false;
    *out = kv->value.s;
    return true;
}
