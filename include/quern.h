/* Quern: language models in a browser tab, and wherever C runs.
 *
 * Two opaque types. A qn_engine is one loaded model: files read, program built, weights in place;
 * immutable once ready. A qn_session is one mutable timeline of tokens over it: KV cache, sampler,
 * text in flight.
 *
 * Nothing here waits. A function that needs bytes which are not there answers QN_E_NEED_DATA and is
 * called again; a session that needs the GPU answers the event QN_EVENT_WAIT and is asked again
 * after the next qn_engine_gpu_event. Nothing exits, prints, or asserts on input. After any error
 * the engine and its other sessions go on working.
 *
 * Ownership: whoever creates destroys. Strings and arrays that go in are copied unless said
 * otherwise; pointers that come out live until the next call on the same object, unless said
 * otherwise. One thread at a time per engine and its sessions. */
#ifndef QUERN_H
#define QUERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct qn_engine qn_engine;
typedef struct qn_session qn_session;

/* ---- Status and errors -------------------------------------------------------------------- */

/* One table generates the C enum, the JavaScript error classes and docs/errors.md
 * (tools/gen_errors.mjs reads it: keep one X(...) per line). */
/* X(NAME, number, "what happened", "what the user can do"). Numbers are stable; never reuse one. */
/* clang-format off */
#define QN_STATUS_LIST(X) \
    X(OK,             0, "success", "") \
    X(E_ARGUMENT,     1, "an argument is not valid", "correct the named argument") \
    X(E_NO_MEMORY,    2, "out of memory", "close other tabs, or choose a smaller model or context") \
    X(E_NEED_DATA,    3, "more bytes of a file are needed", "supply the named range and call again") \
    X(E_NOT_FOUND,    4, "a file or name was not found", "check the spelling and the model's folder") \
    X(E_IO,           5, "reading failed", "check the disk or the connection and try again") \
    X(E_TRUNCATED,    6, "the file ends too early", "download the file again") \
    X(E_FORMAT,       7, "the file is malformed", "download the file again, or report it to its author") \
    X(E_JSON,         8, "the JSON text is malformed", "correct the text at the named offset") \
    X(E_UTF8,         9, "the text is not valid UTF-8", "convert the text to UTF-8") \
    X(E_UNSUPPORTED, 10, "this feature is not supported", "see docs/formats.md for what is") \
    X(E_ARCHITECTURE,11, "the model's architecture is not known", "see docs/formats.md for the supported families") \
    X(E_TENSOR,      12, "a tensor is missing or has another shape or type", "use a file that matches its configuration") \
    X(E_CONFIG,      13, "the model's configuration is not valid", "compare it with the model's origin") \
    X(E_TOKENIZER,   14, "the tokenizer's data is not valid", "use the tokenizer published with the model") \
    X(E_TEMPLATE,    15, "the chat template failed", "check the messages against the template") \
    X(E_LIMIT,       16, "a limit was exceeded", "use a smaller input") \
    X(E_CONTEXT,     17, "the prompt is longer than the context", "shorten the prompt or load with a larger context") \
    X(E_STATE,       18, "this call is not allowed now", "finish or cancel the running operation first") \
    X(E_CANCELLED,   19, "the operation was cancelled", "") \
    X(E_GPU,         20, "the GPU refused a command", "update the browser or driver, or use the CPU backend") \
    X(E_GPU_MEMORY,  21, "the GPU is out of memory", "choose a smaller model or context") \
    X(E_GPU_LOST,    22, "the GPU device was lost", "load the model again") \
    X(E_NETWORK,     23, "a download failed", "check the connection and try again") \
    X(E_STORAGE,     24, "the browser's storage failed", "free space for this site; the model still runs from memory") \
    X(E_INTEGRITY,   25, "the bytes do not match their checksum", "delete the cached model and download it again") \
    X(E_NO_WEBGPU,   26, "WebGPU is not available", "the CPU backend is used instead") \
    X(E_INTERNAL,    27, "an internal rule was broken", "please report this with the text of the message")
/* clang-format on */

enum qn_status {
#define QN_STATUS_ENUM(name, number, what, remedy) QN_##name = (number),
    QN_STATUS_LIST(QN_STATUS_ENUM)
#undef QN_STATUS_ENUM
};

