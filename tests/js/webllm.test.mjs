// Applications of web-llm over quern/webllm in Chromium: engine on the page, in a worker, in a service worker;
// several models, choices, logit processors, interruption, what the browser keeps. How requests end: tests/js/webllm_ends.test.mjs;
// the checks of requests: tests/js/webllm_requests.test.mjs.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';

import { errors, ID, inPage, OTHER, skip, timeout } from './lib/webllm_page.mjs';

test('load, chat, stream, choices, usage', { skip, timeout }, async () => {
  const r = await inPage(async (webllm, id) => {
    /** @type {any[]} */
    const reports = [];
    const engine = await webllm.CreateMLCEngine(id, { initProgressCallback: (/** @type {any} */ p) => reports.push(p) }, { context_window_size: 200 });
    const messages = [{ role: 'user', content: 'Hello' }];
    const one = await engine.chat.completions.create({ messages, max_tokens: 8, temperature: 0 });
    const chunks = [];
    for await (const chunk of await engine.chat.completions.create({ messages, max_tokens: 8, temperature: 0, stream: true, stream_options: { include_usage: true } })) chunks.push(chunk);
    const three = await engine.chat.completions.create({ messages, n: 3, seed: 42, temperature: 1.2, max_tokens: 8, logprobs: true, top_logprobs: 2, logit_bias: { 46510: -100, 5: 1 } });
    const again = await engine.chat.completions.create({ messages, n: 3, seed: 42, temperature: 1.2, max_tokens: 8 });
    const text = await engine.completions.create({ prompt: 'List: ', echo: true, n: 2, max_tokens: 4, logprobs: true, top_logprobs: 2 });
    await engine.resetChat(false, 'another'); // applications reset before they load
    const out = { reports, one, chunks, three, again, text, message: await engine.getMessage(), stats: await engine.runtimeStatsText(), vendor: await engine.getGPUVendor(), binding: await engine.getMaxStorageBufferBindingSize() };
    await engine.unload();
    await engine.resetChat();
    const unloaded = await engine.chatCompletion({ messages }).catch((/** @type {any} */ e) => e.name);
    return { ...out, unloaded };
  });
  assert.ok(r.reports.every((p) => typeof p.text === 'string' && p.progress >= 0 && p.progress <= 1 && p.timeElapsed >= 0));
  assert.equal(r.reports.at(-1).progress, 1);
  assert.match(r.reports.at(-1).text, /^Finish loading on/);
  assert.equal(r.one.object, 'chat.completion');
  assert.equal(r.one.model, ID);
  assert.equal(r.one.choices[0].finish_reason, 'length');
  assert.equal(r.one.usage.completion_tokens, 8);
  for (const field of ['e2e_latency_s', 'prefill_tokens_per_s', 'decode_tokens_per_s', 'time_to_first_token_s', 'time_per_output_token_s']) assert.ok(r.one.usage.extra[field] > 0, field);
  assert.equal(r.chunks.map((c) => c.choices[0]?.delta.content ?? '').join(''), r.one.choices[0].message.content);
  assert.equal(r.chunks.at(-1).usage.completion_tokens, 8);
  assert.deepEqual(r.chunks.at(-1).choices, []);
  assert.ok(r.chunks.slice(0, -1).every((c) => c.usage === undefined && c.object === 'chat.completion.chunk'));
  assert.equal(r.three.choices.length, 3);
  assert.equal(r.three.usage.completion_tokens, 24);
  assert.ok(r.three.choices.every((c) => c.logprobs.content.length > 0 && c.logprobs.content.every((/** @type {any} */ t) => t.top_logprobs.length === 2 && t.logprob <= 0)));
  assert.equal(new Set(r.again.choices.map((c) => c.message.content)).size, 3);
  assert.equal(r.text.object, 'text_completion');
  assert.ok(r.text.choices.length === 2 && r.text.choices.every((c) => c.text.startsWith('List: ') && c.logprobs.content.length === 4));
  assert.equal(r.message, r.text.choices[1].text);
  assert.match(r.stats, /^prefill: [\d.]+ tokens\/sec, decoding: [\d.]+ tokens\/sec$/);
  assert.equal(r.unloaded, 'ModelNotLoadedError');
  assert.ok(typeof r.vendor === 'string' && r.binding >= 0);
});

