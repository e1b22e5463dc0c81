/* Matrix products as dispatches. */
#include <string.h>

#include "base/num.h"
#include "webgpu/lower_parts.h"
#include "webgpu/packed.h"

/* The matmul that was added last may run as matmul_few too: over the same group, and the same but
 * for the last constant. */
static enum qn_status few_add(struct qn_lower *l, const struct qn_lower_draft *matmul,
                              struct qn_error *err) {
    struct qn_lower_dispatch *d = &l->dispatches[l->n_dispatches - 1];
    struct qn_kernel kernel;
    qn_kernel_get(&kernel, QN_KERNEL_MATMUL_FEW);
    float constants[QN_KERNEL_CONSTANTS];
    memcpy(constants, matmul->constants, sizeof constants);
    constants[kernel.n_constants - 1] = (float)d->few_lanes;
    return qn_lower_pipeline_add(l, &d->few, &kernel, QN_KERNEL_MATMUL_FEW, constants, err);
}

/* Of the constants of matvec_dot and matvec_packed. */
#define PACK(packed) ((packed) ? 13 : 14)
#define ARGMAX(packed) ((packed) ? 14 : 15)

uint32_t qn_lower_best_places(const struct qn_lower *l) {
    const struct qn_program *p = l->program;
    for (uint32_t i = 0; i < p->n_ops; i++) {
        const struct qn_program_op *op = &p->ops[i];
        if (op->out != p->logits || op->kind != QN_OP_MATMUL)
            continue;
        uint32_t index = p->tensors[op->in[1].tensor].weight, places = 0;
        const struct qn_weight *weight = &p->weights[index];
        const struct qn_lower_weight *w = &l->weights[index];
        for (uint32_t j = 0; j < w->n_slabs; j++) {
            const struct qn_lower_slab *slab = &l->slabs[w->first_slab + j];
            struct qn_params_matmul shape = {.cols = weight->cols, .n_rows = slab->n_rows};
            struct qn_matvec_tune tune = qn_matvec_dot_tune(&shape, false, &l->caps);
            if (!qn_matvec_dot_takes(&weight->format) || weight->cols % 4 || tune.span < 16)
                return 0;
            shape.n_rows = qn_min_u32(slab->n_rows, l->sample_vocab - slab->row_begin);
            if (slab->row_begin < l->sample_vocab)
                places += qn_grid_matvec_places(&shape, tune);
        }
        return places;
    }
    return 0;
}

static void set_tune(float *constants, enum qn_kernel_id kernel,
                     const struct qn_matvec_tune *tune) {
    constants[8] = (float)tune->lanes;
    constants[9] = (float)tune->rows;
    if (kernel == QN_KERNEL_MATVEC) {
        constants[10] = (float)tune->cols;
    } else if (kernel == QN_KERNEL_MATVEC_DOT) {
        constants[10] = (float)tune->span;
        constants[11] = (float)tune->ahead;
    } else {
        constants[10] = (float)tune->ahead;
        constants[11] = (float)tune->threads;
        constants[12] = (float)tune->cols;
    }
}

/* The matvec that was added last may take several rows at once: over the same group, and the same
 * but for some constants. `dot`: of the matvec_dot whose sums it makes. */
static enum qn_status wide_add(struct qn_lower *l, const struct qn_lower_draft *matvec,
                               struct qn_matvec_tune dot, struct qn_error *err) {
    struct qn_lower_dispatch *d = &l->dispatches[l->n_dispatches - 1];
    struct qn_kernel kernel;
    qn_kernel_get(&kernel, d->kernel);
    for (uint32_t i = 0; i < QN_MATVEC_WIDE; i++) {
        struct qn_lower_wide *wide = &d->wide[i];
        float constants[QN_KERNEL_CONSTANTS];
        memcpy(constants, matvec->constants, sizeof constants);
        if (d->kernel == QN_KERNEL_MATVEC)
            wide->tune = qn_matvec_widen(d->tune, d->glu, 2u << i);
        else if (2u << i > qn_matvec_packed_cols(matvec->params, dot, d->glu))
            break;
        else
            wide->tune =
                qn_matvec_packed_tune(matvec->params, dot, d->glu, constants[PACK(true)] != 0,
                                      constants[ARGMAX(true)] != 0, 2u << i);
        set_tune(constants, d->kernel, &wide->tune);
        QN_TRY(qn_lower_pipeline_add(l, &wide->pipeline, &kernel, d->kernel, constants, err));
    }
    return QN_OK;
}

