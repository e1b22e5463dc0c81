/* The exports that JavaScript calls, and nothing else. One engine per instance of the module.
 *
 * Conventions: every function that can fail returns an enum qn_status; the message is at
 * qn_wasm_error(), the answer in the words at qn_wasm_result(). Pointers are byte offsets in linear
 * memory, valid until the next call. Sizes of files are doubles, exact to 2^53. Strings go in as
 * pointer and length, in memory from qn_wasm_alloc. */
#include <stdlib.h>
#include <string.h>

#include "engine/constraint.h"
#include "engine/options.h"
#include "quern.h"

#define EXPORT __attribute__((visibility("default"), used))

/* ---- imports: files and the GPU, held by JavaScript ------------------------------------------ */

/* Size of a file in bytes, or a negative status. */
extern double qn_js_size(const char *name, size_t n);
extern int32_t qn_js_read(const char *name, size_t n, double offset, void *dst, size_t bytes);
extern int32_t qn_js_play(const uint32_t *words, size_t n);
extern double qn_js_clock(void);

struct instance {
    qn_engine *engine;
    struct qn_error error;
    /* The answer of the last call: see each function. */
    union {
        uint32_t words[16];
        double numbers[8];
    } result;
    struct qn_gpu_host gpu;
};

EXPORT uint32_t qn_wasm_result(struct instance *w);
EXPORT const char *qn_wasm_error(struct instance *w);
EXPORT void *qn_wasm_alloc(uint32_t n);
EXPORT void qn_wasm_free(void *p);
EXPORT struct instance *qn_wasm_create(const char *json, uint32_t n);
EXPORT void qn_wasm_destroy(struct instance *w);
EXPORT uint32_t qn_wasm_open(struct instance *w);
EXPORT uint32_t qn_wasm_pieces(struct instance *w);
EXPORT uint32_t qn_wasm_piece(struct instance *w, uint32_t index);
EXPORT uint32_t qn_wasm_load(struct instance *w);
EXPORT uint32_t qn_wasm_state(struct instance *w);
EXPORT uint32_t qn_wasm_event(struct instance *w, uint32_t kind, uint32_t tag, uint32_t status,
                              const void *bytes, uint32_t n, uint32_t micros);
EXPORT uint32_t qn_wasm_info(struct instance *w);
EXPORT uint32_t qn_wasm_tokenize(struct instance *w, const char *text, uint32_t n, uint32_t flags);
EXPORT uint32_t qn_wasm_detokenize(struct instance *w, const uint32_t *ids, uint32_t n,
                                   uint32_t flags);
EXPORT uint32_t qn_wasm_token(struct instance *w, uint32_t id);
EXPORT uint32_t qn_wasm_template(struct instance *w, const char *json, uint32_t n);
EXPORT uint32_t qn_wasm_dequant(struct instance *w, const char *type, uint32_t type_n,
                                const char *bytes, uint32_t n, float *out);
EXPORT uint32_t qn_wasm_session(struct instance *w);
EXPORT void qn_wasm_session_free(struct instance *w, qn_session *s);
EXPORT uint32_t qn_wasm_start(struct instance *w, qn_session *s, const uint32_t *ids, uint32_t n,
                              const char *json, uint32_t json_n);
EXPORT uint32_t qn_wasm_chat(struct instance *w, qn_session *s, const char *json, uint32_t n,
                             uint32_t api);
EXPORT uint32_t qn_wasm_prompt(struct instance *w, qn_session *s);
EXPORT uint32_t qn_wasm_next(struct instance *w, qn_session *s);
EXPORT uint32_t qn_wasm_save(struct instance *w, qn_session *s, uint32_t piece);
EXPORT uint32_t qn_wasm_restore(struct instance *w, qn_session *s, uint32_t piece,
                                const void *bytes, uint32_t n);
EXPORT void qn_wasm_cancel(struct instance *w, qn_session *s);
EXPORT uint32_t qn_wasm_constrain(struct instance *w, const struct qn_constrain_ops *ops);
EXPORT void *qn_wasm_pool(struct instance *w);
EXPORT void qn_wasm_worker(void *pool, uint32_t index);

/* ---- memory ---------------------------------------------------------------------------------- */

void *qn_wasm_alloc(uint32_t n) {
    return malloc(n ? n : 1);
}

void qn_wasm_free(void *p) {
    free(p);
}

uint32_t qn_wasm_result(struct instance *w) {
    static uint32_t none[16]; // the words of no answer
    return (uint32_t)(uintptr_t)(w ? w->result.words : none);
}

