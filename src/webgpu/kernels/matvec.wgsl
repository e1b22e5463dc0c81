// Matrix times vector: out[z, n] = Σ_k x[z', k] W[n, k] (+ bias[n]) (+ residual[z, n]), for few rows z.
// NORM: x is x × rsqrt(mean x² + eps) × norm first. GLU: act(row n) × row n + up_row.
//
//   params  MATMUL     step  STEP
//   x       f32 rows of x_stride from x_column on, read as vec4 (z' = T - R + z with `tail`)
//   values, scales  canonical weight rows of the slab
//   bias    f32, per row of the whole matrix        residual  f32
//   norm    f32 [cols]                              out       f32 rows of out_stride
// 64 threads; LANES of them share ROWS rows, each taking every LANES-th unit of eight columns. Because the
// lanes of a row together see all of x, they also sum x² for the norm. Sums meet in workgroup memory
// (2.25 KiB) as a tree. 7 storage buffers. Workgroup x + 32768 y; row of x: z.
#include "common_matvec.wgsl"

var<workgroup> parts: array<f32, 9u * THREADS>; // [value, thread]: 4 rows, 4 up rows, squares

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) tid: u32) {
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
    for (var r = 0u; r < ROWS; r++) {
        parts[r * THREADS + tid] = sums[0][r];
        if (GLU != 0u) {
            parts[(4u + r) * THREADS + tid] = sums[1][r];
        }
    }
    if (NORM != 0u) {
        parts[8u * THREADS + tid] = squares;
    }
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (lane < half) {
            for (var r = 0u; r < ROWS; r++) {
                parts[r * THREADS + tid] += parts[r * THREADS + tid + half];
                if (GLU != 0u) {
                    parts[(4u + r) * THREADS + tid] += parts[(4u + r) * THREADS + tid + half];
                }
            }
            if (NORM != 0u) {
                parts[8u * THREADS + tid] += parts[8u * THREADS + tid + half];
            }
        }
    }
    if (lane != 0u) {
        return;
    }
    for (var r = 0u; r < ROWS && first + r < params.n_rows; r++) {
        finish_row(first + r, z, parts[r * THREADS + tid], parts[(4u + r) * THREADS + tid], parts[8u * THREADS + tid]);
    }
}
