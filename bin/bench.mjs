// `quern bench`: prompt processing and token generation as llama-bench counts them.

/** @param {number[]} values */
const spread = (values) => {
  const s = [...values].sort((a, b) => a - b);
  const median = s.length % 2 ? s[s.length >> 1] : (s[s.length / 2 - 1] + s[s.length / 2]) / 2;
  return { median, min: s[0], max: s[s.length - 1] };
};

/**
 * One request; its prompt differs in every run, so that nothing is reused.
 * @param {any} m @param {number} session @param {number} vocab @param {number} run @param {number} n @param {number} tokens
 */
async function once(m, session, vocab, run, n, tokens) {
  const ids = Array.from({ length: n }, (_, i) => (run * 7919 + i * 104729 + 13) % vocab);
  const start = performance.now();
  let first = 0;
  let last = 0;
  m.core.start(session, ids, { maxTokens: tokens });
  for await (const e of m.runner.events(session)) {
    if (e.kind !== 'token') continue;
    last = performance.now();
    first ||= last;
  }
  return { prefill: (1000 * n) / (first - start), ttft: first - start, decode: tokens > 1 ? (1000 * (tokens - 1)) / (last - first) : 0 };
}

/**
 * @param {Record<string, any>} o
 * @param {(o: any, need: 'weights') => Promise<any>} open
 * @param {(value: unknown) => void} print
 */
export async function bench(o, open, print) {
  const pp = Number(o['-p'] ?? 512);
  const tg = o['-n'] ?? 128;
  const depth = o['-d'] ?? 0;
  const repeats = o['-r'] ?? 5;
  const m = await open({ ...o, '--context': o['--context'] ?? Math.max(pp, depth + 1, 32) + tg + 8 }, 'weights');
  try {
    const session = m.core.createSession();
    const { vocab } = m.core.sizes();
    const prefill = [];
    const decode = [];
    const ttft = [];
    for (let i = -1; i < repeats; i++) {
      // The first round warms up and is not counted.
      const a = await once(m, session, vocab, 3 * i + 4, pp, 1);
      const b = await once(m, session, vocab, 3 * i + 5, depth || 1, tg);
      const c = await once(m, session, vocab, 3 * i + 6, 32, 1);
      if (i < 0) continue;
      prefill.push(a.prefill);
      decode.push(b.decode);
      ttft.push(c.ttft);
    }
    const { memory } = m.core.info();
    print({
      pp: { n: pp, tps: spread(prefill) },
      tg: { n: tg, tps: spread(decode) },
      ttft32_ms: spread(ttft),
      depth,
      load_ms: Math.round(m.loadMs),
      bytes_per_token: memory.weight_bytes,
      wasm_memory_bytes: m.core.memory.buffer.byteLength,
      device: m.gpu ? { backend: 'webgpu', ...m.gpu.info } : { backend: 'cpu', threads: 1 },
    });
  } finally {
    m.close();
  }
}
