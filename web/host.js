// One loaded model and its requests, inside the worker: chooses the backend, opens the source, runs
// chats one after another on a session whose KV cache is kept between them.

import { chooseGpu } from './backend.js';
import { Core } from './core.js';
import { fail, STATUS } from './errors.js';
import { ModelFiles } from './files.js';
import { TapePlayer } from './gpu/player.js';
import { Runner } from './runner.js';
import { OverlaidFiles } from './overlay.js';
import { openSource } from './sources.js';
import { Steps } from './steps.js';
import { startThreads } from './threads.js';
import { bestVariant, sharedMemoryWorks, wasmUrl } from './variants.js';

const DELTA_MS = 16; // text is told at most this often

export class Host {
  /** @type {{ core: Core, runner: Runner, player: TapePlayer | null, session: number } | null} */
  #loaded = null;
  /** @type {Steps | null} */
  #steps = null;
  /** @type {Promise<unknown>} the end of the line of requests */
  #line = Promise.resolve();

  core() {
    if (!this.#loaded) throw fail(STATUS.E_STATE, 'no model is loaded');
    return this.#loaded.core;
  }

  steps() {
    this.core();
    const loaded = /** @type {{ core: Core, runner: Runner }} */ (this.#loaded);
    return (this.#steps ??= new Steps(loaded.core, loaded.runner));
  }

  /**
   * @param {import('./engine.js').EngineOptions} options
   * @param {(progress: import('./engine.js').LoadProgress) => void} tell
   * @param {AbortSignal} signal
   * @returns {Promise<import('./engine.js').EngineInfo>}
   */
  async load(options, tell, signal) {
    if (this.#loaded) throw fail(STATUS.E_STATE, 'this worker has loaded a model already');
    /** @type {import('./runner.js').Progress} */
    let progress = { phase: 'open', loaded: 0, total: 0 };
    const report = () => {
      const { received, verified } = source.traffic();
      const cached = received === 0;
      const { phase, total } = progress;
      // Fetching and uploading overlap; fetching is the longer part of it, and what people wait for.
      const fetched = Math.min(received + verified, total);
      const fetching = phase === 'upload' && fetched > 0 && fetched < total;
      tell(fetching ? { phase: cached ? 'verify' : 'download', loaded: fetched, total, cached } : { ...progress, cached });
    };
    const source = await openSource(options.model, { store: options.store ?? 'auto', onBytes: () => progress.total && report() });
    const { gpu, reason } = await chooseGpu(options.backend ?? 'auto');
    const threads = gpu || !sharedMemoryWorks() ? 1 : options.threads ?? Math.min(navigator.hardwareConcurrency || 1, 8);
    const variant = bestVariant({ gpu: gpu !== null, threads });
    const module = await compile(wasmUrl(variant));
    const files = new ModelFiles(options.config || options.integrity ? new OverlaidFiles(source.backing, options.config ?? {}, options.integrity) : source.backing);
    const memory = variant === 'threads' ? new WebAssembly.Memory({ initial: 256, maximum: 65536, shared: true }) : undefined;
    /** @type {Runner | undefined} */
    let runner;
    const player = gpu ? new TapePlayer(gpu.device, (event) => runner?.onGpuEvent(event)) : null;
    const core = new Core(module, { files, player: player ?? undefined, memory });
    const create = { main: source.main, context: options.context ?? 0, kv: options.kv ?? (gpu ? 'f16' : 'f32'), embeddings: options.embeddings ?? false, threads, gpu: gpu?.caps ?? null };
    core.create(create);
    runner = new Runner(core, files);
    try {
      await runner.load({
        signal,
        onProgress: (p) => {
          progress = p;
          report();
        },
        onOpen: () => memory && startThreads(core, module, threads),
      });
      await source.done();
      this.#loaded = { core, runner, player, session: core.createSession() };
    } catch (error) {
      core.destroy();
      gpu?.device.destroy();
      throw error;
    }
    const info = core.info();
    return {
      model: source.name,
      backend: gpu ? 'webgpu' : 'cpu',
      reason,
      device: gpu?.info ?? { threads },
      ...core.sizes(),
      embeddings: options.embeddings === true,
      architecture: info.architecture,
      quantization: info.quantization,
      parameters: info.parameters,
      memory: info.memory,
      variant,
    };
  }

  memory() {
    const { core, player } = this.#loaded ?? {};
    return { wasm: core?.memory.buffer.byteLength ?? 0, device: player?.buffers.reduce((sum, buffer) => sum + (buffer?.size ?? 0), 0) ?? 0 };
  }

  /**
   * One request; requests wait for each other, in order.
   * @param {import('./choices.js').Api} api
   * @param {Record<string, unknown>} request
   * @param {(delta: import('./choices.js').Delta) => void} tell
   * @param {AbortSignal} signal
   */
  ask(api, request, tell, signal) {
    const turn = this.#line.then(() => this.#ask(api, request, tell, signal));
    this.#line = turn.catch(() => {});
    return turn;
  }

  /**
   * @param {import('./choices.js').Api} api @param {Record<string, unknown>} request
   * @param {(delta: import('./choices.js').Delta) => void} tell @param {AbortSignal} signal
   * @returns {Promise<import('./choices.js').Outcome>}
   */
  async #ask(api, request, tell, signal) {
    if (signal.aborted) throw new DOMException('the request was aborted', 'AbortError');
    if (!this.#loaded) throw fail(STATUS.E_STATE, 'no model is loaded');
    const { core, runner, session } = this.#loaded;
    const begun = performance.now();
    core.startChat(session, api === 'embedding' ? request : { ...request, seed: request.seed ?? Math.floor(Math.random() * 2 ** 31) }, api);
    let first = 0;
    let last = 0;
    /** @type {import('./choices.js').Part[]} */
    let parts = [];
    /** @type {import('./choices.js').TokenLogprob[]} */
    let logprobs = [];
    /** @type {Float32Array | undefined} */
    let embedding;
    let tokens = 0;
    let told = 0;
    for await (const event of runner.events(session, signal)) {
      addPart(parts, event);
      if (event.logprobs) logprobs.push(JSON.parse(event.logprobs));
      if (event.kind === 'logits') embedding = event.logits;
      if (event.kind === 'token') {
        last = performance.now();
        first ||= last;
        tokens++;
      }
      if ((parts.length || logprobs.length) && (event.kind === 'done' || performance.now() - told >= DELTA_MS)) {
        tell({ parts, logprobs, tokens, prompt: event.promptTokens });
        told = performance.now();
        [parts, logprobs] = [[], []];
      }
      if (event.kind === 'done') {
        if (event.finish === 'cancelled') throw new DOMException('the request was aborted', 'AbortError');
        return { finish: event.finish === 'stop' || event.finish === 'tool_calls' ? event.finish : 'length', usage: usageOf(event, begun, first, last), embedding };
      }
    }
    throw fail(STATUS.E_INTERNAL, 'a generation ended without saying so');
  }
}

/** Joins what belongs together. @param {import('./choices.js').Part[]} parts @param {import('./core.js').CoreEvent} event */
export function addPart(parts, { channel: kind, call, text }) {
  const last = parts.at(-1);
  if (kind === 'name') parts.push({ kind, call, text });
  else if (text && last?.kind === kind && last.call === call) last.text += text;
  else if (text) parts.push({ kind, call, text });
}

/**
 * @param {import('./core.js').CoreEvent} done @param {number} begun @param {number} first @param {number} last
 * @returns {import('./choices.js').Usage}
 */
function usageOf(done, begun, first, last) {
  const computed = done.promptTokens - done.reusedTokens;
  const ttft = first ? first - begun : 0;
  return {
    prompt_tokens: done.promptTokens,
    completion_tokens: done.completionTokens,
    total_tokens: done.promptTokens + done.completionTokens,
    prompt_tokens_details: { cached_tokens: done.reusedTokens },
    timings: {
      time_to_first_token_ms: ttft,
      prefill_tokens_per_s: ttft ? (1000 * computed) / ttft : 0,
      decode_tokens_per_s: last > first ? (1000 * (done.completionTokens - 1)) / (last - first) : 0,
      total_ms: performance.now() - begun,
    },
  };
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
