// Decode attention, first half. A workgroup takes 64 positions of one KV head and up to eight of the
// query heads that share it:  s[h, j] = cap(scale × q[h]·k[j]),  m = max_j s,  p = exp(s − m),
// partial: o = Σ_j p v[j, :], m, l = Σ_j p of each split; attention_merge or matvec_dot joins them.
// ROPE: q, k and v are those of a new token of each row; q and k are rotated (rope_append.wgsl), and k and v
// appended, here: by the workgroup of the last split for the first heads, while all others that need
// them make them for themselves, so that nobody reads what another one writes.
// NORM: each head of q and k is normed first (rmsnorm.wgsl); its scale is applied behind the rotation.
//
//   params   ATTENTION  step  STEP
//   q, k, v  f32 rows of *_stride from *_column on, a head every head_stride columns; k and v only with ROPE
//   freq     f32 [sets, n_rot / 2], with ROPE; with NORM the weights of q's norm from q_norm on, k's from k_norm on
//   k_state, v_state    rows of common_kv.wgsl
//   partial  f32, per t: o [n_heads, splits, HEAD_DIM], then (m, l) [n_heads, splits, 2]
// Splits are the 64-aligned blocks of the cache from the first that the token sees. 256 threads: four share a
// position and score it for all heads, each every fourth vec4 of the dims (a key is read once, in whole
// lines); then a thread sums two dims of v over every SHARES-th position, and the shares meet for four heads at a
// time. HEADS is a power of two that holds the heads, at most 8, or 4 above head size 128. At most 15.6 KiB of
// workgroup memory. Grid (split, KV head × group of query heads, t); with ROPE no two
// rows are of one slot. 7 storage buffers.
#include "common_attention.wgsl"
#include "common_rope.wgsl"
@group(0) @binding(0) var<uniform> params: Attention;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> q: array<f32>;
@group(0) @binding(3) var<storage, read> k: array<f32>;
@group(0) @binding(4) var<storage, read> v: array<f32>;
@group(0) @binding(5) var<storage, read> freq: array<f32>;
@group(0) @binding(6) var<storage, read_write> k_state: array<vec4<u32>>;
@group(0) @binding(7) var<storage, read_write> v_state: array<u32>;
@group(0) @binding(8) var<storage, read_write> partial: array<f32>;
override ROPE: u32 = 0u;
override INTERLEAVED: u32 = 0u;
override NORM: u32 = 0u;

const THREADS = 256u;
const PARTS = THREADS / SPLIT; // threads per position, and shares of the positions later
const MOST = 8u;
override HEADS: u32 = select(MOST, 4u, HEAD_DIM > 128u);
override PAIRS: u32 = HEAD_DIM / 2u;                   // of dims
override SHARES: u32 = min(16u, THREADS / PAIRS);      // of the positions, when v is summed
const MOST_LOADS = 16u;
override LOADS: u32 = min(MOST_LOADS, (SPLIT + SHARES - 1u) / SHARES); // values that a thread loads at a time
override TOGETHER: u32 = min(HEADS, 4u);               // heads whose shares meet at once
override MEET: u32 = max(PARTS * HEADS * SPLIT, TOGETHER * SHARES * HEAD_DIM);
var<workgroup> qs: array<vec4<f32>, HEADS * HEAD_DIM / 4u>; // [head, dim / 4], times scale
var<workgroup> ks: array<f32, HEAD_DIM>;              // the new key and value, as the cache will have them
var<workgroup> vs: array<f32, HEAD_DIM>;
override FRESH: u32 = select(1u, HEAD_DIM / 2u + 12u, KV_CODED);
var<workgroup> fresh: array<u32, FRESH>;              // as rows of codes
var<workgroup> ps: array<f32, HEADS * SPLIT>;         // [position, head]: scores, then p
// q before it is packed, and behind it, from SQUARES on, squares of pairs [head, pair]; [part, head, position] of scores; [share, head, dim] of o, and behind it masses [share, head].
var<workgroup> sums: array<f32, MEET + SHARES * HEADS>;

override SQUARES: u32 = HEADS * HEAD_DIM;

// A key is read in units of 16 bytes, or 8 of codes; vec4 number i of a unit.
override UNIT4: u32 = select(select(1u, 2u, KV_TYPE >= KV_F16), 4u, KV_TYPE == KV_Q4); // vec4s of a unit

