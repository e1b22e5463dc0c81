/* The reference kernels and grids as a wasm module of their own, for tests/js/kernels.test.mjs. */
#include "quant/kv.h"
#include "webgpu/packed.h"
#include "webgpu/ref_kernels.h"

#define EXPORT __attribute__((visibility("default"), used))

static struct qn_error error;

EXPORT const char *optest_error(void);
EXPORT uint32_t optest_run(uint32_t id, const struct qn_ref_call *call);
EXPORT void optest_grid(struct qn_grid *out, uint32_t id, const void *params, uint32_t a,
                        uint32_t b, uint32_t c);
EXPORT uint32_t optest_tune(const struct qn_params_matmul *p, uint32_t type, uint32_t glu);
EXPORT void optest_widen(struct qn_matvec_tune *tune, uint32_t glu, uint32_t cols);
EXPORT void optest_packed(struct qn_matvec_tune *tune, const struct qn_params_matmul *p,
                          uint32_t glu, uint32_t pack, uint32_t argmax, uint32_t cols);
EXPORT void optest_unpack(float *x, const void *row, uint32_t groups);
EXPORT uint32_t optest_lanes(const struct qn_params_matmul *p);
EXPORT uint32_t optest_takes_few(const struct qn_params_matmul *p, uint32_t glu, uint32_t matrix,
                                 uint32_t rows);
EXPORT uint32_t optest_splits(const struct qn_params_attention *p, uint32_t head_dim);
EXPORT uint32_t optest_chunks(uint32_t vocab);
EXPORT uint32_t optest_kernels(void);
EXPORT uint32_t optest_kv_bytes(uint32_t number, uint32_t dim);
EXPORT void optest_kv_write(unsigned char *rows, const float *x, uint32_t number, uint32_t dim,
                            uint32_t n);
EXPORT void optest_kv_read(float *x, const unsigned char *rows, uint32_t number, uint32_t dim,
                           uint32_t n);

/* `tune` for one row of x becomes that for `cols`. */
void optest_widen(struct qn_matvec_tune *tune, uint32_t glu, uint32_t cols) {
    *tune = qn_matvec_widen(*tune, glu != 0, cols);
}

/* matvec_dot's `tune` becomes matvec_packed's. */
void optest_packed(struct qn_matvec_tune *tune, const struct qn_params_matmul *p, uint32_t glu,
                   uint32_t pack, uint32_t argmax, uint32_t cols) {
    *tune = qn_matvec_packed_tune(p, *tune, glu != 0, pack != 0, argmax != 0, cols);
}

/* A packed row as floats, and its Σ x² behind them. */
void optest_unpack(float *x, const void *row, uint32_t groups) {
    for (uint32_t g = 0; g < groups; g++)
        x[groups * QN_GROUP] = qn_packed_get(x + (size_t)g * QN_GROUP, row, groups, g);
}

const char *optest_error(void) {
    return error.text;
}

uint32_t optest_run(uint32_t id, const struct qn_ref_call *call) {
    return (uint32_t)qn_ref_run((enum qn_kernel_id)id, call, &error);
}