test('only what is new of a conversation is computed', { skip, timeout }, async () => {
  const [first, second] = await inPage(async (webllm, id) => {
    const engine = await webllm.CreateMLCEngine(id);
    const messages = [{ role: 'user', content: 'Provide me three US states, in the order of their size.' }];
    const a = await engine.chat.completions.create({ messages, max_tokens: 6 });
    messages.push({ role: 'assistant', content: await engine.getMessage() }, { role: 'user', content: 'Two more' });
    const b = await engine.chat.completions.create({ messages, max_tokens: 6 });
    await engine.unload();
    return [a.usage.prompt_tokens, b.usage.prompt_tokens];
  });
  assert.ok(second < first, `${second} of ${first}`);
});

test('interrupting, aborting, and loading that is given up', { skip, timeout }, async () => {
  const r = await inPage(async (webllm, id) => {
    const engine = await webllm.CreateMLCEngine(id);
    const messages = [{ role: 'user', content: 'Hello' }];
    const request = { messages, stream: true, ignore_eos: true };
    let finish;
    for await (const chunk of await engine.chat.completions.create(request)) {
      engine.interruptGenerate();
      finish = chunk.choices[0]?.finish_reason ?? finish;
    }
    const controller = new AbortController();
    const aborted = await (async () => {
      for await (const _ of await engine.chat.completions.create(request, { signal: controller.signal })) controller.abort();
    })().catch((/** @type {any} */ e) => e.name);
    const pending = engine.chat.completions.create({ messages, ignore_eos: true });
    setTimeout(() => engine.interruptGenerate(), 30);
    const whole = (await pending).choices[0].finish_reason;
    const loading = engine.reload(id);
    await engine.unload();
    const resolved = await loading;
    const empty = engine.loadedModelIds().length;
    const lost = await webllm.CreateMLCEngine('no-such-model').catch((/** @type {any} */ e) => [e.name, e.message]);
    const context = await webllm.CreateMLCEngine(id, {}, { context_window_size: 64 });
    await context.reload(id, { context_window_size: -1, sliding_window_size: 64, attention_sink_size: 4 });
    const slid = (await context.chatCompletion({ messages, max_tokens: 150, ignore_eos: true })).usage.completion_tokens;
    const later = (await context.chatCompletion({ messages, max_tokens: 120, ignore_eos: true, stream: false })).usage.completion_tokens;
    const neither = await context.reload(id, { context_window_size: -1, sliding_window_size: -1 }).catch((/** @type {any} */ e) => e.name);
    const sinks = await context.reload(id, { context_window_size: -1, sliding_window_size: 64, attention_sink_size: -1 }).catch((/** @type {any} */ e) => e.name);
    const both = await context.reload(id, { context_window_size: 64, sliding_window_size: 64 }).catch((/** @type {any} */ e) => e.name);
    await context.reload(id, { context_window_size: 64 });
    const long = await context.chatCompletion({ messages: [{ role: 'user', content: 'word '.repeat(200) }] }).catch((/** @type {any} */ e) => e.name);
    await context.unload();
    return { finish, aborted, whole, resolved, empty, lost, slid, both, long, later, neither, sinks };
  });
  assert.equal(r.finish, 'abort');
  assert.equal(r.aborted, 'AbortError');
  assert.ok(['abort', 'length'].includes(r.whole), r.whole); // a small model may be done first
  assert.equal(r.resolved, undefined);
  assert.equal(r.empty, 0);
  assert.equal(r.lost[0], 'ModelNotFoundError');
  assert.match(r.lost[1], /no-such-model/);
  assert.equal(r.long, 'ContextWindowSizeExceededError');
  assert.equal(r.slid, 150);
  assert.equal(r.later, 120);
  assert.deepEqual([r.neither, r.sinks], ['WindowSizeSpecificationError', 'AttentionSinkSizeError']);
  assert.equal(r.both, 'WindowSizeConfigurationError');
});

