// Every kernel against its reference in C (kernels_sample.test.mjs has those that choose tokens), on whatever device there is: the
// specification's minimum (no features), and the variants that need features. Odd shapes, all weight types,
// untouched bytes beyond the result.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import test from 'node:test';

import { KERNELS, bytesOf, half, params, random } from './kernel_bench.mjs';
import { FORMATS, SENTINEL, WTYPES, batch, check, compare, devices, full, hasProducts, none, options, output, reference, samplingParams, step, stepOf, tileBytes, vocabParams, weights, whole } from './kernel_check.mjs';

test('every kernel has a row and a file', options, () => {
  assert.equal(Object.keys(KERNELS).length, reference.x.optest_kernels());
  for (const k of Object.values(KERNELS)) assert.ok(existsSync(`src/webgpu/kernels/${k.name}.wgsl`), k.name);
});

test('embed', options, async () => {
  for (const [type, stype, zero] of FORMATS) {
    const rng = random(type * 10 + stype + 1);
    const [rows, cols, t] = [37, whole([type, stype], type === 4 ? 2100 : 52), 5];
    const w = weights(rng, type, stype, zero, rows, cols);
    for (const row_begin of [0, 20]) {
      for (const by of [0, 1, 2]) {
        const p = params('embed', { cols, row_begin, n_rows: rows, scale: row_begin ? 1 : 1.5, by });
        const ids = Uint32Array.from([0, 36, 20, 7, 56]);
        await check('EMBED', {
          bindings: [p, step(3, t), ids, w.values, w.scales, output(t * cols)], constants: w.constants,
          grid: reference.grid(KERNELS.EMBED, p, t), tolerance: 1e-6, label: `${WTYPES[type]}/${stype}`,
        });
      }
    }
  }
});

test('rmsnorm', options, async () => {
  const rng = random(2);
  for (const [cols, t, r, tail, stride, column] of [[896, 1, 1, 0, 896, 0], [5, 7, 7, 0, 11, 3], [300, 6, 2, 1, 300, 0], [4096, 3, 1, 1, 5000, 17]]) {
    for (const sym of [0, 1]) {
      const rows = sym ? r : t;
      if (tail && !sym) continue;
      const p = params('rmsnorm', { cols, rows_sym: sym, rows_mul: 1, tail, x_stride: stride, x_column: column, eps: 1e-5, groups: 1, w_advance: 0, b_advance: 0 });
      await check('RMSNORM', {
        bindings: [p, step(0, t, r), rng.floats(t * stride, 3), rng.floats(cols), none, output(rows * cols)],
        grid: reference.grid(KERNELS.RMSNORM, p, rows), tolerance: 2e-6, label: `${cols} columns`,
      });
      for (const BIAS of [0, 1]) {
        await check('LAYERNORM', {
          bindings: [p, step(0, t, r), rng.floats(t * stride, 3), rng.floats(cols), rng.floats(cols), BIAS ? rng.floats(rows * cols) : none, output(rows * cols)], constants: { BIAS, RESIDUAL: BIAS },
          grid: reference.grid(KERNELS.LAYERNORM, p, rows), tolerance: 4e-6, label: `${cols} columns`,
        });
      }
    }
  }
  for (const tail of [1, 2, 3]) {
    const q = params('rmsnorm', { cols: 70, rows_sym: 1, rows_mul: 1, tail, x_stride: 70, x_column: 0, eps: 1e-6, groups: 1, w_advance: 0, b_advance: 0 });
    await check('RMSNORM', { bindings: [q, step(0, 5, 2), rng.floats(5 * 70), rng.floats(70), rng.floats(5 * 70), output(140)], constants: { RESIDUAL: 1 }, grid: reference.grid(KERNELS.RMSNORM, q, 2), tolerance: 2e-6, label: `tail ${tail}` });
  }
  const p = params('rmsnorm', { cols: 32, rows_sym: 0, rows_mul: 3, tail: 0, x_stride: 32, x_column: 0, eps: 1e-6, groups: 1, w_advance: 0, b_advance: 0 });
  await check('RMSNORM', { bindings: [p, step(0, 4), rng.floats(12 * 32), rng.floats(32), rng.floats(12 * 32), output(12 * 32)], constants: { RESIDUAL: 1 }, grid: reference.grid(KERNELS.RMSNORM, p, 12), tolerance: 2e-6, label: 'heads' });
  // Heads in a view of a wider tensor, with one vector for all of them and with one for each.
  for (const advance of [0, 48]) {
    const q = params('rmsnorm', { cols: 48, rows_sym: 0, rows_mul: 1, tail: 0, x_stride: 300, x_column: 9, eps: 1e-6, groups: 5, w_advance: advance, b_advance: 48 });
    const w = rng.floats(advance ? 240 : 48);
    await check('RMSNORM', { bindings: [q, step(0, 4), rng.floats(4 * 300), w, none, output(4 * 240)], grid: reference.grid(KERNELS.RMSNORM, q, 20), tolerance: 2e-6, label: `groups ${advance}` });
    await check('LAYERNORM', { bindings: [q, step(0, 4), rng.floats(4 * 300), w, rng.floats(240), none, output(4 * 240)], constants: { BIAS: 1 }, grid: reference.grid(KERNELS.LAYERNORM, q, 20), tolerance: 4e-6, label: `groups ${advance}` });
  }
});

test('route, expert_glu, expert_down', options, async () => {
  for (const [n_experts, n_used, t, renormalise] of [[4, 2, 5, 0], [60, 4, 1, 0], [128, 8, 3, 1], [1, 1, 2, 1], [1000, 3, 2, 0]]) {
    const rng = random(n_experts);
    const p = params('experts', { cols: 0, width: 0, n_experts, n_used, renormalise, row_begin: 0, n_rows: 0, first: 0, x_stride: n_experts });
    await check('ROUTE', { bindings: [p, step(0, t), rng.floats(t * n_experts, 2), output(t * n_used * 2)], grid: reference.grid(KERNELS.ROUTE, p, t), tolerance: 2e-6, label: `${n_used} of ${n_experts}` });
  }
  for (const [format, cols, width, n_experts, begin, count] of [[[4, 256, 8], 96, 20, 5, 0, 5], [[3, 256, 0], 70, 33, 6, 2, 3], [[0, 256, 0], 33, 7, 3, 0, 2], [[4, 144, 32], 256, 9, 3, 1, 2]]) {
    const rng = random(cols);
    const [t, n_used] = [3, 2];
    const routes = Float32Array.from([0, n_experts - 1, 0.75, 0.25, 2, 1, 0.5, 0.25, 1, 0, 0.9, 0.05]);
    const [type, stype, zero] = format;
    for (const glu of [1, 0]) {
      const each = width * (1 + glu);
      const w = weights(rng, type, stype, zero, count * each, cols);
      const x_stride = glu ? cols + 3 : cols * n_used;
      for (const first of glu ? [1] : [1, 0]) {
        const p = params('experts', { cols, width, n_experts, n_used, renormalise: 0, row_begin: begin * each, n_rows: count * each, first, x_stride });
        const results = glu ? n_used * width : width;
        const out = first ? output(t * results) : new Float32Array(t * results + 5).fill(1.5);
        await check(glu ? 'EXPERT_GLU' : 'EXPERT_DOWN', {
          bindings: [p, step(0, t), rng.floats(t * x_stride), w.values, w.scales, routes, out],
          constants: { ...w.constants, ...(glu ? { ACT: 1 } : {}) }, tolerance: 5e-6, label: `${WTYPES[type]} ${width}×${cols} first ${first}`,
          grid: reference.grid(glu ? KERNELS.EXPERT_GLU : KERNELS.EXPERT_DOWN, p, t, results),
        });
      }
    }
  }
});

/** @param {'MATVEC' | 'MATVEC_DOT' | 'MATMUL_FEW' | 'MATMUL_PACKED' | 'MATMUL_MATRIX' | 'MATMUL_TILES'} name @param {object} c @param {number[]} c.format @param {number} c.cols @param {number} c.rows
 *  @param {number} c.t @param {number} [c.r] @param {Record<string, number>} [c.constants] @param {Record<string, number>} [c.values]
 *  @param {{ lanes: number, rows: number, span?: number, ahead?: number }} [c.tune] @param {number[]} [c.tile] @param {number} [c.wide] then with so many rows of x at once, packed for matvec_dot
 *  @returns {Promise<Case>} */
