// Matrix times vector as matvec's, for 4- and 5-bit weights with a scale per 32 columns or more and devices that multiply
// four bytes at once. x is made integer first: in each group q = round(x / s), |q| ≤ 32639, so that a unit of
// the last place is 2^-16 of the group's largest. With q = 256 hi + lo, bytes both, and a weight (n − ZERO) w,
//   Σ x (n − ZERO) w = w s (256 Σ n hi + Σ n lo − ZERO Σ q),   every sum an exact integer below 2^24 (5 bits: 2^25).
//
//   params, step and bindings: as matvec; WTYPE is Q4, STYPE without halves, levels and sixth bits. With HEAD_DIM,
//           a multiple of 8, x is the `partial` of attention_split, whose splits are joined here.
//           POST: x is residual + x × rsqrt(mean x² + post_eps) × post first (the norm behind a layer's part);
//           post lies where norm begins, norm `norm_at` columns further; with `kept` the first workgroup writes
//           that x to out, from element `kept` on. (mean x² of the norm itself is of the new x.)
//           ARGMAX: out takes no results but, as argmax_partial leaves it, u32 [rows of x, out_stride, 2]: of every
//           workgroup the key of its largest result and the lowest id that has it, from place `kept` of a row on.
// 256 threads. They take x together (times norm, where there is one), 8 columns each, into workgroup memory;
// then LANES of them share ROWS rows (GLU: pairs), a thread taking every LANES-th group, unpacked once for COLS rows of x.
// LANES is no larger than a subgroup. SPAN groups of x are held at once: 72 bytes each and row of x, which with 272 bytes
// per row of x fit 16 KiB. For sums of the same order whatever COLS is, SPAN, where it is less than all groups, is a
// multiple of LANES, and with NORM and one row of x, of 64. 7 storage buffers. Workgroup x + 32768 y; rows of x from z × COLS on.
enable subgroups;
requires packed_4x8_integer_dot_product;
diagnostic(off, subgroup_uniformity);
#include "common_matvec_io.wgsl"
#include "common_splits.wgsl"
#include "common_key.wgsl"
override HEAD_DIM: u32 = 0u;
override POST: u32 = 0u;
override ARGMAX: u32 = 0u;
override DIM: u32 = max(HEAD_DIM, 8u);
override SPAN: u32 = 28u;
override AHEAD: u32 = 1u; // groups of a row that are loaded before they are needed, per thread: 1, 2, 4

const THREADS = 256u;
const MOST = 4u; // SETS at most
const LARGEST = 32639.0; // 127 × 256 + 127
const NIBBLES = 0x0f0f0f0fu;
const MAGIC_I = 12582912.0; // 1.5 × 2^23: what is added to it is rounded to an integer in the low bits

override HELD: u32 = COLS * SPAN;
var<workgroup> xq: array<vec4<u32>, 4u * HELD>; // [row of x, word of a group, group]: hi of even, of odd columns; lo
var<workgroup> units: array<f32, HELD>;         // s
var<workgroup> zeros: array<i32, HELD>;         // ZERO Σ q, or Σ q where the format has minima
var<workgroup> squares: array<f32, COLS * THREADS / 4u>; // [row of x, subgroup]: they have four lanes at least
var<workgroup> gains: array<f32, COLS>;         // rsqrt of POST

fn bytes_of(v: vec4<i32>) -> u32 {
    let b = v & vec4<i32>(255);
    return u32(b.x | (b.y << 8u) | (b.z << 16u) | (b.w << 24u));
}