/* Whether no step is so long that tiles multiply it. */
static bool always_few(const struct qn_lower *l, const struct qn_params_matmul *p, bool glu) {
    return qn_matmul_takes_few(p, glu, qn_matmul_has_matrix(&l->caps), l->program->max_tokens,
                               l->caps.tune && !l->caps.fill ? QN_FILL_LEAST : l->fill);
}

/* Bytes of a step's packed rows (fewer than x has itself), where prompts are packed for that
 * matrix; else 0. */
static uint64_t prompt_bytes(const struct qn_lower *l, const struct qn_wformat *format,
                             const struct qn_params_matmul *p, bool glu) {
    if (!qn_matvec_dot_takes(format) || !qn_matmul_has_packed(&l->caps) || always_few(l, p, glu))
        return 0;
    return (uint64_t)qn_ceil_div_u32(p->cols, QN_GROUP) * QN_PACKED_BYTES * l->program->max_tokens;
}

enum qn_status qn_lower_packed_add(struct qn_lower *l, struct qn_error *err) {
    const struct qn_program *p = l->program;
    uint64_t most = 0;
    for (uint32_t i = 0; i < p->n_ops; i++) {
        const struct qn_program_op *op = &p->ops[i];
        bool glu = op->kind == QN_OP_MATMUL_GLU;
        if (op->kind != QN_OP_MATMUL && !glu)
            continue;
        const struct qn_weight *weight = &p->weights[p->tensors[op->in[1].tensor].weight];
        struct qn_params_matmul shape = {.cols = weight->cols, .n_rows = weight->rows >> glu};
        uint64_t bytes = prompt_bytes(l, &weight->format, &shape, glu), few = 0;
        if (qn_lower_wide(l) && qn_matvec_dot_takes(&weight->format) &&
            qn_matvec_dot_tune(&shape, false, &l->caps).span)
            few =
                (uint64_t)qn_ceil_div_u32(weight->cols, QN_GROUP) * QN_PACKED_BYTES * QN_STEP_ROWS;
        bytes = bytes > few ? bytes : few;
        most = most > bytes ? most : bytes;
    }
    if (most == 0)
        return QN_OK;
    return qn_lower_buffer_add(l, &l->b_packed, QN_SPACE_SHARED,
                               (most / QN_LOWER_SLOT + 2) * QN_LOWER_SLOT, QN_USE_STORAGE,
                               "packed rows", err);
}

/* Where a MATMUL gets x from, behind a norm that it does itself and a folded one. */
struct origin {
    struct qn_lower_source x, before; // before: what the folded norm adds to
    const struct qn_program_op *post; // the folded norm, or NULL
};

static struct origin origin_of(const struct qn_lower *l, const struct qn_lower_mode *mode,
                               const struct qn_program_op *op) {
    struct origin from = {.x = qn_lower_source_of(l, mode, op->in[0], mode->small)};
    uint32_t behind = mode->small ? mode->partner[op - l->program->ops] : QN_NONE;
    if (behind != QN_NONE) {
        from.post = &l->program->ops[behind];
        struct qn_lower_source y = qn_lower_source_of(l, mode, from.post->in[0], false);
        y.norm = from.x.norm;
        from.x = y;
        from.before = qn_lower_source_of(l, mode, from.post->in[3], false);
    }
    return from;
}

