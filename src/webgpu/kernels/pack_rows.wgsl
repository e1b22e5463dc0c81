// Rows of x as integers, once for all workgroups of matvec_packed: packed[z] = q(x[z] × norm), common_dot.wgsl.
//
//   params, step and bindings: as matvec_dot with the same NORM, HEAD_DIM and POST; `kept` takes what matvec_dot writes to
//           its out. out: packed rows, 20 × groups elements apart.
// 256 threads, 8 columns each at a time. NORM or POST: a workgroup per row of x, else as many as wanted. Row y of x.
enable subgroups;
requires packed_4x8_integer_dot_product;
diagnostic(off, subgroup_uniformity);
#include "common_dot.wgsl"
#include "common_take.wgsl"
@group(0) @binding(9) var<storage, read_write> kept: array<u32>;

fn keep(at: u32, value: u32) {
    kept[at] = value;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) all: vec3<u32>,
        @builtin(local_invocation_index) tid: u32, @builtin(subgroup_size) size: u32) {
    let z = group.y;
    let groups = (params.cols + 31u) / 32u;
    let start = z * groups * 20u;
    begin_row(z, tid, size);
    for (var u = group.x * THREADS + tid; u < groups * 4u; u += all.x * THREADS) {
        put_packed(start, groups, u, take8(z, u, params.kept));
    }
    if (NORM != 0u) {
        square = total(square, tid, size);
        for (var g = tid; g < groups; g += THREADS) {
            out[start + (4u * groups + g) * 4u + 2u] = bitcast<u32>(square);
        }
    }
}
