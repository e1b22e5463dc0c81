// Canonical weights (src/quant/wformat.h) bound as `values: array<vec4<u32>>`, `scales: array<u32>`.
// A row is whole groups of 32 columns; a group is 8, 4, 4, 2 or 1 vec4 (F32, F16, BF16, Q8, Q4).
override WTYPE: u32 = 0u; // enum qn_wtype: 0 F32, 1 F16, 2 BF16, 3 Q8, 4 Q4
override STYPE: u32 = 0u; // 0 F16, 1 BF16, 2 F32; + 4: pairs (scale, minimum); + 8: one per 16 columns
override ZERO: u32 = 0u;  // Q4: the nibble that means 0

const W_F32 = 0u;
const W_F16 = 1u;
const W_BF16 = 2u;
const W_Q8 = 3u;
const W_Q4 = 4u;

fn half_at(word: u32, high: u32) -> f32 {
    return unpack2x16float(word >> (high * 16u)).x;
}

fn bf16x4(a: u32, b: u32) -> vec4<f32> {
    return bitcast<vec4<f32>>(vec4<u32>(a << 16u, a & 0xffff0000u, b << 16u, b & 0xffff0000u));
}

fn f16x4(a: u32, b: u32) -> vec4<f32> {
    return vec4<f32>(unpack2x16float(a), unpack2x16float(b));
}

// Integers without int-to-float conversions, which are slow: an integer i < 2^23 in the low bits under
// the exponent of 2^23 is the float 2^23 + i. A nibble or byte need not even be shifted down first;
// i is then too large by a power of two, which the other factor takes back exactly.
const MAGIC = 0x4b000000u;
const MAGIC_F = 8388608.0;

// Nibbles 0..3 of word: (nibble - ZERO) × (1, 16, 256, 4096).
fn q4_raw(word: u32) -> vec4<f32> {
    let zero = f32(ZERO);
    let bias = vec4<f32>(MAGIC_F + zero, MAGIC_F + 16.0 * zero, MAGIC_F + 256.0 * zero, MAGIC_F + 4096.0 * zero);
    return bitcast<vec4<f32>>((vec4<u32>(word) & vec4<u32>(0xfu, 0xf0u, 0xf00u, 0xf000u)) | vec4<u32>(MAGIC)) - bias;
}
const Q4_UNIT = vec4<f32>(1.0, 1.0 / 16.0, 1.0 / 256.0, 1.0 / 4096.0);

// Bytes 0..3 of word as int8 × (1, 256, 1, 256).
fn q8_raw(word: u32) -> vec4<f32> {
    let u = word ^ 0x80808080u;
    let bits = vec4<u32>(u, u, u >> 16u, u >> 16u) & vec4<u32>(0xffu, 0xff00u, 0xffu, 0xff00u);
    return bitcast<vec4<f32>>(bits | vec4<u32>(MAGIC))
        - vec4<f32>(MAGIC_F + 128.0, MAGIC_F + 32768.0, MAGIC_F + 128.0, MAGIC_F + 32768.0);
}
const Q8_UNIT = vec4<f32>(1.0, 1.0 / 256.0, 1.0, 1.0 / 256.0);

// Number of the scale of the eight columns `unit`, counted over the plane.
fn scale_index(unit: u32) -> u32 {
    return select(unit >> 2u, unit >> 1u, (STYPE & 8u) != 0u);
}

// The words of the plane that hold scale number `index`, and its minimum.
fn scale_words(index: u32) -> vec2<u32> {
    if ((STYPE & 7u) == 6u) {
        return vec2<u32>(scales[index * 2u], scales[index * 2u + 1u]);
    }
    if ((STYPE & 6u) != 0u) {
        return vec2<u32>(scales[index], 0u);
    }
    return vec2<u32>(scales[index >> 1u], 0u);
}

// Scale and minimum out of those words.
fn factors_of(words: vec2<u32>, index: u32) -> vec2<f32> {
    if ((STYPE & 2u) != 0u) {
        return bitcast<vec2<f32>>(words);
    }
    if ((STYPE & 4u) != 0u) {
        return unpack2x16float(words.x);
    }
    let high = index & 1u;
    if ((STYPE & 1u) != 0u) {
        return vec2<f32>(bitcast<f32>(select(words.x << 16u, words.x & 0xffff0000u, high == 1u)), 0.0);
    }
    return vec2<f32>(half_at(words.x, high), 0.0);
}

fn factors_at(unit: u32) -> vec2<f32> {
    let index = scale_index(unit);
    return factors_of(scale_words(index), index);
}

// Two runs of four decoded columns less the minimum, where the format has one.
fn less(a: vec4<f32>, b: vec4<f32>, minimum: f32) -> array<vec4<f32>, 2> {
    if ((STYPE & 4u) != 0u) {
        return array<vec4<f32>, 2>(a - minimum, b - minimum);
    }
    return array<vec4<f32>, 2>(a, b);
}

// Eight columns, 8 × eighth .. + 7, of group `group` (counted over the whole plane), decoded.
fn weights8(group: u32, eighth: u32) -> array<vec4<f32>, 2> {
    switch (WTYPE) {
        case W_F32: {
            let at = group * 8u + eighth * 2u;
            return array<vec4<f32>, 2>(bitcast<vec4<f32>>(values[at]), bitcast<vec4<f32>>(values[at + 1u]));
        }
        case W_F16: {
            let v = values[group * 4u + eighth];
            return array<vec4<f32>, 2>(f16x4(v.x, v.y), f16x4(v.z, v.w));
        }
        case W_BF16: {
            let v = values[group * 4u + eighth];
            return array<vec4<f32>, 2>(bf16x4(v.x, v.y), bf16x4(v.z, v.w));
        }
        case W_Q8: {
            let v = values[group * 2u + (eighth >> 1u)];
            let pair = select(v.xy, v.zw, (eighth & 1u) == 1u);
            let f = factors_at(group * 4u + eighth);
            let unit = Q8_UNIT * f.x;
            return less(q8_raw(pair.x) * unit, q8_raw(pair.y) * unit, f.y);
        }
        default: {
            let word = values[group][eighth];
            let f = factors_at(group * 4u + eighth);
            let unit = Q4_UNIT * f.x;
            return less(q4_raw(word) * unit, q4_raw(word >> 16u) * unit, f.y);
        }
    }
}
