// A cache of 8- and 4-bit codes: how far its logits are from a float32 cache's, on fixtures and on Grist reading
// text, and that the GPU and every wasm variant keep the same codes.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import test, { after } from 'node:test';

import { bestVariant } from '../../web/variants.js';
import { ask, askFresh, closeDevices, fixture, gpuDevice, openEngine, root, skipFixtures } from './lib/models.mjs';

/** @typedef {'f32' | 'f16' | 'q8' | 'q4'} Kv */
after(closeDevices);

// A code is off by half a step: of q8 1/254 of the block's largest value, of q4 1/30 of what the block spans. Scores
// and outputs are sums of 16 and more such products, in two to three layers of random weights, whose logits are small
// sums of large terms. Measured worst over the models below: f16 6.8e-4, q8 1.4e-2, q4 2.3e-1 of the largest |logit|.
/** @type {Record<string, number>} */
const LIMITS = { f16: 2e-3, q8: 2e-2, q4: 0.3 };
// With the same codes backends differ by rounding only (measured: 6e-7). A value between two codes may fall to either;
// one such value of one key moves logits by less than this.
const SAME = { q8: 3e-4, q4: 3e-3 };
const MODELS = ['lm/qwen2', 'lm/llama3', 'lm/smollm', 'lm/gemma3', 'lm/phi3', 'mlc/qwen2_q4f16_1'];

/** The largest difference, of the largest |value|. @param {ArrayLike<number>} a @param {ArrayLike<number>} b */
function distance(a, b) {
  let [most, peak] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    most = Math.max(most, Math.abs(a[i] - b[i]));
    peak = Math.max(peak, Math.abs(b[i]));
  }
  return most / peak;
}

test('logits of fixtures', { skip: skipFixtures }, async (t) => {
  for (const name of MODELS) {
    for (const kv of /** @type {Kv[]} */ (['f16', 'q8', 'q4'])) {
      const engine = await openEngine(fixture(name).path, { kv });
      let worst = 0;
      for (const s of fixture(name).sequences) {
        const { logits } = await askFresh(engine, s.ids, { logits: true });
        worst = Math.max(worst, distance(logits[0], s.logits_last));
      }
      engine.close();
      t.diagnostic(`${name} ${kv}: ${worst.toExponential(1)}`);
      assert.ok(worst < LIMITS[kv], `${name}, ${kv}: logits are off by ${worst}`);
      if (kv !== 'f16') assert.ok(worst > 1e-6, `${name}: ${kv} is in use`);
    }
  }
});

test('variants and the GPU keep the same codes', { skip: skipFixtures }, async (t) => {
  const name = 'lm/llama3'; // float32 weights, which all of them multiply alike
  const ids = fixture(name).sequences[2].ids;
  for (const kv of /** @type {('q8' | 'q4')[]} */ (['q8', 'q4'])) {
    /** @type {Float32Array | undefined} */
    let want;
    const variants = ['scalar', 'simd', ...(bestVariant() === 'relaxed' ? ['relaxed'] : [])];
    for (const variant of [...variants, 'gpu']) {
      let options = /** @type {Parameters<typeof openEngine>[1]} */ ({ kv, chunk: 16, variant });
      if (variant === 'gpu') {
        const gpu = await gpuDevice([]).catch(() => null);
        if (!gpu) continue;
        options = { kv, chunk: 16, gpu };
      }
      const engine = await openEngine(fixture(name).path, options);
      const session = engine.core.createSession();
      // A prompt, an answer token by token, and what follows from the cache of both.
      const first = await ask(engine, session, ids, { maxTokens: 6 });
      const { logits, done } = await ask(engine, session, [...ids, ...first.ids, 5, 6], { logits: true });
      assert.equal(done.reusedTokens, ids.length + first.ids.length - 1, 'the cache is used again');
      engine.close();
      want ??= logits[0];
      const error = distance(logits[0], want);
      t.diagnostic(`${kv} ${variant}: ${error.toExponential(1)}`);
      assert.ok(error < SAME[kv], `${kv} on ${variant}: logits differ by ${error}`);
    }
  }
});

test('Grist reads text as with a float32 cache', async (t) => {
  const text = 'Once upon a time there was a little girl who lived near the sea. Every morning she walked down to the harbour to watch the boats come in. '
    + 'One day an old sailor gave her a small brass key and told her never to lose it. She asked him what the key would open, but he only smiled and said that she would know when the time came. '
    + 'Years went by. The girl grew up, left the town, and forgot about the key until the winter in which the lighthouse went dark.';
  /** @type {number[]} */
  let want = [];
  // Of 105 places; measured: f16 all, q8 98.1 %, q4 86.7 %. docs/formats.md has longer texts.
  const least = /** @type {Record<Kv, number>} */ ({ f32: 1, f16: 0.98, q8: 0.95, q4: 0.75 });
  for (const kv of /** @type {Kv[]} */ (['f32', 'f16', 'q8', 'q4'])) {
    const engine = await openEngine(join(root, 'models', 'grist'), { kv, context: 256 });
    const { argmax } = await askFresh(engine, [...engine.core.tokenize(text)], { argmaxAll: true });
    engine.close();
    if (kv === 'f32') want = argmax;
    const same = argmax.filter((id, i) => id === want[i]).length / want.length;
    t.diagnostic(`${kv}: ${(100 * same).toFixed(1)} % of ${want.length}`);
    assert.ok(same >= least[kv], `${kv}: the same first choice at ${same} of the places`);
  }
});
