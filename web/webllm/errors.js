// Errors that web-llm's callers tell apart by name or by words of the message: those that can occur here. All are exported;
// web-llm itself exports only IntegrityError. Each also carries Quern's stable `code`.

import { QuernError, STATUS } from '../errors.js';
import { STATUS_TABLE } from '../errors.gen.js';

/** An error of web-llm's interface. */
export class WebLLMError extends Error {
  /** @param {string} name @param {string} message @param {number} [status] of Quern's table @param {ErrorOptions} [options] */
  constructor(name, message, status = STATUS.E_ARGUMENT, options) {
    super(message, options);
    this.name = name;
    this.code = STATUS_TABLE[status].code;
  }
}

/**
 * A class whose instances are named `name`.
 * @template {any[]} A
 * @param {string} name @param {(...args: A) => string} message @param {number} [status]
 */
function errorClass(name, message, status) {
  const made = class extends WebLLMError {
    /** @param {A} args */
    constructor(...args) {
      super(name, message(...args), status);
    }
  };
  Object.defineProperty(made, 'name', { value: name });
  return made;
}

const streamField = (/** @type {string} */ field) => `\`${field}\``;

export const ModelNotFoundError = errorClass('ModelNotFoundError', (/** @type {string} */ id) => `Cannot find model record in appConfig for ${id}: add it to model_list, or use one of prebuiltAppConfig's.`, STATUS.E_NOT_FOUND);
export const ConfigValueError = errorClass('ConfigValueError', (/** @type {string} */ message) => message);
export const MinValueError = errorClass('MinValueError', (/** @type {string} */ field, /** @type {number} */ min) => `Make sure ${streamField(field)} > ${min}.`);
export const RangeError = errorClass('RangeError', (/** @type {string} */ field, /** @type {number} */ min, /** @type {number} */ max, /** @type {string} */ more = '') => `Make sure ${min} < ${field} <= ${max}.${more && ` ${more}`}`);
export const NonNegativeError = errorClass('NonNegativeError', (/** @type {string} */ field) => `Make sure ${field} >= 0.`);
export const InvalidNumberStringError = errorClass('InvalidNumberStringError', (/** @type {string} */ field, /** @type {string} */ got = '') => `Make sure ${field} to be number represented in string.${got && ` Got ${got}`}`);
export const DependencyError = errorClass('DependencyError', (/** @type {string} */ field, /** @type {string} */ other, /** @type {unknown} */ value) => `${field} requires ${other} to be ${value}.`);
export const WebGPUNotAvailableError = errorClass('WebGPUNotAvailableError', () => 'WebGPU is not available here; leave the backend to be chosen, and the CPU is used.', STATUS.E_NO_WEBGPU);
export const ModelNotLoadedError = errorClass('ModelNotLoadedError', (/** @type {string} */ request) => `Model not loaded before trying to complete ${request}: call reload(modelId) first, or create the engine with CreateMLCEngine().`, STATUS.E_STATE);
export const WorkerEngineModelNotLoadedError = errorClass('WorkerEngineModelNotLoadedError', (/** @type {string} */ engine) => `${engine} is not loaded with a model: call reload(modelId) first.`, STATUS.E_STATE);
export const EngineNotLoadedError = errorClass('EngineNotLoadedError', () => 'Engine not yet loaded with model: call reload(modelId) first.', STATUS.E_STATE);
export const MessageOrderError = errorClass('MessageOrderError', (/** @type {string} */ message) => message);
export const SystemMessageOrderError = errorClass('SystemMessageOrderError', () => 'System prompt should always be the first message in `messages`.');
export const ContentTypeError = errorClass('ContentTypeError', (/** @type {string} */ name) => `${name} should have string content.`);
export const UnsupportedRoleError = errorClass('UnsupportedRoleError', (/** @type {string} */ role) => `Unsupported role of message: ${role}`);
export const UserMessageContentErrorForNonVLM = errorClass('UserMessageContentErrorForNonVLM', (/** @type {string} */ id, /** @type {string} */ type, /** @type {unknown} */ content) => `The model loaded is not of type ModelType.VLM (vision-language model). Its messages are text, but this one has ${JSON.stringify(content)}; the model is ${id}, of type ${type}.`, STATUS.E_UNSUPPORTED);
export const UnsupportedDetailError = errorClass('UnsupportedDetailError', (/** @type {string} */ detail) => `Currently do not support field image_url.detail, but received: ${detail}`, STATUS.E_UNSUPPORTED);
export const UnsupportedImageURLError = errorClass('UnsupportedImageURLError', (/** @type {string} */ url) => `image_url.url should start with "data:image" or "http", but is ${url}`);
export const MultipleTextContentError = errorClass('MultipleTextContentError', () => 'Each message can have at most one text contentPart, but received more than 1.');
export const UnsupportedFieldsError = errorClass('UnsupportedFieldsError', (/** @type {string[]} */ fields, /** @type {string} */ where) => `The following fields in ${where} are not yet supported: \n${fields.join(', ')}`, STATUS.E_UNSUPPORTED);
export const FeatureSupportError = errorClass('FeatureSupportError', (/** @type {string} */ feature) => `This model requires feature ${feature}, which this browser does not offer.`, STATUS.E_GPU);
export const ShaderF16SupportError = errorClass('ShaderF16SupportError', () => 'This model was asked to run with shader-f16, which this browser does not offer.', STATUS.E_GPU);
export const DeviceLostError = errorClass('DeviceLostError', () => 'The WebGPU device was lost, most often for want of memory: reload with a smaller model or context_window_size.', STATUS.E_GPU_LOST);
export const InvalidToolChoiceError = errorClass('InvalidToolChoiceError', (/** @type {string} */ choice) => `Invalid tool choice value: '${choice}'.`);
export const UnsupportedToolChoiceTypeError = errorClass('UnsupportedToolChoiceTypeError', () => "Unsupported tool choice type: only 'function' is one.");
export const FunctionNotFoundError = errorClass('FunctionNotFoundError', (/** @type {string} */ name) => `The tool choice function ${name} is not found in the tools list`);
export const UnsupportedToolTypeError = errorClass('UnsupportedToolTypeError', () => "Only 'function' tool type is supported");
export const WindowSizeConfigurationError = errorClass('WindowSizeConfigurationError', (/** @type {number} */ context, /** @type {number} */ sliding) => `Only one of context_window_size and sliding_window_size can be positive. Got: context_window_size: ${context}, sliding_window_size: ${sliding}; set one of them to -1.`, STATUS.E_CONFIG);
export const AttentionSinkSizeError = errorClass('AttentionSinkSizeError', () => 'A sliding window needs attention_sink_size, 0 or more.', STATUS.E_CONFIG);
export const WindowSizeSpecificationError = errorClass('WindowSizeSpecificationError', () => 'One of context_window_size and sliding_window_size has to be positive.', STATUS.E_CONFIG);
export const ContextWindowSizeExceededError = errorClass('ContextWindowSizeExceededError', (/** @type {number} */ tokens, /** @type {number} */ context) => `Prompt tokens exceed context window size: number of prompt tokens: ${tokens}; context window size: ${context}. Shorten the prompt, or reload with a larger context_window_size.`, STATUS.E_CONTEXT);
export const NonWorkerEnvironmentError = errorClass('NonWorkerEnvironmentError', (/** @type {string} */ name) => `${name} must be created in the service worker script.`, STATUS.E_STATE);
export const NoServiceWorkerAPIError = errorClass('NoServiceWorkerAPIError', () => 'Service worker API is not available: it needs a secure context (HTTPS or localhost).', STATUS.E_UNSUPPORTED);
export const ServiceWorkerInitializationError = errorClass('ServiceWorkerInitializationError', () => 'Service worker failed to initialize: it is not active yet; register it, wait until it is ready, or reload the page.', STATUS.E_STATE);
export const StreamingCountError = errorClass('StreamingCountError', () => 'When streaming, `n` cannot be > 1.');
export const SeedTypeError = errorClass('SeedTypeError', (/** @type {unknown} */ seed) => `\`seed\` should be an integer, but got ${seed}`);
export const InvalidResponseFormatError = errorClass('InvalidResponseFormatError', () => 'JSON schema is only supported with `json_object` response format.');
export const InvalidResponseFormatGrammarError = errorClass('InvalidResponseFormatGrammarError', () => 'When ResponseFormat.type is `grammar`, ResponseFormat.grammar needs to be given, and the other way round.');
export const InvalidResponseFormatStructuralTagError = errorClass('InvalidResponseFormatStructuralTagError', () => 'When ResponseFormat.type is `structural_tag`, ResponseFormat.structural_tag needs to be given, and the other way round.');
export const CustomResponseFormatError = errorClass('CustomResponseFormatError', (/** @type {unknown} */ format) => `When using Hermes-2-Pro function calling via ChatCompletionRequest.tools, cannot specify customized response_format. We will set it for you internally. Currently it is ${JSON.stringify(format)}`);
export const CustomSystemPromptError = errorClass('CustomSystemPromptError', () => 'When using Hermes-2-Pro function calling via ChatCompletionRequest.tools, cannot specify customized system prompt.');
export const UnsupportedModelIdError = errorClass('UnsupportedModelIdError', (/** @type {string} */ id, /** @type {readonly string[]} */ known) => `${id} is not supported for ChatCompletionRequest.tools. Those that are: ${known.join(', ')}`);
export const InvalidStreamOptionsError = errorClass('InvalidStreamOptionsError', () => 'Only specify stream_options when stream=True.');
export const UnknownMessageKindError = errorClass('UnknownMessageKindError', (/** @type {string} */ kind, /** @type {unknown} */ content) => `Unknown message kind, kind: [${kind}], content: ${content}`, STATUS.E_INTERNAL);
export const EmbeddingUnsupportedEncodingFormatError = errorClass('EmbeddingUnsupportedEncodingFormatError', () => 'Embedding in base64 format is currently not supported.', STATUS.E_UNSUPPORTED);
export const EmbeddingUnsupportedModelError = errorClass('EmbeddingUnsupportedModelError', (/** @type {string} */ model) => `Trying to run embeddings.create() with ${model}, which is not an embedding model.`, STATUS.E_UNSUPPORTED);
export const EmbeddingExceedContextWindowSizeError = errorClass('EmbeddingExceedContextWindowSizeError', (/** @type {number} */ context, /** @type {number} */ received) => `Embedding input of ${received} tokens exceeds the context window of ${context}.`, STATUS.E_CONTEXT);
export const EmbeddingInputEmptyError = errorClass('EmbeddingInputEmptyError', () => 'Embedding input cannot be empty string or empty token array.');
export const ReloadArgumentSizeUnmatchedError = errorClass('ReloadArgumentSizeUnmatchedError', (/** @type {number} */ ids, /** @type {number} */ options) => `Expect chatOpts, if specified, to match the size of modelId: there are ${options} for ${ids}.`);
export const UnclearModelToUseError = errorClass('UnclearModelToUseError', (/** @type {string[]} */ loaded, /** @type {string} */ request) => `Multiple models are loaded in engine: name one in ${request}.model. Loaded: ${loaded.join(', ')}`);
export const SpecifiedModelNotFoundError = errorClass('SpecifiedModelNotFoundError', (/** @type {string[]} */ loaded, /** @type {string} */ wanted, /** @type {string} */ request) => `Specified model ${wanted} for ${request} is not found in loaded models: ${loaded.join(', ')}`, STATUS.E_NOT_FOUND);
export const IncorrectPipelineLoadedError = errorClass('IncorrectPipelineLoadedError', (/** @type {string} */ model, /** @type {string} */ kind, /** @type {string} */ request) => `${request} expects a model for ${kind}, but ${model} is none.`);
export const ReloadModelIdNotUniqueError = errorClass('ReloadModelIdNotUniqueError', (/** @type {string[]} */ ids) => `Need to make models in modelId passed to reload() need to be unique: ${ids.join(', ')}`);

