// OpenAI's Responses API over chat completions: items in, items out, and the events between.

import { fail, STATUS } from '../errors.js';

/** @typedef {Record<string, any>} Json */
/** @typedef {{ create(request: any, options?: { signal?: AbortSignal }): Promise<any> }} Chat chat.completions of an engine */

const KEPT = 64; // responses that previous_response_id can name

/** Fields that need nothing of the model, and are told back. */
const ECHOED = ['metadata', 'user', 'store', 'service_tier', 'safety_identifier', 'prompt_cache_key'];
/** Fields that go to chat completions: theirs, by ours. */
const CHAT = /** @type {Record<string, string>} */ ({
  max_output_tokens: 'max_completion_tokens',
  temperature: 'temperature',
  top_p: 'top_p',
  parallel_tool_calls: 'parallel_tool_calls',
  seed: 'seed',
});
const OWN = ['model', 'input', 'instructions', 'stream', 'previous_response_id', 'tools', 'tool_choice', 'text', 'truncation', 'include', 'background', 'reasoning', 'stream_options', 'top_logprobs'];

const refuse = (/** @type {string} */ what) => fail(STATUS.E_UNSUPPORTED, what);
const id = (/** @type {string} */ kind) => `${kind}_${crypto.randomUUID().replaceAll('-', '')}`;

/** @param {any} content of an item @param {string} where @returns {string} */
function textOf(content, where) {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) throw fail(STATUS.E_ARGUMENT, `${where}.content is no text and no list`);
  return content
    .map((part) => {
      if (['input_text', 'output_text', 'text'].includes(part?.type) && typeof part.text === 'string') return part.text;
      if (part?.type === 'refusal') return part.refusal;
      throw refuse(`${where}.content of type "${part?.type}"`);
    })
    .join('');
}

/** @param {any} input of a request @param {Map<string, Json>} known items by id @returns {Json[]} chat messages */
function messagesOf(input, known) {
  if (typeof input === 'string') return [{ role: 'user', content: input }];
  if (!Array.isArray(input)) throw fail(STATUS.E_ARGUMENT, 'input is no text and no list of items');
  /** @type {Json[]} */
  const messages = [];
  for (const [i, given] of input.entries()) {
    const where = `input[${i}]`;
    const item = given?.type === 'item_reference' ? known.get(given.id) : given;
    if (!item && given) throw fail(STATUS.E_NOT_FOUND, `${where}: no item ${given.id}`);
    if (typeof item !== 'object' || !item) throw fail(STATUS.E_ARGUMENT, `${where} is no item`);
    const type = item.type ?? 'message';
    if (type === 'message') {
      messages.push({ role: item.role, content: textOf(item.content, where) });
    } else if (type === 'function_call') {
      const call = { id: item.call_id, type: 'function', function: { name: item.name, arguments: item.arguments } };
      const last = messages.at(-1);
      // Calls that were made together are one message of the assistant's.
      if (last?.role === 'assistant') (last.tool_calls ??= []).push(call);
      else messages.push({ role: 'assistant', content: null, tool_calls: [call] });
    } else if (type === 'function_call_output') {
      messages.push({ role: 'tool', tool_call_id: item.call_id, content: typeof item.output === 'string' ? item.output : textOf(item.output, where) });
    } else if (type !== 'reasoning') {
      throw refuse(`${where} of type "${type}"`);
    }
  }
  return messages;
}

/** @param {any} tool @param {number} i */
function chatTool(tool, i) {
  if (tool?.type !== 'function') throw refuse(`tools[${i}] of type "${tool?.type}"`);
  const { type, ...f } = tool;
  return { type, function: f };
}

/** @param {any} choice */
const chatToolChoice = (choice) => (choice?.type === 'function' ? { type: 'function', function: { name: choice.name } } : choice);

/** @param {any} format text.format */
function chatFormat(format) {
  if (format?.type !== 'json_schema') return format;
  const { type, ...schema } = format;
  return { type, json_schema: schema };
}

export class Responses {
  /** @type {Map<string, { response: Json, messages: Json[] }>} the latest, by id */
  #kept = new Map();
  #chat;
  #model;

  /** @param {Chat} chat @param {string} model */
  constructor(chat, model) {
    this.#chat = chat;
    this.#model = model;
  }

