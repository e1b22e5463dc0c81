// The whole engine, as JavaScript drives it, against reference outputs: wasm on the CPU in each variant,
// WebGPU (Dawn) on the smallest conforming device and with every feature that the adapter has.
//
// Nearly all of the time goes into pipelines on a software adapter: about 3 s of processor time for
// each specialisation of the matrix kernels, and four of them for every weight format.

import assert from 'node:assert/strict';
import test, { after } from 'node:test';

import { QuernError } from '../../web/errors.js';
import { FEATURES } from '../../web/gpu/device.js';
import { TapePlayer } from '../../web/gpu/player.js';
import { bestVariant } from '../../web/variants.js';
import { ask, askFresh, closeDevices, finish, fixture, gpuDevice, openEngine, skipFixtures } from './lib/models.mjs';

/** @typedef {import('./lib/models.mjs').Engine} Engine */
/** @typedef {import('./lib/models.mjs').Sequence} Sequence */

const F32_TOLERANCE = 1e-4; // of max |logit|: fixtures/README.md
// A float16 key or value is off by up to 2^-11 = 4.9e-4 of itself. Scores and outputs are sums of such
// products whose errors mostly cancel, but two to three layers add theirs: 2e-3 of max |logit|.
const F16_KV_TOLERANCE = 2e-3;
// matvec_dot rounds what a quantised weight multiplies to 16 bits: 2^-17 of the largest of 32, in every product.
const DOT_TOLERANCE = 3e-4;
const EVERY = [...FEATURES, 'packed-dot']; // software adapters are not given packed-dot unless it is asked for

const CPU_MODELS = [
  ...['qwen2', 'qwen2_untied', 'llama3', 'smollm'].map((n) => `lm/${n}`),
  ...['qwen2_q0f16', 'qwen2_q4f16_1', 'qwen2_q4f32_1', 'qwen2_untied_q4f16_1', 'qwen2_untied_q4f16_2', 'qwen2_untied_q4f32_1'].map((n) => `mlc/${n}`),
  ...['llama_q0f32', 'llama_q4f16_1', 'llama_q4f32_1'].map((n) => `mlc/${n}`),
  ...['qwen2_F32', 'qwen2_F16', 'qwen2_BF16', 'qwen2_Q4_0', 'qwen2_Q8_0', 'llama_Q4_0', 'llama_Q8_0'].map((n) => `gguf/${n}`),
];
// Weight types that kernels know, both rope layouts, with and without biases.
const GPU_MODELS = ['lm/llama3', 'mlc/qwen2_q4f16_1', 'gguf/llama_Q4_0', 'gguf/llama_Q8_0', 'gguf/qwen2_F16'];
const REAL_GPU_MODELS = CPU_MODELS; // where compiling is quick
const MAIN = 'mlc/qwen2_q4f16_1'; // also for everything that is not numbers

const relaxed = bestVariant() === 'relaxed';
const VARIANTS = /** @type {const} */ (['scalar', 'simd', 'relaxed']);

/** @param {Engine} engine @param {string} name @param {number} tolerance */
async function checkModel(engine, name, tolerance) {
  const { sequences, vocab } = fixture(name);
  assert.equal(engine.core.sizes().vocab, vocab, `${name}: vocabulary`);
  assert.deepEqual(sequences.map((s) => s.ids.length), [1, 7, 33]);
  for (const sequence of sequences) {
    const what = `${name}, ${sequence.ids.length} tokens`;
    const limit = tolerance * sequence.max_abs_logit;
    const { logits, argmax } = await askFresh(engine, sequence.ids, { logits: true, argmaxAll: true });
    assert.equal(logits.length, 1, what);
    checkLogits(logits[0], sequence, limit, what);
    assert.equal(argmax.length, sequence.ids.length, what);
    for (const [i, id] of argmax.entries()) {
      if (sequence.argmax_margin[i] > limit) assert.equal(id, sequence.argmax[i], `${what}: arg-max at position ${i}`);
    }
    assert.ok(sequence.greedy_min_margin > limit, `${what}: the fixture has no near-ties at this tolerance`);
    const { ids, done } = await askFresh(engine, sequence.ids, { maxTokens: 24 });
    assert.deepEqual(ids, sequence.greedy, `${what}: greedy ids`);
    assert.equal(done.finish, 'length');
    assert.equal(done.completionTokens, 24);
  }
}

