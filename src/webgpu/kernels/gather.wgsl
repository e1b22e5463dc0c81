// out[t, c] = x[t, order[c]], 0 where order[c] >= x_cols.
//
//   params  GATHER     step  STEP
//   x       f32, rows of x_stride from x_column on, x_cols columns used
//   order   f32 [cols], whole numbers
//   out     f32 [rows, cols]
// A thread per element, workgroup (x, row).
#include "common_step.wgsl"
#params GATHER
@group(0) @binding(0) var<uniform> params: Gather;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> order: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= params.cols || id.y >= row_count(params.rows_sym)) {
        return;
    }
    let column = u32(order[id.x]);
    var value = 0.0;
    if (column < params.x_cols) {
        value = x[id.y * params.x_stride + params.x_column + column];
    }
    out[id.y * params.cols + id.x] = value;
}
