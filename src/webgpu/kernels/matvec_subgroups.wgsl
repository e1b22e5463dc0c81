// matvec.wgsl with sums that meet through subgroup shuffles; the same bindings, mapping and results. Right for
// any subgroup size: what lies within a subgroup is shuffled, and where LANES is larger than the subgroup
// the subgroups' sums meet in workgroup memory. Expects, as all implementations of one-dimensional
// workgroups do, that subgroups are runs of consecutive invocations; the start-up self-test would tell.
enable subgroups;
diagnostic(off, subgroup_uniformity);
#include "common_matvec.wgsl"

override VALUES: u32 = (SETS + NORM) * COLS;
var<workgroup> parts: array<f32, VALUES * THREADS>; // [value, subgroup within the row]: sums, then squares

fn fold(value: f32, size: u32) -> f32 {
    var v = value;
    for (var m = 1u; m < LANES; m *= 2u) {
        if (m < size) {
            v += subgroupShuffleXor(v, m);
        }
    }
    return v;
}

// Value i of the rows whose first lane is `own`, out of their subgroups' sums.
fn met(i: u32, own: u32, size: u32) -> f32 {
    var v = parts[i * THREADS + own];
    for (var other = size; other < LANES; other += size) {
        v += parts[i * THREADS + own + other];
    }
    return v;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) tid: u32,
        @builtin(subgroup_size) size: u32) {
    let z = group.z * COLS;
    let begin = (group.x + group.y * 32768u) * (THREADS / LANES) * ROWS;
    if (begin >= params.n_rows) {
        return;
    }
    let lane = tid % LANES;
    let first = begin + tid / LANES * ROWS;
    var sums: array<f32, MOST_SUMS>;
    dot_rows(first, lane, z, &sums);
    for (var i = 0u; i < SETS * COLS; i++) {
        sums[i] = fold(sums[i], size);
    }
    if (NORM != 0u) {
        for (var c = 0u; c < COLS; c++) {
            squares[c] = fold(squares[c], size);
        }
    }
    if (LANES > size) {
        if (tid % size == 0u) {
            for (var i = 0u; i < SETS * COLS; i++) {
                parts[i * THREADS + tid] = sums[i];
            }
            for (var i = SETS * COLS; i < VALUES; i++) {
                parts[i * THREADS + tid] = squares[i - SETS * COLS];
            }
        }
        workgroupBarrier();
        for (var i = 0u; i < SETS * COLS; i++) {
            sums[i] = met(i, tid - lane, size);
        }
        for (var i = SETS * COLS; i < VALUES; i++) {
            squares[i - SETS * COLS] = met(i, tid - lane, size);
        }
    }
    for (var c = 0u; c < COLS; c++) {
        for (var r = 0u; r < ROWS; r++) {
            if (lane == (c * ROWS + r) % LANES) {
                finish_row(first + r, z + c, sums[r * COLS + c], sums[select(0u, (ROWS + r) * COLS + c, GLU != 0u)], squares[c]);
            }
        }
    }
}
