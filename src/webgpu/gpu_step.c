/* One step as a tape: what must be written, one pass, the read-backs, one submit. A decode step of
 * one session replays prepared words and writes nothing at all: position and token lie on the
 * device. One of several sessions writes where each of them is. */
#include <string.h>

#include "base/num.h"
#include "program/sample.h"
#include "webgpu/gpu_internal.h"

static struct qn_gpu *of(struct qn_backend *backend) {
    return (struct qn_gpu *)(void *)backend;
}

/* What a tape is being written for. */
struct player {
    struct qn_gpu *gpu;
    struct qn_gpu_bank *bank;
    struct qn_tape *tape;
    enum qn_list sampler;
    uint32_t pipeline; // set last in this pass
    uint32_t end;      // positions in the cache after the step
    enum qn_when when; // what it is: not ALWAYS
    uint32_t dispatches;
};

static void put_list(struct player *p, struct qn_lower_range range, uint32_t t, uint32_t r) {
    const struct qn_lower *l = &p->gpu->lower;
    for (uint32_t i = range.begin; i < range.end; i++) {
        const struct qn_lower_dispatch *d = &l->dispatches[i];
        if ((d->when != QN_WHEN_ALWAYS && d->when != p->when) || !qn_lower_plays(l, d, t, r))
            continue;
        struct qn_grid grid = qn_lower_grid(l, d, t, r, p->end);
        uint32_t pipeline = qn_lower_pipeline_for(l, d, t, r);
        if (pipeline != p->pipeline) {
            p->pipeline = pipeline;
            qn_tape_word(p->tape, QN_TAPE_SET_PIPELINE);
            qn_tape_word(p->tape, pipeline);
        }
        qn_tape_word(p->tape, QN_TAPE_SET_GROUP);
        qn_tape_word(p->tape, qn_gpu_group_id(p->gpu, p->bank, i));
        qn_tape_word(p->tape, QN_TAPE_DISPATCH);
        qn_tape_word(p->tape, grid.x);
        qn_tape_word(p->tape, grid.y);
        qn_tape_word(p->tape, grid.z);
        p->dispatches++;
    }
}

static void put_read(struct qn_tape *tape, uint32_t tag, uint32_t buffer, uint32_t offset,
                     uint32_t bytes) {
    qn_tape_append(tape, (uint32_t[]){QN_TAPE_READ, tag, buffer, offset, bytes}, 5);
}

static uint32_t own(const struct player *p, uint32_t buffer) {
    return qn_gpu_buffer_id(p->gpu, p->bank, QN_SPACE_BANK, buffer);
}

/* The body for T tokens up to position `end`. */
static enum qn_list body_list(const struct qn_gpu *gpu, uint32_t t, uint32_t end, bool exact) {
    if (t > 1 && !exact)
        return QN_LIST_BODY_LARGE;
    return end <= gpu->base.exact_edge ? QN_LIST_BODY_SHORT : QN_LIST_BODY_ONE;
}

/* Logits and what is sampled of them; greedily, if nobody wants logits, in one. */
static void put_head(struct player *p, uint32_t t, uint32_t r, bool logits, bool sampled) {
    const struct qn_lower_range *lists = p->gpu->lower.lists, *one = &lists[QN_LIST_HEAD_GREEDY];
    if (sampled && !logits && p->sampler == QN_LIST_GREEDY && one->end > one->begin) {
        put_list(p, *one, t, r);
        return;
    }
    if (logits || sampled)
        put_list(p, lists[QN_LIST_HEAD], t, r);
    if (sampled)
        put_list(p, lists[p->sampler], t, r);
}

/* ---- Decode, prepared ---------------------------------------------------------------------- */

/* Attention of a decode step. */
static bool is_split(const struct qn_lower_dispatch *d) {
    return d->kernel == QN_KERNEL_ATTENTION_SPLIT && d->when != QN_WHEN_RUN;
}

/* The words of a decode step, once per sampler; then only the READ's tag and the grids of
 * attention change. */
