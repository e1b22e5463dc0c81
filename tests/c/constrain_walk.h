/* Texts drawn through a constraint over a real vocabulary, and how long their masks take. */
#ifndef QN_TEST_CONSTRAIN_WALK_H
#define QN_TEST_CONSTRAIN_WALK_H

#include <time.h>

#include "base/buf.h"
#include "base/rng.h"
#include "tests/c/faults.h"
#include "text/tokenizer.h"

struct drive_vocab {
    struct qn_arena arena;
    struct qn_tokenizer *tokenizer;
    struct qn_vocab_trie trie;
    uint32_t eos;
};

static inline bool drive_open(struct drive_vocab *v, const char *tokenizer_json) {
    struct qn_error err = {0};
    struct qn_str text = slurp(tokenizer_json);
    qn_arena_init(&v->arena, qn_allocator_default());
    if (text.p == NULL)
        return false;
    bool ok = qn_tokenizer_from_json(&v->tokenizer, &v->arena, text, &err) == QN_OK &&
              qn_vocab_trie_build(&v->trie, qn_allocator_default(), v->tokenizer, &err) == QN_OK;
    if (!ok)
        fprintf(stderr, "%s\n", err.text);
    if (!qn_tokenizer_find(v->tokenizer, &v->eos, QN_STR("<|endoftext|>")))
        v->eos = 0;
    free((void *)(uintptr_t)text.p);
    return ok;
}

static inline void drive_close(struct drive_vocab *v) {
    qn_vocab_trie_free(&v->trie);
    qn_arena_free(&v->arena);
}

struct drive_times {
    double mask, most; // seconds
    uint64_t n;
    float *all; // microseconds of each mask; NULL: not kept
    size_t capacity;
};

static inline double drive_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* How much a token helps to come to an end; drawn among the best. */
static inline uint32_t drive_worth(struct drive_vocab *v, uint32_t id, bool quoted,
                                   struct qn_buf *bytes) {
    qn_buf_clear(bytes);
    qn_tokenizer_bytes(v->tokenizer, bytes, id);
    if (bytes->n != 1)
        return 0;
    char c = bytes->p[0];
    return c == '"'               ? (quoted ? 5 : 3)
           : c == '}' || c == ']' ? 4
           : c == '0'             ? 2
           : c == 'n' || c == 'f' ? 1
                                  : 0;
}

/* One walk; text is appended to `out`. *ended: it came to an end of its own. */
static inline enum qn_status drive_walk(struct drive_vocab *v, struct qn_grammar *g,
                                        struct qn_buf *out, bool *ended, uint64_t seed,
                                        uint32_t most, struct drive_times *times,
                                        struct qn_error *err) {
    static uint32_t bits[1 << 14];
    const uint32_t n_words = v->trie.n_words + 4; // some padding
    struct qn_matcher m;
    struct qn_buf bytes;
    enum qn_status status = QN_OK;
    qn_buf_init(&bytes, qn_allocator_default());
    qn_matcher_init(&m, g, &v->trie);
    *ended = false;
    for (uint32_t step = 0; step < most && status == QN_OK; step++) {
        double start = drive_now();
        status = qn_matcher_mask(&m, bits, n_words, &v->eos, 1, err);
        double took = drive_now() - start;
        if (times) {
            times->mask += took;
            times->most = took > times->most ? took : times->most;
            if (times->all && times->n < times->capacity)
                times->all[times->n] = (float)(took * 1e6);
            times->n++;
        }
        if (status != QN_OK)
            break;
        uint32_t count = 0, chosen = UINT32_MAX;
        for (uint32_t i = 0; i < n_words; i++)
            count += (uint32_t)__builtin_popcount(bits[i]);
        for (uint32_t i = v->trie.n_ids; i < n_words * 32; i++)
            if (bits[i / 32] >> (i & 31) & 1)
                status = qn_fail(err, QN_E_INTERNAL, "padding id %u is allowed", i);
        if (count == 0) {
            status = qn_fail(err, QN_E_INTERNAL, "a dead end after %zu bytes: %.*s", out->n,
                             QN_STR_ARG(qn_buf_view(out)));
            break;
        }
        bool closing = step > most / 4, eos = bits[v->eos / 32] >> (v->eos & 31) & 1;
        uint32_t pick = qn_rng_u32(seed, step, 0) % count, best = 0, at = 0;
        if (eos && closing)
            chosen = v->eos;
        for (uint32_t id = 0; id < n_words * 32 && chosen == UINT32_MAX; id++) {
            if (!(bits[id / 32] >> (id & 31) & 1))
                continue;
            if (at++ == pick)
                chosen = id;
        }
        uint32_t letter = 0; // where any letter may come, a text is open
        qn_tokenizer_find(v->tokenizer, &letter, QN_STR("z"));
        bool quoted = bits[letter / 32] >> (letter & 31) & 1;
        for (uint32_t id = 0; closing && !eos && id < 300; id++) {
            if (!(bits[id / 32] >> (id & 31) & 1))
                continue;
            uint32_t worth = drive_worth(v, id, quoted, &bytes);
            if (worth > best) {
                best = worth;
                chosen = id;
            }
        }
        if (chosen == v->eos) {
            *ended = true;
            break;
        }
        status = qn_matcher_accept(&m, chosen, err);
        qn_tokenizer_bytes(v->tokenizer, out, chosen);
    }
    qn_buf_free(&bytes);
    qn_matcher_free(&m);
    return status;
}

