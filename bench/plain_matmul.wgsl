// Matrix product without quantisation, as fast as WGSL plainly gives it: out[m, n] = Σ_k x[k, m] w[k, n], all float32,
// both operands already transposed. What src/webgpu/kernels/matmul_tiles.wgsl is measured against.
//
//   x [K, pitch / 4], w [K, N / 4] vec4; out [M, N / 4]; K, M, N: multiples of 16, 128 and 128
// A workgroup of 256 threads makes 128 × 128 results in steps of 16 columns, 8 × 8 per thread, as quads: rows 4 ty and
// 64 + 4 ty, columns 4 tx and 64 + 4 tx. The next step's operands are on their way while one computes. 16 KiB.
struct Sizes {
    k: u32,
    n: u32,
    pitch: u32, // rows that x has room for
}
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> w: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read_write> out: array<vec4<f32>>;

var<workgroup> xs: array<array<vec4<f32>, 32>, 16>;
var<workgroup> ws: array<array<vec4<f32>, 32>, 16>;

struct Row {
    a: vec4<f32>,
    b: vec4<f32>,
}

fn mac(r: Row, x: f32, a: vec4<f32>, b: vec4<f32>) -> Row {
    return Row(fma(vec4<f32>(x), a, r.a), fma(vec4<f32>(x), b, r.b));
}

fn write(m: u32, n4: u32, r: Row) {
    out[m * sizes.n / 4u + n4] = r.a;
    out[m * sizes.n / 4u + n4 + 16u] = r.b;
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) tid: u32) {
    let line = tid / 32u;
    let quad = tid % 32u;
    let m4 = sizes.pitch / 4u;
    let n4 = sizes.n / 4u;
    let x_from = line * m4 + group.y * 32u + quad;
    let w_from = line * n4 + group.x * 32u + quad;
    let lane = tid % 32u;
    let tx = lane % 2u + lane / 4u % 4u * 2u + tid / 32u % 2u * 8u;
    let ty = lane / 2u % 2u + lane / 16u * 2u + tid / 64u * 4u;
    var r0: Row;
    var r1: Row;
    var r2: Row;
    var r3: Row;
    var r4: Row;
    var r5: Row;
    var r6: Row;
    var r7: Row;
    var xa = x[x_from];
    var xb = x[x_from + 8u * m4];
    var wa = w[w_from];
    var wb = w[w_from + 8u * n4];
    for (var k = 0u; k < sizes.k; k += 16u) {
        workgroupBarrier();
        xs[line][quad] = xa;
        xs[line + 8u][quad] = xb;
        ws[line][quad] = wa;
        ws[line + 8u][quad] = wb;
        workgroupBarrier();
        if (k + 16u < sizes.k) {
            xa = x[x_from + (k + 16u) * m4];
            xb = x[x_from + (k + 24u) * m4];
            wa = w[w_from + (k + 16u) * n4];
            wb = w[w_from + (k + 24u) * n4];
        }
        for (var i = 0u; i < 16u; i++) {
            let a = ws[i][tx];
            let b = ws[i][tx + 16u];
            let c = xs[i][ty];
            let d = xs[i][ty + 16u];
            r0 = mac(r0, c.x, a, b);
            r1 = mac(r1, c.y, a, b);
            r2 = mac(r2, c.z, a, b);
            r3 = mac(r3, c.w, a, b);
            r4 = mac(r4, d.x, a, b);
            r5 = mac(r5, d.y, a, b);
            r6 = mac(r6, d.z, a, b);
            r7 = mac(r7, d.w, a, b);
        }
    }
    let m = group.y * 128u + ty * 4u;
    let n = group.x * 32u + tx;
    write(m, n, r0);
    write(m + 1u, n, r1);
    write(m + 2u, n, r2);
    write(m + 3u, n, r3);
    write(m + 64u, n, r4);
    write(m + 65u, n, r5);
    write(m + 66u, n, r6);
    write(m + 67u, n, r7);
}
