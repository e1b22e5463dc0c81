// The body of matmul_tiles, in Reals; see there. `put` stores four columns of a quad, `two` loads two.
override TX: u32 = 8u;
override TY: u32 = 8u;
override SLICES: u32 = 2u;
override BUFFERS: u32 = 1u;
override LANES: u32 = TX * TY;
override THREADS: u32 = LANES * SLICES;
override W_CHUNKS: u32 = select(1u, 2u, TX > 8u); // that hold the tile's quads
override X_CHUNKS: u32 = select(1u, 2u, TY > 8u);
override FIRST_X: u32 = BUFFERS * 4u * W_CHUNKS;
override CHUNKS: u32 = FIRST_X + BUFFERS * 4u * X_CHUNKS;
override W_LOADERS: u32 = TX * 8u; // a thread loads eight columns of a quad of W
override X_LOADERS: u32 = TY * 16u; // or four of one of x, or both
override X_FROM: u32 = select(0u, W_LOADERS, W_LOADERS + X_LOADERS <= THREADS);
override FAR_N: u32 = select(TX, 0u, TX > 8u); // a thread's second quad, in the last of the chunks
override FAR_M: u32 = select(TY, 0u, TY > 8u);

const WIDE = 16u;
var<workgroup> tiles: array<array<array<vec4<u32>, WIDE>, CELLS>, CHUNKS>;
#include "common_slices.wgsl"

struct Two {
    even: Quad,
    odd: Quad,
}

// A thread's results in one row of x: quads n0 + 4 tx and that + 4 TX.
struct Row {
    a: vec2<Real>,
    b: vec2<Real>,
    c: vec2<Real>,
    d: vec2<Real>,
}

// Rows 4 ty … + 3, and 4 TY behind them. Named, and each call's indices literal, so that all are registers.
struct Rows {
    r0: Row,
    r1: Row,
    r2: Row,
    r3: Row,
    r4: Row,
    r5: Row,
    r6: Row,
    r7: Row,
}

struct Sums {
    s0: Sum,
    s1: Sum,
    s2: Sum,
    s3: Sum,
    s4: Sum,
    s5: Sum,
    s6: Sum,
    s7: Sum,
}

fn mac8(r: Row, x: Real, w: Quad, v: Quad) -> Row {
    let s = vec2<Real>(x);
    return Row(fma(s, w.a, r.a), fma(s, w.b, r.b), fma(s, v.a, r.c), fma(s, v.b, r.d));
}

// One column: quads x and y of rows by w and v of columns.
fn column(r: Rows, x: Quad, y: Quad, w: Quad, v: Quad) -> Rows {
    return Rows(mac8(r.r0, x.a.x, w, v), mac8(r.r1, x.a.y, w, v), mac8(r.r2, x.b.x, w, v), mac8(r.r3, x.b.y, w, v),
        mac8(r.r4, y.a.x, w, v), mac8(r.r5, y.a.y, w, v), mac8(r.r6, y.b.x, w, v), mac8(r.r7, y.b.y, w, v));
}

fn columns(r: Rows, x: Two, y: Two, w: Two, v: Two) -> Rows {
    return column(column(r, x.even, y.even, w.even, v.even), x.odd, y.odd, w.odd, v.odd);
}

fn add(s: Sum, r: Row) -> Sum {
    let lo = vec4<f32>(vec2<f32>(r.a), vec2<f32>(r.b));
    let hi = vec4<f32>(vec2<f32>(r.c), vec2<f32>(r.d));
    return Sum(s.lo + X_UNIT * lo, s.hi + X_UNIT * hi);
}

fn add_all(s: Sums, r: Rows) -> Sums {
    return Sums(add(s.s0, r.r0), add(s.s1, r.r1), add(s.s2, r.r2), add(s.s3, r.r3),
        add(s.s4, r.r4), add(s.s5, r.r5), add(s.s6, r.r6), add(s.s7, r.r7));
}

fn scaled(v: vec4<f32>) -> vec4<f32> {
    if (HALF) {
        return clamp(v / X_UNIT, vec4<f32>(-65504.0), vec4<f32>(65504.0));
    }
    return v;
}

