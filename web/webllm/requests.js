// web-llm's rules for requests, and what becomes of a request before Quern gets it.

import * as errors from './errors.js';
import { functionCallingModelIds, ModelType } from './config.js';
import { strict, structuralGrammar } from './structural.js';

/** Fields that web-llm would refuse in chat requests: none. */
export const ChatCompletionRequestUnsupportedFields = Object.freeze(/** @type {string[]} */ ([]));

/** @typedef {Record<string, any>} Request */

const given = (/** @type {any} */ value) => value !== undefined && value !== null;

/** @param {Request} request @param {readonly string[]} fields @param {string} where */
function refuseFields(request, fields, where) {
  const found = fields.filter((field) => field in request);
  if (found.length > 0) throw new errors.UnsupportedFieldsError(found, where);
}

/** Rules that chat and text completion share. @param {Request} request */
function checkCommon(request) {
  if (request.stream && request.n > 1) throw new errors.StreamingCountError();
  if (given(request.seed) && !Number.isInteger(request.seed)) throw new errors.SeedTypeError(request.seed);
  if (given(request.stream_options) && !request.stream) throw new errors.InvalidStreamOptionsError();
}

/** A field of response_format, the type that it belongs to, whether the type asks for it. */
const FORMAT_FIELDS = /** @type {const} */ ([
  ['schema', 'json_object', false, errors.InvalidResponseFormatError],
  ['grammar', 'grammar', true, errors.InvalidResponseFormatGrammarError],
  ['structural_tag', 'structural_tag', true, errors.InvalidResponseFormatStructuralTagError],
]);

/** @param {Request | null | undefined} format */
function checkResponseFormat(format) {
  if (!format) return;
  for (const [field, type, needed, Refusal] of FORMAT_FIELDS) {
    const has = given(format[field]);
    if ((has && format.type !== type) || (needed && format.type === type && !has)) throw new Refusal();
  }
}

/** @param {any} content of a user's message, not a string @param {string} id @param {number} type of ModelType */
function checkParts(content, id, type) {
  const kinds = /** @type {Record<number, string>} */ (/** @type {unknown} */ (ModelType));
  const images = Array.isArray(content) ? content.filter((part) => part.type === 'image_url') : null;
  // Text in parts is text for every model; web-llm refuses it unless the model sees.
  if (type !== ModelType.VLM && (!images || content.some((/** @type {any} */ part) => part.type !== 'text'))) throw new errors.UserMessageContentErrorForNonVLM(id, kinds[type], content);
  for (const { image_url: image } of images ?? []) {
    if (given(image.detail)) throw new errors.UnsupportedDetailError(image.detail);
    if (!/^(data:image|http)/.test(image.url)) throw new errors.UnsupportedImageURLError(image.url);
  }
  if (type === ModelType.VLM && content.length - (images?.length ?? 0) > 1) throw new errors.MultipleTextContentError();
}

/**
 * Throws what web-llm throws for a chat request that it does not take. Less is refused by the engine
 * itself: tools work with every model whose template knows them.
 * @param {Request} request @param {string} modelId @param {number} modelType
 * @param {{ anyModelCalls?: boolean }} [options] anyModelCalls: tools are not for some models only
 */
export function postInitAndCheckFieldsChatCompletion(request, modelId, modelType, { anyModelCalls = false } = {}) {
  const { messages } = request;
  if (!Array.isArray(messages) || messages.length === 0) throw new errors.MessageOrderError('`messages` should be a list of at least one message.');
  for (const [i, message] of messages.entries()) {
    if (message.role === 'user' && typeof message.content !== 'string') checkParts(message.content, modelId, modelType);
    if (message.role === 'system' && i > 0) throw new errors.SystemMessageOrderError();
  }
  if (!['user', 'tool'].includes(messages[messages.length - 1].role)) throw new errors.MessageOrderError('Last message should be from either `user` or `tool`.');
  checkCommon(request);
  checkResponseFormat(request.response_format);
  if (!given(request.tools) || anyModelCalls) return;
  if (!functionCallingModelIds.includes(modelId)) throw new errors.UnsupportedModelIdError(modelId, functionCallingModelIds);
  if (!modelId.startsWith('Hermes-2-Pro-')) return;
  if (given(request.response_format)) throw new errors.CustomResponseFormatError(request.response_format);
  if (messages.some((m) => m.role === 'system')) throw new errors.CustomSystemPromptError();
}

/** @param {Request} request @param {string} _modelId */
export function postInitAndCheckFieldsCompletion(request, _modelId) {
  refuseFields(request, ['suffix', 'user', 'best_of'], 'CompletionCreateParams');
  checkCommon(request);
}

/** @param {Request} request @param {string} _modelId */
export function postInitAndCheckFieldsEmbedding(request, _modelId) {
  refuseFields(request, ['dimensions', 'user'], 'EmbeddingCreateParams');
  if (request.encoding_format === 'base64') throw new errors.EmbeddingUnsupportedEncodingFormatError();
  const { input } = request;
  if (input.length === 0 || (Array.isArray(input) && input.some((one) => typeof one !== 'number' && one.length === 0))) throw new errors.EmbeddingInputEmptyError();
}

