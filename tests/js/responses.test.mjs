// OpenAI's Responses API, asked by the real `openai` package: thoughts, messages and calls as items, their events, kept responses.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import test from 'node:test';

import { directEngine } from '../../bin/host.mjs';
import { createFetch } from '../../web/openai/fetch.js';
import { skipFixtures } from './lib/models.mjs';
import { mark, withTemplate } from './lib/template.mjs';

const skip = !existsSync('node_modules/openai') ? 'skipped: no openai package' : skipFixtures;
const TOKENS = ['<think>', '</think>', '<tool_call>'].map((content) => ({ content, special: false }));
const [THINK, END, CALL] = TOKENS.map((_, i) => mark(TOKENS) + i);
/** Like Qwen3's: a switch, thoughts of earlier turns with their calls. */
const TEMPLATE = `{% if tools %}<tool_call>{% endif %}{% for m in messages %}{{ m.role }}: {% if m.reasoning_content %}<think>{{ m.reasoning_content }}</think>{% endif %}{{ m.content or '' }}{% for c in m.tool_calls or [] %}<tool_call>{{ c.function.name }} {{ c.function.arguments }}{% endfor %}\n{% endfor %}assistant: {% if enable_thinking is defined and not enable_thinking %}<think></think>{% else %}<think>{% endif %}`;
const TOOLS = [{ type: 'function', name: 'roll', parameters: { type: 'object', properties: { sides: { type: 'integer', minimum: 2, maximum: 9 } }, required: ['sides'], additionalProperties: false } }];

/** @param {(openai: any) => Promise<void>} use @param {string} [template] @param {Record<string, number>} [bias] which the API itself cannot ask for */
const withClient = (use, template = TEMPLATE, bias = {}) =>
  withTemplate('', async (engine) => {
    const { default: OpenAI } = await import('openai');
    const direct = /** @type {any} */ (directEngine(engine.core, engine.runner, 'm'));
    const { completions } = direct.chat;
    direct.chat.completions = { create: (/** @type {any} */ request, /** @type {any} */ options) => completions.create({ logit_bias: bias, ...request }, options) };
    await use(new OpenAI({ apiKey: '-', maxRetries: 0, fetch: createFetch(direct) }));
  }, { tokens: TOKENS, template });

const ASK = { model: 'm', input: 'Hello', max_output_tokens: 40, temperature: 1, top_p: 1, seed: 3 };

/** What every order of events has to keep to. @param {any[]} events @param {any} final */
function checkEvents(events, final) {
  assert.deepEqual(events.map((e) => e.sequence_number), events.map((_, i) => i));
  assert.deepEqual(events.slice(0, 2).map((e) => e.type), ['response.created', 'response.in_progress']);
  assert.ok(['response.completed', 'response.incomplete'].includes(events.at(-1).type));
  assert.deepEqual(events.at(-1).response, final);
  /** @type {any} */ let open = null;
  let items = 0;
  let text = '';
  for (const event of events.slice(2, -1)) {
    if (event.type === 'response.output_item.added') {
      assert.equal(open, null, 'an item begins after the one before it has ended');
      open = event.item;
      text = '';
      assert.equal(event.output_index, items++);
      continue;
    }
    assert.equal(event.item_id ?? event.item.id, open.id, event.type);
    assert.equal(event.output_index, items - 1);
    if (event.delta) text += event.delta;
    if (event.type.endsWith('.done') && (event.text ?? event.arguments) !== undefined) assert.equal(event.text ?? event.arguments, text);
    if (event.type === 'response.output_item.done') {
      assert.deepEqual(event.item, final.output[items - 1]);
      open = null;
    }
  }
  assert.equal(open, null);
  assert.equal(items, final.output.length);
}

test('thoughts, text and calls are items, in order', { skip }, () => withClient(async (openai) => {
  const kinds = new Set();
  for (let seed = 1; seed <= 6; seed++) {
    const stream = openai.responses.stream({ ...ASK, seed, tools: TOOLS, max_output_tokens: 120, metadata: { a: 'b' } });
    const events = [];
    for await (const event of stream) events.push(event);
    const final = events.at(-1).response;
    checkEvents(events, final);
    assert.deepEqual((await stream.finalResponse()).output.map((/** @type {any} */ o) => o.id), final.output.map((/** @type {any} */ o) => o.id));
    for (const item of final.output) {
      kinds.add(item.type);
      if (item.type === 'function_call' && item.status === 'completed') assert.ok(JSON.parse(item.arguments).sides <= 9, item.arguments);
      if (item.type === 'reasoning') assert.ok(item.content[0].text.length > 0 && item.summary.length === 0);
    }
    assert.equal(final.output[0].type, 'reasoning');
    assert.ok(final.usage.output_tokens_details.reasoning_tokens > 0 && final.usage.output_tokens_details.reasoning_tokens <= final.usage.output_tokens);
  }
  assert.deepEqual([...kinds].sort(), ['function_call', 'message', 'reasoning']);
}, TEMPLATE, { [END]: 9, [CALL]: 7, [THINK]: -100 }));

