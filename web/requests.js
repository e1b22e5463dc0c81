// The requests to one engine: several at once, on sessions that the engine keeps; more wait for their turn.

import { fail, STATUS } from './errors.js';

const DELTA_MS = 16; // text is told at most this often

/** @typedef {import('./core.js').Core} Core */
/** @typedef {import('./core.js').CoreEvent} CoreEvent */
/** @typedef {import('./runner.js').Runner} Runner */
/** @typedef {(delta: import('./choices.js').Delta) => void} Tell */
/** @typedef {{ overflow?: 'refuse' | 'slide' | 'drop_oldest_turns', attentionSinks?: number }} Window what happens when the context is full, unless a request says otherwise */

const aborted = () => new DOMException('the request was aborted', 'AbortError');

export class Requests {
  #core;
  #runner;
  #compile;
  #running = 0; // sessions that are taken
  /** @type {(() => boolean)[]} what waits, in the order in which it came; true: it has begun, or failed */
  #line = [];
  /** @type {Record<string, unknown>} fields of every request */
  #window;

  /** @param {Core} core @param {Runner} runner @param {(url: URL) => Promise<WebAssembly.Module>} compile @param {Window} [window] */
  constructor(core, runner, compile, window = {}) {
    this.#window = windowFields(window);
    this.#compile = compile;
    this.#core = core;
    this.#runner = runner;
  }

  /**
   * @param {import('./choices.js').Api} api @param {Record<string, unknown>} request @param {Tell} tell @param {AbortSignal} signal
   * @returns {Promise<import('./choices.js').Outcome>}
   */
  async ask(api, request, tell, signal) {
    const begun = performance.now();
    const whole = api === 'embedding' ? request : await this.windowed(api, { ...request, seed: request.seed ?? Math.floor(Math.random() * 2 ** 31) }, signal);
    const session = await this.#core.starting(() => this.#start(() => this.#core.startChat(0, whole, api), signal), this.#compile);
    return this.#follow(session, tell, signal, begun);
  }

