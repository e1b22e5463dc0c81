/* tokenize, detokenize, template. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* ---- tokenize -------------------------------------------------------------------------------- */

static int tokenize_one(qn_engine *engine, const struct options *o, struct qn_str text, bool bare) {
    struct qn_error err = {0};
    const uint32_t *ids = NULL;
    size_t n = 0;
    uint32_t flags = o->no_special ? 0 : QN_TEXT_ADD_SPECIAL;
    if (qn_engine_tokenize(engine, &ids, &n, text, flags, &err) != QN_OK)
        return refuse(&err);
    if (bare) {
        print_ids(ids, n);
        putchar('\n');
        return EXIT_DONE;
    }
    fputs("{\"ids\":", stdout);
    print_ids(ids, n);
    fputs(",\"tokens\":[", stdout);
    for (size_t i = 0; i < n; i++) {
        if (i)
            putchar(',');
        print_json_string(stdout, qn_engine_token(engine, ids[i]));
    }
    puts("]}");
    return EXIT_DONE;
}

/* Calls `use` for each line that is not blank. `text` is cut at its line ends. */
static int each_line(char *text, const struct options *o, qn_engine *engine,
                     int (*use)(qn_engine *engine, const struct options *o, char *line,
                                size_t number)) {
    int code = EXIT_DONE;
    size_t number = 0;
    for (char *line = text; line && code == EXIT_DONE;) {
        char *end = strchr(line, '\n');
        if (end)
            *end = 0;
        number++;
        if (line[strspn(line, " \t\r")] != 0)
            code = use(engine, o, line + strspn(line, " \t"), number);
        line = end ? end + 1 : NULL;
    }
    return code;
}

static int bad_line(size_t number, const char *expected) {
    char text[120];
    snprintf(text, sizeof text, "line %zu is not %s; correct the file", number, expected);
    return refuse_with(QN_E_JSON, text);
}

static int tokenize_line(qn_engine *engine, const struct options *o, char *line, size_t number) {
    size_t n = 0;
    char *text = json_string(line, NULL, &n);
    if (!text)
        return bad_line(number, "a JSON string");
    int code = tokenize_one(engine, o, (struct qn_str){text, n}, true);
    free(text);
    return code;
}

int command_tokenize(const struct options *o) {
    if (!o->text == !o->file)
        return usage("tokenize needs --text or --file");
    struct model m;
    int code = model_open(&m, o, NEED_TEXT);
    if (code != EXIT_DONE)
        return code;
    if (o->text) {
        code = tokenize_one(m.engine, o, (struct qn_str){o->text, strlen(o->text)}, false);
    } else {
        size_t n = 0;
        char *text = read_file(o->file, &n);
        if (!text)
            code = EXIT_REFUSED;
        else if (o->lines)
            code = each_line(text, o, m.engine, tokenize_line);
        else
            code = tokenize_one(m.engine, o, (struct qn_str){text, n}, false);
        free(text);
    }
    model_close(&m);
    return code;
}

/* ---- detokenize ------------------------------------------------------------------------------ */

static int detokenize_one(qn_engine *engine, const struct options *o, const char *list, bool bare) {
    struct qn_error err = {0};
    struct qn_str text;
    size_t n = 0;
    uint32_t *ids = parse_ids(list, &n);
    if (!ids)
        return EXIT_REFUSED;
    uint32_t flags = o->skip_special ? QN_TEXT_SKIP_SPECIAL : 0;
    int code = EXIT_DONE;
    if (qn_engine_detokenize(engine, &text, ids, n, flags, &err) != QN_OK) {
        code = refuse(&err);
    } else {
        fputs(bare ? "" : "{\"text\":", stdout);
        print_json_string(stdout, text);
        puts(bare ? "" : "}");
    }
    free(ids);
    return code;
}

static int detokenize_line(qn_engine *engine, const struct options *o, char *line, size_t number) {
    if (*line != '[')
        return bad_line(number, "a JSON list of ids");
    return detokenize_one(engine, o, line, true);
}

int command_detokenize(const struct options *o) {
    if (!o->ids == !o->file)
        return usage("detokenize needs --ids or --file");
    struct model m;
    int code = model_open(&m, o, NEED_TEXT);
    if (code != EXIT_DONE)
        return code;
    if (o->ids) {
        code = detokenize_one(m.engine, o, o->ids, false);
    } else {
        size_t n = 0;
        char *text = read_file(o->file, &n);
        code = !text      ? EXIT_REFUSED
               : o->lines ? each_line(text, o, m.engine, detokenize_line)
                          : detokenize_one(m.engine, o, text, false);
        free(text);
    }
    model_close(&m);
    return code;
}

/* ---- template -------------------------------------------------------------------------------- */

int command_template(const struct options *o) {
    if (!o->messages)
        return usage("template needs --messages");
    size_t n = 0, tools_n = 0;
    char *messages = read_file(o->messages, &n);
    char *tools = o->tools ? read_file(o->tools, &tools_n) : NULL;
    char *context = malloc(n + tools_n + 200);
    int code = EXIT_REFUSED;
    struct model m;
    if (messages && context && (tools || !o->tools) &&
        (code = model_open(&m, o, NEED_TEXT)) == EXIT_DONE) {
        /* A whole context object is taken as it is; a list is the messages. */
        int length;
        if (messages[strspn(messages, " \t\r\n")] == '{')
            length = snprintf(context, n + 200, "%s", messages);
        else
            length = snprintf(context, n + tools_n + 200,
                              "{\"messages\":%s,\"add_generation_prompt\":%s%s%s}", messages,
                              o->no_generation_prompt ? "false" : "true",
                              tools ? ",\"tools\":" : "", tools ? tools : "");
        struct qn_error err = {0};
        struct qn_str text;
        if (qn_engine_template(m.engine, &text, (struct qn_str){context, (size_t)length}, &err) ==
            QN_OK)
            fwrite(text.p, 1, text.n, stdout);
        else
            code = refuse(&err);
        model_close(&m);
    }
    free(messages);
    free(tools);
    free(context);
    return code;
}
