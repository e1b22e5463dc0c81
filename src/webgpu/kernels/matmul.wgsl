// Matrix product: out[m, n] = Σ_k x[m', k] W[n, k] (+ bias[n]) (+ residual[m, n]), for many rows m.
// GLU: act(row n) × row n + up_row.
//
//   params  MATMUL     step  STEP (rows M = T or R by rows_sym)
//   x, values, scales, bias, residual, out: as matvec; binding 7 is not used
// A workgroup of 256 threads makes a tile of 64 rows of x by 64 weight rows (GLU: 32 pairs) in steps
// of 32 columns. Both operands' tiles lie decoded in workgroup memory (16 KiB, all that the specification
// grants) as vec4s over k, [row, k / 4 ^ row % 8], so that neighbouring rows are in different banks. The
// threads are four slices:
// each slice of 64 sums eight of a step's 32 columns for the whole tile, 8 × 8 results per thread
// (rows ty + 8i, columns tx + 8j), so that every load from workgroup memory feeds many products although
// tiles are small enough to be many. At the end the slices' sums meet in the same memory, and every slice
// finishes a quarter of the rows. 6 storage buffers. Workgroup (n, m).
#include "common_matmul.wgsl"

const FIRST_W = 512u; // where the weights' tile begins
var<workgroup> tiles: array<vec4<f32>, 1024>;