async function product(name, { format: [type, stype, zero], cols, rows, t, r = t, constants = {}, values = {}, tune, tile = [8, 8, 2, 1], wide = 0 }) {
  const rng = random(cols * 7 + rows + t + type);
  const glu = constants.GLU ? 1 : 0;
  const total = (values.row_begin ?? 0) + rows;
  const w = weights(rng, type, stype, zero, rows * (1 + glu), cols);
  const p = params('matmul', {
    cols, n_rows: rows, row_begin: 0, up_row: glu ? rows : 0, rows_sym: 0, tail: 0, x_stride: cols, x_column: 0,
    out_stride: total, residual_stride: total, residual_column: 0, eps: 1e-5, softcap: 0, splits: 0, window: 0, norm_at: 0, kept: 0, post_eps: 1e-6, ...values,
  });
  const [, , , , , , x_stride, x_column, out_stride, residual_stride] = p;
  const m = values.rows_sym ? r : t;
  const lanes = tune ?? (name === 'MATVEC' ? reference.tune(p, type, glu > 0) : { lanes: reference.lanes(p), rows: 0 });
  const aligned = { ALIGNED: (cols | x_stride | x_column) % 4 ? 0 : 1 };
  const own = {
    MATVEC: { LANES: lanes.lanes, ROWS: lanes.rows, COLS: 1 },
    MATVEC_DOT: { LANES: lanes.lanes, ROWS: lanes.rows, SPAN: tune?.span ?? 0, AHEAD: tune?.ahead ?? 0 },
    MATMUL_PACKED: { TX: tile[0], TY: tile[1], SLICES: tile[2], QUADS: tile[3] },
    MATMUL_MATRIX: aligned,
    MATMUL_TILES: { ...aligned, TX: tile[0], TY: tile[1], SLICES: tile[2], BUFFERS: tile[3] },
    MATMUL_FEW: { LANES: lanes.lanes },
  };
  const sizes = { MATVEC: [lanes.lanes, lanes.rows], MATVEC_DOT: [lanes.lanes, lanes.rows], MATMUL_MATRIX: [glu], MATMUL_PACKED: [glu, tile[0] + 256 * tile[1] + 65536 * tile[3]], MATMUL_TILES: [glu, tile[0] + 256 * tile[1] + 131072], MATMUL_FEW: [glu, lanes.lanes] };
  const c = {
    bindings: [
      p, step(0, t, r), rng.floats(t * x_stride + x_column), w.values, w.scales,
      constants.BIAS ? rng.floats(total * (1 + glu)) : none, constants.RESIDUAL || constants.POST ? rng.floats((t * residual_stride + 11) & ~3) : none,
      constants.NORM || constants.POST ? rng.floats((values.norm_at ?? 0) + cols) : none, output(constants.ARGMAX ? m * out_stride * 2 : values.kept ? values.kept + m * cols : m * out_stride),
    ],
    constants: { ...w.constants, ...constants, ...own[name] },
    grid: reference.grid(KERNELS[name], p, m, ...sizes[name]),
    tolerance: name === 'MATVEC_DOT' ? 1.5e-4 : 5e-6, label: `${WTYPES[type]}/${stype} ${rows}×${cols} t=${t} ${JSON.stringify({ ...constants, ...values, ...tune })} ${tile}`,
  };
  if (name === 'MATMUL_PACKED') packX(c, m);
  if (constants.PACK) await packedResults(c, m, rows, out_stride);
  else await check(name, c);
  if (wide && name === 'MATVEC') {
    const to = reference.widen(glu > 0, wide, lanes);
    const other = { ...c, constants: { ...c.constants, LANES: to.lanes, ROWS: to.rows, COLS: to.cols }, grid: reference.grid(KERNELS.MATVEC, p, Math.ceil(m / wide), to.lanes, to.rows) };
    await same(c, other);
  } else if (wide) {
    await samePacked(c, m, reference.packed(p, constants, wide, lanes));
  }
  return c;
}

/** Packs the rows of x of a MATMUL_PACKED, whose twin then gives nearly what they gave before. @param {Case} c @param {number} m rows of x */
function packX(c, m) {
  const p = /** @type {Uint32Array} */ (c.bindings[0]);
  const plain = c.bindings.map(bytesOf);
  reference.run(KERNELS.MATMUL_TILES, plain, { ...c.constants, TX: 8, TY: 8, SLICES: 2, BUFFERS: 1 }, [p[1], m, 1]);
  const groups = Math.ceil(p[0] / 32);
  const made = [...c.bindings, none].map(bytesOf);
  made[8] = new Uint8Array(m * groups * 80);
  reference.run(KERNELS.PACK_ROWS, made, {}, reference.grid(KERNELS.PACK_ROWS, p, m));
  c.bindings[2] = made[8];
  c.bindings[0] = p.slice();
  /** @type {Uint32Array} */ (c.bindings[0]).set([0, groups * 20, 0], 5); // tail, x_stride, x_column
  const twin = c.bindings.map(bytesOf);
  reference.run(KERNELS.MATMUL_PACKED, twin, c.constants, c.grid);
  compare(plain[8], twin[8], 1.5e-4, `twins, ${c.label}`);
}

/** @typedef {{ bindings: ArrayBufferView[], constants: Record<string, number>, grid: number[], tolerance: number, label: string }} Case */

/** Runs a matvec in two ways on every device: the results are the same bits; the second one's twin is looked at too. @param {Case} one @param {Case} other */
async function same(one, other) {
  const label = `${other.label} ${JSON.stringify(other.constants)}`;
  await check('MATVEC', { ...other, label });
  for (const { name: device, suffix, bench } of devices) {
    if (suffix && !existsSync(`src/webgpu/kernels/matvec${suffix}.wgsl`)) continue;
    const [want, got] = [one, other].map(({ bindings }) => bindings.map(bytesOf));
    await bench.run(KERNELS.MATVEC, suffix, want, one.constants, one.grid);
    await bench.run(KERNELS.MATVEC, suffix, got, other.constants, other.grid);
    for (const i of want.keys()) compare(want[i], got[i], 0, `MATVEC on ${device}, ${label}, binding ${i}, not as alone`);
  }
}

/** As check, for packed results: they are compared as numbers. @param {Case} c @param {number} m rows of x @param {number} n results of each @param {number} stride */
async function packedResults({ bindings, constants, grid, label }, m, n, stride) {
  const want = bindings.map(bytesOf);
  reference.run(KERNELS.MATVEC_DOT, want, constants, grid);
  const plain = reference.unpack(want[8], m, n / 32, stride * 4);
  for (const { suffix, bench } of devices.filter(({ suffix, bench }) => hasProducts(suffix, bench))) {
    const got = bindings.map(bytesOf);
    await bench.run(KERNELS.MATVEC_DOT, '', got, constants, grid);
    const words = Array.from({ length: m }, (_, z) => plain.slice(z * (n + 1) * 4, (z * (n + 1) + n) * 4));
    const own = reference.unpack(got[8], m, n / 32, stride * 4);
    for (const [z, row] of words.entries()) compare(row, own.slice(z * (n + 1) * 4, (z * (n + 1) + n) * 4), 3e-4, `packed results, row ${z}, ${label}${suffix}`);
  }
}

/** What matvec_dot gives one row after another, pack_rows and matvec_packed give to the last bit; as twins and on every device.
 *  @param {Case} c of matvec_dot @param {number} m rows of x @param {ReturnType<typeof reference.packed>} to */
async function samePacked(c, m, to) {
  const { NORM = 0, HEAD_DIM = 0, POST = 0, SPAN: _, ...rest } = c.constants;
  const p = /** @type {Uint32Array} */ (c.bindings[0]);
  const [whole, groups] = [NORM || POST, Math.ceil(p[0] / 32)];
  const pack = { constants: { NORM, HEAD_DIM, POST }, grid: reference.grid(KERNELS.PACK_ROWS, p, m, whole) };
  const alike = p.slice();
  alike[5] = alike[7] = 0; // tail, x_column
  alike[6] = groups * 20;
  const multiply = { constants: { ...rest, NORM, LANES: to.lanes, ROWS: to.rows, AHEAD: to.ahead, COLS: to.cols, THREADS: to.threads }, grid: reference.grid(KERNELS.MATVEC_PACKED, alike, Math.ceil(m / to.cols), to.lanes, to.rows + 256 * to.threads) };
  const label = `${c.label} ${JSON.stringify(multiply.constants)}`;
  /** @param {(kernel: typeof KERNELS[string], bindings: Uint8Array[], constants: Record<string, number>, grid: number[]) => unknown} run */
  const ways = async (run) => {
    const one = c.bindings.map(bytesOf);
    await run(KERNELS.MATVEC_DOT, one, c.constants, c.grid);
    const made = [...c.bindings, c.bindings[8]].map(bytesOf); // what POST keeps goes to where it went
    made[3] = made[4] = made[5] = bytesOf(none);
    made[8] = bytesOf(output(m * groups * 20));
    await run(KERNELS.PACK_ROWS, made, pack.constants, pack.grid);
    const other = [bytesOf(alike), made[1], made[8], ...c.bindings.slice(3, 8).map(bytesOf), made[9]];
    if (POST) other[6] = bytesOf(none);
    await run(KERNELS.MATVEC_PACKED, other, multiply.constants, multiply.grid);
    assert.ok(new Uint32Array(made[8].buffer).slice(m * groups * 20).every((w) => w === SENTINEL), `${label}: written past the packed rows`);
    const plain = reference.unpack(made[8], m, groups);
    for (let z = 1; z <= m && !NORM; z++) plain.fill(0, z * (groups * 128 + 4) - 4, z * (groups * 128 + 4)); // Σ x² is not asked for
    return { one, other, rows: plain };
  };
  const twin = await ways((kernel, bindings, constants, grid) => reference.run(kernel, bindings, constants, grid));
  if (!multiply.constants.PACK && !multiply.constants.ARGMAX) compare(twin.one[8], twin.other[8], c.tolerance, `twins, ${label}`);
  for (const { name: device, suffix, bench } of devices) {
    if (!hasProducts(suffix, bench)) continue;
    const { one, other, rows } = await ways((kernel, bindings, constants, grid) => bench.run(kernel, '', bindings, constants, grid));
    compare(twin.rows, rows, 5e-5, `rows packed on ${device}, ${label}`);
    compare(one[8], other[8], 0, `MATVEC_PACKED on ${device}, ${label}, not as alone`);
  }
}