struct Unit {
    w: vec4<u32>,
    scale: u32,
}

fn key_unit(row: u32, unit: u32) -> Unit {
    if (KV_CODED) {
        let at = row / 2u + unit;
        let w = k_state[at / 2u];
        let s = row + kv_scale_at(HEAD_DIM, unit * UNIT4 / 8u);
        return Unit(vec4<u32>(select(w.xy, w.zw, (at & 1u) == 1u), 0u, 0u), k_state[s / 4u][s % 4u]);
    }
    return Unit(k_state[row / 4u + unit], 0u);
}

fn key4(u: Unit, unit: u32, i: u32) -> vec4<f32> {
    if (KV_CODED) {
        return kv_decode(select(u.w.x, u.w.y, i * 2u >= UNIT4), u.scale, unit * UNIT4 + i);
    }
    if (KV_TYPE == KV_F16) {
        return kv_four(select(u.w.xy, u.w.zw, i == 1u));
    }
    return bitcast<vec4<f32>>(u.w);
}

// Dims d and d + 1 of a value.
fn value_pair(row: u32, d: u32) -> vec2<f32> {
    if (KV_CODED) {
        let four = kv_decode(v_state[row + d / KV_CODES], v_state[row + kv_scale_at(HEAD_DIM, d / 32u)], d / 4u);
        return select(four.xy, four.zw, (d & 2u) != 0u);
    }
    if (KV_TYPE == KV_F16) {
        return unpack2x16float(v_state[row + d / 2u]);
    }
    return bitcast<vec2<f32>>(vec2<u32>(v_state[row + d], v_state[row + d + 1u]));
}

// Dims d and d + 1 of the values at positions i, i + SHARES, … behind `start`; of the last one past the cached ones.
fn load_values(start: u32, i: u32, cached: u32, d: u32) -> array<vec2<f32>, MOST_LOADS> {
    var values = array<vec2<f32>, MOST_LOADS>();
    if (cached > 0u && i < SHARES * SPLIT) {
        for (var n = 0u; n < LOADS; n++) {
            values[n] = value_pair(start + min(i + n * SHARES, cached - 1u) * kv_words(HEAD_DIM), d);
        }
    }
    return values;
}

// The scale of a block of the new key or value.
fn fit(is_value: bool, block: u32) -> u32 {
    var least = -LOWEST;
    var most = LOWEST;
    for (var d = block * 32u; d < min(block * 32u + 32u, HEAD_DIM); d++) {
        let x = select(ks[d], vs[d], is_value);
        least = min(least, x);
        most = max(most, x);
    }
    return kv_fit(least, most);
}

// Word w of the row of the new key or value.
fn coded(is_value: bool, w: u32) -> u32 {
    let values = kv_values(HEAD_DIM);
    var word = 0u;
    if (w < values) {
        let scale = kv_scale(fit(is_value, w * KV_CODES / 32u), 0u);
        for (var i = 0u; i < KV_CODES; i++) {
            let d = w * KV_CODES + i;
            if (d < HEAD_DIM) {
                word |= kv_code(select(ks[d], vs[d], is_value), scale) << (i * 32u / KV_CODES);
            }
        }
        return word;
    }
    let per = select(2u, 1u, KV_TYPE == KV_Q4); // blocks of a word
    for (var i = 0u; i < per; i++) {
        let block = (w - values) * per + i;
        if (block * 32u < HEAD_DIM) {
            word |= fit(is_value, block) << (i * 16u);
        }
    }
    return word;
}

