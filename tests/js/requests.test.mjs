// Many requests to one engine at once, as the worker serves them: none lost, none mixed, each with its own abort.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Snapshots } from '../../web/snapshots.js';
import { choicesOf, runChoices, sumUsage } from '../../web/choices.js';
import { Requests } from '../../web/requests.js';
import { closeDevices, finish, gpuDevice, openEngine } from './lib/models.mjs';

after(closeDevices);
const compile = (/** @type {URL} */ url) => new WebAssembly.Module(readFileSync(fileURLToPath(url)));

const MODEL = new URL('../data/tiny_hf', import.meta.url).pathname;

/** Numbers from 0 to 1, the same every time. @param {number} seed */
function random(seed) {
  let state = seed >>> 0;
  return () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
}

/** @param {number} i */
function request(i) {
  const next = random(i);
  const words = Array.from({ length: 1 + Math.floor(next() * 6) }, () => 'the cat sat on a mat'.split(' ')[Math.floor(next() * 6)]);
  return {
    messages: [{ role: 'user', content: `${i % 7} ${words.join(' ')}` }],
    temperature: i % 3 ? 1 : 0,
    seed: i,
    max_tokens: 1 + Math.floor(next() * 20),
    ...(i % 5 ? {} : { response_format: { type: 'regex', regex: '[abc]{2}0123456789[xyz]{2}98765' } }), // most of it forced
  };
}

/** What each request answers by itself. @param {import('./lib/models.mjs').Engine} engine @param {number} n */
async function alone(engine, n) {
  const answers = [];
  for (let i = 0; i < n; i++) {
    const session = engine.core.createSession();
    await engine.core.starting(() => engine.core.startChat(session, request(i)), compile);
    answers.push(await finish(engine, session));
    engine.core.destroySession(session);
  }
  return answers;
}

/** @param {import('../../web/choices.js').Delta} d */
const textOf = (d) => d.parts.map((p) => p.text).join('');
const never = () => new AbortController().signal;

for (const where of ['cpu', 'gpu']) test(`200 requests at once with random aborts: none lost, none mixed, ${where}`, async () => {
  const engine = await openEngine(MODEL, { gpu: where === 'gpu' ? await gpuDevice([]) : null });
  const expected = await alone(engine, 200);
  const requests = new Requests(engine.core, engine.runner, compile);
  const next = random(5);
  let live = 0;
  const results = await Promise.allSettled(
    expected.map(async (_, i) => {
      const controller = new AbortController();
      const fate = next();
      if (fate < 0.1) controller.abort();
      else if (fate < 0.3) setTimeout(() => controller.abort(), fate * 100);
      let text = '';
      let tokens = 0;
      const tell = (/** @type {import('../../web/choices.js').Delta} */ d) => {
        assert.equal(controller.signal.aborted, false, 'a delta after the abort');
        text += textOf(d);
        assert.ok(expected[i].text.startsWith(text), `request ${i}: ${JSON.stringify(text)}`);
        tokens = d.tokens;
        if (fate > 0.9 && tokens >= 3) controller.abort();
      };
      live++;
      return { i, outcome: await requests.ask('chat', request(i), tell, controller.signal), text };
    }),
  );
  assert.equal(live, 200);
  const done = results.flatMap((r) => (r.status === 'fulfilled' ? [r.value] : []));
  for (const r of results) if (r.status === 'rejected') assert.equal(r.reason.name, 'AbortError', r.reason);
  assert.ok(done.length > 100 && done.length < 190, `${done.length} ended`);
  for (const { i, outcome, text } of done) {
    assert.equal(text, expected[i].text, `request ${i}`);
    assert.equal(outcome.usage.completion_tokens, expected[i].done.completionTokens);
    assert.equal(outcome.usage.prompt_tokens, expected[i].done.promptTokens);
    assert.equal(outcome.finish, expected[i].done.finish === 'stop' ? 'stop' : 'length');
  }
  // Nothing is left behind: one more goes through.
  const last = await requests.ask('chat', request(0), () => {}, never());
  assert.equal(last.usage.completion_tokens, expected[0].done.completionTokens);
  engine.close();
});