static void prepare_decode(struct player *p) {
    struct qn_gpu_bank *s = p->bank;
    const struct qn_lower *l = &p->gpu->lower;
    struct player decode = *p;
    decode.tape = &s->decode;
    decode.pipeline = UINT32_MAX;
    qn_tape_clear(&s->decode);
    qn_tape_word(&s->decode, QN_TAPE_BEGIN_PASS);
    s->n_patches = 0;
    s->decode_body = body_list(p->gpu, 1, p->end, false);
    struct qn_lower_range body = l->lists[s->decode_body];
    for (uint32_t i = body.begin; i < body.end; i++) {
        put_list(&decode, (struct qn_lower_range){i, i + 1}, 1, 1);
        if (is_split(&l->dispatches[i]))
            s->decode_patches[s->n_patches++] = s->decode.n - 3;
    }
    put_head(&decode, 1, 1, false, true);
    qn_tape_word(&s->decode, QN_TAPE_END_PASS);
    s->decode_read = s->decode.n;
    put_read(&s->decode, 0, own(p, l->b_results), 0, 4);
    qn_tape_word(&s->decode, QN_TAPE_SUBMIT);
    s->decode_dispatches = decode.dispatches;
    s->decode_sampler = s->decode.failed ? QN_LIST_COUNT : p->sampler;
}

static void patch_decode(struct player *p, uint32_t tag) {
    struct qn_gpu_bank *s = p->bank;
    const struct qn_lower *l = &p->gpu->lower;
    struct qn_lower_range body = l->lists[s->decode_body];
    uint32_t patch = 0;
    for (uint32_t i = body.begin; i < body.end && patch < s->n_patches; i++) {
        if (!is_split(&l->dispatches[i]))
            continue;
        struct qn_grid grid = qn_lower_grid(l, &l->dispatches[i], 1, 1, p->end);
        uint32_t *words = s->decode.words + s->decode_patches[patch++];
        words[0] = grid.x;
        words[1] = grid.y;
        words[2] = grid.z;
    }
    s->decode.words[s->decode_read + 1] = tag;
}

/* ---- Any step ------------------------------------------------------------------------------ */

static enum qn_status check(const struct qn_gpu *gpu, const struct qn_backend_session *s,
                            const struct qn_step *step, struct qn_error *err) {
    const struct qn_program *p = gpu->lower.program;
    uint32_t t = step->n ? step->n : 1;
    QN_TRY(qn_gpu_check(gpu, err));
    if (gpu->state != QN_GPU_READY)
        return qn_fail(err, QN_E_STATE, "the backend is not ready");
    if (s->n_pending == QN_GPU_IN_FLIGHT)
        return qn_fail(err, QN_E_STATE, "%u steps are in flight", QN_GPU_IN_FLIGHT);
    if (step->mask != NULL && !qn_mask_any(step->mask, gpu->lower.sample_vocab))
        return qn_fail(err, QN_E_ARGUMENT, "a mask that allows no id");
    if (step->n == 0 && !s->has_token)
        return qn_fail(err, QN_E_STATE, "the step before sampled no token");
    if (t > p->max_tokens)
        return qn_fail(err, QN_E_LIMIT, "%u tokens in a step of at most %u", t, p->max_tokens);
    if ((step->want & QN_WANT_ARGMAX_ALL) && t > p->max_rows)
        return qn_fail(err, QN_E_LIMIT, "%u rows wanted of at most %u", t, p->max_rows);
    if (step->pos > p->context || t > p->context - step->pos)
        return qn_fail(err, QN_E_CONTEXT, "positions %u + %u of %u", step->pos, t, p->context);
    if (step->exact &&
        (t > gpu->base.max_exact || step->sample || step->want != QN_WANT_ARGMAX_ALL ||
         (step->pos < gpu->base.exact_edge && step->pos + t > gpu->base.exact_edge)))
        return qn_fail(err, QN_E_ARGUMENT, "an exact step of %u tokens at %u", t, step->pos);
    if (step->pos > s->end)
        return qn_fail(err, QN_E_ARGUMENT, "position %u leaves a gap after %u", step->pos, s->end);
    for (uint32_t i = 0; i < step->n; i++)
        if (step->ids[i] >= gpu->id_limit)
            return qn_fail(err, QN_E_ARGUMENT, "token id %u of %u", step->ids[i], gpu->id_limit);
    return QN_OK;
}

/* Every row's arg-max: the head and the arg-max over one block of rows after the other. */
static void put_blocks(struct player *p, uint32_t t) {
    const struct qn_lower *l = &p->gpu->lower;
    for (uint32_t i = 0, at = 0; at < t; i++, at += l->block_rows) {
        uint32_t rows = qn_min_u32(l->block_rows, t - at);
        put_list(p, l->blocks[i], t, rows);
        put_list(p, l->block_ids[i], t, rows);
    }
}

