// Constrained output is a wasm module of its own, which the first request that asks for it loads. It
// shares the memory, the table and the functions of the engine's module, as the tool conventions for
// dynamic linking have it (github.com/WebAssembly/tool-conventions, DynamicLinking.md).

import { fail, STATUS } from './errors.js';

/** @typedef {import('./core.js').Core} Core */

/** Whole names, for bundlers. @param {Core} core */
const constrainUrl = (core) => (core.sharedMemory ? new URL('./wasm/constrain-threads.wasm', import.meta.url) : new URL('./wasm/constrain.wasm', import.meta.url));

/** What the module wants of memory and table: subsection 1 of its section "dylink.0".
 *  @param {WebAssembly.Module} module */
function needs(module) {
  const bytes = new Uint8Array(WebAssembly.Module.customSections(module, 'dylink.0')[0] ?? 0);
  let at = 0;
  const number = () => {
    let value = 0;
    for (let shift = 0; at < bytes.length; shift += 7) {
      const byte = bytes[at++];
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) break;
    }
    return value;
  };
  while (at < bytes.length) {
    const kind = bytes[at++];
    const end = number() + at;
    if (kind === 1) return { memory: number(), align: 2 ** number(), table: number() };
    at = end;
  }
  throw fail(STATUS.E_INTERNAL, 'the module for constrained output is not one to link');
}

/** @param {Core} core @param {(url: URL) => WebAssembly.Module | Promise<WebAssembly.Module>} compile */
export async function linkConstraints(core, compile) {
  const module = await compile(constrainUrl(core));
  const { memory, align, table } = needs(module);
  const shared = /** @type {Record<string, any>} */ (core.exports);
  const room = core.exports.qn_wasm_alloc(memory + align) >>> 0;
  if (!room) throw fail(STATUS.E_NO_MEMORY, 'the module for constrained output');
  const base = Math.ceil(room / align) * align;
  core.bytes(base, memory).fill(0);
  const constant = (/** @type {number} */ value) => new WebAssembly.Global({ value: 'i32' }, value);
  const env = {
    ...shared,
    memory: core.memory,
    __memory_base: constant(base),
    __table_base: constant(shared.__indirect_function_table.grow(table)),
  };
  const linked = /** @type {Record<string, () => number>} */ (/** @type {unknown} */ (new WebAssembly.Instance(module, { env }).exports));
  linked.__wasm_apply_data_relocs?.();
  core.check(core.exports.qn_wasm_constrain(core.handle, linked.qn_constrain_table()));
}
