// Bindings and the inner product that matvec and its variants share. See matvec.wgsl.
#include "common_step.wgsl"
#include "common_act.wgsl"
#params MATMUL
@group(0) @binding(0) var<uniform> params: Matmul;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> values: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read> scales: array<u32>;
@group(0) @binding(5) var<storage, read> bias: array<f32>;
@group(0) @binding(6) var<storage, read> residual: array<f32>;
@group(0) @binding(7) var<storage, read> norm: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read_write> out: array<f32>;
#include "common_weights.wgsl"
override BIAS: u32 = 0u;
override RESIDUAL: u32 = 0u;
override NORM: u32 = 0u;
override GLU: u32 = 0u;
override LANES: u32 = 16u; // threads that share a row: a power of two, 1..64
override ROWS: u32 = 1u;   // rows that a thread works on at once, 1..4

const THREADS = 64u;

// 32 columns of x, times the powers of two that the weights' raw integers leave out.
var<private> xg: array<vec4<f32>, 8>;
var<private> squares: f32; // Σ x² over the columns that this thread has seen

fn load_x(start: u32, group: u32) {
    var unit = vec4<f32>(1.0);
    if (WTYPE == W_Q4) {
        unit = Q4_UNIT;
    } else if (WTYPE == W_Q8) {
        unit = Q8_UNIT;
    }
    let end = params.cols / 4u;
    for (var i = 0u; i < 8u; i++) {
        let c = group * 8u + i;
        var v = vec4<f32>(0.0);
        if (c < end) {
            v = x[start + c];
            if (NORM != 0u) {
                squares += dot(v, v);
                v *= norm[c];
            }
        }
        xg[i] = v * unit;
    }
}

// Σ over the group's 32 columns of W[row, c] x[c].
fn dot_group(row: u32, groups: u32, group: u32) -> f32 {
    let at = row * groups + group;
    var sum = vec4<f32>(0.0);
    switch (WTYPE) {
        case W_F32: {
            for (var i = 0u; i < 8u; i++) {
                sum += bitcast<vec4<f32>>(values[at * 8u + i]) * xg[i];
            }
        }
        case W_F16: {
            for (var i = 0u; i < 4u; i++) {
                let v = values[at * 4u + i];
                sum += f16x4(v.x, v.y) * xg[2u * i] + f16x4(v.z, v.w) * xg[2u * i + 1u];
            }
        }
        case W_BF16: {
            for (var i = 0u; i < 4u; i++) {
                let v = values[at * 4u + i];
                sum += bf16x4(v.x, v.y) * xg[2u * i] + bf16x4(v.z, v.w) * xg[2u * i + 1u];
            }
        }
        case W_Q8: {
            let a = values[at * 2u];
            let b = values[at * 2u + 1u];
            sum = q8_raw(a.x) * xg[0] + q8_raw(a.y) * xg[1] + q8_raw(a.z) * xg[2] + q8_raw(a.w) * xg[3];
            sum += q8_raw(b.x) * xg[4] + q8_raw(b.y) * xg[5] + q8_raw(b.z) * xg[6] + q8_raw(b.w) * xg[7];
            return dot(sum, vec4<f32>(1.0)) * scale_at(at);
        }
        default: {
            let v = values[at];
            sum = q4_raw(v.x) * xg[0] + q4_raw(v.x >> 16u) * xg[1] + q4_raw(v.y) * xg[2] + q4_raw(v.y >> 16u) * xg[3];
            sum += q4_raw(v.z) * xg[4] + q4_raw(v.z >> 16u) * xg[5] + q4_raw(v.w) * xg[6] + q4_raw(v.w >> 16u) * xg[7];
            return dot(sum, vec4<f32>(1.0)) * scale_at(at);
        }
    }
    return dot(sum, vec4<f32>(1.0));
}

// This lane's share of ROWS rows from `first` on (clamped: surplus rows repeat the last one).
fn dot_rows(first: u32, lane: u32, start: u32, sums: ptr<function, array<vec4<f32>, 2>>) {
    let groups = (params.cols + 31u) / 32u;
    let last = params.n_rows - 1u;
    let r0 = min(first, last);
    let r1 = min(first + 1u, last);
    let r2 = min(first + 2u, last);
    let r3 = min(first + 3u, last);
    var a = vec4<f32>(0.0);
    var b = vec4<f32>(0.0);
    for (var group = lane; group < groups; group += LANES) {
        load_x(start, group);
        a.x += dot_group(r0, groups, group);
        if (ROWS > 1u) {
            a.y += dot_group(r1, groups, group);
        }
        if (ROWS > 2u) {
            a.z += dot_group(r2, groups, group);
            a.w += dot_group(r3, groups, group);
        }
        if (GLU != 0u) {
            b.x += dot_group(r0 + params.up_row, groups, group);
            if (ROWS > 1u) {
                b.y += dot_group(r1 + params.up_row, groups, group);
            }
            if (ROWS > 2u) {
                b.z += dot_group(r2 + params.up_row, groups, group);
                b.w += dot_group(r3 + params.up_row, groups, group);
            }
        }
    }
    (*sums)[0] = a;
    (*sums)[1] = b;
}

// Epilogue of one result: the whole row's sums → out.
fn finish_row(row: u32, z: u32, sum: f32, sum_up: f32, sum_squares: f32) {
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
    if (RESIDUAL != 0u) {
        v += residual[z * params.residual_stride + params.residual_column + column];
    }
    out[z * params.out_stride + column] = v;
}
