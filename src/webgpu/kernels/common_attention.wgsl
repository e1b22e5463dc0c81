// What the attention kernels share. State is [n_kv_heads, context, head_dim], bound as 32-bit words.
#include "common_step.wgsl"
#include "common_softcap.wgsl"
#include "common_splits.wgsl"
#params ATTENTION
override KV_F16: u32 = 0u;
override HEAD_DIM: u32 = 64u;

const LOWEST = -3.4e38;

