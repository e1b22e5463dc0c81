// Models that Quern knows by name. Anything else that the engine can read works by URL just as well.

/**
 * @typedef {object} CatalogEntry
 * @property {string} id
 * @property {string} name for people
 * @property {string} source a URL relative to this file, or hf:org/repo[@revision][/file.gguf]
 * @property {number} bytes of the download
 * @property {number} parameters
 * @property {number} context tokens, the model's own
 * @property {string} licence of the weights
 * @property {string} about one line
 */

/** @type {readonly CatalogEntry[]} the embedded default first */
export const catalog = Object.freeze([
  {
    id: 'grist',
    name: 'Grist',
    source: '../models/grist/',
    bytes: 18.6e6,
    parameters: 32.4e6,
    context: 2048,
    licence: 'CC BY-SA 4.0',
    about: 'A small demonstration model that comes with Quern. It tells little stories and makes mistakes.',
  },
  {
    id: 'smollm2-360m',
    name: 'SmolLM2 360M Instruct',
    source: 'hf:mlc-ai/SmolLM2-360M-Instruct-q4f16_1-MLC',
    bytes: 204e6,
    parameters: 362e6,
    context: 8192,
    licence: 'Apache-2.0',
    about: 'Small and quick; short answers in English.',
  },
  {
    id: 'qwen2.5-0.5b',
    name: 'Qwen2.5 0.5B Instruct',
    source: 'hf:mlc-ai/Qwen2.5-0.5B-Instruct-q4f16_1-MLC',
    bytes: 278e6,
    parameters: 494e6,
    context: 32768,
    licence: 'Apache-2.0',
    about: 'The smallest model that holds a real conversation; 29 languages.',
  },
  {
    id: 'llama-3.2-1b',
    name: 'Llama 3.2 1B Instruct',
    source: 'hf:mlc-ai/Llama-3.2-1B-Instruct-q4f16_1-MLC',
    bytes: 695e6,
    parameters: 1236e6,
    context: 131072,
    licence: 'Llama 3.2 Community',
    about: 'Summaries, rewriting, short chats.',
  },
  {
    id: 'qwen2.5-1.5b',
    name: 'Qwen2.5 1.5B Instruct',
    source: 'hf:mlc-ai/Qwen2.5-1.5B-Instruct-q4f16_1-MLC',
    bytes: 869e6,
    parameters: 1544e6,
    context: 32768,
    licence: 'Apache-2.0',
    about: 'Good answers on a laptop with a GPU.',
  },
  {
    id: 'qwen2.5-coder-1.5b',
    name: 'Qwen2.5 Coder 1.5B Instruct',
    source: 'hf:mlc-ai/Qwen2.5-Coder-1.5B-Instruct-q4f16_1-MLC',
    bytes: 869e6,
    parameters: 1544e6,
    context: 32768,
    licence: 'Apache-2.0',
    about: 'The same size, trained on code.',
  },
  {
    id: 'qwen2.5-3b',
    name: 'Qwen2.5 3B Instruct',
    source: 'hf:mlc-ai/Qwen2.5-3B-Instruct-q4f16_1-MLC',
    bytes: 1736e6,
    parameters: 3086e6,
    context: 32768,
    licence: 'Qwen Research',
    about: 'The best answers of this list; wants 3 GB of GPU memory.',
  },
]);

/** @param {string} id @returns {CatalogEntry | undefined} */
export function findModel(id) {
  return catalog.find((m) => m.id === id);
}