test('n answers are what their seeds give, and compute the prompt once', async () => {
  const engine = await openEngine(MODEL);
  const requests = new Requests(engine.core, engine.runner);
  const base = { messages: [{ role: 'user', content: 'the cat sat on the mat and the mat sat on the cat' }], temperature: 1.2, max_tokens: 12 };
  const expected = [];
  for (let i = 0; i < 6; i++) {
    const session = engine.core.createSession();
    engine.core.startChat(session, { ...base, seed: 40 + i });
    expected.push(await finish(engine, session));
    engine.core.destroySession(session);
  }
  /** @type {string[]} */
  const texts = ['', '', '', '', '', ''];
  const reused = [];
  const events = engine.runner.events.bind(engine.runner);
  engine.runner.events = async function* (session, signal) {
    for await (const event of events(session, signal)) {
      if (event.kind === 'done') reused.push(event.reusedTokens);
      yield event;
    }
  };
  /** @type {import('../../web/choices.js').Call} */
  const call = (_, [one], options) => requests.ask('chat', /** @type {any} */ (one), options?.onEvent ?? (() => {}), options?.signal ?? never());
  const outcomes = await runChoices(call, 'chat', choicesOf({ ...base, n: 6, seed: 40 }), undefined, (d, i) => (texts[i] += textOf(d)));
  const usage = sumUsage(outcomes.map((o) => o.usage), 6);
  assert.deepEqual(texts, expected.map((e) => e.text));
  assert.equal(usage.completion_tokens, expected.reduce((sum, e) => sum + e.done.completionTokens, 0));
  assert.equal(usage.prompt_tokens, expected[0].done.promptTokens);
  assert.deepEqual(reused.sort((a, b) => a - b), [0, ...Array(5).fill(expected[0].done.promptTokens - 1)]);
  engine.close();
});

test('conversations that take turns find what they said before', async () => {
  const engine = await openEngine(MODEL);
  const requests = new Requests(engine.core, engine.runner);
  const talks = ['cat', 'mat', 'on a', 'the'].map((word) => [{ role: 'user', content: `${word} ${word} ${word}` }]);
  for (let turn = 0; turn < 3; turn++) {
    for (const messages of talks) {
      let answer = '';
      const { usage } = await requests.ask('chat', { messages, temperature: 0, max_tokens: 4 }, (d) => (answer += textOf(d)), never());
      if (turn > 0) assert.ok(usage.prompt_tokens_details.cached_tokens > 0.4 * usage.prompt_tokens, `${usage.prompt_tokens_details.cached_tokens} of ${usage.prompt_tokens}`);
      messages.push({ role: 'assistant', content: answer }, { role: 'user', content: 'sat' });
    }
  }
  engine.close();
});

/** Files as OPFS has them in workers. */
function memoryFolder() {
  /** @type {Map<string, Uint8Array>} */
  const files = new Map();
  const handle = (/** @type {string} */ name) => ({
    createSyncAccessHandle: async () => ({
      getSize: () => files.get(name)?.length ?? 0,
      truncate: (/** @type {number} */ n) => files.set(name, /** @type {Uint8Array} */ (files.get(name)).slice(0, n)),
      write(/** @type {Uint8Array} */ data, /** @type {{ at: number }} */ { at }) {
        const old = /** @type {Uint8Array} */ (files.get(name));
        const all = new Uint8Array(Math.max(old.length, at + data.length));
        all.set(old);
        all.set(data, at);
        files.set(name, all);
        return data.length;
      },
      read(/** @type {Uint8Array} */ data, /** @type {{ at: number }} */ { at }) {
        const part = /** @type {Uint8Array} */ (files.get(name)).subarray(at, at + data.length);
        data.set(part);
        return part.length;
      },
      flush() {},
      close() {},
    }),
  });
  return {
    files,
    async getFileHandle(/** @type {string} */ name, { create = false } = {}) {
      if (!files.has(name) && !create) throw new DOMException('no such file', 'NotFoundError');
      if (!files.has(name)) files.set(name, new Uint8Array());
      return handle(name);
    },
    async removeEntry(/** @type {string} */ name) {
      files.delete(name);
    },
  };
}

test('a saved session is found by another engine; harmed bytes are refused', async () => {
  const folder = memoryFolder();
  const request = { messages: [{ role: 'user', content: 'the cat sat on the mat and the mat sat on the cat' }], temperature: 0, max_tokens: 8 };
  const first = await openEngine(MODEL);
  const requests = new Requests(first.core, first.runner);
  let text = '';
  const { usage } = await requests.ask('chat', request, (d) => (text += textOf(d)), never());
  const saved = await new Snapshots(requests, async () => folder).save('a/b', request, never());
  assert.equal(saved.tokens, usage.prompt_tokens);
  assert.equal(folder.files.get('a%2Fb')?.length, saved.bytes);
  first.close();

  const second = await openEngine(MODEL);
  const others = new Requests(second.core, second.runner);
  const snapshots = new Snapshots(others, async () => folder);
  await snapshots.restore('a/b', never());
  let again = '';
  const outcome = await others.ask('chat', request, (d) => (again += textOf(d)), never());
  assert.equal(again, text);
  assert.equal(outcome.usage.prompt_tokens_details.cached_tokens, usage.prompt_tokens - 1);
  const whole = /** @type {Uint8Array} */ (folder.files.get('a%2Fb'));
  for (let i = 0; i < 40; i++) {
    const harmed = i % 2 ? whole.slice(0, (whole.length * i) / 40) : whole.slice();
    if (i % 2 === 0) harmed[Math.floor((whole.length * i) / 40)] ^= 1;
    folder.files.set('harmed', harmed);
    await assert.rejects(snapshots.restore('harmed', never()), (/** @type {any} */ e) => /^QN_E_(INTEGRITY|FORMAT|TRUNCATED)$/.test(e.code));
  }
  const head = 4 + new Uint32Array(whole.slice(0, 4).buffer)[0];
  folder.files.set('harmed', whole.slice(0, head)); // one whole piece of several
  await assert.rejects(snapshots.restore('harmed', never()), { code: 'QN_E_TRUNCATED' });
  await assert.rejects(snapshots.restore('none', never()), { code: 'QN_E_NOT_FOUND' });
  await assert.rejects(snapshots.save('x', request, AbortSignal.abort()), { name: 'AbortError' });
  await snapshots.remove('a/b');
  await assert.rejects(snapshots.restore('a/b', never()), { code: 'QN_E_NOT_FOUND' });
  // All sessions were given back.
  await Promise.all(Array.from({ length: 6 }, (_, i) => others.ask('chat', { ...request, seed: i }, () => {}, never())));
  second.close();
});

