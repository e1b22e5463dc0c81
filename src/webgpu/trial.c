/* The self-test of a start: every pipeline of a matrix kernel runs once on small made-up data, and
 * its results are compared with a plain product in C; one that takes several rows at once has to
 * give the same bits as that for one, else steps of several rows are left out. A kernel that is
 * wrong, or that the device does not compile, takes the feature that it needs with it; then the
 * program is lowered anew without that and tested again, down to what every device has. Where even
 * that is wrong the backend fails: better no answer than a wrong one.
 *
 * It happens between the host's events, while weights arrive: a fence says that the pipelines are
 * there, a read-back brings the results, a fence ends the run. */
#include <math.h>
#include <string.h>

#include "base/maths.h"
#include "base/num.h"
#include "webgpu/gpu_internal.h"
#include "webgpu/packed.h"

#define ROWS 40u            // of a weight: two workgroups of most matvecs
#define COLS 1024u          // of matvecs
#define FEW_COLS 256u       // of the others; whole blocks of every format
#define TILE_ROWS 70u       // of x: two tiles of 64
#define FEW_ROWS 9u         // of x, for matmul_few: more than a workgroup's
#define VECTORS 3u          // rows of x for matvecs
#define POS 70u             // of a token whose attention is joined: two splits
#define NORM_AT 64u         // of a second norm, elements behind the first
#define TOLERANCE 2e-3f     // of the largest result
#define TOLERANCE_F16 2e-2f // where factors are rounded to float16 on the way
#define OPTIONAL \
    (QN_GPU_F16 | QN_GPU_SUBGROUPS | QN_GPU_PACKED_DOT | QN_GPU_SUBGROUP_MATRIX | QN_GPU_ROWS)

enum { PARAMS, STEP, X, VALUES, SCALES, BIAS, RESIDUAL, NORM, OUT, BINDINGS };

/* A pipeline's case. Operands lie in the input buffer, results in the output buffer. */
struct part {
    const struct qn_lower_pipeline *pipeline;
    struct qn_params_matmul params;
    struct qn_params_step step;
    struct qn_grid grid;
    struct qn_wformat format;
    uint32_t at[BINDINGS], n[BINDINGS]; // offsets and bytes
    uint32_t floats;                    // offset of x, and of what it is packed from
    uint32_t rows, dim;                 // of x; HEAD_DIM
    uint32_t base;              // pipeline for one row; its own number, if it is none for more
    bool post, packed, packs;   // packed: x; packs: results, of which there are fewer
    uint32_t places, per_place; // of ARGMAX: workgroups and the rows of each, else 0
};

/* Where the next part begins. */
struct ends {
    uint32_t input, output;
};

static float constant(const struct qn_lower_pipeline *p, const char *name) {
    for (uint32_t i = 0; i < p->n; i++)
        if (strcmp(p->names[i], name) == 0)
            return p->values[i];
    return 0;
}

/* The features that a kernel was chosen for. */
static uint32_t features_of(enum qn_kernel_id id, uint32_t features) {
    static const uint32_t variants[QN_VARIANT_COUNT] = {0, QN_GPU_SUBGROUPS, QN_GPU_F16};
    if (id == QN_KERNEL_MATVEC_DOT || id == QN_KERNEL_MATVEC_PACKED || id == QN_KERNEL_PACK_ROWS)
        return QN_GPU_PACKED_DOT;
    if (id == QN_KERNEL_MATMUL_PACKED)
        return QN_GPU_PACKED_TILES;
    if (id == QN_KERNEL_MATMUL_MATRIX)
        return QN_GPU_SUBGROUP_MATRIX;
    struct qn_kernel kernel;
    qn_kernel_get(&kernel, id);
    return variants[qn_kernel_variant(&kernel, features)];
}

static void take(struct part *part, uint32_t binding, uint32_t *end, size_t bytes) {
    part->at[binding] = *end;
    part->n[binding] = (uint32_t)bytes;
    *end += ((uint32_t)bytes + 255) & ~255u;
}

