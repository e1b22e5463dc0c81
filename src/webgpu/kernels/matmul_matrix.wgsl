// Matrix product as matmul_tiles', with the matrix units of a GPU (subgroup matrices, an experimental feature of
// Dawn): products of float16, sums in float32. GLU: act(row n) × row n + up_row.
//
//   params, step, bindings, constants: as matmul_tiles (but for tiles' sizes)
// A workgroup of 128 threads, four subgroups of 32, makes a tile of 128 rows of x by 64 weight rows (GLU: 32
// pairs) in steps of 32 columns, which lie as float16 in workgroup memory; x is clamped to that type's range.
// Column 8e + i of a step lies at 4i + e in both tiles, so that threads' single stores go to different banks;
// rows are padded to 40. A subgroup makes 64 rows by columns sn.. + 16 and sn + 32.. + 16 (GLU: of gate and up),
// two times four matrices of 16 × 16. They pass through `part` to the epilogue. 23.5 KiB. Workgroup (n, m).
enable f16;
enable subgroups;
enable chromium_experimental_subgroup_matrix;
diagnostic(off, chromium.subgroup_matrix_uniformity); // tid / 32 is the same in a subgroup
#include "common_matmul.wgsl"

const ROWS = 128u;
const PITCH = 40u;
alias Left = subgroup_matrix_left<f16, 16, 16>;
alias Right = subgroup_matrix_right<f16, 16, 16>;
alias Sum = subgroup_matrix_result<f32, 16, 16>;
var<workgroup> xs: array<f16, ROWS * PITCH>;
var<workgroup> ws: array<f16, 64u * PITCH>;
var<workgroup> part: array<f32, 2048>; // [subgroup][half][16][16]

// Eight columns of a weight row.
fn put8(row: u32, eighth: u32, v: array<vec4<f32>, 2>) {
    let at = row * PITCH + eighth;
    let a = vec4<f16>(v[0]);
    let b = vec4<f16>(v[1]);
    ws[at] = a.x;
    ws[at + 4u] = a.y;
    ws[at + 8u] = a.z;
    ws[at + 12u] = a.w;
    ws[at + 16u] = b.x;
    ws[at + 20u] = b.y;
    ws[at + 24u] = b.z;
    ws[at + 28u] = b.w;
}