static void write_blocks(struct player *p, const struct qn_step *step, uint32_t t) {
    const struct qn_lower *l = &p->gpu->lower;
    unsigned char *slots = p->gpu->block_steps;
    uint32_t n = 0;
    for (uint32_t at = 0; at < t; at += l->block_rows, n++) {
        uint32_t rows = qn_min_u32(l->block_rows, t - at);
        struct qn_params_step block = {.pos = step->pos, .n_tokens = at + rows, .n_rows = rows};
        memcpy(slots + (size_t)n * 256, &block, sizeof block);
    }
    qn_gpu_put_write(p->tape, l->b_block_steps, 0, n * 256, slots);
}

/* What the device's step is to be; it is known from then on, if the tape is played. */
static void put_now(struct player *p, const struct qn_params_step *now) {
    struct qn_gpu_bank *bank = p->bank;
    if (bank->step_known && memcmp(&bank->step, now, sizeof *now) == 0)
        return;
    bank->step = *now;
    qn_gpu_put_write(p->tape, own(p, p->gpu->lower.b_step), 0, sizeof *now, &bank->step);
}

static void put_step(struct player *p, const struct qn_step *step,
                     const struct qn_gpu_pending *results, const struct qn_params_step *now) {
    const struct qn_lower *l = &p->gpu->lower;
    uint32_t t = now->n_tokens;
    put_now(p, now);
    if (step->n)
        qn_gpu_put_write(p->tape, own(p, l->b_ids), QN_SLOTS * 4, t * 4, step->ids);
    if (results->wants_argmax && !step->exact)
        write_blocks(p, step, t);
    qn_tape_word(p->tape, QN_TAPE_BEGIN_PASS);
    put_list(p, l->lists[body_list(p->gpu, t, p->end, step->exact)], t, 1);
    if (step->exact) {
        put_list(p, l->lists[QN_LIST_HEAD_ALL], t, t);
        put_list(p, l->lists[QN_LIST_ARGMAX], t, t);
    } else if (results->wants_argmax) {
        put_blocks(p, t);
    }
    put_head(p, t, 1, results->wants_logits, results->sampled);
    qn_tape_word(p->tape, QN_TAPE_END_PASS);
    if (results->tag_token)
        put_read(p->tape, results->tag_token, own(p, l->b_results), 0, 4);
    if (results->wants_logits)
        put_read(p->tape, results->tag_logits, l->b_logits, 0, l->vocab * 4);
    if (results->wants_argmax)
        put_read(p->tape, results->tag_argmax, l->b_all_ids, 0, qn_gpu_argmax_bytes(l, t));
    qn_tape_word(p->tape, QN_TAPE_SUBMIT);
}

/* The slot behind the pending ones, made ready for what the step wants. */
static enum qn_status results_open(struct qn_gpu *gpu, struct qn_gpu_pending **out,
                                   const struct qn_step *step, uint32_t t, struct qn_error *err) {
    struct qn_backend_session *s = step->session;
    struct qn_gpu_pending *p = &s->pending[(s->first + s->n_pending) % QN_GPU_IN_FLIGHT];
    p->sampled = step->sample;
    p->wants_logits = (step->want & QN_WANT_LOGITS) != 0;
    p->wants_argmax = (step->want & QN_WANT_ARGMAX_ALL) != 0;
    p->tag_token = p->tag_logits = p->tag_argmax = 0;
    p->token = p->row = 0;
    p->rows = 1;
    p->n = t;
    if (p->wants_logits && p->logits == NULL) { // once per slot, and only if ever wanted
        p->logits = qn_mem_alloc(gpu->allocator, (size_t)gpu->lower.vocab * sizeof(float));
        if (p->logits == NULL)
            return qn_fail(err, QN_E_NO_MEMORY, "logits");
    }
    if (p->sampled || (step->want & QN_WANT_DONE)) // any four bytes tell that it is over
        p->tag_token = qn_gpu_tag(gpu);
    if (p->wants_logits)
        p->tag_logits = qn_gpu_tag(gpu);
    if (p->wants_argmax)
        p->tag_argmax = qn_gpu_tag(gpu);
    *out = p;
    return QN_OK;
}

