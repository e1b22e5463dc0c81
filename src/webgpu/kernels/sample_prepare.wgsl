// Logits of the last row → z, what softmax is taken of (program/sample.h):
//   l ← l > 0 ? l / repetition : l × repetition, where the id was seen;  l ← l − frequency × c − presence × [c > 0];
//   l ← l + bias;  z = l / temperature;  ids that the mask forbids come below all others.
//
//   params  VOCAB       step  STEP       sampling  SAMPLING
//   logits  f32 [R, vocab], row R - 1    seen  u32 [vocab]: bit 31 in the prefix, bits 0..30 the count c
//   bias    f32 [vocab]                  mask  u32 [ceil(vocab / 32)]: bit set = allowed
//   z       f32 [vocab]
// A thread per id. 5 storage buffers.
#include "common_vocab.wgsl"
@group(0) @binding(0) var<uniform> params: Vocab;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<uniform> sampling: Sampling;
@group(0) @binding(3) var<storage, read> logits: array<u32>;
@group(0) @binding(4) var<storage, read> seen: array<u32>;
@group(0) @binding(5) var<storage, read> bias: array<f32>;
@group(0) @binding(6) var<storage, read> mask: array<u32>;
@group(0) @binding(7) var<storage, read_write> z: array<f32>;

const LOWEST_ALLOWED = -3.3e38;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) tid: u32) {
    let id = (group.x + group.y * 32768u) * 256u + tid;
    if (id >= params.vocab) {
        return;
    }
    let bits = logits[(step.n_rows - 1u) * params.vocab + id];
    var l = LOWEST;
    if ((bits & 0x7fffffffu) <= 0x7f800000u) {
        l = clamp(bitcast<f32>(bits), LOWEST, -LOWEST);
    }
    if (sampling.has_seen != 0u) {
        let s = seen[id];
        if (s != 0u) {
            l = select(l * sampling.repetition, l / sampling.repetition, l > 0.0);
        }
        let count = s & 0x7fffffffu;
        if (count > 0u) {
            l = l - sampling.frequency * f32(count) - sampling.presence;
        }
    }
    if (sampling.has_bias != 0u) {
        l += bias[id];
    }
    l = clamp(clamp(l, LOWEST, -LOWEST) / sampling.temperature, LOWEST_ALLOWED, -LOWEST);
    if (sampling.has_mask != 0u && ((mask[id / 32u] >> (id % 32u)) & 1u) == 0u) {
        l = LOWEST;
    }
    z[id] = l;
}
