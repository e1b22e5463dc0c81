/* Speed of tokenizers in the library itself: MB/s of encoding a text and milliseconds of loading,
 * on one thread, in CPU time of this process.
 *
 *   bench_tokenizers [-n RUNS] [-m MEGABYTES] TEXT FILE…   a FILE is tokenizer.json, model.gguf, a
 *                                                          folder with either, or with vocab.json
 *
 * One line per file: median of the runs, smallest and largest, tokens, load. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "text/tokenizer.h"

static double seconds(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static struct qn_str slurp(const char *path) {
    struct qn_str s = {NULL, 0};
    FILE *f = fopen(path, "rb");
    if (!f)
        return s;
    fseek(f, 0, SEEK_END);
    long n = ftell(f);
    rewind(f);
    char *p = malloc((size_t)n + 1);
    if (p && fread(p, 1, (size_t)n, f) == (size_t)n)
        s = (struct qn_str){p, (size_t)n};
    fclose(f);
    return s;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The files of a folder that a tokenizer may lie in; a file alone stands under the name that says
 * what it is. */
static uint32_t gather(struct qn_memory_file *list, const char *path) {
    static const char *const names[] = {"tokenizer.json", "tokenizer_config.json", "vocab.json",
                                        "merges.txt",     "tokenizer.model",       "spiece.model",
                                        "vocab.txt"};
    struct stat st;
    uint32_t n = 0;
    if (stat(path, &st) != 0)
        return 0;
    if (!S_ISDIR(st.st_mode)) {
        size_t length = strlen(path);
        bool gguf = length > 5 && strcmp(path + length - 5, ".gguf") == 0;
        list[0] = (struct qn_memory_file){qn_str_from(gguf ? "model.gguf" : "tokenizer.json"),
                                          slurp(path)};
        return list[0].bytes.p ? 1 : 0;
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char name[4096];
        snprintf(name, sizeof name, "%s/%s", path, names[i]);
        struct qn_str bytes = slurp(name);
        if (bytes.p)
            list[n++] = (struct qn_memory_file){qn_str_from(names[i]), bytes};
    }
    return n;
}

static enum qn_status load(struct qn_tokenizer **t, struct qn_arena *arena,
                           const struct qn_memory_file *list, uint32_t n, struct qn_error *err) {
    if (qn_str_is(list[0].name, "tokenizer.json"))
        return qn_tokenizer_from_json(t, arena, list[0].bytes, err);
    struct qn_memory_files memory = {list, n};
    struct qn_files files = qn_files_from_memory(&memory);
    struct qn_directory directory;
    if (qn_str_is(list[0].name, "model.gguf")) {
        QN_TRY(qn_directory_open(&directory, arena, &files, list[0].name, err));
    } else {
        directory = (struct qn_directory){.format = QN_FORMAT_SAFETENSORS};
        for (uint32_t i = 0; i < n; i++)
            if (qn_str_is(list[i].name, "tokenizer_config.json"))
                QN_TRY(qn_json_parse(&directory.tokenizer_config, arena, list[i].bytes, err));
    }
    return qn_tokenizer_open(t, arena, &directory, &files, err);
}

#define MAX_RUNS 99

static void measure(const char *path, struct qn_str text, int runs) {
    struct qn_memory_file list[8];
    double loads[MAX_RUNS], speeds[MAX_RUNS];
    struct qn_error err = {.text = "cannot be read"};
    struct qn_ids ids;
    size_t n_ids = 0;
    uint32_t n = gather(list, path), size = 0;
    enum qn_status status = n > 0 ? QN_OK : QN_E_NOT_FOUND;
    for (int i = 0; status == QN_OK && i < runs; i++) {
        struct qn_arena arena;
        struct qn_tokenizer *t;
        qn_arena_init(&arena, qn_allocator_default());
        qn_ids_init(&ids, qn_allocator_default());
        double start = seconds();
        status = load(&t, &arena, list, n, &err);
        loads[i] = 1e3 * (seconds() - start);
        if (status == QN_OK) {
            size = qn_tokenizer_size(t);
            start = seconds();
            status = qn_tokenizer_encode(t, &ids, text, 0, NULL, 0, &err);
            speeds[i] = 1e-6 * (double)text.n / (seconds() - start);
            n_ids = ids.n;
        }
        qn_ids_free(&ids);
        qn_arena_free(&arena);
    }
    for (uint32_t i = 0; i < n; i++)
        free((void *)(uintptr_t)list[i].bytes.p);
    if (status != QN_OK) {
        printf("%s: %s\n", path, err.text);
        return;
    }
    qsort(loads, (size_t)runs, sizeof *loads, compare);
    qsort(speeds, (size_t)runs, sizeof *speeds, compare);
    printf("%-90s %7.1f MB/s (%.1f to %.1f) %9zu tokens; %u ids loaded in %.1f ms (%.1f to %.1f)\n",
           path, speeds[runs / 2], speeds[0], speeds[runs - 1], n_ids, size, loads[runs / 2],
           loads[0], loads[runs - 1]);
    fflush(stdout);
}

int main(int argc, char **argv) {
    int at = 1, runs = 5;
    size_t megabytes = 20;
    for (; at + 1 < argc && argv[at][0] == '-'; at += 2) {
        if (strcmp(argv[at], "-n") == 0)
            runs = atoi(argv[at + 1]);
        else if (strcmp(argv[at], "-m") == 0)
            megabytes = (size_t)atoi(argv[at + 1]);
    }
    if (at + 1 >= argc || runs < 1 || runs > MAX_RUNS) {
        fprintf(stderr, "usage: %s [-n RUNS] [-m MEGABYTES] TEXT FILE...\n", argv[0]);
        return 2;
    }
    struct qn_str text = slurp(argv[at]);
    if (!text.p) {
        fprintf(stderr, "%s: cannot be read\n", argv[at]);
        return 1;
    }
    if (text.n > megabytes * 1000000)
        text.n = megabytes * 1000000;
    for (at++; at < argc; at++)
        measure(argv[at], text, runs);
    return 0;
}
