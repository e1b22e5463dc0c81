// Encoders as applications use them: OpenAI's embeddings on the CPU and in Dawn, against the reference; web-llm's in Chromium.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';

import { directEngine } from '../../bin/host.mjs';
import { createFetch } from '../../web/openai/fetch.js';
import { VOCAB, writeEncoder } from './lib/encoder.mjs';
import { askFresh, closeDevices, gpuDevice, openEngine, shared, skipFixtures } from './lib/models.mjs';
import { errors, EMBEDDER, inPage, skip, timeout } from './lib/webllm_page.mjs';

const folder = mkdtempSync(join(tmpdir(), 'quern-encoder-'));
test.after(async () => {
  await closeDevices();
  rmSync(folder, { recursive: true });
});

const golden = (/** @type {string} */ name) => JSON.parse(readFileSync(join(shared, 'fixtures', name, 'golden.json'), 'utf8'));

/** The engine of an application, by its folder. @param {'hf' | 'mlc'} format @param {Parameters<typeof openEngine>[1]} [options] */
async function open(format, options) {
  const path = join(folder, format);
  writeEncoder(path, format);
  const { core, runner, close } = await openEngine(path, options);
  return { engine: directEngine(core, runner, 'encoder'), close };
}

/** @param {number[]} got @param {number[]} want @param {string} what */
function close(got, want, what) {
  assert.equal(got.length, want.length);
  const most = Math.max(...want.map(Math.abs));
  got.forEach((value, i) => assert.ok(Math.abs(value - want[i]) < 1e-5 * most, `${what}: value ${i} is ${value}, not ${want[i]}`));
}

/** All texts of a case in one request. @param {any} engine @param {string} what */
async function checkGoldens(engine, what) {
  for (const one of golden('enc/minilm').cases) {
    const input = one.input_ids.map((/** @type {number[]} */ ids, /** @type {number} */ row) => {
      const length = one.attention_mask[row].filter(Boolean).length;
      return ids.slice(0, length).map((id, i) => id + VOCAB * one.token_type_ids[row][i]);
    });
    for (const [pooling, key] of [['mean', 'sentence_embedding'], ['cls', 'cls_embedding_normalized']]) {
      const { data, usage } = await engine.embeddings.create({ input, pooling });
      assert.equal(usage.prompt_tokens, input.flat().length);
      for (const { index, embedding } of data) close(embedding, one[key].data.slice(index * 48, index * 48 + 48), `${what}, ${input[index].length} tokens, ${pooling}`);
    }
  }
}

test('the reference\'s vectors on the CPU', { skip: skipFixtures }, async () => {
  for (const variant of /** @type {const} */ (['scalar', 'simd'])) {
    const { engine, close: end } = await open('hf', { variant });
    assert.equal(engine.info.embeddings, true);
    await checkGoldens(engine, variant);
    end();
  }
});

test('the same in Dawn, with the features there are and with none', { skip: skipFixtures, timeout: 600_000 }, async () => {
  for (const features of [undefined, []]) {
    const { engine, close: end } = await open('hf', { gpu: await gpuDevice(features), kv: 'f16' });
    await checkGoldens(engine, `features ${features ?? 'all'}`);
    end();
  }
});

test('the states of MPNet, whose scores know distances, in Dawn', { skip: skipFixtures, timeout: 600_000 }, async () => {
  const engine = await openEngine(join(shared, 'fixtures/enc/mpnet'), { gpu: await gpuDevice(undefined) });
  for (const one of golden('enc/mpnet').cases) {
    for (const [row, ids] of one.input_ids.entries()) {
      const length = one.attention_mask[row].filter(Boolean).length;
      const { logits: [state] } = await askFresh(engine, ids.slice(0, length), { logits: true, pooling: 2, maxTokens: 0 });
      close([...state], one.mean_pooled.data.slice(row * 48, row * 48 + 48), `${length} tokens`);
    }
  }
  engine.close();
});

