// What web-llm 0.2.86 refuses, by the error's name and the words that applications look for.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';

import * as webllm from '../../web/webllm/index.js';
import { configFields, modelSource } from '../../web/webllm/config.js';
import { packError, translate, unpackError } from '../../web/webllm/errors.js';
import { Answer } from '../../web/webllm/answers.js';
import { postInitAndCheckGenerationConfigValues, toQuern } from '../../web/webllm/requests.js';
import { logprobsOf, sample } from '../../web/webllm/stepper.js';
import { QuernError, STATUS } from '../../web/errors.js';

const user = { role: 'user', content: 'Hello' };
const image = { type: 'image_url', image_url: { url: 'https://example.org/a.jpg' } };
const tools = [{ type: 'function', function: { name: 'weather', parameters: { type: 'object' } } }];
const LLAMA = 'Llama-3.1-8B-Instruct-q4f32_1-MLC';
const HERMES = 'Hermes-2-Pro-Llama-3-8B-q4f16_1-MLC';
const { LLM, VLM } = webllm.ModelType;

/** @param {string} name @param {string | RegExp} words */
const refusal = (name, words) => (/** @type {any} */ error) => {
  assert.equal(error.name, name);
  assert.ok(error instanceof Error && error.code.startsWith('QN_E_'), String(error));
  if (typeof words === 'string') assert.ok(error.message.includes(words), error.message);
  else assert.match(error.message, words);
  return true;
};

test('chat requests', () => {
  /** @type {[string, string, object, string?, number?][]} */
  const refused = [
    ['InvalidStreamOptionsError', 'Only specify stream_options when stream=True.', { stream_options: { include_usage: true } }],
    ['InvalidStreamOptionsError', 'Only specify stream_options when stream=True.', { stream: false, stream_options: {} }],
    ['MessageOrderError', 'Last message should be from either `user` or `tool`.', { messages: [user, { role: 'assistant', content: 'Hi' }] }],
    ['SystemMessageOrderError', 'System prompt should always be the first message in `messages`.', { messages: [user, { role: 'system', content: 'Be brief.' }] }],
    ['StreamingCountError', 'When streaming, `n` cannot be > 1.', { stream: true, n: 2 }],
    ['SeedTypeError', '`seed` should be an integer, but got 42.2', { seed: 42.2 }],
    ['InvalidResponseFormatError', 'JSON schema is only supported with `json_object` response format.', { response_format: { schema: '{}' } }],
    ['InvalidResponseFormatGrammarError', 'When ResponseFormat.type is `grammar`,', { response_format: { grammar: 'root ::= "a"' } }],
    ['InvalidResponseFormatGrammarError', 'When ResponseFormat.type is `grammar`,', { response_format: { type: 'grammar' } }],
    ['InvalidResponseFormatStructuralTagError', 'When ResponseFormat.type is `structural_tag`,', { response_format: { type: 'structural_tag' } }],
    ['UserMessageContentErrorForNonVLM', 'The model loaded is not of type ModelType.VLM (vision-language model).', { messages: [{ role: 'user', content: [image] }] }],
    ['UnsupportedDetailError', 'Currently do not support field image_url.detail, but received: high', { messages: [{ role: 'user', content: [{ ...image, image_url: { ...image.image_url, detail: 'high' } }] }] }, 'v', VLM],
    ['UnsupportedImageURLError', 'file:', { messages: [{ role: 'user', content: [{ ...image, image_url: { url: 'file:///a.png' } }] }] }, 'v', VLM],
    ['MultipleTextContentError', 'Each message can have at most one text contentPart, but received more than 1.', { messages: [{ role: 'user', content: [{ type: 'text', text: 'a' }, image, { type: 'text', text: 'b' }] }] }, 'v', VLM],
    ['UnsupportedModelIdError', `${LLAMA} is not supported for ChatCompletionRequest.tools.`, { tools }],
    ['CustomResponseFormatError', 'cannot specify customized response_format. We will set it for you internally.', { tools, response_format: { type: 'json_object' } }, HERMES],
    ['CustomSystemPromptError', 'cannot specify customized system prompt.', { tools, messages: [{ role: 'system', content: 'x' }, user] }, HERMES],
  ];
  for (const [name, words, fields, id = LLAMA, type = LLM] of refused) {
    assert.throws(() => webllm.postInitAndCheckFieldsChatCompletion({ messages: [user], ...fields }, id, type), refusal(name, words), name);
  }
  const accepted = [
    { n: 3, temperature: 1.5, max_tokens: 25, frequency_penalty: 0.2, seed: 42, logprobs: true, top_logprobs: 2, logit_bias: { 13813: -100, 10319: 5 } },
    { stream: true, stream_options: { include_usage: true } },
    { response_format: { type: 'grammar', grammar: 'root ::= "a"' } },
    { messages: [{ role: 'user', content: [{ type: 'text', text: 'a' }] }] },
    { messages: [user, { role: 'assistant', content: 'x' }, { role: 'tool', tool_call_id: '0', content: '{}' }] },
  ];
  for (const fields of accepted) webllm.postInitAndCheckFieldsChatCompletion({ messages: [user], ...fields }, LLAMA, LLM);
  webllm.postInitAndCheckFieldsChatCompletion({ messages: [{ role: 'user', content: [{ type: 'text', text: 'a' }, image, image] }] }, 'v', VLM);
  webllm.postInitAndCheckFieldsChatCompletion({ messages: [user], tools }, LLAMA, LLM, { anyModelCalls: true });
});