// A thread's results in one row of x: every eighth column from local row n on.
fn store8(m: u32, n: u32, lo: vec4<f32>, hi: vec4<f32>) {
    store(m, n, lo.x, hi.x);
    store(m, n + 8u, lo.y, hi.y);
    store(m, n + 16u, lo.z, hi.z);
    store(m, n + 24u, lo.w, hi.w);
    if (GLU == 0u) {
        store(m, n + 32u, hi.x, 0.0);
        store(m, n + 40u, hi.y, 0.0);
        store(m, n + 48u, hi.z, 0.0);
        store(m, n + 56u, hi.w, 0.0);
    }
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) tid: u32) {
    let rows = row_count(params.rows_sym);
    let groups = (params.cols + 31u) / 32u;
    let n0 = group.x * select(64u, 32u, GLU != 0u);
    let m0 = group.y * 64u;

    // Loading: thread = (row of both tiles, eight of the 32 columns).
    let line = tid / 4u;
    let eighth = tid % 4u;
    let limit = select(params.n_rows, params.n_rows + params.up_row, GLU != 0u) - 1u;
    let w_row = select(n0 + line, n0 + (line & 31u) + (line >> 5u) * params.up_row, GLU != 0u);
    let w_from = min(w_row, limit) * groups;
    let x_row = min(m0 + line, rows - 1u) + row_source(params.tail, 0u);
    let x_from = x_row * params.x_stride + params.x_column + eighth * 8u;
    let put0 = line * 8u + ((eighth * 2u) ^ (line & 7u));
    let put1 = line * 8u + ((eighth * 2u + 1u) ^ (line & 7u));

    // Computing: thread = (slice, ty, tx).
    let slice = tid / 64u;
    let ty = (tid / 8u) % 8u;
    let tx = tid % 8u;
    var a0 = vec4<f32>(0.0); // row ty, columns tx + 0, 8, 16, 24
    var b0 = vec4<f32>(0.0); // row ty, columns tx + 32, 40, 48, 56
    var a1 = vec4<f32>(0.0); // row ty + 8, …
    var b1 = vec4<f32>(0.0);
    var a2 = vec4<f32>(0.0);
    var b2 = vec4<f32>(0.0);
    var a3 = vec4<f32>(0.0);
    var b3 = vec4<f32>(0.0);
    var a4 = vec4<f32>(0.0);
    var b4 = vec4<f32>(0.0);
    var a5 = vec4<f32>(0.0);
    var b5 = vec4<f32>(0.0);
    var a6 = vec4<f32>(0.0);
    var b6 = vec4<f32>(0.0);
    var a7 = vec4<f32>(0.0);
    var b7 = vec4<f32>(0.0);

    var next = fetch8(w_from, eighth);
    var next_x0 = x4(x_from, i32(params.cols) - i32(eighth * 8u));
    var next_x1 = x4(x_from + 4u, i32(params.cols) - i32(eighth * 8u + 4u));
    for (var g = 0u; g < groups; g++) {
        workgroupBarrier(); // the previous step's tiles have been used
        let w = decode8(next, w_from + g, eighth);
        tiles[FIRST_W + put0] = w[0];
        tiles[FIRST_W + put1] = w[1];
        tiles[put0] = next_x0;
        tiles[put1] = next_x1;
        workgroupBarrier();
        if (g + 1u < groups) { // on its way while this step computes
            next = fetch8(w_from + g + 1u, eighth);
            let c = (g + 1u) * 32u;
            let left = i32(params.cols) - i32(c + eighth * 8u);
            next_x0 = x4(x_from + c, left);
            next_x1 = x4(x_from + c + 4u, left - 4);
        }
        for (var k = 0u; k < 2u; k++) {
            let k4 = slice * 2u + k;
            let wa = FIRST_W + tx * 8u + (k4 ^ tx);
            let p = transpose(mat4x4<f32>(tiles[wa], tiles[wa + 64u], tiles[wa + 128u], tiles[wa + 192u]));
            let q = transpose(mat4x4<f32>(tiles[wa + 256u], tiles[wa + 320u], tiles[wa + 384u], tiles[wa + 448u]));
            let xa = ty * 8u + (k4 ^ ty);
            let v0 = tiles[xa];
            a0 = mac(a0, v0, p);
            b0 = mac(b0, v0, q);
            let v1 = tiles[xa + 64u];
            a1 = mac(a1, v1, p);
            b1 = mac(b1, v1, q);
            let v2 = tiles[xa + 128u];
            a2 = mac(a2, v2, p);
            b2 = mac(b2, v2, q);
            let v3 = tiles[xa + 192u];
            a3 = mac(a3, v3, p);
            b3 = mac(b3, v3, q);
            let v4 = tiles[xa + 256u];
            a4 = mac(a4, v4, p);
            b4 = mac(b4, v4, q);
            let v5 = tiles[xa + 320u];
            a5 = mac(a5, v5, p);
            b5 = mac(b5, v5, q);
            let v6 = tiles[xa + 384u];
            a6 = mac(a6, v6, p);
            b6 = mac(b6, v6, q);
            let v7 = tiles[xa + 448u];
            a7 = mac(a7, v7, p);
            b7 = mac(b7, v7, q);
        }
    }

    // Slice s ends up with rows ty + 16s and ty + 16s + 8 of all slices' sums. In round r the others give
    // their sums of slice r's rows: [giver, row and half, thread].
    var c0 = vec4<f32>(0.0);
    var d0 = vec4<f32>(0.0);
    var c1 = vec4<f32>(0.0);
    var d1 = vec4<f32>(0.0);
    let thread = tid % 64u;
    for (var r = 0u; r < 4u; r++) {
        var e0 = a0;
        var f0 = b0;
        var e1 = a1;
        var f1 = b1;
        if (r == 1u) {
            e0 = a2;
            f0 = b2;
            e1 = a3;
            f1 = b3;
        } else if (r == 2u) {
            e0 = a4;
            f0 = b4;
            e1 = a5;
            f1 = b5;
        } else if (r == 3u) {
            e0 = a6;
            f0 = b6;
            e1 = a7;
            f1 = b7;
        }
        workgroupBarrier();
        if (slice != r) {
            let at = ((slice + 3u - r) & 3u) * 256u + thread;
            tiles[at] = e0;
            tiles[at + 64u] = f0;
            tiles[at + 128u] = e1;
            tiles[at + 192u] = f1;
        }
        workgroupBarrier();
        if (slice == r) {
            for (var i = 0u; i < 3u; i++) {
                let at = i * 256u + thread;
                e0 += tiles[at];
                f0 += tiles[at + 64u];
                e1 += tiles[at + 128u];
                f1 += tiles[at + 192u];
            }
            c0 = e0;
            d0 = f0;
            c1 = e1;
            d1 = f1;
        }
    }
    let m = m0 + slice * 16u + ty;
    if (m < rows) {
        store8(m, n0 + tx, c0, d0);
    }
    if (m + 8u < rows) {
        store8(m + 8u, n0 + tx, c1, d1);
    }
}
