/* Shape inference: one rule per op, and messages that show what was expected and what was found. */
#include "base/format.h"
#include "base/num.h"
#include "program/shape.h"
#include "quant/kv.h"

bool qn_dim_same(struct qn_dim a, struct qn_dim b) {
    return a.sym == b.sym && a.n == b.n;
}

bool qn_shape_same(const struct qn_shape *a, const struct qn_shape *b) {
    if (a->n_dims != b->n_dims)
        return false;
    for (uint32_t i = 0; i < a->n_dims; i++)
        if (!qn_dim_same(a->dims[i], b->dims[i]))
            return false;
    return true;
}

struct qn_shape qn_shape_of(const struct qn_program_tensor *tensor) {
    struct qn_shape shape = {tensor->n_dims > QN_TENSOR_DIMS ? 0 : tensor->n_dims, {{0}}};
    for (uint32_t i = 0; i < shape.n_dims; i++)
        shape.dims[i] = tensor->dims[i];
    return shape;
}

/* At max_tokens and max_rows. */
static bool elements(uint64_t *out, const struct qn_program *p,
                     const struct qn_program_tensor *tensor) {
    uint64_t n = 1;
    for (uint32_t i = 0; i < tensor->n_dims; i++) {
        struct qn_dim dim = tensor->dims[i];
        uint64_t times = dim.sym == QN_SYM_T   ? p->max_tokens
                         : dim.sym == QN_SYM_R ? p->max_rows
                                               : 1;
        if (!qn_mul_u64(&n, n, dim.n) || !qn_mul_u64(&n, n, times))
            return false;
    }
    *out = n;
    return true;
}

bool qn_shape_bytes(uint64_t *out, const struct qn_program *p,
                    const struct qn_program_tensor *tensor) {
    uint64_t n;
    if (!elements(&n, p, tensor))
        return false;
    if (tensor->kind != QN_TENSOR_STATE || tensor->n_dims != 3 || !qn_kv_takes(tensor->dtype))
        return qn_dtype_size(out, tensor->dtype, n);
    uint32_t dim = tensor->dims[2].n;
    return dim - 1 < (1u << 30) && qn_mul_u64(out, n / dim, qn_kv_row_bytes(tensor->dtype, dim));
}

/* How many operands an op of this kind looks at; the rest must be absent. */
static uint32_t inputs_of(enum qn_op_kind kind) {
    switch (kind) {
    case QN_OP_EMBED:
    case QN_OP_GLU:
    case QN_OP_GATHER:
        return 2;
    case QN_OP_RMSNORM:
    case QN_OP_LAYERNORM:
    case QN_OP_MATMUL:
    case QN_OP_ATTENTION:
        return 4;
    case QN_OP_ADD:
    case QN_OP_MATMUL_GLU:
    case QN_OP_EXPERT_GLU:
    case QN_OP_EXPERT_DOWN:
        return 3;
    case QN_OP_ACT:
    case QN_OP_LAST_ROWS:
    case QN_OP_ROUTE:
        return 1;
    case QN_OP_ROPE_APPEND:
        return 6;
    case QN_OP_COUNT:
        break;
    }
    return 0;
}

/* ---- Messages -------------------------------------------------------------------------------- */

#define ANY_DIM UINT32_MAX // in an expected shape: any size

/* "[T, 64]", "[2T, 5]", "[*, 64]" */
static const char *shape_text(struct qn_note *note, const struct qn_shape *shape) {
    note->n = 0;
    qn_note_put(note, "[", 1);
    for (uint32_t i = 0; i < shape->n_dims; i++) {
        struct qn_dim dim = shape->dims[i];
        const char *sym = dim.sym == QN_SYM_T ? "T" : dim.sym == QN_SYM_R ? "R" : "";
        const char *comma = i ? ", " : "";
        if (dim.n == ANY_DIM)
            qn_format(qn_note_put, note, "%s*", comma);
        else if (dim.sym != QN_SYM_NONE && dim.n == 1)
            qn_format(qn_note_put, note, "%s%s", comma, sym);
        else
            qn_format(qn_note_put, note, "%s%u%s", comma, dim.n, sym);
    }
    qn_note_put(note, "]", 1);
    return note->p;
}

