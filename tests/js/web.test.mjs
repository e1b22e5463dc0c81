// The JavaScript around the engine, without a browser: downloads against a server that misbehaves, the
// store's failures, calls across a worker, the streams of chat completions.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';

import { Channel } from '../../web/channel.js';
import { ChatCompletions } from '../../web/chat.js';
import { deserializeError, fail, QuernError, serializeError, STATUS } from '../../web/errors.js';
import { ModelFiles, planRanges, RANGE } from '../../web/files.js';
import { BlobFiles, HttpFiles } from '../../web/http.js';
import { openSource, resolveModel, StoredFiles } from '../../web/sources.js';
import { BLOCK } from '../../web/store.js';

/** @typedef {(request: import('node:http').IncomingMessage, response: import('node:http').ServerResponse) => void} Answer */

const DATA = randomBytes(300_000);
/** @type {Map<string, Answer[]>} answers by path, one after another; the last one stays */
const script = new Map();
/** @type {{ method: string, path: string, range: string }[]} */
let log = [];
/** @type {import('node:http').Server} */ let server;
let base = '';

/** A server as it should be. @param {Uint8Array} data @returns {Answer} */
const serve = (data) => (request, response) => {
  const m = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
  const [start, end] = m ? [Number(m[1]), Math.min(Number(m[2]), data.length - 1)] : [0, data.length - 1];
  if (start > end) return void response.writeHead(416).end();
  response.writeHead(m ? 206 : 200, {
    'content-length': end - start + 1,
    ...(m ? { 'content-range': `bytes ${start}-${end}/${data.length}` } : {}),
  });
  response.end(request.method === 'HEAD' ? undefined : data.subarray(start, end + 1));
};
/** @param {number} code @returns {Answer} */
const status = (code) => (_, response) => void response.writeHead(code).end('no');
const whole = (/** @type {Uint8Array} */ data) => /** @type {Answer} */ ((request, response) => void response.writeHead(200, { 'content-length': data.length }).end(request.method === 'HEAD' ? undefined : data));