static bool is_aligned(const struct qn_lower *l, const struct qn_lower_mode *mode,
                       const struct qn_program_op *op, const struct qn_weight *weight) {
    struct qn_lower_source x = origin_of(l, mode, op).x;
    return qn_lower_matvec_takes(weight->cols, x.stride, x.column);
}

/* Whether a gated MATMUL leaves its results packed: where the one that reads them takes them so. */
static bool packs(const struct qn_lower *l, const struct qn_lower_mode *mode,
                  const struct qn_program_op *op) {
    const struct qn_program *p = l->program;
    if (!mode->small || op->kind != QN_OP_MATMUL_GLU || qn_lower_uses(p, op->out) != 1)
        return false;
    uint32_t index = p->tensors[op->in[1].tensor].weight;
    const struct qn_lower_weight *w = &l->weights[index];
    struct qn_params_matmul shape = {.cols = p->weights[index].cols, .n_rows = w->half};
    struct qn_matvec_tune dot = qn_matvec_dot_tune(&shape, true, &l->caps);
    if (w->n_slabs != 1 || w->half % QN_GROUP || !dot.span || qn_grid_matvec_rows(dot) % QN_GROUP ||
        !qn_matvec_dot_takes(&p->weights[index].format) ||
        !is_aligned(l, mode, op, &p->weights[index]))
        return false;
    for (const struct qn_program_op *down = op + 1; down < p->ops + p->n_ops; down++) {
        if (down->in[0].tensor != op->out)
            continue;
        const struct qn_weight *weight = &p->weights[p->tensors[down->in[1].tensor].weight];
        return down->kind == QN_OP_MATMUL && down->in[0].column == 0 && weight->cols == w->half &&
               qn_matvec_dot_takes(&weight->format);
    }
    return false;
}

/* Of b_packed: the rows; `end`: what is behind them. */
static struct qn_lower_ref packed_rows(const struct qn_lower *l, struct qn_lower_ref *end) {
    struct qn_lower_ref out = qn_lower_whole(l, QN_SPACE_SHARED, l->b_packed);
    *end = out;
    end->offset = out.bytes -= QN_LOWER_SLOT;
    end->bytes = QN_LOWER_SLOT;
    return out;
}

/* A draft for tiles or few rows as both of them, with what packs for tiles. */
static enum qn_status packed_add(struct qn_lower *l, const struct qn_lower_draft *tiles,
                                 bool first_slab, struct qn_error *err) {
    struct qn_params_matmul params = *(const struct qn_params_matmul *)tiles->params;
    struct qn_lower_draft draft = *tiles, pack = *tiles;
    const struct qn_matmul_tile *t = &tiles->rest.tile;
    draft.kernel = QN_KERNEL_MATMUL_FEW;
    draft.rest.rows_when = QN_ROWS_FEW;
    draft.constants[7] = (float)tiles->rest.few_lanes;
    memset(draft.constants + 8, 0, (QN_KERNEL_CONSTANTS - 8) * sizeof *draft.constants);
    QN_TRY(qn_lower_dispatch_add(l, &draft, err));
    pack.kernel = QN_KERNEL_PACK_ROWS;
    pack.rest.rows_when = QN_ROWS_TILES;
    memset(pack.constants, 0, sizeof pack.constants);
    memset(pack.bindings + 3, 0, 5 * sizeof *pack.bindings);
    pack.bindings[8] = packed_rows(l, &pack.bindings[9]);
    if (first_slab) // the largest
        QN_TRY(qn_lower_dispatch_add(l, &pack, err));
    draft.kernel = QN_KERNEL_MATMUL_PACKED;
    draft.rest.rows_when = QN_ROWS_TILES;
    draft.bindings[2] = pack.bindings[8];
    const float own[] = {(float)t->tx, (float)t->ty, (float)t->slices, (float)t->quads};
    memcpy(draft.constants + 7, own, sizeof own);
    params.x_stride = qn_ceil_div_u32(params.cols, QN_GROUP) * (QN_PACKED_BYTES / 4);
    params.x_column = params.tail = 0;
    draft.params = &params;
    return qn_lower_dispatch_add(l, &draft, err);
}

