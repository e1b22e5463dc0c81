// Canonical weights (src/quant/wformat.h) bound as `values: array<vec4<u32>>`, `scales: array<u32>`.
// A row is whole groups of 32 columns; a group is 8, 4, 4, 2 or 1 vec4 (F32, F16, BF16, Q8, Q4).
override WTYPE: u32 = 0u; // enum qn_wtype: 0 F32, 1 F16, 2 BF16, 3 Q8, 4 Q4
override STYPE: u32 = 256u; // enum qn_scale_type: all else of a quantised format
override ZERO: u32 = 0u;    // Q4: the value that means 0
override SCALE: u32 = STYPE & 3u; // 0 F16, 1 BF16, 2 F32
override PAIRS: bool = (STYPE & 4u) != 0u; // scale and minimum,
override ZEROS: bool = (STYPE & 8u) != 0u; // or zero
override SUPER: bool = (STYPE & 16u) != 0u;
override LEVELS: bool = (STYPE & 32u) != 0u;
override HIGH: u32 = (STYPE >> 6u) & 3u;    // bits above the nibble
override SHARE: u32 = (STYPE >> 8u) + 1u;   // log2 of the runs of eight columns that share a scale
override HEAD: u32 = 1u + (select(32u, 64u, PAIRS) >> (SHARE + 2u)); // words of two-level scales for 256 columns
override BLOCK: u32 = HEAD + 8u * HIGH;     // and with their high bits

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

// Q4: values 0..3 of nibbles in word and bits above them in high: (value - ZERO) × (1, 16, 256, 4096). With
// LEVELS the level itself, of qn_wformat_levels, whose bytes stand in four words.
const LEVEL_WORDS = vec4<u32>(0xbfad9881u, 0xf6eaddcfu, 0x26190d01u, 0x71594535u);
fn q4_levels(word: u32) -> vec4<f32> {
    let n = (vec4<u32>(word) >> vec4<u32>(0u, 4u, 8u, 12u)) & vec4<u32>(15u);
    let odd = (n & vec4<u32>(4u)) != vec4<u32>();
    let below = select(LEVEL_WORDS.xxxx, LEVEL_WORDS.yyyy, odd);
    let above = select(LEVEL_WORDS.zzzz, LEVEL_WORDS.wwww, odd);
    let four = select(below, above, n >= vec4<u32>(8u));
    return vec4<f32>(bitcast<vec4<i32>>(four << (vec4<u32>(24u) - ((n & vec4<u32>(3u)) << vec4<u32>(3u)))) >> vec4<u32>(24u));
}

fn q4_raw(word: u32, high: u32) -> vec4<f32> {
    if (LEVELS) {
        return q4_levels(word);
    }
    var bits = vec4<u32>(word) & vec4<u32>(0xfu, 0xf0u, 0xf00u, 0xf000u);
    if (HIGH != 0u) {
        let mask = vec4<u32>((1u << HIGH) - 1u) << vec4<u32>(4u, 8u, 12u, 16u);
        bits |= (vec4<u32>(high) << vec4<u32>(4u, 8u - HIGH, 4u, 8u - HIGH)) & mask;
    }
    let zero = f32(ZERO);
    let bias = vec4<f32>(MAGIC_F + zero, MAGIC_F + 16.0 * zero, MAGIC_F + 256.0 * zero, MAGIC_F + 4096.0 * zero);
    let raw = bitcast<vec4<f32>>(bits | vec4<u32>(MAGIC)) - bias;
    return raw;
}

// What a value of q4_raw is to be multiplied by.
fn q4_unit() -> vec4<f32> {
    return select(vec4<f32>(1.0, 1.0 / 16.0, 1.0 / 256.0, 1.0 / 4096.0), vec4<f32>(1.0), LEVELS);
}

// Bytes 0..3 of word as int8 × (1, 256, 1, 256).
fn q8_raw(word: u32) -> vec4<f32> {
    let u = word ^ 0x80808080u;
    let bits = vec4<u32>(u, u, u >> 16u, u >> 16u) & vec4<u32>(0xffu, 0xff00u, 0xffu, 0xff00u);
    return bitcast<vec4<f32>>(bits | vec4<u32>(MAGIC))
        - vec4<f32>(MAGIC_F + 128.0, MAGIC_F + 32768.0, MAGIC_F + 128.0, MAGIC_F + 32768.0);
}
const Q8_UNIT = vec4<f32>(1.0, 1.0 / 256.0, 1.0, 1.0 / 256.0);

