// Quern through its own modules, as web/host.js puts them together, for bench/run.mjs and tests: raw token
// ids in and out, synthetic models too, and the counts of what was asked of the GPU.

import { Core } from '../../web/core.js';
import { ModelFiles } from '../../web/files.js';
import { openDevice } from '../../web/gpu/device.js';
import { TapePlayer } from '../../web/gpu/player.js';
import { HttpFiles } from '../../web/http.js';
import { Runner } from '../../web/runner.js';
import { startThreads } from '../../web/threads.js';
import { bestVariant, sharedMemory, wasmUrl } from '../../web/variants.js';

/** Nothing: a synthetic model makes its own bytes. @type {import('../../web/files.js').Backing} */
const NO_FILES = { size: async () => null, read: async () => new Uint8Array(0), sizeSync: () => null, readSync: () => false };

/**
 * @param {object} options
 * @param {string} [options.model] URL of a .gguf file, or of a folder with a '/' at its end
 * @param {string} [options.synthetic] "qwen2.5-0.5b:q4f16_1"
 * @param {'cpu' | 'webgpu'} [options.backend]
 * @param {string[]} [options.features] of the GPU: at most these
 * @param {number} [options.context] @param {number} [options.chunk] @param {number} [options.threads] of the CPU
 * @param {'f32' | 'f16'} [options.kv] @param {boolean} [options.tune] measure at the start what web/host.js measures, on a GPU
 */
export async function load({ model, synthetic, backend = 'cpu', features, context = 256, chunk = 0, threads = 1, kv = 'f32', tune = false }) {
  const begun = performance.now();
  const gpu = backend === 'webgpu' ? await openDevice(navigator.gpu, { features }) : null;
  const variant = bestVariant({ gpu: Boolean(gpu), threads });
  const module = await WebAssembly.compileStreaming(fetch(wasmUrl(variant)));
  const url = model ? new URL(model, location.href).href : '';
  const slash = url.lastIndexOf('/') + 1;
  const files = new ModelFiles(synthetic ? NO_FILES : new HttpFiles(url.slice(0, slash)));
  const memory = sharedMemory(variant);
  /** @type {Runner | undefined} */
  let runner;
  const player = gpu ? new TapePlayer(gpu.device, (event) => runner?.onGpuEvent(event)) : undefined;
  const core = new Core(module, { files, player, memory });
  core.create({ main: url.slice(slash), synthetic: synthetic ?? null, context, chunk, kv, threads, gpu: gpu && { ...gpu.caps, tune } });
  runner = new Runner(core, files);
  await runner.load({ onOpen: () => memory && startThreads(core, module, threads) });
  const session = core.createSession();
  return {
    name: 'quern',
    loadMs: performance.now() - begun,
    threads: memory ? threads : 1,
    variant,
    device: gpu?.info ?? null,
    core,
    runner,
    memory: () => core.memory.buffer.byteLength,
    tokenize: (/** @type {string} */ text) => [...core.tokenize(text)],
    /** @param {{ ids: number[], maxTokens: number, onToken?: () => void, options?: Record<string, unknown> }} request */
    async generate({ ids, maxTokens, onToken = () => {}, options = {} }) {
      core.start(session, ids, { maxTokens, ...options });
      const out = [];
      for await (const event of /** @type {Runner} */ (runner).events(session)) {
        if (event.kind !== 'token') continue;
        onToken();
        out.push(event.id);
      }
      return out;
    },
    exit() {
      core.destroy();
      player?.close();
      gpu?.device.destroy();
    },
  };
}
