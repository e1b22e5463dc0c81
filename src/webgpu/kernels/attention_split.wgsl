// Decode attention, first half. A workgroup takes a split of the positions of one KV head and up to four
// of the query heads that share it:  s[h, j] = cap(scale × q[h]·k[j]),  m = max_j s,  p = exp(s − m),
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
// Splits are blocks of 64 positions, aligned, from the first that the token sees; of long contexts several blocks each
// (split_shift). 256 threads: four share a position and score it for all heads, each every fourth unit of its key, all of
// which are loaded ahead; then QUADS threads share a value, four dims each, a position in SHARES of the block, and the
// shares meet at the end. Sums of the heads are a vector, and what is loaded has names: arrays would go to memory.
// HEADS is a power of two that holds the heads, at most 4, or 2 above head size 128. At most 15.6 KiB of workgroup memory.
// Grid (split, KV head × group of query heads, t); with ROPE no two rows are of one slot. 7 storage buffers.
#include "common_attention.wgsl"
#include "common_rope.wgsl"
@group(0) @binding(0) var<uniform> params: Attention;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> q: array<f32>;
@group(0) @binding(3) var<storage, read> k: array<f32>;
@group(0) @binding(4) var<storage, read> v: array<f32>;
@group(0) @binding(5) var<storage, read> freq: array<f32>;
@group(0) @binding(6) var<storage, read_write> k_state: array<vec4<u32>>;
@group(0) @binding(7) var<storage, read_write> v_state: array<vec2<u32>>;
@group(0) @binding(8) var<storage, read_write> partial: array<f32>;
override ROPE: u32 = 0u;
override INTERLEAVED: u32 = 0u;
override NORM: u32 = 0u;

const THREADS = 256u;
const PARTS = THREADS / SPLIT; // threads per position
override SHARED: u32 = 1u;     // query heads of a KV head
override HEADS: u32 = select(4u, 2u, HEAD_DIM > 128u);
override HEAD_GROUPS: u32 = (SHARED + HEADS - 1u) / HEADS;
override PAIRS: u32 = HEAD_DIM / 2u;  // of dims
override QUADS: u32 = HEAD_DIM / 4u;
override SHARES: u32 = min(SPLIT, THREADS / QUADS); // of a block's positions, when v is summed
override BLOCKS: u32 = (HEAD_DIM + 31u) / 32u;
override CODED: u32 = (HEAD_DIM + KV_CODES - 1u) / KV_CODES + select((BLOCKS + 1u) / 2u, BLOCKS, KV_TYPE == KV_Q4);
override WORDS: u32 = select(select(HEAD_DIM, PAIRS, KV_TYPE == KV_F16), (CODED + 1u) & 0xfffffffeu, KV_CODED); // kv_words
override SQUARES: u32 = HEADS * HEAD_DIM;
override KEY: u32 = SQUARES + select(0u, (HEADS + 1u) * PAIRS, NORM != 0u);
override VALUE: u32 = KEY + HEAD_DIM;
// Before they are packed: q [head, dim] times scale; from SQUARES on squares of pairs [head, pair]; the new key; the new value.
var<workgroup> raw: array<f32, VALUE + HEAD_DIM>;
var<workgroup> qs: array<vec4<f32>, HEADS * QUADS>; // [head, dim / 4]
var<workgroup> fresh: array<u32, 2u * WORDS>;       // the new key's row of the cache, then the new value's
var<workgroup> sums: array<vec4<f32>, THREADS>;     // of heads, [part, position]; then of dims, [share, dim / 4]
var<workgroup> scores: array<vec4<f32>, SPLIT>;     // of heads, and so are the others; at the end masses, [share]
var<workgroup> ps: array<vec4<f32>, SPLIT>;
var<workgroup> shrink: vec4<f32>;                   // e^(m before − m)

