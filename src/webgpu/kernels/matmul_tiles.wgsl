// Matrix product: out[m, n] = Σ_k x[m', k] W[n, k] (+ bias[n]) (+ residual[m, n]), for many rows m, in tiles of several
// sizes: 8 TY rows of x by 8 TX weight rows (GLU: 4 TX pairs). GLU: act(row n) × row n + up_row.
//
//   params  MATMUL     step  STEP (rows M = T or R by rows_sym)
//   x, values, scales, bias, residual, out: as matvec; binding 7 is not used. 6 storage buffers.
//   TX, TY 4, 8 or 16; SLICES 1, 2 or 4; BUFFERS 1 or 2: TX × TY × SLICES threads; TX × SLICES >= 16, TY × SLICES >= 8
// A step is 32 columns. A thread makes 8 × 8 results: two quads (runs of four) of rows by two quads of columns, from
// the columns of its slice, so that four vec4s from workgroup memory feed 64 products; the slices' sums meet at the
// end. Tiles lie transposed, a cell of 16 bytes = a quad at one column (float16: at two), as
// [chunk of 8 columns][cell][quad ^ column / 4]: indices known when compiling need no check of bounds, and whoever
// stores or loads together meets different banks. Neighbouring lanes share a quad of x, those two apart one of W.
// With two BUFFERS a step's tiles are written while others still read the last. 8 KiB × BUFFERS for every 64 rows and
// every 64 columns or part of them; half of that for float16. Workgroup (n, m).
//
// matmul_tiles_f16: factors are rounded to float16, and 32 products are summed in it; sums of these in float32.
#include "common_matmul.wgsl"
alias Real = f32;
const HALF = false;
const CELLS = 8u; // of a chunk
const X_UNIT = 1.0;
struct Quad {
    a: vec2<f32>,
    b: vec2<f32>,
}
#include "common_tiles.wgsl"

fn put(chunk: u32, first: u32, slot: u32, four: mat4x4<f32>) {
    tiles[chunk][first * 4u][slot] = bitcast<vec4<u32>>(four[0]);
    tiles[chunk][first * 4u + 1u][slot] = bitcast<vec4<u32>>(four[1]);
    tiles[chunk][first * 4u + 2u][slot] = bitcast<vec4<u32>>(four[2]);
    tiles[chunk][first * 4u + 3u][slot] = bitcast<vec4<u32>>(four[3]);
}

fn two(chunk: u32, pair: u32, slot: u32) -> Two {
    let c = bitcast<vec4<f32>>(tiles[chunk][pair * 2u][slot]);
    let d = bitcast<vec4<f32>>(tiles[chunk][pair * 2u + 1u][slot]);
    return Two(Quad(c.xy, c.zw), Quad(d.xy, d.zw));
}