/* What a pipeline's first constants, WTYPE, STYPE and ZERO, say. */
static struct qn_wformat format_of(const float *constants) {
    static const enum qn_dtype scales[4] = {QN_DTYPE_F16, QN_DTYPE_BF16, QN_DTYPE_F32};
    uint32_t stype = (uint32_t)constants[1];
    struct qn_wformat f = {.type = (enum qn_wtype)(uint32_t)constants[0]};
    if (f.type < QN_W_Q8)
        return f;
    f.scale = scales[stype & 3];
    f.zero = (uint32_t)constants[2];
    f.group = QN_GROUP / 2 << (stype / QN_STYPE_GROUP & 3);
    f.minimum = stype & QN_STYPE_PAIRS;
    f.zeros = stype & QN_STYPE_ZEROS;
    f.super = stype & QN_STYPE_SUPER;
    f.levels = stype & QN_STYPE_LEVELS;
    f.high = stype / QN_STYPE_HIGH & 3;
    return f;
}

/* Whether a dispatch has that pipeline; *wide: as one for several rows, or NULL. */
static bool made_for(const struct qn_lower_wide **wide, const struct qn_lower_dispatch *d,
                     uint32_t index) {
    *wide = NULL;
    for (uint32_t i = 0; i < QN_MATVEC_WIDE; i++)
        if (d->wide[i].tune.rows != 0 && d->wide[i].pipeline == index)
            *wide = &d->wide[i];
    return *wide || d->pipeline == index || (d->few_lanes && d->few == index);
}

/* The case of pipeline `index`; false: there is none. */
static bool part_of(struct part *out, struct ends *end, const struct qn_lower *l, uint32_t index) {
    struct part part = {.pipeline = &l->pipelines[index]};
    enum qn_kernel_id kernel = part.pipeline->kernel;
    const struct qn_lower_dispatch *d = l->dispatches;
    if (!qn_kernel_is_matrix(kernel))
        return false;
    const struct qn_lower_wide *wide;
    while (!made_for(&wide, d, index))
        d++; // one of them
    bool tiles = kernel >= QN_KERNEL_MATMUL_PACKED && kernel <= QN_KERNEL_MATMUL_TILES,
         few = kernel == QN_KERNEL_MATMUL_FEW;
    uint32_t dim = (uint32_t)constant(part.pipeline, "HEAD_DIM");
    uint32_t cols = tiles || few ? FEW_COLS : COLS;
    uint32_t rows = tiles ? TILE_ROWS : few ? FEW_ROWS : VECTORS;
    if (dim) {
        for (cols = dim, rows = 1; cols % FEW_COLS != 0;)
            cols += dim;
    }
    memcpy(&part.params, l->params + d->params, sizeof part.params);
    struct qn_params_matmul *p = &part.params;
    if (kernel == QN_KERNEL_MATVEC_DOT) // its spans are made for no more
        cols = qn_min_u32(cols, p->cols);
    p->cols = p->x_stride = cols;
    part.packed = kernel == QN_KERNEL_MATVEC_PACKED || kernel == QN_KERNEL_MATMUL_PACKED;
    part.packs = constant(part.pipeline, "PACK") != 0;
    p->n_rows = p->out_stride = p->residual_stride = part.packs ? QN_GROUP : ROWS;
    if (part.packed)
        p->x_stride = qn_ceil_div_u32(cols, QN_GROUP) * QN_PACKED_BYTES / 4;
    p->row_begin = p->tail = p->x_column = p->residual_column = 0;
    p->rows_sym = QN_ROWS_T;
    p->up_row = d->glu ? ROWS : 0;
    if (constant(part.pipeline, "POST") != 0) {
        p->residual_stride = cols;
        p->norm_at = NORM_AT;
        p->kept = 0;
        part.post = true;
    }
    p->splits = 2;
    p->window = 0;
    part.step = (struct qn_params_step){.pos = POS, .n_tokens = rows, .n_rows = rows};
    struct qn_lower view = *l;
    struct qn_lower_dispatch shaped = *d;
    view.params = (unsigned char *)p;
    shaped.kernel = kernel;
    shaped.params = 0;
    shaped.tune = wide ? wide->tune : d->tune;
    memset(shaped.wide, 0, sizeof shaped.wide);
    if (tiles)
        shaped.few_lanes = 0; // though there are few
    part.rows = rows;
    part.base = wide ? d->pipeline : index;
    part.dim = dim;
    if (constant(part.pipeline, "ARGMAX") != 0) {
        p->out_stride = part.places = qn_grid_matvec_places(p, shaped.tune);
        p->kept = 0;
        part.per_place = qn_grid_matvec_rows(shaped.tune);
    }
    part.grid = qn_lower_grid(&view, &shaped, rows, rows, POS);
    part.format = format_of(part.pipeline->values);
    size_t all = ROWS + p->up_row, bytes = ((size_t)rows + 2) * cols * 4 + 1024;
    take(&part, PARAMS, &end->input, sizeof part.params);
    take(&part, STEP, &end->input, sizeof part.step);
    take(&part, VALUES, &end->input, all * qn_wformat_row(&part.format, cols, QN_PLANE_VALUES));
    size_t scales = all * qn_wformat_row(&part.format, cols, QN_PLANE_SCALES);
    take(&part, SCALES, &end->input, scales ? scales : 16);
    take(&part, X, &end->input, bytes);
    uint32_t from = part.at[X];
    if (part.packed) // packed from there
        take(&part, X, &end->input, (size_t)rows * p->x_stride * 4);
    part.floats = from;
    for (uint32_t i = BIAS; i <= NORM; i++) { // other numbers out of the same
        part.at[i] = from + 256 * (i - BIAS + 1);
        part.n[i] = (uint32_t)bytes - 256 * (i - BIAS + 1);
    }
    take(&part, OUT, &end->output, rows * (part.places ? 2 * part.places : ROWS) * sizeof(float));
    *out = part;
    return true;
}