// The new key and value into the cache, by all threads.
fn append(row: u32, tid: u32) {
    if (KV_CODED) {
        let words = kv_words(HEAD_DIM);
        for (var i = tid; i < words; i += THREADS) {
            v_state[row + i] = fresh[words + i];
        }
        for (var v = row / 4u + tid; v * 4u < row + words; v += THREADS) {
            for (var c = 0u; c < 4u; c++) {
                if (v * 4u + c >= row && v * 4u + c < row + words) {
                    k_state[v][c] = fresh[v * 4u + c - row];
                }
            }
        }
    } else if (KV_TYPE == KV_F16) {
        for (var i = tid; i < HEAD_DIM / 8u; i += THREADS) {
            let d = i * 8u;
            k_state[row / 4u + i] = vec4<u32>(kv_halves(ks[d], ks[d + 1u]), kv_halves(ks[d + 2u], ks[d + 3u]), kv_halves(ks[d + 4u], ks[d + 5u]), kv_halves(ks[d + 6u], ks[d + 7u]));
        }
        for (var i = tid; i < HEAD_DIM / 2u; i += THREADS) {
            v_state[row + i] = kv_halves(vs[i * 2u], vs[i * 2u + 1u]);
        }
    } else {
        for (var i = tid; i < HEAD_DIM / 4u; i += THREADS) {
            let d = i * 4u;
            k_state[row / 4u + i] = bitcast<vec4<u32>>(vec4<f32>(ks[d], ks[d + 1u], ks[d + 2u], ks[d + 3u]));
        }
        for (var i = tid; i < HEAD_DIM; i += THREADS) {
            v_state[row + i] = bitcast<u32>(vs[i]);
        }
    }
}

fn source(is_key: bool, at: u32) -> f32 {
    if (is_key) {
        return k[at];
    }
    return q[at];
}

// Dims a and b of the head at `start`, times their weights in the norm.
fn weighted(is_key: bool, start: u32, dims: vec2<u32>) -> vec2<f32> {
    let v = vec2<f32>(source(is_key, start + dims.x), source(is_key, start + dims.y));
    if (NORM == 0u) {
        return v;
    }
    let at = select(params.q_norm, params.k_norm, is_key);
    return v * vec2<f32>(freq[at + dims.x], freq[at + dims.y]);
}

// What the norm multiplies a head by: one of q, or after the last k.
fn norm_scale(head: u32) -> f32 {
    if (NORM == 0u) {
        return 1.0;
    }
    var sum = 0.0;
    for (var i = 0u; i < PAIRS; i++) {
        sum += sums[SQUARES + head * PAIRS + i];
    }
    return inverseSqrt(sum / f32(HEAD_DIM) + params.norm_eps);
}

// Dims d and other of pair number `pair` of the head at `start`, rotated for the row. Pairs from n_rot / 2 on are
// neighbours that stay as they are.
struct Turned {
    dims: vec2<u32>,
    values: vec2<f32>,
}