test('two models, system messages and templates of the application', { skip, timeout }, async () => {
  const r = await inPage(async (webllm, id, other) => {
    const messages = [{ role: 'user', content: 'Hello' }];
    const engine = await webllm.CreateMLCEngine([id, other], {}, [{}, { conv_template: { system_message: 'You are a mill.' } }]);
    const unclear = await engine.chat.completions.create({ messages }).catch((/** @type {any} */ e) => e.name);
    const missing = await engine.chat.completions.create({ messages, model: 'x' }).catch((/** @type {any} */ e) => e.name);
    const both = await Promise.all([id, other].map((model) => engine.chat.completions.create({ messages, model, max_tokens: 4 })));
    const plain = await webllm.CreateMLCEngine(other);
    const without = await plain.chat.completions.create({ messages, max_tokens: 4 });
    await plain.reload(other, { conv_template: { system_template: '', roles: { user: 'U', assistant: 'A' }, seps: ['\n'], role_content_sep: ':', role_empty_sep: ':', stop_str: [], stop_token_ids: [] } });
    const short = await plain.chat.completions.create({ messages, max_tokens: 4 });
    const unmatched = await plain.reload([id, other], [{}]).catch((/** @type {any} */ e) => e.name);
    const twice = await plain.reload([id, id]).catch((/** @type {any} */ e) => e.name);
    return { unclear, missing, models: both.map((b) => b.model), prompts: [both[1], without, short].map((b) => b.usage.prompt_tokens), unmatched, twice };
  });
  assert.deepEqual([r.unclear, r.missing], ['UnclearModelToUseError', 'SpecifiedModelNotFoundError']);
  assert.deepEqual(r.models, [ID, OTHER]);
  assert.notEqual(r.prompts[0], r.prompts[1]);
  assert.ok(r.prompts[2] < r.prompts[1], String(r.prompts));
  assert.deepEqual([r.unmatched, r.twice], ['ReloadArgumentSizeUnmatchedError', 'ReloadModelIdNotUniqueError']);
});

test('answers in a form', { skip, timeout }, async () => {
  const r = await inPage(async (webllm, id) => {
    const engine = await webllm.CreateMLCEngine(id);
    const ask = async (/** @type {any} */ response_format, more = {}) => {
      const answer = await engine.chat.completions.create({ messages: [{ role: 'user', content: 'x' }], max_tokens: 150, seed: 3, response_format, ...more });
      return [answer.choices[0].message.content, answer.choices[0].finish_reason];
    };
    const schema = JSON.stringify({ type: 'object', properties: { ok: { type: 'boolean' }, kind: { enum: ['a', 'b'] } }, required: ['ok', 'kind'], additionalProperties: false });
    const flag = { type: 'json_schema', json_schema: { type: 'boolean' } };
    const tag = { begin: '<f>', content: flag, end: '</f>' };
    const structural = (/** @type {any} */ format) => ask({ type: 'structural_tag', structural_tag: { type: 'structural_tag', format } });
    const out = {
      schema: await ask({ type: 'json_object', schema }),
      object: await ask({ type: 'json_object' }),
      grammar: await ask({ type: 'grammar', grammar: 'root ::= "yes" | "no"' }),
      sequence: await structural({ type: 'sequence', elements: [{ type: 'const_string', value: 'Is it?\n' }, { type: 'tag', ...tag }] }),
      list: await structural({ type: 'tags_with_separator', tags: [tag], separator: ', ', at_least_one: true, stop_after_first: false }),
      triggered: await structural({ type: 'triggered_tags', triggers: ['e'], tags: [{ begin: 'e:', content: flag, end: ';' }], at_least_one: true, stop_after_first: true }),
      many: await structural({ type: 'triggered_tags', triggers: ['th'], tags: [{ begin: 'the', content: flag, end: '.' }], stop_after_first: false }),
      older: await ask({ type: 'structural_tag', structural_tag: { structures: [{ begin: 'a=', schema: '{"type":"boolean"}', end: ';' }], triggers: ['a'] } }),
      refused: await ask({ type: 'json_object', schema: '{"type":"object","minProperties":"many"}' }).catch((e) => e.name),
      regex: await structural({ type: 'tag', begin: '<', content: { type: 'regex', pattern: '[ab]{3}\\d' }, end: '>' }),
      strange: await structural({ type: 'picture' }).catch((/** @type {any} */ e) => e.name),
    };
    await engine.unload();
    return out;
  });
  const value = JSON.parse(r.schema[0]);
  assert.ok(typeof value.ok === 'boolean' && ['a', 'b'].includes(value.kind) && Object.keys(value).length === 2);
  assert.equal(r.schema[1], 'stop');
  if (r.object[1] === 'stop') assert.equal(typeof JSON.parse(r.object[0]), 'object');
  else assert.ok(r.object[0].startsWith('{'));
  assert.ok(['yes', 'no'].includes(r.grammar[0]));
  assert.match(r.sequence[0], /^Is it\?\n<f>(true|false)<\/f>$/);
  assert.match(r.list[0], /^<f>(true|false)<\/f>(, <f>(true|false)<\/f>)*(, (<.*)?|,)?$/);
  assert.match(r.triggered[0], /^e:(true|false);$/);
  assert.equal(r.many[0].replaceAll(/the(true|false)\./g, '').replace(/the?(t?r?u?e?|f?a?l?s?e?)$/, '').includes('th'), false, r.many[0]);
  assert.equal(r.older[0].replaceAll(/a=(true|false);/g, '').replace(/a=?(t?r?u?e?|f?a?l?s?e?)$/, '').includes('a'), false, r.older[0]);
  assert.equal(r.refused, 'ArgumentError');
  assert.match(r.regex[0], /^<[ab]{3}\d>$/);
  assert.equal(r.strange, 'InvalidResponseFormatStructuralTagError');
});

