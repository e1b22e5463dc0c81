// What end-to-end tests share: the fixtures, an engine over a model on a backend, and one request as a
// promise. GPU devices are opened once per set of features: Dawn finds pipelines that live on a device
// again, and compiling them is what takes the time on a software adapter.

import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { openNodeDevice } from '../../../bin/dawn.mjs';
import { diskBacking, locate } from '../../../bin/host.mjs';
import { Core } from '../../../web/core.js';
import { ModelFiles } from '../../../web/files.js';
import { TapePlayer } from '../../../web/gpu/player.js';
import { Runner } from '../../../web/runner.js';
import { sharedMemory, wasmUrl } from '../../../web/variants.js';

export const root = fileURLToPath(new URL('../../../', import.meta.url));
export const shared = resolve(root, process.env.QN_SHARED ?? '../shared');

/** For node:test's `skip`: why fixtures cannot be had, or false. */
export const skipFixtures = existsSync(join(shared, 'fixtures')) ? false : 'skipped: no ../shared';

/** @typedef {{ ids: number[], logits_last: number[], argmax: number[], argmax_margin: number[], max_abs_logit: number, greedy: number[], greedy_min_margin: number }} Sequence */

/** @param {string} name "gguf/qwen2_Q4_0" @returns {{ name: string, path: string, sequences: Sequence[], vocab: number }} */
export function fixture(name) {
  const folder = join(shared, 'fixtures', name);
  const golden = JSON.parse(readFileSync(join(folder, 'golden.json'), 'utf8'));
  return { name, path: name.startsWith('gguf/') ? join(folder, 'model.gguf') : folder, sequences: golden.sequences, vocab: golden.vocab_size };
}

/** @type {Map<string, ReturnType<typeof openNodeDevice>>} */
const devices = new Map();

/** The one device with these features (undefined: all). @param {string[]} [features] */
export function gpuDevice(features) {
  const key = features ? features.join() : 'all';
  const known = devices.get(key);
  if (known) return known;
  const opened = openNodeDevice({ features });
  devices.set(key, opened);
  return opened;
}

/** Destroys the devices, so that the process can end. */
export async function closeDevices() {
  for (const opened of devices.values()) (await opened).device.destroy();
  devices.clear();
  compiled.clear();
}

/** @type {Set<GPUComputePipeline>} keeps pipelines, so that the next engine's are found in Dawn's cache */
const compiled = new Set();

/** @type {Map<string, WebAssembly.Module>} */
const modules = new Map();

/** @param {import('../../../web/variants.js').Variant} variant */
function wasmModule(variant) {
  const known = modules.get(variant);
  if (known) return known;
  const module = new WebAssembly.Module(readFileSync(fileURLToPath(wasmUrl(variant))));
  modules.set(variant, module);
  return module;
}

/** @typedef {Awaited<ReturnType<typeof openFiles>>} Engine */

/**
 * @param {string} path of a model
 * @param {object} [options]
 * @param {import('../../../web/variants.js').Variant} [options.variant]
 * @param {Awaited<ReturnType<typeof openNodeDevice>> | null} [options.gpu] null: the CPU
 * @param {'f32' | 'f16' | 'q8' | 'q4'} [options.kv]
 * @param {number} [options.context]
 * @param {number} [options.chunk]
 * @param {boolean} [options.embeddings]
 * @param {number} [options.threads] with a variant that has them
 * @param {(core: Core, module: WebAssembly.Module, threads: number) => void} [options.start] starts them
 */
export async function openEngine(path, options = {}) {
  const where = locate(path);
  const backing = diskBacking(where.folder);
  try {
    return await openFiles(backing, where.main, options);
  } finally {
    backing.close();
  }
}

/** The same from any files. @param {import('../../../web/files.js').Backing} backing @param {string} main @param {NonNullable<Parameters<typeof openEngine>[1]>} [options] */
export async function openFiles(backing, main, { variant = 'simd', gpu = null, kv = 'f32', context = 128, chunk = 0, embeddings = false, threads = 1, start } = {}) {
  const files = new ModelFiles(backing);
  /** @type {Runner | undefined} */
  let runner;
  const player = gpu ? new TapePlayer(gpu.device, (event) => runner?.onGpuEvent(event)) : undefined;
  const module = wasmModule(gpu ? 'gpu' : variant);
  const core = new Core(module, { files, player, memory: sharedMemory(variant) });
  core.create({ main, context, chunk, kv, embeddings, threads, gpu: gpu?.caps ?? null });
  runner = new Runner(core, files);
  await runner.load({ onOpen: () => start?.(core, module, threads) });
  for (const pipeline of player?.pipelines ?? []) if (pipeline) compiled.add(pipeline);
  return {
    core,
    runner,
    player,
    close() {
      core.destroy();
      player?.close();
    },
  };
}

/**
 * @typedef {object} Answer
 * @property {number[]} ids new tokens
 * @property {string} text
 * @property {Float32Array[]} logits one per LOGITS event
 * @property {number[]} argmax
 * @property {import('../../../web/core.js').CoreEvent} done
 */

/**
 * Collects the events of the request that was started.
 * @param {Engine} engine @param {number} session
 * @param {(event: import('../../../web/core.js').CoreEvent, sofar: Answer) => void} [look]
 * @returns {Promise<Answer>}
 */
export async function finish({ runner }, session, look = () => {}) {
  /** @type {Partial<Answer> & Pick<Answer, 'ids' | 'logits' | 'argmax'>} */
  const answer = { ids: [], text: '', logits: [], argmax: [] };
  for await (const event of runner.events(session)) {
    if (event.kind === 'token') answer.ids.push(event.id);
    if (event.logits) answer.logits.push(event.logits);
    if (event.kind === 'argmax') answer.argmax.push(.../** @type {Uint32Array} */ (event.ids));
    if (event.kind === 'done') answer.done = event;
    answer.text += event.text;
    look(event, /** @type {Answer} */ (answer));
  }
  if (!answer.done) throw new Error('no DONE event');
  return /** @type {Answer} */ (answer);
}

/** @param {Engine} engine @param {number} session @param {ArrayLike<number>} ids @param {Record<string, unknown>} [options] */
export function ask(engine, session, ids, options = {}) {
  engine.core.start(session, ids, options);
  return finish(engine, session);
}

/** The same on a session of its own. @param {Engine} engine @param {ArrayLike<number>} ids @param {Record<string, unknown>} [options] */
export async function askFresh(engine, ids, options = {}) {
  const session = engine.core.createSession();
  try {
    return await ask(engine, session, ids, options);
  } finally {
    engine.core.destroySession(session);
  }
}
