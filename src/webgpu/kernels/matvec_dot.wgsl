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
// 256 threads. They take x together (times norm, where there is one), 8 columns each, into workgroup memory;
// then LANES of them share ROWS rows (GLU: pairs), a thread taking every LANES-th group. LANES is no larger
// than a subgroup. SPAN groups of x are held at once: 72 bytes each, at most 224 (16 KiB), a multiple of 2.
// 7 storage buffers. Workgroup x + 32768 y; row of x: z.
enable subgroups;
requires packed_4x8_integer_dot_product;
diagnostic(off, subgroup_uniformity);
#include "common_matvec_io.wgsl"
#include "common_splits.wgsl"
override HEAD_DIM: u32 = 0u;
override POST: u32 = 0u;
override DIM: u32 = max(HEAD_DIM, 8u);
override SPAN: u32 = 28u;
override AHEAD: u32 = 1u; // groups of a row that are loaded before they are needed, per thread: 1, 2, 4
override SETS: u32 = ROWS * select(1u, 2u, GLU != 0u); // rows and their partners

const THREADS = 256u;
const MOST = 4u; // SETS at most
const LARGEST = 32639.0; // 127 × 256 + 127
const NIBBLES = 0x0f0f0f0fu;
const MAGIC_I = 12582912.0; // 1.5 × 2^23: what is added to it is rounded to an integer in the low bits

var<workgroup> xq: array<vec4<u32>, 4u * SPAN>; // [word of a group, group]: hi of even, of odd columns; lo
var<workgroup> units: array<f32, SPAN>;         // s
var<workgroup> zeros: array<i32, SPAN>;         // ZERO Σ q, or Σ q where the format has minima
var<workgroup> squares: array<f32, THREADS>;    // one per subgroup

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
        mass = mass * old + pair.y * now;
        a = a * old + x[o + s * (DIM / 4u)] * now;
        b = b * old + x[o + s * (DIM / 4u) + 1u] * now;
        top = new_top;
    }
    return array<vec4<f32>, 2>(a / mass, b / mass);
}

// The workgroup's sum.
fn total(value: f32, tid: u32, size: u32) -> f32 {
    let v = subgroupAdd(value);
    if (tid % size == 0u) {
        squares[tid / size] = v;
    }
    workgroupBarrier();
    var sum = 0.0;
    for (var i = 0u; i < THREADS / size; i++) {
        sum += squares[i];
    }
    return sum;
}

// This thread's Σ x² of a row as it lies in memory.
fn squares_of(start: u32, tid: u32) -> f32 {
    var sum = 0.0;
    for (var c = tid; c < params.cols / 4u; c += THREADS) {
        sum += dot(x[start + c], x[start + c]);
    }
    return sum;
}

// Where row z's parts begin, in vec4s, and what POST makes of it.
struct Place {
    z: u32,
    start: u32,
    before: u32, // of residual
    gain: f32,
    kept: u32,   // element of out that takes the new x, 0: none
}

// Columns 4c .. 4c + 3 of a row, c below its end.
fn column4(place: Place, c: u32) -> vec4<f32> {
    let v = x[place.start + c];
    if (POST == 0u) {
        return v;
    }
    let sum = v * place.gain * norm[c] + residual[place.before + c];
    if (place.kept != 0u) {
        for (var i = 0u; i < 4u; i++) {
            out[place.kept + c * 4u + i] = sum[i];
        }
    }
    return sum;
}

