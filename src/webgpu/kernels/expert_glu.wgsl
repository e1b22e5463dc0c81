// Experts, first half: out[t, i F + f] = act(W[e, f]·x[t]) × W[e, F + f]·x[t], e = routes[t, i], F = width.
//
//   params  EXPERTS    step  STEP
//   x       f32 [T, cols]
//   values, scales     canonical rows [n_experts, 2 F] of the slab, whole experts
//   routes  f32 [T, 2 n_used]: ids, probabilities
//   out     f32 [T, n_used × F]; what experts outside the slab make is left alone
// A workgroup of 64 threads per result; 512 bytes of workgroup memory. 5 storage buffers. Grid (result, y: folded, t).
#include "common_experts.wgsl"
#include "common_act.wgsl"

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) tid: u32) {
    let at = group.x + group.y * 32768u;
    let t = group.z;
    if (at >= params.n_used * params.width || t >= step.n_tokens) {
        return;
    }
    let expert = u32(routes[t * params.n_used * 2u + at / params.width]);
    let row = expert * 2u * params.width + at % params.width - params.row_begin; // wraps below row_begin
    if (row >= params.n_rows) {
        return;
    }
    let start = t * params.x_stride;
    let sum = total(tid, vec2<f32>(share(row, start, tid), share(row + params.width, start, tid)));
    if (tid == 0u) {
        out[t * params.n_used * params.width + at] = act(sum.x) * sum.y;
    }
}