test('matvec: all weight types', options, async () => {
  for (const format of FORMATS) await product('MATVEC', { format, cols: whole(format, 100), rows: 37, t: 1 });
});

test('matvec: shapes, lanes and rows', options, async () => {
  for (const [lanes, rows] of [[1, 1], [4, 4], [8, 2], [16, 1], [32, 4], [64, 2], [64, 1]]) {
    await product('MATVEC', { format: [4, 256, 7], cols: 896, rows: 67, t: 2, tune: { lanes, rows } });
  }
  for (const cols of [4, 32, 36, 896, 4864]) await product('MATVEC', { format: [4, 256, 8], cols, rows: 50, t: 1 });
  await product('MATVEC', { format: [3, 256, 0], cols: 64, rows: 1, t: 1 });
  await product('MATVEC', { format: [4, 256, 8], cols: 32, rows: 32_800, t: 1, tune: { lanes: 64, rows: 1 } }); // folded grid
  await product('MATVEC', { format: [4, 256, 8], cols: 32, rows: 9_000, t: 1 });
});

test('matvec_dot: shapes, spans, epilogues, formats', options, async () => {
  const tune = { lanes: 4, rows: 1, span: 28, ahead: 1 };
  for (const [rows, ahead] of [[1, 1], [1, 2], [1, 4], [2, 1], [2, 2], [4, 1]]) {
    await product('MATVEC_DOT', { format: [4, 256, 7], cols: 896, rows: 67, t: 2, tune: { ...tune, rows, ahead } });
  }
  for (const span of [64, 128, 132]) await product('MATVEC_DOT', { format: [4, 256, 8], cols: 4196, rows: 130, t: 1, tune: { ...tune, span, ahead: 2 }, constants: { NORM: 1 } });
  for (const span of [4, 28, 30]) await product('MATVEC_DOT', { format: [4, 256, 8], cols: 896, rows: 130, t: 1, tune: { ...tune, span, ahead: 2 } });
  for (const cols of [4, 32, 36, 2304]) await product('MATVEC_DOT', { format: [4, 256, 8], cols, rows: 70, t: 1, tune: { ...tune, span: 72 } });
  for (const format of FORMATS.filter(([type, stype]) => type === 4 && stype > 255 && !(stype & 160))) {
    await product('MATVEC_DOT', { format, cols: whole(format, 100), rows: 70, t: 1, tune: { ...tune, span: 4, ahead: 4 }, constants: { BIAS: 1, RESIDUAL: 1 } });
    for (const rows of [1, 2]) await product('MATVEC_DOT', { format, cols: whole(format, 164), rows: 70, t: 3, tune: { ...tune, span: 64, rows }, constants: { NORM: 1, GLU: 1, BIAS: 1 } });
  }
  await product('MATVEC_DOT', { format: [4, 256, 8], cols: 64, rows: 20, t: 2, tune, constants: { BIAS: 1, RESIDUAL: 1 }, values: { row_begin: 30, residual_column: 7, residual_stride: 60, x_stride: 200, x_column: 16 } });
  await product('MATVEC_DOT', { format: [4, 256, 8], cols: 64, rows: 20, t: 5, r: 2, tune, values: { rows_sym: 1, tail: 1, softcap: 3 } });
  for (const [cols, span] of [[96, 4], [1188, 38], [2304, 64]]) { // behind a norm with a residual
    const all = { format: [4, 256, 8], cols, rows: 75, t: 2, tune: { ...tune, span } };
    await product('MATVEC_DOT', { ...all, constants: { POST: 1, NORM: 1, GLU: 1, BIAS: 1 }, values: { norm_at: cols + 64, kept: 192, residual_stride: cols + 12, residual_column: 8, x_stride: cols + 4, x_column: 4 } });
    await product('MATVEC_DOT', { ...all, constants: { POST: 1 }, values: { kept: 152, residual_stride: cols } });
    await product('MATVEC_DOT', { ...all, t: 5, r: 2, constants: { POST: 1, NORM: 1 }, values: { norm_at: cols, residual_stride: cols, rows_sym: 1, tail: 3, row_begin: 9 } });
  }
});

test('matvec_dot: the best result of every workgroup', options, async () => {
  const kernel = KERNELS.MATVEC_DOT;
  for (const [cols, n_rows, t, COLS, same] of [[896, 300, 1, 1, 0], [512, 300, 3, 2, 0], [512, 150, 1, 1, 1]]) { // COLS: of matvec_packed
    const rng = random(cols + t);
    const w = weights(rng, 4, 256, 8, n_rows, cols);
    if (same) { // ties: the lowest id wins
      const [v, s] = [bytesOf(w.values), bytesOf(w.scales)].map((b) => b.subarray(0, b.length / n_rows));
      for (let i = 1; i < n_rows; i++) [w.values, w.scales].forEach((plane, k) => new Uint8Array(plane.buffer).set(k ? s : v, i * (k ? s : v).length));
    }
    const base = { cols, n_rows, row_begin: 40, up_row: 0, rows_sym: 1, tail: 0, x_stride: cols, x_column: 0, residual_stride: 0, residual_column: 0, eps: 1e-5, softcap: 2, splits: 0, window: 0, norm_at: 0, post_eps: 0 };
    const [places, kept, per] = [Math.ceil(n_rows / 128), 3, 128]; // 64 runs of four lanes, two rows each
    const [x, norm] = [rng.floats(t * cols), rng.floats(cols)];
    const constants = { ...w.constants, NORM: 1, LANES: 4, ROWS: 2, SPAN: 28, AHEAD: 1 };
    const bind = (/** @type {Uint32Array} */ p, /** @type {Uint32Array} */ out) => [p, step(0, t), x, w.values, w.scales, none, none, norm, out];
    const all = params('matmul', { ...base, out_stride: n_rows + 40, kept: 0 });
    const logits = bind(all, output(t * (n_rows + 40))).map(bytesOf);
    reference.run(kernel, logits, constants, reference.grid(kernel, all, t, 4, 2));
    const want = new Float32Array(logits[8].buffer);
    const p = params('matmul', { ...base, out_stride: places + kept, kept });
    const grid = [places, 1, t];
    const expected = bind(p, output(t * (places + kept) * 2)).map(bytesOf);
    reference.run(kernel, expected, { ...constants, ARGMAX: 1 }, grid);
    const outs = [expected[8]];
    for (const { suffix, bench } of devices) {
      if (suffix !== '_subgroups' || !bench.caps?.features.includes('packed-dot')) continue;
      const actual = bind(p, output(t * (places + kept) * 2)).map(bytesOf);
      await bench.run(kernel, '', actual, { ...constants, ARGMAX: 1 }, grid);
      outs.push(actual[8]);
    }
    const best = { bindings: bind(p, output(t * (places + kept) * 2)), constants: { ...constants, ARGMAX: 1 }, grid, tolerance: 0, label: `best of ${n_rows}×${cols}` };
    await samePacked(best, t, reference.packed(p, { ARGMAX: 1 }, COLS, { lanes: 4, rows: 2 }));
    for (const [which, out] of outs.map((b) => new Uint32Array(b.buffer, 0, b.length >> 2)).entries()) {
      for (let z = 0; z < t; z++) {
        for (let i = 0; i < kept * 2; i++) assert.equal(out[z * (places + kept) * 2 + i], SENTINEL);
        for (let i = 0; i < places; i++) {
          const [key, id] = out.subarray((z * (places + kept) + kept + i) * 2);
          const row = want.subarray(z * (n_rows + 40) + 40 + i * per, z * (n_rows + 40) + 40 + Math.min((i + 1) * per, n_rows));
          const value = new Float32Array(Uint32Array.of(key >>> 31 ? key & 0x7fffffff : ~key).buffer)[0];
          const where = `${which ? 'device' : 'reference'}, ${n_rows}×${cols}, row ${z}, place ${i}`;
          assert.ok(Math.abs(value - Math.max(...row)) < 1e-3, `${where}: ${value}, not ${Math.max(...row)}`);
          assert.ok(id >= 40 + i * per && id < 40 + i * per + row.length && Math.max(...row) - row[id - 40 - i * per] < 1e-3, `${where}: id ${id}`);
          if (same) assert.equal(id, 40 + i * per, where);
        }
      }
    }
  }
});