  /**
   * A request that says what happens when the context is full; or a chat that fits.
   * @param {'chat' | 'completion'} api @param {Record<string, unknown>} request @param {AbortSignal} signal @returns {Promise<Record<string, unknown>>}
   */
  async windowed(api, request, signal) {
    const overflow = request.overflow ?? (api === 'chat' || this.#window.overflow === 'slide' ? this.#window.overflow : null);
    const whole = { ...this.#window, ...request, overflow };
    return api === 'chat' && overflow === 'drop_oldest_turns' ? this.#fitting(whole, signal) : whole;
  }

  /**
   * A chat without as many of its oldest turns as do not fit in the context with the answer. System messages and the
   * last turn stay; a turn is a user's message and all up to the next.
   * @param {Record<string, any>} request @param {AbortSignal} signal @returns {Promise<Record<string, any>>}
   */
  async #fitting({ overflow: _, ...request }, signal) {
    const { context } = this.#core.sizes();
    const room = Math.min(request.max_completion_tokens ?? request.max_tokens ?? context / 4, context / 2);
    for (let messages = request.messages; ; ) {
      const prompt = await this.#promptLength({ ...request, messages, max_tokens: 1, max_completion_tokens: null, response_format: null }, signal);
      const first = messages.findIndex((/** @type {any} */ m) => !['system', 'developer'].includes(m.role));
      const next = messages.findIndex((/** @type {any} */ m, /** @type {number} */ i) => i > first && m.role === 'user');
      if (prompt + room <= context || first < 0 || next < 0) return { ...request, messages };
      messages = [...messages.slice(0, first), ...messages.slice(next)];
    }
  }

  /** @param {Record<string, unknown>} request of a chat @param {AbortSignal} signal @returns {Promise<number>} tokens; Infinity: more than the context */
  async #promptLength(request, signal) {
    let session;
    try {
      session = await this.#start(() => this.#core.startChat(0, request, 'chat'), signal);
    } catch (error) {
      if (/** @type {any} */ (error).code === 'QN_E_CONTEXT') return Infinity;
      throw error;
    }
    try {
      const { length } = this.#core.prompt(session);
      this.#core.cancel(session);
      for await (const _ of this.#runner.events(session));
      return length;
    } finally {
      this.#release(session);
    }
  }

  /**
   * Computes a request's prompt, where it is not there yet, and tells what the session then holds, in pieces.
   * @param {Record<string, unknown>} request of a chat @param {(piece: Uint8Array) => Promise<void>} tell @param {AbortSignal} signal
   * @returns {Promise<number>} tokens
   */
  async save(request, tell, signal) {
    const session = await this.#start(() => this.#core.startChat(0, { ...request, max_tokens: 1 }, 'chat'), signal);
    try {
      let tokens = 0;
      for await (const event of this.#runner.events(session, signal)) tokens = event.promptTokens || tokens;
      for await (const piece of this.#runner.save(session)) {
        if (signal.aborted) throw aborted();
        await tell(piece);
      }
      return tokens;
    } finally {
      this.#release(session);
    }
  }

  /**
   * A session of the engine holds what was saved; requests that begin with it find it there.
   * @param {AsyncIterable<Uint8Array> | Iterable<Uint8Array>} pieces @param {AbortSignal} signal
   */
  async restore(pieces, signal) {
    let session = 0;
    let index = 0;
    try {
      for await (const piece of pieces) {
        if (signal.aborted) throw aborted();
        if (index > 0) this.#core.restore(session, index, piece);
        else session = await this.#start(() => this.#core.restore(0, 0, piece), signal);
        index++;
      }
    } finally {
      if (session) this.#release(session);
    }
  }

  /** Gives a session back to the engine, and lets others in. @param {number} session */
  #release(session) {
    this.#core.destroySession(session);
    this.#running--;
    this.#next();
  }

  /**
   * Begins a generation, in order, as soon as a session is free. @param {() => number} begin @param {AbortSignal} signal
   * @returns {Promise<number>} the session
   */
  #start(begin, signal) {
    return new Promise((resolve, reject) => {
      const abort = () => {
        this.#line.splice(this.#line.indexOf(enter), 1);
        reject(aborted());
        this.#next(); // what waited behind it may have what it lacked
      };
      const enter = () => {
        try {
          const session = begin();
          this.#running++;
          resolve(session);
        } catch (error) {
          if (this.#running > 0 && /** @type {any} */ (error).code === 'QN_E_STATE') return false; // all are busy
          reject(error);
        }
        signal.removeEventListener('abort', abort);
        return true;
      };
      if (signal.aborted) return reject(aborted());
      signal.addEventListener('abort', abort, { once: true });
      if (this.#line.push(enter) === 1) this.#next();
    });
  }

  /** Lets in as many as there are sessions for. */
  #next() {
    while (this.#line.length > 0 && this.#line[0]()) this.#line.shift();
  }

  /**
   * @param {number} session @param {Tell} tell @param {AbortSignal} signal @param {number} begun
   * @returns {Promise<import('./choices.js').Outcome>}
   */
  async #follow(session, tell, signal, begun) {
    let first = 0;
    let last = 0;
    /** @type {import('./choices.js').Part[]} */
    let parts = [];
    /** @type {import('./choices.js').TokenLogprob[]} */
    let logprobs = [];
    /** @type {Float32Array | undefined} */
    let embedding;
    let tokens = 0;
    let thought = 0; // tokens up to the end of a thought
    let told = 0;
    try {
      for await (const event of this.#runner.events(session, signal)) {
        addPart(parts, event);
        if (event.logprobs) logprobs.push(JSON.parse(event.logprobs));
        if (event.kind === 'logits') embedding = event.logits;
        if (event.kind === 'token') {
          last = performance.now();
          first ||= last;
          if (tokens++ === 0) this.#next(); // others may have waited for this prompt
        }
        if (event.text && event.channel === 'reasoning') thought = tokens;
        const due = event.kind === 'done' || performance.now() - told >= DELTA_MS;
        if ((parts.length || logprobs.length) && due && !signal.aborted) {
          tell({ parts, logprobs, tokens, prompt: event.promptTokens });
          told = performance.now();
          [parts, logprobs] = [[], []];
        }
        if (event.kind === 'done') {
          if (signal.aborted || event.finish === 'cancelled') throw aborted();
          return { finish: event.finish === 'stop' || event.finish === 'tool_calls' ? event.finish : 'length', usage: usageOf(event, begun, first, last, thought), embedding };
        }
      }
      throw fail(STATUS.E_INTERNAL, 'a generation ended without saying so');
    } finally {
      this.#release(session);
    }
  }
}

/** @param {Window} window */
export function windowFields({ overflow = 'refuse', attentionSinks = 4 }) {
  if (!['refuse', 'slide', 'drop_oldest_turns'].includes(overflow)) throw fail(STATUS.E_ARGUMENT, `overflow: "${overflow}"; there are "refuse", "slide" and "drop_oldest_turns"`);
  if (!(Number.isInteger(attentionSinks) && attentionSinks >= 0 && attentionSinks <= 1024)) throw fail(STATUS.E_ARGUMENT, `attentionSinks: ${attentionSinks}; a whole number from 0 to 1024`);
  return { overflow, attention_sinks: attentionSinks };
}

/** Joins what belongs together. @param {import('./choices.js').Part[]} parts @param {CoreEvent} event */
export function addPart(parts, { channel: kind, call, text }) {
  const last = parts.at(-1);
  if (kind === 'name') parts.push({ kind, call, text });
  else if (text && last?.kind === kind && last.call === call) last.text += text;
  else if (text) parts.push({ kind, call, text });
}

/**
 * @param {CoreEvent} done @param {number} begun @param {number} first @param {number} last @param {number} thought
 * @returns {import('./choices.js').Usage}
 */
function usageOf(done, begun, first, last, thought) {
  const computed = done.promptTokens - done.reusedTokens;
  const ttft = first ? first - begun : 0;
  return {
    prompt_tokens: done.promptTokens,
    completion_tokens: done.completionTokens,
    total_tokens: done.promptTokens + done.completionTokens,
    prompt_tokens_details: { cached_tokens: done.reusedTokens },
    completion_tokens_details: { reasoning_tokens: thought },
    timings: {
      time_to_first_token_ms: ttft,
      prefill_tokens_per_s: ttft ? (1000 * computed) / ttft : 0,
      decode_tokens_per_s: last > first ? (1000 * (done.completionTokens - 1)) / (last - first) : 0,
      total_ms: performance.now() - begun,
    },
  };
}
