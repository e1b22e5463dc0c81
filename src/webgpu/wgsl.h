/* The WGSL texts, as tools/embed_wgsl.mjs put them into build/gen/wgsl.c: each a list of parts, of
 * which kernels share some. */
#ifndef QN_WEBGPU_WGSL_H
#define QN_WEBGPU_WGSL_H

#include <stdint.h>

struct qn_wgsl_text {
    const char *name;  // file name without ".wgsl": "matvec", "matvec_subgroups"; NULL: the end
    const char *parts; // a byte each, its place in qn_wgsl_parts
};

extern const struct qn_wgsl_text qn_wgsl_texts[];
extern const char *const qn_wgsl_parts[];
extern const uint32_t qn_wgsl_hash; // of all of them

#endif
