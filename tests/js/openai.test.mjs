// OpenAI's objects around an engine: choices, tool calls, reasoning, log-probabilities, completions;
// with answers made up here, and with those of a small model.

import assert from 'node:assert/strict';
import test from 'node:test';

import { ChatCompletions } from '../../web/chat.js';
import { Completions } from '../../web/completions.js';
import { Embeddings } from '../../web/embeddings.js';
import { addPart } from '../../web/requests.js';
import { askFresh, finish, openEngine } from './lib/models.mjs';

/** @typedef {import('../../web/choices.js').Part} Part */
/** @typedef {import('./lib/models.mjs').Engine} Engine */

const USAGE = {
  prompt_tokens: 5, completion_tokens: 2, total_tokens: 7, prompt_tokens_details: { cached_tokens: 1 },
  timings: { time_to_first_token_ms: 1, prefill_tokens_per_s: 2, decode_tokens_per_s: 3, total_ms: 4 },
};
const messages = [{ role: /** @type {const} */ ('user'), content: 'Hi' }];

/** Answers in parts. @param {[Part['kind'], string, number?][]} said @param {import('../../web/choices.js').FinishReason} [end] */
const says = (said, end = 'stop') => new ChatCompletions(async (_method, _args, options) => {
  for (const [kind, text, call = 0] of said) options?.onEvent?.({ parts: [{ kind, call, text }], logprobs: [], tokens: 1, prompt: 5 });
  return { finish: end, usage: USAGE };
}, 'model');

/** @template T @param {AsyncIterable<T>} stream */
async function all(stream) {
  const list = [];
  for await (const item of stream) list.push(item);
  return list;
}

const CALLS = /** @type {[Part['kind'], string, number?][]} */ ([
  ['reasoning', 'Let '], ['reasoning', 'me see.'], ['name', 'weather', 0], ['arguments', '{"city":', 0], ['arguments', '"Oslo"}', 0],
  ['name', 'weather', 1], ['arguments', '{}', 1],
]);

test('calls and reasoning of an answer', async () => {
  const { choices } = await says(CALLS, 'tool_calls').create({ messages });
  const { message, finish_reason: reason } = choices[0];
  assert.equal(reason, 'tool_calls');
  assert.equal(message.content, null);
  assert.equal(message.reasoning_content, 'Let me see.');
  assert.deepEqual(message.tool_calls?.map((c) => [c.type, c.function.name, c.function.arguments]), [['function', 'weather', '{"city":"Oslo"}'], ['function', 'weather', '{}']]);
  const ids = message.tool_calls?.map((c) => c.id) ?? [];
  assert.notEqual(ids[0], ids[1]);
  for (const id of ids) assert.match(id, /^[a-zA-Z0-9]{9}$/);
});

test('streamed calls: the name first, with an id; then the arguments as they come', async () => {
  const chunks = await all(await says([['content', 'So: '], ...CALLS], 'tool_calls').create({ messages, stream: true }));
  const deltas = chunks.map((c) => c.choices[0].delta);
  assert.deepEqual(deltas.map((d) => Object.keys(d).join()), ['role,content', 'content', 'reasoning_content', 'reasoning_content', ...Array(5).fill('tool_calls'), '']);
  const calls = deltas.flatMap((d) => d.tool_calls ?? []);
  assert.deepEqual(calls.map((c) => [c.index, c.type, c.function.name, c.function.arguments]), [
    [0, 'function', 'weather', ''], [0, undefined, undefined, '{"city":'], [0, undefined, undefined, '"Oslo"}'],
    [1, 'function', 'weather', ''], [1, undefined, undefined, '{}'],
  ]);
  assert.equal(chunks.at(-1)?.choices[0].finish_reason, 'tool_calls');
});

