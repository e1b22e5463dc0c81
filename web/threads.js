// Workers of the CPU backend: each is another instance of the module on the same shared memory, with
// a stack of its own, and works for the engine's pool until the engine goes.

const STACK = 1 << 17; // bytes

const SCRIPT = new URL('./thread.js', import.meta.url).href;

/** Under require-trusted-types-for 'script' a policy vouches for this one script. Pages that allow policies by name import this file
 *  too, so it is made where it is needed. @type {{ createScriptURL(url: string): unknown } | undefined} */
let policy;

/**
 * @param {import('./core.js').Core} core an engine that is open
 * @param {WebAssembly.Module} module
 * @param {number} threads the engine's own thread counted
 */
export function startThreads(core, module, threads) {
  policy ??= /** @type {any} */ (globalThis).trustedTypes?.createPolicy('quern-threads', { createScriptURL: () => SCRIPT });
  const pool = core.exports.qn_wasm_pool(core.handle) >>> 0;
  for (let index = 1; pool && index < threads; index++) {
    const stack = core.exports.qn_wasm_alloc(STACK) >>> 0;
    if (!stack) return; // fewer workers only make it slower
    // Where a bundler made the script a data: URL, which may not share memory, it has made a file for the literal worker too.
    const worker = SCRIPT.startsWith('data:')
      ? new Worker(new URL('./thread.js', import.meta.url), { type: 'module' })
      : new Worker(/** @type {string} */ (policy?.createScriptURL(SCRIPT) ?? SCRIPT), { type: 'module', name: `quern thread ${index}` });
    worker.postMessage({ module, memory: core.memory, pool, index, stackTop: stack + STACK });
  }
}
