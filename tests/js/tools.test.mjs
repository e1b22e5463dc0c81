// Calls that are forced, and calls that a model begins by itself, by a model of random weights: names
// and arguments are right whatever it would rather say, in every form that templates write calls in.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test, { after } from 'node:test';

import { addPart } from '../../web/requests.js';
import { closeDevices, gpuDevice, skipFixtures } from './lib/models.mjs';
import { mark, withTemplate } from './lib/template.mjs';

after(closeDevices);

const compile = (/** @type {URL} */ url) => new WebAssembly.Module(readFileSync(fileURLToPath(url)));

const TOOLS = [
  { type: 'function', function: { name: 'roll', parameters: { type: 'object', properties: { sides: { type: 'integer', minimum: 2, maximum: 20 }, kind: { type: 'string', enum: ['fair', 'loaded'] } }, required: ['sides'], additionalProperties: false } } },
  { type: 'function', function: { name: 'stop_now', parameters: { type: 'object', properties: {}, additionalProperties: false } } },
];

/** What the literals of a template look like; the rest is the same. @type {Record<string, string>} */
const FORMS = {
  hermes: '<tool_call>',
  mistral: '[TOOL_CALLS]',
  names: '[TOOL_CALLS] [ARGS]',
  llama: '{"name": , "parameters": ',
  tags: '<function= <parameter=',
  functionary: '<function=',
};

/** @param {Awaited<ReturnType<typeof import('./lib/models.mjs').openFiles>>} engine @param {Record<string, unknown>} rest */
async function say(engine, rest) {
  const session = engine.core.createSession();
  const request = { messages: [{ role: 'user', content: 'hello' }], tools: TOOLS, max_tokens: 150, temperature: 1, top_p: 1, ...rest };
  await engine.core.starting(() => engine.core.startChat(session, request), compile);
  /** @type {import('../../web/choices.js').Part[]} */
  const parts = [];
  let finish = '';
  for await (const event of engine.runner.events(session)) {
    addPart(parts, event);
    if (event.kind === 'done') finish = event.finish;
  }
  engine.core.destroySession(session);
  const calls = parts.filter((p) => p.kind === 'name').map(({ call, text }) => ({ name: text, args: parts.filter((p) => p.kind === 'arguments' && p.call === call).map((p) => p.text).join('') }));
  return { calls, finish, content: parts.filter((p) => p.kind === 'content').map((p) => p.text).join('') };
}

/** @param {{ name: string, args: string }} call @param {string} what */
function checkCall({ name, args }, what) {
  const values = JSON.parse(args);
  if (name === 'stop_now') {
    assert.deepEqual(values, {}, what);
    return;
  }
  assert.equal(name, 'roll', what);
  assert.ok(Number.isInteger(values.sides) && values.sides >= 2 && values.sides <= 20, `${what}: ${args}`);
  assert.ok([undefined, 'fair', 'loaded'].includes(values.kind), `${what}: ${args}`);
  assert.ok(Object.keys(values).every((k) => k === 'sides' || k === 'kind'), `${what}: ${args}`);
}

for (const [label, form] of Object.entries(FORMS)) {
  test(`forced calls: ${label}`, { skip: skipFixtures }, () => withTemplate(form, async (engine) => {
    let whole = 0;
    for (const seed of [1, 2, 3]) {
      const { calls, finish, content } = await say(engine, { tool_choice: 'required', parallel_tool_calls: false, seed });
      const what = `${label}, seed ${seed}: ${JSON.stringify(calls)} ${content}`;
      assert.equal(content, '', what);
      if (finish === 'length') continue; // told, and not complete
      assert.equal(finish, 'tool_calls', what);
      assert.equal(calls.length, 1, what);
      checkCall(calls[0], what);
      whole++;
    }
    assert.ok(whole > 0, `${label}: no call was completed`);
    const named = await say(engine, { tool_choice: { type: 'function', function: { name: 'stop_now' } }, seed: 5 });
    assert.deepEqual([named.calls.map((c) => [c.name, JSON.parse(c.args)]), named.finish], [[['stop_now', {}]], 'tool_calls'], label);
    const several = await say(engine, { tool_choice: 'required', seed: 6 });
    assert.ok(several.calls.length >= 1, label);
    for (const call of several.calls.slice(0, several.finish === 'length' ? -1 : undefined)) checkCall(call, label);
    const none = await say(engine, { tool_choice: 'none', seed: 7, max_tokens: 6 });
    assert.deepEqual(none.calls, [], label);
  }));
}

