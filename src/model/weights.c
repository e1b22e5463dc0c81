#include "model/weights.h"

#include <string.h>

#include "base/num.h"
#include "quant/codec.h"

#define FLOATS QN_FLOATS
#define INTEGERS                                                                                 \
    ((1u << QN_DTYPE_I8) | (1u << QN_DTYPE_U8) | (1u << QN_DTYPE_I16) | (1u << QN_DTYPE_U16) |   \
     (1u << QN_DTYPE_I32) | (1u << QN_DTYPE_U32) | (1u << QN_DTYPE_I64) | (1u << QN_DTYPE_U64) | \
     (1u << QN_DTYPE_BOOL) | (1u << QN_DTYPE_NONE))

/* https://github.com/mlc-ai/mlc-llm/blob/main/python/mlc_llm/quantization/quantization.py.
 * The linear layers of q4f16_autoawq are as in AWQ's own files. */
static const struct qn_mlc_quant mlc_quants[] = {
    {"q0f16", false, false, false, false},         {"q0bf16", false, false, false, false},
    {"q0f32", false, false, false, false},         {"q4f16_1", true, true, false, false},
    {"q4bf16_1", true, true, false, false},        {"q4f32_1", true, true, false, false},
    {"q4f16_2", true, false, false, false},        {"q4f16_0", true, true, true, false},
    {"q4bf16_0", true, true, true, false},         {"q3f16_1", true, true, false, true},
    {"q4f16_autoawq", false, false, false, false},
};

enum qn_status qn_weights_init(struct qn_weights *w, struct qn_program *program,
                               const struct qn_directory *d, const struct qn_files *files,
                               const struct qn_model_config *config, struct qn_error *err) {
    *w = (struct qn_weights){.program = program, .d = d, .files = files, .config = config};
    w->orders = QN_ARENA_NEW(program->arena, struct qn_orders, 1);
    if (!w->orders)
        return qn_fail(err, QN_E_NO_MEMORY, "the weights");
    qn_tensor_names_find(&w->names, config->traits, d);
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
    return w->names.naming->names[role] != NULL;
}

static struct qn_str tensor_name(char buffer[QN_TENSOR_NAME_BYTES], const struct qn_weights *w,
                                 enum qn_role role, uint32_t layer, const char *suffix) {
    return qn_tensor_name(buffer, &w->names, role, layer, 0, suffix);
}

static struct qn_str part_name(char buffer[QN_TENSOR_NAME_BYTES], const struct qn_weights *w,
                               const struct qn_weight_part *part, uint32_t layer,
                               const char *suffix) {
    return qn_tensor_name(buffer, &w->names, part->role, layer, part->expert, suffix);
}