// Four columns of four rows of x, 16 apart.
fn put_x(at: u32, v: array<vec4<f32>, 4>) {
    for (var i = 0u; i < 4u; i++) {
        let to = at + i * 16u * PITCH;
        let a = vec4<f16>(clamp(v[i], vec4<f32>(-65504.0), vec4<f32>(65504.0)));
        xs[to] = a.x;
        xs[to + 4u] = a.y;
        xs[to + 8u] = a.z;
        xs[to + 12u] = a.w;
    }
}

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) tid: u32) {
    let rows = row_count(params.rows_sym);
    let groups = (params.cols + 31u) / 32u;
    let n0 = group.x * select(64u, 32u, GLU != 0u);
    let m0 = group.y * ROWS;

    // Loading: an eighth of two weight rows; vec4 c of eight rows of x.
    let line = tid / 4u;
    let eighth = tid % 4u;
    let w_a = weight_row(n0, line, 32u) * groups;
    let w_b = weight_row(n0, line + 32u, 32u) * groups;
    let c = tid % 8u;
    let x_line = tid / 8u;
    let x_a = x_rows(m0 + x_line, rows) + c * 4u;
    let x_b = x_rows(m0 + x_line + 64u, rows) + c * 4u;
    let to = x_line * PITCH + (c & 1u) * 16u + c / 2u;

    // Computing.
    let subgroup = tid / 32u;
    let sm = subgroup / 2u * 64u;
    let sn = subgroup % 2u * 16u;
    var s0: Sum;
    var t0: Sum;
    var s1: Sum;
    var t1: Sum;
    var s2: Sum;
    var t2: Sum;
    var s3: Sum;
    var t3: Sum;

    var next_a = fetch8(w_a, eighth);
    var next_b = fetch8(w_b, eighth);
    var next_x = x4_rows(x_a, i32(params.cols) - i32(c * 4u));
    var next_y = x4_rows(x_b, i32(params.cols) - i32(c * 4u));
    for (var g = 0u; g < groups; g++) {
        workgroupBarrier(); // the previous step's tiles have been used
        put8(line, eighth, decode8(next_a, w_a + g, eighth));
        put8(line + 32u, eighth, decode8(next_b, w_b + g, eighth));
        put_x(to, next_x);
        put_x(to + 64u * PITCH, next_y);
        workgroupBarrier();
        if (g + 1u < groups) { // on its way while this step computes
            next_a = fetch8(w_a + g + 1u, eighth);
            next_b = fetch8(w_b + g + 1u, eighth);
            let d = (g + 1u) * 32u;
            next_x = x4_rows(x_a + d, i32(params.cols) - i32(c * 4u + d));
            next_y = x4_rows(x_b + d, i32(params.cols) - i32(c * 4u + d));
        }
        for (var k = 0u; k < 32u; k += 16u) {
            let r0 = subgroupMatrixLoad<Right>(&ws, sn * PITCH + k, true, PITCH);
            let r1 = subgroupMatrixLoad<Right>(&ws, (sn + 32u) * PITCH + k, true, PITCH);
            let l0 = subgroupMatrixLoad<Left>(&xs, (sm + 0u) * PITCH + k, false, PITCH);
            s0 = subgroupMatrixMultiplyAccumulate(l0, r0, s0);
            t0 = subgroupMatrixMultiplyAccumulate(l0, r1, t0);
            let l1 = subgroupMatrixLoad<Left>(&xs, (sm + 16u) * PITCH + k, false, PITCH);
            s1 = subgroupMatrixMultiplyAccumulate(l1, r0, s1);
            t1 = subgroupMatrixMultiplyAccumulate(l1, r1, t1);
            let l2 = subgroupMatrixLoad<Left>(&xs, (sm + 32u) * PITCH + k, false, PITCH);
            s2 = subgroupMatrixMultiplyAccumulate(l2, r0, s2);
            t2 = subgroupMatrixMultiplyAccumulate(l2, r1, t2);
            let l3 = subgroupMatrixLoad<Left>(&xs, (sm + 48u) * PITCH + k, false, PITCH);
            s3 = subgroupMatrixMultiplyAccumulate(l3, r0, s3);
            t3 = subgroupMatrixMultiplyAccumulate(l3, r1, t3);
        }
    }

    let own = subgroup * 512u;
    for (var r = 0u; r < 4u; r++) {
        workgroupBarrier();
        if (r == 0u) {
            subgroupMatrixStore(&part, own, s0, false, 16u);
            subgroupMatrixStore(&part, own + 256u, t0, false, 16u);
        } else if (r == 1u) {
            subgroupMatrixStore(&part, own, s1, false, 16u);
            subgroupMatrixStore(&part, own + 256u, t1, false, 16u);
        } else if (r == 2u) {
            subgroupMatrixStore(&part, own, s2, false, 16u);
            subgroupMatrixStore(&part, own + 256u, t2, false, 16u);
        } else if (r == 3u) {
            subgroupMatrixStore(&part, own, s3, false, 16u);
            subgroupMatrixStore(&part, own + 256u, t3, false, 16u);
        }
        workgroupBarrier();
        for (var i = tid % 32u; i < 256u; i += 32u) {
            let m = m0 + sm + r * 16u + i / 16u;
            let n = n0 + sn + i % 16u;
            if (m < rows) {
                store(m, n, part[own + i], part[own + 256u + i]);
                if (GLU == 0u) {
                    store(m, n + 32u, part[own + 256u + i], 0.0);
                }
            }
        }
    }
}