// Columns 4c .. 4c + 7 of row z out of the splits of their head: Σ_s e^(m_s − M) o_s / Σ_s e^(m_s − M) l_s.
fn joined(c: u32, z: u32) -> array<vec4<f32>, 2> {
    let heads = params.cols / DIM;
    let head = c * 4u / DIM;
    let p = step_row(z).x;
    let n = p / SPLIT - first_seen(p, params.window) / SPLIT + 1u;
    let begin = z * heads * params.splits / 2u * (DIM / 2u + 1u);
    let o = begin + head * params.splits * DIM / 4u + c - head * (DIM / 4u);
    let pairs = begin + (heads * params.splits * DIM + head * params.splits * 2u) / 4u; // splits is even
    var top = -3.4e38;
    var mass = 0.0;
    var a = vec4<f32>(0.0);
    var b = vec4<f32>(0.0);
    for (var s = 0u; s < n; s++) {
        let two = x[pairs + s / 2u];
        let pair = select(two.xy, two.zw, (s & 1u) == 1u);
        let new_top = max(top, pair.x);
        let old = exp(top - new_top);
        let now = exp(pair.x - new_top);
        mass = fma(mass, old, pair.y * now);
        a = fma(a, vec4<f32>(old), x[o + s * (DIM / 4u)] * now);
        b = fma(b, vec4<f32>(old), x[o + s * (DIM / 4u) + 1u] * now);
        top = new_top;
    }
    return array<vec4<f32>, 2>(a / mass, b / mass);
}

fn fold(value: f32, lanes: u32) -> f32 {
    var v = value;
    for (var m = 1u; m < lanes; m *= 2u) {
        v += subgroupShuffleXor(v, m);
    }
    return v;
}

var<private> square: array<f32, MOST_COLS>; // this thread's Σ x² of each row of x, then the workgroup's

// Begins to sum `square` over the workgroup; behind a barrier total(col) is that.
fn meet(tid: u32, size: u32) {
    for (var col = 0u; col < COLS; col++) {
        let v = fold(square[col], size);
        if (tid % size == 0u) {
            squares[col * (THREADS / 4u) + tid / size] = v;
        }
    }
}

fn total(col: u32, size: u32) -> f32 {
    var sum = 0.0;
    for (var i = 0u; i < THREADS / size; i++) {
        sum += squares[col * (THREADS / 4u) + i];
    }
    return sum;
}

// Row z, or the last.
fn within(z: u32) -> u32 {
    return min(z, row_count(params.rows_sym) - 1u);
}

// Columns 4c .. 4c + 3 of row z + col, c below its end; element `kept` of out on takes them, if it is not 0.
fn column4(z: u32, col: u32, c: u32, kept: u32) -> vec4<f32> {
    let v = x[x_start(z + col) + c];
    if (POST == 0u) {
        return v;
    }
    let row = within(z + col);
    let before = row_source(params.tail & 2u, row) * params.residual_stride + params.residual_column;
    let sum = fma(v * gains[col], norm[c], residual[before / 4u + c]);
    if (kept != 0u) {
        for (var i = 0u; i < 4u; i++) {
            out[kept + row * params.cols + c * 4u + i] = bitcast<u32>(sum[i]);
        }
    }
    return sum;
}

// Columns 4c .. 4c + 7; 0 past the end.
fn column8(z: u32, col: u32, c: u32, kept: u32) -> array<vec4<f32>, 2> {
    let end = params.cols / 4u;
    var ab = array<vec4<f32>, 2>();
    if (HEAD_DIM != 0u) {
        if (c < end) {
            ab = joined(c, within(z + col));
        }
        return ab;
    }
    if (c < end) {
        ab[0] = column4(z, col, c, kept);
    }
    if (c + 1u < end) {
        ab[1] = column4(z, col, c + 1u, kept);
    }
    return ab;
}

// Groups [first, first + SPAN) of COLS rows of x from z on as integers; their squares too, where COLS is 1.
fn take(z: u32, first: u32, tid: u32, kept: u32) {
    let end = params.cols / 4u;
    for (var v = tid; v < HELD * 4u; v += THREADS) { // four neighbours share a group
        let col = v / (SPAN * 4u);
        let u = v % (SPAN * 4u);
        let c = (first * 4u + u) * 2u;
        let ab = column8(z, col, c, kept);
        var a = ab[0];
        var b = ab[1];
        if (NORM != 0u) {
            if (COLS == 1u) {
                square[0] += dot(a, a) + dot(b, b);
            }
            a *= norm[params.norm_at / 4u + min(c, end - 1u)];
            b *= norm[params.norm_at / 4u + min(c + 1u, end - 1u)];
        }
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
        var zero = both.x + both.y + both.z + both.w;
        zero += subgroupShuffleXor(zero, 1u);
        zero += subgroupShuffleXor(zero, 2u);
        let word = u & 3u;
        let group = u >> 2u;
        xq[(col * 4u + word) * SPAN + group] = vec4<u32>(bytes_of((even + 128) >> vec4<u32>(8u)), bytes_of((odd + 128) >> vec4<u32>(8u)),
            bytes_of(even), bytes_of(odd));
        if (word == 0u) {
            units[col * SPAN + group] = s;
            zeros[col * SPAN + group] = select(i32(ZERO) * zero, zero, PAIRS);
        }
    }
}

