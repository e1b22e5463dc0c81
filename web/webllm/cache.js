// What the browser keeps of a model, under web-llm's names. Quern keeps a model's files together, so
// weights, configuration and tokenizer come and go as one; there is no compiled library to keep.

import { deleteModel, storedModel } from '../manage.js';
import { modelSource, prebuiltAppConfig } from './config.js';
import { ModelNotFoundError } from './errors.js';

/** @typedef {import('./config.js').AppConfig} AppConfig */

/** @param {string} id @param {AppConfig} [appConfig] */
function sourceOf(id, appConfig = prebuiltAppConfig) {
  const record = appConfig.model_list.find((m) => m.model_id === id);
  if (!record) throw new ModelNotFoundError(id);
  return modelSource(record.model);
}

/** All of a model is kept here. @param {string} modelId @param {AppConfig} [appConfig] */
export async function hasModelInCache(modelId, appConfig) {
  return (await storedModel(sourceOf(modelId, appConfig))).complete;
}

/** @param {string} modelId @param {AppConfig} [appConfig] */
export async function deleteModelInCache(modelId, appConfig) {
  await deleteModel(sourceOf(modelId, appConfig));
}

export { deleteModelInCache as deleteModelAllInfoInCache };

/** The configuration is kept with the weights and goes with them: nothing is left to do but to know the model. @param {string} modelId @param {AppConfig} [appConfig] */
export async function deleteChatConfigInCache(modelId, appConfig) {
  sourceOf(modelId, appConfig);
}

/** There is no library per model. @param {string} modelId @param {AppConfig} [appConfig] */
export async function deleteModelWasmInCache(modelId, appConfig) {
  sourceOf(modelId, appConfig);
}