// A key is read in units of 16 bytes, or 8 of codes.
override UNIT4: u32 = select(select(1u, 2u, KV_TYPE >= KV_F16), 4u, KV_TYPE == KV_Q4); // vec4s of a unit
override UNITS: u32 = (QUADS + UNIT4 - 1u) / UNIT4;
override EACH: u32 = (UNITS + PARTS - 1u) / PARTS; // units of a thread
override FIT: bool = UNITS % PARTS == 0u && QUADS % UNIT4 == 0u && (EACH < 8u || EACH % 8u == 0u);

struct Unit {
    w: vec4<u32>,
    scale: u32,
}

// Units number `unit`, + PARTS, … of a key.
struct Units {
    u0: Unit,
    u1: Unit,
    u2: Unit,
    u3: Unit,
    u4: Unit,
    u5: Unit,
    u6: Unit,
    u7: Unit,
}

fn key_unit(row: u32, number: u32) -> Unit {
    let unit = select(min(number, UNITS - 1u), number, FIT);
    if (KV_CODED) {
        let at = row / 2u + unit;
        let w = k_state[at / 2u];
        let s = row + kv_scale_at(HEAD_DIM, unit * UNIT4 / 8u);
        return Unit(vec4<u32>(select(w.xy, w.zw, (at & 1u) == 1u), 0u, 0u), k_state[s / 4u][s % 4u]);
    }
    return Unit(k_state[row / 4u + unit], 0u);
}

fn fresh_unit(number: u32) -> Unit {
    let unit = select(min(number, UNITS - 1u), number, FIT);
    if (KV_CODED) {
        let at = unit * 2u;
        return Unit(vec4<u32>(fresh[at], fresh[min(at + 1u, WORDS - 1u)], 0u, 0u), fresh[kv_scale_at(HEAD_DIM, unit * UNIT4 / 8u)]);
    }
    let at = unit * 4u;
    return Unit(vec4<u32>(fresh[at], fresh[at + 1u], fresh[at + 2u], fresh[at + 3u]), 0u);
}

fn any_unit(row: u32, unit: u32, is_fresh: bool) -> Unit {
    if (is_fresh) {
        return fresh_unit(unit);
    }
    return key_unit(row, unit);
}

