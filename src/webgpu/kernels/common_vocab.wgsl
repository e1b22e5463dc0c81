// Parameters and number forms that the arg-max and sampling kernels share.
#include "common_step.wgsl"
#include "common_key.wgsl"
#params VOCAB
#params SAMPLING

const LOWEST = -3.4e38; // stands for minus infinity, which WGSL does not promise

// The float of a key that is not 0.
fn value_of(key: u32) -> f32 {
    return bitcast<f32>(select(~key, key & 0x7fffffffu, (key >> 31u) == 1u));
}
