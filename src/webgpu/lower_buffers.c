/* Places of everything that is no weight. WebGPU counts a whole buffer as one resource: what a
 * dispatch writes may share a buffer with nothing that it reads. So activations do not lie in one
 * arena; they take turns in a few buffers, and an op's result never takes the buffer of a live
 * operand. */
#include "base/num.h"
#include "webgpu/lower_parts.h"

#define STORAGE (QN_USE_STORAGE | QN_USE_COPY_SRC | QN_USE_COPY_DST)

struct slot {
    uint64_t bytes; // of its largest tenant
    uint32_t until; // last op that needs the present tenant
};

static bool tensor_rows_are_r(const struct qn_program_tensor *tensor) {
    return tensor->n_dims > 0 && tensor->dims[0].sym == QN_SYM_R;
}

static enum qn_status tensor_bytes(const struct qn_lower *l, uint64_t *out,
                                   const struct qn_program_tensor *tensor, struct qn_error *err) {
    uint64_t n = 4;
    for (uint32_t i = 0; i < tensor->n_dims; i++)
        if (!qn_mul_u64(&n, n,
                        qn_dim_value(tensor->dims[i], l->program->max_tokens, l->block_rows)))
            return qn_fail(err, QN_E_LIMIT, "activation %s is too large",
                           tensor->label ? tensor->label : "?");
    *out = n;
    return QN_OK;
}

/* Last ops that need each tensor: longer than the program's lives where an op's operand stands in
 * for its result, and without end where the head, which runs in blocks, reads what the
 * body made. */
static void lives(const struct qn_lower *l, uint32_t *until, const bool *fused,
                  const uint32_t *partner) {
    const struct qn_program *p = l->program;
    for (uint32_t i = 0; i < p->n_tensors; i++)
        until[i] = 0;
    for (uint32_t i = p->n_ops; i-- > 0;) {
        const struct qn_program_op *op = &p->ops[i];
        bool head = tensor_rows_are_r(&p->tensors[op->out]);
        for (uint32_t j = 0; j < QN_OP_INPUTS; j++) {
            uint32_t in = op->in[j].tensor;
            if (in == QN_NONE || p->tensors[in].kind != QN_TENSOR_ACTIVATION)
                continue;
            uint32_t last = !fused[i]               ? i
                            : partner[i] != QN_NONE ? partner[i]
                                                    : qn_max_u32(i, until[op->out]);
            if (head && !tensor_rows_are_r(&p->tensors[in]))
                last = p->n_ops;
            until[in] = qn_max_u32(until[in], last);
        }
    }
}

/* The smallest free slot that is large enough, else the largest free one, else a new one. */
static uint32_t slot_take(struct slot *slots, uint32_t *n_slots, uint64_t bytes, uint32_t op) {
    uint32_t best = QN_NONE;
    for (uint32_t i = 0; i < *n_slots; i++) {
        if (slots[i].until >= op)
            continue;
        if (best == QN_NONE) {
            best = i;
            continue;
        }
        bool fits = slots[i].bytes >= bytes, best_fits = slots[best].bytes >= bytes;
        if (fits != best_fits ? fits : fits == (slots[i].bytes < slots[best].bytes))
            best = i;
    }
    if (best == QN_NONE) {
        best = (*n_slots)++;
        slots[best] = (struct slot){0, 0};
    }
    if (slots[best].bytes < bytes)
        slots[best].bytes = bytes;
    return best;
}

/* The tensor that shares a buffer with a folded norm's result and lies before it, or QN_NONE. */
static uint32_t beside(const struct qn_program *p, uint32_t op, const bool *fused,
                       const uint32_t *partner) {
    if (!fused[op] || partner[op] == QN_NONE || !qn_lower_keeps(p, &p->ops[op]))
        return QN_NONE;
    return p->ops[partner[op]].out;
}

