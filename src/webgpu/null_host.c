#include "webgpu/null_host.h"

#include <string.h>

#include "base/num.h"
#include "webgpu/gpu.h"
#include "webgpu/null_events.h"
#include "webgpu/null_wgsl.h"

#define MAX_IDS 65536u
#define MAX_UNIFORM 65536u // maxUniformBufferBindingSize
#define OFFSET_ALIGNMENT 256u

/* A generation tells a slot's present owner from an earlier one with the same id. */
struct buffer {
    bool alive;
    uint32_t generation, usage;
    uint64_t bytes;
};

struct module {
    bool alive;
    char *text, *label;
    size_t text_n, label_n;
};

struct layout {
    bool alive;
    uint32_t n;
    uint32_t kinds[QN_NULL_BINDINGS];
};

struct pipeline {
    bool alive;
    char *names; // of the constants, one block
    size_t names_n;
    char *text, *label;
    size_t text_n, label_n;
    struct qn_null_pipeline shown;
};

struct group {
    bool alive;
    uint32_t layout, n;
    struct qn_null_binding bindings[QN_NULL_BINDINGS];
    uint32_t generations[QN_NULL_BINDINGS]; // of the buffers
};

struct table {
    void *slots;
    uint32_t n;
};

enum table_kind { BUFFERS, MODULES, LAYOUTS, PIPELINES, GROUPS, TABLE_COUNT };

struct qn_null_host {
    const struct qn_allocator *allocator;
    struct qn_gpu_caps caps;
    struct qn_null_hooks hooks;
    struct table tables[TABLE_COUNT];
    struct qn_null_events events;
    struct qn_null_stats stats;
    struct qn_null_fault fault;
    uint32_t generation;
    bool in_pass, recording, lost;
    uint32_t pipeline, group; // set in this pass, or UINT32_MAX
    const char *command;      // name of the word under check
    struct qn_error refusal;
};

static const size_t slot_sizes[TABLE_COUNT] = {sizeof(struct buffer), sizeof(struct module),
                                               sizeof(struct layout), sizeof(struct pipeline),
                                               sizeof(struct group)};

/* ---- Slots --------------------------------------------------------------------------------- */

static enum qn_status slot_reserve(struct qn_null_host *host, enum table_kind kind, uint32_t id,
                                   struct qn_error *err) {
    struct table *table = &host->tables[kind];
    if (id >= MAX_IDS)
        return qn_fail(err, QN_E_GPU, "%s: id %u is not small", host->command, id);
    if (id < table->n)
        return QN_OK;
    uint32_t n = qn_max_u32(id + 1, table->n * 2);
    size_t size = slot_sizes[kind];
    char *grown = qn_mem_grow(host->allocator, table->slots, table->n * size, n * size);
    if (grown == NULL)
        return qn_fail(err, QN_E_NO_MEMORY, "null host: table of ids");
    memset(grown + table->n * size, 0, (n - table->n) * size);
    table->slots = grown;
    table->n = n;
    return QN_OK;
}

static struct buffer *buffer_at(struct qn_null_host *host, uint32_t id) {
    struct buffer *slots = host->tables[BUFFERS].slots;
    return id < host->tables[BUFFERS].n && slots[id].alive ? &slots[id] : NULL;
}

static struct module *module_at(struct qn_null_host *host, uint32_t id) {
    struct module *slots = host->tables[MODULES].slots;
    return id < host->tables[MODULES].n && slots[id].alive ? &slots[id] : NULL;
}

static struct layout *layout_at(struct qn_null_host *host, uint32_t id) {
    struct layout *slots = host->tables[LAYOUTS].slots;
    return id < host->tables[LAYOUTS].n && slots[id].alive ? &slots[id] : NULL;
}

static struct pipeline *pipeline_at(struct qn_null_host *host, uint32_t id) {
    struct pipeline *slots = host->tables[PIPELINES].slots;
    return id < host->tables[PIPELINES].n && slots[id].alive ? &slots[id] : NULL;
}

static struct group *group_at(struct qn_null_host *host, uint32_t id) {
    struct group *slots = host->tables[GROUPS].slots;
    return id < host->tables[GROUPS].n && slots[id].alive ? &slots[id] : NULL;
}

