// Token by token under the application's hands: forwardTokensAndSample, and chats whose logits a
// LogitProcessor changes. Only here is a token chosen in JavaScript, because the processor is.

/** @typedef {import('./engine.js').LogitProcessor} LogitProcessor */
/** @typedef {{ temperature?: number, top_p?: number, top_k?: number, min_p?: number, repetition_penalty?: number, frequency_penalty?: number, presence_penalty?: number,
 *   logit_bias?: Record<string, number> | null, seed?: number | null }} Sampling */

/** Uniform in [0, 1) from a seed (mulberry32). @param {number} seed */
function noise(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Penalties and bias, then temperature, top-k, top-p, min-p and a draw, in the engine's order.
 * @param {Float32Array} logits [vocab], changed @param {Sampling} sampling @param {number[]} prefix all ids so far @param {number} prompt how many of them are the prompt's
 * @param {() => number} random
 */
export function sample(logits, sampling, prefix, prompt, random) {
  const { temperature = 1, top_p: topP = 1, top_k: topK = 0, min_p: minP = 0, repetition_penalty: repetition = 1, frequency_penalty: frequency = 0, presence_penalty: presence = 0 } = sampling;
  if (repetition !== 1) for (const id of new Set(prefix)) logits[id] = logits[id] > 0 ? logits[id] / repetition : logits[id] * repetition;
  for (const id of new Set(prefix.slice(prompt))) logits[id] -= presence;
  for (const id of prefix.slice(prompt)) logits[id] -= frequency;
  for (const [id, bias] of Object.entries(sampling.logit_bias ?? {})) if (Number(id) < logits.length) logits[Number(id)] += bias;
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i] > logits[best]) best = i;
  if (!(temperature > 0)) return best;
  const weight = (/** @type {number} */ id) => Math.exp((logits[id] - logits[best]) / temperature);
  let ids = [...logits.keys()].filter((id) => weight(id) > 1e-12).sort((a, b) => logits[b] - logits[a]);
  if (topK > 0) ids = ids.slice(0, topK);
  let total = ids.reduce((sum, id) => sum + weight(id), 0);
  if (topP < 1) {
    let kept = 0;
    const end = ids.findIndex((id) => (kept += weight(id)) >= topP * total);
    ids = ids.slice(0, end + 1 || ids.length);
  }
  ids = ids.filter((id) => weight(id) >= minP);
  total = ids.reduce((sum, id) => sum + weight(id), 0);
  let left = random() * total;
  return ids.find((id) => (left -= weight(id)) < 0) ?? ids[ids.length - 1];
}

/**
 * What stays of a timeline that is longer than the context: the first tokens and the latest, as where the engine slides (src/run/run.c).
 * @param {number[]} ids @param {number} context @param {number} sinks
 */
export function slid(ids, context, sinks) {
  if (ids.length <= context) return ids;
  const keep = context - Math.floor(context / 4);
  const first = Math.min(sinks, Math.floor(keep / 2));
  return [...ids.slice(0, first), ...ids.slice(first - keep)];
}

/** @typedef {{ overflow?: string, attentionSinks?: number }} Window */

/**
 * Log-probabilities of what the processor left, before penalties and bias.
 * @param {Float32Array} logits [vocab] @param {number} top how many of the likeliest
 * @returns {(id: number) => { logprob: number, top: [id: number, logprob: number][] }}
 */
export function logprobsOf(logits, top) {
  /** @type {number[]} */
  const best = [];
  logits.forEach((l, id) => {
    const at = best.findIndex((other) => l > logits[other]);
    if (at >= 0 || best.length < Math.max(top, 1)) best.splice(at < 0 ? best.length : at, 0, id);
    best.length = Math.min(best.length, Math.max(top, 1));
  });
  const most = logits[best[0]];
  const norm = most + Math.log(logits.reduce((sum, l) => sum + Math.exp(l - most), 0));
  const likeliest = best.slice(0, top).map((id) => /** @type {[number, number]} */ ([id, logits[id] - norm]));
  const copy = logits.slice(); // sampling changes them
  return (id) => ({ logprob: copy[id] - norm, top: likeliest });
}

/** A conversation, to be compared. @param {any[]} messages */
const conversation = (messages) => JSON.stringify(messages.map(({ role, content }) => [role, content]));
const NOTHING = conversation([]);
const SINKS = 4;

