/* The lists after the logits: four samplers, the arg-max of a block of rows, and the marks of a
 * prefix for the penalties. */
#include "webgpu/lower_parts.h"

struct scratch {
    struct qn_lower_ref partial, z, state; // shared
    struct qn_lower_ref step, sampling;
};

static struct qn_params_vocab vocab_params(const struct qn_lower *l, uint32_t stride) {
    return (struct qn_params_vocab){.vocab = l->sample_vocab,
                                    .chunks = qn_argmax_chunks(l->sample_vocab),
                                    .stride = stride,
                                    .max_pos = l->program->context};
}

static enum qn_status argmax(struct qn_lower *l, const struct scratch *s, struct qn_lower_ref step,
                             struct qn_lower_ref values, const struct qn_params_vocab *params,
                             bool gumbel, struct qn_error *err) {
    struct qn_lower_draft draft = {
        .kernel = QN_KERNEL_ARGMAX_PARTIAL,
        .params = params,
        .bindings = {{0}, step, s->sampling, values, s->state, s->partial},
        .constants = {gumbel},
        .rest = {.by_rows = true}};
    return qn_lower_dispatch_add(l, &draft, err);
}

static enum qn_status finish(struct qn_lower *l, const struct scratch *s, uint32_t chunks,
                             struct qn_error *err) {
    struct qn_params_vocab params = vocab_params(l, l->vocab);
    params.chunks = chunks;
    struct qn_lower_draft draft = {.kernel = QN_KERNEL_SAMPLE_FINISH,
                                   .params = &params,
                                   .bindings = {{0},
                                                s->partial,
                                                s->step,
                                                qn_lower_whole(l, QN_SPACE_BANK, l->b_ids),
                                                qn_lower_whole(l, QN_SPACE_BANK, l->b_results),
                                                qn_lower_whole(l, QN_SPACE_BANK, l->b_seen)}};
    return qn_lower_dispatch_add(l, &draft, err);
}

static enum qn_status prepare(struct qn_lower *l, const struct scratch *s, struct qn_error *err) {
    struct qn_params_vocab params = vocab_params(l, l->vocab);
    struct qn_lower_draft draft = {.kernel = QN_KERNEL_SAMPLE_PREPARE,
                                   .params = &params,
                                   .bindings = {{0},
                                                s->step,
                                                s->sampling,
                                                qn_lower_whole(l, QN_SPACE_SHARED, l->b_logits),
                                                qn_lower_whole(l, QN_SPACE_BANK, l->b_seen),
                                                qn_lower_whole(l, QN_SPACE_BANK, l->b_bias),
                                                qn_lower_whole(l, QN_SPACE_BANK, l->b_mask),
                                                s->z}};
    return qn_lower_dispatch_add(l, &draft, err);
}

static enum qn_status threshold(struct qn_lower *l, const struct scratch *s, struct qn_error *err) {
    struct qn_params_vocab params = vocab_params(l, l->vocab);
    struct qn_lower_draft draft = {.kernel = QN_KERNEL_SAMPLE_THRESHOLD,
                                   .params = &params,
                                   .bindings = {{0}, s->step, s->sampling, s->z, s->state},
                                   .rest = {.by_rows = true}};
    return qn_lower_dispatch_add(l, &draft, err);
}

enum qn_status qn_lower_best(struct qn_lower *l, struct qn_lower_ref best, uint32_t places,
                             struct qn_error *err) {
    struct scratch s = {.partial = best, .step = qn_lower_whole(l, QN_SPACE_BANK, l->b_step)};
    s.step.bytes = sizeof(struct qn_params_step);
    return finish(l, &s, places, err);
}

static enum qn_status sampler(struct qn_lower *l, const struct scratch *s, enum qn_list list,
                              struct qn_error *err) {
    l->lists[list].begin = l->n_dispatches;
    bool z = list != QN_LIST_GREEDY, draw = list == QN_LIST_DRAW || list == QN_LIST_DRAW_LIMITED;
    if (z)
        QN_TRY(prepare(l, s, err));
    if (list == QN_LIST_DRAW_LIMITED)
        QN_TRY(threshold(l, s, err));
    struct qn_params_vocab params = vocab_params(l, l->vocab);
    struct qn_lower_ref logits = qn_lower_whole(l, QN_SPACE_SHARED, l->b_logits);
    QN_TRY(argmax(l, s, s->step, z ? s->z : logits, &params, draw, err));
    QN_TRY(finish(l, s, params.chunks, err));
    l->lists[list].end = l->n_dispatches;
    return QN_OK;
}

