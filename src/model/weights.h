/* From roles to weights of a program: names, dtypes and exact shapes are checked here. */
#ifndef QN_MODEL_WEIGHTS_H
#define QN_MODEL_WEIGHTS_H

#include "model/config.h"

#define QN_FLOATS ((1u << QN_DTYPE_F32) | (1u << QN_DTYPE_F16) | (1u << QN_DTYPE_BF16))

/* How an MLC quantisation stores its parts. */
struct qn_mlc_quant {
    const char *name; // "q4f16_1"
    bool linear;      // linear layers are q_weight and q_scale, else weight
    bool table;       // embedding and head too
    bool transposed;  // both are [in, out], but for the embedding
    bool threes;      // groups of 40 values of 3 bits
};

/* Orders of columns, each kept once; the latest ones are found again. */
#define QN_ORDERS 8
struct qn_orders {
    const float *list[QN_ORDERS];
    uint32_t cols[QN_ORDERS], n;
    unsigned char *scratch;
    size_t scratch_n;
};

struct qn_weights {
    struct qn_program *program;
    const struct qn_files *files;
    struct qn_orders *orders;
    const struct qn_directory *d;
    const struct qn_model_config *config;
    struct qn_tensor_names names;
    const struct qn_mlc_quant *mlc; // NULL for other formats
};

/* A part of a weight: the rows [n_rows, cols] that `role` has in `layer` (ignored without '#'). */
struct qn_weight_part {
    enum qn_role role;
    uint32_t n_rows;
    /* Experts: which one of tensors of their own, or of slices of [n_stacked, n_rows, cols]. */
    uint32_t expert, n_stacked;
    uint32_t first; // of a table that is not packed: rows before these
};

/* `files` are read for the orders of GPTQ alone: QN_E_NEED_DATA is possible below. */
enum qn_status qn_weights_init(struct qn_weights *w, struct qn_program *program,
                               const struct qn_directory *d, const struct qn_files *files,
                               const struct qn_model_config *config, struct qn_error *err);
/* Whether the file's naming has a tensor for this role at all. */
bool qn_weights_has(const struct qn_weights *w, enum qn_role role);
/* Whether this file has the ".weight" of a role in a layer. */
bool qn_weights_present(const struct qn_weights *w, enum qn_role role, uint32_t layer);
/* One matrix of the stacked rows of n_parts parts; *same is false, and nothing is added, when their
 * canonical formats or orders of columns differ. *out is a tensor. E_TENSOR with name, expected and
 * actual. */
enum qn_status qn_weights_matrix(uint32_t *out, bool *same, const struct qn_weights *w,
                                 const struct qn_weight_part *parts, uint32_t n_parts,
                                 uint32_t layer, uint32_t cols, struct qn_error *err);
/* Of a weight with `order`: column c of its tensors, which have n, is column (*out)[c] of the
 * weight. */
enum qn_status qn_weights_inverse(const float **out, const struct qn_weights *w,
                                  const struct qn_weight *weight, uint32_t n, struct qn_error *err);
/* *out is QN_NONE without `expected`; then a bias in the file is refused: the
 * configuration lies. */
enum qn_status qn_weights_bias(uint32_t *out, const struct qn_weights *w, bool expected,
                               const struct qn_weight_part *parts, uint32_t n_parts, uint32_t layer,
                               struct qn_error *err);

/* The weight and, for a LayerNorm, the bias of a norm over n columns; *bias may be QN_NONE. Each
 * stored element is multiplied by `scale`, after what the format leaves out was added. A name with
 * '@' has n / group parts of `group`. */
enum qn_status qn_weights_norm(uint32_t *weight, uint32_t *bias, const struct qn_weights *w,
                               enum qn_role role, uint32_t n, uint32_t group, uint32_t layer,
                               float scale, struct qn_error *err);
/* One stacked matrix [n_experts × Σ n_rows, cols]: for each expert the rows of its parts. */
enum qn_status qn_weights_experts(uint32_t *out, const struct qn_weights *w,
                                  const struct qn_weight_part *parts, uint32_t n_parts,
                                  uint32_t n_experts, uint32_t layer, uint32_t cols,
                                  struct qn_error *err);
/* A matrix of one row [1, cols] as a vector; of TYPES the first row. */
enum qn_status qn_weights_row(uint32_t *out, const struct qn_weights *w, enum qn_role role,
                              uint32_t layer, uint32_t cols, struct qn_error *err);

#endif