/** @param {Float32Array} logits @param {Sequence} sequence @param {number} limit @param {string} what */
function checkLogits(logits, sequence, limit, what) {
  assert.equal(logits.length, sequence.logits_last.length, what);
  let worst = 0;
  for (let i = 0; i < logits.length; i++) {
    const gap = Math.abs(logits[i] - sequence.logits_last[i]);
    assert.ok(gap <= limit, `${what}: logit ${i} is ${logits[i]}, not ${sequence.logits_last[i]} (allowed ${limit})`);
    worst = Math.max(worst, gap);
  }
  assert.ok(Number.isFinite(worst), what);
}

/** Every way to sample, and all at once. @type {Record<string, Record<string, number>>} */
const SAMPLINGS = {
  temperature: { temperature: 1, seed: 1 },
  hot: { temperature: 2.5, seed: 2 ** 40 + 7 },
  topK: { temperature: 1.5, topK: 5, seed: 3 },
  topP: { temperature: 1.5, topP: 0.7, seed: 4 },
  minP: { temperature: 2, minP: 0.1, seed: 5 },
  repetition: { temperature: 0.9, repetitionPenalty: 1.3, seed: 6 },
  openai: { temperature: 1.1, frequencyPenalty: 0.6, presencePenalty: 0.4, seed: 7 },
  greedyPenalised: { temperature: 0, repetitionPenalty: 1.5, frequencyPenalty: 0.3, presencePenalty: 0.2 },
  all: { temperature: 1.3, topK: 40, topP: 0.9, minP: 0.02, repetitionPenalty: 1.1, frequencyPenalty: 0.2, presencePenalty: 0.1, seed: 8 },
};
const PROMPT = [17, 3, 250, 99, 4];

/** @param {Engine} engine */
async function sampleAll(engine) {
  /** @type {Record<string, number[]>} */
  const answers = {};
  for (const [name, sampling] of Object.entries(SAMPLINGS)) {
    answers[name] = (await askFresh(engine, PROMPT, { ...sampling, maxTokens: 20 })).ids;
  }
  const session = engine.core.createSession();
  const say = async (/** @type {Record<string, unknown>} */ rest) => {
    engine.core.startChat(session, { messages: [{ role: 'user', content: 'hello' }], max_tokens: 16, seed: 9, temperature: 1, top_p: 1, repetition_penalty: 1, ...rest });
    return (await finish(engine, session)).ids;
  };
  answers.unbiased = await say({});
  answers.biased = await say({ logit_bias: { 41: 12, 42: 12, [answers.unbiased[0]]: -100 } });
  engine.core.destroySession(session);
  return answers;
}

/** @param {Record<string, number[]>} a */
function checkSamples(a) {
  assert.notDeepEqual(a.temperature, a.topK, 'seeds and filters change the draw');
  assert.ok(new Set(a.hot).size > 6, 'a hot draw visits many tokens');
  assert.ok(!a.biased.includes(a.unbiased[0]), 'a bias of -100 forbids a token');
  assert.ok(a.biased.filter((id) => id === 41 || id === 42).length >= 8, 'a bias of 12 favours its tokens');
}

