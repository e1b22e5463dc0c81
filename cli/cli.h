/* The native `quern` command. It uses quern.h and nothing else of the project. */
#ifndef QUERN_CLI_H
#define QUERN_CLI_H

#include <stdio.h>

#include "quern.h"

/* Options of all commands; unset ones are zero. */
struct options {
    const char *command, *model;
    const char *ids, *text, *file, *messages, *tools, *type, *hex, *synthetic, *backend, *pooling,
        *kv;
    const char *prompt;
    uint32_t n;        // -n
    uint32_t prompt_n; // -p of bench
    uint32_t depth, repeats, sessions, threads, context;
    float temperature, top_p, min_p;
    uint32_t top_k;
    uint64_t seed;
    bool has_n, has_prompt_n, has_temperature, has_top_p, has_min_p, has_top_k, has_seed;
    bool json, all, raw, no_special, skip_special, lines, no_generation_prompt, stop_on_eos,
        verbose, normalize;
    bool embeddings; // set by the command
};

enum { EXIT_DONE = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2 };

/* Prints "quern: error QN_E_…: text" and returns EXIT_REFUSED. */
int refuse(const struct qn_error *err);
int refuse_with(enum qn_status status, const char *text);
int usage(const char *message);

/* ---- files.c: a folder or a file on disk as struct qn_files */
struct disk;
enum qn_status disk_open(struct disk **out, struct qn_files *files, const char **main,
                         const char *model, struct qn_error *err);
void disk_close(struct disk *disk);
/* A whole file; NULL (with a message on stderr) when it cannot be read. Free with free(). */
char *read_file(const char *path, size_t *n);

/* ---- model.c: an engine, loaded and ready */
struct model {
    struct disk *disk;
    qn_engine *engine;
    double load_seconds;
};
enum need { NEED_TEXT, NEED_METADATA, NEED_WEIGHTS };
/* Opens as much as the command needs. Returns an exit status. */
int model_open(struct model *m, const struct options *o, enum need need);
void model_close(struct model *m);
double seconds(void);

/* ---- json.c */
/* Decodes a JSON string literal that starts at p; NULL when malformed. Free with free(). */
char *json_string(const char *p, const char **end, size_t *n);
void print_json_string(FILE *out, struct qn_str s);
/* A list of ids, "1,2,3" or JSON "[1, 2]"; free with free(). NULL with a message when malformed. */
uint32_t *parse_ids(const char *text, size_t *n);
void print_ids(const uint32_t *ids, size_t n);
void print_floats(const float *values, size_t n);

/* ---- commands, each returns an exit status */
int command_run(const struct options *o);
int command_chat(const struct options *o);
int command_logits(const struct options *o);
int command_generate(const struct options *o);
int command_tokenize(const struct options *o);
int command_detokenize(const struct options *o);
int command_template(const struct options *o);
int command_dequant(const struct options *o);
int command_inspect(const struct options *o);
int command_bench(const struct options *o);
int command_embed(const struct options *o);

#endif
