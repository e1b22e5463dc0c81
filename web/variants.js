// Which build of the wasm module this machine can run best.

/** A module with one function () → v128 whose body is the given code. @param {number[]} code */
const probe = (code) => {
  const body = [0, ...code, 0x0b];
  return new Uint8Array([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, // magic, version
    1, 5, 1, 0x60, 0, 1, 0x7b, // type: () → v128
    3, 2, 1, 0, // function 0 has type 0
    10, body.length + 2, 1, body.length, ...body, // code
  ]);
};
const SPLAT = [0x41, 1, 0xfd, 0x0f]; // i32.const 1, i8x16.splat
const SIMD = probe(SPLAT);
const RELAXED = probe([...SPLAT, ...SPLAT, 0xfd, 0x80, 2]); // i8x16.relaxed_swizzle

/** @typedef {'scalar' | 'simd' | 'relaxed' | 'threads' | 'gpu'} Variant gpu: the WebGPU backend; the others: the CPU's */

/**
 * @param {{ gpu?: boolean, threads?: number }} [wish] threads > 1 needs shared memory, which a page has only when it is
 *   cross-origin isolated
 * @returns {Variant}
 */
export function bestVariant({ gpu = false, threads = 1 } = {}) {
  if (gpu) return 'gpu';
  if (!WebAssembly.validate(SIMD)) return 'scalar';
  if (threads > 1 && sharedMemoryWorks()) return 'threads';
  return WebAssembly.validate(RELAXED) ? 'relaxed' : 'simd';
}

export function sharedMemoryWorks() {
  if (typeof SharedArrayBuffer === 'undefined') return false;
  const scope = /** @type {{ crossOriginIsolated?: boolean }} */ (globalThis);
  return scope.crossOriginIsolated !== false;
}

/** @param {Variant} variant */
export function wasmUrl(variant) {
  return new URL(`./wasm/quern-${variant}.wasm`, import.meta.url);
}