test('in a worker, with a logit processor there', { skip, timeout }, async () => {
  const r = await inPage(async (webllm, id) => {
    const engine = await webllm.CreateWebWorkerMLCEngine(new Worker('/app/worker.js', { type: 'module' }), id, { initProgressCallback: () => {} });
    const ids = [await engine.forwardTokensAndSample([42, 43], true)];
    for (let i = 0; i < 3; i++) ids.push(await engine.forwardTokensAndSample([ids[ids.length - 1]], false));
    await engine.resetChat();
    const messages = [{ role: 'user', content: 'Hello' }];
    const whole = await engine.chat.completions.create({ messages, max_tokens: 5, temperature: 0 });
    let streamed = '';
    for await (const chunk of await engine.chat.completions.create({ messages, max_tokens: 5, temperature: 0, stream: true })) streamed += chunk.choices[0]?.delta.content ?? '';
    const refused = await engine.chat.completions.create({ messages, seed: 1.5 }).catch((/** @type {any} */ e) => [e.name, e.code, e instanceof Error]);
    const early = await engine.chat.completions.create({ messages, stream: true, n: 2 }).catch((/** @type {any} */ e) => e.name);
    return { ids, whole, streamed, refused, early, stats: await engine.runtimeStatsText(), message: await engine.getMessage() };
  });
  assert.deepEqual(r.ids, [7, 7, 7, 7]);
  assert.equal(r.whole.choices[0].message.content, r.streamed);
  assert.equal(r.message, r.streamed);
  assert.equal(r.whole.usage.completion_tokens, 5);
  assert.deepEqual(r.refused, ['SeedTypeError', 'QN_E_ARGUMENT', true]);
  assert.equal(r.early, 'StreamingCountError');
  assert.match(r.stats, /decoding/);
});

test('in a service worker', { skip, timeout }, async () => {
  const r = await inPage(async (webllm, id) => {
    await navigator.serviceWorker.register('/app/sw.js', { type: 'module' });
    /** @type {string[]} */
    const reports = [];
    const engine = await webllm.CreateServiceWorkerMLCEngine(id, { initProgressCallback: (/** @type {any} */ report) => reports.push(report.text) });
    let text = '';
    let usage;
    for await (const chunk of await engine.chat.completions.create({ messages: [{ role: 'user', content: 'Hello' }], max_tokens: 6, stream: true, stream_options: { include_usage: true } })) {
      text += chunk.choices[0]?.delta.content ?? '';
      usage = chunk.usage ?? usage;
    }
    const message = await engine.getMessage();
    // Constraints are a module of their own; service workers may not import() it.
    const formed = await engine.chat.completions.create({ messages: [{ role: 'user', content: 'Hello' }], response_format: { type: 'json_object', schema: '{"enum":["yes","no"]}' } });
    reports.length = 0;
    await engine.reload(id);
    const finished = reports.filter((line) => line.startsWith('Finish')).length;
    await engine.unload();
    for (const r of await navigator.serviceWorker.getRegistrations()) await r.unregister();
    return { text, message, usage, finished, formed: formed.choices[0].message.content };
  });
  assert.ok(['"yes"', '"no"'].includes(r.formed), r.formed);
  assert.equal(r.finished, 1); // each report once, whatever was asked before
  assert.equal(r.text, r.message);
  assert.equal(r.usage.completion_tokens, 6);
});