// All slices' sums of one row, written by that slice whose turn it is.
fn finish(i: u32, own: Sum, tid: u32, m: u32, n: u32, rows: u32) {
    let s = met(i, own, tid);
    if (m < rows && finishes(i, tid)) {
        for (var j = 0u; j < 4u; j++) {
            store(m, n + j, s.lo[j], s.hi[j]);
            if (GLU == 0u) {
                store(m, n + TX * 4u + j, s.hi[j], 0.0);
            }
        }
    }
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) tid: u32) {
    let rows = row_count(params.rows_sym);
    let groups = (params.cols + 31u) / 32u;
    let n0 = group.x * TX * select(8u, 4u, GLU != 0u);
    let m0 = group.y * TY * 8u;

    // Loading.
    let w_quad = tid / 4u;
    let eighth = tid % 4u;
    let w_from = vec4<u32>(weight_row(n0, w_quad * 4u, TX * 4u), weight_row(n0, w_quad * 4u + 1u, TX * 4u),
        weight_row(n0, w_quad * 4u + 2u, TX * 4u), weight_row(n0, w_quad * 4u + 3u, TX * 4u)) * groups;
    let w_chunk = eighth * W_CHUNKS + w_quad / 16u;
    let w_slot = (w_quad % 16u) ^ (eighth * 2u);
    let w_loads = tid < W_LOADERS;
    let x_tid = tid - X_FROM;
    let x_quad = x_tid / 8u;
    let x_c4 = x_tid % 8u;
    let x_row = min(vec4<u32>(m0 + x_quad * 4u) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(rows - 1u));
    let x_from = (x_row + row_source(params.tail, 0u)) * params.x_stride + params.x_column + x_c4 * 4u;
    let x_chunk = FIRST_X + x_c4 / 2u * X_CHUNKS + x_quad / 16u;
    let x_slot = (x_quad % 16u) ^ x_c4;
    let x_loads = x_tid < X_LOADERS;

    // Computing.
    let slice = tid / LANES;
    let lane = tid % LANES;
    let tx = lane % 2u + lane / 4u % (TX / 2u) * 2u;
    let ty = lane / 2u % 2u + lane / (TX * 2u) * 2u;
    var products: Rows;
    var sums: Sums;

    var next_a: Raw;
    var next_b: Raw;
    var next_c: Raw;
    var next_d: Raw;
    var next_x: array<vec4<f32>, 4>;
    if (w_loads) {
        next_a = fetch8(w_from.x, eighth);
        next_b = fetch8(w_from.y, eighth);
        next_c = fetch8(w_from.z, eighth);
        next_d = fetch8(w_from.w, eighth);
    }
    if (x_loads) {
        next_x = x4_rows(x_from, i32(params.cols) - i32(x_c4 * 4u));
    }
    for (var g = 0u; g < groups; g++) {
        let buffer = g % BUFFERS * 4u;
        if (BUFFERS == 1u) {
            workgroupBarrier(); // the previous step's tiles have been used
        }
        if (w_loads) {
            let a = decode8(next_a, w_from.x + g, eighth);
            let b = decode8(next_b, w_from.y + g, eighth);
            let c = decode8(next_c, w_from.z + g, eighth);
            let d = decode8(next_d, w_from.w + g, eighth);
            let chunk = buffer * W_CHUNKS + w_chunk;
            put(chunk, 0u, w_slot, transpose(mat4x4<f32>(a[0], b[0], c[0], d[0])));
            put(chunk, 1u, w_slot ^ 1u, transpose(mat4x4<f32>(a[1], b[1], c[1], d[1])));
        }
        if (x_loads) {
            put(buffer * X_CHUNKS + x_chunk, x_c4 & 1u, x_slot,
                transpose(mat4x4<f32>(scaled(next_x[0]), scaled(next_x[1]), scaled(next_x[2]), scaled(next_x[3]))));
        }
        workgroupBarrier();
        if (g + 1u < groups) { // on its way while this step computes
            if (w_loads) {
                next_a = fetch8(w_from.x + g + 1u, eighth);
                next_b = fetch8(w_from.y + g + 1u, eighth);
                next_c = fetch8(w_from.z + g + 1u, eighth);
                next_d = fetch8(w_from.w + g + 1u, eighth);
            }
            if (x_loads) {
                let c = (g + 1u) * 32u;
                next_x = x4_rows(x_from + c, i32(params.cols) - i32(c + x_c4 * 4u));
            }
        }
        for (var i = 0u; i < 4u / SLICES; i++) {
            let c = slice * (4u / SLICES) + i;
            let wc = (buffer + c) * W_CHUNKS;
            let xc = FIRST_X + (buffer + c) * X_CHUNKS;
            let wd = wc + W_CHUNKS - 1u;
            let xd = xc + X_CHUNKS - 1u;
            let w = tx ^ (c * 2u);
            let v = (tx + FAR_N) ^ (c * 2u);
            let x = ty ^ (c * 2u);
            let y = (ty + FAR_M) ^ (c * 2u);
            products = columns(products, two(xc, 0u, x), two(xd, 0u, y), two(wc, 0u, w), two(wd, 0u, v));
            products = columns(products, two(xc, 1u, x), two(xd, 1u, y), two(wc, 1u, w), two(wd, 1u, v));
            products = columns(products, two(xc, 2u, x ^ 1u), two(xd, 2u, y ^ 1u), two(wc, 2u, w ^ 1u), two(wd, 2u, v ^ 1u));
            products = columns(products, two(xc, 3u, x ^ 1u), two(xd, 3u, y ^ 1u), two(wc, 3u, w ^ 1u), two(wd, 3u, v ^ 1u));
        }
        if (HALF && g % SLICES == SLICES - 1u) { // a slice has summed 32 columns
            sums = add_all(sums, products);
            products = Rows();
        }
    }
    sums = add_all(sums, products);
    let n = n0 + tx * 4u;
    let m = m0 + ty * 4u;
    finish(0u, sums.s0, tid, m, n, rows);
    finish(1u, sums.s1, tid, m + 1u, n, rows);
    finish(2u, sums.s2, tid, m + 2u, n, rows);
    finish(3u, sums.s3, tid, m + 3u, n, rows);
    finish(4u, sums.s4, tid, m + TY * 4u, n, rows);
    finish(5u, sums.s5, tid, m + TY * 4u + 1u, n, rows);
    finish(6u, sums.s6, tid, m + TY * 4u + 2u, n, rows);
    finish(7u, sums.s7, tid, m + TY * 4u + 3u, n, rows);
}