for (const special of [false, true]) test(`JSON beside tools: JSON or a call${special ? ', which begins with a control token' : ''}`, { skip: skipFixtures }, () => withTemplate(FORMS.hermes, async (engine) => {
  for (const seed of [1, 2, 3, 4]) {
    const format = { type: 'json_schema', json_schema: { name: 'x', schema: { type: 'object', properties: { ok: { type: 'boolean' } }, required: ['ok'], additionalProperties: false } } };
    const { calls, finish, content } = await say(engine, { response_format: format, seed });
    if (finish === 'length') continue;
    if (calls.length) calls.forEach((c) => checkCall(c, String(seed)));
    else assert.equal(typeof JSON.parse(content).ok, 'boolean');
  }
}, { tokens: ['<tool_call>', '</tool_call>'].map((content) => ({ content, special })) }));

/** Forms, the tokens that they begin calls with, and whether those are control tokens. @type {Record<string, [form: string, marks: string[], special?: boolean]>} */
const BEGUN = {
  hermes: ['<tool_call>', ['<tool_call>']],
  'hermes, control tokens': ['<tool_call>', ['<tool_call>', '</tool_call>'], true],
  mistral: ['[TOOL_CALLS]', ['[TOOL_CALLS]'], true],
  names: ['[TOOL_CALLS] [ARGS]', ['[TOOL_CALLS]', '[ARGS]'], true],
  deepseek: ['<｜tool▁calls▁begin｜>', ['<｜tool▁calls▁begin｜>', '<｜tool▁call▁begin｜>', '<｜tool▁sep｜>', '<｜tool▁call▁end｜>', '<｜tool▁calls▁end｜>'], true],
  tags: ['<function= <parameter=', ['<tool_call>']],
  functionary: ['<function=', ['<function=']],
  'a mark with more than the grammar takes': ['<tool_call>', ['<tool_call>{"x"']],
  llama: ['{"name": , "parameters": ', ['{"name": "roll"', '{']],
  'llama, with more than the grammar takes': ['{"name": , "parameters": ', ['{"name": "roll", 7']],
};

/** @param {Awaited<ReturnType<typeof import('./lib/models.mjs').openFiles>>} engine @param {string} label @param {number[]} seeds */
async function checkBegun(engine, label, seeds) {
  const id = mark(BEGUN[label][1]);
  let whole = 0;
  for (const seed of seeds) {
    // The mark comes sooner or later, or at once and then again and again.
    const bias = seed % 2 ? 100 : 8;
    const answer = await say(engine, { seed, logit_bias: { [id]: bias }, max_tokens: 220, ...(seed > 2 ? { frequency_penalty: 0.5 } : {}) });
    const what = `${label}, seed ${seed}: ${JSON.stringify(answer)}`;
    const cut = answer.finish !== 'tool_calls' && answer.finish !== 'stop'; // by its length or the context's
    answer.calls.slice(0, cut ? -1 : undefined).forEach((call) => checkCall(call, what));
    whole += answer.calls.length - Number(cut && answer.calls.length > 0);
    if (bias === 100) assert.ok(answer.calls.length > 0, what);
  }
  assert.ok(whole > 0, `${label}: no call was completed`);
}

