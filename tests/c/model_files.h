/* Model folders for tests: a fixture's folder with some files replaced by patched copies. */
#ifndef QN_TEST_MODEL_FILES_H
#define QN_TEST_MODEL_FILES_H

#include "tests/c/faults.h"

struct overlay {
    char folder[1024];
    struct {
        const char *name;
        struct qn_str bytes; // malloc; p NULL: the file is hidden
    } list[4];
    int n;
};

static enum qn_status overlay_size_(void *ud, uint64_t *out, struct qn_str name) {
    struct overlay *o = ud;
    for (int i = 0; i < o->n; i++)
        if (qn_str_is(name, o->list[i].name)) {
            *out = o->list[i].bytes.n;
            return o->list[i].bytes.p ? QN_OK : QN_E_NOT_FOUND;
        }
    return folder_size_(o->folder, out, name);
}

static enum qn_status overlay_read_(void *ud, struct qn_str name, uint64_t offset, void *dst,
                                    size_t n) {
    struct overlay *o = ud;
    for (int i = 0; i < o->n; i++)
        if (qn_str_is(name, o->list[i].name)) {
            if (n)
                memcpy(dst, o->list[i].bytes.p + offset, n);
            return QN_OK;
        }
    return folder_read_(o->folder, name, offset, dst, n);
}

/* `folder` relative to the fixtures: "lm/qwen2". */
static inline struct qn_files overlay_open(struct overlay *o, const char *folder) {
    o->n = 0;
    snprintf(o->folder, sizeof o->folder, "%s/fixtures/%s", test_shared(), folder);
    return (struct qn_files){o, overlay_size_, overlay_read_};
}

static inline void overlay_close(struct overlay *o) {
    for (int i = 0; i < o->n; i++)
        free((void *)(uintptr_t)o->list[i].bytes.p);
    o->n = 0;
}

/* Makes `name` read as `bytes`, which are taken over. */
static inline void overlay_put(struct overlay *o, const char *name, struct qn_str bytes) {
    o->list[o->n].name = name;
    o->list[o->n++].bytes = bytes;
}

/* Replaces the bytes `from` at their nth (from 0) place in file `name` by `to`. False
 * when absent. */
static inline bool overlay_patch(struct overlay *o, const char *name, struct qn_str from, int nth,
                                 struct qn_str to) {
    int at = 0;
    while (at < o->n && strcmp(o->list[at].name, name) != 0)
        at++;
    if (at == o->n) {
        char path[1400];
        snprintf(path, sizeof path, "%s/%s", o->folder, name);
        overlay_put(o, name, slurp(path));
    }
    struct qn_str old = o->list[at].bytes;
    size_t place = 0;
    if (!old.p)
        return false;
    for (int i = 0; i <= nth; i++) {
        place = qn_str_find(old, from, i ? place + 1 : 0);
        if (place == SIZE_MAX)
            return false;
    }
    char *p = malloc(old.n - from.n + to.n + 1);
    memcpy(p, old.p, place);
    memcpy(p + place, to.p, to.n);
    memcpy(p + place + to.n, old.p + place + from.n, old.n - place - from.n);
    o->list[at].bytes = (struct qn_str){p, old.n - from.n + to.n};
    free((void *)(uintptr_t)old.p);
    return true;
}

static inline bool overlay_patch_text(struct overlay *o, const char *name, const char *from,
                                      const char *to) {
    return overlay_patch(o, name, qn_str_from(from), 0, qn_str_from(to));
}

/* "model.gguf" for a folder under gguf/, else "" (the folder itself). */
static inline struct qn_str fixture_main(const char *folder) {
    return strncmp(folder, "gguf/", 5) == 0 ? QN_STR("model.gguf") : QN_STR("");
}

static inline bool fixtures_there(void) {
    char path[1024];
    snprintf(path, sizeof path, "%s/fixtures/README.md", test_shared());
    FILE *file = fopen(path, "rb");
    if (file)
        fclose(file);
    return file != NULL;
}

#endif
