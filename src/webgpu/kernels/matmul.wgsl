// Matrix product: out[m, n] = Σ_k x[m', k] W[n, k] (+ bias[n]) (+ residual[m, n]), for many rows m.
// GLU: act(row n) × row n + up_row.
//
//   params  MATMUL     step  STEP (rows M = T or R by rows_sym)
//   x, values, scales, bias, residual, out: as matvec; binding 7 is not used
// A workgroup of 256 threads makes a tile of 64 rows of x by 64 weight rows (GLU: 32 pairs), each thread
// 4 × 4 of it, in steps of 32 columns: both operands' tiles are decoded into workgroup memory (16 KiB, all
// that the specification grants), k-major, so that a thread's four values are one vec4. With GLU, tile
// columns 4j, 4j+1 are rows n, n+1 and 4j+2, 4j+3 their partners. 6 storage buffers. Workgroup (n, m).
#include "common_step.wgsl"
#include "common_act.wgsl"
#include "common_softcap.wgsl"
#params MATMUL
@group(0) @binding(0) var<uniform> params: Matmul;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> values: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read> scales: array<u32>;
@group(0) @binding(5) var<storage, read> bias: array<f32>;
@group(0) @binding(6) var<storage, read> residual: array<f32>;
@group(0) @binding(8) var<storage, read_write> out: array<f32>;
#include "common_weights.wgsl"
override BIAS: u32 = 0u;
override RESIDUAL: u32 = 0u;
override GLU: u32 = 0u;

const TILE = 64u;
const DEPTH = 32u;
var<workgroup> xs: array<vec4<f32>, DEPTH * TILE / 4u>; // [k, m / 4], components m % 4
var<workgroup> ws: array<vec4<f32>, DEPTH * TILE / 4u>; // [k, n / 4]

// Local weight row of a tile column.
fn weight_row(n0: u32, column: u32) -> u32 {
    if (GLU == 0u) {
        return n0 + column;
    }
    let j = column & 3u;
    return n0 + (column >> 2u) * 2u + (j & 1u) + (j >> 1u) * params.up_row;
}

// What a thread brings to a step: two depths of four rows of x and of four weight rows.
struct Share {
    x0: vec4<f32>,
    x1: vec4<f32>,
    w0: vec4<f32>,
    w1: vec4<f32>,
}

fn load_step(g: u32, pair: u32, w_rows: vec4<u32>, x_rows: vec4<u32>) -> Share {
    let a = weights2(w_rows.x + g, pair);
    let b = weights2(w_rows.y + g, pair);
    let c = weights2(w_rows.z + g, pair);
    let d = weights2(w_rows.w + g, pair);
    var s = Share(vec4<f32>(0.0), vec4<f32>(0.0), vec4<f32>(a.x, b.x, c.x, d.x), vec4<f32>(a.y, b.y, c.y, d.y));
    let at = x_rows + g * 32u + pair * 2u;
    let left = i32(params.cols) - i32(g * 32u + pair * 2u);
    if (left > 0) {
        s.x0 = vec4<f32>(x[at.x], x[at.y], x[at.z], x[at.w]);
    }
    if (left > 1) {
        s.x1 = vec4<f32>(x[at.x + 1u], x[at.y + 1u], x[at.z + 1u], x[at.w + 1u]);
    }
    return s;
}

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

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) tid: u32) {
    let rows = row_count(step, params.rows_sym);
    let groups = (params.cols + 31u) / 32u;
    let n0 = group.x * select(TILE, TILE / 2u, GLU != 0u);
    let m0 = group.y * TILE;
    // Loading: thread = (four tile rows and columns, two of the 32 depths); whole vec4s are written, since
    // a store to one component may touch its neighbours.
    let quad = tid / 16u;
    let pair = tid % 16u;
    let limit = select(params.n_rows, params.n_rows + params.up_row, GLU != 0u) - 1u;
    let w_rows = vec4<u32>(
        min(weight_row(n0, quad * 4u), limit), min(weight_row(n0, quad * 4u + 1u), limit),
        min(weight_row(n0, quad * 4u + 2u), limit), min(weight_row(n0, quad * 4u + 3u), limit)) * groups;
    let lines = min(vec4<u32>(m0 + quad * 4u) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(rows - 1u));
    let x_rows = (lines + row_source(step, params.tail, 0u)) * params.x_stride + params.x_column;
    // Computing: thread = (four rows, four columns).
    let ty = tid / 16u;
    let tx = tid % 16u;
    var a0 = vec4<f32>(0.0);
    var a1 = vec4<f32>(0.0);
    var a2 = vec4<f32>(0.0);
    var a3 = vec4<f32>(0.0);
    var next = load_step(0u, pair, w_rows, x_rows);
    for (var g = 0u; g < groups; g++) {
        workgroupBarrier(); // the previous step's tiles have been used
        xs[pair * 32u + quad] = next.x0;
        xs[pair * 32u + 16u + quad] = next.x1;
        ws[pair * 32u + quad] = next.w0;
        ws[pair * 32u + 16u + quad] = next.w1;
        workgroupBarrier();
        next = load_step(min(g + 1u, groups - 1u), pair, w_rows, x_rows); // on its way while this step computes
        for (var k = 0u; k < DEPTH; k++) {
            let xv = xs[k * 16u + ty];
            let wv = ws[k * 16u + tx];
            a0 += xv.x * wv;
            a1 += xv.y * wv;
            a2 += xv.z * wv;
            a3 += xv.w * wv;
        }
    }
    var sums = array<vec4<f32>, 4>(a0, a1, a2, a3);
    for (var i = 0u; i < 4u; i++) {
        let row = m0 + ty * 4u + i;
        if (row >= rows) {
            break;
        }
        let s = sums[i];
        if (GLU != 0u) {
            store(row, n0 + tx * 2u, s.x, s.z);
            store(row, n0 + tx * 2u + 1u, s.y, s.w);
        } else {
            store(row, n0 + tx * 4u, s.x, 0.0);
            store(row, n0 + tx * 4u + 1u, s.y, 0.0);
            store(row, n0 + tx * 4u + 2u, s.z, 0.0);
            store(row, n0 + tx * 4u + 3u, s.w, 0.0);
        }
    }
}
