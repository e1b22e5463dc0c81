// MLCEngine: web-llm's engine over Quern's. Each model is an engine of its own.

import { createEngine } from '../engine.js';
import { deviceReport } from '../manage.js';
import { localWorker } from '../serve.js';
import { Answer, completionChunks, embed, Meter, usageOf } from './answers.js';
import { configFields, ModelType, modelSource, prebuiltAppConfig } from './config.js';
import { Chat, Completions, Embeddings } from './endpoints.js';
import * as errors from './errors.js';
import { postInitAndCheckFieldsChatCompletion, postInitAndCheckFieldsCompletion, postInitAndCheckFieldsEmbedding, postInitAndCheckGenerationConfigValues, refuseBesideProcessor, rejectCompletionResumable, toQuern } from './requests.js';
import { ownThread, progressText, windowOf } from './loading.js';
import { deleteSession, Journal, listSessions, openSession } from './resumable.js';
import { Stepper } from './stepper.js';

/** @typedef {import('./config.js').ChatOptions} ChatOptions */
/** @typedef {import('./config.js').AppConfig} AppConfig */
/** @typedef {import('./config.js').ModelRecord} ModelRecord */
/** @typedef {import('./requests.js').Request} Request */
/** @typedef {{ progress: number, timeElapsed: number, text: string }} InitProgressReport progress from 0 to 1, seconds */
/** @typedef {(report: InitProgressReport) => void} InitProgressCallback */
/** @typedef {{ processLogits(logits: Float32Array): Float32Array, processSampledToken(token: number): void, resetState(): void }} LogitProcessor */
/** @typedef {'TRACE' | 'DEBUG' | 'INFO' | 'WARN' | 'ERROR' | 'SILENT'} LogLevel */
/** @typedef {{ appConfig?: AppConfig, initProgressCallback?: InitProgressCallback, logitProcessorRegistry?: Map<string, LogitProcessor>, logLevel?: LogLevel, createWorker?: () => import('../engine.js').EngineWorker }} MLCEngineConfig createWorker, which web-llm does not have: a worker that runs quern/worker, for each model */

/** @typedef {{ engine: import('../engine.js').Engine, record: ModelRecord, options: ChatOptions, message: string, usage: any, stepper: Stepper }} Loaded */

/** How Quern is asked: every chunk says how many tokens there are, so that an interrupted answer has a usage too. */
const STREAM = { stream: true, stream_options: { include_usage: true, continuous_usage_stats: true } };

const list = (/** @type {any} */ one) => (Array.isArray(one) ? one : one === undefined ? [] : [one]);

/**
 * Creates an engine and loads models.
 * @param {string | string[]} modelId @param {MLCEngineConfig} [engineConfig] @param {ChatOptions | ChatOptions[]} [chatOpts]
 * @returns {Promise<MLCEngine>}
 */
export async function CreateMLCEngine(modelId, engineConfig, chatOpts) {
  const engine = new MLCEngine(engineConfig);
  await engine.reload(modelId, chatOpts);
  if (engine.loadedModelIds().length === 0) throw new DOMException('loading was aborted', 'AbortError');
  return engine;
}

export class MLCEngine {
  /** @type {Map<string, Loaded>} by model id */
  #loaded = new Map();
  /** @type {AbortController | null} of the loading that goes on */
  #loading = null;
  /** @type {Set<AbortController>} of running requests */
  #running = new Set();
  /** @type {AppConfig} */
  #appConfig;
  #progress;
  #processors;
  #createWorker;

  /** @param {MLCEngineConfig} [config] */
  constructor({ appConfig = prebuiltAppConfig, initProgressCallback, logitProcessorRegistry, logLevel = 'WARN', createWorker } = {}) {
    this.#createWorker = createWorker;
    this.#appConfig = appConfig;
    this.#progress = initProgressCallback;
    this.#processors = logitProcessorRegistry;
    this.logLevel = logLevel;
    this.chat = new Chat(this);
    this.completions = new Completions(this);
    this.embeddings = new Embeddings(this);
  }

  /** @param {InitProgressCallback} [callback] */
  setInitProgressCallback(callback) {
    this.#progress = callback;
  }

  getInitProgressCallback() {
    return this.#progress;
  }

