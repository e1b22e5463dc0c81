/* Which of two ways is faster on this device: contests, held once the self-test has passed, while
 * weights still arrive, where no earlier start knows the outcome. Both ways run in turns, a few
 * times each, on the model's own matrices; weights that are still on their way, or all zeros, make
 * no difference, and what disturbs the clock does not disturb the fastest of several runs. What is
 * not decided in time, or only just, stays as it is.
 *
 * BYTES: decode with products of bytes, or without; the body's heaviest product, of as many layers
 * as no cache holds, and the head. PACKS: the same for the tiles of prompts, by their heaviest
 * product. TILES: the shape of those tiles. FILLS: how many tiles fill the device: half as many as
 * are thought to be needed so far, or matmul_few; as long as tiles win the number is halved again.
 *
 * The challengers of the first three are what the program would be with other caps: lowered on the
 * side, and one pipeline of it compiled. Where one wins, the program is lowered again. */
#include <string.h>

#include "base/num.h"
#include "webgpu/gpu_internal.h"
#include "webgpu/lower_parts.h"

enum { BYTES, PACKS, TILES, FILLS, CONTESTS };

/* What the challengers of the first two lack. */
static const uint32_t LACKING[] = {QN_GPU_PACKED_DOT, QN_GPU_PACKED_TILES};

#define RUNS 7u       // one to warm up and three of each way
#define SHORT_RUNS 5u // where the challenger is not ahead, or time is over
#define LONG 3000u    // microseconds of a run that is told from the way there and back
#define REPEATS 64u   // at most, for that
#define TICK 100u     // of the host's clock, in favour of what there is
#define COARSE_TICK 1000u
#define CLEARLY 1.07f  // times as fast
#define LEAST_ROWS 49u // fewer are always few
#define PROMPT_ROWS 128u
#define HEAVY (2u << 20)      // bytes of a product's weights
#define UNCACHED (128u << 20) // bytes of weights
#define SLOT QN_LOWER_SLOT

/* ---- What is compared ---------------------------------------------------------------------- */

static uint32_t weight_bytes(const struct qn_lower_dispatch *d) {
    return d->bindings[3].bytes + d->bindings[4].bytes;
}

/* One more dispatch of a way, and its group. With `beside`, of the program as it is, it is another
 * program's: its activations take `beside`'s buffers, whatever is in them, and its parameters lie
 * in our own buffer. */
static void put(struct qn_gpu *gpu, uint32_t way, const struct qn_lower *of,
                const struct qn_lower_dispatch *d, uint32_t pipeline,
                const struct qn_lower_dispatch *beside) {
    const struct qn_lower *l = &gpu->lower;
    struct qn_gpu_tuning *t = &gpu->trial.tuning;
    struct qn_kernel kernel;
    uint32_t own = l->n_buffers[QN_SPACE_SHARED], group = t->n[0] + t->n[1],
             slot = (t->n[1] + 1) * SLOT;
    enum qn_kernel_id id = of->pipelines[pipeline].kernel;
    qn_kernel_get(&kernel, id);
    if (beside)
        qn_gpu_put_write(&gpu->tape, own, slot, SLOT, of->params + d->params);
    qn_tape_append(&gpu->tape,
                   (uint32_t[]){QN_TAPE_CREATE_GROUP, group, (uint32_t)id, kernel.n_bindings}, 4);
    for (uint32_t i = 0; i < kernel.n_bindings; i++) {
        const struct qn_lower_ref *ref = &d->bindings[i];
        uint32_t words[3] = {ref->buffer, ref->offset, ref->bytes};
        if (i == 1 || (beside && i == 0)) { // the step, which alone is a bank's, and parameters
            words[0] = own;
            words[1] = i == 0 ? slot : 0;
        } else if (beside && ref->buffer > l->b_vectors) {
            words[0] = beside->bindings[i < 8 ? 2 : 8].buffer;
            words[1] = 0;
            words[2] = l->buffers[QN_SPACE_SHARED][words[0]].bytes;
        }
        qn_tape_append(&gpu->tape, words, 3);
    }
    t->plays[way][t->n[way]++] = (struct qn_gpu_tune_play){
        beside ? l->n_pipelines : pipeline, group, qn_lower_grid(of, d, t->rows, 1, t->rows)};
}

/* What another program has in place of a product of this one's list: the same weights, by another
 * pipeline, over buffers that are large enough; NULL: nothing else. by: the pipelines of both. */