static enum qn_status copy_text(struct qn_null_host *host, char **out, const void *p, size_t n,
                                struct qn_error *err) {
    *out = qn_mem_alloc(host->allocator, n);
    if (*out == NULL)
        return qn_fail(err, QN_E_NO_MEMORY, "null host: text of %zu bytes", n);
    if (n != 0)
        memcpy(*out, p, n);
    return QN_OK;
}

static void module_clear(struct qn_null_host *host, struct module *module) {
    qn_mem_free(host->allocator, module->text, module->text_n);
    qn_mem_free(host->allocator, module->label, module->label_n);
    *module = (struct module){0};
}

static void pipeline_clear(struct qn_null_host *host, struct pipeline *pipeline) {
    qn_mem_free(host->allocator, pipeline->names, pipeline->names_n);
    qn_mem_free(host->allocator, pipeline->text, pipeline->text_n);
    qn_mem_free(host->allocator, pipeline->label, pipeline->label_n);
    *pipeline = (struct pipeline){0};
}

/* ---- Creation ------------------------------------------------------------------------------ */

static enum qn_status create_buffer(struct qn_null_host *host, const uint32_t *w,
                                    struct qn_error *err) {
    uint32_t id = w[0], bytes = w[1], usage = w[2];
    const uint32_t known = QN_USE_COPY_SRC | QN_USE_COPY_DST | QN_USE_UNIFORM | QN_USE_STORAGE;
    QN_TRY(slot_reserve(host, BUFFERS, id, err));
    if (buffer_at(host, id))
        return qn_fail(err, QN_E_GPU, "buffer %u is alive already", id);
    if (bytes == 0 || bytes % 4 != 0)
        return qn_fail(err, QN_E_GPU, "buffer %u has %u bytes, no positive multiple of 4", id,
                       bytes);
    if (bytes > host->caps.max_buffer)
        return qn_fail(err, QN_E_GPU, "buffer %u has %u bytes, the limit is %llu", id, bytes,
                       (unsigned long long)host->caps.max_buffer);
    if (usage == 0 || (usage & ~known) != 0)
        return qn_fail(err, QN_E_GPU, "buffer %u has usage %u", id, usage);
    if (host->hooks.create)
        QN_TRY(host->hooks.create(host->hooks.ud, id, bytes, err));
    struct buffer *buffer = &((struct buffer *)host->tables[BUFFERS].slots)[id];
    *buffer = (struct buffer){true, ++host->generation, usage, bytes};
    host->stats.buffers++;
    host->stats.bytes += bytes;
    return QN_OK;
}

static enum qn_status destroy_buffer(struct qn_null_host *host, const uint32_t *w,
                                     struct qn_error *err) {
    struct buffer *buffer = buffer_at(host, w[0]);
    if (buffer == NULL)
        return qn_fail(err, QN_E_GPU, "no buffer %u", w[0]);
    if (host->recording)
        return qn_fail(err, QN_E_GPU, "buffer %u: recorded commands are not submitted", w[0]);
    if (host->hooks.destroy)
        host->hooks.destroy(host->hooks.ud, w[0]);
    host->stats.buffers--;
    host->stats.bytes -= buffer->bytes;
    buffer->alive = false;
    return QN_OK;
}

static enum qn_status create_module(struct qn_null_host *host, const uint32_t *w,
                                    struct qn_error *err) {
    uint32_t id = w[0], label_n = w[1], n = w[4];
    const uint32_t *parts = w + 5; // three words each: bytes, pointer
    const char *label = qn_tape_pointer(w[2], w[3]);
    uint64_t text_n = 0;
    QN_TRY(slot_reserve(host, MODULES, id, err));
    for (uint32_t i = 0; i < n; i++) {
        if (parts[3 * i] != 0 && qn_tape_pointer(parts[3 * i + 1], parts[3 * i + 2]) == NULL)
            return qn_fail(err, QN_E_GPU, "module %u: part %u of its text is null", id, i);
        text_n += parts[3 * i];
    }
    if (text_n == 0 || text_n > UINT32_MAX)
        return qn_fail(err, QN_E_GPU, "module %u has no text", id);
    if (label_n != 0 && label == NULL)
        return qn_fail(err, QN_E_GPU, "module %u has a null label", id);
    struct module *module = &((struct module *)host->tables[MODULES].slots)[id];
    if (module->alive)
        host->stats.modules--;
    module_clear(host, module);
    module->text_n = (size_t)text_n;
    module->label_n = label_n;
    module->text = qn_mem_alloc(host->allocator, module->text_n);
    if (module->text == NULL)
        return qn_fail(err, QN_E_NO_MEMORY, "null host: text of module %u", id);
    char *to = module->text;
    for (uint32_t i = 0; i < n; i++)
        if (parts[3 * i] != 0)
            to = (char *)memcpy(to, qn_tape_pointer(parts[3 * i + 1], parts[3 * i + 2]),
                                parts[3 * i]) +
                 parts[3 * i];
    enum qn_status status = copy_text(host, &module->label, label, label_n, err);
    if (status != QN_OK) {
        module_clear(host, module);
        return status;
    }
    module->alive = true;
    host->stats.modules++;
    return QN_OK;
}