test('a generation that broke off is taken up', { skip: skip || (existsSync('models/grist/mlc-chat-config.json') ? false : 'skipped: no models/grist'), timeout }, async () => {
  const r = await inPage(async (webllm) => {
    const engine = await webllm.CreateMLCEngine('grist');
    const request = { messages: [{ role: 'user', content: 'Tell me a story about a mill.' }], seed: 7, temperature: 0.8, max_tokens: 40 };
    const whole = (await engine.chat.completions.create(request)).choices[0].message.content;
    const resumable = { enabled: true, sessionId: 'one', strictPersistence: true };
    let begun = '';
    for await (const chunk of await engine.chat.completions.create({ ...request, stream: true, extra_body: { resumable } })) {
      begun += chunk.choices[0]?.delta.content ?? '';
      if (begun.length > 30) break; // as if the tab had been closed
    }
    const twice = await engine.chat.completions.create({ ...request, extra_body: { resumable } }).catch((/** @type {any} */ e) => e.code);
    const listed = await engine.listResumableSessions();
    const probe = await engine.resumeChatCompletion('one');
    let rest = '';
    for await (const chunk of await engine.resumeChatCompletion('one', { stream: true })) rest += chunk.choices[0]?.delta.content ?? '';
    const done = await engine.resumeChatCompletion('one');
    const again = await engine.resumeChatCompletion('one', { continueGeneration: true }).catch((/** @type {any} */ e) => e.name);
    await engine.deleteResumableSession('one');
    const left = (await engine.listResumableSessions()).length;
    const gone = await engine.resumeChatCompletion('one').catch((/** @type {any} */ e) => e.code);
    await engine.unload();
    return { whole, begun, twice, listed, probe, rest, done, again, left, gone };
  });
  assert.equal(r.twice, 'QN_E_STATE');
  assert.equal(r.listed.length, 1);
  assert.ok(r.listed[0].resumable && r.listed[0].emittedTokens > 0 && r.listed[0].modelId === 'grist');
  assert.ok(r.whole.startsWith(r.probe.recoveredText) && r.probe.recoveredText.startsWith(r.begun));
  assert.equal(r.probe.recoveredText + r.rest, r.whole);
  assert.equal(r.done.recoveredText, r.whole);
  assert.equal(r.again, 'ResumeError');
  assert.equal(r.left, 0);
  assert.equal(r.gone, 'QN_E_NOT_FOUND');
});

test('what the browser keeps, and integrity', { skip, timeout }, async () => {
  const r = await inPage(async (webllm, id) => {
    const engine = await webllm.CreateMLCEngine(id);
    const kept = await webllm.hasModelInCache(id);
    await webllm.deleteModelAllInfoInCache(id);
    const deleted = await webllm.hasModelInCache(id);
    const url = `https://huggingface.co/mlc-ai/${id}`;
    const config = await (await fetch(`${url}/resolve/main/mlc-chat-config.json`)).arrayBuffer();
    const right = `sha256-${btoa(String.fromCharCode(...new Uint8Array(await crypto.subtle.digest('SHA-256', config))))}`;
    const wrong = 'sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=';
    const load = async (/** @type {any} */ integrity) => {
      await engine.unload();
      engine.setAppConfig({ model_list: [{ model: url, model_id: 'm', model_lib: '', integrity }] });
      await engine.reload('m');
      return engine.loadedModelIds();
    };
    const good = await load({ config: right });
    const bad = await load({ config: right, tokenizer: { 'tokenizer.json': wrong } }).catch((/** @type {any} */ e) => ({ name: e.name, is: e instanceof webllm.IntegrityError, url: e.url, expected: e.expected }));
    const warned = await load({ tokenizer: { 'tokenizer.json': wrong }, onFailure: 'warn' });
    await engine.unload();
    await webllm.deleteModelInCache('m', { model_list: [{ model: url, model_id: 'm' }] });
    return { kept, deleted, good, bad, warned };
  });
  assert.deepEqual([r.kept, r.deleted], [true, false]);
  assert.deepEqual([r.good, r.warned], [['m'], ['m']]);
  assert.deepEqual(r.bad, { name: 'IntegrityError', is: true, url: `https://huggingface.co/mlc-ai/${ID}/tokenizer.json`, expected: 'sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=' });
  assert.deepEqual(errors, []);
});
