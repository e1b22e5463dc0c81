// Several answers to one request: choices of a prompt, or answers to several prompts. Each is a
// request of its own to the engine, which computes what they share once.

/**
 * @typedef {object} Usage
 * @property {number} prompt_tokens
 * @property {number} completion_tokens
 * @property {number} total_tokens
 * @property {{ cached_tokens: number }} prompt_tokens_details tokens whose keys and values were still there
 * @property {{ reasoning_tokens: number }} [completion_tokens_details] tokens of thoughts
 * @property {{ time_to_first_token_ms: number, prefill_tokens_per_s: number, decode_tokens_per_s: number, total_ms: number }} timings
 */

/** @typedef {Pick<Usage, 'prompt_tokens' | 'completion_tokens' | 'total_tokens'>} RunningUsage */
/** @typedef {'stop' | 'length' | 'tool_calls'} FinishReason */
/** @typedef {{ token: string, logprob: number, bytes: number[] }} TopLogprob */
/** @typedef {TopLogprob & { top_logprobs: TopLogprob[] }} TokenLogprob */

/** A stretch of an answer. @typedef {{ kind: 'content' | 'reasoning' | 'name' | 'arguments', call: number, text: string }} Part */
/** What the worker tells of a generation. @typedef {{ parts: Part[], logprobs: TokenLogprob[], tokens: number, prompt: number }} Delta */
/** How it ended. @typedef {{ finish: FinishReason, usage: Usage, embedding?: Float32Array }} Outcome */

/** What an engine's worker answers. @typedef {'chat' | 'completion' | 'embedding'} Api */

/** @typedef {(method: string, args: unknown[], options?: import('./channel.js').CallOptions) => Promise<unknown>} Call */

/**
 * A request for each of n choices: the i-th draws with the request's seed, or a random one, plus i. What is no good number
 * is left for the engine to refuse.
 * @template {{ n?: number | null, seed?: number | null }} T @param {T} request @returns {T[]}
 */
export function choicesOf(request) {
  const { n, seed } = request;
  if (!n || n === 1 || !Number.isInteger(n) || n < 0 || n > 128) return [request];
  const base = seed ?? Math.floor(Math.random() * 2 ** 31);
  return Array.from({ length: n }, (_, i) => ({ ...request, seed: i ? base + i : base }));
}

/**
 * @param {Call} call @param {string} method @param {Record<string, unknown>[]} requests
 * @param {AbortSignal | undefined} signal @param {(delta: Delta, index: number) => void} onDelta
 * @param {(outcome: Outcome, index: number) => void} [onEnd]
 * @returns {Promise<Outcome[]>} of all; rejects with the first failure, which ends the others
 */
export async function runChoices(call, method, requests, signal, onDelta, onEnd = () => {}) {
  const controllers = requests.map(() => new AbortController());
  const stop = () => controllers.forEach((controller) => controller.abort(signal?.reason));
  if (signal?.aborted) stop();
  signal?.addEventListener('abort', stop, { once: true });
  try {
    return await Promise.all(
      requests.map(async (request, index) => {
        const onEvent = (/** @type {Delta} */ delta) => onDelta(delta, index);
        const outcome = /** @type {Outcome} */ (await call(method, [request], { signal: controllers[index].signal, onEvent }));
        onEnd(outcome, index);
        return outcome;
      }),
    );
  } finally {
    signal?.removeEventListener('abort', stop);
    stop();
  }
}

/** What a chunk of a stream tells of the tokens so far. @param {{ include_usage?: boolean, continuous_usage_stats?: boolean } | null | undefined} options @param {Delta} [at] @returns {RunningUsage | null} */
export function runningUsage(options, at) {
  return at && options?.include_usage && options.continuous_usage_stats ? { prompt_tokens: at.prompt, completion_tokens: at.tokens, total_tokens: at.prompt + at.tokens } : null;
}

/** Of all answers; `per` of them share a prompt, which counts once. @param {Usage[]} list @param {number} per @returns {Usage} */
export function sumUsage(list, per) {
  const sum = (/** @type {(u: Usage, i: number) => number} */ of) => list.reduce((total, u, i) => total + of(u, i), 0);
  const own = (/** @type {(u: Usage) => number} */ of) => sum((u, i) => (i % per ? 0 : of(u)));
  const prompt = own((u) => u.prompt_tokens);
  const completion = sum((u) => u.completion_tokens);
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    prompt_tokens_details: { cached_tokens: own((u) => u.prompt_tokens_details.cached_tokens) },
    ...(list[0].completion_tokens_details ? { completion_tokens_details: { reasoning_tokens: sum((u) => u.completion_tokens_details?.reasoning_tokens ?? 0) } } : {}),
    timings: {
      ...list[0].timings,
      decode_tokens_per_s: sum((u) => u.timings.decode_tokens_per_s),
      total_ms: Math.max(...list.map((u) => u.timings.total_ms)),
    },
  };
}
