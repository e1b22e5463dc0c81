// Matrix times vector: out[z, n] = Σ_k x[z', k] W[n, k] (+ bias[n]) (+ residual[z, n]), for few rows z.
// NORM: x is x × rsqrt(mean x² + eps) × norm first. GLU: act(row n) × row n + up_row.
//
//   params  MATMUL     step  STEP
//   x       f32 rows of x_stride from x_column on, read as vec4 (z' = T - R + z with `tail`)
//   values, scales  canonical weight rows of the slab
//   bias    f32, per row of the whole matrix        residual  f32
//   norm    f32 [cols]                              out       f32 rows of out_stride
// 64 threads; LANES of them share ROWS rows, each taking every LANES-th group of 32 columns (16 bytes
// of Q4). Because the lanes of a row together see all of x, they also sum x² for the norm. Sums meet in
// workgroup memory (2.25 KiB), one barrier. 7 storage buffers. Workgroup x + 32768 y; row of x: z.
#include "common_matvec.wgsl"

const WIDTH = THREADS;
var<workgroup> parts: array<f32, 9u * WIDTH>; // [value, thread]: 4 rows, 4 up rows, squares

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) tid: u32) {
    let z = group.z;
    let start = (row_source(step, params.tail, z) * params.x_stride + params.x_column) / 4u;
    let sets = THREADS / LANES; // of ROWS rows each
    let begin = (group.x + group.y * 32768u) * sets * ROWS;
    if (begin >= params.n_rows) {
        return;
    }
    var sums = array<vec4<f32>, 2>();
    dot_rows(begin + tid / LANES * ROWS, tid % LANES, start, &sums);
    for (var r = 0u; r < ROWS; r++) {
        parts[r * WIDTH + tid] = sums[0][r];
        if (GLU != 0u) {
            parts[(4u + r) * WIDTH + tid] = sums[1][r];
        }
    }
    if (NORM != 0u) {
        parts[8u * WIDTH + tid] = squares;
    }
    workgroupBarrier();
    for (var i = tid; i < sets * ROWS && begin + i < params.n_rows; i += THREADS) {
        let at = i / ROWS * LANES;
        let r = i % ROWS;
        var v = 0.0;
        var up = 0.0;
        var square = 0.0;
        for (var lane = at; lane < at + LANES; lane++) {
            v += parts[r * WIDTH + lane];
            if (GLU != 0u) {
                up += parts[(4u + r) * WIDTH + lane];
            }
            if (NORM != 0u) {
                square += parts[8u * WIDTH + lane];
            }
        }
        finish_row(begin + i, z, v, up, square);
    }
}
