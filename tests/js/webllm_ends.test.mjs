// Applications of web-llm whose requests do not simply run to their end: models that go away, ports that close, logit processors
// beside other requests, several engines on a page.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { errors, ID, inPage, skip, timeout } from './lib/webllm_page.mjs';

test('what ends while it runs, ends as interrupted, with a usage', { skip, timeout }, async () => {
  const r = await inPage(async (webllm, id) => {
    const engine = await webllm.CreateMLCEngine(id);
    const request = { messages: [{ role: 'user', content: 'Hello' }], ignore_eos: true };
    /** @type {Record<string, any>} */
    const out = {};
    for (const how of ['unload', 'reload']) {
      if (engine.loadedModelIds().length === 0) await engine.reload(id);
      /** @type {any} */
      let done;
      out[how] = {};
      for await (const { choices, usage } of await engine.chat.completions.create({ ...request, stream: true, stream_options: { include_usage: true } })) {
        done ??= engine[how](id);
        Object.assign(out[how], usage && { usage }, choices[0]?.finish_reason && { finish: choices[0].finish_reason });
      }
      await done;
    }
    const pending = engine.chat.completions.create(request);
    const ended = engine.interruptGenerate();
    out.whole = await pending;
    await ended.then(() => Promise.all([engine.reload(id), engine.reload(id)]));
    out.loaded = engine.loadedModelIds();
    await engine.unload();

    const far = new webllm.WebWorkerMLCEngine(new Worker('/app/worker.js', { type: 'module' }));
    const loading = far.reload(id);
    await far.unload();
    await loading;
    out.far = [far.modelId, await far.chat.completions.create(request).catch((/** @type {any} */ e) => e.name)];
    await far.reload(id);
    out.again = (await far.chat.completions.create({ ...request, max_tokens: 2 })).usage.completion_tokens;
    far.worker.terminate();
    return out;
  });
  for (const how of ['unload', 'reload']) assert.ok(r[how].finish === 'abort' && r[how].usage.prompt_tokens > 0 && r[how].usage.extra.e2e_latency_s > 0, how);
  assert.ok(['abort', 'length'].includes(r.whole.choices[0].finish_reason) && r.whole.usage.total_tokens >= 0);
  assert.deepEqual(r.loaded, [ID]);
  assert.deepEqual(r.far, [undefined, 'WorkerEngineModelNotLoadedError']);
  assert.equal(r.again, 2);
});

test('beside a logit processor: one request at a time, nothing ignored', { skip, timeout }, async () => {
  const r = await inPage(async (webllm, id) => {
    /** @type {number[]} */
    const lengths = [];
    let told = 0;
    const processor = { processLogits: (/** @type {any} */ l) => l, processSampledToken: () => void told++, resetState: () => void lengths.push(told) };
    const engine = new webllm.MLCEngine({ logitProcessorRegistry: new Map([[id, processor]]) });
    await engine.reload(id);
    const ask = (/** @type {any} */ more) => engine.chat.completions.create({ messages: [{ role: 'user', content: 'Hello' }], ignore_eos: true, ...more }).then((/** @type {any} */ a) => a.usage.completion_tokens, (/** @type {any} */ e) => e.name);
    const refused = [];
    for (const more of [{ n: 2 }, { response_format: { type: 'json_object' } }, { tools: [{ type: 'function', function: { name: 'f' } }] }, { extra_body: { resumable: { enabled: true } } }]) refused.push(await ask(more));
    const first = ask({ max_tokens: 3 }).then((/** @type {any} */ n) => [n, told]);
    const both = await Promise.all([first, ask({ max_completion_tokens: 4 })]);
    lengths.length = 0; // resets so far
    const turn = { messages: [{ role: 'user', content: 'Hello' }], max_tokens: 50, seed: 1, stop: ['e', 'a', 'o', 'i', ' '] };
    const reply = await engine.chat.completions.create(turn);
    const reset = [lengths.length];
    const stopped = reply.choices[0].finish_reason === 'stop';
    await engine.chat.completions.create({ ...turn, messages: [...turn.messages, { role: 'assistant', content: await engine.getMessage() }, { role: 'user', content: 'More' }] });
    reset.push(lengths.length);
    await engine.chat.completions.create(turn);
    reset.push(lengths.length);
    // An identity of a processor: the same tokens and log-probabilities as without one.
    const plain = new webllm.MLCEngine();
    await plain.reload(id);
    const [beside, without] = await Promise.all([engine, plain].map((e) => e.chat.completions.create({ messages: turn.messages, max_tokens: 6, temperature: 0, ignore_eos: true, logprobs: true, top_logprobs: 2 })));
    const listed = [beside, without].map((a) => a.choices[0].logprobs.content);
    return { listed, reset: stopped ? reset : null, refused, both, extra: await ask({ extra_body: { nonsense: 1 } }), format: await ask({ max_tokens: 1, response_format: { type: 'text' } }) };
  });
  assert.deepEqual([...new Set(r.refused)], ['UnsupportedFieldsError']);
  assert.deepEqual(r.listed.map((l) => l.length), [6, 6]);
  r.listed[0].forEach((/** @type {any} */ t, /** @type {number} */ i) => {
    const other = r.listed[1][i];
    assert.ok(Math.abs(t.logprob - other.logprob) < 1e-4 && t.token === other.token && t.top_logprobs[0].token === other.top_logprobs[0].token, JSON.stringify([t, other]));
  });
  assert.deepEqual(r.both[1], 4);
  assert.equal(r.both[0][0], 3);
  assert.ok(r.both[0][1] <= 4, 'the second began when the first had ended');
  assert.deepEqual(r.reset, [1, 1, 2]); // another conversation, the same, another
  assert.deepEqual([r.extra, r.format], ['UnsupportedError', 1]);
});