static enum qn_status create_layout(struct qn_null_host *host, const uint32_t *w,
                                    struct qn_error *err) {
    uint32_t id = w[0], n = w[1], storage = 0;
    QN_TRY(slot_reserve(host, LAYOUTS, id, err));
    if (n == 0 || n > QN_NULL_BINDINGS)
        return qn_fail(err, QN_E_GPU, "layout %u has %u bindings", id, n);
    for (uint32_t i = 0; i < n; i++) {
        if (w[2 + i] > QN_BIND_WRITE)
            return qn_fail(err, QN_E_GPU, "layout %u, binding %u: kind %u", id, i, w[2 + i]);
        storage += w[2 + i] != QN_BIND_UNIFORM;
    }
    if (storage > host->caps.max_storage_buffers)
        return qn_fail(err, QN_E_GPU, "layout %u has %u storage buffers, the limit is %u", id,
                       storage, host->caps.max_storage_buffers);
    struct layout *layout = &((struct layout *)host->tables[LAYOUTS].slots)[id];
    host->stats.layouts += !layout->alive;
    *layout = (struct layout){.alive = true, .n = n};
    memcpy(layout->kinds, w + 2, n * sizeof *w);
    return QN_OK;
}

static enum qn_status create_pipeline(struct qn_null_host *host, const uint32_t *w,
                                      struct qn_error *err) {
    uint32_t id = w[0], n = w[3];
    struct module *module = module_at(host, w[1]);
    struct layout *layout = layout_at(host, w[2]);
    QN_TRY(slot_reserve(host, PIPELINES, id, err));
    if (module == NULL)
        return qn_fail(err, QN_E_GPU, "pipeline %u: no module %u", id, w[1]);
    if (layout == NULL)
        return qn_fail(err, QN_E_GPU, "pipeline %u: no layout %u", id, w[2]);
    struct qn_str text = {module->text, module->text_n}, label = {module->label, module->label_n};
    if (n > QN_NULL_CONSTANTS)
        return qn_fail(err, QN_E_GPU, "%.*s: %u constants", QN_STR_ARG(label), n);
    QN_TRY(qn_wgsl_bindings_match(text, layout->kinds, layout->n, label, err));
    size_t names_n = 0;
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t *c = w + 4 + i * 4;
        struct qn_str name = {qn_tape_pointer(c[1], c[2]), c[0]};
        if (name.n == 0 || name.n > 64 || name.p == NULL)
            return qn_fail(err, QN_E_GPU, "%.*s: constant %u has no name", QN_STR_ARG(label), i);
        if (!qn_wgsl_has_override(text, name))
            return qn_fail(err, QN_E_GPU, "%.*s: no override %.*s", QN_STR_ARG(label),
                           QN_STR_ARG(name));
        float value = qn_bits_f32(c[3]);
        if (!(value - value == 0.0f))
            return qn_fail(err, QN_E_GPU, "%.*s: %.*s is not finite", QN_STR_ARG(label),
                           QN_STR_ARG(name));
        names_n += name.n;
    }
    struct pipeline *pipeline = &((struct pipeline *)host->tables[PIPELINES].slots)[id];
    if (pipeline->alive)
        host->stats.pipelines--;
    pipeline_clear(host, pipeline);
    pipeline->names_n = names_n;
    pipeline->text_n = text.n;
    pipeline->label_n = label.n;
    pipeline->names = qn_mem_alloc(host->allocator, names_n);
    enum qn_status status = copy_text(host, &pipeline->text, text.p, text.n, err);
    if (status == QN_OK)
        status = copy_text(host, &pipeline->label, label.p, label.n, err);
    if (status == QN_OK && pipeline->names == NULL)
        status = qn_fail(err, QN_E_NO_MEMORY, "null host: names of constants");
    if (status != QN_OK) {
        pipeline_clear(host, pipeline);
        return status;
    }
    struct qn_null_pipeline *shown = &pipeline->shown;
    shown->text = (struct qn_str){pipeline->text, text.n};
    shown->label = (struct qn_str){pipeline->label, label.n};
    shown->n_constants = n;
    shown->layout = w[2];
    shown->n_bindings = layout->n;
    memcpy(shown->kinds, layout->kinds, sizeof shown->kinds);
    char *at = pipeline->names;
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t *c = w + 4 + i * 4;
        memcpy(at, qn_tape_pointer(c[1], c[2]), c[0]);
        shown->constants[i] = (struct qn_null_constant){{at, c[0]}, qn_bits_f32(c[3])};
        at += c[0];
    }
    pipeline->alive = true;
    host->stats.pipelines++;
    return QN_OK;
}