test('completions and embeddings', () => {
  for (const field of ['suffix', 'best_of', 'user']) {
    assert.throws(() => webllm.postInitAndCheckFieldsCompletion({ prompt: 'a', [field]: 'x' }, LLAMA), refusal('UnsupportedFieldsError', 'The following fields in CompletionCreateParams are not yet supported'));
  }
  assert.throws(() => webllm.postInitAndCheckFieldsCompletion({ prompt: 'a', stream: true, n: 2 }, LLAMA), refusal('StreamingCountError', '`n`'));
  assert.throws(() => webllm.postInitAndCheckFieldsCompletion({ prompt: 'a', seed: 1.5 }, LLAMA), refusal('SeedTypeError', 'integer'));
  assert.throws(() => webllm.rejectCompletionResumable({ prompt: 'a', extra_body: { resumable: { enabled: true } } }), refusal('UnsupportedFieldsError', 'resumable'));
  for (const input of ['Hello', ['a', 'b'], [0, 1], [[0, 1], [2]]]) webllm.postInitAndCheckFieldsEmbedding({ input, encoding_format: 'float' }, 'e');
  for (const input of ['', ['Hi', ''], [], [[1, 2], []]]) {
    assert.throws(() => webllm.postInitAndCheckFieldsEmbedding({ input }, 'e'), refusal('EmbeddingInputEmptyError', 'empty'));
  }
  assert.throws(() => webllm.postInitAndCheckFieldsEmbedding({ input: 'a', encoding_format: 'base64' }, 'e'), refusal('EmbeddingUnsupportedEncodingFormatError', 'base64'));
  for (const field of ['user', 'dimensions']) assert.throws(() => webllm.postInitAndCheckFieldsEmbedding({ input: 'a', [field]: 1 }, 'e'), refusal('UnsupportedFieldsError', 'The following fields in'));
});

