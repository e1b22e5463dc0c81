/* The WGSL texts, as tools/embed_wgsl.mjs put them into build/gen/wgsl.c. */
#ifndef QN_WEBGPU_WGSL_H
#define QN_WEBGPU_WGSL_H

#include <stddef.h>

struct qn_wgsl_text {
    const char *name; // file name without ".wgsl": "matvec", "matvec_subgroups"
    const char *text;
    size_t n; // bytes
};

extern const struct qn_wgsl_text qn_wgsl_texts[];
extern const size_t qn_wgsl_count;

#endif
