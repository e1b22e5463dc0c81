// Drives one Core: open and load with bytes that arrive over time, generate with a GPU that answers
// later. Used by the worker and by the Node command.

import { fail, STATUS } from './errors.js';
import { planRanges } from './files.js';

/** @typedef {import('./core.js').Core} Core */
/** @typedef {import('./core.js').CoreEvent} CoreEvent */
/** @typedef {import('./files.js').ModelFiles} ModelFiles */

/**
 * @typedef {object} Progress
 * @property {'open'|'download'|'upload'|'compile'|'ready'} phase
 * @property {number} loaded bytes of weights in place
 * @property {number} total bytes of weights
 */

const FETCH_AHEAD = 3; // ranges on their way while one is being loaded
const MOST_EVENTS = 1000; // of other sessions before a cancelled one is told of its end
const SLICE_MS = 12; // longest time without letting messages in

/** Lets queued messages (an abort, say) come in. */
export function breathe() {
  return new Promise((resolve) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => {
      channel.port1.close();
      resolve(undefined);
    };
    channel.port2.postMessage(0);
  });
}

/** @param {AbortSignal} [signal] */
function throwIfAborted(signal) {
  if (signal?.aborted) throw new DOMException('the operation was aborted', 'AbortError');
}

export class Runner {
  /** @param {Core} core @param {ModelFiles} files */
  constructor(core, files) {
    this.core = core;
    this.files = files;
    /** @type {(() => void)[]} */
    this.waiting = [];
    this.breathed = 0;
  }

  /** The GPU player's callback: hands the event over and wakes whoever waits for one.
   *  @param {import('./core.js').GpuEvent} event */
  onGpuEvent(event) {
    this.core.gpuEvent(event);
    this.#wake();
  }

  #wake() {
    for (const wake of this.waiting.splice(0)) wake();
  }

  /** Until the next GPU event. @returns {Promise<void>} */
  #gpuActivity() {
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  async #breatheSometimes() {
    const now = performance.now();
    if (now - this.breathed < SLICE_MS) return;
    await breathe();
    this.breathed = performance.now();
  }

  /** @param {{ onProgress?: (p: Progress) => void, onOpen?: () => void, signal?: AbortSignal }} [options] onOpen: the
   *  engine knows its model, weights come next */
  async load({ onProgress = () => {}, onOpen, signal } = {}) {
    onProgress({ phase: 'open', loaded: 0, total: 0 });
    while (!this.core.open()) {
      throwIfAborted(signal);
      await this.files.satisfy(signal);
    }
    onOpen?.();
    await this.#loadWeights(onProgress, signal);
    while (this.core.checkState() === 'loaded') {
      onProgress({ phase: 'compile', loaded: 1, total: 1 });
      await this.#gpuActivity();
    }
    onProgress({ phase: 'ready', loaded: 1, total: 1 });
  }

  /** @param {(p: Progress) => void} onProgress @param {AbortSignal} [signal] */
  async #loadWeights(onProgress, signal) {
    const pieces = this.core.pieces();
    const ranges = planRanges(pieces);
    const total = pieces.reduce((sum, p) => sum + p.size, 0);
    onProgress({ phase: 'upload', loaded: 0, total });
    let loaded = 0;
    let next = 0;
    /** @type {(Promise<Uint8Array> | null)[]} */
    const coming = [];
    const direct = this.files.backing.readSync !== undefined;
    this.files.clear();
    const controller = new AbortController();
    const stop = () => controller.abort(signal?.reason);
    signal?.addEventListener('abort', stop, { once: true });
    try {
      for (let i = 0, done = 0; i < ranges.length; i++) {
        while (!direct && coming.length < ranges.length && coming.length <= i + FETCH_AHEAD) {
          const r = ranges[coming.length];
          const promise = this.files.backing.read(r.file, r.offset, r.size, controller.signal);
          promise.catch(() => {}); // told when its turn comes
          coming.push(promise);
        }
        const range = ranges[i];
        if (!direct) this.files.put(range.file, range.offset, await /** @type {Promise<Uint8Array>} */ (coming[i]));
        throwIfAborted(signal);
        coming[i] = null;
        while (done <= range.last) {
          const n = this.core.load();
          if (n < 0) await this.files.satisfy(signal);
          else done = n;
          for (; next < done; next++) loaded += pieces[next].size;
          onProgress({ phase: 'upload', loaded, total });
          await this.#breatheSometimes();
          throwIfAborted(signal);
        }
        this.files.clear();
      }
      if (ranges.length === 0) this.core.load();
    } finally {
      signal?.removeEventListener('abort', stop);
      controller.abort();
    }
  }

  /**
   * The events of a generation that was started, in order, without the 'wait' ones. Whoever asks drives all generations
   * of the engine on, so that those share their steps.
   * @param {number} session
   * @param {AbortSignal} [signal]
   * @returns {AsyncGenerator<CoreEvent, void>}
   */
  async *events(session, signal) {
    const cancel = () => this.core.cancel(session);
    if (signal?.aborted) cancel();
    signal?.addEventListener('abort', cancel, { once: true });
    let finished = false;
    try {
      for (;;) {
        const event = this.core.step(session);
        if (!event) {
          this.#wake();
          await this.#breatheSometimes();
          continue;
        }
        if (event.kind === 'wait') {
          await this.#gpuActivity();
          continue;
        }
        finished = event.kind === 'done';
        if (event.kind !== 'prefill') yield event;
        if (finished) return;
        await this.#breatheSometimes();
      }
    } catch (error) {
      finished = true;
      throw error;
    } finally {
      signal?.removeEventListener('abort', cancel);
      if (!finished) this.#abandon(session); // the consumer left early
    }
  }

  /** What an idle session holds, in pieces. @param {number} session @returns {AsyncGenerator<Uint8Array, void>} */
  async *save(session) {
    for (let piece = 0, pieces = 1; piece < pieces; ) {
      const saved = this.core.save(session, piece);
      if (!saved) {
        await this.#gpuActivity();
        continue;
      }
      pieces = saved.pieces;
      piece++;
      yield saved.bytes;
      await this.#breatheSometimes();
    }
  }

  /** Ends a generation that nobody listens to any more. @param {number} session */
  #abandon(session) {
    this.core.cancel(session);
    for (let i = 0; i < MOST_EVENTS; i++) {
      if (this.core.step(session)?.kind === 'done') return this.#wake();
    }
    throw fail(STATUS.E_INTERNAL, 'a cancelled generation did not end');
  }
}
