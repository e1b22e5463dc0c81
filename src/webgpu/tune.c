/* How many tiles fill a device: below that matmul_few is the faster one. It is measured, once the
 * self-test has passed and where no earlier start has found it: for half as many tiles as are
 * thought to be needed so far, both kernels run on a matrix of the model, in turns, a few times
 * each; as long as tiles are clearly faster the number is halved again. Weights that are still on
 * their way disturb the clock, not the fastest of several runs. */
#include "base/num.h"
#include "webgpu/gpu_internal.h"

#define RUNS 7u        // the first says how often a run repeats, then few rows and tiles take turns
#define MOST 150000u   // microseconds for all of it
#define LEAST_ROWS 49u // fewer are always few

/* The narrowest matrix that has about `fill` tiles within a step, and its rows; false: none has. */
static bool pick(struct qn_gpu *gpu, uint32_t fill) {
    const struct qn_lower *l = &gpu->lower;
    struct qn_gpu_tuning *t = &gpu->trial.tuning;
    struct qn_lower_range list = l->lists[QN_LIST_BODY_LARGE];
    t->rows = 0;
    for (uint32_t i = list.begin; i < list.end; i++) {
        const struct qn_lower_dispatch *d = &l->dispatches[i];
        bool matrix = d->kernel == QN_KERNEL_MATMUL_MATRIX;
        if (!d->few_lanes || d->kernel == QN_KERNEL_MATMUL_FEW)
            continue;
        const void *params = l->params + d->params;
        uint32_t rows = qn_ceil_div_u32(qn_matmul_filled(matrix, fill),
                                        qn_grid_matmul(params, d->glu, matrix, 1).x);
        if (rows < LEAST_ROWS || rows > l->program->max_tokens || rows <= t->rows)
            continue;
        t->rows = rows;
        t->dispatch = i;
    }
    t->fill = fill;
    t->run = 0;
    t->repeat = 1;
    t->best[0] = t->best[1] = UINT32_MAX;
    return t->rows != 0;
}

static bool pick_next(struct qn_gpu *gpu, uint32_t fill) {
    while (fill >= QN_FILL_LEAST && !pick(gpu, fill))
        fill /= 2;
    return fill >= QN_FILL_LEAST;
}

/* One run: the same product `repeat` times, by tiles in every other one. */
static enum qn_status run(struct qn_gpu *gpu) {
    struct qn_gpu_trial *trial = &gpu->trial;
    struct qn_gpu_tuning *t = &trial->tuning;
    const struct qn_lower *l = &gpu->lower;
    struct qn_tape *tape = &gpu->tape;
    const struct qn_lower_dispatch *d = &l->dispatches[t->dispatch];
    uint32_t step = l->n_buffers[QN_SPACE_SHARED]; // the id of its buffer
    struct qn_params_step now = {.n_tokens = t->rows, .n_rows = 1};
    bool tiles = t->run % 2 == 1;
    struct qn_lower_dispatch way = *d;
    if (tiles)
        way.few_lanes = 0;
    else
        way.kernel = QN_KERNEL_MATMUL_FEW;
    struct qn_grid grid = qn_lower_grid(l, &way, t->rows, 1, t->rows);
    if (t->run == 0) {
        struct qn_kernel kernel;
        qn_kernel_get(&kernel, d->kernel);
        qn_gpu_trial_release(gpu);
        trial->buffers[0] = (struct qn_lower_buffer){sizeof now, QN_USE_UNIFORM | QN_USE_COPY_DST};
        QN_TRY(qn_gpu_buffers_create(gpu, step, trial->buffers, 1, &trial->n_buffers, NULL));
        qn_gpu_put_write(tape, step, 0, sizeof now, &now);
        qn_tape_append(
            tape, (uint32_t[]){QN_TAPE_CREATE_GROUP, 0, (uint32_t)d->kernel, kernel.n_bindings}, 4);
        for (uint32_t i = 0; i < kernel.n_bindings; i++) {
            const struct qn_lower_ref *ref = &d->bindings[i];
            bool own = ref->space != QN_SPACE_SHARED; // only the step is
            qn_tape_append(tape,
                           (uint32_t[]){own ? step : ref->buffer, own ? 0 : ref->offset,
                                        own ? (uint32_t)sizeof now : ref->bytes},
                           3);
        }
        trial->n_groups = 1;
    }
    qn_tape_append(tape,
                   (uint32_t[]){QN_TAPE_BEGIN_PASS, QN_TAPE_SET_PIPELINE,
                                tiles ? d->pipeline : d->few, QN_TAPE_SET_GROUP, 0},
                   5);
    for (uint32_t i = 0; i < t->repeat; i++)
        qn_tape_append(tape, (uint32_t[]){QN_TAPE_DISPATCH, grid.x, grid.y, grid.z}, 4);
    const struct qn_lower_ref *out = &d->bindings[8];
    trial->read = qn_gpu_tag(gpu);
    qn_tape_append(tape,
                   (uint32_t[]){QN_TAPE_END_PASS, QN_TAPE_READ, trial->read, out->buffer,
                                out->offset, 4, QN_TAPE_SUBMIT},
                   7);
    return qn_gpu_play(gpu, NULL);
}

bool qn_gpu_tune_begin(struct qn_gpu *gpu) {
    gpu->trial.tuning = (struct qn_gpu_tuning){0};
    gpu->tuned = false;
    return pick_next(gpu, QN_FILL / 2) && run(gpu) == QN_OK;
}

bool qn_gpu_tune_turn(struct qn_gpu *gpu) {
    struct qn_gpu_tuning *t = &gpu->trial.tuning;
    uint32_t micros = t->micros;
    t->spent += micros;
    if (micros == 0 || t->spent > MOST) // a host that does not tell, or a device too slow for this
        return false;
    if (t->run == 0) // long enough to be told from the way there and back
        t->repeat = micros < 1000 ? 32 : micros < 8000 ? 4 : 1;
    else
        t->best[t->run % 2] = qn_min_u32(t->best[t->run % 2], micros);
    if (++t->run == RUNS) {
        gpu->tuned = true;
        if ((uint64_t)t->best[1] * 105 > (uint64_t)t->best[0] * 100)
            return false;
        gpu->lower.fill = t->fill;
        if (!pick_next(gpu, t->fill / 2))
            return false;
    }
    return run(gpu) == QN_OK;
}
