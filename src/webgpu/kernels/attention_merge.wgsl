// Decode attention, second half: out[t, h, :] = Σ_s e^(m_s − M) o_s / Σ_s e^(m_s − M) l_s, M = max_s m_s.
//
//   params   ATTENTION  step  STEP
//   partial  f32, per t: o [n_heads, splits, HEAD_DIM], (m, l) [n_heads, splits, 2] (attention_split)
//   out      f32 [T, n_heads × HEAD_DIM]
// One workgroup of 256 threads per (head, t): first a thread per split, of which there are 256 at most; then one
// per dim (of a block of 64) and quarter of the splits. 2 KiB of workgroup memory.
#include "common_attention.wgsl"
@group(0) @binding(0) var<uniform> params: Attention;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> partial: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

const THREADS = 256u;
const BLOCK = 64u;
const MOST = 4u; // blocks of dims
var<workgroup> shrinks: array<f32, THREADS>; // e^(m_s − M)
var<workgroup> sums: array<f32, THREADS>;

// Maximum or sum of all threads' values.
fn meet(value: f32, tid: u32, largest: bool) -> f32 {
    sums[tid] = value;
    workgroupBarrier();
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        if (tid < half) {
            sums[tid] = select(sums[tid] + sums[tid + half], max(sums[tid], sums[tid + half]), largest);
        }
        workgroupBarrier();
    }
    let all = sums[0];
    workgroupBarrier();
    return all;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) tid: u32) {
    let t = group.y;
    let p = step_row(t).x;
    let n = split_count(p, params.window, params.splits);
    let t_start = t * params.n_heads * params.splits * (HEAD_DIM + 2u);
    let start = t_start + group.x * params.splits * HEAD_DIM;
    let pairs = t_start + params.n_heads * params.splits * HEAD_DIM + group.x * params.splits * 2u;
    let lane = tid % BLOCK;
    let quarter = tid / BLOCK;
    var own_top = LOWEST; // of split tid
    var own_mass = 0.0;
    if (tid < n) {
        own_top = partial[pairs + tid * 2u];
        own_mass = partial[pairs + tid * 2u + 1u];
    }
    let top = meet(own_top, tid, true);
    let e = select(0.0, exp(own_top - top), tid < n);
    shrinks[tid] = e;
    let mass = meet(e * own_mass, tid, false);
    var o = array<f32, MOST>();
    for (var b = 0u; b < MOST; b++) {
        let d = b * BLOCK + lane;
        if (d < HEAD_DIM) {
            var four = vec4<f32>(0.0);
            for (var i = quarter; i < n; i += 4u * THREADS / BLOCK) { // four loads overlap
                let s = min(vec4<u32>(i, i + 4u, i + 8u, i + 12u), vec4<u32>(THREADS - 1u));
                let at = start + min(s, vec4<u32>(n - 1u)) * HEAD_DIM + d;
                four += vec4<f32>(shrinks[s.x], shrinks[s.y], shrinks[s.z], shrinks[s.w]) * vec4<f32>(partial[at.x], partial[at.y], partial[at.z], partial[at.w]);
            }
            o[b] = four.x + four.y + four.z + four.w;
        }
    }
    workgroupBarrier();
    for (var b = 0u; b * BLOCK < HEAD_DIM; b++) {
        sums[tid] = o[b];
        workgroupBarrier();
        let d = b * BLOCK + lane;
        if (tid < BLOCK && d < HEAD_DIM) {
            let sum = sums[tid] + sums[tid + BLOCK] + sums[tid + 2u * BLOCK] + sums[tid + 3u * BLOCK];
            out[(t * params.n_heads + group.x) * HEAD_DIM + d] = sum / mass;
        }
        workgroupBarrier();
    }
}