test('ranges of generation', () => {
  /** @type {[string, string, object][]} */
  const refused = [
    ['MinValueError', 'Make sure `max_tokens` > 0', { max_tokens: 0 }],
    ['MinValueError', 'Make sure `repetition_penalty` > 0', { repetition_penalty: 0 }],
    ['RangeError', 'Make sure -2 < frequency_penalty <= 2.', { frequency_penalty: 2.5 }],
    ['RangeError', 'Make sure 0 < top_p <= 1.', { top_p: 0 }],
    ['NonNegativeError', 'Make sure temperature >= 0.', { temperature: -1 }],
    ['RangeError', 'Make sure -100 < logit_bias <= 100.', { logit_bias: { 1355: 155 } }],
    ['InvalidNumberStringError', "Make sure logit_bias's keys to be number represented in string.", { logit_bias: { word: 50 } }],
    ['RangeError', 'Make sure 0 < top_logprobs <= 5.', { logprobs: true, top_logprobs: 6 }],
    ['DependencyError', 'top_logprobs requires logprobs to be true', { top_logprobs: 3 }],
    ['DependencyError', 'top_logprobs requires logprobs to be true', { logprobs: false, top_logprobs: 3 }],
  ];
  for (const [name, words, config] of refused) assert.throws(() => postInitAndCheckGenerationConfigValues(config), refusal(name, words));
  /** @type {any} */
  const one = { frequency_penalty: 1.5, logprobs: true };
  postInitAndCheckGenerationConfigValues(one);
  assert.deepEqual([one.presence_penalty, one.top_logprobs], [0, 0]);
});

test('what becomes of a request', () => {
  const request = { messages: [user], model: LLAMA, stream: true, stream_options: {}, extra_body: { enable_thinking: false }, response_format: { type: 'json_object', schema: '{"type":"object"}' } };
  assert.deepEqual(toQuern(request, { temperature: 0.5, top_p: undefined }, { system: 'Be brief.' }), {
    messages: [{ role: 'system', content: 'Be brief.' }, user],
    temperature: 0.5,
    response_format: { type: 'json_schema', json_schema: { name: 'schema', schema: { type: 'object' } } },
    chat_template_kwargs: { enable_thinking: false },
  });
  assert.deepEqual(configFields({ temperature: 1, conv_template: { system_message: 'x' } }), { temperature: 1 });
  assert.deepEqual(configFields({ conv_template: { seps: ['\n'] }, conv_config: { system_message: 'x' } }), { conv_template: { seps: ['\n'], system_message: 'x' } });
  assert.equal(modelSource('https://huggingface.co/mlc-ai/X-MLC'), 'hf:mlc-ai/X-MLC');
  assert.equal(modelSource('https://huggingface.co/mlc-ai/X-MLC/resolve/main/'), 'hf:mlc-ai/X-MLC');
  assert.equal(modelSource('https://huggingface.co/mlc-ai/X-MLC/resolve/v1/'), 'hf:mlc-ai/X-MLC@v1');
  assert.equal(modelSource('http://localhost/model/'), 'http://localhost/model/');
});

test('schemas are closed as XGrammar closes them', () => {
  const schemaOf = (/** @type {any} */ schema) => toQuern({ messages: [user], response_format: { type: 'json_object', schema } }, {}).response_format.json_schema.schema;
  const inner = { type: 'object', properties: { default: { properties: {} } }, default: { properties: {} } };
  assert.deepEqual(schemaOf(JSON.stringify({ properties: { a: { anyOf: [inner, { $ref: '#/$defs/b' }] }, c: { properties: {}, additionalProperties: true } }, $defs: { b: inner } })), {
    additionalProperties: false,
    properties: {
      a: { anyOf: [{ additionalProperties: false, type: 'object', properties: { default: { additionalProperties: false, properties: {} } }, default: { properties: {} } }, { $ref: '#/$defs/b' }] },
      c: { properties: {}, additionalProperties: true },
    },
    $defs: { b: { additionalProperties: false, type: 'object', properties: { default: { additionalProperties: false, properties: {} } }, default: { properties: {} } } },
  });
  for (const open of [{ allOf: [inner, { required: ['x'] }] }, { properties: { a: {} }, anyOf: [inner] }, { type: 'object' }, { properties: { a: inner }, patternProperties: { b: {} } }]) assert.deepEqual(schemaOf(open), open);
  assert.ok('additionalProperties' in schemaOf({ properties: { not: {} } })); // a name
  const { grammar } = toQuern({ messages: [user], response_format: { type: 'structural_tag', structural_tag: { format: { type: 'json_schema', json_schema: { properties: {} } } } } }, {}).response_format;
  assert.match(grammar, /"additionalProperties":false/);
});

