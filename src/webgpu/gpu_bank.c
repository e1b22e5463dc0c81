/* Banks: buffers that hold the caches, counts, biases and masks of several sessions, slot by slot,
 * so that one dispatch reaches all of them. A bank has as many slots as it needs: its buffers are
 * made anew, one after the other, when a session comes, so that one session alone pays for one. */
#include <string.h>

#include "base/num.h"
#include "webgpu/gpu_internal.h"

static size_t parts_size(const struct qn_lower *l) {
    return l->n_buffers[QN_SPACE_BANK] * sizeof(struct qn_gpu_part);
}

static size_t patches_size(const struct qn_lower *l) {
    const struct qn_lower_range *body = &l->lists[QN_LIST_BODY_ONE];
    return (body->end - body->begin + 1) * sizeof(size_t);
}

/* ---- Groups -------------------------------------------------------------------------------- */

static void drop_groups(struct qn_gpu *gpu, struct qn_gpu_bank *bank) {
    qn_gpu_release(gpu, QN_TAPE_DESTROY_GROUP, qn_gpu_group_id(gpu, bank, 0), bank->n_groups);
    gpu->stats.groups -= bank->n_groups;
    bank->n_groups = 0;
}

enum qn_status qn_gpu_bank_groups(struct qn_gpu *gpu, struct qn_gpu_bank *bank,
                                  struct qn_error *err) {
    const struct qn_lower *l = &gpu->lower;
    if (bank->n_groups != 0)
        return QN_OK;
    for (uint32_t i = 0; i < l->n_dispatches; i++) {
        const struct qn_lower_dispatch *d = &l->dispatches[i];
        struct qn_kernel kernel;
        qn_kernel_get(&kernel, d->kernel);
        qn_tape_word(&gpu->tape, QN_TAPE_CREATE_GROUP);
        qn_tape_word(&gpu->tape, qn_gpu_group_id(gpu, bank, i));
        qn_tape_word(&gpu->tape, d->kernel);
        qn_tape_word(&gpu->tape, kernel.n_bindings);
        for (uint32_t j = 0; j < kernel.n_bindings; j++) {
            const struct qn_lower_ref *ref = &d->bindings[j];
            bool slots = ref->space == QN_SPACE_BANK && l->buffers[ref->space][ref->buffer].most;
            qn_tape_word(&gpu->tape, qn_gpu_buffer_id(gpu, bank, ref->space, ref->buffer));
            qn_tape_word(&gpu->tape, ref->offset);
            qn_tape_word(&gpu->tape, slots ? bank->parts[ref->buffer].bytes : ref->bytes);
        }
    }
    // A host that fails may have made the groups before the word that failed: all are released.
    bank->n_groups = l->n_dispatches;
    gpu->stats.groups += l->n_dispatches;
    enum qn_status status = qn_gpu_play(gpu, err);
    if (status != QN_OK)
        drop_groups(gpu, bank);
    return status;
}

/* ---- Buffers ------------------------------------------------------------------------------- */

/* Makes buffer i anew, of so many bytes, and moves into it what slots keep. A failure changes
 * nothing. */
