// Causal attention for many tokens, one pass with running maxima (Dao et al. 2022):
//   out[t, h, :] = Σ_j softmax_j(cap(scale × q[t, h]·k[j])) v[j, :],  first_seen(pos + t) ≤ j ≤ pos + t,
// or, where a program is whole, for all j of the step. RELATIVE: relative[h, d] is added to the scores, d the distance
// j - pos - t from -128 to 128, what is farther counting as that.
//
//   params   ATTENTION  step  STEP
//   q        f32 rows of q_stride from q_column on, [n_heads, HEAD_DIM] each; all multiples of 4
//   k_state, v_state    rows of common_kv.wgsl
//   relative            f32 [n_heads, 257]
//   out      f32 [T, n_heads × HEAD_DIM]
// Heads that share keys share a workgroup: its rows are (token, head of the group), QUERIES of them (64, or 32
// where HEAD_DIM > 128). It walks over the keys in blocks of 32. 128 threads = (ty 0..15, tx 0..7); a thread
// scores rows ty + 16i against keys tx + 8j, 4 × 4 in registers, and sums vec4 tx of every 32 dims of v. q, k and
// v pass through workgroup memory in chunks of 32 dims, loaded one chunk ahead into registers; `left` holds the
// chunk of q, then the weights of the block. vec4s over dims (weights: over keys kk + 8j), [row, c ^ row % 8], so
// that rows are in different banks; the constant index comes first, so that it costs nothing to check. Only
// blocks that touch the diagonal or the window's edge are masked, only blocks that a row sees are visited, and
// the longest rows begin first. 14 KiB. Grid (block of rows, head of k).
#include "common_attention.wgsl"
@group(0) @binding(0) var<uniform> params: Attention;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> q: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> k_state: array<vec2<u32>>;
@group(0) @binding(4) var<storage, read> v_state: array<vec2<u32>>;
@group(0) @binding(5) var<storage, read> relative: array<f32>;
@group(0) @binding(6) var<storage, read_write> out: array<vec4<f32>>;
override RELATIVE: u32 = 0u;

const THREADS = 128u;
const KEYS = 32u;
override ROWS: u32 = select(2u, 4u, HEAD_DIM <= 128u); // per thread
override QUERIES: u32 = 16u * ROWS;
override CHUNKS: u32 = (HEAD_DIM + 31u) / 32u; // 1..8
override DIM4: u32 = HEAD_DIM / 4u;

var<workgroup> left: array<array<vec4<f32>, THREADS>, 4>; // [i][ty, c]
var<workgroup> right: array<array<vec4<f32>, 64>, 4>;     // [j][kk, c]: key kk + 8j
var<workgroup> meet: array<vec4<f32>, THREADS>;           // [ty, tx]: of rows i

// vec4 number d4 of a row.
fn key4(row: u32, d4: u32) -> vec4<f32> {
    if (KV_CODED) {
        let w = row + d4 * 4u / KV_CODES;
        let s = row + kv_scale_at(HEAD_DIM, d4 / 8u);
        return kv_decode(k_state[w / 2u][w % 2u], k_state[s / 2u][s % 2u], d4);
    }
    if (KV_TYPE == KV_F16) {
        return kv_four(k_state[row / 2u + d4]);
    }
    let at = row / 2u + d4 * 2u;
    return bitcast<vec4<f32>>(vec4<u32>(k_state[at], k_state[at + 1u]));
}

fn value4(row: u32, d4: u32) -> vec4<f32> {
    if (KV_CODED) {
        let w = row + d4 * 4u / KV_CODES;
        let s = row + kv_scale_at(HEAD_DIM, d4 / 8u);
        return kv_decode(v_state[w / 2u][w % 2u], v_state[s / 2u][s % 2u], d4);
    }
    if (KV_TYPE == KV_F16) {
        return kv_four(v_state[row / 2u + d4]);
    }
    let at = row / 2u + d4 * 2u;
    return bitcast<vec4<f32>>(vec4<u32>(v_state[at], v_state[at + 1u]));
}

