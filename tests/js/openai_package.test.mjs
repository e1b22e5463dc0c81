// The real `openai` package over createFetch(engine), in Chromium: chat, streams, tools, completions,
// embeddings, responses, models, errors, aborts.

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';

import { chromium } from 'playwright-core';

import { createStaticServer, listen } from '../../tools/serve.mjs';

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const fixtures = join(resolve(process.env.QN_SHARED ?? '../shared'), 'fixtures');
const packages = resolve('node_modules');
const skip = !existsSync(executablePath) ? 'skipped: no Chromium' : !existsSync(fixtures) ? 'skipped: no ../shared' : !existsSync(join(packages, 'openai')) ? 'skipped: no openai package' : false;
const timeout = 120_000;

/** @type {import('node:http').Server} */ let server;
/** @type {import('playwright-core').Browser} */ let browser;
/** @type {import('playwright-core').Page} */ let page;
let folder = '';
/** @type {string[]} */ const elsewhere = [];

before(async () => {
  if (skip) return;
  folder = mkdtempSync(join(tmpdir(), 'quern-openai-'));
  writeFileSync(join(folder, 'index.html'), '<!doctype html><title>test</title><script type="module" src="app.js"></script>');
  writeFileSync(
    join(folder, 'app.js'),
    `import OpenAI from '/npm/openai/index.mjs';
     import { createEngine } from '/web/index.js';
     import { createFetch } from '/web/openai/fetch.js';
     const engine = await createEngine({ model: '/fixtures/mlc/qwen2_q4f16_1/', store: 'memory' });
     const embedder = await createEngine({ model: '/fixtures/mlc/qwen2_q4f16_1/', store: 'memory', embeddings: true });
     window.engine = engine;
     window.OpenAI = OpenAI;
     window.openai = new OpenAI({ apiKey: '-', fetch: createFetch({ grain: engine, vectors: embedder }), dangerouslyAllowBrowser: true, maxRetries: 0 });`,
  );
  server = createStaticServer({ isolation: false, csp: '', extra: { app: folder, fixtures, npm: packages } });
  const base = `http://localhost:${await listen(server, 0)}`;
  browser = await chromium.launch({ executablePath, args: ['--headless=new', '--no-sandbox', '--disable-background-networking', '--disable-component-update', '--no-first-run'] });
  page = await browser.newPage();
  page.on('request', (request) => !request.url().startsWith(base) && !request.url().startsWith('blob:') && elsewhere.push(request.url()));
  await page.goto(`${base}/app/index.html`);
  await page.waitForFunction(() => 'openai' in window, undefined, { timeout: 60_000 });
});

after(async () => {
  await browser?.close();
  server?.closeAllConnections();
  server?.close();
  if (folder) rmSync(folder, { recursive: true });
});

/** Runs in the page. @template T @param {(openai: any, window: any) => Promise<T>} work @returns {Promise<T>} */
const inPage = (work) => page.evaluate(`(${work})(window.openai, window)`);

test('chat completions', { skip, timeout }, async () => {
  const r = await inPage(async (openai) => {
    const request = { model: 'gpt-4o', messages: [{ role: 'user', content: 'Hello' }], max_completion_tokens: 8, temperature: 0 };
    const whole = await openai.chat.completions.create({ ...request, n: 2, logprobs: true, top_logprobs: 3 });
    const chunks = [];
    for await (const chunk of await openai.chat.completions.create({ ...request, stream: true, stream_options: { include_usage: true } })) chunks.push(chunk);
    const final = await openai.chat.completions.stream(request).finalChatCompletion();
    return { whole, chunks, final };
  });
  assert.equal(r.whole.object, 'chat.completion');
  assert.equal(r.whole.choices.length, 2);
  assert.equal(r.whole.usage.completion_tokens, 16);
  assert.equal(r.whole.choices[0].logprobs.content.length, 8);
  assert.equal(r.whole.choices[0].logprobs.content[0].top_logprobs.length, 3);
  const content = r.whole.choices[0].message.content;
  assert.equal(r.chunks.map((c) => c.choices[0]?.delta.content ?? '').join(''), content);
  assert.equal(r.chunks.at(-1).usage.total_tokens, r.chunks.at(-1).usage.prompt_tokens + 8);
  assert.equal(r.final.choices[0].message.content, content);
});

test('completions and embeddings', { skip, timeout }, async () => {
  const r = await inPage(async (openai, { engine }) => {
    const request = { model: 'm', prompt: 'one two', max_tokens: 5, temperature: 0 };
    const whole = await openai.completions.create({ ...request, logprobs: 2, echo: false });
    let text = '';
    for await (const chunk of await openai.completions.create({ ...request, stream: true })) text += chunk.choices[0]?.text ?? '';
    const floats = await openai.embeddings.create({ model: 'm', input: ['a', 'b c'], encoding_format: 'float' });
    const packed = await openai.embeddings.create({ model: 'm', input: 'b c' }); // the package asks for base64 and unpacks it
    const ids = await openai.embeddings.create({ model: 'm', input: await engine.tokenize('b c'), encoding_format: 'float' });
    return { whole, text, floats, packed, ids };
  });
  assert.equal(r.whole.object, 'text_completion');
  assert.equal(r.whole.choices[0].text, r.text);
  assert.equal(r.whole.choices[0].logprobs.tokens.length, 5);
  assert.equal(r.floats.data.length, 2);
  const [a, b] = r.floats.data.map((d) => d.embedding);
  assert.ok(Math.abs(Math.hypot(...a) - 1) < 1e-4 && Math.abs(Math.hypot(...b) - 1) < 1e-4);
  assert.ok(b.some((/** @type {number} */ x, /** @type {number} */ i) => Math.abs(x - a[i]) > 1e-4));
  for (const other of [r.packed, r.ids]) b.forEach((/** @type {number} */ x, /** @type {number} */ i) => assert.ok(Math.abs(x - other.data[0].embedding[i]) < 1e-6));
});

