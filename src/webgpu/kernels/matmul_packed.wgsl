// Matrix product as matmul_tiles', of four-bit weights and packed rows of x (common_dot.wgsl), in tiles of bytes: a result
// of a group of 32 columns is sixteen products of four bytes, all integers, and one step of a sum in float32.
//
//   params, step and bindings: as matmul_tiles; x: packed rows, x_stride elements apart.
//   TX 8, 16 or 32; TY 4, 8 or 16; SLICES 1, 2 or 4; QUADS 1 or 2: TX × TY × SLICES threads, for 8 TY rows of x by
//   4 QUADS TX weight rows (GLU: half as many pairs), which are 64 or 128; 4 QUADS <= TY
// A step is SLICES groups, one for each slice's threads, whose sums meet at the end; those of one slice are added in the
// order of groups, whatever the tile. A thread makes 8 × 4 QUADS results: rows ty + TY i, columns tx + TX j. A group of
// weights lies as two cells (even and odd columns), one of x as four (eight columns: high bytes of even, of odd ones; low
// bytes), as [chunk of four][cell][row % 32]: lanes that load together read neighbours, and as in matmul_tiles indices
// are known when compiling. A slice takes 40 bytes for a weight row and 72 for a row of x. Workgroup (n, m).
requires packed_4x8_integer_dot_product;
#include "common_matmul.wgsl"
#include "common_unpack.wgsl"
override TX: u32 = 16u;
override TY: u32 = 8u;
override SLICES: u32 = 1u;
override QUADS: u32 = 1u;
override LANES: u32 = TX * TY;
override THREADS: u32 = LANES * SLICES;
override LINES: u32 = TX * QUADS * 4u; // weight rows of the tile
override X_ROWS: u32 = TY * 8u;
override W_CHUNKS: u32 = LINES / 64u; // of a slice
override X_CHUNKS: u32 = X_ROWS / 32u;
override FIRST_X: u32 = SLICES * W_CHUNKS;
override CHUNKS: u32 = FIRST_X + SLICES * X_CHUNKS;
override FACTORS: u32 = SLICES * LINES / 32u;
override MINIMA: u32 = select(1u, FACTORS, PAIRS);
override TAGS: u32 = SLICES * X_CHUNKS;

const CELLS = 4u;
const WIDE = 32u;
var<workgroup> tiles: array<array<array<vec4<u32>, WIDE>, CELLS>, CHUNKS>;
#include "common_slices.wgsl"
var<workgroup> factors: array<array<f32, 32>, FACTORS>;
var<workgroup> minima: array<array<f32, 32>, MINIMA>;
var<workgroup> tags: array<array<vec2<u32>, 32>, TAGS>; // s; PAIRS: Σ q as a float, else - ZERO Σ q

// Four weight rows: even and odd columns.
struct Four {
    e0: vec4<u32>,
    o0: vec4<u32>,
    e1: vec4<u32>,
    o1: vec4<u32>,
    e2: vec4<u32>,
    o2: vec4<u32>,
    e3: vec4<u32>,
    o3: vec4<u32>,
    factors: vec4<f32>,
    minima: vec4<f32>,
}

// A group of a row of x.
struct Group {
    v0: vec4<u32>,
    v1: vec4<u32>,
    v2: vec4<u32>,
    v3: vec4<u32>,
    tag: vec2<u32>,
}

fn w_cell(slice: u32, odd: u32, line: u32, tx: u32) -> vec4<u32> {
    let cell = odd * (LINES / 32u) + line / 32u;
    return tiles[slice * W_CHUNKS + cell / 4u][cell % 4u][line % 32u + tx];
}

fn factor(slice: u32, line: u32, tx: u32) -> f32 {
    return factors[slice * (LINES / 32u) + line / 32u][line % 32u + tx];
}

fn minimum(slice: u32, line: u32, tx: u32) -> f32 {
    return minima[slice * (LINES / 32u) + line / 32u][line % 32u + tx];
}

// Lines tx + TX (j … j + 3).
fn four(slice: u32, j: u32, tx: u32) -> Four {
    let l = vec4<u32>(j, j + 1u, j + 2u, j + 3u) * TX;
    var w = Four(w_cell(slice, 0u, l.x, tx), w_cell(slice, 1u, l.x, tx), w_cell(slice, 0u, l.y, tx), w_cell(slice, 1u, l.y, tx),
        w_cell(slice, 0u, l.z, tx), w_cell(slice, 1u, l.z, tx), w_cell(slice, 0u, l.w, tx), w_cell(slice, 1u, l.w, tx),
        vec4<f32>(factor(slice, l.x, tx), factor(slice, l.y, tx), factor(slice, l.z, tx), factor(slice, l.w, tx)), vec4<f32>());
    if (PAIRS) {
        w.minima = vec4<f32>(minimum(slice, l.x, tx), minimum(slice, l.y, tx), minimum(slice, l.z, tx), minimum(slice, l.w, tx));
    }
    return w;
}

