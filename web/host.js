// One loaded model and its requests, inside the worker: chooses the backend, opens the source.

import { chooseGpu } from './backend.js';
import { Core } from './core.js';
import { fail, STATUS } from './errors.js';
import { ModelFiles } from './files.js';
import { TapePlayer } from './gpu/player.js';
import { Requests, windowFields } from './requests.js';
import { Runner } from './runner.js';
import { OverlaidFiles } from './overlay.js';
import { openSource } from './sources.js';
import { Snapshots } from './snapshots.js';
import { Steps } from './steps.js';
import { recallChoice, rememberChoice } from './tuned.js';
import { startThreads } from './threads.js';
import { bestVariant, sharedMemory, sharedMemoryWorks, wasmUrl } from './variants.js';

/** @typedef {Awaited<ReturnType<typeof chooseGpu>>} Choice */

export class Host {
  /** @type {{ core: Core, runner: Runner, player: TapePlayer | null, requests: Requests } | null} */
  #loaded = null;
  /** @type {Steps | null} */
  #steps = null;
  /** @type {Snapshots | null} */
  #snapshots = null;

  get #model() {
    if (!this.#loaded) throw fail(STATUS.E_STATE, 'no model is loaded');
    return this.#loaded;
  }

  core() {
    return this.#model.core;
  }

  snapshots() {
    return (this.#snapshots ??= new Snapshots(this.#model.requests));
  }

  steps() {
    const { core, runner, requests } = this.#model;
    return (this.#steps ??= new Steps(core, runner, compile, requests));
  }

  /**
   * @param {import('./engine.js').EngineOptions} options
   * @param {(progress: import('./engine.js').LoadProgress) => void} tell
   * @param {AbortSignal} signal
   * @returns {Promise<import('./engine.js').EngineInfo>}
   */
  async load(options, tell, signal) {
    if (this.#loaded) throw fail(STATUS.E_STATE, 'this worker has loaded a model already');
    windowFields(options);
    /** @type {import('./runner.js').Progress} */
    let progress = { phase: 'open', loaded: 0, total: 0 };
    /** @type {Choice} */
    let choice = { gpu: null };
    const report = () => {
      const { received, verified } = source.traffic();
      const cached = received === 0;
      const { phase, total } = progress;
      const { reason } = choice;
      // Fetching and uploading overlap; fetching is the longer part of it, and what people wait for.
      const fetched = Math.min(received + verified, total);
      const fetching = phase === 'upload' && fetched > 0 && fetched < total;
      tell({ ...(fetching ? { phase: cached ? 'verify' : 'download', loaded: fetched, total } : progress), cached, ...(reason && { reason }) });
    };
    const onProgress = (/** @type {import('./runner.js').Progress} */ p) => {
      progress = p;
      report();
    };
    const source = await openSource(options.model, { store: options.store ?? 'auto', onBytes: () => progress.total && report() });
    choice = await chooseGpu(options.backend ?? 'auto');
    try {
      return await this.#load(options, source, choice, onProgress, signal);
    } catch (error) {
      const { status, message } = /** @type {import('./errors.js').QuernError} */ (error);
      const failed = status === STATUS.E_GPU || status === STATUS.E_GPU_LOST;
      if (!choice.gpu || options.backend === 'webgpu' || !failed) throw error;
      choice = { gpu: null, reason: message }; // a device that computes wrongly is as good as none
      return this.#load(options, source, choice, onProgress, signal);
    }
  }

  /**
   * @param {import('./engine.js').EngineOptions} options @param {Awaited<ReturnType<typeof openSource>>} source @param {Choice} choice
   * @param {(progress: import('./runner.js').Progress) => void} onProgress @param {AbortSignal} signal
   * @returns {Promise<import('./engine.js').EngineInfo>}
   */
  async #load(options, source, { gpu, reason }, onProgress, signal) {
    // A software adapter is slow in its own way.
    const tune = gpu && options.tune !== false && !gpu.info.fallback ? gpu : null;
    const caps = gpu && { ...gpu.caps, tune: tune !== null, ...(tune && (await recallChoice(tune))) };
    const threads = gpu || !sharedMemoryWorks() ? 1 : options.threads ?? Math.min(navigator.hardwareConcurrency || 1, 8);
    const variant = bestVariant({ gpu: gpu !== null, threads });
    const module = await compile(wasmUrl(variant));
    const files = new ModelFiles(options.config || options.integrity ? new OverlaidFiles(source.backing, options.config ?? {}, options.integrity) : source.backing);
    const memory = sharedMemory(variant);
    /** @type {Runner | undefined} */
    let runner;
    const player = gpu ? new TapePlayer(gpu.device, (event) => runner?.onGpuEvent(event)) : null;
    const core = new Core(module, { files, player: player ?? undefined, memory });
    const create = { main: source.main, context: options.context ?? 0, kv: options.kv ?? (gpu ? 'f16' : 'f32'), embeddings: options.embeddings ?? false, threads, gpu: caps };
    core.create(create);
    runner = new Runner(core, files);
    try {
      await runner.load({
        signal,
        onProgress,
        onOpen: () => memory && startThreads(core, module, threads),
      });
      await source.done();
      this.#loaded = { core, runner, player, requests: new Requests(core, runner, compile, options) };
    } catch (error) {
      core.destroy();
      gpu?.device.destroy();
      throw error;
    }
    const info = core.info();
    if (tune && info.variants.tuned) await rememberChoice(tune, info.variants.choice);
    return {
      model: source.name,
      backend: gpu ? 'webgpu' : 'cpu',
      reason,
      device: gpu?.info ?? { threads },
      ...core.sizes(),
      embeddings: info.embeddings,
      architecture: info.architecture,
      quantization: info.quantization,
      parameters: info.parameters,
      memory: info.memory,
      sampling: info.sampling,
      variant,
      ...(info.variants && { variants: info.variants }),
    };
  }

  memory() {
    const { core, player } = this.#loaded ?? {};
    return { wasm: core?.memory.buffer.byteLength ?? 0, device: player?.buffers.reduce((sum, buffer) => sum + (buffer?.size ?? 0), 0) ?? 0 };
  }

  /**
   * One request.
   * @param {import('./choices.js').Api} api
   * @param {Record<string, unknown>} request
   * @param {(delta: import('./choices.js').Delta) => void} tell
   * @param {AbortSignal} signal
   */
  async ask(api, request, tell, signal) {
    return this.#model.requests.ask(api, request, tell, signal);
  }
}

/** @param {URL} url */
async function compile(url) {
  const response = await fetch(url).catch((error) => {
    throw fail(STATUS.E_NETWORK, `${url}: ${error.message}`, error);
  });
  if (!response.ok) throw fail(STATUS.E_NETWORK, `${url}: HTTP ${response.status}`);
  // Servers that do not know .wasm send another type, which compileStreaming refuses.
  if (response.headers.get('content-type')?.startsWith('application/wasm')) return WebAssembly.compileStreaming(response);
  return WebAssembly.compile(await response.arrayBuffer());
}
