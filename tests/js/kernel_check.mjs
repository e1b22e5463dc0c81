// What the tests of kernels share: the devices that there are, a dispatch on all of them beside the
// reference, and operands.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after } from 'node:test';

import { FEATURES } from '../../web/gpu/device.js';
import { Bench, KERNELS, Reference, bfloat, bytesOf, half, params, random } from './kernel_bench.mjs';

export const MATRIX = 'chromium-experimental-subgroup-matrix';
export const reference = new Reference();
/** @type {{ name: string, suffix: string, bench: Bench }[]} */
export const devices = [];
/** @type {Bench | undefined} all that there is, more workgroup memory too */
export let full;
try {
  devices.push({ name: 'minimum', suffix: '', bench: await new Bench(reference).open([]) });
  full = await new Bench(reference).open([...FEATURES, MATRIX, 'packed-dot']); // which software adapters have, but are not given by themselves
  for (const [feature, suffix] of [['subgroups', '_subgroups'], ['shader-f16', '_f16']]) {
    if (full.caps?.features.includes(feature)) devices.push({ name: feature, suffix, bench: full });
  }
} catch (error) {
  if (!devices.length) console.log(`skipped: ${/** @type {Error} */ (error).message}`);
}
export const options = { skip: devices.length === 0 };
after(() => new Set([full, ...devices.map(({ bench }) => bench)]).forEach((bench) => bench?.close()));

export const SENTINEL = 0x7a7a7a7a; // 3.25e35 as a float
export const WTYPES = ['F32', 'F16', 'BF16', 'Q8', 'Q4'];

/** Kernels over integers: one text, for devices with products of bytes. @param {string} name */
const overIntegers = (name) => ['MATVEC_DOT', 'MATVEC_PACKED', 'MATMUL_PACKED', 'PACK_ROWS'].includes(name);
/** @param {string} suffix @param {Bench} bench */
export const hasProducts = (suffix, bench) => suffix === '_subgroups' && !!bench.caps?.features.includes('packed-dot');

/** Workgroup memory of a matmul_tiles in float32. @param {Record<string, number>} c */
export const tileBytes = (c) => (Math.max(c.TX, 8) + Math.max(c.TY, 8)) * c.BUFFERS * 1024;

/** Runs a dispatch everywhere and compares all W bindings. @param {string} name @param {object} c
 *  @param {ArrayBufferView[]} c.bindings @param {Record<string, number>} [c.constants] @param {number[]} c.grid
 *  @param {number} [c.tolerance] of the largest value; 0: bit for bit @param {string} [c.label]
 *  @param {boolean} [c.minimumOnly] */
export async function check(name, { bindings, constants = {}, grid, tolerance = 0, label = '', minimumOnly = false }) {
  const kernel = KERNELS[name];
  const expected = bindings.map(bytesOf);
  reference.run(kernel, expected, constants, grid);
  const matrix = name === 'MATMUL_MATRIX';
  const large = name === 'MATMUL_TILES' && tileBytes(constants) > 16384 && full ? [{ name: 'all limits', suffix: '', bench: full }] : undefined;
  for (const { name: device, suffix, bench } of large ?? devices) {
    if (matrix ? !bench.caps?.features.includes(MATRIX) : overIntegers(name) ? !hasProducts(suffix, bench) : suffix && (minimumOnly || !existsSync(`src/webgpu/kernels/${kernel.name}${suffix}.wgsl`))) continue;
    const actual = bindings.map(bytesOf);
    await bench.run(kernel, matrix || overIntegers(name) ? '' : suffix, actual, constants, grid);
    for (const [i, want] of expected.entries()) {
      if (kernel.bindings[i] === 'W') compare(want, actual[i], tolerance * (matrix || suffix === '_f16' ? 1000 : 1), `${name} on ${device}, ${label}, binding ${i}`);
    }
  }
  if (name === 'MATMUL_TILES' && grid[1] > 1) {
    const actual = bindings.map(bytesOf);
    await (large ?? devices)[0].bench.run(kernel, '_half', actual, constants, grid);
    compare(expected[8], actual[8], tolerance * 1000, `${name} by halves, ${label}`);
  }
}

/** @param {Uint8Array} want @param {Uint8Array} got @param {number} tolerance @param {string} where */
export function compare(want, got, tolerance, where) {
  const [wu, gu] = [want, got].map((b) => new Uint32Array(b.buffer, 0, b.length >> 2));
  const [wf, gf] = [wu, gu].map((u) => new Float32Array(u.buffer));
  let scale = 0;
  for (let i = 0; i < wu.length; i++) if (wu[i] !== SENTINEL && Math.abs(wf[i]) < 1e30) scale = Math.max(scale, Math.abs(wf[i]));
  for (let i = 0; i < wu.length; i++) {
    if (wu[i] === gu[i]) continue;
    const close = tolerance && wu[i] !== SENTINEL && Math.abs(wf[i] - gf[i]) <= tolerance * scale;
    assert.ok(close, `${where}: word ${i} of ${wu.length} is ${gf[i]} (${gu[i].toString(16)}), not ${wf[i]} (${wu[i].toString(16)}); largest ${scale}`);
  }
}

