// Arg-max, first half: of each chunk of 4096 values of a row the largest and the lowest id that has it.
// GUMBEL: where a slot draws, of z + Gumbel noise instead, over ids whose z is not below the threshold: a draw from
// softmax(z) (program/sample.h).
//
//   params    VOCAB     step  STEP     sampling  SAMPLING by slot, with GUMBEL
//   values    f32 [R, stride]: logits, or z
//   state     u32 [R, 8]: [0] the threshold's key (sample_threshold), where draw is 2
//   partial   u32 [R, chunks, 2]: key (order-preserving integer), id
// 256 threads, 16 values each; 2 KiB of workgroup memory. Grid (chunk, row).
#include "common_vocab.wgsl"
#include "common_noise.wgsl"
@group(0) @binding(0) var<uniform> params: Vocab;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> sampling: array<Sampling>;
@group(0) @binding(3) var<storage, read> values: array<u32>;
@group(0) @binding(4) var<storage, read> state: array<u32>;
@group(0) @binding(5) var<storage, read_write> partial: array<u32>;
override GUMBEL: u32 = 0u;

const THREADS = 256u;
const CHUNK = 4096u;
var<workgroup> keys: array<u32, THREADS>;
var<workgroup> ids: array<u32, THREADS>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) tid: u32) {
    let row = group.y;
    let begin = group.x * CHUNK;
    let end = min(begin + CHUNK, params.vocab);
    var drawn_by = 0u;
    var noise = 0u;
    var position = 0u;
    if (GUMBEL != 0u) {
        let token = step_row(row);
        drawn_by = sampling[token.y].draw;
        noise = sampling[token.y].key;
        position = token.x + select(step.n_tokens, 1u, step.batch != 0u);
    }
    var best = 0u;
    var best_id = min(begin + tid, params.vocab - 1u);
    for (var id = begin + tid; id < end; id += THREADS) {
        var key = key_of(values[row * params.stride + id]);
        if (GUMBEL != 0u && drawn_by != 0u) {
            if (drawn_by == 2u && key < state[row * 8u]) {
                continue;
            }
            if (key != 0u) {
                let drawn = max(value_of(key) + gumbel(noise, position, id), LOWEST);
                key = key_of(bitcast<u32>(drawn));
            }
        }
        if (key > best) {
            best = key;
            best_id = id;
        }
    }
    keys[tid] = best;
    ids[tid] = best_id;
    workgroupBarrier();
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        if (tid < half) {
            let key = keys[tid + half];
            let id = ids[tid + half];
            if (key > keys[tid] || (key == keys[tid] && id < ids[tid])) {
                keys[tid] = key;
                ids[tid] = id;
            }
        }
        workgroupBarrier();
    }
    if (tid == 0u) {
        let at = (row * params.chunks + group.x) * 2u;
        partial[at] = keys[0];
        partial[at + 1u] = ids[0];
    }
}
