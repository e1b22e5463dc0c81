// The interface of @mlc-ai/web-llm 0.2.86 over Quern: change the import, keep the application.
// docs/webllm.md lists what differs.

export { CreateMLCEngine, MLCEngine } from './engine.js';
export { CreateWebWorkerMLCEngine, WebWorkerMLCEngine, WebWorkerMLCEngineHandler } from './remote.js';
export {
  CreateExtensionServiceWorkerMLCEngine,
  CreateServiceWorkerMLCEngine,
  ExtensionServiceWorkerMLCEngine,
  ExtensionServiceWorkerMLCEngineHandler,
  ServiceWorkerMLCEngine,
  ServiceWorkerMLCEngineHandler,
} from './service.js';
export { functionCallingModelIds, modelLibURLPrefix, ModelType, modelVersion, prebuiltAppConfig } from './config.js';
export { deleteChatConfigInCache, deleteModelAllInfoInCache, deleteModelInCache, deleteModelWasmInCache, hasModelInCache } from './cache.js';
export { isValidSRI, verifyIntegrity } from './integrity.js';
export * from './errors.js';
export { Chat, Completions, Embeddings } from './endpoints.js';
export {
  ChatCompletionRequestUnsupportedFields,
  postInitAndCheckFieldsChatCompletion,
  postInitAndCheckFieldsCompletion,
  postInitAndCheckFieldsEmbedding,
  rejectCompletionResumable,
} from './requests.js';

/** Names of files of MLC's newer packages. */
export const MODEL_PACKAGE_MANIFEST_FILENAME = 'mlc-model-manifest.json';
export const TENSOR_CACHE_MANIFEST_FILENAME = 'tensor-cache.json';
export const ARTIFACT_SCHEMA_VERSION = 1;

// web-llm's types, under its names.
/** @typedef {import('./config.js').ModelRecord} ModelRecord */
/** @typedef {import('./config.js').AppConfig} AppConfig */
/** @typedef {import('./config.js').CacheBackend} CacheBackend */
/** @typedef {import('./config.js').OPFSAccessMode} OPFSAccessMode */
/** @typedef {import('./config.js').ChatOptions} ChatOptions */
/** @typedef {import('./engine.js').MLCEngineConfig} MLCEngineConfig */
/** @typedef {import('./engine.js').InitProgressCallback} InitProgressCallback */
/** @typedef {import('./engine.js').InitProgressReport} InitProgressReport */
/** @typedef {import('./engine.js').LogitProcessor} LogitProcessor */
/** @typedef {import('./engine.js').LogLevel} LogLevel */
/** @typedef {import('./integrity.js').ModelIntegrity} ModelIntegrity */
/** @typedef {import('./integrity.js').SRIString} SRIString */
/** @typedef {import('./integrity.js').FileIntegrityMap} FileIntegrityMap */
/** @typedef {import('./resumable.js').ResumableGenerationConfig} ResumableGenerationConfig */
/** @typedef {import('./resumable.js').ResumeChatCompletionOptions} ResumeChatCompletionOptions */
/** @typedef {import('./resumable.js').ResumeProbeResult} ResumeProbeResult */
/** @typedef {import('./resumable.js').ResumeResult} ResumeResult */
/** @typedef {import('./remote.js').WorkerRequest} WorkerRequest */
/** @typedef {import('./remote.js').WorkerResponse} WorkerResponse */
/** @typedef {import('./remote.js').CustomRequestParams} CustomRequestParams */
/** @typedef {import('./types.js').GenerationConfig} GenerationConfig */
/** @typedef {import('./types.js').MLCEngineInterface} MLCEngineInterface */
/** @typedef {import('./types.js').ChatCompletionRequestBase} ChatCompletionRequestBase */
/** @typedef {import('./types.js').ChatCompletionRequestNonStreaming} ChatCompletionRequestNonStreaming */
/** @typedef {import('./types.js').ChatCompletionRequestStreaming} ChatCompletionRequestStreaming */
/** @typedef {import('./types.js').ChatCompletionRequest} ChatCompletionRequest */
/** @typedef {import('./types.js').ChatCompletion} ChatCompletion */
/** @typedef {import('./types.js').ChatCompletionChunk} ChatCompletionChunk */
/** @typedef {import('./types.js').ChatCompletionContentPart} ChatCompletionContentPart */
/** @typedef {import('./types.js').ChatCompletionContentPartText} ChatCompletionContentPartText */
/** @typedef {import('./types.js').ChatCompletionContentPartImage} ChatCompletionContentPartImage */
/** @typedef {import('./types.js').ChatCompletionContentPartInputAudio} ChatCompletionContentPartInputAudio */
/** @typedef {import('./types.js').ChatCompletionAudioInput} ChatCompletionAudioInput */
/** @typedef {import('./types.js').ChatCompletionAudioInputWav} ChatCompletionAudioInputWav */
/** @typedef {import('./types.js').ChatCompletionAudioInputPCM} ChatCompletionAudioInputPCM */
/** @typedef {import('./types.js').ChatCompletionMessageToolCall} ChatCompletionMessageToolCall */
/** @typedef {import('./types.js').ChatCompletionRole} ChatCompletionRole */
/** @typedef {import('./types.js').ChatCompletionSystemMessageParam} ChatCompletionSystemMessageParam */
/** @typedef {import('./types.js').ChatCompletionUserMessageParam} ChatCompletionUserMessageParam */
/** @typedef {import('./types.js').ChatCompletionAssistantMessageParam} ChatCompletionAssistantMessageParam */
/** @typedef {import('./types.js').ChatCompletionToolMessageParam} ChatCompletionToolMessageParam */
/** @typedef {import('./types.js').ChatCompletionMessageParam} ChatCompletionMessageParam */
/** @typedef {import('./types.js').FunctionParameters} FunctionParameters */
/** @typedef {import('./types.js').FunctionDefinition} FunctionDefinition */
/** @typedef {import('./types.js').ChatCompletionTool} ChatCompletionTool */
/** @typedef {import('./types.js').ChatCompletionNamedToolChoice} ChatCompletionNamedToolChoice */
/** @typedef {import('./types.js').ChatCompletionToolChoiceOption} ChatCompletionToolChoiceOption */
/** @typedef {import('./types.js').TopLogprob} TopLogprob */
/** @typedef {import('./types.js').ChatCompletionTokenLogprob} ChatCompletionTokenLogprob */
/** @typedef {import('./types.js').ChatCompletionMessage} ChatCompletionMessage */
/** @typedef {import('./types.js').CompletionUsage} CompletionUsage */
/** @typedef {import('./types.js').ResponseFormat} ResponseFormat */
/** @typedef {import('./types.js').ChatCompletionFinishReason} ChatCompletionFinishReason */
/** @typedef {import('./types.js').CompletionCreateParamsNonStreaming} CompletionCreateParamsNonStreaming */
/** @typedef {import('./types.js').CompletionCreateParamsStreaming} CompletionCreateParamsStreaming */
/** @typedef {import('./types.js').CompletionCreateParamsBase} CompletionCreateParamsBase */
/** @typedef {import('./types.js').CompletionCreateParams} CompletionCreateParams */
/** @typedef {import('./types.js').Completion} Completion */
/** @typedef {import('./types.js').CompletionChoice} CompletionChoice */
/** @typedef {import('./types.js').Embedding} Embedding */
/** @typedef {import('./types.js').EmbeddingCreateParams} EmbeddingCreateParams */
/** @typedef {import('./types.js').CreateEmbeddingResponse} CreateEmbeddingResponse */