static enum qn_status create_group(struct qn_null_host *host, const uint32_t *w,
                                   struct qn_error *err) {
    uint32_t id = w[0], n = w[2];
    struct layout *layout = layout_at(host, w[1]);
    QN_TRY(slot_reserve(host, GROUPS, id, err));
    if (group_at(host, id))
        return qn_fail(err, QN_E_GPU, "group %u is alive already", id);
    if (layout == NULL)
        return qn_fail(err, QN_E_GPU, "group %u: no layout %u", id, w[1]);
    if (n != layout->n)
        return qn_fail(err, QN_E_GPU, "group %u has %u bindings, its layout %u", id, n, layout->n);
    struct group group = {.alive = true, .layout = w[1], .n = n};
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t *b = w + 3 + i * 3;
        const struct buffer *buffer = buffer_at(host, b[0]);
        if (buffer == NULL)
            return qn_fail(err, QN_E_GPU, "group %u, binding %u: no buffer %u", id, i, b[0]);
        bool uniform = layout->kinds[i] == QN_BIND_UNIFORM;
        if ((buffer->usage & (uniform ? QN_USE_UNIFORM : QN_USE_STORAGE)) == 0)
            return qn_fail(err, QN_E_GPU, "group %u, binding %u: buffer %u has usage %u", id, i,
                           b[0], buffer->usage);
        if (b[1] % OFFSET_ALIGNMENT != 0)
            return qn_fail(err, QN_E_GPU, "group %u, binding %u: offset %u is no multiple of 256",
                           id, i, b[1]);
        if (b[2] == 0 || b[2] % 4 != 0)
            return qn_fail(err, QN_E_GPU, "group %u, binding %u: %u bytes", id, i, b[2]);
        if ((uint64_t)b[1] + b[2] > buffer->bytes)
            return qn_fail(
                err, QN_E_GPU, "group %u, binding %u: bytes %u to %llu of a buffer of %llu", id, i,
                b[1], (unsigned long long)b[1] + b[2], (unsigned long long)buffer->bytes);
        if (b[2] > (uniform ? MAX_UNIFORM : host->caps.max_binding))
            return qn_fail(err, QN_E_GPU, "group %u, binding %u: %u bytes, over the limit", id, i,
                           b[2]);
        group.bindings[i] = (struct qn_null_binding){b[0], b[1], b[2], layout->kinds[i]};
        group.generations[i] = buffer->generation;
    }
    ((struct group *)host->tables[GROUPS].slots)[id] = group;
    host->stats.groups++;
    return QN_OK;
}

static enum qn_status destroy_group(struct qn_null_host *host, const uint32_t *w,
                                    struct qn_error *err) {
    struct group *group = group_at(host, w[0]);
    if (group == NULL)
        return qn_fail(err, QN_E_GPU, "no group %u", w[0]);
    if (host->recording)
        return qn_fail(err, QN_E_GPU, "group %u: recorded commands are not submitted", w[0]);
    group->alive = false;
    host->stats.groups--;
    return QN_OK;
}

