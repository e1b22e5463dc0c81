#include "engine/options.h"

#include <string.h>

#include "base/json.h"

enum kind { U32, U64, F32, BOOL, TEXT };

/* A member: its name, how it is read, where it goes. */
struct member {
    const char *name;
    enum kind kind;
    size_t offset;
};

static enum qn_status take(void *out, const struct member *m, struct qn_json_value v,
                           struct qn_error *err) {
    static const char *const expected[] = {[U32] = "a whole number below 2^32",
                                           [U64] = "a whole number",
                                           [F32] = "a number",
                                           [BOOL] = "true or false",
                                           [TEXT] = "a short text"};
    char *at = (char *)out + m->offset;
    double number = 0;
    bool good = false;
    if (qn_json_type(v) == QN_JSON_NULL)
        return QN_OK;
    switch (m->kind) {
    case U32:
        good = qn_json_u32((uint32_t *)(void *)at, v);
        break;
    case U64:
        good = qn_json_f64(&number, v) && number >= 0 && number < 0x1p63 &&
               (double)(uint64_t)number == number;
        if (good)
            *(uint64_t *)(void *)at = (uint64_t)number;
        break;
    case F32:
        good = qn_json_f32((float *)(void *)at, v);
        break;
    case BOOL:
        good = qn_json_bool((bool *)(void *)at, v);
        break;
    case TEXT: {
        struct qn_str s = qn_json_raw(v); // names need no escapes
        good = qn_json_type(v) == QN_JSON_STRING && s.n < QN_OPTION_TEXT && !memchr(s.p, '\\', s.n);
        if (good)
            memcpy(at, s.p, s.n); // the target is zeroed
        break;
    }
    }
    return good ? QN_OK
                : qn_fail(err, QN_E_ARGUMENT, "option %s: expected %s", m->name, expected[m->kind]);
}

static const struct member *find(const struct member *list, size_t n, struct qn_str name) {
    for (size_t i = 0; i < n; i++)
        if (qn_str_is(name, list[i].name))
            return &list[i];
    return NULL;
}

/* Reads the members of an object by a table; `other` takes the rest. */
static enum qn_status
read_object(void *out, const struct member *list, size_t n, struct qn_json_value object,
            enum qn_status (*other)(void *out, struct qn_str name, struct qn_json_value v,
                                    struct qn_error *err),
            struct qn_error *err) {
    if (qn_json_type(object) != QN_JSON_OBJECT)
        return qn_fail(err, QN_E_ARGUMENT, "options that are not a JSON object");
    struct qn_json_iter it = qn_json_iterate(object);
    while (qn_json_each(&it)) {
        struct qn_str name = qn_json_raw(it.key);
        const struct member *m = find(list, n, name);
        if (m)
            QN_TRY(take(out, m, it.value, err));
        else
            QN_TRY(other(out, name, it.value, err));
    }
    return QN_OK;
}

static enum qn_status unknown(void *out, struct qn_str name, struct qn_json_value v,
                              struct qn_error *err) {
    (void)out, (void)v;
    return qn_fail(err, QN_E_ARGUMENT, "option \"%.*s\" is not known", QN_STR_ARG(name));
}

/* ---- engine options -------------------------------------------------------------------------- */

#define CAP(member) offsetof(struct qn_gpu_caps, member)
static const struct member cap_members[] = {
    {"maxBinding", U64, CAP(max_binding)},
    {"maxBuffer", U64, CAP(max_buffer)},
    {"maxStorageBuffers", U32, CAP(max_storage_buffers)},
    {"maxWorkgroupMemory", U32, CAP(max_workgroup_memory)},
    {"maxInvocations", U32, CAP(max_invocations)},
    {"maxWorkgroups", U32, CAP(max_workgroups)},
    {"subgroupMin", U32, CAP(subgroup_min)},
    {"subgroupMax", U32, CAP(subgroup_max)},
    {"selfTest", BOOL, CAP(self_test)},
    {"tune", BOOL, CAP(tune)},
    {"measured", U32, CAP(measured)},
    {"kernels", U32, CAP(kernels)},
    {"fill", U32, CAP(fill)},
    {"tile", U32, CAP(tile)},
    {"without", U32, CAP(without)},
};

static enum qn_status other_cap(void *out, struct qn_str name, struct qn_json_value v,
                                struct qn_error *err) {
    static const struct {
        const char *name;
        enum qn_gpu_feature bit;
    } features[] = {
        {"shader-f16", QN_GPU_F16},
        {"subgroups", QN_GPU_SUBGROUPS},
        {"timestamp-query", QN_GPU_TIMESTAMPS},
        {"subgroup-size-control", QN_GPU_SUBGROUP_SIZE},
        {"packed-dot", QN_GPU_PACKED_DOT},
        {"rows", QN_GPU_ROWS},
        {"chromium-experimental-subgroup-matrix", QN_GPU_SUBGROUP_MATRIX},
    };
    struct qn_gpu_caps *caps = out;
    if (!qn_str_is(name, "features"))
        return unknown(out, name, v, err);
    struct qn_json_iter it = qn_json_iterate(v);
    while (qn_json_each(&it)) // features that this engine does not know are no harm
        for (size_t i = 0; i < sizeof features / sizeof *features; i++)
            if (qn_json_string_is(it.value, features[i].name))
                caps->features |= features[i].bit;
    return QN_OK;
}

