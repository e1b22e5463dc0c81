// Layer norm (Ba et al. 2016): out[r, c] = (x[r', c] − mean_c x) × rsqrt(var_c x + eps) × w[c] (+ b[c]) (+ residual[r, c]).
//
//   params  RMSNORM    step  STEP
//   x       f32, rows of x_stride from x_column on; r' = T - R + r with `tail`
//   w, b    f32 [cols], or of all groups
//   residual, out  f32 [rows, cols], rows = (T or R) × rows_mul × groups
// A row of x may be several groups (heads) that are normed apart.
// One workgroup of 256 threads per row and group; 1 KiB of workgroup memory. 5 storage buffers.
#include "common_step.wgsl"
#params RMSNORM
@group(0) @binding(0) var<uniform> params: Rmsnorm;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> w: array<f32>;
@group(0) @binding(4) var<storage, read> b: array<f32>;
@group(0) @binding(5) var<storage, read> residual: array<f32>;
@group(0) @binding(6) var<storage, read_write> out: array<f32>;
override BIAS: u32 = 0u;
override RESIDUAL: u32 = 0u;

const THREADS = 256u;
var<workgroup> sums: array<f32, THREADS>;

fn total(tid: u32, value: f32) -> f32 {
    workgroupBarrier(); // the previous total has been read
    sums[tid] = value;
    workgroupBarrier();
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        if (tid < half) {
            sums[tid] += sums[tid + half];
        }
        workgroupBarrier();
    }
    return sums[0];
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) tid: u32) {
    let row = group.x + group.y * 32768u;
    if (row >= row_count(params.rows_sym) * params.rows_mul * params.groups) {
        return;
    }
    let part = row % params.groups;
    let start = row_source(params.tail, row / params.groups) * params.x_stride + params.x_column + part * params.cols;
    var sum = 0.0;
    for (var c = tid; c < params.cols; c += THREADS) {
        sum += x[start + c];
    }
    let mean = total(tid, sum) / f32(params.cols);
    var squares = 0.0;
    for (var c = tid; c < params.cols; c += THREADS) {
        let v = x[start + c] - mean;
        squares += v * v;
    }
    let scale = inverseSqrt(total(tid, squares) / f32(params.cols) + params.eps);
    for (var c = tid; c < params.cols; c += THREADS) {
        var v = (x[start + c] - mean) * scale * w[part * params.w_advance + c];
        if (BIAS != 0u) {
            v += b[part * params.b_advance + c];
        }
        if (RESIDUAL != 0u) {
            v += residual[row * params.cols + c];
        }
        out[row * params.cols + c] = v;
    }
}
