// Matrix times vector as matvec_dot's, to the last bit, for rows of x that are integers already (common_dot.wgsl); COLS
// of them at once, each weight being read once for all.
//
//   params, step and bindings: as matvec_dot; x: packed rows, x_stride elements apart. NORM: Σ x² stands in them.
// THREADS threads, LANES of which share ROWS rows (GLU: pairs), a thread taking every LANES-th group. No workgroup memory
// but for ARGMAX and PACK: x is read by all from the nearest cache, each subgroup beginning at another row of it, so that one
// waits for what others then find. Sums of a row of x are a vector and have names: arrays would go to memory.
// COLS is at most LANES: a lane ends with one row's sums. 7 storage buffers. Workgroup x + 32768 y; rows of x from z × COLS on.
enable subgroups;
requires packed_4x8_integer_dot_product;
diagnostic(off, subgroup_uniformity);
#include "common_dot.wgsl"
override AHEAD: u32 = 1u; // groups of a row that are loaded before they are needed, per thread: 1, 2

struct Raws {
    a: Raw,
    b: Raw,
    c: Raw,
    d: Raw,
}

var<private> starts: vec4<u32>; // first group of each row
var<private> turn: u32;

fn fetch_all(at: u32) -> Raws {
    var w = Raws();
    w.a = fetch(starts.x + at);
    if (SETS > 1u) {
        w.b = fetch(starts.y + at);
    }
    if (SETS > 2u) {
        w.c = fetch(starts.z + at);
        w.d = fetch(starts.w + at);
    }
    return w;
}

// The row of x, from z on, whose sums have number c here.
fn turned(c: u32) -> u32 {
    return (c + turn) % COLS;
}

struct Group {
    v0: vec4<u32>,
    v1: vec4<u32>,
    v2: vec4<u32>,
    v3: vec4<u32>,
    tag: vec4<f32>,
}

fn product(w: Unpacked, v: Group, sum: f32) -> f32 {
    let hi = dot4I8Packed(w.even.x, v.v0.x) + dot4I8Packed(w.odd.x, v.v0.y) + dot4I8Packed(w.even.y, v.v1.x) + dot4I8Packed(w.odd.y, v.v1.y)
        + dot4I8Packed(w.even.z, v.v2.x) + dot4I8Packed(w.odd.z, v.v2.y) + dot4I8Packed(w.even.w, v.v3.x) + dot4I8Packed(w.odd.w, v.v3.y);
    let lo = dot4I8Packed(w.even.x, v.v0.z) + dot4I8Packed(w.odd.x, v.v0.w) + dot4I8Packed(w.even.y, v.v1.z) + dot4I8Packed(w.odd.y, v.v1.w)
        + dot4I8Packed(w.even.z, v.v2.z) + dot4I8Packed(w.odd.z, v.v2.w) + dot4I8Packed(w.even.w, v.v3.z) + dot4I8Packed(w.odd.w, v.v3.w);
    return add_group(w.factors, v.tag.x, hi, lo, bitcast<i32>(v.tag.y), sum);
}

struct Weights {
    a: Unpacked,
    b: Unpacked,
    c: Unpacked,
    d: Unpacked,
}

// sum + the products of group `at` with row c of x.
fn column(w: Weights, z: u32, c: u32, at: u32, groups: u32, sum: vec4<f32>) -> vec4<f32> {
    let begin = x_start(z + turned(c)) + at;
    let v = Group(bitcast<vec4<u32>>(x[begin]), bitcast<vec4<u32>>(x[begin + groups]), bitcast<vec4<u32>>(x[begin + 2u * groups]),
        bitcast<vec4<u32>>(x[begin + 3u * groups]), x[begin + 4u * groups]);
    var s = sum;
    s.x = product(w.a, v, s.x);
    if (SETS > 1u) {
        s.y = product(w.b, v, s.y);
    }
    if (SETS > 2u) {
        s.z = product(w.c, v, s.z);
        s.w = product(w.d, v, s.w);
    }
    return s;
}

// Of each row of x the sums of this thread's rows.
struct Sums {
    c0: vec4<f32>,
    c1: vec4<f32>,
    c2: vec4<f32>,
    c3: vec4<f32>,
    c4: vec4<f32>,
    c5: vec4<f32>,
    c6: vec4<f32>,
    c7: vec4<f32>,
}