test('matvecs: several rows at once, to the last bit as one after another', options, async () => {
  const tune = { lanes: 4, rows: 1 }; // matvec_dot: within a subgroup, which may be four
  for (const [wide, t] of [[2, 3], [4, 3], [8, 8]]) await product('MATVEC', { format: [4, 256, 7], cols: 896, rows: 67, t, constants: { NORM: 1, BIAS: 1 }, wide });
  for (const [i, format] of [[0, 256, 0], [3, 256, 0], [4, 276, 0]].entries()) await product('MATVEC', { format, cols: whole(format, 100), rows: 37, t: 5, wide: 2 << i, tune: { ...tune, rows: 2 }, constants: { RESIDUAL: 1 } });
  await product('MATVEC', { format: [1, 256, 8], cols: 164, rows: 45, t: 6, tune: { lanes: 64, rows: 2 }, wide: 4, constants: { NORM: 1, GLU: 1, BIAS: 1 } });
  await product('MATVEC', { format: [3, 256, 0], cols: 64, rows: 20, t: 9, r: 5, wide: 4, values: { rows_sym: 1, tail: 1, softcap: 3 } });
});

test('matvec_packed: rows packed once, several at once, to the last bit as matvec_dot one after another', options, async () => {
  const tune = { lanes: 4, rows: 1 };
  for (const [wide, t, rows, norm] of [[1, 1, 1, 0], [1, 3, 2, 1], [2, 2, 1, 1], [4, 3, 4, 0], [8, 8, 2, 1], [8, 9, 1, 0]]) {
    await product('MATVEC_DOT', { format: [4, 256, 7], cols: 896, rows: 67, t, tune: { lanes: 4, rows, span: 28, ahead: 4 / rows }, wide, constants: norm ? { NORM: 1, BIAS: 1 } : { RESIDUAL: 1 } });
  }
  for (const wide of [2, 8]) await product('MATVEC_DOT', { format: [4, 256, 8], cols: 7364, rows: 40, t: 5, tune: { ...tune, span: 192, ahead: 4 }, wide, constants: { NORM: 1, GLU: 1 } });
  const behind = { format: [4, 256, 8], cols: 2304, rows: 75, t: 5, wide: 4, tune: { ...tune, span: 64, ahead: 2 } };
  await product('MATVEC_DOT', { ...behind, constants: { POST: 1, NORM: 1, GLU: 1 }, values: { norm_at: 2368, kept: 384, residual_stride: 2316, residual_column: 8 } });
  await product('MATVEC_DOT', { ...behind, r: 3, constants: { POST: 1, NORM: 1 }, values: { norm_at: 2304, residual_stride: 2304, rows_sym: 1, tail: 3 } });
  for (const format of FORMATS.filter(([type, stype]) => type === 4 && stype > 255 && !(stype & 160))) {
    await product('MATVEC_DOT', { format, cols: whole(format, 1000), rows: 40, t: 4, tune: { ...tune, span: 64, ahead: 2 }, wide: 4 });
  }
  const packing = { format: [4, 256, 8], cols: 608, rows: 96, tune: { ...tune, span: 20, ahead: 1 }, constants: { NORM: 1, GLU: 1, PACK: 1 }, values: { out_stride: 100 } };
  for (const [wide, t] of [[1, 1], [2, 3], [8, 5]]) await product('MATVEC_DOT', { ...packing, t, wide });
});

test('matvec: epilogues, fused norm, gate, views and slabs', options, async () => {
  for (const tune of [{ lanes: 4, rows: 2 }, { lanes: 64, rows: 4 }]) {
    for (const type of [1, 4]) {
      const format = [type, 256, 8];
      await product('MATVEC', { format, cols: 96, rows: 45, t: 1, tune, constants: { BIAS: 1, RESIDUAL: 1 } });
      await product('MATVEC', { format, cols: 96, rows: 45, t: 3, tune, constants: { NORM: 1, BIAS: 1 } });
      await product('MATVEC', { format, cols: 164, rows: 45, t: 1, tune, constants: { NORM: 1, GLU: 1, BIAS: 1 } });
    }
  }
  for (const ACT of [0, 1, 2, 3]) await product('MATVEC', { format: [3, 256, 0], cols: 64, rows: 20, t: 1, constants: { GLU: 1, ACT } });
  await product('MATVEC', { format: [3, 256, 0], cols: 64, rows: 20, t: 2, constants: { BIAS: 1, RESIDUAL: 1 }, values: { row_begin: 30, residual_column: 7, residual_stride: 60, x_stride: 200, x_column: 16 } });
  await product('MATVEC', { format: [3, 256, 0], cols: 64, rows: 20, t: 5, r: 2, values: { rows_sym: 1, tail: 1 } });
  await product('MATVEC', { format: [1, 256, 0], cols: 64, rows: 20, t: 2, constants: { NORM: 1 }, values: { softcap: 3 } });
});

test('matmul_tiles, matmul_matrix where the device has such units', options, async () => {
  // Pipelines take nearly all of the time, so formats and epilogues share them.
  const epilogues = (/** @type {number} */ cols) => [
    { t: 9 },
    { t: 20, constants: { BIAS: 1, RESIDUAL: 1 }, values: { row_begin: 11, residual_stride: 99, residual_column: 5, x_stride: cols + 37, x_column: 7, out_stride: 90 } },
    { t: 33, rows: 45, constants: { GLU: 1, ACT: 1, BIAS: 1 } },
    { t: 33, rows: 45, constants: { BIAS: 1 }, values: { softcap: 30 } },
    { t: 60, r: 56, rows: 33, values: { rows_sym: 1, tail: 1 } },
    { t: 27, rows: 130, constants: { GLU: 1, RESIDUAL: 1 } }, // three columns of tiles
  ];
  for (const name of /** @type {const} */ (['MATMUL_TILES', 'MATMUL_MATRIX'])) {
    for (const [i, format] of FORMATS.entries()) {
      const cols = whole(format, 100);
      await product(name, { format, cols, rows: 70, ...epilogues(cols)[i % 6] });
    }
    for (const [cols, rows, t] of [[1, 1, 1], [31, 65, 64], [33, 63, 65], [256, 128, 64], [7, 200, 3]]) await product(name, { format: [4, 256, 7], cols, rows, t });
  }
});

test('matmul_tiles: sizes', options, async () => {
  // Those of grids.c; the larger ones where the device grants more than 16 KiB.
  const memory = full?.caps?.maxWorkgroupMemory ?? 16384;
  for (const [i, tile] of [[8, 8, 4, 1], [16, 8, 1, 1], [8, 4, 4, 1], [16, 16, 1, 1], [8, 8, 4, 2]].entries()) {
    if (tileBytes({ TX: tile[0], TY: tile[1], BUFFERS: tile[3] }) > memory) continue;
    await product('MATMUL_TILES', { format: [4, 256, 7], cols: i % 2 ? 256 : 33, rows: 200, t: 130, tile });
    await product('MATMUL_TILES', { format: [3, 256, 0], cols: 100, rows: 70, t: 33, tile, constants: { GLU: 1, ACT: 1, BIAS: 1 } });
  }
});

/** Shapes of grids.c that fit 16 KiB: TX, TY, SLICES, QUADS. */
const PACKED_TILES = [[16, 4, 2, 1], [8, 8, 2, 2], [16, 8, 1, 1], [16, 8, 1, 2], [16, 8, 2, 1], [32, 8, 1, 1], [16, 16, 1, 2], [16, 16, 1, 1]];

