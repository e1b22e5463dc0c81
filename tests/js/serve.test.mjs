// `quern serve`: OpenAI's HTTP interface, asked as its clients ask.

import assert from 'node:assert/strict';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import test, { after, before } from 'node:test';

import { directEngine } from '../../bin/host.mjs';
import { serve } from '../../bin/serve.mjs';
import { openEngine } from './lib/models.mjs';

/** @type {Awaited<ReturnType<typeof openEngine>>} */
let engine;
/** @type {Awaited<ReturnType<typeof serve>>} */
let server;
let base = '';
let aborted = 0; // requests whose clients left

before(async () => {
  engine = await openEngine('tests/data/tiny_hf', { context: 96 });
  const direct = directEngine(engine.core, engine.runner, 'tiny');
  const create = direct.chat.completions.create.bind(direct.chat.completions);
  const counted = async (/** @type {any} */ request, /** @type {any} */ options) => {
    options.signal.addEventListener('abort', () => aborted++);
    return create(request, options);
  };
  Object.assign(direct.chat.completions, { create: counted });
  server = await serve(direct, 0);
  base = `http://127.0.0.1:${server.port}`;
});
after(async () => {
  await server.close();
  engine.close();
});

const BIAS = { 0: -100, 61: -100, 62: -100, 63: -100 }; // no end
const CHAT = { messages: [{ role: 'user', content: 'the x' }], max_tokens: 8, temperature: 0, logit_bias: BIAS };

/** @param {string} path @param {unknown} body @param {Record<string, string>} [headers] */
const post = (path, body, headers = { 'content-type': 'application/json' }) =>
  fetch(base + path, { method: 'POST', headers, body: typeof body === 'string' ? body : JSON.stringify(body) });

test('health and models', async () => {
  assert.deepEqual(await (await fetch(`${base}/health`)).json(), { status: 'ok' });
  const { data } = await (await fetch(`${base}/v1/models`)).json();
  assert.deepEqual([data.length, data[0].id, data[0].object], [1, 'tiny', 'model']);
  assert.equal((await (await fetch(`${base}/v1/models/tiny`)).json()).id, 'tiny');
});

test('a chat, whole and as events, several at once', async () => {
  const whole = await (await post('/v1/chat/completions', CHAT)).json();
  assert.equal(whole.object, 'chat.completion');
  assert.equal(whole.usage.completion_tokens, 8);
  const text = whole.choices[0].message.content;
  const answers = await Promise.all([1, 2, 3, 4, 5, 6].map(async () => {
    const response = await post('/v1/chat/completions', { ...CHAT, stream: true, stream_options: { include_usage: true } });
    assert.match(String(response.headers.get('content-type')), /^text\/event-stream/);
    const events = (await response.text()).split('\n\n').filter(Boolean);
    assert.equal(events.pop(), 'data: [DONE]');
    const chunks = events.map((e) => JSON.parse(e.slice('data: '.length)));
    assert.equal(chunks.at(-1).usage.completion_tokens, 8);
    return chunks.flatMap((c) => c.choices.map((/** @type {any} */ x) => x.delta.content ?? '')).join('');
  }));
  assert.deepEqual(answers, Array(6).fill(text));
});

test('a completion of several prompts', async () => {
  const { choices } = await (await post('/v1/completions', { prompt: ['the x', 'the x'], max_tokens: 4, temperature: 0, logit_bias: BIAS })).json();
  assert.equal(choices.length, 2);
  assert.equal(choices[0].text, choices[1].text);
});

test('an answer of a given form', async () => {
  const { choices } = await (await post('/v1/chat/completions', { ...CHAT, max_tokens: 20, response_format: { type: 'regex', regex: '(in|the){3}' } })).json();
  assert.match(choices[0].message.content, /^(in|the){3}$/);
  assert.equal(choices[0].finish_reason, 'stop');
});

