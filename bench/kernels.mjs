// Prefill matmul, kernel by kernel: every variant over the matrices of two models and a range of token counts.
//
//   node bench/kernels.mjs [--tokens=8,16,32,…] [--repeats=10] [--kernels=FOLDER] [--extra=NAME[:tile],…] [--only=MATRIX]
//   node bench/kernels.mjs --prompts [--tokens=128,512] [--all] [--plain] [--each] [--only=MODEL] [--variants='f32;packed[0]'] [--features=LIST]
//                          tiles of all kinds over one layer of each of three models: a line for each model, count and variant
//
// Each variant is first compared with sums in float64 over a sample of its results, then timed by timestamp
// queries over one pass of `repeats` dispatches, the best of three passes. Dispatches take turns over copies of the
// weights that together exceed the caches, as layers of a model do. Printed per matrix: microseconds per
// dispatch, a column per token count; * marks the fastest, x a wrong result. The last line of a matrix is the
// fastest variant's Tflop/s. --extra adds other texts with the same bindings and a square tile (64).
//
// --prompts prints Tflop/s, with packing too where rows are packed, the largest error of a sample as a part of the largest result, and
// microseconds, all over a layer's matrices. Default: matmul_matrix, the shapes of matmul_tiles that are chosen, every shape of
// matmul_packed. --all: every shape of matmul_tiles. --plain: products without quantisation too, of bench/plain_matmul.wgsl
// and of matmul_tiles with weights in float32 and float16. --each: tables for each matrix before.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { globals } from 'webgpu';

import { openNodeDevice } from '../bin/dawn.mjs';
import { expandKernel } from '../tools/embed_wgsl.mjs';

Object.assign(globalThis, globals); // GPUBufferUsage and its kin
const options = Object.fromEntries(process.argv.slice(2).map((a) => a.replace(/^--/, '').split('=')));
const prompts = 'prompts' in options;
const tokens = (options.tokens ?? (prompts ? '128,512' : '8,16,32,64,128,256,512')).split(',').map(Number);
const repeats = Number(options.repeats ?? 10);
const folder = options.kernels ?? fileURLToPath(new URL('../src/webgpu/kernels/', import.meta.url));
const CACHE = 96 * 2 ** 20; // bytes of weights that take turns, at least

/** Matrices of Qwen2.5 0.5B and 3B, 4-bit weights with a float16 scale per 32. GLU: n counts pairs. */
const MATRICES = [
  { name: '0.5B qkv', n: 1152, k: 896, bias: 1 },
  { name: '0.5B out', n: 896, k: 896, residual: 1 },
  { name: '0.5B gate/up', n: 4864, k: 896, glu: 1 },
  { name: '0.5B down', n: 896, k: 4864, residual: 1 },
  { name: '3B qkv', n: 2560, k: 2048, bias: 1 },
  { name: '3B out', n: 2048, k: 2048, residual: 1 },
  { name: '3B gate/up', n: 11008, k: 2048, glu: 1 },
  { name: '3B down', n: 2048, k: 11008, residual: 1 },
];
/** One layer of each model; `plain`: without quantisation too. */
const MODELS = [
  { name: 'Qwen 0.5B qkv', n: 1152, k: 896 },
  { name: 'Qwen 0.5B out', n: 896, k: 896, residual: 1 },
  { name: 'Qwen 0.5B gate/up', n: 4864, k: 896, glu: 1 },
  { name: 'Qwen 0.5B down', n: 896, k: 4864, residual: 1 },
  { name: 'Gemma 2B qkv', n: 4096, k: 2304 },
  { name: 'Gemma 2B out', n: 2304, k: 2048, residual: 1 },
  { name: 'Gemma 2B gate/up', n: 9216, k: 2304, glu: 1, plain: true },
  { name: 'Gemma 2B down', n: 2304, k: 9216, residual: 1, plain: true },
  { name: 'Phi mini qkv', n: 9216, k: 3072 },
  { name: 'Phi mini out', n: 3072, k: 3072, residual: 1 },
  { name: 'Phi mini gate/up', n: 8192, k: 3072, glu: 1 },
  { name: 'Phi mini down', n: 3072, k: 8192, residual: 1 },
];