fn load_units(row: u32, unit: u32, is_fresh: bool) -> Units {
    var u = Units();
    u.u0 = any_unit(row, unit, is_fresh);
    if (EACH > 1u) {
        u.u1 = any_unit(row, unit + PARTS, is_fresh);
    }
    if (EACH > 2u) {
        u.u2 = any_unit(row, unit + 2u * PARTS, is_fresh);
    }
    if (EACH > 3u) {
        u.u3 = any_unit(row, unit + 3u * PARTS, is_fresh);
    }
    if (EACH > 4u) {
        u.u4 = any_unit(row, unit + 4u * PARTS, is_fresh);
    }
    if (EACH > 5u) {
        u.u5 = any_unit(row, unit + 5u * PARTS, is_fresh);
    }
    if (EACH > 6u) {
        u.u6 = any_unit(row, unit + 6u * PARTS, is_fresh);
    }
    if (EACH > 7u) {
        u.u7 = any_unit(row, unit + 7u * PARTS, is_fresh);
    }
    return u;
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

// before + the heads' products with unit number `unit` of a key.
fn score(u: Unit, unit: u32, before: vec4<f32>) -> vec4<f32> {
    var s = before;
    for (var i = 0u; i < UNIT4; i++) {
        let at = unit * UNIT4 + i;
        if (FIT || at < QUADS) {
            let a = key4(u, unit, i);
            s.x += dot(a, qs[at]);
            if (HEADS > 1u) {
                s.y += dot(a, qs[QUADS + at]);
            }
            if (HEADS > 2u) {
                s.z += dot(a, qs[2u * QUADS + at]);
                s.w += dot(a, qs[3u * QUADS + at]);
            }
        }
    }
    return s;
}

fn score_units(u: Units, unit: u32, before: vec4<f32>) -> vec4<f32> {
    var s = score(u.u0, unit, before);
    if (EACH > 1u) {
        s = score(u.u1, unit + PARTS, s);
    }
    if (EACH > 2u) {
        s = score(u.u2, unit + 2u * PARTS, s);
    }
    if (EACH > 3u) {
        s = score(u.u3, unit + 3u * PARTS, s);
    }
    if (EACH > 4u) {
        s = score(u.u4, unit + 4u * PARTS, s);
    }
    if (EACH > 5u) {
        s = score(u.u5, unit + 5u * PARTS, s);
    }
    if (EACH > 6u) {
        s = score(u.u6, unit + 6u * PARTS, s);
    }
    if (EACH > 7u) {
        s = score(u.u7, unit + 7u * PARTS, s);
    }
    return s;
}

fn v_word(at: u32) -> u32 {
    let two = v_state[at / 2u];
    return select(two.x, two.y, (at & 1u) == 1u);
}

// Four dims of a value as they lie in the cache; of codes their word and its scale's.
fn load_value(row: u32, quad: u32) -> vec4<u32> {
    if (KV_CODED) {
        return vec4<u32>(v_word(row + quad * 4u / KV_CODES), v_word(row + kv_scale_at(HEAD_DIM, quad / 8u)), 0u, 0u);
    }
    if (KV_TYPE == KV_F16) {
        return vec4<u32>(v_state[row / 2u + quad], 0u, 0u);
    }
    return vec4<u32>(v_state[row / 2u + quad * 2u], v_state[row / 2u + quad * 2u + 1u]);
}

fn fresh_value(quad: u32) -> vec4<u32> {
    if (KV_CODED) {
        return vec4<u32>(fresh[WORDS + quad * 4u / KV_CODES], fresh[WORDS + kv_scale_at(HEAD_DIM, quad / 8u)], 0u, 0u);
    }
    if (KV_TYPE == KV_F16) {
        let at = WORDS + quad * 2u;
        return vec4<u32>(fresh[at], fresh[at + 1u], 0u, 0u);
    }
    let at = WORDS + quad * 4u;
    return vec4<u32>(fresh[at], fresh[at + 1u], fresh[at + 2u], fresh[at + 3u]);
}

fn value4(w: vec4<u32>, quad: u32) -> vec4<f32> {
    if (KV_CODED) {
        return kv_decode(w.x, w.y, quad);
    }
    if (KV_TYPE == KV_F16) {
        return kv_four(w.xy);
    }
    return bitcast<vec4<f32>>(w);
}

const LOADS = 8u; // values that a thread loads at a time
override TURNS: u32 = (SPLIT + LOADS * SHARES - 1u) / (LOADS * SHARES);
override HELD: u32 = (SPLIT + SHARES - 1u) / SHARES; // values of a thread, in all turns

struct Values {
    v0: vec4<u32>,
    v1: vec4<u32>,
    v2: vec4<u32>,
    v3: vec4<u32>,
    v4: vec4<u32>,
    v5: vec4<u32>,
    v6: vec4<u32>,
    v7: vec4<u32>,
}

// The block whose row 0 is at `start`: values at positions i, i + SHARES, …; of `last` for those beyond.
fn load_values(start: u32, i: u32, last: u32, quad: u32) -> Values {
    var v = Values();
    v.v0 = load_value(start + min(i, last) * WORDS, quad);
    v.v1 = load_value(start + min(i + SHARES, last) * WORDS, quad);
    if (HELD > 2u) {
        v.v2 = load_value(start + min(i + 2u * SHARES, last) * WORDS, quad);
        v.v3 = load_value(start + min(i + 3u * SHARES, last) * WORDS, quad);
    }
    if (HELD > 4u) {
        v.v4 = load_value(start + min(i + 4u * SHARES, last) * WORDS, quad);
        v.v5 = load_value(start + min(i + 5u * SHARES, last) * WORDS, quad);
        v.v6 = load_value(start + min(i + 6u * SHARES, last) * WORDS, quad);
        v.v7 = load_value(start + min(i + 7u * SHARES, last) * WORDS, quad);
    }
    return v;
}

// What a thread sums: of each head four dims of p v, and of all p.
struct Parts {
    a: vec4<f32>,
    b: vec4<f32>,
    c: vec4<f32>,
    d: vec4<f32>,
    mass: vec4<f32>,
}

// With the value at position i of `positions` in the block; number `newest` is the new one.
fn add_value(before: Parts, w: vec4<u32>, i: u32, positions: u32, newest: u32, quad: u32) -> Parts {
    var s = before;
    if (i < positions) {
        var v: vec4<f32>;
        if (i == newest) {
            v = value4(fresh_value(quad), quad);
        } else {
            v = value4(w, quad);
        }
        let p = ps[i];
        s.mass += p;
        s.a += p.x * v;
        if (HEADS > 1u) {
            s.b += p.y * v;
        }
        if (HEADS > 2u) {
            s.c += p.z * v;
            s.d += p.w * v;
        }
    }
    return s;
}

fn add_values(before: Parts, v: Values, i: u32, positions: u32, newest: u32, quad: u32) -> Parts {
    var s = add_value(before, v.v0, i, positions, newest, quad);
    s = add_value(s, v.v1, i + SHARES, positions, newest, quad);
    if (HELD > 2u) {
        s = add_value(s, v.v2, i + 2u * SHARES, positions, newest, quad);
        s = add_value(s, v.v3, i + 3u * SHARES, positions, newest, quad);
    }
    if (HELD > 4u) {
        s = add_value(s, v.v4, i + 4u * SHARES, positions, newest, quad);
        s = add_value(s, v.v5, i + 5u * SHARES, positions, newest, quad);
        s = add_value(s, v.v6, i + 6u * SHARES, positions, newest, quad);
        s = add_value(s, v.v7, i + 7u * SHARES, positions, newest, quad);
    }
    return s;
}

// The scale of a block of the new key or value, which begins at `start` of raw.
fn fit(start: u32, block: u32) -> u32 {
    var least = -LOWEST;
    var most = LOWEST;
    for (var d = block * 32u; d < min(block * 32u + 32u, HEAD_DIM); d++) {
        least = min(least, raw[start + d]);
        most = max(most, raw[start + d]);
    }
    return kv_fit(least, most);
}

// Word w of the row of the new key or value.
fn stored(start: u32, w: u32) -> u32 {
    if (KV_TYPE == KV_F16) {
        return kv_halves(raw[start + w * 2u], raw[start + w * 2u + 1u]);
    }
    if (!KV_CODED) {
        return bitcast<u32>(raw[start + w]);
    }
    let values = kv_values(HEAD_DIM);
    var word = 0u;
    if (w < values) {
        let scale = kv_scale(fit(start, w * KV_CODES / 32u), 0u);
        for (var i = 0u; i < KV_CODES; i++) {
            let d = w * KV_CODES + i;
            if (d < HEAD_DIM) {
                word |= kv_code(raw[start + d], scale) << (i * 32u / KV_CODES);
            }
        }
        return word;
    }
    let per = select(2u, 1u, KV_TYPE == KV_Q4); // blocks of a word
    for (var i = 0u; i < per; i++) {
        let block = (w - values) * per + i;
        if (block * 32u < HEAD_DIM) {
            word |= fit(start, block) << (i * 16u);
        }
    }
    return word;
}

// The new key and value into the cache, by all threads.
fn append(row: u32, tid: u32) {
    for (var i = tid; i < WORDS / 2u; i += THREADS) {
        v_state[row / 2u + i] = vec2<u32>(fresh[WORDS + i * 2u], fresh[WORDS + i * 2u + 1u]);
    }
    for (var v = row / 4u + tid; v * 4u < row + WORDS; v += THREADS) {
        for (var c = 0u; c < 4u; c++) { // rows of codes may begin in the middle of one
            if (v * 4u + c >= row && v * 4u + c < row + WORDS) {
                k_state[v][c] = fresh[v * 4u + c - row];
            }
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
        sum += raw[SQUARES + head * PAIRS + i];
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
    let kv_head = group.y / HEAD_GROUPS;
    let head = kv_head * SHARED + group.y % HEAD_GROUPS * HEADS; // first query head
    let n_heads = min(HEADS, (kv_head + 1u) * SHARED - head);
    let t = group.z;
    let row = step_row(t);
    let p = row.x;
    let own_head = row.y * params.n_kv_heads + kv_head; // of all slots'
    let first = first_seen(p, params.window);
    let shift = split_shift(first, p, params.splits);
    let split = ((first >> shift) + group.x) << shift;
    if (split > p || t >= step.n_tokens || p >= params.context) {
        return;
    }
    let end = min(split + (1u << shift), p + 1u);
    let newest = ROPE != 0u && end == p + 1u; // position p is in this split, its key and value not in the cache
    let begin = max(split, first / SPLIT * SPLIT);
    let part = tid % PARTS;
    let j = tid / PARTS;
    let known = p - select(0u, min(p, 1u), ROPE != 0u); // a position that is in the cache, unless there is none
    var units = load_units(kv_row(own_head, params.context, min(begin + j, known), HEAD_DIM), part, false); // on their way while q is made
    let q_start = t * params.q_stride + params.q_column + head * params.head_stride;
    if (ROPE == 0u) {
        for (var i = tid; i < n_heads * HEAD_DIM; i += THREADS) {
            raw[i] = q[q_start + i / HEAD_DIM * params.head_stride + i % HEAD_DIM] * params.scale;
        }
    } else {
        let k_start = t * params.k_stride + params.k_column + kv_head * params.head_stride;
        let v_start = t * params.v_stride + params.v_column + kv_head * params.head_stride;
        // Heads of q, then k.
        for (var i = tid; i < (n_heads + select(0u, 1u, newest)) * PAIRS; i += THREADS) {
            let h = i / PAIRS;
            let is_key = h == n_heads;
            let start = select(q_start + h * params.head_stride, k_start, is_key);
            let r = turned(is_key, start, i % PAIRS, row);
            if (NORM != 0u) {
                let a = source(is_key, start + r.dims.x);
                let b = source(is_key, start + r.dims.y);
                raw[SQUARES + i] = a * a + b * b;
            }
            let to = select(h * HEAD_DIM, KEY, is_key);
            let scale = select(params.scale, 1.0, is_key);
            raw[to + r.dims.x] = r.values.x * scale;
            raw[to + r.dims.y] = r.values.y * scale;
        }
        if (newest) {
            for (var d = tid; d < HEAD_DIM; d += THREADS) {
                raw[VALUE + d] = v[v_start + d];
            }
        }
    }
    workgroupBarrier();
    for (var i = tid; i < n_heads * QUADS; i += THREADS) {
        qs[i] = vec4<f32>(raw[i * 4u], raw[i * 4u + 1u], raw[i * 4u + 2u], raw[i * 4u + 3u]) * norm_scale(i / QUADS);
    }
    if (newest) {
        if (NORM != 0u) {
            let scale = norm_scale(n_heads);
            for (var d = tid; d < HEAD_DIM; d += THREADS) {
                raw[KEY + d] *= scale;
            }
            workgroupBarrier();
        }
        for (var w = tid; w < 2u * WORDS; w += THREADS) {
            fresh[w] = stored(select(KEY, VALUE, w >= WORDS), w % WORDS);
        }
        workgroupBarrier();
        if (group.y % HEAD_GROUPS == 0u) {
            append(kv_row(own_head, params.context, p, HEAD_DIM), tid);
        }
    } else {
        workgroupBarrier();
    }

    let share = tid / QUADS;
    let quad = tid % QUADS;
    var top = vec4<f32>(LOWEST); // known to those that make scores
    var s = Parts();
    for (var block = begin; block < end; block += SPLIT) {
        let positions = min(SPLIT, end - block);
        let new_at = select(SPLIT, p - block, newest); // of the new key and value, if that is below SPLIT
        let last = max(min(positions, new_at), 1u) - 1u;
        let start = kv_row(own_head, params.context, block, HEAD_DIM);
        var values = Values();
        var later = Values();
        if (share < SHARES && new_at != 0u) {
            values = load_values(start, share, last, quad); // on their way while scores are made
            if (TURNS > 1u) {
                later = load_values(start, share + LOADS * SHARES, last, quad);
            }
        }
        var product = vec4<f32>(0.0);
        let at = block + j;
        if (at >= first && at < end) {
            if (j == new_at) {
                units = load_units(0u, part, true);
            }
            product = score_units(units, part, product);
            for (var more = 8u; more < EACH; more += 8u) {
                let unit = part + more * PARTS;
                product = score_units(load_units(kv_row(own_head, params.context, at, HEAD_DIM), unit, j == new_at), unit, product);
            }
        }
        sums[part * SPLIT + j] = product;
        if (block + SPLIT < end) {
            units = load_units(kv_row(own_head, params.context, min(at + SPLIT, known), HEAD_DIM), part, false);
        }
        workgroupBarrier();
        let place = block + tid;
        var own = vec4<f32>(LOWEST); // a thread's position: its scores
        if (tid < SPLIT) {
            if (place >= first && place < end) {
                own = sums[tid] + sums[SPLIT + tid] + sums[2u * SPLIT + tid] + sums[3u * SPLIT + tid];
                own = vec4<f32>(softcap(own.x, params.softcap), softcap(own.y, params.softcap), softcap(own.z, params.softcap), softcap(own.w, params.softcap));
            }
            scores[tid] = own;
        }
        workgroupBarrier();
        if (tid < SPLIT) {
            let before = top;
            for (var i = 0u; i < SPLIT; i++) {
                top = max(top, scores[i]);
            }
            ps[tid] = select(vec4<f32>(0.0), exp(own - top), own > vec4<f32>(LOWEST));
            if (tid == 0u) {
                shrink = exp(before - top);
            }
        }
        workgroupBarrier();
        if (share < SHARES) {
            if (block != begin) {
                s = Parts(s.a * shrink.x, s.b * shrink.y, s.c * shrink.z, s.d * shrink.w, s.mass * shrink);
            }
            s = add_values(s, values, share, positions, new_at, quad);
            if (TURNS > 1u) {
                s = add_values(s, later, share + LOADS * SHARES, positions, new_at, quad);
            }
        }
    }
    if (share < SHARES && quad == 0u) {
        scores[share] = s.mass;
    }
    let t_start = t * params.n_heads * params.splits * (HEAD_DIM + 2u);
    for (var h = 0u; h < n_heads; h++) {
        if (share < SHARES) {
            sums[tid] = select(select(s.d, s.c, h == 2u), select(s.b, s.a, h == 0u), h < 2u);
        }
        workgroupBarrier();
        let to = t_start + ((head + h) * params.splits + group.x) * HEAD_DIM;
        if (tid < QUADS) {
            var sum = sums[tid];
            for (var other = 1u; other < SHARES; other++) {
                sum += sums[other * QUADS + tid];
            }
            for (var c = 0u; c < 4u; c++) {
                partial[to + tid * 4u + c] = sum[c];
            }
        }
        workgroupBarrier();
    }
    if (tid < n_heads) {
        var mass = 0.0;
        for (var other = 0u; other < SHARES; other++) {
            mass += scores[other][tid];
        }
        let at = t_start + params.n_heads * params.splits * HEAD_DIM + ((head + tid) * params.splits + group.x) * 2u;
        partial[at] = top[tid];
        partial[at + 1u] = mass;
    }
}
