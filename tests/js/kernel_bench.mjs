// What kernel tests share: the reference kernels as wasm, a player on a device, and one function that
// runs a dispatch on both and gives both results.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { openNodeDevice } from '../../bin/dawn.mjs';
import { expandKernel } from '../../tools/embed_wgsl.mjs';
import { EVENT, TapePlayer } from '../../web/gpu/player.js';
import { OP, USE } from '../../web/gpu/tape.gen.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const header = readFileSync(`${root}src/webgpu/kernels.h`, 'utf8').split('#define QN_KERNEL_LIST')[1];
const definitions = readFileSync(`${root}src/webgpu/params.def`, 'utf8').replace(/\\\r?\n/g, ' ').replace(/\/\*[^]*?\*\//g, ' ');

/** @typedef {{ id: number, name: string, params: string, bindings: string, constants: string[] }} Kernel */
/** @type {Record<string, Kernel>} the rows of QN_KERNEL_LIST by name */
export const KERNELS = {};
for (const [, key, name, params, bindings, constants] of header.matchAll(/X\(([A-Z_]+),\s*(\w+),\s*(\w+),\s*"(\w+)",\s*"([\w ]*)"\)/g)) {
  KERNELS[key] = { id: Object.keys(KERNELS).length, name, params, bindings, constants: constants.split(' ').filter(Boolean) };
}

/** Members of a parameter struct. @param {string} name @returns {{ type: string, member: string }[]} */
function members(name) {
  const list = definitions.match(new RegExp(`QN_PARAMS_${name.toUpperCase()}\\(U, F(?:, V)?\\)([^\\n]*)`));
  if (!list) throw new Error(`no params ${name}`);
  return [...list[1].matchAll(/\b([UF])\((\w+)\)/g)].map(([, type, member]) => ({ type, member })); // what is left out is the step's rows
}

/** Words of a parameter struct; all members must be given. @param {string} name @param {Record<string, number>} values */
export function params(name, values) {
  const list = members(name);
  const words = new Uint32Array(Math.max(list.length, 4));
  const floats = new Float32Array(words.buffer);
  for (const [i, { type, member }] of list.entries()) {
    if (!(member in values)) throw new Error(`params ${name}: ${member} is missing`);
    if (type === 'F') floats[i] = values[member];
    else words[i] = values[member];
  }
  for (const key of Object.keys(values)) if (!list.some((m) => m.member === key)) throw new Error(`params ${name} has no ${key}`);
  return words;
}

/** A kernel's text. Suffix `_half`: that of float16 in float32, its storage still rounded to float16, for devices
 *  without the type. @param {string} name @param {string} suffix */
function textOf(name, suffix) {
  const path = `${root}src/webgpu/kernels/${name}${suffix === '_half' ? '_f16' : suffix}.wgsl`;
  if (suffix !== '_half') return expandKernel(path);
  const text = expandKernel(path).replace('enable f16;', '').replace('bitcast<vec2<u32>>(vec4<f16>(v))', 'vec2<u32>(pack2x16float(v.xy),pack2x16float(v.zw))')
    .replace('bitcast<vec2<f16>>(word)', 'unpack2x16float(word)').replaceAll('vec2<f16>', 'vec2<f32>').replace('Real=f16', 'Real=f32');
  if (/\bf16\b/.test(text)) throw new Error(`${name}: float16 is left`);
  return text;
}

/** Compiles src/webgpu's reference kernels to wasm. */
function compileReference() {
  mkdirSync(`${root}build`, { recursive: true });
  mkdirSync(`${root}build/gen`, { recursive: true });
  const builtins = ['/usr/lib/llvm-19/lib/clang/19/lib/wasi', '/usr/lib/clang/19/lib/wasi'].map((f) => `${f}/libclang_rt.builtins-wasm32.a`).find(existsSync);
  const out = `${root}build/optest-${process.pid}.wasm`;
  execFileSync(process.env.CC ?? 'clang-19', [
    '--target=wasm32-wasi', '-std=c17', '-O2', '-Isrc', '-Iinclude', '-ffp-contract=off', '-nostartfiles', '-nodefaultlibs', '-L/usr/lib/wasm32-wasi',
    '-Wl,--no-entry,--export-dynamic,--initial-memory=16777216,--max-memory=1073741824', '-o', out,
    'tests/wasm/optest.c', ...['grids', 'kernels', 'ref_attention', 'ref_call', 'ref_experts', 'ref_kernels', 'ref_sample', 'packed'].map((f) => `src/webgpu/${f}.c`), 'tests/wasm/no_wgsl.c',
    ...['num', 'rng', 'status', 'format', 'str', 'dtype', 'mem', 'decimal', 'utf8'].map((f) => `src/base/${f}.c`), 'src/quant/wformat.c', 'src/quant/kv.c',
    '-lc', ...(builtins ? [builtins] : []),
  ], { cwd: root, stdio: 'inherit' });
  const bytes = readFileSync(out);
  execFileSync('rm', [out]);
  return bytes;
}

/** The reference kernels in their own memory. */
export class Reference {
  constructor() {
    const module = new WebAssembly.Module(compileReference());
    /** @type {Record<string, Record<string, () => number>>} */
    const imports = {};
    for (const { module: m, name } of WebAssembly.Module.imports(module)) (imports[m] ??= {})[name] = () => { throw new Error(`${name} called`); };
    this.x = /** @type {Record<string, any>} */ (new WebAssembly.Instance(module, imports).exports);
    this.memory = /** @type {WebAssembly.Memory} */ (this.x.memory);
    this.top = this.memory.buffer.byteLength; // behind all that the module itself uses
  }

  /** Address of n fresh bytes behind the heap. @param {number} n */
  take(n) {
    const at = (this.top + 255) & ~255;
    this.top = at + n;
    const short = this.top - this.memory.buffer.byteLength;
    if (short > 0) this.memory.grow(Math.ceil(short / 65536));
    return at;
  }

  /** @param {ArrayBufferView} view */
  put(view) {
    const at = this.take(Math.max(view.byteLength, 4));
    new Uint8Array(this.memory.buffer).set(new Uint8Array(view.buffer, view.byteOffset, view.byteLength), at);
    return at;
  }

  /** @param {Kernel} kernel @param {Uint32Array} parameters @param {number} a @param {number} b @param {number} c */
  grid(kernel, parameters, a = 0, b = 0, c = 0) {
    const mark = this.top;
    const p = this.put(parameters);
    const out = this.take(12);
    this.x.optest_grid(out, kernel.id, p, a, b, c);
    this.top = mark;
    return [...new Uint32Array(this.memory.buffer, out, 3)];
  }

  /** As qn_attention_splits. @param {Uint32Array} parameters @param {number} dim */
  splits(parameters, dim) {
    const mark = this.top;
    const n = this.x.optest_splits(this.put(parameters), dim);
    this.top = mark;
    return n;
  }

  /** @param {Uint32Array} parameters @param {number} type @param {boolean} glu */
  tune(parameters, type, glu) {
    const mark = this.top;
    const word = this.x.optest_tune(this.put(parameters), type, glu ? 1 : 0);
    this.top = mark;
    return { lanes: word & 0xffff, rows: word >>> 16 };
  }

  /** A struct qn_matvec_tune, changed. @param {{ lanes: number, rows: number }} tune @param {(at: number) => void} change */
  #tuned({ lanes, rows }, change) {
    const mark = this.top;
    const at = this.put(Uint32Array.of(lanes, rows, 0, 1, 1, 0));
    change(at);
    const words = new Uint32Array(this.memory.buffer, at, 6);
    this.top = mark;
    return { lanes: words[0], rows: words[1], ahead: words[3], cols: words[4], threads: words[5] };
  }

  /** The tune for `cols` rows of x at once. @param {boolean} glu @param {number} cols @param {{ lanes: number, rows: number }} tune */
  widen(glu, cols, tune) {
    return this.#tuned(tune, (at) => this.x.optest_widen(at, glu ? 1 : 0, cols));
  }

  /** Of matvec_packed, out of matvec_dot's. @param {Uint32Array} parameters @param {Record<string, number>} constants @param {number} cols @param {{ lanes: number, rows: number }} tune */
  packed(parameters, { GLU = 0, PACK = 0, ARGMAX = 0 }, cols, tune) {
    return this.#tuned(tune, (at) => this.x.optest_packed(at, this.put(parameters), GLU, PACK, ARGMAX, cols));
  }

  /** Packed rows as floats, each with its Σ x² behind it; `stride` bytes apart. @param {Uint8Array} bytes @param {number} rows @param {number} groups */
  unpack(bytes, rows, groups, stride = groups * 80) {
    const mark = this.top;
    const [from, to] = [this.put(bytes), this.take(rows * (groups * 32 + 1) * 4)];
    for (let z = 0; z < rows; z++) this.x.optest_unpack(to + z * (groups * 32 + 1) * 4, from + z * stride, groups);
    this.top = mark;
    return new Uint8Array(this.memory.buffer.slice(to, to + rows * (groups * 32 + 1) * 4));
  }

  /** LANES of a matmul_few. @param {Uint32Array} parameters @returns {number} */
  lanes(parameters) {
    const mark = this.top;
    const lanes = this.x.optest_lanes(this.put(parameters));
    this.top = mark;
    return lanes;
  }

  /** Whether matmul_few takes the place of matmul_tiles, or of matmul_matrix. @param {Uint32Array} parameters @param {boolean} glu @param {number} rows
   *  @param {boolean} matrix */
  takesFew(parameters, glu, rows, matrix = false) {
    const mark = this.top;
    const few = this.x.optest_takes_few(this.put(parameters), glu ? 1 : 0, matrix ? 1 : 0, rows);
    this.top = mark;
    return few !== 0;
  }

  /** Values as rows of a cache. @param {Float32Array} x @param {number} type @param {number} dim @returns {Uint8Array} */
  cache(x, type, dim) {
    const mark = this.top;
    const [from, n] = [this.put(x), x.length / dim];
    const bytes = n * this.x.optest_kv_bytes(type, dim);
    const to = this.take(bytes);
    this.x.optest_kv_write(to, from, type, dim, n);
    this.top = mark;
    return new Uint8Array(this.memory.buffer).slice(to, to + bytes);
  }

  /** The values of rows. @param {Uint8Array} rows @param {number} type @param {number} dim @returns {Float32Array} */
  values(rows, type, dim) {
    const mark = this.top;
    const [from, n] = [this.put(rows), Math.floor(rows.length / this.x.optest_kv_bytes(type, dim))];
    const to = this.take(n * dim * 4);
    this.x.optest_kv_read(to, from, type, dim, n);
    this.top = mark;
    return new Float32Array(this.memory.buffer.slice(to, to + n * dim * 4));
  }

  /** Runs a dispatch; W bindings are changed in place. @param {Kernel} kernel @param {Uint8Array[]} bindings
   *  @param {Record<string, number>} constants @param {number[]} grid */
  run(kernel, bindings, constants, grid) {
    const mark = this.top;
    const at = bindings.map((b) => this.put(b));
    const call = this.take(4 * 39);
    const words = new Uint32Array(this.memory.buffer, call, 39);
    words.set(at, 0);
    words.set(bindings.map((b) => b.length), 10);
    new Float32Array(this.memory.buffer, call + 80, 16).set(kernel.constants.map((c) => constants[c] ?? 0));
    words.set(grid, 36);
    const status = this.x.optest_run(kernel.id, call);
    if (status) {
      const text = new Uint8Array(this.memory.buffer, this.x.optest_error(), 400);
      throw new Error(`reference ${kernel.name}: ${new TextDecoder().decode(text.subarray(0, text.indexOf(0)))}`);
    }
    for (const [i, b] of bindings.entries()) if (kernel.bindings[i] === 'W') b.set(new Uint8Array(this.memory.buffer, at[i], b.length));
    this.top = mark;
  }
}

