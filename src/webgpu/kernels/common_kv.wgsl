// How the cache keeps keys and values. A state is [slots, n_kv_heads, context] rows, one for each head at each position, of
// HEAD_DIM f32; of f16, two to a word; or of codes (KV_CODED, quant/kv.h), with a step for every 32 dims:
//   q8  a byte a dim, then the blocks' f16 p = max |x|, two to a word:    x = c × (p / 127)
//   q4  four bits a dim, then a word for each block, f16 range and least: x = c × (range / 15) + least
// and an even number of words in all. Kernels bind states as words of the width that suits them; where rows begin,
// and what words mean, is said here alone.
override KV_TYPE: u32 = 0u; // enum qn_kv_type
const KV_F16 = 1u;
const KV_Q4 = 3u;
override KV_CODED: bool = KV_TYPE > KV_F16;
override KV_CODES: u32 = select(4u, 8u, KV_TYPE == KV_Q4); // of a word

// Words of a row's codes.
fn kv_values(dim: u32) -> u32 {
    return (dim + KV_CODES - 1u) / KV_CODES;
}

// Words of a row.
fn kv_words(dim: u32) -> u32 {
    if (KV_CODED) {
        return (kv_scale_at(dim, (dim + 31u) / 32u + select(1u, 0u, KV_TYPE == KV_Q4)) + 1u) & 0xfffffffeu;
    }
    return select(dim, dim / 2u, KV_TYPE == KV_F16);
}

// Word of a row that has a block's scale.
fn kv_scale_at(dim: u32, block: u32) -> u32 {
    return kv_values(dim) + select(block / 2u, block, KV_TYPE == KV_Q4);
}

// First word of a head's row at position p; heads are counted through all slots.
fn kv_row(head: u32, context: u32, p: u32, dim: u32) -> u32 {
    return (head * context + p) * kv_words(dim);
}

// Two dims as a word of halves.
fn kv_halves(a: f32, b: f32) -> u32 {
    return pack2x16float(clamp(vec2<f32>(a, b), vec2<f32>(-65504.0), vec2<f32>(65504.0)));
}

// Four dims from two words of halves.
fn kv_four(w: vec2<u32>) -> vec4<f32> {
    return vec4<f32>(unpack2x16float(w.x), unpack2x16float(w.y));
}

// (step, least) of a block from its word: x = c × step + least.
fn kv_scale(word: u32, block: u32) -> vec2<f32> {
    let w = unpack2x16float(word);
    if (KV_TYPE == KV_Q4) {
        return vec2<f32>(w.x * (1.0 / 15.0), w.y);
    }
    return vec2<f32>(select(w.x, w.y, (block & 1u) == 1u) * (1.0 / 127.0), 0.0);
}

// The word of a block's scale (of q8 its lower half), of what it spans.
fn kv_fit(least: f32, most: f32) -> u32 {
    if (KV_TYPE == KV_Q4) {
        return kv_halves(most - least, least);
    }
    return kv_halves(max(max(-least, most), 0.0), 0.0);
}

// Nearest code, halves to even; scale: kv_scale.
fn kv_code(x: f32, scale: vec2<f32>) -> u32 {
    let per = select(0.0, 1.0 / scale.x, scale.x > 0.0);
    if (KV_TYPE == KV_Q4) {
        return u32(clamp(round((x - scale.y) * per), 0.0, 15.0));
    }
    return u32(i32(clamp(round(x * per), -127.0, 127.0))) & 255u;
}

// Dims d4 × 4 .. + 3, from the word that has their codes and the one that has their scale.
fn kv_decode(word: u32, scale_word: u32, d4: u32) -> vec4<f32> {
    let scale = kv_scale(scale_word, d4 / 8u);
    if (KV_TYPE == KV_Q4) {
        return vec4<f32>((vec4<u32>(word >> (16u * (d4 & 1u))) >> vec4<u32>(0u, 4u, 8u, 12u)) & vec4<u32>(15u)) * scale.x + scale.y;
    }
    return vec4<f32>(vec4<i32>(vec4<u32>(word) << vec4<u32>(24u, 16u, 8u, 0u)) >> vec4<u32>(24u)) * scale.x;
}