static inline int drive_slower(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* How long masks take, in the first walks through a grammar and once these have been seen. */
static inline void drive_bench(struct drive_vocab *v, double trie) {
    static const char *const schemas[] = {
        "{\"type\":\"object\"}",
        "{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"},\"age\":{\"type\":"
        "\"integer\",\"minimum\":0,\"maximum\":130},\"mail\":{\"type\":\"string\",\"format\":"
        "\"email\"},\"tags\":{\"type\":\"array\",\"items\":{\"type\":\"string\",\"maxLength\":20}}}"
        ","
        "\"required\":[\"name\",\"age\",\"mail\",\"tags\"],\"additionalProperties\":false}",
        "{\"$ref\":\"#/$defs/"
        "n\",\"$defs\":{\"n\":{\"type\":\"object\",\"properties\":{\"v\":{\"enum\":["
        "\"red\",\"green\",\"blue\"]},\"kids\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/"
        "n\"}"
        "}},\"required\":[\"v\",\"kids\"],\"additionalProperties\":false}}}",
    };
    static float cold[1 << 16], warm[1 << 16];
    printf("%u tokens, %u nodes (%u of plain tokens), trie built in %.0f ms\n", v->trie.n_ids,
           v->trie.n_nodes, v->trie.n_nodes - v->trie.n_careful, trie * 1e3);
    for (size_t i = 0; i < sizeof schemas / sizeof *schemas; i++) {
        struct qn_constraint c = {QN_CONSTRAINT_JSON_SCHEMA, qn_str_from(schemas[i]), 1};
        struct qn_grammar *g;
        struct qn_error err = {0};
        struct drive_times times[2] = {{.all = cold, .capacity = 1 << 16},
                                       {.all = warm, .capacity = 1 << 16}};
        double begin = drive_now();
        if (qn_grammar_compile(&g, qn_allocator_default(), &c, &err) != QN_OK)
            continue;
        double compiled = drive_now() - begin;
        for (uint32_t round = 0; round < 2; round++)
            for (uint32_t seed = 0; seed < 20; seed++) {
                struct qn_buf out;
                bool ended;
                qn_buf_init(&out, qn_allocator_default());
                (void)drive_walk(v, g, &out, &ended, seed, 200, &times[round], &err);
                qn_buf_free(&out);
            }
        printf("compiled in %.0f us, %u terms\n", compiled * 1e6, g->terms.n_terms);
        for (uint32_t round = 0; round < 2; round++) {
            size_t n = times[round].n;
            qsort(times[round].all, n, sizeof(float), drive_slower);
            printf("  %s: %zu masks, median %.1f us, p99 %.1f us, most %.1f us\n",
                   round ? "again" : "first", n, (double)times[round].all[n / 2],
                   (double)times[round].all[n * 99 / 100], (double)times[round].all[n - 1]);
        }
        qn_grammar_free(g);
    }
}

#endif