// Groups [first, first + SPAN) of x as integers; returns this thread's Σ x².
fn take(place: Place, first: u32, tid: u32) -> f32 {
    let end = params.cols / 4u;
    var sum = 0.0;
    for (var u = tid; u < SPAN * 4u; u += THREADS) { // four neighbours share a group
        let c = (first * 4u + u) * 2u;
        var a = vec4<f32>(0.0);
        var b = vec4<f32>(0.0);
        if (HEAD_DIM != 0u) {
            if (c < end) {
                let ab = joined(c, place.z);
                a = ab[0];
                b = ab[1];
            }
        } else {
            if (c < end) {
                a = column4(place, c);
            }
            if (c + 1u < end) {
                b = column4(place, c + 1u);
            }
        }
        if (NORM != 0u) {
            sum += dot(a, a) + dot(b, b);
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
        var z = both.x + both.y + both.z + both.w;
        z += subgroupShuffleXor(z, 1u);
        z += subgroupShuffleXor(z, 2u);
        let word = u & 3u;
        let group = u >> 2u;
        xq[word * SPAN + group] = vec4<u32>(bytes_of((even + 128) >> vec4<u32>(8u)), bytes_of((odd + 128) >> vec4<u32>(8u)),
            bytes_of(even), bytes_of(odd));
        if (word == 0u) {
            units[group] = s;
            zeros[group] = select(i32(ZERO) * z, z, PAIRS);
        }
    }
    return sum;
}

struct Parts {
    hi: i32,
    lo: i32,
}

// high: the fifth bits of even columns at bits 0, 8, …, those of odd ones above them.
fn dot_word(p: Parts, w: u32, high: u32, v: vec4<u32>) -> Parts {
    var even = w & NIBBLES;
    var odd = (w >> 4u) & NIBBLES;
    if (HIGH != 0u) {
        even |= (high & 0x01010101u) << 4u;
        odd |= (high & 0x02020202u) << 3u;
    }
    return Parts(p.hi + dot4I8Packed(even, v.x) + dot4I8Packed(odd, v.y), p.lo + dot4I8Packed(even, v.z) + dot4I8Packed(odd, v.w));
}

// A group of a weight row as it lies in memory.
struct Raw {
    words: vec4<u32>,
    scale: vec3<u32>,
}

fn fetch(at: u32) -> Raw {
    return Raw(values[at], scale_words(at * 4u));
}

// Σ over group `at` of the slab with group g of the span.
fn dot_group(w: Raw, at: u32, g: u32) -> f32 {
    let high = w.scale.z;
    var p = dot_word(Parts(0, 0), w.words.x, high, xq[g]);
    p = dot_word(p, w.words.y, high >> 2u, xq[SPAN + g]);
    p = dot_word(p, w.words.z, high >> 4u, xq[2u * SPAN + g]);
    p = dot_word(p, w.words.w, high >> 6u, xq[3u * SPAN + g]);
    let f = factors_of(w.scale, at * 4u);
    let sum = p.hi * 256 + p.lo;
    if (PAIRS) {
        return units[g] * (f.x * f32(sum) - f.y * f32(zeros[g]));
    }
    return units[g] * f.x * f32(sum - zeros[g]);
}

fn fold(value: f32) -> f32 {
    var v = value;
    for (var m = 1u; m < LANES; m *= 2u) {
        v += subgroupShuffleXor(v, m);
    }
    return v;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) tid: u32,
        @builtin(subgroup_size) size: u32) {
    let z = group.z;
    let begin = (group.x + group.y * 32768u) * (THREADS / LANES) * ROWS;
    if (begin >= params.n_rows) {
        return;
    }
    var place = Place(z, (row_source(params.tail & 1u, z) * params.x_stride + params.x_column) / 4u, 0u, 1.0, 0u);
    let lane = tid % LANES;
    let first = begin + tid / LANES * ROWS;
    let groups = (params.cols + 31u) / 32u;
    var rows: array<u32, MOST>; // first group of each row
    for (var i = 0u; i < SETS; i++) {
        rows[i] = (min(first + i % ROWS, params.n_rows - 1u) + i / ROWS * params.up_row) * groups;
    }
    var sums: array<f32, MOST>;
    var w: array<Raw, MOST * 4u>;
    var square = 0.0;
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
        } else if (POST != 0u) {
            let before = row_source(params.tail & 2u, z) * params.residual_stride + params.residual_column;
            place.before = before / 4u;
            place.gain = inverseSqrt(total(squares_of(place.start, tid), tid, size) / f32(params.cols) + params.post_eps);
            if (begin == 0u && params.kept != 0u) {
                place.kept = params.kept + z * params.cols;
            }
        }
        square += take(place, span, tid);
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
                        sums[i] += dot_group(now, rows[i] + span + at, at);
                    }
                }
            }
        }
    }
    if (NORM != 0u) {
        square = total(square, tid, size);
    }
    for (var i = 0u; i < SETS; i++) {
        sums[i] = fold(sums[i]);
    }
    for (var i = 0u; i < ROWS; i++) {
        if (lane == i % LANES && first + i < params.n_rows) {
            finish_row(first + i, z, sums[i], sums[(ROWS + i) % MOST], square);
        }
    }
}
