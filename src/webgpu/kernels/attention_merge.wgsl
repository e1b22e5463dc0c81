// Decode attention, second half: out[t, h, :] = Σ_s e^(m_s − M) o_s / Σ_s e^(m_s − M) l_s, M = max_s m_s.
//
//   params   ATTENTION  step  STEP
//   partial  f32 [T, n_heads, splits, HEAD_DIM + 2]: o, m, l of each split (attention_split)
//   out      f32 [T, n_heads × HEAD_DIM]
// One workgroup of 64 threads per (head, t), a thread per dim. Workgroup memory: 64 floats.
#include "common_attention.wgsl"
@group(0) @binding(0) var<uniform> params: Attention;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> partial: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

const THREADS = 64u;
var<workgroup> tops: array<f32, THREADS>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) tid: u32) {
    let head = group.x;
    let t = group.y;
    let p = step.pos + t;
    let n = p / SPLIT - first_seen(p, params.window) / SPLIT + 1u;
    let stride = HEAD_DIM + 2u;
    let start = (t * params.n_heads + head) * params.splits * stride;
    var top = LOWEST;
    for (var s = tid; s < n; s += THREADS) {
        top = max(top, partial[start + s * stride + HEAD_DIM]);
    }
    tops[tid] = top;
    workgroupBarrier();
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        if (tid < half) {
            tops[tid] = max(tops[tid], tops[tid + half]);
        }
        workgroupBarrier();
    }
    top = tops[0];
    var mass = 0.0;
    for (var s = 0u; s < n; s++) {
        let at = start + s * stride + HEAD_DIM;
        mass += exp(partial[at] - top) * partial[at + 1u];
    }
    for (var d = tid; d < HEAD_DIM; d += THREADS) {
        var sum = 0.0;
        for (var s = 0u; s < n; s++) {
            let at = start + s * stride;
            sum += exp(partial[at + HEAD_DIM] - top) * partial[at + d];
        }
        out[(t * params.n_heads + head) * HEAD_DIM + d] = sum / mass;
    }
}