static enum qn_status replace(struct qn_gpu *gpu, struct qn_gpu_bank *bank, uint32_t i,
                              uint32_t bytes, struct qn_error *err) {
    const struct qn_lower_buffer *buffer = &gpu->lower.buffers[QN_SPACE_BANK][i];
    struct qn_gpu_part *part = &bank->parts[i], old = *part;
    uint32_t before = qn_gpu_buffer_id(gpu, bank, QN_SPACE_BANK, i), created = 0;
    part->odd = old.bytes != 0 && !old.odd;
    uint32_t now = qn_gpu_buffer_id(gpu, bank, QN_SPACE_BANK, i);
    struct qn_lower_buffer wanted = {bytes, buffer->usage, 0};
    enum qn_status status = qn_gpu_buffers_create(gpu, now, &wanted, 1, &created, err);
    if (status == QN_OK && old.bytes != 0) {
        uint32_t n = qn_min_u32(old.bytes, bytes);
        if (buffer->most == QN_SLOTS)
            qn_tape_append(&gpu->tape,
                           (uint32_t[]){QN_TAPE_COPY, before, 0, now, 0, n, QN_TAPE_SUBMIT}, 7);
        qn_tape_append(&gpu->tape, (uint32_t[]){QN_TAPE_DESTROY_BUFFER, before}, 2);
        status = qn_gpu_play(gpu, err);
    }
    if (status != QN_OK) {
        qn_gpu_buffers_destroy(gpu, now, &wanted, created);
        *part = old;
        return status;
    }
    part->bytes = bytes;
    gpu->bytes -= old.bytes;
    gpu->stats.buffers -= old.bytes != 0;
    return QN_OK;
}

/* Room for exactly so many slots. Where that fails, the buffers are partly of the new size: as far
 * as bank->slots says they can all be used, with new groups. */
static enum qn_status resize(struct qn_gpu *gpu, struct qn_gpu_bank *bank, uint32_t slots,
                             struct qn_error *err) {
    const struct qn_lower *l = &gpu->lower;
    drop_groups(gpu, bank);
    bank->decode_sampler = QN_LIST_COUNT;
    if (slots < bank->slots)
        bank->slots = slots;
    for (uint32_t i = 0; i < l->n_buffers[QN_SPACE_BANK]; i++) {
        uint64_t bytes = qn_lower_bytes(&l->buffers[QN_SPACE_BANK][i], slots);
        if (bytes != bank->parts[i].bytes) // within 32 bits: max_slots sees to it
            QN_TRY(replace(gpu, bank, i, (uint32_t)bytes, err));
    }
    bank->slots = slots;
    return QN_OK;
}

/* ---- Life ---------------------------------------------------------------------------------- */

/* All buffers in one tape; where the host refuses that, one by one. */
static void destroy_parts(struct qn_gpu *gpu, struct qn_gpu_bank *bank) {
    uint32_t n = gpu->lower.n_buffers[QN_SPACE_BANK];
    for (int apart = 0; apart < 2; apart++) {
        enum qn_status status = QN_OK;
        for (uint32_t i = 0; i < n; i++) {
            if (bank->parts[i].bytes == 0)
                continue;
            qn_tape_word(&gpu->tape, QN_TAPE_DESTROY_BUFFER);
            qn_tape_word(&gpu->tape, qn_gpu_buffer_id(gpu, bank, QN_SPACE_BANK, i));
            if (apart)
                (void)qn_gpu_play(gpu, NULL);
        }
        if (!apart)
            status = qn_gpu_play(gpu, NULL);
        if (status == QN_OK)
            break;
    }
    for (uint32_t i = 0; i < n; i++) {
        gpu->bytes -= bank->parts[i].bytes;
        gpu->stats.buffers -= bank->parts[i].bytes != 0;
    }
}

static void close(struct qn_gpu *gpu, struct qn_gpu_bank *bank) {
    const struct qn_lower *l = &gpu->lower;
    drop_groups(gpu, bank);
    if (bank->parts)
        destroy_parts(gpu, bank);
    gpu->banks[bank->number] = NULL;
    qn_tape_free(&bank->decode);
    qn_mem_free(gpu->allocator, bank->parts, parts_size(l));
    qn_mem_free(gpu->allocator, bank->decode_patches, patches_size(l));
    qn_mem_free(gpu->allocator, bank, sizeof *bank);
}