/* NUL-terminated; what the last failed call said. */
const char *qn_wasm_error(struct instance *w) {
    return w ? w->error.text : "the engine was destroyed";
}

/* Whether there is no engine to call: it was refused at creation (the error says why) or destroyed.
 * In wasm a null pointer would not trap. */
static uint32_t missing(const struct instance *w) {
    return !w ? QN_E_STATE : !w->engine ? w->error.status : QN_OK;
}

/* ---- hosts ----------------------------------------------------------------------------------- */

static enum qn_status file_size(void *ud, uint64_t *out, struct qn_str name) {
    (void)ud;
    double size = qn_js_size(name.p, name.n);
    if (size < 0 && size >= -QN_E_INTERNAL)
        return (enum qn_status)(uint32_t)-size;
    if (!(size >= 0 && size <= 0x1p53)) // NaN, too
        return QN_E_IO;
    *out = (uint64_t)size;
    return QN_OK;
}

static enum qn_status file_read(void *ud, struct qn_str name, uint64_t offset, void *dst,
                                size_t n) {
    (void)ud;
    return (enum qn_status)qn_js_read(name.p, name.n, (double)offset, dst, n);
}

static enum qn_status play(void *ud, const uint32_t *words, size_t n, struct qn_error *err) {
    (void)ud;
    enum qn_status status = (enum qn_status)qn_js_play(words, n);
    if (status != QN_OK && err) {
        static const char text[] = "the browser's WebGPU did not take a tape";
        err->status = status;
        memcpy(err->text, text, sizeof text);
    }
    return status;
}

static int64_t unix_time(void) {
    return (int64_t)qn_js_clock();
}

/* ---- engine ---------------------------------------------------------------------------------- */

/* Options as JSON, see engine/options.h. 0: out of memory. A refusal is told by qn_wasm_open. */
struct instance *qn_wasm_create(const char *json, uint32_t n) {
    struct instance *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    struct qn_engine_desc desc = {
        .files = {NULL, file_size, file_read},
        .clock = unix_time,
    };
    w->gpu.play = play;
    struct qn_options options;
    enum qn_status status = qn_options_parse(&options, (struct qn_str){json, n}, &w->error);
    if (status == QN_OK) {
        qn_options_apply(&desc, &w->gpu, &options);
        qn_engine_create(&w->engine, &desc, &w->error);
    }
    return w;
}

void qn_wasm_destroy(struct instance *w) {
    if (!w)
        return;
    qn_engine_destroy(w->engine);
    free(w);
}

uint32_t qn_wasm_open(struct instance *w) {
    uint32_t gone = missing(w);
    return gone ? gone : qn_engine_open(w->engine, &w->error);
}

uint32_t qn_wasm_pieces(struct instance *w) {
    return missing(w) ? 0 : qn_engine_pieces(w->engine);
}

/* numbers: 0 offset, 1 bytes; words: 4 name, 5 length of the name. */
uint32_t qn_wasm_piece(struct instance *w, uint32_t index) {
    uint32_t gone = missing(w);
    if (gone)
        return gone;
    struct qn_piece piece = {0};
    enum qn_status status = qn_engine_piece(w->engine, &piece, index);
    w->result.numbers[0] = (double)piece.offset;
    w->result.numbers[1] = (double)piece.n;
    w->result.words[4] = (uint32_t)(uintptr_t)piece.file.p;
    w->result.words[5] = (uint32_t)piece.file.n;
    return status;
}

/* words: 0 pieces done. */
uint32_t qn_wasm_load(struct instance *w) {
    uint32_t gone = missing(w);
    return gone ? gone : qn_engine_load(w->engine, &w->result.words[0], &w->error);
}

/* words: 0 context, 1 vocabulary. Copies the engine's own error when it failed. */
uint32_t qn_wasm_state(struct instance *w) {
    if (missing(w)) {
        if (w)
            w->result.words[2] = w->error.status;
        return QN_ENGINE_FAILED;
    }
    enum qn_engine_state state = qn_engine_state(w->engine);
    if (state == QN_ENGINE_FAILED || state == QN_ENGINE_LOST)
        w->error = *qn_engine_error(w->engine);
    w->result.words[0] = state == QN_ENGINE_EMPTY ? 0 : qn_engine_context(w->engine);
    w->result.words[1] = state == QN_ENGINE_EMPTY ? 0 : qn_engine_vocab(w->engine);
    w->result.words[2] = w->error.status;
    return state;
}

