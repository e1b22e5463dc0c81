// Marks the ids of a prefix for the repetition penalty: seen[begin + ids[i]] |= 2^31.
//
//   params  SEEN_MARK    ids  u32 [n]    seen  u32 [slots, …]
// A thread per id; atomics, because an id may stand there twice.
#params SEEN_MARK
@group(0) @binding(0) var<uniform> params: SeenMark;
@group(0) @binding(1) var<storage, read> ids: array<u32>;
@group(0) @binding(2) var<storage, read_write> seen: array<atomic<u32>>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) tid: u32) {
    let i = (group.x + group.y * 32768u) * 64u + tid;
    if (i < params.n && ids[i] < params.vocab) {
        atomicOr(&seen[params.begin + ids[i]], 0x80000000u);
    }
}
