/* What the parts of lowering are made with. */
#include "webgpu/lower_parts.h"

#include <string.h>

#include "base/num.h"

void *qn_lower_grow(struct qn_lower *l, void *array, uint32_t n, uint32_t *capacity, size_t size) {
    if (n < *capacity)
        return array;
    uint32_t wanted = *capacity ? *capacity * 2 : 32;
    void *grown = qn_arena_alloc(l->arena, wanted, size);
    if (grown == NULL)
        return NULL;
    if (n != 0)
        memcpy(grown, array, n * size);
    *capacity = wanted;
    return grown;
}

/* Bytes of a buffer, at most. */
static uint64_t limit_of(const struct qn_lower *l, uint32_t usage) {
    uint64_t limit = l->caps.max_buffer;
    if ((usage & QN_USE_STORAGE) && l->caps.max_binding < limit)
        limit = l->caps.max_binding;
    return limit > UINT32_MAX - 255 ? UINT32_MAX - 255 : limit;
}

enum qn_status qn_lower_buffer_add(struct qn_lower *l, uint32_t *out, enum qn_space space,
                                   uint64_t bytes, uint32_t usage, const char *what,
                                   struct qn_error *err) {
    uint64_t limit = limit_of(l, usage);
    if (bytes > limit)
        return qn_fail(err, QN_E_GPU_MEMORY, "%s: %llu bytes, the device's limit is %llu", what,
                       (unsigned long long)bytes, (unsigned long long)limit);
    struct qn_lower_buffer *buffers = qn_lower_grow(l, l->buffers[space], l->n_buffers[space],
                                                    &l->cap_buffers[space], sizeof *buffers);
    if (buffers == NULL)
        return qn_fail(err, QN_E_NO_MEMORY, "lowering: buffers");
    l->buffers[space] = buffers;
    *out = l->n_buffers[space]++;
    // Kernels may load whole 16-byte words.
    buffers[*out] = (struct qn_lower_buffer){((uint32_t)bytes + 15) & ~15u, usage, 0};
    return QN_OK;
}

enum qn_status qn_lower_bank_add(struct qn_lower *l, uint32_t *out, uint64_t bytes, uint32_t most,
                                 uint32_t usage, const char *what, struct qn_error *err) {
    QN_TRY(qn_lower_buffer_add(l, out, QN_SPACE_BANK, bytes, usage, what, err));
    struct qn_lower_buffer *buffer = &l->buffers[QN_SPACE_BANK][*out];
    if (most == 0)
        return QN_OK;
    buffer->bytes = (uint32_t)bytes; // slots lie one behind the other
    buffer->most = most;
    uint32_t *slots = most == QN_SLOTS ? &l->max_slots : &l->max_batch, room = most;
    while (room > 1 && qn_lower_bytes(buffer, room) > limit_of(l, usage))
        room--;
    *slots = qn_min_u32(*slots, room);
    return QN_OK;
}

uint64_t qn_lower_bytes(const struct qn_lower_buffer *buffer, uint32_t slots) {
    uint64_t n = buffer->most ? qn_min_u32(buffer->most, slots) : 1;
    return (n * buffer->bytes + 15) & ~(uint64_t)15;
}

struct qn_lower_ref qn_lower_whole(const struct qn_lower *l, enum qn_space space, uint32_t buffer) {
    return (struct qn_lower_ref){space, buffer, 0, l->buffers[space][buffer].bytes};
}

/* A slot of the parameter buffer with these contents, new or the one that has them already. */
static enum qn_status params_add(struct qn_lower *l, uint32_t *out, const void *params, size_t n,
                                 struct qn_error *err) {
    unsigned char slot[QN_LOWER_SLOT] = {0};
    memcpy(slot, params, n);
    for (uint32_t i = 0; i < l->n_params; i++)
        if (memcmp(l->params + (size_t)i * QN_LOWER_SLOT, slot, QN_LOWER_SLOT) == 0) {
            *out = i * QN_LOWER_SLOT;
            return QN_OK;
        }
    unsigned char *grown = qn_lower_grow(l, l->params, l->n_params, &l->cap_params, QN_LOWER_SLOT);
    if (grown == NULL)
        return qn_fail(err, QN_E_NO_MEMORY, "lowering: parameters");
    l->params = grown;
    memcpy(l->params + (size_t)l->n_params * QN_LOWER_SLOT, slot, QN_LOWER_SLOT);
    *out = l->n_params++ * QN_LOWER_SLOT;
    return QN_OK;
}

enum qn_status qn_lower_pipeline_add(struct qn_lower *l, uint32_t *out,
                                     const struct qn_kernel *kernel, enum qn_kernel_id id,
                                     const float *constants, struct qn_error *err) {
    for (uint32_t i = 0; i < l->n_pipelines; i++)
        if (l->pipelines[i].kernel == id && memcmp(l->pipelines[i].values, constants,
                                                   kernel->n_constants * sizeof *constants) == 0) {
            *out = i;
            return QN_OK;
        }
    struct qn_lower_pipeline *pipelines =
        qn_lower_grow(l, l->pipelines, l->n_pipelines, &l->cap_pipelines, sizeof *pipelines);
    if (pipelines == NULL)
        return qn_fail(err, QN_E_NO_MEMORY, "lowering: pipelines");
    l->pipelines = pipelines;
    struct qn_lower_pipeline *pipeline = &pipelines[l->n_pipelines];
    *pipeline = (struct qn_lower_pipeline){.kernel = id, .n = kernel->n_constants};
    for (uint32_t i = 0; i < kernel->n_constants; i++) {
        pipeline->names[i] = kernel->constants[i];
        pipeline->values[i] = constants[i];
    }
    *out = l->n_pipelines++;
    return QN_OK;
}

