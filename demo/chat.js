// The conversation: ask, stream, stop, ask again, edit, begin anew. The whole history goes with every
// request; the engine keeps what it has computed of it.

import { announce, byId } from './dom.js';
import { clearError, isAbort, showError } from './errors.js';
import { AnswerMessage, UserMessage } from './message.js';
import { requestSettings, settings } from './settings.js';
import { Meter, showMemory } from './stats.js';

const ANNOUNCED = 2000; // most characters of an answer that are read out

/** @typedef {{ view: UserMessage | AnswerMessage, role: 'user' | 'assistant', text: string }} Turn */

export class Chat {
  /** @type {import('../web/index.js').Engine | null} */
  #engine = null;
  /** @type {Turn[]} */
  #turns = [];
  /** @type {AbortController | null} the running answer's */
  #running = null;
  #attempt = 0; // of the last answer
  #scroller = byId('main');
  #onLost;

  /** @param {(error: unknown) => void} onLost the engine cannot go on */
  constructor(onLost) {
    this.#onLost = onLost;
  }

  /** @param {import('../web/index.js').Engine | null} engine */
  use(engine) {
    this.stop();
    this.#engine = engine;
    this.clear();
  }

  stop() {
    this.#running?.abort();
  }

  get busy() {
    return this.#running !== null;
  }

  /** A new conversation. */
  clear() {
    this.stop();
    this.#cut(0);
    clearError();
  }

  /** @param {string} text */
  ask(text) {
    if (this.busy || !this.#engine) return;
    const turn = { role: /** @type {const} */ ('user'), text, view: new UserMessage(text, (edited) => this.#edit(turn, edited)) };
    this.#add(turn);
    this.#attempt = 0;
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#answer();
  }

  /** @param {Turn} turn @param {string} text */
  async #edit(turn, text) {
    await this.#stopped();
    const at = this.#turns.indexOf(turn);
    if (at < 0) return;
    this.#cut(at);
    byId('input').focus();
    this.ask(text);
  }

  /** @param {Turn} [turn] default: whatever stands after the last question */
  async again(turn) {
    await this.#stopped();
    let at = turn ? this.#turns.indexOf(turn) : this.#turns.length;
    while (at > 0 && this.#turns[at - 1].role !== 'user') at--;
    if (at <= 0) return;
    this.#cut(at);
    this.#attempt++;
    byId('input').focus();
    this.#answer();
  }

  /** @type {Promise<void>} */
  #ended = Promise.resolve();

  #stopped() {
    this.stop();
    return this.#ended;
  }

  /** @param {Turn} turn */
  #add(turn) {
    this.#turns.push(turn);
    byId('messages').append(turn.view.node);
    document.documentElement.dataset.turns = String(this.#turns.length);
  }

  /** Forgets turn `at` and all after it. @param {number} at */
  #cut(at) {
    for (const { view } of this.#turns.splice(at)) view.node.remove();
    document.documentElement.dataset.turns = String(this.#turns.length);
  }

  #answer() {
    clearError();
    this.#ended = this.#stream();
  }

  async #stream() {
    const engine = /** @type {import('../web/index.js').Engine} */ (this.#engine);
    const controller = (this.#running = new AbortController());
    /** @type {import('../web/chat.js').ChatMessage[]} */
    const messages = this.#turns.map(({ role, text }) => ({ role, content: text }));
    if (settings.system.trim()) messages.unshift({ role: 'system', content: settings.system });
    const sticks = () => this.#scroller.scrollHeight - this.#scroller.scrollTop - this.#scroller.clientHeight < 80;
    let stuck = true;
    const view = new AnswerMessage(() => this.again(turn), () => stuck && (this.#scroller.scrollTop = this.#scroller.scrollHeight));
    /** @type {Turn} */
    const turn = { role: 'assistant', text: '', view };
    this.#add(turn);
    document.documentElement.dataset.busy = '';
    announce('Answering');
    const meter = new Meter(engine.info.context);
    const watch = setInterval(() => engine.memory().then(showMemory, () => {}), 2000);
    let note;
    try {
      const stream = await engine.chat.completions.create(
        { messages, stream: true, stream_options: { include_usage: true, continuous_usage_stats: true }, ...requestSettings(this.#attempt) },
        { signal: controller.signal },
      );
      for await (const { choices: [choice], usage } of stream) {
        stuck = sticks();
        if (choice?.delta.content) view.add(choice.delta.content);
        if (choice?.finish_reason === 'length') note = 'The answer reached the longest length, or the end of the context.';
        if (usage && choice) meter.update(usage);
        else if (usage) meter.finish(/** @type {import('../web/chat.js').Usage} */ (usage));
      }
    } catch (error) {
      if (isAbort(error)) note = 'Stopped.';
      else this.#failed(engine, error);
    }
    clearInterval(watch);
    turn.text = view.text;
    view.finish(note);
    if (!view.text && !note) this.#cut(this.#turns.indexOf(turn));
    this.#running = null;
    delete document.documentElement.dataset.busy;
    announce(note === 'Stopped.' ? note : view.text ? `Answer: ${view.body.textContent?.slice(0, ANNOUNCED)}` : 'There was no answer');
    engine.memory().then(showMemory, () => {});
  }

  /** @param {import('../web/index.js').Engine} engine @param {unknown} error */
  #failed(engine, error) {
    if (engine !== this.#engine) return; // another model was loaded meanwhile
    const { code } = /** @type {{ code?: string }} */ (error ?? {});
    if (['QN_E_GPU_LOST', 'QN_E_GPU', 'QN_E_GPU_MEMORY', 'QN_E_INTERNAL'].includes(String(code))) return this.#onLost(error);
    const again = { label: 'Try again', act: () => this.again() };
    showError(error, code === 'QN_E_CONTEXT' ? [{ label: 'New chat', act: () => this.clear() }, again] : [again]);
  }
}
