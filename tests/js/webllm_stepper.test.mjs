// Answers whose tokens a LogitProcessor's engine chooses, beside those of Quern's own: the same where the processor changes nothing.

import assert from 'node:assert/strict';
import test from 'node:test';

import { directEngine } from '../../bin/host.mjs';
import { Stepper } from '../../web/webllm/stepper.js';
import { openEngine } from './lib/models.mjs';

const MODEL = new URL('../data/tiny_hf', import.meta.url).pathname;
const CONTEXT = 96;
const never = new AbortController().signal;

/** @param {Stepper} stepper @param {Record<string, unknown>} request */
async function stepped(stepper, request) {
  let [text, finish] = ['', ''];
  /** @type {any} */
  let usage;
  for await (const chunk of await stepper.chat(request, never)) {
    text += chunk.choices[0]?.delta.content ?? '';
    finish = chunk.choices[0]?.finish_reason ?? finish;
    usage = chunk.usage;
  }
  return { text, finish, completion: usage.completion_tokens };
}

test('a full context slides, drops turns or ends the answer, as without a processor', async (t) => {
  const open = await openEngine(MODEL, { context: CONTEXT });
  const turns = Array.from({ length: 12 }, (_, i) => ({ role: i % 2 ? 'assistant' : 'user', content: `${i} the cat sat on a mat` }));
  const short = [{ role: 'user', content: 'the cat sat' }];
  const long = [...turns, { role: 'user', content: 'and now the last one' }];
  for (const [engineWindow, request] of /** @type {[Record<string, unknown>, Record<string, unknown>][]} */ ([
    [{ overflow: 'slide', attentionSinks: 2 }, { messages: short, max_tokens: 250 }],
    [{ overflow: 'slide', attentionSinks: 0 }, { messages: short, max_tokens: 250, repetition_penalty: 1.3 }],
    [{ overflow: 'slide' }, { messages: short }],
    [{ overflow: 'slide' }, { messages: long, max_tokens: 120 }],
    [{}, { messages: short, max_tokens: 250, overflow: 'slide', attention_sinks: 7 }],
    [{ overflow: 'drop_oldest_turns' }, { messages: long, max_tokens: 20 }],
    [{ overflow: 'slide' }, { messages: short, max_tokens: 250, overflow: 'refuse' }],
    [{}, { messages: short, max_tokens: 250 }],
  ])) {
    await t.test(JSON.stringify([engineWindow, { ...request, messages: undefined }]), async () => {
      const engine = directEngine(open.core, open.runner, 'tiny', engineWindow);
      const whole = /** @type {any} */ ({ ...request, temperature: 0, ignore_eos: true });
      const { choices, usage } = await engine.chat.completions.create(whole);
      const stepper = new Stepper(/** @type {any} */ (engine), {}, engineWindow);
      assert.deepEqual(await stepped(stepper, whole), { text: choices[0].message.content, finish: choices[0].finish_reason, completion: usage.completion_tokens });
    });
  }
  await t.test('a prompt that is too long and may not slide is refused', async () => {
    const engine = directEngine(open.core, open.runner, 'tiny');
    await assert.rejects(stepped(new Stepper(/** @type {any} */ (engine), {}, {}), { messages: long }), { code: 'QN_E_CONTEXT' });
  });
  await t.test('forwardTokensAndSample slides, too', async () => {
    const sliding = new Stepper(/** @type {any} */ (directEngine(open.core, open.runner, 'tiny')), { temperature: 0 }, { overflow: 'slide' });
    const still = new Stepper(/** @type {any} */ (directEngine(open.core, open.runner, 'tiny')), { temperature: 0 }, {});
    let id = await sliding.forward([3, 40, 7], true);
    for (let i = 0; i < 2 * CONTEXT; i++) id = await sliding.forward([id], false);
    assert.ok(Number.isInteger(id));
    await assert.rejects(still.forward(Array.from({ length: CONTEXT + 1 }, () => 5), true), { code: 'QN_E_CONTEXT' });
  });
  open.close();
});

test('what a request does not say is the model\'s, then 1', async () => {
  const open = await openEngine(MODEL, { context: CONTEXT });
  const info = open.core.info();
  assert.deepEqual(info.sampling, { temperature: 1, top_p: 1, top_k: 0, min_p: 0, repetition_penalty: 1, frequency_penalty: 0, presence_penalty: 0 });
  const engine = /** @type {any} */ (directEngine(open.core, open.runner, 'tiny'));
  const messages = [{ role: 'user', content: 'the cat sat' }];
  const ask = (/** @type {Record<string, number>} */ model, /** @type {any} */ options, /** @type {any} */ request) => {
    engine.info.sampling = { ...info.sampling, ...model };
    return stepped(new Stepper(engine, options, {}), { messages, max_tokens: 20, ignore_eos: true, seed: 1, ...request });
  };
  const greedy = (await ask({}, {}, { temperature: 0 })).text;
  assert.equal((await ask({ temperature: 0 }, {}, {})).text, greedy);
  assert.equal((await ask({ temperature: 0 }, {}, { temperature: null })).text, greedy);
  assert.equal((await ask({ temperature: 2 }, { temperature: 0 }, {})).text, greedy);
  assert.equal((await ask({ top_p: 1e-6 }, {}, {})).text, greedy);
  assert.notEqual((await ask({ temperature: 0 }, {}, { temperature: 2 })).text, greedy);
  assert.notEqual((await ask({ temperature: 0, repetition_penalty: 50 }, {}, {})).text, greedy);
  open.close();
});