static const char *kind_name(enum qn_tensor_kind kind) {
    switch (kind) {
    case QN_TENSOR_IDS:
        return "ids";
    case QN_TENSOR_WEIGHT:
        return "weight";
    case QN_TENSOR_ACTIVATION:
        return "activation";
    case QN_TENSOR_STATE:
        return "state";
    }
    return "unknown";
}

/* The op under inspection, for messages. */
struct site {
    const struct qn_program *p;
    uint32_t at;
    const struct qn_program_op *op;
    struct qn_error *err;
};

static enum qn_status refuse(const struct site *s, uint32_t input, enum qn_tensor_kind kind,
                             const struct qn_shape *expected,
                             const struct qn_program_tensor *found) {
    struct qn_note want, have;
    struct qn_shape shape = qn_shape_of(found);
    return qn_fail(s->err, QN_E_INTERNAL, "op %u %s, input %u (%s): expected %s %s, found %s %s",
                   s->at, qn_op_name(s->op->kind), input, found->label ? found->label : "unnamed",
                   kind_name(kind), shape_text(&want, expected), kind_name(found->kind),
                   shape_text(&have, &shape));
}

static enum qn_status bad_parameter(const struct site *s, const char *what, uint32_t value) {
    return qn_fail(s->err, QN_E_INTERNAL, "op %u %s: %s %u is not valid", s->at,
                   qn_op_name(s->op->kind), what, value);
}

/* ---- Operands -------------------------------------------------------------------------------- */

static struct qn_shape shape2(struct qn_dim rows, uint32_t cols) {
    return (struct qn_shape){2, {rows, QN_DIM(cols)}};
}

/* The tensor behind input `input`, which must exist and be of this kind. `expected` is for the
 * message. */
static enum qn_status tensor_of(const struct qn_program_tensor **out, const struct site *s,
                                uint32_t input, enum qn_tensor_kind kind,
                                const struct qn_shape *expected) {
    struct qn_operand in = s->op->in[input];
    struct qn_note want;
    if (in.tensor >= s->p->n_tensors)
        return qn_fail(s->err, QN_E_INTERNAL, "op %u %s, input %u: expected %s %s, found none (%u)",
                       s->at, qn_op_name(s->op->kind), input, kind_name(kind),
                       shape_text(&want, expected), in.tensor);
    const struct qn_program_tensor *tensor = &s->p->tensors[in.tensor];
    if (tensor->kind != kind || tensor->n_dims > QN_TENSOR_DIMS)
        return refuse(s, input, kind, expected, tensor);
    *out = tensor;
    return QN_OK;
}

/* An activation [rows, cols]; its row dimension is any symbol, its columns as given or ANY_DIM.
 * With `view`, the columns from in.column on must hold `cols`; else the column must be 0. */
static enum qn_status activation(struct qn_dim *rows, uint32_t *cols_found, const struct site *s,
                                 uint32_t input, uint32_t cols, bool view) {
    struct qn_shape expected = shape2((struct qn_dim){QN_SYM_NONE, ANY_DIM}, cols);
    const struct qn_program_tensor *tensor;
    QN_TRY(tensor_of(&tensor, s, input, QN_TENSOR_ACTIVATION, &expected));
    uint32_t column = s->op->in[input].column;
    if (tensor->dtype != QN_DTYPE_F32 || tensor->n_dims != 2 || !tensor->dims[0].n ||
        tensor->dims[1].sym != QN_SYM_NONE || !tensor->dims[1].n)
        return refuse(s, input, QN_TENSOR_ACTIVATION, &expected, tensor);
    uint32_t n = tensor->dims[1].n;
    if (view ? column > n || cols > n - column : column != 0 || (cols != ANY_DIM && cols != n))
        return refuse(s, input, QN_TENSOR_ACTIVATION, &expected, tensor);
    *rows = tensor->dims[0];
    *cols_found = n;
    return QN_OK;
}