/* ---- Transfers ----------------------------------------------------------------------------- */

static enum qn_status check_range(struct qn_null_host *host, uint32_t id, uint32_t usage,
                                  uint32_t offset, uint32_t bytes, struct qn_error *err) {
    const struct buffer *buffer = buffer_at(host, id);
    if (buffer == NULL)
        return qn_fail(err, QN_E_GPU, "no buffer %u", id);
    if ((buffer->usage & usage) == 0)
        return qn_fail(err, QN_E_GPU, "buffer %u has usage %u", id, buffer->usage);
    if (offset % 4 != 0 || bytes % 4 != 0 || bytes == 0)
        return qn_fail(err, QN_E_GPU, "buffer %u: %u bytes at %u are not whole words", id, bytes,
                       offset);
    if ((uint64_t)offset + bytes > buffer->bytes)
        return qn_fail(err, QN_E_GPU, "buffer %u: bytes %u to %llu of %llu", id, offset,
                       (unsigned long long)offset + bytes, (unsigned long long)buffer->bytes);
    return QN_OK;
}

static enum qn_status outside_pass(struct qn_null_host *host, struct qn_error *err) {
    if (host->in_pass)
        return qn_fail(err, QN_E_GPU, "not allowed within a pass");
    return QN_OK;
}

static enum qn_status write_buffer(struct qn_null_host *host, const uint32_t *w,
                                   struct qn_error *err) {
    const void *p = qn_tape_pointer(w[3], w[4]);
    QN_TRY(check_range(host, w[0], QN_USE_COPY_DST, w[1], w[2], err));
    if (p == NULL)
        return qn_fail(err, QN_E_GPU, "buffer %u: null pointer", w[0]);
    // A queue's write overtakes what is recorded but not submitted.
    if (host->recording)
        return qn_fail(err, QN_E_GPU, "buffer %u: recorded commands are not submitted", w[0]);
    if (host->hooks.write)
        host->hooks.write(host->hooks.ud, w[0], w[1], p, w[2]);
    host->stats.writes++;
    host->stats.write_bytes += w[2];
    return QN_OK;
}

static enum qn_status copy(struct qn_null_host *host, const uint32_t *w, struct qn_error *err) {
    QN_TRY(outside_pass(host, err));
    QN_TRY(check_range(host, w[0], QN_USE_COPY_SRC, w[1], w[4], err));
    QN_TRY(check_range(host, w[2], QN_USE_COPY_DST, w[3], w[4], err));
    if (w[0] == w[2])
        return qn_fail(err, QN_E_GPU, "buffer %u is source and target", w[0]);
    if (host->hooks.copy)
        host->hooks.copy(host->hooks.ud, w[0], w[1], w[2], w[3], w[4]);
    host->recording = true;
    return QN_OK;
}

static enum qn_status clear(struct qn_null_host *host, const uint32_t *w, struct qn_error *err) {
    QN_TRY(outside_pass(host, err));
    QN_TRY(check_range(host, w[0], QN_USE_COPY_DST, w[1], w[2], err));
    if (host->hooks.clear)
        host->hooks.clear(host->hooks.ud, w[0], w[1], w[2]);
    host->recording = true;
    return QN_OK;
}

static enum qn_status read(struct qn_null_host *host, const uint32_t *w, struct qn_error *err) {
    QN_TRY(outside_pass(host, err));
    QN_TRY(check_range(host, w[1], QN_USE_COPY_SRC, w[2], w[3], err));
    struct qn_gpu_event event = {.kind = QN_GPU_EVENT_READ, .tag = w[0], .n = w[3]};
    void *bytes;
    QN_TRY(qn_null_events_push(&host->events, &event, &bytes, false, err));
    if (host->hooks.read)
        host->hooks.read(host->hooks.ud, bytes, w[1], w[2], w[3]);
    host->recording = true;
    host->stats.reads++;
    return QN_OK;
}

static enum qn_status submit(struct qn_null_host *host, struct qn_error *err) {
    QN_TRY(outside_pass(host, err));
    qn_null_events_submit(&host->events);
    host->recording = false;
    host->stats.submits++;
    return QN_OK;
}

