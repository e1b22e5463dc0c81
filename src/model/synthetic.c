#include "model/synthetic.h"

#include <string.h>

#include "base/buf.h"
#include "base/num.h"
#include "model/traits.h"

/* ---- Catalogue ------------------------------------------------------------------------------- */

struct shape {
    const char *name, *model_type; // the type's names in MLC files are those of the trait table
    bool qkv_bias, tied;
    uint32_t hidden, n_layers, n_heads, n_kv_heads, head_dim, intermediate, vocab, context;
    const char *rest; // further JSON members of model_config
};

#define SIX(x) x "," x "," x "," x "," x "," x
#define FORTY_EIGHT(x) \
    SIX(x) "," SIX(x) "," SIX(x) "," SIX(x) "," SIX(x) "," SIX(x) "," SIX(x) "," SIX(x)

/* From the models' published config.json, but for Phi's factors, of which only the
 * number counts. */
static const struct shape catalogue[] = {
    {"qwen2.5-0.5b", "qwen2", true, true, 896, 24, 14, 2, 64, 4864, 151936, 32768,
     "\"rope_theta\":1000000.0"},
    {"qwen2.5-1.5b", "qwen2", true, true, 1536, 28, 12, 2, 128, 8960, 151936, 32768,
     "\"rope_theta\":1000000.0"},
    {"qwen2.5-3b", "qwen2", true, true, 2048, 36, 16, 2, 128, 11008, 151936, 32768,
     "\"rope_theta\":1000000.0"},
    {"llama-3.2-1b", "llama", false, true, 2048, 16, 32, 8, 64, 8192, 128256, 131072,
     "\"position_embedding_base\":500000.0,\"rope_scaling\":{\"factor\":32.0,"
     "\"high_freq_factor\":4.0,\"low_freq_factor\":1.0,"
     "\"original_max_position_embeddings\":8192,\"rope_type\":\"llama3\"}"},
    {"smollm2-360m", "llama", false, true, 960, 32, 15, 5, 64, 2560, 49152, 8192,
     "\"position_embedding_base\":100000.0"},
    {"qwen3-0.6b", "qwen3", false, true, 1024, 28, 16, 8, 128, 3072, 151936, 40960,
     "\"rope_theta\":1000000.0,\"attention_bias\":false"},
    {"phi-3.5-mini", "phi3", false, false, 3072, 32, 32, 32, 96, 8192, 32064, 131072,
     "\"position_embedding_base\":10000,\"max_position_embeddings\":131072,"
     "\"original_max_position_embeddings\":4096,\"rope_scaling\":{\"type\":\"longrope\","
     "\"short_factor\":[" FORTY_EIGHT("1.25") "],\"long_factor\":[" FORTY_EIGHT("16") "]}"},
    {"gemma-2-2b", "gemma2", false, true, 2304, 26, 8, 4, 256, 9216, 256000, 8192,
     "\"position_embedding_base\":10000,\"hidden_activation\":\"gelu_pytorch_tanh\","
     "\"attn_logit_softcapping\":50.0,\"final_logit_softcapping\":30.0,"
     "\"query_pre_attn_scalar\":256,\"sliding_window\":4096"},
};

#define N_MODELS (sizeof catalogue / sizeof catalogue[0])

/* 16-bit lanes of random bits: (random & mask) | base. */
struct lanes {
    uint16_t mask, base;
};

struct quant {
    const char *name;
    bool q4;
    const char *dtype;   // of everything that is not a word of nibbles; stored in 16 bits
    struct lanes weight; // |w| in [2^-7, 2^-5), either sign
    struct lanes scale;  // [1, 1.5) × 2^-8
    struct lanes norm;   // [1, 1.125)
    struct lanes bias;   // as weight
};

#define F16_WEIGHT \
    { 0x87ff, 0x2000 }
#define BF16_WEIGHT \
    { 0x80ff, 0x3c00 }

static const struct quant quants[] = {
    {"q4f16_1", true, "float16", {0xffff, 0}, {0x01ff, 0x1c00}, {0x007f, 0x3c00}, F16_WEIGHT},
    {"q4f32_1", true, "float32", {0xffff, 0}, {0x003f, 0x3b80}, {0x000f, 0x3f80}, BF16_WEIGHT},
    {"q0f16", false, "float16", F16_WEIGHT, {0, 0}, {0x007f, 0x3c00}, F16_WEIGHT},
    {"q0f32", false, "float32", BF16_WEIGHT, {0, 0}, {0x000f, 0x3f80}, BF16_WEIGHT},
};