bool qn_weights_present(const struct qn_weights *w, enum qn_role role, uint32_t layer) {
    char buffer[QN_TENSOR_NAME_BYTES];
    struct qn_str name = tensor_name(buffer, w, role, layer, ".weight");
    return name.n && qn_directory_find(w->d, name);
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

/* What a part of a weight becomes. */
struct layout {
    struct qn_wformat format;
    const float *order; // of struct qn_weight
    uint32_t cols;      // with padding in the midst of them, where the order has some
};

/* ---- Orders of columns ----------------------------------------------------------------------- */

/* The one copy of an order. */
static enum qn_status keep_order(const float **out, const struct qn_weights *w, const float *order,
                                 uint32_t cols, struct qn_error *err) {
    struct qn_orders *o = w->orders;
    for (uint32_t i = 0; i < QN_ORDERS; i++)
        if (o->cols[i] == cols && memcmp(o->list[i], order, cols * sizeof *order) == 0) {
            *out = o->list[i];
            return QN_OK;
        }
    float *copy = QN_ARENA_NEW(w->program->arena, float, cols);
    if (!copy)
        return qn_fail(err, QN_E_NO_MEMORY, "an order of %u columns", cols);
    memcpy(copy, order, cols * sizeof *order);
    *out = o->list[o->n % QN_ORDERS] = copy;
    o->cols[o->n++ % QN_ORDERS] = cols;
    return QN_OK;
}

static void *order_scratch(const struct qn_weights *w, size_t n) {
    struct qn_orders *o = w->orders;
    if (n > o->scratch_n) {
        o->scratch = QN_ARENA_NEW(w->program->arena, unsigned char, n);
        o->scratch_n = o->scratch ? n : 0;
    }
    return o->scratch;
}

/* g_idx [cols], the group of each column → the columns of group 0, those of group 1, …; NULL where
 * they lie like that. Every group must be whole: its columns come to stand together. */
static enum qn_status group_order(const float **out, const struct qn_weights *w,
                                  const struct qn_tensor *tensor, uint32_t cols, uint32_t group,
                                  struct qn_error *err) {
    uint32_t n_groups = cols / group;
    uint32_t *ids = order_scratch(w, ((size_t)cols * 2 + n_groups) * sizeof *ids);
    if (!ids)
        return qn_fail(err, QN_E_NO_MEMORY, "an order of %u columns", cols);
    uint32_t *filled = ids + cols;
    float *order = (float *)(void *)(filled + n_groups);
    enum qn_status status = w->files->read(w->files->ud, w->d->files[tensor->file], tensor->offset,
                                           ids, cols * sizeof *ids);
    if (status != QN_OK)
        return qn_fail(err, status, "reading tensor \"%.*s\"", QN_STR_ARG(tensor->name));
    memset(filled, 0, n_groups * sizeof *filled);
    bool moved = false;
    for (uint32_t k = 0; k < cols; k++) {
        uint32_t id = ids[k];
        if (id >= n_groups || filled[id] == group)
            return qn_fail(err, QN_E_TENSOR,
                           "tensor \"%.*s\": expected %u groups of %u inputs, found group %d at %u",
                           QN_STR_ARG(tensor->name), n_groups, group, (int)id, k);
        order[id * group + filled[id]++] = (float)k;
        moved |= id != k / group;
    }
    *out = NULL;
    return moved ? keep_order(out, w, order, cols, err) : QN_OK;
}

/* Of groups of 40 in 48 columns; the rest reads what lies past the end. */
static enum qn_status threes_order(const float **out, const struct qn_weights *w, uint32_t cols,
                                   uint32_t n, struct qn_error *err) {
    float *order = order_scratch(w, cols * sizeof *order);
    if (!order)
        return qn_fail(err, QN_E_NO_MEMORY, "an order of %u columns", cols);
    for (uint32_t k = 0; k < cols; k++) {
        uint32_t at = k % QN_THREES_COLS, column = k / QN_THREES_COLS * QN_THREES + at;
        order[k] = (float)(at < QN_THREES ? qn_min_u32(column, n) : n);
    }
    return keep_order(out, w, order, cols, err);
}

enum qn_status qn_weights_inverse(const float **out, const struct qn_weights *w,
                                  const struct qn_weight *weight, uint32_t n,
                                  struct qn_error *err) {
    float *inverse = order_scratch(w, n * sizeof *inverse);
    if (!inverse)
        return qn_fail(err, QN_E_NO_MEMORY, "an order of %u columns", n);
    memset(inverse, 0, n * sizeof *inverse);
    for (uint32_t k = 0; k < weight->cols; k++)
        if (weight->order[k] < (float)n)
            inverse[(uint32_t)weight->order[k]] = (float)k;
    return keep_order(out, w, inverse, n, err);
}

/* ---- Matrices -------------------------------------------------------------------------------- */

/* MLC group quantisation: four words and a scale per group, [n_rows, 4 × groups] and [n_rows,
 * groups]. The shapes pin the group of 32 or 40: another size has another number of scales. */
static enum qn_status mlc_pair(struct layout *layout, struct qn_weight *weight,
                               const struct qn_weights *w, const struct qn_weight_part *part,
                               uint32_t layer, uint32_t row, uint32_t cols, struct qn_error *err) {
    char buffer[QN_TENSOR_NAME_BYTES];
    const struct qn_tensor *words, *scales;
    bool threes = w->mlc->threes, stacked = part->n_stacked != 0;
    uint32_t groups = qn_ceil_div_u32(cols, threes ? QN_THREES : QN_GROUP);
    bool transposed = w->mlc->transposed && part->role != QN_ROLE_EMBED && !stacked;
    uint32_t rows_at = stacked + transposed, cols_at = stacked + !transposed, n_dims = 2 + stacked;
    uint32_t n_rows = part->n_rows * (stacked ? part->n_stacked : 1);
    uint64_t dims[3] = {part->n_stacked};
    dims[rows_at] = part->n_rows;
    dims[cols_at] = 4 * (uint64_t)groups;
    struct qn_str name = part_name(buffer, w, part, layer, ".q_weight");
    QN_TRY(qn_directory_bind(&words, w->d, name, 1u << QN_DTYPE_U32, n_dims, dims, err));
    dims[cols_at] = groups;
    name = part_name(buffer, w, part, layer, ".q_scale");
    QN_TRY(qn_directory_bind(&scales, w->d, name, threes ? 1u << QN_DTYPE_F16 : FLOATS, n_dims,
                             dims, err));
    QN_TRY(add_source(weight, words, QN_PLANE_VALUES, row, n_rows, err));
    QN_TRY(add_source(weight, scales, QN_PLANE_SCALES, row, n_rows, err));
    for (uint32_t i = 1; i <= 2; i++) {
        weight->sources[weight->n_sources - i].transposed = transposed;
        if (threes)
            weight->sources[weight->n_sources - i].packing = QN_PACKING_THREES;
    }
    if (threes) {
        layout->format = QN_THREES_FORMAT;
        layout->cols = groups * QN_THREES_COLS;
        return threes_order(&layout->order, w, layout->cols, cols, err);
    }
    layout->format = (struct qn_wformat){QN_W_Q4, scales->dtype, 7, QN_GROUP};
    return QN_OK;
}

/* qweight, qzeros and scales of a linear layer, the other way round than ours. */
static enum qn_status packed(struct layout *layout, struct qn_weight *weight,
                             const struct qn_weights *w, const struct qn_weight_part *part,
                             uint32_t layer, uint32_t row, uint32_t cols, struct qn_error *err) {
    char buffer[QN_TENSOR_NAME_BYTES];
    const struct qn_tensor *words, *zeros, *scales;
    enum qn_packing packing = w->config->packing;
    uint32_t group = w->config->packing_group ? w->config->packing_group : cols;
    bool awq = packing == QN_PACKING_AWQ;
    struct qn_str name = part_name(buffer, w, part, layer, ".qweight");
    if (cols % group || group % QN_GROUP || part->n_rows % 8)
        return qn_fail(err, QN_E_UNSUPPORTED, "tensor %.*s: %u inputs in groups of %u, %u outputs",
                       QN_STR_ARG(name), cols, group, part->n_rows);
    uint64_t dims[2] = {awq ? cols : cols / 8, awq ? part->n_rows / 8 : part->n_rows};
    uint32_t dtype = w->mlc ? QN_DTYPE_U32 : QN_DTYPE_I32;
    QN_TRY(qn_directory_bind(&words, w->d, name, 1u << dtype, 2, dims, err));
    dims[0] = cols / group;
    dims[1] = part->n_rows / 8;
    name = part_name(buffer, w, part, layer, ".qzeros");
    QN_TRY(qn_directory_bind(&zeros, w->d, name, 1u << dtype, 2, dims, err));
    dims[1] = part->n_rows;
    name = part_name(buffer, w, part, layer, ".scales");
    QN_TRY(qn_directory_bind(&scales, w->d, name, FLOATS, 2, dims, err));
    QN_TRY(add_source(weight, words, QN_PLANE_VALUES, row, part->n_rows, err));
    QN_TRY(add_source(weight, scales, QN_PLANE_SCALES, row, part->n_rows, err));
    struct qn_weight_source *s = &weight->sources[weight->n_sources - 2];
    s[0].dtype = QN_DTYPE_U32;
    s[0].packing = awq ? QN_PACKING_AWQ : QN_PACKING_NONE;
    s[0].transposed = s[1].transposed = true;
    s[1].packing = packing;
    s[1].group = group;
    s[1].beside_file = zeros->file;
    s[1].beside_offset = zeros->offset;
    s[1].beside_nbytes = zeros->nbytes;
    layout->format = qn_packed_format(scales->dtype, group);
    name = part_name(buffer, w, part, layer, ".g_idx");
    if (awq || group == cols || (!w->config->packing_ordered && !qn_directory_find(w->d, name)))
        return QN_OK;
    const struct qn_tensor *ids;
    const uint64_t inputs = cols;
    QN_TRY(qn_directory_bind(&ids, w->d, name, 1u << QN_DTYPE_I32, 1, &inputs, err));
    if (w->config->packing_ordered)
        return group_order(&layout->order, w, ids, cols, group, err);
    s[0].group = group;
    s[0].beside_file = ids->file;
    s[0].beside_offset = ids->offset;
    s[0].beside_nbytes = ids->nbytes;
    return QN_OK;
}

/* Whether a part is packed: a checkpoint leaves some layers as they were. */
static bool is_packed(const struct qn_weights *w, const struct qn_weight_part *part,
                      uint32_t layer) {
    char buffer[QN_TENSOR_NAME_BYTES];
    if (w->config->packing == QN_PACKING_NONE)
        return false;
    struct qn_str name = part_name(buffer, w, part, layer, ".qweight");
    return name.n && qn_directory_find(w->d, name);
}

static enum qn_status plain(struct layout *layout, struct qn_weight *weight,
                            const struct qn_weights *w, const struct qn_weight_part *part,
                            uint32_t layer, uint32_t row, uint32_t cols, struct qn_error *err) {
    char buffer[QN_TENSOR_NAME_BYTES];
    const struct qn_tensor *tensor;
    bool table = part->role == QN_ROLE_EMBED || part->role == QN_ROLE_HEAD ||
                 part->role == QN_ROLE_POSITIONS;
    bool transposed = w->config->traits->conv1d && w->d->format == QN_FORMAT_SAFETENSORS && !table;
    bool stacked = part->n_stacked != 0 && w->d->format != QN_FORMAT_SAFETENSORS;
    uint64_t dims[3] = {part->n_stacked, transposed ? cols : part->first + part->n_rows,
                        transposed ? part->n_rows : cols};
    struct qn_str name = part_name(buffer, w, part, layer, ".weight");
    QN_TRY(qn_directory_bind(&tensor, w->d, name, transposed ? FLOATS : ~INTEGERS, 2 + stacked,
                             dims + !stacked, err));
    if (!qn_codec_format(&layout->format, tensor->dtype, false))
        return no_decoder(tensor, err);
    if (cols % qn_dtype_block(tensor->dtype))
        return qn_fail(err, QN_E_TENSOR, "tensor %.*s: rows of %u are no whole blocks of %s",
                       QN_STR_ARG(tensor->name), cols, qn_dtype_name(tensor->dtype));
    QN_TRY(add_source(weight, tensor, QN_PLANE_VALUES, row, part->n_rows, err));
    struct qn_weight_source *source = &weight->sources[weight->n_sources - 1];
    source->transposed = transposed;
    if (part->first) {
        uint64_t one = source->nbytes / (part->first + part->n_rows);
        source->offset += one * part->first;
        source->nbytes = one * part->n_rows;
    }
    if (stacked) {
        source->nbytes /= part->n_stacked;
        source->offset += part->expert * source->nbytes;
    }
    return QN_OK;
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
        bool table = parts[i].role == QN_ROLE_EMBED || parts[i].role == QN_ROLE_HEAD ||
                     parts[i].role == QN_ROLE_POSITIONS;
        /* MLC leaves the router as it is. */
        bool pair =
            w->mlc && (table ? w->mlc->table : w->mlc->linear) &&
            !(parts[i].role == QN_ROLE_ROUTER && qn_weights_present(w, parts[i].role, layer));
        struct layout layout = {.cols = cols};
        QN_TRY((pair ? mlc_pair
                : is_packed(w, &parts[i], layer)
                    ? packed
                    : plain)(&layout, &weight, w, &parts[i], layer, weight.rows, cols, err));
        if (!i) {
            weight.format = layout.format;
            weight.order = layout.order;
            weight.cols = layout.cols;
        }
        *same &= qn_wformat_same(&layout.format, &weight.format) && layout.order == weight.order;
        weight.rows += parts[i].n_rows;
    }
    return *same ? add_weight(out, w, &weight, err) : QN_OK;
}