/* n bytes of random words, those at multiples of `every` made into numbers of a type: either sign,
 * one binade from `exponent` on. */
static void fill(unsigned char *to, size_t n, uint32_t seed, size_t every, enum qn_dtype type,
                 uint32_t exponent) {
    uint32_t word = seed * 2654435761u + 1;
    for (size_t i = 0; i < n; i += 4) {
        word ^= word << 13;
        word ^= word >> 17;
        word ^= word << 5;
        uint32_t made = word;
        if (every && i % every == 0)
            made = type == QN_DTYPE_F32    ? (word & 0x807fffff) | (exponent + 127) << 23
                   : type == QN_DTYPE_BF16 ? (word & 0x807f807f) | (exponent + 127) * 0x800080u
                                           : (word & 0x83ff83ff) | (exponent + 15) * 0x4000400u;
        memcpy(to + i, &made, qn_min_size(4, n - i));
    }
}

static float squares(const float *x, uint32_t n) {
    double sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += (double)x[i] * x[i];
    return (float)sum;
}

/* A part's operands. Weights are small, so that activations get their interesting arguments. */
static void part_fill(unsigned char *input, const struct part *part, uint32_t seed) {
    static const enum qn_dtype types[] = {QN_DTYPE_F32, QN_DTYPE_F16, QN_DTYPE_BF16};
    const struct qn_wformat *f = &part->format;
    bool quantised = f->type >= QN_W_Q8;
    unsigned char *x = input + part->floats, *scales = input + part->at[SCALES];
    size_t n = part->n[NORM] + 256 * (NORM - BIAS + 1);
    memcpy(input + part->at[PARAMS], &part->params, sizeof part->params);
    memcpy(input + part->at[STEP], &part->step, sizeof part->step);
    fill(input + part->at[VALUES], part->n[VALUES], seed, quantised ? 0 : 4,
         quantised ? QN_DTYPE_NONE : types[f->type], (uint32_t)-6);
    if (quantised) // blocks begin with their factors
        fill(scales, part->n[SCALES], seed + 1, f->super || f->high ? qn_wformat_block(f).bytes : 4,
             f->super ? QN_DTYPE_F16 : f->scale, (uint32_t)-6);
    fill(x, n, seed + 2, 4, QN_DTYPE_F32, (uint32_t)-1);
    for (size_t i = 3; part->dim && i < n; i += 4) // some are masses of a softmax
        x[i] &= 0x7f;
    for (uint32_t z = 0; part->packed && z < part->rows; z++) {
        uint32_t cols = part->params.cols, groups = cols / QN_GROUP;
        const float *row = (const float *)(const void *)x + z * cols;
        for (uint32_t g = 0; g < groups; g++)
            qn_packed_put(input + part->at[X] + z * groups * QN_PACKED_BYTES, groups, g,
                          row + g * QN_GROUP, squares(row, cols));
    }
}