// The words of the scales plane that the eight columns `unit` (counted over the plane) need: scale and
// minimum, or one word of both, or the two levels; high bits.
fn scale_words(unit: u32) -> vec3<u32> {
    let index = unit >> SHARE;
    if (SUPER) {
        let at = (unit >> 5u) * BLOCK;
        let entry = (unit & 31u) >> SHARE;
        var words = vec3<u32>(scales[at], scales[at + 1u + (entry >> select(2u, 1u, PAIRS))], 0u);
        if (HIGH == 1u) {
            words.z = scales[at + HEAD + ((unit >> 2u) & 7u)];
        } else if (HIGH == 2u) { // a word for these columns and those 32 before or behind
            words.z = scales[at + HEAD + ((unit >> 1u) & 12u) + (unit & 3u)];
        }
        return words;
    }
    if (HIGH != 0u) {
        return vec3<u32>(scales[index * 2u], 0u, scales[index * 2u + 1u]);
    }
    if (PAIRS && SCALE == 2u) {
        return vec3<u32>(scales[index * 2u], scales[index * 2u + 1u], 0u);
    }
    return vec3<u32>(scales[index >> select(1u, 0u, PAIRS || SCALE == 2u)], 0u, 0u);
}

// Scale and minimum out of those words.
fn factors_of(words: vec3<u32>, unit: u32) -> vec2<f32> {
    let index = unit >> SHARE;
    var f = unpack2x16float(words.x);
    if (SUPER) {
        let entries = bitcast<i32>(words.y);
        if (PAIRS) {
            let at = (index & 1u) * 16u;
            return f * vec2<f32>(f32(extractBits(entries, at, 8u)), f32(extractBits(entries, at + 8u, 8u)));
        }
        return vec2<f32>(f.x * f32(extractBits(entries, (index & 3u) * 8u, 8u)), 0.0);
    }
    if (SCALE == 2u) {
        f = bitcast<vec2<f32>>(words.xy);
    } else if (!PAIRS && HIGH == 0u) {
        let high = index & 1u;
        if (SCALE == 1u) {
            return vec2<f32>(bitcast<f32>(select(words.x << 16u, words.x & 0xffff0000u, high == 1u)), 0.0);
        }
        return vec2<f32>(half_at(words.x, high), 0.0);
    }
    if (ZEROS) {
        f.y *= f.x;
    }
    return f;
}

// The bits above the nibbles of those columns: those of columns 4..7 are 16 bits up.
fn high_of(words: vec3<u32>, unit: u32) -> u32 {
    return words.z >> select((unit & 3u) * 2u, unit & 4u, HIGH == 2u);
}

// Two runs of four decoded columns less the minimum, where the format has one.
fn less(a: vec4<f32>, b: vec4<f32>, minimum: f32) -> array<vec4<f32>, 2> {
    if (PAIRS) {
        return array<vec4<f32>, 2>(a - minimum, b - minimum);
    }
    return array<vec4<f32>, 2>(a, b);
}

// Eight columns of Q4 from their word of nibbles and the words of scale_words.
fn q4_decode(word: u32, words: vec3<u32>, at: u32) -> array<vec4<f32>, 2> {
    let f = factors_of(words, at);
    let high = high_of(words, at);
    let unit = q4_unit() * f.x;
    return less(q4_raw(word, high) * unit, q4_raw(word >> 16u, high >> 16u) * unit, f.y);
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
            let unit = Q8_UNIT * factors_of(scale_words(group * 4u + eighth), group * 4u + eighth).x;
            return array<vec4<f32>, 2>(q8_raw(pair.x) * unit, q8_raw(pair.y) * unit);
        }
        default: {
            let at = group * 4u + eighth;
            return q4_decode(values[group][eighth], scale_words(at), at);
        }
    }
}
