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
    "WTYPE", "STYPE",   "ZERO",  "BIAS",    "RESIDUAL",    "NORM",     "GLU",     "ACT",   "LANES",
    "ROWS",  "SPAN",    "AHEAD", "KV_TYPE", "INTERLEAVED", "HEAD_DIM", "ROPE",    "HEADS", "GUMBEL",
    "GATE",  "ALIGNED", "POST",  "TX",      "TY",          "SLICES",   "BUFFERS", "COLS",  "ARGMAX",
};

static struct qn_str text_of(const char *name, const char *suffix) {
    size_t n = strlen(name), m = strlen(suffix);
    for (size_t i = 0; i < qn_wgsl_count; i++) {
        const struct qn_wgsl_text *t = &qn_wgsl_texts[i];
        if (strlen(t->name) == n + m && !memcmp(t->name, name, n) &&
            !memcmp(t->name + n, suffix, m))
            return (struct qn_str){t->text, t->n};
    }
    return (struct qn_str){NULL, 0};
}

void qn_kernel_get(struct qn_kernel *out, enum qn_kernel_id id) {
    const struct row *row = &ROWS[id];
    memset(out, 0, sizeof *out);
    out->name = row->name;
    out->params_bytes = row->params_bytes;
    out->text[QN_VARIANT_BASE] = text_of(row->name, "");
    out->text[QN_VARIANT_SUBGROUPS] = text_of(row->name, "_subgroups");
    out->text[QN_VARIANT_F16] = text_of(row->name, "_f16");
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
    if (features & QN_GPU_F16 && kernel->text[QN_VARIANT_F16].n)
        return QN_VARIANT_F16;
    if (features & QN_GPU_SUBGROUPS && kernel->text[QN_VARIANT_SUBGROUPS].n)
        return QN_VARIANT_SUBGROUPS;
    return QN_VARIANT_BASE;
}
