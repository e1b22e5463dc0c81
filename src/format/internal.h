/* What the readers of this room share. */
#ifndef QN_FORMAT_INTERNAL_H
#define QN_FORMAT_INTERNAL_H

#include "format/directory.h"

/* Builds the hash index over out->tensors. E_FORMAT when two tensors have one name. */
enum qn_status qn_directory_index(struct qn_directory *out, struct qn_error *err);

/* Reads and parses a JSON document whose root must be an object. Text and nodes live in `arena`.
 * A missing file is an error when `required`, else it leaves *out empty. */
enum qn_status qn_directory_document(struct qn_json *out, struct qn_arena *arena,
                                     const struct qn_files *files, struct qn_str name,
                                     bool required, struct qn_error *err);

/* The documents beside the weights that are read when present. */
enum qn_status qn_directory_side_documents(struct qn_directory *out, struct qn_arena *arena,
                                           const struct qn_files *files, struct qn_error *err);

/* Parses `text`; errors name the file. */
enum qn_status qn_directory_parse(struct qn_json *out, struct qn_arena *arena, struct qn_str text,
                                  struct qn_str name, struct qn_error *err);

/* E_FORMAT: the tensor's nbytes are not the `nbytes` of its dtype and shape (0: too many). */
enum qn_status qn_directory_misfit(const struct qn_tensor *tensor, uint64_t nbytes,
                                   struct qn_str file, struct qn_error *err);

/* An exact, non-negative JSON integer. */
bool qn_directory_json_u64(uint64_t *out, struct qn_json_value value);

/* Reads a JSON array of at most QN_MAX_DIMS extents into tensor->dims and n_dims, and the number of
 * elements into *out. False when malformed or when the product overflows. */
bool qn_directory_json_shape(uint64_t *out, struct qn_tensor *tensor, struct qn_json_value value);

#endif
