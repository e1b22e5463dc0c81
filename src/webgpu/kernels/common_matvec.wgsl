// The inner product that matvec and its variants share. See matvec.wgsl.
#include "common_matvec_io.wgsl"

const THREADS = 64u;
const AHEAD = 4u; // units whose products are added up first
override HELD: u32 = max(AHEAD / COLS, 1u); // of them loaded together

// The unit of work is eight columns: one word of Q4, two of Q8, one vec4 of F16. Neighbouring lanes take
// neighbouring units, so that both weights and x are read in whole cache lines.
struct Unit {
    x0: vec4<f32>, // times the powers of two that the weights' raw integers leave out; 0 past the end
    x1: vec4<f32>,
    sum: f32,      // Σ x of the unit, which a minimum multiplies
    square: f32,   // Σ x², for the norm
}

fn load_unit(start: u32, unit: u32, units: u32) -> Unit {
    var u = Unit();
    if (unit < units) {
        let c = unit * 2u;
        let end = params.cols / 4u;
        if (c < end) {
            u.x0 = x[start + c];
        }
        if (c + 1u < end) {
            u.x1 = x[start + c + 1u];
        }
        if (NORM != 0u) {
            u.square = dot(u.x0, u.x0) + dot(u.x1, u.x1);
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

// Eight weights as they are multiplied, then their scale and minimum.
struct Eight {
    a: vec4<f32>,
    b: vec4<f32>,
    factors: vec2<f32>,
}

// Unit number `at`, counted over the plane.
fn unpack_unit(at: u32) -> Eight {
    switch (WTYPE) {
        case W_F32: {
            return Eight(bitcast<vec4<f32>>(values[at * 2u]), bitcast<vec4<f32>>(values[at * 2u + 1u]), vec2<f32>());
        }
        case W_F16: {
            let v = values[at];
            return Eight(f16x4(v.x, v.y), f16x4(v.z, v.w), vec2<f32>());
        }
        case W_BF16: {
            let v = values[at];
            return Eight(bf16x4(v.x, v.y), bf16x4(v.z, v.w), vec2<f32>());
        }
        case W_Q8: {
            let a = values[at >> 1u][(at & 1u) * 2u];
            let b = values[at >> 1u][(at & 1u) * 2u + 1u];
            return Eight(q8_raw(a), q8_raw(b), factors_of(scale_words(at), at));
        }
        default: {
            let v = values[at >> 2u][at & 3u];
            let words = scale_words(at);
            let high = high_of(words, at);
            return Eight(q4_raw(v, high), q4_raw(v >> 16u, high >> 16u), factors_of(words, at));
        }
    }
}

// sum + Σ over the unit's columns of w x. What may be fused is, by name: so it rounds alike in every pipeline.
fn dot_unit(w: Eight, u: Unit, sum: f32) -> f32 {
    let d = dot(w.a, u.x0) + dot(w.b, u.x1);
    if (WTYPE != W_Q8 && WTYPE != W_Q4) {
        return sum + d;
    }
    if (WTYPE == W_Q4 && PAIRS) {
        return fma(d, w.factors.x, fma(-u.sum, w.factors.y, sum));
    }
    return fma(d, w.factors.x, sum);
}

var<private> squares: array<f32, MOST_COLS>; // Σ x² over the columns that this thread has seen

// This lane's share of ROWS rows of weights from `first` on (clamped: surplus rows repeat the last one), then of their
// partners, times COLS rows of x from z on: sums [row, row of x].
fn dot_rows(first: u32, lane: u32, z: u32, sums: ptr<function, array<f32, MOST_SUMS>>) {
    let groups = (params.cols + 31u) / 32u;
    let units = groups * 4u;
    let last = params.n_rows - 1u;
    var starts: array<u32, MOST_COLS>;
    for (var c = 0u; c < COLS; c++) {
        starts[c] = x_start(z + c);
    }
    for (var unit = lane; unit < units; unit += LANES * AHEAD) {
        var parts = array<f32, MOST_SUMS>();
        for (var a = 0u; a < AHEAD; a += HELD) {
            var held: array<Unit, MOST_COLS>; // [unit, row of x]
            for (var i = 0u; i < HELD; i++) {
                for (var c = 0u; c < COLS; c++) {
                    held[i * COLS + c] = load_unit(starts[c], unit + (a + i) * LANES, units);
                    squares[c] += held[i * COLS + c].square;
                }
            }
            for (var s = 0u; s < SETS; s++) {
                let row = (min(first + s % ROWS, last) + s / ROWS * params.up_row) * units;
                for (var i = 0u; i < HELD; i++) {
                    let at = unit + (a + i) * LANES;
                    let w = unpack_unit(row + select(0u, at, at < units));
                    for (var c = 0u; c < COLS; c++) {
                        parts[s * COLS + c] = dot_unit(w, held[i * COLS + c], parts[s * COLS + c]);
                    }
                }
            }
        }
        for (var i = 0u; i < SETS * COLS; i++) {
            (*sums)[i] += parts[i];
        }
    }
}
