// out[r, c] = x[T - R + r, c]; where the step pools, out[0, c] = Σ_t x[t, c] / T or x[0, c].
//
//   params  LAST_ROWS  step  STEP
//   x       f32, rows of x_stride from x_column on
//   out     f32 [R, cols]
// A thread per element, workgroup (x, row).
#include "common_step.wgsl"
#params LAST_ROWS
@group(0) @binding(0) var<uniform> params: LastRows;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= params.cols || id.y >= step.n_rows) {
        return;
    }
    let at = params.x_column + id.x;
    var value = x[select(row_source(1u, id.y), 0u, step.pooling > 1u) * params.x_stride + at];
    if (step.pooling == 2u) {
        for (var t = 1u; t < step.n_tokens; t++) {
            value += x[t * params.x_stride + at];
        }
        value /= f32(step.n_tokens);
    }
    out[id.y * params.cols + id.x] = value;
}