/** A player on a device, and kernels to run on it. */
export class Bench {
  /** @param {Reference} reference its memory also holds the tapes */
  constructor(reference) {
    this.reference = reference;
    /** @type {Map<string, number>} */
    this.pipelines = new Map();
    this.ids = 1;
    this.tag = 1;
    /** @type {Map<number, (bytes: Uint8Array) => void>} */
    this.answers = new Map();
    /** @type {string[]} */
    this.errors = [];
  }

  /** @param {readonly string[]} [features] */
  async open(features) {
    const opened = await openNodeDevice({ features });
    this.device = opened.device;
    this.caps = opened.caps;
    this.info = opened.info;
    this.player = new TapePlayer(opened.device, (event) => {
      if (event.kind === EVENT.ERROR || event.kind === EVENT.LOST) {
        this.errors.push(new TextDecoder().decode(event.bytes));
        for (const [, answer] of this.answers) answer(new Uint8Array(0));
        this.answers.clear();
        return;
      }
      const answer = this.answers.get(event.tag);
      this.answers.delete(event.tag);
      answer?.(event.bytes ? event.bytes.slice() : new Uint8Array(0));
    });
    return this;
  }

  close() {
    this.player?.close();
    this.device?.destroy();
  }

  /** @param {number[]} words @returns {number} status */
  play(words) {
    const mark = this.reference.top;
    const at = this.reference.put(Uint32Array.from(words));
    const status = /** @type {TapePlayer} */ (this.player).play(this.reference.memory, at, words.length);
    this.reference.top = mark;
    return status;
  }

