// Constrained output: in the engine, on the CPU and on a GPU, with the module that is linked at run time;
// and schemas of public test suites, by random walks that Ajv checks.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test, { after } from 'node:test';

import { linkConstraints } from '../../web/constrain.js';
import { closeDevices, finish, fixture, gpuDevice, openEngine, skipFixtures } from './lib/models.mjs';

after(closeDevices);

const MODEL = 'mlc/qwen2_q4f16_1';

const compile = (/** @type {URL} */ url) => new WebAssembly.Module(readFileSync(fileURLToPath(url)));

const SCHEMA = {
  type: 'object',
  properties: { name: { type: 'string', maxLength: 6 }, n: { type: 'integer', minimum: 3, maximum: 19 }, tags: { type: 'array', items: { enum: ['a', 'b'] }, maxItems: 3 } },
  required: ['name', 'n', 'tags'],
  additionalProperties: false,
};

/** @param {Awaited<ReturnType<typeof openEngine>>} engine @param {string} label */
async function checkAnswers(engine, label) {
  const session = engine.core.createSession();
  const request = { messages: [{ role: 'user', content: 'hello' }], max_tokens: 160, temperature: 1, top_p: 1 };
  /** @param {Record<string, unknown>} rest */
  const say = async (rest) => {
    await engine.core.starting(() => engine.core.startChat(session, { ...request, ...rest }), compile);
    return finish(engine, session);
  };
  const schema = { response_format: { type: 'json_schema', json_schema: { name: 'x', schema: SCHEMA } } };
  const texts = new Set();
  for (const sampling of [{ seed: 1 }, { seed: 2, top_k: 5 }, { temperature: 0 }, { temperature: 0, repetition_penalty: 1.3 }]) {
    const { text, done } = await say({ ...schema, ...sampling });
    if (done.finish === 'length') continue; // told, and not complete
    assert.equal(done.finish, 'stop', label);
    const { name, n, tags } = JSON.parse(text);
    assert.ok(typeof name === 'string' && [...name].length <= 6 && Number.isInteger(n) && n >= 3 && n <= 19 && tags.length <= 3 && tags.every((/** @type {string} */ t) => t === 'a' || t === 'b'), `${label}: ${text}`);
    texts.add(text);
  }
  assert.ok(texts.size >= 2, `${label}: ${[...texts]}`);
  const cut = await say({ ...schema, max_tokens: 3, seed: 5 });
  assert.equal(cut.done.finish, 'length');
  const yes = await say({ response_format: { type: 'regex', regex: '(yes|no){2}!' }, seed: 3 });
  assert.match(yes.text, /^(yes|no){2}!$/);
  assert.equal(yes.done.finish, 'stop');
  // Long keys are not sampled token by token: steps are those of the rest. With log-probabilities each token is.
  const keys = { type: 'object', properties: { identification_of_the_customer: { enum: ['a', 'b'] }, address_of_the_customer: { enum: ['c', 'd'] } }, required: ['identification_of_the_customer', 'address_of_the_customer'], additionalProperties: false };
  const long = { response_format: { type: 'json_schema', json_schema: { name: 'x', schema: keys } }, seed: 6, max_tokens: 200 };
  let prompts = 0;
  const step = engine.core.step.bind(engine.core);
  engine.core.step = (of) => {
    const event = step(of);
    if (event?.kind === 'prefill') prompts++;
    return event;
  };
  const told = [];
  for (const more of [{}, { logprobs: true }]) {
    prompts = 0;
    const { text, ids, done } = await say({ ...long, ...more });
    assert.deepEqual([done.finish, done.completionTokens], ['stop', ids.length], label);
    told.push({ ...JSON.parse(text), prompts });
  }
  engine.core.step = step;
  for (const { identification_of_the_customer: a, address_of_the_customer: c } of told) assert.ok('ab'.includes(a) && 'cd'.includes(c), JSON.stringify(told));
  assert.ok(told[0].prompts >= 3 && told[1].prompts === 1, JSON.stringify(told));
  const free = await say({ seed: 4, max_tokens: 8 });
  assert.equal(free.done.completionTokens, 8, 'masks end with their request');
  await assert.rejects(() => say({ response_format: { type: 'json_schema', json_schema: { name: 'x', schema: { type: 'array', uniqueItems: true } } } }), /uniqueItems/);
  engine.core.destroySession(session);
}

test('answers match their schemas on the CPU', { skip: skipFixtures }, async () => {
  const engine = await openEngine(fixture(MODEL).path, { context: 256 });
  await checkAnswers(engine, 'cpu');
  engine.core.destroy();
});

test('answers match their schemas on a GPU', { skip: skipFixtures }, async () => {
  const gpu = await gpuDevice([]);
  const engine = await openEngine(fixture(MODEL).path, { gpu, context: 256 });
  await checkAnswers(engine, 'gpu');
  engine.core.destroy();
});

test('the module is asked for, and links to every variant', { skip: skipFixtures }, async () => {
  for (const variant of /** @type {const} */ (['scalar', 'simd'])) {
    const engine = await openEngine(fixture(MODEL).path, { variant });
    const session = engine.core.createSession();
    const start = () => engine.core.startChat(session, { messages: [{ role: 'user', content: 'x' }], response_format: { type: 'regex', regex: 'abc' }, temperature: 0 });
    assert.throws(start, { code: 'QN_E_NEED_DATA' });
    await linkConstraints(engine.core, compile);
    start();
    assert.equal((await finish(engine, session)).text, 'abc');
    engine.core.destroy();
  }
});
