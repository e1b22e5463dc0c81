// One engine behind numbered calls: takes them, answers, streams, aborts. A worker serves its page
// this way; where no worker can be started (inside a service worker), the same thread serves itself.

import { Host } from './host.js';
import { fail, serializeError, STATUS } from './errors.js';

/** @typedef {{ signal: AbortSignal, tell: (event: unknown) => void }} Context */

/**
 * @param {(message: unknown) => void} post to the caller
 * @returns {(message: any) => void} takes the caller's messages
 */
export function serve(post) {
  const host = new Host();
  let requests = 0; // that this thread made over the network or the browser's caches
  new PerformanceObserver((list) => (requests += list.getEntries().length)).observe({ type: 'resource', buffered: true });
  /** @type {Map<number, AbortController>} */
  const running = new Map();

  /** @type {Record<string, (context: Context, ...args: any[]) => unknown>} */
  const methods = {
    load: ({ signal, tell }, options) => host.load(options, tell, signal),
    chat: ({ signal, tell }, request) => host.ask('chat', request, tell, signal),
    completion: ({ signal, tell }, request) => host.ask('completion', request, tell, signal),
    embedding: ({ signal, tell }, request) => host.ask('embedding', request, tell, signal),
    tokenize: (_, text) => [...host.core().tokenize(text)],
    detokenize: (_, ids, options) => host.core().detokenize(ids, options),
    isEnd: (_, id) => host.core().token(id).eos,
    logits: ({ signal }, ids) => host.steps().logits(ids, signal),
    promptTokens: ({ signal }, request) => host.steps().promptTokens(request, signal),
    saveSession: ({ signal }, name, request) => host.snapshots().save(name, request, signal),
    restoreSession: ({ signal }, name) => host.snapshots().restore(name, signal),
    removeSession: (_, name) => host.snapshots().remove(name),
    memory: () => host.memory(),
    // Entries are delivered in tasks of their own: let those that wait come first.
    requests: () => new Promise((resolve) => setTimeout(() => resolve(requests), 20)),
  };

  /** @param {{ id: number, method: string, args: unknown[] }} call */
  async function answer({ id, method, args }) {
    const controller = new AbortController();
    running.set(id, controller);
    const context = { signal: controller.signal, tell: (/** @type {unknown} */ event) => post({ id, event }) };
    try {
      if (!Object.hasOwn(methods, method)) throw fail(STATUS.E_ARGUMENT, `the worker has no method ${method}`);
      post({ id, result: await methods[method](context, ...args) });
    } catch (error) {
      post({ id, error: serializeError(error) });
    } finally {
      running.delete(id);
    }
  }

  return (message) => {
    if (message?.abort) running.get(message.id)?.abort();
    else if (typeof message?.id === 'number') answer(message);
  };
}

/** A worker's place taken by this thread. @returns {Pick<Worker, 'postMessage' | 'addEventListener' | 'terminate'>} */
export function localWorker() {
  const port = new EventTarget();
  let ended = false;
  const take = serve((data) => ended || port.dispatchEvent(new MessageEvent('message', { data })));
  return {
    addEventListener: port.addEventListener.bind(port),
    // As a message would, it arrives later, and is the receiver's own copy.
    postMessage: (/** @type {unknown} */ message) => {
      const copy = structuredClone(message);
      queueMicrotask(() => ended || take(copy));
    },
    terminate: () => (ended = true),
  };
}