/* ---- Passes -------------------------------------------------------------------------------- */

static enum qn_status begin_pass(struct qn_null_host *host, struct qn_error *err) {
    if (host->in_pass)
        return qn_fail(err, QN_E_GPU, "passes do not nest");
    host->in_pass = host->recording = true;
    host->pipeline = host->group = UINT32_MAX;
    host->stats.passes++;
    return QN_OK;
}

static enum qn_status set(struct qn_null_host *host, uint32_t op, uint32_t id,
                          struct qn_error *err) {
    if (!host->in_pass)
        return qn_fail(err, QN_E_GPU, "outside a pass");
    if (op == QN_TAPE_SET_PIPELINE) {
        if (pipeline_at(host, id) == NULL)
            return qn_fail(err, QN_E_GPU, "no pipeline %u", id);
        host->pipeline = id;
    } else {
        if (group_at(host, id) == NULL)
            return qn_fail(err, QN_E_GPU, "no group %u", id);
        host->group = id;
    }
    return QN_OK;
}

/* WebGPU's usage scope of one dispatch: a buffer that is writable in one binding may be bound again
 * only as writable, and then without overlap. */
static enum qn_status check_aliases(const struct group *group, struct qn_str label,
                                    struct qn_error *err) {
    for (uint32_t i = 0; i < group->n; i++)
        for (uint32_t j = i + 1; j < group->n; j++) {
            const struct qn_null_binding *a = &group->bindings[i], *b = &group->bindings[j];
            if (a->buffer != b->buffer || (a->kind != QN_BIND_WRITE && b->kind != QN_BIND_WRITE))
                continue;
            bool overlap = a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes;
            if (a->kind != b->kind || overlap)
                return qn_fail(err, QN_E_GPU,
                               "%.*s: buffer %u is written by one of bindings %u and %u and used "
                               "by both",
                               QN_STR_ARG(label), a->buffer, i, j);
        }
    return QN_OK;
}

static enum qn_status dispatch(struct qn_null_host *host, const uint32_t *w, struct qn_error *err) {
    if (!host->in_pass)
        return qn_fail(err, QN_E_GPU, "outside a pass");
    if (host->pipeline == UINT32_MAX || host->group == UINT32_MAX)
        return qn_fail(err, QN_E_GPU, "no pipeline or no group is set");
    const struct pipeline *pipeline = pipeline_at(host, host->pipeline);
    const struct group *group = group_at(host, host->group);
    if (pipeline == NULL || group == NULL)
        return qn_fail(err, QN_E_GPU, "pipeline %u or group %u is gone", host->pipeline,
                       host->group);
    struct qn_str label = pipeline->shown.label;
    // Layouts of the same entries are one to WebGPU ("group-equivalent").
    bool fits = group->n == pipeline->shown.n_bindings;
    for (uint32_t i = 0; fits && i < group->n; i++)
        fits = group->bindings[i].kind == pipeline->shown.kinds[i];
    if (!fits)
        return qn_fail(err, QN_E_GPU, "%.*s: group %u is of layout %u, the pipeline of %u",
                       QN_STR_ARG(label), host->group, group->layout, pipeline->shown.layout);
    for (uint32_t i = 0; i < group->n; i++) {
        const struct buffer *buffer = buffer_at(host, group->bindings[i].buffer);
        if (buffer == NULL || buffer->generation != group->generations[i])
            return qn_fail(err, QN_E_GPU, "%.*s: binding %u: buffer %u was destroyed",
                           QN_STR_ARG(label), i, group->bindings[i].buffer);
    }
    QN_TRY(check_aliases(group, label, err));
    for (int i = 0; i < 3; i++)
        if (w[i] == 0 || w[i] > host->caps.max_workgroups)
            return qn_fail(err, QN_E_GPU, "%.*s: %u×%u×%u workgroups, the limit is %u each",
                           QN_STR_ARG(label), w[0], w[1], w[2], host->caps.max_workgroups);
    host->stats.dispatches++;
    if (host->hooks.dispatch)
        return host->hooks.dispatch(host->hooks.ud, &pipeline->shown, group->bindings, group->n, w,
                                    err);
    return QN_OK;
}