#define QN_ERROR_TEXT 480

/* What went wrong and where. The caller owns it; functions only fill it in on failure.
 * `offset` is a byte offset into the named file or text, or UINT64_MAX when there is none. */
struct qn_error {
    enum qn_status status;
    uint64_t offset;
    char text[QN_ERROR_TEXT]; // NUL-terminated: what, where, what to do
};

/* ---- What the embedder supplies ------------------------------------------------------------ */

/* Text as a slice: n bytes at p, no terminating NUL. */
struct qn_str {
    const char *p;
    size_t n; // bytes
};

/* Supplied by the embedder. `alloc` returns memory aligned to 16 bytes, or NULL; `free` gets the
 * size that was asked for. Neither is ever called with size 0. */
struct qn_allocator {
    void *ud;
    void *(*alloc)(void *ud, size_t size);
    void (*free)(void *ud, void *p, size_t size);
};

/* The files of one model, by name, behind callbacks: a folder, a tab's downloads, a fuzzer's bytes.
 *
 * C never waits. A reader that does not have the bytes yet answers QN_E_NEED_DATA and remembers
 * what was asked; the embedder fetches that range and calls the interrupted function again.
 * Everything that reads is therefore written to be called again from its start. */
struct qn_files {
    void *ud;
    /* Size in bytes. QN_E_NOT_FOUND when there is no such file. Names are relative,
     * '/'-separated. */
    enum qn_status (*size)(void *ud, uint64_t *out, struct qn_str name);
    /* Copies bytes [offset, offset + n) to dst; the caller has checked them against size(). */
    enum qn_status (*read)(void *ud, struct qn_str name, uint64_t offset, void *dst, size_t n);
};

/* Features of a GPU adapter that the engine may use; bits of qn_gpu_caps.features. */
enum qn_gpu_feature {
    QN_GPU_F16 = 1,              // shader-f16
    QN_GPU_SUBGROUPS = 2,        // subgroups
    QN_GPU_TIMESTAMPS = 4,       // timestamp-query
    QN_GPU_SUBGROUP_SIZE = 8,    // subgroup-size-control
    QN_GPU_PACKED_DOT = 16,      // packed_4x8_integer_dot_product in hardware, and subgroups
    QN_GPU_SUBGROUP_MATRIX = 32, // experimental: products of 16 × 16 × 16, float16 to float32
    QN_GPU_PACKED_TILES = 128,   // comes with PACKED_DOT: prompts in tiles of such products too
    QN_GPU_ROWS = 64, // no device's: steps of several rows pay off; not where a processor computes
};

/* Limits of the device, in WebGPU's units (bytes, invocations). Zeros mean the specification's
 * defaults: 128 MiB bindings, 256 MiB buffers, 8 storage buffers, 16 KiB workgroup memory, 256
 * invocations, 65535 workgroups per dimension. */
struct qn_gpu_caps {
    uint32_t features;
    uint64_t max_binding;
    uint64_t max_buffer;
    uint32_t max_storage_buffers;
    uint32_t max_workgroup_memory;
    uint32_t max_invocations;
    uint32_t max_workgroups;
    uint32_t subgroup_min, subgroup_max; // 0: unknown
    bool tune; // measure on the device, after the self-test, what the next members do not say yet
    /* What an earlier start measured, as info() said then. */
    uint32_t measured; // bits of what was
    uint32_t kernels;  // hash of the kernels that were; for others all of this is void
    uint32_t fill;     // tiles of a product that fill the device; 0: not known
    uint32_t tile;     // how prompts' products are tiled; 0: as the engine sees fit
    uint32_t without;  // features that make it slower
    bool self_test; // compare kernels with what they should give, and do without those that differ
};

/* The GPU, as somebody who plays tapes (src/webgpu/tape.h): `play` carries out n words, in order,
 * and returns at once. Results come back through qn_engine_gpu_event, in the order of their tape
 * words, during play() or later. A status other than QN_OK means that nothing of the tape from the
 * failing word on was done. */
struct qn_gpu_host {
    void *ud;
    struct qn_gpu_caps caps;
    enum qn_status (*play)(void *ud, const uint32_t *words, size_t n, struct qn_error *err);
};

