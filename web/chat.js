// OpenAI's chat.completions objects around the engine's events.

import { choicesOf, runChoices, runningUsage, sumUsage } from './choices.js';
import { fail, STATUS } from './errors.js';
import { Stream } from './stream.js';

/** @typedef {import('./choices.js').Usage} Usage */
/** @typedef {import('./choices.js').RunningUsage} RunningUsage */
/** @typedef {import('./choices.js').FinishReason} FinishReason */
/** @typedef {import('./choices.js').TokenLogprob} TokenLogprob */
/** @typedef {import('./choices.js').Delta} Delta */

/** @typedef {{ id: string, type: 'function', function: { name: string, arguments: string } }} ToolCall */

/**
 * @typedef {object} ChatMessage
 * @property {'system' | 'developer' | 'user' | 'assistant' | 'tool'} role
 * @property {string | { type: 'text', text: string }[] | null} [content]
 * @property {string} [name]
 * @property {ToolCall[]} [tool_calls] assistant: as they came
 * @property {string} [tool_call_id] tool
 * @property {string} [reasoning_content] assistant: for templates that show a model what it thought
 */

/** @typedef {{ type: 'function', function: { name: string, description?: string, parameters?: object, strict?: boolean | null } }} Tool */

/**
 * @typedef {{ type: 'text' } | { type: 'json_object', schema?: string | object } | { type: 'json_schema', json_schema: { name?: string, schema: object, strict?: boolean | null } } |
 *   { type: 'regex', regex: string } | { type: 'grammar', grammar: string }} ResponseFormat
 */

/**
 * @typedef {object} ChatRequest every field either works or is refused by name (src/engine/chat.c)
 * @property {ChatMessage[]} messages
 * @property {string} [model]
 * @property {number | null} [n] how many answers
 * @property {boolean | null} [stream]
 * @property {{ include_usage?: boolean, continuous_usage_stats?: boolean } | null} [stream_options] include_usage: a last
 *   chunk with the usage; continuous_usage_stats: with it, every chunk says how many tokens there are so far
 * @property {number | null} [max_tokens]
 * @property {number | null} [max_completion_tokens]
 * @property {number | null} [temperature] 0 to 2; default: what the model's author recommends
 * @property {number | null} [top_p]
 * @property {number | null} [top_k]
 * @property {number | null} [min_p]
 * @property {number | null} [repetition_penalty]
 * @property {number | null} [frequency_penalty]
 * @property {number | null} [presence_penalty]
 * @property {Record<string, number> | null} [logit_bias]
 * @property {boolean | null} [logprobs] of the model's own distribution, before temperature, penalties and bias
 * @property {number | null} [top_logprobs] 0 to 20
 * @property {number | null} [seed] the same seed gives the same text; default: a random one. Answer i of n draws with seed + i
 * @property {string | string[] | null} [stop]
 * @property {boolean | null} [ignore_eos]
 * @property {'refuse' | 'slide' | 'drop_oldest_turns' | null} [overflow] when the context is full: an error, or the end of the answer;
 *   go on with the first tokens and the latest; leave out the oldest turns of the messages
 * @property {number | null} [attention_sinks] first tokens that stay when the context slides; default 4 (Xiao et al. 2024)
 * @property {Tool[] | null} [tools] for models whose template knows tools
 * @property {'auto' | 'none' | 'required' | { type: 'function', function: { name: string } } | null} [tool_choice]
 * @property {boolean | null} [parallel_tool_calls]
 * @property {ResponseFormat | null} [response_format]
 * @property {'none' | 'minimal' | 'low' | 'medium' | 'high' | null} [reasoning_effort] for templates that have a switch
 * @property {boolean | null} [enable_thinking]
 * @property {boolean | null} [continue_final_message] the answer goes on where the last message, an assistant's, ends
 * @property {Record<string, unknown>} [chat_template_kwargs] variables for the model's template
 * @property {Record<string, unknown>} [extra_body] fields that an SDK would not send
 */

/**
 * @typedef {object} ChatAnswer
 * @property {'assistant'} role
 * @property {string | null} content
 * @property {null} refusal
 * @property {string} [reasoning_content] what the model thought first
 * @property {ToolCall[]} [tool_calls]
 */

/** @typedef {{ content: TokenLogprob[], refusal: null } | null} ChatLogprobs */

/**
 * @typedef {object} ChatCompletion
 * @property {string} id
 * @property {'chat.completion'} object
 * @property {number} created seconds since 1970
 * @property {string} model
 * @property {{ index: number, message: ChatAnswer, logprobs: ChatLogprobs, finish_reason: FinishReason }[]} choices
 * @property {Usage} usage
 */

/** @typedef {{ index: number, id?: string, type?: 'function', function: { name?: string, arguments: string } }} ToolCallDelta */
/** @typedef {{ role?: 'assistant', content?: string | null, refusal?: null, reasoning_content?: string, tool_calls?: ToolCallDelta[] }} ChatDelta */

/**
 * @typedef {object} ChatCompletionChunk
 * @property {string} id
 * @property {'chat.completion.chunk'} object
 * @property {number} created
 * @property {string} model
 * @property {{ index: number, delta: ChatDelta, logprobs: ChatLogprobs, finish_reason: FinishReason | null }[]} choices
 * @property {Usage | RunningUsage | null} [usage] Usage in the last chunk, which has no choices
 */

/** @typedef {Stream<ChatCompletionChunk>} ChatStream */

/** Nine letters and digits: what every template takes (Mistral's takes nothing else). */
function callId() {
  const letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';
  return Array.from(crypto.getRandomValues(new Uint32Array(9)), (word) => letters[word % 62]).join('');
}

