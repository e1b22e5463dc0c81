// OpenAI's Responses API over chat completions: items in, items out, and the events between.

import { fail, STATUS } from '../errors.js';
import { itemText, newId, responseEvents } from './response_events.js';

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
const missing = (/** @type {string} */ id) => fail(STATUS.E_NOT_FOUND, `no response ${id}; it was not stored, or is too old`);
/** What the chat's own fields are called here, for refusals. */
const NAMES = /** @type {[string, string][]} */ ([['field reasoning_effort', 'field reasoning.effort'], ['field response_format', 'field text.format']]);
const LOGPROBS = 'message.output_text.logprobs';

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

/** @param {any} input of a request @param {Map<string, Json>} known items by id @returns {Json[]} items, each with an id */
function itemsOf(input, known) {
  if (!Array.isArray(input) && typeof input !== 'string') throw fail(STATUS.E_ARGUMENT, 'input is no text and no list of items');
  return (typeof input === 'string' ? [{ role: 'user', content: input }] : input).map((given, i) => {
    const item = given?.type === 'item_reference' ? known.get(given.id) : given;
    if (!item && given) throw fail(STATUS.E_NOT_FOUND, `input[${i}]: no item ${given.id}`);
    if (typeof item !== 'object' || !item) throw fail(STATUS.E_ARGUMENT, `input[${i}] is no item`);
    if ((item.type ?? 'message') !== 'message') return { id: newId('item'), status: 'completed', ...item };
    const content = typeof item.content === 'string' ? [{ type: item.role === 'assistant' ? 'output_text' : 'input_text', text: item.content }] : item.content;
    return { id: newId('msg'), type: 'message', status: 'completed', ...item, content };
  });
}

