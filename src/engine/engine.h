/* What a qn_engine is made of. Inside src/engine only. */
#ifndef QN_ENGINE_ENGINE_H
#define QN_ENGINE_ENGINE_H

#include "engine/loader.h"
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
    struct qn_template *template;  // parsed at first use
    struct qn_str template_source; // empty: the model has none
    struct qn_arena template_arena;

    struct qn_ids ids;  // of the last tokenize
    struct qn_buf text; // of the last call that answered text
    qn_session *sessions;
    struct qn_batch batch; // of their runs
};

struct qn_session {
    qn_engine *engine;
    qn_session *next, *previous;
    struct qn_run run;
};

/* Finds the chat template's source: tokenizer_config.json, chat_template.jinja, GGUF metadata, or
 * MLC's conv_template turned into one. May answer QN_E_NEED_DATA. Leaves it empty when there is
 * none. */
enum qn_status qn_engine_find_template(qn_engine *engine, struct qn_arena *arena,
                                       struct qn_error *err);
/* Renders `context`; the text goes to `out`, the user's spans into `arena`. */
enum qn_status qn_engine_render(qn_engine *engine, struct qn_buf *out, struct qn_arena *arena,
                                struct qn_span **plain, size_t *n_plain, struct qn_str context,
                                struct qn_error *err);
/* bos and eos as the template's variables. */
struct qn_str qn_engine_bos_token(const qn_engine *engine);
struct qn_str qn_engine_eos_token(const qn_engine *engine);

#endif
