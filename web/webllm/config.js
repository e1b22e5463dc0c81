// Models as web-llm lists them. The catalogue's entries come first, the embedded default before all;
// then every model of web-llm 0.2.86 whose family Quern reads, under the same id and from the same place.

import { catalog } from '../catalog.js';

/** @enum {number} */
export const ModelType = /** @type {const} */ ({ LLM: 0, embedding: 1, VLM: 2, 0: 'LLM', 1: 'embedding', 2: 'VLM' });

/** @typedef {import('./integrity.js').ModelIntegrity} ModelIntegrity */

/**
 * Fields of mlc-chat-config.json that an application may replace.
 * @typedef {Record<string, any> & { context_window_size?: number, sliding_window_size?: number, attention_sink_size?: number, temperature?: number, top_p?: number,
 *   repetition_penalty?: number, frequency_penalty?: number, presence_penalty?: number, conv_template?: Record<string, unknown>, conv_config?: Record<string, unknown> }} ChatOptions
 */

/**
 * @typedef {object} ModelRecord
 * @property {string} model URL of the model's folder, or anything that quern's createEngine takes as a model
 * @property {string} model_id
 * @property {string} model_lib ignored: Quern compiles nothing per model. JavaScript may leave it out; types ask for it, as applications read it
 * @property {ChatOptions} [overrides]
 * @property {number} [vram_required_MB]
 * @property {boolean} [low_resource_required]
 * @property {number} [buffer_size_required_bytes]
 * @property {string[]} [required_features] accepted and ignored: no model needs any
 * @property {number} [model_type] of ModelType
 * @property {ModelIntegrity} [integrity]
 */

/** @typedef {'cache' | 'indexeddb' | 'cross-origin' | 'opfs'} CacheBackend */
/** @typedef {'async' | 'sync' | 'auto'} OPFSAccessMode */
/** @typedef {{ model_list: ModelRecord[], cacheBackend?: CacheBackend, opfsAccessMode?: OPFSAccessMode }} AppConfig */

export const modelVersion = 'v0_2_86/base';
/** Compiled libraries of web-llm; Quern needs none. */
export const modelLibURLPrefix = 'https://raw.githubusercontent.com/mlc-ai/binary-mlc-llm-libs/main/web-llm-models/';
/** Models that web-llm itself can call functions with; Quern can with every model whose template knows tools. */
export const functionCallingModelIds = Object.freeze([
  'Hermes-2-Pro-Llama-3-8B-q4f16_1-MLC',
  'Hermes-2-Pro-Llama-3-8B-q4f32_1-MLC',
  'Hermes-2-Pro-Mistral-7B-q4f16_1-MLC',
  'Hermes-3-Llama-3.1-8B-q4f32_1-MLC',
  'Hermes-3-Llama-3.1-8B-q4f16_1-MLC',
]);

const CONTEXT = 4096; // of all records, as in web-llm; with -1k: 1024
const ARENA_MB = 48; // activations and buffers besides weights and cache
const LOW_RESOURCE_MB = 3000;

