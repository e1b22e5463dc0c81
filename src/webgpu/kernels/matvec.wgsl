// Matrix times vector: out[z, n] = Σ_k x[z', k] W[n, k] (+ bias[n]) (+ residual[z, n]), for few rows z; the result
// of a row is, to the last bit, the same beside any others.
// NORM: x is x × rsqrt(mean x² + eps) × norm first. GLU: act(row n) × row n + up_row.
//
//   params  MATMUL     step  STEP
//   x       f32 rows of x_stride from x_column on, read as vec4 (z' = T - R + z with `tail`)
//   values, scales  canonical weight rows of the slab
//   bias    f32, per row of the whole matrix        residual  f32
//   norm    f32 [cols]                              out       f32 rows of out_stride
// 64 threads; LANES of them share ROWS rows, each taking every LANES-th unit of eight columns. Because the
// lanes of a row together see all of x, they also sum x² for the norm. A weight is unpacked once for COLS rows of x.
// Sums meet in workgroup memory as a tree: 256 bytes each, SETS × COLS sums (16 at most) and COLS squares, 6 KiB at
// most. 7 storage buffers. Workgroup x + 32768 y; rows of x from z × COLS on.
#include "common_matvec.wgsl"

override VALUES: u32 = (SETS + NORM) * COLS;
var<workgroup> parts: array<f32, VALUES * THREADS>; // [value, thread]: sums, then squares

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) tid: u32) {
    let z = group.z * COLS;
    let begin = (group.x + group.y * 32768u) * (THREADS / LANES) * ROWS;
    if (begin >= params.n_rows) {
        return;
    }
    let lane = tid % LANES;
    let first = begin + tid / LANES * ROWS;
    var sums: array<f32, MOST_SUMS>;
    dot_rows(first, lane, z, &sums);
    for (var i = 0u; i < VALUES; i++) {
        if (i < SETS * COLS) {
            parts[i * THREADS + tid] = sums[i];
        } else {
            parts[i * THREADS + tid] = squares[i - SETS * COLS];
        }
    }
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (lane < half) {
            for (var i = 0u; i < VALUES; i++) {
                parts[i * THREADS + tid] += parts[i * THREADS + tid + half];
            }
        }
    }
    workgroupBarrier();
    let own = tid - lane; // where the sums of these rows are
    for (var i = lane; i < ROWS * COLS; i += LANES) {
        let c = i / ROWS;
        let r = i % ROWS;
        let square = select(0u, (SETS * COLS + c) * THREADS, NORM != 0u);
        let up = select(0u, (ROWS + r) * COLS + c, GLU != 0u);
        finish_row(first + r, z + c, parts[(r * COLS + c) * THREADS + own], parts[up * THREADS + own], parts[square + own]);
    }
}
