#include "webgpu/lower_parts.h"

#include "base/num.h"

static enum qn_status lower_embed(struct qn_lower *l, const struct qn_lower_mode *mode,
                                  const struct qn_program_op *op, struct qn_error *err) {
    uint32_t index = l->program->tensors[op->in[1].tensor].weight;
    const struct qn_weight *weight = &l->program->weights[index];
    const struct qn_lower_weight *w = &l->weights[index];
    for (uint32_t i = 0; i < w->n_slabs; i++) {
        const struct qn_lower_slab *slab = &l->slabs[w->first_slab + i];
        struct qn_params_embed params = {weight->cols, slab->row_begin, slab->n_rows,
                                         op->u.embed.scale, (uint32_t)op->u.embed.by};
        struct qn_lower_draft draft = {.kernel = QN_KERNEL_EMBED,
                                       .params = &params,
                                       .bindings = {{0},
                                                    mode->step,
                                                    l->places[op->in[0].tensor],
                                                    qn_lower_plane(l, slab, QN_PLANE_VALUES),
                                                    qn_lower_plane(l, slab, QN_PLANE_SCALES),
                                                    l->places[op->out]},
                                       .constants = {(float)weight->format.type,
                                                     qn_lower_scale_type(&weight->format),
                                                     (float)weight->format.zero}};
        QN_TRY(qn_lower_dispatch_add(l, &draft, err));
    }
    return QN_OK;
}

static enum qn_status lower_norm(struct qn_lower *l, const struct qn_lower_mode *mode,
                                 const struct qn_program_op *op, struct qn_error *err) {
    const struct qn_program *p = l->program;
    struct qn_lower_source x = qn_lower_source_of(l, mode, op->in[0], false), before = {0};
    bool adds = op->in[3].tensor != QN_NONE;
    if (adds)
        before = qn_lower_source_of(l, mode, op->in[3], false);
    bool rows = qn_lower_by_rows(p, op->out), centred = op->kind == QN_OP_LAYERNORM;
    uint32_t mul = p->tensors[op->out].dims[0].n, cols = qn_lower_columns(p, op->out);
    uint32_t group = op->u.norm.group ? op->u.norm.group : cols;
    struct qn_operand bias = centred ? op->in[2] : (struct qn_operand){QN_NONE, 0};
    struct qn_params_rmsnorm params = {.cols = group,
                                       .rows_sym = rows ? QN_ROWS_R : QN_ROWS_T,
                                       .rows_mul = mul,
                                       .tail = x.tail + 2u * before.tail,
                                       .x_stride = x.stride,
                                       .x_column = x.column,
                                       .eps = op->u.norm.eps,
                                       .groups = cols / group};
    if (qn_lower_columns(p, op->in[1].tensor) != group)
        params.w_advance = group;
    if (bias.tensor != QN_NONE && qn_lower_columns(p, bias.tensor) != group)
        params.b_advance = group;
    struct qn_lower_ref out = l->places[op->out], residual = {0}, none = {0};
    if (adds)
        residual = l->places[before.tensor];
    struct qn_lower_draft draft = {
        .kernel = centred ? QN_KERNEL_LAYERNORM : QN_KERNEL_RMSNORM,
        .params = &params,
        .bindings = {{0},
                     mode->step,
                     l->places[x.tensor],
                     qn_lower_vector_of(l, op->in[1]),
                     centred ? qn_lower_vector_of(l, bias) : residual,
                     centred ? residual : out,
                     centred ? out : none},
        .constants = {centred ? bias.tensor != QN_NONE : adds, centred && adds},
        .rest = {.by_rows = rows, .rows_mul = mul * params.groups}};
    return qn_lower_dispatch_add(l, &draft, err);
}

/* GLU and ACT: the same parameters. GLU has a second input, or twice the columns in the first. */
static enum qn_status lower_activation(struct qn_lower *l, const struct qn_lower_mode *mode,
                                       const struct qn_program_op *op, struct qn_error *err) {
    const struct qn_program *p = l->program;
    bool rows = qn_lower_by_rows(p, op->out);
    struct qn_params_glu params = {qn_lower_columns(p, op->out), rows ? QN_ROWS_R : QN_ROWS_T,
                                   qn_lower_columns(p, op->in[0].tensor), op->in[0].column};
    struct qn_lower_draft draft = {
        .kernel = op->kind == QN_OP_GLU ? QN_KERNEL_GLU : QN_KERNEL_ACT,
        .params = &params,
        .bindings = {{0}, mode->step, l->places[op->in[0].tensor], l->places[op->out]},
        .constants = {(float)op->u.glu.act},
        .rest = {.by_rows = rows}};
    if (op->kind == QN_OP_GLU) {
        bool apart = op->in[1].tensor != QN_NONE;
        struct qn_operand up = op->in[apart];
        params.up_stride = qn_lower_columns(p, up.tensor);
        params.up_column = up.column + (apart ? 0 : params.cols);
        draft.bindings[3] = l->places[up.tensor];
        draft.bindings[4] = l->places[op->out];
    }
    return qn_lower_dispatch_add(l, &draft, err);
}

