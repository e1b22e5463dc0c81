#include "model/weights.h"

#include "base/num.h"
#include "quant/codec.h"

#define NAME_MAX_BYTES 128

#define FLOATS ((1u << QN_DTYPE_F32) | (1u << QN_DTYPE_F16) | (1u << QN_DTYPE_BF16))
#define INTEGERS                                                                                 \
    ((1u << QN_DTYPE_I8) | (1u << QN_DTYPE_U8) | (1u << QN_DTYPE_I16) | (1u << QN_DTYPE_U16) |   \
     (1u << QN_DTYPE_I32) | (1u << QN_DTYPE_U32) | (1u << QN_DTYPE_I64) | (1u << QN_DTYPE_U64) | \
     (1u << QN_DTYPE_BOOL) | (1u << QN_DTYPE_NONE))

/* https://github.com/mlc-ai/mlc-llm/blob/main/python/mlc_llm/quantization/quantization.py.
 * Missing on purpose: q4f16_0 and q4f32_0 (transposed), q3f16_1 (ten 3-bit values in a word). */
static const struct qn_mlc_quant mlc_quants[] = {
    {"q0f16", false, false},  {"q0bf16", false, false}, {"q0f32", false, false},
    {"q4f16_1", true, true},  {"q4bf16_1", true, true}, {"q4f32_1", true, true},
    {"q4f16_2", true, false},
};

enum qn_status qn_weights_init(struct qn_weights *w, struct qn_program *program,
                               const struct qn_directory *d, const struct qn_model_config *config,
                               struct qn_error *err) {
    *w = (struct qn_weights){program, d, config, qn_traits_naming(config->traits, d->format), NULL};
    if (d->format != QN_FORMAT_MLC)
        return QN_OK;
    for (size_t i = 0; i < sizeof mlc_quants / sizeof mlc_quants[0]; i++)
        if (qn_str_is(config->quantization, mlc_quants[i].name))
            w->mlc = &mlc_quants[i];
    if (!w->mlc)
        return qn_fail(err, QN_E_UNSUPPORTED, "the MLC quantisation \"%.*s\"",
                       QN_STR_ARG(config->quantization));
    return QN_OK;
}

bool qn_weights_has(const struct qn_weights *w, enum qn_role role) {
    return w->naming->names[role] != NULL;
}

/* "model.layers.#.mlp.down_proj" with the layer put in, and the suffix. */
static struct qn_str tensor_name(char buffer[NAME_MAX_BYTES], const struct qn_weights *w,
                                 enum qn_role role, uint32_t layer, const char *suffix) {
    size_t n = 0;
    for (const char *p = w->naming->names[role]; *p && n < NAME_MAX_BYTES; p++) {
        if (*p != '#') {
            buffer[n++] = *p;
            continue;
        }
        uint32_t scale = 1;
        while (layer / scale >= 10)
            scale *= 10;
        for (; scale && n < NAME_MAX_BYTES; scale /= 10)
            buffer[n++] = (char)('0' + layer / scale % 10);
    }
    for (; *suffix && n < NAME_MAX_BYTES; suffix++)
        buffer[n++] = *suffix;
    return (struct qn_str){buffer, n};
}

static enum qn_status add_source(struct qn_weight *weight, const struct qn_tensor *tensor,
                                 enum qn_plane plane, uint32_t row, uint32_t n_rows,
                                 struct qn_error *err) {
    if (weight->n_sources == QN_WEIGHT_SOURCES)
        return qn_fail(err, QN_E_INTERNAL, "a weight has more than %u sources", QN_WEIGHT_SOURCES);
    if (!weight->n_sources)
        weight->name = tensor->name;
    weight->sources[weight->n_sources++] = (struct qn_weight_source){
        .file = tensor->file,
        .offset = tensor->offset,
        .nbytes = tensor->nbytes,
        .dtype = tensor->dtype,
        .plane = plane,
        .row = row,
        .n_rows = n_rows,
    };
    return QN_OK;
}

static enum qn_status no_decoder(const struct qn_tensor *tensor, struct qn_error *err) {
    return qn_fail(err, QN_E_UNSUPPORTED, "tensor %.*s of type %s", QN_STR_ARG(tensor->name),
                   qn_dtype_name(tensor->dtype));
}

/* MLC group quantisation: words [n_rows, cols_padded / 8] and scales [n_rows, cols_padded / 32].
 * The shapes pin the group of 32: another group size has another number of scales. */
static enum qn_status mlc_pair(struct qn_wformat *format, struct qn_weight *weight,
                               const struct qn_weights *w, const struct qn_weight_part *part,
                               uint32_t layer, uint32_t row, uint32_t cols, struct qn_error *err) {
    char buffer[NAME_MAX_BYTES];
    const struct qn_tensor *words, *scales;
    uint64_t groups = qn_ceil_div_u32(cols, QN_GROUP);
    uint64_t dims[2] = {part->n_rows, groups * (QN_GROUP / 8)};
    struct qn_str name = tensor_name(buffer, w, part->role, layer, ".q_weight");
    QN_TRY(qn_directory_bind(&words, w->d, name, 1u << QN_DTYPE_U32, 2, dims, err));
    dims[1] = groups;
    name = tensor_name(buffer, w, part->role, layer, ".q_scale");
    QN_TRY(qn_directory_bind(&scales, w->d, name, FLOATS, 2, dims, err));
    QN_TRY(add_source(weight, words, QN_PLANE_VALUES, row, part->n_rows, err));
    QN_TRY(add_source(weight, scales, QN_PLANE_SCALES, row, part->n_rows, err));
    *format = (struct qn_wformat){QN_W_Q4, scales->dtype, 7};
    return QN_OK;
}

