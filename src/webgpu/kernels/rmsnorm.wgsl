// Root-mean-square norm (Zhang & Sennrich 2019): out[r, c] = x[r', c] × rsqrt(mean_c x² + eps) × w[c] (+ residual[r, c])
//
//   params  RMSNORM    step  STEP
//   x       f32, rows of x_stride from x_column on; r' = T - R + r with 1 in `tail`; likewise of the residual with 2
//   w       f32 [cols], or of all groups
//   residual, out  f32 [rows, cols], rows = (T or R) × rows_mul × groups
// A row of x may be several groups (heads) that are normed apart.
// One workgroup of 256 threads per row and group; 1 KiB of workgroup memory.
#include "common_step.wgsl"
#params RMSNORM
@group(0) @binding(0) var<uniform> params: Rmsnorm;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> w: array<f32>;
@group(0) @binding(4) var<storage, read> residual: array<f32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;
override RESIDUAL: u32 = 0u;

const THREADS = 256u;
const KEPT = 9u;
var<workgroup> sums: array<f32, THREADS>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) tid: u32) {
    let row = group.x + group.y * 32768u;
    if (row >= row_count(params.rows_sym) * params.rows_mul * params.groups) {
        return;
    }
    let part = row % params.groups;
    let start = row_source(params.tail & 1u, row / params.groups) * params.x_stride + params.x_column + part * params.cols;
    let before_start = row_source(params.tail & 2u, row) * params.cols;
    // All that is read of the first KEPT × 256 columns is on its way before anything waits.
    var kept: array<f32, KEPT>;
    var weights: array<f32, KEPT>;
    var before: array<f32, KEPT>;
    for (var i = 0u; i < KEPT; i++) {
        let c = tid + i * THREADS;
        if (c < params.cols) {
            kept[i] = x[start + c];
            weights[i] = w[part * params.w_advance + c];
            if (RESIDUAL != 0u) {
                before[i] = residual[before_start + c];
            }
        }
    }
    var sum = 0.0;
    for (var i = 0u; i < KEPT; i++) {
        sum += kept[i] * kept[i];
    }
    for (var c = tid + KEPT * THREADS; c < params.cols; c += THREADS) {
        let v = x[start + c];
        sum += v * v;
    }
    sums[tid] = sum;
    workgroupBarrier();
    if (tid < 16u) { // two levels: a barrier costs more than a dozen sums
        sum = 0.0;
        for (var i = 0u; i < 16u; i++) {
            sum += sums[i * 16u + tid];
        }
        sums[tid] = sum;
    }
    workgroupBarrier();
    sum = 0.0;
    for (var i = 0u; i < 16u; i++) {
        sum += sums[i];
    }
    let scale = inverseSqrt(sum / f32(params.cols) + params.eps);
    for (var i = 0u; i < KEPT; i++) {
        let c = tid + i * THREADS;
        if (c < params.cols) {
            out[row * params.cols + c] = kept[i] * scale * weights[i] + before[i];
        }
    }
    for (var c = tid + KEPT * THREADS; c < params.cols; c += THREADS) {
        var v = x[start + c] * scale * w[part * params.w_advance + c];
        if (RESIDUAL != 0u) {
            v += residual[before_start + c];
        }
        out[row * params.cols + c] = v;
    }
}