/* A weight [rows, cols], either ANY_DIM; vectors (rows 1) must be F32. */
static enum qn_status weight(uint32_t *rows_found, uint32_t *cols_found, const struct site *s,
                             uint32_t input, uint32_t rows, uint32_t cols, bool vector) {
    struct qn_shape expected = shape2(QN_DIM(rows), cols);
    const struct qn_program_tensor *tensor;
    QN_TRY(tensor_of(&tensor, s, input, QN_TENSOR_WEIGHT, &expected));
    if (tensor->weight >= s->p->n_weights)
        return bad_parameter(s, "weight index", tensor->weight);
    const struct qn_weight *w = &s->p->weights[tensor->weight];
    struct qn_shape actual = shape2(QN_DIM(w->rows), w->cols), stated = qn_shape_of(tensor);
    if (s->op->in[input].column != 0 || tensor->dtype != QN_DTYPE_NONE ||
        !qn_shape_same(&actual, &stated) || !w->rows || !w->cols ||
        (rows != ANY_DIM && rows != w->rows) || (cols != ANY_DIM && cols != w->cols))
        return refuse(s, input, QN_TENSOR_WEIGHT, &expected, tensor);
    if (vector && w->format.type != QN_W_F32)
        return qn_fail(s->err, QN_E_INTERNAL, "op %u %s, input %u: a vector must be f32, found %s",
                       s->at, qn_op_name(s->op->kind), input, qn_wformat_name(&w->format));
    *rows_found = w->rows;
    *cols_found = w->cols;
    return QN_OK;
}

static enum qn_status vector(const struct site *s, uint32_t input, uint32_t cols) {
    uint32_t rows_found, cols_found;
    return weight(&rows_found, &cols_found, s, input, 1, cols, true);
}

static enum qn_status state(const struct site *s, uint32_t input, uint32_t n_kv_heads,
                            uint32_t head_dim) {
    struct qn_shape expected = {3, {QN_DIM(n_kv_heads), QN_DIM(s->p->context), QN_DIM(head_dim)}};
    const struct qn_program_tensor *tensor;
    QN_TRY(tensor_of(&tensor, s, input, QN_TENSOR_STATE, &expected));
    struct qn_shape found = qn_shape_of(tensor);
    if (s->op->in[input].column != 0 || !qn_shape_same(&expected, &found) ||
        !qn_kv_takes(tensor->dtype))
        return refuse(s, input, QN_TENSOR_STATE, &expected, tensor);
    if (qn_dtype_block(tensor->dtype) > 1 && head_dim > QN_KV_MOST)
        return bad_parameter(s, "head_dim", head_dim);
    return QN_OK;
}

static enum qn_status heads(uint32_t *n_q, uint32_t *n_kv, const struct site *s, uint32_t n_heads,
                            uint32_t n_kv_heads, uint32_t head_dim) {
    if (!n_kv_heads)
        return bad_parameter(s, "n_kv_heads", n_kv_heads);
    if (!n_heads || n_heads % n_kv_heads)
        return bad_parameter(s, "n_heads", n_heads);
    if (!head_dim || (uint64_t)n_heads * head_dim >= ANY_DIM)
        return bad_parameter(s, "head_dim", head_dim);
    *n_q = n_heads * head_dim;
    *n_kv = n_kv_heads * head_dim;
    return QN_OK;
}

static bool finite(float value) {
    return value - value == 0.0f;
}

static enum qn_status same_rows(const struct site *s, struct qn_dim want, struct qn_dim have,
                                uint32_t input) {
    if (qn_dim_same(want, have))
        return QN_OK;
    const struct qn_program_tensor *found = &s->p->tensors[s->op->in[input].tensor];
    struct qn_shape expected = qn_shape_of(found);
    expected.dims[0] = want;
    return refuse(s, input, QN_TENSOR_ACTIVATION, &expected, found);
}

/* ---- One rule per op ------------------------------------------------------------------------- */