#define N_QUANTS (sizeof quants / sizeof quants[0])

const char *qn_synthetic_model(uint32_t i) {
    return i < N_MODELS ? catalogue[i].name : NULL;
}

/* ---- Layout ---------------------------------------------------------------------------------- */

struct tensor {
    uint32_t shard;
    uint64_t offset, nbytes; // in the shard
    struct lanes lanes;
};

struct shard {
    uint64_t nbytes;
    uint32_t first, n; // tensors
};

struct synthetic {
    struct qn_str config, cache;
    struct tensor *tensors;
    struct shard *shards;
    uint32_t n_tensors, n_shards;
};

/* A tensor before it has a place. */
struct entry {
    char name[72];
    size_t name_n;
    bool words; // uint32, else the quantisation's float type
    uint32_t n_dims, dims[2];
    uint64_t nbytes;
    struct lanes lanes;
};

/* The list under construction. */
struct list {
    const struct shape *shape;
    const struct quant *quant;
    const struct qn_naming *naming;
    struct entry *entries;
    uint32_t n, cap;
};

static void put(struct entry *e, const char *text) {
    while (*text && e->name_n < sizeof e->name)
        e->name[e->name_n++] = *text++;
}

static struct entry *add(struct list *l, uint32_t layer, enum qn_role role, const char *suffix) {
    struct entry *e = &l->entries[l->n++]; // room: see build_list
    char digits[3] = {(char)('0' + layer / 10), (char)('0' + layer % 10), 0}, one[2] = {0, 0};
    for (const char *p = l->naming->names[role]; *p; p++) {
        one[0] = *p;
        put(e, *p != '#' ? one : layer < 10 ? digits + 1 : digits);
    }
    put(e, suffix);
    return e;
}

static void add_vector(struct list *l, uint32_t layer, enum qn_role role, const char *suffix,
                       uint32_t n, struct lanes lanes) {
    struct entry *e = add(l, layer, role, suffix);
    e->n_dims = 1;
    e->dims[0] = n;
    e->nbytes = 2 * (uint64_t)n;
    e->lanes = lanes;
}

static void add_rows(struct list *l, uint32_t layer, enum qn_role role, const char *suffix,
                     uint32_t rows, uint32_t cols, bool words, struct lanes lanes) {
    struct entry *e = add(l, layer, role, suffix);
    e->n_dims = 2;
    e->dims[0] = rows;
    e->dims[1] = cols;
    e->words = words;
    e->nbytes = (words ? 4 : 2) * (uint64_t)rows * cols;
    e->lanes = lanes;
}

static void add_matrix(struct list *l, uint32_t layer, enum qn_role role, uint32_t rows,
                       uint32_t cols) {
    if (!l->quant->q4) {
        add_rows(l, layer, role, ".weight", rows, cols, false, l->quant->weight);
        return;
    }
    add_rows(l, layer, role, ".q_weight", rows, qn_ceil_div_u32(cols, 32) * 4, true,
             l->quant->weight);
    add_rows(l, layer, role, ".q_scale", rows, qn_ceil_div_u32(cols, 32), false, l->quant->scale);
}

static void add_role(struct list *l, uint32_t layer, enum qn_role role) {
    const struct shape *s = l->shape;
    uint32_t n_q = s->n_heads * s->head_dim, n_qkv = n_q + 2 * s->n_kv_heads * s->head_dim;
    switch (role) {
    case QN_ROLE_QKV:
        if (s->qkv_bias)
            add_vector(l, layer, role, ".bias", n_qkv, l->quant->bias);
        add_matrix(l, layer, role, n_qkv, s->hidden);
        break;
    case QN_ROLE_O:
        add_matrix(l, layer, role, s->hidden, n_q);
        break;
    case QN_ROLE_GATE_UP:
        add_matrix(l, layer, role, 2 * s->intermediate, s->hidden);
        break;
    case QN_ROLE_DOWN:
        add_matrix(l, layer, role, s->hidden, s->intermediate);
        break;
    case QN_ROLE_Q_NORM:
    case QN_ROLE_K_NORM:
        add_vector(l, layer, role, ".weight", s->head_dim, l->quant->norm);
        break;
    default: // a norm of the residual
        add_vector(l, layer, role, ".weight", s->hidden, l->quant->norm);
    }
}

/* The tensors of a layer in the order of their names, as in the real files. */
static void add_layer(struct list *l, const enum qn_role *roles, uint32_t n, uint32_t layer) {
    for (uint32_t i = 0; i < n; i++)
        add_role(l, layer, roles[i]);
}