test('texts: their frame, the model\'s own pooling, what is refused', { skip: skipFixtures }, async () => {
  const { engine, close: end } = await open('hf');
  const cases = golden('tokenizers/bert_uncased').cases.filter((/** @type {any} */ c) => c.text && c.ids_special.length < 60).slice(0, 20);
  const input = cases.map((/** @type {any} */ c) => c.text);
  const { data, usage } = await engine.embeddings.create({ input });
  const framed = await engine.embeddings.create({ input: cases.map((/** @type {any} */ c) => c.ids_special), pooling: 'mean' });
  assert.equal(usage.prompt_tokens, cases.flatMap((/** @type {any} */ c) => c.ids_special).length);
  assert.deepEqual(data, framed.data);
  const { data: [short] } = await engine.embeddings.create({ input: input[0], dimensions: 8 });
  const head = /** @type {number[]} */ (data[0].embedding).slice(0, 8);
  close(/** @type {number[]} */ (short.embedding), head.map((v) => v / Math.hypot(...head)), 'eight values');
  await assert.rejects(engine.embeddings.create({ input: ['a', 'a '.repeat(80)] }), { code: 'QN_E_CONTEXT' });
  await assert.rejects(engine.embeddings.create({ input: 'a', pooling: /** @type {any} */ ('max') }), { code: 'QN_E_ARGUMENT' });
  await assert.rejects(engine.chat.completions.create({ messages: [{ role: 'user', content: 'a' }] }), { code: 'QN_E_UNSUPPORTED' });
  await assert.rejects(engine.completions.create({ prompt: 'a' }), { code: 'QN_E_UNSUPPORTED' });
  const ask = createFetch(engine);
  const post = (/** @type {string} */ path, /** @type {object} */ body) => ask(`http://x/v1/${path}`, { method: 'POST', body: JSON.stringify(body) });
  const served = await (await post('embeddings', { input: input[0], encoding_format: 'float' })).json();
  assert.deepEqual(served.data[0], data[0]);
  assert.equal((await post('chat/completions', { messages: [{ role: 'user', content: 'a' }] })).status, 404);
  end();
});

test('web-llm\'s embeddings, beside a model that answers', { skip, timeout }, async () => {
  const { engine, close: end } = await open('mlc');
  const { data } = await engine.embeddings.create({ input: ['The Data Cloud!', 'Mexico City of Course!'] });
  end();
  const r = await inPage(async (webllm, id) => {
    const name = (/** @type {any} */ e) => e.name;
    const model = 'snowflake-arctic-embed-m-q0f32-MLC-b4';
    const messages = [{ role: 'user', content: 'Hello' }];
    const record = webllm.prebuiltAppConfig.model_list.find((/** @type {any} */ m) => m.model_id === model);
    const engine = await webllm.CreateMLCEngine([model, id], {}, [{}, { context_window_size: 100 }]);
    const reply = await engine.embeddings.create({ input: ['[CLS] The Data Cloud! [SEP]', 'Mexico City of Course!'], model });
    const answer = await engine.chat.completions.create({ messages, model: id, max_tokens: 3 });
    const refused = {
      chat: await engine.chat.completions.create({ messages, model }).catch(name),
      completion: await engine.completions.create({ prompt: 'a', model }).catch(name),
      embedding: await engine.embeddings.create({ input: 'a', model: id }).catch(name),
      long: await engine.embeddings.create({ input: 'a '.repeat(80), model }).catch((/** @type {any} */ e) => [e.name, e.message, e.code]),
      empty: await engine.embeddings.create({ input: ['a', ''], model }).catch(name),
      base64: await engine.embeddings.create({ input: 'a', encoding_format: 'base64', model }).catch(name),
    };
    await engine.unload();
    const far = await webllm.CreateWebWorkerMLCEngine(new Worker('/app/worker.js', { type: 'module' }), model);
    const afar = await far.embeddings.create({ input: 'Mexico City of Course!' });
    const long = await far.embeddings.create({ input: 'a '.repeat(80) }).catch(name);
    await far.unload();
    return { record, reply, answer, refused, afar, long };
  });
  assert.deepEqual([r.record.model_type, r.record.overrides.context_window_size], [1, 512]);
  assert.equal(r.reply.model, `${EMBEDDER}-b4`);
  assert.ok(r.reply.usage.prompt_tokens > 4 && r.reply.usage.extra.prefill_tokens_per_s > 0);
  r.reply.data.forEach((/** @type {any} */ one, /** @type {number} */ i) => close(one.embedding, /** @type {number[]} */ (data[i].embedding), `text ${i}`));
  close(r.afar.data[0].embedding, /** @type {number[]} */ (data[1].embedding), 'in a worker');
  assert.equal(r.answer.usage.completion_tokens, 3);
  assert.deepEqual(r.refused, {
    chat: 'IncorrectPipelineLoadedError', completion: 'IncorrectPipelineLoadedError', embedding: 'EmbeddingUnsupportedModelError',
    long: ['EmbeddingExceedContextWindowSizeError', 'Embedding input of 82 tokens exceeds the context window of 64.', 'QN_E_CONTEXT'],
    empty: 'EmbeddingInputEmptyError', base64: 'EmbeddingUnsupportedEncodingFormatError',
  });
  assert.equal(r.long, 'EmbeddingExceedContextWindowSizeError');
  assert.deepEqual(errors, []);
});