static enum qn_status infer_embed(struct qn_shape *out, const struct site *s) {
    struct qn_shape expected = {1, {QN_DIM_T}};
    const struct qn_program_tensor *ids;
    QN_TRY(tensor_of(&ids, s, 0, QN_TENSOR_IDS, &expected));
    struct qn_shape found = qn_shape_of(ids);
    if (!qn_shape_same(&found, &expected) || ids->dtype != QN_DTYPE_U32 || s->op->in[0].column)
        return refuse(s, 0, QN_TENSOR_IDS, &expected, ids);
    uint32_t vocab, cols;
    QN_TRY(weight(&vocab, &cols, s, 1, ANY_DIM, ANY_DIM, false));
    if (!finite(s->op->u.embed.scale))
        return bad_parameter(s, "scale bits", qn_f32_bits(s->op->u.embed.scale));
    if ((uint32_t)s->op->u.embed.by > QN_EMBED_BY_NOTHING)
        return bad_parameter(s, "choice of rows", (uint32_t)s->op->u.embed.by);
    *out = shape2(QN_DIM_T, cols);
    return QN_OK;
}

static enum qn_status infer_norm(struct qn_shape *out, const struct site *s, bool has_bias) {
    struct qn_dim rows;
    uint32_t found, cols = s->op->u.norm.cols, group = s->op->u.norm.group;
    QN_TRY(activation(&rows, &found, s, 0, cols ? cols : ANY_DIM, cols != 0));
    cols = cols ? cols : found;
    group = group ? group : cols;
    if (group > cols || cols % group)
        return bad_parameter(s, "group", group);
    if (!has_bias && s->op->in[2].tensor != QN_NONE)
        return bad_parameter(s, "bias", s->op->in[2].tensor);
    if (s->op->in[3].tensor != QN_NONE) {
        struct qn_dim residual;
        QN_TRY(activation(&residual, &found, s, 3, cols, false));
        QN_TRY(same_rows(s, rows, residual, 3));
    }
    for (uint32_t i = 1; i < (has_bias ? 3u : 2u); i++) {
        uint32_t tensor = s->op->in[i].tensor;
        if (i == 2 && tensor == QN_NONE)
            break;
        bool whole = tensor < s->p->n_tensors && s->p->tensors[tensor].n_dims == 2 &&
                     s->p->tensors[tensor].dims[1].n == cols;
        QN_TRY(vector(s, i, whole ? cols : group));
    }
    if (!finite(s->op->u.norm.eps) || s->op->u.norm.eps < 0)
        return bad_parameter(s, "eps bits", qn_f32_bits(s->op->u.norm.eps));
    *out = shape2(rows, cols);
    return QN_OK;
}

static enum qn_status infer_matmul(struct qn_shape *out, const struct site *s, bool glu) {
    struct qn_dim rows;
    uint32_t k, n, w_cols;
    QN_TRY(activation(&rows, &k, s, 0, ANY_DIM, false));
    QN_TRY(weight(&n, &w_cols, s, 1, ANY_DIM, k, false));
    if (s->op->in[2].tensor != QN_NONE)
        QN_TRY(vector(s, 2, n));
    if (glu) {
        if (n % 2)
            return bad_parameter(s, "row count", n);
        if ((uint32_t)s->op->u.glu.act > QN_ACT_RELU)
            return bad_parameter(s, "activation", (uint32_t)s->op->u.glu.act);
        n /= 2;
    } else if (s->op->in[3].tensor != QN_NONE) {
        struct qn_dim residual;
        uint32_t cols;
        QN_TRY(activation(&residual, &cols, s, 3, n, false));
        QN_TRY(same_rows(s, rows, residual, 3));
    }
    float softcap = glu ? 0.0f : s->op->u.matmul.softcap;
    if (!finite(softcap) || softcap < 0 || (softcap > 0 && s->op->in[3].tensor != QN_NONE))
        return bad_parameter(s, "softcap bits", qn_f32_bits(softcap));
    *out = shape2(rows, n);
    return QN_OK;
}