/* Logits of a step's R rows to ids. */
static enum qn_status all_rows(struct qn_lower *l, const struct scratch *s,
                               struct qn_lower_range *out, struct qn_lower_ref step,
                               uint32_t offset, struct qn_error *err) {
    struct qn_params_vocab params = vocab_params(l, l->sample_vocab);
    struct qn_lower_ref ids = {QN_SPACE_SHARED, l->b_all_ids, offset, l->block_stride};
    out->begin = l->n_dispatches;
    QN_TRY(
        argmax(l, s, step, qn_lower_whole(l, QN_SPACE_SHARED, l->b_logits), &params, false, err));
    struct qn_lower_draft draft = {.kernel = QN_KERNEL_ARGMAX_FINAL,
                                   .params = &params,
                                   .bindings = {{0}, step, s->partial, ids},
                                   .rest = {.by_rows = true}};
    QN_TRY(qn_lower_dispatch_add(l, &draft, err));
    out->end = l->n_dispatches;
    return QN_OK;
}

/* Those of row block `i`; played right behind the block's head. */
static enum qn_status block(struct qn_lower *l, const struct scratch *s, uint32_t i,
                            struct qn_error *err) {
    struct qn_lower_ref step = {QN_SPACE_SHARED, l->b_block_steps, i * 256,
                                sizeof(struct qn_params_step)};
    return all_rows(l, s, &l->block_ids[i], step, i * l->block_stride, err);
}

static enum qn_status seen(struct qn_lower *l, struct qn_error *err) {
    struct qn_lower_ref n = qn_lower_whole(l, QN_SPACE_SHARED, l->b_prefix_n);
    n.bytes = 16; // of struct qn_params_seen_mark
    struct qn_lower_draft draft = {.kernel = QN_KERNEL_SEEN_MARK,
                                   .bindings = {n, qn_lower_whole(l, QN_SPACE_SHARED, l->b_prefix),
                                                qn_lower_whole(l, QN_SPACE_BANK, l->b_seen)}};
    l->lists[QN_LIST_SEEN].begin = l->n_dispatches;
    QN_TRY(qn_lower_dispatch_add(l, &draft, err));
    l->lists[QN_LIST_SEEN].end = l->n_dispatches;
    return QN_OK;
}

enum qn_status qn_lower_samplers(struct qn_lower *l, struct qn_error *err) {
    const uint32_t storage = QN_USE_STORAGE | QN_USE_COPY_SRC;
    uint64_t chunks = qn_argmax_chunks(l->sample_vocab);
    uint32_t partial, z, state;
    QN_TRY(qn_lower_buffer_add(l, &partial, QN_SPACE_SHARED, l->block_rows * chunks * 8, storage,
                               "the arg-max of all rows", err));
    QN_TRY(qn_lower_bank_add(l, &z, (uint64_t)l->vocab * 4, QN_STEP_ROWS, storage,
                             "the sampler's scratch", err));
    QN_TRY(qn_lower_buffer_add(l, &state, QN_SPACE_SHARED, QN_STEP_ROWS * 32, storage,
                               "the sampler's scratch", err));
    struct scratch s = {.partial = qn_lower_whole(l, QN_SPACE_SHARED, partial),
                        .z = qn_lower_whole(l, QN_SPACE_BANK, z),
                        .state = qn_lower_whole(l, QN_SPACE_SHARED, state),
                        .step = qn_lower_whole(l, QN_SPACE_BANK, l->b_step),
                        .sampling = qn_lower_whole(l, QN_SPACE_BANK, l->b_sampling)};
    s.step.bytes = sizeof(struct qn_params_step);
    for (int list = QN_LIST_GREEDY; list <= QN_LIST_DRAW_LIMITED; list++)
        QN_TRY(sampler(l, &s, (enum qn_list)list, err));
    if (l->max_rows > 1)
        QN_TRY(all_rows(l, &s, &l->lists[QN_LIST_ARGMAX], s.step, 0, err));
    l->block_ids = QN_ARENA_NEW(l->arena, struct qn_lower_range, l->n_blocks);
    if (l->block_ids == NULL)
        return qn_fail(err, QN_E_NO_MEMORY, "lowering %u blocks of rows", l->n_blocks);
    for (uint32_t i = 0; i < l->n_blocks; i++)
        QN_TRY(block(l, &s, i, err));
    return seen(l, err);
}