static const struct qn_lower_dispatch *rival_of(uint32_t by[2], const struct qn_gpu *gpu,
                                                const struct qn_lower *next, enum qn_list list,
                                                const struct qn_lower_dispatch *d) {
    const struct qn_lower *l = &gpu->lower;
    uint32_t rows = gpu->trial.tuning.rows;
    const struct qn_lower_buffer *buffers = l->buffers[QN_SPACE_SHARED];
    if (!qn_kernel_is_matrix(d->kernel) || !qn_lower_plays(l, d, rows, 1))
        return NULL;
    for (uint32_t i = next->lists[list].begin; i < next->lists[list].end; i++) {
        const struct qn_lower_dispatch *r = &next->dispatches[i];
        if (!qn_kernel_is_matrix(r->kernel) || !qn_lower_plays(next, r, rows, 1) ||
            r->bindings[3].buffer != d->bindings[3].buffer)
            continue;
        const struct qn_params_matmul *p = (const void *)(next->params + r->params);
        uint64_t x = (uint64_t)rows * qn_max_u32(p->x_stride, p->residual_stride) * 4,
                 y = (uint64_t)rows * p->out_stride * 4;
        by[0] = qn_lower_pipeline_for(l, d, rows, 1);
        by[1] = qn_lower_pipeline_for(next, r, rows, 1);
        const struct qn_lower_pipeline *a = &l->pipelines[by[0]], *b = &next->pipelines[by[1]];
        bool same = a->kernel == b->kernel && memcmp(a->values, b->values, sizeof a->values) == 0;
        return same || x > buffers[d->bindings[2].buffer].bytes ||
                       y > buffers[d->bindings[8].buffer].bytes
                   ? NULL
                   : r;
    }
    return NULL;
}

/* The heaviest of a list's products that another program computes otherwise: by that pipeline, of
 * one row so many that no cache holds them. */
static bool pick_products(struct qn_gpu *gpu, const struct qn_lower *next, enum qn_list list) {
    const struct qn_lower *l = &gpu->lower;
    struct qn_gpu_tuning *t = &gpu->trial.tuning;
    struct qn_lower_range range = l->lists[list];
    uint32_t most = 0, by[2], best[2];
    uint64_t all = 0, taken = 0;
    for (uint32_t i = range.begin; i < range.end; i++) {
        const struct qn_lower_dispatch *d = &l->dispatches[i];
        if (!rival_of(by, gpu, next, list, d))
            continue;
        uint32_t bytes = weight_bytes(d);
        all += bytes;
        if (bytes > most) {
            most = bytes;
            memcpy(best, by, sizeof best);
        }
    }
    if (most == 0 || qn_gpu_put_kernel(gpu, next->pipelines[best[1]].kernel, NULL) != QN_OK)
        return false;
    for (uint32_t i = range.begin;
         i < range.end && t->n[0] + 2 <= QN_TUNE_PLAYS && taken < (t->rows > 1 ? most : UNCACHED);
         i++) {
        const struct qn_lower_dispatch *d = &l->dispatches[i],
                                       *rival = rival_of(by, gpu, next, list, d);
        if (!rival || memcmp(by, best, sizeof best) != 0)
            continue;
        if (i > range.begin && d[-1].kernel == QN_KERNEL_PACK_ROWS && rival->kernel != d->kernel &&
            qn_lower_plays(l, d - 1, t->rows, 1))
            put(gpu, 0, l, d - 1, d[-1].pipeline, NULL);
        put(gpu, 0, l, d, by[0], NULL);
        put(gpu, 1, next, rival, by[1], d);
        taken += weight_bytes(d);
    }
    t->share = (float)all / (float)taken;
    qn_gpu_put_pipeline(gpu, l->n_pipelines, &next->pipelines[best[1]]);
    return true;
}

/* The narrowest matrix that has about `fill` tiles within a step. */
static bool pick_tiles(struct qn_gpu *gpu, uint32_t fill) {
    const struct qn_lower *l = &gpu->lower;
    struct qn_gpu_tuning *t = &gpu->trial.tuning;
    struct qn_lower_range list = l->lists[QN_LIST_BODY_LARGE];
    const struct qn_lower_dispatch *found = NULL;
    t->rows = 0;
    for (uint32_t i = list.begin; i < list.end; i++) {
        const struct qn_lower_dispatch *d = &l->dispatches[i];
        bool matrix = d->kernel == QN_KERNEL_MATMUL_MATRIX;
        if (!d->few_lanes || d->kernel == QN_KERNEL_MATMUL_FEW ||
            d->kernel == QN_KERNEL_PACK_ROWS ||
            (d->kernel == QN_KERNEL_MATMUL_PACKED && d[-1].kernel != QN_KERNEL_PACK_ROWS))
            continue;
        const void *params = l->params + d->params;
        uint32_t rows = qn_ceil_div_u32(qn_matmul_filled(matrix, fill),
                                        qn_grid_matmul(params, d->glu, matrix, 1).x);
        if (rows < LEAST_ROWS || rows > l->program->max_tokens || rows <= t->rows)
            continue;
        t->rows = rows;
        found = d;
    }
    if (!found)
        return false;
    bool packed = found->kernel == QN_KERNEL_MATMUL_PACKED; // behind those for few rows and packing
    struct qn_lower_dispatch few = packed ? found[-2] : *found, tiles = *found;
    few.kernel = QN_KERNEL_MATMUL_FEW;
    tiles.few_lanes = 0;
    put(gpu, 0, l, &few, packed ? few.pipeline : found->few, NULL);
    if (packed)
        put(gpu, 1, l, found - 1, found[-1].pipeline, NULL);
    put(gpu, 1, l, &tiles, found->pipeline, NULL);
    return true;
}