static enum qn_status infer_glu(struct qn_shape *out, const struct site *s) {
    struct qn_dim rows, other;
    uint32_t cols, other_cols;
    bool apart = s->op->in[1].tensor != QN_NONE;
    QN_TRY(activation(&rows, &cols, s, 0, ANY_DIM, false));
    if (apart) {
        QN_TRY(activation(&other, &other_cols, s, 1, cols, false));
        QN_TRY(same_rows(s, rows, other, 1));
    } else if (cols % 2) {
        return bad_parameter(s, "column count", cols);
    }
    if ((uint32_t)s->op->u.glu.act > QN_ACT_RELU)
        return bad_parameter(s, "activation", (uint32_t)s->op->u.glu.act);
    *out = shape2(rows, apart ? cols : cols / 2);
    return QN_OK;
}

static enum qn_status infer_act(struct qn_shape *out, const struct site *s) {
    struct qn_dim rows;
    uint32_t cols;
    QN_TRY(activation(&rows, &cols, s, 0, ANY_DIM, false));
    if ((uint32_t)s->op->u.glu.act > QN_ACT_RELU)
        return bad_parameter(s, "activation", (uint32_t)s->op->u.glu.act);
    *out = shape2(rows, cols);
    return QN_OK;
}

static enum qn_status infer_add(struct qn_shape *out, const struct site *s) {
    struct qn_dim rows, other;
    uint32_t cols, other_cols;
    QN_TRY(activation(&rows, &cols, s, 0, ANY_DIM, false));
    QN_TRY(activation(&other, &other_cols, s, 1, cols, false));
    QN_TRY(same_rows(s, rows, other, 1));
    if (s->op->in[2].tensor != QN_NONE) {
        QN_TRY(activation(&other, &other_cols, s, 2, 1, false));
        QN_TRY(same_rows(s, rows, other, 2));
    }
    if (!finite(s->op->u.add.scale))
        return bad_parameter(s, "scale bits", qn_f32_bits(s->op->u.add.scale));
    *out = shape2(rows, cols);
    return QN_OK;
}

static enum qn_status infer_rope(struct qn_shape *out, const struct site *s) {
    uint32_t n_q, n_kv, cols, n_rot = s->op->u.rope.n_rot, head_dim = s->op->u.rope.head_dim;
    uint32_t n_kv_heads = s->op->u.rope.n_kv_heads;
    QN_TRY(heads(&n_q, &n_kv, s, s->op->u.rope.n_heads, n_kv_heads, head_dim));
    if (!n_rot || n_rot % 2 || n_rot > head_dim)
        return bad_parameter(s, "n_rot", n_rot);
    uint32_t stride = s->op->u.rope.head_stride, n_sets = s->op->u.rope.n_sets;
    stride = stride ? stride : head_dim;
    if (stride < head_dim || (uint64_t)s->op->u.rope.n_heads * stride >= ANY_DIM)
        return bad_parameter(s, "head_stride", stride);
    if (n_sets > 2 || (n_sets == 2 && !s->p->rope_switch))
        return bad_parameter(s, "n_sets", n_sets);
    if (!finite(s->op->u.rope.magnitude) || s->op->u.rope.magnitude < 0)
        return bad_parameter(s, "magnitude bits", qn_f32_bits(s->op->u.rope.magnitude));
    for (uint32_t i = 0; i < 3; i++) {
        struct qn_dim rows;
        uint32_t n = i ? n_kv_heads : s->op->u.rope.n_heads;
        QN_TRY(activation(&rows, &cols, s, i, (n - 1) * stride + head_dim, true));
        QN_TRY(same_rows(s, QN_DIM_T, rows, i));
    }
    QN_TRY(state(s, 3, n_kv_heads, head_dim));
    QN_TRY(state(s, 4, n_kv_heads, head_dim));
    if (s->op->in[3].tensor == s->op->in[4].tensor)
        return bad_parameter(s, "k_state and v_state", s->op->in[3].tensor);
    QN_TRY(vector(s, 5, n_rot / 2 * (n_sets ? n_sets : 1)));
    *out = shape2(QN_DIM_T, n_q);
    return QN_OK;
}