uint32_t qn_wasm_event(struct instance *w, uint32_t kind, uint32_t tag, uint32_t status,
                       const void *bytes, uint32_t n, uint32_t micros) {
    uint32_t gone = missing(w);
    if (gone)
        return gone;
    struct qn_gpu_event event = {
        (enum qn_gpu_event_kind)kind, tag, (enum qn_status)status, bytes, n, micros};
    return qn_engine_gpu_event(w->engine, &event);
}

/* ---- text: words 0 pointer, 1 length --------------------------------------------------------- */

static uint32_t answer(struct instance *w, enum qn_status status, const void *p, size_t n) {
    w->result.words[0] = (uint32_t)(uintptr_t)p;
    w->result.words[1] = (uint32_t)n;
    return status;
}

uint32_t qn_wasm_info(struct instance *w) {
    uint32_t gone = missing(w);
    if (gone)
        return gone;
    struct qn_str text = {0};
    enum qn_status status = qn_engine_info(w->engine, &text, &w->error);
    return answer(w, status, text.p, text.n);
}

uint32_t qn_wasm_tokenize(struct instance *w, const char *text, uint32_t n, uint32_t flags) {
    uint32_t gone = missing(w);
    if (gone)
        return gone;
    const uint32_t *ids = NULL;
    size_t count = 0;
    enum qn_status status =
        qn_engine_tokenize(w->engine, &ids, &count, (struct qn_str){text, n}, flags, &w->error);
    return answer(w, status, ids, count);
}

uint32_t qn_wasm_detokenize(struct instance *w, const uint32_t *ids, uint32_t n, uint32_t flags) {
    uint32_t gone = missing(w);
    if (gone)
        return gone;
    struct qn_str text = {0};
    enum qn_status status = qn_engine_detokenize(w->engine, &text, ids, n, flags, &w->error);
    return answer(w, status, text.p, text.n);
}

/* words: 0 pointer, 1 length of the vocabulary form, 2 whether the token ends an answer. */
uint32_t qn_wasm_token(struct instance *w, uint32_t id) {
    uint32_t gone = missing(w);
    if (gone)
        return gone;
    struct qn_str text = qn_engine_token(w->engine, id);
    w->result.words[2] = qn_engine_is_eos(w->engine, id);
    return answer(w, QN_OK, text.p, text.n);
}

uint32_t qn_wasm_template(struct instance *w, const char *json, uint32_t n) {
    uint32_t gone = missing(w);
    if (gone)
        return gone;
    struct qn_str text = {0};
    enum qn_status status =
        qn_engine_template(w->engine, &text, (struct qn_str){json, n}, &w->error);
    return answer(w, status, text.p, text.n);
}

/* words: 0 number of values. `out` 0 asks only for it. */
uint32_t qn_wasm_dequant(struct instance *w, const char *type, uint32_t type_n, const char *bytes,
                         uint32_t n, float *out) {
    size_t count = 0;
    enum qn_status status = qn_dequant(out, &count, (struct qn_str){type, type_n},
                                       (struct qn_str){bytes, n}, &w->error);
    w->result.words[0] = (uint32_t)count;
    return status;
}

/* ---- sessions -------------------------------------------------------------------------------- */

/* words: 0 the session. */
uint32_t qn_wasm_session(struct instance *w) {
    uint32_t gone = missing(w);
    if (gone)
        return gone;
    qn_session *s = NULL;
    enum qn_status status = qn_session_create(&s, w->engine, &w->error);
    w->result.words[0] = (uint32_t)(uintptr_t)s;
    return status;
}

void qn_wasm_session_free(struct instance *w, qn_session *s) {
    if (!missing(w)) // else it went with its engine
        qn_session_destroy(s);
}

/* A session of the engine's own is picked where `s` is 0. words: 0 the session. */
static uint32_t started(struct instance *w, const qn_session *s, enum qn_status status) {
    w->result.words[0] = (uint32_t)(uintptr_t)s;
    return status;
}

/* Generation from ids; parameters as JSON, see engine/options.h. */
uint32_t qn_wasm_start(struct instance *w, qn_session *s, const uint32_t *ids, uint32_t n,
                       const char *json, uint32_t json_n) {
    uint32_t gone = missing(w);
    if (gone)
        return gone;
    struct qn_request request;
    enum qn_status status = qn_options_request(&request, (struct qn_str){json, json_n}, &w->error);
    if (status != QN_OK)
        return status;
    request.ids = ids;
    request.n_ids = n;
    status = s ? qn_session_start(s, &request, &w->error)
               : qn_engine_start(w->engine, &s, &request, &w->error);
    return started(w, s, status);
}

