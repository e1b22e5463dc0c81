// What the `openai` package does beyond plain requests – parse(), stream(), timeouts, retries – over createFetch(engine), and requests that
// nobody in good faith would send.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import test, { after, before } from 'node:test';

import { directEngine } from '../../bin/host.mjs';
import { createFetch } from '../../web/openai/fetch.js';
import { openEngine } from './lib/models.mjs';

const skip = !existsSync('node_modules/openai') ? 'skipped: no openai package' : !existsSync('models/grist/mlc-chat-config.json') ? 'skipped: no models/grist' : false;

/** @type {Awaited<ReturnType<typeof openEngine>>} */ let engine;
/** @type {typeof fetch} */ let ask;
/** @type {any} */ let openai;
let calls = 0;
/** @type {string[]} */ const warnings = [];

before(async () => {
  if (skip) return;
  process.on('warning', (warning) => warnings.push(warning.message));
  engine = await openEngine('models/grist', { context: 256 });
  ask = createFetch(directEngine(engine.core, engine.runner, 'grist'));
  const { default: OpenAI } = await import('openai');
  openai = new OpenAI({ apiKey: '-', fetch: (url, init) => (calls++, ask(url, init)) });
});
after(() => engine?.close());

const messages = [{ role: 'user', content: 'Is the mill old?' }];
const schema = { type: 'object', properties: { old: { type: 'boolean' }, kind: { enum: ['wind', 'water'] } }, required: ['old', 'kind'], additionalProperties: false };
/** A format as the package's zodResponseFormat() makes it, which parse() reads. @param {object} format */
const parseable = (format) => Object.defineProperties(format, { $brand: { value: 'auto-parseable-response-format' }, $parseRaw: { value: JSON.parse } });
const isAnswer = (/** @type {any} */ value) => assert.ok(typeof value.old === 'boolean' && ['wind', 'water'].includes(value.kind), JSON.stringify(value));

test('parse() and stream() with a schema', { skip }, async () => {
  const chat = { model: 'x', messages, max_tokens: 80, response_format: parseable({ type: 'json_schema', json_schema: { name: 'mill', strict: true, schema } }) };
  isAnswer((await openai.chat.completions.parse(chat)).choices[0].message.parsed);
  isAnswer((await openai.chat.completions.stream(chat).finalChatCompletion()).choices[0].message.parsed);
  const response = { model: 'x', input: 'Is the mill old?', max_output_tokens: 80, text: { format: parseable({ type: 'json_schema', name: 'mill', strict: true, schema }) } };
  isAnswer((await openai.responses.parse(response)).output_parsed);
  isAnswer((await openai.responses.stream(response).finalResponse()).output_parsed);
});

test('timeouts, and many choices without a warning', { skip }, async () => {
  await assert.rejects(openai.chat.completions.create({ model: 'x', messages, n: 128, ignore_eos: true }, { timeout: 1, maxRetries: 0 }), (/** @type {any} */ e) => e.constructor.name === 'APIConnectionTimeoutError');
  const { choices } = await openai.chat.completions.create({ model: 'x', messages, n: 24, max_tokens: 1 });
  assert.equal(choices.length, 24);
  assert.deepEqual(warnings, []);
});

test('what is malformed is refused at once, and not tried again', { skip }, async () => {
  const { id } = await openai.responses.create({ model: 'x', input: 'the', max_output_tokens: 2 });
  /** @type {[string, () => Promise<unknown>, number][]} */
  const cases = [
    ['tools', () => openai.responses.create({ model: 'x', input: 'x', tools: 'abc' }), 400],
    ['include', () => openai.responses.create({ model: 'x', input: 'x', include: 5 }), 400],
    ['no item', () => openai.responses.create({ model: 'x', input: [null] }), 400],
    ['no known item', () => openai.responses.create({ model: 'x', input: [{ type: 'item_reference', id: 'x' }] }), 404],
    ['no part', () => openai.responses.create({ model: 'x', input: [{ role: 'user', content: [null] }] }), 400],
    ["Object's names", () => openai.responses.create({ model: 'x', input: 'x', constructor: 1 }), 400],
    ['events told already', () => openai.responses.stream({ response_id: id }).finalResponse(), 400],
    ['messages', () => openai.chat.completions.create({ model: 'x', messages: [null] }), 400],
    ['n', () => openai.chat.completions.create({ model: 'x', messages, n: 1e9 }), 400],
  ];
  for (const [name, work, status] of cases) {
    calls = 0;
    await assert.rejects(work(), (/** @type {any} */ e) => e.status === status, name);
    assert.equal(calls, 1, name);
  }
});

test('bodies and paths of an attacker', { skip }, async () => {
  const post = (/** @type {string} */ body) => ask('http://x/v1/chat/completions', { method: 'POST', body });
  const polluted = await post('{"__proto__":{"polluted":1},"messages":[{"role":"user","content":"x","__proto__":{"polluted":1}}],"max_tokens":2}');
  assert.equal(polluted.status, 400);
  assert.equal(/** @type {any} */ ({}).polluted, undefined);
  assert.equal((await post(`{"messages":${'['.repeat(100_000)}${']'.repeat(100_000)}}`)).status, 400);
  assert.equal((await ask('http://x/v1/models/%zz')).status, 404);
  assert.equal((await ask(`http://x/${'/'.repeat(1 << 20)}x`)).status, 404); // in linear time, or not within the test's
});
