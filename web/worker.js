// The worker that holds an engine: takes numbered calls (web/channel.js), answers, streams, aborts.

import { Host } from './host.js';
import { fail, serializeError, STATUS } from './errors.js';

const host = new Host();

let requests = 0; // that this worker made over the network or the browser's caches
new PerformanceObserver((list) => (requests += list.getEntries().length)).observe({ type: 'resource', buffered: true });
/** @type {Map<number, AbortController>} */
const running = new Map();

/** @typedef {{ signal: AbortSignal, tell: (event: unknown) => void }} Context */
/** @type {Record<string, (context: Context, ...args: any[]) => unknown>} */
const methods = {
  load: ({ signal, tell }, options) => host.load(options, tell, signal),
  chat: ({ signal, tell }, request) => host.chat(request, tell, signal),
  tokenize: (_, text) => [...host.core().tokenize(text)],
  detokenize: (_, ids) => host.core().detokenize(ids),
  memory: () => host.memory(),
  // Entries are delivered in tasks of their own: let those that wait come first.
  requests: () => new Promise((resolve) => setTimeout(() => resolve(requests), 20)),
};

/** @param {{ id: number, method: string, args: unknown[] }} call */
async function answer({ id, method, args }) {
  const controller = new AbortController();
  running.set(id, controller);
  const context = { signal: controller.signal, tell: (/** @type {unknown} */ event) => postMessage({ id, event }) };
  try {
    if (!Object.hasOwn(methods, method)) throw fail(STATUS.E_ARGUMENT, `the worker has no method ${method}`);
    postMessage({ id, result: await methods[method](context, ...args) });
  } catch (error) {
    postMessage({ id, error: serializeError(error) });
  } finally {
    running.delete(id);
  }
}

addEventListener('message', (/** @type {MessageEvent} */ { data }) => {
  if (data?.abort) running.get(data.id)?.abort();
  else if (typeof data?.id === 'number') answer(data);
});
