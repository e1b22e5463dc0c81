// The kernels that choose tokens against their references in C, as kernels.test.mjs does the others.

import assert from 'node:assert/strict';
import test from 'node:test';

import { KERNELS, bytesOf, params, random } from './kernel_bench.mjs';
import { check, devices, none, options, output, reference, samplingParams, step, vocabParams } from './kernel_check.mjs';

test('argmax: ties, NaN, infinities, rows', options, async () => {
  for (const vocab of [1, 5, 4096, 4097, 9000]) {
    for (const r of [1, 3]) {
      const rng = random(vocab + r);
      const logits = rng.floats(r * vocab, 5);
      if (vocab > 4) logits.set([NaN, Infinity, -Infinity, Infinity, -0], vocab * (r - 1));
      if (vocab > 8000) logits.fill(7777, 4500, 4510).fill(7777, 8000, 8003);
      for (const less of [0, 1]) { // values at the end of a row that are no token's
        const p = vocabParams({ vocab: vocab > less ? vocab - less : vocab, stride: vocab });
        const partial = new Uint32Array(r * p[1] * 2 + 4);
        const bindings = [p, step(0, r + 2, r), samplingParams({}), logits, none, partial];
        await check('ARGMAX_PARTIAL', { bindings, grid: reference.grid(KERNELS.ARGMAX_PARTIAL, p, r), label: `vocab ${vocab}` });
        const done = bindings.map(bytesOf);
        reference.run(KERNELS.ARGMAX_PARTIAL, done, {}, reference.grid(KERNELS.ARGMAX_PARTIAL, p, r));
        await check('ARGMAX_FINAL', { bindings: [p, step(0, r, r), done[5], output(r)], grid: reference.grid(KERNELS.ARGMAX_FINAL, p, r), label: `vocab ${vocab}` });
      }
    }
  }
  const zeros = Float32Array.of(-1, -0, 0, -2);
  const p = vocabParams({ vocab: 4 });
  const bindings = [p, step(0, 1), samplingParams({}), zeros, none, new Uint32Array(6)];
  reference.run(KERNELS.ARGMAX_PARTIAL, bindings.map(bytesOf), {}, [1, 1, 1]);
  await check('ARGMAX_PARTIAL', { bindings, grid: [1, 1, 1], label: 'zeros' });
});

test('sample_prepare', options, async () => {
  const vocab = 1003;
  const rng = random(9);
  const logits = rng.floats(2 * vocab, 6);
  logits.set([NaN, Infinity, -Infinity], vocab);
  const seen = Uint32Array.from({ length: vocab }, () => [0, 0, 0x80000000, 3, 0x80000001][rng.below(5)]);
  const bias = rng.floats(vocab, 2);
  const mask = Uint32Array.from({ length: Math.ceil(vocab / 32) }, rng.u32);
  const p = vocabParams({ vocab });
  for (const values of [{}, { temperature: 0.7, has_bias: 1 }, { has_seen: 1, repetition: 1.3, frequency: 0.5, presence: 0.25, temperature: 2 }, { has_mask: 1, has_seen: 1, has_bias: 1, repetition: 0.9, temperature: 0.01 }]) {
    await check('SAMPLE_PREPARE', {
      bindings: [p, step(4, 5, 1), samplingParams(values), logits.subarray(vocab), seen, bias, mask, output(vocab)],
      grid: reference.grid(KERNELS.SAMPLE_PREPARE, p, 1), tolerance: 1e-6, label: JSON.stringify(values),
    });
  }
});

