// Router of a mixture of experts: of p = softmax(x[t, :]) the n_used largest, in falling order, the lower
// index first: out[t, i] = index, out[t, n_used + i] = p (÷ their sum with `renormalise`).
//
//   params  EXPERTS    step  STEP
//   x       f32 [T, n_experts], n_experts ≤ 1024
//   out     f32 [T, 2 n_used]
// One workgroup of 64 threads per token; each maximum is a tree over the threads. 4.5 KiB of workgroup memory.
#include "common_step.wgsl"
#params EXPERTS
@group(0) @binding(0) var<uniform> params: Experts;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

const THREADS = 64u;
const MOST = 1024u;
const LOWEST = -3.4e38;
var<workgroup> scores: array<f32, MOST>;
var<workgroup> tops: array<f32, THREADS>;
var<workgroup> ids: array<u32, THREADS>;

// The largest score, lowest index first, into tops[0] and ids[0].
fn find_top(tid: u32) {
    var top = LOWEST;
    var id = MOST;
    for (var e = tid; e < params.n_experts; e += THREADS) {
        if (scores[e] > top || id == MOST) {
            top = scores[e];
            id = e;
        }
    }
    tops[tid] = top;
    ids[tid] = id;
    workgroupBarrier();
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        if (tid < half) {
            let other = tops[tid + half];
            if (other > tops[tid] || (other == tops[tid] && ids[tid + half] < ids[tid])) {
                tops[tid] = other;
                ids[tid] = ids[tid + half];
            }
        }
        workgroupBarrier();
    }
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) tid: u32) {
    let t = group.x + group.y * 32768u;
    if (t >= step.n_tokens) {
        return;
    }
    for (var e = tid; e < params.n_experts; e += THREADS) {
        scores[e] = x[t * params.n_experts + e];
    }
    workgroupBarrier();
    find_top(tid);
    let peak = tops[0];
    workgroupBarrier();
    var mass = 0.0;
    for (var e = tid; e < params.n_experts; e += THREADS) {
        mass += exp(scores[e] - peak);
    }
    tops[tid] = mass;
    workgroupBarrier();
    var whole = 0.0;
    for (var i = 0u; i < THREADS; i++) {
        whole += tops[i];
    }
    workgroupBarrier();
    let start = t * params.n_used * 2u;
    var chosen = 0.0;
    for (var i = 0u; i < params.n_used; i++) {
        find_top(tid);
        let p = exp(tops[0] - peak) / whole;
        chosen += p;
        if (tid == 0u) {
            out[start + i] = f32(ids[0]);
            out[start + params.n_used + i] = p;
            scores[ids[0]] = LOWEST;
        }
        workgroupBarrier();
    }
    if (tid == 0u && params.renormalise != 0u) {
        for (var i = 0u; i < params.n_used; i++) {
            out[start + params.n_used + i] /= chosen;
        }
    }
}