static enum qn_status lower_add(struct qn_lower *l, const struct qn_lower_mode *mode,
                                const struct qn_program_op *op, struct qn_error *err) {
    const struct qn_program *p = l->program;
    bool rows = qn_lower_by_rows(p, op->out);
    struct qn_params_add params = {qn_lower_columns(p, op->out),
                                   rows ? QN_ROWS_R : QN_ROWS_T,
                                   qn_lower_columns(p, op->in[0].tensor),
                                   op->in[0].column,
                                   qn_lower_columns(p, op->in[1].tensor),
                                   op->in[1].column,
                                   op->u.add.scale != 0 ? op->u.add.scale : 1};
    bool gated = op->in[2].tensor != QN_NONE;
    struct qn_lower_draft draft = {
        .kernel = QN_KERNEL_ADD,
        .params = &params,
        .bindings = {{0},
                     mode->step,
                     l->places[op->in[0].tensor],
                     l->places[op->in[1].tensor],
                     gated ? l->places[op->in[2].tensor] : (struct qn_lower_ref){0},
                     l->places[op->out]},
        .constants = {gated},
        .rest = {.by_rows = rows}};
    return qn_lower_dispatch_add(l, &draft, err);
}

static enum qn_status lower_last_rows(struct qn_lower *l, const struct qn_lower_mode *mode,
                                      const struct qn_program_op *op, struct qn_error *err) {
    const struct qn_program *p = l->program;
    struct qn_params_last_rows params = {qn_lower_columns(p, op->out),
                                         qn_lower_columns(p, op->in[0].tensor), op->in[0].column};
    struct qn_lower_draft draft = {
        .kernel = QN_KERNEL_LAST_ROWS,
        .params = &params,
        .bindings = {{0}, mode->step, l->places[op->in[0].tensor], l->places[op->out]},
        .rest = {.by_rows = true}};
    return qn_lower_dispatch_add(l, &draft, err);
}

static enum qn_status lower_gather(struct qn_lower *l, const struct qn_lower_mode *mode,
                                   const struct qn_program_op *op, struct qn_error *err) {
    const struct qn_program *p = l->program;
    bool rows = qn_lower_by_rows(p, op->out);
    uint32_t stride = qn_lower_columns(p, op->in[0].tensor), column = op->in[0].column;
    struct qn_params_gather params = {qn_lower_columns(p, op->out), rows ? QN_ROWS_R : QN_ROWS_T,
                                      stride, column, stride - column};
    struct qn_lower_draft draft = {.kernel = QN_KERNEL_GATHER,
                                   .params = &params,
                                   .bindings = {{0},
                                                mode->step,
                                                l->places[op->in[0].tensor],
                                                qn_lower_vector_of(l, op->in[1]),
                                                l->places[op->out]},
                                   .rest = {.by_rows = rows}};
    return qn_lower_dispatch_add(l, &draft, err);
}

/* ---- Lists --------------------------------------------------------------------------------- */