/* The matvec of a draft for matvec_dot and, where steps may have several rows of x, what packs them
 * and multiplies them so. With `packed` they are already. */
static enum qn_status dot_add(struct qn_lower *l, const struct qn_lower_draft *dot, bool packed,
                              bool first_slab, struct qn_error *err) {
    const struct qn_params_matmul *p = dot->params;
    bool wide = qn_lower_wide(l), always = wide && p->n_rows >= QN_MATVEC_MANY,
         pack = dot->constants[PACK(false)] != 0, argmax = dot->constants[ARGMAX(false)] != 0;
    struct qn_params_matmul params = *p;
    struct qn_lower_draft draft = *dot;
    struct qn_matvec_tune tune = dot->rest.tune;
    if (!packed) {
        draft.rest.rows_when = wide ? QN_ROWS_ONE : QN_ROWS_ANY;
        set_tune(draft.constants, QN_KERNEL_MATVEC_DOT, &tune);
        if (!always)
            QN_TRY(qn_lower_dispatch_add(l, &draft, err));
        if (!wide)
            return QN_OK;
        struct qn_lower_ref end, out = packed_rows(l, &end);
        bool post = dot->constants[13] != 0, norm = dot->constants[5] != 0;
        struct qn_lower_draft rows = *dot;
        rows.kernel = QN_KERNEL_PACK_ROWS;
        rows.rest.rows_when = always ? QN_ROWS_ANY : QN_ROWS_MORE;
        rows.rest.whole = post || norm;
        rows.bindings[3] = rows.bindings[4] = rows.bindings[5] = (struct qn_lower_ref){0};
        rows.bindings[8] = out;
        rows.bindings[9] = post && !argmax && p->kept ? dot->bindings[8] : end;
        memset(rows.constants, 0, sizeof rows.constants);
        rows.constants[0] = norm;
        rows.constants[1] = dot->constants[12];
        rows.constants[2] = post;
        if (argmax) // of which it knows nothing
            params.kept = 0;
        rows.params = &params;
        if (first_slab)
            QN_TRY(qn_lower_dispatch_add(l, &rows, err));
        params = *p;
        params.x_stride = qn_ceil_div_u32(p->cols, QN_GROUP) * (QN_PACKED_BYTES / 4);
        params.x_column = params.tail = 0;
        draft.bindings[2] = out;
        draft.bindings[7] = (struct qn_lower_ref){0};
        draft.rest.rows_when = rows.rest.rows_when;
    } else {
        tune = qn_matvec_packed_lanes(p, tune, &l->caps);
    }
    draft.kernel = QN_KERNEL_MATVEC_PACKED;
    draft.params = &params;
    draft.rest.tune = qn_matvec_packed_tune(p, tune, draft.rest.glu, pack, argmax, 1);
    memset(draft.constants + 8, 0, (QN_KERNEL_CONSTANTS - 8) * sizeof *draft.constants);
    draft.constants[PACK(true)] = pack;
    draft.constants[ARGMAX(true)] = argmax;
    set_tune(draft.constants, QN_KERNEL_MATVEC_PACKED, &draft.rest.tune);
    QN_TRY(qn_lower_dispatch_add(l, &draft, err));
    return wide ? wide_add(l, &draft, tune, err) : QN_OK;
}

