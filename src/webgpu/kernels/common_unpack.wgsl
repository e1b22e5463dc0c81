// A group of four-bit weights for products of bytes (common_dot.wgsl).
const NIBBLES = 0x0f0f0f0fu;

// Its weights, four to a word, as they meet the words of x; its scale and minimum.
struct Unpacked {
    even: vec4<u32>,
    odd: vec4<u32>,
    factors: vec2<f32>,
}

// Of group `at` of the slab. Fifth bits: of even columns at bits 0, 8, …, of odd ones above them; two more per word.
fn unpack_words(words: vec4<u32>, scale: vec3<u32>, at: u32) -> Unpacked {
    var even = words & vec4<u32>(NIBBLES);
    var odd = (words >> vec4<u32>(4u)) & vec4<u32>(NIBBLES);
    if (HIGH != 0u) {
        let high = vec4<u32>(scale.z) >> vec4<u32>(0u, 2u, 4u, 6u);
        even |= (high & vec4<u32>(0x01010101u)) << vec4<u32>(4u);
        odd |= (high & vec4<u32>(0x02020202u)) << vec4<u32>(3u);
    }
    return Unpacked(even, odd, factors_of(scale, at * 4u));
}
