// The token: the best of the partial results. It goes where the next step's embedding reads it, into the
// results, and into the counts; the step moves on.
//
//   params   VOCAB
//   partial  u32 [R, chunks, 2]: key, id (argmax_partial)
//   step     STEP: pos += n_tokens (at most max_pos - 1), n_tokens = n_rows = 1, first_id = slot; stays, for a batch
//   ids      u32: of the slot = token
//   results  u32 [R] = token
//   seen     u32 [slots, stride]: count of the token + 1 (nothing where the buffer is shorter)
// A workgroup of 256 threads per row; 2 KiB of workgroup memory.
#include "common_vocab.wgsl"
@group(0) @binding(0) var<uniform> params: Vocab;
@group(0) @binding(1) var<storage, read> partial: array<u32>;
@group(0) @binding(2) var<storage, read_write> step: Step;
@group(0) @binding(3) var<storage, read_write> ids: array<u32>;
@group(0) @binding(4) var<storage, read_write> results: array<u32>;
@group(0) @binding(5) var<storage, read_write> seen: array<u32>;

const THREADS = 256u;
var<workgroup> keys: array<u32, THREADS>;
var<workgroup> tokens: array<u32, THREADS>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) tid: u32) {
    let start = group.x * params.chunks;
    var best = 0u;
    var token = params.vocab;
    for (var c = tid; c < params.chunks; c += THREADS) {
        let key = partial[(start + c) * 2u];
        let id = partial[(start + c) * 2u + 1u];
        if (key > best || (key == best && id < token)) {
            best = key;
            token = id;
        }
    }
    keys[tid] = best;
    tokens[tid] = token;
    workgroupBarrier();
    if (tid < 16u) { // two levels: a barrier costs more than a dozen comparisons
        for (var i = tid + 16u; i < THREADS; i += 16u) {
            if (keys[i] > best || (keys[i] == best && tokens[i] < token)) {
                best = keys[i];
                token = tokens[i];
            }
        }
        keys[tid] = best;
        tokens[tid] = token;
    }
    workgroupBarrier();
    if (tid != 0u) {
        return;
    }
    for (var i = 1u; i < 16u; i++) {
        if (keys[i] > best || (keys[i] == best && tokens[i] < token)) {
            best = keys[i];
            token = tokens[i];
        }
    }
    let slot = step_row(group.x).y;
    ids[slot] = token;
    results[group.x] = token;
    let count = slot * params.stride + token;
    if (count < arrayLength(&seen)) {
        seen[count] += 1u;
    }
    if (step.batch != 0u) {
        return;
    }
    step.pos = min(step.pos + step.n_tokens, params.max_pos - 1u);
    step.n_tokens = 1u;
    step.n_rows = 1u;
    step.first_id = step.slot;
}
