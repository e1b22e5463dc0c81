// matvec.wgsl with sums that meet through subgroup shuffles; the same bindings, mapping and results. Right for
// any subgroup size: what lies within a subgroup is shuffled, and where LANES is larger than the subgroup
// the subgroups' sums meet in workgroup memory. Expects, as all implementations of one-dimensional
// workgroups do, that subgroups are runs of consecutive invocations; the start-up self-test would tell.
enable subgroups;
diagnostic(off, subgroup_uniformity);
#include "common_matvec.wgsl"

var<workgroup> parts: array<f32, 9u * THREADS>; // [value, subgroup within the row]

fn fold(value: f32, size: u32) -> f32 {
    var v = value;
    for (var m = 1u; m < LANES; m *= 2u) {
        if (m < size) {
            v += subgroupShuffleXor(v, m);
        }
    }
    return v;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) tid: u32,
        @builtin(subgroup_size) size: u32) {
    let z = group.z;
    let start = (row_source(params.tail, z) * params.x_stride + params.x_column) / 4u;
    let begin = (group.x + group.y * 32768u) * (THREADS / LANES) * ROWS;
    if (begin >= params.n_rows) {
        return;
    }
    let lane = tid % LANES;
    let first = begin + tid / LANES * ROWS;
    var sums = array<vec4<f32>, 2>();
    dot_rows(first, lane, start, &sums);
    var v = sums[0];
    var up = sums[1];
    for (var r = 0u; r < ROWS; r++) {
        v[r] = fold(v[r], size);
        if (GLU != 0u) {
            up[r] = fold(up[r], size);
        }
    }
    if (NORM != 0u) {
        squares = fold(squares, size);
    }
    if (LANES > size) {
        if (tid % size == 0u) {
            for (var r = 0u; r < ROWS; r++) {
                parts[r * THREADS + tid] = v[r];
                parts[(4u + r) * THREADS + tid] = up[r];
            }
            parts[8u * THREADS + tid] = squares;
        }
        workgroupBarrier();
        if (lane == 0u) {
            for (var other = tid + size; other < tid + LANES; other += size) {
                for (var r = 0u; r < ROWS; r++) {
                    v[r] += parts[r * THREADS + other];
                    up[r] += parts[(4u + r) * THREADS + other];
                }
                squares += parts[8u * THREADS + other];
            }
        }
    }
    if (lane == 0u) {
        for (var r = 0u; r < ROWS && first + r < params.n_rows; r++) {
            finish_row(first + r, z, v[r], up[r], squares);
        }
    }
}