test('the list of models', () => {
  const { model_list: list } = webllm.prebuiltAppConfig;
  assert.equal(list[0].model_id, 'grist');
  assert.equal(new Set(list.map((m) => m.model_id)).size, list.length);
  for (const id of ['Llama-3.2-1B-Instruct-q4f16_1-MLC', 'Qwen2.5-0.5B-Instruct-q0f32-MLC', 'gemma-2-2b-it-q4f16_1-MLC-1k', 'Phi-3.5-mini-instruct-q4f16_1-MLC', 'Llama-3.1-70B-Instruct-q3f16_1-MLC', ...webllm.functionCallingModelIds]) {
    const found = list.find((m) => m.model_id === id);
    assert.ok(found, id);
    assert.ok(URL.canParse(String(found.model_lib)) && /** @type {number} */ (found.vram_required_MB) > 100, id);
  }
});

/** Every id in web-llm's own examples (github.com/mlc-ai/web-llm, examples/, May 2026). */
const EXAMPLES = `Hermes-2-Pro-Llama-3-8B-q4f16_1-MLC Hermes-2-Theta-Llama-3-8B-q4f16_1-MLC Llama-3.1-8B-Instruct-q4f16_1-MLC Llama-3.1-8B-Instruct-q4f32_1-1k
  Llama-3.1-8B-Instruct-q4f32_1-MLC Llama-3.1-8B-q4f32_1-MLC Llama-3.2-1B-Instruct-q4f16_1-MLC Llama-3.2-3B-Instruct-q4f16_1-MLC Phi-3.5-mini-instruct-q4f16_1-MLC
  Phi-3.5-mini-instruct-q4f32_1-MLC-1k Phi-3.5-vision-instruct-q4f16_1-MLC Qwen2-0.5B-Instruct-q4f16_1-MLC Qwen2.5-1.5B-Instruct-q4f16_1-MLC Qwen3-0.6B-q0f32-MLC
  Qwen3-4B-q4f16_1-MLC TinyLlama-1.1B-Chat-v0.4-q4f16_1-MLC-1k gemma-2-2b-it-q4f32_1-MLC-1k phi-2-q4f32_1-MLC snowflake-arctic-embed-m-q0f32-MLC-b32 snowflake-arctic-embed-m-q0f32-MLC-b4`.split(/\s+/);

test('the models of web-llm\'s examples are listed, or docs/webllm.md says why not', () => {
  const known = new Set(webllm.prebuiltAppConfig.model_list.map((m) => m.model_id));
  const docs = readFileSync(new URL('../../docs/webllm.md', import.meta.url), 'utf8');
  const missing = EXAMPLES.filter((id) => !known.has(id));
  assert.deepEqual(missing.filter((id) => !docs.includes(`\`${id}\``)), []);
  assert.ok(EXAMPLES.length === 20 && missing.length <= 3, missing.join());
});

test('integrity', async () => {
  const abc = new TextEncoder().encode('abc');
  const right = 'sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=';
  const wrong = 'sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=';
  assert.equal(webllm.isValidSRI(right), true);
  for (const bad of ['sha1-abc123', 'invalid', 'sha256-', 'sha512-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=', 'sha256-***']) assert.equal(webllm.isValidSRI(bad), false, bad);
  await webllm.verifyIntegrity(abc.buffer, right, 'https://example.org/abc');
  await assert.rejects(webllm.verifyIntegrity(abc, 'sha1-abc123', 'u'), /Invalid SRI hash format/);
  await assert.rejects(webllm.verifyIntegrity(abc, wrong, 'https://example.org/abc'), (/** @type {any} */ e) => {
    assert.ok(e instanceof webllm.IntegrityError);
    assert.deepEqual([e.name, e.url, e.expected, e.actual], ['IntegrityError', 'https://example.org/abc', wrong, right]);
    return e.message.includes('Integrity verification failed');
  });
});

