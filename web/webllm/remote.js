// An MLCEngine in another thread: the handler beside the engine, and the engine's face elsewhere.
// Messages are numbered calls with events; streams are pushed, so that decoding never waits for a
// message, and errors keep their class.

import { STATUS } from '../errors.js';
import { Chat, Completions, Embeddings } from './endpoints.js';
import { MLCEngine } from './engine.js';
import * as errors from './errors.js';

/** @typedef {import('./engine.js').MLCEngineConfig} MLCEngineConfig */
/** @typedef {import('./engine.js').LogitProcessor} LogitProcessor */
/** @typedef {import('./config.js').ChatOptions} ChatOptions */
/** @typedef {{ onmessage: any, postMessage: (message: any) => void }} ChatWorker */
/** @typedef {{ uuid: string, kind: string, content: any, expected?: Expected }} WorkerRequest */
/** @typedef {{ uuid: string, kind: 'return' | 'throw' | 'chunk' | 'initProgressCallback' | 'heartbeat', content?: any }} WorkerResponse */
/** @typedef {{ requestName: string, requestMessage: string }} CustomRequestParams */
/** What the page believes to be loaded; a service worker that was restarted loads it again.
 *  @typedef {{ modelId: string[], chatOpts?: ChatOptions[] }} Expected */

const copyable = (/** @type {any} */ request) => JSON.parse(JSON.stringify(request));

export class WebWorkerMLCEngineHandler {
  /** @type {string[] | undefined} */
  modelId;
  /** @type {ChatOptions[] | undefined} */
  chatOpts;
  engine = new MLCEngine();
  /** @type {Map<string, AbortController>} running calls by uuid */
  #running = new Map();
  /** @type {Promise<unknown>} loading that goes on, so that two callers do not load the same twice */
  #reloading = Promise.resolve();

  constructor() {
    this.engine.setInitProgressCallback((report) => this.postMessage({ kind: 'initProgressCallback', uuid: '', content: report }));
    this.onmessage = this.onmessage.bind(this);
  }

  /** @param {any} message */
  postMessage(message) {
    postMessage(message);
  }

  /** @param {Map<string, LogitProcessor>} [registry] */
  setLogitProcessorRegistry(registry) {
    this.engine.setLogitProcessorRegistry(registry);
  }

  /** @param {any} event a message event, or the message itself @param {(value: any) => void} [onComplete] @param {() => void} [onError] */
  onmessage(event, onComplete, onError) {
    /** @type {WorkerRequest} */
    const message = event instanceof Event ? /** @type {MessageEvent} */ (event).data : event.data ?? event;
    if (message?.kind === 'abort') this.#running.get(message.uuid)?.abort();
    else if (typeof message?.uuid === 'string') void this.#answer(message).then(onComplete, onError ?? (() => {})); // the caller was told
  }

