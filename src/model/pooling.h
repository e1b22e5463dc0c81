/* How an encoder's states become one vector: what its files say. */
#ifndef QN_MODEL_POOLING_H
#define QN_MODEL_POOLING_H

#include "format/directory.h"
#include "program/program.h"

/* GGUF: pooling_type; MLC: embedding_metadata, else the first state, as web-llm takes it;
 * safetensors: the modules of sentence-transformers, of which only the small files are read (so
 * QN_E_NEED_DATA is possible), else the mean. QN_E_UNSUPPORTED names another pooling, and modules
 * that would change the vector. */
enum qn_status qn_pooling_read(enum qn_pooling *out, struct qn_arena *arena,
                               const struct qn_directory *d, const struct qn_files *files,
                               struct qn_error *err);

#endif
