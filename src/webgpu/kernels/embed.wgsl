// Embedding: out[t, c] = table[id of row t, c] × scale; by 1: table[its position, c] × scale; by 2: table[0, c] × scale.
//
//   params   EMBED            step  STEP
//   ids      u32              values, scales  rows [row_begin, row_begin + n_rows) of the table
//   out      f32 [T, cols]
// A thread decodes one group of 32 columns; workgroup (x, t) does 64 groups of token t. Ids outside the
// slab write nothing: another slab's dispatch does. No workgroup memory, 3 storage reads, 1 write.
#include "common_step.wgsl"
#params EMBED
@group(0) @binding(0) var<uniform> params: Embed;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> ids: array<u32>;
@group(0) @binding(3) var<storage, read> values: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read> scales: array<u32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;
#include "common_weights.wgsl"

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let t = id.y;
    let groups = (params.cols + 31u) / 32u;
    if (t >= step.n_tokens || id.x >= groups) {
        return;
    }
    let token = step_row(t);
    let row = select(ids[token.w], token.x * (2u - params.by), params.by != 0u) - params.row_begin; // wraps below row_begin
    if (row >= params.n_rows) {
        return;
    }
    for (var eighth = 0u; eighth < 4u; eighth++) {
        var w = weights8(row * groups + id.x, eighth);
        for (var i = 0u; i < 8u; i++) {
            let column = id.x * 32u + eighth * 8u + i;
            if (column < params.cols) {
                out[t * params.cols + column] = w[i / 4u][i % 4u] * params.scale;
            }
        }
    }
}