test('sample_threshold: top-k, top-p, min-p', options, async () => {
  for (const [vocab, spread] of [[3, 1], [257, 3], [5000, 2], [152064, 4], [40000, 0.01]]) {
    const rng = random(vocab);
    const z = rng.floats(vocab, spread);
    if (vocab === 5000) z.fill(z[17], 100, 140); // ties
    if (vocab === 257) z.fill(-3.4e38, 0, 200); // masked
    const p = vocabParams({ vocab });
    for (const values of [{ top_k: 1 }, { top_k: 2 }, { top_k: 40 }, { top_k: 300 }, { top_k: vocab }, { top_p: 0.9 }, { top_p: 0.05 }, { top_p: 0.999 }, { top_k: 40, top_p: 0.8 }, { top_k: 2000, top_p: 0.5 }, { ln_min_p: Math.log(0.05) }, { top_k: 50, top_p: 0.95, ln_min_p: Math.log(0.1) }]) {
      const bindings = [p, step(3, 1), samplingParams({ draw: 2, ...values }), z, new Uint32Array(8)];
      const want = bindings.map(bytesOf);
      reference.run(KERNELS.SAMPLE_THRESHOLD, want, {}, [1, 1, 1]);
      const wanted = new Uint32Array(want[4].buffer)[0];
      for (const { suffix, bench } of devices.filter((d) => d.suffix === '')) {
        const got = bindings.map(bytesOf);
        await bench.run(KERNELS.SAMPLE_THRESHOLD, suffix, got, {}, [1, 1, 1]);
        const threshold = new Uint32Array(got[4].buffer)[0];
        // With top-k alone the key is exact. With masses, exp differs in its last bits: at most a token at the
        // very border may.
        const [low, high] = [Math.min(threshold, wanted), Math.max(threshold, wanted)];
        const between = z.reduce((n, v) => n + (keyOf(v) >= low && keyOf(v) < high ? 1 : 0), 0);
        assert.ok(between <= ('top_p' in values ? Math.ceil(vocab / 20000) : 0), `vocab ${vocab}, ${JSON.stringify(values)}: ${between} ids between ${threshold} and ${wanted}`);
        if ('top_k' in values && !('top_p' in values) && !('ln_min_p' in values)) assert.equal(threshold, wanted);
      }
    }
  }
});

/** @param {number} value */
function keyOf(value) {
  const u = new Uint32Array(Float32Array.of(value === 0 ? 0 : value).buffer)[0];
  return u >>> 31 ? ~u >>> 0 : (u | 0x80000000) >>> 0;
}

test('draws: the same ids as in C, for many seeds and positions', options, async () => {
  const vocab = 5000;
  let same = 0;
  let drawn = 0;
  for (let i = 0; i < 12; i++) {
    const rng = random(i + 77);
    const z = rng.floats(vocab, 2);
    const p = vocabParams({ vocab });
    const state = new Uint32Array(8).fill(keyOf(i % 2 ? 1 : -1e30));
    const bindings = [p, step(i * 131, 3, 1), samplingParams({ key: rng.u32(), draw: i % 3 ? 2 : 1 }), z, state, new Uint32Array(p[1] * 2)];
    const want = bindings.map(bytesOf);
    reference.run(KERNELS.ARGMAX_PARTIAL, want, { GUMBEL: 1 }, [p[1], 1, 1]);
    for (const { suffix, bench } of devices.filter((d) => d.suffix === '')) {
      const got = bindings.map(bytesOf);
      await bench.run(KERNELS.ARGMAX_PARTIAL, suffix, got, { GUMBEL: 1 }, [p[1], 1, 1]);
      const [w, g] = [want[5], got[5]].map((b) => new Uint32Array(b.buffer));
      for (let c = 0; c < p[1]; c++) {
        drawn++;
        same += w[2 * c + 1] === g[2 * c + 1] ? 1 : 0;
        assert.ok(Math.abs(w[2 * c] - g[2 * c]) < 16, `chunk ${c}: key ${g[2 * c]}, not ${w[2 * c]}`);
      }
    }
  }
  assert.equal(same, drawn);
});

test('sample_finish and seen_mark', options, async () => {
  for (const [pos, n] of [[5, 3], [98, 1], [0, 40]]) {
    const p = vocabParams({ vocab: 300_000 });
    const rng = random(pos + 1);
    const partial = Uint32Array.from({ length: p[1] * 2 }, (_, i) => (i % 2 ? (i >> 1) * 4096 + 5 : rng.below(20)));
    await check('SAMPLE_FINISH', { bindings: [p, partial, step(pos, n, 1), output(4), output(4), new Uint32Array(300_000).fill(3)], grid: [1, 1, 1], label: `pos ${pos}` });
    await check('SAMPLE_FINISH', { bindings: [p, partial, step(pos, n, 1), output(4), output(4), new Uint32Array(4).fill(3)], grid: [1, 1, 1], label: 'no counts' });
  }
  const ids = Uint32Array.from({ length: 130 }, (_, i) => (i * 37) % 90);
  const p = params('seen_mark', { n: 130, vocab: 80, begin: 160 });
  await check('SEEN_MARK', { bindings: [p, ids, new Uint32Array(240).fill(1)], grid: reference.grid(KERNELS.SEEN_MARK, p, 130) });
});