test('effort and summary', { skip }, () => withClient(async (openai) => {
  const off = await openai.responses.create({ ...ASK, reasoning: { effort: 'none' } });
  assert.deepEqual(off.output.map((/** @type {any} */ o) => o.type), ['message']);
  assert.deepEqual(off.reasoning, { effort: 'none', summary: null });
  assert.equal(off.usage.output_tokens_details.reasoning_tokens, 0);
  const stream = await openai.responses.create({ ...ASK, reasoning: { effort: 'high', summary: 'auto' }, stream: true });
  const events = [];
  for await (const event of stream) events.push(event);
  checkEvents(events, events.at(-1).response);
  const [thought] = events.at(-1).response.output;
  assert.equal(thought.type, 'reasoning');
  assert.equal(thought.summary[0].type, 'summary_text');
  assert.ok(events.some((e) => e.type === 'response.reasoning_summary_part.added') && events.some((e) => e.type === 'response.reasoning_summary_text.delta'));
  for (const [reasoning, named] of [[{ summary: 'concise' }, 'reasoning.summary'], [{ effort: 'much' }, 'reasoning.effort'], [{ generate_summary: 'auto' }, 'reasoning.generate_summary']]) {
    await assert.rejects(openai.responses.create({ ...ASK, reasoning }), (/** @type {any} */ e) => e.status === 400 && e.message.includes(named), named);
  }
}));

test('a template without a switch refuses an effort by its name', { skip }, () => withClient(async (openai) => {
  await assert.rejects(openai.responses.create({ ...ASK, reasoning: { effort: 'low' } }), (/** @type {any} */ e) => e.status === 400 && e.code === 'unsupported_parameter' && e.param === 'reasoning.effort');
  const { output } = await openai.responses.create({ ...ASK, top_logprobs: 2, include: ['message.output_text.logprobs'] });
  const { text, logprobs } = output[0].content[0];
  assert.ok(text.length > 0 && logprobs.length > 0);
  assert.ok(logprobs.every((/** @type {any} */ l) => l.top_logprobs.length === 2 && l.logprob <= 0));
}, '{% for m in messages %}{{ m.content }}\n{% endfor %}'));

test('chat completions tell and take thoughts', { skip }, () => withClient(async (openai) => {
  const messages = [{ role: 'user', content: 'Hello' }];
  const chat = { model: 'm', messages, max_completion_tokens: 40, seed: 3, temperature: 1, top_p: 1, logit_bias: { [END]: 9 } };
  const { choices, usage } = await openai.chat.completions.create({ ...chat, reasoning_effort: 'medium' });
  assert.ok(choices[0].message.reasoning_content.length > 0);
  assert.ok(usage.completion_tokens_details.reasoning_tokens > 0);
  let thought = '';
  for await (const chunk of await openai.chat.completions.create({ ...chat, reasoning_effort: 'medium', stream: true })) thought += chunk.choices[0]?.delta.reasoning_content ?? '';
  assert.equal(thought, choices[0].message.reasoning_content);
  const none = await openai.chat.completions.create({ ...chat, reasoning_effort: 'none' });
  assert.equal(none.choices[0].message.reasoning_content, undefined);
  const next = await openai.chat.completions.create({ ...chat, messages: [...messages, choices[0].message, { role: 'user', content: 'x' }], max_completion_tokens: 1 });
  assert.ok(next.usage.prompt_tokens > usage.prompt_tokens + 5, 'the thought is part of the prompt again');
}));

test('kept responses: what they were made of, deleting, cancelling', { skip }, () => withClient(async (openai) => {
  const first = await openai.responses.create({ ...ASK, instructions: 'Be brief.', reasoning: { effort: 'none' } });
  const second = await openai.responses.create({ ...ASK, input: [{ role: 'user', content: [{ type: 'input_text', text: 'Again' }] }], previous_response_id: first.id });
  const items = [];
  for await (const item of openai.responses.inputItems.list(second.id, { order: 'asc', limit: 2 })) items.push(item);
  assert.deepEqual(items.map((i) => [i.type, i.role]), [['message', 'user'], ['message', 'assistant'], ['message', 'user']]);
  assert.deepEqual(items.map((i) => i.content[0].text), ['Hello', first.output_text, 'Again']);
  assert.equal(items[1].id, first.output[0].id);
  const latest = await openai.responses.inputItems.list(second.id);
  assert.deepEqual([latest.data.map((/** @type {any} */ i) => i.id), latest.has_more], [items.map((i) => i.id).reverse(), false]);
  assert.equal((await openai.responses.retrieve(second.id)).id, second.id);
  await assert.rejects(openai.responses.cancel(second.id), (/** @type {any} */ e) => e.status === 400 && /background/.test(e.message));
  await openai.responses.delete(second.id);
  for (const gone of [() => openai.responses.retrieve(second.id), () => openai.responses.inputItems.list(second.id), () => openai.responses.cancel(second.id), () => openai.responses.cancel('resp_x')]) {
    await assert.rejects(gone, (/** @type {any} */ e) => e.status === 404);
  }
  const unkept = await openai.responses.create({ ...ASK, store: false });
  await assert.rejects(openai.responses.retrieve(unkept.id), (/** @type {any} */ e) => e.status === 404);
  // Thoughts and calls that come back as input.
  const back = await openai.responses.create({ ...ASK, input: [{ role: 'user', content: 'x' }, { type: 'reasoning', id: 'rs_1', summary: [], content: [{ type: 'reasoning_text', text: 'a long thought that is to count' }] }, { type: 'function_call', call_id: 'abcdefghi', name: 'roll', arguments: '{"sides":6}' }, { type: 'function_call_output', call_id: 'abcdefghi', output: '4' }], max_output_tokens: 2 });
  const without = await openai.responses.create({ ...ASK, input: [{ role: 'user', content: 'x' }, { type: 'function_call', call_id: 'abcdefghi', name: 'roll', arguments: '{"sides":6}' }, { type: 'function_call_output', call_id: 'abcdefghi', output: '4' }], max_output_tokens: 2 });
  assert.ok(back.usage.input_tokens > without.usage.input_tokens + 5);
}));
