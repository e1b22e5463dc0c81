// The events of a response: chunks of a chat completion become output items – thoughts, messages, calls – one after another, each
// begun, told in pieces and ended before the next begins.

/** @typedef {Record<string, any>} Json */

export const newId = (/** @type {string} */ kind) => `${kind}_${crypto.randomUUID().replaceAll('-', '')}`;

/** Names of events and fields, by what is being written; `index`: of the part within the item. */
const KINDS = {
  content: { item: 'msg', part: 'output_text', added: 'content_part', text: 'output_text', list: 'content', index: 'content_index' },
  reasoning: { item: 'rs', part: 'reasoning_text', added: 'content_part', text: 'reasoning_text', list: 'content', index: 'content_index' },
  summary: { item: 'rs', part: 'summary_text', added: 'reasoning_summary_part', text: 'reasoning_summary_text', list: 'summary', index: 'summary_index' },
};

/** What a thought or a message says. @param {Json} item @returns {string} */
export const itemText = (item) => [...(item.content ?? []), ...(item.summary ?? [])].map((/** @type {Json} */ part) => part.text ?? '').join('');

/**
 * @param {Json} response without output; gets items, usage and status
 * @param {AsyncIterable<any>} stream of chat completion chunks @param {{ summary: boolean }} options summary: thoughts are told as such
 * @returns {AsyncGenerator<Json, void>} all events but the last
 */
export async function* responseEvents(response, stream, { summary }) {
  let sequence = 0;
  const event = (/** @type {string} */ type, /** @type {Json} */ fields) => ({ type: `response.${type}`, sequence_number: sequence++, ...structuredClone(fields) });
  /** @type {Json[]} */
  const output = response.output;
  /** @type {{ kind: 'content' | 'reasoning' | 'summary' | 'call', call: number } | null} what the last item is, while it is written */
  let open = null;
  const last = () => output[output.length - 1];
  const at = () => ({ item_id: last().id, output_index: output.length - 1 });

  /** Ends the item that is being written. @param {string} status @returns {Generator<Json>} */
  function* end(status) {
    if (!open) return;
    const item = last();
    item.status = status;
    if (open.kind === 'call') {
      yield event('function_call_arguments.done', { ...at(), arguments: item.arguments, name: item.name });
    } else {
      const names = KINDS[open.kind];
      const [part] = item[names.list];
      const place = { ...at(), [names.index]: 0 };
      yield event(`${names.text}.done`, { ...place, text: part.text, ...(open.kind === 'content' ? { logprobs: part.logprobs } : {}) });
      yield event(`${names.added}.done`, { ...place, part });
    }
    yield event('output_item.done', { output_index: output.length - 1, item });
    open = null;
  }

  /** @param {'content' | 'reasoning' | 'summary'} kind @param {string} delta @param {Json[]} logprobs @returns {Generator<Json>} */
  function* text(kind, delta, logprobs) {
    const names = KINDS[kind];
    if (open?.kind !== kind) {
      yield* end('completed');
      const message = kind === 'content';
      const item = { id: newId(names.item), type: message ? 'message' : 'reasoning', status: 'in_progress', ...(message ? { role: 'assistant' } : { summary: [] }), ...(kind === 'summary' ? {} : { content: [] }) };
      output.push(item);
      yield event('output_item.added', { output_index: output.length - 1, item });
      const part = { type: names.part, text: '', ...(message ? { annotations: [], logprobs: [] } : {}) };
      /** @type {Json} */ (item)[names.list].push(part);
      yield event(`${names.added}.added`, { ...at(), [names.index]: 0, part });
      open = { kind, call: -1 };
    }
    const [part] = last()[names.list];
    part.text += delta;
    part.logprobs?.push(...logprobs);
    yield event(`${names.text}.delta`, { ...at(), [names.index]: 0, delta, ...(kind === 'content' ? { logprobs } : {}) });
  }

  /** @param {Json} call of a chunk @returns {Generator<Json>} */
  function* called(call) {
    if (open?.kind !== 'call' || open.call !== call.index) {
      yield* end('completed');
      output.push({ id: newId('fc'), type: 'function_call', status: 'in_progress', call_id: call.id ?? newId('call'), name: call.function?.name ?? '', arguments: '' });
      yield event('output_item.added', { output_index: output.length - 1, item: last() });
      open = { kind: 'call', call: call.index };
    }
    const delta = call.function?.arguments ?? '';
    if (!delta) return;
    last().arguments += delta;
    yield event('function_call_arguments.delta', { ...at(), delta });
  }

  let finish = 'stop';
  yield event('created', { response });
  yield event('in_progress', { response });
  try {
    for await (const chunk of stream) {
      if (chunk.usage) response.usage = usageOf(chunk.usage);
      const choice = chunk.choices[0];
      if (!choice) continue;
      finish = choice.finish_reason ?? finish;
      const { content, reasoning_content: thought, tool_calls: calls = [] } = choice.delta;
      const logprobs = choice.logprobs?.content ?? [];
      if (thought) yield* text(summary ? 'summary' : 'reasoning', thought, []);
      if (content || logprobs.length > 0) yield* text('content', content ?? '', logprobs);
      for (const call of calls) yield* called(call);
    }
  } catch (error) {
    response.status = 'failed';
    response.error = { code: 'server_error', message: /** @type {Error} */ (error).message };
    if (/** @type {Error} */ (error)?.name !== 'AbortError') yield event('failed', { response });
    throw error;
  }
  const cut = finish === 'length';
  yield* end(cut ? 'incomplete' : 'completed');
  response.status = cut ? 'incomplete' : 'completed';
  if (cut) response.incomplete_details = { reason: 'max_output_tokens' };
  yield event(response.status, { response });
}

/** @param {import('../chat.js').Usage} usage */
function usageOf(usage) {
  return {
    input_tokens: usage.prompt_tokens,
    input_tokens_details: { cached_tokens: usage.prompt_tokens_details.cached_tokens },
    output_tokens: usage.completion_tokens,
    output_tokens_details: { reasoning_tokens: usage.completion_tokens_details?.reasoning_tokens ?? 0 },
    total_tokens: usage.total_tokens,
  };
}