  /** @param {Map<string, LogitProcessor>} [registry] by model id */
  setLogitProcessorRegistry(registry) {
    this.#processors = registry;
  }

  /** @param {AppConfig} appConfig */
  setAppConfig(appConfig) {
    this.#appConfig = appConfig;
  }

  /** @param {LogLevel} level */
  setLogLevel(level) {
    this.logLevel = level;
  }

  // ---- models

  loadedModelIds() {
    return [...this.#loaded.keys()];
  }

  /**
   * Loads models in place of those that are loaded. Resolves without a model when unload() is called
   * meanwhile.
   * @param {string | string[]} modelId @param {ChatOptions | ChatOptions[]} [chatOpts]
   */
  async reload(modelId, chatOpts) {
    const ids = list(modelId);
    const options = list(chatOpts);
    if (chatOpts !== undefined && options.length !== ids.length) throw new errors.ReloadArgumentSizeUnmatchedError(ids.length, options.length);
    if (new Set(ids).size < ids.length) throw new errors.ReloadModelIdNotUniqueError(ids);
    this.#loading?.abort();
    const loading = new AbortController();
    this.#loading = loading;
    this.#free();
    try {
      for (const [i, id] of ids.entries()) await this.#load(id, options[i] ?? {}, loading.signal);
    } catch (error) {
      if (loading.signal.aborted) return; // by unload(), or a later reload()
      this.#free();
      throw errors.translate(error);
    } finally {
      if (this.#loading === loading) this.#loading = null;
    }
  }

  /** @param {string} id @param {ChatOptions} chatOpts @param {AbortSignal} signal */
  async #load(id, chatOpts, signal) {
    const record = this.#appConfig.model_list.find((m) => m.model_id === id);
    if (!record) throw new errors.ModelNotFoundError(id);
    const options = { ...record.overrides, ...chatOpts };
    const window = windowOf(options);
    const begun = performance.now();
    const report = (/** @type {number} */ progress, /** @type {string} */ text) => this.#progress?.({ progress, timeElapsed: (performance.now() - begun) / 1000, text });
    report(0, 'Start to fetch params');
    const integrity = record.integrity;
    const engine = await createEngine({
      model: modelSource(record.model),
      ...window,
      config: configFields(options),
      store: this.#appConfig.cacheBackend === 'opfs' ? 'opfs' : 'auto',
      integrity: integrity && { files: { 'mlc-chat-config.json': integrity.config, ...integrity.tokenizer }, warn: integrity.onFailure === 'warn' },
      embeddings: record.model_type === ModelType.embedding,
      signal,
      worker: this.#createWorker?.() ?? (ownThread() ? localWorker() : undefined),
      onProgress: (p) => report(p.total && p.phase !== 'ready' ? Math.min(p.loaded / p.total, 0.999) : 0, progressText(p)),
    }).catch((error) => {
      throw errors.translate(error, record.model);
    });
    if (signal.aborted) engine.dispose(); // it was ready just before
    signal.throwIfAborted();
    const { backend, device, reason } = engine.info;
    this.#loaded.set(id, { engine, record, options, message: '', usage: null, stepper: new Stepper(engine, options, window, this.#processors?.get(id)) });
    report(1, `Finish loading on ${backend === 'webgpu' ? `WebGPU - ${device.vendor ?? 'gpu'}` : `CPU${reason ? ` (${reason})` : ''}`}`);
  }

  /** Ends what runs, frees everything. */
  async unload() {
    this.#loading?.abort();
    this.#free();
  }

  #free() {
    void this.interruptGenerate();
    for (const { engine } of this.#loaded.values()) engine.dispose();
    this.#loaded.clear();
  }

  /** @param {string | null | undefined} wanted @param {string} request name for messages @param {string} [answers] what it wants of a model that answers @returns {Loaded} */
  #model(wanted, request, answers) {
    const ids = this.loadedModelIds();
    if (ids.length === 0) throw new errors.ModelNotLoadedError(request);
    if (!wanted && ids.length > 1) throw new errors.UnclearModelToUseError(ids, request);
    const id = wanted || ids[0];
    const loaded = this.#loaded.get(id);
    if (!loaded) throw new errors.SpecifiedModelNotFoundError(ids, id, request);
    if (answers && loaded.engine.info.embeddings) throw new errors.IncorrectPipelineLoadedError(id, answers, request);
    return loaded;
  }