/* a, b, c: what the kernel's grid function takes after its params. */
void optest_grid(struct qn_grid *out, uint32_t id, const void *params, uint32_t a, uint32_t b,
                 uint32_t c) {
    switch ((enum qn_kernel_id)id) {
    case QN_KERNEL_EMBED:
        *out = qn_grid_embed(params, a);
        break;
    case QN_KERNEL_RMSNORM:
    case QN_KERNEL_LAYERNORM:
    case QN_KERNEL_ROUTE:
        *out = qn_grid_rmsnorm(a);
        break;
    case QN_KERNEL_EXPERT_GLU:
    case QN_KERNEL_EXPERT_DOWN:
        *out = qn_grid_experts(b, a);
        break;
    case QN_KERNEL_MATVEC:
        *out = qn_grid_matvec(params, (struct qn_matvec_tune){b, c, 0, 0, 1, 64}, a);
        break;
    case QN_KERNEL_MATVEC_DOT:
        *out = qn_grid_matvec(params, (struct qn_matvec_tune){b, c, 0, 0, 1, 256}, a);
        break;
    case QN_KERNEL_MATVEC_PACKED: // c: rows + 256 × threads
        *out = qn_grid_matvec(params, (struct qn_matvec_tune){b, c & 255, 0, 0, 1, c >> 8}, a);
        break;
    case QN_KERNEL_PACK_ROWS:
        *out = qn_grid_pack_rows(params, b != 0, a);
        break;
    case QN_KERNEL_MATMUL_MATRIX:
        *out = qn_grid_matmul(params, b != 0, true, a);
        break;
    case QN_KERNEL_MATMUL_PACKED:
    case QN_KERNEL_MATMUL_TILES: // c: tx + 256 × ty + 65536 × quads
        *out = qn_grid_matmul_tiles(
            params, b != 0, (struct qn_matmul_tile){c & 255, c >> 8 & 255, 0, 0, c >> 16}, a);
        break;
    case QN_KERNEL_MATMUL_FEW:
        *out = qn_grid_matmul_few(params, b != 0, c, a);
        break;
    case QN_KERNEL_GLU:
    case QN_KERNEL_ACT:
    case QN_KERNEL_ADD:
    case QN_KERNEL_LAST_ROWS:
    case QN_KERNEL_GATHER:
        *out = qn_grid_elements(b, a);
        break;
    case QN_KERNEL_ROPE_APPEND:
        *out = qn_grid_rope(params, a);
        break;
    case QN_KERNEL_ATTENTION_SPLIT:
        *out = qn_grid_attention_split(params, b, a, c);
        break;
    case QN_KERNEL_ATTENTION_MERGE:
        *out = qn_grid_attention_merge(params, a);
        break;
    case QN_KERNEL_ATTENTION_PREFILL:
        *out = qn_grid_attention_prefill(params, b, a);
        break;
    case QN_KERNEL_ARGMAX_PARTIAL:
        *out = qn_grid_argmax_partial(params, a);
        break;
    case QN_KERNEL_ARGMAX_FINAL:
        *out = qn_grid_argmax_final(a);
        break;
    case QN_KERNEL_SAMPLE_PREPARE:
        *out = qn_grid_sample_prepare(params, a);
        break;
    case QN_KERNEL_SAMPLE_THRESHOLD:
    case QN_KERNEL_SAMPLE_FINISH:
        *out = qn_grid_rows(a);
        break;
    case QN_KERNEL_SEEN_MARK:
        *out = qn_grid_seen_mark(a);
        break;
    case QN_KERNEL_COUNT:
        break;
    }
}

uint32_t optest_tune(const struct qn_params_matmul *p, uint32_t type, uint32_t glu) {
    struct qn_matvec_tune tune = qn_matvec_tune(p, (enum qn_wtype)type, glu != 0);
    return tune.lanes | tune.rows << 16;
}

uint32_t optest_lanes(const struct qn_params_matmul *p) {
    return qn_matmul_lanes(p);
}
uint32_t optest_takes_few(const struct qn_params_matmul *p, uint32_t glu, uint32_t matrix,
                          uint32_t rows) {
    return qn_matmul_takes_few(p, glu != 0, matrix != 0, rows, QN_FILL);
}
uint32_t optest_splits(const struct qn_params_attention *p, uint32_t head_dim) {
    return qn_attention_splits(p, head_dim);
}
uint32_t optest_chunks(uint32_t vocab) {
    return qn_argmax_chunks(vocab);
}
uint32_t optest_kernels(void) {
    return QN_KERNEL_COUNT;
}

/* n rows of keys or values. */
uint32_t optest_kv_bytes(uint32_t number, uint32_t dim) {
    return (uint32_t)qn_kv_row_bytes(qn_kv_dtype(number), dim);
}
void optest_kv_write(unsigned char *rows, const float *x, uint32_t number, uint32_t dim,
                     uint32_t n) {
    for (uint32_t i = 0; i < n; i++)
        qn_kv_row_write(rows + (size_t)i * optest_kv_bytes(number, dim), qn_kv_dtype(number),
                        x + (size_t)i * dim, dim);
}
void optest_kv_read(float *x, const unsigned char *rows, uint32_t number, uint32_t dim,
                    uint32_t n) {
    for (uint32_t i = 0; i < n * dim; i++)
        x[i] = qn_kv_row_at(rows + (size_t)(i / dim) * optest_kv_bytes(number, dim),
                            qn_kv_dtype(number), dim, i % dim);
}
