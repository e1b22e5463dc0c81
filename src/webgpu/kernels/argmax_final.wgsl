// Arg-max, second half: out[r] = the best id of row r's chunks, the lowest on ties.
//
//   params   VOCAB    step  STEP
//   partial  u32 [R, chunks, 2]: key, id (argmax_partial)
//   out      u32 [R]
// A thread per row.
#include "common_vocab.wgsl"
@group(0) @binding(0) var<uniform> params: Vocab;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> partial: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= step.n_rows) {
        return;
    }
    let start = id.x * params.chunks * 2u;
    var best = partial[start];
    var best_id = partial[start + 1u];
    for (var c = 1u; c < params.chunks; c++) {
        let key = partial[start + c * 2u];
        if (key > best) { // ids ascend with the chunks
            best = key;
            best_id = partial[start + c * 2u + 1u];
        }
    }
    out[id.x] = best_id;
}
