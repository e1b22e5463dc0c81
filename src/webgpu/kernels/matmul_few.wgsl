// Matrix product as matmul_tiles', for so few rows of x that its tiles would leave most of the machine idle.
// GLU: act(row n) × row n + up_row.
//
//   params, step and bindings: as matmul_tiles; x_stride, x_column and cols are multiples of 4
// As in matvec, LANES (8..64) of a workgroup's 64 threads share weight rows, each taking every LANES-th unit
// of eight columns; but a thread holds four rows (GLU: two pairs) and eight rows of x at once, 32 sums, so
// that a decoded weight is used eight times and an element of x four times. No barrier until the sums meet:
// 8 KiB of workgroup memory, [row of x, thread]. 6 storage buffers. Workgroup x + 32768 y; eight rows of x: z.
#include "common_matmul.wgsl"
override LANES: u32 = 16u;

const THREADS = 64u;
const TOKENS = 8u;
override ROWS: u32 = select(4u, 2u, GLU != 0u); // results per thread and row of x
override CHUNKS: u32 = LANES / 8u;

var<workgroup> parts: array<vec4<f32>, TOKENS * THREADS>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) tid: u32) {
    let begin = (group.x + group.y * 32768u) * (THREADS / LANES) * ROWS;
    if (begin >= params.n_rows) {
        return;
    }
    let lane = tid % LANES;
    let first = begin + tid / LANES * ROWS;
    let last = params.n_rows - 1u;
    let groups = (params.cols + 31u) / 32u;
    var r = min(vec4<u32>(first) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(last));
    if (GLU != 0u) {
        r = vec4<u32>(r.xy, r.xy + params.up_row);
    }
    r *= groups;

    let rows = row_count(params.rows_sym);
    let m0 = group.z * TOKENS;
    let m = min(vec4<u32>(m0) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(rows - 1u)) + row_source(params.tail, 0u);
    let n = min(vec4<u32>(m0) + vec4<u32>(4u, 5u, 6u, 7u), vec4<u32>(rows - 1u)) + row_source(params.tail, 0u);
    let xm = (m * params.x_stride + params.x_column) / 4u;
    let xn = (n * params.x_stride + params.x_column) / 4u;
    let end = params.cols / 4u;

    var s0 = vec4<f32>(0.0);
    var s1 = vec4<f32>(0.0);
    var s2 = vec4<f32>(0.0);
    var s3 = vec4<f32>(0.0);
    var s4 = vec4<f32>(0.0);
    var s5 = vec4<f32>(0.0);
    var s6 = vec4<f32>(0.0);
    var s7 = vec4<f32>(0.0);
    for (var unit = lane; unit * 2u < end; unit += LANES) {
        let g = unit / 4u;
        let e = unit % 4u;
        let wa = decode8(fetch8(r.x + g, e), r.x + g, e);
        let wb = decode8(fetch8(r.y + g, e), r.y + g, e);
        let wc = decode8(fetch8(r.z + g, e), r.z + g, e);
        let wd = decode8(fetch8(r.w + g, e), r.w + g, e);
        let c = unit * 2u;
        let t = transpose(mat4x4<f32>(wa[0], wb[0], wc[0], wd[0]));
        s0 = mac(s0, x[xm.x + c], t);
        s1 = mac(s1, x[xm.y + c], t);
        s2 = mac(s2, x[xm.z + c], t);
        s3 = mac(s3, x[xm.w + c], t);
        s4 = mac(s4, x[xn.x + c], t);
        s5 = mac(s5, x[xn.y + c], t);
        s6 = mac(s6, x[xn.z + c], t);
        s7 = mac(s7, x[xn.w + c], t);
        if (c + 1u >= end) { // the row ends within the unit
            break;
        }
        let u = transpose(mat4x4<f32>(wa[1], wb[1], wc[1], wd[1]));
        s0 = mac(s0, x[xm.x + c + 1u], u);
        s1 = mac(s1, x[xm.y + c + 1u], u);
        s2 = mac(s2, x[xm.z + c + 1u], u);
        s3 = mac(s3, x[xm.w + c + 1u], u);
        s4 = mac(s4, x[xn.x + c + 1u], u);
        s5 = mac(s5, x[xn.y + c + 1u], u);
        s6 = mac(s6, x[xn.z + c + 1u], u);
        s7 = mac(s7, x[xn.w + c + 1u], u);
    }
    parts[tid] = s0;
    parts[THREADS + tid] = s1;
    parts[2u * THREADS + tid] = s2;
    parts[3u * THREADS + tid] = s3;
    parts[4u * THREADS + tid] = s4;
    parts[5u * THREADS + tid] = s5;
    parts[6u * THREADS + tid] = s6;
    parts[7u * THREADS + tid] = s7;
    workgroupBarrier();
    // Lane = (chunk of eight lanes, row of x): sums that chunk, in an order that spreads over the banks.
    let token = lane % 8u;
    let chunk = lane / 8u;
    let own = token * THREADS + tid - lane;
    var sum = vec4<f32>(0.0);
    for (var i = 0u; i < 8u; i++) {
        sum += parts[own + chunk * 8u + ((i + token) & 7u)];
    }
    if (CHUNKS > 1u) {
        parts[own + chunk * 8u] = sum; // nobody else has read here
        workgroupBarrier();
        if (chunk != 0u) {
            return;
        }
        for (var i = 1u; i < CHUNKS; i++) {
            sum += parts[own + i * 8u];
        }
    }
    if (m0 + token >= rows) {
        return;
    }
    if (GLU != 0u) {
        store(m0 + token, first, sum.x, sum.z);
        store(m0 + token, first + 1u, sum.y, sum.w);
    } else {
        store(m0 + token, first, sum.x, 0.0);
        store(m0 + token, first + 1u, sum.y, 0.0);
        store(m0 + token, first + 2u, sum.z, 0.0);
        store(m0 + token, first + 3u, sum.w, 0.0);
    }
}
