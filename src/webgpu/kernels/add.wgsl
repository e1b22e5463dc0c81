// out[r, c] = a[r, c] + b[r, c] × scale (× sigmoid(gate[r]) with GATE).
//
//   params  ADD        step  STEP
//   a, b    f32, rows of a_stride, b_stride from a_column, b_column on
//   gate    f32 [rows]
//   out     f32 [rows, cols]
// A thread per element, workgroup (x, row).
#include "common_step.wgsl"
#params ADD
@group(0) @binding(0) var<uniform> params: Add;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> a: array<f32>;
@group(0) @binding(3) var<storage, read> b: array<f32>;
@group(0) @binding(4) var<storage, read> gate: array<f32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;
override GATE: u32 = 0u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= params.cols || id.y >= row_count(params.rows_sym)) {
        return;
    }
    var scale = params.scale;
    if (GATE != 0u) {
        scale /= 1.0 + exp(clamp(-gate[id.y], -80.0, 80.0)); // exp stays finite
    }
    out[id.y * params.cols + id.x] = a[id.y * params.a_stride + params.a_column + id.x]
        + b[id.y * params.b_stride + params.b_column + id.x] * scale;
}