enum qn_gpu_event_kind {
    QN_GPU_EVENT_READ,  // bytes of a read-back: tag, bytes, n
    QN_GPU_EVENT_FENCE, // everything created before the fence of this tag is valid
    QN_GPU_EVENT_ERROR, // a creation or submit failed: status, message (bytes, n)
    QN_GPU_EVENT_LOST,  // the device is gone; every later call answers QN_E_GPU_LOST
};

struct qn_gpu_event {
    enum qn_gpu_event_kind kind;
    uint32_t tag;
    enum qn_status status;
    const void *bytes; // valid during the call
    size_t n;
    /* READ: how long the device worked on the submit, as far as the host can tell; 0: unknown. */
    uint32_t micros;
};

/* ---- Engine --------------------------------------------------------------------------------- */

/* Of keys and values in the cache; of Q8 and Q4 docs/formats.md says the layout and the error. */
enum qn_kv_type { QN_KV_F32, QN_KV_F16, QN_KV_Q8, QN_KV_Q4, QN_KV_COUNT };

struct qn_engine_desc {
    const struct qn_allocator *allocator; // NULL: malloc
    struct qn_files files;                // must outlive the engine
    const char *main;              // name of a .gguf file, "" for a folder; see also `synthetic`
    const char *synthetic;         // or NULL; "qwen2.5-0.5b:q4f16_1": random weights of that shape
    const struct qn_gpu_host *gpu; // NULL: CPU; must outlive the engine
    uint32_t threads;              // CPU backend; 0: one
    uint32_t context;              // tokens of KV cache per session; 0: the model's, at most 4096
                                   // (encoders: 512)
    uint32_t chunk;                // most tokens per prefill step; 0: 256, on a GPU 512
    uint32_t sessions;             // most of its own; 0: 4, fewer where memory is short
    enum qn_kv_type kv_type;       // 0: float32
    bool embeddings;               // states instead of logits: no answers, but embeddings;
                                   // encoders do nothing else
    bool text_only;         // tokenizer and chat template only: open reads no weights, no sessions
    int64_t (*clock)(void); // seconds since 1970, UTC, for templates that ask; NULL: always 0
};

enum qn_engine_state {
    QN_ENGINE_EMPTY,  // created
    QN_ENGINE_OPEN,   // metadata read, program built; weights missing
    QN_ENGINE_LOADED, // all weights given to the backend; the GPU still compiles
    QN_ENGINE_READY,
    QN_ENGINE_FAILED, // qn_engine_error says why
    QN_ENGINE_LOST,   // the GPU device was lost
};

/* Allocates; reads nothing yet. */
enum qn_status qn_engine_create(qn_engine **out, const struct qn_engine_desc *desc,
                                struct qn_error *err);
/* Frees everything, sessions too. NULL is allowed. */
void qn_engine_destroy(qn_engine *engine);
enum qn_engine_state qn_engine_state(const qn_engine *engine);
const struct qn_error *qn_engine_error(const qn_engine *engine);

/* Reads metadata and tokenizer and builds the program: EMPTY → OPEN. QN_E_NEED_DATA: call again. */
enum qn_status qn_engine_open(qn_engine *engine, struct qn_error *err);

/* One contiguous range of a file that loading will read, at most 32 MiB. */
struct qn_piece {
    struct qn_str file;
    uint64_t offset, n; // bytes
};
/* Pieces in the order in which they are loaded, so that an embedder can fetch ahead. */
uint32_t qn_engine_pieces(const qn_engine *engine);
enum qn_status qn_engine_piece(const qn_engine *engine, struct qn_piece *out, uint32_t index);
/* Loads the next piece through files.read: OPEN → … → LOADED or READY. *done counts pieces that
 * are in place. QN_E_NEED_DATA: call again. */
enum qn_status qn_engine_load(qn_engine *engine, uint32_t *done, struct qn_error *err);

/* Hands over what the GPU host reports. */
enum qn_status qn_engine_gpu_event(qn_engine *engine, const struct qn_gpu_event *event);

/* Appends a JSON object with what `quern inspect` shows: format, architecture, tensors, sizes,
 * memory for the context on the backend. *out lives until the next call. */
enum qn_status qn_engine_info(qn_engine *engine, struct qn_str *out, struct qn_error *err);