static enum qn_status activations(struct qn_lower *l, const bool *fused, const uint32_t *partner,
                                  struct qn_error *err) {
    const struct qn_program *p = l->program;
    uint32_t *until = QN_ARENA_NEW(l->arena, uint32_t, p->n_tensors);
    uint32_t *slot_of = QN_ARENA_NEW(l->arena, uint32_t, p->n_tensors);
    struct slot *slots = QN_ARENA_NEW(l->arena, struct slot, p->n_ops);
    if (until == NULL || slot_of == NULL || slots == NULL)
        return qn_fail(err, QN_E_NO_MEMORY, "lowering: %u tensors", p->n_tensors);
    lives(l, until, fused, partner);
    uint32_t n_slots = 0;
    for (uint32_t i = 0; i < p->n_ops; i++) {
        uint32_t out = p->ops[i].out, other = beside(p, i, fused, partner), last = until[out];
        uint64_t bytes, more = 0;
        if (out == p->logits)
            slot_of[out] = QN_NONE;
        if (out == p->logits || (partner[i] != QN_NONE && !fused[i] &&
                                 beside(p, partner[i], fused, partner) != QN_NONE))
            continue;
        QN_TRY(tensor_bytes(l, &bytes, &p->tensors[out], err));
        if (other != QN_NONE) {
            QN_TRY(tensor_bytes(l, &more, &p->tensors[other], err));
            last = qn_max_u32(last, until[other]);
        }
        slot_of[out] = slot_take(slots, &n_slots, ((more + 255) & ~255ull) + bytes, i);
        slots[slot_of[out]].until = qn_max_u32(last, i);
        if (other != QN_NONE)
            slot_of[other] = slot_of[out];
    }
    uint32_t first = l->n_buffers[QN_SPACE_SHARED], id;
    for (uint32_t i = 0; i < n_slots; i++) {
        QN_TRY(qn_lower_buffer_add(l, &id, QN_SPACE_SHARED, slots[i].bytes, STORAGE,
                                   "the activations of a prefill step", err));
        if (i == 0 || slots[i].bytes > l->buffers[QN_SPACE_SHARED][l->bounce].bytes)
            l->bounce = id;
    }
    for (uint32_t i = 0; i < p->n_ops; i++) {
        uint32_t out = p->ops[i].out;
        uint64_t bytes;
        QN_TRY(tensor_bytes(l, &bytes, &p->tensors[out], err));
        uint32_t buffer = slot_of[out] == QN_NONE ? l->b_logits : first + slot_of[out];
        uint32_t other = beside(p, i, fused, partner), offset = 0;
        if (other != QN_NONE) {
            uint64_t more;
            QN_TRY(tensor_bytes(l, &more, &p->tensors[other], err));
            offset = ((uint32_t)more + 255) & ~255u;
        }
        l->places[out] = (struct qn_lower_ref){QN_SPACE_SHARED, buffer, offset, (uint32_t)bytes};
    }
    return QN_OK;
}

static enum qn_status logits(struct qn_lower *l, struct qn_error *err) {
    const struct qn_program *p = l->program;
    if (p->logits >= p->n_tensors || p->tensors[p->logits].n_dims != 2 ||
        !tensor_rows_are_r(&p->tensors[p->logits]))
        return qn_fail(err, QN_E_UNSUPPORTED, "a program without logits [R, vocab]");
    l->vocab = p->tensors[p->logits].dims[1].n;
    l->sample_vocab = p->sample_vocab && p->sample_vocab < l->vocab ? p->sample_vocab : l->vocab;
    uint64_t row = (uint64_t)l->vocab * 4;
    uint64_t most = l->caps.max_binding < QN_LOGITS_BYTES ? l->caps.max_binding : QN_LOGITS_BYTES;
    uint64_t rows = most / row;
    uint32_t max_rows = p->max_rows ? p->max_rows : 1;
    l->block_rows = rows == 0 ? 1 : rows < max_rows ? (uint32_t)rows : max_rows;
    l->n_blocks = qn_ceil_div_u32(max_rows, l->block_rows);
    l->max_batch = qn_min_u32(l->max_batch, l->block_rows);
    l->block_stride = (l->block_rows * 4 + 255) & ~255u;
    QN_TRY(qn_lower_buffer_add(l, &l->b_logits, QN_SPACE_SHARED, row * l->block_rows, STORAGE,
                               "the logits", err));
    QN_TRY(qn_lower_buffer_add(l, &l->b_all_ids, QN_SPACE_SHARED,
                               (uint64_t)l->n_blocks * l->block_stride, STORAGE,
                               "the arg-max of all rows", err));
    return qn_lower_buffer_add(l, &l->b_block_steps, QN_SPACE_SHARED, (uint64_t)l->n_blocks * 256,
                               QN_USE_UNIFORM | QN_USE_COPY_DST, "the blocks of a step", err);
}

