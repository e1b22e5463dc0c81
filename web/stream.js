// What a stream of chunks is to its reader: an async iterable whose loop, left early, ends the work.

/** @template T @implements {AsyncIterable<T>} */
export class Stream {
  /** As in OpenAI's SDK: aborts the generation. */
  controller = new AbortController();
  /** @type {T[]} */
  #queue = [];
  #ended = false;
  /** @type {unknown} */
  #error;
  /** @type {(() => void) | null} */
  #wake = null;
  #accept = () => {};
  #forget = () => {};

  /**
   * @param {(stream: Stream<T>) => Promise<void>} work pushes chunks until it ends; begins at once
   * @param {AbortSignal} [signal]
   */
  constructor(work, signal) {
    const abort = () => this.controller.abort(signal?.reason);
    if (signal?.aborted) abort();
    signal?.addEventListener('abort', abort, { once: true });
    this.#forget = () => signal?.removeEventListener('abort', abort); // a signal may outlive many streams
    /** Settles with the first chunk, or the refusal. @type {Promise<void>} */
    this.started = new Promise((resolve, reject) => {
      this.#accept = resolve;
      work(this).then(
        () => this.#end(),
        (error) => {
          reject(error); // means nothing once it has begun
          this.#error = error;
          this.#end();
        },
      );
    });
  }

  /** @param {T} chunk */
  push(chunk) {
    this.#queue.push(chunk);
    this.#accept();
    this.#notify();
  }

  #end() {
    this.#ended = true;
    this.#forget();
    this.#accept();
    this.#notify();
  }

  #notify() {
    this.#wake?.();
    this.#wake = null;
  }

  /** @returns {AsyncGenerator<T, void>} */
  async *[Symbol.asyncIterator]() {
    try {
      for (;;) {
        if (this.#queue.length) {
          yield /** @type {T} */ (this.#queue.shift());
        } else if (this.#ended) {
          if (this.#error) throw this.#error;
          return;
        } else {
          await new Promise((resolve) => (this.#wake = () => resolve(undefined)));
        }
      }
    } finally {
      if (!this.#ended) this.controller.abort();
    }
  }
}
