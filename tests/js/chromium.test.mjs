// The engine in Chromium where something fails: GPUs that compute wrongly or are lost.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { inPage, skip, timeout } from './lib/chromium.mjs';

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