// A group of a weight row as it lies in memory.
struct Raw {
    words: vec4<u32>,
    scale: vec3<u32>,
}

fn fetch(at: u32) -> Raw {
    return Raw(values[at], scale_words(at * 4u));
}

// Its weights, four to a word, as they meet the words of xq; its scale and minimum.
struct Unpacked {
    even: vec4<u32>,
    odd: vec4<u32>,
    factors: vec2<f32>,
}

// Of group `at` of the slab. Fifth bits: of even columns at bits 0, 8, …, of odd ones above them; two more per word.
fn unpack(w: Raw, at: u32) -> Unpacked {
    var even = w.words & vec4<u32>(NIBBLES);
    var odd = (w.words >> vec4<u32>(4u)) & vec4<u32>(NIBBLES);
    if (HIGH != 0u) {
        let high = vec4<u32>(w.scale.z) >> vec4<u32>(0u, 2u, 4u, 6u);
        even |= (high & vec4<u32>(0x01010101u)) << vec4<u32>(4u);
        odd |= (high & vec4<u32>(0x02020202u)) << vec4<u32>(3u);
    }
    return Unpacked(even, odd, factors_of(w.scale, at * 4u));
}

// sum + Σ over a group with group g of row `col` of the span. What may be fused is, by name: so it rounds alike in every
// pipeline.
fn dot_group(w: Unpacked, col: u32, g: u32, sum: f32) -> f32 {
    var hi = 0;
    var lo = 0;
    for (var i = 0u; i < 4u; i++) {
        let v = xq[(col * 4u + i) * SPAN + g];
        hi += dot4I8Packed(w.even[i], v.x) + dot4I8Packed(w.odd[i], v.y);
        lo += dot4I8Packed(w.even[i], v.z) + dot4I8Packed(w.odd[i], v.w);
    }
    let q = hi * 256 + lo;
    let unit = units[col * SPAN + g];
    let zero = zeros[col * SPAN + g];
    if (PAIRS) {
        return fma(unit, fma(w.factors.x, f32(q), -w.factors.y * f32(zero)), sum);
    }
    return fma(unit * w.factors.x, f32(q - zero), sum);
}

// What is known of x before it is taken: the gains of POST, and the squares of several rows, which are summed in the
// order in which take sums those of one.
fn begin_rows(z: u32, tid: u32, size: u32) {
    if (POST != 0u) {
        for (var col = 0u; col < COLS; col++) {
            let start = x_start(z + col);
            square[col] = 0.0;
            for (var c = tid; c < params.cols / 4u; c += THREADS) {
                square[col] += dot(x[start + c], x[start + c]);
            }
        }
        meet(tid, size);
        workgroupBarrier();
        if (tid < COLS) {
            gains[tid] = inverseSqrt(total(tid, size) / f32(params.cols) + params.post_eps);
        }
        workgroupBarrier();
    }
    for (var col = 0u; col < COLS; col++) {
        square[col] = 0.0;
        if (NORM != 0u && COLS > 1u) {
            for (var u = tid; u < (params.cols + 31u) / 32u * 4u; u += THREADS) {
                let ab = column8(z, col, u * 2u, 0u);
                square[col] += dot(ab[0], ab[0]) + dot(ab[1], ab[1]);
            }
        }
    }
}