test('matmul_packed: formats, epilogues, sizes', options, async () => {
  const epilogues = [
    { t: 9 },
    { t: 70, constants: { BIAS: 1, RESIDUAL: 1 }, values: { row_begin: 11, residual_stride: 99, residual_column: 5, x_stride: 300, x_column: 8, out_stride: 90 } },
    { t: 33, rows: 45, constants: { GLU: 1, ACT: 1, BIAS: 1 } },
    { t: 33, rows: 45, constants: { BIAS: 1 }, values: { softcap: 30 } },
    { t: 60, r: 56, rows: 33, values: { rows_sym: 1, tail: 1 } },
    { t: 27, rows: 130, constants: { GLU: 1, RESIDUAL: 1 } },
  ];
  for (const [i, format] of FORMATS.filter(([type, stype]) => type === 4 && stype > 255 && !(stype & 160)).entries()) {
    await product('MATMUL_PACKED', { format, cols: whole(format, 164), rows: 70, tile: PACKED_TILES[0], ...epilogues[i % 6] });
  }
  for (const [cols, rows, t] of [[4, 1, 1], [36, 65, 64], [32, 63, 65]]) await product('MATMUL_PACKED', { format: [4, 256, 7], cols, rows, t, tile: PACKED_TILES[0] });
  for (const tile of [PACKED_TILES[1], PACKED_TILES[2]]) {
    await product('MATMUL_PACKED', { format: [4, 276, 0], cols: 256, rows: 70, t: 33, tile, constants: { GLU: 1, ACT: 1, BIAS: 1 } });
  }
});

test('matmul_packed: sizes, of which a result does not depend, nor on the rows beside it', options, async () => {
  /** @type {Case[]} */
  const cases = [];
  for (const tile of PACKED_TILES) cases.push(await product('MATMUL_PACKED', { format: [4, 256, 8], cols: 356, rows: 150, t: 130, tile }));
  for (const { bench } of devices.filter(({ suffix, bench }) => hasProducts(suffix, bench))) {
    /** @param {Case} c @param {number} rows */
    const results = async (c, rows) => {
      const own = c.bindings.map(bytesOf);
      own[1] = bytesOf(step(0, rows));
      await bench.run(KERNELS.MATMUL_PACKED, '', own, c.constants, c.grid);
      return own[8].slice(0, rows * 150 * 4);
    };
    for (const slices of [1, 2]) { // which add in another order
      const [first, ...others] = cases.filter(({ constants }) => constants.SLICES === slices);
      const want = await results(first, 130);
      for (const c of others) compare(want, await results(c, 130), 0, `another tile, ${c.label}`);
      compare(want.slice(0, 5 * 150 * 4), await results(first, 5), 0, `fewer rows, ${first.label}`);
    }
  }
});

test('matmul_few', options, async () => {
  for (const format of FORMATS) await product('MATMUL_FEW', { format, cols: whole(format, 100), rows: 37, t: 9 });
  for (const lanes of [8, 16, 32, 64]) {
    for (const [cols, rows, t] of [[4, 1, 1], [36, 65, 8], [896, 30, 17]]) await product('MATMUL_FEW', { format: [4, 256, 7], cols, rows, t, tune: { lanes, rows: 0 } });
    await product('MATMUL_FEW', { format: [3, 256, 0], cols: 164, rows: 45, t: 13, tune: { lanes, rows: 0 }, constants: { GLU: 1, ACT: 1, BIAS: 1 } });
  }
  await product('MATMUL_FEW', { format: [4, 257, 8], cols: 96, rows: 70, t: 20, constants: { BIAS: 1, RESIDUAL: 1 }, values: { row_begin: 11, residual_stride: 99, residual_column: 5, x_stride: 136, x_column: 8, out_stride: 90 } });
  await product('MATMUL_FEW', { format: [1, 256, 0], cols: 64, rows: 45, t: 5, constants: { BIAS: 1 }, values: { softcap: 2 } });
  await product('MATMUL_FEW', { format: [0, 256, 0], cols: 40, rows: 33, t: 14, r: 10, values: { rows_sym: 1, tail: 1 } });
  await product('MATMUL_FEW', { format: [0, 256, 0], cols: 32, rows: 131_100, t: 2, tune: { lanes: 64, rows: 0 } }); // folded grid
});

test('matmul_few is chosen where tiles would be few', options, () => {
  const shape = (/** @type {number} */ n, /** @type {number} */ k) => params('matmul', {
    cols: k, n_rows: n, row_begin: 0, up_row: 0, rows_sym: 0, tail: 0, x_stride: k, x_column: 0, out_stride: n, residual_stride: n, residual_column: 0, eps: 0, softcap: 0, splits: 0, window: 0, norm_at: 0, kept: 0, post_eps: 1e-6,
  });
  for (const [n, k, glu, t, few, lanes, matrix] of /** @type {[number, number, boolean, number, boolean, number, boolean?][]} */ ([
    [896, 4864, false, 512, true, 32], [4864, 896, true, 64, true, 16], [4864, 896, true, 128, false, 16],
    [2048, 2048, false, 512, false, 32], [11008, 2048, true, 32, true, 16], [2048, 11008, false, 256, true, 64], [64, 64, false, 5, true, 8],
    [896, 4864, false, 512, false, 32, true], [2304, 9216, false, 128, true, 64, true], [4864, 896, true, 48, true, 16, true],
  ])) {
    assert.equal(reference.takesFew(shape(n, k), glu, t, matrix), few, `${n}×${k}, ${t} tokens`);
    assert.equal(reference.lanes(shape(n, k)), lanes, `${n}×${k}`);
  }
});

test('glu, act, add, last_rows, gather', options, async () => {
  const rng = random(5);
  for (const [cols, t, r] of [[1, 1, 1], [70, 5, 2], [300, 3, 3]]) {
    for (const ACT of [0, 1, 2, 3]) {
      const p = params('glu', { cols, rows_sym: 0, x_stride: 2 * cols + 9, x_column: 4, up_stride: cols + 2, up_column: 1 });
      await check('GLU', { bindings: [p, step(0, t, r), rng.floats(t * (2 * cols + 9), cols > 1 ? 4 : 1), rng.floats(t * (cols + 2)), output(t * cols)], constants: { ACT }, grid: reference.grid(KERNELS.GLU, p, t, cols), tolerance: 2e-6, label: `act ${ACT}` });
      if (cols > 1) await check('ACT', { bindings: [p, step(0, t, r), rng.floats(t * (2 * cols + 9), 4), output(t * cols)], constants: { ACT }, grid: reference.grid(KERNELS.ACT, p, t, cols), tolerance: 2e-6, label: `act ${ACT}` });
    }
    for (const [GATE, scale] of [[0, 1], [0, 0.22], [1, 1]]) {
      const p = params('add', { cols, rows_sym: 1, a_stride: cols + 3, a_column: 2, b_stride: cols, b_column: 0, scale });
      await check('ADD', { bindings: [p, step(0, t, r), rng.floats(r * (cols + 3)), rng.floats(r * cols), rng.floats(r), output(r * cols)], constants: { GATE }, grid: reference.grid(KERNELS.ADD, p, r, cols), tolerance: GATE || scale !== 1 ? 2e-6 : 0 });
    }
    const g = params('gather', { cols, rows_sym: 1, x_stride: cols + 5, x_column: 1, x_cols: cols });
    const order = Float32Array.from({ length: cols }, (_, i) => (i * 7 + 3) % (cols + 2)); // two of them past the end, mostly
    await check('GATHER', { bindings: [g, step(0, t, r), rng.floats(r * (cols + 5)), order, output(r * cols)], grid: reference.grid(KERNELS.GATHER, g, r, cols) });
    const q = params('last_rows', { cols, x_stride: cols + 5, x_column: 1 });
    await check('LAST_ROWS', { bindings: [q, step(0, t, r), rng.floats(t * (cols + 5)), output(r * cols)], grid: reference.grid(KERNELS.LAST_ROWS, q, r, cols) });
    for (const [n, pooling] of [[t, 1], [t, 2], [t, 3], [300, 2], [300, 3]]) {
      const pools = stepOf({ n_tokens: n, n_rows: 1, pooling });
      await check('LAST_ROWS', { bindings: [q, pools, rng.floats(n * (cols + 5)), output(cols)], grid: reference.grid(KERNELS.LAST_ROWS, q, 1, cols), tolerance: pooling === 2 ? 2e-6 : 0, label: `${n} rows, pooling ${pooling}` });
    }
  }
});