/* ---- What should come out ------------------------------------------------------------------ */

static double logistic(double v) {
    return 1 / (1 + qn_exp(-v));
}

/* The kernels' activations; both GELUs differ by less than the tolerance. */
static double activated(enum qn_act act, double v) {
    if (act == QN_ACT_RELU)
        return v > 0 ? v : 0;
    return v * logistic(act == QN_ACT_SILU ? v : 1.5957691216057308 * (v + 0.044715 * v * v * v));
}

/* Column k of what attention_split left of a head: two splits of (o, top, mass). */
static float joined(const struct part *part, const float *x, uint32_t k) {
    uint32_t dim = part->dim, head = k / dim;
    const float *o = x + head * dim + k, *pairs = x + 2 * part->params.cols + head * 4;
    double first = qn_exp((double)pairs[0] - pairs[2]);
    return (float)((o[0] * first + o[dim]) / (pairs[1] * first + pairs[3]));
}

static double product(const struct part *part, const unsigned char *input, const float *x,
                      uint32_t row) {
    uint32_t cols = part->params.cols;
    float w[QN_GROUP];
    double sum = 0;
    for (uint32_t k = 0; k < cols; k++) {
        if (k % QN_GROUP == 0)
            qn_wformat_decode(
                w, &part->format, k, QN_GROUP,
                input + part->at[VALUES] + row * qn_wformat_row(&part->format, cols, 0),
                input + part->at[SCALES] + row * qn_wformat_row(&part->format, cols, 1));
        sum += (double)w[k % QN_GROUP] * x[k];
    }
    return sum;
}

/* Of a norm. */
static double scale_of(const float *x, uint32_t n, float eps) {
    return 1 / sqrt((double)squares(x, n) / n + eps);
}

/* out [rows, ROWS], as params.def and kernels.h say. */
static void expect(float *out, const struct part *part, const unsigned char *input) {
    const struct qn_params_matmul *p = &part->params;
    const float *floats[BINDINGS];
    float own[QN_MATVEC_DOT_MADE];
    for (uint32_t i = 0; i < BINDINGS; i++)
        floats[i] = (const float *)(const void *)(input + part->at[i]);
    bool bias = constant(part->pipeline, "BIAS") != 0, norm = constant(part->pipeline, "NORM") != 0;
    for (uint32_t z = 0; z < part->rows; z++) {
        const float *x = (const float *)(const void *)(input + part->floats) + z * p->cols;
        double scale = part->post ? scale_of(x, p->cols, p->post_eps) : 1;
        for (uint32_t k = 0; k < p->cols; k++)
            own[k] = part->dim    ? joined(part, x, k)
                     : part->post ? (float)(x[k] * scale * floats[NORM][k]) +
                                        floats[RESIDUAL][z * p->cols + k]
                                  : x[k];
        scale = norm ? scale_of(own, p->cols, p->eps) : 1;
        for (uint32_t k = 0; norm && !part->packed && k < p->cols; k++)
            own[k] *= floats[NORM][p->norm_at + k];
        for (uint32_t n = 0; n < ROWS; n++) {
            double v = product(part, input, own, n) * scale + (bias ? floats[BIAS][n] : 0);
            if (p->up_row) {
                double up = product(part, input, own, n + ROWS) * scale;
                v = activated((enum qn_act)(uint32_t)constant(part->pipeline, "ACT"), v) *
                    (up + (bias ? floats[BIAS][n + ROWS] : 0));
            }
            if (p->softcap != 0)
                v = p->softcap * (2 * logistic(2 * v / p->softcap) - 1);
            if (constant(part->pipeline, "RESIDUAL") != 0)
                v += floats[RESIDUAL][z * p->residual_stride + n];
            out[z * ROWS + n] = (float)v;
        }
    }
}