  /** @param {number} tag @returns {Promise<Uint8Array>} */
  answer(tag) {
    return new Promise((resolve) => this.answers.set(tag, resolve));
  }

  /** Bytes of a string in memory, as tape words. @param {string} s */
  text(s) {
    const bytes = new TextEncoder().encode(s);
    return [bytes.length, this.reference.put(bytes), 0];
  }

  /** @param {Kernel} kernel @param {string} suffix @param {Record<string, number>} constants */
  async pipeline(kernel, suffix, constants) {
    const key = `${kernel.name}${suffix} ${JSON.stringify(constants)}`;
    const known = this.pipelines.get(key);
    if (known) return known;
    const mark = this.reference.top;
    const id = this.ids++;
    const bits = new Float32Array(1);
    const tag = this.tag++;
    const entries = Object.entries(constants);
    const words = [
      OP.CREATE_MODULE, id, ...this.text(kernel.name), 1, ...this.text(textOf(kernel.name, suffix)),
      OP.CREATE_LAYOUT, id, kernel.bindings.length, ...[...kernel.bindings].map((b) => 'URW'.indexOf(b)),
      OP.CREATE_PIPELINE, id, id, id, entries.length,
      ...entries.flatMap(([name, value]) => [...this.text(name), (bits.fill(value), new Uint32Array(bits.buffer)[0])]),
      OP.FENCE, tag,
    ];
    const fence = this.answer(tag);
    this.play(words);
    await fence;
    this.reference.top = mark;
    if (this.errors.length) throw new Error(`${key}: ${this.errors.splice(0).join('; ')}`);
    this.pipelines.set(key, id);
    return id;
  }