/** What the session keeps must not show in what it answers. @param {Engine} engine */
async function checkReuse(engine) {
  const { ids, greedy } = fixture(MAIN).sequences[2]; // 33 tokens, 24 new ones
  const session = engine.core.createSession();
  const both = async (/** @type {number[]} */ prefix, /** @type {number} */ reused, /** @type {string} */ what) => {
    const kept = await ask(engine, session, prefix, { maxTokens: 12, logits: true });
    const fresh = await askFresh(engine, prefix, { maxTokens: 12, logits: true });
    assert.deepEqual(kept.ids, fresh.ids, what);
    assert.equal(kept.done.promptTokens, prefix.length, what);
    assert.equal(kept.done.reusedTokens, reused, `${what}: tokens reused`);
    assert.equal(fresh.done.reusedTokens, 0, what);
    return kept.ids;
  };
  const first = await both(ids, 0, 'first');
  assert.deepEqual(first, greedy.slice(0, 12));
  // The last token was sampled and never computed; the last of a prompt is always computed for its logits.
  await both([...ids, ...first, 7, 8, 9], ids.length + first.length - 1, 'continued');
  await both([...ids, ...first, 7, 8, 9], ids.length + first.length + 2, 'regenerated');
  const edited = [...ids.slice(0, 10), 5, 6, ...ids.slice(12)];
  await both(edited, 10, 'edited in the middle');
  await both(ids, 10, 'edited back');
  await both(ids.slice(0, 7), 6, 'cut');
  await both([1, 2, 3], 0, 'another text');
  engine.core.destroySession(session);
}

/** @param {Engine} engine */
async function checkCancel(engine) {
  const { ids, greedy } = fixture(MAIN).sequences[1];
  const session = engine.core.createSession();
  engine.core.start(session, ids, { maxTokens: 100 });
  const cut = await finish(engine, session, (event, sofar) => {
    if (event.kind === 'token' && sofar.ids.length === 5) engine.core.cancel(session);
  });
  assert.equal(cut.done.finish, 'cancelled');
  assert.ok(cut.ids.length >= 5 && cut.ids.length < 100, `${cut.ids.length} tokens before the end`);
  assert.deepEqual(cut.ids.slice(0, 5), greedy.slice(0, 5));
  const rest = await ask(engine, session, [...ids, ...greedy.slice(0, 5)], { maxTokens: 19 });
  assert.deepEqual(rest.ids, greedy.slice(5), 'continued after a cancellation');
  assert.ok(rest.done.reusedTokens >= ids.length, 'what was computed before the cancellation is used');
  // Cancelled before anything happened, and when nothing runs.
  engine.core.start(session, [9, 8, 7], { maxTokens: 10 });
  engine.core.cancel(session);
  assert.equal((await finish(engine, session)).done.finish, 'cancelled');
  engine.core.cancel(session);
  // A consumer that walks away.
  engine.core.start(session, ids, { maxTokens: 24 });
  for await (const event of engine.runner.events(session)) if (event.kind === 'token') break;
  assert.deepEqual((await ask(engine, session, ids, { maxTokens: 24 })).ids, greedy);
  // An abort signal.
  const controller = new AbortController();
  engine.core.start(session, ids, { maxTokens: 100 });
  let last;
  for await (const event of engine.runner.events(session, controller.signal)) {
    if (event.kind === 'token') controller.abort();
    last = event;
  }
  assert.equal(last?.finish, 'cancelled');
  engine.core.destroySession(session);
}

/** Eight requests at once, of several kinds: each says what it says alone, in steps that they share. @param {Engine} engine */
async function checkTogether(engine) {
  const { ids } = fixture(MAIN).sequences[1];
  const requests = [{}, { temperature: 0.9, seed: 3 }, {}, { temperature: 1.2, topK: 9, topP: 0.9, seed: 4 }, { repetitionPenalty: 1.3 }, {}, { temperature: 0.7, frequencyPenalty: 0.5, seed: 5 }, {}]
    .map((sampling, i) => ({ ids: ids.slice(0, 3 + 2 * i), options: { maxTokens: 9 + i, ...sampling } }));
  const alone = [];
  for (const r of requests) alone.push((await askFresh(engine, r.ids, r.options)).ids);
  let steps = 0;
  const player = /** @type {import('../../web/gpu/player.js').TapePlayer} */ (engine.player);
  player.play = (...args) => (steps++, TapePlayer.prototype.play.apply(player, args));
  const sessions = requests.map(() => engine.core.createSession());
  steps = 0;
  const together = await Promise.all(requests.map((r, i) => ask(engine, sessions[i], r.ids, r.options)));
  // In any order, but not one by one: a step for each prompt, some for penalties and late joiners, then shared ones.
  const tokens = alone.flat().length;
  assert.ok(steps < tokens * 0.75, `${steps} tapes for ${tokens} tokens`);
  assert.deepEqual(together.map((a) => a.ids), alone);
  for (const session of sessions) engine.core.destroySession(session);
  Reflect.deleteProperty(player, 'play');
}