// Two keys' vec4 number d4 of k or v; zeros after `last` and after the head's dims.
fn load2(is_v: bool, head: u32, key: u32, last: u32, d4: u32) -> array<vec4<f32>, 2> {
    var r = array<vec4<f32>, 2>();
    if (d4 < DIM4) {
        for (var i = 0u; i < 2u; i++) {
            if (key + 16u * i <= last) {
                let row = kv_row(head, params.context, key + 16u * i, HEAD_DIM);
                if (is_v) {
                    r[i] = value4(row, d4);
                } else {
                    r[i] = key4(row, d4);
                }
            }
        }
    }
    return r;
}

fn load_q(q_from: vec4<u32>, d4: u32) -> array<vec4<f32>, 4> {
    var r = array<vec4<f32>, 4>();
    if (d4 < DIM4) {
        r[0] = q[q_from.x + d4];
        r[1] = q[q_from.y + d4];
        if (ROWS > 2u) {
            r[2] = q[q_from.z + d4];
            r[3] = q[q_from.w + d4];
        }
    }
    return r;
}

// sum + v · (four rows), which are the rows of t.
fn mac(sum: vec4<f32>, v: vec4<f32>, t: mat4x4<f32>) -> vec4<f32> {
    return sum + v.x * t[0] + v.y * t[1] + v.z * t[2] + v.w * t[3];
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) tid: u32) {
    let tx = tid % 8u;
    let ty = tid / 8u;
    let shared_by = params.n_heads / params.n_kv_heads;
    let rows = step.n_tokens * shared_by;
    if (group.x * QUERIES >= rows) {
        return;
    }
    let own_head = step.slot * params.n_kv_heads + group.y; // of all slots'
    let r0 = ((rows - 1u) / QUERIES - group.x) * QUERIES;
    let row = vec4<u32>(r0 + ty) + vec4<u32>(0u, 16u, 32u, 48u);
    let t = min(row / shared_by, vec4<u32>(step.n_tokens - 1u));
    let head = group.y * shared_by + row % shared_by;
    let q_from = (t * params.q_stride + params.q_column) / 4u + head * DIM4;
    // What a row sees last; of the workgroup's first and last row, the same for all threads.
    let whole = select(0u, step.n_tokens - 1u, params.whole != 0u);
    let p = step.pos + max(t, vec4<u32>(whole));
    let p_first = step.pos + max(r0 / shared_by, whole);
    let last = step.pos + max(min((r0 + QUERIES - 1u) / shared_by, step.n_tokens - 1u), whole);
    let seen_by_last = first_seen(last, params.window);

    // Slots of this thread's loads (vec4 tx of rows ty + 16i, of keys ty and ty + 16) and reads.
    let put = ty * 8u + (tx ^ (ty & 7u));
    let put_key = (ty & 7u) * 8u + (tx ^ (ty & 7u));
    let high = ty / 8u;

    var o = array<vec4<f32>, 16>(); // [chunk, i]
    var top = vec4<f32>(LOWEST);
    var mass = vec4<f32>(0.0); // of this thread's keys
    var begin = first_seen(p_first, params.window) / KEYS * KEYS;
    var next_q = load_q(q_from, tx);
    var next = load2(false, own_head, begin + ty, last, tx);
    for (; begin <= last; begin += KEYS) {
        var s = array<vec4<f32>, 4>(); // [i], over j
        for (var chunk = 0u; chunk < CHUNKS; chunk++) {
            workgroupBarrier(); // what was there has been used
            for (var i = 0u; i < ROWS; i++) {
                left[i][put] = next_q[i];
            }
            right[high][put_key] = next[0];
            right[high + 2u][put_key] = next[1];
            workgroupBarrier();
            if (chunk + 1u < CHUNKS) { // on its way while this chunk is scored
                next_q = load_q(q_from, (chunk + 1u) * 8u + tx);
                next = load2(false, own_head, begin + ty, last, (chunk + 1u) * 8u + tx);
            } else {
                next = load2(true, own_head, begin + ty, last, tx);
            }
            for (var c = 0u; c < 8u; c++) {
                let at = tx * 8u + (c ^ tx);
                let k = transpose(mat4x4<f32>(right[0][at], right[1][at], right[2][at], right[3][at]));
                let at_left = ty * 8u + (c ^ (ty & 7u));
                for (var i = 0u; i < ROWS; i++) {
                    s[i] = mac(s[i], left[i][at_left], k);
                }
            }
        }
        let masked = begin + KEYS - 1u > p_first || begin < seen_by_last;
        var most = vec4<f32>(LOWEST);
        for (var i = 0u; i < ROWS; i++) {
            var v = s[i] * params.scale;
            if (params.softcap != 0.0) {
                v = vec4<f32>(softcap(v.x, params.softcap), softcap(v.y, params.softcap), softcap(v.z, params.softcap), softcap(v.w, params.softcap));
            }
            if (RELATIVE != 0u) {
                for (var k = 0u; k < 4u; k++) {
                    let far = clamp(i32(begin + tx + 8u * k) - i32(step.pos + t[i]), -128, 128);
                    v[k] += relative[head[i] * 257u + u32(far + 128)];
                }
            }
            if (masked) {
                let j = vec4<u32>(begin + tx) + vec4<u32>(0u, 8u, 16u, 24u);
                v = select(vec4<f32>(LOWEST), v, (j <= vec4<u32>(p[i])) & (j >= vec4<u32>(first_seen(p[i], params.window))));
            }
            s[i] = v;
            most[i] = max(max(v.x, v.y), max(v.z, v.w));
        }
        meet[tid] = most;
        workgroupBarrier(); // and `left` and `right` have been used
        var new_top = top;
        for (var i = 0u; i < 8u; i++) {
            new_top = max(new_top, meet[ty * 8u + i]);
        }
        let shrink = exp(top - new_top);
        top = new_top;
        mass *= shrink;
        for (var i = 0u; i < ROWS; i++) {
            let e = select(vec4<f32>(0.0), exp(s[i] - new_top[i]), s[i] > vec4<f32>(LOWEST));
            mass[i] += e.x + e.y + e.z + e.w;
            left[i][put] = e; // keys tx + 8j
            for (var chunk = 0u; chunk < CHUNKS; chunk++) {
                o[chunk * ROWS + i] *= shrink[i];
            }
        }
        for (var chunk = 0u; chunk < CHUNKS; chunk++) {
            if (chunk != 0u) {
                workgroupBarrier();
            }
            right[high][put_key] = next[0];
            right[high + 2u][put_key] = next[1];
            workgroupBarrier();
            if (chunk + 1u < CHUNKS) {
                next = load2(true, own_head, begin + ty, last, (chunk + 1u) * 8u + tx);
            } else {
                next_q = load_q(q_from, tx);
                next = load2(false, own_head, begin + KEYS + ty, last, tx);
            }
            for (var kk = 0u; kk < 8u; kk++) {
                let at = kk * 8u + (tx ^ kk);
                let v = mat4x4<f32>(right[0][at], right[1][at], right[2][at], right[3][at]);
                let at_left = ty * 8u + (kk ^ (ty & 7u));
                for (var i = 0u; i < ROWS; i++) {
                    o[chunk * ROWS + i] = mac(o[chunk * ROWS + i], left[i][at_left], v);
                }
            }
        }
    }
    workgroupBarrier();
    meet[tid] = mass;
    workgroupBarrier();
    var all = vec4<f32>(0.0);
    for (var i = 0u; i < 8u; i++) {
        all += meet[ty * 8u + i];
    }
    for (var i = 0u; i < ROWS; i++) {
        if (row[i] < rows) {
            let to = (t[i] * params.n_heads + head[i]) * DIM4 + tx;
            for (var chunk = 0u; chunk < CHUNKS; chunk++) {
                if (chunk * 8u + tx < DIM4) {
                    out[to + chunk * 8u] = o[chunk * ROWS + i] / all[i];
                }
            }
        }
    }
}