/** Completions do not take `extra_body.resumable`. @param {Request} request */
export function rejectCompletionResumable(request) {
  if (given(request.extra_body?.resumable)) throw new errors.UnsupportedFieldsError(['extra_body.resumable'], 'CompletionCreateParams');
}

/** With a LogitProcessor tokens are chosen in JavaScript, where these are not. @param {Request} request */
export function refuseBesideProcessor(request) {
  const found = ['tools'].filter((field) => request[field]);
  if (request.n > 1) found.push('n');
  if (given(request.response_format) && request.response_format.type !== 'text') found.push('response_format');
  if (request.extra_body?.resumable?.enabled) found.push('extra_body.resumable');
  if (found.length > 0) throw new errors.UnsupportedFieldsError(found, 'ChatCompletionRequest beside a LogitProcessor');
}

/**
 * Ranges of web-llm's fields of generation; fills in what follows from others.
 * @param {Request} config
 */
export function postInitAndCheckGenerationConfigValues(config) {
  for (const field of ['frequency_penalty', 'presence_penalty']) {
    if (config[field] < -2 || config[field] > 2) throw new errors.RangeError(field, -2, 2);
  }
  for (const field of ['repetition_penalty', 'max_tokens']) {
    if (given(config[field]) && !(config[field] > 0)) throw new errors.MinValueError(field, 0);
  }
  if (given(config.top_p) && !(config.top_p > 0 && config.top_p <= 1)) throw new errors.RangeError('top_p', 0, 1);
  if (given(config.temperature) && !(config.temperature >= 0)) throw new errors.NonNegativeError('temperature');
  for (const [one, other] of [['frequency_penalty', 'presence_penalty'], ['presence_penalty', 'frequency_penalty']]) {
    if (given(config[one]) && !given(config[other])) config[other] = 0;
  }
  for (const [token, bias] of /** @type {[string, number][]} */ (Object.entries(config.logit_bias ?? {}))) {
    if (!(bias >= -100 && bias <= 100)) throw new errors.RangeError('logit_bias', -100, 100, `Got ${bias} for tokenID ${token}`);
    if (!/^\d+$/.test(token)) throw new errors.InvalidNumberStringError("logit_bias's keys", token);
  }
  if (given(config.top_logprobs)) {
    if (!config.logprobs) throw new errors.DependencyError('top_logprobs', 'logprobs', true);
    if (!(config.top_logprobs >= 0 && config.top_logprobs <= 5)) throw new errors.RangeError('top_logprobs', 0, 5, `Got ${config.top_logprobs}`);
  } else if (config.logprobs) {
    config.top_logprobs = 0;
  }
}

/** @param {Request} format web-llm's response_format @returns {Request} as Quern (and OpenAI) writes it */
function responseFormat({ type, schema, grammar, structural_tag: tag, ...rest }) {
  if (type === 'json_object' && given(schema)) return { type: 'json_schema', json_schema: { name: 'schema', schema: strict(schema) } };
  if (type === 'grammar') return { type, grammar };
  if (type === 'structural_tag') return { type: 'grammar', grammar: structuralGrammar(tag) };
  return { type, ...rest };
}

/**
 * web-llm's request as Quern takes it.
 * @param {Request} request checked
 * @param {Record<string, any>} defaults of the model's configuration, where the application replaced them
 * @param {{ vocab?: number, system?: string }} [options] tokens of the vocabulary; a system message of the application's configuration
 * @returns {Request}
 */
export function toQuern(request, defaults, { vocab = Infinity, system } = {}) {
  const { extra_body: extra, response_format: format, model, stream, stream_options: streamOptions, ...own } = request;
  const { enable_thinking: thinking, enable_latency_breakdown: _latency, resumable: _resumable, ...more } = extra ?? {};
  /** @type {Request} */
  const rest = { ...more, ...own }; // what else there is in extra_body counts as the request's own
  for (const field of ['temperature', 'top_p', 'frequency_penalty', 'presence_penalty', 'repetition_penalty']) {
    if (!given(rest[field]) && given(defaults[field])) rest[field] = defaults[field];
  }
  if (system !== undefined && rest.messages && rest.messages[0]?.role !== 'system') rest.messages = [{ role: 'system', content: system }, ...rest.messages];
  // Applications name tokens of one model to all.
  if (given(rest.logit_bias)) rest.logit_bias = Object.fromEntries(Object.entries(rest.logit_bias).filter(([id]) => Number(id) < vocab));
  if (given(format)) rest.response_format = responseFormat(format);
  if (given(thinking)) rest.chat_template_kwargs = { ...rest.chat_template_kwargs, enable_thinking: thinking };
  return rest;
}