/** [name, parameters in millions, KiB of f16 cache per token, quantisations; '+' marks those with a -1k record] */
const FAMILIES = /** @type {const} */ ([
  ['Llama-3.2-1B-Instruct', 1236, 32, 'q4f32_1 q4f16_1 q0f32 q0f16'],
  ['Llama-3.2-3B-Instruct', 3213, 112, 'q4f32_1 q4f16_1'],
  ['Llama-3.1-8B-Instruct', 8030, 128, 'q4f32_1+ q4f16_1+'],
  ['Llama-3.1-70B-Instruct', 70554, 320, 'q3f16_1'],
  ['DeepSeek-R1-Distill-Qwen-1.5B', 1777, 28, 'q4f16_1 q4f32_1'],
  ['DeepSeek-R1-Distill-Qwen-7B', 7616, 56, 'q4f16_1 q4f32_1'],
  ['DeepSeek-R1-Distill-Llama-8B', 8030, 128, 'q4f32_1 q4f16_1'],
  ['Hermes-2-Theta-Llama-3-8B', 8030, 128, 'q4f16_1 q4f32_1'],
  ['Hermes-2-Pro-Llama-3-8B', 8030, 128, 'q4f16_1 q4f32_1'],
  ['Hermes-3-Llama-3.2-3B', 3213, 112, 'q4f32_1 q4f16_1'],
  ['Hermes-3-Llama-3.1-8B', 8030, 128, 'q4f32_1 q4f16_1'],
  ['Hermes-2-Pro-Mistral-7B', 7242, 128, 'q4f16_1'],
  ['Phi-3.5-mini-instruct', 3821, 384, 'q4f16_1+ q4f32_1+'],
  ['Phi-4-mini-instruct', 3836, 128, 'q4f16_1 q4f32_1'],
  ['Mistral-7B-Instruct-v0.3', 7248, 128, 'q4f16_1 q4f32_1'],
  ['Mistral-7B-Instruct-v0.2', 7242, 128, 'q4f16_1'],
  ['OpenHermes-2.5-Mistral-7B', 7242, 128, 'q4f16_1'],
  ['NeuralHermes-2.5-Mistral-7B', 7242, 128, 'q4f16_1'],
  ['WizardMath-7B-V1.1', 7242, 128, 'q4f16_1'],
  ['SmolLM2-1.7B-Instruct', 1711, 192, 'q4f16_1 q4f32_1'],
  ['SmolLM2-360M-Instruct', 362, 40, 'q0f16 q0f32 q4f16_1 q4f32_1'],
  ['SmolLM2-135M-Instruct', 135, 22.5, 'q0f16 q0f32'],
  ['gemma-2-2b-it', 2614, 104, 'q4f16_1+ q4f32_1+'],
  ['gemma-2-9b-it', 9242, 336, 'q4f16_1 q4f32_1'],
  ['gemma-2-2b-jpn-it', 2614, 104, 'q4f16_1 q4f32_1'],
  ['gemma3-1b-it', 1000, 26, 'q4f16_1'],
  ['OLMo-2-1124-7B-Instruct', 7299, 512, 'q4f16_1 q4f32_1'],
  ['OLMo-2-0425-1B-Instruct', 1485, 128, 'q4f16_1 q4f32_1'],
  ['Qwen3-0.6B', 596, 112, 'q4f16_1 q4f32_1 q0f16 q0f32'],
  ['Qwen3-1.7B', 1721, 112, 'q4f16_1 q4f32_1'],
  ['Qwen3-4B', 4022, 144, 'q4f16_1 q4f32_1'],
  ['Qwen3-8B', 8191, 144, 'q4f16_1 q4f32_1'],
  ['Qwen2.5-0.5B-Instruct', 494, 12, 'q4f16_1 q4f32_1 q0f16 q0f32'],
  ['Qwen2.5-1.5B-Instruct', 1544, 28, 'q4f16_1 q4f32_1'],
  ['Qwen2.5-3B-Instruct', 3086, 36, 'q4f16_1 q4f32_1'],
  ['Qwen2.5-7B-Instruct', 7616, 56, 'q4f16_1 q4f32_1'],
  ['Qwen2.5-Coder-0.5B-Instruct', 494, 12, 'q4f16_1 q4f32_1 q0f16 q0f32'],
  ['Qwen2.5-Coder-1.5B-Instruct', 1544, 28, 'q4f16_1 q4f32_1'],
  ['Qwen2.5-Coder-3B-Instruct', 3086, 36, 'q4f16_1 q4f32_1'],
  ['Qwen2.5-Coder-7B-Instruct', 7616, 56, 'q4f16_1 q4f32_1'],
  ['Qwen2.5-Math-1.5B-Instruct', 1544, 28, 'q4f16_1 q4f32_1'],
  ['stablelm-2-zephyr-1_6b', 1645, 192, 'q4f16_1+ q4f32_1+'],
  ['RedPajama-INCITE-Chat-3B-v1', 2776, 320, 'q4f16_1+ q4f32_1+'],
  ['TinyLlama-1.1B-Chat-v1.0', 1100, 22, 'q4f16_1+ q4f32_1+'],
  ['Qwen2-0.5B-Instruct', 494, 12, 'q4f16_1 q0f16 q0f32'],
  ['Qwen2-1.5B-Instruct', 1544, 28, 'q4f16_1 q4f32_1'],
  ['Qwen2-7B-Instruct', 7616, 56, 'q4f16_1 q4f32_1'],
  ['Qwen2-Math-1.5B-Instruct', 1544, 28, 'q4f16_1 q4f32_1'],
  ['Qwen2-Math-7B-Instruct', 7616, 56, 'q4f16_1 q4f32_1'],
  ['Llama-3-8B-Instruct', 8030, 128, 'q4f32_1+ q4f16_1+'],
  ['Llama-3-70B-Instruct', 70554, 320, 'q3f16_1'],
  ['Phi-3-mini-4k-instruct', 3821, 384, 'q4f16_1+ q4f32_1+'],
  ['Llama-2-7b-chat-hf', 6738, 512, 'q4f32_1+ q4f16_1+'],
  ['Llama-2-13b-chat-hf', 13016, 800, 'q4f16_1'],
  ['gemma-2b-it', 2506, 18, 'q4f16_1+ q4f32_1+'],
  ['phi-2', 2780, 320, 'q4f16_1+ q4f32_1+'],
  ['phi-1_5', 1418, 192, 'q4f16_1+ q4f32_1+'],
  ['TinyLlama-1.1B-Chat-v0.4', 1100, 22, 'q4f16_1+ q4f32_1+'],
]);