/** A file whose bytes do not have the hash that the application expects. */
export class IntegrityError extends WebLLMError {
  /** @param {string} url @param {string} expected @param {string} actual */
  constructor(url, expected, actual) {
    super('IntegrityError', `Integrity verification failed for ${url}: expected ${expected}, got ${actual}. Delete what is cached of the model, and load it again.`, STATUS.E_INTEGRITY);
    this.url = url;
    this.expected = expected;
    this.actual = actual;
  }
}

/** What the engine refused, as web-llm names it. @param {unknown} error @param {string} [base] URL of the model's folder @returns {unknown} */
export function translate(error, base = '') {
  if (!(error instanceof QuernError)) return error;
  const hashes = error.status === STATUS.E_INTEGRITY && /([^\s:]+): expected (sha\S+), got (sha[^\s;]+)/.exec(error.message);
  if (hashes) return new IntegrityError(`${base}${base && !base.endsWith('/') ? '/' : ''}${hashes[1]}`, hashes[2], hashes[3]);
  if (error.status === STATUS.E_CONTEXT) {
    const [tokens, context] = (error.message.match(/\d+/g) ?? []).map(Number);
    return Object.assign(new ContextWindowSizeExceededError(tokens ?? 0, context ?? 0), { cause: error });
  }
  if (error.status === STATUS.E_GPU_LOST || error.status === STATUS.E_GPU_MEMORY) return Object.assign(new DeviceLostError(), { cause: error });
  return error;
}

/** The same of an embedding. @param {unknown} error */
export function translateEmbedding(error) {
  const told = translate(error);
  if (!(told instanceof ContextWindowSizeExceededError)) return told;
  const [received, context] = (told.message.match(/\d+/g) ?? []).map(Number);
  return Object.assign(new EmbeddingExceedContextWindowSizeError(context, received), { cause: error });
}

/** Across a worker: the fields of any error. @param {unknown} error */
export function packError(error) {
  const e = error instanceof Error ? error : new Error(String(error));
  return { ...e, name: e.name, message: e.message, cause: undefined };
}

/** @param {{ name: string, message: string }} data @returns {Error} of the class of that name where there is one */
export function unpackError(data) {
  if (data.name === 'AbortError') return new DOMException(data.message, 'AbortError');
  if (data.name === 'IntegrityError') return Object.assign(Object.create(IntegrityError.prototype), data);
  return Object.assign(new WebLLMError(data.name, data.message), data);
}
