// The inner product that matvec and its variants share. See matvec.wgsl.
#include "common_matvec_io.wgsl"

const THREADS = 64u;
const AHEAD = 4u; // units whose loads are issued together

// The unit of work is eight columns: one word of Q4, two of Q8, one vec4 of F16. Neighbouring lanes take
// neighbouring units, so that both weights and x are read in whole cache lines.
struct Unit {
    x0: vec4<f32>, // times the powers of two that the weights' raw integers leave out; 0 past the end
    x1: vec4<f32>,
    at: u32,       // its number in the row, or 0 past the end
    sum: f32,      // Σ x of the unit, which a minimum multiplies
}

var<private> squares: f32; // Σ x² over the columns that this thread has seen

fn load_unit(start: u32, unit: u32, units: u32) -> Unit {
    var u = Unit(vec4<f32>(0.0), vec4<f32>(0.0), 0u, 0.0);
    if (unit < units) {
        u.at = unit;
        let c = unit * 2u;
        let end = params.cols / 4u;
        if (c < end) {
            u.x0 = x[start + c];
        }
        if (c + 1u < end) {
            u.x1 = x[start + c + 1u];
        }
        if (NORM != 0u) {
            squares += dot(u.x0, u.x0) + dot(u.x1, u.x1);
            u.x0 *= norm[min(c, end - 1u)];
            u.x1 *= norm[min(c + 1u, end - 1u)];
        }
        if (WTYPE == W_Q4 && PAIRS) {
            u.sum = dot(u.x0, vec4<f32>(1.0)) + dot(u.x1, vec4<f32>(1.0));
        }
        if (WTYPE == W_Q4) {
            u.x0 *= q4_unit();
            u.x1 *= q4_unit();
        } else if (WTYPE == W_Q8) {
            u.x0 *= Q8_UNIT;
            u.x1 *= Q8_UNIT;
        }
    }
    return u;
}

// Σ over the unit's columns of W[row, c] x[c]; `groups` per row.
fn dot_unit(row: u32, groups: u32, u: Unit) -> f32 {
    let at = row * groups * 4u + u.at; // in units
    switch (WTYPE) {
        case W_F32: {
            return dot(bitcast<vec4<f32>>(values[at * 2u]), u.x0) + dot(bitcast<vec4<f32>>(values[at * 2u + 1u]), u.x1);
        }
        case W_F16: {
            let v = values[at];
            return dot(f16x4(v.x, v.y), u.x0) + dot(f16x4(v.z, v.w), u.x1);
        }
        case W_BF16: {
            let v = values[at];
            return dot(bf16x4(v.x, v.y), u.x0) + dot(bf16x4(v.z, v.w), u.x1);
        }
        case W_Q8: {
            let a = values[at >> 1u][(at & 1u) * 2u];
            let b = values[at >> 1u][(at & 1u) * 2u + 1u];
            return (dot(q8_raw(a), u.x0) + dot(q8_raw(b), u.x1)) * factors_of(scale_words(at), at).x;
        }
        default: {
            let v = values[at >> 2u][at & 3u];
            let words = scale_words(at);
            let high = high_of(words, at);
            let f = factors_of(words, at);
            let product = (dot(q4_raw(v, high), u.x0) + dot(q4_raw(v >> 16u, high >> 16u), u.x1)) * f.x;
            if (PAIRS) {
                return product - u.sum * f.y;
            }
            return product;
        }
    }
}

fn dot_ahead(row: u32, groups: u32, a: Unit, b: Unit, c: Unit, d: Unit) -> f32 {
    return dot_unit(row, groups, a) + dot_unit(row, groups, b) + dot_unit(row, groups, c) + dot_unit(row, groups, d);
}

// This lane's share of ROWS rows from `first` on (clamped: surplus rows repeat the last one).
fn dot_rows(first: u32, lane: u32, start: u32, sums: ptr<function, array<vec4<f32>, 2>>) {
    let groups = (params.cols + 31u) / 32u;
    let units = groups * 4u;
    let last = params.n_rows - 1u;
    let r = min(vec4<u32>(first) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(last));
    var v = vec4<f32>(0.0);
    var up = vec4<f32>(0.0);
    for (var unit = lane; unit < units; unit += LANES * AHEAD) {
        let a = load_unit(start, unit, units);
        let b = load_unit(start, unit + LANES, units);
        let c = load_unit(start, unit + LANES * 2u, units);
        let d = load_unit(start, unit + LANES * 3u, units);
        v.x += dot_ahead(r.x, groups, a, b, c, d);
        if (ROWS > 1u) {
            v.y += dot_ahead(r.y, groups, a, b, c, d);
        }
        if (ROWS > 2u) {
            v.z += dot_ahead(r.z, groups, a, b, c, d);
            v.w += dot_ahead(r.w, groups, a, b, c, d);
        }
        if (GLU != 0u) {
            up.x += dot_ahead(r.x + params.up_row, groups, a, b, c, d);
            if (ROWS > 1u) {
                up.y += dot_ahead(r.y + params.up_row, groups, a, b, c, d);
            }
            if (ROWS > 2u) {
                up.z += dot_ahead(r.z + params.up_row, groups, a, b, c, d);
                up.w += dot_ahead(r.w + params.up_row, groups, a, b, c, d);
            }
        }
    }
    (*sums)[0] = v;
    (*sums)[1] = up;
}