/* ---- Playing ------------------------------------------------------------------------------- */

static enum qn_status play_word(struct qn_null_host *host, const uint32_t *words,
                                struct qn_error *err) {
    const uint32_t *w = words + 1;
    switch ((enum qn_tape_op)words[0]) {
    case QN_TAPE_CREATE_BUFFER:
        host->stats.creates++;
        return create_buffer(host, w, err);
    case QN_TAPE_DESTROY_BUFFER:
        return destroy_buffer(host, w, err);
    case QN_TAPE_WRITE_BUFFER:
        return write_buffer(host, w, err);
    case QN_TAPE_CREATE_MODULE:
        host->stats.creates++;
        return create_module(host, w, err);
    case QN_TAPE_CREATE_LAYOUT:
        host->stats.creates++;
        return create_layout(host, w, err);
    case QN_TAPE_CREATE_PIPELINE:
        host->stats.creates++;
        return create_pipeline(host, w, err);
    case QN_TAPE_CREATE_GROUP:
        host->stats.creates++;
        return create_group(host, w, err);
    case QN_TAPE_DESTROY_GROUP:
        return destroy_group(host, w, err);
    case QN_TAPE_BEGIN_PASS:
        return begin_pass(host, err);
    case QN_TAPE_SET_PIPELINE:
    case QN_TAPE_SET_GROUP:
        return set(host, words[0], w[0], err);
    case QN_TAPE_DISPATCH:
        return dispatch(host, w, err);
    case QN_TAPE_END_PASS:
        if (!host->in_pass)
            return qn_fail(err, QN_E_GPU, "outside a pass");
        host->in_pass = false;
        return QN_OK;
    case QN_TAPE_COPY:
        return copy(host, w, err);
    case QN_TAPE_CLEAR:
        return clear(host, w, err);
    case QN_TAPE_READ:
        return read(host, w, err);
    case QN_TAPE_SUBMIT:
        return submit(host, err);
    case QN_TAPE_FENCE: {
        struct qn_gpu_event event = {.kind = QN_GPU_EVENT_FENCE, .tag = w[0]};
        return qn_null_events_push(&host->events, &event, NULL, true, err);
    }
    }
    return qn_fail(err, QN_E_GPU, "unknown opcode %u", words[0]);
}

/* Drops what a failed tape had recorded, as an encoder that is never submitted. */
static void abandon(struct qn_null_host *host) {
    qn_null_events_abandon(&host->events);
    host->in_pass = host->recording = false;
}

/* Destruction cannot fail on a device: a tape that fails late still carries it out. */
static void play_destructions(struct qn_null_host *host, const uint32_t *words, size_t n) {
    for (size_t at = 0, length; (length = qn_tape_length(words, n, at)) != 0; at += length) {
        if (words[at] == QN_TAPE_DESTROY_BUFFER)
            (void)destroy_buffer(host, words + at + 1, NULL);
        else if (words[at] == QN_TAPE_DESTROY_GROUP)
            (void)destroy_group(host, words + at + 1, NULL);
    }
}

/* The injected failure, if it is due now: *failed, and the status of play(). */
static enum qn_status inject(struct qn_null_host *host, bool *failed, const uint32_t *words,
                             size_t n, struct qn_error *err) {
    struct qn_null_fault *fault = &host->fault;
    *failed = true;
    if (host->lost)
        return qn_fail(err, QN_E_GPU_LOST, "injected");
    *failed = false;
    if (fault->status == QN_OK)
        return QN_OK;
    if (fault->at > 0) {
        fault->at--;
        return QN_OK;
    }
    enum qn_status status = fault->status;
    *failed = true;
    if (!fault->forever)
        fault->status = QN_OK;
    if (status == QN_E_GPU_LOST)
        host->lost = true;
    if (!fault->late)
        return qn_fail(err, status, "injected");
    play_destructions(host, words, n);
    static const char message[] = "injected late";
    struct qn_gpu_event event = {.kind = status == QN_E_GPU_LOST ? QN_GPU_EVENT_LOST
                                                                 : QN_GPU_EVENT_ERROR,
                                 .status = status,
                                 .bytes = message,
                                 .n = sizeof message - 1};
    return qn_null_events_push(&host->events, &event, NULL, true, err);
}