/** @param {import('./choices.js').Part} part @returns {ChatDelta} */
function deltaOf({ kind, call, text }) {
  if (kind === 'content') return { content: text };
  if (kind === 'reasoning') return { reasoning_content: text };
  if (kind === 'name') return { tool_calls: [{ index: call, id: callId(), type: 'function', function: { name: text, arguments: '' } }] };
  return { tool_calls: [{ index: call, function: { arguments: text } }] };
}

/** Adds what came to an answer. @param {ChatAnswer} message @param {import('./choices.js').Part[]} parts */
function addParts(message, parts) {
  for (const part of parts) {
    const { content, reasoning_content: reasoning, tool_calls: calls } = deltaOf(part);
    if (content) message.content = (message.content ?? '') + content;
    if (reasoning) message.reasoning_content = (message.reasoning_content ?? '') + reasoning;
    for (const { id, function: f } of calls ?? []) {
      const list = (message.tool_calls ??= []);
      if (id) list.push({ id, type: 'function', function: { name: f.name ?? '', arguments: '' } });
      else list[list.length - 1].function.arguments += f.arguments;
    }
  }
}

export class ChatCompletions {
  #call;
  #model;

  /** @param {import('./choices.js').Call} call @param {string} model */
  constructor(call, model) {
    this.#call = call;
    this.#model = model;
  }

  /**
   * @overload @param {ChatRequest & { stream: true }} request @param {{ signal?: AbortSignal }} [options]
   * @returns {Promise<ChatStream>}
   */
  /**
   * @overload @param {ChatRequest & { stream?: false | null }} request @param {{ signal?: AbortSignal }} [options]
   * @returns {Promise<ChatCompletion>}
   */
  /**
   * @param {ChatRequest} request
   * @param {{ signal?: AbortSignal }} [options] the signal ends the generation with an AbortError
   * @returns {Promise<ChatCompletion | ChatStream>}
   */
  async create(request, { signal } = {}) {
    const { stream, stream_options: streamOptions, ...rest } = request;
    if (streamOptions && !stream) throw fail(STATUS.E_ARGUMENT, 'stream_options without stream');
    const head = { id: `chatcmpl-${crypto.randomUUID()}`, created: Math.floor(Date.now() / 1000), model: request.model ?? this.#model };
    const requests = choicesOf(rest);
    if (stream) {
      const chunks = new Stream((/** @type {ChatStream} */ s) => this.#stream(s, head, requests, streamOptions ?? {}, !!request.logprobs), signal);
      await chunks.started;
      return chunks;
    }
    const choices = requests.map((_, index) => ({
      index,
      message: /** @type {ChatAnswer} */ ({ role: 'assistant', content: null, refusal: null }),
      logprobs: /** @type {ChatLogprobs} */ (request.logprobs ? { content: [], refusal: null } : null),
      finish_reason: /** @type {FinishReason} */ ('stop'),
    }));
    const outcomes = await runChoices(this.#call, 'chat', requests, signal, (delta, i) => {
      addParts(choices[i].message, delta.parts);
      choices[i].logprobs?.content.push(...delta.logprobs);
    });
    for (const [i, choice] of choices.entries()) {
      choice.finish_reason = outcomes[i].finish;
      if (!choice.message.tool_calls) choice.message.content ??= '';
    }
    return { ...head, object: 'chat.completion', choices, usage: sumUsage(outcomes.map((o) => o.usage), outcomes.length) };
  }

  /**
   * @param {ChatStream} stream @param {{ id: string, created: number, model: string }} head @param {Record<string, unknown>[]} requests
   * @param {NonNullable<ChatRequest['stream_options']>} options @param {boolean} withLogprobs
   */
  async #stream(stream, head, requests, options, withLogprobs) {
    const withUsage = options.include_usage ?? false;
    const begun = requests.map(() => false);
    /** @param {number} index @param {ChatDelta} delta @param {FinishReason | null} finish @param {TokenLogprob[]} [logprobs] @param {Delta} [at] */
    const push = (index, delta, finish, logprobs, at) => {
      stream.push({
        ...head,
        object: 'chat.completion.chunk',
        choices: [{ index, delta, logprobs: logprobs && withLogprobs ? { content: logprobs, refusal: null } : null, finish_reason: finish }],
        ...(withUsage ? { usage: runningUsage(options, at) } : {}),
      });
    };
    const begin = (/** @type {number} */ index, /** @type {Delta | undefined} */ at = undefined) => {
      if (!begun[index]) push(index, { role: 'assistant', content: '' }, null, undefined, at);
      begun[index] = true;
    };
    const outcomes = await runChoices(
      this.#call,
      'chat',
      requests,
      stream.controller.signal,
      (delta, index) => {
        begin(index, delta);
        // The log-probabilities of a chunk are those of its tokens: they go with its content.
        const parts = delta.parts.length || !delta.logprobs.length ? delta.parts : [{ kind: /** @type {const} */ ('content'), call: 0, text: '' }];
        const at = Math.max(0, parts.findIndex((p) => p.kind === 'content'));
        for (const [i, part] of parts.entries()) push(index, deltaOf(part), null, i === at ? delta.logprobs : [], delta);
      },
      (outcome, index) => {
        begin(index);
        push(index, {}, outcome.finish);
      },
    );
    if (withUsage) stream.push({ ...head, object: 'chat.completion.chunk', choices: [], usage: sumUsage(outcomes.map((o) => o.usage), outcomes.length) });
  }
}