fn x_cell(slice: u32, word: u32, row: u32, ty: u32) -> vec4<u32> {
    let cell = word * X_CHUNKS + row / 32u;
    return tiles[FIRST_X + slice * X_CHUNKS + cell / 4u][cell % 4u][row % 32u + ty];
}

// 256 Σ n hi + Σ n lo + start, exact.
fn integers(e: vec4<u32>, o: vec4<u32>, v: Group, start: i32) -> f32 {
    var q = dot4I8Packed(e.x, v.v0.x);
    q += dot4I8Packed(o.x, v.v0.y);
    q += dot4I8Packed(e.y, v.v1.x);
    q += dot4I8Packed(o.y, v.v1.y);
    q += dot4I8Packed(e.z, v.v2.x);
    q += dot4I8Packed(o.z, v.v2.y);
    q += dot4I8Packed(e.w, v.v3.x);
    q += dot4I8Packed(o.w, v.v3.y);
    q = q * 256 + start;
    q += dot4I8Packed(e.x, v.v0.z);
    q += dot4I8Packed(o.x, v.v0.w);
    q += dot4I8Packed(e.y, v.v1.z);
    q += dot4I8Packed(o.y, v.v1.w);
    q += dot4I8Packed(e.z, v.v2.z);
    q += dot4I8Packed(o.z, v.v2.w);
    q += dot4I8Packed(e.w, v.v3.z);
    q += dot4I8Packed(o.w, v.v3.w);
    return f32(q);
}

// As add_group of common_dot.wgsl.
fn add_four(w: Four, v: Group, sum: vec4<f32>) -> vec4<f32> {
    let start = select(bitcast<i32>(v.tag.y), 0, PAIRS);
    let q = vec4<f32>(integers(w.e0, w.o0, v, start), integers(w.e1, w.o1, v, start),
        integers(w.e2, w.o2, v, start), integers(w.e3, w.o3, v, start));
    let unit = vec4<f32>(bitcast<f32>(v.tag.x));
    if (PAIRS) {
        return fma(unit, fma(w.factors, q, -w.minima * bitcast<f32>(v.tag.y)), sum);
    }
    return fma(unit * w.factors, q, sum);
}

// Row ty + TY i of x.
fn add_row(sum: Sum, w: Four, u: Four, slice: u32, i: u32, ty: u32) -> Sum {
    let row = TY * i;
    let v = Group(x_cell(slice, 0u, row, ty), x_cell(slice, 1u, row, ty), x_cell(slice, 2u, row, ty), x_cell(slice, 3u, row, ty),
        tags[slice * X_CHUNKS + row / 32u][row % 32u + ty]);
    var s = sum;
    s.lo = add_four(w, v, s.lo);
    if (QUADS > 1u) {
        s.hi = add_four(u, v, s.hi);
    }
    return s;
}

// All slices' sums of one row, written by that slice whose turn it is.
fn finish(i: u32, own: Sum, tid: u32, m: u32, n: u32, rows: u32) {
    let s = met(i, own, tid);
    if (m < rows && finishes(i, tid)) {
        for (var j = 0u; j < 4u; j++) {
            if (GLU == 0u) {
                store(m, n + TX * j, s.lo[j], 0.0);
                if (QUADS > 1u) {
                    store(m, n + TX * (j + 4u), s.hi[j], 0.0);
                }
            } else if (QUADS > 1u) {
                store(m, n + TX * j, s.lo[j], s.hi[j]);
            } else if (j < 2u) {
                store(m, n + TX * j, s.lo[j], s.lo[j + 2u]);
            }
        }
    }
}

// What a thread loads of a step: a group of a weight row, and of x those words of a row's that are TX / 8 apart.
struct Loaded {
    words: vec4<u32>,
    scale: vec3<u32>,
    x0: vec4<f32>,
    x1: vec4<f32>,
    x2: vec4<f32>,
    x3: vec4<f32>,
    tag: vec4<f32>,
}

fn load(w: u32, x_from: u32, first: u32, groups: u32, at: u32, w_loads: bool, tag_loads: bool) -> Loaded {
    var l: Loaded;
    let g = min(at, groups - 1u);
    if (w_loads) {
        l.words = values[w + g];
        l.scale = scale_words((w + g) * 4u);
    }
    l.x0 = x[x_from + first * groups + g];
    if (TX < 32u) {
        l.x1 = x[x_from + (first + TX / 8u) * groups + g];
    }
    if (TX < 16u) {
        l.x2 = x[x_from + (first + 2u) * groups + g];
        l.x3 = x[x_from + (first + 3u) * groups + g];
    }
    if (tag_loads) {
        l.tag = x[x_from + 4u * groups + g];
    }
    return l;
}

