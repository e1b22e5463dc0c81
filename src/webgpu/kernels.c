#include "webgpu/kernels.h"

#include <string.h>

#include "webgpu/wgsl.h"

struct row {
    const char *name, *bindings, *constants;
    size_t params_bytes;
};

static const struct row ROWS[QN_KERNEL_COUNT] = {
#define QN_KERNEL_ROW(NAME, text, params, bindings, constants) \
    {#text, bindings, constants, sizeof(struct qn_params_##params)},
    QN_KERNEL_LIST(QN_KERNEL_ROW)
#undef QN_KERNEL_ROW
};

/* Constants' names as C strings: the list above holds them as words of one text. */
static const char *const CONSTANT_NAMES[] = {
    "WTYPE",  "STYPE",   "ZERO",   "BIAS",   "RESIDUAL", "NORM",        "GLU",      "ACT",
    "LANES",  "ROWS",    "SPAN",   "AHEAD",  "KV_TYPE",  "INTERLEAVED", "HEAD_DIM", "ROPE",
    "HEADS",  "SHARED",  "GUMBEL", "GATE",   "ALIGNED",  "POST",        "TX",       "TY",
    "SLICES", "BUFFERS", "COLS",   "ARGMAX", "RELATIVE", "PACK",        "THREADS",  "QUADS",
};

/* The parts of a text; NULL where there is none. */
static const char *parts_of(const char *name, const char *suffix) {
    size_t n = strlen(name);
    for (const struct qn_wgsl_text *t = qn_wgsl_texts; t->name; t++)
        if (strncmp(t->name, name, n) == 0 && strcmp(t->name + n, suffix) == 0)
            return t->parts;
    return NULL;
}

void qn_kernel_get(struct qn_kernel *out, enum qn_kernel_id id) {
    const struct row *row = &ROWS[id];
    memset(out, 0, sizeof *out);
    out->name = row->name;
    out->params_bytes = row->params_bytes;
    out->parts[QN_VARIANT_BASE] = parts_of(row->name, "");
    out->parts[QN_VARIANT_SUBGROUPS] = parts_of(row->name, "_subgroups");
    out->parts[QN_VARIANT_F16] = parts_of(row->name, "_f16");
    for (const char *b = row->bindings; *b; b++)
        out->kinds[out->n_bindings++] = *b == 'U'   ? QN_BIND_UNIFORM
                                        : *b == 'R' ? QN_BIND_READ
                                                    : QN_BIND_WRITE;
    for (const char *c = row->constants; *c;) {
        size_t n = strcspn(c, " ");
        for (size_t i = 0; i < sizeof CONSTANT_NAMES / sizeof *CONSTANT_NAMES; i++)
            if (strlen(CONSTANT_NAMES[i]) == n && !memcmp(CONSTANT_NAMES[i], c, n))
                out->constants[out->n_constants++] = CONSTANT_NAMES[i];
        c += n + (c[n] == ' ');
    }
}

enum qn_kernel_id qn_kernel_find(struct qn_str name) {
    uint32_t id = 0;
    while (id < QN_KERNEL_COUNT && !qn_str_is(name, ROWS[id].name))
        id++;
    return (enum qn_kernel_id)id;
}

enum qn_variant qn_kernel_variant(const struct qn_kernel *kernel, uint32_t features) {
    if (features & QN_GPU_F16 && kernel->parts[QN_VARIANT_F16])
        return QN_VARIANT_F16;
    if (features & QN_GPU_SUBGROUPS && kernel->parts[QN_VARIANT_SUBGROUPS])
        return QN_VARIANT_SUBGROUPS;
    return QN_VARIANT_BASE;
}
