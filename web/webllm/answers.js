// From Quern's chunks to web-llm's answers: its usage, its way to end an interrupted stream, whole
// completions put together from chunks.

import { translateEmbedding } from './errors.js';

/** @typedef {Record<string, any>} Chunk */

/**
 * @param {import('../engine.js').Engine} engine @param {string} model its id @param {import('./types.js').EmbeddingCreateParams} request
 * @param {import('./endpoints.js').RequestOptions} [options] @returns {Promise<import('./types.js').CreateEmbeddingResponse>}
 */
export async function embed(engine, model, request, options) {
  const begun = performance.now();
  const response = await engine.embeddings.create(/** @type {any} */ (request), options).catch((error) => {
    throw translateEmbedding(error);
  });
  const { usage } = response;
  const rate = (1000 * usage.prompt_tokens) / Math.max(performance.now() - begun, 0.001);
  return /** @type {any} */ ({ ...response, model, usage: { ...usage, extra: { prefill_tokens_per_s: rate } } });
}

/**
 * web-llm counts the tokens that were computed, not those that were still in the cache.
 * @param {import('../chat.js').Usage} usage @param {{ latency?: boolean, grammar?: boolean }} [options]
 */
export function usageOf(usage, { latency = false, grammar = false } = {}) {
  const { timings } = usage;
  const prompt = usage.prompt_tokens - usage.prompt_tokens_details.cached_tokens;
  const decode = timings.decode_tokens_per_s;
  return {
    prompt_tokens: prompt,
    completion_tokens: usage.completion_tokens,
    total_tokens: prompt + usage.completion_tokens,
    prompt_tokens_details: usage.prompt_tokens_details,
    extra: {
      e2e_latency_s: timings.total_ms / 1000,
      prefill_tokens_per_s: timings.prefill_tokens_per_s,
      decode_tokens_per_s: decode,
      time_to_first_token_s: timings.time_to_first_token_ms / 1000,
      time_per_output_token_s: decode > 0 ? 1 / decode : 0,
      // Masks are made while the GPU computes: nothing is waited for.
      ...(grammar ? { grammar_init_s: 0, grammar_per_token_s: 0 } : {}),
      // Sampling is part of a step on the GPU; its parts cannot be told apart.
      ...(latency ? { latencyBreakdown: { logitProcessorTime: [], logitBiasTime: [], penaltyTime: [], sampleTime: [], totalTime: [], grammarBitmaskTime: [] } } : {}),
    },
  };
}

/** What a request has cost so far: the usage of answers that are interrupted. */
export class Meter {
  #begun = performance.now();
  #first = 0;
  #prompt = 0;
  /** @type {Map<number, number>} tokens by choice */
  #tokens = new Map();

  /** @param {Chunk[]} choices of a chunk @param {any} usage of the chunk @returns {boolean} it is the usage of the whole request */
  take(choices, usage) {
    if (usage?.timings) return true;
    if (usage) {
      this.#first ||= performance.now();
      this.#prompt = usage.prompt_tokens;
      for (const { index } of choices) this.#tokens.set(index, usage.completion_tokens);
    }
    return false;
  }

