/* Weights: file → repack → backend, in pieces of at most 8 MiB of stored or canonical bytes,
 * 32 MiB of transposed tensors. The plan is made once; pieces run in file order, so that a download
 * is used as it streams in. */
#ifndef QN_ENGINE_LOADER_H
#define QN_ENGINE_LOADER_H

#include "base/sha256.h"
#include "format/directory.h"
#include "program/backend.h"

struct qn_loader_piece {
    uint32_t weight, source; // into the program's weights and its sources
    uint32_t row, n_rows;    // within the source
    uint32_t file;
    uint64_t offset, n; // bytes of the file
};

struct qn_loader {
    const struct qn_allocator *allocator;
    const struct qn_directory *directory;
    const struct qn_program *program;
    struct qn_loader_piece *pieces; // in the arena given to init
    uint32_t n_pieces;
    uint32_t done;
    struct qn_sha256 sample; // of every piece's beginning: tells models of one shape apart
    /* Staging, from the first load to qn_loader_release. */
    void *stored, *values, *scales, *wide; // wide: packed scales as float32
    size_t stored_n, values_n, scales_n, wide_n;
};

enum qn_status qn_loader_init(struct qn_loader *l, struct qn_arena *arena,
                              const struct qn_directory *directory,
                              const struct qn_program *program, struct qn_error *err);
/* Loads the next piece. QN_E_NEED_DATA: call again. */
enum qn_status qn_loader_next(struct qn_loader *l, struct qn_backend *backend,
                              const struct qn_files *files, struct qn_error *err);
void qn_loader_release(struct qn_loader *l);

#endif