static enum qn_status plain(struct qn_wformat *format, struct qn_weight *weight,
                            const struct qn_weights *w, const struct qn_weight_part *part,
                            uint32_t layer, uint32_t row, uint32_t cols, struct qn_error *err) {
    char buffer[NAME_MAX_BYTES];
    const struct qn_tensor *tensor;
    uint64_t dims[2] = {part->n_rows, cols};
    struct qn_str name = tensor_name(buffer, w, part->role, layer, ".weight");
    QN_TRY(qn_directory_bind(&tensor, w->d, name, ~INTEGERS, 2, dims, err));
    if (!qn_codec_format(format, tensor->dtype, false))
        return no_decoder(tensor, err);
    if (cols % qn_dtype_block(tensor->dtype))
        return qn_fail(err, QN_E_TENSOR, "tensor %.*s: rows of %u are no whole blocks of %s",
                       QN_STR_ARG(tensor->name), cols, qn_dtype_name(tensor->dtype));
    return add_source(weight, tensor, QN_PLANE_VALUES, row, part->n_rows, err);
}

static enum qn_status add_weight(uint32_t *out, const struct qn_weights *w,
                                 const struct qn_weight *weight, struct qn_error *err) {
    struct qn_program_tensor tensor = {
        .kind = QN_TENSOR_WEIGHT,
        .n_dims = 2,
        .dims = {QN_DIM(weight->rows), QN_DIM(weight->cols)},
        .label = "weight",
    };
    QN_TRY(qn_program_add_weight(w->program, &tensor.weight, weight, err));
    return qn_program_add_tensor(w->program, out, &tensor, err);
}

enum qn_status qn_weights_matrix(uint32_t *out, bool *same, const struct qn_weights *w,
                                 const struct qn_weight_part *parts, uint32_t n_parts,
                                 uint32_t layer, uint32_t cols, struct qn_error *err) {
    struct qn_weight weight = {.cols = cols};
    *same = true;
    *out = QN_NONE;
    for (uint32_t i = 0; i < n_parts; i++) {
        bool table = parts[i].role == QN_ROLE_EMBED || parts[i].role == QN_ROLE_HEAD;
        bool pair = w->mlc && (table ? w->mlc->table : w->mlc->linear);
        struct qn_wformat format;
        QN_TRY((pair ? mlc_pair : plain)(&format, &weight, w, &parts[i], layer, weight.rows, cols,
                                         err));
        if (!i)
            weight.format = format;
        *same &= format.type == weight.format.type && format.scale == weight.format.scale &&
                 format.zero == weight.format.zero;
        weight.rows += parts[i].n_rows;
    }
    return *same ? add_weight(out, w, &weight, err) : QN_OK;
}

enum qn_status qn_weights_vector(uint32_t *out, const struct qn_weights *w,
                                 const struct qn_weight_part *parts, uint32_t n_parts,
                                 uint32_t layer, const char *suffix, struct qn_error *err) {
    struct qn_weight weight = {.format = {.type = QN_W_F32}, .rows = 1};
    for (uint32_t i = 0; i < n_parts; i++) {
        char buffer[NAME_MAX_BYTES];
        const struct qn_tensor *tensor;
        uint64_t n = parts[i].n_rows;
        struct qn_str name = tensor_name(buffer, w, parts[i].role, layer, suffix);
        QN_TRY(qn_directory_bind(&tensor, w->d, name, FLOATS, 1, &n, err));
        QN_TRY(add_source(&weight, tensor, QN_PLANE_VALUES, weight.cols, parts[i].n_rows, err));
        weight.cols += parts[i].n_rows;
    }
    return add_weight(out, w, &weight, err);
}

enum qn_status qn_weights_bias(uint32_t *out, const struct qn_weights *w, bool expected,
                               const struct qn_weight_part *parts, uint32_t n_parts, uint32_t layer,
                               struct qn_error *err) {
    *out = QN_NONE;
    if (expected)
        return qn_weights_vector(out, w, parts, n_parts, layer, ".bias", err);
    for (uint32_t i = 0; i < n_parts; i++) {
        char buffer[NAME_MAX_BYTES];
        struct qn_str name = tensor_name(buffer, w, parts[i].role, layer, ".bias");
        if (qn_directory_find(w->d, name))
            return qn_fail(err, QN_E_TENSOR,
                           "tensor %.*s is there, but the configuration says no bias",
                           QN_STR_ARG(name));
    }
    return QN_OK;
}