// The workgroup's best result for row z of x, into its place. xq has served.
fn best_of_all(z: u32, place: u32, key: u32, id: u32, tid: u32, size: u32) {
    let most = subgroupMax(key);
    let lowest = subgroupMin(select(0xffffffffu, id, key == most));
    workgroupBarrier();
    if (tid % size == 0u) {
        xq[tid / size] = vec4<u32>(most, lowest, 0u, 0u);
    }
    workgroupBarrier();
    if (tid != 0u || z >= row_count(params.rows_sym)) {
        return;
    }
    var best = xq[0];
    for (var i = 1u; i < THREADS / size; i++) {
        let other = xq[i];
        if (other.x > best.x || (other.x == best.x && other.y < best.y)) {
            best = other;
        }
    }
    let at = (z * params.out_stride + params.kept + place) * 2u;
    out[at] = best.x;
    out[at + 1u] = best.y;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) tid: u32,
        @builtin(subgroup_size) size: u32) {
    let z = group.z * COLS;
    let begin = (group.x + group.y * 32768u) * (THREADS / LANES) * ROWS;
    if (begin >= params.n_rows) {
        return;
    }
    let kept = select(0u, params.kept, POST != 0u && ARGMAX == 0u && begin == 0u);
    let lane = tid % LANES;
    let first = begin + tid / LANES * ROWS;
    let groups = (params.cols + 31u) / 32u;
    var rows: array<u32, MOST>; // first group of each row
    for (var i = 0u; i < SETS; i++) {
        rows[i] = (min(first + i % ROWS, params.n_rows - 1u) + i / ROWS * params.up_row) * groups;
    }
    var sums: array<f32, MOST_SUMS>; // [row, row of x]
    var w: array<Raw, MOST * 4u>;
    for (var span = 0u; span < groups; span += SPAN) {
        let most = min(SPAN, groups - span);
        // The first weights are on their way while x is taken.
        for (var a = 0u; a < AHEAD; a++) {
            for (var i = 0u; i < SETS; i++) {
                w[a * MOST + i] = fetch(rows[i] + span + min(lane + a * LANES, most - 1u));
            }
        }
        if (span != 0u) {
            workgroupBarrier();
        } else {
            begin_rows(z, tid, size);
        }
        take(z, span, tid, kept);
        workgroupBarrier();
        for (var g = lane; g < most; g += LANES * AHEAD) {
            for (var a = 0u; a < AHEAD; a++) {
                let at = g + a * LANES;
                let next = at + LANES * AHEAD;
                for (var i = 0u; i < SETS; i++) {
                    let now = w[a * MOST + i];
                    if (next < most) {
                        w[a * MOST + i] = fetch(rows[i] + span + next);
                    }
                    if (at < most) {
                        let weights = unpack(now, rows[i] + span + at);
                        for (var c = 0u; c < COLS; c++) {
                            sums[i * COLS + c] = dot_group(weights, c, at, sums[i * COLS + c]);
                        }
                    }
                }
            }
        }
    }
    if (NORM != 0u) {
        meet(tid, size);
        workgroupBarrier();
        for (var c = 0u; c < COLS; c++) {
            square[c] = total(c, size);
        }
    }
    for (var i = 0u; i < SETS * COLS; i++) {
        sums[i] = fold(sums[i], LANES);
    }
    if (ARGMAX != 0u) {
        for (var c = 0u; c < COLS; c++) {
            var best = 0u;
            var id = 0xffffffffu;
            for (var i = 0u; i < ROWS; i++) {
                if (is_result(first + i, z + c)) {
                    let key = key_of(bitcast<u32>(result(first + i, z + c, sums[i * COLS + c], 0.0, square[c])));
                    if (key > best || id == 0xffffffffu) { // in rising order
                        best = key;
                        id = params.row_begin + first + i;
                    }
                }
            }
            best_of_all(z + c, group.x + group.y * 32768u, best, id, tid, size);
        }
        return;
    }
    for (var c = 0u; c < COLS; c++) {
        for (var i = 0u; i < ROWS; i++) {
            if (lane == (c * ROWS + i) % LANES) {
                finish_row(first + i, z + c, sums[i * COLS + c], sums[select(0u, (ROWS + i) * COLS + c, GLU != 0u)], square[c]);
            }
        }
    }
}