/* Where threads are the embedder's (wasm with shared memory): the pool of an open engine, or NULL,
 * and the body of its worker `index` in 1..threads-1, which returns when the engine
 * is destroyed. */
void *qn_engine_workers(const qn_engine *engine);
void qn_worker_run(void *workers, uint32_t index);

uint32_t qn_engine_context(const qn_engine *engine); // tokens
uint32_t qn_engine_vocab(const qn_engine *engine);   // logits per position, or states
/* Whether the model gives states, for embeddings: it was asked for, or is an encoder. */
bool qn_engine_embeds(const qn_engine *engine);

enum {
    QN_TEXT_ADD_SPECIAL = 1,  // tokenize: add BOS and the like
    QN_TEXT_PLAIN = 2,        // tokenize: the text is a user's, no special tokens in it
    QN_TEXT_SKIP_SPECIAL = 4, // detokenize
};
/* *ids is valid until the next call of tokenize on this engine. */
enum qn_status qn_engine_tokenize(qn_engine *engine, const uint32_t **ids, size_t *n,
                                  struct qn_str text, uint32_t flags, struct qn_error *err);
enum qn_status qn_engine_detokenize(qn_engine *engine, struct qn_str *out, const uint32_t *ids,
                                    size_t n, uint32_t flags, struct qn_error *err);
/* Vocabulary form of one token; empty for a hole. */
struct qn_str qn_engine_token(const qn_engine *engine, uint32_t id);
bool qn_engine_is_eos(const qn_engine *engine, uint32_t id);

/* Renders the model's chat template. `context` is a JSON object: {"messages": […], "tools": […],
 * "add_generation_prompt": true, …}. */
enum qn_status qn_engine_template(qn_engine *engine, struct qn_str *out, struct qn_str context,
                                  struct qn_error *err);

/* ---- Session -------------------------------------------------------------------------------- */

/* Sampling, in this order: repetition, frequency and presence penalties over the whole prefix and
 * the output (repetition: Keskar et al. 2019; the others: OpenAI's formula, output only), logit
 * bias, then temperature, top-k, top-p, min-p, and a draw by the Gumbel-max trick with
 * counter-based noise (seed, position, token). temperature 0 takes the arg-max, lowest id
 * on ties. */
struct qn_sampling {
    float temperature;        // 0: greedy
    uint32_t top_k;           // 0: off
    float top_p;              // 1 (or 0): off
    float min_p;              // 0: off
    float repetition_penalty; // 1 (or 0): off
    float frequency_penalty;  // 0: off
    float presence_penalty;   // 0: off
    uint64_t seed;
    const uint32_t *bias_ids; // logit bias: n_bias pairs, copied
    const float *bias;
    uint32_t n_bias;
};

enum qn_want {
    QN_WANT_LOGITS = 1,     // an event QN_EVENT_LOGITS per sampled position
    QN_WANT_ARGMAX_ALL = 2, // arg-max at every position of the prompt; nothing is reused
    QN_WANT_LOGITS_ALL = 4, // with LOGITS: at every position of the prompt, one step each
};

enum qn_constraint_kind {
    QN_CONSTRAINT_NONE,
    QN_CONSTRAINT_JSON_SCHEMA, // draft 2020-12; {"type": "object"} is any JSON object
    QN_CONSTRAINT_REGEX,       // ECMAScript's syntax; the whole text matches
    QN_CONSTRAINT_GRAMMAR,     // GBNF; `%json {…}` in place of a symbol stands for a schema
};

/* What the text of an answer must match; see docs/formats.md. The answer ends where it is complete;
 * one that max_tokens cuts short says QN_FINISH_LENGTH. */
struct qn_constraint {
    enum qn_constraint_kind kind;
    struct qn_str text; // schema, regular expression or grammar; copied
    /* JSON: most bytes between two of its tokens: nothing, a space, or a line end and spaces. */
    uint32_t whitespace;
    /* It begins once this has been said; empty: at once. Must outlive the answer. */
    struct qn_str after;
};

/* Which states of a text become the one that a model for embeddings answers with. */
enum qn_pooling {
    QN_POOL_MODEL, // an encoder's own; a decoder's: LAST
    QN_POOL_LAST,
    QN_POOL_MEAN,
    QN_POOL_CLS, // the first one's; encoders only
};