test('n answers: seeds in a row, the prompt counted once, chunks by index', async () => {
  /** @type {any[]} */
  const asked = [];
  const chat = new ChatCompletions(async (_, [request], options) => {
    asked.push(request);
    options?.onEvent?.({ parts: [{ kind: 'content', call: 0, text: `${/** @type {any} */ (request).seed}` }], logprobs: [], tokens: 1, prompt: 5 });
    return { finish: 'stop', usage: USAGE };
  }, 'model');
  const { choices, usage } = await chat.create({ messages, n: 3, seed: 7 });
  assert.deepEqual(choices.map((c) => [c.index, c.message.content]), [[0, '7'], [1, '8'], [2, '9']]);
  assert.deepEqual([usage.prompt_tokens, usage.completion_tokens, usage.total_tokens, usage.prompt_tokens_details.cached_tokens], [5, 6, 11, 1]);
  const chunks = await all(await chat.create({ messages, n: 2, stream: true, stream_options: { include_usage: true } }));
  for (const index of [0, 1]) {
    const own = chunks.flatMap((c) => c.choices.filter((x) => x.index === index));
    assert.deepEqual([own[0].delta.role, own.length, own.at(-1)?.finish_reason], ['assistant', 3, 'stop']);
  }
  assert.equal(chunks.at(-1)?.usage?.completion_tokens, 4);
  assert.equal(asked.at(-1).seed, asked.at(-2).seed + 1);
  await chat.create({ messages, n: /** @type {any} */ ('2') });
  assert.equal(asked.at(-1).n, '2', 'left for the engine to refuse');
});

test('one failing choice ends the others', async () => {
  let aborted = 0;
  const chat = new ChatCompletions((_, [request], options) => {
    if (/** @type {any} */ (request).seed === 2) return Promise.reject(new Error('no'));
    return new Promise((_resolve, reject) => options?.signal?.addEventListener('abort', () => {
      aborted++;
      reject(new DOMException('aborted', 'AbortError'));
    }));
  }, 'model');
  await assert.rejects(chat.create({ messages, n: 3, seed: 1 }), /no/);
  assert.equal(aborted, 2);
});

// ---- with a model

/** The worker's part, on one session. @param {Engine} engine @returns {import('../../web/choices.js').Call} */
const caller = ({ core, runner }) => {
  let line = /** @type {Promise<unknown>} */ (Promise.resolve());
  const ask = async (/** @type {any} */ method, /** @type {any} */ request, /** @type {any} */ options) => {
    const session = core.createSession();
    try {
      core.startChat(session, request, method);
      let tokens = 0;
      let embedding;
      for await (const event of runner.events(session)) {
        /** @type {Part[]} */
        const parts = [];
        addPart(parts, event);
        if (event.kind === 'logits') embedding = event.logits;
        tokens += event.kind === 'token' ? 1 : 0;
        options.onEvent({ parts, logprobs: event.logprobs ? [JSON.parse(event.logprobs)] : [], tokens, prompt: 0 });
        if (event.kind !== 'done') continue;
        const usage = { ...USAGE, prompt_tokens: event.promptTokens, completion_tokens: event.completionTokens };
        return { finish: event.finish === 'stop' ? 'stop' : 'length', usage, embedding };
      }
      throw new Error('no end');
    } finally {
      core.destroySession(session);
    }
  };
  return (method, args, options) => {
    if (method === 'tokenize') return Promise.resolve([...core.tokenize(String(args[0]))]);
    if (method === 'detokenize') return Promise.resolve(core.detokenize(/** @type {number[]} */ (args[0])));
    return (line = line.catch(() => {}).then(() => ask(method, args[0], options)));
  };
};

const MODEL = 'tests/data/tiny_hf';
const BIAS = { 0: -100, 61: -100, 62: -100, 63: -100 }; // no end