/* What sample_finish leaves in the step buffer. */
static void advance(const struct qn_gpu *gpu, struct qn_params_step *step) {
    step->pos = qn_min_u32(step->pos + step->n_tokens, gpu->lower.program->context - 1);
    step->n_tokens = step->n_rows = 1;
    step->first_id = step->slot;
}

/* The mask of a step, before its pass; returns its sampler. Without penalties the greedy one reads
 * logits as they are, and cannot see a mask. */
static enum qn_list put_mask(struct player *p, const struct qn_step *step) {
    const struct qn_lower *l = &p->gpu->lower;
    struct qn_backend_session *session = step->session;
    uint32_t has_mask = step->mask != NULL, bytes = qn_ceil_div_u32(l->vocab, 32) * 4;
    if (!step->sample)
        return session->sampler;
    if (has_mask)
        qn_gpu_put_write(p->tape, own(p, l->b_mask), session->slot * bytes, bytes, step->mask);
    if (session->sampling.has_mask != has_mask) {
        session->sampling.has_mask = has_mask;
        qn_gpu_put_sampling(p->gpu, session);
    }
    return has_mask && session->sampler == QN_LIST_GREEDY ? QN_LIST_PENALTY : session->sampler;
}

/* Plays what is written for these steps, each of whose sessions waits for a result if `waits`. */
static enum qn_status play(struct player *p, const struct qn_step *const *steps, uint32_t n,
                           bool waits, struct qn_error *err) {
    // Pending before it is played: the host may answer within play().
    for (uint32_t i = 0; i < n; i++)
        steps[i]->session->n_pending += waits;
    enum qn_status status = qn_gpu_play(p->gpu, err);
    p->bank->step_known = status == QN_OK;
    for (uint32_t i = 0; i < n; i++) {
        struct qn_backend_session *session = steps[i]->session;
        if (status != QN_OK) {
            // Part of it may have been done: the device's step and tokens are unknown.
            session->n_pending -= waits && session->n_pending > 0;
            session->has_token = false;
            continue;
        }
        session->has_token = steps[i]->sample;
        session->end = steps[i]->pos + qn_max_u32(steps[i]->n, 1);
    }
    if (status == QN_OK)
        p->gpu->stats.dispatches = p->dispatches;
    return status;
}

static enum qn_status enqueue_one(struct qn_gpu *gpu, const struct qn_step *step,
                                  struct qn_error *err) {
    struct qn_backend_session *session = step->session;
    struct qn_gpu_bank *bank = session->bank;
    uint32_t t = step->n ? step->n : 1;
    struct qn_gpu_pending *results;
    QN_TRY(results_open(gpu, &results, step, t, err));
    struct qn_params_step now = {.pos = step->pos,
                                 .n_tokens = t,
                                 .n_rows = step->exact ? t : 1,
                                 .rope_set = step->rope_set,
                                 .slot = session->slot,
                                 .first_id = step->n ? QN_SLOTS : session->slot,
                                 .pooling = (uint32_t)step->pooling};
    struct player p = {.gpu = gpu,
                       .bank = bank,
                       .tape = &gpu->tape,
                       .pipeline = UINT32_MAX,
                       .end = step->pos + t,
                       .when = t > 1 ? QN_WHEN_RUN : QN_WHEN_ONE};
    p.sampler = put_mask(&p, step);
    bool waits = results->tag_token || results->wants_logits || results->wants_argmax;
    bool decode = step->n == 0 && step->sample && step->want == 0 && bank->step_known &&
                  memcmp(&bank->step, &now, sizeof now) == 0;
    if (decode &&
        (bank->decode_sampler != p.sampler || bank->decode_body != body_list(gpu, 1, p.end, false)))
        prepare_decode(&p);
    if (decode && bank->decode_sampler == p.sampler) {
        patch_decode(&p, results->tag_token);
        qn_tape_append(&gpu->tape, bank->decode.words, bank->decode.n);
        p.dispatches = bank->decode_dispatches;
    } else {
        put_step(&p, step, results, &now);
    }
    QN_TRY(play(&p, &step, 1, waits, err));
    if (step->sample)
        advance(gpu, &bank->step);
    return QN_OK;
}

/* ---- Steps of several sessions ------------------------------------------------------------- */

