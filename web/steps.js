// Logits for an application that chooses tokens itself. A session of its own keeps the cache between
// calls, so that each costs what is new in its prefix.

/** @typedef {import('./core.js').Core} Core */

export class Steps {
  /** @type {number | null} */
  #session = null;
  /** @type {Promise<unknown>} calls wait for each other */
  #line = Promise.resolve();
  #core;
  #runner;
  #compile;
  #requests;

  /** @param {Core} core @param {import('./runner.js').Runner} runner @param {(url: URL) => Promise<WebAssembly.Module>} compile @param {import('./requests.js').Requests} requests */
  constructor(core, runner, compile, requests) {
    this.#requests = requests;
    this.#core = core;
    this.#runner = runner;
    this.#compile = compile;
  }

  /** @template T @param {(session: number) => Promise<T>} work @returns {Promise<T>} */
  #inTurn(work) {
    const turn = this.#line.then(() => work((this.#session ??= this.#core.createSession())));
    this.#line = turn.catch(() => {});
    return turn;
  }

  /** @param {number[]} ids the whole prefix @param {AbortSignal} signal @returns {Promise<Float32Array>} [vocab] after its last id */
  logits(ids, signal) {
    return this.#inTurn(async (session) => {
      this.#core.start(session, ids, { maxTokens: 1, logits: true });
      /** @type {Float32Array | undefined} */
      let logits;
      for await (const event of this.#runner.events(session, signal)) logits = event.logits ?? logits;
      if (!logits) throw new DOMException('the request was aborted', 'AbortError');
      return logits;
    });
  }

  /** The ids that a chat's prompt is made of. @param {Record<string, unknown>} request @param {AbortSignal} signal @returns {Promise<number[]>} */
  async promptTokens(request, signal) {
    const whole = await this.#requests.windowed('chat', request, signal);
    return this.#inTurn(async (session) => {
      await this.#core.starting(() => this.#core.startChat(session, whole, 'chat'), this.#compile);
      const ids = this.#core.prompt(session);
      this.#core.cancel(session);
      for await (const _ of this.#runner.events(session));
      return ids;
    });
  }
}