/** @param {Record<string, any>} defaults @param {Record<string, any>} own @returns {Sampling} */
const filled = (defaults, own) => ({ ...defaults, ...Object.fromEntries(Object.entries(own).filter(([, value]) => value !== null && value !== undefined)) });

export class Stepper {
  /** @type {number[]} the timeline of forwardTokensAndSample */
  #ids = [];
  /** @type {number[]} of it, what is in the context */
  #held = [];
  #prompt = 0;
  #random = noise(Math.random() * 2 ** 32);
  /** @type {Promise<unknown>} a processor follows one sequence: requests wait for each other */
  #line = Promise.resolve();
  #said = NOTHING; // the conversation that the processor has seen
  #rates = { prefill_tokens_per_s: 0, decode_tokens_per_s: 0 };
  #engine;
  /** @type {Sampling} of the model, and of the application */
  #defaults;
  #window;
  #processor;

  /** @param {import('../engine.js').Engine} engine @param {Sampling} options @param {Window} window @param {LogitProcessor} [processor] */
  constructor(engine, options, window, processor) {
    this.#engine = engine;
    this.#defaults = filled(engine.info.sampling, options);
    this.#window = window;
    this.#processor = processor;
  }

  /** @returns {Promise<() => void>} to be called when the turn is over */
  async #turn() {
    const before = this.#line;
    let over = () => {};
    this.#line = new Promise((resolve) => (over = () => resolve(undefined)));
    await before;
    return over;
  }

  rates() {
    return this.#rates;
  }

  reset() {
    this.#ids = [];
    this.#held = [];
    this.#prompt = 0;
    this.#said = NOTHING;
    this.#processor?.resetState();
  }

  /**
   * @param {number[]} held what is in the context @param {number[]} ids all so far @param {number} prompt how many of them are the prompt's
   * @param {Sampling & { logprobs?: boolean | null, top_logprobs?: number | null }} sampling @param {() => number} random @param {AbortSignal} [signal]
   */
  async #next(held, ids, prompt, sampling, random, signal) {
    let logits = await this.#engine.logits(held, { signal });
    if (this.#processor) logits = this.#processor.processLogits(logits);
    const known = sampling.logprobs ? logprobsOf(logits, sampling.top_logprobs ?? 0) : null;
    const id = sample(logits, sampling, ids, prompt, random);
    this.#processor?.processSampledToken(id);
    return { id, logprobs: known?.(id) };
  }

  /** A token as OpenAI's logprobs have it; parts of a character have no text of their own. @param {number} id @param {number} logprob */
  async #named(id, logprob) {
    const token = await this.#engine.detokenize([id]);
    return { token, logprob, bytes: token.includes('\uFFFD') ? null : [...new TextEncoder().encode(token)] };
  }

  /** @param {number[]} inputIds @param {boolean} isPrefill @returns {Promise<number>} */
  async forward(inputIds, isPrefill) {
    const over = await this.#turn();
    try {
      const begun = performance.now();
      const { overflow, attentionSinks = SINKS } = this.#window;
      this.#ids.push(...inputIds);
      this.#held.push(...inputIds);
      if (overflow === 'slide') this.#held = slid(this.#held, this.#engine.info.context, attentionSinks);
      if (isPrefill) this.#prompt = this.#ids.length;
      const { id } = await this.#next(this.#held, this.#ids, this.#prompt, this.#defaults, this.#random);
      this.#rates[isPrefill ? 'prefill_tokens_per_s' : 'decode_tokens_per_s'] = (1000 * inputIds.length) / (performance.now() - begun);
      return id;
    } finally {
      over();
    }
  }

  /**
   * A chat as a stream of chunks, its last with the usage.
   * @param {Record<string, any>} request as Quern takes it @param {AbortSignal} signal
   */
  async chat(request, signal) {
    const prompt = await this.#engine.promptTokens(/** @type {any} */ (request));
    return this.#inTurn(request, prompt, signal);
  }

  /** @param {Record<string, any>} request @param {number[]} prompt @param {AbortSignal} signal */
  async *#inTurn(request, prompt, signal) {
    const over = await this.#turn();
    try {
      yield* this.#chunks(request, prompt, signal);
    } finally {
      over();
    }
  }

  /** @param {Record<string, any>} request @param {number[]} prompt @param {AbortSignal} signal */
  async *#chunks(request, prompt, signal) {
    const begun = performance.now();
    const random = request.seed === undefined || request.seed === null ? this.#random : noise(request.seed);
    const head = { id: `chatcmpl-${crypto.randomUUID()}`, object: 'chat.completion.chunk', created: Math.floor(Date.now() / 1000), model: this.#engine.info.model };
    const ids = [...prompt];
    const counts = () => ({ prompt_tokens: prompt.length, completion_tokens: ids.length - prompt.length });
    /** @type {object[]} of tokens whose text is not told yet */
    const tokens = [];
    const choice = (/** @type {Record<string, unknown>} */ delta, /** @type {string | null} */ finish = null) => {
      const logprobs = tokens.length > 0 ? { content: tokens.splice(0), refusal: null } : null;
      return { ...head, choices: [{ index: 0, delta, logprobs, finish_reason: finish }], usage: counts() };
    };
    const { context } = this.#engine.info;
    const sampling = filled(this.#defaults, request);
    const sinks = request.attention_sinks ?? this.#window.attentionSinks ?? SINKS;
    const slides = (request.overflow ?? this.#window.overflow) === 'slide';
    const most = request.max_tokens ?? request.max_completion_tokens;
    const limit = slides ? most ?? context : Math.min(most ?? Infinity, context - prompt.length + 1);
    let kept = prompt;
    const stops = [request.stop ?? []].flat();
    let [text, told, first, finish] = ['', 0, 0, 'length'];
    // As web-llm does: a processor goes on where a conversation does, and begins again with another.
    if (conversation(request.messages.slice(0, -1)) !== this.#said) this.#processor?.resetState();
    this.#said = ''; // broken off: nothing goes on from here
    yield choice({ role: 'assistant', content: '' });
    while (ids.length - prompt.length < limit) {
      if (signal.aborted) throw new DOMException('the request was aborted', 'AbortError');
      if (slides) kept = slid(kept, context, sinks);
      const { id, logprobs } = await this.#next(kept, ids, prompt.length, sampling, random, signal);
      first ||= performance.now();
      ids.push(id);
      kept = [...kept, id];
      if (!request.ignore_eos && (await this.#engine.isEnd(id))) {
        finish = 'stop';
        break;
      }
      if (logprobs) tokens.push({ ...(await this.#named(id, logprobs.logprob)), top_logprobs: await Promise.all(logprobs.top.map(([other, p]) => this.#named(other, p))) });
      // Of a character in several tokens, and of a stop string, nothing is told before it is whole.
      text = (await this.#engine.detokenize(ids.slice(prompt.length), { skipSpecial: true })).replace(/\uFFFD+$/, '');
      const cut = Math.min(...stops.map((s) => text.indexOf(s)).filter((at) => at >= 0));
      if (Number.isFinite(cut)) {
        text = text.slice(0, cut);
        finish = 'stop';
      }
      const held = finish === 'stop' ? 0 : Math.max(0, ...stops.map((s) => overlap(text, s)));
      if (text.length - held > told) yield choice({ content: text.slice(told, (told = text.length - held)) });
      if (finish === 'stop') break;
    }
    if (text.length > told) yield choice({ content: text.slice(told) });
    if (finish === 'stop') this.#said = conversation([...request.messages, { role: 'assistant', content: text }]);
    yield choice({}, finish);
    const ended = performance.now();
    const completion = ids.length - prompt.length;
    const timings = {
      time_to_first_token_ms: first - begun,
      prefill_tokens_per_s: (1000 * prompt.length) / (first - begun),
      decode_tokens_per_s: completion > 1 ? (1000 * (completion - 1)) / (ended - first) : 0,
      total_ms: ended - begun,
    };
    const usage = { prompt_tokens: prompt.length, completion_tokens: completion, total_tokens: ids.length, prompt_tokens_details: { cached_tokens: 0 }, timings };
    yield { ...head, choices: [], usage };
  }
}

/** How many characters at the end of `text` begin `stop`. @param {string} text @param {string} stop */
function overlap(text, stop) {
  for (let n = Math.min(text.length, stop.length - 1); n > 0; n--) if (text.endsWith(stop.slice(0, n))) return n;
  return 0;
}
