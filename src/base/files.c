#include "base/files.h"

#include <string.h>

#include "base/num.h"

#define NAME_MAX_BYTES 1024

static bool name_char_ok(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

bool qn_file_name_ok(struct qn_str name) {
    if (name.n == 0 || name.n > NAME_MAX_BYTES)
        return false;
    bool part_begins = true; // an empty part, "..", "." and hidden files all begin with '/' or '.'
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (part_begins && (c == '.' || c == '/'))
            return false;
        part_begins = c == '/';
        if (!part_begins && !name_char_ok(c))
            return false;
    }
    return !part_begins;
}

enum qn_status qn_files_read_all(struct qn_str *out, struct qn_arena *arena,
                                 const struct qn_files *files, struct qn_str name, uint64_t max,
                                 struct qn_error *err) {
    uint64_t size;
    size_t n;
    enum qn_status status = files->size(files->ud, &size, name);
    if (status != QN_OK)
        return qn_fail(err, status, "cannot open \"%.*s\"", QN_STR_ARG(name));
    if (size > max || !qn_u64_to_size(&n, size))
        return qn_fail(err, QN_E_LIMIT, "\"%.*s\" has %llu bytes, more than %llu", QN_STR_ARG(name),
                       (unsigned long long)size, (unsigned long long)max);
    char *p = QN_ARENA_NEW(arena, char, n);
    if (p == NULL)
        return qn_fail(err, QN_E_NO_MEMORY, "no memory for the %zu bytes of \"%.*s\"", n,
                       QN_STR_ARG(name));
    if (n != 0) {
        status = files->read(files->ud, name, 0, p, n);
        if (status != QN_OK)
            return qn_fail(err, status, "cannot read \"%.*s\"", QN_STR_ARG(name));
    }
    *out = (struct qn_str){p, n};
    return QN_OK;
}

enum qn_status qn_cursor_open(struct qn_cursor *c, const struct qn_files *files, struct qn_str name,
                              struct qn_error *err) {
    c->files = files;
    c->name = name;
    c->at = 0;
    c->err = err;
    c->window_at = 0;
    c->window_n = 0;
    enum qn_status status = files->size(files->ud, &c->size, name);
    if (status != QN_OK)
        return qn_fail(err, status, "cannot open \"%.*s\"", QN_STR_ARG(name));
    return QN_OK;
}

uint64_t qn_cursor_left(const struct qn_cursor *c) {
    return c->at < c->size ? c->size - c->at : 0;
}

static enum qn_status truncated(const struct qn_cursor *c, uint64_t n, const char *what) {
    return qn_fail_at(c->err, QN_E_TRUNCATED, c->at,
                      "%s in \"%.*s\" needs %llu bytes, %llu are left", what, QN_STR_ARG(c->name),
                      (unsigned long long)n, (unsigned long long)qn_cursor_left(c));
}

static enum qn_status read_at(struct qn_cursor *c, uint64_t offset, void *dst, size_t n) {
    enum qn_status status = c->files->read(c->files->ud, c->name, offset, dst, n);
    if (status != QN_OK)
        return qn_fail_at(c->err, status, offset, "cannot read %zu bytes of \"%.*s\"", n,
                          QN_STR_ARG(c->name));
    return QN_OK;
}

enum qn_status qn_cursor_bytes(struct qn_cursor *c, void *dst, size_t n, const char *what) {
    if (n > qn_cursor_left(c))
        return truncated(c, n, what);
    unsigned char *to = dst;
    while (n != 0) {
        if (c->at >= c->window_at && c->at - c->window_at < c->window_n) {
            size_t skip = (size_t)(c->at - c->window_at); // below window_n
            size_t take = qn_min_size(n, c->window_n - skip);
            memcpy(to, c->window + skip, take);
            to += take;
            n -= take;
            c->at += take;
        } else if (n >= sizeof c->window) {
            QN_TRY(read_at(c, c->at, to, n));
            c->at += n;
            n = 0;
        } else {
            size_t fill = sizeof c->window;
            if (qn_cursor_left(c) < fill)
                fill = (size_t)qn_cursor_left(c);
            c->window_n = 0; // a failed read may have overwritten part of it
            QN_TRY(read_at(c, c->at, c->window, fill));
            c->window_at = c->at;
            c->window_n = fill;
        }
    }
    return QN_OK;
}

enum qn_status qn_cursor_u8(struct qn_cursor *c, uint8_t *out, const char *what) {
    return qn_cursor_bytes(c, out, sizeof *out, what);
}

enum qn_status qn_cursor_u32(struct qn_cursor *c, uint32_t *out, const char *what) {
    return qn_cursor_bytes(c, out, sizeof *out, what);
}

enum qn_status qn_cursor_u64(struct qn_cursor *c, uint64_t *out, const char *what) {
    return qn_cursor_bytes(c, out, sizeof *out, what);
}

enum qn_status qn_cursor_skip(struct qn_cursor *c, uint64_t n, const char *what) {
    if (n > qn_cursor_left(c))
        return truncated(c, n, what);
    c->at += n;
    return QN_OK;
}

static const struct qn_memory_file *memory_find(const struct qn_memory_files *memory,
                                                struct qn_str name) {
    for (size_t i = 0; i < memory->n; i++)
        if (qn_str_eq(memory->list[i].name, name))
            return &memory->list[i];
    return NULL;
}

static enum qn_status memory_size(void *ud, uint64_t *out, struct qn_str name) {
    const struct qn_memory_file *file = memory_find(ud, name);
    if (file == NULL)
        return QN_E_NOT_FOUND;
    *out = file->bytes.n;
    return QN_OK;
}

static enum qn_status memory_read(void *ud, struct qn_str name, uint64_t offset, void *dst,
                                  size_t n) {
    const struct qn_memory_file *file = memory_find(ud, name);
    if (file == NULL)
        return QN_E_NOT_FOUND;
    if (offset > file->bytes.n || n > file->bytes.n - offset)
        return QN_E_TRUNCATED;
    if (n != 0)
        memcpy(dst, file->bytes.p + (size_t)offset, n);
    return QN_OK;
}

struct qn_files qn_files_from_memory(const struct qn_memory_files *memory) {
    // The callbacks take a plain void *, and these never write through it.
    return (struct qn_files){(void *)(uintptr_t)memory, memory_size, memory_read};
}