test('refusals name the field, as OpenAI does', async () => {
  for (const [path, body, status, param] of /** @type {[string, unknown, number, string | null][]} */ ([
    ['/v1/chat/completions', { ...CHAT, temperature: 3 }, 400, 'temperature'],
    ['/v1/chat/completions', { ...CHAT, temprature: 1 }, 400, 'temprature'],
    ['/v1/chat/completions', { ...CHAT, stream: true, top_p: 2 }, 400, 'top_p'],
    ['/v1/chat/completions', { ...CHAT, model: 5 }, 400, 'model'],
    ['/v1/completions', { prompt: 'a', model: { name: 'tiny' } }, 400, 'model'],
    ['/v1/responses', { input: 'a', model: 5 }, 400, 'model'],
    ['/v1/chat/completions', '[1]', 400, null],
    ['/v1/chat/completions', '{', 400, null],
    ['/v1/completions', { prompt: 'a', suffix: 'b' }, 400, 'suffix'],
    ['/v1/embeddings', { input: 'a' }, 404, null],
    ['/v1/images', {}, 404, null],
  ])) {
    const response = await post(path, body);
    const { error } = await response.json();
    assert.deepEqual([response.status, error.param, error.type], [status, param, 'invalid_request_error'], `${path} ${JSON.stringify(body)}: ${error.message}`);
  }
  assert.equal((await fetch(`${base}/v1/chat/completions`)).status, 404);
});

test('targets that are no addresses', async () => {
  for (const [target, status] of /** @type {const} */ ([['//[', 404], ['http://[', 400], ['*', 400], ['//127.0.0.1/health', 404], ['/health', 200]])) {
    const got = await new Promise((resolve, reject) => {
      const socket = connect(Number(new URL(base).port), '127.0.0.1', () => socket.end(`GET ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`));
      let text = '';
      socket.on('data', (data) => (text += data)).on('end', () => resolve(text)).on('error', reject);
    });
    assert.match(String(got), new RegExp(`^HTTP/1.1 ${status} `), target);
  }
});

test('an engine without a browser', async () => {
  const direct = /** @type {any} */ (directEngine(engine.core, engine.runner, 'tiny'));
  const ids = await direct.tokenize('the x');
  assert.equal(await direct.detokenize(ids), 'the x');
  assert.equal(typeof (await direct.isEnd(0)), 'boolean');
  assert.equal((await direct.logits(ids)).length, direct.info.vocab);
  assert.ok((await direct.promptTokens({ messages: CHAT.messages })).length > 0);
  assert.ok((await direct.memory()).wasm > 0);
  await assert.rejects(direct.sessions.save('a', CHAT), { code: 'QN_E_UNSUPPORTED' });
});

test('pages of other origins get nothing', async () => {
  assert.equal((await post('/v1/chat/completions', CHAT, { 'content-type': 'text/plain' })).status, 415);
  const status = await new Promise((resolve, reject) => {
    httpRequest({ host: '127.0.0.1', port: server.port, path: '/v1/models', headers: { host: 'evil.example' } }, (r) => resolve(r.resume().statusCode)).on('error', reject).end();
  });
  assert.equal(status, 403);
  assert.equal((await fetch(`${base}/health`, { headers: { origin: 'https://evil.example' } })).headers.get('access-control-allow-origin'), null);
});

test('a client that leaves ends its generation', async () => {
  const controller = new AbortController();
  const response = await fetch(`${base}/v1/chat/completions`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, signal: controller.signal,
    body: JSON.stringify({ ...CHAT, max_tokens: 80, stream: true, n: 3 }),
  });
  const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
  await reader.read();
  controller.abort();
  await reader.closed.catch(() => {});
  for (let i = 0; aborted === 0 && i < 500; i++) await new Promise((go) => setTimeout(go, 10));
  assert.ok(aborted > 0);
  assert.equal((await (await post('/v1/chat/completions', CHAT)).json()).usage.completion_tokens, 8);
});