fn put_x(slice: u32, word: u32, row: u32, v: vec4<f32>) {
    let cell = word * X_CHUNKS + row / 32u;
    tiles[FIRST_X + slice * X_CHUNKS + cell / 4u][cell % 4u][row % 32u] = bitcast<vec4<u32>>(v);
}

fn put_w(slice: u32, odd: u32, line: u32, v: vec4<u32>) {
    let cell = odd * (LINES / 32u) + line / 32u;
    tiles[slice * W_CHUNKS + cell / 4u][cell % 4u][line % 32u] = v;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) tid: u32) {
    let rows = row_count(params.rows_sym);
    let groups = (params.cols + 31u) / 32u;
    let n0 = group.x * (LINES / select(1u, 2u, GLU != 0u));
    let m0 = group.y * X_ROWS;

    // Loading.
    let part = tid % SLICES;
    let item = tid / SLICES;
    let row = item % X_ROWS;
    let first = item / X_ROWS;
    let w_loads = item < LINES;
    let tag_loads = item < X_ROWS;
    let w_from = weight_row(n0, item, LINES / 2u) * groups;
    let x_from = min(m0 + row, rows - 1u) * (params.x_stride / 4u);

    // Computing.
    let slice = select(tid / LANES, 0u, SLICES == 1u);
    let tx = tid % TX;
    let ty = tid % LANES / TX;
    var s0: Sum;
    var s1: Sum;
    var s2: Sum;
    var s3: Sum;
    var s4: Sum;
    var s5: Sum;
    var s6: Sum;
    var s7: Sum;

    var next = load(w_from, x_from, first, groups, part, w_loads, tag_loads);
    for (var g = 0u; g < groups; g += SLICES) {
        let at = g + part;
        workgroupBarrier(); // the previous step's tiles have been used
        if (w_loads) {
            let w = unpack_words(next.words, next.scale, w_from + min(at, groups - 1u));
            put_w(part, 0u, item, w.even);
            put_w(part, 1u, item, w.odd);
            factors[part * (LINES / 32u) + item / 32u][item % 32u] = w.factors.x;
            if (PAIRS) {
                minima[part * (LINES / 32u) + item / 32u][item % 32u] = w.factors.y;
            }
        }
        put_x(part, first, row, next.x0);
        if (TX < 32u) {
            put_x(part, first + TX / 8u, row, next.x1);
        }
        if (TX < 16u) {
            put_x(part, first + 2u, row, next.x2);
            put_x(part, first + 3u, row, next.x3);
        }
        if (tag_loads) { // past the last group all is times 0
            let sum = bitcast<i32>(next.tag.y);
            let start = select(u32(sum * -i32(ZERO)), bitcast<u32>(f32(sum)), PAIRS);
            tags[part * X_CHUNKS + row / 32u][row % 32u] = vec2<u32>(select(0u, bitcast<u32>(next.tag.x), at < groups), start);
        }
        workgroupBarrier();
        if (g + SLICES < groups) { // on its way while this step computes
            next = load(w_from, x_from, first, groups, at + SLICES, w_loads, tag_loads);
        }
        let w = four(slice, 0u, tx);
        var u = w;
        if (QUADS > 1u) {
            u = four(slice, 4u, tx);
        }
        s0 = add_row(s0, w, u, slice, 0u, ty);
        s1 = add_row(s1, w, u, slice, 1u, ty);
        s2 = add_row(s2, w, u, slice, 2u, ty);
        s3 = add_row(s3, w, u, slice, 3u, ty);
        s4 = add_row(s4, w, u, slice, 4u, ty);
        s5 = add_row(s5, w, u, slice, 5u, ty);
        s6 = add_row(s6, w, u, slice, 6u, ty);
        s7 = add_row(s7, w, u, slice, 7u, ty);
    }
    let n = n0 + tx;
    let m = m0 + ty;
    finish(0u, s0, tid, m, n, rows);
    finish(1u, s1, tid, m + TY, n, rows);
    finish(2u, s2, tid, m + TY * 2u, n, rows);
    finish(3u, s3, tid, m + TY * 3u, n, rows);
    finish(4u, s4, tid, m + TY * 4u, n, rows);
    finish(5u, s5, tid, m + TY * 5u, n, rows);
    finish(6u, s6, tid, m + TY * 6u, n, rows);
    finish(7u, s7, tid, m + TY * 7u, n, rows);
}
