// OpenAI's chat.completions objects around the engine's events.

import { fail, STATUS } from './errors.js';

/** @typedef {{ role: 'system' | 'developer' | 'user' | 'assistant' | 'tool', content: string | { type: 'text', text: string }[] | null, name?: string }} ChatMessage */

/**
 * @typedef {object} ChatRequest every field either works or is refused by name (src/engine/chat.c)
 * @property {ChatMessage[]} messages
 * @property {string} [model]
 * @property {boolean | null} [stream]
 * @property {{ include_usage?: boolean, continuous_usage_stats?: boolean } | null} [stream_options] include_usage: a last
 *   chunk with the usage; continuous_usage_stats: with it, every chunk says how many tokens there are so far
 * @property {number | null} [max_tokens]
 * @property {number | null} [max_completion_tokens]
 * @property {number | null} [temperature] 0 to 2; default: what the model's author recommends
 * @property {number | null} [top_p]
 * @property {number | null} [top_k]
 * @property {number | null} [min_p]
 * @property {number | null} [repetition_penalty]
 * @property {number | null} [frequency_penalty]
 * @property {number | null} [presence_penalty]
 * @property {Record<string, number> | null} [logit_bias]
 * @property {number | null} [seed] the same seed gives the same text; default: a random one
 * @property {string | string[] | null} [stop]
 * @property {Record<string, unknown>} [chat_template_kwargs] variables for the model's template
 */

/**
 * @typedef {object} Usage
 * @property {number} prompt_tokens
 * @property {number} completion_tokens
 * @property {number} total_tokens
 * @property {{ cached_tokens: number }} prompt_tokens_details tokens whose keys and values were still there
 * @property {{ time_to_first_token_ms: number, prefill_tokens_per_s: number, decode_tokens_per_s: number, total_ms: number }} timings
 */

/** @typedef {'stop' | 'length'} FinishReason */

/**
 * @typedef {object} ChatCompletion
 * @property {string} id
 * @property {'chat.completion'} object
 * @property {number} created seconds since 1970
 * @property {string} model
 * @property {{ index: 0, message: { role: 'assistant', content: string, refusal: null }, logprobs: null, finish_reason: FinishReason }[]} choices
 * @property {Usage} usage
 */

/**
 * @typedef {object} ChatCompletionChunk
 * @property {string} id
 * @property {'chat.completion.chunk'} object
 * @property {number} created
 * @property {string} model
 * @property {{ index: 0, delta: { role?: 'assistant', content?: string }, logprobs: null, finish_reason: FinishReason | null }[]} choices
 * @property {Usage | RunningUsage | null} [usage] Usage in the last chunk, which has no choices
 */

/** @typedef {Pick<Usage, 'prompt_tokens' | 'completion_tokens' | 'total_tokens'>} RunningUsage */

/** What the worker tells of a generation. @typedef {{ text: string, tokens: number, prompt: number }} Delta */
/** How it ended. @typedef {{ finish: FinishReason, usage: Usage }} Outcome */

/** @typedef {(method: string, args: unknown[], options?: import('./channel.js').CallOptions) => Promise<unknown>} Call */

export class ChatCompletions {
  #call;
  #model;

  /** @param {Call} call @param {string} model */
  constructor(call, model) {
    this.#call = call;
    this.#model = model;
  }

