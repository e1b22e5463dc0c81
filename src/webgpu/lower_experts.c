/* Mixture of experts as dispatches: one per slab of stacked weights. */
#include "webgpu/lower_parts.h"

/* The head's rows have no experts: kernels count tokens. */
static enum qn_status check_rows(const struct qn_program *p, const struct qn_program_op *op,
                                 struct qn_error *err) {
    struct qn_dim rows = p->tensors[op->out].dims[0];
    if (rows.sym == QN_SYM_T && rows.n == 1)
        return QN_OK;
    return qn_fail(err, QN_E_UNSUPPORTED, "%s of rows of the head", qn_op_name(op->kind));
}

enum qn_status qn_lower_route(struct qn_lower *l, struct qn_lower_ref step,
                              const struct qn_program_op *op, struct qn_error *err) {
    QN_TRY(check_rows(l->program, op, err));
    struct qn_params_experts params = {.n_experts = op->u.moe.n_experts,
                                       .n_used = op->u.moe.n_used,
                                       .renormalise = op->u.moe.renormalise,
                                       .x_stride = op->u.moe.n_experts};
    struct qn_lower_draft draft = {
        .kernel = QN_KERNEL_ROUTE,
        .params = &params,
        .bindings = {{0}, step, l->places[op->in[0].tensor], l->places[op->out]}};
    return qn_lower_dispatch_add(l, &draft, err);
}

enum qn_status qn_lower_experts(struct qn_lower *l, struct qn_lower_ref step,
                                const struct qn_program_op *op, struct qn_error *err) {
    const struct qn_program *p = l->program;
    bool glu = op->kind == QN_OP_EXPERT_GLU;
    uint32_t index = p->tensors[op->in[1].tensor].weight;
    const struct qn_weight *weight = &p->weights[index];
    const struct qn_lower_weight *w = &l->weights[index];
    QN_TRY(check_rows(p, op, err));
    for (uint32_t i = 0; i < w->n_slabs; i++) {
        const struct qn_lower_slab *slab = &l->slabs[w->first_slab + i];
        struct qn_params_experts params = {.cols = weight->cols,
                                           .width =
                                               weight->rows / op->u.moe.n_experts / (glu ? 2 : 1),
                                           .n_experts = op->u.moe.n_experts,
                                           .n_used = op->u.moe.n_used,
                                           .row_begin = slab->row_begin,
                                           .n_rows = slab->n_rows,
                                           .first = i == 0,
                                           .x_stride = qn_lower_columns(p, op->in[0].tensor)};
        struct qn_lower_draft draft = {
            .kernel = glu ? QN_KERNEL_EXPERT_GLU : QN_KERNEL_EXPERT_DOWN,
            .params = &params,
            .bindings = {{0},
                         step,
                         l->places[op->in[0].tensor],
                         qn_lower_plane(l, slab, QN_PLANE_VALUES),
                         qn_lower_plane(l, slab, QN_PLANE_SCALES),
                         l->places[op->in[2].tensor],
                         l->places[op->out]},
            .constants = {(float)weight->format.type, qn_lower_scale_type(&weight->format),
                          (float)weight->format.zero, glu ? (float)op->u.moe.act : 0.0f}};
        QN_TRY(qn_lower_dispatch_add(l, &draft, err));
    }
    return QN_OK;
}