fn turned(is_key: bool, start: u32, pair: u32, row: vec4<u32>) -> Turned {
    let half = params.n_rot / 2u;
    if (pair >= half) {
        let d = pair * 2u;
        return Turned(vec2<u32>(d, d + 1u), weighted(is_key, start, vec2<u32>(d, d + 1u)));
    }
    let dims = select(vec2<u32>(pair, pair + half), vec2<u32>(pair * 2u, pair * 2u + 1u), INTERLEAVED != 0u);
    let turn = cos_sin(f32(row.x) * freq[row.z * params.set_stride + pair]) * params.magnitude;
    let v = weighted(is_key, start, dims);
    return Turned(dims, vec2<f32>(fma(v.x, turn.x, v.y * -turn.y), fma(v.y, turn.x, v.x * turn.y))); // as rope_append, to the last bit
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) tid: u32) {
    let shared_by = params.n_heads / params.n_kv_heads;
    let blocks = (shared_by + HEADS - 1u) / HEADS;
    let kv_head = group.y / blocks;
    let head = kv_head * shared_by + group.y % blocks * HEADS; // first query head
    let n_heads = min(HEADS, (kv_head + 1u) * shared_by - head);
    let t = group.z;
    let row = step_row(t);
    let p = row.x;
    let own_head = row.y * params.n_kv_heads + kv_head; // of all slots'
    let first = first_seen(p, params.window);
    let begin = (first / SPLIT + group.x) * SPLIT;
    if (begin > p || t >= step.n_tokens || p >= params.context) {
        return;
    }
    let newest = ROPE != 0u && p < begin + SPLIT; // position p is in this split
    let q_start = t * params.q_stride + params.q_column + head * params.head_stride;
    if (ROPE == 0u) {
        for (var i = tid; i < n_heads * HEAD_DIM; i += THREADS) {
            sums[i] = q[q_start + i / HEAD_DIM * params.head_stride + i % HEAD_DIM] * params.scale;
        }
    } else {
        let k_start = t * params.k_stride + params.k_column + kv_head * params.head_stride;
        let v_start = t * params.v_stride + params.v_column + kv_head * params.head_stride;
        let pairs = HEAD_DIM / 2u;
        // Heads of q, then k.
        for (var i = tid; i < (n_heads + select(0u, 1u, newest)) * pairs; i += THREADS) {
            let h = i / pairs;
            let is_key = h == n_heads;
            let start = select(q_start + h * params.head_stride, k_start, is_key);
            let r = turned(is_key, start, i % pairs, row);
            if (NORM != 0u) {
                let a = source(is_key, start + r.dims.x);
                let b = source(is_key, start + r.dims.y);
                sums[SQUARES + i] = a * a + b * b;
            }
            if (is_key) {
                ks[r.dims.x] = select(r.values.x, kv_stored(r.values.x), NORM == 0u);
                ks[r.dims.y] = select(r.values.y, kv_stored(r.values.y), NORM == 0u);
            } else {
                sums[h * HEAD_DIM + r.dims.x] = r.values.x * params.scale;
                sums[h * HEAD_DIM + r.dims.y] = r.values.y * params.scale;
            }
        }
        if (newest) {
            for (var d = tid; d < HEAD_DIM; d += THREADS) {
                vs[d] = kv_stored(v[v_start + d]);
            }
        }
    }
    workgroupBarrier();
    for (var i = tid; i < n_heads * HEAD_DIM / 4u; i += THREADS) {
        qs[i] = vec4<f32>(sums[i * 4u], sums[i * 4u + 1u], sums[i * 4u + 2u], sums[i * 4u + 3u]) * norm_scale(i * 4u / HEAD_DIM);
    }
    if (NORM != 0u && newest) {
        let scale = norm_scale(n_heads);
        for (var d = tid; d < HEAD_DIM; d += THREADS) {
            ks[d] = kv_stored(ks[d] * scale);
        }
        workgroupBarrier();
    }

    if (KV_CODED && newest) {
        let words = kv_words(HEAD_DIM); // ≤ THREADS / 2
        if (tid < 2u * words) {
            fresh[tid] = coded(tid >= words, tid % words);
        }
        workgroupBarrier();
        for (var i = tid; i < HEAD_DIM / 2u; i += THREADS) { // vec4s of the key, then of the value
            let row = select(0u, words, i >= HEAD_DIM / 4u);
            let d4 = i % (HEAD_DIM / 4u);
            let x = kv_decode(fresh[row + d4 * 4u / KV_CODES], fresh[row + kv_scale_at(HEAD_DIM, d4 / 8u)], d4);
            for (var c = 0u; c < 4u; c++) {
                if (row == 0u) {
                    ks[d4 * 4u + c] = x[c];
                } else {
                    vs[d4 * 4u + c] = x[c];
                }
            }
        }
    }
    if (newest && group.y % blocks == 0u) {
        append(kv_row(own_head, params.context, p, HEAD_DIM), tid);
    }
    workgroupBarrier();
    let positions = min(SPLIT, p + 1u - begin);
    let cached = positions - select(0u, 1u, newest); // of them in the cache
    let share = tid / PAIRS;
    let d = tid % PAIRS * 2u;
    let start = kv_row(own_head, params.context, begin, HEAD_DIM);
    var held = load_values(start, share, cached, d); // on their way while scores are made
    let part = tid % PARTS;
    let j = tid / PARTS;
    let seen = begin + j <= p && begin + j >= first;
    var s = array<f32, MOST>();
    if (seen && newest && begin + j == p) {
        // In the order of a key that is read, so that a step of several tokens, which reads it, gives the same.
        for (var unit = part; unit * UNIT4 < HEAD_DIM / 4u; unit += PARTS) {
            for (var i = 0u; i < UNIT4 && (HEAD_DIM % (4u * UNIT4) == 0u || unit * UNIT4 + i < HEAD_DIM / 4u); i++) {
                let d = (unit * UNIT4 + i) * 4u;
                let a = vec4<f32>(ks[d], ks[d + 1u], ks[d + 2u], ks[d + 3u]);
                for (var h = 0u; h < HEADS; h++) {
                    s[h] += dot(a, qs[(h * HEAD_DIM + d) / 4u]);
                }
            }
        }
    } else if (seen) {
        let at = kv_row(own_head, params.context, begin + j, HEAD_DIM);
        for (var unit = part; unit * UNIT4 < HEAD_DIM / 4u; unit += PARTS) {
            let u = key_unit(at, unit);
            for (var i = 0u; i < UNIT4 && (HEAD_DIM % (4u * UNIT4) == 0u || unit * UNIT4 + i < HEAD_DIM / 4u); i++) {
                let a = key4(u, unit, i);
                for (var h = 0u; h < HEADS; h++) {
                    s[h] += dot(a, qs[h * HEAD_DIM / 4u + unit * UNIT4 + i]);
                }
            }
        }
    }
    for (var h = 0u; h < HEADS; h++) {
        sums[(part * HEADS + h) * SPLIT + j] = s[h];
    }
    workgroupBarrier();
    for (var i = tid; i < HEADS * SPLIT; i += THREADS) { // i = head × SPLIT + position
        let at = begin + i % SPLIT;
        var score = LOWEST;
        if (at <= p && at >= first) {
            score = softcap(sums[i] + sums[HEADS * SPLIT + i] + sums[2u * HEADS * SPLIT + i] + sums[3u * HEADS * SPLIT + i], params.softcap);
        }
        ps[i % SPLIT * HEADS + i / SPLIT] = score;
    }
    workgroupBarrier();

    // Maximum: THREADS / HEADS threads per head, each looking at all of its scores.
    let h = tid % HEADS;
    var tops = vec4<f32>(LOWEST);
    for (var i = 0u; i < SPLIT; i += 4u) {
        let at = i * HEADS + h;
        tops = max(tops, vec4<f32>(ps[at], ps[at + HEADS], ps[at + 2u * HEADS], ps[at + 3u * HEADS]));
    }
    let top = max(max(tops.x, tops.y), max(tops.z, tops.w));
    workgroupBarrier();
    for (var i = tid / HEADS; i < SPLIT; i += THREADS / HEADS) {
        let score = ps[i * HEADS + h];
        ps[i * HEADS + h] = select(0.0, exp(score - top), score > LOWEST);
    }
    workgroupBarrier();

    let t_start = t * params.n_heads * params.splits * (HEAD_DIM + 2u);
    let out_start = t_start + (head * params.splits + group.x) * HEAD_DIM;
    var o = array<vec2<f32>, MOST>();
    var masses = array<f32, MOST>();
    if (share < SHARES) {
        for (var i = share; i < positions; i += LOADS * SHARES) {
            if (i != share) {
                held = load_values(start, i, cached, d);
            }
            for (var n = 0u; n < LOADS; n++) {
                let at = i + n * SHARES;
                let value = select(held[n], vec2<f32>(vs[d], vs[d + 1u]), newest && at == cached);
                if (at < positions) {
                    for (var a = 0u; a < HEADS; a++) {
                        let w = ps[at * HEADS + a];
                        o[a] += w * value;
                        masses[a] += w;
                    }
                }
            }
        }
    }
    for (var h0 = 0u; h0 < HEADS; h0 += TOGETHER) {
        if (share < SHARES) {
            for (var a = 0u; a < TOGETHER; a++) {
                let to = (share * TOGETHER + a) * HEAD_DIM + d;
                sums[to] = o[h0 + a].x;
                sums[to + 1u] = o[h0 + a].y;
                if (d == 0u) {
                    sums[MEET + share * HEADS + h0 + a] = masses[h0 + a];
                }
            }
        }
        workgroupBarrier();
        for (var i = tid; i < TOGETHER * HEAD_DIM; i += THREADS) {
            if (h0 + i / HEAD_DIM < n_heads) {
                var sum = 0.0;
                for (var other = 0u; other < SHARES; other++) {
                    sum += sums[other * TOGETHER * HEAD_DIM + i];
                }
                partial[out_start + (h0 + i / HEAD_DIM) * params.splits * HEAD_DIM + i % HEAD_DIM] = sum;
            }
        }
        workgroupBarrier();
    }
    if (tid < n_heads) {
        var mass = 0.0;
        for (var other = 0u; other < SHARES; other++) {
            mass += sums[MEET + other * HEADS + tid];
        }
        let at = t_start + params.n_heads * params.splits * HEAD_DIM + ((head + tid) * params.splits + group.x) * 2u;
        partial[at] = top; // of head tid % HEADS = tid
        partial[at + 1u] = mass;
    }
}