fn add_groups(raws: Raws, z: u32, at: u32, groups: u32, before: Sums) -> Sums {
    var s = before;
    var w = Weights();
    w.a = unpack(raws.a, starts.x + at);
    if (SETS > 1u) {
        w.b = unpack(raws.b, starts.y + at);
    }
    if (SETS > 2u) {
        w.c = unpack(raws.c, starts.z + at);
        w.d = unpack(raws.d, starts.w + at);
    }
    s.c0 = column(w, z, 0u, at, groups, s.c0);
    if (COLS > 1u) {
        s.c1 = column(w, z, 1u, at, groups, s.c1);
    }
    if (COLS > 2u) {
        s.c2 = column(w, z, 2u, at, groups, s.c2);
        s.c3 = column(w, z, 3u, at, groups, s.c3);
    }
    if (COLS > 4u) {
        s.c4 = column(w, z, 4u, at, groups, s.c4);
        s.c5 = column(w, z, 5u, at, groups, s.c5);
        s.c6 = column(w, z, 6u, at, groups, s.c6);
        s.c7 = column(w, z, 7u, at, groups, s.c7);
    }
    return s;
}

// What the thread m lanes away has.
fn other(v: vec4<f32>, m: u32) -> vec4<f32> {
    if (SETS == 1u) {
        return vec4<f32>(subgroupShuffleXor(v.x, m), 0.0, 0.0, 0.0);
    }
    if (SETS == 2u) {
        return vec4<f32>(subgroupShuffleXor(v.xy, m), 0.0, 0.0);
    }
    return subgroupShuffleXor(v, m);
}

// Of two rows of x the sums of one, with those of the thread m lanes away, which takes the other row.
fn share(a: vec4<f32>, b: vec4<f32>, lane: u32, m: u32) -> vec4<f32> {
    let odd = (lane & m) != 0u;
    return select(a, b, odd) + other(select(b, a, odd), m);
}

// The lanes' sums for row lane % COLS of x, in the order of `fold`.
fn meet(s: Sums, lane: u32) -> vec4<f32> {
    var v = s.c0;
    if (COLS > 1u) {
        v = share(s.c0, s.c1, lane, 1u);
    }
    if (COLS > 2u) {
        v = share(v, share(s.c2, s.c3, lane, 1u), lane, 2u);
    }
    if (COLS > 4u) {
        v = share(v, share(share(s.c4, s.c5, lane, 1u), share(s.c6, s.c7, lane, 1u), lane, 2u), lane, 4u);
    }
    for (var m = COLS; m < LANES; m *= 2u) {
        v += other(v, m);
    }
    return v;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) tid: u32,
        @builtin(subgroup_size) size: u32) {
    let z = group.z * COLS;
    let begin = (group.x + group.y * 32768u) * TAKEN;
    if (begin >= params.n_rows) {
        return;
    }
    let lane = tid % LANES;
    let first = begin + tid / LANES * ROWS;
    let groups = (params.cols + 31u) / 32u;
    turn = select(tid / size, 0u, ARGMAX != 0u);
    for (var i = 0u; i < SETS; i++) {
        starts[i] = (min(first + i % ROWS, params.n_rows - 1u) + i / ROWS * params.up_row) * groups;
    }
    var next = fetch_all(min(lane, groups - 1u));
    var after = Raws();
    if (AHEAD > 1u) {
        after = fetch_all(min(lane + LANES, groups - 1u));
    }
    var s = Sums();
    for (var g = lane; g < groups; g += LANES * AHEAD) {
        let now = next;
        if (g + LANES * AHEAD < groups) {
            next = fetch_all(g + LANES * AHEAD);
        }
        s = add_groups(now, z, g, groups, s);
        if (AHEAD > 1u) {
            let at = g + LANES;
            let then = after;
            if (at + LANES * AHEAD < groups) {
                after = fetch_all(at + LANES * AHEAD);
            }
            if (at < groups) {
                s = add_groups(then, z, at, groups, s);
            }
        }
    }
    let sums = meet(s, lane);
    let own = lane % COLS;
    let col = turned(own);
    var squared = 0.0;
    if (NORM != 0u) {
        squared = x[x_start(z + col) + 4u * groups].z;
    }
    if (ARGMAX != 0u) { // all threads take part in a row's, so nothing is turned
        var best = vec2<u32>(0u, 0xffffffffu);
        for (var i = 0u; i < ROWS; i++) {
            best = better(best, first + i, z + own, sums[i], squared);
        }
        for (var c = 0u; c < COLS; c++) {
            let one = select(vec2<u32>(0u, 0xffffffffu), best, own == c);
            best_of_all(z + c, group.x + group.y * 32768u, one.x, one.y, tid, size);
        }
        return;
    }
    for (var i = 0u; i < ROWS; i++) {
        if (lane / COLS == i % (LANES / COLS)) {
            let up = sums[select(0u, ROWS + i, GLU != 0u) & 3u];
            if (PACK != 0u) {
                results[col * TAKEN + first - begin + i] = result(first + i, z + col, sums[i], up, squared);
            } else {
                finish_row(first + i, z + col, sums[i], up, squared);
            }
        }
    }
    if (PACK != 0u) {
        pack_results(begin, z, tid);
    }
}
