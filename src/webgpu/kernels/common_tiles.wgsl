// The body of matmul_tiles, in Reals; see there. `put` stores four columns of a quad, `two` loads two.
override TX: u32 = 8u;
override TY: u32 = 8u;
override SLICES: u32 = 2u;
override BUFFERS: u32 = 1u;
override THREADS: u32 = TX * TY * SLICES;
override W_CHUNKS: u32 = select(1u, 2u, TX > 8u); // that hold the tile's quads
override X_CHUNKS: u32 = select(1u, 2u, TY > 8u);
override FIRST_X: u32 = BUFFERS * 4u * W_CHUNKS;
override CHUNKS: u32 = FIRST_X + BUFFERS * 4u * X_CHUNKS;
override W_LOADERS: u32 = TX * 8u; // a thread loads eight columns of a quad of W
override X_LOADERS: u32 = TY * 16u; // or four of one of x, or both
override X_FROM: u32 = select(0u, W_LOADERS, W_LOADERS + X_LOADERS <= THREADS);
override FAR_N: u32 = select(TX, 0u, TX > 8u); // a thread's second quad, in the last of the chunks
override FAR_M: u32 = select(TY, 0u, TY > 8u);

var<workgroup> tiles: array<array<array<vec4<u32>, 16>, CELLS>, CHUNKS>;

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

struct Sum {
    lo: vec4<f32>,
    hi: vec4<f32>,
}

fn mac8(r: Row, x: Real, w: Quad, v: Quad) -> Row {
    let s = vec2<Real>(x);
    return Row(fma(s, w.a, r.a), fma(s, w.b, r.b), fma(s, v.a, r.c), fma(s, v.b, r.d));
}

fn add(s: Sum, r: Row) -> Sum {
    let lo = vec4<f32>(vec2<f32>(r.a), vec2<f32>(r.b));
    let hi = vec4<f32>(vec2<f32>(r.c), vec2<f32>(r.d));
    return Sum(s.lo + X_UNIT * lo, s.hi + X_UNIT * hi);
}

fn scaled(v: vec4<f32>) -> vec4<f32> {
    if (HALF) {
        return clamp(v / X_UNIT, vec4<f32>(-65504.0), vec4<f32>(65504.0));
    }
    return v;
}

// Word n of the tiles' memory, for slices' sums.
fn word(n: u32) -> vec3<u32> {
    return vec3<u32>(n / (CELLS * 16u), n / 16u % CELLS, n % 16u);
}

// All slices' sums of one row, in that slice whose turn it is; it writes them.
fn finish(i: u32, own: Sum, tid: u32, m: u32, n: u32, rows: u32) {
    var s = own;
    if (SLICES > 1u) {
        let slice = tid / (TX * TY);
        workgroupBarrier();
        if (slice != i % SLICES) {
            let a = word(tid);
            let b = word(tid + THREADS);
            tiles[a.x][a.y][a.z] = bitcast<vec4<u32>>(s.lo);
            tiles[b.x][b.y][b.z] = bitcast<vec4<u32>>(s.hi);
        }
        workgroupBarrier();
        if (slice != i % SLICES) {
            return;
        }
        for (var j = 1u; j < SLICES; j++) {
            let other = (tid + j * TX * TY) % THREADS;
            let a = word(other);
            let b = word(other + THREADS);
            s.lo += bitcast<vec4<f32>>(tiles[a.x][a.y][a.z]);
            s.hi += bitcast<vec4<f32>>(tiles[b.x][b.y][b.z]);
        }
    }
    if (m < rows) {
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
    let slice = tid / (TX * TY);
    let lane = tid % (TX * TY);
    let tx = lane % 2u + lane / 4u % (TX / 2u) * 2u;
    let ty = lane / 2u % 2u + lane / (TX * 2u) * 2u;
    var r0: Row; // row 4 ty; r4: 4 TY on
    var r1: Row;
    var r2: Row;
    var r3: Row;
    var r4: Row;
    var r5: Row;
    var r6: Row;
    var r7: Row;
    var s0: Sum;
    var s1: Sum;
    var s2: Sum;
    var s3: Sum;
    var s4: Sum;
    var s5: Sum;
    var s6: Sum;
    var s7: Sum;

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
            for (var pair = 0u; pair < 4u; pair++) {
                let turn = c * 2u + pair / 2u;
                let w = two(wc, pair, tx ^ turn);
                let v = two(wc + W_CHUNKS - 1u, pair, (tx + FAR_N) ^ turn);
                let x = two(xc, pair, ty ^ turn);
                let y = two(xc + X_CHUNKS - 1u, pair, (ty + FAR_M) ^ turn);
                r0 = mac8(r0, x.even.a.x, w.even, v.even);
                r1 = mac8(r1, x.even.a.y, w.even, v.even);
                r2 = mac8(r2, x.even.b.x, w.even, v.even);
                r3 = mac8(r3, x.even.b.y, w.even, v.even);
                r4 = mac8(r4, y.even.a.x, w.even, v.even);
                r5 = mac8(r5, y.even.a.y, w.even, v.even);
                r6 = mac8(r6, y.even.b.x, w.even, v.even);
                r7 = mac8(r7, y.even.b.y, w.even, v.even);
                r0 = mac8(r0, x.odd.a.x, w.odd, v.odd);
                r1 = mac8(r1, x.odd.a.y, w.odd, v.odd);
                r2 = mac8(r2, x.odd.b.x, w.odd, v.odd);
                r3 = mac8(r3, x.odd.b.y, w.odd, v.odd);
                r4 = mac8(r4, y.odd.a.x, w.odd, v.odd);
                r5 = mac8(r5, y.odd.a.y, w.odd, v.odd);
                r6 = mac8(r6, y.odd.b.x, w.odd, v.odd);
                r7 = mac8(r7, y.odd.b.y, w.odd, v.odd);
            }
        }
        if (HALF && (g % SLICES == SLICES - 1u || g + 1u == groups)) { // a slice has summed 32 columns
            s0 = add(s0, r0);
            r0 = Row();
            s1 = add(s1, r1);
            r1 = Row();
            s2 = add(s2, r2);
            r2 = Row();
            s3 = add(s3, r3);
            r3 = Row();
            s4 = add(s4, r4);
            r4 = Row();
            s5 = add(s5, r5);
            r5 = Row();
            s6 = add(s6, r6);
            r6 = Row();
            s7 = add(s7, r7);
            r7 = Row();
        }
    }
    let n = n0 + tx * 4u;
    let m = m0 + ty * 4u;
    finish(0u, add(s0, r0), tid, m, n, rows);
    finish(1u, add(s1, r1), tid, m + 1u, n, rows);
    finish(2u, add(s2, r2), tid, m + 2u, n, rows);
    finish(3u, add(s3, r3), tid, m + 3u, n, rows);
    finish(4u, add(s4, r4), tid, m + TY * 4u, n, rows);
    finish(5u, add(s5, r5), tid, m + TY * 4u + 1u, n, rows);
    finish(6u, add(s6, r6), tid, m + TY * 4u + 2u, n, rows);
    finish(7u, add(s7, r7), tid, m + TY * 4u + 3u, n, rows);
}
