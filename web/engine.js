// The engine as an application sees it: a worker behind promises and async iterators.

import { ChatCompletions } from './chat.js';
import { Completions } from './completions.js';
import { Embeddings } from './embeddings.js';
import { Channel } from './channel.js';
import { fail, STATUS } from './errors.js';

/** @typedef {import('./runner.js').Progress['phase'] | 'verify'} Phase */

/**
 * @typedef {object} LoadProgress
 * @property {Phase} phase 'open', 'download', 'verify', 'upload', 'compile', 'ready'
 * @property {number} loaded bytes
 * @property {number} total bytes; 0 while not known
 * @property {boolean} cached the bytes come from this browser's storage
 * @property {string} [reason] why the CPU runs although 'auto' was asked for; loading begins again where a GPU failed meanwhile
 */

/** @typedef {Pick<Worker, 'postMessage' | 'addEventListener' | 'terminate'>} EngineWorker */

/**
 * @typedef {object} EngineOptions
 * @property {string | File | File[]} [model] a catalogue name, "hf:org/repo[@revision][/file.gguf]", the URL of a .gguf file
 *   or of a folder, or files that the user picked; without it the embedded default
 * @property {'auto' | 'webgpu' | 'cpu'} [backend] 'auto': WebGPU where there is a real GPU that
 *   computes as it should, else the CPU; 'webgpu' takes a software adapter too, and fails where the GPU does
 * @property {number} [context] tokens of KV cache; default: the model's own, at most 4096 (encoders: 512)
 * @property {'refuse' | 'slide' | 'drop_oldest_turns'} [overflow] what happens when the context is full, unless a request says otherwise (docs/requests.md)
 * @property {number} [attentionSinks] first tokens that stay when the context slides; default 4
 * @property {boolean} [embeddings] loads the model for embeddings, not for answers; encoders do nothing else
 * @property {'f32' | 'f16' | 'q8' | 'q4'} [kv] type of the KV cache; default f16 on the GPU, f32 on the CPU
 * @property {boolean} [tune] false: does not measure, nor use, which kernels suit the GPU better (0.3 s, once)
 * @property {number} [threads] of the CPU backend, where the page is cross-origin isolated
 * @property {'auto' | 'opfs' | 'cache' | 'memory'} [store] where weights are kept
 * @property {(progress: LoadProgress) => void} [onProgress]
 * @property {AbortSignal} [signal] aborts loading
 * @property {EngineWorker} [worker] a worker that runs quern/worker, or localWorker(); default: one is started
 * @property {import('./overlay.js').Integrity} [integrity] hashes of small files that the application knows
 * @property {Record<string, unknown>} [config] laid over the model's own configuration file, field by field
 */

/**
 * @typedef {object} EngineInfo
 * @property {string} model
 * @property {'webgpu' | 'cpu'} backend
 * @property {string} [reason] why the CPU runs although 'auto' was asked for
 * @property {Record<string, unknown>} device
 * @property {number} context tokens
 * @property {number} vocab logits per position
 * @property {boolean} embeddings it gives embeddings, no answers
 * @property {string} architecture
 * @property {string} quantization
 * @property {number} parameters
 * @property {Record<string, number>} memory bytes, by kind
 * @property {Record<string, number>} sampling what holds for requests that do not say: temperature, top_p, top_k, min_p, repetition_penalty, frequency_penalty, presence_penalty
 * @property {string} variant of the wasm module
 * @property {{ kernels: string[], tested: number, tuned: boolean, choice: import('./gpu/device.js').Choice, note: string }} [variants] of a GPU:
 *   matrix kernels in use, pipelines that the self-test ran, whether something to remember was measured now, what is known of that, and why a feature is not used ("" where nothing failed)
 */

/**
 * Starts an engine in a worker and loads a model.
 * @param {EngineOptions} [options]
 * @returns {Promise<Engine>} rejects with a QuernError, or an AbortError when `signal` fires
 */