test('log-probabilities are those of the softmax over the logits, whatever is drawn', async () => {
  const engine = await openEngine(MODEL, { context: 200 });
  const chat = new ChatCompletions(caller(engine), 'tiny');
  const request = { messages, max_tokens: 5, temperature: 1.5, seed: 3, logprobs: true, top_logprobs: 4, presence_penalty: 1, logit_bias: BIAS };
  const { choices, usage } = await chat.create(request);
  const content = choices[0].logprobs?.content ?? [];
  assert.equal(content.length, 5);
  // The same tokens again, with all logits: what was drawn is drawn again.
  const session = engine.core.createSession();
  engine.core.startChat(session, { ...request, logprobs: false, top_logprobs: undefined });
  const { ids } = await finish(engine, session);
  const prompt = engine.core.tokenize(engine.core.template({ messages, add_generation_prompt: true }), { special: false });
  assert.equal(prompt.length, usage.prompt_tokens);
  const near = (/** @type {number} */ a, /** @type {number} */ b) => Math.abs(a - b) < 1e-5; // a prompt adds up in another order than single tokens
  for (const [i, entry] of content.entries()) {
    const { logits } = await askFresh(engine, [...prompt, ...ids.slice(0, i)], { logits: true, maxTokens: 0 });
    const row = Array.from(logits[0]);
    const total = Math.log(row.reduce((sum, l) => sum + Math.exp(l), 0));
    assert.ok(near(entry.logprob, row[ids[i]] - total), `token ${i}: ${entry.logprob}`);
    assert.equal(entry.token, new TextDecoder().decode(Uint8Array.from(entry.bytes)));
    assert.equal(entry.top_logprobs.length, 4);
    const best = row.map((l) => l - total).sort((a, b) => b - a);
    entry.top_logprobs.forEach((t, k) => assert.ok(near(t.logprob, best[k]), `token ${i}, place ${k}`));
  }
  assert.equal(content.map((c) => c.token).join(''), choices[0].message.content);
  const streamed = await all(await chat.create({ ...request, stream: true }));
  assert.deepEqual(streamed.flatMap((c) => c.choices[0].logprobs?.content ?? []), content);
  engine.close();
});

test('n answers of a model are those of seeds in a row', async () => {
  const engine = await openEngine(MODEL, { context: 200 });
  const chat = new ChatCompletions(caller(engine), 'tiny');
  const request = { messages, max_tokens: 6, temperature: 1.5, logit_bias: BIAS };
  const { choices } = await chat.create({ ...request, n: 3, seed: 40 });
  for (const [i, choice] of choices.entries()) {
    const alone = await chat.create({ ...request, seed: 40 + i });
    assert.equal(choice.message.content, alone.choices[0].message.content);
  }
  assert.equal(new Set(choices.map((c) => c.message.content)).size > 1, true);
  engine.close();
});