/* An OpenAI request; api 1: chat.completions, 2: completions, 3: embeddings. */
uint32_t qn_wasm_chat(struct instance *w, qn_session *s, const char *json, uint32_t n,
                      uint32_t api) {
    uint32_t gone = missing(w);
    if (gone)
        return gone;
    enum qn_status status = qn_engine_ask(w->engine, &s, (enum qn_api)(1u << (api - 1)),
                                          (struct qn_str){json, n}, &w->error);
    return started(w, s, status);
}

/* words: 0 ids of the latest prompt, 1 how many. */
uint32_t qn_wasm_prompt(struct instance *w, qn_session *s) {
    uint32_t gone = missing(w);
    if (gone)
        return gone;
    const uint32_t *ids;
    size_t n;
    qn_session_prompt(s, &ids, &n);
    w->result.words[0] = (uint32_t)(uintptr_t)ids;
    w->result.words[1] = (uint32_t)n;
    return QN_OK;
}

/* words: 0 event kind, 1 id, 2 text, 3 its length, 4 logits, 5 ids, 6 n, 7 finish,
 * 8 prompt tokens, 9 reused tokens, 10 completion tokens, 11 channel, 12 tool call,
 * 13 log-probabilities as JSON, 14 their length, 15 the session: with `s` 0 that of any event, or
 * 0. */
uint32_t qn_wasm_next(struct instance *w, qn_session *s) {
    uint32_t gone = missing(w);
    if (gone)
        return gone;
    struct qn_event e = {0};
    enum qn_status status =
        s ? qn_session_next(s, &e, &w->error) : qn_engine_next(w->engine, &s, &e, &w->error);
    uint32_t *words = w->result.words;
    words[0] = e.kind;
    words[1] = e.id;
    words[2] = (uint32_t)(uintptr_t)e.text.p;
    words[3] = (uint32_t)e.text.n;
    words[4] = (uint32_t)(uintptr_t)e.logits;
    words[5] = (uint32_t)(uintptr_t)e.ids;
    words[6] = (uint32_t)e.n;
    words[7] = e.finish;
    words[8] = e.prompt_tokens;
    words[9] = e.reused_tokens;
    words[10] = e.completion_tokens;
    words[11] = e.channel;
    words[12] = e.call;
    words[13] = (uint32_t)(uintptr_t)e.logprobs.p;
    words[14] = (uint32_t)e.logprobs.n;
    words[15] = (uint32_t)(uintptr_t)s;
    return status;
}

/* words: 0 the piece, 1 its bytes, 2 how many pieces there are. */
uint32_t qn_wasm_save(struct instance *w, qn_session *s, uint32_t piece) {
    uint32_t gone = missing(w);
    if (gone)
        return gone;
    const void *p = NULL;
    size_t n = 0;
    enum qn_status status = qn_session_save(s, &p, &n, piece, &w->error);
    w->result.words[2] = qn_session_pieces(s);
    return answer(w, status, p, n);
}

/* With `s` 0 into one of the engine's own. words: 0 the session. */
uint32_t qn_wasm_restore(struct instance *w, qn_session *s, uint32_t piece, const void *bytes,
                         uint32_t n) {
    uint32_t gone = missing(w);
    if (gone)
        return gone;
    bool take = s == NULL;
    enum qn_status status = take ? qn_engine_take(w->engine, &s, &w->error) : QN_OK;
    bool taken = take && status == QN_OK;
    if (status == QN_OK)
        status = qn_session_restore(s, bytes, n, piece, &w->error);
    if (status != QN_OK && taken)
        qn_session_destroy(s); // back to the engine
    return started(w, s, status);
}

void qn_wasm_cancel(struct instance *w, qn_session *s) {
    if (!missing(w))
        qn_session_cancel(s);
}

/* ---- threads --------------------------------------------------------------------------------- */

/* The table that the module for constrained output gives (web/constrain.js). */
uint32_t qn_wasm_constrain(struct instance *w, const struct qn_constrain_ops *ops) {
    uint32_t gone = missing(w);
    if (!gone)
        qn_engine_constrain(w->engine, ops);
    return gone;
}

void *qn_wasm_pool(struct instance *w) {
    return missing(w) ? NULL : qn_engine_workers(w->engine);
}

void qn_wasm_worker(void *pool, uint32_t index) {
    qn_worker_run(pool, index);
}