test('rope_append', options, async () => {
  for (const KV_TYPE of [0, 1, 2, 3]) {
    for (const INTERLEAVED of [0, 1]) {
      for (const [heads, kv, dim, n_rot, context, pos, t] of [[4, 2, 64, 64, 40, 0, 7], [3, 1, 16, 8, 50, 33, 5], [14, 2, 64, 64, 33000, 32760, 3], [2, 2, 96, 96, 9, 8, 1], [3, 3, 80, 32, 12, 3, 4], [2, 1, 256, 64, 9, 0, 9], [1, 1, 4, 4, 9, 2, 3], [2, 2, 44, 8, 9, 1, 3]]) {
        if (KV_TYPE === 1 && dim % 8) continue;
        const rng = random(dim + pos);
        const width = (heads + 2 * kv) * dim;
        const p = params('rope', {
          n_heads: heads, n_kv_heads: kv, head_dim: dim, n_rot, context, q_stride: width, q_column: 0,
          k_stride: width, k_column: heads * dim, v_stride: width, v_column: (heads + kv) * dim,
          head_stride: dim, set_stride: 0, magnitude: 1,
        });
        const qkv = rng.floats(t * width);
        const freq = Float32Array.from({ length: n_rot / 2 }, (_, i) => 10000 ** (-2 * i / n_rot));
        const words = kv * context * reference.x.optest_kv_bytes(KV_TYPE, dim) / 4;
        // Half-precision words and codes are compared through their own tolerance below.
        await checkStates({ bindings: [p, step(pos, t), qkv, qkv, qkv, freq, output(words), output(words), output(t * heads * dim)], constants: { KV_TYPE, INTERLEAVED }, grid: reference.grid(KERNELS.ROPE_APPEND, p, t) }, KV_TYPE, dim, `${dim} type ${KV_TYPE}`);
      }
    }
  }
});

test('rope_append: heads apart, two sets of frequencies, a magnitude', options, async () => {
  const [heads, dim, context, pos, t] = [3, 16, 20, 4, 3];
  const rng = random(77);
  const width = heads * 3 * dim;
  const p = params('rope', {
    n_heads: heads, n_kv_heads: heads, head_dim: dim, n_rot: 8, context, q_stride: width, q_column: 0, k_stride: width, k_column: dim,
    v_stride: width, v_column: 2 * dim, head_stride: 3 * dim, set_stride: 4, magnitude: 1.19,
  });
  const qkv = rng.floats(t * width);
  const words = heads * context * dim;
  for (const set of [0, 1]) {
    await check('ROPE_APPEND', { bindings: [p, step(pos, t, t, set), qkv, qkv, qkv, Float32Array.from([1, 0.3, 0.1, 0.03, 0.5, 0.1, 0.02, 0.005]), output(words), output(words), output(t * heads * dim)], constants: { KV_TYPE: 0, INTERLEAVED: 0 }, grid: reference.grid(KERNELS.ROPE_APPEND, p, t), tolerance: 2e-6, label: `set ${set}` });
  }
});

/** rope_append writes states of halves and codes: one unit in the last place may differ. @param {{ bindings: ArrayBufferView[], constants: Record<string, number>, grid: number[] }} c
 *  @param {number} type @param {number} dim @param {string} label */
async function checkStates({ bindings, constants, grid }, type, dim, label) {
  if (type === 0) return check('ROPE_APPEND', { bindings, constants, grid, tolerance: 2e-6 });
  const expected = bindings.map(bytesOf);
  reference.run(KERNELS.ROPE_APPEND, expected, constants, grid);
  for (const { suffix, bench } of devices) {
    if (suffix) continue;
    const actual = bindings.map(bytesOf);
    await bench.run(KERNELS.ROPE_APPEND, suffix, actual, constants, grid);
    for (const i of [6, 7]) {
      if (type > 1) {
        compareRows(expected[i], actual[i], type, dim, `state ${i}, ${label}`);
        continue;
      }
      const [want, got] = [expected[i], actual[i]].map((b) => new Uint16Array(b.buffer));
      for (let k = 0; k < want.length; k++) assert.ok(Math.abs(want[k] - got[k]) <= 1 || ((want[k] | got[k]) & 0x7fff) < 32, `state ${i} half ${k}: ${got[k].toString(16)}, not ${want[k].toString(16)}`);
    }
    compare(expected[8], actual[8], 2e-6, 'rotated q');
  }
}

/** Rows of codes: where a value lies between two codes devices may choose either, or a scale's neighbour; all but a few
 *  agree. Untouched rows stay as they were. @param {Uint8Array} want @param {Uint8Array} got @param {number} type @param {number} dim @param {string} where */
function compareRows(want, got, type, dim, where) {
  const row = reference.x.optest_kv_bytes(type, dim);
  const [a, b] = [want, got].map((rows) => reference.values(rows, type, dim));
  let others = 0;
  for (let at = 0; at + row <= want.length; at += row) {
    const touched = new Uint32Array(want.slice(at, at + 4).buffer)[0] !== SENTINEL;
    if (!touched) assert.deepEqual(got.subarray(at, at + row), want.subarray(at, at + row), `${where}: row ${at / row} is another's`);
    for (let d = 0; touched && d < dim; d++) {
      const [i, begin] = [at / row * dim + d, at / row * dim + (d & ~31)];
      const block = a.subarray(begin, Math.min(begin + 32, (at / row + 1) * dim));
      const most = block.reduce((m, x) => Math.max(m, x), -Infinity);
      const least = block.reduce((m, x) => Math.min(m, x), Infinity);
      const unit = type === 2 ? Math.max(most, -least) / 127 : (most - least) / 15;
      if (Math.abs(a[i] - b[i]) > 1e-3 * Math.max(most, -least)) others++;
      assert.ok(Math.abs(a[i] - b[i]) <= 1.01 * unit + 1e-3 * Math.max(most, -least), `${where}: dim ${d} of row ${at / row} is ${b[i]}, not ${a[i]}, a step is ${unit}`);
    }
  }
  assert.ok(others <= 1 + a.length / 200, `${where}: ${others} of ${a.length} codes differ`);
}

const HEADS = [[14, 2, 64], [8, 8, 32], [16, 1, 16], [4, 2, 96], [2, 1, 128], [3, 1, 80], [2, 1, 256], [4, 2, 8], [3, 1, 160]];

/** @param {number[]} shape @param {number} KV_TYPE @param {number} context @param {number} window */
function attention([n_heads, n_kv_heads, dim], KV_TYPE, context, window, t = 1, whole = 0) {
  const rng = random(dim * 3 + context + window + t);
  const n = n_kv_heads * context * dim;
  const state = () => (KV_TYPE > 1 ? reference.cache(Float32Array.from({ length: n }, () => rng.normal()), KV_TYPE, dim) : KV_TYPE ? Uint16Array.from({ length: n }, () => half(rng.normal())) : rng.floats(n));
  const stride = n_heads * dim + 12;
  const p = params('attention', {
    n_heads, n_kv_heads, context, window, q_stride: stride, q_column: 8, splits: 0, scale: dim ** -0.5, softcap: dim === 32 || dim === 256 ? 1.5 : 0,
    head_stride: dim, n_rot: 0, k_stride: 0, k_column: 0, v_stride: 0, v_column: 0, set_stride: 0, magnitude: 1, q_norm: 0, k_norm: 0, norm_eps: 0, whole,
  });
  p[6] = reference.splits(p, dim);
  return { p, q: rng.floats(t * stride + 8, 2), k: state(), v: state(), splits: p[6] };
}

/** As qn_attention_heads. @param {number} shared @param {number} dim */
const headsOf = (shared, dim) => Math.min(2 ** Math.ceil(Math.log2(shared)), dim > 128 ? 2 : 4);

test('attention_split and attention_merge', options, async () => {
  for (const [n_heads, n_kv_heads, dim] of HEADS) {
    for (const KV_TYPE of dim === 64 || dim === 96 ? [0, 1, 2, 3] : [n_heads % 3 ? 0 : 1, 2, 3]) {
      for (const [context, pos, t, window] of dim === 64 ? [[200, 0, 1, 0], [200, 63, 2, 0], [4700, 4607, 2, 0], [9000, 8700, 2, 0], [9000, 8999, 1, 5000], [300, 130, 2, 64], [70, 5, 1, 3]] : [[200, 150, 2, 0], [300, 290, 1, 100]]) {
        const a = attention([n_heads, n_kv_heads, dim], KV_TYPE, context, window, t);
        const size = t * n_heads * a.splits * (dim + 2);
        const partial = new Float32Array(size + 5);
        const label = `${n_heads}/${n_kv_heads}×${dim} type ${KV_TYPE} pos ${pos} t ${t} window ${window}`;
        const constants = { KV_TYPE, HEAD_DIM: dim, SHARED: n_heads / n_kv_heads, HEADS: headsOf(n_heads / n_kv_heads, dim) };
        // The split's own numbers may be scaled differently; what counts is the merged result: the device
        // runs both halves, the reference too.
        const expected = [a.p, step(pos, t), partial, output(t * n_heads * dim)].map(bytesOf);
        const first = [a.p, step(pos, t), a.q, none, none, none, a.k, a.v, partial].map(bytesOf);
        const grid = reference.grid(KERNELS.ATTENTION_SPLIT, a.p, t, dim, pos + t);
        reference.run(KERNELS.ATTENTION_SPLIT, first, constants, grid);
        expected[2].set(first[8]);
        const merge = reference.grid(KERNELS.ATTENTION_MERGE, a.p, t);
        reference.run(KERNELS.ATTENTION_MERGE, expected, { HEAD_DIM: dim }, merge);
        for (const { name, suffix, bench } of devices) {
          const [s1, s2] = ['attention_split', 'attention_merge'].map((k) => (existsSync(`src/webgpu/kernels/${k}${suffix}.wgsl`) ? suffix : ''));
          if (suffix && !s1 && !s2) continue;
          const actual = [a.p, step(pos, t), a.q, none, none, none, a.k, a.v, partial].map(bytesOf);
          await bench.run(KERNELS.ATTENTION_SPLIT, s1, actual, constants, grid);
          compare(first[8], actual[8], 1e-5, `split, ${label}, ${name}`);
          const merged = [a.p, step(pos, t), actual[8], output(t * n_heads * dim)].map(bytesOf);
          await bench.run(KERNELS.ATTENTION_MERGE, s2, merged, { HEAD_DIM: dim }, merge);
          compare(expected[3], merged[3], 5e-6, `merge, ${label}, ${name}`);
        }
      }
    }
  }
});