  /** @param {WorkerRequest} message */
  async #answer({ uuid, kind, content, expected }) {
    const controller = new AbortController();
    this.#running.set(uuid, controller);
    try {
      const value = await this.handleTask(kind, content, { expected, signal: controller.signal, tell: (/** @type {unknown} */ chunk) => this.postMessage({ kind: 'chunk', uuid, content: chunk }) });
      this.postMessage({ kind: 'return', uuid, content: value });
      return value;
    } catch (error) {
      this.postMessage({ kind: 'throw', uuid, content: errors.packError(error) });
      throw error;
    } finally {
      this.#running.delete(uuid);
    }
  }

  /** One call. Subclasses may add kinds of their own. @param {string} kind @param {any} content
   *  @param {{ expected?: Expected, signal: AbortSignal, tell: (chunk: unknown) => void }} context @returns {Promise<any>} */
  async handleTask(kind, content, { expected, signal, tell }) {
    const { engine } = this;
    if (kind === 'reload') return this.#reload(content.modelId, content.chatOpts);
    if (kind === 'keepAlive') return this.postMessage({ kind: 'heartbeat', uuid: '' });
    if (kind === 'setAppConfig') return engine.setAppConfig(content);
    if (kind === 'setLogLevel') return engine.setLogLevel(content);
    if (kind === 'unload') {
      this.modelId = this.chatOpts = undefined;
      return engine.unload();
    }
    if (kind === 'interruptGenerate') return engine.interruptGenerate();
    if (kind === 'getMaxStorageBufferBindingSize') return engine.getMaxStorageBufferBindingSize();
    if (kind === 'getGPUVendor') return engine.getGPUVendor();
    if (expected) await this.reloadIfUnmatched(expected.modelId, expected.chatOpts);
    if (kind === 'chatCompletion' || kind === 'completion') {
      const answer = await /** @type {any} */ (engine)[kind](content, { signal });
      if (!content.stream) return answer;
      for await (const chunk of answer) tell(chunk);
      return undefined;
    }
    if (kind === 'embedding') return engine.embedding(content, { signal });
    if (kind === 'getMessage') return engine.getMessage(content);
    if (kind === 'runtimeStatsText') return engine.runtimeStatsText(content);
    if (kind === 'resetChat') return engine.resetChat(content.keepStats, content.modelId);
    if (kind === 'forwardTokensAndSample') return engine.forwardTokensAndSample(content.inputIds, content.isPrefill, content.modelId);
    if (kind === 'listResumableSessions') return engine.listResumableSessions();
    if (kind === 'deleteResumableSession') return engine.deleteResumableSession(content);
    if (kind === 'resumeChatCompletion') {
      const answer = await engine.resumeChatCompletion(content.sessionId, content.options);
      if (!content.options?.stream) return answer;
      for await (const chunk of answer) tell(chunk);
      return undefined;
    }
    throw new errors.UnknownMessageKindError(kind, content);
  }

  /** @param {string[]} modelId @param {ChatOptions[]} [chatOpts] @returns {Promise<boolean>} false: unload() ended it */
  async #reload(modelId, chatOpts) {
    this.#reloading = this.engine.reload(modelId, chatOpts);
    await this.#reloading;
    const there = this.engine.loadedModelIds();
    const whole = modelId.every((id) => there.includes(id)); // unload() may have come between
    if (whole) [this.modelId, this.chatOpts] = [modelId, chatOpts];
    return whole;
  }

  /** Ends what runs for a caller who is gone. */
  abandon() {
    for (const controller of this.#running.values()) controller.abort();
  }

  /** Loads what the page expects unless it is loaded: same models, same options. @param {string[]} modelId @param {ChatOptions[]} [chatOpts] */
  async reloadIfUnmatched(modelId, chatOpts) {
    await this.#reloading.catch(() => {});
    const same = JSON.stringify([modelId, chatOpts ?? null]) === JSON.stringify([this.modelId, this.chatOpts ?? null]);
    if (!same) await this.#reload(modelId, chatOpts);
  }
}

/**
 * @param {ChatWorker} worker @param {string | string[]} modelId @param {MLCEngineConfig} [engineConfig] @param {ChatOptions | ChatOptions[]} [chatOpts]
 * @returns {Promise<WebWorkerMLCEngine>}
 */
export async function CreateWebWorkerMLCEngine(worker, modelId, engineConfig, chatOpts) {
  return withModel(new WebWorkerMLCEngine(worker, engineConfig), modelId, chatOpts);
}

/** @template {WebWorkerMLCEngine} E @param {E} engine @param {string | string[]} modelId @param {ChatOptions | ChatOptions[]} [chatOpts] @returns {Promise<E>} */
export async function withModel(engine, modelId, chatOpts) {
  await engine.reload(modelId, chatOpts);
  if (!engine.modelId) throw new DOMException('loading was aborted', 'AbortError');
  return engine;
}

/** @typedef {{ resolve: (value: any) => void, reject: (error: unknown) => void, chunk?: (chunk: any) => void }} Pending */

/** The same interface as MLCEngine. */
export class WebWorkerMLCEngine {
  /** @type {string[] | undefined} */
  modelId;
  /** @type {ChatOptions[] | undefined} */
  chatOpts;
  /** @type {Map<string, Pending>} */
  #pending = new Map();
  #progress;

  /** @param {ChatWorker} worker @param {MLCEngineConfig} [config] its logitProcessorRegistry stays here: set it in the worker */
  constructor(worker, { appConfig, initProgressCallback, logLevel } = {}) {
    this.worker = worker;
    this.#progress = initProgressCallback;
    this.chat = new Chat(this);
    this.completions = new Completions(this);
    this.embeddings = new Embeddings(this);
    worker.onmessage = (/** @type {any} */ event) => this.onmessage(event);
    /** @type {any} */ (worker).addEventListener?.('error', (/** @type {any} */ e) => this.disconnected(`the worker failed: ${e.message ?? 'it could not be loaded'}`));
    if (appConfig) this.setAppConfig(appConfig);
    if (logLevel) this.setLogLevel(logLevel);
  }