/* What `fused` means depends on the list: a norm is left out only where matvecs follow it. */
static enum qn_status lower_list(struct qn_lower *l, struct qn_lower_range *out, bool head,
                                 const struct qn_lower_mode *mode, struct qn_error *err) {
    const struct qn_program *p = l->program;
    out->begin = l->n_dispatches;
    for (uint32_t i = 0; i < p->n_ops; i++) {
        const struct qn_program_op *op = &p->ops[i];
        if (qn_lower_by_rows(p, op->out) != head)
            continue;
        if (mode->fused[i] && (op->kind == QN_OP_LAST_ROWS || mode->small))
            continue;
        if (p->tensors[op->out].dims[0].n != 1 && op->kind != QN_OP_RMSNORM &&
            op->kind != QN_OP_LAYERNORM)
            return qn_fail(err, QN_E_UNSUPPORTED, "op %u %s with several rows per token", i,
                           qn_op_name(op->kind));
        switch (op->kind) {
        case QN_OP_EMBED:
            QN_TRY(lower_embed(l, mode, op, err));
            break;
        case QN_OP_RMSNORM:
        case QN_OP_LAYERNORM:
            QN_TRY(lower_norm(l, mode, op, err));
            break;
        case QN_OP_MATMUL:
        case QN_OP_MATMUL_GLU:
            QN_TRY(qn_lower_matmul(l, mode, op, err));
            break;
        case QN_OP_GLU:
        case QN_OP_ACT:
            QN_TRY(lower_activation(l, mode, op, err));
            break;
        case QN_OP_ADD:
            QN_TRY(lower_add(l, mode, op, err));
            break;
        case QN_OP_ROPE_APPEND:
            QN_TRY(qn_lower_rope(l, mode, op, err));
            break;
        case QN_OP_ATTENTION:
            QN_TRY(qn_lower_attention(l, mode, op, err));
            break;
        case QN_OP_LAST_ROWS:
            QN_TRY(lower_last_rows(l, mode, op, err));
            break;
        case QN_OP_GATHER:
            QN_TRY(lower_gather(l, mode, op, err));
            break;
        case QN_OP_ROUTE:
            QN_TRY(qn_lower_route(l, mode->step, op, err));
            break;
        case QN_OP_EXPERT_GLU:
        case QN_OP_EXPERT_DOWN:
            QN_TRY(qn_lower_experts(l, mode->step, op, err));
            break;
        case QN_OP_COUNT:
            return qn_fail(err, QN_E_INTERNAL, "op %u has no kind", i);
        }
    }
    out->end = l->n_dispatches;
    return QN_OK;
}

/* The head's ops make R rows and the body's T; a body op may not need what the head makes. */
static enum qn_status check_order(const struct qn_program *p, struct qn_error *err) {
    for (uint32_t i = 0; i < p->n_ops; i++)
        for (uint32_t j = 0; j < QN_OP_INPUTS; j++) {
            uint32_t in = p->ops[i].in[j].tensor;
            if (in != QN_NONE && p->tensors[in].kind == QN_TENSOR_ACTIVATION &&
                qn_lower_by_rows(p, in) && !qn_lower_by_rows(p, p->ops[i].out))
                return qn_fail(err, QN_E_UNSUPPORTED, "op %u %s needs rows of the head", i,
                               qn_op_name(p->ops[i].kind));
        }
    return QN_OK;
}

/* The head with the choice of the largest logit in it, which nobody else sees then. */
static enum qn_status lower_best(struct qn_lower *l, const struct qn_lower_mode *mode,
                                 struct qn_error *err) {
    struct qn_lower_range *list = &l->lists[QN_LIST_HEAD_GREEDY];
    struct qn_lower_mode best = *mode;
    uint32_t id;
    list->begin = list->end = l->n_dispatches;
    best.places = qn_lower_best_places(l);
    if (best.places == 0)
        return QN_OK;
    QN_TRY(qn_lower_buffer_add(l, &id, QN_SPACE_SHARED, (uint64_t)QN_STEP_ROWS * best.places * 8,
                               QN_USE_STORAGE | QN_USE_COPY_SRC, "the head's arg-max", err));
    best.best = qn_lower_whole(l, QN_SPACE_SHARED, id);
    QN_TRY(lower_list(l, list, true, &best, err));
    QN_TRY(qn_lower_best(l, best.best, best.places, err));
    list->end = l->n_dispatches;
    return QN_OK;
}

