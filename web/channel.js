// Calls across a worker: numbered requests, answers, events and aborts. Errors keep their class.

import { deserializeError, fail, STATUS } from './errors.js';

/**
 * @typedef {object} CallOptions
 * @property {AbortSignal} [signal]
 * @property {(event: any) => void} [onEvent] what the call tells before it ends
 */

/** @typedef {{ resolve: (value: unknown) => void, reject: (error: unknown) => void, onEvent?: (event: any) => void }} Pending */

export class Channel {
  /** @type {Map<number, Pending>} */
  #pending = new Map();
  #next = 1;
  #port;
  /** @type {unknown} why nothing is answered any more */
  #dead = null;

  /** @param {Pick<Worker, 'postMessage' | 'addEventListener'>} port */
  constructor(port) {
    this.#port = port;
    port.addEventListener('message', (/** @type {any} */ e) => this.#take(e.data));
    port.addEventListener('error', (/** @type {any} */ e) => this.#die(fail(STATUS.E_INTERNAL, `the worker failed: ${e.message ?? 'it could not be loaded'}`)));
    port.addEventListener('messageerror', () => this.#failAll(fail(STATUS.E_INTERNAL, 'a message to the worker could not be read')));
  }

  /** @param {any} data */
  #take(data) {
    const call = this.#pending.get(data?.id);
    if (!call) return;
    if ('event' in data) {
      call.onEvent?.(data.event);
      return;
    }
    this.#pending.delete(data.id);
    if ('error' in data) call.reject(deserializeError(data.error));
    else call.resolve(data.result);
  }

  /** So is what comes later. @param {unknown} error */
  #die(error) {
    this.#dead ??= error;
    this.#failAll(error);
  }

  /** What is pending is rejected. @param {unknown} error */
  #failAll(error) {
    const calls = [...this.#pending.values()];
    this.#pending.clear();
    for (const call of calls) call.reject(error);
  }

  /**
   * @param {string} method @param {unknown[]} args @param {CallOptions} [options]
   * @returns {Promise<unknown>} rejects with the worker's error, or an AbortError
   */
  call(method, args, { signal, onEvent } = {}) {
    if (signal?.aborted) return Promise.reject(new DOMException('the operation was aborted', 'AbortError'));
    if (this.#dead) return Promise.reject(this.#dead);
    const id = this.#next++;
    const abort = () => this.#port.postMessage({ id, abort: true });
    signal?.addEventListener('abort', abort, { once: true });
    return new Promise((resolve, reject) => {
      this.#port.postMessage({ id, method, args }); // throws where the arguments cannot be copied
      this.#pending.set(id, { resolve, reject, onEvent });
    }).finally(() => signal?.removeEventListener('abort', abort));
  }

  close() {
    this.#die(fail(STATUS.E_CANCELLED, 'the engine was disposed of'));
  }
}