#define OPTION(member) offsetof(struct qn_options, member)
static const struct member option_members[] = {
    {"main", TEXT, OPTION(main)},          {"synthetic", TEXT, OPTION(synthetic)},
    {"threads", U32, OPTION(threads)},     {"context", U32, OPTION(context)},
    {"chunk", U32, OPTION(chunk)},         {"sessions", U32, OPTION(sessions)},
    {"textOnly", BOOL, OPTION(text_only)}, {"embeddings", BOOL, OPTION(embeddings)},
};

static enum qn_status other_option(void *out, struct qn_str name, struct qn_json_value v,
                                   struct qn_error *err) {
    struct qn_options *o = out;
    if (qn_str_is(name, "kv")) {
        static const char *const types[QN_KV_COUNT] = {"f32", "f16", "q8", "q4"};
        for (unsigned i = 0; i < QN_KV_COUNT; i++)
            if (qn_json_string_is(v, types[i])) {
                o->kv_type = (enum qn_kv_type)i;
                return QN_OK;
            }
        return qn_fail(err, QN_E_ARGUMENT, "option kv is not \"f32\", \"f16\", \"q8\" or \"q4\"");
    }
    if (!qn_str_is(name, "gpu"))
        return unknown(out, name, v, err);
    if (qn_json_type(v) == QN_JSON_NULL)
        return QN_OK;
    o->gpu = true;
    return read_object(&o->caps, cap_members, sizeof cap_members / sizeof *cap_members, v,
                       other_cap, err);
}

enum qn_status qn_options_parse(struct qn_options *out, struct qn_str json, struct qn_error *err) {
    struct qn_arena arena;
    struct qn_json document;
    memset(out, 0, sizeof *out);
    qn_arena_init(&arena, qn_allocator_default());
    enum qn_status status = qn_json_parse(&document, &arena, json, err);
    if (status == QN_OK)
        status = read_object(out, option_members, sizeof option_members / sizeof *option_members,
                             qn_json_root(&document), other_option, err);
    qn_arena_free(&arena);
    return status;
}

void qn_options_apply(struct qn_engine_desc *desc, struct qn_gpu_host *gpu,
                      const struct qn_options *options) {
    desc->main = options->main;
    desc->synthetic = options->synthetic[0] ? options->synthetic : NULL;
    desc->threads = options->threads;
    desc->context = options->context;
    desc->chunk = options->chunk;
    desc->sessions = options->sessions;
    desc->kv_type = options->kv_type;
    desc->text_only = options->text_only;
    desc->embeddings = options->embeddings;
    gpu->caps = options->caps;
    desc->gpu = options->gpu ? gpu : NULL;
}

/* ---- a request ------------------------------------------------------------------------------- */

struct request_options {
    struct qn_request request;
    bool logits, argmax_all, logits_all;
};

#define REQUEST(member) offsetof(struct request_options, request.member)
static const struct member request_members[] = {
    {"maxTokens", U32, REQUEST(max_tokens)},
    {"temperature", F32, REQUEST(sampling.temperature)},
    {"topK", U32, REQUEST(sampling.top_k)},
    {"topP", F32, REQUEST(sampling.top_p)},
    {"minP", F32, REQUEST(sampling.min_p)},
    {"repetitionPenalty", F32, REQUEST(sampling.repetition_penalty)},
    {"frequencyPenalty", F32, REQUEST(sampling.frequency_penalty)},
    {"presencePenalty", F32, REQUEST(sampling.presence_penalty)},
    {"seed", U64, REQUEST(sampling.seed)},
    {"stopOnEos", BOOL, REQUEST(stop_on_eos)},
    {"slide", BOOL, REQUEST(slide)},
    {"sinks", U32, REQUEST(sinks)},
    {"pooling", U32, REQUEST(pooling)},
    {"speculate", BOOL, REQUEST(speculate)},
    {"logits", BOOL, offsetof(struct request_options, logits)},
    {"argmaxAll", BOOL, offsetof(struct request_options, argmax_all)},
    {"logitsAll", BOOL, offsetof(struct request_options, logits_all)},
};

enum qn_status qn_options_request(struct qn_request *out, struct qn_str json,
                                  struct qn_error *err) {
    struct request_options o = {.request.sampling = {.top_p = 1, .repetition_penalty = 1}};
    struct qn_arena arena;
    struct qn_json document;
    qn_arena_init(&arena, qn_allocator_default());
    enum qn_status status = qn_json_parse(&document, &arena, json, err);
    if (status == QN_OK)
        status = read_object(&o, request_members, sizeof request_members / sizeof *request_members,
                             qn_json_root(&document), unknown, err);
    qn_arena_free(&arena);
    o.request.want = (o.logits ? QN_WANT_LOGITS : 0) | (o.argmax_all ? QN_WANT_ARGMAX_ALL : 0) |
                     (o.logits_all ? QN_WANT_LOGITS_ALL : 0);
    *out = o.request;
    return status;
}
