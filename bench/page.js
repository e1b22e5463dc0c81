// What runs inside the page: both engines loaded, then generations in the order A B B A, timed by the page's
// clock from the request to each token's arrival.

/** Another engine, loaded with the page's own import. @type {Record<string, string>} */
const PEERS = { wllama: './adapters/wllama.js', 'transformers.js': './adapters/transformers.js', 'web-llm': './adapters/webllm.js' };

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
    /** @param {{ ids: number[], maxTokens: number, onToken: () => void }} request */
    async generate({ ids, maxTokens, onToken }) {
      const { ids: out } = /** @type {{ ids: number[] }} */ (await ask('generate', { ids, maxTokens }, onToken));
      return { ids: out, usage: { prompt_tokens: ids.length, completion_tokens: maxTokens } };
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
  const { usage, ids = told } = await engine.generate({ ...request, maxTokens, onToken });
  const last = at[at.length - 1];
  const promptTokens = usage?.prompt_tokens ?? request.ids.length;
  return { promptTokens, tokens: at.length, ttftMs: at[0], decodeTps: (1000 * (at.length - 1)) / (last - at[0]), prefillTps: (1000 * promptTokens) / at[0], ids };
}

/**
 * `model` is Quern's, `peerModel` the other engine's. Where the peer tells its tokens, `agreed` says how many first tokens of the
 * warm-up's answers are equal: engines round differently, but one that computes something else agrees on none.
 * @param {{ peer: string, model: string, peerModel: string, library?: string, context: number, threads: number, gpu: boolean, prompt: number, tokens: number, rounds: number }} plan
 */
export async function compare({ peer, model, peerModel, library, context, threads, gpu, prompt, tokens, rounds }) {
  const quern = await loadQuern({ model, context, threads, backend: gpu ? 'webgpu' : 'cpu', kv: gpu ? 'f16' : 'f32' });
  const other = await (await import(PEERS[peer])).load({ model: peerModel, library, context, threads, gpu });
  const runs = [];
  let seed = 1;
  const next = async () => {
    const text = letters(prompt, seed++);
    return { prompt: text, ids: await quern.tokenize(text) };
  };
  const first = await next(); // warm-up, not counted
  const [mine, its] = [(await timed(quern, first, tokens)).ids, (await timed(other, first, tokens)).ids];
  const differs = its.findIndex((id, i) => id !== mine[i]);
  for (let round = 0; round < rounds; round++) {
    for (const engine of [quern, other, other, quern]) {
      const { ids, ...run } = await timed(engine, await next(), tokens);
      runs.push({ engine: engine.name, round, ...run });
    }
  }
  const engines = [quern, other].map(({ name, version, loadMs, threads: used, variant, device }) => ({ name, version, loadMs, threads: used, variant, device }));
  quern.exit();
  await other.exit();
  return { engines, runs, agreed: its.length ? (differs < 0 ? its.length : differs) : null, crossOriginIsolated, cores: navigator.hardwareConcurrency, agent: navigator.userAgent };
}
