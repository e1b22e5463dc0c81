// What Node supplies to the engine: files from disk, the wasm module, a GPU through Dawn.

import { closeSync, existsSync, fstatSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { Core } from '../web/core.js';
import { Engine } from '../web/engine.js';
import { fail, STATUS } from '../web/errors.js';
import { Requests } from '../web/requests.js';
import { ModelFiles } from '../web/files.js';
import { Runner } from '../web/runner.js';
import { Steps } from '../web/steps.js';
import { bestVariant, wasmUrl } from '../web/variants.js';

/** Files of a folder, read at once. @param {string} folder @returns {import('../web/files.js').Backing & { close(): void }} */
export function diskBacking(folder) {
  /** @type {Map<string, number>} */
  const open = new Map();
  const find = (/** @type {string} */ name) => {
    const path = join(folder, name);
    let fd = open.get(name);
    if (fd === undefined) {
      if (!existsSync(path) || !statSync(path).isFile()) return null;
      fd = openSync(path, 'r');
      open.set(name, fd);
    }
    return fd;
  };
  const sizeSync = (/** @type {string} */ name) => {
    const fd = find(name);
    return fd === null ? null : fstatSync(fd).size;
  };
  const read = (/** @type {string} */ name, /** @type {number} */ offset, /** @type {Uint8Array} */ target) => {
    const fd = find(name);
    for (let at = 0; fd !== null && at < target.length; ) {
      const n = readSync(fd, target, at, target.length - at, offset + at);
      if (n === 0) throw fail(STATUS.E_TRUNCATED, `${name} at byte ${offset + at}`);
      at += n;
    }
    return fd !== null;
  };
  return {
    sizeSync,
    readSync: read,
    size: async (name) => sizeSync(name),
    read: async (name, offset, n) => {
      const target = new Uint8Array(n);
      read(name, offset, target);
      return target;
    },
    close() {
      for (const fd of open.values()) closeSync(fd);
    },
  };
}

/** Nothing: a synthetic model makes its own bytes. @type {import('../web/files.js').Backing} */
const noBacking = { size: async () => null, read: async () => new Uint8Array(0), sizeSync: () => null, readSync: () => false };

/** The folder and the main file that a MODEL argument names; none: the embedded default.
 *  @param {string | undefined} model */
export function locate(model) {
  const path = !model || model === 'grist' ? fileURLToPath(new URL('../models/grist', import.meta.url)) : model;
  if (/^(hf:|https?:)/.test(path)) throw fail(STATUS.E_UNSUPPORTED, `${path} from the command line; download it first`);
  if (!existsSync(path)) throw fail(STATUS.E_NOT_FOUND, path);
  return statSync(path).isDirectory() ? { folder: path, main: '' } : { folder: dirname(path), main: basename(path) };
}

/**
 * An engine, opened and, where it is needed, loaded.
 * @param {object} options
 * @param {string} [options.model]
 * @param {string} [options.synthetic]
 * @param {'cpu' | 'webgpu' | 'auto'} [options.backend]
 * @param {string[] | undefined} [options.deviceFeatures] GPU features to use; undefined: all there are
 * @param {import('../web/variants.js').Variant} [options.variant]
 * @param {number} [options.context]
 * @param {number} [options.chunk]
 * @param {'f32' | 'f16' | 'q8' | 'q4'} [options.kv]
 * @param {'nothing' | 'text' | 'metadata' | 'weights'} [options.need] how much the command needs
 * @param {boolean} [options.embeddings] loads the model for embeddings
 */
export async function openModel({ model, synthetic, backend = 'cpu', deviceFeatures, variant, context, chunk, kv, need = 'weights', embeddings = false }) {
  const where = synthetic ? { folder: '', main: '' } : locate(model);
  const backing = synthetic ? noBacking : diskBacking(where.folder);
  const files = new ModelFiles(backing);
  const started = performance.now();
  /** @type {Runner | undefined} */
  let runner;
  const gpu = backend === 'cpu' || need !== 'weights' ? null : await openGpu(deviceFeatures, (event) => runner?.onGpuEvent(event), backend === 'auto');
  const module = new WebAssembly.Module(readFileSync(fileURLToPath(wasmUrl(gpu ? 'gpu' : variant ?? bestVariant()))));
  const core = new Core(module, { files, player: gpu?.player });
  core.create({ main: where.main, synthetic: synthetic ?? null, context: context ?? 0, chunk: chunk ?? 0, kv: kv ?? 'f32', textOnly: need === 'text', embeddings, gpu: gpu?.caps ?? null });
  runner = new Runner(core, files);
  if (need === 'weights') {
    await runner.load();
  } else if (need !== 'nothing') {
    while (!core.open()) await files.satisfy();
  }
  return {
    core,
    runner,
    gpu,
    loadMs: performance.now() - started,
    /** What serves requests as web/engine.js does, without a worker. @param {string} name */
    engine: (name) => directEngine(core, /** @type {Runner} */ (runner), name, { backend: gpu ? 'webgpu' : 'cpu' }),
    close() {
      core.destroy();
      gpu?.close();
      if ('close' in backing) /** @type {{ close(): void }} */ (backing).close();
    },
  };
}

/**
 * The engine of an application on this thread. Node has no storage for sessions.
 * @param {Core} core @param {Runner} runner @param {string} model
 * @param {import('../web/requests.js').Window & { backend?: 'webgpu' | 'cpu' }} [options]
 */
export function directEngine(core, runner, model, { backend = 'cpu', ...window } = {}) {
  const compile = async (/** @type {URL} */ url) => new WebAssembly.Module(readFileSync(fileURLToPath(url)));
  const requests = new Requests(core, runner, compile, window);
  const steps = new Steps(core, runner, compile, requests);
  const never = new AbortController().signal;
  /** @type {Record<string, (given: any, signal: AbortSignal, options?: any) => unknown>} */
  const methods = {
    tokenize: (text) => [...core.tokenize(text)],
    detokenize: (ids, _, options) => core.detokenize(ids, options),
    isEnd: (id) => core.token(id).eos,
    logits: (ids, signal) => steps.logits(ids, signal),
    promptTokens: (request, signal) => steps.promptTokens(request, signal),
    memory: () => ({ wasm: core.memory.buffer.byteLength, device: 0 }),
    requests: () => 0,
  };
  const channel = {
    /** @type {import('../web/choices.js').Call} */
    call: async (method, [given, options], { signal = never, onEvent = () => {} } = {}) => {
      if (['chat', 'completion', 'embedding'].includes(method)) return requests.ask(/** @type {any} */ (method), /** @type {any} */ (given), onEvent, signal);
      if (!Object.hasOwn(methods, method)) throw fail(STATUS.E_UNSUPPORTED, `${method} outside a browser`);
      return methods[method](given, signal, options);
    },
    close: () => {},
  };
  const { architecture, quantization, parameters, memory, sampling, embeddings } = core.info();
  const info = { model, backend, device: {}, ...core.sizes(), embeddings, architecture, quantization, parameters, memory, sampling, variant: '' };
  return new Engine(/** @type {any} */ (channel), /** @type {any} */ ({ terminate() {} }), info);
}

/**
 * @param {string[] | undefined} features
 * @param {(event: import('../web/core.js').GpuEvent) => void} onEvent
 * @param {boolean} optional without a GPU: null instead of an error
 */
async function openGpu(features, onEvent, optional) {
  const { openNodeDevice } = await import('./dawn.mjs');
  const { TapePlayer } = await import('../web/gpu/player.js');
  try {
    const opened = await openNodeDevice({ features });
    const player = new TapePlayer(opened.device, onEvent);
    return { ...opened, player, close: () => player.close() };
  } catch (error) {
    if (optional) return null;
    throw error;
  }
}