export async function createEngine(options = {}) {
  const { worker = startWorker(), onProgress, signal, ...rest } = options;
  const channel = new Channel(worker);
  try {
    const info = await channel.call('load', [rest], { signal, onEvent: onProgress });
    return new Engine(channel, worker, /** @type {EngineInfo} */ (info));
  } catch (error) {
    worker.terminate();
    throw error;
  }
}

function startWorker() {
  // Written out in full so that bundlers find the worker.
  return new Worker(new URL('./worker.js', import.meta.url), { type: 'module', name: 'quern' });
}

export class Engine {
  /** @type {Channel} */
  #channel;
  #worker;
  #disposed = false;

  /** @param {Channel} channel @param {EngineWorker} worker @param {EngineInfo} info */
  constructor(channel, worker, info) {
    this.#channel = channel;
    this.#worker = worker;
    /** What was loaded, and where it runs. */
    this.info = info;
    const call = this.#call.bind(this);
    /** As in OpenAI's SDK. */
    this.chat = { completions: new ChatCompletions(call, info.model) };
    this.completions = new Completions(call, info.model);
    this.embeddings = new Embeddings(call, info.model);
  }

  /** @param {string} method @param {unknown[]} args @param {import('./channel.js').CallOptions} [options] */
  #call(method, args, options) {
    if (this.#disposed) return Promise.reject(fail(STATUS.E_STATE, 'this engine was disposed of'));
    return this.#channel.call(method, args, options);
  }

  /** @param {string} text @returns {Promise<number[]>} ids, with what the tokenizer adds by itself */
  async tokenize(text) {
    return /** @type {number[]} */ (await this.#call('tokenize', [text]));
  }

  /** @param {number[]} ids @param {{ skipSpecial?: boolean }} [options] skipSpecial: control tokens have no text @returns {Promise<string>} */
  async detokenize(ids, options) {
    return /** @type {string} */ (await this.#call('detokenize', [ids, options]));
  }

  /** Whether a token ends an answer. @param {number} id @returns {Promise<boolean>} */
  async isEnd(id) {
    return /** @type {boolean} */ (await this.#call('isEnd', [id]));
  }

  /** The ids that a chat request's prompt is made of; of one that is too long and slides, those that stay. @param {import('./chat.js').ChatRequest} request @returns {Promise<number[]>} */
  async promptTokens(request) {
    return /** @type {number[]} */ (await this.#call('promptTokens', [request]));
  }

  /**
   * The model's logits after a sequence, for applications that choose tokens themselves. What sequences
   * share from call to call is computed once.
   * @param {number[]} ids at least one @param {{ signal?: AbortSignal }} [options] @returns {Promise<Float32Array>} [vocab]
   */
  async logits(ids, options) {
    return /** @type {Float32Array} */ (await this.#call('logits', [ids], options));
  }

  /**
   * Sessions kept in this browser's storage, by name. save: the prompt of a chat is computed, and what came of it written.
   * restore: later chats that begin with that prompt, in this tab or another, need not compute it; only by the same model.
   */
  sessions = {
    /** @param {string} name @param {import('./chat.js').ChatRequest} request @param {{ signal?: AbortSignal }} [options] */
    save: async (name, request, { signal } = {}) => /** @type {{ tokens: number, bytes: number }} */ (await this.#call('saveSession', [name, request], { signal })),
    /** @param {string} name @param {{ signal?: AbortSignal }} [options] */
    restore: async (name, { signal } = {}) => void (await this.#call('restoreSession', [name], { signal })),
    /** @param {string} name */
    remove: async (name) => void (await this.#call('removeSession', [name])),
  };

  /** Memory in bytes now: of the wasm heap, and of GPU buffers. @returns {Promise<{ wasm: number, device: number }>} */
  async memory() {
    return /** @type {{ wasm: number, device: number }} */ (await this.#call('memory', []));
  }

  /** How many requests the engine's worker has made since it began; the same before and after a chat, but for the module that the first constrained answer loads. @returns {Promise<number>} */
  async requests() {
    return /** @type {number} */ (await this.#call('requests', []));
  }

  /** Ends the worker; running requests are rejected. */
  dispose() {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#channel.close();
    this.#worker.terminate();
  }
}
