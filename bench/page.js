// What runs inside the page: both engines loaded, then generations in the order A B B A, timed by the page's
// clock from the request to each token's arrival.

import { load as loadWllama } from './adapters/wllama.js';

/** Quern behind a worker, with the peer's interface. @param {Record<string, unknown>} options */
async function loadQuern(options) {
  const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
  let next = 0;
  /** @type {Map<number, { resolve: (v: any) => void, reject: (e: Error) => void, onToken?: () => void }>} */
  const open = new Map();
  worker.onmessage = ({ data: { id, token, result, error } }) => {
    const call = open.get(id);
    if (!call) return;
    if (token) return call.onToken?.();
    open.delete(id);
    if (error) call.reject(new Error(error));
    else call.resolve(result);
  };
  const ask = (/** @type {string} */ call, /** @type {unknown} */ args, /** @type {(() => void) | undefined} */ onToken) =>
    new Promise((resolve, reject) => {
      open.set(next, { resolve, reject, onToken });
      worker.postMessage({ id: next++, call, args });
    });
  const info = /** @type {any} */ (await ask('load', options));
  return {
    name: 'quern',
    ...info,
    /** @param {{ prompt: string, maxTokens: number, onToken: () => void }} request */
    async generate({ prompt, maxTokens, onToken }) {
      const ids = /** @type {number[]} */ (await ask('tokenize', prompt));
      await ask('generate', { ids, maxTokens }, onToken);
      return { usage: { prompt_tokens: ids.length, completion_tokens: maxTokens } };
    },
    exit: () => worker.terminate(),
  };
}

/** A prompt of n letters, different from its first letter on. @param {number} n @param {number} seed */
function letters(n, seed) {
  let x = (seed * 2654435761 + 12345) >>> 0;
  return Array.from({ length: n }, () => {
    x ^= x << 13;
    x >>>= 0;
    x ^= x >>> 17;
    x ^= x << 5;
    x >>>= 0;
    return String.fromCharCode(97 + (x % 26));
  }).join('');
}

/** @param {any} engine @param {string} prompt @param {number} maxTokens */
async function timed(engine, prompt, maxTokens) {
  /** @type {number[]} */
  const at = [];
  const begun = performance.now();
  const { usage } = await engine.generate({ prompt, maxTokens, onToken: () => at.push(performance.now() - begun) });
  const last = at[at.length - 1];
  return { promptTokens: usage?.prompt_tokens ?? prompt.length, tokens: at.length, ttftMs: at[0], decodeTps: (1000 * (at.length - 1)) / (last - at[0]), prefillTps: (1000 * (usage?.prompt_tokens ?? prompt.length)) / at[0] };
}

/**
 * @param {{ model: string, context: number, threads: number, gpu: boolean, prompt: number, tokens: number, rounds: number }} plan
 */
export async function compare({ model, context, threads, gpu, prompt, tokens, rounds }) {
  const quern = await loadQuern({ model, context, threads, backend: gpu ? 'webgpu' : 'cpu', kv: gpu ? 'f16' : 'f32' });
  const wllama = await loadWllama({ model, context, threads, gpu });
  const runs = [];
  let seed = 1;
  for (const engine of [quern, wllama]) await timed(engine, letters(prompt, seed++), tokens); // warm-up, not counted
  for (let round = 0; round < rounds; round++) {
    for (const engine of [quern, wllama, wllama, quern]) {
      runs.push({ engine: engine.name, round, ...(await timed(engine, letters(prompt, seed++), tokens)) });
    }
  }
  const engines = [quern, wllama].map(({ name, loadMs, threads: used, variant, device }) => ({ name, loadMs, threads: used, variant, device }));
  quern.exit();
  await wllama.exit();
  return { engines, runs, crossOriginIsolated, cores: navigator.hardwareConcurrency, agent: navigator.userAgent };
}
