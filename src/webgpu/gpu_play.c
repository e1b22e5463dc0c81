/* Tapes to the host, and the buffers that they make. */
#include "webgpu/gpu_internal.h"

#include "base/num.h"

void qn_gpu_turn(struct qn_gpu *gpu) {
    gpu->trial.due = gpu->playing;
    if (gpu->playing)
        return;
    qn_gpu_trial_turn(gpu);
    if (gpu->state == QN_GPU_PENDING && gpu->fenced && gpu->trial.state == QN_TRIAL_OVER)
        gpu->state = QN_GPU_READY;
}

enum qn_status qn_gpu_play(struct qn_gpu *gpu, struct qn_error *err) {
    if (gpu->tape.failed) {
        qn_tape_clear(&gpu->tape);
        return qn_fail(err, QN_E_NO_MEMORY, "a tape");
    }
    // A host need not fill in the error.
    struct qn_error inner = {0};
    gpu->playing = true;
    enum qn_status status = gpu->host.play(gpu->host.ud, gpu->tape.words, gpu->tape.n, &inner);
    gpu->playing = false;
    gpu->stats.words = (uint32_t)gpu->tape.n;
    qn_tape_clear(&gpu->tape);
    if (gpu->trial.due && status == QN_OK)
        qn_gpu_turn(gpu);
    if (status == QN_OK)
        return QN_OK;
    if (status == QN_E_GPU_LOST)
        qn_gpu_set_failed(gpu, QN_GPU_LOST, status, QN_STR(""));
    if (inner.status != status)
        return qn_fail(err, status, "the GPU host");
    if (err)
        *err = inner;
    return status;
}

void qn_gpu_set_failed(struct qn_gpu *gpu, enum qn_gpu_state state, enum qn_status status,
                       struct qn_str message) {
    if (gpu->state == QN_GPU_LOST || (gpu->state == QN_GPU_FAILED && state != QN_GPU_LOST))
        return; // the first failure is the one that explains
    gpu->state = state;
    if (message.n)
        qn_fail(&gpu->failure, status, "%.*s", QN_STR_ARG(message));
    else
        qn_fail(&gpu->failure, status, "no details");
}

enum qn_status qn_gpu_check(const struct qn_gpu *gpu, struct qn_error *err) {
    if (gpu->state != QN_GPU_FAILED && gpu->state != QN_GPU_LOST)
        return QN_OK;
    if (err)
        *err = gpu->failure;
    return gpu->failure.status;
}

uint32_t qn_gpu_tag(struct qn_gpu *gpu) {
    if (++gpu->next_tag == 0)
        ++gpu->next_tag;
    return gpu->next_tag;
}

void qn_gpu_put_write(struct qn_tape *tape, uint32_t buffer, uint32_t offset, uint32_t n,
                      const void *p) {
    qn_tape_word(tape, QN_TAPE_WRITE_BUFFER);
    qn_tape_word(tape, buffer);
    qn_tape_word(tape, offset);
    qn_tape_word(tape, n);
    qn_tape_ptr(tape, p);
}

/* One buffer to a tape, so that it is known which exist when one fails. */
enum qn_status qn_gpu_buffers_create(struct qn_gpu *gpu, uint32_t first,
                                     const struct qn_lower_buffer *buffers, uint32_t n,
                                     uint32_t *created, struct qn_error *err) {
    for (*created = 0; *created < n; ++*created) {
        const struct qn_lower_buffer *buffer = &buffers[*created];
        qn_tape_word(&gpu->tape, QN_TAPE_CREATE_BUFFER);
        qn_tape_word(&gpu->tape, first + *created);
        qn_tape_word(&gpu->tape, buffer->bytes);
        qn_tape_word(&gpu->tape, buffer->usage);
        QN_TRY(qn_gpu_play(gpu, err));
        gpu->bytes += buffer->bytes;
        gpu->stats.buffers++;
    }
    return QN_OK;
}

void qn_gpu_release(struct qn_gpu *gpu, enum qn_tape_op op, uint32_t first, uint32_t n) {
    const uint32_t batch = 128; // fits in what create() reserved
    for (uint32_t at = 0; at < n; at += batch) {
        uint32_t count = qn_min_u32(batch, n - at);
        for (uint32_t i = 0; i < count; i++) {
            qn_tape_word(&gpu->tape, op);
            qn_tape_word(&gpu->tape, first + at + i);
        }
        if (qn_gpu_play(gpu, NULL) == QN_OK)
            continue;
        // Whatever stopped the batch must not keep the rest alive.
        for (uint32_t i = 0; i < count; i++) {
            qn_tape_word(&gpu->tape, op);
            qn_tape_word(&gpu->tape, first + at + i);
            (void)qn_gpu_play(gpu, NULL);
        }
    }
}

void qn_gpu_buffers_destroy(struct qn_gpu *gpu, uint32_t first,
                            const struct qn_lower_buffer *buffers, uint32_t n) {
    qn_gpu_release(gpu, QN_TAPE_DESTROY_BUFFER, first, n);
    for (uint32_t i = 0; i < n; i++)
        gpu->bytes -= buffers[i].bytes;
    gpu->stats.buffers -= n;
}