#define MAX_RELATIVE 1024u // heads

static enum qn_status infer_attention(struct qn_shape *out, const struct site *s) {
    uint32_t n_q, n_kv, cols, head_dim = s->op->u.attention.head_dim;
    uint32_t n_kv_heads = s->op->u.attention.n_kv_heads;
    QN_TRY(heads(&n_q, &n_kv, s, s->op->u.attention.n_heads, n_kv_heads, head_dim));
    struct qn_dim rows;
    QN_TRY(activation(&rows, &cols, s, 0, n_q, false));
    QN_TRY(same_rows(s, QN_DIM_T, rows, 0));
    QN_TRY(state(s, 1, n_kv_heads, head_dim));
    QN_TRY(state(s, 2, n_kv_heads, head_dim));
    if (s->op->in[1].tensor == s->op->in[2].tensor)
        return bad_parameter(s, "k_state and v_state", s->op->in[1].tensor);
    if (!finite(s->op->u.attention.scale))
        return bad_parameter(s, "scale bits", qn_f32_bits(s->op->u.attention.scale));
    if (!finite(s->op->u.attention.softcap) || s->op->u.attention.softcap < 0)
        return bad_parameter(s, "softcap bits", qn_f32_bits(s->op->u.attention.softcap));
    if (s->op->in[3].tensor != QN_NONE) {
        if (!s->p->whole || s->op->u.attention.n_heads > MAX_RELATIVE)
            return bad_parameter(s, "relative", s->op->in[3].tensor);
        QN_TRY(vector(s, 3, s->op->u.attention.n_heads * QN_RELATIVE));
    }
    *out = shape2(QN_DIM_T, n_q);
    return QN_OK;
}

static enum qn_status infer_last_rows(struct qn_shape *out, const struct site *s) {
    struct qn_dim rows;
    uint32_t cols;
    QN_TRY(activation(&rows, &cols, s, 0, ANY_DIM, false));
    QN_TRY(same_rows(s, QN_DIM_T, rows, 0));
    *out = shape2(QN_DIM_R, cols);
    return QN_OK;
}

#define MAX_COLUMNS 16777216.0f // whole numbers below it are exact

static enum qn_status infer_gather(struct qn_shape *out, const struct site *s) {
    struct qn_dim rows;
    uint32_t cols, n_rows;
    QN_TRY(activation(&rows, &cols, s, 0, ANY_DIM, false));
    QN_TRY(weight(&n_rows, &cols, s, 1, 1, ANY_DIM, true));
    const float *order = s->p->weights[s->p->tensors[s->op->in[1].tensor].weight].computed;
    for (uint32_t i = 0; i < cols; i++)
        if (!order || !(order[i] >= 0 && order[i] < MAX_COLUMNS))
            return bad_parameter(s, "order of column", i);
    *out = shape2(rows, cols);
    return QN_OK;
}

/* ---- Mixture of experts ---------------------------------------------------------------------- */

#define MAX_EXPERTS 1024u

static enum qn_status experts(const struct site *s) {
    uint32_t n = s->op->u.moe.n_experts, used = s->op->u.moe.n_used;
    if (!n || n > MAX_EXPERTS)
        return bad_parameter(s, "n_experts", n);
    return used && used <= n ? QN_OK : bad_parameter(s, "n_used", used);
}

static enum qn_status infer_route(struct qn_shape *out, const struct site *s) {
    struct qn_dim rows;
    uint32_t cols;
    QN_TRY(experts(s));
    QN_TRY(activation(&rows, &cols, s, 0, s->op->u.moe.n_experts, false));
    *out = shape2(rows, 2 * s->op->u.moe.n_used);
    return QN_OK;
}