/* Packed results as plain ones [rows, ROWS]; those past them as wanted. */
static void unpacked(float *out, const struct part *part, const float *want, const float *got) {
    for (uint32_t z = 0; z < part->rows; z++, out += ROWS, want += ROWS, got += QN_GROUP) {
        memcpy(out, want, ROWS * sizeof *out);
        qn_packed_get(out, got, 1, 0);
    }
}

/* How far results are from their twin's, of the largest; infinite where one is no number. */
static float difference(const float *want, const float *got, uint32_t n) {
    float most = 0, largest = 1e-30f;
    for (uint32_t i = 0; i < n; i++) {
        float d = fabsf(want[i] - got[i]), size = fabsf(want[i]);
        largest = size > largest ? size : largest;
        most = d <= most ? most : d < INFINITY ? d : INFINITY;
    }
    return most / largest;
}

static float larger(float a, float b) {
    return a > b ? a : b;
}

/* The same of results that are each workgroup's largest, as the bits of its key, and its row. */
static float best_difference(const struct part *part, const float *want, const uint32_t *got) {
    float most = 0, largest = 1e-30f;
    for (uint32_t i = 0; i < part->rows * ROWS; i++)
        largest = larger(largest, fabsf(want[i]));
    for (uint32_t z = 0; z < part->rows; z++, want += ROWS) {
        for (uint32_t place = 0; place < part->places; place++, got += 2) {
            uint32_t first = place * part->per_place,
                     end = qn_min_u32(first + part->per_place, ROWS);
            float best = -INFINITY, own = qn_bits_f32(got[0] >> 31 ? got[0] ^ 1u << 31 : ~got[0]);
            for (uint32_t n = first; n < end; n++)
                best = larger(best, want[n]);
            if (got[1] < first || got[1] >= end || !(fabsf(own) < INFINITY))
                return INFINITY;
            most = larger(most, larger(best - want[got[1]], fabsf(own - want[got[1]])));
        }
    }
    return most / largest;
}

enum qn_status qn_gpu_trial_fence(struct qn_gpu *gpu, struct qn_error *err) {
    gpu->trial.fence = qn_gpu_tag(gpu);
    qn_tape_word(&gpu->tape, QN_TAPE_FENCE);
    qn_tape_word(&gpu->tape, gpu->trial.fence);
    return qn_gpu_play(gpu, err);
}

/* ---- Verdicts ------------------------------------------------------------------------------ */

/* Kernel `id`, or any (QN_KERNEL_COUNT), failed; `wrong`: features that it costs. */
static void condemn(struct qn_gpu *gpu, enum qn_kernel_id id, uint32_t wrong, struct qn_str why) {
    struct qn_gpu_trial *trial = &gpu->trial;
    struct qn_kernel kernel = {.name = "?"};
    if (id != QN_KERNEL_COUNT)
        qn_kernel_get(&kernel, id);
    trial->wrong |= wrong;
    if (!trial->failed && !trial->note.status) // the first is the one that explains
        qn_fail(&trial->note, QN_E_GPU, "self-test of %s: %.*s", kernel.name, QN_STR_ARG(why));
    trial->failed = true;
}