test('what happens when the context is full: refuse, slide, drop the oldest turns', async () => {
  const engine = await openEngine(MODEL, { context: 96 });
  const requests = new Requests(engine.core, engine.runner);
  const turns = Array.from({ length: 12 }, (_, i) => ({ role: i % 2 ? 'assistant' : 'user', content: `${i} the cat sat on a mat` }));
  const messages = [{ role: 'system', content: 'a mat' }, ...turns, { role: 'user', content: 'and now the last one' }];
  const ask = async (/** @type {Record<string, unknown>} */ more) => requests.ask('chat', { messages, temperature: 0, max_tokens: 8, ...more }, () => {}, never());
  const code = (/** @type {Record<string, unknown>} */ more) => ask(more).then(() => 'fine', (error) => error.code);
  assert.equal(await code({}), 'QN_E_CONTEXT');
  assert.equal(await code({ overflow: 'refuse' }), 'QN_E_CONTEXT');
  assert.equal(await code({ overflow: 'nothing' }), 'QN_E_ARGUMENT');
  const dropped = await ask({ overflow: 'drop_oldest_turns' });
  assert.ok(dropped.usage.prompt_tokens + 8 <= 96, String(dropped.usage.prompt_tokens));
  // As many turns as fit stay: the request that begins one turn earlier has no room.
  const fits = async (/** @type {number} */ from) => {
    const kept = [messages[0], ...messages.slice(1 + from)];
    return ask({ messages: kept }).then((o) => o.usage.prompt_tokens, () => Infinity);
  };
  const lengths = [];
  for (let from = 0; from <= 12; from += 2) lengths.push(await fits(from));
  assert.equal(dropped.usage.prompt_tokens, lengths.find((n) => n + 8 <= 96));
  // An answer that is longer than the context, with the same first tokens kept.
  const slid = await ask({ messages: messages.slice(-1), overflow: 'slide', attention_sinks: 4, max_tokens: 200, ignore_eos: true });
  assert.equal(slid.usage.completion_tokens, 200);
  const bare = await ask({ messages: messages.slice(-1), overflow: 'slide', attention_sinks: 0, max_tokens: 200, ignore_eos: true });
  assert.equal(bare.usage.completion_tokens, 200);
  // The same for the engine's whole life; a request may say otherwise.
  const sliding = new Requests(engine.core, engine.runner, /** @type {any} */ (undefined), { overflow: 'slide', attentionSinks: 2 });
  const more = { messages: messages.slice(-1), temperature: 0, max_tokens: 200, ignore_eos: true };
  for (const overflow of [undefined, null]) assert.equal((await sliding.ask('chat', { ...more, overflow }, () => {}, never())).usage.completion_tokens, 200);
  assert.ok((await sliding.ask('chat', { ...more, overflow: 'refuse' }, () => {}, never())).usage.completion_tokens < 96);
  assert.equal((await sliding.ask('completion', { prompt: 'the mat', temperature: 0, max_tokens: 150, ignore_eos: true }, () => {}, never())).usage.completion_tokens, 150);
  const dropping = new Requests(engine.core, engine.runner, /** @type {any} */ (undefined), { overflow: 'drop_oldest_turns' });
  assert.equal((await dropping.ask('chat', { messages, temperature: 0, max_tokens: 8 }, () => {}, never())).usage.prompt_tokens, dropped.usage.prompt_tokens);
  for (const window of [{ overflow: 'x' }, { attentionSinks: -1 }, { attentionSinks: 1.5 }]) assert.throws(() => new Requests(engine.core, engine.runner, /** @type {any} */ (undefined), /** @type {any} */ (window)), { code: 'QN_E_ARGUMENT' });
  const ended = await ask({ messages: messages.slice(-1), max_tokens: 200, ignore_eos: true });
  assert.ok(ended.usage.completion_tokens < 96 && ended.finish === 'length');
  assert.equal(await code({ messages: messages.slice(-1), overflow: 'drop_oldest_turns' }), 'fine');
  assert.equal(await code({ messages: [{ role: 'user', content: 'mat '.repeat(400) }], overflow: 'drop_oldest_turns' }), 'QN_E_CONTEXT');
  engine.close();
});
