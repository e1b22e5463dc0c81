// The token: the best of the partial results. It goes where the next step's embedding reads it, into the
// results, and into the counts; the step moves on.
//
//   params   VOCAB
//   partial  u32 [1, chunks, 2]: key, id (argmax_partial, last_only or z_rows)
//   step     STEP: pos += n_tokens (at most max_pos - 1), n_tokens = n_rows = 1, result += 1
//   ids      u32 [≥ 1]: ids[0] = token
//   results  u32 [ring]: slot result % ring = token
//   seen     u32 [vocab]: count of the token + 1 (nothing where the buffer is shorter)
// One workgroup of 64 threads; 512 bytes of workgroup memory.
#include "common_vocab.wgsl"
@group(0) @binding(0) var<uniform> params: Vocab;
@group(0) @binding(1) var<storage, read> partial: array<u32>;
@group(0) @binding(2) var<storage, read_write> step: Step;
@group(0) @binding(3) var<storage, read_write> ids: array<u32>;
@group(0) @binding(4) var<storage, read_write> results: array<u32>;
@group(0) @binding(5) var<storage, read_write> seen: array<u32>;

const THREADS = 64u;
var<workgroup> keys: array<u32, THREADS>;
var<workgroup> tokens: array<u32, THREADS>;

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) tid: u32) {
    var best = 0u;
    var token = params.vocab;
    for (var c = tid; c < params.chunks; c += THREADS) {
        let key = partial[c * 2u];
        let id = partial[c * 2u + 1u];
        if (key > best || (key == best && id < token)) {
            best = key;
            token = id;
        }
    }
    keys[tid] = best;
    tokens[tid] = token;
    workgroupBarrier();
    if (tid != 0u) {
        return;
    }
    for (var i = 1u; i < THREADS; i++) {
        if (keys[i] > best || (keys[i] == best && tokens[i] < token)) {
            best = keys[i];
            token = tokens[i];
        }
    }
    ids[0] = token;
    results[step.result % params.ring] = token;
    if (token < arrayLength(&seen)) {
        seen[token] += 1u;
    }
    step.pos = min(step.pos + step.n_tokens, params.max_pos - 1u);
    step.n_tokens = 1u;
    step.n_rows = 1u;
    step.result += 1u;
}
