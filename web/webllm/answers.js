// From Quern's chunks to web-llm's answers: its usage, its way to end an interrupted stream, whole
// completions put together from chunks.

/** @typedef {Record<string, any>} Chunk */

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
export function chatLogprobs(logprobs) {
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
