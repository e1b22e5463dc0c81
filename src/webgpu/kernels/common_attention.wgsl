// What the attention kernels share.
#include "common_step.wgsl"
#include "common_softcap.wgsl"
#include "common_splits.wgsl"
#include "common_kv.wgsl"
#params ATTENTION
override HEAD_DIM: u32 = 64u;

const LOWEST = -3.4e38;