test('responses', { skip, timeout }, async () => {
  const r = await inPage(async (openai) => {
    const whole = await openai.responses.create({ model: 'm', input: 'Hello', instructions: 'Be brief.', max_output_tokens: 6, temperature: 0 });
    const next = await openai.responses.create({ model: 'm', input: [{ role: 'user', content: [{ type: 'input_text', text: 'Again' }] }], previous_response_id: whole.id, max_output_tokens: 6 });
    const events = [];
    for await (const event of await openai.responses.create({ model: 'm', input: 'Hello', instructions: 'Be brief.', max_output_tokens: 6, temperature: 0, stream: true })) events.push(event);
    const kept = await openai.responses.retrieve(whole.id);
    await openai.responses.delete(whole.id);
    const gone = await openai.responses.retrieve(whole.id).catch((/** @type {any} */ e) => e.status);
    const refused = await openai.responses.create({ model: 'm', input: 'x', background: true }).catch((/** @type {any} */ e) => [e.status, e.code]);
    return { whole, text: whole.output_text, next, events, kept, gone, refused };
  });
  assert.equal(r.whole.object, 'response');
  assert.equal(r.whole.status, 'incomplete');
  assert.deepEqual(r.whole.incomplete_details, { reason: 'max_output_tokens' });
  assert.equal(r.whole.usage.output_tokens, 6);
  assert.equal(r.text, r.whole.output[0].content[0].text);
  assert.ok(r.next.usage.input_tokens > 0 && r.next.previous_response_id === r.whole.id);
  assert.deepEqual(r.events.map((e) => e.sequence_number), r.events.map((_, i) => i));
  const types = r.events.map((e) => e.type).filter((t) => t !== 'response.output_text.delta');
  assert.deepEqual(types, ['response.created', 'response.in_progress', 'response.output_item.added', 'response.content_part.added', 'response.output_text.done', 'response.content_part.done', 'response.output_item.done', 'response.incomplete']);
  assert.equal(r.events.filter((e) => e.type === 'response.output_text.delta').map((e) => e.delta).join(''), r.text);
  assert.equal(r.kept.id, r.whole.id);
  assert.equal(r.gone, 404);
  assert.deepEqual(r.refused, [400, 'unsupported_parameter']);
});

test('models, errors, aborts', { skip, timeout }, async () => {
  const r = await inPage(async (openai, { OpenAI }) => {
    const models = [];
    for await (const model of openai.models.list()) models.push(model);
    const messages = [{ role: 'user', content: 'Hello' }];
    const seen = async (/** @type {Promise<any>} */ promise) => promise.then(() => 'fine', (e) => ({ name: e.constructor.name, bad: e instanceof OpenAI.BadRequestError, status: e.status, message: e.message, code: e.code, param: e.param }));
    const unknown = await seen(openai.chat.completions.create({ model: 'm', messages, no_such_field: 1 }));
    const range = await seen(openai.chat.completions.create({ model: 'm', messages, temperature: 7 }));
    const long = await seen(openai.chat.completions.create({ model: 'm', messages: [{ role: 'user', content: 'word '.repeat(3000) }] }));
    const path = await seen(openai.files.list());
    const controller = new AbortController();
    const stream = await openai.chat.completions.create({ model: 'm', messages, stream: true, ignore_eos: true }, { signal: controller.signal });
    let n = 0;
    for await (const _ of stream) if (++n === 2) controller.abort();
    const before = AbortSignal.abort();
    const never = await seen(openai.chat.completions.create({ model: 'm', messages }, { signal: before }));
    const left = await openai.chat.completions.create({ model: 'm', messages, stream: true, ignore_eos: true });
    for await (const _ of left) break;
    const after = await openai.chat.completions.create({ model: 'm', messages, max_tokens: 2 });
    return { models, unknown, range, long, path, n, never, after: after.usage.completion_tokens };
  });
  assert.deepEqual(r.models.map((m) => m.id), ['grain', 'vectors']);
  assert.equal(r.unknown.status, 400);
  assert.ok(r.unknown.bad);
  assert.match(r.unknown.message, /no_such_field/);
  assert.equal(r.range.status, 400);
  assert.equal(r.range.param, 'temperature');
  assert.equal(r.long.code, 'context_length_exceeded');
  assert.equal(r.path.status, 404);
  assert.ok(r.n < 30, String(r.n));
  assert.equal(r.never.name, 'APIUserAbortError');
  assert.equal(r.after, 2);
  assert.deepEqual(elsewhere, []);
});
