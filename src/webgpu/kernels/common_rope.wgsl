// Rotations that the rope kernels share.
// (cos a, sin a) for a ≥ 0, to f32 accuracy: built-in sin and cos only promise 2^-11. Quarter turns are
// taken off in three pieces of π/2 that sum to it within 2e-15, then Taylor on ±π/4.
fn cos_sin(a: f32) -> vec2<f32> {
    let n = floor(a * 0.6366197723675814 + 0.5);
    let r = fma(n, -7.549790126404332e-8, fma(n, -0.0004837512969970703, fma(n, -1.5703125, a)));
    let s = r * r;
    let sine = r * (1.0 + s * (-1.0 / 6.0 + s * (1.0 / 120.0 + s * (-1.0 / 5040.0 + s * (1.0 / 362880.0)))));
    let cosine = 1.0 + s * (-0.5 + s * (1.0 / 24.0 + s * (-1.0 / 720.0 + s * (1.0 / 40320.0))));
    switch (u32(n) & 3u) {
        case 0u: {
            return vec2<f32>(cosine, sine);
        }
        case 1u: {
            return vec2<f32>(-sine, cosine);
        }
        case 2u: {
            return vec2<f32>(-cosine, -sine);
        }
        default: {
            return vec2<f32>(sine, -cosine);
        }
    }
}