enum qn_status qn_lower_matmul(struct qn_lower *l, const struct qn_lower_mode *mode,
                               const struct qn_program_op *op, struct qn_error *err) {
    const struct qn_program *p = l->program;
    bool glu = op->kind == QN_OP_MATMUL_GLU, rows = qn_lower_by_rows(p, op->out);
    uint32_t index = p->tensors[op->in[1].tensor].weight;
    const struct qn_weight *weight = &p->weights[index];
    const struct qn_lower_weight *w = &l->weights[index];
    struct qn_operand bias = op->in[2];
    struct qn_operand residual = glu ? (struct qn_operand){QN_NONE, 0} : op->in[3];
    struct origin origin = origin_of(l, mode, op);
    struct qn_lower_source x = origin.x, before = origin.before;
    const struct qn_program_op *post = origin.post;
    uint32_t made = mode->producer[op->in[0].tensor];
    bool pack = packs(l, mode, op),
         packed = made != QN_NONE && op->in[0].column == 0 && packs(l, mode, &p->ops[made]);
    bool aligned = qn_lower_matvec_takes(weight->cols, x.stride, x.column),
         matvec = mode->small && aligned;
    bool logits = op->out == p->logits;
    const struct qn_program_op *attention = NULL; // whose splits are joined here
    if (mode->merged && mode->merged[op - p->ops])
        attention = &p->ops[mode->producer[op->in[0].tensor]];
    if (glu && w->n_slabs > 1 && bias.tensor != QN_NONE)
        return qn_fail(err, QN_E_UNSUPPORTED, "%.*s: a gated matrix in slabs with a bias",
                       QN_STR_ARG(weight->name));
    // The arg-max of all rows leaves out what no token can be, so that its rows are dense.
    bool best = logits && mode->places != 0;
    uint32_t place = 0;
    uint32_t limit = logits && (mode->all_rows || best) ? l->sample_vocab
                     : w->half                          ? w->half
                                                        : weight->rows;
    for (uint32_t i = 0; i < w->n_slabs; i++) {
        const struct qn_lower_slab *slab = &l->slabs[w->first_slab + i];
        if (slab->row_begin >= limit)
            break;
        struct qn_params_matmul params = {
            .cols = weight->cols,
            .n_rows = qn_min_u32(slab->n_rows, limit - slab->row_begin),
            .row_begin = slab->row_begin,
            .up_row = glu ? slab->n_rows : 0,
            .rows_sym = rows ? QN_ROWS_R : QN_ROWS_T,
            .tail = x.tail + 2u * before.tail,
            .x_stride = x.stride,
            .x_column = x.column,
            .out_stride = logits && mode->all_rows ? limit : qn_lower_columns(p, op->out),
            .eps = x.norm ? x.norm->u.norm.eps : 0,
            .softcap = glu ? 0 : op->u.matmul.softcap};
        if (attention) {
            params.window = attention->u.attention.window;
            params.splits = qn_lower_attention_params(p, attention).splits;
        }
        if (residual.tensor != QN_NONE) {
            params.residual_stride = qn_lower_columns(p, residual.tensor);
            params.residual_column = residual.column;
        }
        struct qn_lower_ref out = l->places[op->out],
                            norm = x.norm ? qn_lower_vector_of(l, x.norm->in[1])
                                          : (struct qn_lower_ref){0},
                            added = {0};
        if (residual.tensor != QN_NONE)
            added = l->places[residual.tensor];
        if (post) {
            struct qn_lower_ref first = qn_lower_vector_of(l, post->in[1]);
            if (x.norm)
                params.norm_at = (norm.offset - first.offset) / 4;
            first.bytes += params.norm_at * 4;
            norm = first;
            added = l->places[before.tensor];
            params.residual_stride = before.stride;
            params.residual_column = before.column;
            params.post_eps = post->u.norm.eps;
            if (i == 0 && qn_lower_keeps(p, post)) {
                struct qn_lower_ref kept = l->places[post->out];
                params.kept = (kept.offset - out.offset) / 4;
                out.bytes = kept.offset + kept.bytes - out.offset;
            }
        }
        added.bytes = (added.bytes + 15) & ~15u; // read as vec4s
        // The order of sums depends on the tune, and may not on how many rows of logits are used.
        struct qn_params_matmul all = params;
        all.n_rows = w->half ? params.n_rows : slab->n_rows;
        struct qn_matvec_tune dot = {0};
        if (matvec && qn_matvec_dot_takes(&weight->format))
            dot = qn_matvec_dot_tune(&all, glu, &l->caps);
        if (best) {
            params.out_stride = mode->places;
            params.kept = place;
            out = mode->best;
            place += qn_grid_matvec_places(&params, dot);
        }
        bool few = aligned && !matvec, matrix = qn_matmul_has_matrix(&l->caps),
             only_few = few && always_few(l, &params, glu),
             in_bytes = few && prompt_bytes(l, &weight->format, &params, glu);
        struct qn_matmul_tile tile =
            qn_matmul_tile(&params, glu, in_bytes, p->max_tokens, &l->caps);
        struct qn_lower_draft draft = {.kernel = dot.span   ? QN_KERNEL_MATVEC_DOT
                                                 : matvec   ? QN_KERNEL_MATVEC
                                                 : only_few ? QN_KERNEL_MATMUL_FEW
                                                 : matrix   ? QN_KERNEL_MATMUL_MATRIX
                                                            : QN_KERNEL_MATMUL_TILES,
                                       .params = &params,
                                       .bindings = {{0},
                                                    mode->step,
                                                    attention ? mode->partial : l->places[x.tensor],
                                                    qn_lower_plane(l, slab, QN_PLANE_VALUES),
                                                    qn_lower_plane(l, slab, QN_PLANE_SCALES),
                                                    qn_lower_vector_of(l, bias),
                                                    added,
                                                    norm,
                                                    out},
                                       .rest = {.by_rows = rows, .glu = glu, .tile = tile}};
        float format[3] = {(float)weight->format.type, qn_lower_scale_type(&weight->format),
                           (float)weight->format.zero};
        float act = glu ? (float)op->u.glu.act : 0.0f;
        float has_bias = bias.tensor != QN_NONE, has_residual = residual.tensor != QN_NONE;
        if (matvec) {
            draft.rest.tune = dot.span ? dot : qn_matvec_tune(&all, weight->format.type, glu);
            enum qn_kernel_id kernel = draft.kernel;
            float constants[QN_KERNEL_CONSTANTS] = {format[0], format[1],    format[2],
                                                    has_bias,  has_residual, x.norm != NULL,
                                                    glu,       act,          [13] = post != NULL};
            memcpy(draft.constants, constants, sizeof constants);
            set_tune(draft.constants, kernel, &draft.rest.tune);
            if (dot.span) {
                draft.constants[12] = attention ? (float)attention->u.attention.head_dim : 0.0f;
                draft.constants[PACK(false)] = pack;
                draft.constants[ARGMAX(false)] = best;
                QN_TRY(dot_add(l, &draft, packed, i == 0, err));
                continue;
            }
        } else {
            draft.rest.few_lanes = few ? qn_matmul_lanes(&params) : 0;
            float last = only_few ? (float)draft.rest.few_lanes : aligned;
            float constants[] = {format[0],
                                 format[1],
                                 format[2],
                                 has_bias,
                                 has_residual,
                                 glu,
                                 act,
                                 last,
                                 (float)tile.tx,
                                 (float)tile.ty,
                                 (float)tile.slices,
                                 (float)tile.buffers};
            memcpy(draft.constants, constants, sizeof constants);
            draft.bindings[2].bytes = (draft.bindings[2].bytes + 15) & ~15u; // read as vec4s
            if (in_bytes) {
                QN_TRY(packed_add(l, &draft, i == 0, err));
                continue;
            }
        }
        QN_TRY(qn_lower_dispatch_add(l, &draft, err));
        if (few && !only_few)
            QN_TRY(few_add(l, &draft, err));
        if (matvec && qn_lower_wide(l))
            QN_TRY(wide_add(l, &draft, draft.rest.tune, err));
    }
    return QN_OK;
}