/* The vector of `suffix` (".weight", ".bias") of the parts, joined. *out is a tensor. */
static enum qn_status add_vector(uint32_t *out, const struct qn_weights *w,
                                 const struct qn_weight_part *parts, uint32_t n_parts,
                                 uint32_t layer, const char *suffix, struct qn_error *err) {
    struct qn_weight weight = {.format = {.type = QN_W_F32}, .rows = 1};
    for (uint32_t i = 0; i < n_parts; i++) {
        char buffer[QN_TENSOR_NAME_BYTES];
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
        return add_vector(out, w, parts, n_parts, layer, ".bias", err);
    for (uint32_t i = 0; i < n_parts; i++) {
        char buffer[QN_TENSOR_NAME_BYTES];
        struct qn_str name = tensor_name(buffer, w, parts[i].role, layer, ".bias");
        if (qn_directory_find(w->d, name))
            return qn_fail(err, QN_E_TENSOR,
                           "tensor %.*s is there, but the configuration says no bias",
                           QN_STR_ARG(name));
    }
    return QN_OK;
}

/* ---- Norms ----------------------------------------------------------------------------------- */

/* One tensor per head, joined. */
static enum qn_status per_head(uint32_t *out, const struct qn_weights *w, enum qn_role role,
                               uint32_t n, uint32_t group, uint32_t layer, struct qn_error *err) {
    struct qn_weight weight = {.format = {.type = QN_W_F32}, .rows = 1, .cols = n};
    struct qn_weight_source *sources =
        QN_ARENA_NEW(w->program->arena, struct qn_weight_source, n / group);
    if (!sources)
        return qn_fail(err, QN_E_NO_MEMORY, "the norms of %u heads", n / group);
    for (uint32_t head = 0; head < n / group; head++) {
        char buffer[QN_TENSOR_NAME_BYTES];
        const struct qn_tensor *tensor;
        struct qn_weight one = {.cols = n};
        uint64_t dim = group;
        struct qn_str name = qn_tensor_name(buffer, &w->names, role, layer, head, ".weight");
        QN_TRY(qn_directory_bind(&tensor, w->d, name, FLOATS, 1, &dim, err));
        QN_TRY(add_source(&one, tensor, QN_PLANE_VALUES, head * group, group, err));
        weight.name = head ? weight.name : tensor->name;
        sources[head] = one.sources[0];
    }
    weight.many = sources;
    weight.n_sources = n / group;
    return add_weight(out, w, &weight, err);
}

/* GGUF joins them in one tensor [heads, group]. */
static enum qn_status joined_heads(uint32_t *out, const struct qn_weights *w, enum qn_role role,
                                   uint32_t n, uint32_t group, uint32_t layer,
                                   struct qn_error *err) {
    char buffer[QN_TENSOR_NAME_BYTES];
    const struct qn_tensor *tensor;
    struct qn_weight weight = {.format = {.type = QN_W_F32}, .rows = 1, .cols = n};
    const uint64_t dims[2] = {n / group, group};
    struct qn_str name = tensor_name(buffer, w, role, layer, ".weight");
    QN_TRY(qn_directory_bind(&tensor, w->d, name, FLOATS, 2, dims, err));
    QN_TRY(add_source(&weight, tensor, QN_PLANE_VALUES, 0, n, err));
    return add_weight(out, w, &weight, err);
}

enum qn_status qn_weights_norm(uint32_t *weight, uint32_t *bias, const struct qn_weights *w,
                               enum qn_role role, uint32_t n, uint32_t group, uint32_t layer,
                               float scale, struct qn_error *err) {
    const struct qn_traits *traits = w->config->traits;
    bool of_heads = role == QN_ROLE_Q_NORM || role == QN_ROLE_K_NORM;
    *bias = QN_NONE;
    if (of_heads && traits->qk_norm_switched) // StableLM: no bias
        return (w->d->format == QN_FORMAT_GGUF ? joined_heads : per_head)(weight, w, role, n, group,
                                                                          layer, err);
    const struct qn_weight_part part = {role, group};
    QN_TRY(add_vector(weight, w, &part, 1, layer, ".weight", err));
    struct qn_program *p = w->program;
    struct qn_weight *vector = &p->weights[p->tensors[*weight].weight];
    vector->vector_scale = scale;
    if (traits->norm_offset && w->d->format == QN_FORMAT_SAFETENSORS)
        vector->vector_offset = scale;
    if (!traits->layer_norm || of_heads)
        return QN_OK;
    QN_TRY(add_vector(bias, w, &part, 1, layer, ".bias", err));
    p->weights[p->tensors[*bias].weight].vector_scale = scale;
    return QN_OK;
}

/* ---- Experts --------------------------------------------------------------------------------- */

/* MLC stacks them: a matrix of all rows. */
static enum qn_status mlc_experts(uint32_t *out, const struct qn_weights *w,
                                  const struct qn_weight_part *part, uint32_t n_experts,
                                  uint32_t layer, uint32_t cols, struct qn_error *err) {
    struct qn_weight_part all = {part->role, part->n_rows, 0, n_experts};
    struct qn_weight weight = {.cols = cols};
    struct layout layout;
    if (w->mlc->threes)
        return qn_fail(err, QN_E_UNSUPPORTED, "experts in MLC's %s", w->mlc->name);
    if (part->n_rows > UINT32_MAX / n_experts)
        return qn_fail(err, QN_E_LIMIT, "%u experts of %u rows", n_experts, part->n_rows);
    QN_TRY(mlc_pair(&layout, &weight, w, &all, layer, 0, cols, err));
    weight.format = layout.format;
    weight.rows = part->n_rows * n_experts;
    return add_weight(out, w, &weight, err);
}

enum qn_status qn_weights_experts(uint32_t *out, const struct qn_weights *w,
                                  const struct qn_weight_part *parts, uint32_t n_parts,
                                  uint32_t n_experts, uint32_t layer, uint32_t cols,
                                  struct qn_error *err) {
    if (w->mlc && w->mlc->linear)
        return mlc_experts(out, w, parts, n_experts, layer, cols, err);
    struct qn_weight weight = {.cols = cols};
    struct qn_weight_source *sources =
        QN_ARENA_NEW(w->program->arena, struct qn_weight_source, (size_t)2 * n_experts * n_parts);
    if (!sources)
        return qn_fail(err, QN_E_NO_MEMORY, "the weights of %u experts", n_experts);
    for (uint32_t i = 0; i < n_experts * n_parts; i++) {
        struct qn_weight_part part = parts[i % n_parts];
        struct qn_weight one = {.cols = cols};
        struct layout layout = {.cols = cols};
        part.expert = i / n_parts;
        part.n_stacked = n_experts;
        QN_TRY((is_packed(w, &part, layer) ? packed : plain)(&layout, &one, w, &part, layer,
                                                             weight.rows, cols, err));
        if (!i) {
            weight.format = layout.format;
            weight.name = one.name;
        }
        if (!qn_wformat_same(&layout.format, &weight.format) || layout.order)
            return qn_fail(err, QN_E_UNSUPPORTED,
                           "tensor %.*s: experts of different types or orders of inputs",
                           QN_STR_ARG(one.name));
        if (part.n_rows > UINT32_MAX - weight.rows)
            return qn_fail(err, QN_E_LIMIT, "tensor %.*s: too many experts", QN_STR_ARG(one.name));
        memcpy(sources + weight.n_sources, one.sources, one.n_sources * sizeof *sources);
        weight.n_sources += one.n_sources;
        weight.rows += part.n_rows;
    }
    weight.many = sources;
    return add_weight(out, w, &weight, err);
}

enum qn_status qn_weights_row(uint32_t *out, const struct qn_weights *w, enum qn_role role,
                              uint32_t layer, uint32_t cols, struct qn_error *err) {
    char buffer[QN_TENSOR_NAME_BYTES];
    const struct qn_tensor *tensor;
    struct qn_weight weight = {.format = {.type = QN_W_F32}, .rows = 1, .cols = cols};
    uint64_t dims[2] = {1, cols};
    struct qn_str name = tensor_name(buffer, w, role, layer, ".weight");
    const struct qn_tensor *found = qn_directory_find(w->d, name);
    bool flat = found && found->n_dims == 1; // GGUF
    if (role == QN_ROLE_TYPES && found && found->dims[0])
        dims[0] = found->dims[0];
    QN_TRY(
        qn_directory_bind(&tensor, w->d, name, FLOATS, flat ? 1 : 2, flat ? dims + 1 : dims, err));
    QN_TRY(add_source(&weight, tensor, QN_PLANE_VALUES, 0, cols, err));
    weight.sources[0].nbytes /= dims[0];
    return add_weight(out, w, &weight, err);
}
