/* JSON as callers write it: chat requests, engine options, generation parameters. Byte 0 chooses;
 * 'n' fails the allocation numbered by byte 1. What a chat request yields must be JSON again, in
 * range, and hold no more than the request. */
#include <stdlib.h>
#include <string.h>

#include "engine/chat.h"
#include "engine/options.h"

static struct { size_t live, calls, fail; } heap;

static void *take(void *ud, size_t size) {
    (void)ud;
    if (++heap.calls == heap.fail || size > ((size_t)32 << 20) - heap.live)
        return NULL;
    void *p = malloc(size);
    heap.live += p ? size : 0;
    return p;
}

static void give(void *ud, void *p, size_t size) {
    (void)ud;
    heap.live -= size;
    free(p);
}

static void want(bool condition) {
    if (!condition)
        abort();
}

static void check_chat(const struct qn_chat *c, struct qn_arena *arena, size_t n) {
    const struct qn_sampling *s = &c->sampling;
    struct qn_json json;
    struct qn_error err;
    want(s->temperature >= 0 && s->temperature <= 2 && s->top_p > 0 && s->top_p <= 1);
    want(s->min_p >= 0 && s->min_p <= 1 && s->repetition_penalty >= 0.009f);
    want(s->frequency_penalty >= -2 && s->frequency_penalty <= 2 && s->presence_penalty >= -2 &&
         s->presence_penalty <= 2);
    want(c->max_tokens >= 1 && c->n_stops <= 16 && s->n_bias <= 1024);
    for (size_t i = 0; i < c->n_stops; i++)
        want(c->stops[i].n > 0 && c->stops[i].n <= n);
    for (uint32_t i = 0; i < s->n_bias; i++)
        want(s->bias[i] >= -100 && s->bias[i] <= 100);
    want(c->context.n <= 6 * n + 200);
    enum qn_status status = qn_json_parse(&json, arena, c->context, &err);
    want(status == QN_OK || status == QN_E_NO_MEMORY || status == QN_E_LIMIT);
    if (status == QN_OK)
        want(qn_json_count(qn_json_get(qn_json_root(&json), "messages")) > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    static const struct qn_allocator allocator = {NULL, take, give};
    static const struct qn_chat_defaults defaults = {
        .sampling = {.temperature = 1, .top_p = 1, .repetition_penalty = 1},
        .max_tokens = 9,
        .tools = true};
    if (n < 2)
        return 0;
    memset(&heap, 0, sizeof heap);
    heap.fail = data[0] == 'n' ? data[1] : 0;
    struct qn_str text = {(const char *)data + 2, n - 2};
    struct qn_error err = {0};
    enum qn_status status;
    if (data[0] == 'o') {
        struct qn_options options;
        status = qn_options_parse(&options, text, &err);
        want(status != QN_OK || (memchr(options.main, 0, sizeof options.main) &&
                                 memchr(options.synthetic, 0, sizeof options.synthetic)));
    } else if (data[0] == 'r') {
        struct qn_request request;
        status = qn_options_request(&request, text, &err);
        want(status != QN_OK || request.want <= 7);
    } else {
        struct qn_arena arena;
        struct qn_chat chat;
        qn_arena_init(&arena, &allocator);
        status = qn_chat_parse(&chat, &arena, QN_API_CHAT, text, &defaults, &err);
        if (status == QN_OK)
            check_chat(&chat, &arena, text.n);
        qn_arena_free(&arena);
        want(heap.live == 0);
    }
    want(status == QN_OK || (err.status == status && err.text[0] != 0));
    want(status != QN_E_INTERNAL);
    return 0;
}
