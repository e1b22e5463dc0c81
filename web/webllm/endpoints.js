// engine.chat.completions, engine.completions and engine.embeddings, as in OpenAI's SDK.

/** @typedef {Record<string, any>} Request */
/** @typedef {{ signal?: AbortSignal }} RequestOptions as OpenAI's SDK takes them, in the second argument */
/** @typedef {{ chatCompletion(request: Request, options?: RequestOptions): Promise<any>, completion(request: Request, options?: RequestOptions): Promise<any>,
 *   embedding(request: Request, options?: RequestOptions): Promise<any> }} Endpoints */

export class Completions {
  #engine;
  /** @param {Endpoints} engine */
  constructor(engine) {
    this.#engine = engine;
  }

  /** @overload @param {import('./types.js').CompletionCreateParamsNonStreaming} request @param {RequestOptions} [options] @returns {Promise<import('./types.js').Completion>} */
  /** @overload @param {import('./types.js').CompletionCreateParamsStreaming} request @param {RequestOptions} [options] @returns {Promise<AsyncIterable<import('./types.js').Completion>>} */
  /** @overload @param {import('./types.js').CompletionCreateParamsBase} request @param {RequestOptions} [options] @returns {Promise<import('./types.js').Completion | AsyncIterable<import('./types.js').Completion>>} */
  /** Text completion: no template. @param {Request} request @param {RequestOptions} [options] @returns {Promise<any>} */
  create(request, options) {
    return this.#engine.completion(request, options);
  }
}

export class ChatCompletions {
  #engine;
  /** @param {Endpoints} engine */
  constructor(engine) {
    this.#engine = engine;
  }

  /** @overload @param {import('./types.js').ChatCompletionRequestNonStreaming} request @param {RequestOptions} [options] @returns {Promise<import('./types.js').ChatCompletion>} */
  /** @overload @param {import('./types.js').ChatCompletionRequestStreaming} request @param {RequestOptions} [options] @returns {Promise<AsyncIterable<import('./types.js').ChatCompletionChunk>>} */
  /** @overload @param {import('./types.js').ChatCompletionRequestBase} request @param {RequestOptions} [options] @returns {Promise<import('./types.js').ChatCompletion | AsyncIterable<import('./types.js').ChatCompletionChunk>>} */
  /** @param {Request} request @param {RequestOptions} [options] @returns {Promise<any>} */
  create(request, options) {
    return this.#engine.chatCompletion(request, options);
  }
}

export class Chat {
  /** @param {Endpoints} engine */
  constructor(engine) {
    this.completions = new ChatCompletions(engine);
  }
}

export class Embeddings {
  #engine;
  /** @param {Endpoints} engine */
  constructor(engine) {
    this.#engine = engine;
  }

  /** @param {import('./types.js').EmbeddingCreateParams} request @param {RequestOptions} [options] @returns {Promise<import('./types.js').CreateEmbeddingResponse>} */
  create(request, options) {
    return this.#engine.embedding(request, options);
  }
}
