/* The little that the null host reads in a shader's text: override constants and bindings. */
#ifndef QN_WEBGPU_NULL_WGSL_H
#define QN_WEBGPU_NULL_WGSL_H

#include "base/str.h"

/* Whether the text declares `override name`, with a word's end after it. */
bool qn_wgsl_has_override(struct qn_str text, struct qn_str name);
/* Each "@binding(i) var<...>" outside comments has its kind (QN_BIND_*) at kinds[i]. QN_E_GPU, with
 * `label` in the message. Bindings that the text lacks are allowed, as in WebGPU. */
enum qn_status qn_wgsl_bindings_match(struct qn_str text, const uint32_t *kinds, uint32_t n,
                                      struct qn_str label, struct qn_error *err);

#endif
