/* The life of an engine: create, open in stages, load, be ready, be destroyed. */
#include "engine/engine.h"

#include <string.h>

#include "base/num.h"
#include "base/pool.h"
#include "cpu/cpu.h"
#include "model/synthetic.h"
#include "webgpu/gpu.h"

#define DEFAULT_CHUNK 256
#define GPU_CHUNK 512 // steps are cut shorter where they take long
#define HEAD_ROWS 16  // rows through the head in one step: logits are large (152k × 4 bytes a row)

const char *qn_version(void) {
    return "0.1.0";
}

static enum qn_status copy_text(const char **out, struct qn_arena *arena, const char *text,
                                struct qn_error *err) {
    if (!text) {
        *out = NULL;
        return QN_OK;
    }
    size_t n = strlen(text) + 1;
    char *copy = qn_arena_alloc(arena, n, 1);
    if (!copy)
        return qn_fail(err, QN_E_NO_MEMORY, "an engine");
    memcpy(copy, text, n);
    *out = copy;
    return QN_OK;
}

static enum qn_status init(qn_engine *e, const struct qn_engine_desc *desc, struct qn_error *err) {
    e->desc = *desc;
    e->desc.allocator = e->allocator;
    QN_TRY(copy_text(&e->desc.main, &e->arena, desc->main ? desc->main : "", err));
    QN_TRY(copy_text(&e->desc.synthetic, &e->arena, desc->synthetic, err));
    e->files = desc->files;
    if (desc->gpu) {
        e->gpu = *desc->gpu;
        e->desc.gpu = &e->gpu;
    }
    if (e->desc.synthetic)
        QN_TRY(qn_synthetic_create(&e->files, &e->arena, qn_str_from(e->desc.synthetic), err));
    else if (!e->files.size || !e->files.read)
        return qn_fail(err, QN_E_ARGUMENT, "an engine without files");
    return QN_OK;
}

enum qn_status qn_engine_create(qn_engine **out, const struct qn_engine_desc *desc,
                                struct qn_error *err) {
    *out = NULL;
    const struct qn_allocator *allocator =
        desc->allocator ? desc->allocator : qn_allocator_default();
    qn_engine *e = qn_mem_alloc(allocator, sizeof *e);
    if (!e)
        return qn_fail(err, QN_E_NO_MEMORY, "an engine");
    memset(e, 0, sizeof *e);
    e->allocator_copy = *allocator;
    e->allocator = &e->allocator_copy;
    qn_arena_init(&e->arena, e->allocator);
    qn_arena_init(&e->stage_arena, e->allocator);
#ifndef QN_NO_CONSTRAIN
    e->constrain = &qn_constrain_builtin;
#endif
    qn_arena_init(&e->template_arena, e->allocator);
    for (size_t i = 0; i < QN_STAGE_DONE; i++)
        qn_arena_init(&e->kept[i], e->allocator);
    qn_ids_init(&e->ids, e->allocator);
    qn_buf_init(&e->text, e->allocator);
    enum qn_status status = init(e, desc, err);
    if (status != QN_OK) {
        qn_engine_destroy(e);
        return status;
    }
    *out = e;
    return QN_OK;
}

void qn_engine_destroy(qn_engine *e) {
    if (!e)
        return;
    while (e->sessions)
        qn_session_free(e->sessions);
    if (e->backend)
        e->backend->ops->destroy(e->backend);
    qn_loader_release(&e->loader);
    qn_constraints_free(e);
    qn_ids_free(&e->ids);
    qn_buf_free(&e->text);
    qn_arena_free(&e->template_arena);
    qn_arena_free(&e->stage_arena);
    for (size_t i = 0; i < QN_STAGE_DONE; i++)
        qn_arena_free(&e->kept[i]);
    qn_arena_free(&e->arena);
    struct qn_allocator allocator = e->allocator_copy;
    qn_mem_free(&allocator, e, sizeof *e);
}

/* ---- opening --------------------------------------------------------------------------------- */

static enum qn_status open_tokenizer(qn_engine *e, struct qn_arena *arena, struct qn_error *err) {
    QN_TRY(qn_engine_find_template(e, arena, err));
    enum qn_status status = qn_tokenizer_open(&e->tokenizer, arena, &e->directory, &e->files, err);
    if (status == QN_E_NOT_FOUND) { // ids in, ids out
        e->tokenizer = NULL;
        return QN_OK;
    }
    for (int i = 0; status == QN_OK && i < 2; i++)
        qn_tokenizer_guard(e->tokenizer, e->template_source[i]);
    return status;
}

static void add_eos(qn_engine *e, uint32_t id) {
    if (id == UINT32_MAX || e->n_eos == sizeof e->eos / sizeof *e->eos)
        return;
    for (uint32_t i = 0; i < e->n_eos; i++)
        if (e->eos[i] == id)
            return;
    e->eos[e->n_eos++] = id;
}

/* Ids that end an answer: what the configuration says, what the tokenizer says, and the control
 * tokens by which known chat formats end a turn (many published configurations forget them). */
