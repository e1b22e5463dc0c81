// One engine in one instance of the wasm module: memory, calls, strings, events. It knows nothing of
// where files come from (web/files.js), of tapes (web/gpu/player.js) or of OpenAI's objects
// (web/chat.js). Runs in a worker, in a page, and in Node.

import { linkConstraints } from './constrain.js'; // service workers may not import()
import { errorFromStatus, STATUS } from './errors.js';

/** @typedef {{ size(name: string): number, read(name: string, offset: number, target: Uint8Array): number }} SyncFiles
 *  Answers are sizes or negative statuses, and statuses: NEED_DATA when the bytes are not there yet. */
/** @typedef {{ play(memory: WebAssembly.Memory, pointer: number, words: number): number }} TapePlayer */
/** @typedef {{ kind: number, tag: number, status: number, bytes?: Uint8Array, micros?: number }} GpuEvent */

/**
 * @typedef {object} CoreEvent what a session tells
 * @property {'wait'|'prefill'|'logits'|'argmax'|'token'|'done'|'text'} kind text: more of the last token's, of another kind
 * @property {number} id
 * @property {string} text
 * @property {import('./choices.js').Part['kind']} channel what the text is
 * @property {number} call which tool call it belongs to
 * @property {string} [logprobs] JSON
 * @property {Float32Array} [logits] a copy
 * @property {Uint32Array} [ids] a copy
 * @property {number} n
 * @property {'none'|'stop'|'length'|'context'|'cancelled'|'tool_calls'} finish
 * @property {number} promptTokens
 * @property {number} reusedTokens
 * @property {number} completionTokens
 */

const KINDS = /** @type {const} */ (['wait', 'prefill', 'logits', 'argmax', 'token', 'done', 'text']);
const CHANNELS = /** @type {const} */ (['content', 'reasoning', 'name', 'arguments']);
const FINISHES = /** @type {const} */ (['none', 'stop', 'length', 'context', 'cancelled', 'tool_calls']);
const APIS = ['chat', 'completion', 'embedding'];
const STATES = /** @type {const} */ (['empty', 'open', 'loaded', 'ready', 'failed', 'lost']);
const EVENT_KINDS = { read: 0, fence: 1, error: 2, lost: 3 };

const utf8 = new TextEncoder();
const text = new TextDecoder();

export class Core {
  /**
   * @param {WebAssembly.Module} module
   * @param {object} host
   * @param {SyncFiles} host.files
   * @param {TapePlayer} [host.player]
   * @param {WebAssembly.Memory} [host.memory] the shared memory of a module with threads
   */
  constructor(module, { files, player, memory }) {
    this.module = module;
    this.sharedMemory = memory;
    const env = {
      ...(memory ? { memory } : {}),
      qn_js_size: (/** @type {number} */ p, /** @type {number} */ n) => files.size(this.#string(p, n)),
      qn_js_read: (/** @type {number} */ p, /** @type {number} */ n, /** @type {number} */ offset, /** @type {number} */ target, /** @type {number} */ size) =>
        files.read(this.#string(p, n), offset, this.bytes(target, size)),
      qn_js_play: (/** @type {number} */ p, /** @type {number} */ n) => (player ? player.play(this.memory, p >>> 0, n) : STATUS.E_GPU),
      qn_js_clock: () => Math.floor(Date.now() / 1000),
    };
    const instance = new WebAssembly.Instance(module, { env });
    this.exports = /** @type {Record<string, (...args: number[]) => number>} */ (/** @type {unknown} */ (instance.exports));
    this.memory = memory ?? /** @type {WebAssembly.Memory} */ (instance.exports.memory);
    /** @type {number} the engine's handle */
    this.handle = 0;
    /** @type {Map<number, (CoreEvent | Error)[]>} what happened to sessions that did not ask yet */
    this.told = new Map();
  }

  // ---- memory. The heap may have grown: make views anew after every call.

  /** @param {number} pointer @param {number} n bytes */
  bytes(pointer, n) {
    return new Uint8Array(this.memory.buffer, pointer >>> 0, n);
  }

  /** @param {number} pointer @param {number} n bytes @returns {string} */
  #string(pointer, n) {
    // A view of shared memory is not accepted by TextDecoder: copy.
    return n === 0 ? '' : text.decode(this.bytes(pointer, n).slice());
  }

  /** The words of the last answer. */
  #words() {
    return new Uint32Array(this.memory.buffer, this.exports.qn_wasm_result(this.handle) >>> 0, 16);
  }

