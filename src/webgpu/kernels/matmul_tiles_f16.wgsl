// matmul_tiles with products and short sums of float16: see there.
// x is scaled down and clamped, so that no sum of 32 products is infinite before any float16 near it would be.
enable f16;
#include "common_matmul.wgsl"
alias Real = f16;
const HALF = true;
const CELLS = 4u; // of a chunk
const X_UNIT = 8.0;
struct Quad {
    a: vec2<f16>,
    b: vec2<f16>,
}
#include "common_tiles.wgsl"

fn pack(v: vec4<f32>) -> vec2<u32> {
    return bitcast<vec2<u32>>(vec4<f16>(v));
}

fn pair_of(word: u32) -> vec2<f16> {
    return bitcast<vec2<f16>>(word);
}
#include "common_tiles_half.wgsl"