  /**
   * @overload @param {ChatRequest & { stream: true }} request @param {{ signal?: AbortSignal }} [options]
   * @returns {Promise<ChatStream>}
   */
  /**
   * @overload @param {ChatRequest & { stream?: false | null }} request @param {{ signal?: AbortSignal }} [options]
   * @returns {Promise<ChatCompletion>}
   */
  /**
   * @param {ChatRequest} request
   * @param {{ signal?: AbortSignal }} [options] the signal ends the generation with an AbortError
   * @returns {Promise<ChatCompletion | ChatStream>}
   */
  async create(request, { signal } = {}) {
    const { stream, stream_options: streamOptions, ...rest } = request;
    if (streamOptions && !stream) throw fail(STATUS.E_ARGUMENT, 'stream_options without stream');
    const head = { id: `chatcmpl-${crypto.randomUUID()}`, created: Math.floor(Date.now() / 1000), model: request.model ?? this.#model };
    if (stream) {
      const chat = new ChatStream(head, streamOptions ?? {}, signal);
      chat.run((options) => this.#call('chat', [rest], options));
      await chat.started;
      return chat;
    }
    let content = '';
    const outcome = /** @type {Outcome} */ (await this.#call('chat', [rest], { signal, onEvent: (/** @type {Delta} */ d) => (content += d.text) }));
    return {
      ...head,
      object: 'chat.completion',
      choices: [{ index: 0, message: { role: 'assistant', content, refusal: null }, logprobs: null, finish_reason: outcome.finish }],
      usage: outcome.usage,
    };
  }
}

/** The chunks of one answer; ending the loop early ends the generation. @implements {AsyncIterable<ChatCompletionChunk>} */
export class ChatStream {
  /** As in OpenAI's SDK: aborts the generation. */
  controller = new AbortController();
  /** @type {ChatCompletionChunk[]} */
  #queue = [];
  #ended = false;
  /** @type {unknown} */
  #error;
  /** @type {(() => void) | null} */
  #wake = null;
  #head;
  #withUsage;
  #running;

  /**
   * @param {{ id: string, created: number, model: string }} head
   * @param {NonNullable<ChatRequest['stream_options']>} options
   * @param {AbortSignal} [signal]
   */
  constructor(head, { include_usage: withUsage = false, continuous_usage_stats: running = false }, signal) {
    this.#head = head;
    this.#withUsage = withUsage;
    this.#running = withUsage && running;
    if (signal?.aborted) this.controller.abort(signal.reason);
    signal?.addEventListener('abort', () => this.controller.abort(signal.reason), { once: true });
    /** Settles when the request is accepted (first event) or refused. @type {Promise<void>} */
    this.started = new Promise((resolve, reject) => {
      this.accept = resolve;
      this.refuse = reject;
    });
  }

  /** @param {ChatCompletionChunk['choices'][0]['delta']} delta @param {FinishReason | null} finish @param {Delta} [at] */
  #push(delta, finish, at) {
    const usage = this.#running && at ? { prompt_tokens: at.prompt, completion_tokens: at.tokens, total_tokens: at.prompt + at.tokens } : null;
    this.#queue.push({
      ...this.#head,
      object: 'chat.completion.chunk',
      choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }],
      ...(this.#withUsage ? { usage } : {}),
    });
    this.#notify();
  }

  #notify() {
    this.#wake?.();
    this.#wake = null;
  }

  /** @param {(options: import('./channel.js').CallOptions) => Promise<unknown>} call */
  run(call) {
    let first = true;
    const onEvent = (/** @type {Delta} */ d) => {
      if (first) this.#push({ role: 'assistant', content: '' }, null);
      first = false;
      this.accept?.();
      if (d.text) this.#push({ content: d.text }, null, d);
    };
    call({ signal: this.controller.signal, onEvent }).then(
      (result) => {
        const outcome = /** @type {Outcome} */ (result);
        onEvent({ text: '', tokens: 0, prompt: 0 });
        this.#push({}, outcome.finish);
        if (this.#withUsage) this.#queue.push({ ...this.#head, object: 'chat.completion.chunk', choices: [], usage: outcome.usage });
        this.#ended = true;
        this.#notify();
      },
      (error) => {
        this.#ended = true;
        this.#error = error;
        if (first) this.refuse?.(error);
        this.#notify();
      },
    );
  }

  /** @returns {AsyncGenerator<ChatCompletionChunk, void>} */
  async *[Symbol.asyncIterator]() {
    try {
      for (;;) {
        const chunk = this.#queue.shift();
        if (chunk) {
          yield chunk;
        } else if (this.#ended) {
          if (this.#error) throw this.#error;
          return;
        } else {
          await new Promise((resolve) => (this.#wake = () => resolve(undefined)));
        }
      }
    } finally {
      if (!this.#ended) this.controller.abort();
    }
  }
}
