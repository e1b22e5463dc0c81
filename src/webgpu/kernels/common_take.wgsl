// Where a row of x comes from, for kernels of 256 threads that make it integer; see matvec_dot.wgsl. What includes
// this has fn keep(at: u32, value: u32), which stores an element of the x that POST makes.
#include "common_splits.wgsl"
override HEAD_DIM: u32 = 0u;
override POST: u32 = 0u;
override DIM: u32 = max(HEAD_DIM, 8u);
var<workgroup> squares: array<f32, 64>; // of each subgroup: they have four lanes at least
var<workgroup> gain: f32;               // rsqrt of POST

// Columns 4c .. 4c + 7 of row z out of the splits of their head: Σ_s e^(m_s − M) o_s / Σ_s e^(m_s − M) l_s.
fn joined(c: u32, z: u32) -> array<vec4<f32>, 2> {
    let heads = params.cols / DIM;
    let head = c * 4u / DIM;
    let p = step_row(z).x;
    let n = split_count(p, params.window, params.splits);
    let begin = z * heads * params.splits / 2u * (DIM / 2u + 1u);
    let o = begin + head * params.splits * DIM / 4u + c - head * (DIM / 4u);
    let pairs = begin + (heads * params.splits * DIM + head * params.splits * 2u) / 4u; // splits is even
    var top = -3.4e38;
    var mass = 0.0;
    var a = vec4<f32>(0.0);
    var b = vec4<f32>(0.0);
    for (var s = 0u; s < n; s += 4u) { // four at a time, so that their loads overlap
        let p = x[pairs + s / 2u];
        let q = x[pairs + min(s + 2u, params.splits - 1u) / 2u];
        let at = o + min(vec4<u32>(s, s + 1u, s + 2u, s + 3u), vec4<u32>(n - 1u)) * (DIM / 4u);
        let oa = mat4x4<f32>(x[at.x], x[at.y], x[at.z], x[at.w]);
        let ob = mat4x4<f32>(x[at.x + 1u], x[at.y + 1u], x[at.z + 1u], x[at.w + 1u]);
        let is = vec4<u32>(s, s + 1u, s + 2u, s + 3u) < vec4<u32>(n);
        let tops = select(vec4<f32>(-3.4e38), vec4<f32>(p.x, p.z, q.x, q.z), is);
        let new_top = max(max(top, max(tops.x, tops.y)), max(tops.z, tops.w));
        let old = exp(top - new_top);
        let now = select(vec4<f32>(0.0), exp(tops - new_top), is);
        mass = fma(mass, old, dot(select(vec4<f32>(0.0), vec4<f32>(p.y, p.w, q.y, q.w), is), now));
        a = fma(a, vec4<f32>(old), oa * now);
        b = fma(b, vec4<f32>(old), ob * now);
        top = new_top;
    }
    return array<vec4<f32>, 2>(a / mass, b / mass);
}

// The workgroup's sum of a value; all threads call it.
fn total(value: f32, tid: u32, size: u32) -> f32 {
    let v = fold(value, size);
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

// Row z, or the last.
fn within(z: u32) -> u32 {
    return min(z, row_count(params.rows_sym) - 1u);
}

// What POST needs to know of row z.
fn begin_row(z: u32, tid: u32, size: u32) {
    if (POST != 0u) {
        let start = x_start(z);
        var square = 0.0;
        for (var c = tid; c < params.cols / 4u; c += THREADS) {
            square += dot(x[start + c], x[start + c]);
        }
        let sum = total(square, tid, size);
        if (tid == 0u) {
            gain = inverseSqrt(sum / f32(params.cols) + params.post_eps);
        }
        workgroupBarrier();
    }
}

// Columns 4c .. 4c + 3 of row z, c below its end; element `kept` of its keeper on takes them, if it is not 0.
fn column4(z: u32, c: u32, kept: u32) -> vec4<f32> {
    let v = x[x_start(z) + c];
    if (POST == 0u) {
        return v;
    }
    let row = within(z);
    let before = row_source(params.tail & 2u, row) * params.residual_stride + params.residual_column;
    let sum = fma(v * gain, norm[c], residual[before / 4u + c]);
    if (kept != 0u) {
        for (var i = 0u; i < 4u; i++) {
            keep(kept + row * params.cols + c * 4u + i, bitcast<u32>(sum[i]));
        }
    }
    return sum;
}

// Columns 4c .. 4c + 7; 0 past the end.
fn column8(z: u32, c: u32, kept: u32) -> array<vec4<f32>, 2> {
    let end = params.cols / 4u;
    var ab = array<vec4<f32>, 2>();
    if (HEAD_DIM != 0u) {
        if (c < end) {
            ab = joined(c, within(z));
        }
        return ab;
    }
    if (c < end) {
        ab[0] = column4(z, c, kept);
    }
    if (c + 1u < end) {
        ab[1] = column4(z, c + 1u, kept);
    }
    return ab;
}

var<private> square: f32; // this thread's Σ x², before the norm

// Columns 8u .. 8u + 7 of row z as integers.
fn take8(z: u32, u: u32, kept: u32) -> Packed {
    let last = params.cols / 4u - 1u;
    let ab = column8(z, u * 2u, kept);
    var a = ab[0];
    var b = ab[1];
    if (NORM != 0u) {
        square += dot(a, a) + dot(b, b);
        a *= norm[params.norm_at / 4u + min(u * 2u, last)];
        b *= norm[params.norm_at / 4u + min(u * 2u + 1u, last)];
    }
    return pack(a, b);
}
