#include "webgpu/ref_call.h"

#include <math.h>

#include "base/num.h"

enum qn_status qn_ref_holds(const struct qn_ref_call *c, uint32_t i, uint64_t count, uint64_t size,
                            struct qn_error *err) {
    uint64_t need;
    if (!qn_mul_u64(&need, count, size) || need > c->n[i])
        return qn_fail(err, QN_E_INTERNAL, "binding %u: %llu × %llu bytes needed, %zu bound", i,
                       (unsigned long long)count, (unsigned long long)size, c->n[i]);
    return QN_OK;
}

enum qn_status qn_ref_covers(const struct qn_ref_call *c, struct qn_grid grid,
                             struct qn_error *err) {
    if (c->grid.x < grid.x || c->grid.y < grid.y || c->grid.z < grid.z)
        return qn_fail(err, QN_E_INTERNAL, "grid %u,%u,%u does not cover %u,%u,%u", c->grid.x,
                       c->grid.y, c->grid.z, grid.x, grid.y, grid.z);
    return QN_OK;
}

uint64_t qn_ref_extent(uint32_t rows, uint32_t stride, uint32_t column, uint32_t cols) {
    return rows ? (uint64_t)(rows - 1) * stride + column + cols : 0;
}

double qn_ref_act(uint32_t kind, double x) {
    switch (kind) {
    case QN_ACT_SILU:
        return x / (1 + exp(-x));
    case QN_ACT_GELU_TANH:
        return 0.5 * x * (1 + tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x)));
    case QN_ACT_GELU_ERF:
        return 0.5 * x * (1 + erf(x * 0.70710678118654752440));
    default:
        return x > 0 ? x : 0;
    }
}

enum qn_status qn_ref_weights_of(struct qn_ref_weights *out, const struct qn_ref_call *c,
                                 uint32_t at, uint32_t cols, uint64_t rows, struct qn_error *err) {
    static const enum qn_dtype scales[] = {QN_DTYPE_F16, QN_DTYPE_BF16, QN_DTYPE_F32,
                                           QN_DTYPE_NONE};
    uint32_t type = (uint32_t)c->constants[0], stype = (uint32_t)c->constants[1];
    out->format = (struct qn_wformat){.type = (enum qn_wtype)type};
    if (type == QN_W_Q8 || type == QN_W_Q4)
        out->format = (struct qn_wformat){.type = (enum qn_wtype)type,
                                          .scale = scales[stype & 3],
                                          .zero = (uint32_t)c->constants[2],
                                          .group = QN_GROUP / 2 << (stype / QN_STYPE_GROUP & 3),
                                          .minimum = stype & QN_STYPE_PAIRS,
                                          .zeros = stype & QN_STYPE_ZEROS,
                                          .super = stype & QN_STYPE_SUPER,
                                          .levels = stype & QN_STYPE_LEVELS,
                                          .high = stype / QN_STYPE_HIGH & 3};
    if (!qn_wformat_valid(&out->format))
        return qn_fail(err, QN_E_INTERNAL, "weight type %u, scale type %u", type, stype);
    out->values = c->p[at];
    out->scales = c->p[at + 1];
    out->groups = qn_ceil_div_u32(cols, QN_GROUP);
    if (type >= QN_W_Q8 && qn_wformat_cols(cols) % qn_wformat_block(&out->format).cols)
        return qn_fail(err, QN_E_INTERNAL, "%u columns of %s", cols, qn_wformat_name(&out->format));
    out->value_row = qn_wformat_row(&out->format, cols, QN_PLANE_VALUES);
    out->scale_row = qn_wformat_row(&out->format, cols, QN_PLANE_SCALES);
    QN_TRY(qn_ref_holds(c, at, rows, out->value_row, err));
    return qn_ref_holds(c, at + 1, rows, out->scale_row, err);
}

void qn_ref_decode_group(float out[QN_GROUP], const struct qn_ref_weights *w, size_t row,
                         uint32_t group) {
    qn_wformat_decode(out, &w->format, group * QN_GROUP, QN_GROUP, w->values + row * w->value_row,
                      w->scales + row * w->scale_row);
}

uint32_t qn_ref_key(uint32_t bits) {
    if ((bits & 0x7fffffffu) > 0x7f800000u)
        return 0;
    if (bits == 0x80000000u)
        bits = 0;
    return bits >> 31 ? ~bits : bits | 0x80000000u;
}

float qn_ref_value(uint32_t key) {
    return qn_bits_f32(key >> 31 ? key & 0x7fffffffu : ~key);
}