/* Roles that every layer has a tensor for, by name. */
static uint32_t layer_roles(enum qn_role *out, const struct qn_naming *naming) {
    uint32_t n = 0;
    for (uint32_t role = 0; role < QN_ROLE_COUNT; role++) {
        const char *name = naming->names[role];
        if (!name || !strchr(name, '#'))
            continue;
        uint32_t at = n++;
        for (; at && strcmp(naming->names[out[at - 1]], name) > 0; at--)
            out[at] = out[at - 1];
        out[at] = (enum qn_role)role;
    }
    return n;
}

/* Head and embedding, then layers in the order of their names (0, 1, 10, 11, …, 2, 20, …), then the
 * norm. */
static bool build_list(struct list *l, struct qn_arena *arena) {
    const struct shape *s = l->shape;
    enum qn_role roles[QN_ROLE_COUNT];
    l->naming = qn_traits_find_mlc(qn_str_from(s->model_type))->mlc;
    uint32_t n = layer_roles(roles, l->naming);
    l->cap = 5 + (2 * n + 1) * s->n_layers; // words and scales each, and a bias
    l->entries = QN_ARENA_NEW(arena, struct entry, l->cap);
    if (!l->entries)
        return false;
    if (!s->tied)
        add_matrix(l, 0, QN_ROLE_HEAD, s->vocab, s->hidden);
    add_matrix(l, 0, QN_ROLE_EMBED, s->vocab, s->hidden);
    for (uint32_t tens = 0; tens < 10; tens++) {
        if (tens < s->n_layers)
            add_layer(l, roles, n, tens);
        for (uint32_t i = tens * 10; tens && i < tens * 10 + 10 && i < s->n_layers; i++)
            add_layer(l, roles, n, i);
    }
    add_vector(l, 0, QN_ROLE_FINAL_NORM, ".weight", s->hidden, l->quant->norm);
    return true;
}

/* Shards as MLC's converter fills them: in order, up to 32 MiB; a tensor of half that or more that
 * does not fit any more gets a file of its own. */
#define SHARD_BYTES (UINT64_C(32) << 20)

static bool place(struct synthetic *s, const struct list *l, struct qn_arena *arena) {
    s->tensors = QN_ARENA_NEW(arena, struct tensor, l->n);
    s->shards = QN_ARENA_NEW(arena, struct shard, l->n);
    if (!s->tensors || !s->shards)
        return false;
    s->n_tensors = l->n;
    uint64_t open = 0; // bytes in the open shard
    uint32_t begin = 0;
    for (uint32_t i = 0; i <= l->n; i++) {
        uint64_t nbytes = i < l->n ? l->entries[i].nbytes : 0;
        if (open && (i == l->n || open + nbytes >= SHARD_BYTES)) {
            s->shards[s->n_shards++] = (struct shard){open, begin, i - begin};
            open = 0;
            begin = i;
        }
        if (i == l->n)
            break;
        s->tensors[i] = (struct tensor){s->n_shards, open, nbytes, l->entries[i].lanes};
        open += nbytes;
        if (open >= SHARD_BYTES) {
            s->shards[s->n_shards++] = (struct shard){open, begin, i + 1 - begin};
            open = 0;
            begin = i + 1;
        }
    }
    return true;
}

/* ---- Documents ------------------------------------------------------------------------------- */

static void write_config(struct qn_buf *b, const struct list *l) {
    const struct shape *s = l->shape;
    qn_buf_format(b,
                  "{\"version\":\"0.1.0\",\"model_type\":\"%s\",\"quantization\":\"%s\","
                  "\"model_config\":{\"hidden_act\":\"silu\",\"hidden_size\":%u,"
                  "\"intermediate_size\":%u,\"num_attention_heads\":%u,\"num_hidden_layers\":%u,"
                  "\"num_key_value_heads\":%u,\"rms_norm_eps\":1e-06,\"vocab_size\":%u,",
                  s->model_type, l->quant->name, s->hidden, s->intermediate, s->n_heads,
                  s->n_layers, s->n_kv_heads, s->vocab);
    qn_buf_format(b,
                  "\"tie_word_embeddings\":%s,\"context_window_size\":%u,\"head_dim\":%u,%s},"
                  "\"vocab_size\":%u,\"context_window_size\":%u,\"sliding_window_size\":-1,"
                  "\"tokenizer_files\":[],\"conv_template\":{\"name\":\"synthetic\"}}",
                  s->tied ? "true" : "false", s->context, s->head_dim, s->rest, s->vocab,
                  s->context);
}