/* ---- Rounds -------------------------------------------------------------------------------- */

/* A round: what it needs, and a fence behind it. False: nothing to compare. */
static bool prepare(struct qn_gpu *gpu) {
    struct qn_gpu_trial *trial = &gpu->trial;
    struct qn_gpu_tuning *t = &trial->tuning;
    const struct qn_lower *l = &gpu->lower;
    struct qn_gpu_caps caps = gpu->host.caps;
    struct qn_lower next;
    struct qn_arena arena;
    qn_gpu_trial_release(gpu);
    t->n[0] = t->n[1] = 0;
    t->run = t->contest != BYTES; // only weights by the hundred megabytes are cold
    if (t->contest < TILES || t->round == 1)
        t->repeat = 1;
    t->best[0] = t->best[1] = UINT32_MAX;
    t->share = 1;
    t->waits = true;
    t->failed = false;
    trial->buffers[0] =
        (struct qn_lower_buffer){(QN_TUNE_PLAYS + 1) * SLOT, QN_USE_UNIFORM | QN_USE_COPY_DST};
    if (qn_gpu_buffers_create(gpu, l->n_buffers[QN_SPACE_SHARED], trial->buffers, 1,
                              &trial->n_buffers, NULL) != QN_OK)
        return false;
    qn_arena_init(&arena, gpu->allocator);
    bool found;
    if (t->contest == FILLS) {
        found = pick_tiles(gpu, QN_FILL >> t->round);
    } else {
        enum qn_list list = QN_LIST_BODY_LARGE;
        t->rows = qn_min_u32(PROMPT_ROWS, l->program->max_tokens);
        if (t->contest == TILES)
            caps.tile = t->round;
        else
            caps.features &= ~LACKING[t->contest];
        if (t->contest == BYTES) {
            list = t->round == 1 ? QN_LIST_BODY_ONE : QN_LIST_HEAD;
            t->rows = 1;
        }
        found = qn_lower_program(&next, &arena, l->program, &caps, NULL) == QN_OK &&
                next.b_vectors == l->b_vectors && pick_products(gpu, &next, list);
    }
    struct qn_params_step step = {.n_tokens = t->rows, .n_rows = 1};
    if (found) {
        qn_gpu_put_write(&gpu->tape, l->n_buffers[QN_SPACE_SHARED], 0, sizeof step, &step);
        trial->n_groups = t->n[0] + t->n[1];
        found = qn_gpu_trial_fence(gpu, NULL) == QN_OK;
        if (!found)
            trial->n_groups = 0;
    }
    qn_arena_free(&arena);
    return found;
}

/* Microseconds of all contests after which one is over. */
static uint32_t limit(const struct qn_gpu_tuning *t) {
    return 180000 + 40000 * t->contest;
}

/* Whether that has been found out, or said. */
static bool is_known(const struct qn_gpu *gpu, uint32_t contest) {
    const struct qn_gpu_caps *caps = &gpu->host.caps;
    return caps->measured >> contest & 1 || (contest == TILES && caps->tile) ||
           (contest == FILLS && caps->fill);
}

/* Whether what this model says of a device holds for others: small ones only tell how long
 * dispatches take. */
static bool is_heavy(const struct qn_lower *l) {
    struct qn_lower_range list = l->lists[QN_LIST_BODY_ONE];
    while (list.begin < list.end && (!qn_kernel_is_matrix(l->dispatches[list.begin].kernel) ||
                                     weight_bytes(&l->dispatches[list.begin]) < HEAVY))
        list.begin++;
    return list.begin < list.end;
}

