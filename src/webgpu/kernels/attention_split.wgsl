// Decode attention, first half. A workgroup takes 64 positions of one KV head and up to eight of the
// query heads that share it:  s[h, j] = cap(scale × q[h]·k[j]),  m = max_j s,  p = exp(s − m),
// partial[t, h, split] = (Σ_j p v[j, :], m, Σ_j p).  attention_merge joins the splits.
//
//   params   ATTENTION  step  STEP
//   q        f32 rows of q_stride from q_column on, [n_heads, HEAD_DIM] each
//   k_state, v_state    [n_kv_heads, context, HEAD_DIM] f32, or f16 with KV_F16
//   partial  f32 [T, n_heads, splits, HEAD_DIM + 2]
// Splits are the 64-aligned blocks of the cache from the first that the token sees. 256 threads: four share a
// position and score it for all heads, each every fourth vec4 of the dims (a key is read once, in whole
// lines); then a thread sums one dim of v over a quarter of the positions. Few steps follow upon another:
// latency is what a decode step pays for. HEADS is 8, or 4 above head size 128, so that workgroup memory stays
// below 16 KiB: HEADS × (HEAD_DIM + 5 × 64) floats, at most 14 KiB. Grid (split, KV head × group of query
// heads, t). 4 storage buffers.
#include "common_attention.wgsl"
@group(0) @binding(0) var<uniform> params: Attention;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> q: array<f32>;
@group(0) @binding(3) var<storage, read> k_state: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read> v_state: array<u32>;
@group(0) @binding(5) var<storage, read_write> partial: array<f32>;

const THREADS = 256u;
const PARTS = THREADS / SPLIT; // threads per position, and shares of the positions later
const MOST = 8u;
override HEADS: u32 = select(MOST, 4u, HEAD_DIM > 128u);
var<workgroup> qs: array<vec4<f32>, HEADS * HEAD_DIM / 4u>; // [head, dim / 4], times scale
var<workgroup> ps: array<f32, HEADS * SPLIT>;               // [position, head]: scores, then p
var<workgroup> sums: array<f32, PARTS * HEADS * SPLIT>;     // [part, head, position], then [part, head, dim]

fn v_at(index: u32) -> f32 {
    if (KV_F16 != 0u) {
        return unpack2x16float(v_state[index / 2u] >> ((index & 1u) * 16u)).x;
    }
    return bitcast<f32>(v_state[index]);
}

@compute @workgroup_size(THREADS)
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
    let q_start = t * params.q_stride + params.q_column + head * HEAD_DIM;
    for (var i = tid; i < n_heads * HEAD_DIM / 4u; i += THREADS) {
        let at = q_start + i * 4u;
        qs[i] = vec4<f32>(q[at], q[at + 1u], q[at + 2u], q[at + 3u]) * params.scale;
    }
    workgroupBarrier();

    let state_start = kv_head * params.context * HEAD_DIM;
    let part = tid % PARTS;
    let j = tid / PARTS;
    let seen = begin + j <= p && begin + j >= first;
    var s = array<f32, MOST>();
    if (seen) {
        let row = (state_start + (begin + j) * HEAD_DIM) / select(4u, 8u, KV_F16 != 0u);
        if (KV_F16 != 0u) {
            for (var c = part; c < HEAD_DIM / 8u; c += PARTS) {
                let w = k_state[row + c];
                let a = vec4<f32>(unpack2x16float(w.x), unpack2x16float(w.y));
                let b = vec4<f32>(unpack2x16float(w.z), unpack2x16float(w.w));
                for (var h = 0u; h < HEADS; h++) {
                    let at = h * HEAD_DIM / 4u + c * 2u;
                    s[h] += dot(a, qs[at]) + dot(b, qs[at + 1u]);
                }
            }
        } else {
            for (var c = part; c < HEAD_DIM / 4u; c += PARTS) {
                let a = bitcast<vec4<f32>>(k_state[row + c]);
                for (var h = 0u; h < HEADS; h++) {
                    s[h] += dot(a, qs[h * HEAD_DIM / 4u + c]);
                }
            }
        }
    }
    for (var h = 0u; h < HEADS; h++) {
        sums[(part * HEADS + h) * SPLIT + j] = s[h];
    }
    workgroupBarrier();
    for (var i = tid; i < HEADS * SPLIT; i += THREADS) { // i = head × SPLIT + position
        let at = begin + i % SPLIT;
        var score = LOWEST;
        if (at <= p && at >= first) {
            score = softcap(sums[i] + sums[HEADS * SPLIT + i] + sums[2u * HEADS * SPLIT + i] + sums[3u * HEADS * SPLIT + i], params.softcap);
        }
        ps[i % SPLIT * HEADS + i / SPLIT] = score;
    }
    workgroupBarrier();

    // Maximum and mass: THREADS / HEADS threads per head, each looking at all of its scores.
    let h = tid % HEADS;
    var top = LOWEST;
    for (var i = 0u; i < SPLIT; i++) {
        top = max(top, ps[i * HEADS + h]);
    }
    workgroupBarrier();
    for (var i = tid / HEADS; i < SPLIT; i += THREADS / HEADS) {
        let score = ps[i * HEADS + h];
        ps[i * HEADS + h] = select(0.0, exp(score - top), score > LOWEST);
    }
    workgroupBarrier();

    let stride = HEAD_DIM + 2u;
    let out_start = ((t * params.n_heads + head) * params.splits + group.x) * stride;
    if (tid < n_heads) {
        var mass = 0.0;
        for (var i = 0u; i < SPLIT; i++) {
            mass += ps[i * HEADS + tid];
        }
        let at = out_start + tid * params.splits * stride + HEAD_DIM;
        partial[at] = top; // of head tid % HEADS = tid
        partial[at + 1u] = mass;
    }
    let share = tid / SPLIT;
    let positions = min(SPLIT, p + 1u - begin);
    for (var block = 0u; block < HEAD_DIM; block += SPLIT) {
        let d = block + tid % SPLIT;
        var o = array<f32, MOST>();
        if (d < HEAD_DIM) {
            // Four positions at a time, so that their loads overlap.
            for (var i = share * (SPLIT / PARTS); i < min((share + 1u) * (SPLIT / PARTS), positions); i += 4u) {
                let row = state_start + (begin + i) * HEAD_DIM + d;
                let most = positions - 1u - i;
                let v0 = v_at(row);
                let v1 = v_at(row + min(1u, most) * HEAD_DIM);
                let v2 = v_at(row + min(2u, most) * HEAD_DIM);
                let v3 = v_at(row + min(3u, most) * HEAD_DIM);
                for (var a = 0u; a < HEADS; a++) { // p is 0 past the last position
                    let at = i * HEADS + a;
                    o[a] += ps[at] * v0 + ps[at + HEADS] * v1 + ps[at + 2u * HEADS] * v2 + ps[at + 3u * HEADS] * v3;
                }
            }
        }
        for (var a = 0u; a < HEADS; a++) {
            sums[(share * HEADS + a) * SPLIT + tid % SPLIT] = o[a];
        }
        workgroupBarrier();
        for (var i = tid; i < n_heads * SPLIT; i += THREADS) {
            let to = block + i % SPLIT;
            if (to < HEAD_DIM) {
                partial[out_start + i / SPLIT * params.splits * stride + to] =
                    sums[i] + sums[HEADS * SPLIT + i] + sums[2u * HEADS * SPLIT + i] + sums[3u * HEADS * SPLIT + i];
            }
        }
        workgroupBarrier();
    }
}