  /** Runs one dispatch on the device; W bindings are changed in place. @param {Kernel} kernel @param {string} suffix
   *  @param {Uint8Array[]} bindings @param {Record<string, number>} constants @param {number[]} grid */
  async run(kernel, suffix, bindings, constants, grid) {
    const pipeline = await this.pipeline(kernel, suffix, constants);
    const mark = this.reference.top;
    const first = this.ids;
    this.ids += bindings.length + 1;
    const group = first;
    const words = [];
    const sizes = bindings.map((b) => Math.max(16, (b.length + 15) & ~15));
    for (const [i, b] of bindings.entries()) {
      const usage = USE.COPY_DST | USE.COPY_SRC | (kernel.bindings[i] === 'U' ? USE.UNIFORM : USE.STORAGE);
      words.push(OP.CREATE_BUFFER, first + 1 + i, sizes[i], usage);
      words.push(OP.WRITE_BUFFER, first + 1 + i, 0, b.length & ~3, this.reference.put(b), 0);
    }
    words.push(OP.CREATE_GROUP, group, pipeline, bindings.length, ...bindings.flatMap((_, i) => [first + 1 + i, 0, sizes[i]]));
    words.push(OP.BEGIN_PASS, OP.SET_PIPELINE, pipeline, OP.SET_GROUP, group, OP.DISPATCH, ...grid, OP.END_PASS);
    const reads = [];
    for (const [i, b] of bindings.entries()) {
      if (kernel.bindings[i] !== 'W') continue;
      const tag = this.tag++;
      words.push(OP.READ, tag, first + 1 + i, 0, b.length & ~3);
      reads.push(this.answer(tag).then((bytes) => b.set(bytes)));
    }
    words.push(OP.SUBMIT, OP.DESTROY_GROUP, group, ...bindings.flatMap((_, i) => [OP.DESTROY_BUFFER, first + 1 + i]));
    this.play(words);
    this.reference.top = mark;
    await Promise.all(reads);
    if (this.errors.length) throw new Error(`${kernel.name}${suffix}: ${this.errors.splice(0).join('; ')}`);
  }
}

/** Deterministic numbers. @param {number} seed */
export function random(seed) {
  let s = seed >>> 0 || 1;
  const next = () => {
    s ^= s << 13;
    s >>>= 0;
    s ^= s >>> 17;
    s ^= s << 5;
    s >>>= 0;
    return s;
  };
  return {
    u32: next,
    /** below n */
    below: (/** @type {number} */ n) => next() % n,
    /** roughly normal */
    normal: () => (next() + next() + next() + next() - 2 * 4294967295) / 4294967295 * 1.7,
    /** @param {number} n @param {number} [scale] */
    floats(n, scale = 1) {
      return Float32Array.from({ length: n }, () => Math.fround(this.normal() * scale));
    },
  };
}

const bits32 = new Float32Array(1);
/** binary16 bits of a number of ordinary size, truncated. @param {number} x */
export function half(x) {
  bits32[0] = x;
  const u = new Uint32Array(bits32.buffer)[0];
  const e = ((u >>> 23) & 255) - 112;
  return e <= 0 ? (u >>> 16) & 0x8000 : ((u >>> 16) & 0x8000) | (e << 10) | ((u >>> 13) & 0x3ff);
}

/** bfloat16 bits, truncated. @param {number} x */
export function bfloat(x) {
  bits32[0] = x;
  return new Uint32Array(bits32.buffer)[0] >>> 16;
}

/** @param {ArrayBufferView} view @returns {Uint8Array} a copy */
export function bytesOf(view) {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice();
}