  // ---- requests

  /** @overload @param {import('./types.js').ChatCompletionRequestNonStreaming} request @param {import('./endpoints.js').RequestOptions} [options] @returns {Promise<import('./types.js').ChatCompletion>} */
  /** @overload @param {import('./types.js').ChatCompletionRequestStreaming} request @param {import('./endpoints.js').RequestOptions} [options] @returns {Promise<AsyncIterable<import('./types.js').ChatCompletionChunk>>} */
  /** @overload @param {import('./types.js').ChatCompletionRequestBase} request @param {import('./endpoints.js').RequestOptions} [options] @returns {Promise<import('./types.js').ChatCompletion | AsyncIterable<import('./types.js').ChatCompletionChunk>>} */
  /** @param {Request} request @param {import('./endpoints.js').RequestOptions} [options] @returns {Promise<any>} */
  async chatCompletion(request, options) {
    const loaded = this.#model(request.model, 'ChatCompletionRequest', 'chat');
    const { model_id: id, model_type: type = ModelType.LLM } = loaded.record;
    const copy = { ...request };
    postInitAndCheckFieldsChatCompletion(copy, id, type, { anyModelCalls: true });
    postInitAndCheckGenerationConfigValues(copy);
    const system = loaded.options.conv_config?.system_message ?? loaded.options.conv_template?.system_message;
    const asked = toQuern(copy, loaded.options, { vocab: loaded.engine.info.vocab, system: /** @type {string | undefined} */ (system) });
    const processor = this.#processors?.get(id);
    if (processor) refuseBesideProcessor(copy);
    const config = copy.extra_body?.resumable;
    if (config?.enabled) {
      if ((copy.n ?? 1) > 1) throw new errors.UnsupportedFieldsError(['extra_body.resumable with n > 1'], 'ChatCompletionRequest');
      asked.seed ??= Math.floor(Math.random() * 2 ** 31); // what is taken up later draws on
      const journal = new Journal(config);
      await journal.begin(id, asked);
      return this.#journaled(copy, loaded, asked, journal, { prompt: 0, tokens: 0 }, options);
    }
    const open = (/** @type {AbortSignal} */ signal) =>
      processor ? loaded.stepper.chat(asked, signal) : loaded.engine.chat.completions.create({ .../** @type {any} */ (asked), ...STREAM }, { signal });
    return this.#answer(copy, loaded, open, options, (answer) => answer.chatCompletion(Boolean(copy.logprobs)));
  }