static enum qn_status states(struct qn_lower *l, struct qn_error *err) {
    const struct qn_program *p = l->program;
    for (uint32_t i = 0; i < p->n_tensors; i++) {
        const struct qn_program_tensor *tensor = &p->tensors[i];
        if (tensor->kind != QN_TENSOR_STATE)
            continue;
        uint32_t id;
        QN_TRY(qn_lower_bank_add(l, &id, tensor->nbytes, QN_SLOTS, STORAGE, "the KV cache", err));
        l->places[i] = qn_lower_whole(l, QN_SPACE_BANK, id);
    }
    return QN_OK;
}

enum qn_status qn_lower_buffers(struct qn_lower *l, const bool *fused, const uint32_t *partner,
                                struct qn_error *err) {
    const struct qn_program *p = l->program;
    l->places = QN_ARENA_NEW(l->arena, struct qn_lower_ref, p->n_tensors);
    if (l->places == NULL)
        return qn_fail(err, QN_E_NO_MEMORY, "lowering: %u tensors", p->n_tensors);
    QN_TRY(logits(l, err));
    QN_TRY(activations(l, fused, partner, err));
    QN_TRY(states(l, err));
    uint64_t vocab = (uint64_t)l->vocab * 4, ids = (QN_SLOTS + (uint64_t)p->max_tokens) * 4;
    uint64_t prefix = (uint64_t)(p->context ? p->context : 1) * 4;
    const uint32_t uniform = QN_USE_UNIFORM | QN_USE_COPY_DST;
    QN_TRY(qn_lower_buffer_add(l, &l->b_dummy, QN_SPACE_SHARED, 256, STORAGE, "a filler", err));
    QN_TRY(qn_lower_buffer_add(l, &l->b_prefix, QN_SPACE_SHARED, prefix, STORAGE, "a prefix", err));
    QN_TRY(qn_lower_buffer_add(l, &l->b_prefix_n, QN_SPACE_SHARED, 256, uniform, "a prefix", err));
    QN_TRY(qn_lower_bank_add(l, &l->b_step, 256, 0, uniform | QN_USE_STORAGE, "a step", err));
    QN_TRY(qn_lower_bank_add(l, &l->b_sampling, sizeof(struct qn_params_sampling), QN_SLOTS,
                             STORAGE, "sampling", err));
    QN_TRY(qn_lower_bank_add(l, &l->b_ids, ids, 0, STORAGE, "a step's ids", err));
    QN_TRY(
        qn_lower_bank_add(l, &l->b_results, QN_STEP_ROWS * 4, 0, STORAGE, "a step's tokens", err));
    QN_TRY(qn_lower_bank_add(l, &l->b_seen, vocab, QN_SLOTS, STORAGE, "counts", err));
    QN_TRY(qn_lower_bank_add(l, &l->b_bias, vocab, QN_SLOTS, STORAGE, "a bias", err));
    QN_TRY(qn_lower_bank_add(l, &l->b_mask, (uint64_t)qn_ceil_div_u32(l->vocab, 32) * 4, QN_SLOTS,
                             STORAGE, "a mask", err));
    if (p->ids < p->n_tensors)
        l->places[p->ids] = qn_lower_whole(l, QN_SPACE_BANK, l->b_ids);
    return QN_OK;
}
