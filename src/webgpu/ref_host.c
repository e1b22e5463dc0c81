#include "webgpu/ref_host.h"

#include <string.h>

#include "base/num.h"
#include "webgpu/ref_kernels.h"

struct memory {
    unsigned char *p;
    size_t n;
};

struct qn_ref_host {
    const struct qn_allocator *allocator;
    struct qn_null_host *checks;
    struct memory *buffers;
    uint32_t n_buffers;
    const char *broken, *part; // see qn_ref_host_break
};

static enum qn_status create(void *ud, uint32_t id, uint64_t bytes, struct qn_error *err) {
    struct qn_ref_host *host = ud;
    if (id >= host->n_buffers) {
        uint32_t n = qn_max_u32(id + 1, host->n_buffers * 2);
        struct memory *grown = qn_mem_grow(host->allocator, host->buffers,
                                           host->n_buffers * sizeof *grown, n * sizeof *grown);
        if (grown == NULL)
            return qn_fail(err, QN_E_NO_MEMORY, "reference host: table of buffers");
        memset(grown + host->n_buffers, 0, (n - host->n_buffers) * sizeof *grown);
        host->buffers = grown;
        host->n_buffers = n;
    }
    size_t n;
    struct memory *buffer = &host->buffers[id];
    if (!qn_u64_to_size(&n, bytes) || (buffer->p = qn_mem_alloc(host->allocator, n)) == NULL)
        return qn_fail(err, QN_E_GPU_MEMORY, "reference host: a buffer of %llu bytes",
                       (unsigned long long)bytes);
    buffer->n = n;
    memset(buffer->p, 0, n); // as WebGPU does
    return QN_OK;
}

static void destroy(void *ud, uint32_t id) {
    struct qn_ref_host *host = ud;
    qn_mem_free(host->allocator, host->buffers[id].p, host->buffers[id].n);
    host->buffers[id] = (struct memory){0};
}

static void write(void *ud, uint32_t id, uint64_t offset, const void *p, size_t n) {
    struct qn_ref_host *host = ud;
    memcpy(host->buffers[id].p + offset, p, n);
}

static void copy(void *ud, uint32_t source, uint64_t source_offset, uint32_t target,
                 uint64_t target_offset, size_t n) {
    struct qn_ref_host *host = ud;
    memcpy(host->buffers[target].p + target_offset, host->buffers[source].p + source_offset, n);
}

static void clear(void *ud, uint32_t id, uint64_t offset, size_t n) {
    struct qn_ref_host *host = ud;
    memset(host->buffers[id].p + offset, 0, n);
}

static void read(void *ud, void *out, uint32_t id, uint64_t offset, size_t n) {
    struct qn_ref_host *host = ud;
    memcpy(out, host->buffers[id].p + offset, n);
}

/* Whether the pipeline takes several rows at once. */
static bool is_wide(const struct qn_kernel *kernel, const struct qn_ref_call *call) {
    for (uint32_t i = 0; i < kernel->n_constants; i++)
        if (strcmp(kernel->constants[i], "COLS") == 0)
            return call->constants[i] > 1;
    return false;
}

/* Adds half of each, or a last bit, to all floats of the first binding that is written. */
static void spoil(const struct qn_kernel *kernel, const struct qn_ref_call *call, float by) {
    uint32_t i = 0;
    while (kernel->kinds[i] != QN_BIND_WRITE)
        i++;
    float *results = call->p[i];
    for (size_t k = 0; k < call->n[i] / sizeof *results; k++)
        results[k] *= by;
}

static enum qn_status dispatch(void *ud, const struct qn_null_pipeline *pipeline,
                               const struct qn_null_binding *bindings, uint32_t n,
                               const uint32_t grid[3], struct qn_error *err) {
    struct qn_ref_host *host = ud;
    enum qn_kernel_id id = qn_kernel_find(pipeline->label);
    if (id == QN_KERNEL_COUNT)
        return qn_fail(err, QN_E_GPU, "no kernel %.*s", QN_STR_ARG(pipeline->label));
    struct qn_kernel kernel;
    qn_kernel_get(&kernel, id);
    struct qn_ref_call call = {.grid = {grid[0], grid[1], grid[2]}};
    if (n != kernel.n_bindings)
        return qn_fail(err, QN_E_GPU, "%s: %u bindings instead of %u", kernel.name, n,
                       kernel.n_bindings);
    for (uint32_t i = 0; i < n; i++) {
        if (bindings[i].kind != kernel.kinds[i])
            return qn_fail(err, QN_E_GPU, "%s: binding %u is of kind %u instead of %u", kernel.name,
                           i, bindings[i].kind, kernel.kinds[i]);
        call.p[i] = host->buffers[bindings[i].buffer].p + bindings[i].offset;
        call.n[i] = (size_t)bindings[i].bytes; // within a buffer that lies in memory
    }
    for (uint32_t i = 0; i < pipeline->n_constants; i++) {
        uint32_t at = 0;
        while (at < kernel.n_constants &&
               !qn_str_is(pipeline->constants[i].name, kernel.constants[at]))
            at++;
        if (at == kernel.n_constants)
            return qn_fail(err, QN_E_GPU, "%s: no constant %.*s", kernel.name,
                           QN_STR_ARG(pipeline->constants[i].name));
        call.constants[at] = pipeline->constants[i].value;
    }
    QN_TRY(qn_ref_run(id, &call, err));
    if (!host->broken || !qn_str_is(pipeline->label, host->broken))
        return QN_OK;
    if (strcmp(host->part, "COLS") == 0)
        spoil(&kernel, &call, is_wide(&kernel, &call) ? 1.0000001f : 1.0f);
    else if (qn_str_find(pipeline->text, qn_str_from(host->part), 0) < pipeline->text.n)
        spoil(&kernel, &call, 1.5f);
    return QN_OK;
}

void qn_ref_host_break(struct qn_ref_host *host, const char *label, const char *part) {
    host->broken = label;
    host->part = part;
}

enum qn_status qn_ref_host_create(struct qn_ref_host **out, const struct qn_allocator *allocator,
                                  const struct qn_gpu_caps *caps) {
    struct qn_ref_host *host = qn_mem_alloc(allocator, sizeof *host);
    *out = NULL;
    if (host == NULL)
        return QN_E_NO_MEMORY;
    *host = (struct qn_ref_host){.allocator = allocator};
    struct qn_null_hooks hooks = {host, create, destroy, write, copy, clear, read, dispatch};
    enum qn_status status = qn_null_host_create(&host->checks, allocator, caps, &hooks);
    if (status != QN_OK) {
        qn_mem_free(allocator, host, sizeof *host);
        return status;
    }
    *out = host;
    return QN_OK;
}

void qn_ref_host_destroy(struct qn_ref_host *host) {
    if (host == NULL)
        return;
    qn_null_host_destroy(host->checks); // destroys the buffers that are alive
    qn_mem_free(host->allocator, host->buffers, host->n_buffers * sizeof *host->buffers);
    qn_mem_free(host->allocator, host, sizeof *host);
}

struct qn_gpu_host qn_ref_host_interface(struct qn_ref_host *host) {
    return qn_null_host_interface(host->checks);
}

bool qn_ref_host_next_event(struct qn_ref_host *host, struct qn_gpu_event *out) {
    return qn_null_host_next_event(host->checks, out);
}

struct qn_null_host *qn_ref_host_checks(struct qn_ref_host *host) {
    return host->checks;
}
