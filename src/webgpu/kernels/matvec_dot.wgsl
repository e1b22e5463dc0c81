// Matrix times vector as matvec's, for 4- and 5-bit weights with a scale per 32 columns or more and devices that multiply
// four bytes at once. Each workgroup makes x integer for itself; matvec_packed finds it made.
//
//   params, step and bindings: as matvec; WTYPE is Q4, STYPE without halves, levels and sixth bits. With HEAD_DIM,
//           a multiple of 8, x is the `partial` of attention_split, whose splits are joined here.
//           POST: x is residual + x × rsqrt(mean x² + post_eps) × post first (the norm behind a layer's part);
//           post lies where norm begins, norm `norm_at` columns further; with `kept` the first workgroup writes
//           that x to out, from element `kept` on. (mean x² of the norm itself is of the new x.)
//           ARGMAX: out takes no results but, as argmax_partial leaves it, u32 [rows of x, out_stride, 2]: of every
//           workgroup the key of its largest result and the lowest id that has it, from place `kept` of a row on.
//           PACK: out takes the results as packed rows of x (common_dot.wgsl), out_stride elements apart; n_rows is a
//           multiple of 32, row_begin 0, and so is the count of a workgroup's results.
// 256 threads. They take x together (times norm, where there is one), 8 columns each, into workgroup memory;
// then LANES of them share ROWS rows (GLU: pairs), a thread taking every LANES-th group.
// LANES is no larger than a subgroup. SPAN groups of x are held at once: 72 bytes each, which with 800 bytes fit
// 16 KiB. For sums of the same order in every kernel SPAN, where it is less than all groups, is a
// multiple of LANES, and with NORM of 64. 7 storage buffers. Workgroup x + 32768 y; row z of x.
enable subgroups;
requires packed_4x8_integer_dot_product;
diagnostic(off, subgroup_uniformity);
#include "common_dot.wgsl"
#include "common_take.wgsl"
override SPAN: u32 = 28u;
override AHEAD: u32 = 1u; // groups of a row that are loaded before they are needed, per thread: 1, 2, 4

const MOST = 4u; // SETS at most

var<workgroup> xq: array<vec4<u32>, 4u * SPAN>; // [word of a group, group]
var<workgroup> units: array<f32, SPAN>;
var<workgroup> q_sums: array<i32, SPAN>;

fn keep(at: u32, value: u32) {
    out[at] = value;
}

// Groups [first, first + SPAN) of row z of x as integers.
fn take(z: u32, first: u32, tid: u32, kept: u32) {
    for (var u = tid; u < SPAN * 4u; u += THREADS) { // four neighbours share a group
        let p = take8(z, first * 4u + u, kept);
        let word = u & 3u;
        let group = u >> 2u;
        xq[word * SPAN + group] = p.words;
        if (word == 0u) {
            units[group] = p.unit;
            q_sums[group] = p.sum;
        }
    }
}

// sum + Σ over a group with group g of the span.
fn dot_group(w: Unpacked, g: u32, sum: f32) -> f32 {
    var hi = 0;
    var lo = 0;
    for (var i = 0u; i < 4u; i++) {
        let v = xq[i * SPAN + g];
        hi += dot4I8Packed(w.even[i], v.x) + dot4I8Packed(w.odd[i], v.y);
        lo += dot4I8Packed(w.even[i], v.z) + dot4I8Packed(w.odd[i], v.w);
    }
    return add_group(w.factors, units[g], hi, lo, q_sums[g], sum);
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) tid: u32,
        @builtin(subgroup_size) size: u32) {
    let z = group.z;
    let begin = (group.x + group.y * 32768u) * TAKEN;
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
    var sums: array<f32, MOST>;
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
            begin_row(z, tid, size);
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
                        sums[i] = dot_group(unpack(now, rows[i] + span + at), at, sums[i]);
                    }
                }
            }
        }
    }
    if (NORM != 0u) {
        square = total(square, tid, size);
    }
    for (var i = 0u; i < SETS; i++) {
        sums[i] = fold(sums[i], LANES);
    }
    if (ARGMAX != 0u) {
        var best = vec2<u32>(0u, 0xffffffffu);
        for (var i = 0u; i < ROWS; i++) {
            best = better(best, first + i, z, sums[i], square);
        }
        best_of_all(z, group.x + group.y * 32768u, best.x, best.y, tid, size);
        return;
    }
    for (var i = 0u; i < ROWS; i++) {
        let up = sums[select(0u, ROWS + i, GLU != 0u)];
        if (lane == i % LANES) {
            if (PACK != 0u) {
                results[first - begin + i] = result(first + i, z, sums[i], up, square);
            } else {
                finish_row(first + i, z, sums[i], up, square);
            }
        }
    }
    if (PACK != 0u) {
        pack_results(begin, z, tid);
    }
}