  /** A kept response. @param {string} responseId */
  retrieve(responseId) {
    const kept = this.#kept.get(responseId);
    if (!kept) throw fail(STATUS.E_NOT_FOUND, `no response ${responseId}`);
    return kept.response;
  }

  /** @param {string} responseId */
  delete(responseId) {
    this.retrieve(responseId);
    this.#kept.delete(responseId);
    return { id: responseId, object: 'response', deleted: true };
  }

  /**
   * @param {Json} request @param {{ signal?: AbortSignal }} [options]
   * @returns {Promise<any>} a response; with `stream`, an async iterable of events
   */
  async create(request, { signal } = {}) {
    const { messages, chat } = this.#read(request);
    const stream = await this.#chat.create({ ...chat, messages, stream: true, stream_options: { include_usage: true } }, { signal });
    const events = this.#events(request, messages, stream);
    if (request.stream) return events;
    let last;
    for await (const event of events) last = event;
    return /** @type {Json} */ (last).response;
  }

  /** @param {Json} request @returns {{ messages: Json[], chat: Json }} */
  #read(request) {
    for (const field of Object.keys(request)) {
      if (!Object.hasOwn(CHAT, field) && !ECHOED.includes(field) && !OWN.includes(field)) throw refuse(`the field "${field}" of a response request`);
    }
    for (const field of ['tools', 'include']) if (request[field] && !Array.isArray(request[field])) throw fail(STATUS.E_ARGUMENT, `request field ${field}: expected a list`);
    if (request.background) throw refuse('background');
    if (request.include?.length > 0) throw refuse(`include: ${request.include.join(', ')}`);
    if (request.reasoning?.effort || request.reasoning?.summary) throw refuse('reasoning');
    if (request.truncation && request.truncation !== 'disabled') throw refuse(`truncation "${request.truncation}"`);
    if (request.top_logprobs) throw refuse('top_logprobs');
    if (request.text?.verbosity) throw refuse('text.verbosity');
    const before = request.previous_response_id ? this.#kept.get(request.previous_response_id) : null;
    if (before === undefined) throw fail(STATUS.E_NOT_FOUND, `no response ${request.previous_response_id}; it was not stored, or is too old`);
    const known = new Map([...this.#kept.values()].flatMap(({ response }) => response.output.map((/** @type {Json} */ item) => [item.id, item])));
    const messages = [...(before?.messages ?? []), ...messagesOf(request.input, known)];
    /** @type {Json} */
    const chat = { model: request.model };
    for (const [field, name] of Object.entries(CHAT)) if (request[field] !== undefined) chat[name] = request[field];
    if (request.tools?.length > 0) chat.tools = request.tools.map(chatTool);
    if (request.tool_choice !== undefined && chat.tools) chat.tool_choice = chatToolChoice(request.tool_choice);
    if (request.text?.format) chat.response_format = chatFormat(request.text.format);
    // Instructions are this request's only: a following one has its own.
    if (typeof request.instructions === 'string') return { messages: [{ role: 'system', content: request.instructions }, ...messages], chat };
    return { messages, chat };
  }

  /** @param {Json} request @param {Json[]} messages @param {AsyncIterable<any>} stream @returns {AsyncGenerator<Json, void>} */
  async *#events(request, messages, stream) {
    let sequence = 0;
    const event = (/** @type {string} */ type, /** @type {Json} */ fields) => ({ type, sequence_number: sequence++, ...fields });
    const response = skeleton(request, this.#model);
    yield event('response.created', { response: structuredClone(response) });
    yield event('response.in_progress', { response: structuredClone(response) });
    /** @type {Json[]} */
    const output = response.output;
    /** @type {Map<number, number>} place in the output, by index of the tool call */
    const calls = new Map();
    let message = -1;
    let finish = 'stop';

    /** @param {Json} item */
    const added = (item) => {
      output.push(item);
      return event('response.output_item.added', { output_index: output.length - 1, item: structuredClone(item) });
    };
    /** Ends the message that is being written. @returns {Generator<Json>} */
    function* endMessage() {
      if (message < 0) return;
      const item = output[message];
      const at = { item_id: item.id, output_index: message, content_index: 0 };
      item.status = 'completed';
      yield event('response.output_text.done', { ...at, text: item.content[0].text, logprobs: [] });
      yield event('response.content_part.done', { ...at, part: structuredClone(item.content[0]) });
      yield event('response.output_item.done', { output_index: message, item: structuredClone(item) });
      message = -1;
    }

    try {
      for await (const chunk of stream) {
        if (chunk.usage) response.usage = usageOf(chunk.usage);
        const choice = chunk.choices[0];
        if (!choice) continue;
        finish = choice.finish_reason ?? finish;
        const { content, tool_calls: toolCalls = [] } = choice.delta;
        if (content) {
          if (message < 0) {
            const item = { id: id('msg'), type: 'message', status: 'in_progress', role: 'assistant', content: [] };
            yield added(item);
            message = output.length - 1;
            output[message].content.push({ type: 'output_text', text: '', annotations: [], logprobs: [] });
            yield event('response.content_part.added', { item_id: item.id, output_index: message, content_index: 0, part: structuredClone(output[message].content[0]) });
          }
          const item = output[message];
          item.content[0].text += content;
          yield event('response.output_text.delta', { item_id: item.id, output_index: message, content_index: 0, delta: content, logprobs: [] });
        }
        for (const call of toolCalls) {
          if (!calls.has(call.index)) {
            yield* endMessage();
            yield added({ id: id('fc'), type: 'function_call', status: 'in_progress', call_id: call.id ?? id('call'), name: call.function?.name ?? '', arguments: '' });
            calls.set(call.index, output.length - 1);
          }
          const place = /** @type {number} */ (calls.get(call.index));
          const delta = call.function?.arguments ?? '';
          if (!delta) continue;
          output[place].arguments += delta;
          yield event('response.function_call_arguments.delta', { item_id: output[place].id, output_index: place, delta });
        }
      }
      yield* endMessage();
      for (const place of calls.values()) {
        const item = output[place];
        item.status = 'completed';
        yield event('response.function_call_arguments.done', { item_id: item.id, output_index: place, arguments: item.arguments, name: item.name });
        yield event('response.output_item.done', { output_index: place, item: structuredClone(item) });
      }
    } catch (error) {
      if (/** @type {Error} */ (error)?.name === 'AbortError' || !request.stream) throw error;
      response.status = 'failed';
      response.error = { code: 'server_error', message: /** @type {Error} */ (error).message };
      yield event('response.failed', { response });
      return;
    }
    const cut = finish === 'length';
    response.status = cut ? 'incomplete' : 'completed';
    if (cut) response.incomplete_details = { reason: 'max_output_tokens' };
    if (request.store !== false) this.#keep(response, [...(typeof request.instructions === 'string' ? messages.slice(1) : messages), ...messagesOf(output, new Map())]);
    yield event(cut ? 'response.incomplete' : 'response.completed', { response });
  }

  /** @param {Json} response @param {Json[]} messages */
  #keep(response, messages) {
    this.#kept.set(response.id, { response, messages });
    while (this.#kept.size > KEPT) this.#kept.delete(/** @type {string} */ (this.#kept.keys().next().value));
  }
}

/** @param {import('../chat.js').Usage} usage */
function usageOf(usage) {
  return {
    input_tokens: usage.prompt_tokens,
    input_tokens_details: { cached_tokens: usage.prompt_tokens_details.cached_tokens },
    output_tokens: usage.completion_tokens,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: usage.total_tokens,
  };
}

/** @param {Json} request @param {string} model @returns {Json} */
function skeleton(request, model) {
  const echoed = Object.fromEntries(ECHOED.filter((field) => request[field] !== undefined).map((field) => [field, request[field]]));
  return {
    id: id('resp'),
    object: 'response',
    created_at: Math.floor(Date.now() / 1000),
    status: 'in_progress',
    background: false,
    error: null,
    incomplete_details: null,
    instructions: request.instructions ?? null,
    max_output_tokens: request.max_output_tokens ?? null,
    model: request.model ?? model,
    output: [],
    parallel_tool_calls: request.parallel_tool_calls ?? true,
    previous_response_id: request.previous_response_id ?? null,
    reasoning: { effort: null, summary: null },
    store: true,
    temperature: request.temperature ?? null,
    text: { format: request.text?.format ?? { type: 'text' } },
    tool_choice: request.tool_choice ?? 'auto',
    tools: request.tools ?? [],
    top_p: request.top_p ?? null,
    truncation: 'disabled',
    usage: null,
    metadata: {},
    ...echoed,
  };
}