static enum qn_status infer_experts(struct qn_shape *out, const struct site *s, bool glu) {
    struct qn_dim rows, route_rows;
    uint32_t cols, found, n_rows, n = s->op->u.moe.n_experts, used = s->op->u.moe.n_used;
    QN_TRY(experts(s));
    QN_TRY(activation(&rows, &cols, s, 0, ANY_DIM, false));
    QN_TRY(activation(&route_rows, &found, s, 2, 2 * used, false));
    QN_TRY(same_rows(s, rows, route_rows, 2));
    if (!glu && cols % used)
        return bad_parameter(s, "column count", cols);
    QN_TRY(weight(&n_rows, &found, s, 1, ANY_DIM, glu ? cols : cols / used, false));
    if (n_rows % (glu ? 2 * n : n))
        return bad_parameter(s, "row count", n_rows);
    if (glu && (uint32_t)s->op->u.moe.act > QN_ACT_RELU)
        return bad_parameter(s, "activation", (uint32_t)s->op->u.moe.act);
    uint32_t each = glu ? n_rows / (2 * n) : n_rows / n;
    if (glu && (uint64_t)each * used >= ANY_DIM)
        return bad_parameter(s, "row count", n_rows);
    *out = shape2(rows, glu ? each * used : each);
    return QN_OK;
}

enum qn_status qn_op_result(struct qn_shape *out, const struct qn_program *p, uint32_t at,
                            struct qn_error *err) {
    const struct site site = {p, at, &p->ops[at], err};
    enum qn_op_kind kind = site.op->kind;
    for (uint32_t i = inputs_of(kind); i < QN_OP_INPUTS; i++)
        if (site.op->in[i].tensor != QN_NONE)
            return qn_fail(err, QN_E_INTERNAL, "op %u %s: input %u must be absent", at,
                           qn_op_name(kind), i);
    switch (kind) {
    case QN_OP_EMBED:
        return infer_embed(out, &site);
    case QN_OP_RMSNORM:
        return infer_norm(out, &site, false);
    case QN_OP_LAYERNORM:
        return infer_norm(out, &site, true);
    case QN_OP_ACT:
        return infer_act(out, &site);
    case QN_OP_ROUTE:
        return infer_route(out, &site);
    case QN_OP_EXPERT_GLU:
        return infer_experts(out, &site, true);
    case QN_OP_EXPERT_DOWN:
        return infer_experts(out, &site, false);
    case QN_OP_MATMUL:
        return infer_matmul(out, &site, false);
    case QN_OP_MATMUL_GLU:
        return infer_matmul(out, &site, true);
    case QN_OP_GLU:
        return infer_glu(out, &site);
    case QN_OP_ADD:
        return infer_add(out, &site);
    case QN_OP_ROPE_APPEND:
        return infer_rope(out, &site);
    case QN_OP_ATTENTION:
        return infer_attention(out, &site);
    case QN_OP_LAST_ROWS:
        return infer_last_rows(out, &site);
    case QN_OP_GATHER:
        return infer_gather(out, &site);
    case QN_OP_COUNT:
        break;
    }
    return qn_fail(err, QN_E_INTERNAL, "op %u: kind %u is not known", at, (uint32_t)kind);
}

enum qn_status qn_program_infer(struct qn_program *p, struct qn_error *err) {
    /* A result has no shape until its op is reached, so a use before the definition is refused by
     * the rule of the using op: it finds an activation without dimensions. */
    for (uint32_t i = 0; i < p->n_tensors; i++)
        if (p->tensors[i].kind == QN_TENSOR_ACTIVATION)
            p->tensors[i].n_dims = 0;
    for (uint32_t i = 0; i < p->n_ops; i++) {
        struct qn_shape shape;
        QN_TRY(qn_op_result(&shape, p, i, err));
        uint32_t out = p->ops[i].out;
        if (out >= p->n_tensors || p->tensors[out].kind != QN_TENSOR_ACTIVATION ||
            p->tensors[out].n_dims)
            return qn_fail(err, QN_E_INTERNAL, "op %u %s: its result (%u) is no fresh activation",
                           i, qn_op_name(p->ops[i].kind), out);
        p->tensors[out].n_dims = shape.n_dims;
        for (uint32_t j = 0; j < shape.n_dims; j++)
            p->tensors[out].dims[j] = shape.dims[j];
    }
    return QN_OK;
}
