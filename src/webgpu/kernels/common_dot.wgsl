// What matvecs over integers share: x as integers, weights four to a word, arg-max, results as the next one's x.
//
// x is made integer first: in each group q = round(x / s), |q| ≤ 32639, so that a unit of the last place is 2^-16 of the
// group's largest. With q = 256 hi + lo, bytes both, and a weight (n − ZERO) w,
//   Σ x (n − ZERO) w = w s (256 Σ n hi + Σ n lo − ZERO Σ q),   every sum an exact integer below 2^24 (5 bits: 2^25).
//
// A packed row of x, of 80 bytes per group: vec4<u32> [4, groups], of eight columns each (hi of even, of odd columns; lo),
// then vec4 [groups]: s, Σ q as an integer, the whole row's Σ x² before its norm, 0.
#include "common_matvec_io.wgsl"
#include "common_key.wgsl"
#include "common_unpack.wgsl"
override ARGMAX: u32 = 0u;
override PACK: u32 = 0u;
override THREADS: u32 = 256u;
override TAKEN: u32 = THREADS / LANES * ROWS; // results of a workgroup, per row of x
override EIGHTS: u32 = max(TAKEN / 8u, 1u);
override HELD_RESULTS: u32 = select(1u, TAKEN * COLS, PACK != 0u);
var<workgroup> results: array<f32, HELD_RESULTS>;
var<workgroup> bests: array<vec2<u32>, 64>; // of each subgroup: they have four lanes at least

const LARGEST = 32639.0; // 127 × 256 + 127
const MAGIC_I = 12582912.0; // 1.5 × 2^23: what is added to it is rounded to an integer in the low bits

fn bytes_of(v: vec4<i32>) -> u32 {
    let b = v & vec4<i32>(255);
    return u32(b.x | (b.y << 8u) | (b.z << 16u) | (b.w << 24u));
}

struct Packed {
    words: vec4<u32>,
    unit: f32, // s and Σ q of the whole group
    sum: i32,
}

// Eight columns as integers, of a group that four neighbouring threads share.
fn pack(a: vec4<f32>, b: vec4<f32>) -> Packed {
    let m4 = max(abs(a), abs(b));
    var m = max(max(m4.x, m4.y), max(m4.z, m4.w));
    m = max(m, subgroupShuffleXor(m, 1u));
    m = max(m, subgroupShuffleXor(m, 2u));
    let s = m / LARGEST;
    let r = select(0.0, 1.0 / s, s > 1e-37);
    let p = bitcast<vec4<i32>>(fma(a, vec4<f32>(r), vec4<f32>(MAGIC_I))) - 0x4b400000;
    let q = bitcast<vec4<i32>>(fma(b, vec4<f32>(r), vec4<f32>(MAGIC_I))) - 0x4b400000;
    let even = vec4<i32>(p.xz, q.xz);
    let odd = vec4<i32>(p.yw, q.yw);
    let both = even + odd;
    var sum = both.x + both.y + both.z + both.w;
    sum += subgroupShuffleXor(sum, 1u);
    sum += subgroupShuffleXor(sum, 2u);
    return Packed(vec4<u32>(bytes_of((even + 128) >> vec4<u32>(8u)), bytes_of((odd + 128) >> vec4<u32>(8u)),
        bytes_of(even), bytes_of(odd)), s, sum);
}

// Eight columns, number u of a packed row that begins at element `start` of out.
fn put_packed(start: u32, groups: u32, u: u32, p: Packed) {
    let word = u & 3u;
    let group = u >> 2u;
    let at = start + (word * groups + group) * 4u;
    for (var i = 0u; i < 4u; i++) {
        out[at + i] = p.words[i];
    }
    if (word == 0u) {
        let tag = start + (4u * groups + group) * 4u;
        out[tag] = bitcast<u32>(p.unit);
        out[tag + 1u] = u32(p.sum);
    }
}

fn fold(value: f32, lanes: u32) -> f32 {
    var v = value;
    for (var m = 1u; m < lanes; m *= 2u) {
        v += subgroupShuffleXor(v, m);
    }
    return v;
}

// A group of a weight row as it lies in memory.
struct Raw {
    words: vec4<u32>,
    scale: vec3<u32>,
}

fn fetch(at: u32) -> Raw {
    return Raw(values[at], scale_words(at * 4u));
}

fn unpack(w: Raw, at: u32) -> Unpacked {
    return unpack_words(w.words, w.scale, at);
}

// sum + a group's product, of 256 Σ n hi + Σ n lo and Σ q. What may be fused is, by name: so it rounds alike in every
// pipeline.
fn add_group(factors: vec2<f32>, unit: f32, hi: i32, lo: i32, q_sum: i32, sum: f32) -> f32 {
    let q = hi * 256 + lo;
    if (PAIRS) {
        return fma(unit, fma(factors.x, f32(q), -factors.y * f32(q_sum)), sum);
    }
    return fma(unit * factors.x, f32(q - i32(ZERO) * q_sum), sum);
}

// The workgroup's best result for row z of x, into its place.
fn best_of_all(z: u32, place: u32, key: u32, id: u32, tid: u32, size: u32) {
    let most = subgroupMax(key);
    let lowest = subgroupMin(select(0xffffffffu, id, key == most));
    workgroupBarrier();
    if (tid % size == 0u) {
        bests[tid / size] = vec2<u32>(most, lowest);
    }
    workgroupBarrier();
    if (tid != 0u || z >= row_count(params.rows_sym)) {
        return;
    }
    var best = bests[0];
    for (var i = 1u; i < THREADS / size; i++) {
        let other = bests[i];
        if (other.x > best.x || (other.x == best.x && other.y < best.y)) {
            best = other;
        }
    }
    let at = (z * params.out_stride + params.kept + place) * 2u;
    out[at] = best.x;
    out[at + 1u] = best.y;
}

// The better of a pair (key, id) and a result, which come in rising order of rows.
fn better(best: vec2<u32>, row: u32, z: u32, sum: f32, square: f32) -> vec2<u32> {
    if (is_result(row, z)) {
        let key = key_of(bitcast<u32>(result(row, z, sum, 0.0, square)));
        if (key > best.x || best.y == 0xffffffffu) {
            return vec2<u32>(key, params.row_begin + row);
        }
    }
    return best;
}

// The workgroup's results, [COLS, TAKEN] from row `begin` and row z of x on, as packed rows of n_rows columns.
fn pack_results(begin: u32, z: u32, tid: u32) {
    workgroupBarrier();
    for (var v = tid; v < COLS * EIGHTS; v += THREADS) {
        let c = v / EIGHTS;
        let u = v % EIGHTS;
        let r = c * TAKEN + u * 8u;
        let p = pack(vec4<f32>(results[r], results[r + 1u], results[r + 2u], results[r + 3u]),
            vec4<f32>(results[r + 4u], results[r + 5u], results[r + 6u], results[r + 7u]));
        if (begin + u * 8u < params.n_rows && z + c < row_count(params.rows_sym)) {
            put_packed((z + c) * params.out_stride, params.n_rows / 32u, begin / 8u + u, p);
        }
    }
}