/* What a contest has found holds from now on. */
static void settle(struct qn_gpu *gpu) {
    struct qn_gpu_tuning *t = &gpu->trial.tuning;
    struct qn_gpu_caps *caps = &gpu->host.caps;
    if (t->played) {
        caps->measured |= 1u << t->contest;
        gpu->tuned = is_heavy(&gpu->lower);
        t->again = t->choice && t->contest != FILLS;
        if (t->contest == FILLS)
            caps->fill = gpu->lower.fill = t->choice ? t->choice : gpu->lower.fill;
        else if (t->contest == TILES)
            caps->tile = t->choice;
        else if (t->choice)
            caps->without |= LACKING[t->contest];
        caps->features &= ~caps->without;
    }
    t->played = false;
    t->choice = t->round = 0;
    t->gain = t->score[0] = t->score[1] = 0;
    t->contest++;
}

/* On to the next round that there is. */
static bool advance(struct qn_gpu *gpu) {
    static const unsigned char rounds[CONTESTS] = {2, 1, 9, 4};
    struct qn_gpu_tuning *t = &gpu->trial.tuning;
    while (t->contest < CONTESTS && !t->again) {
        while (t->round < rounds[t->contest] && t->spent < limit(t) && !is_known(gpu, t->contest)) {
            t->round++;
            if (prepare(gpu))
                return true;
            qn_tape_clear(&gpu->tape);
        }
        settle(gpu);
    }
    return false;
}

/* Which one runs: the program's to warm up, then both in turns. */
static uint32_t way_of(const struct qn_gpu_tuning *t) {
    return t->run != 0 && t->run % 2 == 0;
}

static bool run(struct qn_gpu *gpu) {
    struct qn_gpu_trial *trial = &gpu->trial;
    const struct qn_gpu_tuning *t = &trial->tuning;
    struct qn_tape *tape = &gpu->tape;
    uint32_t way = way_of(t);
    qn_tape_word(tape, QN_TAPE_BEGIN_PASS);
    for (uint32_t i = 0; i < t->repeat * t->n[way]; i++) {
        const struct qn_gpu_tune_play *p = &t->plays[way][i % t->n[way]];
        qn_tape_append(tape,
                       (uint32_t[]){QN_TAPE_SET_PIPELINE, p->pipeline, QN_TAPE_SET_GROUP, p->group,
                                    QN_TAPE_DISPATCH, p->grid.x, p->grid.y, p->grid.z},
                       8);
    }
    trial->read = qn_gpu_tag(gpu);
    qn_tape_append(tape,
                   (uint32_t[]){QN_TAPE_END_PASS, QN_TAPE_READ, trial->read, gpu->lower.b_dummy, 0,
                                4, QN_TAPE_SUBMIT},
                   7);
    return qn_gpu_play(gpu, NULL) == QN_OK;
}

/* A round is over. */
static void judge(struct qn_gpu_tuning *t) {
    for (uint32_t way = 0; way < 2; way++) {
        uint32_t tick = way == 0 ? 0 : t->fine ? TICK : COARSE_TICK;
        float time = (float)(t->best[way] + tick) / (float)t->repeat * t->share;
        t->score[way] = time + (t->contest == BYTES ? t->score[way] : 0);
    }
    float gain = t->score[0] / t->score[1];
    t->played = true;
    if (t->contest < TILES) {
        t->choice = gain > CLEARLY;
    } else if (t->contest == TILES && gain > CLEARLY && gain > t->gain) {
        t->choice = t->round;
        t->gain = gain;
    } else if (t->contest == FILLS) {
        if (gain > CLEARLY)
            t->choice = QN_FILL >> t->round;
        else
            t->round = UINT32_MAX;
    }
}

bool qn_gpu_tune_begin(struct qn_gpu *gpu) {
    return advance(gpu);
}

bool qn_gpu_tune_turn(struct qn_gpu *gpu) {
    struct qn_gpu_tuning *t = &gpu->trial.tuning;
    if (t->failed) {
        t->round = UINT32_MAX;
        t->played &= t->contest != BYTES; // which is not decided by a half
        return advance(gpu);
    }
    if (t->waits) {
        t->waits = false;
        return run(gpu);
    }
    t->spent += t->micros;
    t->fine |= t->micros % COARSE_TICK != 0;
    if (t->micros == 0) { // the host does not tell
        t->contest = CONTESTS;
        return false;
    }
    uint32_t way = way_of(t), least = t->run == 1 ? LONG : LONG / 2;
    bool late = t->spent >= limit(t);
    if (t->run % 2 == 1 && t->micros < least && t->repeat < REPEATS) {
        t->repeat *= 2;
        t->run = 1;
        t->best[0] = t->best[1] = UINT32_MAX;
    } else if (t->run++ != 0) {
        t->best[way] = qn_min_u32(t->best[way], t->micros);
        if (t->run >= (late || t->best[1] > t->best[0] / 16 * 15 ? SHORT_RUNS : RUNS)) {
            judge(t);
            return advance(gpu);
        }
    }
    return late ? advance(gpu) : run(gpu);
}
