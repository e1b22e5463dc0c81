// How the cache keeps keys and values. A state is [slots, n_kv_heads, context] rows, one for each head at each position,
// of HEAD_DIM f32, or f16 two to a word. Kernels bind states as words of the width that suits them; where rows
// begin, and what words mean, is said here alone.
override KV_TYPE: u32 = 0u; // enum qn_kv_type
const KV_F16 = 1u;

// Words of a row.
fn kv_words(dim: u32) -> u32 {
    return select(dim, dim / 2u, KV_TYPE == KV_F16);
}

// First word of a head's row at position p; heads are counted through all slots.
fn kv_row(head: u32, context: u32, p: u32, dim: u32) -> u32 {
    return (head * context + p) * kv_words(dim);
}

// What reading gives back of what is written.
fn kv_stored(x: f32) -> f32 {
    if (KV_TYPE == KV_F16) {
        return unpack2x16float(pack2x16float(vec2<f32>(clamp(x, -65504.0, 65504.0), 0.0))).x;
    }
    return x;
}

// Two dims as a word of halves.
fn kv_halves(a: f32, b: f32) -> u32 {
    return pack2x16float(clamp(vec2<f32>(a, b), vec2<f32>(-65504.0), vec2<f32>(65504.0)));
}

// Four dims from two words of halves.
fn kv_four(w: vec2<u32>) -> vec4<f32> {
    return vec4<f32>(unpack2x16float(w.x), unpack2x16float(w.y));
}