test('attention_split with the rotation, joined by matvec_dot', options, async () => {
  for (const [n_heads, n_kv_heads, dim] of HEADS) {
    for (const [INTERLEAVED, KV_TYPE, pos, window, NORM] of [[0, 0, 0, 0, 0], [0, 0, 130, 0, 1], [1, 0, 63, 0, 0], [0, dim % 8 ? 0 : 1, 150, 0, 1], [1, 0, 128, 40, 1], [0, 2, 130, 0, 0], [1, 3, 70, 40, 0], [0, 3, 64, 0, 0], [0, 2, 190, 0, 1]]) {
      const context = 200;
      const rng = random(dim + pos + window);
      const [apart, n_rot, words] = [dim + 4, dim > 32 ? dim - 16 : dim, n_kv_heads * context * dim];
      const width = (n_heads + 2 * n_kv_heads) * apart;
      const p = params('attention', {
        n_heads, n_kv_heads, context, window, q_stride: width, q_column: 0, splits: 0, scale: dim ** -0.5, softcap: 0, head_stride: apart, n_rot,
        k_stride: width, k_column: n_heads * apart, v_stride: width, v_column: (n_heads + n_kv_heads) * apart, set_stride: n_rot / 2, magnitude: 1.1,
        q_norm: n_rot + 5, k_norm: n_rot + dim + 9, norm_eps: 0.1, whole: 0,
      });
      const splits = p[6] = reference.splits(p, dim);
      const freq = Float32Array.from({ length: n_rot + 2 * dim + 9 }, (_, i) => (i < n_rot ? 1000 ** (-2 * (i % (n_rot / 2)) / n_rot) * (i < n_rot / 2 ? 3 : 1) : 0.5 + rng.below(9) / 8));
      const state = () => (KV_TYPE > 1 ? reference.cache(rng.floats(words), KV_TYPE, dim) : KV_TYPE ? Uint16Array.from({ length: words }, () => half(rng.normal())) : rng.floats(words));
      const qkv = rng.floats(width);
      const bindings = [p, step(pos, 1, 1, 1), qkv, qkv, qkv, freq, state(), state(), new Float32Array(n_heads * splits * (dim + 2) + 5)];
      const constants = { KV_TYPE, HEAD_DIM: dim, ROPE: 1, INTERLEAVED, NORM, SHARED: n_heads / n_kv_heads, HEADS: headsOf(n_heads / n_kv_heads, dim) };
      const grid = reference.grid(KERNELS.ATTENTION_SPLIT, p, 1, dim, pos + 1);
      const label = `${n_heads}/${n_kv_heads}×${dim} interleaved=${INTERLEAVED} norm=${NORM} type ${KV_TYPE} pos ${pos} window ${window}`;
      const expected = bindings.map(bytesOf);
      reference.run(KERNELS.ATTENTION_SPLIT, expected, constants, grid);
      for (const { name, suffix, bench } of devices) {
        if (suffix) continue;
        const actual = bindings.map(bytesOf);
        await bench.run(KERNELS.ATTENTION_SPLIT, '', actual, constants, grid);
        if (KV_TYPE > 1) {
          for (const i of [6, 7]) compareRows(expected[i], actual[i], KV_TYPE, dim, `state ${i}, ${label}, ${name}`);
          if (!NORM) compare(readBack(p, n_heads, n_kv_heads, dim, bindings, actual, constants, grid), actual[8], 1e-5, `what was stored, ${label}, ${name}`);
          continue;
        }
        compare(expected[8], actual[8], KV_TYPE ? 1e-3 : 1e-5, `${label}, ${name}`);
        if (!KV_TYPE) for (const i of [6, 7]) compare(expected[i], actual[i], 2e-6, `state ${i}, ${label}, ${name}`);
      }
      if (dim % 8) continue;
      const cols = n_heads * dim;
      const w = weights(rng, 4, 256, 8, 40, cols);
      const m = params('matmul', {
        cols, n_rows: 40, row_begin: 0, up_row: 0, rows_sym: 0, tail: 0, x_stride: cols, x_column: 0, out_stride: 40, residual_stride: 40, residual_column: 0,
        eps: 0, softcap: 0, splits, window, norm_at: 0, kept: 0, post_eps: 0,
      });
      await check('MATVEC_DOT', {
        bindings: [m, step(pos, 1), expected[8], w.values, w.scales, none, rng.floats(40), none, output(40)],
        constants: { ...w.constants, RESIDUAL: 1, LANES: 4, ROWS: 1, SPAN: 16, AHEAD: 2, HEAD_DIM: dim },
        grid: reference.grid(KERNELS.MATVEC_DOT, m, 1, 4, 1), tolerance: 1.5e-4, label: `joined, ${label}`,
      });
    }
  }
});
/** The reference's partial with the cache that a device has left, q rotated apart: what the newest position gave must
 *  be what its stored row gives. @param {Uint32Array} p @param {number} n_heads @param {number} n_kv_heads @param {number} dim @param {ArrayBufferView[]} bindings
 *  @param {Uint8Array[]} actual @param {Record<string, number>} constants @param {number[]} grid */
function readBack(p, n_heads, n_kv_heads, dim, bindings, actual, constants, grid) {
  const f = new Float32Array(p.buffer);
  const turn = params('rope', {
    n_heads, n_kv_heads, head_dim: dim, n_rot: p[10], context: p[2], q_stride: p[4], q_column: p[5], k_stride: p[11], k_column: p[12], v_stride: p[13], v_column: p[14],
    head_stride: p[9], set_stride: p[15], magnitude: f[16],
  });
  const rotated = [turn, ...bindings.slice(1, 6), actual[6].slice(), actual[7].slice(), new Float32Array(n_heads * dim)].map(bytesOf);
  reference.run(KERNELS.ROPE_APPEND, rotated, constants, reference.grid(KERNELS.ROPE_APPEND, turn, 1));
  const plain = p.slice();
  plain.set([n_heads * dim, 0], 4);
  plain[9] = dim;
  const read = [plain, bindings[1], rotated[8], none, none, none, actual[6], actual[7], new Uint8Array(actual[8].length)].map(bytesOf);
  reference.run(KERNELS.ATTENTION_SPLIT, read, { ...constants, ROPE: 0 }, grid);
  return read[8];
}

test('attention_prefill', options, async () => {
  for (const shape of HEADS) {
    for (const KV_TYPE of shape[2] === 64 || shape[2] === 96 ? [0, 1, 2, 3] : [shape[0] % 3 ? 0 : 1, 2, 3]) {
      for (const [context, pos, t, window] of shape[2] === 64 ? [[100, 0, 1, 0], [100, 0, 33, 0], [120, 37, 70, 0], [150, 70, 40, 20], [260, 150, 50, 100]] : [[120, 37, 40, 0]]) {
        const a = attention(shape, KV_TYPE, context, window, t);
        await check('ATTENTION_PREFILL', {
          bindings: [a.p, step(pos, t), a.q, a.k, a.v, new Float32Array(4), output(t * shape[0] * shape[2])], constants: { KV_TYPE, HEAD_DIM: shape[2] },
          grid: reference.grid(KERNELS.ATTENTION_PREFILL, a.p, t, shape[2]), tolerance: 5e-6, label: `${shape} type ${KV_TYPE} pos ${pos} t ${t} window ${window}`,
        });
      }
    }
    for (const [t, RELATIVE] of [[1, 0], [5, 1], [32, 0], [77, 1], ...(shape[2] === 64 ? [[290, 1]] : [])]) { // every row sees all of them
      const a = attention(shape, 0, 300, 0, t, 1);
      const relative = random(t).floats(shape[0] * 257);
      await check('ATTENTION_PREFILL', {
        bindings: [a.p, step(0, t), a.q, a.k, a.v, relative, output(t * shape[0] * shape[2])], constants: { KV_TYPE: 0, HEAD_DIM: shape[2], RELATIVE },
        grid: reference.grid(KERNELS.ATTENTION_PREFILL, a.p, t, shape[2]), tolerance: 5e-6, label: `${shape} t ${t} relative ${RELATIVE}, whole`,
      });
    }
  }
});