static void write_record(struct qn_buf *b, const struct list *l, const struct entry *e,
                         const struct tensor *t) {
    qn_buf_format(b, "{\"name\":\"%.*s\",\"shape\":[%u", (int)e->name_n, e->name, e->dims[0]);
    if (e->n_dims == 2)
        qn_buf_format(b, ",%u", e->dims[1]);
    qn_buf_format(b, "],\"dtype\":\"%s\",\"format\":\"f32-to-bf16\",\"nbytes\":%llu,",
                  e->words ? "uint32" : l->quant->dtype, (unsigned long long)t->nbytes);
    qn_buf_format(b, "\"byteOffset\":%llu}", (unsigned long long)t->offset);
}

static void write_cache(struct qn_buf *b, const struct list *l, const struct synthetic *s) {
    uint64_t nbytes = 0;
    for (uint32_t i = 0; i < s->n_shards; i++)
        nbytes += s->shards[i].nbytes;
    qn_buf_format(b, "{\"metadata\":{\"ParamSize\":%u,\"ParamBytes\":%llu},\"records\":[",
                  s->n_tensors, (unsigned long long)nbytes);
    for (uint32_t i = 0; i < s->n_shards; i++) {
        const struct shard *shard = &s->shards[i];
        qn_buf_format(b, "%s{\"dataPath\":\"params_shard_%u.bin\",\"format\":\"raw-shard\",",
                      i ? "," : "", i);
        qn_buf_format(b, "\"nbytes\":%llu,\"records\":[", (unsigned long long)shard->nbytes);
        for (uint32_t j = shard->first; j < shard->first + shard->n; j++) {
            qn_buf_cstr(b, j == shard->first ? "" : ",");
            write_record(b, l, &l->entries[j], &s->tensors[j]);
        }
        qn_buf_cstr(b, "]}");
    }
    qn_buf_cstr(b, "]}");
}

/* ---- Bytes ----------------------------------------------------------------------------------- */

/* Bytes [8 i, 8 i + 8) of tensor `key`: the output function of SplitMix64 (Steele, Lea and Flood,
 * "Fast splittable pseudorandom number generators", OOPSLA 2014) at that counter. */
