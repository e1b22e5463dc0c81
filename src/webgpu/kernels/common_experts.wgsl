// What the two halves of a mixture of experts share: bindings, and a workgroup's product of a weight row.
#include "common_step.wgsl"
#params EXPERTS
@group(0) @binding(0) var<uniform> params: Experts;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> values: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read> scales: array<u32>;
@group(0) @binding(5) var<storage, read> routes: array<f32>;
@group(0) @binding(6) var<storage, read_write> out: array<f32>;
#include "common_weights.wgsl"

const THREADS = 64u;
var<workgroup> sums: array<vec2<f32>, THREADS>;

// This thread's share of Σ_k W[row, k] x[start + k]: every THREADS-th run of eight columns.
fn share(row: u32, start: u32, tid: u32) -> f32 {
    let groups = (params.cols + 31u) / 32u;
    var sum = 0.0;
    for (var unit = tid; unit < groups * 4u; unit += THREADS) {
        var w = weights8(row * groups + unit / 4u, unit % 4u);
        for (var i = 0u; i < 8u; i++) {
            let c = unit * 8u + i;
            if (c < params.cols) {
                sum += w[i / 4u][i % 4u] * x[start + c];
            }
        }
    }
    return sum;
}

fn total(tid: u32, value: vec2<f32>) -> vec2<f32> {
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