const ceil = (/** @type {number} */ a, /** @type {number} */ b) => Math.ceil(a / b);
/** @typedef {{ n: number, k: number, glu?: number, bias?: number, residual?: number, plain?: boolean, name: string }} Matrix */
/** @type {{ name: string, file: string, constants: Record<string, number>,
 *  grid: (m: Matrix, t: number) => number[], weights?: 'f32' | 'f16' | 'turned', error?: number, packed?: boolean }[]} grids as in
 *  src/webgpu/grids.c; weights: not 4 bits; error: of the largest result that is let pass; packed: x is */
const VARIANTS = [];
for (const LANES of prompts ? [] : [8, 16, 32, 64]) {
  VARIANTS.push({ name: `few, ${LANES} lanes`, file: 'matmul_few', constants: { LANES }, grid: (m, t) => [ceil(m.n, 64 / LANES * (m.glu ? 2 : 4)), 1, ceil(t, 8)] });
}
if (!prompts) VARIANTS.push({ name: 'tiles', file: 'matmul_tiles', constants: { ALIGNED: 1 }, grid: (m, t) => [ceil(m.n, m.glu ? 32 : 64), ceil(t, 64), 1] });
for (const extra of (options.extra ?? '').split(',').filter(Boolean)) {
  const [file, tile = '64'] = extra.split(':');
  VARIANTS.push({ name: extra, file, constants: {}, grid: (m, t) => [ceil(m.n, m.glu ? +tile / 2 : +tile), ceil(t, +tile), 1] });
}

if (prompts) {
  VARIANTS.push({ name: 'matrix units', file: 'matmul_matrix', constants: { ALIGNED: 1 }, grid: (m, t) => [ceil(m.n, m.glu ? 32 : 64), ceil(t, 128), 1], error: 5e-3 });
  const shapes = (/** @type {string} */ name) => [...readFileSync(join(folder, '../grids.c'), 'utf8').split(` ${name}[] = {`)[1].split('};')[0].matchAll(/\{(\d+), (\d+), (\d+), (\d+), (\d+)\}/g)].map((r) => r.slice(1).map(Number));
  for (const file of ['matmul_tiles', 'matmul_tiles_f16']) {
    const half = file.endsWith('f16');
    for (const [i, [TX, TY, SLICES, BUFFERS]] of shapes('TILES').entries()) {
      const weights = /** @type {('f32' | 'f16' | undefined)[]} */ ('plain' in options && TX + TY === 24 ? [undefined, half ? 'f16' : 'f32'] : [undefined]);
      for (const w of weights) {
        if (!('all' in options) && !w && !(half ? [1] : [0, 3]).includes(i)) continue;
        VARIANTS.push({
          name: `${half ? 'f16' : 'f32'} ${TY * 8}×${TX * 8}, ${TX * TY * SLICES}${BUFFERS > 1 ? ' twice' : ''}${w ? `, ${w} weights` : ''}`, file, weights: w, constants: { ALIGNED: 1, TX, TY, SLICES, BUFFERS },
          grid: (m, t) => [ceil(m.n, TX * (m.glu ? 4 : 8)), ceil(t, TY * 8), 1], error: half ? 5e-3 : 1e-4,
        });
      }
    }
  }
  for (const [i, [TX, TY, SLICES, , QUADS]] of shapes('PACKED_TILES').entries()) {
    VARIANTS.push({
      name: `packed[${i}] ${TY * 8}×${TX * QUADS * 4}, ${TX * TY * SLICES}, ${SLICES} slices`, file: 'matmul_packed', constants: { TX, TY, SLICES, QUADS }, packed: true,
      grid: (m, t) => [ceil(m.n, TX * QUADS * (m.glu ? 2 : 4)), ceil(t, TY * 8), 1], error: 4e-4,
    });
  }
  if ('plain' in options) VARIANTS.push({ name: 'plain f32', file: 'plain_matmul', weights: 'turned', constants: {}, grid: (m, t) => [m.n * (m.glu ? 2 : 1) / 128, ceil(t, 128), 1] });
}

if (options.variants) VARIANTS.splice(0, VARIANTS.length, ...VARIANTS.filter((v) => options.variants.split(';').some((name) => v.name.startsWith(name))));