test('completions: ids, texts, several prompts, echo, log-probabilities', async () => {
  const engine = await openEngine(MODEL, { context: 200 });
  const completions = new Completions(caller(engine), 'tiny');
  const ids = [9, 2, 30, 7];
  const base = { max_tokens: 4, temperature: 0, logit_bias: BIAS };
  const byIds = await completions.create({ ...base, prompt: ids, logprobs: 2 });
  const plain = await askFresh(engine, ids, { maxTokens: 1 });
  const text = byIds.choices[0].text;
  assert.equal(byIds.object, 'text_completion');
  assert.equal(byIds.usage?.prompt_tokens, 4);
  const logprobs = byIds.choices[0].logprobs;
  assert.equal(logprobs?.tokens.join(''), text);
  assert.equal(logprobs?.top_logprobs.length, 4);
  assert.deepEqual(logprobs?.text_offset, logprobs?.tokens.map((_, i, list) => list.slice(0, i).join('').length));
  assert.equal(plain.ids.length, 1);
  const both = await completions.create({ ...base, prompt: [ids, ids], n: 1 });
  assert.deepEqual(both.choices.map((c) => [c.index, c.text]), [[0, text], [1, text]]);
  assert.equal(both.usage?.prompt_tokens, 8);
  const echo = await completions.create({ ...base, prompt: 'the x', echo: true });
  assert.ok(echo.choices[0].text.startsWith('the x') && echo.choices[0].text.length > 5);
  const none = await completions.create({ prompt: 'the x', echo: true, max_tokens: 0 });
  assert.deepEqual([none.choices[0].text, none.choices[0].finish_reason], ['the x', 'length']);
  // Echoed tokens have log-probabilities as drawn ones do.
  const scored = (await completions.create({ ...base, prompt: ids, echo: true, logprobs: 3 })).choices[0];
  const list = scored.logprobs;
  assert.equal(list?.tokens.length, 8);
  assert.equal(list?.tokens.join(''), scored.text);
  assert.deepEqual([list?.token_logprobs[0], list?.top_logprobs[0], list?.text_offset[1]], [null, null, list?.tokens[0].length]);
  for (const i of [1, 2, 3]) {
    const { logits } = await askFresh(engine, ids.slice(0, i), { logits: true, maxTokens: 0 });
    const row = Array.from(logits[0]);
    const total = Math.log(row.reduce((sum, l) => sum + Math.exp(l), 0));
    assert.ok(Math.abs(Number(list?.token_logprobs[i]) - (row[ids[i]] - total)) < 1e-5, `token ${i} of the prompt`);
  }
  const drawn = /** @type {number[]} */ (logprobs?.token_logprobs);
  drawn.forEach((v, i) => assert.ok(Math.abs(v - Number(list?.token_logprobs[4 + i])) < 1e-5, `token ${i} of the answer`));
  const only = (await completions.create({ prompt: 'the x', echo: true, logprobs: 0, max_tokens: 0 })).choices[0];
  assert.equal(only.text, 'the x');
  assert.equal(only.logprobs?.tokens.join(''), 'the x');
  const chunks = await all(await completions.create({ ...base, prompt: ids, stream: true }));
  assert.equal(chunks.map((c) => c.choices[0].text).join(''), text);
  assert.equal(chunks.at(-1)?.choices[0].finish_reason, 'length');
  await assert.rejects(completions.create({ ...base, prompt: ids, .../** @type {any} */ ({ suffix: 'x' }) }), { code: 'QN_E_UNSUPPORTED' });
  await assert.rejects(completions.create({ ...base, prompt: ids, .../** @type {any} */ ({ best_of: 2 }) }), { code: 'QN_E_UNSUPPORTED' });
  await assert.rejects(completions.create({ ...base, prompt: /** @type {any} */ (3) }), { code: 'QN_E_ARGUMENT' });
  engine.close();
});

test('embeddings: of several texts, as numbers or base64, of fewer dimensions', async () => {
  const engine = await openEngine(MODEL, { context: 200, embeddings: true });
  const embeddings = new Embeddings(caller(engine), 'tiny');
  const { data, usage, object } = await embeddings.create({ input: ['the x', 'a'] });
  assert.deepEqual([object, data.length, data[1].index], ['list', 2, 1]);
  assert.equal(usage.prompt_tokens, engine.core.tokenize('the x').length + engine.core.tokenize('a').length);
  const vector = /** @type {number[]} */ (data[0].embedding);
  assert.equal(vector.length, 16);
  assert.ok(Math.abs(Math.hypot(...vector) - 1) < 1e-6);
  const { data: [coded] } = await embeddings.create({ input: [...engine.core.tokenize('the x')], encoding_format: 'base64' });
  assert.deepEqual(Array.from(new Float32Array(Uint8Array.from(Buffer.from(String(coded.embedding), 'base64')).buffer)), vector);
  const { data: [cut] } = await embeddings.create({ input: 'the x', dimensions: 4 });
  const length = Math.hypot(...vector.slice(0, 4));
  vector.slice(0, 4).forEach((v, i) => assert.ok(Math.abs(Number(cut.embedding[i]) - v / length) < 1e-6));
  await assert.rejects(embeddings.create({ input: [] }), { code: 'QN_E_ARGUMENT' });
  await assert.rejects(embeddings.create({ input: 'a', .../** @type {any} */ ({ encoding_format: 'hex' }) }), { code: 'QN_E_ARGUMENT' });
  const chat = new ChatCompletions(caller(engine), 'tiny');
  await assert.rejects(chat.create({ messages, max_tokens: 1 }), { code: 'QN_E_UNSUPPORTED' });
  engine.close();
});
