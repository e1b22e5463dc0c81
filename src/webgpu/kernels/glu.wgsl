// Gated linear unit: out[t, f] = act(x[t, f]) × up[t, f].
//
//   params  GLU        step  STEP
//   x       f32, rows of x_stride from x_column on, F columns used (F = cols)
//   up      f32, rows of up_stride from up_column on
//   out     f32 [rows, F]
// A thread per element, workgroup (x, row).
#include "common_step.wgsl"
#include "common_act.wgsl"
#params GLU
@group(0) @binding(0) var<uniform> params: Glu;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> up: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= params.cols || id.y >= row_count(params.rows_sym)) {
        return;
    }
    let gate = act(x[id.y * params.x_stride + params.x_column + id.x]);
    out[id.y * params.cols + id.x] = gate * up[id.y * params.up_stride + params.up_column + id.x];
}
