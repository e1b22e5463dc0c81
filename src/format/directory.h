/* What every model format is read into: a directory of tensors – where their bytes lie, never the
 * bytes – and the documents that describe the model. Readers are pure functions over qn_files. */
#ifndef QN_FORMAT_DIRECTORY_H
#define QN_FORMAT_DIRECTORY_H

#include "base/dtype.h"
#include "base/files.h"
#include "base/json.h"

#define QN_MAX_DIMS 8

enum qn_format {
    QN_FORMAT_GGUF,
    QN_FORMAT_SAFETENSORS, // a folder in Hugging Face layout
    QN_FORMAT_MLC,
};

/* One tensor. Its bytes are [offset, offset + nbytes) of files[file], row-major, little-endian.
 * MLC float32 stored as bfloat16 ("f32-to-bf16") is entered with dtype BF16. */
struct qn_tensor {
    struct qn_str name;
    enum qn_dtype dtype;
    uint32_t n_dims;
    uint64_t dims[QN_MAX_DIMS]; // outermost first, in elements (GGUF's order is reversed)
    uint32_t file;              // index into qn_directory.files
    uint64_t offset, nbytes;
};

/* A value of GGUF's metadata. Arrays keep the position of their elements in the file. */
enum qn_gguf_type {
    QN_GGUF_U8,
    QN_GGUF_I8,
    QN_GGUF_U16,
    QN_GGUF_I16,
    QN_GGUF_U32,
    QN_GGUF_I32,
    QN_GGUF_F32,
    QN_GGUF_BOOL,
    QN_GGUF_STRING,
    QN_GGUF_ARRAY,
    QN_GGUF_U64,
    QN_GGUF_I64,
    QN_GGUF_F64,
};

struct qn_gguf_kv {
    struct qn_str key;
    enum qn_gguf_type type;
    union {
        uint64_t u; // unsigned integers and BOOL
        int64_t i;  // signed integers
        double f;
        struct qn_str s;
    } value;
    /* ARRAY: */
    enum qn_gguf_type element;
    uint64_t count;
    uint64_t offset, nbytes; // of the elements in the file
};

struct qn_directory {
    enum qn_format format;
    struct qn_arena *arena; // owns everything below
    struct qn_str *files;
    uint32_t n_files;
    struct qn_tensor *tensors;
    uint32_t n_tensors;
    uint32_t *buckets; // hash index by name, n_buckets a power of two
    uint32_t n_buckets;

    /* GGUF */
    struct qn_gguf_kv *kvs;
    uint32_t n_kvs;

    /* MLC: mlc-chat-config.json; safetensors: config.json. Parsed, root is an object. */
    struct qn_json config;
    /* generation_config.json, tokenizer_config.json when present (else n_nodes == 0). */
    struct qn_json generation_config;
    struct qn_json tokenizer_config;
};

/* Opens MODEL: `main` names a .gguf file, or is empty for a folder, in which mlc-chat-config.json
 * means MLC and config.json means safetensors. May answer QN_E_NEED_DATA; call again then (with a
 * fresh arena or the same: what a failed call left in it is only wasted until the arena goes).
 * Errors: E_NOT_FOUND, E_FORMAT, E_TRUNCATED, E_JSON, E_UNSUPPORTED, E_LIMIT, E_NO_MEMORY. */
enum qn_status qn_directory_open(struct qn_directory *out, struct qn_arena *arena,
                                 const struct qn_files *files, struct qn_str main,
                                 struct qn_error *err);

/* The same for text alone: a .gguf file without regard to its tensors, or a folder of which only
 * the tokenizer's files and the side documents are needed. */
enum qn_status qn_directory_open_text(struct qn_directory *out, struct qn_arena *arena,
                                      const struct qn_files *files, struct qn_str main,
                                      struct qn_error *err);

enum qn_status qn_gguf_read(struct qn_directory *out, struct qn_arena *arena,
                            const struct qn_files *files, struct qn_str name, struct qn_error *err);
enum qn_status qn_safetensors_read(struct qn_directory *out, struct qn_arena *arena,
                                   const struct qn_files *files, struct qn_error *err);
enum qn_status qn_mlc_read(struct qn_directory *out, struct qn_arena *arena,
                           const struct qn_files *files, struct qn_error *err);

/* NULL when there is none of that name. */
const struct qn_tensor *qn_directory_find(const struct qn_directory *directory, struct qn_str name);
/* QN_E_TENSOR, naming the dtype and shape found and expected, unless the tensor exists with a dtype
 * in `dtypes` (bits 1 << enum qn_dtype) and exactly these dims. */
enum qn_status qn_directory_bind(const struct qn_tensor **out, const struct qn_directory *directory,
                                 struct qn_str name, uint32_t dtypes, uint32_t n_dims,
                                 const uint64_t *dims, struct qn_error *err);

/* GGUF metadata; all return false when the key is missing or of another type. */
const struct qn_gguf_kv *qn_gguf_find(const struct qn_directory *directory, const char *key);
bool qn_gguf_u32(uint32_t *out, const struct qn_directory *directory, const char *key);
bool qn_gguf_f32(float *out, const struct qn_directory *directory, const char *key);
bool qn_gguf_bool(bool *out, const struct qn_directory *directory, const char *key);
bool qn_gguf_str(struct qn_str *out, const struct qn_directory *directory, const char *key);
/* Arrays, copied into `arena` in one piece. Strings point into one copied block. */
enum qn_status qn_gguf_strings(struct qn_str **out, struct qn_arena *arena,
                               const struct qn_directory *directory, const struct qn_files *files,
                               const struct qn_gguf_kv *kv, struct qn_error *err);
/* Integer and float arrays of any width, widened: floats to float, integers to int64_t. */
enum qn_status qn_gguf_floats(float **out, struct qn_arena *arena,
                              const struct qn_directory *directory, const struct qn_files *files,
                              const struct qn_gguf_kv *kv, struct qn_error *err);
enum qn_status qn_gguf_integers(int64_t **out, struct qn_arena *arena,
                                const struct qn_directory *directory, const struct qn_files *files,
                                const struct qn_gguf_kv *kv, struct qn_error *err);

#endif
