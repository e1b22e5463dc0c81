// Bindings, loads and the epilogue that matmul_tiles, matmul_few and matmul_matrix share. See matmul_tiles.wgsl.
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
@group(0) @binding(6) var<storage, read> residual: array<f32>;
@group(0) @binding(8) var<storage, read_write> out: array<f32>;
#include "common_weights.wgsl"
override BIAS: u32 = 0u;
override RESIDUAL: u32 = 0u;
override GLU: u32 = 0u;
override ALIGNED: u32 = 0u; // x_stride, x_column and cols are multiples of 4

// Eight columns of a weight row as they lie in memory: they are loaded one step ahead and decoded only
// when they have arrived.
struct Raw {
    a: vec4<u32>,
    b: vec4<u32>,
    scale: vec3<u32>,
}

fn fetch8(group: u32, eighth: u32) -> Raw {
    var r = Raw(vec4<u32>(0u), vec4<u32>(0u), vec3<u32>(0u));
    switch (WTYPE) {
        case W_F32: {
            r.a = values[group * 8u + eighth * 2u];
            r.b = values[group * 8u + eighth * 2u + 1u];
        }
        case W_F16, W_BF16: {
            r.a = values[group * 4u + eighth];
        }
        case W_Q8: {
            let at = group * 2u + (eighth >> 1u);
            let half = (eighth & 1u) * 2u;
            r.a.x = values[at][half];
            r.a.y = values[at][half + 1u];
        }
        default: {
            r.a.x = values[group][eighth];
        }
    }
    if (WTYPE >= W_Q8) {
        r.scale = scale_words(group * 4u + eighth);
    }
    return r;
}

fn decode8(r: Raw, group: u32, eighth: u32) -> array<vec4<f32>, 2> {
    switch (WTYPE) {
        case W_F32: {
            return array<vec4<f32>, 2>(bitcast<vec4<f32>>(r.a), bitcast<vec4<f32>>(r.b));
        }
        case W_F16: {
            return array<vec4<f32>, 2>(f16x4(r.a.x, r.a.y), f16x4(r.a.z, r.a.w));
        }
        case W_BF16: {
            return array<vec4<f32>, 2>(bf16x4(r.a.x, r.a.y), bf16x4(r.a.z, r.a.w));
        }
        case W_Q8: {
            let unit = Q8_UNIT * factors_of(r.scale, group * 4u + eighth).x;
            return array<vec4<f32>, 2>(q8_raw(r.a.x) * unit, q8_raw(r.a.y) * unit);
        }
        default: {
            return q4_decode(r.a.x, r.scale, group * 4u + eighth);
        }
    }
}

// sum + v · (four weight rows), which are the rows of t.
fn mac(sum: vec4<f32>, v: vec4<f32>, t: mat4x4<f32>) -> vec4<f32> {
    return sum + v.x * t[0] + v.y * t[1] + v.z * t[2] + v.w * t[3];
}

// Epilogue of one result: row m of x, local weight row `row`.
fn store(m: u32, row: u32, sum: f32, sum_up: f32) {
    if (row >= params.n_rows) {
        return;
    }
    let column = params.row_begin + row;
    var v = sum;
    if (BIAS != 0u) {
        v += bias[column];
    }
    if (GLU != 0u) {
        var up = sum_up;
        if (BIAS != 0u) {
            up += bias[column + params.up_row];
        }
        v = act(v) * up;
    }
    v = softcap(v, params.softcap);
    if (RESIDUAL != 0u) {
        v += residual[m * params.residual_stride + params.residual_column + column];
    }
    out[m * params.out_stride + column] = v;
}

// Where tiles' row `line` lies in W; GLU: rows from `pairs` on are the partners.
fn weight_row(n0: u32, line: u32, pairs: u32) -> u32 {
    if (GLU != 0u) {
        let up = select(0u, 1u, line >= pairs);
        return min(n0 + line - up * pairs, params.n_rows - 1u) + up * params.up_row;
    }
    return min(n0 + line, params.n_rows - 1u);
}

// Elements of x before rows m, m + 16, m + 32 and m + 48, or the last.
fn x_rows(m: u32, rows: u32) -> vec4<u32> {
    let r = min(vec4<u32>(m) + vec4<u32>(0u, 16u, 32u, 48u), vec4<u32>(rows - 1u));
    return (r + row_source(params.tail, 0u)) * params.x_stride + params.x_column;
}

// Four columns of x from element `at` on, `left` of which are in the row.
fn x4(at: u32, left: i32) -> vec4<f32> {
    var v = vec4<f32>(0.0);
    if (ALIGNED != 0u) {
        if (left > 0) {
            v = x[at >> 2u];
        }
        return v;
    }
    for (var i = 0u; i < 4u; i++) {
        if (left > i32(i)) {
            v[i] = x[(at + i) >> 2u][(at + i) & 3u];
        }
    }
    return v;
}

fn x4_rows(at: vec4<u32>, left: i32) -> array<vec4<f32>, 4> {
    return array<vec4<f32>, 4>(x4(at.x, left), x4(at.y, left), x4(at.z, left), x4(at.w, left));
}
