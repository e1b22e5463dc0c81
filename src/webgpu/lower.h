/* A program as dispatches: which buffers there are, which kernels run over them with which
 * parameters, and in which lists. Pure: nothing here talks to a host. */
#ifndef QN_WEBGPU_LOWER_H
#define QN_WEBGPU_LOWER_H

#include "webgpu/grids.h"

/* Buffers and groups are numbered from 0 within a space. Shared ones exist once per backend:
 * weights, activations, scratch (steps run one after the other, so sessions may share them). The
 * others exist once per bank: a bank holds sessions that can share a step, each in a slot of its
 * buffers. */
enum qn_space { QN_SPACE_SHARED, QN_SPACE_BANK, QN_SPACE_COUNT };

#define QN_SLOTS 64u // of a bank, at most

struct qn_lower_buffer {
    uint32_t bytes, usage;
    uint32_t most; // of a bank: `bytes` are for each of its slots, at most for so many; 0: for all
};

struct qn_lower_ref {
    enum qn_space space;
    uint32_t buffer;
    uint32_t offset, bytes;
};

struct qn_lower_pipeline {
    enum qn_kernel_id kernel;
    uint32_t n;
    const char *names[QN_KERNEL_CONSTANTS];
    float values[QN_KERNEL_CONSTANTS];
};

/* Which steps a dispatch of a list for one token is for: attention does the rotation of a single
 * new token, but several of one session need each other's keys first. */
enum qn_when {
    QN_WHEN_ALWAYS,
    QN_WHEN_ONE, // one token of a session
    QN_WHEN_RUN, // several
};
/* The same by rows of x, whosever they are: several are packed first, and those that
 * qn_matmul_takes_few are not. */
enum qn_rows_when { QN_ROWS_ANY, QN_ROWS_ONE, QN_ROWS_MORE, QN_ROWS_FEW, QN_ROWS_TILES };

struct qn_lower_dispatch {
    enum qn_kernel_id kernel;
    uint32_t pipeline;
    uint32_t few,
        few_lanes;     // tiles: pipeline and LANES of matmul_few, which takes its place for few
                       // rows; few_lanes 0: it cannot. matmul_few: LANES
    uint32_t params;   // byte offset in qn_lower.params
    uint32_t rows_mul; // rmsnorm: rows per token
    bool by_rows;      // works on R rows, not on T tokens
    enum qn_when when;
    enum qn_rows_when rows_when;
    bool glu;          // matvec, matmul, and what packs for them
    uint32_t head_dim; // attention
    bool whole;        // pack_rows: a row by one workgroup
    struct qn_matvec_tune tune;
    struct qn_matmul_tile tile; // matmul_tiles, matmul_packed
    struct qn_lower_wide { // a matvec for more rows: the same group; tune.rows 0: there is none
        uint32_t pipeline;
        struct qn_matvec_tune tune;
    } wide[QN_MATVEC_WIDE];
    struct qn_lower_ref bindings[QN_KERNEL_BINDINGS];
};

/* Lists of dispatches, in their order. */
enum qn_list {
    QN_LIST_BODY_ONE,    // everything up to the head, for T = 1
    QN_LIST_BODY_SHORT,  // the same while the cache has at most QN_SHORT positions
    QN_LIST_BODY_LARGE,  // the same for any T
    QN_LIST_HEAD,        // the last row to logits, R = 1
    QN_LIST_HEAD_ALL,    // R rows to logits of what may be sampled, as HEAD does; R ≤ max_rows
    QN_LIST_ARGMAX,      // those to ids
    QN_LIST_HEAD_GREEDY, // HEAD and GREEDY in one, without logits; empty where that cannot be
    QN_LIST_GREEDY,      // samplers, on logits row 0
    QN_LIST_PENALTY,     // greedy after penalties or bias
    QN_LIST_DRAW,
    QN_LIST_DRAW_LIMITED, // with top-k, top-p or min-p
    QN_LIST_SEEN,         // marks the prefix for the penalties
    QN_LIST_COUNT
};

#define QN_LOWER_SLOT 256u // of params: uniform bindings begin at multiples of this
#define QN_ROWS_BYTES \
    ((uint64_t)32 << 20) // of attention's scratch, at most, for steps of several tokens
#define QN_SMALL_ROWS 4u // that go through the head as matvecs
#define QN_SHORT 1024u   // positions; their splits are few enough for every workgroup to join
#define QN_LOGITS_BYTES \
    ((uint64_t)16 << 20) // of the logits buffer, at most, when one row is smaller

struct qn_lower_range {
    uint32_t begin, end; // dispatches
};