  /**
   * A chat that is written down before it is told.
   * @param {Request} request web-llm's @param {Loaded} loaded @param {Request} asked Quern's @param {Journal} journal
   * @param {{ prompt: number, tokens: number }} before what is written down already @param {import('./endpoints.js').RequestOptions} [options]
   */
  #journaled(request, loaded, asked, journal, before, options) {
    const open = async (/** @type {AbortSignal} */ signal) => {
      const stream = await loaded.engine.chat.completions.create({ .../** @type {any} */ (asked), ...STREAM }, { signal });
      return (async function* () {
        for await (const { usage, ...chunk } of stream) {
          const [choice] = chunk.choices;
          if (choice && usage) {
            const { content = '', tool_calls: calls } = /** @type {any} */ (choice.delta);
            const prompt = before.prompt || usage.prompt_tokens;
            if (content || calls) await journal.tell({ text: content ?? '', tokens: before.tokens + usage.completion_tokens, prompt, calls: Boolean(calls) });
          }
          if (choice?.finish_reason) await journal.end(choice.finish_reason);
          yield { ...chunk, usage };
        }
      })();
    };
    return this.#answer(request, loaded, open, options, (answer) => answer.chatCompletion(Boolean(request.logprobs)));
  }

  /** Generations that were begun with `extra_body.resumable`. */
  listResumableSessions() {
    return listSessions();
  }

  /** @param {string} sessionId */
  deleteResumableSession(sessionId) {
    return deleteSession(sessionId);
  }

  /**
   * What is kept of a generation; with continueGeneration or stream, its rest as a stream.
   * @param {string} sessionId @param {import('./resumable.js').ResumeChatCompletionOptions} [options]
   * @returns {Promise<any>} a ResumeResult; with `stream` an async iterable of chunks; with continueGeneration alone the ResumeResult of the finished text
   */
  async resumeChatCompletion(sessionId, { continueGeneration = false, stream = false } = {}) {
    const { state, found, result, request } = await openSession(sessionId);
    if (!continueGeneration && !stream) return result;
    if (!found.resumable) throw new errors.WebLLMError('ResumeError', `the generation "${sessionId}" cannot go on: ${found.reason}`);
    const loaded = this.#model(state.modelId, 'resumeChatCompletion');
    const journal = new Journal({ enabled: true }, sessionId);
    await journal.resume();
    const rest = /** @type {AsyncIterable<any>} */ (await this.#journaled({ ...request, stream: true }, loaded, request, journal, state, {}));
    if (stream) return rest;
    for await (const _ of rest);
    return (await openSession(sessionId)).result;
  }

  /** @overload @param {import('./types.js').CompletionCreateParamsNonStreaming} request @param {import('./endpoints.js').RequestOptions} [options] @returns {Promise<import('./types.js').Completion>} */
  /** @overload @param {import('./types.js').CompletionCreateParamsStreaming} request @param {import('./endpoints.js').RequestOptions} [options] @returns {Promise<AsyncIterable<import('./types.js').Completion>>} */
  /** @overload @param {import('./types.js').CompletionCreateParamsBase} request @param {import('./endpoints.js').RequestOptions} [options] @returns {Promise<import('./types.js').Completion | AsyncIterable<import('./types.js').Completion>>} */
  /** @param {Request} request @param {import('./endpoints.js').RequestOptions} [options] @returns {Promise<any>} */
  async completion(request, options) {
    const loaded = this.#model(request.model, 'CompletionCreateParams', 'completions');
    const { model_id: id } = loaded.record;
    const copy = { ...request };
    postInitAndCheckFieldsCompletion(copy, id);
    rejectCompletionResumable(copy);
    postInitAndCheckGenerationConfigValues(copy);
    const { top_logprobs: top, echo, ...asked } = toQuern(copy, loaded.options, { vocab: loaded.engine.info.vocab });
    const before = echo ? copy.prompt : '';
    if (asked.logprobs) asked.logprobs = top ?? 0;
    else delete asked.logprobs;
    const open = async (/** @type {AbortSignal} */ signal) => {
      const stream = await loaded.engine.completions.create({ .../** @type {any} */ (asked), ...STREAM }, { signal });
      return completionChunks(stream, before);
    };
    return this.#answer(copy, loaded, open, options, (answer) => answer.completion(Boolean(copy.logprobs)));
  }

  /** @param {import('./types.js').EmbeddingCreateParams} request @param {import('./endpoints.js').RequestOptions} [options] @returns {Promise<import('./types.js').CreateEmbeddingResponse>} */
  async embedding(request, options) {
    const loaded = this.#model(request.model, 'EmbeddingCreateParams');
    if (!loaded.engine.info.embeddings) throw new errors.EmbeddingUnsupportedModelError(loaded.record.model_id);
    postInitAndCheckFieldsEmbedding(request, loaded.record.model_id);
    return embed(loaded.engine, loaded.record.model_id, request, options);
  }

  /**
   * @param {Request} request @param {Loaded} loaded @param {(signal: AbortSignal) => Promise<AsyncIterable<any>>} open
   * @param {import('./endpoints.js').RequestOptions | undefined} options @param {(answer: Answer) => unknown} whole
   */
  async #answer(request, loaded, open, options, whole) {
    const answer = new Answer();
    const controller = new AbortController();
    this.#running.add(controller);
    const chunks = this.#chunks(request, loaded, open, answer, controller, options?.signal);
    if (request.stream) {
      // A refusal comes now, not with the first chunk.
      const first = await chunks.next();
      return (async function* () {
        try {
          if (!first.done) yield first.value;
          yield* chunks;
        } finally {
          controller.abort(); // the consumer left early
        }
      })();
    }
    for await (const _ of chunks);
    return whole(answer);
  }

  /**
   * @param {Request} request @param {Loaded} loaded @param {(signal: AbortSignal) => Promise<AsyncIterable<any>>} open @param {Answer} answer
   * @param {AbortController} controller @param {AbortSignal} [signal] the caller's own
   * @returns {AsyncGenerator<any, void>}
   */
  async *#chunks(request, loaded, open, answer, controller, signal) {
    const stop = () => controller.abort();
    signal?.addEventListener('abort', stop, { once: true });
    if (signal?.aborted) stop();
    const usage = (/** @type {any} */ u) => usageOf(u, { latency: Boolean(request.extra_body?.enable_latency_breakdown), grammar: Boolean(request.response_format) });
    const meter = new Meter();
    const withUsage = request.stream_options?.include_usage;
    try {
      for await (const { usage: counted, ...rest } of await open(controller.signal)) {
        // Chunks that had come already are not told either.
        if (controller.signal.aborted) throw new DOMException('the request was aborted', 'AbortError');
        const whole = meter.take(rest.choices, counted);
        if (whole) loaded.usage = usage(counted);
        const told = { ...rest, model: loaded.record.model_id, ...(whole ? { usage: loaded.usage } : {}) };
        answer.add(told);
        loaded.message = answer.message();
        const shown = answer.told(told);
        if (shown && (!whole || withUsage)) yield shown;
      }
    } catch (error) {
      // Interrupted by interruptGenerate() or unload(): the answer ends here, and says so.
      if (!controller.signal.aborted || signal?.aborted) throw errors.translate(error);
      const head = answer.head ?? { id: crypto.randomUUID(), object: 'chat.completion.chunk', created: Math.floor(Date.now() / 1000), model: loaded.record.model_id };
      const last = { ...head, choices: answer.unfinished().map((index) => ({ index, delta: {}, ...(head.object === 'text_completion' ? { text: '' } : {}), logprobs: null, finish_reason: 'abort' })) };
      answer.add(last);
      if (last.choices.length > 0) yield answer.told(last);
      const end = { ...head, choices: [], usage: (loaded.usage = usage(meter.usage())) };
      answer.add(end);
      if (withUsage) yield end;
    } finally {
      signal?.removeEventListener('abort', stop);
      this.#running.delete(controller);
    }
  }

  /** Ends what is being generated; the answers so far end with finish_reason "abort". */
  async interruptGenerate() {
    for (const controller of this.#running) controller.abort();
  }

  /** Nothing happens where the model is not loaded. @param {boolean} [keepStats] @param {string} [modelId] */
  async resetChat(keepStats = false, modelId) {
    if (modelId ? !this.#loaded.has(modelId) : this.#loaded.size === 0) return;
    const loaded = this.#model(modelId, 'resetChat');
    Object.assign(loaded, { message: '', usage: keepStats ? loaded.usage : null });
    loaded.stepper.reset();
  }

  /** The last answer so far. @param {string} [modelId] */
  async getMessage(modelId) {
    return this.#model(modelId, 'getMessage').message;
  }

  /** @param {string} [modelId] */
  async runtimeStatsText(modelId) {
    const { usage, stepper } = this.#model(modelId, 'runtimeStatsText');
    const { prefill_tokens_per_s: prefill = 0, decode_tokens_per_s: decode = 0 } = usage?.extra ?? stepper.rates();
    return `prefill: ${prefill.toFixed(4)} tokens/sec, decoding: ${decode.toFixed(4)} tokens/sec`;
  }

  /** Appends tokens and samples the next one. @param {number[]} inputIds @param {boolean} isPrefill @param {string} [modelId] @returns {Promise<number>} */
  async forwardTokensAndSample(inputIds, isPrefill, modelId) {
    return this.#model(modelId, 'forwardTokensAndSample').stepper.forward(inputIds, isPrefill);
  }

  // ---- device

  /** @returns {Promise<number>} bytes; 0 without a GPU */
  async getMaxStorageBufferBindingSize() {
    return (await deviceReport()).maxBinding;
  }

  /** @returns {Promise<string>} '' when not known */
  async getGPUVendor() {
    return String((await deviceReport()).device.vendor ?? '');
  }
}