static void collect_eos(qn_engine *e) {
    static const char *const turns[] = {"<|im_end|>", "<|eot_id|>",    "<|eom_id|>",
                                        "<|end|>",    "<end_of_turn>", "<|endoftext|>"};
    for (uint32_t i = 0; i < e->model.config.n_eos; i++)
        add_eos(e, e->model.config.eos[i]);
    if (!e->tokenizer)
        return;
    add_eos(e, qn_tokenizer_eos(e->tokenizer));
    for (size_t i = 0; i < sizeof turns / sizeof *turns; i++) {
        uint32_t id = 0;
        if (qn_tokenizer_find(e->tokenizer, &id, qn_str_from(turns[i])) &&
            qn_tokenizer_is_special(e->tokenizer, id))
            add_eos(e, id);
    }
    for (uint32_t i = 0; i < e->n_eos; i++)
        qn_tokenizer_guard_id(e->tokenizer, e->eos[i]);
}

static enum qn_status build_model(qn_engine *e, struct qn_arena *arena, struct qn_error *err) {
    struct qn_model_options options = {
        .context = e->desc.context,
        .chunk = e->desc.chunk ? e->desc.chunk
                 : e->desc.gpu ? GPU_CHUNK
                               : DEFAULT_CHUNK,
        .rows = HEAD_ROWS,
        .kv_type = e->desc.kv_type,
        .states = e->desc.embeddings,
    };
    QN_TRY(qn_model_build(&e->model, arena, &e->directory, &e->files, &options, err));
    if (e->tokenizer && !e->model.program.states)
        e->model.program.sample_vocab =
            qn_min_u32(e->model.config.vocab, qn_tokenizer_size(e->tokenizer));
    collect_eos(e);
    return QN_OK;
}

static enum qn_status create_backend(qn_engine *e, struct qn_arena *arena, struct qn_error *err) {
    QN_TRY(qn_loader_init(&e->loader, arena, &e->directory, &e->model.program, err));
    /* A wasm module carries one backend, the other is left out by the linker: which one a tab needs
     * is known before the module is fetched. */
#ifndef QN_NO_WEBGPU
    if (e->desc.gpu)
        return qn_gpu_backend_create(&e->backend, e->allocator, &e->model.program, &e->gpu, err);
#endif
#ifndef QN_NO_CPU
    if (!e->desc.gpu)
        return qn_cpu_backend_create(&e->backend, e->allocator, &e->model.program, e->desc.threads,
                                     err);
#endif
    return qn_fail(err, QN_E_UNSUPPORTED, "the %s backend in this build",
                   e->desc.gpu ? "WebGPU" : "CPU");
}

static enum qn_status run_stage(qn_engine *e, struct qn_error *err) {
    struct qn_arena *arena = &e->stage_arena;
    switch (e->stage) {
    case QN_STAGE_DIRECTORY:
        if (e->desc.text_only)
            return qn_directory_open_text(&e->directory, arena, &e->files,
                                          qn_str_from(e->desc.main), err);
        return qn_directory_open(&e->directory, arena, &e->files, qn_str_from(e->desc.main), err);
    case QN_STAGE_TOKENIZER:
        return open_tokenizer(e, arena, err);
    case QN_STAGE_MODEL:
        return build_model(e, arena, err);
    case QN_STAGE_BACKEND:
        return create_backend(e, arena, err);
    default:
        return QN_OK;
    }
}

/* Frees what a stage that did not succeed has made, and forgets what points there. */
static void undo_stage(qn_engine *e) {
    if (e->stage == QN_STAGE_DIRECTORY)
        memset(&e->directory, 0, sizeof e->directory);
    if (e->stage == QN_STAGE_TOKENIZER) {
        e->tokenizer = NULL;
        e->template_source[0] = e->template_source[1] = (struct qn_str){0};
    }
    if (e->stage == QN_STAGE_MODEL) {
        memset(&e->model, 0, sizeof e->model);
        e->n_eos = 0;
    }
    if (e->stage == QN_STAGE_BACKEND)
        memset(&e->loader, 0, sizeof e->loader); // nothing is staged yet
    qn_arena_free(&e->stage_arena);
    qn_arena_init(&e->stage_arena, e->allocator);
}

/* Records a failure that the engine cannot go on from. */
static enum qn_status fail_engine(qn_engine *e, enum qn_status status, const struct qn_error *err) {
    e->state = status == QN_E_GPU_LOST ? QN_ENGINE_LOST : QN_ENGINE_FAILED;
    e->error = *err;
    return status;
}

/* A text-only engine is ready once it has a tokenizer or a template. */
static enum qn_status text_ready(qn_engine *e, struct qn_error *err) {
    if (!e->tokenizer && e->template_source[0].n == 0)
        return fail_engine(
            e, qn_fail(err, QN_E_NOT_FOUND, "neither a tokenizer nor a chat template"), err);
    e->state = QN_ENGINE_READY;
    return QN_OK;
}