  /** @returns {import('../chat.js').Usage} */
  usage() {
    const now = performance.now();
    const first = (this.#first || now) - this.#begun;
    const total = now - this.#begun;
    const tokens = [...this.#tokens.values()].reduce((sum, n) => sum + n, 0);
    return {
      prompt_tokens: this.#prompt,
      completion_tokens: tokens,
      total_tokens: this.#prompt + tokens,
      prompt_tokens_details: { cached_tokens: 0 },
      timings: {
        time_to_first_token_ms: first,
        prefill_tokens_per_s: first > 0 ? (1000 * this.#prompt) / first : 0,
        decode_tokens_per_s: tokens > 1 && total > first ? (1000 * (tokens - 1)) / (total - first) : 0,
        total_ms: total,
      },
    };
  }
}

/** What may be told of a running answer. */
export class Answer {
  /** @type {Map<number, { text: string, reasoning: string, calls: Chunk[], logprobs: Chunk[], finish: string | null }>} by index */
  choices = new Map();
  /** @type {Chunk | null} */
  head = null;
  /** @type {any} */
  usage = null;

  /** @param {Chunk} chunk */
  add(chunk) {
    this.head ??= chunk;
    if (chunk.usage) this.usage = chunk.usage;
    for (const { index, delta = {}, text = '', logprobs, finish_reason: finish } of chunk.choices) {
      const choice = this.choices.get(index) ?? { text: '', reasoning: '', calls: [], logprobs: [], finish: null };
      this.choices.set(index, choice);
      choice.text += delta.content ?? text;
      choice.reasoning += delta.reasoning_content ?? '';
      if (logprobs) choice.logprobs.push(...(logprobs.content ?? [logprobs]));
      for (const { index: at, function: f, ...call } of delta.tool_calls ?? []) {
        choice.calls[at] ??= { ...call, function: { name: '', arguments: '' } };
        choice.calls[at].function.name += f?.name ?? '';
        choice.calls[at].function.arguments += f?.arguments ?? '';
      }
      choice.finish = finish ?? choice.finish;
    }
  }

  /**
   * A chunk as web-llm tells it: calls come whole, in the chunk that ends their choice. What puts streamed calls together
   * takes them so too.
   * @param {Chunk} chunk @returns {Chunk | null} null: nothing of it is told now
   */
  told(chunk) {
    const choices = chunk.choices.map((/** @type {Chunk} */ choice) => {
      if (!choice.delta) return choice;
      const { tool_calls: begun, ...delta } = choice.delta;
      const calls = this.choices.get(choice.index)?.calls ?? [];
      if (choice.finish_reason && calls.length > 0) return { ...choice, delta: { ...delta, tool_calls: calls.map((call, index) => ({ index, ...call })) } };
      return begun && Object.keys(delta).length === 0 ? null : { ...choice, delta };
    });
    return choices.length > 0 && choices.every((/** @type {unknown} */ c) => c === null) ? null : { ...chunk, choices: choices.filter(Boolean) };
  }

  /** Indices of the choices that have no end yet. */
  unfinished() {
    return this.head ? [...this.choices].filter(([, c]) => !c.finish).map(([index]) => index) : [0];
  }

  /** The text of the last choice. */
  message() {
    return [...this.choices.values()].at(-1)?.text ?? '';
  }

  /** @param {boolean} asked for log-probabilities */
  chatCompletion(asked) {
    const choices = [...this.choices.entries()].map(([index, c]) => ({
      index,
      finish_reason: c.finish ?? 'abort',
      message: {
        role: 'assistant',
        content: c.calls.length > 0 && !c.text ? null : c.text,
        ...(c.reasoning ? { reasoning_content: c.reasoning } : {}),
        ...(c.calls.length > 0 ? { tool_calls: c.calls } : {}),
      },
      logprobs: asked ? { content: c.logprobs } : null,
    }));
    const { id, created, model } = /** @type {Chunk} */ (this.head);
    return { id, object: 'chat.completion', created, model, choices, usage: this.usage };
  }

  /** @param {boolean} asked for log-probabilities */
  completion(asked) {
    const choices = [...this.choices.entries()].map(([index, c]) => ({ index, text: c.text, finish_reason: c.finish ?? 'abort', logprobs: asked ? { content: c.logprobs } : null }));
    const { id, created, model } = /** @type {Chunk} */ (this.head);
    return { id, object: 'text_completion', created, model, choices, usage: this.usage };
  }
}

/** Log-probabilities of a text completion as chat has them. @param {any} logprobs */
function chatLogprobs(logprobs) {
  if (!logprobs?.tokens) return logprobs ?? null;
  const utf8 = new TextEncoder();
  const one = (/** @type {string} */ token, /** @type {number} */ logprob) => ({ token, logprob, bytes: [...utf8.encode(token)] });
  return {
    content: logprobs.tokens.map((/** @type {string} */ token, /** @type {number} */ i) => ({
      ...one(token, logprobs.token_logprobs[i]),
      top_logprobs: Object.entries(logprobs.top_logprobs?.[i] ?? {}).map(([t, p]) => one(t, /** @type {number} */ (p))),
    })),
  };
}

/** A text completion's chunks: each choice begins with `before`. @param {AsyncIterable<any>} stream @param {string} before */
export async function* completionChunks(stream, before) {
  const begun = new Set();
  for await (const chunk of stream) {
    const choices = chunk.choices.map((/** @type {any} */ c) => ({ ...c, text: (begun.has(c.index) ? '' : before) + c.text, logprobs: chatLogprobs(c.logprobs) }));
    for (const { index } of choices) begun.add(index);
    yield { ...chunk, choices };
  }
}