  /** @param {any} event */
  onmessage(event) {
    const { kind, uuid, content } = event instanceof Event ? /** @type {MessageEvent} */ (event).data : event.data ?? event;
    if (kind === 'initProgressCallback') {
      this.#progress?.(content);
      return;
    }
    const pending = this.#pending.get(uuid);
    if (!pending) return;
    if (kind === 'chunk') {
      pending.chunk?.(content);
      return;
    }
    this.#pending.delete(uuid);
    if (kind === 'throw') pending.reject(errors.unpackError(content));
    else pending.resolve(content);
  }

  /**
   * @param {string} kind @param {any} [content] @param {{ signal?: AbortSignal, chunk?: (chunk: any) => void }} [options]
   * @returns {Promise<any>}
   */
  call(kind, content, { signal, chunk } = {}) {
    const uuid = crypto.randomUUID();
    const expected = this.modelId && { modelId: this.modelId, chatOpts: this.chatOpts };
    const abort = () => this.worker.postMessage({ kind: 'abort', uuid });
    signal?.addEventListener('abort', abort, { once: true });
    return new Promise((resolve, reject) => {
      if (signal?.aborted) throw new DOMException('the request was aborted', 'AbortError');
      this.#pending.set(uuid, { resolve, reject, chunk });
      this.worker.postMessage({ kind, uuid, content, expected });
    }).finally(() => signal?.removeEventListener('abort', abort));
  }

  /** The other side is gone: nothing will come of what was asked. @param {string} message */
  disconnected(message) {
    for (const { reject } of this.#pending.values()) reject(new errors.WebLLMError('DisconnectedError', message, STATUS.E_STATE));
    this.#pending.clear();
  }

  /** @param {import('./engine.js').InitProgressCallback} [callback] */
  setInitProgressCallback(callback) {
    this.#progress = callback;
  }

  getInitProgressCallback() {
    return this.#progress;
  }

  /** @param {import('./config.js').AppConfig} appConfig */
  setAppConfig(appConfig) {
    void this.call('setAppConfig', copyable(appConfig)).catch(() => {});
  }

  /** @param {import('./engine.js').LogLevel} level */
  setLogLevel(level) {
    void this.call('setLogLevel', level).catch(() => {});
  }

  /** @param {string | string[]} modelId @param {ChatOptions | ChatOptions[]} [chatOpts] */
  async reload(modelId, chatOpts) {
    const ids = Array.isArray(modelId) ? modelId : [modelId];
    const options = chatOpts === undefined || Array.isArray(chatOpts) ? chatOpts : [chatOpts];
    const whole = await this.call('reload', { modelId: ids, chatOpts: options && copyable(options) });
    [this.modelId, this.chatOpts] = whole ? [ids, options && copyable(options)] : [];
  }

  async unload() {
    this.modelId = this.chatOpts = undefined;
    await this.call('unload');
  }

  /** @param {string} kind @param {any} request @param {import('./endpoints.js').RequestOptions} [options] */
  async #request(kind, request, { signal } = {}) {
    if (!this.modelId) throw new errors.WorkerEngineModelNotLoadedError(this.constructor.name);
    if (!request.stream) return this.call(kind, copyable(request), { signal });
    return stream((chunk, signalOfStream) => this.call(kind, copyable(request), { signal: signalOfStream, chunk }), signal);
  }

  /** @overload @param {import('./types.js').ChatCompletionRequestNonStreaming} request @param {import('./endpoints.js').RequestOptions} [options] @returns {Promise<import('./types.js').ChatCompletion>} */
  /** @overload @param {import('./types.js').ChatCompletionRequestStreaming} request @param {import('./endpoints.js').RequestOptions} [options] @returns {Promise<AsyncIterable<import('./types.js').ChatCompletionChunk>>} */
  /** @overload @param {import('./types.js').ChatCompletionRequestBase} request @param {import('./endpoints.js').RequestOptions} [options] @returns {Promise<import('./types.js').ChatCompletion | AsyncIterable<import('./types.js').ChatCompletionChunk>>} */
  /** @param {any} request @param {import('./endpoints.js').RequestOptions} [options] @returns {Promise<any>} */
  chatCompletion(request, options) {
    return this.#request('chatCompletion', request, options);
  }