/** @param {Json[]} items @returns {Json[]} chat messages */
function messagesOf(items) {
  /** @type {Json[]} */
  const messages = [];
  let thought = ''; // goes with the message or the calls that came of it
  const assistant = (/** @type {Json} */ message) => {
    messages.push({ ...message, ...(thought ? { reasoning_content: thought } : {}) });
    thought = '';
  };
  for (const [i, item] of items.entries()) {
    const where = `input[${i}]`;
    const { type } = item;
    if (type === 'message') {
      const message = { role: item.role, content: textOf(item.content, where) };
      if (item.role === 'assistant') assistant(message);
      else messages.push(message);
    } else if (type === 'function_call') {
      const call = { id: item.call_id, type: 'function', function: { name: item.name, arguments: item.arguments } };
      const last = messages.at(-1);
      // Calls that were made together are one message of the assistant's.
      if (last?.role === 'assistant') (last.tool_calls ??= []).push(call);
      else assistant({ role: 'assistant', content: null, tool_calls: [call] });
    } else if (type === 'function_call_output') {
      messages.push({ role: 'tool', tool_call_id: item.call_id, content: typeof item.output === 'string' ? item.output : textOf(item.output, where) });
    } else if (type === 'reasoning') {
      thought = itemText(item);
    } else {
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

/** @typedef {{ response: Json, items: Json[] }} Kept items: what it was made of, those of earlier responses too */

export class Responses {
  /** @type {Map<string, Kept>} the latest, by id */
  #kept = new Map();
  #chat;
  #model;

  /** @param {Chat} chat @param {string} model */
  constructor(chat, model) {
    this.#chat = chat;
    this.#model = model;
  }

  /** @param {string} responseId @returns {Kept} */
  #find(responseId) {
    const kept = this.#kept.get(responseId);
    if (!kept) throw missing(responseId);
    return kept;
  }

  /** A kept response. @param {string} responseId */
  retrieve(responseId) {
    return this.#find(responseId).response;
  }

  /** @param {string} responseId */
  delete(responseId) {
    this.#find(responseId);
    this.#kept.delete(responseId);
    return { id: responseId, object: 'response', deleted: true };
  }

  /** @param {string} responseId @returns {never} */
  cancel(responseId) {
    this.#find(responseId);
    throw refuse('cancelling a response that does not run in the background; abort its request');
  }

  /**
   * What a kept response was made of, the latest first unless told otherwise.
   * @param {string} responseId @param {{ order?: 'asc' | 'desc', limit?: number, after?: string }} [page]
   */
  inputItems(responseId, { order = 'desc', limit = 20, after } = {}) {
    const { items } = this.#find(responseId);
    if (!['asc', 'desc'].includes(order)) throw fail(STATUS.E_ARGUMENT, 'request field order: expected "asc" or "desc"');
    if (!(Number.isInteger(limit) && limit >= 1 && limit <= 100)) throw fail(STATUS.E_ARGUMENT, 'request field limit: expected a whole number from 1 to 100');
    const all = order === 'asc' ? items : items.toReversed();
    const begin = after ? all.findIndex((item) => item.id === after) + 1 : 0;
    if (after && begin === 0) throw fail(STATUS.E_NOT_FOUND, `no item ${after}`);
    const data = all.slice(begin, begin + limit);
    return { object: 'list', data, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null, has_more: begin + limit < all.length };
  }

  /**
   * @param {Json} request @param {{ signal?: AbortSignal }} [options]
   * @returns {Promise<any>} a response; with `stream`, an async iterable of events
   */
  async create(request, { signal } = {}) {
    const { items, chat } = this.#read(request);
    const stream = await this.#chat.create({ ...chat, stream: true, stream_options: { include_usage: true } }, { signal }).catch((error) => {
      for (const [theirs, ours] of NAMES) if (error instanceof Error) error.message = error.message.replace(theirs, ours);
      throw error;
    });
    const events = this.#events(request, items, stream);
    if (request.stream) return events;
    let last;
    for await (const event of events) last = event;
    return /** @type {Json} */ (last).response;
  }

  /** @param {Json} request @returns {{ items: Json[], chat: Json }} */
  #read(request) {
    for (const field of Object.keys(request)) {
      if (!Object.hasOwn(CHAT, field) && !ECHOED.includes(field) && !OWN.includes(field)) throw refuse(`the field "${field}" of a response request`);
    }
    for (const field of ['tools', 'include']) if (request[field] && !Array.isArray(request[field])) throw fail(STATUS.E_ARGUMENT, `request field ${field}: expected a list`);
    if (request.background) throw refuse('background');
    const included = (request.include ?? []).filter((/** @type {unknown} */ name) => name !== LOGPROBS);
    if (included.length > 0) throw refuse(`include: ${included.join(', ')}`);
    for (const [name, value] of Object.entries(request.reasoning ?? {})) {
      // A thought is told as it is; nobody writes a shorter one.
      const fine = value === null || name === 'effort' || (name === 'summary' && ['auto', 'detailed'].includes(value));
      if (!fine) throw refuse(`request field reasoning.${name}${name === 'summary' ? `: "${value}"` : ''}`);
    }
    if (request.truncation && !['disabled', 'auto'].includes(request.truncation)) throw refuse(`truncation "${request.truncation}"`);
    if (request.text?.verbosity) throw refuse('text.verbosity');
    const before = request.previous_response_id ? this.#kept.get(request.previous_response_id) : null;
    if (before === undefined) throw missing(request.previous_response_id);
    const known = new Map([...this.#kept.values()].flatMap(({ response, items }) => [...items, ...response.output].map((/** @type {Json} */ item) => [item.id, item])));
    const items = [...(before ? [...before.items, ...before.response.output] : []), ...itemsOf(request.input, known)];
    /** @type {Json} */
    const chat = { model: request.model, messages: messagesOf(items) };
    for (const [field, name] of Object.entries(CHAT)) if (request[field] !== undefined) chat[name] = request[field];
    if (request.reasoning?.effort) chat.reasoning_effort = request.reasoning.effort;
    if (request.truncation === 'auto') chat.overflow = 'drop_oldest_turns';
    if (request.top_logprobs || request.include?.length > 0) Object.assign(chat, { logprobs: true, top_logprobs: request.top_logprobs ?? 0 });
    if (request.tools?.length > 0) chat.tools = request.tools.map(chatTool);
    if (request.tool_choice !== undefined && chat.tools) chat.tool_choice = chatToolChoice(request.tool_choice);
    if (request.text?.format) chat.response_format = chatFormat(request.text.format);
    // Instructions are this request's only: a following one has its own.
    if (typeof request.instructions === 'string') chat.messages.unshift({ role: 'system', content: request.instructions });
    return { items, chat };
  }

  /** @param {Json} request @param {Json[]} items @param {AsyncIterable<any>} stream @returns {AsyncGenerator<Json, void>} */
  async *#events(request, items, stream) {
    const response = skeleton(request, this.#model);
    try {
      for await (const event of responseEvents(response, stream, { summary: Boolean(request.reasoning?.summary) })) {
        if (response.status !== 'in_progress' && response.status !== 'failed' && request.store !== false) this.#keep(response, items);
        yield event;
      }
    } catch (error) {
      // A stream has told of its failure as its last event.
      if (/** @type {Error} */ (error)?.name === 'AbortError' || !request.stream) throw error;
    }
  }

  /** @param {Json} response @param {Json[]} items */
  #keep(response, items) {
    this.#kept.set(response.id, { response, items });
    while (this.#kept.size > KEPT) this.#kept.delete(/** @type {string} */ (this.#kept.keys().next().value));
  }
}

/** @param {Json} request @param {string} model @returns {Json} */
function skeleton(request, model) {
  const echoed = Object.fromEntries(ECHOED.filter((field) => request[field] !== undefined).map((field) => [field, request[field]]));
  return {
    id: newId('resp'),
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
    reasoning: { effort: request.reasoning?.effort ?? null, summary: request.reasoning?.summary ?? null },
    store: true,
    temperature: request.temperature ?? null,
    text: { format: request.text?.format ?? { type: 'text' } },
    tool_choice: request.tool_choice ?? 'auto',
    tools: request.tools ?? [],
    top_p: request.top_p ?? null,
    top_logprobs: request.top_logprobs ?? 0,
    truncation: request.truncation ?? 'disabled',
    usage: null,
    metadata: {},
    ...echoed,
  };
}