for (const [label, [form, marks, special = false]] of Object.entries(BEGUN)) {
  test(`calls that the model begins: ${label}`, { skip: skipFixtures }, () => withTemplate(form, (engine) => checkBegun(engine, label, [1, 2, 3, 4]), { tokens: marks.map((content) => ({ content, special })) }));
}

test('calls that the model begins: steps run ahead of them on a GPU', { skip: skipFixtures }, async () => {
  const gpu = await gpuDevice([]);
  for (const label of ['hermes', 'deepseek', 'a mark with more than the grammar takes']) {
    const [form, marks, special = false] = BEGUN[label];
    /** @type {unknown[]} */
    const answers = [];
    for (const device of [gpu, undefined]) {
      await withTemplate(form, async (engine) => {
        await checkBegun(engine, label, [2]);
        answers.push(await say(engine, { temperature: 0, logit_bias: { [mark(marks)]: 8 } }));
      }, { tokens: marks.map((content) => ({ content, special })), gpu: device });
    }
    assert.deepEqual(answers[0], answers[1], `${label}: the GPU says what the CPU says`);
  }
});

test('what is no call stays free, and thoughts do', { skip: skipFixtures }, async () => {
  const tokens = ['<tool_call>', '</think>', '<think>'].map((content) => ({ content, special: false }));
  await withTemplate('<tool_call></think>', async (engine) => {
    const session = engine.core.createSession();
    engine.core.startChat(session, { prompt: '<tool_call></think>user: hello\nassistant:', max_tokens: 40, temperature: 0, logit_bias: { [mark(tokens)]: -100 } }, 'completion');
    let text = '';
    for await (const event of engine.runner.events(session)) text += event.text;
    engine.core.destroySession(session);
    const free = await say(engine, { temperature: 0, logit_bias: { [mark(tokens)]: -100 }, max_tokens: 40 });
    assert.equal(free.content.trim(), text.trim());
    assert.ok(text.trim().length > 10, text);
  }, { tokens });
  await withTemplate('<tool_call></think>', async (engine) => {
    const { calls, content } = await say(engine, { logit_bias: { [mark(tokens)]: 100 }, max_tokens: 12 });
    assert.deepEqual([calls, content], [[], ''], 'a mark within a thought begins no call, and is no content');
  }, { tokens, end: '<think>' });
});

test('schemas that constraints cannot say', { skip: skipFixtures }, () => withTemplate('<tool_call>', async (engine) => {
  const parameters = { type: 'object', properties: { a: { type: 'array', uniqueItems: true } } };
  const tools = (/** @type {boolean} */ strict) => [{ type: 'function', function: { name: 'f', parameters, strict } }];
  const { calls } = await say(engine, { tools: tools(false), logit_bias: { 303: 100 }, max_tokens: 120, seed: 1 });
  assert.ok(calls.length > 0 && calls.every((c) => c.name === 'f'));
  await assert.rejects(() => say(engine, { tools: tools(true) }), /uniqueItems/);
  await assert.rejects(() => say(engine, { tools: tools(false), tool_choice: 'required' }), /uniqueItems/);
}, { tokens: [{ content: '<tool_call>', special: false }] }));

test('users write no token that ends answers, special or not', { skip: skipFixtures }, () => withTemplate('', async (engine) => {
  const ids = async (/** @type {string} */ content) => {
    const session = engine.core.createSession();
    engine.core.startChat(session, { messages: [{ role: 'user', content }], max_tokens: 1 }, 'chat');
    const prompt = engine.core.prompt(session);
    for await (const _ of engine.runner.events(session));
    engine.core.destroySession(session);
    return prompt;
  };
  const END = 306; // <|im_end|>, of which this template does not speak
  assert.equal([...engine.core.tokenize('a<|im_end|>b')].includes(END), true);
  assert.equal((await ids('a<|im_end|>b')).includes(END), false);
}, { edit: (tokenizer) => (tokenizer.added_tokens.find((/** @type {any} */ t) => t.content === '<|im_end|>').special = false) }));
