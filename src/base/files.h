/* Reading the files of a model (struct qn_files is public, in quern.h): whole files and an
 * overflow-safe cursor. */
#ifndef QN_BASE_FILES_H
#define QN_BASE_FILES_H

#include "base/str.h"

/* Checks a file name from untrusted metadata: relative, no "..", no empty or hidden part, only
 * [A-Za-z0-9._-] and '/'. */
bool qn_file_name_ok(struct qn_str name);

/* Reads a whole file into the arena. QN_E_LIMIT above `max` bytes. */
enum qn_status qn_files_read_all(struct qn_str *out, struct qn_arena *arena,
                                 const struct qn_files *files, struct qn_str name, uint64_t max,
                                 struct qn_error *err);

/* An overflow-safe cursor over one file, with a small read-ahead. */
struct qn_cursor {
    const struct qn_files *files;
    struct qn_str name;
    uint64_t size; // of the file
    uint64_t at;
    struct qn_error *err;
    uint64_t window_at;
    size_t window_n;
    unsigned char window[4096];
};

enum qn_status qn_cursor_open(struct qn_cursor *c, const struct qn_files *files, struct qn_str name,
                              struct qn_error *err);
uint64_t qn_cursor_left(const struct qn_cursor *c);
/* QN_E_TRUNCATED, with the offset and `what` in the message, when fewer bytes are left. */
enum qn_status qn_cursor_bytes(struct qn_cursor *c, void *dst, size_t n, const char *what);
enum qn_status qn_cursor_u8(struct qn_cursor *c, uint8_t *out, const char *what);
enum qn_status qn_cursor_u32(struct qn_cursor *c, uint32_t *out, const char *what);
enum qn_status qn_cursor_u64(struct qn_cursor *c, uint64_t *out, const char *what);
enum qn_status qn_cursor_skip(struct qn_cursor *c, uint64_t n, const char *what);

/* Files that lie in memory, for tests and for generated models. */
struct qn_memory_file {
    struct qn_str name;
    struct qn_str bytes;
};
struct qn_memory_files {
    const struct qn_memory_file *list;
    size_t n;
};
struct qn_files qn_files_from_memory(const struct qn_memory_files *memory);

#endif
