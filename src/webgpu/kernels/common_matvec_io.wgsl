// Bindings, constants and the epilogue that all matvecs share. See matvec.wgsl.
#include "common_step.wgsl"
#include "common_act.wgsl"
#include "common_softcap.wgsl"
#params MATMUL
@group(0) @binding(0) var<uniform> params: Matmul;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> values: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read> scales: array<u32>;
@group(0) @binding(5) var<storage, read> bias: array<f32>;
@group(0) @binding(6) var<storage, read> residual: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read> norm: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read_write> out: array<u32>; // bits of floats
#include "common_weights.wgsl"
override BIAS: u32 = 0u;
override RESIDUAL: u32 = 0u;
override NORM: u32 = 0u;
override GLU: u32 = 0u;
override LANES: u32 = 32u; // threads that share a row: a power of two, 1..64
override ROWS: u32 = 1u;   // rows of weights that a thread works on at once: 1, 2, 4
override COLS: u32 = 1u;   // rows of x that they are multiplied with: 1, 2, 4, 8. The order of each sum is that of 1
override SETS: u32 = ROWS * select(1u, 2u, GLU != 0u); // rows and their partners
const MOST_COLS = 8u;
const MOST_SUMS = 16u; // SETS × COLS at most

// Where row z of x begins, in vec4s; rows past the last repeat it.
fn x_start(z: u32) -> u32 {
    let row = min(z, row_count(params.rows_sym) - 1u);
    return (row_source(params.tail & 1u, row) * params.x_stride + params.x_column) / 4u;
}

fn is_result(row: u32, z: u32) -> bool {
    return row < params.n_rows && z < row_count(params.rows_sym);
}

// One result out of the whole row's sums.
fn result(row: u32, z: u32, sum: f32, sum_up: f32, sum_squares: f32) -> f32 {
    let column = params.row_begin + row;
    var v = sum;
    var up = sum_up;
    if (NORM != 0u) {
        let scale = inverseSqrt(sum_squares / f32(params.cols) + params.eps);
        v *= scale;
        up *= scale;
    }
    if (BIAS != 0u) {
        v += bias[column];
        if (GLU != 0u) {
            up += bias[column + params.up_row];
        }
    }
    if (GLU != 0u) {
        v = act(v) * up;
    }
    v = softcap(v, params.softcap);
    if (RESIDUAL != 0u) {
        let at = z * params.residual_stride + params.residual_column + column;
        v += residual[at / 4u][at % 4u];
    }
    return v;
}

// Epilogue of one result, if there is such a row of x: → out.
fn finish_row(row: u32, z: u32, sum: f32, sum_up: f32, sum_squares: f32) {
    if (is_result(row, z)) {
        out[z * params.out_stride + params.row_begin + row] = bitcast<u32>(result(row, z, sum, sum_up, sum_squares));
    }
}