struct qn_request {
    const uint32_t *ids; // the whole prefix, always: what is already in the KV cache is reused
    size_t n_ids;        // at least 1
    uint32_t max_tokens; // 0: only the prompt
    bool stop_on_eos;
    struct qn_sampling sampling;
    const struct qn_str *stops; // stop strings, copied
    size_t n_stops;
    const uint32_t *shown; // control tokens whose text is wanted; must outlive the generation
    uint32_t n_shown;
    /* Where the context is full, go on with the first `sinks` tokens (attention needs them: Xiao et
     * al. 2024) and the last ones, computed anew as if no others had been; also with a prompt that
     * is too long. Otherwise such a prompt is refused, and such an answer ends. An answer that
     * slides has max_tokens, or as many as the context if that is UINT32_MAX. */
    bool slide;
    uint32_t sinks; // 0: 4; UINT32_MAX: none
    uint32_t want;  // enum qn_want
    /* With LOGITS of a model for embeddings. MEAN: an encoder tells of one vector; a decoder of
     * every position's state, one step each, of which the caller takes the mean. */
    enum qn_pooling pooling;
    /* Guess tokens from what was said before and verify several in one step, where that pays; only
     * for greedy choice without penalties, bias, constraint or logits. The tokens are the same.
     * And do not sample text that a constraint leaves no choice about: it comes in the tokens that
     * the tokenizer makes of it, several in one step; not with logits, bias, or penalties
     * by count. */
    bool speculate;
    struct qn_constraint constraint;
};

enum qn_event_kind {
    QN_EVENT_WAIT,    // the GPU has not answered yet
    QN_EVENT_PREFILL, // progress: n tokens of the prompt are done
    // logits[n], one per token of the vocabulary, of the position after the last id, before
    // penalties and temperature; `id` is the token that was sampled from them, if one was
    QN_EVENT_LOGITS,
    QN_EVENT_ARGMAX, // ids[n]: one per position of the prompt; with QN_WANT_LOGITS also logits
    QN_EVENT_TOKEN,  // id, and the text that became certain with it (may be empty)
    QN_EVENT_DONE,   // finish, usage; text held back comes with it
    QN_EVENT_TEXT,   // more text, of another channel, that became certain with the last token
};

/* What a text of a chat's answer is. */
enum qn_channel {
    QN_CHANNEL_CONTENT,
    QN_CHANNEL_REASONING,
    QN_CHANNEL_TOOL_NAME,      // a call begins; the name comes whole
    QN_CHANNEL_TOOL_ARGUMENTS, // JSON, as it comes
};

enum qn_finish {
    QN_FINISH_NONE,
    QN_FINISH_STOP,
    QN_FINISH_LENGTH,
    QN_FINISH_CONTEXT,
    QN_FINISH_CANCELLED,
    QN_FINISH_TOOLS, // tools are to be called
};

struct qn_event {
    enum qn_event_kind kind;
    uint32_t id;
    struct qn_str text;
    enum qn_channel channel; // of the text
    uint32_t call;           // which tool call, from 0
    /* TOKEN, or TEXT for echoed ones: {"token": …, "logprob": …, "bytes": […], "top_logprobs":
     * […]}, for tokens of the content. */
    struct qn_str logprobs;
    const float *logits;
    const uint32_t *ids;
    size_t n;
    enum qn_finish finish;
    uint32_t prompt_tokens, reused_tokens, completion_tokens; // DONE; TOKEN: the first
    uint32_t drafted_tokens, accepted_tokens;                 // DONE: guesses, and those that held
};

enum qn_status qn_session_create(qn_session **out, qn_engine *engine, struct qn_error *err);
/* Ends what it generates. NULL is allowed. */
void qn_session_destroy(qn_session *session);

/* Begins a generation. QN_E_STATE while another one runs; QN_E_CONTEXT when the prefix is too
 * long. */
enum qn_status qn_session_start(qn_session *session, const struct qn_request *request,
                                struct qn_error *err);
/* The same from an OpenAI request as JSON. Every field either works or is refused by name.
 * chat.completions: messages and tools rendered by the model's template (text of users never
 * becomes control tokens); the events say which text is content, which is reasoning, and which
 * belongs to a tool call. */
