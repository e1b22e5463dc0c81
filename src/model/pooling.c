#include "model/pooling.h"

#define DOCUMENT_MAX ((uint64_t)1 << 20)

static const struct {
    const char *name, *mode; // as a value; as a switch of 1_Pooling/config.json
    enum qn_pooling pooling;
} poolings[] = {
    {"mean", "pooling_mode_mean_tokens", QN_POOL_MEAN},
    {"cls", "pooling_mode_cls_token", QN_POOL_CLS},
    {"last", "pooling_mode_lasttoken", QN_POOL_LAST},
    {"lasttoken", "", QN_POOL_LAST},
};
#define N_POOLINGS (sizeof poolings / sizeof poolings[0])

static enum qn_status refuse(struct qn_str what, struct qn_error *err) {
    return qn_fail(err, QN_E_UNSUPPORTED, "the pooling \"%.*s\"", QN_STR_ARG(what));
}

/* *out stays as it is where there is no value. */
static enum qn_status by_name(enum qn_pooling *out, struct qn_json_value value,
                              struct qn_error *err) {
    if (!qn_json_exists(value))
        return QN_OK;
    for (size_t i = 0; i < N_POOLINGS; i++)
        if (qn_json_string_is(value, poolings[i].name)) {
            *out = poolings[i].pooling;
            return QN_OK;
        }
    return refuse(qn_json_raw(value), err);
}

/* Exactly one of the switches is on. */
static enum qn_status by_switches(enum qn_pooling *out, struct qn_json_value root,
                                  struct qn_error *err) {
    enum qn_pooling found = QN_POOL_MODEL;
    for (struct qn_json_iter it = qn_json_iterate(root); qn_json_each(&it);) {
        struct qn_str key = qn_json_raw(it.key);
        bool on = false;
        if (!qn_str_starts(key, QN_STR("pooling_mode_")) || !qn_json_bool(&on, it.value) || !on)
            continue;
        size_t i = 0;
        while (i < N_POOLINGS && !qn_str_is(key, poolings[i].mode))
            i++;
        if (i == N_POOLINGS || found)
            return refuse(key, err);
        *out = found = poolings[i].pooling;
    }
    return by_name(out, qn_json_get(root, "pooling_mode"), err);
}

/* A document that may be missing; *out has no nodes then. */
static enum qn_status read_optional(struct qn_json *out, struct qn_arena *arena,
                                    const struct qn_files *files, struct qn_str name,
                                    struct qn_error *err) {
    uint64_t size;
    struct qn_str text;
    *out = (struct qn_json){.n_nodes = 0};
    enum qn_status status = files->size(files->ud, &size, name);
    if (status == QN_E_NOT_FOUND)
        return QN_OK;
    if (status != QN_OK)
        return qn_fail(err, status, "cannot open \"%.*s\"", QN_STR_ARG(name));
    QN_TRY(qn_files_read_all(&text, arena, files, name, DOCUMENT_MAX, err));
    return qn_json_parse(out, arena, text, err);
}

static enum qn_status by_modules(enum qn_pooling *out, struct qn_arena *arena,
                                 const struct qn_files *files, struct qn_error *err) {
    struct qn_json modules, config;
    QN_TRY(read_optional(&modules, arena, files, QN_STR("modules.json"), err));
    if (!modules.n_nodes)
        return QN_OK;
    for (struct qn_json_iter it = qn_json_iterate(qn_json_root(&modules)); qn_json_each(&it);) {
        struct qn_str type = qn_json_raw(qn_json_get(it.value, "type"));
        if (qn_str_ends(type, QN_STR(".Transformer")) || qn_str_ends(type, QN_STR(".Normalize")))
            continue;
        if (!qn_str_ends(type, QN_STR(".Pooling")))
            return qn_fail(err, QN_E_UNSUPPORTED, "the module \"%.*s\" of modules.json",
                           QN_STR_ARG(type));
        QN_TRY(read_optional(&config, arena, files, QN_STR("1_Pooling/config.json"), err));
        if (config.n_nodes)
            QN_TRY(by_switches(out, qn_json_root(&config), err));
    }
    return QN_OK;
}

enum qn_status qn_pooling_read(enum qn_pooling *out, struct qn_arena *arena,
                               const struct qn_directory *d, const struct qn_files *files,
                               struct qn_error *err) {
    uint32_t type = 1;
    *out = QN_POOL_MEAN;
    switch (d->format) {
    case QN_FORMAT_GGUF: // llama.cpp's: none, mean, cls, last, rank
        if (qn_gguf_u32(&type, d, "bert.pooling_type") && type > 3)
            return qn_fail(err, QN_E_UNSUPPORTED, "the pooling_type %u", type);
        *out = type < 2 ? QN_POOL_MEAN : type == 2 ? QN_POOL_CLS : QN_POOL_LAST;
        return QN_OK;
    case QN_FORMAT_MLC:
        *out = QN_POOL_CLS;
        return by_name(out,
                       qn_json_get(qn_json_get(qn_json_root(&d->config), "embedding_metadata"),
                                   "pooling_strategy"),
                       err);
    case QN_FORMAT_SAFETENSORS:
        break;
    }
    return by_modules(out, arena, files, err);
}
