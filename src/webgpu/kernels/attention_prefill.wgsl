// Causal attention for many tokens, one pass with running maxima (Dao et al. 2022):
//   out[t, h, :] = Σ_j softmax_j(cap(scale × q[t, h]·k[j])) v[j, :],  first_seen(pos + t) ≤ j ≤ pos + t.
//
//   params   ATTENTION  step  STEP
//   q        f32 rows of q_stride from q_column on, [n_heads, HEAD_DIM] each
//   k_state, v_state    [n_kv_heads, context, HEAD_DIM] f32, or f16 with KV_F16
//   out      f32 [T, n_heads × HEAD_DIM]
// A workgroup of 64 threads takes QUERIES tokens (32 up to head size 64, 16 up to 128, then 8) of one head
// and walks over the keys in tiles of 32; 64 / QUERIES threads share a token. Of each tile a thread scores
// every SHARE-th key, then sums its dims of v. Keys and values pass through workgroup memory in chunks of 32
// dims, rows padded by one vec4 against bank conflicts; 4.5 + up to 4.1 KiB. Grid (block of tokens, head).
#include "common_attention.wgsl"
@group(0) @binding(0) var<uniform> params: Attention;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> q: array<f32>;
@group(0) @binding(3) var<storage, read> k_state: array<vec2<u32>>;
@group(0) @binding(4) var<storage, read> v_state: array<vec2<u32>>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;

const THREADS = 64u;
const KEYS = 32u;
const PITCH = 9u; // vec4s per row of the tile: 8, and padding
override QUERIES: u32 = select(select(8u, 16u, HEAD_DIM <= 128u), 32u, HEAD_DIM <= 64u);
override SHARE: u32 = THREADS / QUERIES;       // threads per token: 2, 4, 8
override OWN_KEYS: u32 = KEYS / SHARE;         // 16, 8, 4
override OWN_DIMS: u32 = 8u / SHARE;           // vec4s of each chunk: 4, 2, 1
override CHUNKS: u32 = (HEAD_DIM + 31u) / 32u; // 1..8

var<workgroup> tile: array<vec4<f32>, KEYS * PITCH>; // [key, dim / 4]
var<workgroup> ps: array<f32, QUERIES * (KEYS + 1u)>; // [token, key]

// Four dims of the states, counted in fours.
fn key4(at: u32) -> vec4<f32> {
    if (KV_F16 != 0u) {
        let w = k_state[at];
        return vec4<f32>(unpack2x16float(w.x), unpack2x16float(w.y));
    }
    return bitcast<vec4<f32>>(vec4<u32>(k_state[at * 2u], k_state[at * 2u + 1u]));
}

fn value4(at: u32) -> vec4<f32> {
    if (KV_F16 != 0u) {
        let w = v_state[at];
        return vec4<f32>(unpack2x16float(w.x), unpack2x16float(w.y));
    }
    return bitcast<vec4<f32>>(vec4<u32>(v_state[at * 2u], v_state[at * 2u + 1u]));
}

// Chunk `chunk` of the 32 positions from `begin` on: of k or of v. Positions after `last` are zeros.
fn load_tile(is_v: bool, start: u32, begin: u32, last: u32, chunk: u32, tid: u32) {
    workgroupBarrier(); // the previous tile has been used
    for (var i = tid; i < KEYS * 8u; i += THREADS) {
        let key = i / 8u;
        let c = i % 8u;
        let d4 = chunk * 8u + c;
        var v = vec4<f32>(0.0);
        if (d4 < HEAD_DIM / 4u && begin + key <= last) {
            let at = start + (begin + key) * (HEAD_DIM / 4u) + d4;
            if (is_v) {
                v = value4(at);
            } else {
                v = key4(at);
            }
        }
        tile[key * PITCH + c] = v;
    }
    workgroupBarrier();
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) tid: u32) {
    let head = group.y;
    let row = tid / SHARE;
    let sub = tid % SHARE;
    let t0 = group.x * QUERIES;
    if (t0 >= step.n_tokens) {
        return;
    }
    let t = t0 + row;
    let live = t < step.n_tokens;
    let p = step.pos + min(t, step.n_tokens - 1u);
    let first = first_seen(p, params.window);
    let last = step.pos + min(t0 + QUERIES, step.n_tokens) - 1u;
    let state = head / (params.n_heads / params.n_kv_heads) * params.context * (HEAD_DIM / 4u);
    let q_from = min(t, step.n_tokens - 1u) * params.q_stride + params.q_column + head * HEAD_DIM;

    var o = array<vec4<f32>, 8>(); // [chunk, own vec4]
    var top = LOWEST;
    var mass = 0.0;
    for (var begin = first_seen(step.pos + t0, params.window) / KEYS * KEYS; begin <= last; begin += KEYS) {
        var s = array<f32, 16>();
        for (var chunk = 0u; chunk < CHUNKS; chunk++) {
            load_tile(false, state, begin, last, chunk, tid);
            var qv = array<vec4<f32>, 8>();
            for (var c = 0u; c < 8u; c++) {
                let d = chunk * 32u + c * 4u;
                if (d < HEAD_DIM) {
                    let at = q_from + d;
                    qv[c] = vec4<f32>(q[at], q[at + 1u], q[at + 2u], q[at + 3u]);
                }
            }
            for (var i = 0u; i < OWN_KEYS; i++) {
                let at = (sub + i * SHARE) * PITCH;
                var sum = qv[0] * tile[at];
                for (var c = 1u; c < 8u; c++) {
                    sum += qv[c] * tile[at + c];
                }
                s[i] += dot(sum, vec4<f32>(1.0));
            }
        }
        let line = row * (KEYS + 1u);
        for (var i = 0u; i < OWN_KEYS; i++) {
            let j = begin + sub + i * SHARE;
            s[i] = select(LOWEST, softcap(s[i] * params.scale, params.softcap), j <= p && j >= first);
            ps[line + sub + i * SHARE] = s[i];
        }
        workgroupBarrier();
        var new_top = top;
        for (var i = 0u; i < KEYS; i++) {
            new_top = max(new_top, ps[line + i]);
        }
        workgroupBarrier();
        for (var i = 0u; i < OWN_KEYS; i++) {
            ps[line + sub + i * SHARE] = select(0.0, exp(s[i] - new_top), s[i] > LOWEST);
        }
        let shrink = select(exp(top - new_top), 1.0, top == new_top);
        top = new_top;
        mass *= shrink;
        for (var i = 0u; i < 8u; i++) {
            o[i] *= shrink;
        }
        for (var chunk = 0u; chunk < CHUNKS; chunk++) {
            load_tile(true, state, begin, last, chunk, tid);
            for (var j = 0u; j < KEYS; j++) {
                let weight = ps[line + j];
                if (chunk == 0u) {
                    mass += weight;
                }
                for (var i = 0u; i < OWN_DIMS; i++) {
                    o[chunk * OWN_DIMS + i] += weight * tile[j * PITCH + sub * OWN_DIMS + i];
                }
            }
        }
    }
    if (!live) {
        return;
    }
    for (var chunk = 0u; chunk < CHUNKS; chunk++) {
        for (var i = 0u; i < OWN_DIMS; i++) {
            let d = chunk * 32u + (sub * OWN_DIMS + i) * 4u;
            if (d < HEAD_DIM) {
                let v = o[chunk * OWN_DIMS + i] / mass;
                let at = (t * params.n_heads + head) * HEAD_DIM + d;
                out[at] = v.x;
                out[at + 1u] = v.y;
                out[at + 2u] = v.z;
                out[at + 3u] = v.w;
            }
        }
    }
}
