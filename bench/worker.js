// Quern in a worker of its own, as applications run it (and where threads may wait), driven by messages:
// { id, call: 'load' | 'tokenize' | 'detokenize' | 'generate', args } → { id, token } …, { id, result } or { id, error }.

import { load } from './adapters/quern.js';

/** @type {Awaited<ReturnType<typeof load>> | undefined} */
let engine;

/** @type {Record<string, (args: any, tell: () => void) => unknown>} */
const calls = {
  async load(options) {
    engine = await load(options);
    return { loadMs: engine.loadMs, threads: engine.threads, variant: engine.variant, variants: engine.core.info().variants, device: engine.device };
  },
  tokenize: (text) => engine?.tokenize(text),
  detokenize: (ids) => engine?.core.detokenize(ids),
  generate: async (request, tell) => ({ ids: await engine?.generate({ ...request, onToken: tell }) }),
  memory: () => engine?.memory(),
};

addEventListener('message', async ({ data: { id, call, args } }) => {
  try {
    postMessage({ id, result: await calls[call](args, () => postMessage({ id, token: true })) });
  } catch (error) {
    postMessage({ id, error: String(error) });
  }
});
