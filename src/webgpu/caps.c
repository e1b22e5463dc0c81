#include "webgpu/gpu.h"
#include "webgpu/wgsl.h"

struct qn_gpu_caps qn_gpu_caps_resolve(const struct qn_gpu_caps *caps) {
    struct qn_gpu_caps c = caps ? *caps : (struct qn_gpu_caps){0};
    if (c.max_binding == 0)
        c.max_binding = (uint64_t)128 << 20;
    if (c.max_buffer == 0)
        c.max_buffer = (uint64_t)256 << 20;
    if (c.max_storage_buffers == 0)
        c.max_storage_buffers = 8;
    if (c.max_workgroup_memory == 0)
        c.max_workgroup_memory = 16384;
    if (c.max_invocations == 0)
        c.max_invocations = 256;
    if (c.max_workgroups == 0)
        c.max_workgroups = 65535;
    if (c.measured && c.kernels != qn_wgsl_hash)
        c.measured = c.fill = c.tile = c.without = 0;
    c.kernels = qn_wgsl_hash;
    if (c.features & QN_GPU_PACKED_DOT)
        c.features |= QN_GPU_PACKED_TILES;
    c.features &= ~c.without;
    return c;
}
