// The engine in Chromium: where GPUs compute wrongly or are lost, and sessions that outlive their page.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { inPage, reload, skip, timeout } from './lib/chromium.mjs';

const MODEL = 'mlc/qwen2_q4f16_1/';
if (skip) console.log(skip);

test('auto goes on with the CPU where the GPU fails while loading, and says why', { skip, timeout }, async () => {
  const r = await inPage(async ({ start }, model) => {
    const request = { messages: [{ role: 'user', content: 'Hello' }], max_tokens: 8, temperature: 0, ignore_eos: true };
    const told = /** @type {any} */ ({});
    for (const [driver, backend] of [['real', 'auto'], ['wrong', 'auto'], ['dies', 'auto'], ['dies', 'webgpu']]) {
      const progress = /** @type {any[]} */ ([]);
      try {
        const engine = await start(model, { backend, tune: driver === 'real', kv: 'f32', onProgress: (/** @type {any} */ p) => progress.push(p) }, driver);
        const { choices } = await engine.chat.completions.create(request);
        told[`${driver} ${backend}`] = { info: engine.info, progress, text: choices[0].message.content };
        engine.dispose();
      } catch (error) {
        told[`${driver} ${backend}`] = { code: /** @type {any} */ (error).code, message: String(error) };
      }
    }
    return told;
  }, MODEL);
  const { info, progress, text } = r['real auto'];
  assert.equal(info.backend, 'webgpu');
  assert.equal(info.reason, undefined);
  assert.ok(info.variants.tested > 0 && !progress.some((/** @type {any} */ p) => 'reason' in p), JSON.stringify(info));
  for (const [driver, why] of [['wrong', /self-test of mat/], ['dies', /device was lost/]]) {
    const fallen = r[`${driver} auto`];
    assert.equal(fallen.info?.backend, 'cpu', JSON.stringify(fallen));
    assert.match(fallen.info.reason, /** @type {RegExp} */ (why));
    assert.equal(fallen.text, text);
    const last = fallen.progress.at(-1);
    assert.deepEqual([last.phase, last.reason], ['ready', fallen.info.reason]);
    assert.equal(fallen.progress.filter((/** @type {any} */ p) => p.phase === 'open').length, 2, 'loading began again, and said so');
  }
  assert.equal(r['dies webgpu'].code, 'QN_E_GPU_LOST');
});

test('a device that is lost ends requests with an error, and a model can be loaded again', { skip, timeout }, async () => {
  const r = await inPage(async ({ quern, webllm, worker }, model) => {
    const request = { messages: [{ role: 'user', content: 'Hello' }], max_tokens: 100, temperature: 0, ignore_eos: true, stream: true };
    const failed = async (/** @type {() => Promise<unknown>} */ work) => {
      try {
        await work();
        return 'nothing';
      } catch (error) {
        const { name, code, message } = /** @type {any} */ (error);
        return [name, code, message];
      }
    };
    const lose = async (/** @type {any} */ stream, /** @type {any} */ port) => {
      for await (const _ of stream) port.postMessage('lose');
    };
    const port = worker('real');
    const engine = await quern.createEngine({ model: `/fixtures/${model}`, backend: 'webgpu', worker: port });
    const running = await Promise.all([0, 1, 2].map(async () => failed(async () => lose(await engine.chat.completions.create(request), port))));
    const later = await failed(() => engine.chat.completions.create({ ...request, stream: false }));
    engine.dispose();

    const ports = /** @type {any[]} */ ([]);
    const appConfig = { model_list: [{ model_id: 'm', model: `${location.origin}/fixtures/${model}`, model_lib: '' }] };
    const mlc = await webllm.CreateMLCEngine('m', { appConfig, createWorker: () => (ports.push(worker('real')), ports.at(-1)) });
    const asWebllm = await failed(async () => lose(await mlc.chat.completions.create(request), ports[0]));
    await mlc.reload('m');
    const { usage } = await mlc.chat.completions.create({ ...request, stream: false, max_tokens: 5 });
    await mlc.unload();
    return { running, later, asWebllm, usage };
  }, MODEL);
  for (const [name, code, message] of [...r.running, r.later]) {
    assert.deepEqual([name, code], ['GPULostError', 'QN_E_GPU_LOST'], message);
    assert.match(message, /lost.*; load the model again$/);
  }
  assert.equal(r.asWebllm[0], 'DeviceLostError', r.asWebllm[2]);
  assert.equal(r.usage.completion_tokens, 5);
});

for (const backend of ['cpu', 'webgpu']) {
  test(`a session in the origin's private file system outlives its page, ${backend}`, { skip, timeout }, async () => {
    const words = 'the cat sat on a mat and the dog lay beside the door '.repeat(3);
    const work = { model: MODEL, backend, name: `a document/${backend}`, request: { messages: [{ role: 'user', content: words }], max_tokens: 12, temperature: 0, ignore_eos: true } };
    const first = await inPage(async ({ start }, { model, backend, name, request }) => {
      const engine = await start(model, { backend, context: 512 });
      const { choices, usage } = await engine.chat.completions.create(request);
      const saved = await engine.sessions.save(name, request);
      engine.dispose();
      return { text: choices[0].message.content, usage, saved };
    }, work);
    assert.equal(first.saved.tokens, first.usage.prompt_tokens);
    assert.ok(first.saved.bytes > 1000 && first.usage.prompt_tokens_details.cached_tokens === 0, JSON.stringify(first));
    await reload();
    const second = await inPage(async ({ start }, { model, backend, name, request }) => {
      const engine = await start(model, { backend, context: 512 });
      const code = (/** @type {Promise<unknown>} */ promise) => promise.then(() => 'fine', (error) => error.code);
      await engine.sessions.restore(name);
      const { choices, usage } = await engine.chat.completions.create(request);
      // Harmed, or of another model: refused, and the engine goes on.
      const sessions = await (await (await navigator.storage.getDirectory()).getDirectoryHandle('quern')).getDirectoryHandle('sessions');
      const file = await sessions.getFileHandle(encodeURIComponent(name));
      const bytes = new Uint8Array(await (await file.getFile()).arrayBuffer());
      const put = async (/** @type {Uint8Array<ArrayBuffer>} */ data) => {
        const stream = await file.createWritable();
        await stream.write(data);
        await stream.close();
        return code(engine.sessions.restore(name));
      };
      const refused = [await put(bytes.slice(0, bytes.length - 100)), await put(bytes.map((b, i) => (i === bytes.length >> 1 ? b ^ 1 : b)))];
      const again = [await put(bytes), (await engine.chat.completions.create(request)).choices[0].message.content];
      await engine.sessions.remove(name);
      const gone = await code(engine.sessions.restore(name));
      engine.dispose();
      return { text: choices[0].message.content, usage, refused, again, gone };
    }, work);
    assert.equal(second.text, first.text);
    assert.equal(second.usage.prompt_tokens_details.cached_tokens, first.usage.prompt_tokens - 1);
    assert.deepEqual([...second.refused, ...second.again, second.gone], ['QN_E_TRUNCATED', 'QN_E_INTEGRITY', 'fine', first.text, 'QN_E_NOT_FOUND']);
  });
}