/** The step, with room for rows. @param {Record<string, number>} values @param {number[][]} rows */
export function stepOf(values, rows = []) {
  const words = new Uint32Array(8 + 8 * 4);
  words.set(params('step', { pos: 0, n_rows: values.n_tokens, rope_set: 0, slot: 0, first_id: 0, batch: 0, pooling: 0, ...values }));
  words.set(rows.flat(), 8);
  return words;
}
/** @param {number} pos @param {number} t @param {number} r */
export const step = (pos, t, r = t, rope_set = 0) => stepOf({ pos, n_tokens: t, n_rows: r, rope_set });
/** A step of a token each of several sessions; what is a single one's must not count. @param {number[][]} rows position, slot, rope set, place of the id */
export const batch = (rows) => stepOf({ pos: 77, n_tokens: rows.length, rope_set: 1, slot: 5, first_id: 9, batch: 1 }, rows);
/** An output buffer with a margin that must stay. @param {number} words */
export const output = (words) => new Uint32Array(words + 5).fill(SENTINEL);
export const none = new Uint32Array(4);

/** Weights in canonical planes. @param {ReturnType<typeof random>} rng @param {number} type @param {number} stype @param {number} zero
 *  @param {number} rows @param {number} cols */
export function weights(rng, type, stype, zero, rows, cols) {
  const groups = Math.ceil(cols / 32);
  const n = rows * groups * 32;
  /** @type {ArrayBufferView} */
  let values;
  if (type === 0) values = rng.floats(n);
  else if (type === 1) values = Uint16Array.from({ length: n }, () => half(rng.normal()));
  else if (type === 2) values = Uint16Array.from({ length: n }, () => bfloat(rng.normal()));
  else values = Uint32Array.from({ length: n / (type === 3 ? 4 : 8) }, rng.u32);
  // Blocks of the scales plane (src/quant/wformat.h): factors, then int8 of two-level scales, then high bits.
  const [super_, levels, high, group] = [(stype >> 4) & 1, (stype >> 5) & 1, (stype >> 6) & 3, 16 << (stype >> 8)];
  const pair = stype & 4 ? 2 : 1;
  const size = (stype & 3) === 2 ? 4 : 2;
  const head = super_ ? 4 + (256 / group) * pair : high ? 4 : size * pair;
  const block = super_ ? 256 : high ? 32 : group;
  const each = head + (block / 8) * high;
  const n_blocks = type < 3 ? 0 : n / block;
  const scales = new DataView(new ArrayBuffer(Math.max(16, n_blocks * each + 3 & ~3)));
  const put = (/** @type {number} */ at, /** @type {number} */ value) => (size === 4 ? scales.setFloat32(at, value, true) : scales.setUint16(at, stype & 1 ? bfloat(value) : half(value), true));
  for (let i = 0; i < n_blocks; i++) {
    const at = i * each;
    for (let j = 4; j < each; j++) scales.setUint8(at + j, rng.u32());
    const unit = (super_ ? 1 / 30 : 1) / (type === 3 || levels ? 100 : high ? 2 ** (3 + high) : 8);
    put(at, rng.normal() * unit);
    if (pair === 2) put(at + size, stype & 8 ? rng.u32() % 17 : rng.normal() * unit * 4);
  }
  return { values, scales, constants: { WTYPE: type, STYPE: stype, ZERO: zero } };
}

/** Type, constant STYPE, zero of every canonical layout. */
export const FORMATS = [[0, 256, 0], [1, 256, 0], [2, 256, 0], [3, 256, 0], [4, 256, 7], [4, 256, 8], [4, 257, 8], [4, 258, 8], // plain, Q8_0, Q4_0, MLC
  [4, 260, 0], [4, 320, 16], [4, 324, 0], [4, 288, 0], // Q4_1, Q5_0, Q5_1, IQ4_NL
  [4, 304, 0], [4, 20, 0], [4, 16, 4], [4, 276, 0], [4, 340, 0], [4, 144, 32], // IQ4_XS, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K
  [4, 268, 0], [4, 524, 0], [4, 782, 0], [4, 0, 3]]; // AWQ: groups of 32, 64, 128; q3f16_1
/** Columns near `cols` that are whole blocks of scales. @param {number[]} format @param {number} cols */
export const whole = ([, stype], cols) => (stype & 16 ? Math.ceil(cols / 256) * 256 : stype > 511 ? Math.ceil(cols / 128) * 128 : cols);

/** @param {Record<string, number>} values */
export const vocabParams = (values) => params('vocab', { chunks: reference.x.optest_chunks(values.vocab), stride: values.vocab, max_pos: 100, ...values });
/** @param {Record<string, number>} values */
export const samplingParams = (values) => params('sampling', { temperature: 1, top_k: 0, top_p: 1, ln_min_p: -3e38, repetition: 1, frequency: 0, presence: 0, key: 12345, has_seen: 0, has_bias: 0, has_mask: 0, draw: 0, ...values });