before(async () => {
  server = createServer((request, response) => {
    const path = request.url ?? '';
    log.push({ method: request.method ?? '', path, range: request.headers.range ?? '' });
    const answers = script.get(path) ?? [status(404)];
    (answers.length > 1 ? /** @type {Answer} */ (answers.shift()) : answers[0])(request, response);
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', () => done(undefined)));
  base = `http://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (server.address()).port}/`;
});
after(() => {
  server.closeAllConnections();
  server.close();
});

/** @param {Record<string, Answer[]>} answers */
function scripted(answers) {
  script.clear();
  for (const [path, list] of Object.entries(answers)) script.set(path, list);
  log = [];
  let bytes = 0;
  const files = new HttpFiles(base, (n) => (bytes += n));
  return { files, received: () => bytes };
}

/** @param {Promise<unknown>} promise @param {string} code */
const refuses = (promise, code) => assert.rejects(promise, (/** @type {any} */ e) => {
  assert.ok(e instanceof QuernError, String(e));
  assert.equal(e.code, code, e.message);
  return true;
});
const same = (/** @type {Uint8Array} */ a, /** @type {Uint8Array} */ b) => assert.equal(Buffer.compare(a, b), 0);

// ---- downloads

test('sizes: HEAD, a server without HEAD, a missing file', async () => {
  const { files } = scripted({
    '/a': [serve(DATA)],
    '/b': [(q, s) => (q.method === 'HEAD' ? status(405)(q, s) : serve(DATA)(q, s))],
    '/c': [(q, s) => (q.method === 'HEAD' ? status(403)(q, s) : whole(DATA)(q, s))],
    '/gone': [status(410)],
    '/d': [(q, s) => { // chunked, and without Content-Range
      s.writeHead(q.headers.range ? 206 : 200);
      if (q.method !== 'HEAD') s.write(q.headers.range ? DATA.subarray(0, 1) : DATA);
      s.end();
    }],
  });
  assert.equal(await files.size('d'), DATA.length);
  assert.equal(await files.size('a'), DATA.length);
  assert.equal(await files.size('b'), DATA.length);
  assert.equal(await files.size('c'), DATA.length);
  assert.equal(await files.size('missing'), null);
  assert.equal(await files.size('gone'), null);
});

test('a compressed transfer has the size and the bytes of the file', async () => {
  const text = Buffer.from('{"a":1}\n'.repeat(1000));
  const packed = gzipSync(text);
  const { files, received } = scripted({
    '/t': [(q, s) => void s.writeHead(200, { 'content-encoding': 'gzip', 'content-length': packed.length }).end(q.method === 'HEAD' ? undefined : packed)],
  });
  assert.equal(await files.size('t'), text.length);
  same(await files.read('t', 16, 4000), text.subarray(16, 4016));
  assert.equal(received(), 4000);
});

test('ranges, a server that ignores them, names that need escapes', async () => {
  const { files, received } = scripted({ '/a': [serve(DATA)], '/all': [whole(DATA)], '/sub/x%20%23%C3%A9': [serve(DATA)] });
  same(await files.read('a', 1000, 5000), DATA.subarray(1000, 6000));
  assert.equal(log.at(-1)?.range, 'bytes=1000-5999');
  same(await files.read('all', 250_000, 50_000), DATA.subarray(250_000));
  same(await files.read('sub/x #é', 0, 10), DATA.subarray(0, 10));
  assert.equal((await files.read('a', 5, 0)).length, 0);
  assert.equal(received(), 55_010);
});

test('500 and 429 are tried again, 404 and 416 are not', async () => {
  const { files } = scripted({ '/a': [status(500), status(429), serve(DATA)], '/b': [status(404)], '/c': [serve(DATA)] });
  same(await files.read('a', 0, 100), DATA.subarray(0, 100));
  assert.equal(log.length, 3);
  await refuses(files.read('b', 0, 10), 'QN_E_NETWORK');
  assert.equal(log.length, 4);
  await refuses(files.read('c', DATA.length, 10), 'QN_E_NETWORK');
  assert.equal(log.length, 5);
});

test('a connection that breaks is taken up where it broke, and counted once', async () => {
  /** @type {Answer} */
  const cut = (q, s) => {
    const [, start] = /** @type {RegExpExecArray} */ (/=(\d+)-/.exec(q.headers.range ?? ''));
    s.writeHead(206, { 'content-length': 200_000 - Number(start), 'content-range': `bytes ${start}-199999/300000` });
    s.write(DATA.subarray(Number(start), Number(start) + 70_000), () => setTimeout(() => s.destroy(), 50));
  };
  const { files, received } = scripted({ '/a': [cut, cut, serve(DATA)] });
  same(await files.read('a', 0, 200_000), DATA.subarray(0, 200_000));
  assert.equal(received(), 200_000);
  assert.deepEqual(log.map((l) => l.range), ['bytes=0-199999', 'bytes=70000-199999', 'bytes=140000-199999']);
});

test('a file that is shorter than it was said to be is an error in the end', async () => {
  const { files } = scripted({ '/a': [serve(DATA)], '/b': [(_, s) => void s.writeHead(206, { 'content-range': 'bytes 50-99/300000', 'content-length': 50 }).end(DATA.subarray(50, 100))] });
  await refuses(files.read('a', 299_000, 5000), 'QN_E_NETWORK'); // 416 once the rest is asked for
  await refuses(files.read('b', 0, 50), 'QN_E_NETWORK'); // another range than the one asked for
});

test('redirects are followed', async () => {
  const { files } = scripted({ '/old': [(_, s) => void s.writeHead(302, { location: '/new' }).end()], '/new': [serve(DATA)] });
  assert.equal(await files.size('old'), DATA.length);
  same(await files.read('old', 7, 9), DATA.subarray(7, 16));
});

test('no server at all, and aborts while waiting', async () => {
  const nowhere = new HttpFiles('http://127.0.0.1:1/');
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 100);
  await assert.rejects(nowhere.read('x', 0, 5, controller.signal), { name: 'AbortError' });
  await refuses(nowhere.size('x'), 'QN_E_NETWORK');
  const { files } = scripted({ '/slow': [() => {}] });
  const second = new AbortController();
  setTimeout(() => second.abort(), 50);
  await assert.rejects(files.read('slow', 0, 5, second.signal), { name: 'AbortError' });
});

// ---- the store

class MapStore {
  kind = /** @type {const} */ ('opfs');
  /** @type {Map<string, Uint8Array>} */ blocks = new Map();
  /** @type {string | null} */ meta = null;
  failAfter = Infinity; // writes until the quota is used up
  closed = 0;
  readMeta = async () => this.meta;
  writeMeta = async (/** @type {string} */ json) => void (this.meta = json);
  read = async (/** @type {string} */ name, /** @type {number} */ block) => this.blocks.get(`${block} ${name}`) ?? null;
  write = async (/** @type {string} */ name, /** @type {number} */ block, /** @type {Uint8Array} */ bytes) => {
    if (this.failAfter-- <= 0) throw new DOMException('full', 'QuotaExceededError');
    this.blocks.set(`${block} ${name}`, bytes.slice());
  };
  close = async () => void this.closed++;
}

const BIG = Buffer.alloc(2 * BLOCK + 12_345);
for (let i = 0; i < BIG.length; i += 32) createHash('sha256').update(String(i >> 16)).digest().copy(BIG, i);

/** @param {MapStore} store */
async function stored(store) {
  const { files } = scripted({ '/w': [serve(BIG)] });
  let verified = 0;
  const backing = new StoredFiles(files, store, base, (n) => (verified += n));
  await backing.open();
  return { backing, verified: () => verified };
}
const gets = () => log.filter((l) => l.method === 'GET').map((l) => Number(/=(\d+)/.exec(l.range)?.[1]) / BLOCK);

test('a second load takes nothing from the network, not even sizes', async () => {
  const store = new MapStore();
  const first = await stored(store);
  assert.equal(await first.backing.size('w'), BIG.length);
  assert.equal(await first.backing.size('missing'), null);
  same(await first.backing.read('w', BLOCK - 10, 20), BIG.subarray(BLOCK - 10, BLOCK + 10));
  same(await first.backing.read('w', 2 * BLOCK + 1, 12_344), BIG.subarray(2 * BLOCK + 1));
  assert.deepEqual(gets(), [0, 1, 2]);
  await first.backing.flush();
  assert.equal(store.closed, 1);
  const second = await stored(store);
  assert.equal(second.backing.sizeSync('w'), BIG.length);
  assert.equal(await second.backing.size('missing'), null);
  same(await second.backing.read('w', 0, BIG.length), BIG);
  assert.deepEqual(log, []);
  assert.equal(second.verified(), BIG.length);
});

test('one flipped bit in the store costs one download', async () => {
  const store = new MapStore();
  const first = await stored(store);
  await first.backing.read('w', 0, BIG.length);
  await first.backing.flush();
  /** @type {Uint8Array} */ (store.blocks.get('1 w'))[77] ^= 8;
  const second = await stored(store);
  same(await second.backing.read('w', 0, BIG.length), BIG);
  assert.deepEqual(gets(), [1]);
  await second.backing.flush();
  const third = await stored(store);
  same(await third.backing.read('w', 0, BIG.length), BIG);
  assert.deepEqual(log, []);
});

test('a store that is full, gone or nonsense only costs downloads', async () => {
  const full = new MapStore();
  full.failAfter = 1;
  const first = await stored(full);
  same(await first.backing.read('w', 0, BIG.length), BIG);
  await first.backing.flush();
  const again = await stored(full);
  same(await again.backing.read('w', 0, BIG.length), BIG);
  assert.equal(gets().length, 2, `one block was kept; asked for ${gets()}`);

  const evicted = new MapStore();
  const before = await stored(evicted);
  await before.backing.read('w', 0, BIG.length);
  await before.backing.flush();
  evicted.read = async () => Promise.reject(new DOMException('gone', 'NotReadableError'));
  const after = await stored(evicted);
  same(await after.backing.read('w', 0, 100), BIG.subarray(0, 100));
  assert.deepEqual(gets(), [0]);

  for (const meta of ['', '{', '[]', 'null', '{"version":2}', '{"version":1,"files":null}', '{"version":1,"files":{"w":{"size":-4}}}', '{"version":1,"files":{"w":7}}']) {
    const odd = new MapStore();
    odd.meta = meta;
    const { backing } = await stored(odd);
    same(await backing.read('w', 5, 10), BIG.subarray(5, 15));
  }
});

test('a tab that dies while downloading goes on where it was', async () => {
  const store = new MapStore();
  const { backing } = await stored(store);
  await backing.read('w', 0, BLOCK);
  while (!store.meta?.includes('"0"')) await new Promise((done) => setTimeout(done, 5)); // never flushed
  const second = await stored(store);
  same(await second.backing.read('w', 0, BIG.length), BIG);
  assert.deepEqual(gets(), [1, 2]);
});

// ---- names, files, ranges

test('what a model may be called', () => {
  const hub = (/** @type {string} */ rest) => `https://huggingface.co/${rest}`;
  const at = (/** @type {string} */ model) => {
    const { base: b, main } = resolveModel(model);
    return [b, main];
  };
  assert.deepEqual(at('hf:org/repo'), [hub('org/repo/resolve/main/'), '']);
  assert.deepEqual(at('hf:org/repo@v1.2/sub/m-q4.gguf'), [hub('org/repo/resolve/v1.2/'), 'sub/m-q4.gguf']);
  assert.deepEqual(at('https://a.example/m/x%20y.gguf'), ['https://a.example/m/', 'x y.gguf']);
  assert.deepEqual(at('https://a.example/m'), ['https://a.example/m/', '']);
  assert.deepEqual(at('qwen2.5-0.5b'), [hub('mlc-ai/Qwen2.5-0.5B-Instruct-q4f16_1-MLC/resolve/main/'), '']);
  assert.match(resolveModel(undefined).base, /\/models\/grist\/$/);
  for (const bad of ['nonsense', 'javascript:alert(1)', 'data:,x', 'hf:', 'hf:one', 'hf:a/b/../../c.txt', 'ftp://a.example/x.gguf', '']) {
    assert.throws(() => resolveModel(bad), (/** @type {any} */ e) => e.code === 'QN_E_NOT_FOUND', bad);
  }
});

test('of a split model that was picked, the first part is the main file', async () => {
  const parts = [3, 1, 2].map((i) => new File([DATA], `m-0000${i}-of-00003.gguf`));
  const source = await openSource([new File([], 'README.md'), ...parts], { store: 'auto' });
  assert.equal(source.main, 'm-00001-of-00003.gguf');
  assert.equal(await source.backing.size('m-00003-of-00003.gguf'), DATA.length);
});

test('picked files', async () => {
  const source = await openSource([new File(['{"a":1}'], 'config.json'), new File([DATA], 'm.gguf')], { store: 'auto' });
  assert.equal(source.main, 'm.gguf');
  assert.equal(await source.backing.size('m.gguf'), DATA.length);
  assert.equal(await source.backing.size('none'), null);
  same(await source.backing.read('m.gguf', 10, 20), DATA.subarray(10, 30));
  await refuses(new BlobFiles([]).read('x', 0, 1), 'QN_E_NOT_FOUND');
});

test('ranges join neighbours, never files, gaps or more than one range may hold', () => {
  const ranges = planRanges([
    { file: 'a', offset: 0, size: 100 }, { file: 'a', offset: 100, size: 50 }, { file: 'a', offset: 60_000, size: 10 }, { file: 'a', offset: 200_000, size: 10 },
    { file: 'b', offset: 200_010, size: 10 }, { file: 'b', offset: 200_020, size: RANGE }, { file: 'b', offset: 200_020 + RANGE, size: 1 },
  ]);
  assert.deepEqual(ranges.map((r) => [r.file, r.offset, r.size, r.last]), [
    ['a', 0, 60_010, 2], ['a', 200_000, 10, 3], ['b', 200_010, 10, 4], ['b', 200_020, RANGE, 5], ['b', 200_020 + RANGE, 1, 6],
  ]);
});

test('headers are read ahead, what lies elsewhere is not', async () => {
  const data = randomBytes(3 << 20);
  const { files } = scripted({ '/a': [serve(data)] });
  const model = new ModelFiles(files);
  const target = new Uint8Array(100);
  const ask = async (/** @type {number} */ offset) => {
    while (model.read('a', offset, target) !== STATUS.OK) await model.satisfy();
    same(target, data.subarray(offset, offset + 100));
    return log.findLast((l) => l.method === 'GET')?.range;
  };
  model.size('a');
  await model.satisfy();
  assert.equal(await ask(0), 'bytes=0-1048575');
  assert.equal(await ask(2_000_000), 'bytes=2000000-2000099');
  assert.equal(await ask(1_048_500), 'bytes=1048500-3145651', 'onwards from the header, in growing steps');
});

test('what is not there yet is asked for, then is there', async () => {
  const { files } = scripted({ '/a': [serve(DATA)] });
  const model = new ModelFiles(files);
  const target = new Uint8Array(10);
  assert.equal(model.size('a'), -STATUS.E_NEED_DATA);
  await model.satisfy();
  assert.equal(model.size('a'), DATA.length);
  assert.equal(model.read('a', 500, target), STATUS.E_NEED_DATA);
  await model.satisfy();
  assert.equal(model.read('a', 500, target), STATUS.OK);
  same(target, DATA.subarray(500, 510));
  assert.equal(model.size('none'), -STATUS.E_NEED_DATA);
  await model.satisfy();
  assert.equal(model.size('none'), -STATUS.E_NOT_FOUND);
  await refuses(model.satisfy(), 'QN_E_INTERNAL');
});

// ---- errors and calls across a worker

test('errors keep code, name and text; other errors are internal ones', () => {
  const there = (/** @type {unknown} */ e) => /** @type {any} */ (deserializeError(structuredClone(serializeError(e))));
  for (const value of Object.values(STATUS).filter((s) => s > 0)) {
    const error = fail(value, 'here');
    const copy = there(error);
    assert.ok(copy instanceof QuernError);
    assert.deepEqual([copy.name, copy.code, copy.status, copy.message], [error.name, error.code, error.status, error.message]);
    assert.notEqual(copy.name, '');
  }
  assert.equal(there(new DOMException('x', 'AbortError')).name, 'AbortError');
  assert.deepEqual([there(new TypeError('odd')).code, there(new TypeError('odd')).message], ['QN_E_INTERNAL', 'TypeError: odd']);
  assert.equal(there('text').message, 'text');
});

/** A worker's port by hand. */
function fakePort() {
  /** @type {Record<string, ((e: any) => void)[]>} */
  const listeners = {};
  /** @type {any[]} */
  const sent = [];
  return {
    sent,
    postMessage: (/** @type {any} */ m) => sent.push(structuredClone(m)),
    addEventListener: (/** @type {string} */ type, /** @type {any} */ f) => (listeners[type] ??= []).push(f),
    emit: (/** @type {string} */ type, /** @type {any} */ e) => listeners[type]?.forEach((f) => f(e)),
    say: (/** @type {any} */ data) => listeners.message?.forEach((f) => f({ data })),
  };
}

test('calls are answered by number, tell events, abort, and fail together', async () => {
  const port = fakePort();
  const channel = new Channel(/** @type {any} */ (port));
  /** @type {unknown[]} */
  const events = [];
  const controller = new AbortController();
  const one = channel.call('a', [1], { onEvent: (e) => events.push(e) });
  const two = channel.call('b', [2], { signal: controller.signal });
  assert.deepEqual(port.sent, [{ id: 1, method: 'a', args: [1] }, { id: 2, method: 'b', args: [2] }]);
  port.say({ id: 1, event: 'x' });
  port.say({ id: 99, result: 'nobody' });
  controller.abort();
  assert.deepEqual(port.sent.at(-1), { id: 2, abort: true });
  port.say({ id: 2, error: serializeError(new DOMException('aborted', 'AbortError')) });
  port.say({ id: 1, result: 'done' });
  port.say({ id: 1, event: 'late' });
  assert.equal(await one, 'done');
  await assert.rejects(two, { name: 'AbortError' });
  assert.deepEqual(events, ['x']);
  await assert.rejects(channel.call('c', [], { signal: AbortSignal.abort() }), { name: 'AbortError' });
  assert.equal(port.sent.length, 3, 'nothing is sent for a call that was aborted before');
  const three = channel.call('d', []);
  port.emit('error', { message: 'it broke' });
  await refuses(three, 'QN_E_INTERNAL');
  const sent = port.sent.length;
  await assert.rejects(channel.call('e', []), /the worker failed: it broke/);
  assert.equal(port.sent.length, sent, 'nothing is sent to a worker that failed');
  const other = new Channel(/** @type {any} */ (fakePort()));
  await assert.rejects(other.call('f', [() => {}]), { name: 'DataCloneError' });
  const four = other.call('e', []);
  other.close();
  await refuses(four, 'QN_E_CANCELLED');
  await refuses(other.call('e', []), 'QN_E_CANCELLED');
});

// ---- chat completions

const USAGE = {
  prompt_tokens: 5, completion_tokens: 2, total_tokens: 7, prompt_tokens_details: { cached_tokens: 0 },
  timings: { time_to_first_token_ms: 1, prefill_tokens_per_s: 2, decode_tokens_per_s: 3, total_ms: 4 },
};
const messages = [{ role: /** @type {const} */ ('user'), content: 'Hi' }];

/** @param {(options: import('../../web/channel.js').CallOptions, request: any) => Promise<unknown>} answer */
const completions = (answer) => new ChatCompletions((_, [request], options) => answer(options ?? {}, request), 'model');
/** What the worker tells. @param {string} text @param {number} tokens @param {number} prompt */
const said = (text, tokens, prompt) => ({ parts: [{ kind: 'content', call: 0, text }], logprobs: [], tokens, prompt });
const tick = () => new Promise((done) => setTimeout(done, 1));

test('not streamed: one object as OpenAI has it', async () => {
  const chat = completions(async ({ onEvent }, request) => {
    assert.deepEqual(request, { messages, temperature: 0 });
    for (const text of ['He', 'llo']) onEvent?.(said(text, 1, 5));
    return { finish: 'stop', usage: USAGE };
  });
  const answer = await chat.create({ messages, temperature: 0, stream: false });
  assert.equal(answer.object, 'chat.completion');
  assert.deepEqual(answer.choices, [{ index: 0, message: { role: 'assistant', content: 'Hello', refusal: null }, logprobs: null, finish_reason: 'stop' }]);
  assert.deepEqual(answer.usage, USAGE);
  assert.match(answer.id, /^chatcmpl-/);
  await refuses(chat.create({ messages, stream_options: { include_usage: true } }), 'QN_E_ARGUMENT');
});

test('streamed: role, pieces, finish, then usage where it is wanted', async () => {
  const chat = completions(async ({ onEvent }) => {
    await tick();
    onEvent?.(said('A', 1, 5));
    onEvent?.(said('B', 2, 5));
    return { finish: 'length', usage: USAGE };
  });
  for (const options of [undefined, { include_usage: true }, { include_usage: true, continuous_usage_stats: true }]) {
    const chunks = [];
    for await (const chunk of await chat.create({ messages, stream: true, stream_options: options })) chunks.push(chunk);
    assert.deepEqual(chunks.flatMap((c) => c.choices.map((x) => x.delta)), [{ role: 'assistant', content: '' }, { content: 'A' }, { content: 'B' }, {}]);
    assert.equal(new Set(chunks.map((c) => c.id)).size, 1);
    assert.equal(chunks.filter((c) => c.choices[0]?.finish_reason === 'length').length, 1);
    const last = chunks.at(-1);
    if (options) assert.deepEqual([last?.choices, last?.usage], [[], USAGE]);
    else assert.ok(chunks.every((c) => !('usage' in c)));
    const running = chunks[2].usage;
    assert.deepEqual(running, !options ? undefined : options.continuous_usage_stats ? { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 } : null);
  }
});

test('leaving the loop early aborts the generation', async () => {
  /** @type {AbortSignal | undefined} */
  let signal;
  const chat = completions(({ onEvent, signal: s }) => {
    signal = s;
    onEvent?.(said('A', 1, 1));
    return new Promise((_, reject) => s?.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError'))));
  });
  for await (const chunk of await chat.create({ messages, stream: true })) if (chunk.choices[0].delta.content) break;
  assert.equal(signal?.aborted, true);
});

test('an error after some pieces comes after those pieces; one before them refuses the call', async () => {
  const late = completions(async ({ onEvent }) => {
    onEvent?.(said('A', 1, 1));
    await tick();
    throw fail(STATUS.E_GPU_LOST, 'x');
  });
  const seen = [];
  await refuses((async () => {
    for await (const chunk of await late.create({ messages, stream: true })) seen.push(chunk.choices[0].delta.content);
  })(), 'QN_E_GPU_LOST');
  assert.deepEqual(seen, ['', 'A']);
  const early = completions(async () => Promise.reject(fail(STATUS.E_CONTEXT, 'x')));
  await refuses(early.create({ messages, stream: true }), 'QN_E_CONTEXT');
});

test('a signal ends a stream with an AbortError', async () => {
  const chat = completions(({ onEvent, signal }) => {
    if (signal?.aborted) return Promise.reject(new DOMException('aborted', 'AbortError'));
    onEvent?.(said('A', 1, 1));
    return new Promise((_, reject) => signal?.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError'))));
  });
  const controller = new AbortController();
  const stream = await chat.create({ messages, stream: true }, { signal: controller.signal });
  await assert.rejects((async () => {
    for await (const chunk of stream) if (chunk.choices[0].delta.content === 'A') controller.abort();
  })(), { name: 'AbortError' });
  await assert.rejects(chat.create({ messages, stream: true }, { signal: AbortSignal.abort() }), { name: 'AbortError' });
});