test('behind the port of an extension, and when it closes', { skip, timeout }, async () => {
  const r = await inPage(async (webllm, id) => {
    /** @type {any} */
    let handler;
    /** @type {any[]} */
    const ports = [];
    const end = () => {
      /** @type {any} */
      const port = { heard: [], gone: [], onMessage: { addListener: (/** @type {any} */ f) => port.heard.push(f) }, onDisconnect: { addListener: (/** @type {any} */ f) => port.gone.push(f) } };
      port.postMessage = (/** @type {any} */ m) => setTimeout((copy) => port.other.heard.forEach((/** @type {any} */ f) => f(copy, port.other)), 0, JSON.parse(JSON.stringify(m)));
      return port;
    };
    const connect = () => {
      const [a, b] = [end(), end()];
      [a.other, b.other] = [b, a];
      if (handler) handler.setPort(b);
      else handler = new webllm.ExtensionServiceWorkerMLCEngineHandler(b);
      b.onMessage.addListener(handler.onmessage.bind(handler));
      ports.push(a, b);
      return a;
    };
    /** @type {any} */ (globalThis).chrome = { runtime: { connect } };
    let told = 0;
    const engine = await webllm.CreateExtensionServiceWorkerMLCEngine(id, { onDisconnect: () => told++ }, undefined, 20);
    const messages = [{ role: 'user', content: 'Hello' }];
    let text = '';
    for await (const chunk of await engine.chat.completions.create({ messages, stream: true, max_tokens: 5 })) text += chunk.choices[0]?.delta.content ?? '';
    const same = text === (await engine.getMessage());
    const refused = await engine.chat.completions.create({ messages, seed: 0.5 }).catch((/** @type {any} */ e) => e.name);
    const left = engine.chat.completions.create({ messages, ignore_eos: true }).catch((/** @type {any} */ e) => e.name);
    for (const port of ports) for (const f of port.gone) f(port);
    const out = { same, refused, left: await left, told, port: handler.port, missed: engine.missedHeartbeat };
    const back = await webllm.CreateExtensionServiceWorkerMLCEngine(id);
    const again = (await back.chat.completions.create({ messages, max_tokens: 3, ignore_eos: true })).usage.completion_tokens;
    await back.unload();
    return { ...out, again };
  });
  assert.deepEqual([r.same, r.refused, r.left, r.told, r.port], [true, 'SeedTypeError', 'DisconnectedError', 1, null]);
  assert.equal(r.again, 3);
});

test('two engines on a page, a .gguf file as a model', { skip, timeout }, async () => {
  const r = await inPage(async (webllm) => {
    const appConfig = { model_list: [{ model: '/fixtures/gguf/qwen2_Q4_0/model.gguf', model_id: 'file', model_lib: '' }, { model: `${location.origin}/fixtures/mlc/qwen2_q4f16_1`, model_id: 'folder', model_lib: '' }] };
    const engines = await Promise.all(['file', 'folder'].map((model) => webllm.CreateMLCEngine(model, { appConfig })));
    const answers = await Promise.all(engines.map((e) => e.chat.completions.create({ messages: [{ role: 'user', content: 'Hello' }], max_tokens: 4, ignore_eos: true })));
    const kept = await webllm.hasModelInCache('file', appConfig);
    await Promise.all(engines.map((e) => e.unload()));
    await webllm.deleteModelAllInfoInCache('file', appConfig);
    return { models: answers.map((a) => a.model), tokens: answers.map((a) => a.usage.completion_tokens), kept: [kept, await webllm.hasModelInCache('file', appConfig), await webllm.hasModelInCache('folder', appConfig)] };
  });
  assert.deepEqual(r, { models: ['file', 'folder'], tokens: [4, 4], kept: [true, false, true] });
});

test('a page with Trusted Types starts the worker itself', { skip, timeout }, async () => {
  const told = await inPage(async () => {
    const frame = Object.assign(document.createElement('iframe'), { src: 'trusted.html' });
    document.body.append(frame);
    for (let i = 0; i < 400; i++) {
      const { told: there } = /** @type {any} */ (frame.contentWindow) ?? {};
      if (there) return there;
      await new Promise((done) => setTimeout(done, 50));
    }
  });
  assert.deepEqual(told, [3, 'TypeError']);
});

test('a service worker is kept alive until its models are let go', { skip, timeout }, async () => {
  const r = await inPage(async (webllm, id) => {
    const sent = [];
    const port = { name: '', postMessage: (/** @type {any} */ m) => sent.push(m.kind), onMessage: { addListener() {} }, onDisconnect: { addListener() {} } };
    /** @type {any} */ (globalThis).chrome = { ...(/** @type {any} */ (globalThis).chrome), runtime: { connect: () => port } };
    const engine = new webllm.ExtensionServiceWorkerMLCEngine({}, 5);
    const alive = async () => {
      const before = sent.filter((kind) => kind === 'keepAlive').length;
      await new Promise((done) => setTimeout(done, 200));
      return sent.filter((kind) => kind === 'keepAlive').length > before;
    };
    const states = [await alive()];
    void engine.unload();
    states.push(await alive());
    void engine.reload(id);
    states.push(await alive());
    void engine.unload();
    return states;
  });
  assert.deepEqual(r, [true, false, true]);
});

test('nothing went wrong on the page', { skip }, () => assert.deepEqual(errors, []));
