#include "model/relative.h"

#include "base/maths.h"
#include "base/num.h"
#include "quant/codec.h"

/* T5's buckets (Raffel et al. 2020): half of them for what lies ahead; of each half the first half
 * one distance each, the others wider and wider, up to QN_FAR. In float32, as the models were
 * trained. */
static uint32_t bucket_of(uint32_t distance, bool ahead, uint32_t n_buckets) {
    uint32_t half = n_buckets / 2, exact = half / 2, at = distance;
    if (distance >= exact) {
        float part =
            (float)qn_log((double)distance / exact) / (float)qn_log((double)QN_FAR / exact);
        at = qn_min_u32(exact + (uint32_t)(part * (float)(half - exact)), half - 1);
    }
    return at + (ahead ? half : 0);
}

enum qn_status qn_relative_read(const float **out, const struct qn_weights *w,
                                struct qn_error *err) {
    char buffer[QN_TENSOR_NAME_BYTES];
    const struct qn_tensor *tensor;
    uint32_t n_buckets = w->config->n_buckets, n_heads = w->config->n_heads;
    const uint64_t dims[2] = {n_buckets, n_heads};
    struct qn_arena *arena = w->program->arena;
    struct qn_str name = qn_tensor_name(buffer, &w->names, QN_ROLE_RELATIVE, 0, 0, ".weight");
    QN_TRY(qn_directory_bind(&tensor, w->d, name, QN_FLOATS, 2, dims, err));
    size_t n = (size_t)n_buckets * n_heads, stored = (size_t)tensor->nbytes; // at most 4 MiB
    unsigned char *bytes = qn_arena_alloc(arena, stored, 1);
    float *buckets = QN_ARENA_NEW(arena, float, n);
    float *values = QN_ARENA_NEW(arena, float, (size_t)n_heads *QN_RELATIVE);
    if (!bytes || !buckets || !values)
        return qn_fail(err, QN_E_NO_MEMORY, "%u buckets of distances", n_buckets);
    enum qn_status status =
        w->files->read(w->files->ud, w->d->files[tensor->file], tensor->offset, bytes, stored);
    if (status != QN_OK)
        return qn_fail(err, status, "reading tensor \"%.*s\"", QN_STR_ARG(tensor->name));
    QN_TRY(qn_codec_decode(buckets, tensor->dtype, bytes, n, err));
    for (uint32_t i = 0; i < QN_RELATIVE; i++) {
        bool ahead = i > QN_FAR;
        uint32_t bucket = bucket_of(ahead ? i - QN_FAR : QN_FAR - i, ahead, n_buckets);
        for (uint32_t h = 0; h < n_heads; h++)
            values[h * QN_RELATIVE + i] = buckets[bucket * n_heads + h];
    }
    *out = values;
    return QN_OK;
}
