/* What a qn_engine is made of. Inside src/engine only. */
#ifndef QN_ENGINE_ENGINE_H
#define QN_ENGINE_ENGINE_H

#include "base/buf.h"
#include "engine/chat.h"
#include "engine/constraint.h"
#include "engine/loader.h"
#include "engine/tools.h"
#include "model/model.h"
#include "quern.h"
#include "run/batch.h"
#include "text/template.h"
#include "text/tokenizer.h"

/* How far qn_engine_open has come: each stage is done once, however often open is called again. */
enum qn_open_stage {
    QN_STAGE_DIRECTORY,
    QN_STAGE_TOKENIZER,
    QN_STAGE_MODEL,
    QN_STAGE_BACKEND,
    QN_STAGE_DONE
};

#define QN_MAX_MARKS 24

/* What a template says about answers; found out at first use. */
struct qn_answer_style {
    bool known, argument_strings, empty_content;
    const struct qn_tool_format *tools; // NULL: none
    const struct qn_think_format *think;
    uint32_t marks[QN_MAX_MARKS]; // control tokens that stand in reasoning, then those of calls
    uint32_t n_think, n_marks;
};

/* States of a prompt on their way to one vector. */
struct qn_embedding {
    const struct qn_allocator *allocator;
    double *sum;   // [n], of the states so far (an encoder's is one); NULL: no embedding is wanted
    float *vector; // [n]
    uint32_t n, dimensions;
    bool mean, told;
};
/* Takes a state [n]. */
void qn_embedding_add(struct qn_embedding *e, const float *state);
/* The pooled state's first `dimensions` values, of length 1. */
void qn_embedding_finish(struct qn_embedding *e);

/* An answer to an OpenAI request while it is given. */
struct qn_ask {
    bool on;       // the events are read by `reply`
    bool ending;   // `done` is left to tell
    bool one_call; // end after the first
    bool logprobs;
    uint32_t top_logprobs;
    uint32_t prompt_left; // tokens of the prompt whose log-probabilities are wanted first
    struct qn_reply reply;
    struct qn_buf logprob; // of the token that comes next
    struct qn_embedding embedding;
    struct qn_event done;
};

struct qn_engine {
    const struct qn_allocator *allocator;
    struct qn_allocator allocator_copy;
    struct qn_engine_desc desc; // strings copied into `arena`
    struct qn_files files;      // desc's, or the synthetic model's
    struct qn_gpu_host gpu;
    enum qn_engine_state state;
    enum qn_open_stage stage;
    struct qn_error error; // why FAILED or LOST

    struct qn_arena arena;       // lives as long as the engine
    struct qn_arena stage_arena; // of the stage that runs; joined to `kept` when it succeeds
    struct qn_arena kept[QN_STAGE_DONE];
    struct qn_directory directory;
    struct qn_tokenizer *tokenizer; // NULL: the model has none
    struct qn_model model;
    struct qn_backend *backend;
    struct qn_loader loader;

    uint32_t eos[QN_MAX_EOS + 8];
    uint32_t n_eos;
    /* The model's template, and the one for requests with tools where it has another. */
    struct qn_str template_source[2]; // empty: none
    struct qn_template *template[2];  // parsed at first use
    struct qn_arena template_arena;
    struct qn_answer_style style[2]; // of their answers

    struct qn_ids ids;  // of the last tokenize
    struct qn_buf text; // of the last call that answered text
    qn_session *sessions;
    struct qn_batch batch;      // of their runs
    unsigned char identity[32]; // of the model and its cache, for snapshots; of a loaded engine
    uint64_t turn;              // requests given to pooled sessions so far
    uint64_t session_bytes;     // of one, known with the first
    struct qn_constraints constraints;
    const struct qn_constrain_ops *constrain; // NULL: not loaded
};

struct qn_session {
    qn_engine *engine;
    qn_session *next, *previous;
    struct qn_run run;
    struct qn_ask ask;
    bool pooled;   // the engine's own: it picks it for requests
    bool taken;    // by one of them
    uint64_t used; // the engine's turn when it was picked last
};

