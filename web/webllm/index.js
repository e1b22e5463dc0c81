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