static enum qn_status prepare(struct qn_gpu *gpu, struct qn_gpu_bank *bank, struct qn_error *err) {
    const struct qn_lower *l = &gpu->lower;
    const struct qn_lower_range *body = &l->lists[QN_LIST_BODY_ONE];
    const struct qn_lower_range *head = &l->lists[QN_LIST_HEAD];
    qn_tape_init(&bank->decode, gpu->allocator);
    qn_tape_reserve(&bank->decode,
                    (size_t)(body->end - body->begin + head->end - head->begin) * 8 + 64);
    bank->parts = qn_mem_alloc(gpu->allocator, parts_size(l));
    bank->decode_patches = qn_mem_alloc(gpu->allocator, patches_size(l));
    if (bank->parts)
        memset(bank->parts, 0, parts_size(l));
    if (!bank->parts || !bank->decode_patches || bank->decode.failed)
        return qn_fail(err, QN_E_NO_MEMORY, "a session");
    QN_TRY(resize(gpu, bank, 1, err));
    return qn_gpu_bank_groups(gpu, bank, err);
}

static enum qn_status open_bank(struct qn_gpu *gpu, struct qn_gpu_bank **out,
                                struct qn_error *err) {
    uint32_t number = 0;
    while (number < gpu->max_banks && gpu->banks[number])
        number++;
    if (number == gpu->max_banks)
        return qn_fail(err, QN_E_LIMIT, "%u banks of sessions", number);
    struct qn_gpu_bank *bank = qn_mem_alloc(gpu->allocator, sizeof *bank);
    if (bank == NULL)
        return qn_fail(err, QN_E_NO_MEMORY, "a session");
    *bank = (struct qn_gpu_bank){.number = number, .decode_sampler = QN_LIST_COUNT};
    gpu->banks[number] = bank;
    enum qn_status status = prepare(gpu, bank, err);
    if (status != QN_OK)
        close(gpu, bank);
    else
        *out = bank;
    return status;
}

/* The lowest free slot; QN_SLOTS: none. */
static uint32_t free_slot(const struct qn_gpu_bank *bank) {
    uint32_t slot = 0;
    while (slot < QN_SLOTS && (bank->taken >> slot & 1))
        slot++;
    return slot;
}

/* One more slot in this bank, which may fail for want of memory, and then changes nothing. */
static enum qn_status grow(struct qn_gpu *gpu, struct qn_gpu_bank *bank, struct qn_error *err) {
    if (free_slot(bank) < bank->slots)
        return qn_gpu_bank_groups(gpu, bank, err);
    QN_TRY(resize(gpu, bank, bank->slots + 1, err));
    return qn_gpu_bank_groups(gpu, bank, err);
}

enum qn_status qn_gpu_slot_take(struct qn_gpu *gpu, struct qn_gpu_bank **out, uint32_t *slot,
                                struct qn_error *err) {
    if (gpu->n_sessions == QN_SLOTS)
        return qn_fail(err, QN_E_LIMIT, "%u sessions at once", gpu->n_sessions);
    struct qn_gpu_bank *bank = NULL;
    for (uint32_t i = 0; i < gpu->max_banks && bank == NULL; i++) {
        if (gpu->banks[i] == NULL || free_slot(gpu->banks[i]) >= gpu->lower.max_slots)
            continue;
        enum qn_status status = grow(gpu, gpu->banks[i], err);
        if (status == QN_OK)
            bank = gpu->banks[i];
        else if (status != QN_E_GPU_MEMORY)
            return status;
    }
    if (bank == NULL)
        QN_TRY(open_bank(gpu, &bank, err));
    *slot = free_slot(bank);
    *out = bank;
    bank->taken |= (uint64_t)1 << *slot;
    gpu->n_sessions++;
    return QN_OK;
}

void qn_gpu_slot_free(struct qn_gpu *gpu, struct qn_gpu_bank *bank, uint32_t slot) {
    bank->taken &= ~((uint64_t)1 << slot);
    gpu->n_sessions--;
    if (bank->taken == 0) {
        close(gpu, bank);
        return;
    }
    uint32_t used = bank->slots;
    while (!(bank->taken >> (used - 1) & 1))
        used--;
    if (used <= bank->slots / 2)
        (void)resize(gpu, bank, used, NULL);
}
