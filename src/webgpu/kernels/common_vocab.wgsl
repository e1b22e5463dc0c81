// Parameters and number forms that the arg-max and sampling kernels share.
#include "common_step.wgsl"
#params VOCAB
#params SAMPLING

const LOWEST = -3.4e38; // stands for minus infinity, which WGSL does not promise

// Bits of a float → integer in the same order. NaN comes lowest, −0 equals 0.
fn key_of(bits: u32) -> u32 {
    if ((bits & 0x7fffffffu) > 0x7f800000u) {
        return 0u;
    }
    let b = select(bits, 0u, bits == 0x80000000u);
    return select(b | 0x80000000u, ~b, (b >> 31u) == 1u);
}

// The float of a key that is not 0.
fn value_of(key: u32) -> f32 {
    return bitcast<f32>(select(~key, key & 0x7fffffffu, (key >> 31u) == 1u));
}