static enum qn_status play(void *ud, const uint32_t *words, size_t n, struct qn_error *err) {
    struct qn_null_host *host = ud;
    struct qn_error inner = {0};
    bool failed;
    host->stats.plays++;
    enum qn_status status = inject(host, &failed, words, n, err);
    if (failed || status != QN_OK)
        return status;
    size_t at = 0;
    while (at < n) {
        size_t length = qn_tape_length(words, n, at);
        const char *name = qn_tape_name(words[at]);
        host->command = name ? name : "?";
        if (name == NULL)
            status = qn_fail(&inner, QN_E_GPU, "unknown opcode %u", words[at]);
        else if (length == 0)
            status = qn_fail(&inner, QN_E_GPU, "cut off");
        else
            status = play_word(host, words + at, &inner);
        if (status != QN_OK)
            break;
        at += length;
    }
    if (status == QN_OK) {
        host->command = "end of the tape";
        if (host->in_pass)
            status = qn_fail(&inner, QN_E_GPU, "END_PASS is missing");
        else if (host->recording)
            status = qn_fail(&inner, QN_E_GPU, "SUBMIT is missing");
    }
    if (status == QN_OK)
        return QN_OK;
    abandon(host);
    // The message has the status's remedy at its end, which is appended anew.
    size_t text_n = strlen(inner.text), remedy_n = strlen(qn_status_remedy(status)) + 2;
    struct qn_str text = {inner.text, text_n > remedy_n ? text_n - remedy_n : text_n};
    struct qn_error local;
    qn_fail(&local, status, "word %zu, %s: %.*s", at, host->command, QN_STR_ARG(text));
    if (host->refusal.status == QN_OK)
        host->refusal = local;
    if (err)
        *err = local;
    return status;
}

/* ---- Life ---------------------------------------------------------------------------------- */

enum qn_status qn_null_host_create(struct qn_null_host **out, const struct qn_allocator *allocator,
                                   const struct qn_gpu_caps *caps,
                                   const struct qn_null_hooks *hooks) {
    struct qn_null_host *host = qn_mem_alloc(allocator, sizeof *host);
    *out = host;
    if (host == NULL)
        return QN_E_NO_MEMORY;
    *host = (struct qn_null_host){.allocator = allocator,
                                  .caps = qn_gpu_caps_resolve(caps),
                                  .events = {.allocator = allocator}};
    if (hooks)
        host->hooks = *hooks;
    return QN_OK;
}

void qn_null_host_destroy(struct qn_null_host *host) {
    if (host == NULL)
        return;
    for (uint32_t i = 0; i < host->tables[MODULES].n; i++)
        module_clear(host, &((struct module *)host->tables[MODULES].slots)[i]);
    for (uint32_t i = 0; i < host->tables[PIPELINES].n; i++)
        pipeline_clear(host, &((struct pipeline *)host->tables[PIPELINES].slots)[i]);
    if (host->hooks.destroy)
        for (uint32_t i = 0; i < host->tables[BUFFERS].n; i++)
            if (buffer_at(host, i))
                host->hooks.destroy(host->hooks.ud, i);
    for (int i = 0; i < TABLE_COUNT; i++)
        qn_mem_free(host->allocator, host->tables[i].slots, host->tables[i].n * slot_sizes[i]);
    qn_null_events_free(&host->events);
    qn_mem_free(host->allocator, host, sizeof *host);
}

struct qn_gpu_host qn_null_host_interface(struct qn_null_host *host) {
    return (struct qn_gpu_host){.ud = host, .caps = host->caps, .play = play};
}

bool qn_null_host_next_event(struct qn_null_host *host, struct qn_gpu_event *out) {
    return qn_null_events_next(&host->events, out);
}

void qn_null_host_hold(struct qn_null_host *host, bool hold) {
    host->events.hold = hold;
}

void qn_null_host_fail(struct qn_null_host *host, const struct qn_null_fault *fault) {
    host->fault = *fault;
}

void qn_null_host_stats(const struct qn_null_host *host, struct qn_null_stats *out) {
    *out = host->stats;
}

const struct qn_error *qn_null_host_refusal(const struct qn_null_host *host) {
    return &host->refusal;
}
