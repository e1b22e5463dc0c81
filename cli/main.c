#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int refuse(const struct qn_error *err) {
    fflush(stdout);
    fprintf(stderr, "quern: error %s: %s\n", qn_status_name(err->status), err->text);
    return EXIT_REFUSED;
}

int refuse_with(enum qn_status status, const char *text) {
    fflush(stdout);
    fprintf(stderr, "quern: error %s: %s\n", qn_status_name(status), text);
    return EXIT_REFUSED;
}

static const char help[] =
    "usage: quern COMMAND [MODEL] [OPTIONS]\n"
    "  run [MODEL] -p TEXT [-n N] [--temp T] [--top-k K] [--top-p P] [--min-p P] [--seed S] "
    "[--raw]\n"
    "  chat [MODEL]\n"
    "  logits MODEL --ids 1,2,3 [--all] --json\n"
    "  generate MODEL --ids 1,2,3 -n N [--temp T] [--seed S] [--stop-on-eos] --json\n"
    "  tokenize MODEL (--text T | --file F [--lines]) [--no-special] --json\n"
    "  detokenize MODEL (--ids 1,2,3 | --file F --lines) [--skip-special] --json\n"
    "  template MODEL --messages F.json [--tools F.json] [--no-generation-prompt]\n"
    "  dequant --type Q4_0 --hex … --json\n"
    "  embed MODEL (--text T | --ids 1,2,3) [--pooling mean|cls|last] [--normalize] --json\n"
    "  inspect MODEL [--json]\n"
    "  bench [MODEL] [-p 512] [-n 128] [-d DEPTH] [-r 5] [--sessions N] [--synthetic NAME:QUANT] "
    "--json\n"
    "MODEL is a .gguf file or a folder (Hugging Face or MLC layout); without it the default "
    "model.\n"
    "Common: --threads N, --context N, --kv f32|f16|q8|q4, --backend cpu, --json, --verbose\n";

int usage(const char *message) {
    if (message)
        fprintf(stderr, "quern: %s\n", message);
    fputs(help, stderr);
    return EXIT_USAGE;
}

struct command {
    const char *name;
    int (*run)(const struct options *o); // NULL: a name that is kept for later
};

static const struct command commands[] = {
    {"run", command_run},
    {"chat", command_chat},
    {"logits", command_logits},
    {"generate", command_generate},
    {"tokenize", command_tokenize},
    {"detokenize", command_detokenize},
    {"template", command_template},
    {"dequant", command_dequant},
    {"inspect", command_inspect},
    {"bench", command_bench},
    {"embed", command_embed},
    {"classify", NULL},
    {"transcribe", NULL},
    {"onnx", NULL},
    {"convert", NULL},
    {"serve", NULL},
};

enum kind { FLAG, TEXT, U32, U64, F32 };

struct option {
    const char *name;
    enum kind kind;
    size_t offset;
    size_t has; // offset of the "was given" flag, or 0
};

#define FIELD(member) offsetof(struct options, member)

static const struct option options[] = {
    {"--ids", TEXT, FIELD(ids), 0},
    {"--text", TEXT, FIELD(text), 0},
    {"--file", TEXT, FIELD(file), 0},
    {"--messages", TEXT, FIELD(messages), 0},
    {"--tools", TEXT, FIELD(tools), 0},
    {"--type", TEXT, FIELD(type), 0},
    {"--hex", TEXT, FIELD(hex), 0},
    {"--synthetic", TEXT, FIELD(synthetic), 0},
    {"--backend", TEXT, FIELD(backend), 0},
    {"--pooling", TEXT, FIELD(pooling), 0},
    {"--kv", TEXT, FIELD(kv), 0},
    {"-p", TEXT, FIELD(prompt), 0},
    {"-n", U32, FIELD(n), FIELD(has_n)},
    {"-d", U32, FIELD(depth), 0},
    {"-r", U32, FIELD(repeats), 0},
    {"--sessions", U32, FIELD(sessions), 0},
    {"--threads", U32, FIELD(threads), 0},
    {"--context", U32, FIELD(context), 0},
    {"--temp", F32, FIELD(temperature), FIELD(has_temperature)},
    {"--top-k", U32, FIELD(top_k), FIELD(has_top_k)},
    {"--top-p", F32, FIELD(top_p), FIELD(has_top_p)},
    {"--min-p", F32, FIELD(min_p), FIELD(has_min_p)},
    {"--seed", U64, FIELD(seed), FIELD(has_seed)},
    {"--json", FLAG, FIELD(json), 0},
    {"--all", FLAG, FIELD(all), 0},
    {"--raw", FLAG, FIELD(raw), 0},
    {"--no-special", FLAG, FIELD(no_special), 0},
    {"--skip-special", FLAG, FIELD(skip_special), 0},
    {"--lines", FLAG, FIELD(lines), 0},
    {"--no-generation-prompt", FLAG, FIELD(no_generation_prompt), 0},
    {"--stop-on-eos", FLAG, FIELD(stop_on_eos), 0},
    {"--verbose", FLAG, FIELD(verbose), 0},
    {"--normalize", FLAG, FIELD(normalize), 0},
};