bool qn_gpu_trial_forgives(struct qn_gpu *gpu, const struct qn_gpu_event *event) {
    struct qn_str text = {event->bytes, event->bytes ? event->n : 0}, name = text;
    bool measures = gpu->trial.state == QN_TRIAL_MEASURES;
    if (gpu->trial.state == QN_TRIAL_OVER || event->status != QN_E_GPU || event->tag != 0 ||
        !(measures || gpu->host.caps.features & OPTIONAL))
        return false;
    const char *colon = text.n ? memchr(text.p, ':', text.n) : NULL;
    name.n = colon ? (size_t)(colon - text.p) : 0;
    enum qn_kernel_id id = qn_kernel_find(name);
    uint32_t wrong = gpu->host.caps.features & OPTIONAL;
    if (id != QN_KERNEL_COUNT)
        wrong = features_of(id, wrong) | (id <= QN_KERNEL_MATVEC_PACKED ? wrong & QN_GPU_ROWS : 0);
    if (measures) // with what the program does without
        gpu->trial.tuning.failed = true;
    else if (wrong == 0)
        return false;
    else
        condemn(gpu, id, wrong, text);
    struct qn_error err = {0};
    // The fence may have been on a tape that was not played.
    if (!gpu->playing && qn_gpu_trial_fence(gpu, &err) != QN_OK)
        qn_gpu_set_failed(gpu, QN_GPU_FAILED, err.status, qn_str_from(err.text));
    return true;
}

/* The case of a pipeline, with its place. */
static bool part_at(struct part *out, const struct qn_lower *l, uint32_t index) {
    struct ends end = {0};
    bool is = false;
    for (uint32_t i = 0; i <= index; i++)
        is = part_of(out, &end, l, i);
    return is;
}

void qn_gpu_trial_read(struct qn_gpu *gpu, const void *bytes, size_t n) {
    struct qn_gpu_trial *trial = &gpu->trial;
    struct ends end = {0};
    struct part part, one;
    float want[TILE_ROWS * ROWS], got[TILE_ROWS * ROWS], plain[VECTORS * ROWS];
    trial->answered = true;
    for (uint32_t i = 0; i < gpu->lower.n_pipelines; i++) {
        if (!part_of(&part, &end, &gpu->lower, i))
            continue;
        enum qn_kernel_id id = part.pipeline->kernel;
        if (part.at[OUT] + part.n[OUT] > n)
            return; // no answer to this
        memcpy(got, (const unsigned char *)bytes + part.at[OUT], part.n[OUT]);
        expect(want, &part, trial->input);
        bool f16 = features_of(id, gpu->host.caps.features) & (QN_GPU_F16 | QN_GPU_SUBGROUP_MATRIX);
        if (part.packs)
            unpacked(plain, &part, want, got);
        float off = part.places ? best_difference(&part, want, (const uint32_t *)(void *)got)
                                : difference(want, part.packs ? plain : got, part.rows * ROWS);
        if (off > (f16 ? TOLERANCE_F16 : TOLERANCE))
            condemn(gpu, id,
                    part.base == i ? features_of(id, gpu->host.caps.features) : QN_GPU_ROWS,
                    QN_STR("wrong results"));
        else if (part.base != i && part_at(&one, &gpu->lower, part.base) &&
                 memcmp(&one.params, &part.params, sizeof one.params) == 0 &&
                 memcmp(got, (const unsigned char *)bytes + one.at[OUT], part.n[OUT]) != 0)
            condemn(gpu, id, QN_GPU_ROWS, QN_STR("rows that are not as alone"));
    }
}

/* ---- Running ------------------------------------------------------------------------------- */

void qn_gpu_trial_release(struct qn_gpu *gpu) {
    struct qn_gpu_trial *trial = &gpu->trial;
    qn_gpu_release(gpu, QN_TAPE_DESTROY_GROUP, 0, trial->n_groups);
    qn_gpu_buffers_destroy(gpu, gpu->lower.n_buffers[QN_SPACE_SHARED], trial->buffers,
                           trial->n_buffers);
    qn_mem_free(gpu->allocator, trial->input, trial->n);
    trial->input = NULL;
    trial->n = trial->n_groups = trial->n_buffers = 0;
}