let seed = 12345;
const next = () => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0);
/** Half-precision bits of ±(1 + i/1024) / 256, and the number. @param {number} i */
const scale = (i) => ({ bits: (i & 1024 ? 0x8000 : 0) | (7 << 10) | (i & 1023), value: (i & 1024 ? -1 : 1) * (1 + (i & 1023) / 1024) / 256 });

const { device, info, caps } = await openNodeDevice(options.features ? { features: options.features.split(',') } : undefined);
console.log(`${info.vendor} ${info.architecture} ${info.description}; ${repeats} dispatches per pass`);
const errors = [];
device.addEventListener('uncapturederror', (e) => errors.push(/** @type {GPUUncapturedErrorEvent} */ (e).error.message));
const queries = device.createQuerySet({ type: 'timestamp', count: 2 });
const resolved = device.createBuffer({ size: 16, usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC });
const layoutOf = (/** @type {number} */ bindings) => device.createBindGroupLayout({
  entries: Array.from({ length: bindings }, (_, binding) => ({
    binding, visibility: GPUShaderStage.COMPUTE, buffer: { type: binding < 2 ? 'uniform' : binding < 8 ? 'read-only-storage' : 'storage' },
  })),
});
const layout = layoutOf(9);
const packLayout = layoutOf(10);

/** @param {ArrayBufferView | number} data or a size in bytes @param {number} [usage] */
function buffer(data, usage = GPUBufferUsage.STORAGE) {
  const size = typeof data === 'number' ? data : data.byteLength;
  const made = device.createBuffer({ size: Math.max(ceil(size, 16) * 16, 16), usage: usage | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC });
  if (typeof data !== 'number') device.queue.writeBuffer(made, 0, /** @type {GPUAllowSharedBufferSource} */ (data));
  return made;
}