enum qn_status qn_lower_dispatch_add(struct qn_lower *l, const struct qn_lower_draft *draft,
                                     struct qn_error *err) {
    struct qn_kernel kernel;
    qn_kernel_get(&kernel, draft->kernel);
    struct qn_lower_dispatch *dispatches =
        qn_lower_grow(l, l->dispatches, l->n_dispatches, &l->cap_dispatches, sizeof *dispatches);
    if (dispatches == NULL)
        return qn_fail(err, QN_E_NO_MEMORY, "lowering: dispatches");
    l->dispatches = dispatches;
    struct qn_lower_dispatch d = draft->rest;
    d.kernel = draft->kernel;
    QN_TRY(qn_lower_pipeline_add(l, &d.pipeline, &kernel, draft->kernel, draft->constants, err));
    memcpy(d.bindings, draft->bindings, sizeof d.bindings);
    if (draft->params) {
        QN_TRY(params_add(l, &d.params, draft->params, kernel.params_bytes, err));
        uint32_t bytes = ((uint32_t)kernel.params_bytes + 15) & ~15u;
        d.bindings[0] = (struct qn_lower_ref){QN_SPACE_SHARED, l->b_params, d.params, bytes};
    }
    for (uint32_t i = 0; i < kernel.n_bindings; i++)
        if (d.bindings[i].bytes == 0)
            d.bindings[i] = qn_lower_whole(l, QN_SPACE_SHARED, l->b_dummy);
    l->dispatches[l->n_dispatches++] = d;
    return QN_OK;
}

struct qn_lower_source qn_lower_source_of(const struct qn_lower *l,
                                          const struct qn_lower_mode *mode, struct qn_operand in,
                                          bool norms) {
    const struct qn_program *p = l->program;
    struct qn_lower_source s = {.tensor = in.tensor, .column = in.column};
    uint32_t op = mode->producer[s.tensor];
    if (norms && op != QN_NONE && mode->fused[op] && p->ops[op].kind == QN_OP_RMSNORM &&
        p->ops[op].in[3].tensor == QN_NONE) {
        s.norm = &p->ops[op];
        s.tensor = s.norm->in[0].tensor;
        s.column = s.norm->in[0].column;
        op = mode->producer[s.tensor];
    }
    if (op != QN_NONE && mode->fused[op] && p->ops[op].kind == QN_OP_LAST_ROWS) {
        s.tail = true;
        s.tensor = p->ops[op].in[0].tensor;
        s.column = p->ops[op].in[0].column;
    }
    s.stride = qn_lower_columns(p, s.tensor);
    return s;
}

struct qn_lower_ref qn_lower_vector_of(const struct qn_lower *l, struct qn_operand in) {
    if (in.tensor == QN_NONE)
        return (struct qn_lower_ref){0};
    const struct qn_lower_weight *w = &l->weights[l->program->tensors[in.tensor].weight];
    return (struct qn_lower_ref){QN_SPACE_SHARED, l->b_vectors, w->offset,
                                 (uint32_t)w->row_bytes[QN_PLANE_VALUES]};
}

struct qn_lower_ref qn_lower_plane(const struct qn_lower *l, const struct qn_lower_slab *slab,
                                   enum qn_plane plane) {
    if (slab->buffer[plane] == QN_NONE)
        return (struct qn_lower_ref){0};
    return qn_lower_whole(l, QN_SPACE_SHARED, slab->buffer[plane]);
}

float qn_lower_scale_type(const struct qn_wformat *f) {
    uint32_t type = f->scale == QN_DTYPE_BF16  ? QN_STYPE_BF16
                    : f->scale == QN_DTYPE_F32 ? QN_STYPE_F32
                                               : QN_STYPE_F16;
    type += f->minimum * QN_STYPE_PAIRS + f->zeros * QN_STYPE_ZEROS + f->super * QN_STYPE_SUPER +
            f->levels * QN_STYPE_LEVELS + f->high * QN_STYPE_HIGH;
    for (uint32_t group = QN_GROUP / 2; group < f->group; group *= 2)
        type += QN_STYPE_GROUP;
    return (float)type;
}

bool qn_lower_matvec_takes(uint32_t cols, uint32_t stride, uint32_t column) {
    return cols % 4 == 0 && stride % 4 == 0 && column % 4 == 0;
}

bool qn_lower_wide(const struct qn_lower *l) {
    return l->caps.features & QN_GPU_ROWS &&
           (!(l->caps.features & QN_GPU_SUBGROUPS) || l->caps.subgroup_min == l->caps.subgroup_max);
}

struct qn_params_attention qn_lower_attention_params(const struct qn_program *p,
                                                     const struct qn_program_op *op) {
    struct qn_params_attention params = {.n_heads = op->u.attention.n_heads,
                                         .n_kv_heads = op->u.attention.n_kv_heads,
                                         .context = p->context,
                                         .window = op->u.attention.window,
                                         .q_stride = qn_lower_columns(p, op->in[0].tensor),
                                         .q_column = op->in[0].column,
                                         .scale = op->u.attention.scale,
                                         .softcap = op->u.attention.softcap,
                                         .whole = p->whole,
                                         .head_stride = op->u.attention.head_dim};
    params.splits = qn_attention_splits(&params, op->u.attention.head_dim);
    return params;
}
