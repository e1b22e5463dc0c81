// Which build of the wasm module this machine can run best.

/** A module with one function f: () → i32 of the given code. @param {number[]} code */
const probe = (code) => {
  const body = [0, ...code, 0x0b];
  return new Uint8Array([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, // magic, version
    1, 5, 1, 0x60, 0, 1, 0x7f, // type: () → i32
    3, 2, 1, 0, // function 0 has type 0
    7, 5, 1, 1, 0x66, 0, 0, // and is exported
    10, body.length + 2, 1, body.length, ...body, // code
  ]);
};
const splat = (/** @type {number} */ byte) => [0x41, byte, 0xfd, 0x0f]; // i32.const, i8x16.splat
const LANE = [0xfd, 0x1b, 0]; // i32x4.extract_lane
const SIMD = probe([...splat(1), ...LANE]);
// −1 × 1 four times by i32x4.relaxed_dot_i8x16_i7x16_add_s. The first compiler of V8 11.3 takes its operands in the wrong order.
const RELAXED = probe([...splat(0x7f), ...splat(1), ...splat(0), 0xfd, 0x93, 2, ...LANE]);

function relaxedWorks() {
  if (!WebAssembly.validate(RELAXED)) return false;
  const { f } = new WebAssembly.Instance(new WebAssembly.Module(RELAXED)).exports;
  return /** @type {() => number} */ (f)() === -4;
}

/** @typedef {'scalar' | 'simd' | 'relaxed' | 'threads' | 'threads-relaxed' | 'gpu'} Variant gpu: the WebGPU backend; the others: the CPU's */

/**
 * @param {{ gpu?: boolean, threads?: number }} [wish] threads > 1 needs shared memory, which a page has only when it is
 *   cross-origin isolated
 * @returns {Variant}
 */
export function bestVariant({ gpu = false, threads = 1 } = {}) {
  if (gpu) return 'gpu';
  if (!WebAssembly.validate(SIMD)) return 'scalar';
  if (threads > 1 && sharedMemoryWorks()) return relaxedWorks() ? 'threads-relaxed' : 'threads';
  return relaxedWorks() ? 'relaxed' : 'simd';
}

export function sharedMemoryWorks() {
  if (typeof SharedArrayBuffer === 'undefined') return false;
  const scope = /** @type {{ crossOriginIsolated?: boolean }} */ (globalThis);
  return scope.crossOriginIsolated !== false;
}

/** One by one, because bundlers look for whole names. */
const URLS = {
  scalar: () => new URL('./wasm/quern-scalar.wasm', import.meta.url),
  simd: () => new URL('./wasm/quern-simd.wasm', import.meta.url),
  relaxed: () => new URL('./wasm/quern-relaxed.wasm', import.meta.url),
  threads: () => new URL('./wasm/quern-threads.wasm', import.meta.url),
  'threads-relaxed': () => new URL('./wasm/quern-threads-relaxed.wasm', import.meta.url),
  gpu: () => new URL('./wasm/quern-gpu.wasm', import.meta.url),
};

/** The memory that a module with threads imports. @param {Variant} variant */
export function sharedMemory(variant) {
  return variant.startsWith('threads') ? new WebAssembly.Memory({ initial: 256, maximum: 65536, shared: true }) : undefined;
}

/** @param {Variant} variant */
export const wasmUrl = (variant) => URLS[variant]();
