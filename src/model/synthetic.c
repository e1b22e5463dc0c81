#include "model/synthetic.h"

#include <string.h>

#include "base/num.h"

/* ---- Catalogue
 * ----------------------------------------------------------------------------------- */

struct shape {
    const char *name, *model_type, *qkv; // qkv: name of the fused projection in MLC
    bool qkv_bias;
    uint32_t hidden, n_layers, n_heads, n_kv_heads, head_dim, intermediate, vocab, context;
    const char *rope; // JSON members of model_config
};

/* From the models' published config.json; all of them tie the head to the embedding. */
static const struct shape catalogue[] = {
    {"qwen2.5-0.5b", "qwen2", "c_attn", true, 896, 24, 14, 2, 64, 4864, 151936, 32768,
     "\"rope_theta\":1000000.0"},
    {"qwen2.5-1.5b", "qwen2", "c_attn", true, 1536, 28, 12, 2, 128, 8960, 151936, 32768,
     "\"rope_theta\":1000000.0"},
    {"qwen2.5-3b", "qwen2", "c_attn", true, 2048, 36, 16, 2, 128, 11008, 151936, 32768,
     "\"rope_theta\":1000000.0"},
    {"llama-3.2-1b", "llama", "qkv_proj", false, 2048, 16, 32, 8, 64, 8192, 128256, 131072,
     "\"position_embedding_base\":500000.0,\"rope_scaling\":{\"factor\":32.0,"
     "\"high_freq_factor\":4.0,\"low_freq_factor\":1.0,"
     "\"original_max_position_embeddings\":8192,\"rope_type\":\"llama3\"}"},
    {"smollm2-360m", "llama", "qkv_proj", false, 960, 32, 15, 5, 64, 2560, 49152, 8192,
     "\"position_embedding_base\":100000.0"},
};

#define N_MODELS (sizeof catalogue / sizeof catalogue[0])

/* 16-bit lanes of random bits: (random & mask) | base. */
struct lanes {
    uint16_t mask, base;
};

struct quant {
    const char *name;
    bool q4;
    const char *dtype; // of everything that is not a word of nibbles; stored in 16 bits
    struct lanes weight,
        scale;               // weights: |w| in [2^-7, 2^-5), either sign. Scales: [1, 1.5) × 2^-8
    struct lanes norm, bias; // norms: [1, 1.125). Biases: like weights
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

/* ---- Layout
 * -------------------------------------------------------------------------------------- */

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

/* The list under construction. A model has at most 4 + 12 × 36 tensors. */
struct list {
    const struct shape *shape;
    const struct quant *quant;
    struct entry *entries;
    uint32_t n, cap;
};

#define LAYER_TENSORS 12

static void put(struct entry *e, const char *text) {
    while (*text && e->name_n < sizeof e->name)
        e->name[e->name_n++] = *text++;
}

static struct entry *add(struct list *l, int layer, const char *name, const char *suffix) {
    struct entry *e = &l->entries[l->n++]; // room: see build_list
    put(e, "model.");
    if (layer >= 0) {
        char digits[3] = {(char)('0' + layer / 10), (char)('0' + layer % 10), 0};
        put(e, "layers.");
        put(e, layer < 10 ? digits + 1 : digits);
        put(e, ".");
    }
    put(e, name);
    put(e, suffix);
    return e;
}

static void add_vector(struct list *l, int layer, const char *name, const char *suffix, uint32_t n,
                       struct lanes lanes) {
    struct entry *e = add(l, layer, name, suffix);
    e->n_dims = 1;
    e->dims[0] = n;
    e->nbytes = 2 * (uint64_t)n;
    e->lanes = lanes;
}

static void add_rows(struct list *l, int layer, const char *name, const char *suffix, uint32_t rows,
                     uint32_t cols, bool words, struct lanes lanes) {
    struct entry *e = add(l, layer, name, suffix);
    e->n_dims = 2;
    e->dims[0] = rows;
    e->dims[1] = cols;
    e->words = words;
    e->nbytes = (words ? 4 : 2) * (uint64_t)rows * cols;
    e->lanes = lanes;
}

static void add_matrix(struct list *l, int layer, const char *name, uint32_t rows, uint32_t cols) {
    if (!l->quant->q4) {
        add_rows(l, layer, name, ".weight", rows, cols, false, l->quant->weight);
        return;
    }
    add_rows(l, layer, name, ".q_weight", rows, qn_ceil_div_u32(cols, 32) * 4, true,
             l->quant->weight);
    add_rows(l, layer, name, ".q_scale", rows, qn_ceil_div_u32(cols, 32), false, l->quant->scale);
}

static void add_layer(struct list *l, int layer) {
    const struct shape *s = l->shape;
    uint32_t n_q = s->n_heads * s->head_dim, n_qkv = n_q + 2 * s->n_kv_heads * s->head_dim;
    char qkv[32] = "self_attn.";
    memcpy(qkv + 10, s->qkv, strlen(s->qkv) + 1);
    add_vector(l, layer, "input_layernorm", ".weight", s->hidden, l->quant->norm);
    add_matrix(l, layer, "mlp.down_proj", s->hidden, s->intermediate);
    add_matrix(l, layer, "mlp.gate_up_proj", 2 * s->intermediate, s->hidden);
    add_vector(l, layer, "post_attention_layernorm", ".weight", s->hidden, l->quant->norm);
    bool first = strcmp(s->qkv, "c_attn") == 0;
    if (s->qkv_bias)
        add_vector(l, layer, qkv, ".bias", n_qkv, l->quant->bias);
    if (first)
        add_matrix(l, layer, qkv, n_qkv, s->hidden);
    add_matrix(l, layer, "self_attn.o_proj", s->hidden, n_q);
    if (!first) // names are sorted in the real files
        add_matrix(l, layer, qkv, n_qkv, s->hidden);
}

/* Embedding, then layers in the order of their names (0, 1, 10, 11, …, 2, 20, …), then the norm. */
static bool build_list(struct list *l, struct qn_arena *arena) {
    const struct shape *s = l->shape;
    l->cap = 3 + LAYER_TENSORS * s->n_layers;
    l->entries = QN_ARENA_NEW(arena, struct entry, l->cap);
    if (!l->entries)
        return false;
    add_matrix(l, -1, "embed_tokens", s->vocab, s->hidden);
    for (uint32_t tens = 0; tens < 10; tens++) {
        if (tens < s->n_layers)
            add_layer(l, (int)tens);
        for (uint32_t i = tens * 10; tens && i < tens * 10 + 10 && i < s->n_layers; i++)
            add_layer(l, (int)i);
    }
    add_vector(l, -1, "norm", ".weight", s->hidden, l->quant->norm);
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

/* ---- Documents
 * ----------------------------------------------------------------------------------- */

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
                  "\"tie_word_embeddings\":true,\"context_window_size\":%u,\"head_dim\":%u,%s},"
                  "\"vocab_size\":%u,\"context_window_size\":%u,\"sliding_window_size\":-1,"
                  "\"tokenizer_files\":[],\"conv_template\":{\"name\":\"synthetic\"}}",
                  s->context, s->head_dim, s->rope, s->vocab, s->context);
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

/* ---- Bytes
 * --------------------------------------------------------------------------------------- */

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

/* ---- Creation
 * ------------------------------------------------------------------------------------ */

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