/** [name, parameters in millions]: encoders, by web-llm under an id for each size of its batches */
const EMBEDDERS = /** @type {const} */ ([['snowflake-arctic-embed-m', 109], ['snowflake-arctic-embed-s', 33]]);

const BITS = /** @type {Record<string, number>} */ ({ q3f16_1: 3.6, q4f16_1: 4.5, q4f32_1: 4.5, q0f16: 16, q0f32: 32 });

/** @param {string} id @param {string} model @param {number} bytes @param {number} kib cache per token @param {number} context @returns {ModelRecord} */
function record(id, model, bytes, kib, context) {
  const mb = Math.ceil(bytes / 1e6 + (kib * context) / 1024 + ARENA_MB);
  // Applications take this apart as a URL; nothing is fetched from it.
  const lib = `${modelLibURLPrefix}${modelVersion}/${id}-webgpu.wasm`;
  return { model, model_id: id, model_lib: lib, vram_required_MB: mb, low_resource_required: mb < LOW_RESOURCE_MB, overrides: { context_window_size: context } };
}

/** @returns {ModelRecord[]} */
function prebuilt() {
  const list = catalog.map((m) => record(m.id, m.id, m.bytes, 12, Math.min(m.context, CONTEXT)));
  for (const [name, millions, kib, quantisations] of FAMILIES) {
    for (const text of quantisations.split(' ')) {
      const quantisation = text.replace('+', '');
      const id = `${name}-${quantisation}-MLC`;
      const url = `https://huggingface.co/mlc-ai/${id}`;
      const bytes = (millions * 1e6 * BITS[quantisation]) / 8;
      const context = /TinyLlama|RedPajama|phi-/.test(name) ? 2048 : CONTEXT;
      list.push(record(id, url, bytes, kib, context));
      if (text !== quantisation) list.push(record(`${id}-1k`, url, bytes, kib, 1024));
    }
  }
  for (const [name, millions] of EMBEDDERS) {
    for (const batch of ['b32', 'b4']) {
      const model = `${name}-q0f32-MLC`;
      list.push({ ...record(`${model}-${batch}`, `https://huggingface.co/mlc-ai/${model}`, millions * 2e6, 0, 512), model_type: ModelType.embedding });
    }
  }
  return list;
}

/** @type {AppConfig} */
export const prebuiltAppConfig = { cacheBackend: 'cache', model_list: prebuilt() };

/** Where a record's files lie, as createEngine takes it: a repository of the hub, a folder, a file. @param {string} model */
export function modelSource(model) {
  const hub = /^https:\/\/huggingface\.co\/([\w.-]+\/[\w.-]+)(?:\/resolve\/([^/]+))?\/?$/.exec(model);
  return hub ? `hf:${hub[1]}${hub[2] && hub[2] !== 'main' ? `@${hub[2]}` : ''}` : model;
}

/**
 * What of `overrides` and `chatOpts` goes over the model's configuration.
 * @param {ChatOptions} options
 */
export function configFields({ conv_config: convConfig, conv_template: convTemplate, sliding_window_size: _sliding, attention_sink_size: _sink, ...fields }) {
  // The model's own template stays where only the words of its system message are replaced.
  const { system_message: _, ...template } = { ...convTemplate, ...convConfig };
  return Object.keys(template).length > 0 ? { ...fields, conv_template: { ...convTemplate, ...convConfig } } : fields;
}
