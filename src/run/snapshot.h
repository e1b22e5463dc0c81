/* What a timeline holds as bytes, and back: tokens, keys and values, in pieces of at most 16 MiB,
 * so that a long prompt need not be computed again.
 *
 *   piece 0      "QNKV", version 2, n tokens, set of frequencies (u32 each, little endian), name
 *                of the cache's type ("F16", NUL to 8 bytes), identity of the model [32], ids [n]
 *                (u32), digest [32]
 *   piece 1 …    of each state in turn, positions in blocks: [n_kv_heads, positions] rows
 *                as the cache keeps them (docs/formats.md), digest [32]
 *   digest       SHA-256 of the digest before (zeros at first) and the piece's bytes before it */
#ifndef QN_RUN_SNAPSHOT_H
#define QN_RUN_SNAPSHOT_H

#include "run/run.h"

/* Pieces of what the timeline holds now. */
uint32_t qn_snapshot_pieces(const struct qn_run *run);
/* Piece `index`, in order from 0, of an idle timeline: *out [*n] lives until the next call.
 * QN_E_NEED_DATA: the GPU has not answered, call again. */
enum qn_status qn_snapshot_save(struct qn_run *run, const void **out, size_t *n, uint32_t index,
                                const unsigned char identity[32], struct qn_error *err);
/* Takes piece `index`, in order from 0. With the last the timeline holds what was saved; before,
 * and after a refusal, nothing. */
enum qn_status qn_snapshot_restore(struct qn_run *run, const void *bytes, size_t n, uint32_t index,
                                   const unsigned char identity[32], struct qn_error *err);

#endif
