// OpenAI's embeddings: a vector for each text.

import { runChoices } from './choices.js';
import { promptsOf } from './completions.js';
import { fail, STATUS } from './errors.js';

/**
 * @typedef {object} EmbeddingRequest
 * @property {string | string[] | number[] | number[][]} input texts, or ids
 * @property {string} [model]
 * @property {'float' | 'base64' | null} [encoding_format] base64: of float32, little-endian
 * @property {number | null} [dimensions] the first so many values, of length 1 again
 * @property {'last' | 'mean' | 'cls' | null} [pooling] of the last position's state (a decoder's default), of all, or of the first one (encoders); default: an encoder's own
 * @property {string} [user]
 */

/**
 * @typedef {object} EmbeddingAnswer
 * @property {'list'} object
 * @property {string} model
 * @property {{ object: 'embedding', index: number, embedding: number[] | string }[]} data
 * @property {{ prompt_tokens: number, total_tokens: number }} usage
 */

/** @param {Float32Array} vector */
const base64 = (vector) => btoa(Array.from(new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength), (byte) => String.fromCharCode(byte)).join(''));

export class Embeddings {
  #call;
  #model;

  /** @param {import('./choices.js').Call} call @param {string} model */
  constructor(call, model) {
    this.#call = call;
    this.#model = model;
  }

  /** @param {EmbeddingRequest} request @param {{ signal?: AbortSignal }} [options] @returns {Promise<EmbeddingAnswer>} */
  async create(request, { signal } = {}) {
    const { input, encoding_format: format, ...rest } = request;
    if (![undefined, null, 'float', 'base64'].includes(format)) throw fail(STATUS.E_ARGUMENT, 'request field encoding_format: expected "float" or "base64"');
    const requests = promptsOf(input, 'input', 2048).map((one) => ({ ...rest, input: one }));
    const outcomes = await runChoices(this.#call, 'embedding', requests, signal, () => {});
    const tokens = outcomes.reduce((sum, o) => sum + o.usage.prompt_tokens, 0);
    return {
      object: 'list',
      model: request.model ?? this.#model,
      data: outcomes.map(({ embedding = new Float32Array(0) }, index) => ({ object: 'embedding', index, embedding: format === 'base64' ? base64(embedding) : Array.from(embedding) })),
      usage: { prompt_tokens: tokens, total_tokens: tokens },
    };
  }
}
