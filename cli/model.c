#define _POSIX_C_SOURCE 200809L

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int64_t unix_time(void) {
    return (int64_t)time(NULL);
}

/* The embedded default model lies beside the program: build/quern → models/grist. */
static void default_model(char *out, size_t n) {
    char path[3072];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length > 0) {
        path[length] = 0;
        for (int up = 0; up < 3; up++) {
            char *slash = strrchr(path, '/');
            if (!slash)
                break;
            *slash = 0;
            snprintf(out, n, "%s/models/grist", path);
            if (access(out, R_OK) == 0)
                return;
        }
    }
    snprintf(out, n, "models/grist");
}

static enum qn_status load(struct model *m, enum need need, struct qn_error *err) {
    enum qn_status status = qn_engine_open(m->engine, err);
    uint32_t done = 0;
    while (status == QN_OK && need == NEED_WEIGHTS && qn_engine_state(m->engine) == QN_ENGINE_OPEN)
        status = qn_engine_load(m->engine, &done, err);
    return status;
}

int model_open(struct model *m, const struct options *o, enum need need) {
    struct qn_error err = {0};
    char path[4096];
    memset(m, 0, sizeof *m);
    if (o->backend && strcmp(o->backend, "webgpu") == 0)
        return refuse_with(QN_E_UNSUPPORTED,
                           "--backend webgpu in the native program; use bin/quern.mjs for the GPU");
    static const char *const kv_types[QN_KV_COUNT] = {"f32", "f16", "q8", "q4"};
    unsigned kv = 0;
    while (o->kv && kv < QN_KV_COUNT && strcmp(o->kv, kv_types[kv]) != 0)
        kv++;
    if (kv == QN_KV_COUNT)
        return refuse_with(QN_E_ARGUMENT, "--kv is f32, f16, q8 or q4");
    struct qn_engine_desc desc = {
        .synthetic = o->synthetic,
        .threads = o->threads,
        .context = o->context,
        .kv_type = (enum qn_kv_type)kv,
        .text_only = need == NEED_TEXT,
        .embeddings = o->embeddings,
        .clock = unix_time,
    };
    double start = seconds();
    enum qn_status status = QN_OK;
    if (!o->synthetic) {
        if (o->model && strcmp(o->model, "grist") != 0)
            snprintf(path, sizeof path, "%s", o->model);
        else
            default_model(path, sizeof path);
        status = disk_open(&m->disk, &desc.files, &desc.main, path, &err);
    }
    if (status == QN_OK)
        status = qn_engine_create(&m->engine, &desc, &err);
    if (status == QN_OK)
        status = load(m, need, &err);
    m->load_seconds = seconds() - start;
    if (status == QN_OK)
        return EXIT_DONE;
    int code = refuse(&err);
    model_close(m);
    return code;
}

void model_close(struct model *m) {
    qn_engine_destroy(m->engine);
    disk_close(m->disk);
    memset(m, 0, sizeof *m);
}
