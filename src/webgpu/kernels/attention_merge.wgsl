// Decode attention, second half: out[t, h, :] = Σ_s e^(m_s − M) o_s / Σ_s e^(m_s − M) l_s, M = max_s m_s.
//
//   params   ATTENTION  step  STEP
//   partial  f32, per t: o [n_heads, splits, HEAD_DIM], (m, l) [n_heads, splits, 2] (attention_split)
//   out      f32 [T, n_heads × HEAD_DIM]
// One workgroup of 256 threads per (head, t): a thread per dim (of a block of 64) and quarter of the splits.
// Splits are taken 64 at a time with a running maximum. Workgroup memory: 448 floats.
#include "common_attention.wgsl"
@group(0) @binding(0) var<uniform> params: Attention;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> partial: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

const THREADS = 256u;
const BLOCK = 64u;
const MOST = 4u; // blocks of dims
var<workgroup> tops: array<f32, BLOCK>;
var<workgroup> masses: array<f32, BLOCK>; // e^(m_s − M) l_s
var<workgroup> shrinks: array<f32, BLOCK>; // e^(m_s − M)
var<workgroup> sums: array<f32, THREADS>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) tid: u32) {
    let t = group.y;
    let p = step.pos + t;
    let n = p / SPLIT - first_seen(p, params.window) / SPLIT + 1u;
    let t_start = t * params.n_heads * params.splits * (HEAD_DIM + 2u);
    let start = t_start + group.x * params.splits * HEAD_DIM;
    let pairs = t_start + params.n_heads * params.splits * HEAD_DIM + group.x * params.splits * 2u;
    let lane = tid % BLOCK;
    let quarter = tid / BLOCK;
    var top = LOWEST;
    var mass = 0.0;
    var o = array<f32, MOST>();
    for (var begin = 0u; begin < n; begin += BLOCK) {
        let count = min(BLOCK, n - begin);
        if (tid < BLOCK) {
            tops[tid] = LOWEST;
            if (tid < count) {
                tops[tid] = partial[pairs + (begin + tid) * 2u];
            }
        }
        workgroupBarrier();
        var new_top = top;
        for (var i = 0u; i < count; i++) {
            new_top = max(new_top, tops[i]);
        }
        if (tid < BLOCK) {
            var shrink = 0.0;
            var l = 0.0;
            if (tid < count) {
                shrink = exp(tops[tid] - new_top);
                l = partial[pairs + (begin + tid) * 2u + 1u];
            }
            shrinks[tid] = shrink;
            masses[tid] = shrink * l;
        }
        workgroupBarrier();
        let shrink = select(exp(top - new_top), 1.0, top == new_top);
        top = new_top;
        mass *= shrink;
        for (var i = 0u; i < count; i++) {
            mass += masses[i];
        }
        for (var b = 0u; b < MOST; b++) {
            let d = b * BLOCK + lane;
            if (d < HEAD_DIM) {
                var sum = o[b] * shrink;
                for (var i = quarter; i < count; i += THREADS / BLOCK) {
                    sum += shrinks[i] * partial[start + (begin + i) * HEAD_DIM + d];
                }
                o[b] = sum;
            }
        }
        workgroupBarrier();
    }
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