enum qn_status qn_lower_program(struct qn_lower *l, struct qn_arena *arena,
                                const struct qn_program *program, const struct qn_gpu_caps *caps,
                                struct qn_error *err) {
    *l = (struct qn_lower){.program = program,
                           .caps = *caps,
                           .fill = caps->fill ? caps->fill : QN_FILL,
                           .arena = arena,
                           .max_slots = QN_SLOTS,
                           .max_batch = qn_min_u32(QN_STEP_ROWS, program->max_tokens)};
    bool *fused = QN_ARENA_NEW(arena, bool, program->n_ops);
    bool *merged = QN_ARENA_NEW(arena, bool, program->n_ops);
    uint32_t *partner = QN_ARENA_NEW(arena, uint32_t, program->n_ops);
    uint32_t *producer = QN_ARENA_NEW(arena, uint32_t, program->n_tensors);
    if (fused == NULL || merged == NULL || partner == NULL || producer == NULL)
        return qn_fail(err, QN_E_NO_MEMORY, "lowering %u ops", program->n_ops);
    QN_TRY(check_order(program, err));
    QN_TRY(qn_lower_weights(l, err));
    qn_lower_fuse(l, fused, producer);
    qn_lower_fuse_ropes(l, fused, producer);
    struct qn_lower_mode small = {
        .small = true, .fused = fused, .producer = producer, .partner = partner};
    qn_lower_fold(l, fused, partner, &small);
    QN_TRY(qn_lower_buffers(l, fused, partner, err));
    QN_TRY(qn_lower_scratch(l, &small, &small.partial, err));
    QN_TRY(qn_lower_packed_add(l, err));
    l->b_params = l->n_buffers[QN_SPACE_SHARED]; // its size is known at the end

    // Its place is taken now, so that bindings can name it.
    uint32_t id;
    QN_TRY(qn_lower_buffer_add(l, &id, QN_SPACE_SHARED, QN_LOWER_SLOT,
                               QN_USE_UNIFORM | QN_USE_COPY_DST, "parameters", err));
    small.step = qn_lower_whole(l, QN_SPACE_BANK, l->b_step);
    small.step.bytes = sizeof(struct qn_params_step);
    struct qn_lower_mode large = small, block = small;
    large.small = false;
    QN_TRY(lower_list(l, &l->lists[QN_LIST_BODY_ONE], false, &small, err));
    QN_TRY(lower_list(l, &l->lists[QN_LIST_BODY_LARGE], false, &large, err));
    QN_TRY(lower_list(l, &l->lists[QN_LIST_HEAD], true, &small, err));
    small.all_rows = true;
    if (l->max_rows > 1)
        QN_TRY(lower_list(l, &l->lists[QN_LIST_HEAD_ALL], true, &small, err));
    small.all_rows = false;
    QN_TRY(lower_best(l, &small, err));
    small.merged = merged;
    l->lists[QN_LIST_BODY_SHORT] = l->lists[QN_LIST_BODY_ONE];
    if (qn_lower_merge(l, merged, &small))
        QN_TRY(lower_list(l, &l->lists[QN_LIST_BODY_SHORT], false, &small, err));

    l->blocks = QN_ARENA_NEW(arena, struct qn_lower_range, l->n_blocks);
    if (l->blocks == NULL)
        return qn_fail(err, QN_E_NO_MEMORY, "lowering %u blocks of rows", l->n_blocks);
    for (uint32_t i = 0; i < l->n_blocks; i++) {
        block.small = l->block_rows <= QN_SMALL_ROWS;
        block.all_rows = true;
        block.step.space = QN_SPACE_SHARED;
        block.step.buffer = l->b_block_steps;
        block.step.offset = i * QN_LOWER_SLOT;
        QN_TRY(lower_list(l, &l->blocks[i], true, &block, err));
    }
    QN_TRY(qn_lower_samplers(l, err));
    uint64_t bytes = (uint64_t)l->n_params * QN_LOWER_SLOT;
    if (bytes > l->caps.max_buffer || bytes > UINT32_MAX)
        return qn_fail(err, QN_E_LIMIT, "lowering: %u parameter sets", l->n_params);
    l->buffers[QN_SPACE_SHARED][l->b_params].bytes = (uint32_t)bytes;
    return QN_OK;
}

/* ---- Grids --------------------------------------------------------------------------------- */

static bool are_few(const struct qn_lower *l, const struct qn_lower_dispatch *d, uint32_t rows) {
    return qn_matmul_takes_few((const void *)(l->params + d->params), d->glu,
                               d->kernel == QN_KERNEL_MATMUL_MATRIX, rows, l->fill);
}

static bool takes_few(const struct qn_lower *l, const struct qn_lower_dispatch *d, uint32_t rows) {
    return (d->kernel == QN_KERNEL_MATMUL_MATRIX || d->kernel == QN_KERNEL_MATMUL_TILES) &&
           d->few_lanes && are_few(l, d, rows);
}

/* The matvec for so many rows: the narrowest that takes all of them at once, else the widest. NULL:
 * that for one. */
static const struct qn_lower_wide *wide_for(const struct qn_lower_dispatch *d, uint32_t rows) {
    const struct qn_lower_wide *best = NULL;
    if (d->kernel != QN_KERNEL_MATVEC && d->kernel != QN_KERNEL_MATVEC_PACKED)
        return NULL;
    for (uint32_t i = 0; i < QN_MATVEC_WIDE && rows > (best ? best->tune.cols : 1); i++)
        if (d->wide[i].tune.rows != 0)
            best = &d->wide[i];
    return best;
}

