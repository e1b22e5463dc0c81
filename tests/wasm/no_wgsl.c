/* The reference needs no kernel texts; the tests read them from the .wgsl files. */
#include "webgpu/wgsl.h"

const struct qn_wgsl_text qn_wgsl_texts[] = {{0, 0}};