static uint64_t word_at(uint64_t key, uint64_t i) {
    uint64_t z = (key << 40) + (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Eight bytes of lanes. Words of nibbles (all bits free) hold 0..14, as the converter writes them:
 * 15 becomes 7, which makes the mean exactly the zero point. */
static uint64_t lanes_at(uint64_t key, uint64_t i, uint64_t mask, uint64_t base) {
    uint64_t word = word_at(key, i);
    if (mask == UINT64_MAX) {
        uint64_t fifteen = word & word >> 1 & word >> 2 & word >> 3 & UINT64_C(0x1111111111111111);
        word ^= fifteen << 3;
    }
    return (word & mask) | base;
}

/* Bytes [at, at + n) of a tensor. */
static void fill(unsigned char *dst, uint64_t key, struct lanes lanes, uint64_t at, size_t n) {
    uint64_t mask = lanes.mask * UINT64_C(0x0001000100010001);
    uint64_t base = lanes.base * UINT64_C(0x0001000100010001);
    while (n) {
        uint64_t word = lanes_at(key, at / 8, mask, base);
        size_t skip = (size_t)(at % 8), part = qn_min_size(8 - skip, n);
        memcpy(dst, (const unsigned char *)&word + skip, part);
        dst += part;
        at += part;
        n -= part;
        if (at % 8 == 0)
            for (; n >= 8; n -= 8, at += 8, dst += 8) {
                word = lanes_at(key, at / 8, mask, base);
                memcpy(dst, &word, 8);
            }
    }
}

/* The shard of "params_shard_12.bin", or NULL. */
static const struct shard *shard_of(const struct synthetic *s, struct qn_str name) {
    struct qn_str head = QN_STR("params_shard_"), tail = QN_STR(".bin");
    uint64_t i;
    if (name.n <= head.n + tail.n || !qn_str_starts(name, head) || !qn_str_ends(name, tail) ||
        !qn_str_to_u64(&i, qn_str_slice(name, head.n, name.n - tail.n)) || i >= s->n_shards)
        return NULL;
    return &s->shards[i];
}

static const struct qn_str *document_of(const struct synthetic *s, struct qn_str name) {
    return qn_str_is(name, "mlc-chat-config.json") ? &s->config
           : qn_str_is(name, "tensor-cache.json")  ? &s->cache
                                                   : NULL;
}

static enum qn_status size_of(void *ud, uint64_t *out, struct qn_str name) {
    const struct synthetic *s = ud;
    const struct qn_str *document = document_of(s, name);
    const struct shard *shard = shard_of(s, name);
    if (!document && !shard)
        return QN_E_NOT_FOUND;
    *out = document ? document->n : shard->nbytes;
    return QN_OK;
}

static enum qn_status read_at(void *ud, struct qn_str name, uint64_t offset, void *dst, size_t n) {
    const struct synthetic *s = ud;
    const struct qn_str *document = document_of(s, name);
    const struct shard *shard = shard_of(s, name);
    if (!document && !shard)
        return QN_E_NOT_FOUND;
    uint64_t size = document ? document->n : shard->nbytes;
    if (offset > size || n > size - offset)
        return QN_E_TRUNCATED;
    if (document) {
        if (n)
            memcpy(dst, document->p + offset, n);
        return QN_OK;
    }
    unsigned char *p = dst;
    for (uint32_t i = shard->first; n && i < shard->first + shard->n; i++) {
        const struct tensor *t = &s->tensors[i];
        if (offset >= t->offset + t->nbytes)
            continue;
        uint64_t left = t->offset + t->nbytes - offset;
        size_t part = left < n ? (size_t)left : n;
        fill(p, i, t->lanes, offset - t->offset, part);
        p += part;
        offset += part;
        n -= part;
    }
    return QN_OK;
}

/* ---- Creation -------------------------------------------------------------------------------- */

static enum qn_status not_found(struct qn_str name, struct qn_arena *arena, struct qn_error *err) {
    struct qn_buf b;
    qn_buf_init(&b, arena->allocator);
    for (uint32_t i = 0; i < N_MODELS; i++)
        qn_buf_format(&b, "%s%s", i ? ", " : "", catalogue[i].name);
    qn_buf_cstr(&b, " with :");
    for (uint32_t i = 0; i < N_QUANTS; i++)
        qn_buf_format(&b, "%s%s", i ? ", " : "", quants[i].name);
    struct qn_str list = qn_buf_view(&b);
    enum qn_status status =
        b.failed ? qn_fail(err, QN_E_NO_MEMORY, "the catalogue's names")
                 : qn_fail(err, QN_E_NOT_FOUND, "synthetic model \"%.*s\"; there are %.*s",
                           QN_STR_ARG(name), QN_STR_ARG(list));
    qn_buf_free(&b);
    return status;
}

/* The text that `write` makes, in the arena. */
static bool document(struct qn_str *out, struct qn_arena *arena, const struct list *l,
                     const struct synthetic *s) {
    struct qn_buf b;
    qn_buf_init(&b, arena->allocator);
    if (out == &s->config)
        write_config(&b, l);
    else
        write_cache(&b, l, s);
    *out = b.failed ? (struct qn_str){NULL, 0} : qn_str_copy(arena, qn_buf_view(&b));
    qn_buf_free(&b);
    return out->p != NULL;
}

enum qn_status qn_synthetic_create(struct qn_files *out, struct qn_arena *arena, struct qn_str name,
                                   struct qn_error *err) {
    size_t colon = qn_str_find(name, QN_STR(":"), 0);
    if (colon == SIZE_MAX)
        return not_found(name, arena, err);
    struct qn_str model = qn_str_slice(name, 0, colon);
    struct qn_str quant = qn_str_slice(name, colon + 1, name.n);
    struct list list = {.shape = NULL};
    for (uint32_t i = 0; i < N_MODELS; i++)
        if (qn_str_is(model, catalogue[i].name))
            list.shape = &catalogue[i];
    for (uint32_t i = 0; i < N_QUANTS; i++)
        if (qn_str_is(quant, quants[i].name))
            list.quant = &quants[i];
    if (!list.shape || !list.quant)
        return not_found(name, arena, err);
    struct synthetic *s = QN_ARENA_NEW(arena, struct synthetic, 1);
    if (!s || !build_list(&list, arena) || !place(s, &list, arena) ||
        !document(&s->config, arena, &list, s) || !document(&s->cache, arena, &list, s))
        return qn_fail(err, QN_E_NO_MEMORY, "the tensors of %.*s", QN_STR_ARG(name));
    *out = (struct qn_files){.ud = s, .size = size_of, .read = read_at};
    return QN_OK;
}