  /** @overload @param {import('./types.js').CompletionCreateParamsNonStreaming} request @param {import('./endpoints.js').RequestOptions} [options] @returns {Promise<import('./types.js').Completion>} */
  /** @overload @param {import('./types.js').CompletionCreateParamsStreaming} request @param {import('./endpoints.js').RequestOptions} [options] @returns {Promise<AsyncIterable<import('./types.js').Completion>>} */
  /** @overload @param {import('./types.js').CompletionCreateParamsBase} request @param {import('./endpoints.js').RequestOptions} [options] @returns {Promise<import('./types.js').Completion | AsyncIterable<import('./types.js').Completion>>} */
  /** @param {any} request @param {import('./endpoints.js').RequestOptions} [options] @returns {Promise<any>} */
  completion(request, options) {
    return this.#request('completion', request, options);
  }

  /** @param {import('./types.js').EmbeddingCreateParams} request @param {import('./endpoints.js').RequestOptions} [options] @returns {Promise<import('./types.js').CreateEmbeddingResponse>} */
  embedding(request, options) {
    return this.#request('embedding', request, options);
  }

  async interruptGenerate() {
    await this.call('interruptGenerate').catch(() => {});
  }

  /** @param {boolean} [keepStats] @param {string} [modelId] */
  resetChat(keepStats, modelId) {
    return this.call('resetChat', { keepStats, modelId });
  }

  /** @param {string} [modelId] @returns {Promise<string>} */
  getMessage(modelId) {
    return this.call('getMessage', modelId);
  }

  /** @param {string} [modelId] @returns {Promise<string>} */
  runtimeStatsText(modelId) {
    return this.call('runtimeStatsText', modelId);
  }

  /** @param {number[]} inputIds @param {boolean} isPrefill @param {string} [modelId] @returns {Promise<number>} */
  forwardTokensAndSample(inputIds, isPrefill, modelId) {
    return this.call('forwardTokensAndSample', { inputIds, isPrefill, modelId });
  }

  /** @returns {Promise<import('./resumable.js').ResumeProbeResult[]>} */
  listResumableSessions() {
    return this.call('listResumableSessions');
  }

  /** @param {string} sessionId @returns {Promise<void>} */
  deleteResumableSession(sessionId) {
    return this.call('deleteResumableSession', sessionId);
  }

  /** @param {string} sessionId @param {import('./resumable.js').ResumeChatCompletionOptions} [options] @returns {Promise<any>} */
  async resumeChatCompletion(sessionId, options = {}) {
    const content = { sessionId, options };
    if (!options.stream) return this.call('resumeChatCompletion', content);
    return stream((chunk, signal) => this.call('resumeChatCompletion', content, { signal, chunk }));
  }

  /** @returns {Promise<number>} */
  getMaxStorageBufferBindingSize() {
    return this.call('getMaxStorageBufferBindingSize');
  }

  /** @returns {Promise<string>} */
  getGPUVendor() {
    return this.call('getGPUVendor');
  }
}

/**
 * Pushed chunks as an async iterable. Resolves with the first chunk, rejects when the request is refused.
 * @param {(chunk: (chunk: any) => void, signal: AbortSignal) => Promise<unknown>} start @param {AbortSignal} [signal]
 */
async function stream(start, signal) {
  const controller = new AbortController();
  const abort = () => controller.abort(signal?.reason);
  signal?.addEventListener('abort', abort, { once: true });
  if (signal?.aborted) abort();
  /** @type {any[]} */
  const queue = [];
  let wake = () => {};
  let ended = false;
  /** @type {unknown} */
  let failure;
  const ending = start((chunk) => {
    queue.push(chunk);
    wake();
  }, controller.signal);
  ending.catch((error) => (failure = error)).finally(() => {
    ended = true;
    wake();
  });
  const something = async () => {
    while (queue.length === 0 && !ended) await new Promise((resolve) => (wake = () => resolve(undefined)));
  };
  await something();
  if (failure && queue.length === 0) throw failure;
  return (async function* () {
    try {
      for (;;) {
        await something();
        if (queue.length > 0) yield queue.shift();
        else if (failure) throw failure;
        else return;
      }
    } finally {
      signal?.removeEventListener('abort', abort);
      if (!ended) controller.abort();
    }
  })();
}