test('errors cross a thread with their class and fields', () => {
  const back = unpackError(structuredClone(packError(new webllm.IntegrityError('u', 'a', 'b'))));
  assert.ok(back instanceof webllm.IntegrityError && /** @type {any} */ (back).actual === 'b');
  const other = unpackError(structuredClone(packError(new webllm.SeedTypeError(1.5))));
  assert.deepEqual([other.name, /** @type {any} */ (other).code], ['SeedTypeError', 'QN_E_ARGUMENT']);
  assert.equal(unpackError(packError(new DOMException('x', 'AbortError'))).name, 'AbortError');
  const context = /** @type {any} */ (translate(new QuernError(STATUS.E_CONTEXT, 'the prompt has 300 tokens, the context 256')));
  assert.equal(context.name, 'ContextWindowSizeExceededError');
});

test('a processor\'s logits are sampled as asked', () => {
  const logits = () => Float32Array.of(1, 3, 2, -1);
  const never = () => assert.fail('no draw is needed');
  assert.equal(sample(logits(), { temperature: 0 }, [], 0, never), 1);
  assert.equal(sample(logits(), { temperature: 0, logit_bias: { 3: 10 } }, [], 0, never), 3);
  assert.equal(sample(logits(), { temperature: 0, repetition_penalty: 4 }, [1], 1, never), 2);
  assert.equal(sample(logits(), { temperature: 0, presence_penalty: 2 }, [1, 1], 1, never), 2);
  assert.equal(sample(logits(), { temperature: 0, presence_penalty: 2 }, [1], 1, never), 1); // of the prompt: not penalised
  assert.equal(sample(logits(), { temperature: 1, top_k: 1 }, [], 0, () => 0.999), 1);
  assert.equal(sample(logits(), { temperature: 1, top_p: 0.5 }, [], 0, () => 0.999), 1);
  assert.equal(sample(logits(), { temperature: 1, min_p: 0.3 }, [], 0, () => 0.999), 2);
  // Drawn as often as the softmax says.
  const counts = [0, 0, 0, 0];
  for (let i = 0; i < 4000; i++) counts[sample(logits(), { temperature: 1 }, [], 0, () => (i + 0.5) / 4000)]++;
  const e = [1, 3, 2, -1].map(Math.exp);
  const total = e.reduce((a, b) => a + b);
  counts.forEach((n, i) => assert.ok(Math.abs(n / 4000 - e[i] / total) < 0.002));
});

test('log-probabilities of what a processor left', () => {
  const logits = Float32Array.of(1, 3, 2, -1, 2.5);
  const total = logits.reduce((sum, l) => sum + Math.exp(l), 0);
  const of = logprobsOf(logits, 3);
  sample(logits, { temperature: 0, logit_bias: { 3: 100 } }, [], 0, Math.random); // changes them
  assert.ok(Math.abs(of(3).logprob - (-1 - Math.log(total))) < 1e-6);
  assert.deepEqual(of(0).top.map(([id]) => id), [1, 4, 2]);
  assert.ok(Math.abs(of(0).top[2][1] - (2 - Math.log(total))) < 1e-6);
  assert.deepEqual(logprobsOf(logits, 0)(1).top, []);
});

test('calls are told whole, in the last chunk', () => {
  const answer = new Answer();
  const deltas = [{ role: 'assistant', content: '' }, { content: 'So' }, { tool_calls: [{ index: 0, id: 'a', type: 'function', function: { name: 'f', arguments: '' } }] }, { tool_calls: [{ index: 0, function: { arguments: '{"a"' } }] }, { tool_calls: [{ index: 0, function: { arguments: ':1}' } }] }, {}];
  const told = deltas.flatMap((delta, i) => {
    const chunk = { id: 'x', choices: [{ index: 0, delta, finish_reason: i === 5 ? 'tool_calls' : null }] };
    answer.add(chunk);
    return answer.told(chunk) ?? [];
  });
  assert.deepEqual(told.map((c) => c.choices[0].delta), [deltas[0], deltas[1], { tool_calls: [{ index: 0, id: 'a', type: 'function', function: { name: 'f', arguments: '{"a":1}' } }] }]);
  assert.equal(answer.told({ choices: [], usage: {} })?.choices.length, 0);
});