bool qn_lower_plays(const struct qn_lower *l, const struct qn_lower_dispatch *d, uint32_t t,
                    uint32_t r) {
    uint32_t rows = d->by_rows ? r : t;
    if (d->rows_when >= QN_ROWS_FEW)
        return (d->rows_when == QN_ROWS_FEW) == are_few(l, d, rows);
    return d->rows_when == QN_ROWS_ANY || (d->rows_when == QN_ROWS_MORE) == (rows > 1);
}

uint32_t qn_lower_pipeline_for(const struct qn_lower *l, const struct qn_lower_dispatch *d,
                               uint32_t t, uint32_t r) {
    uint32_t rows = d->by_rows ? r : t;
    const struct qn_lower_wide *wide = wide_for(d, rows);
    return wide ? wide->pipeline : takes_few(l, d, rows) ? d->few : d->pipeline;
}

struct qn_grid qn_lower_grid(const struct qn_lower *l, const struct qn_lower_dispatch *d,
                             uint32_t t, uint32_t r, uint32_t end) {
    const void *params = l->params + d->params;
    uint32_t rows = d->by_rows ? r : t;
    const struct qn_lower_wide *wide = wide_for(d, rows);
    struct qn_matvec_tune tune = wide ? wide->tune : d->tune;
    switch (d->kernel) {
    case QN_KERNEL_EMBED:
        return qn_grid_embed(params, t);
    case QN_KERNEL_RMSNORM:
    case QN_KERNEL_LAYERNORM:
        return qn_grid_rmsnorm(rows * d->rows_mul);
    case QN_KERNEL_MATVEC:
    case QN_KERNEL_MATVEC_DOT:
    case QN_KERNEL_MATVEC_PACKED:
        return qn_grid_matvec(params, tune, rows);
    case QN_KERNEL_PACK_ROWS:
        return qn_grid_pack_rows(params, d->whole, rows);
    case QN_KERNEL_MATMUL_MATRIX:
    case QN_KERNEL_MATMUL_TILES:
        if (takes_few(l, d, rows))
            return qn_grid_matmul_few(params, d->glu, d->few_lanes, rows);
        if (d->kernel == QN_KERNEL_MATMUL_TILES)
            return qn_grid_matmul_tiles(params, d->glu, d->tile, rows);
        return qn_grid_matmul(params, d->glu, true, rows);
    case QN_KERNEL_MATMUL_PACKED:
        return qn_grid_matmul_tiles(params, d->glu, d->tile, rows);
    case QN_KERNEL_MATMUL_FEW:
        return qn_grid_matmul_few(params, d->glu, d->few_lanes, rows);
    case QN_KERNEL_GLU:
    case QN_KERNEL_ACT:
        return qn_grid_elements(((const struct qn_params_glu *)params)->cols, rows);
    case QN_KERNEL_ADD:
        return qn_grid_elements(((const struct qn_params_add *)params)->cols, rows);
    case QN_KERNEL_LAST_ROWS:
        return qn_grid_elements(((const struct qn_params_last_rows *)params)->cols, rows);
    case QN_KERNEL_GATHER:
        return qn_grid_elements(((const struct qn_params_gather *)params)->cols, rows);
    case QN_KERNEL_ROUTE:
        return qn_grid_rmsnorm(t);
    case QN_KERNEL_EXPERT_GLU: {
        const struct qn_params_experts *e = params;
        return qn_grid_experts(e->n_used * e->width, t);
    }
    case QN_KERNEL_EXPERT_DOWN:
        return qn_grid_experts(((const struct qn_params_experts *)params)->width, t);
    case QN_KERNEL_ROPE_APPEND:
        return qn_grid_rope(params, t);
    case QN_KERNEL_ATTENTION_SPLIT:
        return qn_grid_attention_split(params, d->head_dim, t, end);
    case QN_KERNEL_ATTENTION_MERGE:
        return qn_grid_attention_merge(params, t);
    case QN_KERNEL_ATTENTION_PREFILL:
        return qn_grid_attention_prefill(params, d->head_dim, t);
    case QN_KERNEL_ARGMAX_PARTIAL:
        return qn_grid_argmax_partial(params, r);
    case QN_KERNEL_ARGMAX_FINAL:
        return qn_grid_argmax_final(r);
    case QN_KERNEL_SAMPLE_PREPARE:
        return qn_grid_sample_prepare(params, r);
    case QN_KERNEL_SEEN_MARK:
        return qn_grid_seen_mark(t);
    case QN_KERNEL_SAMPLE_THRESHOLD:
    case QN_KERNEL_SAMPLE_FINISH:
    case QN_KERNEL_COUNT:
        break;
    }
    return qn_grid_rows(r);
}