/** @param {GPUBuffer} from @param {number} bytes */
async function read(from, bytes) {
  const staging = device.createBuffer({ size: bytes, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(from, 0, staging, 0, bytes);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(GPUMapMode.READ);
  const copy = staging.getMappedRange().slice(0);
  staging.destroy();
  return copy;
}

const definitions = readFileSync(join(folder, '../params.def'), 'utf8').replace(/\\\r?\n/g, ' ');
/** A parameter struct of params.def; what is not given is 0. @param {string} name @param {Record<string, number>} values */
function words(name, values) {
  const list = definitions.match(new RegExp(`QN_PARAMS_${name}\\(U, F(?:, V)?\\)([^\\n]*)`))?.[1].replace(/\/\*[^]*?\*\//g, '') ?? '';
  return Uint32Array.from([...list.matchAll(/\b[UFV]\((\w+)(?:, (\d+))?\)/g)].flatMap(([, member, vectors]) => (vectors ? Array(4 * +vectors).fill(0) : [values[member] ?? 0])));
}

/** Weight number `at`. @param {{ values: Uint32Array, scales: Uint16Array }} d @param {number} at */
function decode(d, at) {
  const bits = d.scales[at >> 5];
  return ((d.values[at >> 3] >>> (at & 7) * 4 & 15) - 8) * (bits & 0x8000 ? -1 : 1) * (1 + (bits & 1023) / 1024) / 256;
}

const word = new Uint32Array(1);
const float = new Float32Array(word.buffer);
/** Half-precision bits, truncated. @param {number} v of ordinary size */
function half(v) {
  float[0] = v;
  return v === 0 ? 0 : (word[0] >>> 16 & 0x8000) | ((word[0] >>> 23 & 255) - 112 << 10) | (word[0] >>> 13 & 1023);
}

/** @template {Uint32Array | Uint16Array | Float32Array} T @param {T} array @param {() => number} value @returns {T} */
function fill(array, value) {
  for (let i = 0; i < array.length; i++) array[i] = value();
  return array;
}

/** The matrix in canonical planes on the device, several times, with activations for the most tokens. @param {Matrix} m */
function load(m) {
  const rows = m.n * (m.glu ? 2 : 1);
  const groups = m.k / 32;
  const values = fill(new Uint32Array(rows * groups * 4), next);
  const scales = fill(new Uint16Array(rows * groups), () => scale(next() >>> 7).bits);
  const most = Math.max(...tokens);
  const x = fill(new Float32Array(most * m.k), () => (next() / 2 ** 31 - 1));
  const bias = fill(new Float32Array(rows), () => next() / 2 ** 32);
  const residual = fill(new Float32Array(most * m.n), () => next() / 2 ** 32);
  const weights = Array.from({ length: Math.min(ceil(CACHE, values.byteLength), 2 * repeats) }, () => buffer(values));
  /** @type {Record<string, GPUBuffer>} the same weights decoded */
  const decoded = {};
  if ('plain' in options && m.plain) {
    const [f32, turned, f16] = [new Float32Array(rows * m.k), new Float32Array(rows * m.k), new Uint16Array(rows * m.k)];
    for (let row = 0; row < rows; row++) {
      for (let k = 0; k < m.k; k++) {
        const at = row * m.k + k;
        const v = decode({ values, scales }, at);
        turned[k * rows + row] = f32[at] = v;
        f16[at] = half(v);
      }
    }
    const xt = new Float32Array(most * m.k);
    for (let t = 0; t < most; t++) for (let k = 0; k < m.k; k++) xt[k * most + t] = x[t * m.k + k];
    Object.assign(decoded, { f32: buffer(f32), f16: buffer(f16), turned: buffer(turned), xt: buffer(xt), all: buffer(most * rows * 4) });
  }
  return {
    decoded, rows, groups, values, scales, x, bias, residual, weights, samples: /** @type {Map<string, { row: number, column: number, want: number }[]>} */ (new Map()),
    gpu: { scales: buffer(scales), x: buffer(x), packed: buffer(most * groups * 80), bias: buffer(bias), residual: buffer(residual), out: buffer(most * m.n * 4) },
  };
}

/** One result in float64; plain: of the bare product. @param {Matrix} m @param {ReturnType<typeof load>} d @param {number} t @param {number} n
 *  @param {boolean} plain */
function expected(m, d, t, n, plain) {
  const row = (/** @type {number} */ r) => {
    let sum = 0;
    for (let k = 0; k < m.k; k++) sum += decode(d, r * m.k + k) * d.x[t * m.k + k];
    return sum;
  };
  if (plain) return row(n);
  let v = row(n) + (m.bias ? d.bias[n] : 0);
  if (m.glu) v = v / (1 + Math.exp(-v)) * row(n + m.n);
  return v + (m.residual ? d.residual[t * m.n + n] : 0);
}

/** Microseconds per dispatch, the best of three passes. @param {GPUComputePipeline} pipeline @param {GPUBindGroup[]} groups that take turns
 *  @param {number[]} grid */
async function time(pipeline, groups, grid) {
  let best = Infinity;
  for (let run = 0; run < 3; run++) {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass({ timestampWrites: { querySet: queries, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 } });
    pass.setPipeline(pipeline);
    for (let i = 0; i < repeats; i++) {
      pass.setBindGroup(0, groups[(run * repeats + i) % groups.length]);
      pass.dispatchWorkgroups(grid[0], grid[1], grid[2]);
    }
    pass.end();
    encoder.resolveQuerySet(queries, 0, 2, resolved, 0);
    device.queue.submit([encoder.finish()]);
    const [begin, end] = new BigUint64Array(await read(resolved, 16));
    best = Math.min(best, Number(end - begin) / 1000 / repeats);
  }
  return best;
}

/** @param {GPUBuffer[]} buffers */
const entries = (buffers) => buffers.map((b, binding) => ({ binding, resource: { buffer: b } }));
const stepOf = (/** @type {number} */ t) => buffer(words('STEP', { n_tokens: t, n_rows: t }), GPUBufferUsage.UNIFORM);

/** Packs t rows of x; microseconds. @param {GPUComputePipeline} pipeline @param {Matrix} m @param {ReturnType<typeof load>} d @param {number} t */
async function pack(pipeline, m, d, t) {
  const params = buffer(words('MATMUL', { cols: m.k, x_stride: m.k }), GPUBufferUsage.UNIFORM);
  const step = stepOf(t);
  const { x, packed, scales, bias } = d.gpu;
  const group = device.createBindGroup({ layout: packLayout, entries: entries([params, step, x, scales, scales, scales, scales, scales, packed, bias]) });
  const taken = await time(pipeline, [group], [ceil(d.groups * 4, 256), t, 1]);
  for (const b of [params, step]) b.destroy();
  return taken;
}

/** Microseconds per dispatch, and the error of a sample of results. @param {GPUComputePipeline} pipeline @param {Matrix} m
 *  @param {ReturnType<typeof load>} d @param {number} t @param {typeof VARIANTS[number]} v */
async function measure(pipeline, m, d, t, v) {
  const plain = v.weights === 'turned';
  const n = plain ? d.rows : m.n;
  const params = buffer(words('MATMUL', { cols: m.k, n_rows: n, row_begin: plain ? Math.max(...tokens) : 0, up_row: m.glu ? m.n : 0, x_stride: v.packed ? d.groups * 20 : m.k, out_stride: m.n, residual_stride: m.n }), GPUBufferUsage.UNIFORM);
  const step = stepOf(t);
  const { scales, bias, residual } = d.gpu;
  const [x, out] = plain ? [d.decoded.xt, d.decoded.all] : [v.packed ? d.gpu.packed : d.gpu.x, d.gpu.out];
  const groups = (v.weights ? [d.decoded[v.weights]] : d.weights).map((values) => device.createBindGroup({
    layout, entries: entries([params, step, x, values, scales, bias, residual, x, out]),
  }));
  device.queue.writeBuffer(out, 0, new Uint8Array(t * n * 4).fill(0x7f));
  const taken = await time(pipeline, groups, v.grid(m, t));
  const key = `${t} ${plain}`;
  const samples = d.samples.get(key) ?? Array.from({ length: 24 }, (_, i) => {
    const [row, column] = i === 0 ? [t - 1, n - 1] : [next() % t, next() % n];
    return { row, column, want: expected(m, d, row, column, plain) };
  });
  d.samples.set(key, samples);
  const got = new Float32Array(await read(out, t * n * 4));
  const largest = Math.max(1, ...samples.map(({ want }) => Math.abs(want)));
  let error = got.every(Number.isFinite) ? 0 : Infinity;
  for (const { row, column, want } of samples) error = Math.max(error, Math.abs(want - got[row * n + column]) / largest);
  for (const b of [params, step]) b.destroy();
  return { time: taken, error, ok: error <= (v.error ?? 1e-4) };
}

/** @param {typeof VARIANTS[number]} v @param {Matrix} m @returns {Promise<GPUComputePipeline | undefined> | undefined} */
function compile({ file, constants, weights, packed }, m) {
  const [f16, matrix] = [/f16$|matrix$/.test(file), file.endsWith('_matrix')];
  if (packed && !caps.features.includes('packed-dot')) return undefined;
  if ((f16 && !caps.features.includes('shader-f16')) || (matrix && !caps.features.includes('chromium-experimental-subgroup-matrix')) || (weights && !m.plain)) return undefined;
  const plain = weights === 'turned';
  const code = plain ? readFileSync(new URL(`${file}.wgsl`, import.meta.url), 'utf8') : expandKernel(join(folder, `${file}.wgsl`));
  const module = device.createShaderModule({ code, label: file });
  return device.createComputePipelineAsync({
    layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
    compute: { module, constants: plain ? {} : { WTYPE: weights ? weights === 'f32' ? 0 : 1 : 4, STYPE: 256, ZERO: 8, BIAS: m.bias ?? 0, RESIDUAL: m.residual ?? 0, GLU: m.glu ?? 0, ACT: 0, ...constants } },
  }).catch((error) => (console.log(`${file} ${JSON.stringify(constants)}: ${error.message}`), undefined));
}

const pipelines = new Map();
/** @param {typeof VARIANTS[number]} v @param {Matrix} m */
function pipelineFor(v, m) {
  const key = JSON.stringify([v, m.glu, m.bias, m.residual, v.weights && m.plain]);
  if (!pipelines.has(key)) pipelines.set(key, compile(v, m));
  return pipelines.get(key);
}

const packs = caps.features.includes('packed-dot') && prompts
  ? await device.createComputePipelineAsync({ layout: device.createPipelineLayout({ bindGroupLayouts: [packLayout] }), compute: { module: device.createShaderModule({ code: expandKernel(join(folder, 'pack_rows.wgsl')) }) } })
  : undefined;
/** @type {Map<string, { operations: number, time: number, packing: number, error: number, matrices: number, ok: boolean }>} by model, tokens, variant */
const totals = new Map();
const chosen = (prompts ? MODELS : MATRICES).filter((m) => !options.only || m.name.startsWith(options.only));
if (prompts) await Promise.all(chosen.flatMap((m) => VARIANTS.map((v) => pipelineFor(v, m))));
for (const m of chosen) {
  const d = load(m);
  const ready = await Promise.all(VARIANTS.map((v) => pipelineFor(v, m)));
  const packing = [];
  for (const t of packs ? tokens : []) packing.push(await pack(/** @type {GPUComputePipeline} */ (packs), m, d, t));
  const warm = performance.now(); // up to full clocks
  const first = ready.findIndex(Boolean);
  while (first >= 0 && performance.now() < warm + (m === chosen[0] ? 1000 : 100)) await measure(ready[first], m, d, tokens[0], VARIANTS[first]);
  const table = [];
  for (const [i, v] of VARIANTS.entries()) {
    if (!ready[i]) continue;
    const cells = [];
    for (const [j, t] of tokens.entries()) {
      const cell = await measure(ready[i], m, d, t, v);
      cells.push(cell);
      const key = `${m.name.split(' ')[0].padEnd(6)}${String(t).padStart(4)}  ${v.name}`;
      const total = totals.get(key) ?? { operations: 0, time: 0, packing: 0, error: 0, matrices: 0, ok: true };
      total.operations += 2 * t * d.rows * m.k;
      total.time += cell.time;
      total.packing += v.packed ? packing[j] : 0;
      total.error = Math.max(total.error, cell.error);
      total.ok &&= cell.ok;
      total.matrices++;
      totals.set(key, total);
    }
    table.push({ name: v.name, cells });
  }
  if (!prompts || 'each' in options) {
    const best = tokens.map((_, i) => Math.min(...table.map((r) => r.cells[i].time)));
    console.log(`${m.name} ${m.n}${m.glu ? '×2' : ''}×${m.k}`.padEnd(34) + tokens.map((t) => String(t).padStart(9)).join(''));
    for (const r of table) {
      const rates = r.cells.map((c, i) => (2 * tokens[i] * d.rows * m.k / c.time / 1e6).toFixed(1).padStart(9)).join('');
      console.log(`  ${r.name}`.padEnd(34) + r.cells.map((c, i) => `${c.ok ? '' : 'x'}${c.time.toFixed(1)}${c.time === best[i] ? '*' : ' '}`.padStart(9)).join('') + (prompts ? `  Tflop/s${rates}` : ''));
    }
    if (!prompts) console.log('  Tflop/s'.padEnd(34) + tokens.map((t, i) => `${(2 * t * d.rows * m.k / best[i] / 1e6).toFixed(1)} `.padStart(9)).join(''));
  }
  for (const b of [...d.weights, ...Object.values(d.gpu), ...Object.values(d.decoded)]) b.destroy();
}
if (prompts) {
  for (const [key, { operations, time, packing, error, matrices, ok }] of [...totals].sort(([a], [b]) => (a.slice(0, 10) < b.slice(0, 10) ? -1 : a.slice(0, 10) > b.slice(0, 10) ? 1 : 0))) {
    const rate = (/** @type {number} */ micros) => (operations / micros / 1e6).toFixed(1).padStart(6);
    console.log(`${key.padEnd(46)}${rate(time)} Tflop/s${packing ? `, packed first ${rate(time + packing)} (${packing.toFixed(1)} µs)` : ''.padEnd(31)}  error ${error.toExponential(1)}${ok ? '' : ' WRONG'}  ${time.toFixed(1)} µs, ${matrices} matrices`);
  }
}
if (errors.length) console.log(errors.slice(0, 3).join('\n'));
device.destroy();
process.exit(errors.length ? 1 : 0);