enum qn_status qn_engine_open(qn_engine *e, struct qn_error *err) {
    struct qn_error local = {0};
    if (!err)
        err = &local;
    if (e->state != QN_ENGINE_EMPTY)
        return qn_fail(err, QN_E_STATE, "this engine was opened before");
    enum qn_open_stage last = e->desc.text_only ? QN_STAGE_MODEL : QN_STAGE_DONE;
    while (e->stage < last) {
        enum qn_status status = run_stage(e, err);
        if (status != QN_OK) {
            undo_stage(e);
            return status == QN_E_NEED_DATA ? status : fail_engine(e, status, err);
        }
        /* What the stage made refers to its arena through the address it was given. */
        e->kept[e->stage] = e->stage_arena;
        qn_arena_init(&e->stage_arena, e->allocator);
        if (e->stage == QN_STAGE_DIRECTORY)
            e->directory.arena = &e->kept[QN_STAGE_DIRECTORY];
        if (e->stage == QN_STAGE_MODEL)
            e->model.program.arena = &e->kept[QN_STAGE_MODEL];
        e->stage++;
    }
    if (e->desc.text_only)
        return text_ready(e, err);
    e->state = QN_ENGINE_OPEN;
    return QN_OK;
}

/* ---- loading --------------------------------------------------------------------------------- */

uint32_t qn_engine_pieces(const qn_engine *e) {
    return e->loader.n_pieces;
}

enum qn_status qn_engine_piece(const qn_engine *e, struct qn_piece *out, uint32_t index) {
    if (index >= e->loader.n_pieces)
        return QN_E_ARGUMENT;
    const struct qn_loader_piece *piece = &e->loader.pieces[index];
    *out = (struct qn_piece){e->directory.files[piece->file], piece->offset, piece->n};
    return QN_OK;
}

/* What a snapshot must agree with: the weights, by samples of the file, and the states' shapes. */
static void identify(qn_engine *e) {
    const struct qn_program *p = &e->model.program;
    struct qn_sha256 *sha = &e->loader.sample;
    for (uint32_t i = 0; i < p->n_tensors; i++) {
        const struct qn_program_tensor *t = &p->tensors[i];
        uint32_t shape[4] = {i, (uint32_t)t->dtype, t->dims[0].n, t->dims[2].n};
        if (t->kind == QN_TENSOR_STATE)
            qn_sha256_update(sha, shape, sizeof shape);
    }
    qn_sha256_final(sha, e->identity);
}

static enum qn_status finish_loading(qn_engine *e, struct qn_error *err) {
    identify(e);
    qn_loader_release(&e->loader);
    enum qn_status status = e->backend->ops->finish(e->backend, err);
    if (status != QN_OK)
        return fail_engine(e, status, err);
    e->state = e->backend->ops->ready(e->backend) ? QN_ENGINE_READY : QN_ENGINE_LOADED;
    return QN_OK;
}

enum qn_status qn_engine_load(qn_engine *e, uint32_t *done, struct qn_error *err) {
    struct qn_error local = {0};
    if (!err)
        err = &local;
    *done = e->loader.done;
    QN_TRY(qn_engine_check(e, err));
    if (e->state != QN_ENGINE_OPEN)
        return qn_fail(err, QN_E_STATE, "this engine is not waiting for weights");
    if (e->loader.done < e->loader.n_pieces) {
        enum qn_status status = qn_loader_next(&e->loader, e->backend, &e->files, err);
        if (status == QN_E_NEED_DATA)
            return status;
        if (status != QN_OK) {
            qn_loader_release(&e->loader);
            return fail_engine(e, status, err);
        }
    }
    *done = e->loader.done;
    return e->loader.done == e->loader.n_pieces ? finish_loading(e, err) : QN_OK;
}

enum qn_status qn_engine_gpu_event(qn_engine *e, const struct qn_gpu_event *event) {
    bool lost = event->kind == QN_GPU_EVENT_LOST, told = lost || event->kind == QN_GPU_EVENT_ERROR;
    struct qn_error error = {0};
    enum qn_status status = QN_OK;
    if (e->backend)
        status = e->backend->ops->event(e->backend, event, &error);
    else if (told)
        status = qn_fail(&error,
                         lost            ? QN_E_GPU_LOST
                         : event->status ? event->status
                                         : QN_E_GPU,
                         "%.*s", (int)event->n, (const char *)event->bytes);
    // Before it is ready a backend may fail of itself, by its self-test.
    if (status != QN_OK && (told || e->state == QN_ENGINE_OPEN || e->state == QN_ENGINE_LOADED) &&
        e->state != QN_ENGINE_LOST && e->state != QN_ENGINE_FAILED)
        fail_engine(e, status, &error);
    if (!e->backend)
        return QN_E_STATE;
    if (e->state == QN_ENGINE_LOADED && e->backend->ops->ready(e->backend))
        e->state = QN_ENGINE_READY;
    return status;
}

void *qn_engine_workers(const qn_engine *e) {
#ifdef QN_NO_CPU
    (void)e;
    return NULL;
#else
    return e->backend && !e->desc.gpu ? qn_cpu_backend_pool(e->backend) : NULL;
#endif
}

void qn_worker_run(void *workers, uint32_t index) {
    qn_pool_worker(workers, index);
}
