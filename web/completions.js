// OpenAI's completions: a text goes on, without a chat template.

import { choicesOf, runChoices, runningUsage, sumUsage } from './choices.js';
import { fail, STATUS } from './errors.js';
import { Stream } from './stream.js';

/** @typedef {Omit<import('./chat.js').ChatRequest, 'messages' | 'logprobs' | 'top_logprobs' | 'tools' | 'tool_choice' | 'parallel_tool_calls' | 'max_completion_tokens' | 'reasoning_effort' | 'enable_thinking' | 'chat_template_kwargs' | 'continue_final_message'>} Sampling */
/**
 * @typedef {object} Own
 * @property {string | string[] | number[] | number[][]} prompt texts, in which control tokens count, or ids
 * @property {boolean | null} [echo] the answer begins with the prompt
 * @property {number | null} [logprobs] 0 to 20: how many of the most likely tokens beside the chosen one
 * @property {number | null} [max_tokens] default 16
 */
/** @typedef {Sampling & Own} CompletionRequest */

/** @typedef {{ tokens: string[], token_logprobs: (number | null)[], top_logprobs: (Record<string, number> | null)[], text_offset: number[] }} CompletionLogprobs */
/**
 * @typedef {object} Completion also a chunk of a stream
 * @property {string} id
 * @property {'text_completion'} object
 * @property {number} created
 * @property {string} model
 * @property {{ index: number, text: string, logprobs: CompletionLogprobs | null, finish_reason: 'stop' | 'length' | null }[]} choices
 * @property {import('./choices.js').Usage | import('./choices.js').RunningUsage | null} [usage]
 */

/** One text, or list of ids, each. @param {unknown} prompt @param {string} field @param {number} most @returns {unknown[]} */
export function promptsOf(prompt, field, most) {
  if (!Array.isArray(prompt) || typeof prompt[0] === 'number') return [prompt];
  if (prompt.length === 0 || prompt.length > most) throw fail(STATUS.E_ARGUMENT, `request field ${field}: expected 1 to ${most} texts`);
  return prompt;
}

/** Entries as the older endpoint writes them. @param {import('./choices.js').TokenLogprob[]} list @param {number} offset */
function oldLogprobs(list, offset) {
  /** @type {CompletionLogprobs} */
  const out = { tokens: [], token_logprobs: [], top_logprobs: [], text_offset: [] };
  for (const { token, logprob, top_logprobs: top } of list) {
    out.tokens.push(token);
    out.token_logprobs.push(logprob);
    out.top_logprobs.push(Object.fromEntries(top.map((t) => [t.token, t.logprob])));
    out.text_offset.push(offset);
    offset += token.length;
  }
  return { out, offset };
}

export class Completions {
  #call;
  #model;

  /** @param {import('./choices.js').Call} call @param {string} model */
  constructor(call, model) {
    this.#call = call;
    this.#model = model;
  }

  /** @param {number[]} ids @returns {Promise<string>} */
  async #detokenize(ids) {
    return /** @type {string} */ (await this.#call('detokenize', [ids]));
  }

  /**
   * @overload @param {CompletionRequest & { stream: true }} request @param {{ signal?: AbortSignal }} [options]
   * @returns {Promise<Stream<Completion>>}
   */
  /**
   * @overload @param {CompletionRequest & { stream?: false | null }} request @param {{ signal?: AbortSignal }} [options]
   * @returns {Promise<Completion>}
   */
  /** @param {CompletionRequest} request @param {{ signal?: AbortSignal }} [options] @returns {Promise<Completion | Stream<Completion>>} */
  async create(request, { signal } = {}) {
    const { stream, stream_options: streamOptions, prompt, ...rest } = request;
    if (streamOptions && !stream) throw fail(STATUS.E_ARGUMENT, 'stream_options without stream');
    const wanted = typeof request.logprobs === 'number';
    let prompts = promptsOf(prompt, 'prompt', 128);
    const texts = request.echo ? await Promise.all(prompts.map(async (one) => (Array.isArray(one) ? this.#detokenize(one) : String(one)))) : null;
    // The prompt's tokens have log-probabilities too, but for the first, of which only the text is told.
    if (texts && wanted) prompts = await Promise.all(prompts.map((one) => (typeof one === 'string' ? this.#call('tokenize', [one]) : one)));
    const firsts = texts && wanted ? await Promise.all(prompts.map((one) => this.#detokenize(/** @type {number[]} */ (one).slice(0, 1)))) : [];
    const requests = prompts.flatMap((one) => choicesOf({ ...rest, prompt: one }));
    const n = requests.length / prompts.length;
    const head = { id: `cmpl-${crypto.randomUUID()}`, object: /** @type {const} */ ('text_completion'), created: Math.floor(Date.now() / 1000), model: request.model ?? this.#model };
    const offsets = requests.map(() => 0);

    /** @param {AbortSignal | undefined} abort @param {(index: number, text: string, logprobs: CompletionLogprobs | null, at?: import('./choices.js').Delta) => void} take @param {(index: number, finish: 'stop' | 'length') => void} end */
    const run = (abort, take, end) => {
      const begun = requests.map(() => false);
      const begin = (/** @type {number} */ index) => {
        if (texts && !begun[index]) {
          const first = firsts[Math.floor(index / n)];
          offsets[index] = first?.length ?? 0;
          take(index, texts[Math.floor(index / n)], first === undefined ? null : { tokens: [first], token_logprobs: [null], top_logprobs: [null], text_offset: [0] });
        }
        begun[index] = true;
      };
      return runChoices(
        this.#call,
        'completion',
        requests,
        abort,
        (delta, index) => {
          begin(index);
          const logprobs = oldLogprobs(delta.logprobs, offsets[index]);
          offsets[index] = logprobs.offset;
          take(index, delta.parts.map((p) => p.text).join(''), wanted ? logprobs.out : null, delta);
        },
        (outcome, index) => {
          begin(index);
          end(index, request.max_tokens === 0 || outcome.finish !== 'stop' ? 'length' : 'stop');
        },
      ).then((outcomes) => sumUsage(outcomes.map((o) => o.usage), n));
    };

    if (stream) {
      const chunks = new Stream(async (/** @type {Stream<Completion>} */ s) => {
        /** @param {Completion['choices']} choices @param {Completion['usage']} [usage] */
        const push = (choices, usage = null) => s.push({ ...head, choices, ...(streamOptions?.include_usage ? { usage } : {}) });
        const usage = await run(
          s.controller.signal,
          (index, text, logprobs, at) => push([{ index, text, logprobs, finish_reason: null }], runningUsage(streamOptions, at)),
          (index, finish) => push([{ index, text: '', logprobs: null, finish_reason: finish }]),
        );
        if (streamOptions?.include_usage) push([], usage);
      }, signal);
      await chunks.started;
      return chunks;
    }
    /** @type {Completion['choices']} */
    const choices = requests.map((_, index) => ({ index, text: '', logprobs: wanted ? oldLogprobs([], 0).out : null, finish_reason: null }));
    const usage = await run(
      signal,
      (index, text, logprobs) => {
        const choice = choices[index];
        choice.text += text;
        if (choice.logprobs && logprobs) {
          for (const key of /** @type {(keyof CompletionLogprobs)[]} */ (Object.keys(logprobs))) /** @type {unknown[]} */ (choice.logprobs[key]).push(...logprobs[key]);
        }
      },
      (index, finish) => (choices[index].finish_reason = finish),
    );
    return { ...head, choices, usage };
  }
}