enum qn_status qn_session_start_chat(qn_session *session, struct qn_str request_json,
                                     struct qn_error *err);
/* completions: one prompt, a text or a list of ids. */
enum qn_status qn_session_start_completion(qn_session *session, struct qn_str request_json,
                                           struct qn_error *err);
/* The ids [*n] of the prompt that the session's latest generation began with; they live until the
 * next one is started. Of a prompt that was too long, those that stay; none when the timeline has
 * slid since. */
void qn_session_prompt(const qn_session *session, const uint32_t **ids, size_t *n);
/* embeddings: one text, or a list of ids, of an engine made for `embeddings`. A LOGITS event brings
 * the vector, of length 1, before DONE. */
enum qn_status qn_session_start_embedding(qn_session *session, struct qn_str request_json,
                                          struct qn_error *err);
/* The same on a session of the engine's own, which it picks and keeps: the idle one that holds the
 * longest part of the prompt. What any session holds of it is copied, not computed again, so that
 * requests with the same beginning share its prefill, also while one of them is being answered.
 * *out is the caller's until qn_session_destroy, which gives it back. QN_E_STATE: all are taken, or
 * one is computing much of this prompt just now. */
enum qn_status qn_engine_start(qn_engine *engine, qn_session **out,
                               const struct qn_request *request, struct qn_error *err);
enum qn_api { QN_API_CHAT = 1, QN_API_COMPLETION = 2, QN_API_EMBEDDING = 4 };
/* An OpenAI request on *session; where that is NULL, on one that the engine picks. */
enum qn_status qn_engine_ask(qn_engine *engine, qn_session **session, enum qn_api api,
                             struct qn_str request_json, struct qn_error *err);
/* One of those without a request, to restore it: a new one, or the one not used for longest. */
enum qn_status qn_engine_take(qn_engine *engine, qn_session **out, struct qn_error *err);
/* What an idle session holds as bytes, in pieces of at most 16 MiB and a little, numbered from 0
 * and saved in order (src/run/snapshot.h). *out lives until the next call on the session.
 * QN_E_NEED_DATA: the GPU answers later; call again. */
uint32_t qn_session_pieces(const qn_session *session);
enum qn_status qn_session_save(qn_session *session, const void **out, size_t *n, uint32_t piece,
                               struct qn_error *err);
/* The way back, in the same order, into an idle session of an engine with the same weights and type
 * of cache; its context may be another. Whatever the bytes are, they are taken or refused. */
enum qn_status qn_session_restore(qn_session *session, const void *bytes, size_t n, uint32_t piece,
                                  struct qn_error *err);
/* A new session that holds what `from` holds now. */
enum qn_status qn_session_fork(qn_session **out, qn_session *from, struct qn_error *err);
/* The next thing that happened, of this session only. Call until DONE; after WAIT, again once the
 * host reported. */
enum qn_status qn_session_next(qn_session *session, struct qn_event *out, struct qn_error *err);
/* The next thing that happened to any session of the engine, and to which: all that generate share
 * their steps, so that each weight is read once for all of them, and prompts take turns with
 * answers. Every session gets what it would get alone. WAIT belongs to none (*session NULL). A
 * failure is that of *session, whose generation is over, or of all where that is NULL; QN_E_STATE:
 * none is generating. What an event points to lives until the next call. */
enum qn_status qn_engine_next(qn_engine *engine, qn_session **session, struct qn_event *out,
                              struct qn_error *err);
/* The running generation ends with DONE and QN_FINISH_CANCELLED. */
void qn_session_cancel(qn_session *session);

/* Dequantises raw blocks of a stored type ("Q4_0", "F16", …). `out` may be NULL to ask for *n, the
 * number of values. QN_E_UNSUPPORTED for an unknown type, QN_E_ARGUMENT when `bytes` is no whole
 * number of blocks. */
enum qn_status qn_dequant(float *out, size_t *n, struct qn_str type, struct qn_str bytes,
                          struct qn_error *err);

const char *qn_version(void);                      // "0.1.0"
const char *qn_status_name(enum qn_status status); // "QN_E_FORMAT"

#endif
