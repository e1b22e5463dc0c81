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
 * Requests of n sessions at once: tokens of all of them per second, while all of them decode.
 * @param {any} m @param {number[]} sessions @param {number} vocab @param {number} run @param {number} n @param {number} tokens
 */
async function together(m, sessions, vocab, run, n, tokens) {
  const times = sessions.map(() => /** @type {number[]} */ ([]));
  for (const [i, session] of sessions.entries()) {
    m.core.start(session, Array.from({ length: n }, (_, k) => ((run + i) * 7919 + k * 104729 + 13) % vocab), { maxTokens: tokens });
  }
  await Promise.all(sessions.map(async (session, i) => {
    for await (const e of m.runner.events(session)) if (e.kind === 'token') times[i].push(performance.now());
  }));
  const begin = Math.max(...times.map((t) => t[0]));
  const end = Math.min(...times.map((t) => t[t.length - 1]));
  const count = times.flat().filter((t) => t > begin && t <= end).length;
  return end > begin ? (1000 * count) / (end - begin) : 0;
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
  const many = o['--sessions'] ?? 1;
  const m = await open({ ...o, '--context': o['--context'] ?? Math.max(pp, depth + 1, 32) + tg + 8 }, 'weights');
  try {
    const sessions = Array.from({ length: Math.max(many, 1) }, () => m.core.createSession());
    const [session] = sessions;
    const { vocab } = m.core.sizes();
    const all = [];
    const prefill = [];
    const decode = [];
    const ttft = [];
    for (let i = -1; i < repeats; i++) {
      // The first round warms up and is not counted.
      const a = await once(m, session, vocab, 3 * i + 4, pp, 1);
      const b = await once(m, session, vocab, 3 * i + 5, depth || 1, tg);
      const c = await once(m, session, vocab, 3 * i + 6, 32, 1);
      const d = many > 1 ? await together(m, sessions, vocab, 3 * repeats + 10 + i * many, depth || 1, tg) : 0;
      if (i < 0) continue;
      all.push(d);
      prefill.push(a.prefill);
      decode.push(b.decode);
      ttft.push(c.ttft);
    }
    const { memory } = m.core.info();
    print({
      pp: { n: pp, tps: spread(prefill) },
      tg: { n: tg, tps: spread(decode) },
      ...(many > 1 && { tg_sessions: { n: tg, tps: spread(all) }, sessions: many, times_one: spread(all).median / spread(decode).median }),
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