static void put_part(struct qn_tape *tape, const struct part *part, uint32_t group,
                     uint32_t buffer) {
    qn_tape_append(tape,
                   (uint32_t[]){QN_TAPE_CREATE_GROUP, group, part->pipeline->kernel, BINDINGS}, 4);
    for (uint32_t k = 0; k < BINDINGS; k++)
        qn_tape_append(tape,
                       (uint32_t[]){buffer + (k == OUT), part->at[k], (part->n[k] + 15) & ~15u}, 3);
}

/* Plays all cases at once. */
static enum qn_status run(struct qn_gpu *gpu, struct qn_error *err) {
    struct qn_gpu_trial *trial = &gpu->trial;
    const struct qn_lower *l = &gpu->lower;
    struct qn_tape *tape = &gpu->tape;
    uint32_t buffer = l->n_buffers[QN_SPACE_SHARED]; // no session has taken the ids behind it
    struct ends end = {0};
    struct part part;
    trial->state = QN_TRIAL_RUNS;
    trial->answered = false;
    for (uint32_t i = 0; i < l->n_pipelines; i++)
        trial->n_groups += part_of(&part, &end, l, i); // none exists yet
    uint32_t n = trial->n_groups;
    trial->n_groups = 0;
    trial->n_tested = n;
    trial->n = end.input + 256; // sizes of bindings are rounded up
    trial->input = qn_mem_alloc(gpu->allocator, trial->n);
    if (trial->input == NULL)
        return qn_fail(err, QN_E_NO_MEMORY, "the self-test");
    memset(trial->input, 0, trial->n);
    trial->buffers[0] = (struct qn_lower_buffer){(uint32_t)trial->n,
                                                 QN_USE_UNIFORM | QN_USE_STORAGE | QN_USE_COPY_DST};
    trial->buffers[1] =
        (struct qn_lower_buffer){end.output + 256, QN_USE_STORAGE | QN_USE_COPY_SRC};
    QN_TRY(qn_gpu_buffers_create(gpu, buffer, trial->buffers, 2, &trial->n_buffers, err));
    end = (struct ends){0};
    for (uint32_t i = 0; i < l->n_pipelines; i++)
        if (part_of(&part, &end, l, i))
            part_fill(trial->input, &part, part.base * 3);
    qn_gpu_put_write(tape, buffer, 0, (uint32_t)trial->n, trial->input);
    for (uint32_t i = 0, group = (end = (struct ends){0}, 0); i < l->n_pipelines; i++)
        if (part_of(&part, &end, l, i))
            put_part(tape, &part, group++, buffer);
    trial->n_groups = n;
    qn_tape_word(tape, QN_TAPE_BEGIN_PASS);
    for (uint32_t i = 0, group = (end = (struct ends){0}, 0); i < l->n_pipelines; i++)
        if (part_of(&part, &end, l, i))
            qn_tape_append(tape,
                           (uint32_t[]){QN_TAPE_SET_PIPELINE, i, QN_TAPE_SET_GROUP, group++,
                                        QN_TAPE_DISPATCH, part.grid.x, part.grid.y, part.grid.z},
                           8);
    trial->read = qn_gpu_tag(gpu);
    qn_tape_append(tape,
                   (uint32_t[]){QN_TAPE_END_PASS, QN_TAPE_READ, trial->read, buffer + 1, 0,
                                end.output ? end.output : 4, QN_TAPE_SUBMIT},
                   7);
    return qn_gpu_trial_fence(gpu, err);
}

enum qn_status qn_gpu_trial_begin(struct qn_gpu *gpu, struct qn_error *err) {
    gpu->trial.state = QN_TRIAL_COMPILES;
    return qn_gpu_trial_fence(gpu, err);
}

/* The weights are where they were: buffers do not depend on features. */
static enum qn_status again(struct qn_gpu *gpu, struct qn_error *err) {
    QN_TRY(qn_gpu_lower_again(gpu, err));
    return qn_gpu_trial_begin(gpu, err);
}