/* Finds the chat template's source: tokenizer_config.json, chat_template.jinja, GGUF metadata, or
 * MLC's conv_template turned into one. May answer QN_E_NEED_DATA. Leaves it empty when there is
 * none. */
enum qn_status qn_engine_find_template(qn_engine *engine, struct qn_arena *arena,
                                       struct qn_error *err);
/* Renders `context`, with the template for tools where it has tools; the text goes to `out`, the
 * user's spans into `arena`. */
enum qn_status qn_engine_render(qn_engine *engine, struct qn_buf *out, struct qn_arena *arena,
                                struct qn_span **plain, size_t *n_plain, struct qn_str context,
                                struct qn_error *err);
/* bos and eos as the template's variables. */
struct qn_str qn_engine_bos_token(const qn_engine *engine);
/* What requests that do not say are sampled with: the model's own recommendation. */
struct qn_sampling qn_engine_sampling(const qn_engine *engine);
struct qn_str qn_engine_eos_token(const qn_engine *engine);
/* The root of tokenizer_config.json, which may be missing. */
struct qn_json_value qn_engine_token_config(const qn_engine *engine);
/* How the template for requests with or without tools has answers written. */
enum qn_status qn_engine_style(const struct qn_answer_style **out, qn_engine *engine, bool tools,
                               struct qn_error *err);

/* A lost or failed engine answers every call on it and on its sessions with its own error. */
enum qn_status qn_engine_check(const qn_engine *engine, struct qn_error *err);
/* Picks a pooled session for a prompt: the idle one that holds the longest part of it, unless that
 * would lose another conversation while there is room for one more session; then a new one, or the
 * one that was not used for longest. What any session of the engine holds of the prompt is copied.
 * QN_E_STATE: all are busy. */
enum qn_status qn_engine_pick(qn_engine *engine, qn_session **out, const uint32_t *ids, size_t n,
                              struct qn_error *err);
/* Frees the session, a pooled one too. */
void qn_session_free(qn_session *session);
/* What is left to tell of an answer before the next event of its run. */
bool qn_ask_tell(qn_session *session, struct qn_event *out);
/* Reads an event of the run as what it means for the answer; *told: there is one in `out`. */
enum qn_status qn_ask_take(qn_session *session, struct qn_event *out, bool *told,
                           struct qn_error *err);
/* Begins the answer within the prompt, where its form wants that: with a thought, or with the mark
 * of a call. */
void qn_ask_open(struct qn_buf *prompt, const struct qn_chat *chat,
                 const struct qn_answer_style *style, struct qn_str chat_template);
/* What the answer must match, once it has ended its thought; the text goes to `buf`. LAZY: what
 * calls must match, from their opening mark on. LOOSE: their arguments are any JSON object. */
enum { QN_FORM_THINKS = 1, QN_FORM_LAZY = 2, QN_FORM_LOOSE = 4 };
void qn_ask_constraint(struct qn_constraint *out, struct qn_buf *buf, const struct qn_chat *chat,
                       const qn_engine *engine, const struct qn_answer_style *style, uint32_t how);
/* Whether all calls of an answer stand behind one opening mark. */
bool qn_calls_once(const struct qn_tool_format *format);
/* Makes a masker wait until `mark`, which must outlive it and whose first byte does not come again
 * within it, has been said. On failure *io is as it was. */
enum qn_status qn_masker_after(struct qn_masker *io, const qn_engine *engine, struct qn_str mark,
                               uint32_t vocab, struct qn_error *err);
/* Frees what an answer held. */
void qn_ask_free(struct qn_ask *ask);
/* Appends the log-probability of token `id` of a softmax over all n logits as OpenAI's object, with
 * the `top` most likely tokens. */
void qn_logprobs_write(struct qn_buf *out, const struct qn_tokenizer *tokenizer,
                       const float *logits, uint32_t n, uint32_t id, uint32_t top);

#endif