/** @param {Engine} engine */
async function checkErrors(engine) {
  const { core } = engine;
  const { context, vocab } = core.sizes();
  const session = core.createSession();
  const refuses = (/** @type {() => void} */ call, /** @type {string} */ code, /** @type {RegExp} */ text = /./) =>
    assert.throws(call, (/** @type {any} */ e) => e instanceof QuernError && e.code === code && e.name !== 'Error' && text.test(e.message), `expected ${code}`);
  refuses(() => core.start(session, [], {}), 'QN_E_ARGUMENT');
  refuses(() => core.start(session, [vocab], { maxTokens: 1 }), 'QN_E_ARGUMENT', new RegExp(String(vocab)));
  refuses(() => core.start(session, [1, 0xffffffff], { maxTokens: 1 }), 'QN_E_ARGUMENT');
  refuses(() => core.start(session, new Array(context + 1).fill(3), { maxTokens: 1 }), 'QN_E_CONTEXT');
  refuses(() => core.start(session, [1], { warmth: 1 }), 'QN_E_ARGUMENT', /warmth/);
  refuses(() => core.start(session, [1], { temperature: -1 }), 'QN_E_ARGUMENT');
  refuses(() => core.startChat(session, { messages: [{ role: 'user', content: 'x' }], volume: 11 }), 'QN_E_UNSUPPORTED', /volume/);
  core.start(session, [1, 2, 3], { maxTokens: 4 });
  refuses(() => core.start(session, [4], { maxTokens: 1 }), 'QN_E_STATE');
  assert.equal((await finish(engine, session)).ids.length, 4, 'the refused start does not disturb the running one');
  // Two sessions at once, their events interleaved.
  const { ids, greedy } = fixture(MAIN).sequences[1];
  const other = core.createSession();
  core.start(session, ids, { maxTokens: 24 });
  core.start(other, [1, 2, 3], { maxTokens: 24 });
  const [a, b] = await Promise.all([finish(engine, session), finish(engine, other)]);
  assert.deepEqual(a.ids, greedy);
  assert.deepEqual(b.ids, (await askFresh(engine, [1, 2, 3], { maxTokens: 24 })).ids);
  // To the end of the context.
  const full = await ask(engine, session, ids, { maxTokens: context });
  assert.equal(full.done.finish, 'context');
  assert.ok(full.ids.length >= context - ids.length && full.ids.length <= context - ids.length + 1, `${full.ids.length} tokens in a context of ${context}`);
  assert.deepEqual((await ask(engine, session, ids, { maxTokens: 24 })).ids, greedy, 'the engine goes on');
  core.destroySession(other);
  core.destroySession(session);
}

/** @type {Record<string, number[]> | undefined} what the scalar CPU build draws */
let drawn;
async function drawOnCpu() {
  if (drawn) return drawn;
  const engine = await openEngine(fixture(MAIN).path, { variant: 'scalar' });
  try {
    return (drawn = await sampleAll(engine));
  } finally {
    engine.close();
  }
}

for (const variant of VARIANTS) {
  const skip = skipFixtures || (variant === 'relaxed' && !relaxed ? 'this runtime has no relaxed SIMD' : false);
  test(`wasm ${variant}`, { skip }, async (t) => {
    for (const name of CPU_MODELS) {
      await t.test(name, async () => {
        const engine = await openEngine(fixture(name).path, { variant });
        await checkModel(engine, name, F32_TOLERANCE);
        engine.close();
      });
    }
    const engine = await openEngine(fixture(MAIN).path, { variant });
    await t.test('draws the same tokens', async () => {
      const answers = await sampleAll(engine);
      checkSamples(answers);
      assert.deepEqual(answers, await drawOnCpu());
    });
    await t.test('reuses prefixes', () => checkReuse(engine));
    await t.test('cancels', () => checkCancel(engine));
    await t.test('refuses and goes on', () => checkErrors(engine));
    engine.close();
    await t.test('prompts in chunks of 8', async () => {
      const chunked = await openEngine(fixture(MAIN).path, { variant, chunk: 8 });
      await checkModel(chunked, MAIN, F32_TOLERANCE);
      chunked.close();
    });
    await t.test('a float16 KV cache', async () => {
      const half = await openEngine(fixture(MAIN).path, { variant, kv: 'f16' });
      await checkModel(half, MAIN, F16_KV_TOLERANCE);
      half.close();
    });
  });
}

