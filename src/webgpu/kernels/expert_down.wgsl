// Experts, second half: out[t, h] (+)= Σ_i p_i W[e_i, h]·x[t, i cols ..], over the experts in the slab.
//
//   params  EXPERTS    step  STEP
//   x       f32 [T, n_used × cols]
//   values, scales     canonical rows [n_experts, width] of the slab, whole experts
//   routes  f32 [T, 2 n_used]: ids, probabilities
//   out     f32 [T, width]: begins at 0 where `first`
// A workgroup of 64 threads per result; 512 bytes of workgroup memory. 5 storage buffers. Grid (result, y: folded, t).
#include "common_experts.wgsl"

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) tid: u32) {
    let at = group.x + group.y * 32768u;
    let t = group.z;
    if (at >= params.width || t >= step.n_tokens) {
        return;
    }
    var sum = 0.0;
    for (var i = 0u; i < params.n_used; i++) {
        let expert = u32(routes[t * params.n_used * 2u + i]);
        let row = expert * params.width + at - params.row_begin; // wraps below row_begin
        if (row < params.n_rows) {
            let p = routes[t * params.n_used * 2u + params.n_used + i];
            sum += p * share(row, t * params.x_stride + i * params.cols, tid);
        }
    }
    let whole = total(tid, vec2<f32>(sum, 0.0)).x;
    if (tid == 0u) {
        let to = t * params.width + at;
        if (params.first != 0u) {
            out[to] = whole;
        } else {
            out[to] += whole;
        }
    }
}