/* Without what is wrong. */
static enum qn_status retry(struct qn_gpu *gpu, struct qn_error *err) {
    struct qn_gpu_trial *trial = &gpu->trial;
    uint32_t wrong = trial->wrong & gpu->host.caps.features;
    if (wrong == 0) {
        if (err)
            *err = trial->note;
        return QN_E_GPU;
    }
    gpu->host.caps.features &= ~wrong;
    trial->wrong = 0;
    trial->failed = false;
    return again(gpu, err);
}

void qn_gpu_trial_turn(struct qn_gpu *gpu) {
    struct qn_gpu_trial *trial = &gpu->trial;
    struct qn_error err = {0};
    enum qn_status status = QN_OK;
    if (trial->state == QN_TRIAL_COMPILES && !trial->failed) {
        status = run(gpu, &err);
        if (status == QN_OK)
            return;
        if (status == QN_E_GPU)
            condemn(gpu, QN_KERNEL_COUNT, OPTIONAL, qn_str_from(err.text));
    } else if (trial->state == QN_TRIAL_MEASURES && !trial->failed) {
        if (qn_gpu_tune_turn(gpu))
            return;
    } else if (trial->state == QN_TRIAL_RUNS && !trial->answered && !trial->failed) {
        condemn(gpu, QN_KERNEL_COUNT, OPTIONAL, QN_STR("no results"));
    }
    qn_gpu_trial_release(gpu);
    if (trial->failed) {
        status = retry(gpu, &err);
    } else if (trial->tuning.again) {
        trial->tuning.again = false;
        status = again(gpu, &err);
    } else if (status == QN_OK) {
        bool measures = trial->state == QN_TRIAL_RUNS && gpu->host.caps.tune;
        trial->state = measures ? QN_TRIAL_MEASURES : QN_TRIAL_OVER;
        if (measures && !qn_gpu_tune_begin(gpu)) {
            qn_gpu_trial_release(gpu);
            trial->state = QN_TRIAL_OVER;
        }
    }
    if (status != QN_OK)
        qn_gpu_set_failed(gpu, QN_GPU_FAILED, status, qn_str_from(err.text));
}

/* ---- Description --------------------------------------------------------------------------- */

void qn_gpu_backend_describe(const struct qn_backend *backend, struct qn_buf *out) {
    const struct qn_gpu *gpu = (const struct qn_gpu *)(const void *)backend;
    static const char *const suffixes[QN_VARIANT_COUNT] = {"", "_subgroups", "_f16"};
    uint32_t told[(QN_KERNEL_COUNT + 31) / 32] = {0};
    const char *comma = "";
    qn_buf_cstr(out, ",\"variants\":{\"kernels\":[");
    for (uint32_t i = 0; i < gpu->lower.n_pipelines; i++) {
        enum qn_kernel_id id = gpu->lower.pipelines[i].kernel;
        if (!qn_kernel_is_matrix(id) || told[id / 32] >> id % 32 & 1)
            continue;
        told[id / 32] |= 1u << id % 32;
        struct qn_kernel kernel;
        qn_kernel_get(&kernel, id);
        qn_buf_format(out, "%s\"%s%s\"", comma, kernel.name,
                      suffixes[qn_kernel_variant(&kernel, gpu->host.caps.features)]);
        comma = ",";
    }
    const struct qn_gpu_caps *caps = &gpu->host.caps;
    qn_buf_format(out,
                  "],\"tested\":%u,\"tuned\":%s,\"choice\":{\"measured\":%u,\"kernels\":%u,"
                  "\"fill\":%u,\"tile\":%u,\"without\":%u},\"note\":",
                  gpu->trial.n_tested, gpu->tuned ? "true" : "false", caps->measured, caps->kernels,
                  caps->fill, caps->tile, caps->without);
    qn_buf_json_str(out, qn_str_from(gpu->trial.note.text));
    qn_buf_char(out, '}');
}
