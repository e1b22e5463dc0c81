// What the attention kernels share. State is [n_kv_heads, context, head_dim], bound as 32-bit words.
#include "common_step.wgsl"
#include "common_softcap.wgsl"
#params ATTENTION
override KV_F16: u32 = 0u;
override HEAD_DIM: u32 = 64u;

const SPLIT = 64u; // positions per workgroup of attention_split
const LOWEST = -3.4e38;

// First position that the token at position p sees.
fn first_seen(p: u32, window: u32) -> u32 {
    return select(0u, p + 1u - min(window, p + 1u), window != 0u);
}
