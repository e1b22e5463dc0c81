// What runs inside the page: both engines loaded, then generations in the order A B B A (or Quern alone), timed by the
// page's clock from the request to each token's arrival.

import { random } from './random.js';

/** Another engine, loaded with the page's own import. @type {Record<string, string>} */
const PEERS = { wllama: './adapters/wllama.js', 'transformers.js': './adapters/transformers.js', 'web-llm': './adapters/webllm.js' };

/** No guesses that are verified together: random weights repeat themselves, and answers of applications less. */
const PLAIN = { speculate: false };

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
    /** @param {string} text */
    tokenize: (text) => /** @type {Promise<number[]>} */ (ask('tokenize', text)),
    /** @param {number[]} ids */
    detokenize: (ids) => /** @type {Promise<string>} */ (ask('detokenize', ids)),
    /** @param {{ ids: number[], maxTokens: number, onToken: () => void }} request */
    async generate({ ids, maxTokens, onToken }) {
      const { ids: out } = /** @type {{ ids: number[] }} */ (await ask('generate', { ids, maxTokens, options: PLAIN }, onToken));
      return { ids: out, usage: { prompt_tokens: ids.length, completion_tokens: maxTokens } };
    },
    exit: () => worker.terminate(),
  };
}

/** A prompt of n letters, different from its first letter on. @param {number} n @param {number} seed */
function letters(n, seed) {
  const next = random(seed * 2654435761 + 12345);
  return Array.from({ length: n }, () => String.fromCharCode(97 + (next() % 26))).join('');
}

/** @param {any} engine @param {{ prompt: string, ids: number[] }} request @param {number} maxTokens */
async function timed(engine, request, maxTokens) {
  /** @type {number[]} */
  const at = [];
  /** @type {number[]} */
  const told = [];
  const begun = performance.now();
  const onToken = (/** @type {number | undefined} */ id) => {
    at.push(performance.now() - begun);
    if (id !== undefined) told.push(id);
  };
  const { usage, ids = told, text = '' } = await engine.generate({ ...request, maxTokens, onToken });
  const last = at[at.length - 1];
  const promptTokens = usage?.prompt_tokens ?? request.ids.length;
  console.log(`${engine.name} ${promptTokens}+${at.length}: ${at[0].toFixed(1)} ms, then ${(last - at[0]).toFixed(1)} ms`);
  return { promptTokens, tokens: at.length, ttftMs: at[0], decodeTps: (1000 * (at.length - 1)) / (last - at[0]), prefillTps: (1000 * promptTokens) / at[0], ids, text };
}

/**
 * How many first tokens of two answers are equal, by ids, or by text where the other engine tells no ids: engines round
 * differently, but one that computes something else agrees on none. Null: it tells neither.
 * @param {any} quern @param {number[]} mine @param {{ ids: number[], text: string }} its
 */
async function agreement(quern, mine, { ids, text }) {
  let n = 0;
  if (ids.length) while (n < ids.length && ids[n] === mine[n]) n++;
  else while (n < mine.length && text.startsWith(await quern.detokenize(mine.slice(0, n + 1)))) n++;
  return ids.length || text ? n : null;
}

/**
 * `model` is Quern's (or `synthetic`), `peerModel` the other engine's, if there is a peer. Each length of prompts is warmed up
 * by itself, `warm` times; `agreed` is of the first answers to it.
 * @param {{ peer?: string, model?: string, synthetic?: string, peerModel?: string, library?: string, context: number, threads: number, gpu: boolean, features?: string[], tune?: boolean, prompts: number[], tokens: number, warm: number, rounds: number }} plan
 */
export async function compare({ peer, model, synthetic, peerModel, library, context, threads, gpu, features, tune, prompts, tokens, warm, rounds }) {
  const quern = await loadQuern({ model, synthetic, context, threads, features, tune, backend: gpu ? 'webgpu' : 'cpu', kv: gpu ? 'f16' : 'f32' });
  console.log(`quern loaded in ${quern.loadMs.toFixed(0)} ms: ${JSON.stringify({ ...quern.device, ...quern.variants })}`);
  const other = peer ? await (await import(PEERS[peer])).load({ model: peerModel, library, context, threads, gpu }) : null;
  if (other) console.log(`${other.name} loaded in ${other.loadMs.toFixed(0)} ms`);
  const order = other ? [quern, other, other, quern] : [quern, quern];
  const runs = [];
  /** @type {Record<number, number | null>} */
  const agreed = {};
  let seed = 1;
  const next = async (/** @type {number} */ n) => {
    const text = letters(n, seed++);
    // A synthetic model has no tokenizer: letters are tokens.
    return { prompt: text, ids: synthetic ? [...text].map((c) => c.charCodeAt(0)) : await quern.tokenize(text) };
  };
  for (const prompt of prompts) {
    for (let i = 0; i < warm; i++) {
      const request = await next(prompt);
      const { ids } = await timed(quern, request, tokens);
      if (!other) continue;
      const its = await timed(other, request, tokens);
      if (i === 0) agreed[prompt] = await agreement(quern, ids, its);
    }
    for (let round = 0; round < rounds; round++) {
      for (const engine of order) {
        const { ids, text, ...run } = await timed(engine, await next(prompt), tokens);
        runs.push({ engine: engine.name, prompt, round, ...run });
      }
    }
  }
  const engines = [quern, ...(other ? [other] : [])].map(({ name, version, loadMs, threads: used, variant, variants, device }) => ({ name, version, loadMs, threads: used, variant, variants, device }));
  quern.exit();
  await other?.exit();
  return { engines, runs, agreed, crossOriginIsolated, cores: navigator.hardwareConcurrency, agent: navigator.userAgent };
}