  /**
   * Copies bytes in, calls, frees.
   * @template T @param {Uint8Array} data @param {(pointer: number, n: number) => T} call @returns {T}
   */
  #within(data, call) {
    const pointer = this.exports.qn_wasm_alloc(data.length) >>> 0;
    if (!pointer) throw errorFromStatus(STATUS.E_NO_MEMORY, `${data.length} bytes of wasm memory`);
    try {
      this.bytes(pointer, data.length).set(data);
      return call(pointer, data.length);
    } finally {
      this.exports.qn_wasm_free(pointer);
    }
  }

  /** Throws the error of the last call unless it succeeded. @param {number} status */
  check(status) {
    if (status !== STATUS.OK) throw errorFromStatus(status, this.lastError());
  }

  lastError() {
    const pointer = this.exports.qn_wasm_error(this.handle) >>> 0;
    const view = new Uint8Array(this.memory.buffer, pointer, 480);
    const end = view.indexOf(0);
    return this.#string(pointer, end < 0 ? 480 : end);
  }

  // ---- engine

  /** @param {Record<string, unknown>} options see src/engine/options.h */
  create(options) {
    this.handle = this.#within(utf8.encode(JSON.stringify(options)), (p, n) => this.exports.qn_wasm_create(p, n) >>> 0);
    if (!this.handle) throw errorFromStatus(STATUS.E_NO_MEMORY, 'an engine');
  }

  destroy() {
    if (this.handle) this.exports.qn_wasm_destroy(this.handle);
    this.handle = 0;
  }

  /** @returns {boolean} false: more bytes are needed, supply them and call again */
  open() {
    const status = this.exports.qn_wasm_open(this.handle);
    if (status === STATUS.E_NEED_DATA) return false;
    this.check(status);
    return true;
  }

  /** Ranges of files in the order in which load() wants them. */
  pieces() {
    const list = [];
    for (let i = 0, n = this.exports.qn_wasm_pieces(this.handle); i < n; i++) {
      this.exports.qn_wasm_piece(this.handle, i);
      const at = this.exports.qn_wasm_result(this.handle) >>> 0;
      const [offset, size] = new Float64Array(this.memory.buffer, at, 2);
      const words = this.#words();
      list.push({ file: this.#string(words[4], words[5]), offset, size });
    }
    return list;
  }

  /** Loads the next piece. @returns {number} pieces done, or -1: more bytes are needed */
  load() {
    const status = this.exports.qn_wasm_load(this.handle);
    if (status === STATUS.E_NEED_DATA) return -1;
    this.check(status);
    return this.#words()[0];
  }

  state() {
    return STATES[this.exports.qn_wasm_state(this.handle)];
  }

  /** Throws the engine's own error when it has failed. */
  checkState() {
    const state = this.state();
    if (state === 'failed' || state === 'lost') throw errorFromStatus(this.#words()[2], this.lastError());
    return state;
  }

  /** Context in tokens and logits per position. */
  sizes() {
    this.state();
    const words = this.#words();
    return { context: words[0], vocab: words[1] };
  }

  /** @param {GpuEvent} event @returns {number} status */
  gpuEvent({ kind, tag, status, bytes = new Uint8Array(0), micros = 0 }) {
    if (!this.handle) return STATUS.OK;
    return this.#within(bytes, (p, n) => this.exports.qn_wasm_event(this.handle, kind, tag, status, p, n, micros));
  }

  /** @returns {any} */
  info() {
    this.check(this.exports.qn_wasm_info(this.handle));
    const words = this.#words();
    return JSON.parse(this.#string(words[0], words[1]));
  }

  // ---- text

  /** @param {string} input @param {{ special?: boolean, plain?: boolean }} [options] @returns {Uint32Array} */
  tokenize(input, { special = true, plain = false } = {}) {
    const status = this.#within(utf8.encode(input), (p, n) => this.exports.qn_wasm_tokenize(this.handle, p, n, (special ? 1 : 0) | (plain ? 2 : 0)));
    this.check(status);
    const words = this.#words();
    return new Uint32Array(this.memory.buffer, words[0], words[1]).slice();
  }

  /** @param {ArrayLike<number>} ids @param {{ skipSpecial?: boolean }} [options] */
  detokenize(ids, { skipSpecial = false } = {}) {
    const status = this.#within(new Uint8Array(Uint32Array.from(ids).buffer), (p, n) => this.exports.qn_wasm_detokenize(this.handle, p, n / 4, skipSpecial ? 4 : 0));
    this.check(status);
    const words = this.#words();
    return this.#string(words[0], words[1]);
  }

  /** Vocabulary form of a token. @param {number} id */
  token(id) {
    this.exports.qn_wasm_token(this.handle, id);
    const words = this.#words();
    return { text: this.#string(words[0], words[1]), eos: words[2] !== 0 };
  }

  /** @param {unknown} context @returns {string} */
  template(context) {
    const json = typeof context === 'string' ? context : JSON.stringify(context);
    this.check(this.#within(utf8.encode(json), (p, n) => this.exports.qn_wasm_template(this.handle, p, n)));
    const words = this.#words();
    return this.#string(words[0], words[1]);
  }

  /** @param {string} type @param {Uint8Array} blocks @returns {Float32Array} */
  dequant(type, blocks) {
    return this.#within(utf8.encode(type), (tp, tn) =>
      this.#within(blocks, (p, n) => {
        this.check(this.exports.qn_wasm_dequant(this.handle, tp, tn, p, n, 0));
        const count = this.#words()[0];
        return this.#within(new Uint8Array(4 * count), (out) => {
          this.check(this.exports.qn_wasm_dequant(this.handle, tp, tn, p, n, out));
          return new Float32Array(this.memory.buffer, out, count).slice();
        });
      }),
    );
  }

  // ---- sessions

  /** @returns {number} a session */
  createSession() {
    this.check(this.exports.qn_wasm_session(this.handle));
    return this.#words()[0];
  }

  /** @param {number} session */
  destroySession(session) {
    this.told.delete(session);
    this.exports.qn_wasm_session_free(this.handle, session);
  }

  /**
   * Begins a generation. Session 0 is one that the engine picks and keeps, see qn_engine_start.
   * @param {number} session @param {ArrayLike<number>} ids @param {Record<string, unknown>} options see src/engine/options.h
   * @returns {number} the session
   */
  start(session, ids, options) {
    const json = utf8.encode(JSON.stringify(options));
    return this.#started(this.#within(new Uint8Array(Uint32Array.from(ids).buffer), (ip, n) => this.#within(json, (p, jn) => this.exports.qn_wasm_start(this.handle, session, ip, n / 4, p, jn))));
  }

  /**
   * Starts a request, and again when it needs the module for constrained output.
   * @template T @param {() => T | Promise<T>} start @param {(url: URL) => WebAssembly.Module | Promise<WebAssembly.Module>} compile
   * @returns {Promise<T>}
   */
  async starting(start, compile) {
    try {
      return await start();
    } catch (error) {
      if (/** @type {{ status?: number }} */ (error).status !== STATUS.E_NEED_DATA) throw error;
      await linkConstraints(this, compile);
      return start();
    }
  }

  /**
   * @param {number} session or 0 @param {unknown} request an OpenAI request @param {import('./choices.js').Api} [api]
   * @returns {number} the session
   */
  startChat(session, request, api = 'chat') {
    return this.#started(this.#within(utf8.encode(JSON.stringify(request)), (p, n) => this.exports.qn_wasm_chat(this.handle, session, p, n, APIS.indexOf(api) + 1)));
  }

  /** The ids of the latest prompt. @param {number} session @returns {number[]} */
  prompt(session) {
    this.check(this.exports.qn_wasm_prompt(this.handle, session));
    const [ids, n] = this.#words();
    return [...new Uint32Array(this.memory.buffer, ids, n)];
  }

  /** @param {number} status */
  #started(status) {
    this.check(status);
    const session = this.#words()[0];
    this.told.delete(session);
    return session;
  }

  /** What this session does next, others' generations aside. @param {number} session @returns {CoreEvent} */
  next(session) {
    const status = this.exports.qn_wasm_next(this.handle, session);
    this.check(status);
    return this.#event(this.#words().slice());
  }

  /**
   * Goes on with all generations together until something happens to one.
   * @param {number} session whose event is wanted
   * @returns {CoreEvent | undefined} undefined: it happened to another, who will be told
   */
  step(session) {
    const mine = this.told.get(session)?.shift();
    if (mine instanceof Error) throw mine;
    if (mine) return mine;
    const status = this.exports.qn_wasm_next(this.handle, 0);
    const words = this.#words().slice();
    const whose = words[15];
    const what = status === STATUS.OK ? this.#event(words) : errorFromStatus(status, this.lastError());
    if (!whose || whose === session) {
      if (what instanceof Error) throw what;
      return what;
    }
    const queue = this.told.get(whose);
    if (queue) queue.push(what);
    else this.told.set(whose, [what]);
    return undefined;
  }

  /** @param {Uint32Array} w @returns {CoreEvent} */
  #event(w) {
    const kind = KINDS[w[0]];
    return {
      kind,
      id: w[1],
      text: this.#string(w[2], w[3]),
      channel: CHANNELS[w[11]],
      call: w[12],
      logprobs: w[14] ? this.#string(w[13], w[14]) : undefined,
      logits: w[4] ? new Float32Array(this.memory.buffer, w[4], kind === 'logits' ? w[6] : this.sizes().vocab).slice() : undefined,
      ids: w[5] ? new Uint32Array(this.memory.buffer, w[5], w[6]).slice() : undefined,
      n: w[6],
      finish: FINISHES[w[7]],
      promptTokens: w[8],
      reusedTokens: w[9],
      completionTokens: w[10],
    };
  }

  /**
   * Pieces of what an idle session holds, in order. @param {number} session @param {number} piece
   * @returns {{ bytes: Uint8Array, pieces: number } | undefined} undefined: the GPU answers later, call again
   */
  save(session, piece) {
    const status = this.exports.qn_wasm_save(this.handle, session, piece);
    if (status === STATUS.E_NEED_DATA) return undefined;
    this.check(status);
    const [pointer, n, pieces] = this.#words();
    return { bytes: this.bytes(pointer, n).slice(), pieces };
  }

  /**
   * The way back, in order. @param {number} session of the first piece 0: one of the engine's own
   * @param {number} piece @param {Uint8Array} bytes @returns {number} the session
   */
  restore(session, piece, bytes) {
    return this.#started(this.#within(bytes, (p, n) => this.exports.qn_wasm_restore(this.handle, session, piece, p, n)));
  }

  /** @param {number} session */
  cancel(session) {
    this.exports.qn_wasm_cancel(this.handle, session);
  }
}

export { EVENT_KINDS };
