/* Where weights lie: vectors pooled in one buffer, matrices in buffers of their own, cut by rows
 * where a plane exceeds a binding. */
#include "base/num.h"
#include "webgpu/lower_parts.h"

#define SLAB_ROWS 64u // a slab's rows are a multiple of this, so that its planes end on whole words

enum use { USE_NONE = 0, USE_VECTOR = 1, USE_MATRIX = 2, USE_GLU = 4 };

static uint32_t use_of(enum qn_op_kind kind, uint32_t input) {
    switch (kind) {
    case QN_OP_EMBED:
        return USE_MATRIX;
    case QN_OP_MATMUL:
    case QN_OP_EXPERT_GLU:
    case QN_OP_EXPERT_DOWN:
        return input == 1 ? USE_MATRIX : USE_VECTOR;
    case QN_OP_MATMUL_GLU:
        return input == 1 ? USE_GLU : USE_VECTOR;
    default:
        return USE_VECTOR;
    }
}

static enum qn_status slab_add(struct qn_lower *l, const struct qn_lower_weight *w,
                               const char *what, uint32_t row_begin, uint32_t n_rows,
                               struct qn_error *err) {
    struct qn_lower_slab slab = {row_begin, n_rows, {QN_NONE, QN_NONE}};
    uint64_t rows = (uint64_t)n_rows * (w->half ? 2 : 1);
    for (int plane = 0; plane < QN_PLANE_COUNT; plane++)
        if (w->row_bytes[plane] != 0)
            QN_TRY(qn_lower_buffer_add(l, &slab.buffer[plane], QN_SPACE_SHARED,
                                       (rows * w->row_bytes[plane] + 15) & ~(uint64_t)15,
                                       QN_USE_STORAGE | QN_USE_COPY_DST, what, err));
    struct qn_lower_slab *slabs =
        qn_lower_grow(l, l->slabs, l->n_slabs, &l->cap_slabs, sizeof *slabs);
    if (slabs == NULL)
        return qn_fail(err, QN_E_NO_MEMORY, "lowering: slabs");
    l->slabs = slabs;
    l->slabs[l->n_slabs++] = slab;
    return QN_OK;
}

/* `unit`: a slab's rows are a multiple of this. */
static enum qn_status slabs_add(struct qn_lower *l, uint32_t index, uint32_t unit,
                                struct qn_error *err) {
    const struct qn_weight *weight = &l->program->weights[index];
    struct qn_lower_weight *w = &l->weights[index];
    uint32_t rows = w->half ? w->half : weight->rows;
    uint64_t limit =
        l->caps.max_binding < l->caps.max_buffer ? l->caps.max_binding : l->caps.max_buffer;
    uint64_t row = 0;
    for (int plane = 0; plane < QN_PLANE_COUNT; plane++)
        if (w->row_bytes[plane] > row)
            row = w->row_bytes[plane];
    row *= w->half ? 2 : 1;
    uint64_t most = (limit & ~(uint64_t)15) / row;
    if (most < rows)
        most -= most % unit;
    if (most == 0)
        return qn_fail(err, QN_E_GPU_MEMORY, "weight %.*s: rows of %llu bytes, the limit is %llu",
                       QN_STR_ARG(weight->name), (unsigned long long)row,
                       (unsigned long long)limit);
    w->place = QN_PLACE_SLABS;
    w->first_slab = l->n_slabs;
    for (uint32_t at = 0; at < rows;) {
        uint32_t n = most < rows - at ? (uint32_t)most : rows - at;
        QN_TRY(slab_add(l, w, "a weight", at, n, err));
        at += n;
    }
    w->n_slabs = l->n_slabs - w->first_slab;
    return QN_OK;
}

enum qn_status qn_lower_weights(struct qn_lower *l, struct qn_error *err) {
    const struct qn_program *p = l->program;
    uint32_t *uses = QN_ARENA_NEW(l->arena, uint32_t, p->n_weights);
    l->weights = QN_ARENA_NEW(l->arena, struct qn_lower_weight, p->n_weights);
    uint32_t *units = QN_ARENA_NEW(l->arena, uint32_t, p->n_weights);
    if (uses == NULL || units == NULL || l->weights == NULL)
        return qn_fail(err, QN_E_NO_MEMORY, "lowering: %u weights", p->n_weights);
    for (uint32_t i = 0; i < p->n_ops; i++)
        for (uint32_t j = 0; j < QN_OP_INPUTS; j++) {
            uint32_t tensor = p->ops[i].in[j].tensor;
            if (tensor == QN_NONE || p->tensors[tensor].kind != QN_TENSOR_WEIGHT)
                continue;
            uint32_t at = p->tensors[tensor].weight;
            uses[at] |= use_of(p->ops[i].kind, j);
            bool experts =
                p->ops[i].kind == QN_OP_EXPERT_GLU || p->ops[i].kind == QN_OP_EXPERT_DOWN;
            units[at] = SLAB_ROWS;
            if (experts) { // whole ones
                uint32_t each = p->weights[at].rows / p->ops[i].u.moe.n_experts;
                units[at] = each;
                while (units[at] % SLAB_ROWS && units[at] <= UINT32_MAX - each)
                    units[at] += each;
            }
        }
    uint64_t pool = 0;
    for (uint32_t i = 0; i < p->n_weights; i++) {
        const struct qn_weight *weight = &p->weights[i];
        struct qn_lower_weight *w = &l->weights[i];
        for (int plane = 0; plane < QN_PLANE_COUNT; plane++)
            w->row_bytes[plane] =
                qn_wformat_row(&weight->format, weight->cols, (enum qn_plane)plane);
        if (uses[i] == USE_NONE)
            continue;
        if (uses[i] == USE_VECTOR) {
            if (weight->rows != 1 || weight->format.type != QN_W_F32)
                return qn_fail(err, QN_E_UNSUPPORTED, "vector %.*s: %u rows of %s",
                               QN_STR_ARG(weight->name), weight->rows,
                               qn_wformat_name(&weight->format));
            w->place = QN_PLACE_POOL;
            if (!qn_u64_to_u32(&w->offset, pool))
                return qn_fail(err, QN_E_LIMIT, "the model's vectors exceed 4 GiB");
            pool = (pool + w->row_bytes[QN_PLANE_VALUES] + 255) & ~(uint64_t)255;
            continue;
        }
        if (uses[i] != USE_MATRIX && uses[i] != USE_GLU)
            return qn_fail(err, QN_E_UNSUPPORTED, "weight %.*s is used in two ways",
                           QN_STR_ARG(weight->name));
        w->half = uses[i] == USE_GLU ? weight->rows / 2 : 0;
        QN_TRY(slabs_add(l, i, units[i], err));
    }
    return qn_lower_buffer_add(l, &l->b_vectors, QN_SPACE_SHARED, pool ? pool : 256,
                               QN_USE_STORAGE | QN_USE_COPY_DST, "the vectors", err);
}
