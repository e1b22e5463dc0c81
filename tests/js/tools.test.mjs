// Calls that are forced, by a model of random weights: names and arguments are right whatever it
// would rather say, in every form that templates write calls in.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test from 'node:test';

import { diskBacking } from '../../bin/host.mjs';
import { addPart } from '../../web/requests.js';
import { fixture, openFiles, skipFixtures } from './lib/models.mjs';

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

/** @param {string} form of calls @param {(engine: Awaited<ReturnType<typeof openFiles>>) => Promise<void>} use */
async function withTemplate(form, use) {
  const template = `{% if tools %}{{ '${form.replaceAll("'", "\\'")}' }}{% endif %}{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant:`;
  const bytes = new TextEncoder().encode(JSON.stringify({ chat_template: template }));
  const disk = diskBacking(fixture('mlc/qwen2_q4f16_1').path);
  const own = (/** @type {string} */ name) => name === 'tokenizer_config.json';
  const engine = await openFiles(
    {
      size: async (name) => (own(name) ? bytes.length : disk.size(name)),
      read: async (name, offset, n) => (own(name) ? bytes.slice(offset, offset + n) : disk.read(name, offset, n)),
    },
    '',
    { context: 256 },
  );
  try {
    await use(engine);
  } finally {
    engine.close();
    disk.close();
  }
}

/** @param {Awaited<ReturnType<typeof openFiles>>} engine @param {Record<string, unknown>} rest */
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

test('JSON beside tools: JSON or a call', { skip: skipFixtures }, () => withTemplate(FORMS.hermes, async (engine) => {
  for (const seed of [1, 2, 3, 4]) {
    const format = { type: 'json_schema', json_schema: { name: 'x', schema: { type: 'object', properties: { ok: { type: 'boolean' } }, required: ['ok'], additionalProperties: false } } };
    const { calls, finish, content } = await say(engine, { response_format: format, seed });
    if (finish === 'length') continue;
    if (calls.length) calls.forEach((c) => checkCall(c, String(seed)));
    else assert.equal(typeof JSON.parse(content).ok, 'boolean');
  }
}));
