// Logits → z, what softmax is taken of (program/sample.h):
//   l ← l > 0 ? l / repetition : l × repetition, where the id was seen;  l ← l − frequency × c − presence × [c > 0];
//   l ← l + bias;  z = l / temperature;  ids that the mask forbids come below all others.
//
//   params  VOCAB       step  STEP       sampling  SAMPLING by slot
//   logits  f32 [R, stride]              seen  u32 [slots, stride]: bit 31 in the prefix, bits 0..30 the count c
//   bias    f32 [slots, stride]          mask  u32 [slots, ceil(stride / 32)]: bit set = allowed
//   z       f32 [R, stride]
// A thread per id, z: row. 6 storage buffers.
#include "common_vocab.wgsl"
@group(0) @binding(0) var<uniform> params: Vocab;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> sampling: array<Sampling>;
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
    let slot = step_row(group.z).y;
    let s = sampling[slot];
    let at = slot * params.stride + id;
    let bits = logits[group.z * params.stride + id];
    var l = LOWEST;
    if ((bits & 0x7fffffffu) <= 0x7f800000u) {
        l = clamp(bitcast<f32>(bits), LOWEST, -LOWEST);
    }
    if (s.has_seen != 0u) {
        let n = seen[at];
        if (n != 0u) {
            l = select(l * s.repetition, l / s.repetition, l > 0.0);
        }
        let count = n & 0x7fffffffu;
        if (count > 0u) {
            l = l - s.frequency * f32(count) - s.presence;
        }
    }
    if (s.has_bias != 0u) {
        l += bias[at];
    }
    l = clamp(clamp(l, LOWEST, -LOWEST) / s.temperature, LOWEST_ALLOWED, -LOWEST);
    if (s.has_mask != 0u && ((mask[slot * ((params.stride + 31u) / 32u) + id / 32u] >> (id % 32u)) & 1u) == 0u) {
        l = LOWEST;
    }
    z[group.z * params.stride + id] = l;
}
