// Rotary positions and KV append. With p the row's position and a = p × freq[i], i < n_rot / 2:
//   q'[lo] = q[lo] cos a − q[hi] sin a,  q'[hi] = q[hi] cos a + q[lo] sin a   (Su et al. 2021)
// where (lo, hi) = (i, i + n_rot/2), or (2i, 2i + 1) if INTERLEAVED; dims from n_rot on are copied.
// cos and sin are times `magnitude`. k likewise into k_state at position p, v unchanged into v_state.
//
//   params   ROPE      step  STEP
//   q, k, v  f32 rows of *_stride from *_column on, a head every head_stride columns
//   freq     f32 [sets, n_rot / 2], radians per position; the step says which set
//   k_state, v_state  rows of common_kv.wgsl
//   out      f32 [T, n_heads × head_dim]
// A thread makes two adjacent dims of one head of one token (so that an f16 word has one writer). Heads of q, then
// of k, then of v have a multiple of 32 threads each, so that a workgroup holds whole pairs of blocks of codes, which
// meet in 768 bytes of its memory. Grid (thread / 64, t). 7 storage buffers.
#include "common_step.wgsl"
#include "common_rope.wgsl"
#include "common_kv.wgsl"
#params ROPE
@group(0) @binding(0) var<uniform> params: Rope;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> q: array<f32>;
@group(0) @binding(3) var<storage, read> k: array<f32>;
@group(0) @binding(4) var<storage, read> v: array<f32>;
@group(0) @binding(5) var<storage, read> freq: array<f32>;
@group(0) @binding(6) var<storage, read_write> k_state: array<u32>;
@group(0) @binding(7) var<storage, read_write> v_state: array<u32>;
@group(0) @binding(8) var<storage, read_write> out: array<f32>;
override INTERLEAVED: u32 = 0u;

fn source(which: u32, at: u32) -> f32 {
    if (which == 0u) {
        return q[at];
    }
    return k[at];
}

// Dim d of the head that starts at `start`, rotated for the row.
fn rotated(which: u32, start: u32, d: u32, row: vec4<u32>) -> f32 {
    let own = source(which, start + d);
    if (d >= params.n_rot) {
        return own;
    }
    let half = params.n_rot / 2u;
    var i = d % half;
    var high = d >= half;
    var other = select(d + half, d - half, high);
    if (INTERLEAVED != 0u) {
        i = d / 2u;
        high = (d & 1u) == 1u;
        other = d ^ 1u;
    }
    let turn = cos_sin(f32(row.x) * freq[row.z * params.set_stride + i]) * params.magnitude;
    return fma(own, turn.x, source(which, start + other) * select(-turn.y, turn.y, high));
}

// Dims d and d + 1 into a row of a state.
fn append(is_v: bool, row: u32, d: u32, pair: vec2<f32>) {
    if (KV_TYPE == KV_F16) {
        let word = kv_halves(pair.x, pair.y);
        if (is_v) {
            v_state[row + d / 2u] = word;
        } else {
            k_state[row + d / 2u] = word;
        }
    } else if (is_v) {
        v_state[row + d] = bitcast<u32>(pair.x);
        v_state[row + d + 1u] = bitcast<u32>(pair.y);
    } else {
        k_state[row + d] = bitcast<u32>(pair.x);
        k_state[row + d + 1u] = bitcast<u32>(pair.y);
    }
}

var<workgroup> pairs: array<vec2<f32>, 64>; // least and greatest of a thread's two
var<workgroup> codes: array<u32, 64>;

fn fit(first: u32) -> u32 {
    var span = pairs[first];
    for (var i = 1u; i < 16u; i++) {
        span = vec2<f32>(min(span.x, pairs[first + i].x), max(span.y, pairs[first + i].y));
    }
    return kv_fit(span.x, span.y);
}

fn put(is_v: bool, at: u32, word: u32) {
    if (is_v) {
        v_state[at] = word;
    } else {
        k_state[at] = word;
    }
}

// The same as codes, by all threads; `live`: this one has dims.
fn append_codes(live: bool, is_v: bool, row: u32, d: u32, pair: vec2<f32>, tid: u32) {
    pairs[tid] = select(vec2<f32>(3.4e38, -3.4e38), vec2<f32>(min(pair.x, pair.y), max(pair.x, pair.y)), live);
    workgroupBarrier();
    let first = tid & 48u;
    let scale = kv_scale(fit(first), 0u);
    codes[tid] = select(0u, kv_code(pair.x, scale) | (kv_code(pair.y, scale) << (32u / KV_CODES)), live);
    workgroupBarrier();
    if (!live) {
        return;
    }
    if (d % KV_CODES == 0u) {
        var word = 0u;
        for (var i = 0u; i < KV_CODES / 2u; i++) {
            word |= codes[tid + i] << (i * 64u / KV_CODES);
        }
        put(is_v, row + d / KV_CODES, word);
    }
    let at = row + kv_scale_at(params.head_dim, d / 32u);
    if (KV_TYPE == KV_Q4 && d % 32u == 0u) {
        put(is_v, at, fit(first));
    } else if (KV_TYPE != KV_Q4 && d % 64u == 0u) {
        put(is_v, at, fit(first) | (fit(first + 16u) << 16u));
    }
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) tid: u32) {
    let t = id.y;
    let threads = (params.head_dim + 63u) / 64u * 32u; // of a head
    let head = id.x / threads;
    let d = id.x % threads * 2u;
    let token = step_row(t);
    let live = t < step.n_tokens && d < params.head_dim && head < params.n_heads + 2u * params.n_kv_heads;
    let is_v = head >= params.n_heads + params.n_kv_heads;
    let kv_head = head - params.n_heads - select(0u, params.n_kv_heads, is_v);
    var pair = vec2<f32>(0.0);
    if (live && is_v) {
        let start = t * params.v_stride + params.v_column + kv_head * params.head_stride + d;
        pair = vec2<f32>(v[start], v[start + 1u]);
    } else if (live && head >= params.n_heads) {
        let start = t * params.k_stride + params.k_column + kv_head * params.head_stride;
        pair = vec2<f32>(rotated(1u, start, d, token), rotated(1u, start, d + 1u, token));
    } else if (live) {
        let start = t * params.q_stride + params.q_column + head * params.head_stride;
        let to = (t * params.n_heads + head) * params.head_dim + d;
        out[to] = rotated(0u, start, d, token);
        out[to + 1u] = rotated(0u, start, d + 1u, token);
    }
    let kept = live && head >= params.n_heads && token.x < params.context;
    let row = kv_row(token.y * params.n_kv_heads + kv_head, params.context, token.x, params.head_dim);
    if (KV_CODED) {
        append_codes(kept, is_v, row, d, pair, tid);
    } else if (kept) {
        append(is_v, row, d, pair);
    }
}