/* A token each of n sessions of one bank, in one pass: row i of everything is the i-th one's. */
static enum qn_status enqueue_rows(struct qn_gpu *gpu, const struct qn_step *const *steps,
                                   uint32_t n, struct qn_error *err) {
    const struct qn_lower *l = &gpu->lower;
    struct player p = {.gpu = gpu,
                       .bank = steps[0]->session->bank,
                       .tape = &gpu->tape,
                       .sampler = QN_LIST_GREEDY,
                       .pipeline = UINT32_MAX,
                       .when = QN_WHEN_ONE};
    struct qn_params_step now = {.n_tokens = n, .n_rows = n, .batch = 1};
    uint32_t ids[QN_STEP_ROWS] = {0}, tag = qn_gpu_tag(gpu);
    bool given = false;
    for (uint32_t i = 0; i < n; i++) {
        const struct qn_step *step = steps[i];
        struct qn_gpu_pending *results;
        uint32_t slot = step->session->slot, id = step->n ? QN_SLOTS + i : slot;
        QN_TRY(results_open(gpu, &results, step, 1, err));
        results->tag_token = tag;
        results->row = i;
        results->rows = n;
        memcpy(now.rows[i], (uint32_t[]){step->pos, slot, step->rope_set, id}, sizeof now.rows[i]);
        if (step->n)
            ids[i] = step->ids[0];
        given |= step->n != 0;
        p.end = qn_max_u32(p.end, step->pos + 1);
        enum qn_list sampler = put_mask(&p, step);
        p.sampler = sampler > p.sampler ? sampler : p.sampler; // what a row does not need it skips
    }
    put_now(&p, &now);
    if (given)
        qn_gpu_put_write(p.tape, own(&p, l->b_ids), QN_SLOTS * 4, n * 4, ids);
    qn_tape_word(p.tape, QN_TAPE_BEGIN_PASS);
    put_list(&p, l->lists[body_list(gpu, 1, p.end, false)], n, n);
    put_head(&p, n, n, false, true);
    qn_tape_word(p.tape, QN_TAPE_END_PASS);
    put_read(p.tape, tag, own(&p, l->b_results), 0, n * 4);
    qn_tape_word(p.tape, QN_TAPE_SUBMIT);
    return play(&p, steps, n, true, err);
}

/* Whether two steps can be rows of one: the same buffers, and the same kernels as each alone. */
static bool together(const struct qn_gpu *gpu, const struct qn_step *a, const struct qn_step *b) {
    return a->session->bank == b->session->bank &&
           body_list(gpu, 1, a->pos + 1, false) == body_list(gpu, 1, b->pos + 1, false);
}

static enum qn_status check_several(const struct qn_gpu *gpu, const struct qn_step *steps,
                                    uint32_t n, struct qn_error *err) {
    if (n > gpu->base.max_batch)
        return qn_fail(err, QN_E_LIMIT, "%u steps at once, of at most %u", n, gpu->base.max_batch);
    for (uint32_t i = 0; i < n; i++) {
        bool twice = false;
        for (uint32_t j = 0; j < i; j++)
            twice |= steps[j].session == steps[i].session;
        if (twice || steps[i].n > 1 || !steps[i].sample || steps[i].want != 0)
            return qn_fail(err, QN_E_ARGUMENT, "a step that shares with none, among %u", n);
    }
    return QN_OK;
}

enum qn_status qn_gpu_session_enqueue(struct qn_backend *backend, const struct qn_step *steps,
                                      uint32_t n_steps, struct qn_error *err) {
    struct qn_gpu *gpu = of(backend);
    if (n_steps > 1)
        QN_TRY(check_several(gpu, steps, n_steps, err));
    for (uint32_t i = 0; i < n_steps; i++) {
        QN_TRY(check(gpu, steps[i].session, &steps[i], err));
        QN_TRY(qn_gpu_bank_groups(gpu, steps[i].session->bank, err));
    }
    for (uint32_t i = 0; i < n_steps; i++) {
        const struct qn_step *rows[QN_STEP_ROWS];
        uint32_t n = 0;
        bool first = true; // else a step before has taken it along
        for (uint32_t j = 0; j < i && n_steps > 1; j++)
            first &= !together(gpu, &steps[j], &steps[i]);
        for (uint32_t j = i; first && j < n_steps && n < QN_STEP_ROWS; j++)
            if (j == i || together(gpu, &steps[i], &steps[j]))
                rows[n++] = &steps[j];
        if (n > 1)
            QN_TRY(enqueue_rows(gpu, rows, n, err));
        else if (n == 1)
            QN_TRY(enqueue_one(gpu, rows[0], err));
    }
    return QN_OK;
}