/* Rows [row_begin, row_begin + n_rows) of a weight in buffers of their own (shared space), because
 * a plane may be larger than a binding. For the weight of a MATMUL_GLU, rows count pairs, and the
 * buffers hold n_rows gate rows and then n_rows up rows. */
struct qn_lower_slab {
    uint32_t row_begin, n_rows;
    uint32_t buffer[QN_PLANE_COUNT]; // QN_NONE: the format lacks the plane
};

enum qn_weight_place { QN_PLACE_UNUSED, QN_PLACE_POOL, QN_PLACE_SLABS };

struct qn_lower_weight {
    enum qn_weight_place place;
    uint32_t offset; // POOL: bytes into the pool of vectors
    uint32_t half;   // F for the weight of a MATMUL_GLU, else 0
    uint32_t first_slab, n_slabs;
    size_t row_bytes[QN_PLANE_COUNT];
};

struct qn_lower {
    const struct qn_program *program;
    struct qn_gpu_caps caps; // resolved
    struct qn_arena *arena;
    uint32_t fill; // tiles that fill the device; may be changed later, where caps.tune

    struct qn_lower_buffer *buffers[QN_SPACE_COUNT];
    uint32_t n_buffers[QN_SPACE_COUNT], cap_buffers[QN_SPACE_COUNT];
    struct qn_lower_pipeline *pipelines;
    uint32_t n_pipelines, cap_pipelines;
    struct qn_lower_dispatch *dispatches; // their index is their group's number in a session
    uint32_t n_dispatches, cap_dispatches;
    unsigned char *params; // contents of the parameter buffer, 256-byte slots
    uint32_t n_params, cap_params;
    struct qn_lower_weight *weights; // [program.n_weights]
    struct qn_lower_slab *slabs;
    uint32_t n_slabs, cap_slabs;
    struct qn_lower_ref *places; // [program.n_tensors] activations, states and ids

    struct qn_lower_range lists[QN_LIST_COUNT];
    /* Arg-max of every row goes through the head in blocks of `block_rows`, so that the logits stay
     * within QN_LOGITS_BYTES: block b covers rows [b × block_rows, …) of the step and has a
     * step of its own, in slot b of `block_steps`, which shows the kernels just these rows. Its ids
     * land at b × block_stride bytes of `all_ids`. */
    struct qn_lower_range *blocks;    // [n_blocks] head
    struct qn_lower_range *block_ids; // [n_blocks] logits to ids
    uint32_t n_blocks, block_rows, block_stride;

    uint32_t vocab, sample_vocab;
    uint32_t max_slots; // of a bank, so that its buffers stay within the device's limits
    uint32_t max_batch; // rows of a batch
    uint32_t bounce;    // shared buffer that copies within a bank may go through
    uint32_t max_rows;  // that the lists for one token take too, with the same results; at least 1
    /* Shared buffers. */
    uint32_t b_params, b_dummy, b_vectors, b_logits, b_all_ids, b_block_steps, b_prefix, b_prefix_n,
        b_packed; // rows of x, packed, and QN_LOWER_SLOT bytes; 0: none are
    /* Buffers of a bank. Ids: a token per slot, then those of a step. */
    uint32_t b_step, b_ids, b_results, b_sampling, b_seen, b_bias, b_mask;
};

/* Lowers a planned program. Everything lies in `arena`. QN_E_GPU_MEMORY: an activation, a KV cache
 * or one row of a weight exceeds the device's limits (named). QN_E_UNSUPPORTED: a shape no kernel
 * takes. */
enum qn_status qn_lower_program(struct qn_lower *out, struct qn_arena *arena,
                                const struct qn_program *program, const struct qn_gpu_caps *caps,
                                struct qn_error *err);

/* Bytes of a buffer of a bank of so many slots. */
uint64_t qn_lower_bytes(const struct qn_lower_buffer *buffer, uint32_t slots);

/* ---- Playing ---- */

/* Pipeline of a dispatch for T tokens and R rows. */
uint32_t qn_lower_pipeline_for(const struct qn_lower *l, const struct qn_lower_dispatch *d,
                               uint32_t t, uint32_t r);
/* Whether it is for a step of so many. */
bool qn_lower_plays(const struct qn_lower *l, const struct qn_lower_dispatch *d, uint32_t t,
                    uint32_t r);
/* Workgroups of a dispatch for T tokens and R rows; `end` is pos + T. */
struct qn_grid qn_lower_grid(const struct qn_lower *l, const struct qn_lower_dispatch *d,
                             uint32_t t, uint32_t r, uint32_t end);

#endif