after(closeDevices);

/** @param {import('node:test').TestContext} t @param {string[]} names @param {Awaited<ReturnType<typeof gpuDevice>>} gpu */
async function checkModelsOnGpu(t, names, gpu) {
  t.diagnostic(`${gpu.info.description || gpu.info.device}, features: ${gpu.caps.features.join(' ') || 'none'}`);
  for (const name of names) {
    await t.test(name, async () => {
      const engine = await openEngine(fixture(name).path, { gpu });
      await checkModel(engine, name, gpu.caps.features.includes('packed-dot') && /q4|Q4/.test(name) ? DOT_TOLERANCE : F32_TOLERANCE);
      engine.close();
    });
  }
}

/** @param {import('node:test').TestContext} t @param {Awaited<ReturnType<typeof gpuDevice>>} gpu */
async function checkRestOnGpu(t, gpu) {
  const engine = await openEngine(fixture(MAIN).path, { gpu });
  await t.test('draws the tokens that the CPU draws', async () => assert.deepEqual(await sampleAll(engine), await drawOnCpu()));
  await t.test('reuses prefixes', () => checkReuse(engine));
  await t.test('cancels', () => checkCancel(engine));
  await t.test('refuses and goes on', () => checkErrors(engine));
  await t.test('answers several at once', () => checkTogether(engine));
  engine.close();
  await t.test('a float16 KV cache', async () => {
    const half = await openEngine(fixture(MAIN).path, { gpu, kv: 'f16' });
    await checkModel(half, MAIN, F16_KV_TOLERANCE);
    half.close();
  });
}

test('WebGPU, a device of the smallest limits', { skip: skipFixtures }, async (t) => {
  const gpu = await gpuDevice([]);
  assert.deepEqual(gpu.caps.features, []);
  assert.equal(gpu.caps.maxWorkgroupMemory, 16384);
  assert.equal(gpu.caps.maxStorageBuffers, 8);
  await checkModelsOnGpu(t, gpu.info.fallback ? [MAIN] : REAL_GPU_MODELS, gpu);
  await checkRestOnGpu(t, gpu);
});

test('WebGPU, every feature', { skip: skipFixtures }, async (t) => {
  const gpu = await gpuDevice(EVERY);
  await checkModelsOnGpu(t, gpu.info.fallback ? GPU_MODELS : REAL_GPU_MODELS, gpu);
  await checkRestOnGpu(t, gpu);
});

test('WebGPU, guesses that are verified several at once', { skip: skipFixtures }, async () => {
  // Steps of several rows, which software adapters are not given by themselves. Whether guesses pay is the
  // backend's estimate; the answer is the same.
  const gpu = await gpuDevice([...EVERY, 'rows']);
  const engine = await openEngine(fixture('gguf/llama_Q8_0').path, { gpu });
  const said = [];
  for (const speculate of [false, true]) {
    const { ids } = await askFresh(engine, [5, 9, 5, 9, 5, 9, 5, 9, 5, 9, 5, 9], { maxTokens: 60, speculate });
    said.push(ids);
  }
  engine.close();
  assert.equal(said[0].length, 60);
  assert.deepEqual(said[1], said[0]);
});

test('WebGPU, the smallest capabilities on a device that has more', { skip: skipFixtures }, async (t) => {
  // The same tapes as on the smallest device; here most pipelines are compiled already.
  const gpu = await gpuDevice(EVERY);
  if (!gpu.info.fallback) return t.skip('done on the smallest device');
  await checkModelsOnGpu(t, GPU_MODELS.filter((name) => name !== MAIN), { ...gpu, caps: (await gpuDevice([])).caps });
});
