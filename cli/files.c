#define _FILE_OFFSET_BITS 64
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli.h"

#define OPEN_FILES 8

/* The folder of a model, with a few of its files held open. */
struct disk {
    char *folder; // ends in '/', or is empty
    char *main;
    struct {
        char *name;
        FILE *file;
        uint64_t size;
    } open[OPEN_FILES];
    unsigned turn;
};

static char *text_copy(const char *p, size_t n) {
    char *copy = malloc(n + 1);
    if (copy) {
        memcpy(copy, p, n);
        copy[n] = 0;
    }
    return copy;
}

static enum qn_status find(struct disk *d, size_t *out, struct qn_str name) {
    for (size_t i = 0; i < OPEN_FILES; i++)
        if (d->open[i].name && strlen(d->open[i].name) == name.n &&
            memcmp(d->open[i].name, name.p, name.n) == 0) {
            *out = i;
            return QN_OK;
        }
    size_t folder = strlen(d->folder);
    char *path = malloc(folder + name.n + 1);
    if (!path)
        return QN_E_NO_MEMORY;
    memcpy(path, d->folder, folder);
    memcpy(path + folder, name.p, name.n);
    path[folder + name.n] = 0;
    struct stat info;
    FILE *file = stat(path, &info) == 0 && S_ISREG(info.st_mode) ? fopen(path, "rb") : NULL;
    int reason = errno;
    free(path);
    if (!file)
        return reason == EACCES ? QN_E_IO : QN_E_NOT_FOUND;
    size_t slot = d->turn++ % OPEN_FILES;
    if (d->open[slot].file)
        fclose(d->open[slot].file);
    free(d->open[slot].name);
    d->open[slot].name = text_copy(name.p, name.n);
    d->open[slot].file = file;
    d->open[slot].size = (uint64_t)info.st_size;
    *out = slot;
    return d->open[slot].name ? QN_OK : QN_E_NO_MEMORY;
}

static enum qn_status disk_size(void *ud, uint64_t *out, struct qn_str name) {
    struct disk *d = ud;
    size_t slot = 0;
    enum qn_status status = find(d, &slot, name);
    if (status == QN_OK)
        *out = d->open[slot].size;
    return status;
}

static enum qn_status disk_read(void *ud, struct qn_str name, uint64_t offset, void *dst,
                                size_t n) {
    struct disk *d = ud;
    size_t slot = 0;
    enum qn_status status = find(d, &slot, name);
    if (status != QN_OK)
        return status;
    if (fseeko(d->open[slot].file, (off_t)offset, SEEK_SET) != 0)
        return QN_E_IO;
    return fread(dst, 1, n, d->open[slot].file) == n ? QN_OK : QN_E_IO;
}

enum qn_status disk_open(struct disk **out, struct qn_files *files, const char **main,
                         const char *model, struct qn_error *err) {
    struct stat info;
    if (stat(model, &info) != 0) {
        err->status = QN_E_NOT_FOUND;
        snprintf(err->text, sizeof err->text, "%s: %s; check the path", model, strerror(errno));
        return err->status;
    }
    struct disk *d = calloc(1, sizeof *d);
    size_t n = strlen(model);
    const char *slash = strrchr(model, '/');
    if (d && S_ISDIR(info.st_mode)) {
        d->folder = malloc(n + 2);
        d->main = text_copy("", 0);
        if (d->folder)
            snprintf(d->folder, n + 2, "%s%s", model, n && model[n - 1] == '/' ? "" : "/");
    } else if (d) {
        size_t folder = slash ? (size_t)(slash - model) + 1 : 0;
        d->folder = text_copy(model, folder);
        d->main = text_copy(model + folder, n - folder);
    }
    *out = d;
    if (!d || !d->folder || !d->main) {
        err->status = QN_E_NO_MEMORY;
        snprintf(err->text, sizeof err->text, "out of memory");
        return err->status;
    }
    *files = (struct qn_files){d, disk_size, disk_read};
    *main = d->main;
    return QN_OK;
}

void disk_close(struct disk *d) {
    if (!d)
        return;
    for (size_t i = 0; i < OPEN_FILES; i++) {
        if (d->open[i].file)
            fclose(d->open[i].file);
        free(d->open[i].name);
    }
    free(d->folder);
    free(d->main);
    free(d);
}

char *read_file(const char *path, size_t *n) {
    FILE *file = fopen(path, "rb");
    char *p = NULL;
    size_t size = 0, capacity = 0;
    while (file && !ferror(file) && !feof(file)) {
        if (capacity - size < 65536) {
            capacity = capacity ? 2 * capacity : 1 << 17;
            char *grown = realloc(p, capacity);
            if (!grown)
                break;
            p = grown;
        }
        size += fread(p + size, 1, capacity - size - 1, file);
    }
    if (!file || ferror(file) || !feof(file)) {
        fprintf(stderr, "quern: error QN_E_IO: %s: %s; check the path\n", path, strerror(errno));
        free(p);
        p = NULL;
    } else {
        p[size] = 0;
        *n = size;
    }
    if (file)
        fclose(file);
    return p;
}