test('a batch: rows of several sessions', options, async () => {
  const rows = [[130, 2, 0, 2], [3, 0, 1, 0], [64, 3, 0, 3]];
  const rng = random(41);
  const t = rows.length;
  const cols = 40;
  const table = weights(rng, 0, 2, 0, 50, cols);
  for (const by of [0, 1]) {
    const p = params('embed', { cols, row_begin: 0, n_rows: 200, scale: 1.5, by });
    const w = by ? weights(rng, 0, 2, 0, 200, cols) : table;
    p[2] = by ? 200 : 50;
    await check('EMBED', { bindings: [p, batch(rows), Uint32Array.of(7, 1000, 49, 20), w.values, w.scales, output(t * cols)], constants: w.constants, grid: reference.grid(KERNELS.EMBED, p, t), label: 'batch' });
  }
  for (const [n_heads, n_kv_heads, dim] of HEADS.slice(0, 3)) {
    const context = 200;
    const [slots, words] = [4, 4 * n_kv_heads * context * dim];
    const width = (n_heads + 2 * n_kv_heads) * dim;
    const shape = { q_stride: width, q_column: 0, k_stride: width, k_column: n_heads * dim, v_stride: width, v_column: (n_heads + n_kv_heads) * dim, head_stride: dim, n_rot: dim, set_stride: dim / 2, magnitude: 1 };
    const p = params('attention', { q_norm: 0, k_norm: 0, norm_eps: 0, whole: 0, n_heads, n_kv_heads, context, window: 0, splits: 0, scale: dim ** -0.5, softcap: 0, ...shape });
    const splits = p[6] = reference.splits(p, dim);
    const freq = Float32Array.from({ length: dim }, (_, i) => 1000 ** (-2 * (i % (dim / 2)) / dim) * (i < dim / 2 ? 3 : 1));
    const qkv = rng.floats(t * width);
    const size = n_heads * splits * (dim + 2);
    const k = rng.floats(words);
    const v = rng.floats(words);
    const bindings = [p, batch(rows), qkv, qkv, qkv, freq, k, v, new Float32Array(t * size + 5)];
    const constants = { KV_TYPE: 0, HEAD_DIM: dim, ROPE: 1, INTERLEAVED: 0, SHARED: n_heads / n_kv_heads, HEADS: headsOf(n_heads / n_kv_heads, dim) };
    const grid = reference.grid(KERNELS.ATTENTION_SPLIT, p, t, dim, 131);
    const label = `batch, ${n_heads}/${n_kv_heads}×${dim}`;
    const want = bindings.map(bytesOf);
    reference.run(KERNELS.ATTENTION_SPLIT, want, constants, grid);
    for (const { name, suffix, bench } of devices) {
      if (suffix) continue;
      const got = bindings.map(bytesOf);
      await bench.run(KERNELS.ATTENTION_SPLIT, '', got, constants, grid);
      compare(want[8], got[8], 1e-5, `${label}, ${name}`);
      for (const i of [6, 7]) compare(want[i], got[i], 2e-6, `state ${i}, ${label}, ${name}`);
      // Each row is, bit for bit, what its session gives alone.
      for (const [row, [pos, slot, rope_set]] of rows.entries()) {
        const mine = qkv.subarray(row * width, (row + 1) * width);
        const alone = [p, stepOf({ pos, slot, rope_set, n_tokens: 1 }), mine, mine, mine, freq, k, v, new Float32Array(size)].map(bytesOf);
        await bench.run(KERNELS.ATTENTION_SPLIT, '', alone, constants, reference.grid(KERNELS.ATTENTION_SPLIT, p, 1, dim, pos + 1));
        compare(alone[8], got[8].slice(row * size * 4, (row + 1) * size * 4), 0, `${label}, row ${row} alone, ${name}`);
        const part = words / slots * 4;
        for (const i of [6, 7]) compare(alone[i].slice(slot * part, (slot + 1) * part), got[i].slice(slot * part, (slot + 1) * part), 0, `state ${i}, ${label}, row ${row} alone, ${name}`);
      }
    }
    await check('ATTENTION_MERGE', { bindings: [p, batch(rows), want[8], output(t * n_heads * dim)], constants: { HEAD_DIM: dim }, grid: reference.grid(KERNELS.ATTENTION_MERGE, p, t), tolerance: 5e-6, label });
    const r = params('rope', { n_heads, n_kv_heads, head_dim: dim, context, ...shape });
    await check('ROPE_APPEND', { bindings: [r, batch(rows), qkv, qkv, qkv, freq, k, v, output(t * n_heads * dim)], constants: { KV_TYPE: 0, INTERLEAVED: 0 }, grid: reference.grid(KERNELS.ROPE_APPEND, r, t), tolerance: 2e-6, label });
    if (dim % 8) continue;
    const w = weights(rng, 4, 256, 8, 40, n_heads * dim);
    const m = params('matmul', { norm_at: 0, kept: 0, post_eps: 0, cols: n_heads * dim, n_rows: 40, row_begin: 0, up_row: 0, rows_sym: 0, tail: 0, x_stride: 0, x_column: 0, out_stride: 40, residual_stride: 40, residual_column: 0, eps: 0, softcap: 0, splits, window: 0 });
    const joined = { bindings: [m, batch(rows), want[8], w.values, w.scales, none, rng.floats(t * 40), none, output(t * 40)], constants: { ...w.constants, RESIDUAL: 1, LANES: 4, ROWS: 1, SPAN: 16, AHEAD: 2, HEAD_DIM: dim }, grid: reference.grid(KERNELS.MATVEC_DOT, m, t, 4, 1), tolerance: 1.5e-4, label: `joined, ${label}` };
    await check('MATVEC_DOT', joined);
    await samePacked(joined, t, reference.packed(m, {}, 4, { lanes: 4, rows: 1 }));
  }

  // Samplers of three kinds: greedy with counts, a draw, a draw among the likeliest.
  const [vocab, stride, slots] = [5000, 5003, 4];
  const p = vocabParams({ vocab, stride });
  const kinds = [{ draw: 2, top_k: 5, key: 3 }, { has_seen: 1, repetition: 1.5, frequency: 0.5 }, { draw: 1, temperature: 0.5, has_mask: 1, has_bias: 1, key: 9 }];
  const sampling = new Uint32Array(12 * slots);
  for (const [i, row] of rows.entries()) sampling.set(samplingParams(kinds[i]), 12 * row[1]);
  const seen = Uint32Array.from({ length: slots * stride }, () => [0, 0, 0x80000000, 3][rng.below(4)]);
  const mask = Uint32Array.from({ length: slots * Math.ceil(stride / 32) }, rng.u32);
  const prepare = [p, batch(rows), sampling, rng.floats(t * stride, 3), seen, rng.floats(slots * stride), mask, output(t * stride)];
  await check('SAMPLE_PREPARE', { bindings: prepare, grid: reference.grid(KERNELS.SAMPLE_PREPARE, p, t), tolerance: 1e-6, label: 'batch' });
  const z = prepare.map(bytesOf);
  reference.run(KERNELS.SAMPLE_PREPARE, z, {}, reference.grid(KERNELS.SAMPLE_PREPARE, p, t));
  const state = [p, batch(rows), sampling, z[7], new Uint32Array(8 * t)];
  const cut = state.map(bytesOf);
  reference.run(KERNELS.SAMPLE_THRESHOLD, cut, {}, [t, 1, 1]);
  for (const { suffix, bench } of devices.filter((d) => d.suffix === '')) {
    const got = state.map(bytesOf);
    await bench.run(KERNELS.SAMPLE_THRESHOLD, suffix, got, {}, [t, 1, 1]);
    const [a, b] = [cut[4], got[4]].map((bytes) => new Uint32Array(bytes.buffer));
    for (const i of [0, 1, 8, 16]) assert.equal(b[i], a[i], `state ${i}`);
  }
  const best = [p, batch(rows), sampling, z[7], cut[4], new Uint32Array(2 * t * p[1])];
  await check('ARGMAX_PARTIAL', { bindings: best, constants: { GUMBEL: 1 }, grid: reference.grid(KERNELS.ARGMAX_PARTIAL, p, t), tolerance: 1e-6, label: 'batch' });
  const drawn = best.map(bytesOf);
  reference.run(KERNELS.ARGMAX_PARTIAL, drawn, { GUMBEL: 1 }, reference.grid(KERNELS.ARGMAX_PARTIAL, p, t));
  await check('SAMPLE_FINISH', { bindings: [p, drawn[5], batch(rows), output(8), output(t), seen], grid: [t, 1, 1], label: 'batch' });
});
