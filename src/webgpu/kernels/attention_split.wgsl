// Decode attention, first half. A workgroup takes 64 positions of one KV head and up to eight of the
// query heads that share it:  s[h, j] = scale × q[h]·k[j],  m = max_j s,  p = exp(s − m),
// partial[t, h, split] = (Σ_j p v[j, :], m, Σ_j p).  attention_merge joins the splits.
//
//   params   ATTENTION  step  STEP
//   q        f32 rows of q_stride from q_column on, [n_heads, HEAD_DIM] each
//   k_state, v_state    [n_kv_heads, context, HEAD_DIM] f32, or f16 with KV_F16
//   partial  f32 [T, n_heads, splits, HEAD_DIM + 2]
// Splits are the 64-aligned blocks of the cache from the first that the token sees. 64 threads: a thread
// scores one position for all heads (each key is read once), then sums one dim of v at a time over the
// positions (reads of v are contiguous across threads). Workgroup memory: 8 × HEAD_DIM + 512 floats, at
// most 10 KiB. Grid (split, KV head × group of 8 query heads, t). 4 storage buffers.
#include "common_attention.wgsl"
@group(0) @binding(0) var<uniform> params: Attention;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> q: array<f32>;
@group(0) @binding(3) var<storage, read> k_state: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read> v_state: array<u32>;
@group(0) @binding(5) var<storage, read_write> partial: array<f32>;

const HEADS = 8u;
var<workgroup> qs: array<vec4<f32>, HEADS * HEAD_DIM / 4u>; // [head, dim / 4], times scale
var<workgroup> ps: array<f32, HEADS * SPLIT>;               // [head, position]: scores, then p

fn v_at(index: u32) -> f32 {
    if (KV_F16 != 0u) {
        return unpack2x16float(v_state[index / 2u] >> ((index & 1u) * 16u)).x;
    }
    return bitcast<f32>(v_state[index]);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) tid: u32) {
    let shared_by = params.n_heads / params.n_kv_heads;
    let blocks = (shared_by + HEADS - 1u) / HEADS;
    let kv_head = group.y / blocks;
    let head = kv_head * shared_by + group.y % blocks * HEADS; // first query head
    let n_heads = min(HEADS, (kv_head + 1u) * shared_by - head);
    let t = group.z;
    let p = step.pos + t;
    let first = first_seen(p, params.window);
    let begin = (first / SPLIT + group.x) * SPLIT;
    if (begin > p || t >= step.n_tokens) {
        return;
    }
    let q_from = t * params.q_stride + params.q_column + head * HEAD_DIM;
    for (var i = tid; i < n_heads * HEAD_DIM / 4u; i += SPLIT) {
        let at = q_from + i * 4u;
        qs[i] = vec4<f32>(q[at], q[at + 1u], q[at + 2u], q[at + 3u]) * params.scale;
    }
    workgroupBarrier();

    let j = begin + tid;
    let state_from = kv_head * params.context * HEAD_DIM;
    var s = array<f32, HEADS>();
    if (j <= p && j >= first) {
        let row = (state_from + j * HEAD_DIM) / select(4u, 8u, KV_F16 != 0u);
        if (KV_F16 != 0u) {
            for (var c = 0u; c < HEAD_DIM / 8u; c++) {
                let w = k_state[row + c];
                let a = vec4<f32>(unpack2x16float(w.x), unpack2x16float(w.y));
                let b = vec4<f32>(unpack2x16float(w.z), unpack2x16float(w.w));
                for (var h = 0u; h < HEADS; h++) {
                    let at = h * HEAD_DIM / 4u + c * 2u;
                    s[h] += dot(a, qs[at]) + dot(b, qs[at + 1u]);
                }
            }
        } else {
            for (var c = 0u; c < HEAD_DIM / 4u; c++) {
                let a = bitcast<vec4<f32>>(k_state[row + c]);
                for (var h = 0u; h < HEADS; h++) {
                    s[h] += dot(a, qs[h * HEAD_DIM / 4u + c]);
                }
            }
        }
        for (var h = 0u; h < HEADS; h++) {
            ps[h * SPLIT + tid] = s[h];
        }
    } else {
        for (var h = 0u; h < HEADS; h++) {
            ps[h * SPLIT + tid] = LOWEST;
        }
    }
    workgroupBarrier();

    // Eight threads per head: maximum, then p and its sum; every thread reads all 64 scores of its head.
    let h = tid / 8u;
    var top = LOWEST;
    for (var i = 0u; i < SPLIT; i++) {
        top = max(top, ps[h * SPLIT + i]);
    }
    workgroupBarrier();
    for (var i = tid % 8u; i < SPLIT; i += 8u) {
        let score = ps[h * SPLIT + i];
        ps[h * SPLIT + i] = select(0.0, exp(score - top), score > LOWEST);
    }
    workgroupBarrier();

    let out_step = HEAD_DIM + 2u;
    let out_from = ((t * params.n_heads + head) * params.splits + group.x) * out_step;
    if (tid % 8u == 0u && h < n_heads) {
        var sum = 0.0;
        for (var i = 0u; i < SPLIT; i++) {
            sum += ps[h * SPLIT + i];
        }
        let at = out_from + h * params.splits * out_step + HEAD_DIM;
        partial[at] = top;
        partial[at + 1u] = sum;
    }
    let positions = min(SPLIT, p + 1u - begin);
    for (var d = tid; d < HEAD_DIM; d += SPLIT) {
        var o = array<f32, HEADS>();
        for (var i = 0u; i < positions; i++) {
            let v = v_at(state_from + (begin + i) * HEAD_DIM + d);
            for (var a = 0u; a < HEADS; a++) {
                o[a] += ps[a * SPLIT + i] * v;
            }
        }
        for (var a = 0u; a < n_heads; a++) {
            partial[out_from + a * params.splits * out_step + d] = o[a];
        }
    }
}