/* Stores one value; false when it does not parse. */
static bool set(struct options *o, const struct option *option, const char *value) {
    char *at = (char *)o + option->offset;
    char *end = NULL;
    errno = 0;
    if (option->has)
        *((char *)o + option->has) = true;
    switch (option->kind) {
    case FLAG:
        *(bool *)(void *)at = true;
        return true;
    case TEXT:
        *(const char **)(void *)at = value;
        return true;
    case F32:
        *(float *)(void *)at = strtof(value, &end);
        return end != value && *end == 0;
    default: {
        unsigned long long number = strtoull(value, &end, 10);
        if (*value < '0' || *value > '9' || *end != 0 || errno)
            return false;
        if (option->kind == U64) {
            *(uint64_t *)(void *)at = number;
            return true;
        }
        if (number > UINT32_MAX)
            return false;
        *(uint32_t *)(void *)at = (uint32_t)number;
        return true;
    }
    }
}

static const struct option *find_option(const char *name) {
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (strcmp(options[i].name, name) == 0)
            return &options[i];
    return NULL;
}

/* Fills `o`; returns EXIT_DONE or EXIT_USAGE. */
static int parse(struct options *o, int argc, char **argv) {
    char message[200];
    for (int i = 2; i < argc; i++) {
        if (argv[i][0] != '-') {
            if (o->model)
                return usage("more than one MODEL");
            o->model = argv[i];
            continue;
        }
        const struct option *option = find_option(argv[i]);
        if (!option) {
            snprintf(message, sizeof message, "unknown option %.100s", argv[i]);
            return usage(message);
        }
        const char *value = NULL;
        if (option->kind != FLAG) {
            if (++i == argc) {
                snprintf(message, sizeof message, "%s needs a value", option->name);
                return usage(message);
            }
            value = argv[i];
        }
        if (!set(o, option, value)) {
            snprintf(message, sizeof message, "%s: \"%.100s\" is not a number it takes",
                     option->name, value);
            return usage(message);
        }
    }
    if (o->model && !*o->model)
        return usage("MODEL is empty");
    if (o->backend && strcmp(o->backend, "cpu") != 0 && strcmp(o->backend, "webgpu") != 0 &&
        strcmp(o->backend, "auto") != 0)
        return usage("--backend is one of cpu, webgpu, auto");
    return EXIT_DONE;
}

int main(int argc, char **argv) {
    struct options o = {0};
    if (argc < 2)
        return usage(NULL);
    if (strcmp(argv[1], "--version") == 0) {
        puts(qn_version());
        return EXIT_DONE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        fputs(help, stdout);
        return EXIT_DONE;
    }
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(argv[1], commands[i].name) != 0)
            continue;
        o.command = argv[1];
        if (!commands[i].run) {
            char text[120];
            snprintf(text, sizeof text,
                     "the command %s is not built yet; see docs/formats.md for what is", argv[1]);
            return refuse_with(QN_E_UNSUPPORTED, text);
        }
        int code = parse(&o, argc, argv);
        if (code == EXIT_DONE)
            code = commands[i].run(&o);
        if (fflush(stdout) != 0 && code == EXIT_DONE)
            code = refuse_with(QN_E_IO, "writing to stdout; check the disk or the pipe");
        return code;
    }
    char message[200];
    snprintf(message, sizeof message, "unknown command %.100s", argv[1]);
    return usage(message);
}
